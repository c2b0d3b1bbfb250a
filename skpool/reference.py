"""The slow twin: what pooling means, in a few lines of NumPy over the same tables. The specification and the oracle."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from .windows import ABSENT, CONSTANT


def counted_samples(plan, image, mask, output):
    """The samples that one window counts, their flat indices (-1: the constant) and their weights, in its own order."""
    samples, indices, weights = [], [], []
    for tap, place in plan.taps_of(output):
        if ABSENT in place or (CONSTANT not in place and mask is not None and not mask[place]):
            continue
        padded = CONSTANT in place
        samples.append(plan.cval if padded else image[place])
        indices.append(-1 if padded else np.ravel_multi_index(place, image.shape))
        weights.append(plan.taps.weight[tap] if plan.is_weighted else 1.0)
    # Not as float16: NumPy's sort of many of them is wrong where AVX-512 does it (2.4.6).
    dtype = np.dtype(np.float32) if image.dtype == np.float16 else image.dtype.newbyteorder("=")
    samples = np.array(samples, dtype=dtype)
    indices, weights = np.array(indices, dtype=np.int64), np.array(weights)
    if plan.omit_nan:
        kept = ~np.isnan(samples)
        samples, indices, weights = samples[kept], indices[kept], weights[kept]
    return samples, indices, weights


def converted(value, plan):
    """A result as the plan's type has it: rounded once, half to even, saturated; None, NaN become the fill value."""
    dtype = plan.dtype
    if value is None:
        return plan.fill_value
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


def value_of(plan, samples, weights=None):
    """What the samples that a window counts give, before it is converted; None if they are too few."""
    if samples.size < plan.min_count:
        return None
    if samples.dtype.kind == "f" and np.isnan(samples).any() and not plan.reduction.counts_nan:
        return math.nan
    if plan.is_weighted:
        return plan.reduction.define(samples, weights)
    return plan.reduction.define(samples, **plan.parameters)


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
    out = np.empty(plan.shape, plan.dtype)
    places = np.full(plan.shape, -1, np.int64)
    for output in np.ndindex(*plan.shape):
        samples, indices, weights = counted_samples(plan, image, mask, output)
        value = value_of(plan, samples, weights)
        out[output] = converted(value, plan)
        if return_indices and value is not None:
            places[output] = index_of(samples, indices, value)
    return (out, places) if return_indices else out
