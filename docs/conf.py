"""Sphinx's configuration: sphinx-build -W --keep-going docs build/site

What is particular to these pages happens in tools: sources are quoted, the reference and the names of torch are generated before Sphinx reads,
and notebooks of the tours are written beside the pages. Needs what `pip install 'minigrad[docs]'` installs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from tools import notebooks, pages, reference, torch_names  # noqa: E402

import minigrad  # noqa: E402

project = "minigrad"
version = release = minigrad.__version__
copyright = "the authors of minigrad, MIT licence"

extensions = ["myst_parser"]
exclude_patterns = ["tools", "README.md"]
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline"]
add_module_names = False
python_maximum_signature_line_length = 100
toc_object_entries = False
highlight_language = "none"
templates_path = []

html_theme = "furo"
html_title = f"minigrad {version}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

TOURS = ("tour/", "convolution", "pooling")  # pages that have notebooks


def is_tour(name: str) -> bool:
    return name.startswith(TOURS) and name != "tour/index"


def generate(app: Any) -> None:
    """Writes the pages that are made from docstrings and from names."""
    reference.write(HERE / "reference")
    torch_names.write(HERE / "reference" / "torch_names.md")
    for name in ("CONTRIBUTING", "CHANGELOG"):
        text = (HERE.parent / f"{name}.md").read_text(encoding="utf-8")
        reference.update(HERE / "reference" / f"{name.lower()}.md", pages.moved(text))


def prepare(app: Any, name: str, source: list[str]) -> None:
    """What Sphinx reads: the page with its quotations, a link to its notebook, and its explorations in frames."""
    text = pages.expanded(source[0]).replace("](../CONTRIBUTING.md)", "](reference/contributing.md)")
    if is_tour(name):
        heading, _, rest = text.partition("\n\n")
        up = "../" * name.count("/")
        link = f'<p class="notebook"><a href="{up}notebooks/{name.split("/")[-1]}.ipynb" download>This page as a notebook</a></p>'
        text = f"{heading}\n\n{link}\n\n{rest}"
    for cell in reversed(pages.cells(text)):
        for page in pages.explored(cell.code):
            up = "../" * name.count("/")
            frame = f'\n\n<iframe class="exploration" title="backward, step by step" src="{up}explored/{page}"></iframe>\n\n<p><a href="{up}explored/{page}">in a window of its own</a></p>'
            text = text[: cell.end] + frame + text[cell.end :]
    source[0] = text


def finish(app: Any, error: Exception | None) -> None:
    """Writes what lies beside the pages: notebooks, and what their code makes for a browser."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for name in sorted(app.env.found_docs):
        path = HERE / f"{name}.md"
        if is_tour(name):
            notebooks.write(path, out / "notebooks" / f"{path.stem}.ipynb")
        if any(pages.explored(cell.code) for cell in pages.cells(path.read_text(encoding="utf-8"))):
            (out / "explored").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                for near in ("examples", "docs"):
                    os.symlink(HERE.parent / near, near)
                pages.run(path)
                for made in Path().glob("*.html"):
                    (out / "explored" / made.name).write_bytes(made.read_bytes())


def setup(app: Any) -> None:
    app.connect("builder-inited", generate)
    app.connect("source-read", prepare)
    app.connect("build-finished", finish)
