"""The slow twin: what pooling means, in a few lines of NumPy over the same tables. The specification and the oracle."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from .windows import CONSTANT


def counted_samples(plan, image, mask, output):
    """The samples that one window counts and their flat indices (-1: the constant), in row-major order."""
    sources = [axis.positions(o) for axis, o in zip(plan.axes, output, strict=True)]
    samples, indices = [], []
    for place in itertools.product(*sources):
        if CONSTANT in place:
            if -1 not in place:
                samples.append(plan.cval)
                indices.append(-1)
        elif -1 not in place and (mask is None or mask[place]):
            samples.append(image[place])
            indices.append(np.ravel_multi_index(place, image.shape))
    samples = np.array(samples, dtype=image.dtype.newbyteorder("="))
    indices = np.array(indices, dtype=np.int64)
    if plan.omit_nan:
        kept = ~np.isnan(samples)
        samples, indices = samples[kept], indices[kept]
    return samples, indices


def converted(value, plan):
    """A result as the plan's type has it: rounded once, half to even, saturated; NaN becomes the fill value."""
    dtype = plan.dtype
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(float(value) if isinstance(value, Fraction) else value)
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return plan.fill_value
        whole = math.copysign(2**70, value)
    else:
        whole = round(Fraction(value))
    if plan.reduction.name == "sum" and plan.image_dtype.kind != "f":  # integers wrap as np.sum does, before all else
        natural = plan.reduction.result(plan.image_dtype.newbyteorder("="))
        whole = int(np.array(whole % 2**64, np.uint64).astype(natural))
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return dtype.type(min(max(int(whole), low), high))


def index_of(samples, indices, value):
    """Index of the first sample that is `value`; of the first NaN, if it is one."""
    if isinstance(value, float) and math.isnan(value):
        return indices[np.isnan(samples)][0]
    return indices[samples == value][0]


def run(plan, image, *, mask=None, return_indices=False):
    """Compute a plan, one window after the other.

    Parameters
    ----------
    plan : skpool.plan.Plan
    image : ndarray
    mask : ndarray of bool, optional
        Of the image's shape.
    return_indices : bool
        Return indices too.

    Returns
    -------
    ndarray, or a pair of them
    """
    out = np.full(plan.shape, plan.fill_value, plan.dtype)
    places = np.full(plan.shape, -1, np.int64)
    for output in np.ndindex(*plan.shape):
        samples, indices = counted_samples(plan, image, mask, output)
        if samples.size < plan.min_count:
            continue
        if samples.dtype.kind == "f" and np.isnan(samples).any() and plan.reduction.name != "count":
            value = math.nan
        else:
            value = plan.reduction.define(samples, **plan.parameters)
        out[output] = converted(value, plan)
        if return_indices:
            places[output] = index_of(samples, indices, value)
    return (out, places) if return_indices else out
