"""What is measured. A case builds, for a framework, a function without arguments whose calls are timed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from . import networks

Step = Callable[[], Any]
Arrange = Callable[[Any], Any]  # brings a module or a tensor of 4 axes into the memory layout that is measured


class Case(NamedTuple):
    """One thing to measure."""

    name: str
    group: str  # a heading of the table
    build: Callable[[Any, Arrange], Step]  # of the framework and the layout
    has_layouts: bool  # whether channels_last is another way to compute it
    quick: bool  # whether --quick measures it


def training(network: Callable[[Any], Any], shape: tuple[int, ...], classes: int, torch: Any, arrange: Arrange) -> Step:
    """A step of SGD on the cross entropy; with an output of 4 axes, of each pixel."""
    model = arrange(network(torch))
    images = arrange(torch.randn(*shape)) if len(shape) == 4 else torch.randn(*shape)
    with torch.no_grad():
        scores = model(images)
    labels = torch.randint(0, classes, (scores.shape[0], *scores.shape[2:]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_of = torch.nn.functional.cross_entropy

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(images), labels).backward()
        optimizer.step()

    return step


def gan_training(width: int, batch: int, torch: Any, arrange: Arrange) -> Step:
    """A step of the discriminator and one of the generator, each with Adam."""
    generator = arrange(networks.dcgan_generator(torch, width))
    discriminator = arrange(networks.dcgan_discriminator(torch, width))
    adams = [torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999)) for model in (discriminator, generator)]
    real = arrange(torch.randn(batch, 3, 64, 64))
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits

    def step() -> None:
        fake = generator(torch.randn(batch, 100, 1, 1))
        adams[0].zero_grad()
        (loss_of(discriminator(real), ones) + loss_of(discriminator(fake.detach()), zeros)).backward()
        adams[0].step()
        adams[1].zero_grad()
        loss_of(discriminator(fake), ones).backward()
        adams[1].step()

    return step


def optimizer_step(network: Callable[[Any], Any], kind: str, settings: dict[str, float], torch: Any, arrange: Arrange) -> Step:
    """A step of an optimiser alone, on all parameters of a network."""
    model = network(torch)
    for parameter in model.parameters():
        parameter.grad = 0.01 * torch.randn(*parameter.shape)
    step: Step = getattr(torch.optim, kind)(model.parameters(), **settings).step
    return step


def inference(network: Callable[[Any], Any], shape: tuple[int, ...], torch: Any, arrange: Arrange) -> Step:
    """A forward pass that records nothing."""
    model = arrange(network(torch)).eval()
    images = arrange(torch.randn(*shape))

    def step() -> None:
        with torch.no_grad():
            model(images)

    return step


def optimized_inference(network: Callable[[Any], Any], shape: tuple[int, ...], torch: Any, arrange: Arrange) -> Step:
    """The same of the model that `minigrad.inference.optimize` makes, beside PyTorch's plain one."""
    model = arrange(network(torch)).eval()
    images = arrange(torch.randn(*shape))
    if torch.__name__ == "minigrad":
        model = torch.inference.optimize(model, images)

    def step() -> None:
        with torch.no_grad():
            model(images)

    return step


def one_pass(layer: Callable[[Any], Any], shape: tuple[int, ...], which: str, torch: Any, arrange: Arrange) -> Step:
    """Of one layer: "forward", or from the output's gradient to that of the "input" or of the "weight"."""
    module, x = arrange(layer(torch.nn)), arrange(torch.randn(*shape))
    if which == "forward":

        def forward() -> None:
            with torch.no_grad():
                module(x)

        return forward

    module.requires_grad_(which == "weight")
    x.requires_grad_(which == "input")
    out = module(x)
    return _backward(out, x if which == "input" else module.weight, arrange(torch.randn(*out.shape)))


def lookup(rows: int, width: int, count: int, which: str, torch: Any, arrange: Arrange) -> Step:
    """Rows of a table by number: "forward", or from the output's gradient to that of the "weight"."""
    table, numbers = torch.nn.Embedding(rows, width), torch.randint(0, rows, (count,))
    if which == "forward":

        def forward() -> None:
            with torch.no_grad():
                table(numbers)

        return forward

    return _backward(table(numbers), table.weight, torch.randn(count, width))


def side_by_side(shape: tuple[int, ...], which: str, torch: Any, arrange: Arrange) -> Step:
    """Two tensors joined along their channels, as the skips of a U-Net are: "forward", or the gradient of one "input"."""
    left, right = (arrange(torch.randn(*shape)) for _ in range(2))
    if which == "forward":
        return lambda: torch.cat([left, right], 1)
    out = torch.cat([left.requires_grad_(), right.requires_grad_()], 1)
    return _backward(out, left, arrange(torch.randn(*out.shape)))


def _backward(out: Any, receiver: Any, cotangent: Any) -> Step:
    def backward() -> None:
        receiver.grad = None
        out.backward(cotangent, retain_graph=True)

    return backward


