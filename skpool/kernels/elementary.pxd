"""exp, log and pow as straight-line arithmetic: vectorised by the compiler, the same bits on every processor.

Design: libm's functions are calls, which stop vectorisation, and glibc picks their variant by processor.
These use only IEEE +, -, *, /, selects and moves of bits: no fused multiply-add (the SSE2 baseline has
none; build with -ffp-contract=off), no tables (SSE2 has no gather), no compare, arithmetic shift or
conversion of 64-bit integers (SSE2 and AVX2 lack them). A select of constants, or one that clamps an
argument, becomes a blend (given -fno-trapping-math; gcc 12 vectorises none of this without). One that
chooses between a finished result and a constant may become a branch, since the compiler moves the
computation into one arm: hence special values are clamped on the way in, or added as 0, inf or NaN. gcc
must inline: --param=inline-unit-growth=1000.

Measured (ns per float64 on one thread, in cache: baseline, v3):
- polynomials as trees, not chains: a loop body is longer than the reorder window, so latency shows.
  exp 4.3 -> 3.4, 2.1 -> 1.6.
- in pow also each low word beside the next high word, not a renormalised pair after every step:
  22.6 -> 12.2, 11.0 -> 5.9.
- exp of numbers <= 0 needs one clamp and one scale: 3.4 -> 2.5, 1.6 -> 1.3.
- log takes 4.3, 2.0. One division: a polynomial in f itself would need three times the terms.
- in exp the rounding error of 1 + high, put back, costs no time: 0.96 -> 0.81 ulp. In log the like (of
  k ln2 + f) does not pay, 0.87 -> 0.89 ulp: fdlibm's order of sums stays.
- heads by a mask: one operation, where Dekker's split has four.
- float32: exp 1.4, 0.7; of numbers <= 0 0.9, 0.5.

Largest errors seen, in ulp (random and worst-placed samples against long double; float32: all samples):
    exp64 0.81   exp_nonpositive64 0.75   log64 0.87   pow64 1.08   exp32 0.92   exp_nonpositive32 0.91

`python benchmarks/fit_elementary.py` prints every coefficient, and every constant in two parts.

Integer powers: the exponent is one for the whole image, so choose a row of products (x*x, x*x*x) outside the
loop: 0.3 ns, where pow64 takes 6 to 12. A loop over the bits of the exponent, inside the loop over pixels,
does not vectorise. A product of n factors errs by less than n - 1 ulp.

Sources: W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980), for ln2 in two parts;
Sun's fdlibm, e_log.c and e_pow.c, for the forms of log and of log2 in two words.
"""
from libc.math cimport INFINITY, NAN, copysign, fabs
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy


cdef inline uint64_t bits_of(double value) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &value, 8)
    return bits


cdef inline double from_bits(uint64_t bits) noexcept nogil:
    cdef double value
    memcpy(&value, &bits, 8)
    return value


cdef inline uint32_t bits_of32(float value) noexcept nogil:
    cdef uint32_t bits
    memcpy(&bits, &value, 4)
    return bits


cdef inline float from_bits32(uint32_t bits) noexcept nogil:
    cdef float value
    memcpy(&value, &bits, 4)
    return value


cdef inline double head(double value) noexcept nogil:
    """The leading 26 bits of 53. Products of two heads are exact, and of a head and a rest."""
    return from_bits(bits_of(value) & <uint64_t> 0xFFFFFFFFF8000000ULL)


# ---- exp ----

cdef inline double exp_tail(double r) noexcept nogil:
    """exp(r) - 1 - r for |r| <= ln(2)/2, within 2**-57.9 of exp(r)."""
    cdef double r2 = r*r, r4 = r2*r2
    cdef double a = 0.5000000000000011 + r*0.1666666666666641
    cdef double b = 0.04166666666652922 + r*0.008333333333495686
    cdef double c = 0.0013888888943914643 + r*0.00019841269504614233
    cdef double d = 2.4801492771567073e-05 + r*2.7557587489181204e-06
    cdef double e = 2.7630375330552676e-07 + r*2.499991543715964e-08
    return r2*((a + r2*b) + r4*((c + r2*d) + r4*e))


cdef inline double exp_of_sum(double high, double low) noexcept nogil:
    """exp(high + low) for |high| <= ln(2)/2 and a low below 2**-20.

    The rounding error of 1 + high is put back, exactly: 1 is the larger. What is left is 1/2 ulp from the
    last sum, and at most 0.3 from the rounding of high + low and from the tail.
    """
    cdef double total = 1.0 + high
    return total + ((((1.0 - total) + high) + low) + exp_tail(high + low))


cdef inline double exp_reduced(double x, double n) noexcept nogil:
    """exp(x - n ln2) for the integer n nearest x/ln2.

    The first part of ln2 has 41 bits, so that n (11 bits) times it is exact, and so is the difference.
    """
    return exp_of_sum(x - n*0.6931471805601177, n*1.7239444525614835e-13)


cdef inline double scaled(double value, uint64_t exponent) noexcept nogil:
    """value * 2**n, rounded once, for the bits of 1.5*2**52 + 2046 + n; -1100 <= n <= 1100.

    The bias 2046 = 2*1023 serves two factors, and keeps what is halved positive: its shift is a logical one.
    """
    cdef uint64_t half = exponent >> 1
    return value*from_bits(half << 52)*from_bits((exponent - half) << 52)


cdef inline double exp64(double x) noexcept nogil:
    """exp(x) within 1 ulp for every x: subnormal results, 0, inf and NaN included."""
    cdef double shifted
    x = 710.0 if x > 710.0 else x       # already inf
    x = -746.0 if x < -746.0 else x     # already 0
    # 1.5*2**52 leaves no bit for a fraction: the sum rounds to the nearest integer, which its low bits hold.
    shifted = x*1.4426950408889634 + 6755399441057790.0
    return scaled(exp_reduced(x, shifted - 6755399441057790.0), bits_of(shifted))


cdef inline double exp_nonpositive64(double x) noexcept nogil:
    """exp(x) within 1 ulp for x <= 0 (good up to 709), NaN for NaN; 0 below -708.75, where exp < 2**-1022.5.

    There n is -1023, whose biased exponent is 0: the factor 2**n is a true 0.
    """
    cdef double shifted
    x = -709.0 if x < -709.0 else x
    shifted = x*1.4426950408889634 + 6755399441056767.0     # 1.5*2**52 + 1023
    return exp_reduced(x, shifted - 6755399441056767.0)*from_bits(bits_of(shifted) << 52)


cdef inline float exp_reduced32(float x, float n) noexcept nogil:
    """As exp_reduced: 15 bits of ln2 (n has 8) and the rest; the tail within 2**-28.2 of exp(r)."""
    cdef float high = x - n*<float> 0.693145751953125
    cdef float low = n*<float> 1.4286068203094173e-06
    cdef float r = high - low, r2 = r*r
    cdef float a = <float> 0.49999994 + r*<float> 0.1666652
    cdef float b = <float> 0.041668396 + r*<float> 0.00836878
    return <float> 1.0 + (high + (r2*(a + r2*(b + r2*<float> 0.0013814421)) - low))


cdef inline float exp32(float x) noexcept nogil:
    """exp(x) within 1 ulp for every float32: subnormal results, 0, inf and NaN included."""
    cdef float shifted, value
    cdef uint32_t exponent, half
    x = <float> 89.0 if x > <float> 89.0 else x
    x = <float> -104.0 if x < <float> -104.0 else x
    shifted = x*<float> 1.442695 + <float> 12583166.0       # 1.5*2**23 + 2*127
    value = exp_reduced32(x, shifted - <float> 12583166.0)
    exponent = bits_of32(shifted)
    half = exponent >> 1
    return value*from_bits32(half << 23)*from_bits32((exponent - half) << 23)


cdef inline float exp_nonpositive32(float x) noexcept nogil:
    """exp(x) within 1 ulp for x <= 0 (good up to 88), NaN for NaN; 0 below -87.69, where exp < 2**-126.5."""
    cdef float shifted
    x = <float> -88.0 if x < <float> -88.0 else x
    shifted = x*<float> 1.442695 + <float> 12583039.0       # 1.5*2**23 + 127
    return exp_reduced32(x, shifted - <float> 12583039.0)*from_bits32(bits_of32(shifted) << 23)


# ---- log and pow ----

cdef inline double significand(double x, double* exponent) noexcept nogil:
    """|x| = significand * 2**exponent with sqrt(1/2) <= significand < sqrt(2).

    Centred on 1, so that its logarithm never cancels against the exponent. Subnormals are lifted by 2**54.
    0 gives 1 * 2**-1077, inf 1 * 2**1024, NaN some finite pair: callers add what these must become.
    """
    cdef double magnitude = fabs(x)
    cdef double lift = 18014398509481984.0 if magnitude < 2.2250738585072014e-308 else 1.0
    cdef double bias = 4503599627371573.0 if magnitude < 2.2250738585072014e-308 else 4503599627371519.0
    # Adding the bits of 1 less those of sqrt(1/2) carries into the exponent from sqrt(1/2) up.
    cdef uint64_t carried = bits_of(magnitude*lift) + <uint64_t> 0x00095F619980C434ULL
    # An integer in the low bits of 2**52 is the double 2**52 + integer; bias is 2**52 + 1023, or 54 more.
    exponent[0] = from_bits((carried >> 52) | <uint64_t> 0x4330000000000000ULL) - bias
    return from_bits((carried & <uint64_t> 0x000FFFFFFFFFFFFFULL) + <uint64_t> 0x3FE6A09E667F3BCCULL)


