"""The grid: reduction x geometry x dtype x layout x channels x threads x ..., against the slow twin.

The full product is astronomical, so each (reduction, dtype) takes a few rows of a Latin hypercube: every value of
every factor comes up about equally often, in combinations drawn from a fixed seed. Rows that have broken other
libraries follow by name. Run as a program, this file prints a digest of many results, for comparing instruction sets.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from plans import required, sliding_plan, values_of

import skpool
from skpool import reference
from skpool.backends import cpu
from skpool.reductions import REDUCTIONS, REQUIRED
from skpool.windows import PADDING_MODES

DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
)
FLOATS = DTYPES[-3:]
CASES_FOR_EACH = 12

EPS32, EPS64 = 2.0**-23, 2.0**-52


# ---------------------------------------------------------------- images


def generator(*seed):
    """A generator that depends on the text of its arguments, and on nothing else."""
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def make_image(rng, shape, dtype, values):
    """An image with many ties, of everyday values, over the whole range, or of special values."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        if values == "ties":
            return rng.integers(-3, 4, shape).astype(dtype)
        image = rng.normal(size=shape)
        if values == "whole range":
            image *= 10.0 ** rng.integers(-3, 4, shape)
        if values == "special":
            specials = [math.nan, math.inf, -math.inf, 0.0, -0.0, np.finfo(dtype).smallest_subnormal]
            image = np.where(rng.random(shape) < 0.2, rng.choice(specials, shape), image)
        return image.astype(dtype)
    limits = np.iinfo(dtype)
    if values == "special":
        return rng.choice(np.array([limits.min, limits.max, limits.max - 1, 0, 1], dtype), shape)
    low, high = {"ties": (0, 5), "everyday": (0, 100)}.get(values, (limits.min, limits.max))
    return rng.integers(low, high, shape, dtype, endpoint=True)


def read_only(image):
    image = image.copy()
    image.flags.writeable = False
    return image


def misaligned(image):
    """The same values one byte further on than their type wants them."""
    memory = np.empty(image.nbytes + 1, np.uint8)
    moved = np.ndarray(image.shape, image.dtype, memory, offset=1)
    moved[...] = image
    return moved


def in_larger(image):
    """Every second sample along every axis, with rubbish in the gaps."""
    larger = np.full([2 * length for length in image.shape], image.flat[0] if image.size else 0, image.dtype)
    view = larger[(slice(None, None, 2),) * image.ndim]
    view[...] = image
    return view


def one_channel_of_many(image):
    """Contiguous along no axis, not even the last."""
    return np.stack([image, image[::-1], image], axis=-1)[..., 0]


#: The same image, lying otherwise in memory.
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": in_larger,
    "one of three channels": one_channel_of_many,
    "backwards": lambda image: np.flip(np.flip(image).copy()),
    "rows backwards": lambda image: image[::-1].copy()[::-1],
    "rows of a wider image": lambda image: np.concatenate([image, image], axis=-1)[..., : image.shape[-1]],
    "read-only": read_only,
    "byte-swapped": lambda image: image.astype(image.dtype.newbyteorder()),
    "misaligned": misaligned,
}


# ---------------------------------------------------------------- what "equal" means
#
# Zero tolerance where the result is a sample, a count or a whole number. Else result and definition may differ by half
# a unit in the last place of the result's type, from rounding it, and by the error of the accumulator. The bounds below
# follow from the order of a sum, a tree over the rows and then over the columns of a window: a sample passes through at
# most `depth` additions, each with a relative error of half an epsilon. `FEW` covers what the elementary functions, the
# division and the definition itself (exp and log of the C library) add.

