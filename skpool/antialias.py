"""Averages with weights: any weights (`weighted_avg_pool`), and binomial ones before samples are left out."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np

from . import containers, documents, windows
from .averages import averaged, checked_lazy_weights, checked_weights, counted_pixels, device_weights
from .backends import chunked, gpu, gpu_weights
from .plan import axes_of, checked_channel_axis, make_plan
from .pooling import Rules, checked_lazy_mask, pool, pooled_by, pooled_on_gpu, unwrapped
from .reductions import WEIGHTED_AVG
from .windows import Sliding, Tables, Taps

__all__ = ["blur_pool", "weighted_avg_pool"]

#: The largest window of `blur_pool`.
LARGEST_BLUR = 7


def weighted_avg_pool(
    image,
    weights,
    *,
    stride=None,
    padding=0,
    dilation=1,
    ceil_mode=True,
    mode="ignore",
    cval=0,
    image_weights=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    channel_axis=None,
    dtype=None,
    out=None,
    workers=None,
):
    taps = Taps.of_weights(weights)
    geometry = Sliding(None, stride, padding, dilation, ceil_mode, mode, None, taps)
    given = {
        "cval": cval,
        "mask": mask,
        "nan_policy": nan_policy,
        "min_count": min_count,
        "fill_value": fill_value,
        "channel_axis": channel_axis,
        "dtype": dtype,
        "out": out,
        "workers": workers,
    }
    if image_weights is not None:
        unweighted = geometry._replace(footprint=taps.unweighted, weights=None)
        return _with_image_weights(image, image_weights, geometry, unweighted, **given)
    return pooled_by(Sliding, geometry, containers.as_array(image), "avg", **given)


# --- pixels that have weights of their own


def _with_image_weights(image, image_weights, weighted, unweighted, **given):
    """Two weighted averages, of the image times its weights and of these: sum w v x / sum w v.

    What does not count has the weight 0, and is not masked: the sum of the window's weights, which cancels between the
    two, might be 0 without it. `weighted` and `unweighted` are the windows, with weights of their taps and without.
    """
    rules = Rules(**given)
    if containers.is_labelled(image):
        given |= {"mask": containers.aligned(rules.mask, image)}
        weights = containers.aligned(image_weights, image)
        pooled = _with_image_weights(image.data, weights, weighted, unweighted, **given)
        return containers.labelled(pooled, image, axes_of(image.shape, rules.channel_axis, weighted))
    if containers.is_lazy(image):
        return _with_image_weights_lazily(containers.checked_lazy(image), image_weights, weighted, unweighted, rules)
    if gpu.is_array(image):
        weights = device_weights(image_weights, image, rules.channel_axis, "image_weights")
        run = functools.partial(gpu_weights.windowed, weights, "image_weights", rules.cval)
        return pooled_on_gpu(type(weighted), weighted, image, "avg", {}, run=run, **rules._asdict())
    array, mask = counted_pixels(image, rules.mask, rules.nan_policy, rules.channel_axis)
    make_plan(array.shape, array.dtype, "avg", weighted, **rules.of_plan)
    weights = checked_weights(image_weights, array, rules.channel_axis, "image_weights")
    used = weights > 0 if mask is None else mask & (weights > 0)
    common = {"channel_axis": rules.channel_axis, "workers": rules.workers}
    counts = pooled_by(type(unweighted), unweighted, array, "count", mask=used, **common)
    with np.errstate(invalid="ignore", over="ignore"):
        products = np.where(used, np.multiply(array, weights, dtype=np.float64), 0)
    averages = [
        pooled_by(type(weighted), weighted, pixels, "avg", cval=value, **common)
        for pixels, value in ((products, rules.cval), (np.where(used, weights, 0), 1))
    ]
    return averaged(*averages, counts, image, *rules.of_average)


def _with_image_weights_lazily(image, image_weights, weighted, unweighted, rules):
    """`_with_image_weights` for a dask array; what is masked gets the weight 0."""
    import dask.array as da

    containers.refuse_out(rules.out)
    containers.refuse_masked_chunks(image)
    plan = make_plan(image.shape, image.dtype, "avg", weighted, **rules.of_plan)
    weights = checked_lazy_weights(image_weights, image, plan.channel_axis, "image_weights")
    if rules.mask is not None:
        arrays = [da.asarray(array) for array in (checked_lazy_mask(rules.mask, image, plan.channel_axis), weights)]
        if arrays[0].ndim != arrays[1].ndim:
            arrays = [da.expand_dims(a, plan.channel_axis) if a.ndim < image.ndim else a for a in arrays]
        weights = da.where(*arrays, weights.dtype.type(0))
    rules = rules._replace(mask=None, workers=1)
    compute = functools.partial(_chunk_with_weights, weighted.weights, unweighted.footprint, rules)
    return chunked.run(compute, plan, image, weights, token=("image_weights", rules.nan_policy))


def _chunk_with_weights(weighted, unweighted, rules, part, image, weights):
    """What a task computes: the windows of a part."""
    axes = tuple(axis for number, axis in enumerate(part.plan.axes) if number != part.plan.channel_axis)
    return _with_image_weights(image, weights, Tables(axes, weighted), Tables(axes, unweighted), **rules._asdict())


# --- binomial weights


def blur_pool(
    image,
    size=3,
    *,
    stride=2,
    mode="reflect",
    cval=0,
    max_window=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    channel_axis=None,
    dtype=None,
    out=None,
    workers=None,
):
    size = windows.integer(size, "size", 1)
    if size > LARGEST_BLUR:
        raise ValueError(f"`size` must be from 1 to {LARGEST_BLUR}, got {size}")
    masked_array = isinstance(image, np.ma.MaskedArray)
    array = containers.as_array(image)
    if masked_array:
        array, mask = unwrapped(image, mask, channel_axis)
    spatial = array.ndim - (checked_channel_axis(channel_axis, array.ndim) is not None)
    if max_window is not None:
        common = {"stride": 1, "ceil_mode": False, "channel_axis": channel_axis, "workers": workers}
        common |= {"mask": mask, "nan_policy": nan_policy}
        is_counting = mask is not None or nan_policy == "omit"
        if is_counting and gpu.is_array(array):
            rules = Rules(mask=mask, nan_policy=nan_policy, channel_axis=channel_axis, workers=workers)
            layout = Sliding(max_window, 1, 0, 1, False)
            array, mask = pooled_on_gpu(Sliding, layout, array, "max", {}, run=gpu.maxima_found, **rules._asdict())
        else:
            if is_counting:
                mask = pool(array, max_window, "count", **common) > 0
            array = pool(array, max_window, "max", **common)
    return weighted_avg_pool(
        np.ma.MaskedArray(array, ~mask) if masked_array else array,
        _binomial(size, spatial),
        stride=stride,
        padding=[((size - 1) // 2, size // 2)] * spatial,
        ceil_mode=False,
        mode=mode,
        cval=cval,
        mask=None if masked_array else mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=dtype,
        out=out,
        workers=workers,
    )


@functools.lru_cache(maxsize=64)
def _binomial(size, axes):
    """The weights of a window."""
    line = [math.comb(size - 1, tap) for tap in range(size)]
    return np.asarray(functools.reduce(np.multiply.outer, [line] * axes, 1))


# --- documentation

_WEIGHTS = (
    "array_like",
    "The weight of each sample of a window, in its shape, which stands for `window_shape`: finite, not adding up to 0, "
    "without channel axis. What has the weight 0 does not count.",
)
_IMAGE_WEIGHTS = (
    "array_like, optional",
    "The weight of each pixel, which multiplies that of the window (normalised convolution): finite and >= 0, of the "
    "image's shape or of its spatial axes. What has the weight 0 does not count; padding of `cval` has the weight 1.",
)
_MAX_WINDOW = (
    "int or sequence of int, optional",
    "Take the maxima of windows of this shape first, at a stride of 1 and without padding: known as MaxBlurPool.",
)

documents.described_by_row(
    weighted_avg_pool,
    WEIGHTED_AVG,
    "One value for each window: ``sum w x / sum w`` over the samples that count",
    """\
