"""save and load: an object to a file, all of it or not at all, and back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.io import safetensors
from minigrad.io.source import Source, read_file
from minigrad.io.structure import Packer, unpack
from minigrad.io.torch_file import is_torch_file, read_torch

# The name in the metadata under which the structure of the containers stands.
STRUCTURE = "minigrad"


def save(obj: Any, f: str | os.PathLike[str] | BinaryIO) -> None:
    """Saves a tensor, or nested dicts, lists and tuples of tensors, numbers, strings and None, such as a state_dict.

    f: a path, whose file is replaced only when all is written, or a binary file. The format is that of safetensors: a flat
    dict of tensors can be read by its package. Raises TypeError, naming the place, for an object that cannot be saved.

    >>> import io, minigrad
    >>> file = io.BytesIO()
    >>> minigrad.save({"weight": minigrad.ones(2), "epoch": 3}, file)
    >>> file.seek(0)
    0
    >>> minigrad.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    packer = Packer()
    structure = packer.pack(obj)
    arrays = {name: _host_array(tensor) for name, tensor in packer.tensors.items()}
    metadata = {STRUCTURE: json.dumps(structure, separators=(",", ":"))}
    if isinstance(f, (str, os.PathLike)):
        with replacing(os.fspath(f)) as file:
            safetensors.write(file, arrays, metadata)
    else:
        safetensors.write(f, arrays, metadata)


def load(
    f: str | os.PathLike[str] | BinaryIO, map_location: Any = None, *, weights_only: bool = True, mmap: bool = False
) -> Any:
    """Loads what save saved; of a file from the safetensors package, a dict of its tensors; of torch's, what load_torch says. Nothing is executed.

    f: a path or a binary file. map_location: accepted for torch's scripts: everything comes to the CPU. mmap: map a file into memory, so that only
    the tensors that are used are read; it must not be changed while they are, and writing to them does not change it. bfloat16 becomes float32, with
    a warning. Raises ValueError, saying what is wrong, for a file that is damaged or of another format, and for weights_only=False.

    >>> import io, minigrad
    >>> file = io.BytesIO()
    >>> minigrad.save([1, minigrad.zeros(2)], file)
    >>> file.seek(0)
    0
    >>> minigrad.load(file)
    [1, tensor([0., 0.])]
    """
    if not weights_only:
        raise ValueError("load: weights_only=False would run what a file says, which load never does; leave it out")
    return read_file("load", f, mmap, _read)


def _read(source: Source) -> tuple[Any, set[str]]:
    if is_torch_file(source.start_of_file()):
        return read_torch(source)
    arrays, metadata, notes = safetensors.read(source)
    tensors = {key: make_tensor(array) for key, array in arrays.items()}
    if STRUCTURE not in metadata:
        return tensors, notes
    try:
        structure = json.loads(metadata[STRUCTURE])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its description of the contents is damaged: {error}") from None
    return unpack(structure, tensors), notes


def _host_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    array = tensor.array
    return array if isinstance(array, np.ndarray) else array.get()  # type: ignore[no-any-return]


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of the one at path when all went well, and leaves no trace otherwise."""
    path = os.path.realpath(path)  # a link stays a link to the file that is replaced
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
