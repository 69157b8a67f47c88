"""What every operation keeps: one function a law, which draws a call of the operation and checks it.

`LAWS` has them by name. `law.applies(op)` tells whether an operation is subject to a law, `law(op, draw)` checks one example, where
`draw` is Hypothesis's: ``data.draw`` of a test with ``@given(data=st.data())``.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from hypothesis import reject

from minigrad.core.engine import backward, grad
from minigrad.core.tensor import TABLE, Tensor, make_tensor
from minigrad.kernels import of, reference, xp
from minigrad.testing.numeric import compare, slopes, undecided
from minigrad.testing.report import GradientError
from minigrad.testing.strategies import Array, Call, Draw, DrawFunction, calls, cotangents

Check = Callable[[Any, DrawFunction], None]
CLEAN_ERRORS = (IndexError, RuntimeError, ValueError)
EPSILON_64 = 1e-12
EPSILON_32 = 2e-5


class Law:
    """One law: which operations it holds for, and how it is checked."""

    def __init__(self, check: Check, applies: Callable[[Any], bool]) -> None:
        self.check = check
        self.applies = applies
        self.name = check.__name__
        self.__doc__ = check.__doc__

    def __call__(self, op: Any, draw: DrawFunction) -> None:
        self.check(op, draw)

    def __repr__(self) -> str:
        return f"<law {self.name}>"


LAWS: dict[str, Law] = {}


def law(applies: Callable[[Any], bool]) -> Callable[[Check], Check]:
    """Registers a function as a law for the operations that `applies` names."""

    def register(check: Check) -> Check:
        LAWS[check.__name__] = Law(check, applies)
        return check

    return register


# --- which operations -------------------------------------------------------------------------------------------------


def every(op: Any) -> bool:
    return True


def has_rules(op: Any) -> bool:
    return bool(op.rules)


def has_oracle(op: Any) -> bool:
    return oracle_of(op) is not None


def is_fused(op: Any) -> bool:
    return op.equals is not None


def uses_kernels(op: Any) -> bool:
    return getattr(sys.modules.get(op.__module__), "of", None) is of


def is_linear(op: Any) -> bool:
    return op.facts.get("laws") in ("linear", "bilinear")


def broadcasts(op: Any) -> bool:
    return op.facts.get("laws") == "elementwise" and op.n_tensors > 1


def takes_pairs(op: Any) -> bool:
    return len(op.facts.get("domains", ())) > 1


def writes_in_place(op: Any) -> bool:
    # x[key] = value has tests of its own: its form takes the key last. transpose_ and its like write no element.
    return f"{op.name}_" in TABLE and op.name != "setitem" and not op.view


# --- how to evaluate --------------------------------------------------------------------------------------------------


def leaves(arrays: Sequence[Array]) -> list[Tensor]:
    """Tensors around these very arrays, asking for gradients."""
    return [make_tensor(a).requires_grad_() for a in arrays]


def pull_back(
    outs: Sequence[Tensor], weights: Sequence[Any], xs: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor]:
    """The gradients of sum(weight * out); zeros for those on which no output depends."""
    pairs = [
        (out, w if isinstance(w, Tensor) else make_tensor(w))
        for out, w in zip(outs, weights, strict=True)
        if out.requires_grad
    ]
    if not pairs:
        return [make_tensor(xp(x.array).zeros(x.shape, x.dtype)) for x in xs]
    roots, starts = zip(*pairs, strict=True)
    return list(grad(roots, xs, starts, create_graph=create_graph, allow_unused=True, materialize_grads=True))


@contextmanager
def empty_may_raise(call: Call) -> Iterator[None]:
    """Lets an operation refuse arrays without elements, if its message says so in its name; such examples are not counted."""
    try:
        yield
    except CLEAN_ERRORS as error:
        if all(a.size for a in call.arrays) or call.op.name not in str(error):
            raise
        reject()


def evaluate(call: Call) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """Leaves around the call's inputs, and its differentiable outputs for them."""
    xs = leaves(call.inputs)
    with empty_may_raise(call):
        return xs, call.differentiable(*xs)


