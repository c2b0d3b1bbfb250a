"""What a peer is given and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from math import prod
from typing import NamedTuple

import numpy as np

#: Where windows lie: side by side or overlapping at one stride; one over everything; of uneven sizes.
SLIDING, GLOBAL, ADAPTIVE = "sliding", "global", "adaptive"


@dataclass(frozen=True)
class Task:
    """What a peer is asked to do.

    `result` is the dtype of the wanted answer, and `shape` its shape; `window` and `stride` have one entry per axis
    of the image, 1 along axes that are left alone, or are None where windows are of uneven sizes. Only full windows
    count. `places` says what the windows may be taken for.
    """

    image: np.ndarray
    pooled: tuple[int, ...]
    window: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    shape: tuple[int, ...]
    reduction: str
    result: np.dtype
    workers: int

    @cached_property
    def kept(self):
        """The axes that are left alone."""
        return tuple(axis for axis in range(self.image.ndim) if axis not in self.pooled)

    @cached_property
    def places(self):
        """What the windows may be taken for: those that tile the image are adaptive ones too."""
        if self.window is None:
            return {ADAPTIVE}
        if all(self.shape[axis] == 1 for axis in self.pooled):
            return {GLOBAL}
        return {SLIDING, ADAPTIVE} if self.tiles else {SLIDING}

    @cached_property
    def tiles(self):
        """Whether windows cover the image exactly, side by side."""
        return self.window is not None and self.window == self.stride and not any(np.mod(self.image.shape, self.window))

    @cached_property
    def samples(self):
        """Samples of a window."""
        return prod(self.window)

    @cached_property
    def is_picture(self):
        """Whether this is a grey image, or one with its channels last, pooled along rows and columns."""
        return self.pooled == (0, 1) and (self.image.ndim == 2 or (self.image.ndim == 3 and self.image.shape[2] <= 4))

    @cached_property
    def covers_image(self):
        """Whether the one window holds every sample."""
        return self.places == {GLOBAL} and not self.kept

    def sizes(self, values):
        """The entries of the pooled axes."""
        return tuple(values[axis] for axis in self.pooled)

    def part(self, share):
        """The same task on the first rows of the image, about so many of the outputs, and which part those are."""
        axis = self.pooled[0]
        rows = max(1, round(self.shape[axis] * share))
        stop = (rows - 1) * self.stride[axis] + self.window[axis]
        image = np.ascontiguousarray(self.image[(slice(None),) * axis + (slice(stop),)])
        shape = (*self.shape[:axis], rows, *self.shape[axis + 1 :])
        return replace(self, image=image, shape=shape), rows / self.shape[axis]


class Contender(NamedTuple):
    """A call without arguments, and how to read what it returns as an array of the answer's shape."""

    call: Callable
    read: Callable = np.asarray


@dataclass(frozen=True)
class Peer:
    """One way to pool with a package.

    `reuses_output`: the call writes into memory that it was given. `compiled`: a program that somebody has to write
    and have compiled for each case, not a function of a library.
    """

    name: str
    modules: tuple[str, ...]
    prepare: Callable[[Task], Contender | None]
    reuses_output: bool = False
    places: tuple[str, ...] = (SLIDING,)
    compiled: bool = False

    @property
    def missing(self):
        """The packages that it needs and that are not installed."""
        return [module for module in self.modules if find_spec(module) is None]

    def takes(self, task):
        """Whether this is a way to pool windows that lie like the task's."""
        return not task.places.isdisjoint(self.places)
