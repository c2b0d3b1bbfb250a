"""Regions: every reduction over labelled pixels, against the definition of the reduction for each label."""

import importlib.util
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import skpool
from skpool import reference, region_pool, region_unpool
from skpool.backends import labels as backend
from skpool.plan import make_plan
from skpool.reductions import REDUCTIONS
from skpool.windows import Sliding

pytestmark = pytest.mark.slow


def neighbour(name):
    """Another file of tests as a module, for its images, layouts and error bounds."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


grid = neighbour("test_grid")
LABEL_DTYPES = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
CASES_FOR_EACH = 8
required, words_of = neighbour("plans").required, neighbour("plans").words_of
relaxed = settings(max_examples=80, deadline=None, derandomize=True, database=None)


# ---------------------------------------------------------------- the slow twin


def rows_of(label_image, labels, background):
    """The label of each row."""
    if labels is not None:
        return np.array(labels, np.uint64)
    found = np.unique(label_image)
    return found if background is None else found[found != background]


def whole(samples, reduction, **arguments):
    """The plan of one window over all of some samples."""
    return make_plan(samples.shape, samples.dtype, reduction, Sliding(max(samples.size, 1)), **arguments)


def assert_region_pools(
    image,
    label_image,
    reduction,
    *,
    labels=None,
    background=0,
    channel_axis=None,
    mask=None,
    return_indices=False,
    workers=None,
    **arguments,
):
    """Call `region_pool` and hold each row against the definition; return the rows."""
    keywords = {"labels": labels, "background": background, "channel_axis": channel_axis, "mask": mask}
    if return_indices:
        arguments = arguments | {"return_indices": True}
    before = image.tobytes(), label_image.tobytes()
    pooled, *indices, rows = region_pool(
        image, label_image, reduction, **keywords, workers=workers, return_labels=True, **arguments
    )
    arguments.pop("return_indices", None)
    assert (image.tobytes(), label_image.tobytes()) == before
    np.testing.assert_array_equal(rows, rows_of(label_image, labels, background))

    places = np.arange(image.size).reshape(image.shape)
    spatial = np.ones(image.shape, bool) if mask is None else mask
    if mask is not None and mask.shape != image.shape:
        spatial = np.broadcast_to(np.expand_dims(mask, channel_axis), image.shape)
    arrays = [
        array[..., None] if channel_axis is None else np.moveaxis(array, channel_axis, -1)
        for array in (image, places, spatial)
    ]
    channels = arrays[0].shape[-1]
    assert pooled.shape == (len(rows),) if channel_axis is None else (len(rows), channels)
    assert pooled.dtype == whole(image.reshape(-1)[:1], reduction, **arguments).dtype
    for (r, row), c in itertools.product(enumerate(rows.tolist()), range(channels)):
        here = label_image == row if int(row) <= np.iinfo(np.int64).max else label_image.astype(np.uint64) == row
        samples, flat, counted = (array[..., c][here] for array in arrays)
        plan = whole(samples, reduction, **arguments)
        value = pooled.reshape(len(rows), -1)[r, c]
        if not samples.size:
            np.testing.assert_array_equal(value, plan.fill_value)
            assert not indices or indices[0].reshape(len(rows), -1)[r, c] == -1
            continue
        grid.assert_matches(plan, samples, counted, pooled.reshape(len(rows), -1)[r, c : c + 1])
        if indices:
            [place] = reference.run(plan, samples, mask=counted, return_indices=True)[1]
            assert indices[0].reshape(len(rows), -1)[r, c] == (flat[place] if place >= 0 else -1)
    return pooled


# ---------------------------------------------------------------- the grid


def made_labels(rng, shape, kind, dtype):
    """A label image: at random, in runs, in blocks, sparse, one label for all, nothing but background."""
    limits = np.iinfo("uint8" if dtype == "bool" else dtype)
    high = 1 if dtype == "bool" else limits.max
    size = math.prod(shape)
    if kind == "random":
        labels = rng.integers(0, min(5, high), shape, endpoint=True)
    elif kind == "runs":
        labels = np.repeat(rng.integers(0, min(4, high), size, endpoint=True), 20)[:size].reshape(shape)
    elif kind == "far":
        labels = high - rng.integers(0, min(3, high), shape, endpoint=True).astype(np.uint64)
    elif kind == "sparse":
        labels = rng.choice(rng.integers(0, high, 4, np.uint64 if high > 2**62 else np.int64, endpoint=True), shape)
    else:
        labels = np.full(shape, {"one": 1, "background": 0}[kind])
    return labels.astype(dtype)


FACTORS = {
    "shape": ((1,), (2500,), (1, 1), (6, 12), (13, 7), (40, 70), (0, 5), (5, 7, 3), (3, 6, 5), (2, 2, 4, 3)),
    "values": ("ties", "everyday", "whole range", "special"),
    "layout": tuple(grid.LAYOUTS),
    "channel_axis": (None, "first", "middle", "last"),
    "label_kind": ("random", "runs", "far", "sparse", "one", "background"),
    "label_dtype": LABEL_DTYPES,
    "label_layout": tuple(grid.LAYOUTS),
    "labels": (None, None, "some", "reversed", "sparse"),
    "background": (0, 0, 1, None),
    "mask": (None, None, "image", "spatial", "nothing"),
    "nan_policy": ("propagate", "omit"),
    "min_count": (1, 1, 2, 5),
    "fill_value": (None, None, 1),
    "dtype": (*[None] * 6, *grid.DTYPES),
    "workers": (None, 1, 2, 5),
    "return_indices": (False, True),
}


def realised(case, rng, reduction, dtype):
    """A row of the hypercube as an image, a label image, and the arguments of a call."""
    shape = case.pop("shape")
    spatial = list(shape)
    channel_axis = {"first": 0, "middle": len(shape) // 2, "last": -1}.get(case.pop("channel_axis"))
    if channel_axis is not None and len(shape) > 1:
        case["channel_axis"] = channel_axis
        del spatial[channel_axis]
    image = grid.LAYOUTS[case.pop("layout")](grid.make_image(rng, shape, dtype, case.pop("values")))
    label_image = made_labels(rng, spatial, case.pop("label_kind"), case.pop("label_dtype"))
    label_image = grid.LAYOUTS[case.pop("label_layout")](label_image)
    lists = {
        "some": [2, 1],
        "reversed": np.unique(label_image)[::-1].tolist(),
        "sparse": [2**64 - 1, 0, 3, 300, 2**32 + 1, 1, 2**63],
    }
    case["labels"] = lists.get(case["labels"])
    masks = {"image": rng.random(shape) < 0.6, "spatial": rng.random(spatial) < 0.6, "nothing": np.zeros(shape, bool)}
    case["mask"] = masks.get(case["mask"])
    if not REDUCTIONS[reduction].indices:
        del case["return_indices"]
    parameters = grid.some_parameters(rng, REDUCTIONS[reduction])
    parameters.pop("background", None)  # that of the labels is meant
    if parameters.get("ties") == "center":
        parameters["ties"] = "first"
    return image, label_image, case | parameters


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_grid(reduction, dtype):
    rng = grid.generator("regions", reduction, dtype)
    for case in grid.latin_hypercube(rng, FACTORS, CASES_FOR_EACH):
        image, label_image, arguments = realised(dict(case), rng, reduction, dtype)
        try:
            assert_region_pools(image, label_image, reduction, **arguments)
        except (AssertionError, ValueError) as error:
            error.add_note(f"in case {case}")
            raise


@pytest.mark.parametrize("nan_policy", ["propagate", "omit"])
@pytest.mark.parametrize("name", grid.NASTY)
def test_nasty_images_as_one_region_and_two(name, nan_policy):
    values, arguments = grid.NASTY[name]
    values = np.asarray(values)
    keywords = {"nan_policy": nan_policy, "channel_axis": arguments.get("channel_axis")}
    spatial = values.shape
    if keywords["channel_axis"] is not None:
        spatial = np.delete(spatial, keywords["channel_axis"])
    label_images = np.ones(spatial, np.int32), np.arange(math.prod(spatial)).reshape(spatial) % 2
    for (reduction, row), label_image in itertools.product(REDUCTIONS.items(), label_images):
        for dtype in ("float32", "float64") if not np.isfinite(values).all() else ("uint8", "int64", "float64"):
            own = keywords | required(reduction) | {"return_indices": row.indices, "background": None}
            assert_region_pools(values.astype(dtype), label_image, reduction, **own)


# ---------------------------------------------------------------- every way through the backend


def blocks(shape, side, dtype=np.int64):
    """Square regions in row-major order, as superpixels are."""
    row, column = np.indices(shape) // side
    return (row * -(-shape[1] // side) + column).astype(dtype)


def expected_averages(image, label_image, count):
    """Averages of labels 0 to `count` - 1, exactly rounded sums."""
    order = np.argsort(label_image, axis=None, kind="stable")
    ends = np.searchsorted(label_image.ravel()[order], np.arange(count + 1))
    values = image.ravel()[order].astype(np.float64)
    parts = [values[a:b].tolist() for a, b in itertools.pairwise(ends)]
    return np.array([math.fsum(part) / len(part) if part else math.nan for part in parts])


SHAPE = (500, 1100)

#: Label images that are laid out in different ways: guessed, guessed wrongly, measured, in fewer blocks, hashed.
WAYS = {
    "a few at random": lambda rng, shape: rng.integers(0, 100, shape),
    "many at random": lambda rng, shape: rng.integers(0, 20_000, shape),
    "as many as pixels": lambda rng, shape: rng.permutation(math.prod(shape)).reshape(shape),
    "superpixels": lambda rng, shape: blocks(shape, 50),
    "many superpixels": lambda rng, shape: blocks(shape, 3),
    "superpixels and background": lambda rng, shape: blocks(shape, 3) * (rng.random(shape) < 0.5),
    "columns": lambda rng, shape: np.indices(shape)[1],
    "one unlike all others": lambda rng, shape: np.where(np.arange(math.prod(shape)) == 1500, 9000, 3).reshape(shape),
    "far from 0": lambda rng, shape: rng.integers(2**62, 2**62 + 50, shape),
    "sparse": lambda rng, shape: rng.choice(rng.integers(0, 2**63, 500), shape),
    "sparse and many": lambda rng, shape: rng.choice(rng.integers(0, 2**63, 50_000), shape),
    "sparse in runs": lambda rng, shape: rng.choice(rng.integers(0, 2**63, 50_000), (shape[0], 11)).repeat(
        shape[1] // 11, axis=1
    ),
}


@pytest.mark.parametrize("dtype", ["int64", "uint64", "uint32"])
@pytest.mark.parametrize("name", WAYS)
def test_ways(name, dtype):
    rng = grid.generator(name)
    label_image = WAYS[name](rng, SHAPE)
    if label_image.max() > np.iinfo(dtype).max:
        pytest.skip("labels of 64 bits")
    image = rng.normal(size=SHAPE) * 10.0 ** rng.integers(-3, 4, SHAPE)
    values, inverse = np.unique(label_image, return_inverse=True)
    label_image = label_image.astype(dtype)
    pooled, rows = region_pool(image, label_image, background=None, return_labels=True, workers=2)
    np.testing.assert_array_equal(rows, values)
    assert rows.dtype == dtype
    sizes = np.bincount(inverse.ravel())
    scale = np.bincount(inverse.ravel(), np.abs(image).ravel()) / sizes
    assert np.all(np.abs(pooled - expected_averages(image, inverse, values.size)) <= 2 * grid.EPS64 * scale)
    np.testing.assert_array_equal(region_pool(image, label_image, "count", background=None), sizes)

    # one extremum of each, of pixels that are all different
    image = rng.permutation(math.prod(SHAPE)).reshape(SHAPE).astype(np.float32)
    largest, places = region_pool(image, label_image, "max", background=None, return_indices=True)
    order = np.lexsort((image.ravel(), inverse.ravel()))
    last = order[np.cumsum(sizes) - 1]
    np.testing.assert_array_equal(places, last)
    np.testing.assert_array_equal(largest, image.ravel()[last])

    some = rng.permutation(values)[:20]
    given = region_pool(image, label_image, "max", labels=some.astype(dtype))
    np.testing.assert_array_equal(given, largest[np.searchsorted(values, some)])
    np.testing.assert_array_equal(region_unpool(largest, label_image, background=None), largest[inverse.reshape(SHAPE)])


@pytest.mark.parametrize("name", WAYS)
def test_tables_stay_small(name):
    """All tables together have at most as many places as the image has pixels (hence not one for each block)."""
    label_image = WAYS[name](grid.generator(name), SHAPE)
    *_, layout = backend.LabelImage(label_image, None).layouts()
    assert layout.sizes.sum() <= max(math.prod(SHAPE) / 2, 4 * len(np.unique(label_image)))
    assert layout.block >= min(2**14, label_image.size)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_results_do_not_depend_on_workers_or_layout(name, reduction):
    rng = grid.generator(name, reduction)
    shape = (150, 440)
    label_image = WAYS[name](rng, shape)
    image = rng.normal(size=(*shape, 2)).astype(np.float32)
    mask = rng.random(shape) < 0.9
    arguments = {"channel_axis": -1, "background": None} | required(reduction)
    expected = region_pool(image, label_image, reduction, mask=mask, workers=1, **arguments)
    for workers in (2, 7):
        result = region_pool(image, label_image, reduction, mask=mask, workers=workers, **arguments)
        assert grid.bits(result) == grid.bits(expected)
    plain = region_pool(image, label_image, reduction, workers=2, **arguments)
    for layout in rng.choice(["Fortran", "strided", "backwards", "byte-swapped", "one of three channels"], 2, False):
        lying = grid.LAYOUTS[layout](image), grid.LAYOUTS[layout](label_image)
        assert grid.bits(region_pool(*lying, reduction, workers=2, **arguments)) == grid.bits(plain)
    first = region_pool(np.moveaxis(image, -1, 0), label_image, reduction, **arguments | {"channel_axis": 0})
    assert grid.bits(first) == grid.bits(plain)
    for channel in range(2):
        alone = region_pool(image[..., channel], label_image, reduction, **arguments | {"channel_axis": None})
        assert grid.bits(alone) == grid.bits(np.ascontiguousarray(plain[:, channel]))


def test_label_dtype_does_not_matter():
    rng = grid.generator("label dtype")
    image, label_image = rng.normal(size=(300, 400)), rng.integers(0, 100, (300, 400))
    label_image[100:200] = blocks((100, 400), 40)
    expected = grid.bits(region_pool(image, label_image))
    for dtype in LABEL_DTYPES[1:]:
        for byte_order in "<>":
            other = label_image.astype(np.dtype(dtype).newbyteorder(byte_order))
            assert grid.bits(region_pool(image, other)) == expected


# ---------------------------------------------------------------- accuracy


@pytest.mark.parametrize("kind", ["random", "blocks", "one"])
def test_averages_are_accurate(kind):
    rng = grid.generator("accuracy")
    shape = (1500, 1700)
    label_image = {
        "random": rng.integers(0, 50, shape),
        "blocks": blocks(shape, 200),
        "one": np.zeros(shape, np.int64),
    }[kind]
    image = (1000 + rng.random(shape)).astype(np.float32)
    for dtype, most in ((np.float32, grid.EPS32), (np.float64, grid.EPS64)):
        pooled = region_pool(image.astype(dtype), label_image, background=None)
        exact = expected_averages(image, label_image, label_image.max() + 1)
        assert np.all(np.abs(pooled - exact) <= most * np.abs(exact))  # one unit in the last place; four are allowed


def test_variances_do_not_cancel():
    rng = grid.generator("variance")
    label_image = rng.integers(0, 3, (200, 300))
    noise = rng.integers(-3, 4, (200, 300))
    exact = [REDUCTIONS["var"].define(noise[label_image == label], ddof=0) for label in range(3)]
    for image in (noise + 1e12, noise + 2**50, noise + 2**62, (noise + 3).astype(np.uint64) + np.uint64(2**63)):
        np.testing.assert_allclose(region_pool(image, label_image, "var", background=None), exact, rtol=1e-14)
    for constant in (0.1, 1e300, -7.3e-5, 1e-310):
        image = np.full((200, 300), constant)
        assert not region_pool(image, label_image, "std", background=None).any()
    image = np.where(noise > 0, 1.5e308, 1.4e308)
    spread = region_pool(image / 2**600, label_image, "std", background=None)
    with np.errstate(over="ignore"):
        assert np.isinf(region_pool(image, label_image, "var", background=None)).all()
    assert np.isfinite(spread).all()


def test_whole_range_of_64_bits():
    label_image = np.array([1, 1, 2, 2, 2])
    image = np.array([0, 2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 3], np.uint64)
    np.testing.assert_array_equal(region_pool(image, label_image), [2.0**63, 2.0**64])
    np.testing.assert_array_equal(region_pool(image, label_image, dtype=np.uint64), [2**63, 2**64 - 2])
    np.testing.assert_array_equal(region_pool(image, label_image, "sum"), [2**64 - 1, 2**64 - 5])
    np.testing.assert_array_equal(region_pool(image, label_image, "sum", dtype=float), [2.0**64, 3 * 2.0**64])
    np.testing.assert_array_equal(region_pool(image, label_image, "range"), [2**64 - 1, 2])
    image = np.array([-(2**63), 2**63 - 1, -(2**63), -(2**63), -(2**63) + 3])
    np.testing.assert_array_equal(region_pool(image, label_image, dtype=np.int64), [0, -(2**63) + 1])
    np.testing.assert_array_equal(region_pool(image, label_image, "var"), [(2.0**63) ** 2, 2.0])
    np.testing.assert_array_equal(region_pool(image, label_image, "max"), [2**63 - 1, -(2**63) + 3])


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 7.5, 100, 3000])
@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-200, 1, 1e200, 1e307])
@pytest.mark.parametrize("reduction", ["lp", "power_mean", "gem"])
def test_powers_beyond_the_range(reduction, scale, p):
    rng = grid.generator(scale, p)
    label_image = rng.integers(0, 4, 400)
    image = np.round(rng.random(400) * 15) * scale
    image[label_image == 0] = rng.random(np.sum(label_image == 0))  # beside regions that need no such care
    image[label_image == 3] = 0
    parameters = {"p": p} | ({"eps": max(scale, 5e-324)} if reduction == "gem" else {})
    pooled = region_pool(image, label_image, reduction, background=None, **parameters)
    with np.errstate(over="ignore"):
        exact = [REDUCTIONS[reduction].define(image[label_image == label], **parameters) for label in range(4)]
    np.testing.assert_allclose(pooled, exact, rtol=1e-13, atol=5e-324)


def test_exponentials_beyond_the_range():
    image = np.array([1e5, 1e5 - 1, -1e5, -1e5 + 2, math.inf, 0, -math.inf, -math.inf])
    label_image = np.array([1, 1, 2, 2, 3, 3, 4, 4])
    expected = [REDUCTIONS["logsumexp"].define(image[label_image == label], sharpness=1) for label in (1, 2, 3, 4)]
    np.testing.assert_allclose(region_pool(image, label_image, "logsumexp"), expected, rtol=1e-15)
    expected = [REDUCTIONS["soft"].define(image[label_image == label], temperature=1) for label in (1, 2, 3, 4)]
    np.testing.assert_allclose(region_pool(image, label_image, "soft"), expected, rtol=1e-15)


# ---------------------------------------------------------------- order statistics

#: Images that are sorted in different ways: one word of 32 bits for sample and label, one of 64, numbered first.
SORTED = {
    "narrow": lambda rng, size: rng.integers(0, 200, size, np.uint8),
    "truths": lambda rng, size: rng.random(size) < 0.5,
    "signed": lambda rng, size: rng.integers(-(2**31), 2**31, size, np.int32),
    "float16": lambda rng, size: rng.normal(size=size).astype(np.float16),
    "wide": lambda rng, size: rng.normal(size=size),
    "wide whole numbers": lambda rng, size: rng.integers(-(2**63), 2**63, size),
    "large unsigned": lambda rng, size: rng.integers(2**64 - 9, 2**64 - 1, size, np.uint64, endpoint=True),
    "few values far apart": lambda rng, size: rng.choice(np.array([2**64 - 1, 2**64 - 2, 1, 0], np.uint64), size),
    "all alike": lambda rng, size: np.full(size, -1.5e300),
}

CALLS = (
    ("median", {}),
    *(
        ("percentile", {"q": 37, "method": method})
        for method in words_of(REDUCTIONS["percentile"].parameters["method"])
    ),
    ("trimmed_mean", {"proportion": 0.2}),
    ("rank", {}),
    ("rank", {"top": 3}),
    ("rank", {"rule": "weighted", "decay": 0.1}),
    ("rank", {"rule": "weighted", "decay": 0.9, "top": 2}),
    *(("mode", {"ties": ties}) for ties in ("smallest", "largest", "first")),
    ("nunique", {}),
    ("entropy", {}),
)


@pytest.mark.parametrize("labels", [1, 7, 150])
@pytest.mark.parametrize("name", SORTED)
def test_order_statistics(name, labels):
    rng = grid.generator(name, labels)
    image, label_image = SORTED[name](rng, 500), rng.integers(0, labels, 500)
    for reduction, parameters in CALLS:
        assert_region_pools(image, label_image, reduction, background=None, **parameters)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_order_statistics_of_64_bits(dtype):
    high, label_image = np.iinfo(dtype).max, np.array([1, 1, 1, 2, 2, 2, 2])
    image = np.array([high - 1, high, high - 1, high, 0, high - 2, 1], dtype)
    for reduction, parameters, expected in (
        ("mode", {}, [high - 1, 0]),
        ("mode", {"ties": "largest"}, [high - 1, high]),
        ("percentile", {"q": 100, "method": "lower"}, [high, high]),
        ("percentile", {"q": 60, "method": "higher"}, [high, high - 2]),
        ("median", {"dtype": dtype}, [high - 1, (high - 1) // 2]),
        ("trimmed_mean", {"dtype": dtype, "proportion": 0.4}, [high - 1, (high - 1) // 2]),
        ("rank", {"dtype": dtype}, [high - 1, high - 1]),
    ):
        pooled = region_pool(image, label_image, reduction, **parameters)
        assert pooled.tolist() == expected


@pytest.mark.parametrize("values", ["few", "many"])
def test_first_of_many_ties(values):
    """Of samples that lie far apart, in regions that end at once, late, and never."""
    rng = grid.generator("ties", values)
    image = rng.integers(0, {"few": 3, "many": 2**40}[values], 200_000)
    label_image = np.repeat([1, 2, 1, 3], 50_000)
    image[label_image == 3] = np.arange(50_000) // 2 - 7
    image[50_000:100_000] = np.arange(50_000)
    image[99_999] = 49_998  # the last one is not alone
    pooled = region_pool(image, label_image, "mode", ties="first")
    expected = [REDUCTIONS["mode"].define(image[label_image == k], ties="first", background=None) for k in (1, 2, 3)]
    assert pooled.tolist() == expected
    assert pooled[1:].tolist() == [49_998, -7]


def test_medians_are_numpys():
    rng = grid.generator("medians")
    label_image = rng.integers(0, 300, (300, 400))
    for image in (rng.normal(size=(300, 400)), rng.integers(0, 256, (300, 400), np.uint8)):
        parts = [image[label_image == label] for label in range(300)]
        pooled = region_pool(image, label_image, "median", background=None)
        np.testing.assert_array_equal(pooled, [np.median(part) for part in parts])
        pooled = region_pool(image, label_image, "percentile", q=90, background=None)
        np.testing.assert_allclose(pooled, [np.percentile(part, 90) for part in parts], rtol=1e-15)


# ---------------------------------------------------------------- peers


def test_as_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = grid.generator("scipy")
    image, label_image = rng.normal(size=(120, 90)), rng.integers(0, 30, (120, 90))
    index = np.arange(30)
    for reduction, function in {
        "avg": ndimage.mean,
        "sum": ndimage.sum_labels,
        "max": ndimage.maximum,
        "min": ndimage.minimum,
        "var": ndimage.variance,
        "std": ndimage.standard_deviation,
        "median": ndimage.median,
    }.items():
        pooled = region_pool(image, label_image, reduction, labels=index)
        np.testing.assert_allclose(pooled, function(image, label_image, index), rtol=1e-12)
    for reduction, function in {"max": ndimage.maximum_position, "min": ndimage.minimum_position}.items():
        places = region_pool(image, label_image, reduction, labels=index, return_indices=True)[1]
        expected = np.ravel_multi_index(np.transpose(function(image, label_image, index)), image.shape)
        np.testing.assert_array_equal(places, expected)


def test_as_regionprops():
    measure = pytest.importorskip("skimage.measure")
    rng = grid.generator("regionprops")
    image, label_image = rng.random((60, 50, 3)), blocks((60, 50), 7) * (rng.random((60, 50)) < 0.8)
    table = measure.regionprops_table(label_image, image, ["label", "area", "mean_intensity", "max_intensity"])
    averages, labels = region_pool(image, label_image, channel_axis=-1, return_labels=True)
    np.testing.assert_array_equal(labels, table["label"])
    np.testing.assert_array_equal(region_pool(image[..., 0], label_image, "count"), table["area"])
    for channel in range(3):
        np.testing.assert_allclose(averages[:, channel], table[f"mean_intensity-{channel}"], rtol=1e-13)
    largest = region_pool(image, label_image, "max", channel_axis=-1)
    np.testing.assert_array_equal(largest[:, 1], table["max_intensity-1"])


# ---------------------------------------------------------------- properties


@st.composite
def labelled(draw):
    """An image and a label image."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=9))
    dtype = draw(st.sampled_from(["uint8", "int16", "int64", "float32", "float64"]))
    elements = {"min_value": -1000, "max_value": 1000} if dtype.startswith("f") else {}
    image = draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(np.dtype(dtype), **elements)))
    kind = np.dtype(draw(st.sampled_from(LABEL_DTYPES[1:])))
    high = draw(st.sampled_from([3, 100, np.iinfo(kind).max]))
    return image, draw(hnp.arrays(kind, shape, elements=st.integers(0, min(high, np.iinfo(kind).max))))


