"""Arguments -> a checked `Plan`. Every rule about arguments lives here or in the tables that it reads.

A plan knows shapes and types but no pixels, so it is made once for each combination of them and kept.
"""

from __future__ import annotations

import functools
import itertools
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from . import windows
from .reductions import REDUCTIONS, WEIGHTED_AVG, Reduction, reduction_named, representable
from .windows import Axis, Run, Taps

NAN_POLICIES = ("propagate", "omit", "raise")
PLANS_KEPT = 512


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compute, checked.

    Attributes
    ----------
    reduction : Reduction
        The row of the registry.
    parameters : mapping of str to float or None
        Its parameters.
    axes : tuple of Axis
        The windows along every axis of the image, the channel axis included.
    channel_axis : int or None
        The axis that is not pooled, counted from the front.
    image_dtype, dtype : numpy.dtype
        Types of the image and of the result.
    omit_nan : bool
        Whether NaN counts as masked.
    min_count : int
        Samples that a window must count, or it gets `fill_value`.
    fill_value, cval : numpy scalar
        In the types of the result and of the image.
    taps : Taps or None
        The samples of a window that are taps, with an axis of 1 for the channels; None where all of them are.
    """

    reduction: Reduction
    parameters: Mapping[str, float | None]
    axes: tuple[Axis, ...]
    channel_axis: int | None
    image_dtype: np.dtype
    dtype: np.dtype
    omit_nan: bool
    min_count: int
    fill_value: np.generic
    cval: np.generic
    taps: Taps | None = None

    @functools.cached_property
    def shape(self):
        """Shape of the result."""
        return tuple(axis.outputs for axis in self.axes)

    @functools.cached_property
    def samples(self):
        """The most samples that a window counts."""
        window = tuple(axis.most_taps for axis in self.axes)
        if self.taps is None:
            return math.prod(window)
        return int(np.count_nonzero(self.taps.is_tap[tuple(map(slice, window))]))

    def taps_of(self, output):
        """Places and samples of a window's taps, in the order in which it looks at them.

        Parameters
        ----------
        output : tuple of int

        Yields
        ------
        tap, place : tuple of int
            Places in the window, and what they hold: see `Axis.source`.
        """
        sources = [axis.positions(o) for axis, o in zip(self.axes, output, strict=True)]
        taps = itertools.product(*(range(len(source)) for source in sources))
        if self.nearest_first:
            offsets = [axis.offsets(o) for axis, o in zip(self.axes, output, strict=True)]
            taps = sorted(taps, key=lambda tap: sum(int(offsets[a][t]) ** 2 for a, t in enumerate(tap)))
        for tap in taps:
            if self.taps is None or self.taps.is_tap[tap]:
                yield tap, tuple(source[t] for source, t in zip(sources, tap, strict=True))

    @property
    def is_weighted(self):
        """Whether the taps have weights."""
        return self.taps is not None and self.taps.weights is not None

    @property
    def nearest_first(self):
        """Whether a window looks at its samples by their distance from its centre, else row by row."""
        return self.parameters.get("ties") == "center"

    @functools.cached_property
    def bytes_touched(self):
        """Bytes of the image and of the result."""
        pixels = math.prod(axis.length for axis in self.axes)
        return pixels * self.image_dtype.itemsize + math.prod(self.shape) * self.dtype.itemsize

    def take(self, outputs):
        """What is to be computed for a block of outputs alone.

        Parameters
        ----------
        outputs : sequence of slice
            One run for each axis, from a start to a later stop.

        Returns
        -------
        Part
        """
        runs = tuple(axis.take(run) for axis, run in zip(self.axes, outputs, strict=True))
        return self.part(runs)

    def part(self, runs):
        """The `Part` of runs that were taken from the axes before."""
        return Part(replace(self, axes=tuple(run.axis for run in runs)), runs)

    def counting(self, omit_nan):
        """The plan that counts the samples of the same windows."""
        row = REDUCTIONS["count"]
        dtype = row.result(self.image_dtype)
        return replace(
            self,
            reduction=row,
            parameters={},
            dtype=dtype,
            omit_nan=omit_nan,
            min_count=1,
            fill_value=dtype.type(0),
            taps=self.taps and self.taps.unweighted,
        )

    @property
    def is_constant_padded(self):
        """Whether some window looks at the constant."""
        return any(axis.mode == "constant" and (axis.before or axis.after) for axis in self.axes)


@dataclass(frozen=True, eq=False)
class Part:
    """A block of the outputs of a plan: results equal those of the whole, bit for bit.

    Attributes
    ----------
    plan : Plan
        Of the block, on the samples that it looks at.
    runs : tuple of skpool.windows.Run
        Which ones these are.
    """

    plan: Plan
    runs: tuple[Run, ...]

    @property
    def shape(self):
        """Shape of the image that `plan` is for."""
        return tuple(run.axis.length for run in self.runs)

    def of_image(self, places):
        """Flat indices into the samples of the block (-1: none) as flat indices into the whole image."""
        found = places >= 0
        flat = np.zeros_like(places)
        for run, place in zip(self.runs, np.unravel_index(np.where(found, places, 0), self.shape), strict=True):
            flat = flat * run.axis.whole_length + run.sources[place]
        return np.where(found, flat, -1)


def checked_image_dtype(dtype):
    """`dtype`, if images of it can be pooled."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(f"`image` must be boolean, integer or floating point of at most 64 bits, got dtype {dtype}")
    return dtype


