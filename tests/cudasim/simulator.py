"""Compiles CUDA C with g++ (see cuda.h) and runs it on arrays of the host, each copied between pages that cannot be touched."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import mmap
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")
CACHE = Path(
    os.environ.get("MINIGRAD_CUDASIM_CACHE") or Path(tempfile.gettempdir()) / f"minigrad-cudasim-{os.getuid()}"
)
FLAGS = [
    "-std=c++17",
    "-fPIC",
    "-w",
    "-fvisibility=hidden",
    "-fno-gnu-unique",
    "-U_FORTIFY_SOURCE",
    "-ffp-contract=off",
]
MODES = {
    "fast": ["-O2", "-fno-math-errno"],
    "check": ["-O1", "-fno-math-errno", "-fsanitize=thread", "-fsanitize=alignment", "-DCUSIM_CHECK"],
}
KERNEL = re.compile(r"__global__\s+void\s+(\w+)\s*\(")
DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;")
SHARED = re.compile(r"__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?([\w: <>]+?)\s+(\w+)\s*((?:\[[^;]*\])*)\s*;")
PAGE = mmap.PAGESIZE


class SimulationError(RuntimeError):
    """A kernel did what no kernel may do, or could not be started."""


class Parameter(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("size", "kind", "pointed_size", "pointed_kind", "read_only")]


KINDS = {"i": 0, "u": 0, "b": 0, "f": 1, "V": 3}


def in_plain_cpp(source: str) -> str:
    """Shared arrays as references into the simulator's memory."""
    numbers = itertools.count()
    source = DYNAMIC.sub(r"\1* \2 = cusim::dynamic<\1>();", source)
    return SHARED.sub(
        lambda m: (
            f"typedef {m[1]} {m[2]}_type{m[3]}; {m[2]}_type& {m[2]} = cusim::shared<{m[2]}_type, {next(numbers)}>();"
        ),
        source,
    )


@cache
def header(mode: str) -> Path:
    """A folder with cuda.h compiled beforehand for a mode, which every module of it begins with."""
    assert COMPILER is not None
    flags = [*FLAGS, *MODES[mode]]
    text = (HERE / "cuda.h").read_text()
    folder = CACHE / hashlib.sha256("\0".join([text, COMPILER, *flags]).encode()).hexdigest()[:24]
    if not (folder / "cuda.h.gch").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
            (Path(temporary) / "cuda.h").write_text(text)
            os.replace(Path(temporary) / "cuda.h", folder / "cuda.h")
            made = Path(temporary) / "cuda.h.gch"
            run([COMPILER, *flags, "-x", "c++-header", str(folder / "cuda.h"), "-o", str(made)])
            os.replace(made, folder / "cuda.h.gch")
    return folder


@cache
def compiled(source: str, options: tuple[str, ...], mode: str, only: str | None = None) -> Module:
    return Module(source, options, mode, only)


class Module:
    """The kernels of one source text, or only one of them, compiled with these options (only -D matters here) in one mode: fast or check."""

    def __init__(self, source: str, options: Sequence[str] = (), mode: str = "fast", only: str | None = None) -> None:
        if COMPILER is None:
            raise SimulationError("the simulator needs g++")
        flags = [*FLAGS, *MODES[mode]]
        defines = [o for o in options if o.startswith("-D")]
        marks = [source, (HERE / "cuda.h").read_text(), str(only), *flags, *defines]
        key = hashlib.sha256("\0".join(marks).encode()).hexdigest()[:24]
        CACHE.mkdir(parents=True, exist_ok=True)
        library = CACHE / f"{key}.so"
        names = CACHE / f"{key}.txt"
        if not library.exists():
            self.build(source, [f"-I{header(mode)}", *flags], defines, only, library, names)
        self.kernels = names.read_text().split()
        self.library = ctypes.CDLL(str(library))
        self.library.cusim_message.restype = ctypes.c_char_p
        self.library.cusim_accesses.restype = ctypes.c_uint64

    @staticmethod
    def build(source: str, flags: list[str], defines: list[str], only: str | None, library: Path, names: Path) -> None:
        assert COMPILER is not None
        expanded = run([COMPILER, "-E", "-x", "c++", "-DCUSIM", "-D__launch_bounds__(...)=", *defines, "-"], source)
        kernels = [name for name in KERNEL.findall(expanded) if only in (None, name)]
        if only is not None:  # what nothing outside can call is compiled only where it is called
            expanded = expanded.replace('extern "C" __global__', "static")
        exports = "".join([f"CUSIM_KERNEL({name})\n" for name in kernels])
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            text, thing = Path(folder) / "kernels.cpp", Path(folder) / "kernels.o"
            text.write_text(f'#include "cuda.h"\n{in_plain_cpp(expanded)}\n{exports}')
            run([COMPILER, *flags, "-c", str(text), "-o", str(thing)])
            run([COMPILER, "-shared", str(thing), "-o", f"{thing}.so"])  # without libtsan: the hooks are our own
            names.write_text(" ".join(kernels))
            os.replace(f"{thing}.so", library)

    def kernel(self, name: str) -> Kernel:
        if name not in self.kernels:
            raise SimulationError(f"CUDA_ERROR_NOT_FOUND: {name}")
        return Kernel(self, name)


