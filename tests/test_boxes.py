"""Boxes: the slow twin, frameworks as peers, closed forms, properties, layouts, threads and errors.

Run as a program, this file prints a digest of many results, for comparing instruction sets.
"""

import hashlib
import itertools
import math
import os
import subprocess
import sys
import warnings
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skpool
from skpool import boxes as functions
from skpool.backends import boxes as backend
from skpool.backends import cpu
from skpool.reductions import REDUCTIONS

pytestmark = pytest.mark.slow

DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
)
RAMP = np.arange(36.0).reshape(6, 6)


def generator(*seed):
    """A generator that depends on the text of its arguments, and on nothing else."""
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def make_image(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def make_boxes(rng, shape, count, denominator=1):
    """Boxes inside the image, across its border, outside, and empty; coordinates in multiples of 1 / denominator."""
    low = rng.integers([-6, -6], np.array(shape) + 4, (count, 2))
    size = rng.integers(0, np.array(shape) + 5, (count, 2)) * (rng.random((count, 2)) > 0.1)
    boxes = np.concatenate([low, low + size], axis=1)
    if denominator > 1:
        boxes = boxes + rng.integers(0, denominator, (count, 4)) / denominator
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    return boxes


def bits(array):
    """What must be the same: all bits, but any NaN for any other."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.array(math.nan, array.dtype), array)
    return array.dtype.str.encode() + repr(array.shape).encode() + array.tobytes()


# ---------------------------------------------------------------- the slow twin


def pixel_bins(start, stop, bins, length):
    """The pixels of each bin of [start, stop), whole numbers."""
    size = stop - start
    found = []
    for i in range(bins):
        low, high = start + i * size // bins, start - (-(i + 1) * size // bins)
        found.append(range(max(low, 0), max(min(high, length), max(low, 0))))
    return found


def slow_pool(image, edges, output_shape, reduction, fill):
    """Pool whole edges (row start, row stop, column start, column stop) of an (H, W, C) image."""
    row = REDUCTIONS[reduction]
    dtype = row.result(image.dtype)
    out = np.full((len(edges), *output_shape, image.shape[2]), fill, dtype)
    for k, (top, bottom, left, right) in enumerate(edges):
        rows = pixel_bins(top, bottom, output_shape[0], image.shape[0])
        columns = pixel_bins(left, right, output_shape[1], image.shape[1])
        for (i, ys), (j, xs) in itertools.product(enumerate(rows), enumerate(columns)):
            if len(ys) and len(xs):
                for c in range(image.shape[2]):
                    samples = image[ys.start : ys.stop, xs.start : xs.stop, c].ravel()
                    parameters = {name: parameter.default for name, parameter in row.parameters.items()}
                    value = row.define(samples, **parameters)
                    if reduction == "sum" and dtype.kind in "iu":
                        value = np.array(value % 2**64, np.uint64).astype(dtype)
                    with np.errstate(over="ignore"):
                        out[k, i, j, c] = float(value) if isinstance(value, Fraction) else value
    return out


def sample_bins(start, stop, bins, length, ratio):
    """For each bin its samples: None if zero, else (lower pixel, distance from it)."""
    start, stop = Fraction(start), Fraction(stop)
    per_bin = ratio or math.ceil((stop - start) / bins)
    found = []
    for i in range(bins):
        samples = []
        for s in range(per_bin):
            position = start + (i * per_bin + s + Fraction(1, 2)) * (stop - start) / (bins * per_bin)
            inside = -1 <= position <= length
            position = min(max(position, Fraction(0)), Fraction(length - 1))
            samples.append((math.floor(position), float(position % 1)) if inside else None)
        found.append(samples)
    return found


def slow_align(image, boxes, output_shape, ratio, aligned, reduction, onnx_max=False):
    image = image.astype(np.float64)
    height, width, channels = image.shape
    out = np.zeros((len(boxes), *output_shape, channels))
    for k, (top, left, bottom, right) in enumerate(boxes.tolist()):
        shift = 0.5 if aligned else 0
        top, left, bottom, right = (edge - shift for edge in (top, left, bottom, right))
        if not aligned:
            bottom, right = max(bottom, top + 1), max(right, left + 1)
        rows = sample_bins(top, bottom, output_shape[0], height, ratio)
        columns = sample_bins(left, right, output_shape[1], width, ratio)
        for (i, ys), (j, xs) in itertools.product(enumerate(rows), enumerate(columns)):
            values = [np.zeros(channels)]
            for y, x in itertools.product(ys, xs):
                value = np.zeros(channels)
                if y is not None and x is not None:
                    corners = [
                        wy * wx * image[min(y[0] + dy, height - 1), min(x[0] + dx, width - 1)]
                        for dy, wy in ((0, 1 - y[1]), (1, y[1]))
                        for dx, wx in ((0, 1 - x[1]), (1, x[1]))
                    ]
                    value = np.max(corners, axis=0) if onnx_max else np.sum(corners, axis=0)
                values.append(value)
            values = values[1:] or values
            out[k, i, j] = np.mean(values, axis=0) if reduction == "avg" else np.max(values, axis=0)
    return out


def hat_integral(position):
    """The integral of max(1 - |x|, 0) up to a position."""
    position = min(max(position, Fraction(-1)), Fraction(1))
    return (1 + position) ** 2 / 2 if position < 0 else 1 - (1 - position) ** 2 / 2


def hat_weights(start, stop, bins, length):
    """Integrals of each pixel's hat over each bin, and the bin's length."""
    start, stop = Fraction(start), Fraction(stop)
    edges = [start + (stop - start) * i / bins for i in range(bins + 1)]
    weights = [
        [float(hat_integral(high - pixel) - hat_integral(low - pixel)) for pixel in range(length)]
        for low, high in itertools.pairwise(edges)
    ]
    return np.array(weights).reshape(bins, length), float((stop - start) / bins)


def slow_precise(image, boxes, output_shape, aligned):
    image = image.astype(np.float64)
    shift = Fraction(1, 2) if aligned else 0
    out = np.zeros((len(boxes), *output_shape, image.shape[2]))
    for k, (top, left, bottom, right) in enumerate(boxes.tolist()):
        rows, high = hat_weights(top - shift, bottom - shift, output_shape[0], image.shape[0])
        columns, wide = hat_weights(left - shift, right - shift, output_shape[1], image.shape[1])
        if high and wide:
            out[k] = np.einsum("iy,jx,yxc->ijc", rows, columns, image) / (high * wide)
    return out


# ---------------------------------------------------------------- against the twin


def assert_pooled(pooled, expected, reduction, image):
    """Exact but for sums of floats, which may cancel, and what the definition rounds otherwise."""
    assert pooled.dtype == expected.dtype
    assert pooled.shape == expected.shape
    if reduction in ("max", "min", "range") or pooled.dtype.kind != "f":
        np.testing.assert_array_equal(pooled, expected)
        return
    eps = np.finfo(pooled.dtype).eps
    scale = float(np.abs(image.astype(np.float64)).max())
    if image.dtype.kind != "f" and reduction == "avg":
        scale = 0
    errors = {"avg": 4 * eps * scale, "sum": 256 * eps * scale, "var": 16 * eps * scale**2, "std": 16 * eps * scale}
    np.testing.assert_allclose(pooled, expected, rtol=2 * eps, atol=errors[reduction])


#: Shapes, where their channels then go, and bins.
GRID = (
    ((9, 11, 1), 0, (1, 1)),
    ((14, 5, 3), 1, (2, 3)),
    ((12, 16, 2), 2, (7, 7)),
    ((1, 8, 20), -1, (5, 1)),
    ((40, 3, 4), -3, (13, 4)),
)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reductions_of_boxes_are_those_that_it_says(reduction):
    """Any other of the registry is refused with their names."""
    for function, names in (
        (skpool.roi_pool, functions.POOL_REDUCTIONS),
        (skpool.roi_align, functions.ALIGN_REDUCTIONS),
    ):
        if reduction in names:
            assert function(RAMP, [(0, 0, 4, 4)], 2, reduction=reduction).shape == (1, 2, 2)
        else:
            with pytest.raises(ValueError, match=f"`reduction` must be one of {', '.join(map(repr, names))}, got"):
                function(RAMP, [(0, 0, 4, 4)], 2, reduction=reduction)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", functions.POOL_REDUCTIONS)
def test_roi_pool(reduction, dtype):
    rng = generator(reduction, dtype)
    fill = math.nan if REDUCTIONS[reduction].result(np.dtype(dtype)).kind == "f" else 0
    for shape, axis, output_shape in GRID:
        image = make_image(rng, shape, dtype)
        boxes = make_boxes(rng, shape[:2], 12)
        expected = slow_pool(image, boxes[:, [0, 2, 1, 3]].tolist(), output_shape, reduction, fill)
        planes = np.moveaxis(image, -1, axis)
        pooled = skpool.roi_pool(planes, boxes, output_shape, reduction=reduction, channel_axis=axis)
        assert_pooled(pooled, expected, reduction, image)
        plain = skpool.roi_pool(image[..., 0], boxes, output_shape, reduction=reduction)
        assert_pooled(plain, expected[..., 0], reduction, image)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", functions.ALIGN_REDUCTIONS)
@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align(aligned, reduction, dtype):
    rng = generator(aligned, reduction, dtype)
    for (shape, axis, output_shape), ratio in zip(GRID, (0, 2, 3, 1, 0), strict=True):
        image = make_image(rng, shape, dtype)
        boxes = make_boxes(rng, shape[:2], 8, 64)
        keywords = {"aligned": aligned, "reduction": reduction, "onnx_max": reduction == "max" and ratio == 3}
        expected = slow_align(image, boxes, output_shape, ratio, **keywords)
        pooled = skpool.roi_align(
            np.moveaxis(image, -1, axis), boxes, output_shape, sampling_ratio=ratio, channel_axis=axis, **keywords
        )
        assert_interpolated(pooled, expected, image)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("aligned", [False, True])
def test_precise_roi_pool(aligned, dtype):
    rng = generator(aligned, dtype)
    for shape, axis, output_shape in GRID:
        image = make_image(rng, shape, dtype)
        boxes = make_boxes(rng, shape[:2], 8, 64)
        expected = slow_precise(image, boxes, output_shape, aligned)
        pooled = skpool.precise_roi_pool(
            np.moveaxis(image, -1, axis), boxes, output_shape, aligned=aligned, channel_axis=axis
        )
        assert_interpolated(pooled, expected, image)


def assert_interpolated(pooled, expected, image):
    """Weights are products of two rounded numbers, and sums of a few samples cancel by no more than their size."""
    assert pooled.dtype == (np.float32 if image.dtype in (np.float16, np.float32) else np.float64)
    assert pooled.shape == expected.shape
    scale = max(np.abs(image.astype(np.float64)).max(), 1e-300)
    np.testing.assert_allclose(pooled, expected, rtol=np.finfo(pooled.dtype).eps, atol=1e-13 * scale)


@pytest.mark.parametrize("dtype", DTYPES)
def test_position_sensitive_roi_pool(dtype):
    rng = generator(dtype)
    for output_shape, own, axis in (((1, 1), 3, -1), ((2, 3), 1, 0), ((3, 2), 2, 2), ((4, 4), 5, 1), ((7, 7), 2, 0)):
        bins = math.prod(output_shape)
        image = make_image(rng, (13, 17, own * bins), dtype)
        boxes = make_boxes(rng, (13, 17), 9)
        edges = boxes[:, [0, 2, 1, 3]]
        edges[:, 1::2] = np.maximum(edges[:, 1::2], edges[:, ::2] + 1)
        expected = np.empty((9, *output_shape, own), REDUCTIONS["avg"].result(image.dtype))
        for i, j in np.ndindex(output_shape):
            own_channels = image[..., i * output_shape[1] + j :: bins]
            expected[:, i, j] = slow_pool(own_channels, edges.tolist(), output_shape, "avg", 0)[:, i, j]
        pooled = skpool.position_sensitive_roi_pool(
            np.moveaxis(image, -1, axis), boxes, output_shape, channel_axis=axis
        )
        assert_pooled(pooled, expected, "avg", image)


# ---------------------------------------------------------------- known values


def test_values_of_the_ramp():
    box = [(0, 0, 3, 3)]
    align = {"sampling_ratio": 2, "aligned": False}
    np.testing.assert_array_equal(skpool.roi_align(RAMP, box, 2, **align)[0], [[5.25, 6.75], [14.25, 15.75]])
    np.testing.assert_array_equal(
        skpool.roi_align(RAMP, box, 2, reduction="max", **align)[0], [[7.875, 9.375], [16.875, 18.375]]
    )
    np.testing.assert_array_equal(skpool.roi_pool(RAMP, box, 2)[0], [[7, 8], [13, 14]])  # bins overlap in 2 of 3
    np.testing.assert_array_equal(skpool.roi_pool(RAMP, box, 2, inclusive=True)[0], [[7, 9], [19, 21]])


def test_coordinates_of_inclusive_boxes_round_half_away_from_zero():
    image = np.arange(100).reshape(10, 10)
    for box, meant in (
        ((0.5, 2.5, 3.5, 4.49), (1, 3, 4, 4)),
        ((-0.5, -1.49, 0.49999999999999994, 1.5), (-1, -1, 0, 2)),
        ((5, 5, 5, 5), (5, 5, 5, 5)),
        ((5.4, 5.4, 5.45, 5.45), (5, 5, 5, 5)),
    ):
        for output_shape in (1, 3):
            np.testing.assert_array_equal(
                skpool.roi_pool(image, [box], output_shape, inclusive=True),
                skpool.roi_pool(image, [meant], output_shape, inclusive=True),
            )
        top, left, bottom, right = (max(edge, 0) for edge in meant)
        inside = image[top : bottom + 1, left : right + 1]
        assert skpool.roi_pool(image, [box], 1, inclusive=True).item() == inside.max()


def test_half_open_boxes_of_floats_are_the_pixels_they_touch():
    image = np.arange(100).reshape(10, 10)
    pooled = skpool.roi_pool(
        image, [(1.9, 2.0, 3.1, 4.0), (-0.5, 0.5, 0.5, 0.6), (3.2, 3.2, 3.2, 3.9)], 1, reduction="sum"
    )
    assert pooled.ravel().tolist() == [image[1:4, 2:4].sum(), image[0, 0], image[3, 3]]
    assert skpool.roi_pool(image, [(3, 3, 3, 4)], 1, reduction="sum", fill_value=-1).item() == -1


def test_boxes_of_regionprops():
    measure = pytest.importorskip("skimage.measure")
    rng = generator("regionprops")
    labels = measure.label(rng.random((40, 50)) < 0.3)
    image = rng.random((40, 50))
    regions = measure.regionprops(labels, image)
    boxes = [region.bbox for region in regions]
    for reduction, whole in (("max", np.max), ("avg", np.mean), ("sum", np.sum)):
        pooled = skpool.roi_pool(image, boxes, 1, reduction=reduction)[:, 0, 0]
        expected = [whole(image[region.slice]) for region in regions]
        np.testing.assert_allclose(pooled, expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bins_without_pixels(dtype):
    image = np.ones((4, 5), dtype)
    boxes = [(4, 0, 9, 5), (-3, -3, 0, 0), (1, 1, 1, 3), (0, 0, 8, 5)]
    for reduction in functions.POOL_REDUCTIONS:
        pooled = skpool.roi_pool(image, boxes, 2, reduction=reduction)
        empty = pooled[[0, 0, 1, 2, 3], [0, 1, 0, 1, 1]]
        assert np.isnan(empty).all() if pooled.dtype.kind == "f" else (empty == 0).all()
        assert (skpool.roi_pool(image, boxes[:2], 2, reduction=reduction, inclusive=True)[:, 1, 0] == 0).all()
        filled = skpool.roi_pool(image, boxes[:3], 2, reduction=reduction, fill_value=1)
        assert (filled == 1).all()
    for function in (skpool.roi_align, skpool.precise_roi_pool):
        assert (function(image, [(2, 2, 2, 4), (20, 0, 30, 3), (-9, -9, -4, -4)], 2) == 0).all()
    pooled = skpool.position_sensitive_roi_pool(image[..., np.newaxis], boxes[:2], 1)
    assert (pooled == 0).all()


def test_a_point_is_sampled_if_the_number_of_samples_is_given():
    assert skpool.roi_align(RAMP, [(2.5, 3.5, 2.5, 3.5)], 1, sampling_ratio=1).item() == RAMP[2, 3]
    assert skpool.roi_align(RAMP, [(2.5, 3.5, 2.5, 3.5)], 1).item() == 0


def test_samples_outside():
    ones = np.ones((4, 4))
    for position, value in ((-1.0, 1), (math.nextafter(-1, -2), 0), (4.0, 1), (math.nextafter(4, 5), 0)):
        box = (position, 1, position, 1)
        assert skpool.roi_align(ones, [np.array(box) + 0.5], 1, sampling_ratio=1).item() == value
        assert skpool.roi_align(ones.T, [np.array(box)[[1, 0, 3, 2]] + 0.5], 1, sampling_ratio=1).item() == value
    assert skpool.roi_align(-ones, [(-8, 0, 4, 4)], 1, reduction="max").item() == 0
    assert skpool.roi_align(-ones, [(0, 0, 4, 4)], 1, reduction="max").item() == -1


def test_onnx_max_is_that_of_weighted_pixels():
    image = np.array([[4.0, 8.0]])
    box = [(0, 0.5, 1, 1.5)]  # one sample, halfway between the two
    assert skpool.roi_align(image, box, 1, sampling_ratio=1, reduction="max").item() == 6
    assert skpool.roi_align(image, box, 1, sampling_ratio=1, reduction="max", onnx_max=True).item() == 4


def test_precise_pooling_of_a_ramp():
    columns = np.tile(np.arange(20.0), (15, 1))
    rng = generator("ramp")
    low = rng.uniform(1, 8, (50, 2))
    boxes = np.concatenate([low, low + rng.uniform(1e-9, 6, (50, 2))], axis=1)
    for aligned, shift in ((True, 0.5), (False, 0)):
        pooled = skpool.precise_roi_pool(columns, boxes, 1, aligned=aligned)[:, 0, 0]
        np.testing.assert_allclose(pooled, boxes[:, 1::2].mean(axis=1) - shift, rtol=1e-12)
    assert skpool.precise_roi_pool(columns, [(3, 4, 3, 9), (3, 4, 8, 4)], 2).tolist() == np.zeros((2, 2, 2)).tolist()


def test_precise_pooling_is_the_limit_of_samples():
    rng = generator("limit")
    image = rng.random((12, 14))
    low = rng.uniform(1, 5, (10, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.1, 5, (10, 2))], axis=1)
    for aligned in (True, False):
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)  # what `aligned=False` would do to them
        precise = skpool.precise_roi_pool(image, boxes, 3, aligned=aligned)
        sampled = skpool.roi_align(image, boxes, 3, sampling_ratio=200, aligned=aligned)
        np.testing.assert_allclose(precise, sampled, atol=1e-4)


def test_precise_pooling_fades_to_zero():
    """Of ones, the integral over half a pixel at the border is 3/8, that over a pixel beyond it 1/8."""
    image = np.ones((4, 4))
    assert skpool.precise_roi_pool(image, [(0, 1, 0.5, 3)], 1).item() == 0.75
    assert skpool.precise_roi_pool(image, [(-1, 1, 0, 3)], 1).item() == 0.125
    assert skpool.precise_roi_pool(image, [(-9, 1, -0.5, 3)], 1).item() == 0


# ---------------------------------------------------------------- NaN and infinity


def test_nan_pixels():
    image = np.ones((6, 6), np.float32)
    image[2, 3] = math.nan
    boxes = [(0, 0, 6, 6), (0, 0, 2, 6), (2, 3, 3, 4), (3, 0, 6, 6), (0, 0, 6, 3)]
    hit = [True, False, True, False, False]
    for reduction in functions.POOL_REDUCTIONS:
        pooled = skpool.roi_pool(image, boxes, 1, reduction=reduction)
        assert np.isnan(pooled).ravel().tolist() == hit, reduction
    for function, keywords in (
        (skpool.roi_align, {}),
        (skpool.roi_align, {"reduction": "max"}),
        (skpool.position_sensitive_roi_pool, {"channel_axis": 0}),
    ):
        pooled = function(image[np.newaxis] if keywords.get("channel_axis") == 0 else image, boxes, 1, **keywords)
        assert np.isnan(pooled).ravel().tolist() == hit, function
    pooled = skpool.precise_roi_pool(image, [(0.5, 0.5, 1.5, 5.5), (2, 3, 3, 4), (3.5, 0, 6, 6)], 1)
    assert np.isnan(pooled).ravel().tolist() == [False, True, False]


def test_pixels_of_weight_zero_do_not_count():
    image = np.full((5, 5), math.nan)
    image[1:4, 1:4] = RAMP[1:4, 1:4]
    image[0], image[:, 4] = math.inf, -math.inf
    for keywords in ({}, {"reduction": "max"}):
        pooled = skpool.roi_align(image, [(1, 1, 4, 4)], 3, **keywords)  # every sample is a pixel
        np.testing.assert_array_equal(pooled[0], RAMP[1:4, 1:4])


def test_infinities():
    image = np.zeros((4, 4))
    image[1, 1], image[3, 3] = math.inf, -math.inf
    boxes = [(0, 0, 2, 2), (2, 2, 4, 4), (0, 0, 4, 4)]
    assert skpool.roi_pool(image, boxes, 1).ravel().tolist() == [math.inf, 0, math.inf]
    assert skpool.roi_pool(image, boxes, 1, reduction="min").ravel().tolist() == [0, -math.inf, -math.inf]
    averages = skpool.roi_pool(image, boxes, 1, reduction="avg").ravel()
    assert averages[:2].tolist() == [math.inf, -math.inf]
    assert math.isnan(averages[2])


def test_large_numbers():
    image = np.full((4, 4), np.finfo(np.float32).max)
    image[0] = -image[0]
    assert skpool.roi_pool(image, [(1, 0, 4, 4)], 1, reduction="avg").item() == image[1, 1]
    assert skpool.roi_pool(image, [(1, 0, 4, 4)], 1, reduction="sum").item() == math.inf
    assert skpool.roi_align(image, [(0, 0, 2, 4)], 1).item() == 0
    huge = np.full((3, 3), 2**63 - 1)
    assert skpool.roi_pool(huge, [(0, 0, 3, 3)], 1).item() == 2**63 - 1
    assert skpool.roi_pool(huge, [(0, 0, 3, 3)], 1, reduction="avg").item() == 2.0**63


# ---------------------------------------------------------------- properties

relaxed = settings(max_examples=80, deadline=None, derandomize=True, database=None)

images = st.builds(
    lambda seed, rows, columns, dtype: make_image(np.random.default_rng(seed), (rows, columns), dtype),
    st.integers(0, 2**32),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["uint8", "int64", "float32", "float64"]),
)


@st.composite
def images_and_boxes(draw):
    """An image, and boxes of at least one pixel inside it."""
    image = draw(images)
    boxes = []
    for _ in range(draw(st.integers(1, 4))):
        rows = sorted(draw(st.lists(st.integers(0, image.shape[0]), min_size=2, max_size=2, unique=True)))
        columns = sorted(draw(st.lists(st.integers(0, image.shape[1]), min_size=2, max_size=2, unique=True)))
        boxes.append((rows[0], columns[0], rows[1], columns[1]))
    return image, np.array(boxes)


bins = st.tuples(st.integers(1, 9), st.integers(1, 9))


@relaxed
@given(images_and_boxes())
def test_one_bin_is_the_slice(case):
    image, boxes = case
    for reduction, whole in (("max", np.max), ("min", np.min), ("sum", np.sum)):
        pooled = skpool.roi_pool(image, boxes, 1, reduction=reduction)
        expected = [whole(image[a:c, b:d]) for a, b, c, d in boxes.tolist()]
        np.testing.assert_allclose(pooled[:, 0, 0], expected, rtol=1e-5 if image.dtype.kind == "f" else 0, atol=1e-5)


@relaxed
@given(images, bins)
def test_the_whole_image_is_windows(image, output_shape):
    """Where bins divide the image they are the windows of `pool`."""
    image = np.repeat(np.repeat(image, output_shape[0], axis=0), output_shape[1], axis=1)
    window = tuple(length // count for length, count in zip(image.shape, output_shape, strict=True))
    for reduction in ("max", "min", "avg", "sum"):
        pooled = skpool.roi_pool(image, [(0, 0, *image.shape)], output_shape, reduction=reduction)[0]
        np.testing.assert_allclose(pooled, skpool.pool(image, window, reduction), rtol=1e-5, atol=1e-5)


@relaxed
@given(images_and_boxes(), bins, st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_what_surrounds_a_box_does_not_matter(case, output_shape, shift):
    image, boxes = case
    larger = np.pad(image, [(shift[0], 3), (shift[1], 2)])
    moved = boxes + np.array([*shift, *shift])
    for reduction in ("max", "avg"):
        pooled = skpool.roi_pool(image, boxes, output_shape, reduction=reduction)
        assert bits(pooled) == bits(skpool.roi_pool(larger, moved, output_shape, reduction=reduction))


@relaxed
@given(images_and_boxes(), bins)
def test_flips_commute(case, output_shape):
    image, boxes = case
    height, width = image.shape
    mirrored = np.stack([height - boxes[:, 2], width - boxes[:, 3], height - boxes[:, 0], width - boxes[:, 1]], axis=1)
    pooled = skpool.roi_pool(image, boxes, output_shape)
    np.testing.assert_array_equal(skpool.roi_pool(image[::-1, ::-1], mirrored, output_shape), pooled[:, ::-1, ::-1])
    transposed = skpool.roi_pool(image.T, boxes[:, [1, 0, 3, 2]], output_shape[::-1])
    np.testing.assert_array_equal(transposed, pooled.transpose(0, 2, 1))
    scale = float(np.abs(image.astype(np.float64)).max())
    for function in (skpool.roi_align, skpool.precise_roi_pool):
        pooled = function(image, boxes, output_shape)
        flipped = function(image[::-1, ::-1], mirrored, output_shape)[:, ::-1, ::-1]
        np.testing.assert_allclose(flipped, pooled, rtol=1e-5, atol=1e-6 * scale)


@relaxed
@given(images_and_boxes(), bins, st.integers(0, 4))
def test_results_lie_within_the_image(case, output_shape, ratio):
    image, boxes = case
    low, high = float(image.min()), float(image.max())
    slack = 1e-5 * max(abs(low), abs(high))
    for pooled in (
        skpool.roi_align(image, boxes, output_shape, sampling_ratio=ratio),
        skpool.roi_align(image, boxes, output_shape, sampling_ratio=ratio, reduction="max"),
    ):
        assert pooled.min() >= low - slack
        assert pooled.max() <= high + slack
    assert (pooled >= skpool.roi_align(image, boxes, output_shape, sampling_ratio=ratio) - slack).all()


@relaxed
@given(images_and_boxes(), bins)
def test_integrals_add_up(case, output_shape):
    image, boxes = case
    parts = skpool.precise_roi_pool(image, boxes, output_shape).mean(axis=(1, 2), dtype=np.float64)
    scale = float(np.abs(image.astype(np.float64)).max())
    np.testing.assert_allclose(parts, skpool.precise_roi_pool(image, boxes, 1)[:, 0, 0], rtol=1e-5, atol=1e-6 * scale)


@relaxed
@given(images_and_boxes(), bins)
def test_inputs_are_left_alone(case, output_shape):
    image, boxes = case
    copies = image.copy(), boxes.copy()
    image.flags.writeable = boxes.flags.writeable = False
    for call in CALLS.values():
        call(image, boxes, output_shape)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(boxes, copies[1])


# ---------------------------------------------------------------- the same bits, whatever the layout and machine


def own_channels(image, boxes, output_shape, channel_axis=None, **keywords):
    """Position-sensitive pooling of any image, of as many channels as it then needs."""
    rows, columns = np.broadcast_to(output_shape, 2).tolist()
    if channel_axis is None:
        image, channel_axis = image[..., np.newaxis], -1
    image = np.concatenate([image] * (rows * columns), axis=channel_axis)
    return skpool.position_sensitive_roi_pool(image, boxes, output_shape, channel_axis=channel_axis, **keywords)


def call_of(function, **fixed):
    return lambda *arguments, **keywords: function(*arguments, **fixed, **keywords)


CALLS = {
    **{f"roi_pool {name}": call_of(skpool.roi_pool, reduction=name) for name in functions.POOL_REDUCTIONS},
    "roi_align": skpool.roi_align,
    "roi_align 2": call_of(skpool.roi_align, sampling_ratio=2),
    "roi_align max": call_of(skpool.roi_align, reduction="max"),
    "roi_align onnx_max": call_of(skpool.roi_align, reduction="max", onnx_max=True),
    "precise_roi_pool": skpool.precise_roi_pool,
    "position_sensitive_roi_pool": own_channels,
}


def in_larger(image):
    """Every second sample along every axis."""
    larger = np.zeros([2 * length for length in image.shape], image.dtype)
    view = larger[(slice(None, None, 2),) * image.ndim]
    view[...] = image
    return view


def misaligned(image):
    moved = np.ndarray(image.shape, image.dtype, np.empty(image.nbytes + 1, np.uint8), offset=1)
    moved[...] = image
    return moved


#: The same image, lying otherwise in memory.
LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": in_larger,
    "backwards": lambda image: np.flip(np.flip(image).copy()),
    "part of a wider image": lambda image: np.concatenate([image, image], axis=-1)[..., : image.shape[-1]],
    "byte-swapped": lambda image: image.astype(image.dtype.newbyteorder()),
    "misaligned": misaligned,
}


def cases(name, dtype):
    """Images with and without channels; boxes that are few, or many enough for planes to be brought together."""
    rng = generator(name, dtype)
    for shape, channels in (((37, 41), None), ((9, 14), 3), ((30, 33), 40), ((5, 6), 270)):
        image = make_image(rng, shape if channels is None else (*shape, channels), dtype)
        if image.dtype.kind == "f":
            image[tuple(rng.integers(0, image.shape))] = math.nan
        for count, output_shape in ((3, (2, 3)), (20, (5, 5))):
            if name.startswith("position") and (channels or 0) > 40:
                continue
            yield image, make_boxes(rng, shape, count, 4), output_shape, None if channels is None else -1


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint64", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_layouts_give_the_same_bits(name, dtype):
    for image, boxes, output_shape, axis in cases(name, dtype):
        expected = bits(CALLS[name](image, boxes, output_shape, channel_axis=axis))
        for layout, made in LAYOUTS.items():
            result = CALLS[name](made(image), boxes, output_shape, channel_axis=axis)
            assert bits(result) == expected, (layout, image.shape, output_shape)
        if axis is None:
            continue
        for other in (0, 1):
            planes = np.ascontiguousarray(np.moveaxis(image, axis, other))
            for made in (planes, in_larger(planes)):
                result = CALLS[name](made, boxes, output_shape, channel_axis=other)
                assert bits(result) == expected, (other, image.shape, output_shape)


@pytest.mark.parametrize("name", CALLS)
def test_copies_and_tiles_do_not_change_bits(name, monkeypatch):
    for image, boxes, output_shape, axis in cases(name, "float32"):
        planes = image if axis is None else np.ascontiguousarray(np.moveaxis(image, axis, 0))
        keywords = {"channel_axis": None if axis is None else 0}
        found = set()
        for most_copied, tile, channels in itertools.product((0, 2**26), (1, 64, 4096), (1, 16, 256)):
            monkeypatch.setattr(backend, "MOST_COPIED", most_copied)
            monkeypatch.setattr(backend, "TILE", tile)
            monkeypatch.setattr(backend, "MOST_CHANNELS", channels)
            found.add(bits(CALLS[name](planes, boxes, output_shape, **keywords)))
            found.add(bits(CALLS[name](image, boxes, output_shape, channel_axis=axis)))
        assert len(found) == 1


def test_repeated_pixels():
    """An axis of stride 0 is as good as a copy of it."""
    rng = generator("repeated")
    boxes = make_boxes(rng, (9, 12), 6, 4)
    for image in (rng.random((9, 1)), rng.random((1, 12)), rng.random((1, 1))):
        image = np.broadcast_to(image, (9, 12))
        for call in CALLS.values():
            assert bits(call(image, boxes, (3, 4))) == bits(call(image.copy(), boxes, (3, 4)))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", CALLS)
def test_workers_give_the_same_bits(name, dtype):
    for image, boxes, output_shape, axis in cases(name, dtype):
        for some in (boxes, boxes[:1]):
            expected = bits(CALLS[name](image, some, output_shape, channel_axis=axis, workers=1))
            for workers in (2, 5, 64, None):
                result = CALLS[name](image, some, output_shape, channel_axis=axis, workers=workers)
                assert bits(result) == expected, (workers, image.shape, output_shape)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_boxes_do_not_depend_on_each_other(name, dtype):
    for image, boxes, output_shape, axis in cases(name, dtype):
        together = CALLS[name](image, boxes, output_shape, channel_axis=axis)
        for k in range(len(boxes)):
            alone = CALLS[name](image, boxes[k : k + 1], output_shape, channel_axis=axis)
            assert bits(alone) == bits(together[k : k + 1])


def digest():
    """A digest of many results."""
    found = hashlib.sha256()
    for name, dtype in itertools.product(CALLS, DTYPES):
        for image, boxes, output_shape, axis in cases(name, dtype):
            found.update(bits(CALLS[name](image, boxes, output_shape, channel_axis=axis)))
    return found.hexdigest()


@pytest.mark.slow
def test_instruction_sets_give_the_same_bits():
    found = set()
    for name in cpu.available_instruction_sets():
        result = subprocess.run(
            [sys.executable, "-P", __file__],
            env=os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1]), "SKPOOL_ISA": name},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        found.add(result.stdout)
    assert len(found) == 1


# ---------------------------------------------------------------- sizes


def test_many_boxes():
    rng = generator("many")
    image = rng.random((200, 300), dtype=np.float32)
    low = rng.integers(0, [190, 290], (100_000, 2))
    boxes = np.concatenate([low, low + rng.integers(1, 30, (100_000, 2))], axis=1)
    pooled = skpool.roi_pool(image, boxes, 2, reduction="avg", workers=2)
    assert pooled.shape == (100_000, 2, 2)
    aligned = skpool.roi_align(image, boxes, 2, workers=2)
    for k in range(0, 100_000, 9973):
        expected = slow_pool(image[..., np.newaxis], boxes[k : k + 1, [0, 2, 1, 3]].tolist(), (2, 2), "avg", math.nan)
        np.testing.assert_allclose(pooled[k], expected[0, ..., 0], rtol=1e-6)
        expected = slow_align(image[..., np.newaxis], boxes[k : k + 1], (2, 2), 0, True, "avg")
        np.testing.assert_allclose(aligned[k], expected[0, ..., 0], rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 3, 300])
def test_large_boxes_and_many_bins(channels):
    """Bins wider than a tile, rows of more bins than a tile has, boxes far larger than the image."""
    rng = generator("large", channels)
    image = rng.random((50, 6000 // channels, channels))
    height, width = image.shape[:2]
    for output_shape in ((1, 1), (2, 200), (70, 3)):
        boxes = [(0, 0, height, width), (3, 5, 44, width - 3), (2, 3, 5, 7)]
        edges = [(a, c, b, d) for a, b, c, d in boxes]
        pooled = skpool.roi_pool(image, boxes, output_shape, channel_axis=-1, workers=2)
        if channels == 1:
            np.testing.assert_array_equal(pooled, slow_pool(image, edges, output_shape, "max", math.nan))
        for k, box in enumerate(boxes):
            whole = image[box[0] : box[2], box[1] : box[3]]
            np.testing.assert_array_equal(pooled[k].max(axis=(0, 1)), whole.max(axis=(0, 1)))
        precise = skpool.precise_roi_pool(image, boxes, output_shape, channel_axis=-1).mean(axis=(1, 2))
        np.testing.assert_allclose(
            precise, skpool.precise_roi_pool(image, boxes, 1, channel_axis=-1)[:, 0, 0], rtol=1e-12
        )
    largest = [(-(2.0**30), -(2.0**30), 2.0**30, 2.0**30)]
    assert skpool.precise_roi_pool(image, largest, 3, channel_axis=-1)[:, 1, 1].any()
    for reduction in functions.ALIGN_REDUCTIONS:
        assert skpool.roi_align(image, largest, 3, reduction=reduction, channel_axis=-1)[:, 1, 1].any()
    assert (skpool.roi_pool(image, largest, 3, channel_axis=-1)[0, 1, 1] == image.max(axis=(0, 1))).all()
    assert (skpool.roi_align(image, largest, 1, sampling_ratio=2, channel_axis=-1) == 0).all()


@pytest.mark.parametrize("call", [call for name, call in CALLS.items() if name != "position_sensitive_roi_pool"])
def test_nothing_to_pool(call):
    image = np.ones((4, 5, 2), np.float32)
    for boxes in ([], np.empty((0, 4)), np.empty((0, 4), int)):
        assert call(image, boxes, (2, 3), channel_axis=-1).shape == (0, 2, 3, 2)
    assert call(image[..., :0], [(0, 0, 2, 2)], (2, 3), channel_axis=-1).shape == (1, 2, 3, 0)
    for shape in ((0, 5), (4, 0), (0, 0)):
        empty = call(np.ones(shape, np.float32), [(0, 0, 2, 2)], (2, 3))
        assert empty.shape == (1, 2, 3)
        assert (np.isnan(empty) | (empty == 0)).all()


def test_lists_are_images():
    assert skpool.roi_pool([[1, 2], [3, 4]], [[0, 0, 2, 2]], 1).tolist() == [[[4]]]
    assert skpool.roi_pool([[True, False]], [[0, 0, 1, 2]], (1, 2)).tolist() == [[[True, False]]]


def test_bins_of_too_many_pixels():
    image = np.broadcast_to(np.uint8(1), (2**16, 2**16))
    refuses(ValueError, "`boxes`", "pixels", call=skpool.roi_pool, image=image, boxes=[(0, 0, 2**16, 2**16)])


# ---------------------------------------------------------------- ONNX


def onnx_cases(op):
    onnx = pytest.importorskip("onnx")
    loader = pytest.importorskip("onnx.backend.test.loader")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other operators' cases
        found = [case for case in loader.load_model_tests(kind="node") if case.model.graph.node[0].op_type == op]
    for case in found:
        node = case.model.graph.node[0]
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        yield from ((case, attributes, *data) for data in case.data_sets)


def align_as_onnx(image, boxes, batch, attributes):
    """What ONNX's RoiAlign gives for ``(N, C, H, W)`` and boxes (x1, y1, x2, y2)."""
    scale = attributes.get("spatial_scale", 1.0)
    mode = attributes.get("mode", b"avg")
    pooled = [
        skpool.roi_align(
            image[index],
            scale * box[np.newaxis, [1, 0, 3, 2]],
            (attributes.get("output_height", 1), attributes.get("output_width", 1)),
            sampling_ratio=attributes.get("sampling_ratio", 0),
            aligned=attributes.get("coordinate_transformation_mode", b"half_pixel") in ("half_pixel", b"half_pixel"),
            reduction="max" if mode in ("max", b"max") else "avg",
            onnx_max=mode in ("max", b"max"),
            channel_axis=0,
        )
        for index, box in zip(batch, boxes, strict=True)
    ]
    return np.moveaxis(np.concatenate(pooled), -1, 1)


@pytest.mark.slow
def test_onnx_cases():
    cases = list(onnx_cases("RoiAlign"))
    assert len(cases) >= 3
    for case, attributes, (image, boxes, batch), (expected,) in cases:
        np.testing.assert_allclose(
            align_as_onnx(image, boxes, batch, attributes), expected, rtol=case.rtol, atol=1e-4, err_msg=case.name
        )


def onnx_session(op, inputs, opset, **attributes):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    kinds = {"batch": onnx.TensorProto.INT64}
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, inputs, ["pooled"], **attributes)],
        "boxes",
        [onnx.helper.make_tensor_value_info(name, kinds.get(name, onnx.TensorProto.FLOAT), None) for name in inputs],
        [onnx.helper.make_tensor_value_info("pooled", onnx.TensorProto.FLOAT, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("transformation", ["half_pixel", "output_half_pixel"])
def test_onnx_runtime_roi_align(transformation, mode):
    rng = generator(transformation, mode)
    for _ in range(25):
        image = rng.normal(size=(2, 3, *rng.integers(4, 16, 2))).astype(np.float32)
        boxes = make_boxes(rng, image.shape[:1:-1], 6, 8).astype(np.float32)
        batch = rng.integers(0, 2, 6)
        attributes = {
            "output_height": int(rng.integers(1, 6)),
            "output_width": int(rng.integers(1, 6)),
            "sampling_ratio": int(rng.integers(0, 4)),
            "spatial_scale": float(rng.choice([1.0, 0.5])),
            "coordinate_transformation_mode": transformation,
            "mode": mode,
        }
        session = onnx_session("RoiAlign", ["image", "boxes", "batch"], 16, **attributes)
        [expected] = session.run(None, {"image": image, "boxes": boxes, "batch": batch})
        pooled = align_as_onnx(image, boxes, batch, attributes)
        np.testing.assert_allclose(pooled, expected, atol=2e-5, err_msg=repr((attributes, boxes)))


def test_onnx_runtime_max_roi_pool():
    rng = generator("MaxRoiPool")
    for _ in range(40):
        image = rng.normal(size=(1, 3, *rng.integers(4, 16, 2))).astype(np.float32)
        boxes = make_boxes(rng, image.shape[:1:-1], 6, 2).astype(np.float32)
        output_shape = [int(rng.choice([1, 2, 4])) for _ in range(2)]  # their bins are divided in float32
        session = onnx_session("MaxRoiPool", ["image", "boxes"], 16, pooled_shape=output_shape)
        rois = np.concatenate([np.zeros((6, 1), np.float32), boxes], axis=1)
        [expected] = session.run(None, {"image": image, "boxes": rois})
        pooled = skpool.roi_pool(image[0], boxes[:, [1, 0, 3, 2]], output_shape, inclusive=True, channel_axis=0)
        np.testing.assert_array_equal(np.moveaxis(pooled, -1, 1), expected)


# ---------------------------------------------------------------- torchvision


@pytest.fixture(scope="module")
def operators():
    torch = pytest.importorskip("torch", exc_type=ImportError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torchvision
        except (ImportError, RuntimeError) as error:  # the latter if it was built for another torch
            pytest.skip(f"no torchvision: {error}")
    return torch, torchvision.ops


@pytest.mark.parametrize("seed", range(20))
def test_torchvision(operators, seed):
    torch, ops = operators
    rng = generator("torchvision", seed)
    height, width = rng.integers(3, 18, 2).tolist()
    output_shape = tuple(rng.integers(1, 6, 2).tolist())
    image = rng.normal(size=(2 * math.prod(output_shape), height, width))
    boxes = make_boxes(rng, (height, width), 8, 8)
    rois = [torch.from_numpy(boxes[:, [1, 0, 3, 2]])]
    tensor = torch.from_numpy(image)[np.newaxis]

    def same(ours, theirs):
        np.testing.assert_allclose(np.moveaxis(ours, -1, 1), theirs, rtol=1e-9, atol=1e-12)

    for aligned, ratio in itertools.product((False, True), (0, 1, 3)):
        ours = skpool.roi_align(image, boxes, output_shape, sampling_ratio=ratio, aligned=aligned, channel_axis=0)
        same(ours, ops.roi_align(tensor, rois, output_shape, sampling_ratio=ratio or -1, aligned=aligned))
    same(
        skpool.roi_pool(image, boxes, output_shape, inclusive=True, channel_axis=0),
        ops.roi_pool(tensor, rois, output_shape),
    )
    # Theirs leaves out the last row and column of the image: add one of each.
    same(
        skpool.position_sensitive_roi_pool(image, boxes, output_shape, channel_axis=0),
        ops.ps_roi_pool(torch.nn.functional.pad(tensor, (0, 1, 0, 1)), rois, output_shape),
    )


# ---------------------------------------------------------------- R-MAC


@pytest.mark.parametrize("shape", [(7, 7), (12, 12), (10, 14), (14, 10), (8, 30), (20, 21), (24, 32), (6, 41)])
def test_rmac_regions(shape):
    boxes = skpool.rmac_regions(shape)
    assert boxes.dtype == np.int64
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= shape).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (sides[:, 0] == sides[:, 1]).all()
    assert sorted(set(sides[:, 0].tolist()), reverse=True) == [2 * min(shape) // (level + 1) for level in (1, 2, 3)]
    for level in (1, 2, 3):  # each level reaches every border
        own = boxes[sides[:, 0] == 2 * min(shape) // (level + 1)]
        assert own[:, :2].min(axis=0).tolist() == [0, 0] or level == 1
        assert own[:, 2:].max(axis=0).tolist() == list(shape)
    along = len(boxes[sides[:, 0] == min(shape)])
    extra = along - 1
    assert len(boxes) == sum(level * (level + extra) for level in (1, 2, 3))
    if extra:  # no other number of regions overlaps by nearly 40 % as well
        overlaps = {n: 1 - (max(shape) - min(shape)) / (n * min(shape)) for n in range(1, 30)}
        assert abs(overlaps[extra] - 0.4) == min(abs(overlap - 0.4) for overlap in overlaps.values())


def test_rmac_regions_of_the_paper():
    """Square images have 1, 4 and 9 regions."""
    assert skpool.rmac_regions((12, 12)).tolist() == [
        [0, 0, 12, 12],
        *([row, column, row + 8, column + 8] for row in (0, 4) for column in (0, 4)),
        *([row, column, row + 6, column + 6] for row in (0, 3, 6) for column in (0, 3, 6)),
    ]
    assert skpool.rmac_regions((3, 3), levels=1).tolist() == [[0, 0, 3, 3]]


# ---------------------------------------------------------------- errors

IMAGE = np.arange(24.0).reshape(4, 6)
BOXES = [(0, 0, 2, 2)]
ALL = (skpool.roi_pool, skpool.roi_align, skpool.precise_roi_pool, skpool.position_sensitive_roi_pool)


def refuses(error, *parts, call, image=IMAGE, boxes=BOXES, output_shape=1, **keywords):
    """Assert that a call raises just this error, and that its message has all `parts`."""
    if call is skpool.position_sensitive_roi_pool and isinstance(image, np.ndarray) and image is IMAGE:
        image = image[..., np.newaxis]
    with pytest.raises(error) as caught:
        call(image, boxes, output_shape, **keywords)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize(
    "image",
    [np.ones((4, 4), complex), np.ones((4, 4), object), np.full((4, 4), "a"), np.zeros((4, 4), "M8[s]"), None, "image"],
    ids=lambda image: str(getattr(image, "dtype", type(image).__name__)),
)
def test_images_of_other_kinds(call, image):
    refuses(TypeError, "`image`", call=call, image=image)


@pytest.mark.parametrize("call", ALL)
def test_masked_images(call):
    refuses(TypeError, "`image`", "mask", call=call, image=np.ma.masked_less(IMAGE, 3))


@pytest.mark.parametrize("call", ALL[:3])
@pytest.mark.parametrize(
    ("shape", "axis"), [((), None), ((4,), None), ((4, 4, 3), None), ((4, 4), 0), ((4,), 0), ((2, 4, 4, 3), -1)]
)
def test_images_without_two_spatial_axes(call, shape, axis):
    refuses(ValueError, "`image`", "two spatial axes", str(shape), call=call, image=np.ones(shape), channel_axis=axis)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("axis", [3, -4, 2**70])
def test_channel_axes_that_are_not_there(call, axis):
    refuses(ValueError, "`channel_axis`", str(axis), call=call, image=np.ones((4, 4, 1)), channel_axis=axis)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("axis", [1.0, True, "0", (0,)])
def test_channel_axes_of_other_kinds(call, axis):
    refuses(TypeError, "`channel_axis`", repr(axis), call=call, image=np.ones((4, 4, 1)), channel_axis=axis)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize(
    "boxes",
    [np.ones((1, 4), bool), np.ones((1, 4), complex), np.full((1, 4), "1"), np.ones((1, 4), object), None, "box"],
    ids=lambda boxes: str(getattr(boxes, "dtype", type(boxes).__name__)),
)
def test_boxes_of_other_kinds(call, boxes):
    refuses(TypeError, "`boxes`", call=call, boxes=boxes)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("shape", [(4,), (1, 3), (1, 5), (1, 1, 4), (4, 1), (0, 3), (1, 0)])
def test_boxes_of_wrong_shapes(call, shape):
    refuses(ValueError, "`boxes`", "(K, 4)", str(shape), call=call, boxes=np.zeros(shape))


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    ("value", "rule"),
    [(math.nan, "finite"), (math.inf, "finite"), (-math.inf, "finite"), (2.0**30 + 1, "at most"), (-1e300, "at most")],
)
def test_boxes_of_wrong_coordinates(call, value, rule, place):
    boxes = np.array([(0, 0, 2, 2), (1, 1, 2, 2)], float)
    boxes[1, place] = value
    refuses(ValueError, "`boxes`", rule, str(value), "row 1", call=call, boxes=boxes)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("box", [(2, 0, 1, 3), (0, 3, 2, 2.5)])
def test_boxes_inside_out(call, box):
    refuses(ValueError, "`boxes`", "min <= max", "row 2", call=call, boxes=[*BOXES, *BOXES, box])


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("output_shape", [1.5, None, True, "2", (2, 2.0)])
def test_output_shapes_of_other_kinds(call, output_shape):
    refuses(TypeError, "`output_shape`", call=call, output_shape=output_shape)


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("output_shape", [0, -1, (2, 0), (2,), (2, 2, 2), (), 2**31])
def test_output_shapes_of_wrong_values(call, output_shape):
    refuses(ValueError, "`output_shape`", call=call, output_shape=output_shape)


@pytest.mark.parametrize("call", ALL[:3])
def test_results_beyond_memory(call):
    refuses(ValueError, "memory", call=call, output_shape=2**31 - 1)


@pytest.mark.parametrize("call", ALL)
def test_workers_of_other_kinds(call):
    refuses(TypeError, "`workers`", call=call, workers=1.5)
    refuses(ValueError, "`workers`", call=call, workers=0)


@pytest.mark.parametrize("call", ALL[:2])
def test_reductions_that_are_not_there(call):
    refuses(ValueError, "`reduction`", "'median'", "'max'", call=call, reduction="median")
    refuses(TypeError, "`reduction`", call=call, reduction=np.max)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (skpool.roi_pool, "inclusive"),
        (skpool.roi_align, "aligned"),
        (skpool.roi_align, "onnx_max"),
        (skpool.precise_roi_pool, "aligned"),
    ],
)
def test_flags_of_other_kinds(call, name):
    refuses(TypeError, f"`{name}`", "'yes'", call=call, **{name: "yes"})


def test_fill_values_of_wrong_values():
    image = np.ones((4, 4), np.uint8)
    refuses(ValueError, "`fill_value`", "-1", call=skpool.roi_pool, image=image, fill_value=-1)
    refuses(ValueError, "`fill_value`", "nan", call=skpool.roi_pool, image=image, fill_value=math.nan)
    refuses(TypeError, "`fill_value`", call=skpool.roi_pool, fill_value="0")


def test_sampling_ratios_of_wrong_values():
    for value in (-1, functions.MOST_SAMPLES + 1):
        refuses(ValueError, "`sampling_ratio`", str(value), call=skpool.roi_align, sampling_ratio=value)
    for value in (2.0, True, None):
        refuses(TypeError, "`sampling_ratio`", repr(value), call=skpool.roi_align, sampling_ratio=value)


def test_onnx_max_of_averages():
    refuses(ValueError, "`onnx_max`", "'avg'", call=skpool.roi_align, onnx_max=True)


def test_channels_of_their_own():
    call = skpool.position_sensitive_roi_pool
    refuses(ValueError, "`image`", "multiple of 6", "8", call=call, image=np.ones((4, 4, 8)), output_shape=(2, 3))
    refuses(TypeError, "`channel_axis`", "None", call=call, channel_axis=None)


@pytest.mark.parametrize("shape", [5, None, "55", (2.0, 3), (True, 2)])
def test_rmac_shapes_of_other_kinds(shape):
    with pytest.raises(TypeError, match="`shape`"):
        skpool.rmac_regions(shape)


@pytest.mark.parametrize("shape", [(5,), (5, 5, 5), (0, 5), (-1, 5)])
def test_rmac_shapes_of_wrong_values(shape):
    with pytest.raises(ValueError, match="`shape`"):
        skpool.rmac_regions(shape)


def test_rmac_levels_of_wrong_values():
    for levels in (0, -1, 6, 10):
        with pytest.raises(ValueError, match=f"`levels` .*{levels}"):
            skpool.rmac_regions((3, 9), levels)
    assert len(skpool.rmac_regions((3, 9), 5))
    with pytest.raises(TypeError, match="`levels`"):
        skpool.rmac_regions((3, 9), 2.0)


if __name__ == "__main__":
    print(digest())
