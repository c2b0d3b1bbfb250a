"""Boxes on a GPU: an image, edges of boxes and a rule -> the kernels of cuda/boxes.cu. The twin of `boxes`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..reductions import REDUCTIONS
from . import boxes
from .gpu import (
    STRUCTS,
    empty,
    kept_or_sent,
    launch_kernel,
    parameters_of,
    qualified,
    type_of,
    word_of,
    words_of_axes,
)

_FILE = "boxes.cu"

#: Levels of the tree over the columns of a bin that kernels are compiled for: fewer of them stay in registers.
_LEVELS = (6, 32)


@dataclass(frozen=True)
class Rule:
    """What bins look at.

    Attributes
    ----------
    natural : numpy.dtype
        Type of the results.
    kernels : tuple of str
        As CUDA names them: the one that lays weights, if there are any, and the one that makes results.
    values : dict
        Fields of `Plan` that the reduction reads.
    samples : int
        Of a bin along each axis; 0: as many as it has pixels.
    own_channels : bool
        Whether each bin has channels of its own.
    peaks : bool
        Whether samples are looked at one by one.
    """

    natural: np.dtype
    kernels: tuple[str, ...]
    values: dict
    samples: int = 0
    own_channels: bool = False
    peaks: bool = False


def pixels(reduction, image, edges, output_shape, own_channels=False):
    """Every pixel of a bin counts once."""
    boxes.most_pixels(edges, output_shape, image.shape[:2])
    plan, recipe = boxes.pixel_recipe(reduction, image.dtype, boxes.MOST_PIXELS)
    struct = qualified(STRUCTS[reduction](recipe, type_of(plan.image_dtype), type_of(recipe.natural)))
    dtype = REDUCTIONS[reduction].result(plan.image_dtype)
    columns = boxes.widest_bin(edges, output_shape, image.shape[:2])[1]
    levels = next(levels for levels in _LEVELS if columns < 2 ** (levels - 1))
    kernel = f"skpool::pool_pixels<{struct}, skpool::{type_of(dtype)}, {levels}>"
    return Rule(dtype, (kernel,), parameters_of(plan, recipe), own_channels=own_channels)


def _weighted(dtype, lay, kernel, *mix, **settings):
    natural = np.dtype(np.float32 if dtype in (np.float16, np.float32) else np.float64)
    types = ", ".join((f"skpool::{type_of(dtype)}", f"skpool::{type_of(natural)}", *mix))
    return Rule(natural, (f"skpool::lay<skpool::{lay}>", f"skpool::{kernel}<{types}>"), {}, **settings)


def samples(dtype, count):
    """The mean of `count` bilinear samples of each bin along each axis."""
    return _weighted(dtype, "BySamples<false>", "weigh", samples=count)


def peaks(dtype, count, onnx):
    """The highest of `count` bilinear samples of each bin along each axis; of their weighted pixels, if `onnx`."""
    mix = "skpool::HigherOfWeighed" if onnx else "skpool::Between"
    return _weighted(dtype, "BySamples<true>", "highest", mix, samples=count, peaks=True)


def integral(dtype):
    """The mean of the interpolated image over each bin."""
    return _weighted(dtype, "Integral", "weigh")


def run(rule, image, edges, output_shape, fill, workers):
    """Pool boxes on the device of the image, on the current stream; arguments and result as those of `boxes.run`."""
    rows, columns, channels = image.shape
    if rule.own_channels:
        channels //= math.prod(output_shape)
    out = empty((len(edges), *output_shape, channels), rule.natural, image)
    if not (out.size and image.size):
        out.fill(fill)
        return out
    most = _most_entries(rule, edges, output_shape, (rows, columns))
    with image.device:
        device = image.device.id
        words = kept_or_sent(_words(rule, image, out, most, fill), device)
        at = kept_or_sent(edges, device)
        if len(rule.kernels) == 1:
            launch_kernel(_FILE, rule.kernels, device, 0, out.size, (image, at, out, words))
            return out
        records = sum(bins * (2 + 2 * entries) for bins, entries in zip(output_shape, most, strict=True))
        space = empty((len(edges) * records,), np.int64, image)
        count = len(edges) * sum(output_shape)
        launch_kernel(_FILE, rule.kernels, device, 0, count, (at, space, np.int64(len(edges)), words))
        launch_kernel(_FILE, rule.kernels, device, 1, out.size, (image, space, out, words))
    return out


def _most_entries(rule, edges, output_shape, shape):
    """The most pixels, or samples, that a bin looks at along each axis."""
    widest = boxes.widest_bin(edges, output_shape, shape)
    if rule.peaks:
        sizes = (edges[:, 1::2] - edges[:, ::2]).max(axis=0, initial=0)
        return tuple(
            # Those in the image and one pixel around it, half a pixel apart or more unless their number is given.
            rule.samples or min(math.ceil(size / bins), 2 * length + 6)
            for size, bins, length in zip(sizes, output_shape, shape, strict=True)
        )
    return tuple(min(pixels, 2 * rule.samples) if rule.samples else pixels for pixels in widest)


def _words(rule, image, out, most, fill):
    values = {"outputs": out.size, "minimum": 1, "fill": word_of(fill, rule.natural), **rule.values}
    step = image.strides[2] * (math.prod(out.shape[1:3]) if rule.own_channels else 1)
    axes = [
        {"length": image.shape[a], "image": image.strides[a], "outputs": out.shape[1 + a]}
        | {"taps": rule.samples, "stride": most[a]}
        for a in range(2)
    ]
    axes.append({"outputs": out.shape[3], "image": step, "out": image.strides[2] if rule.own_channels else 0})
    return words_of_axes(values, axes)
