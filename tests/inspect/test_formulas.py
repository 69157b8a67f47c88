"""Rules told as formulas."""

from __future__ import annotations

import ast

import pytest

from minigrad.core.primitive import REGISTRY
from minigrad.inspect.formulas import formulas
from minigrad.inspect.rules import formulas_of


@pytest.mark.parametrize(
    ("names", "body", "expected"),
    [
        (("x",), "return g * out", {"x": "g * out"}),
        (("x",), "half = out / 2\n    return g * half", {"x": "g * (out / 2)"}),
        (("x",), "a = out + 1\n    b = a * a\n    return g * b", {"x": "g * ((out + 1) * (out + 1))"}),
        (("x",), "out = out + 1\n    return g * out", {"x": "g * (out + 1)"}),  # its name stands for something else afterwards
        (("x",), "d = 2\n    return g * [d for d in out][d]", {"x": "g * [d for d in out][d]"}),
        (("x", "y"), "half = g / 2\n    return half, half * out", {"x": "g / 2", "y": "g / 2 * out"}),
        (("x",), "low, high = out\n    return g * low", {"x": "g * low"}),
        (("x",), "found = kernel(g)\n    found += 1\n    return found", {}),  # a name alone says nothing
        (("x",), "for i in out:\n        g = g * i\n    return g", {}),
        (("x",), "if out:\n        return g\n    return -g", {}),
        (("x", "y"), "found = kernel(g)\n    return both(*found)", {}),
        (("x",), f"long = {' + '.join(['out'] * 20)}\n    return g * long", {"x": "g * long"}),
    ],
)  # fmt: skip
def test_a_rule_is_told_as_a_formula(names: tuple[str, ...], body: str, expected: dict[str, str]) -> None:
    assert formulas(names, f"@f.vjp()\ndef _(g, out):\n    {body}\n") == expected


def test_formulas_of_operations() -> None:
    assert formulas_of(REGISTRY["mul"]) == {"input": "g * other", "other": "g * input"}
    assert formulas_of(REGISTRY["logsumexp"])["input"].startswith("g * exp(input - ")
    assert formulas_of(REGISTRY["conv"])["weight"] == "conv_weight(input, g, windows)"
    assert formulas_of(REGISTRY["batch_norm"]) == formulas_of(REGISTRY["cross_entropy"]) == {}
    for primitive in REGISTRY.values():
        for name, formula in formulas_of(primitive).items():
            assert name in primitive.tensors
            assert not isinstance(ast.parse(formula, mode="eval").body, ast.Name) or formula == "g", (
                primitive.name,
                formula,
            )
