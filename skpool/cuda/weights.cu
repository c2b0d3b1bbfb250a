// Weighted averages of windows: one thread for each element of the result, the taps one after the other.
//
// Bytes moved per element of the result are those of a fold (pool.cu); weights are read by all threads alike.
#include "folds.cuh"

namespace skpool {

template <class Pixel, class Out, int Leading>
__global__ void weighted_average(const char* image, const char* mask, char* out, char*, const Plan* words) {
    const Plan& plan = *words;
    const int64* taps = plan.table(plan.taps);
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<Pixel, Leading> window(plan, image, mask, i);
        Fours whole;                // the sums of windows of which all counts are added up otherwise, as on the CPU
        double total = 0, norm = 0;
        int64 count = 0;
        for (int64 t = 0; t < plan.taps_found; t++) {
            Sample<typename Stored<Pixel>::row> sample = window.sample_at(taps[t]);
            if (!sample.counts) continue;
            double weight = plan.number(plan.weight, t), weighed = weight * (double) sample.value;
            whole.add(weighed);
            total += weighed;
            norm += weight;
            count++;
        }
        if (count == plan.taps_found && !window.masked()) {
            whole.close();
            total = whole.total;
        }
        write<Out>(plan, out + window.out, total / norm, count);
    }
}

}  // namespace skpool
