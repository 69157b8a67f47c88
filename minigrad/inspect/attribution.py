"""Which parts of an image a decision rests on: saliency, guided backpropagation, Grad-CAM, the deconvnet, occlusion.

Images are (C, H, W), tensors or arrays, or batches (N, C, H, W), and so are the answers, which are NumPy arrays. What is explained is the score of
the class `target`, by default the highest; or, if it is a function of the model's output, what that gives. The model runs in evaluation mode and is
left as it was: modes, hooks, gradients. With figure=True each function returns the array and a matplotlib figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import nn
from minigrad.autograd import grad
from minigrad.core.modes import enable_grad, no_grad
from minigrad.core.tensor import Tensor, edge_of, make_tensor
from minigrad.inspect.figures import over_image, side_by_side
from minigrad.inspect.looking import (
    Array,
    Layer,
    Target,
    as_batch,
    asking,
    enlarged,
    evaluating,
    last_convolution,
    layer_name,
    layer_of,
    rectifiers,
    run_to,
    scores,
)

__all__ = ["deconvnet", "grad_cam", "guided_backprop", "occlusion", "saliency"]


def saliency(model: nn.Module, image: Any, target: Target = None, figure: bool = False) -> Any:
    """How much each pixel moves the score: the largest absolute gradient among its channels, (H, W).

    K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional networks", arXiv:1312.6034.

    >>> import minigrad
    >>> from minigrad import inspect, nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> model[1].weight.data = minigrad.tensor([[1.0, -2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    >>> inspect.saliency(model, minigrad.ones(1, 2, 2), target=0)
    array([[1., 2.],
           [0., 3.]], dtype=float32)
    """
    g, x, single, chosen = gradient_of_score(model, image, target, rectified=False)
    found = np.abs(g).max(1)
    return answer(found, x, single, figure, f"saliency{of_class(chosen)}")


def guided_backprop(model: nn.Module, image: Any, target: Target = None, figure: bool = False) -> Any:
    """The gradient of the score, (C, H, W), where every rectifier passes positive gradients only: what speaks for the class.

    J. Springenberg et al., "Striving for simplicity: the all convolutional net", arXiv:1412.6806.
    """
    g, x, single, chosen = gradient_of_score(model, image, target, rectified=True)
    if not figure:
        return g[0] if single else g
    drawn = side_by_side([x[0], g[0]], ["image", f"guided{of_class(chosen)}"])
    return (g[0] if single else g), drawn


def gradient_of_score(
    model: nn.Module, image: Any, target: Target, rectified: bool
) -> tuple[Array, Array, bool, list[int]]:
    """The gradient of the scores with respect to a batch of images."""
    batch, single = as_batch(model, image)
    with evaluating(model), enable_grad():
        x = asking(batch)
        score, chosen = scores(model(x), target, len(batch))
        if rectified:
            for node in rectifiers(edge_of(score)):
                node.register_prehook(lambda grad_outputs: (grad_outputs[0].clamp(min=0),))
        (g,) = grad(score, x)
    return g.array, batch.array, single, chosen


def grad_cam(
    model: nn.Module, image: Any, target: Target = None, layer: Layer | None = None, figure: bool = False
) -> Any:
    """Where in the image a layer sees what speaks for the class: (H, W), at most 1.

    The maps of the layer, the last convolution by default, are added up with the means of their gradients as weights; what is
    negative is cut off. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", arXiv:1610.02391.
    """
    batch, single = as_batch(model, image)
    chosen_layer = last_convolution(model) if layer is None else layer_of(model, layer)
    with evaluating(model):
        maps, output = run_to(model, chosen_layer, asking(batch))
        if maps.ndim != 4:
            raise ValueError(
                f"grad_cam: the layer gives shape {tuple(maps.shape)}, expected maps (N, C, H, W); choose a convolution"
            )
        with enable_grad():
            score, chosen = scores(output, target, len(batch))
        (g,) = grad(score, maps)
    weights = g.array.mean((2, 3), keepdims=True)
    heat = np.maximum((weights * maps.array).sum(1), 0)
    heat = np.maximum(enlarged(heat, batch.shape[2:]), 0)
    largest = heat.max((1, 2), keepdims=True)
    heat = np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)
    return answer(heat, batch.array, single, figure, f"Grad-CAM of {layer_name(model, chosen_layer)}{of_class(chosen)}")


def deconvnet(
    model: nn.Module, image: Any, layer: Layer, channel: int, unit: tuple[int, int] | None = None, figure: bool = False
) -> Any:
    """What in the image has excited a unit, (C, H, W): its activation sent back to the pixels.

    On the way convolutions are transposed, maxima go back to where the switches say they were found, and what arrives at a rectifier is rectified itself.
    M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", arXiv:1311.2901.

    Args:
        channel, unit: which map of the layer, and the place in it; by default where it is highest.
    """
    batch, single = as_batch(model, image)
    if not single and len(batch) != 1:
        raise ValueError(f"deconvnet: expected one image, got a batch of {len(batch)}")
    chosen = layer_of(model, layer)
    with evaluating(model):
        x = asking(batch)
        maps, _ = run_to(model, chosen, x)
        plane = plane_of(maps, channel)
        place = (
            tuple(int(i) for i in np.unravel_index(plane.argmax(), plane.shape))
            if unit is None
            else checked_unit(unit, plane.shape)
        )
        start = np.zeros(maps.shape, maps.dtype)
        start[(0, channel, *place)] = plane[place]
        for node in rectifiers(edge_of(maps)):
            node.register_hook(lambda grad_inputs, grad_outputs: (grad_outputs[0].clamp(min=0),))
        (g,) = grad(maps, x, make_tensor(start))
    found = g.array[0]
    if not figure:
        return found
    return found, side_by_side(
        [batch.array[0], found], ["image", f"{layer_name(model, chosen)}, map {channel} at {place}"]
    )


def occlusion(
    model: nn.Module,
    image: Any,
    target: Target = None,
    size: int = 5,
    stride: int = 1,
    fill: float = 0.0,
    figure: bool = False,
) -> Any:
    """How much the score falls when a square around a pixel is covered, (H, W): the mean over all squares that cover it.

    Zeiler and Fergus, as for `deconvnet`, section 4.2.

    Args:
        size, stride: of the squares. fill: what they are filled with.
    """
    batch, single = as_batch(model, image)
    if not single and len(batch) != 1:
        raise ValueError(f"occlusion: expected one image, got a batch of {len(batch)}")
    height, width = batch.shape[2:]
    if not 0 < size <= min(height, width) or stride < 1:
        raise ValueError(
            f"occlusion: expected 0 < size <= {min(height, width)} and stride > 0, got size {size} and stride {stride}"
        )
    places = [(top, left) for top in covering(height, size, stride) for left in covering(width, size, stride)]
    falls, counts = np.zeros((height, width)), np.zeros((height, width))
    with evaluating(model), no_grad():
        whole = model(batch)
        before, chosen = scores(whole, target, 1)
        wanted: Target = target if callable(target) else chosen[0]
        for begin in range(0, len(places), 64):
            part = places[begin : begin + 64]
            covered = np.repeat(batch.array, len(part), 0)
            for i, (top, left) in enumerate(part):
                covered[i, :, top : top + size, left : left + size] = fill
            outputs = model(make_tensor(covered))
            for i, (top, left) in enumerate(part):
                after, _ = scores(outputs[i : i + 1], wanted, 1)
                falls[top : top + size, left : left + size] += float(before) - float(after)
                counts[top : top + size, left : left + size] += 1
    found = np.divide(falls, counts, out=np.zeros_like(falls), where=counts > 0).astype(batch.dtype)
    return answer(found[None], batch.array, True, figure, f"fall of the score behind {size}x{size}{of_class(chosen)}")


def covering(n: int, size: int, stride: int) -> list[int]:
    """Where squares begin that cover an axis from end to end."""
    starts = list(range(0, n - size + 1, stride))
    return starts if starts[-1] == n - size else [*starts, n - size]


def plane_of(maps: Tensor, channel: int) -> Array:
    """One map of a layer's output for a single image."""
    if maps.ndim != 4:
        raise ValueError(
            f"inspect: the layer gives shape {tuple(maps.shape)}, expected maps (N, C, H, W); choose a convolution or pooling"
        )
    if not 0 <= channel < maps.shape[1]:
        raise IndexError(f"inspect: the layer has {maps.shape[1]} maps, there is no number {channel}")
    plane: Array = maps.array[0, channel]
    return plane


def checked_unit(unit: tuple[int, int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The place of a unit in its map."""
    if len(unit) != len(shape) or not all(0 <= i < n for i, n in zip(unit, shape, strict=True)):
        raise IndexError(f"inspect: the map has {' x '.join(map(str, shape))} units, there is none at {unit}")
    return tuple(int(i) for i in unit)


def answer(found: Array, images: Array, single: bool, figure: bool, title: str) -> Any:
    """The array as it is returned, with a figure of the first image if one is wanted."""
    result = found[0] if single else found
    return (result, over_image(images[0], found[0], title)) if figure else result


def of_class(chosen: list[int]) -> str:
    return f" of class {chosen[0]}" if chosen else ""
