"""What is measured: the table of cells."""

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Cell:
    """One row: pool an image of `shape` and `dtype`.

    `window` and `stride` have one entry per axis of the image, the channel axis included (there they are
    1), so that a peer can tell from them alone which axes are left alone. `result` is the `dtype` argument
    of the call (None: the library's own choice). `defaults` calls the function with the image and nothing
    else. `yardsticks` names rows of `yardsticks.YARDSTICKS`, `against` rows of `peers.PEERS`: what the cell
    is always timed against, besides its fastest peer.
    """

    group: str
    reduction: str
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    shape: tuple[int, ...]
    result: str | None = None
    channel_axis: int | None = None
    defaults: bool = False
    yardsticks: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def name(self):
        """The name that the table shows and that ``--cells`` searches."""
        words = [self.reduction, f"{_short(self.window)}/{_short(self.stride)}", self.dtype]
        words += [f"to {self.result}"] if self.result else []
        return " ".join([*words, self.group])


def _short(sizes):
    """``2`` for (2, 2) and (2, 2, 1), ``2x3`` for (2, 3)."""
    pooled = [size for size in sizes if size > 1] or [1]
    return str(pooled[0]) if len(set(pooled)) == 1 else "x".join(map(str, pooled))


def make_image(shape, dtype, seed=0):
    """Random pixels: every value of a small integer type, [0, 1) for floats."""
    generator = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return generator.random(shape, dtype=dtype.type)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)


REDUCTIONS = ("max", "avg")
GREY_WINDOWS = ((2, 2), (3, 2), (3, 1), (8, 8))
GREY_DTYPES = ("uint8", "float32", "float64")
RGB_WINDOWS = ((2, 2), (3, 2))
RGB_DTYPES = ("uint8", "float32")

# An average of uint8 is float64 unless asked otherwise, and image libraries give uint8: both are measured,
# each against the peers that give that type.
RESULTS = {("avg", "uint8"): ("uint8", None)}


def _grey():
    for reduction, (window, stride), dtype in product(REDUCTIONS, GREY_WINDOWS, GREY_DTYPES):
        for result in RESULTS.get((reduction, dtype), (None,)):
            yield Cell("grey", reduction, (window,) * 2, (stride,) * 2, dtype, (4096, 4096), result)


def _rgb():
    for reduction, (window, stride), dtype in product(REDUCTIONS, RGB_WINDOWS, RGB_DTYPES):
        for result in RESULTS.get((reduction, dtype), (None,)):
            yield Cell(
                "rgb",
                reduction,
                (window, window, 1),
                (stride, stride, 1),
                dtype,
                (2048, 2048, 3),
                result,
                channel_axis=-1,
                yardsticks=("grey, same bytes", "OpenCV area resize by 2"),
            )


def _small():
    yield Cell("small", "max", (2, 2), (2, 2), "float32", (32, 32), defaults=True, against=("PyTorch",))


CELLS = (*_grey(), *_rgb(), *_small())
