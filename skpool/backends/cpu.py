"""The CPU backend: a plan and NumPy arrays -> row kernels, driven by `skpool.kernels.driver`.

Tables choose the kernel of a reduction, the type of its state and the function that finishes it; the instruction set
is chosen once, at import, and can be forced by the environment variable ``SKPOOL_ISA``.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import os
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .. import threads, windows
from ..kernels import driver
from ..kernels.programs import name_beside, name_of
from ..plan import make_plan
from ..reductions import REDUCTIONS, limits_of
from ..windows import ABSENT, CONSTANT, Sliding
from .networks import NOTHING, program
from .order import ORDERS, Order, key_of, order_of
from .tiles import Tile, tile_program
from .weighing import TOTALS, total_of, vectors_of, weights_of

_MODULES = ("common", "extrema", "sums", "mapped", "order", "histogram", "tiles", "weighted")

#: Samples of a window from which they are ranked by histograms, by the bytes of one. Measured with uint8 at 4096 x 4096
#: on one thread: 106 ms by a network and 155 by histograms at 9 x 9, 214 and 146 at 11 x 11.
LEAST_IN_HISTOGRAM = {1: 100, 2: 257}

#: Windows of so many samples at stride 1 are sorted tile by tile, by the bytes of a sample, if there are at least
#: `LEAST_TILED` of them: it takes 0.1 s to make the program of 15 x 15, and 2 s for 63 x 63. Fewer samples have
#: compiled programs; more have histograms. Measured with uint8 at 4096 x 4096 on one thread, in ns a pixel: 7 x 7
#: 1.1 by tiles and 2.5 by a network, 15 x 15 3.9 and 9.8 by histograms, 25 x 25 8.3 and 8.6.
IN_TILES = {1: range(26, 626), **dict.fromkeys((2, 4, 8), range(26, 4097))}
LEAST_TILED = 2**16

#: Rows and columns of a tile, by the samples of a window and the bytes of a row of results from which it is taken: the
#: widest that leaves no lane idle.
TILES = ((200, 2048, (8, 8)), (81, 0, (8, 4)), (0, 0, (4, 4)))

#: Samples of a tile with which its program takes some seconds to make.
MOST_IN_TILE = 10_000

#: Samples of a window beyond which each window that sorts them is a call of its own.
MOST_SAMPLES = 2**14

#: Samples of a window that counts of 32 bits can hold.
MOST_IN_32_BITS = 2**31 - 1

#: State rows begin at multiples of so many bytes; and rows of a part of a window, a power of two, at least.
_ALIGNMENT, LEAST_PART = driver.layout_of_parts()

#: The longest last axis with a window of 1 that is taken for channels, and pooled as part of the row.
MOST_IMPLICIT_CHANNELS = 32


@dataclass(frozen=True)
class Functions:
    """Addresses of the row functions of one instruction set."""

    common: dict
    kernels: dict
    finishes: dict


def _load_functions(isa):
    """The functions of one instruction set."""
    common, *reductions = (importlib.import_module(f"skpool.kernels.{name}_{isa}") for name in _MODULES)
    kernels, finishes = {}, {}
    for module in reductions:
        more_kernels, more_finishes = module.tables()
        kernels.update(more_kernels)
        finishes.update(more_finishes)
    return Functions(common.table(), kernels, finishes)


def available_instruction_sets():
    """Names of the instruction sets that were built and that this machine runs, the best first."""
    return tuple(
        isa for isa in driver.instruction_sets() if importlib.util.find_spec(f"skpool.kernels.common_{isa}") is not None
    )


def _choose_instruction_set():
    available = available_instruction_sets()
    forced = os.environ.get("SKPOOL_ISA")
    if forced and forced not in available:
        raise ImportError(f"SKPOOL_ISA must be one of {', '.join(available)} on this machine, got {forced!r}")
    return forced or available[0]


INSTRUCTION_SET = _choose_instruction_set()
FUNCTIONS = _load_functions(INSTRUCTION_SET)
_order = importlib.import_module(f"skpool.kernels.order_{INSTRUCTION_SET}")
_COMPILED = _order.programs()

#: Samples of a window that are sorted together with those of its neighbours.
MOST_TOGETHER = _order.most_together()
_mapped_kernels = importlib.import_module(f"skpool.kernels.mapped_{INSTRUCTION_SET}")
_tiles = importlib.import_module(f"skpool.kernels.tiles_{INSTRUCTION_SET}")
_histogram = importlib.import_module(f"skpool.kernels.histogram_{INSTRUCTION_SET}")
_weights = importlib.import_module(f"skpool.kernels.weighted_{INSTRUCTION_SET}")


# --- how each reduction is computed


@dataclass(frozen=True)
class Recipe:
    """Row kernels of a plan.

    Attributes
    ----------
    rows : numpy.dtype
        Type of the rows that the kernel reads.
    kernel, finish : tuple or None
        Keys of `Functions.kernels` and `Functions.finishes`; no finish: the state is the result.
    natural : numpy.dtype
        Type of what the finish gives, to be converted if another is asked for.
    neutral : float
        What stands for a masked sample.
    places : tuple or None
        Key of the finish that gives places in the window.
    divisor : float or None
        What an average divides by, in place of the count.
    order : skpool.backends.order.Order or None
        How samples are sorted, where they are not folded.
    """

    rows: np.dtype
    kernel: tuple | None
    finish: tuple | None
    natural: np.dtype
    neutral: float = 0
    places: tuple | None = None
    divisor: float | None = None
    order: Order | None = None

    @property
    def is_keyed(self):
        """Whether rows are integers that stand for floats."""
        return self.order is not None and self.order.keyed


def row_dtype(dtype):
    """The type in which kernels read rows of an image type."""
    dtype = dtype.newbyteorder("=")
    return {np.float16: np.dtype(np.float32), np.bool_: np.dtype(np.uint8)}.get(dtype.type, dtype)


def kept_dtype(rows, image_dtype):
    """The natural type of a reduction whose result is one of the samples: rows of bytes may be truths."""
    return np.dtype(np.bool_) if image_dtype == np.bool_ else rows


_FLOAT64 = np.dtype(np.float64)


def _extremum(plan, indices):
    name = plan.reduction.name
    rows = row_dtype(plan.image_dtype)
    neutral = limits_of(rows)[name == "min"]
    if not indices:
        return Recipe(rows, (name, rows.name), None, kept_dtype(rows, plan.image_dtype), neutral)
    places = math.prod(axis.most_taps for axis in plan.axes)
    while places > 2 ** (8 * rows.itemsize - 2):  # beside a sample is its place, in as many bits
        rows = np.dtype(f"{'f' if rows.kind == 'f' else 'i'}{max(2 * rows.itemsize, 4)}")
    neutral = limits_of(rows)[name == "min"]
    natural = kept_dtype(rows, plan.image_dtype) if rows.itemsize == 1 else rows
    return Recipe(rows, (f"arg{name}", rows.name), None, natural, neutral, ("places", rows.name))


def _range(plan, indices):
    rows = row_dtype(plan.image_dtype)
    if rows.kind == "f":
        natural = rows if plan.dtype == rows else _FLOAT64
        return Recipe(rows, ("range", rows.name), ("range", rows.name, natural.name), natural)
    natural = np.dtype(f"u{rows.itemsize}")
    return Recipe(rows, ("range", rows.name), ("range", rows.name, rows.name), kept_dtype(natural, plan.image_dtype))


#: float32 totals are kept up to this depth of additions; with the division the error is at most 4 * 2**-23.
_DEEPEST_FLOAT32 = 7

#: Totals of integers by bits of a pixel: the state, and the samples that it holds without overflow.
_TOTALS = {
    8: (("16 bits", 2**8), ("32 bits", 2**24), ("64 bits", 2**56)),
    16: (("32 bits", 2**16), ("64 bits", 2**48)),
    32: (("64 bits", 2**31),),
    64: (("two words", 2**31),),
}


def _depth(plan):
    """Additions on the way of a sample into its sum: of the tree over the rows, then of that over the columns."""
    columns = plan.axes[columns_and_channels(plan)[0]].most_taps
    rows = plan.samples // max(columns, 1)
    return sum(max(taps - 1, 0).bit_length() for taps in (rows, columns))


def _total(rows, plan, at_least=0, wraps=False):
    """The state of a sum: wide enough unless it `wraps`, `at_least` so many bits where it is divided exactly."""
    if rows == np.float32:
        return "float32" if plan.dtype != np.float64 and _depth(plan) <= _DEEPEST_FLOAT32 else "float64"
    if rows == np.float64:
        return "float64"
    for state, samples in _TOTALS[8 * rows.itemsize]:
        if plan.samples <= samples and not (at_least and state in ("16 bits", "32 bits")):
            return state
    if wraps:
        return "64 bits"
    raise ValueError(f"`window_shape` must count at most {samples} samples of {rows}, got {plan.samples}")


def reading(state, rows):
    """How a finish reads a total: unsigned ones are signed where the pixels are."""
    if rows.kind == "f":
        return state
    return f"{'signed' if rows.kind == 'i' else 'unsigned'} {state}"


def _sum(plan, indices):
    rows = row_dtype(plan.image_dtype)
    wraps = plan.dtype == plan.reduction.result(plan.image_dtype.newbyteorder("="))
    state = _total(rows, plan, wraps=wraps)
    if state == "two words":
        if plan.dtype.kind == "f":  # nothing wraps on its way to a float
            return Recipe(
                rows, ("sum", rows.name, state), ("avg", reading(state, rows), "float64"), _FLOAT64, divisor=1
            )
        state = "64 bits"
    natural = plan.reduction.result(plan.image_dtype.newbyteorder("="))
    if plan.dtype in (np.float32, np.float64) or (natural.kind == "f" and plan.dtype.kind != "f"):
        natural = plan.dtype if plan.dtype.kind == "f" else np.dtype(np.float64)
    neutral = -0.0 if rows.kind == "f" else 0
    return Recipe(rows, ("sum", rows.name, state), ("sum", reading(state, rows), natural.name), natural, neutral)


def _avg(plan, indices):
    rows = row_dtype(plan.image_dtype)
    state = _total(rows, plan)
    natural = plan.dtype
    divisor = plan.parameters["divisor"]
    whole = rows.kind != "f" and divisor is None and plan.dtype.kind in "iu"
    if whole and not (plan.dtype == rows and state in ("16 bits", "32 bits")):
        state = _total(rows, plan, at_least=64)
        natural = np.dtype(f"{rows.kind}8")
    elif not whole and (plan.dtype not in (np.float32, np.float64) or state == "two words"):
        natural = np.dtype(np.float64)
    neutral = -0.0 if rows.kind == "f" else 0
    finish = ("avg", reading(state, rows), natural.name)
    return Recipe(rows, ("sum", rows.name, state), finish, natural, neutral, divisor=divisor)


def _count(plan, indices):
    return Recipe(row_dtype(plan.image_dtype), None, ("count",), np.dtype(np.int64))


_NO_WEIGHTS = np.empty(0)


def _mapped(plan, indices):
    """Reductions whose samples are mapped to float64 states first: powers, exponentials, moments."""
    name = plan.reduction.name
    kernel = {"std": "var"}.get(name, name)
    if plan.parameters.get("p") == math.inf:
        kernel = name = "largest_magnitude"
    elif plan.parameters.get("p") == 2 and name in ("lp", "power_mean"):
        kernel = "squares"
    rows = row_dtype(plan.image_dtype)
    natural = plan.dtype if plan.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return Recipe(rows, (kernel, rows.name), (name, natural.name), natural)


def _sorted(plan, indices):
    """Reductions that look at all samples of a window at once."""
    image = row_dtype(plan.image_dtype)
    order = order_of(plan, image)
    natural = {"same": kept_dtype(image, plan.image_dtype), "int64": np.dtype(np.int64)}.get(order.result, _FLOAT64)
    rows = np.dtype(f"i{image.itemsize}") if order.keyed else image
    return Recipe(rows, None, None, natural, order=order)


def _weighted(plan, indices):
    return Recipe(row_dtype(plan.image_dtype), None, None, _FLOAT64)


_RECIPES = {
    "max": _extremum,
    "min": _extremum,
    "range": _range,
    "sum": _sum,
    "avg": _avg,
    "count": _count,
    "weighted_avg": _weighted,
    **dict.fromkeys(ORDERS, _sorted),
}


def recipe_of(plan, indices):
    """How a plan is computed, with indices or without."""
    return _RECIPES.get(plan.reduction.name, _mapped)(plan, indices)


def columns_and_channels(plan):
    """The axis of the columns, and the number of channels that follow it (or None)."""
    last = len(plan.axes) - 1
    axis = plan.axes[last]
    if last and (plan.channel_axis == last or (axis.identity and axis.whole_length <= MOST_IMPLICIT_CHANNELS)):
        return last - 1, axis.length
    return last, None


def bytes_of(value, dtype):
    """The bytes of a number in a type."""
    return np.asarray(value).astype(dtype).tobytes()


def load_key(rows, image_dtype):
    """Key of the function that reads rows of an image into `rows`."""
    swapped = "load" if image_dtype.isnative else "load swapped"
    stored = image_dtype.newbyteorder("=")
    if stored == np.float16:
        return swapped, "float16"
    if stored == np.bool_:
        stored = np.dtype(np.uint8)
    if stored.itemsize != rows.itemsize:
        return swapped if stored.itemsize > 1 else "load", stored.name, rows.name
    return swapped if stored.itemsize > 1 else "load", stored.itemsize


def is_read_as_is(load):
    """Whether rows can be read where they lie, by the key of the function that reads them."""
    return load in (("load", width) for width in (1, 2, 4, 8))


def convert_keys(natural, dtype):
    """Keys of the two functions that lead from one type to the other, or None twice."""
    if natural == dtype:
        return None, None
    source = np.dtype(np.uint8) if natural == np.bool_ else natural
    widest = "float64" if source.kind == "f" else "uint64" if source == np.uint64 else "int64"
    return ("widen", source.name, widest), ("narrow", widest, dtype.name)


def _quad_key(plan, recipe):
    """Key of the kernel for windows of 2 x 2 at stride 2, if these are such windows and their average is plain."""
    along = plan.axes[columns_and_channels(plan)[0]]
    plain = plan.samples == 4 and (along.most_taps, along.stride, along.step) == (2, 2, 1)
    if plan.parameters.get("p", 2) != 2:  # of powers, only sums of squares have one
        return None
    if not plain or plan.omit_nan or plan.min_count > 4 or recipe.divisor is not None:
        return None
    source = np.dtype(np.bool_) if plan.image_dtype == np.bool_ else recipe.rows
    if plan.dtype == np.float16 or (plan.dtype == np.bool_ and source != np.bool_):
        return None
    name = recipe.kernel[0] if recipe.places else plan.reduction.name
    return "quad", name, recipe.rows.name, row_dtype(plan.dtype).name


def _quad(plan, recipe):
    """The kernel for windows of 2 x 2, or 0, and whether it picks the columns of its result itself."""
    key, finishes = _quad_key(plan, recipe), FUNCTIONS.finishes
    channels = columns_and_channels(plan)[1]
    if key is not None and (*key, channels) in finishes:
        return finishes[*key, channels], True
    if channels is not None and plan.dtype.itemsize > recipe.rows.itemsize:
        return 0, False  # columns of channels are picked from the narrower of total and result
    return finishes.get(key, 0), (channels or 1) == 1


def bytes_of_row(value, recipe, plan):
    """A sample as rows have it."""
    value = np.asarray(value).astype(row_dtype(plan.image_dtype))
    return (key_of(value) if recipe.is_keyed else value.astype(recipe.rows)).tobytes()


def ordered_taps(plan):
    """Places of a window's taps, a row each, in the order in which it looks at them."""
    window = tuple(axis.most_taps for axis in plan.axes)
    taps = np.argwhere(np.ones(window, bool) if plan.taps is None else plan.taps.is_tap[tuple(map(slice, window))])
    if not plan.nearest_first:
        return taps
    offsets = [2 * taps[:, a] * axis.step - (axis.extent - 1) for a, axis in enumerate(plan.axes)]
    return taps[np.argsort(sum(offset**2 for offset in offsets), kind="stable")]


