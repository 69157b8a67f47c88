"""The script of a report runs by itself: what the function uses comes along, wherever it was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.primitive import REGISTRY, primitive
from minigrad.core.tensor import TABLE
from minigrad.testing import GradientError, check
from minigrad.testing.source import Source, source_of

X = np.array([0.5, -2.0, 3.0])
WEIGHTS = np.array([1.0, 2.0, 4.0])


def weighted(x: Any) -> Any:
    return x * WEIGHTS


def script_of(*arguments: Any, **named: Any) -> str:
    with pytest.raises(GradientError) as caught:
        check(*arguments, **named)
    return caught.value.script


def run(script: str, folder: Path) -> list[str]:
    """The lines that it prints, in a process that finds minigrad but none of the tests."""
    file = folder / "script.py"
    file.write_text(script)
    home = str(Path(minigrad.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {home!r}); exec(compile(open({str(file)!r}).read(), 'script.py', 'exec'))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def assert_shown(script: str, folder: Path) -> None:
    assert "put it here" not in script
    lines = run(script, folder)
    assert lines[0] == "gradient of input 0"
    split = lines.index("by differences")
    got, expected = (" ".join(part).replace("tensor(", "") for part in (lines[1:split], lines[split + 1 :]))
    assert got != expected


def test_lambdas_with_all_that_they_use(tmp_path: Path) -> None:
    power = 3
    script = script_of(lambda x: weighted(x) ** power, X, vjp=lambda g, x, scale=2.0: (g * scale * x,))
    assert "WEIGHTS = np.array([1.0, 2.0, 4.0], np.float64)" in script
    assert "power = 3" in script
    assert_shown(script, tmp_path)


def test_operations_of_minigrad(tmp_path: Path) -> None:
    known = [(d, dict(d)) for d in (REGISTRY, TABLE)]
    try:

        @primitive(method=False)
        def cubed(x, /):  # type: ignore[no-untyped-def]
            return x**3

        @cubed.vjp("x")
        def _(g, x):  # type: ignore[no-untyped-def]
            return 2 * g * x**2

        script = script_of(cubed, X)
    finally:
        for now, before in known:
            now.clear()
            now.update(before)
    assert_shown(script, tmp_path)


class Scaled(minigrad.autograd.Function):
    """Forgets its weights in backward."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * minigrad.from_numpy(WEIGHTS)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 1.0


def test_a_function_of_minigrad(tmp_path: Path) -> None:
    script = script_of(Scaled, X)
    assert "class Scaled(minigrad.autograd.Function):" in script
    assert_shown(script, tmp_path)


def test_a_function_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return -g * x.cos()

    assert_shown(script_of(Sine, X), tmp_path)


def test_a_derivative_that_is_given(tmp_path: Path) -> None:
    script = script_of(lambda x: x.sin(), X, vjp=lambda g, x: (g * x.sin(),), framework="minigrad")
    assert_shown(script, tmp_path)


def test_functions_that_torch_has_too_are_shown_there(tmp_path: Path) -> None:
    """The gradient that is given is wrong, torch's is right."""
    script = script_of(minigrad.amax, X, vjp=lambda g, x: (g * x,), framework="minigrad")
    assert 'getattr(home, "amax")' in script
    pytest.importorskip("torch")
    script = script_of(minigrad.nn.functional.softplus, X[:1], vjp=lambda g, x: (-g,), framework="minigrad")
    lines = run(script, tmp_path)
    inputs = np.array(eval(script[script.index("inputs = [") + 10 : script.index("]\ncotangents")]))
    assert lines[-2] == "torch"
    assert float(lines[-1].split("[")[1].split("]")[0]) == pytest.approx(
        float((1 / (1 + np.exp(-inputs))).item()), rel=1e-3
    )


def test_what_is_installed_is_imported() -> None:
    source = Source()
    source.add("f", np.linalg.inv)
    source.add("g", np.sin)
    assert (source.imports, source.definitions[1]) == (["import numpy.linalg", "import numpy"], "g = numpy.sin")


def test_what_cannot_be_found_is_to_be_filled_in() -> None:
    names: dict[str, Any] = {}
    exec("def made(x):\n    return x", names)
    source = Source()
    source.add("f", names["made"])
    assert source.definitions == ["f = ...  # put 'made' here: its source cannot be found"]


def test_the_right_one_of_two_lambdas_on_a_line_is_taken() -> None:
    first, second = lambda x: x + 1, lambda x: x - 2  # fmt: skip
    assert (source_of(first), source_of(second)) == ("lambda x: x + 1", "lambda x: x - 2")
