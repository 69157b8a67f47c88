"""What is done to be timed: functions that build, for a framework, a step without arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import networks

Arrange = Callable[[Any], Any]  # brings a module or a tensor of 4 axes into the memory layout that is measured
LINEAR = ("Conv2d", "ConvTranspose2d", "Linear", "MaxPool2d", "AvgPool2d", "Upsample", "Dropout")  # their gradients by the input need no input
STATES = {"SGD": 1, "Adam": 2, "AdamW": 2, "RMSprop": 1}  # arrays beside a parameter that an optimiser keeps


class Step:
    """A call to time, and the bytes that it moves at least: each array that it takes or gives, once; 0 where they are not counted.

    alike: a call of as many multiplications and additions, where PyTorch counts those of the call itself wrongly.
    """

    def __init__(self, call: Callable[[], Any], moved: int = 0, alike: Callable[[], Any] | None = None) -> None:
        self.call, self.moved, self.alike = call, moved, alike or call

    def __call__(self) -> None:
        self.call()


class Case(NamedTuple):
    """One thing to measure."""

    name: str
    group: str  # a heading of the table
    build: Callable[[Any, Arrange], Step]  # of the framework and the layout
    has_layouts: bool  # whether channels_last is another way to compute it
    quick: bool  # whether --quick measures it
    infers: tuple[Callable[[Any], Any], tuple[int, ...]] | None = None  # the network and its input, where other engines can be given them


def bytes_of(*arrays: Any) -> int:
    return sum([array.numel() * array.element_size() for array in arrays])


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

    return Step(step)


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

    return Step(step)


def optimizer_step(network: Callable[[Any], Any], kind: str, settings: dict[str, float], torch: Any, arrange: Arrange) -> Step:
    """A step of an optimiser alone, on all parameters of a network."""
    model = network(torch)
    for parameter in model.parameters():
        parameter.grad = 0.01 * torch.randn(*parameter.shape)
    taken_and_given = 3 + 2 * STATES[kind]  # parameters and states both ways, gradients once
    return Step(getattr(torch.optim, kind)(model.parameters(), **settings).step, taken_and_given * bytes_of(*model.parameters()))


def at_rest(network: Callable[[Any], Any], shape: tuple[int, ...], torch: Any, arrange: Arrange) -> tuple[Any, Any]:
    """A network in evaluation, and images for it."""
    return arrange(network(torch)).eval(), arrange(torch.randn(*shape))


def inference(network: Callable[[Any], Any], shape: tuple[int, ...], torch: Any, arrange: Arrange) -> Step:
    """A forward pass that records nothing."""
    model, images = at_rest(network, shape, torch, arrange)

    def step() -> None:
        with torch.no_grad():
            model(images)

    return Step(step)


def optimized_inference(network: Callable[[Any], Any], shape: tuple[int, ...], torch: Any, arrange: Arrange) -> Step:
    """The same of the model that `minigrad.inference.optimize` makes, beside PyTorch's plain one."""
    model, images = at_rest(network, shape, torch, arrange)
    if torch.__name__ == "minigrad":
        model = torch.inference.optimize(model, images)

    def step() -> None:
        with torch.no_grad():
            model(images)

    return Step(step)


def one_pass(layer: Callable[[Any], Any], shape: tuple[int, ...], which: str, torch: Any, arrange: Arrange) -> Step:
    """Of one layer: "forward", or from the output's gradient to that of the "input" or of the "weight"."""
    module, x = arrange(layer(torch.nn)), arrange(torch.randn(*shape))

    def forward() -> None:
        with torch.no_grad():
            module(x)

    if which == "forward":
        with torch.no_grad():
            out = module(x)
        return Step(forward, bytes_of(x, *module.parameters(), out))

    module.requires_grad_(which == "weight")
    x.requires_grad_(which == "input")
    out = module(x)
    moved = bytes_of(out, *module.parameters(), x)  # of gradients by the input and the filters, and what is multiplied by them
    if which == "input" and type(module).__name__ not in LINEAR:
        moved += bytes_of(x)
    backward = _backward(out, x if which == "input" else module.weight, arrange(torch.randn(*out.shape)), moved)
    return Step(backward.call, moved, alike=forward)  # the groups of a filter gradient are not counted as such


def lookup(rows: int, width: int, count: int, which: str, torch: Any, arrange: Arrange) -> Step:
    """Rows of a table by number: "forward", or from the output's gradient to that of the "weight"."""
    table, numbers = torch.nn.Embedding(rows, width), torch.randint(0, rows, (count,))
    if which == "forward":

        def forward() -> None:
            with torch.no_grad():
                table(numbers)

        return Step(forward, bytes_of(numbers) + 2 * bytes_of(table(numbers)))

    out = table(numbers)
    return _backward(out, table.weight, torch.randn(count, width), bytes_of(numbers, out, table.weight))


def side_by_side(shape: tuple[int, ...], which: str, torch: Any, arrange: Arrange) -> Step:
    """Two tensors joined along their channels, as the skips of a U-Net are: "forward", or the gradient of one "input"."""
    left, right = (arrange(torch.randn(*shape)) for _ in range(2))
    if which == "forward":
        return Step(lambda: torch.cat([left, right], 1), 2 * bytes_of(left, right))
    out = torch.cat([left.requires_grad_(), right.requires_grad_()], 1)
    return _backward(out, left, arrange(torch.randn(*out.shape)), 2 * bytes_of(left))


def _backward(out: Any, receiver: Any, cotangent: Any, moved: int) -> Step:
    def backward() -> None:
        receiver.grad = None
        out.backward(cotangent, retain_graph=True)

    return Step(backward, moved)


def tiny_chain(length: int, torch: Any, arrange: Arrange) -> Step:
    """Forward and backward through operations on four numbers: what an operation costs besides its arithmetic."""
    start, factor = torch.randn(4, requires_grad=True), torch.randn(4)

    def step() -> None:
        x = start
        for _ in range(length // 2):
            x = x * factor + 1.0
        start.grad = None
        x.sum().backward()

    return Step(step)


