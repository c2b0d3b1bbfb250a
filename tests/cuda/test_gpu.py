"""The CUDA kernels on the CPU: the real sources as C++, behind a stand-in for CuPy, against the CPU backend.

The same on a GPU, where there is one: `pytest -m gpu`.
"""

import itertools
import math
import mmap
import re
import sys

import numpy as np
import pytest
import standin
from devices import launched, on_device, same, same_bits
from grid import CAPTURED, COVERED, DTYPES, FOLDED, RESULTS, SORTED, cases, fits
from images import LAYOUTS, generator, image_of
from plans import required, sliding_plan

import skpool
from skpool import adaptive, pooling
from skpool.backends import cpu, gpu
from skpool.reductions import REDUCTIONS

pytestmark = pytest.mark.usefixtures("cupy")


# ---------------------------------------------------------------- windows


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", COVERED)
def test_windows_of_any_kind(name, dtype, cupy):
    for number, (image, keywords) in enumerate(cases(name, dtype, 12, 4 if name in FOLDED else 3)):
        cupy.log.backwards = number % 2 == 1
        try:
            expected = skpool.pool(image, reduction=name, **required(name), **keywords)
        except ValueError:  # a window that does not fit: the same error
            with pytest.raises(ValueError, match="fit into"):
                skpool.pool(on_device(image), reduction=name, **required(name), **keywords | without(keywords, "mask"))
            continue
        masks = {"mask": on_device(keywords.pop("mask"))} if "mask" in keywords else {}
        same_bits(skpool.pool(on_device(image), reduction=name, **required(name), **keywords, **masks), expected)


def without(keywords, name):
    return {name: on_device(keywords[name])} if name in keywords else {}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in COVERED if REDUCTIONS[name].indices])
def test_indices(name, dtype, cupy):
    for number, (image, keywords) in enumerate(cases(name, dtype, 8)):
        cupy.log.backwards = number % 2 == 1
        if math.prod(keywords.get("window_shape", (1,))) == 0 or not fits(image, keywords):
            continue
        same(skpool.pool, image, reduction=name, return_indices=True, **keywords)


@pytest.mark.parametrize("image_dtype", ["uint8", "int64", "float16", "float64"])
@pytest.mark.parametrize("name", ["max", "avg", "sum", "range", "std", *SORTED[:1]])
def test_results_of_another_type_are_rounded_once_and_saturate(name, image_dtype):
    image = image_of(generator(name), (6, 8), image_dtype)
    for dtype in RESULTS:
        with np.errstate(all="ignore"):
            same(skpool.pool, image, (2, 3), name, dtype=dtype, fill_value=1, **required(name))


@pytest.mark.parametrize("divisor", [4.0, -3.0, 0.1])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_divisors(dtype, divisor):
    same(skpool.avg_pool, image_of(generator(dtype), (6, 8), dtype), 2, divisor=divisor)


PARAMETERS = (
    *[("lp", {"p": p}) for p in (0.5, 1, 2, 2.5, 3, 4, 10, math.inf)],
    *[("power_mean", {"p": p}) for p in (1, 2, 3, math.inf)],
    *[("gem", {"p": p, "eps": eps}) for p, eps in ((1.5, 1e-6), (3, 2.0))],
    *[("logsumexp", {"sharpness": r}) for r in (-2, 0.1, 20)],
    *[("soft", {"temperature": t}) for t in (-1, 0.01, 50)],
    *[(name, {"ddof": ddof}) for name in ("var", "std") for ddof in (1, 0.5)],
)


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS)
def test_parameters(name, parameters):
    for dtype in ("uint8", "float64"):
        image = image_of(generator(name, dtype), (7, 9), dtype)
        with np.errstate(all="ignore"):
            same(skpool.pool, image, 3, name, stride=2, padding=1, **parameters)


@pytest.mark.parametrize(("name", "p"), [("lp", 2), ("power_mean", 3), ("gem", 7.5), ("lp", 100)])
def test_powers_beyond_the_range_of_float64(name, p):
    rng = generator(name, p)
    image = rng.normal(size=(12, 12)) * 10.0 ** rng.choice([-300, -160, 0, 160, 300], (12, 1))
    image[0, 0], image[4, 4], image[6:8, 6:8] = np.inf, np.nan, 0
    with np.errstate(all="ignore"):
        same(skpool.pool, image, 2, name, p=p)
        same(skpool.pool, image.repeat(3, 0).repeat(3, 1)[:, :33], 33, name, p=p)  # by parts