@relaxed
@given(labelled(), st.sampled_from(sorted(REDUCTIONS)), st.randoms(use_true_random=False))
def test_permuted_labels_permute_rows(pair, reduction, random):
    image, label_image = pair
    values, inverse = np.unique(label_image, return_inverse=True)
    order = list(range(values.size))
    random.shuffle(order)
    arguments = {"background": None} | required(reduction)
    plain = region_pool(image, inverse.reshape(image.shape), reduction, **arguments)
    permuted = region_pool(image, np.array(order)[inverse.reshape(image.shape)], reduction, **arguments)
    assert grid.bits(permuted[order]) == grid.bits(plain)
    assert grid.bits(region_pool(image, label_image, reduction, **arguments)) == grid.bits(plain)
    given = region_pool(image, label_image, reduction, labels=values[np.argsort(order)], **arguments)
    assert grid.bits(given[order]) == grid.bits(plain)


@relaxed
@given(labelled())
def test_counts_add_up(pair):
    image, label_image = pair
    counts, labels = region_pool(image, label_image, "count", background=None, return_labels=True)
    assert counts.sum() == image.size
    np.testing.assert_array_equal(labels, np.unique(label_image))
    inside = region_pool(image, label_image, "count", mask=label_image != labels[0], background=None)
    np.testing.assert_array_equal(inside, [0, *counts[1:]])


