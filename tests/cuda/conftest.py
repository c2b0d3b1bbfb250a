"""Which of the tests of the GPU path run: a sample, as kernels take a second each to compile, or all of them."""

import importlib
import os
import zlib
from pathlib import Path

import devices
import pytest
import standin

HERE = Path(__file__).parent

#: Tests of one function that run unless all are asked for; fewer where each compiles many kernels.
MOST = 2
FEWER = {
    "test_kernels_compile_and_keep_their_numbers_in_registers": 1,
    "test_no_number_is_flushed_or_fused": 1,
    "test_areas": 1,
    "test_whole_images_with_weights": 1,
    "test_pixels_with_weights": 1,
    "test_quads": 2,
    "test_tiles": 2,
    "test_large_windows_that_overlap": 2,
}
#: Files of which no test compiles a kernel, and so all run.
CHEAP = ("test_standin.py", "test_gpu_calls.py")


def pytest_collection_modifyitems(config, items):
    """Leave out what cannot run or was not asked for.

    Tests on a GPU run, all of them, where there is one; ``-m gpu`` says why there is none. Of the others all but a few
    of each function are left out, always the same, or, if ``SKPOOL_CUDA_TESTS`` is ``each``, of each function and name,
    or, if it is ``all``, none.
    """
    own = [item for item in items if item.path.is_relative_to(HERE)]
    on_gpu = [item for item in own if item.get_closest_marker("gpu")]
    left_out = set()
    if on_gpu and "gpu" not in config.option.markexpr and devices.why_no_gpu():
        left_out.update(on_gpu)
    wanted = os.environ.get("SKPOOL_CUDA_TESTS", "few")
    if wanted != "all":
        functions = {}
        for item in own:
            if item.path.name not in CHEAP and not item.get_closest_marker("gpu"):
                parameters = item.callspec.params if wanted == "each" and hasattr(item, "callspec") else {}
                functions.setdefault((item.path, item.originalname, parameters.get("name")), []).append(item)
        for (_, name, _), tests in functions.items():
            tests = sorted(tests, key=lambda item: zlib.crc32(item.name.encode()))
            left_out.update(tests[FEWER.get(name, MOST) :])
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and (reason := devices.why_no_gpu()):
        pytest.skip(reason)


NEEDS_COMPILER = pytest.mark.skipif(standin.COMPILER is None, reason="there is no C++ compiler")


@pytest.fixture(params=[pytest.param("stand-in", marks=NEEDS_COMPILER), pytest.param("gpu", marks=pytest.mark.gpu)])
def cupy(request, monkeypatch):
    """CuPy, or what stands in for it; `log` tells what has been done."""
    if request.param == "gpu":
        module = importlib.import_module("cupy")
        monkeypatch.setattr(module, "log", devices.Launches(monkeypatch), raising=False)
        yield module
        return
    with standin.installed() as module:
        module.log.clear()
        module.log.backwards = False
        yield module
        module.log.backwards = False
