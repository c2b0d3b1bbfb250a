"""Samples in order as numbers: what lies between two ranks of a window."""
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy
from skpool.kernels.pixels cimport integer


cdef inline double value_of(integer sample, bint keyed) noexcept nogil:
    """The number that a sample or key stands for."""
    cdef float single
    cdef double number
    cdef int32_t bits
    cdef int64_t long_bits
    if integer is int32_t:
        if keyed:
            bits = sample ^ ((sample >> 31) & <int32_t> 0x7fffffff)
            memcpy(&single, &bits, 4)
            return single
    elif integer is int64_t:
        if keyed:
            long_bits = sample ^ ((sample >> 63) & <int64_t> 0x7fffffffffffffff)
            memcpy(&number, &long_bits, 8)
            return number
    return <double> sample


cdef inline integer bits_of(integer sample, bint keyed) noexcept nogil:
    """A sample, or the bits of the float that a key stands for."""
    if integer is int32_t:
        if keyed:
            return sample ^ ((sample >> 31) & <int32_t> 0x7fffffff)
    elif integer is int64_t:
        if keyed:
            return sample ^ ((sample >> 63) & <int64_t> 0x7fffffffffffffff)
    return sample


cdef inline double half_of_sum(integer a, integer b, bint keyed) noexcept nogil:
    """The mean of two samples, rounded once."""
    cdef integer whole, half
    if integer is int64_t or integer is uint64_t:
        if not keyed:
            whole = (a & b) + ((a ^ b) >> 1)
            half = (a ^ b) & 1
            if integer is int64_t:
                if -(<int64_t> 1 << 61) <= whole and whole < (<int64_t> 1 << 61):
                    return <double> (2 * whole + half) * 0.5
            elif whole < <uint64_t> 1 << 62:
                return <double> (2 * whole + half) * 0.5
            return <double> (whole | half)                 # rounds to multiples of 512: a half tells on which side
    cdef double total = value_of(a, keyed) + value_of(b, keyed)
    cdef double mean = total * 0.5
    if integer is int64_t:                                 # doubles, whose sum may overflow
        mean = value_of(a, keyed) * 0.5 + value_of(b, keyed) * 0.5 if total - total != 0 else mean
    return mean


cdef inline double between(double low, double high, double weight) noexcept nogil:
    """As `np.percentile` interpolates; two infinities of one sign are one."""
    cdef double near_low = low + (high - low) * weight
    cdef double near_high = high - (high - low) * (1 - weight)
    cdef double mixed = near_low if weight < 0.5 else near_high
    return low if low == high else mixed


cdef inline void mix(
    double* out, const integer* low, const integer* high, double weight, Py_ssize_t n, const bint keyed,
) noexcept nogil:
    """Between two rows of samples."""
    cdef Py_ssize_t i
    if weight == 0.5:
        for i in range(n):
            out[i] = half_of_sum(low[i], high[i], keyed)
    elif low == high or weight == 0:
        for i in range(n):
            out[i] = value_of(low[i], keyed)
    else:
        for i in range(n):
            out[i] = between(value_of(low[i], keyed), value_of(high[i], keyed), weight)


cdef inline void mix_each(
    double* out, const integer* low, const integer* high, const double* weights, const int32_t* counts, Py_ssize_t n,
    const bint keyed,
) noexcept nogil:
    """Between two rows of samples, by weights for the count of each element."""
    cdef Py_ssize_t i
    cdef double weight
    cdef double half
    for i in range(n):
        weight = weights[counts[i]]
        half = half_of_sum(low[i], high[i], keyed)
        out[i] = half if weight == 0.5 else between(value_of(low[i], keyed), value_of(high[i], keyed), weight)


cdef inline void to_even(integer* out, const integer* low, const integer* high, Py_ssize_t n) noexcept nogil:
    """Halfway between integers, rounded to the even one."""
    cdef Py_ssize_t i
    cdef integer whole, half
    for i in range(n):
        whole = <integer> ((low[i] & high[i]) + ((low[i] ^ high[i]) >> 1))
        half = (low[i] ^ high[i]) & 1
        out[i] = <integer> (whole + (half & whole))
