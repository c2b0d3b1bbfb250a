// Labelled regions: one block of threads for each channel of each region, over its pixels as they were sorted by label.
//
// The pixels of a region come in row-major order, and are folded by the tree of all folds: each thread takes a run
// of them, a power of two long, then neighbours are joined. So results depend on nothing but the region, and
// whatever rounds would do so otherwise than on the CPU, which knows no order of a region: that is done below. Bytes moved for each pixel and channel: the pixel and its place, 8 bytes. Regions are as fast as blocks are
// many: one region alone keeps one multiprocessor busy.
#include "folds.cuh"

namespace skpool {

// Axis `channels` of the plan is that of the channels, and those before it are spatial ones, merged where they may be.
template <class Pixel> struct Region {
    typedef typename Stored<Pixel>::row Row;
    const Plan& plan;
    const char* image;
    const char* mask;               // or NULL
    Alarm* alarm;                   // or NULL: NaN may be
    const int64* order;             // of all pixels
    int64 channel;

    DEVICE Sample<Row> sample(int64 place) const {
        Sample<Row> found;
        int64 pixel = order[place], beside, outer = divided(pixel, plan.part, &beside);
        const Axis& channels = plan.axes[plan.channels];
        found.place = place;
        found.index = (outer * channels.outputs + channel) * plan.part + beside;  // `part` pixels lie side by side
        int64 at = offset_of(plan, plan.channels, pixel, &Axis::image) + channel * channels.image;
        found.value = Stored<Pixel>::read(*(const Pixel*) (image + at));
        found.counts = !(plan.omits && is_nan(found.value));
        if (mask) {
            at = offset_of(plan, plan.channels, pixel, &Axis::mask) + channel * channels.mask;
            found.counts &= *(const uint8*) (mask + at) != 0;
        }
        if (alarm && found.counts && is_nan(found.value)) alarm->nan = 1;
        return found;
    }
};

template <class R>
DEVICE Node<typename R::State> folded_run(
    const R& reduction, const Region<typename R::Pixel>& region, int64 begin, int64 end
) {
    Tree<R, DEEPEST> tree;
    Node<typename R::State> node;
    node.count = 0;
    for (int64 place = begin; place < end; place++) {
        tree.push(reduction, lifted(reduction, region.sample(place), node.count));
    }
    node.state = tree.finish(reduction);
    return node;
}

template <class R, class Out>
__global__ void pool_regions(
    const char* image, const char* mask, Alarm* alarm, const int64* order, const int64* spans, char* out, int64* places,
    const Plan* words
) {
    __shared__ Node<typename R::State> nodes[THREADS];
    const Plan& plan = *words;
    const int64 channels = plan.axes[plan.channels].outputs;
    for (int64 i = blockIdx.x; i < plan.outputs; i += gridDim.x) {
        int64 channel, row = divided(i, channels, &channel), first = spans[2 * row], pixels = spans[2 * row + 1] - first;
        Region<typename R::Pixel> region = {plan, image, mask, alarm, order, channel};
        R reduction(plan);
        int64 run = 1;
        while (run * THREADS < pixels) run *= 2;
        int64 found = (pixels + run - 1) / run, begin = first + threadIdx.x * run, end = begin + run;
        end = end < first + pixels ? end : first + pixels;
        nodes[threadIdx.x] = folded_run(reduction, region, begin, end);
        __syncthreads();
        join_block(reduction, nodes, found);
        if (threadIdx.x == 0) {
            const Node<typename R::State>& node = nodes[0];
            write<Out>(plan, out + i * (int64) sizeof(Out), reduction.finish(node.state, node.count, false), node.count);
            if (R::indexed) places[i] = node.count < plan.minimum ? -1 : index_of(node.state);
        }
        __syncthreads();
    }
}

// --- sums of floats and what is made of them, in the order of the CPU (kernels/labels.pyx)
//
// The CPU gives each block of pixels of the image a sum for each region, and adds these up. A thread makes the sum of one
// block, a segment of the region's pixels: one after the other, but for steps of 16 pixels that lie wholly in the region,
// which are added in lanes of 8. So the bits are the CPU's, and what can be shared are segments: one region of an image
// of 64 blocks keeps 64 threads busy. Bytes moved for each pixel and channel: those above; a thread reads neighbours,
// which come from its caches. Regions in plenty have a thread each; of few the segments have, and the last thread of a
// region joins their sums, in order. Exponentials are relative to the extremum, and deviations to a number near the mean:
// these take a launch of their own, before.

enum { STEP = 16, LANES = 8, CHUNK = 1024 };

DEVICE double sum_of_lanes(const double* lanes) {
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// Float32 in a float64 total. Steps that follow each other share their lanes.
struct SumOfSingles {
    double total, lanes[LANES];
    bool is_open;

    DEVICE SumOfSingles() : total(0), is_open(false) {}
    DEVICE void add(double value) { total += value; }
    DEVICE void add_step(const double* values) {
#pragma unroll
        for (int k = 0; k < LANES; k++) lanes[k] = ((is_open ? lanes[k] : 0.0) + values[k]) + values[k + LANES];
        is_open = true;
    }
    DEVICE void close() {
        if (is_open) total += sum_of_lanes(lanes);
        is_open = false;
    }
    DEVICE void join(double later, double) { total += later; }
    DEVICE double lacking() const { return 0; }
    DEVICE double value() const { return total; }
};

// Knuth's sum: what rounding takes from either term is kept.
struct SumOfDoubles {
    double total, rest;

    DEVICE SumOfDoubles() : total(0), rest(0) {}
    DEVICE void add(double value) {
        double before = total, after = before + value, taken = after - before;
        total = after;
        rest = rest + ((before - (after - taken)) + (value - taken));
    }
    DEVICE void add_step(const double* values) {
        double lanes[LANES];
#pragma unroll
        for (int k = 0; k < LANES; k++) lanes[k] = values[k] + values[k + LANES];
        add(sum_of_lanes(lanes));
    }
    DEVICE void close() {}
    DEVICE void join(double later, double lacks) {
        add(later);
        rest += lacks;
    }
    DEVICE double lacking() const { return rest; }
    DEVICE double value() const { return is_nan(total) || is_infinite(total) ? total : total + rest; }
};

// What is added up is one plane or two of numbers made of pixels. Where sums have left the range of float64, they are
// made again by the one thread that knows, of scaled pixels: few regions ever need that.
struct InRange {
    DEVICE bool is_lost(const Plan&, const double*, int64) const { return false; }
    template <class Row> DEVICE double size(Row) const { return 0; }
    DEVICE bool scale(double) { return false; }
};

// Pixels, for their sum
template <class PixelType, class NaturalType> struct Summed : InRange {
    typedef PixelType Pixel;
    typedef NaturalType Natural;
    enum { PLANES = 1 };
    DEVICE Summed(const Plan&, const char*, int64) {}
    DEVICE void map(const Sample<typename Stored<Pixel>::row>& sample, double* planes) const {
        planes[0] = (double) sample.value;
    }
    DEVICE Natural finish(const double* totals, int64) const {
        return Narrow<Natural, double>::from(totals[0], Natural());
    }
};

// or average,
template <class Pixel, class Natural> struct Averaged : Summed<Pixel, Natural> {
    double divisor;
    DEVICE Averaged(const Plan& plan, const char* known, int64 i)
        : Summed<Pixel, Natural>(plan, known, i), divisor(plan.divisor) {}
    DEVICE Natural finish(const double* totals, int64 count) const {
        double number = divisor != 0 ? divisor : (double) count;
        return Narrow<Natural, double>::from(totals[0] / number, Natural());
    }
};

// or a number near their mean: totals of very large numbers overflow, those of their parts do not;
template <class Pixel> struct Center : Averaged<Pixel, double> {
    double parts;
    DEVICE Center(const Plan& plan, const char* known, int64 i) : Averaged<Pixel, double>(plan, known, i), parts(1) {}
    DEVICE void map(const Sample<typename Stored<Pixel>::row>& sample, double* planes) const {
        planes[0] = (double) sample.value / parts;
    }
    DEVICE bool is_lost(const Plan&, const double* totals, int64) const {
        return Same<Pixel, double>::value && is_infinite(totals[0]);
    }
    DEVICE bool scale(double) {
        parts = 1099511627776.0;
        return true;
    }
    DEVICE double finish(const double* totals, int64 count) const { return totals[0] / (double) count * parts; }
};

// or deviations from such a center and their squares,
template <class Row> struct From {
    static DEVICE double of(Row value, const char* known, int64 i) { return (double) value - ((const double*) known)[i]; }
};
template <> struct From<int64> {
    static DEVICE double of(int64 value, const char* known, int64 i) {
        int64 center = ((const int64*) known)[i];
        return value >= center ? (double) ((uint64) value - (uint64) center) : -(double) ((uint64) center - (uint64) value);
    }
};
template <> struct From<uint64> {
    static DEVICE double of(uint64 value, const char* known, int64 i) {
        uint64 center = ((const uint64*) known)[i];
        return value >= center ? (double) (value - center) : -(double) (center - value);
    }
};
template <class R> struct Deviations : InRange {
    typedef typename R::Pixel Pixel;
    typedef typename R::Natural Natural;
    enum { PLANES = 2 };
    R reduction;
    const char* known;
    int64 region;

    DEVICE Deviations(const Plan& plan, const char* known, int64 i) : reduction(plan), known(known), region(i) {}
    DEVICE void map(const Sample<typename R::Row>& sample, double* planes) const {
        planes[0] = From<typename R::Row>::of(sample.value, known, region);
        planes[1] = planes[0] * planes[0];
    }
    DEVICE Natural finish(const double* totals, int64 count) const {
        double less = totals[1] - totals[0] * (totals[0] / (double) count);  // the center is rounded
        less = less < 0 ? 0.0 : less;
        return reduction.finish(Moments{(double) count, 0, is_infinite(totals[1]) ? totals[1] : less, 0}, count, false);
    }
};

// or powers; sums that may have lost bits are made again of multiples of the largest,
template <class R> struct OfMagnitudes { static const bool value = true; };
template <class P, class N> struct OfMagnitudes<Gem<P, N> > { static const bool value = false; };
template <class R> struct Powered {
    typedef typename R::Pixel Pixel;
    typedef typename R::Natural Natural;
    enum { PLANES = 1 };
    R reduction;
    double least, top;

    DEVICE Powered(const Plan& plan, const char*, int64)
        : reduction(plan), least(OfMagnitudes<R>::value ? -infinity() : plan.second), top(0) {}
    DEVICE void map(const Sample<typename R::Row>& sample, double* planes) const {
        double value = (double) sample.value;
        value = value < least ? least : value;
        planes[0] = raised(magnitude_of(top == 0 ? value : value / top), reduction.p);
    }
    DEVICE bool is_lost(const Plan& plan, const double* totals, int64 count) const {
        return plan.safe && count && (totals[0] < plan.least || totals[0] > 1 / plan.least);
    }
    template <class Row> DEVICE double size(Row value) const {
        return OfMagnitudes<R>::value ? magnitude_of((double) value) : larger((double) value, least);
    }
    DEVICE bool scale(double largest) {
        if (!(largest > 0) || is_infinite(largest)) return false;
        top = largest;
        return true;
    }
    DEVICE double finish(const double* totals, int64 count) const {
        double value = reduction.value(totals[0], count);
        return top == 0 ? value : value * top;
    }
};

// or exponentials relative to the largest one, which is that of a known extremum.
template <class R> struct Exponentials : InRange {
    typedef typename R::Pixel Pixel;
    typedef typename R::Natural Natural;
    typedef typename R::State State;
    enum { PLANES = sizeof(State) / 8 - 1 };
    R reduction;
    State nothing;

    DEVICE Exponentials(const Plan& plan, const char* known, int64 i) : reduction(plan), nothing(reduction.identity()) {
        Sample<typename R::Row> extremum;
        extremum.value = Stored<Pixel>::read(((const Pixel*) known)[i]);
        nothing.top = reduction.lift(extremum).top;
    }
    DEVICE void map(const Sample<typename R::Row>& sample, double* planes) const {
        parted(reduction.join(nothing, reduction.lift(sample)), planes);
    }
    static DEVICE void parted(const Exponential& state, double* planes) { planes[0] = state.sum; }
    static DEVICE void parted(const Weighed& state, double* planes) {
        planes[0] = state.sum;
        planes[1] = state.value;
    }
    static DEVICE void joined(Exponential& state, const double* totals) { state.sum = totals[0]; }
    static DEVICE void joined(Weighed& state, const double* totals) {
        state.sum = totals[0];
        state.value = totals[1];
    }
    DEVICE Natural finish(const double* totals, int64 count) const {
        State state = nothing;
        joined(state, totals);
        return reduction.finish(state, count, false);
    }
};

template <int Planes> struct Segment {
    double total[Planes], rest[Planes];
    int64 count;
};

// Add up the pixels of a region below pixel `limit`; `place` goes on to the first one that is not.
template <class Sum, class Map>
CALLED Segment<Map::PLANES> sum_of(
    const Map& mapped, const Region<typename Map::Pixel>& region, int64& place, int64 stop, int64 limit
) {
    enum { PLANES = Map::PLANES };
    Sum sums[PLANES];
    int64 count = 0, next = -1;
    while (place < stop && region.order[place] < limit) {
        int64 pixel = region.order[place];
        bool is_step = pixel % STEP == 0 && place + STEP <= stop && region.order[place + STEP - 1] == pixel + STEP - 1;
        Sample<typename Stored<typename Map::Pixel>::row> sample;
        typename Stored<typename Map::Pixel>::row rows[STEP];
        double values[PLANES][STEP], planes[PLANES];
        uint32 counted = 0;
        int found = is_step ? STEP : 1;
#pragma unroll 4
        for (int k = 0; k < found; k++) {  // four loads at a time
            sample = region.sample(place + k);
            rows[k] = sample.value;
            counted |= (uint32) sample.counts << k;
            count += sample.counts;
        }
#pragma unroll 1
        for (int k = 0; k < found; k++) {  // and what is made of them is long
            sample.value = rows[k];
            mapped.map(sample, planes);
#pragma unroll
            for (int p = 0; p < PLANES; p++) values[p][k] = planes[p];
        }
        bool is_whole = counted == 0xffff, goes_on = is_whole && pixel == next && pixel % CHUNK;
#pragma unroll
        for (int p = 0; p < PLANES; p++) {
            if (!goes_on) sums[p].close();
            if (is_whole) {
                sums[p].add_step(values[p]);
                continue;
            }
#pragma unroll
            for (int k = 0; k < STEP; k++) {
                if ((counted >> k) & 1) sums[p].add(values[p][k]);
            }
        }
        if (is_whole) next = pixel + STEP;
        place += found;
    }
    Segment<PLANES> segment;
    for (int p = 0; p < PLANES; p++) {
        sums[p].close();
        segment.total[p] = sums[p].total;
        segment.rest[p] = sums[p].lacking();
    }
    segment.count = count;
    return segment;
}

// The sums of a region, segment by segment, and its result.
template <class Sum, class Map> struct Joined {
    Sum sums[Map::PLANES];
    int64 count;

    DEVICE Joined() : count(0) {}
    DEVICE void take(const Segment<Map::PLANES>& segment) {
        for (int p = 0; segment.count && p < Map::PLANES; p++) sums[p].join(segment.total[p], segment.rest[p]);
        count += segment.count;
    }
    // All segments of a region.
    DEVICE void take_all(
        const Map& mapped, const Region<typename Map::Pixel>& region, int64 place, int64 stop, int64 block
    ) {
        int64 beside;
        while (place < stop) {
            int64 limit = (divided(region.order[place], block, &beside) + 1) * block;
            take(sum_of<Sum>(mapped, region, place, stop, limit));
        }
    }
    DEVICE void totals(double* totals) const {
        for (int p = 0; p < Map::PLANES; p++) totals[p] = sums[p].value();
    }
    template <class Out> DEVICE void finish(
        Map& mapped, const Region<typename Map::Pixel>& region, int64 place, int64 stop, int64 block, char* out
    ) const {
        double found[Map::PLANES];
        totals(found);
        if (mapped.is_lost(region.plan, found, count)) {
            double top = 0;
            for (int64 k = place; k < stop; k++) {
                Sample<typename Stored<typename Map::Pixel>::row> sample = region.sample(k);
                if (sample.counts) top = larger(top, mapped.size(sample.value));
            }
            if (mapped.scale(top)) {
                Joined<SumOfDoubles, Map> again;
                again.take_all(mapped, region, place, stop, block);
                again.totals(found);
            }
        }
        write<Out>(region.plan, out, mapped.finish(found, count), count);
    }
};

template <class Sum, class Map, class Out>
__global__ void sum_regions(
    const char* image, const char* mask, Alarm* alarm, const int64* order, const int64* spans, const char* known, char* out,
    const Plan* words, int64 block
) {
    const Plan& plan = *words;
    const int64 channels = plan.axes[plan.channels].outputs;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, row = divided(i, channels, &channel), place = spans[2 * row], stop = spans[2 * row + 1];
        Region<typename Map::Pixel> region = {plan, image, mask, alarm, order, channel};
        Map mapped(plan, known, i);
        Joined<Sum, Map> joined;
        joined.take_all(mapped, region, place, stop, block);
        joined.template finish<Out>(mapped, region, place, stop, block, out + i * (int64) sizeof(Out));
    }
}

// What another thread has written, past the caches of this one.
template <class T> DEVICE T fetched(const T* place) {
    enum { WORDS = sizeof(T) / 8 };
    T value;
    for (int w = 0; w < WORDS; w++) ((uint64*) &value)[w] = ((const volatile uint64*) place)[w];
    return value;
}

// A thread sums one segment, and the last of those that have a region's joins them all. `arrivals` begin and end as zeros.
template <class Sum, class Map, class Out>
__global__ void sum_segments(
    const char* image, const char* mask, Alarm* alarm, const int64* order, const int64* spans, const char* known,
    Segment<Map::PLANES>* space, int64* arrivals, char* out, const Plan* words, int64 block, int64 blocks
) {
    const Plan& plan = *words;
    const int64 channels = plan.axes[plan.channels].outputs, items = plan.outputs * blocks;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < items; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, number, row = divided(divided(i, channels, &channel), blocks, &number);
        int64 first = spans[2 * row], stop = spans[2 * row + 1], low = first, high = stop, output = row * channels + channel;
        while (low < high) {  // to the first pixel of the block
            int64 middle = low + (high - low) / 2;
            if (order[middle] < number * block) low = middle + 1;
            else high = middle;
        }
        Region<typename Map::Pixel> region = {plan, image, mask, alarm, order, channel};
        Map mapped(plan, known, output);
        space[i] = sum_of<Sum>(mapped, region, low, stop, (number + 1) * block);
        __threadfence();  // the segment is there before its arrival
        if (atomicAdd((uint64*) arrivals + output, (uint64) 1) + 1 < (uint64) blocks) continue;
        __threadfence();
        Joined<Sum, Map> joined;
        for (int64 k = 0; k < blocks; k++) joined.take(fetched(space + (row * blocks + k) * channels + channel));
        joined.template finish<Out>(mapped, region, first, stop, block, out + output * (int64) sizeof(Out));
        arrivals[output] = 0;     // for the next launch
    }
}

