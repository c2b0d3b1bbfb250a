"""Pooling over labelled regions, such as superpixels, and painting what was pooled back."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from dataclasses import replace

import numpy as np

from . import containers
from .backends import chunked, gpu, gpu_labels
from .backends import labels as backend
from .plan import checked_dtype, make_plan, plan_for, refuse_nan
from .pooling import checked_device_mask, checked_lazy_mask, checked_mask, pool, taken_return_indices, unwrapped
from .reductions import REDUCTIONS, difference, limits_of, representable
from .threads import check_workers
from .windows import Bins, Sliding, flag

__all__ = ["region_pool", "region_unpool"]


def _checked_label_image(label_image):
    """`label_image` as an array of integers; a dask array as it is."""
    if containers.is_labelled(label_image):
        label_image = label_image.data
    if isinstance(label_image, np.ma.MaskedArray):
        raise TypeError("`label_image` must be a plain array, got a masked one: give its mask as `mask`")
    if gpu.is_array(label_image):
        label_image = gpu.as_array(label_image)
    elif containers.is_lazy(label_image):
        label_image = containers.checked_lazy(label_image, "label_image")
    else:
        label_image = np.asarray(label_image)
    if label_image.dtype.kind not in "biu":
        raise TypeError(f"`label_image` must be boolean or integer, got dtype {label_image.dtype}")
    return label_image


def _checked_background(background):
    """`background` as an integer or None."""
    if background is None:
        return None
    try:
        return operator.index(background)
    except TypeError:
        raise TypeError(f"`background` must be an integer or None, got {background!r}") from None


def _checked_labels(labels):
    """`labels` as an array of uint64, or None."""
    if labels is None:
        return None
    if gpu.is_array(labels):
        labels = gpu.as_array(labels).get()
    try:  # NumPy makes floats of a list of small integers and some above 2**63
        array = labels if isinstance(labels, np.ndarray) else np.array([operator.index(label) for label in labels], "O")
    except TypeError:
        raise TypeError(f"`labels` must be a sequence of integers, got {labels!r}") from None
    if array.ndim != 1:
        raise ValueError(f"`labels` must be a sequence of integers, got shape {array.shape}")
    if array.dtype.kind not in "biu" and array is labels:
        raise TypeError(f"`labels` must be integers, got dtype {array.dtype}")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < 2**64:
        raise ValueError(f"`labels` must be from 0 to 2**64 - 1, got {labels!r}")
    array = array.astype(np.uint64)
    different = np.unique(array).size
    if different < array.size:
        raise ValueError(f"`labels` must be distinct, got {array.size} of which {different} are different")
    return array


class _Regions:
    """The regions of one call: rows of labels, and where backends find them."""

    def __init__(self, label_image, labels, background, workers):
        self.label_image, self.labels, self.background = label_image, labels, background
        self.known = None if labels is None else _possible(labels, label_image.dtype)
        self.backend = backend.LabelImage(label_image, workers)

    def pooling(self, plan, image, mask=None, indices=False):
        """What a backend is to do for an image whose last axis are channels."""
        given = None if self.labels is None else self.labels[self.known]
        return backend.Pooling(plan, self.backend, image, mask, given, self.background, indices)

    def settle(self, pooling):
        """Give a pooling that has looked at the image its rows, or refuse a negative label."""
        if self.labels is not None:
            pooling.use_given(self.known)
            self.rows = self.labels
        else:
            self.rows = pooling.found().astype(self.label_image.dtype.newbyteorder("="), copy=False)
            self.known = np.ones(self.rows.size, np.bool_)
        if pooling.outside or (self.labels is None and self.rows.size and self.rows[0] < 0):
            self.refuse_negative()
        return pooling

    def refuse_negative(self):
        """Raise if there is a negative label other than the background."""
        bad = self.label_image < 0
        if self.background is not None and self.background < 0:
            bad &= self.label_image != self.background
        if bad.any():
            _refuse_negative(self.label_image[bad][0])


def _refuse_negative(label):
    raise ValueError(f"`label_image` must be >= 0 wherever it is not `background`, got {label}")


def _possible(labels, dtype):
    """Which labels an image of a type can have."""
    return labels <= np.uint64(limits_of(dtype)[1])


def region_pool(
    image,
    label_image,
    reduction="avg",
    *,
    labels=None,
    background=0,
    channel_axis=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    dtype=None,
    return_labels=False,
    workers=None,
    **reduction_parameters,
):
    """Reduce each labelled region of an image to one value.

    Parameters
    ----------
    image : (..., rows, columns) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; never modified, rescaled or
        clipped. A masked array's mask is honoured, and gives a masked array. A dask array gives one that is computed
        later, with the bits of an array in memory for any chunks, of every reduction but those that sort. Anything
        else goes through `numpy.asarray`.
    label_image : (..., rows, columns) array_like
        Boolean or integer, of the shape of the image's spatial axes: pixels of the same label are one region, be they
        neighbours or not. Labels are not negative, but for `background`. A dask array needs `labels`, for the result
        has a row for each.
    reduction : str
        Name of the reduction: {reductions}.
    labels : sequence of int, optional
        The labels to pool, all different, in the order of the rows; all others are left out. A label that does not
        occur gets `fill_value`. Default: all that occur in `label_image`, masked or not, in ascending order, except
        `background`.
    background : int or None
        The label that is no region, unless `labels` has it. None: all are.
    channel_axis : int, optional
        The axis of the image that is not pooled; it becomes the last one. Default: every axis is spatial.
    mask : ndarray of bool, optional
        True where a pixel counts; of the image's shape, or of its spatial axes.
    nan_policy : {{"propagate", "omit", "raise"}}
        A counted NaN makes the result NaN, is as if masked, or is a `ValueError`.
    min_count : int
        Pixels that a region must count; with fewer it gets `fill_value`.
    fill_value : number, optional
        Default: NaN for floating-point results, else 0.
    dtype : data-type, optional
        Type of the result. Default: as the reduction's own function says (`avg_pool` and its kin). An integer type is
        rounded once, half to even, and saturates.
    return_labels : bool
        Return also the label of each row.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for small images. Results do not depend on it.
    **reduction_parameters
        What the reduction takes beside these: see its own function. With ``return_indices`` (of ``"max"`` and
        ``"min"``) indices are returned too. ``"mode"`` takes `ties` other than ``"center"``, for regions have none;
        `background` is always that of the labels.

    Returns
    -------
    pooled : (labels[, channels]) ndarray
        One row for each label; all results are on a GPU if `image` and `label_image` are.
    indices : ndarray of int64
        Only with ``return_indices``, of the shape of `pooled`: flat indices into ``image.ravel()``, that of the first
        in row-major order (under ``propagate`` that of the first NaN), -1 where too few pixels count.
    labels : (labels,) ndarray
        Only with `return_labels`: the label of each row, in the type of `label_image` or, if `labels` were given, as
        uint64.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a label image of floats, a keyword that the reduction does not take.
    ValueError
        If an argument has a wrong value or shape; if `label_image` has a negative label other than `background`.

    See Also
    --------
    region_unpool : paint each region with its row.
    skimage.measure.regionprops_table : shapes of regions.

    Notes
    -----
    Regions of other shapes are label images, too::

        row, column = np.indices(image.shape)
        region_pool(image, row, background=None)  # one value for each row
        ring = np.hypot(row - center_row, column - center_column).astype(int)
        region_pool(image, ring, background=None)  # a radial profile
        angle = np.arctan2(row - center_row, column - center_column)
        region_pool(image, ((angle / np.pi + 1) * sectors / 2).astype(int) % sectors, background=None)  # sectors

    Sums of floats are those of fixed blocks of pixels, in double precision: results are the same bits for any number
    of threads, and any memory layout. Order statistics (``"median"``, ``"mode"`` and their kin) sort the samples of one
    channel at a time, on one thread, and need 15 to 100 bytes for each.

    On a GPU pixels are sorted by label first, which waits for the device. Results are the CPU's bits. Order statistics
    are not computed there.

    References
    ----------
    .. [1] R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI 34, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import region_pool
    >>> image = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    >>> label_image = np.array([[1, 1, 0], [7, 7, 7]])
    >>> region_pool(image, label_image)
    array([1.5, 6. ])
    >>> region_pool(image, label_image, "max", labels=[7, 3], fill_value=-1)
    array([ 9., -1.])
    >>> region_pool(image, label_image, "count", background=None, return_labels=True)
    (array([1, 2, 3]), array([0, 1, 7]))
    """
    if containers.is_labelled(image):
        image, mask = image.data, containers.aligned(mask, image)
    on_gpu = gpu.is_array(image) or gpu.is_array(label_image)
    lazy = not on_gpu and (containers.is_lazy(image) or containers.is_lazy(label_image))
    masked_array = isinstance(image, np.ma.MaskedArray)
    if on_gpu:
        image, label_image = gpu.together(image=image, label_image=label_image)
    else:
        image, mask = unwrapped(image, mask, channel_axis, lazy=lazy)
    label_image = _checked_label_image(label_image)
    return_indices = taken_return_indices(reduction, reduction_parameters)
    return_labels = flag(return_labels, "return_labels")
    workers = check_workers(workers)
    plan = plan_for(
        Sliding,
        (1,),  # windows are of no concern
        image.shape,
        image.dtype,
        reduction,
        0,
        nan_policy,
        min_count,
        fill_value,
        channel_axis,
        dtype,
        **reduction_parameters,
    )
    if plan.nearest_first:
        raise ValueError("`ties` must not be 'center' for regions, which have no centre, got 'center'")
    labels, background = _checked_labels(labels), _checked_background(background)
    axis = plan.channel_axis
    spatial = image.shape if axis is None else image.shape[:axis] + image.shape[axis + 1 :]
    if label_image.shape != spatial:
        raise ValueError(
            f"`label_image` must have the shape of the image's spatial axes {spatial}, got {label_image.shape}"
        )
    if lazy:
        given = {"labels": labels, "background": background, "nan_policy": nan_policy, "channel_axis": axis}
        pooled, rows = _lazily(plan, image, label_image, mask, return_indices, **given)
        if not return_labels:
            return pooled
        return (*pooled, rows) if return_indices else (pooled, rows)
    if on_gpu:
        masks = checked_device_mask(mask, image, axis)
        raises = nan_policy == "raise"
        return _pool_on_gpu(plan, image, label_image, labels, background, masks, raises, return_indices, return_labels)
    mask = None if mask is None else _channels_last(checked_mask(mask, image, channel_axis), axis)
    regions = _Regions(label_image, labels, background, workers)
    image = _channels_last(image, axis)
    if nan_policy == "raise":
        _refuse_nan(regions, plan, image, mask)
    pooling = regions.pooling(plan, image, mask, return_indices)
    outcome = backend.compute(pooling)
    regions.settle(pooling)
    pooled, counts = backend.results(pooling, outcome)
    few = counts < plan.min_count
    if masked_array:
        pooled = np.ma.MaskedArray(pooled, few, fill_value=plan.fill_value)
    given = [pooled]
    if return_indices:
        given.append(np.where(few, -1, _flat(outcome.indices[:, pooling.places].T, spatial, axis)))
    if axis is None:
        given = [array[:, 0] for array in given]
    if return_labels:
        given.append(regions.rows)
    return given[0] if len(given) == 1 else tuple(given)


# --- dask arrays: states of regions for each chunk, merged; or the CPU's own passes, block by block

#: What is merged for each reduction that merges exactly, beside the counts.
_STATES = {"max": ("max",), "min": ("min",), "range": ("max", "min"), "count": (), "sum": ("sum",), "avg": ("sum",)}


def _lazily(plan, image, label_image, mask, return_indices, *, labels, background, nan_policy, channel_axis):
    """`region_pool` for dask arrays: values, in a pair with places if they are asked for, and labels."""
    import dask.array as da
    from dask.base import tokenize

    plan = replace(plan, axes=Bins(1).axes(image.shape))  # one window, which counts as many samples as a region may
    name, merges = plan.reduction.name, _merges(plan)
    containers.refuse_masked_chunks(image)
    if not merges and not backend.most_passes(plan):
        raise NotImplementedError(
            f"`reduction` {name!r} sorts all samples of a region, and has no exact merge over the chunks of a dask "
            "array: give it `image.compute()`"
        )
    rows = _rows_known(labels, label_image, background)
    if not containers.is_lazy(image):
        chunks = iter(label_image.chunks)
        image = da.from_array(
            image, chunks=tuple(-1 if axis == channel_axis else next(chunks) for axis in range(image.ndim))
        )
    arrays = {"image": image, "label_image": da.asarray(label_image)}
    if mask is not None:
        arrays["mask"] = da.asarray(checked_lazy_mask(mask, image, channel_axis))
    given = {"labels": rows, "background": background, "nan_policy": nan_policy, "channel_axis": channel_axis}
    token = tokenize([array.name for array in arrays.values()], chunked.described(plan), given, return_indices)
    shape = (rows.size,) if channel_axis is None else (rows.size, image.shape[channel_axis])
    types = [plan.dtype, *[np.dtype(np.int64)] * return_indices]
    metas = [np.empty((0,) * len(shape), dtype) for dtype in types]
    results = tuple((length,) for length in shape), metas
    name = f"skpool-region-{name}-{token}"
    if merges:
        return _by_chunks(plan, name, arrays, given, results), rows
    return _by_blocks(plan, name, arrays, given, results, _block_of(label_image, labels)), rows


def _by_chunks(plan, name, arrays, given, results):
    """Results of states of chunks."""
    image, channel_axis = arrays["image"], given["channel_axis"]
    image = image if channel_axis is None else image.rechunk({channel_axis: -1})
    spatial = [number for number in range(image.ndim) if number != channel_axis]
    of_spatial = tuple(image.chunks[axis] for axis in spatial)
    arrays = [a.rechunk(image.chunks if a.ndim == image.ndim else of_spatial) for a in arrays.values()]
    names = _STATES[plan.reduction.name]
    compute = functools.partial(_states, names, image.shape, **given)
    starts = [[0, *itertools.accumulate(sizes)][:-1] for sizes in image.chunks]
    tasks = []
    for place in np.ndindex(image.numblocks):
        corner = tuple(along[number] for along, number in zip(starts, place, strict=True))
        places = [place if array.ndim == image.ndim else tuple(place[axis] for axis in spatial) for array in arrays]
        tasks.append((compute, corner, *((array.name, *own) for array, own in zip(arrays, places, strict=True))))
    _, metas = results
    merge, finish = functools.partial(_merged, names), functools.partial(_finished, plan, len(metas) > 1)
    return chunked.folded(name, tasks, merge, finish, arrays, *results)


def _block_of(label_image, labels):
    """Pixels of a block, as they are for arrays in memory."""
    if labels is None:
        return backend.LabelImage(label_image, None).block(None)
    outline = backend.Outline(label_image.dtype, math.prod(label_image.shape))
    return outline.block(labels[_possible(labels, label_image.dtype)])


def _by_blocks(plan, name, arrays, given, results, block):
    """Results of passes: a task takes as many whole blocks as a chunk of the image has, or one; see `_box_of`."""
    image, axis = arrays["image"], given["channel_axis"]
    spatial = [length for number, length in enumerate(image.shape) if number != axis]
    pixels = math.prod(spatial)
    of_chunk = math.prod(max(sizes, default=0) for number, sizes in enumerate(image.chunks) if number != axis)
    run = block * max(of_chunk // block, 1)
    channels = 1 if axis is None else image.shape[axis]
    compute = functools.partial(_pass_over_run, plan, given, channels, block)
    reads = []
    for start in range(0, max(pixels, 1), run):
        box, own = _box_of(start, min(start + run, pixels), spatial)
        whole = box if axis is None else [*box[:axis], (0, image.shape[axis]), *box[axis:]]
        read = [chunked.box(what, a, whole if a.ndim == image.ndim else box) for what, a in arrays.items()]
        reads.append((own, read))
    join = functools.partial(_joined_pass, (channels, given["labels"].size))
    graph, passes = {}, []
    for number in range(backend.most_passes(plan)):
        state, joined = f"{name}-state-{number}", f"{name}-pass-{number}"
        graph[joined] = (join, chunked.tree(graph, state, [(compute, *read, list(passes)) for read in reads], _chained))
        passes.append(joined)
    graph[(name, *(0,) * len(results[0]))] = (functools.partial(_of_passes, plan, channels), passes)
    return chunked.arrays(name, graph, list(arrays.values()), *results)


def _box_of(start, stop, shape):
    """The box that holds a run of an array's pixels in row-major order, and which of its own pixels they are."""
    if start == stop:
        return [(0, length) for length in shape], slice(0, 0)
    first, last = (np.unravel_index(pixel, shape) for pixel in (start, stop - 1))
    axis = next((axis for axis in range(len(shape)) if first[axis] != last[axis]), len(shape) - 1)
    box = [(int(low), int(high) + 1) for low, high in zip(first[: axis + 1], last, strict=False)]
    before = start - sum(low * math.prod(shape[i + 1 :]) for i, (low, _) in enumerate(box))
    return box + [(0, length) for length in shape[axis + 1 :]], slice(before, before + stop - start)


