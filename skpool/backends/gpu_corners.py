"""Running maxima on a GPU, and sums of two of them (cuda/corners.cu)."""

from __future__ import annotations

import math

from .gpu import NOTHING, empty, heed, kept_or_sent, launch_kernel, type_of, word_of, words_of_axes, workspace

_FILE = "corners.cu"


def run(image, sides, mask, mask_strides, omits, raises, fill):
    """The sum of running maxima along one axis, or along two.

    Parameters
    ----------
    image : cupy.ndarray
    sides : sequence of (int, bool)
        Of each the axis, and whether the maxima run backwards.
    mask : cupy.ndarray of bool or None
    mask_strides : tuple of int or None
        Those of the mask as broadcast to the image.
    omits, raises : bool
        Whether NaN is as masked, or an error, for which the device is waited for.
    fill : numpy scalar
        Where a side counts no pixel; its type is that of the result.

    Returns
    -------
    cupy.ndarray
    """
    out = empty(image.shape, fill.dtype, image)
    if not out.size:
        return out
    with image.device:
        device = image.device.id
        found, alarm = workspace(-(-image.size // 8) * (len(sides) - 1), raises, image)
        inputs = image, NOTHING if mask is None else mask, alarm
        kernels = names_of(image.dtype, fill.dtype, len(sides))
        for number, (axis, backwards) in enumerate(sides):
            values = {"part": axis, "omits": int(omits), "raises": int(raises), "fill": word_of(fill, fill.dtype)}
            words = kept_or_sent(_words(values, backwards, image, mask_strides), device)
            lines = image.size // image.shape[axis]
            launch_kernel(_FILE, kernels, device, number, lines, (*inputs, found, out, words))
        if raises:
            heed(alarm)
    return out


def _words(values, backwards, image, mask_strides):
    axis, axes = values["part"], []
    for a, length in enumerate(image.shape):
        fields = {"length": length, "image": image.strides[a], "out": math.prod(image.shape[a + 1 :])}
        fields |= {"mask": mask_strides[a] if mask_strides else 0, "step": -1 if a == axis and backwards else 1}
        axes.append(fields)
    return words_of_axes(values | {"channels": image.ndim, "outputs": image.size // image.shape[axis]}, axes)


def names_of(image, result, sides):
    """The kernels for an image and results of some types, and one side or two."""
    types = f"skpool::{type_of(image)}, skpool::{type_of(result)}"
    return tuple(f"skpool::run_maxima<{types}, skpool::{side}>" for side in (("ONLY",), ("FIRST", "SECOND"))[sides - 1])
