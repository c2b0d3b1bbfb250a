"""The drop-ins against scikit-image's own: results, types, memory order, warnings, errors; patching."""

import functools
import inspect
import itertools
import subprocess
import sys
import threading
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import skimage.measure
import skimage.transform
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import skpool
from skpool import dropin

BLOCK_REDUCE = skimage.measure.block_reduce
DOWNSCALE = skimage.transform.downscale_local_mean

FUNCTIONS = {known.func.__name__: known for known in dropin._KNOWN}
DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")

# Blocks that tile the image, and that do not; of one sample, larger than the image, leaving colours alone.
GEOMETRIES = (
    ((6,), 2),
    ((7,), (3,)),
    ((1, 1), 1),
    ((8, 12), 2),
    ((8, 12), (4, 3)),
    ((7, 11), 2),
    ((7, 11), (3, 1)),
    ((5, 6), (9, 4)),
    ((6, 8, 3), (2, 2, 1)),
    ((7, 8, 4), (2, 3, 1)),
    ((4, 6, 5), (1, 2, 5)),
    ((3, 4, 5, 2), 2),
)


# ---------------------------------------------------------------- what to compare


@pytest.fixture
def handed_over(monkeypatch):
    """A list of the calls that reach the originals."""
    calls = []

    def spy(original):
        @functools.wraps(original)
        def called(*arguments):
            calls.append(arguments)
            return original(*arguments)

        return called

    spies = {"block_reduce": spy(BLOCK_REDUCE), "downscale_local_mean": spy(DOWNSCALE)}
    monkeypatch.setattr(dropin._Patch, "originals", spies)
    return calls


def outcome(function, *arguments):
    """What a call gives or raises, and every warning: its type, its text and where it comes from."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*arguments)
        except Exception as error:  # every error is to be compared
            result = error
    return result, [(w.category, str(w.message), w.filename, w.lineno) for w in caught]


def order_of(array):
    """Strides that matter: those of axes with more than one element."""
    return [stride for stride, length in zip(array.strides, array.shape, strict=True) if length > 1]


def numpy_error(image, block, func, cval, ddof, dtype):
    """How far NumPy's floating-point results may be from the truth: n * eps, as its sums are."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        eps = float(np.finfo(dtype).eps)
        wide = np.asarray(image).astype(np.float64)
        block = (block,) * image.ndim if np.isscalar(block) else block
        samples = float(np.prod(block))
        magnitude = BLOCK_REDUCE(np.abs(wide), block, np.nansum, abs(float(cval)))
        if func in (np.sum, np.nansum):
            return samples * eps * magnitude
        counted = samples
        if func in (np.nanmean, np.nanvar, np.nanstd):
            counted = BLOCK_REDUCE((~np.isnan(wide)).astype(np.float64), block, np.sum, not np.isnan(cval))
        mean_error = samples * eps * magnitude / counted
        if func not in (np.var, np.std, np.nanvar, np.nanstd):
            return mean_error
        variance = BLOCK_REDUCE(wide, block, np.nanvar, cval, {"ddof": ddof})
        error = 4 * samples * eps * variance + mean_error**2 * counted / (counted - ddof)
        if func in (np.var, np.nanvar):
            return error
        return np.fmin(np.sqrt(error), error / np.sqrt(variance)) + eps * np.sqrt(variance)


def assert_as_original(image, block, func, cval=0, func_kwargs=None):
    """Compare the drop-in with the original in every respect."""
    arguments = (image, block, func, cval, func_kwargs)
    expected, expected_warnings = outcome(BLOCK_REDUCE, *arguments)
    found, found_warnings = outcome(skpool.block_reduce, *arguments)
    assert found_warnings == expected_warnings
    assert type(found) is type(expected)
    if isinstance(expected, Exception):
        assert str(found) == str(expected)
        return
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if isinstance(expected, np.ndarray):
        assert order_of(found) == order_of(expected)
        assert found.flags.writeable
        assert found.flags.owndata == expected.flags.owndata
    known = dropin._KNOWN_BY_ID.get(id(func))
    if expected.dtype.char not in "efd" or known is None or not known.is_arithmetic or func is np.ptp:
        np.testing.assert_array_equal(found, expected)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    allowed = numpy_error(image, block, func, cval, (func_kwargs or {}).get("ddof", 0), expected.dtype)[finite]
    error = np.abs(found[finite].astype(np.float64) - expected[finite])
    np.testing.assert_array_less(error, allowed + np.finfo(expected.dtype).tiny)


