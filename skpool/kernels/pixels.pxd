"""The number types of an image, once."""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

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

# Types wide enough to stand beside the place of a sample in its window.
ctypedef fused indexed:
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
