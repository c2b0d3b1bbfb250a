"""States of windows, finished, converted and written; and where what they found lies in the image."""
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset
from skpool.kernels.driver.axes cimport Axis, count_of, find_whole, source_of, start_of
from skpool.kernels.driver.call cimport Call, Recipe, Scratch, counts_enough, places_listed
from skpool.kernels.driver.rows cimport advance, fill_row, flat_row, row_of
from skpool.kernels.memory cimport skpool_stream
from skpool.kernels.shelf cimport divided_up

cdef enum:
    SHORT_ROW = 256         # elements with counts of their own: in three runs averages at 3/1 take 1.05 to 1.25


cdef void list_places(Scratch* scratch, const Recipe* recipe) noexcept nogil:
    """List the index of each place in the windows of an output row, as if they began at column 0."""
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t row, tap
    cdef int64_t flat, nowhere = -(<int64_t> 1 << 62)      # stays negative, whatever is added
    for row in range(recipe.most_rows):
        flat = flat_row(scratch, recipe, row + scratch.skipped)
        for tap in range(axis.taps):
            scratch.flat[row * axis.taps + tap] = (
                nowhere if flat < 0 else (flat * axis.length + tap * axis.step) * recipe.inner
            )


cdef void find_each_index(
    Scratch* scratch, const Recipe* recipe, const char* state, Py_ssize_t pitch, Py_ssize_t first, Py_ssize_t outputs,
    int64_t* places,
) noexcept nogil:
    """Indices of any run of windows; columns of padding are looked up."""
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef int64_t flat, column
    cdef Py_ssize_t j, c, i = 0
    recipe.finish_places(places, state, NULL, 0, 0, 0, 0, outputs * recipe.inner, pitch)
    for j in range(first, first + outputs):
        for c in range(recipe.inner):
            if places[i] >= 0:
                flat = flat_row(scratch, recipe, places[i] // axis.taps + scratch.skipped)
                column = source_of(axis, start_of(axis, j) + (places[i] % axis.taps) * axis.step)
                places[i] = -1 if flat < 0 or column < 0 else (flat * axis.length + column) * recipe.inner + c
            i = i + 1


cdef void find_indices(
    Scratch* scratch, const Recipe* recipe, const char* state, Py_ssize_t pitch, Py_ssize_t first, Py_ssize_t outputs,
    int64_t* places,
) noexcept nogil:
    """Indices of a run of evenly spaced windows within the image, from those of the first."""
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t inner = recipe.inner, width = inner * recipe.value.kernel.width, j
    list_places(scratch, recipe)
    if inner == 1 or axis.stride == 1:                     # elements are evenly spaced, too
        recipe.finish_places(
            places, state, scratch.flat, axis.taps, recipe.most_rows, start_of(axis, first) * inner, axis.stride,
            outputs * inner, pitch,
        )
        return
    for j in range(outputs):
        recipe.finish_places(
            places + j * inner, state + j * width, scratch.flat, axis.taps, recipe.most_rows,
            start_of(axis, first + j) * inner, 1, inner, pitch,
        )


cdef void write_places(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t outputs,
    const double* counts, double count, char* target,
) noexcept nogil:
    """Places in the window -> flat indices into the image, -1 where nothing or a constant was found."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef int64_t* places = <int64_t*> target if call.places_in_place else scratch.places
    cdef int64_t nothing = -1
    cdef Py_ssize_t inner = recipe.inner, width = inner * recipe.value.kernel.width, n = outputs * inner
    cdef Py_ssize_t pitch = call.layout.pitch, stop = first + outputs, low = stop, high = stop, past
    if 0 < places_listed(recipe) <= 4 * n and axis.start == NULL:      # worth it; windows [low, high) lie in the image
        past = max(axis.length + axis.before - (axis.taps - 1) * axis.step, <Py_ssize_t> 0)
        low = min(max(divided_up(axis.before, axis.stride), first), stop)
        high = min(max(divided_up(past, axis.stride), low), stop)
        find_indices(
            scratch, recipe, state + (low - first) * width, pitch, low, high - low, places + (low - first) * inner,
        )
    find_each_index(scratch, recipe, state, pitch, first, low - first, places)
    find_each_index(
        scratch, recipe, state + (high - first) * width, pitch, high, stop - high, places + (high - first) * inner,
    )
    if counts != NULL:
        recipe.blank_places(places, counts, <double> recipe.parameters.minimum, n, &nothing)
    elif count < recipe.parameters.minimum:
        memset(places, 0xff, n * sizeof(int64_t))
    if not call.places_in_place:
        recipe.store_places(target, places, outputs, call.places.column, recipe.inner, call.places.inner)


cdef inline const char* finished(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t n, const double* counts, double count,
    char* result,
) noexcept nogil:
    """Results of states, of one count or with a row of counts: where the states lie if they are that, else `result`."""
    cdef const Recipe* recipe = call.recipe
    cdef const char* row = state
    cdef char* natural = scratch.natural if recipe.widen != NULL else result
    cdef bint blanks = count < recipe.parameters.minimum
    if counts != NULL:
        blanks = recipe.masked or recipe.taps or not counts_enough(scratch, recipe)
    if recipe.finish != NULL:
        recipe.finish(natural, state, counts, count, n, call.layout.pitch, &scratch.parameters)
        row = natural
    if recipe.widen != NULL:
        recipe.widen(scratch.wide, row, n, recipe.fill)
        recipe.narrow(result, scratch.wide, n, recipe.fill)
        row = result
    if blanks and counts == NULL:
        fill_row(result, recipe.fill, recipe.out_width, n)
        return result
    if blanks:
        if row != result:
            memcpy(result, row, n * recipe.out_width)
        recipe.blank(result, counts, <double> recipe.parameters.minimum, n, recipe.fill)
        return result
    return row


cdef inline void put(const Call* call, const char* row, Py_ssize_t outputs, char* target) noexcept nogil:
    """A row of results to where it goes, unless it is there."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t size = outputs * recipe.inner * recipe.out_width
    if call.streams:
        skpool_stream(target, row, size)
    elif not call.out_in_place:
        recipe.store(target, row, outputs, call.out.column, recipe.inner, call.out.inner)
    elif row != target:
        memcpy(target, row, size)


cdef void write_run(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t outputs,
    const double* counts, double count, char* target, char* places,
) noexcept nogil:
    """Finish, convert and write a run of outputs: of one count, or with a row of counts."""
    cdef char* result = target if call.out_in_place and not call.streams else scratch.result
    put(
        call, finished(scratch, call, state, outputs * call.recipe.inner, counts, count, result), outputs, target,
    )
    if call.recipe.finish_places != NULL:
        write_places(scratch, call, state, first, outputs, counts, count, places)


cdef void count_columns(Scratch* scratch, const Recipe* recipe, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    """A row of counts from the table of the columns."""
    cdef Py_ssize_t j, i
    cdef double count
    for j in range(first, first + outputs):
        count = <double> (scratch.present * count_of(&recipe.axes[recipe.leading], j))
        for i in range((j - first) * recipe.inner, (j - first + 1) * recipe.inner):
            scratch.counts[i] = count


cdef const double* count_each(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil:
    """A row of counts for each row that is finished together, made anew where windows have other rows than before."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t n = outputs * recipe.inner, size, i
    if scratch.counted == scratch.present:
        return scratch.counts
    count_columns(scratch, recipe, first, outputs)
    if call.layout.together > 1:
        size = call.layout.apart * recipe.inner
        for i in range(n, size):
            scratch.counts[i] = 1                          # of what is no output
        for i in range(1, call.layout.together):
            memcpy(scratch.counts + i * size, scratch.counts, size * sizeof(double))
    scratch.counted = scratch.present
    return scratch.counts


cdef void write_row(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t stop, char* target,
) noexcept nogil:
    """Write outputs [first, stop): at once if they are few or their counts are known by pixel, else the ends apart."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.value.kernel.width * recipe.inner
    cdef Py_ssize_t bounds[4]
    cdef Py_ssize_t i, run
    cdef char* places = row_of(&call.places, scratch, recipe.leading) + first * call.places.column
    if recipe.masked:
        write_run(scratch, call, state, first, stop - first, scratch.counts, 0, target, places)
        return
    if recipe.finish == NULL and counts_enough(scratch, recipe):
        # Counts change nothing.
        write_run(
            scratch, call, state, first, stop - first, NULL, <double> recipe.parameters.minimum, target, places,
        )
        return
    bounds[0], bounds[3] = first, stop
    find_whole(axis, first, stop, &bounds[1], &bounds[2])
    if (bounds[1] > first or bounds[2] < stop) and (stop - first) * recipe.inner <= SHORT_ROW:
        write_run(
            scratch, call, state, first, stop - first, count_each(scratch, call, first, stop - first), 0, target,
            places,
        )
        return
    for i in range(3):
        run = bounds[i + 1] - bounds[i]
        if run == 0:
            continue
        if i != 1:
            count_columns(scratch, recipe, bounds[i], run)
        write_run(
            scratch, call, state + (bounds[i] - first) * width, bounds[i], run,
            NULL if i == 1 else scratch.counts, <double> (scratch.present * axis.taps),
            target + (bounds[i] - first) * call.out.column, places + (bounds[i] - first) * call.places.column,
        )


cdef void write_rows(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t rows,
    char* target,
) noexcept nogil:
    """Write `rows` output rows of whole tiles, from the one stepped to; where their counts agree, finished together."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t hop = call.out.leading[recipe.leading - 1], low, high, size, i
    cdef bint counts_matter = recipe.finish != NULL or not counts_enough(scratch, recipe)
    cdef bint one_count
    cdef const double* counts = NULL
    cdef const char* row
    find_whole(axis, first, stop, &low, &high)
    one_count = low == first and high == stop
    if rows == 1 or recipe.finish_places != NULL or (
        counts_matter and not one_count and (stop - first) * recipe.inner > SHORT_ROW
    ):
        size = call.layout.apart * recipe.inner * recipe.value.kernel.width
        for i in range(rows):
            write_row(scratch, call, state + i * size, first, stop, target + i * hop)
            advance(scratch, recipe)
        return
    if counts_matter and not one_count:
        counts = count_each(scratch, call, first, stop - first)
    row = finished(
        scratch, call, state, ((rows - 1) * call.layout.apart + stop - first) * recipe.inner, counts,
        <double> (scratch.present * axis.taps) if counts_matter else <double> recipe.parameters.minimum,
        scratch.result,
    )
    for i in range(rows):
        put(call, row + i * call.layout.apart * recipe.inner * recipe.out_width, stop - first, target + i * hop)
        advance(scratch, recipe)