def value_and_gradient(call: Call, weights: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """The arrays of all outputs, and of the gradients."""
    xs = leaves(call.inputs)
    with empty_may_raise(call):
        outs = call(*xs)
        gradients = pull_back(call.differentiable(*xs), weights, xs)
    return [out.array for out in outs], [g.array for g in gradients]


def draw_weights(call: Call, draw: DrawFunction, integers: bool = False) -> list[Array]:
    """Cotangents for the differentiable outputs of a call."""
    _, outs = evaluate(call)
    return list(draw(cotangents([out.array for out in outs], integers)))


def assert_near(what: str, got: Sequence[Array], expected: Sequence[Array], tolerance: float) -> None:
    """Compares arrays, relative to the size of the largest finite number among them."""
    assert len(got) == len(expected), f"{what}: {len(got)} arrays, expected {len(expected)}"
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
        finite = b[np.isfinite(b)] if b.dtype.kind == "f" else b
        size = float(np.abs(finite.astype(np.float64)).max(initial=1.0))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size, err_msg=what)


# --- values -----------------------------------------------------------------------------------------------------------


def elementwise(scalar: Callable[..., Any], *arrays: Array, **named: Any) -> Array:
    """A function of numbers, applied to each element of arrays that are broadcast together."""
    found = [
        scalar(*[x.item() for x in xs], **named)
        for xs in zip(*[a.flat for a in np.broadcast_arrays(*arrays)], strict=True)
    ]
    return np.array(found).reshape(np.broadcast_shapes(*[a.shape for a in arrays]))


def oracle_of(op: Any) -> Callable[..., Any] | None:
    """What says what the operation should give: a scalar function declared with it, or the reference kernel of its name."""
    if "oracle" in op.facts:
        return partial(elementwise, op.facts["oracle"])
    kernel = getattr(reference, op.name, None)
    return kernel if op.__module__ in ("minigrad.ops.conv", "minigrad.ops.pool") else None


@law(has_oracle)
def value(op: Any, draw: DrawFunction) -> None:
    """The operation gives what its oracle gives."""
    call = draw(calls(op))
    outs = [out.array for out in call(*leaves(call.inputs))]
    oracle = oracle_of(op)
    assert oracle is not None
    expected = oracle(*call.args, **call.named)
    assert_near("value", outs, expected if isinstance(expected, tuple) else (expected,), EPSILON_64)


class OnReference(np.ndarray[Any, Any]):
    """An array whose operations are computed by the reference kernels, in NumPy."""

    kernels = reference


@law(uses_kernels)
def kernels(op: Any, draw: DrawFunction) -> None:
    """The kernels of the processor give what the reference ones give, in value and gradient."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    there = call.with_inputs([a.view(OnReference) for a in call.inputs])
    found = value_and_gradient(call, weights)
    expected = value_and_gradient(there, [w.view(OnReference) for w in weights])
    for what, ours, theirs in zip(("value", "gradient"), found, expected, strict=True):
        assert_near(what, ours, [np.asarray(a) for a in theirs], EPSILON_64)


@law(every)
def float32(op: Any, draw: DrawFunction) -> None:
    """float32 arrays give what float64 arrays give, to single precision, and results and gradients are float32."""
    call = draw(calls(op, np.float32))
    wide = call.with_inputs([a.astype(np.float64) for a in call.inputs])
    weights = draw_weights(call, draw)
    outs, gradients = value_and_gradient(call, weights)
    wide_outs, wide_gradients = value_and_gradient(wide, [w.astype(np.float64) for w in weights])
    if op.name != "cast":
        for out, wide_out in zip(outs, wide_outs, strict=True):
            assert out.dtype == (np.float32 if wide_out.dtype == np.float64 else wide_out.dtype)
    assert all(g.dtype == np.float32 for g in gradients)
    assert_near("value in float32", outs, wide_outs, EPSILON_32)
    assert_near("gradient in float32", gradients, wide_gradients, EPSILON_32)


@law(every)
def layout(op: Any, draw: DrawFunction) -> None:
    """The layout of the arguments and of the cotangent in memory changes nothing."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    tidy = call.with_inputs([np.array(a, order="C") for a in call.inputs])
    outs, gradients = value_and_gradient(call, weights)
    tidy_outs, tidy_gradients = value_and_gradient(tidy, [np.array(w, order="C") for w in weights])
    assert_near("value", outs, tidy_outs, EPSILON_64)
    assert_near("gradient", gradients, tidy_gradients, EPSILON_64)


