"""Layers: printing, state and results as torch's, values by hand, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import functional as F

from .derivatives import check_two_orders
from .layers import LAYERS


def build(library: Any, call: str) -> Any:
    return eval("nn." + call, {"nn": library})


# --- as torch ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "shapes", "text"), LAYERS, ids=[layer[0] for layer in LAYERS])
def test_repr(call: str, shapes: object, text: str) -> None:
    assert repr(build(nn, call)) == text


@pytest.mark.parametrize(("call", "shapes", "text"), LAYERS, ids=[layer[0] for layer in LAYERS])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch tells of its own workings
def test_parity_with_torch(call: str, shapes: tuple[tuple[int, ...], ...], text: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = build(torch.nn, call).double()
    ours = build(nn, call).double()
    assert repr(theirs) == text
    state = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    assert {name: tuple(t.shape) for name, t in ours.state_dict().items()} == {name: t.shape for name, t in state.items()}
    assert list(ours.state_dict()) == list(state)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    ours.load_state_dict(state)
    random = np.random.default_rng(0)
    for shape in shapes:
        for training in (True, True, False):
            ours.train(training)
            theirs.train(training)
            data = random.standard_normal(shape)
            x, y = torch.tensor(data, requires_grad=True), minigrad.tensor(data, requires_grad=True)
            # a copy first, because a layer may write into its input
            expected, got = theirs(x * 1), ours(y * 1)
            np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
            weight = random.standard_normal(expected.shape)
            expected.backward(torch.tensor(weight))
            got.backward(minigrad.tensor(weight))
            np.testing.assert_allclose(y.grad.numpy(), x.grad.numpy(), rtol=1e-7, atol=1e-8)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if b.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-7, atol=1e-7, err_msg=name)
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_linear_by_hand() -> None:
    layer = nn.Linear(2, 2)
    layer.load_state_dict({"weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "bias": np.array([0.5, -0.5])})
    assert layer(minigrad.tensor([1.0, -1.0])).tolist() == [-0.5, -1.5]


def test_conv2d_of_the_textbook() -> None:
    layer = nn.Conv2d(3, 10, kernel_size=5, stride=1, padding=2)
    assert layer(minigrad.zeros(1, 3, 32, 32)).shape == (1, 10, 32, 32)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 760


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes_by_hand(mode: str) -> None:
    layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode=mode, bias=False)
    layer.load_state_dict({"weight": np.array([[[1.0, 10.0, 100.0]]])})
    first, last = {"zeros": (210, 32), "reflect": (212, 232), "replicate": (211, 332), "circular": (213, 132)}[mode]
    assert layer(minigrad.tensor([[1.0, 2.0, 3.0]])).tolist() == [[first, 321, last]]


def test_conv_transpose_output_size() -> None:
    down = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    up = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)
    for size in ((7, 8), (8, 7)):
        h = down(minigrad.zeros(1, 1, *size))
        assert up(h, output_size=size).shape == (1, 1, *size)
        assert up(h, output_size=(1, 1, *size)).shape == (1, 1, *size)
    with pytest.raises(ValueError, match=r"requested an output size of \[9, 9\], but valid sizes range from \[7, 7\] to \[8, 8\]"):
        up(minigrad.zeros(1, 1, 4, 4), output_size=(9, 9))
    with pytest.raises(ValueError, match="requires output_size to have 2 or 4 elements"):
        up(minigrad.zeros(1, 1, 4, 4), output_size=(8,))


def test_max_pool_and_unpool_go_back_and_forth() -> None:
    x = minigrad.tensor([[[1.0, 2.0, 5.0, 3.0, 4.0]]])
    values, indices = nn.MaxPool1d(2, return_indices=True)(x)
    assert (values.tolist(), indices.tolist()) == ([[[2, 5]]], [[[1, 2]]])
    assert nn.MaxUnpool1d(2)(values, indices, output_size=x.shape).tolist() == [[[0, 2, 5, 0, 0]]]


def test_sum_pool_is_average_pool_times_the_window() -> None:
    x = minigrad.randn(2, 3, 7, 6)
    total, mean = nn.SumPool2d((3, 2), stride=2, padding=1)(x), nn.AvgPool2d((3, 2), stride=2, padding=1)(x)
    np.testing.assert_allclose(total.numpy(), 6 * mean.numpy(), rtol=1e-5, atol=1e-6)
    assert nn.SumPool1d(2)(minigrad.tensor([[1.0, 2.0, 4.0]])).tolist() == [[3.0]]
    assert nn.SumPool3d(2)(minigrad.ones(1, 2, 2, 2)).tolist() == [[[[8.0]]]]
    assert repr(nn.SumPool2d(2)) == "SumPool2d(kernel_size=2, stride=2, padding=0, ceil_mode=False)"


def test_sigmoid_with_a_slope() -> None:
    x = minigrad.tensor([-1.0, 0.5], requires_grad=True)
    y = nn.Sigmoid(slope=3.0)(x)
    y.sum().backward()
    s = 1 / (1 + np.exp(-3 * np.array([-1.0, 0.5])))
    np.testing.assert_allclose(y.detach().numpy(), s, rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), 3 * s * (1 - s), rtol=1e-6)
    assert repr(nn.Sigmoid(slope=3.0)) == "Sigmoid(slope=3.0)"


def test_batch_norm_by_hand() -> None:
    layer = nn.BatchNorm1d(1, momentum=0.5, eps=1e-12)
    layer.load_state_dict({"weight": np.array([2.0]), "bias": np.array([1.0])}, strict=False)
    assert layer(minigrad.tensor([[1.0], [3.0]])).detach().numpy() == pytest.approx(np.array([[-1.0], [3.0]]))
    # mean 2, unbiased variance 2, half of the way from 0 and 1
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([1.0], [1.5])
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    assert layer(minigrad.tensor([[1.0]])).item() == pytest.approx(1)
    assert layer.running_mean.tolist() == [1.0]


def test_batch_norm_without_momentum_averages_all_batches() -> None:
    layer = nn.BatchNorm1d(1, momentum=None)
    for value in (1.0, 2.0, 6.0):
        layer(minigrad.tensor([[value - 1], [value + 1]]))
    assert layer.running_mean.item() == pytest.approx(3.0)
    layer.reset_running_stats()
    assert (layer.running_mean.item(), layer.running_var.item(), layer.num_batches_tracked.item()) == (0, 1, 0)


def test_embedding() -> None:
    table = nn.Embedding(4, 2, padding_idx=0)
    assert table.weight[0].tolist() == [0, 0]
    table(minigrad.tensor([[0, 2], [2, 3]])).sum().backward()
    assert table.weight.grad.tolist() == [[0, 0], [0, 0], [2, 2], [1, 1]]
    frozen = nn.Embedding.from_pretrained(minigrad.tensor([[1.0, 2.0]]))
    assert not frozen.weight.requires_grad
    shared = nn.Embedding(2, 1, scale_grad_by_freq=True)
    (shared(minigrad.tensor([0, 0, 1])) * minigrad.tensor([[1.0], [3.0], [5.0]])).sum().backward()
    assert shared.weight.grad.tolist() == [[2.0], [5.0]]


def test_embedding_bag_by_hand() -> None:
    rows = minigrad.tensor([[1.0], [2.0], [4.0], [8.0]], requires_grad=True)
    places, starts = minigrad.tensor([0, 1, 1, 3]), minigrad.tensor([0, 3, 3])
    for mode, expected in (("sum", [5.0, 0.0, 8.0]), ("mean", [5 / 3, 0.0, 8.0]), ("max", [2.0, 0.0, 8.0])):
        bags = F.embedding_bag(places, rows, starts, mode=mode)
        np.testing.assert_allclose(bags.detach().numpy()[:, 0], expected, rtol=1e-6)
    # places behind the last offset are in no bag
    assert F.embedding_bag(places, rows, minigrad.tensor([0, 2]), include_last_offset=True).tolist() == [[1.5]]
    assert F.embedding_bag(minigrad.zeros(2, 0).long(), rows).tolist() == [[0.0], [0.0]]
    # each row's gradient is divided by how often the row is used (torch divides by another row's number here)
    F.embedding_bag(minigrad.tensor([[0, 1, 1], [1, 2, 3]]), rows, mode="sum", scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(rows.grad.numpy(), 1, rtol=1e-6)
    frozen = nn.EmbeddingBag.from_pretrained(minigrad.tensor([[1.0, 2.0]]))
    assert not frozen.weight.requires_grad
    assert nn.EmbeddingBag(4, 2, padding_idx=-4).weight[0].tolist() == [0, 0]


def test_embedding_shrinks_rows_that_are_used() -> None:
    table = nn.Embedding(2, 2, max_norm=1.0)
    table.load_state_dict({"weight": np.array([[3.0, 4.0], [30.0, 40.0]])})
    table(minigrad.tensor([0, 0]))
    np.testing.assert_allclose(table.weight.tolist(), [[0.6, 0.8], [30.0, 40.0]], rtol=1e-5)


@pytest.mark.parametrize("most", [float("inf"), float("nan"), 6.0])
def test_embedding_leaves_rows_that_are_short_enough(most: float) -> None:
    table = minigrad.tensor([[3.0, 4.0], [0.0, 0.0]])
    F.embedding(minigrad.tensor([0, 1]), table, max_norm=most)
    assert table.tolist() == [[3.0, 4.0], [0.0, 0.0]]


# --- dropout: properties ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"])
def test_dropout_keeps_the_mean_and_does_nothing_in_evaluation(kind: str) -> None:
    minigrad.manual_seed(1)
    axes = {"Dropout1d": 3, "Dropout3d": 5}.get(kind, 4)
    x = minigrad.randn(100, 100, *[2] * (axes - 2)) + (0 if "Alpha" in kind else 5)
    layer = getattr(nn, kind)(0.3)
    y = layer(x)
    assert y.numpy().mean() == pytest.approx(x.numpy().mean(), abs=0.1)
    assert np.mean(y.numpy() != x.numpy()) > 0.99
    if "Alpha" in kind:
        assert y.numpy().std() == pytest.approx(1, abs=0.1)
    else:
        dropped = y.numpy() == 0
        assert dropped.mean() == pytest.approx(0.3, abs=0.02)
        np.testing.assert_allclose(y.numpy()[~dropped], x.numpy()[~dropped] / 0.7, rtol=1e-5)
        if kind != "Dropout":
            planes = dropped.reshape(100, 100, -1)
            assert (planes.all(-1) == planes.any(-1)).all()
    assert layer.eval()(x) is x


def test_dropout_masks_the_gradient_in_the_same_places() -> None:
    for inplace in (False, True):
        x = minigrad.ones(50, requires_grad=True)
        y = nn.Dropout(0.5, inplace=inplace)(x * 1)
        y.sum().backward()
        assert x.grad.tolist() == y.tolist()
        assert set(y.tolist()) == {0.0, 2.0}


def test_dropout_of_everything() -> None:
    assert F.dropout(minigrad.ones(3), 1.0).tolist() == [0, 0, 0]
    assert F.alpha_dropout(minigrad.ones(3), 1.0, training=True).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"dropout probability has to be between 0 and 1, but got 1\.5"):
        nn.Dropout(1.5)
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got -1"):
        F.dropout(minigrad.ones(3), -1)


def test_dropout_is_repeatable() -> None:
    draws = []
    for seed in (3, 3, 4):
        minigrad.manual_seed(seed)
        draws.append(F.dropout(minigrad.ones(64)).tolist())
    assert draws[0] == draws[1] != draws[2]


def test_rrelu_draws_slopes_in_training_and_takes_their_mean_otherwise() -> None:
    layer = nn.RReLU(0.1, 0.3)
    x = -minigrad.ones(1000)
    slopes = -layer(x).numpy()
    assert 0.1 <= slopes.min() < 0.11
    assert 0.29 < slopes.max() <= 0.3
    assert layer.eval()(x)[0].item() == pytest.approx(-0.2)


def test_gumbel_softmax_draws_with_the_probabilities_of_softmax() -> None:
    minigrad.manual_seed(0)
    logits = minigrad.tensor([0.1, 0.7, 0.2]).log().expand(20000, 3).contiguous().requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    np.testing.assert_allclose(hard.detach().numpy().mean(0), [0.1, 0.7, 0.2], atol=0.02)
    assert set(np.unique(hard.detach().numpy().round(6))) == {0.0, 1.0}
    (hard * minigrad.randn(3)).sum().backward()
    assert logits.grad.abs().sum() > 0
    soft = F.gumbel_softmax(logits.detach(), tau=0.5)
    np.testing.assert_allclose(soft.numpy().sum(-1), 1, rtol=1e-5)


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), ((3, 2, 2), (2,), (2,))),
        (lambda x, w, b: F.layer_norm(x, (3,), w, b), ((2, 3), (3,), (3,))),
        (lambda x, w, b: F.group_norm(x, 2, w, b), ((1, 4, 2), (4,), (4,))),
        (lambda x: F.instance_norm(x), ((2, 2, 3),)),
        (lambda x, w: F.rms_norm(x, (3,), w), ((2, 3), (3,))),
        (lambda x: F.local_response_norm(x, 3, alpha=0.5), ((1, 4, 2),)),
        (lambda x: F.normalize(x), ((2, 3),)),
        (lambda x, w, b: F.linear(x, w, b), ((2, 3), (2, 3), (2,))),
        (lambda x: F.gelu(x), ((4,),)),
        (lambda x: F.mish(x), ((4,),)),
        (lambda x: F.silu(x * 1, inplace=True), ((4,),)),
        (lambda x: F.elu(x, 0.7), ((4,),)),
        (lambda x, w: F.prelu(x, w), ((2, 3), (3,))),
        (lambda x: F.glu(x), ((2, 4),)),
        (lambda x, y: F.cosine_similarity(x, y), ((2, 3), (2, 3))),
        (lambda w: F.embedding(minigrad.tensor([1, 0, 1]), w), ((2, 2),)),
        (lambda x, y, w, b: F.bilinear(x, y, w, b), ((2, 3), (2, 2), (2, 3, 2), (2,))),
        (lambda w, f: F.embedding_bag(minigrad.tensor([[1, 0], [1, 1]]), w, mode="sum", per_sample_weights=f), ((2, 2), (2, 2))),
        (lambda w: F.embedding_bag(minigrad.tensor([1, 0, 1]), w, minigrad.tensor([0, 2])), ((2, 2),)),
        (lambda w: F.embedding_bag(minigrad.tensor([1, 0, 1]), w, minigrad.tensor([0, 2]), mode="max"), ((2, 2),)),
        (lambda x: F.pdist(x), ((4, 3),)),
        (lambda x: F.pdist(x, 3.0), ((4, 3),)),
    ],
)
def test_two_orders_of_derivatives(function, shapes: tuple[tuple[int, ...], ...]) -> None:
    random = np.random.default_rng(3)
    check_two_orders(function, *(random.standard_normal(shape) for shape in shapes))


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(-1, 2), ValueError, "in_features and out_features must not be negative"),
        (lambda: nn.Linear(4, 2)(minigrad.zeros(1, 3)), RuntimeError,
         r"linear: input has 3 features but weight expects 4: weight shape \(2, 4\), input shape \(1, 3\)"),
        (lambda: F.linear(minigrad.zeros(1, 3), minigrad.zeros(2, 3), minigrad.zeros(4)), RuntimeError, r"linear: bias has shape \(4,\)"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible by groups, got in_channels=3 and groups=2"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, "out_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, "groups must be a positive integer, got 0"),
        (lambda: nn.Conv2d(1, 1, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (lambda: nn.Conv2d(1, 1, 3, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda: nn.Conv2d(1, 1, 2.5), TypeError, "kernel_size"),
        (lambda: nn.Conv2d(1, 1, (3, 3, 3)), RuntimeError, "kernel_size"),
        (lambda: nn.Conv2d(1, 1, 3, padding="full"), ValueError, "invalid padding string 'full', should be one of 'same', 'valid'"),
        (lambda: nn.Conv2d(1, 1, 3, padding="same", stride=2), ValueError, "padding='same' is not supported for strided"),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="mirror"), ValueError, "padding_mode must be one of"),
        (lambda: nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect"), ValueError, 'Only "zeros" padding mode'),
        (lambda: nn.ConvTranspose2d(1, 1, 3, padding="same"), TypeError, "padding must be a number"),
        (lambda: nn.BatchNorm2d(3)(minigrad.zeros(2, 3)), ValueError, r"BatchNorm2d: expected 4D input \(got 2D input\), shape \(2, 3\)"),
        (lambda: nn.BatchNorm1d(3)(minigrad.zeros(1, 3)), ValueError, r"Expected more than 1 value per channel when training, got input size \(1, 3\)"),
        (lambda: nn.BatchNorm1d(3)(minigrad.zeros(2, 4)), RuntimeError, "running_mean should contain 4 elements not 3"),
        (lambda: F.batch_norm(minigrad.zeros(2, 3), None, None), RuntimeError, "Expected running_mean and running_var to be defined"),
        (lambda: nn.InstanceNorm1d(3)(minigrad.zeros(2, 3, 1)), ValueError, "Expected more than 1 spatial element"),
        (lambda: nn.InstanceNorm2d(3, affine=True)(minigrad.zeros(2, 4, 5, 5)), ValueError, r"match num_features \(3\), but got: 4"),
        (lambda: nn.LayerNorm(3)(minigrad.zeros(2, 4)), RuntimeError, r"Given normalized_shape=\[3\], expected input with shape \[\*, 3\]"),
        (lambda: nn.GroupNorm(3, 4), ValueError, r"num_channels \(4\) must be divisible by num_groups \(3\)"),
        (lambda: F.group_norm(minigrad.zeros(2, 4, 3), 3), RuntimeError, "divisible by num_groups"),
        (lambda: nn.LocalResponseNorm(2)(minigrad.zeros(2, 4)), ValueError, "Expected 3D or higher"),
        (lambda: nn.ReflectionPad2d((1, 2)), ValueError, "padding must be one integer or 4"),
        (lambda: nn.ReflectionPad1d(1)(minigrad.zeros(2, 2, 2, 2)), ValueError, "expected 2D or 3D input"),
        (lambda: nn.Hardtanh(1, -1), ValueError, "max_val must be larger than min_val"),
        (lambda: nn.Softmax2d()(minigrad.zeros(2, 2)), ValueError, "expected input to be 3D or 4D, got 2D"),
        (lambda: nn.PReLU(3)(minigrad.zeros(2, 4)), RuntimeError, "Found parameter numbers = 3 and channel size = 4"),
        (lambda: nn.GLU()(minigrad.zeros(2, 3)), RuntimeError, "Halving dimension must be even, but dimension -1 is size 3"),
        (lambda: nn.Softshrink(-1)(minigrad.zeros(2)), RuntimeError, "lambda must be greater or equal to 0"),
        (lambda: nn.RReLU(0.5, 0.1)(minigrad.zeros(2)), RuntimeError, "Lower bound should be less than or equal"),
        (lambda: nn.CELU(0)(minigrad.zeros(2)), RuntimeError, "alpha cannot be 0"),
        (lambda: nn.GELU("fast")(minigrad.zeros(2)), RuntimeError, "must be either 'none' or 'tanh', got 'fast'"),
        (lambda: nn.Unflatten("x", (1, 2)), TypeError, "dim must be an int"),
        (lambda: nn.Unflatten(1, 3), TypeError, "unflattened_size must be a tuple of ints"),
        (lambda: nn.Embedding(3, 2)(minigrad.tensor([3])), IndexError, "weight has 3 rows, input has values from 3 to 3"),
        (lambda: nn.Embedding(3, 2)(minigrad.tensor([-1])), IndexError, "index out of range"),
        (lambda: nn.Embedding(3, 2)(minigrad.tensor([0.0])), RuntimeError, "input must hold row numbers"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "must be within num_embeddings"),
        (lambda: nn.Embedding(3, 2, sparse=True), ValueError, "sparse=True is not supported"),
        (lambda: nn.Bilinear(0, 2, 2), ValueError, "in1_features must be > 0, but got 0"),
        (lambda: F.bilinear(minigrad.zeros(2, 3), minigrad.zeros(1, 4), minigrad.zeros(2, 3, 4)), RuntimeError, "input batch dimensions do not match"),
        (lambda: F.bilinear(minigrad.zeros(2, 3), minigrad.zeros(2, 4), minigrad.zeros(2, 4, 4)), RuntimeError,
         "input1 size does not match weight size: got 3 but expected 4"),
        (lambda: F.bilinear(minigrad.zeros(2, 3), minigrad.zeros(2, 4), minigrad.zeros(2, 3, 3)), RuntimeError, "input2 size does not match"),
        (lambda: F.bilinear(minigrad.zeros(2, 3), minigrad.zeros(2, 4), minigrad.zeros(3, 4)), RuntimeError, "weight must have shape"),
        (lambda: F.bilinear(minigrad.zeros(2, 3), minigrad.zeros(2, 4), minigrad.zeros(2, 3, 4), minigrad.zeros(3)), RuntimeError, "bias size does not match"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2)), ValueError, "offsets has to be a 1D Tensor"),
        (lambda: F.embedding_bag(minigrad.tensor([[0]]), minigrad.zeros(2, 2), minigrad.tensor([0])), ValueError, "offsets has to be None"),
        (lambda: F.embedding_bag(minigrad.tensor([[[0]]]), minigrad.zeros(2, 2)), ValueError, "input has to be 1D or 2D Tensor"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2), minigrad.tensor([0])), ValueError, "weight has to be a 2D Tensor"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([1])), RuntimeError, r"offsets\[0\] has to be 0"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0, 2])), RuntimeError, "greater than input's length 1"),
        (lambda: F.embedding_bag(minigrad.tensor([0, 1]), minigrad.zeros(2, 2), minigrad.tensor([0, 2, 1])), RuntimeError, "offsets must not decrease"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0.0])), RuntimeError, "offsets must be integers"),
        (lambda: F.embedding_bag(minigrad.tensor([2]), minigrad.zeros(2, 2), minigrad.tensor([0])), IndexError, "weight has 2 rows"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0]), mode="min"), ValueError, "one of sum, mean or max, got 'min'"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0]), padding_idx=2), RuntimeError, "-2 through 1, but got 2"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0]), per_sample_weights=minigrad.zeros(1)),
         NotImplementedError, "only supported for mode='sum'"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0]), mode="sum", per_sample_weights=minigrad.zeros(2)),
         ValueError, "same shape as the input"),
        (lambda: F.embedding_bag(minigrad.tensor([0]), minigrad.zeros(2, 2), minigrad.tensor([0]), mode="max", scale_grad_by_freq=True), ValueError, "max mode"),
        (lambda: nn.EmbeddingBag(3, 2, padding_idx=3), ValueError, "must be within num_embeddings"),
        (lambda: nn.EmbeddingBag(3, 2, sparse=True), ValueError, "sparse=True is not supported"),
        (lambda: F.pdist(minigrad.zeros(3)), RuntimeError, r"only supports 2D tensors of floats, got float32 of shape \(3,\)"),
        (lambda: F.pdist(minigrad.zeros(3, 2), -1), RuntimeError, "non-negative p values, got -1"),
        (lambda: F.one_hot(minigrad.tensor([3]), 3), RuntimeError, "class values must be smaller than num_classes=3, got 3"),
        (lambda: F.one_hot(minigrad.tensor([-1])), RuntimeError, "must be non-negative, got -1"),
        (lambda: F.one_hot(minigrad.tensor([1.0])), RuntimeError, "only applicable to index tensor"),
        (lambda: F.dropout1d(minigrad.zeros(3)), RuntimeError, "Expected 2D or 3D input, but received a 1D input"),
        (lambda: F.hardtanh(minigrad.zeros(3), 1, -1), ValueError, "min_val cannot be greater than max_val"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_warnings() -> None:
    with pytest.warns(FutureWarning, match="max_value=.* is deprecated since 0.1 and goes in 1.0; use min_val= and max_val="):
        assert repr(nn.Hardtanh(min_value=-0.5, max_value=2)) == "Hardtanh(min_val=-0.5, max_val=2)"
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        assert F.softmax(minigrad.zeros(2, 2)).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    with pytest.warns(UserWarning, match="size at dim=1 does not match num_features"):
        nn.InstanceNorm1d(3)(minigrad.zeros(2, 4, 5))
    with pytest.warns(UserWarning, match="3D input"):
        F.dropout2d(minigrad.zeros(2, 3, 4))


def test_dropout_in_place_is_dropout() -> None:
    x = minigrad.randn(5, 10, requires_grad=True)
    found = []
    for inplace in (False, True):
        minigrad.manual_seed(3)
        y = x * 2
        out = nn.functional.dropout(y, 0.4, inplace=inplace)
        assert (out is y) == inplace
        assert 0 < (out == 0).sum() < out.numel()
        found.append((out.tolist(), minigrad.autograd.grad(out.sum(), x)[0].tolist()))
    assert found[0] == found[1]
