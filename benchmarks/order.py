"""Order statistics, labels and weights beside their peers, paired: `python -m benchmarks.order [THREADS]`.

A cell is a row of `ROWS`. Its peer is another package's function, or the library itself on another row. A package
that writes into memory that it is given is held against a call of the library that does so too; one that
allocates, against one that allocates.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import product
from pkgutil import resolve_name
from typing import NamedTuple

import numpy as np

from benchmarks import library
from benchmarks.answers import compare, tolerance
from benchmarks.pairs import Table

#: Sides of images: in full, a multiple of 3 and 5, where peers are slow, of a volume, and of a volume where they are.
SIDE, TILED_SIDE, CROP, VOLUME, VOLUME_CROP = 4096, 4095, 1024, 256, 128

#: What the labels of a label image are: segments of one label each, or labels drawn pixel by pixel from so many.
SEGMENTS, FEW, MANY = "segments", 4, 200

SEGMENT_SIDE = 37  # odd, so that windows of 2 lie across borders

BINOMIAL = {3: np.array([1, 2, 1]) / 4, 5: np.array([1, 4, 6, 4, 1]) / 16}
SEPARABLE = np.outer(BINOMIAL[5], BINOMIAL[5])
INSEPARABLE = np.random.default_rng(1).dirichlet(np.ones(25)).reshape(5, 5)
DISK = np.hypot(*np.mgrid[-5:6, -5:6]) <= 5


class Image(NamedTuple):
    """An image: noise, or `labels`. `nan` is the part of its samples that are NaN."""

    dtype: str
    side: int = SIDE
    ndim: int = 2
    labels: str | int | None = None
    nan: float = 0

    @property
    def name(self):
        """What the table calls it."""
        labels = {None: "", SEGMENTS: ", segments"}.get(self.labels, f", {self.labels} labels")
        nan = f", {self.nan:.0%} NaN" if self.nan else ""
        return f"{self.dtype} {self.side}{'²³'[self.ndim - 2]}{labels}{nan}"


@lru_cache(maxsize=4)
def made(image):
    """The pixels of an `Image`."""
    rng = np.random.default_rng(0)
    shape = (image.side,) * image.ndim
    if image.labels == SEGMENTS:
        place = np.arange(image.side) // SEGMENT_SIDE
        return rng.integers(1, MANY, (place[-1] + 1,) * image.ndim, image.dtype)[np.ix_(*(place,) * image.ndim)]
    if np.dtype(image.dtype).kind == "u":
        return rng.integers(0, image.labels or np.iinfo(image.dtype).max, shape, image.dtype)
    pixels = rng.random(shape, image.dtype)
    if image.nan:
        pixels[rng.random(shape, np.float32) < image.nan] = np.nan
    return pixels


class Peer(NamedTuple):
    """Another package's function: `prepare` makes of pixels a call without arguments."""

    name: str
    prepare: Callable


class Disagreement(Exception):
    """A peer's answer is not the library's."""


class Row(NamedTuple):
    """A cell: a function's name without `_pool`, its image and arguments, and what it is held against.

    If that is another row, answers may differ. A peer's is compared after `read`, a function of pixels and answer.
    `limit` is the largest ratio allowed.
    """

    title: str
    reduction: str
    image: Image
    arguments: dict
    against: "Peer | Row | None" = None
    read: Callable = lambda pixels, answer: answer
    limit: float | None = None

    @property
    def name(self):
        """What the table calls it."""
        return f"{self.title} {self.image.name}"

    def call(self, skpool, threads, **result):
        """The library's call, as a function without arguments."""
        function = getattr(skpool, f"{self.reduction}_pool")
        return partial(function, made(self.image), workers=threads, **self.arguments | result)

    def reusing(self, skpool, threads):
        """The library's call, writing into the memory of an earlier answer."""
        return self.call(skpool, threads, out=self.call(skpool, threads)())

    def sides(self, skpool, threads):
        """Return ``(ours, theirs, remark)``: the two calls, and what is to be said about their answers or ratio."""
        if isinstance(self.against, Row):
            remark = f"(at most {self.limit})" if self.limit else ""
            return self.reusing(skpool, threads), self.against.reusing(skpool, threads), remark
        pixels = made(self.image)
        theirs = self.against.prepare(pixels)
        expected, again = theirs(), theirs()
        reuses = np.may_share_memory(expected, again)
        ours = self.call(skpool, threads, **({"out": np.empty_like(expected)} if reuses else {"dtype": expected.dtype}))
        answers = self.read(pixels, ours()), self.read(pixels, expected)
        same, remark = compare(*answers, tolerance(self, pixels, expected))
        if not same:
            raise Disagreement(remark)
        return ours, theirs, remark


def peer(path, *arguments, out=None, **options):
    """The function at `path`, called with the image first; `out` names its parameter for memory to write into."""

    def prepare(pixels):
        memory = {out: np.empty_like(pixels)} if out else {}
        return partial(resolve_name(path), pixels, *arguments, **options, **memory)

    return Peer(path, prepare)


opencv = partial(peer, out="dst")
block_reduce = partial(peer, "skimage.measure.block_reduce")
scipy_median = partial(peer, "scipy.ndimage.median_filter", out="output", mode="nearest")


def halved(smooth):
    """Every second row and column of a peer's answer: a view, which costs it nothing."""

    def prepare(pixels):
        call = smooth.prepare(pixels)
        return lambda: call()[::2, ::2]

    return Peer(f"{smooth.name}, halved", prepare)


