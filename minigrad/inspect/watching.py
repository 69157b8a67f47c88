"""Watching a training: norms of gradients and activations, dead rectifiers, how far a step moves the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.inspect.figures import new_figure
from minigrad.inspect.trace import tensors_in

__all__ = ["Observation", "watch"]

VANISHING, EXPLODING = 1e-7, 1e3  # root mean squares of gradients
DEAD_SHARE = 0.5
TOO_SMALL_STEP, TOO_LARGE_STEP = 1e-6, 0.1  # of a weight's norm; A. Karpathy's rule of thumb for it is 1e-3


@dataclass
class Observation:
    """What was seen in one step: root mean squares of the gradients, by parameter, and of the activations, by layer; the share of units (features or
    channels) of each rectifier that were 0 for all of the batch; the norm of each parameter's change over its own norm."""

    step: int
    gradients: dict[str, float] = field(default_factory=dict)
    activations: dict[str, float] = field(default_factory=dict)
    dead: dict[str, float] = field(default_factory=dict)
    updates: dict[str, float] = field(default_factory=dict)

    def flags(self) -> list[str]:
        """What looks wrong, in words."""
        found = []
        for name, g in self.gradients.items():
            if not np.isfinite(g) or g > EXPLODING:
                found.append(f"the gradient of {name} explodes ({g:.1e})")
            elif g < VANISHING:
                found.append(f"the gradient of {name} vanishes ({g:.1e})")
        found += [
            f"{name} is dead for {share:.0%} of its units" for name, share in self.dead.items() if share >= DEAD_SHARE
        ]
        found += [
            f"{name} gives values that are not finite" for name, a in self.activations.items() if not np.isfinite(a)
        ]
        for name, ratio in self.updates.items():
            if ratio > TOO_LARGE_STEP or not np.isfinite(ratio):
                found.append(f"steps move {name} by {ratio:.0%} of itself")
            elif ratio < TOO_SMALL_STEP:
                found.append(f"steps hardly move {name} ({ratio:.1e})")
        return found