@relaxed
@given(labelled(), st.sampled_from(["max", "min"]))
def test_indices_gather_their_values(pair, reduction):
    image, label_image = pair
    values, indices, labels = region_pool(
        image, label_image, reduction, return_indices=True, return_labels=True, background=None
    )
    np.testing.assert_array_equal(image.ravel()[indices], values)
    np.testing.assert_array_equal(label_image.ravel()[indices], labels)


@relaxed
@given(labelled(), st.sampled_from(sorted(REDUCTIONS)))
def test_one_region_is_the_whole_image(pair, reduction):
    image, _ = pair
    pooled = region_pool(image, np.ones(image.shape, bool), reduction, **required(reduction))
    expected = skpool.pool(image, image.shape, reduction, **required(reduction)).ravel()
    if REDUCTIONS[reduction].exact:
        np.testing.assert_array_equal(pooled, expected)
    else:
        rounding = 1e-6 if expected.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(pooled, expected, rtol=rounding, atol=rounding * np.abs(image.astype(float)).max())


@relaxed
@given(labelled())
def test_unpooled_regions_are_constant(pair):
    image, label_image = pair
    largest = region_pool(image, label_image, "max")
    painted = region_unpool(largest, label_image, fill_value=7)
    assert painted.dtype == image.dtype
    assert painted.shape == image.shape
    assert np.all(painted[label_image != 0] >= image[label_image != 0])
    assert np.all(painted[label_image == 0] == 7)
    np.testing.assert_array_equal(region_pool(painted, label_image, "max"), largest)
    np.testing.assert_array_equal(region_pool(painted, label_image, "min"), largest)


