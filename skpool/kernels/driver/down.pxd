"""The rows of a window, folded into one state row."""
from libc.stdint cimport int64_t, uint8_t
from skpool.kernels.driver.call cimport Call, Scratch, Segment

cdef void fold_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil

cdef void gather_in_place(
    const Call* call, char* state, const void** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, const char* asked,
) noexcept nogil
