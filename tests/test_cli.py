"""The command line: results equal to the functions', errors in one line, and nothing half-written."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skpool
from skpool import cli, files, windows
from skpool.cli import main

pytestmark = pytest.mark.slow


def pixels(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


def saved(path, image):
    np.save(path, image)
    return str(path)


def run(*arguments):
    """The exit code of a command that must succeed."""
    assert main([str(argument) for argument in arguments]) == 0


def said(capsys, *arguments):
    """The exit code of a command, and what it said on stderr: one line, and no traceback."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    return code, err.rstrip()


def same_bits(one, other):
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tobytes() == np.ascontiguousarray(other).tobytes()


# ---------------------------------------------------------------- pool

#: Arguments, and the keywords of `skpool.pool` that they stand for.
CALLS = [
    ([], {}),
    (["--window", "3", "--stride", "2", "--reduction", "avg"], {"window_shape": 3, "stride": 2, "reduction": "avg"}),
    (["--window=3,2", "--no-ceil", "--dtype", "int16"], {"window_shape": (3, 2), "ceil_mode": False, "dtype": "int16"}),
    (["--padding", "1:2,0:1", "--mode", "reflect"], {"padding": ((1, 2), (0, 1)), "mode": "reflect"}),
    (
        ["--padding", "1,2", "--mode=constant", "--cval", "7", "--reduction=sum", "--window=3"],
        {"padding": (1, 2), "mode": "constant", "cval": 7, "reduction": "sum", "window_shape": 3},
    ),
    (["--padding", "same", "--stride=1", "--ceil"], {"padding": "same", "stride": 1}),
    (["--reduction", "lp", "--parameter", "p=3"], {"reduction": "lp", "p": 3}),
    (["--reduction", "lp", "--parameter", "p=inf"], {"reduction": "lp", "p": np.inf}),
    (
        ["--reduction=percentile", "--parameter=q=30", "--parameter", "method=lower"],
        {"reduction": "percentile", "q": 30, "method": "lower"},
    ),
    (["--reduction", "mode", "--parameter", "background=3"], {"reduction": "mode", "background": 3}),
    (["--dilation", "2", "--workers", "2"], {"dilation": 2}),
]


@pytest.mark.parametrize(
    ("arguments", "keywords"), CALLS, ids=lambda value: " ".join(value) if type(value) is list else ""
)
def test_pool(tmp_path, arguments, keywords):
    image = pixels(13, 17)
    run("pool", saved(tmp_path / "in.npy", image), tmp_path / "out.npy", *arguments)
    same_bits(np.load(tmp_path / "out.npy"), skpool.pool(image, **keywords))
    assert sorted(os.listdir(tmp_path)) == ["in.npy", "out.npy"]


def test_nan_policy(tmp_path):
    image = pixels(6, 6, dtype=np.float32)
    image[2, 2] = np.nan
    run("pool", saved(tmp_path / "in.npy", image), tmp_path / "out.npy", "--nan-policy", "omit")
    same_bits(np.load(tmp_path / "out.npy"), skpool.max_pool(image, nan_policy="omit"))


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_channels(tmp_path, axis):
    image = pixels(7, 9, 8)
    run("pool", saved(tmp_path / "in.npy", image), tmp_path / "out.npy", "--channel-axis", axis, "--window", "3,2")
    same_bits(np.load(tmp_path / "out.npy"), skpool.max_pool(image, (3, 2), channel_axis=axis))


@pytest.mark.parametrize(
    "image",
    [
        pixels(9, 7, dtype=">i4"),
        np.asfortranarray(pixels(9, 7, dtype=np.float64)),
        pixels(9, 7) > 100,
        pixels(9),
        pixels(0, 7),
        pixels(3, 4, 5, 6, dtype=np.float16),
    ],
    ids=lambda image: f"{image.dtype}{image.shape}",
)
def test_arrays_of_any_kind(tmp_path, image):
    run("pool", saved(tmp_path / "in.npy", image), tmp_path / "out.npy", "--reduction", "range")
    same_bits(np.load(tmp_path / "out.npy"), skpool.range_pool(image))


# ---------------------------------------------------------------- by blocks

GEOMETRIES = [
    {"window_shape": 2},
    {"window_shape": 3, "stride": 2, "padding": 1},
    {"window_shape": 3, "stride": 2, "padding": 1, "ceil_mode": False},
    {"window_shape": 5, "stride": 1, "padding": (4, 2), "dilation": (1, 2)},
    {"window_shape": 2, "stride": 5, "padding": 3},
    {"window_shape": 2, "stride": 1, "padding": 6},  # windows that lie in the padding, at both ends
    {"window_shape": 40, "stride": 3, "padding": 40},
    {"window_shape": 13, "stride": 1, "padding": "same"},
    {"window_shape": 4, "stride": 3, "padding": "valid"},
]
MODES = [{"mode": mode} | ({"cval": 9} if mode == "constant" else {}) for mode in windows.PADDING_MODES]


