"""Pyramids: levels of an image, each of them the image pooled by larger windows than the one before.

Design: level k is what `pool` gives for the image and the product of k factors, rounded once. Only the first few
levels, which are most of the work, read the image. The others are pooled from *states* that are carried from level to
level in a type that loses nothing: the sum and the count of an average, both ends of a range. A table says what is
carried for which reduction; a reduction that is not in it (a median of medians is no median) is pooled from the image
for every level. Sums of integers are carried as long as float64 holds them; beyond that the image is pooled too.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import containers, windows
from .backends import gpu
from .plan import Plan, axes_of, checked_channel_axis, make_plan
from .pooling import checked_lazy_mask, checked_mask, pool, unwrapped
from .reductions import REDUCTIONS, as_count, as_image, as_range, as_sum, difference, limits_of, reduction_named
from .survivors import Keeper
from .threads import check_workers

__all__ = ["pool_pyramid", "pyramid_transforms"]

#: Sums of integers up to here are carried: float64 holds them, and divides them without rounding twice.
_LARGEST_SUM = 2**52

#: Levels are pooled from the image, or from each other in the image's type, up to this depth of additions. Float32
#: results have then an error of at most 4 * 2**-23 of the mean magnitude, as those of `avg_pool`.
_DEEPEST_NEAR = 7


# --- what is carried


@dataclass(frozen=True)
class _State:
    """What one window counts, in a form that can be pooled again.

    Attributes
    ----------
    of_image, of_states : str
        The reductions that make it: from the image, and from the states of the level before.
    dtype : callable
        Type of the image -> type of the state.
    neutral : callable
        Type of the state -> the state of a window that counts nothing.
    """

    of_image: str
    of_states: str
    dtype: Callable
    neutral: Callable


@dataclass(frozen=True)
class _Carried:
    """How the levels of one reduction follow from states.

    Attributes
    ----------
    states : tuple of _State
    finish : callable or None
        ``(task, counts, *states) -> level``, in any type; None where the state is the level.
    divides : bool
        Whether `finish` looks at the counts.
    """

    states: tuple[_State, ...]
    finish: Callable | None = None
    divides: bool = False


def _wide(dtype):
    return np.dtype(np.float64)


def _sum_dtype(dtype):
    return _wide(dtype) if dtype.kind == "f" else as_sum(dtype)


def _zero(dtype):
    return -0.0 if dtype.kind == "f" else 0


def _average(task, counts, total):
    divisor = task.plan.parameters["divisor"]
    divisor = counts if divisor is None else divisor
    if np.ndim(divisor):
        return _by_element(np.true_divide, np.dtype(np.float64), total, divisor)
    return pool(total, 1, "avg", divisor=divisor, dtype=task.plan.dtype, workers=task.workers)


def _range(task, counts, high, low):
    return _by_element(difference, as_range(high.dtype), high, low)


def _by_element(function, dtype, *arrays):
    """What a function makes of arrays, without a word of infinities or NaN; lazy if one of them is."""
    if any(map(containers.is_lazy, arrays)):
        import dask.array as da

        return da.core.elemwise(functools.partial(_by_element, function, dtype), *arrays, dtype=dtype)
    with np.errstate(all="ignore"):
        return function(*arrays)


_HIGH = _State("max", "max", as_image, lambda dtype: limits_of(dtype)[0])
_LOW = _State("min", "min", as_image, lambda dtype: limits_of(dtype)[1])
_SUM = _State("sum", "sum", _sum_dtype, _zero)
_COUNT = _State("count", "sum", as_count, _zero)

#: Reductions whose levels follow exactly (floats: but for rounding) from states.
_CARRIED = {
    "max": _Carried((_HIGH,)),
    "min": _Carried((_LOW,)),
    "range": _Carried((_HIGH, _LOW), _range),
    "sum": _Carried((_SUM,)),
    "count": _Carried((_COUNT,)),
    "lp": _Carried((_State("lp", "lp", _wide, _zero),)),
    "avg": _Carried((_SUM,), _average, divides=True),
}


# --- levels and their windows


def _spatial(ndim, channel_axis):
    return [axis for axis in range(ndim) if axis != channel_axis]


def _products(shape, max_layer, downscale, min_size, channel_axis):
    """The factors of one level to the next, and for every level, the image first, their product; by spatial axis."""
    max_layer = windows.integer(max_layer, "max_layer", -1)
    min_size = windows.integer(min_size, "min_size", 1)
    lengths = [shape[axis] for axis in _spatial(len(shape), channel_axis)]
    factors = windows.per_axis(downscale, len(lengths), "downscale")
    products = [(1,) * len(lengths)]
    while len(products) - 1 != max_layer:
        smaller = [-(-length // factor) for length, factor in zip(lengths, factors, strict=True)]
        shrunk = [size for size, length in zip(smaller, lengths, strict=True) if size < length]
        if not shrunk or min(shrunk) < min_size:
            break
        products.append(tuple(product * factor for product, factor in zip(products[-1], factors, strict=True)))
        lengths = smaller
    return factors, products


def _depth(factors):
    """Additions and inexact divisions on the way of a sample into the mean of the next level."""
    return sum((factor - 1).bit_length() for factor in factors) + any(factor & (factor - 1) for factor in factors)


@dataclass(frozen=True, eq=False)
class _Task:
    """A pyramid to compute.

    Attributes
    ----------
    image, mask : ndarray, ndarray of bool or None
        Of the same shape; or dask arrays.
    plan : Plan
        Of the first level; all levels have its reduction, parameters and types.
    factors : tuple of int
        From one level to the next, for each spatial axis.
    products : list of tuple of int
        Their products for every level, the image first.
    nan_policy : str
    workers : int or None
    """

    image: np.ndarray
    mask: np.ndarray | None
    plan: Plan
    factors: tuple[int, ...]
    products: list[tuple[int, ...]]
    nan_policy: str
    workers: int | None

    @functools.cached_property
    def spatial(self):
        """The axes that are pooled."""
        return _spatial(self.image.ndim, self.plan.channel_axis)

    @functools.cached_property
    def carried(self):
        """The row of `_CARRIED`, or None."""
        return _CARRIED.get(self.plan.reduction.name)

    @property
    def levels(self):
        """Number of levels that are pooled."""
        return len(self.products) - 1

    @property
    def is_counting(self):
        """Whether the counts of windows depend on the image, or may be too low."""
        return self.mask is not None or self.plan.omit_nan or self.plan.min_count > 1

    @functools.cached_property
    def is_own_state(self):
        """Whether levels are the states themselves."""
        dtype = self.plan.image_dtype.newbyteorder("=")
        return (
            not self.is_counting and not self.carried.finish and self.carried.states[0].dtype(dtype) == self.plan.dtype
        )

    @functools.cached_property
    def near(self):
        """The level whose states are carried: the last one that is not deep."""
        if self.is_own_state:
            return 1
        return min(max(_DEEPEST_NEAR // max(_depth(self.factors), 1), 1), self.levels)

    def window(self, level):
        """The window of a level, not larger than the image unless its centre matters."""
        lengths = (max(self.image.shape[axis], 1) for axis in self.spatial)
        if self.plan.nearest_first:
            lengths = [windows.LARGEST] * len(self.spatial)
        return tuple(min(product, length) for product, length in zip(self.products[level], lengths, strict=True))

    def axes(self, level):
        """The windows of a level along each spatial axis."""
        sizes = zip(self.spatial, self.window(level), strict=True)
        return [windows.sliding(self.image.shape[axis], size, size) for axis, size in sizes]

    def counted(self, level):
        """Which windows of a level count enough samples; None: all."""
        return self.pooled(level, "count") >= self.plan.min_count if self.is_counting else None

    def pooled(self, level, name=None, **keywords):
        """A level from the image, by the task's own reduction or by another with its own `keywords`."""
        plan = self.plan
        if name is None:
            keywords = {
                "dtype": plan.dtype,
                "min_count": plan.min_count,
                "fill_value": plan.fill_value,
                **plan.parameters,
                **keywords,
            }
        return pool(
            self.image,
            self.window(level),
            name or plan.reduction.name,
            mask=self.mask,
            nan_policy="propagate" if self.nan_policy == "raise" and self.has_found_nan(level) else self.nan_policy,
            channel_axis=plan.channel_axis,
            workers=self.workers,
            **keywords,
        )

    def has_found_nan(self, level):
        """Whether a NaN that counts has been found at the first level, which looks at every sample."""
        return level > 1 and not containers.is_lazy(self.image)  # each level of dask may be all that is computed

    def pooled_again(self, array, name, **keywords):
        """The next level of an array of the level before."""
        return pool(array, self.factors, name, channel_axis=self.plan.channel_axis, workers=self.workers, **keywords)

    def counts_of_full_image(self, level):
        """Samples in each window of a level if all count: one number if none is partial, else one for each."""
        axes = self.axes(level)
        if not any(axis.length % axis.window for axis in axes):
            return math.prod(self.window(level))
        counts = [np.ones(length, np.int64) for length in self.image.shape]
        for place, axis in zip(self.spatial, axes, strict=True):
            counts[place] = axis.counts
        return functools.reduce(np.multiply, np.ix_(*counts))

    def is_exact(self, level):
        """Whether states of the level lose nothing."""
        if not self.carried.divides or self.plan.image_dtype.kind == "f":
            return True
        bits = 8 * self.plan.image_dtype.itemsize
        return math.prod(self.window(level)) << bits <= _LARGEST_SUM


