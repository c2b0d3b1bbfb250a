"""What this installation of skpool is and finds."""

from __future__ import annotations

import importlib.util

from . import threads
from .backends import cpu
from .kernels import driver

__all__ = ["show_config"]


def show_config():
    """Print version, instruction sets, threads and the array libraries found.

    Examples
    --------
    >>> import skpool
    >>> skpool.show_config()  # doctest: +ELLIPSIS
    skpool ...
    """
    from . import __version__  # here, since `skpool` itself imports this module

    optional = {name: importlib.util.find_spec(name) is not None for name in ("cupy", "dask")}
    rows = {
        "skpool": __version__,
        "instruction set": f"{cpu.INSTRUCTION_SET} (available: {', '.join(cpu.available_instruction_sets())})",
        "OpenMP": "yes" if driver.has_openmp() else "no: one thread",
        "threads": threads.available_cpus() if driver.has_openmp() else 1,
        **{name: "found" if found else "not found" for name, found in optional.items()},
    }
    for name, value in rows.items():
        print(f"{name:16s} {value}")
