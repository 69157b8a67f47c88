"""Augmentation at random: each image of a batch by its own draw, and the masks that belong to it by the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.dtypes import float32
from minigrad.core.tensor import Tensor
from minigrad.data.augment.colour import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, normalize
from minigrad.data.augment.geometry import affine, affine_matrix, batched, crop, pad
from minigrad.data.augment.mixing import cutout, mixup
from minigrad.ops.elementwise import where
from minigrad.ops.joining import stack
from minigrad.ops.random import numbers, rand, randint, randperm

__all__ = [
    "Augmentation",
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Cutout",
    "MixUp",
    "Normalize",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomScale",
    "RandomShift",
    "RandomVerticalFlip",
]


class Augmentation:
    """Base class. Called with an image (C, H, W) or a batch (N, C, H, W), and any masks (H, W), (C, H, W), (N, H, W) or (N, C, H, W) of the same size.

    It returns the image, or the tuple of the image and the masks. A subclass defines `draw`, the parameters for n images at random, and `apply`, what is
    done with them to a batch of images or of masks. generator: where they come from (by default the generator that manual_seed seeds).
    Raises ValueError for masks that do not fit the image.
    """

    def __init__(self, generator: Any = None) -> None:
        self.generator = generator

    def __call__(self, image: Tensor, *masks: Tensor) -> Any:
        x, single = batched(type(self).__name__, image)
        flat = [self._mask(mask, x, single) for mask in masks]
        drawn = self.draw(*x.shape)
        out = self.apply(x, drawn, False)
        image = out.squeeze(0) if single else out
        if not masks:
            return image
        moved = [self.apply(mask, drawn, True) for mask in flat]
        return image, *[new.reshape(*old.shape[:-2], *new.shape[-2:]) for new, old in zip(moved, masks, strict=True)]

    def _mask(self, mask: Tensor, image: Tensor, single: bool) -> Tensor:
        """A mask with the axes of a batch of images."""
        name = type(self).__name__
        if not isinstance(mask, Tensor):
            raise TypeError(f"{name}: expected a mask that is a tensor, got {type(mask).__name__}")
        least = 2 if single else 3
        if (
            mask.ndim not in (least, least + 1)
            or mask.shape[-2:] != image.shape[-2:]
            or (not single and mask.shape[0] != image.shape[0])
        ):
            raise ValueError(
                f"{name}: a mask of shape {tuple(mask.shape)} does not fit {'an image' if single else 'images'} of shape {tuple(image.shape[int(single) :])}"
            )
        x = mask.unsqueeze(0) if single else mask
        return x.unsqueeze(1) if x.ndim == 3 else x

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        """The parameters for n images of a size."""
        raise NotImplementedError(f"{type(self).__name__} does not define draw")

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        """A batch of images or masks with these parameters."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply")

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Random numbers between two bounds."""
        return rand(*shape, generator=self.generator) * (high - low) + low

    def chance(self, p: float, n: int) -> Tensor:
        """Which of n images it happens to, with this probability."""
        return rand(n, generator=self.generator) < p


class Compose(Augmentation):
    """One after the other.

    >>> import minigrad
    >>> from minigrad.data import augment
    >>> augmentation = augment.Compose([augment.RandomHorizontalFlip(), augment.RandomRotation(10), augment.Cutout(8)])
    >>> augmentation(minigrad.rand(4, 3, 32, 32)).shape
    (4, 3, 32, 32)
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        super().__init__()
        self.transforms = list(transforms)

    def __call__(self, image: Tensor, *masks: Tensor) -> Any:
        for transform in self.transforms:
            result = transform(image, *masks)
            image, *rest = result if masks else (result,)
            masks = tuple(rest)
        return (image, *masks) if masks else image


class _Flip(Augmentation):
    axis = -1

    def __init__(self, p: float = 0.5, generator: Any = None) -> None:
        super().__init__(generator)
        self.p = _probability(type(self).__name__, p)

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        return self.chance(self.p, n)

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        return where(drawn.reshape(-1, 1, 1, 1), x.flip(self.axis), x)


class RandomHorizontalFlip(_Flip):
    """Mirrored left to right with probability p."""


class RandomVerticalFlip(_Flip):
    """Mirrored upside down with probability p."""

    axis = -2


