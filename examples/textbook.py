"""The small computations that a course on convolutional networks does on paper, done by minigrad, each with its result asserted.

    python examples/textbook.py --help
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from common import Parser, pyplot, save_figure

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F

COMPUTATIONS: list[Callable[[], str]] = []


def computation(function: Callable[[], str]) -> Callable[[], str]:
    """Adds a computation to the list; its docstring is the question, what it returns the answer."""
    COMPUTATIONS.append(function)
    return function


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def fully_connected(*widths: int) -> nn.Sequential:
    """A network of fully connected layers with so many units each, the inputs first."""
    return nn.Sequential(*[nn.Linear(before, after) for before, after in pairwise(widths)])


@computation
def small_fully_connected() -> str:
    """How many parameters has a fully connected network with 3 inputs, 5 hidden units and 2 outputs?"""
    network = fully_connected(3, 5, 2)
    assert parameters(network) == 32
    assert sum(layer.weight.numel() for layer in network) == 25 and sum(layer.bias.numel() for layer in network) == 7
    return "3 * 5 + 5 * 2 = 25 weights and 5 + 2 = 7 biases: 32"


@computation
def deeper_fully_connected() -> str:
    """And one of 3-4-2, and one of 3-4-4-1?"""
    shallow, deep = fully_connected(3, 4, 2), fully_connected(3, 4, 4, 1)
    assert (parameters(shallow), parameters(deep)) == (26, 41)
    assert sum(layer.weight.numel() for layer in deep) == 32
    return "3 * 4 + 4 * 2 = 20 weights and 4 + 2 = 6 biases: 26; 3 * 4 + 4 * 4 + 4 * 1 = 32 weights and 4 + 4 + 1 = 9 biases: 41"


@computation
def one_small_filter() -> str:
    """How many parameters has one 2x2 filter over the three colours of a picture, however large the picture is?"""
    layer = nn.Conv2d(3, 1, 2)
    assert parameters(layer) == 13
    assert layer(torch.zeros(1, 3, 8, 8)).shape == (1, 1, 7, 7) and layer(torch.zeros(1, 3, 50, 90)).shape == (1, 1, 49, 89)
    return "2 * 2 * 3 + 1 = 13"


CURVE_DETECTOR = torch.tensor([
    [0, 0, 0, 0, 0, 30, 0],
    [0, 0, 0, 0, 30, 0, 0],
    [0, 0, 0, 30, 0, 0, 0],
    [0, 0, 0, 30, 0, 0, 0],
    [0, 0, 0, 30, 0, 0, 0],
    [0, 0, 0, 30, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0],
])  # fmt: skip
BACK_OF_THE_MOUSE = torch.tensor([
    [0, 0, 0, 0, 0, 0, 30],
    [0, 0, 0, 0, 50, 50, 50],
    [0, 0, 0, 20, 50, 0, 0],
    [0, 0, 0, 50, 50, 0, 0],
    [0, 0, 0, 50, 50, 0, 0],
    [0, 0, 0, 50, 50, 0, 0],
    [0, 0, 0, 50, 50, 0, 0],
])  # fmt: skip
HEAD_OF_THE_MOUSE = torch.tensor([
    [0, 0, 0, 0, 0, 0, 0],
    [0, 40, 0, 0, 0, 0, 0],
    [40, 0, 40, 0, 0, 0, 0],
    [40, 20, 0, 0, 0, 0, 0],
    [0, 50, 0, 0, 0, 0, 0],
    [0, 0, 50, 0, 0, 0, 0],
    [25, 25, 0, 50, 0, 0, 0],
])  # fmt: skip


@computation
def curve_detector() -> str:
    """What does a filter for a curve answer where the drawing of a mouse has that curve, and where it has not?"""
    patches = torch.stack([BACK_OF_THE_MOUSE, HEAD_OF_THE_MOUSE]).unsqueeze(1).float()
    answers = F.conv2d(patches, CURVE_DETECTOR.float().reshape(1, 1, 7, 7)).flatten()
    assert answers.tolist() == [6600, 0]
    return "at the back 4 * (50 * 30) + 20 * 30 = 6600, at the head 0"


def volume_and_parameters(filters: int, padding: int) -> tuple[tuple[int, ...], int]:
    """What so many 5x5 filters make of a 32x32x3 picture, and how many parameters they have."""
    layer = nn.Conv2d(3, filters, 5, padding=padding)
    return tuple(layer(torch.zeros(1, 3, 32, 32)).shape[1:]), parameters(layer)


@computation
def six_filters() -> str:
    """Which volume do six 5x5 filters make of a 32x32x3 picture?"""
    assert volume_and_parameters(6, padding=0) == ((6, 28, 28), 456)
    return "28x28x6, since (32 - 5) / 1 + 1 = 28, with 6 (5 * 5 * 3 + 1) = 456 parameters"


@computation
def ten_filters_with_padding() -> str:
    """And ten 5x5 filters with stride 1 and two pixels of padding?"""
    assert volume_and_parameters(10, padding=2) == ((10, 32, 32), 760)
    return "32x32x10, since (32 + 2 * 2 - 5) / 1 + 1 = 32, with 10 (5 * 5 * 3 + 1) = 760 parameters"


@computation
def sizes() -> str:
    """How wide is the answer of a 3x3 filter to a 7x7 picture, with stride 1, 2 and 3, and with one pixel of padding?"""
    picture = torch.zeros(1, 1, 7, 7)

    def width(stride: int, padding: int = 0) -> int:
        return F.conv2d(picture, torch.zeros(1, 1, 3, 3), stride=stride, padding=padding).shape[-1]

    assert [width(1), width(2), width(1, padding=1)] == [5, 3, 7]
    assert (7 - 3) % 3 == 1 and width(3) == 2  # the seventh column and row are never seen
    return "5, 3, 7 with padding 1; stride 3 does not fit, (7 - 3) / 3 + 1 = 2.33: the answer is 2 wide and the last column and row are unused"


@computation
def padding_that_keeps_the_size() -> str:
    """Which padding keeps the size for F = 3, 5 and 7 with stride 1?"""
    picture = torch.zeros(1, 1, 11, 11)
    for side in (3, 5, 7):
        assert F.conv2d(picture, torch.zeros(1, 1, side, side), padding=(side - 1) // 2).shape == picture.shape
    return "(F - 1) / 2, that is 1, 2 and 3"


@computation
def shrinking() -> str:
    """How fast does a 32x32 picture shrink under 5x5 filters without padding?"""
    x, widths = torch.zeros(1, 1, 32, 32), [32]
    for _ in range(3):
        x = F.conv2d(x, torch.zeros(1, 1, 5, 5))
        widths.append(x.shape[-1])
    assert widths == [32, 28, 24, 20]
    return " -> ".join(map(str, widths))


POOLED = torch.tensor([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])


@computation
def max_pooling() -> str:
    """What does 2x2 max pooling with stride 2 make of 1 1 2 4 / 5 6 7 8 / 3 2 1 0 / 1 2 3 4?"""
    assert F.max_pool2d(POOLED.reshape(1, 1, 4, 4), 2).reshape(2, 2).tolist() == [[6, 8], [3, 4]]
    return "6 8 / 3 4"


def routed_gradient() -> torch.Tensor:
    """The gradient of the pooled values 6 8 / 3 4, taken with cotangents 1 2 / 3 4."""
    x = POOLED.clone().requires_grad_()
    F.max_pool2d(x.reshape(1, 1, 4, 4), 2).backward(torch.tensor([[[[1.0, 2], [3, 4]]]]))
    return x.grad


@computation
def gradient_of_max_pooling() -> str:
    """And where does the gradient 1 2 / 3 4 of the pooled values go?"""
    assert routed_gradient().tolist() == [[0, 0, 0, 0], [0, 1, 0, 2], [3, 0, 0, 0], [0, 0, 0, 4]]
    return "each to the place of its maximum: 0 0 0 0 / 0 1 0 2 / 3 0 0 0 / 0 0 0 4"


@computation
def average_pooling() -> str:
    """And average pooling of the same?"""
    assert F.avg_pool2d(POOLED.reshape(1, 1, 4, 4), 2).reshape(2, 2).tolist() == [[3.25, 5.25], [2, 2]]
    return "3.25 5.25 / 2 2"


@computation
def convolution_backward() -> str:
    """Of O = X * F with X 3x3 and F 2x2: what are dL/dF and dL/dX for dL/dO = 1 0 / 0 2?"""
    x = torch.arange(1.0, 10).reshape(1, 1, 3, 3).requires_grad_()
    f = torch.tensor([[[[1.0, 2], [3, 4]]]]).requires_grad_()
    cotangent = torch.tensor([[[[1.0, 0], [0, 2]]]])
    F.conv2d(x, f).backward(cotangent)
    # dL/dF is X convolved with dL/dO; dL/dX is the full convolution of dL/dO with F rotated by half a turn.
    assert torch.equal(f.grad, F.conv2d(x.detach(), cotangent))
    assert torch.equal(x.grad, F.conv2d(F.pad(cotangent, (1, 1, 1, 1)), f.detach().flip(2, 3)))
    assert f.grad.flatten().tolist() == [11, 14, 20, 23] and x.grad.flatten().tolist() == [1, 2, 0, 3, 6, 4, 0, 6, 8]
    return "dL/dF = X * dL/dO = 11 14 / 20 23; dL/dX = full convolution with the rotated F = 1 2 0 / 3 6 4 / 0 6 8"


@computation
def fully_connected_after_convolutions() -> str:
    """How many weights has the first fully connected layer of VGG-16, which sees 7x7x512 and has 4096 units?"""
    from minigrad.models import vgg16

    weights = vgg16(init_weights=False).classifier[0].weight.numel()
    assert weights == 7 * 7 * 512 * 4096 == 102_760_448
    return "7 * 7 * 512 * 4096 = 102,760,448"


@computation
def memory_of_vgg() -> str:
    """How many numbers does VGG-16 make of a picture of 224x224x3 on its way forward, and how much memory do they take as float32?"""
    from minigrad.inspect import summary
    from minigrad.models import vgg16

    table = summary(vgg16(init_weights=False), (3, 224, 224))
    rows = [layer for layer in table.layers if layer.kind in ("Conv2d", "MaxPool2d", "Linear")]
    total = table.input_activations + sum(layer.activations for layer in rows)
    # The same by hand: the picture; convolutions and the pooling after them, stage by stage; three fully connected layers.
    stages = [(2, 64, 224), (2, 128, 112), (3, 256, 56), (3, 512, 28), (3, 512, 14)]
    by_stage = [channels * (layers * side**2 + (side // 2) ** 2) for layers, channels, side in stages]
    assert total == 3 * 224**2 + sum(by_stage) + 4096 + 4096 + 1000 == 15_237_608
    assert round(4 * total / 2**20, 1) == 58.1 and table.params == 138_357_544
    parts = " + ".join(f"{part / 1e6:.2f}" for part in (table.input_activations, *by_stage))
    return f"{parts} + 0.01 = 15.24 million, 58.1 MB. Courses print 24M and 93 MB below a table with these very rows: its sum is a slip of theirs"


@computation
def stacked_filters() -> str:
    """What do three layers of 3x3 filters see, and what do they cost, compared with one layer of 7x7 filters, for C channels?"""
    x = torch.zeros(1, 1, 15, 15, requires_grad=True)
    y = x
    for _ in range(3):
        y = F.conv2d(y, torch.ones(1, 1, 3, 3))
    y[0, 0, 4, 4].backward()
    seen = int((x.grad[0, 0].sum(1) != 0).sum())
    channels = 10
    stacked = parameters(nn.Sequential(*[nn.Conv2d(channels, channels, 3, bias=False) for _ in range(3)]))
    single = parameters(nn.Conv2d(channels, channels, 7, bias=False))
    assert seen == 7 and stacked == 27 * channels**2 and single == 49 * channels**2
    return "7x7 pixels both; 3 (9 C^2) = 27 C^2 weights against 49 C^2"


def draw(path: object) -> None:
    plt = pyplot()
    figure, axes = plt.subplots(2, 3, figsize=(11, 7.5), layout="constrained")
    figure.suptitle("A filter for a curve answers 6600 where the curve is and 0 where it is not; pooling sends gradients to the maximum")
    pictures = [
        ("the filter", CURVE_DETECTOR), ("the mouse's back: 6600", BACK_OF_THE_MOUSE), ("the mouse's head: 0", HEAD_OF_THE_MOUSE),
        ("before pooling", POOLED), ("2x2 max pooling", F.max_pool2d(POOLED.reshape(1, 1, 4, 4), 2).reshape(2, 2)),
        ("its gradient for 1 2 / 3 4", routed_gradient()),
    ]  # fmt: skip
    for axis, (title, values) in zip(axes.ravel(), pictures, strict=True):
        array = values.float().numpy()
        axis.imshow(array, cmap="Blues", vmin=0, vmax=max(array.max() * 1.6, 1))
        axis.set_title(title)
        axis.set_xticks([])
        axis.set_yticks([])
        for (row, column), value in [((r, c), array[r, c]) for r in range(array.shape[0]) for c in range(array.shape[1])]:
            axis.text(column, row, f"{value:g}", ha="center", va="center", fontsize=10)
    save_figure(figure, path)


def main() -> None:
    parser = Parser("The small computations of a course on convolutional networks, each asserted.", seeded=False)
    options = parser.options(torch)
    for function in COMPUTATIONS:
        answer = function()
        print(f"{function.__doc__}\n    {answer}")
    if options.plot:
        draw(options.out / "textbook.png")
    print(f"{len(COMPUTATIONS)} computations agree with the course")


if __name__ == "__main__":
    main()
