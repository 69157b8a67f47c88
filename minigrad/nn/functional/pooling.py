"""Pooling over windows of one, two and three axes, with torch's arguments: maxima, averages, sums, and back.

All are N-d operations on one frozen `Windows`: what differs is the number of axes, and the name in error messages.
Input and output are ([N,] C, W), ([N,] C, H, W) or ([N,] C, D, H, W). Sizes are a number or one number for each axis;
along each axis the output has (W - F + 2P) / S + 1 elements, rounded down, or up with ceil_mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from math import prod
from typing import Any

import numpy

from minigrad.core.dtypes import check_kind
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels.driver import beside, is_host
from minigrad.kernels.geometry import Windows, per_axis
from minigrad.ops.elementwise import where
from minigrad.ops.pool import max_pool, max_unpool, sum_pool

Size = int | tuple[int, ...] | list[int]
OutputSize = int | None | Sequence[int | None]

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "lp_pool1d", "lp_pool2d", "lp_pool3d",
    "max_pool1d", "max_pool2d", "max_pool3d",
    "max_unpool1d", "max_unpool2d", "max_unpool3d",
    "sum_pool1d", "sum_pool2d", "sum_pool3d",
]  # fmt: skip


# --- maxima -----------------------------------------------------------------------------------------------------------


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window along one axis; with return_indices also where it lies, as int64 positions.

    Windows may overlap (stride < kernel_size; the default stride is kernel_size). Padding never wins; of equal maxima the
    first one does, and gets all of the gradient. Raises RuntimeError for windows that do not fit.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 3.0, 2.0, 0.0, 5.0, 4.0]])
    >>> minigrad.nn.functional.max_pool1d(x, 3, return_indices=True)
    (tensor([[3., 5.]]), tensor([[1, 4]]))
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a picture; with return_indices also its flat position in the (H, W) plane.

    Arguments and errors as for `max_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.max_pool2d(minigrad.tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2)
    tensor([[[4.]]])
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a volume; with return_indices also its flat position in the (D, H, W) plane.

    Arguments and errors as for `max_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.max_pool3d(minigrad.ones(1, 2, 4, 4, 4), 2).shape
    (1, 2, 2, 2, 2)
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_pool(
    op: str,
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    _check_input(op, input)
    _check_not_empty(op, rank, input)
    windows = Windows.pool(op, rank, input.shape, kernel_size, stride, padding, dilation, ceil_mode)
    if input.ndim == rank + 2:
        values, indices = max_pool(input, windows)
    else:
        values, indices = (x.squeeze(0) for x in max_pool(input.unsqueeze(0), windows))
    return (values, indices) if return_indices else values


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts the maxima that max_pool1d found back where its indices say, among zeros.

    output_size: the size of what was pooled (with or without its first two axes), because several sizes pool to the same one.
    Where windows overlapped and an index occurs several times, the last value stays, but each of them gets the gradient of its element, as in torch.
    Raises RuntimeError for indices that do not fit, ValueError for an output_size that pooling could not have had.

    >>> import minigrad
    >>> values, indices = minigrad.nn.functional.max_pool1d(minigrad.tensor([[1.0, 3.0, 5.0, 4.0]]), 2, return_indices=True)
    >>> minigrad.nn.functional.max_unpool1d(values, indices, 2)
    tensor([[0., 3., 5., 0.]])
    """
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts the maxima that max_pool2d found back where its indices say, among zeros. Arguments and errors as for `max_unpool1d`.

    >>> import minigrad
    >>> x = minigrad.tensor([[[1.0, 2.0], [4.0, 3.0]]])
    >>> minigrad.nn.functional.max_unpool2d(*minigrad.nn.functional.max_pool2d(x, 2, return_indices=True), 2)
    tensor([[[0., 0.],
             [4., 0.]]])
    """
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts the maxima that max_pool3d found back where its indices say, among zeros. Arguments and errors as for `max_unpool1d`.

    >>> import minigrad
    >>> values, indices = minigrad.nn.functional.max_pool3d(minigrad.ones(1, 2, 4, 4, 5), 2, return_indices=True)
    >>> minigrad.nn.functional.max_unpool3d(values, indices, 2, output_size=(4, 4, 5)).shape
    (1, 2, 4, 4, 5)
    """
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(
    op: str,
    rank: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Sequence[int] | None,
) -> Tensor:
    _check_input(op, input)
    check_kind(op, "f", input)
    _check_rank(op, rank, input)
    if not isinstance(indices, Tensor) or indices.dtype != "int64":
        got = indices.dtype if isinstance(indices, Tensor) else type(indices).__name__
        raise RuntimeError(f"{op}: indices must be an int64 Tensor, as max_pool{rank}d returns it, but got {got}")
    if indices.shape != input.shape:
        raise RuntimeError(
            f"{op}: indices must have the shape of input, but got indices shape {indices.shape}, input shape {input.shape}"
        )
    plane = _unpooled_size(op, rank, input.shape, kernel_size, stride, padding, output_size)
    found = indices.array
    if is_host(found) and found.size and (found.min() < 0 or found.max() >= prod(plane)):
        wrong = found.min() if found.min() < 0 else found.max()
        raise RuntimeError(
            f"{op}: index {int(wrong)} lies outside of the output plane of {'x'.join(map(str, plane))}; "
            f"pass the size of what was pooled as output_size"
        )
    if input.ndim == rank + 2:
        return max_unpool(input, indices, plane)
    return max_unpool(input.unsqueeze(0), indices.unsqueeze(0), plane).squeeze(0)


