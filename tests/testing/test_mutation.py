"""The laws notice every fault in the rules of operations: a sample of them here, all by `python -m minigrad.testing.mutation`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.core.primitive import REGISTRY, primitive
from minigrad.core.tensor import TABLE
from minigrad.ops.families import REAL
from minigrad.testing import GradientError, mutate
from minigrad.testing.mutation import FAULTS, breaks, main

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


@pytest.mark.gradcheck
def test_faults_of_what_is_kept_and_of_broadcasting_are_noticed() -> None:
    score = mutate(minigrad.div, faults=[fault for fault in FAULTS if fault.of_engine])
    assert score.survived == []
    assert score.score == 1.0
    assert {
        "rule for input: broadcasting undone without a sum",
        "rule for other: argument 1 of an earlier call",
    } <= set(score.noticed)
    score = mutate(REGISTRY["place_diagonal"], faults=[fault for fault in FAULTS if fault.of_engine])
    assert score.equivalent == {
        "rule for input: broadcasting undone without a sum": "the rule gives the same with and without it"
    }
    score = mutate(
        REGISTRY["fill"],
        max_examples=10,
        faults=[fault for fault in FAULTS if fault.name == "reversed along the first axis"],
    )
    assert (
        score.equivalent["rule for value: reversed along the first axis"]
        == "the engine sums what it changes: no derivative does"
    )


def test_what_counts_once_what_is_used_twice_is_noticed_by_fan_out() -> None:
    (fault,) = [fault for fault in FAULTS if fault.name == "counts once what is used twice"]
    assert mutate(minigrad.neg, laws=["fan_out"], max_examples=5, faults=[fault]).noticed == {
        f"rule for input: {fault.name}": "fan_out"
    }


def test_a_law_that_does_not_hold_anyway_notices_nothing() -> None:
    known = [(d, dict(d)) for d in (REGISTRY, TABLE)]
    try:
        op = primitive(domains=[REAL], method=False)(lambda x, /: np.sin(x))
        op.vjp("x")(lambda g, x: 2 * g * x.cos())
        with pytest.raises(GradientError):
            mutate(op, max_examples=3, faults=FAULTS[:1])
        assert breaks(op, "gradient", 3)
        assert not breaks(op, "fan_out", 3)
    finally:
        for now, before in known:
            now.clear()
            now.update(before)


def test_the_command_tells_the_score_and_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tanh", "--examples", "5"]) == 0
    assert capsys.readouterr().out == "tanh: 21 of 21 faults noticed\n0 faults survived\n"
    with pytest.raises(SystemExit) as caught:
        main(["tanh", "gather"])
    assert caught.value.code == 2
    assert capsys.readouterr() == (
        "",
        "mutation: there is no operation with rules of its own called gather; docs/operations.md names all\n",
    )


def test_the_command_works_in_several_processes() -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "minigrad.testing.mutation",
        "--jobs",
        "2",
        "--examples",
        "3",
        "neg",
        "clone",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parent.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["neg", "clone", "0 faults survived"]
