"""What the compiler's directives mean to the interpreter: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

compiled = False


def freelist(size: int) -> Callable[[Any], Any]:
    return lambda cls: cls


def trashcan(on: bool) -> Callable[[Any], Any]:
    return lambda cls: cls


def binding(on: bool) -> Callable[[Any], Any]:
    return lambda cls: cls


class embedsignature:
    def __init__(self, on: bool) -> None:
        pass

    def __call__(self, cls: Any) -> Any:
        return cls

    @staticmethod
    def format(kind: str) -> Callable[[Any], Any]:
        return lambda cls: cls


def cclass(cls: Any) -> Any:
    return cls


def final(cls: Any) -> Any:
    return cls
