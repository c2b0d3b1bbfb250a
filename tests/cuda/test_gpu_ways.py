"""Windows that threads share: 2 x 2 by vectors, and large overlapping ones in tiles."""

import itertools

import numpy as np
import pytest
from devices import launched, on_device, same, same_bits
from grid import DTYPES, FOLDED, cases, fits
from images import LAYOUTS, generator, image_of
from test_gpu import of_memory

import skpool
from skpool.backends import gpu

pytestmark = pytest.mark.usefixtures("cupy")


# ---------------------------------------------------------------- windows of 2 x 2

#: Shapes with whole and ragged ends, and the axis of their channels.
QUADS = (
    ((9, 80), None),
    ((5, 3, 31, 32), 0),
    ((6, 34, 16), -1),
    ((8, 40, 4), 2),
    ((2, 7, 70, 32), -1),
    ((3, 48, 3), -1),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", gpu.QUADS)
def test_quads(name, dtype, cupy):
    for number, (shape, axis) in enumerate(QUADS):
        cupy.log.backwards = number % 2 == 1
        image = image_of(generator(name, dtype, shape), shape, dtype)
        window = (1,) * (len(shape) - (axis is not None) - 2) + (2, 2)
        with np.errstate(all="ignore"):
            cupy.log.clear()
            same(skpool.pool, image, window, name, channel_axis=axis, ceil_mode=number % 3 > 0)
            assert launched(cupy) == ["pool_quads"]


def test_quads_of_other_results_and_layouts(cupy):
    image = image_of(generator("quads"), (12, 64), "float32")
    for dtype in ("int16", "float64", "uint8", "bool"):
        with np.errstate(all="ignore"):
            same(skpool.avg_pool, image, dtype=dtype, fill_value=1)
    # Nothing but rows that are contiguous and aligned is read in vectors, however arrays lie.
    for rows in (image[::-1], image[::3], image[:, 4:], image[3:, :32]):
        cupy.log.clear()
        same(skpool.max_pool, rows)
        assert launched(cupy) == ["pool_quads"]
    odd = image_of(generator("quads"), (12, 63), "float32")
    for rows in (odd, image[:, ::-1], image[:, ::2], np.asfortranarray(image)):
        cupy.log.clear()
        same(skpool.max_pool, rows)
        assert launched(cupy) == ["pool"]
    same_bits(skpool.max_pool(on_device(image)[:, 1:]), skpool.max_pool(image[:, 1:]))
    assert launched(cupy) == ["pool"]
    memory, expected = on_device(np.zeros((6, 66), np.float32)), skpool.max_pool(image)
    for first, kernel in ((0, "pool_quads"), (1, "pool"), (2, "pool_quads")):
        cupy.log.clear()
        out = memory[:, first : first + 32]
        assert skpool.max_pool(on_device(image), out=out) is out
        assert launched(cupy) == [kernel]
        same_bits(out, expected)


@pytest.mark.parametrize(
    "keywords",
    [
        {"return_indices": True},
        {"nan_policy": "omit"},
        {"mask": np.arange(320).reshape(8, 40) % 3 > 0},
        {"padding": 1},
        {"stride": (2, 1)},
        {"dilation": 2},
        {"footprint": [[1, 0], [1, 1]], "window_shape": None},
        {"padding": ((0, 0), (0, 3)), "mode": "constant", "cval": 2},
    ],
)
def test_quads_of_other_kinds(keywords):
    same(skpool.max_pool, image_of(generator("other quads"), (8, 40), "float32"), **{"window_shape": 2} | keywords)


def test_averages_of_quads_whose_float32_total_overflows():
    image = np.full((4, 16), 3e38, np.float32)
    image[2] = np.float32(np.inf)
    with np.errstate(all="ignore"):
        same(skpool.avg_pool, image)


def test_rows_of_quads_further_apart_than_32_bits_tell(cupy):
    image, far = image_of(generator("far quads"), (4, 32), "uint8"), 2**31 + 64
    array, out = of_memory(cupy, (4, 32), (far, 1)), of_memory(cupy, (2, 16), (far, 1))
    array[...] = cupy.asarray(image)
    cupy.log.clear()
    assert skpool.max_pool(array, out=out) is out
    assert launched(cupy) == ["pool_quads"]
    same_bits(out, skpool.max_pool(image))


# ---------------------------------------------------------------- tiles


@pytest.fixture
def crossed(monkeypatch):
    """All windows with more than one tap along the columns are folded in tiles, small ones by few blocks of threads."""
    clear = gpu.kernels_of.cache_clear, gpu._table.cache_clear
    monkeypatch.setattr(gpu, "LEAST_CROSSED", 1)
    monkeypatch.setattr(gpu, "CROSSED_FROM", 0)
    monkeypatch.setattr(gpu, "TILE", 4)
    monkeypatch.setattr(gpu, "MOST_GROUP", 2)
    monkeypatch.setattr(gpu, "MOST_BLOCKS", 3)
    monkeypatch.setattr(gpu, "QUADS", ())
    for each in clear:
        each()
    yield
    for each in clear:
        each()


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.usefixtures("crossed")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FOLDED)
def test_tiles(name, dtype, cupy):
    used = set()
    for number, (image, keywords) in enumerate(cases(name, dtype, 14, 5)):
        if "footprint" in keywords or not fits(image, keywords):
            continue
        cupy.log.backwards = number % 2 == 1
        indices = {"return_indices": True} if skpool.reductions.REDUCTIONS[name].indices and number % 3 == 0 else {}
        cupy.log.clear()
        same(skpool.pool, image, reduction=name, **keywords, **indices)
        used.update(launched(cupy))
    assert used == {"pool_tiles"}


