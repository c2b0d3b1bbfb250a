"""A block of output rows over a tile of output columns: rows of windows are folded down, across, and written."""
from skpool.kernels.driver.call cimport Call, Scratch

cdef void work(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil
