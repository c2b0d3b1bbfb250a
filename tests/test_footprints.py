"""Footprints: every reduction over disks, crosses and rings, against the slow twin, SciPy's filters and NumPy."""

import itertools
import math

import numpy as np
import pytest
import test_grid as grid
from plans import required
from scipy import ndimage, stats

import skpool
from skpool.backends.order import ORDERS
from skpool.reductions import REDUCTIONS
from skpool.windows import PADDING_MODES

CASES_FOR_EACH = 8


# ---------------------------------------------------------------- footprints of any number of axes


def offsets(ndim, radius):
    """How far each sample of a cube lies from its centre, along each axis."""
    return np.indices((2 * radius + 1,) * ndim) - radius


def disk(ndim, radius=2):
    return (offsets(ndim, radius) ** 2).sum(0) <= radius**2


def cross(ndim, radius=1):
    return (offsets(ndim, radius) != 0).sum(0) <= 1


def ring(ndim, radius=2):
    return disk(ndim, radius) & ((offsets(ndim, radius) ** 2).sum(0) > (radius - 1) ** 2)


def diagonal(ndim):
    return (np.ptp(np.indices((3,) * ndim), axis=0) == 0).astype(np.uint8)


def one_corner(ndim):
    corner = np.zeros((2,) * ndim, bool)
    corner[(-1,) * ndim] = True
    return corner


def oblong(ndim):
    """Of even and odd lengths, with an empty row, symmetric in nothing."""
    shape = (3, 2, 4, 1)[:ndim]
    made = grid.generator("oblong", ndim).random(shape) < 0.6
    made[0] = True
    made[1] = False
    return made


FOOTPRINTS = {shape.__name__: shape for shape in (disk, cross, ring, diagonal, one_corner, oblong)}

FACTORS = {name: values for name, values in grid.FACTORS.items() if name != "window_shape"} | {
    "footprint": (*FOOTPRINTS, "all")
}


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_grid(reduction, dtype):
    rng = grid.generator("footprints", reduction, dtype)
    ran = 0
    for case in grid.latin_hypercube(rng, FACTORS, CASES_FOR_EACH):
        footprint = FOOTPRINTS.get(case["footprint"], lambda ndim: np.ones((2,) * ndim, bool))
        image, arguments = grid.realised(case | {"window_shape": None}, rng, reduction, dtype)
        del arguments["window_shape"]
        arguments["footprint"] = footprint(image.ndim - ("channel_axis" in arguments))
        try:
            grid.assert_pools(image, reduction, **arguments)
            ran += 1
        except (AssertionError, ValueError) as error:
            if "`window_shape` must fit" not in str(error):
                error.add_note(f"in case {case}")
                raise
    assert ran >= CASES_FOR_EACH // 2


#: Windows that are sorted by a network, digit by digit, and one by one.
RADII = {"network": 8, "digits": 10, "one by one": 73}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reduction", "size", "dtype"),
    [
        case
        for case in itertools.product(REDUCTIONS, RADII, ("uint8", "float32", "uint64"))
        if case[1] != "one by one" or (case[0] in ORDERS and case[2] == "float32")
    ],
)
def test_large_footprints(reduction, size, dtype):
    footprint = disk(2, RADII[size])
    rng = grid.generator(reduction, size, dtype)
    image = grid.make_image(rng, (2 * RADII[size] + 3, 2 * RADII[size] + 2), dtype, "everyday")
    mask = rng.random(image.shape) < 0.9
    for arguments in ({}, {"mask": mask, "stride": 2, "padding": 1, "mode": "reflect"}):
        grid.assert_pools(image, reduction, **{"footprint": footprint, "stride": 3} | arguments)


