"""Writes the stubs: every operation and method that is registered, with its own signature and the first line of its docstring.

They are modules that are not there when a program runs: Tensor has the methods' class as its base, and minigrad the functions in it, for type checkers only.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import minigrad
import minigrad.linalg
from minigrad import _FUNCTIONAL, _IN_PLACE, _LAZY_MODULES, _LAZY_NAMES, Tensor, ops
from minigrad.core.inplace import InPlace
from minigrad.core.primitive import Primitive
from minigrad.ops import decompositions
from tests.stubs.types import ARGUMENTS, ARGUMENTS_OF, INDICES, OVERLOADS, PROPERTIES, RETURNS

P = inspect.Parameter
PACKAGE = Path(minigrad.__file__).parent

HEAD = "# Written by `python -m tests.stubs`: what type checkers and editors know of {}.\n"
TYPES = """
Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = float | np.generic
Index: TypeAlias = int | np.integer[Any]
Indices: TypeAlias = Index | Sequence[Index]
Operand: TypeAlias = Tensor | Array | Number
DType: TypeAlias = np.dtype[Any] | type[Any] | str
"""
PLACE = "Place: TypeAlias = Device | str | int\n"
METHODS = """
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from builtins import type as Type
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np

from ..ops.families import ValuesAndIndices
from ..ops.matrices import QR, SlogDet
from ..ops.order import MinAndMax
from ..ops.random import Generator
from .device import device as Device
from .size import Size
from .tensor import Tensor
"""
FUNCTIONS = """
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np

from ..core.device import device as Device
from ..core.size import Size
from ..core.tensor import Tensor
"""
MATRICES = """
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..core.tensor import Tensor
"""


def written() -> dict[Path, str]:
    """The text of each stub."""
    return {
        PACKAGE / "core" / "methods.pyi": methods(),
        PACKAGE / "ops" / "functions.pyi": functions(),
        PACKAGE / "ops" / "matrices.pyi": matrices(),
        PACKAGE / "_names.pyi": names(),
    }


def methods() -> str:
    """The class that Tensor inherits from, for type checkers."""
    # Methods are called as types are: within the class the types need other names.
    aliases = re.sub(r"(?<=TypeAlias = )(.*)", lambda line: of_class(line[0]), TYPES + PLACE)
    head = HEAD.format("the methods that operations register with Tensor") + METHODS + aliases
    body = []
    own = methods_of_its_own()
    for name, operation in sorted(vars(Tensor).items()):
        if name in own or isinstance(operation, type(Tensor.__dict__["array"])) or not is_registered(name):
            continue
        if isinstance(operation, property):
            lines = ["@property", *definition(f"{name}(self) -> {PROPERTIES.get(name, 'bool')}", operation)]
        else:
            lines = definitions(name, name, operation, method=True)
        body += [of_class(line) if line.startswith("def ") else line for line in lines]
    return head + "\nclass Methods:\n" + "".join([f"    {line}\n" if line else "\n" for line in body])


def is_registered(name: str) -> bool:
    """Is it no part of every class?"""
    return name not in vars(type("Empty", (), {})) and (not name.startswith("__") or name in ("__lshift__", "__rshift__", "__rdiv__"))


def methods_of_its_own() -> set[str]:
    """What the class itself defines, and its source says."""
    source = ast.parse((PACKAGE / "core" / "tensor.py").read_text())
    (tensor,) = [node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Tensor"]
    return {node.name for node in tensor.body if isinstance(node, ast.FunctionDef)}


def functions() -> str:
    """minigrad.ops, without what is no operation, and the in-place forms that are functions too."""
    of_tensors = [name for name in _IN_PLACE if name not in ops.__all__]
    every = sorted({*ops.__all__, *of_tensors})
    body, imports = [], {}
    for name in every:
        operation = getattr(ops, name) if name in ops.__all__ else getattr(Tensor, name)
        if isinstance(operation, type) or not callable(operation):
            imports[name] = home_of(name)
        else:
            body += definitions(name, name, operation, method=False)
    named = {"QR": "matrices", "SlogDet": "matrices", "MinAndMax": "order", "ValuesAndIndices": "families"}
    head = HEAD.format("the operations as functions") + FUNCTIONS + import_lines(imports | named) + TYPES + PLACE
    return head + "\n__all__ = [\n" + "".join([f"    {name!r},\n" for name in every]).replace("'", '"') + "]\n\n" + "\n".join(body)


def matrices() -> str:
    """minigrad.linalg, and what its functions return."""
    text = HEAD.format("minigrad.linalg") + MATRICES + TYPES
    for name in ("QR", "SlogDet", "Eigh", "LeastSquares"):
        fields = [field for field, value in vars(getattr(decompositions, name)).items() if isinstance(value, property)]
        text += f"\nclass {name}(NamedTuple):\n" + "".join([f"    {field}: Tensor\n" for field in fields])
    for name in sorted(minigrad.linalg.__all__):
        text += "\n" + "\n".join(definitions(name, f"linalg.{name}", getattr(minigrad.linalg, name), method=False))
    return text


def names() -> str:
    """The names of minigrad that are no operations: those that its file imports, and those that are imported when they are first asked for."""
    homes = dict.fromkeys(_LAZY_MODULES, ".") | {name: f".{home}" for name, home in _LAZY_NAMES.items()}
    homes |= dict.fromkeys(_FUNCTIONAL, ".nn.functional") | dict.fromkeys(_IN_PLACE, ".ops.functions")
    for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            homes |= {alias.name: f".{node.module}" for alias in node.names if alias.asname is None and alias.name != "*"}
    lines = [f"from {homes[name]} import {name} as {name}\n" for name in sorted(homes, key=lambda name: (homes[name], name)) if name not in ops.__all__]
    return HEAD.format("the names of minigrad that are no operations") + "# ruff: noqa: F403, I001\n\nfrom .ops.functions import *\n" + "".join(lines)


def import_lines(homes: Mapping[str, str]) -> str:
    """The imports of names by their modules in ops."""
    lines = []
    for home in sorted(set(homes.values())):
        those = sorted([name for name in homes if homes[name] == home], key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        line = f"from .{home} import {', '.join(those)}\n"
        lines.append(line if len(line) <= 120 else f"from .{home} import (\n" + "".join([f"    {name},\n" for name in those]) + ")\n")
    return "".join(lines)


def home_of(name: str) -> str:
    """The module of ops in which a name is defined that is no function."""
    for home in sorted(vars(ops)):
        module = getattr(ops, home)
        if inspect.ismodule(module) and name in getattr(module, "__all__", ()):
            return home
    raise LookupError(name)


def of_class(line: str) -> str:
    """A line with the types as they are called within the class."""
    return re.sub(r"(?<=[\[ (|>])(bool|float|int|str|type)\b(?![(_])", lambda found: found[0].capitalize(), line)


def definitions(name: str, key: str, operation: Any, method: bool) -> list[str]:
    """The lines of one operation."""
    forms = OVERLOADS.get(key)
    if forms is None and key.removesuffix("_") in OVERLOADS:
        forms = tuple([form.replace("-> Tensor", "-> Self" if method else "-> Tensor") for form in OVERLOADS[key.removesuffix("_")]])
    if forms is not None and method:
        forms = tuple([re.sub(r"^\((condition|input|self)(: Tensor)?\b", "(self", form) for form in forms])
        if name == "where":
            forms = ("(self, condition: Tensor, other: Operand) -> Tensor",)
    if forms is None:
        forms = tuple(derived(name, key, operation, method))
    marker = ["@overload"] if len(forms) > 1 else []
    return [line for form in forms for line in (*marker, *definition(name + form, operation))]


def definition(signature: str, operation: Any) -> list[str]:
    """The definition, with the first line of the operation's docstring."""
    doc = inspect.getdoc(operation)
    if not doc or doc == inspect.getdoc(type(operation)):
        return [f"def {signature}: ...", ""]
    line = doc.splitlines()[0].replace("\\", "\\\\")
    return [f"def {signature}:", f'    """{line}"""', ""]


