"""The command line: ``skpool pool``, ``skpool pyramid`` and ``skpool info``.

Design: `pool` works by blocks of the result, each of which is pooled from the part of the image that its windows look
at, so that neither has to fit into memory. The tables of the whole image tell what that part is, and what lies around
it; a block's windows are therefore those of the whole, and so are the results, bit for bit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from . import __version__, files, windows
from .adaptive import global_pool
from .files import Failure
from .plan import NAN_POLICIES, checked_dtype, make_plan
from .pooling import pooled_by
from .pyramids import pool_pyramid, pyramid_transforms
from .reductions import REDUCTIONS, reduction_named
from .threads import check_workers

#: Bytes of a block and of the part of the image beneath it, more or less.
BLOCK = 2**26

#: Samples of the smallest level of a pyramid along an axis, unless told otherwise.
TILE = 64

#: Factors along rows and columns by which readers of TIFF know that an image is a level of another.
TIFF_FACTORS = ((2, 2), (3, 3), (4, 4))

# --- a result, block by block


def pooled_blocks(source, path, plan, options, chunks):
    """The result of a plan as (place, values), in row-major order."""
    beneath = [min(axis.stride, axis.length) for axis in plan.axes]
    cost = plan.dtype.itemsize + int(np.prod(beneath)) * plan.image_dtype.itemsize
    for place in progress(list(files.tiles(plan.shape, chunks, BLOCK // cost)), "pool"):
        part = plan.take(place)
        sources = [slice(*run.intervals[0]) if run.order is None else run.sources for run in part.runs]
        image = files.select(source.image, sources, path)
        tables = tuple(run.axis for i, run in enumerate(part.runs) if i != plan.channel_axis)
        yield (
            place,
            pooled_by(
                windows.Tables,
                (tables,),
                image,
                options.reduction,
                dict(options.parameters),
                cval=options.cval,
                nan_policy=options.nan_policy,
                channel_axis=plan.channel_axis,
                dtype=plan.dtype,
                workers=options.workers,
            ),
        )


def progress(items, what):
    """The items, with a bar on a terminal where tqdm is installed."""
    if len(items) < 2 or not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=what, unit="block", leave=False)


# --- commands


def channel_axis_of(source, options):
    """The channel axis asked for, else that of the file, counted from the front."""
    axis = source.channel_axis if options.channel_axis == "auto" else options.channel_axis
    ndim = len(source.image.shape)
    if axis is not None and not -ndim <= axis < ndim:
        raise Failure(f"--channel-axis must be from {-ndim} to {ndim - 1} for shape {source.image.shape}, got {axis}")
    return None if axis is None else axis % ndim


def pool_command(options):
    """Pool an image by sliding windows."""
    source = files.read(options.input)
    image_dtype = np.dtype(source.image.dtype)
    dtype = options.dtype
    if dtype is None and files.format_of(options.output).keeps_type:
        dtype = image_dtype
    layout = windows.Sliding(
        options.window, options.stride, options.padding, options.dilation, options.ceil_mode, options.mode
    )
    plan = make_plan(
        source.image.shape,
        image_dtype,
        options.reduction,
        layout,
        options.cval,
        options.nan_policy,
        channel_axis=channel_axis_of(source, options),
        dtype=dtype,
        **options.parameters,
    )
    target = (options.output, options.overwrite, plan.shape, plan.dtype, plan.channel_axis)
    with files.written(*target) as sink:
        for place, values in pooled_blocks(source, options.input, plan, options, sink.chunks):
            with files.telling("write", options.output):
                sink.put(place, values)


def pyramid_command(options):
    """Write an image and its levels."""
    suffix = files.suffix_of(options.output)
    if suffix not in (".zarr", ".tif", ".tiff"):
        raise Failure(f"a pyramid is written to .zarr, .tif or .tiff, got {options.output}")
    source = files.read(options.input)
    shape, channel_axis = tuple(source.image.shape), channel_axis_of(source, options)
    spatial = len(shape) - (channel_axis is not None)
    if suffix == ".zarr" and spatial not in (2, 3):
        raise Failure(f"OME-Zarr has 2 or 3 spatial axes, got shape {shape} with channel axis {channel_axis}")
    downscale = options.downscale or (1,) * (spatial - 2) + (2, 2)[:spatial]
    factors = windows.per_axis(downscale, spatial, "downscale")
    if suffix != ".zarr" and (set(factors[:-2]) - {1} or factors[-2:] not in TIFF_FACTORS):
        raise Failure(
            f"levels of a TIFF shrink by 2, 3 or 4 along both rows and columns, and keep planes: got {factors} for the "
            "axes, which .zarr takes"
        )
    pixel = list(for_each_axis(options.pixel_size, spatial, "--pixel-size"))
    if channel_axis is not None:
        pixel.insert(channel_axis, 1.0)
    least = options.min_size or (TILE if options.levels < 0 else 1)
    transforms = pyramid_transforms(shape, options.levels, downscale, channel_axis=channel_axis, min_size=least)
    order = list(range(len(shape)))
    if channel_axis is not None and (suffix == ".zarr" or channel_axis != len(shape) - 1):
        order.insert(0, order.pop(channel_axis))
    pyramid = pyramid_of(source, channel_axis, factors, len(transforms) - 1, order, options)
    with files.replacing(options.output, options.overwrite) as partial, files.telling("write", options.output):
        if suffix == ".zarr":
            places = [tuple([row[i] * pixel[i] for i in order] for row in place) for place in transforms]
            files.write_ome_zarr(partial, pyramid, places, options.ome, options.unit, options.reduction)
        else:
            files.write_tiff_pyramid(partial, pyramid)


def pyramid_of(source, channel_axis, factors, count, order, options):
    """The `files.Pyramid` of so many levels; `order` has the image's axes in that of the file."""
    axis = None if channel_axis is None else order.index(channel_axis)
    if axis is not None:
        factors = (*factors[:axis], 1, *factors[axis:])
    shape = tuple(source.image.shape[i] for i in order)
    shapes = [
        tuple(-(-n // factor**level) for n, factor in zip(shape, factors, strict=True)) for level in range(count + 1)
    ]
    keywords = {"reduction": options.reduction, "nan_policy": options.nan_policy, "workers": options.workers}
    keywords |= {"channel_axis": axis, **options.parameters}
    downscale = [factor for i, factor in enumerate(factors) if i != axis]
    image_dtype = np.dtype(source.image.dtype)
    first = pool_pyramid(np.zeros(factors, image_dtype), min(count, 1), downscale, **keywords)
    dtype = of_all_levels(image_dtype, first, options.reduction)
    whole = tuple(factor**count for factor in factors)  # of the last level, windows are as large

    def pixels(place):
        own = [place[order.index(i)] for i in range(len(order))]
        return np.asarray(files.select(source.image, own, options.input)).transpose(order)

    def parts(chunks):
        places = list(files.tiles(shape, chunks, BLOCK // (2 * image_dtype.itemsize)))
        for place in progress(places, "pyramid"):
            try:
                levels = pool_pyramid(pixels(place), count, downscale, **keywords)
            except ValueError as error:  # of what the pixels are, not of writing
                raise Failure(error) from error
            for number, level in enumerate(levels):
                yield (
                    number,
                    tuple(map(of_level, place, factors, [number] * len(place))),
                    level.astype(dtype, copy=False),
                )

    return files.Pyramid(shapes, dtype, axis, whole, lambda place: pixels(place).astype(dtype, copy=False), parts)


def of_level(run, factor, number):
    """The run of a level along an axis that lies on a run of the image."""
    return slice(run.start // factor**number, -(-run.stop // factor**number))


def of_all_levels(dtype, levels, reduction):
    """The type of the levels, if it holds all values of the image: a file has one type for all."""
    of_levels = levels[-1].dtype.newbyteorder("=")
    if not np.can_cast(dtype, of_levels):
        raise Failure(f"levels of {reduction!r} are {of_levels}, which does not hold the image's {dtype}")
    return of_levels


def for_each_axis(value, count, name):
    """One number for all spatial axes, or one for each, as a tuple."""
    values = value * count if len(value) == 1 else value
    if len(values) != count:
        raise Failure(f"{name} must have one number for each of the {count} spatial axes, got {len(values)}")
    return values


def info_command(options):
    """Print what a file holds."""
    source = files.read(options.input)
    image, dtype = source.image, np.dtype(source.image.dtype)
    channels = "" if source.channel_axis is None else f" (channels: axis {source.channel_axis})"
    print(f"{'shape':8}{size_text(image.shape)}{channels}")
    print(f"{'type':8}{dtype}")
    print(f"{'range':8}{range_text(image, dtype, options)}")
    print(f"{'levels':8}{len(source.levels)}")
    for level in source.levels if len(source.levels) > 1 else ():
        place = ""
        if level.scale:
            place = f"  scale {size_text(level.scale, ', ')}"
        if level.translation:
            place += f"  translation {size_text(level.translation, ', ')}"
        print(f"  {level.name:6}{size_text(level.shape)}{place}")


def size_text(numbers, between=" × "):
    """Numbers in a row."""
    return between.join(f"{number:g}" if isinstance(number, float) else str(number) for number in numbers)


def range_text(image, dtype, options):
    """The smallest and the largest sample that is a number."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        return "unknown: no real numbers of at most 64 bits"
    ends = []
    chunks = getattr(image, "chunks", None) or (1,) * len(image.shape)
    for place in progress(list(files.tiles(image.shape, chunks, BLOCK // dtype.itemsize)), "range"):
        block = np.atleast_1d(files.select(image, place, options.input))
        ends += [global_pool(block, name, nan_policy="omit").item() for name in ("min", "max")]
    ends = [number for number in ends if number == number]
    return f"{min(ends)} to {max(ends)}" if ends else "no numbers"


# --- arguments


def checked(rule, convert):
    """A type for argparse: `convert`, and an error that names the rule and the value."""

    def converted(text):
        try:
            return convert(text)
        except (ValueError, TypeError, OverflowError):
            raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}") from None

    return converted


def _numbers(text, kind, minimum):
    numbers = tuple(kind(part) for part in text.split(","))
    if not all(minimum <= number < np.inf for number in numbers):
        raise ValueError
    return numbers


def _sizes(text, minimum=1):
    """One int, or several divided by commas."""
    numbers = _numbers(text, int, minimum)
    return numbers[0] if len(numbers) == 1 else numbers


def _padding(text):
    if text in windows.NAMED_PADDING:
        return text
    if ":" not in text:
        return _sizes(text, 0)
    pairs = tuple(_numbers(part.replace(":", ","), int, 0) for part in text.split(","))
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError
    return pairs


def _number(text):
    try:
        return int(text)
    except ValueError:
        return float(text)


def _at_least(minimum):
    def convert(text):
        number = int(text)
        if number < minimum:
            raise ValueError
        return number

    return convert


def _channel_axis(text):
    return text if text == "auto" else None if text == "none" else int(text)


def _positive(text):
    numbers = _numbers(text, float, 0)
    if 0 in numbers:
        raise ValueError
    return numbers


def _parameter(text):
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ValueError
    return name, value


#: How the value of ``--parameter`` is read, by the parameter's kind.
KINDS = {"float": float, "int": int, "str": str, "pixel": _number}


def parameters_of(options, parser):
    """The reduction's parameters with their values, checked as far as they can be without an image."""
    row = reduction_named(options.reduction)
    parameters = {}
    for name, text in options.parameter:
        known = row.parameters.get(name)
        try:
            parameters[name] = None if text == "none" else KINDS[known.kind if known else "str"](text)
        except ValueError:
            parser.error(f"argument --parameter: {name} must be a number, got {text!r}")
    try:
        row.checked_parameters(parameters, np.dtype(np.float64))
    except (TypeError, ValueError) as error:
        parser.error(f"argument --parameter: {error}")
    return parameters


class Parser(argparse.ArgumentParser):
    """An argparse that says an error in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


FILES = """\
files, by extension:
  .npy          read and written block by block: both may be larger than memory
  .zarr         a zarr array, read and written by chunks; or an OME-Zarr image, of which the full resolution is read
                (needs zarr: pip install 'skpool[zarr]'); x.zarr/0 names an array in it
  .tif, .tiff   read and written block by block, tiles and compressed strips only where zarr is installed, else whole;
                of several images in a file the first counts
  .png, .jpg    read and written whole

An output has its name only when it is whole: after an error or Ctrl-C nothing is left. Exit codes: 0, 1 (it failed),
2 (wrong arguments), 130 (interrupted)."""

POOL = """\
examples:
  skpool pool photo.png small.png --window 2 --reduction avg
  skpool pool stack.npy maxima.npy --window 1,3,3 --stride 1,2,2 --padding 0,1,1 --no-ceil
  skpool pool image.zarr/0 norms.zarr --window 8 --reduction lp --parameter p=3
  skpool pool labels.tif coarse.tif --window 4 --reduction mode --parameter ties=first
"""

PYRAMID = """\
examples:
  skpool pyramid slide.tif slide.zarr --pixel-size 0.25 --unit micrometer
  skpool pyramid stack.npy stack.zarr --downscale 1,2,2 --levels 4 --ome 0.5
  skpool pyramid photo.png photo.tif
  skpool pyramid labels.npy labels.zarr --reduction mode

OUT.zarr is an OME-Zarr image with the channels first, its axes z, y and x, scale and translation of each level in its
metadata. OUT.tif is tiled, with the levels as SubIFDs of the image. Both are written part by part; while a TIFF is, its
levels lie in files beside it, which need a third of the image's size.
"""

INFO = """\
examples:
  skpool info photo.png
  skpool info slide.zarr
"""


def parser_of():
    """The parser of all commands."""
    parser = Parser(
        "skpool",
        description="Pool images in files: reduce each window of an image to one value.",
        epilog="examples:\n"
        "  skpool pool photo.png small.png --reduction avg\n"
        "  skpool pyramid slide.tif slide.zarr\n"
        "  skpool info slide.zarr\n\n"
        "skpool COMMAND --help tells what each takes, and which files there are.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skpool {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    pool = _command(commands, "pool", pool_command, POOL, "pool an image by sliding windows, each to one value")
    sizes = checked("an integer >= 1, or one for each spatial axis as in 1,2,2", _sizes)
    pool.add_argument("--window", type=sizes, default=2, metavar="N[,N...]", help="samples of a window (default: 2)")
    pool.add_argument(
        "--stride",
        type=sizes,
        metavar="N[,N...]",
        help="samples from one window to the next (default: those of a window)",
    )
    pool.add_argument(
        "--dilation",
        type=sizes,
        default=1,
        metavar="N[,N...]",
        help="samples from one tap of a window to the next (default: 1)",
    )
    pool.add_argument(
        "--padding",
        type=checked(
            f"an integer >= 0, one for each axis, pairs as in 1:2,0:1, or {_words(windows.NAMED_PADDING)}", _padding
        ),
        default=0,
        metavar="N[,N...]",
        help=f"samples around the image, pairs before:after, or {_words(windows.NAMED_PADDING)} (default: 0)",
    )
    pool.add_argument(
        "--mode", choices=windows.PADDING_MODES, default="ignore", help="what padding holds (default: nothing)"
    )
    pool.add_argument("--cval", type=checked("a number", _number), default=0, help="what it holds in mode constant")
    pool.add_argument(
        "--ceil",
        action=argparse.BooleanOptionalAction,
        default=True,
        dest="ceil_mode",
        help="keep partial windows at the far edge, or not (default: keep)",
    )
    pool.add_argument(
        "--dtype",
        type=checked("a NumPy type of real numbers, as uint8", checked_dtype),
        help="type of the result, rounded once and saturated (default: the reduction's; for .png and .jpg the image's)",
    )
    _common(pool, "max")

    pyramid = _command(commands, "pyramid", pyramid_command, PYRAMID, "write an image and ever smaller levels of it")
    pyramid.add_argument(
        "--levels",
        type=checked("an integer >= 0", _at_least(0)),
        default=-1,
        metavar="N",
        help="levels beside the image, at the most",
    )
    pyramid.add_argument(
        "--downscale",
        type=sizes,
        metavar="N[,N...]",
        help="from one level to the next (default: 2 for rows and columns, 1 for planes)",
    )
    pyramid.add_argument(
        "--min-size",
        type=checked("an integer >= 1", _at_least(1)),
        metavar="N",
        help=f"no axis gets shorter than this (default: {TILE}, or 1 with --levels)",
    )
    pyramid.add_argument(
        "--pixel-size",
        type=checked("a number > 0, or one for each spatial axis as in 2,0.5,0.5", _positive),
        default=(1.0,),
        metavar="X[,X...]",
        help="of the image, in OME-Zarr (default: 1)",
    )
    pyramid.add_argument("--unit", help="of the pixel size, as micrometer")
    pyramid.add_argument("--ome", choices=("0.4", "0.5"), default="0.4", help="version of OME-Zarr (default: 0.4)")
    _common(pyramid, "avg")

    _command(commands, "info", info_command, INFO, "tell shape, type, range and levels", output=False)
    return parser


def _words(names):
    return ", ".join(names)


def _command(commands, name, function, examples, summary, output=True):
    """A command's parser."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"{examples}\n{FILES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(function=function, parser=parser)
    parser.add_argument("input", type=Path, metavar="IN", help="file of the image")
    if output:
        parser.add_argument("output", type=Path, metavar="OUT", help="file of the result, which tells its format too")
    return parser


def _common(parser, reduction):
    """Arguments of the commands that pool."""
    parser.add_argument(
        "--reduction",
        choices=REDUCTIONS,
        default=reduction,
        metavar="NAME",
        help=f"{_words(REDUCTIONS)} (default: {reduction})",
    )
    parser.add_argument(
        "--parameter",
        type=checked("NAME=VALUE", _parameter),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the reduction, as p=3 of lp or q=90 of percentile; may be given several times",
    )
    parser.add_argument(
        "--nan-policy", choices=NAN_POLICIES, default="propagate", help="what a NaN does to its windows"
    )
    parser.add_argument(
        "--channel-axis",
        type=checked("an integer, none or auto", _channel_axis),
        default="auto",
        metavar="AXIS",
        help="the axis that is not pooled; none: all are; auto: what the file says, as the colours of a .png (default)",
    )
    parser.add_argument(
        "--workers",
        type=checked("an integer >= 1", lambda text: check_workers(int(text))),
        metavar="N",
        help="threads (default: as many as are available)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; default: those of the process.

    Returns
    -------
    int
        The exit code: 0, 1 where something failed, 2 for wrong arguments, 130 after an interrupt.
    """
    try:
        options = parser_of().parse_args(argv)
        if "reduction" in options:
            options.parameters = parameters_of(options, options.parser)
    except SystemExit as end:  # argparse has said why
        return end.code
    try:
        options.function(options)
    except KeyboardInterrupt:
        return _said("interrupted", 130)
    except MemoryError as error:
        return _said(f"not enough memory: {error}", 1)
    except (Failure, OSError, TypeError, ValueError) as error:
        return _said(f"error: {error}", 1)
    return 0


def _said(message, code):
    print("skpool:", *message.split(), file=sys.stderr)
    return code
