"""dask arrays: lazy, the same bits for any chunks, one task for each chunk of the result."""

import itertools
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from plans import required

import skpool
from skpool import merging, reference
from skpool.backends import cpu
from skpool.backends.chunked import output_chunks
from skpool.backends.order import ORDERS
from skpool.plan import make_plan
from skpool.reductions import REDUCTIONS
from skpool.windows import PADDING_MODES, Bins, Sliding, adaptive, sliding

pytestmark = pytest.mark.slow

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

SHAPE = (23, 31)
CHUNKS = (
    (23, 31),
    (8, 10),
    (1, 31),
    ((3, 0, 9, 1, 10), (0, 17, 14)),
    ((22, 1), (1, 1, 1, 28)),
)

#: Where windows are: what a call is given.
GEOMETRIES = {
    "2/2": {"window_shape": 2},
    "3/2": {"window_shape": 3, "stride": 2},
    "3/1 padded": {"window_shape": 3, "stride": 1, "padding": 1},
    "same": {"window_shape": (4, 5), "stride": (1, 3), "padding": "same"},
    "dilated": {"window_shape": (3, 2), "stride": (2, 1), "dilation": (2, 7), "padding": (3, 2)},
    "padding wider than the image": {"window_shape": (5, 2), "stride": (4, 7), "padding": ((30, 3), (1, 50))},
    "gaps": {"window_shape": 2, "stride": 7, "ceil_mode": False},
    "large": {"window_shape": (19, 25), "stride": 3},
}


def an_image(dtype="float64", shape=SHAPE, specials=True):
    """Noise with ties, and with what floats have besides."""
    rng = np.random.default_rng(5)
    image = rng.normal(scale=100, size=shape).round(1)
    if np.dtype(dtype).kind == "f" and specials:
        odd = rng.random(shape)
        image[odd < 0.02] = np.nan
        image[odd > 0.98] = -np.inf
        image[(odd > 0.5) & (odd < 0.53)] = -0.0
    if np.dtype(dtype).kind == "b":
        return image > 0
    return image.astype(dtype) if np.dtype(dtype).kind == "f" else image.astype(np.int64).astype(dtype)


def computed(result):
    """What a lazy result, or a pair of them, is; with the chunks and types that it said."""
    arrays = result if isinstance(result, tuple | list) else (result,)
    assert all(isinstance(array, da.Array) for array in arrays)
    values = dask.compute(*arrays, scheduler="sync")
    for array, value in zip(arrays, values, strict=True):
        assert value.dtype == array.dtype == array._meta.dtype
        assert type(value) is type(array._meta)
        assert value.shape == array.shape
        assert all(min(sizes) > 0 for sizes in array.chunks) or 0 in array.shape
        for block in itertools.islice(np.ndindex(*array.numblocks), 1 if array.ndim else 0):
            assert array.blocks[block].compute(scheduler="sync").shape == array.blocks[block].shape
    return values if isinstance(result, tuple | list) else values[0]


def same_bits(found, expected):
    """Whether results are equal bit for bit, all NaN being one."""
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            same_bits(*pair)
        return
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(expected))
    found, expected = np.ma.getdata(found), np.ma.getdata(expected)
    np.testing.assert_array_equal(found, expected)
    if expected.dtype.kind == "f":
        real = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found[real]), np.signbit(expected[real]))


def with_ties(dtype, shape):
    """Few values, zeros of both signs among them."""
    image = an_image(dtype, shape)
    return image if image.dtype.kind == "b" else image.round(-2)


def chunked(image, chunks):
    return da.from_array(image, chunks=chunks)


# ---------------------------------------------------------------- every public function

WEIGHTS = np.outer([1, 2], [3, 5])
FULL = np.random.default_rng(3).random(SHAPE)
LABELS = np.indices(SHAPE).sum(axis=0) // 9
BOXES = np.array(
    [[0, 0, 9, 7.5], [3.2, 4.1, 20.9, 30], [-5, 25, 3, 40], [30, 40, 31, 41], [5, 6, 5, 6], [1, 1, 22, 30]]
)
INDICES = np.random.default_rng(4).integers(-1, 99 * 70, SHAPE)

#: What takes no image.
WITHOUT_IMAGE = {
    *("patch_skimage", "patched", "pooled_coords", "pooled_shape", "pyramid_transforms", "rmac_regions"),
    *("show_config", "unpatch_skimage"),
}

#: Arguments of each function after the image, and others of which each call differs in one; those that are not here
#: are called without any.
ARGUMENTS = {
    "adaptive_pool": ([(4, 5)], {"reduction": "std", "bins": "area", "min_count": 3, "mask": FULL > 0.5}),
    "avg_unpool": ([(46, 61), 2], {"dtype": "uint8"}),
    "block_reduce": ([(3, 4), np.max], {"cval": 9}),
    "blur_pool": ([], {"size": 5, "stride": 3, "mode": "edge", "max_window": 2, "min_count": 2}),
    "corner_pool": (["left"], {"nan_policy": "omit", "mask": FULL > 0.5}),
    "downscale_local_mean": ([(3, 4)], {"cval": 9}),
    "fractional_max_pool": ([], {"ratio": 1.5, "rng": 1, "overlapping": True, "pseudo_random": False}),
    "global_pool": ([], {"reduction": "var", "channel_axis": 1, "min_count": 3, "weights": FULL, "keepdims": True}),
    "max_unpool": ([INDICES, (99, 70)], {"fill_value": 4}),
    "pool": ([], {"reduction": "var", "window_shape": 3, "stride": 1, "dilation": 2, "dtype": "float64"}),
    "pool_pyramid": ([2], {"downscale": 3, "reduction": "median", "channel_axis": 1, "mask": FULL > 0.5}),
    "position_sensitive_roi_pool": ([BOXES, (1, 3)], {}),
    "precise_roi_pool": ([BOXES, (2, 3)], {"aligned": False}),
    "region_pool": ([LABELS, "max"], {"labels": [2, 1], "background": 3, "fill_value": 4, "mask": FULL > 0.5}),
    "region_unpool": ([LABELS], {"fill_value": 4, "background": 2}),
    "roi_align": ([BOXES, (2, 3)], {"sampling_ratio": 2, "aligned": False, "reduction": "max"}),
    "roi_pool": ([BOXES, (2, 3)], {"reduction": "sum", "inclusive": True, "fill_value": 4}),
    "spatial_pyramid_pool": ([], {"levels": (1, 3), "reduction": "avg", "weights": "matching", "rule": "he2014"}),
    "strip_pool": ([0], {"reduction": "std", "keepdims": True, "mask": FULL > 0.5}),
    "weighted_avg_pool": ([WEIGHTS], {"stride": 1, "padding": 1, "image_weights": FULL, "cval": 3, "min_count": 2}),
}


def example(name):
    """An image, what else a function takes, and calls of which each has one argument more."""
    positional, others = ARGUMENTS.get(name, ([], {}))
    keywords = {}
    image = an_image("float32", specials=False)
    if name.startswith("adaptive_") and name not in ARGUMENTS:
        positional = [(4, 5)]
    if name in ("percentile_pool", "adaptive_percentile_pool", "global_percentile_pool"):
        keywords, others = {"q": 30}, {"method": "lower"}
    if name == "position_sensitive_roi_pool":
        image = an_image("float32", (*SHAPE, 6), specials=False)
    if name == "region_unpool":
        image = image[0, : LABELS.max()]
    if name == "fractional_max_pool":
        keywords = {"ratio": 2.5, "rng": 0}
    return image, positional, keywords, others


#: What is refused in several chunks.
SORTED_WHOLE = {f"global_{name}_pool" for name in ORDERS}


def in_some_chunks(image):
    return chunked(image, (8, 10, 4)[: image.ndim])


