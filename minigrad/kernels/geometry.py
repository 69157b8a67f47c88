"""Where the windows of convolutions and poolings lie: sizes, strides, padding, and every check of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import Any, NoReturn

Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]

# A training step asks for the same few geometries again and again.
CACHED_GEOMETRIES = 4096


class Windows:
    """The windows of one convolution or pooling over an input plane with any number of axes.

    Window number j of an axis has its tap t at input position ``j * stride + t * dilation - before``; taps that fall
    outside of the input read padding. Frozen and hashable, so that it can be cached, saved in a graph and compared.

    ``out_size`` follows from the rest, (W - F + 2P) / S + 1 rounded down, or up with ``ceil_mode``. Only a transposed
    convolution passes it, because its ``output_padding`` may reach further than one more window would.

    >>> Windows(in_size=(32, 32), kernel=(5, 5), stride=(1, 1), dilation=(1, 1), padding=((2, 2), (2, 2))).out_size
    (32, 32)
    """

    __slots__ = ("_hash", "ceil_mode", "dilation", "groups", "in_size", "kernel", "out_size", "padding", "stride")

    in_size: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    padding: Pads  # (before, after) of each axis
    groups: int
    ceil_mode: bool
    out_size: Ints
    _hash: int

    def __init__(
        self,
        in_size: Ints,
        kernel: Ints,
        stride: Ints,
        dilation: Ints,
        padding: Pads,
        groups: int = 1,
        ceil_mode: bool = False,
        out_size: Ints | None = None,
    ) -> None:
        if out_size is None:
            out_size = tuple(
                _window_count(n, span, s, before, after, ceil_mode)
                for n, span, s, (before, after) in zip(in_size, _spans(kernel, dilation), stride, padding, strict=True)
            )
        set_field = object.__setattr__
        set_field(self, "in_size", in_size)
        set_field(self, "kernel", kernel)
        set_field(self, "stride", stride)
        set_field(self, "dilation", dilation)
        set_field(self, "padding", padding)
        set_field(self, "groups", groups)
        set_field(self, "ceil_mode", ceil_mode)
        set_field(self, "out_size", out_size)
        set_field(self, "_hash", hash(self._fields()))

    @property
    def rank(self) -> int:
        """The number of axes of the plane."""
        return len(self.in_size)

    @property
    def span(self) -> Ints:
        """How many input positions a window stretches over, the gaps of dilation included."""
        return _spans(self.kernel, self.dilation)

    def taps_inside(self, *, count_padding: bool = False) -> tuple[Ints, ...]:
        """For each axis, how many taps of each window fall on the input (or on the input and its padding).

        >>> Windows(in_size=(4,), kernel=(3,), stride=(2,), dilation=(1,), padding=((1, 1),)).taps_inside()
        ((2, 3),)
        """
        counts = []
        for n, k, s, d, (before, after), out in zip(
            self.in_size, self.kernel, self.stride, self.dilation, self.padding, self.out_size, strict=True
        ):
            low, high = (-before, n - 1 + after) if count_padding else (0, n - 1)
            starts = range(-before, -before + out * s, s)
            # Taps ceil((low - start) / d) to floor((high - start) / d), of those that there are.
            counts.append(
                tuple([max(0, min(k - 1, (high - i) // d) - max(0, -((i - low) // d)) + 1) for i in starts])
            )
        return tuple(counts)

    @staticmethod
    def conv(
        op: str,
        rank: int,
        input_shape: Ints,
        weight_shape: Ints,
        bias_shape: Ints | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: Any = 1,
    ) -> Windows:
        """The windows of a convolution, from torch's arguments.

        Shapes: input ([N,] C, *in), weight (K, C / groups, *kernel), bias (K,).
        Raises TypeError for what is not an integer and RuntimeError, as torch, for what does not fit together.

        >>> Windows.conv("conv2d", 2, (1, 3, 32, 32), (10, 3, 5, 5), (10,), padding=2).out_size
        (32, 32)
        """
        return _conv(
            op,
            rank,
            input_shape,
            weight_shape,
            bias_shape,
            per_axis(op, "stride", stride, rank),
            padding if isinstance(padding, str) else per_axis(op, "padding", padding, rank),
            per_axis(op, "dilation", dilation, rank),
            _integer(op, "groups", groups),
        )

    @staticmethod
    def conv_transpose(
        op: str,
        rank: int,
        input_shape: Ints,
        weight_shape: Ints,
        bias_shape: Ints | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: Any = 1,
        dilation: Any = 1,
    ) -> Windows:
        """The windows of the convolution whose transpose is wanted: its ``in_size`` is the transpose's output.

        Shapes: input ([N,] K, *out), weight (K, C / groups, *kernel), bias (C,).
        Raises TypeError for what is not an integer and RuntimeError, as torch, for what does not fit together.

        >>> Windows.conv_transpose("conv_transpose1d", 1, (1, 4, 8), (4, 2, 3), stride=2, output_padding=1).in_size
        (18,)
        """
        return _conv_transpose(
            op,
            rank,
            input_shape,
            weight_shape,
            bias_shape,
            per_axis(op, "stride", stride, rank),
            per_axis(op, "padding", padding, rank),
            per_axis(op, "output_padding", output_padding, rank),
            _integer(op, "groups", groups),
            per_axis(op, "dilation", dilation, rank),
        )

    @staticmethod
    def pool(
        op: str,
        rank: int,
        input_shape: Ints,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Windows:
        """The windows of a pooling, from torch's arguments; ``stride`` is the kernel's size unless given.

        Shapes: input ([N,] C, *in).
        Raises TypeError for what is not an integer and RuntimeError, as torch, for what does not fit together.

        >>> Windows.pool("max_pool2d", 2, (1, 3, 7, 7), 2, ceil_mode=True).out_size
        (4, 4)
        """
        kernel = per_axis(op, "kernel_size", kernel_size, rank)
        given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)  # torch takes () for None
        return _pool(
            op,
            rank,
            input_shape,
            kernel,
            per_axis(op, "stride", stride, rank) if given else kernel,
            per_axis(op, "padding", padding, rank),
            per_axis(op, "dilation", dilation, rank),
            bool(ceil_mode),
        )

    def _fields(self) -> tuple[Any, ...]:
        return (
            self.in_size,
            self.kernel,
            self.stride,
            self.dilation,
            self.padding,
            self.groups,
            self.ceil_mode,
            self.out_size,
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Windows is frozen: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Windows is frozen: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Windows) and self._fields() == other._fields())

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Windows, self._fields()

    def __repr__(self) -> str:
        return (
            f"Windows(in_size={self.in_size}, kernel={self.kernel}, stride={self.stride}, "
            f"dilation={self.dilation}, padding={self.padding}, groups={self.groups}, "
            f"ceil_mode={self.ceil_mode}, out_size={self.out_size})"
        )


@lru_cache(CACHED_GEOMETRIES)
def without_idle_taps(windows: Windows) -> Windows:
    """The same windows less the first and last taps that read the input in none of them, of which a pooling may have any number.

    >>> idle = Windows(in_size=(4,), kernel=(99,), stride=(99,), dilation=(1,), padding=((20, 20),), ceil_mode=True)
    >>> print(without_idle_taps(idle).kernel, without_idle_taps(idle).padding)
    (4,) ((0, 20),)
    """
    kernel, padding = [], []
    for n, k, s, d, (before, after), out in zip(
        windows.in_size, windows.kernel, windows.stride, windows.dilation, windows.padding, windows.out_size, strict=True
    ):
        idle = min(k - 1, max(0, before - (out - 1) * s) // d)  # the last window is the first to reach the input
        kernel.append(min(k, (n - 1 + before) // d + 1) - idle)
        padding.append((before - idle * d, after))
    if tuple(kernel) == windows.kernel:
        return windows
    return Windows(
        windows.in_size, tuple(kernel), windows.stride, windows.dilation, tuple(padding), windows.groups,
        windows.ceil_mode, windows.out_size,
    )  # fmt: skip


def per_axis(op: str, name: str, value: Any, rank: int) -> Ints:
    """One integer for each axis, from an integer or a sequence of one or ``rank`` integers, as torch reads them.

    >>> per_axis("conv2d", "stride", 2, 2)
    (2, 2)
    """
    if type(value) is int:
        return (value,) * rank
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, rank):
            raise RuntimeError(
                f"{op}: {name} must be an int or a tuple of {rank} ints, one for each axis, "
                f"but got {len(value)} values: {value}"
            )
        numbers = tuple([_integer(op, name, v) for v in value])
        return numbers if len(numbers) == rank else numbers * rank
    return (_integer(op, name, value),) * rank


def _integer(op: str, name: str, value: Any) -> int:
    if type(value) is int:
        return value
    try:
        return index(value)
    except TypeError:
        raise TypeError(
            f"{op}: {name} must be made of ints, but got {value!r} of type {type(value).__name__}"
        ) from None


def _spans(kernel: Ints, dilation: Ints) -> Ints:
    return tuple([(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)])


def _window_count(n: int, span: int, stride: int, before: int, after: int, ceil_mode: bool) -> int:
    """torch's rule: with ceil_mode the last window must start inside of the input or of the padding before it."""
    slack = n + before + after - span
    if not ceil_mode:
        return slack // stride + 1
    count = -(-slack // stride) + 1
    return count - 1 if (count - 1) * stride >= n + before else count


def _times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _check_at_least(op: str, name: str, values: Ints, least: int) -> None:
    if any(v < least for v in values):
        kind = "positive" if least == 1 else "non-negative"
        raise RuntimeError(f"{op}: {name} must be {kind} on every axis, but got {_times(values)}")


def _check_input(op: str, rank: int, shape: Ints) -> Ints:
    """The sizes of the plane's axes, of which none may be empty."""
    if len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{op}: input must have {rank + 2} axes (batch, channels and {rank} of the plane) or "
            f"{rank + 1} without a batch, but got shape {shape}; reshape or unsqueeze the input"
        )
    plane = shape[-rank:]
    if 0 in plane:
        raise RuntimeError(f"{op}: the axes of the input plane must not be empty, but got shape {shape}")
    return plane


