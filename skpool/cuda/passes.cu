// Large windows that overlap, in two passes: down their rows, then across their columns.
//
// All windows of one row of the result look at the same rows, so `fold_down` folds them once for each position along the
// columns, padding included, and `fold_across` joins as many of these nodes for each element as a window has columns.
// Both in the order of pool.cu: T(rows), then T(columns). Reads per element of the result: rows x stride + columns, where
// one thread for each window needs rows x columns. Bytes moved: those of its pixels (pool.cu), and `stride` nodes,
// written once and read once, as neighbours share them through the caches; a node is a state alone where no mask makes
// counts differ. Channels lie innermost in the workspace, then positions, so that neighbouring threads have neighbours.
#include "fold_windows.cuh"

namespace skpool {

// A node as it is kept: with its count, or, if all rows count, without.
template <class R, bool Counted> struct Entry {
    typedef Node<typename R::State> type;
    static DEVICE type of(const type& node) { return node; }
    static DEVICE const type& node(const type& entry, int64) { return entry; }
};
template <class R> struct Entry<R, false> {
    typedef typename R::State type;
    static DEVICE type of(const Node<type>& node) { return node.state; }
    static DEVICE Node<type> node(const type& entry, int64 rows) { return Node<type>{entry, rows}; }
};

// Rows of windows from `begin` on, so many.
template <class R, int Leading, int Depth, int Bytes, bool Counted>
__global__ void fold_down(
    const char* image, const char* mask, char* space, const Plan* words, int64 begin, int64 count
) {
    typedef Entry<R, Counted> Kept;
    static_assert(sizeof(typename Kept::type) == Bytes, "the workspace has another size");
    const Plan& plan = *words;
    R reduction(plan);
    int64 channels = plan.axes[Leading + 1].outputs, items = count * plan.positions * channels;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < items; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, position, row = divided(divided(i, channels, &channel), plan.positions, &position);
        int64 first = (begin + row) * plan.axes[Leading].outputs * channels + channel;
        Window<typename R::Pixel, Leading> window(plan, image, mask, first);
        window.move(position);
        ((typename Kept::type*) space)[i] = Kept::of(folded_column<R, Depth>(reduction, window, 0, 0, window.rows));
    }
}

template <class R, class Out, int Leading, int Depth, int Bytes, bool Counted>
__global__ void fold_across(
    const char* image, const char* mask, const char* space, char* out, char* places, const Plan* words, int64 begin,
    int64 count
) {
    typedef Entry<R, Counted> Kept;
    const Plan& plan = *words;
    const Axis& along = plan.axes[Leading];
    R reduction(plan);
    int64 channels = plan.axes[Leading + 1].outputs, of_row = along.outputs * channels;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < count * of_row; i += (int64) gridDim.x * blockDim.x) {
        int64 rest, row = divided(i, of_row, &rest);
        Window<typename R::Pixel, Leading> window(plan, image, mask, begin * of_row + i);
        const Run& columns = window.columns();
        const typename Kept::type* entries = (const typename Kept::type*) space
            + (row * plan.positions + columns.start + along.before) * channels + window.channel;
        Chain<R, Depth> across(reduction);
        int64 counted = 0;
        for (int64 tap = R::ordered ? 0 : columns.first; tap < (R::ordered ? columns.taps : columns.stop); tap++) {
            if (tap >= columns.first && tap < columns.stop) {
                Node<typename R::State> node = Kept::node(entries[tap * along.step * channels], window.rows);
                across.push(reduction, moved(node.state, tap));
                counted += node.count;
            } else {
                across.push(reduction, reduction.identity());
            }
        }
        Node<typename R::State> node = {across.finish(reduction), counted};
        if (!Rescue<R, Out, Depth, Window<typename R::Pixel, Leading> >::writes(window, node, out)) {
            write_node<R, Out>(reduction, window, node, out, places);
        }
    }
}

}  // namespace skpool
