"""What averages that are not plain have in common: totals and weights in float64, finished as any average is."""

from __future__ import annotations

import numpy as np

from . import containers, windows
from .backends import gpu
from .plan import checked_image_dtype
from .pooling import checked_device_mask, checked_mask, pooled_by, shaped_as, unwrapped
from .reductions import as_float
from .windows import Sliding


def averaged(totals, weights, counts, image, min_count, fill_value, dtype, out):
    """totals / weights where enough samples counted, in the type that an average of the image has."""
    with np.errstate(all="ignore"):
        values = totals / weights
    few = counts < windows.integer(min_count, "min_count", 1)
    if isinstance(image, np.ma.MaskedArray):
        values = np.ma.MaskedArray(values, few)
    return pooled_by(
        Sliding,
        (1,),
        values,
        "avg",
        mask=~few,
        fill_value=fill_value,
        dtype=as_float(_dtype_of(image).newbyteorder("=")) if dtype is None and out is None else dtype,
        out=out,
    )


def _dtype_of(image):
    return (gpu.as_array(image) if gpu.is_array(image) else np.asarray(image)).dtype


def as_doubles(array):
    """An array as float64; on a GPU by a kernel of skpool's: CuPy's own take float32 below the normal range for 0."""
    if not gpu.is_array(array):
        return array.astype(np.float64, copy=False)
    return array if array.dtype == np.float64 else pooled_by(Sliding, (1,), array, "max", dtype=np.float64)


def counted_pixels(image, mask, nan_policy, channel_axis):
    """The plain image, native, and which samples count: None if all do."""
    on_gpu = gpu.is_array(image)
    array, mask = (gpu.as_array(image), mask) if on_gpu else unwrapped(image, mask, channel_axis)
    checked_image_dtype(array.dtype)
    windows.one_of(nan_policy, ("propagate", "omit", "raise"), "nan_policy")
    if mask is not None:
        mask = checked_device_mask(mask, array, channel_axis) if on_gpu else checked_mask(mask, array, channel_axis)
        mask = shaped_as(mask, array, channel_axis, "mask")
    if nan_policy != "propagate" and array.dtype.kind == "f":
        numbers_only = ~np.isnan(array)
        if nan_policy == "raise" and not (numbers_only if mask is None else numbers_only | ~mask).all():
            raise ValueError("`image` must not have NaN where it counts under `nan_policy` 'raise', got at least one")
        mask = numbers_only if mask is None else mask & numbers_only
    return array, mask


def checked_weights(weights, image, channel_axis, name):
    """The weights of pixels with the shape of the image, by their strides; `name` is what an error calls them."""
    if gpu.is_array(image):
        _, weights = gpu.together(image=image, **{name: weights})
    else:
        weights = np.asarray(weights)
    if weights.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must be real numbers, got dtype {weights.dtype}")
    weights = as_doubles(weights)
    if not bool((np.isfinite(weights) & (weights >= 0)).all()):
        raise ValueError(f"`{name}` must be finite and >= 0, got others")
    return shaped_as(weights, image, channel_axis, name)


def checked_lazy_weights(weights, image, channel_axis, name):
    """The same for a dask array, as they are: NumPy's or dask's, whose values are looked at when they are computed."""
    if not containers.is_lazy(weights):
        checked_weights(weights, image, channel_axis, name)
        return np.asarray(weights)
    weights = containers.checked_lazy(weights, name)
    checked_weights(np.empty(0, weights.dtype), np.empty(0), None, name)
    shaped_as(np.broadcast_to(True, weights.shape), image, channel_axis, name)
    return weights
