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
from minigrad.kernels import cpu

ROOT = Path(__file__).parents[1]
needs_compiled = pytest.mark.skipif(cpu.compiled is None, reason="the compiled kernels are not built, or are switched off")


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
        "import sys; sys.path.append('.'); import minigrad; from bench.steps import one_pass\n"
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
    """Each pass of a layer with its shares of what the machine can do: 2 * 64 * 6 * 28 * 28 * 25 operations a pass, and the bytes of its arrays."""
    pytest.importorskip("torch")
    done = run("-m", "bench", "--quick", "--rounds", "1", "--layers", "--only", "5x5 1-6", "--threads", "1")
    assert done.returncode == 0, done.stderr
    for which in ("forward", "input", "weight"):
        assert re.search(rf"^conv 5x5 1-6 @28, batch 64 {which} .* \d+\.\d +\d+% +\d+%.* (contiguous|channels_last)$", done.stdout, re.MULTILINE)
    assert "training" not in done.stdout


def test_operations_are_counted() -> None:
    pytest.importorskip("torch")
    done = run(
        "-P", "-c",
        "import sys; sys.path.append('.'); import torch; from bench import cases, worker\n"
        "for name in ('conv 5x5 1-6 @28, batch 64', 'conv 3x3 s2 depthwise 576 @14, batch 4', 'conv_transpose 4x4 s2 128-64 @16, batch 32'):\n"
        "    for which in ('forward', 'input', 'weight'):\n"
        "        case = next(case for case in cases.CASES if case.name == f'{name} {which}')\n"
        "        print(worker.operations('torch', case.build(torch, lambda x: x).alike))",
    )  # fmt: skip
    expected = [2 * 64 * 6 * 28 * 28 * 25, 2 * 4 * 576 * 7 * 7 * 9, 2 * 32 * 128 * 64 * 16 * 16 * 16]
    assert [int(number) for number in done.stdout.split()] == [number for number in expected for _ in range(3)], done.stderr


def test_bytes_are_counted() -> None:
    """Each array that a step takes or gives, once."""
    wanted = {
        "conv 5x5 1-6 @28, batch 64 forward": 4 * (64 * 28 * 28 + 6 * 25 + 64 * 6 * 28 * 28),
        "conv 5x5 1-6 @28, batch 64 weight": 4 * (64 * 28 * 28 + 6 * 25 + 64 * 6 * 28 * 28),
        "relu 64 @32, batch 32 forward": 4 * 2 * 32 * 64 * 32 * 32,
        "relu 64 @32, batch 32 input": 4 * 3 * 32 * 64 * 32 * 32,
        "batch_norm 64 @32, batch 32 input": 4 * (3 * 32 * 64 * 32 * 32 + 2 * 64),
        "max_pool 2x2 64 @32, batch 32 input": 4 * (32 * 64 * 32 * 32 + 32 * 64 * 16 * 16),
        "cat 64+64 @64, batch 4 forward": 4 * 2 * 2 * 4 * 64 * 64 * 64,
        "embedding 10000x256, 8192 rows forward": 8 * 8192 + 4 * 2 * 8192 * 256,
        "SGD on lenet": 4 * 5 * 61706,
        "AdamW on lenet": 4 * 7 * 61706,
        "chain of 200 operations on 4 floats": 0,
    }
    done = run(
        "-P", "-c",
        "import sys; sys.path.append('.'); import json, minigrad; from bench.cases import CASES\n"
        f"wanted = {list(wanted)}\n"
        "print(json.dumps({case.name: case.build(minigrad, lambda x: x).moved for case in CASES if case.name in wanted}))",
    )  # fmt: skip
    assert json.loads(done.stdout) == wanted, done.stderr


