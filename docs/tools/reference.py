"""The reference: a page for each public module, of its docstrings and signatures as they are at run time."""

from __future__ import annotations

import importlib
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minigrad import Tensor
from minigrad.core.inplace import InPlace

# The modules with what stands above them, in the order of the table of contents.
MODULES = {
    "minigrad": "Tensors: making them, and the operations",
    "minigrad.Tensor": "The class Tensor",
    "minigrad.autograd": "Derivatives",
    "minigrad.autograd.functional": "Derivatives of functions",
    "minigrad.nn": "Layers",
    "minigrad.nn.functional": "Functions of layers",
    "minigrad.nn.init": "Initial weights",
    "minigrad.nn.utils": "Tools for layers",
    "minigrad.optim": "Optimisers",
    "minigrad.optim.lr_scheduler": "Learning rates",
    "minigrad.data": "Data sets and loaders",
    "minigrad.data.augment": "Augmentation",
    "minigrad.models": "Networks",
    "minigrad.train": "The training loop",
    "minigrad.inference": "Trained models",
    "minigrad.io": "Files",
    "minigrad.onnx": "ONNX",
    "minigrad.inspect": "Looking inside",
    "minigrad.testing": "Testing derivatives",
    "minigrad.linalg": "Linear algebra",
    "minigrad.utils.checkpoint": "Saving memory",
    "minigrad.amp": "Mixed precision",
    "minigrad.cuda": "GPUs",
    "minigrad.backends.cpu": "The processor",
}
PROPERTIES = (property, types.GetSetDescriptorType, types.MemberDescriptorType)  # the latter two of compiled classes
SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes|Shape|Shapes|Example|Examples|Note|Notes):$")
ITEM = re.compile(r"^(\*{0,2}\w[\w., *]*): (.*)$")


def members(name: str) -> dict[str, Any]:
    """The public names of a module with what they mean, sorted."""
    if name == "minigrad.Tensor":
        return {n: vars(Tensor)[n] for n in sorted(vars(Tensor)) if not n.startswith("_")}
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None) or [
        n for n in dir(module) if not n.startswith("_") and is_ours(getattr(module, n))
    ]
    return {
        n: getattr(module, n)
        for n in sorted(names, key=str.lower)
        if callable(getattr(module, n)) and not inspect.ismodule(getattr(module, n))
    }


def is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith("minigrad") and not isinstance(value, type(Any))


