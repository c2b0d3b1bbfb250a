// Folds: what is shared by all kernels that fold samples, of windows or not, and how their results are written.
#pragma once
#include "reductions.cuh"

namespace skpool {

// --- the tree of a fold: node[l] holds 2**l neighbours while bit l of the count is set

template <class R, int Depth> struct Tree {
    typedef typename R::State State;
    State node[Depth];
    int64 count;

    DEVICE Tree() : count(0) {}

    DEVICE void push(const R& reduction, State state) {
        bool carries = true;
#pragma unroll
        for (int l = 0; l < Depth; l++) {  // all levels are written out, so that nodes stay in registers
            if (carries) {
                carries = (count >> l) & 1;
                if (carries) state = reduction.join(node[l], state);
                else node[l] = state;
            }
        }
        count++;
    }

    DEVICE State finish(const R& reduction) const {
        State state = reduction.identity();
        bool found = false;
#pragma unroll
        for (int l = 0; l < Depth; l++) {
            if ((count >> l) & 1) {
                state = found ? reduction.join(node[l], state) : node[l];
                found = true;
            }
        }
        return state;
    }
};

enum { DEEPEST = 32 };

// The same for any number of neighbours: nodes lie in local memory.
template <class R> struct Tree<R, DEEPEST> {
    typedef typename R::State State;
    State node[DEEPEST];
    int64 count;

    DEVICE Tree() : count(0) {}

    DEVICE void push(const R& reduction, State state) {
        int l = 0;
        for (; (count >> l) & 1; l++) state = reduction.join(node[l], state);
        node[l] = state;
        count++;
    }

    DEVICE State finish(const R& reduction) const {
        if (count == 0) return reduction.identity();
        int l = 0;
        while (!((count >> l) & 1)) l++;
        State state = node[l];
        for (l++; count >> l; l++) {
            if ((count >> l) & 1) state = reduction.join(node[l], state);
        }
        return state;
    }
};

// What gathers neighbours: a tree, or one state where their order does not matter.
template <class R, int Depth, bool Ordered = R::ordered> struct Chain {
    typedef typename R::State State;
    State state;
    DEVICE Chain(const R& reduction) : state(reduction.identity()) {}
    DEVICE void push(const R& reduction, State next) { state = reduction.join(state, next); }
    DEVICE State finish(const R&) const { return state; }
};
template <class R, int Depth> struct Chain<R, Depth, true> : Tree<R, Depth> {
    DEVICE Chain(const R&) {}
};

template <class State> struct Node {
    State state;
    int64 count;
};

template <class R> DEVICE typename R::State lifted(const R& reduction, const Sample<typename R::Row>& sample, int64& count) {
    if (!sample.counts) return reduction.identity();
    count++;
    return reduction.lift(sample);
}

// --- powers beyond the range of float64

// Means of powers are homogeneous: samples scaled by a power of two, which changes no digit, give scaled results. A
// window whose sum of powers has left the range of float64 is scaled by its own largest sample.
template <class R> struct Scaling {
    static DEVICE bool is_lost(const R&, const Plan&, const Node<typename R::State>&) { return false; }
    static DEVICE double size(const Sample<typename R::Row>&, const Plan&) { return 0; }
    static DEVICE bool scale(R&, const Plan&, double) { return false; }
};
template <class R> struct PowerScaling {
    static DEVICE bool is_lost(const R& reduction, const Plan& plan, const Node<double>& node) {
        if (plan.safe == 0 || node.count == 0) return false;
        double value = reduction.value(node.state, node.count);
        return value < plan.least || is_infinite(value);
    }
    static DEVICE double size(const Sample<typename R::Row>& sample, const Plan& plan) { return R::size(sample, plan); }
    static DEVICE bool scale(R& reduction, const Plan& plan, double top) {
        if (!(top > 0) || is_infinite(top)) return false;
        int64 exponent = exponent_of(top), step = plan.safe;
        reduction.shift = (exponent >= 0 ? exponent / step : -((step - 1 - exponent) / step)) * step;
        return true;
    }
};
template <class P, class N> struct Scaling<Lp<P, N> > : PowerScaling<Lp<P, N> > {};
template <class P, class N> struct Scaling<PowerMean<P, N> > : PowerScaling<PowerMean<P, N> > {};
template <class P, class N> struct Scaling<Gem<P, N> > : PowerScaling<Gem<P, N> > {};

// --- blocks of threads

enum { THREADS = 256 };

// Join the nodes of a block of threads, neighbours first: the tree over them.
template <class R> DEVICE void join_block(const R& reduction, Node<typename R::State>* nodes, int64 found) {
    for (int64 n = found; n > 1; n = (n + 1) / 2) {
        int64 k = threadIdx.x;
        Node<typename R::State> node;
        if (2 * k < n) node = nodes[2 * k];
        if (2 * k + 1 < n) {
            node.state = reduction.join(node.state, nodes[2 * k + 1].state);
            node.count += nodes[2 * k + 1].count;
        }
        __syncthreads();
        if (2 * k < n) nodes[k] = node;
        __syncthreads();
    }
}

// --- results

template <class Out, class Natural>
DEVICE void write(const Plan& plan, char* out, Natural value, int64 count) {
    Out fill = from_word<Out>(plan.fill);
    *(Out*) out = count < plan.minimum ? fill : Convert<Out, Natural>::from(value, fill);
}

template <class State> DEVICE int64 index_of(const State&) { return -1; }
template <class Row> DEVICE int64 index_of(const Placed<Row>& state) { return state.index; }

// A state of another window, as one `taps` columns further on in its own.
template <class State> DEVICE State moved(const State& state, int64) { return state; }
template <class Row> DEVICE Placed<Row> moved(const Placed<Row>& state, int64 taps) {
    return Placed<Row>{state.value, state.place < 0 ? -1 : state.place + taps, state.index};
}

}  // namespace skpool
