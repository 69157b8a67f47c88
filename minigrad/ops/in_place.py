"""The in-place forms that no family has registered: of comparisons, of composites, and of second names."""

from __future__ import annotations

from ..core.inplace import in_place
from ..core.tensor import TABLE, register

NAMES = (
    "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "bitwise_and", "bitwise_left_shift",
    "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "clip", "conj_physical", "cumprod", "cumsum", "divide", "eq", "fix", "ge",
    "greater", "greater_equal", "gt", "i0", "igamma", "igammac", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or",
    "logical_xor", "lt", "multiply", "mvlgamma", "ne", "negative", "nextafter", "not_equal", "polygamma", "subtract", "true_divide",
)  # fmt: skip


def complete(functions):
    """Registers what is missing, of the operations in this dictionary."""
    for name in NAMES:
        operation = TABLE.get(name, functions.get(name))
        if operation is not None:
            register(name, operation)
            if name + "_" not in TABLE:
                in_place(operation, name)


def fill_diagonal_(self, fill_value, wrap=False):
    """Writes a number on the main diagonal of this tensor itself: of a matrix, or of a cube of any number of dimensions.

    Args:
        fill_value: the number.
        wrap: begin again, after one row between, where a matrix has more rows than columns.
    """
    if self.ndim < 2:
        raise RuntimeError(f"fill_diagonal_: expected at least 2 dimensions, got shape {self.shape}")
    if self.ndim > 2 and len(set(self.shape)) > 1:
        raise RuntimeError(f"fill_diagonal_: all lengths must be equal where there are more than 2 dimensions, got shape {self.shape}")
    if getattr(fill_value, "ndim", 0):
        raise RuntimeError(f"fill_diagonal_: expected a number or a 0-d tensor, got shape {fill_value.shape}")
    diagonal = self
    while diagonal.ndim > 1:  # of the last two axes, until one is left
        diagonal = diagonal.diagonal(0, -2, -1)
    TABLE["fill_"](diagonal, fill_value)
    rows, columns = self.shape[:2]
    if wrap and self.ndim == 2 and rows > columns + 1:
        fill_diagonal_(self[columns + 1 :], fill_value, wrap)
    return self


register("fill_diagonal_", fill_diagonal_)
