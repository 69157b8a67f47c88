"""Writes cupy_names.json: the names, signatures and limits of the real CuPy, which imports without a GPU. Run it where cupy-cuda12x is installed."""

from __future__ import annotations

import inspect
import json
import re
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
import cupy  # noqa: E402
import cupyx  # noqa: E402
import cupyx.scipy.special  # noqa: E402

METHOD = re.compile(r"\.\w+(\(.*\))(?: -> \w+)?$")


def functions(module: Any) -> dict[str, str | None]:
    """The functions of a module with their signatures; None for those that say none."""
    found: dict[str, str | None] = {}
    for name in sorted(dir(module)):
        thing = getattr(module, name, None)
        if name.startswith("_") or not callable(thing) or isinstance(thing, (type, cupy.ufunc)):
            continue
        try:
            found[name] = str(inspect.signature(thing))
        except (ValueError, TypeError):
            found[name] = None
    return found


def methods(kind: type) -> dict[str, str | None]:
    """The attributes of a class: methods with the signature that the first line of their documentation shows, others with None."""
    found: dict[str, str | None] = {}
    for name in sorted(dir(kind)):
        if name.startswith("_"):
            continue
        said = METHOD.search((getattr(kind, name).__doc__ or "").split("\n")[0])
        found[name] = said[1].replace("self, ", "").replace("self", "") if said else None
    return found


def ufuncs(module: Any) -> dict[str, bool]:
    """The elementwise functions of a module, and whether they have `at`."""
    return {
        name: getattr(getattr(module, name), "_scatter_op", None) is not None
        for name in sorted(dir(module))
        if isinstance(getattr(module, name), cupy.ufunc)
    }


names = {
    "version": cupy.__version__,
    "functions": functions(cupy),
    "ufuncs": ufuncs(cupy),
    "constants": [
        n for n in sorted(dir(cupy)) if not n.startswith("_") and isinstance(getattr(cupy, n), (int, float, type(None)))
    ],
    "dtypes": [
        n for n in sorted(dir(cupy)) if isinstance(getattr(cupy, n), type) and getattr(cupy, n).__module__ == "numpy"
    ],
    "ndarray": methods(cupy.ndarray),
    "special": [*sorted(n for n in dir(cupyx.scipy.special) if not n.startswith("_"))],
    "linalg": functions(cupy.linalg),
    "cuda": sorted(n for n in dir(cupy.cuda) if not n.startswith("_")),
    "Stream": sorted(n for n in dir(cupy.cuda.Stream) if not n.startswith("_")),
    "Event": sorted(n for n in dir(cupy.cuda.Event) if not n.startswith("_")),
    "Device": sorted(n for n in dir(cupy.cuda.Device) if not n.startswith("_")),
    "MemoryPool": sorted(n for n in dir(cupy.cuda.MemoryPool) if not n.startswith("_")),
    "runtime": sorted(n for n in dir(cupy.cuda.runtime) if not n.startswith("_")),
}
Path(__file__).with_name("cupy_names.json").write_text(json.dumps(names, indent=0) + "\n")
