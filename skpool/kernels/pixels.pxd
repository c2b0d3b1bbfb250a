"""The number types of an image, once."""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

# bool is stored as uint8; float16 rows are read as float32.
ctypedef fused pixel:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    uint64_t
    int64_t
    float
    double

ctypedef fused signed_integer:
    int8_t
    int16_t
    int32_t
    int64_t

ctypedef fused real:
    float
    double


cdef inline uint16_t two_bytes(const uint8_t* pair) noexcept nogil:
    """Two neighbouring bytes as one number; which of them is the high one does not matter to symmetric functions."""
    cdef uint16_t both
    memcpy(&both, pair, 2)
    return both
