"""How a call's time falls with its threads: ``python -m benchmarks.scaling``.

For each call, the least time with 1, 2, 4, ... threads up to the processors, all numbers in alternation, beside that
of a copy of as many bytes by as many threads; the parallel share p of Amdahl's t(n) = t(1) (1 - p + p / n), by least
squares; and what a result costs that has to be allocated, in place of `out`. Where a copy does not gain from threads
either, memory is the limit and not the work that one thread does alone. Least times, not medians: another program on
one of the processors makes threads wait for each other.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import numpy as np

from benchmarks import copies, library, report
from benchmarks.cells import make_image
from benchmarks.timing import FULL, QUICK, alternate

#: A call: function, dtype of a 4096 x 4096 image, arguments.
CALLS = {
    "max 2/2 uint8": ("max_pool", "uint8", {"window_shape": 2}),
    "max 2/2 float32": ("max_pool", "float32", {"window_shape": 2}),
    "avg 2/2 uint8 to float64": ("avg_pool", "uint8", {"window_shape": 2}),
    "max 3/1 float32": ("max_pool", "float32", {"window_shape": 3, "stride": 1}),
    "avg 63/1 uint8": ("avg_pool", "uint8", {"window_shape": 63, "stride": 1}),
    "logsumexp 2/2 float32": ("logsumexp_pool", "float32", {"window_shape": 2}),
    "median 5/1 float32": ("median_pool", "float32", {"window_shape": 5, "stride": 1}),
    "global avg float32": ("global_avg_pool", "float32", {}),
}

SIDE = 4096

#: Bytes of a page of memory, which the system clears when it is first written to.
PAGE = 4096

#: The side of an image that is no work at all: what handing out work costs.
NO_WORK = 8


@dataclass
class Curve:
    """Seconds of a call by the number of its threads, into `out` and allocating, and of a copy of as many bytes."""

    name: str
    moved_bytes: int
    result_bytes: int
    seconds: dict[int, float]
    allocating: dict[int, float]
    copying: dict[int, float]

    @property
    def parallel_share(self):
        """Amdahl's p, or None with one number of threads."""
        if len(self.seconds) < 2:
            return None
        rows = [[1, 1 / threads] for threads in self.seconds]
        alone, shared = np.linalg.lstsq(np.array(rows), np.array(list(self.seconds.values())))[0]
        return float(shared / (alone + shared))


def measure(skpool, name, threads, effort):
    """The curve of a call."""
    function, dtype, arguments = CALLS[name]
    image = make_image((SIDE, SIDE), dtype)
    call = partial(getattr(skpool, function), image, **arguments)
    result = call()
    out = np.empty_like(result)
    moved = image.nbytes + result.nbytes
    sides = {}
    for count in threads:
        sides["seconds", count] = partial(call, out=out, workers=count)
        sides["allocating", count] = partial(call, workers=count)
        sides["copying", count] = copies.fastest(moved, count, effort.first_pass)[1]
    seconds = {side: min(found) for side, found in alternate(sides, effort).items()}
    kinds = {kind: {count: seconds[kind, count] for count in threads} for kind in ("seconds", "allocating", "copying")}
    return Curve(name, moved, result.nbytes, **kinds)


def lines(curve):
    """A line for each number of threads, and one for the whole."""
    first, copied = curve.seconds[1], curve.copying[1]
    for count, seconds in curve.seconds.items():
        extra = curve.allocating[count] - seconds
        yield (
            f"{curve.name if count == 1 else '':26} {count:7} {report.seconds_text(seconds):>10} {first / seconds:9.2f}"
            f" {curve.moved_bytes / seconds / 1e9:7.1f} {copied / curve.copying[count]:16.2f}"
            f" {report.seconds_text(max(extra, 0)):>11}"
        )
    share = "" if curve.parallel_share is None else f"parallel share {curve.parallel_share:.3f}; "
    extra = max(curve.allocating[1] - first, 0) / (curve.result_bytes / PAGE)
    pages = f"allocating a page of the result costs {extra * 1e6:.2f} us" if curve.result_bytes > PAGE else ""
    yield f"{'':26} {share}{pages}"


def handing_out(skpool, threads, effort):
    """Seconds that threads cost where there is nothing for them to do, by their number."""
    image = np.zeros((NO_WORK, NO_WORK), np.float32)
    sides = {count: partial(skpool.max_pool, image, 2, workers=count) for count in threads}
    seconds = {count: min(found) for count, found in alternate(sides, effort).items()}
    return {count: found - seconds[1] for count, found in seconds.items()}


HEADER = f"{'call':26} threads {'time':>10} {'speed-up':>9} {'GB/s':>7} {'speed-up of copy':>16} {'allocating':>11}"


def main():
    """Measure every curve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.split("\n\n")[0])
    parser.add_argument("--most", type=int, help="threads at most (default: the processors that there are)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    options = parser.parse_args()
    skpool, effort = library.load(), QUICK if options.quick else FULL
    surroundings = report.environment(skpool, None)
    most = options.most or surroundings["processors"]
    threads = [*takewhile(lambda count: count < most, (1 << i for i in range(30))), most]
    print(*(f"{key}: {value}" for key, value in surroundings.items() if value is not None), "", sep="\n")
    print(HEADER)
    curves = []
    for name in CALLS:
        curves.append(measure(skpool, name, threads, effort))
        print(*lines(curves[-1]), sep="\n", flush=True)
    for count, seconds in handing_out(skpool, threads, effort).items():
        if count > 1:
            print(f"handing nothing out to {count} threads takes {seconds * 1e6:.1f} us")
    if options.json:
        found = [asdict(curve) | {"parallel_share": curve.parallel_share} for curve in curves]
        options.json.write_text(json.dumps({"environment": surroundings, "curves": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
