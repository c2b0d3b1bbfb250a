"""The stand-in for CuPy offers nothing that CuPy lacks. Needs CuPy, but neither a GPU nor its driver."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import standin

cupy = pytest.importorskip("cupy")

#: Names of the stand-in that are its own.
OWN = {"log", "Log", "Kernel", "Pointer", "installed", "view"}

PROTOCOLS = (
    *("__array_ufunc__", "__array_function__", "__cuda_array_interface__", "__dlpack__", "__dlpack_device__"),
    *("__getitem__", "__setitem__"),
)


def public(module):
    """What a module offers under names of its own, and where."""
    for name, value in vars(module).items():
        if name.startswith("_") or name.isupper() or inspect.ismodule(value) or value is Path or name in OWN:
            continue
        yield name, value


@pytest.mark.parametrize("name", [name for name, value in public(standin) if name not in vars(standin.cuda)])
def test_names(name):
    assert hasattr(cupy, name)


@pytest.mark.parametrize("name", vars(standin.cuda))
def test_names_of_cuda(name):
    assert hasattr(cupy.cuda, name)


METHODS = [name for name in vars(standin.ndarray) if not name.startswith("_") and name != "check_guards"]


@pytest.mark.parametrize("name", [*METHODS, *PROTOCOLS])
def test_members_of_arrays(name):
    assert hasattr(cupy.ndarray, name)


@pytest.mark.parametrize("name", ["id", "__enter__", "__exit__", "__eq__"])
def test_members_of_devices(name):
    assert hasattr(cupy.cuda.Device, name) or name in cupy.cuda.Device.__doc__


@pytest.mark.parametrize(("kind", "name"), [("Stream", "wait_event"), ("Stream", "ptr"), ("Event", "record")])
def test_members_of_streams_and_events(kind, name):
    # `ptr` is an attribute of instances, which cannot be made without a driver.
    assert hasattr(getattr(cupy.cuda, kind), name) or name == "ptr"
    assert hasattr(getattr(standin, kind), name)


def test_an_event_is_made_without_timing():
    assert "disable_timing" in cupy.cuda.Event.__doc__ or "disable_timing" in str(cupy.cuda.Event.__init__.__doc__)


@pytest.mark.parametrize("name", [*standin.FUNCTIONS, *standin.UFUNCS])
def test_functions_of_numpy_that_arrays_hand_over(name):
    assert callable(getattr(cupy, name))
    assert callable(getattr(np, name))


#: Functions of the stand-in that tests may call with CuPy's arguments.
SIGNATURES = [name for name, value in public(standin) if inspect.isfunction(value)]


def first_line(function):
    """The signature of a compiled function, which is the first line of its documentation."""
    return function.__doc__.lstrip().splitlines()[0]


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    ours = list(inspect.signature(getattr(standin, name)).parameters)
    function = getattr(cupy.cuda if name in vars(standin.cuda) else cupy, name)
    try:
        theirs = list(inspect.signature(function).parameters)
    except ValueError:
        assert all(re.search(rf"\b{parameter}\b", first_line(function)) for parameter in ours)
        return
    assert ours == theirs[: len(ours)]


@pytest.mark.parametrize("name", [name for name in METHODS if inspect.isfunction(vars(standin.ndarray)[name])])
def test_signatures_of_methods(name):
    ours = list(inspect.signature(vars(standin.ndarray)[name]).parameters)[1:]
    assert all(re.search(rf"\b{parameter}\b", first_line(getattr(cupy.ndarray, name))) for parameter in ours)


def test_signatures_of_modules():
    ours = inspect.signature(standin.RawModule).parameters
    for name in ours:
        assert name in cupy.RawModule.__doc__.splitlines()[0]
    assert "get_function" in dir(cupy.RawModule)
    kernel = inspect.signature(standin.Kernel.__call__).parameters
    for name in list(kernel)[1:]:
        assert name in cupy.RawKernel.__call__.__doc__
