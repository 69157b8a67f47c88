"""load_torch: torch's checkpoint files, without torch, and without running what they say.

torch.save writes a ZIP archive of uncompressed entries: data.pkl, a pickle in which storages are persistent ids, and data/<key>, the bytes of each
storage. Before torch 1.6 it wrote several pickles one behind the other (a magic number, a version, the machine, the object, the keys), and then the storages.
Source: torch/serialization.py and torch/_utils.py.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigrad.core.device import device
from minigrad.core.size import Size
from minigrad.core.tensor import Tensor, make_tensor, version_of
from minigrad.io.archive import START, content_of, entries_of
from minigrad.io.bfloat16 import NOTE, from_bfloat16
from minigrad.io.pickled import Inner, Maker, Unpickler, check_key, shown
from minigrad.io.source import Source, read_file
from minigrad.nn.parameter import Buffer, Parameter

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
# A tensor may repeat its elements (a stride of 0), but not to more bytes than this: what looks at them would never end.
LARGEST_REPETITION = 2**30
LARGEST_HEADER = 1 << 16  # bytes of what comes before the object in the older format

STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32", "Short": "int16",
    "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexDouble": "complex128", "ComplexFloat": "complex64", "Untyped": "bytes",
}  # fmt: skip
DTYPES = {
    name: name
    for name in (
        "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
        "complex128", "complex64",
    )
} | {"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32", "short": "int16"}  # fmt: skip


def load_torch(f: str | os.PathLike[str] | BinaryIO, *, mmap: bool = False) -> Any:
    """The content of a file that torch.save wrote, in its ZIP or its older format: tensors, and plain containers of them. torch is not needed.

    Nothing in the file is executed: besides containers, numbers and texts there may be tensors, Parameters, torch.Size, dtypes and devices, and anything
    else is refused by its name. Tensors of a GPU come to the CPU; those that shared memory, or had strides, do so again. bfloat16 becomes float32,
    which holds the same numbers, with a warning.

    f: a path or a binary file that can seek. mmap: map the tensors of a ZIP file into memory, so that only what is used is read; the file must not be
    changed then. Raises ValueError, saying what is wrong, for a file that is damaged, holds something else, or is of another format.

    >>> import minigrad
    >>> state = minigrad.io.load_torch("resnet18.pth")  # doctest: +SKIP
    >>> minigrad.models.resnet18().load_state_dict(state)  # doctest: +SKIP
    """
    return read_file("load_torch", f, mmap, read_torch)


def is_torch_file(start: bytes) -> bool:
    """Whether a file that starts so is one of torch.save."""
    return start.startswith(START) or _is_legacy(start)


def _is_legacy(start: bytes) -> bool:
    """Whether a file begins with the pickle of the magic number, in any protocol."""
    return start.startswith(b"\x80") and LEGACY_MAGIC.to_bytes(10, "little") in start[:32]


def read_torch(source: Source) -> tuple[Any, set[str]]:
    """The content of a file of torch.save, and what has become different in it. Raises ValueError if it cannot be read."""
    start = source.start_of_file()
    if start.startswith(START):
        reader: _Reader = _Archive(source)
    elif _is_legacy(start):
        reader = _Legacy(source)
    else:
        raise ValueError(_other_format(start))
    return reader.read(), reader.notes


def _other_format(start: bytes) -> str:
    if start[257:262] == b"ustar":
        return "it is a tar archive, the format of torch before 0.2; load and save it again with a newer torch"
    if start[:1] == b"\x80":
        return "it is a pickle, but not one of torch.save"
    if not start:
        return "it is empty"
    return "it is neither a ZIP archive nor a file of the older format of torch.save"


class _Kind(Inner):
    """A class of storages, by the dtype of their elements."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = f"the class of storages of {kind}"


class _Storage(Inner):
    """The elements that several tensors may share; part of another one's from `begin` on if it has a `whole`."""

    name = "a bare storage"

    def __init__(self, kind: str, count: int, whole: _Storage | None = None, begin: int = 0) -> None:
        self.kind = kind
        self.count = count
        self.whole = whole
        self.begin = begin
        self.bytes: np.ndarray[Any, Any] | None = None
        self.values: dict[str, Tensor] = {}  # by dtype, since the bytes of an untyped storage can be seen as several

    @property
    def nbytes(self) -> int:
        return self.count * _itemsize(self.kind)

    def elements(self, kind: str) -> Tensor | None:
        """All elements in a row, as this dtype; None while their bytes are not there."""
        if kind not in self.values:
            if self.whole is not None:
                all_elements = self.whole.elements(kind)
                if all_elements is None:
                    return None
                self.values[kind] = make_tensor(all_elements.array[self.begin : self.begin + self.count])
                self.values[kind].version = version_of(all_elements)
            elif self.bytes is None:
                return None
            else:
                self.values[kind] = make_tensor(_as_dtype(self.bytes, kind))
        return self.values[kind]