cdef inline double log64(double x) noexcept nogil:
    """log(x) within 1 ulp: -inf at 0, NaN below, inf and NaN kept.

    log(1 + f) = f - f*f/2 + s*(f*f/2 + tail), s = f/(2 + f), tail = log((1 + s)/(1 - s))/s - 2, within
    2**-59.4 of the logarithm. k times the first 41 bits of ln2 is exact.
    """
    cdef double k, f, s, z, z2, tail, half, special
    f = significand(x, &k) - 1.0
    # At 0 and inf, where x + x == x, k has the sign of the logarithm.
    special = copysign(INFINITY, k) if x + x == x else 0.0
    special = special if x >= 0.0 else NAN
    s = f/(2.0 + f)
    z = s*s
    z2 = z*z
    tail = z*((0.6666666666666735 + z*0.39999999999411145)
              + z2*((0.2857142874324639 + z*0.2222219847794175)
                    + z2*((0.1818356962848284 + z*0.15313906275072917) + z2*0.14797475960735346)))
    half = 0.5*f*f
    return special + (k*0.6931471805601177
                      - ((half - (s*(half + tail) - k*1.7239444525614835e-13)) - f))


cdef inline double pow64(double x, double p) noexcept nogil:
    """x**p for x >= 0 and finite p within 1.3 ulp (0.8 between 2**-100 and 2**100); NaN for x < 0 and NaN.

    0, subnormal and inf where the power is. x**0 is 1 (not of NaN, unlike C's), 1**p is 1, -0.0 counts as 0.
    2**(p log2 x), with log2 x = k + s*(A + C*z + tail), s = (m - 1)/(m + 1), z = s*s, A = 2/ln2, C = A/3 in
    two words within 2**-63: p log2 x may reach 1075, and its absolute error is the result's relative one.
    Every `_low` is what its `_high` leaves, to a rounding error of 2**-78. A head is taken of a plain
    estimate, so that the next step need not wait for the rest.
    """
    cdef double k, m, f, d, inverse, s, s_high, s_low, d_high, d_low, z, z2, z_high, z_low, tail, rest
    cdef double t_high, t_low, g, log_high, log_low, p_high, p_low, edge, special, power, power_low
    cdef double shifted, r, r_high
    m = significand(x, &k)
    f = m - 1.0
    d = m + 1.0
    inverse = 1.0/d

    # s_low is the remainder of the division, divided.
    s = f*inverse
    s_high = head(s)
    d_high = head(d)
    d_low = m - (d_high - 1.0)
    s_low = ((f - s_high*d_high) - s_high*d_low)*inverse

    # t = A + C*z + tail: the tail is below 2**-12 of t, so that one word will do.
    z = s*s
    z2 = z*z
    tail = ((0.5770780163556181 + z*0.4121985830918548)
            + z2*((0.32059890228972826 + z*0.2623076996320249)
                  + z2*((0.22198406995674835 + z*0.19125340569806926) + z2*0.1904023622316929)))
    t_high = head((2.8853900817779268 + z*0.9617966939259756) + z2*tail)
    z_high = head(z)
    z_low = (s_high*s_high - z_high) + s_low*(s_high + s)
    z = z_high + z_low
    rest = (z_low*0.9617966939259756 - z_high*7.028461650952758e-09) - 2.1085384952858276e-08
    t_low = (z_high*0.9617967009544373 - (t_high - 2.8853901028633118)) + (z*z*tail + rest)

    g = s_high*t_high
    log_high = head(k + g)
    log_low = ((k - log_high) + g) + (s_low*t_high + s*t_low)

    # At 0 and inf k has the sign of log2 x, but p may be small: 2**2000 p is not, unless it is 0.
    edge = p*1.0715086071862673e301*1.0715086071862673e301
    special = k*edge if x + x == x else 0.0
    special = special if x >= 0.0 else NAN
    p_high = head(p)
    p_low = p - p_high
    power = p_high*log_high + special
    power_low = p_low*log_high + p*log_low
    power_low = 0.0 if fabs(power) > 1100.0 else power_low
    power = copysign(1100.0, power) if fabs(power) > 1100.0 else power

    # 2**(n + r) = 2**n * exp(r ln2), with n as in exp64.
    shifted = power + 6755399441057790.0
    r = power - (shifted - 6755399441057790.0)
    r_high = head(r)
    r = ((r - r_high) + power_low)*0.6931471805599453 - r_high*1.904654299957768e-09
    return scaled(exp_of_sum(r_high*0.6931471824645996, r), bits_of(shifted))
