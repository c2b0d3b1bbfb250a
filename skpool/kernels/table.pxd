"""What the driver knows of a reduction: a table of row functions.

A *state row* is what a fold has gathered so far for each element of a row: one or more planes of
numbers of one width, `pitch` elements apart (max: one plane; variance: count, mean, sum of squares).
An *element* is one channel of one column. All functions work on whole rows of `n` elements; the
driver is the only one that loops over rows, columns and windows.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport malloc
from libc.string cimport memset

cdef enum:
    MOST_IN_CHAIN = 6               # states
    MOST_WEIGHED = 8                # rows of one weighted sum
    MOST_IN_NETWORK = 256           # samples of a window that are sorted together with others

cdef struct Steps:
    # A program on rows, see `skpool.backends.networks`: where minimum and maximum of two rows go, and the two.
    const int16_t* steps
    Py_ssize_t count
    Py_ssize_t registers
    const int16_t* ranks            # the row of each rank
    void* compiled                  # the program as a `program_t`, or NULL

cdef struct Order:
    # How the samples of a window are sorted, and what is made of them by how many count.
    void* finish                    # a `sorted_t`,
    Py_ssize_t width                # and the bytes of its results
    bint keyed                      # samples are keys of floats: the largest is NaN,
    bint omits                      # and counts as absent
    bint chooses                    # results of whole windows are their samples of one rank, as they are
    bint halves                     # results lie halfway between two ranks, which may be one
    bint shares                     # windows are `shift` elements apart and share their columns:
    Py_ssize_t rows                 # tap r * columns + c is column c of row r,
    Py_ssize_t columns              # and that of column 0 begins a row that goes on to the last one
    Py_ssize_t shift
    Steps down                      # sorts a shared column
    Steps any_count                 # sorts a window, whose columns are sorted if they are shared,
    Steps whole                     # of which all samples count
    Steps beside                    # sorts whole windows that lie side by side, and are read where they lie,
    bint beside_decides             # or finds their result
    const int32_t* low              # ranks by count,
    const int32_t* high
    const int32_t* last
    const double* weight            # and weights, by count or by rank
    char value[8]                   # a sample that is treated apart, if `has_value`
    bint has_value

cdef struct Parameters:
    # Numbers that a reduction takes, the same for the whole image.
    double first
    double second
    double divisor                  # of an average; 0 divides by the count
    const double* weights           # of the taps of a window, or what samples of 8 bits are mapped to; or NULL
    Order order
    int64_t minimum     # samples that a window must count, or it gets the fill value
    # What a finish or a quad found out: each thread has its own.
    bint overflowed     # a float32 total left the range of its type

# Fold `rows_count` (1, 2, 3, 4 or 8) `rows` into a new state. `valid[r]` (or NULL) tells which elements of row r
# count; `order[r]` is the row's place in the window. At most `Kernel.block` rows at once.
ctypedef void (*gather_t)(
    void* state, const void** rows, const uint8_t** valid, const int64_t* order,
    Py_ssize_t rows_count, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil

# state = earlier with later, `shift` columns further on. In place only as `earlier`.
ctypedef void (*merge_t)(
    void* state, const void* earlier, const void* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil

# state = the first with (the second with (... with the last)), of 3 to MOST_IN_CHAIN states. Never in place.
ctypedef void (*chain_t)(
    void* state, const void** states, Py_ssize_t count, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil

# state = state with later.
ctypedef void (*fold_t)(
    void* state, const void* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil

# state[i] = source[2 i] with source[2 i + 1] (pair), and with source[2 i + 2] (triple), each `shift` columns further on
# than the one before; for one channel.
ctypedef void (*pair_t)(
    void* state, const void* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil

# The result of windows of 2 x 2 samples in one pass over two rows: of columns 2 i and 2 i + 1 if `shift` is 1,
# else of elements i and i + shift; or, where it picks columns itself, of columns of `shift` elements.
ctypedef void (*quad_t)(
    void* out, const void* upper, const void* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil

# As `quad_t`, with the index of each result: `first` is that of the first element of `upper`, and `down` leads to the
# element below.
ctypedef void (*quad_places_t)(
    void* out, int64_t* places, const void* upper, const void* lower, Py_ssize_t n, Py_ssize_t shift, int64_t first,
    int64_t down, Parameters* parameters,
) noexcept nogil

# The result of windows by their samples one by one: `samples[t]` holds tap t of each of `n` elements, and `valid[t]`
# (or NULL: all) tells which of them count. `counts` receives how many do, or is NULL where all count.
ctypedef void (*lanes_t)(
    void* out, double* counts, const void** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n, void* room,
    const Parameters* parameters,
) noexcept nogil

# The result of `n` whole windows side by side, whose rows are `lines`.
ctypedef void (*beside_t)(
    void* out, const void** lines, Py_ssize_t n, void* room, const Parameters* parameters,
) noexcept nogil

# A program that was compiled: it writes the rows of the ranks that it finds, and no other registers.
ctypedef void (*program_t)(void** rows, Py_ssize_t n) noexcept nogil

# The result of sorted samples: `ranked` has a row for each rank that is wanted. `counts` tells how many of the `taps`
# samples of each element count, the lowest of them, or is NULL where all do. Where none does, any value will do.
ctypedef void (*sorted_t)(
    void* out, const void** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n, const Parameters* parameters,
) noexcept nogil

cdef struct Slide:
    # Windows that slide down and across: the shape in which their samples lie.
    Py_ssize_t rows                 # of a window, through all leading axes,
    Py_ssize_t tall                 # and along the last of these
    Py_ssize_t columns
    Py_ssize_t stride               # columns from one window to the next
    Py_ssize_t inner                # channels of a column

# Results of a row of windows by histograms that are kept in `room`. `rows` are those of the windows, `valid` tells
# which of their samples count (NULL: all). The windows are `moved` rows further down than those of the call before,
# over the same columns; 0: anywhere else. `counts` receives how many samples count, or is NULL where all do.
ctypedef void (*slide_t)(
    void* out, double* counts, const void** rows, const uint8_t** valid, const Slide* slide, Py_ssize_t moved,
    Py_ssize_t outputs, char* room, const Parameters* parameters,
) noexcept nogil

cdef struct Tile:
    # Windows at stride 1 that are sorted together, see `skpool.backends.tiles`.
    Py_ssize_t deep                 # rows of a window through the leading axes but the last,
    Py_ssize_t tall                 # along this one,
    Py_ssize_t wide                 # and its columns
    Py_ssize_t down                 # windows of a tile
    Py_ssize_t across
    Py_ssize_t lanes                # elements that steps are taken on at once
    Steps steps                     # its ranks: for each window, by rows, the two that make its result
    void* run                       # takes the steps: a `steps_t`

# Take steps on registers, which lie one after the other.
ctypedef void (*steps_t)(const int16_t* steps, Py_ssize_t count, char* registers) noexcept nogil

# Results of `tile.down` rows of `outputs` windows, `pitch` bytes apart. `rows` are those of the windows, all of whose
# samples count. False if a NaN is among the samples: then there are none.
ctypedef bint (*tile_t)(
    char* out, Py_ssize_t pitch, const void** rows, const Tile* tile, Py_ssize_t outputs, Py_ssize_t inner, char* room,
    const Parameters* parameters,
) noexcept nogil

# The state of no samples.
ctypedef void (*identity_t)(
    void* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil

# The result of each state. `counts` holds the samples of each element, or is NULL where all have `count`.
ctypedef void (*finish_t)(
    void* out, const void* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil

# The index of what each state found. `indices` has those of the places in a window of so many columns and rows, at
# element `first`, negative where there is none; windows are `hop` elements apart. Without it, the places themselves;
# -1: nothing was found.
ctypedef void (*finish_places_t)(
    int64_t* out, const void* state, const int64_t* indices, Py_ssize_t columns, Py_ssize_t rows, int64_t first,
    int64_t hop, Py_ssize_t n, Py_ssize_t pitch,
) noexcept nogil

# Rows from one type to another. `fill` stands in for a NaN where the result has none.
ctypedef void (*convert_t)(void* out, const void* source, Py_ssize_t n, const void* fill) noexcept nogil

# Floats, where they lie, to integers in the same order.
ctypedef void (*keys_t)(void* row, Py_ssize_t n) noexcept nogil

# Columns of `inner` elements each, wherever they lie, as a contiguous native row.
ctypedef void (*load_t)(
    void* row, const char* source, Py_ssize_t columns, Py_ssize_t column_stride,
    Py_ssize_t inner, Py_ssize_t inner_stride,
) noexcept nogil

# A contiguous row to wherever its columns belong.
ctypedef void (*store_t)(
    char* target, const void* row, Py_ssize_t columns, Py_ssize_t column_stride,
    Py_ssize_t inner, Py_ssize_t inner_stride,
) noexcept nogil

# Every `stride`-th column of `inner` elements.
ctypedef void (*compact_t)(
    void* row, const void* source, Py_ssize_t columns, Py_ssize_t stride, Py_ssize_t inner,
) noexcept nogil

# The columns of `inner` elements that begin at each of `places`.
ctypedef void (*pick_t)(
    void* row, const void* source, const int64_t* places, Py_ssize_t columns, Py_ssize_t inner,
) noexcept nogil

# valid = mask and not (omit and NaN); chosen = row where valid, else `replacement`.
ctypedef void (*select_t)(
    void* chosen, uint8_t* valid, const void* row, const uint8_t* mask, bint omit, Py_ssize_t n,
    const void* replacement,
) noexcept nogil

# state = the weighted sum of `count` (1 to MOST_WEIGHED) rows, or what else a function makes of weights and rows; if it
# `adds`, with the state before.
ctypedef void (*weigh_t)(
    void* state, const void** rows, const double* weights, Py_ssize_t count, bint adds, Py_ssize_t n,
) noexcept nogil

# The averages of weighted sums: `norm` is that of the weights.
ctypedef void (*normalise_t)(void* out, const void* totals, double norm, Py_ssize_t n) noexcept nogil

# `fill` wherever fewer than `minimum` samples counted.
ctypedef void (*blank_t)(
    void* out, const double* counts, double minimum, Py_ssize_t n, const void* fill,
) noexcept nogil

cdef struct Kernel:
    Py_ssize_t width        # bytes of a number of the state
    Py_ssize_t planes       # numbers of an element's state; 0 where the count alone decides
    Py_ssize_t block        # rows that `gather` takes at once; 1 where it maps each (a cached row is reused)
    bint weighs_validity    # `gather` looks at `valid` itself; else masked samples become the neutral value
    bint repeats            # a sample that is folded in twice changes nothing
    gather_t gather
    gather_t join           # as `gather`, of 3, 4 or 8 states; or NULL, then merges do it
    merge_t merge
    chain_t chain           # or NULL, then merges do it
    fold_t fold
    fold_t unfold           # takes what was folded in out again; NULL where that is not exact
    pair_t pair             # or NULL, as the next
    pair_t triple
    identity_t identity


cdef inline Kernel empty_kernel(Py_ssize_t width, Py_ssize_t planes, Py_ssize_t block) noexcept:
    """A kernel that has no functions yet, and none of the properties that may be true or not."""
    cdef Kernel kernel
    memset(&kernel, 0, sizeof(Kernel))
    kernel.width, kernel.planes, kernel.block = width, planes, block
    return kernel


cdef inline size_t kept(Kernel kernel) except 0:
    """The address of a copy that lives as long as the process."""
    cdef Kernel* copy = <Kernel*> malloc(sizeof(Kernel))
    if copy == NULL:
        raise MemoryError
    copy[0] = kernel
    return <size_t> copy
