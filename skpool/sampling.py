"""Windows of drawn sizes, and the way back: values of windows to the places, or over the samples, they came from."""

from __future__ import annotations

import bisect
import functools
import math
import numbers
from dataclasses import replace

import numpy as np

from . import containers, windows
from .backends import chunked, gpu, gpu_unpool
from .plan import checked_channel_axis, checked_dtype, make_plan
from .pooling import pool, pooled_by
from .reductions import as_float, representable
from .windows import Sliding, Tables

__all__ = ["avg_unpool", "fractional_max_pool", "max_unpool"]

#: Bytes of a result that are spread at a time, so that what is repeated is still in the cache.
_BLOCK = 2**21


def _checked_shape(shape):
    shape = windows.checked_shape(shape, "output_shape")
    if math.prod(shape) > np.iinfo(np.intp).max // 8:
        raise ValueError(f"`output_shape` must fit into memory, got {shape}")
    return shape


def _checked_values(values):
    """Values in the machine's byte order; a dask array as it is."""
    values = containers.checked_lazy(values, "values") if containers.is_lazy(values) else np.asarray(values)
    return values.astype(checked_dtype(values.dtype, "values"), copy=False)


def _unpooled(function, values, *given, **keywords):
    """What a function gives for labelled values, with their dimensions, attributes and name."""
    return containers.relabelled(function(values.data, *given, **keywords), values)


def _check_indices(indices, values):
    """Refuse indices that are no integers, or not one for each value."""
    if indices.dtype.kind not in "iu":
        raise TypeError(f"`indices` must be integers, got dtype {indices.dtype}")
    if indices.shape != values.shape:
        raise ValueError(f"`indices` must have the shape of `values` {values.shape}, got {indices.shape}")


def _refuse_index(index, shape):
    raise ValueError(f"`indices` must be from -1 to {math.prod(shape) - 1} for `output_shape` {shape}, got {index}")


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
        Of shape `output_shape` and of the type of `values`; on a GPU if these are, and computed later if these or
        `indices` are a dask array. Labelled values keep dimensions, attributes and what coordinates still fit.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or indices are not integers.
    ValueError
        If shapes differ, an index lies outside the image or `fill_value` is not representable.

    See Also
    --------
    max_pool, avg_unpool

    Notes
    -----
    Of dask arrays each chunk of the result waits for all chunks of values, for any of these may have something for it;
    values and indices are held meanwhile. Chunks of the result are those of the values, scaled. An index outside the
    image is an error when the result is computed.

    On a GPU the indices are checked there while values are put back, and an error is raised after one wait for the
    device, at the end.

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
    if gpu.is_array(values) or gpu.is_array(indices):
        return _max_unpool_on_gpu(values, indices, output_shape, fill_value)
    if containers.is_labelled(values):
        return _unpooled(max_unpool, values, indices, output_shape, fill_value=fill_value)
    indices = indices.data if containers.is_labelled(indices) else indices
    if containers.is_lazy(values) or containers.is_lazy(indices):
        return _max_unpool_lazily(values, indices, output_shape, fill_value)
    kept = None if np.ma.getmask(values) is np.ma.nomask else ~np.ma.getmaskarray(values)
    values, indices = _checked_values(values), np.asarray(indices)
    _check_indices(indices, values)
    image = np.full(_checked_shape(output_shape), representable(fill_value, values.dtype, "fill_value"))
    kept = _put(image.shape, indices, kept)
    image.reshape(-1)[indices[kept]] = values[kept]
    return image


def _put(shape, indices, kept=None):
    """Which indices into an image of this shape are put there, as an index: those that are not -1, of those `kept`."""
    if not indices.size:
        return ...
    lowest, highest = indices.min().item(), indices.max().item()
    if lowest < -1 or highest >= math.prod(shape):
        _refuse_index(lowest if lowest < -1 else highest, shape)
    if lowest < 0:
        kept = (indices >= 0) & (True if kept is None else kept)
    return ... if kept is None else kept


def _max_unpool_lazily(values, indices, output_shape, fill_value):
    """`max_unpool` for dask arrays, or one and another array."""
    import dask.array as da

    masked_array = containers.is_masked(values)
    if not containers.is_lazy(values):
        own = np.ma.asarray(values) if masked_array else np.asarray(values)
        values = da.from_array(own, chunks=containers.checked_lazy(indices, "indices").chunks)
    values = _checked_values(values)
    indices = containers.checked_lazy(indices, "indices") if containers.is_lazy(indices) else np.asarray(indices)
    _check_indices(indices, values)
    shape = _checked_shape(output_shape)
    fill = representable(fill_value, values.dtype, "fill_value")
    indices = da.asarray(indices).rechunk(values.chunks)
    return chunked.put(functools.partial(_put, shape), values, indices, shape, fill)