def pooled_by_blocks(image, block, chunks, monkeypatch, window_shape, reduction, channel_axis=None, **keywords):
    """What the command's blocks make together, and how many they are."""
    monkeypatch.setattr(cli, "BLOCK", block)
    geometry = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": True, "mode": "ignore"}
    layout = windows.Sliding(window_shape, *(keywords.get(name, default) for name, default in geometry.items()))
    cval = keywords.get("cval", 0)
    plan = cli.make_plan(image.shape, image.dtype, reduction, layout, cval, channel_axis=channel_axis)
    options = cli.argparse.Namespace(
        reduction=reduction, parameters={}, cval=cval, nan_policy="propagate", workers=None
    )
    result = np.full(plan.shape, 77, plan.dtype)
    seen = np.zeros(plan.shape, int)
    source = files.Source(image, channel_axis, [])
    places = []
    for place, values in cli.pooled_blocks(source, "image", plan, options, chunks):
        result[place] = values
        seen[place] += 1
        places.append(place)
    assert (seen == 1).all()
    return result, places


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode["mode"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("reduction", ["max", "avg", "std"])
def test_blocks_equal_the_whole(mode, geometry, reduction, monkeypatch):
    image = np.random.default_rng(1).standard_normal((23, 19)).astype(np.float32)
    keywords = {**geometry, **mode, "reduction": reduction}
    whole = skpool.pool(image, **keywords)
    for block, chunks in ((1, (1, 1)), (300, (1, 1)), (3000, (1, 1)), (1, (3, 4)), (2**20, (1, 1))):
        result, _ = pooled_by_blocks(image, block, chunks, monkeypatch, **keywords)
        same_bits(result, whole)


def test_blocks_of_cut_windows_decide_as_the_whole(monkeypatch):
    """The last windows have too few rows for float64 totals, which those of the whole need."""
    image = np.random.default_rng(4).standard_normal((44, 40)).astype(np.float32)
    result, _ = pooled_by_blocks(image, 1, (1, 1), monkeypatch, 20, "avg")
    same_bits(result, skpool.avg_pool(image, 20))


@pytest.mark.parametrize("reduction", ["sum", "lp", "gem", "soft", "logsumexp", "median", "mode", "count", "entropy"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_blocks_of_volumes_and_channels(reduction, axis, monkeypatch):
    image = np.random.default_rng(2).random((6, 7, 8)) * 10
    keywords = {
        "window_shape": 3,
        "stride": 2,
        "padding": 1,
        "mode": "wrap",
        "channel_axis": axis,
        "reduction": reduction,
    }
    whole = skpool.pool(image, **keywords)
    for block in (1, 800, 5000):
        result, _ = pooled_by_blocks(image, block, (1,) * 3, monkeypatch, **keywords)
        same_bits(result, whole)


def test_large_windows_of_floats(monkeypatch):
    """Sums of more samples than are added in one piece."""
    image = np.random.default_rng(3).standard_normal((700, 400)).astype(np.float32)
    for reduction in ("avg", "sum", "var"):
        whole = skpool.pool(image, 300, reduction, stride=90)
        result, places = pooled_by_blocks(image, 1, (1, 1), monkeypatch, 300, reduction, stride=90)
        assert len(places) == whole.size
        same_bits(result, whole)


@pytest.mark.parametrize("shape", [(7, 9), (3, 4, 5), (11,), (2, 3, 4, 5), (4, 0), ()])
@pytest.mark.parametrize("samples", [0, 1, 3, 5, 7, 20, 1000])
def test_tiles_are_runs(shape, samples):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    found = [array[tile].ravel() for tile in files.tiles(shape, (1,) * len(shape), samples)]
    assert np.concatenate([[], *found]).tolist() == array.ravel().tolist()
    assert all(part.size <= max(samples, 1) for part in found)


def test_a_block_reads_no_more_than_its_windows(monkeypatch):
    image = pixels(100, 20)
    read = []
    monkeypatch.setattr(files, "select", lambda image, places, path: read.append(places) or image[places[0], places[1]])
    pooled_by_blocks(image, 20 * 2 * 2 * 5, (1, 1), monkeypatch, 3, "max", stride=2)
    assert len(read) > 5
    assert max(rows.stop - rows.start for rows, _ in read) == 17  # of 8 outputs


FRUGAL = """
import resource, sys
import numpy as np
import skpool.cli

sys.modules["tqdm"] = None
if sys.argv[2].endswith("zarr"):
    import zarr
pages = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (pages + 200 * 2**20,) * 2)
try:
    np.empty(2**28, np.uint8)
except MemoryError:
    sys.exit(skpool.cli.main([sys.argv[1], "in.npy", sys.argv[2], "--reduction", "avg", "--workers", "1"]))
"""


@pytest.mark.parametrize(
    ("command", "out"), [("pool", "out.npy"), ("pool", "out.tif"), ("pyramid", "out.tif"), ("pyramid", "out.zarr")]
)
def test_a_file_larger_than_memory(tmp_path, command, out):
    """A process that may have 200 MB more than it starts with pools a file of 600 MB."""
    pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not tell the size of a process")
    if out == "out.zarr":
        pytest.importorskip("zarr")
    image = np.lib.format.open_memmap(tmp_path / "in.npy", "w+", np.float32, (15000, 10000))
    image[::50] = 1  # the rest are holes of the file
    image.flush()
    del image
    done = in_process(tmp_path, "-c", FRUGAL, command, out)
    assert done.returncode == 0, done.stderr
    path = tmp_path / out / "1" if out == "out.zarr" else tmp_path / out
    if command == "pyramid" and out == "out.tif":
        import tifffile

        result = tifffile.imread(path, level=1)
    else:
        result = files.read(path).image
    assert result.shape == (7500, 5000)
    expected = skpool.avg_pool(np.load(tmp_path / "in.npy", mmap_mode="r")[5000:5100])
    np.testing.assert_array_equal(result[2500:2550], expected)
    assert sorted(os.listdir(tmp_path)) == ["in.npy", out]


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("extension", ["png", "tif", "tiff", "npy", "jpg", "jpeg", "PNG"])
@pytest.mark.parametrize("colour", [False, True])
def test_formats(tmp_path, extension, colour):
    import imageio.v3

    image = pixels(10, 14, 3) if colour else pixels(10, 14)
    imageio.v3.imwrite(tmp_path / "in.png", image)
    out = tmp_path / f"out.{extension}"
    run("pool", tmp_path / "in.png", out, "--reduction", "avg", "--dtype", "uint8")
    expected = skpool.avg_pool(image, channel_axis=2 if colour else None, dtype=np.uint8)
    source = files.read(out)
    if "jp" in extension:
        assert np.asarray(source.image).shape == expected.shape
    else:
        same_bits(np.asarray(source.image), expected)
    assert source.channel_axis == (2 if colour and extension != "npy" else None)


def test_pictures_keep_their_type(tmp_path):
    import imageio.v3

    for image in (pixels(10, 14), pixels(10, 14, dtype=np.uint16) * 300, pixels(10, 14) > 99, pixels(10, 14, 4)):
        imageio.v3.imwrite(tmp_path / "in.png", image)
        run("pool", tmp_path / "in.png", tmp_path / "out.png", "--reduction", "avg", "--overwrite")
        axis = 2 if image.ndim == 3 else None
        expected = skpool.avg_pool(image, dtype=image.dtype, channel_axis=axis)
        same_bits(files.read(tmp_path / "out.png").image, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint32, np.bool_, np.int64])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_of_any_type(tmp_path, dtype, compression):
    import tifffile

    image = pixels(3, 10, 14, dtype=dtype)
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="minisblack", compression=compression)
    run("pool", tmp_path / "in.tif", tmp_path / "out.tif", "--window", "1,2,2")
    same_bits(tifffile.imread(tmp_path / "out.tif"), skpool.max_pool(image, (1, 2, 2)))


@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"rowsperstrip": 16}, {}], ids=str)
@pytest.mark.parametrize("colour", [False, True])
def test_tiles_and_strips_are_read_as_they_are_needed(tmp_path, layout, colour, monkeypatch):
    import tifffile

    image = pixels(200, 150, 3) if colour else pixels(200, 150)
    kind = {"photometric": "rgb" if colour else "minisblack"}
    tifffile.imwrite(tmp_path / "in.tif", image, compression="zlib", **layout, **kind)
    monkeypatch.setattr(cli, "BLOCK", 20_000)
    run("pool", tmp_path / "in.tif", tmp_path / "out.npy", "--window", "3", "--stride", "2")
    expected = skpool.max_pool(image, 3, stride=2, channel_axis=2 if colour else None)
    same_bits(np.load(tmp_path / "out.npy"), expected)
    if importlib.util.find_spec("zarr"):
        assert isinstance(files.read(tmp_path / "in.tif").image, np.ndarray) == (not layout)
    monkeypatch.setitem(sys.modules, "zarr", None)
    run("pool", tmp_path / "in.tif", tmp_path / "again.npy", "--window", "3", "--stride", "2")
    same_bits(np.load(tmp_path / "again.npy"), expected)


