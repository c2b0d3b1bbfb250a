"""Groups of pixels that share a label: which labels there are, what each group holds, and painting groups back.

Like the driver it knows bytes and tables of functions, and hands out work items to threads::

    fetch    a chunk of pixels in row-major order, of the labels, the mask and each channel: where it lies, or copied
    index    labels -> places in a table: label - low, or a look-up in a hash; the last place is for what counts
             nowhere. Left out where labels of 32 or 64 bits do as they are
    map      pixels -> rows of float64, with what earlier passes know of each group (deviations from its mean)
    collect  rows -> entries of the groups
    join     the tables of all blocks, in order

Design: a block of pixels has a table of its own, and blocks depend on the label image alone, so that results are the
same for any number of threads. Memory decides the speed, so labels are read once: their range is guessed from a
sample, and a block that finds others measures its own and starts again. Tables stay small, at most a quarter of a
block's pixels (see `skpool.backends.labels`). Where labels come in runs, as in superpixels, a run is summed in
registers: it is looked for 16 pixels at a time, which costs little where there are none.
"""
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport prange
from libc.stdint cimport (
    int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t,
)
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset
from skpool.kernels.pixels cimport highest_of, integer, lowest_of, pixel, real, signed_integer, word
from skpool.kernels.shelf cimport divided_up
from skpool.kernels.table cimport Kernel, Parameters, blank_t, convert_t, finish_t, load_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__GNUC__)
    /* gcc takes a function that does nothing else for one without effect, and drops the call: hence a macro. */
    #define SKPOOL_PREFETCH(place) __builtin_prefetch(place, 0, 2)
    typedef uint64_t skpool_pair __attribute__((vector_size(16)));
    /* Whether 64 bytes are all the same 8; gcc makes one comparison after the other of a plain loop. */
    static inline int skpool_alike(const void *codes, uint64_t eight) {
        skpool_pair part[4];
        const skpool_pair first = {eight, eight};
        memcpy(part, codes, sizeof(part));
        part[0] = ((part[0] ^ first) | (part[1] ^ first)) | ((part[2] ^ first) | (part[3] ^ first));
        return (part[0][0] | part[0][1]) == 0;
    }
    #else
    #define SKPOOL_PREFETCH(place) ((void) 0)
    static inline int skpool_alike(const void *codes, uint64_t eight) {
        uint64_t part[8], differ = 0;
        memcpy(part, codes, sizeof(part));
        for (int k = 0; k < 8; k++)
            differ |= part[k] ^ eight;
        return differ == 0;
    }
    #endif
    """
    void SKPOOL_PREFETCH(const void* place)
    bint skpool_alike(const void* codes, uint64_t eight)

cdef enum:
    MOST_AXES = 64          # NumPy's limit
    MOST_COLLECTORS = 2     # of one pass
    MOST_PLANES = 4         # of a state
    CHUNK = 1024            # pixels at a time
    STEP = 16               # pixels that a run is looked for at a time; divides CHUNK
    AHEAD = 1024            # pixels from those that are collected to those that are fetched from memory
    JOINED = 256            # groups that are joined at a time
    FIRST_SLOTS = 1024      # of a set of labels: a power of two

cdef enum Outcome:
    DONE = 0
    OUTSIDE = 1             # some label has no place in the table
    NO_MEMORY = 2


# --- arrays

cdef struct Source:
    # An array whose last axis are channels, to be read in row-major order of its other axes.
    const char* data
    Py_ssize_t axes
    Py_ssize_t lengths[MOST_AXES]
    Py_ssize_t strides[MOST_AXES]   # in bytes
    Py_ssize_t channel              # from one channel to the next, in bytes
    Py_ssize_t width                # bytes of an element as rows have it
    load_t load
    bint in_rows                    # rows are contiguous: no load


cdef const void* fetch(
    const Source* source, Py_ssize_t start, Py_ssize_t n, Py_ssize_t channel, void* row,
) noexcept nogil:
    """`n` elements of a channel from pixel `start` on: where they lie, or copied to `row`."""
    cdef Py_ssize_t position[MOST_AXES]
    cdef Py_ssize_t last = source.axes - 1, rest = start, done = 0, length, a
    cdef const char* begin = source.data + channel * source.channel
    for a in range(last, -1, -1):
        position[a] = rest % source.lengths[a]
        rest = rest // source.lengths[a]
        begin += position[a] * source.strides[a]
    if source.in_rows and position[last] + n <= source.lengths[last]:
        return begin
    while True:
        length = min(n - done, source.lengths[last] - position[last])
        source.load(<char*> row + done * source.width, begin, length, source.strides[last], 1, 0)
        done += length
        if done == n:
            return row
        begin -= position[last] * source.strides[last]
        position[last] = 0
        a = last - 1
        while position[a] + 1 == source.lengths[a]:
            begin -= position[a] * source.strides[a]
            position[a] = 0
            a = a - 1
        begin += source.strides[a]
        position[a] += 1


cdef class Array:
    """A buffer that is held as long as this lives; `load` reads its rows, or is 0 where they can be used in place."""
    cdef Py_buffer buffer
    cdef Source source

    def __cinit__(self, array, size_t load, bint in_place, Py_ssize_t width):
        PyObject_GetBuffer(array, &self.buffer, PyBUF_STRIDES)
        self.source.data = <const char*> self.buffer.buf
        self.source.load = <load_t> load
        self.source.width = width
        self.source.channel = self.buffer.strides[self.buffer.ndim - 1]
        self.merge_axes()
        self.source.in_rows = in_place and self.lies_in_rows()

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    cdef void merge_axes(self) noexcept:
        """Axes of which one goes on where the next ends are one."""
        cdef Source* source = &self.source
        cdef Py_ssize_t a, last
        source.axes = 0
        for a in range(self.buffer.ndim - 1):
            if self.buffer.shape[a] == 1:
                continue
            last = source.axes - 1
            if last >= 0 and source.strides[last] == self.buffer.strides[a] * self.buffer.shape[a]:
                source.lengths[last] *= self.buffer.shape[a]
                source.strides[last] = self.buffer.strides[a]
            else:
                source.lengths[source.axes] = self.buffer.shape[a]
                source.strides[source.axes] = self.buffer.strides[a]
                source.axes += 1
        if source.axes == 0:
            source.axes = source.lengths[0] = 1
            source.strides[0] = source.width

    cdef bint lies_in_rows(self) noexcept:
        cdef Py_ssize_t a, bits = <Py_ssize_t> <uintptr_t> self.source.data | self.source.channel
        for a in range(self.source.axes):
            bits |= self.source.strides[a]
        return bits % self.source.width == 0 and self.source.strides[self.source.axes - 1] == self.source.width


cdef void* address_of(array, bint writable) except? NULL:
    """Where a contiguous array lies; its owner keeps it alive."""
    cdef Py_buffer buffer
    cdef void* address
    PyObject_GetBuffer(array, &buffer, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
    address = buffer.buf
    PyBuffer_Release(&buffer)
    return address


# --- labels

ctypedef bint (*index_t)(
    int32_t* index, const void* labels, Py_ssize_t n, uint64_t low, uint64_t size,
) noexcept nogil
ctypedef void (*range_t)(void* extremes, const void* labels, Py_ssize_t n) noexcept nogil
ctypedef void (*key_t)(uint64_t* keys, const void* labels, Py_ssize_t n) noexcept nogil


cdef bint index_labels(
    int32_t* index, const integer* labels, Py_ssize_t n, uint64_t low, uint64_t size,
) noexcept nogil:
    """Places from `low` on, or `size`, a power of two, for labels outside; true if there are any.

    Labels of up to 32 bits do with 32: subtraction wraps, and whatever lies below `low` becomes large.
    """
    cdef uint64_t wide_bits = 0, wide
    cdef uint32_t bits = 0, narrow, base = <uint32_t> low, limit = <uint32_t> size
    cdef Py_ssize_t i
    if sizeof(integer) == 8:
        for i in range(n):
            wide = <uint64_t> labels[i] - low
            wide_bits |= wide
            index[i] = <int32_t> <uint32_t> wide
        if wide_bits < size:
            return False
        for i in range(n):
            wide = <uint64_t> labels[i] - low
            index[i] = <int32_t> <uint32_t> (wide if wide < size else size)
        return True
    else:
        for i in range(n):
            narrow = <uint32_t> <int32_t> labels[i] - base
            bits |= narrow
            index[i] = <int32_t> narrow
        if bits < limit:
            return False
        for i in range(n):
            narrow = <uint32_t> <int32_t> labels[i] - base
            index[i] = <int32_t> (narrow if narrow < limit else limit)
        return True


cdef void widen_extremes(integer* extremes, const integer* labels, Py_ssize_t n) noexcept nogil:
    """The lowest and the highest label."""
    cdef integer low = extremes[0], high = extremes[1]
    cdef Py_ssize_t i
    for i in range(n):
        low = labels[i] if labels[i] < low else low
        high = labels[i] if labels[i] > high else high
    extremes[0] = low
    extremes[1] = high


cdef void make_keys(uint64_t* keys, const integer* labels, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        keys[i] = <uint64_t> labels[i]


# --- sets and tables of sparse labels: open addressing by Fibonacci hashing

cdef struct Slots:
    uint64_t* keys
    int32_t* places         # of a table; -1 where the slot is empty. NULL in a set, whose empty slots hold 0
    uint64_t last           # number of slots less one
    int shift
    Py_ssize_t count
    bint has_zero           # of a set


cdef inline uint64_t slot_of(const Slots* slots, uint64_t key) noexcept nogil:
    return (key * <uint64_t> 0x9E3779B97F4A7C15ULL) >> slots.shift


cdef bint make_slots(Slots* slots, Py_ssize_t least) noexcept nogil:
    """An empty set of at least so many slots, a power of two; false where there is no memory."""
    cdef uint64_t number = FIRST_SLOTS
    slots.shift = 54
    while number < <uint64_t> least:
        number = number << 1
        slots.shift -= 1
    slots.last = number - 1
    slots.count = 0
    slots.has_zero = False
    slots.places = NULL
    slots.keys = <uint64_t*> calloc(number, sizeof(uint64_t))
    return slots.keys != NULL


cdef bint add_key(Slots* slots, uint64_t key) noexcept nogil:
    """Add a key to a set; false where there is no memory."""
    cdef Slots larger
    cdef uint64_t slot = slot_of(slots, key), i
    if key == 0:
        slots.has_zero = True
        return True
    while slots.keys[slot] != 0:
        if slots.keys[slot] == key:
            return True
        slot = (slot + 1) & slots.last
    slots.keys[slot] = key
    slots.count += 1
    if 2 * <uint64_t> slots.count <= slots.last:
        return True
    if not make_slots(&larger, <Py_ssize_t> (2 * (slots.last + 1))):
        return False
    larger.has_zero = slots.has_zero
    for i in range(slots.last + 1):
        if slots.keys[i] != 0:
            add_key(&larger, slots.keys[i])
    free(slots.keys)
    slots[0] = larger
    return True


cdef inline int32_t place_of(const Slots* slots, uint64_t key, int32_t otherwise) noexcept nogil:
    cdef uint64_t slot = slot_of(slots, key)
    while slots.places[slot] >= 0:
        if slots.keys[slot] == key:
            return slots.places[slot]
        slot = (slot + 1) & slots.last
    return otherwise


cdef bint look_up(
    int32_t* index, const uint64_t* keys, Py_ssize_t n, const Slots* slots, int32_t size,
) noexcept nogil:
    """The place of each key, or `size`; true if some key has none. Neighbours are often the same."""
    cdef uint64_t key = ~keys[0]
    cdef int32_t place = size
    cdef bint outside = False
    cdef Py_ssize_t i
    for i in range(n):
        if keys[i] != key:
            key = keys[i]
            place = place_of(slots, key, size)
            outside |= place == size
        index[i] = place
    return outside


# --- collectors: the entry of a group, how pixels enter it, and how entries of two blocks become one

# Largest and smallest are as `skpool.kernels.extrema` has them; a value is kept in the first bytes of 8.

cdef struct Count:
    int64_t count

cdef struct WholeSum:
    uint64_t total          # wraps
    int64_t count

cdef struct WordsSum:
    uint64_t low            # of the low 32 bits,
    uint64_t high           # and of the others: exact for 2**31 pixels
    int64_t count

cdef struct FloatSum:
    double total
    double count            # so that one instruction adds to both

cdef struct ExactSum:
    double total
    double rest             # what the total lacks
    int64_t count

cdef struct Largest:
    uint64_t value
    int64_t count

cdef struct Smallest:
    uint64_t value
    int64_t count

cdef struct FirstLargest:
    uint64_t value
    int64_t place
    int64_t count

cdef struct FirstSmallest:
    uint64_t value
    int64_t place
    int64_t count

ctypedef fused entry:
    Count
    WholeSum
    WordsSum
    FloatSum
    ExactSum
    Largest
    Smallest
    FirstLargest
    FirstSmallest

ctypedef fused extremum:
    Largest
    Smallest
    FirstLargest
    FirstSmallest

ctypedef fused largest:
    Largest
    FirstLargest

ctypedef fused first:
    FirstLargest
    FirstSmallest

# A code tells the group of a pixel: a label, or the place that was found for one.
ctypedef fused code:
    uint32_t
    uint64_t

# `example` only tells what pixels are, and is never read.
ctypedef void (*begin_t)(void* table, Py_ssize_t n, const void* example) noexcept nogil
ctypedef uint64_t (*collect_t)(
    void* table, const Codes* codes, const void* row, Py_ssize_t n, int64_t place, const void* kind,
) noexcept nogil
ctypedef void (*join_t)(void* table, const void* later, Py_ssize_t n, const void* example) noexcept nogil

cdef struct Codes:
    const void* codes
    uint64_t low            # of the table
    uint64_t mask           # what is left of a code less `low`
    Py_ssize_t width        # bytes of a code
    # What is read later. The processor's own prefetchers stop at each page; asked for in time, a line costs nothing:
    # 28 -> 17 ms for 4096 x 4096 pixels on one thread where neighbours differ.
    const char* later_codes
    const char* later_row
    Py_ssize_t row_width

cdef struct Collector:
    Py_ssize_t bytes        # of an entry
    begin_t begin           # entries of no pixels
    collect_t collect       # pixels from `place` on, each into the entry of its code, of 32 bits;
    collect_t collect_long  # the same, of 64 bits. They return the bits of all codes less `low`
    join_t join             # entries with those of a later block


cdef inline pixel neutral(const extremum* group, pixel example) noexcept nogil:
    """The value that never wins."""
    return lowest_of(example) if extremum in largest else highest_of(example)


cdef inline pixel pick(const extremum* group, pixel a, pixel b) noexcept nogil:
    if extremum in largest:
        return b if b > a else a
    else:
        return b if b < a else a


cdef inline pixel extreme_of(const extremum* group, const pixel* row, Py_ssize_t n) noexcept nogil:
    """The largest or smallest of a multiple of 8 pixels; the first NaN if there is one.

    Integers vectorise as they are. Comparisons of floats may not be reordered: hence eight at a time.
    """
    cdef pixel best[8]
    cdef pixel found = row[0]
    cdef int unordered = 0
    cdef Py_ssize_t i, k
    if pixel in real:
        for i in range(n):
            unordered |= row[i] != row[i]
        if unordered:
            i = 0
            while row[i] == row[i]:
                i = i + 1
            return row[i]
        for k in range(8):
            best[k] = row[k]
        for i in range(8, n, 8):
            for k in range(8):
                best[k] = pick(group, best[k], row[i + k])
        for k in range(8):
            found = pick(group, found, best[k])
    else:
        for i in range(n):
            found = pick(group, found, row[i])
    return found


cdef inline bint beats(const extremum* group, pixel b, pixel a) noexcept nogil:
    """Whether a later `b` replaces `a`: larger (or smaller), or the first NaN.

    One comparison, which is false of a NaN, settles nearly all.
    """
    cdef bint lost
    if extremum in largest:
        lost = b <= a
    else:
        lost = b >= a
    if pixel in real:
        return not lost and a == a
    else:
        return not lost


cdef inline bint ties(pixel a, pixel b) noexcept nogil:
    if pixel in real:
        return (a == b) | ((a != a) & (b != b))
    else:
        return a == b


cdef inline void offer(extremum* group, pixel value, int64_t place) noexcept nogil:
    """A value for an extremum; the first is taken whatever it is."""
    cdef pixel best
    memcpy(&best, &group.value, sizeof(pixel))
    if extremum in first:
        if beats(group, value, best) or group.count == 0:
            memcpy(&group.value, &value, sizeof(pixel))
            group.place = place
    else:
        if beats(group, value, best):
            memcpy(&group.value, &value, sizeof(pixel))


cdef inline void add_exactly(ExactSum* group, double value) noexcept nogil:
    """Knuth's sum: what rounding takes from either term is kept."""
    cdef double before = group.total
    cdef double after = before + value
    cdef double taken = after - before
    group.total = after
    group.rest = group.rest + ((before - (after - taken)) + (value - taken))


