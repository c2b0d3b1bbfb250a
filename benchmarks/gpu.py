"""skpool on a GPU beside other packages: `python -m benchmarks.gpu [--cells PATTERN] [--quick]`.

Times are those of the device, between two events on the stream, the median of rounds in which all sides take turns. A
share of the copy rate tells how near a call is to what the device can do: its image and result, moved once, at the rate
at which the device copies as many bytes. Peers that give another answer, or none, are named and not timed.
"""

import argparse
import fnmatch
import statistics
import sys
from importlib.util import find_spec

import numpy as np

ROUNDS, QUICK_ROUNDS = 30, 5
CALLS = 10  # of a round

#: Images: what a cell is called, their shape, and the axis of their channels.
IMAGES = {
    "8192 x 8192": ((8192, 8192), None),
    "4096 x 4096 x 3": ((4096, 4096, 3), -1),
    "64 x 224 x 224": ((64, 224, 224), 0),
    "256 x 256 x 256": ((256, 256, 256), None),
}

#: Reduction, window and stride.
WINDOWS = (
    *[
        (reduction, size, stride)
        for reduction in ("max", "avg")
        for size, stride in ((2, 2), (3, 2), (3, 1), (15, 1), (63, 1))
    ],
    ("sum", 2, 2),
    ("std", 3, 2),
    ("median", 3, 1),
    ("mode", 2, 2),
)

DTYPES = ("uint8", "float32")

#: Functions of other packages, by the name of the reduction.
REDUCED = {"max": "max", "avg": "mean", "sum": "sum", "std": "std"}
FILTERS = {"max": "maximum_filter", "avg": "uniform_filter", "median": "median_filter"}


def why_no_gpu():
    """Why nothing can be measured, or None."""
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except ImportError as error:
        return f"CuPy cannot be imported ({error}): pip install 'skpool[cuda13]' or 'skpool[cuda12]'"
    except RuntimeError as error:  # CuPy's own errors are of this type
        return f"there is no GPU ({error})"
    return None if count else "there is no GPU"


class Cell:
    """One call: an image, a reduction, a window and a stride along its pooled axes."""

    def __init__(self, image_name, dtype, reduction, size, stride):
        self.name = f"{reduction} {size}/{stride} {dtype} {image_name}"
        self.shape, self.channel_axis = IMAGES[image_name]
        self.dtype, self.reduction, self.size, self.stride = dtype, reduction, size, stride

    @property
    def pooled(self):
        """The axes that are pooled."""
        kept = None if self.channel_axis is None else self.channel_axis % len(self.shape)
        return tuple(axis for axis in range(len(self.shape)) if axis != kept)

    @property
    def window(self):
        """The window, 1 along the axis of the channels."""
        return tuple(self.size if axis in self.pooled else 1 for axis in range(len(self.shape)))

    @property
    def tiles(self):
        """Whether windows cover the image exactly, side by side."""
        return self.size == self.stride and all(self.shape[axis] % self.size == 0 for axis in self.pooled)

    def image(self, cupy):
        """A random image."""
        rng = np.random.default_rng(0)
        if self.dtype == "uint8":
            return cupy.asarray(rng.integers(0, 256, self.shape, dtype=np.uint8))
        return cupy.asarray(rng.random(self.shape, dtype=np.float32))


CELLS = [Cell(image, dtype, *window) for image in IMAGES for dtype in DTYPES for window in WINDOWS]


def ours(cell, image):
    """The library's call."""
    import skpool

    return lambda: skpool.pool(
        image,
        cell.size,
        cell.reduction,
        stride=cell.stride,
        ceil_mode=False,
        channel_axis=cell.channel_axis,
    )


