"""The one driver of the CPU backend: work items -> rows -> row functions.

It knows bytes, tables of windows and tables of functions (table.pxd), but no number type and no reduction::

    item    a block of output rows x a tile of output columns; items are handed to the threads
    down    the rows of each window, through any number of leading axes, folded into one state row
    across  the columns of each window, by doubling: 1, 2, 4, ... columns; then every stride-th is kept
    finish  state and count -> result, converted, written

Where outputs are too few to keep the threads busy, or too wide for their scratch (global pooling is both), `down` is
shared first: an item is then a part of a window's rows x a piece of its columns, and leaves a state row behind.

Where windows are tall and overlap, nodes of the tree are shared between them: with every image row, one node of each
size 2**j that ends there is made, and the last few of each size are kept. Exact sums run: an image row is added when
windows reach it, and taken away when they have passed it. An extremum is that of two nodes, which meet at a row in the
window's midst: one begins with the window's first row, the other grows from that row on. When windows have passed it,
a node from each of their rows to the last is made, and the next row begins to grow.

Design: the order of a fold depends on the window alone, never on items, tiles or threads, so float results are the
same for any of them. It is the tree T(k) = T(h) + T(k - h), h the largest power of two below k, over the rows that
the window has, then over its columns; parts of 2**j rows are nodes of that same tree. Rows are folded where they lie;
only what is not a contiguous native row, or is masked, or is mapped first (powers, exponentials), passes through a row
of scratch, and where windows overlap such a row is kept until the window has passed it. Padding is never a copy of the
image: a padded row is a pointer that repeats or is left out, padded columns are a short row of their own, left and
right of the image's.
"""
cimport cython
from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy, memset
from skpool.kernels.fetch cimport skpool_prefetch
from skpool.kernels.table cimport (
    MOST_IN_CHAIN, Kernel, Order, Parameters, Slide, Steps, Tile, beside_t, blank_t, compact_t, convert_t,
    finish_places_t, finish_t, keys_t, lanes_t, load_t, pick_t, quad_places_t, quad_t, select_t, slide_t, store_t,
    tile_t,
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
    }
    static void skpool_streamed(void) { _mm_sfence(); }
    #else
    static void skpool_streamed(void) {}
    static void skpool_stream(char *target, const char *source, Py_ssize_t n) { memcpy(target, source, n); }
    #endif
    """
    void skpool_stream(char* target, const char* source, Py_ssize_t n)
    void skpool_streamed()      # other threads may read it now

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
    MOST_WIDTHS = 4
    WIDE = 256              # elements from which an uneven window is folded by itself
    LONG_COLUMN = 16        # channels from which columns are joined one by one
    TALL = 9                # rows of windows that share nodes
    LEAST_PART = 32         # rows of a part: a power of two times BLOCK
    LEAST_PIECE = 2048      # elements of a piece
    STREAMED_FROM = 24 * 1024 * 1024
    SCRATCH = 960 * 1024    # bytes of a thread, unless its tile is too narrow:
    LEAST_TILE = 12         # times the columns that two tiles have in common,
    MOST_SCRATCH = 4        # in at most so many times the bytes
    PIECE = 4096            # bytes of a piece of a row,
    PAGE = 4096             # of a page of memory,
    FETCHED = 1024          # and of its beginning
    FETCHED_FROM = 8 * 1024 * 1024  # bytes of images of which they are asked for: with 4 MiB, 2 x 2 takes up to 1.4
    ASKED = 256             # bytes of a row that are gathered while as many are asked for,
    ASKED_FROM = 32 * 1024 * 1024   # if the image has so many: caches hold no more
    ASKED_WIDTH = 4         # and a pixel no more: two threads that read float64 wait for memory anyway
    MOST_PLACES = 4096      # of a window: their indices are listed for each output row
    MOST_FETCHED = 4        # rows of windows whose next rows are asked for ahead
    PARTED_FROM = 8         # items per worker: with fewer, parts of windows are shared


def max_threads():
    """Threads that OpenMP would use now: OMP_NUM_THREADS and threadpoolctl are heard; 1 without OpenMP."""
    return skpool_max_threads()


def has_openmp():
    """Whether the kernels were built with OpenMP."""
    return SKPOOL_OPENMP


def layout_of_parts():
    """Bytes of whose multiples state rows begin at, and rows of the smallest part of a window."""
    return ALIGNMENT, LEAST_PART


def instruction_sets():
    """Names of the instruction sets that this machine runs, the best first."""
    return tuple(name for name, level in (("v4", 4), ("v3", 3), ("base", 1)) if level <= skpool_level())


# --- what a program knows (made once for a plan)

cdef struct Axis:
    Py_ssize_t length
    Py_ssize_t outputs
    Py_ssize_t taps                 # the most of any window
    int64_t* start                  # of each window, and its taps; NULL where windows are even
    int64_t* sizes
    Py_ssize_t stride
    Py_ssize_t step
    Py_ssize_t before
    Py_ssize_t after
    bint ignores                    # padding holds nothing
    int64_t* outside_before         # what padded positions hold; NULL where all hold the same:
    int64_t* outside_after
    Py_ssize_t outside


cdef int64_t* copied(const int64_t[::1] table) except NULL:
    """A copy that `free` frees."""
    cdef Py_ssize_t i, n = table.shape[0]
    cdef int64_t* copy = <int64_t*> malloc(max(n, 1) * sizeof(int64_t))
    if copy == NULL:
        raise MemoryError
    for i in range(n):
        copy[i] = table[i]
    return copy


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


cdef inline Py_ssize_t start_of(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Position of a window's first tap."""
    return output * axis.stride - axis.before if axis.start == NULL else axis.start[output]


cdef inline void find_taps(const Axis* axis, Py_ssize_t output, Py_ssize_t* first, Py_ssize_t* stop) noexcept nogil:
    """The taps of a window that count; they are neighbours."""
    cdef Py_ssize_t start
    first[0] = 0
    if axis.start != NULL:
        stop[0] = axis.sizes[output]
        return
    start = output * axis.stride - axis.before
    if axis.ignores:
        first[0] = below(0, start, axis)
        stop[0] = below(axis.length, start, axis)
    else:
        stop[0] = below(axis.length + axis.after, start, axis)