def image_of(shape, dtype, seed=0):
    """Random samples over the whole range of integers, floats of both signs around no round number."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.6
    if dtype.kind == "f":
        return (rng.standard_normal(shape) * 3 + 1.3).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype.newbyteorder("="), endpoint=True).astype(dtype)


def read_only(image):
    image = image.copy()
    image.setflags(write=False)
    return image


def unaligned(image):
    buffer = np.zeros(image.nbytes + 1, np.uint8)[1:]
    copy = buffer.view(image.dtype).reshape(image.shape)
    copy[...] = image
    return copy


def strided(image):
    wide = np.zeros([3 * length for length in image.shape], image.dtype)
    wide[(slice(1, None, 3),) * image.ndim] = image
    return wide[(slice(1, None, 3),) * image.ndim]


# The same image in other memory layouts, types of array and byte orders.
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "strided": strided,
    "reversed": lambda image: np.flip(np.flip(image).copy()),
    "rows reversed": lambda image: image[::-1].copy()[::-1],
    "Fortran, reversed": lambda image: np.flip(np.asfortranarray(np.flip(image))),
    "axes rolled": lambda image: np.moveaxis(np.moveaxis(image, -1, 0).copy(), 0, -1),
    "byte-swapped": lambda image: image.astype(image.dtype.newbyteorder()),
    "unaligned": unaligned,
    "masked": lambda image: np.ma.MaskedArray(image, image > 1),
}


# ---------------------------------------------------------------- the grid


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results(name, dtype, handed_over):
    known = FUNCTIONS[name]
    for (shape, block), cval in itertools.product(GEOMETRIES, (0, 1)):
        assert_as_original(image_of(shape, dtype), block, known.func, cval)
    on_kernels = np.dtype(dtype).str[1:] in known.images
    assert len(handed_over) == (0 if on_kernels else 2 * len(GEOMETRIES))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_layouts(name, layout, handed_over):
    known = FUNCTIONS[name]
    for (shape, block), dtype in itertools.product(GEOMETRIES, ("?", "u1", "i4", "f4", "f8")):
        if np.dtype(dtype).str[1:] in known.images:
            image = image_of(shape, dtype)
            assert_as_original(LAYOUTS[layout](image), block, known.func, 1)
    assert not handed_over


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_memory_order_of_transposed_images(axes, handed_over):
    image = image_of((8, 12, 6), "f4").transpose(axes)
    views = (image, image[::-1, :, ::-1], image[::2, :, ::3], image[:, ::-2])
    blocks = ((1, 1, 1), (2, 2, 2), (2, 1, 3), (4, 6, 1), (1, 12, 1), (3, 2, 1), (8, 1, 2))
    functions = (np.max, np.mean, np.var, np.nansum, np.nanstd, np.ptp)
    for view, block, func in itertools.product(views, blocks, functions):
        assert_as_original(view, block, func)
    assert not handed_over


def test_input_is_unchanged():
    image = image_of((7, 9), "f4")
    copy = image.copy()
    for known in FUNCTIONS.values():
        if "f4" in known.images:
            skpool.block_reduce(image, 2, known.func)
    np.testing.assert_array_equal(image, copy)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_image(data):
    dtypes = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes())
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
    image = data.draw(hnp.arrays(dtypes, shapes))
    block = data.draw(st.tuples(*[st.integers(1, 11)] * image.ndim))
    known = data.draw(st.sampled_from(list(FUNCTIONS.values())))
    cval = data.draw(st.integers(-(2**9), 2**9))
    assert_as_original(image, block, known.func, cval)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_sample_of_floats(data):
    width = data.draw(st.sampled_from([16, 32, 64]))
    special = st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf])
    # Half of the exponents: no square overflows, where NumPy's result would depend on its order.
    some = st.one_of(special, st.floats(-100, 100, width=16))
    image = data.draw(hnp.arrays(f"f{width // 8}", hnp.array_shapes(min_dims=1, max_dims=3), elements=some))
    block = data.draw(st.tuples(*[st.integers(1, 6)] * image.ndim))
    known = data.draw(st.sampled_from(list(FUNCTIONS.values())))
    assert_as_original(image, block, known.func, data.draw(some))


def test_downscale_local_mean(handed_over):
    for (shape, block), dtype, cval in itertools.product(GEOMETRIES, DTYPES, (0, 1)):
        image = image_of(shape, dtype)
        found = skpool.downscale_local_mean(image, block, cval)
        np.testing.assert_array_equal(found, skpool.block_reduce(image, block, np.mean, cval))
        assert found.dtype == DOWNSCALE(image, block, cval).dtype
    assert not handed_over
    wrong = (([[1, 2]], 2), (np.ones((4, 4)), [2, 2]), (np.ones((4, 4)), (2, 0)), (np.ones(3) * 1j, 2))
    for arguments in wrong:
        found, expected = (outcome(called, *arguments) for called in (skpool.downscale_local_mean, DOWNSCALE))
        assert type(found[0]) is type(expected[0])
        assert str(found) == str(expected)
    assert len(handed_over) == 4


def test_signatures():
    assert inspect.signature(skpool.block_reduce) == inspect.signature(BLOCK_REDUCE)
    assert inspect.signature(skpool.downscale_local_mean) == inspect.signature(DOWNSCALE)


# ---------------------------------------------------------------- scikit-image's own cases


def test_sums_of_whole_and_padded_blocks():
    found = skpool.block_reduce(np.arange(24).reshape(4, 6), (2, 3))
    np.testing.assert_array_equal(found, [[24, 42], [96, 114]])
    found = skpool.block_reduce(np.arange(40).reshape(5, 8), (3, 3))
    np.testing.assert_array_equal(found, [[81, 108, 87], [174, 192, 138]])


@pytest.mark.parametrize(
    ("func", "whole", "padded"),
    [
        (np.mean, [[4.0, 7.0], [16.0, 19.0]], [[14.0, 10.8], [8.5, 5.7]]),
        (np.median, [[4.0, 7.0], [16.0, 19.0]], [[14.0, 6.5], [0.0, 0.0]]),
        (np.min, [[0, 3], [12, 15]], [[0, 0], [0, 0]]),
        (np.max, [[8, 11], [20, 23]], [[28, 31], [36, 39]]),
    ],
)
def test_whole_and_padded_blocks(func, whole, padded):
    image = np.arange(24).reshape(4, 6)
    np.testing.assert_array_equal(skpool.block_reduce(image, (2, 3), func), whole)
    image = np.arange(40).reshape(5, 8)
    np.testing.assert_array_equal(skpool.block_reduce(image, (4, 5), func), padded)


def test_variances_beside_a_large_mean():
    image = image_of((6, 8), "f8") + 1e6
    for func, dtype in itertools.product((np.var, np.nanstd), ("f4", "f8", "i4", "u2")):
        assert_as_original(image.astype(dtype), (1, 4), func)


def test_an_outlier_does_not_move_the_median():
    image = np.array([[1, 5, 5, 5], [5, 5, 5, 1000]])
    np.testing.assert_array_equal(skpool.block_reduce(image, (2, 4), np.median), [[5.0]])


def test_block_size_by_default_and_as_a_number():
    image = np.arange(24).reshape(4, 6)
    np.testing.assert_array_equal(skpool.block_reduce(image, func=np.min), [[0, 2, 4], [12, 14, 16]])
    image = np.arange(36).reshape(6, 6)
    for block in (3, (3, 3), np.int64(3), (np.int64(3), 3)):
        np.testing.assert_array_equal(skpool.block_reduce(image, block, np.min), [[0, 3], [18, 21]])


def test_means_in_the_type_of_the_image_wrap():
    samples = [[97, 123, 173, 227], [217, 241, 221, 214], [211, 11, 170, 53], [214, 205, 101, 57]]
    image = np.array(samples, np.uint8)
    found = skpool.block_reduce(image, (2, 2), func=np.mean, func_kwargs={"dtype": np.uint8})
    np.testing.assert_array_equal(found, np.array([[41, 16], [32, 31]], np.uint8), strict=True)


def test_means_in_a_narrower_type():
    assert_as_original(image_of((4, 4), "f8"), (2, 2), np.mean, 0, {"dtype": np.float16})
    found = skpool.block_reduce(np.ones((4, 4)), 2, np.mean, func_kwargs={"dtype": np.float16})
    assert found.dtype == np.float16


@pytest.mark.parametrize("dtype", ["u1", "i4", "f2", "f4", "f8"])
def test_local_means(dtype):
    found = skpool.downscale_local_mean(np.arange(24, dtype=dtype).reshape(4, 6), (2, 3))
    assert found.dtype == (dtype if dtype[0] == "f" else np.float64)
    np.testing.assert_array_equal(found, [[4.0, 7.0], [16.0, 19.0]])
    found = skpool.downscale_local_mean(np.arange(40, dtype=dtype).reshape(5, 8), (4, 5))
    np.testing.assert_allclose(found, [[14.0, 10.8], [8.5, 5.7]], rtol=1e-3 if dtype == "f2" else 1e-7)


# ---------------------------------------------------------------- constants, NaN, infinities, overflow


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("func", [np.sum, np.mean, np.max, np.min, np.nanmax, np.std])
def test_constants(func, dtype):
    image = image_of((5, 7), dtype)
    constants = (
        *(-1, 2, 255, 256, -129, 2**40, 2**63, -(2**63), 2**64, 10**400),
        *(0.5, -0.0, 1e5, 1e39, 1e300, np.nan, float("nan"), np.inf, -np.inf, 1j),
        *(True, False, np.True_, np.uint8(7), np.int64(-3)),
        *(np.float32(0.1), np.float64(-0.0), np.longdouble(0.1)),
        *("a", b"b", None, np.datetime64(1, "s"), np.array(3), [3], (1, 2), [[1, 2], [3, 4]], object()),
    )
    largest = max(abs(sample) for sample in image.ravel().tolist())
    for cval in constants:
        arguments = (image, 2, func, cval)
        expected, expected_warnings = outcome(BLOCK_REDUCE, *arguments)
        found, found_warnings = outcome(skpool.block_reduce, *arguments)
        assert found_warnings == expected_warnings, cval
        assert type(found) is type(expected), cval
        if isinstance(expected, Exception):
            assert str(found) == str(expected)
        else:
            assert found.dtype == expected.dtype
            rtol = 8 * np.finfo(found.dtype).eps if found.dtype.kind == "f" else 0
            np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * largest, err_msg=repr(cval))


def test_zeros_keep_their_sign():
    image = np.full(3, -0.0)
    for cval in (0.0, -0.0, 0.0):
        found, expected = (called(image[:1], 2, np.max, cval) for called in (skpool.block_reduce, BLOCK_REDUCE))
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("func", [np.sum, np.max])
def test_constants_are_not_looked_at_where_nothing_is_padded(func, handed_over):
    image = image_of((4, 6), "u1")
    for cval in ("a", None, 1000, [1, 2, 3], 1j):
        assert_as_original(image, 2, func, cval)
    assert not handed_over


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "f4" in FUNCTIONS[name].images])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan(name, dtype, handed_over):
    known = FUNCTIONS[name]
    image = image_of((8, 11), dtype)
    image[0, 1] = image[2:4, 2:4] = image[4:6, 4:7] = image[7, 8:] = np.nan
    for block, cval in itertools.product((1, 2, (2, 1), (1, 3), (8, 11), (20, 20)), (0, np.nan)):
        assert_as_original(image, block, known.func, cval)
        assert_as_original(np.full_like(image, np.nan), block, known.func, cval)
    if dtype in known.images:
        # Nothing but one block without samples, for the sake of its warning.
        assert all(arguments[0].size == 1 for arguments in handed_over)
        assert bool(handed_over) == (known.omit and known.func is not np.nansum)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "f4" in FUNCTIONS[name].images])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_infinities(name, dtype):
    func = FUNCTIONS[name].func
    image = image_of((6, 8), dtype)
    image[0, 0] = image[2, 2] = np.inf
    image[0, 7] = image[3, 3] = -np.inf
    for nan in (False, True):
        if nan:
            image[2, 3] = image[5, 5] = np.nan
        for block in (1, 2, (3, 4), (4, 5)):
            assert_as_original(image, block, func)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "f4" in FUNCTIONS[name].images])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_overflow(name, dtype):
    func = FUNCTIONS[name].func
    largest = np.finfo(dtype).max
    for sample in (largest, -largest):
        image = np.full((4, 6), sample, dtype)
        if func in (np.mean, np.average, np.nanmean, np.var, np.std, np.nanvar, np.nanstd):
            # NumPy overflows on the way; a kernel with a wider sum does not.
            with np.errstate(all="ignore"):
                found = outcome(skpool.block_reduce, image, 2, func)[0]
            assert not np.isfinite(found).any() or np.ptp(found) == 0
        else:
            assert_as_original(image, 2, func)
    image = np.array([[largest, -largest]], dtype)
    assert_as_original(image, (1, 2), np.ptp)


def test_numpy_settings_reach_the_original():
    image = np.full((2, 2), np.finfo(np.float64).max)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        skpool.block_reduce(image, 2, np.sum)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(skpool.block_reduce(image, 2, np.sum), [[np.inf]])


def test_warnings_can_be_errors():
    with pytest.raises(RuntimeWarning, match="All-NaN slice encountered"):
        skpool.block_reduce(np.full((2, 2), np.nan), 2, np.nanmax)


@pytest.mark.parametrize("func", [np.var, np.std, np.nanvar, np.nanstd])
def test_ddof(func, handed_over):
    image = image_of((5, 7), "f4")
    image[:3, 3:5] = np.nan
    for ddof in (0, 1, 2, 3):
        assert_as_original(image, 2, func, 0, {"ddof": ddof})
    assert all(arguments[0].size == 1 for arguments in handed_over)
    for ddof in (4, 5, -1, 0.5, True, None, "a"):
        handed_over.clear()
        assert_as_original(image, 2, func, 0, {"ddof": ddof})
        assert handed_over


# ---------------------------------------------------------------- what is handed over


class Unhashable:
    __hash__ = None

    def __call__(self, blocks, axis):
        return blocks.max(axis)


class EqualToSum:
    def __hash__(self):
        return hash(np.sum)

    def __eq__(self, other):
        return other is np.sum

    def __call__(self, blocks, axis):
        return blocks.min(axis)


class Image(np.ndarray):
    pass


@pytest.mark.parametrize(
    "func",
    [
        *(np.prod, np.median, np.nanmedian, np.nanprod, np.argmax, np.ma.sum, np.maximum.reduce, np.add),
        *(sum, max, None, "sum", lambda blocks, axis: blocks.sum(axis), lambda blocks: blocks),
        *(functools.partial(np.percentile, q=50), functools.partial(np.sum), Unhashable(), EqualToSum()),
    ],
    ids=lambda func: getattr(func, "__name__", type(func).__name__),
)
def test_other_functions(func, handed_over):
    assert_as_original(image_of((5, 6), "f4"), 2, func)
    assert len(handed_over) == 1


@pytest.mark.parametrize(
    ("func", "func_kwargs"),
    [
        (np.sum, {"dtype": np.uint8}),
        (np.mean, {"dtype": np.float64}),
        (np.mean, {"ddof": 1}),
        (np.sum, {"keepdims": True}),
        (np.sum, {"where": True}),
        (np.max, {"initial": 3}),
        (np.var, {"correction": 1}),
        (np.var, {"ddof": 1, "dtype": np.float64}),
        (np.average, {"weights": None}),
        (np.sum, {"axis": 0}),
        (np.sum, {1: 2}),
        (np.sum, {"no such": 1}),
        (np.sum, []),
        (np.sum, 0),
        (np.sum, types.MappingProxyType({})),
    ],
)
def test_keywords(func, func_kwargs, handed_over):
    assert_as_original(image_of((5, 6), "u1"), 2, func, 0, func_kwargs)
    assert len(handed_over) == 1


def test_no_keywords(handed_over):
    assert_as_original(image_of((5, 6), "u1"), 2, np.sum, 0, {})
    assert not handed_over


@pytest.mark.parametrize(
    "image",
    [
        image_of((4, 5), "f8") + 1j,
        image_of((4, 5), "f8").astype(np.longdouble),
        image_of((4, 5), "f8").astype(object),
        image_of((4, 5), "i8").astype("datetime64[s]"),
        image_of((4, 5), "i8").astype("timedelta64[s]"),
        image_of((4, 5), "i8").astype(str),
        np.zeros((4, 5), "u1,f4"),
        np.zeros((0, 5)),
        np.zeros((5, 0), np.uint8),
        np.zeros(0, bool),
        np.float64(3).reshape(()),
        np.float64(3),
        image_of((4, 5), "f8").view(Image),
        np.ma.MaskedArray(np.zeros((0, 3))),
        [[1, 2], [3, 4]],
        3,
        None,
        memoryview(b"abcd"),
        np.broadcast_to(image_of((1, 6), "f4"), (4, 6)),
    ],
    ids=lambda image: f"{type(image).__name__} {getattr(image, 'dtype', '')} {getattr(image, 'shape', '')}",
)
@pytest.mark.parametrize("func", [np.sum, np.mean, np.max, np.nanvar])
@pytest.mark.parametrize("block", [1, 2])
def test_other_images(image, func, block, handed_over):
    assert_as_original(image, block, func)
    assert len(handed_over) == 1


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices(handed_over):
    assert_as_original(np.matrix([[1, 2, 3], [4, 5, 6]]), 2, np.sum)
    assert len(handed_over) == 1


@pytest.mark.parametrize(
    "block",
    [
        *(0, -1, 2.0, 0.5, "a", "ab", None, True, np.float64(2), np.array(2), np.uint8(2), np.bool_(True)),
        *([2, 2], [1, 2, 3], [1, 0.5], np.array([2, 2]), {2: 2, 3: 3}, (), (2,), (2, 2, 2), (2.0, 2)),
        *((2, 0), (0, 2), (2, -2), (2, "a"), (2, None), (2, True), (np.uint8(2), 2)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("func", [np.sum, np.median])
def test_other_block_sizes(block, func, handed_over):
    assert_as_original(image_of((5, 6), "f4"), block, func)
    assert len(handed_over) == 1


def test_blocks_of_more_samples_than_can_be_counted(handed_over):
    with pytest.raises(MemoryError):
        skpool.block_reduce(image_of((3, 4), "u1"), (2**31, 2**30), np.sum)
    assert len(handed_over) == 1


def test_memory_maps(tmp_path, handed_over):
    image = image_of((7, 9), "f4")
    np.save(tmp_path / "image.npy", image)
    assert_as_original(np.load(tmp_path / "image.npy", mmap_mode="r"), 2, np.mean)
    assert not handed_over


# ---------------------------------------------------------------- patching


def everywhere():
    """What scikit-image's modules hold under the two names, and what its packages give."""
    names = ("block_reduce", "downscale_local_mean")
    held = {
        (module, name): vars(sys.modules[module])[name]
        for module in sorted(sys.modules)
        if module.partition(".")[0] in dropin._PACKAGES
        for name in names
        if name in vars(sys.modules[module])
    }
    held["measure"] = skimage.measure.block_reduce
    held["transform"] = skimage.transform.downscale_local_mean
    return held


