"""exp, log and pow of the kernels: error in ulp, special values, the same bits for every instruction set."""

import importlib

import numpy as np
import pytest

ISAS = ("base", "v3")
SIMD = np.show_config(mode="dicts")["SIMD Extensions"]
CPU_HAS_V3 = not {"X86_V3", "AVX2"}.isdisjoint([*SIMD["baseline"], *SIMD.get("found", [])])

needs_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant, reason="long double is no wider than double"
)

DEFINITIONS = {"exp": np.exp, "exp_nonpositive": np.exp, "log": np.log, "pow": np.power}
NAMES = [(name, np.float64) for name in DEFINITIONS] + [("exp", np.float32), ("exp_nonpositive", np.float32)]
NORMAL = np.finfo(np.float64).smallest_normal
SUBNORMAL = np.finfo(np.float64).smallest_subnormal
LARGEST = np.finfo(np.float64).max

# Whole ranges, and where errors peak: a result or a significand just above sqrt(1/2), an argument near 1.
INTERVALS = [
    ("exp", -745.1, 709.78),
    ("exp", -745.1, -708.0),
    ("exp", -1.0, 1.0),
    ("exp", 706.9, 707.4),
    ("exp_nonpositive", -708.39, 0.0),
    ("exp_nonpositive", -1.0, 0.0),
    ("log", 0.0, 1e300),
    ("log", 0.5, 2.0),
    ("log", 0.7, 0.72),
    ("log", 1.39, 1.42),
    ("log", 0.9999, 1.0001),
]
EXPONENTS = [0.5, 1.0, 2.0, 3.0, 1 / 3, 2.7, 100.0, 1e3, 1e-5, 1e9, 1e15]
EXPONENTS += [-p for p in EXPONENTS]


def load(isa):
    """The functions for one instruction set; skips where it cannot run."""
    if isa == "v3" and not CPU_HAS_V3:
        pytest.skip("this processor has no AVX2")
    if isa == "base":
        return importlib.import_module("skpool.kernels.mathcheck_base")
    return pytest.importorskip(f"skpool.kernels.mathcheck_{isa}")


@pytest.fixture(params=ISAS)
def functions(request):
    """The functions, for one instruction set after the other."""
    return load(request.param)


def run(functions, name, x, p=0.0):
    """`name` of every sample, as float32 or float64."""
    out = np.empty_like(x)
    if x.dtype == np.float32:
        functions.apply32(name, x, out)
    else:
        functions.apply(name, x, out, p)
    return out


def ulps(result, exact):
    """Errors in units in the last place of the exact value, as `result.dtype` has them."""
    info = np.finfo(result.dtype)
    exponent = np.maximum(np.frexp(exact)[1] - 1, info.minexp)
    return np.abs(result.astype(exact.dtype) - exact) / np.ldexp(np.ones_like(exact), exponent - info.nmant)


def every_kind(dtype, count=100_000):
    """Random bits: all exponents, both signs, subnormals and NaN; with zeros, ones and infinities."""
    bits = np.random.default_rng(1).bytes(count * np.dtype(dtype).itemsize)
    return np.concatenate([np.frombuffer(bits, dtype), np.array([0.0, -0.0, 1, -1, np.inf, -np.inf], dtype)])


@needs_long_double
@pytest.mark.parametrize(("name", "low", "high"), INTERVALS)
def test_exp_and_log_err_by_less_than_one_ulp(functions, name, low, high):
    x = np.random.default_rng(0).uniform(low, high, 200_000)
    exact = DEFINITIONS[name](x.astype(np.longdouble))
    assert ulps(run(functions, name, x), exact).max() < 1


@needs_long_double
def test_log_of_every_exponent_errs_by_less_than_one_ulp(functions):
    x = np.abs(every_kind(np.float64))
    x = x[(x > 0) & (x < np.inf)]
    assert x.min() < NORMAL
    assert ulps(run(functions, "log", x), np.log(x.astype(np.longdouble))).max() < 1


@needs_long_double
@pytest.mark.parametrize("p", EXPONENTS)
def test_pow_errs_by_less_than_one_ulp(functions, p):
    # From the first subnormal result to the last finite one, as far as x reaches.
    reach = np.clip(np.array([-1074, 1023.9]) / p, -1074, 1023.9)
    x = np.exp2(np.random.default_rng(0).uniform(reach.min(), reach.max(), 100_000))
    exact = np.power(x.astype(np.longdouble), np.longdouble(p))
    result = run(functions, "pow", x, p)
    inside = (exact > SUBNORMAL) & (exact < LARGEST)
    assert inside.mean() > 0.99
    assert ulps(result[inside], exact[inside]).max() < 1


@needs_long_double
def test_pow_errs_most_where_the_logarithm_does(functions):
    # Significands near sqrt(2) and its inverse, and powers near the last finite number.
    for low, high, p in [(1.4135, 1.4142, 1906.0), (0.7072, 0.7078, -1982.0), (2.8275, 2.8284, 682.0)]:
        x = np.random.default_rng(0).uniform(low, high, 200_000)
        exact = np.power(x.astype(np.longdouble), np.longdouble(p))
        assert ulps(run(functions, "pow", x, p), exact).max() < 1.3


