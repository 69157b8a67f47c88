"""The callbacks of a module: tables by kind, and the gates in the graph through which backward hooks see gradients pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core.primitive import culprit, primitive
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

    def __bool__(self) -> bool:
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


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


class Hooked:
    """What can be called, saved and loaded with hooks around it: what Module has of them."""

    # None until the first hook is registered, so that a call of a module without hooks tests one attribute.
    _hooks: HookTable | None = None
    # Those around saving and loading, by kind: (), or a dict once there are some.
    _state_hooks: Any = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return self._call_with_hooks(args, kwargs)
        except AttributeError as error:
            # What is no tensor lacks what tensors have. Containers and modules of others may take what they like.
            home = type(self).__module__
            got = culprit(error, args, kwargs) if home.startswith("minigrad.") and not home.endswith(".container") else None
            if got is None:
                raise
            raise TypeError(f"{type(self).__name__}: expected a tensor, got {got}; minigrad.tensor(...) makes one") from error

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the call computes between its hooks."""
        raise NotImplementedError

    def _hook_table(self) -> HookTable:
        if self._hooks is None:
            self._hooks = HookTable()
        return self._hooks

    def register_forward_pre_hook(self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False) -> RemovableHandle:
        """Has hook(module, args) called before every forward; what it returns, unless None, replaces the arguments."""
        table = self._hook_table()
        return add_hook(table.forward_pre, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Has hook(module, args, output) called after every forward; what it returns, unless None, replaces the output.

        always_call: also after a forward that raised, with output None.

        >>> import minigrad
        >>> layer = minigrad.nn.Flatten()
        >>> with layer.register_forward_hook(lambda module, args, output: print(tuple(output.shape))):
        ...     _ = layer(minigrad.zeros(2, 3, 4))
        (2, 12)
        """
        table = self._hook_table()
        return add_hook(table.forward, (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Has hook(module, grad_output) called when the gradients of the outputs are known; what it returns, unless None, replaces them."""
        table = self._hook_table()
        return add_hook(table.backward_pre, hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Has hook(module, grad_input, grad_output) called when the gradients of the positional arguments are known.

        What it returns, unless None, replaces grad_input. Arguments that are no tensors have None there.

        >>> import minigrad
        >>> layer = minigrad.nn.ReLU()
        >>> handle = layer.register_full_backward_hook(lambda module, grad_input, grad_output: print(grad_input))
        >>> layer(minigrad.tensor([-1.0, 1.0], requires_grad=True)).sum().backward()
        (tensor([0., 1.]),)
        """
        table = self._hook_table()
        return add_hook(table.backward, hook, prepend)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        table = self._hook_table()
        waiting = list(table.forward)
        try:
            for hook, with_kwargs in list(table.forward_pre):
                if with_kwargs:
                    replacement = hook(self, args, kwargs)
                    if replacement is not None:
                        if not (isinstance(replacement, tuple) and len(replacement) == 2):
                            raise RuntimeError(
                                "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                                f"but got {replacement}."
                            )
                        args, kwargs = replacement
                else:
                    replacement = hook(self, args)
                    if replacement is not None:
                        args = replacement if isinstance(replacement, tuple) else (replacement,)
            gates = BackwardGates(self, table) if table.backward or table.backward_pre else None
            if gates is not None:
                args = gates.enter(args)
            output = self.forward(*args, **kwargs)
            while waiting:
                hook, with_kwargs, _ = waiting.pop(0)
                replacement = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
                if replacement is not None:
                    output = replacement
            return output if gates is None else gates.leave(output)
        except Exception:
            for hook, with_kwargs, always_call in waiting:
                if always_call:
                    hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
            raise

    # -- around saving and loading ---------------------------------------------------------------------------------

    def _add_state_hook(self, kind: str, hook: Hook) -> RemovableHandle:
        self._state_hooks = dict(self._state_hooks)
        return RemovableHandle(self._state_hooks.setdefault(kind, []), hook)

    def _state_hooks_of(self, kind: str) -> list[Hook]:
        return list(self._state_hooks[kind]) if kind in self._state_hooks else []

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Has hook(module, prefix, keep_vars) called before the module's part of state_dict() is made."""
        return self._add_state_hook("save_pre", hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Has hook(module, state_dict, prefix, local_metadata) called after the module's part of state_dict() is made; it may change it.

        >>> import minigrad
        >>> layer = minigrad.nn.Linear(2, 1, bias=False)
        >>> _ = layer.register_state_dict_post_hook(lambda module, state, prefix, metadata: state.update({prefix + "kind": "dense"}))
        >>> list(layer.state_dict())
        ['weight', 'kind']
        """
        return self._add_state_hook("save_post", hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Has hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs) called before loading.

        It may change the state_dict, which is a copy: rename keys of an old version, for example.
        """
        return self._add_state_hook("load_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Has hook(module, incompatible_keys) called when the module is loaded; it may change the lists, and so what strict refuses."""
        return self._add_state_hook("load_post", hook)
