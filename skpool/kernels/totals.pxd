"""Row functions of totals that are added up, whatever they are totals of."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.pixels cimport real
from skpool.kernels.table cimport Parameters

ctypedef fused total:
    uint16_t
    uint32_t
    uint64_t
    real

# A total as its pixels mean it: signed totals are read from the same bits.
ctypedef fused reading:
    uint16_t
    int16_t
    uint32_t
    int32_t
    uint64_t
    int64_t
    real

# What sums are given as.
ctypedef fused given:
    uint64_t
    int64_t
    real


cdef inline void merge(
    total* state, const total* earlier, const total* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = <total> (earlier[i] + later[i])


cdef inline void fold(
    total* state, const total* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = <total> (state[i] + later[i])


cdef inline void pair(
    total* state, const total* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = <total> (source[2 * i] + source[2 * i + 1])


cdef inline void triple(
    total* state, const total* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = <total> ((source[2 * i] + source[2 * i + 1]) + source[2 * i + 2])


cdef inline void finish_sum(
    given* out, const reading* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = <given> state[i]
