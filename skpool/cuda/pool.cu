// Pooling by folds: one thread for each element of the result, or parts of large windows first.
//
// Neighbouring threads have neighbouring channels, then neighbouring columns of the result, so what a warp reads of one
// row lies together wherever windows do. Bytes moved per element of the result: its own, and stride x pixel bytes along
// each axis, since what windows share comes from the caches; tables are read by all threads alike.
#include "folds.cuh"

namespace skpool {

// --- folds of windows

// Fold rows [first, stop) of a window at one of its columns.
template <class R, int Depth, class Window>
DEVICE Node<typename R::State> folded_column(
    const R& reduction, const Window& window, int64 tap, int64 first, int64 stop
) {
    Node<typename R::State> node;
    Tree<R, Depth> tree;
    node.count = 0;
    for (int64 row = first; row < stop; row++) {
        tree.push(reduction, lifted(reduction, window.sample(window.line(row), tap), node.count));
    }
    node.state = tree.finish(reduction);
    return node;
}

// Fold a whole window: one sample after the other,
template <class R, int Depth, bool Ordered = R::ordered> struct Fold {
    typedef Node<typename R::State> Folded;

    static DEVICE void take(const R& reduction, const Sample<typename R::Row>& sample, Folded& node) {
        if (!sample.counts) return;
        node.state = reduction.join(node.state, reduction.lift(sample));
        node.count++;
    }

    template <class Window> static DEVICE Folded of(const R& reduction, const Window& window) {
        Folded node = {reduction.identity(), 0};
        if (R::by_columns) {
            for (int64 tap = window.columns().first; tap < window.columns().stop; tap++) {
                for (int64 row = 0; row < window.rows; row++) take(reduction, window.sample(window.line(row), tap), node);
            }
            return node;
        }
        for (int64 row = 0; row < window.rows; row++) {
            Line line = window.line(row);
            for (int64 tap = window.columns().first; tap < window.columns().stop; tap++) {
                take(reduction, window.sample(line, tap), node);
            }
        }
        return node;
    }
};

// or by the tree, where absent columns hold nothing and keep their place.
template <class R, int Depth> struct Fold<R, Depth, true> {
    template <class Window> static DEVICE Node<typename R::State> of(const R& reduction, const Window& window) {
        const Run& columns = window.columns();
        Tree<R, Depth> across;
        Node<typename R::State> node;
        int64 count = 0;
        for (int64 tap = 0; tap < columns.taps; tap++) {
            if (tap >= columns.first && tap < columns.stop) {
                node = folded_column<R, Depth>(reduction, window, tap, 0, window.rows);
                across.push(reduction, node.state);
                count += node.count;
            } else {
                across.push(reduction, reduction.identity());
            }
        }
        node.state = across.finish(reduction);
        node.count = count;
        return node;
    }
};

// The taps of a footprint, by one tree over all of them.
template <class R, int Depth, class Window>
DEVICE Node<typename R::State> folded_taps(const R& reduction, const Window& window) {
    const int64* taps = window.plan.table(window.plan.taps);
    Tree<R, Depth> tree;
    Node<typename R::State> node;
    node.count = 0;
    for (int64 i = 0; i < window.plan.taps_found; i++) {
        tree.push(reduction, lifted(reduction, window.sample_at(taps[i]), node.count));
    }
    node.state = tree.finish(reduction);
    return node;
}

template <class R, int Depth, class Window>
DEVICE Node<typename R::State> folded(const R& reduction, const Window& window) {
    return window.plan.taps ? folded_taps<R, Depth>(reduction, window) : Fold<R, Depth>::of(reduction, window);
}

// --- results

template <class R, class Out, class Window>
DEVICE void write_node(
    const R& reduction, const Window& window, const Node<typename R::State>& node, char* out, char* places
) {
    bool whole = !window.masked() && (window.plan.taps ? node.count == window.plan.taps_found : window.columns().whole);
    write<Out>(window.plan, out + window.out, reduction.finish(node.state, node.count, whole), node.count);
    if (R::indexed) {
        *(int64*) (places + window.places) = node.count < window.plan.minimum ? -1 : index_of(node.state);
    }
}

// Fold again what has left the range of its state, and write it.
template <class R, class Out, int Depth, class Window> struct Rescue {
    static DEVICE bool writes(const Window&, const Node<typename R::State>&, char*) { return false; }
};
template <class Pixel, class Natural, class Out, int Depth, class Window>
struct Rescue<AvgOfSingles<Pixel, Natural>, Out, Depth, Window> {
    typedef AvgOfSingles<Pixel, Natural> R;
    static DEVICE bool writes(const Window& window, const Node<float32>& node, char* out) {
        if (!R::is_lost(node.state)) return false;
        typename R::Again again(window.plan);
        write_node<typename R::Again, Out>(again, window, folded<typename R::Again, Depth>(again, window), out, 0);
        return true;
    }
};

template <class R, class Window>
DEVICE double largest_size(const Window& window, int64 begin, int64 hop) {
    double top = 0;
    for (int64 i = begin; i < window.places_found(); i += hop) {
        Sample<typename R::Row> sample = window.sample_at(window.place(i));
        if (sample.counts) top = larger(top, Scaling<R>::size(sample, window.plan));
    }
    return top;
}

template <class R, class Out, int Depth, class Window> struct RescuePowers {
    static DEVICE bool writes(const Window& window, const Node<double>& node, char* out) {
        R reduction(window.plan);
        if (!Scaling<R>::is_lost(reduction, window.plan, node)) return false;
        if (!Scaling<R>::scale(reduction, window.plan, largest_size<R>(window, 0, 1))) return false;
        write_node<R, Out>(reduction, window, folded<R, Depth>(reduction, window), out, 0);
        return true;
    }
};
template <class Pixel, class Natural, class Out, int Depth, class Window>
struct Rescue<Lp<Pixel, Natural>, Out, Depth, Window> : RescuePowers<Lp<Pixel, Natural>, Out, Depth, Window> {};
template <class Pixel, class Natural, class Out, int Depth, class Window>
struct Rescue<PowerMean<Pixel, Natural>, Out, Depth, Window>
    : RescuePowers<PowerMean<Pixel, Natural>, Out, Depth, Window> {};
template <class Pixel, class Natural, class Out, int Depth, class Window>
struct Rescue<Gem<Pixel, Natural>, Out, Depth, Window> : RescuePowers<Gem<Pixel, Natural>, Out, Depth, Window> {};

// --- kernels

template <class R, class Out, int Leading, int Depth>
__global__ void pool(const char* image, const char* mask, char* out, char* places, const Plan* words) {
    const Plan& plan = *words;
    R reduction(plan);
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<typename R::Pixel, Leading> window(plan, image, mask, i);
        Node<typename R::State> node = folded<R, Depth>(reduction, window);
        if (!Rescue<R, Out, Depth, Window<typename R::Pixel, Leading> >::writes(window, node, out)) {
            write_node<R, Out>(reduction, window, node, out, places);
        }
    }
}

