"""Compiled kernels: the driver, and row kernels for each instruction set."""

import importlib.util

if importlib.util.find_spec(f"{__name__}.boxes") is None:
    raise ImportError(
        f"the kernels of skpool are not compiled in {__path__[0]}: if this is its source folder, install skpool "
        "(`python -m pip install .` there) and start Python in another folder"
    )
