"""skpool as a backend of scikit-image's own dispatcher, which is run as it is."""

import importlib
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest
from skimage import measure, transform

import skpool
from skpool import dropin, skimage_backend

_backends = pytest.importorskip("skimage.util._backends")

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
SWITCH = "SKPOOL_SKIMAGE_BACKEND"
IMAGE = np.arange(35).reshape(5, 7)

#: As pyproject.toml has them, which a test below sees to.
ENTRY_POINTS = {
    "skimage_backends": "skpool.skimage_backend",
    "skimage_backend_infos": "skpool.skimage_backend:information",
}


@pytest.fixture
def dispatched(monkeypatch):
    """Both functions as scikit-image would dispatch them, were skpool the only backend installed."""
    monkeypatch.delenv("SKIMAGE_NO_DISPATCHING", raising=False)
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(
        _backends, "entry_points", lambda group: EntryPoints([EntryPoint("skpool", ENTRY_POINTS[group], group)])
    )
    _backends.all_backends.cache_clear()
    functions = {
        function.__name__: _backends.dispatchable(function)
        for function in (measure.block_reduce, transform.downscale_local_mean)
    }
    # The day that these are dispatched, they are what skpool finds in scikit-image.
    monkeypatch.setattr(dropin._Patch, "originals", functions)
    yield functions
    _backends.all_backends.cache_clear()


@pytest.mark.parametrize("name", skimage_backend.FUNCTIONS)
def test_names_are_those_of_scikit_image(name):
    module, function = name.split(":")
    original = getattr(importlib.import_module(module), function)
    assert f"{_backends.public_api_module(original)}:{original.__name__}" == name
    assert skimage_backend.get_implementation(name).__wrapped__ is getattr(skpool, function)


def test_off_by_default(dispatched, monkeypatch):
    called = []
    monkeypatch.setattr(skimage_backend, "get_implementation", called.append)
    for value in (None, "0", ""):
        if value is not None:
            monkeypatch.setenv(SWITCH, value)
        expected = measure.block_reduce(IMAGE, 2, np.max)
        np.testing.assert_array_equal(dispatched["block_reduce"](IMAGE, 2, np.max), expected)
    assert called == []


def test_on(dispatched, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    calls = {
        "block_reduce": (lambda f: f(IMAGE, block_size=2, func=np.max), measure.block_reduce),
        "downscale_local_mean": (lambda f: f(IMAGE, (2, 3)), transform.downscale_local_mean),
    }
    for name, (call, original) in calls.items():
        with pytest.warns(_backends.DispatchNotification, match=f"{name}' was dispatched to the 'skpool' backend"):
            result = call(dispatched[name])
        np.testing.assert_array_equal(result, call(original))


def test_what_skpool_does_not_compute_goes_back_once(dispatched, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    with pytest.warns(_backends.DispatchNotification) as notes:
        result = dispatched["block_reduce"](IMAGE, 2, np.median)
    assert len(notes) == 1
    np.testing.assert_array_equal(result, measure.block_reduce(IMAGE, 2, np.median))
    with pytest.warns(_backends.DispatchNotification), pytest.raises(ValueError, match="block_size"):
        dispatched["block_reduce"](IMAGE, (2, 2, 2))
    assert skimage_backend.can_has("skimage.measure:block_reduce", IMAGE)


@pytest.mark.skipif(not PROJECT.exists(), reason="there is no pyproject.toml beside the tests")
def test_installed_backend_leaves_scikit_image_alone(tmp_path):
    """With the entry points of pyproject.toml, in a process of its own: scikit-image dispatches what it does."""
    groups = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    assert {group: groups[group]["skpool"] for group in ENTRY_POINTS} == ENTRY_POINTS
    folder = tmp_path / "skpool_entry_points-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: skpool-entry-points\nVersion: 0\n")
    lines = [f"[{group}]\nskpool = {target}\n" for group, target in ENTRY_POINTS.items()]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    code = (
        "import numpy as np, sys\n"
        "from skimage.metrics import mean_squared_error\n"  # a function that scikit-image dispatches
        "assert mean_squared_error(np.zeros(4), np.ones(4)) == 1\n"
        "assert hasattr(mean_squared_error, '__wrapped__')\n"
        "assert 'skpool.skimage_backend' in sys.modules\n"
        "assert {name for name in sys.modules if name.startswith('skpool.')} == {'skpool.skimage_backend'}\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(skpool.__file__).parents[1])])
    variables = {"PYTHONPATH": path, "SKIMAGE_NO_DISPATCHING": "0", SWITCH: "1"}
    command = [sys.executable, "-P", "-W", "error", "-c", code]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