# ---------------------------------------------------------------- masks, NaN, containers


def test_a_masked_region_keeps_its_row():
    image, label_image = np.arange(6.0), np.array([1, 1, 2, 2, 3, 3])
    mask = label_image != 2
    np.testing.assert_array_equal(region_pool(image, label_image, mask=mask), [0.5, math.nan, 4.5])
    np.testing.assert_array_equal(region_pool(image, label_image, mask=mask, fill_value=-1), [0.5, -1, 4.5])
    image[2:4] = math.nan
    np.testing.assert_array_equal(region_pool(image, label_image, nan_policy="omit", fill_value=-1), [0.5, -1, 4.5])


def test_masked_arrays():
    image = np.ma.masked_array(np.arange(6.0), [0, 1, 1, 1, 0, 0])
    label_image = np.array([1, 1, 2, 2, 3, 3])
    pooled = region_pool(image, label_image)
    assert isinstance(pooled, np.ma.MaskedArray)
    np.testing.assert_array_equal(pooled.mask, [False, True, False])
    np.testing.assert_array_equal(pooled.compressed(), [0, 4.5])
    mask = np.array([1, 1, 1, 1, 0, 1], bool)
    np.testing.assert_array_equal(region_pool(image, label_image, mask=mask).compressed(), [0, 5])