>>> import numpy as np
>>> from skpool import weighted_avg_pool
>>> weighted_avg_pool([[1, 2], [3, 6]], [[1, 0], [0, 1]])
array([[3.5]])
>>> weighted_avg_pool([[1.0, 2.0], [3.0, np.nan]], np.ones((2, 2)), image_weights=[[3, 0], [1, 0]])
array([[1.5]])""",
    weights=_WEIGHTS,
    image_weights=_IMAGE_WEIGHTS,
)
documents.described_by_row(
    blur_pool,
    replace(
        WEIGHTED_AVG,
        summary="Low-pass filter an image with binomial weights, then keep every `stride`-th sample.",
        references='R. Zhang, "Making convolutional networks shift-invariant again", ICML 2019.',
    ),
    "One value for each window: the mean with the weights ``[1]``, ``[1, 1]``, ``[1, 2, 1]`` ... along each axis",
    """\
>>> from skpool import blur_pool
>>> blur_pool([0, 0, 4, 0, 0, 0])
array([0., 2., 0.])
>>> blur_pool([0, 0, 4, 0, 0, 0], max_window=2)
array([2., 3., 0.])""",
    size=("int", "Samples of the window along each spatial axis, from 1 to 7."),
    stride=("int or sequence of int", "Samples from one window to the next."),
    max_window=_MAX_WINDOW,
)
