"""Runs a training script written for torch under either framework, and records torch's losses.

``python tests/scripts/run.py`` (with torch installed) writes expected.json anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from zlib import crc32

import numpy as np

HERE = Path(__file__).parent
SCRIPTS = ("sequential_cnn", "unet", "segnet", "dcgan", "wgan_gp")


def load(name: str, framework: str) -> ModuleType:
    """The script as a module; for minigrad with its import lines changed, and nothing else."""
    source = (HERE / f"{name}.py").read_text()
    if framework == "minigrad":
        source = re.sub(r"^import torch$", "import minigrad as torch", source, flags=re.M)
        source = re.sub(r"^(import|from) torch\b", r"\1 minigrad", source, flags=re.M)
    module = ModuleType(f"{name}_{framework}")
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def losses(name: str, framework: str) -> list[float]:
    """The losses of the script, with weights and data that depend on nothing but their names."""
    script = load(name, framework)
    models = script.build()
    for key, model in models.items():
        state = model.state_dict()
        for entry, value in state.items():
            if value.ndim:
                rng = np.random.default_rng(crc32(f"{key}.{entry}".encode()))
                fan_in = max(1, int(np.prod(value.shape[1:])))
                numbers = rng.uniform(-1, 1, value.shape) / fan_in**0.5
                numbers = 1 + numbers / 4 if entry.endswith("running_var") or value.ndim == 1 and entry.endswith("weight") else numbers
                state[entry] = type(value)(numbers.astype("float32"))
        model.load_state_dict(state)
    return script.train(models, np.random.default_rng(7))


if __name__ == "__main__":
    recorded = {name: losses(name, "torch") for name in SCRIPTS}
    (HERE / "expected.json").write_text(json.dumps(recorded, indent=1) + "\n")
    print({name: values[:3] for name, values in recorded.items()})
