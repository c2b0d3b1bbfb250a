// Weighted averages of windows, by the weights of their taps or of pixels or of both: the order is the CPU's.
//
// Bytes moved per element of the result are those of a fold (pool.cu), and those of its pixels' weights, where these have
// some; weights of taps are read by all threads alike.
#include "weighing.cuh"

namespace skpool {

template <class Pixel, class Out, int Leading>
__global__ void weighted_average(
    const char* image, const char* mask, Alarm* alarm, char* out, char*, const Plan* words
) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    const int64* taps = plan.table(plan.taps);
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<Pixel, Leading> window(plan, input, i);
        Weighing weighing;
        for (int64 t = 0; t < plan.taps_found; t++) {
            Sample<typename Stored<Pixel>::row> sample = window.sample_at(taps[t]);
            if (sample.counts) weighing.add((double) sample.value, plan.number(plan.weight, t));
        }
        double value = weighing.average(plan.taps_found, window.masked());
        write<Out>(plan, out + window.out, value, weighing.count);
    }
}

// --- pixels with weights of their own: what does not count has the weight 0 and the value 0, but is there

// Look at every pixel, also at those in no window.
template <class Pixel, class Weight, int Leading> DEVICE void look_at_pixels(const Plan& plan, const Input& input) {
    int64 pixels = 1;
    for (int a = 0; a <= Leading + 1; a++) pixels *= plan.axes[a].length;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < pixels; i += (int64) gridDim.x * blockDim.x) {
        int64 rest = i, at, image = 0, mask = 0, weights = 0;
#pragma unroll
        for (int a = Leading + 1; a >= 0; a--) {
            rest = divided(rest, plan.axes[a].length, &at);
            image += at * plan.axes[a].image;
            mask += at * plan.axes[a].mask;
            weights += at * plan.axes[a].weights;
        }
        weight_at<Weight>(input.weights + weights, input.alarm);
        bool counts = !input.mask || *(const uint8*) (input.mask + mask);
        if (plan.raises && counts && is_nan(Stored<Pixel>::read(*(const Pixel*) (input.image + image)))) {
            input.alarm->nan = 1;
        }
    }
}

// What a sample adds to the weights of its window, and to the weighted samples: `constant` is that of the padding.
struct Share {
    template <class Row> DEVICE double operator()(const Sample<Row>& sample) const {
        return sample.counts ? sample.weight : 0.0;
    }
};
struct Portion {
    double constant;
    template <class Row> DEVICE double operator()(const Sample<Row>& sample) const {
        return sample.counts ? (sample.index < 0 ? constant : (double) sample.value) * sample.weight : 0.0;
    }
};

// The average of weighted pixels by that of their weights, both by the weights of taps; `first` is the constant of the
// padding, whose weight is 1.
template <class Pixel, class Weight, class Out, int Leading>
__global__ void average_of_weighted(
    const char* image, const char* mask, Alarm* alarm, const char* weights, char* out, const Plan* words
) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm, weights};
    look_at_pixels<Pixel, Weight, Leading>(plan, input);
    const int64* taps = plan.table(plan.taps);
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<Pixel, Leading, Weight> window(plan, input, i);
        Weighing values, shares;
        Portion portion = {plan.first};
        int64 count = 0;
        for (int64 t = 0; t < plan.taps_found; t++) {
            Sample<typename Stored<Pixel>::row> sample = window.sample_at(taps[t]);
            if (!sample.exists) continue;
            values.add(portion(sample), plan.number(plan.weight, t));
            shares.add(Share()(sample), plan.number(plan.weight, t));
            count += sample.counts;
        }
        double value = values.average(plan.taps_found, false) / shares.average(plan.taps_found, false);
        if (plan.down) value = average_along(window, portion, 0) / average_along(window, Share(), 0);
        write<Out>(plan, out + window.out, value, count);
    }
}

