"""Function: an operation of one's own with its backward, written as in torch.

`@primitive` (minigrad.core.primitive) is the other way, and the one that the package's own operations take. Which is for what:

    Function     two static methods on tensors; backward is one block for all inputs, and what it needs is put into a ctx by hand.
                 For scripts written for torch, and for tricks with gradients: reversing them, clipping them, straight-through estimators.
    @primitive   a function on arrays and one rule per input, whose parameter names say what to keep; only what will run is saved, the
                 operation becomes a method, and the laws of minigrad.testing can be run on it. For operations that are to stay.

Here is the same operation in both:

>>> import minigrad
>>> from minigrad.autograd import Function
>>> from minigrad.core.primitive import primitive
>>> class Cube(Function):
...     @staticmethod
...     def forward(ctx, input):
...         ctx.save_for_backward(input)
...         return input**3
...     @staticmethod
...     def backward(ctx, grad_output):
...         (input,) = ctx.saved_tensors
...         return 3 * input**2 * grad_output
>>> @primitive(method=False)
... def cube_of(input, /):
...     return input**3
>>> @cube_of.vjp("input")
... def _(g, input):
...     return 3 * input**2 * g
>>> x = minigrad.tensor(2.0, requires_grad=True)
>>> [minigrad.autograd.grad(f(x), x)[0].item() for f in (Cube.apply, cube_of)]
[12.0, 12.0]
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any

from minigrad.core.graph import PART, Node, start
from minigrad.core.inplace import finish
from minigrad.core.modes import no_grad, packing, recording
from minigrad.core.primitive import Primitive, unpack
from minigrad.core.saving import pack_values
from minigrad.core.source import here
from minigrad.core.tensor import OPAQUE, Tensor, edge_of, make_tensor, save, version_of

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What forward leaves for backward: tensors by `save_for_backward`, anything else as attributes."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True

    def __init__(self) -> None:
        self._to_save: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self._node: Any = None  # a weak reference: the node has the ctx
        self._outputs: dict[int, Any] = {}  # weak references to the nodes that stand for the outputs
        self._own: dict[int, int] = {}  # which saved tensor is which output

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors, inputs, outputs or others, for backward, which finds them in `saved_tensors`.

        Overwriting one of them before backward is then noticed, and hooks for saved tensors see them.

        Raises:
            TypeError: an argument is neither a tensor nor None.
        """
        for i, x in enumerate(tensors):
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(
                    f"save_for_backward: expected tensors or None, got {type(x).__name__} at index {i}; keep other things as attributes of ctx"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted for torch's sake: derivatives forward come from two of backward here."""

    def mark_dirty(self, *args: Tensor) -> None:
        """Says which inputs forward has written into; each must be returned too."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Says which outputs have no gradient."""
        self._non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """False: backward gets None, not zeros, for an output that has got no gradient."""
        self.materialize_grads = bool(value)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward was given.

        Raises:
            RuntimeError: an earlier backward has freed it, or one of the tensors was overwritten.
        """
        node = None if self._node is None else self._node()
        if node is None:
            return self._to_save
        if node.released:
            raise RuntimeError(
                f"backward: the tensors saved by {node.primitive.name} ({node.place}) were freed by an earlier backward; "
                "pass retain_graph=True to the first one, or compute the result again"
            )
        found = []
        for i, value in enumerate(node.saved or ()):
            source = None
            if i in self._own:
                source = self._outputs[self._own[i]]()
                if source is None:  # nobody has the output any more
                    source = output_of(node, self._own[i], value.array.shape, value.array.dtype)
            found.append(unpack(value, source, node, f"tensor {i} of save_for_backward"))
        return tuple(found)


class Function:
    """An operation with a backward of its own.

    A subclass has the static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`; or `forward(*args)`,
    `setup_context(ctx, inputs, output)` and `backward`. `apply(*args)` calls it. Forward is not recorded. Backward gets a gradient for
    each output and returns one, or None, for each argument of forward; if it consists of differentiable operations it can be
    differentiated itself. The top of this file compares it with `@primitive`.

    >>> import minigrad
    >>> class Reverse(minigrad.autograd.Function):
    ...     @staticmethod
    ...     def forward(x, scale):
    ...         return x.clone()
    ...     @staticmethod
    ...     def setup_context(ctx, inputs, output):
    ...         ctx.scale = inputs[1]
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         return -ctx.scale * grad_output, None
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> Reverse.apply(x, 3.0).sum().backward()
    >>> x.grad
    tensor([-3., -3.])
    """

    _operation: Primitive | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            f"{type(self).__name__}: a Function is not called but applied, {type(self).__name__}.apply(...); forward and backward are static"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; to be defined by the subclass."""
        raise NotImplementedError("Function: define the static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Saves what backward needs, if forward takes no ctx; may be defined by the subclass."""
        raise NotImplementedError("Function: setup_context is not defined")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Computes the gradients of forward's arguments; to be defined by the subclass."""
        raise NotImplementedError(
            "Function: define the static method backward(ctx, *grad_outputs), or vjp, to differentiate"
        )

    vjp = backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Calls forward, and records the call if a gradient will be needed.

        Raises:
            TypeError: forward does not take these arguments.
            RuntimeError: what forward has marked does not fit what it returned.
        """
        split = cls.setup_context is not Function.setup_context
        if split or kwargs:
            args = bound(cls, args, kwargs, split)
        ctx = FunctionCtx()
        tensors = [a for a in args if isinstance(a, Tensor)]
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        with no_grad():
            output = cls.forward(*args) if split else cls.forward(ctx, *args)
            if split:
                cls.setup_context(ctx, args, output)
        outputs = output if isinstance(output, tuple) else (output,)
        finished = record(cls, ctx, args, tensors, outputs, recording() and any(ctx.needs_input_grad))
        ctx._to_save = ctx._dirty = ctx._non_differentiable = ()  # they would close cycles
        return finished if isinstance(output, tuple) else finished[0]


def bound(cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any], split: bool) -> tuple[Any, ...]:
    """The arguments of forward in their order, with named ones and, where there is a setup_context, defaults in their places."""
    from inspect import signature

    arguments = (
        signature(cls.forward).bind(*args, **kwargs) if split else signature(cls.forward).bind(None, *args, **kwargs)
    )
    if split:
        arguments.apply_defaults()
    elif kwargs:
        last = max(i for i, name in enumerate(arguments.signature.parameters) if name in arguments.arguments)
        arguments.apply_defaults()
        positional = arguments.args[1 : last + 1]
        if not arguments.kwargs:
            return positional
    if arguments.kwargs:
        raise TypeError(
            f"{cls.__name__}.apply: forward takes {next(iter(arguments.kwargs))!r} by name only; let it take it by position too"
        )
    return arguments.args


def record(
    cls: type[Function],
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    tensors: list[Tensor],
    outputs: tuple[Any, ...],
    needed: bool,
) -> tuple[Any, ...]:
    """Makes the node of a call, and gives the outputs their places in the graph."""
    check_marks(cls, ctx, tensors, outputs)
    results = [finished(x, tensors) if isinstance(x, Tensor) and not is_among(x, ctx._dirty) else x for x in outputs]
    if not needed:
        return tuple(results)
    edges = tuple(edge_of(x) for x in tensors)  # first: leaves made here must have lower numbers than the node
    node = Node()
    start(
        node,
        tuple((x.shape, x.dtype) if isinstance(x, Tensor) and ctx.materialize_grads else None for x in results),
        None,
    )
    node.primitive = operation_of(cls)
    node.static = (ctx, tuple(isinstance(a, Tensor) for a in args))
    node.place = here()
    node.edges = edges
    ctx._node = weakref.ref(node)
    for i, (x, result) in enumerate(zip(outputs, results, strict=True)):
        if isinstance(result, Tensor) and result.dtype.kind in "fc" and not is_among(x, ctx._non_differentiable):
            ctx._outputs[i] = weakref.ref(attach(node, i, result, tensors, is_among(x, ctx._dirty)))
    saved = []
    for i, x in enumerate(ctx._to_save):
        own = [j for j in ctx._outputs if x is outputs[j]]
        if own:  # with its node this would close a cycle
            ctx._own[i] = own[0]
        saved.append(None if x is None else save(x.array, None if own else edge_of(x), version_of(x)))
    node.saved = saved or None
    if packing():
        pack_values(node)
    return tuple(results)


def is_among(x: Any, tensors: Any) -> bool:
    return any(x is t for t in tensors)


def check_marks(cls: type[Function], ctx: FunctionCtx, tensors: list[Tensor], outputs: tuple[Any, ...]) -> None:
    """Refuses marks that do not fit what forward has taken and returned."""
    for x in ctx._dirty:
        if not is_among(x, tensors):
            raise RuntimeError(f"{cls.__name__}: mark_dirty takes tensors that forward was given, got something else")
        if not is_among(x, outputs):
            raise RuntimeError(
                f"{cls.__name__}: an input marked dirty is not among the outputs; return what was written into"
            )
        root = x if x.base is None else x.base
        if recording() and root.requires_grad and root.is_leaf:
            what = "a leaf" if root is x else "a view of a leaf"
            raise RuntimeError(
                f"{cls.__name__}: {what} that needs a gradient cannot be written in place while the graph is recorded"
            )
    for x in ctx._non_differentiable:
        if not isinstance(x, Tensor):
            raise TypeError(f"{cls.__name__}: mark_non_differentiable takes outputs of forward, got {type(x).__name__}")


def finished(x: Tensor, tensors: list[Tensor]) -> Tensor:
    """An output that can be given a node: another tensor where forward returned an input, a view, or what has a history already."""
    if x.base is None and not x.requires_grad and not is_among(x, tensors):
        return x
    out = make_tensor(x.array)
    out.version = version_of(x)
    return out


def attach(node: Node, index: int, result: Tensor, tensors: list[Tensor], dirty: bool) -> Node:
    """Gives an output the node that hands its gradient on."""
    part = output_of(node, index, result.shape, result.dtype)
    if dirty:
        value = make_tensor(result.array)
        value.node, value.tracked = part, True
        finish(str(node.primitive.name), result, value)
    else:
        result.node, result.tracked = part, True
        if any(x.version is result.version is not None for x in tensors):
            result.seen = OPAQUE
    return part


def output_of(node: Node, index: int, shape: tuple[int, ...], dtype: Any) -> Node:
    """A node that stands for one output of another."""
    part = Node()
    start(part, shape, dtype)
    part.primitive = PART
    part.edges = (node,)
    part.index = index
    return part


def operation_of(cls: type[Function]) -> Primitive:
    """The operation that the nodes of a Function belong to, whose one rule runs its backward."""
    operation = cls.__dict__.get("_operation")
    if operation is None:

        def call(*tensors: Any, ctx: Any, places: Any) -> Any:
            raise NotImplementedError

        def run_backward(g: Any, ctx: Any, places: Any) -> Any:
            return gradients(cls, ctx, places, g)

        call.__name__ = cls.__name__
        operation = Primitive(call, {"parts": True})
        operation.vjp("tensors")(run_backward)
        operation.takes_context = True  # type: ignore[attr-defined]
        cls._operation = operation
    return operation


def gradients(cls: type[Function], ctx: FunctionCtx, places: tuple[bool, ...], g: tuple[Any, ...]) -> list[Any]:
    """Runs the user's backward and checks what it returns: the gradients of the tensors among forward's arguments."""
    own, other = cls.backward is not Function.backward, cls.vjp is not Function.vjp
    if own and other:
        raise RuntimeError(f"{cls.__name__}: backward and vjp are two names of one thing; define one of them")
    found = (cls.vjp if other else cls.backward)(ctx, *g)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) < len(places) or any(x is not None for x in found[len(places) :]):
        raise RuntimeError(
            f"{cls.__name__}.backward: returned {len(found)} gradients, expected {len(places)}, one or None for each argument of forward"
        )
    checked: list[Any] = []
    for i, (x, is_tensor) in enumerate(zip(found, places, strict=False)):
        if not is_tensor:
            if x is not None:
                raise RuntimeError(
                    f"{cls.__name__}.backward: returned a gradient for argument {i} of forward, which was no tensor; expected None"
                )
            continue
        edge = ctx._node().edges[len(checked)]
        if x is None:
            checked.append(None)
            continue
        if not isinstance(x, Tensor):
            raise RuntimeError(
                f"{cls.__name__}.backward: expected a tensor or None as gradient {i}, got {type(x).__name__}"
            )
        if edge is not None and x.shape != edge.shape and not reducible(x.shape, edge.shape):
            raise RuntimeError(
                f"{cls.__name__}.backward: returned gradient {i} of shape {x.shape}, its argument has shape {edge.shape}"
            )
        checked.append(x if recording() else x.detach())
    return checked


def reducible(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Is the target what broadcasting could have made this shape from?"""
    return len(shape) >= len(target) and all(
        n in (1, m) for n, m in zip(reversed(target), reversed(shape), strict=False)
    )


class Refusal(Function):
    """Hands gradients on unchanged, and refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, *grads: Any) -> Any:
        return tuple(None if g is None else g.clone() for g in grads)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a backward that cannot be differentiated: it runs unrecorded, and differentiating its result is an error.

    >>> import minigrad
    >>> from minigrad.autograd.function import Function, once_differentiable
    >>> class Square(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, g):
    ...         return minigrad.from_numpy(2 * ctx.saved_tensors[0].detach().numpy() * g.numpy())
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> Square.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    @wraps(fn)
    def wrapper(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args, **kwargs)
        if not recording() or not any(ctx.needs_input_grad):
            return outputs
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        refused = Refusal.apply(*[x.detach().requires_grad_() if isinstance(x, Tensor) else x for x in several])
        return refused if isinstance(outputs, tuple) else refused[0]

    return wrapper
