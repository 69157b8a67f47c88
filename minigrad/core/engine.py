"""backward: the walk over the graph, latest node first.

Every node carries a number higher than those of all it depends on. So a heap that always gives the highest number gives a node only
after everything that uses its result, when its gradient is complete. There is no recursion: a graph may be of any depth.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from .graph import Leaf, Node
from .modes import set_recording
from .primitive import PART, Primitive, Rule, pick
from .silence import restore, silence
from .tensor import TABLE, Tensor, edge_of, make_tensor, needs_grad, register


class Walk:
    """One run of backward: the nodes that are ready, and the gradient that has reached each of them so far."""

    __slots__ = ("ready", "pending", "retain", "create", "wanted", "useful", "found")

    def __init__(self, retain: bool, create: bool) -> None:
        self.ready: list[Node] = []
        self.pending: dict[Node, Any] = {}
        self.retain = retain
        self.create = create
        self.wanted: Any = None  # for grad(): the nodes whose gradients are asked for, and those on the way to them
        self.useful: Any = None
        self.found: dict[Node, Tensor] = {}

    def deliver(self, node: Node, g: Tensor) -> None:
        """Adds a gradient to what the node has got."""
        if g.array.shape != node.shape or g.array.dtype is not node.dtype:
            g = fit(g, node)
        if node not in self.pending:
            self.pending[node] = g
            heappush(self.ready, node)
        elif not self.create and sole_owner(self.pending, node):
            add_into(self.pending[node].array, g.array)
        else:
            self.pending[node] = self.pending[node] + g

    def deliver_part(self, node: Node, index: Any, g: Tensor) -> None:
        """Puts the gradient of one output of a node with several in its place."""
        if node not in self.pending:
            self.pending[node] = [None] * len(node.shape)
            heappush(self.ready, node)
        self.pending[node][index] = g

    def run(self) -> None:
        """Visits every node that a gradient reaches, the latest first."""
        while self.ready:
            node: Node = heappop(self.ready)
            if node.hooks is not None:
                self.pending[node] = run_hooks(node, self.pending[node])
            if node.retained is not None:
                retain(node, self.pending[node], self.create)
            if self.wanted is not None and node in self.wanted:
                self.found[node] = self.pending[node]
            if isinstance(node, Leaf):
                self.accumulate(node)
            else:
                self.visit(node, self.pending.pop(node))

    def accumulate(self, leaf: Leaf) -> None:
        """Adds the gradient to the tensor's `.grad`, if the tensor is still there and nothing else was asked for."""
        mine = sole_owner(self.pending, leaf)
        g: Tensor = self.pending.pop(leaf)
        if self.wanted is not None:
            return
        x = leaf.tensor()
        if x is None:
            return
        if x.grad is None:
            x.grad = g if mine else TABLE["clone"](g) if self.create else make_tensor(g.array.copy())
        elif self.create:
            x.grad = x.grad + g
        else:
            add_into(x.grad.array, g.array)
            x.grad.written()

    def visit(self, node: Node, g: Any) -> None:
        """Runs the rules of one node and hands their results to its inputs."""
        if node.primitive is PART:
            self.deliver_part(node.edges[0], node.index, g)
            return
        primitive: Primitive = node.primitive
        if primitive.parts:
            g = tuple([zeros(s) if x is None else x for x, s in zip(g, node.shape)])  # noqa: B905
        rule: Rule
        for rule in primitive.rules:
            if rule.variadic:
                self.deliver_all(range(len(node.edges)), node, call_rule(rule, node, g))
            elif rule.joint:
                if self.wants(rule, node):
                    self.deliver_all(rule.inputs, node, call_rule(rule, node, g))
            elif self.wants(rule, node):
                out = call_rule(rule, node, g)
                if out is not None:
                    self.deliver(node.edges[rule.first], out)
        if not self.retain:
            node.released = node.saved is not None or node.output is not None or node.aux is not None
            node.saved = None
            node.output = None
            node.aux = None

    def wants(self, rule: Rule, node: Node) -> bool:
        """Does one of the inputs that a rule serves need its gradient?"""
        for i in rule.inputs:
            edge = node.edges[i]
            if edge is not None and (self.useful is None or edge in self.useful):
                return True
        return False

    def deliver_all(self, inputs: Any, node: Node, gradients: Any) -> None:
        """Hands on the results of a rule that serves several inputs."""
        if len(gradients) != len(inputs):
            raise RuntimeError(f"backward: the vjp of {node.primitive.name} gave {len(gradients)} gradients for {len(inputs)} inputs")
        for i, g in zip(inputs, gradients):  # noqa: B905
            edge = node.edges[i]
            if edge is not None and g is not None and (self.useful is None or edge in self.useful):
                self.deliver(edge, g)


