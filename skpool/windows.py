"""WHERE: windows as tables of integers, one :class:`Axis` per axis of the image; then the layouts that make them.

No pixels here, and no floats. For output ``o`` an axis knows the positions that its window looks at::

    position     -1 | 0  1  2  3  4  5  6 | 7 | 8  9      image of length 7, padding (1, 1)
               before        image        after  beyond     window 3, stride 3, step 1
    window 0      x   x  x
    window 1               x  x  x
    window 2                        x  x    x
    window 3                                             it would start at 8: beyond, so it is dropped

and what each position holds: a sample of the image (its index), nothing (`ABSENT`), or the constant
(`CONSTANT`). What lies *beyond* the padded axis is absent in every mode. Every backend, the reference
and the tests read these tables, so that a rule of geometry is written once.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

ABSENT = -1
CONSTANT = -2

#: Lengths and positions stay below this, so that every sum and product of two fits 64 bits.
LARGEST = 2**31 - 1


def _reflect(position, length):
    period = max(2 * (length - 1), 1)
    return length - 1 - np.abs(position % period - (length - 1)) if length > 1 else position * 0


def _symmetric(position, length):
    folded = position % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


#: What a padded position holds, by mode: ``(position, length) -> source``, as `numpy.pad` defines it.
PADDING_MODES = {
    "ignore": lambda position, length: np.full_like(position, ABSENT),
    "constant": lambda position, length: np.full_like(position, CONSTANT),
    "edge": lambda position, length: np.clip(position, 0, length - 1),
    "reflect": _reflect,
    "symmetric": _symmetric,
    "wrap": lambda position, length: position % length,
}


def _same(length, extent, stride):
    total = max((-(-length // stride) - 1) * stride + extent - length, 0)
    return total // 2, total - total // 2


#: Padding by name: ``(length, extent, stride) -> (before, after)``.
NAMED_PADDING = {
    "same": _same,
    "same_lower": lambda *geometry: _same(*geometry)[::-1],
    "valid": lambda *geometry: (0, 0),
}


class Whole(NamedTuple):
    """What backends decide by, of the axis that another was taken from: so that they decide alike for both."""

    length: int
    most_taps: int
    identity: bool


@dataclass(frozen=True)
class Axis:
    """The windows along one axis: output ``o`` looks at ``start[o] + t * step`` for ``t < taps[o]``.

    Attributes
    ----------
    length : int
        Samples of the image along the axis.
    outputs : int
        Number of windows.
    window, stride, step : int
        Taps of a whole window, distance between windows, distance between taps (the dilation).
    before, after : int
        Padding. Positions run from ``-before`` to ``length + after - 1``. Of a run of outputs that all look past the
        image, `before` is negative.
    mode : str
        A key of `PADDING_MODES`.
    whole : Whole or None
        Of the axis that this one was taken from, if it was.
    """

    length: int
    outputs: int
    window: int
    stride: int
    step: int = 1
    before: int = 0
    after: int = 0
    mode: str = "ignore"
    whole: Whole | None = None

    @property
    def extent(self):
        """Samples from the first tap of a window to its last, both included."""
        return (self.window - 1) * self.step + 1

    @cached_property
    def start(self):
        """First position of each window, negative where it begins in the padding."""
        return np.arange(self.outputs, dtype=np.int64) * self.stride - self.before

    @cached_property
    def taps(self):
        """Taps of each window that lie within the padded axis."""
        return _taps_below(self.length + self.after, self.start, self.window, self.step)

    @property
    def is_even(self):
        """Whether `window`, `stride` and `step` tell where all windows are."""
        return True

    @property
    def overlaps(self):
        """Whether neighbouring windows share samples."""
        return self.stride < self.extent

    @cached_property
    def most_taps(self):
        """The most taps that any window has; less than `window` where the padded axis is shorter."""
        if self.whole is not None:
            return self.whole.most_taps
        return int(self.taps[0]) if self.outputs else 0

    @cached_property
    def counts(self):
        """Counted taps of each window: all of `taps`, or under ``"ignore"`` those inside the image."""
        if self.mode != "ignore":
            return self.taps
        ahead = _taps_below(0, self.start, self.window, self.step)
        return _taps_below(self.length, self.start, self.window, self.step) - ahead

    @cached_property
    def outside_before(self):
        """What positions -1, -2, ... hold."""
        return self.source(-1 - np.arange(self.before, dtype=np.int64))

    @cached_property
    def outside_after(self):
        """What positions length, length + 1, ... hold."""
        return self.source(self.length + np.arange(self.after, dtype=np.int64))

    @property
    def identity(self):
        """Whether the windows are the samples themselves, in order."""
        if self.whole is not None:
            return self.whole.identity
        return self.window == 1 and self.stride == 1 and self.outputs == self.length and self.before == 0

    @property
    def whole_length(self):
        """Samples of the whole image along the axis."""
        return self.length if self.whole is None else self.whole.length

    def source(self, position):
        """What each position holds: an index into the image, `ABSENT` or `CONSTANT`."""
        position = np.asarray(position, dtype=np.int64)
        inside = (position >= 0) & (position < self.length)
        beyond = position >= self.length + self.after
        if inside.all() or self.length == 0:
            return np.where(inside, position, ABSENT)
        padded = PADDING_MODES[self.mode](position, self.length)
        return np.where(inside, position, np.where(beyond, ABSENT, padded))

    def positions(self, output):
        """What the taps of one window hold, in order: ``taps[output]`` sources."""
        return self.source(self.start[output] + np.arange(self.taps[output]) * self.step)

    @property
    def centers(self):
        """Centre of each whole window in image coordinates, as float64."""
        return self.start + (self.extent - 1) / 2

    def offsets(self, output):
        """How far each tap of a window lies from its centre, in half samples, as whole numbers."""
        center = int(2 * self.centers[output])
        return 2 * (int(self.start[output]) + np.arange(self.taps[output], dtype=np.int64) * self.step) - center

    def take(self, outputs):
        """The windows of a run of outputs, on no more samples than they look at.

        Parameters
        ----------
        outputs : slice
            From a start to a later stop, in steps of 1.

        Returns
        -------
        Run
        """
        first = outputs.start * self.stride - self.before
        stop = min((outputs.stop - 1) * self.stride - self.before + self.extent, self.length + self.after)
        if self.mode not in ("ignore", "constant") and (first < 0 or stop > self.length):
            # Padding that holds samples becomes samples, each of which knows its source.
            sources = self.source(np.arange(first, stop, dtype=np.int64))
            changed = {"length": len(sources), "before": 0, "after": 0, "mode": "ignore"}
            return Run(self._part(outputs, **changed), outputs.start, *_intervals(sources))
        low = min(max(first, 0), self.length - 1)
        high = max(min(stop, self.length), low + 1)
        changed = {"length": high - low, "before": low - first, "after": max(stop - high, 0)}
        return Run(self._part(outputs, **changed), outputs.start, ((low, high),))

    def _part(self, outputs, **changed):
        """The axis of a run of outputs, which decisions take for the whole."""
        whole = self.whole or Whole(self.length, self.most_taps, self.identity)
        return replace(self, outputs=outputs.stop - outputs.start, whole=whole, **changed)


class Run(NamedTuple):
    """A run of outputs along one axis, taken from all of them.

    Attributes
    ----------
    axis : Axis
        Their windows, on the samples of `sources`.
    first : int
        The number of the first of them.
    intervals : tuple of (int, int)
        The samples of the image that they look at, from and to before: one interval, or two where padding wraps.
    order : ndarray of int64 or None
        Where among the samples of the intervals each sample of `axis` is; None where they are as they lie.
    """

    axis: Axis
    first: int
    intervals: tuple[tuple[int, int], ...]
    order: np.ndarray | None = None

    @property
    def sources(self):
        """Where in the whole image each sample is."""
        samples = np.concatenate([np.arange(*interval, dtype=np.int64) for interval in self.intervals])
        return samples if self.order is None else samples[self.order]


def _intervals(sources):
    """`Run.intervals` and `Run.order` for samples of these sources."""
    samples, order = np.unique(sources, return_inverse=True)
    parts = np.split(samples, np.flatnonzero(np.diff(samples) > 1) + 1)
    return tuple((int(part[0]), int(part[-1]) + 1) for part in parts), order


@dataclass(frozen=True, eq=False)
class UnevenAxis(Axis):
    """Windows of neighbouring samples inside the image, each with a start and a size of its own.

    Neither the starts nor the ends go back from one window to the next. `window` is the size of the largest; a window
    may be empty.

    Attributes
    ----------
    start, taps : ndarray of int64
        First sample of each window, and how many it has.
    """

    start: np.ndarray | None = None
    taps: np.ndarray | None = None

    @property
    def is_even(self):
        return False

    @cached_property
    def overlaps(self):
        return bool((self.start[1:] < (self.start + self.taps)[:-1]).any())

    @property
    def most_taps(self):
        return self.window

    @property
    def counts(self):
        return self.taps

    @property
    def centers(self):
        return self.start + (self.taps - 1) / 2

    def take(self, outputs):
        start, taps = self.start[outputs], self.taps[outputs]
        low = min(int(start[0]), self.length - 1)
        high = max(int((start + taps).max()), low + 1)
        part = self._part(outputs, length=high - low, start=start - low, taps=taps)
        return Run(part, outputs.start, ((low, high),))


def _taps_below(limit, start, window, step):
    """How many of the taps ``start, start + step, ...`` of each window lie below `limit`."""
    return np.clip(-((start - limit) // step), 0, window)


def sliding(length, window, stride, step=1, padding=(0, 0), ceil_mode=True, mode="ignore"):
    """Evenly spaced windows along one axis.

    Parameters
    ----------
    length : int
        Samples along the axis.
    window, stride, step : int
        Taps of a window, distance between windows, distance between taps.
    padding : str or (int, int)
        A key of `NAMED_PADDING`, or samples before and after.
    ceil_mode : bool
        Keep one more window that hangs over the far end, if it starts inside the image or the padding before it.
    mode : str
        A key of `PADDING_MODES`.

    Returns
    -------
    Axis

    Raises
    ------
    ValueError
        If the window does not fit once, unless the axis is empty.
    """
    extent = (window - 1) * step + 1
    if isinstance(padding, str):
        ceil_mode = ceil_mode and padding != "valid"
        padding = NAMED_PADDING[padding](length, extent, stride)
    before, after = padding
    if length == 0:
        return Axis(0, 0, window, stride, step, before, after, mode)
    room = length + before + after - extent
    outputs = room // stride + 1
    # The last window must start inside the image or the leading padding: it would hold nothing otherwise.
    if ceil_mode and room % stride and outputs * stride < length + before:
        outputs += 1
    if outputs < 1:
        raise ValueError(
            f"`window_shape` must fit into the padded image at least once, got a window of {window} "
            f"(spanning {extent} with its dilation) and stride {stride} on an axis of {length} samples "
            f"padded by {(before, after)}"
        )
    return Axis(length, outputs, window, stride, step, before, after, mode)


def whole(length):
    """The axis left alone: one window of one sample for each of its samples."""
    return Axis(length, length, 1, 1)


def between(length, start, stop):
    """Windows of the samples from each `start` to before each `stop`.

    Parameters
    ----------
    length : int
        Samples along the axis.
    start, stop : sequence of int
        ``0 <= start <= stop <= length``, and neither goes back from one window to the next.

    Returns
    -------
    Axis
        An even one where the windows are evenly spaced.
    """
    start = np.ascontiguousarray(start, dtype=np.int64)
    taps = np.asarray(stop, dtype=np.int64) - start
    outputs, window = len(start), int(taps.max(initial=0))
    stride = int(start[1] - start[0]) if outputs > 1 else window
    if window and stride and (taps == window).all() and (start == np.arange(outputs) * stride).all():
        return Axis(length, outputs, window, stride)
    return UnevenAxis(length, outputs, window, 0, start=start, taps=taps)


#: Where bin ``i`` of ``outputs`` ends, by the name of the rule: ``(i, length, outputs) -> stop``. All begin at
#: ``floor(i * length / outputs)``.
BIN_ENDS = {
    "overlap": lambda bins, length, outputs: -((-(bins + 1) * length) // outputs),
    "disjoint": lambda bins, length, outputs: (bins + 1) * length // outputs,
}


def adaptive(length, outputs, bins="overlap"):
    """As many windows as are asked for, over the whole axis; `bins` is a key of `BIN_ENDS`."""
    number = np.arange(outputs, dtype=np.int64)
    return between(length, number * length // outputs, BIN_ENDS[bins](number, length, outputs))


def integer(value, name, minimum, sizes=None):
    """`value` as an int of at least `minimum`; `name` is what an error calls it, or the `sizes` of which it is one."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer, got {value!r} of type {type(value).__name__}") from None
    if not minimum <= number <= LARGEST:
        rule = f">= {minimum}" if number < minimum else f"<= {LARGEST}"
        broken = f"{rule}, got {value!r}" if sizes is None else f"{rule} along every axis, got {sizes!r}"
        raise ValueError(f"`{name}` must be {broken}")
    return number


