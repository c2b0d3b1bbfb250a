"""Pixels grouped by label, on the CPU: how tables of groups are laid out, and which passes a reduction takes.

A pass (`Pooling.collect`) reads labels and image once and gives one entry for each group and channel: a sum, an
extremum, a count. Most reductions take one pass, those that need to know something of a group first take two: the
mean for deviations, the extremum for exponentials, and the largest magnitude where powers left the range of float64.
What a state becomes is the business of the same functions that finish windows (`skpool.backends.cpu`). Order
statistics count first, and then sort the samples of one channel after the other (`skpool.backends.grouped`).

Design: blocks of pixels have a table each, so a table must be small beside its block, and the layout may depend on
the label image only, that results do not depend on `workers`. The range of the labels is guessed from every 61st
chunk (a number that hits all columns of common widths); where that is too wide, each block's range is measured, and
blocks grow until they are four times as long as their tables. Labels that are sparse in all of that are looked up in
a hash instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .. import threads
from ..kernels import labels as kernels
from . import cpu, grouped
from .order import ORDERS, order_of

_FUNCTIONS = kernels.table()
_FLOAT64 = np.dtype(np.float64)

#: Pixels of a block: about an image's 64th part, within these bounds.
_LEAST_BLOCK, _MOST_BLOCK, _BLOCKS = 2**14, 2**18, 64

#: A block has at least so many pixels for each place of its table.
_PIXELS_PER_PLACE = 4

#: Pixels of a chunk, as kernels/labels.pyx has it, and chunks from one that is looked at for a guess to the next.
CHUNK = 1024
_SAMPLED = 61

#: A dense table may always be so long; else at most as long as the image.
_DENSE = 2**16

_MOST_LABELS = 2**30


def _places(span):
    """The least power of two above `span`."""
    return 1 << int(span).bit_length()


# --- label images


@dataclass(frozen=True)
class Layout:
    """How groups are laid out in tables.

    Attributes
    ----------
    block : int
        Pixels of a block.
    lows, sizes : ndarray of uint64
        Of each block: the lowest label of its table, as 64 bits, and its places.
    most : int
        Places that a block may take if its labels are not those of its table.
    keys : ndarray or None
        The labels that are looked up, whose places count from 0.
    """

    block: int
    lows: np.ndarray
    sizes: np.ndarray
    most: int = 0
    keys: np.ndarray | None = None


class Layouts:
    """How the groups of a label image may be laid out.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the labels, as integers.
    pixels : int
    """

    def layouts(self, labels=None):
        """Layouts to be tried in this order, for all labels or for those given; the last one never fails."""
        block = min(max(_LEAST_BLOCK, _places(self.pixels // _BLOCKS - 1)), _MOST_BLOCK)
        if labels is not None:
            yield self._given(labels, block)
            return
        if self.dtype.itemsize == 1:
            yield self._uniform(block, int(np.iinfo(self.dtype).min), 256)
            return
        exact = self.pixels <= _LEAST_BLOCK
        extremes = self._ranges(block, 1 if exact else _SAMPLED)
        if not extremes.size:
            yield self._uniform(block, 0, 1)
            return
        low, high = int(extremes[:, 0].min()), int(extremes[:, 1].max())
        size = _places(high - low)
        if size * _PIXELS_PER_PLACE <= block and not exact:
            yield replace(self._uniform(block, low, size), most=2 * block // _PIXELS_PER_PLACE)
        yield self._measured(block, extremes if exact else self._ranges(block, 1))

    def block(self, labels):
        """Pixels of a block, which depend on the labels that there are, or on those given."""
        return next(layout for layout in self.layouts(labels) if not self._spreads(layout)).block

    def _spreads(self, layout):
        """Whether the labels of some block neither have places in its table nor fit another as long as it may be."""
        if not layout.most:
            return False
        ranges = self._ranges(layout.block, 1).view(np.uint64)
        outside = (ranges - layout.lows[:, None] >= layout.sizes[:, None]).any(axis=1)
        return bool((outside & (ranges[:, 1] - ranges[:, 0] >= np.uint64(layout.most))).any())

    def _uniform(self, block, low, size):
        """The same table for all blocks, which are made long enough for it."""
        while block < min(size * _PIXELS_PER_PLACE, self.pixels):
            block *= 2
        blocks = -(-self.pixels // block)
        return Layout(block, np.full(blocks, low % 2**64, np.uint64), np.full(blocks, size, np.uint64))

    def _measured(self, block, extremes):
        """A table for each block's own labels."""
        lows, highs = extremes.T
        if int(highs.max()) - int(lows.min()) >= max(_DENSE, self.pixels):
            return self._sparse(block)
        while lows.size > 1 and _places((highs - lows).max()) * _PIXELS_PER_PLACE > block:
            block *= 2
            pairs = np.arange(0, lows.size, 2)
            lows, highs = np.minimum.reduceat(lows, pairs), np.maximum.reduceat(highs, pairs)
        sizes = np.array([_places(span) for span in highs - lows], np.uint64)
        return Layout(block, lows.astype(np.uint64), sizes)

    def _sparse(self, block):
        """A hash of all labels."""
        return self._hashed(block, self._distinct(block))

    def _hashed(self, block, keys):
        if keys.size >= _MOST_LABELS:
            raise ValueError(f"`label_image` must have fewer than {_MOST_LABELS} labels, got {keys.size}")
        self._use(keys)
        return replace(self._uniform(block, 0, _places(keys.size)), keys=keys)

    def _given(self, labels, block):
        """A table or a hash of some labels only."""
        if not labels.size:
            return self._uniform(block, 0, 1)
        low, high = int(labels.min()), int(labels.max())
        if high - low >= max(_DENSE, self.pixels):
            return self._hashed(block, labels)
        return self._uniform(block, low, _places(high - low))


