"""Calls everything public with anything: no crash, no hang, no strange exception, no input that was changed.

    python -m tests.fuzz --seconds 600 [--seed 7] [--only conv2d]

Each call is drawn from a number; what goes wrong is printed with it, and `--only NAME --at NUMBER` makes the same call again. A call that ends the process
is the last one in the file --log.
"""

from __future__ import annotations

import argparse
import faulthandler
import inspect
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minigrad
from minigrad.core.tensor import make_tensor

CLEAN = (TypeError, ValueError, RuntimeError, IndexError, KeyError, MemoryError, BufferError)  # NotImplementedError is a RuntimeError
DTYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")
SIZES = (0, 1, 1, 2, 3, 3, 4, 5, 8, 17)
STATIC = (None, True, False, 0, 1, -1, 2, 3, 7, -5, 0.5, -1.5, float("nan"), float("inf"), 2**62, -(2**63), "mean", "none", "", (1,), (0, 1), (2, 2), (1, 2, 3), [], [1, 0], (-1, 5))
MEMORY = 6 << 30  # bytes: more than that is a MemoryError
SLOW = 20.0  # seconds
# They end, block or change the process or its files, or draw at random what they give.
LEFT_OUT = {
    "save", "load", "set_num_threads", "set_num_interop_threads", "set_default_dtype", "set_default_device", "set_printoptions", "manual_seed", "seed",
    "use_deterministic_algorithms", "set_grad_enabled", "set_rng_state", "set_flush_denormal", "set_float32_matmul_precision", "set_conv_precision",
    "from_file", "frombuffer", "from_dlpack", "compile", "empty_cache", "set_warn_always", "set_deterministic_debug_mode", "set_anomaly_enabled", "set_default_tensor_type",
    "adaptive_avg_pool2d",     "inference_mode", "no_grad", "enable_grad", "typename",
}  # fmt: skip


def public() -> dict[str, Callable[..., Any]]:
    """Functions and methods by name."""
    found: dict[str, Callable[..., Any]] = {}
    for prefix, module in (("", minigrad), ("F.", minigrad.nn.functional), ("linalg.", minigrad.linalg)):
        for name in getattr(module, "__all__", dir(module)):
            value = getattr(module, name, None)
            if callable(value) and not isinstance(value, type) and not name.startswith("_") and name not in LEFT_OUT:
                found[prefix + name] = value
    for name in dir(minigrad.Tensor):
        value = getattr(minigrad.Tensor, name)
        if callable(value) and not name.startswith("_"):
            found["Tensor." + name] = value
    return found


class Draw:
    """Arguments drawn from a number."""

    def __init__(self, seed: tuple[int, int]) -> None:
        self.random = np.random.default_rng(seed)

    def one(self, choices: Any) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def array(self) -> Any:
        shape = tuple(self.one(SIZES) for _ in range(self.random.integers(0, 5)))
        dtype = self.one(DTYPES[:2] if self.random.random() < 0.6 else DTYPES)
        values = self.random.normal(size=shape) * self.one((1.0, 1.0, 3.0, 1e3))
        array = np.asarray(values).astype(dtype) if dtype != "bool" else np.asarray(values > 0)
        if array.dtype.kind in "iu":
            array = np.asarray(self.random.integers(0, 6, shape)).astype(dtype)
        elif array.dtype.kind == "f" and array.size and self.random.random() < 0.1:
            array.flat[0] = self.one((np.nan, np.inf, -np.inf, -0.0))
        layout = self.random.random()
        if layout < 0.15:
            array = array.T
        elif layout < 0.25 and array.ndim:
            array = array[::-1]
        elif layout < 0.3 and array.ndim:
            array = np.broadcast_to(array[:1], array.shape)
        elif layout < 0.4 and array.ndim:
            array = np.concatenate([array, array])[1 : 1 + len(array)]
        return array

    def tensor(self) -> Any:
        x = make_tensor(self.array())
        if x.is_floating_point() and self.random.random() < 0.3:
            x.requires_grad_()
        return x

    def argument(self, tensors: float) -> Any:
        if self.random.random() < tensors:
            return self.tensor()
        if self.random.random() < 0.05:
            return [self.tensor() for _ in range(self.random.integers(0, 3))]
        return self.one(STATIC)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return {name: p for name, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD}
    except (TypeError, ValueError):
        return {}


def arguments(draw: Draw, function: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    parameters = list(parameters_of(function).values())
    count = min(len(parameters), int(draw.random.integers(1, 5))) or int(draw.random.integers(0, 4))
    given = [draw.argument(0.95 if i == 0 else 0.6 if i < 3 else 0.1) for i in range(count)]
    named = {}
    for p in parameters[count:]:
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and draw.random.random() < 0.15:
            named[p.name] = draw.argument(0.1)
    return given, named


def tensors_in(value: Any) -> list[Any]:
    if isinstance(value, minigrad.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [x for item in value for x in tensors_in(item)]
    return []


def attempt(name: str, function: Callable[..., Any], number: int, seed: int) -> str:
    """Makes one call, and differentiates what it gives; returns what went wrong, or nothing."""
    draw = Draw((seed, number))
    given, named = arguments(draw, function)
    method = name.startswith("Tensor.") or next(iter(parameters_of(function)), "") == "self"
    if method and given and not isinstance(given[0], minigrad.Tensor):
        given[0] = draw.tensor()
    inputs = tensors_in([*given, *named.values()])
    before = [x.array.copy() for x in inputs]
    writes = name.endswith("_") or not {"inplace", "running_mean", "max_norm"}.isdisjoint(parameters_of(function))
    minigrad.set_num_threads(draw.one((1, 2, 3)))
    start = time.monotonic()
    wrong = ""
    try:
        out = function(*given, **named)
        first = [x for x in tensors_in(out) if x.requires_grad][:1]
        for x in first:
            x.backward(minigrad.ones_like(x))
    except CLEAN:
        pass
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - start
    if seconds > SLOW:
        wrong = wrong or f"took {seconds:.1f} s"
    if not writes:
        for x, y in zip(inputs, before, strict=True):
            if x.array.shape != y.shape or not np.array_equal(x.array, y, equal_nan=y.dtype.kind == "f"):
                wrong = wrong or "an input was changed"
    return wrong


def describe(value: Any) -> str:
    if isinstance(value, minigrad.Tensor):
        return f"{value.dtype}{tuple(value.shape)}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(describe, value)) + "]"
    return repr(value)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--calls", type=int, default=0, help="end after so many calls, however long they take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="this function only")
    parser.add_argument("--at", type=int, help="the call of this number only")
    parser.add_argument("--log", type=Path, help="a file that says which call is being made")
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    functions = public()
    names = [options.only] if options.only else sorted(functions)
    end, number, wrong = time.monotonic() + options.seconds, 0, 0
    log = options.log.open("w") if options.log else None
    while number < options.calls if options.calls else time.monotonic() < end:
        number = options.at if options.at is not None else number + 1
        name = names[number % len(names)] if options.at is None else names[0]
        if log:
            log.seek(0)
            log.write(f"{name} {number}".ljust(80))
            log.flush()
        found = attempt(name, functions[name], number, options.seed)
        if found:
            wrong += 1
            given, named = arguments(Draw((options.seed, number)), functions[name])
            print(f"{name} at {number}: {found[:300]}\n    {', '.join(map(describe, given))} {({k: describe(v) for k, v in named.items()})}", flush=True)
        if options.at is not None:
            break
    print(f"{number} calls of {len(names)} functions, {wrong} wrong")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
