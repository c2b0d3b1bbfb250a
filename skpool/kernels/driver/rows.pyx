"""The rows of a window: where each lies, and how it is made ready for the kernels."""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset
from skpool.kernels.driver.axes cimport CONSTANT, Axis, find_taps, source_of, start_of
from skpool.kernels.driver.call cimport BLOCK, MOST_AXES, Call, Recipe, Scratch, Segment, View
from skpool.kernels.table cimport Kernel


cdef struct Rows:
    # Rows of the image at some positions of its first leading axes; one row, when all axes are entered.
    char* begin
    char* mask
    int64_t number                  # among those of the axes entered
    bint constant                   # they are padding


cdef inline Rows all_rows(const Call* call) noexcept nogil:
    cdef Rows rows
    rows.begin, rows.mask = call.image.data, call.mask.data
    rows.number = 0
    rows.constant = False
    return rows


cdef inline void enter(Rows* rows, const Call* call, Py_ssize_t a, Py_ssize_t position) noexcept nogil:
    """Keep the rows at a position of the leading axis `a`, the next to be entered."""
    cdef Py_ssize_t source = source_of(&call.recipe.axes[a], position)
    if source < 0:
        rows.constant = True
        source = 0
    rows.begin = rows.begin + source * call.image.leading[a]
    rows.mask = rows.mask + source * call.mask.leading[a]
    rows.number = rows.number * call.recipe.axes[a].length + source


cdef inline void list_row(Scratch* scratch, const Rows* row, Py_ssize_t r, int64_t order) noexcept nogil:
    scratch.sources[r] = NULL if row.constant else row.begin
    scratch.masks[r] = <const uint8_t*> row.mask
    scratch.order[r] = order
    scratch.name[r] = row.number


cdef void find_rows(Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t most) noexcept nogil:
    """List image rows of the output row, in order, through all leading axes: `most` of them, from number `first` on.

    Rows that hold nothing are left out, and not numbered.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis
    cdef Py_ssize_t starts[MOST_AXES]
    cdef Py_ssize_t firsts[MOST_AXES]
    cdef Py_ssize_t stops[MOST_AXES]
    cdef Py_ssize_t taps[MOST_AXES]
    cdef Py_ssize_t a, t, last = recipe.leading - 1, rest = first, found = 0, outer_place
    cdef Rows outer, row
    scratch.present = 1
    scratch.skipped = 0
    for a in range(recipe.leading):
        axis = &recipe.axes[a]
        starts[a] = start_of(axis, scratch.output[a])
        find_taps(axis, scratch.output[a], &firsts[a], &stops[a])
        scratch.present = scratch.present * (stops[a] - firsts[a])
    scratch.listed = min(most, scratch.present - first)
    if scratch.listed <= 0:
        scratch.listed = 0
        return
    if last < 0:
        scratch.sources[0] = call.image.data
        scratch.masks[0] = <const uint8_t*> call.mask.data
        scratch.order[0] = scratch.name[0] = 0
        return
    for a in range(last, -1, -1):
        taps[a] = firsts[a]
        if rest:
            taps[a] = firsts[a] + rest % (stops[a] - firsts[a])
            rest = rest // (stops[a] - firsts[a])
    while True:
        outer = all_rows(call)
        outer_place = 0
        for a in range(last):
            axis = &recipe.axes[a]
            enter(&outer, call, a, starts[a] + taps[a] * axis.step)
            outer_place = outer_place * axis.taps + taps[a]
        axis = &recipe.axes[last]
        for t in range(taps[last], stops[last]):
            row = outer
            enter(&row, call, last, starts[last] + t * axis.step)
            list_row(scratch, &row, found, (outer_place * axis.taps + t) * recipe.axes[recipe.leading].taps)
            found = found + 1
            if found == scratch.listed:
                return
        taps[last] = firsts[last]
        for a in range(last - 1, -1, -1):
            taps[a] = taps[a] + 1
            if taps[a] < stops[a]:
                break
            taps[a] = firsts[a]


cdef void find_row(Scratch* scratch, const Call* call, Py_ssize_t position) noexcept nogil:
    """List the one image row at a position of the last leading axis; windows have one row along the others."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t a
    cdef Rows row = all_rows(call)
    for a in range(recipe.leading - 1):
        enter(&row, call, a, start_of(&recipe.axes[a], scratch.output[a]))
    enter(&row, call, recipe.leading - 1, position)
    list_row(scratch, &row, 0, 0)
    scratch.listed = 1


cdef int64_t flat_row(const Scratch* scratch, const Recipe* recipe, int64_t place) noexcept nogil:
    """The number of the image row at a place among a window's rows, or CONSTANT."""
    cdef Py_ssize_t a, tap, source
    cdef int64_t flat = 0, scale = 1
    cdef const Axis* axis
    for a in range(recipe.leading - 1, -1, -1):
        axis = &recipe.axes[a]
        tap = place
        if a > 0:
            tap = place % axis.taps
            place = place // axis.taps
        source = source_of(axis, start_of(axis, scratch.output[a]) + tap * axis.step)
        if source < 0:
            return CONSTANT
        flat = flat + source * scale
        scale = scale * axis.length
    return flat


