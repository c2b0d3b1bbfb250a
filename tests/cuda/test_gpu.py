"""The CUDA kernels on the CPU: the real sources as C++, behind a stand-in for CuPy, against the CPU backend.

Nothing here needs a GPU.
"""

import functools
import itertools
import math
import sys

import numpy as np
import pytest
import standin
from images import LAYOUTS, generator, image_of
from plans import required

import skpool
from skpool import pooling
from skpool.backends import gpu
from skpool.reductions import REDUCTIONS, VIRTUAL_INDEX

DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)

#: What is computed on a GPU.
COVERED = tuple(name for name in REDUCTIONS if name in gpu.COVERED)
FOLDED = tuple(name for name in COVERED if name in gpu.STRUCTS)
SORTED = tuple(name for name in COVERED if name not in gpu.STRUCTS)

pytestmark = pytest.mark.skipif(standin.COMPILER is None, reason="there is no C++ compiler")


@pytest.fixture(autouse=True)
def cupy():
    with standin.installed() as module:
        module.log.clear()
        module.log.backwards = False
        yield module
        module.log.backwards = False


def on_device(array):
    """An array on the device, of the same layout."""
    if array is None:
        return None
    low, high = np.lib.array_utils.byte_bounds(array) if array.size else (0, 0)
    whole = standin.asarray(np.zeros(high - low, np.uint8))
    offset = standin.GUARD + (array.ctypes.data - low if array.size else 0)
    host = np.ndarray(array.shape, array.dtype, whole._memory, offset, array.strides)
    host[...] = array
    return standin.ndarray(host, whole._memory)


def same_bits(found, expected):
    """Arrays of one type that have the same bits; any NaN is like any other."""
    assert isinstance(found, standin.ndarray)
    found = found.get()
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if found.dtype.kind == "f":
        nan = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(found), nan)
        found, expected = (np.where(nan, 0, array).astype(array.dtype) for array in (found, expected))
        integer = f"i{found.dtype.itemsize}"
        found, expected = found.view(integer), expected.view(integer)
    np.testing.assert_array_equal(found, expected)


def same(function, image, *arguments, mask=None, **keywords):
    """The same call on the device and on the CPU gives the same."""
    masks = ({}, {}) if mask is None else ({"mask": on_device(mask)}, {"mask": mask})
    found = function(on_device(image), *arguments, **keywords, **masks[0])
    expected = function(image, *arguments, **keywords, **masks[1])
    if not isinstance(expected, tuple | list):
        found, expected = [found], [np.asarray(expected)]
    for one, other in zip(found, expected, strict=True):
        same_bits(one, other)


# ---------------------------------------------------------------- windows


def geometry(rng, ndim, most):
    """Arguments of windows along so many axes."""
    window = tuple(rng.integers(1, most + 1, ndim).tolist())
    keywords = {"window_shape": window, "stride": tuple(rng.integers(1, most + 2, ndim).tolist())}
    if rng.random() < 0.7:
        keywords["padding"] = tuple(tuple(rng.integers(0, size, 2).tolist()) for size in window)
        keywords["mode"] = rng.choice(["ignore", "constant", "edge", "reflect", "symmetric", "wrap"]).item()
        keywords["cval"] = int(rng.integers(0, 2))
    if rng.random() < 0.3:
        keywords["dilation"] = tuple(rng.integers(1, 3, ndim).tolist())
    keywords["ceil_mode"] = bool(rng.random() < 0.5)
    return keywords


def cases(name, dtype, count, most=4):
    """Calls of one reduction for images of one type: (image, keywords). All have the same rank."""
    rng = generator(name, dtype)
    ndim = 1 + int(rng.integers(0, 3))
    for number in range(count):
        channels = number % 2 == 1 and ndim > 1
        shape = tuple(rng.integers(5, 12, ndim).tolist())
        image = image_of(rng, shape, dtype)
        keywords = geometry(rng, ndim - channels, most)
        if channels:
            keywords["channel_axis"] = int(rng.integers(-ndim, ndim))
        if number % 3 == 1:
            keywords["mask"] = rng.random(shape) < 0.7
        if number % 4 == 2:
            keywords |= {"footprint": rng.random(keywords.pop("window_shape")) < 0.6}
            keywords["footprint"].flat[0] = True
        keywords["nan_policy"] = "omit" if number % 2 else "propagate"
        keywords["min_count"] = int(rng.integers(1, 4))
        if number % 3 == 2:
            keywords["fill_value"] = 1
        layout = list(LAYOUTS)[number % len(LAYOUTS)]
        yield LAYOUTS[layout](image), keywords


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", COVERED)
def test_windows_of_any_kind(name, dtype, cupy):
    for number, (image, keywords) in enumerate(cases(name, dtype, 12, 4 if name in FOLDED else 3)):
        cupy.log.backwards = number % 2 == 1
        try:
            expected = skpool.pool(image, reduction=name, **required(name), **keywords)
        except ValueError:  # a window that does not fit: the same error
            with pytest.raises(ValueError, match="fit into"):
                skpool.pool(on_device(image), reduction=name, **required(name), **keywords | without(keywords, "mask"))
            continue
        masks = {"mask": on_device(keywords.pop("mask"))} if "mask" in keywords else {}
        same_bits(skpool.pool(on_device(image), reduction=name, **required(name), **keywords, **masks), expected)


