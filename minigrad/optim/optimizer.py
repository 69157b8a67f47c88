"""What optimisers share: parameter groups, state, saving and loading, and the walk over the parameters in a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minigrad.core.modes import enable_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import xp

# Elements that a step works on at a time: with Adam's four arrays and its temporaries they fill about half of a usual L2 cache.
BLOCK = 16384

Group = dict[str, Any]
State = dict[str, Any]


class Optimizer:
    """Base class of the optimisers: a subclass defines update(), which changes one parameter.

    params: tensors, or dicts of a list 'params' with hyperparameters of their own. defaults: the hyperparameters of all others.
    Raises TypeError and ValueError for what cannot be optimised.
    """

    def __init__(self, params: Any, defaults: Mapping[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a single Tensor; "
                "put it into a list"
            )
        self.defaults: Group = dict(defaults)
        self.state: defaultdict[Tensor, State] = defaultdict(dict)
        self.param_groups: list[Group] = []
        # Whether a step has been taken: learning rate schedulers warn if they come first.
        self._stepped = False
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters with hyperparameters of their own; what a group leaves out is taken from the defaults.

        Raises TypeError and ValueError for what cannot be optimised, or is already.
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
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor: pass the parameter itself, or detach() the result")
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.check(group)
        taken = {id(parameter) for other in self.param_groups for parameter in other["params"]}
        for parameter in group["params"]:
            if id(parameter) in taken:
                raise ValueError("some parameters appear in more than one parameter group, or twice in one")
            taken.add(id(parameter))
        self.param_groups.append(group)

    def check(self, group: Group) -> None:
        """Raises ValueError for hyperparameters that make no sense; subclasses define it."""

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        """Changes one parameter's array in place, given its gradient as an array; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines neither update() nor step()")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves every parameter that has a gradient one step.

        closure: computes the loss anew, with gradients; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, parameter.grad.array, self.state[parameter], group)
                    parameter.written()
        self._stepped = True
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.grad = None if set_to_none else parameter.grad.detach().zero_()

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
        numbers = {parameter: number for number, parameter in enumerate(self._parameters())}
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [numbers[parameter] for parameter in group["params"]]
            groups.append(packed)
        state = {numbers.get(key, key): value for key, value in self.state.items() if value}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a copy of a state, in the dtypes of the parameters.

        Raises ValueError if it has other groups, or state tensors of another shape than their parameters.
        """
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
                state[parameter] = {name: self.adopted(name, value, parameter, key) for name, value in values.items()}
            else:
                state[key] = values
        self.state = state
        for own, loaded in zip(self.param_groups, groups, strict=True):
            own.update({name: value for name, value in loaded.items() if name != "params"})

    def adopted(self, name: str, value: Any, parameter: Tensor, number: Any) -> Any:
        """A copy of a loaded value as a parameter's state; number is the parameter's in the loaded state."""
        if name == "step" and not isinstance(value, Tensor):
            return scalar(value)  # states saved by old releases of torch count in Python's numbers
        if not isinstance(value, Tensor):
            return value
        if value.ndim and value.shape != parameter.shape:
            raise ValueError(
                f"loaded state dict has {name} of shape {tuple(value.shape)} for parameter {number}, "
                f"whose shape is {tuple(parameter.shape)}"
            )
        if name != "step" and value.is_floating_point() and parameter.is_floating_point():
            return value.detach().to(parameter.dtype, copy=True)
        return value.detach().clone()

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


def check_not_negative(name: str, value: float) -> None:
    """Raises ValueError, in torch's words, for a negative or NaN hyperparameter."""
    if not value >= 0:
        raise ValueError(f"Invalid {name}: {value}")


def check_betas(group: Group) -> None:
    """Raises ValueError, in torch's words, for fractions that are none."""
    for index, beta in enumerate(group["betas"]):
        if not 0 <= beta < 1:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")


def check_implementation(group: Group) -> None:
    """Refuses the options of torch's implementations that would change what a step does.

    foreach and fused choose among equal implementations, so they are taken and change nothing.
    """
    for option in ("differentiable", "capturable"):
        if group.get(option):
            raise ValueError(f"{option}=True is not supported: a step writes into the parameters outside of the graph; leave it out")


def scalar(value: float) -> Tensor:
    """A number in a parameter's state: float32 in the host's memory, whatever the parameter is, as torch keeps it."""
    return make_tensor(np.array(value, np.float32))


def zeros_like(parameter: Tensor) -> Tensor:
    """A moment in a parameter's state before the first step; contiguous, so that blocks() can cut it."""
    return make_tensor(xp(parameter.array).zeros_like(parameter.array, order="C"))


def count_step(state: State) -> float:
    """The number of the step that begins: counts it, and notes that every tensor of the state is about to be written."""
    for value in state.values():
        value.written()
    state["step"].array[...] += 1
    return state["step"].array.item()


def ascent(p: Any, g: Any, group: Group, change: Any, spare: Any) -> Any:
    """The direction to move against: the gradient, turned round by maximize, plus weight_decay p; in change if it is not g itself.

    With decoupled_weight_decay it shrinks p instead. spare is overwritten.
    """
    arrays = xp(p)
    if group["maximize"]:
        g = arrays.negative(g, out=change)
    decay = group.get("weight_decay", 0)
    if decay == 0:
        return g
    if group.get("decoupled_weight_decay"):
        p *= 1 - float(group["lr"]) * decay
        return g
    arrays.multiply(p, decay, out=spare)
    return arrays.add(g, spare, out=change)


def follow(mean: Any, value: Any, fraction: float, spare: Any) -> None:
    """Moves a running mean towards a value by a fraction of the distance. spare is overwritten."""
    xp(mean).subtract(value, mean, out=spare)
    spare *= fraction
    mean += spare


def follow_square(mean: Any, value: Any, kept: float, spare: Any) -> None:
    """Sets mean = kept mean + (1 - kept) value^2. spare is overwritten."""
    xp(mean).multiply(value, value, out=spare)
    spare *= 1 - kept
    mean *= kept
    mean += spare


def blocks(*arrays: Any, temporaries: int = 0) -> Iterator[tuple[Any, ...]]:
    """Pieces of arrays of one shape, small enough to stay in the cache through all passes of a step, and temporaries of their size.

    >>> import numpy as np
    >>> x = np.zeros(40000)
    >>> [piece.size for piece, temporary in blocks(x, temporaries=1)]
    [16384, 16384, 7232]
    """
    first = arrays[0]
    if xp(first) is not np or first.size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield (*arrays, *(xp(first).empty_like(first) for _ in range(temporaries)))
        return
    flat = [array.reshape(-1) for array in arrays]
    spare = [np.empty(BLOCK, first.dtype) for _ in range(temporaries)]
    for start in range(0, first.size, BLOCK):
        stop = min(start + BLOCK, first.size)
        yield (*(array[start:stop] for array in flat), *(one[: stop - start] for one in spare))
