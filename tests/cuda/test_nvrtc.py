"""Every kernel compiles for every architecture that CuPy compiles for. Needs NVRTC, but neither a GPU nor its driver.

The compiler and its options are CuPy's (14), which appends ``-ftz=true`` to those of skpool; no
instruction may heed it.
"""

import re

import numpy as np
import pytest
from plans import required, sliding_plan

from skpool.backends import gpu
from skpool.reductions import REDUCTIONS

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


def names_of(name, dtypes=DTYPES):
    """The kernels of a reduction, by file."""
    found = {}
    for plan in plans(name, dtypes):
        for indices in (False, True)[: 1 + REDUCTIONS[name].indices]:
            kernels = gpu.kernels_of(plan, indices)
            found.setdefault(kernels.file, {}).update(dict.fromkeys(kernels.names))
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
@pytest.mark.parametrize("name", gpu.COVERED)
def test_kernels_compile_and_keep_their_numbers_in_registers(name, architecture, capsys):
    most = 0
    for file, names in names_of(name, FEW_DTYPES).items():
        program, said = compiled(file, names, f"sm_{architecture}", "--ptxas-options=-v")
        assert len(nvrtc.getCUBIN(program)) > 0
        spills = [int(number) for number in re.findall(r"(\d+) bytes spill", said)]
        assert len(spills) == 2 * len(names)
        assert not any(spills)
        most = max(most, *(int(number) for number in re.findall(r"Used (\d+) registers", said)))
    with capsys.disabled():
        print(f"\n{name}, sm_{architecture}: at most {most} registers", end="")
    assert most <= 255


@pytest.mark.parametrize("name", gpu.COVERED)
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
