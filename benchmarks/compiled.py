"""Peers that somebody writes and has compiled for each case: torch.compile, JAX, loops in Numba.

They are held apart from the functions of libraries, since whoever pools with them writes a program. Compilation
happens in the first call, which is not timed.
"""

from functools import partial, reduce

import numpy as np

from benchmarks.tasks import ADAPTIVE, GLOBAL, SLIDING, Contender, Peer

#: Samples of a window that torch.compile is given as so many slices; where windows tile the image, it gets blocks.
MOST_SLICES = 9


def forget_compiled():
    """Drop what was compiled for other cells, which PyTorch would look through at every call."""
    import sys

    if "torch._dynamo" in sys.modules:
        sys.modules["torch._dynamo"].reset()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


# ---------------------------------------------------------------- PyTorch


def torch_tensor(task, order):
    """The image as a tensor: two axes left alone, then those pooled."""
    import torch

    tensor = torch.from_numpy(task.image).permute(order)
    while tensor.ndim < len(task.pooled) + 2:
        tensor = tensor.unsqueeze(0)
    return tensor


def torch_reader(task, order):
    """How to read a tensor as an array with its axes in the image's order."""

    def read(result):
        result = result.to_dense() if result.is_mkldnn else result
        planes = result.reshape(tuple(task.shape[axis] for axis in order))
        return planes.permute(tuple(int(axis) for axis in np.argsort(order))).numpy()

    return read


def torch_pooling(task):
    """PyTorch's function for a tensor of `torch_tensor`, or None, and the order of the image's axes."""
    from torch.nn import functional

    order = (*task.kept, *task.pooled)
    if task.reduction not in ("max", "avg", "lp") or not 1 <= len(task.pooled) <= 3 or len(task.kept) > 2:
        return None, order
    name = f"{task.reduction}_pool{len(task.pooled)}d"
    if task.places == {ADAPTIVE} or (task.places == {GLOBAL} and task.reduction != "lp"):
        return partial(getattr(functional, f"adaptive_{name}"), output_size=task.sizes(task.shape)), order
    options = {"norm_type": 2} if task.reduction == "lp" else {}
    window, stride = task.sizes(task.window), task.sizes(task.stride)
    return partial(getattr(functional, name), kernel_size=window, stride=stride, **options), order


def _compiled(function, tensor):
    """The program that torch.compile makes of a function of a tensor."""
    import torch

    return partial(torch.compile(function, fullgraph=True, dynamic=False), tensor)


def _torch_function(task):
    """torch.compile of PyTorch's own function."""
    import torch

    torch.set_num_threads(task.workers)
    call, order = torch_pooling(task)
    if call is None:
        return None
    return Contender(_compiled(lambda tensor: call(tensor), torch_tensor(task, order)), torch_reader(task, order))