def _unpooled_size(
    op: str, rank: int, shape: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> tuple[int, ...]:
    """The size of the plane that was pooled: the given one, if pooling could have had it, else the smallest possible."""
    kernel = per_axis(op, "kernel_size", kernel_size, rank)
    steps = kernel if stride is None or stride == () or stride == [] else per_axis(op, "stride", stride, rank)
    pads = per_axis(op, "padding", padding, rank)
    plane = tuple([(n - 1) * s - 2 * p + k for n, s, p, k in zip(shape[-rank:], steps, pads, kernel, strict=True)])
    if output_size is not None:
        given = tuple(output_size)
        if len(given) not in (rank, rank + 2):
            raise ValueError(f"{op}: output_size must have {rank} or {rank + 2} numbers, but got {len(given)}: {given}")
        given = given[-rank:]
        for axis, (size, usual, s) in enumerate(zip(given, plane, steps, strict=True)):
            if not usual - s < size < usual + s:
                raise ValueError(
                    f"{op}: output_size {given} is impossible on axis {axis}: pooling gives this input only from sizes "
                    f"between {usual - s + 1} and {usual + s - 1}, but got {size}"
                )
        plane = given
    if any(n < 1 for n in plane):
        raise RuntimeError(
            f"{op}: the output would be {'x'.join(map(str, plane))} for input shape {shape}; use less padding or pass output_size"
        )
    return plane


# --- sums and averages ------------------------------------------------------------------------------------------------


def sum_pool1d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False
) -> Tensor:
    """The sum of each window along one axis, padding counting as zero (torch has no such function).

    Windows may overlap (stride < kernel_size; the default stride is kernel_size). Raises RuntimeError for windows that do
    not fit.

    >>> import minigrad
    >>> minigrad.nn.functional.sum_pool1d(minigrad.tensor([[1.0, 2.0, 3.0, 4.0]]), 3, stride=1)
    tensor([[6., 9.]])
    """
    return _sum_pool("sum_pool1d", 1, input, kernel_size, stride, padding, ceil_mode)


def sum_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False
) -> Tensor:
    """The sum of each window of a picture, padding counting as zero. Arguments and errors as for `sum_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.sum_pool2d(minigrad.ones(1, 4, 4), 2)
    tensor([[[4., 4.],
             [4., 4.]]])
    """
    return _sum_pool("sum_pool2d", 2, input, kernel_size, stride, padding, ceil_mode)


def sum_pool3d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False
) -> Tensor:
    """The sum of each window of a volume, padding counting as zero. Arguments and errors as for `sum_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.sum_pool3d(minigrad.ones(1, 2, 2, 2), 2)
    tensor([[[[8.]]]])
    """
    return _sum_pool("sum_pool3d", 3, input, kernel_size, stride, padding, ceil_mode)


def _sum_pool(
    op: str, rank: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool
) -> Tensor:
    _check_input(op, input)
    return _window_sums(input, Windows.pool(op, rank, input.shape, kernel_size, stride, padding, 1, ceil_mode))


def _window_sums(input: Tensor, windows: Windows) -> Tensor:
    if input.ndim == windows.rank + 2:
        return sum_pool(input, windows)
    return sum_pool(input.unsqueeze(0), windows).squeeze(0)


