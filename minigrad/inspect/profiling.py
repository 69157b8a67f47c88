"""What takes the time and the memory: each operation and module, forward and backward."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from os import PathLike
from pathlib import Path
from threading import get_ident
from time import perf_counter
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.core.engine import ANOMALIES
from minigrad.core.graph import Node
from minigrad.core.modes import current_task
from minigrad.core.primitive import Primitive
from minigrad.inspect.fields import times
from minigrad.inspect.listening import listening
from minigrad.inspect.trace import trace
from minigrad.kernels import cpu
from minigrad.kernels.geometry import Windows

__all__ = ["OpEvent", "profile"]


@dataclass
class OpEvent:
    """One operation that ran: its times in seconds from the start of the profile, the bytes of its result (0 for a view), its multiply-adds.

    In backward, `of` is the operation whose rule it ran for; `module` is that operation's.
    """

    op: str
    phase: str
    start: float
    seconds: float
    bytes: int
    shape: tuple[int, ...]
    macs: int
    module: str | None
    of: str = ""


@dataclass
class Total:
    """The sum of some events."""

    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0
    macs: int = 0

    def add(self, event: OpEvent) -> None:
        """Counts an event."""
        self.calls += 1
        self.seconds += event.seconds
        self.bytes += event.bytes
        self.macs += event.macs


class TimedTrace(trace):
    """A trace that notes when each call began and ended."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.times: dict[int, list[float]] = {}

    def _entering(self, name: str) -> Any:
        enter = super()._entering(name)

        def timed(module: nn.Module, args: Any) -> None:
            enter(module, args)
            self.times[id(self.calls[-1])] = [perf_counter(), 0.0]

        return timed

    def _left(self, module: nn.Module, args: Any, output: Any) -> None:
        self.times[id(self.stack[-1])][1] = perf_counter()
        super()._left(module, args, None)