def in_other_chunks(image):
    return chunked(image, tuple((1, n // 2, n - n // 2 - 1) for n in image.shape))


def never_computed(image):
    """A dask array like an image, that must not be looked at."""

    def refuse(block):
        raise AssertionError("computed too early")

    lazy = in_some_chunks(image)
    return lazy.map_blocks(refuse, dtype=image.dtype, meta=np.empty((0,) * image.ndim, image.dtype))


@pytest.mark.parametrize("name", sorted(set(skpool.__all__) - WITHOUT_IMAGE))
def test_every_public_function(name):
    """Lazy, with the type and shape that it says, the same bits for several chunks, under names of all arguments."""
    function = getattr(skpool, name)
    image, positional, keywords, others = example(name)
    if name in SORTED_WHOLE:
        with pytest.raises(NotImplementedError, match=r"several chunks.* rechunk"):
            function(in_some_chunks(image), **keywords)
        found = function(chunked(image, (-1, 8)), channel_axis=1, **keywords)
        same_bits(computed(found), function(image, channel_axis=1, **keywords))
        return
    arrays = function(never_computed(image), *positional, **keywords)
    skipped = isinstance(arrays, list)  # the first level is the image
    for array in arrays[1:] if skipped else [arrays]:
        assert isinstance(array, da.Array)
        assert array._meta.shape == (0,) * array.ndim
    names = []
    for given in ({}, *({key: value} for key, value in others.items())):
        whole, first, again, other = (
            function(array, *positional, **keywords | given)
            for array in (image, in_some_chunks(image), in_some_chunks(image), in_other_chunks(image))
        )
        for found in (first, other):
            values, expected = (computed(found[1:]), whole[1:]) if skipped else (computed(found), np.asarray(whole))
            same_bits(values, expected)
        unlike = [(array[-1] if skipped else array).name for array in (first, other)]
        assert (again[-1] if skipped else again).name == unlike[0]
        names += unlike
    assert len(set(names)) == len(names)


# ---------------------------------------------------------------- any chunks, the same bits


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_windows(reduction, geometry):
    image = an_image("float32")
    for number, (chunks, mode) in enumerate(itertools.product(CHUNKS[1:], PADDING_MODES)):
        if number % 3 == len(geometry) % 3:  # the whole product takes minutes
            given = GEOMETRIES[geometry] | required(reduction) | {"mode": mode, "cval": 7}
            expected = skpool.pool(image, reduction=reduction, **given)
            same_bits(computed(skpool.pool(chunked(image, chunks), reduction=reduction, **given)), expected)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint64", "float16", ">f4", "<f8"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_types(reduction, dtype):
    image, given = an_image(dtype), required(reduction)
    for keywords in ({}, {"dtype": "float16"}, {"dtype": "int16"}):
        expected = skpool.pool(image, 3, reduction, stride=2, **keywords, **given)
        found = skpool.pool(chunked(image, (7, 9)), 3, reduction, stride=2, **keywords, **given)
        same_bits(computed(found), expected)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("reduction", [name for name, row in REDUCTIONS.items() if row.indices])
def test_indices_are_those_of_the_whole_image(reduction, mode, chunks):
    image = an_image("float32").round()
    for geometry in GEOMETRIES.values():
        given = geometry | {"mode": mode, "return_indices": True, "nan_policy": "omit"}
        expected = skpool.pool(image, reduction=reduction, **given)
        same_bits(computed(skpool.pool(chunked(image, chunks), reduction=reduction, **given)), expected)


@pytest.mark.parametrize("channel_axis", [None, 0, 1, -1])
@pytest.mark.parametrize("reduction", ["max", "avg", "soft", "median", "mode"])
def test_axes_and_channels(reduction, channel_axis):
    image = an_image("float32", (9, 40, 11), specials=False)
    mask = np.random.default_rng(1).random(image.shape) < 0.7
    for chunks in ((4, 13, 3), (9, 40, 1), (1, 20, 11)):
        for window in (2, 3):
            given = {"stride": 2, "channel_axis": channel_axis, "mask": mask, "min_count": 2}
            expected = skpool.pool(image, window, reduction, **given)
            same_bits(computed(skpool.pool(chunked(image, chunks), window, reduction, **given)), expected)


@pytest.mark.parametrize("columns", [3, 32, 33, 70])
@pytest.mark.parametrize("padding", [0, ((1, 1), (0, 0), (0, 1))])
def test_an_axis_left_alone_is_taken_for_channels_or_not_whatever_its_chunks(columns, padding):
    """Up to 32 samples it is part of the row, which decides in what order floats are added."""
    image = an_image("float32", (30, 9, columns), specials=False)
    given = {"window_shape": (5, 7, 1), "stride": (2, 1, 1), "padding": padding, "mode": "edge"}
    same_bits(computed(skpool.avg_pool(chunked(image, (11, 4, 5)), **given)), skpool.avg_pool(image, **given))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64"])
def test_large_windows_add_up_in_the_same_order(dtype):
    image = an_image(dtype, (150, 170), specials=False)
    for window, stride in ((63, 1), ((100, 3), 7), ((3, 129), (5, 11))):
        for reduction in ("avg", "sum", "var"):
            given = {"stride": stride, "padding": 1, "mode": "reflect"}
            expected = skpool.pool(image, window, reduction, **given)
            same_bits(computed(skpool.pool(chunked(image, (40, 37)), window, reduction, **given)), expected)


@pytest.mark.parametrize("reduction", ["median", "max", "avg", "mode", "entropy"])
def test_footprints(reduction):
    ring = np.array([[0, 1, 1], [1, 0, 1], [0, 1, 0]])
    image = an_image("float32")
    for chunks, mode in itertools.product(CHUNKS, PADDING_MODES):
        given = {"footprint": ring, "stride": (1, 2), "padding": 2, "mode": mode}
        expected = skpool.pool(image, reduction=reduction, **given)
        same_bits(computed(skpool.pool(chunked(image, chunks), reduction=reduction, **given)), expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("bins", ["overlap", "disjoint"])
def test_adaptive(reduction, bins):
    image, given = an_image("float32"), {"reduction": reduction, "bins": bins} | required(reduction)
    for shape, chunks in itertools.product([(5, 7), 1, (None, 40), (60, 3)], CHUNKS):
        expected = skpool.adaptive_pool(image, shape, **given)
        same_bits(computed(skpool.adaptive_pool(chunked(image, chunks), shape, **given)), expected)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("pseudo_random", [False, True])
def test_fractional(pseudo_random, overlapping):
    image = an_image("float32")
    given = {"ratio": 1.6, "rng": 3, "pseudo_random": pseudo_random, "overlapping": overlapping}
    expected = skpool.fractional_max_pool(image, return_indices=True, **given)
    for chunks in CHUNKS:
        found = skpool.fractional_max_pool(chunked(image, chunks), return_indices=True, **given)
        same_bits(computed(found), expected)


lengths = st.integers(1, 25)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_any_geometry_and_any_chunks(data):
    shape = data.draw(st.tuples(lengths, lengths))
    image = an_image("float32", shape)
    window = data.draw(st.tuples(*(st.integers(1, length) for length in shape)))
    given = {
        "window_shape": window,
        "stride": data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6))),
        "padding": data.draw(st.tuples(*[st.tuples(st.integers(0, 9), st.integers(0, 9))] * 2) | st.just("same")),
        "ceil_mode": data.draw(st.booleans()),
        "mode": data.draw(st.sampled_from(sorted(PADDING_MODES))),
    }
    chunks = []
    for length in shape:
        cuts = sorted(data.draw(st.sets(st.integers(1, length - 1)))) if length > 1 else []
        chunks.append(tuple(np.diff([0, *cuts, length]).tolist()))
    reduction = data.draw(st.sampled_from(["max", "avg", "median", "sum"]))
    expected = skpool.pool(image, reduction=reduction, **given)
    same_bits(computed(skpool.pool(chunked(image, tuple(chunks)), reduction=reduction, **given)), expected)


slidings = st.tuples(
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from(sorted(PADDING_MODES)),
).map(lambda given: Sliding(*given))
bins = st.tuples(st.tuples(st.integers(1, 15), st.integers(1, 15)), st.sampled_from(["overlap", "disjoint"])).map(
    lambda given: Bins(*given)
)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_a_part_of_a_plan_equals_the_part_of_the_whole(data):
    """Without dask: by the slow twin too."""
    image = an_image("float32", (9, 12))
    layout = data.draw(slidings | bins)
    plan = make_plan(image.shape, image.dtype, "max", layout, cval=3)
    outputs = []
    for count in plan.shape:
        start = data.draw(st.integers(0, count - 1))
        outputs.append(slice(start, data.draw(st.integers(start + 1, count))))
    part = plan.take(outputs)
    samples = image[np.ix_(*(run.sources for run in part.runs))]
    whole, places = reference.run(plan, image, return_indices=True)
    values, found = reference.run(part.plan, samples, return_indices=True)
    same_bits(values, whole[tuple(outputs)])
    same_bits(part.of_image(found), places[tuple(outputs)])
    fast = np.empty(part.plan.shape, np.int64)
    same_bits(cpu.run(part.plan, samples, places=fast, workers=1), whole[tuple(outputs)])
    same_bits(part.of_image(fast), places[tuple(outputs)])


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_weights(chunks):
    image = an_image("float32", specials=False)
    lazy = chunked(image, chunks)
    for weights in (np.outer([1, 2, 1], [1, 5, 3]), [[1, 2], [3, 5]]):
        for given in ({"stride": 1, "padding": 2, "mode": "reflect"}, {"mask": image > 0}, {"min_count": 2}):
            found = skpool.weighted_avg_pool(lazy, weights, **given)
            same_bits(computed(found), skpool.weighted_avg_pool(image, weights, **given))
    same_bits(computed(skpool.blur_pool(lazy, 5)), skpool.blur_pool(image, 5))
    given = {"max_window": 2, "mask": image > 0}
    same_bits(computed(skpool.blur_pool(lazy, **given)), skpool.blur_pool(image, **given))


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_strips_and_grids(chunks):
    image = an_image("float32")
    lazy = chunked(image, chunks)
    for axis, keepdims in ((0, False), (-1, True)):
        expected = skpool.strip_pool(image, axis, "std", keepdims=keepdims)
        same_bits(computed(skpool.strip_pool(lazy, axis, "std", keepdims=keepdims)), expected)
    for given in ({}, {"levels": (1, 3), "weights": [1, 0.5]}, {"channel_axis": 0}):
        found = computed(skpool.spatial_pyramid_pool(lazy, **given))
        same_bits(found, skpool.spatial_pyramid_pool(image, **given))


# ---------------------------------------------------------------- whole images

#: Reductions whose samples are folded, not sorted.
FOLDED = [name for name in REDUCTIONS if name not in ORDERS]


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint64", "float16", ">f4"])
@pytest.mark.parametrize("reduction", FOLDED)
def test_global(reduction, dtype, monkeypatch):
    monkeypatch.setattr(merging, "_FEW", 0)
    image = an_image(dtype, (23, 17, 9))
    mask = np.random.default_rng(0).random(image.shape) < 0.3
    mask[:, :, 4] = False
    mask[:5] = False
    chunkings = itertools.cycle((5, ((0, 9, 14), 17, 9), (23, 4, 1), (2, (1, 15, 1), 4)))
    countings = ({}, {"mask": mask}, {"nan_policy": "omit"}, {"min_count": 200, "mask": mask, "fill_value": 1})
    for channel_axis, counting in itertools.product((None, 0, 1, 2), countings):
        given = {"reduction": reduction, "channel_axis": channel_axis, "keepdims": channel_axis == 1} | counting
        given |= {"return_indices": True} if REDUCTIONS[reduction].indices else {}
        found = computed(skpool.global_pool(chunked(image, next(chunkings)), **given))
        expected = skpool.global_pool(image, **given)
        same_bits(*(tuple(map(np.asarray, r)) if isinstance(r, tuple) else np.asarray(r) for r in (found, expected)))


SHAPES_OF_TREES = (
    ((300, 40), None),
    ((3, 130, 20), 0),
    ((70, 3, 50), 1),
    ((90, 35, 2), 2),
    ((7, 31, 20), None),
    ((3, 5, 40, 6), None),
    ((5, 40, 1, 6), 2),
    ((2000,), None),
    ((1, 1500), None),
    ((1500, 1), None),
)


@pytest.mark.parametrize("reduction", FOLDED)
def test_global_in_chunks_that_are_no_parts_of_the_tree(reduction):
    """Rows of a part are many chunks' or few of one, and cross the ends of planes."""
    rng = np.random.default_rng(1)
    for number, (shape, channel_axis) in enumerate(SHAPES_OF_TREES):
        image = (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)).astype("float32")
        calls = (64, {}), (33, {"mask": rng.random(shape) < 0.7}), (5, {"dtype": "float64"}), (70, {"dtype": "float16"})
        for rows, given in calls[number % 2 :: 2]:
            lazy = chunked(image, tuple(min(rows, n) if n > 40 else (n + 1) // 2 for n in shape))
            given |= {"channel_axis": channel_axis}
            expected = skpool.global_pool(image, reduction, **given)
            same_bits(np.asarray(computed(skpool.global_pool(lazy, reduction, **given))), np.asarray(expected))


@pytest.mark.parametrize("reduction", ["max", "var", "avg"])
def test_global_of_masked_arrays(reduction):
    image = an_image("float32", (40, 30, 4), specials=False)
    image = np.ma.MaskedArray(image, np.random.default_rng(2).random(image.shape) < 0.6)
    image[:, :, 2] = np.ma.masked
    mask = image.data > 10
    for given in ({}, {"mask": mask, "min_count": 40}):
        given |= {"channel_axis": 2}
        found = computed(skpool.global_pool(chunked(image, (9, 30, 3)), reduction, **given))
        same_bits(found, skpool.global_pool(image, reduction, **given))


def test_global_is_one_task_for_each_part_and_a_tree():
    pooled = skpool.global_pool(da.zeros((2000, 2000), chunks=(128, 1000)), "var", channel_axis=None, keepdims=True)
    assert len(own_tasks(pooled)) == 2 * (16 + 2 + 1) + 1
    assert max(map(len, pooled.dask.get_all_dependencies().values())) <= 8


def test_counts_wider_than_32_bits(monkeypatch):
    image, mask = an_image("float32"), np.random.default_rng(0).random(SHAPE) < 0.5
    given = {"mask": mask, "channel_axis": 1, "min_count": 9}
    expected = skpool.global_pool(image, "avg", **given), skpool.avg_pool(image, 5, mask=mask, stride=2)
    monkeypatch.setattr(merging, "_FEW", 0)
    monkeypatch.setattr(cpu, "MOST_IN_32_BITS", 3)
    for made in (cpu._program, cpu._program_of_part):
        made.cache_clear()
    same_bits(computed(skpool.global_pool(chunked(image, 5), "avg", **given)), expected[0])
    same_bits(skpool.avg_pool(image, 5, mask=mask, stride=2), expected[1])
    for made in (cpu._program, cpu._program_of_part):
        made.cache_clear()


def test_powers_beyond_the_range_are_refused_when_they_are_computed():
    image = np.random.default_rng(0).random((50, 40))
    for scale, given in ((1e-200, {"reduction": "lp"}), (1e200, {"reduction": "gem", "p": 2, "eps": 1e-300})):
        pooled = skpool.global_pool(chunked(image * scale, 20), **given)
        with pytest.raises(NotImplementedError, match="powers that float64 cannot hold"):
            pooled.compute()
    for odd in (np.zeros((50, 40)), np.full((50, 40), np.inf)):
        same_bits(np.asarray(skpool.global_pool(chunked(odd, 20), "lp").compute()), skpool.global_pool(odd, "lp"))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "float16", "float32", "float64", "bool"])
