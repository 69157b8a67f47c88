"""Draws the SVG pictures of the pages into docs/pictures. Every number in them is computed here, by minigrad.

python docs/make_drawings.py [FOLDER]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
from tools.svg import (  # noqa: E402
    BACKWARD,
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    SERIES,
    WHITE,
    arrow,
    box,
    grid,
    log_plot,
    moved,
    number,
    svg,
    text,
    window,
)  # fmt: skip

import minigrad  # noqa: E402
from minigrad import nn, optim  # noqa: E402
from minigrad.nn import functional as F  # noqa: E402

TIMES = "\N{MULTIPLICATION SIGN}"
DRAWINGS: dict[str, Callable[[], str]] = {}


def drawing(function: Callable[[], str]) -> Callable[[], str]:
    """Adds a drawing under the name of its function."""
    DRAWINGS[function.__name__] = function
    return function


# --- graphs ---------------------------------------------------------------------------------------------------------------


def node(x: float, y: float, name: str, value: float | None, gradient: float | None, fill: str = WHITE) -> str:
    """A node with its value above and its gradient below."""
    parts = [box(x - 24, y - 17, 48, 34, fill, INK, 1.2, 8), text(x, y, name, 15)]
    if value is not None:
        parts.append(text(x, y - 28, number(value), 12))
    if gradient is not None:
        parts.append(text(x, y + 29, number(gradient), 12, BACKWARD))
    return "".join(parts)


def neuron_parts() -> str:
    w, x, b = (minigrad.tensor(v, requires_grad=True) for v in (2.0, 0.5, -0.5))
    product = w * x
    total = product + b
    y = total.tanh()
    for inner in (product, total, y):
        inner.retain_grad()
    y.backward()
    places = {"w": (40, 55), "x": (40, 145), TIMES: (150, 100), "b": (150, 190), "+": (265, 145), "tanh": (375, 145)}
    values = {"w": w, "x": x, TIMES: product, "b": b, "+": total, "tanh": y}
    parts = [
        node(
            *places[name],
            name,
            values[name].item(),
            values[name].grad.item(),
            ORANGE if name in "wb" else BLUE if name == "x" else GREEN,
        )
        for name in places
    ]
    for source, target in (("w", TIMES), ("x", TIMES), (TIMES, "+"), ("b", "+"), ("+", "tanh")):
        (x1, y1), (x2, y2) = places[source], places[target]
        parts.append(arrow(x1 + 25, y1 - 4, x2 - 26, y2 - 4, "forward", 0))
        parts.append(arrow(x2 - 26, y2 + 6, x1 + 25, y1 + 6, "backward", 0))
    parts += [text(375, 40, "value", 12), text(375, 58, "gradient", 12, BACKWARD)]
    return "".join(parts)


@drawing
def neuron() -> str:
    return svg(430, 235, [neuron_parts()])


@drawing
def order() -> str:
    x = minigrad.tensor(3.0, requires_grad=True)
    y = x * x
    y.retain_grad()
    product = y * y
    loss = y + product
    loss.backward()
    early, late = 1.0, 2 * y.item()
    places = {"x": (50, 90), "y = x·x": (175, 90), "y·y": (310, 45), "y + y·y": (450, 90)}
    parts = []
    for name, (a, b) in places.items():
        parts += [box(a - 36, b - 17, 72, 34, BLUE if name == "x" else GREEN, INK, 1.2, 8), text(a, b, name, 14)]
    for start, end, words, at, bend in (
        ((450, 72), (348, 40), "1", (412, 46), 6),
        ((273, 48), (200, 72), f"2y = {number(late)}", (216, 44), 6),
        ((413, 98), (213, 98), "1: reaches y first", (312, 124), -14),
        ((138, 98), (88, 98), "", (0, 0), 0),
    ):
        parts += [arrow(*start, *end, "backward", bend), text(*at, words, 12, BACKWARD)]
    parts += [
        text(20, 165, f"y visited at once: x gets 2x · {number(early)} = {number(2 * x.item() * early)}, and the {number(late)} that come later are lost", 13, anchor="start"),
        text(20, 190, f"y visited when all its users are done: x gets 2x · ({number(early)} + {number(late)}) = {number(x.grad.item())}", 13, anchor="start"),
    ]  # fmt: skip
    assert y.grad.item() == early + late
    return svg(520, 210, parts)


@drawing
def broadcast() -> str:
    a = minigrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    bias = minigrad.tensor([10.0, 20.0, 30.0], requires_grad=True)
    g = minigrad.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 1.0]])
    out = a + bias
    out.backward(g)
    copies = bias.detach().expand(2, 3).tolist()
    signs = [text(127, 75, "+", 18), text(262, 75, "=", 18)]
    return svg(
        620, 260,
        [
            text(20, 18, "forward", 13, anchor="start", weight="bold"),
            grid(20, 45, a.tolist(), BLUE, title="a"), grid(150, 45, copies, lambda i, j: ORANGE if i == 0 else "#fff7ed", title="bias, repeated"),
            grid(285, 45, out.detach().tolist(), GREEN, title="out"), *signs,
            text(20, 140, "backward", 13, BACKWARD, "start", "bold"),
            grid(285, 175, g.tolist(), RED, title="gradient of out"), grid(20, 175, g.tolist(), RED, title="of a: as it is"),
            grid(150, 190, [bias.grad.tolist()], RED, title="of bias: the sum"), arrow(280, 205, 245, 205, "backward", 0),
            text(385, 75, "the bias is used in both rows,", 12, anchor="start"), text(385, 93, "so both rows add to its gradient", 12, anchor="start"),
        ],
    )  # fmt: skip


# --- the convolution of the course ----------------------------------------------------------------------------------------

X = minigrad.arange(1.0, 10).reshape(3, 3)
FILTER = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
GRADIENT = minigrad.tensor([[1.0, 0.0], [0.0, 2.0]])  # of the loss by the output


def conv(x: minigrad.Tensor, f: minigrad.Tensor) -> minigrad.Tensor:
    return F.conv2d(x[None, None], f[None, None])[0, 0]


def sub(*indices: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[i] for i in indices)


def letters(name: str, rows: int, columns: int) -> list[list[str]]:
    return [[f"{name}{sub(i + 1, j + 1)}" for j in range(columns)] for i in range(rows)]


@drawing
def convolution_letters() -> str:
    """The matrices X, F and O of the course, one window, and the partial derivatives that are read off it."""
    parts = [
        grid(20, 45, letters("X", 3, 3), BLUE, 40, title="X"), text(163, 105, "\N{ASTERISK OPERATOR}", 22),
        grid(190, 65, letters("F", 2, 2), ORANGE, 40, title="F"), text(293, 105, "=", 20),
        grid(320, 65, letters("O", 2, 2), GREEN, 40, title="O", strong=[(0, 0)]), window(20, 45, 0, 0, 2, 2, 40),
        text(20, 200, "O₁₁ = X₁₁F₁₁ + X₁₂F₁₂ + X₂₁F₂₁ + X₂₂F₂₂", 15, anchor="start"),
        text(20, 230, "∂O₁₁/∂F₁₁ = X₁₁   ∂O₁₁/∂F₁₂ = X₁₂   ∂O₁₁/∂F₂₁ = X₂₁   ∂O₁₁/∂F₂₂ = X₂₂", 13, BACKWARD, "start"),
        text(20, 254, "∂O₁₁/∂X₁₁ = F₁₁   ∂O₁₁/∂X₁₂ = F₁₂   ∂O₁₁/∂X₂₁ = F₂₁   ∂O₁₁/∂X₂₂ = F₂₂", 13, BACKWARD, "start"),
    ]  # fmt: skip
    return svg(500, 275, parts)


def products(patch: minigrad.Tensor, weights: minigrad.Tensor) -> str:
    """The sum that a window stands for, in words."""
    pairs = zip(patch.flatten().tolist(), weights.flatten().tolist(), strict=True)
    return " + ".join(f"{number(a)}·{number(b)}" for a, b in pairs)


def slide(x: minigrad.Tensor, f: minigrad.Tensor, fills: tuple[Any, Any, str], cell: float, name: str) -> Iterator[str]:
    """One panel for each place of the filter: where it lies, the sum, and the result so far."""
    out = conv(x, f)
    height, width = f.shape
    for place in range(out.numel()):
        i, j = divmod(place, out.shape[1])
        known = [
            [out[a, b].item() if a * out.shape[1] + b <= place else "" for b in range(out.shape[1])]
            for a in range(out.shape[0])
        ]
        small = [
            text(
                j * cell + (b + 0.88) * cell - 2, i * cell + (a + 0.82) * cell + 1, number(f[a, b].item()), 9, "#c2410c"
            )
            for a in range(height)
            for b in range(width)
        ]
        yield "".join([
            text(0, -12, f"{name}{sub(i + 1, j + 1)} = {products(x[i : i + height, j : j + width], f)} = {number(out[i, j].item())}", 12, anchor="start"),
            grid(0, 0, x.tolist(), fills[0], cell), *[moved(0, 0, s) for s in small], window(0, 0, i, j, height, width, cell),
            arrow(x.shape[1] * cell + 6, x.shape[0] * cell / 2, x.shape[1] * cell + 28, x.shape[0] * cell / 2, "faint"),
            grid(x.shape[1] * cell + 36, (x.shape[0] - out.shape[0]) * cell / 2, known, fills[2], cell, strong=[(i, j)]),
        ])  # fmt: skip


def sheet(panels: list[str], columns: int, width: float, height: float) -> str:
    rows = math.ceil(len(panels) / columns)
    return svg(
        columns * width + 20,
        rows * height + 15,
        [moved(20 + (k % columns) * width, 30 + (k // columns) * height, p) for k, p in enumerate(panels)],
    )


@drawing
def convolution_forward() -> str:
    return sheet(list(slide(X, FILTER, (BLUE, ORANGE, GREEN), 30, "O")), 2, 250, 140)


@drawing
def convolution_filter() -> str:
    return sheet(list(slide(X, GRADIENT, (BLUE, RED, ORANGE), 30, "∂L/∂F")), 2, 290, 140)


def full_panels() -> list[str]:
    padded, rotated = F.pad(GRADIENT, (1, 1, 1, 1)), FILTER.flip(0, 1)

    def fill(i: int, j: int) -> str:
        return RED if 0 < i < 3 and 0 < j < 3 else GREY

    return list(slide(padded, rotated, (fill, ORANGE, BLUE), 26, "∂L/∂X"))


@drawing
def convolution_input() -> str:
    return sheet(full_panels(), 3, 252, 158)


@drawing
def convolution_input_steps() -> str:
    """The same as a film: one panel after the other, a second and a half each."""
    panels = full_panels()
    n = len(panels)
    style = f".s{{opacity:0;animation:show {1.5 * n:g}s infinite}}@keyframes show{{0%,{100 / n - 0.01:.2f}%{{opacity:1}}{100 / n:.2f}%,100%{{opacity:0}}}}"
    style += "".join(f".s{k}{{animation-delay:{1.5 * k:g}s}}" for k in range(n))
    style += "@media print{.s{animation:none}.s8{opacity:1}}"
    return svg(262, 150, [moved(20, 32, panel, f"s s{k}") for k, panel in enumerate(panels)], style)


@drawing
def rotation() -> str:
    """Which places of the output see one element of the input."""
    return svg(
        660, 150,
        [
            grid(20, 35, letters("X", 3, 3), lambda i, j: RED if (i, j) == (1, 1) else BLUE, 34, title="X"),
            grid(180, 35, letters("O", 2, 2), GREEN, 34, title="O"),
            grid(300, 35, letters("F", 2, 2), ORANGE, 34, title="F"), arrow(375, 68, 405, 68, "faint", 0), text(390, 55, "180°", 11),
            grid(412, 35, [row[::-1] for row in letters("F", 2, 2)[::-1]], ORANGE, 34, title="F rotated"),
            text(180, 125, "∂L/∂X₂₂ = ∂L/∂O₁₁ F₂₂ + ∂L/∂O₁₂ F₂₁ + ∂L/∂O₂₁ F₁₂ + ∂L/∂O₂₂ F₁₁", 13, BACKWARD, "start"),
        ],
    )  # fmt: skip


POOLED = minigrad.tensor([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])


def pooled(pool: Callable[[Any, int], Any], cotangent: minigrad.Tensor) -> tuple[Any, Any]:
    x = POOLED.clone().requires_grad_()
    out = pool(x[None, None], 2)[0, 0]
    out.backward(cotangent)
    return out.detach(), x.grad


def quarter(i: int, j: int) -> str:
    return (BLUE, GREEN, ORANGE, GREY)[i // 2 * 2 + j // 2]


@drawing
def pooling() -> str:
    cotangent = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    parts = []
    for row, (name, pool) in enumerate((("maximum", F.max_pool2d), ("mean", F.avg_pool2d))):
        out, g = pooled(pool, cotangent)
        y = 45 + 185 * row
        strong = [(i, j) for i in range(4) for j in range(4) if row == 0 and g[i, j] != 0]
        parts += [
            grid(20, y, POOLED.tolist(), quarter, 34, strong=strong, title="x"), arrow(164, y + 68, 200, y + 68, "forward", 0),
            grid(210, y + 34, out.tolist(), lambda i, j: quarter(2 * i, 2 * j), 34, title=f"{name} of 2\N{MULTIPLICATION SIGN}2"),
            grid(330, y + 34, cotangent.tolist(), RED, 34, title="gradient"), arrow(406, y + 68, 442, y + 68, "backward", 0),
            grid(452, y, g.tolist(), lambda i, j, g=g: RED if g[i, j] != 0 else WHITE, 34, strong=strong, title="gradient of x"),
        ]  # fmt: skip
    return svg(610, 375, parts)


# --- curves ---------------------------------------------------------------------------------------------------------------


@drawing
def differences() -> str:
    """The error of difference quotients of exp at 1 by the step."""
    powers = np.arange(-16, 0.01, 0.125)

    def errors(dtype: Any, central: bool, lowest: float) -> list[tuple[float, float]]:
        found = []
        for h in 10.0 ** powers[powers >= lowest]:
            x, h = dtype(1), dtype(h)
            up, down = x + h, x - h if central else x
            slope = (np.exp(up) - np.exp(down)) / (dtype(2) * h if central else h)
            found.append((float(h), float(abs(np.float64(slope) - np.e) / np.e)))
        return found

    series = {
        "forward, float64": errors(np.float64, False, -16),
        "central, float64": errors(np.float64, True, -16),
        "central, float32": errors(np.float32, True, -8),
        "complex step, float64": [
            (h, float(abs(np.exp(1 + 1j * h).imag / h - np.e) / np.e)) for h in (float(10.0**p) for p in powers)
        ],
    }
    return svg(
        620, 345, [log_plot(70, 40, 360, 250, series, ("step", "relative error of the slope of exp at 1"), 1e-16)]
    )


def learned() -> dict[str, tuple[list[float], list[float]]]:
    """The network of the README after some steps."""
    minigrad.manual_seed(0)
    x = minigrad.linspace(-3, 3, 200).reshape(-1, 1)
    y = minigrad.sin(x)
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    curves = {"sin": (x.flatten().tolist(), y.flatten().tolist())}
    for step in range(501):
        out = model(x)
        if step in (0, 30, 500):
            curves[f"after {step} steps"] = (x.flatten().tolist(), out.detach().flatten().tolist())
        loss = F.mse_loss(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return curves


@drawing
def readme() -> str:
    """Left a neuron with its gradients, right what the example of the README learns."""
    parts = [neuron_parts()]
    x0, y0, width, height = 480, 25, 300, 170
    parts.append(box(x0, y0, width, height, WHITE, FAINT))
    for k, (name, (xs, ys)) in enumerate(learned().items()):
        way = " ".join(
            f"{x0 + (x + 3) / 6 * width:.1f},{y0 + (1.3 - min(max(y, -1.3), 1.3)) / 2.6 * height:.1f}"
            for x, y in zip(xs[::4], ys[::4], strict=True)
        )
        colour, thick = (FAINT, 7) if k == 0 else (SERIES[k - 1], 2)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="{thick}"/>')
        at = x0 + (0, 38, 128, 222)[k]
        parts += [
            f'<path d="M{at:g} {y0 + height + 18:g}h16" stroke="{colour}" stroke-width="{thick}"/>',
            text(at + 20, y0 + height + 18, name.replace("after ", ""), 11, anchor="start"),
        ]
    return svg(800, 235, parts)


@drawing
def bench() -> str:
    """The ratios of a run of `python -m bench`, which docs/pictures/bench.json holds."""
    run = json.loads((HERE / "pictures" / "bench.json").read_text(encoding="utf-8"))
    left, right, row = 270, 690, 22
    parts, y, group = [], 46.0, ""

    def place(ratio: float) -> float:
        return left + (math.log2(ratio) + 1) / 3 * (right - left)

    numbers = max(right, *[place(case["quartiles"][1]) for case in run["cases"]]) + 8  # behind the longest line
    bottom = 60 + row * len(run["cases"]) + 24 * len({case["group"] for case in run["cases"]})
    for ratio in (0.5, 1, 2, 4):
        parts.append(f'<path d="M{place(ratio):g} 38V{bottom:g}" stroke="{INK if ratio == 1 else GREY}"/>')
        parts.append(text(place(ratio), 28, f"{ratio:g}", 12))
    parts += [
        text(place(1) + 8, 10, "minigrad takes less time \N{RIGHTWARDS ARROW}", 12, SERIES[0], "start"),
        text(place(1) - 8, 10, "\N{LEFTWARDS ARROW} PyTorch takes less", 12, SERIES[1], "end"),
    ]
    for case in run["cases"]:
        if case["group"] != group:
            group = case["group"]
            parts.append(text(12, y + 12, group, 13, anchor="start", weight="bold"))
            y += 24
        ratio, (low, high) = case["ratio"], case["quartiles"]
        start, end = sorted((place(1), place(ratio)))
        parts += [
            text(24, y + 8, case["name"], 11.5, anchor="start"), box(start, y + 2, end - start, 13, BLUE if ratio >= 1 else ORANGE, SERIES[0 if ratio >= 1 else 1]),
            f'<path d="M{place(low):.1f} {y + 8.5:g}H{place(high):.1f}" stroke="{INK}" stroke-width="2"/>', text(numbers, y + 8, f"{ratio:.2f}", 12, anchor="start"),
        ]  # fmt: skip
        y += row
    threads = run["minigrad"]["threads"]
    notes = [
        f"PyTorch's time over minigrad's: medians, and quartiles of the ratio as lines. {run['machine']['processor']}, {run['minigrad']['isa']},",
        f"{threads} thread{'s' * (threads > 1)} each, {run['rates']['operations'] / 1e9:.0f} GFLOP/s in a matrix product; PyTorch {run['torch']['version']}; by python -m bench",
    ]
    parts += [text(12, bottom + 16 + 16 * k, note, 11, anchor="start") for k, note in enumerate(notes)]
    return svg(numbers + 62, bottom + 48, parts)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "pictures"
    for name, draw in DRAWINGS.items():
        (folder / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
