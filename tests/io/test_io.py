"""save and load: everything comes back, the files are safetensors files, damage is told, and nothing is left half written."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn

DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def through_memory(obj: Any) -> Any:
    file = io.BytesIO()
    minigrad.save(obj, file)
    file.seek(0)
    return minigrad.load(file)


def file_of(header: Any, data: bytes = b"") -> io.BytesIO:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(len(encoded).to_bytes(8, "little") + encoded + data)


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_tensors_come_back_bit_for_bit(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.random.default_rng(0).standard_normal(shape) * 100).astype(dtype)
    again = through_memory(minigrad.from_numpy(np.asarray(array)))
    assert (again.dtype, again.shape) == (array.dtype, shape)
    assert again.numpy().tobytes() == array.tobytes()
    again.array[...] = 0  # its memory is its own


@pytest.mark.parametrize(
    "obj",
    [
        None, True, False, 3, -(10**30), 1.5, float("inf"), float("-inf"), "text \u00e4 \U0001f600 \ud800", "",
        [], (), {}, [1, [2, (3, None)]], (1,), {"a": 1, 2: "b", None: 3, (1, "x"): 4, True: 5, 1.5: 6},
        OrderedDict([("b", 1), ("a", 2)]), Counter({5: 2}), {"list": [1]}, {"dict": {"tensor": "x"}}, {"tensor": "float"},
    ],
)  # fmt: skip
def test_plain_objects_come_back(obj: Any) -> None:
    again = through_memory(obj)
    assert again == obj
    assert type(again) is type(obj)
    assert repr(again) == repr(obj)


def test_nan_comes_back() -> None:
    assert np.isnan(through_memory([float("nan")])[0])


def test_nested_tensors_come_back_in_their_places() -> None:
    obj = {
        "model": OrderedDict([("b.weight", minigrad.ones(2)), ("a", minigrad.zeros(1))]),
        "state": {0: {"step": minigrad.tensor(3.0)}, 1: {}},
        "pair": (minigrad.tensor([1]), [minigrad.tensor(True)]),
        "state.0.step": minigrad.tensor(4.0),
    }
    again = through_memory(obj)
    assert list(again) == list(obj)
    assert list(again["model"]) == ["b.weight", "a"]
    assert isinstance(again["model"], OrderedDict)
    assert again["state"][0]["step"].item() == 3
    assert again["state.0.step"].item() == 4
    assert again["state"][1] == {}
    assert again["pair"][1][0].item() is True


def test_what_needs_gradients_still_does() -> None:
    parameter, frozen, leaf, plain = through_memory(
        [
            nn.Parameter(minigrad.ones(1)),
            nn.Parameter(minigrad.ones(1), requires_grad=False),
            minigrad.ones(1, requires_grad=True),
            minigrad.ones(1),
        ]
    )
    assert [type(one) for one in (parameter, frozen, leaf, plain)] == [
        nn.Parameter,
        nn.Parameter,
        minigrad.Tensor,
        minigrad.Tensor,
    ]
    assert [one.requires_grad for one in (parameter, frozen, leaf, plain)] == [True, False, True, False]


def test_non_contiguous_tensors_are_saved_as_they_look() -> None:
    base = minigrad.arange(12).reshape(3, 4)
    for view in (base.t(), base[:, ::2], base[1], base[:1].expand(3, 4)):
        assert through_memory(view).tolist() == view.tolist()


def test_a_model_on_disk(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    path = tmp_path / "model.safetensors"
    minigrad.save(model.state_dict(), path)
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    state = minigrad.load(str(path))
    assert list(state) == list(model.state_dict())
    other.load_state_dict(state)
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_saving_is_repeatable() -> None:
    state = {"b": minigrad.ones(3), "a": [minigrad.zeros(2), 1.5]}
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        minigrad.save(state, file)
    assert files[0].getvalue() == files[1].getvalue()


def test_streams_that_cannot_seek() -> None:
    file = io.BytesIO()
    minigrad.save({"a": minigrad.ones(2)}, file)

    class Pipe(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self.rest = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self.rest.readinto(buffer)

    assert minigrad.load(io.BufferedReader(Pipe(file.getvalue())))["a"].tolist() == [1, 1]


# --- the format -------------------------------------------------------------------------------------------------------


def test_the_safetensors_package_reads_flat_dicts(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    state = {f"x.{dtype}": minigrad.tensor([[0, 1, 2]]).to(dtype) for dtype in reversed(DTYPES)}
    state["empty"] = minigrad.zeros(0, 2)
    state["number"] = minigrad.tensor(1.5)
    minigrad.save(state, tmp_path / "state")
    read = safetensors.load_file(tmp_path / "state")
    assert set(read) == set(state)
    for name, array in read.items():
        assert array.dtype == state[name].dtype
        assert array.shape == state[name].shape
        assert array.tolist() == state[name].tolist()


def test_files_of_the_safetensors_package_are_read(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.array([True, False]),
        "c": np.array(3, np.int8),
    }
    safetensors.save_file(arrays, tmp_path / "state", metadata={"format": "np"})
    read = minigrad.load(tmp_path / "state")
    assert {name: tensor.tolist() for name, tensor in read.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }


def test_the_layout() -> None:
    file = io.BytesIO()
    minigrad.save({"byte": minigrad.tensor([7]).byte(), "double": minigrad.tensor([1.0]).double()}, file)
    content = file.getvalue()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    assert header["double"] == {
        "dtype": "F64",
        "shape": [1],
        "data_offsets": [0, 8],
    }  # the widest first: all are aligned
    assert header["byte"] == {"dtype": "U8", "shape": [1], "data_offsets": [8, 9]}
    assert content[8 + length :] == np.array([1.0], "<f8").tobytes() + b"\x07"


def test_bfloat16_becomes_float32_and_says_so() -> None:
    bits = np.array([0x3F80, 0xC020, 0x7F80, 0x0001], "<u2")  # 1, -2.5, inf, the smallest
    with pytest.warns(UserWarning, match="load: BytesIO: bfloat16 became float32"):
        read = minigrad.load(file_of({"a": entry(dtype="BF16", shape=[4], offsets=[0, 8])}, bits.tobytes()))
    assert read["a"].dtype == minigrad.float32
    assert read["a"].tolist() == [1, -2.5, float("inf"), 2.0**-133]


def test_data_that_are_not_aligned_are_read() -> None:
    header = {"a": entry(dtype="U8", offsets=[0, 1]), "b": entry(offsets=[1, 5])}
    read = minigrad.load(file_of(header, b"\x07" + np.float32(2.5).tobytes()))
    assert (read["a"].tolist(), read["b"].tolist()) == ([7], [2.5])
    assert read["b"].array.flags.aligned


def test_a_mapped_file_is_read_when_it_is_looked_at_and_never_written(tmp_path: Path) -> None:
    minigrad.save({"a": minigrad.arange(6.0), "b": minigrad.ones(2)}, tmp_path / "state")
    before = (tmp_path / "state").read_bytes()
    read = minigrad.load(tmp_path / "state", mmap=True)
    base = read["a"].array
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert type(read["a"].array) is np.ndarray
    read["a"].fill_(9)
    assert (tmp_path / "state").read_bytes() == before
    assert minigrad.load(tmp_path / "state", mmap=True)["a"].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="only a file on disk can be mapped"):
        minigrad.load(io.BytesIO(before), mmap=True)


def test_what_scripts_for_torch_say() -> None:
    file = io.BytesIO()
    minigrad.save([1], file)
    file.seek(0)
    assert minigrad.load(file, map_location="cpu", weights_only=True) == [1]
    with pytest.raises(ValueError, match="weights_only=False would run what a file says"):
        minigrad.load(file, weights_only=False)
    with pytest.raises(TypeError, match="load: expected a path or a binary file, got int"):
        minigrad.load(3)  # type: ignore[arg-type]


# --- damage -----------------------------------------------------------------------------------------------------------


def test_every_truncation_is_told() -> None:
    file = io.BytesIO()
    minigrad.save({"a": minigrad.ones(3), "b": [minigrad.zeros(2).long()]}, file)
    content = file.getvalue()
    for length in range(len(content)):
        with pytest.raises(ValueError, match="load: cannot read"):
            minigrad.load(io.BytesIO(content[:length]))
    with pytest.raises(ValueError, match="its header describes 28 bytes of data but the file has 29"):
        minigrad.load(io.BytesIO(content + b"x"))


def test_every_damaged_byte_of_the_header_is_told_or_harmless() -> None:
    file = io.BytesIO()
    minigrad.save({"a": minigrad.ones(3), "b": (1, minigrad.zeros(2))}, file)
    content = bytearray(file.getvalue())
    for place in range(len(content) - 20):
        damaged = bytearray(content)
        damaged[place] ^= 0x15
        try:
            minigrad.load(io.BytesIO(bytes(damaged)))
        except ValueError as error:
            assert str(error).startswith("load: cannot read")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (io.BytesIO(b""), "it is truncated: it has 0 bytes"),
        (io.BytesIO(b"PK\x03\x04" + b"x" * 60), "its ZIP archive is truncated or damaged"),
        (io.BytesIO((10**15).to_bytes(8, "little") + b"{}"), "its header would have 1000000000000000 bytes"),
        (io.BytesIO((50).to_bytes(8, "little") + b"{}"), "its header has 50 bytes but only 2 follow"),
        (file_of(b"{nonsense"), "its header is damaged"),
        (file_of(b"\xff\xfe"), "its header is damaged"),
        (file_of(b"[" * 100_000), "its header is damaged"),
        (file_of([1]), "its header is a list, expected an object"),
        (file_of(b'{"a":1,"a":2}'), "its header has a name twice"),
        (file_of({"__metadata__": {"a": 1}}), "its __metadata__ is no mapping of strings"),
        (file_of({"a": 3}), "its header says of 'a' 3, expected dtype, shape and data_offsets"),
        (file_of({"a": entry(dtype="F8_E4M3")}, b"1234"), "'a' has dtype 'F8_E4M3', expected one of"),
        (file_of({"a": entry(dtype="BF16")}, b"1234"), r"4 bytes of data, which do not make up shape \(1,\) of bfloat16"),
        (file_of({"a": entry(shape=[0, 2**70], offsets=[0, 0])}), "expected at most 64 axes and lengths below 2"),
        (file_of({"a": entry(shape=[1] * 65)}, b"1234"), "expected at most 64 axes and lengths below 2"),
        (file_of({"a": entry(dtype="BOOL", offsets=[0, 1])}, b"\x02"), "bytes that are neither 0 nor 1"),
        (file_of({"a": entry(dtype=[])}, b"1234"), "'a' has dtype"),
        (file_of({"a": entry(shape=[-1])}, b"1234"), "expected a list of integers that are not negative"),
        (file_of({"a": entry(shape=[True])}, b"1234"), "expected a list of integers that are not negative"),
        (file_of({"a": entry(shape="1")}, b"1234"), "expected a list of integers that are not negative"),
        (file_of({"a": entry(offsets=[0])}, b"1234"), "expected two integers that are not negative"),
        (file_of({"a": entry(offsets=[4, 0])}, b"1234"), "data_offsets 4 to 0"),
        (file_of({"a": entry(offsets=[0, 8])}, b"1234"), "there are 4 bytes of data: the file is truncated"),
        (file_of({"a": entry(shape=[2])}, b"1234"), "4 bytes of data, which do not make up shape"),
        (file_of({"a": entry(shape=[2**40, 2**40])}, b"1234"), "do not make up shape"),
        (file_of({"a": entry(), "b": entry()}, b"1234"), "'b' begin at byte 0, expected 4: the data overlap or have a gap"),
        (file_of({"a": entry(), "b": entry(offsets=[2, 6])}, b"123456"), "overlap or have a gap"),
        (file_of({"a": entry(offsets=[4, 8])}, b"12345678"), "overlap or have a gap"),
        (file_of({"a": entry()}, b"12345678"), "its header describes 4 bytes of data but the file has 8"),
        (file_of({"__metadata__": {"minigrad": "{"}}), "cannot read"),
        (file_of({"__metadata__": {"minigrad": '{"tensor":"a"}'}}), "names a tensor 'a' that is not there"),
        (file_of({"__metadata__": {"minigrad": '{"eval":"1"}'}}), "'eval', which stands for nothing"),
        (file_of({"__metadata__": {"minigrad": '{"dict":[1]}'}}), "an entry of a dict that is no pair"),
        (file_of({"__metadata__": {"minigrad": '{"dict":[[{"list":[]},1]]}'}}), "cannot read"),
        (file_of({"__metadata__": {"minigrad": '{"float":"1e5"}'}}), "which stands for nothing"),
        (file_of({"__metadata__": {"minigrad": "[1]"}}), "which stands for nothing"),
    ],
)  # fmt: skip
def test_damage_is_told(file: io.BytesIO, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        minigrad.load(file)
    assert str(caught.value).startswith("load: cannot read")


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.bin"
    path.write_bytes(b"123")
    with pytest.raises(ValueError, match=r"broken\.bin: it is truncated"):
        minigrad.load(path)
    with pytest.raises(FileNotFoundError):
        minigrad.load(tmp_path / "missing")


# --- refusals and atomicity -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (object(), "save: the object is a object; only tensors, numbers, strings, None"),
        ({"a": [1, {2}]}, r"save: the object\['a'\]\[1\] is a set"),
        ({"model": nn.Linear(1, 1)}, r"save: the object\['model'\] is a Linear; .* save its state_dict\(\)"),
        ([np.ones(2)], r"save: the object\[0\] is a NumPy ndarray; make it a tensor"),
        ({"x": np.float32(1)}, "is a NumPy float32"),
        ({(1, frozenset()): 1}, "has a key of type frozenset"),
        ([minigrad.ones(1, requires_grad=True) * 2], r"save: the object\[0\] has a history .* save its detach\(\)"),
        ([minigrad.tensor(np.ones(1, complex))], "has dtype complex128, which the format does not know"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_named_and_leaves_no_file(obj: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"before")
    with pytest.raises(TypeError, match=message):
        minigrad.save(obj, path)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["state"]


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    minigrad.save({"a": minigrad.ones(1)}, path)

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        minigrad.save({"a": minigrad.zeros(1)}, path)
    assert minigrad.load(path)["a"].item() == 1
    assert os.listdir(tmp_path) == ["state"]


# In processes of their own, the second as a user who is not root: what cannot be written is a full disk's and a forbidden folder's own error.
WITHOUT_SPACE = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
"""
FORBIDDEN = """
import os
os.chmod(folder, 0o555)
if os.geteuid() == 0:
    os.setuid(65534)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither")
@pytest.mark.parametrize(("prepare", "error"), [(WITHOUT_SPACE, "File too large"), (FORBIDDEN, "Permission denied")], ids=["full", "forbidden"])
def test_where_nothing_can_be_written_the_old_file_stands(prepare: str, error: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which other users may not enter
        os.chmod(folder, 0o755)
        path = Path(folder, "state")
        minigrad.save({"a": minigrad.ones(1)}, path)
        script = f"""