def test_averages_whose_float32_total_overflows():
    image = np.array([[3e38, 3e38, 1, 2], [3e38, 1e38, 3, 4], [np.inf, 0, -3e38, -3e38], [1, 2, -3e38, 0]], np.float32)
    with np.errstate(all="ignore"):
        same(skpool.avg_pool, image)
        same(skpool.avg_pool, image, 3, stride=1)


def test_subnormal_numbers_are_kept():
    tiny = np.float32(1e-45)
    image = np.arange(-8, 8, dtype=np.float32).reshape(4, 4) * tiny
    for name in ("max", "min", "avg", "sum", "range"):
        same(skpool.pool, image, 2, name)
    same(skpool.max_pool, np.arange(1, 17, dtype=np.uint16).reshape(4, 4).view(np.float16))


# ---------------------------------------------------------------- few outputs, large windows


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize("name", FOLDED)
def test_windows_in_parts(name, dtype, cupy):
    image = image_of(generator(name, dtype), (67, 99), dtype)
    with np.errstate(all="ignore"):
        same(skpool.global_pool, image, name)
        assert len(cupy.log.launches) == 2
        same(skpool.adaptive_pool, image, (1, 2), name, mask=generator(0).random((67, 99)) < 0.5)
        cupy.log.backwards = True
        same(skpool.pool, image, (40, 30), name, stride=(25, 20), padding=10, nan_policy="omit")


@pytest.mark.parametrize("name", ["max", "avg"])
@pytest.mark.parametrize("channel_axis", [0, 1, -1])
def test_windows_in_parts_with_channels(name, channel_axis):
    image = np.moveaxis(image_of(generator(name), (60, 41, 3), "float64"), -1, channel_axis)
    same(skpool.global_pool, image, name, channel_axis=channel_axis, nan_policy="omit")
    same(skpool.global_pool, image, name, keepdims=True, channel_axis=channel_axis)


def test_indices_of_windows_in_parts():
    image = np.zeros((70, 80), np.uint8)
    image[[40, 3, 60], [5, 70, 79]] = 9
    same(skpool.global_pool, image, "max", return_indices=True)
    same(skpool.pool, image[None], (1, 50, 40), "min", padding=((0, 0), (5, 5), (5, 5)), return_indices=True)


# ---------------------------------------------------------------- windows placed otherwise


@pytest.mark.parametrize("bins", ["overlap", "disjoint"])
@pytest.mark.parametrize("outputs", [3, (None, 4), (12, 20)])
@pytest.mark.parametrize("name", ["avg", "max", *SORTED[:1]])
def test_adaptive(name, outputs, bins):
    same(skpool.adaptive_pool, image_of(generator(name), (10, 13), "float32"), outputs, name, bins=bins)


@pytest.mark.parametrize("outputs", [3, (None, 4), (12, 20), 1, (9, 11)])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint64", "float16", "float32", "float64"])
def test_areas(dtype, outputs, cupy):
    rng = generator("areas", dtype, outputs)
    for axis, nan_policy in ((None, "propagate"), (0, "omit"), (-1, "propagate")):
        cupy.log.backwards = axis is None
        image = image_of(rng, (9, 11) if axis is None else (9, 11, 3), dtype)
        image = image if axis is None else np.moveaxis(image, -1, axis)
        keywords = {"bins": "area", "channel_axis": axis, "nan_policy": nan_policy, "min_count": 2}
        with np.errstate(all="ignore"):
            same(skpool.adaptive_avg_pool, image, outputs, **keywords)
            same(skpool.adaptive_avg_pool, image, outputs, mask=rng.random((9, 11)) < 0.7, dtype="float32", **keywords)
    same(skpool.adaptive_avg_pool, np.zeros((0, 4), dtype), 2, bins="area")


