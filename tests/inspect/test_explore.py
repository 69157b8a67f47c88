"""The page on which backward is walked through, used in a real browser where one is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import minigrad
from minigrad import inspect, models, nn

from .nets import waves

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
in_browser = pytest.mark.skipif(BROWSER is None, reason="needs a Chromium: apt-get install chromium")


def small_page() -> str:
    x = minigrad.tensor([[1.0, 2.0]], requires_grad=True)
    y = x * x
    return inspect.explore((y + y * y).sum(), names={"</script>x": x}, title="small & <sound>")


def data_in(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_is_one_file_that_needs_no_network() -> None:
    page = small_page()
    assert "default-src 'none'" in page and "<title>small &amp; &lt;sound&gt;</title>" in page
    assert not re.search(r"""(src|href)\s*=|url\((?!#)|@import|fetch\(|XMLHttp""", page.replace("refX", ""))
    assert set(re.findall(r"https?://[^\"' \\<]*", page)) == {"http://www.w3.org/2000/svg"}


def test_its_data_are_the_steps(tmp_path: Path) -> None:
    data = data_in(small_page())
    right, recursion, breadth = data["walks"]
    assert not right["wrong"] and recursion["wrong"] == breadth["wrong"] == ["</script>x"]
    last = right["steps"][-1]
    assert data["arrays"][last["incoming"]]["rows"] == [["6", "36"]]  # 2 x + 4 x ** 3
    assert data["nodes"][str(last["node"])]["leaf"] and last["heap"] == []
    mul = data["nodes"][str(right["steps"][2]["node"])]
    assert mul["label"] == "mul" and "test_explore.py" in mul["place"] and "@mul.vjp" in mul["code"]
    path = tmp_path / "page.html"
    x = minigrad.ones(2, requires_grad=True)
    assert inspect.explore(x.sum(), path) == path.read_text(encoding="utf-8")


def test_maps_are_pictures_and_modules_collapse() -> None:
    model = models.lenet5()
    with inspect.trace(model) as calls:
        loss = nn.functional.cross_entropy(model(waves(2, 1, 28, 28)), minigrad.tensor([1, 2]))
    page = inspect.explore(loss, calls=calls)
    data = data_in(page)
    assert (
        data["depths"] == ["the model as one", "modules to depth 1", "modules to depth 2", "every operation"]
        and len(data["pictures"]) == 4
    )
    maps = [a for a in data["arrays"] if a["size"] == "2x6x28x28"]
    assert maps and all(
        len(a["images"]) == 8 and a["more"] == 4 and (a["height"], a["width"]) == (28, 28) for a in maps
    )
    assert len(page) < 1_000_000


def test_marks_of_the_page_in_what_is_shown_are_left_alone() -> None:
    x = minigrad.ones(2, requires_grad=True)
    page = inspect.explore((x * x).sum(), names={"@JS@": x}, title="@DATA@")
    assert "<title>@DATA@</title>" in page and page.count('"use strict";') == 1
    assert "@JS@" in {node["label"] for node in data_in(page)["nodes"].values()}


def test_a_recursion_that_is_too_long_is_named() -> None:
    x = minigrad.ones(2, requires_grad=True)
    for depth, told in (
        (3, ""),
        (12, "naive recursion: 8,192 steps, too many to show"),
        (200, "naive recursion: 10^60 steps"),
    ):
        y = x
        for _ in range(depth):
            y = y + y
        data = data_in(inspect.explore(y.sum()))
        assert [len(walk["steps"]) for walk in data["walks"]] == ([depth + 2] * 2 if told else [5, 16, 5])
        assert data["absent"].startswith(told) and bool(data["absent"]) == bool(told)


# --- in the browser ---------------------------------------------------------------------------------------------------

USE = """<script>
const key = name => document.dispatchEvent(new KeyboardEvent("keydown", {key: name}));
const seen = [], note = () => seen.push([document.getElementById("count").textContent, document.querySelector(".box.here").textContent, document.querySelectorAll(".waiting").length]);
note(); document.getElementById("next").click(); note(); key("ArrowRight"); note(); document.getElementById("back").click(); note(); key("End"); note();
const right = document.querySelector("#details table").textContent + "|" + document.querySelectorAll("#details table").length;
key("2"); key("End"); const wrong = document.querySelector(".warning").textContent;
key("1"); const chip = document.querySelector("#details .chip"); chip.click(); const focused = document.querySelector("#details div").textContent;
key("Escape"); key(" "); const playing = document.getElementById("play").textContent; key(" ");
const place = document.getElementById("place"); place.value = 3; place.dispatchEvent(new Event("input")); note();
const wide = document.documentElement.scrollWidth <= innerWidth;
document.body.dataset.result = JSON.stringify({seen, right, wrong, focused, playing, wide, height: document.querySelector("#details").offsetTop});
</script></body>"""


def opened(page: str, tmp_path: Path, *options: str) -> str:
    """The page's elements after its scripts have run."""
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [
        str(BROWSER),
        "--headless",
        "--disable-gpu",
        *sandbox,
        f"--user-data-dir={tmp_path}/profile",
        *options,
        file.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@in_browser
@pytest.mark.parametrize("size", ["1200,800", "500,800"])
def test_the_page_can_be_used(tmp_path: Path, size: str) -> None:
    from html import unescape

    page = small_page().replace("</body>", USE)
    dom = opened(page, tmp_path, "--dump-dom", f"--window-size={size}")
    found = re.search(r'data-result="([^"]*)"', dom)
    assert found, "the script of the page failed"
    result = json.loads(unescape(found[1]))
    assert [count for count, *_ in result["seen"]] == ["1 / 5", "2 / 5", "3 / 5", "2 / 5", "5 / 5", "4 / 5"]
    titles = [re.sub(r"\s+", " ", text) for _, text, _ in result["seen"]]
    assert [title.split()[0][:3] for title in titles] == ["sum", "add", "mul", "add", "</s", "mul"]
    assert [waiting for *_, waiting in result["seen"]] == [1, 2, 1, 2, 0, 1]
    assert result["right"].startswith("12") and "</script>x came out wrong" in result["wrong"]
    assert result["focused"].startswith("add") and result["playing"] == "Pause" and result["wide"]


LOOK = """<script>
const key = name => document.dispatchEvent(new KeyboardEvent("keydown", {key: name}));
const seen = [];
for (const order of "123") {
  key(order); key("End");
  const details = document.getElementById("details");
  seen.push([details.innerText, [...details.querySelectorAll("table")].map(t => t.innerText.trim().split(/\\s+/).map(Number)), document.querySelectorAll(".box.wrong").length]);
}
document.body.dataset.result = JSON.stringify({seen, orders: [...document.getElementById("order").options].map(o => o.text)});
</script></body>"""


def looked_at(page: str, tmp_path: Path) -> Any:
    from html import unescape

    found = re.search(r'data-result="([^"]*)"', opened(page.replace("</body>", LOOK), tmp_path, "--dump-dom"))
    assert found, "the script of the page failed"
    return json.loads(unescape(found[1]))


@in_browser
def test_wrong_orders_show_wrong_sums_beside_the_right_ones(tmp_path: Path) -> None:
    right, recursion, breadth = looked_at(small_page(), tmp_path)["seen"]
    value = [1, 2]
    assert right[1] == [value, [6, 36]] and right[2] == 0 and "right one" not in right[0]  # 2 x + 4 x ** 3
    assert breadth[1] == [value, [2, 4], [6, 36]] and breadth[2] > 0 and "the right one is" in breadth[0]
    assert recursion[1][0] == value and recursion[1][-1] == [6, 36] != recursion[1][1] and recursion[2] > 0


@in_browser
def test_where_no_order_is_wrong_the_page_says_so(tmp_path: Path) -> None:
    model = models.lenet5()
    with inspect.trace(model) as calls:
        loss = nn.functional.cross_entropy(model(waves(2, 1, 28, 28)), minigrad.tensor([1, 2]))
    right, *others = looked_at(inspect.explore(loss, calls=calls), tmp_path)["seen"]
    assert "is right too" not in right[0] and right[2] == 0
    assert all("Here this order is right too" in text and wrong == 0 for text, _, wrong in others)


@in_browser
def test_of_many_wrong_gradients_some_are_named(tmp_path: Path) -> None:
    def chained(start: Any, others: list[Any]) -> Any:
        y = start
        for x in others:
            y = y * x
        return (y + y * y).sum()

    xs = [minigrad.ones(1, requires_grad=True) for _ in range(8)]
    names = {f"x{i}": x for i, x in enumerate(xs)}
    for n, told in ((6, "x5, x4, x3, x2, x1, x0 came"), (8, "x7, x6, x5, x4, x3, x2 and 2 more came")):
        seen = looked_at(inspect.explore(chained(xs[0], xs[1:n]), names=names), tmp_path)["seen"]
        assert "came out wrong" not in seen[0][0]
        for text, *_ in seen[1:]:
            named = re.search(r"In this order the gradients of (.*) came out wrong", text)
            assert named and sorted(re.findall(r"x\d|and \d more", named[1])) == sorted(
                re.findall(r"x\d|and \d more", told)
            )


@in_browser
def test_the_page_can_be_printed_and_drawn(tmp_path: Path) -> None:
    opened(small_page(), tmp_path, f"--print-to-pdf={tmp_path}/page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 5000
    opened(small_page(), tmp_path, f"--screenshot={tmp_path}/page.png", "--window-size=800,600")
    image = pytest.importorskip("PIL.Image").open(tmp_path / "page.png").convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert (217, 72, 15) in colours  # the frame of the node in focus
