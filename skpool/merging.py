"""Whole dask arrays: pooled from strips, where that gives the same bits.

A strip is what a window of one column and 2**j rows holds: its maximum, its number of samples, its sum. Strips are few,
so one task merges them all. Sums of floats depend on the order in which they are taken, which is that of a tree over
the rows, then over the columns (kernels/driver.pyx); strips of 2**j rows, counted from the image's first, are nodes of
that tree, and what is left of it is the tree over the strips. What cannot be merged so is refused.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from . import containers, windows
from .backends import cpu
from .plan import axes_of, checked_channel_axis, make_plan
from .pooling import checked_lazy_mask, pooled_by, taken_return_indices
from .threads import check_workers
from .windows import Bins, Tables


def pooled_whole(kind, layout, image, reduction, parameters, *, mask, out, channel_axis, workers, **counting):
    """`pooled_by` for the one window that is the whole image."""
    given = {"mask": mask, "out": out, "channel_axis": channel_axis, "workers": workers}
    if containers.is_labelled(image):
        given["mask"] = containers.aligned(mask, image)
        pooled = pooled_whole(kind, layout, image.data, reduction, parameters, **given, **counting)
        return containers.labelled(pooled, image, axes_of(image.shape, channel_axis, kind(*layout)))
    if not containers.is_lazy(image) or _lies_in_one_chunk(containers.checked_lazy(image), channel_axis):
        return pooled_by(kind, layout, image, reduction, parameters, **given, **counting)
    containers.refuse_out(out)
    if workers is not None:
        check_workers(workers)
    parameters = dict(parameters)
    return_indices = taken_return_indices(reduction, parameters)
    windows_given = kind(*layout)
    plan = make_plan(
        image.shape, image.dtype, reduction, windows_given, channel_axis=channel_axis, **counting, **parameters
    )
    if mask is not None:
        mask = checked_lazy_mask(mask, image, plan.channel_axis)
    along, rows = _strips_of(plan, image.chunks)
    if return_indices or containers.is_masked(image) or not is_exact(plan, rows):
        what = f"`reduction` {reduction!r}" + (" with indices" if return_indices else "")
        raise NotImplementedError(
            f"{what} of {image.dtype} in several chunks to {plan.dtype} has no exact merge: rechunk the image to one "
            "chunk along the pooled axes, or take `adaptive_pool(image, 1, ...)`, which gathers it in one task"
        )
    if plan.samples <= _FEW:
        return pooled_by(kind, layout, image, reduction, parameters, **given, **counting)
    return _MERGES[reduction](_Strips(plan, image, mask, counting["nan_policy"], along, rows))


def _lies_in_one_chunk(image, channel_axis):
    """Whether no pooled axis of a dask array is cut."""
    axis = checked_channel_axis(channel_axis, image.ndim)
    return all(count == 1 or number == axis for number, count in enumerate(image.numblocks))


#: Samples up to which one task gathers them: sums of floats may be taken in float32 then.
_FEW = 2**10

#: Rows of a strip, if an image has so many.
_ROWS = 64


def _strips_of(plan, chunks):
    """The axis along which strips lie, and how many samples each of them has: a power of two, about a chunk's."""
    columns, _ = cpu.columns_and_channels(plan)
    leading = [axis for axis in range(columns) if axis != plan.channel_axis and plan.axes[axis].length > 1]
    along = leading[-1] if leading else columns
    rows = 1 << max(max(chunks[along]), _ROWS).bit_length() - 1
    if len(leading) > 1:  # the rows of all planes are one run of rows, of which strips must be parts
        rows = math.gcd(rows, plan.axes[along].length)
    return along, rows


def is_exact(plan, rows):
    """Whether the reduction of a plan can be merged from strips of so many rows, bit for bit."""
    dtype = plan.image_dtype
    natural = plan.reduction.result(dtype.newbyteorder("="))
    if plan.reduction.name in ("max", "min", "count"):
        return True
    if plan.reduction.name == "range":
        return plan.dtype == natural
    if plan.reduction.name not in ("sum", "avg"):
        return False
    if dtype.kind == "f":
        return rows >= _ROWS and plan.dtype in (np.float32, np.float64)
    if plan.reduction.name == "sum" and plan.dtype == natural:
        return True
    return 8 * dtype.itemsize + plan.samples.bit_length() <= 63  # a sum does not wrap