def without(keywords, name):
    return {name: on_device(keywords[name])} if name in keywords else {}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in COVERED if REDUCTIONS[name].indices])
def test_indices(name, dtype, cupy):
    for number, (image, keywords) in enumerate(cases(name, dtype, 8)):
        cupy.log.backwards = number % 2 == 1
        if math.prod(keywords.get("window_shape", (1,))) == 0 or not fits(image, keywords):
            continue
        same(skpool.pool, image, reduction=name, return_indices=True, **keywords)


def fits(image, keywords):
    try:
        skpool.pool(image, **keywords)
    except ValueError:
        return False
    return True


RESULTS = ("uint8", "int16", "int64", "uint64", "float16", "float32", "float64", "bool")


@pytest.mark.parametrize("image_dtype", ["uint8", "int64", "float16", "float64"])
@pytest.mark.parametrize("name", ["max", "avg", "sum", "range", "std", *SORTED[:1]])
def test_results_of_another_type_are_rounded_once_and_saturate(name, image_dtype):
    image = image_of(generator(name), (6, 8), image_dtype)
    for dtype in RESULTS:
        with np.errstate(all="ignore"):
            same(skpool.pool, image, (2, 3), name, dtype=dtype, fill_value=1, **required(name))


@pytest.mark.parametrize("divisor", [4.0, -3.0, 0.1])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_divisors(dtype, divisor):
    same(skpool.avg_pool, image_of(generator(dtype), (6, 8), dtype), 2, divisor=divisor)


PARAMETERS = (
    *[("lp", {"p": p}) for p in (0.5, 1, 2, 2.5, 3, 4, 10, math.inf)],
    *[("power_mean", {"p": p}) for p in (1, 2, 3, math.inf)],
    *[("gem", {"p": p, "eps": eps}) for p, eps in ((1.5, 1e-6), (3, 2.0))],
    *[("logsumexp", {"sharpness": r}) for r in (-2, 0.1, 20)],
    *[("soft", {"temperature": t}) for t in (-1, 0.01, 50)],
    *[(name, {"ddof": ddof}) for name in ("var", "std") for ddof in (1, 0.5)],
)


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS)
def test_parameters(name, parameters):
    for dtype in ("uint8", "float64"):
        image = image_of(generator(name, dtype), (7, 9), dtype)
        with np.errstate(all="ignore"):
            same(skpool.pool, image, 3, name, stride=2, padding=1, **parameters)


@pytest.mark.parametrize(("name", "p"), [("lp", 2), ("power_mean", 3), ("gem", 7.5), ("lp", 100)])
def test_powers_beyond_the_range_of_float64(name, p):
    rng = generator(name, p)
    image = rng.normal(size=(12, 12)) * 10.0 ** rng.choice([-300, -160, 0, 160, 300], (12, 1))
    image[0, 0], image[4, 4], image[6:8, 6:8] = np.inf, np.nan, 0
    with np.errstate(all="ignore"):
        same(skpool.pool, image, 2, name, p=p)
        same(skpool.pool, image.repeat(3, 0).repeat(3, 1)[:, :33], 33, name, p=p)  # by parts


def test_averages_whose_float32_total_overflows():
    image = np.array([[3e38, 3e38, 1, 2], [3e38, 1e38, 3, 4], [np.inf, 0, -3e38, -3e38], [1, 2, -3e38, 0]], np.float32)
    with np.errstate(all="ignore"):
        same(skpool.avg_pool, image)
        same(skpool.avg_pool, image, 3, stride=1)


def test_subnormal_numbers_are_kept():
    tiny = np.float32(1e-45)
    image = np.arange(-8, 8, dtype=np.float32).reshape(4, 4) * tiny
    for name in ("max", "min", "avg", "sum", "range"):
        same(skpool.pool, image, 2, name)
    same(skpool.max_pool, np.arange(1, 17, dtype=np.uint16).reshape(4, 4).view(np.float16))


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


