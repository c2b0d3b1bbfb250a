"""Row functions of reductions that map each sample to a state of float64 numbers: powers, exponentials, moments.

Design: float64 whatever the pixels are. Squares of float32 then never overflow, products of small integers are exact,
and the result is rounded once; with float32 states windows of bright pixels lost four digits of their variance. Each
sample is mapped once: states are kept while windows pass over their row; but of rows that count wholly eight are folded
at a time, by the same operations in the same order: squares and moments as they are read, powers and exponentials piece
by piece, so that what is between stays in the nearest cache. What samples of 8 bits are mapped to is looked up, in a
table of the same bits. There is one family of functions per shape of state: sums of powers (one plane), exponentials
(top, then sums relative to it), moments (count, mean, squares, and what the mean lacks).
"""
from libc.math cimport INFINITY, NAN, fabs, fma, sqrt
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels cimport totals
from skpool.kernels.elementary cimport exp_nonpositive64, log64, pow64
from skpool.kernels.pixels cimport pixel, real
from skpool.kernels.table cimport (
    Kernel, Parameters, chain_t, empty_kernel, fold_t, gather_t, identity_t, kept, merge_t, pair_t,
)


cdef extern from * nogil:
    """
    /* Chains of states are too many rows for run-time overlap checks. */
    typedef double *__restrict skpool_apart;
    """
    ctypedef double* apart "skpool_apart"


cdef enum:
    PIECE = 128     # elements of a row that are mapped at a time: eight rows of them stay in the nearest cache


cdef void blank_invalid(double* plane, const uint8_t* valid, double value, Py_ssize_t n) noexcept nogil:
    """`value` where a sample does not count."""
    cdef Py_ssize_t i
    if valid == NULL:
        return
    for i in range(n):
        plane[i] = plane[i] if valid[i] else value


