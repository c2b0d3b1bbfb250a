"""Windows whose weights are an outer product: rows are weighed and added up, then columns."""
from skpool.kernels.driver.call cimport Call, Scratch

cdef void work_on_weights(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil
