"""Rows that overlapping windows share, folded once for all of them.

With every image row, one node of each size 2**j that ends there is made, and the last few of each size are kept. Exact
sums run: an image row is added when windows reach it, and taken away when they have passed it. An extremum is that of
two nodes, which meet at a row in the window's midst: one begins with the window's first row, the other grows from that
row on. When windows have passed it, a node from each of their rows to the last is made, and the next row begins to
grow.
"""
from skpool.kernels.driver.across cimport chain_states
from skpool.kernels.driver.axes cimport Axis, find_taps, start_of
from skpool.kernels.driver.call cimport MOST_LEVELS, PIECE, Call, Fold, Lane, Recipe, Scratch, Segment, find_lanes, ring
from skpool.kernels.driver.down cimport fold_rows
from skpool.kernels.driver.rows cimport find_row, find_rows
from skpool.kernels.driver.tree cimport copy_state
from skpool.kernels.memory cimport skpool_prefetch
from skpool.kernels.shelf cimport ALIGNMENT, divided_up
from skpool.kernels.table cimport Kernel


cdef inline char* node_at(
    const Call* call, const Lane* lane, const Fold* fold, Py_ssize_t level, Py_ssize_t position,
) noexcept nogil:
    """The node of 2**level rows from `position` on; positions are counted from the padding's first."""
    cdef Py_ssize_t size = lane.kernel.width * lane.kernel.planes * call.layout.pitch
    return fold.shared[level] + position % ring(call.recipe, level) * size


cdef void share_row(
    const Scratch* scratch, const Call* call, const Lane* lane, const Fold* fold, Py_ssize_t position, Py_ssize_t n,
) noexcept nogil:
    """Make the larger nodes that end with a row; in pieces, which stay in the first-level cache from node to node."""
    cdef const Kernel* kernel = &lane.kernel
    cdef Py_ssize_t piece = divided_up(PIECE, ALIGNMENT * kernel.width * kernel.planes) * ALIGNMENT
    cdef Py_ssize_t at = position + call.recipe.axes[call.recipe.leading - 1].before
    cdef Py_ssize_t oldest = scratch.origin + call.recipe.axes[call.recipe.leading - 1].before
    cdef Py_ssize_t j, first, made = 1, begin = 0, offset
    cdef char* earlier[MOST_LEVELS]
    cdef char* node[MOST_LEVELS]
    node[0] = node_at(call, lane, fold, 0, at)
    for j in range(1, call.recipe.shared_levels):
        first = at + 1 - (<Py_ssize_t> 1 << j)
        if first < oldest:
            break
        earlier[j] = node_at(call, lane, fold, j - 1, first)
        node[j] = node_at(call, lane, fold, j, first)
        made = j + 1
    while begin < n:
        offset = begin * kernel.width
        for j in range(1, made):                           # nodes without places
            kernel.merge(
                node[j] + offset, earlier[j] + offset, node[j - 1] + offset, min(piece, n - begin),
                call.layout.pitch, 0, lane.parameters,
            )
        begin = begin + piece


cdef void put_together(
    const Scratch* scratch, const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t n,
) noexcept nogil:
    """The tree over the window's rows, from the last and smallest node back to the first and largest."""
    cdef Py_ssize_t before = call.recipe.axes[call.recipe.leading - 1].before
    cdef Py_ssize_t left = scratch.present, level = 0, found = 0
    cdef char* nodes[MOST_LEVELS]
    while left:
        if left >> level & 1:
            left = left - (<Py_ssize_t> 1 << level)
            nodes[found] = node_at(call, lane, fold, level, first + before + left)
            found = found + 1
        level = level + 1
    fold.folded = chain_states(call, lane, fold, nodes, found, n, fold.levels[0])


cdef void reach_last(
    const Scratch* scratch, const Call* call, const Lane* lane, const Fold* fold, Py_ssize_t first, Py_ssize_t n,
) noexcept nogil:
    """Make of the nodes of single rows, from `first` on, nodes that reach to the last row held."""
    cdef Py_ssize_t before = call.recipe.axes[call.recipe.leading - 1].before
    cdef Py_ssize_t columns = call.recipe.axes[call.recipe.leading].taps, row
    cdef char* node = node_at(call, lane, fold, 0, scratch.reached - 1 + before)
    cdef char* later
    for row in range(scratch.reached - 2, first - 1, -1):
        later = node
        node = node_at(call, lane, fold, 0, row + before)
        lane.kernel.merge(node, node, later, n, call.layout.pitch, columns, lane.parameters)