def derived(name: str, key: str, operation: Any, method: bool) -> Iterator[str]:
    """The signature that the operation has, with types."""
    signature = inspect.signature(operation)
    parameters = list(signature.parameters.values())
    result = RETURNS.get(key, "Self" if name.endswith("_") and method and not name.startswith("__") else "Tensor")
    if isinstance(signature.return_annotation, str):
        result = signature.return_annotation
    op = operation.op if isinstance(operation, InPlace) else operation
    head = ["self"] if method else []
    parameters = parameters[len(head) :]
    if isinstance(op, Primitive) and op.spread:  # x.reshape(2, 3) and x.reshape((2, 3))
        given = [*head, *[typed(p, key, op) for p in parameters[:-1]]]
        for form in ("*{}: Index", "{}: " + INDICES):
            yield f"({', '.join([*given, form.format(parameters[-1].name)])}) -> {result}"
        return
    kinds = [p.kind for p in parameters]
    arguments = head + [typed(p, key, op) for p in parameters]
    if P.KEYWORD_ONLY in kinds and P.VAR_POSITIONAL not in kinds:
        arguments.insert(len(head) + kinds.index(P.KEYWORD_ONLY), "*")
    yield f"({', '.join(arguments)}) -> {result}"


def typed(p: inspect.Parameter, key: str, op: Any) -> str:
    """An argument with its type and default."""
    kind = type_of(p, key, op)
    if p.default is P.empty:
        return f"{'*' * (p.kind is P.VAR_POSITIONAL)}{p.name}: {kind}"
    if p.default is None and not re.search(r"\bNone\b|\bAny\b", kind):
        kind += " | None"
    simple = p.default is None or isinstance(p.default, (bool, int, float, str)) or p.default == ()
    return f"{p.name}: {kind} = {p.default!r}".replace("'", '"') if simple else f"{p.name}: {kind} = ..."


def type_of(p: inspect.Parameter, key: str, op: Any) -> str:
    """The type of an argument: what its function says, its name, or that it is a tensor of a primitive."""
    if isinstance(p.annotation, str) and (p.annotation != "Any" or p.name not in ARGUMENTS):
        return p.annotation
    for name in (key, key.removesuffix("_")):
        if p.name in ARGUMENTS_OF.get(name, {}):
            return ARGUMENTS_OF[name][p.name]
    if isinstance(op, Primitive) and p.name in op.tensors:  # of two operands one is a tensor, the first one of most
        first = op.tensors.index(p.name) == 0 and not op.facts.get("of_numbers") and op.name not in ("pow", "remainder", "bitwise_and", "xlogy")
        return "Tensor" if first or p.name not in op.numbers else "Operand"
    if p.kind is P.VAR_POSITIONAL and p.name in ("size", "sizes", "repeats", "more"):
        return INDICES
    if p.name in ARGUMENTS:
        return ARGUMENTS[p.name]
    if p.kind is not P.VAR_POSITIONAL and isinstance(p.default, (bool, int, float, str)):
        return type(p.default).__name__
    raise LookupError(f"the type of {key}'s argument {p.name!r} is not known: tests/stubs/types.py can tell it")

