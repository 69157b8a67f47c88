"""The specification's own interface to what runs models, for its tests and for tools that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.onnx.loading import OnnxModule, from_proto
from minigrad.onnx.package import package

if TYPE_CHECKING:
    Base = object
    Rep = object
else:
    try:
        from onnx.backend.base import Backend as Base
        from onnx.backend.base import BackendRep as Rep
    except ImportError:  # then there is nothing to run, which prepare says
        Base = Rep = object

__all__ = ["Backend"]


class Prepared(Rep):  # type: ignore[misc]
    """A model that runs on arrays."""

    def __init__(self, module: OnnxModule) -> None:
        self.module = module

    def run(self, inputs: Any, **named: Any) -> tuple[Any, ...]:
        """The outputs for these inputs: arrays, lists of them for sequences, None for what is missing."""
        given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        try:
            with no_grad():
                out = self.module(*[of_arrays(x) for x in given], **{name: of_arrays(x) for name, x in named.items()})
        except NotImplementedError as error:
            not_supposed_to(error)
        return tuple([to_arrays(x) for x in out]) if isinstance(out, tuple) else (to_arrays(out),)


class Backend(Base):  # type: ignore[misc]
    """minigrad as a backend of ONNX: `onnx.backend.test.BackendTest(minigrad.onnx.Backend, __name__)` are the specification's tests."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **named: Any) -> Prepared:
        """The model made ready to run. Raises BackendIsNotSupposedToImplementIt, saying why, for operators that are not known."""
        check_device(device)
        package("onnx.Backend")
        try:
            return Prepared(from_proto(model))
        except NotImplementedError as error:
            not_supposed_to(error)

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str = "CPU", **named: Any) -> tuple[Any, ...]:
        """The outputs of a model."""
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(
        cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **named: Any
    ) -> tuple[Any, ...]:
        """The outputs of one node, by the version of its operator that `opset_version` names, by default the newest."""
        helper = package("onnx.backend").helper
        arrays = [np.asarray(x) for x in inputs]
        names = [name for name in node.input if name]

        def info(name: str, array: Any) -> Any:
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

        graph = helper.make_graph(
            [node],
            "node",
            [info(name, a) for name, a in zip(names, arrays, strict=True)],
            [helper.make_empty_tensor_value_info(o) for o in node.output if o],
        )
        versions = (
            {"opset_imports": [helper.make_opsetid("", named["opset_version"])]} if "opset_version" in named else {}
        )
        return cls.run_model(helper.make_model(graph, **versions), arrays, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the CPU."""
        return device.split(":")[0].upper() == "CPU"


def check_device(device: str) -> None:
    if not Backend.supports_device(device):
        raise RuntimeError(f"onnx.Backend: expected the device CPU, got {device}")


def of_arrays(x: Any) -> Any:
    """Arrays as tensors, in lists too."""
    if x is None or isinstance(x, Tensor):
        return x
    return [of_arrays(y) for y in x] if isinstance(x, (list, tuple)) else make_tensor(np.asarray(x))


def to_arrays(x: Any) -> Any:
    """Tensors as arrays, in lists too."""
    return [to_arrays(y) for y in x] if isinstance(x, list) else x.numpy() if isinstance(x, Tensor) else x


def not_supposed_to(error: Exception) -> NoReturn:
    """How backends say that they do not have something."""
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

    raise BackendIsNotSupposedToImplementIt(str(error)) from error
