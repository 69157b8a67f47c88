"""The specification's own tests of single operators: which of them are run, and the list of those that are not, with reasons.

python -m tests.onnx.specification     runs them all and writes the list, unsupported.json, again
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import minigrad

LIST = Path(__file__).parent / "unsupported.json"
# Its runner asks for the length of a number that is in a sequence, so that no right answer passes.
BROKEN = {"test_loop16_seq_none"}


def cases() -> list[Any]:
    """All of them; to make them takes a while."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what their own computations warn of
        return [case for case in load_model_tests(kind="node") if case.name not in BROKEN]


def why_not(case: Any) -> str | None:
    """Runs a test; the reason why it cannot be, or None if it passed. Raises what the test raises."""
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt, Runner, _normalize_tensor

    try:
        prepared = minigrad.onnx.Backend.prepare(case.model, "CPU")
        for inputs, outputs in case.data_sets:
            found = prepared.run([_normalize_tensor(x) for x in inputs])
            Runner.assert_similar_outputs([_normalize_tensor(x) for x in outputs], list(found), case.rtol, case.atol)
    except BackendIsNotSupposedToImplementIt as error:
        return reason(str(error))
    return None


def reason(message: str) -> str:
    """The part of a message that does not name values of one test."""
    message = message.removeprefix("onnx.load: ").partition("; minigrad.onnx")[0]
    if "has the element type" in message:
        return "has the element type" + message.partition("has the element type")[2]
    return message.partition(" (which gives")[0] + message.partition("):")[2] if "(which gives" in message else message


def main() -> int:
    reasons, failed = {}, []
    for case in cases():
        try:
            why = why_not(case)
        except Exception as error:
            failed.append(f"{case.name}: {type(error).__name__}: {str(error)[:300]}")
            continue
        if why is not None:
            reasons[case.name] = why
    LIST.write_text(json.dumps(dict(sorted(reasons.items())), indent=1) + "\n")
    print("\n".join(failed))
    print(f"{len(reasons)} unsupported, written to {LIST}; {len(failed)} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
