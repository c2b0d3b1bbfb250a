"""The dask backend: a plan and a dask array -> a dask array, with one task for each chunk of the result.

    windows of the whole image  ->  a run of them along each axis, for each output chunk     (`Axis.take`)
    chunks of the image         ->  the parts of them that a run looks at                    (`_pieces`)
    task                        ->  these parts put together, and pooled as any image is

Design: no overlap is guessed or cut beforehand. The tables of windows say which samples an output chunk looks at, so a
task gets exactly the chunks of the image that hold them, whatever the windows: padded, dilated, adaptive, fractional.
Results do not depend on the chunks: a window is folded in an order of its own. This module knows graphs only; what a
task computes is handed in, and dask is imported by those who have an array of it.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
from dataclasses import dataclass, fields, is_dataclass
from typing import NamedTuple

import numpy as np

from ..reductions import Reduction


def output_chunks(axis, chunks):
    """Sizes of the chunks of the outputs along one axis, in order, none of them 0.

    An output belongs to the chunk of the image in which its window starts, padding not counted: "same" pooling at a
    stride of 1 keeps the chunks. Where outputs are many more than samples, chunks are split to about the image's size.

    Parameters
    ----------
    axis : Axis
        With at least one output.
    chunks : sequence of int
        Sizes of the image's chunks.

    Returns
    -------
    tuple of int
    """
    starts = np.minimum(axis.start + axis.before, axis.length - 1)
    counts = np.diff(np.searchsorted(starts, np.cumsum(chunks)), prepend=0)
    longest = max(chunks)
    sizes = []
    for count in counts[counts > 0].tolist():
        parts = max(count // longest, 1)
        sizes += [count * (part + 1) // parts - count * part // parts for part in range(parts)]
    return tuple(sizes)


def slices(sizes):
    """The runs of these sizes, one after the other."""
    ends = itertools.accumulate(sizes)
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _pieces(chunks, intervals):
    """``(chunk, slice within it)`` for every chunk that holds something of the intervals, in their order."""
    ends = np.cumsum(chunks).tolist()
    pieces = []
    for low, high in intervals:
        number = bisect.bisect_right(ends, low)
        while low < high:
            start, stop = ends[number] - chunks[number], min(ends[number], high)
            if low < stop:  # else the chunk is empty
                pieces.append((number, slice(low - start, stop - start)))
            low, number = stop, number + 1
    return tuple(pieces)


@dataclass(frozen=True, eq=False)
class _Cut:
    """How the samples that a task looks at are put together.

    Attributes
    ----------
    name : str
        What an error calls the array.
    dtype : numpy.dtype
    pieces : tuple of tuple of slice
        Along each axis, what is taken of each chunk in turn.
    orders : tuple of ndarray or None
        Along each axis, in which order samples are wanted then: `Run.order`.
    """

    name: str
    dtype: np.dtype
    pieces: tuple[tuple[slice, ...], ...]
    orders: tuple

    def together(self, blocks):
        """One array of the chunks, which come in row-major order."""
        sizes = [[piece.stop - piece.start for piece in along] for along in self.pieces]
        places = itertools.product(*map(slices, sizes))
        taken = list(map(self._checked, blocks, itertools.product(*self.pieces)))
        if len(taken) == 1:
            array = taken[0]
        else:
            empty = np.ma.empty if any(isinstance(piece, np.ma.MaskedArray) for piece in taken) else np.empty
            array = empty([sum(along) for along in sizes], self.dtype)
            for place, piece in zip(places, taken, strict=True):
                array[place] = piece
        for axis, order in enumerate(self.orders):
            if order is not None:
                array = array.take(order, axis)
        return array

    def _checked(self, block, piece):
        """A part of a chunk, if this has the type and shape that its array says."""
        wanted = tuple(along.stop - along.start for along in piece)
        if not isinstance(block, np.ndarray) or block.dtype != self.dtype or block[piece].shape != wanted:
            found = f"{block.dtype} and shape {block.shape}" if isinstance(block, np.ndarray) else type(block).__name__
            raise TypeError(f"`{self.name}` must have chunks of the dtype {self.dtype} and shapes it says, got {found}")
        return block[piece]


def _computed(compute, known, reads):
    """A task: what is made of arrays, put together first, and of what is known without them."""
    return compute(known, *(cut.together(blocks) for cut, blocks in reads))


def described(value):
    """All that results depend on, as dask can tell it apart; without what a plan has worked out meanwhile."""
    if isinstance(value, Reduction):
        return value.name
    if is_dataclass(value):
        return [type(value).__name__, *(described(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, tuple):
        return [described(entry) for entry in value]
    return value


def run(compute, plan, image, mask=None, *, token=(), results=1):
    """Compute a plan when asked to.

    Parameters
    ----------
    compute : callable
        ``(part, image, mask=None) -> result``: pools NumPy arrays, those that a `Part` looks at. Travels to other
        processes.
    plan : skpool.plan.Plan
    image : dask.array.Array
    mask : array of bool or None
        NumPy's or dask's, of the image's shape or of its spatial axes.
    token : object
        What results depend on beside these.
    results : int
        More than 1: `compute` gives so many arrays, the second and others of int64.

    Returns
    -------
    dask.array.Array, or a tuple of them
    """
    import dask.array as da
    from dask.base import tokenize

    empty = np.ma.empty if isinstance(image._meta, np.ma.MaskedArray) else np.empty
    metas = [empty((0,) * image.ndim, plan.dtype), *[np.empty((0,) * image.ndim, np.int64)] * (results - 1)]
    if not math.prod(plan.shape):
        made = tuple(da.from_array(np.empty(plan.shape, meta.dtype)) for meta in metas)
        return made if results > 1 else made[0]
    inputs = named_inputs(image, mask, plan.channel_axis)
    token = tokenize([array.name for array, _ in inputs.values()], described(plan), token, results)
    name = f"skpool-{plan.reduction.name}-{token}"
    chunks = tuple(map(output_chunks, plan.axes, image.chunks))
    runs = [[axis.take(outputs) for outputs in slices(sizes)] for axis, sizes in zip(plan.axes, chunks, strict=True)]
    sources = [_Source(what, array, axes, runs) for what, (array, axes) in inputs.items()]
    graph = {}
    for number in np.ndindex(*map(len, chunks)):
        part = plan.part(tuple(along[i] for along, i in zip(runs, number, strict=True)))
        graph[(name, *number)] = (_computed, compute, part, [source.of(number) for source in sources])
    return arrays(name, graph, [source.array for source in sources], chunks, metas)


def named_inputs(image, mask, channel_axis):
    """The image, and the mask if there is one, as dask arrays: by name, each with the axes of the image that it has."""
    import dask.array as da

    inputs = {"image": (image, range(image.ndim))}
    if mask is not None:
        axes = [axis for axis in range(image.ndim) if mask.ndim == image.ndim or axis != channel_axis]
        if not isinstance(mask, da.Array):
            mask = da.from_array(mask, chunks=tuple(image.chunks[axis] for axis in axes))
        inputs["mask"] = mask, axes
    return inputs


#: A task pools consecutive boxes of so many, that have so many bytes of results and look at so many chunks of the image
#: together; or one box.
_MOST_BOXES = 1024
_MOST_BYTES = 2**26
_MOST_CHUNKS = 16


def _places_of_boxes(chunks, spans):
    """For each box, the first and the last chunk that it looks at along one axis."""
    return np.searchsorted(np.cumsum(chunks), [spans[:, 0], spans[:, 1] - 1], side="right").T


def _runs_of_boxes(places, most):
    """How many consecutive boxes each task has, by the chunks that they look at."""
    sizes, chunks, known = [0], set(), set()
    for place in map(tuple, places.reshape(len(places), -1).tolist()):
        if place not in known or sizes[-1] == most:
            (top, bottom), (left, right) = place[:2], place[2:]
            looked_at = set(itertools.product(range(top, bottom + 1), range(left, right + 1)))
            if sizes[-1] == most or (sizes[-1] and len(chunks | looked_at) > _MOST_CHUNKS):
                sizes.append(0)
                chunks, known = set(), set()
            chunks |= looked_at
            known.add(place)
        sizes[-1] += 1
    return tuple(sizes)


def boxes(compute, image, edges, spans, inner, meta, *, name, token):
    """Results of boxes of an image, a row for each, computed when asked to.

    A task gets the chunks that its boxes look at. It puts together those of boxes that look at the same ones.

    Parameters
    ----------
    compute : callable
        ``(image, origin, edges) -> result``: boxes of these edges, of the part of the image that begins at `origin`.
        Travels to other processes.
    image : (rows, columns, channels) dask.array.Array
        With at least one pixel.
    edges : (K, 4) ndarray
    spans : (K, 2, 2) ndarray of int
        First and stop of the rows, and of the columns, of the pixels that each box looks at; at least one.
    inner : tuple of tuple of int
        Chunks of the result behind its first axis. Those of channels, if it has any, are the image's; or it has one.
    meta : ndarray
        Empty, of the result's type and number of axes.
    name : str
    token : object
        What results depend on beside image and edges.

    Returns
    -------
    dask.array.Array
    """
    import dask.array as da
    from dask.base import tokenize

    row = math.prod(map(sum, inner))
    if not len(edges) * row:
        return da.from_array(np.empty((len(edges), *map(sum, inner)), meta.dtype))
    name = f"skpool-{name}-{tokenize(image.name, edges, described(token))}"
    places = np.stack([_places_of_boxes(image.chunks[axis], spans[:, axis]) for axis in range(2)], axis=1)
    most = max(min(_MOST_BOXES, _MOST_BYTES // (row * meta.dtype.itemsize)), 1)
    runs = _runs_of_boxes(places, most)
    graph = {}
    for number, taken in enumerate(slices(runs)):
        different, which = np.unique(places[taken].reshape(-1, 4), axis=0, return_inverse=True)
        for channel, own in enumerate(slices(image.chunks[2])):
            jobs, keys = [], {}
            for job in range(len(different)):
                rows = np.flatnonzero(which.reshape(-1) == job)
                span = spans[taken][rows]
                origin = tuple(span[:, :, 0].min(axis=0).tolist())
                joint = [*zip(origin, span[:, :, 1].max(axis=0).tolist(), strict=True), (own.start, own.stop)]
                cut, read = box("image", image, joint)
                jobs.append((rows, edges[taken][rows], origin, cut, [keys.setdefault(key, len(keys)) for key in read]))
            place = (number, *(0,) * (meta.ndim - 2), channel) if meta.ndim == 4 else (number, 0, 0)
            graph[(name, *place)] = (_boxes_computed, compute, jobs, list(keys))
    return arrays(name, graph, [image], (runs, *inner), [meta])


def _boxes_computed(compute, jobs, blocks):
    """A task: rows of results, for each of several sets of boxes that look at the same chunks."""
    if len(jobs) == 1:
        [(_, edges, origin, cut, read)] = jobs
        return compute(cut.together([blocks[number] for number in read]), origin, edges)
    results = None
    for rows, edges, origin, cut, read in jobs:
        result = compute(cut.together([blocks[number] for number in read]), origin, edges)
        if results is None:
            results = np.empty((sum(len(job[0]) for job in jobs), *result.shape[1:]), result.dtype)
        results[rows] = result
    return results


def scaled(chunks, length):
    """Sizes of chunks that divide a length about as the chunks of an array divide its own; none of them 0."""
    total = max(sum(chunks), 1)
    ends = [end * length // total for end in itertools.accumulate(chunks)]
    ends = [*ends[:-1], length] if ends else [length]
    return tuple(size for size in np.diff(ends, prepend=0).tolist() if size) or (0,)


def gathered(compute, array, parts, chunks, dtype, *, name, token):
    """An array each chunk of which is made of a box of another, computed when asked to.

    Parameters
    ----------
    compute : callable
        ``(parts, values) -> result``: of parts along each axis, and the values of their box. Travels to others.
    array : dask.array.Array
    parts : list of list
        Along each axis, for each chunk of the result: ``(first, stop)`` of the box, and what `compute` is to know.
    chunks : tuple of tuple of int
    dtype : numpy.dtype
    name : str
    token : object
        What results depend on beside `array`.

    Returns
    -------
    dask.array.Array
    """
    from dask.base import tokenize

    name = f"skpool-{name}-{tokenize(array.name, chunks, described(token))}"
    source = _Source("values", array, range(array.ndim), [[_Box((span,)) for span, _ in along] for along in parts])
    graph = {}
    for number in np.ndindex(*map(len, parts)):
        known = tuple(along[i][1] for along, i in zip(parts, number, strict=True))
        graph[(name, *number)] = (_computed, compute, known, [source.of(number)])
    return arrays(name, graph, [array], chunks, [np.empty((0,) * array.ndim, dtype)])


class _Box(NamedTuple):
    """What `_Source` is to know of a run, along one axis."""

    intervals: tuple
    order: None = None


def put(checked, values, indices, shape, fill):
    """Values at flat indices into an array of a shape, and `fill` elsewhere, computed when asked to.

    Every chunk of the result waits for all of the values. Of those with the same index the last stays.

    Parameters
    ----------
    checked : callable
        ``(indices, kept=None) -> kept``: which indices are not -1, of those kept; raises if one is outside.
    values, indices : dask.array.Array
        Of the same chunks; values may be masked.
    shape : tuple of int
    fill : number

    Returns
    -------
    dask.array.Array
    """
    import dask.array as da
    from dask.base import tokenize

    if not math.prod(shape):
        chunks = tuple((length,) for length in shape)
    elif len(shape) == values.ndim:
        chunks = tuple(map(scaled, values.chunks, shape))
    else:
        chunks = da.core.normalize_chunks("auto", shape, dtype=values.dtype)
    name = f"skpool-max_unpool-{tokenize(values.name, indices.name, chunks, fill)}"
    corners = itertools.product(*([along.start for along in slices(sizes)] for sizes in values.chunks))
    keys, graph = [], {}
    for number, corner in zip(np.ndindex(values.numblocks), corners, strict=True):
        keys.append((f"{name}-sorted", *number))
        given = (values.name, *number), (indices.name, *number)
        graph[keys[-1]] = (_sorted_by_chunk, checked, chunks, values.shape, corner, *given)
    sizes = list(itertools.product(*chunks))
    for number, (place, size) in enumerate(zip(np.ndindex(*map(len, chunks)), sizes, strict=True)):
        graph[(name, *place)] = (_put_chunk, number, size, values.dtype, fill, keys)
    return arrays(name, graph, [values, indices], chunks, [np.empty((0,) * len(shape), values.dtype)])


def _sorted_by_chunk(checked, chunks, shape, corner, values, indices):
    """Values, their places in their chunks of the result, their order; and where those of each chunk begin."""
    kept = None if np.ma.getmask(values) is np.ma.nomask else ~np.ma.getmaskarray(values)
    kept = checked(indices, kept)
    along = (range(first, first + size) for first, size in zip(corner, indices.shape, strict=True))
    order = np.ravel_multi_index(np.ix_(*along), shape)  # in the whole of the values
    values, indices, order = np.ma.getdata(values)[kept].ravel(), indices[kept].ravel(), order[kept].ravel()
    place = number = np.zeros(indices.shape, np.int64)
    whole = np.unravel_index(indices.astype(np.int64, copy=False), tuple(map(sum, chunks)))
    for along, sizes in zip(whole, chunks, strict=True):
        ends = np.cumsum(sizes)
        chunk = np.searchsorted(ends, along, side="right")
        size = np.asarray(sizes, np.int64)[chunk]
        place = place * size + (along - (ends[chunk] - size))
        number = number * len(sizes) + chunk
    by_chunk = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[by_chunk], np.arange(math.prod(map(len, chunks)) + 1))
    return values[by_chunk], place[by_chunk], order[by_chunk], starts


def _put_chunk(number, shape, dtype, fill, blocks):
    """A chunk of `put`, of what all blocks of values have for it."""
    taken = [[array[starts[number] : starts[number + 1]] for array in arrays] for *arrays, starts in blocks]
    values, places, order = map(np.concatenate, zip(*taken, strict=True))
    last = np.argsort(order)
    result = np.full(math.prod(shape), fill, dtype)
    result[places[last]] = values[last]
    return result.reshape(shape)


#: States that one task merges.
_BRANCHES = 8


def tree(graph, name, tasks, merge):
    """Put tasks into a graph, and those that merge what neighbouring ones give; returns the key of the last."""
    for level in itertools.count():
        keys = [(name, level, number) for number in range(len(tasks))]
        graph.update(zip(keys, tasks, strict=True))
        if len(keys) == 1:
            return keys[0]
        tasks = [(merge, keys[first : first + _BRANCHES]) for first in range(0, len(keys), _BRANCHES)]


def arrays(name, graph, dependencies, chunks, metas):
    """The array whose chunks a graph makes under its name; a tuple of them if each task makes one for several."""
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    layer = HighLevelGraph.from_collections(name, graph, dependencies=dependencies)
    if len(metas) == 1:
        return da.Array(layer, name, chunks, meta=metas[0])
    results = []
    for i, meta in enumerate(metas):
        own = f"{name}-{i}"
        taken = {(own, *number): (operator.itemgetter(i), (name, *number)) for number in np.ndindex(*map(len, chunks))}
        layers = HighLevelGraph({**layer.layers, own: taken}, {**layer.dependencies, own: {name}})
        results.append(da.Array(layers, own, chunks, meta=meta))
    return tuple(results)


def box(name, array, intervals):
    """What a task reads of a box of an array, as `_Source.of` has it."""
    runs = [[_Box((interval,))] for interval in intervals]
    return _Source(name, array, range(array.ndim), runs).of((0,) * array.ndim)


def folded(name, tasks, merge, finish, dependencies, chunks, metas):
    """Arrays of one chunk each, from states of blocks that are merged in a fixed tree.

    Parameters
    ----------
    name : str
        Of the tasks; it must tell all that results depend on.
    tasks : sequence of tuple
        One for each block of the image, in its order, as dask has them: a function and its arguments give a state.
    merge, finish : callable
        ``([state, ...]) -> state``; ``(state) -> array``, or a tuple of them if there are several `metas`.
    dependencies, chunks, metas
        As `arrays` takes them.

    Returns
    -------
    dask.array.Array, or a tuple of them
    """
    graph = {}
    graph[(name, *(0,) * len(chunks))] = (finish, tree(graph, f"{name}-state", tasks, merge))
    return arrays(name, graph, dependencies, chunks, metas)


class _Source:
    """An array that tasks read, and what each of them reads of it."""

    def __init__(self, name, array, axes, runs):
        """Of an array along these axes, by the runs of outputs along all axes."""
        self.name, self.array, self.axes = name, array, axes
        along = list(zip(array.chunks, (runs[axis] for axis in axes), strict=True))
        self.pieces = [[_pieces(chunks, run.intervals) for run in taken] for chunks, taken in along]
        self.orders = [[run.order for run in taken] for _, taken in along]

    def of(self, number):
        """A list of the `_Cut` of an output chunk, and of the keys of the chunks that it is made of."""
        places = [number[axis] for axis in self.axes]
        pieces = [along[i] for along, i in zip(self.pieces, places, strict=True)]
        orders = tuple(along[i] for along, i in zip(self.orders, places, strict=True))
        taken = tuple(tuple(piece for _, piece in along) for along in pieces)
        blocks = itertools.product(*([block for block, _ in along] for along in pieces))
        return [_Cut(self.name, self.array.dtype, taken, orders), [(self.array.name, *block) for block in blocks]]
