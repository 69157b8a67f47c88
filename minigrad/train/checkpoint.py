"""A run's whole state in one file, so that it goes on after a crash as if nothing had happened."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, cast

import numpy as np

from minigrad.core.tensor import tensor
from minigrad.io import load, save
from minigrad.ops.random import get_rng_state, set_rng_state


class Checkpoint:
    """Parts of a run (model, optimizer, scheduler, generator, ...) and the random generators, saved together and restored together.

    path: the file; it is replaced as a whole, so a crash while saving leaves the one before. parts: by name, whatever has state_dict and
    load_state_dict, or get_state and set_state as a Generator has.

    A run that is resumed goes on bit for bit as it would have: besides the parts, the states of minigrad's, Python's and NumPy's
    global random generators are restored.

    >>> import minigrad, tempfile, os
    >>> model = minigrad.nn.Linear(2, 1)
    >>> optimizer = minigrad.optim.Adam(model.parameters())
    >>> path = os.path.join(tempfile.mkdtemp(), "run.checkpoint")
    >>> checkpoint = Checkpoint(path, model=model, optimizer=optimizer)
    >>> checkpoint.resume() is None
    True
    >>> checkpoint.save(epoch=3)
    >>> checkpoint.resume()
    {'epoch': 3}
    """

    def __init__(self, path: str | os.PathLike[str], **parts: Any) -> None:
        for name, part in parts.items():
            if not _has(part, "state_dict", "load_state_dict") and not _has(part, "get_state", "set_state"):
                raise TypeError(
                    f"Checkpoint: {name} is a {type(part).__name__}, which has no state_dict and load_state_dict; numbers go to save()"
                )
        self.path = Path(path)
        self.parts = parts

    def save(self, **progress: Any) -> None:
        """Writes the file. progress: what else to remember, such as the epoch: anything that minigrad.save can save."""
        states = {
            name: part.state_dict() if _has(part, "state_dict") else part.get_state()
            for name, part in self.parts.items()
        }
        self.write({"parts": states, "progress": progress, "random": self.random_state()})

    def resume(self) -> dict[str, Any] | None:
        """Restores all parts from the file and returns the progress that was saved with it; None if there is no file.

        Raises ValueError for a file that is no checkpoint, or one of other parts; nothing has been changed then. A state that does not
        fit its part raises what the part's load_state_dict does.
        """
        if not self.path.exists():
            return None
        saved = load(self.path)
        if not isinstance(saved, dict) or set(saved) != {"parts", "progress", "random"}:
            raise ValueError(f"Checkpoint: {self.path} was not written by Checkpoint.save")
        if set(saved["parts"]) != set(self.parts):
            raise ValueError(
                f"Checkpoint: {self.path} has the parts {sorted(saved['parts'])}, but {sorted(self.parts)} are to be restored"
            )
        for name, part in self.parts.items():
            state = saved["parts"][name]
            if _has(part, "load_state_dict"):
                part.load_state_dict(state)
            else:
                part.set_state(state)
        self.set_random_state(saved["random"])
        return cast("dict[str, Any]", saved["progress"])

    def write(self, content: dict[str, Any]) -> None:
        """Writes the file, whose folder may not be there yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save(content, self.path)

    def random_state(self) -> Any:
        """The states of minigrad's, Python's and NumPy's global random generators."""
        kind, key, position, has_gauss, gauss = np.random.get_state(legacy=True)
        version, numbers, following = random.getstate()
        return {
            "minigrad": get_rng_state(),
            "numpy": (kind, tensor(np.asarray(key, np.int64)), position, has_gauss, gauss),
            "python": (version, tensor(np.asarray(numbers, np.int64)), following),
        }

    def set_random_state(self, state: Any) -> None:
        """Restores what random_state gave."""
        set_rng_state(state["minigrad"])
        kind, key, *rest = state["numpy"]
        np.random.set_state((kind, key.numpy().astype(np.uint32), *rest))
        version, numbers, following = state["python"]
        random.setstate((version, tuple(numbers.tolist()), following))


def _has(part: Any, *names: str) -> bool:
    return all(callable(getattr(part, name, None)) for name in names)