cdef inline void add_one(entry* group, pixel value, int64_t place) noexcept nogil:
    if entry is WholeSum:
        group.total += <uint64_t> value
    elif entry is WordsSum:
        group.low += <uint64_t> value & <uint64_t> 0xffffffff
        if pixel in signed_integer:
            group.high += <uint64_t> (<int64_t> value >> 32)
        else:
            group.high += <uint64_t> value >> 32
    elif entry is FloatSum:
        group.total += <double> value
    elif entry is ExactSum:
        add_exactly(group, <double> value)
    elif entry in extremum:
        offer(group, value, place)
    group.count += 1


cdef inline void add_run(entry* group, const pixel* row, Py_ssize_t n, int64_t place) noexcept nogil:
    """`n` pixels of one group, a multiple of STEP."""
    cdef Py_ssize_t i, k
    cdef double lanes[8]
    cdef uint64_t total = 0, high = 0
    cdef int32_t part = 0
    cdef pixel best, found
    if entry is WholeSum:
        if sizeof(pixel) <= 2:
            for i in range(n):                             # a chunk of them fits 32 bits
                part += <int32_t> row[i]
            total = <uint64_t> part
        else:
            for i in range(n):
                total += <uint64_t> row[i]
        group.total += total
    elif entry is WordsSum:
        for i in range(n):
            total += <uint64_t> row[i] & <uint64_t> 0xffffffff
        if pixel in signed_integer:
            for i in range(n):
                high += <uint64_t> (<int64_t> row[i] >> 32)
        else:
            for i in range(n):
                high += <uint64_t> row[i] >> 32
        group.low += total
        group.high += high
    elif entry is FloatSum:
        for k in range(8):
            lanes[k] = 0
        for i in range(0, n, 8):
            for k in range(8):
                lanes[k] += <double> row[i + k]
        group.total += ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + (
            (lanes[1] + lanes[5]) + (lanes[3] + lanes[7])
        )
    elif entry is ExactSum:
        for i in range(0, n, 16):
            for k in range(8):
                lanes[k] = <double> row[i + k] + <double> row[i + k + 8]
            add_exactly(
                group,
                ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7])),
            )
    elif entry in extremum:
        found = extreme_of(group, row, n)
        if entry in first:
            memcpy(&best, &group.value, sizeof(pixel))
            if beats(group, found, best) or group.count == 0:
                i = 0
                while not ties(row[i], found):
                    i = i + 1
                offer(group, row[i], place + i)
        else:
            offer(group, found, place)
    group.count += n


