"""Writes the files in the folder torch and what is in them, and what torch computes with trained weights. Needs torch,
facenet-pytorch and silero-vad.

python -m tests.io.make_torch_files
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tests.io.trained import NETWORKS, weights_file

HERE = Path(__file__).parent


def contents() -> dict[str, Any]:
    base = torch.arange(12.0).reshape(3, 4)
    shared = {
        "base": base,
        "transposed": base.t(),
        "part": base[1:, ::2],
        "again": base,
        "expanded": base[0, 1].expand(5),
    }
    dtypes = {
        str(dtype).removeprefix("torch."): torch.tensor([0, 1, 2]).to(dtype)
        for dtype in (
            torch.float64,
            torch.float32,
            torch.float16,
            torch.int64,
            torch.int32,
            torch.int16,
            torch.int8,
            torch.uint8,
            torch.bool,
        )
    }
    plain = {
        "numbers": [1, -2, 300, 70000, 2**40, -(10**30), 1.5, True, None], "text": "a \u00e4 \U0001f600", "bytes": b"\x00\xff", "tuple": (1, (2, [3])),
        "set": {1, 2}, "ordered": OrderedDict([("b", 1), ("a", 2)]), "counter": Counter("aab"), "size": torch.Size([1, 2]), 3: "three",
        "dtype": torch.float16,
    }  # fmt: skip
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    leaves = {
        "leaf": torch.ones(2, requires_grad=True),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "frozen": torch.nn.Parameter(torch.ones(2), False),
    }
    return {
        "shared": shared, "dtypes": dtypes, "plain": plain, "leaves": leaves, "scalar": torch.tensor(3), "empty": torch.zeros(0, 3),
        "checkpoint": {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3},
    }  # fmt: skip


def main() -> None:
    folder = HERE / "torch"
    folder.mkdir(exist_ok=True)
    for zipped in (True, False):
        form = "zip" if zipped else "legacy"
        torch.save(contents(), folder / f"{form}.pt", _use_new_zipfile_serialization=zipped)
        torch.save(
            torch.tensor([1.0, -2.5, 3.140625]).bfloat16(),
            folder / f"bfloat16.{form}.pt",
            _use_new_zipfile_serialization=zipped,
        )
        torch.save(torch.nn.Linear(1, 1), folder / f"module.{form}.pt", _use_new_zipfile_serialization=zipped)
    torch.save(contents(), folder / "protocol5.pt", pickle_protocol=5)
    torch.save({"words": torch.tensor([1, 2], dtype=torch.uint16)}, folder / "untyped.pt")
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(folder / "script.pt"))

    found = {}
    for name, (build, given, distribution, file) in NETWORKS.items():
        path = weights_file(distribution, file)
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path)
        network = build(torch.nn).eval()
        network.load_state_dict(state)
        with torch.no_grad():
            answers = network(torch.from_numpy(given))
        found[name] = {
            "digests": {key: hashlib.sha256(value.numpy().tobytes()).hexdigest()[:16] for key, value in state.items()},
            "answers": [[round(number, 7) for number in answer.flatten().tolist()] for answer in answers],
        }
    (HERE / "trained.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
