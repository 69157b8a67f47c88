"""Hooks for saved tensors: what stands in a saved value's place, and how it comes back when backward asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graph import Node, Saved
from .modes import grad_mode, saving_hooks, set_recording
from .tensor import Tensor, make_tensor, version_of


class Packed:
    """What the hook made of a tensor, in the place of its array."""

    __slots__ = ("value", "hook", "shape", "dtype")

    def __init__(self, value: Any, hook: Callable[[Any], Tensor], shape: tuple[int, ...], dtype: Any) -> None:
        self.value = value
        self.hook = hook
        self.shape = shape
        self.dtype = dtype

    def unpack(self) -> Tensor:
        """The tensor again."""
        out = self.hook(self.value)
        if not isinstance(out, Tensor):
            raise TypeError(
                f"saved_tensors_hooks: expected the unpack hook to return a tensor, got {type(out).__name__}"
            )
        if out.shape != self.shape:
            raise RuntimeError(
                f"saved_tensors_hooks: the unpack hook returned a tensor of shape {out.shape}, the saved one had shape {self.shape}"
            )
        return out


def pack(saved: Saved) -> None:
    """Runs the innermost pack hook on one saved value."""
    pack_hook, unpack_hook = saving_hooks.pairs[-1]
    tensor = make_tensor(saved.array)
    tensor.version = saved.version
    before = grad_mode()
    try:
        set_recording(False)
        value = pack_hook(tensor)
    finally:
        set_recording(before)
    if saved.version.writes != saved.writes:
        raise RuntimeError(
            "saved_tensors_hooks: the pack hook wrote into its tensor, which others use too; let it compute a new one"
        )
    saved.array = Packed(value, unpack_hook, saved.array.shape, saved.array.dtype)


def pack_values(node: Node) -> None:
    """Runs the innermost pack hook on all that a node has saved and no hook has seen."""
    for value in (*(node.saved or ()), node.output, *(node.aux or ())):
        if isinstance(value, Saved) and not isinstance(value.array, Packed):
            pack(value)


def unpacked(packed: Packed) -> tuple[Any, Any]:
    """The array and the write counter of what the unpack hook returns."""
    out = packed.unpack()
    return out.array, version_of(out)