# ---------------------------------------------------------------- few outputs, large windows


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize("name", FOLDED)
def test_windows_in_parts(name, dtype, cupy):
    image = image_of(generator(name, dtype), (67, 99), dtype)
    with np.errstate(all="ignore"):
        same(skpool.global_pool, image, name)
        assert len(cupy.log.launches) == 2
        same(skpool.adaptive_pool, image, (1, 2), name, mask=generator(0).random((67, 99)) < 0.5)
        cupy.log.backwards = True
        same(skpool.pool, image, (40, 30), name, stride=(25, 20), padding=10, nan_policy="omit")


@pytest.mark.parametrize("name", ["max", "avg"])
@pytest.mark.parametrize("channel_axis", [0, 1, -1])
def test_windows_in_parts_with_channels(name, channel_axis):
    image = np.moveaxis(image_of(generator(name), (60, 41, 3), "float64"), -1, channel_axis)
    same(skpool.global_pool, image, name, channel_axis=channel_axis, nan_policy="omit")
    same(skpool.global_pool, image, name, keepdims=True, channel_axis=channel_axis)


def test_indices_of_windows_in_parts():
    image = np.zeros((70, 80), np.uint8)
    image[[40, 3, 60], [5, 70, 79]] = 9
    same(skpool.global_pool, image, "max", return_indices=True)
    same(skpool.pool, image[None], (1, 50, 40), "min", padding=((0, 0), (5, 5), (5, 5)), return_indices=True)


# ---------------------------------------------------------------- windows placed otherwise


@pytest.mark.parametrize("bins", ["overlap", "disjoint"])
@pytest.mark.parametrize("outputs", [3, (None, 4), (12, 20)])
@pytest.mark.parametrize("name", ["avg", "max", *SORTED[:1]])
def test_adaptive(name, outputs, bins):
    same(skpool.adaptive_pool, image_of(generator(name), (10, 13), "float32"), outputs, name, bins=bins)


@pytest.mark.parametrize("overlapping", [False, True])
def test_fractional(overlapping):
    image = image_of(generator("fractional"), (23, 31, 2), "float32")
    keywords = {"rng": 3, "overlapping": overlapping, "return_indices": True, "channel_axis": -1}
    same(skpool.fractional_max_pool, image, ratio=1.5, **keywords)


@pytest.mark.parametrize("rule", ["adaptive", "he2014"])
@pytest.mark.parametrize("weights", [None, "matching"])
def test_spatial_pyramids(rule, weights):
    image = image_of(generator(rule), (17, 14, 3), "float64")
    same(skpool.spatial_pyramid_pool, image, (1, 2, 4), "avg", rule=rule, weights=weights, channel_axis=-1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32"])
@pytest.mark.parametrize("reduction", ["avg", "max", "range", "sum", "count", "std"])
@pytest.mark.parametrize("recursive", [None, False])
def test_pyramids(reduction, dtype, recursive):
    image = image_of(generator(reduction, dtype), (37, 26), dtype)
    with np.errstate(all="ignore"):
        same(skpool.pool_pyramid, image, reduction=reduction, recursive=recursive)
        mask = generator(1).random(image.shape) < 0.6
        same(skpool.pool_pyramid, image, 3, reduction=reduction, recursive=recursive, mask=mask, min_count=2)


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


# ---------------------------------------------------------------- boxes


def boxes_of(rng, count, shape, whole=False):
    """Boxes in, around and outside an image; the last one is empty."""
    corners = rng.uniform(-0.3, 1.3, (count, 2, 2)) * shape
    corners[::3] = np.round(corners[::3])
    corners = np.sort(corners, axis=1)
    corners[-1] = corners[-1, :1]
    return np.round(corners.reshape(count, 4)).astype(int) if whole else corners.reshape(count, 4)


def images_with_boxes(*seed):
    """Images of some rows and columns with channels anywhere or none, boxes, and the channel axis."""
    rng = generator(*seed)
    for number in range(4):
        shape = tuple(rng.integers(1, 40, 2).tolist()) if number else (90, 70)
        axis = (None, -1, 0, 1)[number]
        image = image_of(rng, shape if axis is None else (*shape, 3), seed[-1])
        image = image if axis is None else np.moveaxis(image, -1, axis)
        yield list(LAYOUTS.values())[number](image), boxes_of(rng, 9, shape), axis, rng


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["max", "min", "avg", "sum", "range", "var", "std"])
def test_boxes_of_whole_pixels(reduction, dtype, cupy):
    for image, boxes, axis, rng in images_with_boxes(reduction, dtype):
        cupy.log.backwards = not cupy.log.backwards
        inclusive, bins = bool(rng.random() < 0.5), tuple(rng.integers(1, 8, 2).tolist())
        keywords = {"reduction": reduction, "inclusive": inclusive, "channel_axis": axis}
        with np.errstate(all="ignore"):
            same(skpool.roi_pool, image, boxes, bins, **keywords)
            same(skpool.roi_pool, image, boxes, 1, fill_value=1, **keywords)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parameters", [{}, {"reduction": "max"}, {"reduction": "max", "onnx_max": True}])
