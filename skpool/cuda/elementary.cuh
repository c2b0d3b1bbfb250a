// exp, log and pow: the text of `skpool/kernels/elementary.pxd`, where the reasons are, as CUDA; the same bits.
#pragma once
#include "numbers.cuh"

namespace skpool {

DEVICE double magnitude_of(double x) { return from_bits(bits_of(x) & 0x7fffffffffffffffULL); }
DEVICE double with_sign(double x, double sign) {
    return from_bits((bits_of(x) & 0x7fffffffffffffffULL) | (bits_of(sign) & 0x8000000000000000ULL));
}
DEVICE double head(double value) { return from_bits(bits_of(value) & 0xFFFFFFFFF8000000ULL); }

DEVICE double exp_tail(double r) {
    double r2 = r * r, r4 = r2 * r2;
    double a = 0.5000000000000011 + r * 0.1666666666666641;
    double b = 0.04166666666652922 + r * 0.008333333333495686;
    double c = 0.0013888888943914643 + r * 0.00019841269504614233;
    double d = 2.4801492771567073e-05 + r * 2.7557587489181204e-06;
    double e = 2.7630375330552676e-07 + r * 2.499991543715964e-08;
    return r2 * ((a + r2 * b) + r4 * ((c + r2 * d) + r4 * e));
}

DEVICE double exp_of_sum(double high, double low) {
    double total = 1.0 + high;
    return total + ((((1.0 - total) + high) + low) + exp_tail(high + low));
}

DEVICE double exp_reduced(double x, double n) {
    return exp_of_sum(x - n * 0.6931471805601177, n * 1.7239444525614835e-13);
}

DEVICE double scaled(double value, uint64 exponent) {
    uint64 half = exponent >> 1;
    return value * from_bits(half << 52) * from_bits((exponent - half) << 52);
}

DEVICE double exp_nonpositive64(double x) {
    x = x < -709.0 ? -709.0 : x;
    double shifted = x * 1.4426950408889634 + 6755399441056767.0;
    return exp_reduced(x, shifted - 6755399441056767.0) * from_bits(bits_of(shifted) << 52);
}

DEVICE double significand(double x, double* exponent) {
    double magnitude = magnitude_of(x);
    double lift = magnitude < 2.2250738585072014e-308 ? 18014398509481984.0 : 1.0;
    double bias = magnitude < 2.2250738585072014e-308 ? 4503599627371573.0 : 4503599627371519.0;
    uint64 carried = bits_of(magnitude * lift) + 0x00095F619980C434ULL;
    *exponent = from_bits((carried >> 52) | 0x4330000000000000ULL) - bias;
    return from_bits((carried & 0x000FFFFFFFFFFFFFULL) + 0x3FE6A09E667F3BCCULL);
}

DEVICE double log64(double x) {
    double k, f = significand(x, &k) - 1.0;
    double special = x + x == x ? with_sign(infinity(), k) : 0.0;
    special = x >= 0.0 ? special : not_a_number();
    double s = f / (2.0 + f), z = s * s, z2 = z * z;
    double tail = z * ((0.6666666666666735 + z * 0.39999999999411145)
                       + z2 * ((0.2857142874324639 + z * 0.2222219847794175)
                               + z2 * ((0.1818356962848284 + z * 0.15313906275072917) + z2 * 0.14797475960735346)));
    double half = 0.5 * f * f;
    return special
        + (k * 0.6931471805601177 - ((half - (s * (half + tail) - k * 1.7239444525614835e-13)) - f));
}

DEVICE double pow64(double x, double p) {
    double k, m = significand(x, &k), f = m - 1.0, d = m + 1.0, inverse = 1.0 / d;

    double s = f * inverse, s_high = head(s), d_high = head(d), d_low = m - (d_high - 1.0);
    double s_low = ((f - s_high * d_high) - s_high * d_low) * inverse;

    double z = s * s, z2 = z * z;
    double tail = ((0.5770780163556181 + z * 0.4121985830918548)
                   + z2 * ((0.32059890228972826 + z * 0.2623076996320249)
                           + z2 * ((0.22198406995674835 + z * 0.19125340569806926) + z2 * 0.1904023622316929)));
    double t_high = head((2.8853900817779268 + z * 0.9617966939259756) + z2 * tail);
    double z_high = head(z);
    double z_low = (s_high * s_high - z_high) + s_low * (s_high + s);
    z = z_high + z_low;
    double rest = (z_low * 0.9617966939259756 - z_high * 7.028461650952758e-09) - 2.1085384952858276e-08;
    double t_low = (z_high * 0.9617967009544373 - (t_high - 2.8853901028633118)) + (z * z * tail + rest);

    double g = s_high * t_high, log_high = head(k + g);
    double log_low = ((k - log_high) + g) + (s_low * t_high + s * t_low);

    double edge = p * 1.0715086071862673e301 * 1.0715086071862673e301;
    double special = x + x == x ? k * edge : 0.0;
    special = x >= 0.0 ? special : not_a_number();
    double p_high = head(p), p_low = p - p_high;
    double power = p_high * log_high + special;
    double power_low = p_low * log_high + p * log_low;
    power_low = magnitude_of(power) > 1100.0 ? 0.0 : power_low;
    power = magnitude_of(power) > 1100.0 ? with_sign(1100.0, power) : power;

    double shifted = power + 6755399441057790.0;
    double r = power - (shifted - 6755399441057790.0), r_high = head(r);
    r = ((r - r_high) + power_low) * 0.6931471805599453 - r_high * 1.904654299957768e-09;
    return scaled(exp_of_sum(r_high * 0.6931471824645996, r), bits_of(shifted));
}

// x * 2**shift, exact as far as the result is not subnormal. |shift| <= 4000.
DEVICE double shifted_by(double x, int64 shift) {
    while (shift > 1000) {
        x *= from_bits((uint64) (1000 + 1023) << 52);
        shift -= 1000;
    }
    while (shift < -900) {
        x *= from_bits((uint64) (-900 + 1023) << 52);
        shift += 900;
    }
    return x * from_bits((uint64) (shift + 1023) << 52);
}

// e where |x| = m * 2**e and 1/2 <= m < 1, as frexp has it; x is finite and not 0.
DEVICE int64 exponent_of(double x) {
    double lift = magnitude_of(x) < 2.2250738585072014e-308 ? 18014398509481984.0 : 1.0;
    return (int64) ((bits_of(magnitude_of(x) * lift)) >> 52) - 1022 - (lift == 1.0 ? 0 : 54);
}

}  // namespace skpool
