"""Programs that sort tiles of windows at stride 1 together, for `skpool.kernels.tiles` to run.

A tile of windows has a core: the samples that all of them hold. It is sorted once. Then the tile is halved, and to the
core of each half is merged what only its windows share, rows or columns that were sorted on the way; and so on down to
each window. A sample that too many others are known to be below of, or above, is dropped. This is the separable
sorting network of Adams, "Fast median filters using separable sorting networks", ACM Transactions on Graphics 40
(2021), written here as a program of minima and maxima.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from typing import NamedTuple

import numpy as np

from .networks import in_registers, needed, sorter


class Tile(NamedTuple):
    """A tile of windows.

    Attributes
    ----------
    deep, tall, wide : int
        Of a window: along the leading axes but the last, along this one, and columns.
    down, across : int
        Windows of a tile.
    """

    deep: int
    tall: int
    wide: int
    down: int
    across: int

    @property
    def samples(self):
        """Samples of a window."""
        return self.deep * self.tall * self.wide

    @property
    def held(self):
        """Samples of all its windows together."""
        return self.deep * (self.down + self.tall - 1) * (self.across + self.wide - 1)


class _Trace:
    """Steps on values, as they are taken: each gives two new ones."""

    def __init__(self, inputs):
        self.steps, self.values = [], inputs

    def exchange(self, a, b):
        low, high = self.values, self.values + 1
        self.values += 2
        self.steps.append((low, high, a, b))
        return low, high

    def sort(self, values):
        for a, b in sorter(len(values)):
            values[a], values[b] = self.exchange(values[a], values[b])
        return values

    def merge(self, one, other):
        """Two sorted lists as one: Batcher's odd-even merge (Knuth, TAOCP 3, 5.3.4)."""
        if not (one and other):
            return one or other
        if len(one) == len(other) == 1:
            return [*self.exchange(*one, *other)]
        even, odd = self.merge(one[::2], other[::2]), self.merge(one[1::2], other[1::2])
        merged = [even[0]]
        for pair in zip(odd, even[1:], strict=False):
            merged += self.exchange(*pair)
        return merged + odd[len(even) - 1 :] + even[len(odd) + 1 :]

    def merge_all(self, lists):
        """Sorted lists as one, the shortest first."""
        lists = [*lists]
        while len(lists) > 1:
            lists.sort(key=len)
            lists[:2] = [self.merge(*lists[:2])]
        return lists[0] if lists else []


class _Core(NamedTuple):
    """The samples that some windows share: those that may be a wanted rank, sorted, and how many are known below."""

    values: list
    below: int


class _Part(NamedTuple):
    """Windows from rows `tops` and columns `lefts` of a tile, their core, and what else they hold.

    `columns` and `rows` are the samples of each further column within the rows of the core, and of each further row
    within its columns, sorted.
    """

    tops: range
    lefts: range
    core: _Core
    columns: dict
    rows: dict


def _shared(starts, size):
    """What windows of a size from some starts on all hold."""
    return range(starts[-1], starts[0] + size)


def _held(starts, size):
    """What any of them holds."""
    return range(starts[0], starts[-1] + size)


def _halves(starts):
    middle = len(starts) // 2
    return starts[:middle], starts[middle:]


