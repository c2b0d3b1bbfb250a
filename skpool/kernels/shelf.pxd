"""Scratch: rows of it begin at multiples of ALIGNMENT bytes, and are laid out one after the other."""
from libc.stdint cimport uintptr_t

cdef enum:
    ALIGNMENT = 64


cdef inline Py_ssize_t divided_up(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    """The ceiling of a / b, for a >= 0 and b > 0."""
    return (a + b - 1) // b


cdef inline Py_ssize_t padded(Py_ssize_t size) noexcept nogil:
    """The next multiple of ALIGNMENT."""
    return divided_up(size, ALIGNMENT) * ALIGNMENT


cdef inline char* first_row(char* memory) noexcept nogil:
    """The first place in memory where a row may begin, less than ALIGNMENT bytes on."""
    return memory + (ALIGNMENT - <Py_ssize_t> (<uintptr_t> memory % ALIGNMENT)) % ALIGNMENT


cdef struct Shelf:
    # Memory that is handed out from its start; without memory, only the sizes are added up.
    char* base
    Py_ssize_t used


cdef inline void* taken(Shelf* shelf, Py_ssize_t size) noexcept nogil:
    cdef char* place = NULL if shelf.base == NULL else shelf.base + shelf.used
    shelf.used = shelf.used + padded(size)
    return place