def test_images_that_end_before_the_first_tap():
    """Clipped windows that reach no sample of their footprint count nothing."""
    for reduction in REDUCTIONS:
        for arguments in ({}, {"fill_value": 1}, {"dtype": "float32"}, {"out": "byte-swapped"}):
            grid.assert_pools(np.arange(5)[:1], reduction, footprint=[0, 1], **arguments)
    values, indices = skpool.max_pool(np.ones((1, 6)), footprint=[[0, 0], [1, 1]], return_indices=True)
    np.testing.assert_array_equal(values, np.full((1, 3), np.nan))
    np.testing.assert_array_equal(indices, np.full((1, 3), -1))


# ---------------------------------------------------------------- SciPy: any function of the samples under a footprint

#: What each reduction is, with some parameters, by functions of others: ``(parameters, samples -> value)``.
PEERS = {
    "max": ({}, np.max),
    "min": ({}, np.min),
    "avg": ({}, np.mean),
    "sum": ({}, np.sum),
    "lp": ({"p": 3}, lambda samples: np.linalg.norm(samples, 3)),
    "power_mean": ({"p": 2}, lambda samples: np.sqrt(np.mean(samples**2))),
    "gem": ({"p": 3}, lambda samples: stats.pmean(np.maximum(samples, 1e-6), 3)),
    "logsumexp": ({}, lambda samples: np.log(np.mean(np.exp(samples)))),
    "soft": ({}, lambda samples: np.average(samples, weights=np.exp(samples))),
    "var": ({"ddof": 1}, lambda samples: np.var(samples, ddof=1)),
    "std": ({}, np.std),
    "range": ({}, np.ptp),
    "count": ({}, np.size),
    "median": ({}, np.median),
    "percentile": ({"q": 30, "method": "weibull"}, lambda samples: np.percentile(samples, 30, method="weibull")),
    "trimmed_mean": ({"proportion": 0.2}, lambda samples: stats.trim_mean(samples, 0.2)),
    "rank": ({"top": 3}, lambda samples: np.partition(samples, -3)[-3:].mean()),
    "mode": ({}, lambda samples: stats.mode(samples).mode),
    "nunique": ({}, lambda samples: np.unique(samples).size),
    "entropy": ({}, lambda samples: stats.entropy(np.unique(samples, return_counts=True)[1], base=2)),
}

#: Names that SciPy gives to what padding holds.
SCIPY_MODES = {"symmetric": "reflect", "reflect": "mirror", "edge": "nearest", "wrap": "wrap", "constant": "constant"}


def dilated(footprint, dilation):
    wide = np.zeros([(length - 1) * dilation + 1 for length in footprint.shape], bool)
    wide[(slice(None, None, dilation),) * footprint.ndim] = footprint
    return wide


def test_every_reduction_has_a_peer():
    assert PEERS.keys() == REDUCTIONS.keys()
    assert {"ignore", *SCIPY_MODES} == {*PADDING_MODES}


