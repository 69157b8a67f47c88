"""Python that makes functions again elsewhere: by import where they are installed, else by their source and that of all they use."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import sys
import textwrap
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from minigrad.core.primitive import Primitive
from minigrad.testing.report import literal

LARGEST = 400  # elements of an array that is written out


class Source:
    """Imports and definitions, each of which uses only what stands before it."""

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.definitions: list[str] = []
        self.made: dict[str, Any] = {}

    def imported(self, line: str) -> None:
        if line not in (*self.imports, "import numpy as np"):
            self.imports.append(line)

    def add(self, name: str, value: Any) -> None:
        """Makes the name stand for the value."""
        if name in self.made and self.made[name] is value:
            return
        self.made[name] = value
        if isinstance(value, ModuleType):
            top = value.__name__
            self.imported(f"import {top}" if name == top.split(".")[0] else f"import {top} as {name}")
        elif (
            isinstance(value, (bool, int, float, complex, str, bytes, type(None), tuple, list))
            or isinstance(value, np.ndarray)
            and value.size <= LARGEST
        ):
            self.definitions.append(f"{name} = {literal(value)}")
        elif isinstance(value, np.generic):
            self.definitions.append(f"{name} = np.{value.dtype}({value.item()!r})")
        else:
            self.function(name, value)

    def function(self, name: str, value: Any) -> None:
        """A function, a class, an operation, or the `apply` of a class."""
        owner = getattr(value, "__self__", None)
        if isinstance(owner, type):
            self.add(owner.__name__, owner)
            self.definitions.append(f"{name} = {owner.__name__}.{value.__name__}")
            return
        module, path = (
            getattr(value, "__module__", None),
            getattr(value, "__qualname__", None) or getattr(value, "__name__", None),
        )
        if isinstance(value, np.ufunc):
            module, path = "numpy", value.__name__
        if module and path and installed(module, path):
            self.imported(f"import {module}")
            self.definitions.append(f"{name} = {module}.{path}")
            return
        parts = [value.forward, *[rule.function for rule in value.rules]] if isinstance(value, Primitive) else [value]
        for n, part in enumerate(parts):
            text = source_of(part)
            if not text:
                self.definitions.append(f"{name} = ...  # put {path or value!r} here: its source cannot be found")
                return
            own = "" if text.startswith("lambda") else part.__name__
            self.made.setdefault(own, value)
            for used in names_in(text):
                found, what = looked_up(part, used)
                if found and what is not value and not (n and used in ("_", own)):
                    self.add(used, what)
            if not own:
                self.definitions.append(f"{name} = {text}")
            else:
                self.definitions.append(text + "\n\n")
                if own != name and n == 0:
                    self.definitions.append(f"{name} = {own}")


def installed(module: str, path: str) -> bool:
    """Can it be imported anywhere, and not just beside the file that it was written in?"""
    home = sys.modules.get(module)
    file = str(getattr(home, "__file__", None) or "site-packages")
    if home is None or not ("site-packages" in file or module.split(".")[0] in ("minigrad", *sys.stdlib_module_names)):
        return False
    value: Any = home
    for part in path.split("."):
        value = getattr(value, part, None)
    return value is not None and module != "__main__"


def source_of(function: Any) -> str:
    """The definition of a function or class, or the expression of a lambda; an empty string if it cannot be found."""
    if isinstance(function, FunctionType) and function.__name__ == "<lambda>":
        return lambda_of(function)
    try:
        text = textwrap.dedent(inspect.getsource(function)).strip()
        ast.parse(text)
    except (OSError, TypeError, SyntaxError):
        return ""
    return text if text.startswith(("def ", "class ", "@")) else ""


def lambda_of(function: FunctionType) -> str:
    """The expression that made a lambda: the one on its line that compiles to its code."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            segment = ast.get_source_segment(text, node) or ""
            try:
                outer = compile(f"({segment})", "<lambda>", "eval")
            except SyntaxError:
                continue
            if any(isinstance(c, CodeType) and alike(c, code) for c in outer.co_consts):
                return segment
    return ""


def alike(a: CodeType, b: CodeType) -> bool:
    """Have two pieces of code the same text? What is a closure in one is a global name in the other."""
    return (
        a.co_varnames == b.co_varnames
        and set(a.co_names) | set(a.co_freevars) == set(b.co_names) | set(b.co_freevars)
        and [c for c in a.co_consts if not isinstance(c, CodeType)]
        == [c for c in b.co_consts if not isinstance(c, CodeType)]
    )


def names_in(text: str) -> list[str]:
    """The names that a definition uses but for its parameters, unless their defaults use them."""
    tree = ast.parse(text)
    own = tree.body[0].value if isinstance(tree.body[0], ast.Expr) else tree.body[0]
    parameters = getattr(own, "args", None)
    taken = {a.arg for a in ast.walk(parameters) if isinstance(a, ast.arg)} if parameters else set()
    defaults = {n.id for n in ast.walk(parameters) if isinstance(n, ast.Name)} if parameters else set()
    used = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return [name for name in dict.fromkeys(used) if name not in taken or name in defaults]


def looked_up(function: Any, name: str) -> tuple[bool, Any]:
    """What a name means in a function: its closure's, its module's, or the default of a parameter that is called so."""
    functions = (
        [function]
        if isinstance(function, FunctionType)
        else [f for f in map(unwrapped, vars(function).values()) if isinstance(f, FunctionType)]
    )
    for one in functions:
        cells = dict(zip(one.__code__.co_freevars, one.__closure__ or (), strict=True))
        if name in cells:
            try:
                return True, cells[name].cell_contents
            except ValueError:  # not yet bound
                return False, None
    for one in functions:
        if name in one.__code__.co_varnames:
            for parameter in inspect.signature(one).parameters.values():
                if parameter.name == name and isinstance(parameter.default, (bool, int, float, str, tuple)):
                    return True, parameter.default
    home = (
        functions[0].__globals__ if functions else vars(sys.modules.get(getattr(function, "__module__", ""), builtins))
    )
    for one in functions:
        if name in one.__code__.co_varnames:
            return False, None
    return (True, home[name]) if name in home and not hasattr(builtins, name) else (False, None)


def unwrapped(value: Any) -> Any:
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
