"""Writing in place: x.add_(y) is x = x + y that keeps the memory, seen from the graph.

The tensor gets the node of the new value. If it is a view, the tensor it is a view of gets a node too, which says "the old
base with this part replaced"; and its other views look up their nodes again when they are next used.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import numpy as np

from ..kernels.driver import is_host
from .device import together
from .dtypes import check_kind
from .graph import Leaf, Saved, Version, watch
from .modes import grad_mode, inference, packing, recording, set_inference, set_recording, tracers, tracing
from .primitive import Primitive, primitive
from .saving import pack_values
from .source import here
from .tensor import OPAQUE, TABLE, Operation, Tensor, edge_of, make_tensor, needs_grad, register, save, version_of


class InPlace(Operation):
    """The in-place form of an operation: `relu_` of `relu`."""

    def __init__(self, op: Any, name: str) -> None:
        self.op = op
        self.__name__ = self.__qualname__ = name + "_"
        self.__module__ = op.__module__
        self.__doc__ = f"The in-place form of `{op.__name__}`: writes the result into the first argument and returns it."

    def __call__(self, *args: Any, **named: Any) -> Tensor:
        op = self.op
        tensors, static = op.bind(args, named) if isinstance(op, Primitive) else (args, ())
        target = tensors[0] if tensors else None
        if not isinstance(target, Tensor):
            raise TypeError(f"{self.__name__}: expected a tensor to write into, got {type(target).__name__}")
        check_writable(self.__name__, target)
        before = alias(target)
        if packing() and recording():  # what hooks are given must stay as it is: nothing counts the writes to it
            before.array, before.version = target.array.copy(), None
        if isinstance(op, Primitive):
            if op.in_place is not None and (op.equals is None or not recording()):  # the composite reads what was there before
                return write_directly(self, target, before, tensors, static)
            result = op.call((before, *tensors[1:]), static)
            keep_overwritten(result, target)
        else:
            if recording():
                before.array, before.version = target.array.copy(), None  # whatever of it is saved stays as it was
            result = op(before, *args[1:], **named)
        check_result(self.__name__, target, result)
        if result.tracked:
            check_single(self.__name__, target)
        if before.tracked and not result.tracked and recording():  # has no derivative: what the tensor was does not count any more
            result = TABLE["copy"](before, result)
        target.array[...] = result.array
        finish(self.__name__, target, result)
        return target

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<in-place {self.op.__name__}>"

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(self.op)


def write_directly(operation: InPlace, target: Tensor, before: Tensor, tensors: tuple[Any, ...], static: tuple[Any, ...]) -> Tensor:
    """Computes into the target's array, for primitives that know how, and records what the graph would have seen."""
    op = operation.op
    if op.accepts:
        check_kind(operation.__name__, op.accepts, target.array)
    arrays = [t.array if isinstance(t, Tensor) else t for t in tensors[1:]]
    if any([not is_host(a) for a in (target.array, *arrays) if hasattr(a, "dtype")]):
        arrays = together(operation.__name__, [target.array, *arrays], op.facts.get("moves", False))[1:]
    tracked = recording() and any([needs_grad(t) for t in (before, *tensors[1:]) if isinstance(t, Tensor)])
    result = make_tensor(target.array)
    if tracked:
        check_single(operation.__name__, target)
        result.node = op.record((before, *tensors[1:]), static, result, None)
        result.tracked = True
    op.in_place(target.array, *arrays, *static)
    if tracing():
        tracers.current.note(op, (before, *tensors[1:]), static, (result,))
    finish(operation.__name__, target, result)
    return target


def alias(x: Tensor) -> Tensor:
    """Another tensor with the same array and history: what x was before it is written to."""
    out = make_tensor(x.array)
    out.version = version_of(x)
    if needs_grad(x):
        out.node = edge_of(x)
        out.tracked = True
    return out


def keep_overwritten(result: Tensor, target: Tensor) -> None:
    """If the node of the new value has saved the old one for backward, lets it keep a copy: the write does not spoil its own gradient."""
    if result.node is not None and result.node.saved is not None:
        old = result.node.saved[0]
        if isinstance(old, Saved) and old.array is target.array:
            result.node.saved[0] = save(target.array.copy(), old.node, Version())


