// Numbers: types by the names that NumPy gives them, float32 that never flushes, and conversions between them.
//
// Design: CuPy compiles every module with -ftz=true, after all other options, so plain float arithmetic and plain
// comparisons of floats take subnormals for zero. `float32` below is a float whose operations are PTX instructions
// without .ftz; no other code may calculate with a float. Doubles are never flushed.
#pragma once

#define DEVICE __device__ __forceinline__
#define CALLED __device__ __noinline__  // what is long

namespace skpool {

typedef signed char int8;
typedef unsigned char uint8;
typedef short int16;
typedef unsigned short uint16;
typedef int int32;
typedef unsigned int uint32;
typedef long long int64;
typedef unsigned long long uint64;
typedef double float64;

struct truth {
    uint8 value;
};

struct float16 {
    uint16 bits;
};

DEVICE uint64 bits_of(double value) { return (uint64) __double_as_longlong(value); }
DEVICE double from_bits(uint64 bits) { return __longlong_as_double((int64) bits); }
DEVICE double not_a_number() { return from_bits(0x7ff8000000000000ULL); }
DEVICE double infinity() { return from_bits(0x7ff0000000000000ULL); }

#ifdef __CUDACC__
#define SINGLE_OPERATION(operation, a, b) \
    float result; \
    asm(operation " %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b)); \
    return float32::of(result)
#define SINGLE_COMPARISON(operation, symbol, a, b) \
    uint32 result; \
    asm("{ .reg .pred p; setp." operation ".f32 p, %1, %2; selp.u32 %0, 1, 0, p; }" : "=r"(result) : "f"(a), "f"(b)); \
    return result != 0
#else
#define SINGLE_COMPARISON(operation, symbol, a, b) return a symbol b
#endif

struct float32 {
    float value;

    float32() = default;
    DEVICE explicit float32(int32 whole) : value((float) whole) {}
    DEVICE explicit float32(uint32 whole) : value((float) whole) {}
    DEVICE explicit float32(int64 whole) : value((float) whole) {}
    DEVICE explicit float32(uint64 whole) : value((float) whole) {}
    DEVICE explicit float32(double number) {
#ifdef __CUDACC__
        asm("cvt.rn.f32.f64 %0, %1;" : "=f"(value) : "d"(number));
#else
        value = (float) number;
#endif
    }
    DEVICE explicit operator double() const {
#ifdef __CUDACC__
        double number;
        asm("cvt.f64.f32 %0, %1;" : "=d"(number) : "f"(value));
        return number;
#else
        return value;
#endif
    }
    DEVICE static float32 of(float value) {
        float32 number;
        number.value = value;
        return number;
    }
    DEVICE uint32 bits() const { return __float_as_uint(value); }
    DEVICE static float32 from_bits(uint32 bits) { return of(__uint_as_float(bits)); }
    DEVICE float32 operator-() const { return from_bits(bits() ^ 0x80000000U); }
};

#ifdef __CUDACC__
DEVICE float32 operator+(float32 a, float32 b) { SINGLE_OPERATION("add.rn.f32", a.value, b.value); }
DEVICE float32 operator-(float32 a, float32 b) { SINGLE_OPERATION("sub.rn.f32", a.value, b.value); }
DEVICE float32 operator*(float32 a, float32 b) { SINGLE_OPERATION("mul.rn.f32", a.value, b.value); }
DEVICE float32 operator/(float32 a, float32 b) { SINGLE_OPERATION("div.rn.f32", a.value, b.value); }
#else
DEVICE float32 operator+(float32 a, float32 b) { return float32::of(a.value + b.value); }
DEVICE float32 operator-(float32 a, float32 b) { return float32::of(a.value - b.value); }
DEVICE float32 operator*(float32 a, float32 b) { return float32::of(a.value * b.value); }
DEVICE float32 operator/(float32 a, float32 b) { return float32::of(a.value / b.value); }
#endif
DEVICE bool operator<(float32 a, float32 b) { SINGLE_COMPARISON("lt", <, a.value, b.value); }
DEVICE bool operator>(float32 a, float32 b) { SINGLE_COMPARISON("gt", >, a.value, b.value); }
DEVICE bool operator==(float32 a, float32 b) { SINGLE_COMPARISON("eq", ==, a.value, b.value); }
DEVICE bool operator!=(float32 a, float32 b) { SINGLE_COMPARISON("neu", !=, a.value, b.value); }

template <class T> DEVICE bool is_nan(T) { return false; }
DEVICE bool is_nan(float32 value) { return (value.bits() & 0x7fffffffU) > 0x7f800000U; }
DEVICE bool is_nan(double value) { return value != value; }

template <class T> DEVICE bool is_infinite(T) { return false; }
DEVICE bool is_infinite(float32 value) { return (value.bits() & 0x7fffffffU) == 0x7f800000U; }
DEVICE bool is_infinite(double value) { return (bits_of(value) & 0x7fffffffffffffffULL) == 0x7ff0000000000000ULL; }

// --- what types are

template <class T> struct Traits;

template <class Unsigned, class Widest, int Bits, bool Signed> struct WholeTraits {
    typedef Unsigned unsigned_type;
    typedef Widest widest_type;
    static const bool real = false;
};
template <class T, class Unsigned, class Widest, int Bits, bool Signed>
struct RangedTraits : WholeTraits<Unsigned, Widest, Bits, Signed> {
    static DEVICE T largest() { return (T) (~(uint64) 0 >> (64 - Bits + Signed)); }
    static DEVICE T smallest() { return Signed ? (T) (-largest() - 1) : (T) 0; }
};
template <> struct Traits<int8> : RangedTraits<int8, uint8, int64, 8, true> {};
template <> struct Traits<uint8> : RangedTraits<uint8, uint8, int64, 8, false> {};
template <> struct Traits<int16> : RangedTraits<int16, uint16, int64, 16, true> {};
template <> struct Traits<uint16> : RangedTraits<uint16, uint16, int64, 16, false> {};
template <> struct Traits<int32> : RangedTraits<int32, uint32, int64, 32, true> {};
template <> struct Traits<uint32> : RangedTraits<uint32, uint32, int64, 32, false> {};
template <> struct Traits<int64> : RangedTraits<int64, uint64, int64, 64, true> {};
template <> struct Traits<uint64> : RangedTraits<uint64, uint64, uint64, 64, false> {};
template <> struct Traits<float32> {
    typedef double widest_type;
    static const bool real = true;
    static DEVICE float32 largest() { return float32::from_bits(0x7f800000U); }
    static DEVICE float32 smallest() { return float32::from_bits(0xff800000U); }
};
template <> struct Traits<double> {
    typedef double widest_type;
    static const bool real = true;
    static DEVICE double largest() { return infinity(); }
    static DEVICE double smallest() { return -infinity(); }
};

template <class A, class B> struct Same { static const bool value = false; };
template <class A> struct Same<A, A> { static const bool value = true; };

// --- pixels, as they lie in memory and as kernels calculate with them

DEVICE float32 to_single(float16 half) {
    // The product with 2**112 rebuilds the exponent and is exact, subnormals included.
    uint32 special = (half.bits & 0x7c00) == 0x7c00 ? 0x7f800000U : 0;
    float32 value = float32::from_bits((uint32) (half.bits & 0x7fff) << 13) * float32::from_bits(0x77800000U);
    return float32::from_bits(value.bits() | special | (uint32) (half.bits & 0x8000) << 16);
}

DEVICE float16 to_half(double value) {
    // Rounded once, half to even.
    uint64 bits = bits_of(value), magnitude = bits & 0x7fffffffffffffffULL;
    uint16 sign = (uint16) ((bits >> 48) & 0x8000);
    if (magnitude > 0x7ff0000000000000ULL) return float16{(uint16) (sign | 0x7e00)};
    int64 exponent = (int64) (magnitude >> 52) - 1023;
    if (exponent > 15) return float16{(uint16) (sign | 0x7c00)};
    if (exponent < -25) return float16{sign};
    uint64 rest = (magnitude & 0xfffffffffffffULL) | (uint64) 1 << 52;
    int drop = exponent >= -14 ? 42 : (int) (42 + (-14 - exponent));
    uint64 kept = rest >> drop, half = (uint64) 1 << (drop - 1);
    rest &= ((uint64) 1 << drop) - 1;
    if (rest > half || (rest == half && (kept & 1))) kept++;
    if (exponent >= -14) kept += (uint64) (exponent + 14) << 10;  // a carry runs into the exponent, as it should
    return float16{(uint16) (sign | kept)};
}

template <class Pixel> struct Stored {
    typedef Pixel row;
    static DEVICE row read(Pixel pixel) { return pixel; }
};
template <> struct Stored<truth> {
    typedef uint8 row;
    static DEVICE row read(truth pixel) { return pixel.value; }
};
template <> struct Stored<float16> {
    typedef float32 row;
    static DEVICE row read(float16 pixel) { return to_single(pixel); }
};

// --- from a reduction's own type to the one asked for

DEVICE double half_even(double value) {
    // From 2**52 on every double is a whole number.
    double rounded = (value + 6755399441055744.0) - 6755399441055744.0;
    return -4503599627370496.0 < value && value < 4503599627370496.0 ? rounded : value;
}

// Saturating; a float becomes the nearest integer, half to even, and NaN the fill value.
template <class Out, class Widest> struct Narrow {
    static DEVICE Out from(Widest value, Out) {
        if (value > 0) return (uint64) value > (uint64) Traits<Out>::largest() ? Traits<Out>::largest() : (Out) value;
        if (Traits<Out>::smallest() == 0) return 0;
        return (int64) value < (int64) Traits<Out>::smallest() ? Traits<Out>::smallest() : (Out) value;
    }
};
template <class Out> struct Narrow<Out, double> {
    static DEVICE Out from(double value, Out fill) {
        double rounded = half_even(value);
        if (rounded != rounded) return fill;
        if (rounded >= (double) Traits<Out>::largest()) return Traits<Out>::largest();
        if (rounded <= (double) Traits<Out>::smallest()) return Traits<Out>::smallest();
        return (Out) rounded;
    }
};
template <class Widest> struct Narrow<float32, Widest> {
    static DEVICE float32 from(Widest value, float32) { return float32(value); }
};
template <class Widest> struct Narrow<double, Widest> {
    static DEVICE double from(Widest value, double) { return (double) value; }
};
template <> struct Narrow<double, double> {
    static DEVICE double from(double value, double) { return value; }
};
template <> struct Narrow<float32, double> {
    static DEVICE float32 from(double value, float32) { return float32(value); }
};
template <class Widest> struct Narrow<float16, Widest> {
    static DEVICE float16 from(Widest value, float16) { return to_half((double) value); }
};
template <> struct Narrow<float16, double> {
    static DEVICE float16 from(double value, float16) { return to_half(value); }
};
template <class Widest> struct Narrow<truth, Widest> {
    static DEVICE truth from(Widest value, truth) { return truth{(uint8) (value > 0)}; }
};
template <> struct Narrow<truth, double> {
    static DEVICE truth from(double value, truth fill) {
        return value != value ? fill : truth{(uint8) (half_even(value) > 0)};
    }
};

template <class Out, class Natural> struct Convert {
    typedef typename Traits<Natural>::widest_type widest;
    static DEVICE Out from(Natural value, Out fill) { return Narrow<Out, widest>::from((widest) value, fill); }
};
template <class Out> struct Convert<Out, Out> {
    static DEVICE Out from(Out value, Out) { return value; }
};
template <class Out> struct Convert<Out, truth> {
    static DEVICE Out from(truth value, Out fill) { return Narrow<Out, int64>::from(value.value, fill); }
};
template <> struct Convert<truth, truth> {
    static DEVICE truth from(truth value, truth) { return value; }
};

template <class T> DEVICE T from_word(uint64 word) {
    // The first bytes of a word, which the processor has in little-endian order.
    T value;
    const char* source = (const char*) &word;
    char* target = (char*) &value;
    for (int i = 0; i < (int) sizeof(T); i++) target[i] = source[i];
    return value;
}
template <class T> DEVICE uint64 to_word(T value) {
    uint64 word = 0;
    const char* source = (const char*) &value;
    char* target = (char*) &word;
    for (int i = 0; i < (int) sizeof(T); i++) target[i] = source[i];
    return word;
}

}  // namespace skpool