class _TaskOnGPU(_Task):
    """A pyramid of an array on a GPU: its levels are there, too."""

    def counts_of_full_image(self, level):
        counts = super().counts_of_full_image(level)
        return gpu.arrays().asarray(counts) if np.ndim(counts) else counts


# --- levels from the image, from each other, from states


def _levels(task, recursive):
    """All levels but the image."""
    if recursive is False or task.carried is None or not task.levels or not task.is_exact(task.near):
        return [task.pooled(level) for level in range(1, task.levels + 1)]
    levels, states, counts = _near(task)
    for level in range(len(levels) + 1, task.levels + 1):
        if not task.is_exact(level):
            levels.append(task.pooled(level))
            continue
        if level > task.near:
            states = [
                task.pooled_again(state, row.of_states, **_own_parameters(row.of_states, task))
                for row, state in zip(task.carried.states, states, strict=True)
            ]
            counts = None if counts is None else task.pooled_again(counts, "sum")
        levels.append(_finished(task, level, states, counts))
    return levels


def _near(task):
    """The first levels, the states of level `near`, and its counts if they depend on the image."""
    carried, dtype = task.carried, task.plan.image_dtype.newbyteorder("=")
    if not task.is_counting:
        if task.is_own_state:
            first = task.pooled(1)
            return [first], [first], None
        if carried.divides and dtype.kind == "f" and task.plan.parameters["divisor"] is None:
            means = _means(task)
            return means, [means[-1].astype(np.float64, copy=False) * task.counts_of_full_image(task.near)], None
    levels = [task.pooled(level) for level in range(1, max(task.near, 2))]
    states = [
        task.pooled(
            task.near,
            row.of_image,
            dtype=row.dtype(dtype),
            fill_value=row.neutral(row.dtype(dtype)),
            **_own_parameters(row.of_image, task),
        )
        for row in carried.states
    ]
    return levels, states, task.pooled(task.near, "count") if task.is_counting else None