def test_channels_of_a_tiff(tmp_path):
    import tifffile

    image = pixels(10, 14, 5)
    run("pool", saved(tmp_path / "in.npy", image), tmp_path / "a.tif", "--channel-axis=2")
    run("pool", tmp_path / "a.tif", tmp_path / "b.tif")
    assert tifffile.imread(tmp_path / "b.tif").shape == (3, 4, 5)
    run("pool", tmp_path / "a.tif", tmp_path / "c.tif", "--channel-axis", "none")
    assert tifffile.imread(tmp_path / "c.tif").shape == (3, 4, 3)


@pytest.mark.parametrize("mode", ["ignore", "reflect", "wrap"])
def test_zarr(tmp_path, mode, monkeypatch):
    zarr = pytest.importorskip("zarr")
    monkeypatch.setattr(cli, "BLOCK", 2000)
    monkeypatch.setattr(files._chunks, "__defaults__", (4,))
    image = pixels(50, 41, dtype=np.float32)
    stored = zarr.create_array(store=str(tmp_path / "in.zarr"), shape=image.shape, dtype=image.dtype, chunks=(16, 16))
    stored[:] = image
    arguments = ["--window=3", "--stride=2", "--padding=4", "--mode", mode, "--reduction=avg"]
    run("pool", tmp_path / "in.zarr", tmp_path / "out.zarr", *arguments)
    result = zarr.open(str(tmp_path / "out.zarr"), mode="r")
    assert result.chunks == (4, 4)
    same_bits(result[:], skpool.avg_pool(image, 3, stride=2, padding=4, mode=mode))
    run("pool", tmp_path / "in.zarr", tmp_path / "out.zarr", "--overwrite")
    same_bits(zarr.open(str(tmp_path / "out.zarr"), mode="r")[:], skpool.max_pool(image))
    assert sorted(os.listdir(tmp_path)) == ["in.zarr", "out.zarr"]


# ---------------------------------------------------------------- pyramid


