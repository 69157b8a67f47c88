"""ONNX files as modules that run and train."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from minigrad.onnx.loading import (
    attention,
    control,
    elementwise,
    indexing,
    norms,
    quantized,
    recurrent,
    reductions,
    resize,
    shapes,
    windows,
)  # the tables
from minigrad.onnx.loading.module import OnnxModule
from minigrad.onnx.loading.reader import read
from minigrad.onnx.package import package

__all__ = ["OnnxModule", "load"]

MAX_BYTES = 2**31


def load(path: str | os.PathLike[str] | BinaryIO, *, max_bytes: int = MAX_BYTES) -> OnnxModule:
    """The model of an ONNX file as a module, in evaluation: called with tensors, trained like any other.

    Weights are parameters and everything else that the file holds is a buffer, under the names that they have in the file, so that what
    `export` wrote has the state_dict of the model that it was given. Nothing in a file is executed; tensors in other files are read from the
    model's own folder only.

    path: of a file, or a binary file. max_bytes: how much memory the values of one run may take together, against files that ask for
    more than there is.

    Raises ImportError without the package onnx; ValueError, saying what is wrong, for a file that is damaged, lies about sizes or reaches outside of its
    folder; NotImplementedError, naming them, for operators that are not known; and, when the module is called, MemoryError for a graph that
    asks for more than max_bytes.

    Example:
        model = minigrad.onnx.load("model.onnx")
        y = model(minigrad.randn(1, 3, 224, 224))
    """
    onnx = package("onnx.load")
    folder = None
    if isinstance(path, (str, os.PathLike)):
        folder = os.path.dirname(os.path.abspath(os.fspath(path)))
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size >= 2**31:
                raise ValueError(
                    "onnx.load: the file has 2 GiB or more, which no ONNX file has; larger tensors lie in other files"
                )
            data = file.read()
    else:
        data = path.read()
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # of a class that depends on the version of protobuf
        raise ValueError(f"onnx.load: this is no ONNX file, or a damaged one: {error}") from None
    return from_proto(proto, folder, max_bytes)


def from_proto(proto: Any, folder: str | None = None, max_bytes: int = MAX_BYTES) -> OnnxModule:
    """The module of a model that has been read already."""
    return OnnxModule(read(proto, folder), max_bytes)