// --- large windows: parts of their columns first, then one block of threads for each element of the result
//
// A part is so many rows of a window, a power of two, at one of its columns: a node of the tree. The parts of a window
// lie together, channels innermost.

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
__global__ void fold_parts(const char* image, const char* mask, char* space, const Plan* words) {
    const Plan& plan = *words;
    R reduction(plan);
    int64 channels = plan.axes[Leading + 1].outputs, items = plan.outputs * plan.parts * plan.positions;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < items; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, column, part, rest = divided(i, channels, &channel);
        rest = divided(rest, plan.positions, &column);
        int64 cell = divided(rest, plan.parts, &part), first = part * plan.part;
        Window<typename R::Pixel, Leading> window(plan, image, mask, cell * channels + channel);
        if (first >= window.rows || column >= window.columns().taps) continue;
        int64 stop = first + plan.part < window.rows ? first + plan.part : window.rows;
        bool exists = column >= window.columns().first && column < window.columns().stop;
        Parts<R, Words>(plan, cell, channel).at(space, plan, part, column) =
            folded_column<R, PART_LEVELS>(reduction, window, column, first, exists ? stop : first);
    }
}

template <class R, class Out, int Leading, int Words>
__global__ void join_parts(
    const char* image, const char* mask, char* space, char* out, char* places, const Plan* words
) {
    typedef Node<typename R::State> Folded;
    __shared__ Folded nodes[THREADS];
    __shared__ double tops[THREADS];
    const Plan& plan = *words;
    R reduction(plan);
    for (int64 i = blockIdx.x; i < plan.outputs; i += gridDim.x) {
        int64 channel, cell = divided(i, plan.axes[Leading + 1].outputs, &channel);
        Window<typename R::Pixel, Leading> window(plan, image, mask, i);
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
