"""Datasets, readers of their files, samplers, the loader that makes batches, and augmentation (minigrad.data.augment)."""

from __future__ import annotations

from minigrad.data import augment
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from minigrad.data.loader import DataLoader
from minigrad.data.readers import ImageFolder, read_cifar, read_idx, read_image, read_mnist, read_npz
from minigrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StratifiedSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.data.worker import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "StratifiedSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "augment",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
    "read_cifar",
    "read_idx",
    "read_image",
    "read_mnist",
    "read_npz",
]
