// Weighted sums and averages, in the order of the CPU.
#pragma once
#include "folds.cuh"

namespace skpool {

// Weighted sums as the CPU adds them up, four terms at a time.
struct Fours {
    double total, four;
    int64 count;

    DEVICE Fours() : total(0), four(0), count(0) {}
    DEVICE void add(double weighed) {
        if (count > 0 && count % 4 == 0) close();
        four = count % 4 ? four + weighed : weighed;
        count++;
    }
    DEVICE void close() { total = count > 4 ? total + four : four; }
};

// The average of what is added to it: sums of windows of which all counts are added up otherwise than others.
struct Weighing {
    Fours whole;
    double total, norm;
    int64 count;

    DEVICE Weighing() : total(0), norm(0), count(0) {}
    DEVICE void add(double value, double weight) {
        double weighed = weight * value;
        whole.add(weighed);
        total += weighed;
        norm += weight;
        count++;
    }
    DEVICE double average(int64 taps, bool masked) {
        if (count == taps && !masked) {
            whole.close();
            total = whole.total;
        }
        return total / norm;
    }
};

// --- weights that are an outer product: sums of rows, through all axes ahead of the columns, then of columns

struct Norm {
    double weights;
    int64 count;                    // of those that are not 0

    DEVICE Norm() : weights(0), count(0) {}
    DEVICE void add(double weight) {
        weights += weight;
        count += weight != 0;
    }
};

template <class Window> DEVICE Norm norm_of_rows(const Window& window) {
    Norm norm;
    for (int64 row = 0; row < window.rows; row++) norm.add(window.plan.number(window.plan.down, window.line(row).place));
    return norm;
}

template <class Window, class Value> DEVICE double sum_of_rows(const Window& window, int64 tap, const Value& value) {
    Fours sum;
    for (int64 row = 0; row < window.rows; row++) {
        Line line = window.line(row);
        double weight = window.plan.number(window.plan.down, line.place);
        if (weight != 0) sum.add(weight * value(window.sample(line, tap)));
    }
    sum.close();
    return sum.total;
}

// The average of what `sums` tells of each tap; `count` receives how many samples it is of, unless it is NULL.
template <class Window, class Sums> DEVICE double average_across(const Window& window, const Sums& sums, int64* count) {
    Norm rows = norm_of_rows(window), columns;
    Fours sum;
    for (int64 tap = window.columns().first; tap < window.columns().stop; tap++) {
        double weight = window.plan.number(window.plan.across, tap);
        columns.add(weight);
        if (weight != 0) sum.add(weight * sums(window, tap));
    }
    sum.close();
    if (count) *count = rows.count * columns.count;
    return sum.total / (rows.weights * columns.weights);
}

template <class Value> struct SumsOfRows {
    const Value& value;
    template <class Window> DEVICE double operator()(const Window& window, int64 tap) const {
        return sum_of_rows(window, tap, value);
    }
};

template <class Window, class Value> DEVICE double average_along(const Window& window, const Value& value, int64* count) {
    return average_across(window, SumsOfRows<Value>{value}, count);
}

}  // namespace skpool
