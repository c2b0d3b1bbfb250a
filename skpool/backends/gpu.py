"""The GPU backend: a plan and CuPy arrays -> CUDA kernels (skpool/cuda), compiled by CuPy when they are first needed.

Design: the recipes of the CPU backend say which types a fold has, so both fold the same numbers in the same order, and
results are equal bit for bit. A kernel is a template; its instance is named by an expression such as
``pool<Sum<uint8, uint32, uint64>, uint64, 1, 2>`` and kept for each device. What a kernel must know of a plan, windows
and strides included, is one block of words, uploaded once and kept for each device.

CuPy is imported when there is an array on a GPU, never before. Nothing here waits for the device. What is not of
windows has files of its own: `gpu_boxes`, `gpu_labels`, `gpu_unpool`, `gpu_corners`, `gpu_area`, `gpu_weights`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import math
import operator
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..plan import refuse_nan
from ..reductions import WEIGHTED_AVG
from .cpu import (
    POWERS,
    bytes_of_row,
    columns_and_channels,
    least_safe,
    may_leave_range,
    ordered_taps,
    recipe_of,
    scale_step,
)
from .order import ORDERS
from .weighing import vectors_of, weights_of

SOURCES = Path(__file__).parents[1] / "cuda"

#: Threads of a block, as pool.cu has it, and the most blocks of a launch.
THREADS = 256
LARGEST_GRID = 2**31 - 1

#: Windows of at least so many samples are cut into parts where results are so few that one thread for each would leave
#: most of a device idle. Rows of a part: a power of two, as PART_LEVELS of pool.cu has it.
LEAST_PARTED = 1024
MOST_PARTED_OUTPUTS = 2**15
PART = 32


#: Windows are folded in tiles, down and then across, where that reads so many times less, and where there are so many
#: elements of the result. A sample costs more than a node of the workspace, but that is written first. Not measured.
CROSSED_FROM = 3
LEAST_CROSSED = 2**10

#: The most samples of a window with weights that is averaged along all axes at once: they are read again and again, but
#: through the caches, and nothing lies between two launches. Windows of `blur_pool` along three axes have no more. Not
#: measured.
MOST_AT_ONCE = 7**3

#: Elements of a tile, and the most channels; and the most tiles that are worked on at a time: blocks of threads that
#: fill a device, each with room for the nodes of one tile.
TILE = 2**10
MOST_GROUP = 32
MOST_BLOCKS = 2**10

#: Reductions of windows of 2 x 2 that are read in vectors: those that take less time than their pixels take to come.
QUADS = ("max", "min", "range", "sum", "avg", "var", "std")

#: Channels of pixels that lie in registers, some neighbours together.
MOST_IN_REGISTERS = 4

#: Kinds of devices of DLPack that hold memory of CUDA: a device's, and managed.
_DLPACK_DEVICES = (2, 13)


def is_array(array):
    """Whether an array is on a GPU, whosever it is: by the array interface of CUDA, or by DLPack."""
    if type(array) is np.ndarray:
        return False
    if hasattr(array, "__cuda_array_interface__"):
        return True
    return hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] in _DLPACK_DEVICES


def on_cpu_only(function):
    """Refuse arrays on a GPU: no array is ever copied from the device unasked."""

    @functools.wraps(function)
    def checked(*arguments, **keywords):
        for name, array in (*zip(("", "", ""), arguments, strict=False), *keywords.items()):
            if is_array(array):
                refuse(f"{function.__name__}({f'{name}=' if name else ''}array.get(), ...)")
        return function(*arguments, **keywords)

    return checked


def refuse(call, what="this is not computed"):
    """Say that there is no such call on a GPU."""
    raise NotImplementedError(f"{what} on a GPU yet; on the CPU: skpool.{call}")


def arrays():
    """CuPy."""
    return importlib.import_module("cupy")


def as_array(array):
    """An array on a GPU as CuPy's, without a copy."""
    cupy = arrays()
    if isinstance(array, cupy.ndarray):
        return array
    return cupy.asarray(array) if hasattr(array, "__cuda_array_interface__") else cupy.from_dlpack(array)


