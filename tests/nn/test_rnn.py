"""Recurrent layers and sequences of different lengths: what packing must keep, by hand, and refusals. Parity with torch: test_module_parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

from .derivatives import check_two_orders, torch_or_skip

LAYERS = [
    "RNN(2, 3)", "RNN(2, 3, 2, 'relu', bidirectional=True)", "GRU(2, 3)", "GRU(2, 3, 2, bidirectional=True)", "LSTM(2, 3)",
    "LSTM(2, 3, 2, bidirectional=True, proj_size=2)",
]  # fmt: skip
LENGTHS = [[3], [3, 3], [4, 2, 1], [1, 4, 2, 4]]


def build(call: str) -> Any:
    return eval("nn." + call, {"nn": nn}).double()


def sequences_of(lengths: list[int]) -> list[minigrad.Tensor]:
    random = np.random.default_rng(0)
    return [minigrad.tensor(random.standard_normal((length, 2))) for length in lengths]


def as_tuple(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("call", LAYERS)
def test_packed_sequences_give_what_each_gives_alone(call: str, lengths: list[int]) -> None:
    layer, sequences = build(call), sequences_of(lengths)
    outputs, state = layer(pack_sequence(sequences, enforce_sorted=False))
    for i, (sequence, output) in enumerate(zip(sequences, unpack_sequence(outputs), strict=True)):
        alone, last = layer(sequence)
        np.testing.assert_allclose(output.detach().numpy(), alone.detach().numpy(), rtol=1e-12)
        for a, b in zip(as_tuple(state), as_tuple(last), strict=True):
            np.testing.assert_allclose(a[:, i].detach().numpy(), b.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("call", LAYERS)
def test_a_sequence_in_two_parts_is_the_sequence(call: str) -> None:
    if "bidirectional" in call:
        call = call.replace("bidirectional=True", "bidirectional=False")
    layer, x = build(call), minigrad.randn(5, 2, 2).double()
    whole, last = layer(x)
    first, between = layer(x[:3])
    second, end = layer(x[3:], between)
    np.testing.assert_allclose(minigrad.cat([first, second]).detach().numpy(), whole.detach().numpy(), rtol=1e-12)
    for a, b in zip(as_tuple(end), as_tuple(last), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_layer_of_one_step_is_its_cell(kind: str) -> None:
    layer, cell = build(f"{kind}(2, 3)"), build(f"{kind}Cell(2, 3)")
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x = minigrad.randn(4, 2).double()
    np.testing.assert_allclose(
        layer(x.unsqueeze(0))[0][0].detach().numpy(), as_tuple(cell(x))[0].detach().numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("call", LAYERS)
def test_two_orders_of_derivatives(call: str) -> None:
    layer = build(call.replace("relu", "tanh"))
    names = [name for name, _ in layer.named_parameters()]

    def run(x: Any, *parameters: Any) -> Any:
        for name, parameter in zip(names, parameters, strict=True):
            vars(layer)[name] = parameter
        return layer(PackedSequence(x, minigrad.tensor([2, 1])))[0].data

    parameters = [parameter.detach().numpy() for parameter in layer.parameters()][:5]
    names = names[:5]
    check_two_orders(run, np.random.default_rng(1).standard_normal((3, 2)), *parameters)


def test_dropout_between_the_layers_in_training_only() -> None:
    layer = nn.GRU(2, 50, num_layers=2, dropout=1.0)
    x = minigrad.randn(4, 3, 2)
    dropped = layer(x)[0]
    assert not (dropped == layer.eval()(x)[0]).any()
    assert (layer(x)[0] == layer(x)[0]).all()
    with pytest.warns(
        UserWarning, match="non-zero dropout expects num_layers greater than 1, but got dropout=0.5 and num_layers=1"
    ):
        nn.GRU(2, 3, dropout=0.5)


def test_start_is_uniform_by_the_hidden_size() -> None:
    for call in ("LSTM(3, 100)", "LSTMCell(3, 100)"):
        for parameter in build(call).parameters():
            assert 0.09 < parameter.abs().max().item() <= 0.1
            assert abs(parameter.mean().item()) < 0.02


def test_all_weights_lists_each_layer_and_direction() -> None:
    layer = nn.LSTM(2, 3, 2, bidirectional=True, proj_size=1)
    layer.flatten_parameters()
    names = {id(parameter): name for name, parameter in layer.named_parameters()}
    found = [[names[id(parameter)] for parameter in one] for one in layer.all_weights]
    kinds = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
    assert found == [[kind + end for kind in kinds] for end in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")]


# --- packing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_packing_and_padding_undo_each_other(lengths: list[int], batch_first: bool) -> None:
    sequences = sequences_of(lengths)
    padded = pad_sequence(sequences, batch_first)
    for a, b in zip(unpad_sequence(padded, minigrad.tensor(lengths), batch_first), sequences, strict=True):
        assert a.tolist() == b.tolist()
    packed = pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert int(packed.batch_sizes.sum()) == sum(lengths) == len(packed.data)
    again, found = pad_packed_sequence(packed, batch_first, total_length=6, padding_value=-1.0)
    assert found.tolist() == lengths
    assert again.shape == ((len(lengths), 6, 2) if batch_first else (6, len(lengths), 2))
    for i, sequence in enumerate(sequences):
        rows = again[i] if batch_first else again[:, i]
        assert rows.tolist() == sequence.tolist() + [[-1.0, -1.0]] * (6 - len(sequence))


@pytest.mark.parametrize("lengths", LENGTHS)
def test_packing_is_torchs(lengths: list[int]) -> None:
    torch = torch_or_skip()
    ours = pack_sequence(sequences_of(lengths), enforce_sorted=False)
    theirs = torch.nn.utils.rnn.pack_sequence(
        [torch.tensor(s.numpy()) for s in sequences_of(lengths)], enforce_sorted=False
    )
    for a, b in zip(ours, theirs, strict=True):
        assert a.tolist() == b.tolist()


def test_packing_and_padding_pass_gradients() -> None:
    lengths = minigrad.tensor([1, 3, 2])

    def there_and_back(x: minigrad.Tensor) -> minigrad.Tensor:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(packed)[0]

    check_two_orders(there_and_back, np.random.default_rng(0).standard_normal((3, 3, 2)))


def test_a_packed_sequence_is_a_tuple_that_converts() -> None:
    packed = pack_sequence([minigrad.tensor([1.0]), minigrad.tensor([2.0, 3.0])], enforce_sorted=False)
    data, sizes, order, back = packed
    assert (data.tolist(), sizes.tolist(), order.tolist(), back.tolist()) == ([2, 1, 3], [2, 1], [1, 0], [1, 0])
    assert packed.double().data.dtype == packed.to(minigrad.float64).data.dtype == minigrad.float64
    assert packed.half().data.dtype == minigrad.float16
    assert packed.float() is packed.cpu() is packed
    assert isinstance(packed.double(), PackedSequence)
    assert PackedSequence((data, sizes)).batch_sizes is sizes
    assert invert_permutation(None) is None


def test_padding_on_the_left() -> None:
    padded = pad_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])], True, 9, padding_side="left")
    assert padded.tolist() == [[1, 2], [9, 3]]


# --- refusals ---------------------------------------------------------------------------------------------------------

zeros = minigrad.zeros


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.RNN(2, 3, nonlinearity="sigmoid"), ValueError, "Unknown nonlinearity 'sigmoid'. Select from 'tanh' or 'relu'."),
        (lambda: nn.RNNBase("SRU", 2, 3), ValueError, "Unrecognized RNN mode: SRU"),
        (lambda: nn.GRU(0, 3), ValueError, "input_size must be greater than zero, got 0"),
        (lambda: nn.GRU(2, 0), ValueError, "hidden_size must be greater than zero, got 0"),
        (lambda: nn.GRU(2, 3, 0), ValueError, "num_layers must be greater than zero, got 0"),
        (lambda: nn.GRU(2, 3.0), TypeError, "hidden_size should be of type int, got: float"),
        (lambda: nn.GRU("2", 3), TypeError, "input_size should be of type int, got: str"),
        (lambda: nn.GRU(2, 3, bias=1), TypeError, "bias should be of type bool, got: int"),
        (lambda: nn.GRU(2, 3, batch_first=1), TypeError, "batch_first should be of type bool, got: int"),
        (lambda: nn.GRU(2, 3, dropout=1.5), ValueError, r"dropout should be a number in range \[0, 1\] .*, got 1.5"),
        (lambda: nn.LSTM(2, 3, proj_size=3), ValueError, "proj_size has to be smaller than hidden_size, got 3 and 3"),
        (lambda: nn.LSTM(2, 3, proj_size=-1), ValueError, "proj_size should be a positive integer or zero"),
        (lambda: nn.GRU(2, 3)(zeros(2)), ValueError, "GRU: Expected input to be 2D or 3D, got 1D instead"),
        (lambda: nn.GRU(2, 3)(zeros(4, 5, 3)), RuntimeError, "must be equal to input_size. Expected 2, got 3"),
        (lambda: nn.GRU(2, 3)(zeros(4, 5, 2).double()), ValueError,
         r"RNN input dtype \(float64\) does not match weight dtype \(float32\). Convert input: input.to\(float32\), or convert model: model.to\(float64\)"),
        (lambda: nn.GRU(2, 3)(zeros(4, 5, 2), zeros(1, 4, 3)), RuntimeError, r"Expected hidden size \(1, 5, 3\), got \[1, 4, 3\]"),
        (lambda: nn.GRU(2, 3)(zeros(4, 5, 2), zeros(1, 3)), RuntimeError, "For batched 3-D input, hx should also be 3-D but got 2-D tensor"),
        (lambda: nn.GRU(2, 3)(zeros(4, 2), zeros(1, 1, 3)), RuntimeError, "For unbatched 2-D input, hx should also be 2-D but got 3-D tensor"),
        (lambda: nn.GRU(2, 3)(zeros(0, 5, 2)), RuntimeError, "Expected sequence length to be larger than 0"),
        (lambda: nn.LSTM(2, 3)(zeros(4, 5, 2), (zeros(1, 5, 3), zeros(1, 5, 4))), RuntimeError, r"Expected hidden\[1\] size \(1, 5, 3\), got \[1, 5, 4\]"),
        (lambda: nn.GRU(2, 3)(PackedSequence(zeros(4, 5, 2), minigrad.tensor([4]))), RuntimeError, "input must have 2 dimensions, got 3"),
        (lambda: nn.GRU(2, 3)(zeros(4, 5, 2), (zeros(1, 5, 3),)), TypeError, "GRU: expected hx to be a tensor, got tuple"),
        (lambda: nn.LSTM(2, 3)(zeros(4, 5, 2), zeros(1, 5, 3)), TypeError, r"LSTM: expected hx to be a pair of tensors \(hidden, cell\), got Tensor"),
        (lambda: nn.LSTM(2, 3)(zeros(4, 5, 2), (zeros(1, 5, 3),)), TypeError, "expected hx to be a pair of tensors"),
        (lambda: nn.LSTMCell(2, 3)(zeros(4, 2), zeros(4, 3)), TypeError, "LSTMCell: expected hx to be a pair of tensors"),
        (lambda: nn.GRUCell(2, 3)(zeros(1, 4, 2)), ValueError, "GRUCell: Expected input to be 1D or 2D, got 3D instead"),
        (lambda: nn.GRUCell(2, 3)(zeros(4, 2), zeros(1, 4, 3)), ValueError, "GRUCell: Expected hidden to be 1D or 2D, got 3D instead"),
        (lambda: nn.LSTMCell(2, 3)(zeros(4, 2), (zeros(4, 3), zeros(1, 4, 3))), ValueError, r"LSTMCell: Expected hx\[1\] to be 1D or 2D, got 3D"),
        (lambda: nn.GRUCell(2, 3)(zeros(4, 3)), RuntimeError, "input has inconsistent input_size: got 3 expected 2"),
        (lambda: nn.GRUCell(2, 3)(zeros(4, 2), zeros(4, 4)), RuntimeError, "hidden0 has inconsistent hidden_size: got 4, expected 3"),
        (lambda: nn.LSTMCell(2, 3)(zeros(4, 2), (zeros(4, 3), zeros(5, 3))), RuntimeError, "Input batch size 4 doesn't match hidden1 batch size 5"),
        (lambda: nn.RNNCell(2, 3, nonlinearity="sigmoid")(zeros(4, 2)), RuntimeError, "Unknown nonlinearity: sigmoid"),
        (lambda: pack_padded_sequence(zeros(4, 2), [1]), RuntimeError, r"Expected `len\(lengths\)` to be equal to batch_size, but got 1 \(batch_size=2\)"),
        (lambda: pack_padded_sequence(zeros(4, 2), [1, 0]), RuntimeError, "Length of all samples has to be greater than 0"),
        (lambda: pack_padded_sequence(zeros(4, 2), [1, 2]), RuntimeError, "must be sorted in decreasing order when `enforce_sorted` is True"),
        (lambda: pack_padded_sequence(zeros(4, 2), [5, 2]), RuntimeError, "lengths has 5 but input has 4 steps"),
        (lambda: pack_padded_sequence(zeros(4, 0), []), RuntimeError, "Cannot pack an empty batch"),
        (lambda: pack_padded_sequence(zeros(4), [1]), RuntimeError, r"expected input \(T, N, \*\), got shape \(4,\)"),
        (lambda: pad_packed_sequence(pack_sequence([zeros(3)]), total_length=2), ValueError, "got total_length=2 and max sequence length being 3"),
        (lambda: pad_sequence([]), RuntimeError, "received an empty list of sequences"),
        (lambda: pad_sequence(3), RuntimeError, "Expected iterable for input sequences"),
        (lambda: pad_sequence([zeros(2, 3), zeros(2, 4)]), RuntimeError, r"expected sequences of shape \(L, \*\[3\]\), got one of shape \(2, 4\)"),
        (lambda: pad_sequence([zeros(2)], padding_side="both"), RuntimeError, "one of left or right, but got both"),
        (lambda: PackedSequence(zeros(2)), TypeError, "expected data and batch_sizes"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
