"""A device for the tests of this folder: the stand-in for CuPy, or the real one where `-m gpu` asks for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from minigrad.kernels import driver

from ..cudasim import simulator
from ..cudasim.standin import installed


def is_quick() -> bool:
    """Is this the profile of everyday, in which the simulator may take about a minute? `.ci/run` has more.

    It is asked by the modules of tests, since Hypothesis loads the profile after this file when the command names this folder.
    """
    return settings().max_examples <= 12


@pytest.fixture(scope="module")
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the device: of the simulated one, unless the tests marked gpu were asked for."""
    if request.config.getoption("-m") == "gpu":
        if not driver.status()[0]:
            pytest.skip(driver.status()[1])
        yield "cuda"
        return
    if simulator.COMPILER is None:
        pytest.skip("the simulator needs g++")
    if "cupy" in sys.modules:
        pytest.skip("the real cupy is imported already")
    with installed():
        driver.status.cache_clear()
        yield "cuda"
    driver.status.cache_clear()


@pytest.fixture
def simulated(device: str) -> str:
    """The name of the simulated device, which counts what it is asked for; a real one does not."""
    if "simulated" not in driver.cupy().__version__:
        pytest.skip("a real device does not count")
    return device
