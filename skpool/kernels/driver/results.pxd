"""States of windows, finished, converted and written."""
from skpool.kernels.driver.call cimport Call, Scratch

cdef void write_run(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t outputs,
    const double* counts, double count, char* target, char* places,
) noexcept nogil

cdef void write_row(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t stop, char* target,
) noexcept nogil

cdef void write_rows(
    Scratch* scratch, const Call* call, const char* state, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t rows,
    char* target,
) noexcept nogil
