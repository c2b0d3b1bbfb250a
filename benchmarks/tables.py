"""A page of the documentation from what was measured: ``python -m benchmarks.tables FILE > docs/guide/measured.rst``.

The file is one of ``python -m benchmarks --json``. Nothing on the page is written by hand: make it anew.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import geometric_mean

from benchmarks.measure import DIFFERENT, FAILED, SLOWER
from benchmarks.report import BUSY, seconds_text

IMAGES = {
    "grey": "4096 × 4096 pixels",
    "rgb": "2048 × 2048 pixels of three channels, channels last",
    "NHWC": "64 images of 56 × 56 pixels and 64 channels, channels last",
    "NCHW": "64 images of 56 × 56 pixels and 64 channels, channels first",
    "volume": "256 × 256 × 256 voxels",
    "small": "32 × 32 pixels: what a call costs",
}

KINDS = {"fastest": "function of a library", "fastest_compiled": "program compiled for it"}

HEAD = """\
.. This page is made by benchmarks/tables.py.

Cells as measured
=================

Measured on {date} with {workers} threads on {processors} cores of {processor}, Python {python}; {packages}.

A cell is a reduction, window/stride, type and image. *Time* is the median over rounds in which both sides take turns;
*ratio* is the median over rounds of skpool's time over the peer's, with quartiles: below 1, skpool is faster. *GB/s*
are bytes of image and result, and *of copy* is the share of the rate at which this machine copied as many bytes in the
same rounds. Peers answer as skpool does, up to rounding, or have no time here. *Functions* are those of scikit-image,
SciPy, OpenCV, PyTorch, ONNX Runtime, OpenVINO, Pillow and tinybrain and idioms of NumPy; *programs* are written and
compiled for the case, with torch.compile, JAX or Numba.
"""

BUSY_NOTE = """
.. warning::

   Other programs kept this machine busy (a load of {load:.1f} on {processors} cores), so that threads waited for each
   other: these figures say little.
"""


def main():
    """Print the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--plot", metavar="PATH", help="a roofline that the page shows, as the page finds it")
    options = parser.parse_args()
    found = json.loads(options.file.read_text())
    print(*page(found["environment"], found["cells"], options.plot), sep="\n")


def page(surroundings, cells, plot=None):
    """The lines of the page."""
    packages = ", ".join(f"{name} {version}" for name, version in surroundings["packages"].items())
    yield HEAD.format(**surroundings | {"packages": packages})
    if surroundings["load before"] and surroundings["load before"] > BUSY * surroundings["processors"]:
        yield BUSY_NOTE.format(load=surroundings["load before"], **surroundings)
    yield from means(cells)
    if plot:
        yield f"\n.. image:: {plot}\n   :alt: bytes per second of every cell against samples per byte\n"
    yield from heading("Where skpool does not win")
    yield from losses(cells)
    for image, text in IMAGES.items():
        own = [cell for cell in cells if cell["cell"]["image"] == image]
        if own:
            yield from heading(f"{image}: {text}")
            yield from table(own)
    yield from heading("Peers without a time")
    yield from refusals(cells)


def heading(title):
    """A section's title."""
    yield from ("", title, "-" * len(title), "")


def peer(cell, kind):
    """The fastest peer of a kind, or None."""
    return next((peer for peer in cell["peers"] if peer["name"] == cell[kind]), None)


def means(cells):
    """The geometric mean of the ratios to the fastest of each kind."""
    for kind, text in KINDS.items():
        ratios = [fastest["ratio"]["middle"] for cell in cells if (fastest := peer(cell, kind))]
        if ratios:
            faster = sum(ratio < 1 for ratio in ratios)
            yield (
                f"Against the fastest {text} of each cell, skpool takes {geometric_mean(ratios):.2f} of its time in "
                f"the geometric mean of {len(ratios)} cells, and is faster in {faster} of them."
            )


def losses(cells):
    """A line for each cell where a peer is faster."""
    lost = [
        (fastest["ratio"]["middle"], f"- {cell['name']}: {fastest['name']}, ratio {ratio_text(fastest)}")
        for cell in cells
        for kind in KINDS
        if (fastest := peer(cell, kind)) and fastest["ratio"]["middle"] > 1
    ]
    yield from (line for _, line in sorted(lost, reverse=True))
    if not lost:
        yield "In no cell that was measured."


def ratio_text(fastest):
    """A ratio with its quartiles."""
    return "{middle:.2f} ({low:.2f}–{high:.2f})".format(**fastest["ratio"])


def table(cells):
    """The cells of one image."""
    side = ("fastest {}", "its time", "ratio")
    titles = (
        "",
        "skpool",
        "GB/s",
        "of copy",
        *(title.format(kind) for kind in ("function", "program") for title in side),
    )
    yield ".. csv-table::"
    yield f"   :header: {row(titles)}"
    yield ""
    for cell in cells:
        columns = [
            cell["name"].removesuffix(f" {cell['cell']['image']}"),
            seconds_text(cell["seconds"]["middle"]),
            f"{cell['bytes_per_second'] / 1e9:.1f}",
            f"{cell['share']['middle']:.0%}" if cell["share"] else "–",
        ]
        for kind in KINDS:
            fastest = peer(cell, kind)
            columns += (
                [fastest["name"], seconds_text(fastest["seconds"]["middle"]), ratio_text(fastest)]
                if fastest
                else ["none agrees", "", ""]
            )
        yield f"   {row(columns)}"


def row(columns):
    """A line of comma-separated values."""
    return ", ".join(f'"{column}"' for column in columns)


def refusals(cells):
    """Why peers have no time: a line for each, with the number of cells."""
    counts = defaultdict(int)
    for cell in cells:
        for other in cell["peers"]:
            if other["status"] in (SLOWER, DIFFERENT, FAILED):
                counts[other["name"], other["status"]] += 1
    lines = defaultdict(list)
    for (name, status), count in counts.items():
        lines[name].append(f"{status} in {count}")
    yield from (f"- {name}: {', '.join(reasons)}" for name, reasons in sorted(lines.items()))
    yield ""
    yield f"Of {len(cells)} cells. *Failed* means mostly that the package refuses the type."


if __name__ == "__main__":
    main()
