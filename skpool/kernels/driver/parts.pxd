"""Parts of windows: the states that they leave behind, joined, and finished."""
from skpool.kernels.driver.call cimport Call, Parts, Recipe, Scratch
from skpool.kernels.shelf cimport padded
from skpool.kernels.table cimport Kernel

cdef void work_on_part(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil

cdef void work_on_joined(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil

cdef void work_on_whole(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil


cdef inline Py_ssize_t part_bytes(const Parts* parts, const Recipe* recipe, const Kernel* kernel) noexcept nogil:
    """Of a state row that a part leaves behind."""
    return padded(parts.columns * recipe.inner * kernel.planes * kernel.width)