def levels_of(image, axis=None, least=64):
    downscale = (1,) * (image.ndim - 2 - (axis is not None)) + (2, 2)
    return skpool.pool_pyramid(image, downscale=downscale, min_size=least, channel_axis=axis)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("shape", "axis", "names"), [((200, 300), None, "yx"), ((150, 200, 3), 2, "cyx"), ((5, 150, 200), None, "zyx")]
)
def test_ome_zarr(tmp_path, version, shape, axis, names):
    zarr = pytest.importorskip("zarr")
    image = pixels(*shape)
    size = {2: "0.5,0.25", 3: "2,0.5,0.25"}[len(names.replace("c", ""))]
    arguments = ["--ome", version, "--pixel-size", size, "--unit", "micrometer"]
    arguments += [] if axis is None else ["--channel-axis", axis]
    run("pyramid", saved(tmp_path / "in.npy", image), tmp_path / "out.zarr", *arguments)
    assert sorted(os.listdir(tmp_path)) == ["in.npy", "out.zarr"]
    group = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    assert group.metadata.zarr_format == {"0.4": 2, "0.5": 3}[version]
    attributes = group.attrs.asdict()
    if version == "0.5":
        attributes = attributes["ome"]
        assert attributes["version"] == "0.5"
        assert group["0"].metadata.dimension_names == tuple(names)
    [entry] = attributes["multiscales"]
    assert [axis["name"] for axis in entry["axes"]] == list(names)
    assert [axis["type"] for axis in entry["axes"]] == ["channel" if name == "c" else "space" for name in names]
    assert [axis.get("unit") for axis in entry["axes"]] == [None if name == "c" else "micrometer" for name in names]
    expected = levels_of(image, axis)
    assert len(entry["datasets"]) == len(expected) > 1
    pixel = {"z": 2, "y": 0.5, "x": 0.25, "c": 1}
    for number, (dataset, level) in enumerate(zip(entry["datasets"], expected, strict=True)):
        stored = group[dataset["path"]]
        same_bits(stored[:], level if axis is None else np.moveaxis(level, axis, 0))
        factors = [2**number if name in "yx" else 1 for name in names]
        scale, translation = dataset["coordinateTransformations"]
        assert scale == {"type": "scale", "scale": [f * pixel[n] for f, n in zip(factors, names, strict=True)]}
        middle = [(f - 1) / 2 * pixel[n] for f, n in zip(factors, names, strict=True)]
        assert translation == {"type": "translation", "translation": middle}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.filterwarnings("ignore")  # of the packages that ome-zarr imports
def test_ome_zarr_reads_it(tmp_path, version):
    io, reader = pytest.importorskip("ome_zarr.io"), pytest.importorskip("ome_zarr.reader")
    image = pixels(300, 200)
    run("pyramid", saved(tmp_path / "in.npy", image), tmp_path / "out.zarr", "--ome", version)
    [node] = reader.Reader(io.parse_url(str(tmp_path / "out.zarr")))()
    expected = levels_of(image)
    assert len(node.data) == len(expected)
    for data, level in zip(node.data, expected, strict=True):
        same_bits(np.asarray(data), level)
    assert [axis["name"] for axis in node.metadata["axes"]] == ["y", "x"]
    assert node.metadata["coordinateTransformations"][1][0]["scale"] == [2, 2]
    assert node.metadata["coordinateTransformations"][1][1]["translation"] == [0.5, 0.5]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_is_read_again(tmp_path, version, capsys):
    pytest.importorskip("zarr")
    image = pixels(150, 200, 3)
    path = saved(tmp_path / "in.npy", image)
    run("pyramid", path, tmp_path / "a.zarr", "--ome", version, "--channel-axis=-1", "--levels=2")
    run("pool", tmp_path / "a.zarr", tmp_path / "out.npy")
    same_bits(np.load(tmp_path / "out.npy"), skpool.max_pool(np.moveaxis(image, 2, 0), channel_axis=0))
    run("pool", tmp_path / "a.zarr" / "1", tmp_path / "level.npy", "--window=1")
    assert np.load(tmp_path / "level.npy").shape == (3, 75, 100)
    run("info", tmp_path / "a.zarr")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["shape   3 × 150 × 200 (channels: axis 0)", "type    uint8"]
    assert lines[3] == "levels  3"
    assert lines[5] == "  1     3 × 75 × 100  scale 1, 2, 2  translation 0, 0.5, 0.5"


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((200, 300), None), ((150, 200, 3), 2), ((5, 150, 200), None), ((3, 140, 150), 0), ((140, 2, 150), 1)],
)
def test_tiff_pyramid(tmp_path, shape, axis):
    import tifffile

    image = pixels(*shape)
    arguments = [] if axis is None else ["--channel-axis", axis]
    run("pyramid", saved(tmp_path / "in.npy", image), tmp_path / "out.tif", *arguments)
    expected = levels_of(image, axis)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        [series] = file.series
        assert series.is_pyramidal
        assert len(series.levels) == len(expected) > 1
        assert all(level.keyframe.is_tiled for level in series.levels)
        assert len(file.pages[0].subifds) == len(expected) - 1
        for stored, level in zip(series.levels, expected, strict=True):
            same_bits(stored.asarray(), level if axis != 1 else np.moveaxis(level, 1, 0))
    assert files.read(tmp_path / "out.tif").channel_axis == (2 if axis == 2 else None)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
