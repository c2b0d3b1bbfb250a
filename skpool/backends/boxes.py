"""Boxes on the CPU: an image, edges of boxes and a rule -> row functions, driven by `skpool.kernels.boxes`."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from .. import threads
from ..kernels import boxes as kernels
from ..plan import make_plan
from ..windows import Sliding
from . import cpu

#: Elements of a state row, channels that are folded together, and planes that are gone through for one box before the
#: next: as many as stay in the inner caches.
TILE = 4096
MOST_CHANNELS = 256
PLANES_AT_ONCE = 16

#: An image of many planes, or to be converted, is copied as the row functions like it if that is worth it: reading a
#: pixel once more costs as much as every so many results gain (measured), and copies have at most so many bytes.
PIXELS_PER_RESULT = 8
MOST_COPIED = 2**26

#: Totals of integers are wide enough for bins of so many pixels.
MOST_PIXELS = 2**30


@dataclass(frozen=True)
class Rule:
    """What bins look at, and which functions make results of it.

    Attributes
    ----------
    name : str
        A key of `skpool.kernels.boxes.RULES`.
    rows, natural : numpy.dtype
        Types of the rows that the functions read, and of what they give.
    functions : dict
        Their keys in the tables of `skpool.backends.cpu`.
    parameters : tuple of float
        Numbers that they take.
    samples : int
        Samples of a bin along each axis; 0: as many as it has pixels.
    own_channels : bool
        Whether each bin has channels of its own.
    needs_corners : bool
        Whether pixels of weight zero count.
    """

    name: str
    rows: np.dtype
    natural: np.dtype
    functions: dict
    parameters: tuple[float, float] = (0.0, 0.0)
    samples: int = 0
    own_channels: bool = False
    needs_corners: bool = False


def pixels(reduction, image, edges, output_shape, own_channels=False):
    """Every pixel of a bin counts once."""
    most = most_pixels(edges, output_shape, image.shape[:2])
    rule = _pixel_rule(reduction, image.dtype, 2 ** (most - 1).bit_length())
    return replace(rule, own_channels=True) if own_channels else rule


def most_pixels(edges, output_shape, shape):
    """The most pixels that a bin may look at, if totals are wide enough for them."""
    most = max(math.prod(widest_bin(edges, output_shape, shape)), 1)
    if most > MOST_PIXELS:
        raise ValueError(f"`boxes` must have bins of at most {MOST_PIXELS} pixels, got one of up to {most}")
    return most


def pixel_recipe(reduction, dtype, most):
    """The plan of a window of `most` pixels, and how it is folded."""
    plan = make_plan((most,), dtype, reduction, Sliding(most))
    return plan, cpu.recipe_of(plan, False)


@functools.lru_cache(maxsize=256)
def _pixel_rule(reduction, dtype, most):
    """The rule for bins of up to `most` pixels."""
    plan, recipe = pixel_recipe(reduction, dtype, most)
    if recipe.kernel == ("sum", "float32", "float32"):  # right for small bins only, and others' size must not matter
        recipe = replace(recipe, kernel=("sum", "float32", "float64"), finish=(recipe.finish[0], "float64", "float32"))
    functions = {"kernel": recipe.kernel, "finish": recipe.finish}
    parameters = tuple([*(value or 0.0 for value in plan.parameters.values()), 0.0, 0.0][:2])
    return Rule("pixels", recipe.rows, recipe.natural, functions, parameters)


def _weighted(name, dtype, down, across, finish, **settings):
    rows = cpu.row_dtype(dtype)
    natural = np.dtype(np.float32 if rows == np.float32 else np.float64)
    functions = {
        "down": (down, rows.name, "float64"),
        "across": (across, "float64", "float64"),
        "finish": (finish, "float64", natural.name),
    }
    return Rule(name, rows, natural, functions, **settings)


def samples(dtype, count):
    """The mean of `count` bilinear samples of each bin along each axis."""
    return _weighted("samples", dtype, "weigh", "weigh", "avg", samples=count)


def peaks(dtype, count, onnx):
    """The highest of `count` bilinear samples of each bin along each axis; of their weighted pixels, if `onnx`."""
    names = ("product", "product") if onnx else ("weigh", "total")
    return _weighted("peaks", dtype, *names, "sum", samples=count, needs_corners=onnx)


def integral(dtype):
    """The mean of the interpolated image over each bin."""
    return _weighted("integral", dtype, "weigh", "weigh", "avg")


def widest_bin(edges, output_shape, shape):
    """The most rows and columns that a bin of any box may look at."""
    sizes = (edges[:, 1::2] - edges[:, ::2]).max(axis=0, initial=0)
    return tuple(
        min(length, math.floor(size / bins) + 3) for size, bins, length in zip(sizes, output_shape, shape, strict=True)
    )


def _pixels_seen(edges, shape):
    """Pixels of the image in all boxes together."""
    inside = np.clip(edges, 0, np.repeat(shape, 2))
    return (inside[:, 1::2] - inside[:, ::2]).prod(axis=1).sum()


def _in_planes(image):
    """Whether columns lie closer together than channels."""
    return image.shape[2] > 1 and abs(image.strides[2]) > abs(image.strides[1])


def _brought_together(image, rule, results):
    """The image, channels last and in the type of the rows, where that is worth a copy."""
    rows, columns, channels = image.shape
    suits = not _in_planes(image) and cpu.is_read_as_is(cpu.load_key(rule.rows, image.dtype))
    wide = rows * columns * channels * rule.rows.itemsize > MOST_COPIED
    if suits or wide or rule.own_channels or PIXELS_PER_RESULT * results < rows * columns:
        return image
    return np.ascontiguousarray(image, dtype=rule.rows)


def _addresses(rule):
    """Of the functions of a rule; 0 for those that it does not need."""
    addresses = {"kernel": 0, "down": 0, "across": 0, "finish": 0}
    for name, key in rule.functions.items():
        if key is not None:
            addresses[name] = (cpu.FUNCTIONS.kernels if name == "kernel" else cpu.FUNCTIONS.finishes)[key]
    return addresses


def run(rule, image, edges, output_shape, fill, workers, part_of=None):
    """Pool boxes.

    Parameters
    ----------
    rule : Rule
    image : (H, W, C) ndarray
        Any layout.
    edges : (K, 4) ndarray of float64
        Row start, row stop, column start and column stop of each box.
    output_shape : (int, int)
        Rows and columns of bins.
    fill : number
        The value of bins that look at nothing.
    workers : int or None
        See `skpool.threads`.
    part_of : ((int, int), (int, int)), optional
        Rows and columns of the whole image, and where in it `image` begins, which has all pixels that are looked at.
        Default: it is whole.

    Returns
    -------
    (K, *output_shape, C) ndarray
        Of the rule's natural type. With own channels there are ``C / (rows * columns)`` of them.
    """
    channels = image.shape[2] // math.prod(output_shape) if rule.own_channels else image.shape[2]
    out = np.empty((len(edges), *output_shape, channels), rule.natural)
    if not (out.size and image.size):
        out.fill(fill)
        return out
    shape, origin = part_of or (image.shape[:2], (0, 0))
    image = _brought_together(image, rule, len(edges) * math.prod(output_shape))
    inner = 1 if _in_planes(image) else math.ceil(channels / math.ceil(channels / MOST_CHANNELS))
    load = cpu.load_key(rule.rows, image.dtype)
    settings = {
        "shape": shape,
        "origin": origin,
        "rule": rule.name,
        "samples": rule.samples,
        "own_channels": rule.own_channels,
        "needs_corners": rule.needs_corners,
        "parameters": rule.parameters,
        "inner": inner,
        "block": min(max(inner, PLANES_AT_ONCE), channels),
        "tile": TILE,
        "pitch": max(TILE, widest_bin(edges, output_shape, shape)[1] * inner),
        "row_width": rule.rows.itemsize,
        "converts": not cpu.is_read_as_is(load),
    }
    common = cpu.FUNCTIONS.common
    functions = {**_addresses(rule), "load": common[load], "pick": common["pick", rule.rows.itemsize]}
    cost = int(_pixels_seen(edges, shape)) * channels * image.itemsize + out.nbytes
    workers = threads.worker_count(workers, cost)
    order = np.argsort(edges[:, 0]).astype(np.int64, copy=False)
    kernels.run(image, edges, order, out, settings, functions, np.asarray(fill, out.dtype).tobytes(), workers)
    return out