def frozen(value, name):
    """Sizes in a form that can be a cache key: sequences become tuples of plain ints; the rest is left as it is."""
    if value is None or type(value) in (int, str) or not np.iterable(value):
        return value
    return tuple(_frozen_entry(entry, name) for entry in value)


def _frozen_entry(entry, name):
    if entry is None or type(entry) is int or np.iterable(entry):
        return frozen(entry, name)
    return integer(entry, name, -LARGEST)


def per_axis(value, count, name, minimum=1):
    """One int for all axes, or a sequence with one per axis, as a tuple of `count` ints."""
    if isinstance(value, str) or not np.iterable(value):
        return (integer(value, name, minimum),) * count
    values = tuple(value)
    if len(values) != count:
        raise ValueError(
            f"`{name}` must have one entry for each of the {count} spatial axes, got {len(values)}: {value!r}"
        )
    return tuple(integer(entry, name, minimum, value) for entry in values)


def per_axis_padding(value, count):
    """`padding` as API.md allows it, as a name or a (before, after) pair for each of `count` axes."""
    if isinstance(value, str):
        if value not in NAMED_PADDING:
            names = ", ".join(repr(name) for name in NAMED_PADDING)
            raise ValueError(f"`padding` must be integers or one of {names}, got {value!r}")
        return (value,) * count
    if not np.iterable(value):
        return ((integer(value, "padding", 0),) * 2,) * count
    values = tuple(value)
    if not any(np.iterable(entry) for entry in values):
        return tuple((width, width) for width in per_axis(values, count, "padding", 0))
    if len(values) != count:
        raise ValueError(
            f"`padding` must have one (before, after) pair for each of the {count} spatial axes, got {value!r}"
        )
    for entry in values:
        if isinstance(entry, str) or not np.iterable(entry) or len(tuple(entry)) != 2:
            raise ValueError(f"`padding` must be all integers or all (before, after) pairs, got {value!r}")
    return tuple(tuple(integer(width, "padding", 0) for width in entry) for entry in values)


