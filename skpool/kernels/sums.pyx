"""Row functions of sums and averages.

Design: a sum is a fixed binary tree over the rows of its window, in a total wide enough to be exact for integers:
16 bits for windows of up to 257 bytes (twice the lanes of 32), then 32, 64, or two words for 64-bit averages. Totals
are unsigned, so that they wrap without undefined behaviour; a finish reads them as signed where the pixels are.
Dividing by a power of two is a product with its exact reciprocal; any other count is a true division, since a
product with a rounded reciprocal is wrong in the last bit.
"""
from libc.math cimport fabsf, frexp
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.bytes cimport SKPOOL_HAS_RGB, SKPOOL_MEAN, skpool_quads_grey, skpool_quads_rgb
from skpool.kernels.columns cimport (
    COLUMNS_WIDTH, parts_columns, skpool_even_columns, skpool_odd_columns, skpool_order, skpool_take_columns,
)
from skpool.kernels.pixels cimport pixel, real, short_integer, two_bytes, word
from skpool.kernels.table cimport (
    Kernel, Parameters, chain_t, empty_kernel, fold_t, gather_t, identity_t, kept, merge_t, pair_t,
)
from skpool.kernels.totals cimport finish_sum, fold, merge, pair, reading, total, triple

cdef extern from "<float.h>" nogil:
    const float LARGEST_FLOAT "FLT_MAX"

cdef extern from * nogil:
    """
    /* Float64 totals of eight rows of float32: of as many elements as this can do, from the first; returns how many.

       Rows are converted as they are read, half a register of numbers at a time. Left alone, gcc reads whole registers
       and parts them: global averages take 1.1 to 1.3 of the time. */
    #if defined(__AVX512F__)
    #include <immintrin.h>
    #define SKPOOL_DOUBLES(name) _mm512_##name
    #define SKPOOL_WIDENED(row) _mm512_cvtps_pd(_mm256_loadu_ps(row + i))
    typedef __m512d skpool_doubles;
    #elif defined(__AVX__)
    #include <immintrin.h>
    #define SKPOOL_DOUBLES(name) _mm256_##name
    #define SKPOOL_WIDENED(row) _mm256_cvtps_pd(_mm_loadu_ps(row + i))
    typedef __m256d skpool_doubles;
    #endif
    #if defined(SKPOOL_WIDENED)
    static Py_ssize_t skpool_sum_widened(double *state, const float **rows, Py_ssize_t n) {
        const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
        const float *e = rows[4], *f = rows[5], *g = rows[6], *h = rows[7];
        const Py_ssize_t step = sizeof(skpool_doubles) / sizeof(double);
        Py_ssize_t i = 0;
        for (; i + step <= n; i += step) {
            skpool_doubles ab = SKPOOL_DOUBLES(add_pd)(SKPOOL_WIDENED(a), SKPOOL_WIDENED(b));
            skpool_doubles cd = SKPOOL_DOUBLES(add_pd)(SKPOOL_WIDENED(c), SKPOOL_WIDENED(d));
            skpool_doubles ef = SKPOOL_DOUBLES(add_pd)(SKPOOL_WIDENED(e), SKPOOL_WIDENED(f));
            skpool_doubles gh = SKPOOL_DOUBLES(add_pd)(SKPOOL_WIDENED(g), SKPOOL_WIDENED(h));
            skpool_doubles low = SKPOOL_DOUBLES(add_pd)(ab, cd), high = SKPOOL_DOUBLES(add_pd)(ef, gh);
            SKPOOL_DOUBLES(storeu_pd)(state + i, SKPOOL_DOUBLES(add_pd)(low, high));
        }
        return i;
    }
    #else
    static Py_ssize_t skpool_sum_widened(double *state, const float **rows, Py_ssize_t n) {
        (void) state; (void) rows; (void) n;
        return 0;
    }
    #endif
    """
    Py_ssize_t skpool_sum_widened(double* state, const float** rows, Py_ssize_t n)


