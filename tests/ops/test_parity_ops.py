"""The operations against torch: values, gradients, second gradients, dtypes, methods and in-place forms, generated from a table."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's: some of its names are deprecated, some are in beta

NUMBERS = np.random.Generator(np.random.Philox(3))
NAN = math.nan


def normal(*shape: int) -> Any:
    return np.asarray(NUMBERS.normal(size=shape))


def positive(*shape: int) -> Any:
    return NUMBERS.uniform(0.2, 3.0, shape)


def between(low: float, high: float, *shape: int) -> Any:
    return NUMBERS.uniform(low, high, shape)


def whole(low: int, high: int, *shape: int) -> Any:
    return NUMBERS.integers(low, high, shape)


def square(*shape: int) -> Any:
    """Well-conditioned matrices."""
    return normal(*shape) + 4.0 * np.eye(shape[-1])


def symmetric(*shape: int) -> Any:
    a = normal(*shape)
    return a + np.swapaxes(a, -2, -1) + 3.0 * np.diag(np.arange(1.0, shape[-1] + 1))


def definite(*shape: int) -> Any:
    a = square(*shape)
    return a @ np.swapaxes(a, -2, -1)


TIES = np.array([[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0], [0.0, -1.0, 5.0, 5.0]])
HOLES = np.array([[1.0, NAN, 3.0, 2.0], [NAN, NAN, NAN, NAN], [0.5, -1.0, NAN, 5.0]])
MASK = np.array([[True, False, True], [False, False, True]])
PLACES = np.array([0, 2, 2, 1])
SPECIAL = np.array([NAN, math.inf, -math.inf, 0.0, -0.0, 1.0, -2.5])

# name: [(positional arguments, named arguments), ...]; every float array gets gradients.
DIFFERENTIABLE: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    # one argument
    "exp2": [((normal(2, 3),), {}), ((normal(),), {}), ((normal(0, 2),), {})],
    "asinh": [((normal(2, 3),), {})],
    "acosh": [((between(1.1, 4, 2, 3),), {})],
    "atanh": [((between(-0.9, 0.9, 2, 3),), {})],
    "erfc": [((normal(2, 3),), {})],
    "erfinv": [((between(-0.95, 0.95, 2, 3),), {})],
    "lgamma": [((positive(2, 3),), {}), ((between(-3.9, -3.1, 4),), {})],
    "digamma": [((positive(2, 3),), {}), ((between(-3.9, -3.1, 4),), {})],
    "logit": [((between(0.1, 0.9, 5),), {}), ((between(0.0, 1.0, 5),), {"eps": 0.3})],
    "sinc": [((normal(2, 3),), {}), ((between(3, 5, 4),), {})],
    "deg2rad": [((normal(3),), {})],
    "rad2deg": [((normal(3),), {})],
    "sgn": [((normal(3),), {})],
    "hardshrink": [((normal(2, 3),), {}), ((normal(5), 1.0), {})],
    "prelu": [((normal(2, 3), normal(3)), {}), ((normal(4), normal(1)), {})],
    "angle": [((normal(5),), {})],
    # two arguments
    "fmax": [((normal(2, 3), normal(3)), {}), ((TIES[0], TIES[1]), {})],
    "fmin": [((normal(2, 3), normal(2, 1)), {}), ((TIES[0], TIES[1]), {})],
    "hypot": [((normal(2, 3), normal(3)), {})],
    "copysign": [((normal(2, 3), normal(3)), {}), ((normal(3), -1.0), {})],
    "logaddexp": [((normal(2, 3), normal(3)), {}), ((TIES[0], TIES[1]), {})],
    "logaddexp2": [((normal(2, 3), normal(3)), {})],
    "xlogy": [((normal(2, 3), positive(3)), {}), ((np.zeros(3), positive(3)), {}), ((normal(3), 2.5), {})],
    "float_power": [((positive(2, 3), normal(3)), {}), ((positive(3), 2), {})],
    "ldexp": [((normal(3), whole(-2, 3, 3)), {})],
    "dist": [((normal(2, 3), normal(3)), {}), ((normal(4), normal(4)), {"p": 1}), ((normal(4), normal(4)), {"p": 3.5})],
    # reductions
    "nansum": [((HOLES,), {}), ((HOLES, 1), {}), ((HOLES, -2, True), {})],
    "nanmean": [((HOLES[[0, 2]],), {}), ((HOLES[[0, 2]], 1), {}), ((HOLES[[0, 2]], (0, 1), True), {})],
    "nanmedian": [((HOLES,), {}), ((HOLES[[0, 2]], 1), {}), ((HOLES[[0, 2]], -1, True), {})],
    "aminmax": [((TIES,), {}), ((TIES,), {"dim": 1}), ((TIES,), {"dim": -2, "keepdim": True}), ((normal(),), {})],
    "quantile": [
        *[((normal(3, 4), 0.37), {"dim": d, "keepdim": k}) for d in (None, 0, -1) for k in (False, True)],
        *[((normal(5), 0.4), {"interpolation": i}) for i in ("linear", "lower", "higher", "midpoint", "nearest")],
        ((normal(3, 4), np.array([0.0, 0.5, 1.0])), {"dim": 1}),
        ((normal(3, 4), np.array([0.2])), {"dim": 0, "keepdim": True}),
    ],
    "nanquantile": [((HOLES, 0.3), {"dim": 1}), ((HOLES, np.array([0.5, 0.9])), {}), ((HOLES, 0.25), {"dim": 0, "keepdim": True})],
    "cummax": [((TIES, 0), {}), ((TIES, -1), {}), ((normal(), 0), {})],
    "cummin": [((TIES, 1), {}), ((normal(0, 3), 0), {})],
    "logcumsumexp": [((normal(2, 4), 1), {}), ((np.array([500.0, -500.0, 501.0]), 0), {}), ((normal(), 0), {})],
    "diff": [((normal(2, 5),), {}), ((normal(5), 2), {}), ((normal(2, 3), 1, 0, normal(1, 3), normal(2, 3)), {}), ((normal(2), 4), {})],
    "cov": [
        ((normal(3, 5),), {}),
        ((normal(5),), {"correction": 0}),
        ((normal(2, 4),), {"fweights": whole(1, 4, 4), "correction": 2}),
        ((normal(2, 4),), {"fweights": whole(1, 4, 4), "aweights": positive(4)}),
        ((normal(2, 4),), {"aweights": positive(4), "correction": 0}),
    ],
    "corrcoef": [((normal(3, 5),), {}), ((normal(5),), {})],
    "cdist": [((normal(2, 3, 4), normal(2, 5, 4)), {"p": p}) for p in (2.0, 1.0, 3.0)] + [((normal(3, 4), normal(2, 3, 4)), {})],
    "trapezoid": [((normal(2, 4),), {}), ((normal(2, 4), normal(4)), {}), ((normal(4, 2),), {"dx": 0.5, "dim": 0}), ((normal(2, 4), normal(2, 4)), {})],
    "cumulative_trapezoid": [((normal(2, 4),), {}), ((normal(2, 4), normal(4)), {})],
    "renorm": [((normal(3, 4), 2, 0, 1.0), {}), ((normal(3, 4, 2), 1, 1, 2.0), {})],
    # shape
    "split_with_sizes": [((normal(5, 2), [2, 0, 3]), {}), ((normal(2, 5), (4, 1), -1), {})],
    "Tensor.unfold": [((normal(7), 0, 3, 2), {}), ((normal(2, 6, 3), 1, 2, 3), {}), ((normal(2, 5), -1, 5, 1), {}), ((normal(), 0, 1, 1), {})],
    "column_stack": [(([normal(3), normal(3, 2), normal(3)],), {})],
    "atleast_3d": [((normal(),), {}), ((normal(3),), {}), ((normal(2, 3),), {}), ((normal(1, 2, 3),), {})],
    "hsplit": [((normal(2, 6), 3), {}), ((normal(6), [2, 4]), {})],
    "vsplit": [((normal(4, 2), 2), {}), ((normal(4, 2), [1]), {})],
    "dsplit": [((normal(2, 3, 4), 2), {})],
    "diag_embed": [((normal(2, 3),), {}), ((normal(2, 3), 1), {}), ((normal(2, 3), -2, 0, 2), {}), ((normal(3),), {"dim1": 1, "dim2": 0, "offset": 1})],
    "diagflat": [((normal(2, 2),), {}), ((normal(3), -1), {}), ((normal(),), {})],
    "cartesian_prod": [((normal(2), normal(3)), {}), ((normal(2),), {})],
    "combinations": [((normal(4),), {}), ((normal(4), 3), {}), ((normal(3),), {"with_replacement": True}), ((normal(2), 3), {})],
    "block_diag": [((normal(2, 2), normal(3), normal(), normal(1, 3)), {})],
    "kron": [((normal(2, 3), normal(3, 2)), {}), ((normal(2), normal(2, 2, 2)), {}), ((normal(), normal(2)), {})],
    # index
    "index_fill": [((normal(3, 4), 1, np.array([0, 2]), 1.5), {}), ((normal(3, 4), 0, np.array([2]), normal()), {}), ((normal(), 0, np.array([0]), 2.0), {})],
    "index_copy": [((normal(3, 4), 1, np.array([3, 0]), normal(3, 2)), {}), ((normal(3), -1, np.array([1]), normal(1)), {})],
    "index_put": [
        ((normal(4, 3), (PLACES,), normal(4, 3)), {"accumulate": True}),
        ((normal(3, 3), (np.array([0, 2]), np.array([1, 1])), normal()), {}),
        ((normal(2, 3), (MASK,), normal(3)), {"accumulate": True}),
        ((normal(2, 3), (np.array([0]), np.array([2, 1])), normal(2)), {}),
    ],
    "put": [((normal(2, 3), np.array([[0, 4], [-1, 0]]), normal(2, 2), True), {}), ((normal(2, 3), np.array([1, 4]), normal(2)), {})],
    "masked_scatter": [((normal(2, 3), MASK, normal(5)), {}), ((normal(2, 3), MASK[:1], normal(2, 2)), {})],
    "select_scatter": [((normal(3, 4), normal(3), 1, -2), {}), ((normal(3, 4), normal(4)), {"dim": 0, "index": 1})],
    "diagonal_scatter": [((normal(3, 4), normal(3)), {}), ((normal(3, 4), normal(2), -1), {}), ((normal(2, 3, 3), normal(2, 2), 1, 1, 2), {})],
    "scatter_reduce": [
        ((x, 1, np.array([[0, 1, 1, 0], [2, 2, 2, 2], [1, 0, 1, 0]]), src, reduce), {"include_self": include})
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for include in (True, False)
        for x, src in ((normal(3, 4), normal(3, 4)), (TIES, TIES[:, ::-1].copy()))
        if include or x is not TIES or reduce not in ("amax", "amin")  # torch lets the input, left out, take part in a tie
    ],
    "index_reduce": [
        ((normal(3, 2), 0, PLACES, normal(4, 2), reduce), {"include_self": include})
        for reduce in ("prod", "mean", "amax", "amin")
        for include in (True, False)
    ],
    "kthvalue": [((normal(3, 4), 2), {}), ((normal(3, 4), 3, 0, True), {}), ((normal(), 1), {})],
    "mode": [((TIES,), {}), ((TIES, 0, True), {}), ((normal(),), {})],
    "msort": [((normal(4, 2),), {})],
    # linear algebra
    "addmv": [((normal(2), normal(2, 3), normal(3)), {"beta": 0.5, "alpha": 2.0}), ((normal(1), normal(2, 3), normal(3)), {})],
    "addr": [((normal(2, 3), normal(2), normal(3)), {"beta": 0.5, "alpha": 2.0}), ((normal(3), normal(2), normal(3)), {})],
    "addbmm": [((normal(2, 4), normal(5, 2, 3), normal(5, 3, 4)), {"beta": 0.5, "alpha": 2.0})],
    "vdot": [((normal(3), normal(3)), {})],
    "cross": [((normal(2, 3), normal(2, 3)), {"dim": 1}), ((normal(3, 2), normal(3, 1)), {"dim": 0})],
    "logdet": [((definite(3, 3),), {}), ((definite(2, 3, 3),), {})],
    "cholesky": [((definite(3, 3),), {}), ((definite(2, 2, 2), True), {})],
    "det": [((normal(3, 3),), {}), ((normal(2, 2, 2),), {}), ((normal(1, 1),), {})],
    "slogdet": [((normal(3, 3),), {})],
    "inverse": [((square(3, 3),), {})],
    "pinverse": [((normal(3, 2),), {})],
    "matrix_power": [((square(3, 3), n), {}) for n in (0, 1, 3, -2)],
    "linalg.norm": [
        *[((normal(3, 4), p), {}) for p in (None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)],
        *[((normal(4), p), {"keepdim": True}) for p in (None, 0, 1, 2, 3, 0.5, -1, -2, math.inf, -math.inf)],
        ((normal(2, 3, 4), 2, (0, 2)), {}),
        ((normal(2, 3, 4), "nuc", (2, 1), True), {}),
        ((normal(2, 3, 4), 3, 1), {}),
        ((normal(2, 3, 4), None, (0, 1)), {}),
        ((normal(2, 3, 4),), {}),
    ],
    "linalg.vector_norm": [((normal(2, 3), p, d), {}) for p in (0, 1, 2, 2.5, -1.5, math.inf) for d in (None, 0, (0, 1))] + [((normal(),), {})],
    "linalg.matrix_norm": [((normal(2, 3, 4), p), {"keepdim": True}) for p in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)],
    "linalg.inv": [((square(3, 3),), {}), ((square(2, 2, 2),), {}), ((normal(0, 0),), {})],
    "linalg.det": [((normal(3, 3),), {}), ((normal(0, 0),), {})],
    "linalg.solve": [
        ((square(3, 3), normal(3)), {}),
        ((square(3, 3), normal(3, 2)), {}),
        ((square(2, 3, 3), normal(2, 3)), {}),
        ((square(2, 3, 3), normal(3, 2)), {}),
        ((square(3, 3), normal(2, 2, 3)), {"left": False}),
    ],
    "linalg.cross": [((normal(2, 3), normal(2, 3)), {}), ((normal(3, 2), normal(3, 1)), {"dim": 0})],
    "linalg.multi_dot": [(([normal(2, 3), normal(3, 4), normal(4, 2)],), {}), (([normal(3), normal(3, 4), normal(4)],), {})],
    "linalg.matrix_power": [((square(2, 2, 2), 5), {})],
    "linalg.slogdet": [((normal(2, 3, 3),), {})],
    "linalg.cholesky": [((definite(3, 3),), {}), ((definite(2, 2, 2),), {"upper": True})],
    "linalg.qr": [((normal(4, 2),), {}), ((normal(3, 3),), {}), ((normal(2, 4),), {}), ((normal(2, 3, 3),), {"mode": "complete"})],
    "linalg.svdvals": [((normal(3, 4),), {}), ((normal(2, 4, 2),), {})],
    "linalg.eigvalsh": [((symmetric(3, 3),), {}), ((symmetric(2, 3, 3), "U"), {})],
    "linalg.pinv": [((normal(4, 2),), {}), ((normal(2, 4),), {}), ((symmetric(3, 3),), {"hermitian": True}), ((normal(2, 2, 3),), {"rtol": 0.01})],
    "linalg.solve_triangular": [
        ((square(3, 3), normal(3, 2)), {"upper": True}),
        ((square(3, 3), normal(2, 3)), {"upper": False, "left": False}),
        ((square(3, 3), normal(2, 3, 2)), {"upper": False, "unitriangular": True}),
    ],
    "linalg.vecdot": [((normal(2, 3), normal(3)), {}), ((normal(2, 3), normal(2, 3)), {"dim": 0})],
}  # fmt: skip

# Without gradients: also of integers and truth values.
PLAIN: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "logspace": [((0, 2, 5), {}), ((1, 3, 4, 2.0), {}), ((0, 1, 0), {}), ((2, 5, 1), {})],
    "scalar_tensor": [((2,), {}), ((2.5,), {})],
    "tril_indices": [((3, 4), {}), ((3, 2, -1), {}), ((2, 3, 1), {}), ((0, 2), {})],
    "triu_indices": [((3, 4), {}), ((3, 2, -1), {}), ((2, 3, 1), {})],
    "signbit": [((SPECIAL,), {}), ((whole(-3, 3, 4),), {})],
    "isposinf": [((SPECIAL,), {}), ((whole(-3, 3, 4),), {}), ((MASK,), {})],
    "isneginf": [((SPECIAL,), {}), ((whole(-3, 3, 4),), {})],
    "heaviside": [((np.array([-1.0, 0.0, 2.0, NAN]), np.array(0.5)), {}), ((whole(-1, 2, 4), whole(3, 5, 4)), {})],
    "bitwise_left_shift": [((whole(-5, 9, 2, 3), whole(0, 4, 3)), {}), ((whole(-5, 9, 3), 2), {}), ((np.array([1], np.int8), np.array([3], np.int64)), {})],
    "bitwise_right_shift": [((whole(-50, 90, 2, 3), whole(0, 4, 3)), {}), ((whole(-5, 9, 3), 2), {})],
    "gcd": [((whole(-20, 20, 2, 3), whole(-20, 20, 3)), {}), ((np.array([0, 0]), np.array([0, 4])), {})],
    "lcm": [((whole(-20, 20, 2, 3), whole(-20, 20, 3)), {}), ((np.array([0, 0]), np.array([0, 4])), {})],
    "isin": [((whole(0, 5, 2, 3), np.array([1, 3])), {}), ((whole(0, 5, 4), 3), {"invert": True}), ((2, np.array([1, 2])), {})],
    "unique": [
        ((whole(0, 4, 3, 3),), {"return_inverse": True, "return_counts": True}),
        ((np.array([[1, 2, 1], [0, 2, 0]]),), {"dim": 1, "return_inverse": True, "return_counts": True}),
        ((np.array([3.0, 1.0, 3.0]),), {}),
        ((MASK,), {"return_counts": True}),
        ((np.array(3.0),), {"return_inverse": True}),
        ((np.array([], float),), {"return_counts": True}),
    ],
    "unique_consecutive": [
        ((np.array([1, 1, 2, 2, 1]),), {"return_inverse": True, "return_counts": True}),
        ((np.array([[1, 1, 1, 2], [0, 0, 1, 2]]),), {"dim": 1, "return_inverse": True, "return_counts": True}),
        ((whole(0, 2, 3, 3),), {"return_inverse": True}),
        ((np.array([], int),), {"return_inverse": True, "return_counts": True}),
    ],
    "bincount": [((np.array([0, 2, 2, 5]),), {}), ((np.array([0, 2, 2]), np.array([0.5, 1.0, 2.0])), {}), ((np.array([1]),), {"minlength": 4}), ((np.array([], int),), {})],
    "searchsorted": [
        ((np.array([1.0, 3.0, 3.0, 5.0]), np.array([[0.0, 3.0], [6.0, 4.0]])), {}),
        ((np.array([1.0, 3.0, 3.0, 5.0]), np.array([3.0, NAN])), {"right": True}),
        ((np.array([[1, 3, 5], [2, 4, 6]]), np.array([[3, 6], [3, 6]])), {"side": "right", "out_int32": True}),
        ((np.array([5, 1, 3]), np.array([2, 4])), {"sorter": np.array([1, 2, 0])}),
        ((np.array([1, 3, 5]), 4), {}),
    ],
    "bucketize": [((np.array([[0.5, 3.0], [9.0, 1.0]]), np.array([1.0, 3.0, 5.0])), {}), ((np.array([3.0]), np.array([1.0, 3.0])), {"right": True}), ((2, np.array([1, 3])), {})],
    "histc": [((np.array([0.0, 1.0, 2.0, 2.0, 4.0]), 4), {}), ((normal(20),), {"bins": 5, "min": -1, "max": 1}), ((np.ones(3), 3), {})],
    "unravel_index": [((np.array([0, 5, 3]), (2, 3)), {}), ((np.array(4), (6,)), {})],
    "nanmedian": [((whole(0, 9, 3, 4),), {}), ((HOLES[[0, 2]], 1), {}), ((HOLES, 0, True), {})],
    "mode": [((whole(0, 3, 3, 5),), {}), ((np.array([[True, False, True]]),), {})],
    "cummax": [((HOLES, 1), {}), ((whole(0, 4, 5), 0), {}), ((np.array([False, True, False]), 0), {})],
    "cummin": [((HOLES, 0), {}), ((whole(0, 4, 5), 0), {})],
    "aminmax": [((whole(0, 9, 3, 4),), {"dim": 1}), ((HOLES,), {"dim": 0})],
    "quantile": [((HOLES, 0.3), {"dim": 1})],
    "nansum": [((whole(0, 9, 3, 4), 0), {}), ((MASK,), {})],
    "diff": [((whole(0, 9, 5),), {}), ((MASK,), {})],
    "fmax": [((SPECIAL, SPECIAL[::-1].copy()), {}), ((whole(0, 5, 3), normal(3)), {})],
    "fmin": [((SPECIAL, SPECIAL[::-1].copy()), {}), ((whole(0, 5, 3), whole(0, 5, 3)), {})],
    "xlogy": [((SPECIAL, np.zeros(7)), {}), ((np.zeros(7), SPECIAL), {}), ((whole(0, 3, 3), whole(1, 4, 3)), {}), ((2, positive(3)), {})],
    "logaddexp": [((SPECIAL, SPECIAL[::-1].copy()), {})],
    "copysign": [((whole(-3, 3, 4), whole(-3, 3, 4)), {}), ((SPECIAL, -1), {})],
    "ldexp": [((whole(0, 5, 3), whole(0, 5, 3)), {})],
    "float_power": [((whole(1, 5, 3), 2), {}), ((2, whole(0, 5, 3)), {})],
    "erfinv": [((np.array([1.0, -1.0, 1.5, NAN, 0.0, 0.999999, 1e-10]),), {})],
    "lgamma": [((SPECIAL,), {}), ((np.array([-1.0, -2.0, 1e10, 171.0]),), {})],
    "digamma": [((SPECIAL,), {}), ((np.array([-1.0, -2.0, 1e10, 1e-8]),), {})],
    "logit": [((np.array([0.0, 1.0, -0.5, 1.5, NAN]),), {}), ((np.array([0.0, 1.0, -0.5, 1.5, NAN]), 0.1), {})],
    "sinc": [((SPECIAL,), {})],
    "angle": [((SPECIAL,), {})],
    "sgn": [((SPECIAL,), {}), ((MASK,), {}), ((whole(-3, 3, 4),), {})],
    "index_fill": [((whole(0, 9, 3, 4), 1, np.array([0]), 7), {}), ((MASK, 0, np.array([1]), True), {})],
    "index_put": [((whole(0, 9, 4), (PLACES,), whole(0, 9, 4)), {"accumulate": True})],
    "scatter_reduce": [((whole(0, 9, 3), 0, np.array([0, 0, 2]), whole(0, 9, 3), r), {"include_self": i}) for r in ("sum", "prod", "mean", "amax", "amin") for i in (True, False)],
    "kron": [((whole(0, 4, 2), whole(0, 4, 2, 2)), {})],
    "block_diag": [((whole(0, 4, 2, 1), normal(2)), {})],
    "addr": [((whole(0, 4, 2, 3), whole(0, 4, 2), whole(0, 4, 3)), {"alpha": 2})],
    "trapezoid": [((whole(0, 4, 5),), {})],
    "linalg.lstsq": [((normal(4, 2), normal(4, 3)), {}), ((normal(4, 2), normal(4)), {}), ((normal(2, 4), normal(2, 1)), {}), ((normal(2, 4, 3), normal(2, 4, 1)), {"driver": "gelsd"}), ((normal(3, 3), normal(3, 1)), {"driver": "gels"})],
    "linalg.qr": [((normal(4, 2),), {"mode": "complete"}), ((normal(4, 2),), {"mode": "r"})],
    "linalg.multi_dot": [(([whole(0, 4, 2, 2), whole(0, 4, 2, 2)],), {})],
}  # fmt: skip

SYMMETRIC = ("cholesky", "linalg.cholesky", "linalg.eigvalsh")  # of their gradients only the symmetric part is defined
ROWS = [(name, i) for name, calls in DIFFERENTIABLE.items() for i in range(len(calls))]
PLAIN_ROWS = [(name, i) for name, calls in PLAIN.items() for i in range(len(calls))]


def find(library: Any, name: str) -> Any:
    for part in name.split("."):
        library = getattr(library, part)
    return library


class Side:
    """One of the two libraries: how it makes tensors of arrays, and gives them back."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.leaves: list[Any] = []

    def tensors(self, value: Any, gradients: bool = False, layout: Literal["C", "F"] = "C") -> Any:
        """The arguments with tensors in place of arrays."""
        if isinstance(value, np.ndarray):
            out = self.library.from_numpy(np.array(value, order=layout))
            if gradients and value.dtype.kind == "f":
                out.requires_grad_()
                self.leaves.append(out)
            return out
        if isinstance(value, (tuple, list)):
            return type(value)(self.tensors(v, gradients, layout) for v in value)
        if isinstance(value, dict):
            return {k: self.tensors(v, gradients, layout) for k, v in value.items()}
        return value

    def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        out = find(self.library, name)(*args, **named)
        return list(out) if isinstance(out, (tuple, list)) else [out]

    def pull(self, outs: list[Any], xs: list[Any], weights: list[Any], create_graph: bool) -> list[Any]:
        """The gradients of the outputs weighted; zeros where there is no dependence."""
        pairs = [(o, self.library.from_numpy(w)) for o, w in zip(outs, weights, strict=True) if o.requires_grad]
        if not pairs or not xs:
            return [self.library.zeros(x.shape, dtype=x.dtype) for x in xs]
        roots, starts = zip(*pairs, strict=True)
        if self.library is torch:
            found = torch.autograd.grad(roots, xs, starts, create_graph=create_graph, allow_unused=True)
        else:
            found = minigrad.autograd.grad(roots, xs, starts, create_graph=create_graph, allow_unused=True)
        return [self.library.zeros(x.shape, dtype=x.dtype) if g is None else g for g, x in zip(found, xs, strict=True)]