# --- which samples of a window count, and how much


#: The difference between equal shares of weights, at most: each of two is rounded a few times.
_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Taps:
    """The samples of a window that are taps, if not all of them are, and what they weigh.

    Attributes
    ----------
    shape : tuple of int
        Of the window, one entry for each spatial axis.
    footprint : bytes
        One for each sample, row by row: whether it is a tap.
    weights : bytes or None
        Their weights, as float64.
    """

    shape: tuple[int, ...]
    footprint: bytes
    weights: bytes | None = None

    @cached_property
    def is_tap(self):
        """Whether each sample of the window is a tap, as an array."""
        return np.frombuffer(self.footprint, np.bool_).reshape(self.shape)

    @cached_property
    def weight(self):
        """The weight of each sample of the window, as an array."""
        return np.frombuffer(self.weights, np.float64).reshape(self.shape)

    @cached_property
    def vectors(self):
        """One vector for each axis; the weights are their outer product but for rounding and a factor. None if not.

        Averages do not depend on the factor, which is chosen to leave whole numbers.
        """
        if self.weights is None or sum(length > 1 for length in self.shape) < 2:
            return None
        pivot = np.unravel_index(np.abs(self.weight).argmax(), self.shape)
        exponent = math.frexp(self.weight[pivot])[1]
        vectors = []
        for axis in range(len(self.shape)):
            line = self.weight[tuple(slice(None) if a == axis else place for a, place in enumerate(pivot))]
            whole = whole_weights(line)
            vectors.append(np.ldexp(line, -exponent) if whole is None else np.array(whole, np.float64))
            sums = np.append(0, np.cumsum(line[line != 0]))
            if len(np.unique(sums)) < len(sums):  # the weights of a clipped window may add up to 0 along this axis
                return None
        product = functools.reduce(np.multiply.outer, vectors)
        shares, own = product / product[pivot], self.weight / self.weight[pivot]
        return tuple(vectors) if (abs(shares - own) <= _ROUNDING * abs(shares)).all() else None

    @classmethod
    def of_footprint(cls, footprint):
        """Taps by a footprint: boolean, or 0 and 1 of any type, as `skimage.morphology` and `np.ones` make them."""
        array = np.asarray(footprint)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"`footprint` must be an array of truth values, got dtype {array.dtype}")
        if array.dtype.kind != "b" and ((array != 0) & (array != 1)).any():
            raise ValueError(f"`footprint` must hold 0 and 1 only, got {array[(array != 0) & (array != 1)][0]}")
        if not array.any():
            raise ValueError(f"`footprint` must have at least one sample, got shape {array.shape} without any")
        return cls(array.shape, array.astype(np.bool_).tobytes())

    @classmethod
    def of_weights(cls, weights):
        """Taps by weights; a sample of weight 0 is none."""
        array = np.asarray(weights)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"`weights` must be real numbers of at most 64 bits, got dtype {array.dtype}")
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ValueError(f"`weights` must be finite, got {array[~np.isfinite(array)][0]}")
        if not array.any():
            raise ValueError(f"`weights` must not all be 0, got shape {array.shape} of zeros")
        if array.sum() == 0:
            raise ValueError("`weights` must not add up to 0, which averages divide by")
        return cls(array.shape, (array != 0).tobytes(), array.tobytes())

    @property
    def unweighted(self):
        """The same without weights."""
        return replace(self, weights=None)

    def standing(self, channel_axis):
        """The same with an axis of 1 for the channels."""
        if channel_axis is None:
            return self
        return replace(self, shape=(*self.shape[:channel_axis], 1, *self.shape[channel_axis:]))


