"""The callbacks of a module: a table by kind, and the gates in the graph through which backward hooks see gradients pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core.primitive import primitive
from minigrad.core.tensor import RemovableHandle, Tensor

Hook = Callable[..., Any]


class HookTable:
    """The hooks of one module, each kind in the order of calling."""

    __slots__ = ("backward", "backward_pre", "forward", "forward_pre")

    def __init__(self) -> None:
        self.forward_pre: list[tuple[Hook, bool]] = []
        self.forward: list[tuple[Hook, bool, bool]] = []
        self.backward_pre: list[Hook] = []
        self.backward: list[Hook] = []


def add_hook(hooks: list[Any], entry: Any, prepend: bool) -> RemovableHandle:
    """Adds an entry behind the others, or before them."""
    handle = RemovableHandle(hooks, entry)
    if prepend:
        hooks.insert(0, hooks.pop())
    return handle


@primitive(method=False, parts=True, tested_by="nn/test_module.py")  # type: ignore[untyped-decorator]
def gate(*tensors: Any, passing: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Any:
    """The tensors, whose gradients all go through passing() together."""
    # Copies: who writes into what comes out of a gate must not change what went in unseen.
    return tuple(array.copy() for array in tensors)


@gate.vjp("tensors")  # type: ignore[untyped-decorator]
def _(g: Any, passing: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Any:
    return passing(g)


@gate.cases  # type: ignore[untyped-decorator]
def _(draw: Any) -> Any:
    return (draw.array(draw.shape()), draw.array(draw.shape())), {"passing": tuple}


class BackwardGates:
    """The gates around one call of a module: gradients pass the one at its outputs, later the one at its inputs."""

    __slots__ = ("gradients_out", "has_input_gate", "hooks", "input_places", "inputs", "module", "output_places", "outputs", "pre_hooks")

    def __init__(self, module: Any, table: HookTable) -> None:
        self.module = module
        self.hooks = list(table.backward)
        self.pre_hooks = list(table.backward_pre)
        self.inputs = self.outputs = 0
        self.input_places: list[int] = []
        self.output_places: list[int] = []
        self.has_input_gate = False
        self.gradients_out: Any = None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with a gate before the tensors among them."""
        self.inputs = len(args)
        self.input_places = [place for place, arg in enumerate(args) if isinstance(arg, Tensor)]
        tensors = [args[place] for place in self.input_places]
        self.has_input_gate = bool(self.hooks) and any(tensor.requires_grad for tensor in tensors)
        if not self.has_input_gate:
            return args
        gated = list(args)
        for place, tensor in zip(self.input_places, gate(*tensors, passing=self.pass_inputs), strict=True):
            gated[place] = tensor
        return tuple(gated)

    def leave(self, output: Any) -> Any:
        """The output, a tensor or a tuple, with a gate behind its tensors."""
        outputs = output if isinstance(output, (tuple, list)) else (output,)
        places = [place for place, one in enumerate(outputs) if isinstance(one, Tensor) and one.requires_grad]
        if not places:
            return output
        self.outputs = len(outputs)
        gated = list(outputs)
        self.output_places = places
        for place, tensor in zip(places, gate(*[outputs[place] for place in places], passing=self.pass_outputs), strict=True):
            gated[place] = tensor
        return type(output)(gated) if isinstance(output, (tuple, list)) else gated[0]

    def pass_outputs(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """Shows the gradients of the outputs to the pre-hooks, and, if no input needs a gradient, to the hooks."""
        all_gradients = [None] * self.outputs
        for place, gradient in zip(self.output_places, gradients, strict=True):
            all_gradients[place] = gradient
        self.gradients_out = tuple(all_gradients)
        for hook in self.pre_hooks:
            self.gradients_out = self._replaced("grad_output", self.gradients_out, hook(self.module, self.gradients_out))
        passed = tuple(self.gradients_out[place] for place in self.output_places)
        if not self.has_input_gate:
            for hook in self.hooks:
                hook(self.module, (None,) * self.inputs, self.gradients_out)
            self.gradients_out = None
        return passed

    def pass_inputs(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """Shows the gradients of the inputs to the hooks."""
        all_gradients = [None] * self.inputs
        for place, gradient in zip(self.input_places, gradients, strict=True):
            all_gradients[place] = gradient
        gradients_in = tuple(all_gradients)
        for hook in self.hooks:
            gradients_in = self._replaced("grad_input", gradients_in, hook(self.module, gradients_in, self.gradients_out))
        self.gradients_out = None
        return tuple(gradients_in[place] for place in self.input_places)

    def _replaced(self, what: str, gradients: tuple[Any, ...], replacement: Any) -> tuple[Any, ...]:
        if replacement is None:
            return gradients
        if not isinstance(replacement, tuple):
            replacement = (replacement,)
        if len(replacement) != len(gradients):
            raise RuntimeError(
                f"backward hook of {type(self.module).__name__} returned {len(replacement)} gradients for {what}, "
                f"expected {len(gradients)}"
            )
        return replacement

