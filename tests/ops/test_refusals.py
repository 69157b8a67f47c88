"""What operations refuse: the exception, what it says, and that nothing was changed. No torch is needed: the table is of what torch refuses."""

from __future__ import annotations

import inspect
import math
import re
import warnings
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.linalg
import minigrad.nn
from minigrad.core.primitive import COMPOSITES, REGISTRY

CASES: list[tuple[str, type[Exception], str, tuple[Any, ...], dict[str, Any]]] = []


def case(name: str, error: type[Exception], says: str, *args: Any, **named: Any) -> None:
    """The function or method of this name refuses these arguments with an error that names it and says this."""
    CASES.append((name, error, says, args, named))


def A(*shape: int, dtype: str = "float32") -> Any:
    """A tensor of ones."""
    return minigrad.from_numpy(np.ones(shape, dtype))


def V(values: Any, dtype: str = "int64") -> Any:
    """A tensor of these values."""
    return minigrad.from_numpy(np.array(values, dtype))


# fmt: off
case("arange", RuntimeError, "a step of 0 does not lead from 0 to 3", 0, 3, 0)
case("arange", RuntimeError, "a step of 2 does not lead from 0 to -3", 0, -3, 2)
case("arange", RuntimeError, "a step of -2 does not lead from 0 to 3", 0, 3, -2)
case("arange", RuntimeError, "a step of nan does not lead from 0 to 3", 0, 3, math.nan)
case("range", RuntimeError, "a step of nan does not lead from 0 to 3", 0, 3, math.nan)
case("range", RuntimeError, "a step of 1 does not lead from inf to 3", math.inf, 3)
case("range", TypeError, "expected numbers, got NoneType", 0, 3, None)
case("can_cast", TypeError, "expected two dtypes, got float32 and None", minigrad.float32, None)
case("tensor_split", MemoryError, "4611686018427387904 tensors do not fit into memory", A(3), 2**62)
case("addcmul", TypeError, "argument 'tensor1' must be a tensor, got float", A(3), 0.5, A(3))
case("addcdiv", TypeError, "argument 'tensor2' must be a tensor, got int", A(3), A(3), 0)
case("linspace", RuntimeError, "the number of steps cannot be negative, got -1", 0, 3, -1)
case("linspace", TypeError, "expected the number of steps as an integer, got float", 0, 3, 1.0)
case("linspace", RuntimeError, "expected numbers or 0-d tensors as ends, got a tensor of shape (2,)", V([1, 1]), V([3, 3]), 1)
case("linspace", RuntimeError, "the number of steps cannot be negative, got -1", 0, 3, -1)
case("linspace", TypeError, "expected the number of steps as an integer, got float", 0, 3, 1.0)
case("item", RuntimeError, "expected a tensor with one element, got shape (10,)", A(10))
case("neg", RuntimeError, "the negative of truth values is not defined; use logical_not", V([False, True], "bool"))
case("clamp_min", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("clamp_max", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("pow", TypeError, "expected a tensor, got int, int", 2, 3)
case("remainder", TypeError, "expected a tensor, got int, int", 2, 3)
case("fmod", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("maximum", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("maximum", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("minimum", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("minimum", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("atan2", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("atan2", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("rsub", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("eq", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("ne", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("lt", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("le", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("gt", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("ge", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("logical_and", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("logical_and", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("logical_or", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("logical_or", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("logical_xor", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("logical_xor", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("isclose", RuntimeError, "rtol and atol cannot be negative, got -0.4 and 1e-08", A(), A(), rtol=-0.4)
case("isclose", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("isclose", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("mean", RuntimeError, "expected floats, got int64; convert with x.float(), or pass dtype=", A(3, 4, 5, dtype="int64"), [])
case("max", IndexError, "expected a dimension from -1 to 0, got 2", V([1, 2, 3]), 2)
case("max", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("max", TypeError, "argument 'input' must be a tensor, got int", 2, 3)
case("min", IndexError, "expected a dimension from -1 to 0, got 2", V([1, 2, 3]), 2)
case("min", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("min", TypeError, "argument 'input' must be a tensor, got int", 2, 3)
case("amax", IndexError, "there is no extremum of no elements: shape (5, 0, 5), dim ()", A(5, 0, 5))
case("amax", RuntimeError, "a dimension appears twice in (0, 0)", A(5, 5, 5, 5), dim=(0, 0))
case("amax", RuntimeError, "a dimension appears twice in (0, -4)", A(5, 5, 5, 5), dim=(0, -4))
case("amin", IndexError, "there is no extremum of no elements: shape (5, 0, 5), dim ()", A(5, 0, 5))
case("amin", RuntimeError, "a dimension appears twice in (0, 0)", A(5, 5, 5, 5), dim=(0, 0))
case("amin", RuntimeError, "a dimension appears twice in (0, -4)", A(5, 5, 5, 5), dim=(0, -4))
case("reshape", RuntimeError, "2 elements cannot be arranged as ()", A(2), ())
case("reshape", RuntimeError, "12 elements cannot be arranged as (4, 2)", A(4, 3), (4, 2))
case("reshape", RuntimeError, "only one length can be -1, got (5, -1, -1)", A(1, 3, 5), (5, -1, -1))
case("reshape_as", RuntimeError, "12 elements cannot be arranged as (4, 2)", A(4, 3), A(4, 2))
case("view", RuntimeError, "2 elements cannot be arranged as ()", A(2), ())
case("view", RuntimeError, "12 elements cannot be arranged as (4, 2)", A(4, 3), (4, 2))
case("view", RuntimeError, "15 elements cannot be arranged as (5, 2, 2)", A(1, 3, 5), (5, 2, 2))
case("view_as", RuntimeError, "12 elements cannot be arranged as (4, 2)", A(4, 3), A(4, 2))
case("movedim", RuntimeError, "2 sources but 3 destinations", A(2, 3, 4, 5, 6), (3, -3), (1, 0, -1))
case("movedim", RuntimeError, "a dimension appears twice in (0, 4, -5)", A(2, 3, 4, 5, 6), (0, 4, -5), (1, 0, 2))
case("movedim", IndexError, "expected a dimension from -5 to 4, got -6", A(2, 3, 4, 5, 6), (0, 1, -6), (1, 4, 2))
case("t", RuntimeError, "expected at most 2 dimensions, got shape (2, 3, 4, 5); use transpose", A(2, 3, 4, 5))
case("cat", ValueError, "expected a non-empty sequence of tensors", [], dim=1)
case("cat", RuntimeError, "all lengths but that of dimension 1 must agree: tensor 0 has shape", [A(4, 0), A(5, 0, 19, 20)], dim=1)
case("cat", TypeError, "expected tensors, got NoneType at place 1", (A(5, 1, 1), None))
case("cat", RuntimeError, "0-d tensors cannot be concatenated; use stack", [A(), A()])
case("hstack", RuntimeError, "all lengths but that of dimension 0 must agree: tensor 0 has shape", (V([-8, 6, 9, 0, 0], "int32"), A(5, 5,
      5, 5, dtype="int32"), V([3, 1, 2, 6, 8], "int32")))
case("hstack", ValueError, "expected a non-empty sequence of tensors", ())
case("vstack", RuntimeError, "all lengths but that of dimension 0 must agree: tensor 0 has shape", (V([-8, 6, 9, 0, 0], "int32"), A(5, 5,
      5, 5, dtype="int32"), V([3, 1, 2, 6, 8], "int32")))
case("vstack", ValueError, "expected a non-empty sequence of tensors", ())
case("dstack", RuntimeError, "all lengths but that of dimension 2 must agree: tensor 0 has shape", (V([-8, 6, 9, 0, 0], "int32"), A(5, 5,
      5, 5, dtype="int32"), V([3, 1, 2, 6, 8], "int32")))
case("dstack", ValueError, "expected a non-empty sequence of tensors", ())
case("unbind", RuntimeError, "a 0-d tensor cannot be taken apart", V(-8, "int32"), 0)
case("unbind", IndexError, "expected a dimension from -1 to 0, got 2", V([-8, 6], "int32"), 2)
case("narrow", RuntimeError, "a 0-d tensor has no dimension to narrow", A(), 0, 0, 1)
case("narrow", IndexError, "expected a dimension from -3 to 2, got 3", A(10, 5, 20), 3, 0, 0)
case("narrow", RuntimeError, "0 elements from 11 do not fit into dimension 1 of length 10", A(20, 10, 5), 1, 11, 0)
case("narrow", TypeError, "expected start as an int, got float inf", A(20, 10, 5), 1, float("inf"), 0)
case("narrow", TypeError, "expected length as an int, got float 1.5", A(20, 10, 5), 1, 0, 1.5)
case("narrow", RuntimeError, "0 elements from -1 do not fit into dimension 1 of length 10", A(20, 10, 5), 1, -11, 0)
case("fliplr", RuntimeError, "expected at least 2 dimensions, got shape (1,)", A(1))
case("flipud", RuntimeError, "expected at least 1 dimension, got a 0-d tensor", A())
case("roll", RuntimeError, "without dims one shift is expected, got ()", A(5), ())
case("roll", RuntimeError, "2 shifts for 1 dimensions", A(5, 5), (2, 1), 0)
case("roll", IndexError, "expected a dimension from -1 to 0, got 2", A(5), 0, 2)
case("rot90", RuntimeError, "expected two different dimensions, got (0,)", A(5, 5), dims=(0,))
case("tril", RuntimeError, "expected at least 2 dimensions, got shape (4,)", A(4))
case("triu", RuntimeError, "expected at least 2 dimensions, got shape (4,)", A(4))
case("diag", RuntimeError, "expected 1 or 2 dimensions, got shape ()", A(), 0)
case("diagonal", RuntimeError, "a dimension appears twice in (1, 1)", A(10, 20), dim1=1, dim2=1)
case("diagonal", IndexError, "expected a dimension from -2 to 1, got 10000", A(10, 20), dim1=10000)
case("gather", IndexError, "an index is out of range for dimension 1 of length 1: found 0 to 1", A(1, 1), 1, V([[0, 0], [1, 0]]))
case("gather", RuntimeError, "index of shape (2,) must have as many dimensions as the input, of", A(2, 2), 1, V([0, 0]))
case("gather", RuntimeError, "index of shape (2, 2) must have as many dimensions as the input, of", A(2), 0, V([[0, 0], [1, 0]]))
case("scatter", RuntimeError, "the source must have the input's dtype float64, got float32; convert", A(3, 5, dtype="float64"), 0, V([[0,
      1], [1, 2]]), A(2, 5))
case("scatter", RuntimeError, "index of shape (2, 2) must have as many dimensions as the input, of", A(3, 5, 3), 0, V([[0, 1], [1, 2]]), A(2, 5))
case("scatter", IndexError, "an index is out of range for dimension 0 of length 3: found 1 to 34", A(3, 5), 0, V([[34, 1], [1, 2]]), A(2, 5, 2))
case("scatter_add", RuntimeError, "the source must have the input's dtype float64, got float32; convert", A(3, 5, dtype="float64"), 0,
      V([[0, 1], [1, 2]]), A(2, 5))
case("scatter_add", RuntimeError, "index of shape (2, 2) must have as many dimensions as the input, of", A(3, 5, 3), 0, V([[0, 1], [1, 2]]), A(2, 5))
case("scatter_add", IndexError, "an index is out of range for dimension 0 of length 3: found 1 to 34", A(3, 5), 0, V([[34, 1], [1, 2]]), A(2, 5, 2))
case("index_add", RuntimeError, "2 places along dimension 0 want a source of shape (2, 2), got (2,)", A(3, 2), 0, V([0, 2]), A(2))
case("masked_fill", RuntimeError, "expected a number or a 0-d tensor as value, got shape (1,)", A(2, 2), V(False, "bool"), A(1))
case("kthvalue", RuntimeError, "k=3 is out of range for dimension 0 of length 2", A(2, 2), 3, 0)
case("kthvalue", RuntimeError, "k=3 is out of range for dimension -1 of length 2", A(2, 2), 3)
case("dot", RuntimeError, "expected vectors of one length and dtype, got float32 of shape (1,)", A(1), A(3, dtype="float16"))
case("dot", RuntimeError, "expected input with 1 dimensions, got shape (1, 1); matmul broadcasts", A(1, 1), A(3))
case("trace", RuntimeError, "expected input with 2 dimensions, got shape (3, 4, 5); matmul", A(3, 4, 5))
case("nn.functional.gelu", RuntimeError, "approximate argument must be either 'none' or 'tanh', got 'asdf'", A(), approximate='asdf')
case("nn.functional.hardtanh", ValueError, "min_val cannot be greater than max_val, got 0.5 and -0.5", A(1), min_val=0.5, max_val=-0.5)
case("nn.functional.softshrink", RuntimeError, "lambda must be greater or equal to 0, but found to be -0.5.", A(1), lambd=-0.5)
case("nn.functional.prelu", RuntimeError, "Mismatch of parameter numbers and input channel size. Found parameter", A(), weight=A(2))
case("nn.functional.prelu", RuntimeError, "Expected `weight` to be a scalar or 1D tensor, but got shape (2, 4)", A(2, 8, 3), weight=A(2, 4))
case("nn.functional.conv1d", RuntimeError, "bias is float64 but input is int64; convert one of them, as in", V([[[-8, 6, 9, 0]]]), V([[[0,
      5]]]), A(1, dtype="float64"))
case("nn.functional.conv1d", RuntimeError, "input has 1 channels but weight expects 2 (groups=1): weight shape", A(1, 1, 4,
      dtype="float64"), A(1, 2, 2, dtype="float64"), A(1, dtype="float64"), stride=(-1,))
case("nn.functional.conv1d", RuntimeError, "dilation must be positive on every axis, but got -1", A(1, 1, 4, dtype="float64"), A(1, 1, 2,
      dtype="float64"), A(1, dtype="float64"), dilation=(-1,))
case("nn.functional.conv2d", RuntimeError, "bias is float64 but input is int64; convert one of them, as in", A(2, 4, 4, dtype="int64"),
      A(3, 2, 3, 3, dtype="int64"), A(3, dtype="float64"))
case("nn.functional.conv2d", RuntimeError, "input has 1 channels but weight expects 2 (groups=1): weight shape", A(1, 1, 4, 4,
      dtype="float64"), A(1, 2, 2, 3, dtype="float64"), A(1, dtype="float64"), stride=(-1,))
case("nn.functional.conv2d", RuntimeError, "dilation must be positive on every axis, but got -1x-1", A(1, 1, 4, 2, dtype="float64"), A(1,
      1, 2, 5, dtype="float64"), A(1, dtype="float64"), dilation=(-1,))
case("nn.functional.conv3d", RuntimeError, "bias is float64 but input is int64; convert one of them, as in", A(1, 1, 4, 4, 4,
      dtype="int64"), V([[[[[1, -3], [-3, -5]], [[7, 4], [5, -5]]]]]), A(1, dtype="float64"))
case("nn.functional.conv3d", RuntimeError, "stride must be positive on every axis, but got -1x-1x-1", A(1, 1, 4, 4, 4, dtype="float64"),
      A(1, 1, 2, 2, 2, dtype="float64"), A(1, dtype="float64"), stride=(-1,))
case("nn.functional.conv3d", RuntimeError, "padding must be non-negative on every axis, but got -1x-1x-1", A(1, 1, 4, 4, 4,
      dtype="float64"), A(1, 1, 2, 2, 2, dtype="float64"), A(1, dtype="float64"), padding=(-1,))
case("nn.functional.max_pool1d", RuntimeError, "padding must be non-negative on every axis, but got -1", A(0, 1, 49), kernel_size=2,
      stride=50, padding=-1, return_indices=True)
case("nn.functional.max_pool1d", RuntimeError, "padding must be at most half of the kernel size, but got padding 4", A(0, 1, 49),
      kernel_size=2, stride=50, padding=4, return_indices=True)
case("nn.functional.max_pool1d", RuntimeError, "input must have 3 axes (batch, channels and 1 of the plane) or 2", A(), kernel_size=1)
case("nn.functional.max_pool2d", RuntimeError, "only the batch may be empty, but got input shape (0, 1, 49)", A(0, 1, 49), kernel_size=2,
      stride=50, padding=-1, return_indices=True)
case("nn.functional.max_pool2d", RuntimeError, "the windows do not fit: a kernel of 2x2 is larger than the padded", A(1, 1, 4), kernel_size=2)
case("nn.functional.max_pool3d", RuntimeError, "only the batch may be empty, but got input shape (0, 1, 49, 50)", A(0, 1, 49, 50),
      kernel_size=2, stride=50, padding=-1, return_indices=True)
case("nn.functional.max_pool3d", RuntimeError, "the windows do not fit: a kernel of 2x2x2 is larger than the padded", A(1, 1, 1, 4, 4), kernel_size=2)
case("nn.functional.avg_pool1d", RuntimeError, "padding must be non-negative on every axis, but got -1", A(0, 1, 49), kernel_size=2,
      stride=50, padding=-1)
case("nn.functional.avg_pool1d", RuntimeError, "padding must be at most half of the kernel size, but got padding 4", A(0, 1, 49),
      kernel_size=2, stride=50, padding=4)
case("nn.functional.avg_pool2d", RuntimeError, "padding must be non-negative on every axis, but got -1x-1", A(0, 1, 49), kernel_size=2,
      stride=50, padding=-1)
case("nn.functional.avg_pool2d", RuntimeError, "padding must be at most half of the kernel size, but got padding 4x4", A(0, 1, 49),
      kernel_size=2, stride=50, padding=4)
case("nn.functional.avg_pool2d", RuntimeError, "divisor_override must not be zero", A(3, 3, 3), kernel_size=(2, 2), divisor_override=0)
case("nn.functional.avg_pool3d", RuntimeError, "padding must be non-negative on every axis, but got -1x-1x-1", A(0, 1, 49, 50),
      kernel_size=2, stride=50, padding=-1)
case("nn.functional.avg_pool3d", RuntimeError, "padding must be at most half of the kernel size, but got padding", A(0, 1, 49, 50),
      kernel_size=2, stride=50, padding=4)
case("nn.functional.avg_pool3d", RuntimeError, "divisor_override must not be zero", A(3, 3, 3, 3), kernel_size=(2, 2, 2), divisor_override=0)
case("nn.functional.adaptive_avg_pool1d", RuntimeError, "output_size must be an int or a tuple of 1 ints, but got ()", A(1, 2, 3), output_size=())
case("nn.functional.adaptive_avg_pool1d", RuntimeError, "output_size must be non-negative and the input plane not empty, but", A(1, 1, 1),
      output_size=(-1,))
case("nn.functional.adaptive_avg_pool2d", RuntimeError, "input must have 4 axes, or 3 without a batch, but got shape (2, 2)", A(2, 2),
      output_size=(2, 2))
case("nn.functional.adaptive_avg_pool2d", RuntimeError, "output_size must be an int or a tuple of 2 ints, but got ()", A(1, 2, 3, 4), output_size=())
case("nn.functional.adaptive_avg_pool2d", RuntimeError, "output_size must be non-negative and the input plane not empty, but", A(1, 1, 1,
      1), output_size=(-1, 0))
case("nn.functional.adaptive_avg_pool3d", RuntimeError, "input must have 5 axes, or 4 without a batch, but got shape (2, 2, 2)", A(2, 2,
      2), output_size=(2, 2, 2))
case("nn.functional.adaptive_avg_pool3d", RuntimeError, "output_size must be an int or a tuple of 3 ints, but got ()", A(1, 2, 3, 4), output_size=())
case("nn.functional.adaptive_avg_pool3d", RuntimeError, "output_size must be non-negative and the input plane not empty, but", A(1, 1, 1,
      1, 1), output_size=(-1, 0, 2))
case("nn.functional.adaptive_max_pool1d", RuntimeError, "output_size must be an int or a tuple of 1 ints, but got ()", A(1, 2, 3), output_size=())
case("nn.functional.adaptive_max_pool1d", RuntimeError, "output_size must be non-negative and the input plane not empty, but", A(1, 1, 1),
      output_size=(-1,))
case("nn.functional.adaptive_max_pool2d", RuntimeError, "input must have 4 axes, or 3 without a batch, but got shape (2, 2)", A(2, 2),
      output_size=(2, 2))
case("nn.functional.adaptive_max_pool2d", RuntimeError, "output_size must be an int or a tuple of 2 ints, but got ()", A(1, 2, 3, 4), output_size=())
case("nn.functional.adaptive_max_pool2d", RuntimeError, "output_size must be non-negative and the input plane not empty, but", A(1, 1, 1,
      1), output_size=(-1, 0))
case("nn.functional.adaptive_max_pool3d", RuntimeError, "input must have 5 axes, or 4 without a batch, but got shape (2, 2, 2)", A(2, 2,
      2), output_size=(2, 2, 2))
case("nn.functional.adaptive_max_pool3d", RuntimeError, "output_size must be an int or a tuple of 3 ints, but got ()", A(1, 2, 3, 4), output_size=())
case("nn.functional.adaptive_max_pool3d", RuntimeError, "output_size must be non-negative and the input plane not empty, but", A(1, 1, 1,
      1, 1), output_size=(-1, 0, 2))
case("nn.functional.max_unpool1d", RuntimeError, "indices must have the shape of input, but got indices shape (8, 7),", A(8, 8), A(8, 7,
      dtype="int64"), kernel_size=3, stride=2, padding=0)
case("nn.functional.max_unpool2d", RuntimeError, "indices must have the shape of input, but got indices shape (1, 1, 4,", A(1, 1, 4, 4),
      V([[[[0], [0], [0], [0]]]]), kernel_size=3, stride=2, padding=0)
case("nn.functional.max_unpool3d", RuntimeError, "indices must have the shape of input, but got indices shape (1, 1, 4,", A(1, 1, 4, 4, 4),
      A(1, 1, 4, 4, 1, dtype="int64"), kernel_size=3, stride=2, padding=0)
case("nn.functional.group_norm", RuntimeError, "expected input (N, C, *), got shape (1,)", A(1), 1)
case("nn.functional.group_norm", RuntimeError, "Expected number of channels in input to be divisible by num_groups,", A(2, 7, 4), 2)
case("nn.functional.rms_norm", RuntimeError, "Expected normalized_shape to be at least 1-dimensional, got ()", A(1, 2, 3), (), None, 1e-05)
case("nn.functional.rms_norm", RuntimeError, "Expected weight to be of same shape as normalized_shape [1, 2, 3],", A(1, 2, 3), (1, 2, 3),
      A(1, 2), 1e-05)
case("nn.functional.rms_norm", RuntimeError, "Given normalized_shape=[2, 2], expected input with shape [*, 2, 2],", A(2, 2, 3), (2, 2), None, 1e-05)
case("nn.functional.l1_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(5, 4), A(5, 4), reduction='abc')
case("nn.functional.l1_loss", RuntimeError, "the shapes (5, 4), (5,) cannot be broadcast together", A(5, 4), A(5))
case("nn.functional.huber_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(5, 4), A(5, 4), reduction='abc')
case("nn.functional.huber_loss", RuntimeError, "huber_loss does not support non-positive values for delta, got 0", A(5, 4), A(5, 4), delta=0)
case("nn.functional.hinge_embedding_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(5, 4), A(5,
      4), reduction='abc')
case("nn.functional.margin_ranking_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(5, 4), A(5,
      4), A(5, 4), reduction='abc')
case("nn.functional.margin_ranking_loss", RuntimeError, "all input tensors should have same dimension but got sizes: input1:", A(5, 4), A(5, 4), A(5))
case("nn.functional.triplet_margin_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(3, 4), A(3,
      4), A(3, 4), reduction='abc')
case("nn.functional.triplet_margin_loss", ValueError, "margin must be greater than 0, got -1.0", A(3, 4), A(3, 4), A(3, 4), margin=-1.0)
case("nn.functional.triplet_margin_loss", RuntimeError, "the shapes (3, 5), (3, 4), (3, 4) cannot be broadcast together", A(3, 5), A(3, 4), A(3, 4))
case("nn.functional.triplet_margin_loss", RuntimeError, "The anchor, positive, and negative tensors are expected to have the", A(3), A(3, 4), A(3, 4))
case("nn.functional.soft_margin_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(5, 4), A(5, 4),
      reduction='abc')
case("nn.functional.soft_margin_loss", RuntimeError, "the shapes (5, 4), (5,) cannot be broadcast together", A(5, 4), A(5))
case("nn.functional.poisson_nll_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(5, 4), A(5, 4),
      reduction='abc')
case("nn.functional.poisson_nll_loss", RuntimeError, "the shapes (5, 4), (5,) cannot be broadcast together", A(5, 4), A(5))
case("nn.functional.gaussian_nll_loss", ValueError, "'abc' is not a valid value for reduction: expected one of ('none',", A(10, 2, 3),
      A(10, 2, 3), A(10, 2, 3), reduction='abc')
case("nn.functional.gaussian_nll_loss", ValueError, "var is of incorrect size (10, 2, 2): expected that of input (10, 2,", A(10, 2, 3),
      A(10, 2, 3), A(10, 2, 2))
case("nn.functional.gaussian_nll_loss", RuntimeError, "the shapes (10, 2, 3), (10, 2, 2) cannot be broadcast together", A(10, 2, 3), A(10,
      2, 2), A(10, 2, 3))
case("logspace", RuntimeError, "the number of steps cannot be negative, got -1", 0, 3, -1)
case("logspace", TypeError, "expected the number of steps as an integer, got float", 0, 3, 1.0)
case("logspace", RuntimeError, "expected numbers or 0-d tensors as ends, got a tensor of shape (2,)", V([1, 1]), V([3, 3]), 1)
case("logspace", RuntimeError, "the number of steps cannot be negative, got -1", 0, 3, -1)
case("logspace", TypeError, "expected the number of steps as an integer, got float", 0, 3, 1.0)
case("fmax", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("fmax", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("fmin", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("fmin", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("hypot", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("hypot", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("copysign", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("logaddexp", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("logaddexp", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("xlogy", TypeError, "expected a tensor, got int, int", 2, 3)
case("float_power", TypeError, "expected a tensor, got int and int", 2, 3)
case("heaviside", TypeError, "expected tensors, got int", V([1, 2, 3]), 2)
case("ldexp", TypeError, "expected tensors, got Tensor and int", V([1, 2, 3]), 2)
case("ldexp", TypeError, "expected tensors, got int and Tensor", 2, V([1, 2, 3]))
case("ldexp", TypeError, "expected tensors, got int and int", 2, 3)
case("bitwise_and", TypeError, "expected a tensor, got int, int", 2, 3)
case("bitwise_or", TypeError, "expected a tensor, got int, int", 2, 3)
case("bitwise_xor", TypeError, "expected a tensor, got int, int", 2, 3)
case("bitwise_left_shift", TypeError, "expected a tensor, got int, int", 2, 3)
case("bitwise_right_shift", TypeError, "expected a tensor, got int, int", 2, 3)
case("gcd", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("gcd", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("lcm", TypeError, "argument 'other' must be a tensor, got int", V([1, 2, 3]), 2)
case("lcm", TypeError, "argument 'input' must be a tensor, got int", 2, V([1, 2, 3]))
case("aminmax", IndexError, "there is no extremum of no elements: shape (5, 0, 5), dim None", A(5, 0, 5))
case("logcumsumexp", IndexError, "expected a dimension from -2 to 1, got 3", A(5, 2), 3)
case("diff", RuntimeError, "expected an order that is not negative, got -1", A(1, 3), -1)
case("cov", RuntimeError, "expected at most 2 dimensions, got shape (5, 5, 5)", A(5, 5, 5))
case("cov", RuntimeError, "expected 5 fweights of integers, none negative, got float32 of shape", A(5), fweights=A(5, 5))
case("cov", RuntimeError, "expected 5 aweights of floats, none negative, got float32 of shape", A(5), aweights=A(5, 5))
case("renorm", RuntimeError, "expected at least 2 dimensions, got shape ()", A(), 0.5, 0, 1.0)
case("sum_to_size", RuntimeError, "a tensor of shape (10, 5, 10) cannot be summed to (10, 10): it is not", A(10, 5, 10), 10, 10)
case("sum_to_size", RuntimeError, "a tensor of shape (11, 5, 5, 10) cannot be summed to (11, 1): it is", A(11, 5, 5, 10), 11, 1)
case("hsplit", RuntimeError, "a 0-d tensor cannot be cut", A(), 0)
case("hsplit", RuntimeError, "dimension 1 of length 5 cannot be cut into 0 equal pieces", A(5, 5, 5), 0)
case("hsplit", TypeError, "expected a number of pieces or a tuple of indices, got str", A(5, 5, 5), 'abc')
case("vsplit", RuntimeError, "expected at least 2 dimensions, got shape (5,)", A(5), 0)
case("vsplit", RuntimeError, "dimension 0 of length 5 cannot be cut into 0 equal pieces", A(5, 5, 5), 0)
case("vsplit", TypeError, "expected a number of pieces or a tuple of indices, got str", A(5, 5, 5), 'abc')
case("dsplit", RuntimeError, "expected at least 3 dimensions, got shape (5,)", A(5), 0)
case("dsplit", RuntimeError, "dimension 2 of length 5 cannot be cut into 0 equal pieces", A(5, 5, 5), 0)
case("diag_embed", RuntimeError, "a dimension appears twice in (1, 1)", A(10, 20), dim1=1, dim2=1)
case("diag_embed", IndexError, "expected a dimension from -3 to 2, got 10000", A(10, 20), dim1=10000)
case("masked_scatter", RuntimeError, "expected a mask of truth values, got float32", A(1, 3), A(1, 3), A(3, 4))
case("bucketize", RuntimeError, "expected a vector of boundaries, got shape (5, 5)", A(5, 5, 5), A(5, 5))
case("vdot", RuntimeError, "expected vectors of one length and dtype, got float32 of shape (1,)", A(1), A(3, dtype="float16"))
case("vdot", RuntimeError, "expected input with 1 dimensions, got shape (1, 1); matmul broadcasts", A(1, 1), A(3))
case("linalg.cross", RuntimeError, "dimension 1 must have length 3, got shapes (5, 3) and (5, 1)", A(5, 3), A(5, 1))
case("linalg.cross", RuntimeError, "expected as many dimensions in both, got shapes (5, 5, 3) and (5, 3)", A(5, 5, 3), A(5, 3))
case("linalg.cross", IndexError, "expected a dimension from -2 to 1, got 2", A(5, 2), A(5, 2), dim=2)
case("linalg.lstsq", RuntimeError, "expected a matrix, or a batch of them, got shape ()", A(), A())
case("multinomial", RuntimeError, "expected a vector or a matrix of floating-point weights, got float64 of", A(1, 2, 3, dtype="float64"), 2)
case("multinomial", RuntimeError, "expected a positive number of samples, got 0", A(2, dtype="float64"), 0)
case("multinomial", RuntimeError, "cannot draw 3 different indices: too few weights are above zero", A(2, dtype="float64"), 3, False)
case("nn.functional.rrelu", RuntimeError, "Lower bound should be less than or equal to the upper bound, got 0.3", A(5, 5), lower=0.3, upper=0.1)
# fmt: on


def called(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    owner: Any = minigrad
    for part in name.split("."):
        owner = getattr(owner, part, None) or getattr(minigrad.Tensor, part)
    return owner(*args, **named)


def arrays_in(value: Any) -> list[Any]:
    if isinstance(value, minigrad.Tensor):
        return [value.array]
    if isinstance(value, dict):
        return arrays_in(list(value.values()))
    return [a for v in value for a in arrays_in(v)] if isinstance(value, (list, tuple)) else []


@pytest.mark.parametrize(("name", "error", "says", "args", "named"), CASES, ids=[f"{i} {c[0]}" for i, c in enumerate(CASES)])
def test_refused(name: str, error: type[Exception], says: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    arrays = arrays_in([args, named])
    before = [a.copy() for a in arrays]
    with pytest.raises(error, match=re.escape(says)) as refusal:
        called(name, args, named)
    assert name.split(".")[-1] in str(refusal.value)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


# --- what holds for whole families --------------------------------------------------------------------------------------

ELEMENTWISE = {name: op for name, op in REGISTRY.items() if "domains" in op.facts and hasattr(minigrad, name)}
PAIRS = [name for name, op in ELEMENTWISE.items() if len(op.tensors) == 2]
REDUCTIONS = [
    "sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "all", "any", "norm", "logsumexp", "count_nonzero", "var", "std",
    "max", "min", "median", "nansum", "nanmedian", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "softmax", "log_softmax",
    "sort", "argsort", "kthvalue", "topk", "mode", "unbind", "flip", "squeeze",
]  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("wrong", ["text", [1.0], type(None)])
def test_what_is_no_tensor(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=name):
        getattr(minigrad, name)(wrong, *[A(2)] * (len(ELEMENTWISE[name].tensors) - 1))


@pytest.mark.parametrize("name", PAIRS)
def test_shapes_that_do_not_fit(name: str) -> None:
    x, y = A(2), A(3)
    with pytest.raises(RuntimeError, match=rf"{name}: the shapes cannot be broadcast together .* float32\[2\], .* float32\[3\]"):
        getattr(minigrad, name)(x, y)
    with pytest.raises(RuntimeError, match=name):
        getattr(x, name + "_")(y)
    with pytest.raises(RuntimeError, match=rf"{name}_: the result has shape \(3, 2\), which does not fit into the tensor's \(2,\)"):
        getattr(x, name + "_")(A(3, 2))
    assert x.tolist() == [1.0, 1.0]
    assert y.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dim", [2, -3])
def test_a_dimension_that_is_not_there(name: str, dim: int) -> None:
    more = (1,) if name in ("kthvalue", "topk") else ()
    with pytest.raises(IndexError, match=f"expected a dimension from -2 to 1, got {dim}") as refusal:
        getattr(minigrad, name)(A(2, 3), *more, dim=dim) if name != "flip" else minigrad.flip(A(2, 3), (dim,))
    assert str(refusal.value).startswith(f"{name}: ")


@pytest.mark.parametrize("given", ["a", 3.5, None])
def test_what_is_no_tensor_is_refused_by_every_function(given: Any) -> None:
    """Functions of tensors alone: those that take numbers, too, take these or say what is wrong with them."""
    functional = {f"nn.functional.{name}": getattr(minigrad.nn.functional, name) for name in minigrad.nn.functional.__all__}
    for name, call in {**COMPOSITES, **functional}.items():
        n = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in inspect.signature(call).parameters.values())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                call(*[given] * max(n, 1))
            except (TypeError, ValueError, RuntimeError, IndexError):
                continue
            except AttributeError as error:
                pytest.fail(f"{name}: {error!r}")


@pytest.mark.parametrize("kernel", [0, (2, 0), -1])
def test_fold_refuses_windows_without_elements(kernel: Any) -> None:
    with pytest.raises(RuntimeError, match="fold: kernel_size must be positive"):
        minigrad.nn.functional.fold(minigrad.ones(1, 4, 4), 3, kernel)


@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: a @ b, lambda a, b: minigrad.mm(a, b), lambda a, b: minigrad.bmm(a[None], b[None]), lambda a, b: minigrad.mv(a, b[0]),
        lambda a, b: minigrad.dot(a[0], b[0]), lambda a, b: minigrad.inner(a, b), lambda a, b: minigrad.einsum("ij,jk->ik", a, b),
        lambda a, b: minigrad.tensordot(a, b, 1), lambda a, b: minigrad.addmm(b, a, a), lambda a, b: minigrad.addmm(a, a, b),
        lambda a, b: minigrad.linalg.solve(a + minigrad.eye(2), b), lambda a, b: minigrad.lerp(a, b, 0.5), lambda a, b: minigrad.cdist(a, b),
        lambda a, b: minigrad.nn.functional.linear(a, b), lambda a, b: minigrad.nn.functional.linear(a, a, b[0]),
        lambda a, b: minigrad.nn.functional.prelu(a, b[0]), lambda a, b: minigrad.nn.functional.binary_cross_entropy(a, b),
        lambda a, b: minigrad.nn.functional.bilinear(a, a, b[None]), lambda a, b: minigrad.nn.functional.conv2d(a[None, None], b[None, None]),
        lambda a, b: minigrad.nn.functional.grid_sample(a[None, None], b[None, None]),
    ],
)  # fmt: skip
def test_operations_that_do_not_promote_refuse_two_dtypes(call: Any) -> None:
    with pytest.raises(RuntimeError, match=r"float32.*float64|float64.*float32"):
        call(minigrad.ones(2, 2), minigrad.ones(2, 2).double())


@pytest.mark.parametrize(
    "call",
    [
        lambda x, array: x @ array,
        lambda x, array: minigrad.matmul(array, x),
        lambda x, array: minigrad.mm(x, array),
        lambda x, array: minigrad.nn.functional.linear(x, array),
        lambda x, array: minigrad.matmul(x, 2.0),
    ],
)
def test_products_of_matrices_are_of_tensors(call: Any) -> None:
    """An array went through forward and failed in backward."""
    with pytest.raises(TypeError, match=r"(matmul|linear): argument '\w+' must be a tensor, got (ndarray|float); minigrad.tensor"):
        call(minigrad.ones(2, 2, requires_grad=True), np.ones((2, 2), np.float32))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: minigrad.einsum(3, x), TypeError, "einsum: expected the equation as a str, got int"),
        (lambda x: minigrad.einsum(x, x), TypeError, "einsum: expected the axes of an operand as a list of numbers, got Tensor"),
        (lambda x: minigrad.einsum(x, [0, 52]), ValueError, "einsum: expected numbers of axes from 0 to 51 or ..., got 52"),
        (lambda x: minigrad.linalg.lstsq(None, x), TypeError, "lstsq: expected a tensor, got NoneType"),
        (lambda x: minigrad.linalg.norm(""), TypeError, "norm: expected a tensor, got str"),
        (lambda x: minigrad.linalg.cross(x, -1.5), TypeError, "cross_product: expected a tensor, got float"),
        (lambda x: minigrad.linalg.svdvals(x / 0), RuntimeError, "the algorithm does not converge, because the input has NaN or infinite elements"),
        (lambda x: minigrad.linalg.eigvalsh(x / 0), RuntimeError, "the algorithm does not converge"),
        (lambda x: x.std(x[0, 0], math.inf), TypeError, "std: expected unbiased to be a bool, got float inf"),
        (lambda x: x.take_along_dim(x.long(), -1.5), TypeError, "take_along_dim: expected a dimension as an int, got float -1.5"),
        (lambda x: x.sum("0"), TypeError, "sum: expected a dimension as an int, got str '0'"),
        (lambda x: x.rot90(1.5), TypeError, "rot90: expected a number of turns as an int, got float 1.5"),
        (lambda x: x.sum().rot90(), RuntimeError, "rot90: expected at least 2 dimensions"),
        (lambda x: minigrad.polygamma(2**62, x), RuntimeError, "polygamma: expected an order from 0 to 170"),
        (lambda x: minigrad.polygamma(1.0, x), TypeError, "polygamma: expected the order as an int, got float"),
        (lambda x: minigrad.utils.dlpack.to_dlpack(3), TypeError, "to_dlpack: expected a tensor, got int"),
        (lambda x: minigrad.Tensor.random_(5), TypeError, "random_: expected a tensor, got int"),
        (lambda x: minigrad.linalg.matrix_power(x, minigrad.tensor(2.0)), TypeError, "matrix_power: expected the exponent as an int, got Tensor"),
        (lambda x: x.repeat_interleave(2**62), RuntimeError, "repeat_interleave: no array can have 4 elements so many times as 4611686018427387904"),
        (lambda x: x.to(minigrad.uint8).__setitem__(0, math.inf), RuntimeError, "setitem: .*inf"),
        (lambda x: x.logical_and_(None), TypeError, "logical_and: expected two tensors, got None"),
        (lambda x: minigrad.logical_or(x, None), TypeError, "logical_or: expected two tensors, got None"),
        (lambda x: minigrad.unravel_index(x.long(), math.inf), TypeError, "unravel_index: expected the shape as an int, got float inf"),
        (lambda x: x.random_(7, math.inf), TypeError, "random_: expected the upper end as an int, got float inf"),
        (lambda x: minigrad.randint(0.5, 3, (2,)), TypeError, "randint: expected the lower end as an int, got float 0.5"),
        (lambda x: minigrad.nn.functional.adaptive_avg_pool1d(x, 2**62), RuntimeError, r"output_size must be below 2\*\*31"),
        (lambda x: minigrad.nn.functional.sigmoid([]), TypeError, "sigmoid"),
        (lambda x: minigrad.nn.utils.clip_grads_with_norm_(x, 1.0, 2.0), TypeError, "clip_grads_with_norm_: expected total_norm to be a Tensor, got float"),
        (lambda x: minigrad.nn.TransformerEncoder(0.5, 2**40), TypeError, "TransformerEncoder: expected encoder_layer to be a Module, got float"),
        (lambda x: minigrad.nn.TransformerDecoder(0.5, 2**40), TypeError, "TransformerDecoder: expected decoder_layer to be a Module, got float"),
        (lambda x: minigrad.nn.functional.sigmoid(x.long()[0, 0], [1, 2]), TypeError, "mul"),
        (lambda x: minigrad.nn.functional.hardtanh(x.byte(), 0, math.inf), RuntimeError, "hardtanh: inf does not fit into uint8"),
        (lambda x: minigrad.nn.functional.hardtanh(x.byte(), 300, 400), RuntimeError, "hardtanh: 300 does not fit into uint8"),
        (lambda x: minigrad.nn.functional.pad(x.int(), (1, 1), value=math.nan), RuntimeError, "pad: nan does not fit into int32"),
        (lambda x: minigrad.diff(x, 7.9), TypeError, "diff: expected the order as an int, got float 7.9"),
        (lambda x: minigrad.isclose(x, x, math.nan), RuntimeError, "isclose: rtol and atol cannot be negative, got nan"),
        (lambda x: minigrad.tensor([1, 300], dtype=minigrad.uint8), RuntimeError, "tensor: 300 does not fit into uint8, which holds 0 to 255"),
        (lambda x: minigrad.tensor([1, -300], dtype=minigrad.uint8), RuntimeError, "tensor: -300 does not fit into uint8"),
        (lambda x: minigrad.tensor(math.nan, dtype=minigrad.int64), RuntimeError, "tensor: nan does not fit into int64"),
        (lambda x: minigrad.tensor([[0.0], [2.0**63]], dtype=minigrad.int64), RuntimeError, "tensor: 9.223372036854776e.18 does not fit into int64"),
        (lambda x: minigrad.tensor(2**70, dtype=minigrad.int32), RuntimeError, "tensor: 1180591620717411303424 does not fit into int32"),
    ],
)
def test_what_a_fuzz_of_all_functions_found(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, 2))


def test_einsum_takes_numbers_of_axes() -> None:
    a, b = minigrad.arange(6.0).reshape(2, 3), minigrad.arange(12.0).reshape(3, 4)
    assert minigrad.einsum(a, [0, 1], b, [1, 2], [2, 0]).tolist() == (a @ b).T.tolist()
    assert minigrad.einsum(a, [7, 1], b, [1, 9]).tolist() == (a @ b).tolist()
    assert minigrad.einsum(a, [..., 1], [...]).tolist() == a.sum(1).tolist()


def test_arguments_that_are_tensors_are_not_written_to() -> None:
    turns = minigrad.tensor(5)
    assert minigrad.arange(4).reshape(2, 2).rot90(turns).tolist() == [[1, 3], [0, 2]]
    assert turns.item() == 5
    assert 2 <= minigrad.zeros(3).uniform_(minigrad.tensor(2.0), minigrad.tensor(3.0)).min().item() < 3
