"""Every kernel compiles for every architecture that CuPy compiles for. Needs NVRTC, but neither a GPU nor its driver.

The compiler and its options are CuPy's (14), which appends ``-ftz=true`` to those of skpool; no
instruction may heed it.
"""

import functools
import re

import numpy as np
import pytest
from plans import required, sliding_plan

from skpool.backends import gpu, gpu_area, gpu_boxes, gpu_corners, gpu_labels, gpu_unpool, gpu_weights
from skpool.boxes import POOL_REDUCTIONS
from skpool.plan import make_plan
from skpool.reductions import REDUCTIONS, as_sum
from skpool.windows import Bins, Sliding, Taps

pytest.importorskip("cupy")
nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc")

ARCHITECTURES = ("75", "80", "90", "100")
CUPYS_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")

DTYPES = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
)


#: Those whose kernels are made into machine code; all others' go as far as PTX.
FEW_DTYPES = ("uint8", "float16", "float64")


#: Parameters that choose another kernel.
OTHERS = {
    "percentile": ({}, {"method": "lower"}),
    "rank": ({}, {"rule": "weighted"}),
    "mode": ({}, {"ties": "largest"}, {"ties": "first"}),
}


def plans(name, dtypes):
    """Plans that need different kernels of a reduction."""
    for dtype in dtypes:
        yield sliding_plan((8, 8), np.dtype(dtype), name, window_shape=2, **required(name))
    for out in ("int16", "float16", "bool"):
        yield sliding_plan((8, 8), np.dtype("float32"), name, window_shape=2, dtype=out, **required(name))
    yield sliding_plan((8, 8, 8), np.dtype("float32"), name, window_shape=(2, 3, 3), **required(name))
    # Trees in registers and in memory, and parts; or windows of up to 9 and up to 27 samples.
    for size in (5, 17, 40) if name in gpu.STRUCTS else (3, 5):
        for parameters in OTHERS.get(name, ({},)):
            yield sliding_plan((80, 80), np.dtype("float32"), name, window_shape=size, **required(name), **parameters)
    if name in gpu.STRUCTS:  # tiles
        for dtype in ("uint8", "float32"):
            yield sliding_plan((80, 80), np.dtype(dtype), name, window_shape=9, stride=1, **required(name))


#: Images whose windows of 2 x 2 are read in vectors: of no channels, of some, and of many.
QUADS = (((8, 8), None), ((8, 8, 3), -1), ((8, 8, 32), -1))


def _windows(name, dtypes):
    for plan in plans(name, dtypes):
        for indices in (False, True)[: 1 + REDUCTIONS[name].indices]:
            for counted in (False, True):
                kernels = gpu.kernels_of(plan, indices, counted)
                yield kernels.file, kernels.names
    if name == "max":
        for dtype in dtypes:
            kernels = gpu.kernels_of(sliding_plan((8, 8), np.dtype(dtype), name, window_shape=2), finds=True)
            yield kernels.file, kernels.names
    if name in gpu.QUADS:
        for number, dtype in enumerate(dtypes):
            shape, axis = QUADS[number % len(QUADS)]
            plan = sliding_plan(shape, np.dtype(dtype), name, window_shape=2, channel_axis=axis)
            kernels = gpu.kernels_of(plan, False, False, (16, 8)[number % 2])
            yield kernels.file, kernels.names


def _weights(dtypes):
    for dtype in map(np.dtype, dtypes):
        layout = Sliding(None, 2, 0, 1, True, "ignore", None, Taps.of_weights(np.ones((2, 3))))
        plan = make_plan((8, 8), dtype, "avg", layout)
        kernels = gpu.kernels_of(plan)
        yield kernels.file, kernels.names
        yield kernels.file, gpu_weights.names_of_windowed(plan, dtype)
        yield kernels.file, gpu_weights.names_of_whole(plan, np.dtype("float64"))
        for side in (2, 20):
            layout = Sliding(None, 2, 0, 1, True, "ignore", None, Taps.of_weights(np.ones((side, side))))
            kernels = gpu.kernels_of(make_plan((40, 40), dtype, "avg", layout), counted=False)
            yield kernels.file, kernels.names


def _unpooling(dtypes):
    for dtype in map(np.dtype, dtypes):
        yield "unpool.cu", gpu_unpool.names_of_put(dtype, np.dtype(f"i{dtype.itemsize}"))
        for share, result in (("float64", "uint8"), ("float64", "float16"), ("float32", "float32")):
            yield "unpool.cu", (gpu_unpool.name_of_spread(dtype, np.dtype(share), np.dtype(result), 3),)


#: Sums of regions by the type of the pixels, and the type of results: these kernels take longest to compile.
SUMS = {
    "uint8": (("logsumexp", None), ("gem", None)),
    "int64": (("std", "float32"),),
    "float16": (("avg", None),),
    "float64": (("sum", "int16"), ("soft", "float32"), ("var", None)),
}


