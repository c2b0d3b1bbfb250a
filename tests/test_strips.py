"""Pooling along whole lines: every strip and every running maximum is what its definition says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plans import required
from skimage import data

import skpool
from skpool import corner_pool, strip_pool
from skpool.reductions import REDUCTIONS, as_sum
from skpool.strips import _CORNERS

relaxed = settings(max_examples=100, deadline=None, derandomize=True, database=None)

SIDES = ("top", "bottom", "left", "right")
DTYPES = ["?", "u1", "i1", "u2", "i4", "u8", "i8", "f2", "f4", "f8"]


def an_image(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(0, 10, shape).astype(dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return rng.integers(low, high, shape, dtype if dtype.kind != "b" else np.int64, endpoint=True).astype(dtype)


# ---------------------------------------------------------------- corners


def seen_from(side, row, column):
    """The pixels that a side looks at: from the pixel away from that side of the image."""
    return {
        "top": np.s_[row:, column],
        "bottom": np.s_[: row + 1, column],
        "left": np.s_[row, column:],
        "right": np.s_[row, : column + 1],
    }[side]


def slow_corner(image, corner, mask=None, fill_value=None):
    """Law and Deng's definition, pixel by pixel: sums of the maxima of what the sides see."""
    sides = [part for part in SIDES if part in corner.split("_")]
    dtype = as_sum(image.dtype) if len(sides) == 2 else image.dtype
    fill_value = (math.nan if dtype.kind == "f" else 0) if fill_value is None else fill_value
    mask = np.ones(image.shape, bool) if mask is None else mask
    result = np.full(image.shape, fill_value, dtype)
    for row, column in np.ndindex(image.shape):
        seen = [seen_from(side, row, column) for side in sides]
        samples = [image[cut][mask[cut]] for cut in seen]
        if all(part.size for part in samples):
            maxima = [dtype.type(part.max()) for part in samples]
            with np.errstate(all="ignore"):
                result[row, column] = maxima[0] if len(maxima) == 1 else maxima[0] + maxima[1]
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("corner", _CORNERS)
def test_corners_are_sums_of_maxima(corner, dtype):
    for shape in [(1, 1), (5, 9), (9, 5), (1, 130), (130, 1), (3, 64), (64, 70)]:
        image = an_image(shape, dtype)
        pooled = corner_pool(image, corner)
        expected = slow_corner(image, corner)
        assert pooled.dtype == expected.dtype
        assert pooled.flags.c_contiguous
        np.testing.assert_array_equal(pooled, expected)


def test_an_example_by_hand():
    image = np.array([[2, 1, 3, 0, 2], [5, 0, 1, 1, 6]])
    assert corner_pool(image, "left")[0].tolist() == [3, 3, 3, 2, 2]
    assert corner_pool(image, "top").tolist() == [[5, 1, 3, 1, 6], [5, 0, 1, 1, 6]]
    assert corner_pool(image, "top_left").tolist() == [[8, 4, 6, 3, 8], [11, 6, 7, 7, 12]]


SIDE_FLIPS = {"bottom": (-2, "top"), "right": (-1, "left")}


