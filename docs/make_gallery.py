"""Runs every example as it stands, keeps a small form of its picture and the time it took in docs/pictures/examples, and tells the README.

    python docs/make_gallery.py [NAME...]
    python docs/make_gallery.py --no-run    # only lists the examples in the README again

Needs matplotlib, pillow and tqdm. The time is the processor's, of all threads together, which a busy machine disturbs least.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from tools import gallery

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
GALLERY = HERE / "pictures" / "examples"
WIDTH = 640  # of a picture, in pixels


def run(name: str) -> tuple[float, str]:
    """Runs one example; returns the seconds of the processor and the last line that it printed."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py"), "--quiet", "--out", folder],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        first = min(Path(folder).glob("*.png"), key=lambda path: (path.stem != name, path.stem))
        shrink(first, GALLERY / f"{name}.png")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.splitlines()[-1]


def shrink(source: Path, target: Path) -> None:
    """A picture of the gallery's width with a palette."""
    with Image.open(source) as picture:
        small = picture.convert("RGB").resize(
            (WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS
        )
    small.quantize(96, Image.Quantize.MAXCOVERAGE).save(target, optimize=True)


def main() -> None:
    GALLERY.mkdir(parents=True, exist_ok=True)
    names = [name for name in sys.argv[1:] if name != "--no-run"] if len(sys.argv) > 1 else gallery.scripts()
    times = json.loads(gallery.TIMES.read_text(encoding="utf-8")) if gallery.TIMES.exists() else {}
    for name in names:
        seconds, said = run(name)
        times[name] = {"seconds": round(seconds), "said": said}
        print(f"{name}: {seconds:.0f} s; {said}", flush=True)
        gallery.TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    text = gallery.README.read_text(encoding="utf-8")
    gallery.README.write_text(gallery.PART.sub(lambda _: gallery.for_readme(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
