"""Command line: ``python -m benchmarks`` in the root of the repository."""

import argparse
import fnmatch
from pathlib import Path

from benchmarks import library as libraries
from benchmarks import memory, report
from benchmarks.cells import CELLS
from benchmarks.measure import measure
from benchmarks.peers import PEERS
from benchmarks.timing import FULL, QUICK


def parse(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time skpool beside other packages.")
    parser.add_argument(
        "--cells",
        action="append",
        metavar="PATTERN",
        help="only cells whose name holds this, * and ? as in a shell (may be repeated): 'max 3/? uint8'",
    )
    parser.add_argument("--list", action="store_true", help="list cells and peers, and measure nothing")
    parser.add_argument("--workers", type=int, default=2, help="threads on every side (default: 2)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--all", action="store_true", help="pair with every peer that agrees, not the fastest only")
    parser.add_argument("--peers", action="store_true", help="show every peer's time and why others have none")
    parser.add_argument("--no-memory", action="store_true", help="skip peak memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw shares of the copy rate (matplotlib)")
    parser.add_argument(
        "--library", dest="module", default="skpool", metavar="MODULE", help="module with skpool's functions"
    )
    parser.add_argument("--in-place", action="store_true", help="prefer the build in the source tree")
    return parser.parse_args(arguments)


def select(patterns):
    """The cells whose names match any of the patterns; all of them without patterns."""
    if not patterns:
        return CELLS
    chosen = tuple(
        cell for cell in CELLS if any(fnmatch.fnmatchcase(cell.name, f"*{pattern}*") for pattern in patterns)
    )
    if not chosen:
        raise SystemExit(f"no cell's name matches {patterns}; --list shows them")
    return chosen


def main():
    """Measure the chosen cells and report."""
    options = parse()
    cells = select(options.cells)
    if options.list:
        print(*(cell.name for cell in cells), "", *(f"peer: {peer.name}" for peer in PEERS), sep="\n")
        return
    library = libraries.load(options.module, options.in_place)
    surroundings = report.environment(library, options.workers)
    print(*(f"{name}: {value}" for name, value in surroundings.items()), sep="\n")
    for peer in PEERS:
        if peer.missing:
            print(f"skipped: {peer.name} needs {', '.join(peer.missing)}")
    print(f"\n{report.HEADER}")
    results = []
    for cell in cells:
        result = measure(library, cell, options.workers, QUICK if options.quick else FULL, options.all)
        if not options.no_memory and not cell.defaults:
            result.extra_bytes = memory.extra_bytes(cell, options.workers, options.module, options.in_place)
        results.append(result)
        print(*report.lines(result, options.workers), sep="\n", flush=True)
    print(f"\n{report.NOTES}")
    if options.peers:
        print("", *report.peer_lines(results), sep="\n")
    print("", *report.verdicts(results, options.workers, surroundings), sep="\n")
    if options.json:
        report.write_json(options.json, surroundings, results)
    if options.picture:
        report.draw(options.picture, library.__name__, results)


if __name__ == "__main__":
    main()
