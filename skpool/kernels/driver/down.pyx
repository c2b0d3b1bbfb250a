"""The rows of a window, folded into one state row."""
from libc.stdint cimport uint8_t
from libc.string cimport memset
from skpool.kernels.driver.call cimport BLOCK, Call, Fold, Lane, Recipe, Scratch, Segment, find_lanes
from skpool.kernels.driver.rows cimport completed, keeps, prepared, rows_at_once
from skpool.kernels.driver.tree cimport Tree, copy_state, finish_tree, grow
from skpool.kernels.memory cimport LINE, lead_of, skpool_prefetch_near
from skpool.kernels.table cimport Kernel

cdef enum:
    STREAMS = 4             # a block's rows are asked for in so many runs, side by side,
    RUN = BLOCK // STREAMS  # of so many rows


cdef inline void find_next(
    const char** next_rows, const Scratch* scratch, const Call* call, Py_ssize_t r, Py_ssize_t column,
) noexcept nogil:
    """Where the rows of the block after that of row `r` begin, from a column's byte on; for those absent, any row."""
    cdef Py_ssize_t i
    cdef const char* source
    for i in range(BLOCK):
        source = scratch.sources[r + i]
        if r + BLOCK + i < scratch.listed:
            source = scratch.sources[r + BLOCK + i]
        elif scratch.listed == BLOCK and source != NULL:    # the next window's
            source = source + BLOCK * call.image.leading[call.recipe.leading - 1]
        next_rows[i] = <const char*> scratch.absent if source == NULL else source + column


cdef inline void gather_piece(
    const Call* call, char* state, const void** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t first, Py_ssize_t n,
) noexcept nogil:
    """Gather `n` elements of image rows where they lie, from one on."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const void* from_here[BLOCK]
    cdef Py_ssize_t i
    for i in range(count):
        from_here[i] = <const char*> rows[i] + first * recipe.row_width
    kernel.gather(
        state + first * kernel.width, from_here, valid, order, count, n, call.layout.pitch, recipe.value.parameters,
    )


cdef void gather_asking(
    const Scratch* scratch, const Call* call, const Segment* segment, const void** rows, Py_ssize_t r, char* node,
    char* earlier,
) noexcept nogil:
    """Gather a block of rows piece by piece, and ask meanwhile for the next block.

    A node `earlier`, unless NULL, is to be joined with that of the block: it is at once, while both are in reach.

    Eight rows read side by side are too many for a processor that looks ahead by itself: it is asked for them, a line
    of each at a time, into the first cache. At 4096 x 4096, maxima and averages of float32, of the whole and 8/8, take
    0.70 to 0.72 of the time on one thread, and 0.76 to 0.89 on two, of what they take if asked for four lines at a time
    into the second cache; that is 0.8 of the time without. Two lines at a time take 0.87 to 0.92 on one thread, rows
    in the order in which they lie 1.1 on two.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const uint8_t* valid[BLOCK]
    cdef const char* next_rows[BLOCK]
    cdef Py_ssize_t n = segment.columns * recipe.inner, i, done = 0, now, piece = LINE // recipe.row_width
    cdef Py_ssize_t run = 0, asked = 0                     # of each run of rows, the row, and how far it is asked for
    memset(valid, 0, sizeof(valid))
    find_next(next_rows, scratch, call, r, segment.first * call.image.column)
    now = lead_of(rows[0], recipe.row_width, n)
    if now == 0:
        now = min(piece, n)
    while done < n:
        for i in range(STREAMS):
            skpool_prefetch_near(next_rows[i * RUN + run] + asked * recipe.row_width, RUN * LINE)
        asked = asked + RUN * now
        if asked >= n:
            asked = asked - n
            run = run + 1
        gather_piece(call, node, rows, valid, scratch.order + r, BLOCK, done, now)
        if earlier != NULL:
            kernel.fold(
                earlier + done * kernel.width, node + done * kernel.width, now, call.layout.pitch,
                recipe.value.parameters,
            )
        done = done + now
        now = min(piece, n - done)


