"""backward: the walk over the graph, latest node first.

Every node carries a number higher than those of all it depends on. So a heap that always gives the highest number gives a node only
after everything that uses its result, when its gradient is complete. There is no recursion: a graph may be of any depth.

Leaves are the oldest and so would all come last. Where a hook waits for one, to send its gradient away or to make the step at once, the walk
counts how often the leaf is used and visits it right after its last use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

import numpy as np

from ..kernels import of, xp
from .graph import AWAITED, PART, GradientEdge, Leaf, Node, Watch, start
from .modes import current_task, grad_mode, set_recording, set_task
from .primitive import Primitive, Rule, inputs_of, pick
from .silence import control, restore, set_control, silence
from .tensor import TABLE, Tensor, edge_of, make_tensor, register

TASKS = count(1)
ENDINGS: dict[int, list[Callable[[bool], None]]] = {}  # what is to be called when a walk has ended, by its number


class Anomalies:
    """Whether walks look out for NaN, and what with; see core/anomaly.py, which is imported only then.

    `witness` may be a function that gives each walk another object to show its nodes to, around the first or None: the profiler's.
    """

    def __init__(self) -> None:
        self.on = False
        self.check_nan = True
        self.witness: Callable[[Any], Any] | None = None


ANOMALIES = Anomalies()


class Walk:
    """One run of backward: the nodes that are ready, and the gradient that has reached each of them so far."""

    __slots__ = ("ready", "pending", "retain", "create", "wanted", "useful", "found", "filling", "caught", "constant", "anomalies", "uses")

    def __init__(self, retain: bool, create: bool) -> None:
        self.ready: list[Node] = []
        self.pending: dict[Node, Any] = {}
        self.retain = retain
        self.create = create
        self.wanted: Any = None  # for grad(): the nodes whose gradients are asked for, and those on the way to them
        self.useful: Any = None
        self.found: dict[Node, Tensor] = {}
        self.filling = False  # are the wanted gradients to go into `.grad`?
        self.caught: Any = None  # where the gradients for the inputs of a watched node are collected
        self.constant: list[Node] = []  # those for which a rule gave None, which is to say 0
        self.uses: Any = None  # where hooks wait for leaves: how many nodes that use each are yet to be visited
        self.anomalies: Any = None
        if ANOMALIES.on:
            from .anomaly import Lookout

            self.anomalies = Lookout(ANOMALIES.check_nan)
        if ANOMALIES.witness is not None:
            self.anomalies = ANOMALIES.witness(self.anomalies)

    def deliver(self, node: Node, g: Tensor) -> None:
        """Adds a gradient to what the node has got."""
        if g.array.shape != node.shape or g.array.dtype is not node.dtype:
            g = fit(g, node)
        if node not in self.pending:
            self.pending[node] = g
            heappush(self.ready, node)
        elif not self.create and sole_owner(self.pending, node):
            of(g.array).add_into(self.pending[node].array, g.array)
        else:
            self.pending[node] = self.pending[node] + g

    def deliver_part(self, node: Node, index: Any, g: Tensor) -> None:
        """Puts the gradient of one output of a node with several in its place."""
        if node not in self.pending:
            self.pending[node] = [None] * len(node.shape)
            heappush(self.ready, node)
        before = self.pending[node][index]
        self.pending[node][index] = g if before is None else before + g

    def run(self) -> None:
        """Visits every node that a gradient reaches, the latest first."""
        while self.ready:
            node: Node = heappop(self.ready)
            if self.uses is None:
                self.take(node)
            elif node in self.pending:  # and no leaf that has been visited already
                self.take(node)
                self.take_leaves_behind(node)
        if self.constant:
            self.settle()

    def take(self, node: Node) -> None:
        """Visits a node whose gradient is complete."""
        if node.watch is not None:
            self.show(node, node.watch)
        if self.wanted is not None and node in self.wanted:
            self.found[node] = self.pending[node]
        if isinstance(node, Leaf):
            self.accumulate(node)
        else:
            self.visit(node, self.pending.pop(node))

    def take_leaves_behind(self, node: Node) -> None:
        """Visits the leaves that a node used, which has been visited, if it was the last to use them."""
        for edge in node.edges or ():
            if edge in self.uses:
                self.uses[edge] -= 1
                if self.uses[edge] == 0 and edge in self.pending:
                    self.take(edge)

    def settle(self) -> None:
        """Gives zeros to what has been reached by nothing but derivatives that are 0, which have spared the way there."""
        stack, seen = self.constant, set(self.constant)
        while stack:
            node: Node = stack.pop()
            if self.wanted is not None and node in self.wanted and node not in self.found:
                self.found[node] = zeros((node.shape, node.dtype))
            if isinstance(node, Leaf):
                leaf: Leaf = node
                x = leaf.tensor()
                if x is not None and x._grad is None:
                    self.pending[leaf] = zeros((leaf.shape, leaf.dtype), (x,))
                    self.accumulate(leaf)
            for edge in node.edges or ():
                if edge is not None and edge not in seen and (self.useful is None or edge in self.useful):
                    seen.add(edge)
                    stack.append(edge)

    def show(self, node: Node, watch: Watch) -> None:
        """Shows a tensor's complete gradient to its hooks, and keeps it if the tensor has asked for that."""
        if watch.on_gradient:
            self.pending[node] = run_hooks(watch.on_gradient, self.pending[node])
        if watch.retained is not None:
            retain(watch.retained(), self.pending[node], self.create)

    def accumulate(self, leaf: Leaf) -> None:
        """Adds the gradient to the tensor's `.grad`, if the tensor is still there and nothing else was asked for."""
        if self.anomalies is not None:
            self.anomalies.arrived(self.pending[leaf])
        if self.wanted is not None and not (self.filling and leaf in self.wanted):
            del self.pending[leaf]
            return
        x = leaf.tensor()
        if x is None:
            del self.pending[leaf]
            return
        if leaf.watch is not None and leaf.watch.before:
            (self.pending[leaf],) = run_prehooks(leaf, (self.pending[leaf],))
        mine = sole_owner(self.pending, leaf)
        g: Tensor = self.pending.pop(leaf)
        if x._grad is None:
            x._grad = g if mine else TABLE["clone"](g) if self.create else make_tensor(g.array.copy())
        elif self.create:
            x._grad = x._grad + g
        else:
            of(g.array).add_into(x._grad.array, g.array)
            x._grad.written()
        if leaf.watch is not None:
            run_posthooks(leaf, (), (g,))
            for hook in list(leaf.watch.accumulated):
                if hook(x) is not None:
                    raise RuntimeError("register_post_accumulate_grad_hook: the hook must return None; it may change x.grad in place")

    def visit(self, node: Node, g: Any) -> None:
        """Runs the rules of one node and hands their results to its inputs."""
        if node.primitive is PART:
            self.deliver_part(node.edges[0], node.index, g)
            return
        if self.useful is not None and not self.leads_on(node):
            return
        primitive: Primitive = node.primitive
        if primitive.parts:
            there = [x for x in g if x is not None][:1]
            g = tuple([zeros(s, there) if x is None and s is not None else x for x, s in zip(g, node.shape)])  # noqa: B905
        if node.watch is None and self.anomalies is None:
            self.run_rules(node, primitive, g)
        else:
            self.run_watched(node, primitive, g)
        if not self.retain:
            node.released = node.saved is not None or node.output is not None or node.aux is not None
            node.saved = None
            node.output = None
            node.aux = None

    def run_rules(self, node: Node, primitive: Primitive, g: Any) -> None:
        """Runs those rules of a node that serve inputs in need of a gradient."""
        if self.create and primitive.equals is not None:
            self.deliver_all(range(len(node.edges)), node, through_composite(node, g))
            return
        rule: Rule
        for rule in primitive.rules:
            if rule.variadic:
                self.deliver_all(range(len(node.edges)), node, call_rule(rule, node, g))
            elif rule.joint:
                if self.wants(rule, node):
                    self.deliver_all(rule.inputs, node, call_rule(rule, node, g))
            elif self.wants(rule, node):
                self.hand_on(node, rule.first, call_rule(rule, node, g))

    def run_watched(self, node: Node, primitive: Primitive, g: Any) -> None:
        """Runs the rules of a node between its hooks, and looks at what they give."""
        grad_outputs = g if primitive.parts else (g,)
        if node.watch is not None:
            grad_outputs = run_prehooks(node, grad_outputs)
        caught: list[Any] = [None] * len(node.edges)
        self.caught = caught
        try:
            self.run_rules(node, primitive, grad_outputs if primitive.parts else grad_outputs[0])
        except Exception as error:
            if self.anomalies is not None:
                self.anomalies.explain(node, error)
            raise
        self.caught = None
        if self.anomalies is not None:
            self.anomalies.examine(node, grad_outputs, caught)
        if node.watch is not None:
            caught = list(run_posthooks(node, tuple(caught), grad_outputs))
        for edge, out in zip(node.edges, caught):  # noqa: B905
            if edge is not None and out is not None and (self.useful is None or edge in self.useful):
                self.deliver(edge, out)

    def hand_on(self, node: Node, i: Any, out: Any) -> None:
        """Passes the gradient for one input of a node on to who made that input."""
        edge: Node = node.edges[i]
        if out is None:
            if node.context is None:  # a custom Function's None says that there is no gradient
                self.constant.append(edge)
            return
        g: Tensor = out
        if self.create and node.primitive.tied:
            g = tie(g, node)
        if self.caught is None:
            self.deliver(edge, g)
        else:
            self.caught[i] = fit(g, edge)

    def leads_on(self, node: Node) -> bool:
        """Is there a wanted node beyond this one?"""
        return any([edge is not None and edge in self.useful for edge in node.edges])

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
            if edge is not None and (self.useful is None or edge in self.useful):
                self.hand_on(node, i, g)


