"""gradcheck and gradgradcheck: gradients against differences, with torch's arguments and fewer false alarms.

The steps and the noise of the differences are found by `numeric`, so that float32 can be judged, and a point on a kink is known as one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core.engine import grad
from ..core.tensor import Tensor, make_tensor
from .numeric import KINK, UNKNOWN, Array, Estimate, Probe

__all__ = ["GradcheckError", "KinkWarning", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient differs from what differences of the function give, or backward breaks a rule that every function keeps."""


class KinkWarning(UserWarning):
    """Some elements lie on kinks, or where differences say nothing: there a gradient can be checked in part, or not at all."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Checks the gradients of a function against differences; True if they agree.

    Where an input lies on a kink of the function, such as 0 for relu, the gradient has to lie between the slopes on both sides; a
    `KinkWarning` says so. The tolerance grows with the noise that the function shows, so that float32 needs no arguments of its own.

    Args:
        func: takes the inputs, gives a tensor or several.
        inputs: a tensor or several; at least one needs a gradient. Their elements are moved in place, and put back.
        eps: the smallest step of the differences; they begin with larger ones, and end where they are precise enough.
        atol, rtol: a gradient may differ from the differences by atol + rtol * |differences| beside their noise.
        raise_exception: give False instead of an error.
        nondet_tol: how far two backwards of the same may differ.
        check_undefined_grad: let outputs take part in backward one at a time, so that the others have no gradient at all, instead of zeros.
        check_grad_dtypes: a gradient must have the dtype of its input.
        check_forward_ad: check products of the Jacobian with vectors from the right too, which two backwards give.
        check_backward_ad: check products from the left, which one backward gives.
        fast_mode: compare one random product with the Jacobian instead of all its elements.
        masked: taken for compatibility; it concerns sparse tensors, which there are none of.
        check_batched_grad, check_batched_forward_grad: not available: there is no vmap here.

    Raises:
        GradcheckError: a gradient is wrong.
        ValueError: no input needs a gradient.
        RuntimeError: elements of an input share memory, so that one cannot be moved without others.
        NotImplementedError: batched gradients are asked for.

    >>> import minigrad
    >>> x = minigrad.tensor([0.5, -1.0], requires_grad=True)
    >>> minigrad.autograd.gradcheck(minigrad.tanh, x)
    True
    >>> minigrad.autograd.gradcheck(lambda x: x.detach() * x, x)
    Traceback (most recent call last):
        ...
    minigrad.autograd.gradcheck.GradcheckError: gradcheck: the gradient of output 0 at [0] with respect to input 0 at [0] is 0.5, but ...
    """
    if not (check_forward_ad or check_backward_ad):
        raise ValueError("gradcheck: expected at least one of check_forward_ad and check_backward_ad to be True")
    if check_batched_grad or check_batched_forward_grad:
        raise NotImplementedError(
            "gradcheck: batched gradients need vmap, which minigrad does not have; leave check_batched_grad False"
        )
    points = as_tuple(inputs)
    moving = checked_inputs(points)
    settings = Settings(atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes)
    try:
        Check(func, points, moving, eps, settings).run(check_backward_ad, check_forward_ad, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Checks the gradients of a function's gradients, with respect to the inputs and to `grad_outputs`, against differences.

    Args:
        func, inputs: as for `gradcheck`, as all that is not named here.
        grad_outputs: what the outputs are weighted with; by default numbers between -1 and 1 that need gradients.
        gen_non_contig_grad_outputs: let these have gaps in memory.
        check_fwd_over_rev, check_rev_over_rev: which products with the Jacobian of the gradients to check.

    Raises:
        GradcheckError: a second derivative is wrong.

    >>> import minigrad
    >>> x = minigrad.tensor([0.5, -1.0], requires_grad=True)
    >>> minigrad.autograd.gradgradcheck(minigrad.tanh, x)
    True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise ValueError(
            "gradgradcheck: expected at least one of check_fwd_over_rev and check_rev_over_rev to be True"
        )
    if check_undefined_grad and not check_rev_over_rev:
        raise ValueError("gradgradcheck: check_undefined_grad=True requires check_rev_over_rev to be True")
    points = as_tuple(inputs)
    if grad_outputs is None:
        random = np.random.default_rng(0)
        weights = tuple([cotangent(out, random, gen_non_contig_grad_outputs) for out in differentiable(func(*points))])
    else:
        weights = as_tuple(grad_outputs)
    n = len(points)

    def gradient(*args: Any) -> tuple[Any, ...]:
        outs = differentiable(func(*args[:n]))
        needing = [x for x in args[:n] if isinstance(x, Tensor) and x.requires_grad]
        found = grad(outs, needing, args[n:], create_graph=True, allow_unused=True)
        return tuple([g for g in found if g is not None])

    return gradcheck(
        gradient,
        (*points, *weights),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


# --- arguments --------------------------------------------------------------------------------------------------------


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def checked_inputs(points: Sequence[Any]) -> list[int]:
    """Which inputs need gradients; refuses those whose elements cannot be moved one at a time."""
    moving = [i for i, x in enumerate(points) if isinstance(x, Tensor) and x.requires_grad]
    if not moving:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for i in moving:
        array = points[i].array
        if array.size and any(stride == 0 and n > 1 for stride, n in zip(array.strides, array.shape, strict=True)):
            raise RuntimeError(
                f"gradcheck: input {i} (shape {array.shape}) has a dimension with stride 0, so that its elements share memory and "
                "cannot be moved one at a time; pass x.contiguous()"
            )
        if not array.flags.writeable:
            raise RuntimeError(
                f"gradcheck: input {i} (shape {array.shape}) is read-only, so that its elements cannot be moved; pass x.clone()"
            )
    return moving


def differentiable(outs: Any) -> tuple[Tensor, ...]:
    """Those outputs that carry gradients."""
    return tuple([out for out in as_tuple(outs) if isinstance(out, Tensor) and out.requires_grad])


def cotangent(out: Tensor, random: np.random.Generator, gaps: bool) -> Tensor:
    """Numbers between -1 and 1 of a tensor's shape and dtype, which need gradients."""
    values = random.uniform(-1, 1, out.shape).astype(out.array.dtype)
    if gaps and values.ndim:
        values = np.repeat(values, 2, -1)[..., ::2]
    return make_tensor(values).requires_grad_()


class Settings:
    """What counts as agreement."""

    __slots__ = ("atol", "rtol", "nondet_tol", "check_undefined_grad", "check_grad_dtypes")

    def __init__(
        self, atol: float, rtol: float, nondet_tol: float, check_undefined_grad: bool, check_grad_dtypes: bool
    ) -> None:
        self.atol = atol
        self.rtol = rtol
        self.nondet_tol = nondet_tol
        self.check_undefined_grad = check_undefined_grad
        self.check_grad_dtypes = check_grad_dtypes


# --- the check --------------------------------------------------------------------------------------------------------


class Check:
    """A function at a point, and how its gradients are compared with its differences."""

    def __init__(
        self, func: Callable[..., Any], points: Sequence[Any], moving: Sequence[int], eps: float, settings: Settings
    ) -> None:
        self.func = func
        self.points = points
        self.moving = moving
        self.settings = settings
        self.xs = [points[i] for i in moving]
        outs = as_tuple(func(*points))
        self.which = [i for i, out in enumerate(outs) if isinstance(out, Tensor) and out.requires_grad]
        self.floats = [i for i, out in enumerate(outs) if isinstance(out, Tensor) and out.dtype.kind == "f"]
        self.probe = Probe(self.arrays, [x.array for x in self.xs], eps if self.precise() else 0.0)
        self.on_kinks: list[str] = []

    def precise(self) -> bool:
        return all(x.array.dtype == np.float64 for x in self.xs)

    def arrays(self, *_: Array) -> list[Array]:
        """The outputs that carry gradients, for the probe, which has moved the inputs in place; all of floats if none does."""
        outs = as_tuple(self.func(*self.points))
        return [outs[i].array for i in self.which or self.floats]

    def outputs(self) -> list[Tensor]:
        outs = as_tuple(self.func(*self.points))
        return [outs[i] for i in self.which]

    def run(self, backward: bool, forward: bool, fast: bool) -> None:
        if not self.which:
            self.check_constant()
            return
        if fast:
            self.check_products(backward, forward)
        else:
            self.check_elements(backward, forward)
        if backward:
            self.check_backward()
        if self.on_kinks:
            more = f" and {len(self.on_kinks) - 3} more" if len(self.on_kinks) > 3 else ""
            warnings.warn(f"gradcheck: {'; '.join(self.on_kinks[:3])}{more}", KinkWarning, stacklevel=4)

    def check_constant(self) -> None:
        """Outputs without gradients must not depend on the inputs."""
        for i in range(len(self.xs)):
            for place in self.probe.elements(i):
                found = self.probe.column(i, place)
                if not found.admits(np.zeros(found.value.shape), self.settings.atol, self.settings.rtol).all():
                    raise GradcheckError(
                        f"gradcheck: no output needs a gradient, but differences show that one depends on input {self.moving[i]} at "
                        f"{[*place]}: was the graph cut by detach, no_grad or NumPy?"
                    )

    def pull_back(
        self, outs: Sequence[Tensor], weights: Sequence[Array | None], create_graph: bool = False
    ) -> list[Tensor | None]:
        """The gradients of the weighted sum of the outputs; those of weight None take no part."""
        pairs = [(out, make_tensor(w)) for out, w in zip(outs, weights, strict=True) if w is not None]
        roots, starts = zip(*pairs, strict=True)
        return list(grad(roots, self.xs, starts, retain_graph=True, create_graph=create_graph, allow_unused=True))

    def place_of(self, k: int) -> tuple[int, tuple[int, ...]]:
        """Which output, and where in it, the k-th number of all outputs is."""
        for i, shape in enumerate(self.probe.shapes):
            n = int(np.prod(shape))
            if k < n:
                return i, tuple(map(int, np.unravel_index(k, shape)))
            k -= n
        raise IndexError(k)

    def one_hot(self, k: int) -> list[Array | None]:
        """Weights that pick one number of all outputs."""
        which, place = self.place_of(k)
        weights: list[Array | None] = [
            None if self.settings.check_undefined_grad else np.zeros(s, d) for s, d in self.shapes()
        ]
        shape, dtype = self.shapes()[which]
        picked = np.zeros(shape, dtype)
        picked[place] = 1
        weights[which] = picked
        return weights

    def shapes(self) -> list[tuple[tuple[int, ...], Any]]:
        return list(zip(self.probe.shapes, self.probe.dtypes, strict=True))

    def check_elements(self, backward: bool, forward: bool) -> None:
        """The whole Jacobian: rows by backward, columns by differences (and by two backwards)."""
        outs = self.outputs()
        rows = (
            [self.arrays_of(self.pull_back(outs, self.one_hot(k))) for k in range(len(self.probe.middle))]
            if backward
            else []
        )
        for i, x in enumerate(self.xs):
            for place in self.probe.elements(i):
                column = self.probe.column(i, place)
                directions = [np.zeros(y.shape, y.array.dtype) for y in self.xs]
                directions[i][place] = 1
                for product in self.products(rows, i, place, backward, directions, forward):
                    self.compare(column, product, i, place)
            if self.settings.check_grad_dtypes and backward:
                self.check_dtypes(i, x, rows)

    def products(
        self,
        rows: Sequence[Sequence[Array]],
        i: int,
        place: tuple[int, ...],
        backward: bool,
        directions: Sequence[Array],
        forward: bool,
    ) -> Iterator[Array]:
        """One column of the Jacobian, in the ways asked for."""
        if backward:
            yield np.array([row[i][place] for row in rows], np.float64)
        if forward:
            yield self.push_forward(directions)

    def push_forward(self, directions: Sequence[Array]) -> Array:
        """The Jacobian times a vector: the gradient of <J'u, v> with respect to u."""
        outs = self.outputs()
        us = [make_tensor(np.zeros(out.shape, out.array.dtype)).requires_grad_() for out in outs]
        first = grad(outs, self.xs, us, create_graph=True, allow_unused=True)
        pairs = [
            (g, make_tensor(v)) for g, v in zip(first, directions, strict=True) if g is not None and g.requires_grad
        ]
        if not pairs:
            return np.zeros(len(self.probe.middle))
        roots, starts = zip(*pairs, strict=True)
        found = grad(roots, us, starts, allow_unused=True, materialize_grads=True)
        return np.concatenate([g.array.astype(np.float64).ravel() for g in found])

    def arrays_of(self, gradients: Sequence[Tensor | None]) -> list[Array]:
        return [
            np.zeros(x.shape, x.array.dtype) if g is None else g.array for g, x in zip(gradients, self.xs, strict=True)
        ]

    def compare(self, column: Estimate, got: Array, i: int, place: tuple[int, ...]) -> None:
        """Refuses elements that are wrong, after a second measurement; remembers those that could not be judged."""
        admitted = column.admits(got, self.settings.atol, self.settings.rtol)
        if not admitted.all():
            column = self.probe.column_around(i, place)
            admitted |= column.admits(got, self.settings.atol, self.settings.rtol)
        where = f"input {self.moving[i]} at {[*place]}"
        for k in np.flatnonzero(~admitted):
            out, at = self.place_of(int(k))
            what = f"gradcheck: the gradient of output {self.which[out]} at {[*at]} with respect to {where} is {float(got[k])!r}"
            if column.state[k] == KINK:
                raise GradcheckError(
                    f"{what}, but the point lies on a kink, where it has to be between the slopes {column.left[k]:.6g} and {column.right[k]:.6g}"
                )
            raise GradcheckError(
                f"{what}, but differences give {column.value[k]:.10g} with an error below {3 * column.error[k]:.1g}"
            )
        for k in np.flatnonzero(column.state != 0):
            self.on_kinks.append(
                f"{where} lies on a kink of slopes {column.left[k]:.6g} and {column.right[k]:.6g}, and the gradient {float(got[k]):.6g} between them"
                if column.state[k] == KINK
                else f"{where} lies where differences give no slope (a jump, the edge of the domain, or noise), so that nothing is checked there"
            )

    def check_products(self, backward: bool, forward: bool) -> None:
        """One random product with the Jacobian from both sides."""
        random = np.random.default_rng(0)
        directions = [signs(random, x.array) for x in self.xs]
        weights = [signs(random, np.zeros(s, d)) for s, d in self.shapes()]
        flat = np.concatenate([w.astype(np.float64).ravel() for w in weights])
        for fresh in (False, True):
            slopes = self.probe.along(directions, fresh).weighted(flat)
            products = []
            if backward:
                found = self.arrays_of(self.pull_back(self.outputs(), weights))
                products.append(sum([(g.astype(np.float64) * d).sum() for g, d in zip(found, directions, strict=True)]))
            if forward:
                products.append(float(flat @ self.push_forward(directions)))
            if all(slopes.admits(np.asarray(p), self.settings.atol, self.settings.rtol) for p in products):
                break
        else:
            raise GradcheckError(
                f"gradcheck: weighted at random, the gradients along a random line add up to {products[0]!r}, but differences give "
                f"{float(slopes.value):.10g} with an error below {3 * float(slopes.error):.1g}; fast_mode=False tells which element is wrong"
            )
        if slopes.state == KINK or slopes.state == UNKNOWN:
            self.on_kinks.append("the line lies across kinks, so that the product is checked in part only")

    # --- rules that every backward keeps ------------------------------------------------------------------------------

    def check_dtypes(self, i: int, x: Tensor, rows: Sequence[Sequence[Array]]) -> None:
        for row in rows:
            if row[i].dtype != x.array.dtype:
                raise GradcheckError(
                    f"gradcheck: the gradient of input {self.moving[i]} has dtype {row[i].dtype}, but the input has {x.array.dtype}"
                )

    def check_backward(self) -> None:
        """Twice the same gives the same, and weights of 0 give 0."""
        outs = self.outputs()
        random = np.random.default_rng(1)
        weights = [signs(random, out.array) for out in outs]
        first = self.arrays_of(self.pull_back(outs, weights))
        first = [g.copy() for g in first]
        again = self.arrays_of(self.pull_back(outs, weights))
        for i, (a, b) in enumerate(zip(first, again, strict=True)):
            apart = np.abs(a.astype(np.float64) - b).max(initial=0.0)
            if apart > self.settings.nondet_tol:
                raise GradcheckError(
                    f"gradcheck: Backward is not reentrant: two backwards of the same give gradients of input {self.moving[i]} that differ by "
                    f"{apart:.3g}; the tolerance for nondeterminism was {self.settings.nondet_tol}"
                )
        for i, g in enumerate(self.arrays_of(self.pull_back(outs, [np.zeros_like(w) for w in weights]))):
            if np.any(g != 0):
                raise GradcheckError(
                    f"gradcheck: backward not multiplied by grad_output: the gradient of input {self.moving[i]} is not 0 for outputs of weight 0"
                )


def signs(random: np.random.Generator, like: Array) -> Array:
    """Numbers of several sizes and both signs, with few digits."""
    return random.choice([-1.0, -0.75, 0.5, 1.0], like.shape).astype(like.dtype)