ORIGINALS = everywhere()


def expected(is_patched):
    if not is_patched:
        return ORIGINALS
    return {
        place: skpool.block_reduce if held is BLOCK_REDUCE else skpool.downscale_local_mean
        for place, held in ORIGINALS.items()
    }


@pytest.fixture(autouse=True)
def nothing_left_behind():
    yield
    assert everywhere() == ORIGINALS


def test_there_is_something_to_patch():
    assert {BLOCK_REDUCE, DOWNSCALE} == set(ORIGINALS.values())
    assert len(ORIGINALS) >= 5


def test_patch_and_unpatch_are_idempotent():
    for _ in range(2):
        skpool.patch_skimage()
        assert everywhere() == expected(True)
    for _ in range(2):
        skpool.unpatch_skimage()
        assert everywhere() == expected(False)


def test_patched_blocks_nest():
    with skpool.patched():
        with skpool.patched():
            assert everywhere() == expected(True)
        assert everywhere() == expected(True)
    assert everywhere() == expected(False)


def test_patched_within_patch():
    skpool.patch_skimage()
    with skpool.patched():
        assert everywhere() == expected(True)
    assert everywhere() == expected(True)
    skpool.unpatch_skimage()
    assert everywhere() == expected(False)


def test_patch_and_unpatch_within_patched():
    with skpool.patched():
        skpool.patch_skimage()
        skpool.unpatch_skimage()
        assert everywhere() == expected(True)
    assert everywhere() == expected(False)
    with skpool.patched():
        skpool.patch_skimage()
    assert everywhere() == expected(True)
    skpool.unpatch_skimage()


