"""Pixels grouped by label on a GPU: sorted by label there, and folded region by region (cuda/labels.cu)."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np

from ..plan import axes_of
from ..reductions import REDUCTIONS, limits_of
from ..windows import Sliding
from .cpu import POWERS, SAFE, recipe_of, row_dtype
from .gpu import (
    MAPPED,
    NOTHING,
    STRUCTS,
    THREADS,
    arrays,
    empty,
    heed,
    kept_or_sent,
    launch_kernel,
    merged_axes,
    parameters_of,
    qualified,
    refuse,
    type_of,
    word_of,
    words_of_axes,
    workspace,
)
from .labels import CHUNK, Layouts, powers_are_safe

_FILE = "labels.cu"

#: Totals of integers are wide enough for regions of so many pixels.
MOST_PIXELS = 2**30


#: Where fewer sums of regions are made than this, their segments are shared; but not more segments than that.
LEAST_REGIONS = 2**14
MOST_SEGMENTS = 2**22


#: Reductions that are sums relative to an extremum, and to a number near the mean.
RELATIVE = ("logsumexp", "soft")
CENTERED = ("var", "std")


class LabelImage(Layouts):
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
        self.dtype, self.pixels = row_dtype(image.dtype), image.size
        with image.device:
            self._pixels = as_integers(image).ravel()
            self.order = cupy.argsort(self._pixels)
            pixels = self._pixels[self.order]
            ends = cupy.flatnonzero(pixels[1:] != pixels[:-1])
            inner = ends.get() + 1
            begins = np.concatenate([np.zeros(min(pixels.size, 1), np.int64), inner])
            self.labels = pixels[cupy.asarray(begins)].get()
        self.bounds = np.append(begins, pixels.size)

    @functools.cached_property
    def _chunks(self):
        """The lowest and the highest label of each chunk; waits for the device."""
        with self._pixels.device:
            chunks = -(-self.pixels // CHUNK)
            ranges = empty((chunks, 2), self.dtype, self._pixels)
            names = (name_of_measure(self.dtype),)
            arguments = (self._pixels, ranges, np.int64(self.pixels))
            launch_kernel(_FILE, names, self._pixels.device.id, 0, chunks * THREADS, arguments)
            return ranges.get().astype(np.int64 if self.dtype.kind == "i" else np.uint64)

    def _ranges(self, block, every):
        """The lowest and the highest label of each block, from every so manyth chunk."""
        limits, each = np.iinfo(self._chunks.dtype), block // CHUNK
        missing = -len(self._chunks) % each
        lows, highs = (
            np.append(labels, np.full(missing, nothing, labels.dtype)).reshape(-1, each)[:, ::every]
            for labels, nothing in zip(self._chunks.T, (limits.max, limits.min), strict=True)
        )
        return np.stack([lows.min(axis=1), highs.max(axis=1)], axis=-1)

    def _distinct(self, block):
        """All labels, ascending."""
        return self.labels.astype(np.int64 if self.dtype.kind == "i" else np.uint64)

    def _use(self, keys):
        """Nothing: labels are sorted."""

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


def _extremum_of(plan):
    """The plan of the sample of a region whose exponential is the largest."""
    parameter, *_ = plan.parameters.values()
    row, dtype = REDUCTIONS["max" if parameter > 0 else "min"], plan.image_dtype
    return replace(plan, reduction=row, parameters={}, dtype=dtype, min_count=1, fill_value=dtype.type(0))


def kernels_of_sums(plan):
    """The kernels that add up as the CPU does: whole regions, and their segments. None of exact reductions."""
    rows, name = row_dtype(plan.image_dtype), plan.reduction.name
    pixel, out = (f"skpool::{type_of(dtype)}" for dtype in (plan.image_dtype, plan.dtype))
    real = plan.dtype if plan.dtype in (np.float32, np.float64) and name not in POWERS else np.dtype(np.float64)
    types = f"<{pixel}, skpool::{type_of(real)}>"
    if name in RELATIVE:
        mapped = f"Exponentials<skpool::{MAPPED[name]}{types}>"
    elif name in CENTERED:
        mapped = f"Deviations<skpool::{MAPPED[name]}{types}>"
    elif name in POWERS and plan.parameters["p"] != math.inf:
        mapped = f"Powered<skpool::{MAPPED[name]}{types}>"
    elif name in ("sum", "avg") and rows.kind == "f":
        return _summing(_is_of_singles(plan), ("Summed" if name == "sum" else "Averaged") + types, out)
    else:
        return ()
    return _summing(False, mapped, out)


def _is_of_singles(plan):
    """Whether plain sums are those of float32 pixels."""
    return row_dtype(plan.image_dtype) == np.float32 and plan.dtype != np.float64


def _summing(of_singles, mapped, out):
    types = f"skpool::SumOf{'Singles' if of_singles else 'Doubles'}, skpool::{mapped}, {out}"
    return f"skpool::sum_regions<{types}>", f"skpool::sum_segments<{types}>"


def kernels_of_centers(plan):
    """The kernels that find a number of 8 bytes near the mean of each region, as the CPU does.

    Sums of integers are exact, in any order: there is one kernel, with a block of threads for each region.
    """
    rows, pixel = row_dtype(plan.image_dtype), f"skpool::{type_of(plan.image_dtype)}"
    if rows.kind == "f":
        return _summing(_is_of_singles(plan), f"Center<{pixel}>", "skpool::float64")
    total, natural = ("TwoWords", rows.name) if rows.itemsize == 8 else ("uint64", "float64")
    average = f"skpool::Avg<{pixel}, skpool::{total}, skpool::{natural}>"
    return (f"skpool::pool_regions<{average}, skpool::{natural}>",)


def pool(plan, label_image, spans, image, mask, mask_strides, *, indices=False, labels=None, raises=False):
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
    mask_strides : tuple of int or None
        Those of the mask as broadcast to the image.
    indices : bool
        Whether places are asked for.
    labels : ndarray of uint64 or None
        The labels asked for, if they were given, less those that the image cannot have.
    raises : bool
        Whether to wait for the device, and raise an error if NaN counts.

    Returns
    -------
    pooled, places : (K, channels) cupy.ndarray
        Places are None without `indices`.
    """
    kernel, values = checked_kernel(plan, indices)
    channels = 1 if plan.channel_axis is None else image.shape[plan.channel_axis]
    out = empty((len(spans), channels), plan.dtype, image)
    places = empty(out.shape, np.int64, image) if indices else None
    if not out.size:
        return out, places
    with image.device:
        device = image.device.id
        sums, blocks = kernels_of_sums(plan), 0
        if sums:
            block = label_image.block(labels)
            blocks = max(-(-label_image.pixels // block), 1)
            if out.size >= LEAST_REGIONS or out.size * blocks > MOST_SEGMENTS:
                blocks = 0
        raises &= image.dtype.kind == "f"
        known, *space, alarm = _workspace(plan, out, blocks, raises)
        inputs = image, NOTHING if mask is None else mask, alarm, label_image.order, kept_or_sent(spans, device)
        axes = _axes(plan, image, mask_strides)

        def launch(names, plan, values, into):
            table = _table(plan, axes, values, out)
            if len(names) == 1:
                arguments = (*inputs, into, places if indices else NOTHING, table)
                launch_kernel(_FILE, names, device, 0, out.size * THREADS, arguments)
            elif blocks:
                arguments = (*inputs, known, *space, into, table, np.int64(block), np.int64(blocks))
                launch_kernel(_FILE, names[1:], device, 0, out.size * blocks, arguments)
            else:
                launch_kernel(_FILE, names[:1], device, 0, out.size, (*inputs, known, into, table, np.int64(block)))

        if plan.reduction.name in RELATIVE:
            extremum = _extremum_of(plan)
            launch((checked_kernel(extremum)[0],), extremum, {}, known)
        elif plan.reduction.name in CENTERED:
            launch(kernels_of_centers(plan), replace(plan, min_count=1, fill_value=np.float64(0)), {}, known)
        if plan.reduction.name in POWERS:
            values |= {"safe": int(not powers_are_safe(plan)), "least": 2.0**-SAFE}
        launch(sums or (kernel,), plan, values, out)
        if raises:
            heed(alarm)
    return out, places


def _axes(plan, image, mask_strides):
    """The number of spatial axes, merged, and the pixels of a channel that lie side by side; and fields of all axes."""
    axis, strides = plan.channel_axis, {"image": image.strides}
    if mask_strides is not None:
        strides["mask"] = mask_strides
    spatial = [a for a in range(image.ndim) if a != axis]
    axes = merged_axes(
        [image.shape[a] for a in spatial], **{name: [array[a] for a in spatial] for name, array in strides.items()}
    )
    channels = {"length": 1, "outputs": 1}
    inner = 1
    if axis is not None:
        channels = {"length": image.shape[axis], "outputs": image.shape[axis]}
        channels |= {name: array[axis] for name, array in strides.items()}
        inner = math.prod(image.shape[axis + 1 :])
    return {"channels": len(axes), "part": inner}, [*axes, channels]


def _table(plan, axes, values, out):
    """The words of a plan, of whose windows nothing is used."""
    fields, axes = axes
    values = values | fields | {"outputs": out.size, "minimum": plan.min_count, "omits": int(plan.omit_nan)}
    values |= {"fill": word_of(plan.fill_value, plan.dtype)}
    return kept_or_sent(words_of_axes(values, axes), out.device.id)


def _workspace(plan, out, blocks, raises):
    """Room for what is known of regions, for sums of their segments, and for zeros that count these; and an alarm."""
    words = out.size * blocks * (5 if plan.reduction.name in ("soft", *CENTERED) else 3)
    known = out.size if plan.reduction.name in (*RELATIVE, *CENTERED) else 0
    space, alarm = workspace(known + words + (out.size if blocks else 0), raises, out)
    if space is NOTHING:
        return NOTHING, NOTHING, NOTHING, alarm
    arrivals = space[known + words : known + words + (out.size if blocks else 0)]
    arrivals.fill(0)
    return space, space[known:], arrivals, alarm


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
    painted = empty((*label_image.shape, values.shape[1]), values.dtype, values)
    with values.device:
        device = values.device.id
        lowest = arrays().zeros(1, np.int64)
        if painted.size:
            integers = as_integers(label_image)
            low, high = limits_of(label_image.dtype)
            is_background = background is not None and low <= background <= high
            axes = merged_axes(integers.shape, image=integers.strides)
            fields = {"channels": len(axes), "part": values.strides[0], "fill": word_of(fill, values.dtype)}
            axes.append({"outputs": values.shape[1], "out": values.strides[1]})
            table = kept_or_sent(words_of_axes(fields, axes), device)
            keys = kept_or_sent(labels.astype(np.uint64), device), kept_or_sent(rows, device)
            sizes = map(np.int64, (label_image.size, len(labels), is_background))
            background = np.uint64((background if is_background else 0) % 2**64).view(np.int64)
            arguments = (integers, *keys, values, painted, lowest, table, *sizes, background)
            names = (name_of_paint(integers.dtype, values.dtype),)
            launch_kernel(_FILE, names, device, 0, painted.size, arguments)
    return painted, lowest


def name_of_measure(labels):
    """The kernel that measures chunks of labels of some type."""
    return f"skpool::measure_chunks<skpool::{type_of(labels)}>"


def name_of_paint(labels, values):
    """The kernel that paints for labels and values of some types."""
    return f"skpool::paint_regions<skpool::{type_of(labels)}, skpool::uint{8 * values.itemsize}>"
