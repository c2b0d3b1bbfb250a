"""The way back on a GPU: values of windows to the places, or over the samples, they came from (cuda/unpool.cu)."""

from __future__ import annotations

import numpy as np

from .gpu import (
    AXIS,
    PLAN,
    Words,
    arrays,
    axis_values,
    empty,
    kept_or_sent,
    launch_kernel,
    merged_axes,
    type_of,
    word_of,
    words_of_axes,
)

_FILE = "unpool.cu"


def put(values, indices, image_shape, fill):
    """Values at their places, `fill` at all others; of several values with one index the last stays.

    Parameters
    ----------
    values, indices : cupy.ndarray
        Of one shape.
    image_shape : tuple of int
    fill : numpy scalar
        Of the type of the values.

    Returns
    -------
    image : cupy.ndarray
    outside : cupy.ndarray
        Two numbers, 0 if all indices are good: the lowest index + 1 if one is below -1, and the highest index less
        ``image.size - 1`` if one is too high.
    """
    cupy = arrays()
    with values.device:
        image = empty(image_shape, values.dtype, values)
        space = cupy.zeros(image.size + 2, np.int64)
        owners, outside = space[: image.size], space[image.size :]
        names = names_of_put(values.dtype, indices.dtype)
        sizes = np.int64(values.size), np.int64(image.size)
        device = values.device.id
        table = kept_or_sent(_words_of_put(values, indices, fill), device)
        if values.size:
            launch_kernel(_FILE, names, device, 0, values.size, (indices, owners, outside, table, *sizes))
        if image.size:
            launch_kernel(_FILE, names, device, 1, image.size, (values, owners, image, table, sizes[1]))
    return image, outside


def _words_of_put(values, indices, fill):
    axes = merged_axes(values.shape, out=values.strides, places=indices.strides)
    return words_of_axes({"channels": len(axes), "fill": word_of(fill, fill.dtype)}, axes)


def names_of_put(values, indices):
    """The two kernels for values and indices of some types."""
    word = f"skpool::uint{8 * values.itemsize}"
    return f"skpool::claim<skpool::{type_of(indices)}>", f"skpool::put<{word}>"


def spread(values, axes, dtype, share):
    """Shares of values, each for the samples of its window.

    Parameters
    ----------
    values : cupy.ndarray
    axes : sequence of skpool.windows.Axis
        Evenly spaced, along every axis of the image.
    dtype, share : numpy.dtype
        Of the result, and of what is added up.

    Returns
    -------
    cupy.ndarray
    """
    image = empty([axis.length for axis in axes], dtype, values)
    if not image.size:
        return image
    with values.device:
        device = values.device.id
        words = kept_or_sent(_words_of_spread(values, axes, image), device)
        names = (name_of_spread(values.dtype, share, dtype, len(axes)),)
        launch_kernel(_FILE, names, device, 0, image.size, (values, image, words))
    return image


def name_of_spread(values, share, dtype, axes):
    """The kernel for values, shares and results of some types, and so many axes."""
    types = ", ".join(f"skpool::{type_of(each)}" for each in (values, share, dtype))
    return f"skpool::spread<{types}, {axes}>"


def _words_of_spread(values, axes, image):
    words = Words(len(PLAN) + len(AXIS) * len(axes))
    words.write(PLAN, 0, {"outputs": image.size})
    for number, (axis, stride) in enumerate(zip(axes, values.strides, strict=True)):
        fields = axis_values(words, axis, {"out": stride}) | {"taps": axis.window}
        words.write(AXIS, len(PLAN) + len(AXIS) * number, fields)
    return words.array()