cdef void fill(double* plane, double value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        plane[i] = value


# --- sums of powers: one plane

cdef void raise_to(double* values, double p, Py_ssize_t n) noexcept nogil:
    """Powers of numbers that are not negative.

    Small multiples of 1/2 are products, exact for small integers if they are whole: p = 2.5 takes a sixteenth of the
    time of `pow64`.
    """
    cdef Py_ssize_t i
    if p == 0.5:
        for i in range(n):
            values[i] = sqrt(values[i])
    elif p == 1:
        return
    elif p == 1.5:
        for i in range(n):
            values[i] = values[i] * sqrt(values[i])
    elif p == 2:
        for i in range(n):
            values[i] = values[i] * values[i]
    elif p == 2.5:
        for i in range(n):
            values[i] = values[i] * values[i] * sqrt(values[i])
    elif p == 3:
        for i in range(n):
            values[i] = values[i] * values[i] * values[i]
    elif p == 3.5:
        for i in range(n):
            values[i] = values[i] * values[i] * values[i] * sqrt(values[i])
    elif p == 4:
        for i in range(n):
            values[i] = (values[i] * values[i]) * (values[i] * values[i])
    else:
        for i in range(n):
            values[i] = pow64(values[i], p)


cdef void root(double* values, double p, Py_ssize_t n) noexcept nogil:
    cdef double exponent, rest, usual
    cdef Py_ssize_t i
    if p == 1:
        return
    if p == 2:
        for i in range(n):
            values[i] = sqrt(values[i])
    elif p == 4:
        for i in range(n):
            values[i] = sqrt(sqrt(values[i]))
    else:
        # 1 / p as rounded misses by `rest`; what that makes of a power is known to first order.
        exponent = 1.0 / p
        rest = fma(-p, exponent, 1.0) / p
        for i in range(n):
            usual = values[i] if (values[i] > 1e-300) & (values[i] < 1e300) else 1.0
            values[i] = pow64(values[i], exponent) * (1.0 + rest * log64(usual))


cdef void gather_power(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* row = rows[0]
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = fabs(<double> row[i])
    raise_to(state, parameters.first, n)
    blank_invalid(state, valid[0], 0, n)


cdef void gather_generalised(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* row = rows[0]
    cdef double least = parameters.second
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = least if <double> row[i] < least else <double> row[i]
    raise_to(state, parameters.first, n)
    blank_invalid(state, valid[0], 0, n)


cdef enum Term:     # what is added for a sample
    AS_IT_IS
    SQUARED
    LOOKED_UP


cdef inline double term_of(pixel sample, Term term, const double* table) noexcept nogil:
    cdef double size
    if term == LOOKED_UP:
        return table[<uint8_t> sample]
    size = <double> sample
    return size * size if term == SQUARED else size


cdef inline void add_rows(
    double* state, const pixel** rows, Py_ssize_t count, Py_ssize_t n, Term term, const double* table,
) noexcept nogil:
    """A new state of `count` rows; `term` is a constant of every call.

    The loops that look up do not vectorise, for the table may lie anywhere, and must not: gathers of AVX-512 take 1.8
    times as long as loads one by one.
    """
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[1] if count > 1 else a
    cdef const pixel* c = rows[2] if count > 2 else a
    cdef const pixel* d = rows[3] if count > 3 else a
    cdef const pixel* e
    cdef const pixel* f
    cdef const pixel* g
    cdef const pixel* h
    cdef Py_ssize_t i
    if count == 1:
        for i in range(n):
            state[i] = term_of(a[i], term, table)
    elif count == 2:
        for i in range(n):
            state[i] = term_of(a[i], term, table) + term_of(b[i], term, table)
    elif count == 3:
        for i in range(n):
            state[i] = (term_of(a[i], term, table) + term_of(b[i], term, table)) + term_of(c[i], term, table)
    elif count == 4:
        for i in range(n):
            state[i] = (
                (term_of(a[i], term, table) + term_of(b[i], term, table))
                + (term_of(c[i], term, table) + term_of(d[i], term, table))
            )
    else:
        e = rows[4]
        f = rows[5]
        g = rows[6]
        h = rows[7]
        for i in range(n):
            state[i] = (
                (
                    (term_of(a[i], term, table) + term_of(b[i], term, table))
                    + (term_of(c[i], term, table) + term_of(d[i], term, table))
                ) + (
                    (term_of(e[i], term, table) + term_of(f[i], term, table))
                    + (term_of(g[i], term, table) + term_of(h[i], term, table))
                )
            )


cdef inline void add_powers(
    double* state, const pixel** rows, Py_ssize_t count, Py_ssize_t n, const Parameters* parameters, bint generalised,
) noexcept nogil:
    """Powers of magnitudes, or, `generalised`, of what is at least `second`; that is a constant of every call."""
    cdef double powers[8][PIECE]
    cdef const double* pieces[8]
    cdef double least = parameters.second
    cdef const pixel* row
    cdef Py_ssize_t first = 0, now, r, i
    if parameters.weights != NULL and sizeof(pixel) == 1:
        add_rows(state, rows, count, n, LOOKED_UP, parameters.weights)
        return
    while first < n:
        now = min(PIECE, n - first)
        for r in range(count):
            row = rows[r] + first
            if generalised:
                for i in range(now):
                    powers[r][i] = least if <double> row[i] < least else <double> row[i]
            else:
                for i in range(now):
                    powers[r][i] = fabs(<double> row[i])
            raise_to(powers[r], parameters.first, now)
            pieces[r] = powers[r]
        add_rows(state + first, pieces, count, now, AS_IT_IS, NULL)
        first = first + now


cdef void gather_whole_power(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    add_powers(state, rows, count, n, parameters, False)


cdef void gather_whole_generalised(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    add_powers(state, rows, count, n, parameters, True)


cdef void gather_squares(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    """Of rows of which every sample counts."""
    add_rows(state, rows, count, n, SQUARED, NULL)


cdef void identity_power(double* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters) noexcept nogil:
    fill(state, 0, n)


cdef void finish_lp(
    real* out, double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    root(state, parameters.first, n)
    for i in range(n):
        out[i] = <real> state[i]


cdef void finish_power_mean(
    real* out, double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    if counts == NULL:
        for i in range(n):
            state[i] = state[i] / count
    else:
        for i in range(n):
            state[i] = state[i] / counts[i]
    finish_lp(out, state, counts, count, n, pitch, parameters)


# --- the largest magnitude: what a power mean tends to

cdef inline double larger(double a, double b) noexcept nogil:
    return a if (a >= b) | (a != a) else b


cdef void gather_magnitude(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* row = rows[0]
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = fabs(<double> row[i])
    blank_invalid(state, valid[0], 0, n)


cdef void merge_magnitude(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = larger(earlier[i], later[i])


cdef void fold_magnitude(
    double* state, const double* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = larger(state[i], later[i])


# --- exponentials: the largest exponent (top), the sum of exp(z - top), and for `soft` the sum of x exp(z - top)
#
# Of two states the lower is scaled by exp(lower top - higher top): one exponential for each join, none above 1.

cdef struct LogSumExp:
    char unused

cdef struct Soft:
    char unused

# Stands where other reductions have their `Parameters`; never read.
ctypedef fused exponential:
    LogSumExp
    Soft

cdef struct Exponentials:
    double top
    double sum
    double values


cdef inline double drop(double a, double b) noexcept nogil:
    """How far the lower of two tops lies below the higher: 0 for equal ones, infinite or not."""
    return 0.0 if a == b else -fabs(a - b)


cdef inline double weighed(double value, double weight) noexcept nogil:
    """A weight of zero counts for nothing, not even against an infinity."""
    return 0.0 if weight == 0 else value * weight


cdef inline Exponentials blended(Exponentials earlier, Exponentials later) noexcept nogil:
    """What needs no values has 0 for them, and the compiler leaves them out."""
    cdef Exponentials both
    cdef double scale = exp_nonpositive64(drop(earlier.top, later.top))
    cdef double higher_sum = earlier.sum if earlier.top >= later.top else later.sum
    cdef double lower_sum = later.sum if earlier.top >= later.top else earlier.sum
    cdef double higher_values = earlier.values if earlier.top >= later.top else later.values
    cdef double lower_values = later.values if earlier.top >= later.top else earlier.values
    both.top = larger(earlier.top, later.top)
    both.sum = higher_sum + lower_sum * scale
    both.values = higher_values + weighed(lower_values, scale)
    return both


cdef inline Exponentials exponentials_at(const double* state, Py_ssize_t i, Py_ssize_t pitch, bint soft) noexcept nogil:
    """`soft` is a constant of every call, as below."""
    cdef Exponentials exponentials
    exponentials.top = state[i]
    exponentials.sum = state[pitch + i]
    exponentials.values = state[2 * pitch + i] if soft else 0
    return exponentials


cdef inline void set_exponentials(
    double* state, Py_ssize_t i, Py_ssize_t pitch, Exponentials what, bint soft,
) noexcept nogil:
    state[i] = what.top
    state[pitch + i] = what.sum
    if soft:
        state[2 * pitch + i] = what.values


cdef inline void blend(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t step, Py_ssize_t pitch,
    Py_ssize_t source_pitch, bint soft,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        set_exponentials(state, i, pitch, blended(
            exponentials_at(earlier, step * i, source_pitch, soft),
            exponentials_at(later, step * i, source_pitch, soft),
        ), soft)


cdef inline Exponentials one_at(const double* exponents, const double* values, Py_ssize_t i) noexcept nogil:
    cdef Exponentials exponentials
    exponentials.top = exponents[i]
    exponentials.sum = 1
    exponentials.values = values[i]
    return exponentials


cdef inline Exponentials two_at(const double* exponents, const double* values, Py_ssize_t i) noexcept nogil:
    return blended(one_at(exponents, values, i), one_at(exponents, values, PIECE + i))


cdef inline void blend_rows(
    double* state, const double* exponents, const double* values, Py_ssize_t count, Py_ssize_t n, Py_ssize_t pitch,
    bint soft,
) noexcept nogil:
    """A new state of `count` rows of a piece."""
    cdef double nodes[4][3 * PIECE]
    cdef Py_ssize_t r, i
    if count == 1:
        for i in range(n):
            set_exponentials(state, i, pitch, one_at(exponents, values, i), soft)
        return
    if count == 2:
        for i in range(n):
            set_exponentials(state, i, pitch, two_at(exponents, values, i), soft)
        return
    if count == 3:
        for i in range(n):
            set_exponentials(state, i, pitch, blended(
                two_at(exponents, values, i), one_at(exponents, values, 2 * PIECE + i),
            ), soft)
        return
    # One join a loop: of three or seven, without AVX2, gcc makes branches.
    for r in range(count // 2):
        for i in range(n):
            set_exponentials(nodes[r], i, PIECE, two_at(exponents, values, 2 * r * PIECE + i), soft)
    if count == 8:
        blend(nodes[0], nodes[0], nodes[1], n, 1, PIECE, PIECE, soft)
        blend(nodes[1], nodes[2], nodes[3], n, 1, PIECE, PIECE, soft)
    blend(state, nodes[0], nodes[1], n, 1, pitch, PIECE, soft)


cdef void look_up(double* numbers, const uint8_t* places, const double* table, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        numbers[i] = table[places[i]]


cdef inline double share(int16_t a, int16_t b, double of_a, double of_b, double scale) noexcept nogil:
    """What belongs to the higher of two samples, and a share of what belongs to the lower one."""
    cdef double higher = of_a if a >= b else of_b
    cdef double lower = of_b if a >= b else of_a
    return higher + lower * scale


cdef inline void blend_by_table(
    double* state, const pixel** rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t pitch, const double* table,
    double factor, bint soft,
) noexcept nogil:
    """As `blend_rows`, of eight rows of samples of 8 bits: `table` has exponentials by how far two samples are apart.

    A sample x has the exponent factor * x. Joins are numbered as in a heap: r joins nodes 2 r and 2 r + 1 into 8 + r.
    """
    cdef int16_t keys[15][PIECE]
    cdef double scales[7][PIECE]
    cdef uint8_t drops[PIECE]
    cdef const pixel* row
    cdef int16_t sign = 1 if factor > 0 else -1
    cdef double a, b, c, d
    cdef Py_ssize_t r, i
    for r in range(8):
        row = rows[r] + first
        for i in range(n):
            keys[r][i] = sign * <int16_t> row[i]
    for r in range(7):
        for i in range(n):
            keys[8 + r][i] = max(keys[2 * r][i], keys[2 * r + 1][i])
            drops[i] = <uint8_t> (keys[8 + r][i] - min(keys[2 * r][i], keys[2 * r + 1][i]))
        look_up(scales[r], drops, table, n)
    for i in range(n):
        state[i] = fabs(factor) * keys[14][i]
        a = share(keys[8][i], keys[9][i], 1 + scales[0][i], 1 + scales[1][i], scales[4][i])
        b = share(keys[10][i], keys[11][i], 1 + scales[2][i], 1 + scales[3][i], scales[5][i])
        state[pitch + i] = share(keys[12][i], keys[13][i], a, b, scales[6][i])
    if not soft:
        return
    for i in range(n):
        a = share(keys[0][i], keys[1][i], keys[0][i], keys[1][i], scales[0][i])
        b = share(keys[2][i], keys[3][i], keys[2][i], keys[3][i], scales[1][i])
        c = share(keys[4][i], keys[5][i], keys[4][i], keys[5][i], scales[2][i])
        d = share(keys[6][i], keys[7][i], keys[6][i], keys[7][i], scales[3][i])
        a = share(keys[8][i], keys[9][i], a, b, scales[4][i])
        c = share(keys[10][i], keys[11][i], c, d, scales[5][i])
        state[2 * pitch + i] = 0.0 + sign * share(keys[12][i], keys[13][i], a, c, scales[6][i])


cdef void gather_exponential(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* row = rows[0]
    cdef double sharpness = parameters.first
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = sharpness * <double> row[i]
    fill(state + pitch, 1, n)
    blank_invalid(state, valid[0], -INFINITY, n)
    blank_invalid(state + pitch, valid[0], 0, n)


cdef void gather_whole_exponential(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef double exponents[8 * PIECE]
    cdef double sharpness = parameters.first
    cdef const pixel* row
    cdef Py_ssize_t first = 0, now, r, i
    while first < n:
        now = min(PIECE, n - first)
        if parameters.weights != NULL and sizeof(pixel) == 1 and count == 8:
            blend_by_table(state + first, rows, first, now, pitch, parameters.weights, sharpness, False)
        else:
            for r in range(count):
                row = rows[r] + first
                for i in range(now):
                    exponents[r * PIECE + i] = sharpness * <double> row[i]
            blend_rows(state + first, exponents, exponents, count, now, pitch, False)
        first = first + now


cdef void merge_exponential(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const exponential* which,
) noexcept nogil:
    blend(state, earlier, later, n, 1, pitch, pitch, exponential is Soft)


cdef void fold_exponential(
    double* state, const double* later, Py_ssize_t n, Py_ssize_t pitch, const exponential* which,
) noexcept nogil:
    blend(state, state, later, n, 1, pitch, pitch, exponential is Soft)


cdef void pair_exponential(
    double* state, const double* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const exponential* which,
) noexcept nogil:
    blend(state, source, source + 1, n, 2, pitch, pitch, exponential is Soft)


cdef void identity_exponential(double* state, Py_ssize_t n, Py_ssize_t pitch, const exponential* which) noexcept nogil:
    fill(state, -INFINITY, n)
    fill(state + pitch, 0, n)
    if exponential is Soft:
        fill(state + 2 * pitch, 0, n)


cdef void finish_logsumexp(
    real* out, const double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef double sharpness = parameters.first
    cdef Py_ssize_t i
    if counts == NULL:
        for i in range(n):
            out[i] = <real> ((state[i] + log64(state[pitch + i] / count)) / sharpness)
    else:
        for i in range(n):
            out[i] = <real> ((state[i] + log64(state[pitch + i] / counts[i])) / sharpness)


cdef void gather_soft(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* row = rows[0]
    cdef double* values = state + 2 * pitch
    cdef double temperature = parameters.first
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = <double> row[i] / temperature
        values[i] = <double> row[i]
    fill(state + pitch, 1, n)
    blank_invalid(state, valid[0], -INFINITY, n)
    blank_invalid(state + pitch, valid[0], 0, n)
    blank_invalid(values, valid[0], 0, n)


cdef void gather_whole_soft(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef double values[8 * PIECE]
    cdef double quotients[8 * PIECE]
    cdef double temperature = parameters.first
    cdef const double* exponents = &values[0] if temperature == 1 else &quotients[0]
    cdef const pixel* row
    cdef Py_ssize_t first = 0, now, r, i
    while first < n:
        now = min(PIECE, n - first)
        if parameters.weights != NULL and sizeof(pixel) == 1 and count == 8:
            blend_by_table(state + first, rows, first, now, pitch, parameters.weights, 1 / temperature, True)
        else:
            for r in range(count):
                row = rows[r] + first
                for i in range(now):
                    values[r * PIECE + i] = <double> row[i]
                if temperature != 1:
                    for i in range(now):
                        quotients[r * PIECE + i] = values[r * PIECE + i] / temperature
            blend_rows(state + first, exponents, values, count, now, pitch, True)
        first = first + now


cdef void finish_soft(
    real* out, const double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = <real> (state[2 * pitch + i] / state[pitch + i])


# --- moments: count, mean, sum of squared deviations, what the mean lacks; joined by Chan's formula
#
# A mean rounded to one word would spoil deviations that are small beside it: 1e-10 of their size where the mean is a
# million times it.

cdef void gather_moments(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef const pixel* row = rows[0]
    cdef double* means = state + pitch
    cdef Py_ssize_t i
    fill(state, 1, n)
    for i in range(n):
        means[i] = <double> row[i]
        # An infinity has no deviation from itself: NaN, as in a window of more samples.
        state[2 * pitch + i] = (<double> row[i] - <double> row[i])
    blank_invalid(state, valid[0], 0, n)
    blank_invalid(means, valid[0], 0, n)
    blank_invalid(state + 2 * pitch, valid[0], 0, n)
    fill(state + 3 * pitch, 0, n)


cdef struct Moments:
    double count
    double mean
    double squares
    double rest


cdef inline Moments of_sample(double sample) noexcept nogil:
    cdef Moments moments
    moments.count = 1
    moments.mean = sample
    moments.squares = sample - sample
    moments.rest = 0
    return moments


cdef inline Moments moments_at(const double* state, Py_ssize_t i, Py_ssize_t pitch) noexcept nogil:
    cdef Moments moments
    moments.count = state[i]
    moments.mean = state[pitch + i]
    moments.squares = state[2 * pitch + i]
    moments.rest = state[3 * pitch + i]
    return moments


cdef inline Moments joined(Moments earlier, Moments later) noexcept nogil:
    cdef Moments both
    cdef double count = earlier.count + later.count
    cdef double share = later.count / (count if count > 1 else 1.0)
    cdef double deviation = (later.mean - earlier.mean) + (later.rest - earlier.rest)
    cdef double change = deviation * share
    cdef double mean = earlier.mean + change
    cdef double taken = mean - earlier.mean                # Knuth's sum: what rounding left of both terms
    both.count = count
    both.mean = mean
    both.squares = (earlier.squares + later.squares) + (deviation * deviation) * (earlier.count * share)
    both.rest = earlier.rest + ((earlier.mean - (mean - taken)) + (change - taken))
    return both


cdef inline void set_moments(double* state, Py_ssize_t i, Py_ssize_t pitch, Moments moments) noexcept nogil:
    state[i] = moments.count
    state[pitch + i] = moments.mean
    state[2 * pitch + i] = moments.squares
    state[3 * pitch + i] = moments.rest


cdef inline Moments of_two(double a, double b) noexcept nogil:
    return joined(of_sample(a), of_sample(b))


cdef inline Moments of_four(double a, double b, double c, double d) noexcept nogil:
    return joined(of_two(a, b), of_two(c, d))


cdef void gather_whole_moments(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    """Of rows of which every sample counts: how many do is known beforehand."""
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[1] if count > 1 else a
    cdef const pixel* c = rows[2] if count > 2 else a
    cdef const pixel* d = rows[3] if count > 3 else a
    cdef const pixel* e
    cdef const pixel* f
    cdef const pixel* g
    cdef const pixel* h
    cdef Py_ssize_t i
    if count == 1:
        for i in range(n):
            set_moments(state, i, pitch, of_sample(<double> a[i]))
    elif count == 2:
        for i in range(n):
            set_moments(state, i, pitch, of_two(<double> a[i], <double> b[i]))
    elif count == 3:
        for i in range(n):
            set_moments(state, i, pitch, joined(of_two(<double> a[i], <double> b[i]), of_sample(<double> c[i])))
    elif count == 4:
        for i in range(n):
            set_moments(state, i, pitch, of_four(<double> a[i], <double> b[i], <double> c[i], <double> d[i]))
    else:
        e = rows[4]
        f = rows[5]
        g = rows[6]
        h = rows[7]
        for i in range(n):
            set_moments(state, i, pitch, joined(
                of_four(<double> a[i], <double> b[i], <double> c[i], <double> d[i]),
                of_four(<double> e[i], <double> f[i], <double> g[i], <double> h[i]),
            ))


cdef void merge_moments(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        set_moments(state, i, pitch, joined(moments_at(earlier, i, pitch), moments_at(later, i, pitch)))


cdef void chain_moments(
    apart state, const double** states, Py_ssize_t count, Py_ssize_t n, Py_ssize_t pitch,
    const Parameters* parameters,
) noexcept nogil:
    cdef const double* a = states[0]
    cdef const double* b = states[1]
    cdef const double* c = states[2]
    cdef const double* d = states[3] if count > 3 else a
    cdef const double* e = states[4] if count > 4 else a
    cdef const double* f = states[5] if count > 5 else a
    cdef Moments moments
    cdef Py_ssize_t i
    if count == 3:
        for i in range(n):
            moments = joined(moments_at(b, i, pitch), moments_at(c, i, pitch))
            set_moments(state, i, pitch, joined(moments_at(a, i, pitch), moments))
    elif count == 4:
        for i in range(n):
            moments = joined(moments_at(c, i, pitch), moments_at(d, i, pitch))
            moments = joined(moments_at(b, i, pitch), moments)
            set_moments(state, i, pitch, joined(moments_at(a, i, pitch), moments))
    elif count == 5:
        for i in range(n):
            moments = joined(moments_at(d, i, pitch), moments_at(e, i, pitch))
            moments = joined(moments_at(c, i, pitch), moments)
            moments = joined(moments_at(b, i, pitch), moments)
            set_moments(state, i, pitch, joined(moments_at(a, i, pitch), moments))
    else:
        for i in range(n):
            moments = joined(moments_at(e, i, pitch), moments_at(f, i, pitch))
            moments = joined(moments_at(d, i, pitch), moments)
            moments = joined(moments_at(c, i, pitch), moments)
            moments = joined(moments_at(b, i, pitch), moments)
            set_moments(state, i, pitch, joined(moments_at(a, i, pitch), moments))


cdef void fold_moments(
    double* state, const double* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    merge_moments(state, state, later, n, pitch, 0, parameters)


cdef void pair_moments(
    double* state, const double* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        set_moments(state, i, pitch, joined(moments_at(source, 2 * i, pitch), moments_at(source, 2 * i + 1, pitch)))


cdef void triple_moments(
    double* state, const double* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        set_moments(state, i, pitch, joined(
            joined(moments_at(source, 2 * i, pitch), moments_at(source, 2 * i + 1, pitch)),
            moments_at(source, 2 * i + 2, pitch),
        ))


cdef void identity_moments(double* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters) noexcept nogil:
    fill(state, 0, n)
    fill(state + pitch, 0, n)
    fill(state + 2 * pitch, 0, n)
    fill(state + 3 * pitch, 0, n)


cdef void finish_variance(
    real* out, const double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef double ddof = parameters.first, freedom
    cdef Py_ssize_t i
    for i in range(n):
        freedom = state[i] - ddof
        out[i] = <real> (state[2 * pitch + i] / (freedom if freedom > 0 else NAN))


cdef void finish_deviation(
    real* out, const double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef double ddof = parameters.first, freedom
    cdef Py_ssize_t i
    for i in range(n):
        freedom = state[i] - ddof
        out[i] = <real> sqrt(state[2 * pitch + i] / (freedom if freedom > 0 else NAN))


# --- windows of 2 x 2, as above but without states between

ctypedef double (*quad_value_t)(double a, double b, double c, double d, double ddof) noexcept nogil


cdef inline double norm_of_four(double a, double b, double c, double d, double _) noexcept nogil:
    return sqrt((a * a + b * b) + (c * c + d * d))


cdef inline double variance_of_four(double a, double b, double c, double d, double ddof) noexcept nogil:
    """Of columns (a, b) and (c, d), as `merge_moments` merges them."""
    cdef double left = b - a, right = d - c, left_change = left * 0.5, right_change = right * 0.5
    cdef double left_mean = a + left_change, right_mean = c + right_change
    cdef double left_taken = left_mean - a, right_taken = right_mean - c
    cdef double left_rest = (a - (left_mean - left_taken)) + (left_change - left_taken)
    cdef double right_rest = (c - (right_mean - right_taken)) + (right_change - right_taken)
    cdef double deviation = (right_mean - left_mean) + (right_rest - left_rest)
    cdef double left_squares = ((a - a) + (b - b)) + (left * left) * 0.5
    cdef double right_squares = ((c - c) + (d - d)) + (right * right) * 0.5
    cdef double freedom = 4 - ddof
    return ((left_squares + right_squares) + deviation * deviation) / (freedom if freedom > 0 else NAN)


cdef inline double deviation_of_four(double a, double b, double c, double d, double ddof) noexcept nogil:
    return sqrt(variance_of_four(a, b, c, d, ddof))


cdef inline void quad_by(
    real* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, double ddof,
    quad_value_t value,
) noexcept nogil:
    """`value` is a constant of every call."""
    cdef Py_ssize_t i
    if shift == 1:
        for i in range(n):
            out[i] = <real> value(
                <double> upper[2 * i], <double> lower[2 * i],
                <double> upper[2 * i + 1], <double> lower[2 * i + 1], ddof,
            )
    else:
        for i in range(n):
            out[i] = <real> value(
                <double> upper[i], <double> lower[i], <double> upper[i + shift], <double> lower[i + shift], ddof,
            )


cdef void quad_norm(
    real* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    quad_by(out, upper, lower, n, shift, 0, norm_of_four)


cdef void quad_variance(
    real* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    quad_by(out, upper, lower, n, shift, parameters.first, variance_of_four)


cdef void quad_deviation(
    real* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    quad_by(out, upper, lower, n, shift, parameters.first, deviation_of_four)


# --- the tables

cdef Kernel mapped(Py_ssize_t planes, void* gather, void* merge, void* fold, void* pair, void* identity) noexcept:
    cdef Kernel kernel = empty_kernel(sizeof(double), planes, 1)
    kernel.weighs_validity = True
    kernel.gather = <gather_t> gather
    kernel.merge = <merge_t> merge
    kernel.fold = <fold_t> fold
    kernel.pair = <pair_t> pair
    kernel.identity = <identity_t> identity
    return kernel


cdef void add_quads(dict finishes, str dtype, str result, const pixel* example, const real* number):
    finishes["quad", "lp", dtype, result] = <size_t> quad_norm[real, pixel]
    finishes["quad", "var", dtype, result] = <size_t> quad_variance[real, pixel]
    finishes["quad", "std", dtype, result] = <size_t> quad_deviation[real, pixel]


cdef void add_kernel(dict kernels, tuple names, str dtype, Kernel kernel, void* gather_whole):
    """A kernel, and that which takes eight rows at once of which every sample counts."""
    cdef size_t any_rows = kept(kernel), whole
    kernel.gather = <gather_t> gather_whole
    kernel.block = 8
    whole = kept(kernel)
    for name in names:
        kernels[name, dtype], kernels["whole", name, dtype] = any_rows, whole


cdef void add_pixel(dict kernels, dict finishes, str dtype, const pixel* example):
    if pixel is float:
        add_quads(finishes, dtype, "float32", example, <const float*> NULL)
    else:
        add_quads(finishes, dtype, "float64", example, <const double*> NULL)
    cdef Kernel powers = mapped(
        1, <void*> gather_power[pixel], <void*> totals.merge[double], <void*> totals.fold[double],
        <void*> totals.pair[double], <void*> identity_power,
    )
    powers.triple = <pair_t> totals.triple[double]
    add_kernel(kernels, ("lp", "power_mean"), dtype, powers, <void*> gather_whole_power[pixel])
    add_kernel(kernels, ("squares",), dtype, powers, <void*> gather_squares[pixel])
    powers.gather = <gather_t> gather_generalised[pixel]
    add_kernel(kernels, ("gem",), dtype, powers, <void*> gather_whole_generalised[pixel])
    kernels["largest_magnitude", dtype] = kept(mapped(
        1, <void*> gather_magnitude[pixel], <void*> merge_magnitude, <void*> fold_magnitude, NULL,
        <void*> identity_power,
    ))
    add_kernel(kernels, ("logsumexp",), dtype, mapped(
        2, <void*> gather_exponential[pixel], <void*> merge_exponential[LogSumExp],
        <void*> fold_exponential[LogSumExp], <void*> pair_exponential[LogSumExp],
        <void*> identity_exponential[LogSumExp],
    ), <void*> gather_whole_exponential[pixel])
    add_kernel(kernels, ("soft",), dtype, mapped(
        3, <void*> gather_soft[pixel], <void*> merge_exponential[Soft], <void*> fold_exponential[Soft],
        <void*> pair_exponential[Soft], <void*> identity_exponential[Soft],
    ), <void*> gather_whole_soft[pixel])
    cdef Kernel moments = mapped(
        4, <void*> gather_moments[pixel], <void*> merge_moments, <void*> fold_moments, <void*> pair_moments,
        <void*> identity_moments,
    )
    moments.triple = <pair_t> triple_moments
    moments.chain = <chain_t> chain_moments
    add_kernel(kernels, ("var",), dtype, moments, <void*> gather_whole_moments[pixel])


cdef void add_real(dict finishes, str dtype, const real* example):
    finishes["lp", dtype] = <size_t> finish_lp[real]
    finishes["power_mean", dtype] = finishes["gem", dtype] = <size_t> finish_power_mean[real]
    finishes["largest_magnitude", dtype] = <size_t> totals.finish_sum[real, double]
    finishes["logsumexp", dtype] = <size_t> finish_logsumexp[real]
    finishes["soft", dtype] = <size_t> finish_soft[real]
    finishes["var", dtype] = <size_t> finish_variance[real]
    finishes["std", dtype] = <size_t> finish_deviation[real]


def raise_all(double[::1] numbers, double p):
    """Raise numbers that are not negative, where they lie."""
    raise_to(&numbers[0], p, numbers.shape[0])


def exponentials(double[::1] numbers):
    """Put the exponentials of numbers that are not positive in their place."""
    cdef Py_ssize_t i
    for i in range(numbers.shape[0]):
        numbers[i] = exp_nonpositive64(numbers[i])


def tables():
    """Addresses of kernels by (name, dtype of the rows), of finishes by (name, result).

    A kernel by ("whole", name, dtype) is for rows of which every sample counts.
    """
    kernels, finishes = {}, {}
    add_pixel(kernels, finishes, "uint8", <const uint8_t*> NULL)
    add_pixel(kernels, finishes, "int8", <const int8_t*> NULL)
    add_pixel(kernels, finishes, "uint16", <const uint16_t*> NULL)
    add_pixel(kernels, finishes, "int16", <const int16_t*> NULL)
    add_pixel(kernels, finishes, "uint32", <const uint32_t*> NULL)
    add_pixel(kernels, finishes, "int32", <const int32_t*> NULL)
    add_pixel(kernels, finishes, "uint64", <const uint64_t*> NULL)
    add_pixel(kernels, finishes, "int64", <const int64_t*> NULL)
    add_pixel(kernels, finishes, "float32", <const float*> NULL)
    add_pixel(kernels, finishes, "float64", <const double*> NULL)
    add_real(finishes, "float32", <const float*> NULL)
    add_real(finishes, "float64", <const double*> NULL)
    return kernels, finishes
