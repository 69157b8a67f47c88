"""The pages of docs/: their code runs and prints what they show, their links lead somewhere, their pictures are those of the scripts."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import minigrad
from minigrad.core.primitive import COMPOSITES, REGISTRY
from minigrad.core.tensor import TABLE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if path.parts[-2] != "reference")
# These have tests of their own, beside what they tell of: tests/testing, tests/inspect, tests/data, tests/onnx and tests/distributed.
ELSEWHERE = {"testing.md", "inspect.md", "data.md", "augmentation.md", "onnx.md", "distributed.md"}
TOUR = [path for path in PAGES if path.startswith("tour/") and path != "tour/index.md"]
PARTS_OF_PROGRAMS = {"convolution.md", "pooling.md", *TOUR}


@pytest.fixture(scope="module")
def pages() -> Iterator[ModuleType]:
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("tools.pages")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a page runs: the examples are there, and the operations that it defines leave no trace."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    known = [(d, dict(d)) for d in (REGISTRY, COMPOSITES, TABLE)]
    methods = set(vars(minigrad.Tensor))
    yield tmp_path
    for now, before in known:
        now.clear()
        now.update(before)
    for name in set(vars(minigrad.Tensor)) - methods:
        delattr(minigrad.Tensor, name)


@pytest.mark.parametrize("name", [page for page in PAGES if page not in ELSEWHERE])
def test_the_code_runs_and_prints_what_the_page_shows(name: str, pages: ModuleType, folder: Path) -> None:
    pages.run(DOCS / name)


def test_a_page_that_shows_something_else_is_refused(pages: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    page.write_text("# Wrong\n\n```python\nprint(1 + 1)\n```\n```text\n3\n```\n")
    with pytest.raises(pages.PageError, match=r"(?s)wrong.md, line 4: the page shows\n3\n.*prints\n2"):
        pages.run(page)


def test_the_first_engine_has_sixty_lines(pages: ModuleType) -> None:
    engine = pages.cells((DOCS / "tour" / "scalars.md").read_text(encoding="utf-8"))[0].code
    assert len([line for line in engine.splitlines() if line.strip()]) <= 60


@pytest.mark.parametrize("name", PAGES)
def test_what_is_quoted_is_there(name: str, pages: ModuleType) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    expanded = pages.expanded(text)
    assert expanded.count("```") == text.count("```") + 2 * len(pages.QUOTED.findall(text))


def test_a_quotation_has_the_operation_with_its_rules_and_nothing_else(pages: ModuleType) -> None:
    language, code = pages.quoted("minigrad/ops/conv.py", "conv")
    assert (
        language == "python"
        and code.startswith("@primitive(")
        and code.count("@conv.vjp(") == 3
        and "conv_input.vjp" not in code
    )
    language, code = pages.quoted("minigrad/_ext/csrc/gemm.c", "multiply")
    assert language == "c" and code.startswith("/* Inlined") and code.endswith("}\n") and code.count("\n}\n") == 1
    with pytest.raises(KeyError, match="there is no nothing"):
        pages.quoted("minigrad/ops/conv.py", "nothing")


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(
        r"\]\(([^)#:]+)\)", re.sub(r"```.*?```", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    ):
        assert "reference/" in target or (DOCS / name).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("name", ["README", "CONTRIBUTING", "CHANGELOG"])
def test_links_of_the_pages_in_the_root_lead_somewhere_and_go_with_them(name: str, pages: ModuleType) -> None:
    """CONTRIBUTING and CHANGELOG stand in the reference too."""
    text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)[^):]*\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    assert all((ROOT / target).exists() for target in targets), targets
    for before, after in zip(
        targets,
        re.findall(r"\]\(([^)#:]+)[^):]*\)", re.sub(r"```.*?```", "", pages.moved(text), flags=re.DOTALL)),
        strict=True,
    ):
        if before in ("CONTRIBUTING.md", "CHANGELOG.md"):
            assert after == before.lower()
        else:
            assert (DOCS / "reference" / after).resolve() == (ROOT / before).resolve()
    assert pages.moved("[a](docs/x.md#b) [c](https://d.e/f) [g](#h)") == "[a](../x.md#b) [c](https://d.e/f) [g](#h)"


def test_every_picture_is_shown_and_none_is_missing() -> None:
    texts = [*(DOCS / page for page in PAGES), ROOT / "README.md"]
    shown = {
        Path(p).name
        for text in texts
        for p in re.findall(r"\]\(([^)]*pictures/[^)]*)\)", text.read_text(encoding="utf-8"))
    }
    assert shown == {path.name for path in (DOCS / "pictures").rglob("*") if path.suffix in (".png", ".svg", ".webp")}


def test_the_drawings_are_those_of_the_script(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    subprocess.run(
        [sys.executable, "-W", "error", str(DOCS / "make_drawings.py"), str(tmp_path)],
        check=True,
        env=environment,
        timeout=300,
    )
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (DOCS / "pictures").glob("*.svg"))
    for name in drawn:
        if name not in (
            "differences.svg",
            "readme.svg",
        ):  # the last digits of exp, and of a training, are the machine's own
            assert (tmp_path / name).read_bytes() == (DOCS / "pictures" / name).read_bytes(), name


@pytest.mark.parametrize("name", sorted(PARTS_OF_PROGRAMS))
def test_notebooks_hold_the_same_program(name: str, pages: ModuleType) -> None:
    notebooks = importlib.import_module("tools.notebooks")
    made = notebooks.notebook(DOCS / name)
    program = [cell.code.strip() for cell in pages.cells((DOCS / name).read_text(encoding="utf-8"))]
    assert ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"] == program
    words = "".join("".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "markdown")
    attached = {name for cell in made["cells"] for name in cell.get("attachments", {})}
    assert set(re.findall(r"attachment:([\w.]+)", words)) == attached
    assert made["nbformat"] == 4 and len({cell["id"] for cell in made["cells"]}) == len(made["cells"])


def test_the_reference_has_every_public_name(pages: ModuleType, tmp_path: Path) -> None:
    reference = importlib.import_module("tools.reference")
    reference.write(tmp_path)
    text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    for name in (
        "minigrad.matmul",
        "minigrad.nn.functional.conv2d",
        "minigrad.nn.Conv2d",
        "minigrad.optim.Adam",
        "minigrad.autograd.grad",
        "minigrad.inspect.why",
    ):
        assert f"{name}(" in text, name
    for module in reference.MODULES:
        for short, value in reference.members(module).items():
            assert not getattr(value, "__doc__", None) or short in text, f"{module}.{short}"


def test_docstrings_become_markdown(pages: ModuleType) -> None:
    """Sections are lists, whose entries may go over several lines; examples are fenced; stars mean themselves."""
    text = """Adds (*, N) to `a*b`.

    Args:
        x: the first, or
            another: of several lines.
        **named: the rest.

    >>> 1 + 1
    2
    """
    reference = importlib.import_module("tools.reference")
    assert reference.markdown(text).split("\n") == [
        *("Adds (\\*, N) to `a*b`.", "", "", "**Args:**", "", "- `x`: the first, or", "  another: of several lines.", "- `**named`: the rest.", ""),
        *("", "```pycon", ">>> 1 + 1", "2", "```"),
    ]  # fmt: skip


def test_the_names_of_torch_are_compared_truthfully(pages: ModuleType) -> None:
    names = importlib.import_module("tools.torch_names")
    found = names.compared()
    both, absent, extra = found[""]
    assert (
        {"relu", "matmul", "no_grad"} <= set(both)
        and {"compile", "svd"} <= set(absent)
        and "set_conv_precision" in extra
    )
    for space, (both, absent, extra) in found.items():
        ours = names.space("minigrad", space)
        assert all(hasattr(ours, name) for name in (*both, *extra)) and not any(hasattr(ours, name) for name in absent)
    torch = pytest.importorskip("torch")
    assert torch.__version__.startswith(json.loads(names.DATA.read_text(encoding="utf-8"))["torch"])
    for space, (both, absent, extra) in found.items():
        theirs = names.space("torch", space)
        assert all(hasattr(theirs, name) for name in (*both, *absent)) and not any(
            hasattr(theirs, name) for name in extra
        ), space


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    for name in PAGES:
        assert (tmp_path / name).with_suffix(".html").is_file()
    assert {path.stem for path in (tmp_path / "notebooks").iterdir()} == {Path(name).stem for name in PARTS_OF_PROGRAMS}
    assert (
        "explored/order.html" in (tmp_path / "tour" / "order.html").read_text(encoding="utf-8")
        and (tmp_path / "explored" / "order.html").is_file()
    )
