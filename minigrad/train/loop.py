"""fit and evaluate: the loop that everybody writes, once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from minigrad.core.modes import no_grad
from minigrad.nn.module import Module
from minigrad.train.checkpoint import Checkpoint
from minigrad.train.logs import Log
from minigrad.train.metrics import Mean


class EarlyStopping:
    """Tells when a number of the history has not become better for some epochs.

    watch: its name, such as "validation loss" or "validation accuracy". patience: so many epochs without a better value end the run.
    larger_is_better: by default for every name that does not end with "loss". min_delta: only a change of more than that is better.
    Raises ValueError for a patience below 1.

    >>> stopping = EarlyStopping("validation loss", patience=2)
    >>> [stopping.is_over({"validation loss": loss}) for loss in (1.0, 0.5, 0.6, 0.7)]
    [False, False, False, True]
    """

    def __init__(
        self, watch: str, patience: int = 5, larger_is_better: bool | None = None, min_delta: float = 0.0
    ) -> None:
        if patience < 1:
            raise ValueError(f"EarlyStopping: patience should be at least 1, but is {patience}")
        self.watch, self.patience, self.min_delta = watch, patience, min_delta
        self.larger_is_better = not watch.endswith("loss") if larger_is_better is None else larger_is_better
        self.best: float | None = None
        self.epochs_since = 0

    def is_over(self, values: Mapping[str, float]) -> bool:
        """Takes in the numbers of an epoch. Raises KeyError if the watched one is not among them."""
        if self.watch not in values:
            raise KeyError(f"EarlyStopping watches {self.watch!r}, but an epoch has {sorted(values)}")
        value = values[self.watch]
        gain = math.inf if self.best is None else (value - self.best) * (1 if self.larger_is_better else -1)
        if gain > self.min_delta:
            self.best, self.epochs_since = value, 0
        else:  # a value that is nan too
            self.epochs_since += 1
        return self.epochs_since >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "epochs_since": self.epochs_since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what state_dict gave."""
        self.best, self.epochs_since = state["best"], state["epochs_since"]


def fit(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[[Any, Any], Any],
    optimizer: Any,
    *,
    epochs: int,
    scheduler: Any = None,
    validation: Iterable[Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    augment: Callable[[Any], Any] | None = None,
    early_stopping: EarlyStopping | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    logs: Iterable[Log] = (),
    progress: bool = True,
) -> dict[str, list[float]]:
    """Trains a model and returns the history: for each number, its value in each epoch.

    loader: gives batches (input, target), as does validation. loss: of (output, target). scheduler: stepped after each epoch; a
    ReduceLROnPlateau gets the validation loss, or the training loss without validation. metrics: by name, functions of (output,
    target) that are means over samples, or objects with reset, update and compute such as ConfusionMatrix. augment: applied to each
    training input. early_stopping: may end the run before all epochs. checkpoint: a file written after each epoch, and if resume,
    read at the start: the run then continues, to the bit, where it stood. logs: take each epoch's numbers. progress: bars by tqdm
    (minigrad[examples]).

    The history has "loss", every metric, and with validation "validation loss" and "validation <metric>". Raises ValueError for a
    loader that gives nothing, and FloatingPointError when the loss is not finite.

    >>> import minigrad
    >>> from minigrad.data import DataLoader, TensorDataset
    >>> x = minigrad.linspace(-1, 1, 32).reshape(-1, 1)
    >>> model = minigrad.nn.Linear(1, 1)
    >>> optimizer = minigrad.optim.SGD(model.parameters(), lr=0.5)
    >>> loader = DataLoader(TensorDataset(x, 3 * x + 1), batch_size=8)
    >>> history = fit(model, loader, minigrad.nn.functional.mse_loss, optimizer, epochs=30, progress=False)
    >>> history["loss"][-1] < 1e-3
    True
    """
    if epochs < 1:
        raise ValueError(f"fit: epochs should be at least 1, but is {epochs}")
    measures = _measures(metrics)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "early_stopping": early_stopping}
    generator = getattr(loader, "generator", None)
    parts["generator"] = generator
    keeper = (
        None
        if checkpoint is None
        else Checkpoint(checkpoint, **{name: part for name, part in parts.items() if part is not None})
    )

    history: dict[str, list[float]] = {}
    first, over = 1, False
    if keeper is not None and resume and (saved := keeper.resume()) is not None:
        history, first, over = saved["history"], saved["epoch"] + 1, saved["over"]
    for epoch in range(first, epochs + 1):
        if over:
            break
        values = _train(model, loader, loss, optimizer, measures, augment, f"epoch {epoch}/{epochs}", progress)
        if validation is not None:
            checked = evaluate(model, validation, loss, metrics, progress=progress)
            values |= {f"validation {name}": value for name, value in checked.items()}
        if scheduler is not None:
            _step(scheduler, values)
        for name, value in values.items():
            history.setdefault(name, []).append(value)
        over = early_stopping is not None and early_stopping.is_over(values)
        for log in logs:
            log.write(epoch, values)
        if keeper is not None:
            keeper.save(epoch=epoch, over=over, history=history)
    return history


