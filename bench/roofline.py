"""Writes docs/roofline.md: what the counts of bytes and operations let expect of the CUDA kernels. Nothing in it was measured.

python -m bench.roofline
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import NamedTuple

from minigrad.kernels.cuda.conv import DEPTH, splits_of, tile_of
from minigrad.kernels.geometry import Windows
from tests.cudasim.counts import counts

from .cases import CASES
from .launches import counted_steps
from .steps import Case


class Gpu(NamedTuple):
    """A GPU by its data sheet: float32 operations and bytes a second, and its multiprocessors."""

    name: str
    flops: float
    bytes: float
    processors: int


GPUS = (Gpu("A100", 19.5e12, 1.555e12, 108), Gpu("H100", 67e12, 3.35e12, 132))
LEAST = 2e-6  # seconds that a kernel takes at least
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


NETWORKS = """
A training step of the networks of `python -m bench`, launch by launch, as the stand-in for CuPy counts them: bytes of the arrays that a launch names, each
once; operations of convolutions and products of matrices; and for each launch its time as above, but {least:g} us at least, which is an assumption. That
the host starts the launches fast enough is another one: where most of the time is that of short kernels, it may not.

| a step (float32) | launches | Gflop | MB | A100, ms | H100, ms | short launches | longest on an A100, share |
|---|---|---|---|---|---|---|---|
"""
PRODUCTS = {  # which of the whole numbers among its arguments make twice the operations of a kernel
    "gather": (0, 1, 3, 4, 10, 11, 12), "weight": (0, 1, 2, 3, 9, 10, 11), "depthwise": (0, 2, 6, 7, 8, 9, 10, 11),
}  # fmt: skip


def time(gpu: Gpu, flops: float, moved: float) -> float:
    return max(flops / (SHARE * gpu.flops), moved / gpu.bytes)


def operations(name: str, numbers: tuple[int, ...]) -> int:
    """Those of a launch, as the stand-in notes it."""
    if name == "matmul":
        return numbers[0]
    family = name.split("_")[0]
    return 2 * prod([numbers[i] for i in PRODUCTS[family]]) if family in PRODUCTS else 0


def counted(cases: list[Case]) -> dict[str, list[tuple[str, int, int]]]:
    """For each launch of a training step its kernel, its operations and its bytes."""
    return {
        case.name: [(name, operations(name, numbers), moved) for name, moved, numbers in counts.work]
        for case in counted_steps(cases)
    }


def network_row(name: str, work: list[tuple[str, int, int]]) -> str:
    times = {gpu.name: [max(time(gpu, flops, moved), LEAST) for _, flops, moved in work] for gpu in GPUS}
    of_kernels: dict[str, float] = {}
    for (kernel, _, _), seconds in zip(work, times["A100"], strict=True):
        of_kernels[kernel] = of_kernels.get(kernel, 0.0) + seconds
    longest = max(of_kernels, key=lambda kernel: of_kernels[kernel])
    totals = [sum(times[gpu.name]) for gpu in GPUS]
    short = len([t for t in times["A100"] if t == LEAST])
    flops, moved = sum([f for _, f, _ in work]), sum([m for _, _, m in work])
    return (
        f"| {name} | {len(work)} | {flops / 1e9:.2f} | {moved / 1e6:.1f} | {totals[0] * 1e3:.2f} | {totals[1] * 1e3:.2f} | {short} | "
        f"{longest}, {of_kernels[longest] / totals[0]:.0%} |\n"
    )


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
    text += NETWORKS.format(least=LEAST * 1e6)
    for name, work in counted([case for case in CASES if "step" in case.group]).items():
        text += network_row(name, work)
    return text


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("docs", "roofline.md").write_text(page())
