"""The names of torch, and which of them minigrad has: a page made by looking.

cd docs && python -m tools.torch_names    # writes docs/torch_names.json anew, from the torch that is installed
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

from minigrad.core.inplace import InPlace

from .reference import update

DATA = Path(__file__).resolve().parents[1] / "torch_names.json"
SPACES = (
    "", "Tensor", "nn", "nn.functional", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "autograd", "autograd.functional", "linalg",
    "utils.data", "utils.checkpoint",
)  # fmt: skip


def space(framework: str, name: str) -> Any:
    """The module of this name, or the class Tensor."""
    if name == "Tensor":
        return importlib.import_module(framework).Tensor
    return importlib.import_module(f"{framework}.{name}".rstrip("."))


# What torch exposes of the libraries behind it, of compression, of sparse matrices' formats and of tracing: nobody looks for those here.
INTERNAL = re.compile(
    r"^(cudnn|miopen|mkldnn|fbgemm|quantize|q_|sym_|native_|is_autocast|set_autocast|get_autocast|autocast_|batch_norm_(backward|elemt|gather|stats|update)|"
    r"choose_qparams|fake_quantize|fused_moving|int_repr|parse_|unify_|import_ir|merge_type|is_(ipu|maia|mkldnn|mtia|vulkan|xla|xpu|distributed|coalesced)|"
    r"(sparse|c?c?row|c?col|row)_.*|to_(sparse|mkldnn).*|const_data_ptr|unsafe_)|(_copy|_with_indices|_permuted|_handler?)$"
)


def public(owner: Any) -> list[str]:
    """What of it a user may call: neither modules nor what is typed or private."""
    found = []
    for name in dir(owner):
        value = getattr(owner, name, None)
        if (
            name.startswith("_")
            or inspect.ismodule(value)
            or getattr(value, "__module__", "") in ("typing", "typing_extensions", "collections.abc")
        ):
            continue
        if callable(value) or (inspect.isclass(owner) and value is not None):
            found.append(name)
    return found


CLASSES = (
    "Event",
    "Generator",
    "GradScaler",
    "Size",
    "Stream",
    "device",
    "dtype",
    "finfo",
    "iinfo",
    "layout",
    "memory_format",
)


def meant(owner: Any, name: str) -> bool:
    """Is it something that a space of torch offers, rather than what it has imported or left lying about?"""
    value, space_of = getattr(owner, name), owner.__name__
    where = str(getattr(value, "__module__", ""))
    if INTERNAL.search(name):
        return False
    if space_of == "torch" and inspect.isclass(value):
        return name in CLASSES or name.endswith("Tensor") or where.startswith("torch.autograd")
    if inspect.isclass(owner) or inspect.isbuiltin(value) or name in getattr(owner, "__all__", ()):
        return True
    return space_of != "torch" and not hasattr(owner, "__all__") and where.startswith(space_of)


def collect() -> dict[str, Any]:
    """The public names of the torch that is installed."""
    torch = importlib.import_module("torch")
    return {
        "torch": torch.__version__.split("+")[0],
        "names": {name: sorted_out(space("torch", name)) for name in SPACES},
    }


def sorted_out(owner: Any) -> list[str]:
    """The public names, those that are not meant for users with a question mark."""
    return [name if meant(owner, name) else f"{name}?" for name in public(owner)]


def compared() -> dict[str, tuple[list[str], list[str], list[str]]]:
    """For each space of names: what both have, what only torch has, and what only minigrad has."""
    names = json.loads(DATA.read_text(encoding="utf-8"))["names"]
    found = {}
    for name in SPACES:
        ours, theirs = space("minigrad", name), [n for n in names[name] if not n.endswith("?")]
        known = {n.rstrip("?") for n in names[name]}
        extra = [n for n in public(ours) if n not in known and documented(ours, n)]
        found[name] = [n for n in theirs if hasattr(ours, n)], [n for n in theirs if not hasattr(ours, n)], extra
    return found


def documented(owner: Any, name: str) -> bool:
    """Is it minigrad's own, and written by hand rather than made for every operation?"""
    value = getattr(owner, name)
    listed = getattr(owner, "__all__", None)
    at_home = str(getattr(value, "__module__", "")).startswith("minigrad" if inspect.isclass(owner) else owner.__name__)
    return (at_home if listed is None else name in listed) and not isinstance(value, InPlace)


def write(path: Path) -> None:
    """Writes the page."""
    path.parent.mkdir(exist_ok=True)
    update(path, page())


def page() -> str:
    """The comparison as Markdown."""
    version = json.loads(DATA.read_text(encoding="utf-8"))["torch"]
    found = compared()
    out = [
        "# PyTorch's names",
        f"Made by asking both: the public names of PyTorch {version}, kept in `docs/torch_names.json`, and whether minigrad has them. That a name is here says "
        "nothing of its arguments; those are compared by `tests/signatures`, and values by the tests of parity. Names of the libraries behind PyTorch (cuDNN, "
        "MKL-DNN, ...), of quantisation and of tracing are left out.",
        "| | both | only PyTorch | only minigrad |\n|---|---|---|---|\n"
        + "\n".join(
            f"| `torch{'.' if name else ''}{name}` | {len(both)} | {len(absent)} | {len(extra)} |"
            for name, (both, absent, extra) in found.items()
        ),
    ]
    for name, (_, absent, extra) in found.items():
        out.append(f"## `torch{'.' if name else ''}{name}`")
        out.append("**Only in PyTorch:** " + (", ".join(f"`{n}`" for n in absent) or "nothing") + ".")
        out.append("**Only in minigrad:** " + (", ".join(f"`{n}`" for n in extra) or "nothing") + ".")
    return "\n\n".join(out) + "\n"


if __name__ == "__main__":
    DATA.write_text(
        json.dumps(collect(), separators=(",", ":")).replace('":[', '":[\n').replace("],", "],\n") + "\n",
        encoding="utf-8",
    )
