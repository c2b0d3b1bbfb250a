// Few and large windows, such as whole images: parts of their columns first, then a block of threads for each element.
//
// A part is so many rows of a window, a power of two, at one of its columns: a node of the tree. The parts of a window
// lie together, channels innermost. Bytes moved per element of the result: the pixels of its window, and for each part
// its node, written once and read once; a part of 32 rows costs as much as one or two of them.
#include "fold_windows.cuh"

namespace skpool {

enum { PART_LEVELS = 6 };

template <class R, int Words> struct Parts {
    static_assert(sizeof(Node<typename R::State>) <= 8 * Words, "the workspace is too small");
    int64 first, hop;               // the node of part 0 at column 0, and from one column to the next

    DEVICE Parts(const Plan& plan, int64 cell, int64 channel) {
        hop = plan.axes[plan.channels].outputs;
        first = cell * plan.parts * plan.positions * hop + channel;
    }
    DEVICE Node<typename R::State>& at(char* space, const Plan& plan, int64 part, int64 column) const {
        return *(Node<typename R::State>*) (space + 8 * Words * (first + (part * plan.positions + column) * hop));
    }
};

template <class R, int Leading, int Words>
__global__ void fold_parts(const char* image, const char* mask, Alarm* alarm, char* space, const Plan* words) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    R reduction(plan);
    int64 channels = plan.axes[Leading + 1].outputs, items = plan.outputs * plan.parts * plan.positions;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < items; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, column, part, rest = divided(i, channels, &channel);
        rest = divided(rest, plan.positions, &column);
        int64 cell = divided(rest, plan.parts, &part), first = part * plan.part;
        Window<typename R::Pixel, Leading> window(plan, input, cell * channels + channel);
        if (first >= window.rows || column >= window.columns().taps) continue;
        int64 stop = first + plan.part < window.rows ? first + plan.part : window.rows;
        bool exists = column >= window.columns().first && column < window.columns().stop;
        Parts<R, Words>(plan, cell, channel).at(space, plan, part, column) =
            folded_column<R, PART_LEVELS>(reduction, window, column, first, exists ? stop : first);
    }
}

template <class R, class Out, int Leading, int Words>
__global__ void join_parts(
    const char* image, const char* mask, Alarm* alarm, char* space, char* out, char* places, const Plan* words
) {
    typedef Node<typename R::State> Folded;
    __shared__ Folded nodes[THREADS];
    __shared__ double tops[THREADS];
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    R reduction(plan);
    for (int64 i = blockIdx.x; i < plan.outputs; i += gridDim.x) {
        int64 channel, cell = divided(i, plan.axes[Leading + 1].outputs, &channel);
        Window<typename R::Pixel, Leading> window(plan, input, i);
        Parts<R, Words> parts(plan, cell, channel);
        int64 columns = window.columns().taps, run = 1, found;
        while (run * THREADS < columns) run *= 2;
        found = (columns + run - 1) / run;
        int64 begin = threadIdx.x * run, end = begin + run < columns ? begin + run : columns;
        Tree<R, DEEPEST> across;
        Folded node = {reduction.identity(), 0};
        for (int64 column = begin; column < end; column++) {
            Tree<R, DEEPEST> down;
            for (int64 part = 0; part * plan.part < window.rows; part++) {
                const Folded& one = parts.at(space, plan, part, column);
                down.push(reduction, one.state);
                node.count += one.count;
            }
            across.push(reduction, down.finish(reduction));
        }
        node.state = across.finish(reduction);
        nodes[threadIdx.x] = node;
        __syncthreads();
        join_block(reduction, nodes, found);
        bool is_lost = Scaling<R>::is_lost(reduction, plan, nodes[0]);
        if (is_lost) {
            tops[threadIdx.x] = largest_size<R>(window, threadIdx.x, THREADS);
            __syncthreads();
            double top = 0;
            for (int k = 0; k < THREADS; k++) top = larger(top, tops[k]);
            R again(plan);
            if (Scaling<R>::scale(again, plan, top)) {
                Tree<R, DEEPEST> scaled;
                for (int64 column = begin; column < end; column++) {
                    bool exists = column >= window.columns().first && column < window.columns().stop;
                    scaled.push(
                        again, folded_column<R, DEEPEST>(again, window, column, 0, exists ? window.rows : 0).state);
                }
                node.state = scaled.finish(again);
                nodes[threadIdx.x] = node;
                __syncthreads();
                join_block(again, nodes, found);
                if (threadIdx.x == 0) write_node<R, Out>(again, window, nodes[0], out, places);
                __syncthreads();
                continue;
            }
        }
        if (threadIdx.x == 0) write_node<R, Out>(reduction, window, nodes[0], out, places);
        __syncthreads();
    }
}

}  // namespace skpool