def references(pending: dict[Any, Any], node: Any) -> tuple[int, int]:
    """How often a waiting gradient and its array are referred to."""
    g: Tensor = pending[node]
    return sys.getrefcount(g), sys.getrefcount(g.array)


SOLE_OWNER = references({0: make_tensor(np.zeros(1))}, 0)  # what this interpreter counts where nothing else refers to them


def sole_owner(pending: dict[Node, Any], node: Node) -> bool:
    """Is this entry all that refers to its gradient? Then the array may be added into, or become a `.grad`.

    Whoever else may hold it, a rule that passed its cotangent on, a saved value, a view, a hook, shows in the counts.
    """
    g: Tensor = pending[node]
    if g.array.base is not None or not g.array.flags.writeable:
        return False
    del g
    return references(pending, node) == SOLE_OWNER


def add_into(target: Any, g: Any) -> None:
    target += g


def fit(g: Tensor, node: Node) -> Tensor:
    """Undoes broadcasting and promotion, for all operations: a gradient has the shape and dtype of what it belongs to."""
    if g.array.shape != node.shape:
        g = TABLE["sum_to_size"](g, node.shape)
    if g.array.dtype != node.dtype:
        g = TABLE["to"](g, node.dtype)
    return g


def zeros(shape_and_dtype: tuple[Any, ...]) -> Tensor:
    return TABLE["zeros"](shape_and_dtype[0], dtype=shape_and_dtype[1])


def call_rule(rule: Rule, node: Node, g: Any) -> Any:
    """Runs one vjp on the cotangent and what the node has kept for it."""
    picks = rule.picks
    if not picks:
        return rule.function(g)
    if len(picks) == 1:
        return rule.function(g, pick(picks[0], node))
    if len(picks) == 2:
        return rule.function(g, pick(picks[0], node), pick(picks[1], node))
    return rule.function(g, *[pick(p, node) for p in picks])


def run_hooks(node: Node, g: Any) -> Any:
    """Shows the complete gradient to the hooks; each may replace it."""
    for hook in list(node.hooks):
        new = hook(g)
        if new is not None:
            if not isinstance(new, Tensor) or new.shape != g.shape:
                raise RuntimeError(
                    f"hook: expected None or a tensor of shape {g.shape}, got {getattr(new, 'shape', type(new).__name__)}"
                )
            g = new
    return g


def retain(node: Node, g: Tensor, create: bool) -> None:
    """Fills `.grad` of a result that asked for it."""
    x = node.retained()
    if x is not None:
        x.grad = (g if create else make_tensor(g.array.copy())) if x.grad is None else x.grad + g


def start_gradient(op: str, root: Tensor, gradient: Any) -> Tensor:
    """The cotangent to begin with: the given one, checked, or 1 for a single element."""
    if not needs_grad(root):
        raise RuntimeError(f"{op}: this tensor needs no gradient: nothing it was computed from has requires_grad=True")
    if gradient is None:
        if root.array.size != 1:
            raise RuntimeError(
                f"{op}: a gradient can be started implicitly only for one element, this tensor has shape {root.shape}; "
                "reduce it (x.sum()) or pass gradient="
            )
        return TABLE["ones"](root.shape, dtype=root.dtype)  # type: ignore[no-any-return]
    g: Tensor = gradient if isinstance(gradient, Tensor) else make_tensor(np.asarray(gradient, root.dtype))
    if g.shape != root.shape:
        raise RuntimeError(f"{op}: the gradient has shape {g.shape} but the tensor has shape {root.shape}")
    return g


