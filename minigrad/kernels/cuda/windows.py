"""The geometry of windows as the kernels take it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..geometry import Ints, Windows


class Lifted(NamedTuple):
    """The geometry of windows in three dimensions: fewer are filled up in front."""

    inside: Ints
    out: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pad: Ints


@lru_cache(maxsize=1024)
def lifted(windows: Windows) -> Lifted:
    ones = (1,) * (3 - windows.rank)
    zeros = (0,) * (3 - windows.rank)
    return Lifted(
        ones + windows.in_size, ones + windows.out_size, ones + windows.kernel, ones + windows.stride, ones + windows.dilation,
        zeros + tuple([before for before, _ in windows.padding]),
    )  # fmt: skip


def window_arguments(windows: Windows) -> list[int]:
    """The geometry as the kernels of pooling and of single channels take it."""
    return [n for lengths in lifted(windows) for n in lengths]
