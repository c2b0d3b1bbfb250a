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
    skpool pool, pyramid, info             cli.py          the command line, and its files (files.py)
              |
        containers.py, merging.py          dask and labelled arrays, in and out; whole dask arrays from strips
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
        kernels/driver.pyx                 work items -> rows of each window -> columns -> result
        kernels/boxes.pyx                  the same for boxes
              |
        kernels/*.pyx                      row kernels, for each instruction set

    backends/boxes.py, backends/labels.py  boxes and regions, driven by kernels/boxes.pyx and kernels/labels.pyx

    reference.py                           the slow twin: the specification, in a few lines of NumPy
    threads.py                             the one authority on thread counts
"""

from . import adaptive, antialias, boxes, config, dropin, pooling, pyramids, regions, sampling, strips
from .adaptive import *  # noqa: F403
from .antialias import *  # noqa: F403
from .boxes import *  # noqa: F403
from .config import *  # noqa: F403
from .dropin import *  # noqa: F403
from .pooling import *  # noqa: F403
from .pyramids import *  # noqa: F403
from .regions import *  # noqa: F403
from .sampling import *  # noqa: F403
from .strips import *  # noqa: F403

__version__ = "0.1.0"
__all__ = [
    name
    for module in (pooling, antialias, adaptive, pyramids, sampling, strips, boxes, regions, dropin, config)
    for name in sorted(module.__all__)
]
