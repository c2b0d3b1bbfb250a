"""dask arrays coarsened by skpool, dask and xarray, paired: `python -m benchmarks.coarsen [THREADS]`.

Two figures for each pair: the time to compute the result on dask's threads, and the tasks that each side adds to the
graph, for each chunk of its result. Graphs are counted as they are built, before dask fuses what it can.
"""

from functools import lru_cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np

from benchmarks import library
from benchmarks.answers import compare
from benchmarks.pairs import Table

try:
    import dask.array as da
    import xarray as xr
except ImportError as error:
    raise SystemExit(f"{error}: pip install 'dask[array]' xarray") from None

SIDE = 8192

#: Reduction -> the function that `dask.array.coarsen` takes; xarray has a method of its name.
FUNCTIONS = {"max": np.max, "mean": np.mean, "sum": np.sum}
NAMES = {"max": "max", "mean": "avg", "sum": "sum"}


class Image(NamedTuple):
    """Noise, in chunks of this side."""

    dtype: str
    chunk: int

    @property
    def name(self):
        """What the table calls it."""
        return f"{self.dtype} {SIDE}², chunks {self.chunk}²"


@lru_cache(maxsize=2)
def lazy(image):
    """The dask array of an `Image`; its pixels are in memory."""
    rng = np.random.default_rng(0)
    whole = np.dtype(image.dtype).kind == "u"
    pixels = rng.integers(0, 255, (SIDE, SIDE), image.dtype) if whole else rng.random((SIDE, SIDE), image.dtype)
    return da.from_array(pixels, chunks=image.chunk)


def by_skpool(skpool, array, reduction, window):
    """Windows side by side, those at the far end partial."""
    return skpool.pool(array, window, NAMES[reduction])


def by_dask(array, reduction, window):
    """The same, without partial windows."""
    return da.coarsen(FUNCTIONS[reduction], array, {0: window, 1: window}, trim_excess=True)


def by_xarray(array, reduction, window):
    """The same."""
    named = xr.DataArray(array, dims=("y", "x"))
    return getattr(named.coarsen(y=window, x=window, boundary="trim"), reduction)().data


PEERS = {"dask.array.coarsen": by_dask, "xarray coarsen": by_xarray}

CELLS = tuple(product(("max", "mean", "sum"), (2, 8), (Image("uint8", 1024), Image("float32", 1024)))) + tuple(
    product(("max", "mean"), (3,), (Image("float32", 1024), Image("float32", 1000)))  # windows across chunks
)


def tasks(result, array):
    """Tasks that a result adds to those of its image, for each of its chunks."""
    return (len(dict(result.dask)) - len(dict(array.dask))) / result.npartitions


def main():
    """Time every cell beside both peers."""
    table = Table("coarsen", "dask arrays coarsened by skpool, dask and xarray.")
    skpool = library.load()
    for (reduction, window, image), (peer, call) in product(CELLS, PEERS.items()):
        name = f"{reduction} {window}/{window} {image.name}"
        if not table.wants(name):
            continue
        array = lazy(image)
        ours, theirs = by_skpool(skpool, array, reduction, window), call(array, reduction, window)
        inside = tuple(slice(length) for length in theirs.shape)
        expected = theirs.compute()
        allowed = 1e-5 * window**2 if expected.dtype.kind == "f" else 0
        same, remark = compare(ours[inside].compute().astype(expected.dtype), expected, allowed)
        counts = f"tasks {tasks(ours, array):.2g} : {tasks(theirs, array):.2g}"
        if not same:
            table.untimed(name, peer, f"{remark}; {counts}")
            continue
        run = partial(da.compute, scheduler="threads", num_workers=table.threads)
        table.line(name, partial(run, ours), peer, partial(run, theirs), " ".join([counts, remark]))


if __name__ == "__main__":
    main()
