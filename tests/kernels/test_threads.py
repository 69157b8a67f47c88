"""The pool of threads by itself, under the thread sanitizer where the compiler has it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

import minigrad
from minigrad.kernels import cpu

CSRC = Path(__file__).parents[2] / "minigrad" / "_ext" / "csrc"


@pytest.mark.parametrize("sanitizer", ["none", "thread"])
def test_loops_of_many_threads(sanitizer: str, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not CSRC.is_dir():
        pytest.skip("there is no compiler, or the sources are not here")
    options = ["-std=gnu11", "-O1", "-g", "-pthread", f"-I{CSRC}", *([f"-fsanitize={sanitizer}"] if sanitizer != "none" else [])]
    sources = [str(Path(__file__).with_name("threads.c")), str(CSRC / "threads.c")]
    built = subprocess.run([compiler, *options, *sources, "-o", str(tmp_path / "loops")], capture_output=True, text=True, check=False)
    if built.returncode and sanitizer in built.stderr:
        pytest.skip("the compiler has no thread sanitizer")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([tmp_path / "loops"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "passed\n", "")


@pytest.mark.skipif(cpu.compiled is None, reason="the kernels are not compiled")
def test_workers_that_have_nothing_to_do_sleep() -> None:
    threads = minigrad.get_num_threads()
    minigrad.set_num_threads(4)
    try:
        x = minigrad.randn(512, 512)
        x @ x
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.05
    finally:
        minigrad.set_num_threads(threads)
