"""Products with derivatives and matrices of them, as in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.autograd.scenarios import Scenarios, plain, refused

torch = pytest.importorskip("torch")

scenario = Scenarios()


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


test_as_in_torch = scenario.as_in_torch()
