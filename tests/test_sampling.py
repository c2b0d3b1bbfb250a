"""Unpooling: what was pooled goes back to where it came from."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plans import sliding_plan
from skimage import data

import skpool
from skpool import avg_unpool, max_unpool

relaxed = settings(max_examples=100, deadline=None, derandomize=True, database=None)

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=9)
DTYPES = ["?", "u1", "i2", "u4", "i8", "f2", "f4", "f8"]


@st.composite
def geometries(draw, ndim):
    def sizes(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    return {
        "window_shape": sizes(1, 4),
        "stride": sizes(1, 4),
        "dilation": sizes(1, 3),
        "padding": draw(
            st.sampled_from(["same", "same_lower", "valid"])
            | st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * ndim)
        ),
        "ceil_mode": draw(st.booleans()),
    }


@st.composite
def problems(draw):
    """A shape, and arguments of `avg_pool` with which at least one window fits."""
    shape = draw(SHAPES)
    arguments = draw(geometries(len(shape)))
    try:
        skpool.pooled_shape(shape, **arguments)
    except ValueError:
        assume(False)
    return shape, arguments


# ---------------------------------------------------------------- to the places of maxima


def slow_max_unpool(values, indices, output_shape, fill_value=0):
    image = np.full(output_shape, fill_value, values.dtype)
    for value, index in zip(values.ravel(), indices.ravel(), strict=True):
        if index != -1:
            image.flat[index] = value
    return image


@given(problems(), st.sampled_from(["max", "min"]), st.integers(0, 2**32 - 1))
@relaxed
def test_maxima_return_to_their_places(problem, name, seed):
    shape, arguments = problem
    image = np.random.default_rng(seed).integers(0, 9, shape).astype(np.int16)
    mask = np.random.default_rng(seed).random(shape) < 0.7
    values, indices = skpool.pool(image, reduction=name, mask=mask, return_indices=True, **arguments)
    back = max_unpool(values, indices, shape)
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, slow_max_unpool(values, indices, shape))
    found = np.zeros(shape, bool)
    found.flat[indices[indices >= 0]] = True
    np.testing.assert_array_equal(back[found], image[found])
    assert not back[~found].any()


@given(problems(), st.integers(0, 2**32 - 1))
@relaxed
def test_pooling_unpooled_maxima_gives_them_again(problem, seed):
    shape, arguments = problem
    image = np.random.default_rng(seed).random(shape)
    values, indices = skpool.max_pool(image, return_indices=True, **arguments)
    back = max_unpool(values, indices, shape, fill_value=-1)
    np.testing.assert_array_equal(skpool.max_pool(back, **arguments), values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_types_and_fill_values(dtype):
    image = np.arange(30).reshape(5, 6).astype(dtype)
    values, indices = skpool.max_pool(image, return_indices=True)
    back = max_unpool(values, indices, image.shape, fill_value=1)
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, slow_max_unpool(values, indices, image.shape, 1))
    swapped = max_unpool(values.astype(values.dtype.newbyteorder()), indices.astype(">i4"), image.shape, fill_value=1)
    assert swapped.dtype == image.dtype
    np.testing.assert_array_equal(swapped, back)


@pytest.mark.parametrize("index_dtype", ["i1", "u1", "i2", "u4", "i8", "u8"])
def test_indices_may_be_any_integers(index_dtype):
    indices = np.array([[3, 0], [8, 5]], index_dtype)
    values = np.array([[1.5, np.nan], [np.inf, -0.0]])
    np.testing.assert_array_equal(max_unpool(values, indices, (3, 3)), [[np.nan, 0, 0], [1.5, 0, -0.0], [0, 0, np.inf]])


def test_of_several_values_the_last_stays():
    assert max_unpool([1, 2, 3], [4, 4, 4], (6,)).tolist() == [0, 0, 0, 0, 3, 0]
    assert max_unpool([[1, 2], [3, 4]], [[0, 1], [1, 0]], (2,)).tolist() == [4, 3]
    assert max_unpool(np.array([[1, 2], [3, 4]]).T, np.zeros((2, 2), int), (1,)).tolist() == [4]
    many = np.random.default_rng(0).integers(0, 50, 100_000)
    values = np.arange(many.size)
    np.testing.assert_array_equal(max_unpool(values, many, (50,)), slow_max_unpool(values, many, (50,)))


def test_values_without_a_place_are_put_nowhere():
    assert max_unpool([7, 8, 9], [-1, 2, -1], (4,), fill_value=5).tolist() == [5, 5, 8, 5]
    assert max_unpool([7], [-1], (2, 2)).tolist() == [[0, 0], [0, 0]]
    assert max_unpool([7], [-1], (0, 2)).shape == (0, 2)
    assert max_unpool(np.zeros((0, 3)), np.zeros((0, 3), int), (2,)).tolist() == [0, 0]


def test_masked_values_are_put_nowhere():
    image = np.ma.MaskedArray(np.arange(16).reshape(4, 4), np.arange(16).reshape(4, 4) % 4 < 2)
    values, indices = skpool.max_pool(image, return_indices=True)
    back = max_unpool(values, indices, image.shape)
    assert type(back) is np.ndarray
    assert np.flatnonzero(back).tolist() == [7, 15]
    hidden = np.ma.MaskedArray([5, 6, 7], [True, False, True])
    assert max_unpool(hidden, [0, 1, -1], (3,)).tolist() == [0, 6, 0]


def test_channels_are_part_of_the_index():
    image = np.random.default_rng(0).random((6, 8, 3))
    for channel_axis in (0, 1, 2):
        values, indices = skpool.max_pool(image, return_indices=True, channel_axis=channel_axis)
        back = max_unpool(values, indices, image.shape)
        assert (back != 0).sum() == values.size
        np.testing.assert_array_equal(back[back != 0], image[back != 0])


@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_torch_agrees(window, stride):
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(3).random((2, 3, 13, 14)).astype(np.float32)
    pooled, places = torch.nn.functional.max_pool2d(torch.from_numpy(image), window, stride, return_indices=True)
    theirs = torch.nn.functional.max_unpool2d(pooled, places, window, stride, output_size=image.shape[2:])
    values, indices = skpool.max_pool(
        image, (1, 1, window, window), stride=(1, 1, stride, stride), ceil_mode=False, return_indices=True
    )
    np.testing.assert_array_equal(max_unpool(values, indices, image.shape), theirs.numpy())


def test_onnx_agrees():
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    node = onnx.helper.make_node("MaxUnpool", ["x", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    tensors = [("x", onnx.TensorProto.FLOAT), ("i", onnx.TensorProto.INT64), ("y", onnx.TensorProto.FLOAT)]
    x, i, y = (onnx.helper.make_tensor_value_info(name, kind, [None] * 4) for name, kind in tensors)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x, i], [y]))
    image = np.random.default_rng(4).random((1, 1, 8, 10)).astype(np.float32)
    values, indices = skpool.max_pool(image, (1, 1, 2, 2), return_indices=True)
    [theirs] = ReferenceEvaluator(model).run(None, {"x": values, "i": indices})
    np.testing.assert_array_equal(max_unpool(values, indices, image.shape), theirs)


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        (([1.0], [0.0], (3,)), TypeError, ["`indices`", "float64"]),
        (([1.0], [True], (3,)), TypeError, ["`indices`", "bool"]),
        (([1.0], ["0"], (3,)), TypeError, ["`indices`"]),
        (([1.0], [[0]], (3,)), ValueError, ["`indices`", "(1,)", "(1, 1)"]),
        (([1.0, 2.0], [0], (3,)), ValueError, ["`indices`", "(2,)"]),
        (([1.0], [3], (3,)), ValueError, ["`indices`", "from -1 to 2", "got 3"]),
        (([1.0, 1.0], [-2, 3], (3,)), ValueError, ["`indices`", "got -2"]),
        (([1.0], [0], (0,)), ValueError, ["`indices`", "got 0"]),
        (([1.0], np.array([2**63], np.uint64), (3,)), ValueError, ["`indices`", str(2**63)]),
        (([1j], [0], (3,)), TypeError, ["`values`", "complex"]),
        ((["a"], [0], (3,)), TypeError, ["`values`"]),
        (([1.0], [0], 3), TypeError, ["`output_shape`", "3"]),
        (([1.0], [0], "3"), TypeError, ["`output_shape`"]),
        (([1.0], [0], (3.0,)), TypeError, ["`output_shape`", "3.0"]),
        (([1.0], [0], (3, -1)), ValueError, ["`output_shape`", "-1"]),
        (([1.0], [0], (2**30, 2**30, 2**30)), ValueError, ["`output_shape`", "memory"]),
    ],
    ids=str,
)
def test_bad_arguments_of_max_unpool(arguments, error, parts):
    with pytest.raises(error) as caught:
        max_unpool(*arguments)
    assert type(caught.value) is error
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "fill_value", "error"),
    [("u1", -1, ValueError), ("u1", 0.5, ValueError), ("i4", math.nan, ValueError), ("f4", "x", TypeError)],
)
def test_fill_values_that_do_not_fit(dtype, fill_value, error):
    with pytest.raises(error, match="`fill_value`"):
        max_unpool(np.ones(1, dtype), [0], (3,), fill_value=fill_value)


# ---------------------------------------------------------------- spread over windows


def slow_avg_unpool(values, output_shape, window_shape, channel_axis=None, **arguments):
    """By definition, exactly: each window gives each of its samples its share."""
    arguments |= {"window_shape": window_shape, "channel_axis": channel_axis}
    plan = sliding_plan(output_shape, np.dtype(float), "avg", **arguments)
    image = np.full(output_shape, Fraction(0), object)
    for output in np.ndindex(values.shape):
        positions = [axis.positions(o) for axis, o in zip(plan.axes, output, strict=True)]
        places = np.ix_(*[position[position >= 0] for position in positions])
        share = image[places]
        if share.size:
            image[places] = share + Fraction(values[output].item()) / share.size
    return image.astype(np.float64)


@given(problems(), st.integers(0, 2**32 - 1), st.sampled_from(["f4", "f8", "i2"]))
@relaxed
def test_values_are_spread_over_their_windows(problem, seed, dtype):
    shape, arguments = problem
    values = np.random.default_rng(seed).integers(-50, 50, skpool.pooled_shape(shape, **arguments)).astype(dtype)
    back = avg_unpool(values, shape, **arguments)
    assert back.dtype == (np.float32 if dtype == "f4" else np.float64)
    assert back.shape == shape
    expected = slow_avg_unpool(values, shape, **arguments)
    np.testing.assert_allclose(back, expected, rtol=2 * np.finfo(back.dtype).eps, atol=1e-12)


@given(problems(), st.integers(0, 2**32 - 1))
@relaxed
def test_it_is_the_transpose_of_average_pooling(problem, seed):
    shape, arguments = problem
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    y = rng.normal(size=skpool.pooled_shape(shape, **arguments))
    pooled = skpool.avg_pool(x, fill_value=0, **arguments)
    assert math.isclose((pooled * y).sum(), (x * avg_unpool(y, shape, **arguments)).sum(), rel_tol=1e-9, abs_tol=1e-9)


@given(problems(), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, -1]))
@relaxed
def test_channels_are_values_of_their_own(problem, seed, channel_axis):
    shape, arguments = problem
    rng = np.random.default_rng(seed)
    channels = [rng.random(skpool.pooled_shape(shape, **arguments)) for _ in range(3)]
    expected = np.stack([avg_unpool(channel, shape, **arguments) for channel in channels], axis=channel_axis)
    values = np.stack(channels, axis=channel_axis)
    back = avg_unpool(values, expected.shape, channel_axis=channel_axis, **arguments)
    np.testing.assert_array_equal(back, expected)


@given(problems(), st.integers(0, 2**32 - 1))
@relaxed
def test_layouts_do_not_matter(problem, seed):
    shape, arguments = problem
    values = np.random.default_rng(seed).random(skpool.pooled_shape(shape, **arguments))
    before = values.copy()
    expected = avg_unpool(values, shape, **arguments)
    for other in (np.asfortranarray(values), np.flip(np.flip(values).copy()), values.astype(">f8"), values.tolist()):
        np.testing.assert_array_equal(avg_unpool(other, shape, **arguments), expected)
    np.testing.assert_array_equal(values, before)


def test_blocks_of_many_rows():
    """Large images are spread some rows at a time."""
    values = np.random.default_rng(0).random((700, 900))
    for dtype in (np.float32, np.float64):
        own = values.astype(dtype)
        np.testing.assert_array_equal(
            avg_unpool(own, (1399, 1800), 2)[:-1], (own / 4).repeat(2, axis=0).repeat(2, axis=1)[:-2]
        )
        np.testing.assert_array_equal(avg_unpool(own, (1399, 1800), 2)[-1], (own / 2)[-1].repeat(2))
    wide = avg_unpool(values, (1401, 1801), 3, stride=2)
    assert math.isclose(wide.sum(), values.sum(), rel_tol=1e-12)


@pytest.mark.parametrize(
    ("window", "stride", "padding", "ceil_mode"),
    [(2, 2, 0, False), (3, 2, 1, False), (3, 1, 1, False), (3, 2, 0, True)],
)
def test_torch_gradients_agree(window, stride, padding, ceil_mode):
    torch = pytest.importorskip("torch")
    x = torch.zeros((2, 3, 12, 14), dtype=torch.float64, requires_grad=True)
    pooled = torch.nn.functional.avg_pool2d(x, window, stride, padding, ceil_mode, count_include_pad=False)
    gradient = np.random.default_rng(5).random(pooled.shape)
    pooled.backward(torch.from_numpy(gradient))
    back = avg_unpool(
        gradient,
        x.shape,
        (1, 1, window, window),
        stride=(1, 1, stride, stride),
        padding=(0, 0, padding, padding),
        ceil_mode=ceil_mode,
    )
    np.testing.assert_allclose(back, x.grad.numpy(), rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_result_types(dtype):
    values = np.ones((2, 2), dtype)
    assert avg_unpool(values, (4, 4), 2).dtype == (np.float32 if dtype in ("f2", "f4") else np.float64)
    for result in ("u1", "f2", "f4", "f8", "i8", "?", ">f4"):
        back = avg_unpool(values * 1, (4, 4), 1 if dtype == "?" else 2, stride=2, dtype=result, ceil_mode=True)
        assert back.dtype == np.dtype(result).newbyteorder("=")


def test_integers_are_rounded_once_and_saturate():
    values = np.array([2.0, 6.0, 10.0, 4000.0, -4.0, np.nan])
    assert avg_unpool(values, (24,), 4, dtype="u1").reshape(6, 4)[:, 0].tolist() == [0, 2, 2, 255, 0, 0]
    # Two shares of 0.5 / 3 and 1 / 3 make a half, which is even only where it is rounded once.
    assert avg_unpool([0.5, 1.0], (4,), 3, stride=1, dtype="i4").tolist() == [0, 0, 0, 0]
    assert avg_unpool([3.0, 6.0], (4,), 3, stride=1, dtype="i4").tolist() == [1, 3, 3, 2]


def test_masked_values_count_as_zero():
    assert avg_unpool(np.ma.MaskedArray([4.0, 8.0], [False, True]), (4,), 2).tolist() == [2, 2, 0, 0]


def test_nan_and_infinities_stay_in_their_windows():
    back = avg_unpool([np.nan, 1.0, np.inf], (6,), 2)
    np.testing.assert_array_equal(back, [np.nan, np.nan, 0.5, 0.5, np.inf, np.inf])


def test_empty_images():
    assert avg_unpool(np.zeros((0, 3)), (0, 6), 2).shape == (0, 6)
    assert avg_unpool(np.zeros((0, 3), np.uint8), (0, 6), 3, stride=2).dtype == np.float64


@pytest.mark.parametrize(
    ("values", "shape", "arguments", "parts"),
    [
        (4, (9,), {}, ["axis 0", "from 7 to 8", "4 windows", "got 9"]),
        (4, (6,), {}, ["axis 0", "from 7 to 8", "got 6"]),
        (4, (12,), {"ceil_mode": False}, ["from 8 to 9", "got 12"]),
        (4, (9,), {"padding": "same", "stride": 3}, ["from 10 to 12", "got 9"]),
        (3, (9,), {"padding": 5, "window_shape": 1}, ["something that no length is", "got 9"]),
        ((4, 3), (8, 9), {}, ["axis 1", "from 5 to 6"]),
        ((4, 3), (8, 4), {"channel_axis": 1}, ["axis 1", "from 3 to 3"]),
        ((4, 3), (8,), {}, ["2 axes", "(8,)"]),
    ],
    ids=str,
)
def test_sizes_that_do_not_pool_to_those_of_the_values(values, shape, arguments, parts):
    with pytest.raises(ValueError, match="`output_shape`") as caught:
        avg_unpool(np.zeros(values), shape, **{"window_shape": 2} | arguments)
    for part in parts:
        assert part in str(caught.value)


@given(problems(), st.data())
@relaxed
def test_the_sizes_that_an_error_names_are_valid(problem, draws):
    shape, arguments = problem
    values = np.ones(skpool.pooled_shape(shape, **arguments))
    axis = draws.draw(st.integers(0, len(shape) - 1))
    wrong = list(shape)
    wrong[axis] += draws.draw(st.sampled_from([-8, -4, 5, 20]))
    assume(wrong[axis] >= 0)
    try:
        avg_unpool(values, wrong, **arguments)
    except ValueError as error:
        least, most = map(int, str(error).split("must be from ")[1].split(" along ")[0].split(" to "))
        assert least <= shape[axis] <= most
        for length in (least, most):
            wrong[axis] = length
            avg_unpool(values, wrong, **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"window_shape": 0}, ValueError, "`window_shape`"),
        ({"window_shape": 1.5}, TypeError, "`window_shape`"),
        ({"stride": 0}, ValueError, "`stride`"),
        ({"padding": -1}, ValueError, "`padding`"),
        ({"padding": "full"}, ValueError, "`padding`"),
        ({"dilation": 0}, ValueError, "`dilation`"),
        ({"ceil_mode": 1}, TypeError, "`ceil_mode`"),
        ({"channel_axis": 2}, ValueError, "`channel_axis`"),
        ({"dtype": "c16"}, TypeError, "`dtype`"),
        ({"dtype": "no type"}, TypeError, "`dtype`"),
        ({"values": np.zeros((2, 2), complex)}, TypeError, "`values`"),
        ({"values": "values"}, TypeError, "`values`"),
        ({"values": 1.0, "output_shape": ()}, ValueError, "`output_shape` must have a spatial axis"),
        ({"values": [1.0], "output_shape": (1,), "channel_axis": 0}, ValueError, "`output_shape` must have a spatial"),
        ({"output_shape": 4}, TypeError, "`output_shape`"),
        ({"output_shape": (4, 4.0)}, TypeError, "`output_shape`"),
        ({"output_shape": (4, -4)}, ValueError, "`output_shape`"),
    ],
    ids=str,
)
def test_bad_arguments_of_avg_unpool(arguments, error, part):
    arguments = {"values": np.ones((2, 2)), "output_shape": (4, 4), "window_shape": 2} | arguments
    with pytest.raises(error, match=part):
        avg_unpool(**arguments)


# ---------------------------------------------------------------- real images


def test_a_photograph_returns_blurred_or_at_its_brightest():
    image = data.camera()
    values, indices = skpool.max_pool(image, 4, return_indices=True)
    bright = max_unpool(values, indices, image.shape)
    assert (bright > 0).sum() <= image.size // 16
    assert (bright <= image).all()
    blurred = avg_unpool(skpool.sum_pool(image, 4), image.shape, 4)
    assert blurred.mean() == image.mean()
    assert np.abs(blurred - image).mean() < 0.2 * image.std()