def whole_weights(weights):
    """The least integers that weights are, all times one number; None if they, or those, are large."""
    ratios = [weight.as_integer_ratio() for weight in weights.tolist()]
    common = max(denominator for _, denominator in ratios)  # of floats: a power of two
    scaled = [numerator * (common // denominator) for numerator, denominator in ratios]
    divisor = math.gcd(*scaled) or 1
    return [weight // divisor for weight in scaled] if sum(map(abs, scaled)) < divisor * 2**24 else None


# --- layouts: how a call describes its windows. `axes` checks it against an image; one that has `sizes`, arguments that
# may be sequences, can be a cache key.


class Sliding(NamedTuple):
    """Windows of one size, evenly spaced: the arguments of `skpool.pool`."""

    window_shape: object = None
    stride: object = None
    padding: object = 0
    dilation: object = 1
    ceil_mode: object = True
    mode: object = "ignore"
    footprint: object = None
    weights: object = None

    sizes = ("window_shape", "stride", "padding", "dilation")
    tables = MappingProxyType({"footprint": Taps.of_footprint, "weights": Taps.of_weights})

    def table(self, name):
        """The `Taps` that an argument tells, or None."""
        value = getattr(self, name)
        return value if value is None or isinstance(value, Taps) else self.tables[name](value)

    def taps(self, count):
        """The `Taps` of windows along so many spatial axes; None where every sample is one."""
        for name in self.tables:
            taps = self.table(name)
            if taps is None:
                continue
            if self.window_shape is not None:
                raise ValueError(f"`window_shape` must be left out where `{name}` is given, got {self.window_shape!r}")
            if len(taps.shape) != count:
                raise ValueError(
                    f"`{name}` must have one axis for each of the {count} spatial axes, got shape {taps.shape}"
                )
            return taps
        return None

    def axes(self, lengths):
        """The windows along spatial axes of these lengths."""
        count = len(lengths)
        taps = self.taps(count)
        shape = 2 if self.window_shape is None else self.window_shape
        window = per_axis(shape if taps is None else taps.shape, count, "window_shape")
        stride = window if self.stride is None else per_axis(self.stride, count, "stride")
        dilation = per_axis(self.dilation, count, "dilation")
        padding = per_axis_padding(self.padding, count)
        rules = flag(self.ceil_mode, "ceil_mode"), one_of(self.mode, PADDING_MODES, "mode")
        return [sliding(*axis, *rules) for axis in zip(lengths, window, stride, dilation, padding, strict=True)]


class Bins(NamedTuple):
    """So many windows along each axis, which cover it: the arguments of `skpool.adaptive_pool`."""

    output_shape: object
    bins: object = "overlap"

    sizes = ("output_shape",)
    tables = MappingProxyType({})

    def taps(self, count):
        """None: every sample of a bin counts."""

    def axes(self, lengths):
        """The windows along spatial axes of these lengths."""
        one_of(self.bins, BIN_ENDS, "bins")
        outputs = bin_counts(self.output_shape, lengths)
        if math.prod(outputs) > sys.maxsize // 8:
            raise ValueError(f"`output_shape` must not ask for more than memory can address, got {self.output_shape!r}")
        return [adaptive(*axis, self.bins) for axis in zip(lengths, outputs, strict=True)]


class Tables(NamedTuple):
    """Windows that were made before, one `Axis` for each spatial axis."""

    axis_tables: tuple
    tap_table: object = None

    sizes = ()
    tables = MappingProxyType({})

    def taps(self, count):
        """The `Taps` of the windows; None where every sample is one."""
        return self.tap_table

    def axes(self, lengths):
        """The windows themselves."""
        return self.axis_tables


def frozen_layout(layout):
    """The layout with its sizes and tables in a form that can be a cache key."""
    sizes = {name: frozen(getattr(layout, name), name) for name in layout.sizes}
    return layout._replace(**sizes, **{name: layout.table(name) for name in layout.tables})


def one_of(value, names, parameter):
    """`value`, if it is one of a few words; `parameter` is what an error calls it."""
    if value in names if isinstance(value, str) else False:
        return value
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"`{parameter}` must be one of {', '.join(map(repr, names))}, got {value!r}")


def flag(value, parameter):
    """`value` as a bool; `parameter` is what an error calls it."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{parameter}` must be True or False, got {value!r}")
    return bool(value)


def checked_shape(shape, parameter="shape"):
    """`shape` as a tuple of ints; `parameter` is what an error calls it."""
    if isinstance(shape, str) or not np.iterable(shape):
        raise TypeError(f"`{parameter}` must be a sequence of integers, got {shape!r}")
    return tuple(integer(length, parameter, 0) for length in shape)


def bin_counts(output_shape, lengths):
    """`output_shape` as one int for each axis: None keeps an axis, one int stands for all."""
    entries = output_shape
    if isinstance(entries, str) or not np.iterable(entries):
        entries = (entries,) * len(lengths)
    entries = tuple(entries)
    if len(entries) != len(lengths):
        raise ValueError(
            f"`output_shape` must have one entry for each of the {len(lengths)} spatial axes, got {output_shape!r}"
        )
    return tuple(
        length if entry is None else integer(entry, "output_shape", 1)
        for entry, length in zip(entries, lengths, strict=True)
    )
