"""Order statistics, labels, weights, strips and corners on a GPU or behind the stand-in."""

import functools
import math

import numpy as np
import pytest
from devices import launched, on_device, same, same_bits
from grid import DTYPES, cases, fits
from images import LAYOUTS, generator, image_of

import skpool
from skpool.backends import gpu
from skpool.reductions import VIRTUAL_INDEX

pytestmark = pytest.mark.usefixtures("cupy")


# ---------------------------------------------------------------- order statistics and labels

ORDERINGS = (
    *[("percentile", {"q": q, "method": method}) for method in VIRTUAL_INDEX for q in (0, 12.5, 50, 99)],
    *[("trimmed_mean", {"proportion": proportion}) for proportion in (0, 0.2, 0.49)],
    *[("rank", {"rule": rule, "top": top}) for rule in ("average", "weighted") for top in (None, 1, 3)],
    *[("mode", {"ties": ties}) for ties in ("smallest", "largest", "first", "center")],
    *[("mode", {"ties": ties, "background": 1}) for ties in ("smallest", "largest", "first", "center")],
    ("median", {}),
    ("nunique", {}),
    ("entropy", {}),
)


@pytest.mark.parametrize(("name", "parameters"), ORDERINGS)
def test_orderings(name, parameters, cupy):
    for dtype in ("int8", "float32"):
        rng = generator(name, str(parameters), dtype)
        image = rng.integers(-2, 3, (9, 11)).astype(dtype)
        if dtype == "float32":
            image[rng.random(image.shape) < 0.05] = np.nan
            image[image == 0] *= rng.choice([-1, 1])
        with np.errstate(all="ignore"):
            same(skpool.pool, image, (3, 4), name, stride=2, padding=1, mode="edge", **parameters)
            same(skpool.pool, image, 5, name, stride=3, mask=rng.random(image.shape) < 0.7, **parameters)
            cupy.log.backwards = True
            same(skpool.pool, image, 2, name, nan_policy="omit", fill_value=1, **parameters)
        if "ties" not in parameters:
            same(skpool.adaptive_pool, image, (4, 3), name, **parameters)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64"])