FEW = 8


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of a plan on an image: what the error bounds are made of."""

    plan: object
    image: np.ndarray
    mask: np.ndarray | None

    def magnitudes(self, name, **parameters):
        """A reduction of the finite magnitudes that each window counts, as float64."""
        image, mask = self.image, self.mask
        if self.plan.omit_nan:
            mask = ~np.isnan(image) if mask is None else mask & ~np.isnan(image)
        plan = dataclasses.replace(
            self.plan,
            reduction=REDUCTIONS[name],
            parameters=REDUCTIONS[name].checked_parameters(parameters, np.dtype(np.float64)),
            image_dtype=np.dtype(np.float64),
            dtype=np.dtype(np.float64),
            omit_nan=False,
            min_count=1,
            fill_value=np.float64(0),
            cval=np.float64(abs(float(self.plan.cval))),
        )
        finite = np.where(np.isfinite(image), image, 0).astype(np.float64)
        return reference.run(plan, np.abs(finite), mask=mask)

    @property
    def depth(self):
        """Additions that a sample may pass through."""
        return math.log2(max(self.plan.samples, 1)) + len(self.plan.axes)

    @property
    def rounding(self):
        """Relative error of float64 accumulators after a sum, and a few functions."""
        return (FEW + self.depth) * EPS64

    def parameter(self, name):
        return self.plan.parameters[name]


def error_of_sum(windows, exact, name="sum"):
    sums = windows.magnitudes(name)
    if windows.plan.image_dtype.kind != "f":
        return 4 * EPS64 * sums  # of 64-bit integers, the others are exact
    if windows.plan.dtype == np.float64:
        return (windows.depth + 2) * EPS64 / 2 * sums
    return 4 * EPS32 * sums


def error_of_average(windows, exact):
    divisor = windows.parameter("divisor")
    if divisor is None:
        return error_of_sum(windows, exact, "avg")
    return error_of_sum(windows, exact) / abs(divisor)


def error_of_power(windows, exact):
    # All terms are positive, so relative errors do not grow in the sum; the root divides them by p. What the least
    # float64 is the power of has lost all its bits: extremes have a test of their own below.
    p = windows.parameter("p")
    return windows.rounding * max(1, 1 / p) * np.abs(exact) + np.finfo(np.float64).smallest_normal ** (1 / p)


def error_of_exponents(windows, exact):
    sharpness = abs(windows.parameter("sharpness"))
    return windows.rounding * (windows.magnitudes("max") + windows.depth / sharpness)


def error_of_soft(windows, exact):
    # A weight exp(x / T) is as wrong, relatively, as its exponent is absolutely.
    largest = windows.magnitudes("max")
    return windows.rounding * (1 + largest / abs(windows.parameter("temperature"))) * largest


def error_of_variance(windows, exact):
    # A mean that is wrong by e makes a variance v wrong by 2 e sqrt(v) + e**2.
    variance, largest = windows.magnitudes("var"), windows.magnitudes("max")
    spread = np.maximum(np.sqrt(variance), largest)
    count = windows.magnitudes("count")
    with np.errstate(all="ignore"):
        freedom = count / (count - windows.parameter("ddof"))
    error = windows.rounding * spread
    return np.where(freedom > 0, freedom, 1) * (error * np.sqrt(np.abs(exact)) + error**2) + windows.rounding * exact


def error_of_deviation(windows, exact):
    # sqrt(v + e) - sqrt(v) is at most sqrt(e), and at most e / sqrt(v).
    error = error_of_variance(windows, exact**2)
    with np.errstate(all="ignore"):
        return np.fmin(np.sqrt(error), error / exact) + windows.rounding * exact


#: Error of the accumulator for each window: ``(windows, exact) -> ndarray``.
ERRORS = {
    "sum": error_of_sum,
    "avg": error_of_average,
    "lp": error_of_power,
    "power_mean": error_of_power,
    "gem": error_of_power,
    "logsumexp": error_of_exponents,
    "soft": error_of_soft,
    "var": error_of_variance,
    "std": error_of_deviation,
}


def error_of_any(windows, exact):
    """For a reduction that this table does not know: a few units in the last place of the largest magnitude."""
    return windows.rounding * (windows.magnitudes("max") + np.abs(exact))


def is_exact(plan):
    """Whether the result must equal the definition's bit for bit."""
    if plan.reduction.exact:
        return True
    if plan.image_dtype.kind == "f" or plan.reduction.name not in ("sum", "avg"):
        return False
    return plan.image_dtype.itemsize < 8 or (plan.dtype.kind != "f" and not plan.parameters.get("divisor"))


def assert_matches(plan, image, mask, result):
    """Hold a result against the definition, within the bounds above."""
    assert result.dtype == plan.dtype
    assert result.shape == plan.shape
    if is_exact(plan):
        np.testing.assert_array_equal(result, reference.run(plan, image, mask=mask))
        return
    wide = dataclasses.replace(plan, dtype=np.dtype(np.float64), fill_value=np.float64(plan.fill_value))
    windows = Windows(plan, image, mask)
    with np.errstate(all="ignore"):
        exact = reference.run(wide, image, mask=mask)
        error = ERRORS.get(plan.reduction.name, error_of_any)(windows, exact)
        if plan.dtype.kind == "f":
            rounded = exact.astype(plan.dtype)
            error = error + np.spacing(np.abs(rounded)).astype(np.float64) / 2
        else:
            low, high = (0, 1) if plan.dtype.kind == "b" else (np.iinfo(plan.dtype).min, np.iinfo(plan.dtype).max)
            exact = rounded = np.where(np.isnan(exact), np.float64(plan.fill_value), np.clip(exact, low, high))
            error = error + np.spacing(np.abs(exact)) + 0.5
        values = result.astype(np.float64)
        good = (result == rounded) | (np.isnan(values) & np.isnan(exact)) | (np.abs(values - exact) <= error)
    if not good.all():
        first = tuple(int(i) for i in np.argwhere(~good)[0])
        raise AssertionError(
            f"{np.sum(~good)} of {good.size} windows differ, the first at {first}: "
            f"got {result[first]!r}, expected {exact[first]!r} within {error[first]:.3g}"
        )


GUARD = np.frombuffer(b"do not write here" * 8, np.uint8)


def made_out(kind, shape, dtype):
    """An array for results to be written to, and the memory around it."""
    dtype = dtype.newbyteorder() if kind == "byte-swapped" else dtype
    room = [2 * length for length in shape] if kind == "strided" else shape
    memory = np.concatenate([GUARD, np.zeros(math.prod(room) * dtype.itemsize, np.uint8), GUARD])
    array = memory[GUARD.size : -GUARD.size].view(dtype).reshape(room)
    return array[(slice(None, None, -2),) * len(shape)] if kind == "strided" else array, memory


def assert_pools(image, reduction, *, mask=None, out=None, workers=None, return_indices=False, **arguments):
    """Call `pool`, with an `out` of some kind, and hold what it gives against the slow twin; return the result."""
    arguments = required(reduction) | arguments
    plan = sliding_plan(image.shape, image.dtype, reduction, **arguments)
    keywords = {"mask": mask, "workers": workers} | arguments
    if return_indices:
        keywords["return_indices"] = True
    if out is not None:
        targets, memory = zip(*(made_out(out, plan.shape, dtype) for dtype in (plan.dtype, np.dtype(int))), strict=True)
        keywords["out"] = targets if return_indices else targets[0]
    before = image.tobytes()
    pooled = skpool.pool(image, reduction=reduction, **keywords)
    assert image.tobytes() == before
    if mask is not None and mask.shape != image.shape:
        mask = np.broadcast_to(np.expand_dims(mask, plan.channel_axis), image.shape)
    pooled, indices = pooled if return_indices else (pooled, None)
    if out is not None:
        assert pooled is targets[0]
        assert indices is None or indices is targets[1]
        for array in memory:
            np.testing.assert_array_equal(array[: GUARD.size], GUARD)
            np.testing.assert_array_equal(array[-GUARD.size :], GUARD)
        pooled = pooled.astype(plan.dtype)
    if return_indices:
        assert indices.dtype == np.int64 or out == "byte-swapped"
        expected = reference.run(plan, image, mask=mask, return_indices=True)[1]
        np.testing.assert_array_equal(indices, expected)
    assert_matches(plan, image, mask, pooled)
    return pooled