@pytest.mark.parametrize("outputs", [(2, 3, 4), (None, 3, 4), (2, None, 12), (9, 3, None)])
def test_areas_of_volumes(outputs, cupy):
    image = LAYOUTS["strided"](image_of(generator("volumes", outputs), (6, 7, 8), "float32"))
    mask = generator(outputs).random(image.shape) < 0.6
    cupy.log.backwards = True
    with np.errstate(all="ignore"):
        same(skpool.adaptive_avg_pool, image, outputs, bins="area", nan_policy="omit")
        same(skpool.adaptive_avg_pool, image, outputs, bins="area", mask=mask)
        expected = skpool.adaptive_avg_pool(image, outputs, bins="area")
    out = on_device(np.zeros((*expected.shape, 2), np.float32))[..., 1]
    assert skpool.adaptive_avg_pool(on_device(image), outputs, bins="area", out=out) is out
    same_bits(out, expected)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"])
def test_whole_images_with_weights(dtype, axis):
    rng = generator("global weights", dtype, axis)
    for shape, block in (((40, 31), 2**16), ((130, 70), 2**10), ((0, 4), 2**16)):
        image = image_of(rng, shape if axis is None else (*shape, 3), dtype)
        image = image if axis is None else np.moveaxis(image, -1, axis)
        weights = rng.random(shape) * (rng.random(shape) < 0.9)
        for nan_policy, mask in (("propagate", None), ("omit", rng.random(shape) < 0.9)):
            keywords = {"channel_axis": axis, "nan_policy": nan_policy}
            with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
                patch.setattr(adaptive, "_BLOCK", block)
                expected = skpool.global_avg_pool(image, weights=weights, mask=mask, **keywords)
                arrays = {"weights": on_device(weights), "mask": on_device(mask)}
                found = skpool.global_avg_pool(on_device(image), **arrays, **keywords)
            same_bits(found, np.asarray(expected))


@pytest.mark.parametrize("overlapping", [False, True])
def test_fractional(overlapping):
    image = image_of(generator("fractional"), (23, 31, 2), "float32")
    keywords = {"rng": 3, "overlapping": overlapping, "return_indices": True, "channel_axis": -1}
    same(skpool.fractional_max_pool, image, ratio=1.5, **keywords)


@pytest.mark.parametrize("mode", ["ignore", "constant", "reflect"])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32"])
def test_pixels_with_weights(dtype, mode, cupy):
    """Also of subnormal numbers, which CuPy's own kernels lose."""
    rng = generator("image weights", dtype, mode)
    image = image_of(rng, (9, 11, 3), dtype)
    if dtype == "float32":
        image[:2] = rng.integers(1, 9, (2, 11, 3)).astype("uint32").view("float32")
    weights = rng.random((9, 11)) * (rng.random((9, 11)) < 0.8)
    taps = [[1, 2, 1], [0, 3, -1]]
    for number, given in enumerate((weights, weights[..., None] * [1, 2, 0], weights > 0.5)):
        keywords = {"mode": mode, "padding": ((0, 1), (1, 1)), "stride": 2, "channel_axis": -1, "min_count": number + 1}
        keywords |= {"nan_policy": ("propagate", "omit")[number % 2]}
        mask = rng.random((9, 11)) < 0.8 if number else None
        expected = skpool.weighted_avg_pool(image, taps, image_weights=given, mask=mask, **keywords)
        arrays = {"image_weights": on_device(given), "mask": on_device(mask)}
        cupy.log.clear()
        found = skpool.weighted_avg_pool(on_device(image), taps, **arrays, **keywords)
        assert cupy.log.waits == 1
        same_bits(found, expected)
    with pytest.raises(ValueError, match="`image_weights` must be finite and >= 0"):
        skpool.weighted_avg_pool(on_device(image), taps, image_weights=on_device(-weights), channel_axis=-1)
    if np.dtype(dtype).kind == "f":
        image[8, 10, 2] = np.nan  # in no window
        with pytest.raises(ValueError, match="must not have NaN where it counts"):
            skpool.weighted_avg_pool(
                on_device(image),
                taps,
                image_weights=on_device(weights),
                channel_axis=-1,
                ceil_mode=False,
                nan_policy="raise",
            )
    with pytest.raises(TypeError, match="`image_weights` must be on the device of `image`, got ndarray"):
        skpool.weighted_avg_pool(on_device(image), taps, image_weights=weights, channel_axis=-1)


