"""Row functions of weighted sums: of samples between the pixels, of integrals over them, of windows with weights.

Design: totals are float64, so that the order of a few terms never shows in a float32 result, or are exact in less:
sums of whole pixels with whole weights that stay within 16 or 24 bits, in which registers hold more of them. Up to
eight rows are folded at once, four and four: one row at a time would read and write the total as often as the image.
"""
from libc.math cimport fabs, frexp
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.pixels cimport highest_of, lowest_of, pixel, real, short_integer
from skpool.kernels.table cimport MOST_WEIGHED, Parameters


ctypedef fused total:
    uint16_t
    float
    double

ctypedef fused summed:                  # as `total`, where totals of 16 bits are read with a sign or without
    uint16_t
    int16_t
    float
    double

ctypedef fused natural:
    uint8_t
    int8_t
    uint16_t
    int16_t
    float
    double


cdef inline total weight_of(double weight, const total* example) noexcept nogil:
    """A weight as totals have it: of those of 16 bits, which wrap, it is whole."""
    if total is uint16_t:
        return <uint16_t> <int64_t> weight
    else:
        return <total> weight


cdef inline void weigh_some(
    total* state, const pixel** rows, const double* weights, const int count, const bint adds, Py_ssize_t n,
) noexcept nogil:
    """`count` and `adds` are constants of every call, so the loop has no branch."""
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[1 if count > 1 else 0]
    cdef const pixel* c = rows[2 if count > 2 else 0]
    cdef const pixel* d = rows[3 if count > 3 else 0]
    cdef const pixel* e = rows[4 if count > 4 else 0]
    cdef const pixel* f = rows[5 if count > 5 else 0]
    cdef const pixel* g = rows[6 if count > 6 else 0]
    cdef const pixel* h = rows[7 if count > 7 else 0]
    cdef total wa = weight_of(weights[0], state)
    cdef total wb = weight_of(weights[1 if count > 1 else 0], state)
    cdef total wc = weight_of(weights[2 if count > 2 else 0], state)
    cdef total wd = weight_of(weights[3 if count > 3 else 0], state)
    cdef total we = weight_of(weights[4 if count > 4 else 0], state)
    cdef total wf = weight_of(weights[5 if count > 5 else 0], state)
    cdef total wg = weight_of(weights[6 if count > 6 else 0], state)
    cdef total wh = weight_of(weights[7 if count > 7 else 0], state)
    cdef total value, more
    cdef Py_ssize_t i
    for i in range(n):
        value = <total> (wa * <total> a[i])
        if count > 1:
            value = <total> (value + <total> (wb * <total> b[i]))
        if count > 2:
            value = <total> (value + <total> (wc * <total> c[i]))
        if count > 3:
            value = <total> (value + <total> (wd * <total> d[i]))
        if adds:
            value = <total> (state[i] + value)
        if count > 4:
            more = <total> (we * <total> e[i])
            if count > 5:
                more = <total> (more + <total> (wf * <total> f[i]))
            if count > 6:
                more = <total> (more + <total> (wg * <total> g[i]))
            if count > 7:
                more = <total> (more + <total> (wh * <total> h[i]))
            value = <total> (value + more)
        state[i] = value


cdef void weigh(
    total* state, const pixel** rows, const double* weights, Py_ssize_t count, bint adds, Py_ssize_t n,
) noexcept nogil:
    """What is rare takes two passes, in the same order: each loop that is written out takes a while to compile."""
    if adds:
        if count == 8:
            weigh_some(state, rows, weights, 8, True, n)
        elif count > 4:
            weigh_some(state, rows, weights, 4, True, n)
            weigh(state, rows + 4, weights + 4, count - 4, True, n)
        elif count == 4:
            weigh_some(state, rows, weights, 4, True, n)
        elif count == 3:
            weigh_some(state, rows, weights, 3, True, n)
        elif count == 2:
            weigh_some(state, rows, weights, 2, True, n)
        else:
            weigh_some(state, rows, weights, 1, True, n)
    elif count == 8:
        weigh_some(state, rows, weights, 8, False, n)
    elif count == 7:
        weigh_some(state, rows, weights, 7, False, n)
    elif count == 6:
        weigh_some(state, rows, weights, 4, False, n)
        weigh_some(state, rows + 4, weights + 4, 2, True, n)
    elif count == 5:
        weigh_some(state, rows, weights, 5, False, n)
    elif count == 4:
        weigh_some(state, rows, weights, 4, False, n)
    elif count == 3:
        weigh_some(state, rows, weights, 3, False, n)
    elif count == 2:
        weigh_some(state, rows, weights, 2, False, n)
    else:
        weigh_some(state, rows, weights, 1, False, n)


