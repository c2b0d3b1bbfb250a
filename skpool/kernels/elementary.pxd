"""exp, log and pow as straight-line arithmetic: vectorised by the compiler, and the same bits on every processor.

Design: libm's functions are calls, which stop vectorisation, and glibc picks their variant by processor. These use
only IEEE +, -, *, /, selects and moves of bits: no fused multiply-add (the SSE2 baseline has none; build with
-ffp-contract=off), no tables (SSE2 has no gather), no integer compare, arithmetic shift or conversion of 64 bits (SSE2
and AVX2 have none). -fno-trapping-math lets a select become a blend. A select of constants, or one that clamps an
argument, vectorises; one that chooses between a finished result and a constant may become a branch, since the compiler
moves the computation into one arm. Hence special values are clamped on the way in, or added as 0, +-inf or NaN.

Measured choices, float64, one thread, in cache (base; v3):
- polynomials as trees (Estrin), not chains (Horner): a loop body is longer than the reorder window, so latency shows:
  exp 4.3 -> 3.4; 2.1 -> 1.6 ns, at the same error.
- pow with each low word beside the next high word, not a renormalised pair after every step: 22.6 -> 12.5; 11 -> 5.9 ns.
- exp of a number <= 0 needs one clamp and one scale: 3.4 -> 2.9; 1.6 -> 1.6 ns.
- 2**n in two factors, since n + 1023 may leave the exponent's range at either end.
- log in fdlibm's order of sums: 0.84 ulp; adding the rounding error of k ln2 + f back in gave 0.89.
- division once per log or pow: a polynomial without it would need three times the terms.
- the product of two numbers of 26 bits is exact: `head` cuts by a mask, one operation where Dekker's split has four.

Largest error seen, in units in the last place (against 64-bit mantissas; exp32 against float64, every float32):
    exp64 0.91    exp_nonpositive64 0.91    log64 0.84    pow64 0.73    exp32 0.89    exp_nonpositive32 0.89

Polynomials are minimax in relative error of the result; `python benchmarks/fit_elementary.py` prints every coefficient.

Integer powers: the exponent does not vary within an image, so choose a row of products (x*x, x*x*x) outside the loop:
0.2 ns, where pow64 takes 6 to 12. A loop over the bits of the exponent inside the row is not vectorised. n products
err by at most (n - 1)/2 ulp or so: from the sixth power on pow64 is the more accurate.

Sources: W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980), for the two-part ln 2;
Sun's fdlibm e_log.c and e_pow.c for the forms of log and of the two-word log2; T. J. Dekker, Numer. Math. 18 (1971).
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
    """The leading 26 bits of 53: what is left has 27, and products of heads are exact."""
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
    """exp(high + low) for |high| <= ln(2)/2 and a low far smaller.

    The rounding error of 1 + high is put back (high < 1, so the difference is exact), which leaves 1/2 ulp from the last sum and
    0.3 at most from the rest. Without it: 0.96 seen.
    """
    cdef double total = 1.0 + high
    return total + ((((1.0 - total) + high) + low) + exp_tail(high + low))


cdef inline double exp_reduced(double x, double n) noexcept nogil:
    """exp(x - n ln2) for the integer n nearest x/ln2.

    ln2 has 41 bits in its first part, so that n (11 bits) times it is exact, and so is the difference (Sterbenz).
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
    """exp(x) within 1 ulp for x <= 0 (good up to 709); exactly 0 below -708.75, where exp is below 2**-1022.5.

    There n is -1023, whose biased exponent is 0: the factor 2**n is a true 0, whatever the weight then meets.
    """
    cdef double shifted
    x = -709.0 if x < -709.0 else x
    shifted = x*1.4426950408889634 + 6755399441056767.0     # 1.5*2**52 + 1023
    return exp_reduced(x, shifted - 6755399441056767.0)*from_bits(bits_of(shifted) << 52)


cdef inline float exp_reduced32(float x, float n) noexcept nogil:
    """exp(x - n ln2), as exp_reduced: ln2 in 15 bits (n has 8) and the rest; tail within 2**-28 of exp."""
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
    """exp(x) within 1 ulp for x <= 0 (good up to 88); exactly 0 below -87.69, where exp is below 2**-126.5."""
    cdef float shifted
    x = <float> -88.0 if x < <float> -88.0 else x
    shifted = x*<float> 1.442695 + <float> 12583039.0       # 1.5*2**23 + 127
    return exp_reduced32(x, shifted - <float> 12583039.0)*from_bits32(bits_of32(shifted) << 23)


