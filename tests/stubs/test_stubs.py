"""What type checkers are told is what the functions do: every signature in the stubs can be called, and gives what it says."""

from __future__ import annotations

import ast
import importlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.linalg
from minigrad import Tensor
from tests.stubs.writing import PACKAGE, written

STUBS = written()
REFUSED = (TypeError, ValueError, RuntimeError, IndexError)


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.name)
def test_the_stubs_are_what_the_script_writes(path: Path) -> None:
    assert path.read_text() == STUBS[path], "python -m tests.stubs writes it again"


# --- every form can be called -----------------------------------------------------------------------------------------


def tensors() -> Iterator[Tensor]:
    """Tensors of which every operation takes one."""
    yield minigrad.tensor([[2.0, 0.5, 0.25], [0.5, 3.0, 0.125], [0.25, 0.125, 0.75]])
    yield minigrad.tensor([0.25, 0.5, 0.75])
    yield minigrad.tensor([0, 2, 1])
    yield minigrad.tensor([[0, 2, 1], [1, 0, 2], [2, 1, 0]])
    yield minigrad.tensor([[True, False, True]] * 3)
    yield minigrad.tensor(0.5)
    yield minigrad.tensor(1)
    yield minigrad.full((3, 3, 3), 0.5)
    yield minigrad.tensor(0.5, requires_grad=True)
    yield minigrad.tensor([0.5, 2.0, 0.25], dtype=minigrad.float64)
    yield minigrad.get_rng_state()


WORDS = ["fro", "sum", "amax", "trunc", "linear", "right", "ij", "L", "reduced", "gelsd", "contiguous_format", "strided", "multiply", "use_mm_for_euclid_dist"]
CHOICES: dict[str, Callable[[], Any]] = {
    "Tensor": lambda: list(tensors()),
    "Array": lambda: [np.ones((3, 3), np.float32)],
    "Number": lambda: [0.5, 2, -1.0, np.float32(0.5)],
    "float": lambda: [0.5, 2.0],
    "int": lambda: [1, 0, 2, 3],
    "Index": lambda: [1, 0, 2, 3, np.int64(1)],
    "bool": lambda: [True, False],
    "str": lambda: WORDS,
    "None": lambda: [None],
    "DType": lambda: [minigrad.float64, "int64", minigrad.bool_],
    "Place": lambda: ["cpu", minigrad.device("cpu")],
    "Generator": lambda: [minigrad.Generator()],
    "Any": lambda: [[1.0, 2.0], np.ones(3, np.float32), "ij,jk->ik", next(tensors())],
    "object": lambda: [1],
    "Literal[True]": lambda: [True],
    "Literal[False]": lambda: [False],
    "Sequence[Tensor]": lambda: [[x, x] for x in tensors()],
    "Tensor | Sequence[Index]": lambda: [next(tensors()), (0, 1)],
    "Sequence[Tensor | None]": lambda: [[minigrad.tensor([0, 2])]],
    "Sequence[Index]": lambda: [(0, 1), (3, 3), (1, 2), (3, 1)],
    "Sequence[Sequence[Index]]": lambda: [[(0, 1), (0, 1)]],
    "Callable[[Any], Any]": lambda: [lambda x: x],
    "Callable[[Any, Any], Any]": lambda: [lambda x, y: x + y],
}
CHOICES["Indices"] = lambda: [*CHOICES["Index"](), *CHOICES["Sequence[Index]"]()]
CHOICES["Operand"] = lambda: [*CHOICES["Tensor"](), *CHOICES["Number"]()]


def choices(annotation: ast.expr) -> list[Any]:
    """Values of a type, of each of its alternatives."""
    if isinstance(annotation, ast.BinOp):
        return choices(annotation.left) + choices(annotation.right)
    name = ast.unparse(annotation)
    return list(CHOICES[outside(name)]())


def outside(kind: str) -> str:
    """A type as it is called outside of a class whose methods are called as types are."""
    return re.sub(r"\b(Bool|Float|Int|Str|Type)\b", lambda found: found[0].lower(), kind)


def definitions() -> Iterator[tuple[str, ast.FunctionDef, int]]:
    """Every signature in the stubs: the operation's name with where it is, its definition, and its number among those of the name."""
    for path, prefix in (("core/methods.pyi", "Tensor."), ("ops/functions.pyi", ""), ("ops/matrices.pyi", "linalg.")):
        body = ast.parse((PACKAGE / path).read_text()).body
        if prefix == "Tensor.":
            body = body[-1].body  # type: ignore[attr-defined]
        numbers: dict[str, int] = {}
        for node in body:
            if isinstance(node, ast.FunctionDef):
                numbers[node.name] = numbers.get(node.name, -1) + 1
                yield prefix + node.name, node, numbers[node.name]


