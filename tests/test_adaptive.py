"""Windows by number: adaptive and global pooling, pyramids of bins, fractional windows; and tall windows."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from plans import required

import skpool
from skpool import reference, windows
from skpool.backends import cpu
from skpool.plan import make_plan
from skpool.reductions import REDUCTIONS
from skpool.windows import Bins, Sliding, Tables

DTYPES = ("bool", "uint8", "int16", "int64", "uint64", "float16", "float32", "float64")
FLOATING = ("lp", "power_mean", "gem", "logsumexp", "soft", "var", "std")


def make_image(rng, shape, dtype, reduction="max"):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind == "f":
        image = rng.normal(size=shape).astype(dtype)
        image[rng.random(shape) < 0.02] = np.nan
        return image
    limits = np.iinfo(dtype)
    image = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return image % 7 if reduction in FLOATING else image


def assert_equals_twin(plan, image, mask=None, indices=False):
    """The slow twin's result, with the same bits for any number of threads."""
    expected = reference.run(plan, image, mask=mask, return_indices=indices)
    expected, expected_places = expected if indices else (expected, None)
    results = []
    for workers in (1, 2, 5):
        places = np.full(plan.shape, -7, np.int64) if indices else None
        results.append(cpu.run(plan, image, mask=mask, places=places, workers=workers))
        np.testing.assert_array_equal(results[-1], results[0])
        if indices:
            np.testing.assert_array_equal(places, expected_places)
    if plan.dtype.kind != "f" or plan.reduction.exact:
        np.testing.assert_array_equal(results[0], expected)
    else:
        tolerance = {"float64": 1e-12, "float32": 2e-6}[plan.dtype.name]
        np.testing.assert_allclose(results[0], expected, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- bins


def test_the_seed_example():
    image = np.arange(35).reshape(7, 5)
    np.testing.assert_array_equal(
        skpool.adaptive_avg_pool(image, 3), [[5.5, 7, 8.5], [15.5, 17, 18.5], [25.5, 27, 28.5]]
    )
    values, where = skpool.adaptive_max_pool(image, 3, return_indices=True)
    np.testing.assert_array_equal(values, [[11, 13, 14], [21, 23, 24], [31, 33, 34]])
    np.testing.assert_array_equal(image.ravel()[where], values)


@pytest.mark.parametrize(("length", "outputs"), [*itertools.product(range(1, 12), range(1, 14))])
def test_bins(length, outputs):
    overlapping = windows.adaptive(length, outputs)
    disjoint = windows.adaptive(length, outputs, "disjoint")
    for i in range(outputs):
        exact = Fraction(i * length, outputs), Fraction((i + 1) * length, outputs)
        assert overlapping.positions(i).tolist() == list(range(math.floor(exact[0]), math.ceil(exact[1])))
        assert disjoint.positions(i).tolist() == list(range(math.floor(exact[0]), math.floor(exact[1])))
    assert disjoint.taps.sum() == length
    assert overlapping.is_even or length % outputs


CASES = (
    ((7,), (3,)),
    ((9, 13), (4, 5)),
    ((5, 4), (7, 9)),
    ((6, 7, 3), (4, None, 2)),
    ((3, 40), (2, 27)),
    ((2, 30, 18), (2, 7, 5)),
    ((140, 3), (1, 2)),
    ((2, 300), (2, 2)),
)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_adaptive(dtype, reduction):
    rng = np.random.default_rng([DTYPES.index(dtype), list(REDUCTIONS).index(reduction)])
    for (shape, outputs), bins in zip(CASES, itertools.cycle(windows.BIN_ENDS), strict=False):
        image = make_image(rng, shape, dtype, reduction)
        channel_axis = rng.choice([None, 0, len(shape) - 1]) if len(shape) > 2 else None
        kept = outputs if channel_axis is None else tuple(o for i, o in enumerate(outputs) if i != channel_axis)
        plan = make_plan(
            shape, image.dtype, reduction, Bins(kept, bins), nan_policy=rng.choice(["propagate", "omit"]).item(),
            min_count=int(rng.integers(1, 3)), channel_axis=channel_axis, **required(reduction),
        )  # fmt: skip
        mask = rng.random(shape) < 0.7 if rng.random() < 0.5 else None
        assert_equals_twin(plan, image, mask, REDUCTIONS[reduction].indices and rng.random() < 0.5)


def test_bins_of_any_size_and_more_widths_than_are_pooled_together():
    rng = np.random.default_rng(0)
    for _ in range(20):
        shape = (int(rng.integers(1, 30)), int(rng.integers(1, 90)))
        tables = []
        for length in shape:
            start = np.sort(rng.integers(0, length + 1, 6))
            tables.append(windows.between(length, start, np.maximum(np.sort(rng.integers(0, length + 1, 6)), start)))
        image = make_image(rng, shape, "float32")
        for reduction in ("max", "avg", "var", "count"):
            plan = make_plan(shape, image.dtype, reduction, Tables(tuple(tables)), nan_policy="omit")
            assert_equals_twin(plan, image, rng.random(shape) < 0.8, REDUCTIONS[reduction].indices)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
def test_images_without_pixels(dtype, reduction):
    own = required(reduction)
    for shape, channel_axis in (((0, 5), None), ((5, 0), None), ((5, 0, 3), -1)):
        image, channels = np.zeros(shape, dtype), shape[2:]
        arguments = own | {"fill_value": 1, "channel_axis": channel_axis}
        pooled = skpool.adaptive_pool(image, (2, 3), reduction, **arguments)
        np.testing.assert_array_equal(pooled, np.ones((2, 3, *channels)))
        np.testing.assert_array_equal(skpool.global_pool(image, reduction, **arguments), np.ones(channels))
        pyramid = skpool.spatial_pyramid_pool(image, (1, 2), reduction, **arguments)
        np.testing.assert_array_equal(pyramid, np.ones(math.prod([5, *channels])))
        if REDUCTIONS[reduction].indices:
            _, indices = skpool.global_pool(image, reduction, return_indices=True, **arguments)
            np.testing.assert_array_equal(indices, np.full(channels, -1))


def slow_area(image, outputs):
    """Overlaps as exact fractions, one axis after the other."""

    def weights(length, count):
        size = Fraction(length, count)
        return np.array(
            [[float(max(min((i + 1) * size, s + 1) - max(i * size, s), 0) / size) for s in range(length)]
             for i in range(count)]
        )  # fmt: skip

    return weights(image.shape[0], outputs[0]) @ image @ weights(image.shape[1], outputs[1]).T


@pytest.mark.parametrize("outputs", [(3, 7), (5, 5), (1, 9), (7, 13), (10, 3)])
def test_areas(outputs):
    rng = np.random.default_rng(1)
    image, mask = rng.random((10, 9)), rng.random((10, 9)) < 0.7
    pooled = skpool.adaptive_pool(image, outputs, bins="area")
    np.testing.assert_allclose(pooled, slow_area(image, outputs), rtol=1e-13)
    with np.errstate(invalid="ignore"):
        expected = slow_area(np.where(mask, image, 0), outputs) / slow_area(mask.astype(float), outputs)
    masked = skpool.adaptive_pool(image, outputs, bins="area", mask=mask)
    np.testing.assert_allclose(masked, expected, rtol=1e-12)
    with_nan = np.where(mask, image, np.nan)
    np.testing.assert_array_equal(skpool.adaptive_pool(with_nan, outputs, bins="area", nan_policy="omit"), masked)
    as_bytes = skpool.adaptive_pool((255 * image).astype(np.uint8), outputs, bins="area", dtype=np.uint8)
    assert as_bytes.dtype == np.uint8


def test_areas_as_opencv_has_them():
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(2).random((300, 211), np.float32)
    for rows, columns in ((7, 7), (13, 100), (1, 211), (299, 50)):
        expected = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(skpool.adaptive_pool(image, (rows, columns), bins="area"), expected, atol=1e-6)


def test_adaptive_as_pytorch_has_it():
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(3).random((61, 47))
    tensor = torch.from_numpy(image)[None]
    for size in ((7, 7), (1, 1), (61, 5), (80, 50)):
        average = torch.nn.functional.adaptive_avg_pool2d(tensor, size)[0].numpy()
        np.testing.assert_allclose(skpool.adaptive_avg_pool(image, size), average, rtol=1e-12)
        values, where = torch.nn.functional.adaptive_max_pool2d(tensor, size, return_indices=True)
        pooled = skpool.adaptive_max_pool(image, size, return_indices=True)
        np.testing.assert_array_equal(pooled[0], values[0].numpy())
        np.testing.assert_array_equal(pooled[1], where[0].numpy())


# ---------------------------------------------------------------- the whole image


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "float64"])
def test_large_images_in_parts(dtype):
    """Few outputs of many rows: threads share the rows, and no bit depends on how."""
    rng = np.random.default_rng(4)
    image = make_image(rng, (1500, 5300), dtype)
    image[np.isnan(image)] = 0
    for outputs in (1, 3):
        for reduction in ("max", "avg", "sum"):
            keywords = {"dtype": np.float64} if reduction == "avg" else {}
            pooled = [skpool.adaptive_pool(image, outputs, reduction, workers=n, **keywords) for n in (1, 2, 3)]
            np.testing.assert_array_equal(pooled[0], pooled[1])
            np.testing.assert_array_equal(pooled[0], pooled[2])
            axes = [windows.adaptive(length, outputs) for length in image.shape]
            for i, j in np.ndindex(outputs, outputs):
                part = image[np.ix_(axes[0].positions(i), axes[1].positions(j))]
                expected = {"max": part.max(), "avg": part.mean(dtype=np.float64), "sum": part.sum()}[reduction]
                if image.dtype.kind == "f":
                    np.testing.assert_allclose(pooled[0][i, j], expected, rtol=1e-4, atol=1e-7)
                elif reduction != "avg" or dtype != "int64":
                    assert pooled[0][i, j] == expected