def assert_same(what: str, got: list[Any], expected: list[Any]) -> None:
    assert len(got) == len(expected), f"{what}: {len(got)} outputs, torch has {len(expected)}"
    for a, b in zip(got, expected, strict=True):
        b = b.detach()
        assert a.shape == tuple(b.shape), f"{what}: shape {a.shape}, torch has {tuple(b.shape)}"
        assert str(a.dtype) == str(b.dtype).removeprefix("torch."), f"{what}: dtype {a.dtype}, torch has {b.dtype}"
        tolerance = {"float64": 1e-8, "float32": 1e-5, "float16": 2e-3}.get(str(a.dtype), 0.0)
        np.testing.assert_allclose(a.detach().array, b.numpy(force=True), rtol=tolerance, atol=tolerance, err_msg=what)


def weights_for(outs: list[Any]) -> list[Any]:
    numbers = np.random.Generator(np.random.Philox(5))
    return [np.asarray(numbers.normal(size=tuple(o.shape))) for o in outs]


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize(("name", "i"), ROWS)
def test_values_and_both_gradients(name: str, i: int, layout: Literal["C", "F"]) -> None:
    args, named = DIFFERENTIABLE[name][i]
    sides = [Side(minigrad), Side(torch)]
    outs, first, second = [], [], []
    for side in sides:
        try:
            outs.append(side.call(name, side.tensors(args, True, layout), side.tensors(named, True, layout)))
        except RuntimeError as error:  # torch's kron
            if side.library is not torch or "view size is not compatible" not in str(error):
                raise
            pytest.skip("torch does not take this layout")
    assert_same("value", *outs)
    for side, out in zip(sides, outs, strict=True):
        floats = [o for o in out if "float" in str(o.dtype)]
        gradients = side.pull(floats, side.leaves, weights_for(floats), True)
        first.append([g + g.mT for g in gradients] if name in SYMMETRIC else gradients)
    assert_same("gradient", *first)
    try:
        for side, g in zip(sides, first, strict=True):
            second.append(side.pull(g, side.leaves, [np.asarray(w * 0.5) for w in weights_for(g)], False))
    except NotImplementedError:  # torch's: cdist has no second derivative there
        return
    if name in SYMMETRIC:
        second = [[g + g.mT for g in gradients] for gradients in second]
    assert_same("second gradient", *second)