FORMS = {f"{name}-{number}" if number else name: (name, node) for name, node, number in definitions()}
NEEDED: dict[str, dict[str, Any]] = {  # one of the optional arguments must be there
    "clamp": {"min": 0.5}, "clamp_": {"min": 0.5}, "clip": {"min": 0.5}, "clip_": {"min": 0.5}, "to": {"dtype": minigrad.float64},
}  # fmt: skip
NOT_HERE = {"Tensor.cuda": "needs a GPU", "Tensor.setitem_": "is what `x[key] = value` calls"}


def is_as_told(result: Any, kind: str, self: Any) -> bool:
    """Is the result of the type that the stub has?"""
    if kind == "Self":
        return result is self
    if kind == "Any":
        return True
    if kind.startswith("tuple["):
        of = {"None": type(None), "int": int, "Tensor": Tensor}[kind[6:].partition(",")[0]]
        return type(result) is tuple and all([isinstance(x, of) for x in result])
    return type(result).__name__ == {"Device": "device", "None": "NoneType"}.get(kind, kind)


def calls(node: ast.FunctionDef, positional: list[ast.arg], named: list[ast.arg]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Arguments for these parameters, one combination after another."""
    needed = NEEDED.get(node.name, {}) if len(positional) == 1 else {}
    values = [choices(a.annotation) if a.annotation is not None else list(tensors()) for a in (*positional, *named)]
    for chosen in itertools.islice(itertools.product(*values), 4000):
        fresh = [x.clone() if isinstance(x, Tensor) else x for x in chosen]
        yield fresh[: len(positional)], needed | dict(zip([a.arg for a in named], fresh[len(positional) :], strict=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", [form for form in FORMS if FORMS[form][0] not in NOT_HERE])
def test_what_is_told_of(form: str) -> None:
    name, node = FORMS[form]
    owner: Any = {"Tensor": Tensor, "linalg": minigrad.linalg}.get(name.partition(".")[0], minigrad)
    operation = vars(Tensor)[node.name] if owner is Tensor else getattr(owner, node.name)
    kind = outside(ast.unparse(node.returns or ast.Constant(None)))
    if isinstance(operation, property):
        assert is_as_told(operation.fget(next(tensors())), kind, None)
        return
    a = node.args
    everything = [*a.posonlyargs, *a.args]
    required = everything[: len(everything) - len(a.defaults)]
    optional = everything[len(required) :] + [p for p, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default is not None]
    demanded = [p for p, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default is None]
    positional = required + ([a.vararg] if a.vararg is not None else [])
    done, refusals, state = None, [], minigrad.get_rng_state()
    for args, more in calls(node, positional, demanded):
        try:
            result = operation(*args, **more)
        except REFUSED as error:
            refusals.append(repr(error))
            continue
        assert is_as_told(result, kind, args[0] if args else None), (kind, args, more, result)
        done = args, more
        break
    assert done is not None, refusals[:5]
    for p in optional:
        assert p in a.posonlyargs or accepted(operation, node, p, positional, demanded, kind), f"no value of its type is taken for {p.arg}"
    minigrad.set_rng_state(state)


def accepted(operation: Any, node: ast.FunctionDef, p: ast.arg, positional: list[ast.arg], demanded: list[ast.arg], kind: str) -> bool:
    """Is the optional argument taken, by its name, in some call, and the result what the stub says?"""
    for args, more in calls(node, positional, [*demanded, p]):
        try:
            result = operation(*args, **more)
        except REFUSED:
            continue
        assert is_as_told(result, kind, args[0] if args else None), (kind, args, more, result)
        return True
    return False


# --- programs of users ------------------------------------------------------------------------------------------------

PROGRAM = """\
import minigrad
from minigrad import Tensor, nn, optim
from minigrad.nn import functional as F

x = minigrad.randn(2, 3, requires_grad=True)
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
"""
RIGHT = {
    "x.relu()": "Tensor",
    "x.sum(dim=(0, 1), keepdim=True)": "Tensor",
    "x.sum().backward()": "None",
    "x.reshape(3, -1).T @ x.view((3, 2)) + 1": "Tensor",
    "2 * x / (1 - x) ** 2": "Tensor",
    "(x > 0) & ~(x == 1)": "Tensor",
    "x[0, ..., None]": "Tensor",
    "x.max()": "Tensor",
    "x.max(1).values": "Tensor",
    "minigrad.max(x, x)": "Tensor",
    "minigrad.sort(x, descending=True).indices": "Tensor",
    "minigrad.relu(x)": "Tensor",
    "minigrad.cat([x, x], dim=1)": "Tensor",
    "minigrad.zeros(2, 3, dtype=minigrad.float64)": "Tensor",
    "minigrad.arange(0, 1, 0.1)": "Tensor",
    "minigrad.where(x > 0, x, 0.0)": "Tensor",
    "minigrad.where(x > 0)": "tuple[Tensor, ...]",
    "minigrad.conv2d(minigrad.ones(1, 3, 8, 8), minigrad.ones(4, 3, 3, 3), padding=1)": "Tensor",
    "minigrad.exp_(x.detach())": "Tensor",
    "minigrad.linalg.eigh(x @ x.T).eigenvalues": "Tensor",
    "F.cross_entropy(model(x), minigrad.tensor([0, 1]))": "Tensor",
    "F.relu(x, inplace=True)": "Tensor",
    "x.split(1)": "tuple[Tensor, ...]",
    "x.size(0) * x.shape.numel() + x.shape[0]": "int",
    "x.shape[1:]": "Size",
    "x.to(minigrad.float64).to('cpu').type()": "str",
    "nn.Parameter(x).add_(1)": "Parameter",
    "optim.SGD(model.parameters(), lr=0.1).zero_grad()": "None",
    "minigrad.is_grad_enabled()": "bool",
    "minigrad.get_num_threads()": "int",
}
WRONG = {
    "x.rellu()": "attr-defined",
    "minigrad.rellu(x)": "attr-defined",
    "x.relu(1, 2, 3)": "call-arg",
    "minigrad.relu()": "call-arg",
    "minigrad.relu(1.0)": "arg-type",
    "x.sum(axis=0)": "call-arg",
    "x.softmax('rows')": "arg-type",
    "x + 'one'": "operator",
    "minigrad.cat(x)": "arg-type",
    "x.max(1).value": "attr-defined",
    "F.conv2d(x, x, x, paddding=1)": "call-arg",
    "nn.functional.relu6(x, 1, 2)": "call-arg",
}


MODULES = ["amp", "autograd", "autograd.functional", "backends", "cuda", "data", "data.augment", "distributed", "inference", "inspect", "io", "linalg", "models", "nn", "nn.functional", "nn.init", "nn.utils", "onnx", "optim", "optim.lr_scheduler", "testing", "train", "utils"]


def public_names() -> list[str]:
    """What users write to get at a name."""
    names = [f"minigrad.{name}" for name in dir(minigrad) if name.isidentifier() and not name.startswith("_") and name not in ("TYPE_CHECKING", "annotations", "core", "kernels")]
    for path in MODULES:
        module: Any = importlib.import_module(f"minigrad.{path}")
        here = [name for name, value in vars(module).items() if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__]
        names += [f"minigrad.{path}.{name}" for name in getattr(module, "__all__", here)]
    return names


def test_programs_of_users(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    names = public_names()
    (tmp_path / "names.py").write_text("import minigrad\n" + "".join([f"print({name})\n" for name in names]))
    head = len(PROGRAM.splitlines())
    (tmp_path / "right.py").write_text(PROGRAM + "".join([f"reveal_type({line})\n" for line in RIGHT]))
    (tmp_path / "wrong.py").write_text(PROGRAM + "".join([f"{line}\n" for line in WRONG]))
    environment = dict(os.environ)
    if "site-packages" not in PACKAGE.parts:
        environment["MYPYPATH"] = str(PACKAGE.parent)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", "--cache-dir", "cache", "names.py", "right.py", "wrong.py"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    found: dict[tuple[str, int], list[str]] = {}
    for line in done.stdout.splitlines():
        file, number, message = line.split(":", 2)
        found.setdefault((file, int(number) - head - 1), []).append(message.strip())
    prefix = re.compile(r"\b(?:\w+\.)+")
    told = {line: prefix.sub("", found.pop(("right.py", i), ["nothing"])[0]) for i, line in enumerate(RIGHT)}
    assert told == {line: f'note: Revealed type is "{kind}"' for line, kind in RIGHT.items()}
    codes = {line: found.pop(("wrong.py", i), ["nothing"])[0].rpartition(" ")[2] for i, line in enumerate(WRONG)}
    assert codes == {line: f"[{code}]" for line, code in WRONG.items()}
    assert found == {}
