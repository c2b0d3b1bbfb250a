"""Running maxima on a GPU, and sums of two of them (cuda/corners.cu)."""

from __future__ import annotations

import math

import numpy as np

from .gpu import NOTHING, arrays, empty, kept_words, launch_kernel, type_of, word_of

_FILE = "corners.cu"


def run(image, sides, mask, omits, fill):
    """The sum of running maxima along one axis, or along two.

    Parameters
    ----------
    image : cupy.ndarray
    sides : sequence of (int, bool)
        Of each the axis, and whether the maxima run backwards.
    mask : cupy.ndarray of bool or None
        Of the shape of the image.
    omits : bool
        Whether NaN is as masked.
    fill : numpy scalar
        Where a side counts no pixel; its type is that of the result.

    Returns
    -------
    cupy.ndarray
    """
    cupy = arrays()
    out = empty(image.shape, fill.dtype, image)
    if not out.size:
        return out
    with image.device:
        device = image.device.id
        inputs = cupy.ascontiguousarray(image), NOTHING if mask is None else cupy.ascontiguousarray(mask)
        found = empty(image.shape, np.uint8, image) if len(sides) == 2 else NOTHING
        kernels = names_of(image.dtype, fill.dtype, len(sides))
        for number, (axis, backwards) in enumerate(sides):
            length = image.shape[axis]
            lines = image.size // length, length, math.prod(image.shape[axis + 1 :]), int(backwards), int(omits)
            words = kept_words((*lines, word_of(fill, fill.dtype)), device).ready()
            launch_kernel(_FILE, kernels, device, number, lines[0], (*inputs, out, found, words))
    return out


def names_of(image, result, sides):
    """The kernels for an image and results of some types, and one side or two."""
    types = f"skpool::{type_of(image)}, skpool::{type_of(result)}"
    return tuple(f"skpool::run_maxima<{types}, skpool::{side}>" for side in (("ONLY",), ("FIRST", "SECOND"))[sides - 1])
