"""torch's conventions: which dtypes an operation takes and gives, its derivatives at special points, and which gradients have derivatives.

Each row is an expression of the library `m`, its `F` = m.nn.functional, a tensor `x` and another one `i` of integers. What torch does with each
dtype is kept in dtypes.json, so that it is tested without torch; `python -m tests.ops.test_conventions` writes that file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # both libraries': implicit dims, means of divergences
FILE = Path(__file__).with_name("dtypes.json")
DTYPES = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")
REFUSALS = (TypeError, ValueError, RuntimeError, IndexError)

UNARY = ["abs", "acos", "acosh", "angle", "asin", "asinh", "atan", "atanh", "ceil", "clone", "cos", "cosh", "deg2rad", "digamma", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac", "isnan", "lgamma", "log", "log10", "log1p", "log2", "logical_not", "logit", "nan_to_num", "neg", "positive", "rad2deg", "reciprocal", "round", "rsqrt", "sgn", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "argmax", "argmin", "mean", "median", "sum", "prod", "all", "any", "cumsum", "nonzero", "std", "var", "trace", "isin", "msort", "unique"]
ACTIVATIONS = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink", "logsigmoid"]
ONE_AXIS = ["softmax", "log_softmax", "cumprod", "cummax", "logcumsumexp", "logsumexp", "sort", "argsort", "amax", "topk", "kthvalue", "mode", "max", "min"]
BINARY = ["add", "sub", "mul", "div", "pow", "floor_divide", "remainder", "fmod", "maximum", "minimum", "atan2", "eq", "lt", "logical_and", "matmul", "mm", "dist", "fmax", "hypot", "copysign", "logaddexp", "xlogy", "float_power", "bitwise_and", "gcd", "heaviside", "ldexp", "kron"]
LOSSES = ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "soft_margin_loss", "binary_cross_entropy_with_logits", "multilabel_margin_loss"]
EXPRESSIONS = [
    *[f"m.{name}(x)" for name in UNARY if name != "isin"], *[f"F.{name}(x)" for name in ACTIVATIONS],
    *[f"m.{name}(x, {1 if name in ('topk', 'kthvalue') else 0})" for name in ONE_AXIS], *[f"m.{name}(x, x)" for name in BINARY],
    *[f"F.{name}(x, x)" for name in LOSSES if name != "multilabel_margin_loss"], "F.softmin(x, 0)", "F.softmax(x, 0)", "m.softmax(x, 0, dtype=m.float64)",
    "F.log_softmax(x, 1)", "F.threshold(x, 1, 2)", "F.prelu(x, x[0])", "F.glu(x, 1)", "F.nll_loss(x, i)", "F.cross_entropy(x, i)", "F.multi_margin_loss(x, i)",
    "m.clamp(x, 1, 2)", "m.clamp_min(x, 1)", "m.div(x, x + 1, rounding_mode='floor')", "m.div(x, x + 1, rounding_mode='trunc')", "m.round(x, decimals=1)",
    "m.lerp(x, x, 0.5)", "m.addcmul(x, x, x)", "m.addcdiv(x, x, x)", "m.isin(x, x)", "m.bucketize(x, x[0])", "m.searchsorted(x[0], x)", "m.index_reduce(x, 0, i, x, 'amax')",
    "m.scatter_reduce(x, 0, i[None], x, 'mean')", "m.quantile(x, 0.5)", "m.var_mean(x)", "m.norm(x)", "m.linalg.inv(x)", "m.bincount(i)",
    "F.one_hot(x, 9)", "F.pad(x[None], (1, 1), 'reflect')", "F.pad(x[None], (1, 1), 'replicate')", "F.pad(x, (1, 1))", "F.adaptive_avg_pool1d(x[None], 1)",
    "F.adaptive_max_pool1d(x[None], 1)", "F.adaptive_max_pool2d(x[None], 1)", "F.max_unpool1d(x[None], i.reshape(1, 2, 1).expand(1, 2, 2) * 1, 2)",
    "F.interpolate(x[None, None], 3)", "F.interpolate(x[None, None], (3, 3), mode='bilinear')", "F.interpolate(x[None], 3, mode='linear')",
    "F.grid_sample(x[None, None], m.zeros(1, 2, 2, 2, dtype=x.dtype))", "F.embedding_bag(i[None], x)", "F.normalize(x)", "F.layer_norm(x, (2,))",
]  # fmt: skip
WIDER = {  # what torch has no kernel for, or takes by accident, and where minigrad is the more regular
    "m.dist(x, x)": {"float16"}, "F.multi_margin_loss(x, i)": {"float16"}, "m.unique(x)": {"float16"}, "m.heaviside(x, x)": {"bool"},
}  # fmt: skip


def operands(m: Any, dtype: str) -> dict[str, Any]:
    x = np.array([[1, 2], [1, 3]]).astype(dtype)
    return {"m": m, "F": m.nn.functional, "x": m.from_numpy(x), "i": m.from_numpy(np.array([0, 1]))}


def outcome(m: Any, expression: str, dtype: str) -> Any:
    """The dtypes of the results, or None for a refusal."""
    try:
        out = eval(expression, operands(m, dtype))
    except REFUSALS:
        return None
    return [str(o.dtype).removeprefix("torch.") for o in (out if isinstance(out, (tuple, list)) else [out])]


def known() -> dict[str, dict[str, Any]]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}  # type: ignore[no-any-return]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_dtypes_that_are_taken_and_given(expression: str) -> None:
    wanted = {dtype: found for dtype, found in known()[expression].items() if dtype not in WIDER.get(expression, ())}
    assert {dtype: outcome(minigrad, expression, dtype) for dtype in wanted} == wanted


def test_the_known_dtypes_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    assert known() == {expression: {dtype: outcome(torch, expression, dtype) for dtype in DTYPES} for expression in EXPRESSIONS}


# --- derivatives ------------------------------------------------------------------------------------------------------

POINTS = np.array([np.inf, -np.inf, 0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0, 0.3, 1e-3, 100.0, -100.0, -2.0])
# Kinks in the middle of a domain, poles and infinities: the first two derivatives, wherever torch has a number.
AT_POINTS = [
    *[f"m.{name}(x)" for name in UNARY[: UNARY.index("argmax")] if name not in ("isnan", "logical_not", "signbit", "isin", "sinc")],
    *[f"F.{name}(x)" for name in ACTIVATIONS], "m.clamp(x, -1, 1)", "F.threshold(x, 0.5, 2.0)", "x**2", "x**3", "x**0", "2.0**x", "x ** m.zeros_like(x)",
    "x.abs() ** x.detach()", "m.maximum(x, -x)", "m.minimum(x, x)", "m.nan_to_num(x)", "F.celu(x, 0.8)", "F.elu(x, 0.8)", "F.hardshrink(x, 1.0)",
    "m.remainder(x, 3)", "m.fmod(x, 3)", "m.div(x, 2, rounding_mode='floor')", "m.prelu(x, m.full((1,), 0.5, dtype=x.dtype))",
]  # fmt: skip


def derivatives(m: Any, expression: str, points: Any) -> list[Any]:
    """The value, the gradient and the second gradient; None where there is none."""
    x = m.from_numpy(points.copy()).requires_grad_()
    out = eval(expression, {"m": m, "F": m.nn.functional, "x": x})
    found = [out.detach().numpy(), None, None]
    if out.requires_grad:
        (g,) = m.autograd.grad(out, x, m.ones_like(out), create_graph=True)
        found[1] = g.detach().numpy(force=True)
        if g.requires_grad:
            try:
                (h,) = m.autograd.grad(g, x, m.ones_like(g), allow_unused=True)
            except RuntimeError as error:  # torch's
                assert "is not implemented" in str(error)
                return found
            found[2] = None if h is None else h.detach().numpy(force=True)
    return found


@pytest.mark.parametrize("expression", AT_POINTS)
def test_derivatives_at_special_points(expression: str) -> None:
    torch = pytest.importorskip("torch")
    for got, wanted in zip(derivatives(minigrad, expression, POINTS), derivatives(torch, expression, POINTS), strict=True):
        assert got is not None or wanted is None
        if wanted is not None:
            number = np.isfinite(wanted)
            np.testing.assert_allclose(np.where(number, got, 0), np.where(number, wanted, 0), rtol=1e-6, atol=1e-9)


# Of a picture or a vector: the gradient is constant between kinks, or everywhere, and has a derivative in torch all the same.
PIECEWISE_LINEAR = [
    "F.relu(x)", "F.relu6(x)", "F.leaky_relu(x)", "F.hardtanh(x)", "F.hardshrink(x)", "F.softshrink(x)", "F.threshold(x, 0.5, 1)", "x.abs()", "m.prelu(x, x[:1, 0, 0, 0] * 0 + 2)",
    "F.max_pool1d(x[0], 2)", "F.max_pool2d(x, 2)", "F.max_pool3d(x, 2)", "F.avg_pool1d(x[0], 2)", "F.avg_pool2d(x, 2)", "F.avg_pool3d(x, 2)", "F.adaptive_avg_pool1d(x[0], 3)",
    "F.adaptive_avg_pool2d(x, 3)", "F.adaptive_max_pool1d(x[0], 3)", "F.adaptive_max_pool2d(x, 3)", "F.pad(x, (1, 1, 1, 1), 'reflect')", "F.pad(x, (1, 1, 1, 1), 'replicate')",
    "F.interpolate(x, (3, 3), mode='area')", "F.nll_loss(x[0, 0], m.tensor([0, 1, 2, 3]))", "F.rrelu(x, training=True)", "m.softmax(x.sum(), 0)", "m.log_softmax(x.sum(), 0)",
    "F.conv2d(x.detach(), x.detach(), x[0, 0, 0, :1])", "F.conv_transpose2d(x.detach(), x.detach().transpose(0, 1), x[0, 0, 0, :1])", "F.layer_norm(x.detach(), (4,), x.detach()[0, 0, 0], x[0, 0, 0])",
    "F.batch_norm(x.detach(), None, None, None, x[0, 0, 0, :2], training=True)", "m.remainder(x, 3)", "x.floor()",
]  # fmt: skip


@pytest.mark.parametrize("expression", PIECEWISE_LINEAR)
def test_gradients_that_do_not_change_have_a_derivative_of_zeros(expression: str) -> None:
    """A second gradient is zeros, not an error, where torch has one; and nothing is recorded for it without create_graph."""
    picture = np.random.Generator(np.random.Philox(1)).normal(size=(1, 2, 4, 4))
    found = derivatives(minigrad, expression, picture)
    assert found[1] is not None
    torch = pytest.importorskip("torch")
    wanted = derivatives(torch, expression, picture)
    if wanted[2] is not None:
        np.testing.assert_array_equal(found[2], np.zeros_like(picture))
        np.testing.assert_allclose(wanted[2], 0, atol=1e-12)
    x = minigrad.from_numpy(picture).requires_grad_()
    out = eval(expression, {"m": minigrad, "F": minigrad.nn.functional, "x": x})
    (g,) = minigrad.autograd.grad(out, x, minigrad.ones_like(out))
    assert not g.requires_grad


def test_a_second_backward_fills_zeros() -> None:
    x = minigrad.tensor([1.0, -1.0], requires_grad=True)
    (g,) = minigrad.autograd.grad(x.relu().sum(), x, create_graph=True)
    g.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    y = minigrad.tensor([5.0, 7.0], requires_grad=True)
    minigrad.div(x.detach(), y, rounding_mode="floor").sum().backward()
    assert y.grad.tolist() == [0.0, 0.0]


def test_a_function_that_returns_none_has_no_gradient_rather_than_zeros() -> None:
    class Deaf(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return None

    x = minigrad.ones(2, requires_grad=True)
    assert minigrad.autograd.grad(Deaf.apply(x).sum(), x, allow_unused=True) == (None,)


if __name__ == "__main__":
    import torch

    table = {expression: {dtype: outcome(torch, expression, dtype) for dtype in DTYPES} for expression in EXPRESSIONS}
    rows = [f"{json.dumps(expression)}: {json.dumps(row)}" for expression, row in table.items()]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")
