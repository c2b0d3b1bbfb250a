// Windows: the tables of `skpool.windows` on the device, and the samples of one window.
//
// A plan is one block of 8-byte words: the fields of `Plan`, an `Axis` for each leading axis, for the columns and for
// the channels (contiguous or not), then tables, which fields name by the word where they begin (0: there is none).
#pragma once
#include "numbers.cuh"

namespace skpool {

enum { ABSENT = -1, CONSTANT = -2 };

struct Axis {
    int64 length, outputs;          // samples of the image, and windows
    int64 taps;                     // the most of any window
    int64 stride, step, before, after;
    int64 ignores;                  // padding holds nothing
    int64 start, sizes;             // tables, of windows that are not evenly spaced: first sample, and how many
    int64 outside_before;           // tables of what positions -1, -2, ... hold,
    int64 outside_after;            // and positions length, length + 1, ...
    int64 image, mask, out, places, weights; // bytes from one element to the next
};

struct Plan {
    int64 outputs;                  // elements of the result
    int64 minimum;                  // samples that a window must count
    int64 omits;                    // NaN counts as masked
    int64 raises;                   // NaN must not count, or the alarm is raised
    int64 taps, taps_found;         // table of the places of a footprint's taps in the window, and how many
    int64 part, parts;              // of windows cut into parts: rows of a part, and parts
    int64 positions;                // columns of a window; of windows in tiles, under all those of a tile
    int64 tile, group;              // of windows in tiles: columns of the result, and channels
    int64 channels;                 // number of the last axis
    int64 low, high, weight;        // tables of ranks and weights by count
    int64 down, across;             // tables of weights of rows and columns whose outer product those of taps are
    int64 treats_apart;             // `apart` is a sample that is treated apart
    uint64 apart;
    uint64 fill, constant;          // the fill value and the constant of the padding, as they lie in memory
    double first, second, divisor;  // parameters of the reduction, 0 where there are none
    int64 safe;                     // of powers that may leave the range of float64: scales are multiples of it,
    double least;                   // and smaller results have left it; 0: of others
    Axis axes[1];

    DEVICE const int64* table(int64 word) const { return (const int64*) this + word; }
    DEVICE double number(int64 word, int64 place) const { return from_bits((uint64) table(word)[place]); }
};

// 32-bit divisions take a fraction of the time of 64-bit ones.
DEVICE int64 divided(int64 a, int64 b, int64* rest) {
    if (((a | b) >> 32) == 0) {
        uint32 quotient = (uint32) a / (uint32) b;
        *rest = (uint32) a - quotient * (uint32) b;
        return quotient;
    }
    int64 quotient = a / b;
    *rest = a - quotient * b;
    return quotient;
}

// Where element number i of an array lies, whose axes are the first `count`, neighbours that lie alike merged into one.
DEVICE int64 offset_of(const Plan& plan, int64 count, int64 i, int64 Axis::*stride) {
    int64 offset = 0, at;
    for (int64 a = count - 1; a > 0; a--) {
        i = divided(i, plan.axes[a].length, &at);
        offset += at * plan.axes[a].*stride;
    }
    return offset + i * plan.axes[0].*stride;
}

DEVICE int64 source_of(const Plan& plan, const Axis& axis, int64 position) {
    if (position >= 0 && position < axis.length) return position;
    if (position >= axis.length + axis.after || axis.ignores) return ABSENT;
    if (position < 0) return plan.table(axis.outside_before)[-1 - position];
    return plan.table(axis.outside_after)[position - axis.length];
}

DEVICE int64 below(int64 limit, int64 start, const Axis& axis) {
    if (limit <= start) return 0;
    int64 rest, found = divided(limit - start + axis.step - 1, axis.step, &rest);
    return found < axis.taps ? found : axis.taps;
}

// One window along one axis: its first position, and the taps [first, stop) that count; they are neighbours.
struct Run {
    int64 start, first, stop;
    int64 taps;                     // of the tree over columns: those of a window that hangs over an end included
    bool whole;

