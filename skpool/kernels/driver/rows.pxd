"""The rows of a window: where each lies, and how it is made ready for the kernels."""
from libc.stdint cimport int64_t, uint8_t
from skpool.kernels.driver.axes cimport Axis
from skpool.kernels.driver.call cimport BLOCK, Call, Recipe, Scratch, Segment, View

cdef void find_rows(Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t most) noexcept nogil

cdef void find_row(Scratch* scratch, const Call* call, Py_ssize_t position) noexcept nogil

cdef int64_t flat_row(const Scratch* scratch, const Recipe* recipe, int64_t place) noexcept nogil

cdef Py_ssize_t find_segments(
    Segment* segments, Scratch* scratch, const Recipe* recipe, Py_ssize_t begin, Py_ssize_t columns,
) noexcept nogil

cdef void fill_row(char* row, const char* value, Py_ssize_t width, Py_ssize_t n) noexcept nogil

cdef void prepare(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, char* target, uint8_t* valid_target,
    const void** row, const uint8_t** valid,
) noexcept nogil

cdef Py_ssize_t slot_of(Scratch* scratch, const Call* call, int64_t name, bint* found) noexcept nogil

cdef void* made_ready(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, Py_ssize_t slot,
    const void** row, const uint8_t** valid,
) noexcept nogil


# --- where a thread stands

cdef inline void seek(Scratch* scratch, const Recipe* recipe, Py_ssize_t row) noexcept nogil:
    """Stand at an output row."""
    cdef Py_ssize_t a
    for a in range(recipe.leading - 1, -1, -1):
        scratch.output[a] = row % recipe.axes[a].outputs
        row = row // recipe.axes[a].outputs


cdef inline void advance(Scratch* scratch, const Recipe* recipe) noexcept nogil:
    """Step to the next output row."""
    cdef Py_ssize_t a = recipe.leading - 1
    while a >= 0:
        scratch.output[a] = scratch.output[a] + 1
        if scratch.output[a] < recipe.axes[a].outputs:
            return
        scratch.output[a] = 0
        a = a - 1


cdef inline char* row_of(const View* view, const Scratch* scratch, Py_ssize_t leading) noexcept nogil:
    """Where the output row begins in an array of results."""
    cdef char* place = view.data
    cdef Py_ssize_t a
    for a in range(leading):
        place = place + scratch.output[a] * view.leading[a]
    return place


cdef inline bint slide_rows(Scratch* scratch, const Call* call) noexcept nogil:
    """Move the listed rows on to the next output row, just stepped to; False where they must be found anew."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t last = recipe.leading - 1, i, start, output, hop, mask_hop
    cdef const Axis* axis
    if last < 0:
        return False
    axis = &recipe.axes[last]
    output = scratch.output[last]
    start = output * axis.stride - axis.before
    if (
        output == 0 or axis.start != NULL or start < axis.stride
        or start + (axis.taps - 1) * axis.step >= axis.length
    ):
        return False
    hop = axis.stride * call.image.leading[last]
    mask_hop = axis.stride * call.mask.leading[last]
    for i in range(scratch.listed):
        if scratch.sources[i] != NULL:
            scratch.sources[i] = scratch.sources[i] + hop
            scratch.masks[i] = scratch.masks[i] + mask_hop
        scratch.name[i] = scratch.name[i] + axis.stride
    return True


# --- blocks of rows

cdef inline Py_ssize_t rows_at_once(const Recipe* recipe, Py_ssize_t left) noexcept nogil:
    """Rows of the next gather: 1, 2, 3, 4 or 8, or what is completed to 8."""
    if left >= BLOCK or (left > 4 and recipe.completes):
        return min(left, <Py_ssize_t> BLOCK)
    return min(left, <Py_ssize_t> 4)


cdef inline bint gathers_once(const Recipe* recipe, bint rows_in_place) noexcept nogil:
    """Whether a row of windows is one gather of image rows, where these can be read."""
    return (
        recipe.leading > 0 and rows_in_place and not recipe.masked
        and recipe.value.kernel.planes > 0 and recipe.value.kernel.block == BLOCK
        and rows_at_once(recipe, recipe.most_rows) == recipe.most_rows
    )


cdef inline Py_ssize_t completed(
    const Scratch* scratch, Py_ssize_t count, const void** rows, const uint8_t** valid,
) noexcept nogil:
    """Add neutral rows to more than four; returns how many there are then."""
    if count <= 4:
        return count
    while count < BLOCK:
        rows[count] = scratch.absent
        valid[count] = NULL
        count = count + 1
    return count


# --- rows that are kept while windows pass over them

cdef inline char* slot_row(const Scratch* scratch, const Call* call, Py_ssize_t slot) noexcept nogil:
    return scratch.rows + slot * call.layout.pitch * call.recipe.row_width


cdef inline uint8_t* slot_valid(const Scratch* scratch, const Call* call, Py_ssize_t slot) noexcept nogil:
    return scratch.valid + slot * call.layout.pitch


cdef inline bint keeps(const Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r) noexcept nogil:
    """Whether row `r` is worth keeping for the next windows: long, and not where it can be read again."""
    return call.layout.slots > 0 and segment.sources == NULL and scratch.sources[r] != NULL


cdef inline void* prepared(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, Py_ssize_t slot,
    const void** row, const uint8_t** valid,
) noexcept nogil:
    """Row `r`, prepared now or kept from an earlier window; also as a state, where the kernel maps rows."""
    cdef const Recipe* recipe = call.recipe
    cdef bint lifts = recipe.value.kernel.block == 1
    if call.rows_in_place and not (recipe.masked or lifts) and segment.sources == NULL and scratch.sources[r] != NULL:
        row[0] = scratch.sources[r] + segment.first * call.image.column
        valid[0] = NULL
        return NULL
    return made_ready(scratch, call, segment, r, slot, row, valid)
