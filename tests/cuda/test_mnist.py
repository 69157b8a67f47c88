"""The example of the digits trains on the device with the losses that it has on the CPU. Simulated, not run on a GPU."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_losses_are_those_of_the_cpu(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    spec = importlib.util.spec_from_file_location("mnist_on_device", EXAMPLES / "mnist.py")
    assert spec is not None and spec.loader is not None
    mnist: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mnist_on_device", mnist)
    spec.loader.exec_module(mnist)
    digits, pictures, _ = mnist.read_digits(EXAMPLES / "data" / "mnist5k.npz")
    digits = mnist.TensorDataset(*digits[:48])
    losses: dict[str, list[float]] = {}
    plain = mnist.F.cross_entropy
    for place in ("cpu", device):
        found = losses[place] = []

        def noted(scores: Any, labels: Any, found: list[float] = found) -> Any:
            loss = plain(scores, labels)
            found.append(loss.item())
            return loss

        monkeypatch.setattr(mnist.F, "cross_entropy", noted)
        minigrad.manual_seed(0)
        model = mnist.LeNet5(0.25).to(place)
        mnist.train(model, digits, Namespace(batch_size=16, lr=2e-3, epochs=2, quiet=True, distort=True, device=place, distributed=False))
        assert mnist.predict(model, pictures[:20]).is_cpu
    assert len(losses["cpu"]) == 6 and losses["cpu"][-1] < losses["cpu"][0]
    np.testing.assert_allclose(losses[device], losses["cpu"], rtol=5e-3)