def test_patched_ends_with_an_error():
    with pytest.raises(KeyError, match="a"), skpool.patched():
        raise KeyError("a")
    assert everywhere() == expected(False)


def test_patched_decorates():
    @skpool.patched()
    def held():
        return everywhere()

    assert held() == held() == expected(True)


def test_handing_over_ends():
    image = image_of((5, 6), "f8") + 1j
    with skpool.patched():
        found = skimage.measure.block_reduce(image, 2, np.median)
        # The original downscale_local_mean calls block_reduce, which now is ours, which calls the original.
        mean = skimage.transform.downscale_local_mean(image, (2, 2))
    np.testing.assert_array_equal(found, BLOCK_REDUCE(image, 2, np.median))
    np.testing.assert_array_equal(mean, DOWNSCALE(image, (2, 2)))


def test_scikit_image_runs_on_the_kernels(monkeypatch):
    image = image_of((40, 40), "f4")
    expected = DOWNSCALE(image, (3, 3))
    calls = []
    run = dropin.cpu.run
    monkeypatch.setattr(dropin.cpu, "run", lambda *given, **named: calls.append(1) or run(*given, **named))
    with skpool.patched():
        np.testing.assert_allclose(skimage.transform.downscale_local_mean(image, (3, 3)), expected, rtol=1e-5)
        np.testing.assert_allclose(DOWNSCALE(image, (3, 3)), expected, rtol=1e-5)
    assert len(calls) == 2