def _pass_over_run(plan, given, channels, block, own, reads, passes):
    """What a task gives: the next pass over a run of blocks, if there is one."""
    axis, rows = given["channel_axis"], given["labels"].astype(np.uint64)
    wanted = backend.wanted_pass(plan, channels, passes)
    if wanted is None:
        return [], []
    image, label_image, *masks = (cut.together(keys) for cut, keys in reads)
    masks = [checked_mask(mask, image, axis) for mask in masks]
    image, *masks = (_channels_last(array, axis) for array in (image, *masks))
    image, *masks = (array.reshape(label_image.size, channels)[own] for array in (image, *masks))
    label_image, mask = label_image.reshape(-1)[own], masks[0] if masks else None
    if not passes:
        regions = _Regions(label_image, rows, given["background"], 1)
        regions.refuse_negative()
        if given["nan_policy"] == "raise":
            _refuse_nan(regions, plan, image, mask)
    return backend.collect_blocks(plan, wanted, rows, block, label_image, image, mask)


def _chained(states):
    """One state of several: all their blocks, in order."""
    keys, blocks = zip(*states, strict=True)
    return keys[0], list(itertools.chain(*blocks))


def _joined_pass(shape, state):
    return backend.join_blocks(*state, *shape)


def _of_passes(plan, channels, passes):
    """The result of all passes."""
    replay = backend.Replay(plan, channels, passes)
    pooled, _ = backend.results(replay, backend.compute(replay))
    return pooled[:, 0] if plan.channel_axis is None else pooled