def tied(*gradient: Any, inputs: int) -> Any:
    """What a tie is recorded as having computed, from a gradient and so many inputs."""
    raise NotImplementedError


TIE = Primitive(tied, {})
TIE.vjp("gradient")(lambda g, inputs: (g, *[None] * inputs))


def tie(g: Tensor, node: Node) -> Tensor:
    """The gradient for an input of a node, recorded as if it depended on all its inputs, with derivative 0.

    So torch has it where a piecewise linear operation (and some linear ones) is differentiated twice: there is a second derivative, and it is 0.
    """
    knot: Node = Node.__new__(Node)
    start(knot, g.array.shape, g.array.dtype)
    knot.primitive = TIE
    knot.place = node.place
    knot.edges = (edge_of(g), *node.edges)
    knot.static = (len(node.edges),)
    out: Tensor = make_tensor(g.array)
    out.node = knot
    out.tracked = True
    return out


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
    if g.array.base is not None or type(g.array) is np.ndarray and not g.array.flags.writeable:
        return False
    del g
    return references(pending, node) == SOLE_OWNER


def fit(g: Tensor, node: Node) -> Tensor:
    """Undoes broadcasting and promotion, for all operations: a gradient has the shape and dtype of what it belongs to."""
    if g.array.shape != node.shape:
        g = TABLE["sum_to_size"](g, node.shape)
    if g.array.dtype != node.dtype:
        g = TABLE["to"](g, node.dtype)
    return g