def _torch_written(task):
    """torch.compile of slices of the image, or of its blocks."""
    import torch

    torch.set_num_threads(task.workers)
    if task.reduction not in ("max", "avg") or (task.samples > MOST_SLICES and not task.tiles):
        return None
    # PyTorch's compiler reads no objects of ours.
    samples, result, largest = task.samples, getattr(torch, task.result.name), task.reduction == "max"
    rounds = task.result.kind in "iu"
    totals = torch.int32 if rounds else result
    axes = tuple(range(1, 2 * task.image.ndim, 2))
    pairs = [length for pair in zip(task.shape, task.window, strict=True) for length in pair]
    places = tuple(_places(task)) if samples <= MOST_SLICES else ()

    def finish(total):
        if rounds:
            return torch.div(total + samples // 2, samples, rounding_mode="floor").to(result)
        return total / samples

    def blocks(tensor):
        parts = tensor.reshape(pairs)
        return parts.amax(axes) if largest else finish(parts.sum(axes, dtype=totals))

    def slices(tensor):
        parts = [tensor[place] for place in places]
        if largest:
            return reduce(torch.maximum, parts)
        return finish(reduce(torch.add, [part.to(totals) for part in parts]))

    return Contender(
        _compiled(slices if places else blocks, torch.from_numpy(task.image)), lambda result: result.numpy()
    )


def _places(task):
    """For each sample of the window, the slices that hold it of all windows."""
    for offset in np.ndindex(*task.window):
        yield tuple(
            slice(first, first + (length - 1) * stride + 1, stride)
            for first, length, stride in zip(offset, task.shape, task.stride, strict=True)
        )


# ---------------------------------------------------------------- JAX


def _jax(task):
    """`reduce_window`, or a reduction over axes. JAX takes all processors; it cannot be told how many."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    if task.reduction not in ("max", "min", "avg", "sum"):
        return None
    numbers = jax.numpy
    extremes = np.finfo if task.image.dtype.kind == "f" else np.iinfo
    rounded = task.reduction == "avg" and task.result.kind in "iu"
    totals = np.dtype("int32") if rounded else task.result
    # reduction: its operation, what changes nothing, over axes
    operation, neutral, whole = {
        "max": (jax.lax.max, extremes(task.image.dtype).min, numbers.max),
        "min": (jax.lax.min, extremes(task.image.dtype).max, numbers.min),
        "avg": (jax.lax.add, 0, numbers.sum),
        "sum": (jax.lax.add, 0, numbers.sum),
    }[task.reduction]
    counts = task.samples if task.reduction == "avg" else 1

    def pool(image):
        image = image.astype(totals)
        if task.places == {GLOBAL}:
            pooled = whole(image, axis=task.pooled, keepdims=True)
        else:
            pooled = jax.lax.reduce_window(image, totals.type(neutral), operation, task.window, task.stride, "valid")
        if counts == 1:
            return pooled
        return ((pooled + counts // 2) // counts).astype(task.result) if rounded else pooled / totals.type(counts)

    program, image = jax.jit(pool), jax.device_put(task.image)
    return Contender(lambda: program(image).block_until_ready())


# ---------------------------------------------------------------- Numba


def _numba(task, form):
    """Loops over windows of a size that the compiler knows, in parallel over rows of the answer."""
    import numba

    from benchmarks import loops

    numba.set_num_threads(task.workers)
    places = _as_rows(task)
    if task.reduction not in loops.FOLDS or places is None:
        return None
    image, out, window, stride = places
    program = getattr(loops, form)(task.reduction, window, stride, task.image.dtype, task.result)
    return Contender(lambda: program(image, out), lambda _: out.reshape(task.shape))


def _as_rows(task):
    """Image and answer of axes (others, planes, rows, columns, channels), and sizes of windows along three of them."""
    first, last = task.pooled[0], task.pooled[-1]
    if task.pooled != tuple(range(first, last + 1)) or len(task.pooled) > 3:
        return None
    missing = 3 - len(task.pooled)

    def shaped(shape):
        return (int(np.prod(shape[:first])), *(1,) * missing, *shape[first : last + 1], int(np.prod(shape[last + 1 :])))

    sizes = ((1,) * missing + task.sizes(values) for values in (task.window, task.stride))
    return task.image.reshape(shaped(task.image.shape)), np.empty(shaped(task.shape), task.result), *sizes


def _numba_whole(task):
    """One parallel loop over all samples."""
    import numba

    from benchmarks import loops

    numba.set_num_threads(task.workers)
    if task.reduction not in loops.FOLDS or not task.covers_image:
        return None
    program = loops.whole(task.reduction, task.image.dtype, task.result)
    return Contender(partial(program, task.image.reshape(-1)), lambda value: np.full(task.shape, value, task.result))


PEERS = (
    Peer("torch.compile", ("torch",), _torch_function, places=(SLIDING, GLOBAL, ADAPTIVE), compiled=True),
    Peer("torch.compile, written", ("torch",), _torch_written, places=(SLIDING, GLOBAL), compiled=True),
    Peer("JAX", ("jax",), _jax, places=(SLIDING, GLOBAL), compiled=True),
    Peer("Numba windows", ("numba",), partial(_numba, form="windows"), reuses_output=True, compiled=True),
    Peer("Numba rows", ("numba",), partial(_numba, form="rows"), reuses_output=True, compiled=True),
    Peer("Numba whole", ("numba",), _numba_whole, places=(GLOBAL,), compiled=True),
)