@pytest.mark.parametrize(("name", "i"), PLAIN_ROWS)
def test_values(name: str, i: int) -> None:
    args, named = PLAIN[name][i]
    sides = [Side(minigrad), Side(torch)]
    assert_same("value", *[side.call(name, side.tensors(args), side.tensors(named)) for side in sides])


def torch_has(form: str) -> bool:
    return hasattr(torch.Tensor, form)


TENSOR_FIRST = [n for n in DIFFERENTIABLE if "." not in n and isinstance(DIFFERENTIABLE[n][0][0][0], np.ndarray)]


@pytest.mark.parametrize("name", [n for n in (*TENSOR_FIRST, *PLAIN) if torch_has(n)])
def test_methods(name: str) -> None:
    args, named = {**PLAIN, **DIFFERENTIABLE}[name][0]
    assert_same("method", *[side.call("Tensor." + name, side.tensors(args), side.tensors(named)) for side in (Side(minigrad), Side(torch))])


@pytest.mark.parametrize("name", [n for n in (*TENSOR_FIRST, *PLAIN) if torch_has(n + "_") and n != "unique_consecutive"])
def test_in_place_forms(name: str) -> None:
    """x.f_() writes what f(x) gives, with the gradient of f (torch has it in place for some only)."""
    args, named = {**PLAIN, **DIFFERENTIABLE}[name][0]
    side, other = Side(minigrad), Side(torch)
    with_gradients = name in DIFFERENTIABLE
    x, *others = side.tensors(args, with_gradients)
    target = x.clone()
    assert getattr(target, name + "_")(*others, **side.tensors(named, with_gradients)) is target
    outs = other.call(name, other.tensors(args, with_gradients), other.tensors(named, with_gradients))
    assert_same("in place", [target], [outs[0].to(getattr(torch, str(target.dtype)))])
    if with_gradients:
        assert_same("gradient in place", *[s.pull(o, s.leaves, weights_for(o), False) for s, o in ((side, [target]), (other, outs))])