# ---- log and pow ----

cdef inline double significand(double x, double* exponent) noexcept nogil:
    """|x| = significand * 2**exponent with sqrt(1/2) <= significand < sqrt(2).

    Centred on 1, so that log2(significand) never cancels against the exponent. Subnormals are lifted by 2**54.
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

    log(1 + f) = f - f*f/2 + s*(f*f/2 + tail), s = f/(2 + f); tail = log((1 + s)/(1 - s))/s - 2 within 2**-58.5
    of the logarithm. k times the first 41 bits of ln2 is exact.
    """
    cdef double k, f, s, z, z2, tail, half, special
    f = significand(x, &k) - 1.0
    special = copysign(INFINITY, k) if x + x == x else 0.0      # at 0 and inf, where k has the sign of the answer
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
    """x**p for x >= 0 and finite p, within 1 ulp; 0, subnormal or inf where the power is; NaN for x < 0 or NaN.

    x**0 is 1 for every x >= 0, 1**p is 1. Unlike C's pow, NaN**0 is NaN and -0.0 counts as 0.
    2**(p log2 x), where log2 x = k + s*(A + C*z + tail), s = (m - 1)/(m + 1), z = s*s, A = 2/ln2, C = A/3, is a sum of
    two doubles within 2**-63 of itself: p log2 x may reach 1075, and its absolute error is the result's relative one.
    Every `_low` is the rest of its neighbour, found without rounding error that matters; the head is taken of a plain
    estimate, so that the next step need not wait for the rest.
    """
    cdef double k, m, f, d, inverse, s, s_high, s_low, d_high, d_low, z, z2, z_high, z_low, tail, t_high, t_low
    cdef double g, log_high, log_low, p_high, p_low, edge, special, power, power_low, shifted, r, r_high
    m = significand(x, &k)
    f = m - 1.0
    d = m + 1.0
    inverse = 1.0/d

    # s = s_high + s_low: the remainder of the division, divided.
    s = f*inverse
    s_high = head(s)
    d_high = head(d)
    d_low = m - (d_high - 1.0)
    s_low = ((f - s_high*d_high) - s_high*d_low)*inverse

    # t = A + C*z + tail; the tail is below 2**-12 of t, so one double will do. Within 2**-66 of t.
    z = s*s
    z2 = z*z
    tail = ((0.5770780163556181 + z*0.4121985830918548)
            + z2*((0.32059890228972826 + z*0.2623076996320249)
                  + z2*((0.22198406995674835 + z*0.19125340569806926) + z2*0.1904023622316929)))
    t_high = head((2.8853900817779268 + z*0.9617966939259756) + z2*tail)
    z_high = head(z)
    z_low = (s_high*s_high - z_high) + s_low*(s_high + s)
    z = z_high + z_low
    t_low = ((z_high*0.9617967009544373 - (t_high - 2.8853901028633118))
             + (z*z*tail + ((z_low*0.9617966939259756 - z_high*7.028461650952758e-09) - 2.1085384952858276e-08)))

    # log2 x = log_high + log_low
    g = s_high*t_high
    log_high = head(k + g)
    log_low = ((k - log_high) + g) + (s_low*t_high + s*t_low)

    # p log2 x = power + power_low. At 0 and inf (where x + x == x) k has the right sign, and p*2**2000 any size that
    # p may lack; it is 0 for p = 0 only.
    edge = p*1.0715086071862673e301*1.0715086071862673e301
    special = k*edge if x + x == x else 0.0
    special = special if x >= 0.0 else NAN
    p_high = head(p)
    p_low = p - p_high
    power = p_high*log_high + special
    power_low = p_low*log_high + p*log_low
    power_low = 0.0 if fabs(power) > 1100.0 else power_low
    power = copysign(1100.0, power) if fabs(power) > 1100.0 else power

    # 2**(n + r) = 2**n * exp(r ln2), with r ln2 in two words again.
    shifted = power + 6755399441057790.0
    r = power - (shifted - 6755399441057790.0)
    r_high = head(r)
    r = ((r - r_high) + power_low)*0.6931471805599453 - r_high*1.904654299957768e-09
    return scaled(exp_of_sum(r_high*0.6931471824645996, r), bits_of(shifted))
