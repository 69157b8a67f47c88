"""Files made to do harm, or damaged at random: an error that says so, no code that runs, little memory and little time."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import textwrap
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.io import load_torch

FILES = Path(__file__).parent / "torch"
TORCH_FILES = [FILES / name for name in ("zip.pt", "legacy.pt", "protocol5.pt", "untyped.pt", "bfloat16.legacy.pt")]


# --- an assembler of pickles and the files around them ----------------------------------------------------------------


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def integer(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def integers(*values: int) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def storage(kind: str = "FloatStorage", key: str = "0", count: int = 4) -> bytes:
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + integer(count) + b"tQ"


def tensor(
    of: bytes, offset: int = 0, size: tuple[int, ...] = (4,), stride: tuple[int, ...] = (1,), then: bytes = b"\x89N"
) -> bytes:
    parts = of + integer(offset) + integers(*size) + integers(*stride) + then
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + parts + b"tR"


def called(module: str, attribute: str, arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + arguments + b"tR"


def archive(
    content: bytes, storages: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED, **more: bytes
) -> bytes:
    """A file in the newer format; the pickle lacks its first and last opcode."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as zipped:
        zipped.writestr("archive/data.pkl", b"\x80\x02" + content + b".")
        for key, data in {"0": bytes(16)}.items() if storages is None else storages.items():
            zipped.writestr(f"archive/data/{key}", data)
        for entry, data in more.items():
            zipped.writestr(f"archive/{entry}", data)
    return file.getvalue()


def legacy(content: bytes, keys: list[str] | None = None, storages: bytes = struct.pack("<q", 4) + bytes(16)) -> bytes:
    """The same in the older format."""
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    start = b"".join(pickle.dumps(part, 2) for part in parts)
    return start + b"\x80\x02" + content + b"." + pickle.dumps(["0"] if keys is None else keys, 2) + storages


def refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_torch(io.BytesIO(content))
    assert str(caught.value).startswith("load_torch: cannot read BytesIO: ")


def test_the_assembler_makes_files_that_are_read() -> None:
    for make in (archive, legacy):
        assert load_torch(io.BytesIO(make(tensor(storage())))).tolist() == [0, 0, 0, 0]


# --- code -------------------------------------------------------------------------------------------------------------

GADGETS = [
    ("os", "system", text("touch {path}")),
    ("posix", "system", text("touch {path}")),
    ("subprocess", "call", b"(" + text("touch") + text("{path}") + b"l"),
    ("builtins", "eval", text("open({path!r}, 'w')")),
    ("__builtin__", "eval", text("open({path!r}, 'w')")),
    ("builtins", "exec", text("open({path!r}, 'w')")),
    ("builtins", "open", text("{path}") + text("w")),
    ("builtins", "getattr", text("x") + text("__class__")),
    ("builtins", "__import__", text("os")),
    ("importlib", "import_module", text("os")),
    ("io", "open", text("{path}") + text("w")),
    ("torch", "load", text("{path}")),
    ("torch.hub", "load", text("{path}")),
    ("torch.serialization", "load", text("{path}")),
    ("torch.storage", "_load_from_bytes", b"C\x01x"),
    ("torch.nn.parameter", "Parameter.__init__", b""),
    ("torch._utils", "_rebuild_tensor_v2.__globals__", b""),
    ("torch._utils", "_rebuild_sparse_tensor", b""),
    ("numpy.core.multiarray", "_reconstruct", b""),
    ("numpy.core.multiarray", "scalar", b""),
    ("numpy", "load", text("{path}")),
    ("minigrad", "load", text("{path}")),
    ("minigrad.io.file", "save", integer(1) + text("{path}")),
    ("collections", "defaultdict", b""),
    ("collections", "namedtuple", text("a") + text("b")),
    ("_codecs", "decode", text("x") + text("rot13")),
    ("copyreg", "_reconstructor", b""),
    ("functools", "partial", b""),
    ("operator", "attrgetter", text("system")),
    ("webbrowser", "open", text("http://localhost")),
    ("pathlib", "Path", text("{path}")),
    ("__main__", "Net", b""),
]


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize(("module", "attribute", "arguments"), GADGETS)
@pytest.mark.parametrize("opcode", ["R", "i", "\x81", "stack"])
def test_names_of_code_are_refused(
    module: str, attribute: str, arguments: bytes, opcode: str, make: Any, tmp_path: Path
) -> None:
    path = tmp_path / "executed"
    filled = arguments.replace(b"{path!r}", repr(str(path)).encode()).replace(b"{path}", str(path).encode())
    content = {
        "R": name(module, attribute) + b"(" + filled + b"tR",
        "i": b"(" + filled + f"i{module}\n{attribute}\n".encode(),
        "\x81": name(module, attribute) + b"(" + filled + b"t\x81",
        "stack": text(module) + text(attribute) + b"\x93(" + filled + b"tR",
    }[opcode]
    if filled != arguments:  # the lengths in front of the texts have to fit the path
        content = content.replace(struct.pack("<I", len("touch {path}")), struct.pack("<I", len(f"touch {path}")))
    with pytest.raises(ValueError, match="load_torch: cannot read"):
        load_torch(io.BytesIO(make(content)))
    assert not path.exists()
    shown = module.replace("__builtin__", "builtins") + "." + attribute
    refused(
        make(name(module, attribute)),
        f"it holds '{shown}', which is no tensor or plain container; code in files is never run",
    )


