"""What goes in and out: masked arrays, lists and scalars of sequences, subclasses, `out` and pairs of them."""

import numpy as np
import pytest
from plans import PLAIN_REDUCTIONS

import skpool
from skpool import reference
from skpool.plan import make_plan

HAVING_INDICES = [name for name, row in PLAIN_REDUCTIONS.items() if row.indices]


def an_image(dtype=np.float64, shape=(7, 9)):
    return np.random.default_rng(3).integers(0, 50, shape).astype(dtype)


def a_mask(shape=(7, 9)):
    """Half of the pixels; none of the first block, one of the second."""
    mask = np.random.default_rng(4).random(shape) < 0.5
    mask[:2, :4] = False
    mask[0, 2] = True
    return mask


# ---------------------------------------------------------------- masked arrays


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool", "int64"])
@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_a_masked_array_gives_a_masked_array(reduction, dtype):
    image, mask = an_image(dtype), a_mask()
    pooled = skpool.pool(np.ma.MaskedArray(image, ~mask), reduction=reduction)
    assert type(pooled) is np.ma.MaskedArray
    expected = skpool.pool(image, reduction=reduction, mask=mask)
    assert pooled.dtype == expected.dtype
    np.testing.assert_array_equal(pooled.data, expected)
    np.testing.assert_array_equal(np.ma.getmaskarray(pooled), skpool.count_pool(image, mask=mask) < 1)
    assert pooled.mask[0, 0]
    assert not pooled.mask[0, 1]


@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_results_are_masked_below_min_count(reduction):
    image, mask = an_image(), a_mask()
    pooled = skpool.pool(np.ma.MaskedArray(image, ~mask), 2, reduction, min_count=3, fill_value=7)
    few = skpool.count_pool(image, mask=mask) < 3
    np.testing.assert_array_equal(np.ma.getmaskarray(pooled), few)
    assert (pooled.data[few] == 7).all()
    assert pooled.fill_value == 7
    assert pooled[0, 0] is np.ma.masked


def test_the_mask_argument_narrows_that_of_the_array():
    image, own, given = an_image(), a_mask(), np.arange(63).reshape(7, 9) % 3 > 0
    pooled = skpool.sum_pool(np.ma.MaskedArray(image, ~own), mask=given)
    np.testing.assert_array_equal(pooled.data, skpool.sum_pool(image, mask=own & given))
    np.testing.assert_array_equal(np.ma.getmaskarray(pooled), skpool.count_pool(image, mask=own & given) < 1)


def test_a_spatial_mask_of_a_masked_array_with_channels():
    image, own = an_image(shape=(7, 9, 3)), a_mask((7, 9, 3))
    spatial = a_mask((7, 9))
    pooled = skpool.max_pool(np.ma.MaskedArray(image, ~own), mask=spatial, channel_axis=-1)
    expected = skpool.max_pool(image, mask=own & spatial[:, :, np.newaxis], channel_axis=-1)
    np.testing.assert_array_equal(pooled.data, expected)


@pytest.mark.parametrize("mask", [np.ma.nomask, False, True])
def test_masked_arrays_without_a_mask_of_their_own(mask):
    image = an_image()
    pooled = skpool.avg_pool(np.ma.MaskedArray(image, mask))
    assert type(pooled) is np.ma.MaskedArray
    assert np.ma.getmaskarray(pooled).all() == bool(mask)
    if not mask:
        np.testing.assert_array_equal(pooled.data, skpool.avg_pool(image))


def test_nan_omitted_is_masked_in_the_result():
    image = np.ma.MaskedArray(an_image(), ~a_mask())
    image[4:6, 4:6] = np.nan
    pooled = skpool.max_pool(image, nan_policy="omit")
    assert pooled.mask[2, 2]
    assert np.isnan(skpool.max_pool(image).data[2, 2])
    assert not skpool.max_pool(image).mask[2, 2]


def test_a_masked_nan_neither_propagates_nor_raises():
    image = np.ma.masked_invalid([[1.0, np.nan], [3.0, 2.0]])
    for nan_policy in ("propagate", "omit", "raise"):
        assert skpool.max_pool(image, nan_policy=nan_policy).item() == 3
        assert skpool.avg_pool(image, nan_policy=nan_policy).item() == 2


@pytest.mark.parametrize("reduction", HAVING_INDICES)
def test_indices_with_masks(reduction):
    image, mask = an_image(), a_mask()
    values, indices = skpool.pool(np.ma.MaskedArray(image, ~mask), 2, reduction, return_indices=True)
    assert type(values) is np.ma.MaskedArray
    plan = make_plan(image.shape, image.dtype, reduction)
    expected = reference.run(plan, image, mask=mask, return_indices=True)
    np.testing.assert_array_equal(values.data, expected[0])
    np.testing.assert_array_equal(indices, expected[1])
    found = ~np.ma.getmaskarray(values)
    np.testing.assert_array_equal(np.asarray(indices) >= 0, found)
    np.testing.assert_array_equal(image.ravel()[np.asarray(indices)[found]], values[found])
    assert indices[0, 0] == -1


def test_a_masked_array_is_unchanged():
    image = np.ma.MaskedArray(an_image(), ~a_mask())
    data, mask = image.data.copy(), image.mask.copy()
    skpool.max_pool(image, mask=a_mask())
    np.testing.assert_array_equal(image.data, data)
    np.testing.assert_array_equal(image.mask, mask)


# ---------------------------------------------------------------- what goes through `numpy.asarray`


