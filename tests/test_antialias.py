"""Weighted averages and binomial filters, against the slow twin, SciPy's correlations and NumPy."""

import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import test_grid as grid
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plans import sliding_plan
from scipy import ndimage

import skpool
from skpool import blur_pool, reference, weighted_avg_pool
from skpool.windows import PADDING_MODES, Taps

relaxed = settings(max_examples=100, deadline=None, derandomize=True, database=None)

#: Names that SciPy gives to what padding holds.
SCIPY_MODES = {"symmetric": "reflect", "reflect": "mirror", "edge": "nearest", "wrap": "wrap", "constant": "constant"}


def assert_averages(image, weights, *, mask=None, **arguments):
    """Hold a weighted average against the slow twin, by the error of the sums that it divides; return it."""
    weights = np.asarray(weights)
    plan = sliding_plan(image.shape, image.dtype, "avg", weights=weights, **arguments)
    before = image.tobytes()
    averages = weighted_avg_pool(image, weights, mask=mask, **arguments)
    assert image.tobytes() == before
    assert averages.dtype == plan.dtype
    if mask is not None and mask.shape != image.shape:
        mask = np.broadcast_to(np.expand_dims(mask, plan.channel_axis), image.shape)
    for output in np.ndindex(*plan.shape):
        samples, _, own = reference.counted_samples(plan, image, mask, output)
        value = reference.value_of(plan, samples, own)
        result, expected = averages[output], reference.converted(value, plan)
        if result == expected or (math.isnan(result) and math.isnan(expected)):
            continue
        assert math.isfinite(value), (output, result, expected)
        size = float(np.abs(own * samples.astype(np.float64)).sum() / abs(own.sum()))
        step = float(np.spacing(abs(expected))) / 2 if plan.dtype.kind == "f" else 0.5
        error = (len(own) + 8) * grid.EPS64 * size * max(1, np.abs(own).sum() / abs(own.sum()))
        assert abs(Fraction(float(result)) - Fraction(value)) <= step + error, (output, result, value)
    return averages


# ---------------------------------------------------------------- any weights


def outer(*vectors):
    return functools.reduce(np.multiply.outer, vectors)


def random_weights(rng, kind, shape):
    """Weights that do not add up to 0, and no part of them does but by chance of rounding."""
    if kind == "positive":
        return rng.random(shape) + 0.1
    if kind == "zeros among them":
        weights = np.where(rng.random(shape) < 0.5, 0, rng.random(shape) + 0.1)
        weights.flat[0] = 1
        return weights
    if kind == "negative":
        return -rng.random(shape) - 0.1
    if kind == "both signs":
        return np.where(rng.random(shape) < 0.3, -0.1, 1) * (rng.random(shape) + 0.5)
    if kind == "integers":
        return rng.integers(1, 9, shape)
    vectors = [rng.random(length) + 0.1 for length in shape]  # outer products, in whose products no bit is lost
    return outer(*[np.ceil(vector * 8) for vector in vectors])


KINDS = ("positive", "zeros among them", "negative", "both signs", "integers", "outer product")