def signature(value: Any) -> str:
    """How it is called, without types, which the docstring tells in words."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    parameters = []
    for p in found.parameters.values():
        default = p.default if p.default is p.empty or isinstance(p.default, int | float | str | tuple | None) else ...
        parameters.append(p.replace(annotation=p.empty, default=default))
    return re.sub(
        r"\b(inf|nan)\b", r"float('\1')", str(found.replace(parameters=parameters, return_annotation=found.empty))
    )


def markdown(text: str) -> str:
    """A docstring as Markdown: its sections as lists, its examples fenced."""
    lines = inspect.cleandoc(text).splitlines()
    out: list[str] = []
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.lstrip().startswith(">>>"):
            depth = len(line) - len(line.lstrip())
            end = i
            while end < len(lines) and lines[end].strip():
                end += 1
            out += ["", "```pycon", *[example[depth:] for example in lines[i:end]], "```", ""]
            i = end
        elif SECTION.match(line):
            end = i + 1
            while end < len(lines) and (lines[end].startswith(" ") or not lines[end].strip()):
                end += 1
            out += [
                "",
                f"**{line}**",
                "",
                *section(inspect.cleandoc("\n" + "\n".join(lines[i + 1 : end])).splitlines()),
                "",
            ]
            i = end
        else:
            out.append(plain(line))
            i += 1
    return "\n".join(out).strip()


def section(lines: list[str]) -> Iterator[str]:
    """The entries of a section as a list, or its paragraphs as they are."""
    if not all(line.startswith(" ") or ITEM.match(line) for line in lines if line.strip()):
        yield from map(plain, lines)
        return
    for line in lines:
        found = ITEM.match(line)
        yield f"- `{found[1]}`: {plain(found[2])}" if found else f"  {plain(line.strip())}"


def plain(line: str) -> str:
    """A line of a docstring, in which stars and angle brackets outside of code mean themselves."""
    parts = line.split("`")
    parts[::2] = [re.sub(r"([*<])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def entry(kind: str, name: str, value: Any, text: str, depth: int = 0) -> str:
    """The description of one thing; `depth` counts what it is described in."""
    fence = "`" * (6 - depth)
    call = "" if kind in ("property", "attribute") else signature(value)
    return f"{fence}{{py:{kind}}} {name}{call}\n\n{text}\n{fence}\n"


def class_entry(name: str, value: type) -> str:
    """A class with the methods and properties that it documents itself."""
    parts = [markdown(value.__doc__ or "")]
    for member, found in vars(value).items():
        if member.startswith("_") or not getattr(found, "__doc__", None) or isinstance(found, type):
            continue
        if isinstance(found, PROPERTIES):
            parts.append(entry("property", member, found, markdown(found.__doc__ or ""), 1))
        elif defined_in(value, getattr(value, member)):
            parts.append(entry("method", member, getattr(value, member), markdown(found.__doc__), 1))
    return entry("class", name, value, "\n\n".join(parts))


def defined_in(owner: type, method: Any) -> bool:
    """Is it a method of this class, and not a function that the class only refers to?"""
    return callable(method) and str(getattr(method, "__qualname__", "")).startswith(f"{owner.__name__}.")


def page(name: str, title: str, known: dict[int, str]) -> str:
    """The page of a module. `known` has what other pages describe, by identity, and gets what this one does."""
    module = Tensor if name == "minigrad.Tensor" else importlib.import_module(name)
    out = [f"# {title}", f"`{name}`", "" if module is Tensor else markdown(module.__doc__ or "")]
    if module is Tensor:
        out.append(entry("class", "minigrad.Tensor", Tensor, markdown(Tensor.__doc__ or "")))
    same, in_place = [], []
    for short, value in members(name).items():
        full = f"{name}.{short}"
        if not getattr(value, "__doc__", None) or isinstance(value, int | float | str):
            continue
        if isinstance(value, InPlace):
            in_place.append(f"`{short}`")
            continue
        if id(value) in known:
            same.append(f"[`{short}`](#{known[id(value)]})")
            continue
        known[id(value)] = full
        if isinstance(value, type):
            out.append(class_entry(full, value))
        elif isinstance(value, PROPERTIES):
            out.append(entry("property", full, value, markdown(value.__doc__ or "")))
        else:
            out.append(entry("method" if module is Tensor else "function", full, value, markdown(value.__doc__)))
    if in_place:
        out += ["## In place", "They write their result into the first argument and return it: " + ", ".join(in_place)]
    if same:
        what = "Methods that are the functions of the same name" if module is Tensor else "Described elsewhere"
        out += [f"## {what}", ", ".join(same)]
    return "\n\n".join(part for part in out if part) + "\n"


def write(folder: Path) -> None:
    """Writes all pages and their list into a folder."""
    folder.mkdir(exist_ok=True)
    known: dict[int, str] = {}
    files = {
        name: "tensors" if name == "minigrad" else name.removeprefix("minigrad.").replace(".", "_") for name in MODULES
    }
    # What is in two places is described in the one that is read: conv2d as a function of layers, matmul as one of tensors.
    last = ("minigrad", "minigrad.linalg", "minigrad.Tensor")
    for name in sorted(MODULES, key=lambda name: last.index(name) + 1 if name in last else 0):
        update(folder / f"{files[name]}.md", page(name, MODULES[name], known))
    listed = "\n".join(f"{title} <{file}>" for file, title in zip(files.values(), MODULES.values(), strict=True))
    text = "# Reference\n\nMade from the docstrings; every example in it is run by a test.\n\n"
    update(folder / "index.md", f"{text}```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n")


def update(path: Path, text: str) -> None:
    """Writes a file if that changes it, so that Sphinx reads again only what is new."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