cdef inline double exact_reciprocal(double norm) noexcept nogil:
    """1 / norm if that, and so every product with it, is exact: that of a power of two. Else 0."""
    cdef int exponent
    return 1 / norm if fabs(frexp(norm, &exponent)) == 0.5 and -1000 < exponent < 1000 else 0.0


cdef inline short_integer nearest(float value, const short_integer* example) noexcept nogil:
    """The nearest integer, half to even, or the one at the end of the range."""
    cdef float bias = 12582912                       # 1.5 * 2**23: sums with it are rounded to integers
    cdef float lowest = lowest_of(<short_integer> 0), highest = highest_of(<short_integer> 0)
    value = highest if value > highest else value
    value = lowest if value < lowest else value
    return <short_integer> ((value + bias) - bias)


cdef inline short_integer nearest_of_double(double value, const short_integer* example) noexcept nogil:
    """The same; only what is next to an integer's half needs all digits."""
    cdef double bias = 6755399441055744              # 1.5 * 2**52
    return nearest(<float> ((value + bias) - bias), example)


cdef void normalise(natural* out, const summed* totals, double norm, Py_ssize_t n) noexcept nogil:
    """Totals by the sum of their weights. Those of less than 64 bits are whole, and their norm: see `weighing`."""
    cdef double exact = exact_reciprocal(norm)
    cdef float scale = <float> exact
    cdef Py_ssize_t i
    if natural is double:
        if exact:
            for i in range(n):
                out[i] = <double> totals[i] * exact
        else:
            for i in range(n):
                out[i] = <double> totals[i] / norm
    elif natural is float:
        if summed is not double and exact:
            for i in range(n):
                out[i] = <float> totals[i] * scale
        elif exact:
            for i in range(n):
                out[i] = <float> (<double> totals[i] * exact)
        else:
            for i in range(n):
                out[i] = <float> (<double> totals[i] / norm)
    elif summed is not double:
        if exact:
            for i in range(n):
                out[i] = nearest(<float> totals[i] * scale, out)
        else:
            for i in range(n):
                out[i] = nearest_of_double(<double> totals[i] / norm, out)


cdef inline double higher(double a, double b) noexcept nogil:
    cdef double best = a if a > b else b
    return a if a != a else best


cdef void highest_total(
    double* state, const double** rows, const double* weights, Py_ssize_t count, bint adds, Py_ssize_t n,
) noexcept nogil:
    """The larger of the state (if it `adds` to it) and the weighted sum of one or two rows."""
    cdef const double* a = rows[0]
    cdef const double* b = rows[count - 1]
    cdef double wa = weights[0], wb = weights[count - 1]
    cdef Py_ssize_t i
    if not adds:
        weigh(state, rows, weights, count, False, n)
    elif count == 1:
        for i in range(n):
            state[i] = higher(state[i], wa * a[i])
    else:
        for i in range(n):
            state[i] = higher(state[i], wa * a[i] + wb * b[i])


cdef void highest_product(
    double* state, const pixel** rows, const double* weights, Py_ssize_t count, bint adds, Py_ssize_t n,
) noexcept nogil:
    """The largest of the state (if it `adds` to it) and the weighted pixels of one or two rows."""
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[count - 1]
    cdef double wa = weights[0], wb = weights[count - 1]
    cdef Py_ssize_t i
    if adds:
        for i in range(n):
            state[i] = higher(state[i], higher(wa * <double> a[i], wb * <double> b[i]))
    else:
        for i in range(n):
            state[i] = higher(wa * <double> a[i], wb * <double> b[i])


# --- windows by their samples one by one

cdef void add_weighted(
    double* sums, double* norm, const pixel* samples, const uint8_t* valid, double weight, Py_ssize_t n,
) noexcept nogil:
    cdef double product
    cdef Py_ssize_t i
    for i in range(n):
        product = weight * <double> samples[i]             # in any case, or gcc branches
        sums[i] = sums[i] + (product if valid[i] else 0.0)
        norm[i] = norm[i] + (weight if valid[i] else 0.0)


cdef inline void weigh_piece(
    summed* totals, const pixel** samples, const double* weights, Py_ssize_t taps, Py_ssize_t first, Py_ssize_t n,
) noexcept nogil:
    """Weighted sums of `n` elements, from element `first` on."""
    cdef const pixel* rows[MOST_WEIGHED]
    cdef Py_ssize_t t = 0, count, i
    while t < taps:
        count = min(taps - t, <Py_ssize_t> MOST_WEIGHED)
        for i in range(count):
            rows[i] = samples[t + i] + first
        if sizeof(summed) == 2:
            weigh(<uint16_t*> totals, rows, weights + t, count, t > 0, n)
        elif sizeof(summed) == 4:
            weigh(<float*> totals, rows, weights + t, count, t > 0, n)
        else:
            weigh(<double*> totals, rows, weights + t, count, t > 0, n)
        t = t + count


