// Boxes: one thread for each element of the result, that is for a channel of a bin, in the order of the CPU's kernels.
//
// Rows and columns are axes 0 and 1 of the plan, of `outputs` bins with `taps` samples each (0: as many as a bin has
// pixels) and at most `stride` entries; axis 2 are channels, `out` bytes from those of one bin to those of the next if
// each has its own. Neighbouring threads have neighbouring channels, so that they read neighbours where these lie so.
// Bytes moved per element of the result: its own, and the pixels of its bin; the same weights serve all channels.
#include "weighing.cuh"

namespace skpool {

// --- which element

struct Bin {
    int64 box, row, column;
    const char* image;              // of the channel

    DEVICE Bin(const Plan& plan, const char* pixels, int64 output) {
        int64 channel;
        output = divided(output, plan.axes[2].outputs, &channel);
        output = divided(output, plan.axes[1].outputs, &column);
        box = divided(output, plan.axes[0].outputs, &row);
        image = pixels + channel * plan.axes[2].image + (row * plan.axes[1].outputs + column) * plan.axes[2].out;
    }
};

template <class Pixel> DEVICE typename Stored<Pixel>::row pixel_at(const Plan& plan, const Bin& bin, int64 row, int64 column) {
    return Stored<Pixel>::read(*(const Pixel*) (bin.image + row * plan.axes[0].image + column * plan.axes[1].image));
}

// --- every pixel of a bin once

DEVICE int64 clipped(int64 position, int64 length) { return position < 0 ? 0 : position < length ? position : length; }

// Bin i of [start, stop), both whole numbers: all pixels from floor(i size / bins) to ceil((i + 1) size / bins).
struct Pixels {
    int64 begin, stop;

    DEVICE Pixels(const Axis& axis, const double* edges, int64 bin) {
        int64 start = (int64) edges[0], size = (int64) edges[1] - start, rest;
        begin = clipped(start + divided(bin * size, axis.outputs, &rest), axis.length);
        stop = clipped(start + divided((bin + 1) * size + axis.outputs - 1, axis.outputs, &rest), axis.length);
    }
};

// Nodes of a fold, of which one without samples is left out.
template <class R> struct Nodes {
    typedef Node<typename R::State> State;
    const R& reduction;
    DEVICE State identity() const { return State{reduction.identity(), 0}; }
    DEVICE State join(const State& a, const State& b) const {
        if (b.count == 0) return a;
        if (a.count == 0) return b;
        return State{reduction.join(a.state, b.state), a.count + b.count};
    }
};

// Rows that the CPU folds at once.
template <class R> struct RowsAtOnce { static const int64 value = 8; };
template <class P, class N> struct RowsAtOnce<Var<P, N> > { static const int64 value = 1; };
template <class P, class N> struct RowsAtOnce<Std<P, N> > { static const int64 value = 1; };

template <class R>
DEVICE Node<typename R::State> folded_down(
    const R& reduction, const Plan& plan, const Bin& bin, const Pixels& rows, int64 column
) {
    typedef Node<typename R::State> Folded;
    Nodes<R> nodes{reduction};
    Folded total = nodes.identity();
    for (int64 row = rows.begin; row < rows.stop;) {
        int64 left = rows.stop - row, count = RowsAtOnce<R>::value == 1 ? 1 : left >= 8 ? 8 : left >= 4 ? 4 : left;
        Tree<R, 4> tree;
        for (int64 r = 0; r < count; r++) {
            Sample<typename R::Row> sample;
            sample.value = pixel_at<typename R::Pixel>(plan, bin, row + r, column);
            tree.push(reduction, reduction.lift(sample));
        }
        total = nodes.join(total, Folded{tree.finish(reduction), count});
        row += count;
    }
    return total;
}

// Columns as the CPU folds them, the second half of them into the first until one is left: turn `turn` of 2**levels is
// that of a column, or of none.
DEVICE int64 column_of(int64 turn, int64 columns, int levels) {
    int64 column = 0;
    for (int level = levels; level > 0; level--) {
        int64 half = (columns + ((int64) 1 << level) - 1) >> level;
        int64 whole = (columns + ((int64) 1 << (level - 1)) - 1) >> (level - 1);
        if ((turn >> (level - 1)) & 1) column += half;
        if (column >= whole) return -1;
    }
    return column;
}

template <class R, class Out, int Depth>
__global__ void pool_pixels(const char* image, const double* boxes, char* out, const Plan* words) {
    const Plan& plan = *words;
    R reduction(plan);
    Nodes<R> nodes{reduction};
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Bin bin(plan, image, i);
        Pixels rows(plan.axes[0], boxes + 4 * bin.box, bin.row);
        Pixels columns(plan.axes[1], boxes + 4 * bin.box + 2, bin.column);
        int64 wide = rows.begin < rows.stop && columns.begin < columns.stop ? columns.stop - columns.begin : 0;
        int levels = 0;
        while ((int64) 1 << levels < wide) levels++;
        Tree<Nodes<R>, Depth> across;
        for (int64 turn = 0; wide && turn < (int64) 1 << levels; turn++) {
            int64 column = column_of(turn, wide, levels);
            across.push(
                nodes, column < 0 ? nodes.identity() : folded_down(reduction, plan, bin, rows, columns.begin + column));
        }
        Node<typename R::State> node = across.finish(nodes);
        write<Out>(plan, out + i * (int64) sizeof(Out), reduction.finish(node.state, node.count, true), node.count);
    }
}