// --- whole images: a block of threads for each block of pixels, then a thread for each channel adds these up
//
// Bytes moved: each pixel and its weight once, by neighbouring threads where columns are neighbours; where channels lie
// innermost, caches keep what is between. Sums of columns, 24 bytes each, lie in a workspace that a block of threads uses
// again, and so in the caches, too; those of blocks are few.

struct Shares {
    double total, norm;
};

// Sums of weighted samples, and of their weights.
template <class PixelType> struct SumsOfWeighted {
    typedef PixelType Pixel;
    typedef typename Stored<Pixel>::row Row;
    typedef Shares State;
    static const bool ordered = true;
    DEVICE State identity() const { return State{-0.0, -0.0}; }
    DEVICE State lift(const Sample<Row>& sample) const {
        return State{(double) sample.value * sample.weight, sample.weight};
    }
    DEVICE State join(const State& a, const State& b) const { return State{a.total + b.total, a.norm + b.norm}; }
};

template <class Pixel, class Weight, int Leading>
__global__ void sum_blocks(
    const char* image, const char* mask, Alarm* alarm, const char* weights, char* space, const Plan* words
) {
    typedef SumsOfWeighted<Pixel> R;
    typedef Node<Shares> Folded;
    __shared__ Folded nodes[THREADS];
    const Plan& plan = *words;
    const Input input = {image, mask, alarm, weights};
    R reduction;
    Folded* columns = (Folded*) space + plan.outputs + blockIdx.x * plan.axes[Leading].taps;
    for (int64 i = blockIdx.x; i < plan.outputs; i += gridDim.x) {
        Window<Pixel, Leading, Weight> window(plan, input, i);
        int64 taps = window.columns().taps, run = 1;
        for (int64 tap = threadIdx.x; tap < taps; tap += THREADS) {
            Tree<R, DEEPEST> down;
            Folded node;
            node.count = 0;
            for (int64 row = 0; row < window.rows; row++) {
                down.push(reduction, lifted(reduction, window.sample(window.line(row), tap), node.count));
            }
            node.state = down.finish(reduction);
            columns[tap] = node;
        }
        __syncthreads();
        while (run * THREADS < taps) run *= 2;
        int64 begin = threadIdx.x * run, end = begin + run < taps ? begin + run : taps;
        Tree<R, DEEPEST> across;
        Folded node = {reduction.identity(), 0};
        for (int64 tap = begin; tap < end; tap++) {
            across.push(reduction, columns[tap].state);
            node.count += columns[tap].count;
        }
        node.state = across.finish(reduction);
        nodes[threadIdx.x] = node;
        __syncthreads();
        join_block(reduction, nodes, (taps + run - 1) / run);
        if (threadIdx.x == 0) {
            if (nodes[0].count == 0) nodes[0].state = Shares{0, 0};
            ((Folded*) space)[i] = nodes[0];
        }
        __syncthreads();
    }
}

// Blocks of one channel are `block_hop` from each other, and channels `channel_hop`, and in the result `out_hop` bytes.
template <class Pixel, class Out>
__global__ void join_blocks(
    const char* space, char* out, const Plan* words, int64 count, int64 blocks, int64 block_hop, int64 channel_hop,
    int64 out_hop
) {
    typedef SumsOfWeighted<Pixel> R;
    const Plan& plan = *words;
    const Node<Shares>* nodes = (const Node<Shares>*) space;
    R reduction;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (int64) gridDim.x * blockDim.x) {
        Tree<R, DEEPEST> tree;
        int64 counted = 0;
        for (int64 block = 0; block < blocks; block++) {
            const Node<Shares>& node = nodes[i * channel_hop + block * block_hop];
            tree.push(reduction, node.state);
            counted += node.count;
        }
        Shares sums = tree.finish(reduction);
        write<Out>(plan, out + i * out_hop, sums.total / sums.norm, counted);
    }
}

}  // namespace skpool
