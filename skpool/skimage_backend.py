"""skpool as a backend of scikit-image's dispatcher, for those who ask for it.

scikit-image looks up installed backends (entry points ``skimage_backends`` and ``skimage_backend_infos``) for functions
that it dispatches. It dispatches neither of these two yet; `skpool.patch_skimage` does not wait for that. Nothing is
taken over unless the environment variable ``SKPOOL_SKIMAGE_BACKEND`` is 1.
"""

from __future__ import annotations

import functools
import os
from contextvars import ContextVar
from types import SimpleNamespace

__all__ = ["can_has", "get_implementation", "information"]

#: Names of functions by scikit-image's names for them.
FUNCTIONS = {
    "skimage.measure:block_reduce": "block_reduce",
    "skimage.transform:downscale_local_mean": "downscale_local_mean",
}

# The drop-ins hand what they do not compute to scikit-image, whose dispatcher must then not come back here.
_IN_DROP_IN = ContextVar("skpool_in_drop_in", default=False)


def information():
    """What the backend has, as scikit-image asks for it."""
    return SimpleNamespace(supported_functions=list(FUNCTIONS))


def can_has(name, *args, **kwargs):
    """Whether a call is to be taken over: only if the user wants it, and not on the way back to scikit-image."""
    return name in FUNCTIONS and os.environ.get("SKPOOL_SKIMAGE_BACKEND") == "1" and not _IN_DROP_IN.get()


def get_implementation(name):
    """The function that takes over."""
    from . import dropin  # here: scikit-image imports this module where nothing is pooled, too

    function = getattr(dropin, FUNCTIONS[name])

    @functools.wraps(function)
    def implementation(*args, **kwargs):
        token = _IN_DROP_IN.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _IN_DROP_IN.reset(token)

    return implementation