cdef void grow_part(
    const Scratch* scratch, const Call* call, const Lane* lane, Fold* fold, Py_ssize_t n,
) noexcept nogil:
    """Fold the row just reached into the node that grows from the middle on."""
    cdef Py_ssize_t columns = call.recipe.axes[call.recipe.leading].taps
    cdef Py_ssize_t before = call.recipe.axes[call.recipe.leading - 1].before
    cdef const char* row = node_at(call, lane, fold, 0, scratch.reached + before)
    if scratch.reached == scratch.middle:
        copy_state(fold.part[0], row, n, call, &lane.kernel)
        return
    lane.kernel.merge(
        fold.part[0], fold.part[0], row, n, call.layout.pitch, (scratch.reached - scratch.middle) * columns,
        lane.parameters,
    )


cdef void join_at_middle(
    const Scratch* scratch, const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t n,
) noexcept nogil:
    """The window's two nodes in one."""
    cdef Py_ssize_t columns = call.recipe.axes[call.recipe.leading].taps
    cdef char* node = node_at(call, lane, fold, 0, first + call.recipe.axes[call.recipe.leading - 1].before)
    fold.folded = node
    if scratch.middle == scratch.reached:
        return
    fold.folded = fold.levels[0]
    lane.kernel.merge(
        fold.levels[0], node, fold.part[0], n, call.layout.pitch, (scratch.middle - first) * columns,
        lane.parameters,
    )


cdef void fetch_below(
    const Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """Ask for the row that comes after the one just reached, while that one is folded into what windows share.

    At 2048 x 2048, maxima take 0.8 to 0.9 of the time without, sums 0.9 to 0.97.
    """
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t last = recipe.leading - 1, s
    if not (call.rows_in_place and 0 <= scratch.reached < recipe.axes[last].length - 1):
        return
    for s in range(segments_found):
        if segments[s].sources == NULL and segments[s].first >= 0:
            skpool_prefetch(
                scratch.sources[0] + call.image.leading[last] + segments[s].first * call.image.column,
                segments[s].columns * recipe.inner * recipe.row_width,
            )


cdef void fold_shared(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t columns,
    bint goes_on,
) noexcept nogil:
    """As `fold_rows`, from what windows share; `goes_on` from the output row before."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading - 1]
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef char* accumulators[2]
    cdef Py_ssize_t used = find_lanes(lanes, folds, scratch, recipe)
    cdef Py_ssize_t output = scratch.output[recipe.leading - 1], first, stop, i, n = columns * recipe.inner
    cdef bint passes                                       # the row at which nodes meet lies behind the window
    find_rows(scratch, call, 0, 0)
    find_taps(axis, output, &first, &stop)
    scratch.skipped = first
    first = first + start_of(axis, output)
    if scratch.present == 0:
        fold_rows(scratch, call, segments, segments_found)
        for i in range(used):
            folds[i].folded = folds[i].levels[0]
        scratch.reached = scratch.origin = scratch.middle = -1 - axis.before       # before any row
        return
    if not goes_on or scratch.reached < first:
        scratch.reached = scratch.origin = scratch.middle = first
        for i in range(used if recipe.runs else 0):
            lanes[i].kernel.identity(folds[i].shared[0], n, call.layout.pitch, lanes[i].parameters)
    passes = first >= scratch.middle
    while scratch.reached < first + scratch.present:
        find_row(scratch, call, scratch.reached)
        for i in range(used):
            accumulators[i] = folds[i].levels[0]
            if not recipe.runs:                            # a row is a node, and made in its place
                folds[i].levels[0] = node_at(call, lanes[i], folds[i], 0, scratch.reached + axis.before)
        fold_rows(scratch, call, segments, segments_found)
        fetch_below(scratch, call, segments, segments_found)
        for i in range(used):
            folds[i].levels[0] = accumulators[i]
            if recipe.runs:
                lanes[i].kernel.fold(
                    folds[i].shared[0], folds[i].levels[0], n, call.layout.pitch, lanes[i].parameters,
                )
            elif not recipe.meets:
                share_row(scratch, call, lanes[i], folds[i], scratch.reached, n)
            elif not passes:
                grow_part(scratch, call, lanes[i], folds[i], n)
        scratch.reached = scratch.reached + 1
    while recipe.runs and scratch.origin < first:
        find_row(scratch, call, scratch.origin)
        fold_rows(scratch, call, segments, segments_found)
        for i in range(used):
            lanes[i].kernel.unfold(folds[i].shared[0], folds[i].levels[0], n, call.layout.pitch, lanes[i].parameters)
        scratch.origin = scratch.origin + 1
    for i in range(used):
        if recipe.runs:
            folds[i].folded = folds[i].shared[0]
        elif not recipe.meets:
            put_together(scratch, call, lanes[i], folds[i], first, n)
        elif passes:
            reach_last(scratch, call, lanes[i], folds[i], first, n)
    if recipe.meets and passes:
        scratch.middle = scratch.reached
    for i in range(used if recipe.meets else 0):
        join_at_middle(scratch, call, lanes[i], folds[i], first, n)
