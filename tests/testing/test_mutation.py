"""The laws notice every fault in the rules of operations: a sample of them here, all by `python -m minigrad.testing.mutation`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.core.primitive import REGISTRY
from minigrad.testing import mutate
from minigrad.testing.mutation import FAULTS

QUICK = [
    fault
    for fault in FAULTS
    if fault.name in ("sign", "nearly right", "forgotten", "shifted along the last axis", "accumulates", "stale")
]


@pytest.mark.gradcheck
@pytest.mark.parametrize("name", ["tanh", "mul", "matmul", "relu", "cumsum"])
def test_every_fault_is_noticed(name: str) -> None:
    score = mutate(REGISTRY[name], faults=QUICK)
    assert score.survived == []
    assert score.score == 1.0
    assert len(score.noticed) >= len(QUICK) - 1


def test_what_no_law_looks_at_survives_and_what_changes_nothing_is_not_counted() -> None:
    score = mutate(minigrad.tanh, laws=["layout"], max_examples=5, faults=QUICK[:2])
    assert score.score < 1
    assert any("sign" in fault for fault in score.survived)
    assert "survived: rule for input: sign" in repr(score)
    score = mutate(minigrad.relu, faults=[])
    assert [fault for fault in score.equivalent if "cut off" in fault] != []
    assert score.score == 1.0


def test_rules_are_as_before() -> None:
    before = [rule.function for rule in REGISTRY["mul"].rules]
    mutate(REGISTRY["mul"], faults=FAULTS[:1], max_examples=2)
    assert [rule.function for rule in REGISTRY["mul"].rules] == before


def test_only_operations_can_be_mutated() -> None:
    with pytest.raises(TypeError, match="expected an operation made by @primitive, got function"):
        mutate(lambda x: x)  # type: ignore[arg-type]


def test_the_command_tells_the_score_and_unknown_names() -> None:
    command = [sys.executable, "-P", "-m", "minigrad.testing.mutation"]
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parent.parent)}
    done = subprocess.run([*command, "tanh"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("\n0 faults survived\n") and done.stdout.startswith("tanh: "), done.stderr
    done = subprocess.run([*command, "tanh", "gather"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mutation: there is no operation with rules of its own called gather; docs/operations.md names all\n"
