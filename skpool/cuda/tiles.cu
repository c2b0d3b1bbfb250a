// Large windows that overlap, in tiles of a row of the result: down their rows, then across their columns.
//
// All windows of one row of the result look at the same rows, so the threads of a block fold these once for each position
// along the columns under a tile, padding included, meet, and join as many of these nodes for each element as a window
// has columns. Both in the order of pool.cu: T(rows), then T(columns). Reads per element of the result: rows x stride
// + columns, and the share of what the tile before has looked at, too; one thread for each window needs rows x columns.
// Bytes moved: those of its pixels (pool.cu). Nodes lie in a workspace that blocks use again from tile to tile, and so
// in the caches: each is written once and read by its neighbours; a node is a state alone where no mask makes counts
// differ. Channels lie innermost there, then positions, so that neighbouring threads have neighbours.
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

// Tile number `number`: `columns` and `channels` of the result, from the first ones, in a row.
struct Tile {
    int64 row, column, channel, columns, channels;

    DEVICE Tile(const Plan& plan, const Axis& along, const Axis& beside, int64 number) {
        int64 groups = (beside.outputs + plan.group - 1) / plan.group, tiles = (along.outputs + plan.tile - 1) / plan.tile;
        row = divided(divided(number, groups, &channel), tiles, &column);
        channel *= plan.group;
        column *= plan.tile;
        columns = along.outputs - column < plan.tile ? along.outputs - column : plan.tile;
        channels = beside.outputs - channel < plan.group ? beside.outputs - channel : plan.group;
    }
    // The element of the result at one of its columns and channels.
    DEVICE int64 output(const Axis& along, const Axis& beside, int64 at, int64 channel_at) const {
        return (row * along.outputs + column + at) * beside.outputs + channel + channel_at;
    }
};

// Whether one of the windows has a tap at a position from the first one's.
DEVICE bool is_tap(const Axis& along, int64 position, int64 windows) {
    if (along.step == 1 && along.stride <= along.taps) return true;
    for (int64 tap = 0; tap < along.taps && tap * along.step <= position; tap++) {
        int64 rest, window = divided(position - tap * along.step, along.stride, &rest);
        if (rest == 0 && window < windows) return true;
    }
    return false;
}

template <class R, class Out, int Leading, int Depth, int Bytes, bool Counted>
__global__ void pool_tiles(
    const char* image, const char* mask, Alarm* alarm, char* space, char* out, char* places, const Plan* words, int64 tiles
) {
    typedef Entry<R, Counted> Kept;
    typedef Window<typename R::Pixel, Leading> Windowed;
    static_assert(sizeof(typename Kept::type) == Bytes, "the workspace has another size");
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    const Axis& along = plan.axes[Leading];
    const Axis& beside = plan.axes[Leading + 1];
    R reduction(plan);
    typename Kept::type* entries = (typename Kept::type*) space + blockIdx.x * plan.positions * plan.group;
    for (int64 number = blockIdx.x; number < tiles; number += gridDim.x) {
        Tile tile(plan, along, beside, number);
        int64 channel, at, positions = (tile.columns - 1) * along.stride + (along.taps - 1) * along.step + 1;
        for (int64 k = threadIdx.x; k < positions * tile.channels; k += blockDim.x) {
            at = divided(k, tile.channels, &channel);
            if (!is_tap(along, at, tile.columns)) continue;
            Windowed window(plan, input, tile.output(along, beside, 0, channel));
            window.move(at);
            entries[k] = Kept::of(folded_column<R, Depth>(reduction, window, 0, 0, window.rows));
        }
        __syncthreads();
        for (int64 k = threadIdx.x; k < tile.columns * tile.channels; k += blockDim.x) {
            at = divided(k, tile.channels, &channel);
            Windowed window(plan, input, tile.output(along, beside, at, channel));
            const Run& columns = window.columns();
            const typename Kept::type* first = entries + at * along.stride * tile.channels + channel;
            Chain<R, Depth> across(reduction);
            int64 counted = 0;
            for (int64 tap = R::ordered ? 0 : columns.first; tap < (R::ordered ? columns.taps : columns.stop); tap++) {
                if (tap >= columns.first && tap < columns.stop) {
                    Node<typename R::State> node = Kept::node(first[tap * along.step * tile.channels], window.rows);
                    across.push(reduction, moved(node.state, tap));
                    counted += node.count;
                } else {
                    across.push(reduction, reduction.identity());
                }
            }
            Node<typename R::State> node = {across.finish(reduction), counted};
            if (!Rescue<R, Out, Depth, Windowed>::writes(window, node, out)) {
                write_node<R, Out>(reduction, window, node, out, places);
            }
        }
        __syncthreads();
    }
}

}  // namespace skpool