class profile:
    """A ``with`` block that measures every operation of this thread; afterwards printing it prints tables by operation and by module.

    The measuring costs a few microseconds an operation. Times are of the wall, so keep other work off the machine. It may be used for several blocks, one
    after the other: their events and times add up.

    Args:
        model: gives the operations their modules; it is left as it was.

    Raises:
        TypeError: `model` is no module. RuntimeError: the block is inside of one of the same profile.

    >>> import minigrad
    >>> from minigrad import inspect, nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    >>> with inspect.profile(model) as measured:
    ...     model(minigrad.ones(2, 3)).sum().backward()
    >>> [(event.op, event.phase, event.module) for event in measured.events][:3]
    [('linear', 'forward', '0'), ('relu', 'forward', '1'), ('sum', 'forward', None)]
    >>> sorted(measured.by_module())
    ['(outside)', '0', '1']
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        if model is not None and not isinstance(model, nn.Module):
            raise TypeError(f"profile: expected a module, or nothing, got {type(model).__name__}")
        self.events: list[OpEvent] = []
        self.calls = None if model is None else TimedTrace(model)
        self.seconds = 0.0
        self._begin = self._mark = self._entered = 0.0
        self._unassigned: list[OpEvent] = []  # of the node whose rules run now
        self._thread = 0
        self._listening: Any = None
        self._before: Callable[[Any], Any] | None = None

    def __enter__(self) -> profile:
        if self._listening is not None:
            raise RuntimeError(
                "profile: this profile is measuring already; inside of its block use another one, inspect.profile()"
            )
        self._thread = get_ident()
        if self.calls is not None:
            self.calls.__enter__()
        self._listening = listening(self._heard)
        self._listening.__enter__()
        self._before = ANOMALIES.witness
        ANOMALIES.witness = lambda inner: Witness(self, inner if self._before is None else self._before(inner))
        self._entered = perf_counter()
        # Of a later block the time goes on where that of the one before ended.
        self._begin = self._entered - self.seconds
        return self

    def __exit__(self, *error: Any) -> None:
        self.seconds += perf_counter() - self._entered
        ANOMALIES.witness = self._before
        self._listening.__exit__(*error)
        self._listening = None
        if self.calls is not None:
            self.calls.__exit__(*error)

    def _heard(self, op: Primitive, args: tuple[Any, ...], result: Any, start: float, end: float) -> None:
        results = result if isinstance(result, tuple) else (result,)
        new = [a for a in results if isinstance(a, np.ndarray) and not op.view]
        backward = current_task() != 0
        stack = [] if self.calls is None else self.calls.stack
        event = OpEvent(
            op.name,
            "backward" if backward else "forward",
            start - self._begin,
            end - start,
            sum(a.nbytes for a in new),
            tuple(getattr(results[0], "shape", ())),
            macs_of(op.name, args, results[0]),
            stack[-1].name if stack and not backward else None,
        )
        self.events.append(event)
        if backward:
            self._unassigned.append(event)

    def assign(self, node: Node, grad_inputs: Any) -> None:
        """Tells the operations that ran since the node before which node they ran for; a fused rule, which runs none, is an event itself."""
        if get_ident() != self._thread:
            return
        module = None if self.calls is None else self.calls.module_of(node)
        if not self._unassigned:
            new = [g.array for g in grad_inputs if g is not None]
            shape = new[0].shape if new else ()
            event = OpEvent(
                node.primitive.name,
                "backward",
                self._mark - self._begin,
                perf_counter() - self._mark,
                sum(a.nbytes for a in new),
                shape,
                0,
                module,
            )
            self.events.append(event)
            self._unassigned.append(event)
        for event in self._unassigned:
            event.of, event.module = node.primitive.name, module
        self.forget()

    def forget(self) -> None:
        """What ran since the last node, such as adding up gradients, ran for none."""
        if get_ident() == self._thread:
            self._unassigned.clear()
            self._mark = perf_counter()

    # --- sums ---------------------------------------------------------------------------------------------------------

    def by_op(self) -> dict[tuple[str, str], Total]:
        """The sums for each operation and phase; backward by the operation whose rule ran."""
        return self._sums(lambda event: (event.of or event.op, event.phase))

    def by_module(self) -> dict[str, Total]:
        """The sums for each module, forward and backward together: what it computes itself, not in its children."""
        return self._sums(lambda event: "(outside)" if event.module is None else event.module or "(model)")

    def _sums(self, key: Callable[[OpEvent], Any]) -> dict[Any, Total]:
        sums: dict[Any, Total] = defaultdict(Total)
        for event in self.events:
            sums[key(event)].add(event)
        return dict(sorted(sums.items(), key=lambda pair: -pair[1].seconds))

    def __str__(self) -> str:
        ops = [(name, phase, total) for (name, phase), total in self.by_op().items()]
        parts = [table(("operation", "phase"), ops)]
        if self.calls is not None:
            forward = self._phase_by_module("forward")
            backward = self._phase_by_module("backward")
            rows = [
                (name, f"{1e3 * forward.get(name, 0):.2f} + {1e3 * backward.get(name, 0):.2f}", total)
                for name, total in self.by_module().items()
            ]
            parts.append(table(("module", "ms forward + backward"), rows))
        inside = sum(event.seconds for event in self.events)
        parts.append(
            f"{1e3 * inside:.2f} ms in operations of {1e3 * self.seconds:.2f} ms; share of peak: of {peak() / 1e9:.1f} GFLOP/s, a large matrix product's"
        )
        return "\n\n".join(parts)

    def _phase_by_module(self, phase: str) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for event in self.events:
            if event.phase == phase:
                sums["(outside)" if event.module is None else event.module or "(model)"] += event.seconds
        return sums

    def chrome_trace(self, file: str | PathLike[str] | None = None) -> dict[str, Any]:
        """The events as JSON for flame graphs, as chrome://tracing, Perfetto and speedscope open it; written to a file if one is named."""
        events: list[dict[str, Any]] = [
            {
                "name": event.op if not event.of else f"{event.op} for {event.of}", "cat": event.phase, "ph": "X", "pid": 1, "tid": 1,
                "ts": 1e6 * event.start, "dur": 1e6 * event.seconds,
                "args": {"module": event.module, "shape": times(event.shape), "bytes": event.bytes, "macs": event.macs},
            }
            for event in self.events
        ]  # fmt: skip
        if self.calls is not None:
            events += [
                {
                    "name": f"{call.name or 'model'} ({type(call.module).__name__})", "cat": "module", "ph": "X", "pid": 1, "tid": 1,
                    "ts": 1e6 * (begin - self._begin), "dur": 1e6 * (end - begin), "args": {},
                }
                for call in self.calls.calls
                for begin, end in [self.calls.times[id(call)]]
                if end
            ]  # fmt: skip
        found = {"traceEvents": sorted(events, key=lambda e: (e["ts"], -e["dur"])), "displayTimeUnit": "ms"}
        if file is not None:
            Path(file).write_text(json.dumps(found), encoding="utf-8")
        return found