@pytest.mark.parametrize("reduction", ["max", "count", "sum", "avg"])
def test_global_of_another_type(reduction, dtype, monkeypatch):
    monkeypatch.setattr(merging, "_FEW", 0)
    for image in (an_image("int16"), an_image("uint8"), an_image("bool")):
        expected = skpool.global_pool(image, reduction, dtype=dtype, channel_axis=0)
        found = skpool.global_pool(chunked(image, 5), reduction, dtype=dtype, channel_axis=0)
        same_bits(computed(found), expected)
    divided = skpool.global_avg_pool(chunked(an_image("int16"), 5), divisor=7, channel_axis=0, dtype=dtype)
    same_bits(computed(divided), skpool.global_avg_pool(an_image("int16"), divisor=7, channel_axis=0, dtype=dtype))


@pytest.mark.parametrize("reduction", ["sum", "max", "range", "avg"])
@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_global_of_wide_integers(dtype, reduction, monkeypatch):
    monkeypatch.setattr(merging, "_FEW", 0)
    image = np.random.default_rng(0).integers(0, 2**63 - 1, SHAPE).astype(dtype)
    found = skpool.global_pool(chunked(image, 5), reduction, channel_axis=1)
    same_bits(computed(found), skpool.global_pool(image, reduction, channel_axis=1))


@pytest.mark.parametrize("dtype", ["uint8", "bool", ">f4", "float64"])
@pytest.mark.parametrize("channel_axis", [None, 0, 2])
def test_the_largest_samples(channel_axis, dtype):
    shape = (9, 14, 12)
    image, mask = an_image(dtype, shape), np.random.default_rng(0).random(shape) < 0.3
    for k, counting in itertools.product(
        (1, 7, 5000), ({}, {"mask": mask}, {"nan_policy": "omit"}, {"mask": mask, "min_count": 40, "fill_value": 2})
    ):
        given = counting | {"reduction": "top_k_avg", "k": k, "channel_axis": channel_axis}
        expected = skpool.global_pool(image, **given)
        for chunks in (5, (9, 3, 12)):
            same_bits(np.asarray(computed(skpool.global_pool(chunked(image, chunks), **given))), np.asarray(expected))
    names = [skpool.global_pool(chunked(image, 5), "top_k_avg", k=k, channel_axis=channel_axis).name for k in (1, 2, 1)]
    assert names[0] == names[2] != names[1]


def test_the_largest_samples_are_found_when_they_are_computed():
    image = da.from_array(np.array([[1.0, np.nan], [2.0, 3.0]]), chunks=1)
    pooled = skpool.global_pool(image, "top_k_avg", k=2, nan_policy="raise", keepdims=True)
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        pooled.compute()
    with pytest.raises(TypeError, match="`out`"):
        skpool.global_pool(image, "top_k_avg", k=2, out=np.zeros(()))
    with pytest.raises(NotImplementedError, match="masked arrays"):
        skpool.global_pool(da.ma.masked_less(image, 1), "top_k_avg", k=2)


