"""Row functions of ranks in large windows of bytes and of short integers: by histograms that slide.

Design (S. Perreault and P. Hébert, "Median filtering in constant time", IEEE TIP 16, 2007): each column of a window's
rows has a histogram, which one sample enters and one leaves from one output row to the next; the window's own is the
sum of its columns', which one enters and one leaves from one output to the next: so the time for an output does not
depend on the window. Histograms have two levels, 16 bins of 16 values. Only that of the bins is kept for the window at
all times; for a run of outputs, those of the values follow of the bins that hold their ranks.
All of them are cumulative, so that a rank is found by counting the entries that are not above it, without a branch.
Histograms of 16 bits are too large for that: there is one, of three levels, that slides across, one column in and one
out, so that the time for an output grows with the height of the window.
"""
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from skpool.kernels.pixels cimport short_integer
from skpool.kernels.ranks cimport mix, mix_each, to_even
from skpool.kernels.shelf cimport padded
from skpool.kernels.table cimport Order, Parameters, Slide

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__GNUC__)
    typedef uint8_t skpool_16x8 __attribute__((vector_size(16)));
    typedef uint16_t skpool_16x16 __attribute__((vector_size(32)));
    #define SKPOOL_LOAD(vector, name, source) vector name; memcpy(&name, source, sizeof name)
    #if defined(__AVX2__)
    #include <immintrin.h>
    #define SKPOOL_WIDE(x) ((skpool_16x16) _mm256_cvtepi8_epi16((__m128i) (x)))
    #else
    typedef int8_t skpool_16xi8 __attribute__((vector_size(16)));
    typedef int16_t skpool_16xi16 __attribute__((vector_size(32)));
    #define SKPOOL_WIDE(x) ((skpool_16x16) __builtin_convertvector((skpool_16xi8) (x), skpool_16xi16))
    #endif
    static inline void skpool_add(uint8_t *bins, const uint8_t *more) {
        SKPOOL_LOAD(skpool_16x8, x, bins);
        SKPOOL_LOAD(skpool_16x8, y, more);
        x += y;
        memcpy(bins, &x, 16);
    }
    static inline void skpool_take(uint8_t *bins, const uint8_t *less) {
        SKPOOL_LOAD(skpool_16x8, x, bins);
        SKPOOL_LOAD(skpool_16x8, y, less);
        x -= y;
        memcpy(bins, &x, 16);
    }
    static inline void skpool_add_column(uint16_t *bins, const uint8_t *more) {
        SKPOOL_LOAD(skpool_16x16, x, bins);
        SKPOOL_LOAD(skpool_16x8, y, more);
        x += SKPOOL_WIDE(y);
        memcpy(bins, &x, 32);
    }
    /* Sums of `width` columns, for `n` windows that are `stride` columns apart; the first is given. */
    static void skpool_trail(
        uint16_t *trail, uint16_t *bins, const uint8_t *columns, Py_ssize_t pitch, Py_ssize_t width,
        Py_ssize_t stride, Py_ssize_t n) {
        SKPOOL_LOAD(skpool_16x16, x, bins);
        memcpy(trail, &x, 32);
        for (Py_ssize_t i = 1; i < n; i++) {
            for (Py_ssize_t s = 0; s < stride; s++, columns += pitch) {
                SKPOOL_LOAD(skpool_16x8, y, columns + width * pitch);
                SKPOOL_LOAD(skpool_16x8, z, columns);
                y -= z;
                x += SKPOOL_WIDE(y);
            }
            memcpy(trail + 16 * i, &x, 32);
        }
        memcpy(bins, &x, 32);
    }
    /* The entries that are not above a rank; they come first. */
    static inline int skpool_passed(const uint16_t *bins, uint16_t rank) {
        SKPOOL_LOAD(skpool_16x16, x, bins);
    #if defined(__AVX512BW__) && defined(__AVX512VL__)
        return __builtin_popcount(_mm256_cmple_epu16_mask((__m256i) x, _mm256_set1_epi16((short) rank)));
    #elif defined(__AVX2__)
        __m256i lower = _mm256_min_epu16((__m256i) x, _mm256_set1_epi16((short) rank));
        return __builtin_popcount(_mm256_movemask_epi8(_mm256_cmpeq_epi16(lower, (__m256i) x))) >> 1;
    #else
        skpool_16x8 marks = __builtin_convertvector(x <= rank, skpool_16x8);
        uint64_t halves[2];
        memcpy(halves, &marks, 16);
        return (__builtin_popcountll(halves[0]) + __builtin_popcountll(halves[1])) >> 3;
    #endif
    }
    #else
    static inline void skpool_add(uint8_t *bins, const uint8_t *more) {
        for (int b = 0; b < 16; b++) bins[b] += more[b];
    }
    static inline void skpool_take(uint8_t *bins, const uint8_t *less) {
        for (int b = 0; b < 16; b++) bins[b] -= less[b];
    }
    static inline void skpool_add_column(uint16_t *bins, const uint8_t *more) {
        for (int b = 0; b < 16; b++) bins[b] += more[b];
    }
    static void skpool_trail(
        uint16_t *trail, uint16_t *bins, const uint8_t *columns, Py_ssize_t pitch, Py_ssize_t width,
        Py_ssize_t stride, Py_ssize_t n) {
        memcpy(trail, bins, 32);
        for (Py_ssize_t i = 1; i < n; i++) {
            for (Py_ssize_t s = 0; s < stride; s++, columns += pitch)
                for (int b = 0; b < 16; b++) bins[b] += columns[width * pitch + b] - columns[b];
            memcpy(trail + 16 * i, bins, 32);
        }
    }
    static inline int skpool_passed(const uint16_t *bins, uint16_t rank) {
        int passed = 0;
        for (int b = 0; b < 16; b++) passed += bins[b] <= rank;
        return passed;
    }
    #endif
    """
    void skpool_add(uint8_t* bins, const uint8_t* more)
    void skpool_take(uint8_t* bins, const uint8_t* less)
    void skpool_add_column(uint16_t* bins, const uint8_t* more)
    void skpool_trail(
        uint16_t* trail, uint16_t* bins, const uint8_t* columns, Py_ssize_t pitch, Py_ssize_t width,
        Py_ssize_t stride, Py_ssize_t n)
    int skpool_passed(const uint16_t* bins, uint16_t rank)

cdef enum:
    LANES = 64              # outputs of a run
    BINS = 16
    VALUES = 256            # 16 bins of 16 values each
    MOST_IN_COLUMN = 127    # samples: differences of counts are bytes with a sign
    MOST_IN_SHORT = 65535

ctypedef fused byte:
    uint8_t
    int8_t

ctypedef fused short_number:
    uint16_t
    int16_t

ctypedef fused result:
    uint8_t
    int8_t
    uint16_t
    int16_t
    double


cdef struct Histograms:
    # What is kept from one output row to the next, and tables.
    uint8_t marks[VALUES]           # row d: one at 15 and at all entries from d on; what a sample of digit d adds
    uint8_t* samples                # the rows that the histograms hold, bytes that ascend as the samples do
    uint8_t* counted                # and which of their samples count
    uint8_t* bins                   # of each column, by the higher digit
    uint8_t* values                 # by the lower one, for each higher one
    Py_ssize_t turn                 # which of the rows is the first


cdef struct Window:
    # The sum of the columns of a window.
    uint16_t bins[BINS]
    uint16_t values[VALUES]
    Py_ssize_t position             # that the bins belong to, or -1
    Py_ssize_t reached[BINS]        # the position that the values of each bin belong to, or -1


cdef struct Run:
    # Some outputs, and for each the samples that are looked for: of one rank, or of two.
    Py_ssize_t outputs
    Py_ssize_t wanted
    int32_t counts[LANES]
    uint8_t bins[2][LANES]
    uint16_t ranks[2][LANES]
    uint8_t samples[2][LANES]


cdef inline void enter(Histograms* held, Py_ssize_t column, uint8_t sample) noexcept nogil:
    skpool_add(held.bins + column * BINS, held.marks + (sample >> 4) * BINS)
    skpool_add(held.values + column * VALUES + (sample >> 4) * BINS, held.marks + (sample & 15) * BINS)


cdef inline void leave(Histograms* held, Py_ssize_t column, uint8_t sample) noexcept nogil:
    skpool_take(held.bins + column * BINS, held.marks + (sample >> 4) * BINS)
    skpool_take(held.values + column * VALUES + (sample >> 4) * BINS, held.marks + (sample & 15) * BINS)


cdef void add_row(
    Histograms* held, Py_ssize_t place, const byte* row, const uint8_t* valid, Py_ssize_t n,
) noexcept nogil:
    """A row of samples enters."""
    cdef uint8_t* samples = held.samples + place * n
    cdef uint8_t* counted = held.counted + place * n
    cdef Py_ssize_t i
    for i in range(n):
        samples[i] = <uint8_t> row[i]
        if byte is int8_t:
            samples[i] = samples[i] ^ 128
    if valid == NULL:
        for i in range(n):
            counted[i] = 1
            enter(held, i, samples[i])
        return
    memcpy(counted, valid, n)
    for i in range(n):
        if counted[i]:
            enter(held, i, samples[i])


cdef void remove_row(Histograms* held, Py_ssize_t place, Py_ssize_t n) noexcept nogil:
    """A row of samples leaves."""
    cdef const uint8_t* samples = held.samples + place * n
    cdef const uint8_t* counted = held.counted + place * n
    cdef Py_ssize_t i
    for i in range(n):
        if counted[i]:
            leave(held, i, samples[i])


cdef void move_down(
    Histograms* held, const byte** rows, const uint8_t** valid, const Slide* slide, Py_ssize_t moved, Py_ssize_t n,
) noexcept nogil:
    """Hold the rows of a window, which is `moved` rows further down than before; 0: anywhere else."""
    cdef Py_ssize_t outer, t, place
    if moved == 0 or moved >= slide.tall:
        memset(held.bins, 0, n * BINS)
        memset(held.values, 0, n * VALUES)
        held.turn = 0
        moved = slide.tall
    else:
        for outer in range(slide.rows // slide.tall):
            for t in range(moved):
                place = outer * slide.tall + (held.turn + t) % slide.tall
                remove_row(held, place, n)
    for outer in range(slide.rows // slide.tall):
        for t in range(slide.tall - moved, slide.tall):
            place = outer * slide.tall + (held.turn + moved + t) % slide.tall
            add_row(held, place, rows[outer * slide.tall + t], valid[outer * slide.tall + t], n)
    held.turn = (held.turn + moved) % slide.tall


cdef void sum_columns(
    uint16_t* trail, uint16_t* sums, Py_ssize_t* reached, const uint8_t* columns, Py_ssize_t width, const Slide* slide,
    Py_ssize_t position, Py_ssize_t outputs,
) noexcept nogil:
    """Sums over the columns of each window of a run; `sums` are those at the position `reached`, if it is not -1."""
    cdef uint16_t passed_over[2 * BINS]
    cdef Py_ssize_t pitch = slide.inner * width, c
    if reached[0] >= 0 and position < reached[0] + slide.columns:
        if position > reached[0]:
            skpool_trail(
                passed_over, sums, columns + reached[0] * pitch, pitch, slide.columns, position - reached[0], 2,
            )
    else:
        memset(sums, 0, BINS * sizeof(uint16_t))
        for c in range(position, position + slide.columns):
            skpool_add_column(sums, columns + c * pitch)
    skpool_trail(trail, sums, columns + position * pitch, pitch, slide.columns, slide.stride, outputs)
    reached[0] = position + (outputs - 1) * slide.stride


cdef uint32_t find_bins(
    Window* window, Run* run, const uint8_t* bins, const Slide* slide, Py_ssize_t position, const Order* order,
) noexcept nogil:
    """Which bin holds each sample, and at which rank; returns a bit for each bin that holds any."""
    cdef uint16_t trail[LANES * BINS]
    cdef const uint16_t* sums = trail
    cdef Py_ssize_t i, w
    cdef int32_t rank, b
    cdef uint32_t found = 0
    sum_columns(trail, window.bins, &window.position, bins, BINS, slide, position, run.outputs)
    for i in range(run.outputs):
        run.counts[i] = sums[BINS - 1]
        for w in range(run.wanted):
            rank = order.high[run.counts[i]] if w else order.low[run.counts[i]]
            b = min(skpool_passed(sums, <uint16_t> rank), 15)
            run.bins[w][i] = <uint8_t> b
            run.ranks[w][i] = <uint16_t> (rank - (sums[b - 1] if b else 0))
            found = found | (<uint32_t> 1 << b)
        sums = sums + BINS
    return found


cdef void find_values(
    Window* window, Run* run, const uint8_t* values, const Slide* slide, Py_ssize_t position, int b,
) noexcept nogil:
    """The samples that a bin holds. It is asked for all outputs: that is cheaper than to find out which."""
    cdef uint16_t trail[LANES * BINS]
    cdef uint8_t found[LANES]
    cdef Py_ssize_t i, w
    sum_columns(
        trail, window.values + b * BINS, &window.reached[b], values + b * BINS, VALUES, slide, position, run.outputs,
    )
    for w in range(run.wanted):
        for i in range(run.outputs):
            found[i] = <uint8_t> skpool_passed(trail + i * BINS, run.ranks[w][i])
        for i in range(run.outputs):
            found[i] = <uint8_t> (found[i] + BINS * b)
            run.samples[w][i] = found[i] if run.bins[w][i] == b else run.samples[w][i]


cdef inline void finish(
    result* out, const short_integer* low, const short_integer* high, const int32_t* counts, Py_ssize_t n,
    const Order* order, Py_ssize_t taps,
) noexcept nogil:
    """Results between two samples of each output; `counts` is NULL where all samples count."""
    if result is not double:
        to_even(<short_integer*> out, low, high, n)
    elif counts == NULL:
        mix(out, low, high, order.weight[taps], n, False)
    else:
        mix_each(out, low, high, order.weight, counts, n, False)


cdef void quantile(
    result* out, double* reported, const byte** rows, const uint8_t** valid, const Slide* slide, Py_ssize_t moved,
    Py_ssize_t outputs, char* room, const Parameters* parameters,
) noexcept nogil:
    """A quantile of each window of a row of outputs."""
    cdef const Order* order = &parameters.order
    cdef Histograms* held = <Histograms*> room
    cdef Window window
    cdef Run run
    cdef byte samples[2][LANES]
    cdef result results[LANES]
    cdef Py_ssize_t taps = slide.rows * slide.columns, inner = slide.inner
    cdef Py_ssize_t n = ((outputs - 1) * slide.stride + slide.columns) * inner
    cdef Py_ssize_t channel, first, i, w
    cdef uint32_t found
    cdef int b
    if moved == 0:
        lay_out(held, room, slide, n)
    move_down(held, rows, valid, slide, moved, n)
    run.wanted = 1 if reported == NULL and order.low[taps] == order.high[taps] else 2
    for channel in range(inner):
        window.position = -1
        for b in range(BINS):
            window.reached[b] = -1
        for first in range(0, outputs, 64):
            run.outputs = min(<Py_ssize_t> LANES, outputs - first)
            found = find_bins(&window, &run, held.bins + channel * BINS, slide, first * slide.stride, order)
            for b in range(BINS):
                if found >> b & 1:
                    find_values(&window, &run, held.values + channel * VALUES, slide, first * slide.stride, b)
            for w in range(run.wanted):
                for i in range(run.outputs):
                    samples[w][i] = <byte> run.samples[w][i]
                    if byte is int8_t:
                        samples[w][i] = <byte> (run.samples[w][i] ^ 128)
            finish(
                <result*> results, <const byte*> samples[0], <const byte*> samples[run.wanted - 1],
                NULL if reported == NULL else run.counts, run.outputs, order, taps,
            )
            for i in range(run.outputs):
                out[(first + i) * inner + channel] = results[i]
                if reported != NULL:
                    reported[(first + i) * inner + channel] = run.counts[i]


cdef Py_ssize_t lay_out(Histograms* held, char* room, const Slide* slide, Py_ssize_t n) noexcept nogil:
    """Lay out the scratch for rows of `n` elements, and fill its table; returns its bytes. `held` may be NULL."""
    cdef Py_ssize_t d, b
    if held != NULL:
        for d in range(BINS):
            for b in range(BINS):
                held.marks[d * BINS + b] = b >= d
        held.bins = <uint8_t*> room + padded(sizeof(Histograms))
        held.values = held.bins + n * BINS
        held.samples = held.values + n * VALUES
        held.counted = held.samples + slide.rows * n
    return padded(sizeof(Histograms)) + n * (BINS + VALUES + 2 * slide.rows)


# --- short integers

cdef struct Levels:
    # Samples of a window by their 8, 12 and 16 highest bits; `below` of them are in lower bins than `bin`.
    uint16_t high[256]
    uint16_t middle[4096]
    uint16_t values[65536]
    int32_t bin
    int32_t below
    int32_t count


cdef inline void tally(Levels* held, uint16_t sample, int32_t sign) noexcept nogil:
    """A sample enters (1) or leaves (-1)."""
    held.high[sample >> 8] += <uint16_t> sign
    held.middle[sample >> 4] += <uint16_t> sign
    held.values[sample] += <uint16_t> sign
    held.count += sign
    if sample >> 8 < held.bin:
        held.below += sign


cdef void tally_columns(
    Levels* held, const short_number** rows, const uint8_t** valid, const Slide* slide, Py_ssize_t channel,
    Py_ssize_t begin, Py_ssize_t end, int32_t sign,
) noexcept nogil:
    """The samples of some columns enter or leave."""
    cdef Py_ssize_t r, c, place
    cdef uint16_t sample
    for r in range(slide.rows):
        for c in range(begin, end):
            place = c * slide.inner + channel
            if valid[r] != NULL and not valid[r][place]:
                continue
            sample = <uint16_t> rows[r][place]
            if short_number is int16_t:
                sample = sample ^ 32768
            tally(held, sample, sign)


cdef inline uint16_t value_at(Levels* held, int32_t rank) noexcept nogil:
    """The sample at a rank; any if there are not so many."""
    cdef Py_ssize_t place
    cdef int32_t below
    while held.below > rank:
        held.bin -= 1
        held.below -= held.high[held.bin]
    while held.bin < 255 and held.below + held.high[held.bin] <= rank:
        held.below += held.high[held.bin]
        held.bin += 1
    below = held.below
    place = held.bin * 16
    while place < held.bin * 16 + 15 and below + held.middle[place] <= rank:
        below = below + held.middle[place]
        place = place + 1
    place = place * 16
    while place < 65535 and below + held.values[place] <= rank:
        below = below + held.values[place]
        place = place + 1
    return <uint16_t> place


cdef void quantile_of_shorts(
    result* out, double* reported, const short_number** rows, const uint8_t** valid, const Slide* slide,
    Py_ssize_t moved, Py_ssize_t outputs, char* room, const Parameters* parameters,
) noexcept nogil:
    """As `quantile`, for short integers."""
    cdef const Order* order = &parameters.order
    cdef Levels* held = <Levels*> room
    cdef short_number low[LANES]
    cdef short_number high[LANES]
    cdef int32_t counts[LANES]
    cdef result results[LANES]
    cdef uint16_t flip = 32768 if short_number is int16_t else 0
    cdef Py_ssize_t taps = slide.rows * slide.columns
    cdef Py_ssize_t channel, first, i, m, position, past
    for channel in range(slide.inner):
        memset(held, 0, sizeof(Levels))
        past = 0                                           # columns that have entered
        for first in range(0, outputs, 64):
            m = min(<Py_ssize_t> LANES, outputs - first)
            for i in range(m):
                position = (first + i) * slide.stride
                if position:
                    tally_columns(
                        held, rows, valid, slide, channel, position - slide.stride, min(position, past), -1,
                    )
                tally_columns(
                    held, rows, valid, slide, channel, max(position, past), position + slide.columns, 1,
                )
                past = position + slide.columns
                counts[i] = held.count
                low[i] = <short_number> (value_at(held, order.low[held.count]) ^ flip)
                high[i] = low[i]
                if order.high[held.count] != order.low[held.count]:
                    high[i] = <short_number> (value_at(held, order.high[held.count]) ^ flip)
            finish(
                <result*> results, <const short_number*> low, <const short_number*> high,
                NULL if reported == NULL else counts, m, order, taps,
            )
            for i in range(m):
                out[(first + i) * slide.inner + channel] = results[i]
                if reported != NULL:
                    reported[(first + i) * slide.inner + channel] = counts[i]


#: Rows that a window of bytes may have, and samples that any may have.
MOST_ROWS, MOST_SAMPLES = MOST_IN_COLUMN, MOST_IN_SHORT


def tables():
    """No kernels, and addresses of functions of type `slide_t`."""
    cdef dict finishes = {}
    finishes["slide", "uint8", "float64"] = <size_t> quantile[double, uint8_t]
    finishes["slide", "int8", "float64"] = <size_t> quantile[double, int8_t]
    finishes["slide", "uint8", "same"] = <size_t> quantile[uint8_t, uint8_t]
    finishes["slide", "int8", "same"] = <size_t> quantile[int8_t, int8_t]
    finishes["slide", "uint16", "float64"] = <size_t> quantile_of_shorts[double, uint16_t]
    finishes["slide", "int16", "float64"] = <size_t> quantile_of_shorts[double, int16_t]
    finishes["slide", "uint16", "same"] = <size_t> quantile_of_shorts[uint16_t, uint16_t]
    finishes["slide", "int16", "same"] = <size_t> quantile_of_shorts[int16_t, int16_t]
    return {}, finishes


def room(Py_ssize_t rows, Py_ssize_t width):
    """Bytes of scratch for windows of so many rows of `width` bytes a sample: of itself, and for each element."""
    cdef Slide slide
    slide.rows = rows
    if width > 1:
        return sizeof(Levels), 0
    return lay_out(NULL, NULL, &slide, 0), lay_out(NULL, NULL, &slide, 1) - lay_out(NULL, NULL, &slide, 0)
