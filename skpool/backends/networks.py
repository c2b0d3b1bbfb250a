"""Programs that sort rows by minima and maxima, for `skpool.kernels.order` to run over whole rows at once.

A window of k rows and m columns is sorted in three stages: each column by itself, then each rank across the columns,
which leaves a table that ascends both ways, then what that leaves open. Windows that lie one column apart share their
sorted columns. Comparators that never exchange anything are left out, and so are halves that nothing looks at: the
median of 3 x 3 takes 6 operations for each column and 14 for each window, that of 5 x 5 takes 18 and 108.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

#: Tables of zeros and ones that ascend both ways, beyond which comparators are not tried on all of them.
MOST_TABLES = 5000

#: Sorting networks shorter than Batcher's (Knuth, TAOCP 3, 5.3.4), by the number of rows.
SHORTER = {5: ((0, 1), (3, 4), (2, 4), (2, 3), (1, 4), (0, 3), (0, 2), (1, 3), (1, 2))}


class Program(NamedTuple):
    """Steps on rows.

    Attributes
    ----------
    steps : tuple of (int, int, int, int)
        Where the minimum and the maximum of two rows go (-1: nowhere), and the two. Rows are registers, then inputs.
        No step writes what it reads.
    registers : int
        Rows that steps write to.
    ranks : tuple of int
        The row that holds each rank at the end; -1 where it was not wanted.
    """

    steps: tuple
    registers: int
    ranks: tuple


#: The program of nothing.
NOTHING = Program((), 0, ())


@functools.lru_cache(maxsize=256)
def sorter(count):
    """Comparators (lower, higher) that sort so many rows: Batcher's merge exchange (Knuth, TAOCP 3, 5.2.2 M)."""
    if count in SHORTER:
        return SHORTER[count]
    comparators = []
    p = top = 1 << max(count - 1, 0).bit_length() >> 1
    while p:
        q, r, d = top, 0, p
        while True:
            comparators += [(i, i + d) for i in range(count - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return tuple(comparators)


def _sorting(places):
    """Comparators that sort some places, in their order."""
    return [(places[a], places[b]) for a, b in sorter(len(places))]


def _effective(comparators, rows, columns):
    """Those comparators that ever exchange something in a table that ascends both ways.

    By the 0-1 principle it is enough to try all tables of zeros and ones.
    """
    if math.comb(rows + columns, columns) > MOST_TABLES:
        return comparators
    tables = [*itertools.combinations_with_replacement(range(rows, -1, -1), columns)]  # zeros of each column
    # A set of tables is an int, with a bit for each that has a one at the place.
    ones = {
        (r, c): int("".join("1" if table[c] <= r else "0" for table in tables), 2)
        for r, c in itertools.product(range(rows), range(columns))
    }
    kept = []
    for a, b in comparators:
        low, high = ones[a] & ones[b], ones[a] | ones[b]
        if low != ones[a]:
            ones[a], ones[b] = low, high
            kept.append((a, b))
    return kept


def _ways(rows, columns, wanted, columns_sorted):
    """Comparators that find the wanted ranks of a window, and the place (row, column) of each, in several ways."""
    places = [*itertools.product(range(rows), range(columns))]
    down = [] if columns_sorted else [pair for c in range(columns) for pair in _sorting([(r, c) for r in range(rows)])]
    across = [pair for r in range(rows) for pair in _sorting([(r, c) for c in range(columns)])]
    if min(rows, columns) == 1:
        yield down + across, dict(enumerate(places))
        return
    # In a table that ascends both ways, what is left and above of a place is at most as large.
    samples, least, most = len(places), min(wanted), max(wanted)
    below = [(r, c) for r, c in places if (rows - r) * (columns - c) > samples - least]
    above = [(r, c) for r, c in places if (r + 1) * (c + 1) > most + 1]
    open_ = sorted({*places} - {*below, *above}, key=lambda place: (place[0] * columns + place[1] * rows, place))
    for start, order in ((len(below), open_), (0, places)):
        rest = _effective(_sorting(order), rows, columns)
        yield down + across + rest, dict(enumerate(order, start))
    if not columns_sorted:
        yield _sorting(places), dict(enumerate(places))


def _traced(comparators, inputs):
    """Comparators as steps on values: each gives two new ones. Returns the steps and the value at each place."""
    held = {place: number for number, place in enumerate(inputs)}
    steps = []
    for a, b in comparators:
        new = len(inputs) + 2 * len(steps)
        steps.append((new, new + 1, held[a], held[b]))
        held[a], held[b] = new, new + 1
    return steps, held


def needed(steps, results):
    """The steps that lead to some values; -1 for halves that nothing looks at."""
    looked_at, kept = {*results}, []
    for low, high, a, b in reversed(steps):
        if low in looked_at or high in looked_at:
            kept.append((low if low in looked_at else -1, high if high in looked_at else -1, a, b))
            looked_at |= {a, b}
    return kept[::-1]


def _operations(steps):
    return sum((low >= 0) + (high >= 0) for low, high, _, _ in steps)


def in_registers(steps, results, inputs, reuses=False):
    """Steps whose values are in as few registers as will do, and where some of them are at the end.

    Inputs follow the registers; if it `reuses` them, they are the first registers.
    """
    last = {value: at for at, step in enumerate(steps) for value in step[2:]}
    last |= dict.fromkeys(results, len(steps))
    place, free, placed = {value: value for value in range(inputs) if reuses}, [], []
    registers = len(place)
    for at, (low, high, a, b) in enumerate(steps):
        for value in (low, high):
            if value >= 0:
                if not free:
                    free.append(registers)
                    registers += 1
                place[value] = free.pop()
        placed.append([place.get(value, value - inputs if value >= 0 else None) for value in (low, high, a, b)])
        free += {place[value] for value in (a, b) if value in place and last[value] == at}
    rows = [[-1 if row is None else row if row >= 0 else row + inputs + registers for row in step] for step in placed]
    where = {value: place[value] if value in place else value + registers for value in results}
    return rows, registers, where


class Task(NamedTuple):
    """What a program is to do.

    Attributes
    ----------
    rows, columns : int
        Of a window; it has ``rows * columns`` inputs, row by row.
    wanted : tuple of int
        The ranks that matter, in ascending order.
    columns_sorted : bool
        Whether the inputs ascend along each column.
    with_largest : bool
        Whether the largest sample matters, too.
    """

    rows: int
    columns: int
    wanted: tuple
    columns_sorted: bool = False
    with_largest: bool = False


@functools.lru_cache(maxsize=256)
def program(task):
    """The shortest `Program` known for a `Task`."""
    rows, columns, wanted, columns_sorted, with_largest = task
    samples, inputs = rows * columns, [*itertools.product(range(rows), range(columns))]
    best = None
    for comparators, order in _ways(rows, columns, wanted, columns_sorted):
        steps, held = _traced(comparators, inputs)
        ranks = {rank: held[order[rank]] for rank in wanted}
        kept = needed(steps, ranks.values())
        if best is None or _operations(kept) < _operations(best[0]):
            best = kept, ranks, len(inputs) + 2 * len(steps)
    steps, ranks, new = best
    if with_largest and samples - 1 not in ranks:
        candidates = [samples - columns + c for c in range(columns)] if columns_sorted else [*range(samples)]
        largest = candidates.pop()
        for value in candidates:
            steps.append((-1, new, largest, value))
            largest, new = new, new + 1
        ranks |= {samples - 1: largest}
    rows_of_steps, registers, where = in_registers(steps, ranks.values(), samples)
    ranks = {rank: where[value] for rank, value in ranks.items()}
    return Program(tuple(map(tuple, rows_of_steps)), registers, tuple(ranks.get(rank, -1) for rank in range(samples)))