def test_boxes_of_samples(parameters, dtype, cupy):
    for image, boxes, axis, rng in images_with_boxes(str(parameters), dtype):
        cupy.log.backwards = not cupy.log.backwards
        for sampling_ratio in (0, 1, 3, 7):
            bins = tuple(rng.integers(1, 8, 2).tolist())
            keywords = {"sampling_ratio": sampling_ratio, "aligned": bool(rng.random() < 0.5), "channel_axis": axis}
            with np.errstate(all="ignore"):
                same(skpool.roi_align, image, boxes, bins, **keywords, **parameters)


@pytest.mark.parametrize("dtype", DTYPES)
def test_boxes_of_integrals(dtype, cupy):
    for image, boxes, axis, rng in images_with_boxes("integral", dtype):
        cupy.log.backwards = not cupy.log.backwards
        bins = tuple(rng.integers(1, 8, 2).tolist())
        with np.errstate(all="ignore"):
            same(skpool.precise_roi_pool, image, boxes, bins, aligned=bool(rng.random() < 0.5), channel_axis=axis)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channel_axis", [0, -1])
def test_bins_with_channels_of_their_own(channel_axis, dtype):
    rng = generator(channel_axis, dtype)
    image = np.moveaxis(image_of(rng, (21, 17, 18), dtype), -1, channel_axis)
    with np.errstate(all="ignore"):
        for layout in LAYOUTS.values():
            boxes = boxes_of(rng, 6, (21, 17), whole=True)
            same(skpool.position_sensitive_roi_pool, layout(image), boxes, (3, 2), channel_axis=channel_axis)


def test_boxes_may_lie_on_the_device_and_are_fetched_once(cupy):
    image, boxes = np.arange(48.0).reshape(6, 8), np.array([[0, 0, 4, 4], [1.5, 2, 5, 8]])
    device = on_device(image)
    cupy.log.clear()
    found = skpool.roi_align(device, on_device(boxes), 2)
    assert (cupy.log.waits, len(cupy.log.launches)) == (1, 2)
    same_bits(found, skpool.roi_align(image, boxes, 2))
    cupy.log.clear()
    skpool.roi_pool(device, boxes, 2)
    assert (cupy.log.waits, len(cupy.log.launches)) == (0, 1)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5, 4, 0)])
def test_boxes_without_pixels(shape, cupy):
    image = np.zeros(shape, np.float32)
    axis = -1 if len(shape) == 3 else None
    for function in (skpool.roi_pool, skpool.roi_align, skpool.precise_roi_pool):
        same(function, image, [[0, 0, 4, 4]], 2, channel_axis=axis)
        same(function, np.zeros((3, 3)), np.zeros((0, 4)), 2)
    assert not cupy.log.launches


# ---------------------------------------------------------------- labels


def labelled_images(*seed):
    """Images with channels anywhere or none, label images of several types, and the channel axis."""
    rng = generator(*seed)
    for number, kind in enumerate(("int32", "uint8", "int64", "uint64", "bool")):
        shape = ((40, 33), (7, 9, 5), (300,), (21, 22), (1, 1))[number]
        axis = (None, -1, 0, 1, None)[number]
        labels = rng.integers(0, 2 if kind == "bool" else 9, shape).astype(kind)
        if kind == "int64":
            labels[labels == 3] = 2**40  # far from all others
        if kind == "uint64":
            labels[labels == 3] = 2**63 + 5
        image = image_of(rng, shape if axis is None else (*shape, 3), seed[-1])
        yield image if axis is None else np.moveaxis(image, -1, axis), labels, axis, rng


#: Reductions whose results are the CPU's bit for bit, whatever the type.
EXACT = ("max", "min", "range", "count")


