"""Readers: files of the formats come back as they were written, and damaged ones are told."""

from __future__ import annotations

import builtins
import gzip
import io
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.data import (
    ChainDataset,
    DataLoader,
    ImageFolder,
    StackDataset,
    StratifiedSampler,
    read_cifar,
    read_idx,
    read_image,
    read_mnist,
    read_npz,
)
from tests.data.test_data import Stream, generator, numbered

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array: np.ndarray[Any, Any]) -> bytes:
    code = CODES[array.dtype.str[1:]]
    return (
        bytes([0, 0, code, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


# --- IDX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx(code: str, shape: tuple[int, ...], suffix: str, tmp_path: Path) -> None:
    array = (np.random.default_rng(0).standard_normal(shape) * 50).astype(code)
    path = tmp_path / f"array{suffix}"
    content = idx(np.asarray(array))
    path.write_bytes(gzip.compress(content) if suffix else content)
    read = read_idx(path)
    assert (read.dtype, read.shape) == (np.dtype(code), shape)
    assert read.numpy().tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"it begins with b''"),
        (b"\x00\x01\x08\x01", "expected two zeros, a type and a number of axes"),
        (b"\x00\x00\x07\x01", "expected two zeros, a type"),
        (b"\x00\x00\x08\x02\x00\x00\x00\x05", r"shape \(5,\) of uint8 needs 5 bytes"),
        (idx(np.ones(5, "u1"))[:-1], r"shape \(5,\) of uint8 needs 5 bytes, there are 4"),
        (idx(np.ones(5, "i4")) + b"x", r"shape \(5,\) of int32 needs 20 bytes, there are more"),
        (b"\x00\x00\x08\xff" + b"\xff" * 1020 + b"x", "there are 1"),
        (b"\x00\x00\x08\x41" + struct.pack(">65I", *[1] * 65) + b"x", "maximum supported dimension"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1), "too big"),
        (b"\x00\x00\x0e\x03" + struct.pack(">3I", 2**31, 2**31, 2**31) + b"x" * 8, "there are 8"),
    ],
)
def test_damaged_idx(content: bytes, message: str, tmp_path: Path) -> None:
    for suffix in ("", ".gz"):
        path = tmp_path / f"array{suffix}"
        path.write_bytes(gzip.compress(content) if suffix else content)
        with pytest.raises(ValueError, match=f"read_idx: cannot read .*array.*: .*{message}"):
            read_idx(path)


def test_a_damaged_compression_is_told(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(idx(np.arange(200, dtype="u1"))))
    for damaged in (content[:20], content[:-3], b"plain", content[:15] + b"\xff\xff" + content[17:]):
        (tmp_path / "array.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match="read_idx: cannot read"):
            read_idx(tmp_path / "array.gz")


@given(content=st.binary(max_size=40), ndim=st.integers(0, 255))
def test_random_idx(content: bytes, ndim: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(bytes([0, 0, 8, ndim]) + content)
    try:
        read_idx(path)
    except ValueError as error:
        assert str(error).startswith("read_idx: cannot read")


def test_mnist(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28)).astype("u1")
    labels = np.arange(7, dtype="u1")
    for start, count in (("train", 7), ("t10k", 4)):
        (tmp_path / f"{start}-images-idx3-ubyte").write_bytes(idx(images[:count]))
        (tmp_path / f"{start}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:count])))
    train, test = read_mnist(tmp_path), read_mnist(tmp_path, train=False)
    assert (len(train), len(test)) == (7, 4)
    x, y = next(iter(DataLoader(train, 7)))
    assert (x.numpy() == images).all()
    assert y.tolist() == list(range(7))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images[:3]))
    with pytest.raises(
        ValueError, match=r"images of shape \(3, 28, 28\) and labels of shape \(7,\) do not belong together"
    ):
        read_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"has none of t10k-images-idx3-ubyte, t10k-images-idx3-ubyte\.gz"):
        read_mnist(tmp_path, train=False)


