"""A face for the tests to reach `elementary.pxd`, once per instruction set; nothing else uses it."""
from skpool.kernels.elementary cimport exp32, exp64, exp_nonpositive32, exp_nonpositive64, log64, pow64

ctypedef void (*row_t)(double* out, const double* x, Py_ssize_t n, double p) noexcept nogil
ctypedef void (*row32_t)(float* out, const float* x, Py_ssize_t n) noexcept nogil


cdef void exp_row(double* out, const double* x, Py_ssize_t n, double p) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = exp64(x[i])


cdef void exp_nonpositive_row(double* out, const double* x, Py_ssize_t n, double p) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = exp_nonpositive64(x[i])


cdef void log_row(double* out, const double* x, Py_ssize_t n, double p) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = log64(x[i])


cdef void pow_row(double* out, const double* x, Py_ssize_t n, double p) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = pow64(x[i], p)


cdef void exp_row32(float* out, const float* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = exp32(x[i])


cdef void exp_nonpositive_row32(float* out, const float* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = exp_nonpositive32(x[i])


NAMES = ("exp", "exp_nonpositive", "log", "pow")
NAMES32 = ("exp", "exp_nonpositive")
cdef row_t[4] ROWS
cdef row32_t[2] ROWS32
ROWS[:] = [exp_row, exp_nonpositive_row, log_row, pow_row]
ROWS32[:] = [exp_row32, exp_nonpositive_row32]


def apply(str name, const double[::1] x, double[::1] out, double p=0.0):
    """Write `name` of every `x` to `out`, of the same length; `p` is the exponent of "pow"."""
    cdef row_t row = ROWS[<Py_ssize_t> NAMES.index(name)]
    if x.shape[0]:
        row(&out[0], &x[0], x.shape[0], p)


def apply32(str name, const float[::1] x, float[::1] out):
    """Write `name` of every `x` to `out`, of the same length."""
    cdef row32_t row = ROWS32[<Py_ssize_t> NAMES32.index(name)]
    if x.shape[0]:
        row(&out[0], &x[0], x.shape[0])
