"""What minigrad runs on, and whether it computes what it should: `python -m minigrad`.

The test takes a few seconds: every kernel of the processor against the reference in NumPy, derivatives against differences, and a small network that learns.
The exit status is 1 if something is wrong.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, optim
from minigrad.core.dtypes import float64
from minigrad.core.tensor import Tensor
from minigrad.kernels import cpu, reference
from minigrad.kernels.geometry import Windows

TESTS: dict[str, Callable[[], None]] = {}


def test(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Adds a test that raises an error if something is wrong."""

    def add(function: Callable[[], None]) -> Callable[[], None]:
        TESTS[name] = function
        return function

    return add


def require(holds: Any, what: str) -> None:
    """An assert that `python -O` leaves in."""
    if not holds:
        raise AssertionError(what)


def facts() -> dict[str, str]:
    """What there is to say of this installation."""
    compiled = cpu.compiled is not None
    return {
        "minigrad": f"{minigrad.__version__}, {minigrad.__path__[0]}",
        "Python": f"{platform.python_version()}, NumPy {np.__version__}, {platform.system()} {platform.machine()}",
        "engine": "compiled" if not sys.modules["minigrad.core.engine"].__file__.endswith(".py") else "Python sources",  # type: ignore[union-attr]
        "kernels": f"compiled for {minigrad.backends.cpu.get_cpu_capability()}"
        if compiled
        else "reference, in NumPy: not compiled, or not wanted",
        "threads": str(minigrad.get_num_threads()),
        "GPU": f"none: {minigrad.cuda.why_not()}"
        if not minigrad.cuda.is_available()
        else minigrad.cuda.get_device_name(),
    }


def whole_numbers(*shape: int) -> np.ndarray[Any, Any]:
    """Small whole numbers, whose sums of products are exact in any order."""
    return np.random.default_rng(0).integers(-4, 5, shape).astype(np.float32)


@test("convolutions equal the reference, to the bit")
def convolutions() -> None:
    for channels, filters, side, stride, groups in ((3, 8, 5, 2, 1), (8, 8, 3, 2, 8), (6, 4, 1, 1, 2), (4, 6, 5, 1, 1)):
        x, w = whole_numbers(2, channels, 17, 19), whole_numbers(filters, channels // groups, side, side)
        windows = Windows.conv("test", 2, x.shape, w.shape, None, stride, side // 2, 1, groups)
        out = reference.conv(x, w, None, windows)
        require(np.array_equal(cpu.conv(x, w, None, windows), out), f"forward, {windows}")
        require(
            np.array_equal(cpu.conv_input(out, w, None, windows), reference.conv_input(out, w, None, windows)),
            f"input, {windows}",
        )
        require(
            np.array_equal(cpu.conv_weight(x, out, windows), reference.conv_weight(x, out, windows)),
            f"weight, {windows}",
        )


@test("Winograd's convolutions are as exact as they should be")
def winograd() -> None:
    random = np.random.default_rng(0)
    x, w = (random.normal(size=shape).astype(np.float32) for shape in ((2, 32, 24, 24), (32, 32, 3, 3)))
    windows = Windows.conv("test", 2, x.shape, w.shape, None, 1, 1, 1, 1)
    exact = reference.conv(x.astype(np.float64), w.astype(np.float64), None, windows)
    error = np.linalg.norm(cpu.conv(x, w, None, windows) - exact) / np.linalg.norm(exact)
    require(error < 1e-5, f"the relative error is {error:.1e}")


@test("derivatives of first and second order are those of differences")
def derivatives() -> None:
    minigrad.manual_seed(0)
    x = minigrad.randn(2, 2, 4, 4, dtype=float64, requires_grad=True)
    w = minigrad.randn(3, 2, 2, 2, dtype=float64, requires_grad=True)

    def network(x: Tensor, w: Tensor) -> Tensor:
        return F.log_softmax(F.avg_pool2d(F.conv2d(x, w, padding=1).tanh(), 2).flatten(1), dim=1)

    minigrad.autograd.gradcheck(network, (x, w))  # raises an error
    v = minigrad.ones_like(x)
    (slope,) = minigrad.autograd.grad(network(x, w).square().sum(), x, create_graph=True)
    (second,) = minigrad.autograd.grad((slope * v).sum(), x)
    step, slopes = 1e-5, []
    for sign in (1, -1):
        moved = (x.detach() + sign * step * v).requires_grad_()
        slopes.append(minigrad.autograd.grad(network(moved, w).square().sum(), moved)[0])
    require(
        minigrad.allclose(second, (slopes[0] - slopes[1]) / (2 * step), rtol=1e-5, atol=1e-6),
        "the second derivative is wrong",
    )


@test("a small network learns")
def learning() -> None:
    minigrad.manual_seed(0)
    images = minigrad.randn(128, 1, 8, 8)
    labels = (images[:, 0, :, :4].mean((1, 2)) > images[:, 0, :, 4:].mean((1, 2))).long()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 2)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    require(losses[-1] < losses[0] / 3, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} only")


def main() -> int:
    """Prints the facts and runs the tests; returns the exit status."""
    for name, fact in facts().items():
        print(f"{name:9}{fact}")
    wrong = 0
    start = time.perf_counter()
    for name, function in TESTS.items():
        try:
            function()
        except Exception as error:
            wrong += 1
            print(f"WRONG    {name}: {type(error).__name__} {error}".rstrip())
        else:
            print(f"ok       {name}")
    seconds = time.perf_counter() - start
    print(
        f"{len(TESTS)} tests in {seconds:.1f} s: {'all is well' if not wrong else f'{wrong} failed; please report this with the lines above'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
