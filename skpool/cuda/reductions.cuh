// Reductions: what a window's samples are folded into, one struct each, as `skpool.kernels` has them.
//
// `lift` makes a state of a sample, `join` one of two neighbours (the earlier first), `identity` is that of no sample,
// and `finish` makes the result. `ordered` says that results depend on the order of a fold, which is then the tree
// T(k) = T(h) + T(k - h), h the largest power of two below k, down the rows and then across the columns. `by_columns`
// says that the last of equals counts in that order: 0.0 and -0.0 are equal.
#pragma once
#include "elementary.cuh"
#include "windows.cuh"

namespace skpool {

// --- maximum, minimum, their places, the range

struct Largest {
    template <class Row> static DEVICE bool beats(Row b, Row a) { return b > a; }
    template <class Row> static DEVICE Row worst() { return Traits<Row>::smallest(); }
};

struct Smallest {
    template <class Row> static DEVICE bool beats(Row b, Row a) { return b < a; }
    template <class Row> static DEVICE Row worst() { return Traits<Row>::largest(); }
};

template <class Which, class Row> DEVICE Row better(Row a, Row b) {
    Row best = Which::template beats<Row>(a, b) ? a : b;
    return is_nan(a) ? a : best;
}

template <class Pixel> struct Kept { typedef typename Stored<Pixel>::row type; };
template <> struct Kept<truth> { typedef truth type; };

template <class Natural, class Row> DEVICE Natural kept(Row value) { return value; }
template <> DEVICE truth kept<truth, uint8>(uint8 value) { return truth{value}; }

template <class PixelType, class Which> struct Extremum {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef Row State;
    typedef typename Kept<Pixel>::type Natural;
    static const bool ordered = false, indexed = false, by_columns = Traits<Row>::real;
    DEVICE Extremum(const Plan&) {}
    DEVICE State identity() const { return Which::template worst<Row>(); }
    DEVICE State lift(const Sample<Row>& sample) const { return sample.value; }
    DEVICE State join(State a, State b) const { return better<Which>(a, b); }
    DEVICE Natural finish(State state, int64, bool) const { return kept<Natural>(state); }
};
template <class Pixel> struct Max : Extremum<Pixel, Largest> {
    DEVICE Max(const Plan& plan) : Extremum<Pixel, Largest>(plan) {}
};
// The same, and whether there is any sample at all.
template <class Pixel> struct FoundMax : Max<Pixel> {
    DEVICE FoundMax(const Plan& plan) : Max<Pixel>(plan) {}
};
template <class R> struct Finds { static const bool value = false; };
template <class Pixel> struct Finds<FoundMax<Pixel> > { static const bool value = true; };

template <class Pixel> struct Min : Extremum<Pixel, Smallest> {
    DEVICE Min(const Plan& plan) : Extremum<Pixel, Smallest>(plan) {}
};

template <class Row> struct Placed {
    Row value;
    int64 place, index;             // place -1: no sample yet
};

template <class PixelType, class Which> struct IndexedExtremum {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef Placed<Row> State;
    typedef typename Kept<Pixel>::type Natural;
    static const bool ordered = false, indexed = true, by_columns = false;
    DEVICE IndexedExtremum(const Plan&) {}
    DEVICE State identity() const { return State{Which::template worst<Row>(), -1, -1}; }
    DEVICE State lift(const Sample<Row>& sample) const { return State{sample.value, sample.place, sample.index}; }
    DEVICE State join(const State& a, const State& b) const {
        if (b.place < 0) return a;
        if (a.place < 0) return b;
        bool beats = is_nan(b.value) ? !is_nan(a.value) : Which::template beats<Row>(b.value, a.value);
        bool ties = b.value == a.value || (is_nan(a.value) && is_nan(b.value));
        return beats || (ties && b.place < a.place) ? b : a;
    }
    DEVICE Natural finish(const State& state, int64, bool) const { return kept<Natural>(state.value); }
};
template <class Pixel> struct ArgMax : IndexedExtremum<Pixel, Largest> {
    DEVICE ArgMax(const Plan& plan) : IndexedExtremum<Pixel, Largest>(plan) {}
};
template <class Pixel> struct ArgMin : IndexedExtremum<Pixel, Smallest> {
    DEVICE ArgMin(const Plan& plan) : IndexedExtremum<Pixel, Smallest>(plan) {}
};

template <class Row> struct HighAndLow {
    Row high, low;
};

// The difference in as many bits: of signed numbers it is right as an unsigned one.
template <class Natural, class Row> struct Difference {
    static DEVICE Natural of(Row high, Row low) { return (Natural) ((uint64) high - (uint64) low); }
};
template <class Row> struct Difference<truth, Row> {
    static DEVICE truth of(Row high, Row low) { return truth{(uint8) (high - low)}; }
};
template <> struct Difference<float32, float32> {
    static DEVICE float32 of(float32 high, float32 low) { return high - low; }
};
template <class Row> struct Difference<double, Row> {
    static DEVICE double of(Row high, Row low) { return (double) high - (double) low; }
};

template <class PixelType, class NaturalType> struct Range {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef HighAndLow<Row> State;
    typedef NaturalType Natural;
    static const bool ordered = false, indexed = false, by_columns = Traits<Row>::real;
    DEVICE Range(const Plan&) {}
    DEVICE State identity() const { return State{Largest::worst<Row>(), Smallest::worst<Row>()}; }
    DEVICE State lift(const Sample<Row>& sample) const { return State{sample.value, sample.value}; }
    DEVICE State join(const State& a, const State& b) const {
        return State{better<Largest>(a.high, b.high), better<Smallest>(a.low, b.low)};
    }
    DEVICE Natural finish(const State& state, int64, bool) const {
        return Difference<Natural, Row>::of(state.high, state.low);
    }
};

// --- counts

struct Nothing {};

template <class PixelType> struct Count {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef Nothing State;
    typedef int64 Natural;
    static const bool ordered = false, indexed = false, by_columns = false;
    DEVICE Count(const Plan&) {}
    DEVICE State identity() const { return State(); }
    DEVICE State lift(const Sample<Row>&) const { return State(); }
    DEVICE State join(State, State) const { return State(); }
    DEVICE Natural finish(State, int64 count, bool) const { return count; }
};

// --- sums and averages

// A total of 64-bit integers that does not wrap: sums of the low 32 bits and of the high ones.
struct TwoWords {
    uint64 low, high;
    DEVICE TwoWords operator+(TwoWords other) const { return TwoWords{low + other.low, high + other.high}; }
};

template <class Row> struct IsSigned { static const bool value = false; };
template <> struct IsSigned<int8> { static const bool value = true; };
template <> struct IsSigned<int16> { static const bool value = true; };
template <> struct IsSigned<int32> { static const bool value = true; };
template <> struct IsSigned<int64> { static const bool value = true; };

// A total: what it is at no sample (-0.0 changes no sum, not even that of zeros), at one, and as a number.
template <class Total, class Row> struct Totals {
    static const bool ordered = false;
    static DEVICE Total none() { return 0; }
    static DEVICE Total of(Row value) { return (Total) value; }
    typedef typename Traits<Total>::unsigned_type Unsigned;
    static DEVICE int64 as_signed(uint64 total) { return (int64) total; }
    static DEVICE int64 as_signed(uint32 total) { return (int32) total; }
    template <class Natural> static DEVICE Natural number(Total total) {
        return IsSigned<Row>::value ? (Natural) as_signed(total) : (Natural) total;
    }
};
template <class Row> struct Totals<float32, Row> {
    static const bool ordered = true;
    static DEVICE float32 none() { return float32::from_bits(0x80000000U); }
    static DEVICE float32 of(Row value) { return value; }
    template <class Natural> static DEVICE Natural number(float32 total) {
        return Convert<Natural, float32>::from(total, Natural());
    }
};
template <class Row> struct Totals<double, Row> {
    static const bool ordered = true;
    static DEVICE double none() { return -0.0; }
    static DEVICE double of(Row value) { return (double) value; }
    template <class Natural> static DEVICE Natural number(double total) { return (Natural) total; }
};
template <class Row> struct Totals<TwoWords, Row> {
    static const bool ordered = false;
    static DEVICE TwoWords none() { return TwoWords{0, 0}; }
    static DEVICE TwoWords of(Row value) { return TwoWords{(uint64) value & 0xffffffffULL, (uint64) (value >> 32)}; }
    template <class Natural> static DEVICE Natural number(TwoWords total) {
        return (IsSigned<Row>::value ? (double) (int64) total.high : (double) total.high) * 4294967296.0
            + (double) total.low;
    }
};

template <class PixelType, class Total, class NaturalType> struct Sum {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef Total State;
    typedef NaturalType Natural;
    static const bool ordered = Totals<Total, Row>::ordered, indexed = false, by_columns = false;
    DEVICE Sum(const Plan&) {}
    DEVICE State identity() const { return Totals<Total, Row>::none(); }
    DEVICE State lift(const Sample<Row>& sample) const { return Totals<Total, Row>::of(sample.value); }
    DEVICE State join(State a, State b) const { return a + b; }
    DEVICE Natural finish(State state, int64, bool) const {
        return Totals<Total, Row>::template number<Natural>(state);
    }
};

DEVICE uint64 half_even(uint64 total, uint64 count) {
    uint64 quotient = total / count, rest = total - quotient * count, twice = 2 * rest;
    return quotient + ((twice > count) | ((twice == count) & (quotient & 1)));
}

// Quotients of a total and a count; integers are rounded half to even.
template <class Natural, class Total, class Row> struct Quotient {
    static DEVICE Natural of(Total total, double divisor, int64 count, bool) {
        if (divisor != 0 || count == 0) return 0;
        if (IsSigned<Row>::value && Totals<Total, Row>::as_signed(total) < 0) {
            return (Natural) -(int64) half_even((uint64) -Totals<Total, Row>::as_signed(total), (uint64) count);
        }
        return (Natural) half_even((uint64) total, (uint64) count);
    }
};
template <class Total, class Row> struct Quotient<double, Total, Row> {
    static DEVICE double of(Total total, double divisor, int64 count, bool) {
        return Totals<Total, Row>::template number<double>(total) / (divisor != 0 ? divisor : (double) count);
    }
};
template <class Total, class Row> struct Quotient<float32, Total, Row> {
    static DEVICE float32 of(Total total, double divisor, int64 count, bool whole) {
        double number = divisor != 0 ? divisor : (double) count;
        bool exact = number > 0 && (bits_of(number) & 0xfffffffffffffULL) == 0 && (float32(1.0 / number).bits() & 0x7fffffffU) != 0;
        // Totals of 64 bits are rounded once where the division is exact, as on the CPU.
        if (exact && (whole || divisor != 0)) {
            return Totals<Total, Row>::template number<float32>(total) * float32(1.0 / number);
        }
        return float32(Totals<Total, Row>::template number<double>(total) / number);
    }
};
template <class Natural, class Row> struct Quotient<Natural, TwoWords, Row> {
    // Long division of high * 2**32 + low, digit by digit; a count below 2**31 leaves room for each remainder.
    static DEVICE Natural of(TwoWords total, double, int64 count, bool) {
        if (count == 0) return 0;
        Natural high = (Natural) total.high, digit = high / (Natural) count;
        high -= digit * (Natural) count;
        if (IsSigned<Row>::value && (int64) high < 0) {  // floor, so that the remainder is not negative
            high += (Natural) count;
            digit--;
        }
        uint64 rest = ((uint64) high << 32) + total.low;
        return (Natural) (((uint64) digit << 32) + half_even(rest, (uint64) count));
    }
};
template <class Row> struct Quotient<double, TwoWords, Row> {
    static DEVICE double of(TwoWords total, double divisor, int64 count, bool) {
        return Totals<TwoWords, Row>::template number<double>(total) / (divisor != 0 ? divisor : (double) count);
    }
};

template <class PixelType, class Total, class NaturalType> struct Avg : Sum<PixelType, Total, NaturalType> {
    typedef typename Stored<PixelType>::row Row;
    double divisor;
    DEVICE Avg(const Plan& plan) : Sum<PixelType, Total, NaturalType>(plan), divisor(plan.divisor) {}
    DEVICE NaturalType finish(Total state, int64 count, bool whole) const {
        return Quotient<NaturalType, Total, Row>::of(state, divisor, count, whole);
    }
};

// Averages by float32 totals; those that overflow are computed again by float64.
template <class PixelType, class NaturalType>
struct AvgOfSingles : Avg<PixelType, float32, NaturalType> {
    typedef Avg<PixelType, double, double> Again;
    DEVICE AvgOfSingles(const Plan& plan) : Avg<PixelType, float32, NaturalType>(plan) {}
    static DEVICE bool is_lost(float32 state) { return is_infinite(state); }
};

// --- what maps samples to float64 first: powers, exponentials, moments. Operations as in kernels/mapped.pyx

template <class PixelType, class NaturalType> struct Mapped {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef NaturalType Natural;
    static const bool ordered = true, indexed = false, by_columns = false;
    static DEVICE Natural result(double value) { return Narrow<Natural, double>::from(value, Natural()); }
};

DEVICE double larger(double a, double b) { return a >= b || a != a ? a : b; }

DEVICE double raised(double value, double p) {
    if (p == 0.5) return __dsqrt_rn(value);
    if (p == 1) return value;
    if (p == 1.5) return value * __dsqrt_rn(value);
    if (p == 2) return value * value;
    if (p == 2.5) return value * value * __dsqrt_rn(value);
    if (p == 3) return value * value * value;
    if (p == 3.5) return value * value * value * __dsqrt_rn(value);
    if (p == 4) return (value * value) * (value * value);
    return pow64(value, p);
}

DEVICE double root(double value, double p) {
    if (p == 1) return value;
    if (p == 2) return __dsqrt_rn(value);
    if (p == 4) return __dsqrt_rn(__dsqrt_rn(value));
    // 1 / p as rounded misses by `rest`; what that makes of a power is known to first order.
    double exponent = 1.0 / p, rest = __fma_rn(-p, exponent, 1.0) / p;
    double usual = value > 1e-300 && value < 1e300 ? value : 1.0;
    return pow64(value, exponent) * (1.0 + rest * log64(usual));
}

// Sums of powers. Those that may leave the range of float64 are folded again, with samples scaled by 2**-shift.
template <class PixelType, class NaturalType> struct Powers : Mapped<PixelType, NaturalType> {
    typedef double State;
    double p;
    int64 shift;
    DEVICE Powers(const Plan& plan) : p(plan.first), shift(0) {}
    DEVICE double identity() const { return 0; }
    DEVICE double join(double a, double b) const { return a + b; }
    DEVICE double scaled_back(double value) const { return shift ? shifted_by(value, shift) : value; }
    template <class Row> DEVICE double number(Row value) const {
        return shift ? shifted_by((double) value, -shift) : (double) value;
    }
};

template <class Pixel, class Natural> struct Lp : Powers<Pixel, Natural> {
    typedef Sample<typename Stored<Pixel>::row> Sampled;
    DEVICE Lp(const Plan& plan) : Powers<Pixel, Natural>(plan) {}
    static DEVICE double size(const Sampled& sample, const Plan&) { return magnitude_of((double) sample.value); }
    DEVICE double lift(const Sampled& sample) const { return raised(magnitude_of(this->number(sample.value)), this->p); }
    DEVICE double value(double state, int64) const { return this->scaled_back(root(state, this->p)); }
    DEVICE Natural finish(double state, int64 count, bool) const { return this->result(value(state, count)); }
};

template <class Pixel, class Natural> struct PowerMean : Lp<Pixel, Natural> {
    DEVICE PowerMean(const Plan& plan) : Lp<Pixel, Natural>(plan) {}
    DEVICE double value(double state, int64 count) const { return Lp<Pixel, Natural>::value(state / (double) count, count); }
    DEVICE Natural finish(double state, int64 count, bool) const { return this->result(value(state, count)); }
};

template <class Pixel, class Natural> struct Gem : PowerMean<Pixel, Natural> {
    typedef Sample<typename Stored<Pixel>::row> Sampled;
    double least;
    DEVICE Gem(const Plan& plan) : PowerMean<Pixel, Natural>(plan), least(plan.second) {}
    static DEVICE double size(const Sampled& sample, const Plan& plan) {
        return (double) sample.value < plan.second ? plan.second : (double) sample.value;
    }
    DEVICE double lift(const Sampled& sample) const {
        double value = this->number(sample.value), lowest = this->shift ? shifted_by(least, -this->shift) : least;
        return raised(value < lowest ? lowest : value, this->p);
    }
};

template <class Pixel, class Natural> struct LargestMagnitude : Mapped<Pixel, Natural> {
    typedef double State;
    DEVICE LargestMagnitude(const Plan&) {}
    DEVICE double identity() const { return 0; }
    DEVICE double lift(const Sample<typename Stored<Pixel>::row>& sample) const {
        return magnitude_of((double) sample.value);
    }
    DEVICE double join(double a, double b) const { return larger(a, b); }
    DEVICE Natural finish(double state, int64, bool) const { return this->result(state); }
};

// The largest exponent, the sum of exp(z - top), and that of x exp(z - top).
struct Exponential {
    double top, sum;
};
struct Weighed {
    double top, sum, value;
};

DEVICE double drop(double a, double b) { return a == b ? 0.0 : -magnitude_of(a - b); }

// A weight of zero counts for nothing, not even against an infinity.
DEVICE double weighed(double value, double weight) { return weight == 0 ? 0.0 : value * weight; }

template <class Pixel, class Natural> struct LogSumExp : Mapped<Pixel, Natural> {
    typedef Exponential State;
    double sharpness;
    DEVICE LogSumExp(const Plan& plan) : sharpness(plan.first) {}
    DEVICE State identity() const { return State{-infinity(), 0}; }
    DEVICE State lift(const Sample<typename Stored<Pixel>::row>& sample) const {
        return State{sharpness * (double) sample.value, 1};
    }
    DEVICE State join(const State& a, const State& b) const {
        double scale = exp_nonpositive64(drop(a.top, b.top));
        return State{larger(a.top, b.top), a.top >= b.top ? a.sum + b.sum * scale : b.sum + a.sum * scale};
    }
    DEVICE Natural finish(const State& state, int64 count, bool) const {
        return this->result((state.top + log64(state.sum / (double) count)) / sharpness);
    }
};

template <class Pixel, class Natural> struct Soft : Mapped<Pixel, Natural> {
    typedef Weighed State;
    double temperature;
    DEVICE Soft(const Plan& plan) : temperature(plan.first) {}
    DEVICE State identity() const { return State{-infinity(), 0, 0}; }
    DEVICE State lift(const Sample<typename Stored<Pixel>::row>& sample) const {
        return State{(double) sample.value / temperature, 1, (double) sample.value};
    }
    DEVICE State join(const State& a, const State& b) const {
        double scale = exp_nonpositive64(drop(a.top, b.top)), top = larger(a.top, b.top);
        if (a.top >= b.top) return State{top, a.sum + b.sum * scale, a.value + weighed(b.value, scale)};
        return State{top, b.sum + a.sum * scale, b.value + weighed(a.value, scale)};
    }
    DEVICE Natural finish(const State& state, int64, bool) const { return this->result(state.value / state.sum); }
};

// Count, mean, sum of squared deviations, and what the mean lacks; joined by Chan's formula.
struct Moments {
    double count, mean, squares, rest;
};

template <class Pixel, class Natural> struct Var : Mapped<Pixel, Natural> {
    typedef Moments State;
    double ddof;
    DEVICE Var(const Plan& plan) : ddof(plan.first) {}
    DEVICE State identity() const { return State{0, 0, 0, 0}; }
    DEVICE State lift(const Sample<typename Stored<Pixel>::row>& sample) const {
        // An infinity has no deviation from itself: NaN, as in a window of more samples.
        double value = (double) sample.value;
        return State{1, value, value - value, 0};
    }
    DEVICE State join(const State& a, const State& b) const {
        double count = a.count + b.count, share = b.count / (count > 1 ? count : 1.0);
        double deviation = (b.mean - a.mean) + (b.rest - a.rest), change = deviation * share;
        double mean = a.mean + change, taken = mean - a.mean;  // Knuth's sum: what rounding left of both terms
        double squares = (a.squares + b.squares) + (deviation * deviation) * (a.count * share);
        return State{count, mean, squares, a.rest + ((a.mean - (mean - taken)) + (change - taken))};
    }
    DEVICE double variance(const State& state) const {
        double freedom = state.count - ddof;
        return state.squares / (freedom > 0 ? freedom : not_a_number());
    }
    DEVICE Natural finish(const State& state, int64, bool) const { return this->result(variance(state)); }
};

template <class Pixel, class Natural> struct Std : Var<Pixel, Natural> {
    DEVICE Std(const Plan& plan) : Var<Pixel, Natural>(plan) {}
    DEVICE Natural finish(const Moments& state, int64, bool) const {
        return this->result(__dsqrt_rn(this->variance(state)));
    }
};

}  // namespace skpool
