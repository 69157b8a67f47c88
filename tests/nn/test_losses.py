"""Losses: values by hand, torch's results and gradients, stability, derivatives of second order, and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import functional as F

from .derivatives import check_two_orders

REDUCTIONS = ["none", "mean", "sum"]


def draw(kind: str, *shape: int) -> np.ndarray:
    """Arrays of a kind, the same for the same arguments."""
    random = np.random.default_rng([*map(ord, kind), *shape])
    if kind.startswith("class"):
        return random.integers(0, int(kind[5:]), shape)
    if kind == "sign":
        return np.where(random.random(shape) < 0.5, -1, 1)
    if kind == "probability":
        return random.random(shape)
    if kind == "positive":
        return random.random(shape) + 0.1
    return random.standard_normal(shape)


# name, options of the module, draws of its inputs
CASES: list[tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("MSELoss", {}, [("a", 3, 4), ("b", 3, 4)]),
    ("L1Loss", {}, [("a", 3, 4), ("b", 3, 4)]),
    ("SmoothL1Loss", {"beta": 0.7}, [("a", 3, 4), ("b", 3, 4)]),
    ("SmoothL1Loss", {"beta": 0.0}, [("a", 3, 4), ("b", 3, 4)]),
    ("HuberLoss", {"delta": 0.7}, [("a", 3, 4), ("b", 3, 4)]),
    ("PoissonNLLLoss", {}, [("a", 3, 4), ("positive", 3, 4)]),
    ("PoissonNLLLoss", {"log_input": False, "full": True}, [("positive", 3, 4), ("positive", 3, 4)]),
    ("GaussianNLLLoss", {"full": True}, [("a", 3, 4), ("b", 3, 4), ("positive", 3, 4)]),
    ("GaussianNLLLoss", {}, [("a", 3, 4), ("b", 3, 4), ("positive", 3, 1)]),
    ("GaussianNLLLoss", {}, [("a", 3, 4), ("b", 3, 4), ("positive", 3)]),
    ("NLLLoss", {}, [("a", 3, 4), ("class4", 3)]),
    ("NLLLoss", {"weight": ("positive", 4), "ignore_index": 1}, [("a", 3, 4, 5), ("class4", 3, 5)]),
    ("NLLLoss", {}, [("a", 4), ("class4",)]),
    ("CrossEntropyLoss", {}, [("a", 3, 4), ("class4", 3)]),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, [("a", 3, 4), ("class4", 3)]),
    ("CrossEntropyLoss", {"weight": ("positive", 4), "ignore_index": 2, "label_smoothing": 0.1}, [("a", 3, 4, 5, 2), ("class4", 3, 5, 2)]),
    ("CrossEntropyLoss", {"weight": ("positive", 4)}, [("a", 4), ("class4",)]),
    ("CrossEntropyLoss", {}, [("a", 3, 4), ("probability", 3, 4)]),
    ("CrossEntropyLoss", {"weight": ("positive", 4), "label_smoothing": 0.1}, [("a", 3, 4, 2), ("probability", 3, 4, 2)]),
    ("BCELoss", {}, [("probability", 3, 4), ("class2", 3, 4)]),
    ("BCELoss", {"weight": ("positive", 4)}, [("probability", 3, 4), ("class2", 3, 4)]),
    ("BCEWithLogitsLoss", {}, [("a", 3, 4), ("probability", 3, 4)]),
    ("BCEWithLogitsLoss", {"weight": ("positive", 4), "pos_weight": ("positive", 3, 1)}, [("a", 3, 4), ("probability", 3, 4)]),
    ("KLDivLoss", {}, [("a", 3, 4), ("probability", 3, 4)]),
    ("KLDivLoss", {"log_target": True}, [("a", 3, 4), ("b", 3, 4)]),
    ("SoftMarginLoss", {}, [("a", 3, 4), ("sign", 3, 4)]),
    ("HingeEmbeddingLoss", {"margin": 0.5}, [("a", 3, 4), ("sign", 3, 4)]),
    ("MarginRankingLoss", {"margin": 0.3}, [("a", 5), ("b", 5), ("sign", 5)]),
    ("CosineEmbeddingLoss", {"margin": 0.1}, [("a", 5, 3), ("b", 5, 3), ("sign", 5)]),
    ("CosineEmbeddingLoss", {}, [("a", 3), ("b", 3), ("sign",)]),
    ("TripletMarginLoss", {}, [("a", 5, 3), ("b", 5, 3), ("c", 5, 3)]),
    ("TripletMarginLoss", {"margin": 2.0, "p": 1.0, "swap": True}, [("a", 5, 3), ("b", 5, 3), ("c", 5, 3)]),
]
IDS = [f"{name}-{','.join(options) or 'plain'}-{len(draws[0]) - 1}d" for name, options, draws in CASES]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "options", "draws"), CASES, ids=IDS)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides", "ignore:kl_div. reduction='mean' divides")
def test_parity_with_torch(name: str, options: dict[str, Any], draws: list[tuple[Any, ...]], reduction: str) -> None:
    torch = pytest.importorskip("torch")
    arrays = [draw(*one) for one in draws]
    if name == "BCELoss" and arrays[1].dtype.kind == "i":
        arrays[1] = arrays[1].astype(float)

    def run(library: Any, make: Any) -> tuple[Any, Any, list[Any]]:
        built = {key: make(draw(*value)) if isinstance(value, tuple) else value for key, value in options.items()}
        tensors = [make(array) for array in arrays]
        tensors[0].requires_grad_()
        loss = getattr(library, name)(reduction=reduction, **built)
        return loss, loss(*tensors), tensors

    loss, got, tensors = run(nn, minigrad.tensor)
    _, expected, theirs = run(torch.nn, torch.tensor)
    assert tuple(got.shape) == tuple(expected.shape)
    np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    weight = draw("weight", *expected.shape)
    got.backward(minigrad.tensor(weight))
    expected.backward(torch.tensor(weight))
    np.testing.assert_allclose(tensors[0].grad.numpy(), theirs[0].grad.numpy(), rtol=1e-9, atol=1e-12)
    if "weight" in options:
        assert "weight" in loss.state_dict()


@pytest.mark.parametrize(("name", "options", "draws"), CASES, ids=IDS)
@pytest.mark.filterwarnings("ignore:kl_div. reduction='mean' divides")
def test_reductions_agree(name: str, options: dict[str, Any], draws: list[tuple[Any, ...]]) -> None:
    built = {key: minigrad.tensor(draw(*value)) if isinstance(value, tuple) else value for key, value in options.items()}
    arrays = [draw(*one) for one in draws]
    if name == "BCELoss":
        arrays[1] = arrays[1].astype(arrays[0].dtype)
    tensors = [minigrad.tensor(array) for array in arrays]
    each, mean, total = (getattr(nn, name)(reduction=reduction, **built)(*tensors) for reduction in REDUCTIONS)
    assert total.item() == pytest.approx(each.sum().item())
    if "weight" not in options or name.startswith("BCE"):
        counted = np.prod(each.shape)
        if "ignore_index" not in options:
            assert mean.item() == pytest.approx(total.item() / counted)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_cross_entropy_by_hand() -> None:
    logits = minigrad.tensor([[0.0, math.log(3)]])
    assert F.cross_entropy(logits, minigrad.tensor([1])).item() == pytest.approx(math.log(4 / 3))
    assert F.cross_entropy(logits, minigrad.tensor([[0.5, 0.5]])).item() == pytest.approx(math.log(4) - math.log(3) / 2)


def test_cross_entropy_of_large_logits_is_finite() -> None:
    logits = minigrad.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    loss = F.cross_entropy(logits, minigrad.tensor([2]))
    loss.backward()
    assert loss.item() == 2e4
    assert logits.grad.tolist() == [[1.0, 0.0, -1.0]]


def test_ignored_targets_do_not_count() -> None:
    logits = minigrad.randn(4, 3, requires_grad=True)
    loss = F.cross_entropy(logits, minigrad.tensor([0, -100, 2, -100]))
    kept = F.cross_entropy(logits[minigrad.tensor([0, 2])], minigrad.tensor([0, 2]))
    assert loss.item() == pytest.approx(kept.item())
    loss.backward()
    assert logits.grad[1].tolist() == [0, 0, 0]
    hopeless = minigrad.tensor([[-math.inf, 0.0], [0.0, -1.0]])
    assert F.nll_loss(hopeless, minigrad.tensor([7, 1]), ignore_index=7).item() == 1
    assert math.isnan(F.nll_loss(hopeless, minigrad.tensor([7, 7]), ignore_index=7).item())
    assert math.isnan(F.cross_entropy(hopeless, minigrad.tensor([7, 7]), ignore_index=7).item())
    assert F.cross_entropy(hopeless, minigrad.tensor([7, 7]), ignore_index=7, reduction="sum").item() == 0


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5]])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_reduced_cross_entropy_is_one_operation(reduction: str, weight: list[float] | None) -> None:
    logits, labels = minigrad.randn(4, 3, requires_grad=True), minigrad.tensor([0, 2, -100, 1])
    weights = None if weight is None else minigrad.tensor(weight)
    loss = F.cross_entropy(logits, labels, weights, reduction=reduction)
    assert [node for node, _ in loss.grad_fn.next_functions] == [minigrad.autograd.graph.get_gradient_edge(logits).node, None]
    each = F.cross_entropy(logits, labels, weights, reduction="none")
    divisor = 1 if reduction == "sum" else 3 if weight is None else 1.0 + 2.0 + 0.5
    (right,) = minigrad.autograd.grad(each.sum() / divisor, logits)
    loss.backward()
    assert minigrad.allclose(loss, each.sum() / divisor, rtol=1e-5, atol=1e-6)
    assert minigrad.allclose(logits.grad, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ignored", [-100, 0])
def test_more_losses_than_float16_can_count(ignored: int) -> None:
    logits = minigrad.zeros(140_000, 2, dtype=minigrad.float16, requires_grad=True)
    labels = minigrad.arange(140_000) % 2
    loss = F.cross_entropy(logits, labels, ignore_index=ignored)
    loss.backward()
    assert loss.dtype == minigrad.float16
    assert loss.item() == pytest.approx(math.log(2), rel=1e-3)
    assert logits.grad[1].tolist() == pytest.approx([0.5 / (140_000 if ignored else 70_000), -0.5 / (140_000 if ignored else 70_000)], abs=6e-8)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 2)])
def test_cross_entropy_without_a_batch_and_in_every_shape_by_definition(shape: tuple[int, ...]) -> None:
    logits = minigrad.randn(*shape)
    labels = minigrad.randint(0, shape[1 if len(shape) > 1 else 0], shape[:1] + shape[2:] if len(shape) > 1 else ())
    for reduction in ("none", "mean", "sum"):
        right = F.nll_loss(logits.log_softmax(1 if len(shape) > 1 else 0), labels, reduction=reduction)
        assert minigrad.allclose(F.cross_entropy(logits, labels, reduction=reduction), right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2)])
def test_empty_batches(shape: tuple[int, ...]) -> None:
    target = minigrad.zeros(shape[:1] + shape[2:]).long()
    assert F.cross_entropy(minigrad.zeros(shape), target, reduction="sum").item() == 0
    assert F.cross_entropy(minigrad.zeros(shape), target, reduction="none").shape == target.shape


def test_binary_cross_entropy_at_the_ends() -> None:
    p = minigrad.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, minigrad.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0, 0, 100, 100]
    loss.sum().backward()
    assert p.grad.tolist() == pytest.approx([0, 0, -1e12, 1e12])


def test_binary_cross_entropy_with_logits_is_stable() -> None:
    x = minigrad.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, minigrad.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    assert loss.tolist() == [0, 0, 1e4, 1e4]
    loss.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, -1]


def test_binary_cross_entropy_is_that_of_the_sigmoid() -> None:
    x, t = minigrad.randn(5), minigrad.rand(5)
    np.testing.assert_allclose(
        F.binary_cross_entropy_with_logits(x, t).item(), F.binary_cross_entropy(x.sigmoid(), t).item(), rtol=1e-5
    )


def test_weights_make_a_weighted_mean() -> None:
    x, t, w = (minigrad.tensor(draw(kind, 6)) for kind in ("a", "b", "positive"))
    for loss, power in ((F.mse_loss, 2), (F.l1_loss, 1)):
        error = abs(x.numpy() - t.numpy()) ** power
        assert loss(x, t, weight=w).item() == pytest.approx(np.average(error, weights=w.numpy()))
    assert F.huber_loss(x, t, weight=w).item() == pytest.approx((F.huber_loss(x, t, reduction="none") * w).mean().item())


def test_the_older_arguments() -> None:
    x, t = minigrad.tensor([1.0, 2.0]), minigrad.zeros(2)
    for options, expected in (({"size_average": False}, 5), ({"size_average": True}, 2.5), ({"reduce": False}, [1, 4])):
        with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated, please use reduction="):
            assert F.mse_loss(x, t, **options).tolist() == expected
        with pytest.warns(UserWarning, match="MSELoss: size_average and reduce"):
            assert nn.MSELoss(**options)(x, t).tolist() == expected


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x: F.cross_entropy(x, minigrad.tensor([1, 0]), label_smoothing=0.1, reduction="none"), ((2, 3),)),
        (lambda x, t: F.cross_entropy(x, t, reduction="none"), ((2, 3), (2, 3))),
        (lambda x: F.nll_loss(x, minigrad.tensor([1, 0]), reduction="none"), ((2, 3),)),
        (lambda x: F.binary_cross_entropy(x.sigmoid(), minigrad.tensor([0.2, 0.9]).to(x.dtype), reduction="none"), ((2,),)),
        (lambda x, t: F.binary_cross_entropy(x.sigmoid(), t.sigmoid(), reduction="none"), ((3,), (3,))),
        (lambda x: F.binary_cross_entropy_with_logits(x, minigrad.tensor([0.2, 0.9]), reduction="none"), ((2,),)),
        (lambda x, y: F.mse_loss(x, y, reduction="none"), ((3,), (3,))),
        (lambda x, y: F.huber_loss(x, y, reduction="none"), ((3,), (3,))),
        (lambda x, y: F.smooth_l1_loss(x, y, reduction="none", beta=3.0), ((3,), (3,))),
        (lambda x, y: F.kl_div(x, y.softmax(-1), reduction="none"), ((3,), (3,))),
        (lambda x: F.soft_margin_loss(x, minigrad.tensor([1.0, -1.0]), reduction="none"), ((2,),)),
        (lambda x, y: F.triplet_margin_loss(x, y, x * 2 + 1, margin=9.0, reduction="none"), ((2, 3), (2, 3))),
        (lambda x: F.multi_margin_loss(x, minigrad.tensor([1, 0]), p=2, reduction="none"), ((2, 3),)),
        (lambda x: F.multi_margin_loss(x, minigrad.tensor([1, 0]), weight=minigrad.tensor([1.0, 2.0, 3.0]).double()), ((2, 3),)),
        (lambda x: F.multilabel_margin_loss(x, minigrad.tensor([[1, 0, -1], [2, -1, 0]]), reduction="none"), ((2, 3),)),
        (lambda x: F.multilabel_soft_margin_loss(x, minigrad.tensor([[1.0, 0.0, 1.0]]), reduction="none"), ((2, 3),)),
    ],
)
def test_two_orders_of_derivatives(function, shapes: tuple[tuple[int, ...], ...]) -> None:
    random = np.random.default_rng(5)
    check_two_orders(function, *(random.standard_normal(shape) for shape in shapes))


def test_smooth_losses_have_a_second_derivative_at_zero() -> None:
    for loss in (F.smooth_l1_loss, F.huber_loss):
        x = minigrad.zeros(1, requires_grad=True)
        from minigrad.core.engine import grad

        (first,) = grad(loss(x, minigrad.zeros(1)), [x], create_graph=True)
        (second,) = grad(first.sum(), [x])
        assert second.tolist() == [1.0]


# --- refusals ---------------------------------------------------------------------------------------------------------

zeros, tensor = minigrad.zeros, minigrad.tensor


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.mse_loss(zeros(2), zeros(2), reduction="average"), ValueError, "mse_loss: 'average' is not a valid value for reduction"),
        (lambda: F.mse_loss(zeros(2), zeros(2), weight=zeros(3)), ValueError, "weight and input must have the same size"),
        (lambda: F.smooth_l1_loss(zeros(2), zeros(2), beta=-1), RuntimeError, "does not support negative values for beta, got -1"),
        (lambda: F.huber_loss(zeros(2), zeros(2), delta=0), RuntimeError, "does not support non-positive values for delta"),
        (lambda: F.cross_entropy(zeros(2, 3), tensor([0, 3])), IndexError, "Target 3 is out of bounds: expected 0 <= target < 3"),
        (lambda: F.nll_loss(zeros(2, 3), tensor([-1, 0])), IndexError, "Target -1 is out of bounds"),
        (lambda: F.cross_entropy(zeros(2, 3), tensor([0])), ValueError, r"Expected input batch_size \(2\) to match target batch_size \(1\)"),
        (lambda: F.cross_entropy(zeros(2, 3, 4), tensor([[0], [1]])), RuntimeError, r"Expected target size \(2, 4\), got \(2, 1\)"),
        (lambda: F.cross_entropy(zeros(2, 3), tensor([0.0, 1.0])), RuntimeError, r"class numbers in int64 or uint8\), got float32; convert it with target.long\(\)"),
        (lambda: F.cross_entropy(zeros(2, 3), tensor([0, 1]), weight=zeros(2)), RuntimeError, "all 3 classes or no classes"),
        (lambda: F.cross_entropy(zeros(2, 3), zeros(2, 3), weight=zeros(2)), RuntimeError, "all 3 classes or no classes"),
        (lambda: F.cross_entropy(zeros(2, 3), tensor([0, 1]), label_smoothing=1.5), RuntimeError, "between 0.0 and 1.0. Got: 1.5"),
        (lambda: F.cross_entropy(tensor(1.0), tensor(0)), ValueError, "at least 1 dimension"),
        (lambda: F.cross_entropy(zeros(2, 3), zeros(2, 3), ignore_index=1), RuntimeError, "ignore_index is not supported for floating point target"),
        (lambda: F.nll_loss(zeros(2, 3), tensor([0, 1]), zeros(3).double()), RuntimeError, "expected scalar type float32 but found float64 for weight"),
        (lambda: nn.HuberLoss(delta=1j), TypeError, "delta must be a float or int, got: <class 'complex'>"),
        (lambda: F.binary_cross_entropy(tensor([1.5]), zeros(1)), RuntimeError, "all elements of input should be between 0 and 1"),
        (lambda: F.binary_cross_entropy(tensor([math.nan]), zeros(1)), RuntimeError, "all elements of input should be between 0 and 1"),
        (lambda: F.binary_cross_entropy(zeros(2), zeros(3)), ValueError, r"target size \(3,\) is different from input size \(2,\)"),
        (lambda: F.binary_cross_entropy_with_logits(zeros(2), zeros(2, 1)), ValueError, r"Target size \(2, 1\) must be the same as input size \(2,\)"),
        (lambda: F.gaussian_nll_loss(zeros(2), zeros(2), tensor([-1.0, 1.0])), ValueError, "var has negative entry/entries"),
        (lambda: F.gaussian_nll_loss(zeros(2), zeros(2), zeros(3)), ValueError, "var is of incorrect size"),
        (lambda: F.margin_ranking_loss(zeros(2), zeros(2), zeros(2, 2)), RuntimeError, "should have same dimension"),
        (lambda: F.cosine_embedding_loss(zeros(2), zeros(2), zeros(2)), RuntimeError, "expected inputs"),
        (lambda: F.triplet_margin_loss(zeros(2), zeros(2), zeros(2), margin=0), ValueError, "margin must be greater than 0, got 0"),
        (lambda: nn.TripletMarginLoss(margin=-1), ValueError, "expected margin to be greater than 0, got -1"),
        (lambda: F.triplet_margin_loss(zeros(2), zeros(2, 2), zeros(2)), RuntimeError, "anchor 1D, positive 2D, and negative 1D"),
        (lambda: F.triplet_margin_with_distance_loss(zeros(2), zeros(2, 2), zeros(2)), RuntimeError, "anchor 1D, positive 2D, and negative 1D"),
        (lambda: F.triplet_margin_with_distance_loss(zeros(2), zeros(2), zeros(2), margin=0), ValueError, "margin must be greater than 0, got 0"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=0), ValueError, "expected margin to be greater than 0, got 0"),
        (lambda: F.multi_margin_loss(zeros(2, 3), tensor([0])), RuntimeError, r"Expected target size \[2\], but got \[1\]"),
        (lambda: F.multi_margin_loss(zeros(2, 3, 4), tensor([0, 1])), RuntimeError, r"Expected non-empty vector or matrix .* but got: \[2, 3, 4\]"),
        (lambda: F.multi_margin_loss(zeros(2, 3), tensor([0, 3])), RuntimeError, "target out of range: expected 0 <= target < 3, got 0 to 3"),
        (lambda: F.multi_margin_loss(zeros(2, 3), tensor([0.0, 1.0])), RuntimeError, "convert it with target.long"),
        (lambda: F.multi_margin_loss(zeros(2, 3), tensor([0, 1]), p=3), ValueError, "only p == 1 and p == 2 supported, got 3"),
        (lambda: F.multi_margin_loss(zeros(2, 3), tensor([0, 1]), weight=zeros(2)), RuntimeError, r"inconsistent weight size, expected 3 but got \[2\]"),
        (lambda: F.multi_margin_loss(zeros(2, 3), tensor([0, 1]), weight=zeros(3, 1)), ValueError, "weight must be one-dimensional"),
        (lambda: nn.MultiMarginLoss(p=3), ValueError, "only p == 1 and p == 2 supported, got 3"),
        (lambda: nn.MultiMarginLoss(weight=zeros(1, 2)), ValueError, "expected weight to be None or 1D tensor, got 2D tensor"),
        (lambda: F.multilabel_margin_loss(zeros(2, 3), tensor([0, 1])), RuntimeError, r"inconsistent target size: \[2\] for input of size: \[2, 3\]"),
        (lambda: F.multilabel_margin_loss(zeros(1, 3), tensor([[0, 1, -2]])), RuntimeError, "expected -1 <= target < 3, got -2 to 1"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_warnings() -> None:
    with pytest.warns(UserWarning, match=r"mse_loss: using a target size \(2, 1\) that is different to the input size \(2,\)"):
        F.mse_loss(zeros(2), zeros(2, 1))
    with pytest.warns(UserWarning, match="'batchmean' divides only by the batch size"):
        F.kl_div(zeros(2, 2), zeros(2, 2))