def test_a_real_pickle_with_a_call_does_not_run_it(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    for protocol in range(2, 6):
        content = pickle.dumps({"weight": Call()}, protocol)[2:-1]
        refused(archive(content), "it holds 'posix.mkdir'")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "opcode",
    sorted(
        {value for key, value in vars(pickle).items() if isinstance(value, bytes) and len(value) == 1 and key.isupper()}
    ),
)
def test_every_opcode_alone_is_told(opcode: bytes) -> None:
    for rest in (b"", b"\x00" * 9, b"\xff" * 9, b"x\n"):
        for before in (b"", b"N", b"N" * 3, b"((", b"]N", b"}NN", b")", name("collections", "OrderedDict") + b")"):
            try:
                load_torch(io.BytesIO(archive(before + opcode + rest)))
            except ValueError as error:
                assert str(error).startswith("load_torch: cannot read BytesIO: ")


# --- tensors that are not what they say -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tensor(storage(), size=(5,)), "looks at element 4 of a storage of 4"),
        (tensor(storage(), offset=1), "looks at element 4 of a storage of 4"),
        (tensor(storage(), size=(2, 2), stride=(3, 1)), "looks at element 4 of a storage of 4"),
        (tensor(storage(), size=(2**62,), stride=(2**62,)), "looks at element"),
        (tensor(storage(), size=(2**40,), stride=(0,)), "repeats 4 elements to 1099511627776"),
        (tensor(storage(), size=(2**30, 2**30, 2**30), stride=(0, 0, 0)), "repeats 4 elements"),
        (tensor(storage(), size=(0, 2**70), stride=(1, 1)), "is larger than memory can be"),
        (tensor(storage(), size=(1,) * 65, stride=(1,) * 65), "a tensor of 65 dimensions"),
        (tensor(storage(), offset=-1, size=(1,)), "must not be negative"),
        (tensor(storage(), size=(-1,)), "must not be negative"),
        (tensor(storage(), stride=(-1,), offset=3), "must not be negative"),
        (tensor(storage(), size=(2, 2), stride=(1,)), "a tensor of size"),
        (tensor(storage(), then=b"\x89N}" + text("conj") + b"\x88s"), r"bits \['conj'\]"),
        (tensor(b"N"), "a tensor of a NoneType, expected a storage"),
        (tensor(text("0")), "a tensor of a str, expected a storage"),
        (tensor(storage("IntStorage"), then=b"\x88N"), "only floating-point tensors can have gradients"),
        (storage(), "it holds a bare storage"),
        (b"]" + storage() + b"a", "it holds a bare storage"),
        (name("torch", "FloatStorage"), "the class of storages of float32"),
        (b"}" + text("a") + name("torch._utils", "_rebuild_parameter") + b"s", r"it holds torch\._utils\._rebuild_parameter"),
        (storage(count=-4), "a storage is described by"),
        (b"(" + text("storage") + b"NNNNtQ", "a storage is described by"),
        (b"(" + text("module") + text("x") + text("y") + text("z") + b"tQ", "persistent id"),
        (b"NQ", "persistent id None"),
        (called("torch._utils", "_rebuild_parameter", b"N\x88N"), "_rebuild_parameter: expected a tensor, got a NoneType"),
        (called("torch", "Tensor", b""), r"torch\.Tensor: cannot be called"),
        (called("torch", "Size", b"(Nt"), r"torch\.Size: expected integers"),
        (called("builtins", "bytearray", integer(2**40)), "bytearray: expected a text in latin1"),
        (called("_codecs", "encode", text("a") + text("utf-32")), "expected a text in latin1"),
        (called("collections", "Counter", text("aab")), "Counter: expected a dict"),
        (called("collections", "OrderedDict", b"]Na"), "OrderedDict: expected pairs"),
        (called("builtins", "set", b"]]a"), "as a key"),
        (called("torch._tensor", "_rebuild_from_type_v2", name("collections", "OrderedDict") + name("torch", "Tensor") + b")N"), "its parts are not"),
        (name("collections", "OrderedDict") + b"NR", "with a NoneType"),
        (b"N)R", "calls a NoneType, which cannot be called"),
        (b"}}" + text("x") + b"Nsb", "sets attributes of a dict"),
        (called("collections", "OrderedDict", b"") + b"}" + text("items") + b"Nsb", "sets attributes of a OrderedDict"),
        (b"NN", "ends in the middle of an object"),
        (b"(N", "ends in the middle of an object"),
        (b"", "ends in the middle of an object"),
        (b"N0", "ends in the middle of an object"),
        (b"Ns", "damaged"),
        (b"\x80\x09N", "protocol 9"),
        (b"}]Ns", "as a key"),
        (b"}" + integer(2**63) + b"Ns", "as a key"),
        (b"\x82\x01", "opcode"),
        (b"j\x00\x00\x00\x00", "damaged"),
    ],
)  # fmt: skip
def test_contents_that_do_not_fit_are_told(content: bytes, message: str, make: Any) -> None:
    refused(make(content), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(tensor(storage(key="1"))), "it has no entry 'archive/data/1' for a storage"),
        (archive(tensor(storage(key="../data.pkl"))), "it has no entry 'archive/data/../data.pkl'"),
        (archive(tensor(storage(count=3))), "has 16 bytes, expected 3 elements of float32"),
        (archive(tensor(storage(count=2**61))), "has 16 bytes, expected 2305843009213693952 elements"),
        (archive(b"(" + tensor(storage()) + tensor(storage("IntStorage")) + b"t"), "storage '0' is described in two ways"),
        (archive(tensor(storage("BoolStorage", count=16)), {"0": b"\x02" * 16}), "neither 0 nor 1"),
        (archive(tensor(storage("QInt8Storage"))), r"it holds 'torch\.QInt8Storage'"),
        (archive(tensor(storage("UntypedStorage", count=16))), "a storage without dtype"),
        (archive(b"N", compression=zipfile.ZIP_DEFLATED), "is compressed or encrypted"),
        (archive(tensor(storage()), {"0": bytes(16)}, compression=zipfile.ZIP_LZMA), "is compressed or encrypted"),
        (archive(b"N", byteorder=b"middle"), "its byte order is b'middle'"),
        (archive(b"N").replace(b"data.pkl", b"data.pkx"), "it has no data.pkl in a folder"),
        (archive(b"NNNN0").replace(b"NNNN0", b"NNNN1"), "the checksum is wrong"),
        (b"PK\x03\x04", "truncated or damaged"),
        (b"PK\x05\x06" + bytes(18), "neither a ZIP archive nor"),
        (b"", "it is empty"),
        (b"\x80\x04N.", "it is a pickle, but not one of torch.save"),
        (bytes(257) + b"ustar" + bytes(300), "it is a tar archive"),
        (b"garbage" * 10, "neither a ZIP archive nor"),
        (legacy(tensor(storage()), keys=[]), "its list of storages does not fit"),
        (legacy(tensor(storage()), keys=["0", "0"]), "its list of storages does not fit"),
        (legacy(tensor(storage()), storages=struct.pack("<q", 3) + bytes(16)), "storage '0' has 3 elements, expected 4"),
        (legacy(tensor(storage()), storages=struct.pack("<q", -1) + bytes(16)), "storage '0' has -1 elements"),
        (legacy(tensor(storage()), storages=b""), "it is truncated"),
        (legacy(tensor(storage()), storages=struct.pack("<q", 4) + bytes(15)), "16 bytes should follow byte [0-9]+, but only 15 do"),
        (legacy(tensor(storage(count=2**50))), "its storages would have more bytes than the file"),
        (legacy(b"N").replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2)), "its version is 1002, expected 1001"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_told(content: bytes, message: str) -> None:
    refused(content, message)