class watch:
    """Watches a model while an optimiser trains it, by hooks: one observation for each step, in `history`. Also a ``with`` block.

    Activations are those of the last forward pass in training mode before a step. Parameters that are 0, as new biases are, have no update ratio.

    Args:
        model: its layers' activations are observed, and its rectifiers that are modules.
        optimizer: its steps are observed; it trains parameters of the model. every: only each so-manieth step, to save time.

    Raises:
        TypeError: an argument is of another kind. ValueError: `every` is not positive; the optimizer trains none of the model's parameters.

    >>> import minigrad
    >>> from minigrad import inspect, nn, optim
    >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> with inspect.watch(model, optimizer) as watched:
    ...     for _ in range(3):
    ...         optimizer.zero_grad()
    ...         model(minigrad.ones(8, 2)).pow(2).mean().backward()
    ...         optimizer.step()
    >>> len(watched.history), sorted(watched.history[-1].gradients)
    (3, ['0.bias', '0.weight', '2.bias', '2.weight'])
    >>> print(watched.report())  # doctest: +ELLIPSIS
    step 3: gradients ... to ... (...), activations ... to ..., updates ... of the weights...
    """

    def __init__(self, model: nn.Module, optimizer: Any, every: int = 1) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"watch: expected a module, got {type(model).__name__}")
        if not hasattr(optimizer, "register_step_pre_hook"):
            raise TypeError(f"watch: expected an optimizer, got {type(optimizer).__name__}")
        if isinstance(every, bool) or not isinstance(every, int):
            raise TypeError(f"watch: expected every to be a whole number of steps, got {every!r}")
        if every < 1:
            raise ValueError(f"watch: expected every to be at least 1, got {every}")
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not any(id(p) in trained for p in model.parameters()):
            raise ValueError(
                "watch: expected an optimizer that trains this model, got one with none of its parameters; pass optim.SGD(model.parameters(), ...)"
            )
        self.history: list[Observation] = []
        self._model = model
        self._every = every
        self._step = 0
        self._next = Observation(1)
        self._weights: dict[str, Any] = {}
        self._handles: list[Any] = [
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        ]
        for name, module in model.named_modules():
            if next(module.children(), None) is None:
                self._handles.append(module.register_forward_hook(self._forward(name)))

    def remove(self) -> None:
        """Takes the hooks off; the history stays."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __enter__(self) -> watch:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def _due(self) -> bool:
        return self._step % self._every == 0

    def _forward(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if not module.training or not self._due():
                return
            x = next(tensors_in(output), None)
            if x is None or x.dtype.kind != "f" or not x.numel():
                return
            self._next.activations[name] = rms(x.array)
            if isinstance(module, (nn.ReLU, nn.ReLU6)) and x.ndim > 1:
                units = x.array if x.ndim > 2 else x.array[:, :, None]
                self._next.dead[name] = float((np.moveaxis(units, 1, 0).reshape(units.shape[1], -1) == 0).all(1).mean())

        return hook

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._due():
            return
        for name, p in self._model.named_parameters():
            if p.grad is not None:
                self._next.gradients[name] = rms(p.grad.array)
                self._weights[name] = p.array.copy()

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._due():
            for name, p in self._model.named_parameters():
                before = self._weights.get(name)
                if before is not None and before.any():
                    self._next.updates[name] = rms(p.array - before) / rms(before)
            self._next.step = self._step + 1
            self.history.append(self._next)
            self._next = Observation(self._step + 2)
            self._weights = {}
        self._step += 1

    # --- what is told -------------------------------------------------------------------------------------------------

    def report(self) -> str:
        """The last observation in one line, with what looks wrong."""
        if not self.history:
            return "nothing observed yet"
        last = self.history[-1]
        parts = []
        if last.gradients:
            low, high = (
                min(last.gradients, key=last.gradients.__getitem__),
                max(last.gradients, key=last.gradients.__getitem__),
            )
            parts.append(f"gradients {last.gradients[low]:.1e} to {last.gradients[high]:.1e} ({high})")
        if last.activations:
            parts.append(f"activations {min(last.activations.values()):.1e} to {max(last.activations.values()):.1e}")
        if last.dead:
            worst = max(last.dead, key=last.dead.__getitem__)
            parts.append(f"dead {last.dead[worst]:.0%}" + (f" ({worst})" if last.dead[worst] else ""))
        if last.updates:
            parts.append(f"updates {float(np.median(list(last.updates.values()))):.1e} of the weights")
        flags = last.flags()
        return f"step {last.step}: {', '.join(parts)}" + (f" | {'; '.join(flags)}" if flags else "")

    def plot(self) -> Any:
        """A matplotlib figure of all observations: a line for each parameter or layer.

        Raises:
            RuntimeError: there is none yet. ImportError: matplotlib is not installed.
        """
        if not self.history:
            raise RuntimeError("watch.plot: nothing observed yet; run a few steps first")
        figure = new_figure(figsize=(11, 7))
        panels = [
            ("gradients", "gradients, root mean square", (VANISHING, EXPLODING)),
            ("activations", "activations, root mean square", ()),
            ("updates", "step over weight", (1e-3,)),
            ("dead", "dead units of rectifiers", (DEAD_SHARE,)),
        ]
        for axis, (what, title, marks) in zip(figure.subplots(2, 2).ravel(), panels, strict=True):
            names = dict.fromkeys(name for one in self.history for name in getattr(one, what))
            for name in names:
                points = [(one.step, getattr(one, what)[name]) for one in self.history if name in getattr(one, what)]
                axis.plot(*zip(*points, strict=True), label=name, linewidth=1.2)
            if what != "dead":
                axis.set_yscale("log")
            low, high = axis.get_ylim()
            for mark in marks:
                if what in ("dead", "updates") or low <= mark <= high:
                    axis.axhline(mark, color="#999999", linestyle=":", linewidth=1)
            if what == "dead":
                axis.set_ylim(-0.02, 1.02)
            axis.set_title(title, fontsize=10)
            axis.set_xlabel("step")
            if 0 < len(names) <= 12:
                axis.legend(fontsize=7)
        return figure


def rms(a: Any) -> float:
    """The root of the mean square, computed in float64."""
    return float(np.sqrt(np.mean(np.square(a, dtype=np.float64)))) if a.size else 0.0