def tinybrain(ndim):
    """Labels halved; the package wants Fortran order, which the transposed image has."""
    path = "tinybrain.downsample_segmentation"

    def prepare(pixels):
        call = partial(resolve_name(path), pixels.T, (2,) * ndim)
        return lambda: call()[0].T

    return Peer(path, prepare)


def trimmed(blocks, axis):
    """The trimmed mean, as `block_reduce` calls functions."""
    return resolve_name("scipy.stats.trim_mean")(blocks, 0.1, axis=axis)


def votes(pixels, answer):
    """How many samples of its window of 2 have each label of an answer, since packages break ties each in its way."""
    offsets = np.ndindex((2,) * pixels.ndim)
    return sum(
        (pixels[tuple(slice(first, None, 2) for first in offset)] == answer).view(np.uint8) for offset in offsets
    )


DENSE = {"stride": 1, "padding": "same"}
OMIT = {"nan_policy": "omit"}


def dense(size, **arguments):
    """Arguments of a window at every pixel."""
    return {"window_shape": size, **DENSE, **arguments}


def tiles(size, **arguments):
    """Arguments of windows side by side."""
    return {"window_shape": size, **arguments}


def median(size, image, against=None):
    """The row of a dense median with its edges repeated, of the image's dtype."""
    return Row(f"median {size}/1", "median", image, dense(size, mode="edge", dtype=image.dtype), against)


def mode(size, image, against=None):
    """The row of a dense mode."""
    return Row(f"mode {size}/1", "mode", image, dense(size), against)


def labels(dtype, side=SIDE, ndim=2):
    """Images of labels."""
    return [Image(dtype, side, ndim, kind) for kind in (SEGMENTS, FEW, MANY)]


GREY, REAL, FLAWED = Image("uint8"), Image("float32"), Image("float32", nan=0.01)
TILED = Image("float32", TILED_SIDE)
SQUARE = np.ones((3, 3), np.uint8)

ENTROPY = Row("entropy 3/1", "entropy", GREY, dense(3))

#: Calls that are timed with some NaN, omitted, and without.
WITH_NAN = (
    ("median 3/1", "median", dense(3)),
    ("median 3/3", "median", tiles(3)),
    ("mode 3/1", "mode", dense(3)),
    ("percentile 5/5", "percentile", tiles(5, q=90)),
)

WEIGHTS = (
    ("separable", SEPARABLE, opencv("cv2.sepFilter2D", -1, BINOMIAL[5], BINOMIAL[5])),
    ("separable", SEPARABLE, opencv("cv2.filter2D", -1, SEPARABLE)),
    ("inseparable", INSEPARABLE, opencv("cv2.filter2D", -1, INSEPARABLE)),
)

BLURS = ((3, halved(opencv("cv2.sepFilter2D", -1, BINOMIAL[3], BINOMIAL[3]))), (5, peer("cv2.pyrDown")))

ROWS = (
    *(median(size, image, opencv("cv2.medianBlur", size)) for size, image in product((3, 5), (GREY, REAL))),
    median(15, GREY, opencv("cv2.medianBlur", 15)),
    *(median(size, GREY, median(15, GREY)) for size in (3, 31, 63)),
    median(15, Image("uint16", CROP), scipy_median(15)),
    median(3, Image("float32", VOLUME_CROP, 3), scipy_median(3)),
    *(
        Row(f"median {size}/{size}", "median", image, tiles(size), block_reduce(size, np.median))
        for size, image in ((3, TILED), (2, GREY), (2, REAL))
    ),
    Row("percentile 5/5", "percentile", TILED, tiles(5, q=90), block_reduce(5, np.percentile, func_kwargs={"q": 90})),
    Row("trimmed mean 5/5", "trimmed_mean", TILED, tiles(5), block_reduce(5, trimmed)),
    *(
        Row("mode 2/2", "mode", image, tiles(2), tinybrain(image.ndim), votes)
        for image in labels("uint32") + labels("uint32", VOLUME, 3)
    ),
    *(mode(3, image, peer("skimage.filters.rank.modal", SQUARE, out="out")) for image in labels("uint8", CROP)),
    *(mode(3, image, mode(3, image._replace(dtype="uint8"))) for image in labels("uint32")),
    ENTROPY._replace(image=Image("uint8", CROP), against=peer("skimage.filters.rank.entropy", SQUARE)),
    Row("nunique 3/1", "nunique", GREY, dense(3), ENTROPY),
    *(
        Row(title, reduction, FLAWED, arguments | OMIT, Row(title, reduction, REAL, arguments), limit=2)
        for title, reduction, arguments in WITH_NAN
    ),
    *(
        Row(f"{kind} weights 5/1", "weighted_avg", image, DENSE | {"weights": weights, "mode": "reflect"}, other)
        for image, (kind, weights, other) in product((GREY, REAL), WEIGHTS)
    ),
    *(
        Row(f"blur {size}/2", "blur", image, {"size": size}, other)
        for image, (size, other) in product((GREY, REAL), BLURS)
    ),
    *(
        Row("max, disk 11/1", "max", image, DENSE | {"footprint": DISK}, opencv("cv2.dilate", DISK.astype(np.uint8)))
        for image in (GREY, REAL)
    ),
)


def main():
    """Time every row."""
    table = Table("order", "Order statistics, labels and weights beside their peers.")
    skpool = library.load()
    if find_spec("cv2"):
        resolve_name("cv2.setNumThreads")(table.threads)
    for row in ROWS:
        if not table.wants(row.name):
            continue
        try:
            ours, theirs, remark = row.sides(skpool, table.threads)
        except (ImportError, Disagreement) as reason:
            table.untimed(row.name, row.against.name, reason)
        else:
            table.line(row.name, ours, row.against.name, theirs, remark)


if __name__ == "__main__":
    main()