class RandomAffine(Augmentation):
    """Rotated, shifted, scaled and sheared about the centre, by one interpolation.

    degrees: the bounds of the angle, counter-clockwise, or one number d for -d to d. translate: the largest shift as a fraction of (width, height).
    scale: the bounds of the factor. shear: of the angle along x, or (low x, high x, low y, high y). mode, padding_mode, fill: as for affine; mask_fill is
    what masks get where nothing comes to. Raises ValueError for bounds that make no sense.

    >>> import minigrad
    >>> augmentation = RandomAffine(30, translate=(0.1, 0.1), scale=(0.8, 1.2), generator=minigrad.Generator().manual_seed(0))
    >>> image, mask = augmentation(minigrad.rand(3, 32, 32), minigrad.zeros(32, 32).long())
    >>> image.shape, mask.shape, mask.dtype
    ((3, 32, 32), (32, 32), dtype('int64'))
    """

    def __init__(
        self,
        degrees: float | Sequence[float] = 0.0,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        mode: str = "bilinear",
        padding_mode: str = "zeros",
        fill: float = 0.0,
        mask_fill: float = 0.0,
        generator: Any = None,
    ) -> None:
        super().__init__(generator)
        name = type(self).__name__
        self.degrees = _bounds(name, "degrees", degrees)
        self.translate = (0.0, 0.0) if translate is None else tuple(translate)
        if len(self.translate) != 2 or not all(0 <= part <= 1 for part in self.translate):
            raise ValueError(f"{name}: translate must be two fractions between 0 and 1, got {translate}")
        self.scale = (1.0, 1.0) if scale is None else _bounds(name, "scale", scale)
        if self.scale[0] <= 0:
            raise ValueError(f"{name}: scale must be positive, got {scale}")
        slant = (0.0, 0.0) if shear is None else shear
        pairs = (slant[:2], slant[2:]) if isinstance(slant, Sequence) and len(slant) == 4 else (slant, (0.0, 0.0))
        self.shear = [_bounds(name, "shear", pair) for pair in pairs]
        self.mode = mode
        self.padding_mode = padding_mode
        self.fill = fill
        self.mask_fill = mask_fill

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        limits = (self.translate[0] * width, self.translate[1] * height)
        shift = stack([self.uniform(-limit, limit, n) for limit in limits], -1)
        shear = stack([self.uniform(*bounds, n) for bounds in self.shear], -1)
        return affine_matrix(self.uniform(*self.degrees, n), shift, self.uniform(*self.scale, n), shear, dtype=float32)

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        return affine(
            x, drawn, "nearest" if is_mask else self.mode, self.padding_mode, self.mask_fill if is_mask else self.fill
        )


class RandomRotation(RandomAffine):
    """Rotated about the centre by an angle between two bounds, or -degrees and degrees, counter-clockwise. options: as for RandomAffine."""

    def __init__(self, degrees: float | Sequence[float], **options: Any) -> None:
        super().__init__(degrees, **options)


class RandomShift(RandomAffine):
    """Shifted by at most these fractions of the width and the height. options: as for RandomAffine."""

    def __init__(self, translate: Sequence[float], **options: Any) -> None:
        super().__init__(0.0, translate, **options)


class RandomScale(RandomAffine):
    """Scaled about the centre by a factor between two bounds. options: as for RandomAffine."""

    def __init__(self, scale: Sequence[float], **options: Any) -> None:
        super().__init__(0.0, None, scale, **options)


class Pad(Augmentation):
    """With a border, as pad says; masks get mask_fill."""

    def __init__(
        self, padding: int | Sequence[int], fill: float = 0.0, padding_mode: str = "constant", mask_fill: float = 0.0
    ) -> None:
        super().__init__()
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode
        self.mask_fill = mask_fill

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        return None

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        return pad(x, self.padding, self.mask_fill if is_mask else self.fill, self.padding_mode)