def _steps(tile, wanted):
    """Steps on values, and the value of each wanted rank of each window, by its row, column and rank."""
    least, most, samples = min(wanted), max(wanted), tile.samples
    lines, width = tile.down + tile.tall - 1, tile.across + tile.wide - 1
    trace = _Trace(tile.held)

    def cells(rows, columns):
        """Samples at some places, through all leading axes."""
        places = itertools.product(range(tile.deep), rows, columns)
        return [(z * lines + y) * width + x for z, y, x in places]

    def core(values, below, held):
        """What may be a wanted rank, of sorted samples of which all others of a window lie anywhere."""
        first = max(least - (samples - held) - below, 0)
        return _Core(values[first : most + 1 - below], below + first)

    def held(tops, lefts):
        return tile.deep * len(_shared(tops, tile.tall)) * len(_shared(lefts, tile.wide))

    def halves_across(part):
        before = _shared(part.lefts, tile.wide)
        for lefts in _halves(part.lefts):
            added = sorted({*_shared(lefts, tile.wide)} - {*before})
            values = trace.merge(part.core.values, trace.merge_all(part.columns[x] for x in added))
            rows = {y: trace.merge(row, trace.sort(cells([y], added))) for y, row in part.rows.items()}
            rest = {x: part.columns[x] for x in _held(lefts, tile.wide) if x in part.columns and x not in added}
            yield _Part(part.tops, lefts, core(values, part.core.below, held(part.tops, lefts)), rest, rows)

    def halves_down(part):
        before = _shared(part.tops, tile.tall)
        for tops in _halves(part.tops):
            added = sorted({*_shared(tops, tile.tall)} - {*before})
            values = trace.merge(part.core.values, trace.merge_all(part.rows[y] for y in added))
            columns = {x: trace.merge(column, trace.sort(cells(added, [x]))) for x, column in part.columns.items()}
            rest = {y: part.rows[y] for y in _held(tops, tile.tall) if y in part.rows and y not in added}
            yield _Part(tops, part.lefts, core(values, part.core.below, held(tops, part.lefts)), columns, rest)

    def windows(part):
        """The values of the wanted ranks of each window of a part."""
        if len(part.tops) == len(part.lefts) == 1:
            for rank in wanted:
                yield (part.tops[0], part.lefts[0], rank), part.core.values[rank - part.core.below]
            return
        for half in halves_across(part) if len(part.lefts) >= len(part.tops) else halves_down(part):
            yield from windows(half)

    tops, lefts = range(tile.down), range(tile.across)
    core_rows, core_columns = _shared(tops, tile.tall), _shared(lefts, tile.wide)
    columns = {x: trace.sort(cells(core_rows, [x])) for x in range(width)}
    rows = {y: trace.sort(cells([y], core_columns)) for y in range(lines) if y not in core_rows}
    values = trace.merge_all(columns.pop(x) for x in core_columns)
    results = dict(windows(_Part(tops, lefts, core(values, 0, held(tops, lefts)), columns, rows)))
    return trace, results


def spread_out(steps, apart=12):
    """Steps in an order in which few read what was written less than `apart` steps ago, and would wait for it."""
    made = {value: n for n, step in enumerate(steps) for value in step[:2] if value >= 0}
    users = [[] for _ in steps]
    missing = []
    for n, step in enumerate(steps):
        sources = {made[value] for value in step[2:] if value in made}
        missing.append(len(sources))
        for source in sources:
            users[source].append(n)
    ready, later, order = [n for n, count in enumerate(missing) if not count], [], []
    while ready or later:
        while later and (later[0][0] <= len(order) or not ready):
            heapq.heappush(ready, heapq.heappop(later)[1])
        n = heapq.heappop(ready)
        order.append(steps[n])
        for user in users[n]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(later, (len(order) - 1 + apart, user))
    return order


@functools.lru_cache(maxsize=64)
def tile_program(tile, low, high):
    """The program of a tile.

    Returns
    -------
    steps : ndarray of int16, shape (n, 4)
        Where the minimum and the maximum of two registers go, and the two.
    registers : int
        The first are the samples of the tile: by leading axes but the last, along this one, and columns.
    ranks : ndarray of int16, shape (down, across, 2)
        The registers that hold ranks `low` and `high` of each window.
    """
    trace, results = _steps(tile, sorted({low, high}))
    steps = spread_out(needed(trace.steps, results.values()))
    steps, registers, where = in_registers(steps, [*results.values()], tile.held, reuses=True)
    steps = np.array(steps, np.int16).reshape(-1, 4)
    steps[steps < 0] = registers  # where a half goes that nothing looks at
    places = itertools.product(range(tile.down), range(tile.across), (low, high))
    return steps, registers + 1, np.array([where[results[place]] for place in places], np.int16)
