"""A block of output rows over a tile of output columns: rows of windows are folded down, across, and written."""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset
from skpool.kernels.driver.across cimport begin_tile, fold_columns, fold_tile
from skpool.kernels.driver.axes cimport Axis, columns_under, is_whole, start_of
from skpool.kernels.driver.call cimport (
    BLOCK, LONG_COLUMN, PIECE, Call, Fold, Lane, Recipe, Scratch, Segment, counts_enough,
)
from skpool.kernels.driver.down cimport ask_for_rows, fold_rows, gather_in_place
from skpool.kernels.driver.results cimport write_row, write_rows
from skpool.kernels.driver.rows cimport (
    advance, completed, find_rows, find_segments, flat_row, gathers_once, prepared, row_of, seek, slide_rows,
)
from skpool.kernels.driver.shared cimport fold_shared
from skpool.kernels.memory cimport (
    lead_of, skpool_prefetch, skpool_prefetch_near, skpool_stream, skpool_streamed, whole_columns,
)
from skpool.kernels.shelf cimport divided_up
from skpool.kernels.table cimport Kernel

cdef enum:
    PAGE = 4096             # bytes of a page of memory
    MOST_FETCHED = 4        # rows of windows whose next rows are asked for ahead


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
    """A row of results by way of scratch, in pieces that stay in the first cache until they are picked or sent."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t inner = recipe.inner, width = inner * recipe.out_width, first = 0, columns, n
    cdef Py_ssize_t piece = whole_columns(PIECE // 2, width)
    cdef char* places = pair.places
    while first < outputs:
        columns = min(outputs - first, piece)
        if recipe.quad_picks:
            quad_columns(scratch, call, pair, first, columns * inner, inner, scratch.result, places)
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


cdef inline void write_quads_in_place(
    Scratch* scratch, const Call* call, const Pair* pair, Py_ssize_t outputs, Py_ssize_t column, Py_ssize_t piece,
    Py_ssize_t hop,
) noexcept nogil:
    """A row of results where it goes, of long rows first what is ahead of a cache line.

    Unless `hop` is 0, what lies so many bytes on is asked for meanwhile, piece by piece: float32 at 4096 x 4096 takes
    0.83 to 0.95 of the time, RGB 0.65 to 0.89.
    """
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t inner = recipe.inner, done = lead_of(pair.upper, column, outputs), now
    if done:
        quad_columns(scratch, call, pair, 0, done * inner, inner, pair.target, pair.places)
    while done < outputs:
        now = min(piece, outputs - done)
        if hop:
            skpool_prefetch_near(pair.upper + hop + done * column, now * column)
            skpool_prefetch_near(pair.lower + hop + done * column, now * column)
        quad_columns(
            scratch, call, pair, done, now * inner, inner, pair.target + done * inner * recipe.out_width,
            pair.places + done * inner * sizeof(int64_t),
        )
        done = done + now


cdef void write_quads(
    Scratch* scratch, const Call* call, const Segment* segment, Py_ssize_t first, Py_ssize_t outputs,
    Py_ssize_t rows_count,
) noexcept nogil:
    """Results of whole windows of 2 x 2: rows and columns in one pass.

    Of as many rows as are alike: with nothing between two rows, the next is read before the last is written, and its
    first page is asked for ahead: the processor does so by itself only within a page. Maxima of uint8 at 4096 x 4096
    take 0.55 of the time without. Columns of many channels ask for those below them, which takes 0.65 to 0.8 of the
    time; rows of an image that no cache holds ask for all of the next, piece by piece.
    """
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t last = recipe.leading - 1, inner = recipe.inner, line = axis.length * inner, i, j
    cdef Py_ssize_t hop = recipe.axes[last].stride * call.image.leading[last]
    cdef Py_ssize_t column = 2 * inner * recipe.row_width
    cdef bint asks, in_place = recipe.quad_picks and not call.streams, by_pieces = in_place and call.asks
    cdef Py_ssize_t piece = whole_columns(call.asked, column) if by_pieces else outputs
    cdef Py_ssize_t fetched = min(outputs * column, <Py_ssize_t> PAGE)
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
        asks = call.fetches and i + 1 < rows_count
        if asks and inner < LONG_COLUMN and not by_pieces:
            skpool_prefetch(pair.upper + hop, fetched)
            skpool_prefetch(pair.lower + hop, fetched)
        if in_place:
            write_quads_in_place(scratch, call, &pair, outputs, column, piece, hop if asks and by_pieces else 0)
        elif inner >= LONG_COLUMN:
            for j in range(outputs):
                if asks:
                    skpool_prefetch(pair.upper + hop + j * column, column)
                    skpool_prefetch(pair.lower + hop + j * column, column)
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
    cdef Py_ssize_t last = recipe.leading - 1
    cdef Py_ssize_t bottom = scratch.output[last] * axis.stride - axis.before + (axis.taps - 1) * axis.step
    if (
        scratch.listed == 0 or scratch.sources[scratch.listed - 1] == NULL or bottom < 0
        or bottom + axis.stride >= axis.length or segment.first < 0 or segment.sources != NULL
    ):
        return
    ask_for_rows(
        call, scratch.sources[scratch.listed - 1] + call.image.leading[last] + segment.first * call.image.column,
        segment.columns * recipe.inner * recipe.row_width,
    )


cdef inline bint gathers_alike(
    const Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """Whether a row of windows is one gather of image rows that lie in place, beside columns that hold nothing."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t s, within = 0
    for s in range(segments_found):
        within = within + (segments[s].first >= 0 or segments[s].sources != NULL)
    return (
        within == 1 and gathers_once(recipe, call.rows_in_place)
        and (recipe.most_rows < BLOCK or not call.asks)
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
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t last = recipe.leading - 1, n = inside.columns * recipe.inner, stride = recipe.axes[last].stride
    cdef Py_ssize_t hop = call.image.leading[last], column = recipe.inner * kernel.width, done = 0, rows_now, i, s, r
    cdef Py_ssize_t pitch = call.layout.apart * axis.stride * recipe.inner, gathers, at_once
    # Whole rows of the image that follow each other are one row.
    cdef bint dense = stride == 1 and segments_found == 1 and hop == pitch * recipe.row_width
    cdef char* target = row_of(&call.out, scratch, recipe.leading) + first * call.out.column
    cdef char* begin
    cdef char* state
    cdef const char* asked
    cdef const void* rows[BLOCK]
    cdef const uint8_t* valid[BLOCK]
    cdef Py_ssize_t count = completed(scratch, scratch.listed, rows, valid)
    cdef bint enough = counts_enough(scratch, recipe)
    memset(valid, 0, sizeof(valid))
    for r in range(scratch.listed):
        rows[r] = scratch.sources[r] + inside.first * call.image.column
    while done < rows_count:
        rows_now = min(rows_count - done, call.layout.together)
        begin = fold.levels[0]
        gathers = 1 if dense else rows_now
        at_once = rows_now // gathers
        for i in range(gathers):
            asked = NULL
            if fetches and done + i + 1 < rows_count:
                asked = <const char*> rows[scratch.listed - 1] + hop
            for s in range(segments_found):
                if &segments[s] != inside:
                    kernel.identity(
                        begin + segments[s].offset * column, segments[s].columns * recipe.inner, call.layout.pitch,
                        lane.parameters,
                    )
            gather_in_place(
                call, begin + inside.offset * column, rows, valid, scratch.order, count, (at_once - 1) * pitch + n,
                asked,
            )
            begin = begin + pitch * kernel.width
            for r in range(scratch.listed):
                rows[r] = <const char*> rows[r] + at_once * stride * hop
        straight = straight and rows_now == 1
        state = fold_columns(
            call, lane, fold, first, (rows_now - 1) * call.layout.apart + outputs, target if straight else NULL,
        )
        if enough and state == target:
            advance(scratch, recipe)
        else:                                              # it is not there yet
            write_rows(scratch, call, state, first, first + outputs, rows_now, target)
        target = target + rows_now * call.out.leading[last]
        done = done + rows_now


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