// --- weights: each bin's record along an axis, laid by one thread and read by those of all channels

struct Entry {
    int64 pixel;
    double weight;                  // of peaks, how far a sample is from the pixel, its lower one
};

struct Record {
    int64 found;
    double extent;                  // what the weights of a bin inside the image add up to
    Entry entries[1];

    // Add to the weight of a pixel, which is none before the last but one. A pixel without weight is not looked at, not
    // even if it is NaN.
    DEVICE void weigh(int64 pixel, double weight) {
        if (weight == 0) return;
        int64 place = found;
        if (found > 0 && entries[found - 1].pixel == pixel) place = found - 1;
        if (found > 1 && entries[found - 2].pixel == pixel) place = found - 2;
        if (place == found) entries[found++] = Entry{pixel, 0};
        entries[place].weight += weight;
    }
};

// Words of the record of a bin along an axis, and where it is: those of a box lie together, rows first.
DEVICE int64 record_size(const Axis& axis) { return 2 + 2 * axis.stride; }
DEVICE Record& record_of(const Plan& plan, int64* space, int64 box, int axis, int64 bin) {
    int64 rows = plan.axes[0].outputs * record_size(plan.axes[0]);
    int64 columns = plan.axes[1].outputs * record_size(plan.axes[1]);
    return *(Record*) (space + box * (rows + columns) + axis * rows + bin * record_size(plan.axes[axis]));
}

struct Samples {
    double start, size, count;      // of the box, and of all its samples

    DEVICE double at(int64 number) const { return start + ((double) number + 0.5) * size / count; }

    // The first sample at `limit` or after it; if `beyond`, after it.
    DEVICE int64 first_from(double limit, bool beyond) const {
        int64 low = 0, high = (int64) count;
        while (low < high) {
            int64 middle = low + (high - low) / 2;
            double position = at(middle);
            if (position > limit || (position == limit && !beyond)) high = middle;
            else low = middle + 1;
        }
        return low;
    }
};

DEVICE int64 whole_up(double value) {
    int64 whole = (int64) value;
    return (double) whole < value ? whole + 1 : whole;
}

// Evenly spaced samples; those beyond [-1, length] are zero, those near the border have its value.
template <bool Peaks> struct BySamples {
    static DEVICE void lay(Record& record, const Axis& axis, double start, double stop, int64 bin) {
        Samples samples = {start, stop - start, 0};
        int64 each = axis.taps ? axis.taps : whole_up(samples.size / (double) axis.outputs);
        samples.count = (double) (each * axis.outputs);
        record.extent = (double) each;
        int64 begin = samples.first_from(-1, false), end = samples.first_from((double) axis.length, true);
        begin = begin > bin * each ? begin : bin * each;
        end = end < (bin + 1) * each ? end : (bin + 1) * each;
        for (int64 number = begin; number < end; number++) {
            double position = samples.at(number), fraction;
            position = position > 0 ? position : 0.0;
            int64 low = (int64) position;
            fraction = position - (double) low;
            if (low >= axis.length - 1) {
                low = axis.length - 1;
                fraction = 0;
            }
            if (Peaks) {
                record.entries[record.found++] = Entry{low, fraction};
            } else {
                record.weigh(low, 1 - fraction);
                record.weigh(low + 1, fraction);
            }
        }
    }
};