def _check_filters(
    op: str, rank: int, shape: Ints, bias_shape: Ints | None, groups: int, layout: str, bias_size: int
) -> Ints:
    """The kernel of a bank of filters whose own shape, groups and bias are consistent."""
    if bias_shape is not None and bias_shape != (bias_size,):
        raise RuntimeError(
            f"{op}: bias must have one element for each of the {bias_size} output channels, but got "
            f"bias shape {bias_shape} with weight shape {shape} (groups={groups})"
        )
    if shape[0] == 0 or shape[0] % groups:
        raise RuntimeError(
            f"{op}: weight.shape[0] must be a positive multiple of groups={groups}, but got weight "
            f"shape {shape}, which is {layout}"
        )
    kernel = shape[2:]
    _check_at_least(op, "kernel size", kernel, 1)
    return kernel


def _check_weight_rank(op: str, rank: int, shape: Ints, groups: int, layout: str) -> None:
    if len(shape) != rank + 2:
        raise RuntimeError(f"{op}: weight must have {rank + 2} axes, {layout}, but got weight shape {shape}")
    if groups < 1:
        raise RuntimeError(f"{op}: groups must be positive, but got {groups}")


def _check_fit(op: str, plane: Ints, span: Ints, padding: Pads, kernel: Ints, dilation: Ints) -> None:
    padded = [n + before + after for n, (before, after) in zip(plane, padding, strict=True)]
    if any(n < reach for n, reach in zip(padded, span, strict=True)):
        gaps = f" with dilation {_times(dilation)} spans {_times(span)} and" if span != kernel else ""
        raise RuntimeError(
            f"{op}: the windows do not fit: a kernel of {_times(kernel)}{gaps} is larger than the padded "
            f"input of {_times(padded)} (input plane {_times(plane)}); "
            f"use a larger input, more padding or a smaller kernel"
        )