class Witness:
    """What a walk shows its nodes to while a profile is taken; around what else looks on."""

    def __init__(self, owner: profile, inner: Any) -> None:
        self.owner = owner
        self.inner = inner
        owner.forget()

    def examine(self, node: Node, grad_outputs: Any, grad_inputs: Any) -> None:
        """After the rules of each node."""
        self.owner.assign(node, grad_inputs)
        if self.inner is not None:
            self.inner.examine(node, grad_outputs, grad_inputs)

    def arrived(self, g: Any) -> None:
        """At a leaf."""
        self.owner.forget()
        if self.inner is not None:
            self.inner.arrived(g)

    def explain(self, node: Node, error: Exception) -> None:
        """After an error in a rule."""
        if self.inner is not None:
            self.inner.explain(node, error)

    def close(self) -> None:
        """At the end of the walk."""
        if self.inner is not None:
            self.inner.close()


def macs_of(name: str, args: tuple[Any, ...], result: Any) -> int:
    """The multiply-adds of a convolution or product."""
    windows = next((a for a in args if isinstance(a, Windows)), None)
    if name in ("conv", "finished_conv", "conv_input") and windows is not None:
        outputs = args[0] if name == "conv_input" else result
        return int(outputs.size) * prod(args[1].shape[1:])
    if name == "conv_weight" and windows is not None:
        return int(args[1].size) * prod(result.shape[1:])
    if name in ("matmul", "linear"):
        return int(np.size(result)) * args[0].shape[-1]
    return 0


@lru_cache(1)
def peak() -> float:
    """The floating-point operations a second of a large matrix product in float32, the best of some: what convolutions are measured by.

    Winograd's algorithm multiplies less than is counted, so a convolution of 3x3 may exceed it.
    """
    a, best, n = np.ones((512, 512), np.float32), float("inf"), 512
    for _ in range(20):
        start = perf_counter()
        cpu.matmul(a, a)
        best = min(best, perf_counter() - start)
    return 2 * n**3 / best


def table(head: tuple[str, str], rows: Iterable[tuple[str, str, Total]]) -> str:
    """Rows with their sums, the slowest first."""
    lines = [(*head, "calls", "ms", "share", "MB", "GFLOP/s", "of peak")]
    rows = list(rows)
    whole = sum(total.seconds for *_, total in rows) or 1.0
    for name, second, t in rows:
        speed = 2 * t.macs / t.seconds if t.macs and t.seconds else 0.0
        lines.append((
            name, second, str(t.calls), f"{1e3 * t.seconds:.2f}", f"{t.seconds / whole:.0%}", f"{t.bytes / 2**20:.2f}",
            f"{speed / 1e9:.1f}" if speed else "", f"{speed / peak():.0%}" if speed else "",
        ))  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