FACTORS = {
    name: values
    for name, values in grid.FACTORS.items()
    if name not in ("return_indices", "out", "layout", "window_shape")
} | {"weights": KINDS, "layout": ("C", "Fortran", "byte-swapped", "read-only")}


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("part", range(4))
def test_grid(part, dtype):
    rng = grid.generator("weights", part, dtype)
    ran = 0
    for case in grid.latin_hypercube(rng, FACTORS, 12):
        case = dict(case)
        kind = case.pop("weights")
        image, arguments = grid.realised(
            case | {"window_shape": None, "return_indices": False, "dtype": None}, rng, "avg", dtype
        )
        for name in ("window_shape", "return_indices", "divisor"):
            arguments.pop(name, None)
        shape = rng.integers(1, 4, image.ndim - ("channel_axis" in arguments)).tolist()
        weights = random_weights(rng, kind, shape)
        if case["dtype"] is not None and case["dtype"] != "bool":
            arguments["dtype"] = case["dtype"]
        workers = arguments.pop("workers")
        try:
            first = assert_averages(image, weights, **arguments)
            ran += 1
        except (AssertionError, ValueError) as error:
            if "`window_shape` must fit" not in str(error):
                error.add_note(f"in case {case}, {kind}, {weights.tolist()}")
                raise
            continue
        again = weighted_avg_pool(image, weights, workers=workers, **arguments)
        assert grid.bits(again) == grid.bits(first)
    assert ran >= 6


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_scipy(kind, mode, dtype):
    """A correlation, and every stride-th of its pixels."""
    rng = grid.generator("scipy", kind)
    for ndim, dilation, stride in itertools.product((1, 2, 3), (1, 2), (1, 2)):
        image = rng.integers(0, 100, (13, 11, 9)[:ndim]).astype(dtype)
        weights = random_weights(rng, kind, (3, 5, 3)[:ndim])
        wide = np.zeros([(length - 1) * dilation + 1 for length in weights.shape])
        wide[(slice(None, None, dilation),) * ndim] = weights
        averages = weighted_avg_pool(
            image,
            weights,
            stride=stride,
            dilation=dilation,
            padding=[(length // 2, length // 2) for length in wide.shape],
            mode=mode,
            cval=7,
            ceil_mode=False,
        )
        sums = ndimage.correlate(image.astype(np.float64), wide, mode=SCIPY_MODES[mode], cval=7)
        expected = (sums / wide.sum())[(slice(None, None, stride),) * ndim]
        np.testing.assert_allclose(averages, expected, rtol=1e-6 if dtype == "float32" else 1e-11, atol=1e-9)


def test_equal_weights_are_an_average():
    rng = np.random.default_rng(2)
    for image in (rng.integers(0, 255, (14, 15), np.uint8), rng.random((14, 15)), rng.random((14, 15, 3), np.float32)):
        channel_axis = 2 if image.ndim == 3 else None
        for arguments in ({}, {"stride": 2, "padding": 1}, {"mask": rng.random((14, 15)) < 0.7, "min_count": 3}):
            common = {"channel_axis": channel_axis} | arguments
            averages = weighted_avg_pool(image, np.full((3, 4), 0.3), **common)
            np.testing.assert_allclose(averages, skpool.avg_pool(image, (3, 4), **common), rtol=1e-6)


def test_weights_that_are_0_do_not_count():
    """Not even against NaN, and not as a sample of `min_count`; weights of either sign do."""
    image = np.array([[1.0, np.nan], [3.0, np.inf]])
    np.testing.assert_array_equal(weighted_avg_pool(image, [[1, 0], [3, 0]]), [[2.5]])
    np.testing.assert_array_equal(weighted_avg_pool(image, [[1, 0], [3, 0]], nan_policy="raise"), [[2.5]])
    np.testing.assert_array_equal(weighted_avg_pool(image, [[1, 0], [-3, 0]]), [[4]])
    assert np.isnan(weighted_avg_pool(image, [[1, 0], [3, 0]], min_count=3)).all()
    assert np.isnan(weighted_avg_pool(image, [[0, 1], [0, 0]])).all()
    np.testing.assert_array_equal(weighted_avg_pool(image, [[1, 1], [0, 0]], nan_policy="omit"), [[1]])
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        weighted_avg_pool(image, [[1, 1], [0, 0]], nan_policy="raise")


def test_weights_of_clipped_windows_that_cancel():
    """Sums over 0, by whichever way the weights are applied."""
    image = np.array([[6.0, 1.0, 0.0, 7.0, 6.0]] * 2)
    for rows, more in itertools.product(([[1]], [[2]], [[1], [1]]), ({}, {"mask": np.ones((2, 5), bool)})):
        weights = np.asarray(rows) * [[1, -1, 2]]
        averages = weighted_avg_pool(image, weights, stride=(2, 3), **more)
        np.testing.assert_array_equal(averages, [[2.5, np.inf]])
        zeros = weighted_avg_pool(0 * image, weights, stride=(2, 3), **more)
        np.testing.assert_array_equal(zeros, [[0, np.nan]])
        assert_averages(image, weights, stride=(2, 3), **more)
    averages = weighted_avg_pool(image[:1].astype(np.int16), [[1, -1, 2]], dtype=np.int16)
    np.testing.assert_array_equal(averages, [[2, np.iinfo(np.int16).max]])


# ---------------------------------------------------------------- outer products: one axis after the other


@pytest.mark.parametrize(
    ("weights", "separable"),
    [
        (np.outer([1, 2, 1], [1, 3, 3, 1]), True),
        (np.outer([-1, 2, -3], [0.5, 4]), True),
        (np.outer([1, 0, 1], [0, 1, 2]), True),
        (np.ones((2, 3, 4)), True),
        (np.outer(*[np.exp(-(np.arange(-6, 7) ** 2) / 7.3)] * 2), True),
        (np.ones((1, 5)), False),
        (np.ones(5), False),
        (np.eye(3), False),
        (np.outer([1, 2, 1], [1, 2, 1]) + np.eye(3), False),
        (np.outer([1, -1, 2], [1, 2]), False),
        (np.outer([1, 2], [1, 1, 0, -2, 5]), False),
    ],
)
def test_which_weights_are_outer_products(weights, separable):
    vectors = Taps.of_weights(weights).vectors
    assert (vectors is not None) == separable
    if separable:
        product = outer(*vectors)
        np.testing.assert_allclose(product / product.sum(), weights / weights.sum(), rtol=2e-15)


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_outer_products_are_other_weights_computed_otherwise(mode, dtype):
    """A mask that hides nothing keeps weights from being taken apart."""
    rng = grid.generator("outer", mode, dtype)
    cases = [((9, 12), None), ((8, 7, 3), 2), ((3, 8, 9), 0), ((6, 5, 7), None)]
    for (shape, channel_axis), stride, dilation in itertools.product(cases, (1, 3), (1, 2)):
        image = grid.make_image(rng, shape, dtype, "everyday")
        ndim = len(shape) - (channel_axis is not None)
        weights = outer(*([1, 2, 1], [4, 0, -1], [1, 3])[:ndim])
        assert Taps.of_weights(weights).vectors is not None
        common = {"stride": stride, "dilation": dilation, "padding": 2, "mode": mode, "cval": 1}
        common |= {"channel_axis": channel_axis}
        apart = (
            assert_averages(image, weights, **common) if stride == 3 else weighted_avg_pool(image, weights, **common)
        )
        whole = weighted_avg_pool(image, weights, mask=np.ones(shape, bool), **common)
        assert apart.dtype == whole.dtype
        eps = np.finfo(whole.dtype).eps
        np.testing.assert_allclose(apart, whole, rtol=eps, atol=64 * grid.EPS64 * np.abs(image.astype(float)).max())


def test_few_and_empty_windows_of_outer_products():
    """Samples are counted where they have weight; padding that is ignored leaves windows without any."""
    image = np.random.default_rng(5).integers(0, 9, (9, 10)).astype(np.float32)
    weights = np.outer([0, 2, 0, 1], [1, 0, 3])
    for min_count, stride in itertools.product((1, 2, 3, 4, 5), (1, 2)):
        arguments = {"stride": stride, "padding": 5, "min_count": min_count, "fill_value": -7}
        averages = assert_averages(image, weights, **arguments)
        assert (averages == -7).any()
        whole = weighted_avg_pool(image, weights, mask=np.ones(image.shape, bool), **arguments)
        np.testing.assert_allclose(averages, whole, rtol=1e-6)


def test_between_axes_nothing_is_rounded_to_float32():
    image = np.random.default_rng(3).random((64, 64), np.float32)
    averages = blur_pool(image, 5)
    exact = blur_pool(image.astype(np.float64), 5)
    assert averages.dtype == np.float32
    assert (np.abs(averages - exact) <= np.spacing(averages) * 0.5000001).all()


# ---------------------------------------------------------------- weights of pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"])
def test_image_weights(dtype, kind):
    """Normalised convolution: two correlations, divided."""
    rng = grid.generator("image weights", kind, dtype)
    image = grid.make_image(rng, (13, 12), dtype, "everyday")
    weights = random_weights(rng, kind, (3, 5))
    pixels = np.where(rng.random(image.shape) < 0.3, 0, rng.random(image.shape) + 0.2)
    mask = rng.random(image.shape) < 0.8
    for own in (None, mask):
        averages = weighted_avg_pool(
            image, weights, stride=1, padding=(1, 2), image_weights=pixels, mask=own, ceil_mode=False
        )
        counted = pixels if own is None else pixels * own
        sums = ndimage.correlate(counted * image.astype(np.float64), weights, mode="constant", output=np.float64)
        divisors = ndimage.correlate(counted, weights, mode="constant", output=np.float64)
        counts = ndimage.correlate((counted > 0).astype(int), (weights != 0).astype(int), mode="constant")
        with np.errstate(all="ignore"):
            expected = np.where(counts > 0, sums / divisors, np.nan)
        conditioned = np.abs(divisors) > 1e-3
        assert conditioned.mean() > 0.8
        assert averages.dtype == (np.float32 if dtype in ("float16", "float32") else np.float64)
        np.testing.assert_allclose(
            averages[conditioned], expected[conditioned], rtol=1e-6 if averages.itemsize == 4 else 1e-9, atol=1e-9
        )
        np.testing.assert_array_equal(np.isnan(averages), counts == 0)


def test_image_weights_of_windows_whose_own_weights_cancel():
    """Where those of the counted samples add up to 0 only until they are multiplied by the pixels'."""
    image, pixels = np.array([[2.0, 5.0, 9.0]]), np.array([[3, 1, 0]])
    np.testing.assert_allclose(weighted_avg_pool(image, [[1, -1, 2]], image_weights=pixels), [[0.5]])
    mask = np.array([[True, True, False]])
    np.testing.assert_allclose(weighted_avg_pool(image, [[1, -1, 2]], image_weights=[[3, 1, 1]], mask=mask), [[0.5]])


def test_image_weights_of_channels_padding_and_few_samples():
    rng = np.random.default_rng(4)
    image, pixels = rng.random((8, 9, 3)), rng.random((8, 9))
    weights = rng.random((2, 3))
    common = {"stride": 2, "padding": 1, "mode": "edge"}
    averages = weighted_avg_pool(image, weights, image_weights=pixels, channel_axis=-1, **common)
    for channel in range(3):
        alone = weighted_avg_pool(image[..., channel], weights, image_weights=pixels, **common)
        np.testing.assert_array_equal(averages[..., channel], alone)
    stacked = weighted_avg_pool(
        image, weights, image_weights=np.repeat(pixels[..., np.newaxis], 3, 2), channel_axis=2, **common
    )
    np.testing.assert_array_equal(stacked, averages)
    # Padding of a constant has the weight 1.
    padded = weighted_avg_pool([4.0], [1, 1], padding=(1, 0)[:1], mode="constant", cval=1, image_weights=[3], stride=1)
    np.testing.assert_allclose(padded, [13 / 4, 13 / 4])
    few = weighted_avg_pool([[1, 2, 3]], [[1, 1, 1]], image_weights=[[1, 0, 1]], min_count=3, fill_value=-7)
    np.testing.assert_array_equal(few, [[-7]])
    whole = weighted_avg_pool([[1, 2, 3]], [[1, 1, 1]], image_weights=[[1, 0, 2]], dtype=np.uint8)
    assert (whole.dtype, whole.item()) == (np.uint8, 2)
    out = np.zeros((1, 1))
    assert weighted_avg_pool([[1, 2, 3]], [[1, 1, 1]], image_weights=[[1, 0, 1]], out=out) is out
    assert out.item() == 2


def test_image_weights_and_nan():
    image = np.array([[1.0, np.nan, 4.0]])
    weigh = [[1, 1, 1]]
    assert np.isnan(weighted_avg_pool(image, weigh, image_weights=[[1, 1, 2]])).all()
    np.testing.assert_array_equal(weighted_avg_pool(image, weigh, image_weights=[[1, 0, 2]]), [[3]])
    np.testing.assert_array_equal(weighted_avg_pool(image, weigh, image_weights=[[1, 1, 2]], nan_policy="omit"), [[3]])
    masked = np.ma.MaskedArray(image, np.isnan(image))
    averages = weighted_avg_pool(masked, weigh, image_weights=[[1, 1, 2]])
    assert type(averages) is np.ma.MaskedArray
    np.testing.assert_array_equal(averages.data, [[3]])
    assert not averages.mask.any()
    assert weighted_avg_pool(masked, weigh, image_weights=[[1, 1, 2]], min_count=3).mask.all()
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        weighted_avg_pool(image, weigh, image_weights=[[1, 1, 2]], nan_policy="raise")


def test_masked_arrays_give_masked_averages():
    image = np.ma.MaskedArray(np.arange(16.0).reshape(4, 4), False)
    image[:2, :2] = np.ma.masked
    averages = weighted_avg_pool(image, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(averages.mask, [[True, False], [False, False]])
    plain = weighted_avg_pool(image.data, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(averages.compressed(), plain.ravel()[1:])


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=7), elements=st.integers(-99, 99)),
    st.data(),
)
@relaxed
def test_averages_lie_between_the_extremes(image, draw):
    """With weights above 0; and they keep a constant, and follow scales and shifts of the image."""
    shape = draw.draw(st.tuples(*[st.integers(1, 3)] * image.ndim))
    weights = draw.draw(hnp.arrays(np.float64, shape, elements=st.integers(1, 5)))
    arguments = {"stride": draw.draw(st.integers(1, 3)), "padding": 1, "mode": "edge"}
    averages = weighted_avg_pool(image, weights, **arguments)
    slack = 1e-12 * (1 + np.abs(image).max())
    assert (averages <= skpool.max_pool(image, shape, **arguments) + slack).all()
    assert (averages >= skpool.min_pool(image, shape, **arguments) - slack).all()
    moved = weighted_avg_pool(2 * image + 3, 5 * weights, **arguments)
    np.testing.assert_allclose(moved, 2 * averages + 3, rtol=1e-12, atol=1e-12)


def test_weights_written_into_later():
    weights = np.array([[1.0, 1.0], [1.0, 1.0]])
    image = np.array([[1.0, 2.0], [3.0, 6.0]])
    assert weighted_avg_pool(image, weights).item() == 3
    weights[...] = [[0, 0], [0, 1]]
    assert weighted_avg_pool(image, weights).item() == 6


# ---------------------------------------------------------------- binomial filters


def binomial(size):
    """Pascal's triangle by repeated sums."""
    row = np.array([1.0])
    for _ in range(size - 1):
        row = np.convolve(row, [1, 1])
    return row / row.sum()


def slow_blur(image, size, stride, mode, cval=0):
    """Padding as NumPy has it, one axis after the other, then every stride-th sample."""
    blurred = image.astype(np.float64)
    for axis in range(image.ndim):
        width = [(0, 0)] * image.ndim
        width[axis] = ((size - 1) // 2, size // 2)
        padded = np.pad(blurred, width, mode, **({"constant_values": cval} if mode == "constant" else {}))
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis)
        blurred = windows @ binomial(size)
    return blurred[(slice(None, None, stride),) * image.ndim]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("mode", [mode for mode in PADDING_MODES if mode != "ignore"])
@pytest.mark.parametrize("size", range(1, 8))
def test_blur(size, mode, dtype):
    rng = np.random.default_rng(5)
    for shape, stride in itertools.product([(17,), (12, 13), (9, 8, 10)], (1, 2, 3)):
        image = rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
        blurred = blur_pool(image, size, stride=stride, mode=mode, cval=1)
        np.testing.assert_allclose(
            blurred, slow_blur(image, size, stride, mode, 1), rtol=1e-6 if blurred.itemsize == 4 else 1e-12
        )
    assert blur_pool(image).shape == tuple(-(-length // 2) for length in shape)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_blur_of_scipy(mode, size):
    image = np.random.default_rng(6).random((15, 20))
    rows = ndimage.correlate1d(image, binomial(size), 0, mode=SCIPY_MODES[mode])
    expected = ndimage.correlate1d(rows, binomial(size), 1, mode=SCIPY_MODES[mode])[::2, ::2]
    np.testing.assert_allclose(blur_pool(image, size, mode=mode), expected, rtol=1e-13)


@pytest.mark.parametrize("size", range(1, 8))
def test_padding_that_is_ignored(size):
    """What is inside the image is averaged: a constant stays one up to the border, and NaN stays where it was."""
    np.testing.assert_allclose(blur_pool(np.full((9, 10), 7.0), size, mode="ignore"), np.full((5, 5), 7), rtol=1e-15)
    image = np.random.default_rng(7).random((9, 10))
    weights = np.outer(binomial(size), binomial(size))
    sums = [
        slow_blur(np.where(np.isnan(pixels), 0, pixels), size, 2, "constant") for pixels in (image, np.ones_like(image))
    ]
    np.testing.assert_allclose(blur_pool(image, size, mode="ignore"), sums[0] / sums[1], rtol=1e-12)
    image[4, 4] = np.nan
    blurred = blur_pool(image, size, mode="ignore")
    centres = np.arange(0, 10, 2)
    near = (centres - (size - 1) // 2 <= 4) & (centres + size // 2 >= 4)
    np.testing.assert_array_equal(np.isnan(blurred), near[:5, np.newaxis] & near)
    assert weights.shape == (size, size)
    omitted = blur_pool(image, size, mode="ignore", nan_policy="omit")
    hidden = blur_pool(np.nan_to_num(image), size, mode="ignore", mask=~np.isnan(image))
    np.testing.assert_array_equal(omitted, hidden)


@pytest.mark.parametrize("max_window", [1, 2, 3, (2, 3)])
@pytest.mark.parametrize("size", range(1, 8))
def test_maxima_come_first(size, max_window):
    """MaxBlurPool: dense maxima, then the filter, then every second sample."""
    image = np.random.default_rng(8).random((12, 14))
    window = np.broadcast_to(max_window, 2)
    view = np.lib.stride_tricks.sliding_window_view(image, window).max((2, 3))
    expected = slow_blur(view, size, 2, "reflect")
    np.testing.assert_allclose(blur_pool(image, size, max_window=max_window), expected, rtol=1e-12)
    stack = np.stack([image, 1 - image], axis=0)
    channels = blur_pool(stack, size, max_window=max_window, channel_axis=0)
    np.testing.assert_array_equal(channels[0], blur_pool(image, size, max_window=max_window))
    np.testing.assert_array_equal(channels[1], blur_pool(1 - image, size, max_window=max_window))


def test_maxima_of_what_counts():
    image = np.arange(30.0).reshape(5, 6)
    image[2, 2] = np.nan
    mask = ~np.isnan(image)
    omitted = blur_pool(image, max_window=2, nan_policy="omit")
    assert np.isfinite(omitted).all()
    np.testing.assert_array_equal(omitted, blur_pool(np.nan_to_num(image), max_window=2, mask=mask))
    assert np.isnan(blur_pool(image, max_window=2)).any()
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        blur_pool(image, max_window=2, nan_policy="raise")
    masked = blur_pool(np.ma.MaskedArray(np.nan_to_num(image), ~mask), max_window=2)
    assert type(masked) is np.ma.MaskedArray
    np.testing.assert_array_equal(masked.data, omitted)
    nothing = blur_pool(np.ma.MaskedArray(image, True), 3, max_window=2)
    assert nothing.mask.all()


def test_blur_of_other_arguments():
    image = np.random.default_rng(9).integers(0, 255, (9, 10), np.uint8)
    exact = slow_blur(image, 3, 2, "reflect")
    whole = blur_pool(image, dtype=np.uint8)
    assert whole.dtype == np.uint8
    np.testing.assert_array_equal(whole, np.rint(exact))
    out = np.empty((5, 5), np.float32)
    assert blur_pool(image, out=out) is out
    np.testing.assert_array_equal(out, exact.astype(np.float32))
    np.testing.assert_allclose(blur_pool(image, stride=(1, 3)), slow_blur(image, 3, 1, "reflect")[:, ::3], rtol=1e-12)
    np.testing.assert_array_equal(blur_pool(image.tolist()), exact)
    few = blur_pool(image, mask=np.indices((9, 10)).sum(0) == 0, min_count=1, fill_value=-1)
    assert (few[0, 0], few[4, 4]) == (image[0, 0], -1)
    assert blur_pool(np.zeros((0, 4))).shape == (0, 2)


def test_blur_moves_less_than_subsampling():
    """What it is for: a shift of the image by one sample changes every second sample less."""
    image = np.random.default_rng(10).random((64, 64))
    shifted = np.roll(image, 1, axis=1)

    def change(pool):
        return np.abs(pool(image) - pool(shifted)).mean()

    assert change(blur_pool) < change(lambda image: blur_pool(image, 1)) / 2


# ---------------------------------------------------------------- errors

IMAGE = np.arange(24.0).reshape(4, 6)
ONES = np.ones((2, 2))


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"weights": [1, 1]}, ValueError, ["`weights`", "2 spatial axes", "(2,)"]),
        ({"weights": ONES, "channel_axis": 0}, ValueError, ["`weights`", "1 spatial axes", "(2, 2)"]),
        ({"weights": 3}, ValueError, ["`weights`", "2 spatial axes", "()"]),
        ({"weights": np.zeros((2, 2))}, ValueError, ["`weights`", "not all be 0"]),
        ({"weights": np.zeros((0, 2))}, ValueError, ["`weights`", "(0, 2)"]),
        ({"weights": [[1, -1]]}, ValueError, ["`weights`", "add up to 0"]),
        ({"weights": [[1, np.nan]]}, ValueError, ["`weights`", "finite", "nan"]),
        ({"weights": [[1, np.inf]]}, ValueError, ["`weights`", "finite", "inf"]),
        ({"weights": [[1, 1j]]}, TypeError, ["`weights`", "real", "complex128"]),
        ({"weights": [["a", "b"]]}, TypeError, ["`weights`", "real"]),
        ({"weights": None}, TypeError, ["`weights`", "real"]),
        ({"weights": np.ones((2, 2), np.longdouble)}, TypeError, ["`weights`", "64 bits"]),
        ({"weights": np.ones((5, 1)), "padding": "valid"}, ValueError, ["`window_shape` must fit", "5"]),
        ({"weights": ONES, "image_weights": -np.ones((4, 6))}, ValueError, ["`image_weights`", ">= 0"]),
        ({"weights": ONES, "image_weights": np.full((4, 6), np.nan)}, ValueError, ["`image_weights`", "finite"]),
        ({"weights": ONES, "image_weights": np.ones((4, 5))}, ValueError, ["`image_weights`", "(4, 6)", "(4, 5)"]),
        ({"weights": ONES, "image_weights": np.ones((4, 6), complex)}, TypeError, ["`image_weights`", "real"]),
        ({"weights": ONES, "mode": "mirror"}, ValueError, ["`mode`", "'mirror'"]),
        ({"weights": ONES, "stride": 0}, ValueError, ["`stride`", "0"]),
        ({"weights": ONES, "dilation": 1.5}, TypeError, ["`dilation`", "1.5"]),
        ({"weights": ONES, "min_count": 0}, ValueError, ["`min_count`", "0"]),
        ({"weights": ONES, "nan_policy": "drop"}, ValueError, ["`nan_policy`", "'drop'"]),
        ({"weights": ONES, "mask": np.ones((4, 6))}, TypeError, ["`mask`", "float64"]),
        ({"weights": ONES, "workers": 0}, ValueError, ["`workers`", "0"]),
        ({"weights": ONES, "dtype": "U3"}, TypeError, ["`dtype`"]),
        ({"weights": ONES, "out": np.zeros((2, 2))}, ValueError, ["`out`", "(2, 3)", "(2, 2)"]),
        ({"weights": ONES, "channel_axis": 2}, ValueError, ["`channel_axis`", "2"]),
        ({"weights": np.eye(2), "image": IMAGE.astype("u1"), "cval": 0.5}, ValueError, ["`cval`", "uint8", "0.5"]),
        ({"weights": ONES, "image": IMAGE.astype("u1"), "cval": 0.5}, ValueError, ["`cval`", "uint8", "0.5"]),
        ({"weights": ONES, "image": IMAGE.astype(complex)}, TypeError, ["`image`", "complex128"]),
    ],
    ids=str,
)
def test_bad_arguments_of_weighted_averages(arguments, error, parts):
    images = [{}] if "image_weights" in arguments else [{}, {"image_weights": np.ones((4, 6))}]
    for more in images:
        with pytest.raises(error) as caught:
            weighted_avg_pool(**{"image": IMAGE} | arguments | more)
        assert type(caught.value) is error
        for part in parts:
            assert part in str(caught.value)


