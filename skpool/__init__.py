"""Spatial pooling for scikit-image.

A pooling variant is *windows* (where) x a *reduction* (what) x a *backend* (on which machine), each written once::

    max_pool, avg_pool, ..., pool          pooling.py      thin public functions
    adaptive_pool, global_pool, ...        adaptive.py     the same with windows placed otherwise
    roi_pool, roi_align, ...               boxes.py        boxes of an image
    pool_pyramid, ...                      pyramids.py     levels, and what is carried between them
    corner_pool, strip_pool                strips.py       whole lines
    max_unpool, avg_unpool                 sampling.py     the way back
    block_reduce, patch_skimage, ...       dropin.py       scikit-image's own names
              |
              v
           plan.py                         arguments -> a checked Plan; every rule about arguments
           /     \\
    windows.py   reductions.py             WHERE: tables of windows     WHAT: the registry
           \\     /
        backends/cpu.py                    plan, image -> result; which kernel, which types
        backends/boxes.py                  edges of boxes, image -> result
              |
        kernels/driver.pyx                 work items -> rows of each window -> columns -> result
        kernels/boxes.pyx                  the same for boxes
              |
        kernels/*.pyx                      row kernels, for each instruction set

    reference.py                           the slow twin: the specification, in a few lines of NumPy
    threads.py                             the one authority on thread counts
"""

from .adaptive import *  # noqa: F403
from .adaptive import __all__ as _adaptive
from .boxes import *  # noqa: F403
from .boxes import __all__ as _boxes
from .config import show_config
from .dropin import block_reduce, downscale_local_mean, patch_skimage, patched, unpatch_skimage
from .pooling import *  # noqa: F403
from .pooling import __all__ as _pooling
from .pyramids import pool_pyramid, pyramid_transforms
from .sampling import avg_unpool, max_unpool
from .strips import corner_pool, strip_pool

__version__ = "0.1.0"
__all__ = [
    *_boxes,
    *_pooling,
    *_adaptive,
    "avg_unpool",
    "block_reduce",
    "corner_pool",
    "downscale_local_mean",
    "max_unpool",
    "patch_skimage",
    "patched",
    "pool_pyramid",
    "pyramid_transforms",
    "show_config",
    "strip_pool",
    "unpatch_skimage",
]