def together(**given):
    """Arrays of one call as CuPy's, all on the device of the first, in the order given."""
    found = []
    for name, array in given.items():
        if not is_array(array):
            first = next(iter(given))
            raise TypeError(f"`{name}` must be on the device of `{first}`, got {type(array).__name__}")
        found.append(as_array(array))
        if found[-1].device != found[0].device:
            raise ValueError(f"`{name}` must be on the device of `{next(iter(given))}`, got another")
    return found


def empty(shape, dtype, like):
    """A new array on the device of another."""
    with like.device:
        return arrays().empty(shape, dtype)


# --- which instance of which kernel: structs of reductions.cuh by their templates' arguments

#: Names of types in CUDA, if they are not NumPy's.
_TYPES = {"bool": "truth"}

#: Types of totals, by the name of the CPU's.
_TOTALS = {
    "16 bits": "uint32",
    "32 bits": "uint32",
    "64 bits": "uint64",
    "two words": "TwoWords",
    "float32": "float32",
    "float64": "float64",
}


def type_of(dtype):
    return _TYPES.get(dtype.name, dtype.name)


def _extremum(recipe, pixel, natural):
    name = {"max": "Max", "min": "Min", "argmax": "ArgMax", "argmin": "ArgMin"}[recipe.kernel[0]]
    return f"{name}<{pixel}>"


def _range(recipe, pixel, natural):
    return f"Range<{pixel}, {natural}>"


def _total(recipe, pixel, natural):
    total = _TOTALS[recipe.kernel[2]]
    if recipe.finish[0] == "avg" and total == "float32":
        return f"AvgOfSingles<{pixel}, {natural}>"
    return f"{recipe.finish[0].title()}<{pixel}, {total}, {natural}>"


def _count(recipe, pixel, natural):
    return f"Count<{pixel}>"


#: Names of structs of reductions that map samples first, by that of their finish.
MAPPED = {
    "lp": "Lp",
    "power_mean": "PowerMean",
    "gem": "Gem",
    "largest_magnitude": "LargestMagnitude",
    "logsumexp": "LogSumExp",
    "soft": "Soft",
    "var": "Var",
    "std": "Std",
}


def _mapped(recipe, pixel, natural):
    return f"{MAPPED[recipe.finish[0]]}<{pixel}, {natural}>"


#: The struct of each reduction: ``(recipe, pixel, natural) -> expression``.
STRUCTS = {
    "max": _extremum,
    "min": _extremum,
    "range": _range,
    "sum": _total,
    "avg": _total,
    "count": _count,
    **dict.fromkeys(("lp", "power_mean", "gem", "logsumexp", "soft", "var", "std"), _mapped),
}

#: The struct of each way to order samples, by `Order.lanes`, `finish` and `result`.
ORDERED = {
    ("sort", "quantile", "float64"): "Quantile",
    ("sort", "quantile", "same"): "WholeQuantile",
    ("sort", "mean", "float64"): "MeanBetween",
    ("sort", "weights", "float64"): "WeightedRanks",
    ("sort", "mode", "same"): "Mode",
    ("sort", "last mode", "same"): "LastMode",
    ("sort", "nunique", "int64"): "Distinct",
    ("sort", "entropy", "float64"): "Entropy",
    ("first mode", "", "same"): "FirstMode",
}

#: Samples of a window that its thread orders in registers, the fewest that kernels are compiled for first.
CAPACITIES = (4, 9, 27)

#: Reductions that are computed on a GPU.
COVERED = (*STRUCTS, *ORDERS)

#: Levels of the tree of a fold that kernels are compiled for: fewer of them stay in registers.
_LEVELS = (2, 4, 32)


def _levels(plan, columns):
    """Levels of the tree for the rows and the columns, or the taps, of a plan's windows."""
    most = plan.axes[columns].most_taps
    most = max(most, math.prod(axis.most_taps for axis in plan.axes[:columns]))
    if plan.taps is not None:
        most = plan.samples
    return next(levels for levels in _LEVELS if most < 2**levels)


