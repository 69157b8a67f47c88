"""Runs examples as they stand, keeps their pictures and what they say, and writes docs/gallery.md and the table in the README.

    python docs/make_gallery.py               # every example of the gallery
    python docs/make_gallery.py lapgan_emoji  # these, the others stay as they were
    python docs/make_gallery.py --no-run      # none; only writes both anew

Needs minigrad[examples]. The time is the processor's, of all threads together, which a busy machine disturbs least.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS.parent / "examples"
PICTURES = DOCS / "pictures" / "gallery"
RESULTS = PICTURES / "results.json"
README = DOCS.parent / "README.md"
TABLE = re.compile(r"<!-- examples -->\n.*?(?=\n## )", re.DOTALL)
WIDTH, LARGEST = 1100, 60_000  # pixels, and bytes of a picture
LINES = 13  # of what an example says, the last ones

# By the name of what is shown: the example and its options.
SHOWN: dict[str, dict[str, list[str]]] = {
    "Seeing": {
        "textbook": [], "mnist": [], "overfitting": [], "architectures": [], "classify_emoji": [], "transfer": [],
    },
    "Finding": {"segment_nuclei": [], "segment_emoji": []},
    "Drawing": {
        "gan_mnist": [], "gan_mnist --conditional": ["--conditional"], "gan_failures": [], "gan_augmentation": [], "lapgan_emoji": [],
        "stackgan_emoji": [],
    },
    "One picture from another": {"super_resolution": [], "colourise": [], "inpaint": []},
}  # fmt: skip


def file_of(name: str) -> str:
    return name.replace(" --", "_") + ".webp"


def title_of(name: str) -> str:
    """The first line of the example's docstring."""
    return (EXAMPLES / f"{name.split()[0]}.py").read_text(encoding="utf-8").split('"""')[1].splitlines()[0]


def run(name: str, options: list[str]) -> dict[str, Any]:
    """Runs one example and keeps its picture; returns the seconds of the processor and the lines that it printed."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, str(EXAMPLES / f"{name.split()[0]}.py"), *options, "--quiet", "--out", folder]
        done = subprocess.run(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        (picture,) = Path(folder).glob("*.png")
        shrink(picture, PICTURES / file_of(name))
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = [line for line in done.stdout.splitlines() if folder not in line]
    return {"seconds": round(seconds), "said": said[-LINES:]}


def shrink(source: Path, target: Path) -> None:
    """A picture of the gallery's width, coded less well until its file is small."""
    with Image.open(source) as picture:
        whole = picture.convert("RGB")
    for width in range(min(WIDTH, whole.width), 300, -100):
        small = whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)
        for quality in (90, 80, 70, 60):
            small.save(target, quality=quality, method=6)
            if target.stat().st_size < LARGEST:
                return


def page(results: dict[str, Any]) -> str:
    lines = [
        "# Gallery",
        "",
        "What the scripts in `examples` draw and say with their defaults, on the data that is beside them. `python docs/make_gallery.py` runs them",
        "all and writes this page; the times are of the processor, all threads together.",
    ]
    for part, names in SHOWN.items():
        lines += ["", f"## {part}"]
        for name in names:
            if name not in results:
                continue
            script, *options = name.split()
            command = " ".join(["python", f"examples/{script}.py", *options])
            lines += ["", f"### `{name}`", "", title_of(name), "", f"![{name}](pictures/gallery/{file_of(name)})", ""]
            lines += [f"`{command}`, {results[name]['seconds']} s:", "", "```text", *results[name]["said"], "```"]
    return "\n".join(lines) + "\n"


def table(results: dict[str, Any]) -> str:
    """The examples for the README, with their defaults."""
    lines = ["<!-- examples -->", "", "| | | time |", "|---|---|---|"]
    for names in SHOWN.values():
        for name in [name for name in names if name in results and " " not in name]:
            picture = f'<img src="docs/pictures/gallery/{file_of(name)}" alt="what {name}.py draws" width="240">'
            lines.append(f"| {picture} | [{name}.py](examples/{name}.py)<br>{title_of(name)} | {results[name]['seconds']} s |")
    words = "Times are the processor's, of all threads together, with the options that are the default; `--help` names others. [What they print](docs/gallery.md)"
    return "\n".join([*lines, "", words, ""])


def main() -> None:
    every = {name: options for names in SHOWN.values() for name, options in names.items()}
    if unknown := {*sys.argv[1:]} - {*every, "--no-run"}:
        sys.exit(f"make_gallery.py: there is no {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    PICTURES.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in [name for name in sys.argv[1:] or every if name != "--no-run"]:
        results[name] = run(name, every[name])
        print(f"{name}: {results[name]['seconds']} s; {results[name]['said'][-1]}", flush=True)
        RESULTS.write_text(json.dumps({name: results[name] for name in every if name in results}, indent=1) + "\n", encoding="utf-8")
    (DOCS / "gallery.md").write_text(page(results), encoding="utf-8")
    README.write_text(TABLE.sub(lambda _: table(results), README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
