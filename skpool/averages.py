"""What averages that are not plain have in common: totals and weights in float64, finished as any average is."""

from __future__ import annotations

import numpy as np

from . import containers, windows
from .backends import gpu
from .plan import NAN_POLICIES, checked_image_dtype, refuse_nan
from .pooling import checked_mask, pooled_by, shaped_as, unwrapped
from .reductions import as_float
from .windows import Sliding


def averaged(totals, weights, counts, image, min_count, fill_value, dtype, out, workers):
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
        dtype=as_float(np.asarray(image).dtype.newbyteorder("=")) if dtype is None and out is None else dtype,
        out=out,
        workers=workers,
    )


def counted_pixels(image, mask, nan_policy, channel_axis):
    """The plain image, native, and which samples count: None if all do."""
    array, mask = unwrapped(image, mask, channel_axis)
    checked_image_dtype(array.dtype)
    return array, counted(array, mask, nan_policy, channel_axis)


def counted(image, mask, nan_policy, channel_axis):
    """Which samples of a plain image count, in its shape: None if all do."""
    windows.one_of(nan_policy, NAN_POLICIES, "nan_policy")
    if mask is not None:
        mask = checked_mask(mask, image, channel_axis)
    if nan_policy == "propagate" or image.dtype.kind != "f":
        return mask
    is_number = ~np.isnan(image)
    if nan_policy == "omit":
        return is_number if mask is None else is_number & mask
    if not (is_number if mask is None else is_number | ~mask).all():
        refuse_nan()
    return mask


def checked_weights(weights, image, channel_axis, name):
    """The weights of pixels with the shape of the image, by their strides; `name` is what an error calls them."""
    weights = np.asarray(weights)
    _check_type_of_weights(weights, name)
    weights = weights.astype(np.float64, copy=False)
    if not bool((np.isfinite(weights) & (weights >= 0)).all()):
        raise ValueError(f"`{name}` must be finite and >= 0, got others")
    return shaped_as(weights, image, channel_axis, name)


def device_weights(weights, image, channel_axis, name):
    """The same for an image on a GPU, of any type; their values are looked at where they are used."""
    image, weights = gpu.together(image=image, **{name: weights})
    _check_type_of_weights(weights, name)
    return shaped_as(weights, image, channel_axis, name)


def _check_type_of_weights(weights, name):
    if weights.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must be real numbers, got dtype {weights.dtype}")


def checked_lazy_weights(weights, image, channel_axis, name):
    """The same for a dask array, as they are: NumPy's or dask's, whose values are looked at when they are computed."""
    if not containers.is_lazy(weights):
        checked_weights(weights, image, channel_axis, name)
        return np.asarray(weights)
    weights = containers.checked_lazy(weights, name)
    checked_weights(np.empty(0, weights.dtype), np.empty(0), None, name)
    shaped_as(np.broadcast_to(True, weights.shape), image, channel_axis, name)
    return weights
