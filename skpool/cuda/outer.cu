// Averages with weights that are an outer product: at once, or the sums of rows first, and those of columns after.
//
// Bytes moved per element of the result: at once those of a fold (pool.cu), pixels are read again and again, but through
// the caches. In two launches the pixels of its window's rows, and 8 bytes for each of its columns, written once.
#include "weighing.cuh"

namespace skpool {

struct Value {
    template <class Row> DEVICE double operator()(const Sample<Row>& sample) const { return (double) sample.value; }
};

template <class Pixel, class Out, int Leading>
__global__ void average_outer(const char* image, const char* mask, Alarm* alarm, char* out, char*, const Plan* words) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<Pixel, Leading> window(plan, input, i);
        int64 count;
        double value = average_along(window, Value(), &count);
        write<Out>(plan, out + window.out, value, count);
    }
}

// The sums of rows at each column of the image, one row of them for each row of windows.
template <class Pixel, int Leading>
__global__ void sum_rows(const char* image, const char* mask, Alarm* alarm, double* sums, const Plan* words) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    const Axis& axis = plan.axes[Leading];
    int64 channels = plan.axes[Leading + 1].outputs, items = plan.outputs / axis.outputs * axis.length;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < items; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, column, row = divided(divided(i, channels, &channel), axis.length, &column);
        Window<Pixel, Leading> window(plan, input, row * axis.outputs * channels + channel);
        window.move(column - window.columns().start);
        sums[i] = sum_of_rows(window, 0, Value());
    }
}

struct SumsKept {
    const double* sums;             // of the first column
    int64 hop;                      // from one column to the next
    template <class Window> DEVICE double operator()(const Window& window, int64 tap) const {
        const Axis& axis = window.axis();
        int64 source = source_of(window.plan, axis, window.columns().start + tap * axis.step);
        return source < 0 ? sum_of_rows(window, tap, Value()) : sums[source * hop];
    }
};

template <class Pixel, class Out, int Leading>
__global__ void average_sums(
    const char* image, const char* mask, Alarm* alarm, const double* sums, char* out, char*, const Plan* words
) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    const Axis& axis = plan.axes[Leading];
    int64 channels = plan.axes[Leading + 1].outputs;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 channel, column, row = divided(divided(i, channels, &channel), axis.outputs, &column), count;
        Window<Pixel, Leading> window(plan, input, i);
        SumsKept kept = {sums + row * axis.length * channels + channel, channels};
        double value = average_across(window, kept, &count);
        write<Out>(plan, out + window.out, value, count);
    }
}

}  // namespace skpool