@pytest.mark.parametrize("reduction", ["avg", "max", "std", "median"])
@pytest.mark.parametrize(
    ("shape", "axis", "downscale"), [((300, 261), None, 2), ((2, 190, 200), 0, 3), ((190, 200, 3), 2, 2)]
)
@pytest.mark.parametrize("out", ["out.tif", "out.zarr"])
def test_parts_of_a_pyramid_equal_the_whole(tmp_path, monkeypatch, out, shape, axis, downscale, reduction, dtype):
    import tifffile

    if out == "out.zarr":
        pytest.importorskip("zarr")
        monkeypatch.setattr(files._chunks, "__defaults__", (32,))
    monkeypatch.setattr(cli, "BLOCK", 20_000)
    reads = []
    select = files.select
    monkeypatch.setattr(files, "select", lambda *given: reads.append(given) or select(*given))
    image = pixels(*shape) if dtype == "uint8" else np.random.default_rng(0).normal(size=shape).astype(dtype)
    if dtype == "bool" and axis == 2:
        pytest.skip("no TIFF holds them")
    arguments = ["--levels=3", f"--downscale={downscale}", "--reduction", reduction]
    arguments += [] if axis is None else ["--channel-axis", axis]
    run("pyramid", saved(tmp_path / "in.npy", image), tmp_path / out, *arguments)
    assert len(reads) > 5
    expected = skpool.pool_pyramid(image, 3, downscale, reduction=reduction, channel_axis=axis)
    for number, level in enumerate(expected):
        level = level.astype(expected[1].dtype)
        if out == "out.tif":
            stored = tifffile.imread(tmp_path / out, level=number)
        else:
            stored = files.read(tmp_path / out / str(number)).image[...]
            level = level if axis is None else np.moveaxis(level, axis, 0)
        same_bits(stored, level)


def test_booleans_with_channels_last(folder, capsys):
    """tifffile gives others back."""
    np.save("flags.npy", np.ones((9, 9, 3), bool))
    before = sorted(os.listdir())
    for command in ("pool", "pyramid"):
        code, line = said(capsys, command, "flags.npy", "out.tif", "--channel-axis", "2", "--reduction", "max")
        assert (code, line[:37]) == (1, "skpool: error: a TIFF holds booleans ")
        assert sorted(os.listdir()) == before


def test_pixels_that_a_pyramid_refuses(folder, capsys):
    before = sorted(os.listdir())
    for out in ("out.tif", "out.zarr"):
        if out == "out.zarr":
            pytest.importorskip("zarr")
        code, line = said(capsys, "pyramid", "nan.npy", out, "--nan-policy", "raise", "--levels", "1")
        assert code == 1
        assert line.startswith("skpool: error: `image` must not have NaN")
        assert sorted(os.listdir()) == before


def test_reductions_of_a_pyramid(tmp_path):
    import tifffile

    image = pixels(130, 140)
    run(
        "pyramid",
        saved(tmp_path / "in.npy", image),
        tmp_path / "out.tif",
        "--reduction",
        "sum",
        "--downscale",
        "3",
        "--levels=2",
    )
    expected = skpool.pool_pyramid(image, 2, 3, reduction="sum")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        for stored, level in zip(file.series[0].levels, expected, strict=True):
            same_bits(stored.asarray(), level.astype(np.uint64))  # one type for all levels


def test_small_images_have_one_level(tmp_path, capsys):
    run("pyramid", saved(tmp_path / "in.npy", pixels(70, 80)), tmp_path / "out.tif")
    run("info", tmp_path / "out.tif")
    assert "levels  1" in capsys.readouterr().out


# ---------------------------------------------------------------- info


def test_info(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, "BLOCK", 100)
    image = pixels(30, 40, dtype=np.float32) + 1
    image[3, 4], image[20, 20], image[29, 39] = np.nan, -3.5, 1e6
    run("info", saved(tmp_path / "in.npy", image))
    assert capsys.readouterr().out == "shape   30 × 40\ntype    float32\nrange   -3.5 to 1000000.0\nlevels  1\n"


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (np.full((2, 2), np.nan), "no numbers"),
        (np.zeros((0, 3)), "no numbers"),
        (np.array([2**64 - 1, 5], np.uint64), "5 to 18446744073709551615"),
        (np.array([True, False]), "False to True"),
        (np.array(3), "3 to 3"),
        (np.array([1j]), "unknown: no real numbers of at most 64 bits"),
        (np.array(["a"]), "unknown: no real numbers of at most 64 bits"),
    ],
    ids=str,
)
def test_ranges(tmp_path, capsys, image, text):
    run("info", saved(tmp_path / "in.npy", image))
    assert f"range   {text}\n" in capsys.readouterr().out


# ---------------------------------------------------------------- wrong arguments: 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "required: COMMAND"),
        (["shrink"], "invalid choice: 'shrink'"),
        (["pool"], "required: IN, OUT"),
        (["pool", "in.npy"], "required: OUT"),
        (["info"], "required: IN"),
        (["pool", "a", "b", "--window", "0"], "--window: must be an integer >= 1.*got '0'"),
        (["pool", "a", "b", "--window", "2,x"], "--window: must be an integer >= 1.*got '2,x'"),
        (["pool", "a", "b", "--stride", "-1"], "--stride: must be an integer >= 1.*got '-1'"),
        (["pool", "a", "b", "--padding", "-1"], "--padding: must be an integer >= 0.*got '-1'"),
        (["pool", "a", "b", "--padding", "1:2:3"], "--padding: must be.*got '1:2:3'"),
        (["pool", "a", "b", "--padding", "some"], "--padding: must be.*same.*got 'some'"),
        (["pool", "a", "b", "--mode", "mirror"], "--mode: invalid choice: 'mirror'"),
        (["pool", "a", "b", "--reduction", "mean"], "--reduction: invalid choice: 'mean'.*avg"),
        (["pool", "a", "b", "--cval", "x"], "--cval: must be a number, got 'x'"),
        (["pool", "a", "b", "--dtype", "complex"], "--dtype: must be a NumPy type.*got 'complex'"),
        (["pool", "a", "b", "--dtype", "u99"], "--dtype: must be a NumPy type.*got 'u99'"),
        (["pool", "a", "b", "--channel-axis", "last"], "--channel-axis: must be an integer, none or auto, got 'last'"),
        (["pool", "a", "b", "--workers", "0"], "--workers: must be an integer >= 1, got '0'"),
        (["pool", "a", "b", "--parameter", "p"], "--parameter: must be NAME=VALUE, got 'p'"),
        (["pool", "a", "b", "--parameter", "p=3"], "--parameter: `p` is not a parameter of reduction 'max'"),
        (["pool", "a", "b", "--reduction=lp", "--parameter", "p=x"], "--parameter: p must be a number, got 'x'"),
        (["pool", "a", "b", "--reduction=lp", "--parameter", "p=-1"], "--parameter: `p` must be > 0, got -1"),
        (["pool", "a", "b", "--reduction=percentile"], "--parameter: `q` must be given"),
        (["pool", "a", "b", "--nan-policy", "ignore"], "--nan-policy: invalid choice"),
        (["pool", "a", "b", "--win", "2"], "unrecognized arguments: --win"),
        (["pyramid", "a", "b", "--levels", "-1"], "--levels: must be an integer >= 0, got '-1'"),
        (["pyramid", "a", "b", "--min-size", "0"], "--min-size: must be an integer >= 1, got '0'"),
        (["pyramid", "a", "b", "--downscale", "0"], "--downscale: must be an integer >= 1.*got '0'"),
        (["pyramid", "a", "b", "--pixel-size", "0"], "--pixel-size: must be a number > 0.*got '0'"),
        (["pyramid", "a", "b", "--pixel-size", "nan"], "--pixel-size: must be a number > 0.*got 'nan'"),
        (["pyramid", "a", "b", "--ome", "0.3"], "--ome: invalid choice: '0.3'"),
    ],
    ids=lambda value: " ".join(value) if type(value) is list else "",
)
def test_wrong_arguments(capsys, arguments, text):
    code, line = said(capsys, *arguments)
    assert code == 2
    assert re.search(rf"^skpool.*: error: .*{text}.*\(see skpool.* --help\)$", line), line


def test_every_padding_mode_and_reduction_is_offered(capsys):
    assert main(["pool", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in (windows.PADDING_MODES, windows.NAMED_PADDING, cli.REDUCTIONS):
        assert all(re.search(rf"\b{word}\b", text) for word in words)


@pytest.mark.parametrize("command", ["pool", "pyramid", "info"])
def test_examples_of_the_help_are_commands(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    examples = re.findall(rf"^  skpool ({command} .*)$", text, re.MULTILINE)
    assert examples
    for example in examples:
        options = cli.parser_of().parse_args(example.split())
        assert options.function is getattr(cli, f"{command}_command")
        if command != "info":
            cli.parameters_of(options, options.parser)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skpool {skpool.__version__}\n"


# ---------------------------------------------------------------- failures: 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with some files, good and bad, to be in."""
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", pixels(12, 10))
    np.save("colour.npy", pixels(12, 10, 3))
    np.save("five.npy", pixels(12, 10, 5))
    np.save("float.npy", pixels(12, 10) / 7)
    np.save("nan.npy", np.full((4, 4), np.nan))
    np.save("complex.npy", np.ones((4, 4), complex))
    np.save("scalar.npy", np.array(3))
    np.save("objects.npy", np.array([{}, None]), allow_pickle=True)
    np.save("line.npy", pixels(300))
    np.save("volume.npy", pixels(2, 2, 2, 20, 20))
    Path("text.npy").write_text("no array")
    Path("text.png").write_text("no picture")
    Path("text.jpg").write_text("no picture")
    Path("text.tif").write_text("no tiff")
    Path("notes.txt").write_text("no image")
    whole = Path("in.npy").read_bytes()
    Path("short.npy").write_bytes(whole[:-20])
    Path("empty.npy").write_bytes(b"")
    Path("folder.npy").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("pool missing.npy out.npy", "no such file: missing.npy"),
        ("info missing.tif", "no such file: missing.tif"),
        ("pool notes.txt out.npy", r"unknown extension '\.txt' of notes.txt: known are \.npy"),
        ("pool in.npy out.gif", r"unknown extension '\.gif' of out.gif"),
        ("pool in.npy out", r"unknown extension '' of out"),
        ("pyramid in.npy out.npy", r"a pyramid is written to \.zarr, \.tif or \.tiff, got out.npy"),
        ("pyramid in.npy out", r"a pyramid is written to"),
        ("pool text.npy out.npy", "cannot read text.npy: "),
        ("pool text.png out.npy", "cannot read text.png: "),
        ("pool text.jpg out.npy", "cannot read text.jpg: "),
        ("info text.tif", "cannot read text.tif: "),
        ("pool short.npy out.npy", "cannot read short.npy: "),
        ("pool empty.npy out.npy", "cannot read empty.npy: "),
        ("pool objects.npy out.npy", "cannot read objects.npy: "),
        ("pool folder.npy out.npy", "cannot read folder.npy: Is a directory"),
        ("pool complex.npy out.npy", "`image` must be boolean, integer or floating point"),
        ("pool scalar.npy out.npy", "`image` must have at least one axis"),
        ("pool in.npy out.npy --channel-axis 2", r"--channel-axis must be from -2 to 1 for shape \(12, 10\), got 2"),
        (
            "pool in.npy out.npy --window 2,2,2",
            "`window_shape` must have one entry for each of the 2 spatial axes, got 3",
        ),
        ("pool in.npy out.npy --window 20 --no-ceil", "`window_shape` must fit into the padded image"),
        ("pool in.npy out.npy --mode constant --cval 300", "`cval` must be representable as uint8, got 300"),
        ("pool nan.npy out.npy --nan-policy raise", "`image` must not have NaN"),
        ("pool float.npy out.png", r"\.png holds bool or uint8 or uint16 here, got float64: choose --dtype"),
        ("pool float.npy out.jpg --dtype uint16", r"\.jpg holds uint8 here, got uint16: choose --dtype uint8"),
        ("pool five.npy out.png --channel-axis 2", r"\.png holds 2 or 3 or 4 channels.*got 5"),
        ("pool colour.npy out.png", r"\.png holds one image of rows and columns, got shape \(6, 5, 2\)"),
        ("pool in.npy none/out.npy", "no such folder: none"),
        ("pool in.npy colour.npy", "colour.npy exists: --overwrite replaces it"),
        ("pyramid in.npy text.tif", "text.tif exists: --overwrite replaces it"),
        ("pool in.npy folder.npy --overwrite", "folder.npy is a folder, and no zarr: it is not replaced"),
        ("pyramid volume.npy out.zarr", r"OME-Zarr has 2 or 3 spatial axes, got shape \(2, 2, 2, 20, 20\)"),
        ("pyramid volume.npy out.tif --downscale 2 --levels 1", r"levels of a TIFF shrink by .*got \(2, 2, 2, 2, 2\)"),
        ("pyramid in.npy out.tif --downscale 2,3", r"levels of a TIFF shrink by .*got \(2, 3\)"),
        ("pyramid line.npy out.tif", r"levels of a TIFF shrink by .*got \(2,\)"),
        ("pyramid in.npy out.tif --downscale 2,2,2", "`downscale` must have one entry for each of the 2 spatial axes"),
        ("pyramid in.npy out.tif --pixel-size 1,2,3", "--pixel-size must have one number for each of the 2.*got 3"),
        ("pyramid float.npy out.tif --reduction count --levels 1", "levels of 'count' are int64, which does not hold"),
    ],
)
def test_failures(folder, capsys, arguments, text):
    before = sorted(os.listdir())
    code, line = said(capsys, *arguments.split())
    assert code == 1
    assert re.search(f"^skpool: error: {text}", line), line
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("text", ["zarr.json", "text"])
def test_unreadable_zarr(folder, capsys, text):
    pytest.importorskip("zarr")
    Path("bad.zarr").mkdir()
    Path("bad.zarr", text).write_text("nothing")
    code, line = said(capsys, "info", "bad.zarr")
    assert code == 1
    assert line.startswith("skpool: error: cannot read bad.zarr: ")


def test_groups_without_an_image(folder, capsys):
    zarr = pytest.importorskip("zarr")
    zarr.open_group("group.zarr", mode="w").create_array("0", shape=(4, 4), dtype="uint8")
    code, line = said(capsys, "info", "group.zarr")
    assert code == 1
    assert "is a group without `multiscales`: name an array in it, as in group.zarr/0" in line
    run("info", "group.zarr/0")


def test_without_zarr(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    for arguments in ("pool in.npy out.zarr", "pyramid in.npy out.zarr"):
        code, line = said(capsys, *arguments.split())
        assert (code, line) == (1, "skpool: error: .zarr needs the package zarr: pip install 'skpool[zarr]'")


def test_not_enough_memory(folder, capsys, monkeypatch):
    def fail(*arguments, **keywords):
        raise MemoryError("9 TiB")

    monkeypatch.setattr(cli, "pooled_by", fail)
    before = sorted(os.listdir())
    assert said(capsys, "pool", "in.npy", "out.npy") == (1, "skpool: not enough memory: 9 TiB")
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("out", ["out.npy", "out.tif", "out.zarr"])
@pytest.mark.parametrize("command", ["pool", "pyramid"])
def test_full_disk(tmp_path, command, out):
    """A process that may not write more than 20 kB to a file: what a full disk does, but of this process alone."""
    resource = pytest.importorskip("resource")
    if (command, out) == ("pyramid", "out.npy"):
        command, out = "pool", "out.png"
    if out == "out.zarr":
        pytest.importorskip("zarr")
    saved(tmp_path / "in.npy", np.random.default_rng(0).integers(0, 255, (500, 500), dtype=np.uint8))
    done = in_process(
        tmp_path,
        "-m",
        "skpool",
        command,
        "in.npy",
        out,
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2),
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"skpool: error: cannot write {out}: ")
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["in.npy"]


# ---------------------------------------------------------------- what is there before


def test_overwrite(folder):
    before = Path("float.npy").read_bytes()
    assert main(["pool", "in.npy", "float.npy"]) == 1
    assert Path("float.npy").read_bytes() == before
    run("pool", "in.npy", "float.npy", "--overwrite")
    same_bits(np.load("float.npy"), skpool.max_pool(np.load("in.npy")))


def test_onto_itself(folder):
    image = np.load("in.npy")
    run("pool", "in.npy", "in.npy", "--overwrite")
    same_bits(np.load("in.npy"), skpool.max_pool(image))


def test_errors_leave_what_was_there(folder, capsys):
    before = Path("in.npy").read_bytes()
    code, _ = said(capsys, "pool", "nan.npy", "in.npy", "--overwrite", "--nan-policy", "raise")
    assert code == 1
    assert Path("in.npy").read_bytes() == before


def test_a_file_that_came_meanwhile_is_kept(folder, capsys, monkeypatch):
    put = files._Stream.put

    def put_and_meet(self, place, values):
        Path("out.npy").write_text("mine")
        put(self, place, values)

    monkeypatch.setattr(files._Stream, "put", put_and_meet)
    code, line = said(capsys, "pool", "in.npy", "out.npy")
    assert (code, line) == (1, "skpool: error: out.npy exists, and did not before: --overwrite replaces it")
    assert Path("out.npy").read_text() == "mine"


@pytest.mark.parametrize("out", ["out.npy", "out.tif", "out.png", "out.zarr"])
@pytest.mark.parametrize("there", [False, True])
def test_interrupts_leave_nothing(folder, capsys, monkeypatch, out, there):
    """After the second block of several."""
    if out == "out.zarr":
        pytest.importorskip("zarr")
        monkeypatch.setattr(files._chunks, "__defaults__", (2,))
    if there:
        run("pool", "in.npy", out)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(cli, "BLOCK", 1)
    calls = []
    pooled_by = cli.pooled_by

    def interrupted(*arguments, **keywords):
        calls.append(len(list(folder.iterdir())))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return pooled_by(*arguments, **keywords)

    monkeypatch.setattr(cli, "pooled_by", interrupted)
    assert said(capsys, "pool", "in.npy", out, "--overwrite") == (130, "skpool: interrupted")
    assert len(calls) == 3
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("writer", ["write_tiff_pyramid", "write_ome_zarr"])
def test_interrupted_pyramids_leave_nothing(folder, capsys, monkeypatch, writer):
    write = getattr(files, writer)
    out = "out.tif" if "tiff" in writer else "out.zarr"
    if out == "out.zarr":
        pytest.importorskip("zarr")

    def interrupted(path, *rest):
        write(path, *rest)
        assert path.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(files, writer, interrupted)
    before = sorted(os.listdir())
    assert said(capsys, "pyramid", "in.npy", out) == (130, "skpool: interrupted")
    assert sorted(os.listdir()) == before


# ---------------------------------------------------------------- progress, and the real thing


def test_progress(folder, monkeypatch, capsys):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr(cli, "BLOCK", 1)
    run("pool", "in.npy", "quiet.npy")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("pool", "in.npy", "out.npy")
    assert "pool:   0%|          | 0/30" in capsys.readouterr().err
    assert isinstance(cli.progress([1, 2], "x"), tqdm.tqdm)
    capsys.readouterr()
    assert cli.progress([1], "x") == [1]
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert cli.progress([1, 2], "x") == [1, 2]


def in_process(folder, *arguments, before=None):
    environment = os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=before,
    )


