"""Pooling as one would write it by hand in Numba, for windows and types that the compiler knows.

Every function returns a program of an image and an answer, both of five axes: others, planes, rows, columns, channels.
NaN is not kept, and additions may be reordered: the best case for a loop.
"""

import numba
import numpy as np

_inline = numba.njit(inline="always")


@_inline
def _larger(a, b):
    return a if a > b else b


@_inline
def _smaller(a, b):
    return a if a < b else b


@_inline
def _sum(a, b):
    return a + b


#: How a reduction takes one more sample.
FOLDS = {"max": _larger, "min": _smaller, "avg": _sum, "sum": _sum}


def _parts(reduction, samples, image_dtype, result):
    """The type of totals, the fold, and what makes a result of a total."""
    if reduction in ("max", "min"):
        return result.type, FOLDS[reduction], _inline(lambda total: total)
    to, half = result.type, samples // 2
    if reduction == "sum":
        return to, FOLDS[reduction], _inline(lambda total: total)
    if result.kind == "f":
        total = np.int32 if image_dtype.itemsize <= 2 and samples < 1 << 15 else to
        return total, FOLDS[reduction], _inline(lambda value: to(value) / to(samples))
    return np.int32, FOLDS[reduction], _inline(lambda value: to((value + half) // samples))


def windows(reduction, window, stride, image_dtype, result):
    """For each value of the answer, a loop over the samples of its window."""
    depth, height, width = window
    down, along, across = stride
    total, fold, finish = _parts(reduction, depth * height * width, image_dtype, result)

    @numba.njit(parallel=True, fastmath=True)
    def program(image, out):
        others, planes, rows, columns, channels = out.shape
        for item in numba.prange(others * planes * rows):
            other, rest = divmod(np.int64(item), planes * rows)
            plane, row = divmod(rest, rows)
            for column in range(columns):
                for channel in range(channels):
                    value = total(image[other, plane * down, row * along, column * across, channel])
                    for a in range(depth):
                        for b in range(height):
                            for c in range(width):
                                if a + b + c > 0:
                                    sample = image[
                                        other, plane * down + a, row * along + b, column * across + c, channel
                                    ]
                                    value = fold(value, total(sample))
                    out[other, plane, row, column, channel] = finish(value)

    return program


def rows(reduction, window, stride, image_dtype, result):
    """For each row of the answer, the rows of its windows into one, then its columns."""
    depth, height, width = window
    down, along, across = stride
    total, fold, finish = _parts(reduction, depth * height * width, image_dtype, result)

    @numba.njit(parallel=True, fastmath=True)
    def program(image, out):
        others, planes, rows, columns, channels = out.shape
        length = image.shape[3] * channels
        lines = image.reshape(others, image.shape[1], image.shape[2], length)
        for item in numba.prange(others * planes * rows):
            other, rest = divmod(np.int64(item), planes * rows)
            plane, row = divmod(rest, rows)
            folded = np.empty(length, total)
            first = lines[other, plane * down, row * along]
            for i in range(length):
                folded[i] = total(first[i])
            for a in range(depth):
                for b in range(height):
                    if a + b > 0:
                        line = lines[other, plane * down + a, row * along + b]
                        for i in range(length):
                            folded[i] = fold(folded[i], total(line[i]))
            for column in range(columns):
                for channel in range(channels):
                    start = column * across * channels + channel
                    value = folded[start]
                    for c in range(1, width):
                        value = fold(value, folded[start + c * channels])
                    out[other, plane, row, column, channel] = finish(value)

    return program


def whole(reduction, image_dtype, result):
    """A program of a flat image that returns one value."""
    to = np.int64 if image_dtype.kind in "iu" else result.type

    if reduction in ("max", "min"):
        chosen = max if reduction == "max" else min

        @numba.njit(parallel=True, fastmath=True)
        def program(image):
            value = image[0]
            for i in numba.prange(image.size):
                value = chosen(value, image[i])
            return value

        return program
    mean = reduction == "avg"

    @numba.njit(parallel=True, fastmath=True)
    def program(image):
        value = to(0)
        for i in numba.prange(image.size):
            value += image[i]
        return value / image.size if mean else value

    return program
