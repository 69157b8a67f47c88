"""What all examples share: options, errors of one line, pictures, and reading the data beside them."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np

DATA = Path(__file__).resolve().parent / "data"
PROGRAM = Path(sys.argv[0]).name


def fail(message: str, status: int = 2) -> NoReturn:
    """Ends the program with one line that says why."""
    print(f"{PROGRAM}: error: {message}", file=sys.stderr)
    sys.exit(status)


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be a whole number, but is {text!r}") from None


def at_least_one(text: str) -> int:
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"should be at least 1, but is {number}")
    return number


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be a number, but is {text!r}") from None


def positive(text: str) -> float:
    value = number(text)
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"should be a positive number, but is {text}")
    return value


def at_least_zero(text: str) -> float:
    value = number(text)
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"should be a number of at least 0, but is {text}")
    return value


def probability(text: str) -> float:
    value = number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"should be at least 0 and below 1, but is {text}")
    return value


class Parser(argparse.ArgumentParser):
    """A parser with the options that every example has; its errors are one line, without the usage."""

    def __init__(self, description: str, seeded: bool = True) -> None:
        super().__init__(
            prog=PROGRAM,
            description=description,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            allow_abbrev=False,
        )
        self.full: dict[str, int] = {}
        self.scheduled = False
        if seeded:
            self.add_argument("--seed", type=whole, default=0, metavar="N", help="the same seed gives the same weights to the bit")
        self.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER", help="where everything that is written goes")
        self.add_argument("--threads", type=at_least_one, metavar="N", help="threads of the compiled kernels")
        self.add_argument("--no-plot", dest="plot", action="store_false", help="write no picture")
        self.add_argument("--quiet", action="store_true", help="show no progress bars")

    def training(
        self, *, epochs: int, lr: float | None = None, batch_size: int | None = None, width: int | None = None,
        passes: str = "passes over the data", full: dict[str, int] | None = None, resume: bool = True, scheduled: bool = False,
    ) -> None:  # fmt: skip
        """Adds the options of a training, with these defaults. full: what --full makes of them, the settings of the papers.

        scheduled: learning rates depend on the number of epochs, so that a training cannot go on with more of them.
        """
        self.scheduled = scheduled
        self.add_argument("--epochs", type=at_least_one, default=epochs, metavar="N", help=passes)
        if lr is not None:
            self.add_argument("--lr", type=positive, default=lr, metavar="RATE", help="the largest learning rate")
        if batch_size is not None:
            self.add_argument("--batch-size", type=at_least_one, default=batch_size, metavar="N", help="samples a step")
        if width is not None:
            self.add_argument("--width", type=at_least_one, default=width, metavar="N", help="channels of the first level")
        if full is not None:
            settings = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in full.items())
            self.add_argument("--full", action="store_true", help=f"as large as in the papers: {settings} where not said otherwise")
            self.full = full
        if resume:
            self.add_argument("--resume", action="store_true", help="keep checkpoints in the folder, and go on from them")

    def data(self, name: str, what: str) -> None:
        """Adds the option for another data file."""
        self.add_argument("--data", type=Path, default=DATA / name, metavar="FILE", help=f"{what}, an .npz")

    def error(self, message: str) -> NoReturn:
        fail(f"{message} (--help names the options)")

    def options(self, framework: ModuleType) -> argparse.Namespace:
        """The options, with what they ask for at once done: packages looked for, the folder made, the framework's threads and seed set."""
        options = self.parse_args()
        if self.full and options.full:
            self.set_defaults(**self.full)  # what was said beside --full counts
            options = self.parse_args()
        missing = [name for name in ("tqdm", *(["matplotlib"] if options.plot else [])) if find_spec(name) is None]
        if missing:
            fail(f"this example needs {' and '.join(missing)}: pip install 'minigrad[examples]'")
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail(f"argument --out: cannot make the folder {options.out}: {error.strerror}")
        if getattr(options, "resume", False):
            keep_settings(options, FREE - {"epochs"} if self.scheduled else FREE)
        if options.threads is not None:
            framework.set_num_threads(options.threads)
        if "seed" in options:
            framework.manual_seed(options.seed)
        return options


class Batches:
    """So many batches an epoch, each made anew."""

    def __init__(self, make: Callable[[], Any], count: int) -> None:
        self.make, self.count = make, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.count):
            yield self.make()


def read_arrays(path: Path, *names: str) -> dict[str, np.ndarray[Any, Any]]:
    """The named arrays of an .npz file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except FileNotFoundError:
        fail(f"there is no data file {path}")
    except KeyError as error:
        fail(f"{path} is not a file for this example: it has no array {error.args[0].split()[0]}")
    except (OSError, ValueError, EOFError, TypeError, AttributeError, BadZipFile, ZlibError) as error:
        fail(f"cannot read {path}: {error}")


def check_pictures(path: Path, name: str, pictures: np.ndarray[Any, Any], *shape: int) -> None:
    """Ends the program if these are not some pictures of bytes of that shape."""
    if pictures.dtype != np.uint8 or pictures.shape[1:] != shape or not len(pictures):
        fail(f"{path}: {name} should be uint8 of shape (N, {', '.join(map(str, shape))}), but is {pictures.dtype} of {pictures.shape}")


# What a run may change that goes on from checkpoints: the rest made them what they are.
FREE = {"drawn", "epochs", "full", "out", "phrases", "plot", "quiet", "repeats", "resume", "rounds", "threads"}


def keep_settings(options: argparse.Namespace, free: set[str]) -> None:
    """Writes the settings beside the checkpoints; ends the program if those in the folder were made with others."""
    path = options.out / f"{Path(PROGRAM).stem}.settings.json"
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items() if name not in free}
    if path.exists():
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            fail(f"cannot read {path}: {error}")
        for name, value in settings.items():
            if before.get(name) != value:
                name_and_value = f"{name.replace('_', ' ')} {before.get(name)}"
                fail(f"argument --resume: the checkpoints in {options.out} were made with {name_and_value}, not {value}; choose another --out")
    path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def checkpoint(options: argparse.Namespace, name: str) -> Path | None:
    """The file that a training goes on from, if --resume asks for that."""
    return options.out / f"{name}.checkpoint" if options.resume else None


def pyplot() -> Any:
    """matplotlib.pyplot that draws into files only."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save_figure(figure: Any, path: Path, dpi: int = 110) -> None:
    figure.savefig(path, dpi=dpi)
    pyplot().close(figure)
    print(f"picture in {path}")