def test_nan_policy_raise():
    image, label_image = np.array([1.0, math.nan, 3.0]), np.array([1, 2, 0])
    with pytest.raises(ValueError, match="`image` must not have NaN where it counts"):
        region_pool(image, label_image, nan_policy="raise")
    for arguments in ({"background": 2}, {"labels": [1]}, {"mask": ~np.isnan(image)}):
        np.testing.assert_array_equal(
            region_pool(image, label_image, nan_policy="raise", **arguments),
            region_pool(image, label_image, nan_policy="omit", **arguments),
        )


def test_lists():
    np.testing.assert_array_equal(region_pool([1, 2, 3], [1, 1, 2], "sum"), [3, 3])
    np.testing.assert_array_equal(region_unpool([[1, 2]], [[0, 1]]), [[[0, 0], [1, 2]]])


def test_shapes_of_other_regions():
    """The two-liners of the documentation: rows, columns, rings, sectors."""
    image = np.arange(30.0).reshape(5, 6)
    row, column = np.indices(image.shape)
    np.testing.assert_array_equal(region_pool(image, row, background=None), image.mean(axis=1))
    np.testing.assert_array_equal(region_pool(image, column, "max", background=None), image.max(axis=0))
    ring = np.hypot(row - 2, column - 3).astype(int)
    assert region_pool(image, ring, background=None)[0] == image[2, 3]
    angle = np.arctan2(row - 2, column - 3)
    sector = ((angle / np.pi + 1) * 8 / 2).astype(int) % 8
    assert region_pool(image, sector, "count", background=None).sum() == 30


