"""Labels that the mode outvotes, kept alive: which window each of them gets.

Design: labels and windows are a bipartite graph, with an edge where a window counts samples of a label, and a level
keeps as many labels alive as a maximum matching has edges. Most labels win some window by the mode. Those that win
none choose first, greedily. What is left then goes along augmenting paths (a label takes a window whose winner moves
to another, and so on), the textbook way to a maximum matching. Unlike a matching made from nothing it never costs a
label its life that has one, and changes few windows. The edges are collected once, at the first level that loses a
label, and added up for later ones, whose windows are made of whole ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Pixels that are sorted at once; what they add up to is far less, and all that is kept.
_PIXELS = 2**20


class Keeper:
    """Keeps labels alive from level to level.

    Parameters
    ----------
    image, mask : ndarray, ndarray of bool or None
        What the windows of all levels look at, and what the first level is to keep the labels of.
    background : number or None
        A label that need not live.
    """

    def __init__(self, image, mask, background):
        self.image, self.mask, self.background = image, mask, background
        self.alive = self._labels(image, mask)
        self.held = None

    def _labels(self, level, counted):
        labels = np.unique(level if counted is None else level[counted])
        return labels if self.background is None else labels[labels != self.background]

    def keep(self, level, counted, axes):
        """Give each label of the level before that a level has lost a window, as far as there are enough.

        Parameters
        ----------
        level : ndarray
            What wins each window. It is changed in place.
        counted : ndarray of bool or None
            The windows that have a winner; None: all.
        axes : sequence of Axis
            The windows, which share no samples, and are made of whole ones of the level before.
        """
        winners, wins = np.unique(level if counted is None else level[counted], return_counts=True)
        lost = np.setdiff1d(self.alive, winners, assume_unique=True)
        if lost.size:
            self.held = self.held.added_up(axes) if self.held else _Held.by(self.image, self.mask, axes)
            state = _State(level, set(self.alive.tolist()), dict(zip(winners.tolist(), wins.tolist(), strict=True)))
            windows = self.held.windows_of(lost, counted)
            left = [label for label, places in windows.items() if not _takes_freely(label, places, state)]
            if left:
                _augment(left, self.held.windows_of(self.alive, counted), state)
        self.alive = self._labels(level, counted)


# --- which windows hold which labels


def _added_up(pairs, samples):
    """Pairs in ascending order, each once, and the sums of their samples."""
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    return pairs[starts], np.add.reduceat(samples[order], starts) if len(pairs) else samples


@dataclass(frozen=True)
class _Held:
    """How many samples of each label the windows of a level hold.

    Attributes
    ----------
    labels : ndarray
        In ascending order.
    axes : sequence of Axis
        The windows.
    pairs, samples : ndarray of int64
        ``place of a label * windows + flat place of a window`` in ascending order, and how many samples.
    """

    labels: np.ndarray
    axes: tuple
    pairs: np.ndarray
    samples: np.ndarray

    @classmethod
    def by(cls, image, mask, axes):
        """By looking at the pixels."""
        labels = np.unique(image if mask is None else image[mask])
        window_of = np.ix_(*_windows_of_samples(axes))
        rows = max(_PIXELS // max(math.prod(image.shape[1:]), 1), 1)
        found = []
        for first in range(0, len(image), rows):
            part = slice(first, first + rows)
            numbers = np.searchsorted(labels, image[part])
            places = np.ravel_multi_index((window_of[0][part], *window_of[1:]), _shape(axes))
            pairs = numbers * math.prod(_shape(axes)) + places
            found.append(np.unique(pairs if mask is None else pairs[mask[part]], return_counts=True))
        return cls(labels, axes, *_added_up(*map(np.concatenate, zip(*found, strict=True))))

    def added_up(self, axes):
        """The same for larger windows, which are made of these."""
        numbers, places = np.divmod(self.pairs, math.prod(_shape(self.axes)))
        places = np.unravel_index(places, _shape(self.axes))
        larger = [
            samples[axis.start[own]]
            for samples, axis, own in zip(_windows_of_samples(axes), self.axes, places, strict=True)
        ]
        pairs = numbers * math.prod(_shape(axes)) + np.ravel_multi_index(larger, _shape(axes))
        return _Held(self.labels, axes, *_added_up(pairs, self.samples))

    def windows_of(self, labels, counted):
        """The windows that hold each of some labels, as a dict.

        The labels with the fewest samples come first, of equals the smallest; of each the windows with the most
        samples, of equals the first.
        """
        chosen = np.zeros(len(self.labels), bool)
        chosen[np.searchsorted(self.labels, labels)] = True
        numbers, places = np.divmod(self.pairs, math.prod(_shape(self.axes)))
        kept = chosen[numbers] if counted is None else chosen[numbers] & counted.ravel()[places]
        numbers, places, samples = numbers[kept], places[kept], self.samples[kept]
        totals = np.bincount(numbers, samples, len(self.labels))
        order = np.lexsort((places, -samples, numbers, totals[numbers]))
        numbers, places = numbers[order], places[order].tolist()
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        stops = [*starts[1:].tolist(), len(places)]
        names = self.labels[numbers[starts]].tolist()
        return {name: places[i:j] for name, i, j in zip(names, starts.tolist(), stops, strict=False)}


def _shape(axes):
    return tuple(axis.outputs for axis in axes)


def _windows_of_samples(axes):
    """The window that each sample of an axis is in, for each axis."""
    return [np.repeat(np.arange(axis.outputs), axis.counts) for axis in axes]


# --- who gets which window


@dataclass(frozen=True)
class _State:
    """What wins each window so far.

    Attributes
    ----------
    level : ndarray
    wanted : set
        The labels that shall live.
    wins : dict
        Label -> how many windows it wins.
    """

    level: np.ndarray
    wanted: set
    wins: dict

    def winner(self, place):
        return self.level.flat[place].item()

    def is_free(self, place):
        """Whether the winner of a window has another, or need not live."""
        winner = self.winner(place)
        return winner not in self.wanted or self.wins[winner] > 1

    def give(self, place, label):
        """Let a label that wins nothing yet win a window."""
        self.wins[self.winner(place)] -= 1
        self.wins[label] = 1
        self.level.flat[place] = label


def _takes_freely(label, places, state):
    """Give a label the first of its windows that is free; whether there is one."""
    place = next(filter(state.is_free, places), None)
    if place is not None:
        state.give(place, label)
    return place is not None


def _augment(left, windows, state):
    """Give windows to the labels that are left, where the winners of these have others to go to."""
    dead = set()  # windows from which no free one can be reached: it stays so, whatever happens to the others
    for label in left:
        wants, entered = {}, {}  # window -> the label that is to have it, label -> the only window that it has
        place = _free_end(label, windows, state, dead, wants, entered)
        if place is None:
            dead.update(wants)
            continue
        state.give(place, label)
        while wants[place] != label:  # from the free end back to the label that had none
            state.level.flat[place] = wants[place]
            place = entered[wants[place]]
            state.level.flat[place] = label


def _free_end(label, windows, state, dead, wants, entered):
    """The free window at the end of a shortest path, or None; fills `wants` and `entered`."""
    queue = [label]
    for one in queue:
        for place in windows[one]:
            if place in dead or place in wants:
                continue
            wants[place] = one
            if state.is_free(place):
                return place
            winner = state.winner(place)
            entered[winner] = place
            queue.append(winner)
    return None
