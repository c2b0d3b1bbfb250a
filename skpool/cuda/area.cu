// Averages over bins of exact areas: each sample counts as far as it lies in the bin.
//
// Axis by axis in order, as on the CPU: those before the last pooled axis by one thread for each of their bins at each
// sample along it, then that by one thread for each element of the result. Axes whose bins are single samples, channels
// among them, are not pooled. Neighbouring threads have neighbours along the last axes of memory. Bytes moved per element
// of the result: its pixels, those between two bins twice, and of each line of them along the last pooled axis a sum of
// 24 bytes, written once and read once or twice; tables of bins are read by all threads alike.
#include "folds.cuh"

namespace skpool {

// Samples by their shares, those shares, and how many samples count.
struct Area {
    double total, norm;
    int64 count;
};

// A bin along one axis: from its first sample to its last, and how far it overlaps these, in parts of a sample; the last
// is 0 where they are one. `Axis::start` is the table of all four; 0: of an axis whose bins are its samples.
struct Overlap {
    int64 first, last, of_first, of_last;

    DEVICE Overlap(const Plan& plan, const Axis& axis, int64 bin) {
        const int64* table = plan.table(axis.start);
        first = table[bin];
        last = table[axis.outputs + bin];
        of_first = table[2 * axis.outputs + bin];
        of_last = table[3 * axis.outputs + bin];
    }
};

// The sum of a bin: those samples that lie wholly in it count `bins` times, and those at its ends by their shares.
template <class Samples> DEVICE Area summed_along(const Overlap& overlap, double bins, Samples& samples) {
    Area inner = samples.between(overlap.first + 1, overlap.last);
    Area sum = {inner.total * bins, inner.norm * bins, inner.count};
    for (int end = 0; end < (overlap.of_last > 0 ? 2 : 1); end++) {
        double share = (double) (end ? overlap.of_last : overlap.of_first);
        Area sample = samples.at(end ? overlap.last : overlap.first);
        if (sample.count == ABSENT) continue;
        sum.total += sample.total * share;
        sum.norm += sample.norm * share;
        sum.count += sample.count;
    }
    return sum;
}

// Pixels along the first pooled axis. R is the fold of plain sums.
template <class R> struct PixelsAlong {
    typedef typename R::Pixel Pixel;
    const Plan& plan;
    const Input& input;
    const Axis* axis;
    int64 image, mask;

    DEVICE Sample<typename R::Row> sample(int64 number) const {
        Sample<typename R::Row> found;
        found.value = Stored<Pixel>::read(*(const Pixel*) (input.image + image + number * axis->image));
        found.counts = !input.mask || *(const uint8*) (input.mask + mask + number * axis->mask);
        if (plan.raises && found.counts && is_nan(found.value)) input.alarm->nan = 1;
        if (plan.omits) found.counts &= !is_nan(found.value);
        return found;
    }
    DEVICE Area at(int64 number) const {
        Sample<typename R::Row> found = sample(number);
        if (!found.counts) return Area{0, 0, ABSENT};
        return Area{(double) found.value, 1, 1};
    }
    DEVICE Area between(int64 begin, int64 stop) const {
        R reduction(plan);
        Tree<R, DEEPEST> tree;
        int64 count = 0;
        for (int64 number = begin; number < stop; number++) tree.push(reduction, lifted(reduction, sample(number), count));
        double total = count ? (double) reduction.finish(tree.finish(reduction), count, false) : 0.0;
        return Area{total, (double) count, count};
    }
};

struct Doubles {
    typedef double State;
    DEVICE double identity() const { return -0.0; }
    DEVICE double join(double a, double b) const { return a + b; }
};

// Sums along another axis, of whatever `Samples` gives for one sample along it.
template <class Samples> DEVICE Area between(Samples& samples, int64 begin, int64 stop) {
    Doubles reduction;
    Tree<Doubles, DEEPEST> tree;
    Area sum = {0, 0, 0};
    for (int64 number = begin; number < stop; number++) {
        Area sample = samples.at(number);
        tree.push(reduction, sample.total);
        sum.norm += sample.norm;
        sum.count += sample.count;
    }
    if (begin < stop) sum.total = tree.finish(reduction);
    return sum;
}

// Bins along `Axes` pooled axes, the first of which come first; `axes` and `bins` tell which.
template <class R, int Axes> struct Nested {
    PixelsAlong<R> pixels;
    const Axis* const* axes;
    const int64* bins;

    DEVICE Area at(int64 number) {
        Nested<R, Axes - 1> inner = {pixels, axes, bins};
        inner.pixels.image += number * axes[Axes - 1]->image;
        inner.pixels.mask += number * axes[Axes - 1]->mask;
        return inner.sum();
    }
    DEVICE Area between(int64 begin, int64 stop) { return skpool::between(*this, begin, stop); }
    DEVICE Area sum() {
        Overlap overlap(pixels.plan, *axes[Axes - 1], bins[Axes - 1]);
        return summed_along(overlap, (double) axes[Axes - 1]->outputs, *this);
    }
};
template <class R> struct Nested<R, 1> {
    PixelsAlong<R> pixels;
    const Axis* const* axes;
    const int64* bins;

    DEVICE Area sum() {
        pixels.axis = axes[0];
        Overlap overlap(pixels.plan, *axes[0], bins[0]);
        return summed_along(overlap, (double) axes[0]->outputs, pixels);
    }
};
template <class R> struct Nested<R, 0> {
    PixelsAlong<R> pixels;
    const Axis* const* axes;
    const int64* bins;

    DEVICE Area sum() {
        Axis none = {};
        pixels.axis = &none;
        Area found = pixels.at(0);
        return found.count == ABSENT ? Area{0, 0, 0} : found;
    }
};

// Element i of a result, and of what lies in memory along `last`, which is not pooled yet (-1: all axes are).
template <class R, int Axes> DEVICE Area sum_of(const Plan& plan, const Input& input, int64 i, int64 last, int64* out) {
    const Axis* axes[Axes + 1];
    int64 bins[Axes + 1], at, found = Axes;
    Nested<R, Axes> nested = {{plan, input, 0, 0, 0}, axes, bins};
    *out = 0;
    for (int64 a = plan.channels; a >= 0; a--) {
        const Axis& axis = plan.axes[a];
        i = divided(i, a == last ? axis.length : axis.outputs, &at);
        *out += at * axis.out;
        if (axis.start && a != last) {
            found--;
            axes[found] = &axis;
            bins[found] = at;
        } else {
            nested.pixels.image += at * axis.image;
            nested.pixels.mask += at * axis.mask;
        }
    }
    return nested.sum();
}

// All pooled axes but the last one, `part`, of `count` elements.
template <class R, int Axes>
__global__ void area_of_lines(
    const char* image, const char* mask, Alarm* alarm, Area* space, const Plan* words, int64 count
) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (int64) gridDim.x * blockDim.x) {
        int64 out;
        space[i] = sum_of<R, Axes>(plan, input, i, plan.part, &out);
    }
}