@law(every)
def unmodified(op: Any, draw: DrawFunction) -> None:
    """Neither the operation nor its derivatives, first and second, write into what they were given; twice the same, to the bit."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    before = [a.copy() for a in (*call.arrays, *weights)]
    results = []
    for _ in range(2):
        xs = leaves(call.inputs)
        with empty_may_raise(call):
            outs = call.differentiable(*xs)
            value = [out.array.copy() for out in outs]
            first = pull_back(outs, weights, xs, create_graph=True)
            second = pull_back(first, [np.ones(g.shape, g.dtype) for g in first], xs)
        for array, copy in zip((*call.arrays, *weights), before, strict=True):
            np.testing.assert_array_equal(array, copy, err_msg="an argument was written to")
        for out, copy in zip(outs, value, strict=True):
            np.testing.assert_array_equal(out.array, copy, err_msg="backward wrote into the output")
        results.append([*value, *[g.array for g in (*first, *second)]])
    for once, again in zip(*results, strict=True):
        np.testing.assert_array_equal(once, again, err_msg="the second run differs from the first")


@law(every)
def empty(op: Any, draw: DrawFunction) -> None:
    """Arrays without elements give results and gradients of the right shapes, or an error that names the operation."""
    call = draw(calls(op, empty=True))
    xs = leaves(call.inputs)
    try:
        outs = call.differentiable(*xs)
    except CLEAN_ERRORS as error:
        assert op.name in str(error), f"the message does not name the operation: {error}"
        return
    gradients = pull_back(outs, [np.ones(out.shape, out.dtype) for out in outs], xs)
    for array, g in zip(call.inputs, gradients, strict=True):
        assert g.array.shape == array.shape


@law(every)
def pickling(op: Any, draw: DrawFunction) -> None:
    """An operation is pickled by its name, its results by their values."""
    assert pickle.loads(pickle.dumps(op)) is op
    for out in evaluate(draw(calls(op)))[1]:
        again = pickle.loads(pickle.dumps(out.detach()))
        assert again.dtype == out.dtype
        np.testing.assert_array_equal(again.array, out.array)


@law(is_fused)
def fused(op: Any, draw: DrawFunction) -> None:
    """A fused operation and the composite that it equals have the same value and the same gradient, whichever of them computes it."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    xs, outs = evaluate(call)
    named = {**dict(zip(op.static_names, op.defaults, strict=True)), **call.named}
    composite = op.equals(
        *[make_tensor(a) if isinstance(a, np.ndarray) else a for a in call.args[: op.n_tensors]], *named.values()
    )
    assert_near("value", [outs[0].array], [composite.array], EPSILON_64)
    ways = [[g.array for g in pull_back(outs, weights, xs, create)] for create in (True, False)]
    assert_near("gradient", ways[1], ways[0], EPSILON_64)


# --- derivatives ------------------------------------------------------------------------------------------------------


@law(every)
def differentiable(op: Any, draw: DrawFunction) -> None:
    """An output of floats has a vjp for every float input, and needs a gradient if that does; others never do."""
    call = draw(calls(op))
    served = {i for rule in op.rules for i in rule.inputs}
    for i, (place, name) in enumerate(zip(call.places, call.names, strict=True)):
        xs = [make_tensor(a).requires_grad_(i == j) for j, a in enumerate(call.inputs)]
        with empty_may_raise(call):
            outs = call(*xs)
        carrying = [n < len(outs) - op.aux and out.dtype.kind == "f" for n, out in enumerate(outs)]
        assert [out.requires_grad for out in outs] == carrying, f"which outputs need a gradient for input {name!r}"
        assert (0 if op.variadic else place) in served or not any(carrying), f"{op.name} has no vjp for {name!r}"