@pytest.mark.parametrize("rule", ["adaptive", "he2014"])
@pytest.mark.parametrize("weights", [None, "matching"])
def test_spatial_pyramids(rule, weights):
    image = image_of(generator(rule), (17, 14, 3), "float64")
    same(skpool.spatial_pyramid_pool, image, (1, 2, 4), "avg", rule=rule, weights=weights, channel_axis=-1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32"])
@pytest.mark.parametrize("reduction", ["avg", "max", "range", "sum", "count", "std"])
@pytest.mark.parametrize("recursive", [None, False])
def test_pyramids(reduction, dtype, recursive):
    image = image_of(generator(reduction, dtype), (37, 26), dtype)
    with np.errstate(all="ignore"):
        same(skpool.pool_pyramid, image, reduction=reduction, recursive=recursive)
        mask = generator(1).random(image.shape) < 0.6
        same(skpool.pool_pyramid, image, 3, reduction=reduction, recursive=recursive, mask=mask, min_count=2)


# ---------------------------------------------------------------- arrays


def test_nothing_is_waited_for_but_nan(cupy):
    image = on_device(np.ones((40, 60), np.float32))
    skpool.max_pool(image)
    skpool.global_avg_pool(image)
    skpool.max_pool(image, nan_policy="omit", mask=on_device(np.ones((40, 60), bool)), return_indices=True)
    assert cupy.log.waits == 0
    skpool.max_pool(image, nan_policy="raise")
    assert cupy.log.waits == 1


#: Calls that may refuse NaN, by what looks for it.
REFUSING = {
    "windows": lambda image, **given: skpool.max_pool(image, 3, stride=1, padding=1, **given),
    "parts": lambda image, **given: skpool.global_pool(image, "max", **given),
    "order": lambda image, **given: skpool.median_pool(image, 3, stride=1, **given),
    "weights": lambda image, **given: skpool.weighted_avg_pool(image, [[1, 2], [4, 5]], stride=1, **given),
    "areas": lambda image, **given: skpool.adaptive_avg_pool(image, (3, 4), bins="area", **given),
    "corners": lambda image, **given: skpool.corner_pool(image, "top", **given),
}


@pytest.mark.parametrize("name", REFUSING)
def test_nan_raises_within_the_launches(name, cupy):
    image = image_of(generator("refusing"), (33, 40), "uint8").astype(np.float32)
    with_nan, mask = image.copy(), np.ones(image.shape, bool)
    with_nan[17, 20], mask[17, 20] = np.nan, False
    refusing, given = REFUSING[name], {"nan_policy": "raise"}
    cupy.log.clear()
    with pytest.raises(ValueError, match="must not have NaN where it counts"):
        refusing(on_device(with_nan), **given)
    assert len(cupy.log.launches) == (2 if name == "parts" else 1 + (name == "areas"))
    same(refusing, with_nan, mask=mask, **given)
    same(refusing, image, **given)


def test_nan_raises_where_it_counts():
    image = np.ones((4, 6), np.float32)
    image[0, 5] = np.nan
    with pytest.raises(ValueError, match="must not have NaN"):
        skpool.avg_pool(on_device(image), nan_policy="raise")
    mask = ~np.isnan(image)
    same(skpool.avg_pool, image, mask=mask, nan_policy="raise")
    same(skpool.avg_pool, image, (2, 4), padding="valid", nan_policy="raise")  # no window looks there


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_layouts(layout, dtype):
    image = LAYOUTS[layout](image_of(generator(layout), (9, 11), dtype))
    same(skpool.max_pool, image, return_indices=True)
    same(skpool.avg_pool, image, 3, stride=2)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0,), (2, 0, 3)])
def test_empty_images(shape, cupy):
    for name in COVERED:
        same(skpool.pool, np.zeros(shape, np.float32), 2, name, **required(name))
    assert set(launched(cupy)) <= {"fill"}


def test_windows_without_samples_have_the_fill_value():
    same(skpool.max_pool, np.zeros((1, 2), np.uint8), footprint=[[0, 0], [0, 1]], fill_value=7, return_indices=True)


