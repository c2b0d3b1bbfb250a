// Labelled regions: one block of threads for each channel of each region, over its pixels as they were sorted by label.
//
// The pixels of a region come in row-major order, and are folded by the tree of all folds: each thread takes a run of
// them, a power of two long, then neighbours are joined. So results depend on nothing but the region. Bytes moved for
// each pixel and channel: the pixel and its place, 8 bytes. Regions are as fast as blocks are many: one region alone
// keeps one multiprocessor busy.
#include "folds.cuh"

namespace skpool {

template <class Pixel> struct Region {
    typedef typename Stored<Pixel>::row Row;
    const Plan& plan;
    const char* image;
    const char* mask;               // or NULL
    const int64* order;             // of all pixels
    int64 channel, channels, inner; // pixels that lie side by side in one channel
    int64 mask_is_shared;           // by the channels

    DEVICE Sample<Row> sample(int64 place) const {
        Sample<Row> found;
        int64 pixel = order[place], beside, outer = divided(pixel, inner, &beside);
        found.place = place;
        found.index = (outer * channels + channel) * inner + beside;
        found.value = Stored<Pixel>::read(((const Pixel*) image)[found.index]);
        found.counts = !(plan.omits && is_nan(found.value));
        if (mask) found.counts &= mask[mask_is_shared ? pixel : found.index] != 0;
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

template <class R>
DEVICE double largest_of_run(const Plan& plan, const Region<typename R::Pixel>& region, int64 begin, int64 end) {
    double top = 0;
    for (int64 place = begin; place < end; place++) {
        Sample<typename R::Row> sample = region.sample(place);
        if (sample.counts) top = larger(top, Scaling<R>::size(sample, plan));
    }
    return top;
}

template <class R, class Out>
__global__ void pool_regions(
    const char* image, const char* mask, const int64* order, const int64* spans, char* out, int64* places,
    const Plan* words, int64 channels, int64 inner, int64 mask_is_shared
) {
    __shared__ Node<typename R::State> nodes[THREADS];
    __shared__ double tops[THREADS];
    const Plan& plan = *words;
    for (int64 i = blockIdx.x; i < plan.outputs; i += gridDim.x) {
        int64 channel, row = divided(i, channels, &channel), first = spans[2 * row], pixels = spans[2 * row + 1] - first;
        Region<typename R::Pixel> region = {plan, image, mask, order, channel, channels, inner, mask_is_shared};
        R reduction(plan);
        int64 run = 1;
        while (run * THREADS < pixels) run *= 2;
        int64 found = (pixels + run - 1) / run, begin = first + threadIdx.x * run, end = begin + run;
        end = end < first + pixels ? end : first + pixels;
        nodes[threadIdx.x] = folded_run(reduction, region, begin, end);
        __syncthreads();
        join_block(reduction, nodes, found);
        if (Scaling<R>::is_lost(reduction, plan, nodes[0])) {
            tops[threadIdx.x] = largest_of_run<R>(plan, region, begin, end);
            __syncthreads();
            double top = 0;
            for (int k = 0; k < THREADS; k++) top = larger(top, tops[k]);
            if (Scaling<R>::scale(reduction, plan, top)) {
                nodes[threadIdx.x] = folded_run(reduction, region, begin, end);
                __syncthreads();
                join_block(reduction, nodes, found);
            }
        }
        if (threadIdx.x == 0) {
            const Node<typename R::State>& node = nodes[0];
            write<Out>(plan, out + i * (int64) sizeof(Out), reduction.finish(node.state, node.count, false), node.count);
            if (R::indexed) places[i] = node.count < plan.minimum ? -1 : index_of(node.state);
        }
        __syncthreads();
    }
}

// --- and back: each pixel looks its label up, in 8 bytes for each step of log2(labels), and copies what its row has

template <class Label, class Word>
__global__ void paint_regions(
    const Label* labels, const int64* keys, const int64* rows, const Word* values, Word* image, int64* lowest,
    uint64 fill, int64 pixels, int64 count, int64 channels, int64 has_background, int64 background
) {
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < pixels * channels; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, pixel = divided(i, channels, &channel), low = 0, high = count;
        Label label = labels[pixel];
        while (low < high) {
            int64 middle = low + (high - low) / 2;
            if ((Label) keys[middle] < label) low = middle + 1;
            else high = middle;
        }
        bool has_row = low < count && (Label) keys[low] == label;
        image[i] = has_row ? values[rows[low] * channels + channel] : from_word<Word>(fill);
        bool is_background = has_background && (int64) label == background;
        if (IsSigned<Label>::value && (int64) label < 0 && !is_background) atomicMin(lowest, (int64) label);
    }
}

}  // namespace skpool