@given(
    hnp.arrays(
        hnp.integer_dtypes(endianness="=") | hnp.floating_dtypes(sizes=(32, 64), endianness="="),
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=9),
    ),
    st.sampled_from(SIDES),
)
@relaxed
def test_properties_of_sides(image, side):
    pooled = corner_pool(image, side)
    assert pooled.dtype == image.dtype
    finite = np.nan_to_num(image, nan=np.inf) if image.dtype.kind == "f" else image
    assert (np.nan_to_num(pooled, nan=np.inf) >= finite).all() if image.dtype.kind == "f" else (pooled >= image).all()
    np.testing.assert_array_equal(corner_pool(pooled, side), pooled)
    if side in SIDE_FLIPS:
        axis, other = SIDE_FLIPS[side]
        np.testing.assert_array_equal(np.flip(corner_pool(np.flip(image, axis), other), axis), pooled)
    turned = {"top": "left", "left": "top", "bottom": "right", "right": "bottom"}[side]
    np.testing.assert_array_equal(corner_pool(image.swapaxes(-1, -2), turned).swapaxes(-1, -2), pooled)
    axis = -2 if side in ("top", "bottom") else -1
    ordered = np.flip(image, axis) if side in ("top", "left") else image
    expected = np.maximum.accumulate(ordered, axis)
    np.testing.assert_array_equal(pooled, np.flip(expected, axis) if side in ("top", "left") else expected)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_a_side_is_a_maximum_of_windows_that_reach_the_edge(side, dtype):
    image = an_image((40, 90), dtype)
    axis, before = {"top": (0, False), "bottom": (0, True), "left": (1, False), "right": (1, True)}[side]
    window, padding = [1, 1], [(0, 0), (0, 0)]
    window[axis] = image.shape[axis]
    padding[axis] = (window[axis] - 1, 0) if before else (0, window[axis] - 1)
    expected = skpool.max_pool(image, window, stride=1, padding=padding, ceil_mode=False)
    np.testing.assert_array_equal(corner_pool(image, side), expected)


@pytest.mark.parametrize("channel_axis", [0, 1, 2, 3, -2])
@pytest.mark.parametrize("corner", ["top", "left", "right", "bottom_right"])
@pytest.mark.parametrize("size", [3, 100])
def test_channels_and_planes_are_images_of_their_own(corner, channel_axis, size):
    image = an_image((4, 7, 30), "f4")
    channels = [np.roll(image, number, axis=-1) for number in range(size)]
    stack = np.stack(channels, axis=channel_axis)
    expected = np.stack(
        [np.stack([corner_pool(plane, corner) for plane in channel]) for channel in channels], axis=channel_axis
    )
    np.testing.assert_array_equal(corner_pool(stack, corner, channel_axis=channel_axis), expected)


@pytest.mark.parametrize("corner", _CORNERS)
@pytest.mark.parametrize("shape", [(7, 9, 130), (5, 70)])
def test_layouts_do_not_matter(corner, shape):
    image = an_image(shape, "i4")
    before = image.copy()
    expected = corner_pool(image, corner)
    read_only = image.copy()
    read_only.flags.writeable = False
    others = [np.asfortranarray(image), np.flip(np.flip(image).copy()), image.astype(">i4"), image.tolist(), read_only]
    others += [
        np.repeat(image, 2, axis=axis)[(..., *[slice(None, None, 2)], *[slice(None)] * -(axis + 1))]
        for axis in (-1, -2)
    ]
    for other in others:
        np.testing.assert_array_equal(corner_pool(other, corner), expected)
    np.testing.assert_array_equal(image, before)
    pooled = corner_pool(image, corner)
    assert not np.shares_memory(pooled, image)
    assert pooled.flags.writeable


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("corner", _CORNERS)
@pytest.mark.parametrize("fill_value", [None, 1])
def test_masks_of_corners(corner, dtype, fill_value):
    image = an_image((9, 70), dtype)
    mask = np.random.default_rng(1).random(image.shape) < 0.3
    mask[:, 60:] = mask[:, :3] = mask[7:] = mask[:2] = False
    expected = slow_corner(image, corner, mask, fill_value)
    np.testing.assert_array_equal(corner_pool(image, corner, mask=mask, fill_value=fill_value), expected)
    masked = corner_pool(np.ma.MaskedArray(image, ~mask), corner, fill_value=fill_value)
    assert type(masked) is np.ma.MaskedArray
    np.testing.assert_array_equal(masked.data, expected)
    empty = slow_corner(np.zeros(image.shape), corner, mask)
    np.testing.assert_array_equal(np.ma.getmaskarray(masked), np.isnan(empty))
    unmasked = corner_pool(np.ma.MaskedArray(image), corner)
    assert type(unmasked) is np.ma.MaskedArray
    assert not np.ma.getmaskarray(unmasked).any()
    stack = np.stack([image, image], axis=-1)
    spatial = corner_pool(stack, corner, mask=mask, channel_axis=-1, fill_value=fill_value)
    np.testing.assert_array_equal(spatial[..., 1], expected)