def test_big_endian_archives() -> None:
    values = struct.pack(">4f", 1, 2, -3, 0.5)
    assert load_torch(io.BytesIO(archive(tensor(storage()), {"0": values}, byteorder=b"big"))).tolist() == [
        1,
        2,
        -3,
        0.5,
    ]
    complexes = struct.pack(">4f", 1, 2, 3, 4)
    read = load_torch(
        io.BytesIO(
            archive(tensor(storage("ComplexFloatStorage", count=2), size=(2,)), {"0": complexes}, byteorder=b"big")
        )
    )
    assert read.tolist() == [1 + 2j, 3 + 4j]


def test_parts_of_storages_in_the_older_format() -> None:
    part = b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + integer(4)
    view = part + b"(" + text("7") + integer(1) + integer(2) + b"ttQ"
    content = b"(" + tensor(storage()) + tensor(view, size=(2,)) + b"t"
    whole, piece = load_torch(
        io.BytesIO(legacy(content, storages=struct.pack("<q", 4) + struct.pack("<4f", 1, 2, 3, 4)))
    )
    assert (whole.tolist(), piece.tolist()) == ([1, 2, 3, 4], [2, 3])
    piece.fill_(0)
    assert whole.tolist() == [1, 0, 0, 4]
    assert whole._version == 1
    for begin, count in ((-1, 2), (3, 2), (0, -1), (0, 2**60)):
        bad = part + b"(" + text("7") + integer(begin) + integer(count) + b"ttQ"
        refused(legacy(tensor(bad, size=(1,))), "a part of a storage of 4 elements is described by")


