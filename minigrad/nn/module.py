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
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.checks import expect
from minigrad.nn.hooks import Hooked
from minigrad.nn.parameter import Buffer, Parameter, UninitializedTensorMixin, is_lazy
from minigrad.ops.creation import empty_like

Member = TypeVar("Member")
EXTRA_STATE = "_extra_state"  # in a state_dict, after the prefix: what get_extra_state() gave


class IncompatibleKeys(NamedTuple):
    """What load_state_dict found on one side only: keys of the module, keys of the state."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module(Hooked):
    """Base class of all layers and networks: define the parts in __init__ and what they do in forward.

    >>> import minigrad
    >>> class Double(minigrad.nn.Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> Double()(minigrad.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """

    training: bool = True
    # Name of each buffer -> whether state_dict() has it; None until the first buffer is registered.
    _buffer_is_persistent: dict[str, bool] | None = None

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
        if isinstance(value, Buffer):
            self._buffer_is_persistent = {**(self._buffer_is_persistent or {}), name: value.persistent}
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
        expect("named_modules", "memo", memo, set)
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, parents before children, each once unless remove_duplicate is False."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def _named_members(
        self, members_of: Callable[[Module], Mapping[str, Member]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Member]]:
        expect(type(self).__name__, "prefix", prefix, str)
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
        expect("get_submodule", "target", target, str)
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
        expect("get_parameter", "target", target, str)
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        member = owner.__dict__.get(name)
        if not isinstance(member, Parameter):
            raise AttributeError(f"{type(owner).__name__} has no parameter `{name}`")
        return member

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name; raises AttributeError if there is none."""
        expect("get_buffer", "target", target, str)
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        buffers = owner._buffers
        if name not in buffers:
            raise AttributeError(f"{type(owner).__name__} has no buffer `{name}`")
        return buffers[name]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module in the place of a dotted name.

        strict: there must be one already. Raises ValueError for an empty name or what is no module, AttributeError where the path ends.

        >>> import minigrad
        >>> model = minigrad.nn.Sequential(minigrad.nn.Sequential(minigrad.nn.Linear(2, 2)))
        >>> model.set_submodule("0.0", minigrad.nn.Identity())
        >>> model.get_submodule("0.0")
        Identity()
        """
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        expect("set_submodule", "target", target, str)
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        present = vars(owner).get(name)
        if strict and present is None:
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        if present is not None and not isinstance(present, Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(owner, name, module)

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
        for hook in self._state_hooks_of("save_pre"):
            hook(self, prefix, keep_vars)
        for name, member in self._state_members().items():
            destination[prefix + name] = member if keep_vars else member.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA_STATE] = self.get_extra_state()
        for name, child in self._modules.items():
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_hooks_of("save_post"):
            if hook(self, destination, prefix, {"version": 1}) is not None:
                raise RuntimeError("state_dict post-hook must return None: what it changes, it changes in the state_dict")
        return destination

    def get_extra_state(self) -> Any:
        """What a subclass has to save beside its tensors; one that defines it defines set_extra_state() too."""
        raise RuntimeError(f"{type(self).__name__} defines no get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Takes over what get_extra_state() gave."""
        raise RuntimeError(f"{type(self).__name__} defines get_extra_state() but no set_extra_state()")

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Module.get_extra_state

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
        state = OrderedDict(state_dict)
        copies: list[tuple[Module, str, Any]] = []
        after: list[Module] = []
        missing: list[str] = []
        errors: list[str] = []
        known: set[str] = set()
        for prefix, owner in self.named_modules(remove_duplicate=False):
            start = f"{prefix}." if prefix else ""
            owner._before_load(state, start, strict, missing, errors)
            after.insert(0, owner)
            members: dict[str, Any] = dict(owner._state_members())
            if owner._has_extra_state():
                members[EXTRA_STATE] = None
            for name, member in members.items():
                key = start + name
                known.add(key)
                if key not in state:
                    missing.append(key)
                    continue
                value = state[key] if member is None else _as_tensor(state[key])
                if member is None:
                    copies.append((owner, name, value))
                elif value is None:
                    errors.append(
                        f'While copying the parameter named "{key}", expected a Tensor or NumPy array from checkpoint '
                        f"but received {type(state[key])}"
                    )
                elif is_lazy(member):
                    if not is_lazy(value):
                        copies.append((owner, name, value))
                elif tuple(value.shape) != tuple(member.shape):
                    errors.append(
                        f"size mismatch for {key}: copying a param with shape {tuple(value.shape)} from checkpoint, "
                        f"the shape in current model is {tuple(member.shape)}."
                    )
                else:
                    copies.append((owner, name, value))
        unexpected = [key for key in state if key not in known]
        keys = IncompatibleKeys(missing, unexpected)
        hooks = [(owner, hook) for owner in after for hook in owner._state_hooks_of("load_post")]
        if hooks:  # which see the module loaded, and may change what is refused
            _take_over(copies, assign)
            copies.clear()
            for owner, hook in hooks:
                hook(owner, keys)
        if strict:
            if missing:
                errors.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
            if unexpected:
                errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. {_nearest(unexpected, missing)}")
        if errors:
            report = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{report}")
        _take_over(copies, assign)
        return keys

    def _before_load(self, state: dict[str, Any], prefix: str, strict: bool, missing: list[str], errors: list[str]) -> None:
        """Lets hooks, and subclasses that know older versions of their state, change a copy of the state that is being loaded."""
        for hook in self._state_hooks_of("load_pre"):
            hook(self, state, prefix, {}, strict, missing, [], errors)

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
        expect("requires_grad_", "requires_grad", requires_grad, bool)
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

    def _apply(self, function: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replaces the values of all parameters, their gradients and all buffers by function of them."""
        for parameter in self.parameters(recurse):
            gradient = parameter.grad
            parameter.data = function(parameter.data)
            if gradient is not None:
                parameter.grad = function(gradient.detach())
        for module in self.modules() if recurse else (self,):
            for name, buffer in module._buffers.items():
                if isinstance(buffer, Buffer):
                    buffer.data = function(buffer.data)
                else:
                    module.__dict__[name] = function(buffer)
        return self

    def to(self, *args: Any, memory_format: Any = None, **kwargs: Any) -> Self:
        """Converts the floating-point parameters and buffers, in place: to(dtype), to(device), to(device, dtype) or to(tensor).

        memory_format: for those with 4 or 5 axes. Raises TypeError for a dtype that is not of floats.
        """
        device, dtype = _target(*args, **kwargs)
        if dtype is not None and dtype.kind not in "fc":
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")

        def convert(tensor: Tensor) -> Tensor:
            kind = tensor.dtype if dtype is None or not tensor.is_floating_point() else dtype
            ordered = memory_format is not None and tensor.ndim in (4, 5)  # a lazy tensor has no ndim yet
            return tensor.to(device=device, dtype=kind, memory_format=memory_format if ordered else None)

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

    def cuda(self, device: Any = None) -> Self:
        """Moves the parameters and buffers to the memory of a GPU, in place: to("cuda")."""
        return self.to("cuda" if device is None else device)

    def type(self, dst_type: Any) -> Self:
        """Converts all parameters and buffers, those of integers too, to a dtype, in place."""
        if dst_type is None or isinstance(dst_type, (Tensor, bool)):
            raise TypeError(f"Module.type: expected a dtype such as minigrad.float64, got {_type_name(dst_type)}")
        return self._apply(lambda tensor: tensor.to(dst_type))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Moves the parameters and buffers to a device without their values, in place."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse)

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


def _take_over(copies: list[tuple[Module, str, Any]], assign: bool) -> None:
    """Copies loaded values into the members of those names, or puts them in their places."""
    with no_grad():
        for owner, name, value in copies:
            member = vars(owner).get(name)
            if name == EXTRA_STATE:
                owner.set_extra_state(value)
            elif not assign:
                if isinstance(member, UninitializedTensorMixin):
                    member.materialize(value.shape)
                member.copy_(value)  # type: ignore[union-attr]
            elif isinstance(member, Parameter):
                setattr(owner, name, Parameter(value, member.requires_grad))
            else:
                setattr(owner, name, value)


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
    return make_tensor(value) if isinstance(value, np.ndarray) else None


def _target(*args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False) -> tuple[Any, Any]:
    """The device and the dtype that the arguments of to() ask for."""
    for arg in args:
        if isinstance(arg, Tensor):
            device, dtype = arg.device, arg.dtype
        elif isinstance(arg, (np.dtype, type)):
            dtype = arg
        elif arg is not None and not isinstance(arg, bool):
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
