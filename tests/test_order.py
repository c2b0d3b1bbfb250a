"""Order statistics and labels on windows of every size and way of sorting, against NumPy and SciPy."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import test_grid as grid
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import skpool
from skpool.backends import cpu
from skpool.backends.cpu import MOST_SAMPLES, MOST_TOGETHER
from skpool.reductions import VIRTUAL_INDEX

relaxed = settings(max_examples=100, deadline=None, derandomize=True, database=None)

#: Windows, strides and images: sorted by networks of rows, digit by digit, and one window at a time.
WINDOWS = {
    "2x2": ((2, 2), 2, (24, 37)),
    "3x3": ((3, 3), 1, (20, 35)),
    "2x2x2": ((2, 2, 2), 2, (8, 10, 37)),
    "5x5": ((5, 5), 2, (25, 41)),
    "3x3x3": ((3, 3, 3), 1, (6, 7, 35)),
    "127 samples": ((1, 127), (1, 40), (3, 400)),
    "the largest network": ((16, 16), 5, (40, 60)),
    "17x17": ((17, 17), 7, (50, 66)),
    "70x70": ((70, 70), 9, (90, 100)),
    "the most samples": ((128, 128), 3, (131, 130)),
    "129x129": ((129, 129), 2, (131, 132)),
}
DTYPES = ("bool", "uint8", "int8", "uint16", "int16", "int32", "uint64", "int64", "float16", "float32", "float64")


def test_windows_take_every_way():
    sizes = [math.prod(window) for window, _, _ in WINDOWS.values()]
    assert {127, MOST_TOGETHER, MOST_SAMPLES} <= {*sizes}
    assert sum(MOST_TOGETHER < size < MOST_SAMPLES for size in sizes) >= 2
    assert max(sizes) > MOST_SAMPLES


def fixture(name, dtype, values="everyday"):
    """An image, the arguments that make windows of it, and their samples along a last axis (float16 as float32:
    NumPy's sort of many float16 is wrong where AVX-512 does it)."""
    window, stride, shape = WINDOWS[name]
    image = grid.make_image(grid.generator(name, dtype, values), shape, dtype, values)
    view, axes = grid.window_view(image.astype(np.float32) if dtype == "float16" else image, window, stride)
    return (
        image,
        {"window_shape": window, "stride": stride, "ceil_mode": False},
        view.reshape(*view.shape[: -len(axes)], -1),
    )


def close(result, expected, terms=4):
    """Equal but for the last bit of the result's type, and a float64 rounding for each term of a sum."""
    error = np.finfo(result.dtype).eps + terms * 2.0**-53
    np.testing.assert_allclose(result, expected, rtol=error, atol=error * np.abs(expected).max(initial=1))


every_window = pytest.mark.parametrize("name", WINDOWS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


# ---------------------------------------------------------------- NumPy and SciPy


@every_dtype
@every_window
def test_median(name, dtype):
    for values in ("ties", "everyday"):
        image, arguments, samples = fixture(name, dtype, values)
        wide = samples.astype(np.uint8 if dtype == "bool" else samples.dtype)
        np.testing.assert_array_equal(skpool.median_pool(image, **arguments), np.median(wide, axis=-1))


def test_medians_of_the_largest_integers():
    """NumPy adds the middle two before it halves; whole numbers here do not overflow, and are rounded once."""
    for dtype in ("uint8", "int16", "uint64", "int64"):
        limits = np.iinfo(dtype)
        low, high = int(limits.min), int(limits.max)
        image = np.array([[high, high - 1, low, low + 1]], dtype)
        np.testing.assert_array_equal(skpool.median_pool(image, (1, 2)), [[high - 0.5, low + 0.5]])
        np.testing.assert_array_equal(skpool.median_pool(image, (1, 2), dtype=dtype), [[high - high % 2, low]])
        large = np.repeat(image, 200, axis=0)
        np.testing.assert_array_equal(skpool.median_pool(large, (200, 2), dtype=dtype), [[high - high % 2, low]])


@pytest.mark.parametrize("method", VIRTUAL_INDEX)
@every_window
def test_percentile(name, method):
    for dtype in ("uint8", "int32", "float32", "float64"):
        image, arguments, samples = fixture(name, dtype)
        for q in (0, 1, 25, 50, 62.5, 100 / 3, 99, 100):
            result = skpool.percentile_pool(image, q=q, method=method, **arguments)
            wide = samples.astype(np.float64)
            expected = np.percentile(wide, q, axis=-1, method=method)
            if result.dtype == image.dtype and image.dtype.kind in "iu":
                np.testing.assert_array_equal(result, expected)
            else:
                close(result, expected)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("dtype", ["uint64", "int64"])
def test_samples_that_are_chosen_keep_64_bits(name, dtype):
    image, arguments, samples = fixture(name, dtype)
    offset = image.dtype.type(2**62 + 1)
    image, samples = image // 2 + offset, samples // 2 + offset
    lower = np.sort(samples, axis=-1)[..., (samples.shape[-1] - 1) // 2]
    np.testing.assert_array_equal(skpool.percentile_pool(image, q=50, method="lower", **arguments), lower)
    upper = np.sort(samples, axis=-1)[..., samples.shape[-1] // 2]
    whole = lower + (upper - lower) // 2
    whole += ((upper - lower) % 2 == 1) & (whole % 2 == 1)  # half to even
    np.testing.assert_array_equal(skpool.median_pool(image, **arguments, dtype=dtype), whole)


@pytest.mark.parametrize("method", VIRTUAL_INDEX)
def test_percentiles_of_every_number_of_samples(method):
    """Where a method goes from one sample to the next: of up to 40 samples, at each n-th part of a hundred."""
    rng = np.random.default_rng(3)
    for count in (*range(1, 13), 20, 33, 40):
        image = rng.permutation(count) ** 2
        for part in range(count + 1):
            for q in (100 * part / count, 100 * part / max(count - 1, part, 1)):
                result = skpool.percentile_pool(image, count, q=q, method=method)
                np.testing.assert_allclose(result, [np.percentile(image, q, method=method)], rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("method", VIRTUAL_INDEX)
def test_percentiles_of_masked_windows(method):
    """As many ranks as samples that count."""
    rng = np.random.default_rng(4)
    for window in ((5, 5), (20, 20)):
        image, mask = rng.normal(size=window), rng.random(window) < 0.6
        for q in (0, 30, 50, 90, 100):
            result = skpool.percentile_pool(image, window, q=q, method=method, mask=mask)
            close(result.ravel(), np.percentile(image[mask], q, method=method))
            hollow = np.where(mask, image, np.nan)
            omitted = skpool.percentile_pool(hollow, window, q=q, method=method, nan_policy="omit")
            np.testing.assert_array_equal(omitted, result)


@every_dtype
@every_window
def test_trimmed_mean(name, dtype):
    image, arguments, samples = fixture(name, dtype)
    for proportion in (0, 0.05, 0.1, 0.25, 0.4, 0.49):
        result = skpool.trimmed_mean_pool(image, proportion=proportion, **arguments)
        close(result, stats.trim_mean(samples.astype(np.float64), proportion, axis=-1), samples.shape[-1])


@every_dtype
@every_window
def test_rank(name, dtype):
    image, arguments, samples = fixture(name, dtype)
    ordered = np.sort(samples.astype(np.float64), axis=-1)[..., ::-1]
    count = ordered.shape[-1]
    for top in (None, 1, 3, count, count + 5):
        taken = -(-count // 2) if top is None else min(top, count)
        close(skpool.rank_pool(image, top=top, **arguments), ordered[..., :taken].mean(-1), count)
        weighed = skpool.rank_pool(image, rule="weighted", top=top, decay=0.3, **arguments)
        weights = 0.3 * 0.7 ** np.arange(count if top is None else taken)
        close(weighed, ordered[..., : len(weights)] @ weights, count)


@every_dtype
@every_window
def test_labels(name, dtype):
    """Numbers of values, their entropy, and the most frequent, by runs of equal sorted samples."""
    for values in ("ties", "everyday"):
        image, arguments, samples = fixture(name, dtype, values)
        shape, lines = samples.shape[:-1], samples.reshape(-1, samples.shape[-1])
        counted = [np.unique(line, return_counts=True) for line in lines]
        expected = np.array([len(found) for found, _ in counted]).reshape(shape)
        np.testing.assert_array_equal(skpool.nunique_pool(image, **arguments), expected)
        entropy = np.array([stats.entropy(counts, base=2) for _, counts in counted]).reshape(shape)
        result = skpool.entropy_pool(image, **arguments)
        np.testing.assert_allclose(result, entropy, rtol=1e-6 if result.itemsize == 4 else 1e-12, atol=1e-12)
        smallest = np.array([found[counts.argmax()] for found, counts in counted]).reshape(shape)
        largest = np.array([found[::-1][counts[::-1].argmax()] for found, counts in counted]).reshape(shape)
        np.testing.assert_array_equal(skpool.mode_pool(image, **arguments), smallest)
        np.testing.assert_array_equal(skpool.mode_pool(image, ties="largest", **arguments), largest)


# ---------------------------------------------------------------- ties and background


def slow_mode(samples, distances, ties, background=None):
    """The most frequent of samples in row-major order; of several, as the rule says."""
    counts = Counter(samples)
    if background is not None and len(counts) > 1:
        counts.pop(background, None)
    most = max(counts.values())
    tied = [value for value, count in counts.items() if count == most]
    if ties in ("smallest", "largest"):
        return (min if ties == "smallest" else max)(tied)
    order = range(len(samples)) if ties == "first" else np.argsort(distances, kind="stable")
    return next(samples[place] for place in order if samples[place] in tied)


TIES = ("smallest", "largest", "first", "center")


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint64", "float32"])
@pytest.mark.parametrize("window", [(2, 2), (3, 3), (1, 4), (5, 4), (2, 3, 2), (9, 9), (17, 16)])
def test_tie_rules(window, dtype, ties):
    rng = grid.generator(window, dtype)
    shape = tuple(2 * length + 1 for length in window)
    for values, background in itertools.product((2, 4, 30), (None, 0, 1)):
        image = rng.integers(0, values, shape).astype(dtype)
        mask = rng.random(shape) < 0.8
        for own in (None, mask):
            result = skpool.mode_pool(image, window, ties=ties, background=background, mask=own)
            for output in np.ndindex(*result.shape):  # the last ones are clipped, their centres are not
                start = [o * length for o, length in zip(output, window, strict=True)]
                cut = tuple(slice(first, first + length) for first, length in zip(start, window, strict=True))
                places = np.indices(image[cut].shape)
                counted = np.ones(image[cut].shape, bool) if own is None else own[cut]
                middle = (np.array(window) - 1)[(slice(None),) + (np.newaxis,) * len(window)]
                distances = ((2 * places - middle) ** 2).sum(0)[counted]
                samples = image[cut][counted].tolist()
                nothing = np.nan if dtype == "float32" else 0
                expected = slow_mode(samples, distances, ties, background) if samples else nothing
                np.testing.assert_array_equal(result[output], expected)


def test_ties_by_example():
    image = np.array([[3, 1, 2], [2, 9, 1], [3, 8, 7]])
    results = {ties: skpool.mode_pool(image, 3, ties=ties).item() for ties in TIES}
    assert results == {"smallest": 1, "largest": 3, "first": 3, "center": 1}
    image = np.array([[5, 4], [4, 5]])
    results = {ties: skpool.mode_pool(image, 2, ties=ties).item() for ties in TIES}
    assert results == {"smallest": 4, "largest": 5, "first": 5, "center": 5}
    assert skpool.mode_pool([[0, 0], [0, 6]], 2, background=0).item() == 6
    assert skpool.mode_pool([[0, 0], [0, 0]], 2, background=0).item() == 0
    assert skpool.mode_pool([[0, 0], [0, 6]], 2, background=0, mask=[[True, True], [True, False]]).item() == 0


@pytest.mark.parametrize("ties", TIES)
@every_window
def test_labels_beyond_float64(name, ties):
    """uint64 labels that float64 cannot tell apart, negative int64 ones, and the type's own limits."""
    window, stride, shape = WINDOWS[name]
    rng = grid.generator(name, "labels")
    small = rng.integers(0, 3, shape)
    arguments = {"window_shape": window, "stride": stride, "ceil_mode": False, "ties": ties}
    expected = skpool.mode_pool(small, **arguments)
    for base, dtype in ((2**53, "uint64"), (2**64 - 3, "uint64"), (2**63 - 3, "int64"), (-(2**63), "int64")):
        image = small.astype(dtype) + np.array(base, dtype)
        for background in (None, base + 1):
            result = skpool.mode_pool(image, background=background, **arguments)
            assert result.dtype == np.dtype(dtype)
            twin = skpool.mode_pool(small, background=None if background is None else 1, **arguments)
            np.testing.assert_array_equal(result - np.array(base, dtype), twin.astype(dtype))
            assert background is not None or (twin == expected).all()
        counts = skpool.nunique_pool(image, window, stride=stride, ceil_mode=False)
        np.testing.assert_array_equal(counts, skpool.nunique_pool(small, window, stride=stride, ceil_mode=False))


@given(
    hnp.arrays(np.uint64, hnp.array_shapes(min_dims=1, max_dims=2, max_side=9), elements=st.integers(0, 4)),
    st.integers(1, 5),
    st.sampled_from(TIES),
)
@relaxed
def test_modes_are_as_frequent_as_any(image, window, ties):
    result = skpool.mode_pool(image, window, ties=ties)
    for output in np.ndindex(*result.shape):
        samples = image[tuple(slice(o * window, (o + 1) * window) for o in output)]
        assert (samples == result[output]).sum() == max(Counter(samples.ravel().tolist()).values())


# ---------------------------------------------------------------- NaN, infinities, zeros

FLOAT_REDUCTIONS = {
    "median": {},
    "percentile": {"q": 40},
    "trimmed_mean": {"proportion": 0.2},
    "rank": {},
    "mode": {},
    "nunique": {},
    "entropy": {},
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("reduction", FLOAT_REDUCTIONS)
@every_window
def test_nan(name, reduction, dtype):
    own = FLOAT_REDUCTIONS[reduction]
    image, arguments, samples = fixture(name, dtype, "ties")
    holes = grid.generator(name, "holes").random(image.shape) < 0.4 / samples.shape[-1]
    holes.flat[[0, -1]] = True
    image[holes] = -np.nan
    view, axes = grid.window_view(holes, arguments["window_shape"], arguments["stride"])
    has_nan, inside = view.any(axes), ~holes
    assert has_nan.any()
    propagated = skpool.pool(image, reduction=reduction, **own, **arguments)
    omitted = skpool.pool(image, reduction=reduction, nan_policy="omit", **own, **arguments)
    hidden = skpool.pool(np.nan_to_num(image), reduction=reduction, mask=inside, **own, **arguments)
    np.testing.assert_array_equal(omitted, hidden)
    if reduction in ("nunique", "entropy"):  # NaN is a value of its own
        instead = skpool.pool(np.where(holes, 77, image), reduction=reduction, **own, **arguments)
        np.testing.assert_array_equal(propagated, instead)
    else:
        np.testing.assert_array_equal(propagated, np.where(has_nan, np.nan, omitted))
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        skpool.pool(image, reduction=reduction, nan_policy="raise", **own, **arguments)
    nothing = skpool.pool(np.full_like(image, np.nan), reduction=reduction, nan_policy="omit", **own, **arguments)
    assert np.isnan(nothing).all() if nothing.dtype.kind == "f" else not nothing.any()


@pytest.mark.parametrize("ties", TIES)
def test_nan_and_zeros_among_labels(ties):
    nan = np.nan
    for repeat in (1, 10, 100):
        image = np.tile([[-0.0, 0.0], [1.0, 2.0]], (repeat, repeat))
        window = 2 * repeat
        assert skpool.mode_pool(image, window, ties=ties).item() == 0  # zeros of both signs are one label
        assert skpool.nunique_pool(image, window).item() == 3
        image = np.tile([[nan, nan], [1.0, nan]], (repeat, repeat))
        assert np.isnan(skpool.mode_pool(image, window, ties=ties).item())
        assert skpool.mode_pool(image, window, ties=ties, nan_policy="omit").item() == 1
        assert skpool.nunique_pool(image, window).item() == 2
        assert np.isnan(skpool.mode_pool(image, window, ties=ties, background=1.0).item())


def test_infinities():
    for repeat in (1, 10, 80):
        image = np.tile([[np.inf, -np.inf], [np.inf, 0.0]], (repeat, repeat))
        window = 2 * repeat
        assert skpool.median_pool(image[:, ::2], (window, repeat)).item() == np.inf
        assert skpool.percentile_pool(image, window, q=0).item() == -np.inf
        assert skpool.percentile_pool(image, window, q=100).item() == np.inf
        assert skpool.mode_pool(image, window).item() == np.inf
        assert skpool.nunique_pool(image, window).item() == 3
        assert (
            skpool.trimmed_mean_pool(
                np.tile([[np.inf, 1.0], [2.0, 3.0]], (repeat, repeat)), window, proportion=0.25
            ).item()
            == 2.5
        )


# ---------------------------------------------------------------- large windows of few values, channels, threads


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("window", [(17, 17), (63, 63), (1, 300)])
def test_large_windows_of_narrow_integers(window, dtype):
    """The whole range of the type, each sample once or most of them equal, dense and strided."""
    limits, rng = np.iinfo(dtype), np.random.default_rng(5)
    shape = tuple(length + 6 for length in window)
    for image in (
        rng.integers(limits.min, limits.max, shape, dtype, endpoint=True),
        np.where(rng.random(shape) < 0.95, limits.max, limits.min).astype(dtype),
        np.arange(math.prod(shape)).astype(dtype).reshape(shape),
    ):
        view, axes = grid.window_view(image, window, 2)
        common = {"window_shape": window, "stride": 2, "ceil_mode": False}
        samples = view.reshape(*view.shape[: -len(axes)], -1)
        np.testing.assert_array_equal(skpool.median_pool(image, **common), np.median(samples.astype(np.int64), -1))
        for q, method in ((10, "lower"), (50, "higher"), (90, "nearest"), (33, "inverted_cdf")):
            result = skpool.percentile_pool(image, q=q, method=method, **common)
            assert result.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(result, np.percentile(samples, q, axis=-1, method=method))
        np.testing.assert_array_equal(skpool.mode_pool(image, **common), stats.mode(samples, axis=-1).mode)


@pytest.mark.parametrize("reduction", FLOAT_REDUCTIONS)
@every_window
def test_channels_layouts_and_workers(name, reduction):
    own = FLOAT_REDUCTIONS[reduction]
    window, stride, shape = WINDOWS[name]
    arguments = {"window_shape": window, "stride": stride, "reduction": reduction, **own}
    channels = [grid.make_image(grid.generator(name, i), shape, "int16", "everyday") for i in range(2)]
    alone = [skpool.pool(channel, workers=1, **arguments) for channel in channels]
    for axis in (0, 1, -1):
        stack = np.stack(channels, axis)
        pooled = skpool.pool(stack, channel_axis=axis, workers=3, **arguments)
        np.testing.assert_array_equal(pooled, np.stack(alone, axis))
    for layout in ("Fortran", "strided", "byte-swapped", "backwards"):
        np.testing.assert_array_equal(skpool.pool(grid.LAYOUTS[layout](channels[0]), **arguments), alone[0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "uint16", "int16"])
def test_histograms_give_what_networks_give(dtype, seed, monkeypatch):
    """Large windows of bytes and short integers in every geometry, by both ways of ranking samples."""
    rng = np.random.default_rng(seed)
    for _ in range(25):
        axes = int(rng.integers(1, 4))
        shape = rng.integers(1, (200, 60, 20)[axes - 1], axes)
        window = tuple(int(rng.integers(1, min(length + 1, 40))) for length in shape)
        channels = (int(rng.integers(1, 5)),) if rng.random() < 0.3 else ()
        highest = 2 if dtype == "bool" else int(rng.choice([3, 2 ** (8 * np.dtype(dtype).itemsize)]))
        image = rng.integers(0, highest, (*shape, *channels)).astype(dtype)
        arguments = {
            "q": float(rng.integers(0, 101)),
            "method": str(rng.choice(["linear", "lower", "nearest", "midpoint", "averaged_inverted_cdf"])),
            "stride": tuple(int(rng.integers(1, size + 2)) for size in window) if rng.random() < 0.5 else 1,
            "padding": [tuple(map(int, rng.integers(0, size, 2))) for size in window],
            "mode": str(rng.choice(["ignore", "constant", "edge", "wrap"])),
            "mask": rng.random(image.shape) < rng.choice([0.05, 0.9]) if rng.random() < 0.4 else None,
            "dtype": dtype if rng.random() < 0.3 and dtype != "bool" else None,
            "channel_axis": -1 if channels else None,
            "workers": int(rng.integers(1, 4)),
        }
        results = []
        for least in (2, 10**6):
            monkeypatch.setattr(cpu, "LEAST_IN_HISTOGRAM", {1: least, 2: least})
            cpu._program.cache_clear()
            results.append(skpool.percentile_pool(image, window, **arguments))
        np.testing.assert_array_equal(*results, err_msg=f"{image.shape} {window} {arguments}")
    monkeypatch.undo()
    cpu._program.cache_clear()


@pytest.mark.parametrize(("dtype", "window"), [("uint8", 3), ("uint8", 5), ("uint16", 5), ("float32", 3)])
def test_rows_of_any_length_have_room(dtype, window):
    """Rows are sorted in pieces, and those of windows at an edge with all their registers."""
    for width in range(2000, 9000, 97):
        image = np.random.default_rng(width).integers(0, 256, (4, width)).astype(dtype)
        pooled = skpool.median_pool(image, window, stride=1, padding="same", workers=1)
        half = width // 2
        left = skpool.median_pool(image[:, : half + window], window, stride=1, padding="same")[:, :half]
        right = skpool.median_pool(image[:, half - window :], window, stride=1, padding="same")[:, window:]
        np.testing.assert_array_equal(pooled, np.concatenate([left, right], axis=1))
