"""The table of every operation is up to date, and says it if a law does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from minigrad.core.primitive import REGISTRY
from minigrad.testing import table

FILE = Path(__file__).parents[2] / table.FILE


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_text() == table.markdown(dict.fromkeys(table.KERNELS, table.expected())), (
        "write it again: python -m minigrad.testing.table --write"
    )


def test_every_operation_has_a_row() -> None:
    text = FILE.read_text()
    for name, op in REGISTRY.items():
        if op.__module__.startswith("minigrad.ops"):
            assert f"\n| {name} | " in text
    assert "\n| conv | yes | yes | yes | yes | yes | yes | yes | yes | yes |\n" in text
    assert "\n| tanh | yes | yes | - | yes | yes | - | yes | yes | - |\n" in text


def test_a_broken_law_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "minigrad.testing.mutation.breaks", lambda op, law, examples: (op.name, law) == ("tanh", "gradient")
    )
    monkeypatch.setattr(table, "in_process", lambda kind, examples: table.tried(examples))
    monkeypatch.setattr(table, "FILE", tmp_path / "operations.md")
    assert table.main(["--write"]) == 1
    assert "tanh: vjp with the reference kernels" in capsys.readouterr().out
    assert "| tanh | NO | yes | - | NO | yes | - |" in table.FILE.read_text()
    monkeypatch.setattr("minigrad.testing.mutation.breaks", lambda op, law, examples: False)
    assert table.main([]) == 1
    assert "says something else" in capsys.readouterr().out
    assert table.main(["--write"]) == 0
    assert table.main([]) == 0


@pytest.mark.parametrize(("safe_path", "option"), [(True, ["-P"]), (False, [])])
def test_each_kind_of_kernels_is_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, safe_path: bool, option: list[str]) -> None:
    seen = []

    class Done:
        returncode, stderr = 0, ""
        stdout = json.dumps({"tanh": {"vjp": "yes"}})

    def run(command: list[str], env: dict[str, str], **options: object) -> Done:
        seen.append((env["MINIGRAD_KERNELS"], command[1:]))
        return Done()

    monkeypatch.setattr("minigrad.testing.table.subprocess.run", run)
    monkeypatch.setattr("minigrad.testing.table.sys.flags", SimpleNamespace(safe_path=safe_path))
    assert table.in_process("reference", 3) == {"tanh": {"vjp": "yes"}}
    assert seen == [("reference", [*option, "-m", "minigrad.testing.table", "--examples", "3", "--json"])]
    Done.returncode, Done.stderr = 1, "no kernels"
    with pytest.raises(RuntimeError, match="with the compiled kernels:\nno kernels"):
        table.in_process("compiled", 3)
