"""Scripts written for torch run with their import lines changed, and lose what they lose there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent / "scripts"
spec = importlib.util.spec_from_file_location("script_runner", HERE / "run.py")
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
EXPECTED = json.loads((HERE / "expected.json").read_text())


@pytest.mark.parametrize("name", runner.SCRIPTS)
def test_same_losses_as_recorded_from_torch(name):
    np.testing.assert_allclose(runner.losses(name, "minigrad"), EXPECTED[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", runner.SCRIPTS)
def test_record_is_what_torch_computes(name):
    pytest.importorskip("torch")
    np.testing.assert_allclose(runner.losses(name, "torch"), EXPECTED[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["unet", "dcgan"])
def test_the_same_run_gives_the_same_bits(name):
    assert runner.losses(name, "minigrad") == runner.losses(name, "minigrad")
