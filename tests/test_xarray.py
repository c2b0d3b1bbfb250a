"""Labelled arrays: dimensions, coordinates, attributes and names go in and come out."""

import numpy as np
import pytest
from plans import PLAIN_REDUCTIONS

import skpool

xr = pytest.importorskip("xarray")


def an_image(**coords):
    values = np.random.default_rng(0).normal(size=(7, 9)).astype("float32")
    coords = {"y": np.arange(7) * 10, "x": np.linspace(0, 2, 9)} | coords
    return xr.DataArray(values, dims=("y", "x"), coords=coords, attrs={"units": "K"}, name="temperature")


@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_pool(reduction):
    image = an_image()
    pooled = skpool.pool(image, 2, reduction)
    assert type(pooled) is xr.DataArray
    assert (pooled.dims, pooled.name, pooled.attrs) == (image.dims, image.name, image.attrs)
    np.testing.assert_array_equal(pooled.values, skpool.pool(image.values, 2, reduction))
    np.testing.assert_array_equal(pooled.y, [5, 25, 45, 60])
    np.testing.assert_allclose(pooled.x, [0.125, 0.625, 1.125, 1.625, 2])


def test_the_image_is_unchanged():
    image = an_image()
    before = image.copy(deep=True)
    skpool.max_pool(image).attrs["units"] = "C"
    assert image.identical(before)


def test_indices():
    values, places = skpool.max_pool(an_image(), 3, return_indices=True)
    expected = skpool.max_pool(an_image().values, 3, return_indices=True)
    np.testing.assert_array_equal(places, expected[1])
    assert values.name == "temperature"
    assert (places.name, places.attrs, places.dims) == (None, {}, values.dims)
    np.testing.assert_array_equal(places.y, values.y)


def test_padding_has_no_coordinate():
    image = an_image()
    for mode in ("ignore", "constant", "wrap"):
        pooled = skpool.avg_pool(image, 3, stride=2, padding=1, mode=mode)
        np.testing.assert_array_equal(pooled.y, [5, 20, 40, 55])
    beyond = skpool.avg_pool(image, 1, padding=((2, 0), (0, 0)))
    np.testing.assert_array_equal(beyond.y, [np.nan, np.nan, *range(0, 70, 10)])


def test_dilation_and_gaps():
    pooled = skpool.max_pool(an_image(), (2, 1), dilation=(3, 1), stride=(3, 1), ceil_mode=False)
    np.testing.assert_array_equal(pooled.y, [15, 45])
    np.testing.assert_array_equal(pooled.x, an_image().x)


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_times(unit):
    start = np.datetime64("2024-01-01", unit)
    image = an_image(y=start + np.arange(7) * np.timedelta64(1, "D").astype(f"m8[{unit}]"))
    image = image.assign_coords(lag=("x", np.arange(9).astype(f"m8[{unit}]")))
    pooled = skpool.avg_pool(image, 3)
    expected = np.array(["2024-01-02", "2024-01-05", "2024-01-07"], f"M8[{unit}]")
    np.testing.assert_array_equal(pooled.y, expected)
    assert pooled.y.dtype == expected.dtype
    np.testing.assert_array_equal(pooled.lag, np.array([1, 4, 7], f"m8[{unit}]"))


def test_a_missing_time_counts_for_nothing():
    times = np.array(["NaT", "NaT", "2024-01-01", "NaT", "2024-01-02", "2024-01-04", "NaT"], "M8[ns]")
    pooled = skpool.max_pool(an_image().assign_coords(time=("y", times)))
    expected = np.array(["NaT", "2024-01-01", "2024-01-03", "NaT"], "M8[ns]")
    np.testing.assert_array_equal(pooled.time, expected)


def test_other_coordinates():
    image = an_image(
        scalar=3,
        words=("y", list("abcdefg")),
        truth=("y", np.arange(7) > 2),
        along_x=("x", np.arange(9)),
        both=(("x", "y"), np.arange(63.0).reshape(9, 7)),
    )
    image.along_x.attrs["units"] = "m"
    pooled = skpool.avg_pool(image, (2, 1))
    assert set(pooled.coords) == {"x", "y", "scalar", "along_x", "both"}
    assert pooled.scalar == 3
    assert pooled.along_x.attrs == {"units": "m"}
    np.testing.assert_array_equal(pooled.along_x, np.arange(9))
    assert pooled.both.dims == ("x", "y")
    np.testing.assert_array_equal(pooled.both, skpool.avg_pool(np.arange(63.0).reshape(9, 7), (1, 2)))


