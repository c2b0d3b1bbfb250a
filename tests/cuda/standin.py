"""A stand-in for CuPy, as far as skpool uses it: arrays are NumPy's, and kernels are the real CUDA sources as C++.

What it offers must exist in CuPy by the same names, and with the same arguments: `test_standin.py` compares them.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / f"skpool_cuda_on_cpu_{os.getuid() if hasattr(os, 'getuid') else 0}"
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused")

GUARD = 64  # bytes on either side of an array, which nobody may write
GUARD_BYTE = 0xA5


#: NumPy's functions that may be called with arrays on a device, which hand them over to CuPy's of the same name.
FUNCTIONS = ("broadcast_to", "concatenate", "expand_dims", "moveaxis", "ndim", "shape", "where")

#: Those that give views.
VIEWS = ("broadcast_to", "expand_dims", "moveaxis")

UFUNCS = (
    *("not_equal", "greater_equal", "greater", "less", "multiply", "divide", "subtract"),
    *("bitwise_and", "invert", "isfinite", "isnan"),
)


class Log:
    """What has been done since `clear`: launches, waits for the device, new arrays and which of them were uploaded.

    Launches are pairs of a kernel's name and its grid; those of CuPy's own kernels have None for the latter.
    """

    def __init__(self):
        self.backwards = False  # the order of threads and blocks
        self.clear()

    def clear(self):
        self.launches, self.waits, self.allocations, self.uploads = [], 0, 0, 0

    def launch_own(self, name):
        """Note a launch of a kernel of CuPy's."""
        self.launches.append((name, None))


log = Log()


class Pointer:
    def __init__(self, ptr):
        self.ptr = ptr


class ndarray:
    def __init__(self, host, memory=None):
        if memory is None:
            log.allocations += 1
            width = host.dtype.itemsize * host.size
            memory = np.full(width + 2 * GUARD, GUARD_BYTE, np.uint8)
            own = memory[GUARD : GUARD + width].view(host.dtype).reshape(host.shape)
            own[...] = host
            host = own
        self._host, self._memory = host, memory

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    device = property(lambda self: Device(0))
    data = property(lambda self: Pointer(self._host.ctypes.data))

    def __dlpack__(self, stream=None):
        return self

    def __dlpack_device__(self):
        return 2, self.device.id

    @property
    def __cuda_array_interface__(self):
        interface = {"shape": self.shape, "typestr": self.dtype.str, "data": (self.data.ptr, False), "version": 3}
        return interface | {"strides": self.strides, "stream": 1}

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __getitem__(self, index):
        if isinstance(index, ndarray):
            log.launch_own("take")
            return ndarray(self._host[index._host])
        return ndarray(np.asarray(self._host[index]), self._memory)

    def __setitem__(self, index, value):
        log.launch_own("copy")
        self._host[index] = _host(value)

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        if ufunc.__name__ not in UFUNCS or any(isinstance(value, np.ndarray) for value in inputs):
            return NotImplemented  # CuPy computes with its own arrays and with scalars, and with nothing else
        log.launch_own(ufunc.__name__)
        return ndarray(np.asarray(getattr(ufunc, method)(*map(_host, inputs), **keywords)))

    def __array_function__(self, function, types, args, keywords):
        if function.__name__ not in FUNCTIONS:
            return NotImplemented
        hosts = [tuple(map(_host, arg)) if isinstance(arg, list | tuple) else _host(arg) for arg in args]
        result = function(*hosts, **keywords)
        if not isinstance(result, np.ndarray):
            return result
        if function.__name__ in VIEWS:
            return ndarray(result, args[0]._memory)
        log.launch_own(function.__name__)
        return ndarray(result)

    def __ne__(self, other):
        return np.not_equal(self, other)

    def __ge__(self, other):
        return np.greater_equal(self, other)

    def __gt__(self, other):
        return np.greater(self, other)

    def __lt__(self, other):
        return np.less(self, other)

    def __mul__(self, other):
        return np.multiply(self, other)

    def __truediv__(self, other):
        return np.divide(self, other)

    def __sub__(self, other):
        return np.subtract(self, other)

    def __and__(self, other):
        return np.bitwise_and(self, other)

    def __invert__(self):
        return np.invert(self)

    __hash__ = None

    def view(self, dtype):
        return ndarray(self._host.view(dtype), self._memory)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if not copy and self.dtype == dtype:
            return self
        log.launch_own("copy")
        return ndarray(self._host.astype(dtype, order))

    def ravel(self):
        return ascontiguousarray(self).reshape(-1)

    def __bool__(self):
        log.waits += 1
        return bool(self._host)

    def any(self):
        log.launch_own("any")
        return ndarray(np.asarray(self._host.any()))

    def all(self):
        log.launch_own("all")
        return ndarray(np.asarray(self._host.all()))

    def fill(self, value):
        if value or not self._host.flags.c_contiguous:  # zeros are set by the driver
            log.launch_own("fill")
        self._host.fill(value)

    def reshape(self, shape):
        return ndarray(self._host.reshape(shape), self._memory)

    def squeeze(self, axis=None):
        return ndarray(self._host.squeeze(axis), self._memory)

    def get(self):
        log.waits += 1
        return self._host.copy()

    def check_guards(self):
        if not isinstance(self._memory, np.ndarray):
            return  # another's
        outside = np.concatenate([self._memory[:GUARD], self._memory[-GUARD:]])
        if (outside != GUARD_BYTE).any():
            raise AssertionError("a kernel has written outside an array")