def overlapping() -> bytes:
    """Two entries of the directory that stand for one in the file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("archive/data.pkl", b"\x80\x02N.")
        zipped.writestr("archive/data/0", bytes(64))
        zipped.getinfo("archive/data/0").filename = "archive/data/1"
        zipped.filelist.append(zipped.getinfo("archive/data/0"))
    return file.getvalue()


def test_entries_that_overlap_or_repeat() -> None:
    refused(overlapping(), "overlaps another|name twice")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            zipped.writestr("archive/data.pkl", b"\x80\x02N.")
    refused(file.getvalue(), "a name twice")


def with_lie(content: bytes, signature: bytes, nth: int, offset: int, value: bytes) -> bytes:
    """The nth record of an archive with one of its fields changed."""
    place = -1
    for _ in range(nth + 1):
        place = content.index(signature, place + 1)
    return content[: place + offset] + value + content[place + offset + len(value) :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
SOUND = archive(tensor(storage()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_lie(SOUND, LOCAL, 1, 26, b"\xff\xff"), "65535 bytes should follow"),
        (with_lie(SOUND, LOCAL, 1, 0, b"PK\x03\x05"), "is not where the directory says"),
        (with_lie(SOUND, CENTRAL, 1, 24, b"\x10\xff\xff\x7f"), "is compressed or encrypted|truncated"),
        (with_lie(SOUND, CENTRAL, 1, 20, b"\xff\xff\xff\x7f\xff\xff\xff\x7f"), "should follow byte"),
        (with_lie(SOUND, CENTRAL, 1, 8, b"\x01"), "is compressed or encrypted"),
        (with_lie(SOUND, CENTRAL, 1, 42, bytes(4)), "overlaps another"),
        (with_lie(SOUND, END, 0, 16, b"\xff\xff\xff\x7f"), "overlaps another|truncated or damaged"),
        (SOUND.replace(b"archive/data/0", b"archive/data\x000"), "it has no entry 'archive/data/0'"),
        (SOUND.replace(b"archive/data/0", b"archive\\data/0"), "it has no entry 'archive/data/0'"),
        (archive(b"N", {"../x/data.pkl": b"N."}).replace(b"archive/data.pkl", b"archive/data.pkx"), "it has no data.pkl in a folder"),
    ],
)  # fmt: skip
def test_archives_whose_records_lie(content: bytes, message: str) -> None:
    assert content != SOUND
    refused(content, message)


def described(structure: Any, **tensors: str) -> bytes:
    """A file of minigrad.save with this description of its contents, and tensors of these types and four bytes an element."""
    header: dict[str, Any] = {
        "__metadata__": {"minigrad": structure if isinstance(structure, str) else json.dumps(structure)}
    }
    for i, (key, dtype) in enumerate(tensors.items()):
        header[key] = {"dtype": dtype, "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(4 * len(tensors))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (described("{"), "its description of the contents is damaged: Expecting"),
        (described('{"list":[' * 50_000), "its description of the contents is damaged"),
        (described("[" + "1" * 5000 + "]"), "its description of the contents is damaged: Exceeds the limit"),
        (described([1]), r"has \[1\], which stands for nothing"),
        (described({"tensor": "a"}), "names a tensor 'a' that is not there"),
        (described({"tensor": "a", "requires_grad": True}, a="I32"), "requires_grad=True of 'a', which is int32"),
        (described({"parameter": "a", "requires_grad": True}, a="U32"), "requires_grad=True of 'a', which is uint32"),
        (described({"parameter": "a", "requires_grad": "no"}, a="F32"), "requires_grad='no' of 'a', which is float32"),
        (described({"dict": [[{"tensor": "a"}, 1]]}, a="F32"), r"has tensor\(\[0\.\]\) as a key"),
        (described({"dict": [[{"tuple": [1, {"tensor": "a"}]}, 1]]}, a="F32"), r"has tensor\(\[0\.\]\) as a key"),
        (described({"dict": [[{"list": []}, 1]]}), r"has \[\] as a key"),
        (described({"dict": [[2**63, 1]]}), "has 9223372036854775808 as a key"),
        (described({"ordered_dict": [[{"tuple": [{"tuple": [-(2**63) - 1]}]}, 1]]}), "has -9223372036854775809 as a key"),
        (described({"dict": [["a", 1], ["a", 2]]}), "has the key 'a' twice"),
        (described({"dict": [["a"]]}), "an entry of a dict that is no pair"),
    ],
)  # fmt: skip
def test_descriptions_of_contents_that_no_save_writes(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"load: cannot read BytesIO: .*{message}"):
        minigrad.load(io.BytesIO(content))


def test_keys_that_load_would_refuse_are_not_saved() -> None:
    sound = {2**63 - 1: 1, -(2**63): 2, (1, ("a", None)): 3, True: 4, 0.5: 5}
    file = io.BytesIO()
    minigrad.save(sound, file)
    assert minigrad.load(io.BytesIO(file.getvalue())) == sound
    for key in (2**63, (1, -(2**63) - 1)):
        with pytest.raises(TypeError, match=r"the object\['a'\] has the key .*, which has more than 64 bits"):
            minigrad.save({"a": {key: 1}}, io.BytesIO())


# --- bombs: run in a process that may not have much memory ------------------------------------------------------------


# A tuple of ten times a tuple of ten times ...: written out it would be longer than any memory, and its hash would take for ever.
LAUGHS = b")q\x00" + b"".join([b"0(" + bytes([104, n]) * 10 + b"tq" + bytes([n + 1]) for n in range(99)])


def bombs() -> dict[str, bytes]:
    many = 200_000
    deep = b"]" * many + b"a" * (many - 1)
    header = ("{" + '"a":{' * 90_000).encode()
    return {
        "deep lists": archive(deep),
        "deep tuples": archive(b"N" + b"\x85" * many),
        "a deep tuple as a key": archive(b"}" + b"N" + b"\x85" * many + b"Ns"),
        "deep tuple in a set": archive(b"\x8f(N" + b"\x85" * many + b"\x90"),
        "marks": archive(b"(" * 3_000_000),
        "a list that contains itself": archive(b"]q\x00" + b"h\x00a" * 10),
        "copies of a list": archive(
            b"(" + b"]q\x01(" + b"N" * many + b"e0" + (name("collections", "OrderedDict") + b"(h\x01tR") * many + b"t"
        ),
        "copies of a text": archive(
            b"(" + text("x" * many) + b"q\x010" + (name("_codecs", "encode") + b"(h\x01tR") * 50_000 + b"t"
        ),
        "copies of a size": archive(
            integers(*range(many)) + b"q\x010(" + (name("torch", "Size") + b"(h\x01tR") * 50_000 + b"t"
        ),
        "a tuple as many keys": archive(b"(" + b"N" * many + b"tq\x010}(" + b"h\x01N" * many + b"u"),
        "laughs as a size": archive(
            name("torch._utils", "_rebuild_tensor_v2")
            + b"("
            + LAUGHS
            + b"q\x630"
            + storage()
            + b"K\x00h\x63h\x63\x89NtR"
        ),
        "laughs in a device": archive(b"(" + LAUGHS + b"0" + text("storage") + b"h\x63NNNtQ"),
        "laughs as keys": legacy(b"N", storages=b"").replace(pickle.dumps(["0"], 2), b"\x80\x02(" + LAUGHS + b"l."),
        "memo at a huge index": archive(b"Nr\xff\xff\xff\xff"),
        "memo at an index as a text": archive(b"Np99999999999999999999\n"),
        "text of a huge length": archive(b"\x8d" + struct.pack("<Q", 2**62) + b"x"),
        "bytes of a huge length": archive(b"\x8e" + struct.pack("<Q", 2**40) + b"x"),
        "bytearray of a huge length": archive(b"\x96" + struct.pack("<Q", 2**40) + b"x"),
        "a frame of a huge length": archive(b"\x95" + struct.pack("<Q", 2**62) + b"."),
        "an integer of a huge length": archive(b"\x8b" + struct.pack("<i", 2**31 - 1)),
        "an integer of negative length": archive(b"\x8b" + struct.pack("<i", -1)),
        "an integer of many digits": archive(b"L" + b"9" * 4_000_000 + b"\n"),
        "a storage of a huge count": legacy(tensor(storage(count=2**40))),
        "a tensor of stride 0": archive(tensor(storage(), size=(2**50,), stride=(0,))),
        "zip bomb in the pickle": archive(b"N" * 50_000_000, compression=zipfile.ZIP_DEFLATED),
        "zip bomb in a storage": archive(
            tensor(storage(count=12_500_000)), {"0": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED
        ),
        "opcodes without end": archive(b"N0" * 5_000_000),
        "header of a huge length": struct.pack("<Q", 2**62) + b"{}",
        "deep header": struct.pack("<Q", len(header)) + header,
        "header with a huge number": (lambda h: struct.pack("<Q", len(h)) + h)(b'{"a":' + b"9" * 1_000_000 + b"}"),
        "keys whose hashes collide": described({"dict": [[(2**61 - 1) * i, 0] for i in range(40_000)]}),
        "header with a huge shape": (lambda h: struct.pack("<Q", len(h)) + h)(
            json.dumps({"a": {"dtype": "F32", "shape": [2**62] * 60, "data_offsets": [0, 0]}}).encode()
        ),
    }


HARMLESS = {"a list that contains itself", "memo at a huge index"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are kept on Linux only")
def test_bombs_cost_little(tmp_path: Path) -> None:
    kinds = bombs()
    for kind, content in kinds.items():
        (tmp_path / kind).write_bytes(content)
    script = textwrap.dedent(f"""
        import json, resource, sys, time
        from pathlib import Path
        import minigrad
        from minigrad.io import load_torch
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = {{}}
        for path in sorted(Path({str(tmp_path)!r}).iterdir()):
            start = time.process_time()
            try:
                minigrad.load(path)
                message = "read"
            except ValueError as error:
                message = str(error)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            found[path.name] = [message, time.process_time() - start, peak]
        print(json.dumps([before, found]))
    """)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))

    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(minigrad.__file__).parents[1]),
        "OPENBLAS_NUM_THREADS": "1",
        "MINIGRAD_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=environment,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    before, found = json.loads(done.stdout)
    assert set(found) == set(kinds)
    for kind, (message, seconds, peak) in found.items():
        assert (message == "read") == (kind in HARMLESS), (kind, message)
        assert message == "read" or message.startswith("load: cannot read"), (kind, message)
        assert seconds < 40, (kind, seconds)
        assert (peak - before) < 700_000, (kind, peak)  # kilobytes


# --- damage at random -------------------------------------------------------------------------------------------------


def survives(load: Any, content: bytes) -> None:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load(io.BytesIO(content))
        except ValueError as error:
            assert str(error).startswith(f"{load.__name__}: cannot read BytesIO: ")
    assert time.process_time() - start < 5


@st.composite
def damaged(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """One of the files with some places changed, cut out, repeated or taken from another file."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(["flip", "set", "cut", "repeat", "insert", "splice", "truncate"]))
        if kind == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            content[place : place + 1] = draw(
                st.sampled_from([b"\x00", b"\xff", b"\x7f", b"\x80", b"(", b"R", b"b", b"h\x00", b"0", b"Q"])
            )
        elif kind == "cut":
            del content[place : place + length]
        elif kind == "repeat":
            content[place:place] = content[place : place + length]
        elif kind == "insert":
            content[place:place] = draw(st.binary(max_size=8))
        elif kind == "splice":
            other = draw(st.sampled_from(contents))
            start = draw(st.integers(0, len(other)))
            content[place : place + length] = other[start : start + length]
        else:
            del content[place:]
    return bytes(content)