def checked_dtype(dtype, name="dtype"):
    """The result type asked for, native; `name` is what an error calls it."""
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"`{name}` must be a NumPy data type, got {dtype!r}") from None
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(f"`{name}` must be boolean, integer or floating point of at most 64 bits, got {dtype}")
    return dtype.newbyteorder("=")


def refuse_nan():
    """Raise the error of ``nan_policy="raise"``."""
    raise ValueError("`image` must not have NaN where it counts under `nan_policy` 'raise', got at least one")


def axes_of(shape, channel_axis, layout):
    """The windows along every axis of an image of `shape`."""
    channel_axis = checked_channel_axis(channel_axis, len(shape))
    spatial = [axis for axis in range(len(shape)) if axis != channel_axis]
    if not spatial:
        raise ValueError(
            f"`image` must have at least one spatial axis, got shape {shape} and `channel_axis` {channel_axis}"
        )
    axes = [windows.whole(length) for length in shape]
    for axis, table in zip(spatial, layout.axes([shape[axis] for axis in spatial]), strict=True):
        axes[axis] = table
    return tuple(axes)


def checked_channel_axis(channel_axis, ndim):
    """`channel_axis` counted from the front, or None."""
    if channel_axis is None:
        return None
    try:
        axis = windows.integer(channel_axis, "channel_axis", -ndim)
    except ValueError:
        axis = ndim
    if axis >= ndim:
        raise ValueError(f"`channel_axis` must be from {-ndim} to {ndim - 1} for {ndim} axes, got {channel_axis!r}")
    return axis % ndim


def make_plan(
    shape,
    image_dtype,
    reduction,
    layout=windows.Sliding(),  # noqa: B008 (a tuple)
    cval=0,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    channel_axis=None,
    dtype=None,
    **parameters,
):
    """Check the arguments of `skpool.pool` and its kin, and lay out the windows.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image.
    image_dtype : numpy.dtype
        Its type.
    layout : Sliding, Bins or Tables
        See `skpool.windows`.
    reduction, cval, nan_policy, ... :
        As `skpool.pool` takes them.

    Returns
    -------
    Plan

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an argument has a wrong value.
    """
    checked_image_dtype(image_dtype)
    native = image_dtype.newbyteorder("=")
    if not shape:
        raise ValueError("`image` must have at least one axis, got a 0-d array")
    channel_axis = checked_channel_axis(channel_axis, len(shape))
    axes = axes_of(shape, channel_axis, layout)
    windows.one_of(nan_policy, NAN_POLICIES, "nan_policy")
    taps = layout.taps(len(shape) - (channel_axis is not None))
    row = reduction_named(reduction) if taps is None or taps.weights is None else WEIGHTED_AVG
    parameters = row.checked_parameters(parameters, native)
    result = row.result(native, **parameters) if dtype is None else checked_dtype(dtype)
    default_fill = math.nan if result.kind == "f" else 0
    plan = Plan(
        row,
        parameters,
        axes,
        channel_axis,
        image_dtype,
        result,
        nan_policy == "omit" and native.kind == "f",
        windows.integer(min_count, "min_count", 1),
        representable(default_fill if fill_value is None else fill_value, result, "fill_value"),
        representable(cval, native, "cval"),
        taps and taps.standing(channel_axis),
    )
    if math.prod(plan.shape) * result.itemsize > sys.maxsize:
        raise ValueError(f"the result would have shape {plan.shape}, which is more than memory can address")
    return plan


@functools.lru_cache(maxsize=PLANS_KEPT, typed=True)
def _kept_plan(
    kind,
    shape,
    image_dtype,
    reduction,
    cval,
    nan_policy,
    min_count,
    fill_value,
    channel_axis,
    dtype,
    *layout,
    **parameters,
):
    """`make_plan`, the layout taken apart: within one argument, 2 and 2.0 would be one key."""
    common = (cval, nan_policy, min_count, fill_value, channel_axis, dtype)
    return make_plan(shape, image_dtype, reduction, kind(*layout), *common, **parameters)


_PLAIN = {int, type(None), str, bool}


def _is_plain(value):
    """Whether nothing else is equal to it, but for its type: as itself, or as a tuple of integers."""
    return type(value) in _PLAIN or (type(value) is tuple and {int}.issuperset(map(type, value)))


def _is_zero(value):
    """Whether another is equal to it, of the other sign."""
    return isinstance(value, float | np.floating) and value == 0


def plan_for(kind, layout, shape, image_dtype, reduction, cval, nan_policy, min_count, fill_value, *rest, **parameters):
    """`make_plan` for a layout of some kind, or what it made for the same arguments before."""
    rest = cval, nan_policy, min_count, fill_value, *rest
    if kind.sizes:
        if not (_PLAIN.issuperset(map(type, layout)) or all(map(_is_plain, layout))):
            layout = windows.frozen_layout(kind(*layout))
        if (type(cval) is int or not _is_zero(cval)) and (fill_value is None or not _is_zero(fill_value)):
            try:
                return _kept_plan(kind, shape, image_dtype, reduction, *rest, *layout, **parameters)
            except TypeError as error:
                if "unhashable" not in str(error):
                    raise
    return make_plan(shape, image_dtype, reduction, kind(*layout), *rest, **parameters)