def test_the_first_of_two_zeros(monkeypatch):
    monkeypatch.setattr(merging, "_FEW", 0)
    rng = np.random.default_rng(0)
    for shape in ((64, 48), (1, 300), (9, 14, 20)):
        image = np.where(rng.random(shape) < 0.5, -0.0, 0.0).astype("float32")
        for chunks, reduction in itertools.product((5, 7, 16), ("max", "min")):
            found = computed(skpool.global_pool(chunked(image, chunks), reduction))
            same_bits(np.asarray(found), np.asarray(skpool.global_pool(image, reduction)))


def test_what_cannot_be_merged_says_so():
    image = da.zeros((8, 8), chunks=4)
    for reduction in ORDERS:
        with pytest.raises(NotImplementedError, match=r"rechunk .* or take `adaptive_pool"):
            skpool.global_pool(image, reduction, **required(reduction))
    with pytest.raises(TypeError, match="`out`"):
        skpool.global_max_pool(image, out=np.zeros(()))
    with pytest.raises(ValueError, match="`workers`"):
        skpool.global_max_pool(image, workers=0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_global_of_one_chunk(reduction):
    image, given = an_image("float32"), required(reduction)
    lazy = chunked(image, (23, 5))
    found = skpool.global_pool(lazy, reduction, channel_axis=-1, **given)
    same_bits(computed(found), skpool.global_pool(image, reduction, channel_axis=-1, **given))


def test_global_nan_is_found_when_it_is_computed(monkeypatch):
    monkeypatch.setattr(merging, "_FEW", 0)
    image = da.from_array(np.array([[1.0, np.nan], [2.0, 3.0]]), chunks=1)
    pooled = skpool.global_max_pool(image, nan_policy="raise")
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        pooled.compute()


# ---------------------------------------------------------------- areas, corners, regions


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(("shape", "channel_axis"), [((23, 31), None), ((19, 40, 3), 2), ((1, 997), None)])
def test_areas(shape, channel_axis, dtype):
    image, mask = an_image(dtype, shape, specials=False), np.random.default_rng(0).random(shape) < 0.7
    bins = [5 if n > 5 else 2 * n + 1 for axis, n in enumerate(shape) if axis != channel_axis]
    for counting in ({}, {"mask": mask}, {"mask": mask, "min_count": 4, "fill_value": 3, "dtype": "float64"}):
        for count in (bins, (None, *bins[1:])):
            given = counting | {"output_shape": count, "bins": "area", "channel_axis": channel_axis}
            expected = skpool.adaptive_pool(image, **given)
            for chunks in (5, (11,) * len(shape)):
                found = skpool.adaptive_pool(chunked(image, chunks), **given)
                assert len(own_tasks(found)) == found.npartitions
                same_bits(computed(found), expected)


def test_areas_of_masked_arrays():
    image = np.ma.MaskedArray(an_image("float32"), np.random.default_rng(2).random(SHAPE) < 0.95)
    found = computed(skpool.adaptive_pool(chunked(image, (7, 9)), (9, 5), bins="area"))
    same_bits(found, skpool.adaptive_pool(image, (9, 5), bins="area"))


def test_areas_find_nan_when_they_are_computed():
    image = da.from_array(np.array([[1.0, np.nan], [2.0, 3.0]]), chunks=1)
    same_bits(
        computed(skpool.adaptive_pool(image, 1, bins="area", nan_policy="omit")),
        skpool.adaptive_pool(image.compute(), 1, bins="area", nan_policy="omit"),
    )
    pooled = skpool.adaptive_pool(image, 1, bins="area", nan_policy="raise")
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        pooled.compute()
    with pytest.raises(TypeError, match="`out`"):
        skpool.adaptive_pool(image, 1, bins="area", out=np.empty((1, 1)))


@pytest.mark.parametrize("dtype", ["uint8", ">f4", "bool"])
@pytest.mark.parametrize(("shape", "channel_axis"), [((23, 31), None), ((3, 40, 30), 0)])
@pytest.mark.parametrize("corner", ["top", "right", "bottom_left"])
def test_corners(corner, shape, channel_axis, dtype):
    image, mask = with_ties(dtype, shape), np.random.default_rng(0).random(shape) < 0.05
    for given in ({}, {"mask": mask}, {"mask": mask, "fill_value": 1}, {"nan_policy": "omit"}):
        given |= {"corner": corner, "channel_axis": channel_axis}
        expected = skpool.corner_pool(image, **given)
        for chunks in (7, (11,) * len(shape)):
            lazy = chunked(image, chunks)
            found = skpool.corner_pool(lazy, **given)
            assert found.chunks == lazy.chunks
            same_bits(computed(found), expected)
    if channel_axis is not None:
        of_spatial = mask.take(0, channel_axis)
        expected = skpool.corner_pool(image, corner, channel_axis=channel_axis, mask=of_spatial)
        found = skpool.corner_pool(chunked(image, 7), corner, channel_axis=channel_axis, mask=chunked(of_spatial, 4))
        same_bits(computed(found), expected)


def test_corners_refuse_what_they_cannot_do():
    image = chunked(an_image("float32"), 7)
    pooled = skpool.corner_pool(image, "top", nan_policy="raise")
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        pooled.compute()
    with pytest.raises(ValueError, match="`nan_policy`"):
        skpool.corner_pool(image, "top", nan_policy="keep")
    with pytest.raises(NotImplementedError, match="masked arrays"):
        skpool.corner_pool(da.ma.masked_less(image, 1), "top")


def some_labels(shape, channel_axis):
    return np.random.default_rng(0).integers(0, 9, [n for axis, n in enumerate(shape) if axis != channel_axis])


@pytest.mark.parametrize("dtype", ["int16", ">f4", "bool"])
@pytest.mark.parametrize(("shape", "channel_axis"), [((23, 31), None), ((19, 3, 14), 1)])
@pytest.mark.parametrize("reduction", ["max", "min", "range", "count", "sum", "avg"])
def test_regions(reduction, shape, channel_axis, dtype):
    image, labels = with_ties(dtype, shape), some_labels(shape, channel_axis)
    mask = np.random.default_rng(1).random(shape) < 0.3
    for given in (
        {},
        {"mask": mask, "min_count": 40},
        {"labels": [7, 3, 99]},
        {"background": None, "nan_policy": "omit"},
    ):
        given |= {"reduction": reduction, "channel_axis": channel_axis, "return_labels": True}
        expected, rows = skpool.region_pool(image, labels, **given)
        for chunks in (7, (19, 11, 2)[: len(shape)]):
            found, found_rows = skpool.region_pool(chunked(image, chunks), labels, **given)
            same_bits(computed(found), expected)
            same_bits(found_rows, rows)
            for array in (image, chunked(image, chunks)):
                found = skpool.region_pool(array, chunked(labels, 6), **given | {"labels": rows})[0]
                same_bits(computed(found), expected)


def labels_of_blocks(shape):
    """Label images whose layouts differ, each with the labels of a dask array of it."""
    rng, flat = np.random.default_rng(0), np.arange(math.prod(shape)).reshape(shape)
    yield rng.integers(0, 9, shape).astype(np.uint8), [8, 3, 200, 2**40]
    yield rng.integers(0, 5000, shape), [*range(4999, -1, -1)]  # their tables take longer blocks
    yield np.where(flat == flat.size - 9, 9000, flat // 100 % 7), [9000, 5, 2]  # a guess that fails
    yield flat // 977 * 10**9, [10**9, 5, 2 * 10**9, 0]  # looked up
    yield np.where(flat % 5 == 0, -1, flat // 40), [6, 2, 1000]  # tables of runs; the background is negative


@pytest.mark.parametrize(
    ("reduction", "dtype", "parameters"),
    [
        ("sum", "float32", {}),
        ("sum", ">f8", {}),
        ("avg", "float16", {}),
        ("avg", "float32", {}),
        ("avg", "int64", {}),
        ("range", "float32", {"dtype": "float64"}),
        ("lp", "float32", {"p": 2}),
        ("lp", "float64", {"p": 400}),
        ("gem", "uint8", {}),
        ("var", "float64", {}),
        ("std", "float32", {}),
        ("logsumexp", "float32", {}),
        ("soft", "int16", {}),
    ],
)
@pytest.mark.parametrize(("shape", "channel_axis"), [((401, 337), None), ((97, 2, 31, 29), 1)])
def test_regions_of_several_blocks(reduction, dtype, parameters, shape, channel_axis):
    """The bits of arrays in memory, which are summed block by block, and blocks depend on the labels."""
    image, mask = an_image(dtype, shape, specials=False), np.random.default_rng(1).random(shape) < 0.3
    if image.dtype.kind == "f":
        image *= np.exp(np.random.default_rng(2).normal(size=shape)).astype(image.dtype)
        image.flat[100:900], image.flat[[-3, 50_000]] = -0.0, np.nan
        if reduction in ("sum", "avg"):  # what cancels leaves all rounding, which tells one order from another
            huge, odd = min(2.0**60, float(np.finfo(image.dtype).max) / 2), np.random.default_rng(3).random(shape)
            image[odd < 0.02], image[odd > 0.98] = huge, -huge
    counting = itertools.cycle(
        [
            {},
            {"mask": mask, "min_count": 4, "fill_value": 3},
            {"nan_policy": "omit"},
            {"mask": mask.take(0, 1) if channel_axis else mask, "nan_policy": "omit", "dtype": "float64"},
        ]
    )
    of_spatial = [length for axis, length in enumerate(shape) if axis != channel_axis]
    for label_image, labels in labels_of_blocks(of_spatial):
        given = {"reduction": reduction, "background": -1, "channel_axis": channel_axis} | next(counting) | parameters
        expected = skpool.region_pool(image, label_image, **given)
        same_bits(computed(skpool.region_pool(chunked(image, 103), label_image, **given)), expected)
        expected = skpool.region_pool(image, label_image, labels=labels, **given)
        lazy = chunked(image, (400, 37) if channel_axis is None else (50, 1, 20, 29)), chunked(label_image, 90)
        same_bits(computed(skpool.region_pool(*lazy, labels=labels, **given)), expected)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float16", "float64"])
@pytest.mark.parametrize("reduction", ["max", "sum", "avg"])
def test_regions_of_another_type(reduction, dtype):
    image, labels = an_image("int16"), some_labels(SHAPE, None)
    found = skpool.region_pool(chunked(image, 7), labels, reduction, dtype=dtype)
    same_bits(computed(found), skpool.region_pool(image, labels, reduction, dtype=dtype))


@pytest.mark.parametrize("channel_axis", [None, 0, 2])
def test_where_extrema_of_regions_are(channel_axis):
    shape = (9, 14, 12)
    image, labels = with_ties("float32", shape), some_labels(shape, channel_axis)
    for reduction, policy in itertools.product(("max", "min"), ("propagate", "omit")):
        given = {"channel_axis": channel_axis, "nan_policy": policy, "return_indices": True}
        expected = skpool.region_pool(image, labels, reduction, **given)
        found = skpool.region_pool(chunked(image, (4, 5, 12)), labels, reduction, **given)
        same_bits(computed(found), expected)


def test_the_graph_of_regions():
    """One task for each chunk, and a tree; all arguments are in the names."""
    image, labels = da.zeros((40, 40), chunks=4), some_labels((40, 40), None)
    pooled = skpool.region_pool(image, labels, "max")
    assert len(own_tasks(pooled)) == 100 + 13 + 2 + 1 + 1  # ..., and the result
    assert max(map(len, pooled.dask.get_all_dependencies().values())) <= 8
    calls = ({}, {"labels": [1]}, {"labels": [2]}, {"nan_policy": "omit"}, {"min_count": 2}, {"background": 3})
    names = [skpool.region_pool(image, labels, "max", **call).name for call in calls]
    names += [skpool.region_pool(image, array, name).name for array, name in ((labels, "min"), (labels + 1, "max"))]
    assert len(set(names)) == len(names)
    assert skpool.region_pool(image, labels, "max").name == names[0]
    image, labels = da.zeros((1024, 256), chunks=128), da.zeros((1024, 256), chunks=128, dtype="u1")
    found = {name: len(own_tasks(skpool.region_pool(image, labels, name, labels=[1]))) for name in ("avg", "std")}
    assert found == {"avg": 16 + 2 + 1 + 1 + 1, "std": 3 * (16 + 2 + 1 + 1) + 1}  # blocks, a tree, a join; the result


def test_regions_refuse_what_they_cannot_do():
    image, labels = chunked(an_image("float32"), 7), some_labels(SHAPE, None)
    with pytest.raises(ValueError, match="`labels` must be given for a dask array of labels"):
        skpool.region_pool(image, chunked(labels, 7), "max")
    with pytest.raises(ValueError, match=r"`label_image` must be >= 0 .*got -8"):
        skpool.region_pool(image, -labels, "max")
    for reduction in ("max", "avg"):
        negative = skpool.region_pool(image, chunked(-labels, 7), reduction, labels=[1])
        with pytest.raises(ValueError, match="`label_image` must be >= 0"):
            negative.compute()
        pooled = skpool.region_pool(image, labels, reduction, nan_policy="raise")
        with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
            pooled.compute()
    with pytest.raises(NotImplementedError, match="masked arrays"):
        skpool.region_pool(da.ma.masked_less(image, 1), labels, "max")
    with pytest.raises(NotImplementedError, match=r"'median' sorts .*image\.compute"):
        skpool.region_pool(image, labels, "median")
    with pytest.raises(ValueError, match="`label_image` must have the shape"):
        skpool.region_pool(image, labels[1:], "max")
    for reduction in ("max", "avg"):
        empty = skpool.region_pool(image, labels, reduction, labels=[])
        same_bits(computed(empty), skpool.region_pool(image.compute(), labels, reduction, labels=[]))
        nothing = np.zeros((0, 5)), np.zeros((0, 5), np.int64), reduction
        expected = skpool.region_pool(*nothing, labels=[2])
        same_bits(computed(skpool.region_pool(da.zeros((0, 5)), *nothing[1:], labels=[2])), expected)


# ---------------------------------------------------------------- pyramids


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_pyramids(reduction, number):
    image, given = an_image(("uint8", "float32")[number], (37, 29)), {"reduction": reduction}
    mask = np.random.default_rng(0).random(image.shape) < 0.3
    countings = ({}, {"mask": mask}, {"nan_policy": "omit", "min_count": 3})
    geometries = ({}, {"downscale": (2, 3)}, {"recursive": True})
    for i in range(3):  # the types together see every pair
        keywords = given | required(reduction) | countings[i] | geometries[(i + number) % 3]
        lazy = chunked(image, (8, 10))
        found = skpool.pool_pyramid(lazy, **keywords)
        assert found[0] is lazy
        same_bits(computed(found), skpool.pool_pyramid(image, **keywords))


def test_pyramids_of_masked_arrays_are_refused():
    with pytest.raises(NotImplementedError, match="masked arrays: give the mask as `mask`"):
        skpool.pool_pyramid(da.ma.masked_less(da.zeros((4, 4), chunks=2), 1))


def test_pyramids_with_channels():
    image = an_image("float32", (37, 29, 3), specials=False)
    found = skpool.pool_pyramid(chunked(image, (8, 10, 3)), channel_axis=-1)
    same_bits(computed(found), skpool.pool_pyramid(image, channel_axis=-1))


def test_nan_is_found_at_any_level_of_a_pyramid():
    image = an_image("float32", specials=False)
    image[20, 3] = np.nan
    for recursive in (None, False):
        levels = skpool.pool_pyramid(chunked(image, 8), nan_policy="raise", recursive=recursive)
        for level in levels[1:]:
            with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
                level.compute()


# ---------------------------------------------------------------- masks and what counts


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("lazy", [False, True])
def test_masks(lazy, chunks):
    image, mask = an_image("float32"), np.random.default_rng(2).random(SHAPE) < 0.4
    given = mask if not lazy else chunked(mask, (5, 31))
    for reduction in ("max", "avg", "count", "median"):
        keywords = {"stride": 2, "padding": 2, "mode": "wrap", "min_count": 3}
        expected = skpool.pool(image, 3, reduction, mask=mask, **keywords)
        same_bits(computed(skpool.pool(chunked(image, chunks), 3, reduction, mask=given, **keywords)), expected)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("channel_axis", [0, 1, -1])
def test_a_mask_of_the_spatial_axes(channel_axis, lazy):
    image = np.moveaxis(an_image("float32", (9, 14, 5)), -1, channel_axis)
    mask = np.random.default_rng(2).random((9, 14)) < 0.4
    given = chunked(mask, (4, 3)) if lazy else mask
    expected = skpool.avg_pool(image, 3, mask=mask, channel_axis=channel_axis)
    same_bits(computed(skpool.avg_pool(chunked(image, 4), 3, mask=given, channel_axis=channel_axis)), expected)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_masked_arrays(chunks):
    image = np.ma.MaskedArray(an_image("float32"), np.random.default_rng(2).random(SHAPE) < 0.8)
    expected = skpool.avg_pool(image, 3, stride=2, padding=1, mode="reflect")
    found = computed(skpool.avg_pool(chunked(image, chunks), 3, stride=2, padding=1, mode="reflect"))
    assert isinstance(found, np.ma.MaskedArray)
    same_bits(found, expected)


def test_nan_is_found_when_it_is_computed():
    image = an_image("float32", specials=False)
    image[20, 3] = np.nan
    pooled = skpool.max_pool(chunked(image, (8, 10)), nan_policy="raise")
    pooled[:8].compute()
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        pooled.compute()
    mask = ~np.isnan(image)
    same_bits(
        computed(skpool.max_pool(chunked(image, 8), nan_policy="raise", mask=mask)), skpool.max_pool(image, mask=mask)
    )


def test_nan_in_padding_is_found_too():
    given = {"window_shape": 1, "stride": 1, "padding": 9, "mode": "constant", "cval": np.nan, "nan_policy": "raise"}
    pooled = skpool.max_pool(da.zeros((4,), chunks=2), **given)
    with pytest.raises(ValueError, match="`nan_policy` 'raise'"):
        pooled[:1].compute()


# ---------------------------------------------------------------- graphs


def test_nothing_is_computed_before():
    def refuse(block):
        if block.size:
            raise AssertionError("computed")
        return block

    image = da.zeros((8, 8), chunks=4).map_blocks(refuse, dtype=float, meta=np.empty((0, 0)))
    skpool.max_pool(image, 3, stride=1, return_indices=True)
    skpool.adaptive_avg_pool(image, 3)
    with pytest.raises(AssertionError, match="computed"):
        skpool.max_pool(image).compute()


def own_tasks(result):
    """The keys of tasks that pooling added to its inputs' graphs."""
    return [key for key in dict(result.dask) if str(key[0] if isinstance(key, tuple) else key).startswith("skpool-")]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_one_task_for_each_chunk_of_the_result(geometry):
    image = da.zeros(SHAPE, chunks=(8, 10))
    pooled = skpool.avg_pool(image, **GEOMETRIES[geometry])
    assert len(own_tasks(pooled)) == pooled.npartitions
    assert len(dict(pooled.dask)) == pooled.npartitions + image.npartitions
    values, places = skpool.max_pool(image, return_indices=True, **GEOMETRIES[geometry])
    assert len(own_tasks(values)) == 2 * values.npartitions  # the pair, and what is picked of it
    assert values.chunks == places.chunks == pooled.chunks


def test_a_task_reads_no_more_chunks_than_it_must():
    image = da.zeros((40, 40), chunks=10)
    pooled = skpool.max_pool(image, 2)
    assert all(len(keys) == 1 for key, keys in pooled.dask.get_all_dependencies().items() if key[0] == pooled.name)
    wrapped = skpool.max_pool(image, 3, stride=1, padding=1, mode="wrap")
    corner = wrapped.dask.get_all_dependencies()[wrapped.name, 0, 0]
    assert {key[1:] for key in corner} == set(itertools.product([0, 1, 3], repeat=2))


def test_chunks_follow_those_of_the_image():
    image = da.zeros((64, 60), chunks=((20, 30, 14), 20))
    assert skpool.max_pool(image).chunks == ((10, 15, 7), (10, 10, 10))
    assert skpool.max_pool(image, 3, stride=1, padding="same").chunks == image.chunks
    assert skpool.max_pool(image, 3, stride=2, padding=1).chunks == ((10, 15, 8), (10, 10, 11))
    assert skpool.adaptive_avg_pool(image, (4, None)).chunks == ((2, 2), (20, 20, 20))
    assert skpool.max_pool(image, 25).chunks == ((1, 1, 1), (1, 1, 1))


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_chunks_of_outputs(data):
    chunks = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any))
    length = sum(chunks)
    if data.draw(st.booleans()):
        axis = adaptive(length, data.draw(st.integers(1, 5 * length)))
    else:
        window = data.draw(st.integers(1, length))
        padding = data.draw(st.tuples(st.integers(0, 30), st.integers(0, 30)))
        axis = sliding(length, window, data.draw(st.integers(1, 9)), padding=padding)
    sizes = output_chunks(axis, tuple(chunks))
    assert sum(sizes) == axis.outputs
    assert min(sizes) > 0
    assert max(sizes) <= max(2 * max(chunks) - 1, 1)


def test_names_are_those_of_the_arguments():
    image, mask = chunked(an_image("float32", specials=False), (8, 10)), np.ones(SHAPE, bool)
    footprint = np.array([[1, 0], [1, 1]])
    calls = [
        {},
        {"window_shape": 3},
        {"stride": 1},
        {"padding": 1},
        {"padding": 1, "mode": "edge"},
        {"padding": 1, "mode": "constant"},
        {"padding": 1, "mode": "constant", "cval": 1},
        {"dilation": 2},
        {"ceil_mode": False},
        {"footprint": footprint},
        {"footprint": ~footprint.astype(bool)},
        {"mask": mask},
        {"mask": ~mask},
        {"mask": chunked(mask, 4)},
        {"nan_policy": "omit"},
        {"nan_policy": "raise"},
        {"min_count": 2},
        {"fill_value": 5},
        {"channel_axis": 0},
        {"dtype": "float64"},
        {"reduction": "avg"},
        {"reduction": "avg", "divisor": 3},
        {"reduction": "lp"},
        {"reduction": "lp", "p": 3},
        {"reduction": "percentile", "q": 10},
        {"reduction": "percentile", "q": 20},
        {"reduction": "percentile", "q": 10, "method": "lower"},
    ]
    names = [skpool.pool(image, **call).name for call in calls]
    assert len(set(names)) == len(names)
    # Again, after the plans have worked out and kept more about themselves.
    for call in calls:
        skpool.pool(
            an_image("float32", specials=False),
            **{key: np.asarray(v) if key == "mask" else v for key, v in call.items()},
        )
    assert [skpool.pool(image, **call).name for call in calls] == names
    assert [skpool.pool(image, workers=2, **call).name for call in calls] == names
    assert skpool.max_pool(image + 1).name != skpool.max_pool(image).name
    pair = skpool.max_pool(image, return_indices=True)
    assert len({array.name for array in pair} | {names[0]}) == 3


def test_names_are_the_same_in_another_process():
    code = "import dask.array as da, skpool; print(skpool.lp_pool(da.zeros((9, 9), chunks=4), 3, p=3).name)"
    other = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert other.stdout.strip() == skpool.lp_pool(da.zeros((9, 9), chunks=4), 3, p=3).name


def environment():
    """That of this process, where others find the package."""
    return os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1])}