def zeros(shape_and_dtype: tuple[Any, ...], there: Any = ()) -> Tensor:
    """Zeros on the device of the first of some tensors; on the default device if there is none."""
    return TABLE["zeros"](shape_and_dtype[0], dtype=shape_and_dtype[1], device=there[0].device if there else None)


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


def through_composite(node: Node, g: Tensor) -> list[Any]:
    """The gradients of a fused operation's inputs by the rules of the composite that it equals, which can be differentiated again."""
    tensors = []
    wanted = []
    for i, (x, edge) in enumerate(zip(inputs_of(node), node.edges)):  # noqa: B905
        if edge is not None:
            x = TABLE["reshape"](x, x.shape)  # a node of its own: of two inputs, one may have been computed from the other
            wanted.append((i, x))
        tensors.append(x)
    out = node.primitive.equals(*tensors, *node.static)
    found: list[Any] = [None] * len(tensors)
    if out.requires_grad:
        for (i, _), gradient in zip(wanted, grad(out, [x for _, x in wanted], g, create_graph=True, allow_unused=True)):  # noqa: B905
            found[i] = gradient
    return found


def run_hooks(hooks: list[Callable[..., Any]], g: Tensor) -> Tensor:
    """Shows a tensor's complete gradient to the hooks; each may replace it."""
    for hook in list(hooks):
        new = hook(g)
        if new is not None:
            g = checked("hook", new, g)
    return g


def checked(what: str, new: Any, old: Tensor) -> Tensor:
    """A gradient that a hook has put in another's place, if it can be that."""
    if not isinstance(new, Tensor):
        raise TypeError(f"{what}: expected None or a tensor of shape {old.shape}, got {type(new).__name__}")
    if new.shape != old.shape or new.dtype != old.dtype:
        raise RuntimeError(f"{what}: expected None or a tensor of shape {old.shape}, {old.dtype}, got {new.shape}, {new.dtype}")
    return new