// The lowest and the highest label of each chunk of pixels: a block of threads for each.
template <class Label> __global__ void measure_chunks(const Label* labels, Label* ranges, int64 pixels) {
    __shared__ Label lows[THREADS], highs[THREADS];
    for (int64 chunk = blockIdx.x; chunk * CHUNK < pixels; chunk += gridDim.x) {
        int64 first = chunk * CHUNK, stop = first + CHUNK < pixels ? first + CHUNK : pixels;
        int64 own = first + threadIdx.x < stop ? first + threadIdx.x : first;
        Label low = labels[own], high = low;
        for (int64 pixel = own; pixel < stop; pixel += THREADS) {
            low = labels[pixel] < low ? labels[pixel] : low;
            high = labels[pixel] > high ? labels[pixel] : high;
        }
        lows[threadIdx.x] = low;
        highs[threadIdx.x] = high;
        __syncthreads();
        for (unsigned half = THREADS / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) {
                Label lower = lows[threadIdx.x + half], higher = highs[threadIdx.x + half];
                if (lower < lows[threadIdx.x]) lows[threadIdx.x] = lower;
                if (higher > highs[threadIdx.x]) highs[threadIdx.x] = higher;
            }
            __syncthreads();
        }
        if (threadIdx.x == 0) {
            ranges[2 * chunk] = lows[0];
            ranges[2 * chunk + 1] = highs[0];
        }
        __syncthreads();
    }
}

// --- and back: each pixel looks its label up, in 8 bytes for each step of log2(labels), and copies what its row has

template <class Label, class Word>
__global__ void paint_regions(
    const char* labels, const int64* keys, const int64* rows, const char* values, Word* image, int64* lowest,
    const Plan* words, int64 pixels, int64 count, int64 has_background, int64 background
) {
    const Plan& plan = *words;
    const Axis& channels = plan.axes[plan.channels];
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < pixels * channels.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, pixel = divided(i, channels.outputs, &channel), low = 0, high = count;
        Label label = *(const Label*) (labels + offset_of(plan, plan.channels, pixel, &Axis::image));
        while (low < high) {
            int64 middle = low + (high - low) / 2;
            if ((Label) keys[middle] < label) low = middle + 1;
            else high = middle;
        }
        bool has_row = low < count && (Label) keys[low] == label;
        image[i] = from_word<Word>(plan.fill);
        if (has_row) image[i] = *(const Word*) (values + rows[low] * plan.part + channel * channels.out);
        bool is_background = has_background && (int64) label == background;
        if (IsSigned<Label>::value && (int64) label < 0 && !is_background) atomicMin(lowest, (int64) label);
    }
}

}  // namespace skpool
