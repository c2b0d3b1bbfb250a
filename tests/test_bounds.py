"""Nothing is read or written outside an image's and a result's memory: both lie against pages that none may touch."""

import ctypes
import mmap
import sys

import numpy as np
import pytest

import skpool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")

PAGE = mmap.PAGESIZE
WIDTHS = [*range(2, 72), 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 190, 192, 255, 256, 257, 258, 387]


def fenced(shape, dtype, *, at_end):
    """An array that ends just before, or begins just after, a page without access."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    inside = -(-size // PAGE) * PAGE
    memory = mmap.mmap(-1, inside + 2 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    whole = np.frombuffer(memory, np.uint8)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for page in (whole.ctypes.data, whole.ctypes.data + PAGE + inside):
        assert protect(page, PAGE, 0) == 0, ctypes.get_errno()
    start = PAGE + (inside - size if at_end else 0)
    return whole[start : start + size].view(dtype).reshape(shape)


def sample(columns, channels):
    """A random image of bytes and the options to pool it with, at stride 2 and without incomplete windows."""
    shape = (6, columns) if channels is None else (6, columns, channels)
    image = np.random.default_rng(columns).integers(0, 256, shape, np.uint8)
    return image, {"stride": 2, "ceil_mode": False, "channel_axis": None if channels is None else -1}


def pooled(image, window, reduction):
    """The same by NumPy; means are rounded half to even."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (window, window), (0, 1))[::2, ::2]
    if reduction == "avg":
        return np.rint(windows.mean((-2, -1))).astype(np.uint8)
    return {"max": np.max, "min": np.min}[reduction](windows, (-2, -1))


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("reduction", ["max", "min", "avg"])
def test_nothing_outside_the_arrays_is_touched(reduction, window, channels, at_end):
    for columns in (width for width in WIDTHS if width >= window):
        image, options = sample(columns, channels)
        expected = pooled(image, window, reduction)
        source = fenced(image.shape, np.uint8, at_end=at_end)
        source[...] = image
        out = fenced(expected.shape, np.uint8, at_end=at_end)
        skpool.pool(source, window, reduction, out=out, **options)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("reduction", ["max", "min", "avg"])
def test_what_lies_between_rows_of_the_result_is_left_alone(reduction, channels):
    for columns in WIDTHS:
        image, options = sample(columns, channels)
        expected = pooled(image, 2, reduction)
        around = np.full((expected.shape[0], expected.shape[1] + 40, *expected.shape[2:]), 77, np.uint8)
        out = around[:, 20:-20]
        skpool.pool(image, 2, reduction, out=out, **options)
        np.testing.assert_array_equal(out, expected)
        out[...] = 77
        assert (around == 77).all()
