"""A rule as a formula: what it returns, in the names of its parameters."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

__all__ = ["formulas"]

LONGEST = (
    80  # characters of a formula into which intermediate results are put; a longer one is told as the rule writes it
)


def formulas(names: tuple[str, ...], text: str) -> dict[str, str]:
    """The formula of each input that a rule serves, {'input': 'g * out'}, from the rule's source.

    Names that the rule gives to intermediate results are replaced by these where that is short and possible. Nothing is told of a rule that returns in
    several ways, that computes several gradients at once, or that returns nothing but such a name.
    """
    function = ast.parse(text).body[0]
    if not isinstance(function, ast.FunctionDef):
        return {}
    returned = [x for x in ast.walk(function) if isinstance(x, ast.Return) and x.value is not None]
    if len(returned) != 1 or returned[0] is not function.body[-1]:
        return {}
    known: dict[str, ast.expr] = {}
    opaque: set[str] = set()
    for statement in function.body[:-1]:
        if (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            name = statement.targets[0].id
            value = put_in(known, statement.value)
            if opaque & used(value):
                opaque.add(name)
            else:
                known[name] = value
                opaque.discard(name)
        else:
            given = {x.id for x in ast.walk(statement) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}
            opaque |= given
            for name in given:
                known.pop(name, None)
    written = parts_of(returned[0].value, len(names))
    parameters = {a.arg for a in function.args.args} - known.keys() - opaque
    found = {}
    for name, part in zip(names, written, strict=False):
        whole = put_in(known, part)
        if not opaque & used(whole) and len(ast.unparse(whole)) <= LONGEST:
            found[name] = ast.unparse(whole)
        elif parameters & used(part):
            found[name] = ast.unparse(part)
    return found


def parts_of(value: ast.expr | None, n: int) -> list[ast.expr]:
    """What is returned for each of n inputs; nothing if one expression gives it for several."""
    parts = value.elts if isinstance(value, ast.Tuple) and n > 1 else [value]
    return [x for x in parts if x is not None] if len(parts) == n else []


def used(expression: ast.expr) -> set[str]:
    """The names that an expression reads and does not bind itself."""
    names = [x for x in ast.walk(expression) if isinstance(x, ast.Name)]
    bound = {x.id for x in names if isinstance(x.ctx, ast.Store)}
    bound |= {a.arg for x in ast.walk(expression) if isinstance(x, ast.Lambda) for a in x.args.args}
    return {x.id for x in names} - bound


def put_in(known: Mapping[str, ast.expr], expression: ast.expr) -> Any:
    """The expression with known names replaced by what they stand for."""
    free = used(expression)

    class Replaced(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return deepcopy(known[node.id]) if node.id in free and node.id in known else node

    return Replaced().visit(deepcopy(expression))
