"""What holds for every image: properties, by hypothesis."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plans import PLAIN_REDUCTIONS, sliding_plan

import skpool
from skpool.windows import PADDING_MODES

relaxed = settings(max_examples=80, deadline=None, derandomize=True, database=None)

INTEGERS = hnp.boolean_dtypes() | hnp.integer_dtypes(endianness="=") | hnp.unsigned_integer_dtypes(endianness="=")
FLOATS = hnp.floating_dtypes(sizes=(16, 32, 64), endianness="=")
REDUCTION = st.sampled_from(sorted(PLAIN_REDUCTIONS))
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=9)


def values_of(dtype):
    """Any integer; floats of either sign, far from overflow."""
    if dtype.kind == "f":
        return hnp.from_dtype(dtype, allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000)
    return hnp.from_dtype(dtype)


@st.composite
def images(draw, dtypes=INTEGERS | FLOATS, shapes=SHAPES, elements=values_of):
    dtype = np.dtype(draw(dtypes))
    return draw(hnp.arrays(dtype, shapes, elements=elements(dtype)))


@st.composite
def geometries(draw, ndim, modes=tuple(PADDING_MODES)):
    """Arguments of `pool` for `ndim` spatial axes."""

    def sizes(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    return {
        "window_shape": sizes(1, 4),
        "stride": sizes(1, 4),
        "dilation": sizes(1, 2),
        "padding": draw(
            st.sampled_from(["same", "same_lower"])
            | st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * ndim)
        ),
        "mode": draw(st.sampled_from(modes)),
        "ceil_mode": draw(st.booleans()),
    }


@st.composite
def problems(draw, **of_images):
    """An image, and arguments of `pool` with which at least one window fits."""
    image = draw(images(**of_images))
    arguments = draw(geometries(image.ndim))
    try:
        sliding_plan(image.shape, image.dtype, "max", **arguments)
    except ValueError:
        assume(False)
    return image, arguments


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# ---------------------------------------------------------------- values


@given(problems())
@relaxed
def test_maximum_average_minimum(problem):
    image, arguments = problem
    low, average, high = (
        skpool.pool(image, reduction=name, **arguments).astype(np.float64) for name in ("min", "avg", "max")
    )
    counted = skpool.count_pool(image, **arguments) > 0
    ulp = np.spacing(np.abs(average.astype(np.float32) if image.dtype in (np.float16, np.float32) else average))
    assert (low - ulp <= average)[counted].all()
    assert (average <= high + ulp)[counted].all()


@given(problems(), st.sampled_from(["power_mean", "gem", "logsumexp", "soft"]))
@relaxed
def test_means_lie_between_the_extremes(problem, name):
    image, arguments = problem
    if name == "power_mean":
        image = np.abs(image.astype(np.float64))
    if name == "gem":
        image = np.maximum(image.astype(np.float64), 1e-3)
    mean = skpool.pool(image, reduction=name, **arguments | {"mode": "ignore"})
    low, high = (skpool.pool(image, reduction=name, **arguments | {"mode": "ignore"}) for name in ("min", "max"))
    slack = 1e-6 * max(1.0, np.abs(image.astype(np.float64)).max())
    counted = ~np.isnan(mean)
    assert (low.astype(np.float64) - slack <= mean)[counted].all()
    assert (mean <= high.astype(np.float64) + slack)[counted].all()


#: What a window of one sample gives, as float64.
OF_ONE_SAMPLE = {
    **dict.fromkeys(("max", "min", "avg", "sum", "logsumexp", "soft"), lambda image: image),
    **dict.fromkeys(("lp", "power_mean"), np.abs),
    **dict.fromkeys(("range", "var", "std"), np.zeros_like),
    "gem": lambda image: np.maximum(image, 1e-6),
    "count": np.ones_like,
}


@given(images(), st.sampled_from(sorted(OF_ONE_SAMPLE)))
@relaxed
def test_a_window_of_one_sample(image, name):
    pooled = skpool.pool(image, 1, name)
    if pooled.dtype.kind == "f":
        expected = OF_ONE_SAMPLE[name](image.astype(np.float64))
        np.testing.assert_allclose(pooled, expected, rtol=16 * np.finfo(pooled.dtype).eps, atol=1e-300)
    else:
        expected = OF_ONE_SAMPLE[name](image)
        np.testing.assert_array_equal(pooled, expected)


#: What ``count`` samples of 2.5 give.
OF_EQUAL_SAMPLES = {
    **dict.fromkeys(("max", "min", "avg", "power_mean", "gem", "logsumexp", "soft"), lambda count: count * 0 + 2.5),
    **dict.fromkeys(("range", "var", "std"), lambda count: count * 0),
    "sum": lambda count: 2.5 * count,
    "lp": lambda count: 2.5 * np.sqrt(count),
    "count": lambda count: count,
}


@given(problems(dtypes=FLOATS), st.sampled_from(sorted(OF_EQUAL_SAMPLES)))
@relaxed
def test_equal_samples(problem, name):
    image, arguments = problem
    image, arguments = np.full_like(image, 2.5), arguments | {"mode": "edge"}
    count = skpool.count_pool(image, **arguments)
    pooled = skpool.pool(image, reduction=name, **arguments)
    np.testing.assert_allclose(pooled, OF_EQUAL_SAMPLES[name](count), rtol=1e-6)


@given(problems())
@relaxed
def test_the_sum_of_ones_counts(problem):
    image, arguments = problem
    mask = image.astype(bool)
    for own in ({}, {"mask": mask}):
        count = skpool.count_pool(image, **arguments, **own)
        np.testing.assert_array_equal(
            skpool.sum_pool(np.ones_like(image), **arguments, **own, cval=1, fill_value=0), count
        )
        ones = skpool.avg_pool(np.ones_like(image), **arguments, **own, cval=1, fill_value=1)
        np.testing.assert_array_equal(ones, np.ones(ones.shape))


@given(problems())
@relaxed
def test_the_average_is_the_sum_by_the_count(problem):
    image, arguments = problem
    total, average, count = (
        skpool.pool(image.astype(np.float64), reduction=name, **arguments) for name in ("sum", "avg", "count")
    )
    np.testing.assert_array_equal(average[count > 0], (total[count > 0] / count[count > 0]))


# ---------------------------------------------------------------- indices


def with_many_ties(dtype):
    specials = (0, -0.0, 1, 2, -1, math.inf, -math.inf, math.nan)
    return st.sampled_from(list(map(dtype.type, specials))) if dtype.kind == "f" else hnp.from_dtype(dtype)


@given(
    problems(elements=with_many_ties),
    st.sampled_from([name for name, row in PLAIN_REDUCTIONS.items() if row.indices]),
    st.booleans(),
)
@relaxed
def test_indices_gather_their_values_back(problem, name, masked):
    image, arguments = problem
    mask = np.arange(image.size).reshape(image.shape) % 3 > 0 if masked else None
    values, indices = skpool.pool(image, reduction=name, return_indices=True, mask=mask, **arguments)
    assert indices.dtype == np.int64
    assert values.shape == indices.shape
    found = indices >= 0
    np.testing.assert_array_equal(image.ravel()[indices[found]], values[found])
    if arguments["mode"] != "constant":
        np.testing.assert_array_equal(found, skpool.count_pool(image, mask=mask, **arguments) > 0)
    if masked:
        assert mask.ravel()[indices[found]].all()


# ---------------------------------------------------------------- symmetries


@given(st.data(), REDUCTION)
@relaxed
def test_flips_commute_where_windows_tile_exactly(data, name):
    window = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    tiles = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    image = data.draw(images(shapes=st.just((window[0] * tiles[0], window[1] * tiles[1]))))
    pooled = skpool.pool(image, window, name)
    for axis in (0, 1, (0, 1)):
        assert_near(np.flip(skpool.pool(np.flip(image, axis), window, name), axis), pooled, image)


@given(st.data(), REDUCTION)
@relaxed
def test_transposes(data, name):
    image, arguments = data.draw(problems(shapes=hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
    swapped = {key: value[::-1] if isinstance(value, tuple) else value for key, value in arguments.items()}
    assert_near(
        skpool.pool(image.T, reduction=name, **swapped).T, skpool.pool(image, reduction=name, **arguments), image
    )


def assert_near(a, b, image):
    """Equal, but for the order in which floats were added."""
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(a, b)
        return
    eps = np.finfo(a.dtype).eps
    size = np.abs(image.astype(np.float64)).max()
    scale = image.size * max(size, 1.0)
    # Of a variance, errors relative to the square of the samples remain; of a deviation, their root.
    np.testing.assert_allclose(a, b, rtol=8 * eps, atol=8 * scale * eps * (size + 1 if a.dtype == np.float64 else 1))


@given(problems(), REDUCTION, st.sampled_from([0, 1, -1]))
@relaxed
def test_channels_are_images_of_their_own(problem, name, channel_axis):
    image, arguments = problem
    other = image[::-1]
    stack = np.stack([image, other, image], axis=channel_axis)
    pooled = skpool.pool(stack, reduction=name, channel_axis=channel_axis, **arguments)
    expected = [skpool.pool(channel, reduction=name, **arguments) for channel in (image, other, image)]
    assert same_bits(pooled, np.stack(expected, axis=channel_axis))


@given(problems(), REDUCTION)
@relaxed
def test_a_batch_is_pooled_by_windows_of_one(problem, name):
    image, arguments = problem
    arguments = arguments | {"padding": 0, "dilation": 1, "ceil_mode": True, "stride": None}
    batch = np.stack([image, image[::-1]])
    pooled = skpool.pool(batch, reduction=name, **arguments | {"window_shape": (1, *arguments["window_shape"])})
    expected = [skpool.pool(single, reduction=name, **arguments) for single in batch]
    assert same_bits(pooled, np.stack(expected))


# ---------------------------------------------------------------- what must not matter


@given(problems(), REDUCTION)
@relaxed
def test_the_input_is_unchanged_and_calls_repeat(problem, name):
    image, arguments = problem
    before = image.copy()
    first = skpool.pool(image, reduction=name, **arguments)
    second = skpool.pool(image, reduction=name, **arguments)
    assert same_bits(image, before)
    assert same_bits(first, second)
    assert not np.shares_memory(first, image)


@given(problems(), REDUCTION, st.integers(2, 7))
@relaxed
def test_one_worker_equals_many(problem, name, workers):
    image, arguments = problem
    one, many = (skpool.pool(image, reduction=name, workers=count, **arguments) for count in (1, workers))
    assert same_bits(one, many)


@given(problems(), REDUCTION)
@relaxed
def test_a_named_function_is_pool_with_its_name(problem, name):
    image, arguments = problem
    named = getattr(skpool, f"{name}_pool")(image, **arguments)
    assert same_bits(named, skpool.pool(image, reduction=name, **arguments))


@given(problems(), REDUCTION)
@relaxed
def test_a_full_mask_changes_nothing(problem, name):
    image, arguments = problem
    full = skpool.pool(image, reduction=name, mask=np.ones(image.shape, bool), **arguments)
    assert same_bits(full, skpool.pool(image, reduction=name, **arguments))


@given(problems(dtypes=FLOATS), REDUCTION)
@relaxed
def test_omitting_nan_is_masking_it(problem, name):
    image, arguments = problem
    mask = np.arange(image.size).reshape(image.shape) % 4 > 0
    masked = skpool.pool(image, reduction=name, mask=mask, **arguments)
    omitted = skpool.pool(
        np.where(mask, image, image.dtype.type(math.nan)), reduction=name, nan_policy="omit", **arguments
    )
    assert same_bits(masked, omitted)


@given(st.data(), REDUCTION)
@settings(relaxed, max_examples=150)
def test_a_crop_made_of_whole_windows_equals_the_crop_of_the_pooled(data, name):
    """What chunked pooling rests on: a window's result depends on its samples alone, bit for bit."""
    window = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    stride = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    shape = data.draw(st.tuples(st.integers(6, 40), st.integers(6, 40)))
    dtype = data.draw(st.sampled_from(["float32", "float64", "float16", "uint8", "int64"]))
    seed = data.draw(st.integers(0, 2**32 - 1))
    image = (np.random.default_rng(seed).normal(size=shape) * 50).astype(dtype)
    pooled = skpool.pool(image, window, name, stride=stride, ceil_mode=False)
    first = tuple(data.draw(st.integers(0, outputs - 1)) for outputs in pooled.shape)
    stop = tuple(data.draw(st.integers(begin + 1, outputs)) for begin, outputs in zip(first, pooled.shape, strict=True))
    within = tuple(
        slice(begin * step, (end - 1) * step + size)
        for begin, end, step, size in zip(first, stop, stride, window, strict=True)
    )
    part = skpool.pool(image[within], window, name, stride=stride, ceil_mode=False)
    assert same_bits(part, pooled[tuple(map(slice, first, stop))])


