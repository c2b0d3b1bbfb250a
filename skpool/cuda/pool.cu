// Pooling by folds: one thread for each element of the result.
//
// Neighbouring threads have neighbouring channels, then neighbouring columns of the result, so what a warp reads of one
// row lies together wherever windows do. Bytes moved per element of the result: its own, and stride x pixel bytes along
// each axis, since what windows share comes from the caches; tables are read by all threads alike.
#include "fold_windows.cuh"

namespace skpool {

template <class R, class Out, int Leading, int Depth>
__global__ void pool(
    const char* image, const char* mask, Alarm* alarm, char* out, char* places, const Plan* words
) {
    const Plan& plan = *words;
    const Input input = {image, mask, alarm};
    R reduction(plan);
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        Window<typename R::Pixel, Leading> window(plan, input, i);
        pool_window<R, Out, Depth>(reduction, window, out, places);
    }
}

}  // namespace skpool