def test_empty_axes():
    for shape in ((0, 4), (4, 0), (0,)):
        same_bits(computed(skpool.max_pool(da.zeros(shape, chunks=2))), skpool.max_pool(np.zeros(shape)))


def test_results_feed_other_graphs():
    image = an_image("float32", specials=False)
    lazy = chunked(image, (8, 10))
    found = (lazy[::2, ::2] - skpool.avg_pool(skpool.max_pool(lazy, 3, stride=1, padding="same"), 1, stride=2)).sum()
    expected = image[::2, ::2] - skpool.max_pool(image, 3, stride=1, padding="same")[::2, ::2]
    np.testing.assert_allclose(found.compute(scheduler="threads"), expected.sum(), rtol=1e-4)


# ---------------------------------------------------------------- errors


def test_out_is_refused():
    image = da.zeros((4, 4), chunks=2)
    for out in (np.zeros((2, 2)), da.zeros((2, 2))):
        with pytest.raises(TypeError, match="`out`"):
            skpool.max_pool(image, out=out)


def test_unknown_chunks_are_refused():
    image = da.zeros((4, 4), chunks=2)
    image = image[image[:, 0] == 0]
    with pytest.raises(ValueError, match=r"`image` must have chunks of known sizes.*compute_chunk_sizes"):
        skpool.max_pool(image)
    for call in (
        lambda image: skpool.fractional_max_pool(image, ratio=2),
        lambda image: skpool.weighted_avg_pool(image, np.ones((2, 2))),
        lambda image: skpool.strip_pool(image, 0),
        skpool.global_max_pool,
        skpool.pool_pyramid,
        skpool.blur_pool,
    ):
        with pytest.raises(ValueError, match="`image` must have chunks of known sizes"):
            call(image)
    mask = image == 0
    with pytest.raises(ValueError, match="`mask` must have chunks of known sizes"):
        skpool.max_pool(np.zeros((4, 4)) + da.zeros((4, 4), chunks=2), mask=mask)