def test_out(cupy):
    image = image_of(generator("out"), (8, 12), "float32")
    memory = on_device(np.zeros((8, 18), np.float16))
    out = memory[::2, ::3]
    assert skpool.avg_pool(on_device(image), out=out) is out
    same_bits(out, skpool.avg_pool(image, dtype=np.float16))
    assert not memory.get()[1::2].any()
    pair = on_device(np.zeros((4, 6), np.float32)), on_device(np.zeros((4, 6), np.int64))
    assert skpool.max_pool(on_device(image), out=pair, return_indices=True)[1] is pair[1]
    for one, other in zip(pair, skpool.max_pool(image, return_indices=True), strict=True):
        same_bits(one, other)
    out = on_device(np.zeros(3, np.float32))
    rgb = image.reshape(8, 4, 3)
    assert skpool.global_max_pool(on_device(rgb), channel_axis=-1, out=out) is out
    same_bits(out, skpool.global_max_pool(rgb, channel_axis=-1))


@pytest.mark.parametrize(
    ("error", "message", "keywords"),
    [
        (TypeError, "must be a CuPy array, got ndarray", lambda array: {"out": np.zeros((4, 6))}),
        (ValueError, "must have shape", lambda array: {"out": on_device(np.zeros((4, 5)))}),
        (ValueError, "must not share memory", lambda array: {"out": array[:4, :6]}),
        (TypeError, "must be on the device of `image`", lambda array: {"mask": np.ones((8, 12), bool)}),
        (TypeError, "must be boolean", lambda array: {"mask": array}),
        (ValueError, "must have the shape of the image", lambda array: {"mask": on_device(np.ones((8, 1), bool))}),
        (ValueError, "must be None or an integer >= 1", lambda array: {"workers": 0}),
        (TypeError, "is not a parameter of reduction", lambda array: {"p": 2}),
    ],
)
def test_errors(error, message, keywords):
    array = on_device(np.ones((8, 12)))
    with pytest.raises(error, match=message):
        skpool.max_pool(array, **keywords(array))


def test_complex_images_are_refused():
    with pytest.raises(TypeError, match="boolean, integer or floating point"):
        skpool.max_pool(on_device(np.ones((4, 4), complex)))


class OfInterface:
    """Another's array, by the array interface of CUDA."""

    def __init__(self, array):
        self.array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__


class OfDLPack:
    """Another's array, by DLPack."""

    def __init__(self, array):
        self.__dlpack__ = array.__dlpack__
        self.__dlpack_device__ = array.__dlpack_device__


@pytest.mark.parametrize("kind", [OfInterface, OfDLPack])
def test_arrays_of_others(kind):
    rng = generator("others")
    image, mask = image_of(rng, (8, 12), "float32")[:, ::-2], rng.random((8, 6)) < 0.7
    same_bits(skpool.max_pool(kind(on_device(image))), skpool.max_pool(image))
    found = skpool.avg_pool(kind(on_device(image)), mask=kind(on_device(mask)))
    same_bits(found, skpool.avg_pool(image, mask=mask))
    values, indices = skpool.max_pool(image, return_indices=True)
    found = skpool.max_unpool(kind(on_device(values)), kind(on_device(indices)), image.shape)
    same_bits(found, skpool.max_unpool(values, indices, image.shape))
    boxes = np.array([[0, 0, 4, 4], [1.5, 2, 5, 6]])
    same_bits(skpool.roi_align(kind(on_device(image)), kind(on_device(boxes)), 2), skpool.roi_align(image, boxes, 2))


@pytest.mark.parametrize("name", CAPTURED)
def test_calls_make_their_result_and_one_workspace(name, cupy):
    image = on_device(np.ones((40, 60), np.float32))
    CAPTURED[name](image)
    cupy.log.clear()
    results = CAPTURED[name](image)
    results = results if isinstance(results, tuple) else (results,)
    assert cupy.log.allocations <= len(results) + 1
    assert (cupy.log.uploads, cupy.log.waits) == (0, 0)
    assert 1 <= len(cupy.log.launches) <= 2