def bits(array):
    """The bytes of an array, with one NaN for all."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(math.nan), array)
    return array.tobytes()


# ---------------------------------------------------------------- the grid

SHAPES = ((1,), (17,), (1, 1), (6, 12), (13, 7), (0, 5), (4, 0), (5, 7, 3), (3, 6, 5), (2, 2, 4, 3))

FACTORS = {
    "shape": SHAPES,
    "values": ("ties", "everyday", "whole range", "special"),
    "layout": (*LAYOUTS, "broadcast"),
    "channel_axis": (None, "first", "middle", "last"),
    "window_shape": (None, 1, 2, 3, 9, "mixed"),
    "stride": (None, None, 1, 2, 3, "mixed"),
    "dilation": (1, 1, 2, "mixed"),
    "padding": (0, 0, 1, 4, "pairs", "same", "same_lower", "valid"),
    "ceil_mode": (True, False),
    "mode": tuple(PADDING_MODES),
    "cval": (0, 1),
    "mask": (None, None, "image", "spatial", "nothing"),
    "nan_policy": ("propagate", "omit"),
    "min_count": (1, 1, 2, 5),
    "fill_value": (None, None, 1),
    "dtype": (*[None] * 6, *DTYPES),
    "out": (None, None, "guarded", "strided", "byte-swapped"),
    "workers": (None, 1, 2, 5),
    "return_indices": (False, True),
}


def latin_hypercube(rng, factors, count):
    """`count` rows in which every value of a factor comes up about equally often."""
    columns = {}
    for name, values in factors.items():
        dealt = itertools.islice(itertools.cycle(rng.permutation(len(values))), count)
        columns[name] = [values[i] for i in rng.permutation(list(dealt))]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def some_parameters(rng, row):
    """A value that obeys its rule for each parameter of a reduction."""
    return {
        name: rng.choice(values_of(parameter)).item()
        for name, parameter in row.parameters.items()
        if parameter.default is REQUIRED or rng.random() < 0.7
    }


def realised(case, rng, reduction, dtype):
    """A row of the hypercube as an image and the arguments of a call."""
    shape = case.pop("shape")
    channel_axis = {"first": 0, "middle": len(shape) // 2, "last": -1}.get(case.pop("channel_axis"))
    spatial = list(shape)
    if channel_axis is not None and len(shape) > 1:
        case["channel_axis"] = channel_axis
        del spatial[channel_axis]
    for name in ("window_shape", "stride", "dilation"):
        if case[name] == "mixed":
            case[name] = tuple(rng.integers(1, 4, len(spatial)).tolist())
    if case["padding"] == "pairs":
        case["padding"] = rng.integers(0, 5, (len(spatial), 2)).tolist()
    image, layout = make_image(rng, shape, dtype, case.pop("values")), case.pop("layout")
    image = np.broadcast_to(image[:1], shape) if layout == "broadcast" else LAYOUTS[layout](image)
    masks = {"image": rng.random(shape) < 0.6, "spatial": rng.random(spatial) < 0.6, "nothing": np.zeros(shape, bool)}
    case["mask"] = masks.get(case["mask"])
    if not REDUCTIONS[reduction].indices:
        del case["return_indices"]
    return image, case | some_parameters(rng, REDUCTIONS[reduction])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_grid(reduction, dtype):
    rng = generator(reduction, dtype)
    for case in latin_hypercube(rng, FACTORS, CASES_FOR_EACH):
        image, arguments = realised(dict(case), rng, reduction, dtype)
        try:
            assert_pools(image, reduction, **arguments)
        except (AssertionError, ValueError) as error:
            if "`window_shape` must fit" not in str(error):
                error.add_note(f"in case {case}, that is {arguments | {'mask': case['mask']}}")
                raise


# ---------------------------------------------------------------- rows that have broken other libraries

NAN, INF = math.nan, math.inf

NASTY = {
    "one pixel": ([[5]], {}),
    "one pixel, window larger": ([[5]], {"window_shape": 9}),
    "one row": ([[1, 2, 3, 4, 5]], {"window_shape": (2, 2)}),
    "one axis": ([3, 1, 2, 5, 4], {"window_shape": 3, "stride": 1}),
    "window larger than the image along one axis": (np.arange(15).reshape(3, 5), {"window_shape": (7, 2)}),
    "no rows": (np.zeros((0, 3)), {"window_shape": 2}),
    "no columns": (np.zeros((3, 0)), {"window_shape": 2}),
    "no channels": (np.zeros((4, 4, 0)), {"window_shape": 2, "channel_axis": -1}),
    "no rows, padded": (np.zeros((0, 3)), {"window_shape": 2, "padding": 2, "mode": "constant"}),
    "windows in padding alone": ([[1, 2], [3, 4]], {"window_shape": 1, "padding": 3}),
    "windows in constant padding alone": ([[1, 2], [3, 4]], {"window_shape": 1, "padding": 3, "mode": "constant"}),
    "wrapped several times": ([[1, 2], [3, 4]], {"window_shape": 5, "padding": 5, "stride": 3, "mode": "wrap"}),
    "reflected several times": ([[1, 2, 3]], {"window_shape": (2, 9), "padding": 7, "stride": 2, "mode": "reflect"}),
    "dilated into the padding": (
        np.arange(9).reshape(3, 3),
        {"dilation": 3, "padding": 2, "stride": 1, "mode": "edge"},
    ),
    "the last window hangs over": (np.arange(16).reshape(4, 4), {"window_shape": 3, "stride": 2, "padding": 1}),
    "beyond the padding in constant mode": (np.ones((4, 4)), {"window_shape": 3, "padding": 1, "mode": "constant"}),
    "whole blocks": (np.arange(96).reshape(4, 24), {}),
    "whole blocks of channels": (np.arange(120).reshape(4, 10, 3) % 100, {"channel_axis": 2}),
    "whole blocks of three": (np.arange(108).reshape(6, 18) % 100, {"window_shape": 3}),
    "ties across rows": ([[1, 7], [7, 1]], {}),
    "all equal": (np.full((5, 5), 3), {"window_shape": 3, "stride": 1}),
    "smallest and largest": ([[0, 1], [1, 0]], {"limits": True}),
    "all smallest": ([[0, 0], [0, 0]], {"limits": True}),
    "all largest": (np.ones((8, 8), int), {"limits": True, "window_shape": 8}),
    "many small windows": (np.arange(300).reshape(2, 150) % 100, {"window_shape": (2, 1)}),
    "many axes": (np.arange(64).reshape((2,) * 6), {"window_shape": 2, "stride": 1}),
    "many axes of one": (np.full((1,) * 40, 7), {"window_shape": 1}),
    "channels first": (np.arange(30).reshape(3, 2, 5), {"channel_axis": 0}),
    "channels in the middle": (np.arange(30).reshape(2, 3, 5), {"channel_axis": 1}),
    "more channels than columns": (np.arange(120).reshape(2, 3, 20), {"channel_axis": 2, "window_shape": (2, 3)}),
    "stride leaves gaps": (np.arange(49).reshape(7, 7), {"window_shape": 2, "stride": 5}),
    "NaN first": ([[NAN, 1], [2, 3]], {}),
    "NaN last": ([[0, 1], [2, NAN]], {}),
    "NaN twice": ([[0, NAN], [NAN, 2]], {}),
    "NaN alone": (np.full((3, 3), NAN), {"window_shape": 3}),
    "NaN in a gap of the stride": ([[1, 2, NAN, 3]], {"window_shape": (1, 2), "stride": (1, 3)}),
    "NaN in wrapped padding": ([[1, 2, 3, NAN]], {"window_shape": (1, 2), "padding": ((0, 0), (1, 1)), "mode": "wrap"}),
    "infinities of both signs": ([[INF, -INF], [1, 2]], {}),
    "infinities alone": ([[INF, INF], [INF, INF]], {}),
    "negative infinities alone": ([[-INF, -INF], [-INF, -INF]], {}),
    "infinity and NaN": ([[INF, NAN], [-INF, 2]], {}),
    "zeros of both signs": ([[-0.0, 0.0], [0.0, -0.0]], {}),
    "negative zeros alone": ([[-0.0, -0.0], [-0.0, -0.0]], {}),
}


@pytest.mark.parametrize("nan_policy", ["propagate", "omit"])
@pytest.mark.parametrize("name", NASTY)
def test_nasty(name, nan_policy):
    values, arguments = NASTY[name]
    values, arguments = np.asarray(values), dict(arguments)
    limits = arguments.pop("limits", False)
    turn = list(NASTY).index(name)
    for number, (reduction, dtype) in enumerate(itertools.product(REDUCTIONS, DTYPES)):
        if dtype not in FLOATS and ((number + turn) % 3 or not np.isfinite(values).all()):
            continue  # integers see a third of the images each
        image = values.astype(dtype)
        if limits:
            info = np.finfo(dtype) if dtype in FLOATS else np.iinfo("uint8" if dtype == "bool" else dtype)
            if dtype in FLOATS and not REDUCTIONS[reduction].exact:
                continue  # sums overflow: see the tests of extremes
            image = np.where(image, info.max, info.min).astype(dtype)
        for return_indices in {False, REDUCTIONS[reduction].indices}:
            own = {"nan_policy": nan_policy, "return_indices": return_indices, "out": "guarded"}
            assert_pools(image, reduction, **own, **arguments)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_whole_blocks_into_every_type(reduction, dtype):
    for shape, channel_axis in (((2, 12), None), ((4, 6, 3), -1)):
        image = make_image(generator(reduction, dtype), shape, dtype, "everyday")
        for result in DTYPES:
            assert_pools(image, reduction, channel_axis=channel_axis, dtype=result, out="guarded")


@pytest.mark.parametrize("nan_policy", ["propagate", "omit"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_windows_that_count_nothing(reduction, dtype, nan_policy):
    image = np.full((4, 4), NAN if nan_policy == "omit" else 1, dtype)
    mask = np.ones((4, 4), bool) if nan_policy == "omit" else np.zeros((4, 4), bool)
    pooled = assert_pools(image, reduction, mask=mask, nan_policy=nan_policy)
    expected = NAN if pooled.dtype.kind == "f" else 0
    np.testing.assert_array_equal(pooled, np.full((2, 2), expected, pooled.dtype))
    pooled = assert_pools(image, reduction, mask=mask, nan_policy=nan_policy, fill_value=1)
    np.testing.assert_array_equal(pooled, np.ones((2, 2), pooled.dtype))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_min_count_is_that_of_counted_samples(reduction):
    image = generator().random((6, 6))
    image[0, 0] = NAN
    mask = np.ones((6, 6), bool)
    mask[3:, 3:] = False
    for min_count in range(1, 11):
        pooled = assert_pools(
            image, reduction, window_shape=3, mask=mask, nan_policy="omit", min_count=min_count, fill_value=-1
        )
        np.testing.assert_array_equal(pooled == -1, [[min_count > 8, min_count > 9], [min_count > 9, True]])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_raise_looks_at_counted_samples_alone(reduction):
    image = np.ones((4, 6))
    image[0, 2] = NAN
    without_nan = {
        "masked": {"mask": np.isfinite(image)},
        "in a gap of the stride": {"window_shape": 2, "stride": (2, 4)},
        "in a gap of the dilation": {"window_shape": (1, 2), "stride": 9, "dilation": (1, 4)},
        "dropped": {"window_shape": (3, 2), "stride": (3, 9), "padding": "valid"},
        "constant that no window looks at": {"image": np.ones((4, 6)), "mode": "constant", "cval": NAN},
    }
    with_nan = {
        "in a window": {},
        "under a mask that counts it": {"mask": np.ones((4, 6), bool)},
        "constant": {"image": np.ones((4, 6)), "mode": "constant", "cval": NAN, "padding": 1},
        "in padding": {"window_shape": 1, "stride": 9, "padding": ((4, 0), (4, 0)), "mode": "wrap"},
    }
    for arguments in without_nan.values():
        arguments = {"image": image, "reduction": reduction} | required(reduction) | arguments
        expected = skpool.pool(**arguments)
        np.testing.assert_array_equal(skpool.pool(**arguments, nan_policy="raise"), expected)
    own = {"reduction": reduction} | required(reduction)
    for name, arguments in with_nan.items():
        with pytest.raises(ValueError, match="`nan_policy`"):
            pytest.fail(f"{name}: {skpool.pool(**{'image': image} | own | arguments, nan_policy='raise')}")


@pytest.mark.parametrize("nan_policy", ["propagate", "omit", "raise"])
@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype not in FLOATS])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nan_policy_has_no_effect_on_integers(reduction, dtype, nan_policy):
    image = make_image(generator(dtype), (5, 7), dtype, "everyday")
    np.testing.assert_array_equal(
        skpool.pool(image, 2, reduction, nan_policy=nan_policy, **required(reduction)),
        skpool.pool(image, 2, reduction, **required(reduction)),
    )


@pytest.mark.parametrize("image", [[[1e38, 3e38], [3e38, 3e38]], [[3e38, 3e38], [-3e38, -3e38]]], ids=["up", "both"])
def test_float32_averages_do_not_overflow(image):
    image = np.array(image, np.float32)
    average = skpool.avg_pool(image)
    magnitude = np.abs(image).mean(dtype=np.float64)
    assert abs(float(average.item()) - image.mean(dtype=np.float64)) <= 4 * EPS32 * magnitude


@pytest.mark.parametrize(
    ("dtype", "size", "p"),
    [
        ("float32", 2.0**126, 10),
        ("float32", 2.0**-140, 10),
        ("float64", 2.0**600, 2),
        ("float64", 2.0**-600, 2),
        ("float64", 2.0**1020, 3),
        ("float64", 2.0**-1060, 1.5),
    ],
)
@pytest.mark.parametrize("reduction", ["lp", "power_mean"])
def test_powers_neither_overflow_nor_vanish(reduction, dtype, size, p):
    image = np.array([[1, 0], [0.5, -1]])
    expected = skpool.pool(image, 2, reduction, p=p) * size
    result = skpool.pool((image * size).astype(dtype), 2, reduction, p=p)
    limits = np.finfo(dtype)
    np.testing.assert_allclose(result, expected, rtol=64 * limits.eps, atol=limits.smallest_subnormal)


@pytest.mark.parametrize(
    ("reduction", "parameters"),
    [
        *(("lp", {"p": p}) for p in (0.5, 1, 1.5, 2.5, 2.7, 3, 3.5, 4)),
        *(("gem", {"p": p, "eps": 3.5}) for p in (2.5, 2.7, 3)),
        *(("logsumexp", {"sharpness": sharpness}) for sharpness in (1, -1, 0.25, -3, 0.1, 1e300)),
        *(("soft", {"temperature": temperature}) for temperature in (1, -1, 0.25, -4, 10, 1e-300)),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_what_is_looked_up_is_what_is_computed(dtype, reduction, parameters):
    image = np.random.default_rng(0).integers(0, 256, (40, 300), np.uint8).view(dtype)
    for window in ((8, 8), (19, 5), (3, 2)):
        looked_up = skpool.pool(image, window, reduction, **parameters)
        np.testing.assert_array_equal(looked_up, skpool.pool(image.astype("int16"), window, reduction, **parameters))


@pytest.mark.parametrize("p", [0.5, 1.5, 2.5, 3.5])
def test_powers_by_roots(p):
    image = np.random.default_rng(0).lognormal(0, 20, (64, 1)).astype(np.float64)
    expected = np.power(image.astype(np.longdouble), p) ** (1 / np.longdouble(p))
    np.testing.assert_allclose(skpool.lp_pool(image, 1, p=p), expected.astype(float), rtol=FEW * EPS64)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
@pytest.mark.parametrize("p", [3, 60])
def test_gem_of_zeros_is_eps(dtype, p):
    image = np.zeros((2, 2), dtype)
    assert skpool.gem_pool(image, 2, p=p, dtype=float)[0, 0] == pytest.approx(1e-6, rel=1e-12)
    assert skpool.region_pool(image, np.ones((2, 2), int), "gem", p=p, dtype=float)[0] == pytest.approx(1e-6, rel=1e-12)


@pytest.mark.parametrize("p", [1.5, 2.5, 3, 5, 10])
def test_powers_of_a_constant(p):
    # The (1/p)-th power is as wrong as 1/p is, times the logarithm.
    for size in 10.0 ** np.arange(-25, 26):
        pooled = skpool.power_mean_pool(np.full((2, 2), size), p=p)
        np.testing.assert_allclose(pooled, size, rtol=FEW * EPS64)


def test_sums_of_integers_wrap_and_averages_do_not():
    for dtype in ("int64", "uint64"):
        largest = np.iinfo(dtype).max
        image = np.full((4, 4), largest, dtype)
        np.testing.assert_array_equal(skpool.sum_pool(image, 4), [[image.sum()]])
        np.testing.assert_array_equal(skpool.avg_pool(image, 4), [[float(largest)]])
        np.testing.assert_array_equal(skpool.avg_pool(image, 4, dtype=dtype), [[largest]])
        np.testing.assert_array_equal(skpool.max_pool(image - 1, 4), [[largest - 1]])


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype not in ("bool", *FLOATS)])
def test_integer_averages_round_half_to_even_and_saturate(dtype):
    image = np.array([[0, 1, 1, 2, 2, 3, 3, 4, 5, 5]], dtype)
    pooled = skpool.avg_pool(image, (1, 2), dtype=dtype)
    np.testing.assert_array_equal(pooled, np.array([[0, 2, 2, 4, 5]], dtype))
    limits = np.iinfo(dtype)
    image = np.array([[limits.min, limits.max]], dtype)
    for narrow, low, high in (("int8", -128, 127), ("uint8", 0, 255)):
        expected = [[min(max(int(limit), low), high) for limit in (limits.min, limits.max)]]
        np.testing.assert_array_equal(skpool.avg_pool(image, 1, dtype=narrow), expected)


def test_variance_does_not_cancel():
    image = (1e8 + np.arange(16.0)).reshape(4, 4)
    np.testing.assert_allclose(skpool.var_pool(image, 4), [[np.var(np.arange(16.0))]], rtol=1e-12)
    np.testing.assert_array_equal(skpool.var_pool(np.full((9, 9), 0.1, np.float32), 9), [[0]])


# ---------------------------------------------------------------- averages of float32 images

HARD_TO_AVERAGE = {
    "uniform": lambda rng, shape: rng.random(shape),
    "both signs": lambda rng, shape: rng.normal(size=shape),
    "a tenth": lambda rng, shape: np.full(shape, 0.1),
    "a ramp": lambda rng, shape: np.arange(math.prod(shape), dtype=np.float64).reshape(shape),
    "one giant": lambda rng, shape: np.where(np.arange(math.prod(shape)).reshape(shape) == 0, 2.0**40, 1.0),
    "a bright plane": lambda rng, shape: 1e7 + rng.integers(0, 100, shape),
}


@pytest.mark.parametrize("window", [2, 3, 7, 11, 16, 63, 64, 200, (1, 1000), (1000, 1), 1000])
@pytest.mark.parametrize("name", HARD_TO_AVERAGE)
def test_float32_averages(name, window):
    image = HARD_TO_AVERAGE[name](generator(name), (1000, 1000)).astype(np.float32)
    pooled = skpool.avg_pool(image, window)
    assert pooled.dtype == np.float32
    window = np.broadcast_to(window, 2)
    corners = list(itertools.product(*[(0, outputs // 2, outputs - 1) for outputs in pooled.shape]))
    for row, column in corners:
        samples = image[row * window[0] :, column * window[1] :][: window[0], : window[1]].astype(np.float64)
        exact = math.fsum(samples.flat) / samples.size
        bound = 4 * EPS32 * math.fsum(np.abs(samples).flat) / samples.size
        assert abs(float(pooled[row, column]) - exact) <= bound


# ---------------------------------------------------------------- the same bits, whatever the layout and machine

GEOMETRIES = (
    {"window_shape": 2},
    {"window_shape": 3, "stride": 2, "padding": 1, "mode": "reflect"},
    {"window_shape": (5, 4), "stride": 1, "dilation": (1, 2), "padding": "same", "ceil_mode": False},
    {"window_shape": (1, 9), "stride": (2, 4), "nan_policy": "omit"},
)


def calls(reduction, dtype, shape):
    """Images and arguments that reach the vector bodies of loops and their ends, plain ones and special ones."""
    rng = generator(reduction, dtype, shape)
    own = {"reduction": reduction} | required(reduction)
    for arguments, values in itertools.product(GEOMETRIES, ("everyday", "special")):
        image = make_image(rng, shape, dtype, values)
        yield image, own | {"channel_axis": 2 if len(shape) == 3 else None} | arguments
    yield image, own | {"mask": rng.random(shape) < 0.7, "window_shape": (3,) * len(shape)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_layouts_give_the_same_bits(reduction, dtype):
    for shape in ((11, 37), (9, 14, 3)):
        for image, arguments in calls(reduction, dtype, shape):
            expected = bits(skpool.pool(image, **arguments))
            for name, layout in LAYOUTS.items():
                assert bits(skpool.pool(layout(image), **arguments)) == expected, (name, shape, arguments)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_workers_give_the_same_bits(reduction, dtype):
    for shape in ((67, 131), (53, 41, 3)):
        for image, arguments in calls(reduction, dtype, shape):
            expected = bits(skpool.pool(image, workers=1, **arguments))
            for workers in (2, 64, None):
                assert bits(skpool.pool(image, workers=workers, **arguments)) == expected, (workers, shape, arguments)


def digests(dtypes=DTYPES):
    """A digest of the results for every reduction and dtype."""
    found = {}
    for reduction, dtype in itertools.product(REDUCTIONS, dtypes):
        digest = hashlib.sha256()
        for shape in ((37, 101), (19, 45, 3)):
            for image, arguments in calls(reduction, dtype, shape):
                digest.update(bits(skpool.pool(image, **arguments)))
        found[f"{reduction} {dtype}"] = digest.hexdigest()
    return found


@pytest.mark.slow
def test_instruction_sets_give_the_same_bits():
    sets = cpu.available_instruction_sets()
    if len(sets) < 2:
        pytest.skip("one instruction set is available here")
    found = []
    paths = os.pathsep.join([str(Path(skpool.__file__).parents[1]), str(Path(__file__).parent)])
    for name in sets:
        result = subprocess.run(
            [sys.executable, "-P", __file__],
            env=os.environ | {"PYTHONPATH": paths, "SKPOOL_ISA": name},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        found.append(json.loads(result.stdout))
    for other in found[1:]:
        assert {name for name in found[0] if found[0][name] != other[name]} == set()


#: Types whose row functions are emulated: bytes, floats, and integers of two words.
EMULATED = ("uint8", "int64", "float32")


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("qemu-x86_64") is None,
    reason="needs an x86-64 machine and qemu-user",
)
@pytest.mark.parametrize(("processor", "chosen"), [("Nehalem", "base"), ("Haswell", "v3")])
def test_emulated_processors_choose_their_instruction_set_and_give_the_same_bits(processor, chosen):
    if chosen not in cpu.available_instruction_sets():
        pytest.skip(f"{chosen} is not built, or this machine lacks it")
    paths = os.pathsep.join([str(Path(skpool.__file__).parents[1]), str(Path(__file__).parent)])
    program = f"""
