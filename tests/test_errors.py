"""Bad input: the type of the error, that it names the parameter and the value, and that nothing else ever happens."""

import inspect
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import required

import skpool
from skpool.reductions import REDUCTIONS
from skpool.windows import PADDING_MODES

IMAGE = np.arange(24.0).reshape(4, 6)
IMAGE.flags.writeable = False
NAN, INF = math.nan, math.inf


def named(value):
    """A value as the name of a case: without its address, which differs from run to run."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def refuses(error, *parts, call=skpool.max_pool, image=IMAGE, **arguments):
    """Assert that a call raises just this error, and that its message has all `parts`."""
    with pytest.raises(error) as caught:
        call(image, **arguments)
    assert type(caught.value) is error
    message = str(caught.value)
    for part in parts:
        assert part in message, message


# ---------------------------------------------------------------- images


@pytest.mark.parametrize(
    "image",
    [
        np.ones((4, 4), complex),
        np.ones((4, 4), np.complex64),
        np.ones((4, 4), object),
        np.full((4, 4), None),
        np.full((4, 4), "a"),
        np.full((4, 4), b"a"),
        np.zeros((4, 4), "M8[s]"),
        np.zeros((4, 4), "m8[s]"),
        np.zeros((4, 4), [("x", float)]),
        np.zeros((4, 4), "V4"),
        "an image",
        b"an image",
        None,
        {"image": 1},
        {1, 2},
        object(),
        [[1j]],
    ],
    ids=lambda image: str(getattr(image, "dtype", type(image).__name__)),
)
@pytest.mark.parametrize("call", [skpool.max_pool, skpool.avg_pool, skpool.count_pool])
def test_images_of_other_kinds(call, image):
    refuses(TypeError, "`image`", call=call, image=image)


@pytest.mark.parametrize("image", [np.ones((4, 4), np.longdouble), np.ones((4, 4), np.clongdouble)])
def test_images_of_long_doubles(image):
    if image.dtype.itemsize > 8:
        refuses(TypeError, "`image`", str(image.dtype), image=image)


@pytest.mark.parametrize("image", [5, 1.5, True, np.float32(3), np.array(7)])
def test_images_without_axes(image):
    refuses(ValueError, "`image`", "0-d", image=image)


def test_ragged_images():
    with pytest.raises(ValueError, match=r"."):
        skpool.max_pool([[1, 2], [3]])


# ---------------------------------------------------------------- sizes

NOT_INTEGERS = [1.5, 2.0, True, False, np.True_, np.float64(2), None, "2", 2j, [2, 2.5], (2, "2"), [True, 2]]
BELOW_ONE = [0, -1, (2, 0), (-3, 2), np.int8(-1), -(2**70)]
WRONG_LENGTH = [(), (2,), (2, 2, 2), [1] * 50, [[]]]


@pytest.mark.parametrize("name", ["window_shape", "stride", "dilation"])
@pytest.mark.parametrize("value", NOT_INTEGERS, ids=named)
def test_sizes_that_are_no_integers(name, value):
    if value is not None or name == "dilation":  # elsewhere None is the default
        refuses(TypeError, f"`{name}`", **{name: value})


@pytest.mark.parametrize("name", ["window_shape", "stride", "dilation"])
@pytest.mark.parametrize("value", BELOW_ONE, ids=named)
def test_sizes_below_one(name, value):
    refuses(ValueError, f"`{name}`", ">= 1", repr(value), **{name: value})


@pytest.mark.parametrize("name", ["window_shape", "stride", "dilation"])
@pytest.mark.parametrize("value", WRONG_LENGTH, ids=named)
def test_sizes_for_another_number_of_axes(name, value):
    refuses(ValueError, f"`{name}`", "2 spatial axes", f"got {len(value)}", **{name: value})
    refuses(ValueError, "1 spatial axes", channel_axis=0, **{name: (2, 2)})


@pytest.mark.parametrize("value", [1.5, True, None, 2j, (1, 2.5), ((1, 2), (1, 2.0)), ((1, True), (0, 0))], ids=named)
def test_padding_that_is_no_integer(value):
    refuses(TypeError, "`padding`", padding=value)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        (-1, 0),
        ((0, -1), (0, 0)),
        "SAME",
        "full",
        "",
        (1, 2, 3),
        (1,),
        (),
        ((1, 1),),
        ((1, 1), (1, 1), (1, 1)),
        ((1, 1), 1),
        ((1, 1, 1), (1, 1, 1)),
        ((1,), (1,)),
        ("same", "same"),
        (((1, 1), (1, 1)), ((1, 1), (1, 1))),
    ],
    ids=named,
)
def test_padding_of_wrong_value_or_shape(value):
    with pytest.raises((TypeError, ValueError), match="`padding`"):
        skpool.max_pool(IMAGE, padding=value)
    if isinstance(value, str | int):
        refuses(ValueError, "`padding`", repr(value), padding=value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"window_shape": 5, "padding": "valid"},
        {"window_shape": (1, 7), "ceil_mode": False},
        {"window_shape": 3, "dilation": 2, "ceil_mode": False},
        {"window_shape": (9, 1), "stride": 1},
    ],
    ids=named,
)
def test_windows_that_fit_nowhere(arguments):
    refuses(ValueError, "`window_shape`", "must fit", "got a window of", **arguments)


# ---------------------------------------------------------------- names and switches


@pytest.mark.parametrize("value", ["zeros", "REFLECT", "", "mean", "linear_ramp"])
def test_modes(value):
    refuses(ValueError, "`mode`", repr(value), *map(repr, PADDING_MODES), mode=value)


@pytest.mark.parametrize("value", ["skip", "", "ignore"])
def test_nan_policies(value):
    refuses(ValueError, "`nan_policy`", repr(value), "'propagate'", "'omit'", "'raise'", nan_policy=value)


@pytest.mark.parametrize("value", ["maximum", "", "max_pool", "MAX"])
def test_reductions(value):
    refuses(ValueError, "`reduction`", repr(value), *map(repr, REDUCTIONS), call=skpool.pool, reduction=value)


@pytest.mark.parametrize("name", ["mode", "nan_policy", "reduction"])
@pytest.mark.parametrize("value", [None, 1, 1.5, True, b"max", np.max, ["max"], {}], ids=named)
def test_names_that_are_no_strings(name, value):
    refuses(TypeError, f"`{name}`", call=skpool.pool, **{name: value})


@pytest.mark.parametrize("name", ["ceil_mode", "return_indices"])
@pytest.mark.parametrize("value", [0, 1, None, "yes", 1.0, [True], np.array([True, False])], ids=named)
def test_switches(name, value):
    refuses(TypeError, f"`{name}`", "True or False", **{name: value})


def test_indices_of_other_reductions():
    for name, row in REDUCTIONS.items():
        if not row.indices:
            refuses(TypeError, "`return_indices`", repr(name), call=skpool.pool, reduction=name, return_indices=True)


# ---------------------------------------------------------------- axes, counts, fills


@pytest.mark.parametrize("value", [2, -3, 10, -(2**70), 2**70])
def test_channel_axis_out_of_range(value):
    refuses(ValueError, "`channel_axis`", str(value), channel_axis=value)


@pytest.mark.parametrize("value", [1.0, True, "last", (0,), [0, 1]], ids=named)
def test_channel_axis_of_wrong_kind(value):
    refuses(TypeError, "`channel_axis`", channel_axis=value)


def test_channel_axis_that_leaves_no_spatial_axis():
    refuses(ValueError, "spatial axis", "channel_axis", image=np.ones(5), channel_axis=0)


@pytest.mark.parametrize("value", [0, -1, -(2**70), 2**70])
def test_min_count_out_of_range(value):
    refuses(ValueError, "`min_count`", str(value), min_count=value)


@pytest.mark.parametrize("value", [1.0, True, None, "1", [1]], ids=named)
def test_min_count_of_wrong_kind(value):
    refuses(TypeError, "`min_count`", min_count=value)


@pytest.mark.parametrize("name", ["fill_value", "cval"])
@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", -1),
        ("uint8", 256),
        ("uint8", 0.5),
        ("uint8", NAN),
        ("int8", INF),
        ("bool", 2),
        ("bool", -1),
        ("int64", 2**63),
        ("uint64", 2**64),
        pytest.param("uint64", 10**400, id="uint64-10**400"),
        ("float16", 1e6),
        ("float32", 1e39),
    ],
)
def test_numbers_that_are_not_representable(name, dtype, value):
    refuses(ValueError, f"`{name}`", dtype, repr(value), image=np.ones((4, 4), dtype), **{name: value})


def test_zeros_of_both_signs_are_two_fill_values():
    image, nothing = np.ones((2, 2)), np.zeros((2, 2), bool)
    for zero in (0.0, -0.0, 0.0):
        assert math.copysign(1, skpool.max_pool(image, mask=nothing, fill_value=zero).item()) == math.copysign(1, zero)


def test_fill_value_is_of_the_result_and_cval_of_the_image():
    image = np.ones((4, 4), np.uint8)
    skpool.avg_pool(image, fill_value=0.5)
    skpool.avg_pool(image, fill_value=NAN)
    refuses(ValueError, "`fill_value`", call=skpool.avg_pool, image=image, fill_value=0.5, dtype="int8")
    refuses(ValueError, "`cval`", call=skpool.avg_pool, image=image, cval=0.5)


@pytest.mark.parametrize("name", ["fill_value", "cval"])
@pytest.mark.parametrize(
    "value", ["0", b"0", 1j, [0], np.zeros(3), {}, object(), np.max], ids=lambda value: type(value).__name__
)
def test_numbers_of_wrong_kind(name, value):
    refuses(TypeError, f"`{name}`", **{name: value})


# ---------------------------------------------------------------- masks


@pytest.mark.parametrize(
    "mask", [np.ones((4, 6)), np.ones((4, 6), np.uint8), [[1] * 6] * 4, 1, "mask", object()], ids=named
)
def test_masks_of_wrong_kind(mask):
    refuses(TypeError, "`mask`", "boolean", mask=mask)


@pytest.mark.parametrize("shape", [(), (4,), (6,), (6, 4), (4, 6, 1), (1, 6), (4, 1), (0, 0)])
def test_masks_of_wrong_shape(shape):
    refuses(ValueError, "`mask`", "(4, 6)", str(shape), mask=np.ones(shape, bool))
    refuses(
        ValueError,
        "`mask`",
        "spatial axes",
        str(shape),
        image=np.ones((4, 6, 5)),
        mask=np.ones(shape, bool),
        channel_axis=2,
    )


# ---------------------------------------------------------------- dtype and out


@pytest.mark.parametrize("dtype", ["complex64", object, "U3", "M8[s]", np.void, "V8"], ids=str)
def test_result_types_of_other_kinds(dtype):
    refuses(TypeError, "`dtype`", dtype=dtype)


def test_long_double_results():
    if np.dtype(np.longdouble).itemsize > 8:
        refuses(TypeError, "`dtype`", dtype=np.longdouble)


@pytest.mark.parametrize("dtype", ["no such type", 5, "f7", [1], {"a": 1}], ids=named)
def test_results_of_no_type(dtype):
    refuses(TypeError, "`dtype`", dtype=dtype)


def read_only(shape):
    array = np.zeros(shape)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("error", "out", "parts"),
    [
        (TypeError, [[0.0] * 3] * 2, ["list"]),
        (TypeError, 5, ["int"]),
        (TypeError, "out", ["str"]),
        (TypeError, np.ma.zeros((2, 3)), ["MaskedArray"]),
        (TypeError, np.float64(1), ["float64"]),
        (TypeError, (np.zeros((2, 3)), np.zeros((2, 3), np.int64)), ["tuple"]),
        (TypeError, np.zeros((2, 3), complex), ["complex"]),
        (TypeError, np.zeros((2, 3), object), ["object"]),
        (ValueError, np.zeros((3, 2)), ["(2, 3)", "(3, 2)"]),
        (ValueError, np.zeros((2, 3, 1)), ["(2, 3)", "(2, 3, 1)"]),
        (ValueError, np.zeros(6), ["(2, 3)", "(6,)"]),
        (ValueError, np.zeros(()), ["(2, 3)", "()"]),
        (ValueError, read_only((2, 3)), ["writable"]),
        (ValueError, np.lib.stride_tricks.as_strided(np.zeros(3), (2, 3), (0, 8)), ["(0, 8)"]),
        (ValueError, np.lib.stride_tricks.as_strided(np.zeros(2), (2, 3), (8, 0)), ["(8, 0)"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_out_that_cannot_hold_the_result(error, out, parts):
    refuses(error, "out", *parts, out=out)


def test_out_and_dtype_that_contradict():
    refuses(ValueError, "`dtype`", "float32", "float64", out=np.zeros((2, 3)), dtype=np.float32)


def test_out_that_overlaps_an_input():
    image = np.ones((4, 6))
    mask = np.ones((4, 6), bool)
    for out in (image[:2, :3], image[2:, 3:], image[::2, ::2], image.T[:3, :2].T):
        refuses(ValueError, "`out`", "share memory", image=image, out=out)
    within = mask.reshape(-1)[:6].reshape(2, 3)
    refuses(ValueError, "`out`", "share memory", image=np.ones((4, 6), bool), out=within, mask=mask)
    masked = np.ma.MaskedArray(np.ones((4, 6)), np.zeros((4, 6), bool))
    refuses(ValueError, "`out`", "share memory", image=masked, out=masked.data[:2, :3])


@pytest.mark.parametrize(
    ("error", "out", "part"),
    [
        (TypeError, np.zeros((2, 3)), "pair"),
        (TypeError, (np.zeros((2, 3)),), "pair"),
        (TypeError, (np.zeros((2, 3)),) * 3, "pair"),
        (TypeError, 1, "pair"),
        (TypeError, "ab", "pair"),
        (TypeError, (np.zeros((2, 3)), None), "out[1]"),
        (TypeError, (None, np.zeros((2, 3), np.int64)), "out"),
        (TypeError, (np.zeros((2, 3)), [[0] * 3] * 2), "out"),
        (ValueError, (np.zeros((2, 3)), np.zeros((3, 2), np.int64)), "out[1]"),
        (ValueError, (np.zeros((2, 3)), np.zeros((2, 3), np.int32)), "out[1]"),
        (ValueError, (np.zeros((2, 3)), np.zeros((2, 3))), "out[1]"),
        (ValueError, (np.zeros((2, 3)), np.broadcast_to(np.int64(0), (2, 3))), "out[1]"),
        (ValueError, (np.zeros((3, 3)), np.zeros((2, 3), np.int64)), "`out"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_pairs_that_cannot_hold_the_results(error, out, part):
    refuses(error, part, return_indices=True, out=out)


def test_a_pair_that_overlaps():
    memory = np.zeros((2, 3), np.int64)
    image = np.ones((4, 6), np.int64)
    refuses(ValueError, "share memory", image=image, return_indices=True, out=(memory, memory))
    refuses(ValueError, "out[1]", "share memory", image=image, return_indices=True, out=(memory, image[:2, :3]))


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nan_under_raise(reduction):
    image = IMAGE.copy()
    image[1, 1] = NAN
    refuses(
        ValueError,
        "NaN",
        "`nan_policy`",
        "raise",
        call=skpool.pool,
        image=image,
        reduction=reduction,
        nan_policy="raise",
        **required(reduction),
    )


def test_nothing_is_written_before_an_error():
    out = np.full((2, 3), 7.0)
    image = IMAGE.copy()
    image[1, 1] = NAN
    refuses(ValueError, "NaN", image=image, nan_policy="raise", out=out)
    refuses(ValueError, "`mask`", mask=np.ones(3, bool), out=out)
    refuses(TypeError, "`workers`", workers=1.5, out=out)
    assert (out == 7).all()


# ---------------------------------------------------------------- workers and unknown keywords


@pytest.mark.parametrize("value", [0, -1, -(2**70)])
def test_workers_below_one(value):
    refuses(ValueError, "`workers`", str(value), workers=value)


@pytest.mark.parametrize("value", [1.5, 2.0, True, "2", [2], NAN, {}], ids=named)
def test_workers_of_wrong_kind(value):
    refuses(TypeError, "`workers`", repr(value), workers=value)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_keywords_that_a_reduction_does_not_take(name):
    for call, own in ((skpool.pool, {"reduction": name}), (getattr(skpool, f"{name}_pool"), {})):
        for keyword in ("block_size", "kernel_size", "q_of_nothing", "func", "axis"):
            refuses(
                TypeError,
                f"`{keyword}`",
                name,
                *map("`{}`".format, REDUCTIONS[name].parameters),
                call=call,
                **own,
                **{keyword: 1},
            )
    foreign = {parameter for row in REDUCTIONS.values() for parameter in row.parameters} - set(
        REDUCTIONS[name].parameters
    )
    for keyword in foreign:
        refuses(TypeError, f"`{keyword}`", name, call=skpool.pool, reduction=name, **{keyword: 2})


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_named_function_has_a_name_already(name):
    with pytest.raises(TypeError, match="reduction"):
        getattr(skpool, f"{name}_pool")(IMAGE, reduction="max")


def test_options_are_keywords():
    for call in (skpool.max_pool, skpool.avg_pool):
        with pytest.raises(TypeError, match="positional"):
            call(IMAGE, 2, 2)
    with pytest.raises(TypeError, match="positional"):
        skpool.pool(IMAGE, 2, "max", 2)
    with pytest.raises(TypeError, match="image"):
        skpool.max_pool()


# ---------------------------------------------------------------- parameters of reductions

PARAMETERS = [(name, parameter) for name, row in REDUCTIONS.items() for parameter in row.parameters]


@pytest.mark.parametrize(
    "value",
    ["2", b"2", [2], (2,), 2j, True, np.True_, np.zeros(2), {}, object()],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameters_of_wrong_kind(name, parameter, value):
    kind = REDUCTIONS[name].parameters[parameter].kind
    if (kind == "str" and isinstance(value, str)) or (kind == "pixel" and isinstance(value, bool | np.bool_)):
        return
    refuses(TypeError, f"`{parameter}`", call=skpool.pool, reduction=name, **required(name) | {parameter: value})


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameters_that_may_not_be_none(name, parameter):
    if REDUCTIONS[name].parameters[parameter].default is not None:
        refuses(TypeError, f"`{parameter}`", call=skpool.pool, reduction=name, **required(name) | {parameter: None})


@pytest.mark.parametrize("value", [0, -1, NAN, INF, -INF, -0.0])
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameters_that_break_their_rule(name, parameter, value):
    row = REDUCTIONS[name].parameters[parameter]
    if row.kind != "float":
        return
    if row.obeys(float(value)):
        skpool.pool(IMAGE, 2, name, **required(name) | {parameter: value})
    else:
        refuses(
            ValueError,
            f"`{parameter}`",
            row.rule,
            repr(float(value)),
            call=skpool.pool,
            reduction=name,
            **required(name) | {parameter: value},
        )


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_words_that_are_none_of_those(name, parameter):
    row = REDUCTIONS[name].parameters[parameter]
    if row.kind != "str":
        return
    for value in ("", "smallest ", "Average", "none of them"):
        refuses(
            ValueError, f"`{parameter}`", row.rule, repr(value), call=skpool.pool, reduction=name,
            **required(name) | {parameter: value},
        )  # fmt: skip


REFUSED = [
    *[("percentile", "q", value) for value in (-0.1, 100.5, NAN, INF)],
    *[("trimmed_mean", "proportion", value) for value in (-0.1, 0.5, NAN, INF)],
    *[("rank", "decay", value) for value in (0, 1.5, NAN)],
    *[(name, "p", value) for name in ("lp", "power_mean", "gem") for value in (0, -1, NAN)],
    *[("gem", "eps", value) for value in (0, -1e-6, NAN, INF)],
    ("gem", "p", INF),
    *[(name, "ddof", value) for name in ("var", "std") for value in (-1, NAN, INF)],
    *[("soft", "temperature", value) for value in (0, NAN, INF)],
    *[("logsumexp", "sharpness", value) for value in (0, NAN, INF)],
    *[("avg", "divisor", value) for value in (0, 0.0, NAN, INF)],
]


@pytest.mark.parametrize(("name", "parameter", "value"), REFUSED)
def test_refused_parameters(name, parameter, value):
    given = required(name) | {parameter: value}
    refuses(ValueError, f"`{parameter}`", repr(float(value)), call=skpool.pool, reduction=name, **given)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameters_too_large_for_a_float(name, parameter):
    for value in (10**400, -(10**400)):
        with pytest.raises((TypeError, ValueError), match=f"`{parameter}`"):
            skpool.pool(IMAGE, 2, name, **required(name) | {parameter: value})


# ---------------------------------------------------------------- sizes without pooling


@pytest.mark.parametrize("call", [skpool.pooled_shape, skpool.pooled_coords])
def test_shapes(call):
    refuses(TypeError, "`shape`", call=call, image=5)
    refuses(TypeError, "`shape`", call=call, image="45")
    refuses(TypeError, "`shape`", call=call, image=(4, 5.0))
    refuses(TypeError, "`shape`", call=call, image=(4, True))
    refuses(ValueError, "`shape`", call=call, image=(4, -5))
    refuses(ValueError, "`image`", call=call, image=())
    refuses(ValueError, "`window_shape`", call=call, image=(4, 5), window_shape=0)
    refuses(ValueError, "`window_shape`", call=call, image=(4, 5), window_shape=9, ceil_mode=False)
    refuses(ValueError, "`channel_axis`", call=call, image=(4, 5), channel_axis=2)


# ---------------------------------------------------------------- absurd sizes neither hang nor crash

HUGE = [2**31 - 1, 2**31, 2**32, 2**40, 2**63 - 1, 2**63, 2**64, 2**100]


def outcome(call, *positional, **arguments):
    """What a call returns or raises."""
    try:
        return call(*positional, **arguments)
    except Exception as error:
        return error


IN_LITTLE_MEMORY = """
import json, resource, sys
import numpy as np
import skpool

resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
image = np.arange(4.0).reshape(2, 2)
for arguments in json.load(sys.stdin):
    try:
        result = skpool.pool(image, workers=1, **arguments)
    except MemoryError:
        pass
    except ValueError as error:
        named = [name for name in arguments if f"`{name}`" in str(error)]
        assert named or "must fit" in str(error) or "memory" in str(error), error
    else:
        assert result.size < 2**24, arguments
print("survived")
"""


def survives(calls):
    """Make calls on a small image with 4 GiB of memory: they return, or say what is wrong."""
    result = subprocess.run(
        [sys.executable, "-P", "-c", IN_LITTLE_MEMORY],
        env=os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.stdout == "survived\n", result.stderr


needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does it")


@needs_limits
@pytest.mark.parametrize("name", ["window_shape", "stride", "dilation", "min_count"])
def test_huge_sizes(name):
    others = ({}, {"padding": 1}, {"padding": "same"}, {"mode": "wrap", "padding": 2}, {"stride": 1})
    survives(
        [
            {"window_shape": 2, "reduction": reduction} | other | {name: value}
            for reduction in ("max", "avg", "soft")
            for other in others
            for value in HUGE
        ]
    )


@needs_limits
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_huge_padding(mode):
    survives(
        [
            {"window_shape": 2, "mode": mode, "padding": padding, "stride": stride}
            for value in (10**6, *HUGE)
            for padding in (value, ((value, 0), (0, 0)), ((0, 0), (0, value)), ((value, value), (0, 0)))
            for stride in (None, value, (value, 1), (1, value))
        ]
    )


@pytest.mark.parametrize("workers", HUGE)
def test_huge_workers(workers):
    np.testing.assert_array_equal(skpool.max_pool(IMAGE, workers=workers), IMAGE[1::2, 1::2])


def test_windows_as_large_as_the_image():
    image = np.ones((300, 400), np.uint8)
    for name in REDUCTIONS:
        whole, larger = (skpool.pool(image, window, name, **required(name)) for window in ((300, 400), 2**31 - 1))
        np.testing.assert_array_equal(whole, larger)


# ---------------------------------------------------------------- garbage

NUMBERS = (
    st.integers(-3, 9)
    | st.sampled_from([2**31 - 1, 2**31, 2**40, 2**63, -(2**63), 10**30])
    | st.floats()
    | st.booleans()
    | st.complex_numbers()
    | st.sampled_from([np.int8(3), np.uint64(2), np.float32(1.5), np.True_, np.datetime64("2000"), np.str_("a")])
)
THINGS = (
    NUMBERS
    | st.none()
    | st.text(max_size=4)
    | st.binary(max_size=3)
    | st.sampled_from(
        [*REDUCTIONS, *PADDING_MODES, "same", "valid", "omit", "raise", object(), max, ..., slice(2), type]
    )
)
GARBAGE = st.recursive(
    THINGS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.sets(st.integers(), max_size=3)
        | st.lists(st.integers(0, 5), max_size=4).map(np.array)
    ),
    max_leaves=6,
)
SENSIBLE = {
    "window_shape": st.integers(1, 4) | st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "stride": st.none() | st.integers(1, 4),
    "padding": st.integers(0, 4) | st.sampled_from(["same", "same_lower", "valid"]),
    "dilation": st.integers(1, 3),
    "ceil_mode": st.booleans(),
    "mode": st.sampled_from(sorted(PADDING_MODES)),
    "cval": st.sampled_from([0, 1, -1, NAN]),
    "nan_policy": st.sampled_from(["propagate", "omit", "raise"]),
    "min_count": st.integers(1, 5),
    "fill_value": st.none() | st.sampled_from([0, 1, NAN]),
    "channel_axis": st.none() | st.integers(-2, 1),
    "dtype": st.sampled_from([None, "uint8", "float32", bool]),
    "workers": st.none() | st.integers(1, 3),
    "mask": st.none() | st.just(np.ones((5, 6), bool)),
    "reduction": st.sampled_from(sorted(REDUCTIONS)),
}
IMAGES = st.sampled_from(
    [
        np.arange(30.0).reshape(5, 6),
        np.eye(5, 6, dtype=bool),
        np.full((5, 6), NAN),
        np.zeros((0, 6)),
        np.ones((5, 6, 2), "i1"),
    ]
)

robust = settings(
    max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def assert_returns_or_refuses(call, *positional, **arguments):
    """Nothing but TypeError and ValueError, or MemoryError for the absurd."""
    result = outcome(call, *positional, **arguments)
    assert result is not None
    if isinstance(result, Exception):
        assert type(result) in (TypeError, ValueError, MemoryError), repr(result)
        assert str(result)


@given(IMAGES, st.fixed_dictionaries({}, optional=SENSIBLE), st.sampled_from(sorted(SENSIBLE)), GARBAGE)
@robust
def test_one_argument_of_garbage(image, arguments, name, garbage):
    assert_returns_or_refuses(skpool.pool, image, **arguments | {name: garbage})


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*SENSIBLE, "out", "return_indices", "p", "eps"], GARBAGE)))
@robust
def test_all_arguments_of_garbage(arguments):
    assert_returns_or_refuses(skpool.pool, IMAGE, **arguments)


@given(GARBAGE, st.sampled_from(sorted(REDUCTIONS)))
@robust
def test_an_image_of_garbage(image, name):
    assert_returns_or_refuses(getattr(skpool, f"{name}_pool"), image, 1)


@given(st.sampled_from(PARAMETERS), GARBAGE)
@robust
def test_a_parameter_of_garbage(row, garbage):
    name, parameter = row
    assert_returns_or_refuses(skpool.pool, IMAGE, 2, name, **{parameter: garbage})


@given(
    GARBAGE,
    st.fixed_dictionaries(
        {}, optional={name: GARBAGE for name in inspect.signature(skpool.pooled_shape).parameters if name != "shape"}
    ),
)
@robust
def test_geometry_of_garbage(shape, arguments):
    assert_returns_or_refuses(skpool.pooled_shape, shape, **arguments)


def test_messages_name_one_parameter_first():
    """A message begins with the parameter in backquotes, for all that the tables above have seen."""
    with pytest.raises(ValueError, match=r"^`window_shape` must be >= 1 along every axis, got \(2, 0\)$"):
        skpool.max_pool(IMAGE, (2, 0))
    with pytest.raises(ValueError, match=r"`window_shape` must be <= 2147483647 along every axis, got"):
        skpool.max_pool(IMAGE, (2, 2**40))
    with pytest.raises(ValueError, match=r"^`min_count` must be >= 1, got 0$"):
        skpool.max_pool(IMAGE, min_count=0)
    with pytest.raises(TypeError, match=r"^`window_shape` must be an integer, got 2.0 of type float$"):
        skpool.max_pool(IMAGE, 2.0)
    with pytest.raises(ValueError, match=re.escape("`channel_axis` must be from -2 to 1 for 2 axes, got 5")):
        skpool.max_pool(IMAGE, channel_axis=5)