def test_weights_stand_for_the_window():
    with pytest.raises(TypeError, match="window_shape"):
        weighted_avg_pool(IMAGE, ONES, window_shape=2)
    with pytest.raises(TypeError, match="footprint"):
        weighted_avg_pool(IMAGE, ONES, footprint=ONES.astype(bool))


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"size": 0}, ValueError, ["`size`", ">= 1", "0"]),
        ({"size": 8}, ValueError, ["`size`", "1 to 7", "8"]),
        ({"size": 2.0}, TypeError, ["`size`", "2.0"]),
        ({"size": (3, 3)}, TypeError, ["`size`", "(3, 3)"]),
        ({"size": True}, TypeError, ["`size`", "True"]),
        ({"stride": 0}, ValueError, ["`stride`", "0"]),
        ({"stride": (2, 2, 2)}, ValueError, ["`stride`", "2 spatial axes"]),
        ({"mode": "mirror"}, ValueError, ["`mode`", "'mirror'"]),
        ({"mode": None}, TypeError, ["`mode`"]),
        ({"max_window": 0}, ValueError, ["`window_shape`", "0"]),
        ({"max_window": 9}, ValueError, ["`window_shape` must fit", "9"]),
        ({"channel_axis": 5}, ValueError, ["`channel_axis`", "5"]),
        ({"min_count": 0}, ValueError, ["`min_count`", "0"]),
        ({"nan_policy": "drop"}, ValueError, ["`nan_policy`", "'drop'"]),
        ({"mask": np.ones((4, 5), bool)}, ValueError, ["`mask`", "(4, 5)"]),
        ({"image": IMAGE.astype(complex)}, TypeError, ["`image`", "complex128"]),
        ({"image": 3.0}, ValueError, ["`image`", "at least one axis"]),
        ({"image": np.ones(3), "channel_axis": 0}, ValueError, ["`image`", "spatial axis", "(3,)"]),
    ],
    ids=str,
)
def test_bad_arguments_of_blur(arguments, error, parts):
    with pytest.raises(error) as caught:
        blur_pool(**{"image": IMAGE} | arguments)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value)


