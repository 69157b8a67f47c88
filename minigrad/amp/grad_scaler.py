"""Losses scaled up, so that gradients which float16 would round to 0 survive backward, and gradients scaled down again.

P. Micikevicius et al., "Mixed precision training", 2018. The scale grows until gradients overflow; a step whose gradients did is skipped.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from minigrad.core.device import device as Device
from minigrad.core.dtypes import float16, float32, int32
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import driver, of
from minigrad.ops import full, stack, where, zeros_like

READY, UNSCALED, STEPPED = "ready", "unscaled", "stepped"


class OptimizerState:
    """How far an optimiser has come since the last update: its stage, and for each device whether gradients there overflowed (1) or not (0)."""

    def __init__(self) -> None:
        self.stage = READY
        self.found_inf: dict[Device, Tensor] = {}


class GradScaler:
    """Scales losses and gradients for training in float16, with a scale that it adapts.

    `scale(loss).backward()`, then `step(optimizer)` instead of `optimizer.step()`, then `update()`. To look at the gradients or to clip them before the
    step, call `unscale_(optimizer)` first. The host waits for the device once a step, to learn whether to skip it.

    Args:
        device: "cuda" or "cpu", for the scale.
        init_scale: the scale at first.
        growth_factor: what the scale is multiplied by after growth_interval steps in a row without overflow.
        backoff_factor: what it is multiplied by after an overflow.
        growth_interval: see growth_factor.
        enabled: False makes scale and update do nothing, and step a plain step of the optimiser.

    Raises:
        AssertionError: growth_factor is not above 1, or backoff_factor not below it.

    >>> import minigrad
    >>> scaler = minigrad.amp.GradScaler("cpu", init_scale=8.0)
    >>> scaler.scale(minigrad.tensor(0.5))
    tensor(4.)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda" and not driver.status()[0]:
            warnings.warn(
                f"GradScaler: no GPU is available, so the scaler for 'cuda' does nothing: {driver.status()[1]}",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled:
            if not growth_factor > 1.0:
                raise AssertionError(f"GradScaler: expected growth_factor to be above 1, got {growth_factor}")
            if not backoff_factor < 1.0:
                raise AssertionError(f"GradScaler: expected backoff_factor to be below 1, got {backoff_factor}")
            self._init_scale = init_scale
            self._scale: Tensor | None = None
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            self._init_growth_tracker = 0
            self._growth_tracker: Tensor | None = None
            self._states: dict[int, OptimizerState] = defaultdict(OptimizerState)

    def _initialised(self, name: str) -> tuple[Tensor, Tensor]:
        """The scale and the number of steps since it grew, which the first `scale` makes on the device of its argument."""
        if self._scale is None or self._growth_tracker is None:
            raise AssertionError(
                f"GradScaler.{name}: there is no scale yet; call scaler.scale(loss) earlier in the step"
            )
        return self._scale, self._growth_tracker

    def scale(self, outputs: Any) -> Any:
        """A tensor times the scale, or each of those in an iterable, nested ones too.

        Raises:
            ValueError: there is something else among them.
        """
        return self._scaled(outputs, {}) if self._enabled else outputs

    def _scaled(self, outputs: Any, factors: dict[Device, Tensor]) -> Any:
        if isinstance(outputs, Tensor):
            scale = self._scale
            if scale is None:
                scale = self._scale = full((), float(self._init_scale), dtype=float32, device=outputs.device)
                self._growth_tracker = full((), self._init_growth_tracker, dtype=int32, device=outputs.device)
            if outputs.device not in factors:
                factors[outputs.device] = scale.to(outputs.device)
            return outputs * factors[outputs.device]
        if isinstance(outputs, Iterable) and not isinstance(outputs, (str, bytes)):
            parts = [self._scaled(x, factors) for x in outputs]
            return type(outputs)(parts) if isinstance(outputs, (list, tuple)) else iter(parts)  # type: ignore[call-arg]
        raise ValueError(f"GradScaler.scale: expected a tensor or an iterable of tensors, got {type(outputs).__name__}")

    def unscale_(self, optimizer: Any) -> None:
        """Divides the gradients of an optimiser's parameters by the scale, in place, and notes whether any is infinite or NaN.

        Raises:
            RuntimeError: they were unscaled or the step was taken since the last update.
            ValueError: a gradient is of float16: parameters must be of float32, which autocast takes as they are.
        """
        if not self._enabled:
            return
        scale, _ = self._initialised("unscale_")
        state = self._states[id(optimizer)]
        if state.stage is UNSCALED:
            raise RuntimeError("GradScaler.unscale_: it was called for this optimizer already since the last update()")
        if state.stage is STEPPED:
            raise RuntimeError("GradScaler.unscale_: it is called after step(); call it before, or call update() first")
        gradients: dict[Device, list[Tensor]] = defaultdict(list)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    if parameter.grad.dtype == float16:
                        raise ValueError(
                            "GradScaler.unscale_: a gradient is of float16; keep the parameters in float32 and let autocast cast them"
                        )
                    gradients[parameter.grad.device].append(parameter.grad)
        with no_grad():
            inverse = scale.double().reciprocal().float()
            for place, some in gradients.items():
                found = of(some[0].array).unscale([g.array for g in some], inverse.to(place).array)
                state.found_inf[place] = make_tensor(found)
                for g in some:
                    g.written()
        state.stage = UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscales the gradients if that was not done, and takes the optimiser's step unless a gradient is infinite or NaN.

        Raises:
            RuntimeError: the step was taken since the last update, or a closure is given.
            AssertionError: no parameter has a gradient.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(
                "GradScaler.step: closures cannot be used, since what they compute would not be unscaled; call step(optimizer)"
            )
        self._initialised("step")
        state = self._states[id(optimizer)]
        if state.stage is STEPPED:
            raise RuntimeError("GradScaler.step: it was called for this optimizer already since the last update()")
        if state.stage is READY:
            self.unscale_(optimizer)
        if not state.found_inf:
            raise AssertionError(
                "GradScaler.step: no parameter of this optimizer has a gradient; call scaler.scale(loss).backward() first"
            )
        overflowed = any([found.item() for found in state.found_inf.values()])
        result = None if overflowed else optimizer.step(*args, **kwargs)
        state.stage = STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapts the scale after the steps of all optimisers: smaller after an overflow, larger after growth_interval steps without one.

        Args:
            new_scale: a number, or a tensor of one element without requires_grad, to set it to instead.

        Raises:
            AssertionError: no gradients were looked at since the last update, or new_scale is something else.
        """
        if not self._enabled:
            return
        scale, tracker = self._initialised("update")
        with no_grad():
            if new_scale is not None:
                self._set(scale, new_scale)
            else:
                self._adapt(scale, tracker)
        self._states = defaultdict(OptimizerState)

    def _set(self, scale: Tensor, new_scale: Any) -> None:
        if isinstance(new_scale, (int, float)):
            scale.fill_(float(new_scale))
        elif (
            isinstance(new_scale, Tensor)
            and new_scale.numel() == 1
            and not new_scale.requires_grad
            and new_scale.device.type == self._device
        ):
            scale.copy_(new_scale.reshape(()))
        else:
            raise AssertionError(
                f"GradScaler.update: expected a number or a tensor of one element on {self._device} without requires_grad, got {new_scale!r}"
            )

    def _adapt(self, scale: Tensor, tracker: Tensor) -> None:
        """All on the device: the host does not wait."""
        founds = [found.to(scale.device) for state in self._states.values() for found in state.found_inf.values()]
        if not founds:
            raise AssertionError(
                "GradScaler.update: no gradients were looked at since the last update; call step(optimizer) first"
            )
        overflowed: Any = founds[0] if len(founds) == 1 else stack(founds).sum()
        overflowed = overflowed > 0
        steps = tracker + 1
        grows = steps == self._growth_interval
        wide = scale.double()
        grown = (wide * self._growth_factor).float()
        kept = where(grows & grown.isfinite(), grown, scale)
        scale.copy_(where(overflowed, (wide * self._backoff_factor).float(), kept))
        tracker.copy_(where(overflowed | grows, zeros_like(tracker), steps))

    def get_scale(self) -> float:
        """The scale, 1 if scaling is disabled. The host waits for it."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets what the scale is multiplied by when it grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after an overflow."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets what the scale is multiplied by after an overflow."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps in a row without overflow the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets after how many steps in a row without overflow the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether losses are scaled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs; empty if scaling is disabled. Call it after update."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._init_growth_tracker
            if self._growth_tracker is None
            else int(self._growth_tracker.item()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the scaler back to a state from state_dict; does nothing if scaling is disabled.

        Raises:
            RuntimeError: the state is that of a disabled scaler.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "GradScaler.load_state_dict: the state is empty, possibly that of a disabled scaler; it needs the state of an enabled one"
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None and self._growth_tracker is not None:
            with no_grad():
                self._scale.fill_(self._init_scale)
                self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if self._states:
                raise AssertionError("GradScaler: it can be pickled at the beginning of a step or after update() only")
            state.update(
                _init_scale=self.get_scale(),
                _init_growth_tracker=self.state_dict()["_growth_tracker"],
                _scale=None,
                _growth_tracker=None,
            )
        return state
