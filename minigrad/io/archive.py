"""ZIP archives of uncompressed entries, read where they are: no entry is extracted, and none is larger than the file."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from minigrad.io.source import Source

START = b"PK\x03\x04"
STORED = 0  # the method of compression that is none
DAMAGE = (ValueError, LookupError, OSError, NotImplementedError, OverflowError, EOFError, struct.error)
LOCAL_HEADER = struct.Struct("<4s22xHH")  # the signature, and how long the name and what follows it are


def entries_of(source: Source) -> dict[str, Any]:
    """The entries of a ZIP archive by name: stored as they are, apart from each other, within the file."""
    import zipfile

    try:
        infos = zipfile.ZipFile(source.file).infolist()
    except (zipfile.BadZipFile, *DAMAGE) as error:
        raise ValueError(f"its ZIP archive is truncated or damaged: {error}") from None
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ValueError(f"its entry {info.filename[:200]!r} overlaps another")
        end = info.header_offset + LOCAL_HEADER.size + info.compress_size
    entries = {info.filename: info for info in infos}
    if len(entries) != len(infos):
        raise ValueError("its ZIP archive has a name twice")
    return entries


def content_of(source: Source, info: Any) -> np.ndarray[Any, Any]:
    """The bytes of an entry. Raises ValueError if they are not there, or not those whose checksum the archive has."""
    if info.compress_type != STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        raise ValueError(f"its entry {info.filename[:200]!r} is compressed or encrypted, which torch.save does not do")
    source.seek(info.header_offset - source.start)
    signature, name_length, extra_length = LOCAL_HEADER.unpack(source.read(LOCAL_HEADER.size))
    if signature != START:
        raise ValueError(f"its entry {info.filename[:200]!r} is not where the directory says")
    source.read(name_length + extra_length)
    array = source.array(info.file_size)
    # torch.save can leave the checksum out; of mapped files only what is needed is to be read.
    if source.map is None and info.CRC not in (0, zlib.crc32(array.data)):
        raise ValueError(f"its entry {info.filename[:200]!r} is damaged: the checksum is wrong")
    return array
