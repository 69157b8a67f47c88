"""A table of what each layer of a network gives and costs, computed without data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.core.dtypes import get_default_dtype
from minigrad.inspect.fields import Field, times
from minigrad.inspect.shadows import Shadow, ShapeKernels, in_shadow, shadow_input
from minigrad.inspect.trace import Call, tensors_in, trace
from minigrad.kernels.geometry import Windows
from minigrad.nn.parameter import is_lazy

__all__ = ["LayerSummary", "Summary", "summary"]

Shape = tuple[int, ...]


@dataclass
class Event:
    """A convolution, pooling or product that was met on the way: in which call, and its multiply-adds."""

    kind: str
    windows: Windows | None
    macs: int
    call: Call | None


@dataclass
class LayerSummary:
    """One row: a call of a layer.

    `activations` counts the elements of its output, 0 where it wrote over its input; `macs` its multiply-adds; `params` those elements of its
    parameters that no row above has counted.
    """

    name: str
    kind: str
    output_shape: Shape
    params: int
    activations: int
    activation_bytes: int
    macs: int
    field: Field | None

    @property
    def flops(self) -> int:
        """A multiply-add is two operations."""
        return 2 * self.macs

    @property
    def receptive_field(self) -> Shape | None:
        """How many positions of the input a unit sees along each axis, padding included."""
        return None if self.field is None else tuple(int(-(-n // 1)) for n in self.field.size)

    @property
    def stride(self) -> tuple[Any, ...] | None:
        """How far the fields of neighbouring units lie apart; a fraction after an enlargement."""
        return None if self.field is None else tuple(int(n) if n.denominator == 1 else n for n in self.field.step)


@dataclass
class Summary:
    """What `summary` returns: rows, and totals over them. Printing it prints the table."""

    input_shapes: list[Shape]
    layers: list[LayerSummary]
    params: int
    trainable_params: int
    param_bytes: int
    input_activations: int
    input_bytes: int
    events: list[Event] = field(repr=False, default_factory=list)

    @property
    def macs(self) -> int:
        """The multiply-adds of all convolutions and matrix products."""
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        """Two for each multiply-add; additions of biases, activations, poolings and norms are not counted."""
        return 2 * self.macs

    @property
    def activations(self) -> int:
        """The elements of the input and of all outputs, those written in place once."""
        return self.input_activations + sum(layer.activations for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Their memory: what a forward pass holds if it keeps everything, as training does."""
        return self.input_bytes + sum(layer.activation_bytes for layer in self.layers)

    def __getitem__(self, name: str) -> LayerSummary:
        """The first row of this name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"summary: no layer is called {name!r}; the layers are {[layer.name for layer in self.layers]}")

    def __str__(self) -> str:
        head = ("layer", "kind", "output", "parameters", "activations", "MACs", "receptive field", "stride")
        rows = [head]
        rows += [("input", "", times(shape), "", f"{prod(shape):,}", "", "", "") for shape in self.input_shapes]
        for layer in self.layers:
            seen = times(layer.receptive_field) if layer.receptive_field else ""
            rows.append((
                layer.name or "(the model itself)", layer.kind, times(layer.output_shape), shown(layer.params), shown(layer.activations),
                shown(layer.macs), seen, times(layer.stride) if layer.stride else "",
            ))  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        left = (0, 1, 2)
        lines = [
            "  ".join(
                cell.ljust(w) if i in left else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        rule = "-" * max(len(line) for line in lines)
        totals = [
            f"parameters   {self.params:,} ({self.trainable_params:,} to be learned), {megabytes(self.param_bytes)}",
            f"activations  {self.activations:,}, {megabytes(self.activation_bytes)} forward, about twice that with backward",
            f"operations   {self.macs:,} multiply-adds = {self.flops:,} FLOPs (one multiply-add = 2; convolutions and matrix products only)",
        ]
        return "\n".join([lines[0].rstrip(), rule, *[line.rstrip() for line in lines[1:]], rule, *totals])

    __repr__ = __str__


def summary(model: nn.Module, input_size: Any, dtype: Any = None) -> Summary:
    """What every layer gives and costs: output shape, parameters, activations, multiply-adds, receptive field, stride; and totals.

    The model's own forward runs, in evaluation mode, on arrays without data, so that branches are right and nothing is computed. Layers that are called
    several times have several rows.

    VGG-16 on a picture of 224x224x3 has 138,357,544 parameters and makes 15.2 million numbers (58 MB), its rectifiers writing in place: 3.2 million in each
    of its first two convolutions, 13.5 million in all thirteen, 1.5 in the poolings. Lectures that print "24M, 93 MB" below these rows have added them
    up wrongly; `examples/textbook.py` does it again.

    Args:
        model: the network; it is left as it was.
        input_size: the shape of the input, such as (3, 224, 224); an axis for one sample is put in front unless it is there. For several inputs a list of
            complete shapes.
        dtype: of the input; by default int64 where the first layer is an embedding, else that of the parameters.

    Raises:
        TypeError: the model is no module, or the sizes are no integers.
        RuntimeError: the sizes do not fit; `doctor` tells where and which do.

    >>> from minigrad import inspect, nn
    >>> table = inspect.summary(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 7 * 7, 10)), (3, 15, 15))
    >>> print(table)
    layer  kind     output     parameters  activations    MACs  receptive field  stride
    -----------------------------------------------------------------------------------
    input           1x3x15x15                      675
    0      Conv2d   1x8x7x7           224          392  10,584              3x3     2x2
    1      ReLU     1x8x7x7                        392                      3x3     2x2
    2      Flatten  1x392                                                   3x3     2x2
    3      Linear   1x10            3,930           10   3,920            15x15   14x14
    ...
    """
    run = run_in_shadow(model, input_size, dtype)
    if run.error is not None:
        raise run.error
    return run.table()


class ShadowRun:
    """One forward pass without data: its calls, its events, each shown to `see`, and the error that ended it if one did."""

    def __init__(
        self, model: nn.Module, shapes: list[Shape], dtype: Any, see: Callable[[Event], None] | None = None
    ) -> None:
        self.model = model
        self.shapes = shapes
        self.dtype = dtype
        self.see = see
        self.calls = trace(model)
        self.events: list[Event] = []
        self.error: Exception | None = None
        kernels = ShapeKernels(self._heard)
        with in_shadow(model, kernels), self.calls:
            handles = [
                module.register_forward_hook(keep_in_shadow(kernels), prepend=True) for module in model.modules()
            ]
            inputs = [shadow_input(kernels, shape, dtype) for shape in shapes]
            self.input_arrays = [x.array for x in inputs]
            try:
                model(*inputs)
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                self.error = error
            finally:
                for handle in handles:
                    handle.remove()

    def _heard(self, kind: str, windows: Windows | None, macs: int) -> None:
        self.events.append(Event(kind, windows, macs, self.calls.stack[-1] if self.calls.stack else None))
        if self.see is not None:
            self.see(self.events[-1])

    def table(self) -> Summary:
        """The rows and totals."""
        counted: set[int] = set()
        seen = {id(x) for x in self.input_arrays}
        rows = [row for call in self.calls.calls if (row := self._row(call, counted, seen)) is not None]
        params = list(self.model.parameters())
        return Summary(
            self.shapes,
            rows,
            sum(p.numel() for p in params),
            sum(p.numel() for p in params if p.requires_grad),
            sum(p.nbytes for p in params),
            sum(x.size for x in self.input_arrays),
            sum(x.nbytes for x in self.input_arrays),
            self.events,
        )

    def _row(self, call: Call, counted: set[int], seen: set[int]) -> LayerSummary | None:
        """The row of a call; None for a container that computes nothing itself."""
        own = [p for p in call.module._parameters.values() if id(p) not in counted]
        counted.update(id(p) for p in own)
        macs = sum(event.macs for event in self.events if event.call is call)
        is_layer = next(call.module.children(), None) is None
        if not (is_layer or own or macs):
            return None
        outputs = [x.array for x in tensors_in(call.output)]
        # A view or a write in place takes no memory; a container's output is that of the last of its layers.
        new = (
            [x for x in outputs if id(x) not in seen and x.base is not None and not is_view(x, seen)]
            if is_layer
            else []
        )
        seen.update(id(x) for x in outputs)
        first = outputs[0] if outputs else np.zeros(())
        seen_field = getattr(first, "field", None)
        if seen_field is not None and first.ndim == len(seen_field.plane) + 2:
            seen_field = seen_field.resized(first.shape[2:])
        return LayerSummary(
            call.name,
            type(call.module).__name__,
            first.shape,
            sum(p.numel() for p in own),
            sum(x.size for x in new),
            sum(x.nbytes for x in new),
            macs,
            seen_field,
        )


def is_view(x: Any, seen: set[int]) -> bool:
    """Does an array share the memory of one that was counted?"""
    while isinstance(x.base, np.ndarray):
        x = x.base
        if id(x) in seen:
            return True
    return False


def keep_in_shadow(kernels: ShapeKernels) -> Any:
    """A hook that brings a module's outputs back into the shadow where a computation on the way has made real arrays of them."""

    def hook(module: nn.Module, args: Any, output: Any) -> None:
        known = next((x.array.field for x in tensors_in(args) if isinstance(x.array, Shadow)), None)
        for x in tensors_in(output):
            if not isinstance(x.array, Shadow):
                x.array = kernels.shadow(x.array.shape, x.array.dtype, known)

    return hook


