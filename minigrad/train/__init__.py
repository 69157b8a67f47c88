"""Training as it is usually done: a loop, metrics, early stopping, checkpoints that resume exactly, logs."""

from __future__ import annotations

from minigrad.train.adversarial import ExponentialAverage, Game, gradient_penalty
from minigrad.train.checkpoint import Checkpoint
from minigrad.train.generated import frechet_distance, modes_covered, precision_recall
from minigrad.train.logs import CSVLog, JSONLog, TensorBoardLog
from minigrad.train.loop import EarlyStopping, evaluate, fit
from minigrad.train.metrics import ConfusionMatrix, Mean, accuracy, dice, dice_loss, iou, psnr, ssim

__all__ = [
    "CSVLog", "Checkpoint", "ConfusionMatrix", "EarlyStopping", "ExponentialAverage", "Game", "JSONLog", "Mean", "TensorBoardLog", "accuracy", "dice", "dice_loss", "evaluate", "fit",
    "frechet_distance", "gradient_penalty", "iou", "modes_covered", "precision_recall", "psnr", "ssim",
]  # fmt: skip