def avg_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The average of each window along one axis.

    count_include_pad: divide by the number of elements of a window that lie on the input or its padding, else of those on
    the input. What ceil_mode lets a window reach beyond the padding never counts. Raises RuntimeError for windows that do
    not fit.

    >>> import minigrad
    >>> minigrad.nn.functional.avg_pool1d(minigrad.tensor([[1.0, 3.0, 5.0]]), 2, ceil_mode=True)
    tensor([[2., 5.]])
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window of a picture. divisor_override: divide by this number instead of the elements' count.

    Arguments and errors as for `avg_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.avg_pool2d(minigrad.tensor([[[1.0, 2.0], [3.0, 6.0]]]), 2)
    tensor([[[3.]]])
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window of a volume. divisor_override: divide by this number instead of the elements' count.

    Arguments and errors as for `avg_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.avg_pool3d(minigrad.ones(1, 4, 4, 4), 3, stride=1).shape
    (1, 2, 2, 2)
    """
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _avg_pool(
    op: str,
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    _check_input(op, input)
    windows = Windows.pool(op, rank, input.shape, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override == 0:
        raise RuntimeError(f"{op}: divisor_override must not be zero")
    divisor = _window_counts(windows, count_include_pad) if divisor_override is None else divisor_override
    return _divide(_window_sums(input, windows), divisor)


@lru_cache(1024)
def _window_counts(windows: Windows, count_padding: bool) -> Any:
    return _products(windows.taps_inside(count_padding=count_padding))


def _products(counts: Sequence[tuple[int, ...]]) -> Any:
    """The outer product of the axes' counts, or the one number that it consists of."""
    if all(len(set(axis)) == 1 for axis in counts):
        return prod(axis[0] for axis in counts)
    return reduce(numpy.multiply.outer, counts, numpy.array(1))


def _divide(sums: Tensor, counts: Any) -> Tensor:
    """The averages of windows with these sums and numbers of elements."""
    divisor = counts if isinstance(counts, int) else _like(sums, counts.astype(sums.dtype))
    return sums.div(divisor, rounding_mode="trunc" if sums.dtype.kind in "iu" else None)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window along one axis, (sum of x**p) ** (1 / p) with p = norm_type.

    As in torch there is no absolute value in it, so an odd p is for non-negative inputs, and a window of zeros has no
    gradient (NaN). Raises RuntimeError for windows that do not fit.

    >>> import minigrad
    >>> minigrad.nn.functional.lp_pool1d(minigrad.tensor([[3.0, 4.0, 6.0, 8.0]]), 2, 2)
    tensor([[ 5., 10.]])
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a picture. Arguments and errors as for `lp_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.lp_pool2d(minigrad.tensor([[[1.0, 1.0], [1.0, 1.0]]]), 2, 2)
    tensor([[[2.]]])
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a volume. Arguments and errors as for `lp_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.lp_pool3d(minigrad.ones(1, 2, 2, 2), 3, 2)
    tensor([[[[2.]]]])
    """
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(
    op: str, rank: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    elements = prod(per_axis(op, "kernel_size", kernel_size, rank))
    # torch takes the average times the kernel's size: a window that ceil_mode cuts short counts as much as a full one.
    averages = _avg_pool(op, rank, input.pow(norm_type), kernel_size, stride, 0, ceil_mode, True, None)
    return (averages * elements).pow(1.0 / norm_type)


# --- adaptive: as many windows as asked for ---------------------------------------------------------------------------


def adaptive_max_pool1d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """The maxima of output_size windows that share out the axis evenly; with return_indices also where they lie.

    Window i reaches from floor(i W / output_size) up to ceil((i + 1) W / output_size). Raises RuntimeError for a negative
    size or a wrong number of them.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_max_pool1d(minigrad.tensor([[1.0, 3.0, 2.0, 0.0, 5.0]]), 2, return_indices=True)
    (tensor([[3., 5.]]), tensor([[1, 4]]))
    """
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """The maxima of windows that share out a picture evenly; None in output_size keeps an axis as it is.

    Arguments and errors as for `adaptive_max_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_max_pool2d(minigrad.ones(1, 3, 7, 9), (None, 4)).shape
    (1, 3, 7, 4)
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """The maxima of windows that share out a volume evenly; None in output_size keeps an axis as it is.

    Arguments and errors as for `adaptive_max_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_max_pool3d(minigrad.ones(1, 3, 5, 7, 9), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)


