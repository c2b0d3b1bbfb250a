"""The number types of an image, once."""
from libc.math cimport INFINITY
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

ctypedef fused short_integer:
    uint8_t
    int8_t
    uint16_t
    int16_t

ctypedef fused integer:
    short_integer
    uint32_t
    int32_t
    uint64_t
    int64_t

ctypedef fused real:
    float
    double

# bool is stored as uint8; float16 rows are read as float32.
ctypedef fused pixel:
    integer
    real

ctypedef fused signed_integer:
    int8_t
    int16_t
    int32_t
    int64_t

# Bits of a number, whatever they mean.
ctypedef fused word:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef inline pixel highest_of(pixel example) noexcept nogil:
    if pixel in real:
        return <pixel> INFINITY
    elif pixel in signed_integer:
        return <pixel> ((<uint64_t> 1 << (8 * sizeof(pixel) - 1)) - 1)
    else:
        return <pixel> -1


cdef inline pixel lowest_of(pixel example) noexcept nogil:
    if pixel in real:
        return -highest_of(example)
    elif pixel in signed_integer:
        return <pixel> (-highest_of(example) - 1)
    else:
        return 0


cdef inline uint16_t two_bytes(const uint8_t* pair) noexcept nogil:
    """Two neighbouring bytes as one number; which of them is the high one does not matter to symmetric functions."""
    cdef uint16_t both
    memcpy(&both, pair, 2)
    return both