@lru_cache(CACHED_GEOMETRIES)
def _conv(
    op: str,
    rank: int,
    input_shape: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None,
    stride: Ints,
    padding: Ints | str,
    dilation: Ints,
    groups: int,
) -> Windows:
    layout = "(out_channels, in_channels / groups, *kernel_size)"
    plane = _check_input(op, rank, input_shape)
    _check_weight_rank(op, rank, weight_shape, groups, layout)
    kernel = _check_filters(op, rank, weight_shape, bias_shape, groups, layout, weight_shape[0])
    channels, expected = input_shape[-rank - 1], weight_shape[1] * groups
    if channels != expected:
        raise RuntimeError(
            f"{op}: input has {channels} channels but weight expects {expected} (groups={groups}): "
            f"weight shape {weight_shape}, input shape {input_shape}"
        )
    _check_at_least(op, "stride", stride, 1)
    _check_at_least(op, "dilation", dilation, 1)
    span = _spans(kernel, dilation)
    pads = _conv_padding(op, padding, stride, span)
    _check_fit(op, plane, span, pads, kernel, dilation)
    return Windows(plane, kernel, stride, dilation, pads, groups)


def _conv_padding(op: str, padding: Ints | str, stride: Ints, span: Ints) -> Pads:
    if isinstance(padding, str):
        if padding == "valid":
            return tuple([(0, 0) for _ in span])
        if padding != "same":
            raise RuntimeError(f"{op}: padding must be 'same', 'valid', an int or a tuple of ints, but got {padding!r}")
        if any(s != 1 for s in stride):
            raise RuntimeError(
                f"{op}: padding='same' needs stride 1, but got stride {_times(stride)}; give the padding in numbers"
            )
        # An odd total puts the extra element after the input, as torch does.
        return tuple([((reach - 1) // 2, reach // 2) for reach in span])
    _check_at_least(op, "padding", padding, 0)
    return tuple([(p, p) for p in padding])


@lru_cache(CACHED_GEOMETRIES)
def _conv_transpose(
    op: str,
    rank: int,
    input_shape: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> Windows:
    layout = "(in_channels, out_channels / groups, *kernel_size)"
    plane = _check_input(op, rank, input_shape)
    _check_weight_rank(op, rank, weight_shape, groups, layout)
    kernel = _check_filters(op, rank, weight_shape, bias_shape, groups, layout, weight_shape[1] * groups)
    channels = input_shape[-rank - 1]
    if channels != weight_shape[0]:
        raise RuntimeError(
            f"{op}: input has {channels} channels but weight expects {weight_shape[0]} "
            f"(groups={groups}): weight shape {weight_shape}, input shape {input_shape}"
        )
    _check_at_least(op, "stride", stride, 1)
    _check_at_least(op, "dilation", dilation, 1)
    _check_at_least(op, "padding", padding, 0)
    _check_at_least(op, "output_padding", output_padding, 0)
    if any(extra >= max(s, d) for extra, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise RuntimeError(
            f"{op}: output_padding must be smaller than stride or dilation on every axis, but got "
            f"output_padding {_times(output_padding)}, stride {_times(stride)}, "
            f"dilation {_times(dilation)}"
        )
    size = tuple(
        [
            (n - 1) * s - 2 * p + reach + extra
            for n, s, p, reach, extra in zip(
                plane, stride, padding, _spans(kernel, dilation), output_padding, strict=True
            )
        ]
    )
    if any(n < 1 for n in size):
        raise RuntimeError(
            f"{op}: the output would be {_times(size)}: padding {_times(padding)} cuts away all of what an "
            f"input plane of {_times(plane)} and a kernel of {_times(kernel)} make; use less padding"
        )
    return Windows(size, kernel, stride, dilation, tuple([(p, p) for p in padding]), groups, out_size=plane)


@lru_cache(CACHED_GEOMETRIES)
def _pool(
    op: str, rank: int, input_shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Windows:
    plane = _check_input(op, rank, input_shape)
    _check_at_least(op, "kernel_size", kernel, 1)
    _check_at_least(op, "stride", stride, 1)
    _check_at_least(op, "dilation", dilation, 1)
    _check_at_least(op, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise RuntimeError(
            f"{op}: padding must be at most half of the kernel size, but got padding {_times(padding)} "
            f"with kernel_size {_times(kernel)}; pad the input beforehand to get more"
        )
    pads = tuple([(p, p) for p in padding])
    windows = Windows(plane, kernel, stride, dilation, pads, 1, ceil_mode)
    if any(n < 1 for n in windows.out_size):
        _check_fit(op, plane, windows.span, pads, kernel, dilation)
    if any(d > 1 for d in dilation) and any(0 in counts for counts in windows.taps_inside()):
        raise RuntimeError(
            f"{op}: a window has no element of the input: with dilation {_times(dilation)} all taps of a "
            f"kernel of {_times(kernel)} fall into the padding {_times(padding)} of an input plane of "
            f"{_times(plane)}; use less padding or a smaller dilation"
        )
    return windows