@pytest.mark.parametrize("corner", _CORNERS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan_in_corners(corner, dtype):
    image = an_image((6, 70), dtype)
    image[2, 3] = image[4, 66] = image[5, 0] = np.nan
    np.testing.assert_array_equal(corner_pool(image, corner), slow_corner(image, corner))
    omitted = corner_pool(image, corner, nan_policy="omit")
    np.testing.assert_array_equal(omitted, slow_corner(image, corner, ~np.isnan(image)))
    with pytest.raises(ValueError, match="'raise'"):
        corner_pool(image, corner, nan_policy="raise")
    kept = corner_pool(image, corner, nan_policy="raise", mask=~np.isnan(image))
    np.testing.assert_array_equal(kept, omitted)
    both = np.random.default_rng(2).random(image.shape) < 0.5
    np.testing.assert_array_equal(
        corner_pool(image, corner, nan_policy="omit", mask=both), slow_corner(image, corner, both & ~np.isnan(image))
    )


def test_infinities_and_extremes_in_corners():
    image = np.array([[np.inf, 0], [-np.inf, -np.inf]])
    np.testing.assert_array_equal(corner_pool(image, "top_left"), [[np.inf, 0], [-np.inf, -np.inf]])
    image = np.array([[-np.inf, -np.inf], [np.inf, 0]])
    np.testing.assert_array_equal(corner_pool(image, "top_left"), [[np.nan, -np.inf], [np.inf, 0]])
    image = np.full((2, 2), 200, np.uint8)
    assert (corner_pool(image, "top_left") == 400).all()
    image = np.full((2, 70), np.iinfo(np.int64).min)
    for side in SIDES:
        np.testing.assert_array_equal(corner_pool(image, side), image)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (2, 0, 5)])
@pytest.mark.parametrize("corner", ["top", "left", "top_left"])
def test_empty_images(corner, shape):
    assert corner_pool(np.zeros(shape, np.uint8), corner).shape == shape
    assert corner_pool(np.zeros(shape), corner, nan_policy="omit", mask=np.ones(shape, bool)).shape == shape


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"corner": "upper"}, ValueError, ["`corner`", "'top_left'", "'upper'"]),
        ({"corner": None}, TypeError, ["`corner`", "None"]),
        ({"corner": ("top", "left")}, TypeError, ["`corner`"]),
        ({"channel_axis": 0}, ValueError, ["`image`", "rows and columns", "(4, 6)"]),
        ({"channel_axis": 5}, ValueError, ["`channel_axis`", "5"]),
        ({"channel_axis": "c"}, TypeError, ["`channel_axis`"]),
        ({"image": np.ones(4)}, ValueError, ["`image`", "rows and columns"]),
        ({"image": 4.0}, ValueError, ["`image`", "rows and columns"]),
        ({"image": np.ones((4, 4), complex)}, TypeError, ["`image`", "complex"]),
        ({"image": "image"}, TypeError, ["`image`"]),
        ({"mask": np.ones((4, 6))}, TypeError, ["`mask`"]),
        ({"mask": np.ones((4, 4), bool)}, ValueError, ["`mask`", "(4, 4)"]),
        ({"nan_policy": "drop"}, ValueError, ["`nan_policy`", "'drop'"]),
        ({"nan_policy": True}, TypeError, ["`nan_policy`"]),
        ({"fill_value": "x"}, TypeError, ["`fill_value`"]),
        ({"fill_value": 0.5, "image": np.ones((4, 6), int)}, ValueError, ["`fill_value`", "0.5"]),
    ],
    ids=str,
)
def test_bad_arguments_of_corner_pool(arguments, error, parts):
    arguments = {"image": np.arange(24.0).reshape(4, 6), "corner": "top_left"} | arguments
    with pytest.raises(error) as caught:
        corner_pool(**arguments)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value)