# --- CIFAR and npz ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar(classes: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (5, 3, 32, 32)).astype("u1")
    labels = random.integers(0, classes, 5).astype("u1")
    columns = [labels[:, None]] if classes == 10 else [np.zeros((5, 1), "u1"), labels[:, None]]
    rows = np.concatenate([*columns, images.reshape(5, -1)], 1)
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    rows[:3].tofile(paths[0])
    rows[3:].tofile(paths[1])
    dataset = read_cifar(paths, classes)
    assert (dataset.tensors[0].numpy() == images).all()
    assert dataset.tensors[1].tolist() == labels.tolist()
    assert len(read_cifar(paths[0], classes)) == 3
    paths[0].write_bytes(rows.tobytes()[:-1])
    with pytest.raises(
        ValueError,
        match=rf"a\.bin has {rows.size - 1} bytes, expected a multiple of {rows.shape[1]} for CIFAR-{classes}",
    ):
        read_cifar(paths, classes)
    for column, limit in enumerate([10] if classes == 10 else [20, 100]):
        wrong = rows.copy()
        wrong[-1, column] = limit
        wrong.tofile(paths[0])
        with pytest.raises(ValueError, match=f"has a label {limit}, expected 0 to {limit - 1}"):
            read_cifar(paths, classes)


def test_cifar_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="classes must be 10 or 100, got 5"):
        read_cifar(tmp_path / "a.bin", 5)
    with pytest.raises(ValueError, match="expected at least one file"):
        read_cifar([])
    (tmp_path / "empty.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.bin has 0 bytes"):
        read_cifar(tmp_path / "empty.bin")


def test_npz(tmp_path: Path) -> None:
    arrays = {
        "x": np.arange(6.0).reshape(2, 3),
        "n": np.array(3),
        "names": np.array(["a", "b"]),
        "u": np.ones(2, np.uint16),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    for name in ("a.npz", "b.npz"):
        read = read_npz(tmp_path / name)
        assert list(read) == list(arrays)
        assert isinstance(read["x"], minigrad.Tensor)
        assert isinstance(read["names"], np.ndarray)
        assert all(np.asarray(read[key].tolist()).tolist() == value.tolist() for key, value in arrays.items())
    content = (tmp_path / "a.npz").read_bytes()
    for length in range(0, len(content) - 1, 37):
        (tmp_path / "cut.npz").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"read_npz: cannot read .*cut\.npz"):
            read_npz(tmp_path / "cut.npz")


def test_npz_with_objects_or_without_names(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return (tmp_path / "executed").touch, ()

    np.savez(tmp_path / "objects.npz", x=np.array([Call()], object))
    (tmp_path / "executed").unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r"read_npz: cannot read .*objects\.npz: Object arrays cannot be loaded"):
        read_npz(tmp_path / "objects.npz")
    assert not (tmp_path / "executed").exists()
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ValueError, match="it holds one array and no names"):
        read_npz(tmp_path / "one.npy")


def npy(header: Any, content: bytes = b"", version: int = 1) -> bytes:
    """A file in NumPy's format, with the header as a dict or text."""
    written = header if isinstance(header, bytes) else repr({"fortran_order": False, **header}).encode()
    length = struct.pack("<H" if version == 1 else "<I", len(written) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + length + written + b"\n" + content


def zipped(compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        for name, content in members.items():
            out.writestr(f"{name}.npy", content)
    return file.getvalue()


ONE = {"descr": "<f4", "shape": (1,)}


def damaged(compression: int) -> bytes:
    content = zipped(compression, a=npy(ONE, bytes(4)))
    return content[:40] + b"\xff" * 10 + content[50:]


def encrypted() -> bytes:
    content = bytearray(zipped(a=npy(ONE, bytes(4))))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(a=npy({"descr": "<f8", "shape": (1 << 50,)})), "allocate"),
        (zipped(a=npy({"descr": "<f8", "shape": (1 << 62, 1 << 62)})), ""),
        (zipped(a=npy({"descr": "<f8", "shape": (-1,)}, bytes(8))), "negative"),
        (zipped(a=npy({"descr": "<f8", "shape": (1 << 24,)}, bytes(100))), "expected .* got"),
        (zipped(a=npy({"descr": "<U500000000", "shape": (2**40,)})), ""),
        (zipped(a=npy({"descr": "|S0", "shape": (1 << 40,)})), "1099511627776 elements without a byte"),
        (zipped(a=npy({"descr": "|b1", "shape": (2,)}, b"\x01\x02")), "neither 0 nor 1"),
        (zipped(a=npy({"descr": [("x", "|O")], "shape": (1,)}, b"\x80\x04N.")), "Object arrays cannot be loaded"),
        (zipped(a=npy(b"__import__('os').mkdir('executed')")), ""),
        (zipped(a=npy(b"(" * 9000)), ""),
        (zipped(a=npy(b"{'descr':'<f8','shape':(" + b"1," * 200_000 + b")}", version=2)), "large"),
        (zipped(a=npy(ONE, bytes(4), version=9)), "version"),
        (zipped(a=b"no array"), "its entry 'a' is no array"),
        (damaged(zipfile.ZIP_DEFLATED), ""),
        (damaged(zipfile.ZIP_LZMA), ""),
        (damaged(zipfile.ZIP_BZIP2), ""),
        (encrypted(), "encrypted"),
        (b"", ""),
        (b"text", ""),
        (b"\x80\x04]q\x00.", ""),
    ],
)  # fmt: skip
def test_hostile_npz(content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=rf"read_npz: cannot read .*a\.npz: .*{message}"):
        read_npz(tmp_path / "a.npz")
    assert not (tmp_path / "executed").exists()


