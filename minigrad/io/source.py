"""A file that is read with care: no more is asked of it than it has, whatever it claims."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from io import BytesIO, UnsupportedOperation
from typing import Any, BinaryIO

import numpy as np


class Source:
    """A binary file whose size is known, read from where it stands; the positions count from there.

    mapped: whether `array` gives memory that the operating system fills from the file when it is first looked at. Such arrays can be written to,
    which does not change the file.
    """

    def __init__(self, file: BinaryIO, mapped: bool = False) -> None:
        self.file = file
        self.start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self.start
        self.map: Any = None
        if mapped and self.size:
            try:
                self.map = np.asarray(np.memmap(file, np.uint8, mode="c"))[self.start :]
            except (UnsupportedOperation, AttributeError):
                raise ValueError("only a file on disk can be mapped (mmap=True)") from None
        self.seek(0)

    def start_of_file(self) -> bytes:
        """The first bytes, which tell the format."""
        self.seek(0)
        start = self.read(min(self.size, 512))
        self.seek(0)
        return start

    def tell(self) -> int:
        """Where it stands."""
        return self.file.tell() - self.start

    def seek(self, position: int) -> None:
        """Goes to a position."""
        self.file.seek(self.start + position)

    def left(self) -> int:
        """How many bytes there still are."""
        return self.size - self.tell()

    def read(self, count: int) -> bytes:
        """So many bytes. Raises ValueError, before any memory is asked for, if there are fewer."""
        self._check(count)
        data = self.file.read(count)
        if len(data) != count:
            raise ValueError(f"it became shorter while it was read: {count} bytes were expected and {len(data)} came")
        return data

    def line(self) -> bytes:
        """What comes up to the end of the line, without that."""
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ValueError("it is truncated: a line does not end")
        return line[:-1]

    def array(self, count: int) -> np.ndarray[Any, Any]:
        """So many bytes as an array of its own (or mapped)."""
        self._check(count)
        if self.map is not None:
            begin = self.tell()
            self.seek(begin + count)
            return self.map[begin : begin + count]  # type: ignore[no-any-return]
        array = np.empty(count, np.uint8)
        read, view = 0, memoryview(array.data)
        while read < count:
            more = self.file.readinto(view[read:])  # type: ignore[attr-defined]
            if not more:
                raise ValueError(f"it became shorter while it was read: {count} bytes were expected and {read} came")
            read += more
        return array

    def _check(self, count: int) -> None:
        left = self.left()
        if count > left:
            raise ValueError(f"it is truncated: {count} bytes should follow byte {self.tell()}, but only {left} do")


def read_file(
    op: str, f: str | os.PathLike[str] | BinaryIO, mmap: bool, read: Callable[[Source], tuple[Any, set[str]]]
) -> Any:
    """What `read` makes of a file, given as a path or open. Its errors and the notes it returns are told with the names of the operation and the file."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _read(op, file, os.fspath(f), mmap, read)
    if not hasattr(f, "read") or not hasattr(f, "seekable"):
        raise TypeError(f"{op}: expected a path or a binary file, got {type(f).__name__}")
    # A file that cannot be measured beforehand is read as a whole.
    return _read(op, f if f.seekable() else BytesIO(f.read()), getattr(f, "name", type(f).__name__), mmap, read)


def _read(op: str, file: BinaryIO, name: Any, mmap: bool, read: Callable[[Source], tuple[Any, set[str]]]) -> Any:
    try:
        result, notes = read(Source(file, mmap))
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{op}: cannot read {name}: {error}") from None
    if notes:
        warnings.warn(f"{op}: {name}: {'; '.join(sorted(notes))}", stacklevel=4)
    return result