@law(has_rules)
def gradient(op: Any, draw: DrawFunction) -> None:
    """Each vjp gives what differences of the operation give."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    xs, outs = evaluate(call)
    check_slopes("the gradient of", call, call.differentiable, xs, outs, weights)


@law(has_rules)
def second_derivative(op: Any, draw: DrawFunction) -> None:
    """The vjps of the vjps, with respect to the inputs and to the cotangent, give what differences of the vjps give."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    n = len(call.inputs)

    def first(*xs_and_weights: Tensor) -> list[Tensor]:
        xs, ws = xs_and_weights[:n], xs_and_weights[n:]
        return pull_back(call.differentiable(*xs), ws, xs, create_graph=True)

    points = leaves([*call.inputs, *weights])
    with empty_may_raise(call):
        gradients = first(*points)
    again = draw(cotangents([g.array for g in gradients]))
    check_slopes("the second derivative by", call, first, points, gradients, again)


def check_slopes(
    what: str,
    call: Call,
    function: Callable[..., Sequence[Tensor]],
    xs: Sequence[Tensor],
    outs: Sequence[Tensor],
    weights: Sequence[Array],
) -> None:
    """Compares the gradients of a function of tensors with its differences; examples that lie on kinks entirely are not counted."""
    names = [*call.names, *[f"cotangent {i}" for i in range(len(xs) - len(call.names))]]
    found = [g.array for g in pull_back(outs, weights, xs)]
    expected = slopes(lambda *arrays: [out.array for out in function(*leaves(arrays))], [x.array for x in xs], weights)
    if undecided(expected):
        reject()
    for name, g, s in zip(names, found, expected, strict=True):
        compare(f"{what} {call.op.name}'s {name!r}", g, s)


@law(is_linear)
def adjoint(op: Any, draw: DrawFunction) -> None:
    """<g, f(x)> = <vjp(g), x>, exactly on whole numbers; for bilinear operations in each of the first two inputs."""
    call = draw(calls(op, integers=True))
    xs, outs = evaluate(call)
    weights = draw(cotangents([out.array for out in outs], True))
    found = [g.array for g in pull_back(outs, weights, xs)]
    forward = sum(float((w * out.array).sum()) for w, out in zip(weights, outs, strict=True))
    inner = [float((g * x).sum()) for g, x in zip(found, call.inputs, strict=True)]
    if op.facts["laws"] == "bilinear":
        added = sum(inner[2:])
        sides = [inner[0] + added, inner[1] + added]
    else:
        sides = [sum(inner)]
    for side in sides:
        if side != forward:
            raise GradientError(f"{op.name}: <g, f(x)> is {forward!r} but <vjp(g), x> is {side!r}")


@law(is_linear)
def superposition(op: Any, draw: DrawFunction) -> None:
    """f(2x + 3y) is 2f(x) + 3f(y), exactly on whole numbers, but for what f(0) adds; for bilinear operations in each of the first two inputs."""
    call = draw(calls(op, integers=True))
    inputs = call.inputs
    others = [Draw(draw, a.dtype, True).array(a.shape) for a in inputs]
    moving = [[0], [1]] if op.facts["laws"] == "bilinear" else [list(range(len(inputs)))]
    for places in moving:
        if max(places, default=0) >= len(inputs):
            continue

        def value(arrays: Sequence[Array], places: Sequence[int] = places) -> list[Array]:
            full = [arrays[i] if i in places else a for i, a in enumerate(inputs)]
            with empty_may_raise(call):
                return [out.array for out in call.differentiable(*leaves(full))]

        both = value([np.asarray(2 * a + 3 * b) for a, b in zip(inputs, others, strict=True)])
        parts = [value(inputs), value(others), value([np.zeros_like(a) for a in inputs])]
        for combined, of_x, of_y, of_0 in zip(both, *parts, strict=True):
            np.testing.assert_array_equal(
                combined - of_0, 2 * (of_x - of_0) + 3 * (of_y - of_0), err_msg=f"{op.name} is not linear"
            )


