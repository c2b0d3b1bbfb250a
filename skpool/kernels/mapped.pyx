"""Row functions of reductions that map each sample to a state of float64 numbers: powers, exponentials, moments.

Design: float64 whatever the pixels are. Squares of float32 then never overflow, products of small integers are exact,
and the result is rounded once; with float32 states windows of bright pixels lost four digits of their variance. Each
sample is mapped once: states are kept while windows pass over their row; but squares and moments of rows that count
wholly are made in registers, eight rows at a time, by the same operations in the same order. There is one family of
functions per shape of state: sums of powers (one plane), exponentials (top, then sums relative to it), moments (count,
mean, squares, and what the mean lacks).
"""
from libc.math cimport INFINITY, NAN, fabs, fma, sqrt
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.elementary cimport exp_nonpositive64, log64, pow64
from skpool.kernels.pixels cimport pixel, real
from skpool.kernels.table cimport (
    Kernel, Parameters, chain_t, fold_t, gather_t, identity_t, kept, merge_t, pair_t,
)


cdef extern from * nogil:
    """
    /* Chains of states are too many rows for run-time overlap checks. */
    typedef double *__restrict skpool_apart;
    """
    ctypedef double* apart "skpool_apart"


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
    """Powers of numbers that are not negative. Small whole exponents are products: exact for small integers."""
    cdef Py_ssize_t i
    if p == 1:
        return
    if p == 2:
        for i in range(n):
            values[i] = values[i] * values[i]
    elif p == 3:
        for i in range(n):
            values[i] = values[i] * values[i] * values[i]
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


cdef inline double square(pixel sample) noexcept nogil:
    cdef double size = fabs(<double> sample)
    return size * size


