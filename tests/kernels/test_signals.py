"""Signals while kernels compute: an exception of the handler ends the kernel soon, and everything goes on as if it had never been called."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.kernels import cpu
from minigrad.nn import functional as F

pytestmark = [
    pytest.mark.skipif(cpu.compiled is None, reason="the compiled kernels are not built, or are switched off"),
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers of the process here"),
]

SOON = 0.1  # seconds that the kernel may still compute
LATE = 5.0  # seconds that may pass, on a machine that has much else to do


class Rung(Exception):
    """What the handler raises, as Ctrl-C raises KeyboardInterrupt."""


class Alarm:
    """A timer that sends this process a signal."""

    def __init__(self) -> None:
        self.action: Callable[[], None] = self.ring
        self.calls = 0

    def ring(self) -> None:
        raise Rung

    def handle(self, number: int, frame: Any) -> None:
        self.calls += 1
        self.cpu, self.clock = time.thread_time(), time.monotonic()
        self.action()

    def start(self, seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    threads, found = minigrad.get_num_threads(), Alarm()
    before = signal.signal(signal.SIGALRM, found.handle)
    yield found
    found.stop()
    signal.signal(signal.SIGALRM, before)
    minigrad.set_num_threads(threads)


def filled(*shape: int) -> Any:
    return minigrad.full(shape, 0.5)


# Each would compute for more than a second; of n channels, or rows. Arguments are made before: filling large arrays takes long too.
LONG: dict[str, Callable[[int], Callable[[], Any]]] = {
    "matmul": lambda n: partial(minigrad.matmul, filled(32 * n, 24 * n), filled(24 * n, 24 * n)),
    "batched matmul": lambda n: partial(minigrad.matmul, filled(2, 20 * n, 20 * n), filled(2, 20 * n, 20 * n)),
    "conv 3x3": lambda n: partial(F.conv2d, filled(8, 2 * n, 80, 80), filled(4 * n, 2 * n, 3, 3), padding=1),
    "conv 5x5": lambda n: partial(F.conv2d, filled(8, n, 80, 80), filled(2 * n, n, 5, 5)),
    "conv 1x1": lambda n: partial(F.conv2d, filled(8, 6 * n, 80, 80), filled(6 * n, 6 * n, 1, 1)),
    "conv_transpose": lambda n: partial(F.conv_transpose2d, filled(8, n, 80, 80), filled(n, 2 * n, 5, 5)),
    "depthwise": lambda n: partial(F.conv2d, filled(8, 2 * n, 80, 80), filled(2 * n, 1, 31, 31), groups=2 * n),
    "max_pool": lambda n: partial(F.max_pool2d, filled(8, n, 80, 80), 25, 1),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG)
def test_a_long_kernel_ends_soon(name: str, threads: int, alarm: Alarm) -> None:
    minigrad.set_num_threads(threads)
    small, long = LONG[name](3)().numpy(), LONG[name](128)
    held = minigrad.memory_stats()["allocated_bytes.all.current"]
    sent = time.monotonic() + 0.25
    alarm.start(0.25)
    cpu_before = None
    with pytest.raises(Rung):
        while True:
            cpu_before = time.thread_time(), time.monotonic()
            long()
    assert cpu_before is not None
    # The handler has run SOON after the signal, of the time that this thread had, and what it raised has come here at once.
    elapsed = alarm.cpu - cpu_before[0]
    waited = max(0.0, sent - cpu_before[1])
    assert elapsed - waited < SOON
    assert alarm.clock - sent < LATE
    assert time.thread_time() - alarm.cpu < SOON
    assert time.monotonic() - alarm.clock < LATE
    assert minigrad.memory_stats()["allocated_bytes.all.current"] <= held
    np.testing.assert_array_equal(LONG[name](3)().numpy(), small)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_what_the_handler_raises_comes_as_it_is(error: type[BaseException], alarm: Alarm) -> None:
    def ring() -> None:
        raise error("of the handler")

    alarm.action = ring
    alarm.start(0.1)
    with pytest.raises(error, match=r"^of the handler$"):
        while True:
            LONG["matmul"](128)()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG)
def test_a_handler_may_compute(name: str, threads: int, alarm: Alarm) -> None:
    minigrad.set_num_threads(threads)
    random = minigrad.Generator().manual_seed(0)
    x = minigrad.randn(2, 40, 40, 40, generator=random)
    w = minigrad.randn(48, 40, 3, 3, generator=random)

    def computed() -> list[Any]:
        return [F.conv2d(x, w).numpy(), F.max_pool2d(x, 3).numpy(), (x @ x).numpy(), LONG[name](3)().numpy()]

    expected, inside, seen = (LONG[name](24)().numpy(), computed()), [], []
    alarm.action = lambda: inside.append(computed())
    for delay in (0.002, 0.02, 0.04):
        alarm.start(delay)
        while len(inside) == len(seen):
            found = LONG[name](24)().numpy()
        seen.append(delay)
        np.testing.assert_array_equal(found, expected[0])
        for a, b in zip(inside[-1], expected[1], strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_written_in_place_is_written_whole(alarm: Alarm) -> None:
    parameter = nn.Parameter(minigrad.zeros(20_000_000))
    parameter.grad = minigrad.ones(20_000_000)
    optimizer = minigrad.optim.SGD([parameter], lr=1.0)
    x, done = minigrad.zeros(20_000_000), 0
    for _ in range(5):
        try:
            alarm.start(0.02)
            while True:
                x.sigmoid_()
                optimizer.step()
                done += 1
        except Rung:
            pass
    assert parameter.detach().min() == parameter.detach().max() <= -done
    assert x.min() == x.max()


def test_training_goes_on_after_interruptions(alarm: Alarm) -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 10))
    x, y = minigrad.randn(32, 1, 16, 16), minigrad.arange(32) % 10

    def gradients() -> list[Any]:
        for p in model.parameters():
            p.grad = None
        F.cross_entropy(model(x), y).backward()
        return [p.grad.numpy() for p in model.parameters()]

    expected, rung = gradients(), 0
    delays = np.random.default_rng(0).uniform(0.0005, 0.02, 60)
    for delay in delays:
        try:
            alarm.start(delay)
            for _ in range(1000):
                gradients()
        except Rung:
            rung += 1
        assert minigrad.is_grad_enabled() and not minigrad.is_inference_mode_enabled()
        for a, b in zip(gradients(), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert rung == len(delays)
