"""Command line: ``python -m benchmarks`` in the root of the repository."""

import argparse
import logging
import re
from pathlib import Path

from benchmarks import library as libraries
from benchmarks import memory, pictures, report
from benchmarks.cells import CELLS, USUAL
from benchmarks.measure import measure
from benchmarks.peers import PEERS
from benchmarks.timing import FULL, QUICK


def parse(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time skpool beside other packages.")
    parser.add_argument("--all", action="store_true", help="all cells, which takes hours, instead of the usual ones")
    parser.add_argument(
        "--cells", metavar="REGEX", help="those of all cells in whose name this is found: 'max 3/. uint8'"
    )
    parser.add_argument("--list", action="store_true", help="list cells and peers, and measure nothing")
    parser.add_argument("--workers", type=int, default=2, help="threads on every side (default: 2)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument(
        "--every-peer", action="store_true", help="pair with every peer that agrees, not the fastest only"
    )
    parser.add_argument("--peers", action="store_true", help="show every peer's time and why others have none")
    parser.add_argument("--memory", action="store_true", help="peak memory, in a fresh process for each cell")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the roofline of what was measured (matplotlib)")
    parser.add_argument(
        "--bars", type=Path, metavar="FILE", help="draw each cell's share of the copy rate (matplotlib)"
    )
    parser.add_argument(
        "--library", dest="module", default="skpool", metavar="MODULE", help="module with skpool's functions"
    )
    parser.add_argument("--in-place", action="store_true", help="prefer the build in the source tree")
    return parser.parse_args(arguments)


def select(pattern, everything):
    """The usual cells, all of them, or those of all whose names match a pattern."""
    if pattern is None:
        return CELLS if everything else USUAL
    chosen = tuple(cell for cell in CELLS if re.search(pattern, cell.name))
    if not chosen:
        raise SystemExit(f"no cell's name matches {pattern!r}; --all --list shows them")
    return chosen


def main():
    """Measure the chosen cells and report."""
    options = parse()
    cells = select(options.cells, options.all)
    if options.list:
        print(*(cell.name for cell in cells), "", *(f"peer: {peer.name}" for peer in PEERS), sep="\n")
        return
    logging.disable()  # PyTorch tells of every refusal at length, and that it found no CUDA
    library = libraries.load(options.module, options.in_place)
    surroundings = report.environment(library, options.workers)
    print(*(f"{name}: {value}" for name, value in surroundings.items()), sep="\n")
    for peer in PEERS:
        if peer.missing:
            print(f"skipped: {peer.name} needs {', '.join(peer.missing)}")
    print(f"\n{report.HEADER}")
    results = []
    for cell in cells:
        result = measure(library, cell, options.workers, QUICK if options.quick else FULL, options.every_peer)
        if options.memory and not cell.defaults:
            result.extra_bytes = memory.extra_bytes(cell, options.workers, options.module, options.in_place)
        results.append(result)
        print(*report.lines(result, options.workers), sep="\n", flush=True)
        if options.json:  # after each cell: a run of hours may be interrupted
            report.write_json(options.json, surroundings, results)
    print(f"\n{report.NOTES}")
    if options.peers:
        print("", *report.peer_lines(results), sep="\n")
    print("", *report.verdicts(results, options.workers, surroundings), *report.means(results), sep="\n")
    if options.plot:
        pictures.roofline(options.plot, library.__name__, results)
    if options.bars:
        pictures.bars(options.bars, library.__name__, results)


if __name__ == "__main__":
    main()