cdef void gather_squares(
    double* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    """Of rows of which every sample counts."""
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
            state[i] = square(a[i])
    elif count == 2:
        for i in range(n):
            state[i] = square(a[i]) + square(b[i])
    elif count == 3:
        for i in range(n):
            state[i] = (square(a[i]) + square(b[i])) + square(c[i])
    elif count == 4:
        for i in range(n):
            state[i] = (square(a[i]) + square(b[i])) + (square(c[i]) + square(d[i]))
    else:
        e = rows[4]
        f = rows[5]
        g = rows[6]
        h = rows[7]
        for i in range(n):
            state[i] = (
                ((square(a[i]) + square(b[i])) + (square(c[i]) + square(d[i])))
                + ((square(e[i]) + square(f[i])) + (square(g[i]) + square(h[i])))
            )


cdef void merge_power(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = earlier[i] + later[i]


cdef void fold_power(
    double* state, const double* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = state[i] + later[i]


cdef void pair_power(
    double* state, const double* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = source[2 * i] + source[2 * i + 1]


cdef void triple_power(
    double* state, const double* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = (source[2 * i] + source[2 * i + 1]) + source[2 * i + 2]


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


cdef void finish_magnitude(
    real* out, const double* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = <real> state[i]


# --- exponentials: the largest exponent (top), the sum of exp(z - top), and for `soft` the sum of x exp(z - top)
#
# Of two states the lower is scaled by exp(lower top - higher top): one exponential for each join, none above 1.

cdef inline double drop(double a, double b) noexcept nogil:
    """How far the lower of two tops lies below the higher: 0 for equal ones, infinite or not."""
    return 0.0 if a == b else -fabs(a - b)


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


cdef void merge_exponential(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef double scale
    for i in range(n):
        scale = exp_nonpositive64(drop(earlier[i], later[i]))
        state[pitch + i] = (
            earlier[pitch + i] + later[pitch + i] * scale if earlier[i] >= later[i]
            else later[pitch + i] + earlier[pitch + i] * scale
        )
        state[i] = larger(earlier[i], later[i])


cdef void fold_exponential(
    double* state, const double* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    merge_exponential(state, state, later, n, pitch, 0, parameters)


cdef void identity_exponential(
    double* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    fill(state, -INFINITY, n)
    fill(state + pitch, 0, n)


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


cdef inline double weighed(double value, double weight) noexcept nogil:
    """A weight of zero counts for nothing, not even against an infinity."""
    return 0.0 if weight == 0 else value * weight


cdef void merge_soft(
    double* state, const double* earlier, const double* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    cdef const double* earlier_values = earlier + 2 * pitch
    cdef const double* later_values = later + 2 * pitch
    cdef double* values = state + 2 * pitch
    cdef Py_ssize_t i
    cdef double scale
    for i in range(n):
        scale = exp_nonpositive64(drop(earlier[i], later[i]))
        values[i] = (
            earlier_values[i] + weighed(later_values[i], scale) if earlier[i] >= later[i]
            else later_values[i] + weighed(earlier_values[i], scale)
        )
    merge_exponential(state, earlier, later, n, pitch, shift, parameters)


cdef void fold_soft(
    double* state, const double* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    merge_soft(state, state, later, n, pitch, 0, parameters)


cdef void identity_soft(double* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters) noexcept nogil:
    identity_exponential(state, n, pitch, parameters)
    fill(state + 2 * pitch, 0, n)


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
    cdef Kernel kernel
    kernel.width = sizeof(double)
    kernel.planes = planes
    kernel.block = 1
    kernel.weighs_validity = True
    kernel.repeats = False
    kernel.gather = <gather_t> gather
    kernel.join = NULL
    kernel.merge = <merge_t> merge
    kernel.chain = NULL
    kernel.fold = <fold_t> fold
    kernel.unfold = NULL
    kernel.pair = <pair_t> pair
    kernel.triple = NULL
    kernel.identity = <identity_t> identity
    return kernel


cdef void add_quads(dict finishes, str dtype, str result, const pixel* example, const real* number):
    finishes["quad", "lp", dtype, result] = <size_t> quad_norm[real, pixel]
    finishes["quad", "var", dtype, result] = <size_t> quad_variance[real, pixel]
    finishes["quad", "std", dtype, result] = <size_t> quad_deviation[real, pixel]


cdef void add_pixel(dict kernels, dict finishes, str dtype, const pixel* example):
    if pixel is float:
        add_quads(finishes, dtype, "float32", example, <const float*> NULL)
    else:
        add_quads(finishes, dtype, "float64", example, <const double*> NULL)
    cdef Kernel powers = mapped(
        1, <void*> gather_power[pixel], <void*> merge_power, <void*> fold_power, <void*> pair_power,
        <void*> identity_power,
    )
    powers.triple = <pair_t> triple_power
    kernels["lp", dtype] = kernels["power_mean", dtype] = kernels["squares", dtype] = kept(powers)
    powers.gather = <gather_t> gather_generalised[pixel]
    kernels["gem", dtype] = kept(powers)
    powers.gather = <gather_t> gather_squares[pixel]
    powers.block = 8
    kernels["whole", "squares", dtype] = kept(powers)
    kernels["largest_magnitude", dtype] = kept(mapped(
        1, <void*> gather_magnitude[pixel], <void*> merge_magnitude, <void*> fold_magnitude, NULL,
        <void*> identity_power,
    ))
    kernels["logsumexp", dtype] = kept(mapped(
        2, <void*> gather_exponential[pixel], <void*> merge_exponential, <void*> fold_exponential, NULL,
        <void*> identity_exponential,
    ))
    kernels["soft", dtype] = kept(mapped(
        3, <void*> gather_soft[pixel], <void*> merge_soft, <void*> fold_soft, NULL, <void*> identity_soft,
    ))
    cdef Kernel moments = mapped(
        4, <void*> gather_moments[pixel], <void*> merge_moments, <void*> fold_moments, <void*> pair_moments,
        <void*> identity_moments,
    )
    moments.triple = <pair_t> triple_moments
    moments.chain = <chain_t> chain_moments
    kernels["var", dtype] = kept(moments)
    moments.gather = <gather_t> gather_whole_moments[pixel]
    moments.block = 8
    kernels["whole", "var", dtype] = kept(moments)


cdef void add_real(dict finishes, str dtype, const real* example):
    finishes["lp", dtype] = <size_t> finish_lp[real]
    finishes["power_mean", dtype] = finishes["gem", dtype] = <size_t> finish_power_mean[real]
    finishes["largest_magnitude", dtype] = <size_t> finish_magnitude[real]
    finishes["logsumexp", dtype] = <size_t> finish_logsumexp[real]
    finishes["soft", dtype] = <size_t> finish_soft[real]
    finishes["var", dtype] = <size_t> finish_variance[real]
    finishes["std", dtype] = <size_t> finish_deviation[real]


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