def _own_parameters(name, task):
    """The task's parameters, as far as the reduction of a state takes them."""
    taken = REDUCTIONS[name].parameters
    return {key: value for key, value in task.plan.parameters.items() if key in taken}


def _means(task):
    """The first levels of float averages: each the mean of the one before, except where blocks are partial."""
    levels = [task.pooled(1)]
    for level in range(2, task.near + 1):
        means = task.pooled_again(levels[-1], "avg")
        for axis, product in zip(task.spatial, task.products[level], strict=True):
            length = task.image.shape[axis]
            if length % product:  # the last block is not made of equal parts
                last = (length - 1) // product
                ahead = (slice(None),) * axis
                part = replace(task, image=task.image[(*ahead, slice(last * product, None))])
                means[(*ahead, slice(last, None))] = part.pooled(level)
        levels.append(means)
    return levels


def _finished(task, level, states, counts):
    """A level from its states."""
    plan, carried = task.plan, task.carried
    if carried.finish is None:
        (values,) = states
    else:
        divisors = task.counts_of_full_image(level) if counts is None and carried.divides else counts
        values = carried.finish(task, divisors, *states)
    if values.dtype != plan.dtype:
        values = pool(values, 1, dtype=plan.dtype, workers=task.workers)
    if counts is not None:
        values = np.where(counts < plan.min_count, plan.fill_value, values)
    return values


