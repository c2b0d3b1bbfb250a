"""Windows whose weights are an outer product: rows are weighed and added up, then columns."""
from libc.stdint cimport uint8_t
from libc.string cimport memset
from skpool.kernels.driver.across cimport begin_tile
from skpool.kernels.driver.axes cimport Axis, columns_under, find_taps, find_whole, start_of
from skpool.kernels.driver.call cimport Call, Recipe, Scratch, Segment, counts_enough, picked_pitch
from skpool.kernels.driver.results cimport write_run
from skpool.kernels.driver.rows cimport advance, find_rows, find_segments, prepared, row_of, seek, slide_rows
from skpool.kernels.memory cimport skpool_streamed
from skpool.kernels.shelf cimport divided_up
from skpool.kernels.table cimport MOST_WEIGHED


cdef struct Outputs:
    # A run of output columns: `first` <= low <= high <= `stop`, and windows [low, high) are whole.
    Py_ssize_t first
    Py_ssize_t low
    Py_ssize_t high
    Py_ssize_t stop
    double norm                     # sum of the weights of their columns


cdef Outputs outputs_of(const Axis* axis, const double* weights, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    cdef Outputs run
    cdef Py_ssize_t t
    run.first, run.stop = first, stop
    find_whole(axis, first, stop, &run.low, &run.high)
    run.norm = 0
    for t in range(axis.taps):
        run.norm = run.norm + weights[t]
    return run


cdef double weigh_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """Weighted sums of the listed rows; returns the sum of their weights. Rows without weight are not present."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t columns = recipe.axes[recipe.leading].taps, s, r, count, size
    cdef const Segment* segment
    cdef const void* rows[MOST_WEIGHED]
    cdef double weights[MOST_WEIGHED]
    cdef const uint8_t* valid = NULL
    cdef double norm = 0
    cdef bint adds
    scratch.present = 0
    for r in range(scratch.listed):
        norm = norm + recipe.row_weights[scratch.order[r] // columns]
        scratch.present = scratch.present + (recipe.row_weights[scratch.order[r] // columns] != 0)
    for s in range(segments_found):
        segment = &segments[s]
        size = recipe.inner * recipe.total_width
        if scratch.present == 0 or (segment.first < 0 and segment.sources == NULL):
            memset(scratch.totals + segment.offset * size, 0, segment.columns * size)
            continue
        r = 0
        adds = False
        while r < scratch.listed:
            count = 0
            while r < scratch.listed and count < MOST_WEIGHED:
                weights[count] = recipe.row_weights[scratch.order[r] // columns]
                if weights[count] != 0:
                    prepared(scratch, call, segment, r, count, &rows[count], &valid)
                    count = count + 1
                r = r + 1
            if count:
                recipe.weigh_rows(
                    scratch.totals + segment.offset * size, rows, weights, count, adds, segment.columns * recipe.inner,
                )
            adds = True
    return norm if scratch.present else 1.0


cdef void part_columns(Scratch* scratch, const Call* call, const char* totals, Py_ssize_t outputs) noexcept nogil:
    """For each column of a window the totals that lie a stride apart, if a stride is more than one column."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.inner * recipe.total_width, pitch = picked_pitch(call) * recipe.total_width, p
    cdef Py_ssize_t extent = (axis.taps - 1) * axis.step
    for p in range(min(axis.stride, extent + 1)):
        recipe.compact_totals(
            scratch.parted + p * pitch, totals + p * width, outputs + (extent - p) // axis.stride, axis.stride,
            recipe.inner,
        )


cdef void weigh_columns(
    Scratch* scratch, const Call* call, const char* totals, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t outputs,
    bint parted, char* sums,
) noexcept nogil:
    """Weighted sums of taps [first, stop) of windows: of those at `totals`, or of all of their columns `parted`."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.inner * recipe.total_width, pitch = picked_pitch(call) * recipe.total_width
    cdef Py_ssize_t t = first, place, count
    cdef const void* rows[MOST_WEIGHED]
    cdef double weights[MOST_WEIGHED]
    cdef bint adds = False
    while t < stop:
        count = 0
        while t < stop and count < MOST_WEIGHED:
            weights[count] = recipe.column_weights[t]
            if weights[count] != 0:
                place = t * axis.step
                rows[count] = totals + place * width
                if parted:
                    rows[count] = scratch.parted + place % axis.stride * pitch + place // axis.stride * width
                count = count + 1
            t = t + 1
        if count:
            recipe.weigh_totals(sums, rows, weights, count, adds, outputs * recipe.inner)
            adds = True
    if not adds:
        memset(sums, 0, outputs * width)


cdef void weigh_window(
    Scratch* scratch, const Call* call, const Outputs* run, Py_ssize_t j, double row_norm, char* natural, bint counts,
) noexcept nogil:
    """The average of window j, which is not whole."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.inner * recipe.total_width, first, stop, t, i, used = 0
    cdef double norm = 0
    find_taps(axis, j, &first, &stop)
    for t in range(first, stop):
        norm = norm + recipe.column_weights[t]
        used = used + (recipe.column_weights[t] != 0)
    weigh_columns(
        scratch, call, scratch.totals + (start_of(axis, j) - start_of(axis, run.first)) * width, first, stop, 1, False,
        scratch.sums,
    )
    recipe.normalise(natural, scratch.sums, row_norm * norm if used else 1.0, recipe.inner)
    if counts:
        for i in range(recipe.inner):
            scratch.counts[(j - run.first) * recipe.inner + i] = <double> (scratch.present * used)


cdef void write_averages(Scratch* scratch, const Call* call, const Outputs* run, double row_norm) noexcept nogil:
    """Averages of a run of windows, from the weighted sums of their rows."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.inner * recipe.total_width, each = recipe.inner * recipe.natural_width, j
    cdef Py_ssize_t outputs = run.high - run.low
    cdef char* target = row_of(&call.out, scratch, recipe.leading) + run.first * call.out.column
    cdef char* natural = scratch.natural
    cdef const char* totals
    cdef bint parted = axis.stride > 1, counts = not counts_enough(scratch, recipe)
    if recipe.widen == NULL and call.out_in_place and not call.streams:
        natural = target
    for j in range(run.first, run.low):
        weigh_window(scratch, call, run, j, row_norm, natural + (j - run.first) * each, counts)
    if outputs:
        totals = scratch.totals + (start_of(axis, run.low) - start_of(axis, run.first)) * width
        if parted:
            part_columns(scratch, call, totals, outputs)
        weigh_columns(scratch, call, totals, 0, axis.taps, outputs, parted, scratch.sums)
        recipe.normalise(
            natural + (run.low - run.first) * each, scratch.sums, row_norm * run.norm, outputs * recipe.inner,
        )
        if counts:
            for j in range((run.low - run.first) * recipe.inner, (run.high - run.first) * recipe.inner):
                scratch.counts[j] = <double> (scratch.present * recipe.most_columns)
    for j in range(run.high, run.stop):
        weigh_window(scratch, call, run, j, row_norm, natural + (j - run.first) * each, counts)
    write_run(
        scratch, call, natural, run.first, run.stop - run.first, scratch.counts if counts else NULL,
        <double> recipe.parameters.minimum, target, NULL,
    )


cdef void work_on_weights(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """As `work`, for weighted averages."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t tiles = divided_up(axis.outputs, call.layout.tile)
    cdef Py_ssize_t first = item % tiles * call.layout.tile
    cdef Py_ssize_t begin = item // tiles * call.block
    cdef Py_ssize_t row, found
    cdef Segment segments[4]
    cdef bint found_rows = False
    cdef Outputs run = outputs_of(axis, recipe.column_weights, first, min(first + call.layout.tile, axis.outputs))
    found = find_segments(
        segments, scratch, recipe, start_of(axis, first), columns_under(axis, first, run.stop - first),
    )
    begin_tile(scratch, call, first, run.stop - first)
    seek(scratch, recipe, begin)
    for row in range(begin, min(begin + call.block, recipe.rows)):
        scratch.stamp = row + 1
        if not found_rows:
            find_rows(scratch, call, 0, recipe.most_rows)
        write_averages(scratch, call, &run, weigh_rows(scratch, call, segments, found))
        advance(scratch, recipe)
        found_rows = slide_rows(scratch, call)
    if call.streams:
        skpool_streamed()