def test_python_m_skpool(tmp_path):
    image = pixels(30, 40)
    saved(tmp_path / "in.npy", image)
    done = in_process(tmp_path, "-W", "error", "-m", "skpool", "pool", "in.npy", "out.npy", "--reduction", "avg")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    same_bits(np.load(tmp_path / "out.npy"), skpool.avg_pool(image))
    done = in_process(tmp_path, "-m", "skpool", "info", "out.npy")
    assert done.stdout.startswith("shape   15 × 20\ntype    float64\n")
    assert in_process(tmp_path, "-m", "skpool", "pool", "in.npy").returncode == 2
    assert in_process(tmp_path, "-m", "skpool", "info", "none.npy").returncode == 1


def test_the_script_that_is_installed(tmp_path):
    """As a shell finds it, beside the interpreter."""
    script = shutil.which("skpool", path=Path(sys.executable).parent)
    if script is None:
        pytest.skip("skpool is not installed for this interpreter, only imported")
    saved(tmp_path / "in.npy", pixels(30, 40))
    done = subprocess.run(
        [script, "pool", "in.npy", "out.npy"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    same_bits(np.load(tmp_path / "out.npy"), skpool.max_pool(pixels(30, 40)))
    done = subprocess.run([script, "info", "none.npy"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "skpool: error: no such file: none.npy\n")


def test_the_script_is_declared():
    project = Path(skpool.__file__).parents[1] / "pyproject.toml"
    if not project.exists():
        pytest.skip("an installed package has no pyproject.toml")
    assert 'skpool = "skpool.cli:main"' in project.read_text(encoding="utf-8")


def test_optional_packages_are_imported_only_where_they_are_needed(tmp_path):
    saved(tmp_path / "in.npy", pixels(4, 4))
    code = (
        "import sys; from skpool.cli import main; main(['pool', 'in.npy', 'out.npy']); "
        "print(*{'zarr', 'tifffile', 'imageio', 'tqdm'} & set(sys.modules))"
    )
    done = in_process(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
