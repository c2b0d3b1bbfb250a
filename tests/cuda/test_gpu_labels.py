"""Regions, and the way back, on a GPU or behind the stand-in."""

import itertools

import numpy as np
import pytest
from devices import on_device, same_bits
from grid import DTYPES, FOLDED, RESULTS, geometry
from images import LAYOUTS, generator, image_of
from plans import sliding_plan

import skpool
from skpool.backends import gpu_labels
from skpool.backends import labels as backend

pytestmark = pytest.mark.usefixtures("cupy")


# ---------------------------------------------------------------- labels


def labelled_images(*seed):
    """Images with channels anywhere or none, label images of several types, and the channel axis."""
    rng = generator(*seed)
    for number, kind in enumerate(("int32", "uint8", "int64", "uint64", "bool")):
        shape = ((40, 33), (7, 9, 5), (300,), (21, 22), (1, 1))[number]
        axis = (None, -1, 0, 1, None)[number]
        labels = rng.integers(0, 2 if kind == "bool" else 9, shape).astype(kind)
        if kind == "int64":
            labels[labels == 3] = 2**40  # far from all others
        if kind == "uint64":
            labels[labels == 3] = 2**63 + 5
        image = image_of(rng, shape if axis is None else (*shape, 3), seed[-1])
        yield image if axis is None else np.moveaxis(image, -1, axis), labels, axis, rng


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", FOLDED)
def test_regions(reduction, dtype, cupy):
    for number, (image, labels, axis, rng) in enumerate(labelled_images(reduction, dtype)):
        cupy.log.backwards = not cupy.log.backwards
        keywords = {"channel_axis": axis, "min_count": int(rng.integers(1, 3)), "background": (0, None, 7)[number % 3]}
        keywords["nan_policy"] = ("propagate", "omit")[number % 2]
        if number % 2:
            keywords["labels"] = [5, 2**63 + 5, 0, 77, 2]
        mask = rng.random(labels.shape if number % 3 else image.shape) < 0.7 if number else None
        layout = list(LAYOUTS.values())[number]
        expected = skpool.region_pool(image, labels, reduction, mask=mask, **keywords)
        arrays = on_device(layout(image)), on_device(layout(labels))
        found = skpool.region_pool(*arrays, reduction, mask=on_device(mask), **keywords)
        same_bits(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["max", "min"])
def test_indices_and_labels_of_regions(reduction, dtype, cupy):
    for image, labels, axis, _ in labelled_images(reduction, dtype):
        cupy.log.backwards = not cupy.log.backwards
        keywords = {"channel_axis": axis, "return_indices": True, "return_labels": True}
        expected = skpool.region_pool(image, labels, reduction, **keywords)
        found = skpool.region_pool(on_device(image), on_device(labels), reduction, **keywords)
        for one, other in zip(found, expected, strict=True):
            same_bits(one, other)


