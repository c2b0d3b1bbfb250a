"""What the numbers look like: a table, and JSON."""

import json
import os
import platform
import re
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import geometric_mean

from benchmarks.measure import DIFFERENT, FAILED, MISSING, SLOWER, TIMED
from benchmarks.memory import ALLOWED_PER_WORKER

PACKAGES = (
    "numpy",
    "scikit-image",
    "scipy",
    "opencv-python-headless",
    "opencv-python",
    "torch",
    "onnxruntime",
    "openvino",
    "jax",
    "numba",
    "pillow",
    "tinybrain",
)

# A load above this part of the processors spoils timings.
BUSY = 0.5

NAME_WIDTH, PEER_WIDTH = 34, 23
SIDE_HEADER = f"{'time':>10} {'ratio (quartiles)':>18} {'least':>5}"
HEADER = (
    f"{'cell':{NAME_WIDTH}} {'time':>10} {'GB/s':>6} {'of copy':>8} {'extra MiB':>9}  "
    f"{'fastest function':{PEER_WIDTH}} {SIDE_HEADER}  {'fastest compiled':{PEER_WIDTH}} {SIDE_HEADER}"
)
NOTES = """\
time    median over rounds
GB/s    bytes of image and result over time; of copy: over the rate of a copy of as many bytes
extra   peak memory beyond image and result, per worker
fastest function of a library, and what was written and compiled for the cell (torch.compile, JAX, Numba)
ratio   the library's time over the peer's, median and quartiles of paired rounds; below 1: faster.
        Where a peer writes into memory that it is given, so does the library; where it allocates, so does it.
least   ratio of the least times: the one to read where other programs keep the processors busy"""


def seconds_text(seconds):
    """A time in the unit that suits it."""
    unit, factor = ("ms", 1e3) if seconds >= 1e-4 else ("us", 1e6)
    return f"{seconds * factor:.2f} {unit}"


def spread_text(spread):
    """Median and quartiles."""
    return f"{spread.middle:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def ratio_text(spread):
    """Median and quartiles of a ratio, and the ratio of the least times."""
    return f"{spread_text(spread):>18} {spread.least:5.2f}"


def lines(result, workers):
    """A cell's line of the table, and indented lines for what else it was compared with."""
    extra = "-" if result.extra_bytes is None else f"{result.extra_bytes / workers / (1 << 20):.2f}"
    share = f"{result.share.middle:.0%}" if result.share else "-"
    first = [result.peer(name) for name in (result.fastest, result.fastest_compiled)]
    sides = "".join(f"  {side_text(peer)}" for peer in first)
    time = seconds_text(result.seconds.middle)
    yield f"{result.name:{NAME_WIDTH}} {time:>10} {result.rate / 1e9:6.1f} {share:>8} {extra:>9}{sides}".rstrip()
    others = [peer for peer in result.peers if peer.ratio and peer not in first]
    for other in [*sorted(others, key=lambda peer: peer.seconds.middle), *result.yardsticks]:
        limit = getattr(other, "limit", None)
        yield f"{'':{NAME_WIDTH + 38}}{side_text(other)}" + (f"  (at most {limit})" if limit else "")


def side_text(side):
    """A peer's or yardstick's columns."""
    if side is None:
        return f"{'none agrees':{PEER_WIDTH + 1 + len(SIDE_HEADER)}}"
    return f"{side.name:{PEER_WIDTH}} {seconds_text(side.seconds.middle):>10} {ratio_text(side.ratio)}"


def peer_lines(results):
    """Every peer's time on every cell, fastest first, and why the others have none."""
    for result in results:
        yield result.name
        for peer in sorted(
            (peer for peer in result.peers if peer.status == TIMED), key=lambda peer: peer.seconds.middle
        ):
            time = seconds_text(peer.seconds.middle)
            yield f"    {peer.name:{PEER_WIDTH + 4}} {time:>9}  {peer.remark}".rstrip()
        for peer in result.peers:
            if peer.status in (SLOWER, DIFFERENT, FAILED, MISSING):
                yield f"    {peer.name:{PEER_WIDTH + 4}} {peer.status}: {peer.remark}"[:118]


def verdicts(results, workers, surroundings):
    """One line per thing that is not as it should be: a faster peer, a limit passed, an answer alone."""
    if surroundings["load before"] and surroundings["load before"] > BUSY * surroundings["processors"]:
        yield "other programs kept this machine busy: threads wait for each other, and medians say little"
    for result in results:
        if result.fastest is None and result.fastest_compiled is None:
            yield f"{result.name}: no peer gives the same answer"
        for peer in result.peers:
            if peer.ratio and peer.ratio.middle > 1:
                yield f"{result.name}: {peer.name} is faster, ratio {spread_text(peer.ratio)}"
        for row in result.yardsticks:
            if row.limit and row.ratio.middle > row.limit:
                yield f"{result.name}: {spread_text(row.ratio)} of {row.name}, at most {row.limit} allowed"
        if result.extra_bytes is not None and result.extra_bytes > ALLOWED_PER_WORKER * workers:
            extra = result.extra_bytes / (1 << 20)
            yield f"{result.name}: {extra:.2f} MiB extra memory with {workers} workers"


def means(results):
    """Geometric means over cells of the library's time as a multiple of the fastest peer's, of both kinds."""
    for kind, of in (("function of a library", "fastest"), ("compiled program", "fastest_compiled")):
        ratios = [result.peer(name).ratio.middle for result in results if (name := getattr(result, of))]
        if ratios:
            faster = sum(found < 1 for found in ratios)
            yield (
                f"against the fastest {kind}: ratio {geometric_mean(ratios):.3f} in the geometric mean of "
                f"{len(ratios)} cells, below 1 in {faster} of them, at most {max(ratios):.2f}"
            )


def environment(library, workers):
    """What was measured with what."""
    return {
        "date": date.today().isoformat(),
        "library": f"{library.__name__} {getattr(library, '__version__', '')}".strip(),
        "file": library.__file__,
        "python": platform.python_version(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "workers": workers,
        "load before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _processor():
    """The processor's name and its last cache, where Linux tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        name = re.search(r"model name\s*: (.*)", text)[1]
        family, model = (re.search(rf"{field}\s*: (\d+)", text)[1] for field in ("cpu family", "model"))
        cache = Path("/sys/devices/system/cpu/cpu0/cache/index3/size").read_text().strip()
        return f"{name}, family {family}, model {model}, last cache {cache}"
    except (OSError, TypeError):
        return platform.processor() or platform.machine()


def _version(name):
    """An installed package's version, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write_json(path, surroundings, results):
    """Everything, for other programs."""
    cells = [{"name": result.name, "bytes_per_second": result.rate, **asdict(result)} for result in results]
    path.write_text(json.dumps({"environment": surroundings, "cells": cells}, indent=1) + "\n")