def evaluate(
    model: Module,
    loader: Iterable[Any],
    loss: Callable[[Any, Any], Any],
    metrics: Mapping[str, Any] | None = None,
    *,
    progress: bool = False,
) -> dict[str, float]:
    """The mean loss and the metrics over all batches (input, target) of loader, the model in eval mode and without gradients.

    The arguments are those of fit. The model's mode is afterwards as it was. Raises ValueError for a loader that gives nothing.

    >>> import minigrad
    >>> batch = (minigrad.eye(2), minigrad.tensor([0, 1]))
    >>> evaluate(minigrad.nn.Identity(), [batch], minigrad.nn.functional.nll_loss)
    {'loss': -1.0}
    """
    measures = _measures(metrics)
    mean_loss = Mean(loss)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            for x, target in _bar(loader, "validation", progress):
                output = model(x)
                mean_loss.update(output, target)
                for measure in measures.values():
                    measure.update(output, target)
    finally:
        for module, training in modes:
            module.training = training
    if not mean_loss.count:
        raise ValueError("evaluate: the loader gave no batches")
    return {"loss": mean_loss.compute(), **{name: float(measure.compute()) for name, measure in measures.items()}}


def _train(
    model: Module,
    loader: Any,
    loss: Any,
    optimizer: Any,
    measures: dict[str, Any],
    augment: Any,
    title: str,
    progress: bool,
) -> dict[str, float]:
    """One epoch."""
    model.train()
    mean_loss = Mean(loss)
    for measure in measures.values():
        measure.reset()
    bar = _bar(loader, title, progress)
    for x, target in bar:
        output = model(x if augment is None else augment(x))
        value = loss(output, target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

        number = value.item()
        if not math.isfinite(number):
            raise FloatingPointError(
                f"fit: the loss became {number} in {title}; a smaller learning rate or clip_grad_norm_ may mend it"
            )
        mean_loss.add(number, len(target))
        for measure in measures.values():
            measure.update(output.detach(), target)
        if progress:
            bar.set_postfix(loss=f"{mean_loss.compute():.4f}", refresh=False)
    if not mean_loss.count:
        raise ValueError("fit: the loader gave no batches")
    return {"loss": mean_loss.compute(), **{name: float(measure.compute()) for name, measure in measures.items()}}


def _measures(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metrics as objects that take in batches, fresh."""
    measures = {name: metric if hasattr(metric, "update") else Mean(metric) for name, metric in (metrics or {}).items()}
    for measure in measures.values():
        measure.reset()
    return measures


def _step(scheduler: Any, values: dict[str, float]) -> None:
    from minigrad.optim.lr_scheduler import ReduceLROnPlateau

    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(values.get("validation loss", values["loss"]))
    else:
        scheduler.step()


def _bar(loader: Any, title: str, progress: bool) -> Any:
    if not progress:
        return loader
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError(
            "fit: progress bars need tqdm: pip install 'minigrad[examples]', or pass progress=False"
        ) from None
    return tqdm(loader, desc=title, unit="batch", leave=title != "validation")