def test_cupy_is_not_imported_for_other_arrays(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    skpool.max_pool(np.ones((4, 4)))
    skpool.max_pool([[1, 2], [3, 4]])


def mapped(bytes_of_memory):
    """Zeros that take no memory until they are written, guarded as the stand-in's arrays are."""
    memory = np.frombuffer(mmap.mmap(-1, bytes_of_memory + 2 * standin.GUARD), np.uint8)
    memory[: standin.GUARD] = memory[-standin.GUARD :] = standin.GUARD_BYTE
    return memory


def of_memory(cupy, shape, strides):
    """An array of bytes, all 0, on the device, of a layout that spans gigabytes."""
    size = 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if cupy is not standin:
        return cupy.ndarray(shape, np.uint8, cupy.zeros(size, np.uint8).data, strides)
    memory = mapped(size)
    return standin.ndarray(np.ndarray(shape, np.uint8, memory, standin.GUARD, strides), memory)


def test_rows_further_apart_than_32_bits_tell(cupy):
    image, far = image_of(generator("far"), (3, 8), "uint8"), 2**31 + 64
    array, out = of_memory(cupy, (3, 8), (far, 1)), of_memory(cupy, (2, 4), (far, 2))
    array[...] = cupy.asarray(image)
    assert skpool.max_pool(array, out=out) is out
    same_bits(out, skpool.max_pool(image))
    same_bits(skpool.median_pool(array, 2), skpool.median_pool(image, 2))


def test_more_elements_than_32_bits_tell(cupy):
    length = 2**31 + 8
    array = of_memory(cupy, (2, length), (length, 1))
    array[1, length - 3] = 7
    values, indices = skpool.max_pool(array, (1, 8), stride=(1, 2**30), return_indices=True)
    assert values.get().tolist() == [[0, 0, 0], [0, 0, 7]]
    assert indices.get().tolist() == [[0, 2**30, 2**31], [length, length + 2**30, 2 * length - 3]]


# ---------------------------------------------------------------- what is not there


@pytest.mark.parametrize("family", ["{}_pool", "adaptive_{}_pool", "global_{}_pool"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_the_families_of_the_registry(name, family):
    function = getattr(skpool, family.format(name))
    image = np.random.default_rng(0).integers(0, 5, (4, 4)).astype(np.uint8)
    arguments = (2,) if family.startswith("adaptive") else ()
    if name in COVERED:
        same(function, image, *arguments, **required(name))
    else:
        with pytest.raises(NotImplementedError, match=rf"skpool\.{name}_pool\(image\.get\(\)"):
            function(on_device(image), *arguments, **required(name))


def test_the_registry_the_cpu_and_the_sources_have_the_same_names():
    assert (
        set(gpu.COVERED)
        == set(REDUCTIONS)
        == set(cpu._RECIPES) - {"weighted_avg"} | set(gpu.MAPPED) - {"largest_magnitude"}
    )
    plans = [sliding_plan((8, 8), np.dtype("float32"), name, window_shape=2, **required(name)) for name in REDUCTIONS]
    used = {re.search(r"<skpool::(\w+)<", gpu.kernels_of(plan).names[0])[1] for plan in plans}
    used |= {*gpu.MAPPED.values(), *gpu.ORDERED.values(), "ArgMax", "ArgMin", "AvgOfSingles", "FoundMax"}
    text = "".join(path.read_text() for path in gpu.SOURCES.glob("*.cu*"))
    # Structs of one pixel type and, some of them, a result's: those that are named in kernels.
    named = re.findall(r"template <class Pixel(?:, class Natural)?> struct (\w+) : (?!Traits|Keys)", text)
    assert used <= {*re.findall(r"struct (\w+)", text)}
    assert {*named} - used <= {"Powers", "Mapped", "Count", "Averaged", "Center"}


def test_all_combinations_of_types_have_kernels():
    """Every plan that can be made has an expression, and the same one on every call."""
    for name, dtype, out in itertools.product(FOLDED, DTYPES, RESULTS):
        plan = pooling.plan_for(
            skpool.windows.Sliding,
            (2,),
            (8, 8),
            np.dtype(dtype),
            name,
            0,
            "propagate",
            1,
            None,
            None,
            out,
            **required(name),
        )
        assert gpu.kernels_of(plan).names == gpu.kernels_of(plan).names != ()
