"""Every operation, every law: generated from the registry, so that an operation is tested from the moment it exists."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.core.primitive import REGISTRY
from minigrad.testing import LAWS

for module in walk_packages(minigrad.__path__, "minigrad."):  # operations register themselves on import
    if not module.name.startswith("minigrad._ext"):
        import_module(module.name)

ALL = {name: op for name, op in REGISTRY.items() if op.__module__.startswith("minigrad.")}
TESTED_ELSEWHERE = {name: op.facts["tested_by"] for name, op in ALL.items() if "tested_by" in op.facts}
OPERATIONS = {name: op for name, op in ALL.items() if name not in TESTED_ELSEWHERE}


@pytest.mark.parametrize(("name", "law"), [(name, law) for name, op in OPERATIONS.items() for law in LAWS if LAWS[law].applies(op)])
def test_law(name: str, law: str) -> None:
    @given(data=st.data())  # a new test for each pair: Hypothesis chains the settings of all runs of one
    def check(data: Any) -> None:
        LAWS[law](OPERATIONS[name], data.draw)

    check()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_how_it_is_to_be_called(name: str) -> None:
    facts = OPERATIONS[name].facts
    assert "cases" in facts or "domains" in facts or facts.get("laws") == "reduction", (
        f"{name}: declare domains=..., register @{name}.cases, or name the file that tests it by tested_by=..."
    )


@pytest.mark.parametrize("name", TESTED_ELSEWHERE)
def test_an_operation_without_laws_is_named_in_the_file_that_tests_it(name: str) -> None:
    assert name in Path(__file__).parent.joinpath(TESTED_ELSEWHERE[name]).read_text()


def test_the_operations_of_all_families_are_here() -> None:
    assert {"exp", "eq", "sum", "reshape", "get", "matmul", "relu", "conv", "max_pool", "constant_pad_nd"} <= set(OPERATIONS)