cdef inline Py_ssize_t end_of_run(const code* codes, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """The end of the whole steps from `start` on that lie in one group; `start` if there is none."""
    cdef code group = codes[start]
    cdef uint64_t eight = group
    if code is uint32_t:
        eight = eight << 32 | eight
    while start + STEP <= n and codes[start] == group and codes[start + STEP - 1] == group:
        if not skpool_alike(codes + start, eight):
            break
        if code is uint64_t:
            if not skpool_alike(codes + start + STEP // 2, eight):
                break
        start += STEP
    return start


cdef uint64_t collect(
    entry* table, const Codes* where, const pixel* row, Py_ssize_t n, int64_t place, const code* example,
) noexcept nogil:
    cdef const code* codes = <const code*> where.codes
    cdef code low = <code> where.low, mask = <code> where.mask, here, bits = 0
    cdef Py_ssize_t start = 0, end, i
    while start + STEP <= n:
        end = end_of_run(codes, start, n)
        if end > start:
            here = codes[start] - low
            bits |= here
            add_run(&table[here & mask], row + start, end - start, place + start)
        else:
            end = start + STEP
            for i in range(STEP):
                here = codes[start + i] - low
                bits |= here
                add_one(&table[here & mask], row[start + i], place + start + i)
        while start < end:
            SKPOOL_PREFETCH(where.later_codes + start * sizeof(code))
            SKPOOL_PREFETCH(where.later_row + start * where.row_width)
            if code is uint64_t:
                SKPOOL_PREFETCH(where.later_codes + start * sizeof(code) + 64)
            start += STEP
    for i in range(start, n):
        here = codes[i] - low
        bits |= here
        add_one(&table[here & mask], row[i], place + i)
    return bits


cdef void begin(entry* table, Py_ssize_t n, const pixel* example) noexcept nogil:
    cdef pixel value
    cdef Py_ssize_t i
    memset(table, 0, n * sizeof(entry))
    if entry in extremum:
        value = neutral(table, <pixel> 0)
        for i in range(n):
            memcpy(&table[i].value, &value, sizeof(pixel))
            if entry in first:
                table[i].place = -1


cdef void join(entry* table, const entry* later, Py_ssize_t n, const pixel* example) noexcept nogil:
    cdef pixel value
    cdef Py_ssize_t i
    for i in range(n):
        if later[i].count == 0:
            continue
        if entry is WholeSum or entry is FloatSum:
            table[i].total += later[i].total
        elif entry is WordsSum:
            table[i].low += later[i].low
            table[i].high += later[i].high
        elif entry is ExactSum:
            add_exactly(&table[i], later[i].total)
            table[i].rest += later[i].rest
        elif entry in extremum:
            memcpy(&value, &later[i].value, sizeof(pixel))
            if entry in first:
                offer(&table[i], value, later[i].place)
            else:
                offer(&table[i], value, 0)
        table[i].count += later[i].count


# --- maps

ctypedef void (*map_t)(
    double* planes, const void* row, const int32_t* index, const void* known, Py_ssize_t n, Py_ssize_t pitch,
    const Parameters* parameters,
) noexcept nogil
ctypedef void (*omit_t)(int32_t* index, const void* row, Py_ssize_t n, int32_t nowhere) noexcept nogil


cdef inline double deviation_of(pixel value, const void* known, int32_t group) noexcept nogil:
    """A pixel less what lies near the mean of its group, 64-bit integers without rounding."""
    cdef pixel center
    if pixel is uint64_t or pixel is int64_t:
        center = (<const pixel*> known)[group]
        if value >= center:
            return <double> (<uint64_t> value - <uint64_t> center)
        return -<double> (<uint64_t> center - <uint64_t> value)
    else:
        return <double> value - (<const double*> known)[group]


cdef void deviations(
    double* planes, const pixel* row, const int32_t* index, const void* known, Py_ssize_t n, Py_ssize_t pitch,
    const Parameters* parameters,
) noexcept nogil:
    """Deviations and their squares."""
    cdef double deviation
    cdef Py_ssize_t i
    for i in range(n):
        deviation = deviation_of(row[i], known, index[i])
        planes[i] = deviation
        planes[pitch + i] = deviation * deviation


cdef void quotients(
    double* planes, const pixel* row, const int32_t* index, const double* known, Py_ssize_t n, Py_ssize_t pitch,
    const Parameters* parameters,
) noexcept nogil:
    """Pixels, raised to `second` where they lie below it, as multiples of what is known of their group."""
    cdef double least = parameters.second, value
    cdef Py_ssize_t i
    for i in range(n):
        value = <double> row[i]
        planes[i] = (least if value < least else value) / known[index[i]]


cdef void omit_nan(int32_t* index, const real* row, Py_ssize_t n, int32_t nowhere) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        index[i] = index[i] if row[i] == row[i] else nowhere


cdef void omit_masked(int32_t* index, const uint8_t* mask, Py_ssize_t n, int32_t nowhere) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        index[i] = index[i] if mask[i] else nowhere


# --- one pass over the image

cdef struct Pass:
    omit_t omit             # NULL: NaN counts
    map_t map               # NULL: rows are as they are
    const Kernel* kernel    # maps each row by its `gather`; NULL: not at all
    bint relative           # states are then merged with one of their group: what is known of it, and zeros
    Py_ssize_t collectors
    Collector collector[MOST_COLLECTORS]
    Py_ssize_t plane[MOST_COLLECTORS]   # of the mapped row, that each collects
    Parameters parameters


cdef struct Work:
    const Source* labels
    const Source* image     # NULL where only pixels are counted
    const Source* mask      # or NULL
    const Slots* slots      # NULL: tables are dense
    index_t index
    range_t range
    key_t key
    Py_ssize_t pixels
    Py_ssize_t channels
    Py_ssize_t block        # pixels of a block
    Py_ssize_t blocks
    bint has_areas          # pixels are counted too whatever mask and NaN say
    bint given              # labels outside the tables are left out
    uint64_t most           # places that a block which was not guessed right may take
    uint64_t* lows          # of each block: the lowest label of its table,
    uint64_t* sizes         # and its places, a power of two; one more is for what counts nowhere
    const char* known       # numbers of 8 bytes for each channel and group
    Py_ssize_t known_pitch
    uint64_t known_low
    Pass* steps
    char** tables           # of each block: areas, then for each channel the entries of each collector


cdef struct Scratch:
    uint64_t labels[CHUNK]
    uint64_t row[CHUNK]
    double mapped[MOST_PLANES * CHUNK]
    double lifted[MOST_PLANES * CHUNK]
    double known[MOST_PLANES * CHUNK]
    double merged[MOST_PLANES * CHUNK]
    int32_t index[CHUNK]
    int32_t chosen[CHUNK]
    uint8_t mask[CHUNK]


cdef Py_ssize_t bytes_of_areas(const Work* work, Py_ssize_t size) noexcept nogil:
    return (size + 1) * sizeof(Count) if work.has_areas else 0


cdef Py_ssize_t bytes_of_channel(const Work* work, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t total = 0, k
    for k in range(work.steps.collectors):
        total += (size + 1) * work.steps.collector[k].bytes
    return total


cdef bint index_chunk(
    const Work* work, int32_t* index, const void* labels, Py_ssize_t n, uint64_t low, uint64_t size,
) noexcept nogil:
    """Places of the labels of `n` pixels, `size` for those that have none; true if there are any."""
    cdef uint64_t keys[CHUNK]
    if work.slots == NULL:
        return work.index(index, labels, n, low, size)
    work.key(keys, labels, n)
    return look_up(index, keys, n, work.slots, <int32_t> size)


cdef void measure_block(const Work* work, Py_ssize_t b, Py_ssize_t every, uint64_t* extremes) noexcept nogil:
    """The lowest and the highest label of every so manyth chunk of a block, as 64 bits."""
    cdef uint64_t row[CHUNK]
    cdef uint64_t found[2]
    cdef Py_ssize_t start = b * work.block, stop = min(start + work.block, work.pixels), width = work.labels.width
    cdef const void* labels = fetch(work.labels, start, 1, 0, row)
    memcpy(found, labels, width)
    memcpy(<char*> found + width, labels, width)
    while start < stop:
        labels = fetch(work.labels, start, min(CHUNK, stop - start), 0, row)
        work.range(found, labels, min(CHUNK, stop - start))
        start += every * CHUNK
    work.key(extremes, found, 2)


cdef uint64_t collect_channel(
    const Work* work, Scratch* scratch, char* table, Codes codes, Py_ssize_t start, Py_ssize_t n, Py_ssize_t channel,
    uint64_t low, Py_ssize_t size,
) noexcept nogil:
    """Collect the pixels of a channel from `start` on; what its codes have in bits."""
    cdef const Pass* steps = work.steps
    cdef const void* row = scratch.index                   # of a count, which looks at no pixel
    cdef const char* known = work.known
    cdef const uint8_t* valid = NULL
    cdef uint64_t bits = 0
    cdef int64_t order = 0
    cdef Py_ssize_t k, i
    if work.image != NULL:
        row = fetch(work.image, start, n, channel, scratch.row)
        codes.row_width = work.image.width
    codes.later_row = <const char*> row + AHEAD * codes.row_width
    if known != NULL:
        known += 8 * (channel * work.known_pitch + <Py_ssize_t> (low - work.known_low))
    if work.mask != NULL or steps.omit != NULL:
        memcpy(scratch.chosen, scratch.index, n * sizeof(int32_t))
        codes.codes = scratch.chosen
        if work.mask != NULL:
            omit_masked(
                scratch.chosen, <const uint8_t*> fetch(work.mask, start, n, channel, scratch.mask), n, <int32_t> size
            )
        if steps.omit != NULL:
            steps.omit(scratch.chosen, row, n, <int32_t> size)
    if steps.map != NULL:
        steps.map(scratch.mapped, row, <const int32_t*> codes.codes, known, n, CHUNK, &steps.parameters)
        row = scratch.mapped
    if steps.kernel != NULL:
        steps.kernel.gather(scratch.lifted, &row, &valid, &order, 1, n, CHUNK, &steps.parameters)
        row = scratch.lifted
        if steps.relative:
            for i in range(n):
                scratch.known[i] = (<const double*> known)[(<const int32_t*> codes.codes)[i]]
            memset(scratch.known + CHUNK, 0, (steps.kernel.planes - 1) * CHUNK * sizeof(double))
            steps.kernel.merge(scratch.merged, scratch.known, scratch.lifted, n, CHUNK, 0, &steps.parameters)
            row = scratch.merged
    for k in range(steps.collectors):
        bits |= (steps.collector[k].collect_long if codes.width == 8 else steps.collector[k].collect)(
            table, &codes, <const double*> row + steps.plane[k] * CHUNK, n, start, NULL
        )
        table += (size + 1) * steps.collector[k].bytes
    return bits


cdef inline bint takes_labels(const Work* work) noexcept nogil:
    """Whether labels are codes as they are: of 32 or 64 bits, all of them in the table, and none left out."""
    return (
        work.slots == NULL and not work.given and work.labels.width >= 4 and work.mask == NULL
        and work.steps.omit == NULL and work.known == NULL and not work.has_areas
    )


cdef Outcome try_block(const Work* work, Scratch* scratch, Py_ssize_t b) noexcept nogil:
    """Collect a block of pixels into a new table."""
    cdef Py_ssize_t start = b * work.block, stop = min(start + work.block, work.pixels)
    cdef Py_ssize_t size = <Py_ssize_t> work.sizes[b], n, c, k, _channel
    cdef Py_ssize_t areas = bytes_of_areas(work, size), each = bytes_of_channel(work, size)
    cdef Outcome outcome = DONE
    cdef bint direct = takes_labels(work)
    cdef const void* labels
    cdef Codes codes
    cdef char* table = <char*> malloc(areas + work.channels * each)
    cdef char* entries
    work.tables[b] = table
    if table == NULL:
        return NO_MEMORY
    memset(table, 0, areas)
    memset(&codes, 0, sizeof(Codes))
    entries = table + areas
    for _channel in range(work.channels):
        for k in range(work.steps.collectors):
            work.steps.collector[k].begin(entries, size + 1, NULL)
            entries += (size + 1) * work.steps.collector[k].bytes
    while start < stop:
        n = min(CHUNK, stop - start)
        labels = fetch(work.labels, start, n, 0, scratch.labels)
        codes.later_codes = <const char*> labels + AHEAD * work.labels.width
        if direct:
            codes.codes, codes.width = labels, work.labels.width
            codes.low, codes.mask = work.lows[b], size - 1
        else:
            if index_chunk(work, scratch.index, labels, n, work.lows[b], work.sizes[b]):
                outcome = OUTSIDE
                if not work.given:
                    return outcome
            codes.codes, codes.width = scratch.index, sizeof(int32_t)
            codes.low, codes.mask = 0, <uint64_t> -1
            if work.has_areas:
                collect(<Count*> table, &codes, <const uint8_t*> scratch.index, n, start, <const uint32_t*> NULL)
        for c in range(work.channels):
            if collect_channel(
                work, scratch, table + areas + c * each, codes, start, n, c, work.lows[b], size
            ) >= work.sizes[b] and direct:
                return OUTSIDE
        start += CHUNK
    return outcome


cdef Outcome collect_block(const Work* work, Py_ssize_t b) noexcept nogil:
    """Collect a block, if need be with a table for the labels that it really has."""
    cdef uint64_t extremes[2]
    cdef uint64_t size = 1
    cdef Outcome outcome
    cdef Scratch* scratch = <Scratch*> malloc(sizeof(Scratch))
    if scratch == NULL:
        return NO_MEMORY
    outcome = try_block(work, scratch, b)
    if outcome == OUTSIDE and not work.given:
        free(work.tables[b])
        work.tables[b] = NULL
        measure_block(work, b, 1, extremes)
        if extremes[1] - extremes[0] < work.most:
            while size <= extremes[1] - extremes[0]:
                size = size << 1
            work.lows[b] = extremes[0]
            work.sizes[b] = size
            outcome = try_block(work, scratch, b)
    free(scratch)
    return outcome


cdef void join_chunk(
    const Work* work, char* out, Py_ssize_t groups, const Collector* collector, Py_ssize_t channel, Py_ssize_t offset,
    uint64_t low, Py_ssize_t start, Py_ssize_t stop,
) noexcept nogil:
    """Join groups `start` to `stop` of all blocks; `offset` counts the bytes of an entry before the collector's."""
    cdef Py_ssize_t b, size, first, last, begin
    cdef const char* table
    collector.begin(out + start * collector.bytes, stop - start, NULL)
    for b in range(work.blocks):
        size = <Py_ssize_t> work.sizes[b]
        begin = <Py_ssize_t> (work.lows[b] - low)
        first = max(start, begin)
        last = min(stop, begin + size, groups - 1)
        if first >= last:
            continue
        table = work.tables[b] + bytes_of_areas(work, size) + channel * bytes_of_channel(work, size)
        table += offset * (size + 1) + (first - begin) * collector.bytes
        collector.join(out + first * collector.bytes, table, last - first, NULL)


# --- sparse labels, and painting

cdef bint find_labels(const Work* work, Py_ssize_t b, Slots* found) noexcept nogil:
    """The set of a block's labels; false, and without keys, where there is no memory."""
    cdef uint64_t row[CHUNK]
    cdef uint64_t keys[CHUNK]
    cdef Py_ssize_t start = b * work.block, stop = min(start + work.block, work.pixels), n, i
    cdef bint enough = make_slots(found, 0)
    while start < stop:
        n = min(CHUNK, stop - start)
        work.key(keys, fetch(work.labels, start, n, 0, row), n)
        for i in range(n):
            if enough and (i == 0 or keys[i] != keys[i - 1]):
                enough = add_key(found, keys[i])
        start += CHUNK
    if not enough:
        free(found.keys)
        found.keys = NULL
    return enough


cdef bint join_sets(Slots* everything, Slots* found, Py_ssize_t sets) noexcept nogil:
    """The union of all sets, which are freed; false where there is no memory."""
    cdef bint enough = make_slots(everything, 0)
    cdef Py_ssize_t b
    cdef uint64_t i
    for b in range(sets):
        enough = enough and found[b].keys != NULL
        everything.has_zero |= found[b].has_zero
        if enough:
            for i in range(found[b].last + 1):
                if enough and found[b].keys[i] != 0:
                    enough = add_key(everything, found[b].keys[i])
        free(found[b].keys)
        found[b].keys = NULL
    return enough


cdef listed(Slots* found):
    """The members of a set, 8 bytes each; frees it."""
    cdef Py_ssize_t count = 0
    cdef uint64_t i
    for i in range(found.last + 1):
        if found.keys[i] != 0:
            found.keys[count] = found.keys[i]
            count += 1
    try:
        return (<char*> found.keys)[:8 * count] + (bytes(8) if found.has_zero else b"")
    finally:
        free(found.keys)


ctypedef void (*paint_t)(
    void* out, const void* values, const int32_t* index, Py_ssize_t n, Py_ssize_t channels,
) noexcept nogil


cdef void paint_pixels(
    word* out, const word* values, const int32_t* index, Py_ssize_t n, Py_ssize_t channels,
) noexcept nogil:
    cdef Py_ssize_t i, c
    if channels == 1:
        for i in range(n):
            out[i] = values[index[i]]
    else:
        for i in range(n):
            for c in range(channels):
                out[i * channels + c] = values[index[i] * channels + c]


cdef void paint_block(
    const Work* work, Py_ssize_t b, char* out, const void* values, paint_t paint, Py_ssize_t pixel_bytes,
    Py_ssize_t channels,
) noexcept nogil:
    cdef uint64_t row[CHUNK]
    cdef int32_t index[CHUNK]
    cdef Py_ssize_t start = b * work.block, stop = min(start + work.block, work.pixels), n
    while start < stop:
        n = min(CHUNK, stop - start)
        index_chunk(work, index, fetch(work.labels, start, n, 0, row), n, work.lows[b], work.sizes[b])
        paint(out + start * pixel_bytes, values, index, n, channels)
        start += CHUNK


cdef class Tables:
    """What the blocks of a label image hold."""
    cdef Work work
    cdef Pass steps
    cdef object owners              # of what `work` points to
    cdef readonly bint outside      # some label has no place
    cdef readonly bint spread       # some block's labels take too many places

    def __dealloc__(self):
        cdef Py_ssize_t b
        if self.work.tables != NULL:
            for b in range(self.work.blocks):
                free(self.work.tables[b])
            free(self.work.tables)

    def join(self, list outs, areas, uint64_t low, Py_ssize_t groups, int workers):
        """Join all blocks into entries from label `low` on, the last of the groups an empty one.

        `outs` has the entries of each collector for each channel; `areas` those of the area, or is None.
        """
        cdef char* addresses[MOST_COLLECTORS]
        cdef char* area = NULL if areas is None else <char*> address_of(areas, True)
        cdef const Work* work = &self.work
        cdef const Collector* collector
        cdef Collector counter = counting()
        cdef Py_ssize_t chunks = divided_up(groups, JOINED), items, item, k, start, offset = 0, b
        for k in range(work.steps.collectors):
            addresses[k] = <char*> address_of(outs[k], True)
        items = chunks * work.channels
        with nogil:
            for k in range(work.steps.collectors):
                collector = &work.steps.collector[k]
                for item in prange(items, num_threads=workers, schedule="static"):
                    join_chunk(
                        work, addresses[k] + (item // chunks) * groups * collector.bytes, groups, collector,
                        item // chunks, offset, low, (item % chunks) * JOINED,
                        min((item % chunks + 1) * JOINED, groups),
                    )
                offset = offset + collector.bytes
            if area != NULL:
                counter.begin(area, groups, NULL)
                for b in range(work.blocks):
                    start = <Py_ssize_t> (work.lows[b] - low)
                    counter.join(
                        area + start * counter.bytes, work.tables[b],
                        min(<Py_ssize_t> work.sizes[b], groups - 1 - start), NULL,
                    )


cdef class Labels:
    """A label image; `functions` are addresses: how it is read, and what is done with labels of its type."""
    cdef Array array
    cdef Slots slots
    cdef Work work

    def __init__(self, array, dict functions, bint in_place, Py_ssize_t width):
        cdef Py_ssize_t a
        self.array = Array(array, functions["load"], in_place, width)
        self.work.labels = &self.array.source
        self.work.index = <index_t> <size_t> functions["index"]
        self.work.range = <range_t> <size_t> functions["range"]
        self.work.key = <key_t> <size_t> functions["key"]
        self.work.pixels = 1
        for a in range(self.array.source.axes):
            self.work.pixels *= self.array.source.lengths[a]

    def __dealloc__(self):
        free(self.slots.keys)
        free(self.slots.places)

    cdef void lay_out(self, Py_ssize_t block) noexcept:
        self.work.block = block
        self.work.blocks = divided_up(self.work.pixels, block)

    def ranges(self, extremes, Py_ssize_t block, Py_ssize_t every, int workers):
        """The lowest and the highest label of each block, as 64 bits, from every so manyth chunk."""
        cdef uint64_t* out = <uint64_t*> address_of(extremes, True)
        cdef const Work* work = &self.work
        cdef Py_ssize_t b
        self.lay_out(block)
        for b in prange(work.blocks, num_threads=workers, schedule="dynamic", nogil=True):
            measure_block(work, b, every, out + 2 * b)

    def distinct(self, Py_ssize_t block, int workers):
        """The distinct labels as 64 bits each, in no order."""
        cdef const Work* work = &self.work
        cdef Slots* found
        cdef Slots everything
        cdef bint enough
        cdef Py_ssize_t b
        self.lay_out(block)
        found = <Slots*> calloc(work.blocks, sizeof(Slots))
        if found == NULL:
            raise MemoryError("no memory for the sets of labels")
        try:
            for b in prange(work.blocks, num_threads=workers, schedule="dynamic", nogil=True):
                find_labels(work, b, &found[b])
            with nogil:
                enough = join_sets(&everything, found, work.blocks)
            if not enough:
                free(everything.keys)
                raise MemoryError("no memory for the sets of labels")
            return listed(&everything)
        finally:
            for b in range(work.blocks):
                free(found[b].keys)
            free(found)

    def use_keys(self, keys, Py_ssize_t count):
        """From now on, look labels up among these: 64 bits each, distinct. The place of a label is that of its key."""
        cdef const uint64_t* source = <const uint64_t*> address_of(keys, False)
        cdef uint64_t slot
        cdef Py_ssize_t i
        if not make_slots(&self.slots, 2 * count):
            raise MemoryError(f"no memory for a table of {count} labels")
        self.slots.places = <int32_t*> malloc((self.slots.last + 1) * sizeof(int32_t))
        if self.slots.places == NULL:
            raise MemoryError(f"no memory for a table of {count} labels")
        memset(self.slots.places, 0xff, (self.slots.last + 1) * sizeof(int32_t))
        for i in range(count):
            slot = slot_of(&self.slots, source[i])
            while self.slots.places[slot] >= 0:
                slot = (slot + 1) & self.slots.last
            self.slots.keys[slot] = source[i]
            self.slots.places[slot] = <int32_t> i
        self.work.slots = &self.slots

    def collect(
        self, Array image, Array mask, Py_ssize_t channels, dict steps, lows, sizes, Py_ssize_t block, uint64_t most,
        bint given, bint areas, known, uint64_t known_low, Py_ssize_t known_pitch, int workers,
    ):
        """Collect the pixels of an image into `Tables`.

        `image` is None where pixels are only counted. `lows` and `sizes` lay out each block's table, and are written
        where labels lie outside it, if these need no more than `most` places; labels outside `given` ones are left
        out. `known` are numbers of 8 bytes for each channel and group.
        """
        cdef Tables tables = Tables.__new__(Tables)
        cdef Work* work = &tables.work
        cdef uint8_t* outcomes
        cdef Py_ssize_t b
        cdef bint lacking = False
        self.lay_out(block)
        tables.owners = (self, image, mask, lows, sizes, known)
        tables.steps = pass_of(steps)
        work[0] = self.work
        work.steps = &tables.steps
        work.image = NULL if image is None else &image.source
        work.mask = NULL if mask is None else &mask.source
        work.channels = channels
        work.has_areas = areas
        work.given = given
        work.most = most
        work.lows = <uint64_t*> address_of(lows, True)
        work.sizes = <uint64_t*> address_of(sizes, True)
        if known is not None:
            work.known = <const char*> address_of(known, False)
        work.known_low = known_low
        work.known_pitch = known_pitch
        work.tables = <char**> calloc(work.blocks + 1, sizeof(char*))
        outcomes = <uint8_t*> calloc(work.blocks + 1, 1)
        if work.tables == NULL or outcomes == NULL:
            free(outcomes)
            raise MemoryError(f"no memory for {work.blocks} tables of labels")
        for b in prange(work.blocks, num_threads=workers, schedule="dynamic", nogil=True):
            outcomes[b] = collect_block(work, b)
        for b in range(work.blocks):
            lacking |= outcomes[b] == NO_MEMORY
            tables.outside |= outcomes[b] == OUTSIDE
        free(outcomes)
        tables.spread = tables.outside and not given
        if lacking:
            raise MemoryError("no memory for tables of labels")
        return tables

    def paint(
        self, out, values, size_t paint, Py_ssize_t channels, Py_ssize_t width, lows, sizes, Py_ssize_t block,
        int workers,
    ):
        """Paint each pixel with the values of its label; the last ones are for labels that have no place."""
        cdef const Work* work = &self.work
        cdef char* target = <char*> address_of(out, True)
        cdef const void* source = address_of(values, False)
        cdef Py_ssize_t b
        self.lay_out(block)
        self.work.lows = <uint64_t*> address_of(lows, False)
        self.work.sizes = <uint64_t*> address_of(sizes, False)
        for b in prange(work.blocks, num_threads=workers, schedule="static", nogil=True):
            paint_block(work, b, target, source, <paint_t> paint, channels * width, channels)


# --- from states to results

def finish(out, state, counts, size_t function, tuple numbers):
    """Results of states in a reduction's own type, as the driver has them made from rows.

    `function` is the address of a finish, as `skpool.kernels.table` has it, `numbers` the two parameters of the
    reduction and its divisor. All arrays are contiguous, planes of `state` one after the other.
    """
    cdef Parameters parameters
    cdef Py_ssize_t n = len(counts)
    if not n:
        return
    memset(&parameters, 0, sizeof(Parameters))
    parameters.first, parameters.second, parameters.divisor = numbers
    (<finish_t> function)(
        address_of(out, True), address_of(state, True), <const double*> address_of(counts, False), 0, n, n, &parameters
    )


def convert(out, source, wide, counts, size_t widen, size_t narrow, size_t blank, double minimum, bytes fill):
    """Results in the type asked for (without `widen` `out` has them), and `fill` where too few pixels count."""
    cdef Py_ssize_t n = len(counts)
    cdef const char* value = fill
    if not n:
        return
    if widen:
        (<convert_t> widen)(address_of(wide, True), address_of(source, False), n, value)
        (<convert_t> narrow)(address_of(out, True), address_of(wide, False), n, value)
    (<blank_t> blank)(address_of(out, True), <const double*> address_of(counts, False), minimum, n, value)


# --- the tables

cdef Pass pass_of(dict steps) except *:
    """A pass, from addresses and numbers."""
    cdef Pass made
    cdef size_t address
    memset(&made, 0, sizeof(Pass))
    made.omit = <omit_t> <size_t> steps["omit"]
    made.map = <map_t> <size_t> steps["map"]
    made.kernel = <const Kernel*> <size_t> steps["kernel"]
    made.relative = steps["relative"]
    made.parameters.first, made.parameters.second = steps["parameters"]
    for address, plane in steps["collectors"]:
        made.collector[made.collectors] = (<Collector*> address)[0]
        made.plane[made.collectors] = plane
        made.collectors += 1
    return made


cdef Collector counting() noexcept nogil:
    return collector_of(<const Count*> NULL, <const uint8_t*> NULL)


cdef Collector collector_of(const entry* group, const pixel* example) noexcept nogil:
    cdef Collector collector
    collector.bytes = sizeof(entry)
    collector.begin = <begin_t> begin[entry, pixel]
    collector.collect = <collect_t> collect[entry, pixel, uint32_t]
    collector.collect_long = <collect_t> collect[entry, pixel, uint64_t]
    collector.join = <join_t> join[entry, pixel]
    return collector


cdef size_t kept(Collector collector) except 0:
    """The address of a copy that lives as long as the process."""
    cdef Collector* copy = <Collector*> malloc(sizeof(Collector))
    if copy == NULL:
        raise MemoryError
    copy[0] = collector
    return <size_t> copy


cdef void add_label(dict functions, str dtype, const integer* example):
    functions["index", dtype] = <size_t> index_labels[integer]
    functions["range", dtype] = <size_t> widen_extremes[integer]
    functions["key", dtype] = <size_t> make_keys[integer]


cdef void add_pixel(dict functions, str dtype, const pixel* example):
    functions["max", dtype] = kept(collector_of(<const Largest*> NULL, example))
    functions["min", dtype] = kept(collector_of(<const Smallest*> NULL, example))
    functions["argmax", dtype] = kept(collector_of(<const FirstLargest*> NULL, example))
    functions["argmin", dtype] = kept(collector_of(<const FirstSmallest*> NULL, example))
    functions["deviations", dtype] = <size_t> deviations[pixel]
    functions["quotients", dtype] = <size_t> quotients[pixel]
    if pixel in real:
        functions["sum", dtype] = kept(collector_of(<const FloatSum*> NULL, example))
        functions["exact sum", dtype] = kept(collector_of(<const ExactSum*> NULL, example))
        functions["omit", dtype] = <size_t> omit_nan[pixel]
    else:
        functions["sum", dtype] = kept(collector_of(<const WholeSum*> NULL, example))


def table():
    """Addresses by (name, dtype)."""
    functions = {}
    add_label(functions, "uint8", <const uint8_t*> NULL)
    add_label(functions, "int8", <const int8_t*> NULL)
    add_label(functions, "uint16", <const uint16_t*> NULL)
    add_label(functions, "int16", <const int16_t*> NULL)
    add_label(functions, "uint32", <const uint32_t*> NULL)
    add_label(functions, "int32", <const int32_t*> NULL)
    add_label(functions, "uint64", <const uint64_t*> NULL)
    add_label(functions, "int64", <const int64_t*> NULL)
    add_pixel(functions, "uint8", <const uint8_t*> NULL)
    add_pixel(functions, "int8", <const int8_t*> NULL)
    add_pixel(functions, "uint16", <const uint16_t*> NULL)
    add_pixel(functions, "int16", <const int16_t*> NULL)
    add_pixel(functions, "uint32", <const uint32_t*> NULL)
    add_pixel(functions, "int32", <const int32_t*> NULL)
    add_pixel(functions, "uint64", <const uint64_t*> NULL)
    add_pixel(functions, "int64", <const int64_t*> NULL)
    add_pixel(functions, "float32", <const float*> NULL)
    add_pixel(functions, "float64", <const double*> NULL)
    functions["count",] = kept(counting())
    functions["words", "uint64"] = kept(collector_of(<const WordsSum*> NULL, <const uint64_t*> NULL))
    functions["words", "int64"] = kept(collector_of(<const WordsSum*> NULL, <const int64_t*> NULL))
    functions["paint", 1] = <size_t> paint_pixels[uint8_t]
    functions["paint", 2] = <size_t> paint_pixels[uint16_t]
    functions["paint", 4] = <size_t> paint_pixels[uint32_t]
    functions["paint", 8] = <size_t> paint_pixels[uint64_t]
    return functions
