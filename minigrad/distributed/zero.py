"""ZeroRedundancyOptimizer: each process keeps the optimiser's state of a part of the parameters only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minigrad.core.modes import enable_grad, no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.distributed.collectives import all_gather_object, broadcast
from minigrad.distributed.group import Group, world
from minigrad.kernels import xp
from minigrad.optim.lbfgs import LBFGS
from minigrad.optim.optimizer import Optimizer


class ZeroRedundancyOptimizer(Optimizer):
    """An optimiser whose state is spread over the processes: each moves the parameters that it owns, and sends them to all.

    params, defaults: what optimizer_class takes. Every parameter belongs to the process that has the fewest elements so far. Gradients must be the same
    everywhere, as DistributedDataParallel leaves them. Schedulers and parameter groups work as with any optimiser.

    state_dict() has the whole state, in the form of the optimiser itself: so a run goes on with any number of processes, or without this class. All
    processes must call it, because the parts come together for it. Raises TypeError for a class that is no optimiser, ValueError for LBFGS, whose
    one estimate of the Hessian is for all parameters. Rajbhandari et al., "ZeRO" (2020), stage 1.
    """

    def __init__(
        self, params: Any, optimizer_class: type[Optimizer], process_group: Group | None = None, **defaults: Any
    ) -> None:
        if not (isinstance(optimizer_class, type) and issubclass(optimizer_class, Optimizer)):
            raise TypeError(f"ZeroRedundancyOptimizer: expected optimizer_class to be a class of minigrad.optim, got {optimizer_class!r}")
        if issubclass(optimizer_class, LBFGS):
            raise ValueError("ZeroRedundancyOptimizer: LBFGS has one estimate of the Hessian for all parameters, which cannot be spread")
        self.group = process_group or world("ZeroRedundancyOptimizer")
        self.whole = optimizer_class(params, **defaults)
        self.__dict__.update({name: value for name, value in vars(self.whole).items() if name not in vars(self)})  # groups, state and hooks are its own
        self.owner = shares([*self._parameters()], self.group.size)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group; its parameters are shared out anew with the others, so this must come before the first step."""
        if self.whole.state:
            raise RuntimeError("ZeroRedundancyOptimizer: add_param_group after a step would move states between processes; add groups before")
        self.whole.add_param_group(param_group)
        self.owner = shares([*self._parameters()], self.group.size)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves this process's parameters, and takes over those that the others have moved."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        gradients = {p: p.grad for p in self._parameters() if self.owner[p] != self.group.rank}
        for p in gradients:
            p.grad = None  # so that the step passes it by
        try:
            self.whole.step()
        finally:
            for p, gradient in gradients.items():
                p.grad = gradient
        with no_grad():
            for owner in range(self.group.size):
                self._send(owner)
        return loss

    def _send(self, owner: int) -> None:
        """Sends the parameters of one process to all, those of one dtype together."""
        mine = [p for p in self._parameters() if self.owner[p] == owner]
        for dtype in dict.fromkeys(p.dtype for p in mine):
            arrays = [p.array for p in mine if p.dtype == dtype]
            flat = make_tensor(xp(arrays[0]).concatenate([array.reshape(-1) for array in arrays]))
            broadcast(flat, owner, self.group)
            start = 0
            for p in [p for p in mine if p.dtype == dtype]:
                if owner != self.group.rank:
                    p.array[...] = flat.array[start : start + p.numel()].reshape(p.shape)
                    p.written()
                start += p.numel()

    def state_dict(self) -> dict[str, Any]:
        """The whole state, as the optimiser itself would have it. All processes must call it."""
        state_dict = self.whole.state_dict()
        parts = all_gather_object([[number, value] for number, value in state_dict["state"].items()], self.group)
        state_dict["state"] = dict(sorted((number, value) for part in parts for number, value in part))
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a whole state, and keeps this process's part of it."""
        self.whole.load_state_dict(state_dict)
        for p, owner in self.owner.items():
            if owner != self.group.rank:
                self.whole.state.pop(p, None)
        self.state = self.whole.state


def shares(parameters: list[Tensor], size: int) -> dict[Tensor, int]:
    """The process that each parameter belongs to: the largest are given out first, to whoever has the fewest elements."""
    elements = [0] * size
    owner: dict[Tensor, int] = {}
    for p in sorted(parameters, key=lambda p: -p.numel()):
        owner[p] = elements.index(min(elements))
        elements[owner[p]] += p.numel()
    return owner
