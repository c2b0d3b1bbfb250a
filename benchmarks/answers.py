"""Whether a peer's answer is the library's answer."""

import numpy as np

# Reductions that choose among the samples, or take the mean of two: no difference is allowed.
EXACT = {"max", "min", "range", "median", "mode"}

# For the others, the largest difference that rounding explains, as a part of the largest pixel. Wide enough
# for the running sums of filters and for plain ones over whole images, whose errors pile up: they are less accurate,
# not another operation.
PART = {"float32": 5e-5, "float64": 1e-11}

# For rounded integers: halves go up, down or to even, as packages please.
INTEGER_STEP = 1.0


def tolerance(cell, image, expected):
    """Largest difference that only rounding explains."""
    if cell.reduction in EXACT:
        return 0.0
    part = PART.get(expected.dtype.name)
    if part is None:
        return 0.0 if cell.reduction == "sum" else INTEGER_STEP
    return part * max(float(np.abs(pixels).max()) for pixels in (image, expected))


def as_tuple(answer):
    """The arrays of an answer: one, or several."""
    return answer if isinstance(answer, tuple) else (answer,)


def compare(answer, expected, allowed):
    """Return ``(same, remark)``: whether the answers agree, and what is to be said about it."""
    if answer.shape != expected.shape:
        return False, f"shape {answer.shape} instead of {expected.shape}"
    if answer.dtype != expected.dtype:
        return False, f"gives {answer.dtype}, the cell asks for {expected.dtype}"
    wide = np.result_type(expected.dtype, np.int16)
    difference = float(np.abs(np.subtract(answer, expected, dtype=wide)).max(initial=0))
    if not difference <= allowed:
        return False, f"differs by up to {difference:.3g}"
    if difference and expected.dtype.kind in "iu":
        return True, f"rounds otherwise, by {difference:.0f} at most"
    return True, ""