// Means over each bin of the image, interpolated, and fading to zero within one pixel of its border.
struct Integral {
    static DEVICE void lay(Record& record, const Axis& axis, double start, double stop, int64 bin) {
        double size = stop - start, bins = (double) axis.outputs, length = (double) axis.length;
        double begin = bin ? start + (double) bin * size / bins : start, end = start + (double) (bin + 1) * size / bins;
        double from = begin > -1.0 ? begin : -1.0, to = end < length ? end : length;
        int64 first = (int64) from, last = whole_up(to);
        if ((double) first > from) first--;
        record.extent = 1;
        for (int64 cell = first; cell < last; cell++) {
            double left = begin > (double) cell ? begin : (double) cell;
            double right = end < (double) (cell + 1) ? end : (double) (cell + 1);
            if (left >= right) continue;  // a bin without length
            double share = (right - left) / (end - begin);
            double middle = (left - (double) cell + (right - (double) cell)) / 2;
            if (cell >= 0) record.weigh(cell, share * (1 - middle));
            if (cell + 1 < axis.length) record.weigh(cell + 1, share * middle);
        }
    }
};

template <class Rule> __global__ void lay(const double* boxes, int64* space, int64 count, const Plan* words) {
    const Plan& plan = *words;
    int64 bins = plan.axes[0].outputs + plan.axes[1].outputs;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < count * bins; i += (int64) gridDim.x * blockDim.x) {
        int64 bin, box = divided(i, bins, &bin);
        int axis = bin >= plan.axes[0].outputs;
        bin -= axis ? plan.axes[0].outputs : 0;
        Record& record = record_of(plan, space, box, axis, bin);
        record.found = 0;
        Rule::lay(record, plan.axes[axis], boxes[4 * box + 2 * axis], boxes[4 * box + 2 * axis + 1], bin);
    }
}

template <class Pixel, class Natural>
__global__ void weigh(const char* image, int64* space, char* out, const Plan* words) {
    const Plan& plan = *words;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Bin bin(plan, image, i);
        const Record& rows = record_of(plan, space, bin.box, 0, bin.row);
        const Record& columns = record_of(plan, space, bin.box, 1, bin.column);
        Fours across;
        for (int64 c = 0; rows.found && c < columns.found; c++) {
            const Entry& column = columns.entries[c];
            Fours down;
            for (int64 r = 0; r < rows.found; r++) {
                const Entry& row = rows.entries[r];
                down.add(row.weight * (double) pixel_at<Pixel>(plan, bin, row.pixel, column.pixel));
            }
            down.close();
            across.add(column.weight * down.total);
        }
        Natural value = Natural(0.0);
        if (across.count) {
            across.close();
            value = Quotient<Natural, double, double>::of(across.total, 0, (int64) (rows.extent * columns.extent), true);
        }
        ((Natural*) out)[i] = value;
    }
}

DEVICE double higher(double a, double b) { return a != a || a > b ? a : b; }

// A sample between two pixels along an axis, and the higher of two pixels by their weights.
struct Between {
    static const bool needs_corners = false;
    static DEVICE double of(double low, double high, double fraction) {
        double total = (1 - fraction) * low;
        return fraction == 0 ? total : total + fraction * high;
    }
};
struct HigherOfWeighed {
    static const bool needs_corners = true;
    static DEVICE double of(double low, double high, double fraction) {
        double weighed = (1 - fraction) * low;
        return higher(weighed, fraction == 0 ? weighed : fraction * high);
    }
};

template <class Pixel, class Natural, class Mix>
__global__ void highest(const char* image, int64* space, char* out, const Plan* words) {
    const Plan& plan = *words;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Bin bin(plan, image, i);
        const Record& rows = record_of(plan, space, bin.box, 0, bin.row);
        const Record& columns = record_of(plan, space, bin.box, 1, bin.column);
        double best = 0;
        bool begun = (double) rows.found < rows.extent || (double) columns.found < columns.extent;  // samples of zero
        for (int64 r = 0; r < rows.found; r++) {
            const Entry& row = rows.entries[r];
            for (int64 c = 0; c < columns.found; c++) {
                const Entry& column = columns.entries[c];
                double pair[2] = {0, 0};
                for (int side = 0; side < (column.weight == 0 ? 1 : 2); side++) {
                    double low = (double) pixel_at<Pixel>(plan, bin, row.pixel, column.pixel + side), high = 0;
                    if (row.weight != 0) high = (double) pixel_at<Pixel>(plan, bin, row.pixel + 1, column.pixel + side);
                    pair[side] = Mix::of(low, high, row.weight);
                }
                double value = Mix::of(pair[0], pair[1], column.weight);
                bool corner = Mix::needs_corners && (row.weight == 0 || column.weight == 0);  // a weight of zero counts
                best = begun || corner ? higher(best, value) : value;
                begun = true;
            }
        }
        ((Natural*) out)[i] = Narrow<Natural, double>::from(rows.extent * columns.extent == 0 ? 0.0 : best, Natural());
    }
}

}  // namespace skpool
