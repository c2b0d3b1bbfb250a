"""What the numbers look like: a table, JSON, a picture."""

import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from benchmarks.measure import DIFFERENT, FAILED, MISSING, TIMED
from benchmarks.memory import ALLOWED_PER_WORKER

PACKAGES = (
    "numpy",
    "scikit-image",
    "scipy",
    "opencv-python-headless",
    "opencv-python",
    "torch",
    "onnxruntime",
    "pillow",
)

# A load above this part of the processors spoils timings.
BUSY = 0.5

NAME_WIDTH, PEER_WIDTH = 30, 23
HEADER = (
    f"{'cell':{NAME_WIDTH}} {'time':>9}  {'fastest peer':{PEER_WIDTH}} {'time':>9}  "
    f"{'ratio (quartiles)':18} {'least':>5} {'GB/s':>6} {'of copy':>8} {'extra MiB':>9}"
)
NOTES = """\
time    median over rounds
ratio   the library's time over the peer's, median and quartiles of paired rounds; below 1: faster.
        Where a peer writes into memory that it is given, so does the library; where it allocates, so does it.
least   ratio of the least times: the one to read where other programs keep the processors busy
GB/s    bytes of image and result over time; of copy: over the rate of a copy of as many bytes
extra   peak memory beyond image and result, per worker"""


def seconds_text(seconds):
    """A time in the unit that suits it."""
    unit, factor = ("ms", 1e3) if seconds >= 1e-4 else ("us", 1e6)
    return f"{seconds * factor:.2f} {unit}"


def spread_text(spread):
    """Median and quartiles."""
    return f"{spread.middle:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def ratio_text(spread):
    """Median and quartiles of a ratio, and the ratio of the least times."""
    return f"{spread_text(spread):18} {spread.least:5.2f}"


def lines(result, workers):
    """A cell's line of the table, and indented lines for what else it was compared with."""
    columns = [f"{result.name:{NAME_WIDTH}} {seconds_text(result.seconds.middle):>9}  "]
    fastest = result.peer(result.fastest) if result.fastest else None
    columns.append(
        f"{fastest.name:{PEER_WIDTH}} {seconds_text(fastest.seconds.middle):>9}  {ratio_text(fastest.ratio)} "
        if fastest
        else f"{'no peer agrees':{PEER_WIDTH + 37}}"
    )
    columns.append(f"{result.rate / 1e9:6.1f} {f'{result.share.middle:.0%}' if result.share else '-':>8} ")
    extra = "-" if result.extra_bytes is None else f"{result.extra_bytes / workers / (1 << 20):.2f}"
    columns.append(f"{extra:>9}")
    yield "".join(columns).rstrip()
    others = [peer for peer in result.peers if peer.ratio and peer is not fastest]
    for other in [*sorted(others, key=lambda peer: peer.seconds.middle), *result.yardsticks]:
        limit = getattr(other, "limit", None)
        bound = f"  (at most {limit})" if limit else ""
        yield (
            f"{'':{NAME_WIDTH + 12}}{other.name:{PEER_WIDTH}} {seconds_text(other.seconds.middle):>9}  "
            f"{ratio_text(other.ratio)}{bound}"
        )


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
            if peer.status in (DIFFERENT, FAILED, MISSING):
                yield f"    {peer.name:{PEER_WIDTH + 4}} {peer.status}: {peer.remark}"[:118]


def verdicts(results, workers, surroundings):
    """One line per thing that is not as it should be: a faster peer, a limit passed, an answer alone."""
    if surroundings["load before"] and surroundings["load before"] > BUSY * surroundings["processors"]:
        yield "other programs kept this machine busy: threads wait for each other, and medians say little"
    for result in results:
        if result.fastest is None:
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


def environment(library, workers):
    """What was measured with what."""
    return {
        "library": f"{library.__name__} {getattr(library, '__version__', '')}".strip(),
        "file": library.__file__,
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "workers": workers,
        "load before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


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


def draw(path, library_name, results):
    """Bars: the share of the copy rate that the library and its fastest peer reach in every cell."""
    from matplotlib.figure import Figure

    shown = [result for result in results if result.share]
    if not shown:
        raise SystemExit("--picture draws shares of the copy rate, and no cell that was run has one.")
    positions = np.arange(len(shown))[::-1]
    figure = Figure(figsize=(8, 1.2 + 0.34 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    sides = (
        (library_name, "#1b6ca8", 0.2, [result.share.middle for result in shown]),
        ("fastest peer", "#c9c9c9", -0.2, [_peer_share(result) for result in shown]),
    )
    for label, color, shift, shares in sides:
        axes.barh(positions + shift, shares, height=0.38, color=color, label=label)
    for position, result in zip(positions, shown, strict=True):
        note = result.fastest or "no peer"
        axes.text(_peer_share(result) + 0.01, position - 0.2, note, va="center", fontsize=6, color="#666666")
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set_yticks(positions, [result.name for result in shown], fontsize=8)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel("image and result bytes per second, as a share of the rate of a plain copy")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)
    figure.savefig(path, dpi=150)


def _peer_share(result):
    """The share of the copy rate that the fastest peer reaches."""
    return result.copy_seconds.middle / result.peer(result.fastest).seconds.middle if result.fastest else 0.0
