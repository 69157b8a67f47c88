"""Sizes of windows, and an error with shapes and mend for each way of asking for what is impossible."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minigrad.kernels.geometry import Windows, per_axis, without_idle_taps


def conv2d(input_shape: Any, weight_shape: Any, bias_shape: Any = None, **options: Any) -> Windows:
    return Windows.conv("conv2d", 2, input_shape, weight_shape, bias_shape, **options)


def conv_transpose2d(input_shape: Any, weight_shape: Any, bias_shape: Any = None, **options: Any) -> Windows:
    return Windows.conv_transpose("conv_transpose2d", 2, input_shape, weight_shape, bias_shape, **options)


def max_pool2d(input_shape: Any, kernel_size: Any, **options: Any) -> Windows:
    return Windows.pool("max_pool2d", 2, input_shape, kernel_size, **options)


def test_worked_example_of_ten_filters_on_a_small_picture() -> None:
    weight_shape, bias_shape = (10, 3, 5, 5), (10,)
    windows = conv2d((1, 3, 32, 32), weight_shape, bias_shape, stride=1, padding=2)
    assert (*windows.out_size, weight_shape[0]) == (32, 32, 10)
    assert 10 * 3 * 5 * 5 + 10 == 760


@pytest.mark.parametrize("width", [5, 7, 8, 32])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_output_size_is_w_minus_f_plus_2p_over_s_plus_1(width: int, kernel: int, stride: int, padding: int) -> None:
    windows = conv2d((1, 1, width, width), (1, 1, kernel, kernel), stride=stride, padding=padding)
    # Counted, not computed: how often the kernel can be laid down within the padded width.
    starts = [start for start in range(0, width + 2 * padding, stride) if start + kernel <= width + 2 * padding]
    assert windows.out_size == (len(starts),) * 2 == ((width - kernel + 2 * padding) // stride + 1,) * 2


def test_a_stride_that_does_not_divide_rounds_down() -> None:
    assert conv2d((1, 1, 8, 8), (1, 1, 3, 3), stride=2).out_size == (3, 3)


def test_ceil_mode_rounds_up_but_never_starts_a_window_in_the_padding_after() -> None:
    assert max_pool2d((1, 1, 8, 8), 3, stride=2, ceil_mode=True).out_size == (4, 4)
    # A third window would start at position 4 + 1 of the padded axis, beyond the input.
    assert max_pool2d((1, 1, 3, 3), 2, stride=2, padding=1, ceil_mode=True).out_size == (2, 2)
    assert max_pool2d((1, 1, 4, 4), 2, stride=2, padding=1, ceil_mode=True).out_size == (3, 3)


def test_same_padding_puts_the_odd_element_after() -> None:
    windows = conv2d((1, 1, 8, 9), (1, 1, 4, 3), padding="same", dilation=(1, 2))
    assert windows.padding == ((1, 2), (2, 2))
    assert windows.out_size == (8, 9)
    assert conv2d((1, 1, 8, 9), (1, 1, 4, 3), padding="valid").out_size == (5, 7)


def test_arguments_are_numbers_or_sequences_as_in_torch() -> None:
    expected = conv2d((3, 9, 9), (2, 3, 3, 3), stride=(2, 2), padding=(1, 1))
    assert conv2d((3, 9, 9), (2, 3, 3, 3), stride=[2, 2], padding=(1,)) == expected
    assert max_pool2d((1, 8, 8), 2, stride=()) == max_pool2d((1, 8, 8), (2, 2), stride=None)


def test_transposed_convolution_inverts_the_size() -> None:
    windows = conv_transpose2d((1, 4, 8, 8), (4, 6, 3, 3), stride=2, padding=1, output_padding=1)
    assert windows.in_size == (16, 16)
    assert windows.out_size == (8, 8)
    assert conv2d((1, 6, 16, 16), (4, 6, 3, 3), stride=2, padding=1).out_size == (8, 8)


def test_output_padding_may_exceed_stride_if_dilation_allows_it() -> None:
    windows = conv_transpose2d((1, 1, 4, 4), (1, 1, 3, 3), dilation=3, output_padding=2)
    assert windows.in_size == (12, 12)
    assert windows.out_size == (4, 4)


def test_taps_inside_counts_what_each_window_reads() -> None:
    windows = Windows.pool("avg_pool1d", 1, (1, 1, 5), 3, stride=2, padding=1, ceil_mode=True)
    assert windows.taps_inside() == ((2, 3, 2),)
    assert windows.taps_inside(count_padding=True) == ((3, 3, 3),)
    longer = Windows.pool("avg_pool1d", 1, (1, 1, 6), 3, stride=2, padding=1, ceil_mode=True)
    assert longer.taps_inside() == ((2, 3, 3, 1),)
    assert longer.taps_inside(count_padding=True) == ((3, 3, 3, 2),)  # beyond the padding nothing counts


@st.composite
def windows_of_any_kind(draw: st.DrawFn) -> Windows:
    padding = draw(st.tuples(st.integers(0, 9), st.integers(0, 6)))
    sizes = [draw(st.integers(1, most)) for most in (9, 12, 5, 4)]
    windows = Windows(*[(size,) for size in sizes], (padding,), 1, draw(st.booleans()))
    assume(windows.out_size[0] > 0)
    return windows


def taps_on(positions: range, windows: Windows, window: int) -> list[int]:
    """Where the taps of a window read, of those that read these positions."""
    start = window * windows.stride[0] - windows.padding[0][0]
    return [i for i in range(start, start + windows.span[0], windows.dilation[0]) if i in positions]


@given(windows_of_any_kind(), st.booleans())
def test_taps_inside_are_those_that_one_counts(windows: Windows, count_padding: bool) -> None:
    n, (before, after) = windows.in_size[0], windows.padding[0]
    readable = range(-before, n + after) if count_padding else range(n)
    counts = [len(taps_on(readable, windows, j)) for j in range(windows.out_size[0])]
    assert windows.taps_inside(count_padding=count_padding) == (tuple(counts),)


@given(windows_of_any_kind())
def test_without_idle_taps_windows_read_the_same(windows: Windows) -> None:
    shorter = without_idle_taps(windows)
    plane = range(windows.in_size[0])
    assert shorter.out_size == windows.out_size
    assert shorter.padding[0][0] >= 0
    for j in range(windows.out_size[0]):
        assert taps_on(plane, shorter, j) == taps_on(plane, windows, j)
    reads = [any(
        j * shorter.stride[0] + tap - shorter.padding[0][0] in plane for j in range(shorter.out_size[0])
    ) for tap in range(shorter.kernel[0])]  # fmt: skip
    if windows.dilation == (1,) and any(reads):
        assert reads[0]
        assert reads[-1]


def test_endless_windows_are_not_counted_one_by_one() -> None:
    windows = Windows.pool("avg_pool1d", 1, (1, 1, 5), 2**62, ceil_mode=True)
    assert windows.taps_inside() == ((5,),)
    assert without_idle_taps(windows).kernel == (5,)


def test_windows_are_values() -> None:
    windows = conv2d((1, 4, 8, 8), (6, 2, 3, 3), groups=2)
    same = Windows((8, 8), (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)), groups=2)
    assert windows == same
    assert hash(windows) == hash(same)
    assert windows != conv2d((1, 4, 8, 8), (6, 4, 3, 3))
    assert pickle.loads(pickle.dumps(windows)) == copy.deepcopy(windows) == windows
    assert "out_size=(6, 6)" in repr(windows)
    with pytest.raises(AttributeError, match="frozen"):
        windows.stride = (2, 2)
    with pytest.raises(AttributeError, match="frozen"):
        del windows.stride


MISTAKES: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: conv2d((1, 3, 32, 32), (8, 4, 3, 3)),
        RuntimeError,
        (
            "conv2d: input has 3 channels but weight expects 4 (groups=1): weight shape (8, 4, 3, 3), "
            "input shape (1, 3, 32, 32)"
        ),
    ),
    (lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), groups=2), RuntimeError, "weight expects 6 (groups=2)"),
    (lambda: conv2d((1, 4, 8, 8), (5, 2, 3, 3), groups=2), RuntimeError, "multiple of groups=2, but got weight shape"),
    (lambda: conv2d((1, 4, 8, 8), (0, 4, 3, 3)), RuntimeError, "conv2d: weight.shape[0] must be a positive multiple"),
    (lambda: conv2d((1, 4, 8, 8), (5, 2, 3, 3), groups=0), RuntimeError, "conv2d: groups must be positive, but got 0"),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), (5,)),
        RuntimeError,
        "conv2d: bias must have one element for each of the 4 output channels, but got bias shape (5,)",
    ),
    (lambda: conv2d((4, 8), (5, 2, 3, 3)), RuntimeError, "or 3 without a batch, but got shape (4, 8)"),
    (lambda: conv2d((4, 8, 8), (5, 2, 3)), RuntimeError, "conv2d: weight must have 4 axes"),
    (
        lambda: conv2d((2, 3, 0, 8), (5, 3, 3, 3), padding=2),
        RuntimeError,
        "must not be empty, but got shape (2, 3, 0, 8)",
    ),
    (
        lambda: conv2d((2, 3, 8, 8), (5, 3, 0, 3)),
        RuntimeError,
        "kernel size must be positive on every axis, but got 0x3",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), stride=0),
        RuntimeError,
        "stride must be positive on every axis, but got 0x0",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), dilation=(1, -1)),
        RuntimeError,
        "dilation must be positive on every axis",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), padding=-1),
        RuntimeError,
        "padding must be non-negative on every axis",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), padding="full"),
        RuntimeError,
        "'same', 'valid', an int or a tuple of ints",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), padding="same", stride=2),
        RuntimeError,
        "conv2d: padding='same' needs stride 1, but got stride 2x2; give the padding in numbers",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), stride=(1, 2, 3)),
        RuntimeError,
        "conv2d: stride must be an int or a tuple of 2 ints, one for each axis, but got 3 values: (1, 2, 3)",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), stride=1.5),
        TypeError,
        "stride must be made of ints, but got 1.5 of type float",
    ),
    (
        lambda: conv2d((1, 3, 8, 8), (4, 3, 3, 3), padding=(1, None)),
        TypeError,
        "padding must be made of ints, but got None",
    ),
    (
        lambda: conv2d((1, 3, 2, 2), (4, 3, 3, 3)),
        RuntimeError,
        (
            "conv2d: the windows do not fit: a kernel of 3x3 is larger than the padded input of 2x2 (input plane 2x2); "
            "use a larger input, more padding or a smaller kernel"
        ),
    ),
    (
        lambda: conv2d((1, 3, 4, 4), (4, 3, 3, 3), dilation=3, padding=1),
        RuntimeError,
        "a kernel of 3x3 with dilation 3x3 spans 7x7 and is larger than the padded input of 6x6",
    ),
    (
        lambda: conv_transpose2d((1, 3, 8, 8), (4, 5, 3, 3)),
        RuntimeError,
        "conv_transpose2d: input has 3 channels but weight expects 4 (groups=1): weight shape (4, 5, 3, 3)",
    ),
    (
        lambda: conv_transpose2d((1, 3, 8, 8), (3, 4, 3, 3), stride=2, output_padding=2),
        RuntimeError,
        "output_padding must be smaller than stride or dilation on every axis, but got output_padding 2x2",
    ),
    (lambda: conv_transpose2d((1, 3, 8, 8), (3, 4, 3, 3), output_padding=-1), RuntimeError, "must be non-negative"),
    (lambda: conv_transpose2d((1, 3, 8, 8), (3, 4, 3, 3), padding="same"), TypeError, "padding must be made of ints"),
    (lambda: conv_transpose2d((1, 4, 2, 2), (4, 4, 1, 1), (3,)), RuntimeError, "each of the 4 output channels"),
    (
        lambda: conv_transpose2d((1, 3, 1, 1), (3, 4, 3, 3), padding=2),
        RuntimeError,
        "the output would be -1x-1: padding 2x2",
    ),
    (
        lambda: max_pool2d((1, 3, 8, 8), 0),
        RuntimeError,
        "max_pool2d: kernel_size must be positive on every axis, but got 0x0",
    ),
    (lambda: max_pool2d((1, 3, 8, 8), 3, stride=0), RuntimeError, "stride must be positive"),
    (lambda: max_pool2d((1, 3, 8, 8), 9), RuntimeError, "a kernel of 9x9 is larger than the padded input of 8x8"),
    (
        lambda: max_pool2d((1, 3, 8, 8), 3, padding=2),
        RuntimeError,
        (
            "max_pool2d: padding must be at most half of the kernel size, but got padding 2x2 with kernel_size 3x3; "
            "pad the input beforehand to get more"
        ),
    ),
    (lambda: max_pool2d((1, 3, 8, 8), 3, padding=-1), RuntimeError, "padding must be non-negative"),
    (lambda: max_pool2d((8, 8), 2), RuntimeError, "max_pool2d: input must have 4 axes"),
    (lambda: max_pool2d((1, 1, 1, 1), 2, padding=1, dilation=2), RuntimeError, "a window has no element of the input"),
]


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_named(call: Any, kind: type[Exception], message: str) -> None:
    for _ in range(2):  # the second time as well: what was refused is not cached
        with pytest.raises(kind, match=re.escape(message)):
            call()


def test_per_axis_takes_what_can_be_an_index() -> None:
    import numpy as np

    assert per_axis("f", "n", np.int64(3), 2) == (3, 3)
    assert all(type(n) is int for n in per_axis("f", "n", [np.int32(1), np.int8(2)], 2))