def _recursed(task, preserve_labels):
    """All levels but the image, each pooled from the one before; and the masks of their samples (or None)."""
    levels, masks = [task.image], [task.mask]
    for _ in range(task.levels):
        before = replace(task, image=levels[-1], mask=masks[-1])
        levels.append(before.pooled(1))
        masks.append(before.counted(1))
        if preserve_labels:
            _preserve(before, levels[-1:], masks[-1:])
    return levels[1:], masks[1:]


def _preserve(task, levels, counted):
    """Keep alive in each level what the one before has, the image first; channel by channel."""
    axes = [task.axes(number) for number in range(1, len(levels) + 1)]
    for image, mask, *level_by_level in _channels((task.image, task.mask, *levels, *counted), task.plan.channel_axis):
        keeper = Keeper(image, mask, task.plan.parameters["background"])
        for level, own, tables in zip(level_by_level, level_by_level[len(levels) :], axes, strict=False):
            keeper.keep(level, own, tables)


def _channels(arrays, channel_axis):
    """The arrays of each channel in turn, None for None."""
    if channel_axis is None:
        return [arrays]
    moved = (array if array is None else np.moveaxis(array, channel_axis, 0) for array in arrays)
    return zip(*(itertools.repeat(None) if array is None else array for array in moved), strict=False)


def _counting(task):
    """The task that counts the samples of the same windows."""
    return replace(task, plan=task.plan.counting(task.plan.omit_nan))


# --- public