def all_checked(what: str, new: Any, old: tuple[Any, ...]) -> tuple[Any, ...]:
    """The gradients that a node's hook has put in others' places, if they can be that."""
    new = as_tuple(new)
    if len(new) != len(old):
        raise RuntimeError(f"{what}: expected None or {len(old)} gradients, got {len(new)}")
    return tuple([a if a is None or b is None else checked(what, a, b) for a, b in zip(new, old, strict=True)])


def run_prehooks(node: Node, grad_outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Shows what arrives at a node to its hooks; each may replace it."""
    for hook in list(node.watch.before):
        new = hook(grad_outputs)
        if new is not None:
            grad_outputs = all_checked("register_prehook", new, grad_outputs)
    return grad_outputs


def run_posthooks(node: Node, grad_inputs: tuple[Any, ...], grad_outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Shows what a node has computed to its hooks; each may replace it."""
    for hook in list(node.watch.after):
        new = hook(grad_inputs, grad_outputs)
        if new is not None:
            grad_inputs = all_checked("register_hook", new, grad_inputs)
    return grad_inputs


def retain(x: Any, g: Tensor, create: bool) -> None:
    """Fills `.grad` of a result that asked for it."""
    if x is not None:
        x._grad = (g if create else make_tensor(g.array.copy())) if x._grad is None else x._grad + g


def start_gradient(op: str, node: Node, gradient: Any) -> Tensor:
    """The cotangent to begin with: the given one, checked, or 1 for a single element."""
    if gradient is None:
        if any([n != 1 for n in node.shape]):
            raise RuntimeError(
                f"{op}: a gradient can be started implicitly only for one element, this tensor has shape {node.shape}; "
                "reduce it (x.sum()) or pass its gradient"
            )
        one = np.empty(node.shape, node.dtype)
        one.fill(1)
        return make_tensor(one)
    if not isinstance(gradient, Tensor):
        raise TypeError(f"{op}: a gradient must be a tensor or None, got {type(gradient).__name__}")
    g: Tensor = gradient
    if g.shape != node.shape:
        raise RuntimeError(f"{op}: the gradient has shape {g.shape} but the tensor has shape {node.shape}")
    return g


def walk_from(op: str, roots: Sequence[Node], gradients: Sequence[Any], walk: Walk) -> None:
    """Starts a walk at the roots and runs it."""
    task = next(TASKS) if walk.wanted is None else -next(TASKS)
    task_before, grad_before, control_before = current_task(), grad_mode(), control()
    completed, warnings = False, None
    try:
        set_task(task)
        set_recording(walk.create)
        warnings = silence()
        for node, gradient in zip(roots, gradients, strict=True):
            g = start_gradient(op, node, gradient)
            if walk.useful is None or node in walk.useful:
                walk.deliver(node, g)
        if walk.wanted is None and AWAITED:
            walk.uses = uses_of_leaves(roots)
        walk.run()
        completed = True
    finally:
        try:
            for ending in ENDINGS.pop(task, ()):
                ending(completed)
        finally:
            try:
                set_recording(grad_before)
                set_task(task_before)
                if completed:
                    restore(warnings)
                else:
                    set_control(control_before)
            except BaseException:  # of a signal's handler, which runs as a call begins where this is not compiled
                set_recording(grad_before)
                set_task(task_before)
                set_control(control_before)
                raise
    if walk.anomalies is not None:
        walk.anomalies.close()


def at_end(task: int, ending: Callable[[bool], None]) -> None:
    """Has something called when the walk of this number has ended: `ending(completed)`."""
    ENDINGS.setdefault(task, []).append(ending)


def uses_of_leaves(roots: Sequence[Node]) -> dict[Node, int]:
    """How often each leaf is used by the nodes that can be reached from the roots."""
    uses: dict[Node, int] = {}
    seen = set(roots)
    stack = list(roots)
    while stack:
        node = stack.pop()
        for edge in node.edges or ():
            if isinstance(edge, Leaf):
                uses[edge] = uses.get(edge, 0) + 1
            elif edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return uses


def useful_nodes(roots: Sequence[Node], wanted: dict[Node, int]) -> set[Node]:
    """The nodes through which a wanted one can be reached from the roots."""
    seen = set(roots)
    stack = list(roots)
    oldest = min([node.sequence for node in wanted], default=0)  # what is older than all of them leads to none
    while stack:
        node = stack.pop()
        for edge in node.edges or ():
            if edge is not None and edge not in seen and edge.sequence >= oldest:
                seen.add(edge)
                stack.append(edge)
    useful = set()
    for node in sorted(seen, reverse=True):  # the oldest first: Node's < puts the latest first
        if node in wanted or any([edge in useful for edge in node.edges or ()]):
            useful.add(node)
    return useful


def as_tuple(x: Any) -> tuple[Any, ...]:
    return (x,) if isinstance(x, (Tensor, GradientEdge)) or not isinstance(x, (tuple, list)) else tuple(x)


def several(op: str, what: str, x: Any) -> tuple[Any, ...]:
    """One tensor or a sequence of them, as a tuple."""
    if isinstance(x, Tensor) or isinstance(x, GradientEdge):  # noqa: SIM101
        return (x,)
    try:
        found = tuple(x)
    except TypeError:
        found = (x,)
    for i, one in enumerate(found):
        if not isinstance(one, (Tensor, GradientEdge)):
            raise TypeError(f"{op}: expected {what} to be a tensor or a sequence of tensors, got {type(one).__name__} at index {i}")
    return found


def starting_points(op: str, outputs: tuple[Any, ...], gradients: Any) -> tuple[list[Node], tuple[Any, ...]]:
    """The nodes to start at, and a gradient or None for each."""
    if gradients is None:
        gradients = (None,) * len(outputs)
    elif isinstance(gradients, Tensor):
        gradients = (gradients,)
    elif isinstance(gradients, (tuple, list)) or hasattr(gradients, "__iter__"):
        gradients = tuple(gradients)
    else:
        raise TypeError(f"{op}: the gradients must be a tensor, None or a sequence of these, got {type(gradients).__name__}")
    if len(gradients) != len(outputs):
        raise RuntimeError(f"{op}: got {len(outputs)} tensors and {len(gradients)} gradients; pass one gradient, or None, for each tensor")
    gradients = [one_elsewhere(x) if g is None else g for x, g in zip(outputs, gradients)]  # noqa: B905
    roots = []
    for i, x in enumerate(outputs):
        node = destination(x)
        if node is None:
            raise RuntimeError(
                f"{op}: tensor {i} needs no gradient: nothing it was computed from has requires_grad=True, or it was computed under no_grad"
            )
        roots.append(node)
    return roots, tuple(gradients)


def one_elsewhere(x: Any) -> Any:
    """The gradient 1 for a tensor of one element that is not on the host; None otherwise."""
    if isinstance(x, Tensor) and type(x.array) is not np.ndarray and x.array.size == 1:
        return make_tensor(xp(x.array).ones_like(x.array))
    return None


def destination(x: Any) -> Any:
    """The node at which the gradient of a tensor, or of an edge that stands for one, arrives; None if nowhere."""
    if isinstance(x, Tensor):
        return edge_of(x)
    if x.ownership_token is not None:
        return x.ownership_token
    if not isinstance(x.node, Leaf) and x.node.primitive.parts:
        raise RuntimeError(f"{x.node.name()} has several outputs: get_gradient_edge(tensor) gives the edge of one")
    return x.node


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Adds to `.grad` of every leaf the derivative of these tensors, summed, with respect to it.

    Args:
        tensors: the tensor to differentiate, or several.
        grad_tensors: for each the vector of the vector-Jacobian product, of its shape; None for one element.
        retain_graph: keep what backward needs, so that it can run again (default: as `create_graph`).
        create_graph: record backward itself, so that gradients can be differentiated.
        grad_variables: torch's old name of `grad_tensors`.
        inputs: fill `.grad` of these tensors only, leaves or not.

    Raises:
        RuntimeError: no gradient is needed, the graph has been used already, or a value it needs was overwritten.
        TypeError: something is not a tensor.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> minigrad.autograd.backward([x.sum(), x * x], [None, minigrad.tensor([1.0, 0.0])])
    >>> x.grad
    tensor([3., 1.])
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError("backward: got grad_tensors and grad_variables, which is its old name; pass grad_tensors only")
        grad_tensors = grad_variables
    roots, gradients = starting_points("backward", several("backward", "tensors", tensors), grad_tensors)
    walk = Walk(create_graph if retain_graph is None else bool(retain_graph), bool(create_graph))
    if inputs is not None:
        wanted = {}
        for i, x in enumerate(several("backward", "inputs", inputs)):
            node = destination(x)
            if node is None:
                raise RuntimeError(f"backward: input {i} (shape {x.shape}) needs no gradient; set requires_grad=True before it is used")
            if isinstance(x, Tensor) and not x.is_leaf:
                x.retain_grad()
            wanted[node] = i
        if not wanted:
            raise RuntimeError("backward: inputs cannot be empty; leave it out to fill .grad of all leaves")
        walk.filling = True
        walk.wanted = wanted
        walk.useful = useful_nodes(roots, wanted)
    walk_from("backward", roots, gradients, walk)


def backward_method(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Adds to `.grad` of every leaf the derivative of this tensor with respect to it.

    Args:
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
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """The derivatives of the outputs, summed, with respect to each input; `.grad` stays as it is.

    Args:
        outputs: the tensor to differentiate, or several.
        inputs: the tensors to differentiate with respect to, leaves or results; of a dictionary of them the result is one too.
        grad_outputs: one cotangent per output; None for an output of one element.
        retain_graph: keep what backward needs, so that it can run again (default: as `create_graph`).
        create_graph: record backward itself, so that the result can be differentiated.
        only_inputs: of no effect, as in torch.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        is_grads_batched: each cotangent has a further axis in front; the results have one too, as from one call after another.
        materialize_grads: give zeros instead of None.

    Raises:
        RuntimeError: an input needs no gradient or is not used.
        TypeError: something is not a tensor.
        ValueError: materialize_grads=True beside allow_unused=False.

    >>> import minigrad
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> (slope,) = minigrad.autograd.grad(x**3, x, create_graph=True)
    >>> (curvature,) = minigrad.autograd.grad(slope, x)
    >>> slope.item(), curvature.item()
    (27.0, 18.0)
    """
    if isinstance(inputs, dict):
        found = grad(
            outputs, list(inputs.values()), grad_outputs, retain_graph, create_graph, only_inputs, allow_unused, is_grads_batched, materialize_grads
        )  # fmt: skip
        return dict(zip(inputs, found, strict=True))
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True gives zeros for unused inputs, allow_unused=False refuses them; leave out one")
    roots_of = several("grad", "outputs", outputs)
    leaves = several("grad", "inputs", inputs)
    if not leaves:
        raise RuntimeError("grad: inputs cannot be empty")
    if is_grads_batched:
        return batched_grad(roots_of, leaves, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    roots, gradients = starting_points("grad", roots_of, grad_outputs)
    wanted: dict[Any, int] = {}
    for i, x in enumerate(leaves):
        node = destination(x)
        if node is None:
            raise RuntimeError(f"grad: input {i} (shape {x.shape}) needs no gradient; set requires_grad=True before it is used")
        wanted[node] = i
    walk = Walk(create_graph if retain_graph is None else bool(retain_graph), bool(create_graph))
    walk.wanted = wanted
    walk.useful = useful_nodes(roots, wanted)
    walk_from("grad", roots, gradients, walk)
    results = []
    for i, x in enumerate(leaves):
        node = destination(x)
        g = walk.found.get(node)
        if g is None and materialize_grads:
            g = zeros((node.shape, node.dtype), (x,) if isinstance(x, Tensor) else ())
        elif g is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {i} (shape {node.shape}); allow_unused=True gives None for it")
        results.append(g)
    return tuple(results)


def batched_grad(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], grad_outputs: Any, retain_graph: Any, create_graph: bool, *unused: Any
) -> tuple[Any, ...]:
    """The results of grad() for each cotangent of a batch, stacked."""
    batches = as_tuple(grad_outputs)
    lengths = {len(b) if isinstance(b, Tensor) and b.ndim else 0 for b in batches}
    n = max(lengths)
    if n == 0 or len(lengths) != 1:
        raise RuntimeError(
            f"grad: is_grads_batched=True needs for every output a batch of cotangents, all of one length above 0; got lengths {sorted(lengths)}"
        )
    keep = create_graph if retain_graph is None else retain_graph
    rows = [
        grad(outputs, inputs, [b[i] for b in batches], keep or i < n - 1, create_graph, True, unused[0], False, unused[1])
        for i in range(n)
    ]
    return tuple([None if column[0] is None else TABLE["stack"](list(column)) for column in zip(*rows, strict=True)])


backward_method.__name__ = backward_method.__qualname__ = "backward"
register("backward", backward_method)
