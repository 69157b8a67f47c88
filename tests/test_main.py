"""`python -m minigrad`: what it says, how long it takes, and that it notices what is broken."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import __main__ as main
from minigrad.kernels import cpu


def test_it_tells_what_it_runs_on_and_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main() == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines[:6])
    assert list(facts) == ["minigrad", "Python", "engine", "kernels", "threads", "GPU"]
    assert facts["minigrad"].startswith(minigrad.__version__) and facts["threads"] == str(minigrad.get_num_threads())
    assert minigrad.backends.cpu.get_cpu_capability() in facts["kernels"] or cpu.compiled is None
    assert (
        facts["GPU"] == minigrad.cuda.get_device_name()
        if minigrad.cuda.is_available()
        else minigrad.cuda.why_not() in facts["GPU"]
    )
    assert [line.split()[0] for line in lines[6:-1]] == ["ok"] * len(main.TESTS)
    assert lines[-1].endswith("all is well")


def test_it_takes_less_than_five_seconds_of_the_processor() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-m", "minigrad"], capture_output=True, text=True, check=False, timeout=300
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert after.ru_utime - before.ru_utime < 5


@pytest.mark.parametrize(
    ("kernel", "test"),
    [
        ("conv", "convolutions equal the reference, to the bit"),
        ("conv_input", "derivatives of first and second order are those of differences"),
        ("conv_weight", "convolutions equal the reference, to the bit"),
    ],
)
def test_it_notices_a_broken_kernel(
    kernel: str, test: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = getattr(cpu, kernel)

    def broken(*args: Any) -> Any:
        out = right(*args)
        out.flat[0] += np.ones((), out.dtype)
        return out

    monkeypatch.setattr(cpu, kernel, broken)
    assert main.main() == 1
    said = capsys.readouterr().out
    assert f"WRONG    {test}: " in said and "failed; please report this with the lines above" in said.splitlines()[-1]
