"""How samples are sorted on the CPU, and which ranks make a result: tables for `skpool.kernels.order`."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from ..reductions import BETWEEN, CHOOSING, quantile_ranks, top_ranks, trimmed_ranks
from .networks import Task


def key_of(value):
    """A float as an integer in the same order; -0.0 is 0.0, and NaN the largest."""
    integer = np.dtype(f"i{value.dtype.itemsize}")
    largest = np.iinfo(integer).max
    bits = (value + value.dtype.type(0)).view(integer)
    return np.where(np.isnan(value), largest, np.where(bits < 0, bits ^ largest, bits)).astype(integer)


def value_of(key, dtype):
    """The float of a type that an integer stands for."""
    return np.where(key < 0, key ^ np.iinfo(key.dtype).max, key).view(dtype)


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
    wanted : callable
        ``(low, high, count) -> ranks``: those that make the result of so many samples, by the tables' entries.
    value : number or None
        A sample that is treated apart.
    """

    keyed: bool = False
    lanes: str = "sort"
    finish: str = ""
    result: str = "same"
    ranks: object = None
    wanted: object = None
    value: object = None

    def tables(self, taps):
        """The tables for windows of so many samples."""
        counts = np.arange(1, taps + 1)
        low, high, weight = ((), (), ()) if self.ranks is None else self.ranks(counts)
        return {
            "low": np.array([0, *low], np.int32),
            "high": np.array([0, *high], np.int32),
            "last": np.array([0, *(counts - 1)], np.int32),
            "weight": np.array([0, *weight], np.float64),
        }

    def tasks(self, rows, columns, shares, omits):
        """How windows are sorted: their shared columns, then windows of which any number of samples count, or all."""
        taps = rows * columns
        tables = self.tables(taps)

        def ranks(count):
            if self.wanted is None:
                return range(count)
            low, high = (tables[name][min(count, len(tables[name]) - 1)] for name in ("low", "high"))
            return self.wanted(int(low), int(high), count)

        every = range(1, taps + 1)
        # The last sample that counts tells of NaN.
        some = itertools.chain(*map(ranks, every), [] if omits or not self.keyed else range(taps))
        whole = tuple(sorted({*ranks(taps)}))
        return {
            "down": Task(rows, 1, tuple(range(rows))) if shares else None,
            "any_count": Task(rows, columns, tuple(sorted({*some})), shares),
            "whole": Task(rows, columns, whole, shares, self.keyed and taps - 1 not in whole),
        }


def _low_and_high(low, high, count):
    return int(low), int(high)


def _low_to_high(low, high, count):
    return range(low, high)


def _highest(low, high, count):
    return range(count - high, count)


def _quantile(plan, q, method):
    ranks = functools.partial(quantile_ranks, q=q, method=method)
    stays_whole = method in CHOOSING or (method in BETWEEN and plan.dtype.kind != "f")
    whole = stays_whole and plan.image_dtype.kind != "f"
    return {"finish": "quantile", "result": "same" if whole else "float64", "ranks": ranks, "wanted": _low_and_high}


def _median(plan):
    return _quantile(plan, 50, "averaged_inverted_cdf")


def _percentile(plan):
    return _quantile(plan, plan.parameters["q"], plan.parameters["method"])


def _mean_between(ranks):
    return {
        "finish": "mean",
        "result": "float64",
        "ranks": lambda counts: (*ranks(counts), ()),
        "wanted": _low_to_high,
    }


def _trimmed_mean(plan):
    return _mean_between(lambda counts: trimmed_ranks(counts, plan.parameters["proportion"]))


def _rank(plan):
    top, decay = plan.parameters["top"], plan.parameters["decay"]
    if plan.parameters["rule"] == "average":
        return _mean_between(lambda counts: top_ranks(counts, top))

    def ranks(counts):
        taken = counts if top is None else np.minimum(counts, top)
        return (), taken, decay * (1 - decay) ** np.arange(len(counts))

    return {"finish": "weights", "result": "float64", "ranks": ranks, "wanted": _highest}


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
