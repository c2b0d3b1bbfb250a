"""Parts of windows: the states that they leave behind, joined, and finished."""
from libc.string cimport memcpy
from skpool.kernels.driver.across cimport begin_tile, fold_tile
from skpool.kernels.driver.axes cimport Axis, columns_under, start_of
from skpool.kernels.driver.call cimport Call, Fold, Lane, Parts, Recipe, Scratch, Segment, find_lanes
from skpool.kernels.driver.down cimport fold_rows
from skpool.kernels.driver.results cimport write_row
from skpool.kernels.driver.rows cimport find_rows, find_segments, row_of, seek
from skpool.kernels.driver.tree cimport Tree, finish_tree, grow
from skpool.kernels.memory cimport skpool_streamed
from skpool.kernels.shelf cimport divided_up
from skpool.kernels.table cimport Kernel


cdef inline void copy_part(
    char* target, Py_ssize_t target_plane, const char* source, Py_ssize_t source_plane, Py_ssize_t n,
    const Kernel* kernel,
) noexcept nogil:
    """A run of a state row, between rows whose planes are that many numbers apart."""
    cdef Py_ssize_t plane
    for plane in range(kernel.planes):
        memcpy(
            target + plane * target_plane * kernel.width, source + plane * source_plane * kernel.width,
            n * kernel.width,
        )


cdef inline void leave_behind(
    const Parts* target, const Call* call, const Lane* lane, const Fold* fold, Py_ssize_t row, Py_ssize_t first,
    Py_ssize_t columns,
) noexcept nogil:
    """Copy a piece of the accumulator to where its state rows go."""
    cdef const Recipe* recipe = call.recipe
    cdef char* rows = target.values if lane == &recipe.value else target.counts
    copy_part(
        rows + row * part_bytes(&call.parts, recipe, &lane.kernel) + first * recipe.inner * lane.kernel.width,
        call.parts.columns * recipe.inner, fold.levels[0], call.layout.pitch, columns * recipe.inner, &lane.kernel,
    )


cdef void work_on_part(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """Fold a part of an output row's rows over a piece of its columns, and leave the states behind."""
    cdef const Recipe* recipe = call.recipe
    cdef const Parts* parts = &call.parts
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef Segment segments[4]
    cdef Py_ssize_t pieces = divided_up(parts.columns, parts.piece)
    cdef Py_ssize_t first = item % pieces * parts.piece
    cdef Py_ssize_t columns = min(parts.piece, parts.columns - first)
    cdef Py_ssize_t part = item // pieces % parts.count
    cdef Py_ssize_t i, found
    seek(scratch, recipe, item // pieces // parts.count)
    find_rows(scratch, call, part * parts.rows, parts.rows)
    if scratch.listed == 0:
        return
    if parts.width:
        for i in range(scratch.listed):
            scratch.order[i] = (parts.first + i) * parts.width
    found = find_segments(
        segments, scratch, recipe, start_of(&recipe.axes[recipe.leading], 0) + first, columns,
    )
    fold_rows(scratch, call, segments, found)
    for i in range(find_lanes(lanes, folds, scratch, recipe)):
        leave_behind(parts, call, lanes[i], folds[i], item // pieces, first, columns)


cdef void join_parts(
    Scratch* scratch, const Call* call, const Lane* lane, Fold* fold, Py_ssize_t row, Py_ssize_t first,
    Py_ssize_t columns,
) noexcept nogil:
    """Join what the parts of an output row have left, over some of its columns, into the accumulator."""
    cdef const Recipe* recipe = call.recipe
    cdef const Parts* parts = &call.parts
    cdef const Kernel* kernel = &lane.kernel
    cdef Py_ssize_t size = part_bytes(parts, recipe, kernel)
    cdef const char* source = parts.values if lane == &recipe.value else parts.counts
    cdef Py_ssize_t part
    cdef Tree tree
    tree.depth = tree.whole = 0
    source = source + row * parts.count * size + first * recipe.inner * kernel.width
    for part in range(divided_up(scratch.present, parts.rows)):
        tree.node[tree.depth] = fold.levels[tree.depth]
        copy_part(
            tree.node[tree.depth], call.layout.pitch, source + part * size, parts.columns * recipe.inner,
            columns * recipe.inner, kernel,
        )
        grow(&tree, fold, 0, columns * recipe.inner, call, lane, True, False)
    finish_tree(&tree, fold, 0, columns * recipe.inner, call, lane)
    if tree.depth == 0:
        kernel.identity(fold.levels[0], columns * recipe.inner, call.layout.pitch, lane.parameters)


cdef void work_on_joined(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """Join the parts of an output row over a piece of its columns, and leave that behind."""
    cdef const Recipe* recipe = call.recipe
    cdef const Parts* parts = &call.parts
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef Py_ssize_t pieces = divided_up(parts.columns, parts.piece)
    cdef Py_ssize_t first = item % pieces * parts.piece
    cdef Py_ssize_t columns = min(parts.piece, parts.columns - first)
    cdef Py_ssize_t i
    seek(scratch, recipe, item // pieces)
    find_rows(scratch, call, 0, 0)
    for i in range(find_lanes(lanes, folds, scratch, recipe)):
        join_parts(scratch, call, lanes[i], folds[i], item // pieces, first, columns)
        leave_behind(&call.joined, call, lanes[i], folds[i], item // pieces, first, columns)


cdef void work_on_whole(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """Pool a tile of an output row from what its parts have left."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef Py_ssize_t tiles = divided_up(axis.outputs, call.layout.tile)
    cdef Py_ssize_t first = item % tiles * call.layout.tile
    cdef Py_ssize_t outputs = min(call.layout.tile, axis.outputs - first)
    cdef Py_ssize_t i
    cdef char* state
    begin_tile(scratch, call, first, outputs)
    seek(scratch, recipe, item // tiles)
    find_rows(scratch, call, 0, 0)
    for i in range(find_lanes(lanes, folds, scratch, recipe)):
        join_parts(
            scratch, call, lanes[i], folds[i], item // tiles, start_of(axis, first) - start_of(axis, 0),
            columns_under(axis, first, outputs),
        )
    state = fold_tile(scratch, call, first, outputs, NULL)
    write_row(
        scratch, call, state, first, first + outputs,
        row_of(&call.out, scratch, recipe.leading) + first * call.out.column,
    )
    if call.streams:
        skpool_streamed()