cdef void gather_in_place(
    const Call* call, char* state, const void** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, const char* asked,
) noexcept nogil:
    """Gather image rows where they lie, of long ones first what is ahead of a cache line.

    Unless `asked` is NULL, as many rows from there on as the next windows add are asked for, piece by piece: asked for
    at once, before the first is gathered, maxima at 3/1 of 4096 x 4096 take 1.3 to 1.5 times as long.
    """
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t piece = n if asked == NULL else call.asked // recipe.row_width
    cdef Py_ssize_t now = lead_of(rows[0], recipe.row_width, n), done = 0
    if now == 0:
        now = min(piece, n)
    while done < n:
        if asked != NULL:
            ask_for_rows(call, asked + done * recipe.row_width, now * recipe.row_width)
        gather_piece(call, state, rows, valid, order, count, done, now)
        done = done + now
        now = min(piece, n - done)


cdef void down(Scratch* scratch, const Call* call, const Segment* segment) noexcept nogil:
    """Fold the listed rows over one segment into the accumulator by the tree T, and count them."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const Kernel* counter = &recipe.count.kernel
    cdef Fold* fold = &scratch.value
    cdef Py_ssize_t n = segment.columns * recipe.inner
    cdef Py_ssize_t offset = segment.offset * recipe.inner * kernel.width
    cdef Py_ssize_t count_offset = segment.offset * recipe.inner * counter.width
    cdef const void* rows[BLOCK]
    cdef const uint8_t* valid[BLOCK]
    cdef Tree tree
    cdef char* node = NULL
    cdef Py_ssize_t r = 0, i, left, rows_taken
    cdef bint joined
    tree.depth = tree.whole = 0
    while r < scratch.listed:
        left = scratch.listed - r
        rows_taken = rows_at_once(recipe, left) if kernel.block == BLOCK else 1
        joined = False
        for i in range(rows_taken):
            node = <char*> prepared(scratch, call, segment, r + i, i, &rows[i], &valid[i])
        if recipe.masked:                                  # counts are exact in any order
            counter.gather(
                scratch.count.levels[0 if r == 0 else 1] + count_offset, <const void**> valid, valid,
                scratch.order, rows_taken, n, call.layout.pitch, recipe.count.parameters,
            )
            if r > 0:
                counter.fold(
                    scratch.count.levels[0] + count_offset, scratch.count.levels[1] + count_offset, n,
                    call.layout.pitch, recipe.count.parameters,
                )
        if kernel.planes:
            if kernel.block == BLOCK:
                node = fold.levels[tree.depth] + offset
                if rows_taken == BLOCK and call.asks and segment.sources == NULL:
                    joined = tree.whole & 1
                    gather_asking(
                        scratch, call, segment, rows, r, node, tree.node[tree.depth - 1] if joined else NULL,
                    )
                else:
                    kernel.gather(
                        node, rows, valid, scratch.order + r, completed(scratch, rows_taken, rows, valid), n,
                        call.layout.pitch, recipe.value.parameters,
                    )
            elif not keeps(scratch, call, segment, r):
                copy_state(fold.levels[tree.depth] + offset, node, n, call, kernel)
                node = fold.levels[tree.depth] + offset
            tree.node[tree.depth] = node
            grow(&tree, fold, offset, n, call, &recipe.value, rows_taken == kernel.block, joined)
        r = r + rows_taken
    finish_tree(&tree, fold, offset, n, call, &recipe.value)


cdef void fold_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """Fold the listed rows into the accumulators, over all segments."""
    cdef const Recipe* recipe = call.recipe
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef const Segment* segment
    cdef Py_ssize_t s, i, used = find_lanes(lanes, folds, scratch, recipe)
    for s in range(segments_found):
        segment = &segments[s]
        if scratch.listed and (segment.first >= 0 or segment.sources != NULL):
            if used:
                down(scratch, call, segment)
            continue
        for i in range(used):
            lanes[i].kernel.identity(
                folds[i].levels[0] + segment.offset * recipe.inner * lanes[i].kernel.width,
                segment.columns * recipe.inner, call.layout.pitch, lanes[i].parameters,
            )