def _rows_known(labels, label_image, background):
    """The label of each row, where an array is not computed to find them."""
    if labels is not None:
        return labels
    if containers.is_lazy(label_image):
        raise ValueError("`labels` must be given for a dask array of labels, got None: there is one row for each")
    rows = np.unique(label_image)
    rows = rows if background is None else rows[rows != background]
    if rows.size and rows[0] < 0:
        _refuse_negative(rows[0])
    return rows


def _of_totals(function, total, *values, plan):
    """``function(plan, total, *values)`` in the plan's type; the fill value where too few samples count."""
    with np.errstate(all="ignore"):
        result = function(plan, total, *values).astype(plan.dtype, copy=False)
    return np.where(np.asarray(total) < plan.min_count, plan.fill_value, result)


def _limited(plan, whole):
    """Integers as the plan's type has them."""
    if plan.dtype.kind == "f":
        return whole
    low, high = limits_of(plan.dtype)
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
    return difference(high, low)


#: How results follow from states: ``(plan, count, *states) -> values``.
_FINISHES = {"range": _range, "count": _sum, "sum": _sum, "avg": _average}


def _merges(plan):
    """Whether states of chunks give the bits that all pixels together do."""
    dtype, name = plan.image_dtype, plan.reduction.name
    natural = plan.reduction.result(dtype.newbyteorder("="))
    if name not in ("sum", "avg"):
        return name in ("max", "min", "count") or (name == "range" and plan.dtype == natural)
    if name == "sum" and dtype.kind != "f" and plan.dtype == natural:
        return True
    return dtype.kind != "f" and 8 * dtype.itemsize + plan.samples.bit_length() <= 63  # a sum does not wrap