# ---------------------------------------------------------------- painting


def test_unpool_of_any_dtype():
    label_image = np.array([[1, 2, 0], [2, 1, 5]])
    for dtype in grid.DTYPES:
        values = np.array([0, 1, 1]).astype(dtype)
        painted = region_unpool(values, label_image, fill_value=1)
        assert painted.dtype == dtype
        np.testing.assert_array_equal(painted, [[0, 1, 1], [1, 0, 1]])
    swapped = region_unpool(np.array([1, 2, 3], ">i4"), label_image)
    assert swapped.dtype == np.int32
    np.testing.assert_array_equal(swapped, [[1, 2, 0], [2, 1, 3]])


def test_unpool_of_given_labels():
    label_image = np.array([[1, 2, 0], [2, 1, 5]], np.uint8)
    painted = region_unpool([10, 20, 30, 40], label_image, labels=[2, 300, 0, 7], fill_value=-1)
    np.testing.assert_array_equal(painted, [[-1, 10, 30], [10, -1, -1]])
    painted = region_unpool([10, 20], label_image.astype(np.uint64) + 2**63, labels=[2**63 + 5, 2**64 - 1])
    np.testing.assert_array_equal(painted, [[0, 0, 0], [0, 0, 10]])
    np.testing.assert_array_equal(region_unpool([], label_image, labels=[]), np.zeros((2, 3)))


