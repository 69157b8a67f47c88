"""What the functions that look inside have in common: a model left as it was, layers by name, images in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.core.graph import Leaf
from minigrad.core.modes import enable_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.inspect.trace import tensors_in

Array = np.ndarray[Any, Any]
Layer = str | nn.Module
Target = int | Callable[[Tensor], Tensor] | None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A block in which the model is in evaluation mode; afterwards each module is in the mode it was in.

    Somebody looks at each rectifier, so that none is computed together with what comes before it: `rectifiers` finds them all.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"inspect: expected a module, got {type(model).__name__}")
    modes = [(module, module.training) for module in model.modules()]
    watches = [
        module.register_forward_hook(lambda *_: None) for module in model.modules() if isinstance(module, nn.ReLU)
    ]
    model.eval()
    try:
        yield
    finally:
        for watch in watches:
            watch.remove()
        for module, training in modes:
            module.training = training


def layer_of(model: nn.Module, layer: Layer) -> nn.Module:
    """The layer of a dotted name, or the module itself if it is one of the model's."""
    modules = dict(model.named_modules())
    if isinstance(layer, str) and layer in modules:
        return modules[layer]
    if isinstance(layer, nn.Module) and any(layer is module for module in modules.values()):
        return layer
    raise ValueError(
        f"inspect: the model has no layer {layer if isinstance(layer, str) else type(layer).__name__!r}; its layers are {', '.join(filter(None, modules))}"
    )


def layer_name(model: nn.Module, layer: nn.Module) -> str:
    """The dotted name of a layer."""
    return next(name for name, module in model.named_modules() if module is layer)


def last_convolution(model: nn.Module) -> nn.Module:
    """The convolution that comes last in the order of definition."""
    found = [
        m for m in model.modules() if "Conv" in type(m).__name__ and isinstance(vars(m).get("weight"), nn.Parameter)
    ]
    if not found:
        raise ValueError("inspect: the model has no convolution; name the layer to look at with layer=")
    return found[-1]


def as_batch(model: nn.Module, image: Any) -> tuple[Tensor, bool]:
    """An image (C, H, W), or several (N, C, H, W), as a batch of the dtype of the model's parameters; and whether it was a single one."""
    array = image.array if isinstance(image, Tensor) else np.asarray(image)
    if array.ndim not in (3, 4):
        raise ValueError(
            f"inspect: expected an image (C, H, W) or a batch (N, C, H, W), got shape {tuple(array.shape)}"
        )
    kind: Any = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), np.dtype("float32"))
    single = array.ndim == 3
    return make_tensor(np.array(array[None] if single else array, dtype=kind)), single


def scores(output: Any, target: Target, n: int) -> tuple[Tensor, list[int]]:
    """The sum over a batch of what is to be explained, and the classes: the given one, else the one that each output is highest in."""
    first = next(tensors_in(output))
    if callable(target):
        score = target(first)
        if not isinstance(score, Tensor) or score.numel() != 1:
            raise ValueError("inspect: the target function must return a tensor of one element")
        return score.sum(), []
    rows: Tensor = first.reshape(n, -1)
    if target is not None and not -rows.shape[1] <= target < rows.shape[1]:
        raise IndexError(f"inspect: there is no class {target}: the model gives {rows.shape[1]} scores")
    chosen = [int(i) for i in rows.array.argmax(1)] if target is None else [int(target) % rows.shape[1]] * n
    return rows[list(range(n)), chosen].sum(), chosen


def run_to(model: nn.Module, layer: nn.Module, x: Tensor) -> tuple[Tensor, Any]:
    """The output of a layer when the model sees x, before anything overwrites it, and the model's output. Recorded."""
    held: list[Tensor] = []

    def hold(module: nn.Module, args: Any, output: Any) -> Any:
        held.append(next(tensors_in(output)))
        return held[-1].clone() if isinstance(output, Tensor) else None

    with layer.register_forward_hook(hold), enable_grad():
        output = model(x)
    if not held:
        raise RuntimeError(f"inspect: the model's forward does not call its layer {layer_name(model, layer)}")
    return held[0], output


def asking(x: Tensor) -> Tensor:
    """The tensor, as one whose gradient can be asked for."""
    return x.detach().requires_grad_()


def rectifiers(root: Any) -> Iterator[Any]:
    """The nodes of a graph that rectify, wherever they were called."""
    seen, stack = {root}, [root]
    while stack:
        node = stack.pop()
        if not isinstance(node, Leaf) and node.primitive.name == "relu":
            yield node
        for edge in node.edges or ():
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)


def enlarged(maps: Array, size: tuple[int, ...]) -> Array:
    """Maps (..., h, w) as smooth ones (..., H, W)."""
    from minigrad.nn.functional import interpolate

    flat = make_tensor(np.ascontiguousarray(maps.reshape(1, -1, *maps.shape[-2:])))
    out: Array = interpolate(flat, size=size, mode="bilinear", align_corners=False).array
    return out.reshape(*maps.shape[:-2], *size)


def stretched(a: Array) -> Array:
    """An array brought to the range from 0 to 1."""
    low, high = float(a.min()), float(a.max())
    return (a - low) / (high - low) if high > low else np.zeros_like(a)
