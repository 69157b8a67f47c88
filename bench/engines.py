"""onnxruntime and OpenVINO, which only infer: networks as `minigrad.onnx.export` writes them, where these packages are installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ENGINES = ("onnxruntime", "openvino")
ERROR = 1e-4  # that rounding may make, relative to the largest value of a result
NETWORK, EXAMPLE = "network.onnx", "example.npz"


def installed() -> list[str]:
    """The engines that are here; none without the package onnx, which writes what they read."""
    return [name for name in ENGINES if find_spec(name) is not None and find_spec("onnx") is not None]


def write(minigrad: Any, model: Any, images: Any, folder: Path) -> None:
    """A network for engines, an example of its input, and what minigrad makes of that."""
    minigrad.onnx.export(model, images, folder / NETWORK)
    with minigrad.no_grad():
        np.savez(folder / EXAMPLE, input=images.numpy(), output=model(images).numpy())


def identity(engine: str, threads: int) -> dict[str, Any]:
    """What identifies an engine. Raises PackageNotFoundError, an ImportError, if it is not installed."""
    return {"version": version(engine), "threads": threads}


def reader(engine: str, folder: Path, threads: int) -> Callable[[], Any]:
    """A call of the network in a folder, on its example. Raises ValueError if the result is another than minigrad's."""
    with np.load(folder / EXAMPLE) as file:
        images, expected = file["input"], file["output"]
    call = {"onnxruntime": _onnxruntime, "openvino": _openvino}[engine](folder / NETWORK, images, threads)
    found = np.asarray(call()[0])
    if found.shape != expected.shape or not np.abs(found - expected).max() <= ERROR * np.abs(expected).max():
        raise ValueError(f"its result differs from minigrad's by up to {np.abs(found - expected).max():.2g}, of at most {np.abs(expected).max():.2g}")
    return call


def _onnxruntime(network: Path, images: Any, threads: int) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")  # between calls: the others are measured then
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: images}
    return lambda: session.run(None, feeds)


def _openvino(network: Path, images: Any, threads: int) -> Callable[[], Any]:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(network, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(images))

    def call() -> Any:
        request.infer()
        return [request.get_output_tensor().data]

    return call
