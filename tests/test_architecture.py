"""The house: who imports whom, that tables and functions agree, and that everything public is documented."""

import ast
import doctest
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plans import required

import skpool
from skpool import adaptive, antialias, boxes, pooling, pyramids, reductions, regions, sampling, strips
from skpool.plan import make_plan
from skpool.reductions import REDUCTIONS, REQUIRED, Parameter, Reduction

CLONE = Path(__file__).parents[1] / "skpool"
SOURCE = CLONE if CLONE.is_dir() else Path(skpool.__file__).parent  # an installed package has no Cython

#: The floors of the house, and the floors that each may import from. Nothing imports upwards.
FLOORS = {
    "faces": ("", "__main__", "cli", "config", "dropin", "estimators", "files", "napari_commands", "skimage_backend"),
    "functions": (
        "documents",
        "pooling",
        "adaptive",
        "boxes",
        "regions",
        "pyramids",
        "sampling",
        "strips",
        "antialias",
        "averages",
        "survivors",
        "containers",
        "merging",
    ),
    "backends": (
        "backends",
        "backends.cpu",
        "backends.networks",
        "backends.order",
        "backends.tiles",
        "backends.weighing",
        "backends.boxes",
        "backends.grouped",
        "backends.labels",
        "backends.gpu",
        "backends.gpu_area",
        "backends.gpu_boxes",
        "backends.gpu_corners",
        "backends.gpu_labels",
        "backends.gpu_unpool",
        "backends.gpu_weights",
        "backends.chunked",
    ),
    "reference": ("reference",),
    "threads": ("threads",),
    "plan": ("plan",),
    "tables": ("windows", "reductions"),
    "kernels": ("kernels",),
}
BELOW = {
    "faces": {"faces", "functions", "backends", "threads", "plan", "tables", "kernels"},
    "functions": {"functions", "backends", "threads", "plan", "tables"},
    "backends": {"backends", "threads", "plan", "tables", "kernels"},
    "reference": {"plan", "tables"},
    "threads": {"kernels"},
    "plan": {"tables"},
    "tables": set(),
    "kernels": {"kernels"},
}
#: What the floors of rules and tables, which every backend reads, may import from elsewhere.
THIRD_PARTY = {"reference": {"numpy"}, "plan": {"numpy"}, "tables": {"numpy"}}

#: Kernels that hand out work to threads; all others work on rows.
PARALLEL = {"driver/program.pyx", "boxes.pyx", "labels.pyx"}

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in sorted(SOURCE.rglob("*.py"))
}
CYTHON = {path.relative_to(SOURCE / "kernels").as_posix(): path for path in sorted(SOURCE.rglob("*.p[yx][xd]"))}
POOLING = [
    name
    for module in (pooling, adaptive, antialias, pyramids, sampling, strips, boxes, regions)
    for name in module.__all__
]
FUNCTIONS = {name: getattr(skpool, name) for name in skpool.__all__ if inspect.isfunction(getattr(skpool, name))}

needs_cython_sources = pytest.mark.skipif(not CYTHON, reason="an installed package has no Cython sources")


def floor_of(module):
    """The floor of a module's name within skpool; any module of the kernels is on theirs."""
    if module.split(".")[0] == "kernels":
        return "kernels"
    for floor, modules in FLOORS.items():
        if module in modules:
            return floor
    raise AssertionError(f"skpool.{module} is on no floor: say in this test where it belongs")


