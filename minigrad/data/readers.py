"""Readers of the formats in which data sets for images come: IDX (MNIST), the binaries of CIFAR, folders of pictures, .npz."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.data.dataset import Dataset, TensorDataset

AnyPath = str | os.PathLike[str]
PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
MODES = ("RGB", "L", "RGBA", "LA", "CMYK", "HSV", "LAB", "YCbCr")  # of pillow, a byte for each colour
IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CIFAR_PIXELS = 3 * 32 * 32
CIFAR_LABELS = {10: (10,), 100: (20, 100)}  # the bytes in front of the pixels of a picture: below what each is
CHUNK = 1 << 20


def named(reader: str, path: Any) -> str:
    """The path as a string."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{reader}: expected a path, got {type(path).__name__}")
    return os.fspath(path)


def read_idx(path: AnyPath) -> Tensor:
    """The array of an IDX file, the format of MNIST; gzip-compressed if the name ends with .gz.

    Raises ValueError for a file that is truncated, longer than it says, or no IDX file. Source: http://yann.lecun.com/exdb/mnist
    """
    name = named("read_idx", path)
    with gzip.open(name, "rb") if name.endswith(".gz") else open(name, "rb") as file:
        try:
            start = file.read(4)
            if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in IDX_DTYPES:
                raise ValueError(f"it begins with {start!r}, expected two zeros, a type and a number of axes")
            lengths = file.read(4 * start[3])
            shape = tuple(int(n) for n in np.frombuffer(lengths[: len(lengths) // 4 * 4], ">u4"))
            dtype = np.dtype(IDX_DTYPES[start[2]])
            expected = math.prod(shape) * dtype.itemsize
            data = bytearray()
            while (
                len(shape) == start[3] and len(data) <= expected
            ):  # in pieces: what a file says of its size may be wrong
                piece = file.read(min(CHUNK, expected + 1 - len(data)))
                if not piece:
                    break
                data += piece
            if len(shape) != start[3] or len(data) != expected:
                raise ValueError(
                    f"shape {shape} of {dtype.name} needs {expected} bytes, there are {'more' if len(data) > expected else len(data)}"
                )
            array = np.frombuffer(data, dtype).reshape(shape)
        except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"read_idx: cannot read {name}: {error}") from None
    return make_tensor(array.astype(dtype.newbyteorder("=")))


def read_mnist(folder: AnyPath, train: bool = True) -> TensorDataset:
    """Images (N, 28, 28) and labels (N,), both uint8, of MNIST or a set of its form, such as Fashion-MNIST, in the files of their names (or .gz).

    Raises FileNotFoundError naming the file that is missing, ValueError for one that is damaged.
    """
    start = "train" if train else "t10k"
    images, labels = (
        read_idx(_one_of(folder, f"{start}-{kind}", f"{start}-{kind}.gz"))
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"read_mnist: {os.fspath(folder)}: images of shape {images.shape} and labels of shape {labels.shape} do not belong together"
        )
    return TensorDataset(images, labels)


def _one_of(folder: AnyPath, *names: str) -> Path:
    for name in names:
        if (Path(named("read_mnist", folder)) / name).is_file():
            return Path(folder) / name
    raise FileNotFoundError(f"{os.fspath(folder)} has none of {', '.join(names)}")


def read_cifar(paths: AnyPath | Sequence[AnyPath], classes: int = 10) -> TensorDataset:
    """Images (N, 3, 32, 32) and labels (N,), both uint8, of the binary version of CIFAR-10 or CIFAR-100 (of which the labels are the fine ones).

    paths: one .bin file or several, which are joined. Raises ValueError for a file whose size or labels do not fit.
    Source: https://www.cs.toronto.edu/~kriz/cifar.html
    """
    if classes not in CIFAR_LABELS:
        raise ValueError(f"read_cifar: classes must be 10 or 100, got {classes!r}")
    files: list[Any] = list(paths) if isinstance(paths, (list, tuple)) else [paths]
    limits = CIFAR_LABELS[classes]
    size = len(limits) + CIFAR_PIXELS
    records = []
    for path in files:
        data = np.fromfile(named("read_cifar", path), np.uint8)
        if data.size == 0 or data.size % size:
            raise ValueError(
                f"read_cifar: {os.fspath(path)} has {data.size} bytes, expected a multiple of {size} for CIFAR-{classes}: it is truncated or another file"
            )
        rows = data.reshape(-1, size)
        for column, limit in enumerate(limits):
            if rows[:, column].max() >= limit:
                raise ValueError(
                    f"read_cifar: {os.fspath(path)} has a label {rows[:, column].max()}, expected 0 to {limit - 1}: it is no file of CIFAR-{classes}"
                )
        records.append(rows)
    if not records:
        raise ValueError("read_cifar: expected at least one file")
    every = np.concatenate(records)
    images = every[:, len(limits) :].reshape(-1, 3, 32, 32).copy()
    return TensorDataset(make_tensor(images), make_tensor(every[:, len(limits) - 1].copy()))


def read_npz(path: AnyPath) -> dict[str, Any]:
    """The arrays of an .npz file by name: tensors, and NumPy arrays where they are texts or dates. Python objects in it are refused, since reading them
    runs code.

    Raises ValueError for a file that is damaged, asks for more memory than there is, or holds objects.
    """
    with open(named("read_npz", path), "rb") as file:
        try:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise ValueError("it holds one array and no names; read it with numpy.load")
            with arrays:
                found = {name: _checked_array(name, arrays[name]) for name in arrays.files}
        except Exception as error:  # NumPy's header, ZIP and its three decompressors have a dozen kinds between them
            raise ValueError(f"read_npz: cannot read {os.fspath(path)}: {error}") from None
    return {name: make_tensor(array) if array.dtype.kind in "biufc" else array for name, array in found.items()}


def _checked_array(name: str, array: Any) -> np.ndarray[Any, Any]:
    """An array of a kind that there is, with its bytes in the order of this machine."""
    if not isinstance(array, np.ndarray):
        raise ValueError(f"its entry {name!r:.60} is no array")
    if array.size and not array.nbytes:
        raise ValueError(f"its entry {name!r:.60} has {array.size} elements without a byte")
    if array.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"its entry {name!r:.60} is of bool and holds bytes that are neither 0 nor 1")
    if array.dtype.kind in "fc" and array.dtype.itemsize > (8 if array.dtype.kind == "f" else 16):
        raise ValueError(f"its entry {name!r:.60} is of {array.dtype.name}, which tensors cannot be")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def read_image(path: AnyPath, mode: str = "RGB") -> Tensor:
    """The picture of a file as uint8 (C, H, W); of 16 bits a colour, the upper 8. Needs pillow.

    mode: of pillow: "RGB", "L" (grey), "RGBA", or another whose colours are bytes. Raises ValueError for a file that is damaged or no picture, for one of
    32 bits a colour or of more pixels than `PIL.Image.MAX_IMAGE_PIXELS`, and for a mode of another kind; ImportError naming the extra without pillow.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("read_image needs pillow: pip install pillow, or 'minigrad[examples]'") from None
    if mode not in MODES:
        raise ValueError(f"read_image: mode must be one of {', '.join(MODES)}, got {mode!r}")
    with open(named("read_image", path), "rb") as file:
        try:
            with Image.open(file) as picture:
                check_size(picture.size, Image.MAX_IMAGE_PIXELS)
                if picture.mode in ("I", "F"):
                    raise ValueError("its colours have 32 bits; scale them to bytes first")
                # pillow would take 255 for all that is above.
                small = (
                    Image.fromarray((np.array(picture) >> 8).astype(np.uint8))
                    if picture.mode.startswith("I;16")
                    else picture
                )
                pixels = np.array(small.convert(mode))
        except (
            OSError,
            ValueError,
            SyntaxError,
            EOFError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise ValueError(f"read_image: cannot read {os.fspath(path)}: {error}") from None
    return make_tensor(np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1)))


def check_size(size: tuple[int, int], most: int | None) -> None:
    """A few bytes can say that there are many pixels, for which pillow makes room before it looks for them."""
    if most is not None and size[0] * size[1] > most:
        raise ValueError(
            f"its {size[0]} x {size[1]} pixels are more than the {most} of PIL.Image.MAX_IMAGE_PIXELS; raise that if the file is to be trusted"
        )


class ImageFolder(Dataset[tuple[Any, Any]]):
    """Pictures in one folder for each class: sample i is (picture, class), of the names in their order.

    root: the folder with the folders. transform, target_transform: applied to the picture and to the number of the class. loader: reads a file
    (read_image, which gives uint8 (3, H, W)). is_valid_file: tells from its path whether a file is a picture (by default its suffix does).
    classes, class_to_idx, samples, targets: the names, their numbers, all (path, class), all classes. Raises FileNotFoundError if there are no classes, or
    one without pictures.
    """

    def __init__(
        self,
        root: AnyPath,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[Any], Any] = read_image,
        is_valid_file: Callable[[str], bool] | None = None,
    ) -> None:
        self.root = Path(named("ImageFolder", root))
        self.transform = transform
        self.target_transform = target_transform
        self.loader = loader
        is_valid = is_valid_file or (lambda path: path.lower().endswith(PICTURES))
        self.classes = sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())
        if not self.classes:
            raise FileNotFoundError(f"ImageFolder: {self.root} has no folder of a class")
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.samples: list[tuple[str, int]] = []
        for name, number in self.class_to_idx.items():
            found = [
                str(path) for path in sorted((self.root / name).rglob("*")) if path.is_file() and is_valid(str(path))
            ]
            if not found:
                raise FileNotFoundError(
                    f"ImageFolder: class {name!r} has no picture in {self.root / name}; supported are {', '.join(PICTURES)}"
                )
            self.samples += [(path, number) for path in found]
        self.targets = [number for _, number in self.samples]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        picture = self.loader(path)
        return (
            picture if self.transform is None else self.transform(picture),
            target if self.target_transform is None else self.target_transform(target),
        )

    def __len__(self) -> int:
        return len(self.samples)
