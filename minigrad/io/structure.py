"""Nested containers as JSON with tensors named in it, and back. Nothing here can run code, whatever the JSON says."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.nn.parameter import Parameter

RESERVED = "__metadata__"  # the one name that a safetensors header has for something else
LARGEST_KEY = 2**63  # Python's hashes of larger integers can be made to collide


class Packer:
    """Takes an object apart: self.tensors are its tensors by name, and pack() gives the rest as what JSON can say."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def pack(self, value: Any, path: tuple[Any, ...] = ()) -> Any:
        """One value as JSON: null, booleans, numbers and strings as they are, anything else as an object with one key, its kind.

        Raises TypeError, naming the path of keys, for what cannot be saved.
        """
        if value is None or isinstance(value, str) or type(value) in (bool, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return self._pack_tensor(value, path)
        if isinstance(value, (np.ndarray, np.generic)):
            raise TypeError(
                f"save: {_shown(path)} is a NumPy {type(value).__name__}; make it a tensor or a Python number first"
            )
        if type(value) is list or type(value) is tuple:
            members = [self.pack(member, (*path, position)) for position, member in enumerate(value)]
            return {type(value).__name__: members}
        for kind in KINDS_OF_DICT:
            if type(value) is KINDS_OF_DICT[kind]:
                return {
                    kind: [
                        [self._pack_key(key, path), self.pack(member, (*path, key))] for key, member in value.items()
                    ]
                }
        raise TypeError(
            f"save: {_shown(path)} is a {type(value).__name__}; only tensors, numbers, strings, None and dicts, lists and tuples "
            "of them can be saved (of a module or an optimizer, save its state_dict())"
        )

    def _pack_tensor(self, value: Tensor, path: tuple[Any, ...]) -> Any:
        if not value.is_leaf:
            raise TypeError(f"save: {_shown(path)} has a history that a file cannot keep; save its detach()")
        name = ".".join(map(str, path)) or "tensor"
        while name in self.tensors or name == RESERVED:
            name += "_"
        self.tensors[name] = value
        if isinstance(value, Parameter):
            return {"parameter": name, "requires_grad": value.requires_grad}
        return {"tensor": name, "requires_grad": True} if value.requires_grad else {"tensor": name}

    def _pack_key(self, key: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(key, tuple):
            return {"tuple": [self._pack_key(part, path) for part in key]}
        if type(key) is int and not -LARGEST_KEY <= key < LARGEST_KEY:
            raise TypeError(f"save: {_shown(path)} has the key {key}, which has more than 64 bits")
        if key is None or type(key) in (str, bool, int, float):
            return self.pack(key, path)
        raise TypeError(
            f"save: {_shown(path)} has a key of type {type(key).__name__}; keys can be strings, numbers, None and tuples of them"
        )


KINDS_OF_DICT: dict[str, Any] = {"dict": dict, "ordered_dict": OrderedDict, "counter": Counter}


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """The object that Packer took apart. Raises ValueError for JSON that no Packer gives."""
    if packed is None or isinstance(packed, (bool, int, float, str)):
        return packed
    if isinstance(packed, dict):
        kinds = [kind for kind in packed if kind != "requires_grad"]
        if len(kinds) == 1:
            return _unpack_kind(kinds[0], packed[kinds[0]], packed.get("requires_grad", False), tensors)
    raise ValueError(f"its description of the contents has {packed!r:.60}, which stands for nothing")


def _unpack_kind(kind: str, content: Any, requires_grad: Any, tensors: dict[str, Tensor]) -> Any:
    if kind in ("tensor", "parameter") and isinstance(content, str):
        return _unpack_tensor(kind, content, requires_grad, tensors)
    if kind == "float" and content in ("nan", "inf", "-inf"):
        return float(content)
    if kind in ("list", "tuple") and isinstance(content, list):
        members = [unpack(member, tensors) for member in content]
        return members if kind == "list" else tuple(members)
    if kind in KINDS_OF_DICT and isinstance(content, list):
        result = KINDS_OF_DICT[kind]()
        for pair in content:
            if not (isinstance(pair, list) and len(pair) == 2):
                raise ValueError("its description of the contents has an entry of a dict that is no pair")
            key = _checked_key(unpack(pair[0], tensors))
            if key in result:
                raise ValueError(f"its description of the contents has the key {key!r:.60} twice")
            result[key] = unpack(pair[1], tensors)
        return result
    raise ValueError(f"its description of the contents has {kind!r:.60}, which stands for nothing")


def _unpack_tensor(kind: str, name: str, requires_grad: Any, tensors: dict[str, Tensor]) -> Tensor:
    if name not in tensors:
        raise ValueError(f"its description of the contents names a tensor {name!r:.60} that is not there")
    value = tensors[name]
    if requires_grad is not False and (requires_grad is not True or value.dtype.kind not in "fc"):
        raise ValueError(
            f"its description of the contents says requires_grad={requires_grad!r:.20} of {name!r:.60}, which is {value.dtype}"
        )
    if kind == "parameter":
        return Parameter(value, requires_grad)
    return value.requires_grad_() if requires_grad else value


def _checked_key(key: Any) -> Any:
    """A key that a Packer gives: a text, number, None, or a tuple of them."""
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, tuple):
            _checked_key(part)
        elif not isinstance(part, (str, int, float, type(None))) or (
            isinstance(part, int) and not -LARGEST_KEY <= part < LARGEST_KEY
        ):
            raise ValueError(f"its description of the contents has {part!r:.60} as a key")
    return key


def _shown(path: tuple[Any, ...]) -> str:
    return "the object" + "".join(f"[{key!r}]" for key in path)
