"""The graph as the user may see and change it: nodes, edges, hooks for saved tensors, hooks for several gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from minigrad.core.engine import at_end
from minigrad.core.graph import GradientEdge, Node, RemovableHandle, source_of
from minigrad.core.modes import current_task, inside, pop_saving_hooks, push_saving_hooks, saving_hooks
from minigrad.core.tensor import Tensor, edge_of, version_of

__all__ = [
    "GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version", "register_multi_grad_hook",
    "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class saved_tensors_hooks:
    """A ``with`` block, or a decorator, in which tensors that are saved for backward go through a pair of functions.

    When an operation saves a tensor, `pack_hook(tensor)` is called, unrecorded, and what it returns is kept in the tensor's place;
    when backward needs the tensor, `unpack_hook` of that must return one of the same shape. Of several blocks the innermost counts. What hooks
    have replaced backward cannot check for overwriting.

    >>> import minigrad
    >>> kept = []
    >>> def pack(x):
    ...     kept.append(x)
    ...     return len(kept) - 1
    >>> x = minigrad.ones(3, requires_grad=True)
    >>> with minigrad.autograd.graph.saved_tensors_hooks(pack, lambda i: kept[i]):
    ...     y = x.exp()
    >>> len(kept)
    1
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        push_saving_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exc: object) -> None:
        pop_saving_hooks()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return inside(lambda: saved_tensors_hooks(self.pack_hook, self.unpack_hook), function)


class save_on_cpu(saved_tensors_hooks):
    """A ``with`` block in which saved tensors are copied to the memory of the CPU; they are in it here, so the copies only cost.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.autograd.graph.save_on_cpu():
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor.clone(), lambda tensor: tensor)


class disable_saved_tensors_hooks:
    """A ``with`` block in which hooks for saved tensors are refused with this message."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message
        self.before: str | None = None

    def __enter__(self) -> None:
        if saving_hooks.pairs:
            raise RuntimeError(self.error_message)
        self.before, saving_hooks.forbidden = saving_hooks.forbidden, self.error_message

    def __exit__(self, *exc: object) -> None:
        saving_hooks.forbidden = self.before


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the tensor's gradient arrives. `grad` and `backward` take it in the tensor's place, so the tensor itself may go.

    Raises:
        RuntimeError: the tensor needs no gradient.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> y = x * 3
    >>> edge = minigrad.autograd.graph.get_gradient_edge(y)
    >>> edge.node.name(), edge.output_nr
    ('MulBackward0', 0)
    >>> minigrad.autograd.grad((y * y).sum(), edge)
    (tensor([6., 6.]),)
    """
    node = edge_of(tensor)
    if node is None:
        raise RuntimeError("get_gradient_edge: this tensor needs no gradient (requires_grad is False)")
    source, index = source_of(node)
    return GradientEdge(source, index, None if source is node else node)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Tells autograd that tensors were written to behind its back, so that backward refuses what it has saved of them."""
    for x in (tensor,) if isinstance(tensor, Tensor) else tensor:
        if not isinstance(x, Tensor):
            raise TypeError(f"increment_version: expected tensors, got {type(x).__name__}")
        if x.is_inference():
            raise RuntimeError("increment_version: writes to inference tensors are not counted")
        version = version_of(x)
        version.writes += 1
        version.writer = None


class MultiGradHook(RemovableHandle):
    """Waits in every backward for the gradients of several tensors."""

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[..., Any], mode: str) -> None:
        self.fn = fn
        self.first_only = mode == "any"
        self.n = len(tensors)
        self.arrived: dict[int, dict[int, Tensor]] = {}  # by the number of the backward; empty once fn has been called
        wanted = [(i, x) for i, x in enumerate(tensors) if x.requires_grad or not self.first_only]
        self.handles = [x.register_hook(partial(self.see, i)) for i, x in wanted]

    def see(self, index: int, g: Tensor) -> None:
        """Takes one gradient, and calls fn if it is the last that can come."""
        task = current_task()
        if task not in self.arrived:
            self.arrived[task] = {}
            at_end(task, partial(self.finish, task))
            if self.first_only:
                self.fn(g)
        if not self.first_only:
            self.arrived[task][index] = g
            if len(self.arrived[task]) == self.n:
                self.call(task)

    def call(self, task: int) -> None:
        """Calls fn with what has arrived."""
        arrived = self.arrived[task]
        self.arrived[task] = {}
        self.fn(tuple(arrived.get(i) for i in range(self.n)))

    def finish(self, task: int, completed: bool) -> None:
        """At the end of a backward: no other gradient will come."""
        if completed and self.arrived[task]:
            self.call(task)
        del self.arrived[task]

    def remove(self) -> None:
        """Removes the hook; a second call does nothing."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., Any], *, mode: str = "all"
) -> RemovableHandle:
    """Calls `fn` once in every backward that reaches these tensors.

    Args:
        tensors: tensors that need gradients.
        fn: with mode "all" it is called with a tuple of their gradients when all are known, None for those that this backward does not
            reach; with mode "any" it is called with the first gradient.
        mode: "all" or "any".

    Raises:
        ValueError: another mode.
        RuntimeError: with mode "all", one of the tensors needs no gradient.

    >>> import minigrad
    >>> a, b = minigrad.ones(2, requires_grad=True), minigrad.ones(2, requires_grad=True)
    >>> c, d = a * b, a * b
    >>> def tell(grads):
    ...     print([g is not None for g in grads])
    >>> handle = minigrad.autograd.graph.register_multi_grad_hook((a, b, c, d), tell)
    >>> c.sum().backward(retain_graph=True)
    [True, True, True, False]
    >>> c.sum().backward(inputs=(a,), retain_graph=True)
    [True, False, True, False]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"register_multi_grad_hook: expected mode 'all' or 'any', got {mode!r}")
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"register_multi_grad_hook: expected tensors, got {type(x).__name__}")
    return MultiGradHook(tensors, fn, mode)
