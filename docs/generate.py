"""A small Sphinx extension: the reference, made from `skpool.__all__` and the registry, and the gallery's pictures."""

import inspect
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from sphinx_gallery.scrapers import figure_rst

import skpool
from skpool import estimators
from skpool.reductions import REDUCTIONS

REFERENCE = Path(__file__).with_name("api.rst")

#: What a reduction's functions are called, by their windows.
FORMS = {"sliding": "{}_pool", "adaptive": "adaptive_{}_pool", "global": "global_{}_pool"}

#: The head of the table of reductions.
REGISTRY = """\
Reductions
----------

W is a window's counted samples, n their number. :func:`skpool.pool` takes any reduction by its name, and so do
:func:`skpool.adaptive_pool`, :func:`skpool.global_pool` and :func:`skpool.region_pool`; what a reduction takes beside
the image (``p``, ``q``, ...) its functions document.

.. list-table::
   :header-rows: 1
   :class: registry
"""


def setup(app):
    """Write the reference before Sphinx looks for pages."""
    app.connect("config-inited", lambda *_: REFERENCE.write_text(reference(), encoding="utf-8"))
    return {"parallel_read_safe": True}


def reference():
    """The page of all functions: a section for each module, a table of the registry, estimators, the command line."""
    return "\n".join(["API reference\n=============\n", *registry(), *functions(), *transformers(), *commands()])


def functions():
    """A section for each module whose names skpool has, in the order of `skpool.__all__`."""
    modules = [module for _, module in inspect.getmembers(skpool, inspect.ismodule) if hasattr(module, "__all__")]
    public = [module for module in modules if set(module.__all__) <= set(skpool.__all__)]
    left = set(skpool.__all__) - {name for module in public for name in module.__all__}
    if left:
        raise RuntimeError(f"`skpool.__all__` has names of no module: {left}")
    for module in sorted(public, key=lambda module: skpool.__all__.index(min(module.__all__))):
        title = module.__name__.split(".")[1].capitalize()
        yield from section(title, summary(module), "skpool", sorted(module.__all__))


def transformers():
    """The estimators, which skpool imports on demand only."""
    yield from section("Estimators", summary(estimators), "skpool.estimators", estimators.__all__)


def section(title, text, module, names):
    """A heading, and a table of names that lead to pages of their own."""
    yield from (title, "-" * len(title), "", text, "", f".. currentmodule:: {module}", "")
    yield from (".. autosummary::", "   :toctree: reference", "   :nosignatures:", "")
    yield from (f"   {name}" for name in names)
    yield ""


def summary(module):
    """The first paragraph of a module's docstring."""
    return inspect.getdoc(module).split("\n\n")[0]


def registry():
    """Every reduction with its definition and its functions."""
    yield REGISTRY
    yield from row("Reduction", "Value", "Type of the result", "Functions, by their windows")
    for reduction in REDUCTIONS.values():
        names = {windows: form.format(reduction.name) for windows, form in FORMS.items()}
        links = ", ".join(f":func:`{windows} <skpool.{name}>`" for windows, name in names.items())
        yield from row(f"``{reduction.name}``", f"``{reduction.formula}``", inspect.getdoc(reduction.result), links)
    yield ""


def row(first, *others):
    """A row of a list-table."""
    yield f"   * - {first}"
    yield from (f"     - {' '.join(cell.split())}" for cell in others)


def commands():
    """What ``--help`` of the command line says."""
    yield "Command line"
    yield "------------\n"
    for command in ((), ("pool",), ("pyramid",), ("info",)):
        call = [sys.executable, "-P", "-m", "skpool", *command, "--help"]
        text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
        yield f".. rubric:: ``{' '.join(('skpool', *command))}``\n"
        yield ".. code-block:: text\n"
        yield textwrap.indent(text, "   ")


def picture(block, block_vars, gallery_conf):
    """For sphinx-gallery: the picture of an example, a PNG of its own name, once it is there."""
    drawn = Path(block_vars["src_file"]).with_suffix(".png")
    if not drawn.exists():
        return ""
    path = next(block_vars["image_path_iterator"])
    shutil.move(drawn, path)
    return figure_rst([path], gallery_conf["src_dir"])