def pickles_of_the_files() -> list[bytes]:
    """The pickles inside the files, without their first and last opcode."""
    found = [tensor(storage()), pickle.dumps([1, {"a": (2.5, None, b"x")}], 4)[2:-1]]
    for path in TORCH_FILES:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as zipped:
                found += [zipped.read(entry)[2:-1] for entry in zipped.namelist() if entry.endswith("data.pkl")]
    return found


@given(content=damaged([path.read_bytes() for path in TORCH_FILES]))
def test_damaged_files_of_torch(content: bytes) -> None:
    survives(load_torch, content)


@given(content=damaged(pickles_of_the_files()))
def test_damaged_pickles_in_whole_files(content: bytes) -> None:
    storages = {str(key): bytes(4096) for key in range(40)}
    survives(load_torch, archive(content, storages))
    survives(load_torch, legacy(content))


OPCODES = sorted(
    {value for key, value in vars(pickle).items() if isinstance(value, bytes) and len(value) == 1 and key.isupper()}
)
PIECES = [
    storage(), tensor(storage()), text("a"), text("state_dict"), integer(7), integer(-1), integer(2**40), name("collections", "OrderedDict"),
    name("torch", "Size"), name("torch._utils", "_rebuild_tensor_v2"), name("torch._utils", "_rebuild_parameter"), name("builtins", "set"),
    name("torch._tensor", "_rebuild_from_type_v2"), name("_codecs", "encode"), name("collections", "Counter"), integers(1, 2), b")R", b"q\x00", b"h\x00",
]  # fmt: skip


