"""One cell from start to finish: answers, the fastest peer, paired rounds."""

from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np

from benchmarks import copies
from benchmarks import library as libraries
from benchmarks.answers import compare, tolerance
from benchmarks.cells import Cell, make_image
from benchmarks.peers import PEERS, Task
from benchmarks.timing import Spread, alternate, block, ratio
from benchmarks.yardsticks import YARDSTICKS

# Names of sides in the rounds that are not peers or yardsticks.
LIBRARY, LIBRARY_ALLOCATES, COPY = "library", "library, allocating", "copy"

# Peers within this factor of the fastest in the first pass are paired too.
CLOSE, MOST_FINALISTS = 1.5, 3

# What became of a peer.
TIMED, DIFFERENT, FAILED, MISSING, NO_SUCH = (
    "timed",
    "different answer",
    "failed",
    "not installed",
    "not offered",
)


@dataclass
class PeerResult:
    """A peer on a cell: what became of it, its seconds, and the library's time as a multiple of its own."""

    name: str
    status: str
    remark: str = ""
    seconds: Spread | None = None
    ratio: Spread | None = None


@dataclass
class YardstickResult:
    """The library's time as a multiple of a yardstick's, and the largest multiple allowed."""

    name: str
    seconds: Spread
    ratio: Spread
    limit: float | None


@dataclass
class CellResult:
    """Everything measured on a cell. `share` is the part of the copy rate that the library reaches."""

    cell: Cell
    result_dtype: str
    moved_bytes: int
    seconds: Spread
    fastest: str | None
    copied_by: str | None
    copy_seconds: Spread | None
    share: Spread | None
    extra_bytes: int | None = None
    peers: list[PeerResult] = field(default_factory=list)
    yardsticks: list[YardstickResult] = field(default_factory=list)

    @property
    def name(self):
        """The cell's name."""
        return self.cell.name

    @property
    def rate(self):
        """Bytes read and written per second."""
        return self.moved_bytes / self.seconds.middle

    def peer(self, name):
        """The result of one peer."""
        return next(peer for peer in self.peers if peer.name == name)


def measure(library, cell, workers, effort, every_peer=False):
    """Time a cell of `library` (anything with its functions) against peers, yardsticks and a copy."""
    image = make_image(cell.shape, cell.dtype)
    allocates = libraries.prepare(library, cell, image, workers)
    expected = allocates()
    moved = image.nbytes + expected.nbytes
    reuses = allocates if cell.defaults else libraries.prepare(library, cell, image, workers, np.empty_like(expected))

    task = Task(image, cell.window, cell.stride, cell.reduction, expected.dtype, workers)
    allowed = tolerance(cell, image, expected.dtype)
    results, contenders = {}, {}
    for peer in PEERS:
        results[peer.name], contenders[peer.name] = _first_pass(peer, task, expected, allowed, effort)
    timed = [name for name, outcome in results.items() if outcome.status == TIMED]
    finalists = _finalists({name: results[name].seconds.least for name in timed})
    paired = [name for name in timed if every_peer or name in finalists or name in cell.against]
    sides = {LIBRARY: reuses, **{name: contenders[name].call for name in paired}}
    counterparts = {
        peer.name: LIBRARY if peer.reuses_output or cell.defaults else LIBRARY_ALLOCATES
        for peer in PEERS
        if peer.name in paired
    }
    if LIBRARY_ALLOCATES in counterparts.values():
        sides[LIBRARY_ALLOCATES] = allocates
    yardsticks = [row for row in YARDSTICKS if row.name in cell.yardsticks and row.is_available]
    sides |= {row.name: row.prepare(library, cell, image, workers) for row in yardsticks}
    way, copy = copies.fastest(moved, workers, effort.first_pass) or (None, None)
    sides |= {COPY: copy} if copy else {}

    seconds = alternate(sides, effort)
    spreads = {name: Spread.of(values) for name, values in seconds.items()}
    for name, counterpart in counterparts.items():
        results[name].seconds = spreads[name]
        results[name].ratio = ratio(seconds, counterpart, name)
    return CellResult(
        cell=cell,
        result_dtype=expected.dtype.name,
        moved_bytes=moved,
        seconds=spreads[LIBRARY],
        fastest=max(paired, key=lambda name: results[name].ratio.middle, default=None),
        copied_by=way,
        copy_seconds=spreads.get(COPY),
        share=ratio(seconds, COPY, LIBRARY) if copy else None,
        peers=list(results.values()),
        yardsticks=[
            YardstickResult(row.name, spreads[row.name], ratio(seconds, LIBRARY, row.name), row.limit)
            for row in yardsticks
        ],
    )


def _finalists(seconds):
    """The names of the fastest, and of those so close that only pairing can tell."""
    limit = CLOSE * min(seconds.values(), default=0.0)
    return [name for name in sorted(seconds, key=seconds.get) if seconds[name] <= limit][:MOST_FINALISTS]


def _first_pass(peer, task, expected, allowed, effort):
    """Check a peer's answer and time it alone: its result, and its contender if the answer is right."""
    result = partial(PeerResult, peer.name)
    if peer.missing:
        return result(MISSING, ", ".join(peer.missing)), None
    try:
        contender = peer.prepare(task)
        if contender is None:
            return result(NO_SUCH), None
        start = perf_counter()
        answer = contender.call()
        first = perf_counter() - start
        answer = contender.read(answer)
    except Exception as error:  # packages refuse dtypes each in their own way; the refusal is listed
        return result(FAILED, f"{type(error).__name__}: {error}".splitlines()[0]), None
    same, remark = compare(answer, expected, allowed)
    if not same:
        return result(DIFFERENT, remark), None
    samples = effort.first_pass if first < effort.slow else 1
    return result(TIMED, remark, Spread.of(block(contender.call, samples))), contender
