"""Windows with weights: what these are for the kernels, and in which numbers their samples are added up."""

from __future__ import annotations

import functools
import math

import numpy as np

from ..windows import whole_weights

#: Totals of pixels of at most so many bytes, by how they are read: exact while they stay within bounds, those of the
#: most in a register first. Others are float64.
_EXACT = (
    ("unsigned 16 bits", 1, 0, 2**16 - 1),
    ("signed 16 bits", 1, 1 - 2**15, 2**15 - 1),
    ("float32", 2, -(2**24), 2**24),
)

#: The types in which they are added up, and their bytes.
TOTALS = {
    "unsigned 16 bits": ("16 bits", 2),
    "signed 16 bits": ("16 bits", 2),
    "float32": ("float32", 4),
    "float64": ("float64", 8),
}


def vectors_of(plan, columns):
    """Weights of the rows of a window, through all axes ahead of that of the columns, and of these.

    None unless the weights of the plan are their outer product.
    """
    vectors = plan.taps.vectors if plan.is_weighted else None
    if vectors is None:
        return None
    vectors = [vector[: axis.most_taps] for vector, axis in zip(vectors, plan.axes, strict=True)]
    rows = functools.reduce(np.multiply.outer, vectors[:columns], np.ones(()))
    return rows.ravel(), np.ascontiguousarray(vectors[columns])


def weights_of(plan, taps):
    """Weights of taps, given by their places, a row each: whole if multiples of them are, which average alike."""
    weights = plan.taps.weight[tuple(taps.T)]
    whole = whole_weights(weights)
    return weights if whole is None else np.array(whole, np.float64)


def total_of(rows, vectors):
    """Which of `TOTALS` holds sums of rows of a type, with weights that are the outer product of some vectors."""
    if rows.kind in "iu" and all((vector == np.rint(vector)).all() for vector in vectors):
        pixels = np.iinfo(rows)
        most = max(pixels.max, -pixels.min) * math.prod(float(abs(vector).sum()) for vector in vectors)
        least = -most if pixels.min < 0 or any(vector.min() < 0 for vector in vectors) else 0
        for total, width, low, high in _EXACT:
            if rows.itemsize <= width and low <= least and most <= high:
                return total
    return "float64"
