"""The arguments of every public name are torch's: names, order, defaults, and which may only be named."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import minigrad
import minigrad.linalg
import minigrad.nn
import minigrad.optim.lr_scheduler

HERE = Path(__file__).parent
DATA = json.loads((HERE / "torch.json").read_text())
NO_DEFAULT = inspect.Parameter.empty
P = inspect.Parameter

# Overloads that are otherwise here, and why: arguments in their places are taken as in torch, but a name may be another.
REASONS: dict[str, dict[str, tuple[str, ...]]] = {
    "two forms of one argument have one name": {
        "function": ("dsplit", "hsplit", "vsplit", "tensor_split", "isin", "scatter"),
        "method": ("dsplit", "hsplit", "vsplit", "tensor_split", "scatter", "split"),
        "in place": ("scatter_",),
    },
    "the form is told from the argument's type: max(input, other), var(input, unbiased)": {
        "function": ("max", "min", "std", "std_mean", "var", "var_mean"),
        "method": ("max", "min", "std", "var"),
    },
    "with one argument less the first one is left out": {"function": ("arange", "randint", "repeat_interleave")},
    "out_dtype is for graphics processors": {"function": ("addmm", "baddbmm", "bmm", "mm")},
    "the equation is a name of its own": {"function": ("einsum",)},
    "torch's older argument, deprecated there": {"function": ("linalg.pinv", "rsub"), "method": ("expand",)},
    "padding='valid' is padding=0": {"function": ("nn.functional.conv1d", "nn.functional.conv2d", "nn.functional.conv3d")},
    "torch takes x too, as its documentation says": {"function": ("linalg.vector_norm",)},
    "the stub says None, torch refuses it": {"function": ("linspace", "logspace")},
    "several axes come as one tuple": {"method": ("count_nonzero", "squeeze"), "in place": ("squeeze_",)},
    "only shapes": {"method": ("view",)},
    "what torch does not document": {
        "in place function": ("nn.functional.elu_", "nn.functional.rrelu_"),
        "module": ("Sigmoid", "RNN", "LSTM", "GRU"),
    },
}
EXCEPTIONS = {(kind, name) for table in REASONS.values() for kind, names in table.items() for name in names}


class Argument:
    """One argument of an overload."""

    def __init__(self, name: str, kind: Any, default: Any = NO_DEFAULT) -> None:
        self.name = name
        self.kind = kind
        self.default = default


def parsed(overload: str) -> list[Argument]:
    """The arguments of an overload written as Python: "input, other, *, alpha=1"."""
    a = ast.parse(f"def f({overload}): pass").body[0].args  # type: ignore[attr-defined]
    defaults = [NO_DEFAULT] * (len(a.args) - len(a.defaults)) + [literal(d) for d in a.defaults]
    found = [Argument(p.arg, P.POSITIONAL_OR_KEYWORD, d) for p, d in zip(a.args, defaults, strict=True)]
    found += [Argument(a.vararg.arg, P.VAR_POSITIONAL)] if a.vararg else []
    found += [
        Argument(p.arg, P.KEYWORD_ONLY, NO_DEFAULT if d is None else literal(d))
        for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    ]
    return found


def literal(node: ast.AST) -> Any:
    """The default's value; ... for one that text cannot hold."""
    try:
        return ast.literal_eval(ast.unparse(node))
    except ValueError:
        return ...


def ours(kind: str, name: str) -> Any:
    """What minigrad has under a name; None if it is an attribute, and no function."""
    if kind in ("method", "in place"):
        return getattr(minigrad.Tensor, name)
    owner: Any = {"module": minigrad.nn, "optimiser": minigrad.optim, "scheduler": minigrad.optim.lr_scheduler}.get(kind, minigrad)
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner


def parameters(kind: str, name: str) -> list[inspect.Parameter]:
    found = ours(kind, name)
    listed = list(inspect.signature(found.__init__ if inspect.isclass(found) else found).parameters.values())
    return listed[1:] if kind not in ("function", "in place function") else listed


