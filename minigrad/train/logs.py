"""Where the numbers of a run go: a table, lines of JSON, or TensorBoard's event files."""

from __future__ import annotations

import csv
import json
import os
import weakref
from pathlib import Path
from typing import Any, Protocol


class Log(Protocol):
    """What fit writes to: one dict of numbers an epoch."""

    def write(self, epoch: int, values: dict[str, float]) -> None:
        """Takes in the numbers of an epoch, the first being 1."""


class _File:
    """A file that holds one row an epoch and forgets those that a resumed run computes again."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def write(self, epoch: int, values: dict[str, float]) -> None:
        """Writes the row of an epoch; rows of this epoch and later ones, from a run that was stopped, go."""
        rows = [row for row in self._read() if int(row["epoch"]) < epoch] if epoch > 1 and self.path.exists() else []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write([*rows, {"epoch": epoch, **values}])

    def _read(self) -> list[dict[str, Any]]:
        raise NotImplementedError(f"{type(self).__name__} does not define _read")

    def _write(self, rows: list[dict[str, Any]]) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _write")


class CSVLog(_File):
    """A table with a column for each number, which spreadsheets open.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "log.csv")
    >>> CSVLog(path).write(1, {"loss": 0.5})
    >>> print(open(path).read())
    epoch,loss
    1,0.5
    <BLANKLINE>
    """

    def _read(self) -> list[dict[str, Any]]:
        with open(self.path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _write(self, rows: list[dict[str, Any]]) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with open(self.path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


class JSONLog(_File):
    """A line of JSON for each epoch.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "log.jsonl")
    >>> JSONLog(path).write(1, {"loss": 0.5})
    >>> print(open(path).read().strip())
    {"epoch": 1, "loss": 0.5}
    """

    def _read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        self.path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


class TensorBoardLog:
    """Event files in a folder that TensorBoard shows, written by the package tensorboardX (minigrad[tensorboard]).

    What was written is in the file within a second, and all of it after close(). Raises ImportError, naming the extra, if the package
    is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError("TensorBoardLog needs tensorboardX: pip install 'minigrad[tensorboard]'") from None
        self._writer = SummaryWriter(os.fspath(folder), flush_secs=1)
        self.close = weakref.finalize(
            self, self._writer.close
        )  # its thread would lose at exit what is still in the queue

    def write(self, epoch: int, values: dict[str, float]) -> None:
        """Writes the numbers of an epoch."""
        for name, value in values.items():
            self._writer.add_scalar(name.replace(" ", "/", 1), value, epoch)
