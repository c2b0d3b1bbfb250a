"""Other calls that a cell is held against, although they answer another question."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks import library as libraries
from benchmarks.peers import opencv_area
from benchmarks.tasks import Task


@dataclass(frozen=True)
class Yardstick:
    """A call, prepared from `(library, cell, image, workers)`, and the largest ratio to it allowed."""

    name: str
    prepare: Callable
    limit: float | None = None
    modules: tuple[str, ...] = ()

    @property
    def is_available(self):
        """Whether what it needs is installed."""
        return all(find_spec(module) for module in self.modules)


def _grey(library, cell, image, workers):
    """The library on a grey image of the same bytes, so that a ratio of times is one of times per byte."""
    rows, columns, channels = image.shape
    plane = image.reshape(rows, columns * channels)
    return _other(library, replace(cell, image="grey"), plane, workers)


def _same(library, cell, image, workers, reduction):
    """The library on the same image with another reduction."""
    return _other(library, replace(cell, reduction=reduction), image, workers)


def _other(library, cell, image, workers):
    """The call of a cell into memory of its own."""
    prepare = partial(libraries.prepare, library, cell, workers, image)
    return prepare(np.empty_like(prepare()()))


def _area(library, cell, image, workers):
    """OpenCV halving the same image, whatever the cell's own reduction and window are."""
    rows, columns, *channels = image.shape
    halves, shape = (2, 2) + (1,) * len(channels), (rows // 2, columns // 2, *channels)
    return opencv_area(Task(image, (0, 1), halves, halves, shape, "avg", image.dtype, workers)).call


YARDSTICKS = (
    Yardstick("grey, same bytes", _grey, limit=1.5),
    Yardstick("OpenCV area resize by 2", _area, modules=("cv2",)),
    Yardstick("max of the same", partial(_same, reduction="max"), limit=2),
    Yardstick("avg of the same", partial(_same, reduction="avg"), limit=10),
)
