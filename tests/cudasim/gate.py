"""Compiles every CUDA kernel for every architecture by NVRTC, which needs no GPU, and fails on spilled registers, stacks and unexpected figures.

    python -m tests.cudasim.gate            compares registers and shared memory with registers.json
    python -m tests.cudasim.gate --write    writes that file anew

NVRTC comes with the wheel nvidia-cuda-nvrtc-cu12. What is compiled here has not run on a GPU.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

from minigrad.kernels import formula
from minigrad.kernels.cuda import launch
from minigrad.kernels.cuda.update import written_out

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
FILES = sorted([path.stem for path in launch.SOURCES.glob("*.cu")])
RECORD = Path(__file__).with_name("registers.json")
# CuPy adds the last two to every compilation.
OPTIONS = (*launch.OPTIONS, "--ptxas-options=-v", "-ftz=true", "--device-as-default-execution-space")
FIGURES = re.compile(
    r"Function properties for (\S+)\s*\n.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\s*\n.*?Used (\d+) registers([^\n]*)"
)


def nvrtc() -> Any:
    """The library, from its wheel; None if it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(root).glob("**/libnvrtc.so.1*")):
            return ctypes.CDLL(str(path))
    return None


def compiled(library: Any, text: str, options: tuple[str, ...]) -> str:
    """The log of a compilation, in which ptxas tells the figures of each kernel.

    Raises:
        RuntimeError: the source does not compile.
    """
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    status = library.nvrtcCompileProgram(
        program, len(options), (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    )
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if status:
        raise RuntimeError(log.value.decode()[:4000])
    return log.value.decode()


def figures(log: str) -> dict[str, dict[str, int]]:
    """Registers, bytes of shared memory, of the stack and of spills of each kernel."""
    found = {}
    for m in FIGURES.finditer(log):
        shared = re.search(r"(\d+) bytes smem", m[6])
        found[m[1]] = {
            "registers": int(m[5]),
            "shared": int(shared[1]) if shared else 0,
            "stack": int(m[2]),
            "spills": int(m[3]) + int(m[4]),
        }
    return found


def sources() -> dict[str, str]:
    """The texts that are compiled: each file, and the formula of an optimiser."""
    texts = {name: launch.source(name) for name in FILES}
    notes, results = formula.noted(lambda p, g, m: (p - 0.1 * (0.9 * m + g), 0.9 * m + g), 3)
    texts["formula"] = (launch.SOURCES / "common.h").read_text() + written_out(
        3, tuple(notes.steps), results, len(notes.constants), 40
    )
    return texts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write registers.json anew")
    parser.add_argument("--only", nargs="*", default=ARCHITECTURES, help="the architectures to compile for")
    chosen = parser.parse_args()
    library = nvrtc()
    if library is None:
        print("SKIPPED: the wheel nvidia-cuda-nvrtc-cu12 is not installed, so no CUDA kernel was compiled")
        return 0
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wrong = []
    for architecture in chosen.only:
        found: dict[str, Any] = {}
        for name, text in sources().items():
            for kind, defines in launch.DEFINES.items():
                for kernel, numbers in figures(
                    compiled(library, text, (f"-arch={architecture}", *OPTIONS, *defines))
                ).items():
                    found[f"{name}/{kernel}/{kind}"] = [numbers["registers"], numbers["shared"]]
                    if numbers["stack"] or numbers["spills"]:
                        wrong.append(
                            f"{architecture}: {kernel} for {kind}: {numbers['stack']} bytes of stack, {numbers['spills']} of spills"
                        )
        most = max(found, key=lambda k: found[k][0])
        print(f"{architecture}: {len(found)} kernels compiled, at most {found[most][0]} registers ({most})", flush=True)
        if not chosen.write and architecture not in record:
            print(f"{architecture}: registers are not recorded; --write --only {architecture} does that")
        elif not chosen.write and found != record[architecture]:
            before = record[architecture]
            changed = [k for k in {**found, **before} if found.get(k) != before.get(k)]
            wrong.append(
                f"{architecture}: registers or shared memory changed (--write records them): {', '.join(changed[:10])}"
            )
        record[architecture] = found
        if chosen.write:
            RECORD.write_text(json.dumps(record, indent=0, sort_keys=True) + "\n")
    print("\n".join(wrong) or "no spills, no stacks; compiled, not run on a GPU")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