def _states(names, shape, corner, image, label_image, mask=None, **given):
    """What a chunk that begins at a corner gives: counts, then sums, or extrema and their places in the image."""
    states = [region_pool(image, label_image, "count", mask=mask, workers=1, **given)]
    for name in names:
        if name == "sum":
            states.append(region_pool(image, label_image, "sum", mask=mask, workers=1, **given))
            continue
        values, places = region_pool(image, label_image, name, return_indices=True, mask=mask, workers=1, **given)
        if image.size:
            inside = np.unravel_index(np.maximum(places, 0), image.shape)
            flat = np.ravel_multi_index(tuple(map(np.add, inside, corner)), shape)
            places = np.where(places < 0, -1, flat)
        states.append((values, places))
    return states


def _merged(names, states):
    """One state of several: extrema are those of the first places in the image."""
    counts, *others = zip(*states, strict=True)
    merged = [functools.reduce(np.add, counts)]
    for name, parts in zip(names, others, strict=True):
        merge = (
            np.add if name == "sum" else functools.partial(_first_extremum, np.greater if name == "max" else np.less)
        )
        merged.append(functools.reduce(merge, parts))
    return merged


def _first_extremum(beats, one, other):
    """The better of two extrema: NaN beats all, and of equal ones the first does."""
    (values, places), (others, other_places) = one, other
    nan, other_nan = values != values, others != others
    better = beats(others, values) & ~nan | (other_nan & ~nan)
    same = (others == values) | (nan & other_nan)
    taken = (other_places >= 0) & ((places < 0) | better | (same & (other_places < places)))
    return np.where(taken, others, values), np.where(taken, other_places, places)