def test_middles_of_large_numbers(dtype):
    rng = generator(dtype)
    if dtype == "float64":
        image = rng.choice([1.7e308, -1.7e308, 1e308, 5e-324, math.inf], (6, 8))
    else:
        limits = np.iinfo(dtype)
        image = rng.choice(np.array([limits.min, limits.max, limits.max - 1, limits.max // 2, 1], dtype), (6, 8))
    for result in (dtype, "float64", "int64"):
        with np.errstate(all="ignore"):
            same(skpool.median_pool, image, (2, 1), dtype=result)
            same(skpool.percentile_pool, image, 2, q=40, dtype=result)


def test_labels_never_pass_through_floats():
    labels = np.array([[2**63 + 1, 2**63 + 1, 7], [2**63, 2**63 + 1, 7]], np.uint64)
    same(skpool.mode_pool, labels, (2, 3))
    same(skpool.mode_pool, labels, (2, 3), ties="first", background=2**63 + 1)


def test_windows_of_27_samples_and_no_more(cupy):
    image = image_of(generator("27"), (6, 6, 9), "float32")
    same(skpool.median_pool, image, 3, nan_policy="omit")
    cross = np.zeros((7, 7), bool)
    cross[3] = cross[:, 3] = True
    same(skpool.percentile_pool, image[0], q=30, footprint=cross, stride=2)
    cupy.log.clear()
    with pytest.raises(NotImplementedError, match=r"more than 27 .* of 28, .* CPU: skpool\.median_pool\(image\.get"):
        skpool.median_pool(on_device(image[0]), (4, 7), stride=1, padding=3)
    assert not cupy.log.launches


@pytest.mark.parametrize("reduction", ["mode", "median"])
def test_pyramids_of_labels(reduction):
    image = generator(reduction).integers(0, 5, (21, 18)).astype(np.int16)
    same(skpool.pool_pyramid, image, reduction=reduction, recursive=True)
    same(skpool.pool_pyramid, image, max_layer=2, reduction=reduction)  # the second level has windows of 16 samples
    same(skpool.spatial_pyramid_pool, image[:6, :6], (2, 3), reduction)


# ---------------------------------------------------------------- weights, strips and corners


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("separable", [False, True])
def test_weights(separable, dtype, cupy):
    rng = generator("weights", separable, dtype)
    for number, (image, keywords) in enumerate(cases("weights", dtype, 12)):
        window = keywords.pop("window_shape", None) or keywords.pop("footprint").shape
        vectors = [rng.integers(1, 4, length) for length in window]
        weights = functools.reduce(np.multiply.outer, vectors) if separable else rng.integers(-1, 9, window)
        if not separable:
            weights = weights / 3
            weights.flat[0] = 40
        if separable and number % 2:
            for name in ("mask", "fill_value", "min_count", "nan_policy"):
                keywords.pop(name, None)
        cupy.log.backwards = number % 2 == 1
        with np.errstate(all="ignore"):
            if fits(image, {"window_shape": window, **keywords}):
                same(skpool.weighted_avg_pool, image, weights, **keywords)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("mode", ["ignore", "constant", "reflect"])
def test_weights_that_are_an_outer_product(mode, at_once, cupy, monkeypatch):
    monkeypatch.setattr(gpu, "MOST_AT_ONCE", 1000 if at_once else 1)
    monkeypatch.setattr(gpu, "kernels_of", gpu.kernels_of.__wrapped__)  # it remembers
    weights = np.multiply.outer(np.multiply.outer([1, 2, 1], [1, 0, 3.3]), [1, 4])
    for axis in (None, 0, 1, 3):
        image = image_of(generator("outer", mode, axis), (7, 8, 9), "float32")
        image = image if axis is None else np.stack([image, image[::-1]], axis)
        keywords = {"stride": 2, "padding": ((1, 1), (2, 0), (0, 1)), "mode": mode, "cval": 0.1, "channel_axis": axis}
        cupy.log.clear()
        with np.errstate(all="ignore"):
            same(skpool.weighted_avg_pool, LAYOUTS["backwards"](image), weights, **keywords)
        assert launched(cupy) == (["average_outer"] if at_once else ["sum_rows", "average_sums"])


def test_weighted_averages_refuse_nan_where_it_counts():
    image = np.ones((4, 6), np.float32)
    image[0, 5] = np.nan
    with pytest.raises(ValueError, match="must not have NaN"):
        skpool.weighted_avg_pool(on_device(image), [[1, 1], [1, 2]], nan_policy="raise")
    same(skpool.weighted_avg_pool, image, [[1, 0], [1, 2]], nan_policy="raise")  # of weight 0


@pytest.mark.parametrize("keywords", [{}, {"size": 5, "stride": 3}, {"max_window": 2}, {"mode": "constant", "cval": 2}])
def test_blurs(keywords):
    image = image_of(generator("blur"), (9, 12), "float32")
    with np.errstate(all="ignore"):
        same(skpool.blur_pool, image, **keywords)
        same(skpool.blur_pool, image, nan_policy="omit", mask=np.arange(108).reshape(9, 12) % 5 > 0, **keywords)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("reduction", ["avg", "max", "var", "median"])
def test_strips(reduction, axis):
    image = image_of(generator("strips"), (13, 17), "float64")
    with np.errstate(all="ignore"):
        for keepdims in (False, True):
            same(skpool.strip_pool, image, axis, reduction, keepdims=keepdims)
        out = on_device(np.zeros(17 if axis == 0 else 13))
        assert skpool.strip_pool(on_device(image), axis, reduction, out=out) is out
        same_bits(out, skpool.strip_pool(image, axis, reduction))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("corner", ["top", "right", "top_left", "bottom_right"])
def test_corners(corner, dtype, cupy):
    for number, channel_axis in enumerate((None, 0, 1, 2)):
        rng = generator(corner, dtype, number)
        image = image_of(rng, (5, 6, 7), dtype)
        if np.dtype(dtype).kind == "f":
            image = image + np.dtype(dtype).type(0)  # NumPy's maximum of zeros of both signs is either
        cupy.log.backwards = number % 2 == 1
        mask = rng.random(image.shape) < 0.6
        if channel_axis == 1:
            mask = mask[:, 0]
        layout = list(LAYOUTS.values())[number]
        with np.errstate(all="ignore"):
            for keywords in ({}, {"mask": mask}, {"nan_policy": "omit"}, {"mask": mask, "fill_value": 1}):
                same(skpool.corner_pool, layout(image), corner, channel_axis=channel_axis, **keywords)


def test_corners_refuse_nan_where_it_counts(cupy):
    image = np.ones((3, 4))
    image[1, 1] = np.nan
    cupy.log.clear()
    with pytest.raises(ValueError, match="must not have NaN"):
        skpool.corner_pool(on_device(image), "top", nan_policy="raise")
    assert cupy.log.waits == 1
    same(skpool.corner_pool, image, "top", nan_policy="raise", mask=~np.isnan(image))
    same(skpool.corner_pool, np.ones((0, 4)), "top_left")
