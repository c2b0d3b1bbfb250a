"""Windows by their samples one by one: what is sorted, counted, or has a footprint."""
from skpool.kernels.driver.call cimport Call, Scratch

cdef void work_on_samples(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil
