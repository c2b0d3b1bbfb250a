"""Tiles of windows that are sorted together: their programs find ranks, and results are those of single windows."""

import numpy as np
import pytest

import skpool
from skpool.backends import cpu
from skpool.backends.tiles import Tile, spread_out, tile_program

TILES = (Tile(1, 4, 4, 4, 4), Tile(1, 5, 9, 4, 4), Tile(2, 4, 5, 4, 4), Tile(1, 9, 9, 8, 4), Tile(1, 15, 8, 8, 8))


def ran(steps, samples, registers):
    """Take the steps of a program on arrays."""
    held = [*samples, *[None] * (registers - len(samples))]
    for low, high, a, b in steps:
        assert {low, high}.isdisjoint({a, b}), "a step writes what it reads"
        held[low], held[high] = np.minimum(held[a], held[b]), np.maximum(held[a], held[b])
    return held


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("highest", [2, 10**6])
def test_programs_find_ranks(tile, highest):
    rng = np.random.default_rng(highest)
    lines, columns = tile.down + tile.tall - 1, tile.across + tile.wide - 1
    samples = rng.integers(0, highest, (tile.deep, lines, columns, 100))
    middle = tile.samples // 2
    for low, high in ((middle - 1, middle), (0, 0), (tile.samples - 1, tile.samples - 1), (1, tile.samples - 3)):
        steps, registers, ranks = tile_program(tile, low, high)
        held = ran(steps, samples.reshape(-1, 100), registers)
        pairs = iter(ranks.reshape(-1, 2))
        for y in range(tile.down):
            for x in range(tile.across):
                window = samples[:, y : y + tile.tall, x : x + tile.wide].reshape(-1, 100)
                found = [held[rank] for rank in next(pairs)]
                np.testing.assert_array_equal(found, np.sort(window, axis=0)[[low, high]])


def test_programs_are_as_short_as_their_documentation_says():
    steps, _, _ = tile_program(Tile(1, 15, 15, 8, 4), 112, 112)
    assert len(steps) / 32 < 290


def test_steps_that_are_spread_out_wait_for_what_they_read():
    chain = [(10, 11, 0, 1), (12, 13, 10, 11), (14, -1, 12, 2), (15, 16, 3, 4), (17, 18, 5, 6)]
    order = spread_out(chain, apart=2)
    assert order == [chain[0], chain[3], chain[1], chain[4], chain[2]]


def random_call(rng, dtype):
    """An image and arguments of `percentile_pool`: any geometry in which some windows are sorted in tiles."""
    axes = int(rng.integers(2, 4))
    shape = rng.integers(20, (0, 0, 60, 30)[axes], axes)
    window = tuple(int(rng.integers(1 if a < axes - 2 else 4, 14 if axes == 2 else 6)) for a in range(axes))
    channels = (int(rng.integers(1, 4)),) if rng.random() < 0.3 else ()
    image = rng.integers(0, int(rng.choice([3, 100])), (*shape, *channels)).astype(dtype)
    if image.dtype.kind == "f":
        image[rng.random(image.shape) < rng.choice([0, 1e-3, 0.05])] = np.nan
    mask = None
    if rng.random() < 0.4:
        mask = rng.random(image.shape) < rng.choice([0.5, 0.999])
    layout = rng.integers(0, 3)
    if layout == 1:
        image = image[::-1]
    elif layout == 2:
        image = np.asfortranarray(image)
    return image, {
        "window_shape": window,
        "q": float(rng.choice([50, 0, 100, rng.integers(0, 101)])),
        "method": str(rng.choice(["linear", "lower", "averaged_inverted_cdf"])),
        "stride": (*rng.integers(1, 3, axes - 2).tolist(), 1, 1),
        "padding": [tuple(map(int, rng.integers(0, size, 2))) for size in window],
        "mode": str(rng.choice(["ignore", "constant", "edge", "wrap"])),
        "cval": 1,
        "mask": mask,
        "min_count": int(rng.integers(1, 4)),
        "nan_policy": str(rng.choice(["propagate", "omit"])),
        "dtype": dtype if rng.random() < 0.3 else None,
        "channel_axis": -1 if channels else None,
        "workers": int(rng.integers(1, 4)),
    }


@pytest.fixture
def both_ways(monkeypatch):
    """A function that computes a call by tiles and window by window."""

    def compute(function, *arguments, **keywords):
        results = []
        for least in (1, 2**62):
            monkeypatch.setattr(cpu, "LEAST_TILED", least)
            cpu._program.cache_clear()
            results.append(function(*arguments, **keywords))
        return results

    monkeypatch.setattr(cpu, "IN_TILES", dict.fromkeys((1, 2, 4, 8), range(10**6)))
    yield compute
    monkeypatch.undo()
    cpu._program.cache_clear()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("seed", range(3))
def test_tiles_give_what_windows_give(dtype, seed, both_ways):
    rng = np.random.default_rng(seed)
    for _ in range(15):
        image, keywords = random_call(rng, dtype)
        tiled, single = both_ways(skpool.percentile_pool, image, **keywords)
        assert tiled.dtype == single.dtype
        np.testing.assert_array_equal(tiled, single, err_msg=str((image.shape, keywords)))


@pytest.mark.parametrize(("dtype", "window"), [("uint8", 5), ("uint8", 21), ("float32", 9)])
def test_rows_of_many_tiles(dtype, window, both_ways):
    image = np.random.default_rng(0).integers(0, 256, (40, 5000)).astype(dtype)
    tiled, single = both_ways(skpool.median_pool, image, window, stride=1, padding="same", workers=2)
    np.testing.assert_array_equal(tiled, single)


def test_tiles_write_where_results_belong(both_ways):
    image = np.random.default_rng(0).integers(0, 256, (50, 60)).astype(np.uint16)
    whole = np.zeros((100, 180), np.float32)

    def into(image, window, **keywords):
        return skpool.median_pool(image, window, out=whole[::2, ::3], **keywords).copy()

    tiled, single = both_ways(into, image, 7, stride=1, padding="same")
    np.testing.assert_array_equal(tiled, single)
    assert not whole[1::2].any()
    assert not whole[:, 1::3].any()


@pytest.mark.parametrize("window", [(3, 9, 9), (4, 5, 5)])
def test_rows_of_a_tile_that_was_given_up_make_room_for_those_of_its_windows(window, both_ways):
    """Volumes whose padding is constant rows, with a masked pixel here and there."""
    keywords = {"stride": 1, "mode": "constant", "cval": 1, "padding": ((2, 2), (3, 3), (0, 0)), "workers": 1}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        image = rng.integers(0, 200, (6, 26, 30)).astype(np.uint8)
        mask = rng.random(image.shape) < 0.999
        tiled, single = both_ways(skpool.median_pool, image, window, mask=mask, **keywords)
        np.testing.assert_array_equal(tiled, single, err_msg=str(seed))
