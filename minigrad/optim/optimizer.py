"""What optimisers share: parameter groups, state, saving and loading, hooks, and the walk over the parameters in a step."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.core.modes import enable_grad
from minigrad.core.tensor import RemovableHandle, Tensor, make_tensor
from minigrad.kernels import xp

Group = dict[str, Any]
State = dict[str, Any]
Hook = Callable[..., Any]

# Hyperparameters that may not be negative, with torch's words for them.
NOT_NEGATIVE = {
    "lr": "learning rate",
    "eps": "epsilon value",
    "momentum": "momentum value",
    "weight_decay": "weight_decay value",
    "lr_decay": "lr_decay value",
    "momentum_decay": "momentum_decay value",
    "initial_accumulator_value": "initial_accumulator_value value",
}


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step() that calls the optimiser's hooks before and after it."""

    @wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if self._in_step:  # called by the step() of a subclass
            return step(self, *args, **kwargs)
        self._in_step = True
        try:
            for hook in list(self._hooks["step_pre"]):
                replacement = hook(self, args, kwargs)
                if replacement is not None:
                    if not (isinstance(replacement, tuple) and len(replacement) == 2):
                        raise RuntimeError(
                            f"a step pre-hook must return None or a tuple of (new_args, new_kwargs), but got {replacement}."
                        )
                    args, kwargs = replacement
            result = step(self, *args, **kwargs)
            self._stepped = True
            for hook in list(self._hooks["step_post"]):
                hook(self, args, kwargs)
            return result
        finally:
            self._in_step = False

    return hooked


