"""Writes torch.json: the arguments of torch's functions, methods, in-place methods, modules, optimisers and schedulers, as torch names them.

    python tests/signatures/from_torch.py

torch's own functions have no signature that Python can read, so they are taken from the stub files that torch ships, or from the schemas that
its interpreter prints. An overload is written as Python would write it: "input, other, *, alpha=1". Left out are what no minigrad has by
design (out, layout, pin_memory, device and dtype of modules), named dimensions, and overloads that torch calls deprecated.
"""

from __future__ import annotations

import ast
import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
NAMES = HERE / "names.txt"
DATA = HERE / "torch.json"
LEFT_OUT = {"out", "layout", "pin_memory", "is_coalesced"}
FACTORY = {"device", "dtype"}  # what every module takes besides


def names() -> dict[str, list[str]]:
    """The names of names.txt by kind."""
    found: dict[str, list[str]] = {}
    for line in NAMES.read_text().splitlines():
        if line and not line.startswith("#"):
            kind, *words = line.split()
            found.setdefault(kind, []).extend(words)
    return found


# --- from stub files --------------------------------------------------------------------------------------------------


@cache
def stubs(file: str, owner: str | None = None) -> dict[str, list[ast.FunctionDef]]:
    """The functions of a stub file, or the methods of one of its classes, by name."""
    tree = ast.parse((Path(torch.__file__).parent / file).read_text())
    body = tree.body
    if owner is not None:
        body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner)
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def from_stub(node: ast.FunctionDef) -> list[tuple[str, str, Any]] | None:
    """The parameters (name, kind, default) of a stub; None for an overload that is left out."""
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(positional) - len(a.defaults)) + list(a.defaults)
    found = [(p, "", d) for p, d in zip(positional, defaults, strict=True)]
    found += [(a.vararg, "*", None)] if a.vararg else []
    found += [(p, "k", d) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    for p, _, default in found:
        annotation = ast.unparse(p.annotation) if p.annotation else ""
        if p.arg == "out" and default is None or p.arg == "names" or "str | EllipsisType" in annotation or "Dimname" in annotation:
            return None
    return [(p.arg, kind, None if d is None else ast.unparse(d)) for p, kind, d in found]


def from_schema(schema: Any) -> list[tuple[str, str, Any]] | None:
    found: list[tuple[str, str, Any]] = []
    for a in schema.arguments:
        if a.is_out:
            return None
        default = repr(a.default_value) if a.has_default_value() else None
        found.append(("input" if a.name == "self" else a.name, "k" if a.kwarg_only else "", default))
    return found


def from_python(function: Any) -> list[tuple[str, str, Any]]:
    kinds = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.KEYWORD_ONLY: "k", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        (p.name, kinds.get(p.kind, ""), None if p.default is p.empty else repr(p.default))
        for p in inspect.signature(function).parameters.values()
        if p.kind is not p.VAR_KEYWORD
    ]


# --- as text ----------------------------------------------------------------------------------------------------------


def written(parameters: list[tuple[str, str, Any]]) -> str:
    parts = []
    named = False
    for name, kind, default in parameters:
        if name in LEFT_OUT:
            continue
        if kind == "k" and not named and not any(k == "*" for _, k, _ in parameters):
            parts.append("*")
        named |= kind == "k"
        if default is not None and not default[0].isalpha() and default[0] not in "'\"([-" and not default[0].isdigit():
            default = "..."
        parts.append(("*" if kind == "*" else "") + name + ("" if default is None else "=" + default))
    return ", ".join(parts)


def distinct(overloads: list[Any], first: str | None = None) -> list[str]:
    """The overloads as text, each once; with `first` only those whose first argument has this name, which is then dropped."""
    found = []
    for parameters in overloads:
        if parameters is None or first is not None and (not parameters or parameters[0][0] != first):
            continue
        text = written(parameters[1:] if first is not None else parameters)
        if text not in found:
            found.append(text)
    return found


def deprecated(parameters: Any) -> bool:
    """torch's older forms, such as add(self, alpha, other), say self and not input."""
    return parameters is not None and any(name == "self" for name, *_ in parameters)


def function(name: str) -> list[str]:
    """The overloads of torch.<name>."""
    owner: Any = torch
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    f = getattr(owner, last, None)
    if f is None or isinstance(f, torch.dtype):
        return []
    if inspect.isfunction(f):
        if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(f).parameters.values()):  # one of two functions, with the same arguments
            chosen = (getattr(owner, "_" + last, None), getattr(torch.functional, f"_{last}_impl", None))
            f = next((g for g in chosen if inspect.isfunction(g)), f)
        return distinct([from_python(f)])
    if path != ["linalg"] and last in stubs("_C/_VariableFunctions.pyi"):
        overloads = [from_stub(node) for node in stubs("_C/_VariableFunctions.pyi")[last]]
        return distinct([o for o in overloads if not deprecated(o)])
    schemas = torch._C._jit_get_schemas_for_operator("aten::" + ("linalg_" if path == ["linalg"] else "") + last)
    return distinct([from_schema(s) for s in schemas if not any("Dimname" in str(a.type) for a in s.arguments)])


def method(name: str) -> list[str]:
    """The overloads of torch.Tensor.<name>, without the tensor itself."""
    if not hasattr(torch.Tensor, name) or not callable(getattr(torch.Tensor, name)):
        return []
    if inspect.isfunction(getattr(torch.Tensor, name)):
        return distinct([from_python(getattr(torch.Tensor, name))[1:]])
    overloads = [from_stub(node) for node in stubs("_C/__init__.pyi", "TensorBase").get(name, [])]
    return distinct(overloads, "self")


def constructor(owner: Any, name: str, leave_out: set[str]) -> list[str]:
    parameters = from_python(getattr(owner, name).__init__)[1:]
    return distinct([[p for p in parameters if p[0] not in leave_out]])


def data() -> dict[str, Any]:
    """What the file holds."""
    listed = names()
    operations = sorted(listed["operation"])
    plain = [name for name in operations if "." not in name and not name.startswith("__")]
    kinds = {
        "function": {name: function(name) for name in operations},
        "method": {name: method(name) for name in plain},
        "in place": {name + "_": method(name + "_") for name in plain},
        "in place function": {name + "_": function(name + "_") for name in operations if "." in name},
        "module": {name: constructor(torch.nn, name, FACTORY) for name in sorted(listed["module"])},
        "optimiser": {name: constructor(torch.optim, name, set()) for name in sorted(listed["optimiser"])},
        "scheduler": {name: constructor(torch.optim.lr_scheduler, name, set()) for name in sorted(listed["scheduler"])},
    }
    found = {kind: {name: texts for name, texts in table.items() if texts} for kind, table in kinds.items()}
    return {"torch": torch.__version__.split("+")[0]} | found


def as_json(found: dict[str, Any]) -> str:
    """The file's text, one line for each name."""
    lines = []
    for kind, table in found.items():
        if isinstance(table, dict):
            rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(texts)}" for name, texts in table.items())
            lines.append(f"{json.dumps(kind)}: {{\n{rows}\n}}")
        else:
            lines.append(f"{json.dumps(kind)}: {json.dumps(table)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    DATA.write_text(as_json(data()))