def _host(value):
    return value._host if isinstance(value, ndarray) else value


class _Interface:
    """What NumPy reads of an array that another owns."""

    def __init__(self, interface):
        self.__array_interface__ = {
            name: interface[name] for name in ("shape", "typestr", "data", "strides", "version")
        }


def asarray(a):
    if isinstance(a, ndarray):
        return a
    if hasattr(a, "__cuda_array_interface__"):
        return ndarray(np.asarray(_Interface(a.__cuda_array_interface__)), a)
    log.uploads += 1
    return ndarray(np.asarray(a))


def from_dlpack(array):
    return array.__dlpack__()  # of the stand-in's arrays, this is what one hands over


def empty(shape, dtype=float):
    blank = np.empty(shape, dtype)
    blank.view(np.uint8).fill(0x5A) if blank.ndim and blank.size else blank.fill(0)
    return ndarray(blank)


def zeros(shape, dtype=float):
    return ndarray(np.zeros(shape, dtype))


def ascontiguousarray(a):
    if a._host.flags.c_contiguous:
        return a
    log.launch_own("copy")
    return ndarray(np.ascontiguousarray(a._host))


def argsort(a, axis=-1, kind=None):
    log.launch_own("argsort")
    return ndarray(np.argsort(a._host, axis, "stable"))


def flatnonzero(a):
    log.launch_own("flatnonzero")
    log.waits += 1  # for the shape of the result
    return ndarray(np.flatnonzero(a._host))


def broadcast_to(array, shape):
    return ndarray(np.broadcast_to(array._host, shape), array._memory)


def may_share_memory(a, b):
    return np.may_share_memory(a._host, b._host)


def view(host, memory):
    """An array that is a view of another's host array, for tests."""
    return ndarray(host, memory._memory)


FAILURES = (
    "",
    "grid out of range",
    "block out of range",
    "divergent barrier",
    "number of arguments",
    "width of argument",
)


class Kernel:
    def __init__(self, library, number, name):
        self.function, self.name = getattr(library, f"launch_{number}"), name

    def __call__(self, grid, block, args, *, shared_mem=0):
        if not isinstance(grid, tuple) or not isinstance(block, tuple):
            raise TypeError("grid and block must be tuples")
        values = [np.array(a.data.ptr, np.uintp) if isinstance(a, ndarray) else _scalar(a) for a in args]
        sizes = (ctypes.c_uint * 3)(*(*grid, 1, 1)[:3]), (ctypes.c_uint * 3)(*(*block, 1, 1)[:3])
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        widths = (ctypes.c_size_t * len(values))(*(value.nbytes for value in values))
        log.launches.append((self.name, grid, block))
        failure = self.function(*sizes, pointers, widths, len(values), log.backwards)
        if failure:
            raise RuntimeError(f"{self.name}: {FAILURES[failure]}")
        for a in args:
            if isinstance(a, ndarray):
                a.check_guards()


def _scalar(value):
    """A scalar as CuPy hands it over: 64 bits for Python's numbers, NumPy's as they are."""
    if isinstance(value, np.generic):
        return np.array(value)
    if type(value) in (int, float):
        return np.array(value, np.int64 if type(value) is int else np.float64)
    raise TypeError(f"unsupported argument {type(value)}")


class RawModule:
    def __init__(self, code=None, *, options=(), name_expressions=None):
        if not isinstance(options, tuple):
            raise TypeError("options must be a tuple")
        self.code, self.options, self.names = code, options, tuple(name_expressions)

    def get_function(self, name):
        return Kernel(_library(self.code, self.options, self.names), self.names.index(name), name)


@functools.cache
def _library(code, options, names):
    wrappers = "".join(
        f'extern "C" int launch_{n}(const unsigned* grid, const unsigned* block, void** values, const size_t* widths,'
        f" int count, bool backwards) {{ return emulator::launch(&{name}, grid, block, values, widths, count,"
        " backwards); }\n"
        for n, name in enumerate(names)
    )
    text = f'#include "cuda_on_cpu.h"\n#line 1 "kernel.cu"\n{code}\n{wrappers}'
    kept = [option for option in options if option.startswith(("-I", "-D"))]
    extra = tuple(os.environ.get("SKPOOL_EMULATOR_FLAGS", "").split())
    key = repr((text, (HERE / "cuda_on_cpu.h").read_text(), kept, FLAGS, extra, COMPILER))
    library = CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
    if not library.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            source, made = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
            source.write_text(text, encoding="utf-8")
            command = [COMPILER, *FLAGS, *extra, f"-I{HERE}", *kept, str(source), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or done.stderr:
                raise RuntimeError(f"{names}\n{done.stderr}")
            os.replace(made, library)
    return ctypes.CDLL(str(library))


class Device:
    def __init__(self, device=None):
        self.id = device or 0

    def __eq__(self, other):
        return self.id == other.id

    __hash__ = None

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass


class Stream:
    ptr = 0

    def wait_event(self, event):
        pass


class Event:
    def __init__(self, block=False, disable_timing=False, interprocess=False):
        pass

    def record(self, stream=None):
        pass


_STREAM = Stream()


def get_current_stream(device_id=-1):
    return _STREAM


cuda = types.SimpleNamespace(Device=Device, Event=Event, Stream=Stream, get_current_stream=get_current_stream)


@contextlib.contextmanager
def installed():
    """This module in CuPy's place."""
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = sys.modules[__name__]
    try:
        yield sys.modules[__name__]
    finally:
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before