def run_in_shadow(model: nn.Module, input_size: Any, dtype: Any = None) -> ShadowRun:
    """The pass of a model over inputs of these sizes; an error in it is kept, one in the arguments raised."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"summary: expected a module, got {type(model).__name__}")
    lazy = next((name for name, p in model.named_parameters() if is_lazy(p)), None)
    if lazy is not None:
        raise RuntimeError(f"summary: the parameter {lazy} has no shape yet; call the model once with data")
    if isinstance(input_size, int):
        input_size = (input_size,)
    several = bool(input_size) and isinstance(input_size[0], Sequence)
    shapes = [checked_size(size) for size in (input_size if several else [input_size])]
    rank, kind = expected_input(model)
    if not several and rank is not None and len(shapes[0]) == rank - 1:
        shapes = [(1, *shapes[0])]
    return ShadowRun(model, shapes, kind if dtype is None else np.dtype(dtype))


def checked_size(size: Any) -> Shape:
    """A shape, made of integers above 0."""
    try:
        found = tuple(int(n) for n in size if int(n) == n)
    except (TypeError, ValueError):
        raise TypeError(f"summary: input_size must be made of integers, got {size!r}") from None
    if len(found) != len(tuple(size)) or not found or min(found) < 1:
        raise TypeError(f"summary: input_size must be made of integers above 0, got {size!r}")
    return found


def expected_input(model: nn.Module) -> tuple[int | None, Any]:
    """How many axes a batch of inputs has, judging by the first layer that tells, and its dtype."""
    kind: Any = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), get_default_dtype())
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            return 2, np.dtype("int64")
        weights = list(module._parameters.values())
        name = type(module).__name__
        if "Conv" in name and weights and "weight" in module._parameters:
            return weights[0].ndim, kind
        if isinstance(module, nn.Linear):
            return 2, kind
        rank = next((n for n in (1, 2, 3) if name.endswith(f"{n}d")), None)
        if rank is not None:
            return rank + 2, kind
    return None, kind


def shown(n: int) -> str:
    return f"{n:,}" if n else ""


def megabytes(n: int) -> str:
    return f"{n / 2**20:,.1f} MB"