class Outline(Layouts):
    """A label image of which only the size is known: enough to lay out groups of labels that are given."""

    def __init__(self, dtype, pixels):
        self.dtype, self.pixels = cpu.row_dtype(dtype), pixels

    def _use(self, keys):
        """Nothing: no labels are looked up."""


class LabelImage(Layouts):
    """A label image and the groups that its pixels fall into.

    Parameters
    ----------
    image : ndarray
        Boolean or integer, any layout.
    workers : int or None
        See `skpool.threads`.
    """

    def __init__(self, image, workers):
        load = cpu.load_key(cpu.row_dtype(image.dtype), image.dtype)
        self.dtype = cpu.row_dtype(image.dtype)
        self.pixels = image.size
        self.workers = threads.worker_count(workers, image.nbytes)
        functions = {name: _FUNCTIONS[name, self.dtype.name] for name in ("index", "range", "key")}
        functions["load"] = cpu.FUNCTIONS.common[load]
        self.kernel = kernels.Labels(image[..., None], functions, cpu.is_read_as_is(load), image.dtype.itemsize)

    def _ranges(self, block, every):
        """The lowest and the highest label of each block, from every so manyth chunk."""
        extremes = np.empty((-(-self.pixels // block), 2), np.uint64)
        self.kernel.ranges(extremes, block, every, self.workers)
        return extremes.view(np.int64) if self.dtype.kind == "i" else extremes

    def _distinct(self, block):
        """All labels, ascending."""
        keys = np.frombuffer(self.kernel.distinct(block, self.workers), np.uint64)
        return np.sort(keys.view(np.int64 if self.dtype.kind == "i" else np.uint64))

    def _use(self, keys):
        """Look labels up among these."""
        self.kernel.use_keys(np.ascontiguousarray(keys), keys.size)


class Block(LabelImage):
    """A block of a label image, which has one table."""

    def layouts(self, labels=None):
        yield self._measured(self.pixels, self._ranges(self.pixels, 1))


# --- passes


@dataclass
class Pooling:
    """The groups of a call, and what the passes over its image find.

    Attributes
    ----------
    plan : skpool.plan.Plan
        Of its windows nothing is used.
    label_image : LabelImage
    image, mask : ndarray or None
        With the channels, at least one, as the last axis.
    labels : ndarray of uint64 or None
        The labels to look for; None: all but the background.
    background : int or None
    indices : bool
        Whether places are asked for.
    """

    plan: object
    label_image: LabelImage
    image: np.ndarray
    mask: np.ndarray | None = None
    labels: np.ndarray | None = None
    background: int | None = None
    indices: bool = False

    def __post_init__(self):
        self.channels = self.image.shape[-1]
        self.rows = cpu.row_dtype(self.plan.image_dtype)
        load = cpu.load_key(self.rows, self.plan.image_dtype)
        self.source = kernels.Array(self.image, cpu.FUNCTIONS.common[load], cpu.is_read_as_is(load), self.rows.itemsize)
        self.masks = None
        if self.mask is not None:
            self.masks = kernels.Array(self.mask, cpu.FUNCTIONS.common["load", 1], True, 1)
        self.partial = self.mask is not None or self.plan.omit_nan
        self.layout = self.low = self.groups = self.counts = self.occupied = self.places = None

    def collect(self, *collectors, map=None, kernel=None, relative=False, known=None, second=None):
        """One pass over the image.

        Parameters
        ----------
        *collectors : (key, plane)
            Keys of collectors, and the plane of the mapped row that each collects.
        map : str, optional
            Name of a map.
        kernel : tuple, optional
            Key of the row kernel that maps each row; `relative` to what is known of its group.
        known : ndarray, optional
            Numbers of 8 bytes for each channel and group.
        second : float, optional
            In place of the second parameter of the reduction.

        Returns
        -------
        list of ndarray of uint64
            One for each collector, of shape (channels, groups, words). The last group is empty.
        """
        first, own_second = self.numbers
        steps = {
            "omit": _FUNCTIONS["omit", self.rows.name] if self.plan.omit_nan else 0,
            "map": _FUNCTIONS[map, self.rows.name] if map else 0,
            "kernel": cpu.FUNCTIONS.kernels[kernel] if kernel else 0,
            "relative": relative,
            "parameters": (first, own_second if second is None else second),
            "collectors": [(_FUNCTIONS[key], plane) for key, plane in collectors],
        }
        new = self.layout is None
        for layout in self.label_image.layouts(self.labels) if new else [self.layout]:
            tables = self._tables(layout, steps, known, new)
            if not tables.spread:
                break
        if new:
            self._settle(replace(layout, most=0), tables.outside)
        entries = [np.empty((self.channels, self.groups, _WORDS[key[0]]), np.uint64) for key, plane in collectors]
        areas = np.empty(self.groups, np.int64) if new and self.has_areas else None
        tables.join(entries, areas, self.low % 2**64, self.groups, self.label_image.workers)
        if new:
            self.counts = _counts(collectors, entries)
            if self.labels is None:
                self.occupied = (self.counts[0] if areas is None else areas) > 0
        return entries

    @property
    def numbers(self):
        """The two parameters of the reduction that row functions read; those of order statistics are not theirs."""
        row = self.plan.reduction.name
        given = () if row in ORDERS else self.plan.parameters.values()
        return (*(value or 0.0 for value in given), 0.0, 0.0)[:2]

    @property
    def has_areas(self):
        """Whether counts of pixels do not tell which labels there are."""
        return self.labels is None and (self.partial or not self.channels)

    def _tables(self, layout, steps, known, first):
        used = steps["omit"] or [key for key, plane in steps["collectors"] if key != _FUNCTIONS["count",]]
        return self.label_image.kernel.collect(
            self.source if used else None,
            self.masks,
            self.channels,
            steps,
            layout.lows,
            layout.sizes,
            layout.block,
            layout.most,
            self.labels is not None,
            first and self.has_areas,
            known,
            (self.low or 0) % 2**64,
            self.groups or 0,
            self.label_image.workers,
        )

    def _settle(self, layout, outside):
        """Keep the layout that all tables fit, and what lies where in it."""
        self.layout, self.outside = layout, outside
        lows = layout.lows.view(np.int64) if self.label_image.dtype.kind == "i" else layout.lows
        ends = [int(low) + int(size) for low, size in zip(lows, layout.sizes, strict=True)]
        self.low = int(lows.min()) if ends else 0
        self.groups = max(ends, default=0) - self.low + 1

    def found(self):
        """The labels that occur, in order, less the background; sets the places of their groups."""
        self.places = np.flatnonzero(self.occupied[:-1])
        labels = self._labels_at(self.places)
        if self.background is not None and (of_background := labels == self.background).any():
            self.places, labels = self.places[~of_background], labels[~of_background]
        return labels

    def _labels_at(self, places):
        if self.layout.keys is not None:
            return self.layout.keys[places].astype(self.label_image.dtype)
        bits = places.astype(np.uint64) + np.uint64(self.low % 2**64)
        return bits.astype(self.label_image.dtype)

    def use_given(self, known):
        """Set the places of the groups to those of the labels given; of those not `known`, to an empty group."""
        if self.layout is None:
            [layout] = self.label_image.layouts(self.labels)
            self._settle(layout, False)
        self.places = np.full(known.size, self.groups - 1)
        self.places[known] = self._given_places()

    def _given_places(self):
        if not self.label_image.pixels:
            return np.full(self.labels.size, self.groups - 1)
        if self.layout.keys is not None:
            return np.arange(self.labels.size)
        return (self.labels - np.uint64(self.low)).astype(np.int64)

    def counted(self, channel):
        """The groups that have a row and count pixels of a channel, and these pixels.

        Returns
        -------
        places, counts : (k,) ndarray of int64
            Of each group: its place, and how many pixels it counts, at least 1.
        samples, numbers : (pixels,) ndarray
            In row-major order: the pixels that count, in the image's type, and which of the k groups each is in.
        """
        if self.labels is None:
            self.found()
        places = self.places if self.labels is None else self._given_places()
        counts = self.counts[channel, places].astype(np.int64)
        places, counts = places[counts > 0], counts[counts > 0]
        samples = self.image[..., channel].astype(self.plan.image_dtype.newbyteorder("="), copy=False).reshape(-1)
        numbers = _painted(self, places, np.arange(places.size, dtype=np.uint32)[:, None], places.size).reshape(-1)
        if counts.sum() == samples.size:
            return places, counts, samples, numbers
        counts_here = numbers < places.size
        if self.mask is not None:
            counts_here &= self.mask[..., channel].reshape(-1)
        if self.plan.omit_nan:
            counts_here &= ~np.isnan(samples)
        return places, counts, samples[counts_here], numbers[counts_here]


#: Collectors whose counts are floats.
_FLOAT_COUNTS = (("sum", "float32"), ("sum", "float64"))

#: Words of 8 bytes of an entry, by collector; the last one is the count.
_WORDS = {"count": 1, "sum": 2, "max": 2, "min": 2, "exact sum": 3, "words": 3, "argmax": 3, "argmin": 3}


def _counts(collectors, entries):
    """How many pixels each group counts, as the first collector has them."""
    key, _ = collectors[0]
    counts = entries[0][..., -1]
    return counts.view(np.float64) if key in _FLOAT_COUNTS else counts.astype(np.float64)


def _values(entries, dtype):
    """The first word of each entry, which begins with a number of the type."""
    words = np.ascontiguousarray(entries[..., :1])
    return words.view(dtype)[..., 0]


def _total(entries):
    """Totals, with what they lack; an infinite one lacks nothing."""
    totals, rests = (entries[..., word].view(np.float64) for word in (0, 1))
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(totals), totals + rests, totals)


_EXACT = (("exact sum", "float64"), 0)


# --- how each reduction is computed


@dataclass(frozen=True)
class Outcome:
    """What the passes gave.

    Attributes
    ----------
    state : ndarray
        Of shape (planes, channels, groups), as the finish takes it.
    finish : tuple or None
        Key of the finish; None: the state is the result.
    natural : numpy.dtype
        Type of what the finish gives.
    divisor : float or None
        What an average divides by, in place of the count.
    counts : ndarray or None
        What the finish takes for the counts, of shape (channels, groups), if others than those of the pixels.
    scale : ndarray or None
        What results are to be multiplied by.
    indices : ndarray or None
        Places of extrema, counted over the pixels.
    """

    state: np.ndarray
    finish: tuple | None
    natural: np.dtype
    divisor: float | None = None
    counts: np.ndarray | None = None
    scale: np.ndarray | None = None
    indices: np.ndarray | None = None


def _real(dtype):
    """The floating-point type that a finish gives for a result of some type."""
    return dtype if dtype in (np.float32, np.float64) else _FLOAT64


def _extremum(pooling):
    rows, name = pooling.rows, pooling.plan.reduction.name
    [entries] = pooling.collect(((f"arg{name}" if pooling.indices else name, rows.name), 0))
    indices = entries[..., 1].view(np.int64) if pooling.indices else None
    return Outcome(_values(entries, rows)[None], None, cpu.kept_dtype(rows, pooling.plan.image_dtype), indices=indices)


def _both_extrema(pooling):
    entries = pooling.collect((("max", pooling.rows.name), 0), (("min", pooling.rows.name), 0))
    return [_values(each, pooling.rows) for each in entries]


def _range(pooling):
    recipe = cpu.recipe_of(pooling.plan, False)
    return Outcome(np.stack(_both_extrema(pooling)), recipe.finish, recipe.natural)


def _sums(pooling, words):
    """The state of sums and how a finish reads it; 64-bit integers do not wrap in two `words`."""
    rows = pooling.rows
    if rows.kind == "f":
        if rows.itemsize == 4 and pooling.plan.dtype != np.float64:
            [entries] = pooling.collect((("sum", rows.name), 0))
            return entries[None, ..., 0].view(np.float64), "float64"
        [entries] = pooling.collect((("exact sum", rows.name), 0))
        return _total(entries)[None], "float64"
    if rows.itemsize == 8 and words:
        [entries] = pooling.collect((("words", rows.name), 0))
        return np.moveaxis(entries[..., :2], -1, 0), cpu.reading("two words", rows)
    [entries] = pooling.collect((("sum", rows.name), 0))
    return entries[None, ..., 0], cpu.reading("64 bits", rows)


def _sum(pooling):
    plan = pooling.plan
    natural = plan.reduction.result(plan.image_dtype.newbyteorder("="))
    state, reading = _sums(pooling, words=plan.dtype.kind == "f")  # nothing wraps on its way to a float
    if "words" in reading:
        return Outcome(state, ("avg", reading, "float64"), _FLOAT64, divisor=1)
    if plan.dtype.kind == "f" or natural.kind == "f":
        natural = _real(plan.dtype)
    return Outcome(state, ("sum", reading, natural.name), natural)


def _avg(pooling):
    plan = pooling.plan
    state, reading = _sums(pooling, words=True)
    natural = _real(plan.dtype)
    divisor = plan.parameters["divisor"]
    if pooling.rows.kind != "f" and divisor is None and plan.dtype.kind in "iu":
        natural = np.dtype(f"{pooling.rows.kind}8")
    elif "words" in reading:
        natural = _FLOAT64
    return Outcome(state, ("avg", reading, natural.name), natural, divisor=divisor)


def _count(pooling):
    [entries] = pooling.collect((("count",), 0))
    return Outcome(entries[None, ..., 0], ("count",), np.dtype(np.int64))


def _power(pooling):
    plan, rows = pooling.plan, pooling.rows
    if plan.parameters["p"] == math.inf:
        return Outcome(_magnitude(pooling)[None], ("largest_magnitude", "float64"), _FLOAT64)
    [entries] = pooling.collect(_EXACT, kernel=(plan.reduction.name, rows.name))
    state = _total(entries)
    scale = None
    lost = (pooling.counts > 0) & ((state < 2.0**-cpu.SAFE) | (state > 2.0**cpu.SAFE))
    if lost.any() and not powers_are_safe(plan):
        # Multiples of the largest magnitude: homogeneous, and none above 1.
        least = plan.parameters.get("eps", -math.inf)
        largest = _both_extrema(pooling)[0].astype(np.float64) if "eps" in plan.parameters else _magnitude(pooling)
        top = np.maximum(largest, least)
        lost &= (top > 0) & np.isfinite(top)
        scale = np.where(lost, top, 1.0)
        [entries] = pooling.collect(_EXACT, map="quotients", kernel=("lp", "float64"), known=scale, second=least)
        state = np.where(lost, _total(entries), state)
    return Outcome(state[None], (plan.reduction.name, "float64"), _FLOAT64, scale=scale)


def powers_are_safe(plan):
    """Whether no sum of powers but 0 can leave the range of float64."""
    return cpu.bits_of_powers(plan) + _MOST_LABELS.bit_length() <= cpu.SAFE


def _magnitude(pooling):
    high, low = (values.astype(np.float64) for values in _both_extrema(pooling))
    return np.maximum(np.abs(high), np.abs(low))


def _exponential(pooling):
    name, [parameter] = pooling.plan.reduction.name, pooling.plan.parameters.values()
    [entries] = pooling.collect((("max" if parameter > 0 else "min", pooling.rows.name), 0))
    extreme = _values(entries, pooling.rows).astype(np.float64)
    # The kernel's own arithmetic: the exponent of the extremum is the largest of all, bit for bit.
    top = extreme * parameter if name == "logsumexp" else extreme / parameter
    planes = (1,) if name == "logsumexp" else (1, 2)
    sums = pooling.collect(
        *((_EXACT[0], plane) for plane in planes), kernel=(name, pooling.rows.name), relative=True, known=top
    )
    natural = _real(pooling.plan.dtype)
    return Outcome(np.stack([top, *map(_total, sums)]), (name, natural.name), natural)


def _moments(pooling):
    center = _center(pooling)
    deviations, squares = map(_total, pooling.collect(_EXACT, (_EXACT[0], 1), map="deviations", known=center))
    # The center is rounded: the sum of the deviations is not 0.
    less = np.maximum(squares - deviations * (deviations / pooling.counts), 0)
    squares = np.where(np.isinf(squares), squares, less)
    natural = _real(pooling.plan.dtype)
    state = np.stack([pooling.counts, np.zeros_like(squares), squares, np.zeros_like(squares)])
    return Outcome(state, (pooling.plan.reduction.name, natural.name), natural)


def _center(pooling):
    """A number near the mean of each group: whole for 64-bit integers."""
    rows = pooling.rows
    state, reading = _sums(pooling, words=True)
    if "words" in reading:
        dtype = np.dtype(f"{rows.kind}8")
        return _finished(pooling, Outcome(state, ("avg", reading, dtype.name), dtype))
    totals = state[0] if rows.kind != "i" else state[0].view(np.int64)
    center = totals / pooling.counts
    lost = (pooling.counts > 0) & np.isinf(totals)
    if rows == np.float64 and lost.any():
        # Totals of very large numbers overflow, those of their parts do not.
        parts = np.full(totals.shape, 2.0**40)
        [entries] = pooling.collect(_EXACT, map="quotients", known=parts, second=-math.inf)
        center = np.where(lost, _total(entries) / pooling.counts * 2.0**40, center)
    return center


def _sorted(pooling):
    """Reductions that look at all samples of a group at once."""
    plan, rows = pooling.plan, pooling.rows
    order = order_of(plan, rows)
    words = order.finish == "mean" and rows.kind != "f"
    natural = {"same": cpu.kept_dtype(rows, plan.image_dtype), "int64": np.dtype(np.int64)}.get(order.result, _FLOAT64)
    pooling.collect((("count",), 0))
    state = np.zeros((1 + words, pooling.channels, pooling.groups), np.uint64 if words else natural)
    for channel in range(pooling.channels):
        places, counts, *pixels = pooling.counted(channel)
        if places.size:
            state[:, channel, places] = grouped.finished(*pixels, counts, order, plan.reduction.counts_nan)
    if order.finish != "mean":
        return Outcome(state, None, natural)
    start, stop, _ = order.ranks(np.maximum(pooling.counts, 1).astype(np.int64))
    if words and plan.dtype.kind in "iu":
        natural = np.dtype(f"{rows.kind}8")
    reading = cpu.reading("two words" if words else "float64", rows)
    return Outcome(state, ("avg", reading, natural.name), natural, counts=(stop - start).astype(np.float64))


_RECIPES: dict[str, Callable] = {
    "max": _extremum,
    "min": _extremum,
    "range": _range,
    "sum": _sum,
    "avg": _avg,
    "count": _count,
    "lp": _power,
    "power_mean": _power,
    "gem": _power,
    "logsumexp": _exponential,
    "soft": _exponential,
    "var": _moments,
    "std": _moments,
    **dict.fromkeys(ORDERS, _sorted),
}


def most_passes(plan):
    """How many passes a reduction may take; 0 if it sorts."""
    name, rows = plan.reduction.name, cpu.row_dtype(plan.image_dtype)
    if name in ORDERS:
        return 0
    if name in cpu.POWERS:
        return 1 if plan.parameters["p"] == math.inf or powers_are_safe(plan) else 3
    if name in ("var", "std"):
        return 3 if rows == np.float64 else 2
    return 2 if name in ("logsumexp", "soft") else 1


def compute(pooling):
    """Take all passes; what they gave, for all groups."""
    with np.errstate(all="ignore"):
        return _RECIPES[pooling.plan.reduction.name](pooling)


# --- images that are not in memory at once: each pass block by block, and joined


class Wanted(Exception):
    """The pass that a `Replay` is to go on with: its collectors, and all else that `Pooling.collect` takes."""


class Replay(Pooling):
    """A pooling whose groups are the rows of a result, and of whose passes over a whole image the first are known."""

    def __init__(self, plan, channels, passes):
        super().__init__(plan, None, np.empty((0, channels), plan.image_dtype))
        self.passes, self.places = iter(passes), slice(None)

    def collect(self, *collectors, **given):
        entries = next(self.passes, None)
        if entries is None:
            raise Wanted(collectors, given)
        if self.counts is None:
            self.counts = _counts(collectors, entries)
        return entries


def wanted_pass(plan, channels, passes):
    """The arguments of the pass after those that are known, or None if these are all."""
    try:
        compute(Replay(plan, channels, passes))
    except Wanted as wanted:
        return wanted.args
    return None


def collect_blocks(plan, wanted, rows, block, label_image, image, mask):
    """A pass over a run of whole blocks.

    Parameters
    ----------
    plan : skpool.plan.Plan
    wanted : tuple
        What `wanted_pass` gave.
    rows : ndarray of uint64
        The label of each row.
    block : int
        Pixels of a block.
    label_image : (pixels,) ndarray
    image, mask : (pixels, channels) ndarray
        The mask may be None.

    Returns
    -------
    keys : list of tuple
        Of the collectors.
    blocks : list of (rows, [entries, ...])
        Of each block: the rows that it has pixels of, and for each collector their entries.
    """
    collectors, given = wanted
    order = np.argsort(rows)
    blocks = []
    for start in range(0, label_image.size, block):
        own, steps = slice(start, start + block), given
        pooling = Pooling(plan, Block(label_image[own], 1), image[own], None if mask is None else mask[own])
        if (known := given.get("known")) is not None:
            pooling.collect((("count",), 0))
            taken, places = _rows_of(pooling, rows, order)
            of_groups = np.zeros((pooling.channels, pooling.groups), known.dtype)
            of_groups[:, places] = known[:, taken]
            steps = given | {"known": of_groups}
        entries = pooling.collect(*collectors, **steps)
        taken, places = _rows_of(pooling, rows, order)
        blocks.append((taken, [each.take(places, 1) for each in entries]))
    return [key for key, _ in collectors], blocks


def _rows_of(pooling, rows, order):
    """The rows that a block has pixels of, and the places of their groups."""
    labels = pooling.found().astype(np.uint64)
    first, stop = (np.searchsorted(rows, labels, side, order) for side in ("left", "right"))
    return order[first[first < stop]], pooling.places[first < stop]


def join_blocks(keys, blocks, channels, groups):
    """Entries of each collector for all rows, of those of all blocks in order, as the collectors join them."""
    wholes = [np.zeros((channels, groups, _WORDS[key[0]]), np.uint64) for key in keys]
    with np.errstate(all="ignore"):
        for rows, entries in blocks:
            for key, whole, later in zip(keys, wholes, entries, strict=True):
                whole[:, rows] = _joined(key, whole.take(rows, 1), later)
    return wholes


def _joined(key, entries, later):
    """Entries with those of a later block; zeros change no sum, for none is -0.0."""
    if key[0] in ("max", "min"):
        return _joined_extrema(key, entries, later)
    if key in _FLOAT_COUNTS:
        return (entries.view(np.float64) + later.view(np.float64)).view(np.uint64)
    joined = entries + later
    if key[0] == "exact sum":
        (before, rest), (value, own) = (np.moveaxis(each[..., :2].view(np.float64), -1, 0) for each in (entries, later))
        after = before + value
        taken = after - before
        rest = rest + ((before - (after - taken)) + (value - taken))
        joined[..., :2].view(np.float64)[...] = np.stack([after, rest + own], axis=-1)
    return joined


def _joined_extrema(key, entries, later):
    """Of equal ones the first, and the first NaN."""
    name, dtype = key
    old, new = (_values(each, np.dtype(dtype)) for each in (entries, later))
    beats = ~(new <= old if name == "max" else new >= old) & (old == old)
    counts, others = entries[..., 1], later[..., 1]
    taken = (others > 0) & ((counts == 0) | beats)
    return np.stack([np.where(taken, later[..., 0], entries[..., 0]), counts + others], axis=-1)


def _finished(pooling, outcome, places=slice(None)):
    """Results of some groups in their natural type, one row for each channel."""
    state = np.ascontiguousarray(outcome.state[:, :, places])
    if outcome.finish is None:
        return state[0].view(outcome.natural)
    counts = pooling.counts if outcome.counts is None else outcome.counts
    counts = np.ascontiguousarray(counts[:, places])
    out = np.empty(counts.shape, outcome.natural)
    numbers = pooling.numbers
    common, finishes = cpu.FUNCTIONS.common, cpu.FUNCTIONS.finishes
    function = common["finish", "count"] if outcome.finish == ("count",) else finishes[outcome.finish]
    kernels.finish(out, state, counts.reshape(-1), function, (*numbers, outcome.divisor or 0.0))
    if outcome.scale is not None:
        with np.errstate(all="ignore"):
            out *= outcome.scale[:, places]
    return out


def results(pooling, outcome):
    """Results of the groups at `pooling.places`, and how many pixels each counts; channels last."""
    plan, places = pooling.plan, pooling.places
    natural = _finished(pooling, outcome, places)
    counts = np.ascontiguousarray(pooling.counts[:, places])
    widen, narrow = cpu.convert_keys(natural.dtype, plan.dtype)
    common = cpu.FUNCTIONS.common
    out = np.empty(counts.shape, plan.dtype) if widen else natural
    wide = np.empty(counts.shape, np.uint64) if widen else None
    kernels.convert(
        out,
        natural,
        wide,
        counts.reshape(-1),
        common[widen] if widen else 0,
        common[narrow] if narrow else 0,
        common["blank", plan.dtype.itemsize],
        plan.min_count,
        cpu.bytes_of(plan.fill_value, plan.dtype),
    )
    return np.ascontiguousarray(out.T), np.ascontiguousarray(counts.T)


def paint(pooling, values, chosen, fill):
    """An image of each pixel's values.

    Parameters
    ----------
    pooling : Pooling
        Whose places are those of the rows of `values` that are `chosen`; all others have no pixel.
    values : ndarray
        Of shape (rows, channels).
    fill : numpy scalar
        The value of pixels whose label has no row.

    Returns
    -------
    ndarray
        Of the shape of the label image, with the channels last.
    """
    return _painted(pooling, pooling.places[chosen], values[chosen], fill)


def _painted(pooling, places, values, fill):
    """An image of each pixel's values, those of the groups at some places given."""
    layout, channels, dtype = pooling.layout, values.shape[1], values.dtype
    size = _places(max(pooling.groups - 2, 0))
    table = np.full((size + 1, channels), fill, dtype)
    table[places] = values
    out = np.empty((*pooling.image.shape[:-1], channels), dtype)
    low = np.full(layout.lows.shape, pooling.low % 2**64, np.uint64)
    pooling.label_image.kernel.paint(
        out,
        table,
        _FUNCTIONS["paint", dtype.itemsize],
        channels,
        dtype.itemsize,
        low,
        np.full(low.shape, size, np.uint64),
        layout.block,
        pooling.label_image.workers,
    )
    return out
