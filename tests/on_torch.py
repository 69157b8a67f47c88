"""A module of minigrad that uses torch's names only, run on torch: its own source with other import lines.

So the networks and the training algorithms have a twin in torch that cannot differ from them by a mistake in writing it twice.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import minigrad

PACKAGE = Path(minigrad.__file__).parent
LINES = (
    (r"from minigrad import nn$", "from torch import nn"),
    (r"import minigrad\.nn\.functional as F$", "import torch.nn.functional as F"),
    (r"from minigrad\.(core\.tensor|core\.modes|ops) import ", "from torch import "),
    (r"from minigrad\.autograd import ", "from torch.autograd import "),
    (r"from minigrad\.nn\.module import ", "from torch.nn import "),
    (r"from minigrad\.nn\.utils import ", "from torch.nn.utils import "),
    (r"from minigrad\.models\.weights import .*", "Path, with_weights = None, lambda model, weights: model"),
    (r"from minigrad\.(models|train)\.", r"from minigrad_on_torch.\1."),
)


def on_torch(name: str) -> ModuleType:
    """The twin of minigrad.<name> in torch."""
    full = f"minigrad_on_torch.{name}"
    if full in sys.modules:
        return sys.modules[full]
    source = (PACKAGE / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
    for needed in re.findall(r"^from minigrad\.((?:models|train)\.\w+) import", source, re.M):
        if needed != "models.weights":
            on_torch(needed)
    for pattern, replacement in LINES:
        source = re.sub(rf"^{pattern}", replacement, source, flags=re.M)
    assert not re.search(r"^(from|import) minigrad\b(?!_on_torch)", source, re.M), f"{name} imports what torch has not"
    for package in ("minigrad_on_torch", *(full.rsplit(".", i)[0] for i in range(1, full.count(".")))):
        sys.modules.setdefault(package, ModuleType(package))
    module = sys.modules[full] = ModuleType(full)
    exec(compile(source, f"<{full}>", "exec"), vars(module))
    return module


def copy_weights(model: Any, twin: Any) -> None:
    """Gives the twin in torch the model's weights, by name."""
    import torch

    twin.load_state_dict({name: torch.from_numpy(value.numpy().copy()) for name, value in model.state_dict().items()})
