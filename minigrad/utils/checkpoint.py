"""Checkpointing: a part of a model is computed again during backward instead of keeping what its operations save.

T. Chen et al., "Training deep nets with sublinear memory cost", 2016. While the part runs, hooks for saved tensors put empty places where the
graph would keep tensors. The first place that backward looks into has the part run again, under hooks that fill the places.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from minigrad.autograd import Function, backward
from minigrad.autograd.graph import saved_tensors_hooks
from minigrad.core.autocast import captured, restored
from minigrad.core.engine import at_end
from minigrad.core.modes import current_task, enable_grad, is_grad_enabled
from minigrad.core.source import Place, here
from minigrad.core.tensor import Tensor
from minigrad.ops import empty
from minigrad.ops.random import default_generator

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn", "set_checkpoint_early_stop"]

Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]


class CheckpointError(RuntimeError):
    """The part did not compute the same again."""


class Enough(BaseException):
    """Ends a recomputation once all places are filled. No Exception, so that the user's `except` lets it pass."""


def noop_context_fn() -> Contexts:
    """Two context managers that do nothing."""
    return nullcontext(), nullcontext()


class EarlyStop:
    """What set_checkpoint_early_stop has set."""

    enabled: bool | None = None


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """A ``with`` block in which checkpoints stop their recomputation as soon as possible, or never do, whatever they were told."""
    before, EarlyStop.enabled = EarlyStop.enabled, enable
    try:
        yield
    finally:
        EarlyStop.enabled = before


def random_state() -> Any:
    """Where the default generator stands."""
    return default_generator.get_state()  # type: ignore[no-untyped-call]


@contextmanager
def random_numbers_from(state: Any) -> Iterator[None]:
    """A ``with`` block in which the default generator goes on from an earlier state, if there is one, and after which it is as before."""
    if state is None:
        yield
        return
    before = random_state()
    default_generator.set_state(state)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        default_generator.set_state(before)  # type: ignore[no-untyped-call]


def keep(x: Tensor) -> Tensor:
    return x


class Slot:
    """What the graph keeps in the place of a saved tensor."""

    __slots__ = ("tensor", "writes", "shape", "dtype", "place", "__weakref__")

    def __init__(self, x: Tensor, place: Place) -> None:
        self.tensor: Tensor | None = None
        self.writes = 0
        self.shape = x.shape
        self.dtype = x.dtype
        self.place = place

    def __str__(self) -> str:
        return f"shape {self.shape}, {self.dtype}, at {self.place}"


