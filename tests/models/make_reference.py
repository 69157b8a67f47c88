"""Writes torchvision.json: what torchvision's networks are called inside, and what they answer. Needs torch and torchvision.

python -m tests.models.make_reference
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torchvision

from tests.models.fill import NETWORKS, digest, image, weight


def main() -> None:
    found = {"torchvision": torchvision.__version__.partition("+")[0]}
    for name, size in NETWORKS.items():
        start = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model = getattr(torchvision.models, name)(**start).eval()
        entries = model.state_dict()
        for position, (key, value) in enumerate(entries.items()):
            value.copy_(torch.from_numpy(weight(key, tuple(value.shape), position)))
        with torch.no_grad():
            logits = model(torch.from_numpy(image(size)))[0]
        found[name] = {
            "entries": len(entries),
            "parameters": sum(p.numel() for p in model.parameters()),
            "digest": digest((key, tuple(value.shape)) for key, value in entries.items()),
            "logits": [round(v, 6) for v in logits[::100].double().tolist()],
            "largest": round(float(logits.abs().max()), 6),
        }
    Path(__file__).with_name("torchvision.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