def test_float32_averages_are_accurate():
    image = np.random.default_rng(5).random((3000, 2000), np.float32) + np.float32(1000)
    exact = math.fsum(image.ravel().tolist()) / image.size
    assert abs(float(skpool.global_avg_pool(image)) - exact) <= 4 * 2.0**-23 * exact


def test_global_forms():
    rng = np.random.default_rng(6)
    photo = rng.integers(0, 256, (50, 60, 3), np.uint8)
    assert skpool.global_max_pool(photo) == photo.max()
    assert np.ndim(skpool.global_avg_pool(photo)) == 0
    np.testing.assert_allclose(skpool.global_avg_pool(photo, channel_axis=-1), photo.mean((0, 1)))
    assert skpool.global_pool(photo, "gem", channel_axis=2, keepdims=True).shape == (1, 1, 3)
    values, where = skpool.global_max_pool(photo, channel_axis=-1, return_indices=True)
    np.testing.assert_array_equal(photo.ravel()[where], values)
    out = np.empty(3)
    assert skpool.global_avg_pool(photo, channel_axis=-1, out=out) is out
    np.testing.assert_allclose(out, photo.mean((0, 1)))
    weights = rng.random((50, 60))
    expected = [np.average(photo[..., c], weights=weights) for c in range(3)]
    np.testing.assert_allclose(skpool.global_avg_pool(photo, weights=weights, channel_axis=-1), expected)
    top = np.sort(photo.reshape(-1, 3), axis=0)[-10:].mean(axis=0)
    np.testing.assert_allclose(skpool.global_pool(photo, "top_k_avg", k=10, channel_axis=-1), top)
    masked = np.ma.MaskedArray([1.0, 2.0, 9.0], [False, False, True])
    assert skpool.global_max_pool(masked) == 2