class SavedInputs(Function):
    """Keeps the inputs of a checkpoint as a graph would: around it, hooks for saved tensors, such as an outer checkpoint's, see them."""

    @staticmethod
    def forward(ctx: Any, always: Tensor, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        return empty(0)


class Frame:
    """One call of a checkpointed function: how to call it again, and the slots in the order in which tensors were saved."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        preserve: bool,
        context: Any,
        check: bool,
        early: bool,
    ) -> None:
        self.function = function
        self.arguments = [*args, *kwargs.values()]
        self.names = list(kwargs)
        self.places = [i for i, x in enumerate(self.arguments) if isinstance(x, Tensor)]
        self.saver = SavedInputs.apply(empty(0, requires_grad=True), *[self.arguments[i] for i in self.places]).grad_fn
        for i in self.places:
            self.arguments[i] = None
        self.random_state = random_state() if preserve else None
        self.precision = captured()
        self.context = context
        self.check = check
        self.early = early
        self.slots: list[weakref.ref[Slot]] = []
        self.filled = 0

    def pack(self, x: Tensor) -> Slot:
        """While the function runs: a slot for every tensor that an operation saves."""
        slot = Slot(x, here())
        self.slots.append(weakref.ref(slot))
        return slot

    def unpack(self, slot: Slot) -> Tensor:
        """In backward: the tensor of a slot, after all are filled if they are not."""
        if slot.tensor is None:
            self.run_again()
        x = slot.tensor
        if x is None:
            raise CheckpointError(
                f"checkpoint: the function saved {len(self.slots)} tensors at first and {self.filled} when it ran again; it must do the same "
                f"every time. Missing: {slot}"
            )
        if x._version != slot.writes:
            raise RuntimeError(
                f"checkpoint: a tensor saved for backward ({slot}) was overwritten while the function ran again; overwrite a copy"
            )
        if current_task() == 0:  # somebody looks at the graph: no end of a backward will come
            self.forget()
        return x

    def run_again(self) -> None:
        """Calls the function again, with the same random numbers, and fills the slots."""
        arguments = list(self.arguments)
        for i, x in zip(self.places, self.saver.saved_tensors, strict=True):
            arguments[i] = x
        n = len(arguments) - len(self.names)
        self.filled = 0
        if current_task() != 0:
            myself = weakref.ref(self)  # otherwise the inputs would be kept till the end of backward

            def ended(completed: bool) -> None:
                frame = myself()
                if frame is not None:
                    frame.forget()

            at_end(current_task(), ended)
        with (
            suppress(Enough),
            random_numbers_from(self.random_state),
            restored(self.precision),
            self.context,
            enable_grad(),
            saved_tensors_hooks(self.fill, keep),
        ):
            self.function(*arguments[:n], **dict(zip(self.names, arguments[n:], strict=True)))

    def fill(self, x: Tensor) -> Tensor:
        """While the function runs again: puts what an operation saves into the next slot."""
        i = self.filled
        self.filled += 1
        if i >= len(self.slots):
            if self.check:
                raise CheckpointError(
                    f"checkpoint: the function saved {len(self.slots)} tensors at first and more when it ran again, next one of shape {x.shape} "
                    f"at {here()}; it must do the same every time"
                )
            return x
        slot = self.slots[i]()
        if slot is not None:
            if self.check and (slot.shape != x.shape or slot.dtype != x.dtype):
                raise CheckpointError(
                    f"checkpoint: the function must do the same every time, but saved tensor {i} had {slot}, and when it ran again shape "
                    f"{x.shape}, {x.dtype}, at {here()}"
                )
            slot.tensor = x
            slot.writes = x._version
        if self.filled == len(self.slots) and (self.early if EarlyStop.enabled is None else EarlyStop.enabled):
            raise Enough
        return x

    def forget(self) -> None:
        """Empties the slots: another backward through the same graph runs the function again."""
        for reference in self.slots:
            slot = reference()
            if slot is not None:
                slot.tensor = None


class Reentrant(Function):
    """The old way: the function runs unrecorded, and its backward runs it again and a backward of its own through that."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        ctx.function = function
        ctx.random_state = random_state() if preserve else None
        ctx.arguments = [None if isinstance(x, Tensor) else x for x in args]
        ctx.places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if current_task() < 0:
            raise RuntimeError(
                "checkpoint: with use_reentrant=True only backward() without inputs= works, since parameters are found by a backward of its "
                "own; pass use_reentrant=False"
            )
        arguments = list(ctx.arguments)
        for i, x, needed in zip(
            ctx.places, ctx.saved_tensors, [ctx.needs_input_grad[2 + i] for i in ctx.places], strict=True
        ):
            arguments[i] = x.detach().requires_grad_(needed)
        with random_numbers_from(ctx.random_state), enable_grad():
            outputs = ctx.function(*arguments)
        pairs = zip(outputs if isinstance(outputs, tuple) else (outputs,), grad_outputs, strict=True)
        needed = [(out, g) for out, g in pairs if isinstance(out, Tensor) and out.requires_grad]
        if not needed:
            raise RuntimeError("checkpoint: no output of the function needs a gradient, so no checkpoint is needed")
        backward([out for out, _ in needed], [g for _, g in needed])
        return None, None, *[x.grad if isinstance(x, Tensor) else None for x in arguments]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Calls a function without keeping what its operations save for backward; backward calls it again.

    So a model needs the memory of its largest part only, for about a third more computation. Gradients are the same to the last bit, of all
    orders, and with `autograd.grad`. Checkpoints may be nested. The function must do the same every time it is called.

    Args:
        function: what to call with the other arguments.
        use_reentrant: True for torch's old variant, which needs an input in need of a gradient, takes no keyword arguments and knows
            neither `autograd.grad` nor `inputs=`. None means False, which can do all that.
        context_fn: gives two context managers, for the call and for the calls in backward.
        determinism_check: "default" compares shapes and dtypes with those of the first call, "none" does not.
        debug: of no effect: errors always tell the lines of the program.
        early_stop: end the calls in backward when all is known that backward needs.
        preserve_rng_state: let the calls in backward draw the same random numbers, so that dropout drops the same.

    Raises:
        ValueError: arguments that do not go together.
        CheckpointError: by backward, if the function does not do the same again.

    >>> import minigrad
    >>> from minigrad.utils.checkpoint import checkpoint
    >>> x = minigrad.tensor([0.0, 1.0], requires_grad=True)
    >>> checkpoint(lambda x: x.exp().sin().sum(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([ 0.5403, -2.4784])
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(f"checkpoint: expected determinism_check 'default' or 'none', got {determinism_check!r}")
    if use_reentrant:
        if kwargs:
            raise ValueError(
                f"checkpoint: use_reentrant=True takes no keyword arguments for the function, got {', '.join(kwargs)}"
            )
        if context_fn is not noop_context_fn or debug:
            raise ValueError("checkpoint: context_fn and debug are for use_reentrant=False")
        if is_grad_enabled() and not any(isinstance(x, Tensor) and x.requires_grad for x in args):
            import warnings

            warnings.warn(
                "checkpoint: with use_reentrant=True no gradient flows unless an input needs one; pass use_reentrant=False",
                stacklevel=2,
            )
        return Reentrant.apply(function, preserve_rng_state, *args)
    if not is_grad_enabled():
        return function(*args, **kwargs)
    first, again = context_fn()
    frame = Frame(function, args, kwargs, preserve_rng_state, again, determinism_check == "default", early_stop)
    with first, saved_tensors_hooks(frame.pack, frame.unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """Calls functions one after the other, in segments of equal length of which all but the last are checkpoints.

    Args:
        functions: an nn.Sequential or a list of functions.
        segments: how many segments to make; about the square root of the number of functions saves most.
        input: the input of the first function.
        use_reentrant: as in `checkpoint`.
        preserve_rng_state: as in `checkpoint`.

    Raises:
        ValueError: there are fewer functions than segments.

    >>> import minigrad
    >>> from minigrad.utils.checkpoint import checkpoint_sequential
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> checkpoint_sequential([minigrad.exp, minigrad.sin, minigrad.cos, minigrad.sum], 2, x).backward()
    >>> x.grad
    tensor([0.9897, 0.9897])
    """
    steps = list(functions)
    if not 1 <= segments <= len(steps):
        raise ValueError(f"checkpoint_sequential: cannot make {segments} segments of {len(steps)} functions")
    length = len(steps) // segments
    starts = range(0, length * (segments - 1), length)
    for start in starts:
        input = checkpoint(
            run_in_turn,
            steps[start : start + length],
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )
    return run_in_turn(steps[length * len(starts) :], input)


def run_in_turn(steps: list[Callable[..., Any]], x: Any) -> Any:
    """The result of each function is the argument of the next."""
    for step in steps:
        x = step(x)
    return x