class Optimizer:
    """Base class of the optimisers: a subclass defines rule(), how one parameter changes, or all of step().

    params: tensors, pairs of name and tensor as from named_parameters(), or dicts of such a list 'params' with hyperparameters of
    their own. defaults: the hyperparameters of all others. Raises TypeError and ValueError for what cannot be optimised.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: Mapping[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a single Tensor; "
                "put it into a list"
            )
        self.__setstate__({"defaults": dict(defaults), "state": defaultdict(dict), "param_groups": []})
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_hooks", "_in_step")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.defaults: Group
        self.state: defaultdict[Tensor, State]
        self.param_groups: list[Group]
        # Whether a step has been taken: learning rate schedulers warn if they come first.
        self._stepped = False
        self._in_step = False
        self._hooks: defaultdict[str, list[Hook]] = defaultdict(list)
        vars(self).update(state)

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters with hyperparameters of their own; what a group leaves out is taken from the defaults.

        Raises TypeError and ValueError for what cannot be optimised, or is already. Warns of a parameter that a group has twice, and
        keeps one.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [member[0] for member in params if isinstance(member, tuple)]
        if names:
            if len(names) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            params = [parameter for _, parameter in params]
            group["param_names"] = names
        for parameter in params:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(parameter).__name__}")
            if not (parameter.is_leaf or parameter.retains_grad or self.defaults.get("differentiable")):
                raise ValueError("can't optimize a non-leaf Tensor: pass the parameter itself, or detach() the result")
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters: each is kept once; torch will refuse this",
                stacklevel=3,
            )
            once = dict(zip(params, names or params, strict=True))
            params = list(once)
            if names:
                group["param_names"] = list(once.values())
        group["params"] = params
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.check(group)
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param group "
                    f"{'with' if names else 'without'} names to the optimizer"
                )
        if not set(self._parameters()).isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def check(self, group: Group) -> None:
        """Raises ValueError and RuntimeError, in torch's words, for hyperparameters that make no sense; subclasses may add to it."""
        if isinstance(group.get("lr"), Tensor) and group["lr"].numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, words in NOT_NEGATIVE.items():
            if name in group:
                check_not_negative(words, group[name])
        for index, beta in enumerate(group.get("betas", ())):
            if not 0 <= beta < 1:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        # There is one implementation, so these change nothing; only what torch refuses is refused.
        if group.get("fused") and group.get("differentiable"):
            raise RuntimeError("`fused` does not support `differentiable`")
        if group.get("fused") and group.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    # -- a step ----------------------------------------------------------------------------------------------------

    def rule(self, group: Group, time: Any, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        """The new values of a parameter and its moments, from its gradient and theirs, as a formula (see kernels/formula.py).

        time is what count() returned for this step. Subclasses define it.
        """
        raise NotImplementedError(f"{type(self).__name__} defines neither rule() nor step()")

    def moments(self, group: Group) -> tuple[str, ...]:
        """The names in a parameter's state of the tensors, shaped as it, that rule() reads and renews."""
        return ()

    def begin(self, parameter: Tensor, group: Group) -> State:
        """A parameter's state before its first step."""
        return {"step": scalar(0), **{name: zeros_like(parameter) for name in self.moments(group)}}

    def count(self, state: State, group: Group, first: bool) -> Any:
        """Counts the step that begins; what it returns is all that rule() knows of it: here the number of the step."""
        step = state["step"]
        step.array[...] += 1
        step.written()
        return step.array.item()

    @with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves every parameter that has a gradient one step.

        closure: computes the loss anew, with gradients; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("differentiable"):
                self._step_in_graph(group)
            else:
                self._step(group)
        return loss

    def _step(self, group: Group) -> None:
        settings = {name: as_number(value) for name, value in group.items() if name != "params"}
        settings["betas"] = tuple(map(as_number, group.get("betas", ())))
        for time, rows in self._rows(group, settings).items():
            arrays = [tuple([tensor.array for tensor in row]) for row in rows]
            kernels.of(arrays[0][0]).update(partial(self.rule, settings, time), arrays)
            for _, *changed in rows:
                for tensor in changed:
                    tensor.written()

    def _step_in_graph(self, group: Group) -> None:
        """The step in operations on tensors, so that backward goes through it, to what the gradients came from and a tensor lr."""
        with enable_grad():
            for time, rows in self._rows(group, group).items():
                for gradient, *changed in rows:
                    before = [tensor.clone() for tensor in changed]  # which the graph may keep, while the tensors are overwritten
                    for tensor, value in zip(changed, self.rule(group, time, gradient, *before), strict=True):
                        tensor.copy_(value)

    def _rows(self, group: Group, settings: Group) -> dict[Any, list[tuple[Tensor, ...]]]:
        """The gradients, parameters and moments of a step about to be taken: those together for which count() says the same."""
        names = self.moments(settings)
        rows: dict[Any, list[tuple[Tensor, ...]]] = {}
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.array.shape != parameter.array.shape:
                raise RuntimeError(
                    f"{type(self).__name__}: the gradient of a parameter of shape {parameter.shape} has shape {gradient.shape}"
                )
            state = self.state[parameter]
            first = not state or not all([name in state for name in names])
            if first:
                for name, value in self.begin(parameter, settings).items():
                    state.setdefault(name, value)
            moments = [state[name] for name in names]
            time = self.count(state, settings, first)
            rows.setdefault(time, []).append((gradient, parameter, *moments))
        return rows

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for parameter in self._parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else parameter.grad.detach().zero_()

    # -- saving and loading ----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and the hyperparameters, with parameters replaced by their numbers in the order of the groups.

        >>> import minigrad
        >>> weight = minigrad.zeros(2, requires_grad=True)
        >>> optimizer = minigrad.optim.SGD([weight], lr=0.1, momentum=0.9)
        >>> weight.sum().backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'momentum_buffer': tensor([1., 1.])}}
        """
        for hook in list(self._hooks["state_dict_pre"]):
            hook(self)
        numbers: dict[Any, Any] = {parameter: number for number, parameter in enumerate(self._parameters())}
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [numbers[parameter] for parameter in group["params"]]
            groups.append(packed)
        state_dict = {
            "state": {numbers.get(key, key): value for key, value in self.state.items() if value},
            "param_groups": groups,
        }
        for hook in list(self._hooks["state_dict_post"]):
            state_dict = first_of(hook(self, state_dict), state_dict)
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a copy of a state, in the dtypes of the parameters; its tensors may be NumPy arrays.

        Raises ValueError if it has other groups, or state tensors of another shape than their parameters.
        """
        state_dict = dict(state_dict)
        for hook in list(self._hooks["load_state_dict_pre"]):
            state_dict = first_of(hook(self, state_dict), state_dict)
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(groups)}, this optimizer has "
                f"{len(self.param_groups)}"
            )
        for number, (own, loaded) in enumerate(zip(self.param_groups, groups, strict=True)):
            if len(own["params"]) != len(loaded["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"group {number} has {len(loaded['params'])} parameters, this optimizer's has {len(own['params'])}"
                )
        loaded_numbers = [number for group in groups for number in group["params"]]
        parameters = dict(zip(loaded_numbers, self._parameters(), strict=True))
        state: defaultdict[Tensor, State] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            if key in parameters:
                parameter = parameters[key]
                # torch saves None for what has not begun yet.
                kept = {name: value for name, value in values.items() if value is not None}
                state[parameter] = {name: self.adopted(name, value, parameter, key) for name, value in kept.items()}
            else:
                state[key] = values
        self.state = state
        for own, loaded in zip(self.param_groups, groups, strict=True):
            own.update({name: copied(value) for name, value in loaded.items() if name != "params"})
        for hook in list(self._hooks["load_state_dict_post"]):
            hook(self)

    def adopted(self, name: str, value: Any, parameter: Tensor, number: Any) -> Any:
        """A copy of a loaded value as a parameter's state; number is the parameter's in the loaded state."""
        if isinstance(value, (np.ndarray, np.generic)):
            value = make_tensor(np.asarray(value))
        if name == "step" and not isinstance(value, Tensor):
            return scalar(value)  # states saved by old releases of torch count in Python's numbers
        if isinstance(value, dict):
            return {key: self.adopted(key, item, parameter, number) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)([self.adopted("", item, parameter, number) for item in value])
        if not isinstance(value, Tensor):
            return value
        self.check_shape(name, value, parameter, number)
        if name != "step" and value.is_floating_point() and parameter.is_floating_point():
            return value.detach().to(parameter.dtype, copy=True)
        return value.detach().clone()

    def check_shape(self, name: str, value: Tensor, parameter: Tensor, number: Any) -> None:
        """Raises ValueError for a loaded tensor that is neither a number nor shaped as its parameter."""
        if value.ndim and value.shape != parameter.shape:
            raise ValueError(
                f"loaded state dict has {name} of shape {tuple(value.shape)} for parameter {number}, "
                f"whose shape is {tuple(parameter.shape)}"
            )

    # -- hooks -----------------------------------------------------------------------------------------------------

    def _add_hook(self, kind: str, hook: Hook, prepend: bool = False) -> RemovableHandle:
        hooks = self._hooks[kind]
        handle = RemovableHandle(hooks, hook)
        if prepend:
            hooks.insert(0, hooks.pop())
        return handle

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Has hook(optimizer, args, kwargs) called before every step; it may return new arguments, as a tuple (args, kwargs)."""
        return self._add_hook("step_pre", hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Has hook(optimizer, args, kwargs) called after every step.

        >>> import minigrad
        >>> optimizer = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)])
        >>> handle = optimizer.register_step_post_hook(lambda optimizer, args, kwargs: print("stepped"))
        >>> optimizer.step()
        stepped
        """
        return self._add_hook("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Has hook(optimizer) called before state_dict()."""
        return self._add_hook("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Has hook(optimizer, state_dict) called by state_dict(); what it returns, unless None, replaces the result."""
        return self._add_hook("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Has hook(optimizer, state_dict) called before a state is loaded; what it returns, unless None, is loaded instead."""
        return self._add_hook("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Has hook(optimizer) called after a state was loaded."""
        return self._add_hook("load_state_dict_post", hook, prepend)

    # --------------------------------------------------------------------------------------------------------------

    def _parameters(self) -> Iterator[Tensor]:
        for group in self.param_groups:
            yield from group["params"]

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
            lines.append("")
        lines[-1] = ")"
        return "\n".join(lines)


def check_not_negative(name: str, value: Any) -> None:
    """Raises ValueError, in torch's words, for a negative or NaN hyperparameter."""
    if not value >= 0:
        raise ValueError(f"Invalid {name}: {value}")


def as_number(value: Any) -> Any:
    """A hyperparameter that is a tensor as a Python number."""
    return value.item() if isinstance(value, Tensor) else value


def copied(value: Any) -> Any:
    """A hyperparameter of a loaded state; of a tensor, a copy."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def first_of(result: Any, default: Any) -> Any:
    """What a hook returned, or the default if that is None."""
    return default if result is None else result


def scalar(value: float) -> Tensor:
    """A number in a parameter's state: float32 in the host's memory, whatever the parameter is, as torch keeps it."""
    return make_tensor(np.array(value, np.float32))


def zeros_like(parameter: Tensor) -> Tensor:
    """A moment in a parameter's state before the first step; contiguous, as the compiled kernels take it."""
    return make_tensor(xp(parameter.array).zeros_like(parameter.array, order="C"))


def decayed(group: Group, g: Any, p: Any) -> tuple[Any, Any]:
    """The gradient, turned round by maximize, plus weight_decay p; and p itself, which decoupled_weight_decay shrinks instead."""
    if group["maximize"]:
        g = -g
    decay = group.get("weight_decay", 0)
    if decay == 0:
        return g, p
    if group.get("decoupled_weight_decay"):
        return g, p * (1 - group["lr"] * decay)
    return g + p * decay, p


def follow(mean: Any, value: Any, fraction: Any) -> Any:
    """A running mean, moved towards a value by a fraction of the distance."""
    return mean + (value - mean) * fraction


def follow_square(mean: Any, value: Any, kept: Any) -> Any:
    """kept mean + (1 - kept) value^2."""
    return mean * kept + value * value * (1 - kept)
