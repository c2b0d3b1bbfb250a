"""Unpooling: values of windows back to the places, or spread over the samples, that they came from."""

from __future__ import annotations

import bisect
import math

import numpy as np

from . import windows
from .plan import checked_channel_axis, checked_dtype, make_plan, representable
from .pooling import pool
from .reductions import as_float

__all__ = ["avg_unpool", "max_unpool"]

#: Bytes of a result that are spread at a time, so that what is repeated is still in the cache.
_BLOCK = 2**21


def _checked_shape(shape):
    if isinstance(shape, str) or not np.iterable(shape):
        raise TypeError(f"`output_shape` must be a sequence of integers, got {shape!r}")
    shape = tuple(windows.integer(length, "output_shape", 0) for length in shape)
    if math.prod(shape) > np.iinfo(np.intp).max // 8:
        raise ValueError(f"`output_shape` must fit into memory, got {shape}")
    return shape


def _checked_values(values):
    values = np.asarray(values)
    return values.astype(checked_dtype(values.dtype, "values"), copy=False)


def max_unpool(values, indices, output_shape, *, fill_value=0):
    """Put values back to the places where a maximum or minimum was found.

    Parameters
    ----------
    values : array_like
        What `max_pool` or `min_pool` gave, or other values of the same windows: boolean, integer or floating point of
        at most 64 bits. Masked values are put nowhere.
    indices : array_like of int
        Of the same shape: where each value goes, as a flat index into ``image.ravel()`` as ``return_indices=True``
        gives it. A value with index -1, that of a window without samples, is put nowhere. Of several values with the
        same index, the last in row-major order stays.
    output_shape : sequence of int
        Shape of the image, its channel axis included.
    fill_value : number
        The value of all other places, representable in the type of `values`.

    Returns
    -------
    image : ndarray
        Of shape `output_shape` and of the type of `values`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or indices are not integers.
    ValueError
        If shapes differ, an index lies outside the image or `fill_value` is not representable.

    See Also
    --------
    max_pool, avg_unpool

    References
    ----------
    M. D. Zeiler, G. W. Taylor and R. Fergus, "Adaptive deconvolutional networks for mid and high level feature
    learning", ICCV 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import max_pool, max_unpool
    >>> image = np.array([[1, 2, 0, 9], [3, 8, 4, 5]])
    >>> values, indices = max_pool(image, return_indices=True)
    >>> max_unpool(values, indices, image.shape)
    array([[0, 0, 0, 9],
           [0, 8, 0, 0]])
    """
    kept = None if np.ma.getmask(values) is np.ma.nomask else ~np.ma.getmaskarray(values)
    values, indices = _checked_values(values), np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"`indices` must be integers, got dtype {indices.dtype}")
    if indices.shape != values.shape:
        raise ValueError(f"`indices` must have the shape of `values` {values.shape}, got {indices.shape}")
    image = np.full(_checked_shape(output_shape), representable(fill_value, values.dtype, "fill_value"))
    if not indices.size:
        return image
    lowest, highest = indices.min().item(), indices.max().item()
    if lowest < -1 or highest >= image.size:
        raise ValueError(
            f"`indices` must be from -1 to {image.size - 1} for `output_shape` {image.shape}, "
            f"got {lowest if lowest < -1 else highest}"
        )
    if lowest < 0:
        kept = (indices >= 0) & (True if kept is None else kept)
    if kept is not None:
        values, indices = values[kept], indices[kept]
    image.reshape(-1)[indices] = values
    return image


