"""The loop trains, stops early, and after a kill goes on to the bit."""

from __future__ import annotations

import math
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, optim, train
from minigrad.data import DataLoader, TensorDataset
from tests.train.run import EPOCHS

ROOT = Path(__file__).resolve().parents[2]


def line() -> TensorDataset:
    """Points of y = 3x + 1."""
    x = minigrad.linspace(-1, 1, 32).reshape(-1, 1)
    return TensorDataset(x, 3 * x + 1)


def a_run(**options: object) -> tuple[nn.Module, dict[str, list[float]]]:
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    loader = DataLoader(line(), batch_size=8, shuffle=True)
    return model, train.fit(model, loader, F.mse_loss, optimizer, **{"epochs": 8, "progress": False, **options})  # type: ignore[arg-type]


def run_process(folder: Path, *arguments: str) -> int:
    folder.mkdir(exist_ok=True)
    paths = [str(Path(minigrad.__file__).parent.parent), str(ROOT)]  # the package under test, and tests
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-P", "-m", "tests.train.run", str(folder), *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def test_the_model_learns_and_the_history_tells() -> None:
    model, history = a_run(validation=[tuple(line().tensors)], metrics={"error": F.l1_loss})
    assert {name: len(values) for name, values in history.items()} == {
        "loss": 8, "error": 8, "validation loss": 8, "validation error": 8,
    }  # fmt: skip
    assert history["loss"][-1] < 1e-4 < history["loss"][0]
    assert model.state_dict()["0.weight"].item() == pytest.approx(3, abs=0.01)
    assert history["validation loss"][-1] == pytest.approx(
        F.mse_loss(model(line().tensors[0]), line().tensors[1]).item(), rel=1e-5
    )


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_run_goes_on_to_the_bit(tmp_path: Path, killed_after: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run_process(whole) == 0
    assert run_process(broken, str(killed_after)) == -signal.SIGKILL
    assert not (broken / "end").exists()
    assert run_process(broken) == 0
    ends = [minigrad.load(folder / "end") for folder in (whole, broken)]
    assert ends[0].keys() == ends[1].keys() and len(ends[0]) > 10
    for name, value in ends[0].items():
        assert minigrad.equal(value, ends[1][name]), name
    for name in ("log.csv", "log.jsonl"):
        assert (whole / name).read_text() == (broken / name).read_text()
        assert len((whole / name).read_text().splitlines()) == EPOCHS + (name == "log.csv")


def test_a_finished_run_does_nothing_and_gives_its_history_again(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    model, history = a_run(checkpoint=path)
    other, again = a_run(checkpoint=path)
    assert again == history
    assert all(
        minigrad.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )
    assert a_run(checkpoint=path, epochs=9)[1]["loss"][:8] == history["loss"]
    assert len(a_run(checkpoint=path, resume=False, epochs=2)[1]["loss"]) == 2


def test_early_stopping_ends_the_run_and_a_resumed_one_stays_ended(tmp_path: Path) -> None:
    for _ in range(2):
        stopping = train.EarlyStopping("loss", patience=2, min_delta=10.0)
        _, history = a_run(early_stopping=stopping, checkpoint=tmp_path / "run.checkpoint")
        assert len(history["loss"]) == 3  # the first is the best, then two that are not better by 10


def test_early_stopping_knows_which_way_is_better() -> None:
    rising = train.EarlyStopping("validation accuracy", patience=1)
    assert [rising.is_over({"validation accuracy": value}) for value in (0.1, 0.2, 0.2)] == [False, False, True]
    assert train.EarlyStopping("loss", patience=1).is_over({"loss": math.nan}) is False
    stuck = train.EarlyStopping("loss", patience=1)
    assert [stuck.is_over({"loss": value}) for value in (1.0, math.nan)] == [False, True]
    with pytest.raises(KeyError, match=r"EarlyStopping watches 'loss', but an epoch has \['accuracy'\]"):
        stuck.is_over({"accuracy": 1.0})


def test_a_plateau_scheduler_gets_the_validation_loss() -> None:
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.1, patience=0, threshold=1e9, threshold_mode="abs"
    )
    train.fit(
        model,
        [line().tensors],
        F.mse_loss,
        optimizer,
        epochs=3,
        scheduler=scheduler,
        validation=[line().tensors],
        progress=False,
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-5)


def test_evaluate_leaves_modes_and_gradients_alone() -> None:
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    model[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    values = train.evaluate(model, DataLoader(line(), batch_size=5), F.mse_loss, {"error": F.l1_loss})
    assert [module.training for module in model] == [False, True, True] and model.training
    assert all(minigrad.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert values["loss"] == pytest.approx(
        F.mse_loss(model.eval()(line().tensors[0]), line().tensors[1]).item(), rel=1e-5
    )


def test_wrong_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="epochs should be at least 1, but is 0"):
        a_run(epochs=0)
    with pytest.raises(ValueError, match="evaluate: the loader gave no batches"):
        train.evaluate(nn.Linear(1, 1), [], F.mse_loss)
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="fit: the loader gave no batches"):
        train.fit(model, [], F.mse_loss, optim.SGD(model.parameters(), lr=1.0), epochs=1, progress=False)
    with pytest.raises(FloatingPointError, match=r"the loss became (inf|nan) in epoch \d+/50; a smaller learning rate"):
        train.fit(model, [line().tensors], F.mse_loss, optim.SGD(model.parameters(), lr=1e9), epochs=50, progress=False)


def test_a_checkpoint_says_what_does_not_fit(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(
        TypeError, match="epoch is a int, which has no state_dict and load_state_dict; numbers go to save"
    ):
        train.Checkpoint(tmp_path / "run", model=model, epoch=3)
    train.Checkpoint(tmp_path / "run", model=model).save(epoch=1)
    with pytest.raises(ValueError, match=r"has the parts \['model'\], but \['model', 'optimizer'\] are to be restored"):
        train.Checkpoint(tmp_path / "run", model=model, optimizer=optim.SGD(model.parameters(), lr=1.0)).resume()
    minigrad.save(model.state_dict(), tmp_path / "weights")
    with pytest.raises(ValueError, match=r"was not written by Checkpoint\.save"):
        train.Checkpoint(tmp_path / "weights", model=model).resume()
    (tmp_path / "run").write_bytes((tmp_path / "run").read_bytes()[:-5])
    with pytest.raises(ValueError, match="cannot read"):
        train.Checkpoint(tmp_path / "run", model=model).resume()


def test_tensorboard_files_hold_the_numbers(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    log = train.TensorBoardLog(tmp_path)
    _, history = a_run(epochs=2, logs=[log], validation=[line().tensors])
    log.close()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("events.out.tfevents")
    records, rest = [], file.read_bytes()
    while rest:  # TFRecord: the length, a checksum of it, the bytes, a checksum of them
        (length,) = struct.unpack("<Q", rest[:8])
        records.append(rest[12 : 12 + length])
        rest = rest[16 + length :]
    assert len(records) == 1 + 2 * 2  # the version of the format, then two numbers an epoch
    for name, values in (("loss", history["loss"]), ("validation/loss", history["validation loss"])):
        found = [record for record in records if bytes([0x0A, len(name)]) + name.encode() in record]  # the tag, a string with its length
        assert [struct.pack("<f", value) in record for value, record in zip(values, found, strict=True)] == [True, True]


def test_tensorboard_missing_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"pip install 'minigrad\[tensorboard\]'"):
        train.TensorBoardLog(tmp_path)


def test_bars_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"pip install 'minigrad\[examples\]', or pass progress=False"):
        a_run(progress=True)
