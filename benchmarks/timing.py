"""Paired timing: the only kind that means something on a machine that others use too.

Absolute times drift; two calls timed within the same tenth of a second drift together. So blocks of every
contender alternate in one process, the order turning round each time, and what is reported is the median
over rounds of the ratio within a round. Idle OpenMP workers spin for milliseconds after a parallel region
and take a processor from the next side's threads, so each block first calls its own side untimed for longer
than that.
"""

from dataclasses import dataclass, replace
from itertools import repeat
from statistics import median
from time import perf_counter

import numpy as np

WARM_SECONDS = 0.012
SHORTEST_SAMPLE = 0.0002


@dataclass(frozen=True)
class Effort:
    """How often things are timed: rounds of blocks, samples per block, samples in the first, unpaired pass.

    A first call slower than `slow` seconds gets one sample only in that pass.
    """

    rounds: int
    samples: int
    first_pass: int
    slow: float = 0.1


FULL = Effort(rounds=15, samples=3, first_pass=5)
QUICK = Effort(rounds=5, samples=2, first_pass=2)


@dataclass(frozen=True)
class Spread:
    """A median, the quartiles around it, and the least value (of a ratio, the ratio of the least times)."""

    middle: float
    low: float
    high: float
    least: float

    @classmethod
    def of(cls, values):
        """Summarise some values."""
        least, low, middle, high = map(float, np.quantile(values, (0, 0.25, 0.5, 0.75)))
        return cls(middle, low, high, least)


def block(call, samples, warm=WARM_SECONDS):
    """Seconds per call: `samples` of them, after calling for `warm` seconds.

    A sample of a very short call is a run of calls, long enough for the clock.
    """
    calls, start = 0, perf_counter()
    while True:
        call()
        calls += 1
        elapsed = perf_counter() - start
        if elapsed > warm:
            break
    count = max(1, round(SHORTEST_SAMPLE * calls / elapsed))
    seconds = []
    for _ in range(samples):
        start = perf_counter()
        for _ in repeat(None, count):
            call()
        seconds.append((perf_counter() - start) / count)
    return seconds


def alternate(contenders, effort):
    """Seconds per call of every contender (a dict of calls), one entry per round."""
    seconds = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(effort.rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            seconds[name].append(median(block(contenders[name], effort.samples)))
    return seconds


def ratio(seconds, name, other):
    """Time of `name` as a multiple of the time of `other`, paired by round."""
    paired = Spread.of([mine / theirs for mine, theirs in zip(seconds[name], seconds[other], strict=True)])
    return replace(paired, least=min(seconds[name]) / min(seconds[other]))
