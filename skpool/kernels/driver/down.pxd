"""The rows of a window, folded into one state row."""
from libc.stdint cimport int64_t, uint8_t
from skpool.kernels.driver.call cimport Call, Scratch, Segment
from skpool.kernels.memory cimport skpool_prefetch_near

cdef inline void ask_for_rows(const Call* call, const char* row, Py_ssize_t n) noexcept nogil:
    """Ask for `n` bytes of as many rows, from one on, as the next windows add."""
    cdef Py_ssize_t last = call.recipe.leading - 1, r
    for r in range(call.recipe.axes[last].stride):
        skpool_prefetch_near(row + r * call.image.leading[last], n)


cdef void fold_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil

cdef void gather_in_place(
    const Call* call, char* state, const void** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, const char* asked,
) noexcept nogil
