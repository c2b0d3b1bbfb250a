"""Instructions of the kernels, which no other program's load changes: ``python -m benchmarks.instructions``.

A dozen calls on one thread under valgrind's callgrind, and the instructions that each ran in the compiled kernels
(nothing of the interpreter, of NumPy or of the C library), held against those in ``instructions.json`` beside this
file. That is for one compiler: with another, or without valgrind, its header or a C compiler, nothing is compared, and
a line says so. ``--write`` measures anew what a change of the kernels is meant to change.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks import library
from benchmarks.cells import make_image

BASELINE = Path(__file__).with_suffix(".json")

#: Instruction sets that are counted: valgrind knows no AVX-512.
ISAS = ("base", "v3")

#: Largest part by which a count may change: one that shrinks more wants a new baseline, or the gain can be lost again.
TOLERANCE = 0.03

SIDE = 512

#: A call: function, dtype of the image, arguments, channels.
CALLS = {
    "max 2/2 uint8": ("max_pool", "uint8", {}),
    "max 2/2 float32": ("max_pool", "float32", {}),
    "max 3/1 float32": ("max_pool", "float32", {"window_shape": 3, "stride": 1}),
    "max 3/2 uint8 rgb": ("max_pool", "uint8", {"window_shape": 3, "stride": 2, "channel_axis": -1}),
    "max 15/1 float32": ("max_pool", "float32", {"window_shape": 15, "stride": 1}),
    "argmax 2/2 float32": ("max_pool", "float32", {"return_indices": True}),
    "avg 2/2 uint8 to uint8": ("avg_pool", "uint8", {"dtype": "uint8"}),
    "avg 2/2 float32": ("avg_pool", "float32", {}),
    "avg 3/1 float32": ("avg_pool", "float32", {"window_shape": 3, "stride": 1}),
    "avg 15/1 uint8": ("avg_pool", "uint8", {"window_shape": 15, "stride": 1}),
    "sum 8/8 uint16": ("sum_pool", "uint16", {"window_shape": 8}),
    "var 2/2 float32": ("var_pool", "float32", {}),
    "logsumexp 2/2 float32": ("logsumexp_pool", "float32", {}),
    "gem 2/2 float32": ("gem_pool", "float32", {}),
    "median 3/1 float32": ("median_pool", "float32", {"window_shape": 3, "stride": 1}),
    "median 15/1 uint8": ("median_pool", "uint8", {"window_shape": 15, "stride": 4}),
    "mode 2/2 uint32": ("mode_pool", "uint32", {}),
    "adaptive avg 7 float32": ("adaptive_avg_pool", "float32", {"output_shape": 7}),
    "global avg float32": ("global_avg_pool", "float32", {}),
}

#: What tells callgrind, from inside, where a call begins and ends.
MARKS = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""


def run_calls(marks):
    """Under valgrind: every call once, between marks, after one that loads and plans."""
    skpool = library.load()
    marks = ctypes.CDLL(marks)
    for name, (function, dtype, arguments) in CALLS.items():
        image = make_image((SIDE, SIDE, 3) if "channel_axis" in arguments else (SIDE, SIDE), dtype)
        call = getattr(skpool, function)
        call(image, workers=1, **arguments)
        marks.begin()
        call(image, workers=1, **arguments)
        marks.end(name.encode())


def compiled_marks(folder):
    """The marks as a shared library, or None without a compiler or valgrind and its header."""
    marks = Path(folder, "marks.so")
    if not (shutil.which("valgrind") and shutil.which("cc")):
        return None
    compiler = ["cc", "-shared", "-fPIC", "-O1", "-o", marks, "-x", "c", "-"]
    done = subprocess.run(compiler, input=MARKS, text=True, capture_output=True, check=False)
    return None if done.returncode else marks


def count(isa, marks):
    """Instructions in the kernels for each call, with an instruction set."""
    profile = marks.with_name(f"profile-{isa}")
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={profile}"]
    program = [sys.executable, "-m", "benchmarks.instructions", "--run", marks]
    environment = os.environ | {"SKPOOL_ISA": isa, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [*valgrind, *program], cwd=library.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"valgrind failed:\n{done.stderr}")
    counts = {}
    for part in profile.parent.glob(f"{profile.name}.*"):
        name, instructions = kernel_instructions(part.read_text())
        if name in CALLS:
            counts[name] = instructions
    return {name: counts[name] for name in CALLS}


def kernel_instructions(profile):
    """The name of a call, and the instructions of its profile that belong to compiled kernels.

    A profile names objects once and numbers them; a line of numbers is the cost of a position in the object named last,
    unless it follows a line "calls=", when it is the cost of what was called.
    """
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", profile, re.MULTILINE)
    objects, costs, current, called = {}, Counter(), None, False
    for line in profile.splitlines():
        if found := re.match(r"(c?ob)=\((\d+)\)(?: (.*))?", line):
            kind, number, path = found.groups()
            if path:
                objects[number] = path
            if kind == "ob":
                current = objects[number]
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[+\-*\d]", line):
            if not called:
                costs[current] += int(line.split()[1])
            called = False
    return name and name[1], sum(cost for path, cost in costs.items() if path and "/skpool/kernels/" in path)


def compiler_of(kernels):
    """What compiled the kernels, as the compiler wrote into them."""
    notes = {re.search(rb"GCC: [^\0]*|clang version [^\0]*", module.read_bytes()) for module in kernels.glob("*.so")}
    return " and ".join(sorted({note[0].decode() if note else "unknown" for note in notes}))


def differences(counts, baseline):
    """A line for each count that is not the baseline's."""
    for isa, found in counts.items():
        for name, instructions in found.items():
            known = baseline.get(isa, {}).get(name)
            if known is None or abs(instructions / known - 1) > TOLERANCE:
                change = f"{instructions / known - 1:+.1%}" if known else "new"
                yield f"{isa:4} {name:26} {instructions:>12,} instructions instead of {known or 0:>12,}: {change}"


def main():
    """Count, and compare or write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="write what is counted as the new baseline")
    parser.add_argument("--run", metavar="MARKS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_calls(options.run)
        return
    compiler = compiler_of(Path(library.load().__file__).parent / "kernels")
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if not options.write and compiler != known.get("compiler"):
        print(f"not counted: the kernels are compiled by {compiler}, the baseline is of {known.get('compiler')}")
        return
    with tempfile.TemporaryDirectory() as folder:
        marks = compiled_marks(folder)
        if marks is None:
            print("not counted: that needs valgrind with its headers, and a C compiler")
            return
        counts = {isa: count(isa, marks) for isa in ISAS}
    if options.write:
        BASELINE.write_text(json.dumps({"compiler": compiler, "counts": counts}, indent=1) + "\n")
        return
    lines = list(differences(counts, known["counts"]))
    print(*lines, f"{len(CALLS)} calls, {len(ISAS)} instruction sets, {compiler}: {len(lines)} differ", sep="\n")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
