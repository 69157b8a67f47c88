"""Module: a function with parameters, built from other modules.

Parameters, buffers and children are plain attributes, read from `vars(module)`: reading `self.weight` in a forward costs what any attribute costs,
and the order of definition is the order of the dictionary.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from minigrad.core.modes import no_grad
from minigrad.core.tensor import RemovableHandle, Tensor
from minigrad.nn.hooks import BackwardGates, Hook, HookTable, add_hook
from minigrad.nn.parameter import Parameter

Member = TypeVar("Member")


class IncompatibleKeys(NamedTuple):
    """What load_state_dict found on one side only: keys of the module, keys of the state."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """Base class of all layers and networks: define the parts in __init__ and what they do in forward.

    >>> import minigrad
    >>> class Double(minigrad.nn.Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> Double()(minigrad.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """

    training: bool = True
    # None until the first hook is registered, so that a call of a module without hooks tests one attribute.
    _hooks: HookTable | None = None
    # Name of each buffer -> whether state_dict() has it; None until the first buffer is registered.
    _buffer_is_persistent: dict[str, bool] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return self._call_with_hooks(args, kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # -- members ---------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__
        present = members.get(name)
        if present is not None and value is not None:
            if isinstance(present, Parameter):
                if not isinstance(value, Parameter):
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as parameter '{name}' (minigrad.nn.Parameter or None expected);"
                        " to change its values write into it under no_grad, e.g. with copy_()"
                    )
            elif isinstance(present, Module):
                if not isinstance(value, Module):
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as child module '{name}' (minigrad.nn.Module or None expected)"
                    )
            elif self._buffer_is_persistent is not None and name in self._buffer_is_persistent:
                if isinstance(value, Parameter):
                    delattr(self, name)
                elif not isinstance(value, Tensor):
                    raise TypeError(f"cannot assign '{_type_name(value)}' as buffer '{name}' (minigrad.Tensor or None expected)")
            elif isinstance(value, (Parameter, Module)):
                # A plain attribute becomes a member: it is counted from now, not from where the name first appeared.
                del members[name]
        elif isinstance(value, (Parameter, Module)):
            members.pop(name, None)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if self._buffer_is_persistent is not None:
            self._buffer_is_persistent.pop(name, None)

    @property
    def _parameters(self) -> Mapping[str, Parameter]:
        return MappingProxyType({name: value for name, value in self.__dict__.items() if isinstance(value, Parameter)})

    @property
    def _modules(self) -> Mapping[str, Module]:
        return MappingProxyType({name: value for name, value in self.__dict__.items() if isinstance(value, Module)})

    @property
    def _buffers(self) -> Mapping[str, Tensor]:
        names = self._buffer_is_persistent
        if names is None:
            return MappingProxyType({})
        members = self.__dict__
        return MappingProxyType({name: members[name] for name in names if members.get(name) is not None})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None says that the module can do without it (a layer without bias).

        Raises TypeError if param is no Parameter and KeyError if the name is taken, empty or contains a dot.
        """
        self._check_free("parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_type_name(param)}' object to parameter '{name}' (minigrad.nn.Parameter or None required)"
            )
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that belongs to the module's state but is not learned, such as a running mean.

        persistent: whether state_dict() has it. Raises TypeError if tensor is no Tensor and KeyError if the name is taken, empty or contains a dot.
        """
        self._check_free("buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (minigrad.Tensor or None required)")
        if self._buffer_is_persistent is None:
            self._buffer_is_persistent = {}
        self._buffer_is_persistent[name] = persistent
        setattr(self, name, tensor)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child under a name.

        Raises TypeError if it is no Module and KeyError if the name is taken, empty or contains a dot.
        """
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        if not (isinstance(name, str) and isinstance(self.__dict__.get(name), Module)):
            self._check_free("module", name)
        setattr(self, name, module)

    register_module = add_module

    def _check_free(self, kind: str, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_type_name(name)}")
        if not name:
            raise KeyError(f"{kind} name cannot be an empty string")
        if "." in name:
            raise KeyError(f'{kind} name cannot contain ".", got: {name}')
        if hasattr(self, name) and (self.__dict__.get(name, self) is not None or kind == "module"):
            raise KeyError(f"attribute '{name}' already exists")

    # -- walking the tree ------------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children with their names, in order of definition, each once."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """The direct children, in order of definition, each once."""
        for _, child in self.named_children():
            yield child

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it with their dotted names, parents before children."""
        if memo is None:
            memo = set()
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, parents before children, each once."""
        for _, module in self.named_modules():
            yield module

    def _named_members(
        self, members_of: Callable[[Module], Mapping[str, Member]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Member]]:
        seen: set[int] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else iter([(prefix, self)])
        for owner_name, owner in owners:
            for name, member in members_of(owner).items():
                if remove_duplicate:
                    if id(member) in seen:
                        continue
                    seen.add(id(member))
                yield (f"{owner_name}.{name}" if owner_name else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names: a module's own first, then its children's in order of definition."""
        return self._named_members(_parameters_of, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimiser takes.

        >>> import minigrad
        >>> sum(parameter.numel() for parameter in minigrad.nn.Linear(3, 2).parameters())
        8
        """
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named_members(_buffers_of, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; raises AttributeError where the path ends."""
        module: Module = self
        if not target:
            return module
        for name in target.split("."):
            child = module.__dict__.get(name)
            if child is None:
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            if not isinstance(child, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name; raises AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        member = owner.__dict__.get(name)
        if not isinstance(member, Parameter):
            raise AttributeError(f"{type(owner).__name__} has no parameter `{name}`")
        return member

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name; raises AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        buffers = owner._buffers
        if name not in buffers:
            raise AttributeError(f"{type(owner).__name__} has no buffer `{name}`")
        return buffers[name]

    # -- state -----------------------------------------------------------------------------------------------------

    def state_dict(
        self, *, destination: OrderedDict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict[str, Any]:
        """All parameters and persistent buffers by dotted name, sharing memory with the module.

        keep_vars: give the parameters themselves rather than detached tensors.

        >>> import minigrad
        >>> list(minigrad.nn.Sequential(minigrad.nn.Linear(2, 1)).state_dict())
        ['0.weight', '0.bias']
        """
        if destination is None:
            destination = OrderedDict()
        for name, member in self._state_members().items():
            destination[prefix + name] = member if keep_vars else member.detach()
        for name, child in self._modules.items():
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return destination

    def _state_members(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = dict(self._parameters)
        persistent = self._buffer_is_persistent or {}
        state.update({name: buffer for name, buffer in self._buffers.items() if persistent[name]})
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copies a state into the parameters and buffers of the same names, after checking that all of it fits.

        strict: keys must match exactly. assign: take the state's tensors themselves instead of copying. NumPy arrays are taken as well as tensors.
        Raises RuntimeError with a list of what is missing, unexpected or of another shape; the module is then left as it was.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        copies: list[tuple[Module, str, Tensor, Tensor]] = []
        missing: list[str] = []
        errors: list[str] = []
        known: set[str] = set()
        for prefix, owner in self.named_modules(remove_duplicate=False):
            for name, member in owner._state_members().items():
                key = f"{prefix}.{name}" if prefix else name
                known.add(key)
                if key not in state_dict:
                    missing.append(key)
                    continue
                value = _as_tensor(state_dict[key])
                if value is None:
                    errors.append(
                        f'While copying the parameter named "{key}", expected a Tensor or NumPy array from checkpoint '
                        f"but received {type(state_dict[key])}"
                    )
                elif tuple(value.shape) != tuple(member.shape):
                    errors.append(
                        f"size mismatch for {key}: copying a param with shape {tuple(value.shape)} from checkpoint, "
                        f"the shape in current model is {tuple(member.shape)}."
                    )
                else:
                    copies.append((owner, name, member, value))
        unexpected = [key for key in state_dict if key not in known]
        if strict:
            if missing:
                errors.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
            if unexpected:
                errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. {_nearest(unexpected, missing)}")
        if errors:
            report = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{report}")
        with no_grad():
            for owner, name, member, value in copies:
                if not assign:
                    member.copy_(value)
                elif isinstance(member, Parameter):
                    setattr(owner, name, Parameter(value, member.requires_grad))
                else:
                    setattr(owner, name, value)
        return IncompatibleKeys(missing, unexpected)

    # -- modes, types, gradients -----------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Sets this module and all below it to training (dropout drops, batch norm uses the batch's statistics) or to evaluation."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Sets this module and all below it to evaluation: train(False)."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Calls fn on every module below this one, then on this one; the usual way to initialise a network."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Sets whether the parameters are learned; False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for parameter in self.parameters():
            gradient = parameter.grad
            if gradient is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                parameter.grad = gradient.detach().zero_()

    def _apply(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Replaces the values of all parameters, their gradients and all buffers by function of them."""
        for parameter in self.parameters():
            gradient = parameter.grad
            parameter.data = function(parameter.data)
            if gradient is not None:
                parameter.grad = function(gradient.detach())
        for module in self.modules():
            for name, buffer in module._buffers.items():
                module.__dict__[name] = function(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Converts the floating-point parameters and buffers, in place: to(dtype), to(device), to(device, dtype) or to(tensor)."""
        device, dtype = _target(*args, **kwargs)
        if dtype is not None and dtype.kind not in "fc":
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")

        def convert(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        return self._apply(convert)

    def float(self) -> Self:
        """Converts the floating-point parameters and buffers to float32, in place."""
        return self._apply(lambda tensor: tensor.float() if tensor.is_floating_point() else tensor)

    def double(self) -> Self:
        """Converts the floating-point parameters and buffers to float64, in place."""
        return self._apply(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)

    def cpu(self) -> Self:
        """Moves the parameters and buffers to the memory of the host, in place."""
        return self._apply(lambda tensor: tensor.cpu())

    def half(self) -> Self:
        """Converts the floating-point parameters and buffers to float16, in place."""
        return self._apply(lambda tensor: tensor.half() if tensor.is_floating_point() else tensor)

    # -- hooks -----------------------------------------------------------------------------------------------------

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

    # -- printing --------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses of the module's repr before its children; subclasses define it."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {_indented(repr(child))}" for name, child in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


def _parameters_of(module: Module) -> Mapping[str, Parameter]:
    return module._parameters


def _buffers_of(module: Module) -> Mapping[str, Tensor]:
    return module._buffers


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _as_tensor(value: Any) -> Tensor | None:
    """A tensor, or a tensor around an array; None for anything else."""
    if isinstance(value, Tensor):
        return value
    return Tensor(value) if isinstance(value, np.ndarray) else None


def _target(*args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False) -> tuple[Any, Any]:
    """The device and the dtype that the arguments of to() ask for."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, (np.dtype, type)):
            dtype = arg
        elif not isinstance(arg, bool):
            device = arg
    return device, None if dtype is None else np.dtype(dtype)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _nearest(unexpected: list[str], missing: list[str]) -> str:
    """Says which missing key each unexpected one may stand for."""
    from difflib import get_close_matches

    guesses = ((name, get_close_matches(name, missing, n=1)) for name in unexpected)
    return " ".join(f'Did you mean "{close[0]}" by "{name}"?' for name, close in guesses if close)
