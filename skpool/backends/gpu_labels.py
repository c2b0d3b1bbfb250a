"""Pixels grouped by label on a GPU: sorted by label there, and folded region by region (cuda/labels.cu)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..plan import axes_of
from ..windows import Sliding
from .cpu import recipe_of
from .gpu import (
    AXIS,
    NOTHING,
    PLAN,
    STRUCTS,
    THREADS,
    Words,
    arrays,
    empty,
    kept_words,
    launch_kernel,
    parameters_of,
    qualified,
    refuse,
    type_of,
    word_of,
)

_FILE = "labels.cu"

#: Totals of integers are wide enough for regions of so many pixels.
MOST_PIXELS = 2**30


class LabelImage:
    """A label image, sorted; this is where the device is waited for.

    Attributes
    ----------
    order : cupy.ndarray of int64
        Pixels by their labels, those of one label in row-major order.
    labels : ndarray
        That occur, ascending.
    bounds : ndarray of int64
        Where the pixels of each label begin in `order`, and where the last ones end.
    """

    def __init__(self, image):
        cupy = arrays()
        with image.device:
            pixels = as_integers(image).ravel()
            self.order = cupy.argsort(pixels)
            pixels = pixels[self.order]
            ends = cupy.flatnonzero(pixels[1:] != pixels[:-1])
            inner = ends.get() + 1
            begins = np.concatenate([np.zeros(min(pixels.size, 1), np.int64), inner])
            self.labels = pixels[cupy.asarray(begins)].get()
        self.bounds = np.append(begins, pixels.size)

    def spans(self, places):
        """Where in `order` the pixels of some of the labels begin and end; of places that are -1, nowhere."""
        spans = np.zeros((len(places), 2), np.int64)
        known = places >= 0
        spans[known] = np.stack([self.bounds[places[known]], self.bounds[places[known] + 1]], axis=-1)
        return spans


def as_integers(image):
    """Labels as integers, also where they are truths."""
    return image.view(np.uint8) if image.dtype == np.bool_ else image


def checked_kernel(plan, indices=False):
    """The kernel of a plan, of whose windows nothing is used, and its fields; or an error if there is none."""
    name = plan.reduction.name
    if name not in STRUCTS:
        refuse(f"region_pool(image.get(), label_image.get(), {name!r})")
    wide = replace(plan, axes=axes_of((MOST_PIXELS,), None, Sliding(MOST_PIXELS)), channel_axis=None)
    recipe = recipe_of(wide, indices)
    struct = qualified(STRUCTS[name](recipe, type_of(plan.image_dtype), type_of(recipe.natural)))
    return f"skpool::pool_regions<{struct}, skpool::{type_of(plan.dtype)}>", parameters_of(wide, recipe)


def pool(plan, label_image, spans, image, mask=None, indices=False):
    """Fold regions on the device of the image, on the current stream.

    Parameters
    ----------
    plan : skpool.plan.Plan
        For the image; of its windows nothing is used.
    label_image : LabelImage
    spans : (K, 2) ndarray of int64
        See `LabelImage.spans`.
    image : cupy.ndarray
    mask : cupy.ndarray of bool or None
        Of the image's shape, or of its spatial axes.
    indices : bool
        Whether places are asked for.

    Returns
    -------
    pooled, places : (K, channels) cupy.ndarray
        Places are None without `indices`.
    """
    cupy = arrays()
    kernel, values = checked_kernel(plan, indices)
    axis = plan.channel_axis
    channels, inner = (1, 1) if axis is None else (image.shape[axis], math.prod(image.shape[axis + 1 :]))
    out = empty((len(spans), channels), plan.dtype, image)
    places = empty(out.shape, np.int64, image) if indices else None
    if not out.size:
        return out, places
    with image.device:
        device = image.device.id
        words = Words(len(PLAN) + len(AXIS))
        values |= {"outputs": out.size, "minimum": plan.min_count, "omits": int(plan.omit_nan)}
        words.write(PLAN, 0, values | {"fill": word_of(plan.fill_value, plan.dtype)})
        table = kept_words(tuple(words.array().tolist()), device).ready()
        is_shared = mask is not None and mask.shape != image.shape
        inputs = (
            cupy.ascontiguousarray(image),
            NOTHING if mask is None else cupy.ascontiguousarray(mask),
            label_image.order,
            cupy.asarray(spans),
        )
        outputs = (out, places if indices else NOTHING, table)
        sizes = (np.int64(channels), np.int64(inner), np.int64(is_shared))
        launch_kernel(_FILE, (kernel,), device, 0, out.size * THREADS, (*inputs, *outputs, *sizes))
    return out, places


def paint(labels, rows, label_image, values, fill, background):
    """An image of each pixel's row of values.

    Parameters
    ----------
    labels, rows : ndarray
        Labels, ascending, and the row of each.
    label_image : cupy.ndarray
    values : cupy.ndarray
        Of shape (rows, channels).
    fill : numpy scalar
        Of pixels whose label has no row.
    background : int or None
        The only label that may be negative.

    Returns
    -------
    painted : cupy.ndarray
        Of the shape of the label image, and the channels.
    lowest : cupy.ndarray
        The lowest negative label, or 0.
    """
    cupy = arrays()
    channels = values.shape[1]
    painted = empty((*label_image.shape, channels), values.dtype, values)
    with values.device:
        lowest = cupy.zeros(1, np.int64)
        if painted.size:
            integers = as_integers(cupy.ascontiguousarray(label_image))
            low, high = (0, 1) if label_image.dtype == np.bool_ else _limits(label_image.dtype)
            is_background = background is not None and low <= background <= high
            launch_kernel(
                _FILE,
                (name_of_paint(integers.dtype, values.dtype),),
                values.device.id,
                0,
                painted.size,
                (
                    *(integers, cupy.asarray(labels.astype(np.uint64).view(np.int64)), cupy.asarray(rows)),
                    *(cupy.ascontiguousarray(values), painted, lowest, np.uint64(word_of(fill, values.dtype))),
                    *map(np.int64, (label_image.size, len(labels), channels, is_background)),
                    np.uint64((background if is_background else 0) % 2**64).view(np.int64),
                ),
            )
    return painted, lowest


def _limits(dtype):
    limits = np.iinfo(dtype)
    return limits.min, limits.max


def name_of_paint(labels, values):
    """The kernel that paints for labels and values of some types."""
    return f"skpool::paint_regions<skpool::{type_of(labels)}, skpool::uint{8 * values.itemsize}>"
