"""Inference mode, the search for anomalies and checkpoints, as in torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.autograd.scenarios import Scenarios, leaf, plain, refused

torch = pytest.importorskip("torch")

scenario = Scenarios()


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


test_as_in_torch = scenario.as_in_torch()
