"""What is measured: networks, the layers that they are made of, and what cost grows with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from . import networks
from .steps import (
    Case,
    gan_training,
    inference,
    lookup,
    one_pass,
    optimized_inference,
    optimizer_step,
    side_by_side,
    tiny_chain,
    training,
)

PASSES = ("forward", "input", "weight")
Layer = Callable[[Any], Any]  # of the framework's nn


def _net(width: int, network: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda torch: network(torch, width)


def _passes(name: str, layer: Layer, shape: tuple[int, ...], passes: tuple[str, ...] = PASSES, quick: bool = False) -> list[Case]:
    return [Case(f"{name} {which}", "layers", partial(one_pass, layer, shape, which), len(shape) == 4, quick) for which in passes]


def _convs(batch: int, kernel: int, *sizes: tuple[int, int, int], kind: str = "conv", stride: int = 1, padding: int | None = None, quick: bool = False) -> list[Case]:
    """All passes of layers (channels, filters, side of the input); by default padded so that stride 1 keeps the size, or nearly."""
    options = {"stride": stride, "padding": (kernel - 1) // 2 if padding is None else padding, "bias": False}
    found = []
    for channels, filters, side in sizes:

        def layer(nn: Any, channels: int = channels, filters: int = filters) -> Any:
            return (nn.Conv2d if kind == "conv" else nn.ConvTranspose2d)(channels, filters, kernel, **options)

        name = f"{kind} {kernel}x{kernel}{f' s{stride}' if stride > 1 else ''} {channels}-{filters} @{side}, batch {batch}"
        found += _passes(name, layer, (batch, channels, side, side), quick=quick)
    return found


def _depthwise(batch: int, *sizes: tuple[int, int], stride: int = 1) -> list[Case]:
    """All passes of 3x3 layers (channels, side) that have a filter for each channel."""
    found = []
    for channels, side in sizes:

        def layer(nn: Any, channels: int = channels) -> Any:
            return nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)

        found += _passes(f"conv 3x3{f' s{stride}' if stride > 1 else ''} depthwise {channels} @{side}, batch {batch}", layer, (batch, channels, side, side))
    return found


def _linears(batch: int, *sizes: tuple[int, int], quick: bool = False) -> list[Case]:
    found = []
    for before, after in sizes:

        def layer(nn: Any, before: int = before, after: int = after) -> Any:
            return nn.Linear(before, after)

        found += _passes(f"linear {before}-{after}, batch {batch}", layer, (batch, before), quick=quick)
    return found


NETWORKS = [
    Case("mlp 784-256-10, batch 64", "training step", partial(training, networks.mlp, (64, 784), 10), False, True),
    Case("lenet, batch 64", "training step", partial(training, networks.lenet, (64, 1, 28, 28), 10), True, True),
    Case("resnet18/16, 32x32, batch 16", "training step", partial(training, _net(16, networks.resnet18), (16, 3, 32, 32), 10), True, True),
    Case("resnet18, 32x32, batch 32", "training step", partial(training, networks.resnet18, (32, 3, 32, 32), 10), True, False),
    Case("unet/16, 64x64, batch 4", "training step", partial(training, _net(16, networks.unet), (4, 3, 64, 64), 2), True, True),
    Case("unet, 128x128, batch 4", "training step", partial(training, networks.unet, (4, 3, 128, 128), 2), True, False),
    Case("segnet, 64x64, batch 4", "training step", partial(training, networks.segnet, (4, 3, 64, 64), 2), True, False),
    Case("vgg16, 64x64, batch 8", "training step", partial(training, _net(64, networks.vgg16), (8, 3, 64, 64), 1000), True, False),
    Case("dcgan/16, batch 16", "training step", partial(gan_training, 16, 16), True, True),
    Case("dcgan, batch 32", "training step", partial(gan_training, 64, 32), True, False),
]

AT_REST = (
    ("resnet18, 32x32", networks.resnet18, (1, 3, 32, 32)),
    ("vgg16", networks.vgg16, (1, 3, 224, 224)),
    ("resnet50", networks.resnet50, (1, 3, 224, 224)),
    ("mobilenet_v2", networks.mobilenet_v2, (1, 3, 224, 224)),
    ("unet/16, 128x128", _net(16, networks.unet), (1, 3, 128, 128)),
)
INFERENCE = [
    *(Case(f"{name}, batch 1", "inference", partial(inference, network, shape), True, False) for name, network, shape in AT_REST),
    *(
        Case(f"{name}, batch 1, optimized", "inference", partial(optimized_inference, network, shape), True, False, (network, shape))
        for name, network, shape in AT_REST
    ),
]

OPTIMIZERS = [
    Case(f"{kind} on {name}", "optimizer", partial(optimizer_step, network, kind, settings), False, name == "lenet")
    for name, network in (("lenet", networks.lenet), ("resnet18", networks.resnet18))
    for kind, settings in (("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {}), ("RMSprop", {}))
]

LAYERS = [
    # LeNet
    *_convs(64, 5, (1, 6, 28), quick=True),
    *_convs(64, 5, (6, 16, 14), padding=0, quick=True),
    *_linears(64, (784, 256), quick=True),
    *_linears(64, (400, 120), (120, 84), (84, 10)),
    # VGG-16, for pictures of half the side
    *_convs(4, 3, (3, 64, 112), (64, 64, 112), (64, 128, 56), (128, 128, 56), (128, 256, 28), (256, 256, 28), (256, 512, 14), (512, 512, 14), (512, 512, 7)),
    *_linears(8, (4096, 4096)),
    # U-Net for 128x128, whose first half is like VGG-16's
    *_convs(4, 3, (512, 1024, 8), (1024, 1024, 8), (1024, 512, 16), (512, 256, 32), (256, 128, 64), (128, 64, 128)),
    *_convs(4, 2, (1024, 512, 8), (512, 256, 16), (256, 128, 32), (128, 64, 32), kind="conv_transpose", stride=2),
    *_convs(4, 1, (64, 2, 128)),
    # ResNet-18 for CIFAR
    *_convs(32, 3, (3, 64, 32), (64, 64, 32), (128, 128, 16), (256, 256, 8), (512, 512, 4)),
    *_convs(32, 3, (64, 128, 32), (128, 256, 16), (256, 512, 8), stride=2),
    *_convs(32, 1, (64, 128, 32), (128, 256, 16), (256, 512, 8), stride=2),
    # ResNet-50
    *_convs(4, 7, (3, 64, 224), stride=2),
    *_convs(4, 1, (64, 64, 56), (64, 256, 56), (256, 64, 56), (256, 128, 56), (128, 512, 28), (512, 128, 28), (512, 256, 28)),
    *_convs(4, 1, (256, 1024, 14), (1024, 256, 14), (1024, 512, 14), (512, 2048, 7), (2048, 512, 7)),
    *_convs(4, 3, (64, 64, 56), (128, 128, 28), (256, 256, 14)),
    *_convs(4, 3, (128, 128, 56), (256, 256, 28), (512, 512, 14), stride=2),
    *_convs(4, 1, (256, 512, 56), (512, 1024, 28), (1024, 2048, 14), stride=2),
    # MobileNet
    *_depthwise(4, (32, 112), (144, 56), (192, 28), (576, 14)),
    *_depthwise(4, (96, 112), (144, 56), (192, 28), (576, 14), stride=2),
    *_depthwise(16, (128, 28), (384, 14), (960, 7)),
    *_convs(1, 1, (16, 96, 112), (160, 960, 7)),
    # DCGAN
    *_convs(16, 4, (3, 64, 64), (64, 128, 32), (128, 256, 16), (256, 512, 8), stride=2),
    *_convs(16, 4, (512, 1, 4), padding=0),
    *_convs(32, 4, (100, 512, 1), kind="conv_transpose", padding=0),
    *_convs(32, 4, (512, 256, 4), (256, 128, 8), (128, 64, 16), (64, 3, 32), kind="conv_transpose", stride=2),
    # What does no sums of products
    *(
        case
        for name, layer, shape in (
            ("relu 64 @32, batch 32", lambda nn: nn.ReLU(), (32, 64, 32, 32)),
            ("gelu 64 @32, batch 32", lambda nn: nn.GELU(), (32, 64, 32, 32)),
            ("silu 64 @32, batch 32", lambda nn: nn.SiLU(), (32, 64, 32, 32)),
            ("tanh 64 @32, batch 32", lambda nn: nn.Tanh(), (32, 64, 32, 32)),
            ("softplus 64 @32, batch 32", lambda nn: nn.Softplus(), (32, 64, 32, 32)),
            ("dropout 64 @32, batch 32", lambda nn: nn.Dropout(0.5), (32, 64, 32, 32)),
            ("batch_norm 64 @32, batch 32", lambda nn: nn.BatchNorm2d(64), (32, 64, 32, 32)),
            ("instance_norm 64 @32, batch 32", lambda nn: nn.InstanceNorm2d(64), (32, 64, 32, 32)),
            ("group_norm 64 of 8 groups @32, batch 32", lambda nn: nn.GroupNorm(8, 64), (32, 64, 32, 32)),
            ("layer_norm 512, 4096 rows", lambda nn: nn.LayerNorm(512), (4096, 512)),
            ("avg_pool 2x2 64 @32, batch 32", lambda nn: nn.AvgPool2d(2), (32, 64, 32, 32)),
            ("max_pool 3x3 s2 64 @112, batch 4", lambda nn: nn.MaxPool2d(3, 2, 1), (4, 64, 112, 112)),
            ("upsample x2 nearest 64 @32, batch 4", lambda nn: nn.Upsample(scale_factor=2), (4, 64, 32, 32)),
            ("upsample x2 bilinear 64 @32, batch 4", lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), (4, 64, 32, 32)),
        )
        for case in _passes(name, layer, shape, PASSES[:2])
    ),
    *_passes("max_pool 2x2 64 @32, batch 32", lambda nn: nn.MaxPool2d(2), (32, 64, 32, 32), PASSES[:2], quick=True),
    *(Case(f"cat 64+64 @64, batch 4 {which}", "layers", partial(side_by_side, (4, 64, 64, 64), which), True, False) for which in ("forward", "input")),
    *(Case(f"embedding 10000x256, 8192 rows {which}", "layers", partial(lookup, 10000, 256, 8192, which), False, False) for which in ("forward", "weight")),
]

CASES = [
    *NETWORKS, *INFERENCE, *OPTIMIZERS, *LAYERS,
    Case("chain of 200 operations on 4 floats", "dispatch", partial(tiny_chain, 200), False, True),
]  # fmt: skip

# What cost grows with: the amounts, and the case for each. They are measured by --scaling only.
SCALING: dict[str, list[tuple[int, Case]]] = {
    "images of a training step of resnet18/16, 32x32": [
        (n, Case(f"scaling: batch {n}", "scaling", partial(training, _net(16, networks.resnet18), (n, 3, 32, 32), 10), False, False))
        for n in (4, 8, 16, 32)
    ],
    "channels of a conv 3x3 c-c @32, batch 8": [
        (c, _convs(8, 3, (c, c, 32))[0]) for c in (16, 32, 64, 128)
    ],
    "side of the images of a conv 3x3 64-64, batch 4": [
        (side, _convs(4, 3, (64, 64, side))[0]) for side in (8, 16, 32, 64, 128)
    ],
}  # fmt: skip
