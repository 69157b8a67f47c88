"""The kit finds what it is there to find: each law fails for an operation that breaks it, and none for one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from minigrad.autograd.numeric import SMOOTH
from minigrad.core.inplace import in_place
from minigrad.core.primitive import REGISTRY, primitive
from minigrad.core.tensor import TABLE, Tensor, make_tensor
from minigrad.ops.families import NONZERO, REAL
from minigrad.testing import LAWS, Draw, GradientError, calls, compare, cotangents, slopes
from minigrad.testing.strategies import readable_numbers

KEPT: list[Any] = []  # what rules must not do: keep something between calls


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    """Operations that a test defines leave no trace."""
    operations, table, methods = dict(REGISTRY), dict(TABLE), set(vars(Tensor))
    yield
    for known, before in ((REGISTRY, operations), (TABLE, table)):
        for name in set(known) - set(before):
            del known[name]
        known.update(before)
    for name in set(vars(Tensor)) - methods:
        delattr(Tensor, name)


def broken_laws(op: Any) -> set[str]:
    """The names of the laws for which Hypothesis finds a counterexample."""
    broken = set()
    for name, law in LAWS.items():
        if not law.applies(op):
            continue

        @settings(max_examples=25, phases=[Phase.generate], derandomize=True, database=None, deadline=None)
        @given(data=st.data())
        def check(data: Any) -> None:
            law(op, data.draw)  # noqa: B023

        try:
            check()
        except InvalidArgument:
            raise
        except Exception:
            broken.add(name)
    return broken


def define(forward: Any, vjps: dict[str, Any], **facts: Any) -> Any:
    op = primitive(
        method=False, **{"domains": (REAL,) * forward.__code__.co_posonlyargcount, "laws": "elementwise"} | facts
    )(forward)
    for name, rule in vjps.items():
        op.vjp(name)(rule)
    return op


def cubed(input: Any, /) -> Any:
    return input * input * input


def times(input: Any, other: Any, /) -> Any:
    return input * other


def test_a_correct_operation_breaks_no_law() -> None:
    op = define(cubed, {"input": lambda g, input: g * 3 * input * input}, oracle=lambda x: x**3)
    in_place(op)
    assert broken_laws(op) == set()
    assert (
        broken_laws(define(times, {"input": lambda g, other: g * other, "other": lambda g, input: g * input})) == set()
    )


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (lambda g, input: g * input * input * -3, {"gradient"}),
        (lambda g, input: g * input * input * 1.5, {"gradient"}),
        (lambda g, input: input * input * 3, {"gradient"}),
        (lambda g, input: g * 3 * input.abs() * input, {"gradient"}),
        (lambda g, input: g.detach() * 3 * input * input, {"second_derivative"}),
        (lambda g, input: g * 3 * input * input.detach(), {"second_derivative"}),
        (lambda g, input: g * 3.00001 * input * input, {"gradient"}),
    ],
    ids=["sign", "factor", "cotangent forgotten", "half right", "cut off from g", "cut off from x", "a little off"],
)
def test_wrong_rules_are_found(rule: Any, broken: set[str]) -> None:
    assert broken <= broken_laws(define(cubed, {"input": rule}))


def test_a_missing_rule_is_found() -> None:
    assert {"differentiable", "gradient"} <= broken_laws(define(times, {"input": lambda g, other: g * other}))


def test_exchanged_rules_are_found() -> None:
    op = define(times, {"input": lambda g, input: g * input, "other": lambda g, other: g * other})
    assert "gradient" in broken_laws(op)


def test_a_wrong_value_is_found() -> None:
    op = define(lambda input, /: input * input, {"input": lambda g, input: 2 * g * input}, oracle=lambda x: x**3)
    assert broken_laws(op) == {"value"}


def test_writing_into_an_argument_is_found() -> None:
    def doubled(input: Any, /) -> Any:
        if input.flags.writeable:
            input += input
            return input.copy()
        return 2 * input

    assert "unmodified" in broken_laws(define(doubled, {"input": lambda g: 2 * g}))


def test_a_rule_that_writes_into_the_cotangent_is_found() -> None:
    def rule(g: Any) -> Any:
        if g.array.flags.writeable:
            g.array *= 1.0 + 2**-20
        return 2 * g

    assert "unmodified" in broken_laws(define(lambda input, /: 2 * input, {"input": rule}))


def test_reading_memory_instead_of_elements_is_found() -> None:
    def negated(input: Any, /) -> Any:
        return -np.lib.stride_tricks.as_strided(input, input.shape, np.empty(input.shape, input.dtype).strides)

    op = define(negated, {"input": lambda g: -g})
    op.facts["cases"] = lambda draw: ((draw.array((2, 2)),), {})
    assert "layout" in broken_laws(op)


def test_results_that_change_from_call_to_call_are_found() -> None:
    KEPT.clear()

    def counted(input: Any, /) -> Any:
        KEPT.append(None)
        return input + len(KEPT) * 2.0**-30

    assert "unmodified" in broken_laws(define(counted, {"input": lambda g: g}))


def test_a_wider_result_is_found() -> None:
    assert "float32" in broken_laws(define(lambda input, /: np.float64(2) * input, {"input": lambda g: 2 * g}))


def test_low_precision_is_found() -> None:
    def imprecise(input: Any, /) -> Any:
        return input.astype(np.float16).astype(input.dtype) * 1.1 + (1e-3 if input.dtype == np.float32 else 0)

    assert "float32" in broken_laws(define(imprecise, {"input": lambda g: 1.1 * g}))


def test_a_forgotten_sum_over_broadcast_axes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, "sum_to_size", lambda g, shape: g.mean().expand(shape))
    assert {"gradient", "broadcasting"} <= broken_laws(REGISTRY["add"])


def test_a_nonlinear_operation_that_claims_to_be_linear_is_found() -> None:
    op = define(lambda input, /: input + 1.0, {"input": lambda g: g}, laws="linear")
    assert "adjoint" in broken_laws(op)


def test_a_wrong_adjoint_is_found_exactly() -> None:
    op = define(lambda input, /: input * 3.0, {"input": lambda g: g * (3.0 + 1e-13)}, laws="linear")
    assert broken_laws(op) == {"adjoint"}


def test_a_rule_that_cannot_do_without_elements_is_found() -> None:
    op = define(lambda input, /: 2 * input, {"input": lambda g: 2 * g * (g.reshape(-1)[0] / g.reshape(-1)[0])})
    assert "empty" in broken_laws(op)


def test_a_wrong_in_place_form_is_found() -> None:
    op = define(lambda input, /: input * 2.0, {"input": lambda g: g * 2.0})
    in_place(op)

    def write(array: Any) -> None:
        array *= 3.0

    op.writes(write)
    assert broken_laws(op) == {"in_place"}


# --- differences ------------------------------------------------------------------------------------------------------


def test_differences_of_a_linear_function_are_exact() -> None:
    (found,) = slopes(lambda x: [3 * x], [np.array([0.5, -1.25], np.float32)], [np.array([1.0, 2.0])])
    assert found.value.tolist() == [3.0, 6.0]


def test_differences_are_precise() -> None:
    x = np.linspace(0.5, 2.0, 4)
    (found,) = slopes(lambda x: [np.exp(x), np.sin(x)], [x], [np.ones(4), np.full(4, 2.0)])
    np.testing.assert_allclose(found.value, np.exp(x) + 2 * np.cos(x), rtol=1e-11)
    assert (found.state == SMOOTH).all()


@pytest.mark.parametrize(
    "function",
    [
        np.abs,
        np.sign,
        np.floor,
        lambda x: np.maximum(x, 2 * x),
        np.sqrt,
        lambda x: np.heaviside(x, 0.5),
        lambda x: 1 / x,
    ],
)
def test_kinks_and_jumps_are_known(function: Any) -> None:
    with np.errstate(all="ignore"):
        (found,) = slopes(lambda x: [function(x)], [np.array([0.0, 0.5])], [np.ones(2)])
    assert (found.state == SMOOTH).tolist() == [False, True]


def test_a_wrong_gradient_is_reported_with_its_worst_element() -> None:
    (expected,) = slopes(lambda x: [x * x], [np.array([1.0, 2.0])], [np.ones(2)])
    compare("the gradient of square", np.array([2.0, 4.0]), expected)
    with pytest.raises(
        GradientError, match=r"the gradient of square is .*5.0.* at \[1\], but .*4.0.* \(1 of 2 elements are wrong\)"
    ):
        compare("the gradient of square", np.array([2.0, 5.0]), expected)
    with pytest.raises(GradientError, match="at \\[0\\]"):
        compare("the gradient of square", np.array([np.nan, 4.0]), expected)
    with pytest.raises(GradientError, match="shape"):
        compare("the gradient of square", np.array([2.0]), expected)


# --- drawing ----------------------------------------------------------------------------------------------------------


def test_numbers_are_ordered_from_simple_to_complicated() -> None:
    numbers = readable_numbers(-1.0, 2.0, (0.0,), False)
    assert numbers[:6].tolist() == [1.0, -1.0, 2.0, 0.5, -0.5, 1.5]
    assert set(numbers) == {i / 8 for i in range(-8, 17)} - {0.0}
    assert readable_numbers(-2.0, 2.0, (), True).tolist() == [0.0, 1.0, -1.0, 2.0, -2.0]
    with pytest.raises(ValueError, match="no multiple of 1/8"):
        readable_numbers(0.01, 0.02, (), False)


def layouts_of(array: Any) -> set[str]:
    strides = array.strides
    names = {"negative"} if any(s < 0 for s in strides) else set()
    if any(s == 0 and n > 1 for s, n in zip(strides, array.shape, strict=True)):
        names.add("zero")
    if array.ndim > 1 and list(strides) != sorted(strides, reverse=True):
        names.add("transposed")
    if array.flags.c_contiguous:
        names.add("contiguous")
    if array.size == 0:
        names.add("empty")
    if array.base is not None and array.base.size > array.size:
        names.add("part")
    return names


def test_all_layouts_are_drawn() -> None:
    seen: set[str] = set()

    @settings(max_examples=200, derandomize=True, database=None)
    @given(data=st.data())
    def collect(data: Any) -> None:
        call = data.draw(calls(REGISTRY["mul"]))
        for array in (*call.inputs, *data.draw(cotangents([np.zeros((2, 3))]))):
            assert np.isfinite(array).all()
            seen.update(layouts_of(array))

    collect()
    assert seen == {"negative", "zero", "transposed", "contiguous", "empty", "part"}


def test_arguments_stay_in_their_domain() -> None:
    @settings(max_examples=50, derandomize=True, database=None)
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = Draw(data.draw)
        array = draw.array((3, 2), NONZERO.low, NONZERO.high, NONZERO.kinks)
        assert (np.abs(array) >= 1 / 8).all()
        assert (np.abs(array) <= 4).all()
        whole = Draw(data.draw, integers=True).array((4,))
        assert (whole == np.round(whole)).all()
        key = draw.index((3, 2), unique=True)
        counts = np.zeros((3, 2), int)
        np.add.at(counts, key, 1)
        assert counts.max() <= 1
        assert 0 in Draw(data.draw, empty=True).shape()

    check()


def test_examples_shrink_to_the_simplest() -> None:
    call = find(
        calls(REGISTRY["mul"]), lambda c: c.inputs[0].size >= 2, settings=settings(database=None, derandomize=True)
    )
    assert repr(call) == "mul(array([0., 0.]), array([0., 0.]))"


def test_an_operation_that_declares_nothing_cannot_be_called() -> None:
    op = primitive(method=False)(lambda input, /: input)
    with pytest.raises(TypeError, match="declares neither domains nor cases"):
        find(calls(op), lambda c: True, settings=settings(database=None))


def slope_of_cube(factor: float) -> Any:
    """A rule for cubed that cannot be differentiated again."""
    return lambda g, input: make_tensor(np.asarray(g.array * factor * input.array**2))


def test_a_fused_operation_breaks_no_law_if_it_equals_its_composite() -> None:
    assert broken_laws(define(cubed, {"input": slope_of_cube(3.0)}, equals=lambda input: input**3.0)) == set()


def test_a_fused_operation_that_does_not_equal_its_composite_is_found() -> None:
    assert "fused" in broken_laws(
        define(cubed, {"input": slope_of_cube(3.0)}, equals=lambda input: 1.0001 * input**3.0)
    )
    assert {"fused", "gradient"} <= broken_laws(
        define(cubed, {"input": slope_of_cube(3.0001)}, equals=lambda input: input**3.0)
    )
