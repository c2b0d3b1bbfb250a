// Folds of windows: one sample after the other or by the tree; what leaves the range of a state, and results.
#pragma once
#include "folds.cuh"

namespace skpool {

// --- folds of windows

// Fold rows [first, stop) of a window at one of its columns.
template <class R, int Depth, class Window>
DEVICE Node<typename R::State> folded_column(
    const R& reduction, const Window& window, int64 tap, int64 first, int64 stop
) {
    Node<typename R::State> node;
    Chain<R, Depth> tree(reduction);
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
            auto line = window.line(row);
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
    if (Finds<R>::value) *(uint8*) (places + window.places) = node.count > 0;
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

// Fold a whole window by one thread, and write it.
template <class R, class Out, int Depth, class Window>
DEVICE void pool_window(const R& reduction, const Window& window, char* out, char* places) {
    Node<typename R::State> node = folded<R, Depth>(reduction, window);
    if (!Rescue<R, Out, Depth, Window>::writes(window, node, out)) {
        write_node<R, Out>(reduction, window, node, out, places);
    }
}

}  // namespace skpool
