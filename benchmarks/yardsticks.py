"""Other calls that a cell is held against, although they answer another question."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np

from benchmarks import library as libraries
from benchmarks.peers import Task, opencv_area


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
    grey = replace(cell, shape=plane.shape, window=cell.window[:2], stride=cell.stride[:2], channel_axis=None)
    answer = libraries.prepare(library, grey, plane, workers)()
    return libraries.prepare(library, grey, plane, workers, np.empty_like(answer))


def _area(library, cell, image, workers):
    """OpenCV halving the same image, whatever the cell's own reduction and window are."""
    halves = (2, 2) + (1,) * (image.ndim - 2)
    return opencv_area(Task(image, halves, halves, "avg", image.dtype, workers)).call


YARDSTICKS = (
    Yardstick("grey, same bytes", _grey, limit=1.5),
    Yardstick("OpenCV area resize by 2", _area, modules=("cv2",)),
)