def _max_unpool_on_gpu(values, indices, output_shape, fill_value):
    if not gpu.is_array(values):
        gpu.together(indices=indices, values=values)
    values, indices = gpu.together(values=values, indices=indices)
    dtype = checked_dtype(values.dtype, "values")
    _check_indices(indices, values)
    shape = _checked_shape(output_shape)
    image, outside = gpu_unpool.put(values, indices, shape, representable(fill_value, dtype, "fill_value"))
    before, after = outside.get().tolist()  # this is where the device is waited for
    if before or after:
        _refuse_index(before - 1 if before else math.prod(shape) - 1 + after, shape)
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
        Of shape `output_shape`, on a GPU if `values` are, and computed later if they are a dask array, in chunks as
        theirs. Samples that no window looks at are 0.

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
    if containers.is_labelled(values):
        given = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
        given |= {"channel_axis": channel_axis, "dtype": dtype}
        return _unpooled(avg_unpool, values, output_shape, window_shape, **given)
    on_gpu, lazy = gpu.is_array(values), containers.is_lazy(values)
    values = gpu.as_array(values) if on_gpu else _checked_values(values if lazy else np.ma.filled(values, 0))
    checked_dtype(values.dtype, "values")
    result = as_float(values.dtype) if dtype is None else checked_dtype(dtype)
    layout = Sliding(window_shape, stride, padding, dilation, ceil_mode)
    axes = _axes_of(_checked_shape(output_shape), values.shape, layout, channel_axis)
    overlapping = any(axis.extent > axis.stride for axis in axes)
    # Shares that are added up, or rounded to integers, need more digits than float32 has.
    working = np.dtype(np.float32 if values.dtype == result == np.float32 and not overlapping else np.float64)
    if on_gpu:
        return gpu_unpool.spread(values, axes, result, working)
    if lazy:
        return _avg_unpool_lazily(values, axes, result, working)
    return _shared_out(values, [axis.counts for axis in axes], axes, result, working)


def _shared_out(values, counts, axes, result, working, workers=None):
    """The image, by the samples that windows count along each axis."""
    shares = np.divide(values, _counts(counts, axes), dtype=working, casting="unsafe")
    image = _spread(shares, axes)
    return image if image.dtype == result else pool(image, 1, dtype=result, workers=workers)


def _avg_unpool_lazily(values, axes, result, working):
    """`avg_unpool` for a dask array: a chunk of the image gets the windows that look at it."""
    chunks = tuple(map(chunked.scaled, values.chunks, (axis.length for axis in axes)))
    parts = [
        [_part(axis, samples) for samples in chunked.slices(sizes)] for axis, sizes in zip(axes, chunks, strict=True)
    ]
    compute = functools.partial(_part_shared_out, result, working)
    token = (axes, result, working)
    return chunked.gathered(compute, values, parts, chunks, result, name="avg_unpool", token=token)


def _part(axis, samples):
    """The windows that look at a run of samples of the image; of these windows, samples counted and the axis."""
    first = np.searchsorted(axis.start, samples.start - axis.extent + 1)
    stop = max(np.searchsorted(axis.start, samples.stop), first)
    before = axis.before + samples.start - first * axis.stride
    part = replace(axis, length=samples.stop - samples.start, outputs=stop - first, before=before)
    return (first, stop), (axis.counts[first:stop], part)


def _part_shared_out(result, working, parts, values):
    """A chunk of `avg_unpool`."""
    counts, axes = zip(*parts, strict=True)
    return _shared_out(np.ma.filled(values, 0), counts, axes, result, working, workers=1)


def _axes_of(shape, pooled, layout, channel_axis):
    """The windows along every axis of an image of `shape`, or an error if it does not pool to the shape `pooled`."""
    if len(shape) != len(pooled):
        raise ValueError(f"`output_shape` must have the {len(pooled)} axes of `values`, got {shape}")
    if len(shape) == (checked_channel_axis(channel_axis, len(shape)) is not None):
        raise ValueError(f"`output_shape` must have a spatial axis, got {shape}")

    def axes_of(lengths):
        return make_plan(lengths, np.dtype(np.float64), "avg", layout, channel_axis=channel_axis).axes

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


def _counts(counts_along, axes):
    """Samples that each window counts (1 for none), in a shape that broadcasts to the windows."""
    counts = np.ones((1,) * len(axes))
    for number, (along, axis) in enumerate(zip(counts_along, axes, strict=True)):
        if not axis.identity:
            along = np.maximum(along, 1)
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


# --- fractional max pooling