@given(parts=st.lists(st.sampled_from(OPCODES + PIECES * 4) | st.binary(max_size=4), max_size=30))
def test_random_programs_of_opcodes(parts: list[bytes]) -> None:
    survives(load_torch, archive(b"".join(parts)))
    survives(load_torch, legacy(b"".join(parts)))


def own_files() -> list[bytes]:
    found = []
    for obj in (
        {"a": minigrad.ones(3), "b": [minigrad.zeros(2), 1.5, "x"]},
        {"weight": minigrad.ones(2, 3), "bias": minigrad.arange(3)},
        (1, 2),
    ):
        file = io.BytesIO()
        minigrad.save(obj, file)
        found.append(file.getvalue())
    return found


@given(content=damaged(own_files()))
def test_damaged_files_of_minigrad(content: bytes) -> None:
    survives(minigrad.load, content)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["F32", "BF16", "BOOL", "dtype", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "BOOL", "I64", "U8"]) | JSON,
        "shape": st.lists(st.sampled_from([0, 1, 2, 4, 2**31, 2**63, -1]), max_size=4) | JSON,
        "data_offsets": st.tuples(st.sampled_from([0, 4, 8, 2**63]), st.sampled_from([0, 4, 8, 16])) | JSON,
    }
)


@given(
    header=st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), ENTRY | JSON, max_size=3),
    size=st.sampled_from([0, 4, 8, 16]),
)
def test_random_headers(header: Any, size: int) -> None:
    encoded = json.dumps(header).encode()
    survives(minigrad.load, len(encoded).to_bytes(8, "little") + encoded + bytes(size))


@pytest.mark.parametrize("path", TORCH_FILES, ids=lambda path: path.name)
def test_every_truncation_of_a_file_of_torch_is_told(path: Path) -> None:
    content = path.read_bytes()
    for length in range(0, len(content), 13):
        with pytest.raises(ValueError, match="load_torch: cannot read BytesIO: "):
            load_torch(io.BytesIO(content[:length]))


def test_every_changed_bit_of_an_archive_is_told_or_harmless() -> None:
    """The checksums find what changes the contents; the older format has none."""
    content = (FILES / "untyped.pt").read_bytes()
    expected = load_torch(io.BytesIO(content))["words"].tolist()
    for place in range(len(content)):
        damage = bytearray(content)
        damage[place] ^= 0x10
        try:
            assert load_torch(io.BytesIO(bytes(damage)))["words"].tolist() == expected
        except ValueError as error:
            assert str(error).startswith("load_torch: cannot read")
