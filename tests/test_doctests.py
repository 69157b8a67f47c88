"""The examples in the docstrings of all public objects run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import minigrad

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> Iterator[str]:
    """All modules of the package, but not those that are compiled from other languages."""
    yield "minigrad"
    for module in pkgutil.walk_packages(minigrad.__path__, "minigrad."):
        if not module.name.startswith("minigrad._ext"):
            yield module.name


def documented(module: Any) -> Iterator[tuple[str, Any]]:
    """The names and objects of a module with docstrings: itself, what it defines, and the methods of its classes.

    doctest's own finder sees neither compiled functions nor primitives.
    """
    yield module.__name__, module
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        yield f"{module.__name__}.{name}", value
        if isinstance(value, type):
            for inner, method in vars(value).items():
                if not inner.startswith("_") and getattr(method, "__module__", module.__name__) == module.__name__:
                    yield f"{module.__name__}.{name}.{inner}", method


def examples() -> Iterator[Any]:
    seen: set[str] = set()
    for name in modules():
        module = importlib.import_module(name)
        for where, value in documented(module):
            text = value.__doc__
            if isinstance(text, str) and ">>>" in text and text not in seen:
                seen.add(text)
                yield pytest.param(text, vars(module), id=where)


EXAMPLES = list(examples())


@pytest.mark.parametrize(("text", "names"), EXAMPLES)
def test_example(text: str, names: dict[str, Any], request: pytest.FixtureRequest) -> None:
    test = doctest.DocTestParser().get_doctest(text, dict(names), request.node.callspec.id, None, None)
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    assert results.attempted > 0
    assert results.failed == 0, "".join(report)


def test_examples_are_found_everywhere() -> None:
    found = {str(example.id) for example in EXAMPLES}
    expected = {"minigrad", "minigrad.core.tensor.Tensor", "minigrad.core.engine.grad", "minigrad.ops.reduce.sum", "minigrad.ops.joining.cat"}
    assert expected <= found
