"""The layout of the safetensors format: a length of 8 bytes, a JSON header of that length, the raw data of the tensors.

Everything is little-endian. The header maps each name to {"dtype", "shape", "data_offsets": [begin, end]}, the offsets counting from the end
of the header; the data follow each other without gaps. "__metadata__" maps strings to strings.
Source: https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

import numpy as np

from minigrad.io.bfloat16 import NOTE, from_bfloat16
from minigrad.io.source import Source

DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16",
    "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
NAMES = {name: code for code, name in DTYPES.items() if code != "BF16"}  # NumPy has no bfloat16 to write
METADATA = "__metadata__"

# The format's own limit; it keeps a damaged length from asking for all memory.
LARGEST_HEADER = 100_000_000
MOST_AXES = 64  # of NumPy
# The header is padded to a multiple of this, so that the data of a mapped file are aligned.
ALIGNMENT = 8


def write(file: BinaryIO, arrays: dict[str, np.ndarray[Any, Any]], metadata: dict[str, str]) -> None:
    """Writes arrays and metadata. Raises TypeError for a dtype that the format does not know."""
    for name, array in arrays.items():
        if array.dtype.name not in NAMES:
            raise TypeError(
                f"save: {name!r} has dtype {array.dtype}, which the format does not know: expected one of {sorted(NAMES)}"
            )
    # The widest elements first: each then begins at a multiple of its own size.
    names = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    header: dict[str, Any] = {METADATA: metadata}
    begin = 0
    for name in names:
        array = arrays[name]
        end = begin + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype.name], "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % ALIGNMENT)
    if len(encoded) > LARGEST_HEADER:
        raise ValueError(
            f"save: the description of the contents takes {len(encoded)} bytes, the format allows {LARGEST_HEADER}"
        )
    file.write(len(encoded).to_bytes(8, "little"))
    file.write(encoded)
    for name in names:
        file.write(_little_endian(np.ascontiguousarray(arrays[name])).reshape(-1).view(np.uint8).data)


def read(source: Source) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str], set[str]]:
    """Reads arrays, metadata, and notes on what has become different. Raises ValueError, without reading data, if the header is damaged or does not fit the file."""
    header, data_size = _read_header(source)
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"its {METADATA} is no mapping of strings")
    entries = sorted(
        (_checked_entry(name, entry, data_size) for name, entry in header.items()), key=lambda entry: entry[3:]
    )
    position = 0
    for name, _, _, begin, end in entries:
        if begin != position:
            raise ValueError(
                f"the data of {name!r} begin at byte {begin}, expected {position}: the data overlap or have a gap"
            )
        position = end
    if position != data_size:
        raise ValueError(f"its header describes {position} bytes of data but the file has {data_size}")
    arrays = {name: _array(source.array(end - begin), code, shape) for name, code, shape, begin, end in entries}
    notes = {NOTE} if any(code == "BF16" for _, code, _, _, _ in entries) else set()
    return {name: arrays[name] for name in header}, metadata, notes


def _read_header(source: Source) -> tuple[dict[str, Any], int]:
    """The header and how many bytes of data follow it."""
    if source.size < 8:
        raise ValueError(f"it is truncated: it has {source.size} bytes and even an empty file has 8 and a header")
    prefix = source.read(8)
    length = int.from_bytes(prefix, "little")
    if length > LARGEST_HEADER:
        raise ValueError(
            f"its header would have {length} bytes, the format allows {LARGEST_HEADER}: it is damaged or of another format"
        )
    if length > source.left():
        raise ValueError(f"it is truncated: its header has {length} bytes but only {source.left()} follow")
    try:
        header = json.loads(source.read(length).decode(), object_pairs_hook=_without_duplicates)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"its header is damaged: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"its header is a {type(header).__name__}, expected an object")
    return header, source.left()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("its header has a name twice")
    return result


def _checked_entry(name: str, entry: Any, data_size: int) -> tuple[str, str, tuple[int, ...], int, int]:
    """Name, code of the dtype, shape, begin and end of one tensor."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"its header says of {name!r} {entry!r:.80}, expected dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"{name!r} has dtype {code!r}, expected one of {sorted(DTYPES)}")
    if not _are_sizes(shape):
        raise ValueError(f"{name!r} has shape {shape!r:.80}, expected a list of integers that are not negative")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"{name!r} has data_offsets {offsets!r:.80}, expected two integers that are not negative")
    begin, end = offsets
    if not begin <= end <= data_size:
        raise ValueError(
            f"{name!r} has data_offsets {begin} to {end}, but there are {data_size} bytes of data: the file is truncated or damaged"
        )
    if len(shape) > MOST_AXES or max(shape, default=0) >= 2**63:
        raise ValueError(f"{name!r} has shape {shape!r:.80}, expected at most {MOST_AXES} axes and lengths below 2**63")
    if end - begin != math.prod(shape) * _stored(code).itemsize:
        raise ValueError(
            f"{name!r} has {end - begin} bytes of data, which do not make up shape {tuple(shape)} of {DTYPES[code]}"
        )
    return name, code, tuple(shape), begin, end


def _stored(code: str) -> np.dtype[Any]:
    """The dtype of the elements in the file: NumPy has the bits of bfloat16 only."""
    return np.dtype("<u2") if code == "BF16" else np.dtype(DTYPES[code]).newbyteorder("<")


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _array(raw: np.ndarray[Any, Any], code: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Bytes as the tensor they are; a copy if they do not lie in memory as the processor wants them."""
    if code == "BOOL" and raw.max(initial=0) > 1:
        raise ValueError("a tensor of BOOL has bytes that are neither 0 nor 1")
    array = raw.view(_stored(code)).reshape(shape)
    if code == "BF16":
        return from_bfloat16(array)
    native = array.dtype.newbyteorder("=")
    return array if array.flags.aligned and array.dtype == native else array.astype(native)


def _little_endian(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers with their bytes as they stand in the file."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False)
