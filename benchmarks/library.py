"""Which build of the library is measured, and how a cell calls it."""

import importlib
import importlib.util
import sys
from functools import partial
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

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


def prepare(library, cell, image, workers, out=None):
    """The library's call for a cell, as a function without arguments."""
    function = getattr(library, f"{cell.reduction}_pool")
    if cell.defaults:
        return partial(function, image)
    pooled = [axis for axis in range(image.ndim) if axis != _channel(cell, image)]
    options = {
        "stride": tuple(cell.stride[axis] for axis in pooled),
        "ceil_mode": False,
        "channel_axis": cell.channel_axis,
        "workers": workers,
    }
    if out is not None:
        options["out"] = out
    elif cell.result:
        options["dtype"] = cell.result
    return partial(function, image, tuple(cell.window[axis] for axis in pooled), **options)


def _channel(cell, image):
    """The channel axis counted from the front, or None."""
    return None if cell.channel_axis is None else cell.channel_axis % image.ndim
