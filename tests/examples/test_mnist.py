"""examples/mnist.py as its users run it: what it prints and writes, the same bits for the same seed, and errors of one line."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "mnist.py"
DATA = EXAMPLES / "data" / "mnist5k.npz"
SHORT = ("--epochs", "1", "--train-size", "500", "--batch-size", "50", "--quiet", "--no-plot")

if missing := [name for name in ("tqdm", "matplotlib") if find_spec(name) is None]:
    pytest.skip(f"{' and '.join(missing)} not installed", allow_module_level=True)


def run(*arguments: Any, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)


def error_of(*arguments: Any) -> str:
    """The one line with which the script refuses."""
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"mnist\.py: error: .+\n", done.stderr), done.stderr
    return done.stderr


def test_it_trains_saves_and_draws(tmp_path: Path) -> None:
    done = run("--epochs", 3, "--train-size", 1000, "--batch-size", 25, "--out", tmp_path / "new" / "folder")
    assert done.returncode == 0, done.stderr
    accuracy = re.fullmatch(r"test accuracy (\d\.\d{3})", done.stdout.splitlines()[-1])
    assert accuracy and float(accuracy[1]) > 0.85
    assert "epoch  3/3: 100%" in done.stderr and "loss=" in done.stderr and "accuracy=" in done.stderr

    weights = minigrad.load(tmp_path / "new" / "folder" / "lenet5.weights")
    assert weights["conv1.weight"].shape == (6, 1, 5, 5) and weights["fc3.bias"].shape == (10,)
    from matplotlib.image import imread

    height, width, _ = imread(tmp_path / "new" / "folder" / "lenet5.png").shape
    assert height > 800 and width > 1200


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        done = run(*SHORT, "--seed", seed, "--out", tmp_path / folder)
        assert done.returncode == 0, done.stderr
    first, again, other = ((tmp_path / folder / "lenet5.weights").read_bytes() for folder in "abc")
    assert first == again
    assert first != other


def test_the_accuracy_is_that_of_the_saved_weights(tmp_path: Path) -> None:
    """Computed anew from the file, in plain NumPy."""
    done = run(*SHORT, "--out", tmp_path)
    weights = {name: value.numpy().astype(np.float64) for name, value in minigrad.load(tmp_path / "lenet5.weights").items()}
    with np.load(DATA) as file:
        images, labels = file["test_images"][:, None] / 255, file["test_labels"]

    def normalised(x: Any, name: str) -> Any:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, var, scale, shift = (weights[f"{name}.{part}"].reshape(shape) for part in ("running_mean", "running_var", "weight", "bias"))
        return np.maximum((x - mean) / np.sqrt(var + 1e-5) * scale + shift, 0)

    def convolved(x: Any, name: str) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(2, 3))
        return np.einsum("nchwij,kcij->nkhw", windows, weights[f"{name}.weight"], optimize=True) + weights[f"{name}.bias"][:, None, None]

    def pooled(x: Any) -> Any:
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))

    def linear(x: Any, name: str) -> Any:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    x = pooled(normalised(convolved(np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2))), "conv1"), "norm1"))
    x = pooled(normalised(convolved(x, "conv2"), "norm2")).reshape(len(x), -1)
    x = linear(normalised(linear(normalised(linear(x, "fc1"), "norm3"), "fc2"), "norm4"), "fc3")
    accuracy = float((x.argmax(1) == labels).mean())
    assert abs(float(done.stdout.split()[-1]) - accuracy) <= 0.002  # a digit on the edge may fall to either side


def test_the_help_names_every_option() -> None:
    done = run("--help")
    assert done.returncode == 0
    declared = set(re.findall(r'add_argument\("(--[a-z-]+)"', SCRIPT.read_text(encoding="utf-8")))
    shared = {"--epochs", "--batch-size", "--lr", "--seed", "--data", "--out", "--threads", "--no-plot", "--quiet"}
    assert "--model" in declared and declared | shared <= set(re.findall(r"--[a-z-]+", done.stdout))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--epochs", 0), "argument --epochs: should be at least 1, but is 0"),
        (("--epochs", "many"), "argument --epochs: should be a whole number, but is 'many'"),
        (("--lr", "fast"), "argument --lr: should be a number, but is 'fast'"),
        (("--lr", "nan"), "argument --lr: should be a positive number, but is nan"),
        (("--batch-size", -5), "argument --batch-size: should be at least 1, but is -5"),
        (("--threads", 0), "argument --threads: should be at least 1, but is 0"),
        (("--seed", "1.5"), "argument --seed: should be a whole number, but is '1.5'"),
        (("--bogus",), "unrecognized arguments: --bogus"),
        (("--train-size", 5000), "argument --train-size: there are 4000 digits to train on, not 5000"),
        (("--data", "no/such.npz"), "there is no data file no/such.npz"),
        (("--data", EXAMPLES), "cannot read"),
        (("--out", SCRIPT / "folder"), "argument --out: cannot make the folder"),
    ],
)
def test_bad_options_get_one_line(arguments: tuple[Any, ...], expected: str) -> None:
    assert expected in error_of(*arguments)


def test_a_learning_rate_that_diverges_gets_one_line(tmp_path: Path) -> None:
    done = run(*SHORT, "--lr", 1e30, "--out", tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert re.fullmatch(r"mnist\.py: error: the loss became nan in epoch 1; try a smaller --lr than 1e\+30", done.stderr.splitlines()[-1])


def damaged(kind: str, path: Path) -> None:
    """Writes a data file with one thing wrong."""
    with np.load(DATA) as file:
        arrays = dict(file)
    if kind == "cut short":
        path.write_bytes(DATA.read_bytes()[:200_000])
    elif kind == "bytes changed":
        content = bytearray(DATA.read_bytes())
        content[1000:5000] = bytes(4000)
        path.write_bytes(content)
    elif kind == "text":
        path.write_text("no digits")
    elif kind == "one array":
        np.save(path.with_suffix(".npy"), arrays["train_images"])
        path.with_suffix(".npy").rename(path)
    else:
        if kind == "name":
            del arrays["test_labels"]
        elif kind == "shape":
            arrays["train_images"] = arrays["train_images"][:, :20]
        elif kind == "count":
            arrays["train_labels"] = arrays["train_labels"][1:]
        elif kind == "label":
            arrays["test_labels"][3] = 10
        np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cut short", "cannot read"),
        ("bytes changed", "cannot read"),
        ("text", "cannot read"),
        ("one array", "cannot read"),
        ("name", "is not a file for this example: it has no array test_labels"),
        ("shape", "train_images should be uint8 of shape (N, 28, 28), but is uint8 of (4000, 20, 28)"),
        ("count", "train_labels should be 4000 integers, but is uint8 of (3999,)"),
        ("label", "test_labels should be from 0 to 9, but are from 0 to 10"),
    ],
)
def test_bad_data_gets_one_line(kind: str, expected: str, tmp_path: Path) -> None:
    damaged(kind, tmp_path / "digits.npz")
    assert expected in error_of("--data", tmp_path / "digits.npz")


def beside_common(folder: Path) -> Path:
    """Where a changed copy of the script finds what it imports."""
    (folder / "common.py").write_bytes((EXAMPLES / "common.py").read_bytes())
    return folder / "mnist.py"


@pytest.mark.parametrize(
    ("package", "options", "expected"),
    [
        ("tqdm", (), "this example needs tqdm: pip install 'minigrad[examples]'"),
        ("matplotlib", (), "this example needs matplotlib: pip install 'minigrad[examples]'"),
        ("mpi4py", ("--distributed",), "argument --distributed: init_process_group: backend 'mpi' needs mpi4py and an MPI; pip install 'minigrad[mpi]'"),
    ],
)
def test_a_missing_package_is_named(package: str, options: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    script = beside_common(tmp_path)
    hide = f"import sys; sys.modules[{package!r}] = None\n"
    script.write_text(SCRIPT.read_text(encoding="utf-8").replace("import argparse\n", f"{hide}import argparse\n", 1), encoding="utf-8")
    done = run("--data", DATA, *options, script=script)
    assert done.returncode == 2
    assert re.fullmatch(rf"mnist\.py: error: {re.escape(expected)}( \(.*\))?\n", done.stderr), done.stderr


def test_it_runs_on_torch_with_other_import_lines(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    source = SCRIPT.read_text(encoding="utf-8")
    lines = [
        re.sub(r"minigrad( as torch)?", "torch", line, count=1) if re.match(r"(import|from) minigrad", line) else line
        for line in source.splitlines(keepends=True)
    ]
    script = beside_common(tmp_path)
    script.write_text("".join(lines), encoding="utf-8")
    done = run("--epochs", 3, "--train-size", 1000, "--batch-size", 25, "--threads", 1, "--no-plot", "--data", DATA, "--out", tmp_path, script=script)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 0.85