def test_dtypes_of_npz(tmp_path: Path) -> None:
    arrays = {
        "big": np.arange(3, dtype=">i4"), "small": np.array([1.5], ">f2"), "complex": np.array([1 + 2j], ">c16"), "truth": np.array([True]),
        "names": np.array(["ab"], ">U2"), "dates": np.array(["2020-01-02"], "M8[D]"),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    read = read_npz(tmp_path / "a.npz")
    assert [str(array.dtype) for array in read.values()] == ["int32", "float16", "complex128", "bool", "<U2", "datetime64[D]"]
    assert [array.tolist() for array in read.values()] == [array.tolist() for array in arrays.values()]
    assert [name for name, array in read.items() if not isinstance(array, minigrad.Tensor)] == ["names", "dates"]
    if np.dtype("longdouble").itemsize > 8:
        np.savez(tmp_path / "long.npz", x=np.ones(2, "longdouble"))
        with pytest.raises(ValueError, match=r"its entry 'x' is of float\d+, which tensors cannot be"):
            read_npz(tmp_path / "long.npz")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "missing.npz")


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, np.ndarray[Any, Any]]:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype("u1")
    for name, count in (("cat", 2), ("dog", 3)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            image.fromarray(pixels + np.uint8(i)).save(tmp_path / name / ("more" if i == 0 else ".") / f"{i}.png")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "file.png").write_text("outside")
    return tmp_path, pixels


def test_image_folder(pictures: tuple[Path, np.ndarray[Any, Any]]) -> None:
    root, pixels = pictures
    folder = ImageFolder(root)
    assert (folder.classes, folder.class_to_idx, folder.targets) == (
        ["cat", "dog"],
        {"cat": 0, "dog": 1},
        [0, 0, 1, 1, 1],
    )
    assert len(folder) == 5
    found = sorted((int(image[0, 0, 0]), label) for image, label in folder)
    assert found == sorted((int(pixels[0, 0, 0]) + i, label) for label, count in ((0, 2), (1, 3)) for i in range(count))
    x, y = next(iter(DataLoader(folder, 5, num_workers=1, multiprocessing_context="threads", timeout=60)))
    assert (x.shape, x.dtype, y.tolist()) == ((5, 3, 5, 4), minigrad.uint8, [0, 0, 1, 1, 1])
    changed = ImageFolder(
        root,
        transform=lambda image: image.float() / 255,
        target_transform=str,
        is_valid_file=lambda path: path.endswith("0.png"),
    )
    assert [label for _, label in changed] == ["0", "1"]
    assert changed[0][0].max() <= 1


