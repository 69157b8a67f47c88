"""The specification's own tests of operators run, and those that do not are listed, each with the reason."""

from __future__ import annotations

import json
import unittest
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.onnx import Backend
from minigrad.onnx.loading.table import TABLE
from tests.onnx.agreement import onnx
from tests.onnx.specification import BROKEN, LIST, cases, why_not

helper = onnx.helper


def test_all_pass_but_those_that_are_listed() -> None:
    """Exactly: what is listed says so with that reason. `python -m tests.onnx.specification` writes the list again."""
    listed, found, failed = json.loads(LIST.read_text()), {}, []
    for case in cases():
        try:
            why = why_not(case)
        except Exception as error:
            failed.append(f"{case.name}: {type(error).__name__}: {error}"[:500])
        else:
            found.update({} if why is None else {case.name: why})
    assert not failed, "\n".join(failed)
    assert found == listed


def test_listed_are_only_operators_and_numbers_that_are_not_known() -> None:
    for name, why in json.loads(LIST.read_text()).items():
        assert "are not known in opset" in why or "element type" in why or "quantised to integers" in why, name
        known = why.rpartition(": ")[2].split(", ") if "are not known in opset" in why else []
        assert not {kind for kind in known if "." not in kind} & (set(TABLE) - {"Scan"}), name


@pytest.mark.filterwarnings("ignore")  # its own computations warn
def test_it_runs_as_its_authors_publish_it() -> None:
    from onnx.backend.test import BackendTest

    suite = BackendTest(Backend, __name__)
    suite.include(r"^test_(relu|conv_with_autopad_same|gru|nonmaxsuppression_identical_boxes)_?.*")
    suite.exclude(r"test_.*_cuda$")
    cases_of = [case for case in suite.test_cases.values() if case.__name__ == "OnnxBackendNodeModelTest"]
    found = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(cases_of[0]).run(found)
    assert found.testsRun > 8 and not found.failures and not found.errors
    assert BROKEN.isdisjoint(json.loads(LIST.read_text()))


def test_nodes_and_models() -> None:
    x = np.array([-1.0, 2.0], "float32")
    (y,) = Backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [x])
    np.testing.assert_array_equal(y, [0, 2])
    (y,) = Backend.run_node(helper.make_node("Squeeze", ["x"], ["y"], axes=[0]), [x[None]], opset_version=11)
    np.testing.assert_array_equal(y, x)
    info = [helper.make_tensor_value_info(name, 1, [2]) for name in "xy"]
    model = helper.make_model(helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "g", info[:1], info[1:]))
    prepared = Backend.prepare(model)
    for out in (prepared.run([x]), prepared.run(x), prepared.run([], x=x), Backend.run_model(model, [x])):
        np.testing.assert_allclose(out[0], np.exp(x), rtol=1e-6)


def test_what_is_not_there_is_said() -> None:
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

    with pytest.raises(BackendIsNotSupposedToImplementIt, match=r"not known in opset .*: RoiAlign"):
        Backend.run_node(helper.make_node("RoiAlign", ["x", "y", "z"], ["r"]), [np.zeros((1, 1, 2, 2), "float32")] * 3)
    assert Backend.supports_device("CPU") and Backend.supports_device("cpu:0") and not Backend.supports_device("CUDA:1")
    with pytest.raises(RuntimeError, match=r"onnx.Backend: expected the device CPU, got CUDA"):
        Backend.prepare(onnx.ModelProto(), "CUDA")


def test_attention_is_that_of_nn() -> None:
    q, k, v = [minigrad.randn(2, 3, 5, 4) for _ in range(3)]
    found: Any = Backend.run_node(
        helper.make_node("Attention", ["q", "k", "v"], ["y"], is_causal=1), [x.numpy() for x in (q, k, v)]
    )
    expected = minigrad.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(found[0], expected.numpy(), atol=1e-6)