def test_nothing_to_pool():
    empty = np.zeros((0, 4))
    assert np.isnan(skpool.adaptive_avg_pool(empty, (2, 2))).all()
    assert np.isnan(skpool.adaptive_pool(empty, (2, 2), bins="area")).all()
    assert skpool.global_sum_pool(np.zeros((0,), int), fill_value=-1) == -1


# ---------------------------------------------------------------- tall windows share nodes


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_tall_windows(reduction):
    rng = np.random.default_rng(list(REDUCTIONS).index(reduction))
    for shape, dtype, mode in itertools.product(
        [(90, 3), (2, 70, 2)], ["uint8", "float32"], ["ignore", "constant", "wrap"]
    ):
        image = make_image(rng, shape, dtype, reduction)
        taps = int(rng.choice([31, 40, 63]))
        ahead = (1,) * (len(shape) - 2)
        before = int(rng.integers(0, 30))
        layout = Sliding(
            (*ahead, taps, 3), (*ahead, int(rng.integers(1, 3)), 1), ((0, 0),) * len(ahead) + ((before, 20), (1, 1)),
            mode=mode, ceil_mode=bool(rng.integers(2)),
        )  # fmt: skip
        nan_policy = rng.choice(["propagate", "omit"]).item()
        plan = make_plan(shape, image.dtype, reduction, layout, nan_policy=nan_policy, **required(reduction))
        mask = rng.random(shape) < 0.8 if rng.random() < 0.4 else None
        assert_equals_twin(plan, image, mask, REDUCTIONS[reduction].indices and rng.random() < 0.7)


# ---------------------------------------------------------------- pyramids of bins and fractional windows


def test_spatial_pyramids():
    photo = np.random.default_rng(7).random((20, 30, 3))
    features = skpool.spatial_pyramid_pool(photo, (1, (2, 3)), "avg", channel_axis=-1)
    assert features.shape == (7 * 3,)
    np.testing.assert_allclose(features[:3], photo.mean((0, 1)))
    np.testing.assert_allclose(features[3 * 3 : 3 * 4], photo[:10, 20:].mean((0, 1)))  # row 0, column 2
    matched = skpool.spatial_pyramid_pool(photo[..., 0], (1, 2, 4), "sum", weights="matching")
    plain = skpool.spatial_pyramid_pool(photo[..., 0], (1, 2, 4), "sum")
    np.testing.assert_allclose(matched / plain, [0.25] + [0.25] * 4 + [0.5] * 16)
    for length, level, bins in ((7, 4, 6), (10, 6, 9)):  # the paper's rule does not give as many as asked for
        assert skpool.spatial_pyramid_pool(np.arange(float(length)), (level,), rule="he2014").size == bins