def _bounds(length, outputs, rng, pseudo_random):
    """Where each of `outputs` windows begins, and where the last ends: steps of floor and ceil of length / outputs."""
    if pseudo_random:
        # ceil(a (i + u)) - ceil(a u) with a = length / outputs and u = phase / length; the last is `length`.
        phase = int(rng.integers(1, length + 1))
        numbers = np.arange(outputs + 1, dtype=np.int64) * length + phase
        return -(-numbers // outputs) - -(-phase // outputs)
    steps = np.full(outputs, length // outputs, np.int64)
    steps[: length % outputs] += 1
    return np.concatenate([[0], np.cumsum(rng.permutation(steps))])


def fractional_max_pool(
    image,
    output_shape=None,
    ratio=None,
    *,
    rng=None,
    pseudo_random=True,
    overlapping=False,
    return_indices=False,
    channel_axis=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    dtype=None,
    out=None,
    workers=None,
):
    """Largest sample of windows whose sizes are drawn at random, so that an image shrinks by any ratio.

    Parameters
    ----------
    image : (..., rows, columns) array_like
        As `max_pool` takes it.
    output_shape : int, None or sequence of them, optional
        Outputs along each spatial axis, at most its length; None in a sequence keeps an axis.
    ratio : float or sequence of float, optional
        Instead of `output_shape`: samples to one output along each spatial axis, above 1.
    rng : numpy.random.Generator or int, optional
        What `numpy.random.default_rng` takes; one sequence of windows is drawn for each spatial axis in turn.
    pseudo_random : bool
        Spread windows of both sizes evenly from a random phase: ``ceil(a (i + u))``, ``a = samples / outputs``
        [1]_. Else their order is drawn.
    overlapping : bool
        Let each window have the first sample of the next one too.
    return_indices : bool
        Return also where each value was found.
    channel_axis : int, optional
        The axis that is not pooled. Default: every axis is spatial.
    mask, nan_policy, min_count, fill_value, dtype, out, workers
        As `max_pool` takes them.

    Returns
    -------
    pooled : ndarray
        One value for each window, of the image's type.
    indices : ndarray of int64
        Only with `return_indices`: as `max_pool` gives them.

    Raises
    ------
    TypeError, ValueError
        As `max_pool` does; also if both or neither of `output_shape` and `ratio` are given, or the output would be
        larger than the image.

    References
    ----------
    .. [1] B. Graham, "Fractional max-pooling", arXiv:1412.6071, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import fractional_max_pool
    >>> image = np.arange(49).reshape(7, 7)
    >>> fractional_max_pool(image, 5, rng=0).shape
    (5, 5)
    >>> fractional_max_pool(image, ratio=1.4, rng=0).shape
    (5, 5)
    """
    pseudo_random = windows.flag(pseudo_random, "pseudo_random")
    overlapping = windows.flag(overlapping, "overlapping")
    image = containers.as_array(image)
    shape = image.shape
    axis = checked_channel_axis(channel_axis, len(shape))
    lengths = [length for i, length in enumerate(shape) if i != axis]
    if (output_shape is None) == (ratio is None):
        raise ValueError(f"one of `output_shape` and `ratio` must be given, got {output_shape!r} and {ratio!r}")
    if ratio is not None:
        output_shape = _shape_by(ratio, lengths)
    outputs = windows.bin_counts(output_shape, lengths)
    rng = np.random.default_rng(rng)
    tables = []
    for length, count in zip(lengths, outputs, strict=True):
        if count > length:
            raise ValueError(f"`output_shape` must be at most the image's {tuple(lengths)}, got {output_shape!r}")
        bounds = _bounds(length, count, rng, pseudo_random) if count else np.zeros(1, np.int64)
        tables.append(windows.between(length, bounds[:-1], np.minimum(bounds[1:] + overlapping, length)))
    return pooled_by(
        Tables,
        (tuple(tables),),
        image,
        "max",
        {"return_indices": return_indices},
        mask=mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=dtype,
        out=out,
        workers=workers,
    )


def _shape_by(ratio, lengths):
    """Outputs along each axis for `ratio` samples to one output."""
    ratios = tuple(ratio) if np.iterable(ratio) and not isinstance(ratio, str) else (ratio,) * len(lengths)
    if len(ratios) != len(lengths):
        raise ValueError(f"`ratio` must have one entry for each of the {len(lengths)} spatial axes, got {ratio!r}")
    for value in ratios:
        if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
            raise TypeError(f"`ratio` must be a real number, or one for each spatial axis, got {ratio!r}")
        if not 1 < value < math.inf:
            raise ValueError(f"`ratio` must be finite and > 1, got {ratio!r}")
    return tuple(max(int(length / value), 1) for length, value in zip(lengths, ratios, strict=True))
