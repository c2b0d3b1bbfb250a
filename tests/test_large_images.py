"""Images that no cache holds: their rows are asked for ahead, and read as those of small ones are."""

import numpy as np
import pytest

import skpool

LEAST_BYTES = 33 * 1024 * 1024
COLUMNS = 2085


def _large(dtype, channels=()):
    """An image of rows that begin within cache lines and end within vectors."""
    bytes_of_row = COLUMNS * int(np.prod(channels, dtype=int)) * np.dtype(dtype).itemsize
    shape = (LEAST_BYTES // bytes_of_row + 1, COLUMNS, *channels)
    return np.random.default_rng(3).integers(0, 200, shape, np.uint8).astype(dtype)


def _by_bands(image, window, stride, call):
    """Results of bands of rows, one below the other."""
    outputs = (image.shape[0] - window) // stride + 1
    bands = np.array_split(np.arange(outputs), 9)
    rows = (slice(band[0] * stride, band[-1] * stride + window) for band in bands)
    return np.concatenate([call(image[band]) for band in rows])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("reduction", ["max", "avg"])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (3, 1), (8, 8), (9, 9)])
def test_folded(window, stride, reduction, dtype, channels, workers):
    def call(part):
        axis = -1 if channels else None
        return skpool.pool(part, window, reduction, stride=stride, channel_axis=axis, ceil_mode=False, workers=workers)

    image = _large(dtype, channels)
    np.testing.assert_array_equal(call(image), _by_bands(image, window, stride, call))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("reduction", "dtype"), [("mode", "uint32"), ("median", "uint8"), ("median", "float32")])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 3), (3, 1)])
def test_sorted(window, stride, reduction, dtype, workers):
    def call(part):
        return skpool.pool(part, window, reduction, stride=stride, ceil_mode=False, workers=workers)

    image = _large(dtype)
    np.testing.assert_array_equal(call(image), _by_bands(image, window, stride, call))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_whole(dtype, workers):
    image = _large(dtype)
    image[1234, 567] = 201
    value, place = skpool.global_max_pool(image, return_indices=True, workers=workers)
    assert (value, place) == (201, 1234 * COLUMNS + 567)
    assert skpool.global_max_pool(image, workers=workers) == 201
    total = skpool.global_sum_pool(image, workers=workers)
    assert total == image.sum(dtype=np.float64).astype(total.dtype)  # exact in any order, rounded once
