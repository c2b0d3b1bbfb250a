"""How samples are sorted on the CPU, and which ranks make a result: networks and tables for `skpool.kernels.order`."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ..reductions import BETWEEN, CHOOSING, quantile_ranks, top_ranks, trimmed_ranks

# --- sorting networks


@functools.lru_cache(maxsize=256)
def sorting_network(taps, wanted=None):
    """Comparators that sort so many rows: Batcher's merge exchange (Knuth, TAOCP 3, 5.2.2 M), without idle ones.

    Parameters
    ----------
    taps : int
        Rows.
    wanted : tuple of int, optional
        The ranks that matter. Default: all.

    Returns
    -------
    (comparators, 3) ndarray of int16
        The rows of the lower and of the higher sample, and which of the two is looked at later: 0 both, 1 the lower,
        2 the higher.
    """
    comparators = []
    p = top = 1 << max(taps - 1, 0).bit_length() >> 1
    while p:
        q, r, d = top, 0, p
        while True:
            comparators += [(i, i + d) for i in range(taps - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    looked_at = set(range(taps) if wanted is None else wanted)
    kept = []
    for low, high in reversed(comparators):
        if low in looked_at or high in looked_at:
            kept.append((low, high, 0 if {low, high} <= looked_at else 1 if low in looked_at else 2))
            looked_at |= {low, high}
    return np.array(kept[::-1], dtype=np.int16).reshape(-1, 3)


def key_of(value):
    """A float as an integer in the same order; -0.0 is 0.0, and NaN the largest."""
    integer = np.dtype(f"i{value.dtype.itemsize}")
    largest = np.iinfo(integer).max
    bits = (value + value.dtype.type(0)).view(integer)
    return np.where(np.isnan(value), largest, np.where(bits < 0, bits ^ largest, bits)).astype(integer)


# --- what is made of sorted samples


@dataclass(frozen=True)
class Order:
    """How the samples of a window are ordered, and what is made of them.

    Attributes
    ----------
    keyed : bool
        Whether they are floats, which are sorted as integers.
    lanes, finish : str
        Names of functions of `skpool.kernels.order`: what is done to samples, and to sorted ones.
    result : str
        The type of the results, or ``"same"``.
    ranks : callable
        ``(counts) -> low, high, weight``: tables by the number of samples that count, or by rank.
    chooses : bool
        Whether only the samples at the ranks matter, and of floats the last.
    value : number or None
        A sample that is treated apart.
    """

    keyed: bool = False
    lanes: str = "sort"
    finish: str = ""
    result: str = "same"
    ranks: object = None
    chooses: bool = False
    value: object = None

    def tables(self, taps):
        """The tables for windows of so many samples."""
        counts = np.arange(1, taps + 1)
        low, high, weight = ((), (), ()) if self.ranks is None else self.ranks(counts)
        return {
            "low": np.array([0, *low], np.int32),
            "high": np.array([0, *high], np.int32),
            "weight": np.array([0, *weight], np.float64),
        }

    def networks(self, taps):
        """The networks for windows of which any number of samples count, and of which all do."""
        network = sorting_network(taps)
        if not self.chooses:
            return network, network
        tables = self.tables(taps)
        wanted = {int(tables["low"][taps]), int(tables["high"][taps])} | ({taps - 1} if self.keyed else set())
        return network, sorting_network(taps, tuple(sorted(wanted)))


def _quantile(plan, q, method):
    ranks = functools.partial(quantile_ranks, q=q, method=method)
    stays_whole = method in CHOOSING or (method in BETWEEN and plan.dtype.kind != "f")
    whole = stays_whole and plan.image_dtype.kind != "f"
    return {"finish": "quantile", "result": "same" if whole else "float64", "ranks": ranks, "chooses": True}


def _median(plan):
    return _quantile(plan, 50, "averaged_inverted_cdf")


def _percentile(plan):
    return _quantile(plan, plan.parameters["q"], plan.parameters["method"])


def _mean_between(ranks):
    return {"finish": "mean", "result": "float64", "ranks": lambda counts: (*ranks(counts), ())}


def _trimmed_mean(plan):
    return _mean_between(lambda counts: trimmed_ranks(counts, plan.parameters["proportion"]))


def _rank(plan):
    top, decay = plan.parameters["top"], plan.parameters["decay"]
    if plan.parameters["rule"] == "average":
        return _mean_between(lambda counts: top_ranks(counts, top))

    def ranks(counts):
        taken = counts if top is None else np.minimum(counts, top)
        return (), taken, decay * (1 - decay) ** np.arange(len(counts))

    return {"finish": "weights", "result": "float64", "ranks": ranks}


def _mode(plan):
    ties, background = plan.parameters["ties"], plan.parameters["background"]
    if ties in ("first", "center"):
        return {"lanes": "first mode", "value": background}
    return {"finish": "mode" if ties == "smallest" else "last mode", "value": background}


def _nunique(plan):
    return {"finish": "nunique", "result": "int64"}


def _entropy(plan):
    return {
        "finish": "entropy",
        "result": "float64",
        "ranks": lambda counts: ((), (), counts * np.log2(counts)),
    }


#: How each reduction orders its samples.
ORDERS = {
    "median": _median,
    "percentile": _percentile,
    "trimmed_mean": _trimmed_mean,
    "rank": _rank,
    "mode": _mode,
    "nunique": _nunique,
    "entropy": _entropy,
}


def order_of(plan, rows):
    """The `Order` of a plan whose samples are of the type `rows`."""
    return Order(keyed=rows.kind == "f", **ORDERS[plan.reduction.name](plan))
