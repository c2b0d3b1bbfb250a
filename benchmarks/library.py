"""Which build of the library is measured, and how a cell calls it."""

import importlib
import importlib.util
import sys
from functools import partial
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from benchmarks.cells import FUNCTIONS

ROOT = Path(__file__).resolve().parents[1]


def load(name="skpool", in_place=False):
    """Import the library: the installed one, or the one built in place in the source tree.

    ``python -m benchmarks`` puts the root of the repository first on the path, where a source folder
    without compiled kernels would hide the installed package. The root is therefore taken off the path, and
    put back only if nothing is installed (or `in_place` asks for it) and the folder holds compiled modules.
    """
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
    here = [str(ROOT), *elsewhere]
    sys.path[:] = elsewhere
    if in_place or importlib.util.find_spec(name) is None:
        if not _is_built_in_place(name):
            raise SystemExit(
                f"{name} is not installed for {sys.executable}, and {ROOT / name} holds no compiled modules. "
                "Install it (`pip install .`) or build it in place (`python setup.py build_ext --inplace`)."
            )
        sys.path[:] = here
    try:
        return importlib.import_module(name)
    except ImportError as error:
        location = importlib.util.find_spec(name)
        origin = location.origin if location else "nowhere"
        raise SystemExit(f"{name} was found at {origin} but cannot be imported: {error}") from error


def _is_built_in_place(name):
    """Whether the source folder holds compiled modules for this interpreter."""
    folder = ROOT / name
    return any(next(folder.rglob(f"*{suffix}"), None) for suffix in EXTENSION_SUFFIXES)


def prepare(library, cell, workers, image, out=None):
    """The library's call for a cell, as a function without arguments; `out` is memory that it writes into."""
    name, parameters = FUNCTIONS.get(cell.reduction, (cell.reduction, {}))
    if cell.defaults and out is None:
        return partial(getattr(library, f"{name}_pool"), image, **parameters)
    options = parameters | {"channel_axis": cell.channel_axis}
    options |= {} if cell.image == "small" else {"workers": workers}
    options |= {"dtype": cell.result} if out is None and cell.result else {}
    options |= {} if out is None else {"out": out}
    spatial = [
        axis for axis in range(image.ndim) if cell.channel_axis is None or axis != cell.channel_axis % image.ndim
    ]
    if cell.outputs:
        outputs = tuple(cell.outputs if axis in cell.pooled else None for axis in spatial)
        if cell.outputs == 1 and None not in outputs:
            return partial(library.global_pool, image, name, keepdims=True, **options)
        return partial(library.adaptive_pool, image, outputs, name, **options)
    window, stride = (tuple(sizes[axis] for axis in spatial) for sizes in (cell.window, cell.stride))
    return partial(getattr(library, f"{name}_pool"), image, window, stride=stride, ceil_mode=False, **options)
