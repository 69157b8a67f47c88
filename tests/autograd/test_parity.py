"""What torch does, done by both: the same few lines run with `lib` as torch and as minigrad, and must give the same values or errors.

A scenario is a function of the library that returns numbers, tensors, None, text and tuples or lists of them. `refused` turns an error into
the name of its type.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")

SCENARIOS: list[Callable[[Any], Any]] = []


def scenario(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    SCENARIOS.append(function)
    return function


def refused(call: Callable[[], Any]) -> Any:
    """What the call returns, or the type of its error."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def leaf(lib: Any, *values: float) -> Any:
    return lib.tensor(values, dtype=lib.float64, requires_grad=True)


def plain(lib: Any, *values: float) -> Any:
    return lib.tensor(values, dtype=lib.float64)


def readable(x: Any) -> Any:
    """Tensors as (shape, values, requires_grad), so that results of two libraries can be compared."""
    if isinstance(x, (minigrad.Tensor, torch.Tensor)):
        return tuple(x.shape), np.asarray(x.detach().numpy(), np.float64).ravel().tolist(), x.requires_grad
    if isinstance(x, dict):
        return {key: readable(value) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [type(x).__name__, *[readable(y) for y in x]]
    return x


def assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    if isinstance(theirs, list):
        assert isinstance(ours, list)
        assert len(ours) == len(theirs), f"{where}: {ours} {theirs}"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(theirs, tuple) and len(theirs) == 3 and isinstance(theirs[1], list):
        assert ours[0] == theirs[0], where
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-10, atol=1e-12, err_msg=where)
        assert ours[2] == theirs[2], f"{where}: requires_grad"
    else:
        assert ours == theirs, where


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


# --- inference mode ---------------------------------------------------------------------------------------------------


@scenario
def what_inference_mode_makes(lib: Any) -> Any:
    x, n = leaf(lib, 1.0), plain(lib, 1.0)

    def facts(t: Any) -> Any:
        return t.is_inference(), t.requires_grad, t.is_leaf

    with lib.inference_mode():
        seen = [lib.is_grad_enabled(), lib.is_inference_mode_enabled()]
        q, w = plain(lib, 5.0), x * 2
        seen += [
            facts(q),
            facts(w),
            facts(n[0:1]),
            facts(q[0:1]),
            facts(n.detach()),
            facts(x.data),
            facts(q.data),
            facts(n.add_(1)),
        ]
        with lib.enable_grad():
            seen += [lib.is_grad_enabled(), facts(x * 2)]
        with lib.inference_mode(False):
            seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled(), facts(x * 2)]
        with lib.no_grad():
            seen += [facts(x * 2)]
        p = lib.ones(2, requires_grad=True)
        seen += [facts(p), facts(q.requires_grad_()), facts(q.requires_grad_(False)), facts(q.clone())]
    seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled(), n._version]
    seen += [facts(q[0:1]), facts(q * 2), facts(q.clone()), facts(q + x), facts(p * 2)]
    seen += [
        refused(call)
        for call in (
            lambda: q * x,
            lambda: q.requires_grad_(),
            lambda: q.add_(1),
            lambda: q[0:1].mul_(1),
            lambda: q._version,
            lambda: lib.nn.Parameter(q),
            lambda: facts(q.requires_grad_(False)),  # torch has written into q before it refused to
            lambda: facts(n.add_(q)),
            lambda: (p * 2).sum().backward(),
            lambda: lib.autograd.grad((x * x).sum(), x)[0],
        )
    ]
    return seen


@scenario
def decorators(lib: Any) -> Any:
    def state() -> Any:
        return lib.is_grad_enabled(), lib.is_inference_mode_enabled()

    def steps() -> Any:
        got = yield state()
        try:
            yield (*state(), got)
        except KeyError:
            yield state()
        return state()

    seen = []
    for mode in (
        lib.no_grad(),
        lib.no_grad,
        lib.inference_mode(),
        lib.inference_mode,
        lib.inference_mode(False),
        lib.enable_grad(),
    ):
        seen.append(mode(state)())
        generator = mode(steps)()
        seen += [next(generator), state(), generator.send("sent"), generator.throw(KeyError("x")), state()]
        try:
            next(generator)
        except StopIteration as end:
            seen.append(end.value)
    return seen


