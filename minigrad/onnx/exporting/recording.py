"""A model's forward as a list of operations on inputs, parameters and buffers, which keep their names."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.core.modes import enable_grad, no_grad, set_tracer, tracers
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.inference.passes import without_dead
from minigrad.inference.trace import Program, Tracer, replaced
from minigrad.nn import Module
from minigrad.onnx.exporting.builder import EMITTERS
from minigrad.ops.random import get_rng_state


class Recording(NamedTuple):
    """What a model does, and what it returned: a nest of tensors."""

    program: Program
    out: Any
    state: dict[str, Any]  # the arrays of parameters and buffers; they are the values behind the inputs, in this order
    buffers: list[str]  # which of them are no parameters


class Recorder(Tracer):
    """Follows operations; fused ones that no table knows come apart into those that they equal."""

    asked_by = "onnx.export"

    def note(self, op: Any, args: tuple[Any, ...], static: tuple[Any, ...], outs: tuple[Tensor, ...]) -> None:
        if op.name in EMITTERS or op.equals is None:
            super().note(op, args, static, outs)
            return
        found = op.equals(*args, *static)
        for out, same in zip(outs, found if isinstance(found, tuple) else (found,), strict=False):
            number = self.number_of.get(id(same.array))
            if number is not None:
                self.alive.append(out.array)
                self.number_of[id(out.array)] = number


def recorded(model: Module, inputs: tuple[Tensor, ...]) -> Recording:
    """Runs a model in evaluation once and tells what it did. Raises RuntimeError for what operations cannot tell."""
    state = {name: t.array for name, t in (*model.named_parameters(), *model.named_buffers())}
    recorder = Recorder(inputs)
    for array in state.values():
        recorder.add(array)
    modes = [(module, module.training) for module in model.modules()]
    before, draws = tracers.current, get_rng_state()
    try:
        set_tracer(None)
        model.eval()
        # Gradients are recorded so that batch norm computes with tensors; what the model is given needs none.
        with enable_grad():
            set_tracer(recorder)
            out = model(*inputs)
    finally:
        set_tracer(before)
        for module, training in modes:
            module.training = training
    if not np.array_equal(draws.array, get_rng_state().array):
        raise RuntimeError(
            "onnx.export: the model draws random numbers, which a file would hold as constants; make them an input of the model"
        )
    result = replaced(out, Tensor, recorder.argument)
    program = Program(recorder.calls, recorder.kinds, len(inputs) + len(state), recorder.shared(), result)
    return Recording(without_dead(program, "onnx.export"), out, state, [name for name, _ in model.named_buffers()])


def resized(inputs: tuple[Tensor, ...], factors: dict[tuple[int, int], int]) -> tuple[Tensor, ...]:
    """Inputs whose axes (input, axis) are longer by these factors, the numbers repeated."""
    with no_grad():
        arrays = [x.array for x in inputs]
        for (i, axis), factor in factors.items():
            arrays[i] = np.repeat(arrays[i], factor, axis)
        return tuple([make_tensor(a) for a in arrays])
