"""The driver of boxes: one box x a block of channels x a run of its rows of bins at a time, by the same row functions.

It knows bytes, tables of positions and tables of functions (table.pxd), but no number type and no reduction::

    lay     a box along each axis -> the pixels that each of its bins looks at, and their weights
    down    the pixel rows of a row of bins, folded into one state row: where bins share columns, once for all
    across  the columns of each bin, folded into one state, or weighed
    finish  state -> result

Design: whatever a box looks at along an axis is a run of ascending pixels, and what one of its bins looks at is a run
of those, also where samples are few and pixels between them are left out. Bilinear samples, and integrals over them,
are products of weights along the two axes, so a bin of a x b pixels costs a + b multiplications for each of its
columns rather than a x b x 4. Channels that lie side by side are part of the row, a block of them at a time; then all
boxes are gone through before the next block, so that the block's pixels stay in the caches. The tables of a box are
made where they are used: they are small beside its pixels, and 100 000 boxes need no more memory than one.
"""
from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport parallel, prange, threadid
from libc.math cimport ceil, floor
from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from skpool.kernels.memory cimport skpool_prefetch
from skpool.kernels.shelf cimport ALIGNMENT, Shelf, divided_up, first_row, taken
from skpool.kernels.table cimport Kernel, Parameters, finish_t, load_t, pick_t, weigh_t

cdef enum:
    BLOCK = 8               # rows of one gather
    MOST_WEIGHED = 4        # rows of one weighing
    MOST_TILE_BINS = 64
    ITEMS_PER_WORKER = 8
    MOST_BOXES = 64         # of a run that a thread takes at once
    FEWEST_ALONE = 16       # channels that are worth a call for each column
    MOST_ASKED = 4096       # pixels of a box that are asked for ahead
    SCATTERED = 8           # columns that a run has, or it is not worth a call for each row

cdef enum Rule:
    PIXELS                  # every pixel of the bin, once
    SAMPLES                 # weights of evenly spaced samples
    PEAKS                   # the samples themselves
    INTEGRAL                # weights of the interpolated image's integral over the bin

RULES = {"pixels": <int> PIXELS, "samples": <int> SAMPLES, "peaks": <int> PEAKS, "integral": <int> INTEGRAL}


# --- one axis of one box

cdef struct Line:
    # An axis of the image, and how boxes divide it.
    Py_ssize_t length
    Py_ssize_t stride               # bytes
    Py_ssize_t bins
    Py_ssize_t samples              # of each bin; 0: as many as it has pixels


cdef struct Side:
    Py_ssize_t found                # pixels that some bin looks at,
    Py_ssize_t* pixels              # which these are, ascending
    Py_ssize_t* begin               # bin i looks at pixels[begin[i]:stop[i]],
    Py_ssize_t* stop
    Py_ssize_t* first               # with the weights from first[i] on; of `PEAKS`, its samples
    double* weights                 # of pixels; of `PEAKS`, how far a sample is from its lower pixel
    Py_ssize_t* low                 # of `PEAKS`: that pixel, a place among `pixels`
    bint* zeros                     # of `PEAKS`: whether the bin has a sample that is zero
    double extent                   # what the weights of a bin inside the image add up to


cdef inline Py_ssize_t clipped(int64_t position, Py_ssize_t length) noexcept nogil:
    return <Py_ssize_t> min(max(position, 0), <int64_t> length)


