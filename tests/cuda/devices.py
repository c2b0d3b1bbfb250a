"""Where the tests of the GPU path run: behind the stand-in for CuPy, or on a GPU (`pytest -m gpu`)."""

import functools
import importlib
import sys

import numpy as np
import pytest
import standin

from skpool.backends import gpu


@functools.cache
def why_no_gpu():
    """Why there is no GPU to run tests on, or None if there is one."""
    try:
        cupy = importlib.import_module("cupy")
        count = cupy.cuda.runtime.getDeviceCount()
    except ImportError as error:
        return f"CuPy cannot be imported ({error})"
    except RuntimeError as error:  # CuPy's own errors are of this type
        return f"there is no GPU ({error})"
    return None if count else "there is no GPU"


def module():
    """CuPy as it is at the moment: the stand-in, or the real one."""
    return sys.modules["cupy"]


class Launches:
    """Of a GPU, what `standin.Log` is of the stand-in, as far as it can be known."""

    def __init__(self, monkeypatch):
        self.clear()
        kernel_of = gpu._kernel

        def recording(*arguments):
            self.launches.append(arguments)
            return kernel_of(*arguments)

        monkeypatch.setattr(gpu, "_kernel", recording)
        self.backwards = False  # has no effect

    def clear(self):
        self.launches = []

    @property
    def waits(self):
        pytest.skip("only the stand-in knows how often the device was waited for")

    allocations = waits


def launched(cupy):
    """Kernels launched since the last question: the stand-in tells their names, a GPU what they were asked for by."""
    names = [first if cupy is standin else rest[0][rest[1]] for first, *rest in cupy.log.launches]
    cupy.log.clear()
    return [name.partition("<")[0].removeprefix("skpool::") for name in names]


def on_device(array):
    """An array on the device, of the same layout."""
    if array is None:
        return None
    low, high = np.lib.array_utils.byte_bounds(array) if array.size else (0, 0)
    offset = array.ctypes.data - low if array.size else 0
    if module() is not standin:
        whole = module().zeros(high - low, np.uint8)
        copy = module().ndarray(array.shape, array.dtype, whole.data + offset, array.strides)
        copy[...] = module().asarray(np.ascontiguousarray(array))
        return copy
    whole = standin.asarray(np.zeros(high - low, np.uint8))
    host = np.ndarray(array.shape, array.dtype, whole._memory, standin.GUARD + offset, array.strides)
    host[...] = array
    return standin.ndarray(host, whole._memory)


def fetched(found, expected):
    """A result of the device, of the shape and type expected."""
    assert isinstance(found, module().ndarray)
    found = found.get()
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    return found


def same_bits(found, expected):
    """Arrays of one type that have the same bits; any NaN is like any other."""
    found = fetched(found, expected)
    if found.dtype.kind == "f":
        nan = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(found), nan)
        found, expected = (np.where(nan, 0, array).astype(array.dtype) for array in (found, expected))
        integer = f"i{found.dtype.itemsize}"
        found, expected = found.view(integer), expected.view(integer)
    np.testing.assert_array_equal(found, expected)


def same(function, image, *arguments, mask=None, **keywords):
    """The same call on the device and on the CPU gives the same."""
    masks = ({}, {}) if mask is None else ({"mask": on_device(mask)}, {"mask": mask})
    found = function(on_device(image), *arguments, **keywords, **masks[0])
    expected = function(image, *arguments, **keywords, **masks[1])
    if not isinstance(expected, tuple | list):
        found, expected = [found], [np.asarray(expected)]
    for one, other in zip(found, expected, strict=True):
        same_bits(one, other)