def reshaped(cell, image):
    """CuPy's reduction of a reshaped image, for windows that tile it."""
    function = REDUCED.get(cell.reduction)
    if function is None or not cell.tiles:
        return None
    shape = [part for length, size in zip(cell.shape, cell.window, strict=True) for part in (length // size, size)]
    axes = tuple(range(1, 2 * len(cell.shape), 2))
    return lambda: getattr(image.reshape(shape), function)(axis=axes)


def filtered(cell, image):
    """`cupyx.scipy.ndimage`: a dense filter, of which the stride keeps some."""
    from cupyx.scipy import ndimage

    return _dense(cell, image, getattr(ndimage, FILTERS.get(cell.reduction, ""), None))


def cucim_filtered(cell, image):
    """cuCIM's block reduction, for windows that tile the image."""
    from cucim.skimage.measure import block_reduce

    function = REDUCED.get(cell.reduction)
    if function is None or not cell.tiles:
        return None
    import cupy

    return lambda: block_reduce(image, cell.window, getattr(cupy, function))


def _dense(cell, image, function):
    if function is None:
        return None
    kept = tuple(
        slice(size // 2, size // 2 + (length - size) // step * step + 1, step)
        for size, length, step in zip(cell.window, cell.shape, _strides(cell), strict=True)
    )
    wide = image if cell.dtype != "uint8" or cell.reduction != "avg" else image.astype("float32")
    return lambda: function(wide, size=cell.window)[kept]


def _strides(cell):
    return tuple(cell.stride if axis in cell.pooled else 1 for axis in range(len(cell.shape)))


def torch_pooled(cell, image):
    """PyTorch's pooling of floats, channels first."""
    import torch

    rank = len(cell.pooled)
    function = getattr(torch.nn.functional, f"{cell.reduction}_pool{rank}d", None)
    if function is None or cell.dtype != "float32" or cell.channel_axis == -1:
        return None
    batch = torch.from_dlpack(image)[None] if cell.channel_axis == 0 else torch.from_dlpack(image)[None, None]
    return lambda: function(batch, cell.size, cell.stride)


#: Peers: name, the module that it needs, and ``(cell, image) -> call or None``.
PEERS = (
    ("CuPy reshape", "cupy", reshaped),
    ("cupyx ndimage", "cupyx", filtered),
    ("cuCIM", "cucim", cucim_filtered),
    ("PyTorch", "torch", torch_pooled),
)


def seconds_of(cupy, calls, rounds):
    """Median device time of each of some calls, which take turns."""
    taken = {name: [] for name in calls}
    for call in calls.values():
        call()
    for number in range(rounds):
        for name in calls if number % 2 else reversed(calls):
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            for _ in range(CALLS):
                calls[name]()
            end.record()
            end.synchronize()
            taken[name].append(cupy.cuda.get_elapsed_time(start, end) / 1e3 / CALLS)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def copy_of(cupy, moved):
    """A call that reads and writes so many bytes together."""
    source, target = cupy.ones(moved // 2, cupy.uint8), cupy.empty(moved // 2, cupy.uint8)
    return lambda: target.data.copy_from_device_async(source.data, source.nbytes, cupy.cuda.get_current_stream())


def agrees(cupy, found, expected):
    """Whether a peer's answer is ours but for rounding."""
    found = cupy.from_dlpack(found) if not isinstance(found, cupy.ndarray) else found
    return found.size == expected.size and bool(
        cupy.allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)
    )


def lines(cupy, cell, rounds):
    """The lines of a cell, the library's first."""
    image = cell.image(cupy)
    calls = {"skpool": ours(cell, image)}
    expected, remarks = calls["skpool"](), []
    for name, module, prepare in PEERS:
        if find_spec(module) is None:
            continue
        call = prepare(cell, image)
        if call is None:
            continue
        if agrees(cupy, call(), expected):
            calls[name] = call
        else:
            remarks.append(f"{'':36} {name:14} gives another answer")
    moved = image.nbytes + expected.nbytes
    seconds = seconds_of(cupy, calls | {"copy": copy_of(cupy, moved)}, rounds)
    for name in calls:
        share, ratio = seconds["copy"] / seconds[name], seconds["skpool"] / seconds[name]
        first = cell.name if name == "skpool" else ""
        beside = "" if name == "skpool" else f"{ratio:6.2f}"
        yield (
            f"{first:36} {name:14} {seconds[name] * 1e3:9.3f} ms {moved / seconds[name] / 1e9:8.1f} GB/s"
            f" {share:6.0%} of copy {beside}"
        ).rstrip()
    yield from remarks


def main(arguments=None):
    """Print a line for each cell and peer; the exit code is 1 where there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Time skpool on a GPU.")
    parser.add_argument("--cells", default="", metavar="PATTERN", help="only cells whose name holds this")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--list", action="store_true", help="list cells and peers, and measure nothing")
    options = parser.parse_args(arguments)
    cells = [cell for cell in CELLS if fnmatch.fnmatchcase(cell.name, f"*{options.cells}*")]
    if options.list:
        print(*(cell.name for cell in cells), "", *(f"peer: {name}" for name, _, _ in PEERS), sep="\n")
        return 0
    if reason := why_no_gpu():
        print(f"nothing was measured: {reason}", file=sys.stderr)
        return 1
    import cupy

    device = cupy.cuda.runtime.getDeviceProperties(0)
    print(f"{device['name'].decode()}, CuPy {cupy.__version__}, NumPy {np.__version__}")
    for name, module, _ in PEERS:
        if find_spec(module) is None:
            print(f"skipped: {name} needs {module}")
    print("\ntime, bytes of image and result over it, share of the device's copy rate; skpool's time over the peer's")
    for cell in cells:
        print(*lines(cupy, cell, QUICK_ROUNDS if options.quick else ROUNDS), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
