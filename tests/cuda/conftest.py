"""A device for the tests of this folder: the stand-in for CuPy, or the real one where `-m gpu` asks for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from minigrad.kernels import driver

from ..cudasim import simulator
from ..cudasim.standin import installed

QUICK = (
    settings().max_examples <= 12
)  # the profile of everyday: the simulator may take about a minute there; `.ci/run` has more


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