cdef void gather(
    total* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[1] if count > 1 else a
    cdef const pixel* c = rows[2] if count > 2 else a
    cdef const pixel* d = rows[3] if count > 3 else a
    cdef const pixel* e
    cdef const pixel* f
    cdef const pixel* g
    cdef const pixel* h
    cdef uint16_t unsigned_sum
    cdef int16_t signed_sum
    cdef int32_t sum_of_shorts
    cdef Py_ssize_t i, done
    if count == 1:
        for i in range(n):
            state[i] = <total> a[i]
    elif count == 2:
        for i in range(n):
            state[i] = <total> (<total> a[i] + <total> b[i])
    elif count == 3:
        for i in range(n):
            state[i] = <total> (<total> a[i] + <total> b[i] + <total> c[i])
    elif count == 4:
        for i in range(n):
            state[i] = <total> ((<total> a[i] + <total> b[i]) + (<total> c[i] + <total> d[i]))
    else:
        e = rows[4]
        f = rows[5]
        g = rows[6]
        h = rows[7]
        # Eight short numbers are summed in narrower, and so more, lanes than those of the total.
        if pixel is uint8_t:
            for i in range(n):
                unsigned_sum = <uint16_t> (((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i])))
                state[i] = <total> unsigned_sum
        elif pixel is int8_t:
            for i in range(n):
                signed_sum = <int16_t> (((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i])))
                state[i] = <total> signed_sum
        elif pixel is uint16_t or pixel is int16_t:
            for i in range(n):
                sum_of_shorts = ((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i]))
                state[i] = <total> sum_of_shorts
        else:
            done = skpool_sum_widened(state, rows, n) if pixel is float and total is double else 0
            for i in range(done, n):
                state[i] = <total> (
                    ((<total> a[i] + <total> b[i]) + (<total> c[i] + <total> d[i]))
                    + ((<total> e[i] + <total> f[i]) + (<total> g[i] + <total> h[i]))
                )