def test_image_folder_refusals(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no folder of a class"):
        ImageFolder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(FileNotFoundError, match=r"class 'cat' has no picture in .*supported are \.jpg"):
        ImageFolder(tmp_path)
    with pytest.raises(FileNotFoundError):
        ImageFolder(tmp_path / "nowhere")


def test_images(pictures: tuple[Path, np.ndarray[Any, Any]]) -> None:
    root, pixels = pictures
    path = root / "dog" / "more" / "0.png"
    assert (read_image(path).numpy() == pixels.transpose(2, 0, 1)).all()
    assert [read_image(path, mode).shape[0] for mode in ("L", "RGB", "RGBA")] == [1, 3, 4]
    content = path.read_bytes()
    for damaged in (b"", b"text", content[:40], content[: len(content) // 2]):
        (root / "bad.png").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"read_image: cannot read .*bad\.png"):
            read_image(root / "bad.png")
    with pytest.raises(FileNotFoundError):
        read_image(root / "missing.png")


def test_pictures_of_more_than_bytes(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    deep = np.array([[0, 255, 256], [4096, 65279, 65535]], np.uint16)
    image.fromarray(deep).save(tmp_path / "deep.png")
    for mode, channels in (("L", 1), ("RGB", 3)):
        assert read_image(tmp_path / "deep.png", mode).tolist() == [[[0, 0, 1], [16, 254, 255]]] * channels
    for name, array in (("integers", deep.astype(np.int32)), ("floats", deep.astype(np.float32))):
        image.fromarray(array).save(tmp_path / f"{name}.tif")
        with pytest.raises(ValueError, match=rf"{name}\.tif: its colours have 32 bits; scale them to bytes first"):
            read_image(tmp_path / f"{name}.tif")
    image.new("P", (2, 3)).save(tmp_path / "a.gif")
    assert read_image(tmp_path / "a.gif").shape == (3, 3, 2)
    for mode in ("XYZ", "F", "1", "I;16"):
        with pytest.raises(ValueError, match=f"mode must be one of RGB, L, RGBA, .*, got '{mode}'"):
            read_image(tmp_path / "a.gif", mode)
    image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"read_image: cannot read .*bomb\.png: .*could be decompression bomb"):
        read_image(tmp_path / "bomb.png")


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    original = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"read_image needs pillow: pip install pillow, or 'minigrad\[examples\]'"):
        read_image(tmp_path / "a.png")


# --- datasets and samplers that came with them ------------------------------------------------------------------------


def test_chained_and_stacked_datasets() -> None:
    chained = Stream(2) + Stream(3)
    assert isinstance(chained, ChainDataset)
    assert (list(chained), len(chained)) == ([0, 1, 0, 1, 2], 5)
    assert [x.tolist() for x in DataLoader(chained, 2)] == [[0, 1], [0, 1], [2]]
    with pytest.raises(TypeError, match="ChainDataset only supports IterableDataset, got list"):
        list(ChainDataset([[1]]))  # type: ignore[list-item]
    stacked = StackDataset(numbered(3), range(3))
    assert (len(stacked), stacked[2][1]) == (3, 2)
    assert StackDataset(a=range(2), b="xy")[1] == {"a": 1, "b": "y"}
    with pytest.raises(ValueError, match=r"StackDataset expects equal lengths, got \[3, 2\]"):
        StackDataset(range(3), range(2))
    for datasets, named in (((), {}), ((range(1),), {"a": range(1)})):
        with pytest.raises(ValueError, match="either without names or with names"):
            StackDataset(*datasets, **named)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5), seed=st.integers(0, 1000), length=st.integers(1, 30))
def test_every_stretch_of_a_stratified_order_has_the_classes_in_proportion(
    sizes: list[int], seed: int, length: int
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    total = labels.size
    sampler = StratifiedSampler(labels.tolist(), generator(seed))
    order = list(sampler)
    assert sorted(order) == list(range(total))
    assert len(sampler) == total
    for start in range(max(1, total - length)):
        counts = np.bincount(labels[order[start : start + length]], minlength=len(sizes))
        assert (
            np.abs(counts - np.array(sizes) * min(length, total) / total) <= 2 + len(sizes) * np.array(sizes) / total
        ).all()


def test_stratified_orders_are_seedable_and_new_each_time() -> None:
    labels = minigrad.tensor([0, 1, 1, 0, 2, 2, 2, 2] * 5)
    sampler = StratifiedSampler(labels, generator(1))
    first, second = list(sampler), list(sampler)
    assert first != second
    assert list(StratifiedSampler(labels, generator(1))) == first
    for wrong in ([], [[1]]):
        with pytest.raises(ValueError, match="labels should be a 1d sequence with elements"):
            StratifiedSampler(wrong)


@pytest.mark.filterwarnings("ignore:Image size")  # pillow's own word, which is an error above twice as many
@pytest.mark.parametrize("side", [10_000, 100_000])
def test_a_small_file_that_says_that_it_is_large(side: int, tmp_path: Path) -> None:
    pytest.importorskip("PIL")

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    with pytest.raises(ValueError, match=r"read_image: cannot read .*bomb\.png: .*pixels"):
        read_image(tmp_path / "bomb.png")