SAME = object()  # stands for the input once more
ONE_ARGUMENT = [
    "exp2", "asinh", "acosh", "atanh", "erfc", "erfinv", "lgamma", "digamma", "logit", "sinc", "deg2rad", "rad2deg", "sgn", "signbit",
    "isposinf", "isneginf", "angle", "nansum", "nanmean", "nanmedian", "aminmax", "mode", "msort", "diff", "corrcoef", "cov", "diag_embed",
    "diagflat", "unique", "unique_consecutive", "inverse", "det", "logdet", "slogdet", "cholesky", "trapezoid", "atleast_3d",
    "linalg.norm", "linalg.vector_norm", "linalg.matrix_norm", "linalg.inv", "linalg.pinv", "linalg.qr", "linalg.svdvals", "linalg.eigvalsh",
]  # fmt: skip
TWO_ARGUMENTS = [
    "fmax", "fmin", "copysign", "xlogy", "float_power", "ldexp", "gcd", "lcm", "bitwise_left_shift", "bitwise_right_shift", "heaviside",
    "hypot", "logaddexp", "logaddexp2", "kron", "dist", "cdist", "isin", "vdot", "linalg.solve", "linalg.vecdot", "Tensor.__lshift__",
    "Tensor.__rshift__", "Tensor.__rdiv__",
]  # fmt: skip
ANY_DTYPE: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(ONE_ARGUMENT, ()),
    **dict.fromkeys(TWO_ARGUMENTS, (SAME,)),
    **dict.fromkeys(["cummax", "cummin", "logcumsumexp", "quantile"], (0,)),
    "kthvalue": (2,), "renorm": (2, 0, 1), "split_with_sizes": ([1, 1],), "Tensor.unfold": (1, 2, 1), "histc": (4,),
    "linalg.matrix_power": (2,), "addr": (np.array([1, 2]), np.array([1, 2])), "index_fill": (0, np.array([1]), 1),
}  # fmt: skip
WIDER = {("cdist", "float16"), ("isin", "bool")}  # what torch has no kernel for


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float16", "float32"])
@pytest.mark.parametrize("name", ANY_DTYPE)
def test_dtypes(name: str, dtype: str) -> None:
    """The dtype of the result is torch's, and where torch refuses one so do we."""
    x = np.array([[1, 2], [0, 3]]).astype(dtype)
    given = ANY_DTYPE[name]
    args = [x, *[x if a is SAME else a.astype(dtype) if isinstance(a, np.ndarray) and name == "addr" else a for a in given]]
    torch_side, side = Side(torch), Side(minigrad)
    try:
        expected = torch_side.call(name, torch_side.tensors(tuple(args)), {})
    except (RuntimeError, TypeError):
        if (name, dtype) in WIDER:
            return
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            side.call(name, side.tensors(tuple(args)), {})
        return
    assert_same(name, side.call(name, side.tensors(tuple(args)), {}), expected)
