"""Samples in order as numbers: what lies between two ranks of a window."""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from skpool.kernels.pixels cimport real

ctypedef fused ordered:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    uint64_t
    int64_t


cdef inline ordered largest(ordered example) noexcept nogil:
    if ordered is int8_t or ordered is int16_t or ordered is int32_t or ordered is int64_t:
        return <ordered> ((<uint64_t> 1 << (8 * sizeof(ordered) - 1)) - 1)
    else:
        return <ordered> -1


cdef inline double value_of(ordered sample, bint keyed) noexcept nogil:
    """The number that a sample or key stands for."""
    cdef float single
    cdef double number
    cdef int32_t bits
    cdef int64_t long_bits
    if ordered is int32_t:
        if keyed:
            bits = sample ^ ((sample >> 31) & <int32_t> 0x7fffffff)
            memcpy(&single, &bits, 4)
            return single
    elif ordered is int64_t:
        if keyed:
            long_bits = sample ^ ((sample >> 63) & <int64_t> 0x7fffffffffffffff)
            memcpy(&number, &long_bits, 8)
            return number
    return <double> sample


cdef inline ordered bits_of(ordered sample, bint keyed) noexcept nogil:
    """A sample, or the bits of the float that a key stands for."""
    if ordered is int32_t:
        if keyed:
            return sample ^ ((sample >> 31) & <int32_t> 0x7fffffff)
    elif ordered is int64_t:
        if keyed:
            return sample ^ ((sample >> 63) & <int64_t> 0x7fffffffffffffff)
    return sample


cdef inline double half_of_sum(ordered a, ordered b, bint keyed) noexcept nogil:
    """The mean of two samples, rounded once."""
    cdef ordered whole, half
    if ordered is int64_t or ordered is uint64_t:
        if not keyed:
            whole = (a & b) + ((a ^ b) >> 1)
            half = (a ^ b) & 1
            if ordered is int64_t:
                if -(<int64_t> 1 << 61) <= whole and whole < (<int64_t> 1 << 61):
                    return <double> (2 * whole + half) * 0.5
            elif whole < <uint64_t> 1 << 62:
                return <double> (2 * whole + half) * 0.5
            return <double> (whole | half)                 # rounds to multiples of 512: a half tells on which side
    cdef double total = value_of(a, keyed) + value_of(b, keyed)
    cdef double mean = total * 0.5
    if ordered is int64_t:                                 # doubles, whose sum may overflow
        mean = value_of(a, keyed) * 0.5 + value_of(b, keyed) * 0.5 if total - total != 0 else mean
    return mean


cdef inline double between(double low, double high, double weight) noexcept nogil:
    """As `np.percentile` interpolates; two infinities of one sign are one."""
    cdef double near_low = low + (high - low) * weight
    cdef double near_high = high - (high - low) * (1 - weight)
    cdef double mixed = near_low if weight < 0.5 else near_high
    return low if low == high else mixed


cdef inline void mix(
    real* out, const ordered* low, const ordered* high, double weight, Py_ssize_t n, const bint keyed,
) noexcept nogil:
    """Between two rows of samples."""
    cdef Py_ssize_t i
    if weight == 0.5:
        for i in range(n):
            out[i] = <real> half_of_sum(low[i], high[i], keyed)
    elif low == high or weight == 0:
        for i in range(n):
            out[i] = <real> value_of(low[i], keyed)
    else:
        for i in range(n):
            out[i] = <real> between(value_of(low[i], keyed), value_of(high[i], keyed), weight)


cdef inline void mix_each(
    real* out, const ordered* low, const ordered* high, const double* weights, const int32_t* counts, Py_ssize_t n,
    const bint keyed,
) noexcept nogil:
    """Between two rows of samples, by weights for the count of each element."""
    cdef Py_ssize_t i
    cdef double weight
    cdef double half
    for i in range(n):
        weight = weights[counts[i]]
        half = half_of_sum(low[i], high[i], keyed)
        out[i] = <real> (half if weight == 0.5 else between(value_of(low[i], keyed), value_of(high[i], keyed), weight))


cdef inline void to_even(ordered* out, const ordered* low, const ordered* high, Py_ssize_t n) noexcept nogil:
    """Halfway between integers, rounded to the even one."""
    cdef Py_ssize_t i
    cdef ordered whole, half
    for i in range(n):
        whole = <ordered> ((low[i] & high[i]) + ((low[i] ^ high[i]) >> 1))
        half = (low[i] ^ high[i]) & 1
        out[i] = <ordered> (whole + (half & whole))