import json, test_grid
print(json.dumps([test_grid.cpu.INSTRUCTION_SET, test_grid.digests({EMULATED})]))
"""
    environment = {name: value for name, value in os.environ.items() if name != "SKPOOL_ISA"}
    # OpenBLAS, which NumPy loads, would take qemu's Nehalem for a processor with AVX.
    environment |= {"PYTHONPATH": paths, "OPENBLAS_CORETYPE": processor}
    result = subprocess.run(
        ["qemu-x86_64", "-cpu", processor, sys.executable, "-P", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [chosen, digests(EMULATED)]


# ---------------------------------------------------------------- large images: many tiles and blocks

LARGE = {
    "few rows": ((3, 70_000), {"window_shape": (3, 7), "stride": (1, 3)}),
    "few columns": ((70_000, 3), {"window_shape": (5, 2), "stride": (3, 1)}),
    "one row": ((1, 1_000_001), {"window_shape": (1, 4)}),
    "channels": ((300, 500, 3), {"window_shape": (2, 3), "channel_axis": -1}),
    "a long row of channels": ((20, 5000, 3), {"window_shape": 3, "stride": 2, "channel_axis": -1}),
    "global": ((701, 997), {"window_shape": (701, 997)}),
    "wide windows, stride 1": ((90, 101), {"window_shape": 63, "stride": 1}),
    "tall windows": ((5000, 40), {"window_shape": (1000, 1), "stride": (17, 1)}),
}

#: Oracles of NumPy's own for windows of everyday values, as float64 or int64: ``(windows, axis) -> result``.
NUMPY = {
    "max": np.max,
    "min": np.min,
    "sum": np.sum,
    "avg": np.mean,
    "range": np.ptp,
    "var": np.var,
    "std": np.std,
    "lp": lambda windows, axis: np.sqrt(np.sum(windows * windows, axis)),
    "power_mean": lambda windows, axis: np.sqrt(np.mean(windows * windows, axis)),
    "gem": lambda windows, axis: np.cbrt(np.mean(np.maximum(windows, 1e-6) ** 3, axis)),
    "logsumexp": lambda windows, axis: np.log(np.mean(np.exp(windows), axis)),
    "soft": lambda windows, axis: np.sum(windows * np.exp(windows), axis) / np.sum(np.exp(windows), axis),
}


def window_view(image, window_shape, stride=None, channel_axis=None):
    """Whole windows of an image as a view, and the axes of their samples."""
    spatial = image.ndim - (channel_axis is not None)
    window, stride = (np.broadcast_to(sizes, spatial).tolist() for sizes in (window_shape, stride or window_shape))
    view = np.lib.stride_tricks.sliding_window_view(image, window, axis=tuple(range(spatial)))
    return view[tuple(slice(None, None, step) for step in stride)], tuple(range(image.ndim, image.ndim + spatial))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
@pytest.mark.parametrize("name", LARGE)
def test_large_images(name, dtype):
    shape, arguments = LARGE[name]
    image = make_image(generator(name), shape, dtype, "everyday")
    view, axis = window_view(image.astype(np.float64 if dtype == "float32" else np.int64), **arguments)
    # Slow twins of slow twins: what needs a copy of all windows runs where those are few.
    oracles = dict(itertools.islice(NUMPY.items(), 4 if view.size > 2_000_000 else None))
    for reduction, oracle in oracles.items():
        expected = oracle(view, axis)
        for workers in (1, 3):
            pooled = skpool.pool(image, reduction=reduction, ceil_mode=False, workers=workers, **arguments)
            if pooled.dtype.kind == "f":
                np.testing.assert_allclose(pooled, expected, rtol=2e-6, atol=1e-6)
            else:
                np.testing.assert_array_equal(pooled, expected)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("window", [(8, 8), (40, 9), "global"])
def test_rows_asked_for_ahead_give_the_same_bits(window, dtype):
    """Images larger than the caches are read another way; columns that lie apart never are."""
    columns = 7001 if dtype == "uint8" else 1801
    image = make_image(generator(dtype), (5003, columns), dtype, "everyday")
    assert image.nbytes > 2**25
    apart = np.repeat(image, 2, axis=1)[:, ::2]
    arguments = {"window_shape": image.shape if window == "global" else window, "ceil_mode": False}
    for reduction in ("max", "sum", "avg", "var", "lp"):
        for workers in (1, 2):
            pooled = skpool.pool(image, reduction=reduction, workers=workers, **arguments)
            np.testing.assert_array_equal(
                pooled, skpool.pool(apart, reduction=reduction, workers=2, **arguments), strict=True
            )


@pytest.mark.parametrize("reduction", ["max", "avg", "var", "median"])
@pytest.mark.parametrize("window", [3, 5])
def test_results_written_past_the_caches_are_the_same(window, reduction):
    """Large results are; those of some rows are not."""
    image = make_image(generator(window), (2603, 2501), "float32", "everyday")
    arguments = {"window_shape": window, "stride": 1, "ceil_mode": False, "reduction": reduction, "workers": 2}
    pooled = skpool.pool(image, **arguments)
    assert pooled.nbytes > 24 * 2**20
    for rows in (slice(0, 200), slice(1237, 1500), slice(2500, 2603)):
        np.testing.assert_array_equal(
            pooled[rows.start : rows.stop - window + 1], skpool.pool(image[rows], **arguments), strict=True
        )


@pytest.mark.parametrize("name", [name for name in LARGE if name != "global"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_samples_of_large_images(reduction, name):
    shape, arguments = LARGE[name]
    own = required(reduction)
    rng = generator(reduction, name)
    image = make_image(rng, shape, "float32", "everyday")
    plan = sliding_plan(shape, image.dtype, reduction, **own, **arguments)
    pooled = skpool.pool(image, reduction=reduction, workers=2, **own, **arguments)
    corners = itertools.product(*[{0, outputs // 2, outputs - 1} for outputs in plan.shape])
    drawn = rng.integers(0, plan.shape, (10 if plan.samples < 500 else 0, len(shape))).tolist()
    for output in {*corners, *map(tuple, drawn)}:
        samples, _, _ = reference.counted_samples(plan, image, None, output)
        alone = sliding_plan(samples.shape, samples.dtype, reduction, window_shape=samples.size, **own)
        assert_matches(alone, samples, None, pooled[output].reshape(1))


# ---------------------------------------------------------------- order statistics


def test_a_quantile_at_a_sample_is_that_sample():
    """What lies beyond it has no weight, be it infinite or to be rounded."""
    assert skpool.percentile_pool(np.array([1, 2, 9]), 3, q=50, method="midpoint", dtype=int) == 2
    image = np.array([1, 2, math.inf])
    for method, parameter in (("linear", 50), ("midpoint", 50), ("hazen", 50), ("linear", 0)):
        expected = np.percentile(image[:2], 50 + parameter, method="lower")
        assert skpool.percentile_pool(image, 3, q=parameter, method=method) == expected
    for dtype in FLOATS:
        largest = np.full(3, np.finfo(dtype).max, dtype)
        assert skpool.median_pool(largest, 3) == largest[0] == REDUCTIONS["median"].define(largest)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("window", [(8, 8), (5, 13), (1, 64), (65, 1), (2, 4, 8), (128, 128), (127, 130)])
def test_places_have_room_beside_samples(window, dtype):
    """The kernels keep a sample and its place in as many bits each, as long as places fit."""
    image = generator(window, dtype).integers(0, 3, [n + 3 for n in window]).astype(dtype)
    image[tuple(np.array(image.shape) - 1)] = 3  # the last place of the last window
    numbers = np.arange(image.size).reshape(image.shape)
    samples, places = (window_view(array, window, 1)[0] for array in (image, numbers))
    samples, places = (array.reshape(*samples.shape[: image.ndim], -1) for array in (samples, places))
    for reduction, find in (("max", np.argmax), ("min", np.argmin)):
        found = skpool.pool(image, window, reduction, stride=1, return_indices=True)[1]
        np.testing.assert_array_equal(found, np.take_along_axis(places, find(samples, -1)[..., None], -1)[..., 0])


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("reduction", ["max", "min", "argmax", "argmin", "range", "avg", "lp", "var", "std"])
@pytest.mark.parametrize("values", ["special", "whole range"])
def test_windows_of_four_in_one_pass_give_what_rows_and_columns_give(reduction, dtype, values, monkeypatch):
    image = make_image(generator(reduction, dtype), (14, 90), dtype, values)
    parameters = {"ddof": 1} if reduction in ("var", "std") else {"p": 2} if reduction == "lp" else {}
    if reduction.startswith("arg"):
        reduction, parameters = reduction.removeprefix("arg"), {"return_indices": True}
    rolled = [np.roll(image, shift) for shift in range(20)]
    images = [(image, None), *((np.stack(rolled[:channels], -1), -1) for channels in (2, 3, 4, 20))]
    results = []
    with np.errstate(all="ignore"):
        for find in (cpu._quad, lambda plan, recipe: (0, False)):
            monkeypatch.setattr(cpu, "_quad", find)
            cpu._program.cache_clear()
            results.append(
                [skpool.pool(pixels, 2, reduction, channel_axis=axis, **parameters) for pixels, axis in images]
            )
    monkeypatch.undo()
    cpu._program.cache_clear()
    for quads, folds in zip(*results, strict=True):
        np.testing.assert_array_equal(quads, folds)


if __name__ == "__main__":
    print(json.dumps(digests()))
