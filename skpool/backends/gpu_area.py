"""Bins of exact areas on a GPU: the samples at their ends (cuda/area.cu)."""

from __future__ import annotations

import math

import numpy as np

from .gpu import NOTHING, arrays, kept_words, launch_kernel, type_of

_FILE = "area.cu"


def add_shares(sums, image, mask, axis, shares):
    """Multiply sums by the number of bins, and add the shares of the samples at the ends of each bin.

    Parameters
    ----------
    sums : cupy.ndarray of float64
        Contiguous, changed in place.
    image : cupy.ndarray
    mask : cupy.ndarray of bool or None
        Of the shape of the image.
    axis : int
        Which bins lie along.
    shares : sequence of ndarray of int64
        The first and the last sample of each bin, and the share of each.
    """
    cupy = arrays()
    if not sums.size:
        return
    with image.device:
        device = image.device.id
        bins = kept_words(tuple(np.concatenate(shares).tolist()), device).ready()
        pixels = cupy.ascontiguousarray(image), NOTHING if mask is None else cupy.ascontiguousarray(mask)
        sizes = sums.size, sums.shape[axis], image.shape[axis], math.prod(image.shape[axis + 1 :])
        launch_kernel(
            _FILE, (name_of(image.dtype),), device, 0, sums.size, (*pixels, sums, bins, *map(np.int64, sizes))
        )


def name_of(dtype):
    """The kernel for an image of some type."""
    return f"skpool::add_shares<skpool::{type_of(dtype)}>"
