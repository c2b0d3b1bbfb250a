// Bins of exact areas along one axis: what their first and last samples add to the sum of those that lie wholly in them.
//
// One thread for each element of the sums, neighbours where these lie so. Bytes moved per element: its sum, read and
// written, and two pixels; tables of bins are read by all threads alike.
#include "windows.cuh"

namespace skpool {

// Of each bin: the first and the last sample, and how far it overlaps each, in parts of a sample; 0: not at all.
template <class Pixel>
__global__ void add_shares(
    const Pixel* image, const uint8* mask, double* sums, const int64* bins, int64 count, int64 outputs, int64 length,
    int64 inner
) {
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (int64) gridDim.x * blockDim.x) {
        int64 beside, bin, outer = divided(divided(i, inner, &beside), outputs, &bin);
        double sum = sums[i] * (double) outputs;
        for (int end = 0; end < 2; end++) {
            int64 sample = bins[end * outputs + bin], share = bins[(2 + end) * outputs + bin];
            int64 pixel = (outer * length + sample) * inner + beside;
            if (share > 0 && (!mask || mask[pixel])) sum += (double) Stored<Pixel>::read(image[pixel]) * (double) share;
        }
        sums[i] = sum;
    }
}

}  // namespace skpool