def _samples(plan, recipe, masked):
    """Windows by their samples, as `driver.Program` takes them; None where rows and columns are folded."""
    by_samples = recipe.order is not None or plan.taps is not None
    if not by_samples:
        return None
    columns, channels = columns_and_channels(plan)
    window = tuple(axis.most_taps for axis in plan.axes)
    taps = ordered_taps(plan)
    rows = np.ravel_multi_index(taps[:, :columns].T, window[:columns]) if columns else np.zeros(len(taps), np.int64)
    order = recipe.order or Order(lanes="")
    along, channels = plan.axes[columns], channels or 1
    together = order.lanes == "sort" and len(taps) <= MOST_TOGETHER
    across = window[columns]
    shape = (len(taps) // across, across) if plan.taps is None else (1, len(taps))
    shares = together and plan.taps is None and along.is_even and along.stride == 1 and min(shape) > 1
    tables = order.tables(len(taps))
    slides = _slides(plan, order, recipe.rows, shape)
    tasks = order.tasks(*shape, shares, plan.omit_nan) if together and not slides else {}
    samples = {
        "rows": rows,
        "columns": np.ascontiguousarray(taps[:, columns]),
        "keyed": order.keyed,
        "omits": order.keyed and plan.omit_nan,
        "chooses": (order.finish, order.result, order.keyed) == ("quantile", "same", False)
        and tables["low"][-1] == tables["high"][-1],
        "halves": order.finish == "quantile" and bool((tables["weight"][tables["low"] != tables["high"]] == 0.5).all()),
        "shares": shares,
        "window": shape,
        "shift": along.step * channels,
        "together": together,
        **tables,
        **_programs(tasks, recipe.rows.name),
        **_beside(plan, order, tasks.get("whole"), recipe.rows.name),
        "value": None if order.value is None else bytes_of_row(order.value, recipe, plan),
        **_runs(plan, recipe, window[columns]),
    }
    samples["room"] = _order.room(len(taps), recipe.rows.itemsize, samples) if recipe.order else _weights.room()
    samples["room_each"] = 0
    samples["slides"] = slides
    if slides:
        samples["room"], samples["room_each"] = _histogram.room(shape[0], recipe.rows.itemsize)
    samples["tile"] = _tile(plan, order, recipe.rows)
    if samples["tile"]:
        low, high = (int(tables[name][-1]) for name in ("low", "high"))
        steps, registers, ranks = tile_program(samples["tile"], low, high)
        samples["tile_steps"] = steps, registers, ranks.ravel(), 0
        room, room_each, samples["tile_lanes"] = _tiles.room(
            samples["tile"], registers, channels, recipe.rows.itemsize, recipe.natural.itemsize
        )
        samples["room"] = max(samples["room"], room)
        samples["room_each"] = max(samples["room_each"], room_each)
    return samples


def _runs(plan, recipe, across):
    """The runs of a footprint's rows, as `driver.Program` takes them; none where taps one by one cost less.

    A run is so many columns from one on, and the rows in which these are taps that have others beside them.
    """
    runs = {}
    if recipe.order is None and recipe.places is None and not plan.is_weighted:
        window = tuple(axis.most_taps for axis in plan.axes)
        rows = plan.taps.is_tap[tuple(map(slice, window))].reshape(-1, across)
        bounds = np.diff(np.pad(rows, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        begins, ends = np.argwhere(bounds == 1), np.argwhere(bounds == -1)
        for (row, begin), (_, end) in zip(begins.tolist(), ends.tolist(), strict=True):
            runs.setdefault((begin, end - begin), []).append(row)
        passes = sum(len(rows) + 2 * length.bit_length() for (_, length), rows in runs.items())
        if 2 * passes > plan.samples:
            runs = {}
    tables = {
        "run_columns": [begin for begin, _ in runs],
        "run_lengths": [length for _, length in runs],
        "run_stops": np.cumsum([len(rows) for rows in runs.values()]),
        "run_rows": [*itertools.chain(*runs.values())],
    }
    return {name: np.array(table, np.int64) for name, table in tables.items()}


def _tile(plan, order, rows):
    """The `Tile` of windows that are sorted together; None if they are not."""
    last, channels = columns_and_channels(plan)
    sliding = plan.axes[max(last - 1, 0) : last + 1]
    if (
        (order.lanes, order.finish, plan.taps) != ("sort", "quantile", None)
        or len(sliding) < 2
        or not all(axis.is_even and axis.stride == axis.step == 1 for axis in sliding)
        or plan.samples not in IN_TILES[rows.itemsize]
        or math.prod(plan.shape) < LEAST_TILED
    ):
        return None
    tall, wide = (axis.most_taps for axis in sliding)
    size = rows.itemsize * (channels or 1) * sliding[1].outputs
    for samples, least, (down, across) in TILES:
        tile = Tile(plan.samples // (tall * wide), tall, wide, down, across)
        fits = tall >= down <= sliding[0].outputs and wide >= across and tile.held <= MOST_IN_TILE
        if fits and plan.samples >= samples and size >= least:
            return tile
    return None


def _slides(plan, order, rows, shape):
    """Whether windows are ranked by histograms that slide down and across."""
    last, _ = columns_and_channels(plan)
    sliding = plan.axes[max(last - 1, 0) : last + 1]
    return (
        (order.lanes, order.finish, plan.taps) == ("sort", "quantile", None)
        and all(axis.is_even and axis.step == 1 for axis in sliding)
        and rows.itemsize in LEAST_IN_HISTOGRAM
        and LEAST_IN_HISTOGRAM[rows.itemsize] <= math.prod(shape) <= _histogram.MOST_SAMPLES
        and (rows.itemsize > 1 or shape[0] <= _histogram.MOST_ROWS)
    )


def _programs(tasks, dtype):
    """Programs as `driver.Program` takes them: steps, registers, the row of each rank, and the compiled function."""
    return {
        name: _as_steps(tasks.get(name), tasks.get(name) and name_of(tasks[name], dtype))
        for name in ("down", "any_count", "whole")
    }


def _as_steps(task, name):
    steps, registers, ranks = NOTHING if task is None else program(task)
    return np.array(steps, np.int16), registers, np.array(ranks, np.int16), _COMPILED.get(name, 0)


def _beside(plan, order, task, dtype):
    """The program of whole windows side by side, if it was compiled, and whether it finds their mode."""
    columns, channels = columns_and_channels(plan)
    along = plan.axes[columns]
    finds_mode = order.finish == "mode" and order.value is None and not order.keyed
    if (
        task is None
        or plan.taps is not None
        or (channels or 1) > 1
        or not along.is_even
        or (along.stride, along.step) != (along.most_taps, 1)
        or (order.keyed and plan.omit_nan)
        or name_beside(task, dtype, finds_mode) not in _COMPILED
    ):
        return {"beside": _as_steps(None, None), "beside_decides": False}
    return {"beside": _as_steps(task, name_beside(task, dtype, finds_mode)), "beside_decides": finds_mode}


def _value(axes, plan, recipe, whole):
    """Address of the kernel, for rows of which every sample counts (`whole`) or not, and what it looks up."""
    key, kernels = recipe.kernel, FUNCTIONS.kernels
    if key is None or not whole or ("whole", *key) not in kernels:
        return key and kernels[key], _NO_WEIGHTS
    table = _table(key[0], recipe.rows, *_numbers(plan, recipe)) if recipe.rows.itemsize == 1 else _NO_WEIGHTS
    if key[0] in POWERS and not table.size and any(axis.overlaps for axis in axes[:-1]):
        return kernels[key], table
    return kernels["whole", *key], table


@functools.lru_cache(maxsize=64)
def _table(name, rows, first, second):
    """Powers of samples of 8 bits by their bits, or exponentials by how far two are apart; empty if these are neither.

    Exponents must be exact: else their differences depend on more than those of samples.
    """
    samples = np.arange(256, dtype=np.uint8).view(rows).astype(np.float64)
    if name in POWERS:
        table = np.where(samples < second, second, samples) if name == "gem" else abs(samples)
        _mapped_kernels.raise_all(table, first)
        return table
    if name not in ("logsumexp", "soft"):
        return _NO_WEIGHTS
    with np.errstate(all="ignore"):
        exponents = np.sort(samples * first if name == "logsumexp" else samples / first)
        apart = abs(np.subtract.outer(exponents, exponents))
    table = -apart[0]
    steps = np.arange(256)
    if (apart != -table[abs(steps[:, None] - steps)]).any():
        return _NO_WEIGHTS
    _mapped_kernels.exponentials(table)
    return table


def _numbers(plan, recipe):
    """The two numbers that a kernel takes."""
    numbers = [value or 0.0 for value in plan.parameters.values() if recipe.order is None]
    return [*numbers, 0.0, 0.0][:2]


@functools.lru_cache(maxsize=512)
def _program(plan, masked, indices):
    """The program of a plan, made once."""
    columns, channels = columns_and_channels(plan)
    return _program_for(plan.axes[: columns + 1], channels, plan, masked, indices)


def _program_for(axes, channels, plan, masked, indices):
    """The program of a plan for windows along these axes, the last of them that of the columns, and channels."""
    recipe = recipe_of(plan, indices)
    common, kernels, finishes = FUNCTIONS.common, FUNCTIONS.kernels, FUNCTIONS.finishes
    load = load_key(row_dtype(plan.image_dtype) if recipe.is_keyed else recipe.rows, plan.image_dtype)
    finish = {None: 0, ("count",): common["finish", "count"]}
    recipe, weighing = _weighing(plan, recipe, masked)
    widen, narrow = convert_keys(recipe.natural, plan.dtype)
    samples = None if weighing else _samples(plan, recipe, masked)
    plain = samples is None and not masked
    omits = plan.omit_nan and not recipe.is_keyed
    quad, quad_picks = _quad(plan, recipe) if plain else (0, False)
    value, weights = _value(axes, plan, recipe, plain and not omits)
    if plan.is_weighted and not weighing:
        weights = weights_of(plan, ordered_taps(plan))
    lanes, sort = _lanes(plan, recipe, samples, weights)
    wide = plan.samples > MOST_IN_32_BITS
    return driver.Program(
        axes,
        channels,
        {
            "omit": omits,
            "masked": masked or omits,
            "converts_rows": recipe.is_keyed or not is_read_as_is(load),
            "pixel_width": plan.image_dtype.itemsize,
            "row_width": recipe.rows.itemsize,
            "natural_width": recipe.natural.itemsize,
            "out_width": plan.dtype.itemsize,
            "quad_picks": quad_picks,
        },
        {
            "load": common[load],
            "load_mask": common["load", 1],
            "keys": finishes["keys", f"float{8 * recipe.rows.itemsize}"] if recipe.is_keyed else 0,
            "select": common["select", recipe.rows.name],
            "value": value,
            "compact": {width: common["compact", width] for width in (1, 2, 4, 8)},
            "pick": {width: common["pick", width] for width in (1, 2, 4, 8)},
            "count": kernels["sum", "uint8", "64 bits" if wide else "32 bits"],
            "to_counts": common["counts", 8 if wide else 4],
            "lanes": lanes,
            "slides": _slide(recipe, samples),
            "beside": finishes["beside", recipe.rows.name] if samples and samples["beside"][3] else 0,
            "tiles": finishes["tiles", recipe.rows.name] if samples and samples["tile"] else 0,
            "tile_steps": finishes["tile steps", recipe.rows.name] if samples and samples["tile"] else 0,
            "sorted": sort,
            "quad": quad,
            "finish": finish[recipe.finish] if recipe.finish in finish else finishes[recipe.finish],
            "finish_places": finishes[recipe.places] if recipe.places else 0,
            "widen": common[widen] if widen else 0,
            "narrow": common[narrow] if narrow else 0,
            "blank": common["blank", plan.dtype.itemsize],
            "blank_places": common["blank", 8],
            "store": common["store", plan.dtype.itemsize],
            "store_places": common["store", 8],
        },
        (*_numbers(plan, recipe), recipe.divisor or 0.0, plan.min_count, weights),
        (
            _largest(recipe.rows) if recipe.order else bytes_of(recipe.neutral, recipe.rows),
            bytes_of_row(plan.cval, recipe, plan),
            bytes_of(plan.fill_value, plan.dtype),
        ),
        samples,
        weighing,
    )


def _weighing(plan, recipe, masked):
    """The recipe of averages with weights that are an outer product, and these as `driver.Program` takes them, or None.

    Where samples may be left out, their weights are no outer product.
    """
    vectors = None if masked or plan.omit_nan else vectors_of(plan, columns_and_channels(plan)[0])
    if vectors is None:
        return recipe, None
    total = total_of(recipe.rows, vectors)
    finishes, (held, width) = FUNCTIONS.finishes, TOTALS[total]
    natural = plan.dtype if ("normalised", total, plan.dtype.name) in finishes else _FLOAT64
    weighing = {
        "rows": vectors[0],
        "columns": vectors[1],
        "width": width,
        "weigh_rows": finishes["weigh", recipe.rows.name, held],
        "weigh_totals": finishes["weigh", held, held],
        "normalise": finishes["normalised", total, natural.name],
    }
    return replace(recipe, natural=natural), weighing


def _largest(dtype):
    """The bytes of the largest integer of a type."""
    return bytes_of(np.iinfo(dtype).max, dtype)


def _lanes(plan, recipe, samples, weights):
    """The function that makes results of samples, and the one that it hands sorted samples to."""
    finishes, rows = FUNCTIONS.finishes, recipe.rows.name
    if samples is None:
        return 0, 0
    if plan.is_weighted:
        return finishes["weighted", total_of(recipe.rows, [weights]), rows], 0
    if recipe.order is None:
        return 0, 0
    sort = finishes["sorted", recipe.order.finish, rows, recipe.order.result] if recipe.order.finish else 0
    lanes = "sort each" if recipe.order.lanes == "sort" and not samples["together"] else recipe.order.lanes
    return finishes["lanes", lanes, rows], sort


def _slide(recipe, samples):
    """The function that ranks samples by histograms, or 0."""
    if samples is None or not samples["slides"]:
        return 0
    return FUNCTIONS.finishes["slide", recipe.rows.name, recipe.order.result]


# --- one window whose parts are images of their own


class States(NamedTuple):
    """What parts of a window leave behind: state rows of their columns, and of the counts of these.

    Attributes
    ----------
    values, counts : ndarray of uint8
        Of shape (channels ahead of the columns, planes, columns and channels, bytes of a number); no planes where the
        reduction has no need of them.
    """

    values: np.ndarray
    counts: np.ndarray

    @property
    def of_counts(self):
        """Those of counts alone."""
        return self._replace(values=self.values[:, :0])

    def beside(self, others):
        """With those of further columns."""
        return States(*(np.concatenate(arrays, axis=2) for arrays in zip(self, *others, strict=True)))


def _row_bytes(shape):
    """Bytes of a state row of this shape as the driver has it."""
    return -(-math.prod(shape[1:]) // _ALIGNMENT) * _ALIGNMENT


def _for_driver(states):
    """State rows one after the other as the driver has them."""
    rows = np.zeros((len(states), _row_bytes(states.shape)), np.uint8)
    rows[:, : math.prod(states.shape[1:])] = states.reshape(len(states), -1) if states.size else 0
    return rows.reshape(-1)


def _left_behind(program, outer, columns, work):
    """The `States` that `work` leaves in the two buffers that it is given, with a row for each of `outer` windows."""
    shapes = [(outer, planes, columns, width) for planes, width in program.states()]
    rows = [np.zeros((outer, _row_bytes(shape)), np.uint8) for shape in shapes]
    work(*(array.reshape(-1) for array in rows))
    return States(*(r[:, : math.prod(shape[1:])].reshape(shape) for r, shape in zip(rows, shapes, strict=True)))


@functools.lru_cache(maxsize=64)
def _program_of_part(plan, masked, indices, outer, rows, columns):
    """For windows of `rows` rows, of which there are `outer`, each of them for a channel."""
    _, inner = columns_and_channels(plan)
    axes = (windows.whole(outer), windows.adaptive(rows, 1), windows.adaptive(columns, 1))
    return _program_for(axes, inner, plan, masked, indices)


def fold_part(plan, image, mask, indices, first):
    """Fold rows that are a part of the one window of a plan.

    Parts are joined by `join_parts` in their order; but for the last, they have the same power of two of rows, at least
    `LEAST_PART`.

    Parameters
    ----------
    plan : skpool.plan.Plan
    image : (channels, rows, columns[, channels]) ndarray
        Channels where the plan has them: ahead of the columns, or behind; 1 ahead if there are none.
    mask : ndarray of bool or None
        Of the same shape.
    indices : bool
    first : int
        The number of the first row in the window.

    Returns
    -------
    States
    """
    outer, rows, columns, *inner = image.shape
    program = _program_of_part(plan, mask is not None, indices, outer, rows, columns)
    width = plan.axes[columns_and_channels(plan)[0]].length
    fold = functools.partial(program.fold_part, image, mask, first, width)
    return _left_behind(program, outer, columns * math.prod(inner), fold)


def join_parts(plan, masked, indices, states):
    """The `States` of parts in a row, all over the same columns, joined."""
    outer, _, columns, _ = states[0].values.shape
    inner = columns_and_channels(plan)[1] or 1
    program = _program_of_part(plan, masked, indices, outer, len(states), columns // inner)
    stacked = (np.stack(arrays, axis=1) for arrays in zip(*states, strict=True))  # all parts of a channel together
    given = [_for_driver(array.reshape(outer * len(states), *array.shape[2:])) for array in stacked]
    return _left_behind(program, outer, columns, functools.partial(program.join_parts, *given))


def finish_parts(plan, masked, states, places=None):
    """The result of a plan from the `States` of its whole window, and the places in `places`; as `run`."""
    out = np.empty(plan.shape, plan.dtype)
    program = _program(plan, masked, places is not None)
    program.finish_part(_for_driver(states.values), _for_driver(states.counts), out, places)
    return out


def run(plan, image, *, mask=None, out=None, places=None, workers=None):
    """Compute a plan.

    Parameters
    ----------
    plan : skpool.plan.Plan
    image : ndarray
        Of the plan's shape and type, any layout.
    mask : ndarray of bool or None
        Broadcastable to the image by its strides: of the same shape.
    out, places : ndarray or None
        Where the result and the indices go. `out` is made if None; without `places` there are no indices.
    workers : int or None
        See `skpool.threads`.

    Returns
    -------
    ndarray
        The result, `out` if it was given.
    """
    if out is None:
        out = np.empty(plan.shape, plan.dtype)
    if not out.size:
        return out
    if not plan.samples:  # no pixels, or none before the first tap of a footprint
        out[...] = plan.fill_value
        if places is not None:
            places[...] = -1
        return out
    if plan.reduction.name in ORDERS and plan.samples > MOST_SAMPLES:
        return _one_by_one(plan, image, mask, out)
    native = out if out.dtype.isnative else np.empty(plan.shape, plan.dtype)
    native_places = places
    if places is not None and not places.dtype.isnative:
        native_places = np.empty(plan.shape, np.int64)
    program = _program(plan, mask is not None, places is not None)
    overflowed = program(image, native, mask, native_places, threads.worker_count(workers, plan.bytes_touched))
    if overflowed:
        _restore_averages(plan, image, mask, native, workers)
    if plan.reduction.name in POWERS and may_leave_range(plan):
        with np.errstate(all="ignore"):
            _restore_range(plan, image, mask, native, workers)
    if native is not out:
        out[...] = native
    if native_places is not places:
        places[...] = native_places
    return out


def _restore_averages(plan, image, mask, out, workers):
    """Compute again, by float64 totals, the averages whose float32 total overflowed.

    NaN stays: whether it was in the image, or is the sum of two overflows, would take a pass over the image to tell.
    """
    wide = replace(plan, dtype=_FLOAT64, fill_value=_FLOAT64.type(plan.fill_value))
    lost = np.isinf(out)
    out[lost] = run(wide, image, mask=mask, workers=workers)[lost]


def _one_by_one(plan, image, mask, out):
    """Windows of so many samples that each is worth a call: by the definition of the reduction."""
    natural = recipe_of(plan, False).natural
    values = np.zeros(plan.shape, natural)
    counted = np.zeros(plan.shape, bool)
    for output in np.ndindex(*plan.shape):
        samples = _samples_of_window(plan, image, mask, output)
        counted[output] = samples.size >= plan.min_count
        if plan.image_dtype.kind == "f" and np.isnan(samples).any() and not plan.reduction.counts_nan:
            values[output] = np.nan
        elif counted[output]:
            value = plan.reduction.define(samples, **plan.parameters)
            values[output] = value if natural.kind in "bf" else round(value)
    kept = make_plan(values.shape, values.dtype, "max", Sliding(1), dtype=plan.dtype, fill_value=plan.fill_value)
    return run(kept, values, mask=counted, out=out, workers=1)


def _samples_of_window(plan, image, mask, output):
    """The samples that a window counts, in the order in which it looks at them."""
    sources = [axis.positions(o) for axis, o in zip(plan.axes, output, strict=True)]
    held = np.ix_(*sources)
    places = tuple(np.maximum(source, 0) for source in held)
    # Not as float16: NumPy's sort of many of them is wrong where AVX-512 does it (2.4.6).
    samples = image[places].astype(row_dtype(plan.image_dtype))
    counted = np.ones(samples.shape, bool) if mask is None else mask[places]
    for source in held:
        samples = np.where(source == CONSTANT, plan.cval, samples)
        counted = (counted | (source == CONSTANT)) & (source != ABSENT)
    for source in held:
        counted = counted & (source != ABSENT)
    if plan.taps is not None:
        counted = counted & plan.taps.is_tap[tuple(map(slice, samples.shape))]
    if plan.omit_nan:
        counted = counted & ~np.isnan(samples)
    if not plan.nearest_first:
        return samples[counted]
    offsets = np.ix_(*(axis.offsets(o) for axis, o in zip(plan.axes, output, strict=True)))
    distances = sum(offset**2 for offset in offsets)
    return samples[counted][np.argsort(distances[counted], kind="stable")]


# --- powers beyond the range of float64

POWERS = ("lp", "power_mean", "gem")

#: Sums of powers from 2**-SAFE to 2**SAFE lose no bits, whatever else is added to them.
SAFE = 960


def bits_of_powers(plan):
    """The binary exponent, by its size, of the largest or smallest power but 0 that an image of the type can have."""
    rows = row_dtype(plan.image_dtype)
    bits = {4: 149, 8: 1074}[rows.itemsize] if rows.kind == "f" else 8 * rows.itemsize
    return max(bits, -math.log2(plan.parameters.get("eps", 1))) * plan.parameters["p"]


def may_leave_range(plan):
    """Whether some image of the type can have a power that float64 cannot hold."""
    return plan.dtype.kind == "f" and 1 < plan.parameters["p"] < math.inf and bits_of_powers(plan) > SAFE


def least_safe(p):
    """Results below it may have lost bits."""
    return 2.0 ** (-SAFE / p)


def leaves_range(plan, out, top):
    """Which results were lost because sums of powers left the range of float64; `top` are the largest samples."""
    return ((out < least_safe(plan.parameters["p"])) | np.isinf(out)) & (top > 0) & np.isfinite(top)


def largest(plan, image, mask, axes):
    """The largest sample that counts, or magnitude of one, as powers are taken of it: 0 where none does."""
    values = np.asarray(image, np.float64)
    values = np.maximum(values, plan.parameters["eps"]) if "eps" in plan.parameters else np.abs(values)
    return np.fmax.reduce(values, axis=axes, initial=0, where=True if mask is None else mask)


def scale_step(p):
    """Images are scaled by powers of two of multiples of it."""
    return max(int(SAFE / (2 * p)), 1)


def _restore_range(plan, image, mask, out, workers):
    """Compute again the windows whose sum of powers left the range of float64.

    Means of powers are homogeneous: scaled by a power of two, which changes no digit, an image gives scaled results.
    A window is scaled by its own largest sample, so its result depends on no other window.
    """
    p = plan.parameters["p"]
    if np.fmin.reduce(out, axis=None) >= least_safe(p) and np.fmax.reduce(out, axis=None) < math.inf:
        return
    exact = {"dtype": _FLOAT64, "fill_value": np.float64(np.nan)}
    if plan.reduction.name == "gem":
        top = run(replace(plan, reduction=REDUCTIONS["max"], parameters={}, **exact), image, mask=mask, workers=workers)
    else:
        largest = replace(plan, parameters={"p": math.inf}, **exact)
        top = run(largest, image, mask=mask, workers=workers)
    top = np.maximum(top, plan.parameters.get("eps", 0))
    lost = leaves_range(plan, out, top)
    step = scale_step(p)
    steps = np.frexp(top)[1] // step
    for number in np.unique(steps[lost]):
        shift = int(number) * step
        scaled = np.ldexp(image.astype(np.float64), -shift)
        parameters = dict(plan.parameters)
        if "eps" in parameters:
            parameters["eps"] = math.ldexp(parameters["eps"], -shift)
        again = replace(
            plan, image_dtype=_FLOAT64, parameters=parameters, cval=np.ldexp(np.float64(plan.cval), -shift), **exact
        )
        pooled = np.empty(again.shape, np.float64)
        _program(again, mask is not None, False)(
            scaled, pooled, mask, None, threads.worker_count(workers, again.bytes_touched)
        )
        chosen = lost & (steps == number)
        out[chosen] = np.ldexp(pooled[chosen], shift)
