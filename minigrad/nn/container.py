"""Modules that hold modules or parameters: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any, Self, TypeVar, overload

from minigrad.core.modes import tracing
from minigrad.core.tensor import Tensor
from minigrad.nn.fusion import in_turn, is_plain
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter

Member = TypeVar("Member")


def _position(container: object, size: int, key: Any) -> int:
    """A key as a position from the front; negative ones count from the end."""
    position = index(key)
    if not -size <= position < size:
        raise IndexError(f"{type(container).__name__}: index {position} is out of range: it has {size} elements")
    return position % size


class _Numbered(Module):
    """Members under the names '0', '1', ...: what the ordered containers share."""

    def _replace_all(self, members: Iterable[Any]) -> None:
        """Numbers the given members anew; the old ones go."""
        members = list(members)
        for name in list(self._names()):
            delattr(self, name)
        for position, member in enumerate(members):
            self._add(str(position), member)

    def _names(self) -> Iterable[str]:
        return self._modules

    def _add(self, name: str, member: Any) -> None:
        self.add_module(name, member)

    def __len__(self) -> int:
        return len(list(self._names()))

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]


class _ModuleSequence(_Numbered):
    """The list operations of Sequential and ModuleList."""

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._modules.values()))

    def __contains__(self, module: object) -> bool:
        return any(member is module for member in self)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._of_same_kind(list(self._modules.items())[key])
        return list(self._modules.values())[_position(self, len(self), key)]

    def _of_same_kind(self, items: list[tuple[str, Module]]) -> Self:
        raise NotImplementedError(f"{type(self).__name__} does not say how it is sliced")

    def __setitem__(self, key: Any, module: Module) -> None:
        if isinstance(key, slice):
            members = list(self)
            members[key] = list(module)  # type: ignore[call-overload]
            self._replace_all(members)
            return
        name = list(self._modules)[_position(self, len(self), key)]
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: element {name} must be a Module, got {type(module).__name__}")
        setattr(self, name, module)

    def __delitem__(self, key: Any) -> None:
        members = list(self)
        if isinstance(key, slice):
            del members[key]
        else:
            del members[_position(self, len(members), key)]
        self._replace_all(members)

    def append(self, module: Module) -> Self:
        """Adds one module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def _extend(self, modules: Iterable[Module]) -> Self:
        if isinstance(modules, Mapping) or not isinstance(modules, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable of modules, but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Puts a module before the element at index."""
        members = list(self)
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}.insert: expected a Module, got {type(module).__name__}")
        if not -len(members) <= index <= len(members):
            raise IndexError(f"{type(self).__name__}.insert: index {index} is out of range: it has {len(members)} elements")
        members.insert(index, module)
        self._replace_all(members)
        return self

    def pop(self, key: int | slice) -> Any:
        """Takes a module out and returns it."""
        module = self[key]
        del self[key]
        return module


class Sequential(_ModuleSequence):
    """Applies its modules one after the other, each to what the one before it gave.

    args: the modules, or one OrderedDict of named modules. A batch norm and the rectifier behind it are computed at once, while no
    gradient is recorded with the convolution before them, unless a hook looks between them; the results are the same. Then a
    depthwise convolution is computed at once with those of one tap around it as well, which rounds in another order.

    >>> import minigrad
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> model
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=2, bias=True)
    )
    >>> model(minigrad.zeros(3, 2, 2)).shape
    (3, 2)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for position, module in enumerate(args):
                self.add_module(str(position), module)

    def forward(self, input: Any) -> Any:
        return in_turn(self._flat(), input)

    def _flat(self) -> Iterator[Module]:
        """Its modules; instead of a Sequential among them, that one's, unless somebody looks at it."""
        for module in list(self.__dict__.values()):
            if not isinstance(module, Module):
                continue
            if isinstance(module, Sequential) and module._is_plain():
                yield from module._flat()
            else:
                yield module

    def _is_plain(self) -> bool:
        """Is a call of it nothing but its modules in turn?"""
        own = type(self).forward is Sequential.forward and type(self).__call__ is Module.__call__
        return own and is_plain(self) and not tracing()

    def _of_same_kind(self, items: list[tuple[str, Module]]) -> Self:
        return type(self)(OrderedDict(items))

    def __delitem__(self, key: Any) -> None:
        names = list(self._modules)
        gone = names[key] if isinstance(key, slice) else [names[_position(self, len(names), key)]]
        named_by_position = names == [str(position) for position in range(len(names))]
        for name in gone:
            delattr(self, name)
        if named_by_position:
            self._replace_all(self)

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Adds modules at the end, in their order."""
        return self._extend(sequential)

    def __add__(self, other: Sequential) -> Sequential:
        """Both, one after the other, in a new Sequential. Raises ValueError for anything else."""
        return Sequential(*self).__iadd__(other)

    def __iadd__(self, other: Sequential) -> Self:
        """The other's modules added at the end. Raises ValueError for what is no Sequential."""
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return self.extend(other)

    def __mul__(self, times: int) -> Sequential:
        """The same modules so many times over, one after the other, in a new Sequential."""
        return Sequential(*self).__imul__(times)

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        """The modules added at the end until they are there so many times."""
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return self.extend(list(self) * (times - 1))


