"""Boxes on a GPU or behind the stand-in."""

import numpy as np
import pytest
from devices import launched, on_device, same, same_bits
from grid import DTYPES
from images import LAYOUTS, generator, image_of

import skpool

pytestmark = pytest.mark.usefixtures("cupy")


def boxes_of(rng, count, shape, whole=False):
    """Boxes in, around and outside an image; the last one is empty."""
    corners = rng.uniform(-0.3, 1.3, (count, 2, 2)) * shape
    corners[::3] = np.round(corners[::3])
    corners = np.sort(corners, axis=1)
    corners[-1] = corners[-1, :1]
    return np.round(corners.reshape(count, 4)).astype(int) if whole else corners.reshape(count, 4)


def images_with_boxes(*seed):
    """Images of some rows and columns with channels anywhere or none, boxes, and the channel axis."""
    rng = generator(*seed)
    for number in range(4):
        shape = tuple(rng.integers(1, 40, 2).tolist()) if number else (90, 70)
        axis = (None, -1, 0, 1)[number]
        image = image_of(rng, shape if axis is None else (*shape, 3), seed[-1])
        image = image if axis is None else np.moveaxis(image, -1, axis)
        yield list(LAYOUTS.values())[number](image), boxes_of(rng, 9, shape), axis, rng


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["max", "min", "avg", "sum", "range", "var", "std"])
def test_boxes_of_whole_pixels(reduction, dtype, cupy):
    for image, boxes, axis, rng in images_with_boxes(reduction, dtype):
        cupy.log.backwards = not cupy.log.backwards
        inclusive, bins = bool(rng.random() < 0.5), tuple(rng.integers(1, 8, 2).tolist())
        keywords = {"reduction": reduction, "inclusive": inclusive, "channel_axis": axis}
        with np.errstate(all="ignore"):
            same(skpool.roi_pool, image, boxes, bins, **keywords)
            same(skpool.roi_pool, image, boxes, 1, fill_value=1, **keywords)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parameters", [{}, {"reduction": "max"}, {"reduction": "max", "onnx_max": True}])
def test_boxes_of_samples(parameters, dtype, cupy):
    for image, boxes, axis, rng in images_with_boxes(str(parameters), dtype):
        cupy.log.backwards = not cupy.log.backwards
        for sampling_ratio in (0, 1, 3, 7):
            bins = tuple(rng.integers(1, 8, 2).tolist())
            keywords = {"sampling_ratio": sampling_ratio, "aligned": bool(rng.random() < 0.5), "channel_axis": axis}
            with np.errstate(all="ignore"):
                same(skpool.roi_align, image, boxes, bins, **keywords, **parameters)


@pytest.mark.parametrize("dtype", DTYPES)
def test_boxes_of_integrals(dtype, cupy):
    for image, boxes, axis, rng in images_with_boxes("integral", dtype):
        cupy.log.backwards = not cupy.log.backwards
        bins = tuple(rng.integers(1, 8, 2).tolist())
        with np.errstate(all="ignore"):
            same(skpool.precise_roi_pool, image, boxes, bins, aligned=bool(rng.random() < 0.5), channel_axis=axis)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channel_axis", [0, -1])
def test_bins_with_channels_of_their_own(channel_axis, dtype):
    rng = generator(channel_axis, dtype)
    image = np.moveaxis(image_of(rng, (21, 17, 18), dtype), -1, channel_axis)
    with np.errstate(all="ignore"):
        for layout in LAYOUTS.values():
            boxes = boxes_of(rng, 6, (21, 17), whole=True)
            same(skpool.position_sensitive_roi_pool, layout(image), boxes, (3, 2), channel_axis=channel_axis)


def test_boxes_may_lie_on_the_device_and_are_fetched_once(cupy):
    image, boxes = np.arange(48.0).reshape(6, 8), np.array([[0, 0, 4, 4], [1.5, 2, 5, 8]])
    device = on_device(image)
    cupy.log.clear()
    found = skpool.roi_align(device, on_device(boxes), 2)
    assert (cupy.log.waits, len(cupy.log.launches)) == (1, 2)
    same_bits(found, skpool.roi_align(image, boxes, 2))
    cupy.log.clear()
    skpool.roi_pool(device, boxes, 2)
    assert (cupy.log.waits, len(cupy.log.launches)) == (0, 1)


def test_edges_of_few_boxes_are_kept_on_the_device(cupy):
    image, boxes = np.arange(48.0).reshape(6, 8), np.array([[0, 0, 4, 4], [1.5, 2, 5, 8]])
    device = on_device(image)
    many = np.resize(boxes, (1025, 4))
    calls = ((boxes, None), (boxes.copy(), 0), (boxes.tolist(), 0), (boxes[::-1], 1), (boxes, 0))
    for given, uploads in (*calls, (many, None), (many, 1), (many, 1)):
        cupy.log.clear()
        found = skpool.precise_roi_pool(device, given, 2)
        assert cupy.log.waits == 0
        assert uploads in (None, cupy.log.uploads)
        same_bits(found, skpool.precise_roi_pool(image, given, 2))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5, 4, 0)])
def test_boxes_without_pixels(shape, cupy):
    image = np.zeros(shape, np.float32)
    axis = -1 if len(shape) == 3 else None
    for function in (skpool.roi_pool, skpool.roi_align, skpool.precise_roi_pool):
        same(function, image, [[0, 0, 4, 4]], 2, channel_axis=axis)
        same(function, np.zeros((3, 3)), np.zeros((0, 4)), 2)
    assert set(launched(cupy)) <= {"fill"}
