"""Functions with a backward of their own, as in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.autograd.scenarios import Scenarios, function, leaf, plain, refused

torch = pytest.importorskip("torch")

scenario = Scenarios()


def saving(ctx: Any, x: Any, *others: Any) -> Any:
    ctx.save_for_backward(x)
    return x * x


def square_backward(ctx: Any, g: Any) -> Any:
    (x,) = ctx.saved_tensors
    return 2 * x * g


@scenario
def what_backward_of_a_function_may_return(lib: Any) -> Any:
    def run(result: Callable[[Any], Any]) -> Any:
        custom = function(lib, lambda ctx, x, n: x * n, lambda ctx, g: result(g))
        x = leaf(lib, 1.0, 2.0)
        return refused(lambda: lib.autograd.grad(custom.apply(x, 3).sum(), x, allow_unused=True)[0])

    return [
        run(lambda g: (g, None)),
        run(lambda g: g),
        run(lambda g: (g, None, None)),
        run(lambda g: (g, None, g)),
        run(lambda g: (g, g)),
        run(lambda g: [g, None]),
        run(lambda g: None),
        run(lambda g: (None, None)),
        run(lambda g: (1.0, None)),
        run(lambda g: (plain(lib, 1.0, 1.0, 1.0), None)),
        run(lambda g: (g.sum(), None)),
        run(lambda g: (g.reshape(1, 2), None)),
        run(lambda g: (lib.stack([g, g, g]), None)),
        run(lambda g: (g.float(), None)),
        run(lambda g: 1 / 0),
    ]


@scenario
def functions_of_functions(lib: Any) -> Any:
    custom = function(lib, saving, square_backward)
    x = leaf(lib, 1.0, 2.0)
    y = custom.apply(x)
    (first,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = lib.autograd.grad((first * first).sum(), x, create_graph=True)
    (third,) = lib.autograd.grad(second.sum(), x)
    twice = custom.apply(custom.apply(x) + x)
    return (
        first,
        second,
        third,
        lib.autograd.grad(twice.sum(), x),
        y.grad_fn.name(),
        y.grad_fn.needs_input_grad,
        y.is_leaf,
        y.requires_grad,
    )


@scenario
def a_function_that_saves_its_output(lib: Any) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    def backward(ctx: Any, g: Any) -> Any:
        (out,) = ctx.saved_tensors
        return g * out

    custom = function(lib, forward, backward)
    x = leaf(lib, 1.0, 2.0)
    y: Any = custom.apply(x).sum()
    found = []
    for _ in range(3):
        (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
        found.append(y)
    z = custom.apply(x)
    z.add_(1)
    return found, refused(lambda: z.sum().backward())


@scenario
def several_outputs(lib: Any) -> Any:
    seen: list[Any] = []

    def forward(ctx: Any, x: Any, flag: Any) -> Any:
        ctx.set_materialize_grads(flag)
        largest = x.argmax()
        mask = x * 0
        ctx.mark_non_differentiable(mask)
        return x * 2, 5, x * 3, largest, mask, None

    def backward(ctx: Any, *grads: Any) -> Any:
        seen.append([g if g is None else (tuple(g.shape), g.sum().item()) for g in grads])
        return sum(g * k for g, k in zip(grads, (2, 0, 3, 0, 0, 0), strict=True) if g is not None and k), None

    custom = function(lib, forward, backward)
    results = []
    for flag in (True, False):
        x = leaf(lib, 1.0, 2.0)
        outputs = custom.apply(x, flag)
        results.append([out.requires_grad if hasattr(out, "requires_grad") else out for out in outputs])
        outputs[0].sum().backward(retain_graph=True)
        (outputs[2] * outputs[0]).sum().backward()
        results.append(x.grad)
        results.append(refused(lambda outputs=outputs: outputs[3].sum().backward()))
    return results, seen


@scenario
def a_function_that_writes(lib: Any) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.mark_dirty(x)
        return x.mul_(3)

    def forgets(ctx: Any, x: Any) -> Any:
        ctx.mark_dirty(x)
        return x * 3

    custom = function(lib, forward, lambda ctx, g: g * 3)
    x = leaf(lib, 1.0, 2.0)
    y = x * 1
    z = custom.apply(y)
    base = x * 1
    view = base[0:1]
    custom.apply(view)
    w = x * 1
    product = w * w
    custom.apply(w)
    return [
        z is y,
        lib.autograd.grad(z.sum(), x)[0],
        base,
        lib.autograd.grad(base.sum(), x, retain_graph=True)[0],
        lib.autograd.grad(view.sum(), x)[0],
        refused(lambda: product.sum().backward()),
        refused(lambda: custom.apply(x)),
        refused(lambda: custom.apply(x[0:1])),
        refused(lambda: function(lib, forgets, lambda ctx, g: g).apply(x * 1)),
        custom.apply(plain(lib, 1.0)).requires_grad,
    ]


@scenario
def a_function_that_returns_its_input(lib: Any) -> Any:
    same = function(lib, lambda ctx, x: x, lambda ctx, g: g * 10)
    view = function(lib, lambda ctx, x: x.view(-1), lambda ctx, g: g * 10)
    x = leaf(lib, 1.0, 2.0)
    y, z = same.apply(x), view.apply(x)
    return [
        y is x,
        lib.autograd.grad(y.sum(), x)[0],
        lib.autograd.grad(z.sum(), x)[0],
        refused(lambda: same.apply(x * 1).add_(1)),
        refused(lambda: view.apply(x * 1).add_(1)),
        refused(lambda: view.apply(x * 1)[0:1].add_(1)),
        same.apply(plain(lib, 1.0)).add_(1),
    ]


@scenario
def functions_with_a_setup(lib: Any) -> Any:
    seen: list[Any] = []

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        x, power = inputs
        ctx.save_for_backward(x)
        ctx.power = power
        seen.append((len(inputs), power, lib.is_grad_enabled(), output.requires_grad))

    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * ctx.power * x ** (ctx.power - 1), None

    custom = function(lib, lambda x, power=2: x**power, backward, setup)
    x = leaf(lib, 1.0, 2.0)
    calls = [
        lambda: custom.apply(x),
        lambda: custom.apply(x, 3),
        lambda: custom.apply(x, power=3),
        lambda: custom.apply(),
        lambda: custom.apply(x, 3, 4),
        lambda: custom.apply(x, other=4),
    ]
    results = []
    for call in calls:
        y = refused(call)
        results.append(y if isinstance(y, str) else (y, lib.autograd.grad(y.sum(), x)[0]))
    return results, seen


@scenario
def wrong_functions(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    custom = function(lib, saving, square_backward)
    neither = type("Neither", (lib.autograd.Function,), {})
    no_backward = type("NoBackward", (lib.autograd.Function,), {"forward": staticmethod(lambda ctx, x: x * 2)})
    by_vjp = type(
        "ByVjp", (lib.autograd.Function,), {"forward": staticmethod(saving), "vjp": staticmethod(square_backward)}
    )
    both = type("Both", (custom,), {"vjp": staticmethod(square_backward)})
    y = custom.apply(x)
    y.sum().backward()
    overwritten = x * 1
    late = custom.apply(overwritten)
    overwritten.add_(1)
    return [
        refused(lambda: neither.apply(x)),
        refused(lambda: no_backward.apply(x).sum().backward()),
        lib.autograd.grad(by_vjp.apply(x).sum(), x),
        refused(lambda: both.apply(x).sum().backward()),
        refused(lambda: y.sum().backward()),
        refused(lambda: y.grad_fn.saved_tensors),
        refused(lambda: late.sum().backward()),
        refused(lambda: function(lib, lambda ctx, x: ctx.save_for_backward(3), square_backward).apply(x)),
        refused(lambda: function(lib, lambda ctx, x: ctx.save_for_backward([x]), square_backward).apply(x)),
        refused(lambda: custom.apply(x, x).sum().backward()),
        refused(lambda: custom()(x)),
        custom.apply(plain(lib, 1.0)).requires_grad,
        custom.apply(x).grad_fn.saved_tensors[0] is not None,
        function(lib, lambda ctx, x: "text", square_backward).apply(x),
    ]


@scenario
def differentiable_only_once(lib: Any) -> Any:
    once = lib.autograd.function.once_differentiable
    modes: list[bool] = []

    def backward(ctx: Any, g: Any) -> Any:
        modes.append(lib.is_grad_enabled())
        (x,) = ctx.saved_tensors
        return 2 * x * g

    custom = function(lib, saving, once(backward))
    x = leaf(lib, 1.0, 2.0)
    plain_gradient = lib.autograd.grad(custom.apply(x).sum(), x)[0]
    weight = leaf(lib, 1.0, 1.0)
    (first,) = lib.autograd.grad((custom.apply(x) * weight).sum(), x, create_graph=True)
    return plain_gradient, first, refused(lambda: first.sum().backward()), modes


@scenario
def functions_and_hooks_for_saved_tensors(lib: Any) -> Any:
    custom = function(lib, saving, square_backward)
    packed: list[Any] = []

    def pack(x: Any) -> Any:
        packed.append(tuple(x.shape))
        return x.clone()

    x = leaf(lib, 1.0, 2.0)
    with lib.autograd.graph.saved_tensors_hooks(pack, lambda x: x * 10):
        y = custom.apply(x)
    return lib.autograd.grad(y.sum(), x)[0], packed


test_as_in_torch = scenario.as_in_torch()