class ModuleList(_ModuleSequence):
    """A list of modules that are listed, trained and saved with the module that has it; what to do with them is up to its forward.

    >>> import minigrad
    >>> levels = minigrad.nn.ModuleList([minigrad.nn.Linear(2, 2) for _ in range(3)])
    >>> len(levels), len(levels[1:])
    (3, 2)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _of_same_kind(self, items: list[tuple[str, Module]]) -> Self:
        return type(self)([member for _, member in items])

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds modules at the end, in their order."""
        return self._extend(modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Equal neighbours stand on one line, as (0-3): 4 x Linear(...)."""
        runs: list[tuple[int, int, str]] = []
        for position, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], position, text)
            else:
                runs.append((position, position, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in runs
        ]
        return f"{self._get_name()}(\n  " + "\n".join(lines).replace("\n", "\n  ") + "\n)"


class ModuleDict(Module):
    """A dictionary of modules that are listed, trained and saved with the module that has it.

    >>> import minigrad
    >>> heads = minigrad.nn.ModuleDict({"digit": minigrad.nn.Linear(4, 10), "style": minigrad.nn.Linear(4, 2)})
    >>> heads["style"](minigrad.zeros(1, 4)).shape
    (1, 2)
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        if key not in self._modules:
            raise KeyError(key)
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Removes all modules."""
        for key in self._modules:
            delattr(self, key)

    def pop(self, key: str) -> Any:
        """Takes a module out and returns it."""
        module = self[key]
        del self[key]
        return module

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names with their modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Adds or replaces modules from a mapping or from pairs of name and module."""
        for key, module in _pairs("ModuleDict.update", modules):
            self[key] = module


def _pairs(where: str, members: Any) -> list[tuple[Any, Any]]:
    """The items of a mapping, or of an iterable of pairs."""
    if hasattr(members, "items"):
        return list(members.items())
    if not isinstance(members, Iterable):
        raise TypeError(f"{where} should be called with an iterable of key/value pairs, but got {type(members).__name__}")
    pairs = []
    for position, pair in enumerate(members):
        if not isinstance(pair, Iterable):
            raise TypeError(f"{where}: sequence element #{position} should be Iterable; is {type(pair).__name__}")
        pair = tuple(pair)
        if len(pair) != 2:
            raise ValueError(f"{where}: sequence element #{position} has length {len(pair)}; 2 is required")
        pairs.append(pair)
    return pairs


def _as_parameter(value: Any) -> Any:
    """A bare tensor becomes a Parameter; anything else is kept as it is."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _parameter_lines(members: Iterable[tuple[Any, Any]]) -> str:
    return "\n".join(
        f"  ({key}): {'Parameter' if isinstance(member, Parameter) else 'Tensor'} containing: "
        f"[minigrad.{member.dtype} of size {'x'.join(map(str, member.shape))}]"
        if isinstance(member, Tensor)
        else f"  ({key}): Object of type: {type(member).__name__}"
        for key, member in members
    )


class ParameterList(_Numbered):
    """A list whose tensors are parameters of the module that has it.

    >>> import minigrad
    >>> weights = minigrad.nn.ParameterList([minigrad.zeros(2), minigrad.zeros(3)])
    >>> [weight.numel() for weight in weights]
    [2, 3]
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    def _names(self) -> Iterable[str]:
        return [name for name in self.__dict__ if name.isdigit()]

    def _add(self, name: str, member: Any) -> None:
        setattr(self, name, _as_parameter(member))

    @overload
    def __getitem__(self, key: int) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> ParameterList: ...
    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, slice):
            return type(self)(list(self)[key])
        return self.__dict__[str(_position(self, len(self), key))]

    def __setitem__(self, key: int, value: Any) -> None:
        self._add(str(_position(self, len(self), key)), value)

    def __iter__(self) -> Iterator[Any]:
        return iter([self.__dict__[name] for name in self._names()])

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Adds one value at the end."""
        self._add(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Adds values at the end, in their order."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return _parameter_lines(enumerate(self))


class ParameterDict(Module):
    """A dictionary whose tensors are parameters of the module that has it.

    >>> import minigrad
    >>> scales = minigrad.nn.ParameterDict({"left": minigrad.ones(1)})
    >>> scales["right"] = minigrad.ones(2)
    >>> sorted(scales.keys())
    ['left', 'right']
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return self.__dict__[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: a key is a string, got {key!r} ({type(key).__name__})")
        if not key or "." in key:
            raise KeyError(f'parameter name can\'t be empty or contain ".", got: {key!r}')
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"attribute '{key}' already exists")
        setattr(self, key, _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        if key not in self._keys:
            raise KeyError(key)
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._keys))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """The values."""
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names with their values."""
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a name, or default."""
        return self[key] if key in self._keys else default

    def pop(self, key: str) -> Any:
        """Takes a value out and returns it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Takes the value that was added last out and returns it with its name."""
        if not self._keys:
            raise KeyError("popitem(): ParameterDict is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a name, which is set to default if there is none."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def copy(self) -> ParameterDict:
        """Another one with the same values."""
        return ParameterDict(OrderedDict(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Another one with a value for all of the names."""
        return ParameterDict(OrderedDict.fromkeys(keys, default))

    def clear(self) -> None:
        """Removes all values."""
        for key in list(self._keys):
            del self[key]

    def update(self, parameters: Any) -> None:
        """Adds or replaces values from a mapping or from pairs of name and value; those of a plain mapping in the order of the names."""
        pairs = _pairs("ParameterDict.update", parameters)
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs.sort(key=lambda pair: pair[0])
        for key, value in pairs:
            self[key] = value

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __or__(self, other: Any) -> ParameterDict:
        """The values of both, in a new ParameterDict; the other's win."""
        return self.copy().__ior__(other)

    def __ror__(self, other: Any) -> ParameterDict:
        return ParameterDict(other).__ior__(self)

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return _parameter_lines(self.items())
