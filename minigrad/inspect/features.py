"""What units look for: filters, feature maps, receptive fields, the patches that excite a unit most, and images made to excite it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.autograd import grad
from minigrad.core.modes import enable_grad, no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.inspect.attribution import checked_unit, plane_of
from minigrad.inspect.fields import Field
from minigrad.inspect.figures import side_by_side, tiled, with_box
from minigrad.inspect.looking import Array, Layer, as_batch, asking, evaluating, layer_name, layer_of, run_to
from minigrad.inspect.summary import ShadowRun
from minigrad.inspect.trace import tensors_in

__all__ = [
    "Patches",
    "ReceptiveField",
    "exciting_patches",
    "feature_inversion",
    "feature_maps",
    "filters",
    "maximise_activation",
    "receptive_field",
]


def filters(model: nn.Module, layer: Layer | None = None, figure: bool = False) -> Any:
    """The filters of a convolution, the first by default, in one picture from 0 to 1: (H, W, 3) if they see three channels, else (H, W).

    Grey is 0. Filters that see other numbers of channels show the one after the other, a row for each filter.

    >>> from minigrad import inspect, nn
    >>> inspect.filters(nn.Conv2d(3, 16, 5)).shape, inspect.filters(nn.Conv2d(1, 6, 5)).shape, inspect.filters(nn.Conv2d(2, 4, 3)).shape
    ((23, 23, 3), (11, 17), (15, 7))
    """
    if layer is None:
        found: nn.Module | None = next(
            (m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))), None
        )
        if found is None:
            raise ValueError("filters: the model has no convolution of images; name the layer with layer=")
    else:
        found = layer_of(model, layer)
    weight = vars(found).get("weight")
    if not isinstance(weight, Tensor) or weight.ndim != 4:
        raise ValueError(f"filters: expected a layer with filters (K, C, FH, FW), got {type(found).__name__}")
    array = weight.array
    scaled = 0.5 + 0.5 * array / (float(np.abs(array).max()) or 1.0)
    if array.shape[1] == 3:
        picture = tiled(np.moveaxis(scaled, 1, -1))
    elif array.shape[1] == 1:
        picture = tiled(scaled[:, 0])
    else:
        rows = [tiled_row(one) for one in scaled]
        picture = np.concatenate([part for row in rows for part in (row, np.ones((1, row.shape[1]), row.dtype))][:-1])
    if not figure:
        return picture
    return picture, side_by_side(
        [np.moveaxis(picture, -1, 0) if picture.ndim == 3 else picture], [""], columns=1, title="filters"
    )


def tiled_row(pictures: Array) -> Array:
    """Pictures in a row with lines between them."""
    gap = np.ones((pictures.shape[1], 1), pictures.dtype)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], 1)


def feature_maps(model: nn.Module, image: Any, layer: Layer, figure: bool = False) -> Any:
    """The maps that a layer makes of an image, (C, H, W) or whatever shape it gives; of a batch with that axis in front.

    >>> import minigrad
    >>> from minigrad import inspect, nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    >>> inspect.feature_maps(model, minigrad.rand(1, 8, 8), "1").shape
    (4, 6, 6)
    """
    batch, single = as_batch(model, image)
    chosen = layer_of(model, layer)
    with evaluating(model):
        maps, _ = run_to(model, chosen, batch)
    found: Array = maps.array[0].copy() if single else maps.array.copy()
    if not figure:
        return found
    first = maps.array[0]
    planes = first if first.ndim == 3 else first.reshape(1, 1, -1)
    return found, side_by_side(
        list(planes), [str(i) for i in range(len(planes))], title=f"maps of {layer_name(model, chosen)}"
    )


@dataclass(frozen=True)
class ReceptiveField:
    """What a unit sees: `box`, the first row and the one after the last, and the same of columns, by the sizes of the layers on the way (it may reach
    into the padding); and `effective`, (H, W), how much each pixel moves the unit, at most 1."""

    box: tuple[tuple[int, int], ...]
    effective: Array


def receptive_field(
    model: nn.Module,
    image: Any,
    layer: Layer,
    unit: tuple[int, int] | None = None,
    channel: int | None = None,
    figure: bool = False,
) -> Any:
    """The receptive field of a unit of a layer, in theory and in effect.

    The effective one is the absolute gradient of the unit, summed over the channels of the image and, unless one is chosen, over those of the layer:
    W. Luo et al., "Understanding the effective receptive field in deep convolutional neural networks", arXiv:1701.04128.

    Args:
        image: an image (C, H, W), or its shape: then noise is taken.
        unit: the place in the layer's maps, by default the middle.
    """
    if isinstance(image, tuple) and all(isinstance(n, int) for n in image):
        image = np.random.default_rng(0).standard_normal(image)
    batch, _ = as_batch(model, image)
    chosen = layer_of(model, layer)
    field = field_of(model, chosen, tuple(batch.shape))
    with evaluating(model):
        x = asking(batch)
        maps, _ = run_to(model, chosen, x)
        plane_of(maps, channel or 0)
        place = tuple(n // 2 for n in maps.shape[2:]) if unit is None else checked_unit(unit, maps.shape[2:])
        seen = np.zeros(batch.shape[2:])
        for c in range(maps.shape[1]) if channel is None else (channel,):
            with enable_grad():
                one = maps[(0, c, *place)]
            (g,) = grad(one, x, retain_graph=True)
            seen += np.abs(g.array[0]).sum(0)
    found = ReceptiveField(field.box(place), seen / (seen.max() or 1.0))
    if not figure:
        return found
    return found, with_box(
        batch.array[0], found.effective, found.box, f"what {layer_name(model, chosen)} sees at {place}"
    )


def field_of(model: nn.Module, layer: nn.Module, shape: tuple[int, ...]) -> Field:
    """The field of the units of a layer."""
    kind: Any = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), np.dtype("float32"))
    run = ShadowRun(model, [shape], kind)
    if run.error is not None:
        raise run.error
    output = next(next(tensors_in(call.output)).array for call in run.calls.calls if call.module is layer)
    if output.field is None or output.ndim != 4:
        raise ValueError(
            f"inspect: the layer gives shape {output.shape}, expected maps (N, C, H, W); choose a convolution or pooling"
        )
    field: Field = output.field.resized(output.shape[2:])
    return field


@dataclass(frozen=True)
class Patches:
    """The patches that excite a unit most: (n, C, h, w), black where they reach over the border; the numbers of their images, the
    units' places and their activations."""

    patches: Array
    images: list[int]
    places: list[tuple[int, ...]]
    activations: Array


