// Running maxima along an axis, and sums of two of them: one thread for each line, from pixel to pixel.
//
// Neighbouring threads have neighbouring lines: what they read lies together along all axes but the last, where the
// caches must do. Bytes moved for each pixel and side: the pixel, a byte of the mask, and the result, which the second
// side reads, too.
#include "folds.cuh"

namespace skpool {

struct Lines {
    int64 count, length, inner;     // of lines, pixels of one, and pixels from one of its pixels to the next
    int64 backwards, omits;         // NaN is as masked
    uint64 fill;                    // where a side counts no pixel
};

enum Side { ONLY, FIRST, SECOND };

template <class T> DEVICE T plus(T a, T b) { return (T) ((uint64) a + (uint64) b); }
DEVICE float32 plus(float32 a, float32 b) { return a + b; }
DEVICE double plus(double a, double b) { return a + b; }
DEVICE truth plus(truth a, truth) { return a; }    // these have one side only
DEVICE float16 plus(float16 a, float16) { return a; }

// `found` keeps for the second side whether the first has counted a pixel.
template <class Pixel, class Result, int Which>
__global__ void run_maxima(const Pixel* image, const uint8* mask, Result* out, uint8* found, const Lines* words) {
    typedef typename Stored<Pixel>::row Row;
    const Lines& lines = *words;
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < lines.count; i += (int64) gridDim.x * blockDim.x) {
        int64 beside, first = divided(i, lines.inner, &beside) * lines.length * lines.inner + beside;
        Row best = Traits<Row>::smallest();
        bool counts = false;
        for (int64 k = 0; k < lines.length; k++) {
            int64 at = first + (lines.backwards ? lines.length - 1 - k : k) * lines.inner;
            Row value = Stored<Pixel>::read(image[at]);
            if (!(mask && !mask[at]) && !(lines.omits && is_nan(value))) {
                best = better<Largest>(best, value);
                counts = true;
            }
            Result side = Convert<Result, Row>::from(best, Result());
            if (Which == SECOND) side = plus(out[at], side);
            bool both = counts && (Which != SECOND || found[at]);
            out[at] = Which == FIRST || both ? side : from_word<Result>(lines.fill);
            if (Which == FIRST) found[at] = counts;
        }
    }
}

}  // namespace skpool