def _finished(plan, indices, state):
    """Values, and places of an extremum if they are wanted, from a state."""
    counts, *others = state
    name, few = plan.reduction.name, counts < plan.min_count
    if name in ("max", "min"):
        [(values, places)] = others
        given = {"mask": ~few, "dtype": plan.dtype, "fill_value": plan.fill_value, "workers": 1}
        values = pool(values, 1, name, **given) if values.size else values.astype(plan.dtype)
        return (values, np.where(few, -1, places)) if indices else values
    values = [other[0] if isinstance(other, tuple) else other for other in others] or [counts]
    return _of_totals(_FINISHES[name], counts, *values, plan=plan)


class _RegionsOnGPU:
    """The regions of one call whose arrays are on a GPU: rows of labels, and where they are."""

    def __init__(self, label_image, labels, background):
        self.sorted = gpu_labels.LabelImage(label_image)
        found = self.sorted.labels
        is_region = np.ones(found.shape, np.bool_) if background is None else found != background
        if (negative := is_region & (found < 0)).any():
            _refuse_negative(found[negative][0])
        if labels is None:
            self.places = np.flatnonzero(is_region)
            self.rows = found[is_region].astype(label_image.dtype, copy=False)
            return
        self.rows = labels
        skipped = int(np.count_nonzero(found < 0))  # the background
        whole = found[skipped:].astype(np.uint64)
        places = np.searchsorted(whole, labels)
        occurs = np.isin(labels, whole)
        self.places = np.where(occurs, places + skipped, -1)