def test_types_of_swapped_bytes():
    """float32 stays float32 in any byte order."""
    image = np.arange(36, dtype=">f4").reshape(6, 6)
    calls = (
        lambda image: skpool.weighted_avg_pool(image, np.outer([1, 2], [1, 3])),
        lambda image: skpool.weighted_avg_pool(image, [[1, 2], [3, 7]], image_weights=np.ones((6, 6))),
        skpool.blur_pool,
        lambda image: skpool.adaptive_pool(image, 4, bins="area"),
        lambda image: skpool.global_pool(image, weights=np.ones((6, 6)), keepdims=True),
        lambda image: skpool.global_pool(image, "top_k_avg", k=2, keepdims=True),
    )
    for call in calls:
        found, expected = call(image), call(image.astype("=f4"))
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("channel_axis", [None, 0, 1, -1])
def test_layouts_and_workers_change_nothing(mode, channel_axis):
    image = np.random.default_rng(3).normal(size=(23, 19, 4)).astype(np.float32)
    weights = np.multiply.outer([1, 3, 2.5], [1, 2, 1])
    arguments = {"stride": (2, 1), "padding": ((4, 3), (1, 2)), "mode": mode, "channel_axis": channel_axis}
    if channel_axis is None:
        weights = weights[..., None]
        arguments |= {"stride": (2, 1, 1), "padding": ((4, 3), (1, 2), (0, 0))}
    expected = weighted_avg_pool(image, weights, **arguments, workers=1)
    for view in (image, np.asfortranarray(image), np.repeat(image, 2, axis=1)[:, ::2], image.astype(">f4")):
        for out in (np.full_like(expected, -1), np.full_like(np.asfortranarray(expected), -1)):
            assert weighted_avg_pool(view, weights, out=out, **arguments, workers=3) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("result", [None, "float32", "same"])