@pytest.mark.parametrize("dtype", ["int16", "float64"])
@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("reduction", PEERS)
def test_scipy(reduction, mode, dtype):
    parameters, function = PEERS[reduction]
    image = np.random.default_rng(3).integers(0, 9, (9, 11)).astype(dtype)
    lopsided = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 1]], bool)
    for footprint, dilation, stride in itertools.product((disk(2), ring(2), lopsided), (1, 2), (1, (2, 3))):
        pooled = skpool.pool(
            image,
            reduction=reduction,
            footprint=footprint,
            stride=stride,
            dilation=dilation,
            padding=dilation * (len(footprint) // 2),
            mode=mode,
            cval=4,
            ceil_mode=False,
            **parameters,
        )
        wide = dilated(footprint, dilation)
        filtered = ndimage.generic_filter(
            image.astype(np.float64), function, footprint=wide, mode=SCIPY_MODES[mode], cval=4
        )
        rows, columns = np.broadcast_to(stride, 2)
        np.testing.assert_allclose(pooled, filtered[::rows, ::columns], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("radius", [5, 8])
def test_footprints_of_few_runs(radius, dtype, stride):
    """Run by run or tap by tap: the latter where a mask, which hides nothing, may leave samples out."""
    image = np.random.default_rng(radius).integers(0, 99, (30, 3, 60)).astype(dtype)
    image = image * np.where(image % 2, 1, -1).astype(dtype) if dtype != "uint8" else image
    footprints = itertools.cycle((disk(2, radius), ring(2, radius), disk(2, radius)[:, ::3]))
    for footprint, mode in zip(footprints, PADDING_MODES, strict=False):
        arguments = {"footprint": footprint, "stride": stride, "padding": 3, "mode": mode, "channel_axis": 1}
        for reduction in ("max", "min", "range", "avg", "sum", "count"):
            pooled = skpool.pool(image, reduction=reduction, **arguments)
            expected = skpool.pool(image, reduction=reduction, mask=np.ones(image.shape, bool), **arguments)
            np.testing.assert_array_equal(pooled, expected)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", ["disk", "cross", "ring", "diagonal"])
def test_filters_of_scipy(name, ndim):
    """Ranks, extrema, correlations: over all of the image that is not near its edge, and near it."""
    footprint = FOOTPRINTS[name](ndim).astype(bool)
    taps, radius = int(footprint.sum()), len(footprint) // 2
    image = np.random.default_rng(4).integers(-50, 50, (13, 12, 11)[:ndim])
    common = {"footprint": footprint, "stride": 1, "padding": radius, "mode": "reflect"}
    theirs = {"footprint": footprint, "mode": "mirror"}
    assert_equal = np.testing.assert_array_equal
    assert_equal(skpool.max_pool(image, **common), ndimage.maximum_filter(image, **theirs))
    assert_equal(skpool.min_pool(image, **common), ndimage.minimum_filter(image, **theirs))
    assert_equal(skpool.sum_pool(image, **common), ndimage.correlate(image, footprint.astype(np.int64), mode="mirror"))
    for rank in range(taps):
        pooled = skpool.percentile_pool(image, q=100 * rank / max(taps - 1, 1), method="nearest", **common)
        assert_equal(pooled, ndimage.rank_filter(image, rank, **theirs))
    if taps % 2:
        assert_equal(skpool.median_pool(image, **common), ndimage.median_filter(image, **theirs))
    for percent in (0, 25, 60, 100):  # rank int(n percent / 100), the highest for 100
        exact = 100 * min(taps * percent // 100, taps - 1) / max(taps - 1, 1)
        pooled = skpool.percentile_pool(image, q=exact, method="nearest", **common)
        assert_equal(pooled, ndimage.percentile_filter(image, percent, **theirs))
    counts = skpool.count_pool(image, footprint=footprint, stride=1, padding=radius)
    assert_equal(counts, ndimage.correlate(np.ones_like(image), footprint.astype(int), mode="constant"))


@pytest.mark.parametrize("reduction", ["max", "min"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_indices(reduction, dtype):
    """Of the first extremum under the footprint, as `argmax` and `argmin` of the samples say."""
    image = grid.make_image(grid.generator(reduction), (12, 15), dtype, "ties")
    footprint = ring(2)
    places = np.argwhere(footprint) - 2
    values, indices = skpool.pool(
        image, reduction=reduction, footprint=footprint, stride=1, ceil_mode=False, return_indices=True
    )
    shifted = np.stack([image[2 + row : 10 + row, 2 + column : 13 + column] for row, column in places])
    first = getattr(np, f"arg{reduction}")(shifted, axis=0)
    rows, columns = np.indices(values.shape) + 2
    np.testing.assert_array_equal(indices, (rows + places[first, 0]) * 15 + columns + places[first, 1])
    np.testing.assert_array_equal(values, image.ravel()[indices])


def test_indices_of_padding_and_of_nothing():
    image = np.array([[np.nan, 1.0], [2.0, np.nan]])
    footprint = [[1, 0], [0, 1]]
    common = {"footprint": footprint, "stride": 1, "padding": 1, "return_indices": True}
    values, indices = skpool.max_pool(image, mode="constant", cval=5, **common)
    np.testing.assert_array_equal(indices, [[0, -1, -1], [-1, 0, -1], [-1, -1, 3]])
    values, indices = skpool.max_pool(image, nan_policy="omit", **common)
    np.testing.assert_array_equal(indices, [[-1, 1, -1], [2, -1, 1], [-1, 2, -1]])
    np.testing.assert_array_equal(np.isnan(values), indices < 0)


# ---------------------------------------------------------------- what a footprint is worth


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_whole_footprint_is_a_window(reduction):
    rng = np.random.default_rng(5)
    for image in (rng.integers(0, 9, (13, 14)), rng.normal(size=(13, 14, 3))):
        channel_axis = 2 if image.ndim == 3 else None
        for shape, more in itertools.product(
            [(1, 1), (3, 3), (2, 5)], [{}, {"stride": 1, "padding": 1, "mode": "edge"}]
        ):
            own = {"reduction": reduction, "channel_axis": channel_axis} | required(reduction) | more
            window = skpool.pool(image, shape, **own)
            footprint = skpool.pool(image, footprint=np.ones(shape, bool), **own)
            assert window.dtype == footprint.dtype
            if REDUCTIONS[reduction].exact:
                np.testing.assert_array_equal(footprint, window)
            else:
                np.testing.assert_allclose(footprint, window, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_what_is_outside_the_footprint_does_not_matter(reduction):
    """Neither numbers nor NaN there, nor a mask of it."""
    image = np.random.default_rng(6).random((12, 12))
    footprint = cross(2)
    own = {"reduction": reduction, "footprint": footprint} | required(reduction)
    expected = skpool.pool(image, **own)
    outside = np.tile(~footprint, (4, 4))
    for junk in (7.0, math.nan, math.inf):
        spoilt = np.where(outside, junk, image)
        for nan_policy in ("propagate", "omit", "raise"):
            np.testing.assert_array_equal(skpool.pool(spoilt, nan_policy=nan_policy, **own), expected)
        np.testing.assert_array_equal(skpool.pool(spoilt, mask=~outside, **own), expected)
    np.testing.assert_array_equal(skpool.count_pool(image, footprint=footprint), np.full((4, 4), 5))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nan_inside_the_footprint(reduction):
    image = np.random.default_rng(7).random((6, 6))
    image[1, 1] = image[4, 3] = np.nan
    masked = np.ma.MaskedArray(np.nan_to_num(image), np.isnan(image))
    own = {"reduction": reduction, "footprint": cross(2), "min_count": 5} | required(reduction)
    row = REDUCTIONS[reduction]
    if not row.counts_nan:
        assert np.isnan(skpool.pool(image, **own)).tolist() == [[True, False], [False, True]]
    omitted, hidden = skpool.pool(image, nan_policy="omit", **own), skpool.pool(masked, **own)
    np.testing.assert_array_equal(omitted, hidden.data)
    np.testing.assert_array_equal(hidden.mask, [[True, False], [False, True]])
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        skpool.pool(image, nan_policy="raise", **own)


@pytest.mark.parametrize("channel_axis", [0, 1, 2, -1])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_channels_are_images_of_their_own(reduction, channel_axis):
    channels = [grid.make_image(grid.generator(i), (11, 13), "float32", "everyday") for i in range(4)]
    own = {"reduction": reduction, "footprint": ring(2), "stride": 2, "padding": 1} | required(reduction)
    pooled = skpool.pool(np.stack(channels, channel_axis), channel_axis=channel_axis, **own)
    expected = np.stack([skpool.pool(channel, **own) for channel in channels], channel_axis)
    np.testing.assert_array_equal(pooled, expected)


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_workers_and_layouts_give_the_same_bits(reduction, dtype):
    image = grid.make_image(grid.generator(reduction, dtype), (67, 131), dtype, "everyday")
    own = {"reduction": reduction, "footprint": disk(2), "stride": 2} | required(reduction)
    expected = grid.bits(skpool.pool(image, workers=1, **own))
    for workers in (2, 5, None):
        assert grid.bits(skpool.pool(image, workers=workers, **own)) == expected
    for name, layout in grid.LAYOUTS.items():
        assert grid.bits(skpool.pool(layout(image), **own)) == expected, name


def test_forms_of_a_footprint():
    """Lists, 0 and 1 of any integer type, any layout; what is written into it later does not count."""
    image = np.random.default_rng(8).random((12, 12))
    footprint = oblong(2)
    expected = skpool.median_pool(image, footprint=footprint)
    forms = [footprint.tolist(), footprint.astype(int), footprint.astype("u1"), np.asfortranarray(footprint)]
    for form in (*forms, np.repeat(footprint, 2, axis=1)[:, ::2], grid.read_only(footprint)):
        np.testing.assert_array_equal(skpool.median_pool(image, footprint=form), expected)
    footprint[...] = True
    np.testing.assert_array_equal(skpool.median_pool(image, footprint=footprint), skpool.median_pool(image, (3, 2)))


# ---------------------------------------------------------------- errors

IMAGE = np.arange(30.0).reshape(5, 6)


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"footprint": [1, 1]}, ValueError, ["`footprint`", "2 spatial axes", "(2,)"]),
        ({"footprint": np.ones((2, 2, 1), int)}, ValueError, ["`footprint`", "2 spatial axes", "(2, 2, 1)"]),
        ({"footprint": True}, ValueError, ["`footprint`", "2 spatial axes", "()"]),
        ({"footprint": np.ones((2, 2), int), "channel_axis": 0}, ValueError, ["`footprint`", "1 spatial axes"]),
        ({"footprint": np.zeros((3, 3), bool)}, ValueError, ["`footprint`", "at least one", "(3, 3)"]),
        ({"footprint": np.zeros((0, 3), bool)}, ValueError, ["`footprint`", "at least one", "(0, 3)"]),
        ({"footprint": [[0, 2]]}, ValueError, ["`footprint`", "0 and 1"]),
        ({"footprint": [[0, -1]]}, ValueError, ["`footprint`", "0 and 1"]),
        ({"footprint": [[0.0, 0.5]]}, ValueError, ["`footprint`", "0 and 1", "0.5"]),
        ({"footprint": [[np.nan, 1.0]]}, ValueError, ["`footprint`", "0 and 1", "nan"]),
        ({"footprint": [[0j, 1]]}, TypeError, ["`footprint`", "truth values", "complex128"]),
        ({"footprint": "disk"}, TypeError, ["`footprint`", "truth values"]),
        ({"footprint": [[True, None]]}, TypeError, ["`footprint`", "object"]),
        ({"footprint": [[1]], "window_shape": 1}, ValueError, ["`window_shape`", "`footprint`", "1"]),
        ({"footprint": [[1]], "window_shape": (1, 1)}, ValueError, ["`window_shape`", "`footprint`", "(1, 1)"]),
        ({"footprint": np.ones((6, 1), int), "padding": "valid"}, ValueError, ["`window_shape` must fit", "6"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_bad_footprints(reduction, arguments, error, parts):
    with pytest.raises(error) as caught:
        skpool.pool(IMAGE, reduction=reduction, **required(reduction) | arguments)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "function",
    [
        lambda **keywords: skpool.adaptive_pool(IMAGE, 2, **keywords),
        lambda **keywords: skpool.adaptive_max_pool(IMAGE, 2, **keywords),
        lambda **keywords: skpool.global_pool(IMAGE, **keywords),
        lambda **keywords: skpool.pool_pyramid(IMAGE, **keywords),
    ],
    ids=["adaptive", "adaptive max", "global", "pyramid"],
)
def test_windows_placed_otherwise_take_no_footprint(function):
    with pytest.raises(TypeError, match="footprint"):
        function(footprint=np.ones((2, 2), bool))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "float64"])
def test_footprints_of_any_type_are_one(dtype):
    image = np.arange(30.0).reshape(5, 6)
    expected = skpool.max_pool(image, footprint=np.eye(2, dtype=bool))
    np.testing.assert_array_equal(skpool.max_pool(image, footprint=np.eye(2, dtype=dtype)), expected)