# ---------------------------------------------------------------- strips


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "f4", "f8"])
def test_strips_are_windows_of_whole_lines(reduction, dtype):
    image = an_image((5, 6, 7), dtype)
    own = required(reduction)
    for axis in range(-3, 3):
        window = [1, 1, 1]
        window[axis] = image.shape[axis]
        expected = skpool.pool(image, window, reduction, **own)
        kept = strip_pool(image, axis, reduction, keepdims=True, **own)
        assert kept.dtype == expected.dtype
        np.testing.assert_array_equal(kept, expected)
        np.testing.assert_array_equal(strip_pool(image, axis, reduction, **own), expected.squeeze(axis))


@given(
    hnp.arrays(
        hnp.integer_dtypes(endianness="=") | hnp.floating_dtypes(sizes=(32, 64), endianness="="),
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=9),
        elements={"min_value": -100, "max_value": 100},
    ),
    st.data(),
)
@relaxed
def test_numpy_agrees(image, draws):
    axis = draws.draw(st.integers(-image.ndim, image.ndim - 1))
    keepdims = draws.draw(st.booleans())
    exact = {"max": np.max, "min": np.min, "count": lambda image, **own: np.sum(np.ones_like(image, int), **own)}
    for name, function in exact.items():
        expected = function(image, axis=axis, keepdims=keepdims)
        np.testing.assert_array_equal(strip_pool(image, axis, name, keepdims=keepdims), expected)
    expected = np.mean(image, axis=axis, keepdims=keepdims, dtype=np.float64)
    pooled = strip_pool(image, axis, keepdims=keepdims)
    assert pooled.shape == expected.shape
    np.testing.assert_allclose(pooled, expected, rtol=1e-6, atol=1e-4)


def test_strips_with_channels():
    image = an_image((9, 8, 3), "u1")
    np.testing.assert_array_equal(strip_pool(image, 0, channel_axis=-1), image.mean(axis=0))
    np.testing.assert_array_equal(strip_pool(image, 1, "max", channel_axis=2), image.max(axis=1))
    moved = np.moveaxis(image, -1, 0)
    np.testing.assert_array_equal(strip_pool(moved, -1, "sum", channel_axis=0, keepdims=True)[..., 0], moved.sum(-1))


def test_strips_of_masked_images():
    image = an_image((5, 6), "f4")
    mask = np.random.default_rng(0).random(image.shape) < 0.4
    mask[2] = False
    expected = np.ma.MaskedArray(image, ~mask).max(axis=1)
    pooled = strip_pool(image, 1, "max", mask=mask, fill_value=-7, min_count=1)
    np.testing.assert_array_equal(pooled, expected.filled(-7))
    masked = strip_pool(np.ma.MaskedArray(image, ~mask), 1, "max")
    assert type(masked) is np.ma.MaskedArray
    np.testing.assert_array_equal(np.ma.getmaskarray(masked), np.ma.getmaskarray(expected))
    np.testing.assert_array_equal(strip_pool(image, 1, "count", mask=mask), mask.sum(axis=1))
    image[0, 0] = np.nan
    assert np.isnan(strip_pool(image, 1)[0])
    assert not np.isnan(strip_pool(image, 1, nan_policy="omit")[0])
    with pytest.raises(ValueError, match="'raise'"):
        strip_pool(image, 0, nan_policy="raise")