def run(command: list[str], text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SimulationError(done.stderr[:4000])
    return done.stdout


class Guarded:
    """A copy of an array that ends (up to its alignment of 16 bytes) where a page begins that cannot be touched."""

    _c = ctypes.CDLL(None, use_errno=True)
    _c.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.original = array
        body = max(PAGE, -(-array.nbytes // PAGE) * PAGE)
        self.pages = mmap.mmap(-1, body + 2 * PAGE)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.pages))
        for page in (self.base, self.base + PAGE + body):
            self._c.mprotect(page, PAGE, 0)
        offset = PAGE + (body - array.nbytes) // 16 * 16
        self.array = np.frombuffer(self.pages, np.uint8, array.nbytes, offset).view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def back(self) -> None:
        self.original[...] = self.array


class Kernel:
    """A kernel that can be started; what its arguments must be is read off its C++ signature."""

    def __init__(self, module: Module, name: str) -> None:
        self.module, self.name = module, name
        self.function: Callable[..., int] = module.library[f"{name}_start"]
        found = (Parameter * 4096)()
        self.parameters = found[: module.library[f"{name}_parameters"](found)]

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_mem: int = 0, seed: int = 1
    ) -> None:
        grid, block = [*grid, 1, 1][:3], [*block, 1, 1][:3]
        if (
            not 0 < block[0] * block[1] * block[2] <= 1024
            or block[2] > 64
            or min(grid) < 1
            or max(grid[1:]) > 65535
            or grid[0] >= 2**31
        ):
            raise SimulationError(f"{self.name}: CUDA_ERROR_INVALID_VALUE: grid {grid}, block {block}")
        if shared_mem > 48 * 1024:
            raise SimulationError(
                f"{self.name}: more than 48 KiB of dynamic shared memory need an attribute of the kernel"
            )
        if sum([parameter.size for parameter in self.parameters]) > 4096:
            raise SimulationError(f"{self.name}: more than 4096 bytes of arguments, which only CUDA 12.1 and later take")
        if len(arguments) != len(self.parameters):
            raise TypeError(f"{self.name}: expected {len(self.parameters)} arguments, got {len(arguments)}")
        guarded: dict[Any, Guarded] = {}
        written: set[Any] = set()
        values = []
        for i, (argument, parameter) in enumerate(zip(arguments, self.parameters, strict=True)):
            if parameter.kind == 2:
                values.append(self.pointer(i, argument, parameter, guarded, written))
            else:
                values.append(self.number(i, argument, parameter))
        arrays = [g.array for g in guarded.values()]
        n = len(arrays)
        self.module.library.cusim_buffers(
            n,
            (ctypes.c_size_t * n)(*[a.ctypes.data for a in arrays]),
            (ctypes.c_size_t * n)(*[a.ctypes.data + a.nbytes for a in arrays]),
            (ctypes.c_uint * n)(*[min(a.itemsize, 4) for a in arrays]),
        )
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(v) for v in values])
        three = ctypes.c_uint * 3
        if self.function(three(*grid), three(*block), ctypes.c_size_t(shared_mem), pointers, ctypes.c_uint64(seed)):
            raise SimulationError(f"{self.name}: {self.module.library.cusim_message().decode()}")
        for key in written:
            guarded[key].back()

    def pointer(
        self, i: int, argument: Any, parameter: Parameter, guarded: dict[Any, Guarded], written: set[Any]
    ) -> Any:
        if isinstance(argument, np.uint64) and argument == 0:  # CuPy has no argument for a null pointer but its 8 bytes
            return ctypes.c_uint64(0)
        if not isinstance(argument, np.ndarray):
            raise TypeError(f"{self.name}, argument {i}: expected an array for a pointer, got {argument!r}")
        alike = (
            argument.dtype.itemsize == parameter.pointed_size
            and KINDS.get(argument.dtype.kind) == parameter.pointed_kind
        )
        if parameter.pointed_kind == 3:  # a vector such as int4, or half a float
            alike = (
                parameter.pointed_size == 2
                and argument.dtype == np.float16
                or argument.itemsize == 4
                and argument.nbytes % parameter.pointed_size == 0
            )
        if not alike:
            raise TypeError(
                f"{self.name}, argument {i}: an array of {argument.dtype} for a pointer to {parameter.pointed_size} bytes of another type"
            )
        if not argument.flags.c_contiguous:
            raise TypeError(
                f"{self.name}, argument {i}: the array is not contiguous, which a bare pointer does not tell the kernel"
            )
        key = (argument.ctypes.data, argument.nbytes)
        if key not in guarded:
            guarded[key] = Guarded(argument)
        if not parameter.read_only:
            written.add(key)
        return ctypes.c_uint64(guarded[key].array.ctypes.data)

    def number(self, i: int, argument: Any, parameter: Parameter) -> Any:
        if not isinstance(argument, np.generic):
            raise TypeError(
                f"{self.name}, argument {i}: expected a NumPy scalar, whose size is known, got {argument!r}"
            )
        if argument.dtype.itemsize != parameter.size or KINDS.get(argument.dtype.kind) != parameter.kind:
            raise TypeError(f"{self.name}, argument {i}: {argument.dtype} for a parameter of {parameter.size} bytes")
        return ctypes.create_string_buffer(argument.tobytes(), parameter.size)