class RandomCrop(Augmentation):
    """A part of a size (one number, or height and width) from anywhere in the image, to which a border may be added before (padding, fill as for pad).

    Raises ValueError for an image that is smaller.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] = 0,
        fill: float = 0.0,
        padding_mode: str = "constant",
        generator: Any = None,
    ) -> None:
        super().__init__(generator)
        self.size = _size(type(self).__name__, size)
        self.border = Pad(padding, fill, padding_mode)

    def __call__(self, image: Tensor, *masks: Tensor) -> Any:
        framed = self.border(image, *masks)
        return super().__call__(*framed) if masks else super().__call__(framed)

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        room = (height - self.size[0], width - self.size[1])
        if min(room) < 0:
            raise ValueError(
                f"{type(self).__name__}: {self.size[0]} x {self.size[1]} pixels do not fit into {height} x {width}; use padding"
            )
        return [randint(0, most + 1, (n,), generator=self.generator) for most in room]

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        top, left = drawn
        return crop(x, top, left, *self.size)


class CenterCrop(RandomCrop):
    """The middle of the image, of a size (one number, or height and width)."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__(size)

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        super().draw(n, channels, height, width)
        return [(height - self.size[0]) // 2, (width - self.size[1]) // 2]


class ColorJitter(Augmentation):
    """Brightness, contrast, saturation and hue changed in random order; masks stay as they are.

    brightness, contrast, saturation: the bounds of a factor, or one number b for 1 - b to 1 + b. hue: the bounds in turns, or h for -h to h; at most 0.5.
    Raises ValueError for bounds that make no sense.
    """

    def __init__(
        self, brightness: Any = 0.0, contrast: Any = 0.0, saturation: Any = 0.0, hue: Any = 0.0, generator: Any = None
    ) -> None:
        super().__init__(generator)
        factors = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        around = {
            name: (max(0.0, 1.0 - value), 1.0 + value) if isinstance(value, (int, float)) and value >= 0 else value
            for name, value in factors.items()
        }
        self.bounds = {name: _bounds("ColorJitter", name, value) for name, value in around.items()}
        self.bounds["hue"] = _bounds("ColorJitter", "hue", hue)
        if (
            any(low < 0 for name, (low, _) in self.bounds.items() if name != "hue")
            or max(map(abs, self.bounds["hue"])) > 0.5
        ):
            raise ValueError(
                f"ColorJitter: factors must not be negative and hue must lie within -0.5 and 0.5, got {self.bounds}"
            )

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        order = randperm(len(self.bounds), generator=self.generator).tolist()
        values = {name: self.uniform(*bounds, n) for name, bounds in self.bounds.items()}
        return [(name, values[name]) for name in [list(self.bounds)[i] for i in order]]

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        if is_mask:
            return x
        for name, value in drawn:
            if self.bounds[name] != UNCHANGED[name]:  # so that grey images need no colours for a hue that stays
                x = ADJUST[name](x, value)
        return x


ADJUST = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}
UNCHANGED = {"brightness": (1.0, 1.0), "contrast": (1.0, 1.0), "saturation": (1.0, 1.0), "hue": (0.0, 0.0)}


class Normalize(Augmentation):
    """(image - mean) / std for each channel; masks stay as they are."""

    def __init__(self, mean: Sequence[float] | float, std: Sequence[float] | float) -> None:
        super().__init__()
        self.mean = mean
        self.std = std

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        return None

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        return x if is_mask else normalize(x, self.mean, self.std)


class Cutout(Augmentation):
    """With `fill` in a square, or (height, width), whose centre lies anywhere, with probability p; masks stay as they are."""

    def __init__(self, size: int | Sequence[int], fill: float = 0.0, p: float = 1.0, generator: Any = None) -> None:
        super().__init__(generator)
        self.size = _size("Cutout", size)
        self.fill = fill
        self.p = _probability("Cutout", p)

    def draw(self, n: int, channels: int, height: int, width: int) -> Any:
        places = [
            randint(0, most, (n,), generator=self.generator) - length // 2
            for most, length in zip((height, width), self.size, strict=True)
        ]
        outside = -self.size[0]
        return where(self.chance(self.p, n), places[0], outside), places[1]

    def apply(self, x: Tensor, drawn: Any, is_mask: bool) -> Tensor:
        top, left = drawn
        return x if is_mask else cutout(x, top, left, *self.size, fill=self.fill)


class MixUp:
    """Each image of a batch mixed with another of it, and their targets likewise, with weights from the Beta(alpha, alpha) distribution.

    Called with images (N, ...) and targets: numbers of classes (N,), which need num_classes, or shares (N, classes). Raises ValueError for alpha <= 0.

    >>> import minigrad
    >>> mix = MixUp(0.2, num_classes=10, generator=minigrad.Generator().manual_seed(0))
    >>> images, targets = mix(minigrad.rand(4, 1, 8, 8), minigrad.tensor([3, 1, 4, 1]))
    >>> targets.shape, targets.sum(1).tolist()
    ((4, 10), [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, alpha: float = 1.0, num_classes: int | None = None, generator: Any = None) -> None:
        if not alpha > 0:
            raise ValueError(f"MixUp: alpha must be positive, got {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes
        self.generator = generator

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        n = images.shape[0]
        weight = numbers(self.generator).beta(self.alpha, self.alpha, n)  # type: ignore[no-untyped-call]
        return mixup(images, targets, np.clip(weight, 0, 1), randperm(n, generator=self.generator), self.num_classes)


def _bounds(name: str, what: str, value: Any) -> tuple[float, float]:
    """Two bounds; of one number, itself below and above 0."""
    bounds = (-value, value) if isinstance(value, (int, float)) else tuple(value)
    if len(bounds) != 2 or not bounds[0] <= bounds[1]:
        raise ValueError(f"{name}: {what} must be one number that is not negative, or two bounds in order, got {value}")
    return float(bounds[0]), float(bounds[1])


def _probability(name: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p must be between 0 and 1, got {p}")
    return p


def _size(name: str, size: int | Sequence[int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"{name}: size must be positive, got {size}")
    return height, width
