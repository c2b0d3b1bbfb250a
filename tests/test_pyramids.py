"""Pyramids: every level is the pooled image, whatever was carried to it."""

import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plans import PLAIN_REDUCTIONS, required
from scipy import sparse
from scipy.sparse import csgraph
from skimage import data, transform

import skpool
from skpool import pool_pyramid, pyramid_transforms, reference
from skpool.plan import make_plan
from skpool.pyramids import _CARRIED
from skpool.reductions import REDUCTIONS
from skpool.windows import Sliding

relaxed = settings(max_examples=60, deadline=None, derandomize=True, database=None)

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
NOT_CARRIED = sorted(set(PLAIN_REDUCTIONS) - set(_CARRIED))


def an_image(shape, dtype, seed=0):
    """Any values of a type of integers; floats of either sign."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(3, 10, shape).astype(dtype)
    return (
        rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
        .view("u1" if dtype.kind == "b" else dtype)[..., 0]
        .astype(dtype)
    )


def product_of(downscale, level, count):
    factors = (downscale,) * count if isinstance(downscale, int) else downscale
    return tuple(factor**level for factor in factors)


def slow_level(image, level, downscale=2, reduction="avg", mask=None, channel_axis=None, **arguments):
    """One level by definition: the slow twin of `pool` over blocks of the image."""
    if reduction == "avg" and image.dtype.kind in "iu":
        arguments["dtype"] = image.dtype
    spatial = image.ndim - (channel_axis is not None)
    plan = make_plan(
        image.shape,
        image.dtype,
        reduction,
        Sliding(product_of(downscale, level, spatial)),
        channel_axis=channel_axis,
        **arguments,
    )
    return reference.run(plan, image, mask=mask)


def assert_same_level(level, expected, image, reduction):
    """Equal; for floats, but for rounding."""
    assert level.dtype == expected.dtype
    if level.dtype.kind != "f":
        np.testing.assert_array_equal(level, expected)
        return
    eps = np.finfo(level.dtype).eps
    size = np.nan_to_num(np.abs(image.astype(np.float64)), posinf=0).max(initial=0)
    scale = {"sum": image.size, "lp": image.size, "var": size + 1}.get(reduction, 1)
    np.testing.assert_allclose(level, expected, rtol=8 * eps, atol=4 * eps * size * scale)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_levels_are_the_pooled_image(reduction, dtype):
    own = required(reduction)
    for shape, downscale in [((13, 22), 2), ((16, 8), 2), ((11, 20), 3), ((10, 13), (2, 5)), ((5, 6, 9), (1, 2, 3))]:
        image = an_image(shape, dtype)
        levels = pool_pyramid(image, downscale=downscale, reduction=reduction, **own)
        assert levels[0] is image
        assert len(levels) > 2
        for number, level in enumerate(levels[1:], 1):
            expected = slow_level(image, number, downscale, reduction, **own)
            assert_same_level(level, expected, image, reduction)


@pytest.mark.parametrize("dtype", [code for code in DTYPES if np.dtype(code).kind in "iu"])
@pytest.mark.parametrize("downscale", [2, 3, (2, 1), (7, 2)])
@pytest.mark.parametrize("shape", [(64, 64), (45, 61), (1, 100), (100, 3)])
def test_integer_averages_are_rounded_once(shape, downscale, dtype):
    image = an_image(shape, dtype)
    for number, level in enumerate(pool_pyramid(image, downscale=downscale)):
        assert level.dtype == image.dtype
        block = product_of(downscale, number, 2)
        for place in np.ndindex(level.shape):
            cut = tuple(slice(i * size, (i + 1) * size) for i, size in zip(place, block, strict=True))
            samples = image[cut].ravel().tolist()
            assert level[place] == round(Fraction(sum(samples), len(samples)))  # half to even


def test_halves_are_rounded_to_even_at_every_level():
    image = np.array([[1, 0, 0, 1, 1, 1, 2, 2, 0, 0, 0, 1]], np.uint8)
    assert [level.tolist() for level in pool_pyramid(image, 2)[1:]] == [[[0, 0, 1, 2, 0, 0]], [[0, 2, 0]]]


def test_averages_do_not_drift():
    """A mean of 1/4, rounded half up at each of three levels, would become 1."""
    image = np.tile(np.array([0, 1, 0, 0, 0, 1, 0, 0], np.uint8), 8)
    levels = pool_pyramid(image)
    for level in levels[2:]:
        assert not level.any()
    noise = np.random.default_rng(1).integers(0, 256, (512, 512), np.uint8)
    for level in pool_pyramid(noise, 5):
        assert abs(level.mean() - noise.mean()) < 0.05


@pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8"])
def test_sums_beyond_float64_are_exact(dtype):
    """Half of the samples is one less than the others: one unit more or less decides how the mean is rounded."""
    top = np.iinfo(dtype).max
    image = np.full((2048, 1024), top - 1, dtype)
    image[:1024] = top
    for place, value in [((0, 0), top), ((0, 0), top - 1), ((-1, -1), top), ((-2, -1), top)]:
        image[place] = value
        exact = sum(image.sum(axis=1, dtype=object)) if image.itemsize == 8 else int(image.sum(dtype=np.int64))
        levels = pool_pyramid(image)
        assert levels[-1].item() == round(Fraction(exact, image.size))
        assert {level.dtype for level in levels} == {np.dtype(dtype)}


def test_levels_of_three_axes_and_of_one():
    image = an_image((9, 14, 11), "u2")
    for downscale in (2, (1, 2, 2), (3, 2, 1)):
        for number, level in enumerate(pool_pyramid(image, downscale=downscale)):
            if number:
                np.testing.assert_array_equal(level, slow_level(image, number, downscale))
    line = an_image((1000,), "i2")
    for number, level in enumerate(pool_pyramid(line)[1:], 1):
        np.testing.assert_array_equal(level, slow_level(line, number))


@pytest.mark.parametrize("channel_axis", [0, 1, 2, -1])
@pytest.mark.parametrize("reduction", ["avg", "max", "range", "std"])
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_channels_are_images_of_their_own(dtype, reduction, channel_axis):
    channels = [an_image((13, 22), dtype, seed) for seed in range(3)]
    stack = np.stack(channels, axis=channel_axis)
    pyramids = [pool_pyramid(channel, reduction=reduction) for channel in channels]
    for number, level in enumerate(pool_pyramid(stack, reduction=reduction, channel_axis=channel_axis)):
        expected = np.stack([pyramid[number] for pyramid in pyramids], axis=channel_axis)
        assert level.dtype == expected.dtype
        np.testing.assert_array_equal(level, expected)


def test_types_of_averages():
    for code in DTYPES:
        kept = "f8" if code == "?" else "f4" if code == "f2" else code
        for level in pool_pyramid(an_image((9, 9), code))[1:]:
            assert level.dtype == np.dtype(kept)
    coverage = pool_pyramid(np.array([[True, False], [False, False]]))[1]
    assert coverage.item() == 0.25


@pytest.mark.parametrize("shape", [(1024, 1024), (999, 1030), (1, 2**20), (3, 5, 4099)])
@pytest.mark.parametrize("downscale", [2, 3, 5, 16])
@pytest.mark.parametrize("offset", [0, 1000])
def test_float32_averages_are_accurate(shape, downscale, offset):
    image = (np.random.default_rng(2).random(shape) + offset).astype(np.float32)
    for number, level in enumerate(pool_pyramid(image, downscale=downscale)):
        if number:
            assert level.dtype == np.float32
            block = tuple(map(min, product_of(downscale, number, len(shape)), shape))
            expected = skpool.avg_pool(image.astype(np.float64), block)
            size = skpool.avg_pool(np.abs(image.astype(np.float64)), block)
            assert (np.abs(level - expected) <= 4 * 2.0**-23 * size).all()


def test_large_floats_do_not_overflow_and_infinities_stay():
    image = np.full((32, 33), 3e38, np.float32)
    for level in pool_pyramid(image):
        np.testing.assert_allclose(level, 3e38, rtol=1e-6)
    image[0, 0] = np.inf
    for level in pool_pyramid(image):
        assert np.isposinf(level[0, 0])
        assert np.isinf(level).sum() == 1
    image[-1, -1] = -np.inf
    assert np.isnan(pool_pyramid(image)[-1]).all()


# ---------------------------------------------------------------- masks, NaN, least counts


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
@pytest.mark.parametrize("arguments", [{}, {"min_count": 3}, {"min_count": 5, "fill_value": 1}])
def test_masks(reduction, dtype, arguments):
    image = an_image((13, 22), dtype)
    mask = np.random.default_rng(5).random(image.shape) < 0.3
    mask[8:, 8:] = False
    for number, level in enumerate(pool_pyramid(image, reduction=reduction, mask=mask, **arguments)[1:], 1):
        expected = slow_level(image, number, reduction=reduction, mask=mask, **arguments)
        assert_same_level(level, expected, image, reduction)
    for number, level in enumerate(pool_pyramid(image, reduction=reduction, **arguments)[1:], 1):
        expected = slow_level(image, number, reduction=reduction, **arguments)
        assert_same_level(level, expected, image, reduction)


def test_a_mask_of_the_spatial_axes():
    image = an_image((13, 22, 3), "f4")
    mask = np.random.default_rng(5).random((13, 22)) < 0.3
    whole = np.repeat(mask[:, :, np.newaxis], 3, axis=2)
    for a, b in zip(
        pool_pyramid(image, mask=mask, channel_axis=2), pool_pyramid(image, mask=whole, channel_axis=2), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("recursive", [None, False, True])
@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
def test_masked_arrays_give_masked_levels(reduction, recursive):
    image = np.ma.MaskedArray(an_image((13, 22), "f4"), np.random.default_rng(6).random((13, 22)) < 0.9)
    levels = pool_pyramid(image, reduction=reduction, recursive=recursive, min_count=2, fill_value=7)
    assert levels[0] is image
    plain = pool_pyramid(
        image.data, reduction=reduction, mask=~image.mask, recursive=recursive, min_count=2, fill_value=7
    )
    for number, (level, expected) in enumerate(zip(levels, plain, strict=True)):
        assert type(level) is np.ma.MaskedArray
        if number:
            np.testing.assert_array_equal(level.data, expected)
            assert level.fill_value == 7
            assert (level.data[level.mask] == 7).all()
        if number == 1 or recursive is not True or reduction in _CARRIED:
            counts = skpool.count_pool(image.data, 2**number, mask=~image.mask) if number else ~image.mask * 2
            np.testing.assert_array_equal(np.ma.getmaskarray(level), counts < 2)


def test_masked_arrays_without_a_mask():
    for level in pool_pyramid(np.ma.MaskedArray(an_image((8, 8), "u1")), reduction="std", recursive=True):
        assert type(level) is np.ma.MaskedArray
        assert not np.ma.getmaskarray(level).any()


@pytest.mark.parametrize("reduction", PLAIN_REDUCTIONS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan(reduction, dtype):
    image = an_image((13, 22), dtype)
    image[2, 3] = image[9, 20] = image[8:, :8] = np.nan
    for nan_policy in ("propagate", "omit"):
        for number, level in enumerate(pool_pyramid(image, reduction=reduction, nan_policy=nan_policy)[1:], 1):
            expected = slow_level(image, number, reduction=reduction, nan_policy=nan_policy)
            assert_same_level(level, expected, image, reduction)
    with pytest.raises(ValueError, match="'raise'"):
        pool_pyramid(image, reduction=reduction, nan_policy="raise")
    finite = pool_pyramid(image, reduction=reduction, nan_policy="raise", mask=~np.isnan(image))
    for a, b in zip(
        finite[1:], pool_pyramid(image, reduction=reduction, mask=~np.isnan(image), min_count=1)[1:], strict=True
    ):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- what is carried


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "f8"])
@pytest.mark.parametrize("reduction", _CARRIED)
def test_carried_levels_are_those_from_the_image(reduction, dtype):
    image = an_image((300, 271), dtype)
    mask = np.random.default_rng(7).random(image.shape) < 0.01
    for arguments in ({}, {"mask": mask}, {"min_count": 7}):
        carried, alike, direct = (
            pool_pyramid(image, reduction=reduction, recursive=recursive, **arguments)
            for recursive in (None, True, False)
        )
        for a, b, c in zip(carried, alike, direct, strict=True):
            np.testing.assert_array_equal(a, b)
            assert_same_level(a, c, image, reduction)


@pytest.mark.parametrize("reduction", NOT_CARRIED)
def test_recursion_where_it_is_not_exact(reduction):
    image = an_image((13, 22), "f4")
    mask = np.random.default_rng(8).random(image.shape) < 0.2
    image[0, 0] = np.nan
    for arguments in ({}, {"mask": mask, "min_count": 2}, {"nan_policy": "omit"}):
        levels = pool_pyramid(image, reduction=reduction, recursive=True, **arguments)
        kept = arguments.get("mask")
        for before, level in itertools.pairwise(levels):
            expected = skpool.pool(before, 2, reduction, **arguments | {"mask": kept})
            np.testing.assert_array_equal(level, expected)
            if arguments:
                nan_policy = arguments.get("nan_policy", "propagate")
                counts = skpool.count_pool(before, 2, mask=kept, nan_policy=nan_policy)
                kept = counts >= arguments.get("min_count", 1)
    direct = pool_pyramid(image, reduction=reduction)
    for number, level in enumerate(direct[1:], 1):
        np.testing.assert_array_equal(level, skpool.pool(image, 2**number, reduction))


@pytest.mark.parametrize(
    ("reduction", "parameters"),
    [("avg", {"divisor": 3}), ("avg", {"divisor": 0.01}), ("lp", {"p": 1}), ("lp", {"p": math.inf}), ("lp", {"p": 3})],
)
@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "f8"])
def test_parameters(dtype, reduction, parameters):
    image = an_image((13, 22), dtype)
    mask = np.random.default_rng(5).random(image.shape) < 0.3
    for arguments in ({}, {"mask": mask}):
        levels = pool_pyramid(image, reduction=reduction, **arguments, **parameters)
        for number, level in enumerate(levels[1:], 1):
            expected = slow_level(image, number, reduction=reduction, **arguments, **parameters)
            assert level.dtype == expected.dtype
            np.testing.assert_allclose(level, expected, rtol=1e-5)


# ---------------------------------------------------------------- what must not matter


@given(
    hnp.arrays(
        hnp.integer_dtypes(endianness="=") | hnp.floating_dtypes(sizes=(32, 64), endianness="="),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=12),
        elements={"min_value": -100, "max_value": 100},
    ),
    st.sampled_from(sorted(PLAIN_REDUCTIONS)),
    st.integers(2, 4),
    st.integers(2, 7),
)
@relaxed
def test_workers_layouts_and_byte_order_do_not_matter(image, reduction, downscale, workers):
    before = image.copy()
    expected = pool_pyramid(image, downscale=downscale, reduction=reduction, workers=1)
    others = [
        (image, {"workers": workers}),
        (np.asfortranarray(image), {}),
        (np.flip(np.flip(image).copy()), {}),
        (np.repeat(image, 2, axis=-1)[..., ::2], {}),
        (image.astype(image.dtype.newbyteorder()), {}),
    ]
    for other, arguments in others:
        levels = pool_pyramid(other, downscale=downscale, reduction=reduction, **arguments)
        for level, same in zip(levels[1:], expected[1:], strict=True):
            assert level.dtype == same.dtype
            assert level.tobytes() == same.tobytes()
    np.testing.assert_array_equal(image, before)


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=40)),
    st.integers(2, 4),
)
@relaxed
def test_properties_of_levels(image, downscale):
    levels, low, high, total = (
        pool_pyramid(image, downscale=downscale, reduction=name) for name in ("avg", "min", "max", "sum")
    )
    for number, level in enumerate(levels):
        assert (low[number] <= level).all()
        assert (level <= high[number]).all()
        assert total[number].sum(dtype=np.int64) == image.sum(dtype=np.int64)
        assert level.shape == tuple(-(-length // downscale**number) for length in image.shape)
    assert levels[-1].size == 1
    assert low[-1].item() == image.min()
    assert high[-1].item() == image.max()


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_no_copy_of_the_image_is_made(dtype):
    image = an_image((2048, 2048), dtype)
    for arguments in ({}, {"mask": image > 5}, {"reduction": "range"}):
        pool_pyramid(image, **arguments)
        tracemalloc.start()
        pool_pyramid(image, **arguments)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.9 * image.nbytes


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "u8"])
@pytest.mark.parametrize("ties", ["smallest", "largest", "first", "center"])
def test_modes_are_those_of_whole_blocks(ties, dtype):
    """Unless levels are pooled from each other: then they are modes of modes, which is another thing."""
    differ = False
    for shape, downscale, channel_axis in [
        ((16, 24), 2, None),
        ((13, 22), 3, None),
        ((6, 9, 14), 2, 0),
        ((21,), 2, None),
    ]:
        image = np.random.default_rng(11).integers(0, 2 if dtype == "?" else 5, shape).astype(dtype)
        mask = np.random.default_rng(12).random(shape) < 0.6
        own = {"reduction": "mode", "ties": ties, "channel_axis": channel_axis, "downscale": downscale}
        for more in ({}, {"background": 0}, {"mask": mask}, {"mask": mask, "min_count": 3, "fill_value": 1}):
            direct = pool_pyramid(image, recursive=False, **own, **more)
            for number, level in enumerate(direct[1:], 1):
                window = downscale**number
                whole = skpool.mode_pool(image, window, ties=ties, channel_axis=channel_axis, **more)
                assert level.dtype == image.dtype
                np.testing.assert_array_equal(level, whole)
            for level, same in zip(pool_pyramid(image, **own, **more), direct, strict=True):
                np.testing.assert_array_equal(level, same)
            modes_of_modes = pool_pyramid(image, recursive=True, **own, **more)
            np.testing.assert_array_equal(modes_of_modes[1], direct[1])
            differ |= any((a != b).any() for a, b in zip(modes_of_modes, direct, strict=True))
    assert differ


def blocks(shape, sizes):
    """The samples of each block of an image."""
    for place in np.ndindex(*(-(-length // size) for length, size in zip(shape, sizes, strict=True))):
        yield tuple(slice(i * size, (i + 1) * size) for i, size in zip(place, sizes, strict=True))


def most_survivors(wanted, held):
    """How many labels can have a window each, of windows that hold some: a maximum matching, by SciPy."""
    graph = np.array([[label in window for window in held] for label in wanted], int)
    if not graph.size:
        return 0
    return int((csgraph.maximum_bipartite_matching(sparse.csr_array(graph), "column") >= 0).sum())


label_images = hnp.arrays(
    st.sampled_from([np.uint8, np.int16, np.uint64]),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=11),
    elements=st.integers(0, 12),
)


@given(label_images, st.integers(2, 3), st.booleans(), st.sampled_from([None, 0, 3]), st.floats(0.3, 1.3), st.data())
@settings(relaxed, max_examples=300)
def test_labels_survive_while_windows_suffice(image, downscale, recursive, background, kept, draw):
    """As many as a maximum matching of labels and windows has edges, and every winner that was alive."""
    mask = np.random.default_rng(image.size).random(image.shape) < kept
    rules = {"background": background, "min_count": draw.draw(st.integers(1, 2)), "fill_value": 12}
    rules["ties"] = draw.draw(st.sampled_from(["smallest", "largest", "first", "center"]))
    levels = pool_pyramid(
        image, downscale=downscale, reduction="mode", recursive=recursive, preserve_labels=True, mask=mask, **rules
    )
    before, alive_in = image, mask
    for number, level in enumerate(levels[1:], 1):
        source, own, block = (before, alive_in, downscale) if recursive else (image, mask, downscale**number)
        counted = skpool.count_pool(source, block, mask=own) >= rules["min_count"]
        plain = skpool.mode_pool(source, block, mask=own, **rules)
        held = [{*source[cut][own[cut]].tolist()} for cut in blocks(source.shape, (block,) * image.ndim)]
        wanted = {*before[alive_in].tolist()} - {background}
        winners, survivors = ({*array[counted].tolist()} & wanted for array in (plain, level))
        assert level.dtype == image.dtype
        np.testing.assert_array_equal(level[~counted], 12)
        for label, window, counts in zip(level.flat, held, counted.flat, strict=True):
            assert label in window or not counts
        assert winners <= survivors
        assert len(survivors) == most_survivors(
            wanted, [window for window, counts in zip(held, counted.flat, strict=True) if counts]
        )
        if winners == wanted:
            np.testing.assert_array_equal(level, plain)
        before, alive_in = level, counted


@given(
    hnp.arrays(np.uint8, st.sampled_from([(2, 4), (4, 4), (2, 2, 4), (8,), (3, 5)]), elements=st.integers(0, 9)),
    st.sampled_from([None, 0]),
)
@settings(relaxed, max_examples=150)
def test_no_choice_of_winners_keeps_more_labels(image, background):
    """By trying every label of every window."""
    level = pool_pyramid(image, 1, reduction="mode", background=background, preserve_labels=True)[1]
    choices = [np.unique(image[block]).tolist() for block in blocks(image.shape, (2,) * image.ndim)]
    best = max(len({*chosen} - {background}) for chosen in itertools.product(*choices))
    assert len({*level.ravel().tolist()} - {background}) == best


def test_who_gets_which_window():
    def kept(image, **arguments):
        return pool_pyramid(np.array(image), 1, reduction="mode", preserve_labels=True, **arguments)[1].tolist()

    # The window with the most samples; of equal ones the first in row-major order.
    assert kept([[0, 0, 9, 0, 9, 9], [0, 0, 0, 0, 0, 0]]) == [[0, 0, 9]]
    assert kept([[0, 0, 0, 9], [0, 9, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]) == [[9, 0], [0, 0]]
    # The rarest label chooses first; of equally rare ones the smallest.
    assert kept([[7, 8, 0, 0, 0, 8], [0, 0, 0, 0, 0, 0]]) == [[7, 0, 8]]
    assert kept([[7, 8, 0, 0], [8, 0, 0, 0]], background=0) == [[8, 0]]
    assert kept([[8, 0, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0]]) == [[7, 0, 0]]
    # A winner that has no other window keeps it, until it can move to one that holds it.
    assert kept([[1, 1, 2, 2], [1, 5, 2, 2]]) == [[1, 2]]
    assert kept([[1, 1, 0, 0, 0, 0], [1, 5, 1, 0, 0, 0]]) == [[5, 1, 0]]
    assert kept([[1, 1, 2, 2, 0, 0, 0, 0], [1, 5, 1, 2, 2, 0, 0, 0]]) == [[5, 1, 2, 0]]
    assert kept([0, 0, 0, 0, 0, 7, 7, 8, *[0] * 8], downscale=8) == [8, 0]
    # Who has nowhere to go does not keep others from going.
    assert kept([*[1] * 7, 5, *[0] * 7, 1, *[0] * 8, *[2] * 7, 4], downscale=8) == [5, 1, 0, 2]
    # The background need not live.
    assert kept([[0, 0, 0, 0], [4, 4, 0, 0]], background=0) == [[4, 0]]
    assert kept([[0, 0, 0, 4], [0, 0, 5, 5]]) == [[0, 5]]
    # What is masked is not there.
    mask = np.ones((2, 4), bool)
    mask[0, 0] = False
    assert kept([[9, 0, 0, 0], [0, 0, 0, 0]]) == [[9, 0]]
    assert kept([[9, 0, 0, 0], [0, 0, 0, 0]], mask=mask) == [[0, 0]]
    masked = np.ma.MaskedArray([[9, 0, 0, 0], [0, 0, 0, 8]], ~mask)
    level = pool_pyramid(masked, 1, reduction="mode", preserve_labels=True)[1]
    assert type(level) is np.ma.MaskedArray
    assert level.tolist() == [[0, 8]]


@pytest.mark.parametrize("recursive", [None, True])
@pytest.mark.parametrize("channel_axis", [0, 1, 2])
def test_channels_of_labels_are_images_of_their_own(channel_axis, recursive):
    rng = np.random.default_rng(13)
    channels = [rng.integers(0, 40, (12, 15)) for _ in range(3)]
    mask = rng.random((12, 15)) < 0.8
    own = {"reduction": "mode", "preserve_labels": True, "recursive": recursive, "mask": mask}
    alone = [pool_pyramid(channel, **own) for channel in channels]
    levels = pool_pyramid(np.stack(channels, channel_axis), channel_axis=channel_axis, **own)
    for level, expected in zip(levels, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(level, np.stack(expected, channel_axis))
    assert any(
        (a != b).any()
        for a, b in zip(alone[0], pool_pyramid(channels[0], **own | {"preserve_labels": False}), strict=True)
    )


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", ">i4", "i8"])
def test_labels_of_every_type(dtype):
    """Labels that float64 cannot tell apart; layouts, workers and the order of bytes do not matter."""
    rng = np.random.default_rng(14)
    small = rng.integers(0, 2 if dtype == "?" else 60, (40, 41))
    base = {"u8": 2**63 + 7, "i8": -(2**63), "i1": -30}.get(dtype, 0)
    image = small.astype(dtype) + np.array(base, dtype) if base else small.astype(dtype)
    before = image.copy()
    expected = pool_pyramid(small, reduction="mode", preserve_labels=True)
    for other, workers in ((image, 1), (np.asfortranarray(image), 3), (image[::-1].copy()[::-1], None)):
        levels = pool_pyramid(other, reduction="mode", preserve_labels=True, workers=workers)
        for number, (level, same) in enumerate(zip(levels, expected, strict=True)):
            if number:
                np.testing.assert_array_equal(level, same.astype(level.dtype) + np.array(base, level.dtype))
    np.testing.assert_array_equal(image, before)


def test_many_labels_of_a_large_image():
    """Every label lives as long as there are as many windows as labels; plain modes lose most of them."""
    image = np.zeros((1024, 1024), np.int32)
    places = (
        np.stack(np.unravel_index(np.random.default_rng(15).permutation(image.size // 64)[:900], (128, 128)), 1) * 8
    )
    image[places[:, 0], places[:, 1]] = np.arange(1, 901)
    image[::16] += np.int32(2000) * (image[::16] == 0)
    plain = pool_pyramid(image, 3, reduction="mode")
    levels = pool_pyramid(image, 3, reduction="mode", preserve_labels=True)
    assert len(np.unique(plain[-1])) <= 2
    for level in levels:
        assert len(np.unique(level)) == 902
    assert ((plain[-1] != levels[-1]).sum()) <= 902


@pytest.mark.parametrize("shape", [(0,), (0, 4), (1,), (1, 1), (3, 0, 5)])
def test_labels_of_small_images(shape):
    for recursive in (None, True):
        plain, kept = (
            pool_pyramid(np.ones(shape, int), reduction="mode", recursive=recursive, preserve_labels=preserve)
            for preserve in (False, True)
        )
        for a, b in zip(plain, kept, strict=True):
            np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- which levels there are


@pytest.mark.parametrize("shape", [(512, 512), (5, 7), (1, 9), (100, 3), (64, 64, 64), (1, 1)])
@pytest.mark.parametrize("downscale", [2, 3])
@pytest.mark.parametrize("max_layer", [-1, 0, 1, 3, 50])
def test_levels_are_those_of_scikit_image(shape, downscale, max_layer):
    theirs = transform.pyramid_gaussian(np.zeros(shape), max_layer, downscale)
    ours = pool_pyramid(np.zeros(shape), max_layer, downscale)
    assert [level.shape for level in ours] == [level.shape for level in theirs]


@pytest.mark.parametrize(
    ("shape", "arguments", "shapes"),
    [
        ((100, 80), {"min_size": 20}, [(100, 80), (50, 40), (25, 20)]),
        ((100, 80), {"min_size": 21}, [(100, 80), (50, 40)]),
        ((100, 80), {"min_size": 100}, [(100, 80)]),
        ((1, 80), {"min_size": 20}, [(1, 80), (1, 40), (1, 20)]),
        ((3, 80), {"min_size": 20, "downscale": (1, 2)}, [(3, 80), (3, 40), (3, 20)]),
        ((3, 80), {"min_size": 20, "channel_axis": 0}, [(3, 80), (3, 40), (3, 20)]),
        ((3, 80), {"downscale": 1}, [(3, 80)]),
        ((4, 6), {"downscale": 2**31 - 1}, [(4, 6), (1, 1)]),
        ((4, 6), {"downscale": (2**31 - 1, 1)}, [(4, 6), (1, 6)]),
        ((0, 4), {}, [(0, 4), (0, 2), (0, 1)]),
        ((0,), {}, [(0,)]),
        ((2, 9), {"max_layer": 3}, [(2, 9), (1, 5), (1, 3), (1, 2)]),
    ],
)
def test_shapes_of_levels(shape, arguments, shapes):
    for reduction in ("avg", "max", "std"):
        levels = pool_pyramid(np.ones(shape, np.float32), reduction=reduction, **arguments)
        assert [level.shape for level in levels] == shapes
        masked = pool_pyramid(np.ones(shape, np.uint8), reduction=reduction, mask=np.ones(shape, bool), **arguments)
        assert [level.shape for level in masked] == shapes
    assert len(pyramid_transforms(shape, **arguments)) == len(shapes)


def test_lists_are_images():
    levels = pool_pyramid([[1, 2], [3, 6]], reduction="max")
    assert [level.tolist() for level in levels] == [[[1, 2], [3, 6]], [[6]]]


# ---------------------------------------------------------------- transforms


def test_transforms_are_the_centres_of_windows():
    shape, downscale = (3, 64, 81, 40), (2, 3, 4)
    transforms = pyramid_transforms(shape, 3, downscale, channel_axis=0)
    levels = pool_pyramid(np.zeros(shape), 3, downscale, channel_axis=0)
    for number, ((scale, translation), level) in enumerate(zip(transforms, levels, strict=True)):
        assert (scale[0], translation[0]) == (1, 0)
        assert all(type(value) is float for value in (*scale, *translation))
        centers = skpool.pooled_coords(shape, product_of(downscale, number, 3), channel_axis=0)
        for axis, center in enumerate(centers, 1):
            np.testing.assert_array_equal(np.arange(level.shape[axis]) * scale[axis] + translation[axis], center)


def test_transforms_place_a_ramp_where_it_was():
    """Averages of coordinates are the coordinates of centres, wherever blocks are whole."""
    rows, columns = np.mgrid[:64, :48].astype(float)
    transforms = pyramid_transforms((64, 48), 4)
    for axis, ramp in enumerate((rows, columns)):
        for (scale, translation), level in zip(transforms, pool_pyramid(ramp, 4), strict=True):
            index = np.indices(level.shape)[axis]
            np.testing.assert_allclose(level, index * scale[axis] + translation[axis], rtol=1e-13)


# ---------------------------------------------------------------- errors

IMAGE = np.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"max_layer": 1.5}, TypeError, ["`max_layer`", "1.5"]),
        ({"max_layer": None}, TypeError, ["`max_layer`"]),
        ({"max_layer": -2}, ValueError, ["`max_layer`", ">= -1", "-2"]),
        ({"downscale": 0}, ValueError, ["`downscale`", ">= 1", "0"]),
        ({"downscale": 1.5}, TypeError, ["`downscale`", "1.5"]),
        ({"downscale": (2, 2, 2)}, ValueError, ["`downscale`", "2 spatial axes", "got 3"]),
        ({"downscale": (2, 2), "channel_axis": 0}, ValueError, ["`downscale`", "1 spatial axes"]),
        ({"downscale": 2**31}, ValueError, ["`downscale`"]),
        ({"min_size": 0}, ValueError, ["`min_size`", ">= 1", "0"]),
        ({"min_size": "1"}, TypeError, ["`min_size`"]),
        ({"recursive": "yes"}, TypeError, ["`recursive`", "'yes'"]),
        ({"recursive": 1}, TypeError, ["`recursive`", "1"]),
        ({"reduction": "mean"}, ValueError, ["`reduction`", "'mean'"]),
        ({"reduction": 3}, TypeError, ["`reduction`"]),
        ({"channel_axis": 2}, ValueError, ["`channel_axis`", "2"]),
        ({"channel_axis": 1.0}, TypeError, ["`channel_axis`"]),
        ({"nan_policy": "drop"}, ValueError, ["`nan_policy`", "'drop'"]),
        ({"nan_policy": None}, TypeError, ["`nan_policy`"]),
        ({"min_count": 0}, ValueError, ["`min_count`", "0"]),
        ({"fill_value": "x"}, TypeError, ["`fill_value`"]),
        ({"reduction": "count", "fill_value": 1.5}, ValueError, ["`fill_value`", "int64", "1.5"]),
        ({"workers": 0}, ValueError, ["`workers`", "0"]),
        ({"workers": 1.0}, TypeError, ["`workers`"]),
        ({"mask": np.ones((4, 6))}, TypeError, ["`mask`", "float64"]),
        ({"mask": np.ones((4, 5), bool)}, ValueError, ["`mask`", "(4, 5)"]),
        ({"stride": 2}, TypeError, ["`stride`", "'avg'"]),
        ({"dtype": "f4"}, TypeError, ["`dtype`"]),
        ({"reduction": "max", "return_indices": True}, TypeError, ["`return_indices`", "'max'"]),
        ({"divisor": 0}, ValueError, ["`divisor`", "0"]),
        ({"preserve_labels": 1}, TypeError, ["`preserve_labels`", "True or False", "1"]),
        ({"preserve_labels": None}, TypeError, ["`preserve_labels`", "None"]),
        ({"preserve_labels": True}, ValueError, ["`preserve_labels`", "'mode'", "'avg'"]),
        ({"preserve_labels": True, "reduction": "max"}, ValueError, ["`preserve_labels`", "'mode'", "'max'"]),
        ({"preserve_labels": True, "reduction": "mode"}, ValueError, ["`preserve_labels`", "labels", "float64"]),
    ],
    ids=str,
)
def test_bad_arguments(arguments, error, parts):
    for more in ({}, {"max_layer": 0} if "max_layer" not in arguments else {}):
        with pytest.raises(error) as caught:
            pool_pyramid(IMAGE, **arguments | more)
        assert type(caught.value) is error
        for part in parts:
            assert part in str(caught.value)


@pytest.mark.parametrize("image", [np.ones((2, 2), complex), "image", np.array([None])])
def test_bad_images(image):
    with pytest.raises(TypeError, match="`image`"):
        pool_pyramid(image)


@pytest.mark.parametrize(("image", "arguments"), [(3.0, {}), (np.ones(3), {"channel_axis": 0})])
def test_images_without_spatial_axes(image, arguments):
    with pytest.raises(ValueError, match="`image` must have at least one"):
        pool_pyramid(image, **arguments)


@pytest.mark.parametrize(
    ("shape", "arguments", "error", "part"),
    [
        (5, {}, TypeError, "`shape`"),
        ("44", {}, TypeError, "`shape`"),
        ((4, 1.5), {}, TypeError, "`shape`"),
        ((4, -1), {}, ValueError, "`shape`"),
        ((), {}, ValueError, "`shape`"),
        ((4,), {"channel_axis": 0}, ValueError, "`shape`"),
        ((4, 4), {"channel_axis": 2}, ValueError, "`channel_axis`"),
        ((4, 4), {"downscale": (2,)}, ValueError, "`downscale`"),
        ((4, 4), {"max_layer": -3}, ValueError, "`max_layer`"),
        ((4, 4), {"min_size": 0}, ValueError, "`min_size`"),
    ],
)
def test_bad_arguments_of_transforms(shape, arguments, error, part):
    with pytest.raises(error, match=part):
        pyramid_transforms(shape, **arguments)


# ---------------------------------------------------------------- real images


@pytest.mark.parametrize(
    ("name", "channel_axis"), [("camera", None), ("astronaut", -1), ("coins", None), ("binary_blobs", None)]
)
def test_photographs_keep_their_mean_and_their_look(name, channel_axis):
    image = getattr(data, name)()
    levels = pool_pyramid(image, channel_axis=channel_axis)
    spatial = [axis for axis in range(image.ndim) if channel_axis is None or axis != channel_axis % image.ndim]
    for number, level in enumerate(levels[:6]):
        if all(image.shape[axis] % 2**number == 0 for axis in spatial):
            np.testing.assert_allclose(level.mean(tuple(spatial)), image.mean(tuple(spatial)), atol=0.25)
        block = [2**number if axis in spatial else 1 for axis in range(image.ndim)]
        if number:
            theirs = transform.downscale_local_mean(image, tuple(block))
            whole = tuple(slice(0, length // size) for length, size in zip(image.shape, block, strict=True))
            assert np.abs(level[whole] - theirs[whole]).max() <= 0.5
