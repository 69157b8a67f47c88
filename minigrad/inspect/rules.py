"""The rules of a node, run one node at a time and shown as they are written."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from inspect import getsource
from pathlib import Path
from textwrap import dedent
from typing import Any

from minigrad.autograd.function import Function
from minigrad.core.engine import through_composite
from minigrad.core.graph import Node
from minigrad.core.modes import is_grad_enabled
from minigrad.core.primitive import Primitive, pick
from minigrad.core.tensor import Tensor
from minigrad.inspect.formulas import formulas
from minigrad.ops.creation import zeros

Gradients = list[Any]


def gradients_of(node: Node, g: Any) -> Gradients:
    """What the rules of a node make of the gradient of its output (a list, one or None each, if there are several): for each input a gradient or None.

    It is what backward hands on: of the shape and dtype of the input. Recorded where recording is on.
    """
    primitive: Primitive = node.primitive
    if primitive.parts:
        g = tuple(
            zeros(s[0], dtype=s[1]) if x is None and s is not None else x for x, s in zip(g, node.shape, strict=True)
        )
    found: Gradients = [None] * len(node.edges)
    if primitive.equals is not None and is_grad_enabled():
        found = through_composite(node, g)
    else:
        for rule in primitive.rules:
            served = range(len(node.edges)) if rule.variadic else rule.inputs
            if any(node.edges[i] is not None for i in served):
                out = rule.function(g, *[pick(where, node) for where in rule.picks])
                for i, one in zip(served, out if rule.variadic or rule.joint else (out,), strict=True):
                    found[i] = one
    return [None if edge is None or x is None else fitted(x, edge) for x, edge in zip(found, node.edges, strict=True)]


def fitted(g: Tensor, node: Node) -> Tensor:
    """A gradient with broadcasting and promotion undone."""
    if g.shape != node.shape:
        g = g.sum_to_size(node.shape)  # type: ignore[attr-defined]
    return g if g.dtype == node.dtype else g.to(node.dtype)


@lru_cache(1024)
def formulas_of(primitive: Any) -> dict[str, str]:
    """For each input what its gradient is, {'input': 'g * out'}, where the rule that serves it is a formula."""
    return {
        name: text for names, source in rules_as_written(primitive) for name, text in formulas(names, source).items()
    }


def code_of(node: Node) -> str:
    """The rules of a node as they are written in the source of its operation; '' if there is none to be found."""
    return "\n\n\n".join(text for _, text in rules_as_written(node.primitive))


@lru_cache(1024)
def rules_as_written(primitive: Any) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The inputs that each rule serves, and its source. Of compiled operations too: their .py files lie beside them."""
    if getattr(primitive, "takes_context", False):
        return written_by_user(primitive)
    path = source_file(primitive.__module__)
    if path is None:
        return ()
    text, tree = parsed(path)
    found = []
    for part in ast.walk(tree):
        if isinstance(part, ast.FunctionDef):
            for decorator in part.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"{primitive.name}.vjp":
                    names = tuple(
                        a.value for a in decorator.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
                    )
                    lines = text.splitlines()[decorator.lineno - 1 : part.end_lineno]
                    found.append((part.lineno, names, "\n".join(line[decorator.col_offset - 1 :] for line in lines)))
    return tuple((names, source) for _, names, source in sorted(found))


def written_by_user(primitive: Primitive) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The backward of a custom Function, which the operation's one rule calls."""
    inside = (cell.cell_contents for cell in primitive.rules[0].function.__closure__ or ())
    made_for = next((x for x in inside if isinstance(x, type) and issubclass(x, Function)), None)
    if made_for is None:
        return ()
    method = made_for.vjp if made_for.vjp is not Function.vjp else made_for.backward
    try:
        return ((("tensors",), dedent(getsource(method))),)
    except OSError:  # typed into an interpreter
        return ()


def source_file(module: str) -> Path | None:
    """The .py file of a module."""
    where = getattr(sys.modules.get(module), "__file__", None)
    if where is None:
        return None
    path = Path(where)
    if path.suffix != ".py":
        path = path.parent / (path.name.partition(".")[0] + ".py")
    return path if path.is_file() else None


@lru_cache(256)
def parsed(path: Path) -> tuple[str, ast.Module]:
    """A file's text and its tree."""
    text = path.read_text(encoding="utf-8")
    return text, ast.parse(text)
