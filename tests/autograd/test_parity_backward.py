"""The arguments of grad and backward, and hooks, as in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.autograd.scenarios import Scenarios, function, leaf, plain, refused

torch = pytest.importorskip("torch")

scenario = Scenarios()


# --- grad and backward ------------------------------------------------------------------------------------------------


@scenario
def arguments_of_grad(lib: Any) -> Any:
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    grad, ones = lib.autograd.grad, plain(lib, 1.0, 1.0)
    calls = [
        lambda: grad((x * y).sum(), x),
        lambda: grad((x * y).sum(), (x, y, x)),
        lambda: grad((x * y).sum(), [x, y]),
        lambda: grad((x * y).sum(), {"a": x, "b": y}),
        lambda: grad([x * y, x.sum()], x, [ones, None]),
        lambda: grad([x * y, x.sum()], x, [ones]),
        lambda: grad(x * y, x, ones),
        lambda: grad(x * y, x, (ones,)),
        lambda: grad(x * y, x),
        lambda: grad(x * y, x, 1.0),
        lambda: grad(x * y, x, [1.0]),
        lambda: grad(x * y, x, plain(lib, 1.0, 1.0, 1.0)),
        lambda: grad(x * y, x, lib.ones(2, dtype=lib.int64)),
        lambda: grad(x.sum(), y),
        lambda: grad(x.sum(), y, allow_unused=True),
        lambda: grad(x.sum(), (x, y), allow_unused=True),
        lambda: grad(x.sum(), (x, y), materialize_grads=True),
        lambda: grad(x.sum(), y, allow_unused=True, materialize_grads=True),
        lambda: grad(x.sum(), y, allow_unused=False, materialize_grads=True),
        lambda: grad(x.sum(), ones),
        lambda: grad(ones.sum(), x),
        lambda: grad(x.sum(), []),
        lambda: grad([], x),
        lambda: grad([], x, allow_unused=True),
        lambda: grad(1.0, x),
        lambda: grad(x.sum(), 1.0),
        lambda: grad(x, x, ones),
        lambda: grad(x.sum(), x, None, None, False, True, None, False, False),
        lambda: grad((x * y).sum(), x, create_graph=True),
        lambda: grad(x * y, (x, y), plain(lib, 1.0, 0.0, 0.0, 1.0).reshape(2, 2), is_grads_batched=True),
        lambda: grad(x * y, (x, y), ones.reshape(1, 2), is_grads_batched=True, create_graph=True),
        lambda: grad(x * y, x, plain(lib, 1.0, 0.0), is_grads_batched=True),
        lambda: grad(x * y, x, None, is_grads_batched=True),
    ]
    return [refused(call) for call in calls]


def filled(lib: Any, run: Callable[[Any, Any, Any], Any]) -> Any:
    """The `.grad` of two leaves and a product of them after something was done, and the error if there was one."""
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    z = x * y
    return refused(lambda: run(x, y, z)), x.grad, y.grad, z.grad


@scenario
def arguments_of_backward(lib: Any) -> Any:
    backward = lib.autograd.backward
    runs = [
        lambda x, y, z: z.sum().backward(),
        lambda x, y, z: z.backward(),
        lambda x, y, z: z.backward(lib.ones_like(z)),
        lambda x, y, z: z.backward(gradient=lib.ones_like(z)),
        lambda x, y, z: z.backward(1.0),
        lambda x, y, z: z.backward(plain(lib, 1.0)),
        lambda x, y, z: z.sum().backward(inputs=x),
        lambda x, y, z: z.sum().backward(inputs=[x]),
        lambda x, y, z: z.sum().backward(inputs=[x, x]),
        lambda x, y, z: (z * z).sum().backward(inputs=[z, y]),
        lambda x, y, z: z.sum().backward(inputs=[]),
        lambda x, y, z: z.sum().backward(inputs=[plain(lib, 1.0)]),
        lambda x, y, z: z.sum().backward(inputs=1.0),
        lambda x, y, z: x.sum().backward(inputs=[y]),
        lambda x, y, z: backward([z.sum(), x.sum()]),
        lambda x, y, z: backward([z, x], [lib.ones_like(z), lib.ones_like(x)]),
        lambda x, y, z: backward([z, x], [lib.ones_like(z)]),
        lambda x, y, z: backward((z,), lib.ones_like(z)),
        lambda x, y, z: backward(z, None, None, False, lib.ones_like(z)),
        lambda x, y, z: backward(z, lib.ones_like(z), grad_variables=lib.ones_like(z)),
        lambda x, y, z: backward([]),
        lambda x, y, z: backward(1.0),
        lambda x, y, z: plain(lib, 1.0).sum().backward(),
        lambda x, y, z: (z.sum().backward(), z.sum().backward())[0],
        lambda x, y, z: (z.sum().backward(retain_graph=True), z.sum().backward())[0],
        lambda x, y, z: (z.sum().backward(inputs=[x], retain_graph=True), z.sum().backward())[0],
    ]
    return [filled(lib, run) for run in runs]


@scenario
def retained_gradients(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    z = y * y
    (z.sum() + z.prod()).backward(retain_graph=True)
    once = y.grad.clone()
    z.sum().backward()
    w = leaf(lib, 3.0) * 1
    w.retain_grad()
    w.mul_(5.0)  # it is the tensor that retains, not the node
    (w * 7).sum().backward()
    return (
        once,
        y.grad,
        x.grad,
        y.retains_grad,
        x.retains_grad,
        w.retains_grad,
        w.grad,
        refused(plain(lib, 1.0).retain_grad),
    )


# --- hooks ------------------------------------------------------------------------------------------------------------


@scenario
def the_order_of_hooks(lib: Any) -> Any:
    seen: list[Any] = []
    x = leaf(lib, 1.0)
    y = x * 2
    z = y * 3

    def note(what: str) -> Callable[..., None]:
        return lambda *args: seen.append(what)

    y.grad_fn.register_hook(note("node y, after"))
    y.grad_fn.register_prehook(note("node y, before"))
    y.register_hook(note("tensor y"))
    y.retain_grad()
    y.register_hook(note("tensor y again"))
    x.register_post_accumulate_grad_hook(note("x accumulated"))
    x.register_hook(note("tensor x"))
    z.grad_fn.register_hook(note("node z, after"))
    z.register_hook(note("tensor z"))
    z.sum().backward()
    seen.append("grad")
    lib.autograd.grad((x * 2 * y.detach()).sum(), x)  # no node is run, nothing is accumulated
    return seen


@scenario
def hooks_that_replace(lib: Any) -> Any:
    def run(attach: Callable[[Any, Any], Any]) -> Any:
        x = leaf(lib, 1.0, 2.0)
        y = x * x
        attach(x, y)
        y.sum().backward()
        return x.grad

    def double(g: Any) -> Any:
        return g * 2

    def triple_gradient(p: Any) -> None:
        p.grad.mul_(3)

    return [
        run(lambda x, y: y.register_hook(double)),
        run(lambda x, y: x.register_hook(double)),
        run(lambda x, y: (y.register_hook(double), y.register_hook(lambda g: g + 1))),
        run(lambda x, y: y.register_hook(double).remove()),
        run(lambda x, y: y.grad_fn.register_prehook(lambda g: (g[0] * 3,))),
        run(lambda x, y: y.grad_fn.register_hook(lambda into, out: (into[0] * 5, into[1]))),
        run(lambda x, y: y.grad_fn.register_hook(lambda into, out: None)),
        run(lambda x, y: x.register_post_accumulate_grad_hook(triple_gradient)),
        refused(lambda: run(lambda x, y: x.register_post_accumulate_grad_hook(lambda p: p.grad))),
        refused(lambda: run(lambda x, y: y.register_hook(lambda g: "text"))),
        refused(lambda: run(lambda x, y: y.register_hook(lambda g: g.sum()))),
        refused(lambda: run(lambda x, y: y.register_hook(lambda g: g.float()))),
        refused(lambda: run(lambda x, y: y.grad_fn.register_hook(lambda into, out: into + into))),
        refused(lambda: run(lambda x, y: y.register_post_accumulate_grad_hook(print))),
        refused(lambda: plain(lib, 1.0).register_hook(print)),
        refused(lambda: plain(lib, 1.0).register_post_accumulate_grad_hook(print)),
    ]


@scenario
def hooks_stay_with_what_was_before_a_write(lib: Any) -> Any:
    seen: list[Any] = []
    x = leaf(lib, 1.0)
    y = x * 2
    y.register_hook(lambda g: seen.append(("before", g.item())))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(("after", g.item())))
    (y * 5).sum().backward()
    return seen


@scenario
def hooks_stay_with_a_leaf(lib: Any) -> Any:
    seen: list[Any] = []
    x = leaf(lib, 1.0)
    x.register_hook(lambda g: seen.append(("hook", g.item())))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(("accumulated", p.grad.item())))
    x.requires_grad_(False)
    frozen = (x * 2).requires_grad
    x.requires_grad_()
    (x * 3).sum().backward()
    x.data = plain(lib, 5.0)
    (x * x).sum().backward()
    return seen, frozen


@scenario
def a_function_that_returns_what_has_a_history(lib: Any) -> Any:
    weight = leaf(lib, 2.0)

    def recorded(ctx: Any, x: Any) -> Any:
        with lib.enable_grad():
            return x * weight

    inside = function(lib, recorded, lambda ctx, g: g * 10)
    x = leaf(lib, 3.0)
    inside.apply(x).sum().backward()
    return x.grad, weight.grad


@scenario
def the_graph_of_nodes(lib: Any) -> Any:
    x, c = leaf(lib, 1.0, 2.0), plain(lib, 3.0, 4.0)
    y = x * c
    parts = y.unbind()
    accumulate = y.grad_fn.next_functions[0][0]
    y.grad_fn.metadata["note"] = 1
    return [
        y.grad_fn.name(),
        accumulate.variable is x,
        accumulate.next_functions,
        y.grad_fn.next_functions[1],
        parts[1].grad_fn.next_functions[0][0].name(),
        [p.output_nr for p in (x, y, *parts)],
        (parts[0] * parts[1]).grad_fn.next_functions[1][1],
        y.grad_fn.metadata,
        x.grad_fn,
        refused(lambda: lib.autograd.graph.get_gradient_edge(c)),
        lib.autograd.graph.get_gradient_edge(parts[1]).output_nr,
        lib.autograd.grad((parts[0] * parts[1]).sum(), lib.autograd.graph.get_gradient_edge(y)),
        lib.autograd.grad((y * y).sum(), [lib.autograd.graph.get_gradient_edge(x), x]),
    ]


@scenario
def hooks_for_several_gradients(lib: Any) -> Any:
    seen: list[Any] = []
    a, b = leaf(lib, 2.0), leaf(lib, 3.0)
    c, d = a * b, a * a
    register = lib.autograd.graph.register_multi_grad_hook
    handle = register((a, b, c, d), lambda grads: seen.append([None if g is None else g.item() for g in grads]))
    c.sum().backward(retain_graph=True)
    c.sum().backward(inputs=(a,), retain_graph=True)
    (c * d).sum().backward(retain_graph=True)
    handle.remove()
    c.sum().backward(retain_graph=True)
    first = register((a, c), lambda g: seen.append(g.item()), mode="any")
    c.sum().backward(retain_graph=True)
    first.remove()
    return seen, refused(lambda: register((a,), print, mode="some"))


# --- hooks for saved tensors ------------------------------------------------------------------------------------------


@scenario
def hooks_for_saved_tensors(lib: Any) -> Any:
    hooks, events = lib.autograd.graph.saved_tensors_hooks, []

    def run(pack: Any, unpack: Any) -> Any:
        x = leaf(lib, 1.0, 2.0)
        with hooks(pack, unpack):
            y = x * x
        return lib.autograd.grad(y.sum(), x)[0]

    def note(what: str, result: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def hook(x: Any) -> Any:
            events.append((what, lib.is_grad_enabled()))
            return result(x)

        return hook

    def nested() -> Any:
        x = leaf(lib, 1.0, 2.0)
        with hooks(lambda x: x * 10, lambda x: x), hooks(lambda x: x * 2, lambda x: x):
            y = x * x
        return lib.autograd.grad(y.sum(), x)[0]

    def forbidden() -> Any:
        with lib.autograd.graph.disable_saved_tensors_hooks("no"):
            return run(lambda x: x, lambda x: x)

    def second() -> Any:
        x = leaf(lib, 1.0, 2.0)
        with hooks(lambda x: x.clone(), lambda x: x):
            y = x**3
        (slope,) = lib.autograd.grad(y.sum(), x, create_graph=True)
        return lib.autograd.grad(slope.sum(), x)[0]

    results = [
        run(note("pack", lambda x: x), note("unpack", lambda x: x)),
        run(lambda x: x.numpy().copy(), lambda a: lib.from_numpy(a)),
        run(lambda x: x * 2, lambda x: x),
        refused(lambda: run(lambda x: x, lambda x: "text")),
        refused(lambda: run(lambda x: x.add_(1), lambda x: x)),
        refused(lambda: run(lambda x: 1 / 0, lambda x: x)),
        refused(forbidden),
        nested(),
        second(),
    ]
    return results, [mode for what, mode in events if what == "pack"]


test_as_in_torch = scenario.as_in_torch()
