"""Which of the tests of the GPU path run: a sample, as kernels take a second each to compile, or all of them."""

import os
import zlib
from pathlib import Path

HERE = Path(__file__).parent

#: Tests of one function that run unless all are asked for; fewer where each compiles many kernels.
MOST = 3
FEWER = {"test_kernels_compile_and_keep_their_numbers_in_registers": 1, "test_no_number_is_flushed_or_fused": 1}
#: Files of which no test compiles a kernel, and so all run.
CHEAP = ("test_standin.py",)


def pytest_collection_modifyitems(config, items):
    """Leave out all but a few tests of each function, always the same, unless ``SKPOOL_CUDA_TESTS`` is ``all``."""
    if os.environ.get("SKPOOL_CUDA_TESTS") == "all":
        return
    functions = {}
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.name not in CHEAP:
            functions.setdefault(item.originalname, []).append(item)
    left_out = set()
    for name, tests in functions.items():
        tests = sorted(tests, key=lambda item: zlib.crc32(item.name.encode()))
        left_out.update(tests[FEWER.get(name, MOST) :])
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
