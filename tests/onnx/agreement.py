"""What the tests of ONNX share: an exported model beside onnxruntime."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.inference.trace import replaced

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
runtime.set_default_logger_severity(4)


def exported(model: Any, inputs: tuple[Any, ...], **named: Any) -> bytes:
    """The file of a model."""
    file = io.BytesIO()
    minigrad.onnx.export(model, inputs, file, **named)
    return file.getvalue()


def run(data: bytes, *arrays: Any) -> list[Any]:
    """What onnxruntime computes."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {given.name: array for given, array in zip(session.get_inputs(), arrays, strict=True)})


def results(model: Any, *inputs: Any) -> list[Any]:
    """What the model computes."""
    found: list[Any] = []
    with minigrad.no_grad():
        replaced(model(*inputs), minigrad.Tensor, lambda x: found.append(x.numpy()))
    return found


def assert_agree(found: list[Any], expected: list[Any], tolerance: float = 1e-5, least: float = 1e-30) -> None:
    """The same shapes and dtypes, and values that differ by less than the tolerance of the largest, or of `least`."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if b.dtype.kind == "f" and b.size:
            scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
            np.testing.assert_allclose(a, b, rtol=0.0, atol=tolerance * max(scale, least))
        else:
            np.testing.assert_array_equal(a, b)


def assert_exports(
    model: Any,
    *inputs: Any,
    others: tuple[Any, ...] = (),
    tolerance: float = 1e-5,
    least: float = 1e-30,
    **named: Any,
) -> bytes:
    """onnxruntime gives for these inputs, and for others of other lengths, what the model gives; returns the file."""
    model.eval()
    data = exported(model, inputs, **named)
    for given in (inputs, *others):
        assert_agree(run(data, *[x.numpy() for x in given]), results(model, *given), tolerance, least)
    return data


def used(model: Any) -> Any:
    """The model in evaluation, with batch norms that do something."""
    rng = np.random.default_rng(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            count = module.num_features
            with minigrad.no_grad():
                for vector, low, high in (
                    (module.running_mean, -0.2, 0.2),
                    (module.running_var, 0.5, 1.5),
                    (module.weight, 0.7, 1.3),
                    (module.bias, -0.2, 0.2),
                ):
                    if vector is not None:
                        vector.copy_(minigrad.tensor(rng.uniform(low, high, count).astype("float32")))
    return model.eval()
