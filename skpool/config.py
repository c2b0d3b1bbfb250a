"""What this installation of skpool is and finds."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from . import threads
from .backends import cpu
from .kernels import driver


def show_config():
    """Print version, instruction sets, threads and the array libraries found.

    Examples
    --------
    >>> import skpool
    >>> skpool.show_config()  # doctest: +ELLIPSIS
    skpool ...
    """
    optional = {name: importlib.util.find_spec(name) is not None for name in ("cupy", "dask")}
    rows = {
        "skpool": importlib.metadata.version("skpool"),
        "instruction set": f"{cpu.INSTRUCTION_SET} (available: {', '.join(cpu.available_instruction_sets())})",
        "OpenMP": "yes" if driver.has_openmp() else "no: one thread",
        "threads": threads.available_cpus() if driver.has_openmp() else 1,
        **{name: "found" if found else "not found" for name, found in optional.items()},
    }
    for name, value in rows.items():
        print(f"{name:16s} {value}")