cdef inline Py_ssize_t count_of(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Counted taps of a window."""
    cdef Py_ssize_t first, stop
    find_taps(axis, output, &first, &stop)
    return stop - first


cdef inline bint is_whole(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Whether a window counts all its taps. Those that do are neighbours; counts of others may go up and down."""
    cdef Py_ssize_t start = output * axis.stride - axis.before
    cdef Py_ssize_t last = start + (axis.taps - 1) * axis.step
    if axis.start != NULL:
        return False
    if axis.ignores:
        return start >= 0 and last < axis.length
    return last < axis.length + axis.after


cdef inline Py_ssize_t columns_under(const Axis* axis, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    """Positions from the first tap of window `first` to the last tap of the last of `outputs` windows."""
    cdef Py_ssize_t last = first + outputs - 1
    if axis.start == NULL:
        return (outputs - 1) * axis.stride + (axis.taps - 1) * axis.step + 1
    return axis.start[last] + axis.sizes[last] - axis.start[first]


cdef struct Lane:
    # One fold: of values, or of counts.
    Kernel kernel
    compact_t compact
    pick_t pick
    Parameters* parameters


cdef struct Recipe:
    Py_ssize_t leading
    Axis axes[MOST_AXES]            # the leading axes, then the columns
    Py_ssize_t inner                # contiguous elements of a column: its channels
    Py_ssize_t rows                 # output rows
    Py_ssize_t most_rows            # image rows of a window
    Py_ssize_t least_columns        # that a window counts
    Py_ssize_t widths[MOST_WIDTHS]  # the columns of uneven windows, by number,
    Py_ssize_t widths_found         # if they are few and small; 0: each window is folded by itself
    bint overlapping                # neighbouring windows share rows
    Py_ssize_t shared_levels        # sizes of the nodes that they share; 0: none
    bint runs                       # they share one sum, to which rows are added, and taken away again
    bint meets                      # they share nodes that meet in their midst: from each row to it, and from there on
    bint omit                       # NaN counts as masked
    bint masked                     # counts differ from pixel to pixel
    bint converts_rows              # image rows are never used where they lie
    Py_ssize_t pixel_width          # bytes of a number of the image,
    Py_ssize_t row_width            # of a row as the kernels read it,
    Py_ssize_t natural_width        # of the reduction's own result,
    Py_ssize_t out_width            # of the result asked for
    # Windows by their samples one by one; no taps: windows are folded by rows and columns.
    Py_ssize_t taps
    Py_ssize_t* tap_rows            # the row of the window that each lies in,
    Py_ssize_t* tap_columns         # and its column
    Py_ssize_t room                 # bytes that `lanes` works in
    lanes_t lanes                   # NULL: samples are folded
    slide_t slides                  # NULL: windows are looked at one row of outputs at a time
    Slide slide
    beside_t beside                 # NULL: windows are not side by side
    tile_t tiles                    # NULL: no tiles of windows are sorted together
    Tile tile
    Py_ssize_t laid                 # rows that are needed at once
    Py_ssize_t room_each            # more bytes for each element of a row
    load_t load
    load_t load_mask
    keys_t keys                     # what makes integers of floats, or NULL
    select_t select
    compact_t compact_rows          # every stride-th column of a row,
    compact_t compact_mask          # and of what tells which of them count;
    pick_t pick_rows                # or those named
    pick_t pick_mask
    Lane value
    Lane count
    convert_t to_counts
    quad_t quad                     # NULL: no kernel for windows of 2 x 2 at stride 2, or they are others
    quad_places_t quad_places       # the same with indices
    bint quad_picks                 # it picks the columns itself
    compact_t compact_out
    compact_t compact_places
    finish_t finish                 # NULL: plane 0 of the state is the result
    finish_places_t finish_places   # NULL: no indices
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
    # How a thread's scratch is laid out.
    Py_ssize_t tile                 # output columns of a tile,
    Py_ssize_t pitch                # elements of a scratch row,
    Py_ssize_t slots                # prepared rows kept while windows pass over them,
    Py_ssize_t listed               # image rows listed at once,
    Py_ssize_t nodes                # of the tree over them,
    Py_ssize_t bytes                # and all of it


cdef struct Parts:
    # What `down` leaves behind where it is shared: a state row, and one of counts, for each part of a window's rows.
    Py_ssize_t rows                 # image rows of a part; 0 if it is not shared
    Py_ssize_t count                # parts of the longest window
    Py_ssize_t piece                # columns of an item
    Py_ssize_t columns              # positions under all windows of a row
    char* values                    # state rows
    char* counts
    Py_ssize_t first                # the image is part of a window: the number of its first row there,
    Py_ssize_t width                # and columns of the window; 0: it is whole


cdef struct Call:
    const Recipe* recipe
    View image
    View mask
    View out
    View places
    bint rows_in_place              # image rows are contiguous: no load
    bint mask_in_place
    bint asks                       # rows are asked for before they are gathered,
    bint fetches                    # or a whole row of windows ahead
    bint out_in_place
    bint streams                    # results are written past the caches
    bint places_in_place
    Py_ssize_t block                # output rows of a block
    Layout layout
    Parts parts
    Parts joined                    # where their states go, if they are only joined


# --- one thread's scratch

cdef struct Fold:
    # Rows of one lane: the accumulator (level 0 of the tree) and the other levels, then what `across` needs.
    char* levels[MOST_LEVELS]
    char* folded                    # rows of a window: the accumulator, or a row that windows share
    char* turns[3]                  # doubling goes from one to the next
    char* spare[3]
    char* shared[MOST_LEVELS]       # nodes that windows share, by size
    char* part[2]                   # of a window that is put together from them
    char* nothing                   # states of no samples, where states are joined
    char* doubled[MOST_LEVELS]      # nodes of 2, 4, 8, ... columns,
    char* states                    # and of windows that are put together from them
    char* by_width                  # uneven windows: a row for each width,
    int64_t* table                  # where among them the state of each output is,
    char* uneven                    # and the row of them all


cdef struct Tree:
    # Nodes of T that wait for a later neighbour, the first of them the largest.
    char* node[MOST_LEVELS]
    Py_ssize_t depth
    Py_ssize_t whole                # nodes of full size so far


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
    int64_t* column_sources         # of the padded columns of a tile
    char** lane_rows                # windows by their samples: the rows of a window,
    uint8_t** lane_valid            # which of their samples count (NULL: all),
    char* absent                    # a row of none,
    uint8_t* nowhere                # and which of it count,
    uint8_t* everywhere             # and a row of which all do
    const void** samples            # the samples of each tap,
    const uint8_t** valid_samples
    char* picked                    # gathered here unless they are neighbours
    uint8_t* picked_valid
    int64_t* picks
    char* room
    char* tiled                     # results of tiles
    int64_t* flat                   # of each place in the window, the index if the window began at column 0
    Parameters parameters           # this thread's copy, in which a finish may leave word
    Py_ssize_t output[MOST_AXES]    # which output row it is
    Py_ssize_t skipped              # taps ahead of the first row that it has, where places count from that
    Py_ssize_t reached              # what windows share: the position after the last row that it holds,
    Py_ssize_t origin               # and its first row,
    Py_ssize_t middle               # and where nodes meet
    Py_ssize_t present              # rows that the window has,
    Py_ssize_t listed               # and how many of them are listed
    Py_ssize_t stamp


cdef inline Py_ssize_t bits_of(Py_ssize_t number) noexcept nogil:
    """Of a number that is not negative."""
    cdef Py_ssize_t bits = 0
    while number >> bits:
        bits = bits + 1
    return bits


cdef inline Py_ssize_t levels_of(Py_ssize_t nodes) noexcept nogil:
    """Levels of a tree over so many nodes, with those of the unfinished block."""
    return 4 + bits_of(nodes)


cdef inline bint doubles_first(const Kernel* kernel) noexcept nogil:
    """Whether columns are folded by `across_doubled`."""
    return kernel.chain != NULL and kernel.join == NULL


cdef inline Py_ssize_t picked_pitch(const Call* call) noexcept nogil:
    """Elements of a row of gathered samples: of as many outputs as a tile may have."""
    cdef const Axis* axis = &call.recipe.axes[call.recipe.leading]
    cdef Py_ssize_t outputs = call.layout.pitch // max(axis.stride if axis.start == NULL else 1, 1) + call.recipe.inner
    return divided_up(outputs, ALIGNMENT) * ALIGNMENT


cdef inline Py_ssize_t places_listed(const Recipe* recipe) noexcept nogil:
    """The places of a window, if there are indices and the places are few; else 0."""
    cdef Py_ssize_t places = recipe.most_rows * recipe.axes[recipe.leading].taps
    return places if recipe.finish_places != NULL and places <= MOST_PLACES else 0


cdef struct Shelf:
    # Memory that is handed out from its start; without memory, only the sizes are added up.
    char* base
    Py_ssize_t used


cdef inline void* taken(Shelf* shelf, Py_ssize_t size) noexcept nogil:
    cdef char* place = NULL if shelf.base == NULL else shelf.base + shelf.used
    shelf.used = shelf.used + divided_up(size, ALIGNMENT) * ALIGNMENT
    return place


cdef inline Py_ssize_t ring(const Recipe* recipe, Py_ssize_t level) noexcept nogil:
    """Nodes of a size that are kept: the last window's need no more, wherever it ends."""
    return recipe.axes[recipe.leading - 1].taps if recipe.meets else (<Py_ssize_t> 1 << level) + 1


cdef void place_fold(
    Fold* fold, const Call* call, const Kernel* kernel, Py_ssize_t levels, Shelf* shelf,
) noexcept nogil:
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t size = kernel.width * kernel.planes * call.layout.pitch
    cdef Py_ssize_t i
    for i in range(levels):
        fold.levels[i] = <char*> taken(shelf, size)
    fold.folded = fold.levels[0]
    for i in range(recipe.shared_levels):
        fold.shared[i] = <char*> taken(shelf, size * ring(recipe, i))
    if recipe.shared_levels or doubles_first(kernel):
        fold.part[0] = <char*> taken(shelf, size)
        fold.part[1] = <char*> taken(shelf, size)
    if kernel.join != NULL:
        fold.nothing = <char*> taken(shelf, size)
    if doubles_first(kernel):
        fold.states = <char*> taken(shelf, size)
        for i in range(bits_of(recipe.axes[recipe.leading].taps) - 1):
            fold.doubled[i] = <char*> taken(shelf, size)
    fold.spare[0] = <char*> taken(shelf, size)
    fold.spare[1] = <char*> taken(shelf, size)
    fold.spare[2] = <char*> taken(shelf, size)
    fold.turns[0] = fold.levels[0]
    fold.turns[1] = <char*> taken(shelf, size)
    fold.turns[2] = <char*> taken(shelf, size)
    if recipe.axes[recipe.leading].start != NULL:
        fold.turns[0] = <char*> taken(shelf, size)         # the accumulator stays: windows share columns
        fold.by_width = <char*> taken(shelf, recipe.widths_found * size)
        fold.table = <int64_t*> taken(shelf, call.layout.tile * sizeof(int64_t))
        fold.uneven = <char*> taken(shelf, size)


cdef void place_lanes(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """What windows by their samples need; samples of windows that are a stride apart are gathered."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t gathered = picked_pitch(call)
    scratch.lane_rows = <char**> taken(shelf, recipe.laid * sizeof(char*))
    scratch.lane_valid = <uint8_t**> taken(shelf, recipe.laid * sizeof(char*))
    scratch.samples = <const void**> taken(shelf, recipe.taps * sizeof(char*))
    scratch.valid_samples = <const uint8_t**> taken(shelf, recipe.taps * sizeof(char*))
    scratch.absent = <char*> taken(shelf, call.layout.pitch * recipe.row_width)
    scratch.nowhere = <uint8_t*> taken(shelf, call.layout.pitch)
    scratch.everywhere = <uint8_t*> taken(shelf, call.layout.pitch)
    scratch.room = <char*> taken(shelf, recipe.room + recipe.room_each * call.layout.pitch)
    if recipe.tiles != NULL:
        scratch.tiled = <char*> taken(shelf, recipe.tile.down * call.layout.pitch * recipe.natural_width)
    if recipe.slides == NULL and (axis.start != NULL or axis.stride > 1):
        scratch.picked = <char*> taken(shelf, recipe.taps * gathered * recipe.row_width)
        scratch.picked_valid = <uint8_t*> taken(shelf, recipe.taps * gathered)
        scratch.picks = <int64_t*> taken(shelf, gathered * sizeof(int64_t))


cdef void place_scratch(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """Lay out a thread's scratch."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef Py_ssize_t rows = BLOCK + call.layout.slots, levels
    place_fold(&scratch.value, call, kernel, levels_of(call.layout.nodes // kernel.block), shelf)
    if kernel.block == 1:
        scratch.lifted = <char*> taken(shelf, rows * kernel.width * kernel.planes * call.layout.pitch)
    if recipe.masked or recipe.taps:
        # Counts are exact in any order: rows need two levels, parts of windows the tree.
        levels = 2 if call.layout.listed else levels_of(call.layout.nodes // BLOCK)
        place_fold(&scratch.count, call, &recipe.count.kernel, levels, shelf)
        scratch.loaded = <char*> taken(shelf, call.layout.pitch * recipe.row_width)
        scratch.mask = <uint8_t*> taken(shelf, call.layout.pitch)
        scratch.valid = <uint8_t*> taken(shelf, rows * call.layout.pitch)
    if not (recipe.masked or recipe.taps or not call.rows_in_place):
        rows = BLOCK                                       # for padded columns only
    scratch.rows = <char*> taken(shelf, rows * call.layout.pitch * recipe.row_width)
    scratch.constant = <char*> taken(shelf, call.layout.pitch * recipe.row_width)
    if recipe.taps:
        place_lanes(scratch, call, shelf)
    scratch.counts = <double*> taken(shelf, call.layout.pitch * sizeof(double))
    scratch.natural = <char*> taken(shelf, call.layout.pitch * recipe.natural_width)
    scratch.wide = <char*> taken(shelf, call.layout.pitch * 8)
    scratch.result = <char*> taken(shelf, call.layout.pitch * recipe.out_width)
    scratch.places = <int64_t*> taken(shelf, call.layout.pitch * sizeof(int64_t))
    scratch.flat = <int64_t*> taken(shelf, places_listed(recipe) * sizeof(int64_t))
    scratch.column_sources = <int64_t*> taken(shelf, call.layout.pitch * sizeof(int64_t))
    scratch.kept = <int64_t*> taken(shelf, call.layout.slots * sizeof(int64_t))
    scratch.stamps = <Py_ssize_t*> taken(shelf, call.layout.slots * sizeof(Py_ssize_t))
    scratch.sources = <const char**> taken(shelf, call.layout.listed * sizeof(char*))
    scratch.masks = <const uint8_t**> taken(shelf, call.layout.listed * sizeof(char*))
    scratch.order = <int64_t*> taken(shelf, call.layout.listed * sizeof(int64_t))
    scratch.name = <int64_t*> taken(shelf, call.layout.listed * sizeof(int64_t))


# --- the rows of a window

cdef void seek(Scratch* scratch, const Recipe* recipe, Py_ssize_t row) noexcept nogil:
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
    cdef Py_ssize_t a, t, last = recipe.leading - 1, rest = first, found = 0, source, place, outer_place
    cdef int64_t flat, outer_flat
    cdef char* begin
    cdef char* mask
    cdef bint constant, is_constant
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
        begin = call.image.data
        mask = call.mask.data
        outer_flat = outer_place = 0
        constant = False
        for a in range(last):
            axis = &recipe.axes[a]
            source = source_of(axis, starts[a] + taps[a] * axis.step)
            if source < 0:
                constant = True
                source = 0
            begin = begin + source * call.image.leading[a]
            mask = mask + source * call.mask.leading[a]
            outer_flat = outer_flat * axis.length + source
            outer_place = outer_place * axis.taps + taps[a]
        axis = &recipe.axes[last]
        outer_flat = outer_flat * axis.length
        outer_place = outer_place * axis.taps
        for t in range(taps[last], stops[last]):
            source = source_of(axis, starts[last] + t * axis.step)
            is_constant = constant or source < 0
            if source < 0:
                source = 0
            flat = outer_flat + source
            place = outer_place + t
            scratch.sources[found] = NULL if is_constant else begin + source * call.image.leading[last]
            scratch.masks[found] = <const uint8_t*> (mask + source * call.mask.leading[last])
            scratch.order[found] = place * recipe.axes[recipe.leading].taps
            scratch.name[found] = flat
            found = found + 1
            if found == scratch.listed:
                return
        taps[last] = firsts[last]
        for a in range(last - 1, -1, -1):
            taps[a] = taps[a] + 1
            if taps[a] < stops[a]:
                break
            taps[a] = firsts[a]


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


# --- a run of columns that all rows fill alike

cdef struct Segment:
    Py_ssize_t offset               # columns from the tile's first
    Py_ssize_t columns
    Py_ssize_t first                # image column, where `sources` is NULL
    const int64_t* sources          # else what each padded column holds


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


cdef inline char* slot_row(const Scratch* scratch, const Call* call, Py_ssize_t slot) noexcept nogil:
    return scratch.rows + slot * call.layout.pitch * call.recipe.row_width


cdef inline uint8_t* slot_valid(const Scratch* scratch, const Call* call, Py_ssize_t slot) noexcept nogil:
    return scratch.valid + slot * call.layout.pitch


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


cdef inline bint keeps(const Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t r) noexcept nogil:
    """Whether row `r` is worth keeping for the next windows: long, and not where it can be read again."""
    return call.layout.slots > 0 and segment.sources == NULL and scratch.sources[r] != NULL


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


cdef inline void copy_state(
    char* target, const char* source, Py_ssize_t n, const Call* call, const Kernel* kernel,
) noexcept nogil:
    cdef Py_ssize_t plane, pitch = call.layout.pitch * kernel.width
    for plane in range(kernel.planes):
        memcpy(target + plane * pitch, source + plane * pitch, n * kernel.width)


cdef inline void join(
    Tree* tree, Fold* fold, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane,
) noexcept nogil:
    """Fold the last node into the one before it."""
    cdef Py_ssize_t before = tree.depth - 2
    cdef char* target = fold.levels[before] + offset
    if tree.node[before] == target:
        lane.kernel.fold(target, tree.node[before + 1], n, call.layout.pitch, lane.parameters)
    else:
        lane.kernel.merge(
            target, tree.node[before], tree.node[before + 1], n, call.layout.pitch, 0, lane.parameters,
        )
        tree.node[before] = target
    tree.depth = tree.depth - 1


cdef inline void grow(
    Tree* tree, Fold* fold, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane, bint is_full,
    bint joined,
) noexcept nogil:
    """Count in the node at `tree.depth`; join it, if it is of full size, with all neighbours that are complete.

    With the first of them it may be `joined` already.
    """
    cdef Py_ssize_t whole
    tree.depth = tree.depth + (not joined)
    if is_full:
        tree.whole = tree.whole + 1
        whole = tree.whole >> joined
        while whole & 1 == 0:
            join(tree, fold, offset, n, call, lane)
            whole = whole >> 1


cdef inline void finish_tree(
    Tree* tree, Fold* fold, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane,
) noexcept nogil:
    """Join what is left, from the end; the state is that of the accumulator."""
    while tree.depth > 1:
        join(tree, fold, offset, n, call, lane)
    if tree.depth and tree.node[0] != fold.levels[0] + offset:
        copy_state(fold.levels[0] + offset, tree.node[0], n, call, &lane.kernel)


cdef void ask_for_block(
    const Scratch* scratch, const Call* call, Py_ssize_t r, Py_ssize_t column, Py_ssize_t size, Py_ssize_t begin,
    Py_ssize_t n,
) noexcept nogil:
    """Ask for `n` bytes from byte `begin` on of the block after that of row `r`; its rows have `size` bytes."""
    cdef Py_ssize_t row = begin // size, offset = begin % size, part
    cdef const char* source
    while n > 0 and row < BLOCK:
        part = min(size - offset, n)
        if r + BLOCK + row < scratch.listed:
            source = scratch.sources[r + BLOCK + row]
        elif scratch.listed == BLOCK and scratch.sources[row] != NULL:      # the next window's
            source = scratch.sources[row] + BLOCK * call.image.leading[call.recipe.leading - 1]
        else:
            source = NULL
        if source != NULL:
            skpool_prefetch(source + column + offset, part)
        n = n - part
        offset = 0
        row = row + 1


cdef void gather_asking(
    const Scratch* scratch, const Call* call, const Segment* segment, const void** rows, Py_ssize_t r, char* node,
    char* earlier,
) noexcept nogil:
    """Gather a block of rows piece by piece, and ask meanwhile for the next block.

    A node `earlier`, unless NULL, is to be joined with that of the block: it is at once, while both are in reach.

    Eight rows read side by side are too many for a processor that looks ahead by itself: it is asked for them in the
    order in which they lie, as much at a time as is gathered. Global averages of float32 at 4096 x 4096 take 0.80 of
    the time without, 8/8 maxima 0.83 on one thread; in pieces of 128 bytes uint8 takes 1.2, of 512 float32 takes 0.93.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const uint8_t* valid[BLOCK]
    cdef const void* from_here[BLOCK]
    cdef Py_ssize_t n = segment.columns * recipe.inner, i, done = 0, now, piece = ASKED // recipe.row_width
    memset(valid, 0, sizeof(valid))
    while done < n:
        now = min(piece, n - done)
        ask_for_block(
            scratch, call, r, segment.first * call.image.column, n * recipe.row_width,
            BLOCK * done * recipe.row_width, BLOCK * now * recipe.row_width,
        )
        for i in range(BLOCK):
            from_here[i] = <const char*> rows[i] + done * recipe.row_width
        kernel.gather(
            node + done * kernel.width, from_here, valid, scratch.order + r, BLOCK, now, call.layout.pitch,
            recipe.value.parameters,
        )
        if earlier != NULL:
            kernel.fold(
                earlier + done * kernel.width, node + done * kernel.width, now, call.layout.pitch,
                recipe.value.parameters,
            )
        done = done + now


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
        rows_taken = 1
        joined = False
        if kernel.block == BLOCK:
            rows_taken = 8 if left >= 8 else 4 if left >= 4 else left
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
                        node, rows, valid, scratch.order + r, rows_taken, n, call.layout.pitch,
                        recipe.value.parameters,
                    )
            elif not keeps(scratch, call, segment, r):
                copy_state(fold.levels[tree.depth] + offset, node, n, call, kernel)
                node = fold.levels[tree.depth] + offset
            tree.node[tree.depth] = node
            grow(&tree, fold, offset, n, call, &recipe.value, rows_taken == kernel.block, joined)
        r = r + rows_taken
    finish_tree(&tree, fold, offset, n, call, &recipe.value)


cdef inline char* another(Fold* fold, const char* used, const char* kept_row) noexcept nogil:
    """A row of scratch for doubling, neither of the two named."""
    cdef int i
    for i in range(2):
        if used != fold.turns[i] and kept_row != fold.turns[i]:
            return fold.turns[i]
    return fold.turns[2]


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


cdef inline bint pairs_alone(const Ladder* ladder, const Kernel* kernel, Py_ssize_t inner) noexcept nogil:
    """Whether every second pair of neighbours is enough, and can be had."""
    return ladder.stride & 1 == 0 and ladder.step == 1 and (
        inner >= LONG_COLUMN or (inner == 1 and kernel.pair != NULL)
    )


cdef inline void pair_columns(
    const Call* call, const Lane* lane, char* state, const char* source, Py_ssize_t pairs, Py_ssize_t taps,
) noexcept nogil:
    """Join columns 2 i and 2 i + 1, of `taps` columns each."""
    cdef Py_ssize_t i, inner = call.recipe.inner, size = inner * lane.kernel.width
    if inner == 1:
        lane.kernel.pair(state, source, pairs, call.layout.pitch, lane.parameters)
        return
    for i in range(pairs):
        lane.kernel.merge(
            state + i * size, source + 2 * i * size, source + (2 * i + 1) * size, inner, call.layout.pitch, taps,
            lane.parameters,
        )


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


cdef inline bint ends_at_once(
    const Call* call, const Lane* lane, const Ladder* ladder, Py_ssize_t outputs, bint goes_on,
) noexcept nogil:
    """Whether the nodes left, and what is joined so far, are joined in one pass: up to four, or more that are aligned.

    A vector that begins amid a cache line is read as two: eight such nodes in a pass take up to 1.2 times as long as
    doubling.
    """
    cdef Py_ssize_t count = ladder.nodes + goes_on
    if lane.kernel.join == NULL or not (ladder.stride == 1 or outputs == 1):
        return False
    if 2 < count <= 4:
        return True
    return 4 < count <= BLOCK and ladder.step * call.recipe.inner * lane.kernel.width % ALIGNMENT == 0


cdef inline char* join_states(
    const Call* call, const Lane* lane, const Fold* fold, char* target, const char** nodes, Py_ssize_t count,
    Py_ssize_t outputs,
) noexcept nogil:
    """Join 2 to 8 nodes of each output, in one pass; those that lack are of no samples."""
    while 4 < count < BLOCK:
        nodes[count] = fold.nothing
        count = count + 1
    lane.kernel.join(
        target, <const void**> nodes, NULL, NULL, count, outputs * call.recipe.inner, call.layout.pitch,
        lane.parameters,
    )
    return target


cdef char* chain_states(
    const Call* call, const Lane* lane, Fold* fold, char** nodes, Py_ssize_t found, Py_ssize_t n, char* target,
) noexcept nogil:
    """Join nodes without places, the last of which comes first, in as few passes as may be."""
    cdef const void* states[MOST_IN_CHAIN]
    cdef char* state = nodes[0]
    cdef char* fresh
    cdef Py_ssize_t done = 1, count, j
    while done < found:
        count = 1 if lane.kernel.chain == NULL else min(found - done, MOST_IN_CHAIN - 1)
        fresh = target if done + count == found else fold.part[1] if state == fold.part[0] else fold.part[0]
        if count == 1:
            lane.kernel.merge(fresh, nodes[done], state, n, call.layout.pitch, 0, lane.parameters)
        else:
            for j in range(count):
                states[j] = nodes[done + count - 1 - j]
            states[count] = state
            lane.kernel.chain(fresh, states, count + 1, n, call.layout.pitch, lane.parameters)
        state = fresh
        done = done + count
    return state


cdef char* across_doubled(
    const Call* call, const Lane* lane, Fold* fold, const Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """As `across`, at stride 1: rows of nodes of all sizes first, then a chain of those that windows consist of."""
    cdef Py_ssize_t inner = call.recipe.inner, size = ladder.step * inner * lane.kernel.width
    cdef Py_ssize_t left = ladder.nodes, taps = 1, level = 0, found = 0
    cdef char* nodes[MOST_LEVELS]
    cdef char* row = ladder.row
    cdef char* fresh
    while True:
        if left & taps:
            left = left - taps
            nodes[found] = row + left * size
            found = found + 1
        if left == 0:
            break
        fresh = fold.doubled[level]
        lane.kernel.merge(
            fresh, row, row + taps * size, (outputs + (ladder.nodes - 2 * taps) * ladder.step) * inner,
            call.layout.pitch, taps, lane.parameters,
        )
        row = fresh
        taps = 2 * taps
        level = level + 1
    return chain_states(call, lane, fold, nodes, found, outputs * inner, target if target != NULL else fold.states)


cdef char* across_twice(
    const Call* call, const Lane* lane, Fold* fold, const Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """As `across`, at stride 1, where the last two nodes may overlap; a column that counts twice is taken out again."""
    cdef const Kernel* kernel = &lane.kernel
    cdef Py_ssize_t inner = call.recipe.inner, size = ladder.step * inner * kernel.width, taps = 1, shift, left
    cdef const char* row = ladder.row
    cdef char* fresh = NULL
    while taps < ladder.nodes:
        shift = min(taps, ladder.nodes - taps)
        left = ladder.nodes - taps - shift
        fresh = target if left == 0 and target != NULL else another(fold, row, ladder.row)
        kernel.merge(
            fresh, row, row + shift * size, (outputs + left * ladder.step) * inner, call.layout.pitch, shift,
            lane.parameters,
        )
        row = fresh
        taps = taps + shift
    if not kernel.repeats:
        kernel.unfold(fresh, ladder.row + shift * size, outputs * inner, call.layout.pitch, lane.parameters)
    return fresh


cdef char* across(
    const Call* call, const Lane* lane, Fold* fold, Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """Fold the columns of each of `outputs` windows; returns the row of their states.

    Doubling: a node holds `taps` columns; T(k) is the last node of each odd level, joined from the right. Where
    the stride is even, only every second pair is needed, and the row halves with each level. The last few levels may
    take one pass. `target`, if not NULL, is where the last step may write.
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
    cdef const char* joined[BLOCK + 1]
    cdef Py_ssize_t i
    if ladder.stride == 1 and ladder.nodes > 1 and (
        # Nodes of 2**j columns overlap by one, or there are several to be joined.
        kernel.repeats or (kernel.unfold != NULL and ladder.nodes > 7 and ladder.nodes & (ladder.nodes + 1) == 0)
    ):
        return across_twice(call, lane, fold, ladder, outputs, target)
    if ladder.stride == 1 and ladder.nodes > 3 and doubles_first(kernel):
        return across_doubled(call, lane, fold, ladder, outputs, target)
    if 1 < ladder.stride <= MOST_LATE_STRIDE and inner > 1 and outputs > 1 and not pairs_alone(ladder, kernel, inner):
        # Whole rows of channels are joined faster than columns are picked from them: pick once, at the end.
        shift = ladder.stride
        ladder.stride = 1
        result = across(call, lane, fold, ladder, (outputs - 1) * shift + 1, NULL)
        fresh = target if target != NULL else fold.spare[0]
        for plane in range(kernel.planes):
            lane.compact(
                fresh + plane * call.layout.pitch * width, result + plane * call.layout.pitch * width, outputs,
                shift, inner,
            )
        return fresh
    while True:
        if ends_at_once(call, lane, ladder, outputs, result != NULL):
            for i in range(ladder.nodes):
                joined[i] = ladder.row + i * ladder.step * inner * width
            joined[ladder.nodes] = result
            return join_states(
                call, lane, fold, target if target != NULL else another(fold, ladder.row, result_row), joined,
                ladder.nodes + (result != NULL), outputs,
            )
        if ladder.nodes & 1:
            last = ladder.nodes == 1
            if ladder.nodes == 3 and ladder.stride == 2 and pairs_alone(ladder, kernel, inner) and inner == 1:
                if result == NULL and kernel.triple != NULL:
                    fresh = target if target != NULL else fold.spare[1]
                    kernel.triple(fresh, ladder.row, outputs, call.layout.pitch, lane.parameters)
                    return fresh
            part = ladder.row + (ladder.nodes - 1) * ladder.step * inner * width
            fresh = NULL
            if ladder.stride != 1 and outputs > 1:
                fresh = fold.spare[0]
                if result == NULL:
                    fresh = target if last and target != NULL else fold.spare[1]
                for plane in range(kernel.planes):
                    lane.compact(
                        fresh + plane * call.layout.pitch * width, part + plane * call.layout.pitch * width, outputs,
                        ladder.stride, inner,
                    )
                part = fresh
            if result == NULL:
                result = part
                result_row = ladder.row if fresh == NULL else fresh
            else:
                fresh = fold.spare[2] if result_row == fold.spare[1] else fold.spare[1]
                if last and target != NULL:
                    fresh = target
                kernel.merge(fresh, part, result, n, call.layout.pitch, ladder.taps, lane.parameters)
                result = result_row = fresh
            if last:
                return result
        below = ladder.row
        shift = ladder.step * inner * width
        halves = pairs_alone(ladder, kernel, inner)
        climb(ladder, halves)
        fresh = another(fold, below, result_row)
        if result == NULL and target != NULL and fills(ladder, outputs):
            fresh = target
        ladder.row = fresh
        if halves:
            pair_columns(call, lane, fresh, below, columns_of(ladder, outputs), ladder.taps >> 1)
        else:
            kernel.merge(
                fresh, below, below + shift, columns_of(ladder, outputs) * inner, call.layout.pitch, ladder.taps >> 1,
                lane.parameters,
            )


cdef char* across_uneven(
    const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil:
    """Fold the columns of windows of any width: all of one width at once, then picked, or each by itself."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &lane.kernel
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t columns = columns_under(axis, first, outputs)
    cdef Py_ssize_t size = recipe.inner * kernel.width, plane_size = call.layout.pitch * kernel.width
    cdef Py_ssize_t i, places
    cdef char* target
    cdef char* state
    cdef Ladder ladder
    for i in range(recipe.widths_found if recipe.widths_found else outputs):
        ladder.row, ladder.taps, ladder.step = fold.folded, 1, 1
        if recipe.widths_found:
            target = fold.by_width + i * kernel.planes * plane_size
            ladder.nodes, ladder.stride = recipe.widths[i], 1
            places = columns - recipe.widths[i] + 1
        else:
            target = fold.uneven + i * size
            ladder.nodes, ladder.stride = axis.sizes[first + i], 0
            ladder.row = ladder.row + (axis.start[first + i] - axis.start[first]) * size
            places = 1
        if places < 1:
            continue
        if ladder.nodes == 0:
            kernel.identity(target, recipe.inner, call.layout.pitch, lane.parameters)
            continue
        state = across(call, lane, fold, &ladder, places, target)
        if state != target:
            copy_state(target, state, places * recipe.inner, call, kernel)
    if recipe.widths_found:
        for i in range(kernel.planes):
            lane.pick(
                fold.uneven + i * plane_size, fold.by_width + i * plane_size, fold.table, outputs, recipe.inner,
            )
    return fold.uneven


cdef void find_states(
    Fold* fold, const Call* call, const Kernel* kernel, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil:
    """Where among the rows by width the state of each output of a tile begins, in numbers."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t j, i = 0, size
    for j in range(first, first + outputs):
        size = axis.sizes[j]
        while recipe.widths[i] != size:
            i = i + 1 if i + 1 < recipe.widths_found else 0
        fold.table[j - first] = i * kernel.planes * call.layout.pitch
        if size:
            fold.table[j - first] += (axis.start[j] - axis.start[first]) * recipe.inner


# --- results

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
    recipe.finish_places(places, state, NULL, 0, 0, outputs * recipe.inner, pitch)
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
            places, state, scratch.flat, start_of(axis, first) * inner, axis.stride, outputs * inner, pitch,
        )
        return
    for j in range(outputs):
        recipe.finish_places(
            places + j * inner, state + j * width, scratch.flat, start_of(axis, first + j) * inner, 1, inner, pitch,
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
        recipe.finish(natural, state, counts, count, n, call.layout.pitch, &scratch.parameters)
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
) noexcept nogil:
    """Write outputs [first, stop): at once if their counts are known by pixel, else the two ends apart."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t width = recipe.value.kernel.width * recipe.inner
    cdef Py_ssize_t bounds[4]
    cdef Py_ssize_t i, run
    cdef char* places = row_of(&call.places, scratch, recipe.leading) + first * call.places.column
    if recipe.masked:
        write_run(scratch, call, state, first, stop - first, scratch.counts, 0, target, places)
        return
    if recipe.finish == NULL and scratch.present * recipe.least_columns >= recipe.parameters.minimum:
        # Counts change nothing.
        write_run(
            scratch, call, state, first, stop - first, NULL, <double> recipe.parameters.minimum, target, places,
        )
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


cdef inline Py_ssize_t find_lanes(
    const Lane** lanes, Fold** folds, Scratch* scratch, const Recipe* recipe,
) noexcept nogil:
    """The lanes in use, one or two of them, or none where every window counts all its samples and no more is asked."""
    cdef Py_ssize_t used = 0
    if recipe.value.kernel.planes:
        lanes[0] = &recipe.value
        folds[0] = &scratch.value
        used = 1
    if recipe.masked:
        lanes[used] = &recipe.count
        folds[used] = &scratch.count
        used = used + 1
    return used


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


cdef inline char* fold_columns(
    const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t outputs, char* target,
) noexcept nogil:
    cdef const Axis* axis = &call.recipe.axes[call.recipe.leading]
    cdef Ladder ladder
    if axis.start != NULL:
        return across_uneven(call, lane, fold, first, outputs)
    ladder.row = fold.folded
    if axis.taps == 1 and ladder.row != fold.levels[0]:    # a finish may work where its states lie
        ladder.row = fold.levels[0]
        copy_state(
            ladder.row, fold.folded, columns_under(axis, first, outputs) * call.recipe.inner, call, &lane.kernel,
        )
    ladder.nodes, ladder.taps = axis.taps, 1
    ladder.stride, ladder.step = axis.stride if outputs > 1 else 0, axis.step
    return across(call, lane, fold, &ladder, outputs, target)


cdef char* fold_tile(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """The states of outputs, and where pixels are masked their counts, from the accumulators."""
    cdef const Recipe* recipe = call.recipe
    if recipe.masked:
        recipe.to_counts(
            scratch.counts, fold_columns(call, &recipe.count, &scratch.count, first, outputs, NULL),
            outputs * recipe.inner, NULL,
        )
    if recipe.value.kernel.planes:
        return fold_columns(call, &recipe.value, &scratch.value, first, outputs, target)
    return NULL


# --- nodes that windows share

cdef void find_row(Scratch* scratch, const Call* call, Py_ssize_t position) noexcept nogil:
    """List the one image row at a position of the last leading axis; windows have one row along the others."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis
    cdef Py_ssize_t a, source
    cdef char* begin = call.image.data
    cdef char* mask = call.mask.data
    cdef int64_t flat = 0
    cdef bint constant = False
    for a in range(recipe.leading):
        axis = &recipe.axes[a]
        source = source_of(axis, position if a == recipe.leading - 1 else start_of(axis, scratch.output[a]))
        if source < 0:
            constant = True
            source = 0
        begin = begin + source * call.image.leading[a]
        mask = mask + source * call.mask.leading[a]
        flat = flat * axis.length + source
    scratch.sources[0] = NULL if constant else begin
    scratch.masks[0] = <const uint8_t*> mask
    scratch.order[0] = 0
    scratch.name[0] = flat
    scratch.listed = 1


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
    cdef bint passes                                       # the row at which nodes meet
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


cdef inline Py_ssize_t rows_alike(
    const Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t row, Py_ssize_t end,
) noexcept nogil:
    """Output rows from `row` to `end` whose image rows all lie where those of `row` do, each time a stride on."""
    cdef const Axis* axis = &call.recipe.axes[call.recipe.leading - 1]
    cdef Py_ssize_t output = scratch.output[call.recipe.leading - 1], r
    cdef Py_ssize_t start = output * axis.stride - axis.before
    cdef Py_ssize_t past = axis.length - (axis.taps - 1) * axis.step    # a window that starts before it lies within
    if axis.start != NULL or not (call.rows_in_place and segment.sources == NULL and 0 <= start < past):
        return 1
    for r in range(scratch.listed):
        if scratch.sources[r] == NULL:
            return 1
    return min(end - row, axis.outputs - output, divided_up(past - start, axis.stride))


cdef struct Pair:
    # Two rows of the image, side by side, and where the results of their windows go.
    const char* upper
    const char* lower
    char* target
    char* places
    int64_t flat                    # index of the upper row's first element,
    int64_t down                    # and from there to the element below


cdef inline void quad_columns(
    Scratch* scratch, const Call* call, const Pair* pair, Py_ssize_t first, Py_ssize_t n, Py_ssize_t shift, char* out,
    char* places,
) noexcept nogil:
    """Results of `n` elements from output column `first` on."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t element = 2 * first * recipe.inner, hop = element * recipe.row_width
    if recipe.quad_places == NULL:
        recipe.quad(out, pair.upper + hop, pair.lower + hop, n, shift, &scratch.parameters)
    else:
        recipe.quad_places(
            out, <int64_t*> places, pair.upper + hop, pair.lower + hop, n, shift, pair.flat + element, pair.down,
            &scratch.parameters,
        )


cdef void write_quads_in_pieces(
    Scratch* scratch, const Call* call, const Pair* pair, Py_ssize_t outputs,
) noexcept nogil:
    """A row of results by way of scratch, in pieces that stay in the first-level cache until they are picked or sent.

    Whole pieces are of a multiple of 32 columns, so that no vector of them is cut short.
    """
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t inner = recipe.inner, width = inner * recipe.out_width, first = 0, columns, n
    cdef Py_ssize_t piece = max(<Py_ssize_t> PIECE // (64 * width), 1) * 32
    cdef char* places = pair.places
    while first < outputs:
        columns = min(outputs - first, piece)
        if recipe.quad_picks:
            quad_columns(scratch, call, pair, first, columns * inner, 1, scratch.result, places)
            skpool_stream(pair.target + first * width, scratch.result, columns * width)
        else:                                              # the row's last column has no neighbour
            n = (2 * columns - (first + columns == outputs)) * inner
            quad_columns(scratch, call, pair, first, n, inner, scratch.result, <char*> scratch.places)
            recipe.compact_out(pair.target + first * width, scratch.result, columns, 2, inner)
            if places != NULL:
                recipe.compact_places(places, scratch.places, columns, 2, inner)
        if places != NULL:
            places = places + columns * inner * sizeof(int64_t)
        first = first + columns


cdef void write_quads(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t first, Py_ssize_t outputs,
    Py_ssize_t rows_count,
) noexcept nogil:
    """Results of whole windows of 2 x 2: rows and columns in one pass.

    Of as many rows as are alike: with nothing between two rows, the next is read before the last is written, and its
    first page is asked for ahead: the processor does so by itself only within a page. Maxima of uint8 at 4096 x 4096
    take 0.55 of the time without, those of float32 0.97.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t last = recipe.leading - 1, inner = recipe.inner, line = axis.length * inner, i, j
    cdef Py_ssize_t hop = recipe.axes[last].stride * call.image.leading[last]
    cdef Py_ssize_t fetched = min(2 * outputs * inner * recipe.row_width, <Py_ssize_t> PAGE)
    cdef const void* rows[2]
    cdef const uint8_t* valid[2]
    cdef Pair pair
    for i in range(2):
        prepared(scratch, call, segment, i, i, &rows[i], &valid[i])
    pair.upper = <const char*> rows[0]
    pair.lower = <const char*> rows[1]
    pair.target = row_of(&call.out, scratch, recipe.leading) + first * call.out.column
    pair.places = NULL
    pair.flat = pair.down = 0
    if recipe.quad_places != NULL:
        pair.places = row_of(&call.places, scratch, recipe.leading) + first * call.places.column
        pair.flat = flat_row(scratch, recipe, 0) * line
        pair.down = flat_row(scratch, recipe, 1) * line - pair.flat
        pair.flat = pair.flat + start_of(axis, first) * inner
    for i in range(rows_count):
        if call.fetches and i + 1 < rows_count:
            skpool_prefetch(pair.upper + hop, fetched)
            skpool_prefetch(pair.lower + hop, fetched)
        if recipe.quad_picks and not call.streams:
            quad_columns(scratch, call, &pair, 0, outputs * inner, 1, pair.target, pair.places)
        elif inner >= LONG_COLUMN:
            for j in range(outputs):
                quad_columns(
                    scratch, call, &pair, j, inner, inner, pair.target + j * inner * recipe.out_width,
                    pair.places + j * inner * sizeof(int64_t),
                )
        else:
            write_quads_in_pieces(scratch, call, &pair, outputs)
        pair.target = pair.target + call.out.leading[last]
        pair.places = pair.places + call.places.leading[last]
        pair.flat = pair.flat + recipe.axes[last].stride * line
        pair.upper = pair.upper + hop
        pair.lower = pair.lower + hop


cdef void fetch_next(const Scratch* scratch, const Call* call, const Segment* segment) noexcept nogil:
    """Ask for the rows that the next windows add, while those of this one are folded.

    3/1 and 3/2 of float32 at 4096 x 4096 take 0.83 and 0.88 of the time without; 5/1 would take 1.03.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading - 1]
    cdef Py_ssize_t last = recipe.leading - 1, hop = call.image.leading[last], r
    cdef Py_ssize_t bottom = scratch.output[last] * axis.stride - axis.before + (axis.taps - 1) * axis.step
    cdef const char* row
    if (
        scratch.listed == 0 or scratch.sources[scratch.listed - 1] == NULL or bottom < 0
        or bottom + axis.stride >= axis.length or segment.first < 0 or segment.sources != NULL
    ):
        return
    row = scratch.sources[scratch.listed - 1] + segment.first * call.image.column
    for r in range(1, axis.stride + 1):
        skpool_prefetch(row + r * hop, segment.columns * recipe.inner * recipe.row_width)


cdef inline bint gathers_alike(
    const Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """Whether a row of windows is one gather of image rows that lie in place, beside columns that hold nothing."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t s, within = 0
    for s in range(segments_found):
        within = within + (segments[s].first >= 0 or segments[s].sources != NULL)
    return (
        within == 1 and recipe.leading > 0 and call.rows_in_place and not recipe.masked
        and recipe.value.kernel.planes > 0 and recipe.value.kernel.block == BLOCK
        and (recipe.most_rows <= 4 or (recipe.most_rows == BLOCK and not call.asks))
    )


cdef void write_alike(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, const Segment* inside,
    Py_ssize_t first, Py_ssize_t outputs, Py_ssize_t rows_count, bint fetches, bint straight,
) noexcept nogil:
    """As many rows of whole windows as are alike, where `gathers_alike`: nothing is looked up between two of them.

    64 x 64 planes of 56 x 56 pixels at 3/2 take 0.55 of the time of rows one by one, 512 x 512 pixels 0.6 to 0.9.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Lane* lane = &recipe.value
    cdef const Kernel* kernel = &lane.kernel
    cdef Fold* fold = &scratch.value
    cdef Py_ssize_t last = recipe.leading - 1, n = inside.columns * recipe.inner, i, s, r
    cdef Py_ssize_t hop = call.image.leading[last], stride = recipe.axes[last].stride
    cdef char* target = row_of(&call.out, scratch, recipe.leading) + first * call.out.column
    cdef char* state
    cdef const void* rows[BLOCK]
    cdef const uint8_t* valid[BLOCK]
    cdef bint enough = scratch.present * recipe.least_columns >= recipe.parameters.minimum
    memset(valid, 0, sizeof(valid))
    for r in range(scratch.listed):
        rows[r] = scratch.sources[r] + inside.first * call.image.column
    for i in range(rows_count):
        if fetches and i + 1 < rows_count:
            for r in range(1, stride + 1):
                skpool_prefetch(<const char*> rows[scratch.listed - 1] + r * hop, n * recipe.row_width)
        for s in range(segments_found):
            if &segments[s] != inside:
                kernel.identity(
                    fold.levels[0] + segments[s].offset * recipe.inner * kernel.width,
                    segments[s].columns * recipe.inner, call.layout.pitch, lane.parameters,
                )
        kernel.gather(
            fold.levels[0] + inside.offset * recipe.inner * kernel.width, rows, valid, scratch.order, scratch.listed,
            n, call.layout.pitch, lane.parameters,
        )
        state = fold_columns(call, lane, fold, first, outputs, target if straight else NULL)
        if not (enough and state == target):               # it is not there yet
            write_row(scratch, call, state, first, first + outputs, target)
        advance(scratch, recipe)
        target = target + call.out.leading[last]
        for r in range(scratch.listed):
            rows[r] = <const char*> rows[r] + stride * hop


cdef void begin_tile(Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    cdef const Recipe* recipe = call.recipe
    memset(scratch.kept, 0xff, call.layout.slots * sizeof(int64_t))
    memset(scratch.stamps, 0, call.layout.slots * sizeof(Py_ssize_t))
    if recipe.widths_found:
        find_states(&scratch.value, call, &recipe.value.kernel, first, outputs)
        if recipe.masked:
            find_states(&scratch.count, call, &recipe.count.kernel, first, outputs)


cdef void work(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """Pool a block of output rows over a tile of output columns."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t tiles = divided_up(axis.outputs, call.layout.tile)
    cdef Py_ssize_t first = item % tiles * call.layout.tile
    cdef Py_ssize_t outputs = min(call.layout.tile, axis.outputs - first)
    cdef Py_ssize_t begin = item // tiles * call.block
    cdef Py_ssize_t row = begin, end = min(begin + call.block, recipe.rows)
    cdef Py_ssize_t found, alike, columns
    cdef Segment segments[4]
    cdef const Segment* inside
    cdef char* state
    cdef char* target
    cdef bint quads, fetches, gathers, found_rows = False
    cdef bint straight = (
        call.out_in_place and not call.streams
        and recipe.finish == NULL and recipe.widen == NULL and recipe.value.kernel.planes == 1
    )
    found = find_segments(segments, scratch, recipe, start_of(axis, first), columns_under(axis, first, outputs))
    quads = (
        recipe.quad != NULL and found == 1
        and call.out_in_place and (recipe.quad_places == NULL or call.places_in_place)
        and is_whole(axis, first) and is_whole(axis, first + outputs - 1)
    )
    inside = segments
    while inside < segments + found - 1 and (inside.first < 0 or inside.sources != NULL):
        inside = inside + 1
    fetches = recipe.overlapping and recipe.most_rows <= MOST_FETCHED and call.rows_in_place
    gathers = gathers_alike(scratch, call, segments, found)
    begin_tile(scratch, call, first, outputs)
    seek(scratch, recipe, row)
    while row < end:
        target = row_of(&call.out, scratch, recipe.leading) + first * call.out.column
        scratch.stamp = row + 1
        if recipe.shared_levels:
            columns = columns_under(axis, first, outputs)
            fold_shared(
                scratch, call, segments, found, columns, row > begin and scratch.output[recipe.leading - 1] > 0,
            )
            state = fold_tile(scratch, call, first, outputs, target if straight else NULL)
            write_row(scratch, call, state, first, first + outputs, target)
            advance(scratch, recipe)
            row = row + 1
            continue
        if not found_rows:
            find_rows(scratch, call, 0, recipe.most_rows)
        if quads and scratch.present == 2:
            alike = rows_alike(scratch, call, segments, row, end)
            write_quads(scratch, call, segments, first, outputs, alike)
            row = row + alike
            seek(scratch, recipe, row)
            found_rows = False
            continue
        if gathers and scratch.listed == recipe.most_rows:
            alike = rows_alike(scratch, call, inside, row, end)
            if alike > 1:
                write_alike(
                    scratch, call, segments, found, inside, first, outputs, alike, fetches, straight,
                )
                row = row + alike
                found_rows = False
                continue
        if fetches and row + 1 < end:
            fetch_next(scratch, call, inside)
        fold_rows(scratch, call, segments, found)
        state = fold_tile(scratch, call, first, outputs, target if straight else NULL)
        write_row(scratch, call, state, first, first + outputs, target)
        advance(scratch, recipe)
        found_rows = slide_rows(scratch, call)
        row = row + 1
    if call.streams:
        skpool_streamed()


# --- windows by their samples

cdef void lay_row(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t r,
    Py_ssize_t place,
) noexcept nogil:
    """Listed row `r`, at `place` in the window, over all segments: as it lies or was kept, or put together."""
    cdef const Recipe* recipe = call.recipe
    cdef const Segment* segment = segments
    cdef Py_ssize_t s, slot, offset, n
    cdef int64_t name = scratch.name[r]
    cdef const void* row
    cdef const uint8_t* valid = NULL
    cdef char* target
    cdef uint8_t* valid_target
    cdef bint found = False, counts = recipe.masked
    cdef bint alone = segments_found == 1 and segment.sources == NULL and segment.first >= 0
    if alone and scratch.sources[r] != NULL and call.rows_in_place and not recipe.masked:
        scratch.lane_rows[place] = <char*> scratch.sources[r] + segment.first * call.image.column
        scratch.lane_valid[place] = NULL
        return
    for s in range(segments_found):
        counts = counts or (segments[s].first < 0 and segments[s].sources == NULL)
    if scratch.sources[r] == NULL:
        name = -2 - place                                  # not to be found again
    slot = slot_of(scratch, call, name, &found)
    target = slot_row(scratch, call, slot)
    valid_target = slot_valid(scratch, call, slot)
    scratch.lane_rows[place] = target
    scratch.lane_valid[place] = valid_target if counts else NULL
    if found and name >= 0:
        return
    for s in range(segments_found):
        segment = &segments[s]
        offset = segment.offset * recipe.inner
        if segment.first < 0 and segment.sources == NULL:
            n = segment.columns * recipe.inner
            fill_row(target + offset * recipe.row_width, recipe.neutral, recipe.row_width, n)
            memset(valid_target + offset, 0, n)
            continue
        prepare(
            scratch, call, segment, r, target + offset * recipe.row_width, valid_target + offset, &row, &valid,
        )
        if row != target + offset * recipe.row_width:
            memcpy(target + offset * recipe.row_width, row, segment.columns * recipe.inner * recipe.row_width)
            if recipe.leading and call.rows_in_place and segment.sources == NULL:
                skpool_prefetch(
                    <const char*> row + call.image.leading[recipe.leading - 1],
                    segment.columns * recipe.inner * recipe.row_width,
                )
        if counts and valid == NULL:
            memset(valid_target + offset, 1, segment.columns * recipe.inner)


cdef bint lay_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """All rows of the window, absent ones too; whether all samples of all of them count."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t r, columns = recipe.axes[recipe.leading].taps
    cdef bint whole = scratch.listed == recipe.most_rows
    if not whole:
        for r in range(recipe.most_rows):
            scratch.lane_rows[r] = scratch.absent
            scratch.lane_valid[r] = scratch.nowhere
    for r in range(scratch.listed):
        lay_row(scratch, call, segments, segments_found, r, scratch.order[r] // columns)
        whole = whole and scratch.lane_valid[scratch.order[r] // columns] == NULL
    return whole


cdef void gather_samples(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs, bint whole,
) noexcept nogil:
    """Where the samples of each tap are, for each of the outputs in a row."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t inner = recipe.inner, pitch = picked_pitch(call), t, j, c, column, offset
    cdef const char* row
    cdef const uint8_t* valid
    cdef char* picked
    cdef uint8_t* picked_valid
    for t in range(recipe.taps):
        column = recipe.tap_columns[t]
        offset = column * axis.step * inner
        row = scratch.lane_rows[recipe.tap_rows[t]]
        valid = scratch.lane_valid[recipe.tap_rows[t]]
        picked = scratch.picked + t * pitch * recipe.row_width
        picked_valid = scratch.picked_valid + t * pitch
        if axis.start == NULL and axis.stride == 1:
            scratch.samples[t] = row + offset * recipe.row_width
            scratch.valid_samples[t] = valid
            if valid != NULL:
                scratch.valid_samples[t] = valid + offset
            continue
        scratch.samples[t] = picked
        scratch.valid_samples[t] = picked_valid
        if valid == NULL and axis.start == NULL:
            scratch.valid_samples[t] = NULL
        if axis.start == NULL:
            recipe.compact_rows(picked, row + offset * recipe.row_width, outputs, axis.stride, inner)
            if valid != NULL:
                recipe.compact_mask(picked_valid, valid + offset, outputs, axis.stride, inner)
            continue
        for j in range(outputs):
            scratch.picks[j] = (axis.start[first + j] - axis.start[first]) * inner
            if column < axis.sizes[first + j]:
                scratch.picks[j] = scratch.picks[j] + column * inner
        recipe.pick_rows(picked, row, scratch.picks, outputs, inner)
        if valid == NULL:
            memset(picked_valid, 1, outputs * inner)
        else:
            recipe.pick_mask(picked_valid, valid, scratch.picks, outputs, inner)
        for j in range(outputs):
            if column >= axis.sizes[first + j]:
                for c in range(inner):
                    picked_valid[j * inner + c] = 0
                    memcpy(picked + (j * inner + c) * recipe.row_width, recipe.neutral, recipe.row_width)
    if whole:
        return
    for t in range(recipe.taps):
        if scratch.valid_samples[t] == NULL:
            scratch.valid_samples[t] = scratch.everywhere


cdef void fold_samples(Scratch* scratch, const Call* call, Py_ssize_t n, bint whole) noexcept nogil:
    """Fold the samples of each window into the accumulator by the tree T over its taps, and count them."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const Kernel* counter = &recipe.count.kernel
    cdef int64_t order[BLOCK]
    cdef Tree tree
    cdef Py_ssize_t t = 0, i, left, taken_now
    tree.depth = tree.whole = 0
    while t < recipe.taps:
        left = recipe.taps - t
        taken_now = 8 if left >= 8 else 4 if left >= 4 else left
        for i in range(taken_now):
            order[i] = (
                recipe.tap_rows[t + i] * recipe.axes[recipe.leading].taps + recipe.tap_columns[t + i]
            )
        if not whole:
            counter.gather(
                scratch.count.levels[0 if t == 0 else 1], <const void**> scratch.valid_samples + t,
                scratch.valid_samples + t, order, taken_now, n, call.layout.pitch, recipe.count.parameters,
            )
            if t > 0:
                counter.fold(
                    scratch.count.levels[0], scratch.count.levels[1], n, call.layout.pitch, recipe.count.parameters,
                )
        if kernel.planes and kernel.block == BLOCK:
            tree.node[tree.depth] = scratch.value.levels[tree.depth]
            kernel.gather(
                tree.node[tree.depth], scratch.samples + t, scratch.valid_samples + t, order, taken_now, n,
                call.layout.pitch, recipe.value.parameters,
            )
            grow(&tree, &scratch.value, 0, n, call, &recipe.value, taken_now == BLOCK, False)
        elif kernel.planes:
            for i in range(taken_now):
                tree.node[tree.depth] = scratch.value.levels[tree.depth]
                kernel.gather(
                    tree.node[tree.depth], scratch.samples + t + i, scratch.valid_samples + t + i, order + i, 1, n,
                    call.layout.pitch, recipe.value.parameters,
                )
                grow(&tree, &scratch.value, 0, n, call, &recipe.value, True, False)
        t = t + taken_now
    finish_tree(&tree, &scratch.value, 0, n, call, &recipe.value)


cdef void write_samples(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs, bint whole, Py_ssize_t moved,
    bint beside,
) noexcept nogil:
    """Results of a run of outputs, from their samples or rows; `moved` rows further down than those before."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t n = outputs * recipe.inner
    cdef char* target = row_of(&call.out, scratch, recipe.leading) + first * call.out.column
    cdef char* places = row_of(&call.places, scratch, recipe.leading) + first * call.places.column
    cdef char* natural = scratch.natural
    cdef double* counts = NULL if whole else scratch.counts
    cdef double count = <double> recipe.taps
    if recipe.lanes == NULL and recipe.slides == NULL:
        fold_samples(scratch, call, n, whole)
        if not whole:
            recipe.to_counts(counts, scratch.count.levels[0], n, NULL)
        write_run(scratch, call, scratch.value.levels[0], first, outputs, counts, count, target, places)
        return
    if recipe.parameters.order.omits:
        counts = scratch.counts
    if recipe.widen == NULL and call.out_in_place and not call.streams:
        natural = target
    if beside:
        recipe.beside(natural, <const void**> scratch.lane_rows, outputs, scratch.room, &recipe.parameters)
    elif recipe.slides != NULL:
        recipe.slides(
            natural, counts, <const void**> scratch.lane_rows, <const uint8_t**> scratch.lane_valid, &recipe.slide,
            moved, outputs, scratch.room, &recipe.parameters,
        )
    else:
        recipe.lanes(
            natural, counts, scratch.samples, NULL if whole else scratch.valid_samples, recipe.taps, n, scratch.room,
            &recipe.parameters,
        )
    write_run(scratch, call, natural, first, outputs, counts, count, target, places)


cdef bint lay_tile(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t columns,
) noexcept nogil:
    """All rows of a tile of windows, if all their samples count."""
    cdef const Recipe* recipe = call.recipe
    cdef const Tile* tile = &recipe.tile
    cdef Py_ssize_t last = recipe.leading - 1, taps = recipe.axes[recipe.leading].taps, y, r, place, row
    cdef const uint8_t* valid
    for y in range(tile.down):
        find_rows(scratch, call, 0, recipe.most_rows)
        if scratch.listed < recipe.most_rows:
            return False
        for r in range(recipe.most_rows):
            place = scratch.order[r] // taps
            row = place % tile.tall
            if y and row < tile.tall - 1:                  # laid with the window before
                continue
            place = place // tile.tall * (tile.tall + tile.down - 1) + row + y
            lay_row(scratch, call, segments, segments_found, r, place)
            valid = scratch.lane_valid[place]
            if valid != NULL and memchr(valid, 0, columns * recipe.inner) != NULL:
                return False
        scratch.output[last] = scratch.output[last] + 1
    return True


cdef bint write_tiles(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t first,
    Py_ssize_t outputs, Py_ssize_t row,
) noexcept nogil:
    """Results of as many output rows, from `row` on, as a tile has; False if they must be found one by one."""
    cdef const Recipe* recipe = call.recipe
    cdef const Tile* tile = &recipe.tile
    cdef Py_ssize_t pitch = call.layout.pitch * recipe.natural_width, y
    cdef Py_ssize_t columns = columns_under(&recipe.axes[recipe.leading], first, outputs)
    seek(scratch, recipe, row)
    scratch.stamp = -1 - row                               # not that of a window, which may need the slots after all
    if not (
        lay_tile(scratch, call, segments, segments_found, columns)
        and recipe.tiles(
            scratch.tiled, pitch, <const void**> scratch.lane_rows, tile, outputs, recipe.inner, scratch.room,
            &recipe.parameters,
        )
    ):
        return False
    for y in range(tile.down):
        seek(scratch, recipe, row + y)
        write_run(
            scratch, call, scratch.tiled + y * pitch, first, outputs, NULL, <double> recipe.taps,
            row_of(&call.out, scratch, recipe.leading) + first * call.out.column, NULL,
        )
    return True


cdef inline Py_ssize_t tile_at(
    const Scratch* scratch, const Call* call, Py_ssize_t begin, Py_ssize_t row, Py_ssize_t end,
) noexcept nogil:
    """The first row of a tile in which `row` is; a block's last tile has rows before it, too. -1 if none fits."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t output = scratch.output[recipe.leading - 1]
    cdef Py_ssize_t left = min(end - row, recipe.axes[recipe.leading - 1].outputs - output)
    cdef Py_ssize_t back = max(recipe.tile.down - left, <Py_ssize_t> 0)
    return row - back if back <= min(output, row - begin) else -1


cdef inline void fetch_beside(const Scratch* scratch, const Call* call, Py_ssize_t columns) noexcept nogil:
    """Ask for the beginning of the next windows' rows: modes of uint32 at 2 x 2 take 0.85 to 0.95 of the time."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t last = recipe.leading - 1, hop, r
    if last < 0 or not call.fetches:
        return
    hop = recipe.axes[last].stride * call.image.leading[last]
    for r in range(scratch.listed):
        skpool_prefetch(scratch.lane_rows[r] + hop, min(columns * recipe.inner * recipe.row_width, FETCHED))


cdef void work_on_samples(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """As `work`, for windows by their samples: those that count all their columns, and those beside them."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t tiles = divided_up(axis.outputs, call.layout.tile)
    cdef Py_ssize_t first = item % tiles * call.layout.tile
    cdef Py_ssize_t begin = item // tiles * call.block
    cdef Py_ssize_t row, end = min(begin + call.block, recipe.rows)
    cdef Py_ssize_t bounds[4]
    cdef Py_ssize_t i, run, found, moved, tile, one_by_one, slid
    cdef Segment segments[4]
    cdef bint whole, beside, found_rows
    fill_row(scratch.absent, recipe.neutral, recipe.row_width, call.layout.pitch)
    memset(scratch.nowhere, 0, call.layout.pitch)
    memset(scratch.everywhere, 1, call.layout.pitch)
    bounds[0] = bounds[1] = first
    bounds[2] = bounds[3] = first + min(call.layout.tile, axis.outputs - first)
    while bounds[1] < bounds[3] and not is_whole(axis, bounds[1]):
        bounds[1] = bounds[1] + 1
    while bounds[2] > bounds[1] and not is_whole(axis, bounds[2] - 1):
        bounds[2] = bounds[2] - 1
    for i in range(3):
        run = bounds[i + 1] - bounds[i]
        if run == 0:
            continue
        found = find_segments(
            segments, scratch, recipe, start_of(axis, bounds[i]), columns_under(axis, bounds[i], run),
        )
        begin_tile(scratch, call, bounds[i], run)
        seek(scratch, recipe, begin)
        found_rows = False
        row = one_by_one = begin
        slid = -1
        while row < end:
            if recipe.tiles != NULL and i == 1 and row >= one_by_one:
                tile = tile_at(scratch, call, begin, row, end)
                if tile >= 0 and write_tiles(scratch, call, segments, found, bounds[i], run, tile):
                    row = tile + recipe.tile.down
                    one_by_one = row
                    seek(scratch, recipe, row)
                    found_rows = False
                    continue
                seek(scratch, recipe, row)
                found_rows = False
                one_by_one = row + recipe.tile.down
            scratch.stamp = row + 1
            if not found_rows:
                find_rows(scratch, call, 0, recipe.most_rows)
            whole = lay_rows(scratch, call, segments, found) and axis.start == NULL
            beside = whole and i == 1 and recipe.beside != NULL
            moved = 0
            if beside:
                fetch_beside(scratch, call, columns_under(axis, bounds[i], run))
            elif recipe.slides == NULL:
                gather_samples(scratch, call, bounds[i], run, whole)
            else:
                if row == slid + 1 and recipe.leading and scratch.output[recipe.leading - 1] > 0:
                    moved = recipe.axes[recipe.leading - 1].stride
                slid = row
            write_samples(scratch, call, bounds[i], run, whole, moved, beside)
            advance(scratch, recipe)
            found_rows = slide_rows(scratch, call)
            row = row + 1
    if call.streams:
        skpool_streamed()


# --- parts of windows

cdef inline Py_ssize_t part_bytes(const Parts* parts, const Recipe* recipe, const Kernel* kernel) noexcept nogil:
    """Of a state row that a part leaves behind."""
    return divided_up(parts.columns * recipe.inner * kernel.planes * kernel.width, ALIGNMENT) * ALIGNMENT


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
    cdef char* target
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
        target = parts.values if lanes[i] == &recipe.value else parts.counts
        copy_part(
            target + item // pieces * part_bytes(parts, recipe, &lanes[i].kernel)
            + first * recipe.inner * lanes[i].kernel.width,
            parts.columns * recipe.inner, folds[i].levels[0], call.layout.pitch, columns * recipe.inner,
            &lanes[i].kernel,
        )


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
    cdef char* target
    seek(scratch, recipe, item // pieces)
    find_rows(scratch, call, 0, 0)
    for i in range(find_lanes(lanes, folds, scratch, recipe)):
        join_parts(scratch, call, lanes[i], folds[i], item // pieces, first, columns)
        target = call.joined.values if lanes[i] == &recipe.value else call.joined.counts
        copy_part(
            target + item // pieces * part_bytes(parts, recipe, &lanes[i].kernel)
            + first * recipe.inner * lanes[i].kernel.width,
            parts.columns * recipe.inner, folds[i].levels[0], call.layout.pitch, columns * recipe.inner,
            &lanes[i].kernel,
        )


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


# --- the Python face

ctypedef void (*step_t)(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil


cdef size_t address(array) except? 0:
    """Where the numbers of a contiguous array lie; they stay there while the array lives."""
    cdef const uint8_t[::1] memory
    if not len(array):
        return 0
    memory = memoryview(array).cast("B")
    return <size_t> &memory[0]


cdef Py_ssize_t* copied_sizes(numbers) except NULL:
    """A copy that `free` frees."""
    cdef Py_ssize_t i, n = len(numbers)
    cdef Py_ssize_t* copy = <Py_ssize_t*> malloc(max(n, 1) * sizeof(Py_ssize_t))
    if copy == NULL:
        raise MemoryError
    for i in range(n):
        copy[i] = numbers[i]
    return copy


cdef int take_steps(Steps* steps, program) except -1:
    table, steps.registers, ranks, compiled = program
    steps.steps = <const int16_t*> address(table)
    steps.count = len(table)
    steps.ranks = <const int16_t*> address(ranks)
    steps.compiled = <void*> <size_t> compiled
    return 0


cdef void release(Py_buffer* buffers, int count) noexcept:
    """Give back what was asked for; the others, still zeros, hold nothing."""
    cdef int i
    for i in range(count):
        PyBuffer_Release(&buffers[i])


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
    samples : dict or None
        Windows by their samples: ``rows`` and ``columns`` of the taps, ``room``, and where samples are sorted what
        `Order` has.
    """
    cdef Recipe recipe
    cdef object tables              # of `samples`: the recipe points into them
    cdef bint has_channels
    cdef Py_ssize_t pixels          # of the image
    cdef Py_ssize_t outputs         # of the result
    cdef Layout layouts[2]          # by whether rows are used where they lie

    def __cinit__(self, axes, inner, settings, functions, parameters, constants, samples=None):
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
                recipe.overlapping |= table.overlaps
                continue
            recipe.least_columns = table.counts.min(initial=recipe.axes[a].taps)
        if samples is None:
            self.find_widths()
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
        recipe.quad_picks = settings["quad_picks"]
        recipe.load = <load_t> <size_t> functions["load"]
        recipe.load_mask = <load_t> <size_t> functions["load_mask"]
        recipe.select = <select_t> <size_t> functions["select"]
        self.take_lane(&recipe.value, functions["value"], functions["compact"], functions["pick"])
        self.take_lane(&recipe.count, functions["count"], functions["compact"], functions["pick"])
        recipe.to_counts = <convert_t> <size_t> functions["to_counts"]
        recipe.quad = <quad_t> <size_t> functions["quad"]
        recipe.compact_out = <compact_t> <size_t> functions["compact"][settings["out_width"]]
        recipe.compact_places = <compact_t> <size_t> functions["compact"][8]
        recipe.finish = <finish_t> <size_t> functions["finish"]
        recipe.finish_places = <finish_places_t> <size_t> functions["finish_places"]
        recipe.quad_places = <quad_places_t> <size_t> functions["quad"] if recipe.finish_places != NULL else NULL
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
        if samples is not None:
            self.take_samples(samples, functions)
        self.find_shared_levels()
        cdef Py_ssize_t listed = 1 if recipe.shared_levels else recipe.most_rows
        cdef Py_ssize_t nodes = recipe.taps if recipe.taps else listed
        self.lay_out(&self.layouts[0], False, listed, nodes, 0)
        self.lay_out(&self.layouts[1], True, listed, nodes, 0)

    cdef int take_lane(self, Lane* lane, kernel, compact, pick) except -1:
        lane.parameters = &self.recipe.parameters
        if kernel is None:                                 # the count alone decides
            lane.kernel.block = BLOCK
            return 0
        lane.kernel = (<Kernel*> <size_t> kernel)[0]
        lane.compact = <compact_t> <size_t> compact[lane.kernel.width]
        lane.pick = <pick_t> <size_t> pick[lane.kernel.width]
        return 0

    cdef int take_samples(self, samples, functions) except -1:
        cdef Recipe* recipe = &self.recipe
        cdef Order* order = &recipe.parameters.order
        self.tables = samples
        recipe.taps = len(samples["rows"])
        recipe.tap_rows = copied_sizes(samples["rows"])
        recipe.tap_columns = copied_sizes(samples["columns"])
        recipe.room = samples["room"]
        recipe.lanes = <lanes_t> <size_t> functions["lanes"]
        recipe.slides = <slide_t> <size_t> functions["slides"]
        recipe.beside = <beside_t> <size_t> functions["beside"]
        recipe.laid = recipe.most_rows
        recipe.tiles = <tile_t> <size_t> functions["tiles"]
        if recipe.tiles != NULL:
            recipe.tile.deep, recipe.tile.tall, recipe.tile.wide, recipe.tile.down, recipe.tile.across = samples["tile"]
            take_steps(&recipe.tile.steps, samples["tile_steps"])
            recipe.tile.lanes = samples["tile_lanes"]
            recipe.tile.run = <void*> <size_t> functions["tile_steps"]
            recipe.laid = (recipe.tile.tall + recipe.tile.down - 1) * recipe.tile.deep
        recipe.room_each = samples["room_each"]
        recipe.slide.rows, recipe.slide.columns = samples["window"]
        recipe.slide.tall = recipe.axes[recipe.leading - 1].taps if recipe.leading else 1
        recipe.slide.stride = recipe.axes[recipe.leading].stride
        recipe.slide.inner = recipe.inner
        recipe.keys = <keys_t> <size_t> functions["keys"]
        recipe.compact_rows = <compact_t> <size_t> functions["compact"][recipe.row_width]
        recipe.compact_mask = <compact_t> <size_t> functions["compact"][1]
        recipe.pick_rows = <pick_t> <size_t> functions["pick"][recipe.row_width]
        recipe.pick_mask = <pick_t> <size_t> functions["pick"][1]
        recipe.parameters.weights = <const double*> address(samples["weights"])
        order.finish = <void*> <size_t> functions["sorted"]
        order.width = recipe.natural_width
        order.keyed, order.omits = samples["keyed"], samples["omits"]
        order.chooses, order.halves = samples["chooses"], samples["halves"]
        order.shares, order.shift = samples["shares"], samples["shift"]
        order.rows, order.columns = samples["window"]
        take_steps(&order.down, samples["down"])
        take_steps(&order.any_count, samples["any_count"])
        take_steps(&order.whole, samples["whole"])
        take_steps(&order.beside, samples["beside"])
        order.beside_decides = samples["beside_decides"]
        order.low = <const int32_t*> address(samples["low"])
        order.high = <const int32_t*> address(samples["high"])
        order.last = <const int32_t*> address(samples["last"])
        order.weight = <const double*> address(samples["weight"])
        order.has_value = samples["value"] is not None
        if order.has_value:
            memcpy(order.value, <const char*> samples["value"], len(samples["value"]))
        return 0

    cdef int take_axis(self, Axis* axis, table) except -1:
        axis.length, axis.outputs, axis.taps = table.length, table.outputs, table.most_taps
        axis.stride, axis.step = table.stride, table.step
        axis.before, axis.after = table.before, table.after
        axis.ignores = table.mode == "ignore"
        axis.outside = CONSTANT if table.mode == "constant" else ABSENT
        if not table.is_even:
            axis.start = copied(table.start)
            axis.sizes = copied(table.taps)
        if table.mode not in ("ignore", "constant"):
            axis.outside_before = copied(table.outside_before)
            axis.outside_after = copied(table.outside_after)
        return 0

    cdef void find_shared_levels(self) noexcept:
        """Whether windows are tall, overlap along one axis, and share more than it costs to share."""
        cdef Recipe* recipe = &self.recipe
        cdef const Axis* axis
        cdef Py_ssize_t levels, made
        if recipe.leading == 0 or recipe.taps:
            return
        axis = &recipe.axes[recipe.leading - 1]
        if axis.taps < TALL or axis.taps != recipe.most_rows or axis.start != NULL or axis.step != 1:
            return
        # What an output row shares costs as much as so many rows that are gathered, eight in a pass.
        if recipe.value.kernel.planes and recipe.value.kernel.unfold != NULL and 7 * axis.stride + 2 < axis.taps:
            recipe.runs = True
            recipe.shared_levels = 1
            return
        if recipe.value.kernel.planes and recipe.value.kernel.repeats and 4 * axis.stride + 4 < axis.taps:
            recipe.meets = True
            recipe.shared_levels = 1
            return
        levels = bits_of(axis.taps)
        made = 2 * axis.stride if recipe.value.kernel.block == BLOCK else axis.stride
        if recipe.value.kernel.planes + recipe.masked and levels * (made + 1) < axis.taps:
            recipe.shared_levels = levels

    cdef void find_widths(self) noexcept:
        """Note the widths of uneven windows, if it pays to fold all windows of a width at once."""
        cdef Recipe* recipe = &self.recipe
        cdef const Axis* axis = &recipe.axes[recipe.leading]
        cdef Py_ssize_t j, i
        recipe.widths_found = 0
        if axis.start == NULL or recipe.inner >= LONG_COLUMN or axis.taps * recipe.inner > WIDE:
            return
        for j in range(axis.outputs):
            i = 0
            while i < recipe.widths_found and recipe.widths[i] != axis.sizes[j]:
                i = i + 1
            if i == MOST_WIDTHS:
                recipe.widths_found = 0
                return
            recipe.widths[i] = axis.sizes[j]
            recipe.widths_found = max(recipe.widths_found, i + 1)

    def __dealloc__(self):
        cdef Py_ssize_t a
        for a in range(self.recipe.leading + 1):
            free(self.recipe.axes[a].start)
            free(self.recipe.axes[a].sizes)
            free(self.recipe.axes[a].outside_before)
            free(self.recipe.axes[a].outside_after)
        free(self.recipe.tap_rows)
        free(self.recipe.tap_columns)

    def __call__(self, image, out, mask, places, int workers):
        """Pool `image` into `out`, and the indices into `places` unless it is None; `mask` may be None.

        Returns whether a float32 total may have overflowed.
        """
        cdef Call call
        cdef Py_buffer buffers[4]
        memset(buffers, 0, sizeof(buffers))
        call.recipe = &self.recipe
        try:
            self.view(&call.image, image, &buffers[0], False)
            self.view(&call.out, out, &buffers[1], True)
            self.view(&call.mask, mask, &buffers[2], False)
            self.view(&call.places, places, &buffers[3], True)
            return bool(self.run(&call, workers))
        finally:
            release(buffers, 4)

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

    cdef void find_access(self, Call* call) noexcept:
        """How the image and the mask are read."""
        cdef const Recipe* recipe = &self.recipe
        cdef Py_ssize_t size = recipe.pixel_width * self.pixels
        call.rows_in_place = not recipe.converts_rows and self.lies_in_rows(&call.image, recipe.row_width)
        call.mask_in_place = self.lies_in_rows(&call.mask, 1)
        call.fetches = call.rows_in_place and size >= FETCHED_FROM
        call.asks = (
            call.rows_in_place and not recipe.masked and recipe.row_width <= ASKED_WIDTH and size >= ASKED_FROM
        )

    cdef int run(self, Call* call, int workers) except -1:
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* columns = &recipe.axes[recipe.leading]
        cdef Memory memory = Memory()
        cdef Py_ssize_t tiles, items, item, tall
        cdef step_t step = work
        if recipe.taps:
            step = work_on_samples
        self.find_access(call)
        call.out_in_place = self.lies_in_rows(&call.out, recipe.out_width)
        # Worth it where the result is too large for the caches and about as large as the image: by two threads, maxima
        # and averages 3/1 and 5/1 of 4096 x 4096 take 0.75 to 0.95 of the time.
        call.streams = call.out_in_place and recipe.out_width * self.outputs >= max(
            STREAMED_FROM, 9 * recipe.pixel_width * self.pixels // 10
        )
        call.places_in_place = self.lies_in_rows(&call.places, sizeof(int64_t))
        call.layout = self.layouts[call.rows_in_place]
        call.parts.rows = call.parts.width = 0
        tiles = divided_up(columns.outputs, call.layout.tile)
        # A call of few items keeps few threads busy; one output that is too wide for the scratch is slow.
        if recipe.taps == 0 and recipe.most_rows >= 2 * LEAST_PART and recipe.value.kernel.planes + recipe.masked and (
            (workers > 1 and tiles * recipe.rows < PARTED_FROM * workers)
            or (call.layout.bytes > 2 * SCRATCH and recipe.rows <= PARTED_FROM)
        ):
            return self.run_in_parts(call, workers)
        call.block = recipe.rows
        if workers > 1:
            call.block = divided_up(recipe.rows, divided_up(ITEMS_PER_WORKER * workers, tiles))
            # What a block shares with the next is made twice; still every thread is to have something to do.
            if recipe.leading and (recipe.shared_levels or recipe.slides != NULL):
                tall = 4 * recipe.most_rows // recipe.axes[recipe.leading - 1].stride
                call.block = max(call.block, min(tall, divided_up(recipe.rows, divided_up(2 * workers, tiles))))
            if recipe.tiles != NULL:
                call.block = divided_up(call.block, recipe.tile.down) * recipe.tile.down
        items = tiles * divided_up(recipe.rows, call.block)
        workers = min(workers, items)
        memory.allot(workers, call.layout.bytes)
        with nogil:
            if workers == 1:
                begin(call, memory.start)
                for item in range(items):
                    step(call, item, <Scratch*> memory.start)
            else:
                with parallel(num_threads=workers):
                    begin(call, memory.start + threadid() * memory.per_thread)
                    for item in prange(items, schedule="dynamic"):
                        step(call, item, <Scratch*> (memory.start + threadid() * memory.per_thread))
        return memory.overflowed()

    cdef int run_in_parts(self, Call* call, int workers) except -1:
        """As `run`; `down` is shared between the threads, then the rest."""
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* columns = &recipe.axes[recipe.leading]
        cdef Parts* parts = &call.parts
        cdef Call second
        cdef Memory memory = Memory(), values = Memory(), counts = Memory()
        cdef Py_ssize_t wanted = 2 * PARTED_FROM * workers, pieces, parts_wanted, items, second_items, item
        parts.columns = columns_under(columns, 0, columns.outputs)
        pieces = min(max(parts.columns * recipe.inner // LEAST_PIECE, 1), wanted)
        parts.piece = divided_up(parts.columns, pieces)
        pieces = divided_up(parts.columns, parts.piece)
        parts_wanted = divided_up(wanted, recipe.rows * pieces)
        parts.rows = LEAST_PART
        while parts.rows * parts_wanted < recipe.most_rows:
            parts.rows = 2 * parts.rows
        parts.count = divided_up(recipe.most_rows, parts.rows)
        values.allot(recipe.rows * parts.count, part_bytes(parts, recipe, &recipe.value.kernel))
        parts.values = values.start
        if recipe.masked:
            counts.allot(recipe.rows * parts.count, part_bytes(parts, recipe, &recipe.count.kernel))
            parts.counts = counts.start
        second = call[0]
        self.lay_out(&call.layout, call.rows_in_place, parts.rows, parts.rows, parts.piece)
        self.lay_out(&second.layout, call.rows_in_place, 0, parts.count * BLOCK, 0)
        items = recipe.rows * parts.count * pieces
        second_items = recipe.rows * divided_up(columns.outputs, second.layout.tile)
        workers = min(workers, items)
        memory.allot(workers, max(call.layout.bytes, second.layout.bytes))
        with nogil:
            if workers == 1:
                begin(call, memory.start)
                for item in range(items):
                    work_on_part(call, item, <Scratch*> memory.start)
                begin(&second, memory.start)
                for item in range(second_items):
                    work_on_whole(&second, item, <Scratch*> memory.start)
            else:
                with parallel(num_threads=workers):
                    begin(call, memory.start + threadid() * memory.per_thread)
                    for item in prange(items, schedule="dynamic"):
                        work_on_part(call, item, <Scratch*> (memory.start + threadid() * memory.per_thread))
                    begin(&second, memory.start + threadid() * memory.per_thread)
                    for item in prange(second_items, schedule="dynamic"):
                        work_on_whole(&second, item, <Scratch*> (memory.start + threadid() * memory.per_thread))
        return memory.overflowed()

    # Windows whose parts are images of their own. A program for such an image folds it, one for as many rows as there
    # are states joins these, and that of the window finishes. Each has one output column.

    def states(self):
        """Planes of a state row, and bytes of their numbers: of values, and of counts. No planes: there are none."""
        cdef const Kernel* count = &self.recipe.count.kernel
        return (
            (self.recipe.value.kernel.planes, self.recipe.value.kernel.width),
            (count.planes if self.recipe.masked else 0, count.width),
        )

    def fold_part(self, image, mask, Py_ssize_t first, Py_ssize_t width, values, counts):
        """Fold all rows of an image, and leave the state rows of each output row behind.

        It is the part of a window of `width` columns that begins with its row `first`.
        """
        cdef Call call
        cdef Py_buffer buffers[2]
        self.begin_parts(&call, self.recipe.most_rows, 1, values, counts)
        memset(buffers, 0, sizeof(buffers))
        call.parts.first, call.parts.width = first, width
        try:
            self.view(&call.image, image, &buffers[0], False)
            self.view(&call.mask, mask, &buffers[1], False)
            self.find_access(&call)
            self.lay_out(&call.layout, call.rows_in_place, call.parts.rows, call.parts.rows, call.parts.piece)
            self.each(work_on_part, &call, self.recipe.rows * divided_up(call.parts.columns, call.parts.piece))
        finally:
            release(buffers, 2)

    def join_parts(self, values, counts, joined, joined_counts):
        """Join the states of parts of a size, of which the last may be smaller."""
        cdef Call call
        self.begin_parts(&call, 1, self.recipe.most_rows, values, counts)
        call.joined.values = <char*> address(joined)
        call.joined.counts = <char*> address(joined_counts)
        self.lay_out(&call.layout, False, 0, call.parts.count * BLOCK, call.parts.piece)
        self.each(work_on_joined, &call, self.recipe.rows * divided_up(call.parts.columns, call.parts.piece))

    def finish_part(self, values, counts, out, places):
        """Pool from the states of one part that is the whole window; as a call."""
        cdef Call call
        cdef Py_buffer buffers[2]
        self.begin_parts(&call, self.recipe.most_rows, 1, values, counts)
        memset(buffers, 0, sizeof(buffers))
        try:
            self.view(&call.out, out, &buffers[0], True)
            self.view(&call.places, places, &buffers[1], True)
            call.out_in_place = self.lies_in_rows(&call.out, self.recipe.out_width)
            call.places_in_place = self.lies_in_rows(&call.places, sizeof(int64_t))
            self.lay_out(&call.layout, False, 0, BLOCK, 0)
            return bool(self.each(work_on_whole, &call, self.recipe.rows))
        finally:
            release(buffers, 2)

    cdef int begin_parts(self, Call* call, Py_ssize_t rows, Py_ssize_t count, values, counts) except -1:
        """A call about so many parts of so many rows, whose states are in these arrays or go there."""
        cdef Parts* parts = &call.parts
        memset(call, 0, sizeof(Call))
        call.recipe = &self.recipe
        parts.rows, parts.count = rows, count
        parts.columns = columns_under(&self.recipe.axes[self.recipe.leading], 0, 1)
        parts.piece = min(max(LEAST_PIECE // self.recipe.inner, 1), parts.columns)
        parts.values = <char*> address(values)
        parts.counts = <char*> address(counts)
        return 0

    cdef int each(self, step_t step, Call* call, Py_ssize_t items) except -1:
        """Work on items, one by one; returns as a call does."""
        cdef Memory memory = Memory()
        cdef Py_ssize_t item
        memory.allot(1, call.layout.bytes)
        with nogil:
            begin(call, memory.start)
            for item in range(items):
                step(call, item, <Scratch*> memory.start)
        return memory.overflowed()

    cdef Py_ssize_t scratch_bytes(self, const Call* call) noexcept:
        cdef Scratch scratch
        cdef Shelf shelf
        shelf.base = NULL
        shelf.used = 0
        taken(&shelf, sizeof(Scratch))
        place_scratch(&scratch, call, &shelf)
        return shelf.used

    cdef Py_ssize_t widest(self, Py_ssize_t tile) noexcept:
        """Columns under the widest tile of so many outputs, or the outputs if they are more."""
        cdef const Axis* axis = &self.recipe.axes[self.recipe.leading]
        cdef Py_ssize_t first = 0, columns = tile
        if axis.start == NULL:
            return columns_under(axis, 0, tile)
        for first in range(0, axis.outputs, tile):
            columns = max(columns, columns_under(axis, first, min(tile, axis.outputs - first)))
        return columns

    cdef void lay_out(
        self, Layout* layout, bint rows_in_place, Py_ssize_t listed, Py_ssize_t nodes, Py_ssize_t piece,
    ) noexcept:
        """For pieces of `piece` columns, or, if that is 0, for the widest tile that stays within SCRATCH bytes."""
        cdef Call call
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* axis = &recipe.axes[recipe.leading]
        cdef Py_ssize_t fixed, columns, shared, tile = max(axis.outputs, 1)
        call.recipe = recipe
        call.rows_in_place = rows_in_place
        call.layout.listed, call.layout.nodes = listed, nodes
        call.layout.tile = call.layout.slots = 0
        if recipe.taps:                                    # all rows of a window are needed at once
            call.layout.slots = recipe.laid
        elif (
            piece == 0 and recipe.shared_levels == 0 and recipe.overlapping
            and listed == recipe.most_rows <= MOST_SLOTS
            and (recipe.masked or not call.rows_in_place or recipe.value.kernel.block == 1)
        ):
            call.layout.slots = recipe.most_rows
        if piece == 0:
            call.layout.pitch = 0
            fixed = self.scratch_bytes(&call)
            call.layout.pitch = LEAST_PIECE
            columns = (
                max(SCRATCH - fixed, SCRATCH // 4) * LEAST_PIECE // (self.scratch_bytes(&call) - fixed) // recipe.inner
            )
            if axis.start == NULL:
                if recipe.taps == 0:                       # each tile folds all its columns
                    shared = (axis.taps - 1) * axis.step + 1 - axis.stride
                    columns = max(columns, min(LEAST_TILE * shared, MOST_SCRATCH * columns))
                tile = min(max((columns - (axis.taps - 1) * axis.step - 1) // axis.stride + 1, 1), tile)
            while tile > 1 and self.widest(tile) > columns:
                tile = divided_up(tile, 2)
            if recipe.tiles != NULL and tile < axis.outputs:        # or some lanes are idle
                columns = max(recipe.tile.across * recipe.tile.lanes // recipe.inner, <Py_ssize_t> 1)
                tile = min(max(tile // columns, <Py_ssize_t> 1) * columns, axis.outputs)
            elif recipe.taps == 0 and axis.outputs:        # tiles of about one size
                tile = divided_up(axis.outputs, divided_up(axis.outputs, tile))
            call.layout.tile = tile
            piece = self.widest(tile)
        call.layout.pitch = divided_up(piece * recipe.inner, ALIGNMENT)
        if recipe.value.kernel.planes > 2:                 # or planes may push each other out of the cache
            call.layout.pitch |= 1
        call.layout.pitch *= ALIGNMENT
        layout[0] = call.layout
        layout.bytes = self.scratch_bytes(&call)


@cython.final
cdef class Memory:
    """Aligned bytes, equally many for each of some threads; freed with the object."""
    cdef char* base
    cdef char* start
    cdef Py_ssize_t threads
    cdef Py_ssize_t per_thread

    cdef int allot(self, Py_ssize_t threads, Py_ssize_t per_thread) except -1:
        self.base = <char*> malloc(threads * per_thread + ALIGNMENT)
        if self.base == NULL:
            raise MemoryError(f"no memory for {threads} x {per_thread} bytes of scratch")
        self.start = self.base + (ALIGNMENT - <Py_ssize_t> (<uintptr_t> self.base % ALIGNMENT)) % ALIGNMENT
        self.threads, self.per_thread = threads, per_thread
        return 0

    cdef bint overflowed(self) noexcept:
        """Whether some thread's scratch says that a float32 total may have overflowed."""
        cdef Py_ssize_t thread
        for thread in range(self.threads):
            if (<Scratch*> (self.start + thread * self.per_thread)).parameters.overflowed:
                return True
        return False

    def __dealloc__(self):
        free(self.base)


cdef void begin(const Call* call, char* memory) noexcept nogil:
    """Make a thread's scratch, where the thread itself touches it first."""
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef Py_ssize_t i
    cdef Shelf shelf
    shelf.base = memory
    shelf.used = 0
    taken(&shelf, sizeof(Scratch))
    place_scratch(<Scratch*> memory, call, &shelf)
    (<Scratch*> memory).parameters = call.recipe.parameters
    for i in range(find_lanes(lanes, folds, <Scratch*> memory, call.recipe)):
        if lanes[i].kernel.join != NULL:
            lanes[i].kernel.identity(folds[i].nothing, call.layout.pitch, call.layout.pitch, lanes[i].parameters)
    fill_row((<Scratch*> memory).constant, call.recipe.constant, call.recipe.row_width, call.layout.pitch)