def test_whole_weights_of_few_bits_are_exact(dtype, result):
    """In totals of 16 bits, of 24 and of 53: each holds the largest sums that it is chosen for."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    image = np.array([low, high], dtype)[np.random.default_rng(7).integers(0, 2, (10, 40))]
    image[:5, :9], image[5:, :9] = high, low
    result = {"same": dtype}.get(result, result)
    for vector in ([1, 2, 1], [1, 4, 6, 4, 1], [1, 6, 15, 20, 15, 6, 1], [1, 255], [3, -1, 200], [1, 2, 2**20]):
        weights = np.outer(vector, vector[::-1])
        arguments = {"padding": 2, "mode": "ignore", "dtype": result}
        assert_averages(image, weights, stride=2, **arguments)
        wide = weighted_avg_pool(image.astype(np.float64), weights, stride=1, **arguments)
        np.testing.assert_array_equal(weighted_avg_pool(image, weights, stride=1, **arguments), wide)


def test_out_is_checked_before_any_work():
    image, weights = np.ones((8, 8)), np.ones((3, 3))
    for out, message in ((np.ones((6, 5)), "shape"), (image[1:-1, 1:-1], "not share memory")):
        with pytest.raises(ValueError, match=f"`out` must .*{message}"):
            weighted_avg_pool(image, weights, stride=1, out=out)
    out = np.ones((6, 6), int)
    assert weighted_avg_pool(2 * image, weights, stride=1, out=out) is out
    assert (out == 2).all()
