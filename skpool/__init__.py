"""Spatial pooling for scikit-image.

A pooling variant is *windows* (where) x a *reduction* (what) x a *backend* (on which machine), each written once::

    max_pool, avg_pool, ..., pool          pooling.py      thin public functions
    region_pool, region_unpool             regions.py      labelled regions in place of windows
    adaptive_pool, global_pool, ...        adaptive.py     the same with windows placed otherwise
    weighted_avg_pool, blur_pool           antialias.py    windows with weights
    roi_pool, roi_align, ...               boxes.py        boxes of an image
    pool_pyramid, ...                      pyramids.py     levels, and what is carried between them
    labels that stay alive in them         survivors.py
    corner_pool, strip_pool                strips.py       whole lines
    fractional_max_pool, max_unpool, ...   sampling.py     windows of drawn sizes; the way back
    block_reduce, patch_skimage, ...       dropin.py       scikit-image's own names
    the same for its dispatcher            skimage_backend.py  off unless asked for
    PoolTransformer, ...                   estimators.py   scikit-learn's; imported on demand only
    commands of napari.yaml                napari_commands.py
    show_config                            config.py
    skpool pool, pyramid, info             cli.py          the command line, and its files (files.py)
              |
        averages.py, documents.py          averages that are not plain; docstrings, one for each reduction
        containers.py, merging.py          dask and labelled arrays, in and out; whole dask arrays by parts
              |
              v
           plan.py                         arguments -> a checked Plan; every rule about arguments
           /     \\
    windows.py   reductions.py             WHERE: tables of windows     WHAT: the registry
           \\     /
        backends/cpu.py                    plan, image -> result; which kernel, which types
        backends/chunked.py                plan, dask array -> lazy result: the plan in parts, one task for each
        backends/gpu*.py, cuda/            plan, CuPy array -> result on its device; boxes, regions, unpooling
        backends/boxes.py                  edges of boxes, image -> result
              |
        kernels/driver/                    work items -> rows of each window -> columns -> result
        kernels/boxes.pyx                  the same for boxes
              |
        kernels/*.pyx                      row kernels, for each instruction set

    backends/boxes.py, backends/labels.py  boxes and regions, driven by kernels/boxes.pyx and kernels/labels.pyx
    backends/order.py, networks.py, tiles.py   which ranks make a result, and programs that find them
    backends/grouped.py, weighing.py       samples of regions in order; weights as the kernels take them

    reference.py                           the slow twin: the specification, in a few lines of NumPy
    threads.py                             the one authority on thread counts
"""

import importlib
import importlib.util

__version__ = "0.1.0"

_MODULES = (
    "pooling",
    "antialias",
    "adaptive",
    "pyramids",
    "sampling",
    "strips",
    "boxes",
    "regions",
    "dropin",
    "config",
)


def __getattr__(name):
    """Import what is public when the first of it is asked for.

    scikit-image imports `skpool.skimage_backend` early, in programs that may never pool: that must cost nothing.
    """
    if "__all__" not in globals():
        if importlib.util.find_spec(f"{__name__}.{name}"):
            return importlib.import_module(f"{__name__}.{name}")
        modules = [importlib.import_module(f"{__name__}.{module}") for module in _MODULES]
        public = {name: getattr(module, name) for module in modules for name in sorted(module.__all__)}
        globals().update(public, __all__=list(public))
    if name in globals():  # another thread may have been first
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    __getattr__("__all__")
    return sorted(globals())