def check_writable(name: str, target: Tensor) -> None:
    """Refuses a write that the graph could not follow, or that would not leave in memory what it says."""
    if target.is_inference() and not inference():
        raise RuntimeError(f"{name}: an inference tensor cannot be written in place outside inference_mode; use a clone (x.clone())")
    if recording():
        check_history(name, target)
    if overlaps(target.array):
        raise RuntimeError(f"{name}: several elements share one place in memory (an expanded or unfolded tensor); use a copy (x.clone())")
    if isinstance(target.array, np.ndarray) and not target.array.flags.writeable:
        raise RuntimeError(f"{name}: the tensor's array is read-only; use a copy (x.clone())")


def check_history(name: str, target: Tensor) -> None:
    """Refuses to write, while the graph is recorded, into leaves and into views that hide their history."""
    root = target if target.base is None else target.base
    if root.base is None and root.seen == OPAQUE:
        raise RuntimeError(
            f"{name}: the tensor is an input that a custom Function returned, or a view of one; writing into it would bypass that "
            "Function's backward; use a clone (x.clone()), or mark_dirty in the Function"
        )
    leaf = root if needs_grad(root) and root.is_leaf else target
    if needs_grad(leaf) and leaf.is_leaf:
        raise RuntimeError(
            f"{name}: {'a leaf' if leaf is target else 'a view of a leaf'} that needs a gradient cannot be written in place while the graph is "
            "recorded; do it under no_grad(), or compute a new tensor"
        )
    if needs_grad(root):
        check_single(name, target)
    if needs_grad(root) and not needs_grad(target):
        raise RuntimeError(
            f"{name}: this view was made under no_grad(), so the tensor it is a view of would not know of the write; "
            "make the view outside of no_grad(), or write inside"
        )


def check_single(name: str, target: Tensor) -> None:
    """Refuses to write a history into one of several views that one call returned, as torch does: all of them would have to be made again."""
    for op, _, _ in taken(target.path):
        if op.parts:
            raise RuntimeError(
                f"{name}: the tensor is one of the views that {op.name.removesuffix('_sizes')} returned together, or a view of one; such views "
                "cannot be written in place while the graph is recorded; take the part by itself (x[i], x.narrow), or compute a new tensor"
            )


def overlaps(array: Any) -> bool:
    """Do two elements share one place in memory?"""
    if array.flags.forc or array.size < 2:
        return False
    span = 0
    for stride, n in sorted([(abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1]):
        if stride <= span:  # not nested: count the places
            places = sum(np.ix_(*[np.arange(n) * s for s, n in zip(array.strides, array.shape, strict=True)]))
            return bool(np.unique(places).size < array.size)
        span += stride * (n - 1)
    return False


def check_result(name: str, target: Tensor, result: Tensor) -> None:
    if result.shape != target.shape:
        raise RuntimeError(f"{name}: the result has shape {result.shape}, which does not fit into the tensor's {target.shape}")
    if not castable(result.dtype, target.dtype):
        raise RuntimeError(f"{name}: the result has dtype {result.dtype}, which cannot be cast to the tensor's {target.dtype}")


def castable(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """torch lets a result into a tensor of its own category or a higher one."""
    order = "biufc".index
    return source.kind == target.kind or order(source.kind) <= order(target.kind) or {source.kind, target.kind} == {"i", "u"}


def finish(name: str, target: Tensor, result: Tensor) -> None:
    """Counts the write, and gives the target (or the tensor it is a view of) the node of its new value."""
    if tracing():
        tracers.current.note_write(name, target, result)
    version = version_of(target)
    version.writes += 1
    version.writer = (name, here())
    if result.tracked:
        node = result.node
        if node.output is not None:  # the output is now in the target's memory
            node.output = save(target.array, None, version)
            if packing():
                pack_values(node)
        if target.base is None:
            renew(target, node)
        else:
            rebase(target.base, target, result)
        version.rebased += 1
        if target.base is None:
            target.seen = version.rebased


def renew(x: Tensor, node: Any) -> None:
    """Gives a tensor another node, which from now on is the one that fills its `.grad` if that was asked for."""
    old = x.node
    if old is not None and old is not node and old.watch is not None and old.watch.retained is not None and old.watch.retained() is x:
        watch(node).retained, old.watch.retained = old.watch.retained, None
    x.node = node
    x.tracked = True


def rebase(base: Tensor, view: Tensor, value: Tensor) -> None:
    """Gives the base of a view the history "what it was, with the view's part replaced by the value"."""
    new = write_view.call((alias(base), value), (steps(view), axis_order(base.array)))
    renew(base, new.node)


INVERSE = {"transpose": "transpose", "unsqueeze": "squeeze", "squeeze": "unsqueeze"}


def steps(view: Tensor) -> tuple[Any, ...]:
    """The primitives that lead from the base to the view, in order.

    All paths begin at the base as it was made. Where its own shape has been changed in place since, the way begins with the way back to that.
    """
    if any([op.name not in INVERSE for op, _, _ in taken(view.base.path)]):
        raise RuntimeError("as_strided_ has given the tensor that this is a view of another shape: no history can be written into it")
    back = [(TABLE[INVERSE[op.name]], static, part) for op, static, part in taken(view.base.path)]
    return tuple(back + taken(view.path)[::-1])


def taken(path: Any) -> list[Any]:
    """The steps of a path, the last one first."""
    found = []
    while path:
        path, step = path
        found.append(step)
    return found


def follow(x: Any, path: tuple[Any, ...]) -> Any:
    """Applies the steps to a tensor."""
    for op, static, part in path:
        x = op.call((x,), static)
        if op.parts:
            x = x[part]
    return x


def refresh(view: Tensor) -> None:
    """Looks up the node of a view whose base has got a new history."""
    base = view.base
    view.seen = view.version.rebased
    inference_before, grad_before = inference(), grad_mode()
    try:
        set_inference(False)
        set_recording(True)
        again = follow(alias(base), steps(view))
    finally:
        set_inference(inference_before)
        set_recording(grad_before)
    if again.tracked:
        renew(view, again.node)
    else:
        view.node, view.tracked = again.node, False


def axis_order(array: Any) -> tuple[int, ...]:
    """The axes from the largest stride to the smallest."""
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))