def exciting_patches(
    model: nn.Module, images: Any, layer: Layer, channel: int, n: int = 9, figure: bool = False
) -> Any:
    """The parts of images that excite a map most, one of each image, the strongest first: as large as its units' receptive field.

    Zeiler and Fergus, as for `deconvnet`, show them beside what that gives.
    """
    batch, single = as_batch(model, images)
    if single:
        raise ValueError("exciting_patches: expected a batch of images (N, C, H, W)")
    chosen = layer_of(model, layer)
    field = field_of(model, chosen, (1, *batch.shape[1:]))
    best: list[tuple[float, int, tuple[int, ...]]] = []
    with evaluating(model), no_grad():
        for begin in range(0, len(batch), 128):
            maps, _ = run_to(model, chosen, batch[begin : begin + 128])
            plane_of(maps, channel)
            flat = maps.array[:, channel].reshape(maps.shape[0], -1)
            for i, place in enumerate(flat.argmax(1)):
                best.append(
                    (float(flat[i, place]), begin + i, tuple(int(p) for p in np.unravel_index(place, maps.shape[2:])))
                )
    best = sorted(best, key=lambda one: -one[0])[:n]
    cut = [cropped(batch.array[i], field.box(place)) for _, i, place in best]
    found = Patches(
        np.stack(cut), [i for _, i, _ in best], [place for *_, place in best], np.array([a for a, *_ in best])
    )
    if not figure:
        return found
    titles = [f"{a:.3g}" for a, *_ in best]
    return found, side_by_side(
        list(found.patches),
        titles,
        columns=min(9, len(cut)),
        title=f"what excites {layer_name(model, chosen)}, map {channel}",
    )


def cropped(image: Array, box: tuple[tuple[int, int], ...]) -> Array:
    """A part of an image (C, H, W), 0 where it reaches over the border."""
    out = np.zeros((image.shape[0], *[high - low for low, high in box]), image.dtype)
    inside = [(max(0, low), min(n, high)) for (low, high), n in zip(box, image.shape[1:], strict=True)]
    to = tuple(slice(a - low, b - low) for (a, b), (low, _) in zip(inside, box, strict=True))
    out[(slice(None), *to)] = image[(slice(None), *[slice(a, b) for a, b in inside])]
    return out