# --- anomalies --------------------------------------------------------------------------------------------------------


@scenario
def anomalies(lib: Any) -> Any:
    def run(compute: Callable[[Any], Any], **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with lib.autograd.detect_anomaly(**options):
                x = leaf(lib, 0.0, 1.0)
                try:
                    compute(x).backward()
                except RuntimeError as error:
                    return str(error).splitlines()[0]
                return x.grad

    zero = plain(lib, 0.0, 0.0)
    return [
        run(lambda x: (x.sqrt() * zero).sum()),
        run(lambda x: (x.sqrt() * zero).sum(), check_nan=False),
        run(lambda x: x.sqrt().sum()),
        run(lambda x: (x * x).sum()),
        run(lambda x: (x.log() * zero).exp().sum()),
    ]


# --- Function ---------------------------------------------------------------------------------------------------------


def function(lib: Any, forward: Any, backward: Any, setup: Any = None) -> Any:
    """A Function of these methods."""
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    if setup is not None:
        methods["setup_context"] = staticmethod(setup)
    return type("Custom", (lib.autograd.Function,), methods)


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


# --- checkpoint -------------------------------------------------------------------------------------------------------


@scenario
def checkpoints(lib: Any) -> Any:
    from importlib import import_module

    checkpoint = import_module(f"{lib.__name__}.utils.checkpoint").checkpoint
    w = leaf(lib, 0.5, 0.25)
    count: list[int] = []

    def f(x: Any, scale: Any = 1.0) -> Any:
        count.append(1)
        h = (x * w).sin()
        return (h.exp() * scale).sqrt()

    def run(wrapped: Callable[[Any], Any], reentrant: bool = False) -> Any:
        x = leaf(lib, 1.0, 2.0)
        y = wrapped(x)
        w.grad = None
        y.sum().backward()
        return x.grad, w.grad, len(count)

    def second(wrapped: Callable[[Any], Any]) -> Any:
        x = leaf(lib, 1.0, 2.0)
        (slope,) = lib.autograd.grad(wrapped(x).sum(), x, create_graph=True)
        return lib.autograd.grad((slope * slope).sum(), (x, w))

    def changes(x: Any) -> Any:
        count.append(1)
        return f(x) if len(count) % 2 else f(x.reshape(1, 2).expand(3, 2))

    same = {"use_reentrant": False}
    results = [
        run(f),
        run(lambda x: checkpoint(f, x, **same)),
        run(lambda x: checkpoint(f, x, scale=2.0, **same)),
        run(lambda x: checkpoint(lambda y: checkpoint(f, y, **same), x, **same)),
        run(lambda x: checkpoint(f, x, use_reentrant=True)),
        run(lambda x: checkpoint(f, x.detach(), **same) + x),
        second(f),
        second(lambda x: checkpoint(f, x, **same)),
        second(lambda x: checkpoint(lambda y: checkpoint(f, y, **same), x, **same)),
        refused(lambda: second(lambda x: checkpoint(f, x, use_reentrant=True))),
        refused(lambda: run(lambda x: checkpoint(f, x, use_reentrant=True, scale=2.0))),
        refused(lambda: run(lambda x: checkpoint(f, x, determinism_check="all", **same))),
    ]
    count.clear()
    results.append(refused(lambda: run(lambda x: checkpoint(changes, x, **same))))
    return results


# --- functional -------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {  # with how many arguments
    "elementwise": (lambda x: x.exp() * x, 1),
    "reduction": (lambda x: (x**3).sum(), 1),
    "matrix": (lambda x: x.reshape(1, -1) * x.reshape(-1, 1), 1),
    "two outputs": (lambda x: (x * 2, (x * x).sum()), 1),
    "tuple of one": (lambda x: (x * x,), 1),
    "linear": (lambda x: 3 * x, 1),
    "constant": (lambda x: x.detach() * 1, 1),
    "two inputs": (lambda x, y: (x * y).sum() * x, 2),
    "scalar of two": (lambda x, y: (x * x * y).sum() + (y**3).sum(), 2),
    "unused input": (lambda x, y: (x * x).sum(), 2),
    "linear in one": (lambda x, y: (x * x).sum() + y.sum(), 2),
    "two in, two out": (lambda x, y: (x * y, x.sum()), 2),
    "single": (lambda x: x[0:1] ** 2, 1),
    "nonsense": (lambda x: 1.0, 1),
}