def _pool_on_gpu(plan, image, label_image, labels, background, masks, raises, return_indices, return_labels):
    """`region_pool` for checked arguments on a GPU; the results are there, too."""
    gpu_labels.checked_kernel(plan, return_indices)
    regions = _RegionsOnGPU(label_image, labels, background)
    spans = regions.sorted.spans(regions.places)
    possible = None if labels is None else labels[_possible(labels, label_image.dtype)]
    asked = {"indices": return_indices, "labels": possible, "raises": raises}
    pooled = gpu_labels.pool(plan, regions.sorted, spans, image, *masks, **asked)
    given = [array for array in pooled if array is not None]
    if plan.channel_axis is None:
        given = [array[:, 0] for array in given]
    if return_labels:
        given.append(gpu.arrays().asarray(regions.rows))
    return given[0] if len(given) == 1 else tuple(given)


def _channels_last(array, axis):
    """The array with its channels, or one channel, as the last axis."""
    return array[..., None] if axis is None else np.moveaxis(array, axis, -1)


def _flat(places, spatial, axis):
    """Indices into an image from those into its spatial axes, of which there is one column for each channel."""
    if axis is None:
        return places
    channels, inner = places.shape[1], math.prod(spatial[axis:])
    return (places // inner * channels + np.arange(channels)) * inner + places % inner


def _refuse_nan(regions, plan, image, mask):
    """Raise if some region counts a NaN."""
    if image.dtype.kind != "f" or not image.size or not np.isnan(image.min()):
        return
    counts = []
    for omit in (True, False):
        pooling = regions.pooling(plan.counting(omit), image, mask)
        outcome = backend.compute(pooling)
        counts.append(backend.results(regions.settle(pooling), outcome)[0])
    if (counts[0] != counts[1]).any():
        refuse_nan()


def region_unpool(values, label_image, *, labels=None, background=0, fill_value=0, workers=None):
    """Paint each labelled region with its row of values: the opposite of `region_pool`.

    Parameters
    ----------
    values : (labels[, channels]) array_like
        One value, or one for each channel, for each label. Boolean, integer or floating point of at most 64 bits.
    label_image : (..., rows, columns) array_like
        Boolean or integer. Labels are not negative, but for `background`.
    labels : sequence of int, optional
        The label of each row, all different. Default: all that occur in `label_image`, in ascending order, except
        `background`, as `region_pool` has them.
    background : int or None
        The label that has no row, unless `labels` has it. None: all have one.
    fill_value : number
        The value of pixels whose label has no row, representable in the type of `values`.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for small images.

    Returns
    -------
    painted : ndarray
        Of the shape of `label_image`, channels last, and of the type of `values`; on a GPU if these are, after a wait
        for the device, where labels are checked. If one of them is a dask array, so is this, in the chunks of
        `label_image`; labels in a dask array are checked when it is computed, and must be given as `labels`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a label image of floats.
    ValueError
        If there is not one row of values for each label; if an argument has a wrong value; if `label_image` has a
        negative label other than `background`.

    See Also
    --------
    region_pool : what gives such values.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import region_pool, region_unpool
    >>> label_image = np.array([[1, 1, 0], [7, 7, 7]])
    >>> region_unpool([5, 8], label_image)
    array([[5, 5, 0],
           [8, 8, 8]])
    >>> image = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    >>> region_unpool(region_pool(image, label_image), label_image, fill_value=-1)
    array([[ 1.5,  1.5, -1. ],
           [ 6. ,  6. ,  6. ]])
    """
    values = values.data if containers.is_labelled(values) else values
    on_gpu = gpu.is_array(values) or gpu.is_array(label_image)
    if on_gpu:
        values, label_image = gpu.together(values=values, label_image=label_image)
    elif containers.is_lazy(values):
        values = containers.checked_lazy(values, "values")
    else:
        values = np.asarray(values)
    label_image = _checked_label_image(label_image)
    dtype = checked_dtype(values.dtype, "values")
    workers = check_workers(workers)
    if values.ndim not in (1, 2):
        raise ValueError(f"`values` must be of shape (labels,) or (labels, channels), got {values.shape}")
    if not label_image.ndim:
        raise ValueError("`label_image` must have at least one axis, got a 0-d array")
    fill_value = representable(fill_value, dtype, "fill_value")
    labels, background = _checked_labels(labels), _checked_background(background)
    if on_gpu:
        return _paint_on_gpu(values, label_image, labels, background, fill_value)
    if containers.is_lazy(values) or containers.is_lazy(label_image):
        return _paint_lazily(values, label_image, _rows_known(labels, label_image, background), background, fill_value)
    regions = _Regions(label_image, labels, background, workers)
    pooling = regions.pooling(_counting(label_image), label_image[..., None])
    if labels is None:
        backend.compute(pooling)
    else:
        _check_rows(values, labels)
        if label_image.dtype.kind == "i":
            regions.refuse_negative()
    regions.settle(pooling)
    _check_rows(values, regions.rows)
    rows = values.astype(dtype, copy=False)
    painted = backend.paint(pooling, rows[:, None] if values.ndim == 1 else rows, regions.known, fill_value)
    return painted[..., 0] if values.ndim == 1 else painted


def _paint_lazily(values, label_image, labels, background, fill_value):
    """`region_unpool` for checked arguments of which at least one is a dask array; each chunk gets all rows."""
    import dask.array as da
    from dask.base import tokenize

    _check_rows(values, labels)
    label_image = da.asarray(label_image)
    values = da.asarray(values).rechunk(-1)
    given = {"labels": labels, "background": background, "fill_value": fill_value, "workers": 1}
    paint = functools.partial(region_unpool, **given)
    name = f"skpool-region_unpool-{tokenize(values.name, label_image.name, given)}"
    rows, channels = (values.name, *(0,) * values.ndim), (0,) * (values.ndim - 1)
    graph = {
        (name, *place, *channels): (paint, rows, (label_image.name, *place))
        for place in np.ndindex(label_image.numblocks)
    }
    chunks = label_image.chunks + values.chunks[1:]
    meta = np.empty((0,) * len(chunks), values.dtype.newbyteorder("="))
    return chunked.arrays(name, graph, [values, label_image], chunks, [meta])


def _paint_on_gpu(values, label_image, labels, background, fill_value):
    """`region_unpool` for checked arguments on a GPU; the result is there, too."""
    if labels is None:
        labels = _RegionsOnGPU(label_image, None, background).rows
    _check_rows(values, labels)
    rows = np.argsort(labels)
    rows = rows[_possible(labels[rows], label_image.dtype)]
    channels = values[:, None] if values.ndim == 1 else values
    painted, lowest = gpu_labels.paint(labels[rows], rows, label_image, channels, fill_value, background)
    if lowest := lowest.get().item():
        _refuse_negative(lowest)
    return painted[..., 0] if values.ndim == 1 else painted


def _counting(label_image):
    """The plan that counts pixels."""
    return make_plan(label_image.shape, label_image.dtype, "count", Sliding(1))


def _check_rows(values, labels):
    if values.shape[0] != len(labels):
        raise ValueError(f"`values` must have one row for each of {len(labels)} labels, got {values.shape[0]}")


region_pool.__doc__ = region_pool.__doc__.format(reductions=", ".join(f"``{name!r}``" for name in REDUCTIONS))
