"""The rows of a window, folded into one state row."""
from skpool.kernels.driver.call cimport Call, Scratch, Segment

cdef void fold_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil
