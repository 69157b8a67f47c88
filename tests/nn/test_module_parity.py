"""Modules of several inputs and outputs: everything that torch says of them, from one list; second derivatives too, where torch has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.engine import grad

from .derivatives import torch_or_skip

Array = np.ndarray[Any, Any]


class Draws:
    """Arrays for the inputs of a module, and what a library makes of them."""

    def __init__(self, library: Any, dtype: str) -> None:
        self.library = library
        self.dtype = dtype
        self.random = np.random.default_rng(7)
        self.differentiable: list[Any] = []

    def normal(self, *shape: int) -> Any:
        x = self.library.tensor(self.random.standard_normal(shape).astype(self.dtype), requires_grad=True)
        self.differentiable.append(x)
        return x

    def log_softmax(self, *shape: int) -> Any:
        return self.normal(*shape).log_softmax(-1)

    def integers(self, low: int, high: int, *shape: int) -> Any:
        return self.library.tensor(self.random.integers(low, high, shape))

    def fixed(self, values: Any) -> Any:
        return self.library.tensor(np.array(values))

    def mask(self, *shape: int) -> Any:
        hidden = self.random.random(shape) < 0.3
        hidden[..., 0] = False  # each query sees a key
        return self.library.tensor(hidden)

    def packed(self, *lengths: int, width: int = 3, sorted: bool = True) -> Any:
        sequences = [self.normal(length, width) for length in lengths]
        return self.library.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=sorted)


Inputs = Callable[[Draws], tuple[Any, ...]]
RECURRENT = [
    "RNN(3, 4)", "RNN(3, 4, nonlinearity='relu', bias=False)", "RNN(3, 4, 2, 'relu', True, bidirectional=True)",
    "GRU(3, 4)", "GRU(3, 4, 2, bidirectional=True)", "GRU(3, 4, bias=False)",
    "LSTM(3, 4)", "LSTM(3, 4, 2, bidirectional=True)", "LSTM(3, 4, num_layers=2, bias=False, proj_size=2)",
    "LSTM(3, 4, proj_size=2, bidirectional=True)",
]  # fmt: skip
MODULES: list[tuple[str, list[Inputs]]] = [
    ("Bilinear(3, 4, 2)", [lambda d: (d.normal(5, 3), d.normal(5, 4)), lambda d: (d.normal(3), d.normal(4))]),
    ("Bilinear(3, 4, 2, bias=False)", [lambda d: (d.normal(2, 5, 3), d.normal(2, 5, 4)), lambda d: (d.normal(0, 3), d.normal(0, 4))]),
    *[
        (f"{name}Cell(3, 4{options})", [
            lambda d: (d.normal(5, 3),), lambda d: (d.normal(3),), lambda d: (d.normal(5, 3), d.normal(5, 4)), lambda d: (d.normal(3), d.normal(4)),
        ])
        for name, options in (("RNN", ""), ("RNN", ", nonlinearity='relu'"), ("RNN", ", False"), ("GRU", ""), ("GRU", ", bias=False"))
    ],
    *[
        (call, [lambda d: (d.normal(5, 3),), lambda d: (d.normal(5, 3), (d.normal(5, 4), d.normal(5, 4))), lambda d: (d.normal(3), (d.normal(4), d.normal(4)))])
        for call in ("LSTMCell(3, 4)", "LSTMCell(3, 4, bias=False)")
    ],
    *[
        (call, [
            lambda d: (d.normal(5, 2, 3),), lambda d: (d.normal(1, 1, 3),), lambda d: (d.normal(5, 3),),
            lambda d: (d.packed(5, 3, 3, 1),), lambda d: (d.packed(2, 5, 3, sorted=False),),
        ])
        for call in RECURRENT
    ],
    ("RNN(3, 4, batch_first=True)", [lambda d: (d.normal(2, 5, 3),), lambda d: (d.normal(2, 5, 3), d.normal(1, 2, 4)), lambda d: (d.normal(5, 3), d.normal(1, 4))]),
    ("GRU(3, 4, 2, batch_first=True)", [lambda d: (d.normal(2, 5, 3), d.normal(2, 2, 4)), lambda d: (d.packed(2, 3, sorted=False), d.normal(2, 2, 4))]),
    ("GRU(3, 4, bidirectional=True)", [lambda d: (d.packed(2, 4, 1, sorted=False), d.normal(2, 3, 4))]),
    ("LSTM(3, 4, batch_first=True, bidirectional=True)", [
        lambda d: (d.normal(2, 5, 3), (d.normal(2, 2, 4), d.normal(2, 2, 4))), lambda d: (d.packed(2, 2, 1), (d.normal(2, 3, 4), d.normal(2, 3, 4))),
    ]),
    ("LSTM(3, 4, proj_size=2)", [lambda d: (d.normal(5, 2, 3), (d.normal(1, 2, 2), d.normal(1, 2, 4)))]),
    ("EmbeddingBag(5, 3)", [lambda d: (d.integers(0, 5, 2, 4),), lambda d: (d.integers(0, 5, 6), d.fixed([0, 2, 2]))]),
    ("EmbeddingBag(5, 3, mode='sum', padding_idx=1, include_last_offset=True)", [
        lambda d: (d.integers(0, 5, 6), d.fixed([0, 2, 6])), lambda d: (d.integers(0, 5, 2, 4), None, d.normal(2, 4)),
        lambda d: (d.integers(0, 5, 6), d.fixed([0, 0, 6]), d.normal(6)),
    ]),
    ("EmbeddingBag(5, 3, mode='max', padding_idx=-2)", [
        lambda d: (d.integers(0, 5, 2, 4),), lambda d: (d.integers(0, 5, 6), d.fixed([0, 2, 2, 6])), lambda d: (d.fixed([3, 3]), d.fixed([0])),
    ]),
    ("EmbeddingBag(5, 3, mode='sum', max_norm=1.0, norm_type=1.0)", [lambda d: (d.fixed([[0, 1, 1], [1, 2, 4]]),)]),
    ("MultiheadAttention(4, 2)", [
        lambda d: (x := d.normal(3, 2, 4), x, x),
        lambda d: (d.normal(3, 2, 4), x := d.normal(5, 2, 4), x),
        lambda d: (d.normal(3, 4), d.normal(5, 4), d.normal(5, 4)),
        lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 4), d.normal(5, 2, 4), d.mask(2, 5), False),
        lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 4), d.normal(5, 2, 4), d.mask(2, 5), True, d.mask(3, 5), False),
        lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 4), d.normal(5, 2, 4), None, True, d.normal(4, 3, 5)),
        lambda d: (d.normal(3, 4), d.normal(5, 4), d.normal(5, 4), d.mask(5), True, d.mask(2, 3, 5)),
        lambda d: (x := d.normal(3, 2, 4), x, x, None, True, d.fixed(np.triu(np.ones((3, 3), bool), 1)), True, True),
    ]),
    ("MultiheadAttention(4, 2, bias=False, add_bias_kv=True, add_zero_attn=True, batch_first=True)", [
        lambda d: (d.normal(2, 3, 4), d.normal(2, 5, 4), d.normal(2, 5, 4), d.mask(2, 5), True, d.mask(3, 5)), lambda d: (x := d.normal(2, 3, 4), x, x),
    ]),
    ("MultiheadAttention(4, 1, kdim=3, vdim=5, add_bias_kv=True)", [lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 3), d.normal(5, 2, 5))]),
    *[
        (f"{name}(reduction={reduction!r}{options})", inputs)
        for reduction in ("mean", "sum", "none")
        for name, options, inputs in (
            ("MultiMarginLoss", "", [lambda d: (d.normal(5, 4), d.integers(0, 4, 5)), lambda d: (d.normal(4), d.integers(0, 4))]),
            ("MultiMarginLoss", ", p=2, margin=0.5", [lambda d: (d.normal(5, 4), d.integers(0, 4, 5)), lambda d: (d.normal(4), d.integers(0, 4, 1))]),
            ("MultiLabelMarginLoss", "", [
                lambda d: (d.normal(2, 4), d.fixed([[3, 0, -1, 1], [-1, 2, 2, 2]])), lambda d: (d.normal(4), d.fixed([0, 0, 2, 1])), lambda d: (d.normal(), d.fixed(0)),
            ]),
            ("MultiLabelSoftMarginLoss", "", [lambda d: (d.normal(5, 4), d.integers(0, 2, 5, 4)), lambda d: (d.normal(4), d.integers(0, 2, 4))]),
            ("TripletMarginWithDistanceLoss", ", swap=True", [lambda d: (d.normal(5, 4), d.normal(5, 4), d.normal(5, 4))]),
            ("CTCLoss", "", [
                lambda d: (d.log_softmax(6, 2, 4), d.fixed([[1, 2, 3], [3, 3, 1]]), (6, 5), (3, 2)),
                lambda d: (d.log_softmax(6, 2, 4), d.fixed([1, 2, 3, 3]), d.fixed([6, 4]), d.fixed([1, 3])),
                lambda d: (d.log_softmax(6, 4), d.fixed([2, 2]), d.fixed(6), d.fixed(2)),
                lambda d: (d.log_softmax(4, 2, 3), d.fixed([[1], [2]]), (4, 0), (0, 0)),
            ]),
            ("CTCLoss", ", blank=2, zero_infinity=True", [
                lambda d: (d.log_softmax(6, 3, 4), d.fixed([[1, 1, 3], [3, 0, 1], [0, 0, 0]]), (4, 6, 4), (3, 3, 3)),
            ]),
        )
    ],
    *[
        (f"Transformer{kind}Layer(4, 2, 8, 0.0{options})", inputs)
        for options in ("", ", 'gelu', norm_first=True", ", bias=False, layer_norm_eps=0.01")
        for kind, inputs in (
            ("Encoder", [lambda d: (d.normal(3, 2, 4),), lambda d: (d.normal(3, 4), d.mask(3, 3)), lambda d: (d.normal(3, 2, 4), None, d.mask(2, 3))]),
            ("Decoder", [
                lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 4)), lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 4), d.mask(3, 3), d.mask(3, 5), d.mask(2, 3), d.mask(2, 5)),
            ]),
        )
    ],
    ("TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), 2, nn.LayerNorm(4))", [
        lambda d: (d.normal(2, 3, 4),), lambda d: (d.normal(2, 3, 4), d.mask(3, 3)),
    ]),
    ("TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, 0.0), 2)", [lambda d: (d.normal(3, 2, 4), d.normal(5, 2, 4), d.mask(3, 3))]),
    ("Transformer(4, 2, 1, 2, 8, 0.0)", [lambda d: (d.normal(5, 2, 4), d.normal(3, 2, 4)), lambda d: (d.normal(5, 4), d.normal(3, 4), d.mask(5, 5), d.mask(3, 3))]),
    ("Transformer(4, 2, 1, 1, 8, 0.0, batch_first=True, norm_first=True)", [lambda d: (d.normal(2, 5, 4), d.normal(2, 3, 4))]),
]  # fmt: skip


def flat(outputs: Any) -> Iterator[Any]:
    """The tensors in nested tuples, packed sequences among them."""
    if isinstance(outputs, tuple):
        for one in outputs:
            yield from flat(one)
    elif outputs is not None:
        yield outputs


def build(library: Any, call: str) -> Any:
    return eval("nn." + call, {"nn": library.nn})


@pytest.mark.filterwarnings(
    "ignore:LSTM with projections is not supported with oneDNN",
    "ignore:enable_nested_tensor is True, but self.use_nested_tensor is False",
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("call", "inputs"), MODULES, ids=[call for call, _ in MODULES])
def test_parity_with_torch(call: str, inputs: list[Inputs], dtype: str) -> None:
    torch = torch_or_skip()
    rtol, atol = (1e-9, 1e-11) if dtype == "float64" else (2e-4, 2e-5)
    theirs = build(torch, call).to(getattr(torch, dtype))
    ours = build(minigrad, call).to(np.dtype(dtype))
    assert repr(ours) == repr(theirs)
    state = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    assert {name: tuple(t.shape) for name, t in ours.state_dict().items()} == {
        name: t.shape for name, t in state.items()
    }
    assert list(ours.state_dict()) == list(state)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    ours.load_state_dict(state)

    def compare(what: str, got: Any, expected: Any, tolerance: float = 1) -> None:
        for a, b in zip(got, expected, strict=True):
            assert (str(a.dtype), tuple(a.shape)) == (str(b.dtype).removeprefix("torch."), tuple(b.shape)), what
            np.testing.assert_allclose(
                a.detach().numpy(), b.detach().numpy(force=True), tolerance * rtol, tolerance * atol, err_msg=what
            )

    for draw in inputs:
        for training in (True, False):
            draws, their_draws = Draws(minigrad, dtype), Draws(torch, dtype)
            outputs = [*flat(ours.train(training)(*draw(draws)))]
            expected = [*flat(theirs.train(training)(*draw(their_draws)))]
            compare("outputs", outputs, expected)
            xs = [*draws.differentiable, *ours.parameters()]
            ys = [*their_draws.differentiable, *theirs.parameters()]
            roots = [out for out in outputs if out.requires_grad]
            their_roots = [out for out in expected if out.requires_grad]
            starts = [draws.random.standard_normal(tuple(out.shape)).astype(dtype) for out in roots]
            first = grad(
                roots,
                xs,
                [minigrad.tensor(s) for s in starts],
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            options = {"allow_unused": True, "materialize_grads": True}
            their_starts = [torch.tensor(s) for s in starts]
            their_first = torch.autograd.grad(their_roots, ys, their_starts, create_graph=True, **options)
            compare("gradients", first, their_first, 10)
            try:
                again = [torch.ones_like(g) * (i + 1) for i, g in enumerate(their_first) if g.requires_grad]
                their_second = torch.autograd.grad([g for g in their_first if g.requires_grad], ys, again, **options)
            except RuntimeError:  # torch has no second derivative
                continue
            parts = [first[j].sum() for j, g in enumerate(their_first) if g.requires_grad]
            total: Any = sum(((i + 1) * part for i, part in enumerate(parts)), minigrad.zeros(()))
            if total.requires_grad:
                compare(
                    "second derivatives", grad(total, xs, allow_unused=True, materialize_grads=True), their_second, 100
                )
            else:
                assert all(not g.any() for g in their_second)
