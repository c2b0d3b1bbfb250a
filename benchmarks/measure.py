"""One cell from start to finish: answers, the fastest peer, paired rounds."""

from dataclasses import dataclass, field
from functools import partial
from math import prod
from time import perf_counter

import numpy as np

from benchmarks import copies
from benchmarks import library as libraries
from benchmarks.answers import as_tuple, compare, tolerance
from benchmarks.cells import Cell, make_image
from benchmarks.compiled import forget_compiled
from benchmarks.peers import PEERS
from benchmarks.tasks import SLIDING, Task
from benchmarks.timing import Spread, alternate, block, ratio
from benchmarks.yardsticks import YARDSTICKS

# Names of sides in the rounds that are not peers or yardsticks.
LIBRARY, LIBRARY_ALLOCATES, COPY = "library", "library, allocating", "copy"

# Peers within this factor of the fastest in the first pass are paired too.
CLOSE, MOST_FINALISTS = 1.5, 3

# Windows that hold more samples together than this are tried on a part of the image first.
PATIENT_OPERATIONS, PART = 1 << 30, 1 / 64

# A peer whose call takes longer than so many of the library's, and than so many seconds, is not timed.
PATIENCE, SHORTEST_PATIENCE = 30, 0.5

# What became of a peer.
TIMED, SLOWER, DIFFERENT, FAILED, MISSING, NO_SUCH = (
    "timed",
    "much slower",
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
    """Everything measured on a cell.

    `fastest` is a library's function, `fastest_compiled` a program compiled for the case; `share` is the part of the
    copy rate that the library reaches.
    """

    cell: Cell
    result_dtype: str
    moved_bytes: int
    operations: int
    seconds: Spread
    fastest: str | None
    fastest_compiled: str | None
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
        return next((peer for peer in self.peers if peer.name == name), None)


def measure(library, cell, workers, effort, every_peer=False):
    """Time a cell of `library` (anything with its functions) against peers, yardsticks and a copy."""
    forget_compiled()
    image = make_image(cell.shape, cell.dtype)
    prepare = partial(libraries.prepare, library, cell, workers, image)
    allocates = prepare()
    expected = allocates()
    answers = as_tuple(expected)
    moved = image.nbytes + sum(answer.nbytes for answer in answers)
    memory = tuple(map(np.empty_like, answers))
    reuses = allocates if cell.defaults else prepare(memory if len(memory) > 1 else memory[0])
    patience = max(SHORTEST_PATIENCE, PATIENCE * min(block(reuses, effort.first_pass)))

    task = Task(
        image, cell.pooled, cell.window, cell.stride, answers[0].shape, cell.reduction, answers[0].dtype, workers
    )
    results, contenders = {}, {}
    for peer in PEERS:
        results[peer.name], contenders[peer.name] = _first_pass(peer, task, answers[0], effort, patience)
    timed = [peer for peer in PEERS if results[peer.name].status == TIMED]
    finalists = {*cell.against}
    for compiled in (False, True):
        finalists |= _finalists(
            {peer.name: results[peer.name].seconds.least for peer in timed if peer.compiled == compiled}
        )
    paired = [peer for peer in timed if every_peer or peer.name in finalists]
    sides = {LIBRARY: reuses, **{peer.name: contenders[peer.name].call for peer in paired}}
    counterparts = {peer.name: LIBRARY if peer.reuses_output or cell.defaults else LIBRARY_ALLOCATES for peer in paired}
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

    def fastest(compiled):
        names = (peer.name for peer in paired if peer.compiled == compiled)
        return max(names, key=lambda name: results[name].ratio.middle, default=None)

    return CellResult(
        cell=cell,
        result_dtype=answers[0].dtype.name,
        moved_bytes=moved,
        operations=_operations(task),
        seconds=spreads[LIBRARY],
        fastest=fastest(compiled=False),
        fastest_compiled=fastest(compiled=True),
        copied_by=way,
        copy_seconds=spreads.get(COPY),
        share=ratio(seconds, COPY, LIBRARY) if copy else None,
        peers=list(results.values()),
        yardsticks=[
            YardstickResult(row.name, spreads[row.name], ratio(seconds, LIBRARY, row.name), row.limit)
            for row in yardsticks
        ],
    )


def _operations(task):
    """Samples that all windows hold together, as if each sample were combined with a result once."""
    return prod(task.shape) * task.samples if task.window else task.image.size


def _finalists(seconds):
    """The names of the fastest, and of those so close that only pairing can tell."""
    limit = CLOSE * min(seconds.values(), default=0.0)
    return {name for name in sorted(seconds, key=seconds.get)[:MOST_FINALISTS] if seconds[name] <= limit}


def _first_pass(peer, task, expected, effort, patience):
    """Check a peer's answer and time it alone: its result, and its contender if the answer is right."""
    result = partial(PeerResult, peer.name)
    if peer.missing:
        return result(MISSING, ", ".join(peer.missing)), None
    if not peer.takes(task):
        return result(NO_SUCH), None
    try:
        for attempt, share in _attempts(task):
            contender = peer.prepare(attempt)
            if contender is None:
                return result(NO_SUCH), None
            answer, seconds = _second_call(contender, effort)
            if seconds / share > patience:
                return result(
                    SLOWER, f"{seconds / share:.2g} s" + (", as a part of the image tells" if share < 1 else "")
                ), None
        answer = contender.read(answer)
    except Exception as error:  # packages refuse dtypes each in their own way; the refusal is listed
        return result(FAILED, f"{type(error).__name__}: {error}".splitlines()[0]), None
    same, remark = compare(answer, expected, tolerance(task, task.image, expected))
    if not same:
        return result(DIFFERENT, remark), None
    samples = effort.first_pass if seconds < effort.slow else 1
    return result(TIMED, remark, Spread.of(block(contender.call, samples))), contender


def _attempts(task):
    """Tasks of growing size, and their share of the whole: who is slow on a part is not asked for all."""
    if task.places == {SLIDING} and _operations(task) > PATIENT_OPERATIONS:
        yield task.part(PART)
    yield task, 1


def _second_call(contender, effort):
    """An answer, and the seconds that it took; those of another call where the first may have had to compile."""
    for _ in range(2):
        start = perf_counter()
        answer = contender.call()
        seconds = perf_counter() - start
        if seconds < effort.slow:
            break
    return answer, seconds