@pytest.mark.parametrize("name", ["exp", "exp_nonpositive"])
def test_exp_of_float32_errs_by_less_than_one_ulp(functions, name):
    info = np.finfo(np.float32)
    x = np.arange(0, 2**32, 1021, dtype=np.uint32).view(np.float32)
    low, high = (-104, np.log(info.max)) if name == "exp" else (np.log(info.smallest_normal), 0)
    x = x[(x >= low) & (x <= high)]
    assert ulps(run(functions, name, x), np.exp(x.astype(np.float64))).max() < 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values_of_exp(functions, dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 800.0, -800.0, LARGEST, -LARGEST], np.float64)
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    result = run(functions, "exp", x)
    np.testing.assert_array_equal(result, np.array([1, 1, np.inf, 0, np.nan, np.inf, 0, np.inf, 0], dtype))
    assert result.view(f"i{x.itemsize}")[np.isfinite(result)].min() == 0  # no -0.0


@pytest.mark.parametrize(("dtype", "zero_below"), [(np.float32, -87.69), (np.float64, -708.75)])
def test_special_values_of_exp_nonpositive(functions, dtype, zero_below):
    x = np.array([0.0, -0.0, -np.inf, np.nan, zero_below, -800.0, np.finfo(dtype).min], dtype)
    result = run(functions, "exp_nonpositive", x)
    np.testing.assert_array_equal(result, np.array([1, 1, 0, np.nan, 0, 0, 0], dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_nonpositive_is_within_one_ulp_of_exp(functions, dtype):
    x = np.random.default_rng(0).uniform(np.log(np.finfo(dtype).smallest_normal), 0, 100_000).astype(dtype)
    x = x[x > np.log(np.finfo(dtype).smallest_normal)]
    np.testing.assert_array_max_ulp(run(functions, "exp_nonpositive", x), run(functions, "exp", x), 1)


def test_special_values_of_log(functions):
    x = np.array([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, -1.0, -SUBNORMAL, -LARGEST])
    expected = [-np.inf, -np.inf, 0.0, np.inf, np.nan, np.nan, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(run(functions, "log", x), expected)


@pytest.mark.parametrize("p", [0.0, -0.0, SUBNORMAL, 1e-300, 0.5, 1.0, 2.0, 3.0, 1e3, 1e17, 1e300, LARGEST])
@pytest.mark.parametrize("sign", [1, -1])
def test_special_values_of_pow(functions, p, sign):
    below, above = np.nextafter(1.0, [0.0, 2.0])
    x = np.array([0.0, 1.0, np.inf, below, above, SUBNORMAL, NORMAL, 2.0, LARGEST])
    with np.errstate(all="ignore"):
        expected = np.power(x, sign * p)
    result = run(functions, "pow", x, sign * p)
    np.testing.assert_array_equal(result[:3], expected[:3])
    np.testing.assert_allclose(result, expected, rtol=2.3e-16, atol=SUBNORMAL)


@pytest.mark.parametrize("p", [0.0, 1.0, 2.5, -2.0])
def test_pow_takes_minus_zero_as_zero_and_gives_nan_below(functions, p):
    negative = np.array([-1.0, -SUBNORMAL, -LARGEST, -np.inf, np.nan])
    assert np.isnan(run(functions, "pow", negative, p)).all()
    zeros = run(functions, "pow", np.array([0.0, -0.0]), p)
    assert zeros[0] == zeros[1]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 4.0])
def test_powers_that_fit_are_exact(functions, p):
    x = np.arange(4096.0)
    np.testing.assert_array_equal(run(functions, "pow", x, p), x**p)
    np.testing.assert_array_equal(run(functions, "pow", x * x, 0.5), x)


def test_the_first_power_is_the_number(functions):
    x = np.abs(every_kind(np.float64))
    np.testing.assert_array_equal(run(functions, "pow", x, 1.0), x)


@pytest.mark.parametrize(("name", "dtype"), NAMES)
def test_instruction_sets_give_the_same_bits(name, dtype):
    x = every_kind(dtype)
    for p in EXPONENTS if name == "pow" else [0.0]:
        results = [run(load(isa), name, x, p).tobytes() for isa in ISAS]
        assert results[0] == results[1]


@pytest.mark.parametrize(("name", "dtype"), NAMES)
def test_a_sample_alone_gives_the_same_bits_as_in_a_row(functions, name, dtype):
    x = every_kind(dtype, 64)
    alone = [run(functions, name, x[i : i + 1], 2.7).tobytes() for i in range(x.size)]
    assert run(functions, name, x, 2.7).tobytes() == b"".join(alone)


def test_rows_may_be_empty(functions):
    for name, dtype in NAMES:
        assert run(functions, name, np.empty(0, dtype)).size == 0