def shaped_like(lib: Any, x: Any) -> Any:
    """Values of the same shapes."""
    if isinstance(x, (tuple, list)):
        return tuple(shaped_like(lib, y) for y in x)
    return (lib.arange(1, x.numel() + 1, dtype=lib.float64) * 0.5).reshape(x.shape)


def products(name: str, options: dict[str, Any]) -> Callable[[Any], Any]:
    def run(lib: Any) -> Any:
        f, n = FUNCTIONS[name]
        functional = lib.autograd.functional
        results = []
        for requires_grad in (False, True):
            inputs = [lib.tensor(v, dtype=lib.float64, requires_grad=requires_grad) for v in ([1.0, 2.0], [0.5, -1.5])][
                :n
            ]
            given: Any = inputs[0] if n == 1 else tuple(inputs)
            outputs = refused(lambda inputs=inputs: f(*inputs))
            for make in ("vjp", "jvp", "vhp", "hvp"):
                ref = outputs if make == "vjp" else given
                vectors: list[Any] = [None, 1.0, lib.ones(7, dtype=lib.float64)]
                if not isinstance(ref, (str, float)):
                    vectors.append(shaped_like(lib, ref))
                    vectors.append((shaped_like(lib, ref),) * 3)
                results += [
                    (
                        make,
                        refused(lambda make=make, given=given, v=v: getattr(functional, make)(f, given, v, **options)),
                    )
                    for v in vectors
                ]
        return results

    run.__name__ = f"products of {name} {options}"
    return run


def matrices(name: str, options: dict[str, Any]) -> Callable[[Any], Any]:
    def run(lib: Any) -> Any:
        f, n = FUNCTIONS[name]
        results = []
        for requires_grad in (False, True):
            inputs = [lib.tensor(v, dtype=lib.float64, requires_grad=requires_grad) for v in ([1.0, 2.0], [0.5, -1.5])][
                :n
            ]
            given: Any = inputs[0] if n == 1 else tuple(inputs)
            results += [
                refused(lambda given=given: lib.autograd.functional.jacobian(f, given, **options)),
                refused(lambda given=given: lib.autograd.functional.hessian(f, given, **options)),
            ]
        return results

    run.__name__ = f"matrices of {name} {options}"
    return run


for one in FUNCTIONS:
    for created in (False, True):
        for strictly in (False, True):
            scenario(products(one, {"create_graph": created, "strict": strictly}))
            scenario(matrices(one, {"create_graph": created, "strict": strictly}))
    scenario(matrices(one, {"vectorize": True}))


@scenario
def forward_mode(lib: Any) -> Any:
    functional, options = lib.autograd.functional, {"vectorize": True}
    x, y = plain(lib, 1.0, 2.0), plain(lib, 0.5, -1.5)
    return [
        *[
            list(row)
            for row in functional.jacobian(FUNCTIONS["two in, two out"][0], (x, y), strategy="forward-mode", **options)
        ],
        *[
            [block.detach() for block in row]
            for row in functional.hessian(
                FUNCTIONS["scalar of two"][0], (x, y), outer_jacobian_strategy="forward-mode", **options
            )
        ],
        functional.jacobian(FUNCTIONS["matrix"][0], x, strategy="forward-mode", **options),
    ]


@pytest.mark.parametrize("run", SCENARIOS, ids=lambda run: run.__name__.replace(" ", "_"))
def test_as_in_torch(run: Callable[[Any], Any]) -> None:
    ours = readable(run(minigrad))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        theirs = readable(run(torch))
    assert_same(ours, theirs)
