// Windows of 2 x 2 at stride 2 over contiguous rows, without a mask: a thread makes neighbouring elements of a row.
//
// Pixels come in vectors of 8 or 16 bytes, `Width`, two rows of at least 16 bytes for a thread, and results leave in such
// vectors, so that a warp asks for whole lines of memory in few instructions; each pixel is read once. Bytes moved per
// element of the result: its own, and 4 pixels, which is all there is to move, whatever the caches keep. Windows are
// folded out of registers by the text of pool.cu, and those at ragged ends where they lie, as there.
#include "fold_windows.cuh"

namespace skpool {

template <int Width> struct alignas(Width) Vector {
    uint64 words[Width / 8];
};

// So many neighbours in registers.
template <class Element, int Count> struct Neighbours {
    enum { BYTES = Count * (int) sizeof(Element), WORDS = BYTES / 8 };
    static_assert(BYTES % 8 == 0, "neighbours must fill words");
    uint64 words[WORDS];

    template <int Width> DEVICE void load(const char* source) {
#pragma unroll
        for (int v = 0; v < BYTES / Width; v++) {
            Vector<Width> vector = ((const Vector<Width>*) source)[v];
#pragma unroll
            for (int w = 0; w < Width / 8; w++) words[v * (Width / 8) + w] = vector.words[w];
        }
    }
    template <int Width> DEVICE void store(char* target) const {
#pragma unroll
        for (int v = 0; v < BYTES / Width; v++) {
            Vector<Width> vector;
#pragma unroll
            for (int w = 0; w < Width / 8; w++) vector.words[w] = words[v * (Width / 8) + w];
            ((Vector<Width>*) target)[v] = vector;
        }
    }
    DEVICE Element get(int i) const {
        int place = i * (int) sizeof(Element);
        return from_word<Element>(words[place / 8] >> place % 8 * 8);
    }
    DEVICE void set(int i, Element element) {  // where there were zeros
        int place = i * (int) sizeof(Element);
        words[place / 8] |= to_word(element) << place % 8 * 8;
    }
};

// A window in registers, as `Window` is one in memory.
template <class Pixel> struct Quad {
    typedef typename Stored<Pixel>::row Row;
    static const int rows = 2;
    const Plan& plan;
    Row values[2][2];
    int64 out, places;

    DEVICE bool masked() const { return false; }
    DEVICE Run columns() const { return Run{0, 0, 2, 2, true}; }
    DEVICE int64 line(int64 row) const { return row; }
    DEVICE Sample<Row> sample(int64 row, int64 tap) const { return Sample<Row>{true, values[row][tap], 2 * row + tap, -1, true, 1}; }
};

template <class R, int Depth, class Pixel>
DEVICE Node<typename R::State> folded(const R& reduction, const Quad<Pixel>& window) {
    return Fold<R, Depth>::of(reduction, window);
}

constexpr int least(int a, int b) { return a < b ? a : b; }

// A thread makes `Each` pixels of `Channels` channels; 0: `Each` of the channels of a pixel, which has a multiple of them.
template <class R, class Out, int Leading, int Each, int Channels, int Width>
__global__ void pool_quads(const char* image, const char*, Alarm*, char* out, char* places, const Plan* words) {
    typedef typename R::Pixel Pixel;
    enum {
        RUN = Each * (Channels ? Channels : 1),  // elements that a thread makes
        LOADED = (Channels ? 2 : 1) * RUN,       // pixels of a row that lie side by side,
        SPAN = Channels ? Each : 1,              // columns that a thread makes
        SIDES = Channels ? 1 : 2,                // and how often
        BETWEEN = Channels ? Channels : RUN,     // elements from a column to the next in registers
        LOADS = least(Width, LOADED * (int) sizeof(Pixel)),
        STORES = least(Width, RUN * (int) sizeof(Out) % 16 ? 8 : 16)
    };
    const Plan& plan = *words;
    const Axis& columns = plan.axes[Leading];
    const Axis& channels = plan.axes[Leading + 1];
    R reduction(plan);
    int64 rest, beside = Channels ? 1 : channels.outputs / Each;
    int64 runs = Channels ? divided(columns.outputs + Each - 1, Each, &rest) : columns.outputs * beside;
    int64 cells = divided(plan.outputs, columns.outputs * channels.outputs, &rest);
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < cells * runs; i += (int64) gridDim.x * blockDim.x) {
        int64 run, channel = 0, at, cell = divided(i, runs, &run), leading = cell;
        int64 column = Channels ? run * Each : divided(run, beside, &channel);
        int64 stop = column + SPAN;
        channel *= Each;
        const char* source = image + 2 * column * columns.image + channel * channels.image;
        char* target = out + column * columns.out + channel * channels.out;
        bool whole = stop <= columns.outputs && 2 * stop <= columns.length;
#pragma unroll
        for (int a = Leading - 1; a >= 0; a--) {
            leading = divided(leading, plan.axes[a].outputs, &at);
            source += at * plan.axes[a].stride * plan.axes[a].image;
            target += at * plan.axes[a].out;
            whole &= at * plan.axes[a].stride + plan.axes[a].taps <= plan.axes[a].length;
        }
        if (!whole) {
            int64 first = (cell * columns.outputs + column) * channels.outputs + channel;
            int64 found = (stop < columns.outputs ? stop : columns.outputs) - column;
            for (int64 k = 0; k < found * (RUN / SPAN); k++) {
                pool_window<R, Out, 2>(reduction, Window<Pixel, Leading>(plan, Input{image}, first + k), out, places);
            }
            continue;
        }
        Neighbours<Pixel, LOADED> rows[2][SIDES];
#pragma unroll
        for (int r = 0; r < 2; r++) {
#pragma unroll
            for (int side = 0; side < SIDES; side++) {
                rows[r][side].template load<LOADS>(source + r * plan.axes[Leading - 1].image + side * columns.image);
            }
        }
        Neighbours<Out, RUN> results = {};
#pragma unroll
        for (int k = 0; k < RUN; k++) {
            int left = k / BETWEEN * 2 * BETWEEN + k % BETWEEN, right = Channels ? left + BETWEEN : left;
            Quad<Pixel> window = {plan};
#pragma unroll
            for (int r = 0; r < 2; r++) {
                window.values[r][0] = Stored<Pixel>::read(rows[r][0].get(left));
                window.values[r][1] = Stored<Pixel>::read(rows[r][SIDES - 1].get(right));
            }
            window.out = window.places = 0;
            Out result;
            pool_window<R, Out, 2>(reduction, window, (char*) &result, 0);
            results.set(k, result);
        }
        results.template store<STORES>(target);
    }
}

}  // namespace skpool