def close(found, expected, dtype):
    """The same but for rounding."""
    found = found.get()
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    few = 1e-12 if expected.dtype == np.float64 else 4 * 2.0**-23
    scale = np.nanmax(np.abs(np.where(np.isfinite(expected), expected, 0)), initial=0)
    np.testing.assert_allclose(found, expected, few, few * float(scale))


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", FOLDED)
def test_regions(reduction, dtype, cupy):
    for number, (image, labels, axis, rng) in enumerate(labelled_images(reduction, dtype)):
        cupy.log.backwards = not cupy.log.backwards
        if reduction not in EXACT and np.dtype(dtype).kind == "f":
            image = np.where(np.abs(image) < 1e4, image, np.dtype(dtype).type(3))
        keywords = {"channel_axis": axis, "min_count": int(rng.integers(1, 3)), "background": (0, None, 7)[number % 3]}
        keywords["nan_policy"] = ("propagate", "omit")[number % 2]
        if number % 2:
            keywords["labels"] = [5, 2**63 + 5, 0, 77, 2]
        mask = rng.random(labels.shape if number % 3 else image.shape) < 0.7 if number else None
        layouts = [LAYOUTS[name] for name in ("C", list(LAYOUTS)[number])]
        expected = skpool.region_pool(image, labels, reduction, mask=mask, **keywords)
        found = skpool.region_pool(
            on_device(layouts[1](image)), on_device(layouts[1](labels)), reduction, mask=on_device(mask), **keywords
        )
        integers = np.dtype(dtype).kind != "f" and reduction in ("sum", "avg")
        same_bits(found, expected) if reduction in EXACT or integers else close(found, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["max", "min"])
def test_indices_and_labels_of_regions(reduction, dtype, cupy):
    for image, labels, axis, _ in labelled_images(reduction, dtype):
        cupy.log.backwards = not cupy.log.backwards
        keywords = {"channel_axis": axis, "return_indices": True, "return_labels": True}
        expected = skpool.region_pool(image, labels, reduction, **keywords)
        found = skpool.region_pool(on_device(image), on_device(labels), reduction, **keywords)
        for one, other in zip(found, expected, strict=True):
            same_bits(one, other)


