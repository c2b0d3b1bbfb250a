"""Peak memory of a call beyond its input and its output, in a fresh process.

The process calls the function once, which starts threads and loads code, returns freed memory to the system, resets
the kernel's record of the peak, and calls it again. Linux only.
"""

import argparse
import ctypes
import gc
import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import library as libraries
from benchmarks.answers import as_tuple
from benchmarks.cells import CELLS, make_image

ALLOWED_PER_WORKER = 1 << 20
_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_PR_SET_THP_DISABLE = 41


def extra_bytes(cell, workers, library, in_place):
    """Bytes beyond image and result at the peak of the cell's call, or None where that cannot be measured."""
    if not _RESET.exists():
        return None
    command = [
        sys.executable,
        "-m",
        "benchmarks.memory",
        cell.name,
        f"--workers={workers}",
        f"--library={library}",
    ]
    command += ["--in-place"] if in_place else []
    done = subprocess.run(command, cwd=libraries.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"measuring the memory of {cell.name!r} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _kilobytes(field):
    """One line of the process's status, in bytes."""
    return int(re.search(rf"^{field}:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)[1]) * 1024


def _measure(library, cell, workers):
    """Peak minus start minus result."""
    system = ctypes.CDLL(None)
    system.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)  # huge pages would round every buffer up to 2 MiB
    image = make_image(cell.shape, cell.dtype)
    libraries.prepare(library, cell, workers, image)()
    gc.collect()
    if hasattr(system, "malloc_trim"):
        system.malloc_trim(0)
    call = libraries.prepare(library, cell, workers, image)
    _RESET.write_text("5")
    before = _kilobytes("VmRSS")
    results = as_tuple(call())
    return max(0, _kilobytes("VmHWM") - before - sum(result.nbytes for result in results))


def main():
    """Measure one cell by name and print the bytes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--library", dest="module", required=True)
    parser.add_argument("--in-place", action="store_true")
    arguments = parser.parse_args()
    cell = next(cell for cell in CELLS if cell.name == arguments.name)
    print(json.dumps(_measure(libraries.load(arguments.module, arguments.in_place), cell, arguments.workers)))


if __name__ == "__main__":
    main()