def test_unpool_of_channels_and_workers():
    rng = grid.generator("unpool")
    label_image = rng.integers(0, 300, (400, 500))
    values = rng.random((300, 3)).astype(np.float32)
    for workers in (1, 2, 5):
        for layout in ("C", "Fortran", "strided"):
            painted = region_unpool(values, grid.LAYOUTS[layout](label_image), background=None, workers=workers)
            np.testing.assert_array_equal(painted, values[label_image])


def test_empty_images():
    empty = np.zeros((0, 5), int)
    assert region_pool(np.zeros((0, 5)), empty).shape == (0,)
    assert region_pool(np.zeros((0, 5, 3)), empty, channel_axis=-1).shape == (0, 3)
    assert region_pool(np.zeros((4, 5, 0)), np.ones((4, 5), int), channel_axis=-1).shape == (1, 0)
    np.testing.assert_array_equal(region_pool(np.zeros((0, 5)), empty, "sum", labels=[3, 1], fill_value=2), [2, 2])
    assert region_unpool([], empty).shape == (0, 5)
    assert region_unpool(np.zeros((0, 3)), np.zeros((4, 5), int)).shape == (4, 5, 3)


# ---------------------------------------------------------------- errors

IMAGE, LABELS = np.arange(6.0).reshape(2, 3), np.array([[1, 1, 2], [0, 2, 2]])


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (TypeError, "`label_image` must be boolean or integer, got dtype float64", {"label_image": LABELS * 1.0}),
        (TypeError, "`label_image` must be boolean or integer, got dtype <U", {"label_image": LABELS.astype(str)}),
        (TypeError, "`label_image` must be a plain array", {"label_image": np.ma.masked_array(LABELS)}),
        (ValueError, r"`label_image` must have the shape .* \(2, 3\), got \(2, 2\)", {"label_image": LABELS[:, :2]}),
        (ValueError, r"spatial axes \(2,\), got \(2, 3\)", {"channel_axis": 1}),
        (ValueError, "`label_image` must be >= 0 .* got -1", {"label_image": LABELS - 1}),
        (ValueError, "`label_image` must be >= 0 .* got -3", {"label_image": LABELS - 5, "background": -4}),
        (ValueError, "`label_image` must be >= 0 .* got -1", {"label_image": LABELS - 1, "labels": [1]}),
        (ValueError, "got -1", {"label_image": np.where(LABELS == 1, -1, 2**62), "background": None}),
        (TypeError, "`background` must be an integer or None, got 0.5", {"background": 0.5}),
        (TypeError, "`background` must be an integer or None, got 'a'", {"background": "a"}),
        (TypeError, "`labels` must be a sequence of integers, got 3", {"labels": 3}),
        (TypeError, "`labels` must be a sequence of integers, got ", {"labels": [1.0]}),
        (TypeError, "`labels` must be integers, got dtype float64", {"labels": np.array([1.0])}),
        (ValueError, r"`labels` must be a sequence of integers, got shape \(1, 1\)", {"labels": np.array([[1]])}),
        (ValueError, r"`labels` must be from 0 to 2\*\*64 - 1, got \[-1\]", {"labels": [-1]}),
        (ValueError, r"`labels` must be from 0 to 2\*\*64 - 1", {"labels": [2**64]}),
        (ValueError, "`labels` must be distinct, got 3 of which 2 are different", {"labels": [1, 2, 1]}),
        (TypeError, "`return_labels` must be True or False, got 1", {"return_labels": 1}),
        (TypeError, "`return_indices` is a parameter of reductions 'max', 'min'", {"return_indices": True}),
        (TypeError, "`return_indices` must be True or False", {"reduction": "max", "return_indices": 1}),
        (TypeError, "`image` must be boolean, integer or floating point", {"image": IMAGE * 1j}),
        (ValueError, "`reduction` must be one of", {"reduction": "middle"}),
        (TypeError, "`q` is not a parameter of reduction 'avg'", {"q": 1}),
        (ValueError, "`p` must be > 0", {"reduction": "lp", "p": -1}),
        (ValueError, "`ties` must not be 'center' for regions", {"reduction": "mode", "ties": "center"}),
        (TypeError, "`q` must be given for reduction 'percentile'", {"reduction": "percentile"}),
        (TypeError, "`mask` must be boolean", {"mask": LABELS}),
        (ValueError, "`mask` must have the shape of the image", {"mask": np.ones((3, 2), bool)}),
        (ValueError, "`nan_policy` must be one of", {"nan_policy": "ignore"}),
        (ValueError, "`min_count` must be >= 1", {"min_count": 0}),
        (ValueError, "`fill_value` must be representable as int64", {"reduction": "count", "fill_value": 0.5}),
        (TypeError, "`dtype` must be boolean, integer or floating point", {"dtype": complex}),
        (ValueError, "`workers` must be None or an integer >= 1, got 0", {"workers": 0}),
        (ValueError, "`channel_axis` must be from -2 to 1", {"channel_axis": 2}),
        (ValueError, "at least one spatial axis", {"image": IMAGE[0], "label_image": LABELS[0, 0], "channel_axis": 0}),
        (ValueError, "`image` must have at least one axis", {"image": 3.0, "label_image": 1}),
    ],
)
def test_errors(error, message, arguments):
    arguments = {"image": IMAGE, "label_image": LABELS} | arguments
    with pytest.raises(error, match=message):
        region_pool(arguments.pop("image"), arguments.pop("label_image"), **arguments)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "`values` must have one row for each of 2 labels, got 3", {"values": [1, 2, 3]}),
        (ValueError, "`values` must have one row for each of 1 labels, got 2", {"labels": [1]}),
        (ValueError, r"`values` must be of shape \(labels,\) or", {"values": 1}),
        (ValueError, r"`values` must be of shape \(labels,\) or", {"values": np.ones((2, 1, 1))}),
        (TypeError, "`values` must be boolean, integer or floating point", {"values": ["a", "b"]}),
        (TypeError, "`values` must be boolean, integer or floating point", {"values": np.ones(2, complex)}),
        (ValueError, "`fill_value` must be representable as int64, got 0.5", {"fill_value": 0.5}),
        (TypeError, "`fill_value` must be a real number", {"fill_value": "a"}),
        (TypeError, "`label_image` must be boolean or integer", {"label_image": LABELS * 1.0}),
        (ValueError, "`label_image` must be >= 0", {"label_image": LABELS - 1}),
        (ValueError, "`label_image` must be >= 0", {"label_image": LABELS - 1, "labels": [0, 1]}),
        (ValueError, "`label_image` must have at least one axis", {"label_image": 1, "values": [1]}),
        (ValueError, "`labels` must be distinct", {"labels": [1, 1]}),
        (TypeError, "`background` must be an integer", {"background": 1.0}),
        (TypeError, "`workers` must be None or an integer", {"workers": 1.5}),
    ],
)
def test_errors_of_unpool(error, message, arguments):
    arguments = {"values": [1, 2], "label_image": LABELS} | arguments
    with pytest.raises(error, match=message):
        region_unpool(arguments.pop("values"), arguments.pop("label_image"), **arguments)


def test_negative_background():
    label_image = LABELS - 1
    np.testing.assert_array_equal(region_pool(IMAGE, label_image, "sum", background=-1), [1, 11])
    np.testing.assert_array_equal(region_pool(IMAGE, label_image, "sum", background=-1, labels=[1]), [11])
    np.testing.assert_array_equal(region_unpool([5, 6], label_image, background=-1), [[5, 5, 6], [0, 6, 6]])
    far = np.where(label_image == 1, 2**62, label_image)
    np.testing.assert_array_equal(region_pool(IMAGE, far, "sum", background=-1), [1, 11])


@pytest.mark.parametrize("dtype", ["bool", "uint8", ">i2", "int64"])
def test_labels_come_back_in_the_type_of_their_image(dtype):
    labels = np.array([[0, 1], [1, 1]]).astype(dtype)
    means, found = skpool.region_pool([[1.0, 2.0], [3.0, 4.0]], labels, background=None, return_labels=True)
    np.testing.assert_array_equal(means, [1, 3])
    np.testing.assert_array_equal(found, np.unique(labels))
    assert found.dtype == labels.dtype.newbyteorder("=")
