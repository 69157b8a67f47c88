"""L-BFGS: a quasi-Newton method with limited memory, and the line search that goes with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from minigrad.core.modes import enable_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import xp
from minigrad.optim.optimizer import Group, Optimizer


class LBFGS(Optimizer):
    """Newton's method with a Hessian estimated from the last steps and changes of the gradient (Nocedal, 1980; Liu and Nocedal, 1989).

    Each step() takes up to max_iter iterations and calls the closure up to max_eval times, by default 5/4 max_iter.
    tolerance_grad: ends when no element of the gradient is larger. tolerance_change: ends when the loss or the parameters change less.
    history_size: how many steps are remembered; each takes twice the memory of the parameters.
    line_search_fn: 'strong_wolfe' to search for the length of each step, or None for steps of length lr.
    There is one group of parameters. Raises ValueError for more, RuntimeError for another line search.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = minigrad.optim.LBFGS([weight], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (weight * weight).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    5.0
    >>> closure() < 1e-9
    tensor(True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def add_param_group(self, param_group: Group) -> None:
        """Adds the parameters. Raises ValueError if there are some already: one estimate of the Hessian is for all."""
        super().add_param_group(param_group)
        if len(self.param_groups) > 1:
            self.param_groups.pop()
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def check(self, group: Group) -> None:
        super().check(group)
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, or None: line_search_fn is {group['line_search_fn']!r}")

    def check_shape(self, name: str, value: Tensor, parameter: Tensor, number: Any) -> None:
        """Raises ValueError for a loaded vector of another length: those of the state run over all parameters."""
        size = sum(parameter.numel() for parameter in self._parameters())
        if value.ndim and value.shape != (size,):
            raise ValueError(
                f"loaded state dict has {name} of shape {tuple(value.shape)}, but the parameters have {size} elements in all"
            )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes up to max_iter iterations and returns the loss before them.

        closure: computes the loss anew, with gradients. Raises TypeError without one.
        """
        if closure is None:
            raise TypeError("LBFGS: step() needs a closure that clears the gradients, computes the loss, calls backward() and returns it")
        (group,) = self.param_groups
        self.check(group)
        lr, tolerance_change = float(group["lr"]), group["tolerance_change"]
        # As in torch, the state of all is the first parameter's.
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            first_loss = closure()
        loss, gradient = float(first_loss), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        if largest(gradient) <= group["tolerance_grad"]:
            return first_loss
        if state["n_iter"] == 0:
            state.update(d=None, t=None, old_dirs=[], old_stps=[], ro=[], H_diag=1, prev_flat_grad=None, prev_loss=None)
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] > 1:
                self._remember(state, gradient, group["history_size"])
            direction, weights = newton_direction(state, gradient)
            if state["n_iter"] > 1:  # torch keeps them in its state too
                state["al"] = [*map(make_tensor, weights), *[None] * (group["history_size"] - len(weights))]
            length = lr if state["n_iter"] > 1 else min(1.0, 1.0 / float(abs(gradient).sum())) * lr
            state.update(d=make_tensor(direction), t=length, prev_flat_grad=make_tensor(gradient), prev_loss=loss)
            slope = float(gradient @ direction)
            if slope > -tolerance_change:
                break
            before = loss
            used = 0
            if group["line_search_fn"] is not None:
                found, used = strong_wolfe(
                    self._probe(closure, direction),
                    Point(0.0, loss, gradient, slope),
                    length,
                    largest(direction),
                    tolerance_change,
                    group["max_eval"] - evaluations,
                )
                length, loss, gradient = found.step, found.loss, found.gradient
                state["t"] = length
                self._move(length, direction)
            else:
                self._move(length, direction)
                # After the last iteration the next step() would evaluate the same point again, maybe on another batch.
                if iteration < group["max_iter"]:
                    with enable_grad():
                        loss = float(closure())
                    gradient = self._gradient()
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= group["max_eval"]
                or largest(gradient) <= group["tolerance_grad"]
                or largest(direction) * length <= tolerance_change
                or abs(loss - before) < tolerance_change
            ):
                break
        return first_loss

    @staticmethod
    def _remember(state: dict[str, Any], gradient: Any, history_size: int) -> None:
        """Adds the last step and the change of the gradient along it, unless the curvature there was not positive."""
        change = gradient - state["prev_flat_grad"].array
        step = state["d"].array * float(state["t"])  # in a state of torch's the length may be a tensor
        curvature = change @ step
        if curvature > 1e-10:
            kept = max(history_size - 1, 0)
            for name, value in (("old_dirs", change), ("old_stps", step), ("ro", xp(change).asarray(1 / curvature))):
                old = state[name]
                state[name] = [*old[max(len(old) - kept, 0) :], make_tensor(value)]
            state["H_diag"] = make_tensor(xp(change).asarray(curvature / (change @ change)))

    def _gradient(self) -> Any:
        """The gradients of all parameters in one new vector."""
        arrays = [
            (xp(parameter.array).zeros_like(parameter.array) if parameter.grad is None else parameter.grad.array).reshape(-1)
            for parameter in self._parameters()
        ]
        return xp(arrays[0]).concatenate(arrays)

    def _move(self, length: float, direction: Any) -> None:
        """Adds length times the direction to the parameters."""
        start = 0
        for parameter in self._parameters():
            stop = start + parameter.numel()
            part = direction[start:stop].reshape(parameter.shape)
            parameter.array[...] += (part * length).astype(parameter.array.dtype, copy=False)
            parameter.written()
            start = stop

    def _probe(self, closure: Callable[[], Any], direction: Any) -> Callable[[float], Point]:
        """The loss as a function of the length of the step; the parameters are afterwards as they were."""
        origin = [parameter.array.copy() for parameter in self._parameters()]

        def probe(length: float) -> Point:
            self._move(length, direction)
            with enable_grad():
                loss = float(closure())
            gradient = self._gradient()
            for parameter, value in zip(self._parameters(), origin, strict=True):
                parameter.array[...] = value
                parameter.written()
            return Point(length, loss, gradient, float(gradient @ direction))

        return probe


def largest(vector: Any) -> float:
    """The largest magnitude among the elements."""
    return float(abs(vector).max())


def newton_direction(state: dict[str, Any], gradient: Any) -> tuple[Any, list[Any]]:
    """Minus the estimate of the inverse Hessian times the gradient, and the weight of each change in it: the two loops of Nocedal (1980)."""
    changes, steps = ([one.array for one in state[name]] for name in ("old_dirs", "old_stps"))
    inverse_curvatures = [one.array for one in state["ro"]]
    direction = -gradient
    weights: list[Any] = []
    for change, step, inverse in zip(changes[::-1], steps[::-1], inverse_curvatures[::-1], strict=True):
        weight = xp(step).asarray((step @ direction) * inverse)
        weights.insert(0, weight)
        direction -= weight * change
    scale = state["H_diag"]
    direction *= scale.array if isinstance(scale, Tensor) else scale
    for change, step, inverse, weight in zip(changes, steps, inverse_curvatures, weights, strict=True):
        direction += (weight - (change @ direction) * inverse) * step
    return direction, weights


class Point(NamedTuple):
    """A point on the line of a search: how far along it is, and the loss, its gradient and its slope along the line there."""

    step: float
    loss: float
    gradient: Any
    slope: float


def strong_wolfe(
    probe: Callable[[float], Point], start: Point, step: float, width: float, tolerance: float, limit: int
) -> tuple[Point, int]:
    """A point with enough less loss and a flat enough slope, the strong Wolfe conditions, and how many points were looked at.

    step: the first guess. width: the largest element of the direction. The search ends when the bracket is narrower than tolerance
    in every parameter, or after limit points. Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6.

    >>> def parabola(step):
    ...     return Point(step, (step - 2) ** 2, None, 2 * (step - 2))
    >>> strong_wolfe(parabola, parabola(0.0), 8.0, 1.0, 1e-9, 25)
    (Point(step=2.0, loss=0.0, gradient=None, slope=0.0), 2)
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + 1e-4 * point.step * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -0.9 * start.slope

    # Go farther until there is such a point between the last two.
    previous, new = start, probe(step)
    looked = 0
    while looked < limit:
        if too_high(new) or (looked > 1 and new.loss >= previous.loss):
            break
        if flat(new):
            return new, looked + 1
        if new.slope >= 0:
            break
        step = cubic_minimum(previous, new, new.step + 0.01 * (new.step - previous.step), new.step * 10)
        previous, new = new, probe(step)
        looked += 1
    else:
        previous = start

    # Make the bracket narrower; low is its better end.
    low, high = (previous, new) if previous.loss <= new.loss else (new, previous)
    stalled = False
    while looked < limit and abs(high.step - low.step) * width >= tolerance:
        left, right = sorted((low.step, high.step))
        step = cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        near_an_end = min(right - step, step - left) < margin
        if near_an_end and (stalled or not left < step < right):
            step = right - margin if right - step < step - left else left + margin
            near_an_end = False
        stalled = near_an_end
        new = probe(step)
        looked += 1
        if too_high(new) or new.loss >= low.loss:
            low, high = (new, low) if new.loss < low.loss else (low, new)
            continue
        if flat(new):
            low = new
            break
        if new.slope * (high.step - low.step) >= 0:
            high = low
        low = new
    return low, looked + 1


def cubic_minimum(one: Point, other: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is least, between least and most; their middle if there is no such place.

    Nocedal and Wright, Numerical Optimization, 2006, equation 3.59.
    """
    left, right = (one, other) if one.step <= other.step else (other, one)
    middle = (least + most) / 2
    if left.step == right.step:
        return middle
    mean = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.step - right.step)
    square = mean * mean - left.slope * right.slope
    if not square >= 0:
        return middle
    root = math.sqrt(square)
    rise = right.slope - left.slope + 2 * root
    if rise == 0:
        return middle
    return min(max(right.step - (right.step - left.step) * ((right.slope + root - mean) / rise), least), most)
