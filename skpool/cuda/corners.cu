// Running maxima along an axis, and sums of two of them: one thread for each line, from pixel to pixel.
//
// Neighbouring threads have neighbouring lines: what they read lies together along all axes but the last, where the
// caches must do. Bytes moved for each pixel and side: the pixel, a byte of the mask, and the result, which the second
// side reads, too.
#include "folds.cuh"

namespace skpool {

enum Side { ONLY, FIRST, SECOND };

template <class T> DEVICE T plus(T a, T b) { return (T) ((uint64) a + (uint64) b); }
DEVICE float32 plus(float32 a, float32 b) { return a + b; }
DEVICE double plus(double a, double b) { return a + b; }
DEVICE truth plus(truth a, truth) { return a; }    // these have one side only
DEVICE float16 plus(float16 a, float16) { return a; }

// Lines run along axis `part` of `channels`, backwards where its step is negative; `Axis::out` are elements of the
// result. `found` keeps for the second side whether the first has counted a pixel.
template <class Pixel, class Result, int Which>
__global__ void run_maxima(
    const char* image, const char* mask, Alarm* alarm, uint8* found, Result* out, const Plan* words
) {
    typedef typename Stored<Pixel>::row Row;
    const Plan& plan = *words;
    const Axis& along = plan.axes[plan.part];
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < plan.outputs; i += (int64) gridDim.x * blockDim.x) {
        int64 rest = i, number, first = 0, masked = 0, at = 0;
        for (int64 a = plan.channels - 1; a >= 0; a--) {
            if (a == plan.part) continue;
            rest = divided(rest, plan.axes[a].length, &number);
            first += number * plan.axes[a].image;
            masked += number * plan.axes[a].mask;
            at += number * plan.axes[a].out;
        }
        Row best = Traits<Row>::smallest();
        bool found_any = false;
        for (int64 k = 0; k < along.length; k++) {
            int64 place = along.step < 0 ? along.length - 1 - k : k, pixel = at + place * along.out;
            Row value = Stored<Pixel>::read(*(const Pixel*) (image + first + place * along.image));
            bool counts = !mask || *(const uint8*) (mask + masked + place * along.mask);
            if (plan.raises && counts && is_nan(value)) alarm->nan = 1;
            if (counts && !(plan.omits && is_nan(value))) {
                best = better<Largest>(best, value);
                found_any = true;
            }
            Result side = Convert<Result, Row>::from(best, Result());
            if (Which == SECOND) side = plus(out[pixel], side);
            bool both = found_any && (Which != SECOND || found[pixel]);
            out[pixel] = Which == FIRST || both ? side : from_word<Result>(plan.fill);
            if (Which == FIRST) found[pixel] = found_any;
        }
    }
}

}  // namespace skpool