def _as_dtype(raw: np.ndarray[Any, Any], kind: str) -> np.ndarray[Any, Any]:
    """Bytes as the elements they are."""
    dtype = np.dtype("uint16" if kind == "bfloat16" else kind)
    if raw.size % dtype.itemsize:
        raise ValueError(f"a storage of {raw.size} bytes holds no whole number of {kind}")
    if kind == "bool" and raw.max(initial=0) > 1:
        raise ValueError("a storage of bool holds bytes that are neither 0 nor 1")
    array = raw.view(dtype)
    if not array.flags.aligned:
        array = array.copy()
    return from_bfloat16(array) if kind == "bfloat16" else array


def _itemsize(kind: str) -> int:
    return {"bfloat16": 2, "bytes": 1}.get(kind) or np.dtype(kind).itemsize


class _Reader:
    """What both formats have in common: the names that pickles may use, and how tensors are made of storages."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: set[str] = set()
        self.storages: dict[str, _Storage] = {}
        self.parts: dict[tuple[str, str], _Storage] = {}
        makers: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": _ordered_dict,
            "collections.Counter": _counter,
            "builtins.set": _set_of,
            "builtins.frozenset": lambda members=(): frozenset(_set_of(members)),
            "builtins.complex": complex,
            "builtins.bytearray": _bytearray,
            "builtins.bytes": _bytes,
            "_codecs.encode": _bytes,
            "torch.Size": _size,
            "torch.device": _device,
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_tensor_v3": self.tensor_of_bytes,
            "torch._utils._rebuild_parameter": _parameter,
            "torch._utils._rebuild_parameter_with_state": self.parameter_with_state,
            "torch._tensor._rebuild_from_type_v2": self.tensor_with_state,
            "torch.nn.parameter.Parameter": _parameter,
            "torch.nn.parameter.Buffer": _buffer,
        }
        self.names: dict[str, Any] = {name: Maker(name, make) for name, make in makers.items()}
        self.names["torch.Tensor"] = Maker("torch.Tensor", _no_tensor)
        for name, kind in STORAGES.items():
            for module in ("torch", "torch.cuda", "torch.storage"):
                self.names[f"{module}.{name}Storage"] = _Kind(kind)
        for name, kind in DTYPES.items():
            self.names[f"torch.{name}"] = kind if kind == "bfloat16" else np.dtype(kind)

    def read(self) -> Any:
        raise NotImplementedError

    # --- tensors --------------------------------------------------------------------------------------------------

    def tensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any = False,
        hooks: Any = None,
        metadata: Any = None,
    ) -> Tensor:
        if isinstance(storage, _Storage) and storage.kind == "bytes":
            raise ValueError("a tensor of a storage without dtype")
        return self.view(storage, getattr(storage, "kind", ""), offset, size, stride, requires_grad, metadata)

    def tensor_of_bytes(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any,
        hooks: Any,
        dtype: Any,
        metadata: Any = None,
    ) -> Tensor:
        if not (isinstance(dtype, np.dtype) or dtype == "bfloat16"):
            raise ValueError(f"its dtype is a {type(dtype).__name__}")
        return self.view(storage, str(dtype), offset, size, stride, requires_grad, metadata)

    def view(
        self, storage: Any, kind: str, offset: Any, size: Any, stride: Any, requires_grad: Any, metadata: Any
    ) -> Tensor:
        """A tensor that looks at a storage. All that is looked at is there."""
        if not isinstance(storage, _Storage):
            raise ValueError(f"a tensor of a {type(storage).__name__}, expected a storage")
        if not (type(offset) is int and _are_integers(size) and _are_integers(stride) and len(size) == len(stride)):
            raise ValueError(f"a tensor of size {shown(size)}, strides {shown(stride)} and offset {shown(offset)}")
        if offset < 0 or any(n < 0 for n in (*size, *stride)):
            raise ValueError(
                f"size {shown(size)}, strides {shown(stride)} and offset {shown(offset)} must not be negative"
            )
        if len(size) > 64:
            raise ValueError(f"a tensor of {len(size)} dimensions, at most 64 are possible")
        if isinstance(metadata, dict) and any(metadata.values()):
            raise ValueError(
                f"a tensor with the bits {sorted(map(str, metadata))}; resolve_conj() or resolve_neg() it before it is saved"
            )
        itemsize = _itemsize(kind)
        there = storage.nbytes // itemsize
        count = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else 0
        if last >= there and count:
            raise ValueError(
                f"a tensor of size {shown(tuple(size))} and strides {shown(tuple(stride))} looks at element {last} of a storage of {there}"
            )
        if count > there and count * itemsize > LARGEST_REPETITION:
            raise ValueError(
                f"a tensor of size {shown(tuple(size))} repeats {there} elements to {count}, more than {LARGEST_REPETITION} bytes"
            )
        if max(size, default=0) >= 2**63 or count >= 2**60:
            raise ValueError(f"a tensor of size {shown(tuple(size))} is larger than memory can be")
        if kind == "bfloat16":
            self.notes.add(NOTE)
        flat = storage.elements(kind)
        if flat is None:
            return make_tensor(np.empty(0, np.float32))
        out: Tensor = make_tensor(_view(flat.array[offset if count else 0 :], size, stride))
        out.version = version_of(flat)
        return out.requires_grad_() if requires_grad is True else out

    def parameter_with_state(self, data: Any, requires_grad: Any, hooks: Any, state: Any) -> Parameter:
        if state:
            self.notes.add("attributes of tensors were left out")
        return _parameter(data, requires_grad)

    def tensor_with_state(self, maker: Any, kind: Any, args: Any, state: Any) -> Any:
        """A tensor with attributes in Python, or of a subclass, of which there are two that can be named."""
        if not (
            isinstance(maker, Maker)
            and maker.name.startswith("torch._utils._rebuild_")
            and isinstance(kind, Maker)
            and type(args) is tuple
        ):
            raise ValueError("its parts are not those of a tensor")
        out = maker.make(*args)
        state = dict(state) if isinstance(state, dict) else {}
        if state.pop("_is_buffer", False) is True:  # which torch has as a tensor with this attribute
            out = _buffer(out, state.pop("persistent", True))
        if state:
            self.notes.add("attributes of tensors were left out")
        return out

    # --- storages -------------------------------------------------------------------------------------------------

    def storage(self, kind: Any, key: Any, count: Any) -> _Storage:
        """The storage of a persistent id, the same one for the same key."""
        if not isinstance(kind, _Kind) or not isinstance(key, str) or type(count) is not int or count < 0:
            raise ValueError(f"a storage is described by {shown(kind)}, {shown(key)}, {shown(count)}")
        if key not in self.storages:
            self.storages[key] = _Storage(kind.kind, count)
            self.found(key)
        known = self.storages[key]
        if (known.kind, known.count) != (kind.kind, count):
            raise ValueError(f"storage {shown(key)} is described in two ways")
        return known

    def found(self, key: str) -> None:
        """Called for each new storage."""
        raise NotImplementedError


class _Archive(_Reader):
    """The format since torch 1.6."""

    def read(self) -> Any:
        self.entries = entries_of(self.source)
        folders = [name.removesuffix("/data.pkl") for name in self.entries if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if any(name.endswith(("/constants.pkl", "/code/__torch__.py")) for name in self.entries):
            raise ValueError(
                "it is a TorchScript archive, a program; save the state_dict() of its model instead: torch.save(model.state_dict(), path)"
            )
        if len(folders) != 1:
            raise ValueError("it is a ZIP archive, but not one of torch.save: it has no data.pkl in a folder")
        self.folder = folders[0]
        order = self.content(f"{self.folder}/byteorder") if f"{self.folder}/byteorder" in self.entries else b"little"
        if order not in (b"little", b"big"):
            raise ValueError(f"its byte order is {order[:20]!r}")
        self.big_endian = order == b"big"
        pickle = Source(BytesIO(self.content(f"{self.folder}/data.pkl")))
        return Unpickler(pickle, self.names, self.persistent).load()

    def content(self, name: str) -> bytes:
        return bytes(content_of(self.source, self.entries[name]).data)

    def persistent(self, id: Any) -> Any:
        if not isinstance(id, tuple) or len(id) != 5 or id[0] != "storage":
            raise ValueError(f"its pickle has a persistent id {shown(id)}, expected a storage")
        _, kind, key, _, count = id
        return self.storage(kind, key, count)

    def found(self, key: str) -> None:
        storage = self.storages[key]
        name = f"{self.folder}/data/{key}"
        if name not in self.entries:
            raise ValueError(f"it has no entry {name[:200]!r} for a storage")
        raw = content_of(self.source, self.entries[name])
        if raw.size != storage.nbytes:
            raise ValueError(f"{name!r} has {raw.size} bytes, expected {storage.count} elements of {storage.kind}")
        if self.big_endian:
            if storage.kind == "bytes":
                raise ValueError(
                    "it was written by a machine of the other byte order, with storages that do not tell their dtype"
                )
            word = _itemsize(storage.kind) // (2 if storage.kind.startswith("complex") else 1)
            raw = raw.reshape(-1, word)[:, ::-1].reshape(-1)
        storage.bytes = raw


class _Legacy(_Reader):
    """The format before torch 1.6. The object comes before the storages, so it is read twice: for their descriptions, and for itself."""

    def read(self) -> Any:
        source = self.source
        unpickler = Unpickler(source, self.names, self.persistent)
        if unpickler.load(LARGEST_HEADER) != LEGACY_MAGIC:
            raise ValueError("it does not begin with the number that torch.save puts there")
        version = unpickler.load(LARGEST_HEADER)
        if version != LEGACY_VERSION:
            raise ValueError(f"its version is {shown(version)}, expected {LEGACY_VERSION}")
        unpickler.load(LARGEST_HEADER)  # of the machine; the storages are in little-endian order whatever it was
        begin = source.tell()
        unpickler.load()
        keys = unpickler.load()
        if (
            not isinstance(keys, list)
            or not all(isinstance(key, str) for key in keys)
            or Counter(keys) != Counter(self.storages.keys())
        ):
            raise ValueError("its list of storages does not fit the tensors")
        for key in keys:
            storage = self.storages[key]
            count = int.from_bytes(source.read(8), "little", signed=True)
            if count != storage.count:
                raise ValueError(f"storage {shown(key)} has {count} elements, expected {storage.count}")
            storage.bytes = source.array(storage.nbytes)
        source.seek(begin)
        return unpickler.load()

    def persistent(self, id: Any) -> Any:
        if not isinstance(id, tuple) or len(id) not in (5, 6) or id[0] != "storage":
            raise ValueError(f"its pickle has a persistent id {shown(id)}, expected a storage")
        _, kind, key, _, count = id[:5]
        whole = self.storage(kind, key, count)
        if len(id) == 5 or id[5] is None:
            return whole
        part = id[5]
        if not (isinstance(part, tuple) and len(part) == 3 and type(part[1]) is type(part[2]) is int):
            raise ValueError(f"a part of a storage is described by {shown(part)}")
        name, begin, size = part
        if not (isinstance(name, str) and 0 <= begin <= begin + size <= count):
            raise ValueError(f"a part of a storage of {count} elements is described by {shown(part)}")
        return self.parts.setdefault((key, name), _Storage(whole.kind, size, whole, begin))

    def found(self, key: str) -> None:
        if sum([storage.nbytes for storage in self.storages.values()]) > self.source.size:
            raise ValueError("it is truncated: its storages would have more bytes than the file")


# --- what pickles may call --------------------------------------------------------------------------------------------


def _ordered_dict(pairs: Any = ()) -> OrderedDict[Any, Any]:
    if not isinstance(pairs, (list, tuple)) or any(
        not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in pairs
    ):
        raise ValueError("expected pairs")
    return OrderedDict((check_key(key), value) for key, value in pairs)


def _counter(counts: Any = None) -> Counter[Any]:
    if counts is not None and type(counts) is not dict:
        raise ValueError("expected a dict")
    return Counter(counts)


def _set_of(members: Any = ()) -> set[Any]:
    if not isinstance(members, (list, tuple)):
        raise ValueError("expected a list")
    return set(map(check_key, members))


def _bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    """How pickles of Python 3 in the protocol of Python 2 hold bytes: as a text of these characters."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("expected a text in latin1")
    return text.encode("latin1")


