"""How much a run may take: memory for its values together, and steps in loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.inference.trace import owner

# Of nodes inside of loops: what runs longer than this is taken for an attack.
MOST_STEPS = 5_000_000


class Budget:
    """Memory is counted once for each array that owns some, for as long as a value sees it."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.left = max_bytes
        self.steps = MOST_STEPS
        self.seen: dict[int, list[int]] = {}  # by the identity of the owner: how many values see it, and its bytes

    def know(self, value: Any) -> None:
        """Takes no account of memory that was there before the run."""
        for array in owners(value):
            self.seen[id(array)] = [1, 0]

    def take(self, node: str, value: Any) -> None:
        """Counts a value that a node has given. Raises MemoryError if all together are too large."""
        for array in owners(value):
            found = self.seen.setdefault(id(array), [0, array.nbytes])
            if found[0] == 0:
                self.left -= found[1]
            found[0] += 1
        if self.left < 0:
            raise MemoryError(
                f"onnx.load: the values of the graph need more than max_bytes={self.max_bytes} at {node}; pass a larger max_bytes to load if the "
                "file is to be trusted"
            )

    def give_back(self, value: Any) -> None:
        """What was taken for a value that nothing reads any more."""
        for array in owners(value):
            found = self.seen[id(array)]
            found[0] -= 1
            if found[0] == 0:
                self.left += found[1]
                del self.seen[id(array)]

    def step(self) -> None:
        """Counts a node inside of a loop. Raises RuntimeError after too many."""
        self.steps -= 1
        if self.steps < 0:
            raise RuntimeError(f"onnx.load: loops of the graph ran more than {MOST_STEPS} nodes")


def owners(value: Any) -> Iterator[Any]:
    """The arrays whose memory a value sees."""
    if isinstance(value, Tensor):
        yield owner(value.array)
    elif isinstance(value, (list, tuple)):
        for x in value:
            yield from owners(x)
