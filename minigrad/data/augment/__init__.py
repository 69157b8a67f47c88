"""Augmentation of images and of the masks that belong to them: functions with given parameters, and classes that draw them at random.

Images are floats (C, H, W), or batches (N, C, H, W) of which each gets its own parameters; all is differentiable in the image.
"""

from __future__ import annotations

from minigrad.data.augment import transforms
from minigrad.data.augment.colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    grey,
    normalize,
)
from minigrad.data.augment.geometry import affine, affine_matrix, crop, hflip, pad, vflip
from minigrad.data.augment.mixing import cutout, mixup
from minigrad.data.augment.transforms import *

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "affine_matrix",
    "crop",
    "cutout",
    "grey",
    "hflip",
    "mixup",
    "normalize",
    "pad",
    "vflip",
]
__all__ += transforms.__all__