import io, minigrad
minigrad.save([minigrad.zeros(1)], io.BytesIO())  # all that it needs is imported now
folder = {folder!r}
{prepare}
try:
    minigrad.save({{"a": minigrad.zeros(10000)}}, {str(path)!r})
except OSError as error:
    print(error)
"""
        environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
        done = subprocess.run([sys.executable, "-P", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60)
        os.chmod(folder, 0o755)
        assert error in done.stdout, done.stdout + done.stderr
        assert minigrad.load(path)["a"].item() == 1
        assert os.listdir(folder) == ["state"]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    minigrad.save(1, tmp_path / "state")
    (tmp_path / "state").chmod(0o640)
    minigrad.save(2, tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o640


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    """The process is killed at the moment when all is written and nothing replaced."""
    path = tmp_path / "state"
    minigrad.save({"a": minigrad.ones(3)}, path)
    script = f"""
import os, signal, minigrad
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
minigrad.save({{"a": minigrad.zeros(3)}}, {str(path)!r})
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-P", "-c", script], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert minigrad.load(path)["a"].tolist() == [1, 1, 1]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    minigrad.save(1, target)
    link.symlink_to(target)
    minigrad.save(2, link)
    assert link.is_symlink()
    assert minigrad.load(target) == 2


def test_missing_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        minigrad.save(1, tmp_path / "nowhere" / "state")
