"""Trained models made ready for use: the same results in less time, without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.modes import is_grad_enabled, no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.inference.finish import with_blocks, with_finished_convs
from minigrad.inference.passes import with_folded_scales, without_dead
from minigrad.inference.plan import Plan
from minigrad.inference.state import State
from minigrad.inference.trace import replaced, traced
from minigrad.nn import Module

__all__ = ["Optimized", "optimize"]

ERROR = 1e-5  # that rounding may make, relative to the largest value of a result


def optimize(model: Module, example: Any) -> Optimized:
    """A module that computes what a model in evaluation computes, up to rounding (1e-5 of the largest value), in less time.

    The model runs once on the example (a tensor, or a tuple of tensors for several arguments), and the operations that it uses become
    a plan: what does not depend on the input is computed now, batch norm goes into the weights before it, rectifiers and residual
    sums into the convolution that they follow, whose filters stay packed; a depthwise convolution is computed together with those of
    one tap around it; other activations overwrite what they read, and memory is
    given back as early as can be. Inputs of other shapes get plans of their own when
    they first come; so do all after the model's modules, parameters or buffers have changed.

    The result needs no gradient. Raises TypeError for what is no module or no tensor; RuntimeError for a model in training, and for one
    that operations do not tell wholly: it draws random numbers, computes with NumPy, or branches on values (this is found by
    comparing results for a second input, and by looking for numbers that no operation uses).

    >>> import minigrad
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    >>> x = minigrad.randn(1, 3, 16, 16)
    >>> fast = minigrad.inference.optimize(model, x)
    >>> fast.steps(x)
    ['conv and relu']
    >>> with minigrad.no_grad():
    ...     bool((fast(x) - model(x)).abs().max() < 1e-5)
    True
    """
    if not isinstance(model, Module):
        raise TypeError(f"optimize: expected a module, got {type(model).__name__}")
    inputs = example if isinstance(example, tuple) else (example,)
    check_tensors(inputs)
    optimized = Optimized(model)
    optimized.plan_for(inputs)
    return optimized


class Optimized(Module):
    """What `optimize` returns: a model in evaluation with plans for the shapes it has met."""

    model: Module

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model
        self.plans: dict[Any, Plan] = {}
        self.state: State | None = None
        super().train(model.training)

    def forward(self, *inputs: Tensor) -> Any:
        """The model's result; the inputs may be of any shapes that the model takes."""
        check_tensors(inputs)
        if is_grad_enabled() and any(x.requires_grad for x in inputs):
            raise RuntimeError(
                "optimize: an optimized model computes no gradients; call it under no_grad(), or the model itself"
            )
        plan = self.plan_for(inputs)
        return replaced(plan(tuple([x.array for x in inputs])), np.ndarray, make_tensor)

    def steps(self, *inputs: Tensor) -> list[str]:
        """The operations that inputs of these shapes go through."""
        return list(self.plan_for(inputs).names)

    def plan_for(self, inputs: tuple[Tensor, ...]) -> Plan:
        """The plan for inputs of these shapes and dtypes, made if there is none."""
        if self.state is None or not self.state.lasts():
            self.plans.clear()
            self.state = State(self.model)
        kind = tuple([(x.shape, x.dtype) for x in inputs])
        plan = self.plans.get(kind)
        if plan is None:
            plan = self.plans[kind] = planned(self.model, inputs)
        return plan


def planned(model: Module, inputs: tuple[Tensor, ...]) -> Plan:
    """The plan of a model for inputs of these shapes, compared with the model on these inputs and on others."""
    if any(module.training for module in model.modules()):
        raise RuntimeError("optimize: the model is in training; call eval() on it first")
    program, expected = traced(model, inputs)
    plan = Plan(with_blocks(with_finished_convs(with_folded_scales(without_dead(program)))))
    compare(plan, inputs, expected)
    others = tuple([make_tensor(other(x.array)) for x in inputs])
    with no_grad():
        compare(plan, others, model(*others))
    return plan


def other(array: Any) -> Any:
    """Another input of the same shape and dtype, with the same numbers in other places; of floats, with other signs too."""
    turned = array.reshape(-1)[::-1].reshape(array.shape)
    return (-0.75 * turned).astype(array.dtype) if array.dtype.kind == "f" else turned.copy()


def compare(plan: Plan, inputs: tuple[Tensor, ...], expected: Any) -> None:
    """Raises RuntimeError unless the plan gives what the model gave."""
    wanted: list[Any] = []
    replaced(expected, Tensor, lambda x: wanted.append(x.array))
    found: list[Any] = []
    replaced(plan(tuple([x.array for x in inputs])), np.ndarray, found.append)
    for a, b in zip(found, wanted, strict=True):
        bound = ERROR * float(np.abs(b[np.isfinite(b)]).max(initial=0.0)) if b.dtype.kind == "f" else 0.0
        if a.shape != b.shape or a.dtype != b.dtype or not np.allclose(a, b, rtol=0.0, atol=bound, equal_nan=True):
            raise RuntimeError(
                "optimize: the model cannot be followed: the operations it used do not give what it returned. It may draw random numbers, "
                "compute outside of tensors, or branch on values; such a model must run as it is"
            )


def check_tensors(inputs: tuple[Any, ...]) -> None:
    for x in inputs:
        if not isinstance(x, Tensor):
            raise TypeError(f"optimize: expected tensors as inputs, got {type(x).__name__}")
