"""Times the CUDA kernels beside the same functions made of CuPy's own kernels, which are those of minigrad/kernels/reference.py on CuPy's arrays.

    python -m bench.kernels [TEXT ...]     only kernels whose name contains one of these

`python -m bench --device cuda` prints this table too, before it compares with PyTorch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy

import minigrad
from minigrad.kernels import driver, reference
from minigrad.kernels.geometry import Windows
from minigrad.kernels.resampling import interpolating

SAME = ((1, 1), (1, 1))  # the padding with which a 3x3 filter keeps the size
ROUNDS = 20
HEADING = f"{'kernel (float32)':34} {'shape of the first array':>24} {'own, ms':>9} {'CuPy, ms':>9} {'CuPy / own':>10}"


def floats(*shape: int) -> Any:
    return numpy.random.default_rng(0).standard_normal(shape, numpy.float32)


def classes(*shape: int, most: int) -> Any:
    return numpy.random.default_rng(0).integers(0, most, shape)


def square(channels: int, side: int, kernel: int, stride: int, padding: Any, groups: int = 1) -> Windows:
    return Windows((side, side), (kernel, kernel), (stride, stride), (1, 1), padding, groups)


def pooled(name: str, images: int, channels: int, side: int) -> tuple[Any, ...]:
    windows = square(channels, side, 2, 2, ((0, 0), (0, 0)))
    x = floats(images, channels, side, side)
    if name == "pool_scatter":
        values, indices = reference.max_pool(x, windows)
        return values, indices, windows.in_size, windows
    return x, windows


def moments(n: int) -> tuple[Any, Any]:
    return numpy.zeros(n, numpy.float32), numpy.ones(n, numpy.float32)


# The name in minigrad/kernels/cuda and its arguments, for images of `size` times the side that is timed: tests take small ones.
CASES: dict[str, tuple[str, Callable[[int], tuple[Any, ...]]]] = {
    "convolution": ("conv", lambda s: (floats(s // 2, 64, s, s), floats(64, 64, 3, 3), None, square(64, s, 3, 1, SAME))),
    "convolution, by the input": ("conv_input", lambda s: (floats(s // 2, 64, s, s), floats(64, 64, 3, 3), None, square(64, s, 3, 1, SAME))),
    "convolution, by the filters": ("conv_weight", lambda s: (floats(s // 2, 64, s, s), floats(s // 2, 64, s, s), square(64, s, 3, 1, SAME))),
    "convolution, depthwise": ("conv", lambda s: (floats(s // 2, 64, s, s), floats(64, 1, 3, 3), None, square(64, s, 3, 1, SAME, 64))),
    "max pooling": ("max_pool", lambda s: pooled("max_pool", s // 2, 64, s)),
    "max pooling, backward": ("pool_scatter", lambda s: pooled("pool_scatter", s // 2, 64, s)),
    "average pooling": ("sum_pool", lambda s: pooled("sum_pool", s // 2, 64, s)),
    "batch norm": ("batch_norm", lambda s: (floats(s // 2, 64, s, s), *moments(64), 1e-5)),
    "batch norm and ReLU": ("batch_norm", lambda s: (floats(s // 2, 64, s, s), *moments(64), 1e-5, 0.0)),
    "batch norm, backward": ("batch_norm_input", lambda s: (floats(s // 2, 64, s, s), floats(s // 2, 64, s, s), moments(64)[1], *moments(64), 1e-5)),
    "group norm": ("group_norm", lambda s: (floats(s // 2, 64, s, s), *moments(64), 8, 1e-5)),
    "layer norm": ("row_norm", lambda s: (floats(s * s, 768), *moments(768), 1, True, 1e-5)),
    "softmax": ("softmax", lambda s: (floats(s * s, 1000), 1, False)),
    "cross entropy": ("cross_entropy", lambda s: (floats(s * s, 1000), classes(s * s, most=1000), None, -100)),
    "dropout": ("dropout", lambda s: (floats(s // 2, 64, s, s), 12345, 0.5)),
    "GELU": ("unary", lambda s: ("gelu", floats(s // 2, 64, s, s))),
    "bilinear upsampling": ("resample", lambda s: (floats(s // 2, 64, s, s), (interpolating("linear", s, 2 * s, 2.0, False),) * 2)),
}


def there(x: Any) -> Any:
    return driver.to_device(x, driver.current()) if isinstance(x, numpy.ndarray) else x


def milliseconds(function: Callable[..., Any], arguments: Sequence[Any]) -> float:
    """The time of a call by the clock of the GPU."""
    begin, end = driver.cupy().cuda.Event(), driver.cupy().cuda.Event()
    begin.record()
    function(*arguments)
    end.record()
    end.synchronize()
    return float(driver.cupy().cuda.get_elapsed_time(begin, end))


def both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A function by the project's kernels, and by CuPy's."""
    from minigrad.kernels import cuda

    return getattr(cuda, name), getattr(reference, name)


def report(wanted: Sequence[str] = (), side: int = 56) -> int:
    """Prints the table; returns how many kernels it has."""
    chosen = [title for title in CASES if not wanted or any([text in title for text in wanted])]
    print(HEADING)
    for title in chosen:
        name, make = CASES[title]
        arguments = [there(x) for x in make(side)]
        samples: list[list[float]] = [[], []]
        for round in range(ROUNDS + 1):
            for function, found in zip(both(name), samples, strict=True):
                found += [milliseconds(function, arguments)][: round]  # the first call compiles
        own, cupy = (min(found) for found in samples)
        shape = next("x".join(map(str, a.shape)) for a in arguments if hasattr(a, "shape"))
        print(f"{title:34} {shape:>24} {own:9.3f} {cupy:9.3f} {cupy / own if own else float('nan'):10.2f}", flush=True)
    return len(chosen)


def main() -> int:
    """Prints the table if there is a GPU; returns the exit status."""
    if not minigrad.cuda.is_available():
        print(f"bench.kernels: {minigrad.cuda.why_not()}", file=sys.stderr)
        return 2
    print(minigrad.cuda.get_device_name())
    return 0 if report(sys.argv[1:]) else 2


if __name__ == "__main__":
    sys.exit(main())
