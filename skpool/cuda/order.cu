// Order statistics and labels: one thread for each element of the result, which sorts the samples of its window.
//
// Samples are integers, as `skpool.kernels.order` has them: floats come as keys in the same order, -0.0 as 0.0 and NaN
// the largest. Each is compared with all places in turn, so no place is known by data only, and all stay in registers.
// Bytes moved per element of the result are those of a fold (pool.cu): windows that overlap read through the caches.
#include "folds.cuh"

namespace skpool {

// --- samples as integers

template <class Row> struct Keys {
    typedef Row Key;
    static DEVICE Key of(Row value) { return value; }
    static DEVICE Row row(Key key) { return key; }
};
template <> struct Keys<float32> {
    typedef int32 Key;
    static DEVICE Key turned(Key bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }
    static DEVICE Key of(float32 value) {
        if (is_nan(value)) return 0x7fffffff;
        return value.bits() == 0x80000000U ? 0 : turned((Key) value.bits());
    }
    static DEVICE float32 row(Key key) { return float32::from_bits((uint32) turned(key)); }
};
template <> struct Keys<double> {
    typedef int64 Key;
    static DEVICE Key turned(Key bits) { return bits ^ ((bits >> 63) & 0x7fffffffffffffffLL); }
    static DEVICE Key of(double value) {
        if (is_nan(value)) return 0x7fffffffffffffffLL;
        return bits_of(value) == 0x8000000000000000ULL ? 0 : turned((Key) bits_of(value));
    }
    static DEVICE double row(Key key) { return from_bits((uint64) turned(key)); }
};

template <class Row> DEVICE double number(typename Keys<Row>::Key key) { return (double) Keys<Row>::row(key); }

// --- the samples of a window

template <class RowType, int Capacity> struct Sorted {
    typedef RowType Row;
    typedef typename Keys<Row>::Key Key;
    static const int capacity = Capacity;
    Key at[Capacity];               // ascending; the largest integer where there is no sample
    int count;

    DEVICE Sorted() : count(0) {
#pragma unroll
        for (int t = 0; t < Capacity; t++) at[t] = Traits<Key>::largest();
    }

    DEVICE void take(Key sample) {
#pragma unroll
        for (int t = 0; t < Capacity; t++) {
            Key before = at[t];
            bool goes_here = sample < before;
            at[t] = goes_here ? sample : before;
            sample = goes_here ? before : sample;
        }
        count++;
    }

    DEVICE Key ranked(int64 rank) const {
        Key found = at[0];
#pragma unroll
        for (int t = 1; t < Capacity; t++) found = t == rank ? at[t] : found;
        return found;
    }

    DEVICE bool has_nan() const { return Traits<Row>::real && count > 0 && ranked(count - 1) == Traits<Key>::largest(); }
};

template <class RowType, int Capacity> struct InTurn {
    typedef RowType Row;
    typedef typename Keys<Row>::Key Key;
    static const int capacity = Capacity;
    Key at[Capacity];
    int count;

    DEVICE InTurn() : count(0) {}

    DEVICE void take(Key sample) {
#pragma unroll
        for (int t = 0; t < Capacity; t++) at[t] = t == count ? sample : at[t];
        count++;
    }

    DEVICE int equal_to(Key sample) const {
        int equal = 0;
#pragma unroll
        for (int t = 0; t < Capacity; t++) equal += t < count && at[t] == sample;
        return equal;
    }

    DEVICE bool has_nan() const { return Traits<Row>::real && equal_to(Traits<Key>::largest()) > 0; }
};

template <class Samples, class Window> DEVICE void collect(Samples& samples, const Window& window) {
    typedef Keys<typename Samples::Row> K;
    if (window.plan.taps) {
        const int64* taps = window.plan.table(window.plan.taps);
        for (int64 i = 0; i < window.plan.taps_found; i++) {
            Sample<typename Samples::Row> sample = window.sample_at(taps[i]);
            if (sample.counts) samples.take(K::of(sample.value));
        }
        return;
    }
    for (int64 row = 0; row < window.rows; row++) {
        Line line = window.line(row);
        for (int64 tap = window.columns().first; tap < window.columns().stop; tap++) {
            Sample<typename Samples::Row> sample = window.sample(line, tap);
            if (sample.counts) samples.take(K::of(sample.value));
        }
    }
}

// --- what is made of them. `sorts` tells in which order samples are wanted, `counts_nan` whether NaN is one like others

// Tables of ranks and weights, by the number of samples that count, or by rank.
DEVICE int64 low_of(const Plan& plan, int64 count) { return plan.table(plan.low)[count]; }
DEVICE int64 high_of(const Plan& plan, int64 count) { return plan.table(plan.high)[count]; }
DEVICE double weight_of(const Plan& plan, int64 number) { return plan.number(plan.weight, number); }

// The mean of two samples, rounded once.
template <class Row> struct Halves {
    typedef typename Keys<Row>::Key Key;
    static DEVICE double of(Key a, Key b) { return (number<Row>(a) + number<Row>(b)) * 0.5; }
};
template <> struct Halves<double> {
    static DEVICE double of(int64 a, int64 b) {
        double low = number<double>(a), high = number<double>(b), total = low + high;
        return total - total != 0 ? low * 0.5 + high * 0.5 : total * 0.5;  // the sum may overflow
    }
};
template <> struct Halves<int64> {
    static DEVICE double of(int64 a, int64 b) {
        int64 whole = (a & b) + ((a ^ b) >> 1), half = (a ^ b) & 1, quarter = (int64) 1 << 61;
        if (-quarter <= whole && whole < quarter) return (double) (2 * whole + half) * 0.5;
        return (double) (whole | half);  // rounds to multiples of 512: a half tells on which side
    }
};
template <> struct Halves<uint64> {
    static DEVICE double of(uint64 a, uint64 b) {
        uint64 whole = (a & b) + ((a ^ b) >> 1), half = (a ^ b) & 1;
        return whole < (uint64) 1 << 62 ? (double) (2 * whole + half) * 0.5 : (double) (whole | half);
    }
};

// As `np.percentile` interpolates; two infinities of one sign are one.
DEVICE double between(double low, double high, double weight) {
    if (low == high) return low;
    return weight < 0.5 ? low + (high - low) * weight : high - (high - low) * (1 - weight);
}

template <class PixelType, class NaturalType, bool Sorts = true, bool CountsNaN = false> struct Ordered {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef typename Keys<Row>::Key Key;
    typedef NaturalType Natural;
    static const bool sorts = Sorts, counts_nan = CountsNaN;
};

template <class Pixel> struct Quantile : Ordered<Pixel, double> {
    typedef typename Stored<Pixel>::row Row;
    template <class Samples> static DEVICE double of(const Samples& samples, const Plan& plan) {
        typename Samples::Key low = samples.ranked(low_of(plan, samples.count));
        typename Samples::Key high = samples.ranked(high_of(plan, samples.count));
        double weight = weight_of(plan, samples.count);
        if (weight == 0.5) return Halves<Row>::of(low, high);
        return between(number<Row>(low), number<Row>(high), weight);
    }
};

// Halfway between integers, rounded to the even one; of floats one of them.
template <class Row> struct Whole {
    static DEVICE Row of(Row low, Row high) {
        Row whole = (Row) ((low & high) + ((low ^ high) >> 1));
        return (Row) (whole + ((low ^ high) & 1 & whole));
    }
};
template <> struct Whole<float32> {
    static DEVICE float32 of(int32 low, int32) { return Keys<float32>::row(low); }
};
template <> struct Whole<double> {
    static DEVICE double of(int64 low, int64) { return Keys<double>::row(low); }
};

template <class Pixel> struct WholeQuantile : Ordered<Pixel, typename Kept<Pixel>::type> {
    typedef typename Stored<Pixel>::row Row;
    typedef typename Kept<Pixel>::type Natural;
    template <class Samples> static DEVICE Natural of(const Samples& samples, const Plan& plan) {
        typename Samples::Key low = samples.ranked(low_of(plan, samples.count));
        typename Samples::Key high = samples.ranked(high_of(plan, samples.count));
        return kept<Natural>(Whole<Row>::of(low, high));
    }
};

// The mean of the samples from one rank to before another.
template <class Pixel> struct MeanBetween : Ordered<Pixel, double> {
    typedef typename Stored<Pixel>::row Row;
    template <class Samples> static DEVICE double of(const Samples& samples, const Plan& plan) {
        int64 low = low_of(plan, samples.count), high = high_of(plan, samples.count);
        double total = 0;
#pragma unroll
        for (int t = 0; t < Samples::capacity; t++) {
            if (t >= low && t < high) total += number<Row>(samples.at[t]);
        }
        return total / (double) (high - low);
    }
};

// The sum of the highest samples by the weights of their ranks, from the highest down.
template <class Pixel> struct WeightedRanks : Ordered<Pixel, double> {
    typedef typename Stored<Pixel>::row Row;
    template <class Samples> static DEVICE double of(const Samples& samples, const Plan& plan) {
        int64 taken = high_of(plan, samples.count);
        double total = 0;
#pragma unroll
        for (int t = Samples::capacity - 1; t >= 0; t--) {
            int rank = samples.count - 1 - t;
            if (rank >= 0 && rank < taken) total += weight_of(plan, rank + 1) * number<Row>(samples.at[t]);
        }
        return total;
    }
};

// The most frequent value: the longest run of equal samples, of several the first or the last. One that is treated
// apart has no run.
template <class Pixel, bool LastOfTies> struct ModeOf : Ordered<Pixel, typename Kept<Pixel>::type> {
    typedef typename Stored<Pixel>::row Row;
    typedef typename Kept<Pixel>::type Natural;
    template <class Samples> static DEVICE Natural of(const Samples& samples, const Plan& plan) {
        typedef typename Samples::Key Key;
        Key apart = from_word<Key>(plan.apart), best = samples.at[0];
        int run = 0, longest = 0;
#pragma unroll
        for (int t = 0; t < Samples::capacity; t++) {
            if (t < samples.count) {
                run = t > 0 && samples.at[t] == samples.at[t ? t - 1 : 0] ? run + 1 : 1;
                bool counts = !(plan.treats_apart && samples.at[t] == apart);
                if (counts && (run > longest || (LastOfTies && run == longest))) {
                    longest = run;
                    best = samples.at[t];
                }
            }
        }
        return kept<Natural>(Keys<Row>::row(best));
    }
};
template <class Pixel> struct Mode : ModeOf<Pixel, false> {};
template <class Pixel> struct LastMode : ModeOf<Pixel, true> {};

// The most frequent value, of several the one that comes first.
template <class Pixel> struct FirstMode : Ordered<Pixel, typename Kept<Pixel>::type, false> {
    typedef typename Stored<Pixel>::row Row;
    typedef typename Kept<Pixel>::type Natural;
    template <class Samples> static DEVICE Natural of(const Samples& samples, const Plan& plan) {
        typedef typename Samples::Key Key;
        Key apart = from_word<Key>(plan.apart), best = apart;
        int most = 0;
#pragma unroll
        for (int t = 0; t < Samples::capacity; t++) {
            if (t < samples.count && !(plan.treats_apart && samples.at[t] == apart)) {
                int equal = samples.equal_to(samples.at[t]);
                best = equal > most ? samples.at[t] : best;
                most = equal > most ? equal : most;
            }
        }
        return kept<Natural>(Keys<Row>::row(best));
    }
};

template <class Pixel> struct Distinct : Ordered<Pixel, int64, true, true> {
    template <class Samples> static DEVICE int64 of(const Samples& samples, const Plan&) {
        int64 found = 1;
#pragma unroll
        for (int t = 1; t < Samples::capacity; t++) found += t < samples.count && samples.at[t] != samples.at[t - 1];
        return found;
    }
};

// log n - sum c log c / n over runs of c equal samples, by a table of c log c.
template <class Pixel> struct Entropy : Ordered<Pixel, double, true, true> {
    template <class Samples> static DEVICE double of(const Samples& samples, const Plan& plan) {
        double total = 0;
        int run = 1;
#pragma unroll
        for (int t = 1; t < Samples::capacity; t++) {
            if (t < samples.count) {
                bool goes_on = samples.at[t] == samples.at[t - 1];
                if (!goes_on) total += weight_of(plan, run);
                run = goes_on ? run + 1 : 1;
            }
        }
        total += weight_of(plan, run);
        total = (weight_of(plan, samples.count) - total) / (double) samples.count;
        return total > 0 ? total : 0.0;
    }
};

// --- the kernel

template <class Natural> DEVICE Natural undefined() { return Natural(); }
template <> DEVICE float32 undefined<float32>() { return float32::from_bits(0x7fc00000U); }
template <> DEVICE double undefined<double>() { return not_a_number(); }

template <bool Sorts, class Row, int Capacity> struct Gathered { typedef Sorted<Row, Capacity> type; };
template <class Row, int Capacity> struct Gathered<false, Row, Capacity> { typedef InTurn<Row, Capacity> type; };

template <class R, class Out, int Leading, int Capacity>
__global__ void order(const char* image, const char* mask, Alarm* alarm, char* out, char*, const Plan* words) {
    typedef typename R::Natural Natural;
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<typename R::Pixel, Leading> window(plan, input, i);
        typename Gathered<R::sorts, typename R::Row, Capacity>::type samples;
        collect(samples, window);
        Natural value = Natural();
        if (samples.count > 0) {
            value = !R::counts_nan && samples.has_nan() ? undefined<Natural>() : R::of(samples, plan);
        }
        write<Out>(plan, out + window.out, value, samples.count);
    }
}

}  // namespace skpool
