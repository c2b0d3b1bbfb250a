"""Windows by their number rather than their size: adaptive and global pooling, and pyramids of bins."""

from __future__ import annotations

import functools
import itertools
import math
import numbers
from typing import NamedTuple

import numpy as np

from . import containers, documents, merging, windows
from .averages import averaged, checked_lazy_weights, checked_weights, counted_pixels, device_weights
from .backends import chunked, cpu, gpu, gpu_area, gpu_weights
from .plan import checked_channel_axis, make_plan
from .pooling import Rules, checked_lazy_mask, pooled_by, pooled_on_gpu, with_labels
from .reductions import REDUCTIONS, reduction_named
from .threads import check_workers
from .windows import Bins, Sliding, Tables


def adaptive_pool(
    image,
    output_shape,
    reduction="avg",
    *,
    bins="overlap",
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    channel_axis=None,
    dtype=None,
    out=None,
    workers=None,
    **reduction_parameters,
):
    area = isinstance(bins, str) and bins == "area"
    return (_area_average if area else pooled_by)(
        Bins,
        (output_shape,) if area else (output_shape, bins),
        image,
        reduction,
        reduction_parameters,
        mask=mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=dtype,
        out=out,
        workers=workers,
    )


def global_pool(
    image,
    reduction="avg",
    *,
    weights=None,
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
    windows.flag(keepdims, "keepdims")
    axis = checked_channel_axis(channel_axis, np.ndim(image))
    pooled_axes = tuple(i for i in range(np.ndim(image)) if i != axis)
    place = pooled_by
    if weights is not None:
        place = functools.partial(_weighted_average, weights)
    elif isinstance(reduction, str) and reduction == "top_k_avg":
        place = _top_k_average
    elif type(image) is not np.ndarray:
        place = merging.pooled_whole
    pooled = place(
        Bins,
        (1,),
        image,
        reduction,
        reduction_parameters,
        mask=mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=dtype,
        out=out if keepdims else _expanded(out, pooled_axes),
        workers=workers,
    )
    if keepdims:
        return pooled
    if out is not None:
        return out
    if isinstance(pooled, tuple):
        return tuple(containers.squeezed(array, pooled_axes)[()] for array in pooled)
    return containers.squeezed(pooled, pooled_axes)[()]


def _expanded(out, axes):
    """`out` with the pooled axes, where it can have them; what cannot is refused later, by name."""
    if isinstance(out, tuple | list):
        return tuple(_expanded(array, axes) for array in out)
    if not (type(out) is np.ndarray or gpu.is_array(out)) or out.ndim + len(axes) > 64:
        return out
    ndim = out.ndim + len(axes)
    return out[tuple(None if axis in axes else slice(None) for axis in range(ndim))]


# --- averages that are not plain


def _only_plain_averages(reduction, parameters, what):
    if reduction_named(reduction).name != "avg" or parameters:
        given = f"{reduction!r}" + (f" with {', '.join(parameters)}" if parameters else "")
        raise ValueError(f"{what} goes with plain averages only, got reduction {given}")


def _area_average(kind, layout, image, reduction, parameters, **given):
    """Each sample counts as far as it lies in the bin."""
    rules = Rules(**given)
    _only_plain_averages(reduction, parameters, "`bins` 'area'")
    if containers.is_labelled(image):
        return with_labels(_area_average, kind, layout, image, reduction, parameters, **given)
    if containers.is_lazy(image):
        containers.refuse_out(rules.out)
        image = containers.checked_lazy(image)
        plan = make_plan(image.shape, image.dtype, reduction, kind(*layout), **rules.of_plan)
        if rules.workers is not None:
            check_workers(rules.workers)
        mask = None if rules.mask is None else checked_lazy_mask(rules.mask, image, plan.channel_axis)
        compute = functools.partial(_area_chunk, image.shape, plan.shape, rules.nan_policy)
        return chunked.run(compute, plan, image, mask, token=("area", rules.nan_policy))
    axis = checked_channel_axis(rules.channel_axis, np.ndim(image))
    lengths = {i: length for i, length in enumerate(np.shape(image)) if i != axis}
    outputs = windows.bin_counts(layout[0], list(lengths.values()))
    overlaps = {i: _Overlap(lengths[i], count) for i, count in zip(lengths, outputs, strict=True)}
    if gpu.is_array(image):
        shares = {i: overlap.shares() for i, overlap in overlaps.items() if not overlap.is_whole}
        run = functools.partial(gpu_area.run, shares)
        return pooled_on_gpu(kind, layout, image, "avg", {}, run=run, **rules._asdict())
    array, mask = counted_pixels(image, rules.mask, rules.nan_policy, rules.channel_axis)
    counts = pooled_by(kind, layout, array, "count", mask=mask, channel_axis=axis, workers=rules.workers)
    return averaged(*_area_totals(array, mask, overlaps, rules.workers), counts, image, *rules.of_average)


def _area_chunk(shape, outputs, nan_policy, part, image, mask=None):
    """What a task of dask computes: some bins of an image of that shape."""
    plan = part.plan
    array, mask = counted_pixels(image, mask, nan_policy, plan.channel_axis)
    counts = cpu.run(plan.counting(False), array, mask=mask, workers=1)
    overlaps = {
        axis: _Overlap(shape[axis], outputs[axis], run.first, run.axis.outputs, run.intervals[0][0])
        for axis, run in enumerate(part.runs)
        if axis != plan.channel_axis
    }
    totals = _area_totals(array, mask, overlaps, 1)
    return averaged(*totals, counts, image, plan.min_count, plan.fill_value, plan.dtype, None, 1)


class _Overlap(NamedTuple):
    """Bins of exact areas along one axis: which samples each overlaps, and how far.

    Attributes
    ----------
    length, outputs : int
        Samples and bins of the whole axis.
    start, count : int
        Some of the bins: the first, and how many. None: all.
    origin : int
        The sample of the axis that is the first at hand.
    """

    length: int
    outputs: int
    start: int = 0
    count: int | None = None
    origin: int = 0

    @property
    def is_whole(self):
        """Whether every bin is a sample."""
        return self.length == self.outputs

    def shares(self):
        """The first and the last sample of each bin, counted from the origin, and ``outputs * overlap`` with both."""
        count = self.outputs if self.count is None else self.count
        low = np.arange(self.start, self.start + count, dtype=np.int64) * self.length
        high = low + self.length
        first, last = low // self.outputs, (high - 1) // self.outputs
        of_first = np.minimum((first + 1) * self.outputs, high) - low
        of_last = np.where(last > first, high - last * self.outputs, 0)
        return first - self.origin, last - self.origin, of_first, of_last


def _area_totals(array, mask, overlaps, workers):
    """Sums of samples times integers, and of these integers: one number if all samples count, else one for each bin."""
    if not array.size:
        shape = [overlaps[i].outputs if i in overlaps else n for i, n in enumerate(array.shape)]
        return (np.zeros(shape),) * 2
    totals = _area_sums(array, mask, overlaps, workers)
    if mask is not None:
        return totals, _area_sums(mask, None, overlaps, workers)
    return totals, float(math.prod(overlap.length for overlap in overlaps.values() if not overlap.is_whole))


def _area_sums(array, mask, overlaps, workers):
    """Sums of samples times ``outputs * overlap``, an integer along each axis: those of a bin add up to its length."""
    for axis, overlap in overlaps.items():
        if overlap.is_whole:
            continue
        first, last, of_first, of_last = overlap.shares()
        inner = windows.between(array.shape[axis], first + 1, np.maximum(last, first + 1))
        tables = tuple(inner if i == axis else windows.whole(n) for i, n in enumerate(array.shape))
        sums = pooled_by(Tables, (tables,), array, "sum", mask=mask, dtype=np.float64, fill_value=0, workers=workers)
        sums *= overlap.outputs
        for place, share in ((first, of_first), (last, of_last)):
            shares = np.expand_dims(share, [i for i in range(array.ndim) if i != axis])
            counted = shares > 0
            if mask is not None:
                counted = counted & mask.take(place, axis)
            with np.errstate(invalid="ignore"):
                np.add(sums, array.take(place, axis) * shares.astype(np.float64), out=sums, where=counted)
        array, mask = sums, None
    if mask is not None:  # no axis was pooled
        array = np.where(mask, array, 0)
    return array.astype(np.float64, copy=False)


def _weighted_average(weights, kind, layout, image, reduction, parameters, **given):
    """Sum of w x / sum of w over the whole image: sums of blocks, and the sum of these."""
    rules = Rules(**given)
    _only_plain_averages(reduction, parameters, "`weights`")
    check_workers(rules.workers)
    if containers.is_labelled(image):
        place = functools.partial(_weighted_average, containers.aligned(weights, image))
        return with_labels(place, kind, layout, image, reduction, parameters, **given)
    if containers.is_lazy(image):
        return _weighted_average_lazily(containers.checked_lazy(image), weights, rules)
    axis = checked_channel_axis(rules.channel_axis, np.ndim(image))
    spatial = tuple(i for i in range(np.ndim(image)) if i != axis)
    slices = _slices_of_block(np.shape(image), spatial)
    if gpu.is_array(image):
        weights = device_weights(weights, image, axis, "weights")
        run = functools.partial(gpu_weights.whole, weights, "weights", slices)
        return pooled_on_gpu(kind, layout, image, "avg", {}, run=run, **rules._asdict())
    state = _weighted_sums(spatial, slices, rules.nan_policy, axis, rules.workers, image, weights, rules.mask)
    return _average_of_sums(rules._replace(channel_axis=axis), spatial[0], image, state)


#: Pixels of a block of the weighted average, which is all that the CPU holds in float64 at once.
_BLOCK = 2**16


def _slices_of_block(shape, spatial):
    """Slices along the first spatial axis that are a block; blocks are counted from the image's first."""
    return max(_BLOCK * shape[spatial[0]] // max(math.prod(shape), 1), 1)


def _weighted_sums(spatial, slices, nan_policy, channel_axis, workers, image, weights, mask=None):
    """For each block, the sum of weighted samples and that of weights; and how many samples count."""
    array, mask = counted_pixels(image, mask, nan_policy, channel_axis)
    weights = checked_weights(weights, array, channel_axis, "weights")
    counted = weights > 0 if mask is None else mask & (weights > 0)
    if not array.size:
        return [], np.zeros([length if i == channel_axis else 1 for i, length in enumerate(array.shape)])
    common = {"channel_axis": channel_axis, "workers": workers}
    sums = _sums_of_blocks(array, weights, counted, spatial[0], slices, fill_value=0, **common)
    return sums, pooled_by(Bins, (1,), array, "count", mask=counted, **common)


def _sums_of_blocks(array, weights, counted, along, slices, **common):
    """Pairs of sums, of products and of weights, over blocks: runs of whole slices along an axis."""
    sums = []
    for begin in range(0, array.shape[along], slices):
        run = (slice(None),) * along + (slice(begin, begin + slices),)
        with np.errstate(invalid="ignore", over="ignore"):
            products = array[run].astype(np.float64) * weights[run]
        numbers = products, weights[run]
        sums.append([pooled_by(Bins, (1,), each, "sum", mask=counted[run], **common) for each in numbers])
    return sums


def _average_of_sums(rules, along, image, state):
    """The result for an image, of which only the type is looked at; blocks lie along an axis."""
    sums, counts = state
    totals = shares = counts * 0.0
    if sums:
        common = {"channel_axis": rules.channel_axis, "workers": rules.workers}
        parts = (np.concatenate(each, axis=along) for each in zip(*sums, strict=True))
        totals, shares = (pooled_by(Bins, (1,), each, "sum", **common) for each in parts)
    return averaged(totals, shares, counts, image, *rules.of_average)


def _weighted_average_lazily(image, weights, rules):
    """`_weighted_average` for a dask array: a task has whole slices, as many blocks as a chunk has or one."""
    import dask.array as da
    from dask.base import tokenize

    containers.refuse_out(rules.out)
    containers.refuse_masked_chunks(image)
    plan = make_plan(image.shape, image.dtype, "avg", Bins(1), **rules.of_plan)
    axis = plan.channel_axis
    spatial = tuple(i for i in range(image.ndim) if i != axis)
    weights = checked_lazy_weights(weights, image, axis, "weights")
    arrays = {"image": image, "weights": da.asarray(weights)}
    if rules.mask is not None:
        arrays["mask"] = da.asarray(checked_lazy_mask(rules.mask, image, axis))
    slices, length = _slices_of_block(image.shape, spatial), image.shape[spatial[0]]
    run = slices * max(max(image.chunks[spatial[0]]) // slices, 1)
    compute = functools.partial(_weighted_part, spatial, slices, rules.nan_policy, axis)
    tasks = []
    for begin in range(0, max(length, 1), run):
        intervals = [(0, n) for n in image.shape]
        intervals[spatial[0]] = begin, min(begin + run, length)
        of_spatial = [intervals[i] for i in spatial]
        read = [chunked.box(what, a, intervals if a.ndim == image.ndim else of_spatial) for what, a in arrays.items()]
        tasks.append((compute, read))
    token = tokenize([array.name for array in arrays.values()], chunked.described(plan), rules.nan_policy)
    rules = rules._replace(mask=None, workers=1, channel_axis=axis)
    finish = functools.partial(_average_of_sums, rules, spatial[0], np.empty(0, image.dtype))
    chunks, metas = tuple((n,) for n in plan.shape), [np.empty((0,) * image.ndim, plan.dtype)]
    name = f"skpool-weighted_avg-{token}"
    return chunked.folded(name, tasks, _merged_sums, finish, list(arrays.values()), chunks, metas)


def _weighted_part(spatial, slices, nan_policy, channel_axis, reads):
    """What a task gives: `_weighted_sums` of its slices."""
    arrays = (cut.together(blocks) for cut, blocks in reads)
    return _weighted_sums(spatial, slices, nan_policy, channel_axis, 1, *arrays)


def _merged_sums(states):
    sums, counts = zip(*states, strict=True)
    return list(itertools.chain(*sums)), sum(counts)


def _top_k_average(kind, layout, image, reduction, parameters, **given):
    """Mean of the k largest samples that count, or of all if they are fewer."""
    rules = Rules(**given)
    if gpu.is_array(image):
        gpu.refuse("global_pool(image.get(), 'top_k_avg', ...)")
    if parameters.keys() != {"k"}:
        given = ", ".join(f"`{name}`" for name in parameters if name != "k") or "no `k`"
        raise TypeError(f"reduction 'top_k_avg' takes `k`, and nothing else, got {given}")
    k = windows.integer(parameters["k"], "k", 1)
    check_workers(rules.workers)
    if containers.is_labelled(image):
        return with_labels(_top_k_average, kind, layout, image, reduction, parameters, **given)
    axis = checked_channel_axis(rules.channel_axis, np.ndim(image))
    shape = tuple(length if i == axis else 1 for i, length in enumerate(np.shape(image)))
    if containers.is_lazy(image):
        return _top_k_lazily(k, shape, image, rules)
    state = _top_samples(k, axis, rules.nan_policy, image, rules.mask)
    return _averaged_top(k, shape, rules, image, state)


def _top_samples(k, axis, nan_policy, image, mask=None):
    """For each channel, how many samples count, and the k largest of them."""
    array, mask = counted_pixels(image, mask, nan_policy, axis)
    counts, tops = [], []
    for channel in range(1 if axis is None else array.shape[axis]):
        pixels = array if axis is None else array.take(channel, axis)
        samples = pixels.ravel()
        if mask is not None:
            samples = pixels[mask if axis is None else mask.take(channel, axis)]
        counts.append(samples.size)
        tops.append(_largest(k, samples))
    return counts, tops


def _largest(k, samples):
    return samples if samples.size <= k else np.partition(samples, samples.size - k)[samples.size - k :]


def _merged_top(k, states):
    """What `_top_samples` gives for several parts of an image together."""
    counts, tops = zip(*states, strict=True)
    return list(map(sum, zip(*counts, strict=True))), [
        _largest(k, np.concatenate(parts)) for parts in zip(*tops, strict=True)
    ]


def _averaged_top(k, shape, rules, image, state):
    """The result for an image, of which only the type is looked at."""
    counts = np.array(state[0], np.int64).reshape(shape)
    # Which of two zeros is larger nobody knows: their sum is positive.
    totals = np.array([np.sum(np.sort(top), dtype=np.float64) + 0.0 for top in state[1]]).reshape(shape)
    return averaged(totals, np.minimum(counts, k).astype(np.float64), counts, image, *rules.of_average)


def _top_k_lazily(k, shape, image, rules):
    """`_top_k_average` for a dask array: the largest samples of each chunk, merged."""
    import dask.array as da
    from dask.base import tokenize

    containers.refuse_out(rules.out)
    image = containers.checked_lazy(image)
    containers.refuse_masked_chunks(image)
    plan = make_plan(image.shape, image.dtype, "avg", Bins(1), **rules.of_plan)
    axis = plan.channel_axis
    arrays = [image if axis is None else image.rechunk({axis: -1})]
    spatial = [number for number in range(image.ndim) if number != axis]
    if rules.mask is not None:
        mask = da.asarray(checked_lazy_mask(rules.mask, image, axis))
        along = range(image.ndim) if mask.ndim == image.ndim else spatial
        arrays.append(mask.rechunk(tuple(arrays[0].chunks[number] for number in along)))
    compute = functools.partial(_top_samples, k, axis, rules.nan_policy)
    tasks = []
    for place in np.ndindex(arrays[0].numblocks):
        own = [place if array.ndim == image.ndim else tuple(place[number] for number in spatial) for array in arrays]
        tasks.append((compute, *((array.name, *block) for array, block in zip(arrays, own, strict=True))))
    rules = rules._replace(mask=None, workers=1)
    name = (
        f"skpool-top_k_avg-{tokenize([array.name for array in arrays], k, chunked.described(plan), rules.nan_policy)}"
    )
    finish = functools.partial(_averaged_top, k, shape, rules, np.empty(0, image.dtype))
    chunks, metas = tuple((length,) for length in shape), [np.empty((0,) * image.ndim, plan.dtype)]
    return chunked.folded(name, tasks, functools.partial(_merged_top, k), finish, arrays, chunks, metas)


# --- spatial pyramids

#: Windows of a level, by the name of the rule: ``(lengths, bins along each axis) -> (kind, layout)``.
PYRAMID_RULES = {
    "adaptive": lambda lengths, bins: (Bins, (bins,)),
    # Windows of ceil(a / n) at a stride of floor(a / n), as the paper has them: not always n of them.
    "he2014": lambda lengths, bins: (
        Sliding,
        Sliding(
            tuple(-(-length // count) for length, count in zip(lengths, bins, strict=True)),
            tuple(length // count for length, count in zip(lengths, bins, strict=True)),
            ceil_mode=False,
        ),
    ),
}


def spatial_pyramid_pool(
    image,
    levels=(1, 2, 4),
    reduction="max",
    *,
    weights=None,
    rule="adaptive",
    channel_axis=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    dtype=None,
    workers=None,
    **reduction_parameters,
):
    """Pool an image over grids of bins, coarse to fine, into one vector.

    Parameters
    ----------
    image : (..., rows, columns) array_like
        As `pool` takes it.
    levels : sequence of int or of (int, ...)
        Bins along each spatial axis, level by level: one number for all axes, or one for each.
    reduction : str
        Name of the reduction, as `pool` takes it.
    weights : sequence of float or "matching", optional
        What the values of each level are multiplied by; the result is then floating point. ``"matching"`` stands for
        those of spatial pyramid matching [2]_: ``1 / 2**L`` for the first of the levels 0 to L, ``1 / 2**(L - l + 1)``
        for level l.
    rule : {"adaptive", "he2014"}
        Bins as `adaptive_pool` has them, always as many as asked for; or windows of ``ceil(length / n)`` samples at a
        stride of ``floor(length / n)``, as the paper [1]_ has them, which are sometimes more than n.
    channel_axis : int, optional
        The axis that is not pooled. Default: every axis is spatial.
    mask, nan_policy, min_count, fill_value, dtype, workers, **reduction_parameters
        As `pool` takes them.

    Returns
    -------
    features : (n,) ndarray
        Level by level, the cells of each in row-major order, the channels of a cell together.

    Raises
    ------
    TypeError, ValueError
        As `adaptive_pool` does; also where a level of rule ``"he2014"`` has more bins than the image has samples.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Spatial pyramid pooling in deep convolutional networks for visual
       recognition", ECCV 2014.
    .. [2] S. Lazebnik, C. Schmid and J. Ponce, "Beyond bags of features: spatial pyramid matching for recognizing
       natural scene categories", CVPR 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import spatial_pyramid_pool
    >>> spatial_pyramid_pool(np.arange(16).reshape(4, 4), levels=(1, 2))
    array([15,  5,  7, 13, 15])
    """
    if containers.is_labelled(image):
        image, mask = image.data, containers.aligned(mask, image)
    cells = pyramid_cells(
        image,
        levels,
        reduction,
        reduction_parameters,
        weights=weights,
        rule=rule,
        channel_axis=channel_axis,
        mask=mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        dtype=dtype,
        workers=workers,
    )
    join = np.ma.concatenate if isinstance(cells[0], np.ma.MaskedArray) else np.concatenate
    return join([values.ravel() for values in cells])


def pyramid_cells(image, levels, reduction, reduction_parameters, *, weights, rule, channel_axis, **keywords):
    """The levels of `spatial_pyramid_pool`, each an array with the channels last."""
    windows.one_of(rule, PYRAMID_RULES, "rule")
    if isinstance(levels, str) or not np.iterable(levels):
        raise TypeError(f"`levels` must be a sequence of integers, or of one for each spatial axis, got {levels!r}")
    levels = list(levels)
    if not levels:
        raise ValueError("`levels` must have at least one level, got none")
    factors = _level_weights(weights, len(levels))
    shape = np.shape(image)
    axis = checked_channel_axis(channel_axis, len(shape))
    lengths = [length for i, length in enumerate(shape) if i != axis]
    cells = []
    for level in levels:
        bins = windows.per_axis(level, len(lengths), "levels")
        if rule == "he2014" and any(count > length for length, count in zip(lengths, bins, strict=True)):
            raise ValueError(f"`levels` must have at most as many bins as the axes {lengths} samples, got {level!r}")
        place = PYRAMID_RULES[rule](lengths, bins)
        parameters = dict(reduction_parameters)
        pooled = pooled_by(*place, image, reduction, parameters, channel_axis=channel_axis, **keywords)
        if isinstance(pooled, tuple):
            raise TypeError("`return_indices` is not a parameter of `spatial_pyramid_pool`")
        cells.append(pooled if axis is None else np.moveaxis(pooled, axis, -1))
    if factors is not None:
        cells = [values * factor for values, factor in zip(cells, factors, strict=True)]
    return cells


def _level_weights(weights, count):
    """What each of `count` levels is multiplied by, or None."""
    if weights is None:
        return None
    if isinstance(weights, str):
        windows.one_of(weights, ("matching",), "weights")
        return [0.5 ** (count - max(level, 1)) for level in range(count)]
    values = list(weights) if np.iterable(weights) else [weights]
    if not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in values):
        raise TypeError(f"`weights` must be finite real numbers, one for each level, got {weights!r}")
    if len(values) != count:
        raise ValueError(f"`weights` must have one number for each of the {count} levels, got {len(values)}")
    return [float(value) for value in values]


# --- one function for each row of the registry


def _adaptive(row):
    def function(image, output_shape, **keywords):
        return adaptive_pool(image, output_shape, row.name, **keywords)

    example = documents.example_of(row, f"adaptive_{row.name}_pool", "1")
    summary = f"{row.summary.removesuffix('.')}, as many windows as asked for."
    return documents.named(function, adaptive_pool, row, "adaptive_", summary, "One value for each bin", example)


def _global(row):
    def function(image, **keywords):
        return global_pool(image, row.name, **keywords)

    example = documents.example_of(row, f"global_{row.name}_pool", "keepdims=True")
    summary = f"{row.summary.replace('each window', 'the whole image')}"
    return documents.named(function, global_pool, row, "global_", summary, "One value for each channel", example)


documents.general(
    adaptive_pool,
    "Reduce an image to so many values along each axis.",
    "pooled : ndarray\n    One value for each bin; with ``return_indices`` a pair, as `max_pool` gives.",
    """\
>>> import numpy as np
>>> from skpool import adaptive_pool
>>> image = np.arange(35.0).reshape(7, 5)
>>> adaptive_pool(image, 3)
array([[ 5.5,  7. ,  8.5],
       [15.5, 17. , 18.5],
       [25.5, 27. , 28.5]])
>>> adaptive_pool(image, (None, 1), "max").ravel()
array([ 4.,  9., 14., 19., 24., 29., 34.])
>>> adaptive_pool([[0.0, 10.0, 20.0]], (1, 2), bins="area")
array([[ 3.33333333, 16.66666667]])""",
)

documents.general(
    global_pool,
    "Reduce the whole image to one value, or to one for each channel.",
    "pooled : number or ndarray\n"
    "    Of shape ``()`` or ``(channels,)``, or with `keepdims` that of the image with lengths of 1; with\n"
    "    ``return_indices`` a pair, as `max_pool` gives. Reduction ``'top_k_avg'`` is the mean of the `k` largest\n"
    "    samples.",
    """\
>>> import numpy as np
>>> from skpool import global_pool
>>> image = np.arange(12.0).reshape(2, 2, 3)
>>> global_pool(image, channel_axis=-1)
array([4.5, 5.5, 6.5])
>>> float(global_pool(image, "top_k_avg", k=3))
10.0""",
)

#: Named functions of each reduction.
FUNCTIONS = {f"adaptive_{name}_pool": _adaptive(row) for name, row in REDUCTIONS.items()}
FUNCTIONS |= {f"global_{name}_pool": _global(row) for name, row in REDUCTIONS.items()}
globals().update(FUNCTIONS)

__all__ = ["adaptive_pool", "global_pool", "spatial_pyramid_pool", *FUNCTIONS]