@law(broadcasts)
def broadcasting(op: Any, draw: DrawFunction) -> None:
    """An operand that is broadcast counts as one that was expanded before: same value, and its gradient is summed."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    outs, gradients = value_and_gradient(call, weights)
    shape = outs[0].shape
    wide = call.with_inputs([np.broadcast_to(a, shape) for a in call.inputs])
    wide_outs, wide_gradients = value_and_gradient(wide, weights)
    assert_near("value", outs, wide_outs, EPSILON_64)
    summed = []
    for array, g in zip(call.inputs, wide_gradients, strict=True):
        extra = len(shape) - array.ndim
        axes = tuple(range(extra)) + tuple([i + extra for i, n in enumerate(array.shape) if n == 1])
        summed.append(g.sum(axes).reshape(array.shape))
    assert_near("gradient", gradients, summed, EPSILON_64)


@law(has_rules)
def fan_out(op: Any, draw: DrawFunction) -> None:
    """What is used twice gets both gradients: f(x) + f(x) has twice the gradient of f(x)."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    _, once = value_and_gradient(call, weights)
    xs = leaves(call.inputs)
    outs = [*call.differentiable(*xs), *call.differentiable(*xs)]
    twice = [g.array for g in pull_back(outs, [*weights, *weights], xs)]
    assert_near("gradient of f(x) + f(x)", twice, [2 * g for g in once], EPSILON_64)
    for _ in range(2):
        pairs = [
            (out, make_tensor(w)) for out, w in zip(call.differentiable(*xs), weights, strict=True) if out.requires_grad
        ]
        if pairs:
            roots, starts = zip(*pairs, strict=True)
            backward(roots, starts)
    reached = [x.grad.array if x.grad is not None else np.zeros(x.shape) for x in xs]
    assert_near(".grad after two backwards", reached, [2 * g for g in once], EPSILON_64)


@law(takes_pairs)
def aliasing(op: Any, draw: DrawFunction) -> None:
    """One tensor in the place of two inputs gets the sum of what two equal ones get."""
    call = draw(calls(op))
    call = call.with_inputs([max(call.inputs, key=lambda a: a.size)] * len(call.inputs))
    weights = draw_weights(call, draw)
    _, apart = value_and_gradient(call, weights)
    (x,) = leaves(call.inputs[:1])
    together = pull_back(call.differentiable(*[x] * len(call.inputs)), weights, [x])
    assert_near("gradient", [together[0].array], [np.sum(apart, 0)], EPSILON_64)


@law(writes_in_place)
def in_place(op: Any, draw: DrawFunction) -> None:
    """x.f_() leaves in x what f(x) gives, with the same gradient, and says that it wrote."""
    call = draw(calls(op))
    weights = draw_weights(call, draw)
    outs, gradients = value_and_gradient(call, weights)
    if outs[0].shape != call.args[0].shape:
        reject()
    xs = leaves(call.inputs)
    target = make_tensor(call.args[0]).clone() if not call.places or call.places[0] else xs[0].clone()
    writes = target._version
    others = [make_tensor(a) if isinstance(a, np.ndarray) else a for a in call.args[1 : op.n_tensors]]
    for place, x in list(zip(call.places, xs, strict=True)):
        if place:
            others[place - 1] = x
    result = TABLE[f"{op.name}_"](target, *others, *call.args[op.n_tensors :], **call.named)
    assert result is target
    assert target._version == writes + 1
    assert_near(
        "value in place", [target.array], [outs[0].astype(target.dtype)], EPSILON_64
    )  # truth values become 0 and 1 of its dtype
    if weights:
        assert_near("gradient in place", [g.array for g in pull_back([target], weights, xs)], gradients, EPSILON_64)


def telling_first() -> list[str]:
    """The names of all laws, those first that notice most."""
    first = ["gradient", "unmodified", "fan_out", "second_derivative"]
    return first + [name for name in LAWS if name not in first]