def adaptive_avg_pool1d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The averages of output_size windows that share out the axis evenly.

    Window i reaches from floor(i W / output_size) up to ceil((i + 1) W / output_size). Raises RuntimeError for a negative
    size or a wrong number of them.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_avg_pool1d(minigrad.tensor([[0.0, 3.0, 6.0, 0.0, 9.0]]), 2)
    tensor([[3., 5.]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The averages of windows that share out a picture evenly; None in output_size keeps an axis as it is.

    Arguments and errors as for `adaptive_avg_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_avg_pool2d(minigrad.tensor([[[1.0, 2.0], [3.0, 6.0]]]), 1)
    tensor([[[3.]]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The averages of windows that share out a volume evenly; None in output_size keeps an axis as it is.

    Arguments and errors as for `adaptive_avg_pool1d`.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_avg_pool3d(minigrad.ones(1, 3, 5, 7, 9), (2, None, 3)).shape
    (1, 3, 2, 7, 3)
    """
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


class Shares:
    """How `out` windows share out an axis of `n` elements, brought to windows of one length that do not overlap.

    `positions` lists what all windows read, one after the other; a window shorter than `length` repeats its last element
    there, and `inside` is False for that. Both are as they should be already, and None, where `out` divides `n`.
    """

    __slots__ = ("counts", "inside", "length", "positions")

    def __init__(self, n: int, out: int) -> None:
        i = numpy.arange(out)
        starts, ends = i * n // max(out, 1), -((i + 1) * -n // max(out, 1))
        self.counts = tuple((ends - starts).tolist())
        self.length = max(self.counts, default=1)
        self.positions = self.inside = None
        if out == 0 or n % out:
            places = starts[:, None] + numpy.arange(self.length)
            self.positions = numpy.minimum(places, ends[:, None] - 1).ravel()
            self.inside = (places < ends[:, None]).ravel()


_shares = lru_cache(1024)(Shares)


def _adaptive_size(op: str, rank: int, input: Tensor, output_size: OutputSize) -> tuple[int, ...]:
    _check_input(op, input)
    check_kind(op, "f", input)
    _check_rank(op, rank, input)
    plane = input.shape[-rank:]
    wanted = list(output_size) if isinstance(output_size, Sequence) else [output_size] * rank
    if len(wanted) != rank:
        raise RuntimeError(f"{op}: output_size must be an int or a tuple of {rank} ints, but got {output_size}")
    size = per_axis(
        op, "output_size", [n if given is None else given for n, given in zip(plane, wanted, strict=True)], rank
    )
    if min(size) < 0 or 0 in plane:
        raise RuntimeError(
            f"{op}: output_size must be non-negative and the input plane not empty, but got output_size {output_size}, "
            f"input shape {input.shape}"
        )
    if max(size) >= 2**31:
        raise RuntimeError(f"{op}: output_size must be below 2**31 along each axis, but got {output_size}")
    return size


def _share_out(input: Tensor, size: tuple[int, ...]) -> tuple[list[Shares], Tensor, Windows]:
    """For each axis how it is shared out; the input with all its windows side by side; and the windows of that."""
    rank = len(size)
    axes = [_shares(n, out) for n, out in zip(input.shape[-rank:], size, strict=True)]
    for axis, shares in enumerate(axes, -rank):
        if shares.positions is not None:
            input = input.index_select(axis, _like(input, shares.positions))
    lengths = tuple([shares.length for shares in axes])
    return axes, input, Windows(input.shape[-rank:], lengths, lengths, (1,) * rank, ((0, 0),) * rank)


def _adaptive_max_pool(op: str, rank: int, input: Tensor, output_size: OutputSize, return_indices: bool) -> Any:
    axes, spread, windows = _share_out(input, _adaptive_size(op, rank, input, output_size))
    if input.ndim == rank + 2:
        values, indices = max_pool(spread, windows)
    else:
        values, indices = (x.squeeze(0) for x in max_pool(spread.unsqueeze(0), windows))
    if not return_indices:
        return values
    if spread is not input:  # an index into the spread plane is to be one into the input plane
        plane = input.shape[-rank:]
        sources = [numpy.arange(n) if a.positions is None else a.positions for n, a in zip(plane, axes, strict=True)]
        flat = numpy.ravel_multi_index(numpy.ix_(*sources), plane).ravel()
        indices = make_tensor(_like(input, flat).array[indices.array])
    return values, indices


def _adaptive_avg_pool(op: str, rank: int, input: Tensor, output_size: OutputSize) -> Tensor:
    size = _adaptive_size(op, rank, input, output_size)
    if size == (1,) * rank and input.dtype.kind == "f":
        return input.mean(tuple(range(-rank, 0)), keepdim=True)
    axes, spread, windows = _share_out(input, size)
    if spread is not input:
        plane = windows.in_size
        inside = [numpy.ones(n, bool) if a.inside is None else a.inside for n, a in zip(plane, axes, strict=True)]
        spread = where(_like(input, reduce(numpy.logical_and.outer, inside)), spread, 0)
    return _divide(_window_sums(spread, windows), _products([shares.counts for shares in axes]))


# --- checks -----------------------------------------------------------------------------------------------------------


def _like(input: Tensor, array: Any) -> Tensor:
    """A tensor of this NumPy array, on the device of the input."""
    return make_tensor(beside(array, input.array))


def _check_input(op: str, input: Any) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(f"{op}: input must be a Tensor, but got {type(input).__name__}; minigrad.tensor(...) makes one")
    if input.dtype.kind == "b":
        raise RuntimeError(f"{op}: input must hold numbers, but is bool; convert it, as in input.float()")


def _check_not_empty(op: str, rank: int, input: Tensor) -> None:
    if 0 in input.shape[-rank - 1 :]:
        raise RuntimeError(f"{op}: only the batch may be empty, but got input shape {input.shape}")


def _check_rank(op: str, rank: int, input: Tensor) -> None:
    if input.ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{op}: input must have {rank + 2} axes, or {rank + 1} without a batch, but got shape {input.shape}"
        )