@primitive(method=False, tested_by="core/test_inplace.py")
def write_view(input, value, /, path, order):  # type: ignore[no-untyped-def]
    """The input with the part that `path` leads to replaced by the value (which is there already: it was written in place)."""
    return input


@write_view.vjp("input")
def _(g, path, order):  # type: ignore[no-untyped-def]
    return clear_part(g, path, order)


@write_view.vjp("value")
def _(g, path):  # type: ignore[no-untyped-def]
    return follow(g, path)


@primitive(method=False, laws="linear")
def clear_part(input, /, path, order):  # type: ignore[no-untyped-def]
    """The input with zeros in the part that `path` leads to.

    The copy has its axes in memory as the base had them (`order`), so that the steps of the path are views of it too.
    """
    out = make_tensor(input.transpose(order).copy().transpose([order.index(axis) for axis in range(input.ndim)]))
    follow(out, path).array[...] = 0
    return out.array


@clear_part.vjp("input")
def _(g, path, order):  # type: ignore[no-untyped-def]
    return clear_part(g, path, order)


@clear_part.cases
def _(draw):  # type: ignore[no-untyped-def]
    path = ((TABLE["transpose"], (0, 1), 0), (TABLE["get"], (draw.choice(0, slice(1, None)),), 0))
    return (draw.array((2, 3)), path, draw.choice((0, 1), (1, 0))), {}


def change_shape(name: str, x: Tensor, changes: list[Any]) -> Tensor:
    """Exchanges, adds or removes axes of the tensor itself, each change a primitive's name and its axes; no element moves."""
    if recording() and needs_grad(x) and x.is_leaf:
        raise RuntimeError(
            f"{name}: a leaf that needs a gradient cannot change its shape while the graph is recorded; do it under no_grad(), or compute a new tensor"
        )
    out = alias(x)
    for op, *axes in changes:
        step = (TABLE[op], tuple(axes), 0)
        out = step[0].call((out,), step[1])
        x.path = (x.path, step)
    x.array = out.array
    if isinstance(x.node, Leaf):
        x.node = None
    elif x.base is not None:
        x.seen = -1  # looks its node up again
    elif out.tracked:
        renew(x, out.node)
    return x


def in_place(op: Any, name: str = "") -> None:
    """Registers the in-place form of an operation, under its name or another one for it: `add_` for `add`."""
    form = InPlace(op, name or op.__name__)
    register(form.__name__, form)


TABLE["refresh"] = refresh