def pool_pyramid(
    image,
    max_layer=-1,
    downscale=2,
    *,
    reduction="avg",
    recursive=None,
    min_size=1,
    preserve_labels=False,
    channel_axis=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    workers=None,
    **reduction_parameters,
):
    """Pool an image to a list of ever smaller levels.

    Level k holds one value for each block of ``downscale**k`` samples of the image, as `pool` gives it for windows of
    that size: averages are averages of the samples beneath them and are rounded once, not once per level. Blocks at the
    far edges may be partial; none is dropped. `pyramid_transforms` gives the place of each level in the image.

    Parameters
    ----------
    image : (..., rows, columns) array_like
        As `pool` takes it. A masked array's mask is honoured, and gives masked levels.
    max_layer : int
        The number of levels beside the image; -1: as many as there are. Levels end before that where none of the axes
        shrinks any more, as those of `skimage.transform.pyramid_gaussian` do, or where `min_size` forbids the next.
    downscale : int or sequence of int
        Samples of a block along each spatial axis (all but `channel_axis`), from one level to the next; 1 leaves an
        axis alone.
    reduction : str
        Name of the reduction, as `pool` takes it.
    recursive : bool, optional
        Default: levels are carried where that gives the result of the definition (``avg``, ``max``, ``min``, ``sum``,
        ``count``, ``range``, ``lp``), for which sums, counts or both ends are handed on, and pooled from the image
        otherwise. False: all are pooled from the image. True: levels that cannot be carried are pooled from the level
        before them, which is faster and another number: a median of medians, a mode of modes.
    min_size : int
        No axis becomes shorter than this. Axes that do not shrink may be.
    preserve_labels : bool
        For ``reduction="mode"`` of booleans and integers: every label that a level has is in the next one too, as long
        as that has windows enough (the `background` of `mode_pool` need not be). See Notes.
    channel_axis : int, optional
        The axis that is not pooled. Default: every axis is spatial.
    mask : ndarray of bool, optional
        True where a pixel counts; of the image's shape, or of its spatial axes.
    nan_policy : {"propagate", "omit", "raise"}
        A counted NaN makes the result NaN, is as if masked, or is a `ValueError` if there is a level to pool.
    min_count : int
        Samples of the image that a block must count; with fewer it gets `fill_value`. Where levels are pooled from the
        level before them, samples of that level that have a value.
    fill_value : number, optional
        Default: NaN for floating-point levels, else 0.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for small images. Results do not depend on it.
    **reduction_parameters
        What the reduction takes beside these: see its own function.

    Returns
    -------
    levels : list of ndarray
        The image itself (not a copy), then its levels. Averages of an integer image keep its type, rounded half to
        even; those of booleans are float64, of float16 float32. All other levels have the type of the reduction's own
        function.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or a keyword is none that the reduction takes.
    ValueError
        If an argument has a wrong value or shape.

    See Also
    --------
    pyramid_transforms, pool

    Notes
    -----
    Carried levels cost little beyond the first. Sums of floats are carried in float64; averages of float32 images have
    an error of at most ``4 * 2**-23`` of the mean magnitude of their samples at every level. Averages of 64-bit
    integers, and those of 32-bit integers over more than 2**20 samples, are pooled from the image, so that they are
    exact.

    Pyramids of labels: the mode of modes is not the mode of the block, so ``recursive=True`` and the default differ.
    Small labels are outvoted by either. `preserve_labels` gives those that a level would lose a window that holds
    samples of them, to the rarest first: the window with the most samples of it, of equal ones the first in row-major
    order, whose winner has another one. Where there is none, winners move on to other windows that hold them. In that
    way as many labels live as can; no winner dies for another, and windows that need not change do not. Equally rare
    labels come in ascending order. Channels are labelled apart; pixels that do not count hold no labels. What windows
    hold are samples of the image, of the level before under ``recursive=True``.

    References
    ----------
    L. Williams, "Pyramidal parametrics", SIGGRAPH 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import pool_pyramid
    >>> image = np.array([[0, 1, 0, 0, 0, 1, 0, 0]], np.uint8)
    >>> [level.tolist() for level in pool_pyramid(image, reduction="sum")]
    [[[0, 1, 0, 0, 0, 1, 0, 0]], [[1, 0, 1, 0]], [[1, 1]], [[2]]]
    >>> [level.shape for level in pool_pyramid(np.zeros((5, 480, 640)), 3, (1, 2, 2))]
    [(5, 480, 640), (5, 240, 320), (5, 120, 160), (5, 60, 80)]

    The mode of modes is not the mode of the block. Seven of 16 labels are 5, but it wins one of four blocks only:

    >>> labels = np.array([[5, 5, 5, 1], [5, 5, 1, 1], [5, 2, 3, 3], [2, 2, 5, 3]])
    >>> [level.tolist() for level in pool_pyramid(labels, reduction="mode")]
    [[[5, 5, 5, 1], [5, 5, 1, 1], [5, 2, 3, 3], [2, 2, 5, 3]], [[5, 1], [2, 3]], [[5]]]
    >>> pool_pyramid(labels, reduction="mode", recursive=True)[-1]
    array([[1]])

    A label of one pixel is kept where it is:

    >>> labels = np.array([[0, 0, 0, 0], [0, 9, 0, 0]])
    >>> pool_pyramid(labels, 1, reduction="mode")[1]
    array([[0, 0]])
    >>> pool_pyramid(labels, 1, reduction="mode", preserve_labels=True)[1]
    array([[9, 0]])
    """
    if recursive is not None and not isinstance(recursive, bool | np.bool_):
        raise TypeError(f"`recursive` must be None, True or False, got {recursive!r}")
    preserve_labels = windows.flag(preserve_labels, "preserve_labels")
    if workers is not None:
        workers = check_workers(workers)
    row = reduction_named(reduction)
    if containers.is_labelled(image):
        return _labelled(
            image,
            downscale=downscale,
            mask=containers.aligned(mask, image),
            max_layer=max_layer,
            reduction=reduction,
            recursive=recursive,
            min_size=min_size,
            preserve_labels=preserve_labels,
            channel_axis=channel_axis,
            nan_policy=nan_policy,
            min_count=min_count,
            fill_value=fill_value,
            workers=workers,
            **reduction_parameters,
        )
    masked_array = isinstance(image, np.ma.MaskedArray)
    on_gpu = gpu.is_array(image)
    if on_gpu and preserve_labels:
        gpu.refuse("pool_pyramid(image.get(), ..., preserve_labels=True)")
    array, mask = (gpu.as_array(image), mask) if on_gpu else unwrapped(image, mask, channel_axis, lazy=True)
    lazy = containers.is_lazy(array)
    if lazy:
        containers.refuse_masked_chunks(array)
    if preserve_labels and reduction != "mode":
        raise ValueError(f"`preserve_labels` must be False for all reductions but 'mode', got {reduction!r}")
    if preserve_labels and array.dtype.kind not in "biu":
        raise ValueError(f"`preserve_labels` must be False for images that are not of labels, got {array.dtype}")
    if preserve_labels and lazy:
        raise NotImplementedError("`preserve_labels` must be False for dask arrays: compute the image first")
    parameters = row.checked_parameters(reduction_parameters, array.dtype)
    first = make_plan(
        array.shape,
        array.dtype,
        reduction,
        windows.Sliding(1),
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=array.dtype if row is REDUCTIONS["avg"] and array.dtype.kind in "iu" else None,
        **parameters,
    )
    if mask is not None and not on_gpu:  # `pool` checks those
        mask = (checked_lazy_mask if lazy else checked_mask)(mask, array, channel_axis)
    factors, products = _products(array.shape, max_layer, downscale, min_size, first.channel_axis)
    task = (_TaskOnGPU if on_gpu else _Task)(array, mask, first, factors, products, nan_policy, workers)
    if recursive and task.carried is None:
        levels, masks = _recursed(task, preserve_labels)
    else:
        levels = _levels(task, recursive)
        if preserve_labels:
            _preserve(task, levels, [task.counted(number) for number in range(1, len(levels) + 1)])
        masks = [count >= first.min_count for count in _levels(_counting(task), None)] if masked_array else []
    if not masked_array:
        return [array, *levels]
    return [image, *(_masked(level, kept, first) for level, kept in zip(levels, masks, strict=True))]


