"""Tensors in files: their sizes are checked before there is memory for them, and other files are read only from the model's own folder."""

from __future__ import annotations

import os
from math import prod
from typing import Any

import numpy as np

from minigrad.onnx.loading.elementwise import DTYPES

EXTERNAL = 1
# Where the format keeps elements that are not raw bytes.
FIELDS = {
    "float32": "float_data",
    "float64": "double_data",
    "int64": "int64_data",
    "uint32": "uint64_data",
    "uint64": "uint64_data",
}


class Files:
    """The folder of a model, out of which its tensors may be; no part of a file is read twice."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self.read: dict[str, int] = {}

    def array(self, tensor: Any) -> Any:
        """The array of a tensor. Raises ValueError for one that is damaged or lies, NotImplementedError for other element types."""
        what = f"tensor {tensor.name!r}"
        if tensor.data_type not in DTYPES:
            raise NotImplementedError(
                f"onnx.load: {what} has the element type that the format numbers {tensor.data_type}, for which there are no tensors"
            )
        dtype = np.dtype(DTYPES[tensor.data_type])
        shape = tuple(tensor.dims)
        if any(n < 0 for n in shape) or len(shape) > 64 or 0 in shape and prod([n for n in shape if n]) >= 2**60:
            raise ValueError(f"onnx.load: {what} has the shape {shape}")
        count = prod(shape)
        if count == 0:
            return np.zeros(shape, dtype)
        if tensor.data_location == EXTERNAL:
            array = self.external(what, tensor, count * dtype.itemsize).view(dtype.newbyteorder("<"))
        elif tensor.HasField("raw_data"):
            if len(tensor.raw_data) != count * dtype.itemsize:
                raise ValueError(
                    f"onnx.load: {what} of shape {shape} and dtype {dtype} needs {count * dtype.itemsize} bytes, the file has {len(tensor.raw_data)}"
                )
            array = np.frombuffer(tensor.raw_data, dtype.newbyteorder("<"))
        else:
            field = getattr(tensor, FIELDS.get(dtype.name, "int32_data"))
            if len(field) != count:
                raise ValueError(
                    f"onnx.load: {what} of shape {shape} needs {count} elements, the file has {len(field)}"
                )
            array = np.array(field, np.uint16).view(dtype) if dtype == np.float16 else np.array(field).astype(dtype)
        return array.astype(dtype, copy=True).reshape(shape)

    def external(self, what: str, tensor: Any, size: int) -> Any:
        """Bytes of another file, which must lie in the model's folder."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if self.folder is None:
            raise ValueError(f"onnx.load: {what} is in another file, {location!r}: load the model by its path")
        folder = os.path.realpath(self.folder)
        named = bool(location) and "\0" not in location and ".." not in location.replace("\\", "/").split("/")
        path = os.path.join(folder, location) if named else folder
        if os.path.isabs(location) or not os.path.realpath(path).startswith(folder.rstrip(os.sep) + os.sep):
            raise ValueError(f"onnx.load: {what} is in {location!r}, which is not inside of the model's folder")
        if os.path.islink(path) or not os.path.isfile(path):
            raise ValueError(f"onnx.load: {what} is in {location!r}, which is no file in the model's folder")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        except ValueError:
            raise ValueError(f"onnx.load: {what} has an offset or a length that is no number") from None
        whole = os.path.getsize(path)
        self.read[path] = self.read.get(path, 0) + size
        if length != size or offset < 0 or offset + size > whole:
            raise ValueError(
                f"onnx.load: {what} needs {size} bytes; {length} from {offset} on are named in {location!r}, which has {whole}"
            )
        if self.read[path] > whole:
            raise ValueError(
                f"onnx.load: {what} reads parts of {location!r} that other tensors have read; tensors with data in common must be one"
            )
        with open(path, "rb") as file:
            file.seek(offset)
            return np.frombuffer(file.read(size), np.uint8)