def _bytearray(content: Any = b"", encoding: Any = "latin1") -> bytearray:
    return bytearray(content if isinstance(content, bytes) else _bytes(content, encoding))


def _size(lengths: Any) -> Size:
    if not _are_integers(lengths):
        raise ValueError("expected integers")
    return Size(lengths)


def _device(type: Any, index: Any = None) -> device:
    """The CPU, to which everything comes."""
    return device("cpu")


def _parameter(data: Any, requires_grad: Any = True, hooks: Any = None) -> Parameter:
    if not isinstance(data, Tensor):
        raise ValueError(f"expected a tensor, got a {type(data).__name__}")
    return Parameter(data.detach(), requires_grad is True)


def _buffer(data: Any, persistent: Any = True) -> Buffer:
    if not isinstance(data, Tensor):
        raise ValueError(f"expected a tensor, got a {type(data).__name__}")
    return Buffer(data.detach(), persistent=persistent is True)


def _no_tensor(*args: Any) -> Any:
    raise ValueError("cannot be called")


def _are_integers(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(type(one) is int for one in value)


def _view(flat: np.ndarray[Any, Any], size: Any, stride: Any) -> np.ndarray[Any, Any]:
    step = flat.itemsize
    # Where there is no second element along an axis its stride says nothing, and may be any number.
    strides = [
        one * step if (n > 1 and 0 not in size) or one < 2**32 else step for n, one in zip(size, stride, strict=True)
    ]
    return as_strided(flat, tuple(size), strides)