@dataclass(frozen=True)
class Kernels:
    """The kernels of a plan, as CUDA names them.

    Attributes
    ----------
    file : str
        Where they are, which also tells how they are launched.
    names : tuple of str
    each : int
        Bytes of an entry of the workspace, or the columns that a thread makes.
    """

    file: str
    names: tuple[str, ...]
    each: int = 0


#: Bytes of the state of a struct but for its samples or its total, and how many of these it has.
_STATES = {
    "Count": (1, 0),
    "Max": (0, 1),
    "FoundMax": (0, 1),
    "Min": (0, 1),
    "ArgMax": (16, 1),
    "ArgMin": (16, 1),
    "Range": (0, 2),
    "LogSumExp": (16, 0),
    "Soft": (24, 0),
    "Var": (32, 0),
    "Std": (32, 0),
}


def _bytes_of_state(struct, recipe):
    """Bytes of the state of a struct, as C++ lays it out."""
    name = struct.partition("<")[0]
    if name in _STATES:
        fixed, samples = _STATES[name]
        size = fixed + samples * recipe.rows.itemsize
        return -(-size // 8) * 8 if fixed > 8 else size
    if "TwoWords" in struct:
        return 16
    return 4 if "32" in _TOTALS.get(recipe.kernel[2] if len(recipe.kernel) > 2 else "", "") else 8


@functools.lru_cache(maxsize=512)
def kernels_of(plan, indices=False, counted=True, width=None, finds=False):
    """The kernels of a plan, or an error if there is none.

    Parameters
    ----------
    plan : skpool.plan.Plan
    indices : bool
        Whether places are asked for.
    counted : bool
        Whether a mask, or NaN that is omitted, may make counts differ.
    width : int or None
        Bytes of the vectors in which rows may be read and written; None: pixels one by one.
    finds : bool
        Of maxima, whether it is asked for where there are any.
    """
    name = plan.reduction.name
    columns = columns_and_channels(plan)[0]
    out = f"skpool::{type_of(plan.dtype)}"
    if name == WEIGHTED_AVG.name:
        pixel = f"skpool::{type_of(plan.image_dtype)}"
        if not counted and vectors_of(plan, columns) is not None:
            if plan.samples <= MOST_AT_ONCE:
                return Kernels("outer.cu", (f"skpool::average_outer<{pixel}, {out}, {columns}>",))
            names = f"skpool::sum_rows<{pixel}, {columns}>", f"skpool::average_sums<{pixel}, {out}, {columns}>"
            return Kernels("outer.cu", names)
        return Kernels("weights.cu", (f"skpool::weighted_average<{pixel}, {out}, {columns}>",))
    recipe = recipe_of(plan, indices)
    if recipe.order is not None:
        return _kernels_of_order(plan, recipe.order)
    pixel, natural = type_of(plan.image_dtype), type_of(recipe.natural)
    struct = ("Found" if finds else "") + STRUCTS[name](recipe, pixel, natural)
    state, reduction = _bytes_of_state(struct, recipe), qualified(struct)
    node = -(-state // 8) * 8 + 8
    if is_parted(plan):
        words = node // 8
        return Kernels(
            "parts.cu",
            (
                f"skpool::fold_parts<{reduction}, {columns}, {words}>",
                f"skpool::join_parts<{reduction}, {out}, {columns}, {words}>",
            ),
            node,
        )
    if width is not None:
        each, channels = outputs_of_thread(plan)
        name = f"skpool::pool_quads<{reduction}, {out}, {columns}, {each}, {channels}, {width}>"
        return Kernels("quads.cu", (name,), each)
    is_tree = STRUCTS[name] is _mapped or (STRUCTS[name] is _total and recipe.rows.kind == "f")
    levels = _levels(plan, columns) if is_tree or plan.taps is not None else _LEVELS[0]
    if is_crossed(plan):
        entry = node if counted else state
        tail = f"{columns}, {levels}, {entry}, {'true' if counted else 'false'}"
        return Kernels("tiles.cu", (f"skpool::pool_tiles<{reduction}, {out}, {tail}>",), entry)
    return Kernels("pool.cu", (f"skpool::pool<{reduction}, {out}, {columns}, {levels}>",))


def _kernels_of_order(plan, order):
    """The kernel that orders the samples of windows, if these are small enough."""
    if plan.samples > CAPACITIES[-1]:
        refuse(
            f"{plan.reduction.name}_pool(image.get(), ...)",
            f"windows of more than {CAPACITIES[-1]} samples, as these of {plan.samples}, are not sorted",
        )
    capacity = next(capacity for capacity in CAPACITIES if plan.samples <= capacity)
    struct = qualified(f"{ORDERED[order.lanes, order.finish, order.result]}<{type_of(plan.image_dtype)}>")
    columns = columns_and_channels(plan)[0]
    name = f"skpool::order<{struct}, skpool::{type_of(plan.dtype)}, {columns}, {capacity}>"
    return Kernels("order.cu", (name,))


def is_parted(plan):
    """Whether the windows of a plan are cut into parts."""
    few = plan.taps is None and plan.samples >= LEAST_PARTED and math.prod(plan.shape) <= MOST_PARTED_OUTPUTS
    return few and not is_crossed(plan)


def _positions(axis, outputs):
    """From the first tap of a window to the last tap of the last one of so many neighbours."""
    return (outputs - 1) * axis.stride + (axis.most_taps - 1) * axis.step + 1


def tiling(plan):
    """The tiles of a plan, the columns and channels of one, and the positions under it.

    A tile is so long that its neighbours look at no more than half as much again.
    """
    columns, channels = columns_and_channels(plan)
    along, channels = plan.axes[columns], channels or 1
    group = min(channels, MOST_GROUP)
    tile = min(max(-(-TILE // group), 2 * _positions(along, 1) // along.stride), along.outputs)
    tiles = math.prod(plan.shape[:columns]) * -(-along.outputs // tile) * -(-channels // group)
    return tiles, {"tile": tile, "group": group, "positions": _positions(along, tile)}


def is_crossed(plan):
    """Whether windows are folded down and then across: where that reads much less than one thread for each would."""
    columns = columns_and_channels(plan)[0]
    along = plan.axes[columns]
    if plan.taps is not None or not along.is_even or math.prod(plan.shape) < LEAST_CROSSED:
        return False
    rows = math.prod(axis.most_taps for axis in plan.axes[:columns])
    reads = rows * _positions(along, along.outputs) / along.outputs + along.most_taps
    return rows * along.most_taps >= CROSSED_FROM * reads


def outputs_of_thread(plan):
    """Neighbours that a thread makes of windows of 2 x 2 at stride 2, and the channels of a pixel.

    The latter are 0 where a pixel has so many that the neighbours are some of its channels. None of other windows, or
    where neighbours do not fill vectors.
    """
    columns = columns_and_channels(plan)[0]
    if plan.reduction.name not in QUADS or plan.omit_nan or plan.taps is not None or not columns or is_parted(plan):
        return None
    for a, axis in enumerate(plan.axes[: columns + 1]):
        taps = 2 if a >= columns - 1 else 1
        strides = (2,) if taps == 2 else range(1, axis.length + 2)
        if not axis.is_even or axis.before or (axis.most_taps, axis.step) != (taps, 1) or axis.stride not in strides:
            return None
    channels = plan.axes[-1].outputs if len(plan.axes) > columns + 1 else 1
    each = min(16 // plan.image_dtype.itemsize, 8)
    if channels > MOST_IN_REGISTERS:
        if channels % each:
            return None
        channels = 0
    return (each, channels) if each * max(channels, 1) * plan.dtype.itemsize % 8 == 0 else None


def width_of_vectors(plan, image, out):
    """Bytes of the vectors in which rows may be read and written, or None: it depends on where arrays lie."""
    if outputs_of_thread(plan) is None:
        return None
    columns = columns_and_channels(plan)[0]
    bits = 0
    for array in (image, out):
        width = array.dtype.itemsize
        beside = (width,) if array.ndim == columns + 1 else (width * array.shape[-1], width)
        if array.strides[columns:] != beside:
            return None
        bits |= functools.reduce(operator.or_, array.strides[:columns], array.data.ptr)
    return next((width for width in (16, 8) if bits % width == 0), None)


def qualified(struct):
    """The name of a struct and its arguments, with their namespace."""
    return re.sub(r"\b(\w+)", r"skpool::\1", struct)


@functools.cache
def source(name):
    """The text of a CUDA file."""
    return (SOURCES / name).read_text(encoding="utf-8")


@functools.cache
def options():
    """Options of the compiler. CuPy does not see into included files, so their digest keeps its cache honest."""
    texts = "".join(source(path.name) for path in sorted(SOURCES.glob("*.cu*")))
    digest = hashlib.sha256(texts.encode()).hexdigest()[:16]
    return ("--std=c++17", "--fmad=false", f"-I{SOURCES}", f"-DSKPOOL_SOURCES=0x{digest}")


@functools.lru_cache(maxsize=1024)
def _module(file, names, device):
    """The kernels of one or two names, compiled for a device, which must be the current one."""
    return arrays().RawModule(code=source(file), options=options(), name_expressions=names)


@functools.lru_cache(maxsize=1024)
def _kernel(file, names, number, device):
    return _module(file, names, device).get_function(names[number])


# --- what a kernel must know: the structs `Plan` and `Axis` of windows.cuh, word by word

AXIS = (
    *("length", "outputs", "taps", "stride", "step", "before", "after", "ignores"),
    *("start", "sizes", "outside_before", "outside_after"),
    *("image", "mask", "out", "places", "weights"),
)
PLAN = (
    *("outputs", "minimum", "omits", "raises", "taps", "taps_found", "part", "parts"),
    *("positions", "tile", "group", "channels"),
    *("low", "high", "weight", "down", "across", "treats_apart", "apart", "fill", "constant"),
    *("first", "second", "divisor", "safe", "least"),
)


def word_of(value, dtype):
    """A number's bytes in memory, as the first of a word."""
    return int.from_bytes(np.asarray(value).astype(dtype).tobytes(), "little")


class Words:
    """The block of words, as it grows."""

    def __init__(self, words):
        self.words = [0] * words

    def table(self, numbers):
        """Append numbers, and tell the word where they begin."""
        numbers = np.ascontiguousarray(numbers)
        begin = len(self.words)
        self.words.extend(
            numbers.astype(np.float64 if numbers.dtype.kind == "f" else np.int64).view(np.uint64).tolist()
        )
        return begin

    def write(self, names, at, values):
        """Write the fields of a struct."""
        for name, value in values.items():
            self.words[at + names.index(name)] = word_of(value, np.float64) if isinstance(value, float) else value

    def array(self):
        return np.array([word % 2**64 for word in self.words], np.uint64).view(np.int64)


def axis_values(words, axis, strides):
    """The fields of an axis."""
    values = {
        "length": axis.length,
        "outputs": axis.outputs,
        "taps": axis.most_taps,
        "stride": axis.stride,
        "step": axis.step,
        "before": axis.before,
        "after": axis.after,
        "ignores": int(axis.mode == "ignore"),
        **strides,
    }
    if not axis.is_even:
        values |= {"start": words.table(axis.start), "sizes": words.table(axis.taps)}
    elif axis.mode != "ignore":
        values |= {
            "outside_before": words.table(axis.outside_before),
            "outside_after": words.table(axis.outside_after),
        }
    return values


def _parts(plan, columns):
    """The most parts that a window is cut into."""
    return -(-math.prod(axis.most_taps for axis in plan.axes[:columns]) // PART)


def words_of(plan, indices, strides, raises=False, more=()):
    """The words of a plan for arrays of some strides.

    Parameters
    ----------
    plan : skpool.plan.Plan
    indices : bool
    strides : tuple of tuple of int
        Of the image, the mask, the result, the indices and the weights of pixels, in bytes; empty where there is none.
    raises : bool
        Whether the alarm is raised where NaN counts.
    more : mapping
        Other fields of the plan.

    Returns
    -------
    ndarray of int64
    """
    recipe = recipe_of(plan, indices)
    columns = columns_and_channels(plan)[0]
    axes = list(plan.axes)
    words = Words(len(PLAN) + len(AXIS) * (columns + 2))
    for a in range(columns + 2):
        named = {
            name: array[a] if a < len(axes) else 0 for name, array in zip(AXIS[-5:], strides, strict=True) if array
        }
        if a < len(axes):
            words.write(AXIS, len(PLAN) + len(AXIS) * a, axis_values(words, axes[a], named))
        else:
            words.write(AXIS, len(PLAN) + len(AXIS) * a, {"length": 1, "outputs": 1, "taps": 1, "stride": 1, "step": 1})
    values = {
        "outputs": math.prod(plan.shape),
        "minimum": plan.min_count,
        "omits": int(plan.omit_nan),
        "raises": int(raises),
        "fill": word_of(plan.fill_value, plan.dtype),
        "constant": word_of(plan.cval, plan.image_dtype),
        **parameters_of(plan, recipe),
        "part": PART,
        "parts": _parts(plan, columns),
        "positions": axes[columns].most_taps,
        "channels": columns + 1,
    }
    if is_crossed(plan):
        values |= tiling(plan)[1]
    if plan.taps is not None or plan.nearest_first:
        window = tuple(axis.most_taps for axis in axes)
        taps = ordered_taps(plan)
        values |= {"taps": words.table(np.ravel_multi_index(tuple(taps.T), window)), "taps_found": len(taps)}
        if plan.is_weighted:
            values["weight"] = words.table(weights_of(plan, taps))
            vectors = vectors_of(plan, columns)
            if vectors is not None:
                values |= zip(("down", "across"), map(words.table, vectors), strict=True)
    if recipe.order is not None:
        values |= _values_of_order(words, plan, recipe)
    words.write(PLAN, 0, values | dict(more))
    return words.array()


def parameters_of(plan, recipe):
    """The fields of the plan that a fold reads."""
    parameters = [float(value or 0) for value in plan.parameters.values() if recipe.order is None]
    values = {**dict(zip(("first", "second"), parameters, strict=False)), "divisor": float(recipe.divisor or 0)}
    if plan.reduction.name in POWERS and may_leave_range(plan):
        p = plan.parameters["p"]
        values |= {"safe": scale_step(p), "least": least_safe(p)}
    return values


def _values_of_order(words, plan, recipe):
    """The fields of the plan that tell which ranks make a result."""
    tables = recipe.order.tables(plan.samples)
    values = {name: words.table(tables[name]) for name in ("low", "high", "weight") if len(tables[name]) > 1}
    if recipe.order.value is not None:
        values["treats_apart"] = 1
        values["apart"] = int.from_bytes(bytes_of_row(recipe.order.value, recipe, plan), "little")
    return values


class Table:
    """A block of words on a device, which other streams may read once it is there."""

    def __init__(self, words):
        cupy = arrays()
        self.array = cupy.asarray(words)
        self.uploaded = cupy.cuda.Event(disable_timing=True)
        self.uploaded.record()
        self.streams = {cupy.cuda.get_current_stream().ptr}

    def ready(self):
        """The array, for the current stream."""
        stream = arrays().cuda.get_current_stream()
        if stream.ptr not in self.streams:
            stream.wait_event(self.uploaded)
            self.streams.add(stream.ptr)
        return self.array


@functools.lru_cache(maxsize=512)
def kept_bytes(numbers, device):
    """Integers of 64 bits, or floats, on a device, by their bytes."""
    return Table(np.frombuffer(numbers, np.int64))


@functools.lru_cache(maxsize=512)
def _table(plan, *arguments):
    """The words of a plan, also if another one has had the same."""
    *given, device = arguments
    return kept_bytes(words_of(plan, *given).tobytes(), device)


#: Bytes of tables that depend on values, which are kept on a device to be used again, if they are few.
MOST_KEPT = 2**15


def kept_or_sent(numbers, device):
    """Integers of 64 bits, or floats, on a device: kept there if they are few, else sent, without waiting."""
    numbers = np.ascontiguousarray(numbers)
    if numbers.nbytes > MOST_KEPT:
        return arrays().asarray(numbers.view(np.int64))
    return kept_bytes(numbers.tobytes(), device).ready()


def merged_axes(shape, **strides):
    """Fields of the axes of arrays of one shape, at least one; neighbours that lie alike in all arrays are one axis."""
    axes = []
    for a, length in enumerate(shape):
        fields = {"length": length} | {name: array[a] for name, array in strides.items()}
        if length == 1:
            continue
        if axes and all(axes[-1][name] == fields[name] * length for name in strides):
            fields["length"] *= axes.pop()["length"]
        axes.append(fields)
    return axes or [{"length": 1}]


def words_of_axes(values, axes):
    """The words of a plan and of axes, by their fields."""
    words = Words(len(PLAN) + len(AXIS) * len(axes))
    words.write(PLAN, 0, values)
    for a, fields in enumerate(axes):
        words.write(AXIS, len(PLAN) + len(AXIS) * a, fields)
    return words.array()


# --- the workspace of a call


#: A pointer to nothing.
NOTHING = np.uint64(0)

#: Words of `Alarm` of windows.cuh.
ALARM = 2


def workspace(words, raises, like):
    """So many words on the device of an array, and an alarm that is off; or nothing in place of either."""
    if not (words or raises):
        return NOTHING, NOTHING
    space = empty((words + ALARM * raises,), np.int64, like)
    if not raises:
        return space, NOTHING
    alarm = space[words:]
    alarm.fill(0)  # by the driver, in stream order
    return space, alarm


def heed(alarm):
    """Wait for the device, raise an error if NaN has counted, and tell whether weights were wrong."""
    nan, weights = alarm.get().tolist()
    if nan:
        refuse_nan()
    return bool(weights)


# --- one call


def run(plan, image, *, mask=None, mask_strides=None, out=None, places=None, raises=False, found=None):
    """Compute a plan on the device of the image, on the current stream.

    Parameters
    ----------
    plan : skpool.plan.Plan
    image : cupy.ndarray
        Of the plan's shape and type, any layout.
    mask : cupy.ndarray of bool or None
    mask_strides : tuple of int or None
        Those of the mask as broadcast to the image; its own if None.
    out, places : cupy.ndarray or None
        Where the result and the indices go. `out` is made if None; without `places` there are no indices.
    raises : bool
        Whether to wait for the device, and raise an error if NaN counts.
    found : cupy.ndarray of bool or None
        Where it goes which maxima there are.

    Returns
    -------
    cupy.ndarray
        The result, `out` if it was given.
    """
    indices = places is not None
    raises &= plan.image_dtype.kind == "f"
    kernels_of(plan, indices)  # or an error, before any work
    if out is None:
        out = empty(plan.shape, plan.dtype, image)
    if not out.size:
        return out
    with image.device:
        if not plan.samples:  # no pixels, or none before the first tap of a footprint
            out.fill(plan.fill_value)
            if indices:
                places.fill(-1)
            if found is not None:
                found.fill(False)
            return out
        masks = () if mask is None else (mask.strides if mask_strides is None else mask_strides)
        beside = places if found is None else found
        strides = (image.strides, masks, out.strides, () if beside is None else beside.strides, ())
        plain = not (plan.omit_nan or raises) and mask is beside is None
        width = width_of_vectors(plan, image, out) if plain else None
        kernels = kernels_of(plan, indices, mask is not None or plan.omit_nan, width, found is not None)
        device = image.device.id
        table = _table(plan, indices, strides, raises, device).ready()
        space, alarm = workspace(ROOMS.get(kernels.file, _no_room)(plan, kernels), raises, out)
        inputs = (image, NOTHING if mask is None else mask, alarm)
        outputs = (out, NOTHING if beside is None else beside, table)
        launch = functools.partial(launch_kernel, kernels.file, kernels.names, device)
        LAUNCHERS.get(kernels.file, _whole)(plan, kernels, launch, inputs, space, outputs)
        if raises:
            heed(alarm)
    return out


def maxima_found(plan, image, **arrays):
    """As `run`, the maxima and where there are any, in one block of memory."""
    size = math.prod(plan.shape)
    space = empty((size * (plan.dtype.itemsize + 1),), np.uint8, image)
    arrays["out"] = space[: size * plan.dtype.itemsize].view(plan.dtype).reshape(plan.shape)
    found = space[size * plan.dtype.itemsize :].view(np.bool_).reshape(plan.shape)
    return run(plan, image, **arrays, found=found), found


# --- how kernels are launched, and the words of their workspace


def _whole(plan, kernels, launch, inputs, space, outputs):
    """A thread for each element of the result."""
    launch(0, outputs[0].size, (*inputs, *outputs))


def _by_quads(plan, kernels, launch, inputs, space, outputs):
    """A thread for some neighbours."""
    columns, channels = columns_and_channels(plan)
    out = outputs[0]
    rows = math.prod(out.shape[:columns])
    along, channels = out.shape[columns], channels or 1
    if channels > MOST_IN_REGISTERS:
        launch(0, rows * along * (channels // kernels.each), (*inputs, *outputs))
    else:
        launch(0, rows * -(-along // kernels.each), (*inputs, *outputs))


def _parts_of_all(plan):
    columns = columns_and_channels(plan)[0]
    return math.prod(plan.shape) * _parts(plan, columns) * plan.axes[columns].most_taps


def _by_parts(plan, kernels, launch, inputs, space, outputs):
    """A thread for each part of a window, then a block of threads for each element."""
    launch(0, _parts_of_all(plan), (*inputs, space, outputs[-1]))
    launch(1, outputs[0].size * THREADS, (*inputs, space, *outputs))


def _by_tiles(plan, kernels, launch, inputs, space, outputs):
    """A block of threads for each tile, or for some."""
    tiles = tiling(plan)[0]
    launch(0, min(tiles, MOST_BLOCKS) * THREADS, (*inputs, space, *outputs, np.int64(tiles)))


def _by_axes(plan, kernels, launch, inputs, space, outputs):
    """A thread for each element, and for each of the sums that lie between."""
    if len(kernels.names) == 1:
        launch(0, outputs[0].size, (*inputs, *outputs))
        return
    launch(0, _room_of_sums(plan, kernels), (*inputs, space, outputs[-1]))
    launch(1, outputs[0].size, (*inputs, space, *outputs))


def _no_room(plan, kernels):
    return 0


def _room_of_parts(plan, kernels):
    return _parts_of_all(plan) * kernels.each // 8


def _room_of_tiles(plan, kernels):
    tiles, sizes = tiling(plan)
    return -(-(min(tiles, MOST_BLOCKS) * sizes["positions"] * sizes["group"] * kernels.each) // 8)


def _room_of_sums(plan, kernels):
    axis = plan.axes[columns_and_channels(plan)[0]]
    return math.prod(plan.shape) // axis.outputs * axis.length if len(kernels.names) > 1 else 0


#: By the file of a kernel; others have no workspace, and a thread for each element.
LAUNCHERS = {"quads.cu": _by_quads, "parts.cu": _by_parts, "tiles.cu": _by_tiles, "outer.cu": _by_axes}
ROOMS = {"parts.cu": _room_of_parts, "tiles.cu": _room_of_tiles, "outer.cu": _room_of_sums}


def launch_kernel(file, names, device, number, threads, arguments):
    """Launch a kernel on the current stream."""
    blocks = min(-(-threads // THREADS), LARGEST_GRID)
    _kernel(file, names, number, device)((blocks,), (THREADS,), arguments)
