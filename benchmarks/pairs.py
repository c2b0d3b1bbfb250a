"""What the programs beside ``python -m benchmarks`` share: their command line, and a line for each pair of calls."""

import argparse
import re
from statistics import median

from benchmarks.report import seconds_text, spread_text
from benchmarks.timing import Effort, alternate, ratio

EFFORT = Effort(rounds=7, samples=2, first_pass=2)
QUICK = Effort(rounds=3, samples=1, first_pass=1)

NAME_WIDTH, PEER_WIDTH = 51, 33


class Table:
    """The table that a program of this name prints line by line, and what its command line says."""

    def __init__(self, program, description):
        parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{program}", description=description)
        parser.add_argument("threads", nargs="?", type=int, default=2, help="threads on every side (default: 2)")
        parser.add_argument("--quick", action="store_true", help="fewer rounds")
        parser.add_argument("--cells", metavar="REGEX", default="", help="only cells in whose name this is found")
        options = parser.parse_args()
        self.threads = options.threads
        self.effort = QUICK if options.quick else EFFORT
        self.wants = re.compile(options.cells).search
        print(f"threads: {self.threads}; ratio below 1: skpool is faster")
        print(f"{'cell':{NAME_WIDTH}} {'skpool':>10}   {'peer':{PEER_WIDTH}} {'its time':>10}   ratio (quartiles)")

    def line(self, name, call, peer, other, remark=""):
        """Time a call of the library and its peer's, alternating, and print their line."""
        seconds = alternate({"skpool": call, "peer": other}, self.effort)
        mine, theirs = (seconds_text(median(found)) for found in seconds.values())
        spread = spread_text(ratio(seconds, "skpool", "peer"))
        print(
            f"{name:{NAME_WIDTH}} {mine:>10}   {peer:{PEER_WIDTH}} {theirs:>10}   {spread}  {remark}".rstrip(),
            flush=True,
        )

    def untimed(self, name, peer, reason):
        """Print a line for a pair that cannot be timed."""
        print(f"{name:{NAME_WIDTH}} {'-':>10}   {peer:{PEER_WIDTH}} {'-':>10}   {reason}", flush=True)