def test_modules_loaded_meanwhile(monkeypatch):
    before, after = (types.ModuleType(f"skimage._of_this_test_{i}") for i in range(2))
    ours = types.ModuleType("of_this_test")
    before.reduced = before.again = ours.reduced = BLOCK_REDUCE
    monkeypatch.setitem(sys.modules, before.__name__, before)
    monkeypatch.setitem(sys.modules, ours.__name__, ours)
    monkeypatch.setitem(sys.modules, "skimage._none", None)
    with skpool.patched():
        assert before.reduced is before.again is skpool.block_reduce
        assert ours.reduced is BLOCK_REDUCE  # somebody else's
        after.mean = skimage.transform.downscale_local_mean
        monkeypatch.setitem(sys.modules, after.__name__, after)
    assert before.reduced is before.again is BLOCK_REDUCE
    assert after.mean is DOWNSCALE


def test_threads_overlap():
    states, failures = [], []
    barrier = threading.Barrier(8)

    def enter_and_leave(i):
        barrier.wait()
        for _ in range(20):
            with skpool.patched():
                if skimage.measure.block_reduce is not skpool.block_reduce:
                    failures.append(i)
        states.append(i)

    workers = [threading.Thread(target=enter_and_leave, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(states) == 8
    assert not failures
    assert everywhere() == expected(False)


def test_a_replacement_by_hand_is_refused(monkeypatch):
    monkeypatch.setattr(dropin._Patch, "originals", None)
    monkeypatch.setattr(skimage.measure, "block_reduce", skpool.block_reduce, raising=False)
    with pytest.raises(RuntimeError, match=r"call `skpool.patch_skimage\(\)`"):
        skpool.block_reduce(np.ones((4, 4)), 2, np.median)
    monkeypatch.undo()
    vars(skimage.measure).pop("block_reduce", None)
    assert skimage.measure.block_reduce is BLOCK_REDUCE


# ---------------------------------------------------------------- imports


def python(code):
    """Return what `code` prints in a fresh interpreter."""
    command = [sys.executable, "-P", "-W", "error", "-c", code]
    path = {"PYTHONPATH": str(Path(skpool.__file__).parents[1])}
    result = subprocess.run(command, env=path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_scikit_image_is_imported_when_needed():
    code = """
import sys
import numpy as np
import skpool
image = np.ones((5, 5))
skpool.block_reduce(image, 2, np.mean)
skpool.downscale_local_mean(image, 2)
skpool.unpatch_skimage()
print("skimage" in sys.modules, "numpy.ma" in sys.modules)
skpool.block_reduce(image, 2, np.median)
print("skimage.measure" in sys.modules)
"""
    assert python(code).split() == ["False", "False", "True"]


def test_nothing_is_imported_after_the_first_call():
    code = """
import builtins
import sys
import numpy as np
import skpool
def calls():
    image = np.ones((5, 5))
    for func in (np.sum, np.mean, np.max, np.median):
        skpool.block_reduce(image, 2, func)
        skpool.block_reduce(image, 2, func, func_kwargs={"keepdims": True})
    skpool.downscale_local_mean(image, (2, 2))
    skpool.downscale_local_mean(image.astype(complex), (2, 2))
    with skpool.patched():
        skpool.block_reduce(image, 2, np.median)
calls()
before = set(sys.modules)
calls()
print(set(sys.modules) - before)
"""
    assert python(code).strip() == "set()"
