"""What the driver knows: of a reduction and its windows, of one call, and of a thread at work."""
from libc.stdint cimport int64_t, uint8_t
from skpool.kernels.driver.axes cimport Axis
from skpool.kernels.shelf cimport padded
from skpool.kernels.table cimport (
    Kernel, Parameters, Slide, Tile, beside_t, blank_t, compact_t, convert_t, finish_places_t, finish_t, keys_t,
    lanes_t, load_t, normalise_t, pick_t, quad_places_t, quad_t, select_t, slide_t, store_t, tile_t, weigh_t,
)
from skpool.kernels.turns cimport Turns

cdef enum:
    MOST_AXES = 64          # NumPy's limit
    MOST_WIDTHS = 4         # of uneven windows that are folded together
    MOST_LEVELS = 64        # of the tree: one for each bit of a row count
    MOST_PLACES = 4096      # of a window: their indices are listed for each output row
    BLOCK = 8               # rows of one gather
    PIECE = 4096            # bytes of a piece of a row that stays in the first-level cache
    LEAST_PIECE = 2048      # elements of a row that are an item of their own
    LONG_COLUMN = 16        # channels from which columns are joined one by one


# --- what a program knows (made once for a plan)

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
    bint completes                  # five to seven rows are gathered as eight, the rest of which are neutral
    bint omit                       # NaN counts as masked
    bint masked                     # counts differ from pixel to pixel
    bint converts_rows              # image rows are never used where they lie
    Py_ssize_t pixel_width          # bytes of a number of the image,
    Py_ssize_t row_width            # of a row as the kernels read it,
    Py_ssize_t natural_width        # of the reduction's own result,
    Py_ssize_t out_width            # of the result asked for
    # Windows by their samples one by one; no taps: windows are folded by rows and columns.
    Py_ssize_t taps
    int64_t* tap_rows               # the row of the window that each lies in,
    int64_t* tap_columns            # and its column
    # Footprints that consist of few runs: rows of a window whose taps are the same columns.
    Py_ssize_t runs_found           # 0: there are none, or samples are folded one by one
    const int64_t* run_columns      # where each begins,
    const int64_t* run_lengths      # its columns,
    const int64_t* run_stops        # and how many of the rows are those of it and of the runs before
    const int64_t* run_rows
    Py_ssize_t room                 # bytes that `lanes` works in
    lanes_t lanes                   # NULL: samples are folded
    slide_t slides                  # NULL: windows are looked at one row of outputs at a time
    Slide slide
    beside_t beside                 # NULL: windows are not side by side
    tile_t tiles                    # NULL: no tiles of windows are sorted together
    Tile tile
    Py_ssize_t laid                 # rows that are needed at once
    Py_ssize_t room_each            # more bytes for each element of a row
    # Windows whose weights are an outer product of those of their rows, through all leading axes, and their columns.
    weigh_t weigh_rows              # NULL: windows are others
    weigh_t weigh_totals
    normalise_t normalise
    compact_t compact_totals
    Py_ssize_t total_width          # bytes of a weighted sum
    const double* row_weights
    const double* column_weights
    Py_ssize_t most_columns         # of a window that have weights
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
    Py_ssize_t together             # output rows whose columns are folded in one pass:
    Py_ssize_t apart                # if several, outputs from one row to the next,
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
    bint fetches                    # or a whole row of windows ahead,
    Py_ssize_t asked                # or so many bytes of few rows, while as many are gathered
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
    char* absent                    # a row of neutral samples,
    uint8_t* nowhere                # and which of it count,
    uint8_t* everywhere             # and a row of which all do
    const void** samples            # the samples of each tap,
    const uint8_t** valid_samples
    char* picked                    # gathered here unless they are neighbours
    uint8_t* picked_valid
    int64_t* picks
    char* room
    char* tiled                     # results of tiles
    char* totals                    # weighted sums of rows,
    char* parted                    # the same, those a stride apart side by side,
    char* sums                      # and of their columns
    int64_t* flat                   # of each place in the window, the index if the window began at column 0
    Parameters parameters           # this thread's copy, in which a finish may leave word
    Turns turns[2]                  # items of a call; if it shares `down`, of that and of the rest
    Py_ssize_t output[MOST_AXES]    # which output row it is
    Py_ssize_t skipped              # taps ahead of the first row that it has, where places count from that
    Py_ssize_t reached              # what windows share: the position after the last row that it holds,
    Py_ssize_t origin               # and its first row,
    Py_ssize_t middle               # and where nodes meet
    Py_ssize_t counted              # rows that the windows had for which counts of a short row were made; -1: none
    Py_ssize_t present              # rows that the window has,
    Py_ssize_t listed               # and how many of them are listed
    Py_ssize_t stamp


cdef struct Segment:
    # A run of columns that all rows fill alike.
    Py_ssize_t offset               # columns from the tile's first
    Py_ssize_t columns
    Py_ssize_t first                # image column, where `sources` is NULL
    const int64_t* sources          # else what each padded column holds


# --- what follows from them

cdef inline Py_ssize_t bits_of(Py_ssize_t number) noexcept nogil:
    """Of a number that is not negative."""
    cdef Py_ssize_t bits = 0
    while number >> bits:
        bits = bits + 1
    return bits


cdef inline bint doubles_first(const Kernel* kernel) noexcept nogil:
    """Whether columns are folded by `across_doubled`."""
    return kernel.chain != NULL and kernel.join == NULL


cdef inline Py_ssize_t picked_pitch(const Call* call) noexcept nogil:
    """Elements of a row of gathered samples: of as many outputs as a tile may have."""
    cdef const Axis* axis = &call.recipe.axes[call.recipe.leading]
    cdef Py_ssize_t outputs = call.layout.pitch // max(axis.stride if axis.start == NULL else 1, 1) + call.recipe.inner
    return padded(outputs)


cdef inline Py_ssize_t places_listed(const Recipe* recipe) noexcept nogil:
    """The places of a window, if there are indices and the places are few; else 0."""
    cdef Py_ssize_t places = recipe.most_rows * recipe.axes[recipe.leading].taps
    return places if recipe.finish_places != NULL and places <= MOST_PLACES else 0


cdef inline Py_ssize_t ring(const Recipe* recipe, Py_ssize_t level) noexcept nogil:
    """Nodes of a size that are kept: the last window's need no more, wherever it ends."""
    return recipe.axes[recipe.leading - 1].taps if recipe.meets else (<Py_ssize_t> 1 << level) + 1


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


cdef inline bint counts_enough(const Scratch* scratch, const Recipe* recipe) noexcept nogil:
    """Whether each window of an output row has as many samples, masked or not, as must count."""
    return scratch.present * recipe.least_columns >= recipe.parameters.minimum