@pytest.mark.parametrize("mode", ["ignore", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("name", ["max", "avg", "std"])
def test_large_windows_that_overlap(name, mode, cupy):
    image = image_of(generator(name, mode), (40, 52), "float32")
    keywords = {"stride": 1, "padding": 7, "mode": mode, "nan_policy": "omit"}
    with np.errstate(all="ignore"):
        same(skpool.pool, image, 15, name, **keywords)
        assert launched(cupy) == ["pool_tiles"]
        same(skpool.pool, np.stack([image, image[::-1], image], -1), (13, 9), name, stride=(2, 1), channel_axis=-1)
        assert launched(cupy) == ["pool_tiles"]
    same(skpool.max_pool, image, (9, 13), stride=1, dilation=(1, 2), padding=4, return_indices=True, mode=mode)
    assert launched(cupy) == ["pool_tiles"]


def test_powers_and_averages_of_tiles_that_leave_their_range(cupy):
    image = np.outer(10.0 ** np.tile([-300, -160, 0, 160, 300], 8), np.ones(44))
    with np.errstate(all="ignore"):
        same(skpool.pool, image, 9, "lp", p=3, stride=1)
        assert launched(cupy) == ["pool_tiles"]
        same(skpool.avg_pool, np.full((40, 44), 3e38, np.float32), 9, stride=1)
        assert launched(cupy) == ["pool_tiles"]


@pytest.mark.usefixtures("crossed")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_tiles(layout, cupy):
    image = LAYOUTS[layout](image_of(generator(layout), (11, 13), "float64"))
    memory = on_device(np.zeros((18, 22)))
    same(skpool.max_pool, image, 3, stride=1, return_indices=True)
    skpool.avg_pool(on_device(image), 3, stride=1, out=memory[::2, ::2])
    same_bits(memory[::2, ::2], skpool.avg_pool(image, 3, stride=1))
    assert set(launched(cupy)) == {"pool_tiles"}


@pytest.mark.usefixtures("crossed")
def test_rows_of_tiles_further_apart_than_32_bits_tell(cupy):
    image, far = image_of(generator("far tiles"), (4, 9), "uint8"), 2**31 + 64
    array, out = of_memory(cupy, (4, 9), (far, 1)), of_memory(cupy, (2, 7), (far, 1))
    array[...] = cupy.asarray(image)
    cupy.log.clear()
    assert skpool.max_pool(array, 3, stride=1, out=out) is out
    assert set(launched(cupy)) == {"pool_tiles"}
    same_bits(out, skpool.max_pool(image, 3, stride=1))


@pytest.mark.usefixtures("crossed")
@pytest.mark.parametrize("keywords", [{}, {"dilation": 3}, {"dilation": 2, "padding": 3}])
def test_nan_raises_in_tiles_where_a_window_looks(keywords):
    image = image_of(generator("nan in tiles"), (7, 13), "uint8").astype(np.float32)
    keywords |= {"window_shape": 3, "stride": 2, "padding": 0, "nan_policy": "raise"} | keywords
    for place in np.ndindex(image.shape):
        with_nan = image.copy()
        with_nan[place] = np.nan
        try:
            expected = skpool.max_pool(with_nan, **keywords)
        except ValueError:
            with pytest.raises(ValueError, match="must not have NaN"):
                skpool.max_pool(on_device(with_nan), **keywords)
        else:
            same_bits(skpool.max_pool(on_device(with_nan), **keywords), expected)


def test_tiles_are_for_windows_that_share_much():
    sizes, strides = (3, 5, 7, 15, 63), (1, 2, 4)
    ways = {
        (size, stride): gpu.kernels_of(gpu_plan((400, 400), size, stride)).file
        for size, stride in itertools.product(sizes, strides)
    }
    assert {pair for pair, file in ways.items() if file == "tiles.cu"} == {
        *((7, 1), (15, 1), (15, 2), (63, 1), (63, 2), (63, 4))
    }


def gpu_plan(shape, size, stride):
    return skpool.plan.make_plan(
        shape, np.dtype("uint8"), "max", skpool.windows.Sliding(size, stride, 0, 1, False, "ignore", None, None)
    )