def _labelled(image, downscale, mask, max_layer, min_size, channel_axis, **keywords):
    """`pool_pyramid` for a labelled array."""
    geometry = {"max_layer": max_layer, "downscale": downscale, "min_size": min_size, "channel_axis": channel_axis}
    levels = pool_pyramid(image.data, mask=mask, **geometry, **keywords)
    axis = checked_channel_axis(channel_axis, image.ndim)
    products = _products(image.shape, max_layer, downscale, min_size, axis)[1]
    labelled = [image]
    for level, product in zip(levels[1:], products[1:], strict=True):
        axes = axes_of(image.shape, axis, windows.Sliding(product))
        labelled.append(containers.labelled(level, image, axes))
    return labelled


def _masked(level, kept, plan):
    return np.ma.MaskedArray(level, False if kept is None else ~kept, fill_value=plan.fill_value)


def pyramid_transforms(shape, max_layer=-1, downscale=2, *, min_size=1, channel_axis=None):
    """Scale and translation of each level of a pyramid, without pooling.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image.
    max_layer, downscale, min_size, channel_axis
        As `pool_pyramid` takes them.

    Returns
    -------
    transforms : list of (tuple of float, tuple of float)
        For each level, the image first, its scale and its translation along every axis of the image: sample ``i`` of
        the level has its centre at ``i * scale + translation`` in the image, whose own samples are centred at the
        integers. The channel axis has 1 and 0. A partial block has the centre of a whole one.

    Raises
    ------
    TypeError, ValueError
        As `pool_pyramid` does.

    See Also
    --------
    pool_pyramid, pooled_coords

    Notes
    -----
    OME-NGFF 0.4 wants these as ``coordinateTransformations`` of each dataset, multiplied by the size of a pixel [1]_.

    References
    ----------
    .. [1] J. Moore et al., "Next-generation file formats for bioimaging", https://ngff.openmicroscopy.org/0.4.

    Examples
    --------
    >>> from skpool import pyramid_transforms
    >>> for scale, translation in pyramid_transforms((3, 512, 768), 2, channel_axis=0):
    ...     print(scale, translation)
    (1.0, 1.0, 1.0) (0.0, 0.0, 0.0)
    (1.0, 2.0, 2.0) (0.0, 0.5, 0.5)
    (1.0, 4.0, 4.0) (0.0, 1.5, 1.5)
    """
    shape = windows.checked_shape(shape)
    channel_axis = checked_channel_axis(channel_axis, len(shape))
    if len(shape) == (channel_axis is not None):
        raise ValueError(f"`shape` must have a spatial axis, got {shape} with `channel_axis` {channel_axis}")
    transforms = []
    for product in _products(shape, max_layer, downscale, min_size, channel_axis)[1]:
        scale = [1.0] * len(shape)
        for axis, factor in zip(_spatial(len(shape), channel_axis), product, strict=True):
            scale[axis] = float(factor)
        transforms.append((tuple(scale), tuple((factor - 1) / 2 for factor in scale)))
    return transforms