cdef void lay_pixels(Side* side, const Line* line, double start, double stop) noexcept nogil:
    """Bin i of [start, stop), both whole numbers: all pixels from floor(i size / bins) to ceil((i + 1) size / bins)."""
    cdef int64_t begin = <int64_t> start
    cdef int64_t size = <int64_t> stop - begin
    cdef int64_t i
    cdef Py_ssize_t origin = clipped(begin, line.length)
    for i in range(line.bins):
        side.begin[i] = clipped(begin + i * size // line.bins, line.length) - origin
        side.stop[i] = clipped(begin + ((i + 1) * size + line.bins - 1) // line.bins, line.length) - origin
    side.found = side.stop[line.bins - 1]
    for i in range(side.found):
        side.pixels[i] = origin + i
    side.extent = 1


cdef inline Py_ssize_t place_of(Side* side, Py_ssize_t pixel) noexcept nogil:
    """The place of a pixel among `pixels`; one asked for later is never before the last but one."""
    cdef Py_ssize_t place = side.found
    if place > 0 and side.pixels[place - 1] == pixel:
        return place - 1
    if place > 1 and side.pixels[place - 2] == pixel:
        return place - 2
    side.pixels[place] = pixel
    side.found = place + 1
    return place


cdef inline void open_bin(Side* side, Py_ssize_t i) noexcept nogil:
    """Bin i has no pixel yet; its weights follow those of the bin before."""
    side.first[i] = side.first[i - 1] + side.stop[i - 1] - side.begin[i - 1] if i else 0
    side.begin[i] = side.stop[i] = 0


cdef inline void weigh_pixel(Side* side, Py_ssize_t i, Py_ssize_t pixel, double weight) noexcept nogil:
    """Add to the weight of a pixel in bin i. A pixel without weight is not looked at, not even if it is NaN."""
    cdef Py_ssize_t place
    cdef double* weights = side.weights + side.first[i]
    if weight == 0:
        return
    place = place_of(side, pixel)
    if side.stop[i] == side.begin[i]:
        side.begin[i] = side.stop[i] = place
    if place == side.stop[i]:
        side.stop[i] = place + 1
        weights[place - side.begin[i]] = 0
    weights[place - side.begin[i]] = weights[place - side.begin[i]] + weight


cdef struct Samples:
    double start
    double size                     # of the box
    double count                    # of all samples


cdef inline double sample_at(const Samples* samples, int64_t number) noexcept nogil:
    return samples.start + (<double> number + 0.5) * samples.size / samples.count


cdef int64_t first_from(const Samples* samples, double limit, bint beyond) noexcept nogil:
    """The first sample at `limit` or after it; if `beyond`, after it."""
    cdef int64_t low = 0, high = <int64_t> samples.count, middle
    cdef double position
    while low < high:
        middle = low + (high - low) // 2
        position = sample_at(samples, middle)
        if position > limit or (position == limit and not beyond):
            high = middle
        else:
            low = middle + 1
    return low


cdef void lay_samples(Side* side, const Line* line, double start, double stop, bint peaks) noexcept nogil:
    """Evenly spaced samples of each bin; those beyond [-1, length] are zero, those near the border have its value."""
    cdef Samples samples
    cdef int64_t per_bin, number, begin, end, i
    cdef double position, fraction
    cdef Py_ssize_t low, sample = 0
    samples.start = start
    samples.size = stop - start
    per_bin = line.samples if line.samples else <int64_t> ceil(samples.size / line.bins)
    samples.count = <double> (per_bin * line.bins)
    side.found = 0
    side.extent = <double> per_bin
    begin = first_from(&samples, -1, False)
    end = first_from(&samples, line.length, True)
    for i in range(line.bins):
        if peaks:
            side.first[i] = sample
            side.zeros[i] = False
        else:
            open_bin(side, i)
        for number in range(max(begin, i * per_bin), min(end, (i + 1) * per_bin)):
            position = max(sample_at(&samples, number), 0)
            low = <Py_ssize_t> position
            fraction = position - <double> low
            if low >= line.length - 1:
                low = line.length - 1
                fraction = 0
            if not peaks:
                weigh_pixel(side, i, low, 1 - fraction)
                weigh_pixel(side, i, low + 1, fraction)
                continue
            side.low[sample] = place_of(side, low)
            side.weights[sample] = fraction
            if fraction != 0:
                place_of(side, low + 1)
            sample = sample + 1
        if peaks:
            side.zeros[i] = sample - side.first[i] < per_bin
    if peaks:
        side.first[line.bins] = sample
        bound_bins(side, line)


cdef void bound_bins(Side* side, const Line* line) noexcept nogil:
    """The pixels of each bin's samples."""
    cdef Py_ssize_t i, last
    for i in range(line.bins):
        side.begin[i] = side.stop[i] = 0
        if side.first[i] < side.first[i + 1]:
            last = side.first[i + 1] - 1
            side.begin[i] = side.low[side.first[i]]
            side.stop[i] = side.low[last] + (1 if side.weights[last] == 0 else 2)


cdef void lay_integral(Side* side, const Line* line, double start, double stop) noexcept nogil:
    """Means over each bin of the image, interpolated, and fading to zero within one pixel of its border."""
    cdef double begin, end = start, left, right, middle, share
    cdef Py_ssize_t i
    cdef int64_t cell
    side.found = 0
    side.extent = 1
    for i in range(line.bins):
        open_bin(side, i)
        begin = end
        end = start + <double> (i + 1) * (stop - start) / line.bins
        for cell in range(<int64_t> floor(max(begin, -1)), <int64_t> ceil(min(end, line.length))):
            left = max(begin, <double> cell)
            right = min(end, <double> (cell + 1))
            if left >= right:                              # a bin without length
                continue
            share = (right - left) / (end - begin)
            middle = (left - <double> cell + (right - <double> cell)) / 2
            if cell >= 0:
                weigh_pixel(side, i, cell, share * (1 - middle))
            if cell + 1 < line.length:
                weigh_pixel(side, i, cell + 1, share * middle)


# --- one call

cdef struct Call:
    Rule rule
    Line rows
    Line columns
    const double* boxes             # row start, row stop, column start, column stop of each
    const int64_t* order            # in which they are gone through
    Py_ssize_t boxes_count
    const char* image
    char* out
    Py_ssize_t channels             # of the result
    Py_ssize_t channel_stride       # bytes
    Py_ssize_t bin_stride           # bytes from the first channel of one bin to that of the next; 0: the same channels
    Py_ssize_t inner                # channels that are part of a row
    Py_ssize_t block                # channels of an item
    Py_ssize_t part                 # rows of bins of an item
    bint in_place                   # pixels are used where they lie,
    bint by_column                  # columns one by one
    Py_ssize_t row_width            # bytes of a pixel as the row functions read it,
    Py_ssize_t out_width            # of a result
    Py_ssize_t pitch                # elements of a state row
    Py_ssize_t tile                 # of them, a tile of bins should have no more
    load_t load
    pick_t pick
    Kernel kernel                   # of `PIXELS`
    weigh_t down                    # of other rules
    weigh_t across
    finish_t finish                 # NULL: the state is the result
    Parameters parameters
    bint needs_corners              # of `PEAKS`: a weight of zero counts too
    char fill[8]                    # of bins that look at nothing


cdef struct Run:
    # Columns of a tile that are neighbours in the image.
    Py_ssize_t offset
    Py_ssize_t place                # among the tile's columns
    Py_ssize_t columns


cdef struct Scratch:
    Side rows
    Side columns
    Side next_rows                  # of the box after it,
    Side next_columns
    Py_ssize_t laid                 # whose number this is
    Run* runs
    Py_ssize_t runs_found
    bint scattered                  # they are too short: pixels are picked from each row, and are one run
    char* state
    char* spare
    char* folded
    char* loaded
    Parameters parameters           # this thread's copy, in which a finish may leave word


cdef struct Tile:
    # Bins [first, stop) of each row of bins, in one step of channels.
    const char* image
    char* out                       # of the box's first bin
    Py_ssize_t first
    Py_ssize_t stop
    Py_ssize_t inner
    Py_ssize_t origin               # the first place among the columns' pixels
    Py_ssize_t columns


cdef void place_side(Side* side, const Call* call, const Line* line, Shelf* shelf) noexcept nogil:
    cdef Py_ssize_t bins = line.bins * sizeof(Py_ssize_t)
    # Neighbouring bins share two pixels at most. Samples are half a pixel apart or more, unless their number is given.
    cdef Py_ssize_t weights = line.length + 2 * line.bins + 8
    side.pixels = <Py_ssize_t*> taken(shelf, (line.length + 1) * sizeof(Py_ssize_t))
    side.begin = <Py_ssize_t*> taken(shelf, bins)
    side.stop = <Py_ssize_t*> taken(shelf, bins)
    if call.rule == PIXELS:
        return
    if call.rule == PEAKS:
        weights = line.bins * line.samples if line.samples else 2 * weights
        side.low = <Py_ssize_t*> taken(shelf, weights * sizeof(Py_ssize_t))
        side.zeros = <bint*> taken(shelf, line.bins * sizeof(bint))
    side.first = <Py_ssize_t*> taken(shelf, bins + sizeof(Py_ssize_t))
    side.weights = <double*> taken(shelf, weights * sizeof(double))


cdef void place_scratch(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """Lay out a thread's scratch."""
    cdef Py_ssize_t size = call.pitch * sizeof(double)
    if call.rule == PIXELS:
        size = call.pitch * call.kernel.width * call.kernel.planes
    place_side(&scratch.rows, call, &call.rows, shelf)
    place_side(&scratch.columns, call, &call.columns, shelf)
    place_side(&scratch.next_rows, call, &call.rows, shelf)
    place_side(&scratch.next_columns, call, &call.columns, shelf)
    scratch.laid = -1
    scratch.runs = <Run*> taken(shelf, (call.columns.length + 1) * sizeof(Run))
    scratch.state = <char*> taken(shelf, size)
    scratch.spare = <char*> taken(shelf, size)
    scratch.folded = <char*> taken(shelf, max(size, MOST_TILE_BINS * call.inner * <Py_ssize_t> sizeof(double)))
    if not call.in_place or call.inner == 1:
        scratch.loaded = <char*> taken(shelf, BLOCK * call.pitch * call.row_width)


# --- down

cdef void find_runs(Scratch* scratch, const Call* call, const Tile* tile) noexcept nogil:
    """Cut the columns of a tile where they are no neighbours, or are to be used one by one."""
    cdef const Py_ssize_t* pixels = scratch.columns.pixels + tile.origin
    cdef Py_ssize_t column, found = 0
    for column in range(tile.columns):
        if column == 0 or call.by_column or pixels[column] != pixels[column - 1] + 1:
            scratch.runs[found].offset = pixels[column] * call.columns.stride
            scratch.runs[found].place = column
            scratch.runs[found].columns = 0
            found = found + 1
        scratch.runs[found - 1].columns = scratch.runs[found - 1].columns + 1
    # Loads that wait for no other also hide the time that memory takes: boxes of few samples are mostly that.
    scratch.scattered = call.in_place and call.inner == 1 and found > 1 and tile.columns < SCATTERED * found
    if scratch.scattered:
        scratch.runs[0].columns = tile.columns
        scratch.runs[0].offset = 0
        found = 1
    scratch.runs_found = found


cdef inline const void* prepared(
    const Scratch* scratch, const Call* call, const Tile* tile, const char* image, Py_ssize_t place, const Run* run,
    Py_ssize_t slot,
) noexcept nogil:
    """A run of a pixel row as the row functions read it: where it lies if that will do, else in `slot`."""
    cdef const char* source = image + scratch.rows.pixels[place] * call.rows.stride + run.offset
    cdef char* row = scratch.loaded + slot * call.pitch * call.row_width
    if scratch.scattered:
        call.pick(row, source, <const int64_t*> scratch.columns.pixels + tile.origin, run.columns, 1)
        return row
    if call.in_place:
        return source
    call.load(row, source, run.columns, call.columns.stride, tile.inner, call.channel_stride)
    return row


cdef void fold_down(
    const Scratch* scratch, const Call* call, const Tile* tile, const char* image, Py_ssize_t bin_row,
) noexcept nogil:
    """Fold the pixel rows of a row of bins into the state."""
    cdef const Kernel* kernel = &call.kernel
    cdef const Side* side = &scratch.rows
    cdef const Run* run
    cdef const void* rows[BLOCK]
    cdef const uint8_t* valid[BLOCK]
    cdef int64_t order[BLOCK]
    cdef char* target
    cdef Py_ssize_t s, row, left, count, slot, n
    memset(valid, 0, sizeof(valid))
    memset(order, 0, sizeof(order))
    for s in range(scratch.runs_found):
        run = &scratch.runs[s]
        n = run.columns * tile.inner
        target = scratch.state + run.place * tile.inner * kernel.width
        row = side.begin[bin_row]
        while row < side.stop[bin_row]:
            left = side.stop[bin_row] - row
            count = 1 if kernel.block == 1 else 8 if left >= 8 else 4 if left >= 4 else left
            for slot in range(count):
                rows[slot] = prepared(scratch, call, tile, image, row + slot, run, slot)
            if row == side.begin[bin_row]:
                kernel.gather(target, rows, valid, order, count, n, call.pitch, &call.parameters)
            else:
                kernel.gather(scratch.spare, rows, valid, order, count, n, call.pitch, &call.parameters)
                kernel.fold(target, scratch.spare, n, call.pitch, &call.parameters)
            row = row + count


cdef void weigh_down(
    const Scratch* scratch, const Call* call, const Tile* tile, Py_ssize_t begin, Py_ssize_t stop,
    const double* weights,
) noexcept nogil:
    """Weigh pixel rows [begin, stop), places among the rows' pixels, into the state."""
    cdef const Run* run
    cdef const void* rows[MOST_WEIGHED]
    cdef double* target
    cdef Py_ssize_t s, row, count, slot
    for s in range(scratch.runs_found):
        run = &scratch.runs[s]
        target = <double*> scratch.state + run.place * tile.inner
        row = begin
        while row < stop:
            count = min(stop - row, <Py_ssize_t> MOST_WEIGHED)
            for slot in range(count):
                rows[slot] = prepared(scratch, call, tile, tile.image, row + slot, run, slot)
            call.down(target, rows, weights + (row - begin), count, row > begin, run.columns * tile.inner)
            row = row + count


# --- across

cdef const char* fold_across(
    const Scratch* scratch, const Call* call, const Tile* tile, Py_ssize_t bin_column,
) noexcept nogil:
    """Fold the columns of a bin: their second half into their first, until one is left."""
    cdef const Kernel* kernel = &call.kernel
    cdef Py_ssize_t size = tile.inner * kernel.width
    cdef Py_ssize_t columns = scratch.columns.stop[bin_column] - scratch.columns.begin[bin_column]
    cdef Py_ssize_t kept = divided_up(columns, 2), plane
    cdef const char* state = scratch.state + (scratch.columns.begin[bin_column] - tile.origin) * size
    cdef char* folded = scratch.folded
    if columns == 1:
        return state
    kernel.merge(
        folded, state, state + kept * size, (columns - kept) * tile.inner, call.pitch, kept, &call.parameters,
    )
    if columns & 1:
        for plane in range(kernel.planes):
            memcpy(
                folded + ((kept - 1) * tile.inner + plane * call.pitch) * kernel.width,
                state + ((kept - 1) * tile.inner + plane * call.pitch) * kernel.width, size,
            )
    while kept > 1:
        columns = kept
        kept = divided_up(columns, 2)
        kernel.fold(folded, folded + kept * size, (columns - kept) * tile.inner, call.pitch, &call.parameters)
    return folded


cdef void weigh_across(
    const Scratch* scratch, const Call* call, const Tile* tile, Py_ssize_t bin_column,
) noexcept nogil:
    """Weigh the columns of a bin."""
    cdef const Side* side = &scratch.columns
    cdef const double* state = <const double*> scratch.state - tile.origin * tile.inner
    cdef const double* weights = side.weights + side.first[bin_column]
    cdef const void* rows[MOST_WEIGHED]
    cdef double* folded = <double*> scratch.folded
    cdef double total = 0, value
    cdef Py_ssize_t column = side.begin[bin_column], stop = side.stop[bin_column], count, slot
    cdef bint adds = False
    while column < stop:
        count = min(stop - column, <Py_ssize_t> MOST_WEIGHED)
        if tile.inner == 1:                                # in the order of `weigh`: one number is not worth its call
            value = weights[0] * state[column]
            for slot in range(1, count):
                value = value + weights[slot] * state[column + slot]
            total = total + value if adds else value
            folded[0] = total
        else:
            for slot in range(count):
                rows[slot] = state + (column + slot) * tile.inner
            call.across(folded, rows, weights, count, adds, tile.inner)
        adds = True
        weights = weights + count
        column = column + count


cdef inline Py_ssize_t corners(double fraction, double* weights) noexcept nogil:
    """Weights of a sample's pixels along an axis; their number."""
    weights[0] = 1 - fraction
    weights[1] = fraction
    return 1 if fraction == 0 else 2


# --- rows of bins

cdef inline void write(
    Scratch* scratch, const Call* call, const Tile* tile, const void* state, double count, char* target,
) noexcept nogil:
    if call.finish == NULL:
        memcpy(target, state, tile.inner * call.out_width)
    else:
        call.finish(target, state, NULL, count, tile.inner, call.pitch, &scratch.parameters)


cdef void fill_bins(const Call* call, const Tile* tile, Py_ssize_t count, char* target) noexcept nogil:
    """Write the fill value to all channels of `count` bins."""
    cdef Py_ssize_t j, c
    for j in range(count):
        for c in range(tile.inner):
            memcpy(target + (j * call.channels + c) * call.out_width, call.fill, call.out_width)


cdef void pool_row(Scratch* scratch, const Call* call, const Tile* tile, Py_ssize_t bin_row) noexcept nogil:
    """One row of a tile's bins."""
    cdef const Side* rows = &scratch.rows
    cdef const Side* columns = &scratch.columns
    cdef Py_ssize_t j, height = rows.stop[bin_row] - rows.begin[bin_row], width
    cdef Py_ssize_t size = call.channels * call.out_width
    cdef char* target = tile.out + (bin_row * call.columns.bins + tile.first) * size
    cdef const char* image = tile.image + (bin_row * call.columns.bins + tile.first) * call.bin_stride
    cdef double area = rows.extent * columns.extent
    if height <= 0 or tile.columns == 0:
        fill_bins(call, tile, tile.stop - tile.first, target)
        return
    if call.rule == PIXELS:
        fold_down(scratch, call, tile, image, bin_row)
    else:
        weigh_down(
            scratch, call, tile, rows.begin[bin_row], rows.stop[bin_row], rows.weights + rows.first[bin_row],
        )
    for j in range(tile.first, tile.stop):
        width = columns.stop[j] - columns.begin[j]
        if width <= 0:
            fill_bins(call, tile, 1, target)
        elif call.rule == PIXELS:
            write(scratch, call, tile, fold_across(scratch, call, tile, j), <double> (height * width), target)
        else:
            weigh_across(scratch, call, tile, j)
            write(scratch, call, tile, scratch.folded, area, target)
        target = target + size


cdef void peak_row(Scratch* scratch, const Call* call, const Tile* tile, Py_ssize_t bin_row) noexcept nogil:
    """One row of a tile's bins: the highest of their samples."""
    cdef const Side* rows = &scratch.rows
    cdef const Side* columns = &scratch.columns
    cdef const double* state = <const double*> scratch.state - tile.origin * tile.inner
    cdef double* best = <double*> scratch.folded
    cdef double weights[2]
    cdef const void* pixels[2]
    cdef bint begun[MOST_TILE_BINS]
    cdef Py_ssize_t s, t, j, high, wide, size = call.channels * call.out_width
    cdef char* target = tile.out + (bin_row * call.columns.bins + tile.first) * size
    cdef bint adds
    if rows.extent * columns.extent == 0:
        fill_bins(call, tile, tile.stop - tile.first, target)
        return
    for j in range(tile.first, tile.stop):                 # a sample that is zero has been met already
        begun[j - tile.first] = rows.zeros[bin_row] or columns.zeros[j]
    memset(best, 0, (tile.stop - tile.first) * tile.inner * sizeof(double))
    for s in range(rows.first[bin_row], rows.first[bin_row + 1]):
        high = corners(rows.weights[s], weights)
        weigh_down(scratch, call, tile, rows.low[s], rows.low[s] + high, weights)
        for j in range(tile.first, tile.stop):
            for t in range(columns.first[j], columns.first[j + 1]):
                wide = corners(columns.weights[t], weights)
                pixels[0] = state + columns.low[t] * tile.inner
                pixels[1] = state + (columns.low[t] + wide - 1) * tile.inner
                adds = begun[j - tile.first] or (call.needs_corners and (high == 1 or wide == 1))
                call.across(best + (j - tile.first) * tile.inner, pixels, weights, wide, adds, tile.inner)
                begun[j - tile.first] = True
    for j in range(tile.first, tile.stop):
        write(scratch, call, tile, best + (j - tile.first) * tile.inner, 1, target)
        target = target + size


# --- an item

cdef void lay(Side* side, const Line* line, Rule rule, const double* box) noexcept nogil:
    if rule == PIXELS:
        lay_pixels(side, line, box[0], box[1])
    elif rule == INTEGRAL:
        lay_integral(side, line, box[0], box[1])
    else:
        lay_samples(side, line, box[0], box[1], rule == PEAKS)


cdef inline void lay_box(Side* rows, Side* columns, const Call* call, Py_ssize_t box) noexcept nogil:
    lay(rows, &call.rows, call.rule, call.boxes + 4 * box)
    lay(columns, &call.columns, call.rule, call.boxes + 4 * box + 2)


cdef void find_box(Scratch* scratch, const Call* call, Py_ssize_t box) noexcept nogil:
    cdef Side rows = scratch.rows, columns = scratch.columns
    if scratch.laid == box:
        scratch.rows, scratch.columns = scratch.next_rows, scratch.next_columns
        scratch.next_rows, scratch.next_columns = rows, columns
        scratch.laid = -1
    else:
        lay_box(&scratch.rows, &scratch.columns, call, box)


cdef void ask_for_box(Scratch* scratch, const Call* call, Py_ssize_t box, const char* image) noexcept nogil:
    """Ask for the pixels of the next box while those of this one are weighed.

    1000 boxes of 14 x 14 samples on a grey float32 image of 4096 x 4096 take 0.50 of the time without.
    """
    cdef const char* row
    cdef Py_ssize_t r, c
    if scratch.laid == box:                                # by an item of the same box
        return
    lay_box(&scratch.next_rows, &scratch.next_columns, call, box)
    scratch.laid = box
    if scratch.next_rows.found * scratch.next_columns.found > MOST_ASKED:
        return
    for r in range(scratch.next_rows.found):
        row = image + scratch.next_rows.pixels[r] * call.rows.stride
        for c in range(scratch.next_columns.found):
            skpool_prefetch(row + scratch.next_columns.pixels[c] * call.columns.stride, 1)


cdef void next_tile(Tile* tile, const Side* side, const Call* call) noexcept nogil:
    """As many bins from `tile.first` on as have few enough columns together, at least one."""
    cdef Py_ssize_t j = tile.first, begin = 0, stop = 0
    while j < call.columns.bins and j - tile.first < MOST_TILE_BINS:
        if side.stop[j] > side.begin[j]:
            if stop == 0:
                begin = side.begin[j]
            elif (side.stop[j] - begin) * call.inner > call.tile:
                break
            stop = side.stop[j]
        j = j + 1
        if call.bin_stride:
            break
    tile.stop = j
    tile.origin = begin
    tile.columns = stop - begin


cdef void work(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    cdef Py_ssize_t parts = divided_up(call.rows.bins, call.part)
    cdef Py_ssize_t place = item // parts % call.boxes_count, box = call.order[place]
    cdef Py_ssize_t channel = item // parts // call.boxes_count * call.block, c, i
    cdef Py_ssize_t first = item % parts * call.part
    cdef Py_ssize_t last_channel = min(channel + call.block, call.channels)
    cdef Tile tile
    find_box(scratch, call, box)
    if call.inner == 1 and call.rule != PIXELS and place + 1 < call.boxes_count:
        ask_for_box(scratch, call, call.order[place + 1], call.image + channel * call.channel_stride)
    tile.first = 0
    while tile.first < call.columns.bins:
        next_tile(&tile, &scratch.columns, call)
        find_runs(scratch, call, &tile)
        c = channel
        while c < last_channel:
            tile.inner = min(call.inner, last_channel - c)
            tile.image = call.image + c * call.channel_stride
            tile.out = call.out + (box * call.rows.bins * call.columns.bins * call.channels + c) * call.out_width
            for i in range(first, min(first + call.part, call.rows.bins)):
                if call.rule == PEAKS:
                    peak_row(scratch, call, &tile, i)
                else:
                    pool_row(scratch, call, &tile, i)
            c = c + tile.inner
        tile.first = tile.stop


# --- the Python face

cdef int work_all(Call* call, int workers) except -1:
    cdef Py_ssize_t blocks = divided_up(call.channels, call.block)
    cdef Py_ssize_t parts = 1, items, item, per_thread, wanted = ITEMS_PER_WORKER * workers
    cdef int chunk
    cdef char* memory
    cdef char* start
    cdef Scratch only_sizes
    cdef Shelf shelf
    if workers > 1 and blocks * call.boxes_count < wanted:
        parts = min(call.rows.bins, divided_up(wanted, blocks * call.boxes_count))
    call.part = divided_up(call.rows.bins, parts)
    items = blocks * call.boxes_count * divided_up(call.rows.bins, call.part)
    workers = min(workers, items)
    chunk = <int> min(max(items // wanted, 1), <Py_ssize_t> MOST_BOXES)
    shelf.base = NULL
    shelf.used = 0
    taken(&shelf, sizeof(Scratch))
    place_scratch(&only_sizes, call, &shelf)
    per_thread = shelf.used
    memory = <char*> malloc(workers * per_thread + ALIGNMENT)
    if memory == NULL:
        raise MemoryError(f"no memory for {workers} x {per_thread} bytes of scratch")
    start = first_row(memory)
    with nogil:
        if workers == 1:
            begin(call, start)
            for item in range(items):
                work(call, item, <Scratch*> start)
        else:
            with parallel(num_threads=workers):
                begin(call, start + threadid() * per_thread)
                for item in prange(items, schedule="dynamic", chunksize=chunk):
                    work(call, item, <Scratch*> (start + threadid() * per_thread))
    free(memory)
    return 0


cdef void begin(const Call* call, char* memory) noexcept nogil:
    """Make a thread's scratch, where the thread itself touches it first."""
    cdef Shelf shelf
    shelf.base = memory
    shelf.used = 0
    taken(&shelf, sizeof(Scratch))
    place_scratch(<Scratch*> memory, call, &shelf)
    (<Scratch*> memory).parameters = call.parameters


def run(image, boxes, order, out, dict settings, dict functions, bytes fill, int workers):
    """Pool boxes of an image.

    Parameters
    ----------
    image : (rows, columns, C) buffer
        Any strides. Part of an image of ``settings["shape"]`` that begins at the pixel ``settings["origin"]``, and has
        all pixels that the boxes look at.
    boxes : (K, 4) contiguous buffer of float64
        Row start, row stop, column start and column stop of each box.
    order : (K,) contiguous buffer of int64
        The numbers of the boxes as they are gone through: neighbours in the image find its pixels in the caches.
    out : (K, rows, columns, channels) contiguous buffer
        Where the result goes. There are C channels, or C / (rows x columns) if each bin has channels of its own.
    settings : dict
        Numbers of `Call`, by name.
    functions : dict
        Addresses of a kernel and of row functions, by their name in `Call`; 0 for those that the rule does not need.
    fill : bytes
        The value of bins that look at nothing.
    workers : int
        Threads.
    """
    cdef Call call
    cdef Py_ssize_t row, column
    cdef Py_buffer image_buffer, boxes_buffer, order_buffer, out_buffer
    memset(&call, 0, sizeof(Call))
    PyObject_GetBuffer(image, &image_buffer, PyBUF_STRIDES)
    PyObject_GetBuffer(boxes, &boxes_buffer, PyBUF_STRIDES)
    PyObject_GetBuffer(order, &order_buffer, PyBUF_STRIDES)
    PyObject_GetBuffer(out, &out_buffer, PyBUF_STRIDES | PyBUF_WRITABLE)
    try:
        row, column = settings["origin"]
        call.image = <const char*> image_buffer.buf
        call.image -= row * image_buffer.strides[0] + column * image_buffer.strides[1]
        call.boxes = <const double*> boxes_buffer.buf
        call.order = <const int64_t*> order_buffer.buf
        call.out = <char*> out_buffer.buf
        call.boxes_count = out_buffer.shape[0]
        call.channels = out_buffer.shape[3]
        call.out_width = out_buffer.itemsize
        call.rows.length, call.columns.length = settings["shape"]
        call.rows.stride, call.columns.stride = image_buffer.strides[0], image_buffer.strides[1]
        call.rows.bins, call.columns.bins = out_buffer.shape[1], out_buffer.shape[2]
        call.rows.samples = call.columns.samples = settings["samples"]
        call.channel_stride = image_buffer.strides[2]
        if settings["own_channels"]:
            call.bin_stride = call.channel_stride
            call.channel_stride *= call.rows.bins * call.columns.bins
        call.rule = <Rule> <int> RULES[settings["rule"]]
        call.inner, call.block = settings["inner"], settings["block"]
        call.pitch, call.tile = settings["pitch"], settings["tile"]
        call.row_width = settings["row_width"]
        call.needs_corners = settings["needs_corners"]
        call.load = <load_t> <size_t> functions["load"]
        call.pick = <pick_t> <size_t> functions["pick"]
        if functions["kernel"]:
            call.kernel = (<Kernel*> <size_t> functions["kernel"])[0]
        call.down = <weigh_t> <size_t> functions["down"]
        call.across = <weigh_t> <size_t> functions["across"]
        call.finish = <finish_t> <size_t> functions["finish"]
        call.parameters.first, call.parameters.second = settings["parameters"]
        call.parameters.minimum = 1
        memcpy(call.fill, <const char*> fill, len(fill))
        find_access(&call, settings["converts"])
        work_all(&call, workers)
    finally:
        PyBuffer_Release(&image_buffer)
        PyBuffer_Release(&boxes_buffer)
        PyBuffer_Release(&order_buffer)
        PyBuffer_Release(&out_buffer)


cdef void find_access(Call* call, bint converts) noexcept:
    """How pixels are read: where they lie, in rows or column by column, or through `load`."""
    cdef Py_ssize_t width = call.row_width
    cdef Py_ssize_t bits = <Py_ssize_t> <uintptr_t> call.image | call.rows.stride | call.columns.stride
    cdef bint aligned = (bits | call.channel_stride | call.bin_stride) % width == 0
    cdef bint beside = call.inner == 1 or call.channel_stride == width
    cdef bint whole = call.columns.stride == call.inner * width and call.channels % call.inner == 0
    call.in_place = not converts and aligned and beside and (whole or call.inner >= FEWEST_ALONE)
    call.by_column = call.in_place and not whole