def test_regions_of_many_pixels():
    image = image_of(generator("large"), (300, 310), "float64")
    labels = (np.arange(300)[:, None] // 7 * (np.arange(310) > 5)).astype(np.uint16)
    image = np.where(np.isfinite(image), image, 0)
    for reduction in FOLDED:
        expected = skpool.region_pool(image, labels, reduction)
        found = skpool.region_pool(on_device(image), on_device(labels), reduction)
        same_bits(found, expected)


def labels_in_blocks():
    """Label images that the CPU cuts into blocks of several lengths: what is special, and the image."""
    rng, shape = generator("blocks"), (260, 300)
    rows, columns = np.indices(shape)
    yield "superpixels", (rows // 40 * 10 + columns // 37).astype(np.int32)
    yield "scattered", rng.integers(0, 3, shape).astype(np.uint8)
    yield "few holes", (rng.random(shape) < 0.99).astype(np.uint16)
    yield "sparse", rng.choice([3, 2**40, 2**63 + 5, 77], shape).astype(np.uint64)
    yield "wide", rng.integers(0, 8000, shape).astype(np.int32)
    yield "ascending", (rows * 300 + columns).astype(np.int64) // 20
    late = np.where(rows * 300 + columns > 70000, rows * 7000 + columns, rows // 100).astype(np.uint32)
    yield "guessed wrong", late
    yield "guessed nearly right", np.where((rows == 200) & (columns < 9), 5000, rows // 50).astype(np.int16)
    yield "background below", np.where(columns < 50, -7, rows // 9).astype(np.int64)


LABELS_IN_BLOCKS = dict(labels_in_blocks())


#: Reductions that add up, and what else is given.
SUMS = {
    "sum": {},
    "avg": {"dtype": "float64"},
    "logsumexp": {"sharpness": -0.3, "dtype": "float32"},
    "soft": {"temperature": 2, "dtype": "int16"},
    "var": {"dtype": "float32"},
    "gem": {"p": 2.5},
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", LABELS_IN_BLOCKS)
def test_sums_of_regions_in_blocks(name, dtype, cupy, monkeypatch):
    """Blocks of pixels, steps of 16 and what they leave: the bits are the CPU's."""
    labels, rng = LABELS_IN_BLOCKS[name], generator(name, dtype)
    image = (rng.normal(size=labels.shape) * 10.0 ** rng.integers(-3, 4, labels.shape)).astype(dtype)
    holes, keywords = np.where(rng.random(labels.shape) < 1e-3, np.nan, image).astype(dtype), {"background": -7}
    calls = itertools.product((0, 2**14), SUMS, (None, [1, 3, 77]))
    for number, (least, reduction, given) in enumerate(calls):
        if reduction in gpu_labels.RELATIVE and given is None:
            continue  # extrema of thousands of regions take long behind the stand-in
        monkeypatch.setattr(gpu_labels, "LEAST_REGIONS", least)
        cupy.log.backwards = number % 2 == 1
        keywords |= {"labels": given, "nan_policy": ("propagate", "omit")[number % 2]}
        pixels = np.stack([image, holes], -1) if number % 4 else holes
        mask = rng.random(pixels.shape) < 0.999 if number % 3 == 0 else None
        keywords |= {"channel_axis": -1 if number % 4 else None}
        with np.errstate(all="ignore"):
            expected = skpool.region_pool(pixels, labels, reduction, mask=mask, **keywords, **SUMS[reduction])
        arrays, keywords["mask"] = (on_device(pixels), on_device(labels)), on_device(mask)
        found = skpool.region_pool(*arrays, reduction, **keywords, **SUMS[reduction])
        del keywords["mask"]
        same_bits(found, expected)


@pytest.mark.parametrize("name", LABELS_IN_BLOCKS)
def test_blocks_are_those_of_the_cpu(name, cupy):
    labels = LABELS_IN_BLOCKS[name]
    image = np.ones(labels.shape, np.float32)
    plan = sliding_plan(image.shape, image.dtype, "sum", window_shape=1)
    pooling = backend.Pooling(plan, backend.LabelImage(labels, 1), image[..., None])
    backend.compute(pooling)
    assert gpu_labels.LabelImage(on_device(labels)).block(None) == pooling.layout.block


@pytest.mark.parametrize("least", [0, 2**14])
def test_regions_beyond_the_range_of_float64(least, monkeypatch):
    monkeypatch.setattr(gpu_labels, "LEAST_REGIONS", least)
    rng = generator("beyond the range")
    image = np.outer([1e-300, 1e-200, 1e200, 3e300, 1.7e308, 1], rng.uniform(-1, 1, 70))
    image[4, :40], image[5, 3], image[2, 7] = 1.7e308, np.nan, np.inf
    labels = np.repeat(np.arange(1, 7)[:, None], 70, axis=1)
    labels[:, 50:] += 6
    with np.errstate(all="ignore"):
        for name, given in (("lp", {"p": 3}), ("power_mean", {"p": 3}), ("gem", {"p": 3}), ("lp", {"p": np.inf})):
            expected = skpool.region_pool(image, labels, name, **given)
            same_bits(skpool.region_pool(on_device(image), on_device(labels), name, **given), expected)
        for name, given in (("std", {"ddof": 1}), ("var", {"dtype": "float32"})):
            expected = skpool.region_pool(image, labels, name, **given)
            same_bits(skpool.region_pool(on_device(image), on_device(labels), name, **given), expected)


def test_regions_of_another_type_and_nan():
    image, labels = np.array([[1.5, np.nan], [2.5, 300]], np.float32), np.array([[1, 1], [2, 3]])
    for dtype in ("uint8", "float64", "bool"):
        expected = skpool.region_pool(image, labels, "max", dtype=dtype, fill_value=1)
        same_bits(skpool.region_pool(on_device(image), on_device(labels), "max", dtype=dtype, fill_value=1), expected)
    for name in ("avg", "max", "std"):
        with pytest.raises(ValueError, match="must not have NaN"):
            skpool.region_pool(on_device(image), on_device(labels), name, nan_policy="raise")
        arrays = on_device(image), on_device(labels)
        expected = skpool.region_pool(image, labels, name, labels=[2, 3], nan_policy="raise")
        same_bits(skpool.region_pool(*arrays, name, labels=[2, 3], nan_policy="raise"), expected)


def test_no_regions():
    for shape in ((0, 4), (3, 4)):
        image, labels = np.ones(shape), np.zeros(shape, int)
        for keywords in ({}, {"labels": []}, {"labels": [4]}, {"return_labels": True}):
            expected = skpool.region_pool(image, labels, **keywords)
            found = skpool.region_pool(on_device(image), on_device(labels), **keywords)
            pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
            for one, other in pairs:
                same_bits(one, other)


def test_errors_of_regions():
    image, labels = on_device(np.ones((2, 3))), on_device(np.array([[-1, 0, 2], [2, 2, 2]]))
    with pytest.raises(ValueError, match=r"`label_image` must be >= 0 wherever it is not `background`, got -1"):
        skpool.region_pool(image, labels)
    assert skpool.region_pool(image, labels, background=-1).shape == (2,)
    with pytest.raises(ValueError, match=r"`label_image` must be >= 0 wherever it is not `background`, got -1"):
        skpool.region_unpool(on_device(np.ones(1)), labels, labels=[2])
    with pytest.raises(ValueError, match="`values` must have one row for each of 2 labels, got 1"):
        skpool.region_unpool(on_device(np.ones(1)), labels, background=-1)
    with pytest.raises(TypeError, match="`label_image` must be on the device of `image`, got ndarray"):
        skpool.region_pool(image, np.ones((2, 3), int))
    with pytest.raises(TypeError, match="`label_image` must be boolean or integer"):
        skpool.region_pool(image, image)
    with pytest.raises(
        NotImplementedError, match=r"skpool\.region_pool\(image\.get\(\), label_image\.get\(\), 'median'"
    ):
        skpool.region_pool(image, labels, "median")


@pytest.mark.parametrize("dtype", DTYPES)
def test_regions_are_painted(dtype, cupy):
    for _, labels, axis, rng in labelled_images("paint", dtype):
        for background, given in itertools.product((0, None, 5), (None, [5, 2**40, 1, 77])):
            cupy.log.backwards = not cupy.log.backwards
            count = len(skpool.region_pool(labels, labels, "count", background=background, labels=given))
            values = image_of(rng, (count,) if axis is None else (count, 2), dtype)
            keywords = {"background": background, "labels": given, "fill_value": 1}
            expected = skpool.region_unpool(values, labels, **keywords)
            same_bits(skpool.region_unpool(on_device(values), on_device(labels), **keywords), expected)


# ---------------------------------------------------------------- the way back


@pytest.mark.parametrize("indices_dtype", ["int8", "uint16", "int64", "uint64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_go_back_to_their_places(dtype, indices_dtype, cupy):
    rng = generator(dtype, indices_dtype)
    values = image_of(rng, (6, 7), dtype)
    indices = rng.integers(-1 if indices_dtype.startswith("i") else 0, 50, (6, 7)).astype(indices_dtype)
    for layout in LAYOUTS.values():  # several values have one index
        cupy.log.backwards = not cupy.log.backwards
        found = skpool.max_unpool(on_device(layout(values)), on_device(layout(indices)), (5, 10), fill_value=1)
        same_bits(found, skpool.max_unpool(values, indices, (5, 10), fill_value=1))
    image = image_of(rng, (9, 11), dtype)
    pooled = skpool.max_pool(image, 3, stride=2, return_indices=True)
    same_bits(skpool.max_unpool(*map(on_device, pooled), image.shape), skpool.max_unpool(*pooled, image.shape))


@pytest.mark.parametrize(("index", "shape"), [(-2, (3, 4)), (12, (3, 4)), (2**40, (3, 4)), (0, (0, 4))])
def test_indices_outside_are_told_after_one_wait(index, shape, cupy):
    values, indices = np.ones((2, 2)), np.array([[-1, -1], [index, -1]])
    with pytest.raises(ValueError, match="must be from -1") as on_cpu:
        skpool.max_unpool(values, indices, shape)
    with pytest.raises(ValueError, match="must be from -1") as on_gpu:
        skpool.max_unpool(on_device(values), on_device(indices), shape)
    assert str(on_gpu.value) == str(on_cpu.value)
    assert cupy.log.waits == 1


def test_errors_of_unpooling():
    values = np.ones((2, 2))
    with pytest.raises(TypeError, match="`indices` must be on the device of `values`, got ndarray"):
        skpool.max_unpool(on_device(values), np.zeros((2, 2), int), (4, 4))
    with pytest.raises(TypeError, match="`values` must be on the device of `indices`, got ndarray"):
        skpool.max_unpool(values, on_device(np.zeros((2, 2), int)), (4, 4))
    with pytest.raises(TypeError, match="must be integers, got dtype float64"):
        skpool.max_unpool(on_device(values), on_device(values), (4, 4))
    with pytest.raises(ValueError, match="must have the shape of `values`"):
        skpool.max_unpool(on_device(values), on_device(np.zeros(4, int)), (4, 4))
    with pytest.raises(ValueError, match="`output_shape` must be from 3 to 4"):
        skpool.avg_unpool(on_device(values), (5, 4), 2)


IMAGES = ("mode", "cval")  # what only concerns images


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_values_are_spread_over_their_windows(dtype, ndim, cupy):
    rng = generator("spread", dtype, ndim)
    for number in range(8):
        shape = tuple(rng.integers(5, 12, ndim).tolist())
        channels = number % 2 == 1 and ndim > 1
        keywords = {name: value for name, value in geometry(rng, ndim - channels, 4).items() if name not in IMAGES}
        if channels:
            keywords["channel_axis"] = int(rng.integers(-ndim, ndim))
        try:
            values = image_of(rng, skpool.pooled_shape(shape, **keywords), dtype)
        except ValueError:
            continue
        cupy.log.backwards = number % 4 > 1
        result = {} if number % 3 else {"dtype": rng.choice(RESULTS).item()}
        layout = list(LAYOUTS.values())[number % len(LAYOUTS)]
        with np.errstate(all="ignore"):
            expected = skpool.avg_unpool(values, shape, **keywords, **result)
            same_bits(skpool.avg_unpool(on_device(layout(values)), shape, **keywords, **result), expected)


def test_nothing_to_unpool(cupy):
    empty = np.zeros((0, 3))
    same_bits(skpool.max_unpool(on_device(empty), on_device(empty.astype(int)), (2, 2)), np.zeros((2, 2)))
    same_bits(skpool.avg_unpool(on_device(empty), (0, 6), 2), np.zeros((0, 6)))
    cupy.log.clear()
    skpool.avg_unpool(on_device(np.ones((2, 3))), (4, 6), 2)
    assert (cupy.log.waits, len(cupy.log.launches)) == (0, 1)
