"""The one driver of the CPU backend: work items -> rows -> row functions.

It knows bytes, tables of windows and tables of functions (table.pxd), but no number type and no reduction::

    item    a block of output rows x a tile of output columns; items are handed to the threads
    down    the rows of each window, through any number of leading axes, folded into one state row
    across  the columns of each window, by doubling: 1, 2, 4, ... columns; then every stride-th is kept
    finish  state and count -> result, converted, written

Design: the order of a fold depends on the window alone, never on items, tiles or threads, so float results are the
same for any of them. It is the tree T(k) = T(h) + T(k - h), h the largest power of two below k, over the rows that
the window has, then over its columns. Rows are folded where they lie; only what is not a contiguous native row,
or is masked, or is mapped first (powers, exponentials), passes through a row of scratch, and where windows overlap
such a row is kept until the window has passed it. Padding is never a copy of the image: a padded row is a pointer
that repeats or is left out, padded columns are a short row of their own, left and right of the image's.
"""
cimport cython
from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from skpool.kernels.table cimport (
    Kernel, Parameters, blank_t, compact_t, convert_t, finish_t, load_t, quad_t, select_t, store_t,
)

cdef extern from * nogil:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static int skpool_max_threads(void) { return omp_get_max_threads(); }
    #define SKPOOL_OPENMP 1
    #else
    static int skpool_max_threads(void) { return 1; }
    #define SKPOOL_OPENMP 0
    #endif
    """
    int skpool_max_threads()
    const bint SKPOOL_OPENMP

cdef extern from * nogil:
    """
    #if defined(__GNUC__) && defined(__x86_64__)
    #define SKPOOL_HAS(feature) (__builtin_cpu_supports(feature) != 0)
    static int skpool_level(void) {
        __builtin_cpu_init();
        if (!(SKPOOL_HAS("avx2") && SKPOOL_HAS("fma") && SKPOOL_HAS("bmi") && SKPOOL_HAS("bmi2"))) return 1;
        if (!(SKPOOL_HAS("avx512f") && SKPOOL_HAS("avx512bw") && SKPOOL_HAS("avx512cd") && SKPOOL_HAS("avx512dq")
              && SKPOOL_HAS("avx512vl"))) return 3;
        return 4;
    }
    #else
    static int skpool_level(void) { return 1; }
    #endif
    """
    int skpool_level()          # of x86-64, as its ABI counts them

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    /* A copy past the caches: what is written is not read first, and pushes nothing out. */
    static void skpool_stream(char *target, const char *source, Py_ssize_t n) {
        Py_ssize_t i = (Py_ssize_t) (-(uintptr_t) target & 15);
        if (i > n) i = n;
        memcpy(target, source, i);
        for (; i + 16 <= n; i += 16)
            _mm_stream_si128((__m128i *) (target + i), _mm_loadu_si128((const __m128i *) (source + i)));
        memcpy(target + i, source + i, n - i);
        _mm_sfence();
    }
    #else
    static void skpool_stream(char *target, const char *source, Py_ssize_t n) { memcpy(target, source, n); }
    #endif
    """
    void skpool_stream(char* target, const char* source, Py_ssize_t n)

cdef enum:
    ABSENT = -1
    CONSTANT = -2
    MOST_AXES = 64          # NumPy's limit
    BLOCK = 8               # rows of one gather
    MOST_LEVELS = 64        # of the tree: one for each bit of a row count
    ALIGNMENT = 64
    MOST_SLOTS = 128        # a row is searched for among them
    ITEMS_PER_WORKER = 16
    MOST_LATE_STRIDE = 3
    STREAMED_FROM = 24 * 1024 * 1024
    SCRATCH = 720 * 1024    # bytes of a thread


def max_threads():
    """Threads that OpenMP would use now: OMP_NUM_THREADS and threadpoolctl are heard; 1 without OpenMP."""
    return skpool_max_threads()


def has_openmp():
    """Whether the kernels were built with OpenMP."""
    return SKPOOL_OPENMP


def instruction_sets():
    """Names of the instruction sets that this machine runs, the best first."""
    return tuple(name for name, level in (("v4", 4), ("v3", 3), ("base", 1)) if level <= skpool_level())


# --- what a program knows (made once for a plan)

cdef struct Axis:
    Py_ssize_t length
    Py_ssize_t outputs
    Py_ssize_t taps                 # the most of any window
    Py_ssize_t stride
    Py_ssize_t step
    Py_ssize_t before
    Py_ssize_t after
    bint ignores                    # padding holds nothing
    int64_t* outside_before         # what padded positions hold; NULL where all hold the same:
    int64_t* outside_after
    Py_ssize_t outside