def positional_elsewhere(kind: str, name: str, argument: str) -> bool:
    """Has torch an overload in which this argument has a place? (one Python function stands for all of them)"""
    return any(a.name == argument and a.kind is not P.KEYWORD_ONLY for overload in DATA[kind][name] for a in parsed(overload))


def same(default: Any) -> Any:
    """Defaults that mean the same: one number for each axis and the number, nothing and None."""
    if isinstance(default, (list, tuple)):
        return None if not default else default[0] if len(set(default)) == 1 else tuple(default)
    return default


def differences(kind: str, name: str, overload: str) -> list[str]:
    """In what our arguments are not those of the overload."""
    wanted, mine = parsed(overload), parameters(kind, name)
    by_name = {p.name: p for p in mine}
    variadic = any(p.kind is P.VAR_POSITIONAL for p in mine)
    positional = [p.name for p in mine if p.kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD)]
    spread = getattr(ours(kind, name), "spread", False) or variadic
    found = []
    for i, a in enumerate(wanted):
        if a.kind is P.VAR_POSITIONAL:
            if not spread:
                found.append(f"*{a.name} cannot be spread over the call")
            continue
        if variadic and a.kind is not P.KEYWORD_ONLY:
            continue  # one sequence in place of several arguments
        if a.name not in by_name:
            found.append(f"{a.name} is missing")
            continue
        p = by_name[a.name]
        if a.kind is P.KEYWORD_ONLY:
            if p.kind is not P.KEYWORD_ONLY and not positional_elsewhere(kind, name, a.name):
                found.append(f"{a.name} must be keyword-only")
        elif i >= len(positional) or positional[i] != a.name:
            found.append(f"{a.name} is at place {positional.index(a.name) if a.name in positional else None}, not {i}")
        if a.default is not NO_DEFAULT and a.default is not ...:
            if p.default is NO_DEFAULT:
                found.append(f"{a.name} has no default, torch has {a.default!r}")
            elif same(p.default) != same(a.default) or isinstance(p.default, bool) != isinstance(a.default, bool):
                found.append(f"{a.name}={p.default!r}, torch has {a.default!r}")
    required = {a.name for a in wanted}
    found += [
        f"{p.name} is required, torch does not have it"
        for p in mine
        if p.default is NO_DEFAULT and p.kind not in (P.VAR_POSITIONAL, P.VAR_KEYWORD) and p.name not in required
    ]
    return found


NAMES = [(kind, name) for kind, table in DATA.items() if isinstance(table, dict) for name in table]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_arguments(kind: str, name: str) -> None:
    """Each overload of torch's is a call that we take too, unless the name is among the exceptions."""
    found = {overload: differences(kind, name, overload) for overload in DATA[kind][name]}
    wrong = {overload: what for overload, what in found.items() if what}
    if (kind, name) in EXCEPTIONS:
        assert wrong, "this is no exception any more: take it from the list"
    else:
        assert wrong == {}


def test_exceptions_are_names() -> None:
    assert set(NAMES) >= EXCEPTIONS


def test_a_difference_is_found() -> None:
    """Of each kind one: a name, a place, a default, a keyword that is no keyword."""
    assert differences("function", "add", "input, another, *, alpha=1") == [
        "another is missing",
        "other is required, torch does not have it",
    ]
    assert differences("function", "add", "other, input, *, alpha=1") == ["other is at place 1, not 0", "input is at place 0, not 1"]
    assert differences("function", "add", "input, other, *, alpha=2") == ["alpha=1, torch has 2"]
    assert differences("function", "add", "input, other, alpha=1") == ["alpha is at place None, not 2"]


def test_the_data_is_what_torch_says() -> None:
    torch = pytest.importorskip("torch")
    from tests.signatures.from_torch import as_json, data

    if torch.__version__.split("+")[0] != DATA["torch"]:
        pytest.skip(f"the data is that of torch {DATA['torch']}")
    assert (HERE / "torch.json").read_text() == as_json(data())
