"""What is measured: tables of images, geometries and reductions, and the products of them that are cells."""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np


class Image(NamedTuple):
    """Pixels to pool: their shape, the axes that are pooled, and the channel axis that the call names."""

    shape: tuple[int, ...]
    pooled: tuple[int, ...]
    channel_axis: int | None = None


IMAGES = {
    "grey": Image((4096, 4096), (0, 1)),
    "rgb": Image((2048, 2048, 3), (0, 1), -1),
    "NHWC": Image((64, 56, 56, 64), (1, 2), -1),
    "NCHW": Image((64, 64, 56, 56), (2, 3)),
    "volume": Image((256, 256, 256), (0, 1, 2)),
    "small": Image((32, 32), (0, 1)),
}


class Geometry(NamedTuple):
    """Windows of a size at a stride, or so many (`outputs`) that cover each pooled axis."""

    size: int = 0
    stride: int = 0
    outputs: int = 0


GEOMETRIES = {
    "2/2": Geometry(2, 2),
    "3/2": Geometry(3, 2),
    "3/1": Geometry(3, 1),
    "5/1": Geometry(5, 1),
    "8/8": Geometry(8, 8),
    "15/1": Geometry(15, 1),
    "63/1": Geometry(63, 1),
    "adaptive 7": Geometry(outputs=7),
    "global": Geometry(outputs=1),
}

DTYPES = ("uint8", "uint16", "int32", "float32", "float64")

#: Reductions whose function takes something beside the image: its name without `_pool`, and what it takes.
FUNCTIONS = {"argmax": ("max", {"return_indices": True})}

#: An average of short integers is float64 unless asked otherwise, and image libraries give the image's type: both are
#: measured, each against the peers that give that type.
RESULTS = {("avg", "uint8"): ("uint8", None), ("avg", "uint16"): ("uint16", None)}


@dataclass(frozen=True)
class Cell:
    """One row: a reduction of an image of some type. `result` is the call's `dtype` (None: the library's choice)."""

    image: str
    reduction: str
    geometry: str
    dtype: str
    result: str | None = None

    @property
    def name(self):
        """The name that the table shows and that ``--cells`` searches."""
        words = (self.reduction, self.geometry, self.dtype, f"to {self.result}" if self.result else "", self.image)
        return " ".join(filter(None, words))

    @property
    def shape(self):
        """Shape of the image."""
        return IMAGES[self.image].shape

    @property
    def pooled(self):
        """The axes that are pooled."""
        return IMAGES[self.image].pooled

    @property
    def channel_axis(self):
        """The channel axis that the call names."""
        return IMAGES[self.image].channel_axis

    @property
    def outputs(self):
        """Number of windows along a pooled axis where that is what is asked for, else 0."""
        return GEOMETRIES[self.geometry].outputs

    @property
    def window(self):
        """Size of the window along every axis; None where windows are not all of one size."""
        return self._sizes(GEOMETRIES[self.geometry].size)

    @property
    def stride(self):
        """Steps between windows along every axis; None where windows are not all of one size."""
        return self._sizes(GEOMETRIES[self.geometry].stride)

    def _sizes(self, size):
        if any(length % (self.outputs or 1) for length in self.pooled_shape):
            return None
        lengths = enumerate(self.shape)
        return tuple(
            (length // self.outputs if self.outputs else size) if i in self.pooled else 1 for i, length in lengths
        )

    @property
    def pooled_shape(self):
        """Lengths of the pooled axes."""
        return tuple(self.shape[axis] for axis in self.pooled)

    @property
    def exists(self):
        """Whether a window fits into the image."""
        return max(GEOMETRIES[self.geometry]) <= min(self.pooled_shape)

    @property
    def defaults(self):
        """Whether the function is called with the image and nothing else: what a small call costs."""
        return self.image == "small" and self.geometry == "2/2" and not self.result

    @property
    def yardsticks(self):
        """Names of rows of `yardsticks.YARDSTICKS` that the cell is timed against."""
        if self.image == "rgb" and self.geometry in ("2/2", "3/2") and self.reduction in ("max", "avg"):
            return ("grey, same bytes", "OpenCV area resize by 2")
        return tuple(name for name, reductions in LIMITED.items() if self.reduction in reductions)

    @property
    def against(self):
        """Names of peers that the cell is timed against besides its fastest ones."""
        return ("PyTorch",) if self.defaults else ()


#: Yardsticks that are the library on the same image with another reduction, and the reductions held against them.
LIMITED = {
    "max of the same": ("argmax", "range", "var", "lp"),
    "avg of the same": ("logsumexp", "soft", "power_mean", "gem"),
}


def make_image(shape, dtype, seed=0):
    """Random pixels: every value of a small integer type, [0, 1) for floats."""
    generator = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return generator.random(shape, dtype=dtype.type)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _cells(*products):
    """Cells of products of images, reductions, geometries and dtypes, each once."""
    found = {}
    for images, reductions, geometries, dtypes in products:
        for image, reduction, geometry, dtype in product(images, reductions, geometries, dtypes):
            for result in RESULTS.get((reduction, dtype), (None,)):
                cell = Cell(image, reduction, geometry, dtype, result)
                if cell.exists:
                    found[cell.name] = cell
    return tuple(found.values())


COMMON, OTHERS = ("max", "avg"), ("min", "sum", *(name for names in LIMITED.values() for name in names))

#: What is measured unless asked otherwise: a few minutes.
USUAL = _cells(
    (("grey",), COMMON, ("2/2", "3/2", "3/1", "8/8", "63/1", "adaptive 7", "global"), ("uint8", "float32")),
    (("grey",), COMMON, ("2/2", "8/8"), ("float64",)),
    (("rgb",), COMMON, ("2/2", "3/2"), ("uint8", "float32")),
    (("NHWC", "NCHW"), COMMON, ("2/2", "3/2"), ("float32",)),
    (("volume",), COMMON, ("2/2",), ("uint8", "float32")),
    (("small",), COMMON, ("2/2", "3/1"), ("float32",)),
)

#: Everything: ``--all``, or a pattern that the names of usual cells do not have.
CELLS = _cells(
    (IMAGES, COMMON, GEOMETRIES, DTYPES),
    (("grey",), OTHERS, ("2/2", "3/2", "3/1", "8/8", "63/1"), DTYPES),
)