def _regions(dtypes):
    for dtype in map(np.dtype, dtypes):
        for name in gpu.STRUCTS:
            for indices in (False, True)[: 1 + REDUCTIONS[name].indices]:
                plan = sliding_plan((8, 8), dtype, name, window_shape=1)
                if not gpu_labels.kernels_of_sums(plan):
                    yield "labels.cu", (gpu_labels.checked_kernel(plan, indices)[0],)
        for name, out in SUMS.get(dtype.name, ()):
            plan = sliding_plan((8, 8), dtype, name, window_shape=1, dtype=out)
            yield "labels.cu", gpu_labels.kernels_of_sums(plan)
            if name in gpu_labels.CENTERED:
                yield "labels.cu", gpu_labels.kernels_of_centers(plan)
        if dtype.kind in "iu":
            yield "labels.cu", (gpu_labels.name_of_paint(dtype, dtype), gpu_labels.name_of_measure(dtype))


def _boxes(dtypes):
    for dtype in map(np.dtype, dtypes):
        for wide in (8, 99):  # trees in registers and in memory
            image, edges = np.zeros((wide, wide, 1), dtype), np.array([[0.0, wide, 0, wide]])
            for name in POOL_REDUCTIONS:
                yield "boxes.cu", gpu_boxes.pixels(name, image, edges, (1, 1)).kernels
        for rule in (
            gpu_boxes.samples(dtype, 2),
            gpu_boxes.integral(dtype),
            *(gpu_boxes.peaks(dtype, 2, onnx) for onnx in (False, True)),
        ):
            yield "boxes.cu", rule.kernels


def _areas(dtypes):
    for dtype in map(np.dtype, dtypes):
        for axes in ((), (1,), (0, 1), (0, 1, 2)):
            plan = make_plan((8, 8, 8), dtype, "avg", Bins(3))
            yield "area.cu", gpu_area.kernels_of(plan, {a: (np.zeros(3, int), np.full(3, 7)) for a in axes})[0]


def _corners(dtypes):
    for dtype in map(np.dtype, dtypes):
        yield "corners.cu", gpu_corners.names_of(dtype, dtype, 1)
        yield "corners.cu", gpu_corners.names_of(dtype, as_sum(dtype), 2)


#: What kernels there are, by the reduction of windows, or what else they do.
KERNELS = {name: functools.partial(_windows, name) for name in gpu.COVERED} | {
    "weights": _weights,
    "unpooling": _unpooling,
    "regions": _regions,
    "boxes": _boxes,
    "corners": _corners,
    "areas": _areas,
}


def names_of(name, dtypes=DTYPES):
    """Kernels by file."""
    found = {}
    for file, names in KERNELS[name](dtypes):
        found.setdefault(file, {}).update(dict.fromkeys(names))
    return found


def compiled(file, names, architecture, *options):
    """Compile kernels; the program, and what the compiler said."""
    program = nvrtc.createProgram(gpu.source(file), file, (), ())
    for name in names:
        nvrtc.addNameExpression(program, name)
    options = (*gpu.options(), *options, f"-arch={architecture}", *CUPYS_OPTIONS)
    try:
        nvrtc.compileProgram(program, options)
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    return program, nvrtc.getProgramLog(program)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_compile_and_keep_their_numbers_in_registers(name, architecture, capsys):
    most = 0
    for file, names in names_of(name, FEW_DTYPES).items():
        program, said = compiled(file, names, f"sm_{architecture}", "--ptxas-options=-v")
        assert len(nvrtc.getCUBIN(program)) > 0
        spills = [int(number) for number in re.findall(r"(\d+) bytes spill", said)]
        assert len(spills) >= 2 * len(names)  # functions that are called have their own
        assert not any(spills)
        if file == "quads.cu":  # nor do pixels pass through memory on their way
            assert not any(int(number) for number in re.findall(r"(\d+) bytes stack frame", said))
        most = max(most, *(int(number) for number in re.findall(r"Used (\d+) registers", said)))
    with capsys.disabled():
        print(f"\n{name}, sm_{architecture}: at most {most} registers", end="")
    assert most <= 255


@pytest.mark.parametrize("name", gpu.QUADS)
def test_quads_are_read_and_written_in_vectors(name):
    plans = [sliding_plan((8, 64), np.dtype(dtype), name, window_shape=2) for dtype in ("uint8", "float32", "float64")]
    for plan in plans:
        [kernel] = gpu.kernels_of(plan, False, False, 16).names
        text = nvrtc.getPTX(compiled("quads.cu", [kernel], "compute_75")[0])
        text = text.decode() if isinstance(text, bytes) else text
        rows, results = (sum(map(int, re.findall(rf"{way}\.global\.v(\d)\.[uf]64", text))) for way in ("ld", "st"))
        each, _ = gpu.outputs_of_thread(plan)
        assert 8 * rows == 4 * each * plan.image_dtype.itemsize
        assert 8 * results == (each * plan.dtype.itemsize if each * plan.dtype.itemsize > 8 else 0)


@pytest.mark.parametrize("name", KERNELS)
def test_no_number_is_flushed_or_fused(name):
    for file, names in names_of(name).items():
        text = nvrtc.getPTX(compiled(file, names, "compute_75")[0])
        text = text.decode() if isinstance(text, bytes) else text
        arithmetic = re.findall(r"^\s*(\w[\w.]*)\s", text, re.MULTILINE)
        assert not [operation for operation in arithmetic if ".ftz" in operation]
        # The one that is meant: of the root, written __fma_rn.
        fused = sum(operation.startswith("fma.") for operation in arithmetic)
        roots = sum(kernel.count("Lp<") + kernel.count("PowerMean<") + kernel.count("Gem<") for kernel in names)
        assert fused == 0 or roots
        assert "fma.rn.f32" not in text
