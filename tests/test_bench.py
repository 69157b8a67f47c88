"""The comparison with PyTorch: its cases run on minigrad, its two processes answer, and its numbers are what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).parents[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), **environment}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)


def test_every_quick_case_runs_on_minigrad() -> None:
    done = run(
        "-W", "error", "-P", "-c",
        "import sys; sys.path.append('.'); import minigrad; from bench.cases import CASES\n"
        "for case in CASES:\n"
        "    if case.quick:\n"
        "        case.build(minigrad, lambda x: x)(); print(case.name)",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10


def test_a_pass_of_a_layer_gives_only_the_gradient_it_is_named_for() -> None:
    done = run(
        "-P", "-c",
        "import sys; sys.path.append('.'); import minigrad; from bench.cases import one_pass\n"
        "made = []\n"
        "def layer(nn): made.append(nn.Conv2d(2, 3, 3)); return made[-1]\n"
        "inputs = []\n"
        "def keep(x): inputs.append(x); return x\n"
        "for which in ('forward', 'input', 'weight'):\n"
        "    one_pass(layer, (1, 2, 5, 5), which, minigrad, keep)()\n"
        "print([module.weight.grad is not None for module in made])\n"
        "print([x.grad is not None for x in inputs if isinstance(x, minigrad.Tensor) and tuple(x.shape) == (1, 2, 5, 5)])",
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[False, False, True]", "[False, True, False]"], done.stderr


def test_the_list_names_the_cases_that_are_wanted() -> None:
    done = run("-m", "bench", "--list", "--only", "LeNet, batch", "--only", "dispatch")
    assert done.stdout.splitlines() == ["training step: lenet, batch 64", "dispatch: chain of 200 operations on 4 floats"]


def test_bad_requests_get_one_line(tmp_path: Path) -> None:
    done = run("-m", "bench", "--only", "no such case")
    assert (done.returncode, done.stderr) == (2, "bench: no case has such a name; --list names them\n")
    if find_spec("torch") is None:
        done = run("-m", "bench", "--quick")
        assert (done.returncode, done.stderr) == (2, "bench: PyTorch is not installed: pip install 'minigrad[parity]'\n")


def test_it_compares(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = run("-m", "bench", "--quick", "--rounds", "2", "--only", "chain", "--threads", "1", "--json", str(tmp_path / "r.json"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^chain of 200 operations on 4 floats .* (ms|us)  +\d+\.\d\d  +\d+\.\d\d-\d+\.\d\d( +\d+ +\d+)?$", done.stdout, re.MULTILINE)
    written = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    (case,) = written["cases"]
    assert written["minigrad"]["version"] == minigrad.__version__ and written["torch"]["threads"] == 1
    ratios = sorted(theirs / ours for ours, theirs in zip(case["minigrad_seconds"], case["torch_seconds"]["contiguous"], strict=True))
    assert case["ratio"] == pytest.approx(sum(ratios) / 2)
    assert written["failures"] == {} and written["rates"]["operations"] > 0


def test_it_compares_layers() -> None:
    """Each pass of a layer with its share of what the machine can do: 2 * 64 * 6 * 28 * 28 * 25 operations a pass."""
    pytest.importorskip("torch")
    done = run("-m", "bench", "--quick", "--rounds", "1", "--layers", "--only", "5x5 1-6", "--threads", "1")
    assert done.returncode == 0, done.stderr
    for which in ("forward", "input", "weight"):
        assert re.search(rf"^conv 5x5 1-6 @28, batch 64 {which} .* \d+\.\d +\d+%.* (contiguous|channels_last)$", done.stdout, re.MULTILINE)
    assert "training" not in done.stdout


def test_operations_are_counted() -> None:
    pytest.importorskip("torch")
    done = run(
        "-P", "-c",
        "import sys; sys.path.append('.'); import torch; from bench import cases, worker\n"
        "case = next(case for case in cases.CASES if case.name == 'conv 5x5 1-6 @28, batch 64 forward')\n"
        "print(worker.operations('torch', case.build(torch, lambda x: x)))",
    )  # fmt: skip
    assert done.stdout.split() == [str(2 * 64 * 6 * 28 * 28 * 25)], done.stderr


def test_minigrad_without_compiled_kernels_is_not_compared() -> None:
    pytest.importorskip("torch")
    done = run("-m", "bench", "--quick", "--only", "chain", MINIGRAD_KERNELS="reference")
    assert done.returncode == 2
    assert re.fullmatch(r"bench: minigrad: the minigrad at .* has no compiled kernels; pip install \. builds them\n", done.stderr)


def test_it_measures_scaling(tmp_path: Path) -> None:
    done = run("-m", "bench", "--scaling", "--rounds", "1", "--json", str(tmp_path / "s.json"))
    assert done.returncode == 0, done.stderr
    points = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert [point["amount"] for point in points if point["what"].startswith("side")] == [8, 16, 32, 64, 128]
    assert all(len(point["seconds"]) == 2 and min(point["seconds"]) > 0 for point in points)
    rows = re.findall(r"^ +(\d+) +\d+\.\d+ ms +\d+\.\d+ ms +\d+\.\d\d(?: +-?\d+\.\d\d)?$", done.stdout, re.MULTILINE)
    assert [int(amount) for amount in rows] == [point["amount"] for point in points]


def test_launches_are_counted_without_a_gpu() -> None:
    done = run("-P", "-c", "import sys; sys.path.append('.'); sys.argv[1:] = ['lenet']; from bench.launches import main; sys.exit(main())")
    heading, line = done.stdout.splitlines()[:2]
    assert "simulated, not run on a GPU" in heading, done.stderr
    name, launches, waits, copies = re.fullmatch(r"(.+?) +(\d+) +(\d+) +(\d+)", line).groups()  # type: ignore[union-attr]
    assert name.startswith("lenet") and 30 < int(launches) < 80 and (waits, copies) == ("0", "0")


def test_the_page_of_expected_times_is_up_to_date() -> None:
    done = run("-P", "-c", "import sys; sys.path.append('.'); from bench.roofline import page; print(page(), end='')")
    assert done.stdout == (ROOT / "docs" / "roofline.md").read_text(), f"write it again: python -m bench.roofline\n{done.stderr}"
    assert all(text in done.stdout for text in ("Expectations, not measurements", "simulated, not run on a GPU", "lenet, batch 64", "A100", "H100"))


def test_a_gpu_that_is_not_there_is_named() -> None:
    if find_spec("torch") is None or minigrad.cuda.is_available():
        pytest.skip("needs PyTorch, and no GPU")
    done = run("-m", "bench", "--device", "cuda", "--only", "lenet", MINIGRAD_DEVICE="cpu")
    assert done.returncode == 2 and "set_default_device" in done.stderr and "MINIGRAD_DEVICE" in done.stderr
