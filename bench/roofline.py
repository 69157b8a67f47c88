"""Writes docs/roofline.md: what the counts of bytes and operations let expect of the CUDA kernels. Nothing in it was measured.

python -m bench.roofline
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import NamedTuple

from minigrad.kernels.cuda.conv import DEPTH, splits_of, tile_of
from minigrad.kernels.geometry import Windows


class Gpu(NamedTuple):
    """A GPU by its data sheet: float32 operations and bytes a second, and its multiprocessors."""

    name: str
    flops: float
    bytes: float
    processors: int


GPUS = (Gpu("A100", 19.5e12, 1.555e12, 108), Gpu("H100", 67e12, 3.35e12, 132))
SHARE = 0.6  # of the peak, which a product with gathered operands in float32 is expected to reach; the rest goes to loads and addresses
LAYERS = (  # name, images, channels, filters, side, kernel, stride, groups
    ("LeNet-5, second layer", 100, 6, 16, 14, 5, 1, 1), ("VGG, 56x56", 32, 64, 64, 56, 3, 1, 1), ("ResNet, first layer", 32, 3, 64, 224, 7, 2, 1),
    ("ResNet, 28x28", 32, 128, 128, 28, 3, 1, 1), ("ResNet, 7x7", 32, 512, 512, 7, 3, 1, 1), ("MobileNet, depthwise", 32, 192, 192, 28, 3, 1, 192),
    ("U-Net, 64x64", 8, 64, 64, 64, 3, 1, 1),
)  # fmt: skip
HEAD = """# What the counts let expect of the CUDA kernels

Written by `python -m bench.roofline`. **Expectations, not measurements: simulated, not run on a GPU.** The time is the larger of bytes by bandwidth
and operations by {share:.0%} of the float32 peak, from the data sheets (A100 40 GB: 19.5 Tflop/s, 1.56 TB/s; H100 SXM: 67 Tflop/s, 3.35 TB/s); every array is
counted once. Tiles are as small as the rows need, since larger ones would multiply zeros; a sum is cut into parts where there are fewer than two
tiles a multiprocessor.

| convolution (float32, forward) | Gflop | MB | tile | parts, A100 | A100, ms | H100, ms | bound by |
|---|---|---|---|---|---|---|---|
"""
ELEMENTWISE = """
| other kernel | arrays read and written | bytes an element (float32) | A100, ms for 10^8 elements | H100 |
|---|---|---|---|---|
"""
KERNELS = (
    ("activation, forward", 1, 1), ("activation, backward", 2, 1), ("batch norm, forward", 3, 1), ("batch norm, backward", 4, 1),
    ("layer norm, forward", 1, 1), ("softmax, forward", 1, 1), ("dropout", 1, 1), ("Adam", 4, 3), ("SGD with momentum", 3, 2), ("max pooling 2x2", 1, 0.25 + 0.5),
)  # fmt: skip


def time(gpu: Gpu, flops: float, moved: float) -> float:
    return max(flops / (SHARE * gpu.flops), moved / gpu.bytes)


def row(name: str, images: int, channels: int, filters: int, side: int, kernel: int, stride: int, groups: int) -> str:
    windows = Windows(
        (side, side), (kernel, kernel), (stride, stride), (1, 1), ((kernel // 2, kernel // 2),) * 2, groups
    )
    places, depth = images * prod(windows.out_size), channels // groups * kernel * kernel
    flops = 2.0 * places * filters * depth
    moved = 4.0 * (images * channels * side * side + filters * depth + places * filters)
    if groups == channels:
        tile, parts = "direct", 1
    else:
        rows = filters // groups
        lengths = tile_of("float32", rows)
        tiles = -(-places // lengths[1]) * -(-rows // lengths[0]) * groups
        tile, parts = (
            f"{lengths[0]}x{lengths[1]}",
            splits_of(tiles, -(-depth // DEPTH), 8, GPUS[0].processors),
        )
    times = [time(gpu, flops, moved) * 1e3 for gpu in GPUS]
    bound = "operations" if flops / (SHARE * GPUS[0].flops) > moved / GPUS[0].bytes else "memory"
    return f"| {name} | {flops / 1e9:.2f} | {moved / 1e6:.1f} | {tile} | {parts} | {times[0]:.3f} | {times[1]:.3f} | {bound} |\n"


def page() -> str:
    """The whole page."""
    text = HEAD.format(share=SHARE) + "".join([row(*layer) for layer in LAYERS]) + ELEMENTWISE
    for name, read, written in KERNELS:
        moved = 4.0 * (read + written)
        text += f"| {name} | {read} + {written} | {moved:g} | {moved * 1e8 / GPUS[0].bytes * 1e3:.2f} | {moved * 1e8 / GPUS[1].bytes * 1e3:.2f} |\n"
    return text


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("docs", "roofline.md").write_text(page())
