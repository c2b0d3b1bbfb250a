"""Whole dask arrays: pooled from strips, one for each chunk, where that gives the same bits.

A strip is what a window of one column and a chunk's rows holds: its maximum, its number of samples, its sum. Strips
are few, so one task merges them all. Maxima, counts and sums of integers do not depend on how they are merged; sums of
floats do, and order statistics cannot be merged, so they are refused.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from . import containers, windows
from .plan import axes_of, make_plan
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
    if not containers.is_lazy(image) or all(
        count == 1 or axis == channel_axis for axis, count in enumerate(containers.checked_lazy(image).numblocks)
    ):
        return pooled_by(kind, layout, image, reduction, parameters, **given, **counting)
    containers.refuse_out(out)
    if workers is not None:
        check_workers(workers)
    parameters = dict(parameters)
    return_indices = taken_return_indices(reduction, parameters)
    layout = kind(*layout)
    plan = make_plan(image.shape, image.dtype, reduction, layout, channel_axis=channel_axis, **counting, **parameters)
    if mask is not None:
        mask = checked_lazy_mask(mask, image, plan.channel_axis)
    if return_indices or containers.is_masked(image) or not _is_exact(plan):
        what = f"`reduction` {reduction!r}" + (" with indices" if return_indices else "")
        raise NotImplementedError(
            f"{what} of {image.dtype} in several chunks to {plan.dtype} has no exact merge: rechunk the image to one "
            "chunk along the pooled axes, or take `adaptive_pool(image, 1, ...)`, which gathers it in one task"
        )
    return _MERGES[reduction](_Strips(plan, image, mask, counting["nan_policy"]))


def _is_exact(plan):
    """Whether the reduction of a plan can be merged from strips, bit for bit."""
    dtype = plan.image_dtype
    natural = plan.reduction.result(dtype.newbyteorder("="))
    if plan.reduction.name in ("max", "min", "count"):
        return True
    if plan.reduction.name == "range":
        return plan.dtype == natural
    if plan.reduction.name not in ("sum", "avg") or dtype.kind == "f":
        return False
    if plan.reduction.name == "sum" and plan.dtype == natural:
        return True
    return 8 * dtype.itemsize + plan.samples.bit_length() <= 63  # a sum does not wrap


class _Strips:
    """Strips of an image, and what is made of them; all of it lazy."""

    def __init__(self, plan, image, mask, nan_policy):
        """Of a plan for one window; the dask array and its mask (or None)."""
        self.plan, self.image, self.mask, self.nan_policy = plan, image, mask, nan_policy
        spatial = [axis for axis in range(image.ndim) if axis != plan.channel_axis]
        along = spatial[max(len(spatial) - 2, 0)]
        sizes = np.array([size for size in image.chunks[along] if size])
        ends = np.cumsum(sizes)
        tables = [windows.whole(image.shape[axis]) for axis in spatial]
        tables[spatial.index(along)] = windows.between(image.shape[along], ends - sizes, ends)
        self.tables = tuple(tables)

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

    def finished(self, function, *values):
        """``function(*values)``, task by task, in the plan's type; the fill value where too few samples count."""
        import dask.array as da

        total = self.total()
        compute = functools.partial(_finished, function, plan=self.plan)
        return da.map_blocks(compute, total, *values, dtype=self.plan.dtype, meta=np.empty((0,) * self.image.ndim))


def _finished(function, total, *values, plan):
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
    return value if value.dtype == plan.dtype else _limited(plan, value.astype(np.int64))


def _average(plan, total, value):
    """Sums by counts; integers are rounded half to even."""
    divisor = plan.parameters["divisor"]
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


#: How each reduction is merged from strips.
_MERGES = {
    "max": _largest_or_smallest,
    "min": _largest_or_smallest,
    "range": lambda strips: strips.finished(_range, strips.extremum("max"), strips.extremum("min")),
    "count": lambda strips: strips.finished(_sum, strips.merged(strips.counts, "sum")),
    "sum": lambda strips: strips.finished(_sum, strips.merged(strips.strips("sum"), "sum")),
    "avg": lambda strips: strips.finished(_average, strips.merged(strips.strips("sum"), "sum")),
}
