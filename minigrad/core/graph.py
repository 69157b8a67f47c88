"""The graph: nodes, what they keep for backward, and the leaves it ends in.

A node never refers to a Tensor, only to arrays and to older nodes. So the graph has no cycle, and all of it is freed the moment
the last tensor that needs it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

if TYPE_CHECKING:
    from . import uncompiled as cython  # Cython's own stubs would make what it decorates untyped
else:
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
    """An array kept for backward: who gets its gradient, and how often its storage had been written to by then.

    Where hooks for saved tensors are in force, a `Packed` stands in the array's place.
    """

    __slots__ = ("array", "node", "version", "writes")
    if TYPE_CHECKING:
        array: Any
        node: Any
        version: Version
        writes: int


class RemovableHandle:
    """Takes a hook off again."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self.hooks = hooks
        self.hook = hook
        hooks.append(hook)

    def remove(self) -> None:
        """Removes the hook; a second call does nothing."""
        if self.hook is not None:
            self.hooks.remove(self.hook)
            self.hook = None

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Watch:
    """What has been asked of a node beyond its rule: hooks, a tensor's `.grad` to fill, notes. Few nodes have one."""

    __slots__ = ("on_gradient", "retained", "before", "after", "accumulated", "metadata")

    def __init__(self) -> None:
        self.on_gradient: list[Callable[..., Any]] = []  # Tensor.register_hook
        self.retained: Any = None  # a weak reference to the tensor that has called retain_grad
        self.before: list[Callable[..., Any]] = []  # Node.register_prehook
        self.after: list[Callable[..., Any]] = []  # Node.register_hook
        self.accumulated: list[Callable[..., Any]] = []  # Tensor.register_post_accumulate_grad_hook
        self.metadata: dict[Any, Any] = {}


class Part:
    """What stands in the place of a primitive in a node for one output of several: the node behind it has the rule."""

    name = "part"


PART = Part()


@cython.binding(False)
@cython.embedsignature(True)
@cython.embedsignature.format("clinic")
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
        "watch", "released", "__weakref__",
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
        watch: Any
        released: bool

    def __lt__(self, other: Node) -> bool:
        """A heap then pops the latest node first."""
        return self.sequence > other.sequence

    def __hash__(self) -> int:
        return self.sequence

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    def name(self) -> str:
        """The operation's name as torch writes it, such as MulBackward0."""
        if self.context is not None:
            return f"{self.primitive.name}Backward"
        return str(self.primitive.name).title().replace("_", "") + "Backward0"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """For each input the node that gets its gradient, with the number of that node's output; (None, 0) where none does."""
        return tuple([(None, 0) if edge is None else source_of(edge) for edge in self.edges or ()])

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's notes."""
        return watch(self).metadata

    @property
    def context(self) -> Any:
        """The ctx of a custom Function's node; None for others."""
        return self.static[0] if getattr(self.primitive, "takes_context", False) else None

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls `fn(grad_inputs, grad_outputs)` after this node has run; what it returns, if anything, replaces the first.

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> y = (x * 3).sum()
        >>> handle = y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: (grad_inputs[0] * 10,))
        >>> y.backward()
        >>> x.grad
        tensor([30., 30.])
        """
        return RemovableHandle(watch(self).after, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls `fn(grad_outputs)` before this node runs; what it returns, if anything, replaces them."""
        return RemovableHandle(watch(self).before, fn)

    def __getattr__(self, name: str) -> Any:
        """A custom Function's node also has what its ctx has."""
        if self.context is not None:
            return getattr(self.context, name)
        raise AttributeError(f"{self.name()} has no attribute {name!r}")


@cython.binding(False)
@cython.embedsignature(True)
@cython.embedsignature.format("clinic")
@cython.cclass
class Leaf(Node):
    """The end of the graph at a tensor that needs a gradient: adds what arrives to its `.grad`.

    The tensor is held weakly: a gradient with a graph of its own (create_graph) would close a cycle otherwise.
    """

    __slots__ = ("tensor",)
    if TYPE_CHECKING:
        tensor: Any

    def name(self) -> str:
        """As torch calls it."""
        return "AccumulateGrad"

    @property
    def variable(self) -> Any:
        """The tensor whose `.grad` is filled; None if it is gone."""
        return self.tensor()


AWAITED: WeakSet[Leaf] = WeakSet()  # leaves on which Tensor.register_post_accumulate_grad_hook has been called


class GradientEdge(NamedTuple):
    """Where a tensor's gradient arrives: output number `output_nr` of `node`. It may stand for the tensor in `grad` and `backward`."""

    node: Node
    output_nr: int
    ownership_token: Any = None  # the node of this one output, where `node` has several


def source_of(node: Node) -> tuple[Node, int]:
    """The node with the rule, and which of its outputs this node stands for."""
    return (node.edges[0], node.index) if node.primitive is PART else (node, 0)


def watch(node: Node) -> Watch:
    """What is asked of the node, to be added to."""
    if node.watch is None:
        node.watch = Watch()
    found: Watch = node.watch
    return found


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
        node.static = node.place = node.watch = None
        node.index = 0
        node.released = False