#: Window and stride: rows that windows share, up to their number and beyond.
SHARING = [((63, 37), (2, 3)), ((63, 37), (1, 1)), ((64, 15), (1, 1)), ((9, 4), (1, 2)), ((47, 8), (9, 1))]


@pytest.mark.parametrize(("window", "stride"), SHARING)
@pytest.mark.parametrize("name", PLAIN_REDUCTIONS)
def test_crops_of_large_windows(name, window, stride):
    image = np.random.default_rng(5).normal(size=(150, 190)).astype(np.float32)
    pooled = skpool.pool(image, window, name, stride=stride, ceil_mode=False)
    for row, column in ((0, 0), (1, 1), (7, 20), (pooled.shape[0] - 1, pooled.shape[1] - 1)):
        samples = image[stride[0] * row :, stride[1] * column :][: window[0], : window[1]]
        assert same_bits(skpool.pool(samples, window, name), pooled[row : row + 1, column : column + 1])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", PLAIN_REDUCTIONS)
def test_windows_of_padding_alone(name, dtype):
    """They hold nothing, and leave nothing behind for those after them."""
    image = (np.random.default_rng(6).random((60, 30)) * 50).astype(dtype)
    touching = skpool.pool(image, (20, 5), name, stride=1, padding=(19, 4))
    pooled = skpool.pool(image, (20, 5), name, stride=1, padding=(25, 7))
    assert same_bits(np.ascontiguousarray(pooled[6:-6, 3:-3]), touching)


@given(problems(), REDUCTION)
@relaxed
def test_padding_modes_are_padded_images(problem, name):
    image, arguments = problem
    assume(arguments["mode"] != "ignore")
    plan = sliding_plan(image.shape, image.dtype, name, **arguments)
    pads = [(axis.before, axis.after) for axis in plan.axes]
    # Without `ceil_mode` a window must fit.
    assume(all(axis.extent <= axis.length + axis.before + axis.after for axis in plan.axes))
    padded = np.pad(image, pads, mode=arguments["mode"])
    expected = skpool.pool(padded, reduction=name, **arguments | {"padding": 0, "ceil_mode": False})
    pooled = skpool.pool(image, reduction=name, **arguments | {"ceil_mode": False, "padding": pads})
    assert same_bits(pooled, expected)