def avg_unpool(
    values,
    output_shape,
    window_shape,
    *,
    stride=None,
    padding=0,
    dilation=1,
    ceil_mode=True,
    channel_axis=None,
    dtype=None,
):
    """Spread the value of each window evenly over its samples; where windows overlap, shares add up.

    A window of n counted samples gives each of them ``value / n``. This is the transpose (adjoint) of `avg_pool` with
    the same arguments, through which gradients flow back: ``sum(avg_pool(x) * y) == sum(x * avg_unpool(y))``.

    Parameters
    ----------
    values : array_like
        Boolean, integer or floating point of at most 64 bits, one for each window. Masked values count as 0.
    output_shape : sequence of int
        Shape of the image, its channel axis included; one that pools to the shape of `values`.
    window_shape, stride, padding, dilation, ceil_mode, channel_axis
        As `avg_pool` takes them. Padding is absent: it is not counted, and gets nothing.
    dtype : data-type, optional
        Type of the result. Default: float32 and float64 are kept, float16 gives float32, others float64. An integer
        type is rounded once, half to even, and saturates.

    Returns
    -------
    image : ndarray
        Of shape `output_shape`. Samples that no window looks at are 0.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an argument has a wrong value, or an image of `output_shape` does not pool to the shape of `values`.

    See Also
    --------
    avg_pool, max_unpool

    References
    ----------
    Y. LeCun et al., "Handwritten digit recognition with a back-propagation network", NIPS 1990.

    Examples
    --------
    >>> from skpool import avg_unpool
    >>> avg_unpool([[4.0, 8.0]], (2, 3), 2)
    array([[1., 1., 4.],
           [1., 1., 4.]])
    >>> avg_unpool([3.0, 6.0], (4,), 3, stride=1)
    array([1., 3., 3., 2.])
    """
    values = _checked_values(np.ma.filled(values, 0))
    result = as_float(values.dtype) if dtype is None else checked_dtype(dtype)
    geometry = {
        "window_shape": window_shape,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
        "channel_axis": channel_axis,
    }
    axes = _axes_of(_checked_shape(output_shape), values.shape, geometry)
    overlapping = any(axis.extent > axis.stride for axis in axes)
    # Shares that are added up, or rounded to integers, need more digits than float32 has.
    working = np.dtype(np.float32 if values.dtype == result == np.float32 and not overlapping else np.float64)
    shares = np.divide(values, _counts(axes), dtype=working, casting="unsafe")
    image = _spread(shares, axes)
    return image if image.dtype == result else pool(image, 1, dtype=result)


def _axes_of(shape, pooled, geometry):
    """The windows along every axis of an image of `shape`, or an error if it does not pool to the shape `pooled`."""
    if len(shape) != len(pooled):
        raise ValueError(f"`output_shape` must have the {len(pooled)} axes of `values`, got {shape}")
    if len(shape) == (checked_channel_axis(geometry["channel_axis"], len(shape)) is not None):
        raise ValueError(f"`output_shape` must have a spatial axis, got {shape}")

    def axes_of(lengths):
        return make_plan(lengths, np.dtype(np.float64), "avg", **geometry).axes

    def outputs(number, length):
        lengths = [0] * len(shape)  # which have no windows, and refuse none
        lengths[number] = length
        try:
            return axes_of(tuple(lengths))[number].outputs
        except ValueError:
            return 0  # the window does not fit

    axes_of((0,) * len(shape))  # any error of the other arguments
    for number, count in enumerate(pooled):
        if outputs(number, shape[number]) != count:
            ending = range(windows.LARGEST)
            least = bisect.bisect_left(ending, count, key=lambda length: outputs(number, length))
            most = bisect.bisect_right(ending, count, key=lambda length: outputs(number, length)) - 1
            rule = f"from {least} to {most}" if least <= most else "something that no length is"
            raise ValueError(
                f"`output_shape` must be {rule} along axis {number} for the {count} windows of `values` there, "
                f"got {shape[number]}"
            )
    return axes_of(shape)


def _counts(axes):
    """Samples that each window counts (1 for none), in a shape that broadcasts to the windows."""
    counts = np.ones((1,) * len(axes))
    for number, axis in enumerate(axes):
        if not axis.identity:
            along = np.maximum(axis.counts, 1)
            along = along[:1] if (along == along[:1]).all() else along
            counts = counts * np.expand_dims(along, [other for other in range(len(axes)) if other != number])
    return counts


def _spread(shares, axes):
    """The image whose samples have the sum of the shares of all windows that look at them."""
    image = np.zeros([axis.length for axis in axes], shares.dtype)
    first = axes[0]
    rows = first.outputs
    if rows and first.extent <= first.stride:  # windows in different rows share no sample
        rows = max(_BLOCK * rows // max(image.nbytes, 1), 1)
    for start in range(0, first.outputs, max(rows, 1)):
        block = shares[start : start + rows]
        for number in range(len(axes) - 1, 0, -1):
            if not axes[number].identity:
                wider = [*block.shape[:number], axes[number].length, *block.shape[number + 1 :]]
                block = _place(block, axes[number], number, np.zeros(wider, shares.dtype))
        _place(block, first, 0, image, start)
    return image


def _place(shares, axis, number, image, skipped=0):
    """Add the shares of the windows of one axis (from the one after `skipped` on) to each of their samples."""
    ahead = (slice(None),) * number
    starts = axis.start[skipped : skipped + shares.shape[number]]
    for tap in range(axis.window):
        positions = starts + tap * axis.step
        first, last = np.searchsorted(positions, [0, axis.length])
        if first == last:
            continue
        places = (*ahead, slice(positions[first], positions[last - 1] + 1, axis.stride))
        given = shares[(*ahead, slice(first, last))]
        if axis.extent > axis.stride:
            image[places] += given
        else:
            image[places] = given
    return image