@pytest.mark.parametrize("pseudo_random", [True, False])
@pytest.mark.parametrize("overlapping", [True, False])
def test_fractional(pseudo_random, overlapping):
    image = np.random.default_rng(8).random((25, 40))
    keywords = {"pseudo_random": pseudo_random, "overlapping": overlapping}
    values, where = skpool.fractional_max_pool(image, (18, 33), rng=5, return_indices=True, **keywords)
    assert values.shape == (18, 33)
    np.testing.assert_array_equal(image.ravel()[where], values)
    np.testing.assert_array_equal(skpool.fractional_max_pool(image, (18, 33), rng=5, **keywords), values)
    assert values.max() == image.max()  # windows cover the image
    ramp = skpool.fractional_max_pool(np.arange(25), 18, rng=1, **keywords)
    sizes = np.diff(ramp, prepend=-1 + overlapping)
    assert set(sizes[: -1 if overlapping else None]) <= {1, 2}
    assert skpool.fractional_max_pool(image, ratio=(1.5, 2), rng=0).shape == (16, 20)


# ---------------------------------------------------------------- errors

IMAGE = np.arange(20.0).reshape(4, 5)
WRONG = (
    (ValueError, "`output_shape` must be >= 1", lambda: skpool.adaptive_avg_pool(IMAGE, 0)),
    (ValueError, "one entry for each of the 2 spatial axes", lambda: skpool.adaptive_avg_pool(IMAGE, (1, 2, 3))),
    (TypeError, "`output_shape` must be an integer", lambda: skpool.adaptive_avg_pool(IMAGE, 2.0)),
    (TypeError, "`output_shape` must be an integer", lambda: skpool.adaptive_avg_pool(IMAGE, True)),
    (ValueError, "more than memory can address", lambda: skpool.adaptive_avg_pool(IMAGE, 2**31 - 1)),
    (ValueError, "`bins` must be one of", lambda: skpool.adaptive_avg_pool(IMAGE, 2, bins="even")),
    (TypeError, "`bins` must be one of", lambda: skpool.adaptive_avg_pool(IMAGE, 2, bins=3)),
    (ValueError, "`bins` 'area' goes with plain averages", lambda: skpool.adaptive_max_pool(IMAGE, 2, bins="area")),
    (TypeError, "`keepdims` must be True or False", lambda: skpool.global_avg_pool(IMAGE, keepdims=1)),
    (ValueError, "`weights` must be finite and >= 0", lambda: skpool.global_avg_pool(IMAGE, weights=-IMAGE)),
    (ValueError, "`weights` must have the shape", lambda: skpool.global_avg_pool(IMAGE, weights=IMAGE[0])),
    (ValueError, "`weights` goes with plain averages", lambda: skpool.global_pool(IMAGE, "max", weights=IMAGE)),
    (TypeError, "takes `k`", lambda: skpool.global_pool(IMAGE, "top_k_avg")),
    (ValueError, "`k` must be >= 1", lambda: skpool.global_pool(IMAGE, "top_k_avg", k=0)),
    (ValueError, "`out` must have shape", lambda: skpool.global_avg_pool(IMAGE, out=np.empty(3))),
    (TypeError, "`p` is not a parameter", lambda: skpool.global_avg_pool(IMAGE, p=3)),
    (ValueError, "`nan_policy` 'raise'", lambda: skpool.global_avg_pool(IMAGE * np.nan, nan_policy="raise")),
    (TypeError, "`levels` must be a sequence", lambda: skpool.spatial_pyramid_pool(IMAGE, 3)),
    (ValueError, "at least one level", lambda: skpool.spatial_pyramid_pool(IMAGE, ())),
    (ValueError, "at most as many bins", lambda: skpool.spatial_pyramid_pool(IMAGE, (9,), rule="he2014")),
    (ValueError, "one number for each", lambda: skpool.spatial_pyramid_pool(IMAGE, weights=(1, 2))),
    (ValueError, "one of `output_shape` and `ratio`", lambda: skpool.fractional_max_pool(IMAGE)),
    (ValueError, "`output_shape` must be at most", lambda: skpool.fractional_max_pool(IMAGE, 5)),
    (ValueError, "`ratio` must be finite and > 1", lambda: skpool.fractional_max_pool(IMAGE, ratio=1)),
    (TypeError, "`ratio` must be a real number", lambda: skpool.fractional_max_pool(IMAGE, ratio="2")),
)


@pytest.mark.parametrize(("error", "message", "call"), WRONG)
def test_errors(error, message, call):
    with pytest.raises(error, match=message.replace("(", r"\(")):
        call()