def test_indexes_with_levels():
    stacked = xr.DataArray(np.zeros((3, 2, 2)), dims=("z", "a", "b"), coords={"a": [0, 1], "b": ["u", "v"]})
    stacked = stacked.stack(pixel=("a", "b"))
    kept = skpool.avg_pool(stacked, (3, 1))
    assert list(kept.indexes["pixel"]) == list(stacked.indexes["pixel"])
    pooled = skpool.avg_pool(stacked, (1, 2))
    assert set(pooled.coords) == {"a"}


def test_dimensions_without_coordinates():
    image = xr.DataArray(np.zeros((4, 6)), dims=("row", "column"))
    assert skpool.max_pool(image).identical(xr.DataArray(np.zeros((2, 3)), dims=("row", "column")))


def test_channels():
    image = xr.DataArray(np.arange(48.0).reshape(4, 4, 3), dims=("y", "x", "band"), coords={"band": list("rgb")})
    pooled = skpool.avg_pool(image, channel_axis=-1)
    assert list(pooled.band.values) == list("rgb")
    np.testing.assert_array_equal(pooled, skpool.avg_pool(image.values, channel_axis=-1))


def test_masks():
    image = an_image()
    mask = image > 0
    expected = skpool.avg_pool(image.values, mask=mask.values)
    np.testing.assert_array_equal(skpool.avg_pool(image, mask=mask), expected)
    np.testing.assert_array_equal(skpool.avg_pool(image, mask=mask.T), expected)
    np.testing.assert_array_equal(skpool.avg_pool(image, mask=mask.values), expected)
    with pytest.raises(ValueError, match="`mask` must have dimensions of the image"):
        skpool.avg_pool(image, mask=mask.rename(y="z"))


def test_masked_values():
    image = xr.DataArray(np.ma.MaskedArray(np.ones((4, 4)), np.eye(4)), dims=("y", "x"))
    plain = skpool.count_pool(np.ones((4, 4)), mask=~np.eye(4, dtype=bool))
    np.testing.assert_array_equal(skpool.count_pool(image, mask=~np.eye(4, dtype=bool)), plain)


def test_out():
    out = np.zeros((4, 5), np.float32)
    pooled = skpool.max_pool(an_image(), out=out)
    assert np.shares_memory(pooled.values, out)
    np.testing.assert_array_equal(pooled, skpool.max_pool(an_image()))


def test_adaptive():
    pooled = skpool.adaptive_avg_pool(an_image(), (2, 3))
    np.testing.assert_array_equal(pooled.y, [15, 45])
    np.testing.assert_allclose(pooled.x, [0.25, 1, 1.75])
    np.testing.assert_array_equal(pooled, skpool.adaptive_avg_pool(an_image().values, (2, 3)))
    areas = skpool.adaptive_pool(an_image(), (2, 3), bins="area")
    np.testing.assert_array_equal(areas, skpool.adaptive_pool(an_image().values, (2, 3), bins="area"))
    assert areas.y.identical(pooled.y)
    assert skpool.adaptive_max_pool(an_image(), (None, 1)).y.identical(an_image().y)


@pytest.mark.parametrize(
    "call",
    [
        lambda image: skpool.fractional_max_pool(image, ratio=1.5, rng=0),
        lambda image: skpool.weighted_avg_pool(image, np.outer([1, 2, 1], [1, 3, 1]), padding=1),
        lambda image: skpool.weighted_avg_pool(image, [[1, 2], [3, 5]]),
        lambda image: skpool.blur_pool(image),
        lambda image: skpool.blur_pool(image, max_window=2),
        lambda image: skpool.strip_pool(image, 0, "max", keepdims=True),
        lambda image: skpool.global_max_pool(image, keepdims=True),
    ],
)
def test_others(call):
    pooled = call(an_image())
    assert (pooled.dims, pooled.attrs, pooled.name) == (("y", "x"), {"units": "K"}, "temperature")
    np.testing.assert_array_equal(pooled, call(an_image().values))
    assert pooled.y.shape == pooled.shape[:1]


def test_axes_that_vanish():
    image = an_image()
    means = skpool.strip_pool(image, 0)
    assert means.dims == ("x",)
    assert means.x.identical(image.x)
    np.testing.assert_array_equal(means, skpool.strip_pool(image.values, 0))
    whole = skpool.global_avg_pool(image)
    assert whole.dims == ()
    assert whole.item() == skpool.global_avg_pool(image.values)