def test_parameters_types_and_outputs_of_strips():
    image = an_image((5, 6), "u1")
    np.testing.assert_allclose(strip_pool(image, 0, "lp", p=1), image.sum(axis=0))
    np.testing.assert_array_equal(strip_pool(image, 0, dtype="u1"), np.rint(image.mean(axis=0)))
    out = np.empty(6, np.float32)
    assert strip_pool(image, 0, out=out) is out
    np.testing.assert_array_equal(out, image.mean(axis=0, dtype=np.float32))
    kept = np.empty((5, 1))
    assert strip_pool(image, 1, "std", out=kept, keepdims=True, workers=2) is kept
    np.testing.assert_allclose(kept[:, 0], image.std(axis=1))
    masked = strip_pool(np.ma.MaskedArray(image), 0, out=out)
    assert type(masked) is np.ma.MaskedArray
    assert masked.shape == (6,)
    assert strip_pool([1, 2, 6], 0).item() == 3
    assert strip_pool([1, 2, 6], 0).shape == ()
    assert strip_pool(np.ones((0, 4)), 1).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"axis": 2}, ValueError, ["`axis`", "from -2 to 1", "got 2"]),
        ({"axis": -3}, ValueError, ["`axis`", "got -3"]),
        ({"axis": 1.0}, TypeError, ["`axis`", "1.0"]),
        ({"axis": None}, TypeError, ["`axis`", "None"]),
        ({"axis": True}, TypeError, ["`axis`", "True"]),
        ({"axis": (0, 1)}, TypeError, ["`axis`"]),
        ({"axis": 1, "channel_axis": -1}, ValueError, ["`axis`", "`channel_axis`"]),
        ({"channel_axis": 2}, ValueError, ["`channel_axis`", "2"]),
        ({"keepdims": 1}, TypeError, ["`keepdims`", "1"]),
        ({"image": np.ones((0, 3))}, ValueError, ["`image`", "`axis` 0", "(0, 3)"]),
        ({"image": 4.0}, ValueError, ["`axis`"]),
        ({"image": np.ones((4, 4), complex)}, TypeError, ["`image`"]),
        ({"reduction": "mean"}, ValueError, ["`reduction`", "'mean'"]),
        ({"reduction": None}, TypeError, ["`reduction`"]),
        ({"p": 2}, TypeError, ["`p`", "'avg'"]),
        ({"window_shape": 2}, TypeError, ["`window_shape`"]),
        ({"stride": 2}, TypeError, ["`stride`"]),
        ({"return_indices": True, "reduction": "max"}, TypeError, ["`return_indices`"]),
        ({"out": np.zeros((1, 6))}, ValueError, ["`out`", "(1, 6)"]),
        ({"out": np.zeros(4)}, ValueError, ["`out`", "(4,)"]),
        ({"out": [0] * 6}, TypeError, ["`out`"]),
        ({"dtype": "c8"}, TypeError, ["`dtype`"]),
        ({"nan_policy": "x"}, ValueError, ["`nan_policy`"]),
        ({"min_count": 0}, ValueError, ["`min_count`"]),
        ({"mask": np.ones(6, bool)}, ValueError, ["`mask`"]),
        ({"workers": 0}, ValueError, ["`workers`"]),
    ],
    ids=str,
)
def test_bad_arguments_of_strip_pool(arguments, error, parts):
    arguments = {"image": np.arange(24.0).reshape(4, 6), "axis": 0} | arguments
    with pytest.raises(error) as caught:
        strip_pool(**arguments)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value)


# ---------------------------------------------------------------- real images


def test_corners_of_a_box_are_found():
    """Edges of a box, nothing at its corners: pooled towards top left, the largest value is where its sides meet."""
    image = np.zeros((60, 80))
    image[12, 30:50] = image[40, 30:50] = image[17:36, 25] = image[17:36, 70] = 1
    top_left = corner_pool(corner_pool(image, "left"), "top") * corner_pool(image, "top_left")
    assert top_left[12, 25] == top_left.max()
    assert corner_pool(image, "top_left")[12, 25] == 2
    assert corner_pool(image, "bottom_right")[40, 70] == 2
    assert image[12, 25] == image[40, 70] == 0


def test_strips_of_a_page_find_its_lines():
    """Dark lines of text alternate with light gaps in the means of rows."""
    page = data.page()
    rows = strip_pool(page, 1)
    np.testing.assert_allclose(rows, page.mean(axis=1))
    crossings = np.flatnonzero(np.diff(rows < rows.mean()))
    assert 8 <= crossings.size <= 60
