// The way back: values of windows to the places they came from, or spread over the samples of their windows.
//
// Each pixel gathers what it gets, in a fixed order, so nothing depends on which thread comes first. Bytes moved to put
// values back: an index, and a number to claim its place, for each value; that number, and the result, for each pixel.
// To spread them: the result, and the values of the windows that look at a pixel, which its neighbours share.
#include "folds.cuh"

namespace skpool {

// --- to their places: the last value of each place claims it, then pixels look whose they are

// What indices lie outside the image, if any: below 0 and above 0.
struct Outside {
    int64 before, after;
};

// A place of 0 is nobody's, one of k + 1 is value k's.
template <class Index>
__global__ void claim(
    const char* indices, int64* owners, Outside* outside, const Plan* words, int64 values, int64 pixels
) {
    const Plan& plan = *words;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < values; i += (int64) gridDim.x * blockDim.x) {
        int64 index = (int64) *(const Index*) (indices + offset_of(plan, plan.channels, i, &Axis::places));
        bool wraps = !IsSigned<Index>::value && index < 0;  // of 64 bits
        if (!wraps && index >= 0 && index < pixels) {
            atomicMax(owners + index, i + 1);
        } else if (wraps || index >= pixels) {
            atomicMax(&outside->after, (wraps ? Traits<int64>::largest() - pixels : index - pixels) + 1);
        } else if (index < -1) {
            atomicMin(&outside->before, index + 1);
        }
    }
}

template <class Word>
__global__ void put(const char* values, const int64* owners, Word* image, const Plan* words, int64 pixels) {
    const Plan& plan = *words;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < pixels; i += (int64) gridDim.x * blockDim.x) {
        int64 owner = owners[i] - 1;
        image[i] = owner < 0 ? from_word<Word>(plan.fill)
                             : *(const Word*) (values + offset_of(plan, plan.channels, owner, &Axis::out));
    }
}

// --- over the samples of their windows, which `Axis::out` is the way to; later windows first, the columns' before the
// rows', as on the CPU

// Samples of the image that a window has along an axis, at least 1.
DEVICE double counted(const Plan& plan, const Axis& axis, int64 window) {
    Run run;
    run.find(plan, axis, window);
    return run.stop > run.first ? (double) (run.stop - run.first) : 1.0;
}

template <class Pixel, class Share, int Axes, int A> struct Spread {
    static DEVICE Share of(const Plan& plan, const int64* at, const char* values, double count) {
        const Axis& axis = plan.axes[A];
        int64 rest, reach = at[A] + axis.before, last = divided(reach, axis.stride, &rest);
        bool adds = (axis.taps - 1) * axis.step >= axis.stride;  // windows that overlap
        Share total = Share(0.0);
        for (int64 w = last < axis.outputs ? last : axis.outputs - 1; w >= 0; w--) {
            int64 offset = reach - w * axis.stride, tap = divided(offset, axis.step, &rest);
            if (tap >= axis.taps) break;
            if (rest) continue;
            Share share = Spread<Pixel, Share, Axes, A + 1>::of(
                plan, at, values + w * axis.out, count * counted(plan, axis, w));
            total = adds ? total + share : share;
        }
        return total;
    }
};
template <class Pixel, class Share, int Axes> struct Spread<Pixel, Share, Axes, Axes> {
    static DEVICE Share of(const Plan&, const int64*, const char* values, double count) {
        return Share((double) Stored<Pixel>::read(*(const Pixel*) values)) / Share(count);
    }
};

template <class Pixel, class Share, class Out, int Axes>
__global__ void spread(const char* values, char* image, const Plan* words) {
    const Plan& plan = *words;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 at[Axes], rest = i;
#pragma unroll
        for (int a = Axes - 1; a >= 0; a--) rest = divided(rest, plan.axes[a].length, &at[a]);
        Share total = Spread<Pixel, Share, Axes, 0>::of(plan, at, values, 1.0);
        ((Out*) image)[i] = Convert<Out, Share>::from(total, from_word<Out>(plan.fill));
    }
}

}  // namespace skpool
