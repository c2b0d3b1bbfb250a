"""Pooling along whole lines: strips (a row or a column at a time) and corners (running maxima)."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from . import containers, windows
from .averages import counted
from .backends import gpu, gpu_corners
from .plan import NAN_POLICIES, axes_of, checked_channel_axis, checked_image_dtype
from .pooling import checked_device_mask, checked_lazy_mask, pool, unwrapped
from .reductions import as_sum, limits_of, reduction_named, representable
from .windows import Sliding

__all__ = ["corner_pool", "strip_pool"]

#: What each corner adds up: running maxima, each by the side that it looks away from.
_CORNERS = {
    "top": ("top",),
    "bottom": ("bottom",),
    "left": ("left",),
    "right": ("right",),
    "top_left": ("top", "left"),
    "top_right": ("top", "right"),
    "bottom_left": ("bottom", "left"),
    "bottom_right": ("bottom", "right"),
}

#: For each side the axis along which maxima run, counted from the last spatial one, and whether they run backwards.
_SIDES = {"top": (-2, True), "bottom": (-2, False), "left": (-1, True), "right": (-1, False)}

#: Lines shorter than this many samples are scanned many at a time, others one after the other.
_LONG_LINE = 64

#: Bytes that are scanned at a time, so that every pass but the first finds them in the cache.
_BLOCK = 2**18


# --- corners


def _running_maximum(image, axis, backwards):
    """For every sample the largest of those up to it along an axis, or of those from it on if `backwards`.

    Zeros are positive: which of two zeros `numpy.maximum` gives depends on where they lie.
    """
    if not image.size:
        return image.copy()
    if math.prod(image.shape[axis + 1 :]) >= _LONG_LINE:
        return _line_by_line(image, axis, backwards)
    running = np.empty_like(image, order="C", subok=False)
    rows = image.reshape(-1, math.prod(image.shape[axis:]))
    result = running.reshape(rows.shape)
    step = math.prod(image.shape[axis + 1 :])
    height = min(max(_BLOCK // (rows.shape[1] * rows.itemsize), 1), len(rows))
    spare = np.empty((2, height, rows.shape[1]), rows.dtype)
    for start in range(0, len(rows), height):
        block = slice(start, start + height)
        _scan(rows[block], result[block], spare[:, : len(rows[block])], step, backwards)
    return running


def _line_by_line(image, axis, backwards):
    """`_running_maximum` where the lines across the axis are long."""
    running = np.empty_like(image, order="C", subok=False)
    lines = np.moveaxis(image, axis, 0), np.moveaxis(running, axis, 0)
    source, result = (array[::-1] if backwards else array for array in lines)
    result[0] = source[0]
    for before, line, place in zip(result[:-1], source[1:], result[1:], strict=True):
        np.maximum(before, line, out=place)
        _make_zeros_positive(before)
    _make_zeros_positive(result[-1])
    return running


def _scan(rows, result, spare, step, backwards):
    """Running maxima of rows whose samples are `step` apart: of 2 samples, of 4, of 8, ..."""
    width, turn = rows.shape[1], 0
    while step < width:
        target = result if 2 * step >= width else spare[turn]
        near, far, alone = slice(step, None), slice(None, -step), slice(None, step)
        if backwards:
            near, far, alone = far, near, slice(-step, None)
        np.maximum(rows[:, near], rows[:, far], out=target[:, near])
        target[:, alone] = rows[:, alone]
        rows, turn, step = target, 1 - turn, 2 * step
    if rows is not result:
        result[...] = rows
    _make_zeros_positive(result)


def _make_zeros_positive(values):
    if values.dtype.kind == "f":
        values += 0


def _lowest(dtype):
    return dtype.type(limits_of(dtype)[0])


def _corner_on_gpu(image, runs, mask, nan_policy, channel_axis, fill):
    """`corner_pool` for checked arguments on a GPU; the result is there, too."""
    windows.one_of(nan_policy, NAN_POLICIES, "nan_policy")
    mask, strides = checked_device_mask(mask, image, channel_axis)
    of_nan = [image.dtype.kind == "f" and nan_policy == policy for policy in ("omit", "raise")]
    return gpu_corners.run(image, runs, mask, strides, *of_nan, fill)


def corner_pool(image, corner, *, channel_axis=None, mask=None, nan_policy="propagate", fill_value=None):
    """Running maxima towards the sides of an image, and their sums at its corners.

    The maximum of side ``"top"`` at a pixel is that of the pixel and all below it in its column, as seen from the top
    edge of an object; ``"left"`` is that of the pixel and all to its right; ``"bottom"`` and ``"right"`` look up and to
    the left. A corner is the sum of its two sides: ``"top_left"`` is large where an object's topmost pixels lie below
    and its leftmost to the right, though nothing need be at the corner itself.

    Parameters
    ----------
    image : (..., rows, columns) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; never modified. Rows and columns
        are the last two spatial axes (all but `channel_axis`); others are left alone. A masked array's mask is
        honoured, and gives a masked array.
    corner : {"top_left", "top_right", "bottom_left", "bottom_right", "top", "bottom", "left", "right"}
        Which corner, or which single side.
    channel_axis : int, optional
        The axis of channels, which are images of their own. Default: there is none.
    mask : ndarray of bool, optional
        True where a pixel counts; of the image's shape, or of its spatial axes.
    nan_policy : {"propagate", "omit", "raise"}
        A counted NaN makes all results that look at it NaN, is as if masked, or is a `ValueError`.
    fill_value : number, optional
        The value where a side counts no pixel. Default: NaN for floating-point results, else 0.

    Returns
    -------
    pooled : ndarray
        Of the image's shape, and on a GPU if it is; of its dtype for a side, of that of `sum_pool` for a corner. Zeros
        are positive.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an argument has a wrong value or shape, or the image no rows and columns.

    See Also
    --------
    strip_pool, max_pool

    References
    ----------
    H. Law and J. Deng, "CornerNet: detecting objects as paired keypoints", ECCV 2018.

    Examples
    --------
    An object whose left edge is in column 1 and whose top edge is in row 0:

    >>> import numpy as np
    >>> from skpool import corner_pool
    >>> image = np.array([[0, 0, 3], [0, 5, 0]])
    >>> corner_pool(image, "top")
    array([[0, 5, 3],
           [0, 5, 0]])
    >>> corner_pool(image, "left")
    array([[3, 3, 3],
           [5, 5, 0]])
    >>> corner_pool(image, "top_left")
    array([[ 3,  8,  6],
           [ 5, 10,  0]])
    """
    sides = _CORNERS[windows.one_of(corner, _CORNERS, "corner")]
    if containers.is_labelled(image):
        given = {"mask": containers.aligned(mask, image), "nan_policy": nan_policy, "fill_value": fill_value}
        pooled = corner_pool(image.data, corner, channel_axis=channel_axis, **given)
        return containers.labelled(pooled, image, axes_of(image.shape, channel_axis, Sliding(1)))
    masked_array = isinstance(image, np.ma.MaskedArray)
    on_gpu = gpu.is_array(image)
    image, mask = (gpu.as_array(image), mask) if on_gpu else unwrapped(image, mask, channel_axis, lazy=True)
    dtype = checked_image_dtype(image.dtype).newbyteorder("=")
    channel_axis = checked_channel_axis(channel_axis, image.ndim)
    spatial = [axis for axis in range(image.ndim) if axis != channel_axis]
    if len(spatial) < 2:
        raise ValueError(
            f"`image` must have rows and columns, got shape {image.shape} and `channel_axis` {channel_axis}"
        )
    result = as_sum(dtype) if len(sides) == 2 else dtype
    default_fill = math.nan if result.kind == "f" else 0
    fill = representable(default_fill if fill_value is None else fill_value, result, "fill_value")
    runs = [(spatial[axis], backwards) for axis, backwards in map(_SIDES.get, sides)]
    if on_gpu:
        return _corner_on_gpu(image, runs, mask, nan_policy, channel_axis, fill)
    if containers.is_lazy(image):
        return _lazily(image, mask, nan_policy, channel_axis, runs, result, fill)
    mask = counted(image, mask, nan_policy, channel_axis)
    values = image.astype(dtype, copy=False) if mask is None else np.where(mask, image, _lowest(dtype))
    pooled = _sum_of(*(_running_maximum(values, *run) for run in runs), dtype=result)
    if mask is None:
        return np.ma.MaskedArray(pooled, fill_value=fill) if masked_array else pooled
    found = _all(*(_running_maximum(mask, *run) for run in runs))
    pooled[~found] = fill
    return np.ma.MaskedArray(pooled, ~found, fill_value=fill) if masked_array else pooled


def _all(*parts):
    """Where all of them are true."""
    return np.logical_and.reduce(parts)


def _sum_of(*parts, dtype):
    """The one part, or the sum of the two."""
    if len(parts) == 1:
        return parts[0]
    with np.errstate(all="ignore"):  # infinities of both signs
        return np.add(*parts, out=parts[0]) if parts[0].dtype == dtype else np.add(*parts, dtype=dtype)


def _lazily(image, mask, nan_policy, channel_axis, runs, result, fill):
    """`corner_pool` for a dask array; tasks that run along a side have whole lines."""
    import dask.array as da

    containers.refuse_masked_chunks(image)
    windows.one_of(nan_policy, NAN_POLICIES, "nan_policy")
    values = image.astype(image.dtype.newbyteorder("="), copy=False)
    if mask is not None:
        mask = da.asarray(checked_lazy_mask(mask, image, channel_axis))
        mask = mask if mask.ndim == image.ndim else da.expand_dims(mask, channel_axis)
        mask = da.broadcast_to(mask, image.shape).rechunk(image.chunks)
    if nan_policy != "propagate" and image.dtype.kind == "f":
        mask = da.ones_like(image, dtype=np.bool_) if mask is None else mask
        mask = da.map_blocks(counted, image, mask, nan_policy, None, dtype=np.bool_, meta=mask._meta)
    if mask is not None:
        values = da.where(mask, values, _lowest(values.dtype))

    def along(array, axis, backwards):
        lines = array.rechunk({axis: -1})
        return lines.map_blocks(_running_maximum, axis, backwards, dtype=array.dtype, meta=array._meta)

    def sides(array, function):
        parts = [along(array, *run).rechunk(image.chunks) for run in runs]
        return da.map_blocks(
            function, *parts, dtype=(meta := function(*(part._meta for part in parts))).dtype, meta=meta
        )

    pooled = sides(values, functools.partial(_sum_of, dtype=result))
    return pooled if mask is None else da.where(sides(mask, _all), pooled, fill)


# --- strips


def strip_pool(
    image,
    axis,
    reduction="avg",
    *,
    channel_axis=None,
    keepdims=False,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    dtype=None,
    out=None,
    workers=None,
    **reduction_parameters,
):
    """Reduce every line along one axis to one value: the mean of each row, the maximum of each column.

    The same as `pool` with a window that is whole along `axis` and 1 along the others.

    Parameters
    ----------
    image : (..., rows, columns) array_like
        As `pool` takes it.
    axis : int
        The axis that vanishes: -1 gives one value for each row (a strip of the height of the image), -2 one for each
        column. Of all axes of the image; not the channel axis.
    reduction : str
        Name of the reduction, as `pool` takes it.
    channel_axis : int, optional
        The axis that is not pooled. Default: every axis is spatial.
    keepdims : bool
        Keep the axis, with length 1, so that the result broadcasts to the image.
    mask, nan_policy, min_count, fill_value, dtype, workers
        As `pool` takes them.
    out : ndarray, optional
        Where the result goes; as `pool` takes it, of the result's shape.
    **reduction_parameters
        What the reduction takes beside these: see its own function.

    Returns
    -------
    pooled : ndarray
        Of the image's shape without `axis`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or a keyword is none that the reduction takes.
    ValueError
        If an argument has a wrong value or shape, or the image has no samples along `axis`.

    See Also
    --------
    pool, corner_pool

    References
    ----------
    Q. Hou, L. Zhang, M.-M. Cheng and J. Feng, "Strip pooling: rethinking spatial pooling for scene parsing", CVPR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import strip_pool
    >>> image = np.array([[1, 2, 6], [0, 5, 1]])
    >>> strip_pool(image, -1)
    array([3., 2.])
    >>> strip_pool(image, 0, "max", keepdims=True)
    array([[1, 5, 6]])
    """
    image = containers.as_array(image)
    channel_axis = checked_channel_axis(channel_axis, image.ndim)
    axis = _checked_axis(axis, image.ndim, channel_axis)
    keepdims = windows.flag(keepdims, "keepdims")
    if not image.shape[axis]:
        raise ValueError(f"`image` must have samples along `axis` {axis}, got shape {image.shape}")
    window = [image.shape[axis] if number == axis else 1 for number in range(image.ndim) if number != channel_axis]
    kept = out
    if (type(out) is np.ndarray or gpu.is_array(out)) and not keepdims:
        if out.shape != image.shape[:axis] + image.shape[axis + 1 :]:
            raise ValueError(f"`out` must have the shape of the image {image.shape} without `axis`, got {out.shape}")
        kept = out[(slice(None),) * axis + (None,)]
    pooled = pool(
        image,
        window,
        reduction,
        mask=mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=dtype,
        out=kept,
        workers=workers,
        **reduction_named(reduction).checked_parameters(reduction_parameters, image.dtype),
    )
    if pooled is kept:
        return out
    return pooled if keepdims else containers.squeezed(pooled, (axis,))


def _checked_axis(axis, ndim, channel_axis):
    """`axis` counted from the front."""
    if isinstance(axis, bool | np.bool_) or not hasattr(axis, "__index__"):
        raise TypeError(f"`axis` must be an integer, got {axis!r}")
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f"`axis` must be from {-ndim} to {ndim - 1} for {ndim} axes, got {axis}")
    if axis % ndim == channel_axis:
        raise ValueError(f"`axis` must not be `channel_axis`, got {axis} for both")
    return axis % ndim