cdef Py_ssize_t find_segments(
    Segment* segments, Scratch* scratch, const Recipe* recipe, Py_ssize_t begin, Py_ssize_t columns,
) noexcept nogil:
    """Cut columns at positions from `begin` on into at most four runs; `first` is -1 where a run holds nothing."""
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t before = min(max(-begin, 0), columns)
    cdef Py_ssize_t inside = min(max(axis.length - begin - before, 0), columns - before)
    cdef Py_ssize_t past = min(max(axis.length + axis.after - begin - before - inside, 0), columns - before - inside)
    cdef Py_ssize_t bounds[5]
    cdef Py_ssize_t i, c, found = 0
    if axis.ignores:
        past = 0
    bounds[0] = 0
    bounds[1] = before
    bounds[2] = before + inside
    bounds[3] = before + inside + past
    bounds[4] = columns
    for i in range(4):
        if bounds[i + 1] == bounds[i]:
            continue
        segments[found].offset = bounds[i]
        segments[found].columns = bounds[i + 1] - bounds[i]
        segments[found].first = begin + bounds[i]
        segments[found].sources = NULL
        if i == 3 or (i == 0 and axis.ignores):
            segments[found].first = -1
        elif i != 1:
            segments[found].sources = scratch.column_sources + bounds[i]
            for c in range(bounds[i], bounds[i + 1]):
                scratch.column_sources[c] = source_of(axis, begin + c)
        found = found + 1
    return found


cdef void fill_row(char* row, const char* value, Py_ssize_t width, Py_ssize_t n) noexcept nogil:
    """`n` times the value, by doubling: number by number, a thread's scratch takes as long as dozens of rows."""
    cdef Py_ssize_t size = n * width, filled = min(width, size)
    memcpy(row, value, filled)
    while filled < size:
        memcpy(row + filled, row, min(filled, size - filled))
        filled = 2 * filled


cdef inline void load_columns(
    const Recipe* recipe, char* row, const char* source, Py_ssize_t columns, const View* image,
) noexcept nogil:
    """Columns of the image as a row that the kernels read."""
    recipe.load(row, source, columns, image.column, recipe.inner, image.inner)
    if recipe.keys != NULL:
        recipe.keys(row, columns * recipe.inner)


cdef void load_padding(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, char* row,
) noexcept nogil:
    """A short row of padded columns, and its mask."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t c, size = recipe.inner * recipe.row_width
    cdef int64_t source
    for c in range(segment.columns):
        source = segment.sources[c]
        if source < 0:
            fill_row(row + c * size, recipe.constant, recipe.row_width, recipe.inner)
            if recipe.masked:
                memset(scratch.mask + c * recipe.inner, 1, recipe.inner)
            continue
        load_columns(recipe, row + c * size, scratch.sources[r] + source * call.image.column, 1, &call.image)
        if recipe.masked:
            if call.mask.data == NULL:
                memset(scratch.mask + c * recipe.inner, 1, recipe.inner)
            else:
                recipe.load_mask(
                    scratch.mask + c * recipe.inner, <const char*> scratch.masks[r] + source * call.mask.column,
                    1, call.mask.column, recipe.inner, call.mask.inner,
                )


cdef void prepare(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, char* target, uint8_t* valid_target,
    const void** row, const uint8_t** valid,
) noexcept nogil:
    """Row `r` of the window as the kernels read it: where it lies if that will do, else at `target`."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t n = segment.columns * recipe.inner
    cdef char* loaded = scratch.loaded if recipe.masked else target
    cdef const uint8_t* mask = NULL
    cdef const char* source = scratch.sources[r]
    if source == NULL:
        row[0] = scratch.constant
    elif segment.sources != NULL:
        load_padding(scratch, call, segment, r, loaded)
        row[0] = loaded
        mask = scratch.mask
    else:
        source = source + segment.first * call.image.column
        if call.rows_in_place:
            row[0] = source
        else:
            load_columns(recipe, loaded, source, segment.columns, &call.image)
            row[0] = loaded
        if call.mask.data != NULL:
            mask = scratch.masks[r] + segment.first * call.mask.column
            if not call.mask_in_place:
                recipe.load_mask(
                    scratch.mask, <const char*> mask, segment.columns, call.mask.column, recipe.inner,
                    call.mask.inner,
                )
                mask = scratch.mask
    valid[0] = NULL
    if recipe.masked:
        valid[0] = valid_target
        recipe.select(target, valid_target, row[0], mask, recipe.omit, n, recipe.neutral)
        row[0] = target


cdef Py_ssize_t slot_of(Scratch* scratch, const Call* call, int64_t name, bint* found) noexcept nogil:
    """The slot that keeps a row, or one that the current window does not use."""
    cdef Py_ssize_t slot, idle = 0
    for slot in range(call.layout.slots):
        if scratch.kept[slot] == name:
            found[0] = True
            scratch.stamps[slot] = scratch.stamp
            return BLOCK + slot
        if scratch.stamps[slot] != scratch.stamp:
            idle = slot
    found[0] = False
    scratch.kept[idle] = name
    scratch.stamps[idle] = scratch.stamp
    return BLOCK + idle


cdef void* made_ready(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, Py_ssize_t slot,
    const void** row, const uint8_t** valid,
) noexcept nogil:
    """As `prepared`, for rows that are not read where they lie."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef bint lifts = kernel.block == 1
    cdef bint found = False
    cdef void* state
    if keeps(scratch, call, segment, r):
        slot = slot_of(scratch, call, scratch.name[r], &found)
    if not found or (call.rows_in_place and not recipe.masked):
        prepare(
            scratch, call, segment, r, slot_row(scratch, call, slot), slot_valid(scratch, call, slot), row, valid,
        )
    else:
        row[0] = slot_row(scratch, call, slot)
        valid[0] = slot_valid(scratch, call, slot) if recipe.masked else NULL
    if not lifts:
        return NULL
    state = scratch.lifted + slot * kernel.width * kernel.planes * call.layout.pitch
    if not found:
        kernel.gather(
            state, row, valid, &scratch.order[r], 1, segment.columns * recipe.inner, call.layout.pitch,
            recipe.value.parameters,
        )
    return state