def tiny_chain(length: int, torch: Any, arrange: Arrange) -> Step:
    """Forward and backward through operations on four numbers: what an operation costs besides its arithmetic."""
    start, factor = torch.randn(4, requires_grad=True), torch.randn(4)

    def step() -> None:
        x = start
        for _ in range(length // 2):
            x = x * factor + 1.0
        start.grad = None
        x.sum().backward()

    return step


def _conv(*arguments: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda nn: nn.Conv2d(*arguments, bias=False, **options)


def _conv_transpose(*arguments: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda nn: nn.ConvTranspose2d(*arguments, bias=False, **options)


def _passes(name: str, layer: Callable[[Any], Any], shape: tuple[int, ...], quick: bool = False) -> list[Case]:
    return [
        Case(f"{name} {which}", "layers", partial(one_pass, layer, shape, which), True, quick)
        for which in ("forward", "input", "weight")
    ]


def _net(width: int, network: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda torch: network(torch, width)


CASES = [
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
    Case("resnet18, 32x32, batch 1", "inference", partial(inference, networks.resnet18, (1, 3, 32, 32)), True, False),
    *(
        Case(f"{kind} on {name}", "optimizer", partial(optimizer_step, network, kind, settings), False, name == "lenet")
        for name, network in (("lenet", networks.lenet), ("resnet18", networks.resnet18))
        for kind, settings in (("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {}), ("RMSprop", {}))
    ),
    Case("vgg16, batch 1", "inference", partial(inference, networks.vgg16, (1, 3, 224, 224)), True, False),
    Case("resnet50, batch 1", "inference", partial(inference, networks.resnet50, (1, 3, 224, 224)), True, False),
    Case("mobilenet_v2, batch 1", "inference", partial(inference, networks.mobilenet_v2, (1, 3, 224, 224)), True, False),
    Case("unet/16, 128x128, batch 1", "inference", partial(inference, _net(16, networks.unet), (1, 3, 128, 128)), True, False),
    *(
        Case(f"{name}, batch 1, optimized", "inference", partial(optimized_inference, network, shape), True, False)
        for name, network, shape in (
            ("vgg16", networks.vgg16, (1, 3, 224, 224)),
            ("resnet50", networks.resnet50, (1, 3, 224, 224)),
            ("mobilenet_v2", networks.mobilenet_v2, (1, 3, 224, 224)),
            ("unet/16, 128x128", _net(16, networks.unet), (1, 3, 128, 128)),
        )
    ),
    # LeNet
    *_passes("conv 5x5 1-6 @28, batch 64", _conv(1, 6, 5, padding=2), (64, 1, 28, 28), quick=True),
    *_passes("conv 5x5 6-16 @14, batch 64", _conv(6, 16, 5), (64, 6, 14, 14), quick=True),
    # VGG-16 and U-Net
    *_passes("conv 3x3 3-64 @112, batch 4", _conv(3, 64, 3, padding=1), (4, 3, 112, 112)),
    *_passes("conv 3x3 64-64 @112, batch 4", _conv(64, 64, 3, padding=1), (4, 64, 112, 112)),
    *_passes("conv 3x3 256-256 @28, batch 4", _conv(256, 256, 3, padding=1), (4, 256, 28, 28)),
    *_passes("conv 3x3 512-512 @14, batch 4", _conv(512, 512, 3, padding=1), (4, 512, 14, 14)),
    *_passes("conv_transpose 2x2 s2 128-64 @32, batch 4", _conv_transpose(128, 64, 2, 2), (4, 128, 32, 32)),
    *_passes("conv 1x1 64-2 @128, batch 4", _conv(64, 2, 1), (4, 64, 128, 128)),
    # ResNet-18 for CIFAR
    *_passes("conv 3x3 64-64 @32, batch 32", _conv(64, 64, 3, padding=1), (32, 64, 32, 32)),
    *_passes("conv 3x3 256-256 @8, batch 32", _conv(256, 256, 3, padding=1), (32, 256, 8, 8)),
    *_passes("conv 3x3 s2 64-128 @32, batch 32", _conv(64, 128, 3, stride=2, padding=1), (32, 64, 32, 32)),
    *_passes("conv 1x1 s2 64-128 @32, batch 32", _conv(64, 128, 1, stride=2), (32, 64, 32, 32)),
    # ResNet-50
    *_passes("conv 7x7 s2 3-64 @224, batch 4", _conv(3, 64, 7, stride=2, padding=3), (4, 3, 224, 224)),
    *_passes("conv 1x1 64-256 @56, batch 4", _conv(64, 256, 1), (4, 64, 56, 56)),
    *_passes("conv 1x1 256-64 @56, batch 4", _conv(256, 64, 1), (4, 256, 56, 56)),
    *_passes("conv 1x1 1024-256 @14, batch 4", _conv(1024, 256, 1), (4, 1024, 14, 14)),
    # MobileNet
    *_passes("conv 3x3 depthwise 128 @28, batch 16", _conv(128, 128, 3, padding=1, groups=128), (16, 128, 28, 28)),
    *_passes("conv 3x3 s2 depthwise 96 @112, batch 4", _conv(96, 96, 3, stride=2, padding=1, groups=96), (4, 96, 112, 112)),
    # DCGAN
    *_passes("conv 4x4 s2 3-64 @64, batch 16", _conv(3, 64, 4, stride=2, padding=1), (16, 3, 64, 64)),
    *_passes("conv 4x4 s2 128-256 @16, batch 16", _conv(128, 256, 4, stride=2, padding=1), (16, 128, 16, 16)),
    *_passes("conv_transpose 4x4 s2 128-64 @16, batch 32", _conv_transpose(128, 64, 4, 2, 1), (32, 128, 16, 16)),
    *_passes("conv 3x3 3-64 @32, batch 32", _conv(3, 64, 3, padding=1), (32, 3, 32, 32)),
    *_passes("conv 3x3 depthwise 384 @14, batch 16", _conv(384, 384, 3, padding=1, groups=384), (16, 384, 14, 14)),
    *_passes("conv 3x3 depthwise 960 @7, batch 16", _conv(960, 960, 3, padding=1, groups=960), (16, 960, 7, 7)),
    *_passes("conv 1x1 16-96 @112, batch 1", _conv(16, 96, 1), (1, 16, 112, 112)),
    *_passes("conv 1x1 160-960 @7, batch 1", _conv(160, 960, 1), (1, 160, 7, 7)),
    # What does no sums of products
    *(
        Case(f"{name} {which}", "layers", partial(one_pass, layer, shape, which), True, False)
        for name, layer, shape in (
            ("relu 64 @32, batch 32", lambda nn: nn.ReLU(), (32, 64, 32, 32)),
            ("gelu 64 @32, batch 32", lambda nn: nn.GELU(), (32, 64, 32, 32)),
            ("silu 64 @32, batch 32", lambda nn: nn.SiLU(), (32, 64, 32, 32)),
            ("tanh 64 @32, batch 32", lambda nn: nn.Tanh(), (32, 64, 32, 32)),
            ("softplus 64 @32, batch 32", lambda nn: nn.Softplus(), (32, 64, 32, 32)),
            ("upsample x2 nearest 64 @32, batch 4", lambda nn: nn.Upsample(scale_factor=2), (4, 64, 32, 32)),
            ("upsample x2 bilinear 64 @32, batch 4", lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), (4, 64, 32, 32)),
        )
        for which in ("forward", "input")
    ),
    *(Case(f"cat 64+64 @64, batch 4 {which}", "layers", partial(side_by_side, (4, 64, 64, 64), which), True, False) for which in ("forward", "input")),
    *(Case(f"embedding 10000x256, 8192 rows {which}", "layers", partial(lookup, 10000, 256, 8192, which), False, False) for which in ("forward", "weight")),
    Case("max_pool 2x2 64 @32, batch 32 forward", "layers", partial(one_pass, lambda nn: nn.MaxPool2d(2), (32, 64, 32, 32), "forward"), True, True),
    Case("max_pool 2x2 64 @32, batch 32 input", "layers", partial(one_pass, lambda nn: nn.MaxPool2d(2), (32, 64, 32, 32), "input"), True, True),
    Case("linear 784-256, batch 64 forward", "layers", partial(one_pass, lambda nn: nn.Linear(784, 256), (64, 784), "forward"), False, True),
    Case("linear 784-256, batch 64 weight", "layers", partial(one_pass, lambda nn: nn.Linear(784, 256), (64, 784), "weight"), False, True),
    Case("chain of 200 operations on 4 floats", "dispatch", partial(tiny_chain, 200), False, True),
]

# What cost grows with: the amounts, and the case for each. They are measured by --scaling only.
SCALING: dict[str, list[tuple[int, Case]]] = {
    "images of a training step of resnet18/16, 32x32": [
        (n, Case(f"scaling: batch {n}", "scaling", partial(training, _net(16, networks.resnet18), (n, 3, 32, 32), 10), False, False))
        for n in (4, 8, 16, 32)
    ],
    "channels of a conv 3x3 c-c @32, batch 8": [
        (c, Case(f"scaling: channels {c}", "scaling", partial(one_pass, _conv(c, c, 3, padding=1), (8, c, 32, 32), "forward"), False, False))
        for c in (16, 32, 64, 128)
    ],
    "side of the images of a conv 3x3 64-64, batch 4": [
        (side, Case(f"scaling: side {side}", "scaling", partial(one_pass, _conv(64, 64, 3, padding=1), (4, 64, side, side), "forward"), False, False))
        for side in (8, 16, 32, 64, 128)
    ],
}