def test_regions_of_many_pixels():
    image = image_of(generator("large"), (300, 310), "float64")
    labels = (np.arange(300)[:, None] // 7 * (np.arange(310) > 5)).astype(np.uint16)
    image = np.where(np.isfinite(image), image, 0)
    for reduction in FOLDED:
        expected = skpool.region_pool(image, labels, reduction)
        found = skpool.region_pool(on_device(image), on_device(labels), reduction)
        same_bits(found, expected) if reduction in EXACT else close(found, expected, "float64")


def test_powers_of_regions_beyond_the_range_of_float64():
    image = np.outer([1e-300, 1e-200, 1e200, 3e300], np.ones(70))
    labels = np.repeat([[1], [2], [3], [4]], 70, axis=1)
    for name in ("lp", "power_mean", "gem"):
        close(
            skpool.region_pool(on_device(image), on_device(labels), name, p=3),
            skpool.region_pool(image, labels, name, p=3),
            "float64",
        )


def test_regions_of_another_type_and_nan():
    image, labels = np.array([[1.5, np.nan], [2.5, 300]], np.float32), np.array([[1, 1], [2, 3]])
    for dtype in ("uint8", "float64", "bool"):
        expected = skpool.region_pool(image, labels, "max", dtype=dtype, fill_value=1)
        same_bits(skpool.region_pool(on_device(image), on_device(labels), "max", dtype=dtype, fill_value=1), expected)
    with pytest.raises(ValueError, match="must not have NaN"):
        skpool.region_pool(on_device(image), on_device(labels), nan_policy="raise")
    skpool.region_pool(on_device(image), on_device(labels), labels=[2, 3], nan_policy="raise")


def test_no_regions():
    for shape in ((0, 4), (3, 4)):
        image, labels = np.ones(shape), np.zeros(shape, int)
        for keywords in ({}, {"labels": []}, {"labels": [4]}, {"return_labels": True}):
            expected = skpool.region_pool(image, labels, **keywords)
            found = skpool.region_pool(on_device(image), on_device(labels), **keywords)
            pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
            for one, other in pairs:
                same_bits(one, other)


def test_errors_of_regions():
    image, labels = on_device(np.ones((2, 3))), on_device(np.array([[-1, 0, 2], [2, 2, 2]]))
    with pytest.raises(ValueError, match=r"`label_image` must be >= 0 wherever it is not `background`, got -1"):
        skpool.region_pool(image, labels)
    assert skpool.region_pool(image, labels, background=-1).shape == (2,)
    with pytest.raises(ValueError, match=r"`label_image` must be >= 0 wherever it is not `background`, got -1"):
        skpool.region_unpool(on_device(np.ones(1)), labels, labels=[2])
    with pytest.raises(ValueError, match="`values` must have one row for each of 2 labels, got 1"):
        skpool.region_unpool(on_device(np.ones(1)), labels, background=-1)
    with pytest.raises(TypeError, match="`label_image` must be on the device of `image`, got ndarray"):
        skpool.region_pool(image, np.ones((2, 3), int))
    with pytest.raises(TypeError, match="`label_image` must be boolean or integer"):
        skpool.region_pool(image, image)
    with pytest.raises(
        NotImplementedError, match=r"skpool\.region_pool\(image\.get\(\), label_image\.get\(\), 'median'"
    ):
        skpool.region_pool(image, labels, "median")


@pytest.mark.parametrize("dtype", DTYPES)
def test_regions_are_painted(dtype, cupy):
    for _, labels, axis, rng in labelled_images("paint", dtype):
        for background, given in itertools.product((0, None, 5), (None, [5, 2**40, 1, 77])):
            cupy.log.backwards = not cupy.log.backwards
            count = len(skpool.region_pool(labels, labels, "count", background=background, labels=given))
            values = image_of(rng, (count,) if axis is None else (count, 2), dtype)
            keywords = {"background": background, "labels": given, "fill_value": 1}
            expected = skpool.region_unpool(values, labels, **keywords)
            same_bits(skpool.region_unpool(on_device(values), on_device(labels), **keywords), expected)


# ---------------------------------------------------------------- the way back


@pytest.mark.parametrize("indices_dtype", ["int8", "uint16", "int64", "uint64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_go_back_to_their_places(dtype, indices_dtype, cupy):
    rng = generator(dtype, indices_dtype)
    values = image_of(rng, (6, 7), dtype)
    indices = rng.integers(-1 if indices_dtype.startswith("i") else 0, 50, (6, 7)).astype(indices_dtype)
    for layout in LAYOUTS.values():  # several values have one index
        cupy.log.backwards = not cupy.log.backwards
        found = skpool.max_unpool(on_device(layout(values)), on_device(layout(indices)), (5, 10), fill_value=1)
        same_bits(found, skpool.max_unpool(values, indices, (5, 10), fill_value=1))
    image = image_of(rng, (9, 11), dtype)
    pooled = skpool.max_pool(image, 3, stride=2, return_indices=True)
    same_bits(skpool.max_unpool(*map(on_device, pooled), image.shape), skpool.max_unpool(*pooled, image.shape))


@pytest.mark.parametrize(("index", "shape"), [(-2, (3, 4)), (12, (3, 4)), (2**40, (3, 4)), (0, (0, 4))])
def test_indices_outside_are_told_after_one_wait(index, shape, cupy):
    values, indices = np.ones((2, 2)), np.array([[-1, -1], [index, -1]])
    with pytest.raises(ValueError, match="must be from -1") as on_cpu:
        skpool.max_unpool(values, indices, shape)
    with pytest.raises(ValueError, match="must be from -1") as on_gpu:
        skpool.max_unpool(on_device(values), on_device(indices), shape)
    assert str(on_gpu.value) == str(on_cpu.value)
    assert cupy.log.waits == 1


def test_errors_of_unpooling():
    values = np.ones((2, 2))
    with pytest.raises(TypeError, match="`indices` must be on the device of `values`, got ndarray"):
        skpool.max_unpool(on_device(values), np.zeros((2, 2), int), (4, 4))
    with pytest.raises(TypeError, match="`values` must be on the device of `indices`, got ndarray"):
        skpool.max_unpool(values, on_device(np.zeros((2, 2), int)), (4, 4))
    with pytest.raises(TypeError, match="must be integers, got dtype float64"):
        skpool.max_unpool(on_device(values), on_device(values), (4, 4))
    with pytest.raises(ValueError, match="must have the shape of `values`"):
        skpool.max_unpool(on_device(values), on_device(np.zeros(4, int)), (4, 4))
    with pytest.raises(ValueError, match="`output_shape` must be from 3 to 4"):
        skpool.avg_unpool(on_device(values), (5, 4), 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_values_are_spread_over_their_windows(dtype, ndim, cupy):
    rng = generator("spread", dtype, ndim)
    for number in range(8):
        shape = tuple(rng.integers(5, 12, ndim).tolist())
        channels = number % 2 == 1 and ndim > 1
        keywords = {name: value for name, value in geometry(rng, ndim - channels, 4).items() if name not in IMAGES}
        if channels:
            keywords["channel_axis"] = int(rng.integers(-ndim, ndim))
        try:
            values = image_of(rng, skpool.pooled_shape(shape, **keywords), dtype)
        except ValueError:
            continue
        cupy.log.backwards = number % 4 > 1
        result = {} if number % 3 else {"dtype": rng.choice(RESULTS).item()}
        layout = list(LAYOUTS.values())[number % len(LAYOUTS)]
        with np.errstate(all="ignore"):
            expected = skpool.avg_unpool(values, shape, **keywords, **result)
            same_bits(skpool.avg_unpool(on_device(layout(values)), shape, **keywords, **result), expected)


IMAGES = ("mode", "cval")  # what only concerns images


def test_nothing_to_unpool(cupy):
    empty = np.zeros((0, 3))
    same_bits(skpool.max_unpool(on_device(empty), on_device(empty.astype(int)), (2, 2)), np.zeros((2, 2)))
    same_bits(skpool.avg_unpool(on_device(empty), (0, 6), 2), np.zeros((0, 6)))
    cupy.log.clear()
    skpool.avg_unpool(on_device(np.ones((2, 3))), (4, 6), 2)
    assert (cupy.log.waits, len(cupy.log.launches)) == (0, 1)


# ---------------------------------------------------------------- arrays


def test_nothing_is_waited_for_but_nan(cupy):
    image = on_device(np.ones((40, 60), np.float32))
    skpool.max_pool(image)
    skpool.global_avg_pool(image)
    skpool.max_pool(image, nan_policy="omit", mask=on_device(np.ones((40, 60), bool)), return_indices=True)
    assert cupy.log.waits == 0
    skpool.max_pool(image, nan_policy="raise")
    assert cupy.log.waits == 1


def test_nan_raises_where_it_counts():
    image = np.ones((4, 6), np.float32)
    image[0, 5] = np.nan
    with pytest.raises(ValueError, match="must not have NaN"):
        skpool.avg_pool(on_device(image), nan_policy="raise")
    mask = ~np.isnan(image)
    same(skpool.avg_pool, image, mask=mask, nan_policy="raise")
    same(skpool.avg_pool, image, (2, 4), padding="valid", nan_policy="raise")  # no window looks there


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_layouts(layout, dtype):
    image = LAYOUTS[layout](image_of(generator(layout), (9, 11), dtype))
    same(skpool.max_pool, image, return_indices=True)
    same(skpool.avg_pool, image, 3, stride=2)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0,), (2, 0, 3)])
def test_empty_images(shape, cupy):
    for name in COVERED:
        same(skpool.pool, np.zeros(shape, np.float32), 2, name, **required(name))
    assert not cupy.log.launches


def test_windows_without_samples_have_the_fill_value():
    same(skpool.max_pool, np.zeros((1, 2), np.uint8), footprint=[[0, 0], [0, 1]], fill_value=7, return_indices=True)


def test_out(cupy):
    image = image_of(generator("out"), (8, 12), "float32")
    memory = on_device(np.zeros((8, 18), np.float16))
    out = memory[::2, ::3]
    assert skpool.avg_pool(on_device(image), out=out) is out
    same_bits(out, skpool.avg_pool(image, dtype=np.float16))
    assert not memory.get()[1::2].any()
    pair = on_device(np.zeros((4, 6), np.float32)), on_device(np.zeros((4, 6), np.int64))
    assert skpool.max_pool(on_device(image), out=pair, return_indices=True)[1] is pair[1]
    for one, other in zip(pair, skpool.max_pool(image, return_indices=True), strict=True):
        same_bits(one, other)
    out = on_device(np.zeros(3, np.float32))
    rgb = image.reshape(8, 4, 3)
    assert skpool.global_max_pool(on_device(rgb), channel_axis=-1, out=out) is out
    same_bits(out, skpool.global_max_pool(rgb, channel_axis=-1))


@pytest.mark.parametrize(
    ("error", "message", "keywords"),
    [
        (TypeError, "must be a CuPy array, got ndarray", lambda array: {"out": np.zeros((4, 6))}),
        (ValueError, "must have shape", lambda array: {"out": on_device(np.zeros((4, 5)))}),
        (ValueError, "must not share memory", lambda array: {"out": array[:4, :6]}),
        (TypeError, "must be on the device of the image", lambda array: {"mask": np.ones((8, 12), bool)}),
        (TypeError, "must be boolean", lambda array: {"mask": array}),
        (ValueError, "must have the shape of the image", lambda array: {"mask": on_device(np.ones((8, 1), bool))}),
        (ValueError, "must be None or an integer >= 1", lambda array: {"workers": 0}),
        (TypeError, "is not a parameter of reduction", lambda array: {"p": 2}),
    ],
)
def test_errors(error, message, keywords):
    array = on_device(np.ones((8, 12)))
    with pytest.raises(error, match=message):
        skpool.max_pool(array, **keywords(array))


def test_complex_images_are_refused():
    with pytest.raises(TypeError, match="boolean, integer or floating point"):
        skpool.max_pool(on_device(np.ones((4, 4), complex)))


def test_arrays_of_others_are_taken_by_their_interface(cupy):
    class Tensor:
        def __init__(self, array):
            self.array = array
            self.__cuda_array_interface__ = array.__cuda_array_interface__

    image = image_of(generator("interface"), (8, 12), "float32")
    tensor = Tensor(on_device(image))
    before = cupy.asarray
    try:
        cupy.asarray = lambda a: a.array if isinstance(a, Tensor) else before(a)
        same_bits(skpool.max_pool(tensor), skpool.max_pool(image))
    finally:
        cupy.asarray = before


def test_cupy_is_not_imported_for_other_arrays(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    skpool.max_pool(np.ones((4, 4)))
    skpool.max_pool([[1, 2], [3, 4]])


def test_rows_further_apart_than_32_bits_tell(cupy, monkeypatch):
    """Offsets in an image of more than 2**31 elements, of which only some can be looked at."""
    shape, stride = (6, 8), 2**31 + 64
    words = []
    monkeypatch.setattr(gpu, "launch_kernel", lambda *arguments: words.append(arguments))
    plan = pooling.plan_for(
        skpool.windows.Sliding, (2,), shape, np.dtype(np.uint8), "max", 0, "propagate", 1, None, None, None
    )
    block = gpu.words_of(plan, False, ((stride, 1), (), (stride, 1), ()))
    fields = dict(zip(gpu.AXIS, block[len(gpu.PLAN) : len(gpu.PLAN) + len(gpu.AXIS)].tolist(), strict=True))
    assert (fields["image"], fields["out"]) == (stride, stride)


# ---------------------------------------------------------------- what is not there


CALLS = {
    "weighted_avg_pool": lambda image: skpool.weighted_avg_pool(image, np.ones((2, 2)), image_weights=image),
    "block_reduce": lambda image: skpool.block_reduce(image),
    "downscale_local_mean": lambda image: skpool.downscale_local_mean(image, 2),
    "adaptive_pool": lambda image: skpool.adaptive_pool(image, 2, bins="area"),
    "global_pool": lambda image: skpool.global_pool(image, "top_k_avg", k=2),
    "global_pool with weights": lambda image: skpool.global_pool(image, weights=np.ones((8, 8))),
    "pool_pyramid": lambda image: skpool.pool_pyramid(image, reduction="mode", preserve_labels=True),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_there_names_the_call_on_the_cpu(name, cupy):
    image = on_device(np.ones((8, 8), np.int64))
    with pytest.raises(NotImplementedError, match=rf"on the CPU: skpool\.{name.split()[0]}\(.*\.get\(\)"):
        CALLS[name](image)
    assert cupy.log.waits == 0


def test_every_public_function_works_or_refuses():
    """No function is forgotten: each is tested above, or is in a family of the registry, or takes no image."""
    families = {f"{family}{name}_pool" for family in ("", "adaptive_", "global_") for name in REDUCTIONS}
    tested = {"pool", "adaptive_pool", "global_pool", "fractional_max_pool", "spatial_pyramid_pool", "pool_pyramid"}
    tested |= {"max_unpool", "avg_unpool", "roi_pool", "roi_align", "precise_roi_pool", "position_sensitive_roi_pool"}
    tested |= {"region_pool", "region_unpool", "strip_pool", "corner_pool", "weighted_avg_pool", "blur_pool"}
    no_image = {
        *("pooled_shape", "pooled_coords", "pyramid_transforms", "rmac_regions", "show_config"),
        *("patch_skimage", "unpatch_skimage", "patched"),
    }
    assert set(skpool.__all__) - families - tested - no_image <= {name.split()[0] for name in CALLS}


@pytest.mark.parametrize("family", ["{}_pool", "adaptive_{}_pool", "global_{}_pool"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_the_families_of_the_registry(name, family):
    function = getattr(skpool, family.format(name))
    image = np.random.default_rng(0).integers(0, 5, (4, 4)).astype(np.uint8)
    arguments = (2,) if family.startswith("adaptive") else ()
    if name in COVERED:
        same(function, image, *arguments, **required(name))
    else:
        with pytest.raises(NotImplementedError, match=rf"skpool\.{name}_pool\(image\.get\(\)"):
            function(on_device(image), *arguments, **required(name))


def test_all_combinations_of_types_have_kernels():
    """Every plan that can be made has an expression, and the same one on every call."""
    for name, dtype, out in itertools.product(FOLDED, DTYPES, RESULTS):
        plan = pooling.plan_for(
            skpool.windows.Sliding,
            (2,),
            (8, 8),
            np.dtype(dtype),
            name,
            0,
            "propagate",
            1,
            None,
            None,
            out,
            **required(name),
        )
        assert gpu.kernels_of(plan).names == gpu.kernels_of(plan).names != ()