def imported_by(module):
    """Names of all modules that a module imports, wherever in it; those of skpool begin with a dot."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            if not node.level:
                names.append(node.module)
                continue
            for alias in node.names:  # `from . import windows` names a module, `from .windows import sliding` does not
                whole = ".".join(filter(None, [*base, alias.name]))
                names.append("." + (whole if whole in MODULES or base == ["kernels"] else ".".join(filter(None, base))))
    return {re.sub(r"^skpool\b\.?", ".", name) for name in names}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    floor = floor_of(module)
    for name in imported_by(module):
        if name.startswith("."):
            target = floor_of(name[1:])
            assert target in BELOW[floor], f"{floor} ({module}) must not import {target} ({name})"
        elif floor in THIRD_PARTY:
            root = name.split(".")[0]
            assert root in THIRD_PARTY[floor] | sys.stdlib_module_names, f"{module} must not import {name}"


def test_no_module_imports_the_slow_twin():
    for module in MODULES:
        assert ".reference" not in imported_by(module)


def test_floors_are_a_house():
    seen = set()
    for floor in reversed(FLOORS):
        assert BELOW[floor] - {floor} <= seen
        seen.add(floor)


# ---------------------------------------------------------------- kernels

IMPORTS = re.compile(r"^\s*(?:from\s+(\S+)\s+)?(c?import)\s+(.+?)(?:\s*#.*)?$", re.MULTILINE)


@needs_cython_sources
@pytest.mark.parametrize("name", CYTHON)
def test_kernels_cimport_only_kernels_and_libc(name):
    for source, _, names in IMPORTS.findall(CYTHON[name].read_text(encoding="utf-8")):
        for module in [source] if source else [part.split(" as ")[0].strip() for part in names.split(",")]:
            assert re.match(r"(skpool\.kernels|libc|libcpp|cpython|cython)\b", module), (
                f"{name} must not import {module}"
            )


@needs_cython_sources
@pytest.mark.parametrize("name", CYTHON)
def test_python_decides_and_kernels_compute(name):
    text = CYTHON[name].read_text(encoding="utf-8")
    code = re.sub(r'"""[\s\S]*?"""|#.*', "", text)
    assert set(re.findall(r"\braise\s+(\w+)", code)) <= {"MemoryError"}
    assert "prange" not in code or name in PARALLEL
    # glibc chooses variants of these by processor, and results would differ in their last bits
    assert not re.search(r"from libc\.math cimport[^\n]*\b(exp|log|pow)", code)


# ---------------------------------------------------------------- the registry


def test_functions_are_the_rows_of_the_registry():
    assert set(pooling.FUNCTIONS) == {f"{name}_pool" for name in REDUCTIONS}
    for name, function in pooling.FUNCTIONS.items():
        assert getattr(skpool, name) is function
        assert name in skpool.__all__
        assert function.__name__ == function.__qualname__ == name
        assert function.__module__ == "skpool"
    assert sorted(set(skpool.__all__)) == sorted(skpool.__all__)


def test_no_function_is_written_twice():
    written = re.findall(r"^\s*def (\w+_pool)\b", MODULES["pooling"].read_text(encoding="utf-8"), re.MULTILINE)
    assert written == []


@pytest.mark.parametrize("name", REDUCTIONS)
def test_rows_are_complete(name):
    row = REDUCTIONS[name]
    assert row.name == name
    assert isinstance(row, Reduction)
    assert callable(row.define)
    assert row.summary.endswith(".")
    assert row.formula
    assert not row.references or row.references.endswith(".")
    for parameter in row.parameters.values():
        assert isinstance(parameter, Parameter)
        assert parameter.rule
        assert parameter.meaning.endswith(".")
        assert parameter.default in (None, REQUIRED) or parameter.obeys(parameter.default)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_result_types(name):
    row = REDUCTIONS[name]
    for code in "?bBhHiIlLqQefd":
        dtype = np.dtype(code)
        assert row.result(dtype).isnative
        assert row.result(dtype) == make_plan((4, 4), dtype, name, **required(name)).dtype
        assert skpool.pool(np.ones((2, 2), dtype), reduction=name, **required(name)).dtype == row.result(dtype)


def test_a_reduction_is_one_row():
    """A row alone makes a documented function: nothing else knows the names of reductions."""
    row = Reduction(
        "twice_max",
        lambda samples, factor: 2 * samples.max().item(),
        reductions.as_image,
        "Twice the largest sample.",
        "2 max W",
        ("[[1, 7], [7, 1]]", "[[14]]"),
        {"factor": Parameter(2.0, "> 0", lambda value: value > 0, "What it is multiplied by.")},
    )
    function = pooling._function(row)
    assert function.__name__ == "twice_max_pool"
    assert "factor" in inspect.signature(function).parameters
    for text in ("Twice the largest sample.", "2 max W", "factor : float", "What it is multiplied by."):
        assert text in function.__doc__


# ---------------------------------------------------------------- documentation


def sections(function):
    """The sections of a numpydoc docstring, by their titles."""
    assert function.__doc__, f"{function.__name__} has no docstring"
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.getdoc(function), flags=re.MULTILINE)
    return {"Summary": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_have_all_parameters(name):
    found = sections(FUNCTIONS[name])
    documented = set()
    for line in re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : .+)?$", found.get("Parameters", ""), re.MULTILINE):
        documented.update(part.lstrip("*") for part in line.split(", "))
    assert documented == set(inspect.signature(FUNCTIONS[name]).parameters)


@pytest.mark.parametrize("name", POOLING)
def test_docstrings_of_pooling_have_all_sections(name):
    found = sections(FUNCTIONS[name])
    assert {"Summary", "Parameters", "Returns", "Raises", "Examples"} <= set(found)
    assert all(text.strip() for text in found.values())
    first = found["Summary"].splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 110


@pytest.mark.parametrize("name", POOLING)
def test_examples_run(name):
    tests = doctest.DocTestFinder(recurse=False).find(FUNCTIONS[name], name, module=False, globs={})
    assert sum(len(test.examples) for test in tests) >= 1
    for test in tests:
        results = doctest.DocTestRunner(verbose=False).run(test)
        assert results.failed == 0


@pytest.mark.parametrize("name", REDUCTIONS)
def test_signatures_have_the_defaults_of_the_contract(name):
    parameters = inspect.signature(getattr(skpool, f"{name}_pool")).parameters
    assert list(parameters)[:2] == ["image", "window_shape"]
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in list(parameters.values())[2:])
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    expected = {
        "window_shape": None,
        "stride": None,
        "padding": 0,
        "dilation": 1,
        "ceil_mode": True,
        "mode": "ignore",
        "cval": 0,
        "footprint": None,
        "mask": None,
        "nan_policy": "propagate",
        "min_count": 1,
        "fill_value": None,
        "channel_axis": None,
        "dtype": None,
        "out": None,
        "workers": None,
    } | {key: parameter.default for key, parameter in REDUCTIONS[name].parameters.items()}
    assert defaults.items() >= expected.items()
    assert ("return_indices" in defaults) == REDUCTIONS[name].indices
    assert "reduction" not in defaults


def test_the_package_has_a_picture():
    for name in ("plan.py", "windows.py", "reductions.py", "backends/cpu.py", "kernels/driver", "reference.py"):
        assert name in skpool.__doc__


def test_modules_say_what_they_are():
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert not text.strip() or ast.get_docstring(ast.parse(text)), f"skpool.{module} has no docstring"


# ---------------------------------------------------------------- the package as a guest


def test_import_is_light():
    code = "import sys, skpool; skpool.global_max_pool([[1, 2]]); print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not {"cupy", "dask", "sklearn", "torch", "matplotlib", "pytest", "xarray"} & set(result.stdout.split())


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", skpool.__version__)
    project = SOURCE.parent / "pyproject.toml"
    if project.exists():
        assert f'version = "{skpool.__version__}"' in project.read_text(encoding="utf-8")


def test_the_source_folder_says_what_it_lacks(tmp_path):
    """Python started in the checkout imports the sources: the error must tell what to do."""
    package = Path(skpool.__file__).parent
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(package, tmp_path / "skpool", ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-c", "import skpool; skpool.max_pool"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "not compiled" in done.stderr.splitlines()[-1]
    assert "pip install" in done.stderr.splitlines()[-1]


def test_nothing_is_imported_before_something_is_used():
    """By several threads at once, too."""
    code = """
import sys, threading
import skpool
assert not [name for name in sys.modules if name.startswith("skpool.")]
found = []
threads = [threading.Thread(target=lambda: found.append(skpool.max_pool)) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert found == [skpool.max_pool] * 8
assert set(skpool.__all__) < set(dir(skpool))
assert not hasattr(skpool, "nothing")
"""
    for first in (
        "",
        "import skpool; assert 'max_pool' in dir(skpool) and skpool.regions",
        "from skpool import *; avg_pool",
    ):
        subprocess.run(
            [sys.executable, "-P", "-c", first or code],
            check=True,
            env=os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1])},
        )