    DEVICE void find(const Plan& plan, const Axis& axis, int64 output) {
        if (axis.start) {
            start = plan.table(axis.start)[output];
            first = 0;
            stop = taps = plan.table(axis.sizes)[output];
            whole = false;
            return;
        }
        start = output * axis.stride - axis.before;
        taps = axis.taps;
        first = axis.ignores ? below(0, start, axis) : 0;
        stop = below(axis.ignores ? axis.length : axis.length + axis.after, start, axis);
        whole = first == 0 && stop == taps;
    }
};

template <class Row> struct Sample {
    bool counts;
    Row value;
    int64 place;                    // in the window, row by row
    int64 index;                    // in the image, row by row; -1: padding
    bool exists;                    // whether it counts or not
    double weight;                  // of its pixel
};

// What is wrong with an image, for the host to look at: NaN that counts where none may, and weights.
struct Alarm {
    int64 nan, weights;
};

// Weights of pixels: those that may be, and none.
struct Unweighted {};
template <class Weight> DEVICE double weight_at(const char* weights, Alarm* alarm) {
    double weight = (double) Stored<Weight>::read(*(const Weight*) weights);
    if (!(weight >= 0) || is_infinite(weight)) alarm->weights = 1;
    return weight;
}
template <> DEVICE double weight_at<Unweighted>(const char*, Alarm*) { return 1; }

struct Line {                       // one row of samples of the image
    int64 image, mask, weights;     // bytes from the first element
    int64 number, place;
    bool constant, absent;
};

// The arrays that windows look at.
struct Input {
    const char* image;
    const char* mask;               // or NULL
    Alarm* alarm;                   // or NULL: NaN may be
    const char* weights;            // of pixels, where these have some
};

template <class Pixel, int Leading, class Weight = Unweighted> struct Window {
    typedef typename Stored<Pixel>::row Row;
    const Plan& plan;
    const Input input;
    Run runs[Leading + 1];
    int64 rows, channel, out, places;

    DEVICE Window(const Plan& plan, const Input& input, int64 output) : plan(plan), input(input) {
        int64 rest, at;
        output = divided(output, plan.axes[Leading + 1].outputs, &channel);
        out = channel * plan.axes[Leading + 1].out;
        places = channel * plan.axes[Leading + 1].places;
        rows = 1;
#pragma unroll
        for (int a = Leading; a >= 0; a--) {
            const Axis& axis = plan.axes[a];
            rest = divided(output, axis.outputs, &at);
            runs[a].find(plan, axis, at);
            if (a < Leading) rows *= runs[a].stop - runs[a].first;
            out += at * axis.out;
            places += at * axis.places;
            output = rest;
        }
    }

    DEVICE bool masked() const { return input.mask != 0 || plan.omits; }

    // Go so many positions on, along the columns.
    DEVICE void move(int64 positions) { runs[Leading].start += positions; }

    DEVICE const Run& columns() const { return runs[Leading]; }
    DEVICE const Axis& axis() const { return plan.axes[Leading]; }

    DEVICE void add(Line& line, int a, int64 tap, int64& scale, int64& place_scale) const {
        const Axis& axis = plan.axes[a];
        int64 source = source_of(plan, axis, runs[a].start + tap * axis.step);
        line.constant |= source == CONSTANT;
        line.absent |= source == ABSENT;
        source = source < 0 ? 0 : source;
        line.image += source * axis.image;
        line.mask += source * axis.mask;
        line.weights += source * axis.weights;
        line.number += source * scale;
        line.place += tap * place_scale;
        scale *= axis.length;
        place_scale *= axis.taps;
    }

    // Row number `row` of those that the window has, through all leading axes.
    DEVICE Line line(int64 row) const {
        Line line = {0, 0, 0, 0, 0, false, false};
        int64 scale = 1, place_scale = 1, tap;
#pragma unroll
        for (int a = Leading - 1; a >= 0; a--) {
            tap = row;
            if (a > 0) row = divided(row, runs[a].stop - runs[a].first, &tap);
            add(line, a, runs[a].first + tap, scale, place_scale);
        }
        return line;
    }

    DEVICE Sample<Row> sample(const Line& line, int64 tap) const {
        const Axis& axis = plan.axes[Leading];
        const Axis& channels = plan.axes[Leading + 1];
        Sample<Row> found;
        int64 source = source_of(plan, axis, columns().start + tap * axis.step);
        found.place = line.place * axis.taps + tap;
        found.index = -1;
        found.counts = found.exists = !(line.absent || source == ABSENT);
        found.weight = 1;
        if (line.constant || source < 0) {
            found.value = Stored<Pixel>::read(from_word<Pixel>(plan.constant));
        } else {
            found.index = (line.number * axis.length + source) * channels.length + channel;
            found.value = Stored<Pixel>::read(
                *(const Pixel*) (input.image + line.image + source * axis.image + channel * channels.image));
            if (input.mask) {
                int64 masked = line.mask + source * axis.mask + channel * channels.mask;
                found.counts &= *(const uint8*) (input.mask + masked) != 0;
            }
            int64 weighed = line.weights + source * axis.weights + channel * channels.weights;
            found.weight = weight_at<Weight>(input.weights + weighed, input.alarm);
        }
        if (plan.omits) found.counts &= !is_nan(found.value);
        if (input.alarm && plan.raises && found.counts && is_nan(found.value)) input.alarm->nan = 1;
        found.counts &= found.weight > 0;
        return found;
    }

    // The places in the window that hold taps, by number.
    DEVICE int64 places_found() const {
        if (plan.taps) return plan.taps_found;
        int64 found = 1;
        for (int a = 0; a <= Leading; a++) found *= plan.axes[a].taps;
        return found;
    }
    DEVICE int64 place(int64 number) const { return plan.taps ? plan.table(plan.taps)[number] : number; }

    // The sample at a place in the window, whether it exists or not.
    DEVICE Sample<Row> sample_at(int64 place) const {
        Line line = {0, 0, 0, 0, 0, false, false};
        int64 scale = 1, place_scale = 1, column, tap;
        place = divided(place, plan.axes[Leading].taps, &column);
#pragma unroll
        for (int a = Leading - 1; a >= 0; a--) {
            tap = place;
            if (a > 0) place = divided(place, plan.axes[a].taps, &tap);
            line.absent |= tap >= runs[a].stop;
            add(line, a, tap, scale, place_scale);
        }
        line.absent |= column >= columns().stop;
        return sample(line, line.absent ? 0 : column);
    }
};

}  // namespace skpool
