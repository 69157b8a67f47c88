"""The package as it is shipped: its version, its files, what its texts say, and its source tree where nothing is built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

import minigrad

ROOT = Path(__file__).parents[1]
PACKAGE = Path(minigrad.__file__).parent


@pytest.fixture
def distribution() -> metadata.Distribution:
    try:
        return metadata.distribution("minigrad")
    except metadata.PackageNotFoundError:
        pytest.skip("minigrad is not installed, only found on the path")


def run_python(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)


def test_the_version_is_that_of_the_distribution(distribution: metadata.Distribution) -> None:
    assert minigrad.__version__ == distribution.version


def test_the_changelog_begins_with_the_version() -> None:
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[0] == minigrad.__version__


def test_numpy_is_the_only_dependency(distribution: metadata.Distribution) -> None:
    required = [line for line in distribution.requires or [] if "extra ==" not in line]
    assert [re.match(r"[\w-]+", line)[0] for line in required] == ["numpy"]  # type: ignore[index]


def test_the_types_are_shipped(distribution: metadata.Distribution) -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert "minigrad/py.typed" in {str(file) for file in distribution.files or []}


def test_every_source_of_the_package_is_shipped(distribution: metadata.Distribution) -> None:
    sources = {path.relative_to(ROOT).as_posix() for pattern in ("*.py", "*.pyi") for path in (ROOT / "minigrad").rglob(pattern)}
    assert sources <= {str(file) for file in distribution.files or []}


# --- the texts --------------------------------------------------------------------------------------------------------


def python_blocks(name: str) -> list[str]:
    found = re.findall(r"^ *```python\n(.*?)^ *```$", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [dedent(block) for block in found]


@pytest.mark.parametrize("position", range(len(python_blocks("README.md"))))
def test_a_block_of_the_readme_runs(position: int, tmp_path: Path) -> None:
    done = run_python("-W", "error", "-c", python_blocks("README.md")[position], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if position == 0:
        assert len(python_blocks("README.md")[0].splitlines()) <= 15
        error = re.fullmatch(r"sin, learned to a mean squared error of (\d+\.\d{6})\n", done.stdout)
        assert error and float(error[1]) < 0.01


def test_the_operation_of_the_contributing_guide_keeps_the_laws(tmp_path: Path) -> None:
    script = tmp_path / "operation.py"
    script.write_text("\n".join(python_blocks("CONTRIBUTING.md")), encoding="utf-8")
    done = run_python("-W", "error", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_guides_operation_would_fail_with_a_wrong_rule(tmp_path: Path) -> None:
    script = tmp_path / "operation.py"
    wrong = "\n".join(python_blocks("CONTRIBUTING.md")).replace("g * tanh(input)", "g * input")
    script.write_text(wrong, encoding="utf-8")
    done = run_python(script, cwd=tmp_path)
    assert done.returncode != 0
    assert "GradientError" in done.stderr


def readme_command(name: str) -> str:
    """The way .ci/run does it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^<!-- {name} -->\n```sh\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return found[0].rstrip("\n")


@pytest.mark.parametrize(("name", "last"), [("main job", "examples/mnist.py"), ("tests", "/pytest -n 2")])
def test_each_command_is_one_line_that_begins_with_nothing(name: str, last: str) -> None:
    command = readme_command(name)
    assert "\n" not in command
    steps = command.split(" && ")
    assert steps[0].startswith("python3 -m venv ") and "pip install" in steps[1] and steps[2].endswith(last)


@pytest.mark.parametrize("name", ["main job", "tests"])
def test_ci_runs_what_the_readme_says(name: str) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    function = re.search(r"^readme_command\(\) .*?^}", script, re.DOTALL | re.MULTILINE)
    assert function and re.search(rf'^  command=\$\(readme_command "?{name}"?\)$', script, re.MULTILINE)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    done = subprocess.run([bash, "-c", f'{function[0]}\nreadme_command "{name}"'], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip("\n") == readme_command(name)


def test_the_links_of_the_texts_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "examples/data/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / name).parent.joinpath(target).exists(), f"{name}: {target}"


# --- the source tree --------------------------------------------------------------------------------------------------

TINY_STEP = """
import minigrad
from minigrad import nn

minigrad.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 1))
optimizer = minigrad.optim.SGD(model.parameters(), lr=0.1)
x, before = minigrad.randn(4, 1, 4, 4), None
for _ in range(3):
    loss = (model(x) - 1).pow(2).mean()
    assert before is None or loss.item() < before
    before = loss.item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(minigrad.__file__)
"""


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """A folder with the sources of the package and nothing compiled."""
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(ROOT / "minigrad", tmp_path / "minigrad", ignore=ignore)
    return tmp_path


def test_without_compiled_kernels_it_warns_once_and_trains(unbuilt: Path) -> None:
    done = run_python("-c", TINY_STEP, cwd=unbuilt, PYTHONPATH=str(unbuilt), MINIGRAD_KERNELS="")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == unbuilt / "minigrad"
    assert done.stderr.count("Warning") == 1
    assert "RuntimeWarning: minigrad: its compiled kernels are not available" in done.stderr
    assert "pip install ." in done.stderr


def test_the_reference_kernels_can_be_asked_for_without_a_warning(unbuilt: Path) -> None:
    done = run_python("-c", TINY_STEP, cwd=unbuilt, PYTHONPATH=str(unbuilt), MINIGRAD_KERNELS="reference")
    assert done.returncode == 0 and done.stderr == ""


def test_compiled_kernels_that_are_missing_are_an_error_if_asked_for(unbuilt: Path) -> None:
    done = run_python("-c", "import minigrad", cwd=unbuilt, PYTHONPATH=str(unbuilt), MINIGRAD_KERNELS="compiled")
    assert done.returncode != 0 and "No module named 'minigrad._ext.kernels'" in done.stderr