class HasArray:
    def __array__(self, dtype=None, copy=None):
        return an_image().astype(dtype or np.float64)


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    "image",
    [
        an_image().tolist(),
        tuple(map(tuple, an_image().tolist())),
        HasArray(),
        an_image().view(Subclass),
        memoryview(an_image()),
    ],
    ids=["list", "tuple", "__array__", "subclass", "memoryview"],
)
@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_others_give_plain_arrays(reduction, image):
    pooled = skpool.pool(image, 2, reduction)
    assert type(pooled) is np.ndarray
    np.testing.assert_array_equal(pooled, skpool.pool(an_image(), 2, reduction))


def test_lists_have_the_types_that_numpy_gives_them():
    assert skpool.max_pool([[1, 2], [3, 4]]).dtype == np.asarray([1]).dtype
    assert skpool.max_pool([[True, False]]).dtype == np.bool_
    assert skpool.max_pool([[1.5, 2]]).dtype == np.float64
    assert skpool.max_pool([]).shape == (0,)


def test_a_mask_may_be_a_list():
    assert skpool.sum_pool([[1, 2], [3, 4]], mask=[[True, False], [False, True]]).item() == 5


@pytest.mark.parametrize("sizes", [[2, 3], (2, 3), np.array([2, 3]), (np.int8(2), np.uint64(3)), range(2, 4)])
def test_sizes_may_be_any_sequence_of_integers(sizes):
    expected = skpool.max_pool(an_image(), (2, 3))
    np.testing.assert_array_equal(skpool.max_pool(an_image(), sizes), expected)
    np.testing.assert_array_equal(skpool.max_pool(an_image(), (2, 3), stride=sizes), expected)
    expected = skpool.max_pool(an_image(), 2, dilation=(2, 3), padding=(2, 3))
    np.testing.assert_array_equal(skpool.max_pool(an_image(), 2, dilation=sizes, padding=sizes), expected)
    pairs = np.array([[2, 2], [3, 3]])
    np.testing.assert_array_equal(skpool.max_pool(an_image(), 2, dilation=sizes, padding=pairs), expected)


# ---------------------------------------------------------------- out


@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_out_is_returned(reduction):
    expected = skpool.pool(an_image(), 2, reduction)
    out = np.empty_like(expected)
    assert skpool.pool(an_image(), 2, reduction, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64", ">f4", ">i2"])
@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_the_dtype_of_out_acts_as_dtype(reduction, dtype):
    image = an_image(np.float32)
    out = np.zeros((4, 5), dtype)
    skpool.pool(image, 2, reduction, out=out)
    expected = skpool.pool(image, 2, reduction, dtype=np.dtype(dtype).newbyteorder("="))
    np.testing.assert_array_equal(out, expected)
    assert skpool.pool(image, 2, reduction, out=out, dtype=out.dtype) is out


def test_out_of_any_layout():
    image = an_image()
    expected = skpool.avg_pool(image)
    memory = np.zeros((8, 15))
    for out in (np.zeros((4, 5), order="F"), memory[::2, ::3], memory[::-2, ::-3], memory[:5, :4].T):
        if out.shape == expected.shape:
            assert skpool.avg_pool(image, out=out) is out
            np.testing.assert_array_equal(out, expected)
    assert (memory[1::2] == 0).sum() > 0


def test_out_may_be_another_part_of_the_same_memory():
    memory = np.zeros((10, 8))
    memory[:, :4] = np.arange(40).reshape(10, 4)
    image, out = memory[:, :4], memory[:5, 4:6]
    assert skpool.max_pool(image, out=out) is out
    np.testing.assert_array_equal(out, image[1::2, 1::2])


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0,)])
def test_empty_out(shape):
    expected = skpool.max_pool(np.zeros(shape))
    strideless = np.lib.stride_tricks.as_strided(np.zeros(0), expected.shape, (0,) * expected.ndim)
    for out in (np.zeros(expected.shape), strideless):
        assert skpool.max_pool(np.zeros(shape), out=out) is out


@pytest.mark.parametrize("container", [tuple, list])
@pytest.mark.parametrize("reduction", HAVING_INDICES)
def test_out_is_a_pair_with_indices(reduction, container):
    image = an_image()
    expected = skpool.pool(image, 2, reduction, return_indices=True)
    out = container([np.zeros((4, 5), np.float32), np.zeros((5, 4), np.int64).T])
    values, indices = skpool.pool(image, 2, reduction, return_indices=True, out=out)
    assert values is out[0]
    assert indices is out[1]
    np.testing.assert_array_equal(values, expected[0])
    np.testing.assert_array_equal(indices, expected[1])


@pytest.mark.parametrize("reduction", HAVING_INDICES)
def test_indices_are_a_plain_array_beside_the_values(reduction):
    result = skpool.pool(an_image(), 2, reduction, return_indices=True)
    assert isinstance(result, tuple)
    assert type(result[0]) is type(result[1]) is np.ndarray
    assert result[1].dtype == np.int64
    alone = skpool.pool(an_image(), 2, reduction, return_indices=False)
    np.testing.assert_array_equal(result[0], alone)


@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_a_masked_image_with_out(reduction):
    image, mask = an_image(), a_mask()
    expected = skpool.pool(np.ma.MaskedArray(image, ~mask), 2, reduction)
    out = np.zeros(expected.shape, expected.dtype)
    pooled = skpool.pool(np.ma.MaskedArray(image, ~mask), 2, reduction, out=out)
    np.testing.assert_array_equal(out, expected.data)
    np.testing.assert_array_equal(np.ma.getdata(pooled), expected.data)
    assert np.shares_memory(np.ma.getdata(pooled), out)


# ---------------------------------------------------------------- results are one's own


@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_results_are_writable_and_new(reduction):
    image = an_image()
    image.flags.writeable = False
    pooled = skpool.pool(image, 1, reduction)
    assert pooled.flags.writeable
    assert pooled.flags.c_contiguous
    assert pooled.dtype.isnative
    assert not np.shares_memory(pooled, image)