// Sums in the workspace along the last pooled axis.
struct SumsAlong {
    const Area* first;
    int64 hop;

    DEVICE Area at(int64 number) const { return first[number * hop]; }
    DEVICE Area between(int64 begin, int64 stop) { return skpool::between(*this, begin, stop); }
};

template <class Out> __global__ void area_across(const Area* space, char* out, const Plan* words) {
    const Plan& plan = *words;
    const Axis& along = plan.axes[plan.part];
    int64 hop = 1;
    for (int64 a = plan.part + 1; a <= plan.channels; a++) hop *= plan.axes[a].outputs;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 beside, bin, at, ahead = divided(divided(i, hop, &beside), along.outputs, &bin), place = 0, rest = i;
        for (int64 a = plan.channels; a >= 0; a--) {
            rest = divided(rest, plan.axes[a].outputs, &at);
            place += at * plan.axes[a].out;
        }
        SumsAlong sums = {space + ahead * along.length * hop + beside, hop};
        Area area = summed_along(Overlap(plan, along, bin), (double) along.outputs, sums);
        write<Out>(plan, out + place, area.total / area.norm, area.count);
    }
}

// The same where one axis is pooled, or none.
template <class R, class Out, int Axes>
__global__ void area_at_once(const char* image, const char* mask, Alarm* alarm, char* out, const Plan* words) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 place;
        Area area = sum_of<R, Axes>(plan, input, i, -1, &place);
        write<Out>(plan, out + place, area.total / area.norm, area.count);
    }
}

}  // namespace skpool
