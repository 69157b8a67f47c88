"""What a model consists of, remembered to see quickly whether it still does."""

from __future__ import annotations

from minigrad.core.tensor import Tensor
from minigrad.nn import Module


class State:
    """The modules and tensors of a model as they are now.

    To ask whether they still are takes a look at each place where one stood: far less than to go through the model anew.
    """

    def __init__(self, model: Module) -> None:
        members = [module.__dict__ for module in model.modules()]
        self.sizes = [(held, len(held)) for held in members]
        self.places = [
            (held, name, value)
            for held in members
            for name, value in held.items()
            if value is None or isinstance(value, (Tensor, Module))
        ]
        tensors = {id(value): value for *_, value in self.places if isinstance(value, Tensor)}
        self.tensors = [(tensor, tensor.array, tensor._version) for tensor in tensors.values()]

    def lasts(self) -> bool:
        """Are they all where they were, with the same arrays, not written to since?"""
        return (
            all([len(held) == size for held, size in self.sizes])
            and all([held.get(name) is value for held, name, value in self.places])
            and all([tensor.array is array and tensor._version == version for tensor, array, version in self.tensors])
        )
