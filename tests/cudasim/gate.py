"""Compiles every CUDA kernel for every architecture by NVRTC, which needs no GPU, and fails on spilled registers, stacks and unexpected figures.

It fails too if multiply-adds are less than 80% of the instructions in the inner loop of the largest tile of the convolution, on sm_80 and sm_90.

    python -m tests.cudasim.gate            compares registers and shared memory with registers.json
    python -m tests.cudasim.gate --write    writes that file anew

NVRTC comes with the wheel nvidia-cuda-nvrtc-cu12, the disassembler with nvidia-cuda-nvdisasm. What is compiled here has not run on a GPU.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from minigrad.kernels import formula
from minigrad.kernels.cuda import launch
from minigrad.kernels.cuda.update import PASSES, pass_written_out, written_out

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
FILES = sorted([path.stem for path in launch.SOURCES.glob("*.cu")])
RECORD = Path(__file__).with_name("registers.json")
# CuPy adds the last two to every compilation.
OPTIONS = (*launch.OPTIONS, "--ptxas-options=-v", "-ftz=true", "--device-as-default-execution-space")
LEAST_SHARE = 0.8
HOT = ("sm_80", "sm_90"), "gather_128x128"  # where that is asked, and of which kernel
FIGURES = re.compile(
    r"Function properties for (\S+)\s*\n.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\s*\n.*?Used (\d+) registers([^\n]*)"
)


def in_wheels(pattern: str) -> str | None:
    """The path of a file of NVIDIA's wheels; None if it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(root).glob(f"**/{pattern}")):
            return str(path)
    return None


def nvrtc() -> Any:
    """The library; None if it is not installed."""
    path = in_wheels("libnvrtc.so.1*")
    return None if path is None else ctypes.CDLL(path)


def compiled(library: Any, text: str, options: tuple[str, ...]) -> tuple[str, bytes]:
    """The log of a compilation, in which ptxas tells the figures of each kernel, and the machine code.

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
    if status:
        raise RuntimeError(log.value.decode()[:4000])
    library.nvrtcGetCUBINSize(program, ctypes.byref(size))
    code = ctypes.create_string_buffer(size.value)
    library.nvrtcGetCUBIN(program, code)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode(), code.raw


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


INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,5}\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9_.]+)(.*)")
LABEL = re.compile(r"^\.?(L_x_\d+):")


def share_of_multiply_adds(disassembler: str, code: bytes, kernel: str) -> float:
    """How much of the instructions of a kernel's inner loop (the one with the most of them) are FFMA."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        text = subprocess.run([disassembler, "-c", file.name], capture_output=True, text=True, check=True).stdout
    instructions: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    for line in text.split(f".text.{kernel}:", 1)[1].split("\n.text.", 1)[0].splitlines():
        label, instruction = LABEL.match(line.strip()), INSTRUCTION.match(line)
        if label:
            labels[label[1]] = len(instructions)
        elif instruction:
            instructions.append((instruction[1], instruction[2]))
    most, share = 0, 0.0
    for end, (name, target) in enumerate(instructions):
        label = re.search(r"L_x_\d+", target) if name.startswith("BRA") else None
        if label and labels.get(label[0], end + 1) <= end:
            body = instructions[labels[label[0]] : end + 1]
            found = len([i for i, _ in body if i.startswith("FFMA")])
            if found > most:
                most, share = found, found / len(body)
    return share


def sources() -> dict[str, str]:
    """The texts that are compiled: each file, the formula of an optimiser, and the passes over all gradients."""
    texts = {name: launch.source(name) for name in FILES}
    notes, results = formula.noted(lambda p, g, m: (p - 0.1 * (0.9 * m + g), 0.9 * m + g), 3)
    common = (launch.SOURCES / "common.h").read_text()
    texts["formula"] = common + written_out(3, tuple(notes.steps), results, len(notes.constants), 40)
    texts |= {name: common + pass_written_out(name, 40) for name in PASSES}
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
    disassembler = in_wheels("bin/nvdisasm")
    if disassembler is None:
        print("SKIPPED: the wheel nvidia-cuda-nvdisasm is not installed, so no multiply-adds were counted")
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wrong = []
    for architecture in chosen.only:
        found: dict[str, Any] = {}
        for name, text in sources().items():
            for kind, defines in launch.DEFINES.items():
                log, code = compiled(library, text, (f"-arch={architecture}", *OPTIONS, *defines))
                if disassembler is not None and architecture in HOT[0] and (name, kind) == ("conv", "float32"):
                    share = share_of_multiply_adds(disassembler, code, HOT[1])
                    print(f"{architecture}: {share:.1%} of the inner loop of {HOT[1]} are multiply-adds")
                    if share < LEAST_SHARE:
                        wrong.append(
                            f"{architecture}: only {share:.1%} of the inner loop of {HOT[1]} are multiply-adds"
                        )
                for kernel, numbers in figures(log).items():
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
