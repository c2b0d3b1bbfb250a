"""Whole dask arrays: folded part by part, in the order in which one in memory is folded.

    part    a chunk's columns of 2**j rows, counted through all leading axes from the image's first
    fold    a part -> the states of its columns
    join    states of neighbouring parts -> states of more rows, eight at a time
    finish  the states of all columns -> the result

Design: results of floats depend on the order in which samples are folded, which is that of a tree over the rows, then
over the columns (kernels/driver). Parts are nodes of that tree, so what is left of it is the tree over the parts:
the same bits for any chunks, and for an array in memory. A part that no chunk has whole is put together from several.
Reductions that sort their samples have no states, and are refused.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from . import containers
from .backends import chunked, cpu
from .backends.order import ORDERS
from .plan import Part, axes_of, checked_channel_axis, make_plan, refuse_nan
from .pooling import checked_lazy_mask, checked_mask, pooled_by, taken_return_indices
from .threads import check_workers


def pooled_whole(kind, layout, image, reduction, parameters, *, mask, out, channel_axis, workers, **counting):
    """`pooled_by` for the one window that is the whole image."""
    given = {"mask": mask, "out": out, "channel_axis": channel_axis, "workers": workers}
    if containers.is_labelled(image):
        given["mask"] = containers.aligned(mask, image)
        pooled = pooled_whole(kind, layout, image.data, reduction, parameters, **given, **counting)
        return containers.labelled(pooled, image, axes_of(image.shape, channel_axis, kind(*layout)))
    if not containers.is_lazy(image) or _lies_in_one_chunk(containers.checked_lazy(image), channel_axis):
        return pooled_by(kind, layout, image, reduction, parameters, **given, **counting)
    containers.refuse_out(out)
    if workers is not None:
        check_workers(workers)
    rest = dict(parameters)
    return_indices = taken_return_indices(reduction, rest)
    plan = make_plan(image.shape, image.dtype, reduction, kind(*layout), channel_axis=channel_axis, **counting, **rest)
    if mask is not None:
        mask = checked_lazy_mask(mask, image, plan.channel_axis)
    if reduction in ORDERS:
        raise NotImplementedError(
            f"`reduction` {reduction!r} of several chunks has no merge, for it sorts all samples: rechunk the image to "
            "one chunk along the pooled axes, or take `adaptive_pool(image, 1, ...)`, which gathers it in one task"
        )
    if plan.samples <= _FEW or not math.prod(plan.shape):
        return pooled_by(kind, layout, image, reduction, parameters, **given, **counting)
    cpu.recipe_of(plan, return_indices)  # it refuses windows that are too large for their totals
    raises = counting["nan_policy"] == "raise" and image.dtype.kind == "f"
    return _lazily(plan, image, mask, raises, return_indices)


def _lies_in_one_chunk(image, channel_axis):
    """Whether no pooled axis of a dask array is cut."""
    axis = checked_channel_axis(channel_axis, image.ndim)
    return all(count == 1 or number == axis for number, count in enumerate(image.numblocks))


#: Samples up to which one task gathers them: sums may be float32 then, and are taken again where they overflow.
_FEW = 2**10


@dataclass(frozen=True, eq=False)
class _Fold:
    """What tasks know of the window, or of that of some channels.

    Attributes
    ----------
    part : Part
        All of it.
    masked, raises, indices : bool
        Whether pixels may be masked, counted NaN is refused, and places are wanted.
    masked_array : bool
        Whether the image's chunks have masks of their own, as the result shall have.
    """

    part: Part
    masked: bool
    raises: bool
    indices: bool
    masked_array: bool

    @property
    def plan(self):
        return self.part.plan

    @property
    def may_leave_range(self):
        """Whether sums of powers may leave the range of float64, so that the largest sample must be known."""
        return self.plan.reduction.name in cpu.POWERS and cpu.may_leave_range(self.plan)


def _lazily(plan, image, mask, raises, indices):
    """`pooled_whole` for checked arguments."""
    from dask.base import tokenize

    columns, channel = cpu.columns_and_channels(plan)[0], plan.channel_axis
    leading = [axis for axis in range(columns) if axis != channel]
    inputs = chunked.named_inputs(image, mask, channel)
    arrays = [array for array, _ in inputs.values()]
    token = tokenize([array.name for array in arrays], chunked.described(plan), raises, indices)
    name = f"skpool-{plan.reduction.name}-{token}"
    chunks = tuple(sizes if axis == channel else (1,) for axis, sizes in enumerate(image.chunks))
    masked_array = containers.is_masked(image)
    graph = {}
    for number, runs in enumerate(itertools.product(*map(_runs, plan.axes, chunks))):
        part = plan.part(runs)
        fold = _Fold(part, mask is not None or masked_array, raises, indices, masked_array)
        states = []
        for j, taken in enumerate(chunked.slices([size for size in image.chunks[columns] if size])):
            tasks = []
            for first, boxes in _parts([image.shape[a] for a in leading], [max(image.chunks[a]) for a in leading]):
                reads = []
                for box in boxes:
                    intervals = [run.intervals[0] for run in runs]
                    intervals[columns] = taken.start, taken.stop
                    for axis, along in zip(leading, box, strict=True):
                        intervals[axis] = along
                    own = ((what, array, [intervals[axis] for axis in axes]) for what, (array, axes) in inputs.items())
                    reads.append([chunked.box(*each) for each in own])
                tasks.append((_folded, fold, first, reads))
            states.append(chunked.tree(graph, f"{name}-{number}-{j}", tasks, functools.partial(_joined, fold)))
        place = tuple(0 if axis != channel else number for axis in range(image.ndim))
        graph[(name, *place)] = (_finished, fold, states)
    empty = np.ma.empty if masked_array else np.empty
    metas = [empty((0,) * image.ndim, plan.dtype), *[np.empty((0,) * image.ndim, np.int64)] * indices]
    return chunked.arrays(name, graph, arrays, chunks, metas)


def _runs(axis, sizes):
    """The one window along a pooled axis, or the channels of each chunk."""
    return [axis.take(outputs) for outputs in chunked.slices(sizes)]


def _parts(lengths, sizes):
    """The first row of each part, and the boxes of the leading axes that it is; of about as many rows as a chunk."""
    total = math.prod(lengths)
    rows = 1 << max(math.prod(sizes), cpu.LEAST_PART).bit_length() - 1
    return [(first, _boxes(lengths, first, min(first + rows, total))) for first in range(0, total, rows)]


def _boxes(lengths, start, stop):
    """Boxes that hold rows `start` to before `stop` of all rows through axes of these lengths, one after the other."""
    if not lengths:
        return [()]
    inner = math.prod(lengths[1:])
    first, last = divmod(start, inner), divmod(stop, inner)
    if first[0] == last[0] or (first[0] + 1, 0) == last:
        return [((first[0], first[0] + 1), *box) for box in _boxes(lengths[1:], first[1], first[1] + stop - start)]
    ahead = _boxes(lengths, start, (first[0] + 1) * inner) if first[1] else []
    whole = first[0] + bool(first[1]), last[0]
    behind = _boxes(lengths, last[0] * inner, stop) if last[1] else []
    return [*ahead, *[(whole, *((0, length) for length in lengths[1:]))] * (whole[0] < whole[1]), *behind]


def _folded(fold, first, reads):
    """A task: the states of a part, and where they may leave the range, the largest magnitude in it."""
    images, masks = [], []
    for box in reads:
        image, *given = (cut.together(blocks) for cut, blocks in box)
        counted = ~np.ma.getmaskarray(image) if fold.masked_array else None
        image = np.ma.getdata(image)
        for mask in given:
            mask = checked_mask(mask, image, fold.plan.channel_axis)
            counted = mask if counted is None else counted & mask
        images.append(_in_rows(fold.plan, image))
        masks += [] if counted is None else [_in_rows(fold.plan, counted)]
    image = images[0] if len(images) == 1 else np.concatenate(images, axis=1, dtype=images[0].dtype)
    mask = (masks[0] if len(masks) == 1 else np.concatenate(masks, axis=1)) if masks else None
    if fold.raises and (np.isnan(image) if mask is None else np.isnan(image) & mask).any():
        refuse_nan()
    states = cpu.fold_part(fold.plan, image, mask, fold.indices, first)
    return states, cpu.largest(fold.plan, image, mask, (1, 2)) if fold.may_leave_range else None


def _in_rows(plan, array):
    """An array with its leading axes as one of rows: (channels or 1, rows, columns[, channels])."""
    columns = cpu.columns_and_channels(plan)[0]
    if plan.channel_axis is not None and plan.channel_axis < columns:
        array = np.moveaxis(array, plan.channel_axis, 0)
    else:
        array = array[np.newaxis]
        columns += 1
    return array.reshape(array.shape[0], math.prod(array.shape[1:columns]), *array.shape[columns:])


def _joined(fold, states):
    """A task: the states of neighbouring parts, joined."""
    if len(states) == 1:
        return states[0]
    states, largest = zip(*states, strict=True)
    joined = cpu.join_parts(fold.plan, fold.masked, fold.indices, states)
    return joined, functools.reduce(np.fmax, largest) if fold.may_leave_range else None


def _finished(fold, states):
    """A task: the result, and places if they are wanted, of the states of all columns."""
    (first, *others), largest = zip(*states, strict=True)
    states, plan = first.beside(others), fold.plan
    places = np.empty(plan.shape, np.int64) if fold.indices else None
    result = cpu.finish_parts(plan, fold.masked, states, places)
    if fold.may_leave_range:
        top = functools.reduce(np.fmax, largest).reshape(plan.shape)
        if cpu.leaves_range(plan, result, top).any():
            raise NotImplementedError(
                f"`image` has powers that float64 cannot hold, up to {top.max()} to the power {plan.parameters['p']}: "
                "rechunk it to one chunk along the pooled axes, or scale it"
            )
    if fold.masked_array:
        counts = cpu.finish_parts(plan.counting(plan.omit_nan), True, states.of_counts)
        result = np.ma.MaskedArray(result, counts < plan.min_count, fill_value=plan.fill_value)
    return (result, fold.part.of_image(places)) if fold.indices else result
