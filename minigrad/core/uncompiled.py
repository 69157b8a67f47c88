"""What the compiler's directives mean to the interpreter: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
compiled = False


def unchanged(x: T) -> T:
    return x


def freelist(size: int) -> Callable[[T], T]:
    return unchanged


def trashcan(on: bool) -> Callable[[T], T]:
    return unchanged


def binding(on: bool) -> Callable[[T], T]:
    return unchanged


class embedsignature:
    def __init__(self, on: bool) -> None:
        pass

    def __call__(self, cls: T) -> T:
        return cls

    @staticmethod
    def format(kind: str) -> Callable[[T], T]:
        return unchanged


cclass = final = unchanged
