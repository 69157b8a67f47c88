"""The pytest plugin: options for all checks of a run, a marker, and a table of what was checked.

    pytest --gradcheck-profile=thorough --gradcheck-seed=7 --gradcheck-summary

It is found by its entry point wherever minigrad is installed, and imports neither Hypothesis nor anything else before a test does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from minigrad.testing.session import EXAMPLES, Session

PROPERTY = "minigrad.check"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("minigrad", "derivatives, checked by minigrad.testing")
    group.addoption("--gradcheck-seed", type=int, default=None, help="draw other examples than always the same")
    group.addoption(
        "--gradcheck-profile", choices=list(EXAMPLES), default="quick", help="how many examples a check draws"
    )
    group.addoption("--gradcheck-summary", action="store_true", help="end with a table of functions and laws")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gradcheck: checks derivatives; select such tests with -m gradcheck")
    Session.seed = config.getoption("--gradcheck-seed")
    Session.max_examples = EXAMPLES[str(config.getoption("--gradcheck-profile"))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What checks find is kept with the test, also where others run it in another process."""

    def record(name: str, outcome: Mapping[str, str]) -> None:
        item.user_properties.append((PROPERTY, [name, dict(outcome)]))

    before, Session.record = Session.record, record
    try:
        return (yield)
    finally:
        Session.record = before


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--gradcheck-summary"):
        return
    found: dict[str, dict[str, str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and getattr(report, "when", "") == "call":
                    row = found.setdefault(value[0], {})
                    for law, mark in value[1].items():
                        row[law] = max(row.get(law, ""), mark, key=len)
    terminalreporter.section("derivatives checked")
    for line in table(found):
        terminalreporter.write_line(line)


def table(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """One row a function, one column a law."""
    laws = list(dict.fromkeys(law for row in found.values() for law in row))
    width = max([len(name) for name in found], default=0)
    lines = ["  ".join([" " * width, *laws])] if laws else ["none"]
    for name, row in sorted(found.items()):
        lines.append("  ".join([name.ljust(width), *[row.get(law, "").ljust(len(law)) for law in laws]]).rstrip())
    return lines