def walk_from(op: str, roots: Sequence[Tensor], gradients: Sequence[Any], walk: Walk) -> None:
    """Starts a walk at the roots and runs it."""
    before = set_recording(walk.create)
    warnings = silence()
    try:
        for root, gradient in zip(roots, gradients, strict=True):
            g = start_gradient(op, root, gradient)
            node = edge_of(root)
            if walk.useful is None or node in walk.useful:
                walk.deliver(node, g)
        walk.run()
    finally:
        restore(warnings)
        set_recording(before)


def useful_nodes(roots: Sequence[Node], wanted: dict[Node, int]) -> set[Node]:
    """The nodes through which a wanted one can be reached from the roots."""
    seen = set(roots)
    stack = list(roots)
    while stack:
        node = stack.pop()
        for edge in node.edges or ():
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    useful = set()
    for node in sorted(seen, reverse=True):  # the oldest first: Node's < puts the latest first
        if node in wanted or any([edge in useful for edge in node.edges or ()]):
            useful.add(node)
    return useful


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def backward(
    tensor: Any, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Adds to `.grad` of every leaf the derivative of this tensor with respect to it.

    Args:
        tensor: the tensor to differentiate, or several.
        gradient: the vector of the vector-Jacobian product, of the tensor's shape; may be left out for one element.
        retain_graph: keep what backward needs, so that it can run again (default: as `create_graph`).
        create_graph: record backward itself, so that gradients can be differentiated.
        inputs: fill `.grad` of these tensors only.

    Raises:
        RuntimeError: no gradient is needed, the graph has been used already, or a value it needs was overwritten.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).backward(minigrad.tensor([1.0, 0.0, 1.0]))
    >>> x.grad
    tensor([2., 0., 6.])
    """
    roots = as_tuple(tensor)
    gradients = (None,) * len(roots) if gradient is None else as_tuple(gradient)
    if inputs is not None:
        leaves = as_tuple(inputs)
        found = grad(roots, leaves, gradients, retain_graph, create_graph, allow_unused=True)
        for x, g in zip(leaves, found, strict=True):
            if g is not None:
                x.grad = g if x.grad is None else x.grad + g
        return
    retaining = create_graph if retain_graph is None else retain_graph
    walk_from("backward", roots, gradients, Walk(retaining, create_graph))


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The derivatives of the outputs, summed, with respect to each input; `.grad` stays as it is.

    Args:
        outputs: the tensor to differentiate, or several.
        inputs: the tensors to differentiate with respect to: leaves or results.
        grad_outputs: one cotangent per output; None for an output of one element.
        retain_graph: keep what backward needs, so that it can run again (default: as `create_graph`).
        create_graph: record backward itself, so that the result can be differentiated.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        materialize_grads: give zeros instead of None.

    Raises:
        RuntimeError: an input needs no gradient or is not used.

    >>> import minigrad
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> (slope,) = minigrad.autograd.grad(x**3, x, create_graph=True)
    >>> (curvature,) = minigrad.autograd.grad(slope, x)
    >>> slope.item(), curvature.item()
    (27.0, 18.0)
    """
    roots, leaves = as_tuple(outputs), as_tuple(inputs)
    gradients = (None,) * len(roots) if grad_outputs is None else as_tuple(grad_outputs)
    wanted: dict[Any, int] = {}
    for i, x in enumerate(leaves):
        if not needs_grad(x):
            raise RuntimeError(f"grad: input {i} (shape {x.shape}) needs no gradient; set requires_grad=True before it is used")
        wanted[edge_of(x)] = i
    walk = Walk(create_graph if retain_graph is None else retain_graph, create_graph)
    walk.wanted = wanted
    walk.useful = useful_nodes([edge_of(r) for r in roots if needs_grad(r)], wanted)
    walk_from("grad", roots, gradients, walk)
    results = [walk.found.get(edge_of(x)) for x in leaves]
    for i, (x, g) in enumerate(zip(leaves, results, strict=True)):
        if g is None and materialize_grads:
            results[i] = zeros((x.shape, x.dtype))
        elif g is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {i} (shape {x.shape}); allow_unused=True gives None for it")
    return tuple(results)


register("backward", backward)
