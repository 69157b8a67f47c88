"""Functions of any framework as functions of NumPy arrays with gradients.

A `Subject` runs a function forward on arrays. The `Run` that this gives has the outputs, and pulls cotangents back through them. Memory is shared
in both directions, so that what writes into its arguments shows.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.autograd.function import FunctionCtx
from minigrad.core.engine import grad
from minigrad.core.graph import PART
from minigrad.core.primitive import REGISTRY
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.ops import random as generators
from minigrad.testing.report import Array

FRAMEWORKS = ("minigrad", "torch", "numpy", "jax", "autograd")
SEED, SEED_OF_BACKWARD = 12345, 54321
GENERATOR: Any = generators.default_generator


class CannotBeDone(Exception):
    """A framework has no such thing, as negative strides in torch."""


class Run:
    """One call of a function.

    Args:
        outs: the outputs of floats.
        pull: takes one cotangent per output and gives one gradient per input of floats: None where the framework says that there is none.
        own: whether a derivative that is not the framework's own takes part.
    """

    __slots__ = ("outs", "pull", "own")

    def __init__(
        self, outs: list[Array], pull: Callable[[Sequence[Array]], list[Array | None]], own: bool = True
    ) -> None:
        self.outs = outs
        self.pull = pull
        self.own = own


class Subject:
    """A function of arrays whose derivatives are to be checked."""

    framework = ""
    second: Callable[..., Subject] | None = (
        None  # where the framework can: the gradients as a function of inputs and cotangents
    )

    def __init__(self, fn: Any, vjp: Callable[..., Any] | None = None) -> None:
        if isinstance(fn, type) and hasattr(fn, "apply"):  # an autograd.Function, of torch or of minigrad
            fn = fn.apply
        self.fn = fn
        self.vjp = vjp
        self.random: bool | None = None
        self.redraws = False  # whether the derivative draws random numbers of its own
        self.first_only = ""  # why its derivative need not be differentiable again
        self.name = str(getattr(fn, "__qualname__", None) or getattr(fn, "name", None) or type(fn).__name__)
        owner = getattr(fn, "__self__", None)
        self.name = owner.__qualname__ if isinstance(owner, type) and self.name.endswith("apply") else self.name

    def run(self, arrays: Sequence[Any], needing: Sequence[int] | None = None) -> Run:
        """Calls the function, recording what its gradient needs; `needing` are the inputs that ask for one, by default all of floats."""
        raise NotImplementedError

    def outputs(self, arrays: Sequence[Any]) -> list[Array]:
        """The outputs of floats alone."""
        return self.run(arrays, ()).outs

    @contextmanager
    def seeded(self, number: int = SEED) -> Iterator[None]:
        """Lets every call draw the same random numbers, if the first one showed that any are drawn."""
        with np.errstate(all="ignore"):
            if self.random is False:
                yield
                return
            states = self.random_state()
            try:
                self.seed(number)
                begin = self.random_state()
                yield
                drawn = marks(begin) != marks(self.random_state())
                self.random = self.random or drawn
                self.redraws |= drawn and number == SEED_OF_BACKWARD
            finally:
                self.restore_random_state(states)

    def random_state(self) -> list[Any]:
        """The states of the generators that the function may draw from."""
        return [np.random.get_state()]

    def restore_random_state(self, states: Sequence[Any]) -> None:
        np.random.set_state(states[0])

    def seed(self, number: int) -> None:
        np.random.seed(number)


def marks(states: Sequence[Any]) -> list[bytes]:
    """What two equal states have in common, and no others."""
    return [s.numpy().tobytes() if hasattr(s, "numpy") else pickle.dumps(s) for s in states]


def floats(arrays: Sequence[Any]) -> list[int]:
    """Which inputs are arrays of floats."""
    return [i for i, a in enumerate(arrays) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


class NumpySubject(Subject):
    """A function of arrays with a derivative by hand: vjp(g, *inputs) gives the tuple of gradients."""

    framework = "numpy"

    def run(self, arrays: Sequence[Any], needing: Sequence[int] | None = None) -> Run:
        with self.seeded():
            raw = self.fn(*arrays)
        several = isinstance(raw, (tuple, list))
        outs = [np.asarray(out) for out in as_tuple(raw)]
        carrying = [i for i, out in enumerate(outs) if out.dtype.kind == "f"]

        def pull(weights: Sequence[Array]) -> list[Array | None]:
            given = dict(zip(carrying, weights, strict=True))
            gs = tuple([given[i] if i in given else np.zeros(out.shape) for i, out in enumerate(outs)])
            if self.vjp is None:
                raise TypeError(
                    "check: a NumPy function needs vjp=, a function vjp(g, *inputs) that gives the tuple of gradients"
                )
            with self.seeded():
                found = self.vjp(gs if several else gs[0], *arrays)
            return chosen(found, arrays, np.asarray)

        return Run([outs[i] for i in carrying], pull)


def chosen(found: Any, arrays: Sequence[Any], convert: Callable[[Any], Array]) -> list[Array | None]:
    """The gradients of the inputs of floats, out of what a derivative by hand returned."""
    which = floats(arrays)
    gradients = list(found) if isinstance(found, (tuple, list)) else [found]
    if len(gradients) == len(arrays):
        gradients = [gradients[i] for i in which]
    elif len(gradients) != len(which):
        raise TypeError(
            f"the derivative gave {len(gradients)} gradients for {len(arrays)} inputs; expected one for each"
        )
    return [None if g is None else convert(g) for g in gradients]


class TensorSubject(Subject):
    """A function of the tensors of a framework that differentiates by itself, or by a derivative that is given."""

    def tensor(self, array: Array) -> Any:
        raise NotImplementedError

    def leaf(self, array: Array) -> Any:
        """A tensor around an array that asks for a gradient."""
        return self.tensor(array).requires_grad_()

    def array(self, tensor: Any) -> Array:
        raise NotImplementedError

    def is_output(self, value: Any) -> bool:
        raise NotImplementedError

    def gradients(
        self, outs: Sequence[Any], xs: Sequence[Any], weights: Sequence[Any], create_graph: bool = False
    ) -> list[Any]:
        raise NotImplementedError

    def is_own(self, outs: Sequence[Any]) -> bool:
        """Does a derivative that is not the framework's own take part?"""
        raise NotImplementedError

    def refuses(self, gradient: Any) -> bool:
        """Would the framework refuse to differentiate this gradient, as what is once differentiable?"""
        return False

    def look_at(self, kept: Sequence[Any], backward: Any) -> None:
        """Notes why a backward by hand has no second derivative: what forward computed and kept has no graph, and NumPy records none."""
        if hasattr(backward, "__wrapped__"):
            self.first_only = "its backward is marked as once_differentiable"
        values = [v for one in kept for v in (one if isinstance(one, (tuple, list)) else (one,))]
        if any(self.is_output(v) and not v.requires_grad for v in values):
            self.first_only = "its backward uses values that forward kept without their graph"
        elif {"numpy", "from_numpy", "tolist", "item", "np"} & set(
            getattr(getattr(backward, "__code__", None), "co_names", ())
        ):
            self.first_only = "its backward leaves the framework"

    def inputs(self, arrays: Sequence[Any], needing: Sequence[int]) -> list[Any]:
        made = []
        for i, a in enumerate(arrays):
            made.append(a if not isinstance(a, np.ndarray) else self.leaf(a) if i in needing else self.tensor(a))
        return made

    def call(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs of floats."""
        with self.seeded():
            return [out for out in as_tuple(self.fn(*inputs)) if self.is_output(out)]

    def run(self, arrays: Sequence[Any], needing: Sequence[int] | None = None) -> Run:
        which = floats(arrays)
        asked = which if needing is None else list(needing)
        inputs = self.inputs(arrays, asked if self.vjp is None else ())
        outs = self.call(inputs)
        xs = [inputs[i] for i in asked]

        def pull(weights: Sequence[Array]) -> list[Array | None]:
            if self.vjp is not None:
                gs = [self.tensor(w) for w in weights]
                with self.seeded():  # it has nothing but its arguments: what the function drew it must draw again
                    return chosen(self.vjp(gs[0] if len(gs) == 1 else tuple(gs), *inputs), arrays, self.array)
            pairs = [(out, self.tensor(w)) for out, w in zip(outs, weights, strict=True) if out.requires_grad]
            if not pairs or not xs:
                return [None] * len(asked)
            roots, starts = zip(*pairs, strict=True)
            with self.seeded(SEED_OF_BACKWARD):
                found = self.gradients(roots, xs, starts)
            return [None if g is None else self.array(g) for g in found]

        return Run([self.array(out) for out in outs], pull, self.vjp is not None or self.is_own(outs))

    def second(self, weights: int, which: int) -> Subject:  # type: ignore[override]
        """The gradient of one input as a function of the inputs and of so many cotangents."""
        return Second(self, weights, which)


class Second(Subject):
    """One gradient of a subject as a function of inputs and cotangents."""

    def __init__(self, subject: TensorSubject, weights: int, which: int) -> None:
        super().__init__(subject.fn)
        self.subject = subject
        self.weights = weights
        self.which = which
        self.framework = subject.framework

    def run(self, arrays: Sequence[Any], needing: Sequence[int] | None = None) -> Run:
        subject = self.subject
        which = floats(arrays)
        n = len(arrays) - self.weights
        inputs = subject.inputs(arrays, which)
        outs = subject.call(inputs[:n])
        pairs = [(out, w) for out, w in zip(outs, inputs[n:], strict=True) if out.requires_grad]
        if not pairs:
            raise CannotBeDone("no output needs a gradient")
        roots, starts = zip(*pairs, strict=True)
        xs = [inputs[i] for i in which]
        with subject.seeded(SEED_OF_BACKWARD):
            first = subject.gradients(roots, [inputs[i] for i in which if i < n], starts, create_graph=True)[self.which]
        if first is None or not first.requires_grad:
            raise CannotBeDone("the gradient has no graph")
        if subject.refuses(first):
            raise CannotBeDone("the gradient is not to be differentiated again")

        def pull(again: Sequence[Array]) -> list[Array | None]:
            with subject.seeded(SEED_OF_BACKWARD):
                found = subject.gradients([first], xs, [subject.tensor(again[0])])
            return [None if g is None else subject.array(g) for g in found]

        return Run([subject.array(first)], pull, subject.is_own(outs))


class MinigradSubject(TensorSubject):
    framework = "minigrad"

    def tensor(self, array: Array) -> Any:
        return make_tensor(array)

    def array(self, tensor: Any) -> Array:
        return tensor.array if isinstance(tensor, Tensor) else np.asarray(tensor)

    def is_output(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype.kind == "f"

    def gradients(
        self, outs: Sequence[Any], xs: Sequence[Any], weights: Sequence[Any], create_graph: bool = False
    ) -> list[Any]:
        return list(grad(outs, xs, weights, retain_graph=True, create_graph=create_graph, allow_unused=True))

    def is_own(self, outs: Sequence[Any]) -> bool:
        nodes = [out.node for out in outs if out.node is not None]
        seen = set(nodes)
        own = False
        while nodes:
            node = nodes.pop()
            if node.primitive is not None and node.primitive is not PART:
                own |= REGISTRY.get(node.primitive.name) is not node.primitive or not str(
                    node.primitive.__module__
                ).startswith("minigrad.")
                if node.static and isinstance(node.static[0], FunctionCtx):
                    ctx = node.static[0]
                    owner = inspect.getclosurevars(node.primitive.rules[0].function).nonlocals["cls"]
                    self.look_at([*ctx.saved_tensors, *vars(ctx).values()], owner.backward)
            new = [edge for edge in node.edges or () if edge is not None and edge not in seen]
            seen.update(new)
            nodes += new
        return own

    def random_state(self) -> list[Any]:
        return [*super().random_state(), GENERATOR.get_state()]

    def restore_random_state(self, states: Sequence[Any]) -> None:
        super().restore_random_state(states)
        GENERATOR.set_state(states[1])

    def seed(self, number: int) -> None:
        super().seed(number)
        GENERATOR.manual_seed(number)


class TorchSubject(TensorSubject):
    framework = "torch"

    def __init__(self, fn: Any, vjp: Callable[..., Any] | None = None) -> None:
        self.torch = import_module("torch")
        super().__init__(fn, vjp)

    def tensor(self, array: Array) -> Any:
        if any(stride < 0 for stride in array.strides):
            raise CannotBeDone("torch has no negative strides")
        if not array.ndim:
            return self.torch.from_numpy(array if array.flags.writeable else array.copy())
        first = array[
            tuple(
                [
                    slice(0, 1) if s == 0 and n > 1 else slice(None)
                    for s, n in zip(array.strides, array.shape, strict=True)
                ]
            )
        ]
        if not first.flags.writeable:
            first = first.copy()
        return self.torch.from_numpy(first).expand(array.shape)

    def leaf(self, array: Array) -> Any:
        return self.tensor(array).detach().requires_grad_()

    def array(self, tensor: Any) -> Array:
        tensor = tensor.detach()
        tensor = tensor.to_dense() if tensor.is_sparse else tensor
        return np.asarray(
            (tensor.float() if tensor.dtype == self.torch.bfloat16 else tensor).cpu().resolve_conj().numpy()
        )

    def is_output(self, value: Any) -> bool:
        return isinstance(value, self.torch.Tensor) and value.dtype.is_floating_point

    def gradients(
        self, outs: Sequence[Any], xs: Sequence[Any], weights: Sequence[Any], create_graph: bool = False
    ) -> list[Any]:
        return list(
            self.torch.autograd.grad(outs, xs, weights, retain_graph=True, create_graph=create_graph, allow_unused=True)
        )

    def nodes(self, outs: Sequence[Any]) -> Iterator[Any]:
        """The graph of these tensors."""
        nodes = [out.grad_fn for out in outs if out.grad_fn is not None]
        seen = set(nodes)
        while nodes:
            node = nodes.pop()
            yield node
            new = [edge for edge, _ in node.next_functions if edge is not None and edge not in seen]
            seen.update(new)
            nodes += new

    def is_own(self, outs: Sequence[Any]) -> bool:
        own = False
        for node in self.nodes(outs):
            if isinstance(node, self.torch.autograd.function.FunctionCtx):
                own = True
                self.look_at([*node.saved_tensors, *vars(node).values()], type(node)._forward_cls.backward)
        return own

    def refuses(self, gradient: Any) -> bool:
        return any(node.name().endswith("Error") for node in self.nodes([gradient]))

    def random_state(self) -> list[Any]:
        return [*super().random_state(), self.torch.get_rng_state()]

    def restore_random_state(self, states: Sequence[Any]) -> None:
        super().restore_random_state(states)
        self.torch.set_rng_state(states[1])

    def seed(self, number: int) -> None:
        super().seed(number)
        self.torch.default_generator.manual_seed(number)  # torch.manual_seed would wake every device


class JaxSubject(Subject):
    """A JAX function: jax.vjp differentiates it, a custom_vjp of its own included."""

    framework = "jax"

    def __init__(self, fn: Callable[..., Any], vjp: Callable[..., Any] | None = None) -> None:
        super().__init__(fn, vjp)
        self.jax = import_module("jax")
        self.in_double = (
            partial(self.jax.enable_x64, True) if hasattr(self.jax, "enable_x64") else self.jax.experimental.enable_x64
        )

    def run(self, arrays: Sequence[Any], needing: Sequence[int] | None = None) -> Run:
        which = floats(arrays)
        with self.in_double(), self.seeded():
            moving = [self.jax.numpy.asarray(arrays[i]) for i in which]

            def of_floats(*xs: Any) -> tuple[Any, ...]:
                args = list(arrays)
                for i, x in zip(which, xs, strict=True):
                    args[i] = x
                return as_tuple(self.fn(*args))

            outs, back = self.jax.vjp(of_floats, *moving)

        def pull(weights: Sequence[Array]) -> list[Array | None]:
            with self.in_double(), self.seeded():
                found = back(tuple([self.jax.numpy.asarray(w) for w in weights]))
            return [np.asarray(g) for g in found]

        return Run([np.asarray(out) for out in outs], pull)


class AutogradSubject(Subject):
    """A function of HIPS autograd: its make_vjp differentiates it."""

    framework = "autograd"

    def __init__(self, fn: Callable[..., Any], vjp: Callable[..., Any] | None = None) -> None:
        super().__init__(fn, vjp)
        self.make_vjp = import_module("autograd.core").make_vjp

    def run(self, arrays: Sequence[Any], needing: Sequence[int] | None = None) -> Run:
        which = floats(arrays)

        def of_one(i: int) -> Callable[[Any], Any]:
            return lambda x: self.fn(*[x if i == j else a for j, a in enumerate(arrays)])

        with self.seeded():
            outs = [np.asarray(self.fn(*arrays))]

        def pull(weights: Sequence[Array]) -> list[Array | None]:
            with self.seeded():
                return [np.asarray(self.make_vjp(of_one(i), arrays[i])[0](weights[0])) for i in which]

        return Run(outs, pull)


SUBJECTS: dict[str, Callable[..., Subject]] = {
    "minigrad": MinigradSubject,
    "torch": TorchSubject,
    "numpy": NumpySubject,
    "jax": JaxSubject,
    "autograd": AutogradSubject,
}


def subject_of(fn: Any, vjp: Callable[..., Any] | None, framework: str | None, given: Sequence[Any]) -> Subject:
    """The function as a subject of its framework, which is guessed if it is not named.

    Raises:
        ValueError: a framework of this name is not known.
        TypeError: `fn` is no function, or a NumPy function has no vjp.
    """
    if framework is None:
        framework = guessed(fn, vjp, given)
    if framework not in SUBJECTS:
        raise ValueError(f"check: expected framework to be one of {FRAMEWORKS}, got {framework!r}")
    if not callable(fn):
        raise TypeError(f"check: expected a function, got {type(fn).__name__}")
    if framework == "numpy" and vjp is None:
        raise TypeError(
            "check: a NumPy function needs its derivative: check(fn, ..., vjp=vjp, framework='numpy'), where vjp(g, *inputs) gives "
            "the tuple of gradients"
        )
    return SUBJECTS[framework](fn, vjp)


def guessed(fn: Any, vjp: Any, given: Sequence[Any]) -> str:
    """The framework that the function or an input belongs to, or that the function names; NumPy if a derivative is given, else minigrad."""
    owners = [fn, getattr(fn, "__self__", None), *given]
    homes = {
        cls.__module__.split(".")[0]
        for owner in owners
        for cls in (owner if isinstance(owner, type) else type(owner)).__mro__
    }
    homes |= {
        str(getattr(fn, "__module__", "")).split(".")[0],
        type(getattr(fn, "__self__", None)).__module__.split(".")[0],
    }
    code = getattr(fn, "__code__", None)
    names = getattr(fn, "__globals__", {})
    homes |= {
        names[n].__name__.split(".")[0] for n in getattr(code, "co_names", ()) if isinstance(names.get(n), ModuleType)
    }
    if "_VariableFunctionsClass" in str(getattr(fn, "__qualname__", "")):
        homes.add("torch")
    if vjp is not None and not homes & {"torch", "jax"}:
        return "numpy"
    return next((home for home in ("minigrad", "torch", "jax", "autograd") if home in homes), "minigrad")