cdef void chain(
    total* state, const total** states, Py_ssize_t count, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const total* a = states[0]
    cdef const total* b = states[1]
    cdef const total* c = states[2]
    cdef const total* d = states[3] if count > 3 else a
    cdef const total* e = states[4] if count > 4 else a
    cdef const total* f = states[5] if count > 5 else a
    cdef Py_ssize_t i
    if count == 3:
        for i in range(n):
            state[i] = <total> (a[i] + <total> (b[i] + c[i]))
    elif count == 4:
        for i in range(n):
            state[i] = <total> (a[i] + <total> (b[i] + <total> (c[i] + d[i])))
    elif count == 5:
        for i in range(n):
            state[i] = <total> (a[i] + <total> (b[i] + <total> (c[i] + <total> (d[i] + e[i]))))
    else:
        for i in range(n):
            state[i] = <total> (a[i] + <total> (b[i] + <total> (c[i] + <total> (d[i] + <total> (e[i] + f[i])))))


cdef void unfold(
    total* state, const total* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = <total> (state[i] - later[i])


cdef void identity(total* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters) noexcept nogil:
    # -0.0 is what changes no sum, not even that of zeros.
    cdef total zero = <total> 0
    cdef Py_ssize_t i
    if total in real:
        zero = -zero
    for i in range(n):
        state[i] = zero


cdef Kernel sum_kernel(const pixel* source, const total* state) noexcept:
    cdef Kernel kernel = empty_kernel(sizeof(total), 1, 8)
    kernel.gather = <gather_t> gather[total, pixel]
    kernel.join = <gather_t> gather[total, total]
    kernel.merge = <merge_t> merge[total]
    if total in real:                                      # others run
        kernel.chain = <chain_t> chain[total]
    kernel.fold = <fold_t> fold[total]
    if total not in real:
        kernel.unfold = <fold_t> unfold[total]
    kernel.pair = <pair_t> pair[total]
    kernel.triple = <pair_t> triple[total]
    kernel.identity = <identity_t> identity[total]
    return kernel


# --- 64-bit averages: plane 0 sums the low 32 bits, plane 1 the high ones; exact for 2**31 samples

ctypedef fused long_integer:
    uint64_t
    int64_t


cdef void gather_words(
    uint64_t* state, const long_integer** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef uint64_t* high = state + pitch
    cdef uint64_t mask = 0xffffffff
    cdef const long_integer* row
    cdef Py_ssize_t i, r
    for i in range(n):
        state[i] = 0
        high[i] = 0
    for r in range(count):
        row = rows[r]
        for i in range(n):
            state[i] = state[i] + (<uint64_t> row[i] & mask)
            high[i] = high[i] + <uint64_t> (row[i] >> 32)


cdef void join_words(
    uint64_t* state, const uint64_t** states, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const uint64_t* high[8]
    cdef Py_ssize_t r
    for r in range(count):
        high[r] = states[r] + pitch
    gather(state, states, valid, order, count, n, pitch, parameters)
    gather(state + pitch, high, valid, order, count, n, pitch, parameters)


cdef void merge_words(
    uint64_t* state, const uint64_t* earlier, const uint64_t* later, Py_ssize_t n, Py_ssize_t pitch,
    Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    merge(state, earlier, later, n, pitch, shift, parameters)
    merge(state + pitch, earlier + pitch, later + pitch, n, pitch, shift, parameters)


cdef void fold_words(
    uint64_t* state, const uint64_t* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    fold(state, later, n, pitch, parameters)
    fold(state + pitch, later + pitch, n, pitch, parameters)


cdef void unfold_words(
    uint64_t* state, const uint64_t* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    unfold(state, later, n, pitch, parameters)
    unfold(state + pitch, later + pitch, n, pitch, parameters)


cdef void identity_words(uint64_t* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters) noexcept nogil:
    identity(state, n, pitch, parameters)
    identity(state + pitch, n, pitch, parameters)


cdef Kernel words_kernel(const long_integer* source) noexcept:
    cdef Kernel kernel = empty_kernel(sizeof(uint64_t), 2, 8)
    kernel.gather = <gather_t> gather_words[long_integer]
    kernel.join = <gather_t> join_words
    kernel.merge = <merge_t> merge_words
    kernel.fold = <fold_t> fold_words
    kernel.unfold = <fold_t> unfold_words
    kernel.identity = <identity_t> identity_words
    return kernel


# --- finishes

cdef inline double reciprocal(double count) noexcept nogil:
    """1 / count where that is exact, else 0."""
    cdef int exponent
    return 1.0 / count if frexp(count, &exponent) == 0.5 else 0.0


cdef inline bint overflows(const float* row, Py_ssize_t n) noexcept nogil:
    """Whether a row has an infinity."""
    cdef int found = 0
    cdef Py_ssize_t i
    cdef float largest = LARGEST_FLOAT
    for i in range(n):
        found = found | (fabsf(row[i]) > largest)
    return found


cdef void finish_average(
    real* out, const reading* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    divide(out, state, counts, count, n, parameters)
    if reading is float:
        parameters.overflowed = parameters.overflowed or overflows(state, n)


cdef inline void divide(
    real* out, const reading* state, const double* counts, double count, Py_ssize_t n, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef double scale
    cdef real divisor, factor
    if parameters.divisor != 0:
        count = parameters.divisor
        counts = NULL
    if counts != NULL:
        for i in range(n):
            out[i] = <real> (<double> state[i] / counts[i])
        return
    scale = reciprocal(count)
    divisor = <real> count
    factor = <real> scale
    if <double> factor != 0 and factor * divisor == 1:
        for i in range(n):
            if reading is double:
                out[i] = <real> (state[i] * scale)
            else:
                out[i] = <real> state[i] * factor
    elif reading is float and real is float:
        # The quotient of two float32 is the same by way of float64, if both are exact in float32.
        if <double> divisor == count:
            for i in range(n):
                out[i] = state[i] / divisor
        else:
            for i in range(n):
                out[i] = <real> (state[i] / count)
    else:
        for i in range(n):
            out[i] = <real> (<double> state[i] / count)


cdef void finish_words(
    double* out, const long_integer* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef const uint64_t* low = <const uint64_t*> state
    cdef const long_integer* high = state + pitch
    cdef double value
    cdef Py_ssize_t i
    if parameters.divisor != 0:
        count = parameters.divisor
        counts = NULL
    for i in range(n):
        value = <double> high[i] * 4294967296.0 + <double> low[i]
        out[i] = value / (counts[i] if counts != NULL else count)


# --- averages rounded half to even, in the type of the pixels

ctypedef fused narrow_reading:
    uint16_t
    int16_t
    uint32_t
    int32_t


cdef inline int shift_of(double count) noexcept nogil:
    """b where count is 2**b, b from 1 to 15; else 0."""
    cdef int exponent
    return exponent - 1 if frexp(count, &exponent) == 0.5 and 1 < exponent <= 16 else 0


cdef inline narrow_reading shifted_down(narrow_reading value, int b) noexcept nogil:
    """value / 2**b: one less than half is added, and one where the quotient is odd, to carry where it rounds up."""
    cdef narrow_reading one = 1
    cdef narrow_reading below = <narrow_reading> ((one << (b - 1)) - 1)
    return <narrow_reading> (<narrow_reading> (value + below + <narrow_reading> ((value >> b) & one)) >> b)


cdef void finish_rounded(
    short_integer* out, const narrow_reading* state, const double* counts, double count, Py_ssize_t n,
    Py_ssize_t pitch, Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int b = 0 if counts != NULL else shift_of(count)
    # Adding 1.5 * 2**23 (2**52) and taking it away rounds half to even. No quotient is so near to a half that
    # the division rounds it there: sums have fewer than 24 (52) bits and counts at most 2**8 (2**24).
    cdef float divisor = <float> count, magic = 12582912.0
    cdef double wide_magic = 6755399441055744.0
    if b == 2:                                             # constants keep the lanes as narrow as the total
        for i in range(n):
            out[i] = <short_integer> shifted_down(state[i], 2)
    elif b == 4:
        for i in range(n):
            out[i] = <short_integer> shifted_down(state[i], 4)
    elif b == 6:
        for i in range(n):
            out[i] = <short_integer> shifted_down(state[i], 6)
    elif b:
        for i in range(n):
            out[i] = <short_integer> shifted_down(state[i], b)
    elif narrow_reading is uint16_t or narrow_reading is int16_t:
        if counts == NULL:
            for i in range(n):
                out[i] = <short_integer> <int32_t> ((<float> <int32_t> state[i] / divisor + magic) - magic)
        else:
            for i in range(n):
                out[i] = <short_integer> <int32_t> ((<float> <int32_t> state[i] / <float> counts[i] + magic) - magic)
    else:
        for i in range(n):
            out[i] = <short_integer> <int32_t> (
                (<double> state[i] / (counts[i] if counts != NULL else count) + wide_magic) - wide_magic
            )


cdef inline int64_t half_even(uint64_t whole, uint64_t count) noexcept nogil:
    """whole / count, for a total that is not negative."""
    cdef uint64_t quotient = whole / count
    cdef uint64_t rest = whole - quotient * count
    cdef uint64_t twice = 2 * rest
    return <int64_t> (quotient + ((twice > count) | ((twice == count) & (quotient & 1))))


cdef void finish_exact(
    long_integer* out, const uint64_t* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    """Of a 64-bit total that has not wrapped."""
    cdef Py_ssize_t i
    cdef uint64_t samples
    for i in range(n):
        samples = <uint64_t> (counts[i] if counts != NULL else count)
        if samples == 0:
            out[i] = 0
        elif long_integer is int64_t and <int64_t> state[i] < 0:
            out[i] = -half_even(<uint64_t> 0 - state[i], samples)
        else:
            out[i] = <long_integer> half_even(state[i], samples)


cdef void finish_exact_words(
    long_integer* out, const uint64_t* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    """Long division of high * 2**32 + low, digit by digit; a count below 2**31 leaves room for each remainder."""
    cdef const uint64_t* highs = state + pitch
    cdef Py_ssize_t i
    cdef uint64_t samples, low, quotient
    cdef long_integer high, digit
    for i in range(n):
        samples = <uint64_t> (counts[i] if counts != NULL else count)
        if samples == 0:
            out[i] = 0
            continue
        high = <long_integer> highs[i]
        digit = high / <long_integer> samples
        high = high - digit * <long_integer> samples
        if long_integer is int64_t and high < 0:           # floor, so that the remainder is not negative
            high = high + <long_integer> samples
            digit = digit - 1
        # digit * 2**32 + (high * 2**32 + low) / samples; half to even of the sum is that of its last part,
        # since the first is even.
        low = state[i]
        quotient = (<uint64_t> high << 32) + low
        out[i] = <long_integer> ((<uint64_t> digit << 32) + <uint64_t> half_even(quotient, samples))


# --- averages of 2 x 2 samples in one pass

cdef inline uint16_t sum_of_bytes(const uint8_t* two) noexcept nogil:
    """Of two neighbours, in the lane of both: no shuffle is needed to part even from odd columns."""
    cdef uint16_t both = two_bytes(two)
    return <uint16_t> ((both & 0xff) + (both >> 8))


cdef inline uint8_t mean_rounded_up(uint8_t a, uint8_t b) noexcept nogil:
    return <uint8_t> ((<uint16_t> a + <uint16_t> b + 1) >> 1)


cdef inline uint8_t mean_of_four(uint8_t a, uint8_t b, uint8_t c, uint8_t d) noexcept nogil:
    """Rounded half to even without leaving 8 bits, in which a register holds twice the lanes.

    With x and y the means of the pairs, rounded up, and z theirs, the total is 4 z less the bits rounded away,
    2 (x ^ y) + (a ^ b) + (c ^ d) in their last places: one too much where these are 3 or more, or 2 and z is odd.
    """
    cdef uint8_t x = mean_rounded_up(a, b), y = mean_rounded_up(c, d)
    cdef uint8_t z = mean_rounded_up(x, y)
    cdef uint8_t first = a ^ b, second = c ^ d, both = x ^ y
    return <uint8_t> (z - (((both & (first | second | z)) | (first & second & z)) & 1))


cdef void quad_bytes(
    uint8_t* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n, Py_ssize_t shift,
    Parameters* parameters,
) noexcept nogil:
    cdef uint16_t four
    cdef Py_ssize_t i
    if shift == 1:
        for i in range(skpool_quads_grey(SKPOOL_MEAN, out, upper, lower, n), n):
            four = <uint16_t> (sum_of_bytes(upper + 2 * i) + sum_of_bytes(lower + 2 * i))
            out[i] = <uint8_t> shifted_down(four, 2)
    else:
        for i in range(n):
            out[i] = mean_of_four(upper[i], lower[i], upper[i + shift], lower[i + shift])


cdef void quad_bytes_rgb(
    uint8_t* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n, Py_ssize_t shift,
    Parameters* parameters,
) noexcept nogil:
    """Of columns of three bytes, picked in the same pass."""
    cdef Py_ssize_t i, c
    for i in range(skpool_quads_rgb(SKPOOL_MEAN, out, upper, lower, n), n, 3):
        for c in range(i, i + 3):
            out[c] = mean_of_four(upper[i + c], lower[i + c], upper[i + c + 3], lower[i + c + 3])


cdef void quad_bytes_to(
    real* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    cdef real quarter = 0.25
    cdef Py_ssize_t i
    if shift == 1:
        for i in range(n):
            out[i] = <real> <int32_t> (sum_of_bytes(upper + 2 * i) + sum_of_bytes(lower + 2 * i)) * quarter
    else:
        for i in range(n):
            out[i] = <real> (
                (<int32_t> upper[i] + lower[i]) + (<int32_t> upper[i + shift] + lower[i + shift])
            ) * quarter


cdef void quad_real(
    real* out, const real* upper, const real* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    cdef real quarter = 0.25, value
    cdef float largest = LARGEST_FLOAT
    cdef int overflowed = 0
    cdef Py_ssize_t i
    if shift == 1:
        for i in range(n):
            value = ((upper[2 * i] + lower[2 * i]) + (upper[2 * i + 1] + lower[2 * i + 1])) * quarter
            out[i] = value
            if real is float:
                overflowed = overflowed | (fabsf(value) > largest)
    else:
        for i in range(n):
            value = ((upper[i] + lower[i]) + (upper[i + shift] + lower[i + shift])) * quarter
            out[i] = value
            if real is float:
                overflowed = overflowed | (fabsf(value) > largest)
    parameters.overflowed = parameters.overflowed or overflowed


ctypedef fused averaged:
    uint8_t
    float
    double


cdef inline averaged average_of_four(averaged a, averaged b, averaged c, averaged d) noexcept nogil:
    cdef averaged quarter
    if averaged is uint8_t:
        return mean_of_four(a, b, c, d)
    else:
        quarter = 0.25
        return ((a + b) + (c + d)) * quarter


cdef void quad_columns(
    averaged* out, const averaged* upper, const averaged* lower, Py_ssize_t n, Py_ssize_t shift,
    Parameters* parameters,
) noexcept nogil:
    """Of columns of `shift` elements, picked in the same pass."""
    cdef Py_ssize_t size = shift * sizeof(averaged), lanes = COLUMNS_WIDTH // sizeof(averaged), i = 0, e
    cdef skpool_order even = skpool_even_columns(size), odd = skpool_odd_columns(size)
    cdef averaged a[COLUMNS_WIDTH]
    cdef averaged b[COLUMNS_WIDTH]
    cdef averaged c[COLUMNS_WIDTH]
    cdef averaged d[COLUMNS_WIDTH]
    while i + lanes + shift <= n:
        skpool_take_columns(a, upper + 2 * i, even)
        skpool_take_columns(b, lower + 2 * i, even)
        skpool_take_columns(c, upper + 2 * i, odd)
        skpool_take_columns(d, lower + 2 * i, odd)
        for e in range(lanes):
            out[i + e] = average_of_four(a[e], b[e], c[e], d[e])
        i = i + lanes - lanes % shift
    while i < n:
        for e in range(i, i + shift):
            out[e] = average_of_four(upper[i + e], lower[i + e], upper[i + e + shift], lower[i + e + shift])
        i = i + shift
    if averaged is float:
        parameters.overflowed = parameters.overflowed or overflows(out, n)


cdef void quad_columns_to(
    real* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    """As `quad_columns`, of bytes: totals of two rows are picked."""
    cdef Py_ssize_t size = shift * sizeof(uint16_t), lanes = COLUMNS_WIDTH // sizeof(uint16_t), i = 0, e
    cdef skpool_order even = skpool_even_columns(size), odd = skpool_odd_columns(size)
    cdef uint16_t totals[COLUMNS_WIDTH]
    cdef uint16_t a[COLUMNS_WIDTH]
    cdef uint16_t b[COLUMNS_WIDTH]
    cdef real quarter = 0.25
    while i + lanes + shift <= n:
        for e in range(2 * lanes):
            totals[e] = <uint16_t> (upper[2 * i + e] + lower[2 * i + e])
        skpool_take_columns(a, totals, even)
        skpool_take_columns(b, totals, odd)
        for e in range(lanes):
            out[i + e] = <real> <int32_t> (a[e] + b[e]) * quarter
        i = i + lanes - lanes % shift
    while i < n:
        for e in range(i, i + shift):
            out[e] = <real> <int32_t> (
                (upper[i + e] + lower[i + e]) + (upper[i + e + shift] + lower[i + e + shift])
            ) * quarter
        i = i + shift


# --- the tables

cdef void add(dict kernels, str dtype, str state, const pixel* source, const total* example):
    kernels["sum", dtype, state] = kept(sum_kernel(source, example))


cdef void add_integer(dict kernels, str dtype, const pixel* source):
    if sizeof(pixel) == 1:
        add(kernels, dtype, "16 bits", source, <const uint16_t*> NULL)
    if sizeof(pixel) <= 2:
        add(kernels, dtype, "32 bits", source, <const uint32_t*> NULL)
    add(kernels, dtype, "64 bits", source, <const uint64_t*> NULL)


cdef void add_reading(dict finishes, str state, const reading* example):
    finishes["avg", state, "float32"] = <size_t> finish_average[float, reading]
    finishes["avg", state, "float64"] = <size_t> finish_average[double, reading]
    finishes["sum", state, "float32"] = <size_t> finish_sum[float, reading]
    finishes["sum", state, "float64"] = <size_t> finish_sum[double, reading]
    if reading not in real:
        finishes["sum", state, "int64"] = <size_t> finish_sum[int64_t, reading]
    if reading in word:
        finishes["sum", state, "uint64"] = <size_t> finish_sum[uint64_t, reading]


cdef void add_quad_columns(dict finishes, str dtype, const averaged* example):
    for channels in (3, 4):
        if parts_columns(channels * sizeof(averaged)):
            finishes["quad", "avg", dtype, dtype, channels] = <size_t> quad_columns[averaged]
        if averaged is not uint8_t and parts_columns(channels * sizeof(uint16_t)):
            finishes["quad", "avg", "uint8", dtype, channels] = <size_t> quad_columns_to[averaged]


def tables():
    """Addresses of kernels by (name, dtype of the rows, state), of finishes by (name, state, result)."""
    kernels, finishes = {}, {}
    add_integer(kernels, "uint8", <const uint8_t*> NULL)
    add_integer(kernels, "int8", <const int8_t*> NULL)
    add_integer(kernels, "uint16", <const uint16_t*> NULL)
    add_integer(kernels, "int16", <const int16_t*> NULL)
    add_integer(kernels, "uint32", <const uint32_t*> NULL)
    add_integer(kernels, "int32", <const int32_t*> NULL)
    add_integer(kernels, "uint64", <const uint64_t*> NULL)
    add_integer(kernels, "int64", <const int64_t*> NULL)
    add(kernels, "float32", "float32", <const float*> NULL, <const float*> NULL)
    add(kernels, "float32", "float64", <const float*> NULL, <const double*> NULL)
    add(kernels, "float64", "float64", <const double*> NULL, <const double*> NULL)
    kernels["sum", "uint64", "two words"] = kept(words_kernel(<const uint64_t*> NULL))
    kernels["sum", "int64", "two words"] = kept(words_kernel(<const int64_t*> NULL))
    add_reading(finishes, "unsigned 16 bits", <const uint16_t*> NULL)
    add_reading(finishes, "signed 16 bits", <const int16_t*> NULL)
    add_reading(finishes, "unsigned 32 bits", <const uint32_t*> NULL)
    add_reading(finishes, "signed 32 bits", <const int32_t*> NULL)
    add_reading(finishes, "unsigned 64 bits", <const uint64_t*> NULL)
    add_reading(finishes, "signed 64 bits", <const int64_t*> NULL)
    add_reading(finishes, "float32", <const float*> NULL)
    add_reading(finishes, "float64", <const double*> NULL)
    finishes["quad", "avg", "uint8", "uint8"] = <size_t> quad_bytes
    if SKPOOL_HAS_RGB:
        finishes["quad", "avg", "uint8", "uint8", 3] = <size_t> quad_bytes_rgb
    finishes["quad", "avg", "uint8", "float32"] = <size_t> quad_bytes_to[float]
    finishes["quad", "avg", "uint8", "float64"] = <size_t> quad_bytes_to[double]
    finishes["quad", "avg", "float32", "float32"] = <size_t> quad_real[float]
    finishes["quad", "avg", "float64", "float64"] = <size_t> quad_real[double]
    add_quad_columns(finishes, "uint8", <const uint8_t*> NULL)
    add_quad_columns(finishes, "float32", <const float*> NULL)
    add_quad_columns(finishes, "float64", <const double*> NULL)
    finishes["avg", "unsigned two words", "float64"] = <size_t> finish_words[uint64_t]
    finishes["avg", "signed two words", "float64"] = <size_t> finish_words[int64_t]
    finishes["avg", "unsigned 16 bits", "uint8"] = <size_t> finish_rounded[uint8_t, uint16_t]
    finishes["avg", "signed 16 bits", "int8"] = <size_t> finish_rounded[int8_t, int16_t]
    finishes["avg", "unsigned 32 bits", "uint8"] = <size_t> finish_rounded[uint8_t, uint32_t]
    finishes["avg", "signed 32 bits", "int8"] = <size_t> finish_rounded[int8_t, int32_t]
    finishes["avg", "unsigned 32 bits", "uint16"] = <size_t> finish_rounded[uint16_t, uint32_t]
    finishes["avg", "signed 32 bits", "int16"] = <size_t> finish_rounded[int16_t, int32_t]
    finishes["avg", "unsigned 64 bits", "uint64"] = <size_t> finish_exact[uint64_t]
    finishes["avg", "signed 64 bits", "int64"] = <size_t> finish_exact[int64_t]
    finishes["avg", "unsigned two words", "uint64"] = <size_t> finish_exact_words[uint64_t]
    finishes["avg", "signed two words", "int64"] = <size_t> finish_exact_words[int64_t]
    return kernels, finishes