cdef void weighted_average(
    double* out, double* counts, const pixel** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    summed* room, const Parameters* parameters,
) noexcept nogil:
    """The sum of weights times samples by that of the weights, over the samples that count."""
    cdef const double* weights = parameters.weights
    cdef double* norm = <double*> room
    cdef double sum_of_weights = 0
    cdef Py_ssize_t first, t, i, m
    for t in range(taps):
        sum_of_weights = sum_of_weights + weights[t]
    for first in range(0, n, 1024):
        m = min(n - first, <Py_ssize_t> 1024)
        if counts == NULL:
            weigh_piece(room, samples, weights, taps, first, m)
            normalise(out + first, room, sum_of_weights, m)
            continue
        for i in range(m):
            out[first + i] = counts[first + i] = norm[i] = 0
        for t in range(taps):
            add_weighted(out + first, norm, samples[t] + first, valid[t] + first, weights[t], m)
            for i in range(m):
                counts[first + i] = counts[first + i] + valid[t][first + i]
        for i in range(m):
            out[first + i] = out[first + i] / norm[i]


cdef void add(dict table, str dtype, const pixel* example):
    table["weighted", "float64", dtype] = <size_t> weighted_average[pixel, double]
    table["weigh", dtype, "float64"] = <size_t> weigh[double, pixel]
    table["product", dtype, "float64"] = <size_t> highest_product[pixel]


cdef void add_whole(dict table, str dtype, const short_integer* example):
    """Of pixels of few bits, whose weighted sums may be exact in few bits, too."""
    table["weigh", dtype, "float32"] = <size_t> weigh[float, short_integer]
    table["normalised", "float32", dtype] = <size_t> normalise[short_integer, float]
    table["weighted", "float32", dtype] = <size_t> weighted_average[short_integer, float]
    if sizeof(short_integer) == 1:
        table["weigh", dtype, "16 bits"] = <size_t> weigh[uint16_t, short_integer]
        table["normalised", "unsigned 16 bits", dtype] = <size_t> normalise[short_integer, uint16_t]
        table["normalised", "signed 16 bits", dtype] = <size_t> normalise[short_integer, int16_t]
        table["weighted", "signed 16 bits", dtype] = <size_t> weighted_average[short_integer, int16_t]
    if short_integer is uint8_t:
        table["weighted", "unsigned 16 bits", dtype] = <size_t> weighted_average[short_integer, uint16_t]


cdef void add_norms(dict table, str dtype, const real* example):
    table["normalised", "float64", dtype] = <size_t> normalise[real, double]
    table["normalised", "float32", dtype] = <size_t> normalise[real, float]
    table["normalised", "unsigned 16 bits", dtype] = <size_t> normalise[real, uint16_t]
    table["normalised", "signed 16 bits", dtype] = <size_t> normalise[real, int16_t]


def tables():
    """No kernels, and addresses of functions: of `weigh_t`, `normalise_t` and `lanes_t`, by name and types."""
    functions = {}
    add(functions, "uint8", <const uint8_t*> NULL)
    add(functions, "int8", <const int8_t*> NULL)
    add(functions, "uint16", <const uint16_t*> NULL)
    add(functions, "int16", <const int16_t*> NULL)
    add(functions, "uint32", <const uint32_t*> NULL)
    add(functions, "int32", <const int32_t*> NULL)
    add(functions, "uint64", <const uint64_t*> NULL)
    add(functions, "int64", <const int64_t*> NULL)
    add(functions, "float32", <const float*> NULL)
    add(functions, "float64", <const double*> NULL)
    add_whole(functions, "uint8", <const uint8_t*> NULL)
    add_whole(functions, "int8", <const int8_t*> NULL)
    add_whole(functions, "uint16", <const uint16_t*> NULL)
    add_whole(functions, "int16", <const int16_t*> NULL)
    add_norms(functions, "float32", <const float*> NULL)
    add_norms(functions, "float64", <const double*> NULL)
    functions["weigh", "16 bits", "16 bits"] = <size_t> weigh[uint16_t, uint16_t]
    functions["weigh", "float32", "float32"] = <size_t> weigh[float, float]
    functions["total", "float64", "float64"] = <size_t> highest_total
    return {}, functions


def room():
    """Bytes of scratch for a weighted average: totals or norms of 1024 elements, which stay in the first cache."""
    return 1024 * sizeof(double)
