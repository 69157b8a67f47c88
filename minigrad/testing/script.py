"""A script that shows a wrong gradient by itself, with nothing but the function and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing.adapters import Subject
from minigrad.testing.report import Finding, literal
from minigrad.testing.source import Source

LARGEST = 400  # elements: beyond that a script would not be read

HEAD = '''"""{name}: {what}."""
import numpy as np
{imports}
'''
DIFFERENCES = """
def differences(i, h):
    slopes = np.empty(inputs[i].shape)
    for place in np.ndindex(slopes.shape):
        ends = []
        for step in (h, -h):
            moved = [np.array(x) for x in inputs]
            moved[i][place] += step
            ends.append(sum((np.float64(w) * out).sum() for w, out in zip(cotangents, value(*moved))))
        slopes[place] = (ends[0] - ends[1]) / (2 * h)
    return slopes


found = gradients(*inputs)
for i in {moving}:
    print("gradient of input", i)
    print(found[i])
    print("by differences")
    print(differences(i, {step}))
"""
VALUES = {
    "numpy": """
def value(*arrays):
    out = fn(*arrays)
    return [np.asarray(o) for o in (out if isinstance(out, (tuple, list)) else [out])]


def gradients(*arrays):
    found = vjp(cotangents[0] if len(cotangents) == 1 else tuple(cotangents), *arrays)
    return found if isinstance(found, (tuple, list)) else [found]
""",
    "minigrad": """
def value(*arrays):
    out = fn(*[minigrad.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arrays])
    return [o.numpy() for o in (out if isinstance(out, (tuple, list)) else [out]) if o.dtype.kind == "f"]


def gradients(*arrays):
    xs = [minigrad.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in arrays]
    out = fn(*xs)
    outs = [o for o in (out if isinstance(out, (tuple, list)) else [out]) if o.requires_grad]
    minigrad.autograd.backward(outs, [minigrad.from_numpy(w) for w in cotangents[: len(outs)]])
    return [getattr(x, "grad", None) for x in xs]
""",
    "torch": """
def value(*arrays):
    out = fn(*[torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arrays])
    return [o.detach().numpy() for o in (out if isinstance(out, (tuple, list)) else [out]) if o.is_floating_point()]


def gradients(*arrays):
    xs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in arrays]
    out = fn(*xs)
    outs = [o for o in (out if isinstance(out, (tuple, list)) else [out]) if o.requires_grad]
    torch.autograd.backward(outs, [torch.from_numpy(w) for w in cotangents[: len(outs)]])
    return [getattr(x, "grad", None) for x in xs]
""",
}
BY_HAND = """

def gradients(*arrays):
    xs = [{framework}.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arrays]
    gs = [{framework}.from_numpy(w) for w in cotangents]
    found = vjp(gs[0] if len(gs) == 1 else tuple(gs), *xs)
    return found if isinstance(found, (tuple, list)) else [found]
"""
BESIDE_TORCH = """
try:
    import torch
except ImportError:
    torch = None
homes = [torch, torch.nn.functional, torch.linalg, torch.special] if torch is not None else []
for function in [getattr(home, "{name}") for home in homes if hasattr(home, "{name}")][:1]:  # what torch's function of this name gives
    xs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in inputs]
    out = function(*xs)
    outs = [o for o in (out if isinstance(out, (tuple, list)) else [out]) if o.requires_grad]
    torch.autograd.backward(outs, [torch.from_numpy(w) for w in cotangents[: len(outs)]])
    print("torch", *[getattr(x, "grad", None) for x in xs], sep="\\n")
"""


def script_of(subject: Subject, finding: Finding) -> str:
    """The script for a finding; an empty string if its arrays are too large to be written out, or its framework has no script."""
    arrays = [a for a in finding.arrays if isinstance(a, np.ndarray)]
    if subject.framework not in VALUES or sum(a.size for a in arrays) > LARGEST:
        return ""
    imports, definitions = defined(subject)
    moving = [i for i, a in enumerate(finding.arrays) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    single = any(a.dtype == np.float32 for a in arrays)
    lines = [
        HEAD.format(
            name=subject.name, what=finding.what.replace('"', "'").replace("\\", "/"), imports="\n".join(imports)
        ),
        *definitions,
        f"inputs = [{', '.join(literal(a) for a in finding.arrays)}]",
        f"cotangents = [{', '.join(literal(w) for w in finding.weights)}]",
        values_of(subject),
        DIFFERENCES.format(moving=moving, step="1e-2" if single else "1e-5"),
    ]
    if subject.framework == "minigrad" and maps_to_torch(subject.fn):
        lines.append(BESIDE_TORCH.format(name=name_of(subject.fn)))
    return "\n".join(line.rstrip("\n") for line in lines).strip() + "\n"


def values_of(subject: Subject) -> str:
    """The functions for values and gradients: these by the derivative that was given, if one was."""
    text = VALUES[subject.framework]
    if subject.framework == "numpy" or subject.vjp is None:
        return text
    return text[: text.index("\n\ndef gradients")] + BY_HAND.format(framework=subject.framework)


def maps_to_torch(fn: Any) -> bool:
    """Is this a public function of minigrad's, which torch may have under the same name?"""
    name = name_of(fn)
    home = str(getattr(fn, "__module__", ""))
    return (
        home.startswith(("minigrad.ops", "minigrad.nn.functional", "minigrad.linalg", "minigrad.special"))
        and name.isidentifier()
    )


def name_of(fn: Any) -> str:
    return str(getattr(fn, "name", None) or getattr(fn, "__name__", ""))


def defined(subject: Subject) -> tuple[list[str], list[str]]:
    """The imports and the definitions that make `fn` and `vjp`."""
    source = Source()
    if subject.framework != "numpy":
        source.imports.append(f"import {subject.framework}")
    for name, function in (("fn", subject.fn), ("vjp", subject.vjp)):
        if function is not None:
            source.add(name, function)
    return source.imports, source.definitions
