"""The graph: nodes, what they keep for backward, and the leaves it ends in.

A node never refers to a Tensor, only to arrays and to older nodes. So the graph has no cycle, and all of it is freed the moment
the last tensor that needs it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import cython
except ImportError:
    from . import uncompiled as cython


@cython.freelist(512)
@cython.cclass
class Version:
    """Counts the writes to one storage. A tensor and all its views share it.

    `rebased` counts those writes that changed the graph too, after which a view must look up its node again;
    `writer` tells who wrote last.
    """

    __slots__ = ("writes", "rebased", "writer")

    def __init__(self) -> None:
        self.writes = 0
        self.rebased = 0
        self.writer: Any = None


@cython.freelist(1024)
@cython.cclass
class Saved:
    """An array kept for backward: who gets its gradient, and how often its storage had been written to by then."""

    __slots__ = ("array", "node", "version", "writes")
    if TYPE_CHECKING:
        array: Any
        node: Any
        version: Version
        writes: int


@cython.freelist(1024)
@cython.trashcan(True)
@cython.cclass
class Node:
    """One recorded call of a primitive.

    `edges` has, for each input, the node that gets its gradient, or None. `shape` and `dtype` are those of the output:
    every gradient that arrives is brought to them. `saved` and `output` are what the vjps will ask for.
    """

    __slots__ = (
        "sequence", "primitive", "edges", "saved", "output", "aux", "static", "shape", "dtype", "index", "place",
        "hooks", "retained", "released", "__weakref__",
    )  # fmt: skip
    if TYPE_CHECKING:
        sequence: int
        primitive: Any
        edges: Any
        saved: Any
        output: Any
        aux: Any
        static: Any
        shape: Any
        dtype: Any
        index: int
        place: Any
        hooks: Any
        retained: Any
        released: bool

    def __lt__(self, other: Node) -> bool:
        """A heap then pops the latest node first."""
        return self.sequence > other.sequence

    def __hash__(self) -> int:
        return self.sequence

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<{self.name().title().replace('_', '')}Backward0>" if self.primitive is not None else f"<Leaf {self.shape}>"

    def name(self) -> str:
        """The operation's name, as in the pictures of the graph."""
        return "leaf" if self.primitive is None else str(self.primitive.name)


@cython.cclass
class Leaf(Node):
    """The end of the graph at a tensor that needs a gradient: adds what arrives to its `.grad`.

    The tensor is held weakly: a gradient with a graph of its own (create_graph) would close a cycle otherwise.
    """

    __slots__ = ("tensor",)
    if TYPE_CHECKING:
        tensor: Any


class Clock:
    """Numbers the nodes as they are made, so that every node has a higher number than all it depends on."""

    __slots__ = ("now",)
    if TYPE_CHECKING:
        now: int


clock: Clock = Clock()
clock.now = 0


def start(node: Node, shape: Any, dtype: Any) -> None:
    """Fills what every node has."""
    clock.now += 1
    node.sequence = clock.now
    node.shape = shape
    node.dtype = dtype
    if not cython.compiled:
        node.primitive = node.edges = node.saved = node.output = node.aux = None
        node.static = node.place = node.hooks = node.retained = None
        node.index = 0
        node.released = False
