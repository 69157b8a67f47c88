"""The soak of training by itself: some rounds leave nothing behind, and what leaks a little is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import soak


def test_a_line_tells_a_leak_from_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, 40)
    filling = 5 * np.minimum(np.arange(40), 10)  # caches fill in the first rounds
    assert abs(soak.rise(list(100 + filling + noise))) < 0.5
    assert soak.rise(list(100 + filling + 0.1 * np.arange(40) + noise)) > soak.ALLOWED["resident MB"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # loaders fork beside the kernels' threads
def test_some_rounds_leave_nothing_behind(tmp_path: Path) -> None:
    rounds = soak.rounds(tmp_path)
    seen = [next(rounds) for _ in range(6)]
    for name in ("objects", "threads", "files", "allocated MB"):
        assert seen[-1][name] <= seen[-3][name] + soak.ALLOWED[name], name


def test_a_leak_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(soak, "NETWORKS", (lambda folder: kept.append([[] for _ in range(20)]),))
    rounds = soak.rounds(tmp_path)
    seen = [next(rounds) for _ in range(10)]
    assert soak.rise([found["objects"] for found in seen]) > soak.ALLOWED["objects"]
