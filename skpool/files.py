"""Image files of the command line: a table of formats by extension, and outputs that have their name only when whole.

What is read is an array, or behaves as one where it stays in its file (``.npy``, plain TIFF, zarr). What is written
gets its values in blocks, in row-major order, and goes to a name of its own beside the target until it is whole.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Failure(Exception):
    """What the command line says in one line before it ends."""


@contextlib.contextmanager
def telling(what, path):
    """Turn an error of a library that reads or writes files into a line that names the file."""
    try:
        yield
    except (Failure, MemoryError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Failure(f"cannot {what} {path}: {reason}") from error


# --- reading


class Level(NamedTuple):
    """One resolution of a file: its name there, its shape, and its place, if the file tells."""

    name: str
    shape: tuple
    scale: tuple | None = None
    translation: tuple | None = None


class Source(NamedTuple):
    """An image in a file, its full resolution; the axis of its channels, if the file tells; all resolutions."""

    image: object
    channel_axis: int | None
    levels: list


def read(path):
    """The `Source` in a file."""
    reader = format_of(path).read
    if not path.exists():
        raise Failure(f"no such file: {path}")
    with telling("read", path):
        return reader(path)


def select(image, places, path):
    """A part of an image: a slice, or an array of indices, for each axis."""
    with telling("read", path):
        if all(isinstance(place, slice) for place in places):
            return image[tuple(places)]
        if hasattr(image, "oindex"):  # zarr reads the chunks that the indices are in
            return image.oindex[tuple(places)]
        part = image[tuple(place if isinstance(place, slice) else slice(None) for place in places)]
        for axis, place in enumerate(places):
            if not isinstance(place, slice):
                part = part.take(place, axis)
        return part


def _one_level(image, channel_axis=None):
    return Source(image, channel_axis, [Level("0", image.shape)])


def _read_npy(path):
    try:
        return _one_level(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:  # an array without samples cannot be mapped
        return _one_level(np.load(path, allow_pickle=False))


def _read_picture(path):
    import imageio.v3

    with open(path, "rb") as file:  # imageio leaves a file open that it cannot read
        image = imageio.v3.imread(file, extension=path.suffix)
    if image.dtype == np.bool_:  # it has 255 where it should have 1
        image = image.view(np.uint8) != 0
    return _one_level(image, 2 if image.ndim == 3 else None)


def _read_tiff(path):
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        channels = [series.axes.index(letter) for letter in "SC" if letter in series.axes]
        levels = [Level(str(number), level.shape) for number, level in enumerate(series.levels)]
        if series.dataoffset is not None:
            image = tifffile.memmap(path, mode="r")
        elif len(series.keyframe.dataoffsets) > 1 and series.dtype.kind != "b" and importlib.util.find_spec("zarr"):
            image = _segments(path)
        else:
            image = series.asarray()
    return Source(image, channels[0] if channels else None, levels)


def _segments(path):
    """A TIFF in tiles or strips as a zarr array, which reads those that it is asked for."""
    import tifffile

    store = tifffile.imread(path, aszarr=True, series=0, level=0)
    image = _zarr().open(store, mode="r")
    weakref.finalize(image, store.close)
    return image


def _zarr():
    """The package, which is an extra."""
    try:
        import zarr
    except ImportError:
        raise Failure(".zarr needs the package zarr: pip install 'skpool[zarr]'") from None
    return zarr


def _read_zarr(path):
    node = _zarr().open(str(path), mode="r")
    if hasattr(node, "shape"):
        return _one_level(node)
    attributes = node.attrs.asdict()
    multiscales = attributes.get("ome", attributes).get("multiscales")
    if not multiscales:
        raise Failure(f"{path} is a group without `multiscales`: name an array in it, as in {path / '0'}")
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in multiscales[0].get("axes", ())]
    channels = [i for i, axis in enumerate(axes) if axis.get("type") == "channel" or axis["name"] == "c"]
    levels = []
    for entry in multiscales[0]["datasets"]:
        place = {}
        for transform in entry.get("coordinateTransformations", ()):
            place[transform["type"]] = tuple(transform.get(transform["type"], ()))
        shape = node[entry["path"]].shape
        levels.append(Level(entry["path"], shape, place.get("scale"), place.get("translation")))
    return Source(node[levels[0].name], channels[0] if channels else None, levels)


# --- writing


@contextlib.contextmanager
def replacing(path, overwrite):
    """A name to write to, which becomes `path` at the end, or is removed on the way out of an error or an interrupt."""
    if os.path.lexists(path):
        if not overwrite:
            raise Failure(f"{path} exists: --overwrite replaces it")
        if path.is_dir() and not any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray")):
            raise Failure(f"{path} is a folder, and no zarr: it is not replaced")
    if not path.parent.is_dir():
        raise Failure(f"no such folder: {path.parent}")
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        with telling("write", path):
            if os.path.lexists(path) and not overwrite:
                raise Failure(f"{path} exists, and did not before: --overwrite replaces it")
            _rename(partial, path)
    finally:
        _remove(partial)


def _rename(partial, path):
    """Put what is whole in its place; folders cannot replace one another in one step."""
    if not os.path.lexists(path) or not (path.is_dir() or partial.is_dir()):
        os.replace(partial, path)
        return
    before = path.with_name(f".{path.stem}.{os.getpid()}.old")
    os.rename(path, before)
    os.rename(partial, path)
    _remove(before)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class _Stream:
    """A ``.npy`` file, written block by block."""

    def __init__(self, path, shape, dtype, channel_axis):
        self.chunks = (1,) * len(shape)
        self.file = open(path, "xb")  # noqa: SIM115 (`close` closes it)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def put(self, place, values):
        self.file.write(np.ascontiguousarray(values).data)

    def close(self, whole):
        self.file.close()


class _Chunks:
    """A zarr array, whose blocks are whole chunks."""

    def __init__(self, path, shape, dtype, channel_axis):
        self.chunks = _chunks(shape)
        self.array = _zarr().create_array(store=str(path), shape=shape, dtype=dtype, chunks=self.chunks)

    def put(self, place, values):
        self.array[place] = values

    def close(self, whole):
        pass


def _chunks(shape, side=512):
    """Chunks of one plane: squares of the last two axes."""
    return (1,) * (len(shape) - 2) + tuple(min(max(length, 1), side) for length in shape[-2:])


def _tiff(path, shape, dtype, channel_axis):
    """A TIFF, written block by block where pixels are whole bytes."""
    return (_Tiff if dtype.kind == "b" or 0 in shape else _TiffStream)(path, shape, dtype, channel_axis)


class _TiffStream(_Stream):
    """A TIFF without compression: its header and a run of pixels."""

    def __init__(self, path, shape, dtype, channel_axis):
        import tifffile

        self.chunks = (1,) * len(shape)
        layout = _tiff_layout(shape, dtype, channel_axis)
        start, _ = tifffile.imwrite(path, shape=shape, dtype=dtype, returnoffset=True, **layout)
        self.file = open(path, "r+b")  # noqa: SIM115 (`close` closes it)
        self.file.seek(start)


class _Held:
    """A file that is written at the end, its values held in memory until then."""

    def __init__(self, path, shape, dtype, channel_axis):
        self.chunks = (1,) * len(shape)
        self.path, self.channel_axis = path, channel_axis
        self.array = np.empty(shape, dtype)
        self.check()

    def check(self):
        """Refuse what the format cannot hold."""

    def put(self, place, values):
        self.array[place] = values

    def close(self, whole):
        if whole:
            self.write()


class _Tiff(_Held):
    def write(self):
        import tifffile

        tifffile.imwrite(self.path, self.array, **_tiff_layout(self.array.shape, self.array.dtype, self.channel_axis))


def _tiff_layout(shape, dtype, channel_axis):
    if channel_axis is None or channel_axis != len(shape) - 1:
        return {"photometric": "minisblack"}
    if dtype.kind == "b":  # tifffile packs their bits wrongly
        raise Failure(f"a TIFF holds booleans without channels, or with channels first, got shape {shape}")
    return {"photometric": "rgb" if shape[-1] in (3, 4) else "minisblack", "planarconfig": "contig"}


class _Picture(_Held):
    #: Types that files of the format hold, by the number of channels.
    types = ("bool", "uint8", "uint16"), {2: ("uint8",), 3: ("uint8",), 4: ("uint8",)}

    def check(self):
        grey, colour = self.types
        shape, dtype = self.array.shape, self.array.dtype
        channels = None if self.channel_axis is None else shape[self.channel_axis]
        if len(shape) != 2 + (channels is not None) or not self.array.size:
            raise Failure(f"{self.path.suffix} holds one image of rows and columns, got shape {shape}")
        types = grey if channels is None else colour.get(channels)
        if types is None:
            counts = " or ".join(map(str, colour))
            raise Failure(f"{self.path.suffix} holds {counts} channels, or grey without an axis for it, got {channels}")
        if dtype.name not in types:
            raise Failure(f"{self.path.suffix} holds {' or '.join(types)} here, got {dtype}: choose --dtype {types[0]}")

    def write(self):
        import imageio.v3

        image = self.array if self.channel_axis is None else np.moveaxis(self.array, self.channel_axis, -1)
        imageio.v3.imwrite(self.path, image, extension=self.path.suffix)


class _Jpeg(_Picture):
    types = ("uint8",), {3: ("uint8",)}


# --- formats


class Format(NamedTuple):
    """How files of an extension are read and written, and whether results have by default the type of the image."""

    read: Callable
    write: Callable
    keeps_type: bool = False


FORMATS = {
    ".npy": Format(_read_npy, _Stream),
    ".png": Format(_read_picture, _Picture, True),
    ".jpg": Format(_read_picture, _Jpeg, True),
    ".jpeg": Format(_read_picture, _Jpeg, True),
    ".tif": Format(_read_tiff, _tiff),
    ".tiff": Format(_read_tiff, _tiff),
    ".zarr": Format(_read_zarr, _Chunks),
}


def suffix_of(path):
    """The extension that tells the format; what lies in a folder ``.zarr`` is zarr."""
    return ".zarr" if any(folder.suffix == ".zarr" for folder in path.parents) else path.suffix.lower()


def format_of(path):
    """The row of `FORMATS` for a path."""
    suffix = suffix_of(path)
    if suffix not in FORMATS:
        raise Failure(f"unknown extension {suffix!r} of {path}: known are {', '.join(FORMATS)}")
    return FORMATS[suffix]


@contextlib.contextmanager
def written(path, overwrite, shape, dtype, channel_axis):
    """Something with `chunks` and a method ``put(place, values)``, which takes the blocks of an array in order."""
    with replacing(path, overwrite) as partial:
        whole = False
        with telling("write", path):
            sink = format_of(path).write(partial, shape, dtype, channel_axis)
        try:
            yield sink
            whole = True
        finally:
            with telling("write", path):
                sink.close(whole)


def tiles(shape, chunks, samples):
    """Slices of blocks of about so many samples and of whole chunks, in row-major order.

    Where chunks are single samples, every block is a run of the array. The last block along an axis takes what is less
    than a chunk with it.
    """
    spans = []
    for length, chunk in zip(reversed(shape), reversed(chunks), strict=True):
        size = max(min(length, max(chunk, samples // chunk * chunk)), 1)
        samples //= size
        begins = list(range(0, length, size))
        if len(begins) > 1 and length - begins[-1] < chunk:
            begins.pop()
        spans.insert(0, list(map(slice, begins, [*begins[1:], length])))
    yield from itertools.product(*spans)


# --- pyramids


class Pyramid(NamedTuple):
    """An image and its levels, to be written while they are computed. Axes are those of the file.

    Attributes
    ----------
    shapes : list of tuple of int
        Of the image and of its levels.
    dtype : numpy.dtype
        Of all of them.
    channel_axis : int or None
    whole : tuple of int
        Samples of the image along each axis that a part has at least, or a multiple of.
    image : callable
        Slices -> that part of the image.
    parts : callable
        ``chunks`` -> (number of a level, its slices, values) of parts of the image that are whole chunks, in row-major
        order.
    """

    shapes: list
    dtype: np.dtype
    channel_axis: int | None
    whole: tuple
    image: Callable
    parts: Callable


#: Side of the tiles of a TIFF.
_TIFF_TILE = 256


def write_tiff_pyramid(path, pyramid):
    """Tiled levels, those below the image as its SubIFDs; channels come first or last.

    A TIFF is written level by level: the image is read once more, and its levels wait in files beside the target.
    """
    import tifffile

    shape, dtype = pyramid.shapes[0], pyramid.dtype
    layout = _tiff_layout(shape, dtype, pyramid.channel_axis)
    rows = len(shape) - (3 if "planarconfig" in layout else 2)
    samples = sum(math.prod(shape) for shape in pyramid.shapes)
    big = samples * dtype.itemsize > 2**32 - 2**25  # offsets of the classic format have 32 bits
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}.", dir=path.parent) as folder:
        paths = [os.path.join(folder, f"{number}.npy") for number in range(len(pyramid.shapes))]
        streams = [_Stream(*given, dtype, None) for given in zip(paths, pyramid.shapes, strict=True)]
        with contextlib.ExitStack() as stack:
            for stream in streams:
                stack.callback(stream.close, True)
            for number, place, values in pyramid.parts(pyramid.whole[: rows + 1] + shape[rows + 1 :]):
                if number:
                    streams[number].put(place, values)
        with tifffile.TiffWriter(path, bigtiff=big) as file:
            for number, shape in enumerate(pyramid.shapes):
                read = np.load(paths[number], mmap_mode="r").__getitem__ if number else pyramid.image
                kind = {"subfiletype": 1} if number else {"subifds": len(paths) - 1}
                tile = (_TIFF_TILE, _TIFF_TILE)
                file.write(_tiff_tiles(read, shape, rows), shape=shape, dtype=dtype, tile=tile, **kind, **layout)


def _tiff_tiles(read, shape, rows):
    """Tiles of each plane in turn, row by row; the axis of rows comes before that of columns."""
    for plane in np.ndindex(shape[:rows]):
        for top in range(0, shape[rows], _TIFF_TILE):
            place = (*(slice(index, index + 1) for index in plane), slice(top, top + _TIFF_TILE))
            band = read(place + (slice(None),) * (len(shape) - len(place)))
            band = band.reshape(band.shape[rows:])
            for left in range(0, shape[rows + 1], _TIFF_TILE):
                yield np.ascontiguousarray(band[:, left : left + _TIFF_TILE])


def write_ome_zarr(path, pyramid, transforms, version, unit, reduction):
    """A group with `multiscales`, as OME-NGFF 0.4 or 0.5 has it: the channels first.

    Parameters
    ----------
    path : Path
    pyramid : Pyramid
    transforms : list of (sequence of float, sequence of float)
        Scale and translation of each level.
    version : {"0.4", "0.5"}
    unit : str or None
        Of the spatial axes.
    reduction : str
        What made the levels.
    """
    shape, channels = pyramid.shapes[0], pyramid.channel_axis is not None
    space = [
        {"name": name, "type": "space", **({"unit": unit} if unit else {})} for name in "zyx"[channels - len(shape) :]
    ]
    axes = [*[{"name": "c", "type": "channel"}] * channels, *space]
    zarr_format = {"0.4": 2, "0.5": 3}[version]
    options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    if zarr_format == 3:
        options = {"dimension_names": [axis["name"] for axis in axes]}
    group = _zarr().open_group(str(path), mode="w-", zarr_format=zarr_format)
    stored, datasets = [], []
    for number, (shape, place) in enumerate(zip(pyramid.shapes, transforms, strict=True)):
        given = {"shape": shape, "dtype": pyramid.dtype, "chunks": _chunks(shape)}
        stored.append(group.create_array(str(number), **given, **options))
        kinds = ("scale", "translation")
        placed = [{"type": kind, kind: list(row)} for kind, row in zip(kinds, place, strict=True)]
        datasets.append({"path": str(number), "coordinateTransformations": placed})
    chunks = _chunks(pyramid.shapes[0])
    chunks = tuple(-(-chunk // least) * least for chunk, least in zip(chunks, pyramid.whole, strict=True))
    for number, place, values in pyramid.parts(chunks):
        stored[number][place] = values
    entry = {"name": "image", "axes": axes, "datasets": datasets, "type": reduction}
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": version, **entry}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [entry]}