def maximise_activation(
    model: nn.Module,
    layer: Layer,
    channel: int,
    size: tuple[int, int, int],
    unit: tuple[int, int] | None = None,
    steps: int = 128,
    lr: float = 0.1,
    smoothness: float = 0.05,
    decay: float = 0.01,
    seed: int = 0,
    figure: bool = False,
) -> Any:
    """An image (C, H, W) that excites a map of a layer as much as gradient ascent can make it: the mean of the map, or one unit.

    Differences between neighbours and the square of the image are held down; the image is shifted a little before each step.
    D. Erhan et al., "Visualizing higher-layer features of a deep network", 2009; C. Olah et al., "Feature visualization", Distill 2017.

    Args:
        size: of the image. steps, lr: of the ascent. smoothness, decay: how much differences and squares count. seed: of the noise that it starts from.
    """
    chosen = layer_of(model, layer)

    def loss(maps: Tensor) -> Tensor:
        rows = maps.reshape(maps.shape[0], maps.shape[1], -1)
        if not 0 <= channel < rows.shape[1]:
            raise IndexError(f"inspect: the layer has {rows.shape[1]} maps, there is no number {channel}")
        if unit is not None:
            return -maps[(0, channel, *checked_unit(unit, tuple(maps.shape[2:])))]
        return -rows[0, channel].mean()

    image = painted(model, chosen, size, loss, steps, lr, smoothness, decay, seed)
    if not figure:
        return image
    return image, side_by_side([image], [f"{layer_name(model, chosen)}, map {channel}"], columns=1)


def feature_inversion(
    model: nn.Module,
    image: Any,
    layer: Layer,
    steps: int = 200,
    lr: float = 0.1,
    smoothness: float = 0.01,
    seed: int = 0,
    figure: bool = False,
) -> Any:
    """An image that a layer sees as it sees the given one: what it remembers of it.

    A. Mahendran and A. Vedaldi, "Understanding deep image representations by inverting them", arXiv:1412.0035.

    Args:
        image: (C, H, W). The others are as for `maximise_activation`.
    """
    batch, single = as_batch(model, image)
    if not single and len(batch) != 1:
        raise ValueError(f"feature_inversion: expected one image, got a batch of {len(batch)}")
    chosen = layer_of(model, layer)
    with evaluating(model), no_grad():
        wanted = run_to(model, chosen, batch)[0].detach()
    scale = float((wanted.array.astype(np.float64) ** 2).sum()) or 1.0

    def loss(maps: Tensor) -> Tensor:
        return ((maps - wanted) ** 2).sum() / scale

    found = painted(model, chosen, tuple(batch.shape[1:]), loss, steps, lr, smoothness, 0.0, seed, shifts=False)
    if not figure:
        return found
    return found, side_by_side([batch.array[0], found], ["image", f"as {layer_name(model, chosen)} sees it"])


def painted(
    model: nn.Module, layer: nn.Module, size: Any, loss: Callable[[Tensor], Tensor], steps: int, lr: float, smoothness: float, decay: float, seed: int,
    shifts: bool = True,
) -> Array:  # fmt: skip
    """The image at which a function of a layer's output is small, found by Adam."""
    if len(size) != 3:
        raise ValueError(f"inspect: expected the size of an image (C, H, W), got {size}")
    rng = np.random.default_rng(seed)
    kind: Any = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), np.dtype("float32"))
    x = (0.01 * rng.standard_normal((1, *size))).astype(kind)
    first, second = np.zeros_like(x), np.zeros_like(x)
    with evaluating(model):
        for step in range(1, steps + 1):
            shift = tuple(rng.integers(-2, 3, 2)) if shifts else (0, 0)
            moved = asking(make_tensor(np.roll(x, shift, (2, 3))))
            with enable_grad():
                maps, _ = run_to(model, layer, moved)
                rough = ((moved[:, :, 1:] - moved[:, :, :-1]) ** 2).mean() + (
                    (moved[:, :, :, 1:] - moved[:, :, :, :-1]) ** 2
                ).mean()
                total = loss(maps) + smoothness * rough + decay * (moved * moved).mean()
            (g,) = grad(total, moved)
            slope = np.roll(g.array, (-shift[0], -shift[1]), (2, 3))
            first += 0.1 * (slope - first)
            second += 0.01 * (slope * slope - second)
            x = x - lr * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    image: Array = x[0].astype(kind)
    return image