def test_weighted_and_top_averages_of_whole_images():
    image = an_image()
    weights = image * 0 + np.arange(image.size).reshape(image.shape)
    for arguments, plain in (
        ({"weights": weights.T}, {"weights": weights.values}),
        ({"reduction": "top_k_avg", "k": 3}, {"reduction": "top_k_avg", "k": 3}),
    ):
        found = skpool.global_pool(image, **arguments, keepdims=True)
        assert (found.dims, found.name, found.attrs) == (image.dims, image.name, image.attrs)
        np.testing.assert_array_equal(found, skpool.global_pool(image.values, **plain, keepdims=True))
        assert skpool.global_pool(image, **arguments).dims == ()


def test_values_without_labels():
    image = an_image()
    for call in (
        lambda image: skpool.spatial_pyramid_pool(image, (1, 2)),
        lambda image: skpool.region_pool(image, np.ones((7, 9), int)),
        lambda image: skpool.roi_pool(image, [[0, 0, 4, 4]], 2),
    ):
        found = call(image)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, call(image.values))


def test_pyramids():
    image = an_image()
    levels = skpool.pool_pyramid(image)
    assert levels[0].identical(image)
    for level, expected in zip(levels, skpool.pool_pyramid(image.values), strict=True):
        np.testing.assert_array_equal(level, expected)
        assert (level.dims, level.name, level.attrs) == (image.dims, image.name, image.attrs)
    np.testing.assert_array_equal(levels[2].y, [15, 50])
    np.testing.assert_array_equal(levels[-1].y, [30])


# ---------------------------------------------------------------- on dask


@pytest.mark.parametrize(
    "call",
    [
        lambda image: skpool.avg_pool(image, 3, stride=2, padding=1),
        lambda image: skpool.adaptive_avg_pool(image, 3),
        lambda image: skpool.max_pool(image, mask=image > 0),
        lambda image: skpool.global_max_pool(image, keepdims=True),
        lambda image: skpool.pool_pyramid(image)[2],
        lambda image: skpool.blur_pool(image),
    ],
)
def test_lazy_images_stay_lazy(call):
    da = pytest.importorskip("dask.array")
    lazy = an_image().chunk({"y": 3, "x": 4})
    pooled = call(lazy)
    assert isinstance(pooled.data, da.Array)
    assert pooled.compute().identical(call(an_image()))


def test_lazy_indices():
    pytest.importorskip("dask.array")
    values, places = skpool.max_pool(an_image().chunk(4), return_indices=True)
    expected = skpool.max_pool(an_image(), return_indices=True)
    assert values.compute().identical(expected[0])
    assert places.compute().identical(expected[1])


def test_values_put_back_keep_what_belongs_to_no_pooled_dimension():
    coords = {"y": np.arange(4), "z": np.arange(2), "time": 5}
    image = xr.DataArray(np.arange(48.0).reshape(4, 6, 2), dims=("y", "x", "z"), coords=coords, attrs={"unit": "m"})
    values, indices = skpool.max_pool(image, channel_axis=2, return_indices=True)
    for lazy in (False, True):
        given = values.chunk({"y": 1}) if lazy else values
        for found, expected in (
            (
                skpool.max_unpool(given, indices, image.shape),
                skpool.max_unpool(values.data, indices.data, image.shape),
            ),
            (
                skpool.avg_unpool(given, image.shape, 2, channel_axis=2),
                skpool.avg_unpool(values.data, image.shape, 2, channel_axis=2),
            ),
        ):
            assert (found.dims, found.attrs, set(found.coords)) == (image.dims, image.attrs, {"z", "time"})
            assert (found.chunks is not None) == lazy
            np.testing.assert_array_equal(found, expected)
    assert isinstance(skpool.max_unpool(values, indices, (48,)), np.ndarray)


def test_boxes_of_lazy_images_stay_lazy():
    image = xr.DataArray(np.arange(24.0).reshape(4, 6), dims=("y", "x")).chunk({"y": 3})
    pooled = skpool.roi_align(image, [[0, 0, 2.5, 3]], 2)
    assert type(pooled) is type(image.data)
    np.testing.assert_array_equal(pooled, skpool.roi_align(image.values, [[0, 0, 2.5, 3]], 2))
