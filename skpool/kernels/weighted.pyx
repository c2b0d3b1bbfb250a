"""Row functions of weighted sums: of samples between the pixels, of integrals over them, of windows with weights.

Design: all totals are float64, so that the order of a few terms never shows in a float32 result. Up to four rows are
folded at once: one row at a time would read and write the total as often as the image.
"""
from libc.math cimport fabs, frexp
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.pixels cimport pixel
from skpool.kernels.table cimport Parameters


cdef inline void weigh_some(
    double* state, const pixel** rows, const double* weights, const int count, const bint adds, Py_ssize_t n,
) noexcept nogil:
    """`count` and `adds` are constants of every call, so the loop has no branch."""
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[1 if count > 1 else 0]
    cdef const pixel* c = rows[2 if count > 2 else 0]
    cdef const pixel* d = rows[3 if count > 3 else 0]
    cdef double wa = weights[0]
    cdef double wb = weights[1 if count > 1 else 0]
    cdef double wc = weights[2 if count > 2 else 0]
    cdef double wd = weights[3 if count > 3 else 0]
    cdef double value
    cdef Py_ssize_t i
    for i in range(n):
        value = wa * <double> a[i]
        if count > 1:
            value = value + wb * <double> b[i]
        if count > 2:
            value = value + wc * <double> c[i]
        if count > 3:
            value = value + wd * <double> d[i]
        state[i] = state[i] + value if adds else value


cdef void weigh(
    double* state, const pixel** rows, const double* weights, Py_ssize_t count, bint adds, Py_ssize_t n,
) noexcept nogil:
    if adds:
        if count == 4:
            weigh_some(state, rows, weights, 4, True, n)
        elif count == 3:
            weigh_some(state, rows, weights, 3, True, n)
        elif count == 2:
            weigh_some(state, rows, weights, 2, True, n)
        else:
            weigh_some(state, rows, weights, 1, True, n)
    elif count == 4:
        weigh_some(state, rows, weights, 4, False, n)
    elif count == 3:
        weigh_some(state, rows, weights, 3, False, n)
    elif count == 2:
        weigh_some(state, rows, weights, 2, False, n)
    else:
        weigh_some(state, rows, weights, 1, False, n)


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
    double* total, double* norm, const pixel* samples, const uint8_t* valid, double weight, Py_ssize_t n,
) noexcept nogil:
    cdef double product
    cdef Py_ssize_t i
    for i in range(n):
        product = weight * <double> samples[i]             # in any case, or gcc branches
        total[i] = total[i] + (product if valid[i] else 0.0)
        norm[i] = norm[i] + (weight if valid[i] else 0.0)


cdef void weighted_average(
    double* out, double* counts, const pixel** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """The sum of weights times samples by that of the weights, over the samples that count."""
    cdef const double* weights = parameters.weights
    cdef double* norm = <double*> room
    cdef double total = 0
    cdef Py_ssize_t first, t, i, m
    cdef int exponent
    if counts == NULL:
        for t in range(0, taps, 4):
            weigh(out, samples + t, weights + t, min(taps - t, <Py_ssize_t> 4), t > 0, n)
        for t in range(taps):
            total = total + weights[t]
        if fabs(frexp(total, &exponent)) == 0.5 and -1000 < exponent < 1000:
            # The reciprocal is exact, and so is the product.
            total = 1 / total
            for i in range(n):
                out[i] = out[i] * total
        else:
            for i in range(n):
                out[i] = out[i] / total
        return
    for first in range(0, n, 1024):
        m = min(n - first, <Py_ssize_t> 1024)
        for i in range(m):
            out[first + i] = counts[first + i] = norm[i] = 0
        for t in range(taps):
            add_weighted(out + first, norm, samples[t] + first, valid[t] + first, weights[t], m)
            for i in range(m):
                counts[first + i] = counts[first + i] + valid[t][first + i]
        for i in range(m):
            out[first + i] = out[first + i] / norm[i]


cdef void add(dict table, str dtype, const pixel* example):
    table["lanes", "weighted_avg", dtype] = <size_t> weighted_average[pixel]
    table["weigh", dtype] = <size_t> weigh[pixel]
    table["product", dtype] = <size_t> highest_product[pixel]


def tables():
    """No kernels, and addresses of functions: of type `weigh_t` by (name, dtype of the rows), and of `lanes_t`."""
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
    functions["total", "float64"] = <size_t> highest_total
    return {}, functions


def room():
    """Bytes of scratch for a weighted average: the norms of 1024 elements, which stay in the first-level cache."""
    return 1024 * sizeof(double)