def test_errors_come_at_once():
    image = da.zeros((4, 4), chunks=2)
    for error, given in (
        (TypeError, {"window_shape": 1.5}),
        (ValueError, {"window_shape": 0}),
        (ValueError, {"mask": np.ones((3, 4), bool)}),
        (ValueError, {"mask": da.ones((3, 4), dtype=bool)}),
        (TypeError, {"mask": da.ones((4, 4))}),
        (TypeError, {"mask": np.ones((4, 4))}),
        (ValueError, {"workers": 0}),
        (TypeError, {"p": 3}),
        (ValueError, {"fill_value": 1e400, "dtype": "uint8"}),
    ):
        with pytest.raises(error, match="`"):
            skpool.max_pool(image, **given)
    with pytest.raises(TypeError, match="`image`"):
        skpool.max_pool(image.astype(complex))


def test_chunks_that_are_not_what_they_say_are_refused():
    image = da.zeros((4, 4), chunks=2)
    wrong = image.map_blocks(lambda block: block.astype("float32"), dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(TypeError, match="`image` must have chunks of the dtype float64"):
        skpool.max_pool(wrong).compute()
    small = image.map_blocks(lambda block: block[:1], dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(TypeError, match=r"`image` must have chunks of .* shapes it says"):
        skpool.max_pool(small).compute()


@pytest.mark.parametrize(
    "call",
    [
        lambda image: skpool.roi_pool(np.ones((4, 4)), image, 1),
        lambda image: skpool.roi_align(image, image, 1),
    ],
)
def test_what_takes_no_dask_array_says_so(call):
    with pytest.raises(NotImplementedError, match=r"dask array.*compute\(\)"):
        call(da.zeros((4, 4), chunks=2))


# ---------------------------------------------------------------- boxes, and the way back

#: Inside, across the edges, around all of the image, outside, empty, and of part of a pixel.
SOME_BOXES = np.array(
    [
        *([0, 0, 23, 31], [-9, -9, 40, 40], [-9, -9, -4, -3], [30, 40, 41, 45], [5, 5, 5, 5], [-1, -1, 0, 0]),
        *([22, 30, 24.5, 31.9], [3.1, 4.7, 3.2, 4.8], [9.5, 9.5, 18, 26.25], [0, 29.9, 1, 31], [8, 10, 16, 20]),
    ]
)

#: Functions of boxes, and what they take besides.
BOX_CALLS = (
    *((skpool.roi_pool, {"reduction": name}) for name in ("max", "min", "avg", "sum", "range", "var", "std")),
    (skpool.roi_pool, {"inclusive": True, "fill_value": 3}),
    (skpool.roi_align, {}),
    (skpool.roi_align, {"sampling_ratio": 3, "aligned": False}),
    (skpool.roi_align, {"reduction": "max", "sampling_ratio": 2}),
    (skpool.roi_align, {"reduction": "max", "onnx_max": True, "aligned": False}),
    (skpool.precise_roi_pool, {}),
    (skpool.precise_roi_pool, {"aligned": False}),
)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", ">f4", "float64"])
@pytest.mark.parametrize("channel_axis", [None, 0, -1])
def test_boxes(channel_axis, dtype):
    shape = {None: SHAPE, 0: (6, *SHAPE), -1: (*SHAPE, 6)}[channel_axis]
    image = an_image(dtype, shape)
    image[image == -np.inf] = 5  # times a weight of 0 it is NaN, of either sign
    chunkings = itertools.cycle((5, (4, 9, 31)[: len(shape)], tuple((1, n - 1) for n in shape), -1))
    calls = [*BOX_CALLS] if channel_axis is None else [*BOX_CALLS, (skpool.position_sensitive_roi_pool, {})]
    for function, given in calls:
        given = given | {"output_shape": (3, 2), "channel_axis": channel_axis, "boxes": SOME_BOXES}
        expected = function(image, **given)
        for _ in range(2):
            same_bits(computed(function(chunked(image, next(chunkings)), **given)), expected)


def test_boxes_get_the_chunks_that_they_look_at():
    image = da.zeros((100, 100), chunks=10)
    boxes = [[13, 13, 17, 18], [14, 12, 18, 17], [13, 83, 17, 88], [40, 40, 60, 60], [2, 2, 3, 3], [0, 0, 100, 100]]
    pooled = skpool.roi_pool(image, boxes, 2)
    assert pooled.chunks == ((5, 1), (2,), (2,))  # the last box looks at more chunks than a task of several may
    assert len(own_tasks(pooled)) == 2
    looked_at = {(1, 1), (1, 8), *itertools.product((4, 5), (4, 5)), (0, 0)}
    assert {key[1:3] for key in pooled.dask.get_all_dependencies()[pooled.name, 0, 0, 0]} == looked_at
    aligned = skpool.roi_align(image, boxes[:1], 1)  # its samples may have neighbours in the next chunk
    around = {key[1:3] for key in aligned.dask.get_all_dependencies()[aligned.name, 0, 0, 0]}
    assert around == {(1, 1), (1, 2)}
    assert skpool.roi_pool(image, [[1, 1, 2, 2]] * 2500, 1).chunks == ((1024, 1024, 452), (1,), (1,))
    for empty in (skpool.roi_pool(image, [], 2), skpool.roi_pool(da.zeros((0, 9), chunks=3), [[0, 0, 1, 1]], 2)):
        assert computed(empty).shape[1:] == (2, 2)
    with pytest.raises(TypeError, match="masked"):
        skpool.roi_pool(da.ma.masked_less(image, 1), boxes, 1)


def test_values_put_back():
    rng = np.random.default_rng(7)
    values, indices = an_image("float32", (12, 9), specials=False), rng.integers(-1, 30, (12, 9))  # many are the same
    masked = np.ma.MaskedArray(values, rng.random(values.shape) < 0.3)
    for own, shape in itertools.product((values, masked), ((6, 5), (30,), (3, 2, 5))):
        expected = skpool.max_unpool(own, indices, shape, fill_value=7)
        for chunks in (5, (1, 9), ((3, 8, 1), (2, 7))):
            for pair in (
                (chunked(own, chunks), indices),
                (own, chunked(indices, 4)),
                (chunked(own, 3), chunked(indices, 5)),
            ):
                same_bits(computed(skpool.max_unpool(*pair, shape, fill_value=7)), expected)
    pooled = skpool.max_unpool(chunked(values, 5), indices + 1, (5, 6))
    with pytest.raises(ValueError, match=r"`indices` must be from -1 to 29 .*, got 30"):
        pooled.compute()


@pytest.mark.parametrize("dtype", [None, "uint8", "float64"])
def test_averages_spread_back(dtype):
    for shape, window, given in (
        ((23, 31), 2, {}),
        ((23, 31), 3, {"stride": 1, "padding": 1}),
        ((23, 31), (3, 5), {"stride": 2, "dilation": 2}),
        ((23, 31), 2, {"stride": 5}),  # samples that no window looks at
        ((23, 31, 3), (9, 4), {"stride": (1, 3), "padding": (4, 3), "channel_axis": 2}),
    ):
        values = skpool.avg_pool(an_image("float32", shape, specials=False), window, **given)
        expected = skpool.avg_unpool(values, shape, window, dtype=dtype, **given)
        for chunks in ((3, 7, 2), (1, 20, 3)):
            found = skpool.avg_unpool(chunked(values, chunks[: values.ndim]), shape, window, dtype=dtype, **given)
            assert len(own_tasks(found)) == found.npartitions
            same_bits(computed(found), expected)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64"])
def test_regions_painted(dtype):
    labels = np.random.default_rng(0).integers(0, 6, SHAPE).astype(dtype)
    known = np.unique(labels)[1:]
    for values in (np.arange(len(known)) + 0.5, np.arange(3 * len(known)).reshape(-1, 3).astype(">i4")):
        expected = skpool.region_unpool(values, labels, fill_value=9)
        for pair in (
            (values, chunked(labels, (7, 9))),
            (chunked(values, 2), labels),
            (chunked(values, 1), chunked(labels, 8)),
        ):
            same_bits(computed(skpool.region_unpool(*pair, labels=known, fill_value=9)), expected)
    with pytest.raises(ValueError, match="`labels` must be given"):
        skpool.region_unpool(values, chunked(labels, 7))
    with pytest.raises(ValueError, match="`values` must have one row"):
        skpool.region_unpool(values, chunked(labels, 7), labels=[1, 2, 3, 4, 5, 6, 7])


def test_negative_labels_are_found_when_they_are_computed():
    painted = skpool.region_unpool([1.0], da.full((4, 4), -2, chunks=2), labels=[1])
    with pytest.raises(ValueError, match="`label_image` must be >= 0"):
        painted.compute()


@pytest.mark.parametrize("channel_axis", [None, 0, 2])
def test_pixels_with_weights_of_their_own(channel_axis):
    shape = {None: SHAPE, 0: (3, *SHAPE), 2: (*SHAPE, 3)}[channel_axis]
    image, rng = an_image("float32", shape), np.random.default_rng(8)
    lazy = chunked(image, (7, 9, 12)[: image.ndim])
    geometries = ({}, {"stride": 2, "padding": 2, "mode": "reflect"}, {"padding": 1, "mode": "constant", "cval": 3})
    masks = itertools.cycle((None, rng.random(shape) < 0.7, rng.random(SHAPE) < 0.7))
    for of, geometry, in_chunks in itertools.product((shape, SHAPE), geometries, (False, True)):
        weights = rng.random(of) * (rng.random(of) < 0.7)
        own = chunked(weights, 11) if in_chunks else weights
        given = geometry | {"channel_axis": channel_axis, "mask": next(masks), "nan_policy": "omit", "min_count": 3}
        expected = skpool.weighted_avg_pool(image, WEIGHTS, image_weights=weights, **given)
        same_bits(computed(skpool.weighted_avg_pool(lazy, WEIGHTS, image_weights=own, **given)), expected)
    bad = skpool.weighted_avg_pool(lazy, WEIGHTS, image_weights=chunked(-weights, 6), channel_axis=channel_axis)
    with pytest.raises(ValueError, match="`image_weights` must be finite and >= 0"):
        bad.compute()


@pytest.mark.parametrize(
    ("shape", "channel_axis"), [((300, 40), None), ((3, 50, 20), 0), ((20, 3, 31), 1), ((700,), None)]
)
def test_a_weighted_average_of_all(shape, channel_axis, monkeypatch):
    monkeypatch.setattr("skpool.adaptive._BLOCK", 500)
    image, rng = an_image("float32", shape), np.random.default_rng(8)
    spatial = tuple(n for axis, n in enumerate(shape) if axis != channel_axis)
    for of, mask in ((shape, None), (spatial, rng.random(shape) < 0.7), (spatial, rng.random(spatial) < 0.7)):
        weights = rng.random(of) * (rng.random(of) < 0.7)
        given = {"channel_axis": channel_axis, "mask": mask, "nan_policy": "omit", "min_count": 3}
        expected = skpool.global_pool(image, weights=weights, **given)
        for own, chunks in ((weights, 7), (chunked(weights, 11), 33)):
            found = skpool.global_pool(chunked(image, chunks), weights=own, **given)
            same_bits(np.asarray(computed(found)), np.asarray(expected))
    with pytest.raises(ValueError, match="`weights` must be finite and >= 0"):
        skpool.global_pool(chunked(image, 7), weights=chunked(-weights, 7), channel_axis=channel_axis).compute()


def test_blocks_as_scikit_image_has_them():
    pytest.importorskip("skimage")
    for dtype, func in itertools.product(("uint8", "float32"), (np.max, np.sum, np.mean, np.median, np.std)):
        image = an_image(dtype, specials=False)
        for chunks, given in ((5, {}), ((1, 9), {"cval": 3}), ((23, 4), {"func_kwargs": {"keepdims": False}})):
            found = computed(skpool.block_reduce(chunked(image, chunks), (4, 3), func, **given))
            expected = skpool.block_reduce(image, (4, 3), func, **given)
            assert found.dtype == expected.dtype
            of_scikit_image = func in (np.median, np.std) or "func_kwargs" in given
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 if of_scikit_image else 0)
        same_bits(computed(skpool.downscale_local_mean(chunked(image, 7), 4)), skpool.downscale_local_mean(image, 4))
    with pytest.raises(ValueError, match="block_size"):
        skpool.block_reduce(chunked(image, 5), (2, 2, 2))


# ---------------------------------------------------------------- memory and processes

MEMORY = textwrap.dedent(
    """
    import resource, sys
    import numpy as np
    import dask, dask.array as da
    import skpool

    path, shape = sys.argv[1], (80_000, 20_000)
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)  # 1.6 GB, of holes
    stored[::1000] = 7
    del stored
    image = da.map_blocks(
        lambda block_info=None: read(path, block_info[None]["array-location"]),
        chunks=da.core.normalize_chunks((1000, 2000), shape),
        dtype=np.uint8,
        meta=np.empty((0, 0), np.uint8),
    )

    def read(path, location):
        return np.array(np.load(path, mmap_mode="r")[tuple(slice(*along) for along in location)])

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with dask.config.set(scheduler="threads", num_workers=2):
        largest = skpool.max_pool(image, 3, stride=2, padding=1)
        total = int(largest.sum(dtype=np.int64).compute())
    assert total > 0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
)


def test_levels_are_stored_in_one_pass_over_the_image():
    reads = []

    def read(block_info=None):
        reads.append(tuple(block_info[None]["chunk-location"]))
        return np.zeros(block_info[None]["chunk-shape"], np.uint8)

    chunks = ((8,) * 4, (8,) * 3)
    image = da.map_blocks(read, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    for reduction in ("avg", "max", "median"):
        levels = skpool.pool_pyramid(image, 3, reduction=reduction)[1:]
        assert reads == []
        with dask.config.set(scheduler="sync"):
            da.store(levels, [np.empty(level.shape, level.dtype) for level in levels])
        assert sorted(reads) == [*itertools.product(range(4), range(3))]
        reads.clear()


@pytest.mark.skipif(sys.platform == "win32", reason="needs `resource`")
def test_an_image_larger_than_memory(tmp_path):
    pytest.importorskip("resource")
    command = [sys.executable, "-P", "-c", MEMORY, str(tmp_path / "image.npy")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert done.returncode == 0, done.stderr
    kilobytes = int(done.stdout) / (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 300_000  # the image has 1_600_000


VOLUME = textwrap.dedent(
    """
    import resource, sys
    import numpy as np
    import dask, dask.array as da
    import zarr
    import skpool

    folder, shape = sys.argv[1], (1024, 1536, 1536)  # 2.4 GB
    chunks = (128, 256, 256)
    volume = zarr.create_array(f"{folder}/volume.zarr", shape=shape, chunks=chunks, dtype="uint8", fill_value=3)
    volume[500:700, 700:900, 100:300] = np.random.default_rng(0).integers(0, 99, (200,) * 3, np.uint8)  # all it stores
    levels = skpool.pool_pyramid(da.from_zarr(volume), 4)
    targets = [
        zarr.create_array(f"{folder}/{number}.zarr", shape=level.shape, chunks=level.chunksize, dtype="uint8")
        for number, level in enumerate(levels)
    ]
    pages = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (pages + 400 * 2**20,) * 2)
    try:
        np.empty(shape, np.uint8)
    except MemoryError:
        with dask.config.set(scheduler="threads", num_workers=2):
            da.store(levels[1:], targets[1:], lock=False)
        part = slice(480, 720), slice(688, 912), slice(96, 304)
        for number, level in enumerate(skpool.pool_pyramid(volume[part], 4)[1:], 1):
            place = tuple(slice(along.start >> number, along.stop >> number) for along in part)
            np.testing.assert_array_equal(targets[number][place], level)
            assert (targets[number][0, 0] == 3).all()
        print("done")
    """
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell the size of a process")
def test_a_zarr_volume_larger_than_memory(tmp_path):
    """A sixth of the volume is all the memory that a process may have beyond what it starts with."""
    pytest.importorskip("zarr")
    command = [sys.executable, "-P", "-c", VOLUME, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"


def test_a_zarr_array(tmp_path):
    zarr = pytest.importorskip("zarr")
    image = an_image("float32")
    stored = zarr.create_array(str(tmp_path / "image.zarr"), shape=SHAPE, chunks=(8, 10), dtype="float32")
    stored[...] = image
    lazy = da.from_zarr(stored)
    given = {"window_shape": 3, "stride": 2, "padding": 1, "mode": "symmetric"}
    same_bits(computed(skpool.avg_pool(lazy, **given)), skpool.avg_pool(image, **given))


@pytest.mark.slow
def test_other_processes(tmp_path):
    """Tasks travel: on a cluster in another process, the bits are the same."""
    pytest.importorskip("distributed")
    code = textwrap.dedent(
        """
        import numpy as np
        import dask, dask.array as da
        from dask.distributed import Client, LocalCluster
        import skpool

        if __name__ == "__main__":
            image = np.random.default_rng(0).normal(size=(60, 70)).astype("float32")
            with LocalCluster(n_workers=1, processes=True, threads_per_worker=2, dashboard_address=None) as cluster:
                with Client(cluster):
                    lazy = da.from_array(image, chunks=(20, 30))
                    for name in ("max", "avg", "median", "std"):
                        found = skpool.pool(lazy, 3, name, stride=2, padding=1, mode="reflect").compute()
                        np.testing.assert_array_equal(
                            found, skpool.pool(image, 3, name, stride=2, padding=1, mode="reflect")
                        )
                    weights = np.outer([1, 2, 1], [1, 2, 1])
                    found = skpool.weighted_avg_pool(lazy, weights).compute()
                    np.testing.assert_array_equal(found, skpool.weighted_avg_pool(image, weights))
                    labels = np.indices(image.shape).sum(axis=0) // 20
                    found = skpool.region_pool(lazy, labels, "max").compute()
                    np.testing.assert_array_equal(found, skpool.region_pool(image, labels, "max"))
                    for name in ("var", "max", "lp"):
                        found = skpool.global_pool(lazy, name).compute()
                        assert found == skpool.global_pool(image, name)
                    boxes = [[0, 0, 9, 9], [20.5, 10, 59, 70]]
                    for pool in (skpool.roi_pool, skpool.roi_align, skpool.precise_roi_pool):
                        np.testing.assert_array_equal(pool(lazy, boxes, 2).compute(), pool(image, boxes, 2))
                    values, places = skpool.max_pool(lazy, return_indices=True)
                    back = skpool.max_unpool(values, places, image.shape).compute()
                    np.testing.assert_array_equal(
                        back, skpool.max_unpool(*skpool.max_pool(image, return_indices=True), image.shape)
                    )
                    np.testing.assert_array_equal(
                        places.compute(), skpool.max_pool(image, return_indices=True)[1]
                    )
            print("done")
        """
    )
    path = tmp_path / "program.py"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, env=environment(), timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
