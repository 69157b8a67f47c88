"""Reading pickles without running them: an interpreter of the opcodes that data are made of, which knows only the names it is given.

What a pickle can ask for costs no more than a small multiple of its own length, in memory and in time. Source of the opcodes: Python's pickletools.
"""

from __future__ import annotations

import codecs
import pickle
import reprlib
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minigrad.io.source import Source

DEEPEST = 1000  # levels of containers within containers
LONGEST_NUMBER = 1024  # bytes of an integer
MOST_OPCODES = 2**23  # a checkpoint has about 40 for a tensor
DICTS = (dict, OrderedDict, Counter)
SCALARS = (str, bytes, int, float, bool, type(None))
LARGEST_KEY = 2**63  # Python's hashes of larger integers can be made to collide


def shown(value: Any) -> str:
    """A short text for messages: writing out all of a value could take for ever."""
    return reprlib.repr(value)


class Inner:
    """Base class of what has a meaning only within a pickle, and is refused as a part of its object."""

    name: str


class Maker(Inner):
    """Something that a pickle may call: a name and the function that stands for it."""

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name = name
        self.make = make


class Unpickler:
    """Reads one pickle after the other from a source.

    names: what "module name" stands for; a Maker can be called, anything else is a value. persistent: called with each persistent id.
    `load` raises ValueError for what is damaged or not allowed, naming it.
    """

    def __init__(self, source: Source, names: Mapping[str, Any], persistent: Callable[[Any], Any]) -> None:
        self.source = source
        self.names = names
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.budget = 0

    def load(self, limit: int | None = None) -> Any:
        """The object of the pickle that begins here; limit: how many bytes it can have at most."""
        self.stack, self.marked, self.memo = [], [], {}
        begin = self.source.tell()
        limit = self.source.left() if limit is None else limit
        self.budget = limit  # elements that may be copied: a pickle has at least one byte for each that it brings
        try:
            for _ in range(MOST_OPCODES):
                opcode = self.source.read(1)
                if opcode == pickle.STOP:
                    break
                if opcode not in OPCODES:
                    raise ValueError(f"its pickle has opcode {opcode!r}, which data are not made of")
                OPCODES[opcode](self)
                if self.source.tell() - begin > limit:
                    raise ValueError("its pickle is longer than it should be")
            else:
                raise ValueError(f"its pickle has more than {MOST_OPCODES} opcodes")
            if len(self.stack) != 1 or self.marked:
                raise ValueError("its pickle ends in the middle of an object")
            result = self.stack.pop()
        except (IndexError, KeyError, struct.error, TypeError, OverflowError, UnicodeError) as error:
            raise ValueError(f"its pickle is damaged ({type(error).__name__}: {error})") from None
        check_result(result)
        return result

    # --- the stack ------------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark."""
        items = self.stack
        self.stack = self.marked.pop()
        return items

    def charge(self, count: int) -> None:
        """Refuses a pickle that lets the same elements be copied again and again."""
        self.budget -= count
        if self.budget < 0:
            raise ValueError("its pickle copies more elements than it brings: it is damaged or hostile")

    # --- reading --------------------------------------------------------------------------------------------------

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.source.read(struct.calcsize(form)))[0]

    def text(self, form: str) -> str:
        return str(self.source.read(self.number(form)), "utf-8", "surrogatepass")

    def integer(self, form: str) -> int:
        count = self.number(form)
        if not 0 <= count <= LONGEST_NUMBER:
            raise ValueError(f"its pickle has an integer of {count} bytes")
        return int.from_bytes(self.source.read(count), "little", signed=True)

    def old_integer(self) -> Any:
        line = self.source.line()
        if line in (b"00", b"01"):
            return line == b"01"
        if len(line) > LONGEST_NUMBER:
            raise ValueError(f"its pickle has an integer of {len(line)} digits")
        return int(line.removesuffix(b"L"))

    def old_index(self) -> int:
        index = self.old_integer()
        if not 0 <= index < 2**32:
            raise ValueError(f"its pickle names the object number {index}")
        return int(index)

    def old_string(self) -> str:
        line = self.source.line().strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError(f"its pickle has a string without quotes, {line[:40]!r}")
        return codecs.escape_decode(line[1:-1])[0].decode()  # type: ignore[attr-defined, no-any-return]

    # --- names and calls ------------------------------------------------------------------------------------------

    def name(self, module: Any, name: Any) -> Any:
        """What a name stands for. Raises ValueError for one that is not among those allowed."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("its pickle is damaged: a name is not a text")
        full = f"{MODULES_OF_PYTHON_2.get(module, module)}.{name}"
        if full not in self.names:
            raise ValueError(
                f"it holds {full[:200]!r}, which is no tensor or plain container; code in files is never run. If it is a whole module or another "
                "object, load it where its code is and save its state_dict() instead"
            )
        return self.names[full]

    def call(self, maker: Any, args: Any) -> Any:
        if not isinstance(maker, Maker):
            raise ValueError(f"its pickle calls a {type(maker).__name__}, which cannot be called")
        if type(args) is not tuple:
            raise ValueError(f"its pickle calls {maker.name} with a {type(args).__name__}")
        for arg in args:
            if isinstance(arg, (list, tuple, set, frozenset, str, bytes, bytearray, *DICTS)):
                self.charge(len(arg))
        try:
            return maker.make(*args)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ValueError(f"{maker.name}: {error}") from None

    # --- opcodes that change what is there ------------------------------------------------------------------------

    def reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], args)

    def build(self) -> None:
        """Attributes of an object: only those of a state_dict, the versions of its modules."""
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not OrderedDict or not isinstance(state, dict) or set(state) - {"_metadata"}:
            raise ValueError(
                f"its pickle sets attributes of a {type(target).__name__}, which only an OrderedDict with _metadata has"
            )
        vars(target).update(state)

    def append(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError(f"its pickle appends to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) not in DICTS or len(items) % 2:
            raise ValueError(f"its pickle sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self.checked_key(key)] = value

    def add_items(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not set:
            raise ValueError(f"its pickle adds to a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(map(self.checked_key, items))

    def dict_of(self, items: list[Any]) -> dict[Any, Any]:
        return {self.checked_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}

    def checked_key(self, key: Any) -> Any:
        if isinstance(key, tuple):
            self.charge(len(key))  # the hash of a tuple is computed anew each time
        return check_key(key)

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def mark(self) -> None:
        if len(self.marked) == DEEPEST:
            raise ValueError(f"its containers are nested more than {DEEPEST} deep")
        self.marked.append(self.stack)
        self.stack = []

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("its pickle takes more from the stack than is there")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def protocol(self) -> None:
        version = self.number("B")
        if version > pickle.HIGHEST_PROTOCOL:
            raise ValueError(f"its pickle has protocol {version}, the highest known is {pickle.HIGHEST_PROTOCOL}")


MODULES_OF_PYTHON_2 = {"__builtin__": "builtins"}


def old_call(u: Unpickler) -> None:
    """The oldest way to make an object: a class by its name, and what stands since the mark."""
    module, name = u.source.line().decode(), u.source.line().decode()
    u.push(u.call(u.name(module, name), tuple(u.since_mark())))


OPCODES: dict[bytes, Callable[[Unpickler], Any]] = {
    pickle.PROTO: Unpickler.protocol,
    pickle.FRAME: lambda u: u.number("<Q"),
    pickle.MARK: Unpickler.mark,
    pickle.POP: Unpickler.pop,
    pickle.POP_MARK: lambda u: u.since_mark(),
    pickle.DUP: lambda u: u.push(u.stack[-1]),
    # plain values
    pickle.NONE: lambda u: u.push(None),
    pickle.NEWTRUE: lambda u: u.push(True),
    pickle.NEWFALSE: lambda u: u.push(False),
    pickle.INT: lambda u: u.push(u.old_integer()),
    pickle.LONG: lambda u: u.push(u.old_integer()),
    pickle.BININT: lambda u: u.push(u.number("<i")),
    pickle.BININT1: lambda u: u.push(u.number("<B")),
    pickle.BININT2: lambda u: u.push(u.number("<H")),
    pickle.LONG1: lambda u: u.push(u.integer("<B")),
    pickle.LONG4: lambda u: u.push(u.integer("<i")),
    pickle.FLOAT: lambda u: u.push(float(u.source.line())),
    pickle.BINFLOAT: lambda u: u.push(u.number(">d")),
    # texts and bytes
    pickle.STRING: lambda u: u.push(u.old_string()),
    pickle.BINSTRING: lambda u: u.push(u.text("<I")),
    pickle.SHORT_BINSTRING: lambda u: u.push(u.text("<B")),
    pickle.UNICODE: lambda u: u.push(u.source.line().decode("raw-unicode-escape")),
    pickle.BINUNICODE: lambda u: u.push(u.text("<I")),
    pickle.SHORT_BINUNICODE: lambda u: u.push(u.text("<B")),
    pickle.BINUNICODE8: lambda u: u.push(u.text("<Q")),
    pickle.BINBYTES: lambda u: u.push(u.source.read(u.number("<I"))),
    pickle.SHORT_BINBYTES: lambda u: u.push(u.source.read(u.number("<B"))),
    pickle.BINBYTES8: lambda u: u.push(u.source.read(u.number("<Q"))),
    pickle.BYTEARRAY8: lambda u: u.push(bytearray(u.source.read(u.number("<Q")))),
    # containers
    pickle.EMPTY_LIST: lambda u: u.push([]),
    pickle.EMPTY_DICT: lambda u: u.push({}),
    pickle.EMPTY_TUPLE: lambda u: u.push(()),
    pickle.EMPTY_SET: lambda u: u.push(set()),
    pickle.LIST: lambda u: u.push(u.since_mark()),
    pickle.DICT: lambda u: u.push(u.dict_of(u.since_mark())),
    pickle.TUPLE: lambda u: u.push(tuple(u.since_mark())),
    pickle.TUPLE1: lambda u: u.tuple_of(1),
    pickle.TUPLE2: lambda u: u.tuple_of(2),
    pickle.TUPLE3: lambda u: u.tuple_of(3),
    pickle.FROZENSET: lambda u: u.push(frozenset(map(u.checked_key, u.since_mark()))),
    pickle.APPEND: lambda u: u.append([u.stack.pop()]),
    pickle.APPENDS: lambda u: u.append(u.since_mark()),
    pickle.SETITEM: lambda u: u.set_items([u.stack.pop(-2), u.stack.pop()]),
    pickle.SETITEMS: lambda u: u.set_items(u.since_mark()),
    pickle.ADDITEMS: lambda u: u.add_items(u.since_mark()),
    # what was there before
    pickle.PUT: lambda u: u.memo.__setitem__(u.old_index(), u.stack[-1]),
    pickle.BINPUT: lambda u: u.memo.__setitem__(u.number("<B"), u.stack[-1]),
    pickle.LONG_BINPUT: lambda u: u.memo.__setitem__(u.number("<I"), u.stack[-1]),
    pickle.MEMOIZE: lambda u: u.memo.__setitem__(len(u.memo), u.stack[-1]),
    pickle.GET: lambda u: u.push(u.memo[u.old_index()]),
    pickle.BINGET: lambda u: u.push(u.memo[u.number("<B")]),
    pickle.LONG_BINGET: lambda u: u.push(u.memo[u.number("<I")]),
    # names and calls
    pickle.GLOBAL: lambda u: u.push(u.name(u.source.line().decode(), u.source.line().decode())),
    pickle.STACK_GLOBAL: lambda u: u.push(u.name(u.stack.pop(-2), u.stack.pop())),
    pickle.INST: old_call,
    pickle.REDUCE: Unpickler.reduce,
    pickle.NEWOBJ: Unpickler.reduce,
    pickle.BUILD: Unpickler.build,
    pickle.BINPERSID: lambda u: u.push(u.persistent(u.stack.pop())),
}


def check_key(key: Any) -> Any:
    """A key of a dict or member of a set: a scalar or a flat tuple of them, since the hash of a deep one would recurse."""
    for part in key if isinstance(key, tuple) else (key,):
        if not isinstance(part, (*SCALARS, np.dtype)) or (
            isinstance(part, int) and not -LARGEST_KEY <= part < LARGEST_KEY
        ):
            raise ValueError(
                f"its pickle has {shown(part)} as a key; keys are texts, numbers of 64 bits and tuples of them"
            )
    return key


def check_result(value: Any) -> None:
    """Raises ValueError for parts that have no meaning outside, and for containers nested so deeply that a walk over them would exhaust the stack.

    They may contain themselves.
    """
    level, seen = [value], {id(value)}
    for _ in range(DEEPEST):
        below: list[Any] = []
        for part in level:
            if isinstance(part, Inner):
                raise ValueError(f"it holds {part.name}, which is no tensor or plain container")
            for member in members_of(part):
                if isinstance(member, (list, tuple, Inner, *DICTS)) and id(member) not in seen:
                    seen.add(id(member))
                    below.append(member)
        if not below:
            return
        level = below
    raise ValueError(f"its containers are nested more than {DEEPEST} deep")


def members_of(container: Any) -> list[Any]:
    if isinstance(container, (list, tuple)):
        return list(container)
    if isinstance(container, DICTS):
        return [*container.values(), *getattr(container, "__dict__", {}).values()]
    return []
