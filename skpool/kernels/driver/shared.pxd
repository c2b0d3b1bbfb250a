"""Rows that overlapping windows share, folded once for all of them."""
from skpool.kernels.driver.call cimport Call, Scratch, Segment

cdef void fold_shared(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t columns,
    bint goes_on,
) noexcept nogil