cdef inline Py_ssize_t divided_up(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    """The ceiling of a / b, for a >= 0 and b > 0."""
    return (a + b - 1) // b


cdef inline Py_ssize_t source_of(const Axis* axis, Py_ssize_t position) noexcept nogil:
    """What a position holds: an index into the image, ABSENT or CONSTANT."""
    if 0 <= position < axis.length:
        return position
    if position >= axis.length + axis.after:
        return ABSENT
    if axis.outside_before == NULL:
        return axis.outside
    return axis.outside_before[-1 - position] if position < 0 else axis.outside_after[position - axis.length]


cdef inline Py_ssize_t below(Py_ssize_t limit, Py_ssize_t start, const Axis* axis) noexcept nogil:
    """Taps of the window at `start` that lie below `limit`."""
    if limit <= start:
        return 0
    return min(divided_up(limit - start, axis.step), axis.taps)


cdef inline Py_ssize_t count_of(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Counted taps of a window."""
    cdef Py_ssize_t start = output * axis.stride - axis.before
    if axis.ignores:
        return below(axis.length, start, axis) - below(0, start, axis)
    return below(axis.length + axis.after, start, axis)


cdef inline bint is_whole(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Whether a window counts all its taps. Those that do are neighbours; counts of others may go up and down."""
    cdef Py_ssize_t start = output * axis.stride - axis.before
    cdef Py_ssize_t last = start + (axis.taps - 1) * axis.step
    if axis.ignores:
        return start >= 0 and last < axis.length
    return last < axis.length + axis.after


cdef struct Lane:
    # One fold: of values, or of counts.
    Kernel kernel
    compact_t compact
    Parameters* parameters


cdef struct Recipe:
    Py_ssize_t leading
    Axis axes[MOST_AXES]            # the leading axes, then the columns
    Py_ssize_t inner                # contiguous elements of a column: its channels
    Py_ssize_t rows                 # output rows
    Py_ssize_t most_rows            # image rows of a window
    bint overlapping                # neighbouring windows share rows
    bint omit                       # NaN counts as masked
    bint masked                     # counts differ from pixel to pixel
    bint converts_rows              # image rows are never used where they lie
    Py_ssize_t pixel_width          # bytes of a number of the image,
    Py_ssize_t row_width            # of a row as the kernels read it,
    Py_ssize_t natural_width        # of the reduction's own result,
    Py_ssize_t out_width            # of the result asked for
    load_t load
    load_t load_mask
    select_t select
    Lane value
    Lane count
    convert_t to_counts
    quad_t quad                     # NULL: no kernel for windows of 2 x 2 at stride 2, or they are others
    compact_t compact_out
    finish_t finish                 # NULL: plane 0 of the state is the result
    finish_t finish_places          # NULL: no indices
    convert_t widen                 # NULL: the natural result is the result asked for
    convert_t narrow
    blank_t blank
    blank_t blank_places
    store_t store
    store_t store_places
    Parameters parameters
    char neutral[8]                 # stands for a masked sample
    char constant[8]                # the padding of mode "constant"
    char fill[8]                    # of windows that count too few


# --- one call

cdef struct View:
    # Where an array lies; strides of the leading axes, of columns and of channels, in bytes. 0 for an absent axis.
    char* data
    Py_ssize_t leading[MOST_AXES]
    Py_ssize_t column
    Py_ssize_t inner


cdef struct Layout:
    # How a program's scratch is laid out.
    Py_ssize_t tile
    Py_ssize_t pitch
    Py_ssize_t slots
    Py_ssize_t bytes                # of a thread


cdef struct Call:
    const Recipe* recipe
    View image
    View mask
    View out
    View places
    bint rows_in_place              # image rows are contiguous: no load
    bint mask_in_place
    bint out_in_place
    bint streams                    # results are written past the caches
    bint places_in_place
    Py_ssize_t block                # output rows of a block
    Py_ssize_t tile                 # output columns of a tile,
    Py_ssize_t pitch                # elements of a scratch row,
    Py_ssize_t slots                # prepared rows kept while windows pass over them: as in `Layout`


# --- one thread's scratch

cdef struct Fold:
    # Rows of one lane: the accumulator (level 0 of the tree) and the other levels, then what `across` needs.
    char* levels[MOST_LEVELS]
    char* spare[5]


cdef struct Scratch:
    Fold value
    Fold count
    char* loaded                    # an image row before it is masked
    uint8_t* mask                   # its mask
    # Prepared rows: BLOCK that last for one gather, then `Call.slots` that last while windows pass over them.
    char* rows
    uint8_t* valid                  # which of their elements count
    char* lifted                    # the states that they were mapped to
    int64_t* kept                   # whose rows the kept ones are,
    Py_ssize_t* stamps              # and which output row last used each
    char* constant                  # a row of padding
    double* counts
    char* natural
    char* wide
    char* result
    int64_t* places
    const char** sources            # rows of a window: where each begins, NULL for a constant one
    const uint8_t** masks
    int64_t* order                  # its place in the window, times the columns
    int64_t* name                   # its number among the rows of the image
    int64_t* flat                   # by place: the index of its first sample, or CONSTANT
    int64_t* column_sources         # of the padded columns of a tile
    Parameters parameters           # this thread's copy, in which a finish may leave word
    Py_ssize_t present              # rows that the window has
    Py_ssize_t stamp


cdef inline Py_ssize_t levels_of(const Recipe* recipe, const Kernel* kernel) noexcept nogil:
    """Levels of the tree over the most rows, with those of the unfinished block."""
    cdef Py_ssize_t levels = 4, blocks = recipe.most_rows // kernel.block
    while blocks:
        levels = levels + 1
        blocks = blocks >> 1
    return levels


cdef struct Shelf:
    # Memory that is handed out from its start; without memory, only the sizes are added up.
    char* base
    Py_ssize_t used


cdef inline void* taken(Shelf* shelf, Py_ssize_t size) noexcept nogil:
    cdef char* place = NULL if shelf.base == NULL else shelf.base + shelf.used
    shelf.used = shelf.used + divided_up(size, ALIGNMENT) * ALIGNMENT
    return place


cdef void place_fold(
    Fold* fold, const Call* call, const Kernel* kernel, Py_ssize_t levels, Shelf* shelf,
) noexcept nogil:
    cdef Py_ssize_t size = kernel.width * kernel.planes * call.pitch
    cdef Py_ssize_t i
    for i in range(levels):
        fold.levels[i] = <char*> taken(shelf, size)
    for i in range(5):
        fold.spare[i] = <char*> taken(shelf, size)


cdef void place_scratch(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """Lay out a thread's scratch."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef Py_ssize_t rows = BLOCK + call.slots
    place_fold(&scratch.value, call, kernel, levels_of(recipe, kernel), shelf)
    if kernel.block == 1:
        scratch.lifted = <char*> taken(shelf, rows * kernel.width * kernel.planes * call.pitch)
    if recipe.masked:
        place_fold(&scratch.count, call, &recipe.count.kernel, 2, shelf)
        scratch.loaded = <char*> taken(shelf, call.pitch * recipe.row_width)
        scratch.mask = <uint8_t*> taken(shelf, call.pitch)
        scratch.valid = <uint8_t*> taken(shelf, rows * call.pitch)
    if not (recipe.masked or not call.rows_in_place):
        rows = BLOCK                                       # for padded columns only
    scratch.rows = <char*> taken(shelf, rows * call.pitch * recipe.row_width)
    scratch.constant = <char*> taken(shelf, call.pitch * recipe.row_width)
    scratch.counts = <double*> taken(shelf, call.pitch * sizeof(double))
    scratch.natural = <char*> taken(shelf, call.pitch * recipe.natural_width)
    scratch.wide = <char*> taken(shelf, call.pitch * 8)
    scratch.result = <char*> taken(shelf, call.pitch * recipe.out_width)
    scratch.places = <int64_t*> taken(shelf, call.pitch * sizeof(int64_t))
    scratch.column_sources = <int64_t*> taken(shelf, call.pitch * sizeof(int64_t))
    scratch.kept = <int64_t*> taken(shelf, call.slots * sizeof(int64_t))
    scratch.stamps = <Py_ssize_t*> taken(shelf, call.slots * sizeof(Py_ssize_t))
    scratch.sources = <const char**> taken(shelf, recipe.most_rows * sizeof(char*))
    scratch.masks = <const uint8_t**> taken(shelf, recipe.most_rows * sizeof(char*))
    scratch.order = <int64_t*> taken(shelf, recipe.most_rows * sizeof(int64_t))
    scratch.name = <int64_t*> taken(shelf, recipe.most_rows * sizeof(int64_t))
    scratch.flat = <int64_t*> taken(shelf, recipe.most_rows * sizeof(int64_t))


# --- the rows of a window

cdef void find_rows(Scratch* scratch, const Call* call, Py_ssize_t row) noexcept nogil:
    """List the image rows of output row `row`, in order, through all leading axes; absent ones are left out."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis
    cdef Py_ssize_t output[MOST_AXES]
    cdef Py_ssize_t tap[MOST_AXES]
    cdef Py_ssize_t a, rest = row, place = 0, source, flat, columns = recipe.axes[recipe.leading].length
    cdef char* begin
    cdef char* mask
    cdef bint absent, constant
    for a in range(recipe.leading - 1, 0, -1):
        output[a] = rest % recipe.axes[a].outputs
        rest = rest // recipe.axes[a].outputs
        tap[a] = 0
    output[0] = rest
    tap[0] = 0
    scratch.present = 0
    while True:
        begin = call.image.data
        mask = call.mask.data
        flat = 0
        absent = constant = False
        for a in range(recipe.leading):
            axis = &recipe.axes[a]
            source = source_of(axis, output[a] * axis.stride - axis.before + tap[a] * axis.step)
            if source < 0:
                absent = absent or source == ABSENT
                constant = True
                source = 0
            begin = begin + source * call.image.leading[a]
            mask = mask + source * call.mask.leading[a]
            flat = flat * axis.length + source
        scratch.flat[place] = <int64_t> CONSTANT if constant else flat * columns * recipe.inner
        if not absent:
            scratch.sources[scratch.present] = NULL if constant else begin
            scratch.masks[scratch.present] = <const uint8_t*> mask
            scratch.order[scratch.present] = place * recipe.axes[recipe.leading].taps
            scratch.name[scratch.present] = flat
            scratch.present = scratch.present + 1
        place = place + 1
        a = recipe.leading - 1
        while a >= 0:
            tap[a] = tap[a] + 1
            if tap[a] < recipe.axes[a].taps:
                break
            tap[a] = 0
            a = a - 1
        if a < 0:
            return


# --- a run of columns that all rows fill alike

cdef struct Segment:
    Py_ssize_t offset               # columns from the tile's first
    Py_ssize_t columns
    Py_ssize_t first                # image column, where `sources` is NULL
    const int64_t* sources          # else what each padded column holds


cdef void fill_row(char* row, const char* value, Py_ssize_t width, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        memcpy(row + i * width, value, width)


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
        recipe.load(
            row + c * size, scratch.sources[r] + source * call.image.column, 1, call.image.column,
            recipe.inner, call.image.inner,
        )
        if recipe.masked:
            if call.mask.data == NULL:
                memset(scratch.mask + c * recipe.inner, 1, recipe.inner)
            else:
                recipe.load_mask(
                    scratch.mask + c * recipe.inner, <const char*> scratch.masks[r] + source * call.mask.column,
                    1, call.mask.column, recipe.inner, call.mask.inner,
                )


cdef void prepare(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, Py_ssize_t slot,
    const void** row, const uint8_t** valid,
) noexcept nogil:
    """Row `r` of the window as the kernels read it: where it lies if that will do, else in `slot`."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t n = segment.columns * recipe.inner
    cdef char* target = scratch.rows + slot * call.pitch * recipe.row_width
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
            recipe.load(loaded, source, segment.columns, call.image.column, recipe.inner, call.image.inner)
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
        valid[0] = scratch.valid + slot * call.pitch
        recipe.select(target, <uint8_t*> valid[0], row[0], mask, recipe.omit, n, recipe.neutral)
        row[0] = target


cdef Py_ssize_t slot_of(Scratch* scratch, const Call* call, int64_t name, bint* found) noexcept nogil:
    """The slot that keeps a row, or one that the current window does not use."""
    cdef Py_ssize_t slot, idle = 0
    for slot in range(call.slots):
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


cdef inline bint keeps(const Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r) noexcept nogil:
    """Whether row `r` is worth keeping for the next windows: long, and not where it can be read again."""
    return call.slots > 0 and segment.sources == NULL and scratch.sources[r] != NULL


cdef void* prepared(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r, Py_ssize_t slot,
    const void** row, const uint8_t** valid,
) noexcept nogil:
    """Row `r`, prepared now or kept from an earlier window; also as a state, where the kernel maps rows."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef bint lifts = kernel.block == 1
    cdef bint found = False
    cdef void* state
    if call.rows_in_place and not (recipe.masked or lifts) and segment.sources == NULL and scratch.sources[r] != NULL:
        row[0] = scratch.sources[r] + segment.first * call.image.column
        valid[0] = NULL
        return NULL
    if keeps(scratch, call, segment, r):
        slot = slot_of(scratch, call, scratch.name[r], &found)
    if not found or (call.rows_in_place and not recipe.masked):
        prepare(scratch, call, segment, r, slot, row, valid)
    else:
        row[0] = scratch.rows + slot * call.pitch * recipe.row_width
        valid[0] = scratch.valid + slot * call.pitch if recipe.masked else NULL
    if not lifts:
        return NULL
    state = scratch.lifted + slot * kernel.width * kernel.planes * call.pitch
    if not found:
        kernel.gather(
            state, row, valid, &scratch.order[r], 1, segment.columns * recipe.inner, call.pitch,
            recipe.value.parameters,
        )
    return state


cdef inline void join(
    Fold* fold, char** node, Py_ssize_t depth, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane,
) noexcept nogil:
    """Fold the last of `depth` nodes into the one before it."""
    cdef char* target = fold.levels[depth - 2] + offset
    if node[depth - 2] == target:
        lane.kernel.fold(target, node[depth - 1], n, call.pitch, lane.parameters)
    else:
        lane.kernel.merge(target, node[depth - 2], node[depth - 1], n, call.pitch, 0, lane.parameters)
        node[depth - 2] = target


cdef inline void copy_state(
    char* target, const char* source, Py_ssize_t n, const Call* call, const Kernel* kernel,
) noexcept nogil:
    cdef Py_ssize_t plane, pitch = call.pitch * kernel.width
    for plane in range(kernel.planes):
        memcpy(target + plane * pitch, source + plane * pitch, n * kernel.width)


cdef void down(Scratch* scratch, const Call* call, const Segment* segment) noexcept nogil:
    """Fold the window's rows over one segment into the accumulator by the tree T, and count them."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const Kernel* counter = &recipe.count.kernel
    cdef Fold* fold = &scratch.value
    cdef Py_ssize_t n = segment.columns * recipe.inner
    cdef Py_ssize_t offset = segment.offset * recipe.inner * kernel.width
    cdef Py_ssize_t count_offset = segment.offset * recipe.inner * counter.width
    cdef const void* rows[BLOCK]
    cdef const uint8_t* valid[BLOCK]
    cdef char* node[MOST_LEVELS]
    cdef Py_ssize_t depth = 0, blocks = 0, r = 0, i, left, rows_taken, whole
    while r < scratch.present:
        left = scratch.present - r
        rows_taken = 1
        if kernel.block == BLOCK:
            rows_taken = 8 if left >= 8 else 4 if left >= 4 else left
        for i in range(rows_taken):
            node[depth] = <char*> prepared(scratch, call, segment, r + i, i, &rows[i], &valid[i])
        if recipe.masked:                                  # counts are exact in any order
            counter.gather(
                scratch.count.levels[0 if r == 0 else 1] + count_offset, <const void**> valid, valid,
                scratch.order, rows_taken, n, call.pitch, recipe.count.parameters,
            )
            if r > 0:
                counter.fold(
                    scratch.count.levels[0] + count_offset, scratch.count.levels[1] + count_offset, n,
                    call.pitch, recipe.count.parameters,
                )
        if kernel.planes and kernel.block == BLOCK:
            node[depth] = fold.levels[depth] + offset
            kernel.gather(
                node[depth], rows, valid, scratch.order + r, rows_taken, n, call.pitch, recipe.value.parameters,
            )
        elif kernel.planes and not keeps(scratch, call, segment, r):
            copy_state(fold.levels[depth] + offset, node[depth], n, call, kernel)
            node[depth] = fold.levels[depth] + offset
        r = r + rows_taken
        if kernel.planes == 0:
            continue
        depth = depth + 1
        if rows_taken == kernel.block:
            blocks = blocks + 1
            whole = blocks
            while whole & 1 == 0:
                join(fold, node, depth, offset, n, call, &recipe.value)
                depth = depth - 1
                whole = whole >> 1
    while depth > 1:
        join(fold, node, depth, offset, n, call, &recipe.value)
        depth = depth - 1
    if depth and node[0] != fold.levels[0] + offset:
        copy_state(fold.levels[0] + offset, node[0], n, call, kernel)


cdef inline char* another(Fold* fold, const char* used, const char* kept_row) noexcept nogil:
    """A row of scratch for doubling: the accumulator or one of two spares, neither of the two named."""
    cdef int i
    if used != fold.levels[0] and kept_row != fold.levels[0]:
        return fold.levels[0]
    for i in range(2):
        if used != fold.spare[i] and kept_row != fold.spare[i]:
            return fold.spare[i]
    return fold.spare[1]


cdef struct Ladder:
    # How far the columns of a row are folded: a node holds `taps` columns, and T(k) still needs `nodes` of them.
    char* row
    Py_ssize_t nodes
    Py_ssize_t taps
    Py_ssize_t stride               # nodes from one output to the next
    Py_ssize_t step                 # nodes from one node of an output to its next


cdef inline bint fills(const Ladder* ladder, Py_ssize_t outputs) noexcept nogil:
    """Whether the row holds one node for each output, and nothing else."""
    return ladder.nodes == 1 and (ladder.stride == 1 or outputs == 1)


cdef inline bint pairs_alone(const Ladder* ladder, Py_ssize_t inner) noexcept nogil:
    """Whether every second pair of neighbours is enough."""
    return ladder.stride & 1 == 0 and ladder.step == 1 and inner == 1


cdef inline void climb(Ladder* ladder, bint halves) noexcept nogil:
    """One level up: pairs of nodes, either only those needed (the row halves) or from every node."""
    ladder.nodes = ladder.nodes >> 1
    ladder.taps = 2 * ladder.taps
    if halves:
        ladder.stride = ladder.stride >> 1
    else:
        ladder.step = 2 * ladder.step


cdef inline Py_ssize_t columns_of(const Ladder* ladder, Py_ssize_t outputs) noexcept nogil:
    return (outputs - 1) * ladder.stride + (ladder.nodes - 1) * ladder.step + 1


cdef char* across(
    const Call* call, const Lane* lane, Fold* fold, Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """Fold the columns of each of `outputs` windows; returns the row of their states.

    Doubling: a node holds `taps` columns; T(k) is the last node of each odd level, joined from the right. Where
    the stride is even, only every second pair is needed, and the row halves with each level. `target`, if not
    NULL, is where the last step may write.
    """
    cdef const Kernel* kernel = &lane.kernel
    cdef Py_ssize_t inner = call.recipe.inner, width = kernel.width, plane, shift
    cdef Py_ssize_t n = outputs * inner
    cdef char* result = NULL         # what is joined so far, and the row of scratch that holds it
    cdef char* result_row = NULL
    cdef char* part
    cdef char* fresh
    cdef char* below
    cdef bint last, halves
    if 1 < ladder.stride <= MOST_LATE_STRIDE and inner > 1 and outputs > 1:
        # Whole rows of channels are joined faster than columns are picked from them: pick once, at the end.
        shift = ladder.stride
        ladder.stride = 1
        result = across(call, lane, fold, ladder, (outputs - 1) * shift + 1, NULL)
        fresh = target if target != NULL else fold.spare[2]
        for plane in range(kernel.planes):
            lane.compact(
                fresh + plane * call.pitch * width, result + plane * call.pitch * width, outputs, shift, inner,
            )
        return fresh
    while True:
        if ladder.nodes & 1:
            last = ladder.nodes == 1
            if ladder.nodes == 3 and ladder.stride == 2 and pairs_alone(ladder, inner) and kernel.triple != NULL:
                if result == NULL:
                    fresh = target if target != NULL else fold.spare[3]
                    kernel.triple(fresh, ladder.row, outputs, call.pitch, lane.parameters)
                    return fresh
            part = ladder.row + (ladder.nodes - 1) * ladder.step * inner * width
            fresh = NULL
            if ladder.stride != 1 and outputs > 1:
                fresh = fold.spare[2]
                if result == NULL:
                    fresh = target if last and target != NULL else fold.spare[3]
                for plane in range(kernel.planes):
                    lane.compact(
                        fresh + plane * call.pitch * width, part + plane * call.pitch * width, outputs,
                        ladder.stride, inner,
                    )
                part = fresh
            if result == NULL:
                result = part
                result_row = ladder.row if fresh == NULL else fresh
            else:
                fresh = fold.spare[4] if result_row == fold.spare[3] else fold.spare[3]
                if last and target != NULL:
                    fresh = target
                kernel.merge(fresh, part, result, n, call.pitch, ladder.taps, lane.parameters)
                result = result_row = fresh
            if last:
                return result
        below = ladder.row
        shift = ladder.step * inner * width
        halves = kernel.pair != NULL and pairs_alone(ladder, inner)
        climb(ladder, halves)
        fresh = another(fold, below, result_row)
        if result == NULL and target != NULL and fills(ladder, outputs):
            fresh = target
        ladder.row = fresh
        if halves:
            kernel.pair(fresh, below, columns_of(ladder, outputs), call.pitch, lane.parameters)
        else:
            kernel.merge(
                fresh, below, below + shift, columns_of(ladder, outputs) * inner, call.pitch, ladder.taps >> 1,
                lane.parameters,
            )


# --- results

cdef void write_places(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t outputs,
    const double* counts, double count, char* target,
) noexcept nogil:
    """Places in the window -> flat indices into the image, -1 where nothing or a constant was found."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef int64_t* places = scratch.places
    cdef int64_t place, flat, nothing = -1
    cdef Py_ssize_t j, c, i = 0, column, n = outputs * recipe.inner
    recipe.finish_places(places, state, NULL, 0, n, call.pitch, &scratch.parameters)
    for j in range(first, first + outputs):
        for c in range(recipe.inner):
            place = places[i]
            if place >= 0:
                flat = scratch.flat[place // axis.taps]
                column = source_of(axis, j * axis.stride - axis.before + (place % axis.taps) * axis.step)
                places[i] = -1 if flat < 0 or column < 0 else flat + column * recipe.inner + c
            i = i + 1
    if counts != NULL:
        recipe.blank_places(places, counts, <double> recipe.parameters.minimum, n, &nothing)
    elif count < recipe.parameters.minimum:
        memset(places, 0xff, n * sizeof(int64_t))
    if call.places_in_place:
        memcpy(target, places, n * sizeof(int64_t))
    else:
        recipe.store_places(target, places, outputs, call.places.column, recipe.inner, call.places.inner)


cdef void write_run(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t outputs,
    const double* counts, double count, char* target, char* places,
) noexcept nogil:
    """Finish, convert and write a run of outputs: of one count, or with a row of counts."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t n = outputs * recipe.inner
    cdef const void* row = state
    cdef char* result = target if call.out_in_place and not call.streams else scratch.result
    cdef char* natural = scratch.natural if recipe.widen != NULL else result
    if recipe.finish != NULL:
        recipe.finish(natural, state, counts, count, n, call.pitch, &scratch.parameters)
        row = natural
    if recipe.widen != NULL:
        recipe.widen(scratch.wide, row, n, recipe.fill)
        recipe.narrow(result, scratch.wide, n, recipe.fill)
    elif row != result:
        memcpy(result, row, n * recipe.out_width)
    if counts != NULL:
        recipe.blank(result, counts, <double> recipe.parameters.minimum, n, recipe.fill)
    elif count < recipe.parameters.minimum:
        fill_row(result, recipe.fill, recipe.out_width, n)
    if call.streams:
        skpool_stream(target, result, n * recipe.out_width)
    elif not call.out_in_place:
        recipe.store(target, result, outputs, call.out.column, recipe.inner, call.out.inner)
    if recipe.finish_places != NULL:
        write_places(scratch, call, state, first, outputs, counts, count, places)


cdef void count_columns(Scratch* scratch, const Recipe* recipe, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    """A row of counts from the table of the columns."""
    cdef Py_ssize_t j, i
    cdef double count
    for j in range(first, first + outputs):
        count = <double> (scratch.present * count_of(&recipe.axes[recipe.leading], j))
        for i in range((j - first) * recipe.inner, (j - first + 1) * recipe.inner):
            scratch.counts[i] = count


cdef void write_row(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t stop, char* target,
    char* places,
) noexcept nogil:
    """Write outputs [first, stop): at once if their counts are known by pixel, else the two ends apart."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.value.kernel.width * recipe.inner
    cdef Py_ssize_t bounds[4]
    cdef Py_ssize_t i, run
    if recipe.masked:
        write_run(scratch, call, state, first, stop - first, scratch.counts, 0, target, places)
        return
    bounds[0] = bounds[1] = first
    bounds[2] = bounds[3] = stop
    while bounds[1] < stop and not is_whole(axis, bounds[1]):
        bounds[1] = bounds[1] + 1
    while bounds[2] > bounds[1] and not is_whole(axis, bounds[2] - 1):
        bounds[2] = bounds[2] - 1
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


# --- an item

cdef Py_ssize_t find_segments(
    Segment* segments, Scratch* scratch, const Recipe* recipe, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil:
    """Cut the padded columns of a tile into at most three runs; `first` is -1 where a run holds nothing."""
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t begin = first * axis.stride - axis.before
    cdef Py_ssize_t columns = (outputs - 1) * axis.stride + (axis.taps - 1) * axis.step + 1
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


cdef inline void begin_ladder(Ladder* ladder, const Recipe* recipe, char* row) noexcept nogil:
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    ladder.row = row
    ladder.nodes, ladder.taps = axis.taps, 1
    ladder.stride, ladder.step = axis.stride, axis.step


cdef char* folded(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t outputs,
    char* target,
) noexcept nogil:
    """The states, and where pixels are masked the counts, of a tile's outputs in one output row."""
    cdef const Recipe* recipe = call.recipe
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef const Segment* segment
    cdef Ladder ladder
    cdef Py_ssize_t s, i, width, used = 0
    if recipe.value.kernel.planes:
        lanes[used] = &recipe.value
        folds[used] = &scratch.value
        used = used + 1
    if recipe.masked:
        lanes[used] = &recipe.count
        folds[used] = &scratch.count
        used = used + 1
    for s in range(segments_found):
        segment = &segments[s]
        if scratch.present and (segment.first >= 0 or segment.sources != NULL):
            if used:
                down(scratch, call, segment)
            continue
        for i in range(used):
            width = lanes[i].kernel.width
            lanes[i].kernel.identity(
                folds[i].levels[0] + segment.offset * recipe.inner * width, segment.columns * recipe.inner,
                call.pitch, lanes[i].parameters,
            )
    if recipe.masked:
        begin_ladder(&ladder, recipe, scratch.count.levels[0])
        recipe.to_counts(
            scratch.counts, across(call, &recipe.count, &scratch.count, &ladder, outputs, NULL),
            outputs * recipe.inner, NULL,
        )
    if recipe.value.kernel.planes:
        begin_ladder(&ladder, recipe, scratch.value.levels[0])
        return across(call, &recipe.value, &scratch.value, &ladder, outputs, target)
    return NULL


cdef void write_quads(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """Results of whole windows of 2 x 2: rows and columns in one pass."""
    cdef const Recipe* recipe = call.recipe
    cdef const void* rows[2]
    cdef const uint8_t* valid[2]
    cdef Py_ssize_t i
    for i in range(2):
        prepared(scratch, call, segment, i, i, &rows[i], &valid[i])
    if recipe.inner == 1 and call.streams:
        recipe.quad(scratch.result, rows[0], rows[1], outputs, 1, &scratch.parameters)
        skpool_stream(target, scratch.result, outputs * recipe.out_width)
    elif recipe.inner == 1:
        recipe.quad(target, rows[0], rows[1], outputs, 1, &scratch.parameters)
    else:
        recipe.quad(
            scratch.result, rows[0], rows[1], (2 * outputs - 1) * recipe.inner, recipe.inner, &scratch.parameters,
        )
        recipe.compact_out(target, scratch.result, outputs, 2, recipe.inner)


cdef void work(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t tiles = divided_up(axis.outputs, call.tile)
    cdef Py_ssize_t first = item % tiles * call.tile
    cdef Py_ssize_t stop = min(first + call.tile, axis.outputs)
    cdef Py_ssize_t row = item // tiles * call.block
    cdef Py_ssize_t end = min(row + call.block, recipe.rows)
    cdef Py_ssize_t a, rest, index, found
    cdef Segment segments[4]
    cdef char* state
    cdef char* target
    cdef char* places
    cdef bint quads
    cdef bint straight = (
        call.out_in_place and not call.streams
        and recipe.finish == NULL and recipe.widen == NULL and recipe.value.kernel.planes == 1
    )
    found = find_segments(segments, scratch, recipe, first, stop - first)
    quads = (
        recipe.quad != NULL and call.out_in_place and found == 1 and is_whole(axis, first) and is_whole(axis, stop - 1)
    )
    memset(scratch.kept, 0xff, call.slots * sizeof(int64_t))
    memset(scratch.stamps, 0, call.slots * sizeof(Py_ssize_t))
    while row < end:
        target = call.out.data + first * call.out.column
        places = call.places.data + first * call.places.column
        rest = row
        for a in range(recipe.leading - 1, 0, -1):
            index = rest % recipe.axes[a].outputs
            rest = rest // recipe.axes[a].outputs
            target = target + index * call.out.leading[a]
            places = places + index * call.places.leading[a]
        target = target + rest * call.out.leading[0]
        places = places + rest * call.places.leading[0]
        scratch.stamp = row + 1
        find_rows(scratch, call, row)
        if quads and scratch.present == 2:
            write_quads(scratch, call, segments, stop - first, target)
            row = row + 1
            continue
        state = folded(scratch, call, segments, found, stop - first, target if straight else NULL)
        write_row(scratch, call, state, first, stop, target, places)
        row = row + 1


# --- the Python face

@cython.final
cdef class Program:
    """A plan as the driver runs it.

    Parameters
    ----------
    axes : sequence of skpool.windows.Axis
        The leading axes, then that of the columns.
    inner : int or None
        Channels of a column, the image's last axis; None if its last axis is the columns.
    settings : dict
        Numbers of `Recipe`, by name.
    functions : dict
        Addresses of row functions, by their name in `Recipe`.
    parameters : tuple
        ``(first, second, divisor, minimum)``.
    constants : tuple of bytes
        ``(neutral, constant, fill)``, each in its own type.
    """
    cdef Recipe recipe
    cdef bint has_channels
    cdef Py_ssize_t pixels          # of the image
    cdef Py_ssize_t outputs         # of the result
    cdef Layout layouts[2]          # by whether rows are used where they lie

    def __cinit__(self, axes, inner, settings, functions, parameters, constants):
        cdef Recipe* recipe = &self.recipe
        cdef Py_ssize_t a
        memset(recipe, 0, sizeof(Recipe))
        recipe.leading = len(axes) - 1
        self.has_channels = inner is not None
        recipe.inner = inner if self.has_channels else 1
        recipe.rows = 1
        recipe.most_rows = 1
        for a, table in enumerate(axes):
            self.take_axis(&recipe.axes[a], table)
            if a < recipe.leading:
                recipe.rows *= recipe.axes[a].outputs
                recipe.most_rows *= recipe.axes[a].taps
                recipe.overlapping |= table.stride < table.extent
        self.pixels = self.outputs = recipe.inner
        for a in range(recipe.leading + 1):
            self.pixels *= recipe.axes[a].length
            self.outputs *= recipe.axes[a].outputs
        recipe.omit = settings["omit"]
        recipe.masked = settings["masked"]
        recipe.converts_rows = settings["converts_rows"]
        recipe.pixel_width = settings["pixel_width"]
        recipe.row_width = settings["row_width"]
        recipe.natural_width = settings["natural_width"]
        recipe.out_width = settings["out_width"]
        recipe.load = <load_t> <size_t> functions["load"]
        recipe.load_mask = <load_t> <size_t> functions["load_mask"]
        recipe.select = <select_t> <size_t> functions["select"]
        self.take_lane(&recipe.value, functions["value"], functions["compact"])
        self.take_lane(&recipe.count, functions["count"], functions["compact"])
        recipe.to_counts = <convert_t> <size_t> functions["to_counts"]
        recipe.quad = <quad_t> <size_t> functions["quad"]
        recipe.compact_out = <compact_t> <size_t> functions["compact"][settings["out_width"]]
        recipe.finish = <finish_t> <size_t> functions["finish"]
        recipe.finish_places = <finish_t> <size_t> functions["finish_places"]
        recipe.widen = <convert_t> <size_t> functions["widen"]
        recipe.narrow = <convert_t> <size_t> functions["narrow"]
        recipe.blank = <blank_t> <size_t> functions["blank"]
        recipe.blank_places = <blank_t> <size_t> functions["blank_places"]
        recipe.store = <store_t> <size_t> functions["store"]
        recipe.store_places = <store_t> <size_t> functions["store_places"]
        recipe.parameters.first, recipe.parameters.second = parameters[0], parameters[1]
        recipe.parameters.divisor, recipe.parameters.minimum = parameters[2], parameters[3]
        neutral, constant, fill = constants
        memcpy(recipe.neutral, <const char*> neutral, len(neutral))
        memcpy(recipe.constant, <const char*> constant, len(constant))
        memcpy(recipe.fill, <const char*> fill, len(fill))
        self.lay_out(False)
        self.lay_out(True)

    cdef int take_lane(self, Lane* lane, kernel, compact) except -1:
        lane.parameters = &self.recipe.parameters
        if kernel is None:                                 # the count alone decides
            lane.kernel.block = BLOCK
            return 0
        lane.kernel = (<Kernel*> <size_t> kernel)[0]
        lane.compact = <compact_t> <size_t> compact[lane.kernel.width]
        return 0

    cdef int take_axis(self, Axis* axis, table) except -1:
        axis.length, axis.outputs, axis.taps = table.length, table.outputs, table.most_taps
        axis.stride, axis.step = table.stride, table.step
        axis.before, axis.after = table.before, table.after
        axis.ignores = table.mode == "ignore"
        axis.outside = CONSTANT if table.mode == "constant" else ABSENT
        if table.mode in ("ignore", "constant"):
            return 0
        axis.outside_before = <int64_t*> malloc(max(axis.before, 1) * sizeof(int64_t))
        axis.outside_after = <int64_t*> malloc(max(axis.after, 1) * sizeof(int64_t))
        if axis.outside_before == NULL or axis.outside_after == NULL:
            raise MemoryError
        cdef Py_ssize_t i
        cdef const int64_t[::1] before = table.outside_before
        cdef const int64_t[::1] after = table.outside_after
        for i in range(axis.before):
            axis.outside_before[i] = before[i]
        for i in range(axis.after):
            axis.outside_after[i] = after[i]
        return 0

    def __dealloc__(self):
        cdef Py_ssize_t a
        for a in range(self.recipe.leading + 1):
            free(self.recipe.axes[a].outside_before)
            free(self.recipe.axes[a].outside_after)

    def __call__(self, image, out, mask, places, int workers):
        """Pool `image` into `out`, and the indices into `places` unless it is None; `mask` may be None.

        Returns whether a float32 total may have overflowed.
        """
        cdef Call call
        cdef Py_buffer buffers[4]
        cdef int held = 0
        call.recipe = &self.recipe
        try:
            self.view(&call.image, image, &buffers[0], False)
            held = 1
            self.view(&call.out, out, &buffers[1], True)
            held = 2
            self.view(&call.mask, mask, &buffers[2], False)
            held = 3
            self.view(&call.places, places, &buffers[3], True)
            held = 4
            return bool(self.run(&call, workers))
        finally:
            if held > 0:
                PyBuffer_Release(&buffers[0])
            if held > 1:
                PyBuffer_Release(&buffers[1])
            if held > 2 and mask is not None:
                PyBuffer_Release(&buffers[2])
            if held > 3 and places is not None:
                PyBuffer_Release(&buffers[3])

    cdef int view(self, View* view, array, Py_buffer* buffer, bint writable) except -1:
        cdef Py_ssize_t a, leading = self.recipe.leading
        memset(view, 0, sizeof(View))
        if array is None:
            return 0
        PyObject_GetBuffer(array, buffer, PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0))
        view.data = <char*> buffer.buf
        for a in range(leading):
            view.leading[a] = buffer.strides[a]
        view.column = buffer.strides[leading]
        view.inner = buffer.strides[leading + 1] if self.has_channels else buffer.itemsize
        return 0

    cdef bint lies_in_rows(self, const View* view, Py_ssize_t width) noexcept:
        """Whether columns and channels are contiguous, and all of it aligned."""
        cdef Py_ssize_t a, bits = <Py_ssize_t> <uintptr_t> view.data
        for a in range(self.recipe.leading):
            bits |= view.leading[a]
        return (
            bits % width == 0
            and view.column == self.recipe.inner * width
            and (self.recipe.inner == 1 or view.inner == width)
        )

    cdef int run(self, Call* call, int workers) except -1:
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* columns = &recipe.axes[recipe.leading]
        cdef Layout* layout
        cdef int overflowed = 0
        cdef Py_ssize_t tiles, items, item, per_thread
        cdef char* memory
        cdef char* aligned
        call.rows_in_place = not recipe.converts_rows and self.lies_in_rows(&call.image, recipe.row_width)
        call.mask_in_place = self.lies_in_rows(&call.mask, 1)
        call.out_in_place = self.lies_in_rows(&call.out, recipe.out_width)
        # Worth it where the result is too large for the caches and than the image: avg 2/2 of uint8 to float64.
        call.streams = call.out_in_place and recipe.out_width * self.outputs >= max(
            STREAMED_FROM, recipe.pixel_width * self.pixels + 1
        )
        call.places_in_place = self.lies_in_rows(&call.places, sizeof(int64_t))
        layout = &self.layouts[call.rows_in_place]
        call.tile, call.pitch, call.slots = layout.tile, layout.pitch, layout.slots
        tiles = divided_up(columns.outputs, call.tile)
        call.block = recipe.rows
        if workers > 1:
            call.block = divided_up(recipe.rows, divided_up(ITEMS_PER_WORKER * workers, tiles))
        items = tiles * divided_up(recipe.rows, call.block)
        workers = min(workers, items)
        per_thread = layout.bytes
        memory = <char*> malloc(workers * per_thread + ALIGNMENT)
        if memory == NULL:
            raise MemoryError(f"no memory for {workers} x {per_thread} bytes of scratch")
        aligned = memory + (ALIGNMENT - <Py_ssize_t> (<uintptr_t> memory % ALIGNMENT)) % ALIGNMENT
        with nogil:
            if workers == 1:
                begin(call, aligned)
                for item in range(items):
                    work(call, item, <Scratch*> aligned)
            else:
                with parallel(num_threads=workers):
                    begin(call, aligned + threadid() * per_thread)
                    for item in prange(items, schedule="dynamic"):
                        work(call, item, <Scratch*> (aligned + threadid() * per_thread))
        for item in range(workers):
            overflowed |= (<Scratch*> (aligned + item * per_thread)).parameters.overflowed
        free(memory)
        return overflowed

    cdef Py_ssize_t scratch_bytes(self, const Call* call) noexcept:
        cdef Scratch scratch
        cdef Shelf shelf
        shelf.base = NULL
        shelf.used = 0
        taken(&shelf, sizeof(Scratch))
        place_scratch(&scratch, call, &shelf)
        return shelf.used

    cdef void lay_out(self, bint rows_in_place) noexcept:
        """The widest tile whose scratch stays within SCRATCH bytes, at least one output."""
        cdef Call layout_only
        cdef Call* call = &layout_only
        cdef Layout* layout = &self.layouts[rows_in_place]
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* axis = &recipe.axes[recipe.leading]
        cdef Py_ssize_t overlap = (axis.taps - 1) * axis.step + 1
        cdef Py_ssize_t fixed, per_element, columns
        call.recipe = recipe
        call.rows_in_place = rows_in_place
        call.slots = 0
        if recipe.overlapping and recipe.most_rows <= MOST_SLOTS and (
            recipe.masked or not call.rows_in_place or recipe.value.kernel.block == 1
        ):
            call.slots = recipe.most_rows
        call.pitch = 0
        fixed = self.scratch_bytes(call)
        call.pitch = ALIGNMENT
        per_element = divided_up(self.scratch_bytes(call) - fixed, ALIGNMENT)
        columns = (SCRATCH - fixed) // per_element // recipe.inner
        layout.tile = min(max((columns - overlap) // axis.stride + 1, 1), axis.outputs)
        columns = (layout.tile - 1) * axis.stride + overlap
        layout.pitch = call.pitch = divided_up(columns * recipe.inner, ALIGNMENT) * ALIGNMENT
        layout.slots = call.slots
        layout.bytes = self.scratch_bytes(call)


cdef void begin(const Call* call, char* memory) noexcept nogil:
    """Make a thread's scratch, where the thread itself touches it first."""
    cdef Shelf shelf
    shelf.base = memory
    shelf.used = 0
    taken(&shelf, sizeof(Scratch))
    place_scratch(<Scratch*> memory, call, &shelf)
    (<Scratch*> memory).parameters = call.recipe.parameters
    fill_row((<Scratch*> memory).constant, call.recipe.constant, call.recipe.row_width, call.pitch)