class _Strips:
    """Strips of an image, and what is made of them; all of it lazy."""

    def __init__(self, plan, image, mask, nan_policy, along, rows):
        """Of a plan for one window; the dask array and its mask (or None); strips of so many rows along an axis."""
        self.plan, self.image, self.mask, self.nan_policy = plan, image, mask, nan_policy
        self.sum_dtype = np.dtype(np.float64) if image.dtype.kind == "f" else None
        length = image.shape[along]
        strips = windows.sliding(length, rows, rows) if rows < length else windows.adaptive(length, 1)
        tables = [strips if axis == along else windows.whole(n) for axis, n in enumerate(image.shape)]
        self.tables = tuple(table for axis, table in enumerate(tables) if axis != plan.channel_axis)

    def strips(self, reduction, **given):
        """One value for each strip."""
        given |= {"mask": self.mask, "nan_policy": self.nan_policy, "channel_axis": self.plan.channel_axis}
        return pooled_by(Tables, (self.tables,), self.image, reduction, **given)

    def merged(self, strips, reduction, **given):
        """One value of them all, or one for each channel."""
        return pooled_by(Bins, (1,), strips, reduction, channel_axis=self.plan.channel_axis, **given)

    @functools.cached_property
    def counts(self):
        """The samples that each strip counts."""
        return self.strips("count")

    @property
    def is_counting(self):
        """Whether counts depend on the image, or may be too low."""
        return self.mask is not None or self.plan.omit_nan or self.plan.min_count > 1

    def total(self):
        """Samples in all: for each channel, or as a number if all count."""
        if self.is_counting:
            return self.merged(self.counts, "sum")
        return math.prod(axis.length for number, axis in enumerate(self.plan.axes) if number != self.plan.channel_axis)

    def extremum(self, reduction, **given):
        """The largest or smallest sample."""
        mask = self.counts > 0 if self.is_counting else None
        return self.merged(self.strips(reduction), reduction, mask=mask, **given)

    def sum(self):
        """The sum of all samples; of floats as float64."""
        sums = self.strips("sum", dtype=self.sum_dtype, fill_value=-0.0 if self.sum_dtype else 0)
        return self.merged(sums, "sum")

    def finished(self, function, *values):
        """``function(*values)``, task by task, in the plan's type; the fill value where too few samples count."""
        import dask.array as da

        total = self.total()
        compute = functools.partial(finished, function, plan=self.plan)
        return da.map_blocks(compute, total, *values, dtype=self.plan.dtype, meta=np.empty((0,) * self.image.ndim))


def finished(function, total, *values, plan):
    """What a task of `_Strips.finished` gives."""
    with np.errstate(all="ignore"):
        result = function(plan, total, *values).astype(plan.dtype, copy=False)
    return np.where(np.asarray(total) < plan.min_count, plan.fill_value, result)


def _limited(plan, whole):
    """Integers as the plan's type has them."""
    if plan.dtype.kind == "f":
        return whole
    low, high = (0, 1) if plan.dtype.kind == "b" else (np.iinfo(plan.dtype).min, np.iinfo(plan.dtype).max)
    return np.clip(whole, max(low, -(2**63)), min(high, 2**63 - 1))


def _sum(plan, total, value):
    if plan.image_dtype.kind == "f":
        return value
    return value if value.dtype == plan.dtype else _limited(plan, value.astype(np.int64))


def _average(plan, total, value):
    """Sums by counts; integers are rounded half to even."""
    divisor = plan.parameters["divisor"]
    if value.dtype.kind != "f":
        value = value.astype(np.int64)
    if plan.dtype.kind == "f" or divisor is not None:
        mean = value / (total if divisor is None else divisor)
        return mean if plan.dtype.kind == "f" else _limited(plan, np.rint(mean))
    counts = np.maximum(total, 1)
    quotient, rest = np.divmod(value, counts)
    return _limited(plan, quotient + ((2 * rest > counts) | ((2 * rest == counts) & (quotient % 2 == 1))))


def _range(plan, total, high, low):
    if plan.dtype.kind == "b":
        return high & ~low
    if plan.dtype.kind == "u":  # the difference fits the unsigned type, where it wraps to its value
        return high.astype(plan.dtype) - low.astype(plan.dtype)
    return high - low


def _same(plan, total, value):
    return value


def _largest_or_smallest(strips):
    plan = strips.plan
    value = strips.extremum(plan.reduction.name, dtype=plan.dtype, fill_value=plan.fill_value)
    return strips.finished(_same, value)


#: How results follow from states: ``(plan, count, *states) -> values``.
FINISHES = {"range": _range, "count": _sum, "sum": _sum, "avg": _average}

#: How each reduction is merged from strips.
_MERGES = {
    "max": _largest_or_smallest,
    "min": _largest_or_smallest,
    "range": lambda strips: strips.finished(_range, strips.extremum("max"), strips.extremum("min")),
    "count": lambda strips: strips.finished(_sum, strips.merged(strips.counts, "sum")),
    "sum": lambda strips: strips.finished(_sum, strips.sum()),
    "avg": lambda strips: strips.finished(_average, strips.sum()),
}
