"""A thread's scratch: how large its tiles are, and what lies where in its memory."""
from skpool.kernels.driver.call cimport Call, Layout, Recipe

cdef enum:
    SCRATCH = 960 * 1024    # bytes of a thread, unless its tile is too narrow:
    LEAST_TILE = 12         # times the columns that two tiles have in common,
    MOST_SCRATCH = 4        # in at most so many times the bytes
    MOST_SLOTS = 128        # a row is searched for among them

cdef void begin(const Call* call, char* memory) noexcept nogil

cdef void lay_out(
    const Recipe* recipe, Layout* layout, bint rows_in_place, Py_ssize_t listed, Py_ssize_t nodes, Py_ssize_t piece,
) noexcept nogil