def test_it_compares_with_what_only_infers(tmp_path: Path) -> None:
    """Optimized inference beside each engine that is installed; what is not is named."""
    for package in ("torch", "onnx", "onnxruntime"):
        pytest.importorskip(package)
    done = run(
        "-P", "-c",
        "import sys; sys.path.append('.'); from bench import engines\n"
        "engines.ENGINES = ('onnxruntime', 'no_such_engine')\n"
        f"sys.argv[1:] = ['--only', 'unet/16, 128x128, batch 1, optimized', '--rounds', '2', '--threads', '1', '--json', {str(tmp_path / 'r.json')!r}]\n"
        "from bench.__main__ import main; sys.exit(main())",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "not installed, so not compared: no_such_engine\n" in done.stdout
    assert re.search(r"^    beside onnxruntime +\d+\.\d\d ms +\d+\.\d\d ms +\d+\.\d\d   \d+\.\d\d-\d+\.\d\d$", done.stdout, re.MULTILINE)
    written = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    (case,) = written["cases"]
    seconds = case["engines"]["onnxruntime"]["seconds"]
    ratios = sorted(theirs / ours for ours, theirs in zip(case["minigrad_seconds"], seconds, strict=True))
    assert case["engines"]["onnxruntime"]["ratio"] == pytest.approx(sum(ratios) / 2)
    assert written["onnxruntime"]["threads"] == 1 and written["failures"] == {}


def test_engines_that_give_something_else_are_not_timed(tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    done = run(
        "-P", "-c",
        "import sys; sys.path.append('.'); import minigrad, numpy as np; from pathlib import Path; from bench import engines\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "engines.write(minigrad, minigrad.nn.Conv2d(3, 4, 3), minigrad.randn(1, 3, 8, 8), folder)\n"
        "engines.reader('onnxruntime', folder, 1)()\n"
        "arrays = dict(np.load(folder / engines.EXAMPLE)); arrays['output'][0, 0, 0, 0] += 0.01\n"
        "np.savez(folder / engines.EXAMPLE, **arrays)\n"
        "engines.reader('onnxruntime', folder, 1)",
    )  # fmt: skip
    assert done.returncode == 1 and re.search(r"ValueError: its result differs from minigrad's by up to 0\.01, of at most [0-9.]+\n$", done.stderr), done.stderr


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


@needs_compiled
def test_the_precisions_of_convolutions_converge_alike(tmp_path: Path) -> None:
    """A ResNet and a U-Net for a few steps on real pictures."""
    done = run("-m", "bench.convergence", "--epochs", "2", "--steps", "2", "--seeds", "3", "--json", str(tmp_path / "c.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith('"high" converges as "highest" does\n')
    written = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert written["agree"] and [network["score"] for network in written["networks"]] == ["accuracy", "Dice"]
    for network in written["networks"]:
        by_winograd, passes = network["winograd"]
        assert passes / 2 < by_winograd < passes
        high, highest, *others = network["runs"]
        assert [run["precision"] for run in network["runs"]] == ["high", "highest", "highest", "highest"]
        assert high["loss"][0] == pytest.approx(highest["loss"][0], rel=1e-4) and high["loss"] != highest["loss"]
        assert all(other["loss"][0] != pytest.approx(highest["loss"][0], rel=1e-4) for other in others)
        assert len(high["loss"]) == len(high["score"]) == 2 and high["loss"][-1] < high["loss"][0]
        assert all(verdict["by_precision"] <= verdict["by_seed"] for verdict in network["verdicts"]) and len(network["verdicts"]) == 4
    assert len(re.findall(r"^ +[12]( +\d\.\d{4} +\d\.\d{4} +\d\.\d{4}-\d\.\d{4}){2}$", done.stdout, re.MULTILINE)) == 4


@needs_compiled
@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (  # steps that are too long
            "from minigrad.optim import Adam; trained = convergence.trained\n"
            "convergence.trained = lambda task, precision, *rest: trained(task._replace(optimizer=lambda p: Adam(p, lr=0.1)) if precision == 'high' else task, precision, *rest)",
            1, '"high" DOES NOT CONVERGE AS "highest" does',
        ),
        (
            "import minigrad; minigrad.set_conv_precision('highest'); minigrad.set_conv_precision = lambda precision: None",
            2, '"high" rounds as "highest" does, so that nothing is compared',
        ),
    ],
)  # fmt: skip
def test_precisions_that_converge_differently_or_not_at_all_are_found(fault: str, status: int, message: str) -> None:
    done = run(
        "-P", "-c",
        f"import sys; sys.path.append('.'); from bench import convergence\n{fault}\n"
        "sys.argv[1:] = ['--epochs', '2', '--steps', '3', '--seeds', '3', '--only', 'unet']; sys.exit(convergence.main())",
    )  # fmt: skip
    assert done.returncode == status and message in done.stdout + done.stderr, done.stdout + done.stderr


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
