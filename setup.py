"""Compile the kernels: what drives them once, every file of row kernels once per instruction set.

Environment variables:

SKPOOL_OPENMP       auto (default), off, or required: an error where the compiler has no OpenMP
SKPOOL_ISAS         instruction sets to build, comma-separated; default: all of ISAS that the compiler knows
SKPOOL_DEBUG_BUILD  1: bounds and initialisation checks, debug symbols, little optimisation
SKPOOL_WERROR       1: every warning of Cython, gcc and clang is an error
SKPOOL_VECTORS      a folder for what `tests/vectors.py` reads: gcc's reports on the loops of the kernels for REPORTED,
                    and the C code that they are of
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

KERNELS = Path("skpool", "kernels")

#: Where C code goes that is written when the kernels are built.
WRITTEN = Path("build", "written")

#: What hands out work to threads, and finds rows for the row kernels: compiled once, with OpenMP.
DRIVERS = {*KERNELS.glob("driver/*.pyx"), KERNELS / "boxes.pyx", KERNELS / "labels.pyx"}


class Isa(NamedTuple):
    gnu_flags: list  # of gcc and clang
    msvc_flags: list
    macro: str | None  # defined by these flags, on the processor that they are for


# `skpool.kernels` chooses among the compiled modules when it is imported.
ISAS = {
    "base": Isa([], [], None),
    "v3": Isa(["-march=x86-64-v3", "-mprefer-vector-width=256"], ["/arch:AVX2"], "__AVX2__"),
    # Averages at 2/2 of uint8, float32 and float64 take 0.8 to 0.95 of v3's time.
    "v4": Isa(["-march=x86-64-v4", "-mprefer-vector-width=512"], ["/arch:AVX512"], "__AVX512BW__"),
}

# Every instruction set gives the same bits: no contraction into fused multiply-adds, and never -ffast-math.
GNU_FLAGS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fstrict-aliasing"]
# gcc alone: a kernel over many rows needs more run-time overlap checks than gcc permits itself, and a loop over a
# long inline function (pow64) vectorises only if that is inlined every time.
ROOM_FLAGS = ["--param=vect-max-version-for-alias-checks=64", "--param=inline-unit-growth=1000"]
# Cython writes out every specialisation of a fused function, and docstrings of special methods, used or not.
QUIET_FLAGS = ["-Wno-unused-function", "-Wno-unused-const-variable"]
MSVC_FLAGS = ["/O2", "/fp:precise"]

EMPTY_PROGRAM = "int main(void) { return 0; }\n"
OPENMP_PROGRAM = """
#include <omp.h>
int main(void) {
    int threads = 0;
    #pragma omp parallel num_threads(2) reduction(+:threads)
    threads += 1;
    return threads < 1;
}
"""


def setting(name, *words):
    """An environment variable that holds one of a few words, by default the first."""
    value = os.environ.get(name) or words[0]
    if value not in words:
        raise SystemExit(f"{name} must be one of {', '.join(words)}; got {value!r}")
    return value


OPENMP = setting("SKPOOL_OPENMP", "auto", "off", "required")
DEBUG = setting("SKPOOL_DEBUG_BUILD", "0", "1") == "1"
WERROR = setting("SKPOOL_WERROR", "0", "1") == "1"
VECTORS = os.environ.get("SKPOOL_VECTORS")
REPORTED = "v3"

WANTED_ISAS = os.environ.get("SKPOOL_ISAS", "").replace(",", " ").split() or list(ISAS)
if not {"base"} <= set(WANTED_ISAS) <= set(ISAS):
    raise SystemExit(f"SKPOOL_ISAS must hold base, and otherwise only {', '.join(ISAS)}; got {WANTED_ISAS}")

# One binary for every CPython from 3.11 on; a free-threaded interpreter cannot load it and gets its own.
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "freethreading_compatible": True,
}
Options.warning_errors = WERROR


def module_at(*parts):
    """A module of the package, without the package, whose kernels are not there yet."""
    spec = importlib.util.spec_from_file_location(parts[-1], Path("skpool", *parts).with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_programs():
    """Write the programs of the networks that are compiled, unless they are there."""
    target = WRITTEN / "programs.h"
    code = module_at("kernels", "programs").source(module_at("backends", "networks"))
    if not target.exists() or target.read_text() != code:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code)


def make_kernel(source, isa):
    """One kernel file for one instruction set, or for all of them (`isa=None`): one of `DRIVERS`."""
    extension = Extension(
        ".".join((*source.parent.parts, f"{source.stem}_{isa}" if isa else source.stem)),
        [source.as_posix()],
        include_dirs=[str(WRITTEN)],
        depends=[str(WRITTEN / "programs.h")] if source.stem == "order" else [],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else [],
        py_limited_api=LIMITED_API,
    )
    extension.isa = isa
    return extension


class BuildKernels(build_ext):
    """`build_ext` with flags that the compiler at hand takes, and Cython run once per instruction set."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self):
        super().run()
        # A folder that was built in before may hold modules of kernels and instruction sets since dropped.
        built = {Path(self.get_ext_fullpath(kernel.name)) for kernel in self.extensions}
        for folder in {module.parent for module in built}:
            for module in {*folder.glob("*.so"), *folder.glob("*.pyd")} - built:
                module.unlink()

    def build_extensions(self):
        self.msvc = self.compiler.compiler_type == "msvc"
        isas = [None, *filter(self.can_target, WANTED_ISAS)]
        self.extensions = kernels = [kernel for kernel in self.extensions if kernel.isa in isas]
        self.set_flags()
        write_programs()

        # File times do not tell that an earlier build had other settings.
        variables = [os.environ.get(name) for name in ("CC", "CFLAGS", "LDFLAGS")]
        flags = [(kernel.name, kernel.extra_compile_args, kernel.extra_link_args) for kernel in kernels]
        settings = repr([DIRECTIVES, variables, flags])
        record = Path(self.build_temp, "settings.txt")
        if not record.exists() or record.read_text() != settings:
            self.force = True
            record.unlink(missing_ok=True)
        for isa in isas:
            chosen = [kernel for kernel in kernels if kernel.isa == isa]
            folder = f"build/{isa or 'drivers'}"
            made = cythonize(chosen, build_dir=folder, compiler_directives=DIRECTIVES, force=self.force)
            for kernel, result in zip(chosen, made, strict=True):
                kernel.sources, kernel.depends = result.sources, result.depends
                if VECTORS and isa == REPORTED:
                    shutil.copy(kernel.sources[0], VECTORS)
        super().build_extensions()
        record.write_text(settings)

    def set_flags(self):
        """Give every kernel its compiler and linker flags."""
        if self.msvc:
            compile_flags, link_flags = MSVC_FLAGS, []
        else:
            compile_flags = [*GNU_FLAGS, *(["-O1", "-g"] if DEBUG else ["-O3", "-g0"])]
            compile_flags += ROOM_FLAGS if self.accepts(EMPTY_PROGRAM, [*ROOM_FLAGS, "-Werror"]) else []
            compile_flags += ["-Wall", "-Wextra", "-Werror"] if WERROR else []
            compile_flags += QUIET_FLAGS
            link_flags = ["-Wl,-s"] if sys.platform == "linux" and not DEBUG else []
        openmp = self.find_openmp()
        reports = VECTORS and self.accepts(EMPTY_PROGRAM, ["-fopt-info-vec-missed"])  # gcc alone
        for kernel in self.extensions:
            own_flags, own_link_flags = openmp if kernel.isa is None else (self.isa_flags(kernel.isa), [])
            kernel.extra_compile_args = [*compile_flags, *own_flags]
            if reports and kernel.isa == REPORTED:
                report = Path(VECTORS, Path(kernel.sources[0]).stem).absolute().with_suffix(".txt")
                kernel.extra_compile_args.append(f"-fopt-info-vec-optimized-missed={report}")
            kernel.extra_link_args = [*link_flags, *own_link_flags]

    def isa_flags(self, isa):
        return ISAS[isa].msvc_flags if self.msvc else ISAS[isa].gnu_flags

    def can_target(self, isa):
        """Whether the compiler knows the instruction set, and compiles for a processor that may have it."""
        macro = ISAS[isa].macro
        check = f"#ifndef {macro}\n#error {isa} is of another processor\n#endif\n" if macro else ""
        known = self.accepts(check + EMPTY_PROGRAM, self.isa_flags(isa))
        if not known:
            print(f"skpool: building without {isa}, which this compiler does not target", file=sys.stderr)
        return known

    def find_openmp(self):
        """Flags to compile and to link with OpenMP; none where it is switched off or not to be had."""
        candidates = [(["/openmp"], [])] if self.msvc else [(["-fopenmp"], ["-fopenmp"])]
        # Apple's clang comes without the OpenMP run-time library: look where conda and Homebrew put it.
        for prefix in (os.environ.get("CONDA_PREFIX"), "/opt/homebrew/opt/libomp", "/usr/local/opt/libomp"):
            if sys.platform == "darwin" and prefix:
                link_flags = [f"-L{prefix}/lib", f"-Wl,-rpath,{prefix}/lib", "-lomp"]
                candidates.append((["-Xpreprocessor", "-fopenmp", f"-I{prefix}/include"], link_flags))
        for flags in candidates if OPENMP != "off" else []:
            if self.accepts(OPENMP_PROGRAM, *flags):
                return flags
        message = "skpool: building WITHOUT OpenMP: everything will run on one thread"
        if OPENMP == "required":
            raise SystemExit(f"{message}, which SKPOOL_OPENMP=required forbids")
        print(message, file=sys.stderr)
        return [], []

    def accepts(self, program, compile_flags, link_flags=None):
        """Whether the program compiles with these flags and, where link flags are given, links and runs."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile([str(source)], folder, extra_postargs=compile_flags)
                if link_flags is not None:
                    self.compiler.link_executable(objects, "probe", folder, extra_postargs=link_flags)
                    subprocess.run([Path(folder, "probe")], check=True, timeout=60)
            except (CompileError, LinkError, OSError, subprocess.SubprocessError):
                return False
        return True


setup(
    ext_modules=[
        make_kernel(source, isa)
        for source in sorted(KERNELS.rglob("*.pyx"))
        for isa in ([None] if source in DRIVERS else WANTED_ISAS)
    ],
    cmdclass={"build_ext": BuildKernels},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
