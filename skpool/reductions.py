"""WHAT: the registry of reductions, one frozen row each, with its definition in NumPy.

A row says what a reduction means; how it is computed is the business of a backend. `Reduction.define` is the
specification: it takes the counted samples of one window (a 1-D array, never empty, without NaN unless NaN is what it
is asked about) and the parameters, and returns a Python number, exactly where that is possible.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import numbers
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

# --- result types: dtype of the image (and parameters of the reduction) -> dtype of the result


def as_image(dtype, **parameters):
    """The image's own type."""
    return dtype


def as_float(dtype, **parameters):
    """float32 and float64 kept, float16 -> float32, others float64."""
    return np.dtype(np.float32 if dtype in (np.float16, np.float32) else np.float64)


def as_sum(dtype, **parameters):
    """As `np.sum`, but float16 -> float32."""
    return np.dtype({"f": as_float(dtype), "u": np.uint64}.get(dtype.kind, np.int64))


def as_range(dtype, **parameters):
    """The image's type; unsigned of the same width for signed integers."""
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind == "i" else dtype


def as_count(dtype, **parameters):
    """int64."""
    return np.dtype(np.int64)


def as_quantile(dtype, method="linear", **parameters):
    """The image's own type where `method` chooses a sample, else float32 and float64 kept, float16 -> float32, others
    float64."""
    return as_image(dtype) if method in CHOOSING else as_float(dtype)


# --- what types can hold


def limits_of(dtype):
    """The smallest and the largest value of a type, as Python numbers."""
    if dtype.kind == "f":
        return -math.inf, math.inf
    return (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def representable(value, dtype, name, exact=False):
    """`value` as a scalar of `dtype`, or an error if it would be another number; floats may round unless `exact`."""
    if np.ndim(value) or not isinstance(value, numbers.Real | np.bool_):
        raise TypeError(f"`{name}` must be a real number, got {value!r}")
    value = value.item() if isinstance(value, np.generic) else value
    scalar = None
    if dtype.kind == "f":
        with np.errstate(over="ignore"), contextlib.suppress(OverflowError):
            scalar = dtype.type(value)
        near = scalar is not None and (np.isfinite(scalar) or not math.isfinite(value))
        fits = near and (not exact or float(scalar) == value or math.isnan(value))
    else:
        low, high = limits_of(dtype)
        fits = low <= value <= high and value == int(value)
        scalar = dtype.type(int(value)) if fits else None
    if not fits:
        raise ValueError(f"`{name}` must be representable as {dtype}, got {value!r}")
    return scalar


def difference(high, low):
    """Of two arrays, no sample of which is lower in the first, in the type of `as_range`."""
    if high.dtype.kind == "b":
        return high & ~low
    if high.dtype.kind == "i":  # the difference fits the unsigned type, where it wraps to its value
        high, low = (array.view(as_range(array.dtype)) for array in (high, low))
    return high - low


# --- parameters

#: The default of a parameter that has none.
REQUIRED = inspect.Parameter.empty


def _real(name, value, dtype):
    """`value` as a float."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a real number, got {value!r}")
    return float(value)


def _whole(name, value, dtype):
    """`value` as an int."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer, got {value!r}") from None
    return int(np.int64(number))


def _word(name, value, dtype):
    """`value`, a str."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a name, got {value!r}")
    return value


def _pixel(name, value, dtype):
    """`value` as a Python number that a pixel of the image's type can have."""
    scalar = representable(value, dtype, name, exact=True)
    return float(scalar) if dtype.kind == "f" else int(scalar)


#: What a parameter may be, by the name of the kind: ``(name, value, dtype of the image) -> value``.
KINDS = {"float": _real, "int": _whole, "str": _word, "pixel": _pixel}


@dataclass(frozen=True)
class Parameter:
    """What a reduction takes: its default, the rule it must obey, what it means, and its kind, a key of `KINDS`."""

    default: float | str | None
    rule: str
    obeys: Callable[[object], bool]
    meaning: str
    kind: str = "float"

    def checked(self, name, value, dtype):
        """`value` as its kind has it (or None, where that is the default), or an error that says what is wrong."""
        if value is None and self.default is None:
            return None
        try:
            checked = KINDS[self.kind](name, value, dtype)
        except OverflowError:
            raise ValueError(f"`{name}` must be {self.rule} and fit 64 bits, got {value!r}") from None
        if not self.obeys(checked):
            raise ValueError(f"`{name}` must be {self.rule}, got {checked!r}")
        return checked


def _positive(meaning, default):
    return Parameter(default, "> 0", lambda value: value > 0, meaning)


def _finite(rule, obeys, meaning, default):
    return Parameter(default, f"finite and {rule}", lambda value: math.isfinite(value) and obeys(value), meaning)


def _one_of(words, meaning, default):
    return Parameter(default, f"one of {', '.join(map(repr, words))}", lambda value: value in words, meaning, "str")


# --- definitions; sums of integers are exact, those of floats are correctly rounded


def _sum(samples):
    if samples.dtype.kind == "f":
        return _float_sum(samples.tolist())
    return sum(samples.tolist())


def _float_sum(values):
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # an intermediate overflow, or infinities of both signs
        with np.errstate(all="ignore"):
            return float(np.sum(np.asarray(values, dtype=np.float64)))


def _avg(samples, divisor=None):
    total = _sum(samples)
    count = samples.size if divisor is None else divisor
    if isinstance(total, int):
        return Fraction(total) / Fraction(count)
    return total / count


def _power_sum(values, p):
    """(scale, sum of (x / scale)**p): the scale keeps powers from overflowing."""
    scale = max(values)
    if scale == 0 or math.isinf(scale) or math.isnan(scale):
        return scale, 1.0
    return scale, math.fsum((value / scale) ** p for value in values)


def _lp(samples, p):
    values = [abs(value) for value in samples.tolist()]
    if math.isinf(p):
        return max(values)
    scale, total = _power_sum(values, p)
    return scale * total ** (1 / p)


def _power_mean(samples, p):
    values = [abs(value) for value in samples.tolist()]
    if math.isinf(p):
        return max(values)
    scale, total = _power_sum(values, p)
    return scale * (total / samples.size) ** (1 / p) if math.isfinite(scale) else scale


def _gem(samples, p, eps):
    return _power_mean(np.maximum(samples.astype(np.float64), eps), p)


def _logsumexp(samples, sharpness):
    scaled = [sharpness * value for value in samples.tolist()]
    top = max(scaled)
    if math.isinf(top):
        return top / sharpness
    return (top + math.log(math.fsum(math.exp(value - top) for value in scaled) / samples.size)) / sharpness


def _soft(samples, temperature):
    values = samples.tolist()
    top = max(value / temperature for value in values)
    if math.isinf(top):
        return top * temperature
    weights = [math.exp(value / temperature - top) for value in values]
    # A weight of zero counts for nothing, not even against an infinity.
    return math.fsum(w * v for w, v in zip(weights, values, strict=True) if w) / math.fsum(weights)


def _var(samples, ddof):
    if samples.size <= ddof:
        return math.nan
    if not np.isfinite(samples).all():
        return math.nan
    values = [Fraction(value) for value in samples.tolist()]
    mean = sum(values) / len(values)
    return float(sum((value - mean) ** 2 for value in values) / (Fraction(len(values)) - Fraction(ddof)))


def _range(samples):
    low, high = samples.min().item(), samples.max().item()
    return high > low if samples.dtype.kind == "b" else high - low


# --- order statistics. `counts` are numbers of samples, ranks count from 0 in ascending order

#: Methods of `np.percentile` that choose one of the samples, by ``(virtual index) -> rank``.
CHOOSING = {
    "inverted_cdf": lambda index: np.where(index % 1 == 0, index, np.floor(index) + 1),
    "closest_observation": lambda index: np.floor(index) + ((index % 1 != 0) | (np.floor(index) % 2 != 1)),
    "lower": np.floor,
    "higher": np.ceil,
    "nearest": np.round,
}

#: The virtual index of a quantile q among n samples, by the name of the method: ``(n, q) -> index``.
VIRTUAL_INDEX = {
    "inverted_cdf": lambda n, q: n * q - 1,
    "averaged_inverted_cdf": lambda n, q: n * q - 1,
    "closest_observation": lambda n, q: n * q - 1 - 0.5,
    "interpolated_inverted_cdf": lambda n, q: n * q + q * 0 + 0 - 1,
    "hazen": lambda n, q: n * q + 0.5 - 1,
    "weibull": lambda n, q: n * q + q - 1,
    "linear": lambda n, q: (n - 1) * q,
    "median_unbiased": lambda n, q: n * q + (1 / 3 + q * (1 - 1 / 3 - 1 / 3)) - 1,
    "normal_unbiased": lambda n, q: n * q + (3 / 8 + q * (1 - 3 / 8 - 3 / 8)) - 1,
    "lower": lambda n, q: (n - 1) * q,
    "higher": lambda n, q: (n - 1) * q,
    "midpoint": lambda n, q: (n - 1) * q,
    "nearest": lambda n, q: (n - 1) * q,
}

#: How far between two samples a quantile lies, if not by the fraction of its virtual index: ``(fraction) -> weight``.
BETWEEN = {
    "averaged_inverted_cdf": lambda fraction: np.where(fraction == 0, 0.5, 1.0),
    "midpoint": lambda fraction: np.where(fraction == 0, 0.0, 0.5),
}


def quantile_ranks(counts, q, method="linear"):
    """Between which two samples of so many a percentile lies, and how far, as `np.percentile` has it.

    Parameters
    ----------
    counts : ndarray of int
        Each at least 1.
    q : float
        Percent.
    method : str
        A key of `VIRTUAL_INDEX`.

    Returns
    -------
    low, high : ndarray of int64
        Ranks.
    weight : ndarray of float64
        Of `high`, from 0 to 1.
    """
    index = VIRTUAL_INDEX[method](counts, q / 100)
    if method in CHOOSING:
        low = np.clip(CHOOSING[method](index), 0, counts - 1).astype(np.int64)
        return low, low, np.zeros(len(counts))
    floor = np.floor(index)
    low, high = (np.clip(rank, 0, counts - 1).astype(np.int64) for rank in (floor, floor + 1))
    weight = index - floor
    if method in BETWEEN:
        weight = BETWEEN[method](weight)
    low, high = np.where(weight == 1, high, low), np.where(weight == 0, low, high)  # no part of an infinity
    return low, high, np.where(low == high, 0.0, weight)


def trimmed_ranks(counts, proportion):
    """The ranks from which and before which samples are averaged, as `scipy.stats.trim_mean` has it."""
    cut = (proportion * counts).astype(np.int64)
    return cut, counts - cut


def top_ranks(counts, top=None):
    """The ranks from which and before which samples are averaged: the `top` highest, or the upper half."""
    taken = -(-counts // 2) if top is None else np.minimum(counts, top)
    return counts - taken, counts


def _of_ranks(samples, ranks):
    """The samples in order, and what a table of ranks says of so many."""
    return np.sort(samples), [table[0].item() for table in ranks(np.array([samples.size]))]


def _between(low, high, weight):
    """`np.percentile`'s interpolation; two infinities of one sign are one."""
    if low == high or weight == 0:
        return low
    if weight == 0.5 and isinstance(low, int):
        return Fraction(low + high, 2)
    low, high = float(low), float(high)
    return low + (high - low) * weight if weight < 0.5 else high - (high - low) * (1 - weight)


def _percentile(samples, q, method):
    ordered, (low, high, weight) = _of_ranks(samples, lambda counts: quantile_ranks(counts, q, method))
    return _between(ordered[low].item(), ordered[high].item(), weight)


def _median(samples):
    ordered = np.sort(samples)
    low, high = ordered[(samples.size - 1) // 2].item(), ordered[samples.size // 2].item()
    if samples.dtype.kind != "f":
        return Fraction(low + high, 2)
    mean = (low + high) / 2
    return low / 2 + high / 2 if math.isinf(mean) else mean


def _trimmed_mean(samples, proportion):
    ordered, (start, stop) = _of_ranks(samples, lambda counts: trimmed_ranks(counts, proportion))
    return _avg(ordered[start:stop])


def _rank(samples, rule, top, decay):
    if rule == "average":
        ordered, (start, stop) = _of_ranks(samples, lambda counts: top_ranks(counts, top))
        return _avg(ordered[start:stop])
    weights = [decay * (1 - decay) ** rank for rank in range(samples.size if top is None else min(top, samples.size))]
    ordered = np.sort(samples)[::-1].tolist()
    return _float_sum([weight * value for weight, value in zip(weights, ordered, strict=False)])


def _mode(samples, ties, background):
    """The most frequent value; samples come in the order in which the window looks at them."""
    values, first, counts = np.unique(samples, return_index=True, return_counts=True)
    if background is not None and len(values) > 1:
        counts[values == background] = 0
    tied = counts == counts.max()
    if ties == "largest":
        return values[tied][-1].item()
    if ties == "smallest":
        return values[tied][0].item()
    return values[tied][first[tied].argmin()].item()


def _entropy(samples):
    counts = np.unique(samples, return_counts=True)[1]
    return math.fsum(-count / samples.size * math.log2(count / samples.size) for count in counts.tolist())


def _weighted_avg(samples, weights):
    exact = [Fraction(weight) for weight in weights.tolist()]
    if not np.isfinite(samples).all():
        return float(np.sum(samples * weights) / np.sum(weights))
    total = sum(weight * Fraction(value) for weight, value in zip(exact, samples.tolist(), strict=True))
    divisor = sum(exact)
    if not divisor:  # the others of a clipped window would make up for it
        return math.copysign(math.inf, total) if total else math.nan
    return total / divisor


@dataclass(frozen=True)
class Reduction:
    """One row of the registry.

    Attributes
    ----------
    name : str
        The function's name without ``_pool``.
    define : callable
        ``(samples, **parameters) -> number``, the specification.
    result : callable
        Type of the image -> type of the result.
    parameters : mapping of str to Parameter
        The numbers that it takes beside the image.
    indices : bool
        Whether ``return_indices`` is offered.
    counts_nan : bool
        Whether NaN is a value like others to it.
    exact : bool
        Whether results equal the definition bit for bit for every image; integer images' sums and averages do anyway.
    summary, formula, references : str
        For the documentation.
    example : (str, str) or (str, str, str)
        An image, what it gives, and with which parameters, for the documentation.
    """

    name: str
    define: Callable
    result: Callable
    summary: str
    formula: str
    example: tuple[str, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    indices: bool = False
    counts_nan: bool = False
    exact: bool = False
    references: str = ""

    def __reduce__(self):
        """Rows travel to other processes by their name: functions without one cannot."""
        return _row, (self.name,)

    def checked_parameters(self, given, dtype):
        """All parameters with their values for an image of a type, defaults filled in, in the order of the row."""
        for name in given:
            if name not in self.parameters:
                takes = ", ".join(f"`{known}`" for known in self.parameters) or "none"
                raise TypeError(f"`{name}` is not a parameter of reduction {self.name!r}, which takes: {takes}")
        for name, parameter in self.parameters.items():
            if parameter.default is REQUIRED and name not in given:
                raise TypeError(f"`{name}` must be given for reduction {self.name!r}: {parameter.meaning}")
        return {
            name: parameter.checked(name, given.get(name, parameter.default), dtype)
            for name, parameter in self.parameters.items()
        }


_P = {"p": _positive("Exponent; infinity gives the largest magnitude.", 2)}
_DDOF = {"ddof": _finite(">= 0", lambda value: value >= 0, "Delta degrees of freedom: the divisor is n - ddof.", 0)}

_BOUREAU = (
    'Y.-L. Boureau, J. Ponce and Y. LeCun, "A theoretical analysis of feature pooling in visual recognition", '
    "ICML 2010."
)

_ROWS = (
    Reduction(
        "max",
        lambda samples: samples.max().item(),
        as_image,
        "Largest sample of each window.",
        "max W",
        ("[[1, 7], [7, 1]]", "[[7]]"),
        indices=True,
        exact=True,
        references='M. Riesenhuber and T. Poggio, "Hierarchical models of object recognition in cortex", '
        "Nature Neuroscience 2, 1999.",
    ),
    Reduction(
        "min",
        lambda samples: samples.min().item(),
        as_image,
        "Smallest sample of each window.",
        "min W",
        ("[[1, 7], [7, 1]]", "[[1]]"),
        indices=True,
        exact=True,
    ),
    Reduction(
        "avg",
        _avg,
        as_float,
        "Mean of the counted samples of each window.",
        "sum W / n, or sum W / divisor",
        ("[[1, 2], [3, 6]]", "[[3.]]"),
        {
            "divisor": _finite(
                "not 0", lambda value: value != 0, "What sums are divided by, in place of the count.", None
            )
        },
        references='Y. LeCun et al., "Handwritten digit recognition with a back-propagation network", NIPS 1990.',
    ),
    Reduction(
        "sum",
        _sum,
        as_sum,
        "Sum of the counted samples of each window; integers wrap as `numpy.sum` does.",
        "sum W",
        ("[[1, 2], [3, 6]]", "[[12]]"),
    ),
    Reduction(
        "lp",
        _lp,
        as_float,
        "Lp norm of each window (the sum form, as ONNX defines it).",
        "(sum |x|**p)**(1/p)",
        ("[[3, 0], [0, 4]]", "[[5.]]"),
        _P,
        references='P. Sermanet, S. Chintala and Y. LeCun, "Convolutional neural networks applied to house numbers '
        'digit classification", ICPR 2012.',
    ),
    Reduction(
        "power_mean",
        _power_mean,
        as_float,
        "Power mean of each window; p = 2 is the root mean square.",
        "(mean |x|**p)**(1/p)",
        ("[[1, 1], [1, 1]]", "[[1.]]"),
        _P,
        references=_BOUREAU,
    ),
    Reduction(
        "gem",
        _gem,
        as_float,
        "Generalised mean of each window, samples below `eps` raised to it.",
        "(mean max(x, eps)**p)**(1/p)",
        ("[[2, 2], [2, 2]]", "[[2.]]"),
        {
            "p": _finite("> 0", lambda value: value > 0, "Exponent.", 3),
            "eps": _finite("> 0", lambda value: value > 0, "Smallest value that a sample is taken for.", 1e-6),
        },
        references='F. Radenovic, G. Tolias and O. Chum, "Fine-tuning CNN image retrieval with no human '
        'annotation", IEEE TPAMI 41, 2018.',
    ),
    Reduction(
        "logsumexp",
        _logsumexp,
        as_float,
        "Smooth maximum of each window by the log of the mean exponential.",
        "log(mean exp(r x)) / r",
        ("[[0, 0], [0, 0]]", "[[0.]]"),
        {
            "sharpness": _finite(
                "not 0", lambda value: value != 0, "r: near 0 the mean, large the maximum, negative the minimum.", 1
            )
        },
        references='P. O. Pinheiro and R. Collobert, "From image-level to pixel-level labeling with convolutional '
        'networks", CVPR 2015.',
    ),
    Reduction(
        "soft",
        _soft,
        as_float,
        "Softmax-weighted mean of each window.",
        "sum x exp(x / T) / sum exp(x / T)",
        ("[[2, 2], [2, 2]]", "[[2.]]"),
        {
            "temperature": _finite(
                "not 0", lambda value: value != 0, "T: large the mean, near 0 the maximum, negative the minimum.", 1
            )
        },
        references='A. Stergiou, R. Poppe and G. Kalliatakis, "Refining activation downsampling with SoftPool", '
        "ICCV 2021.",
    ),
    Reduction(
        "var",
        _var,
        as_float,
        "Variance of each window, without cancellation.",
        "sum (x - mean W)**2 / (n - ddof)",
        ("[[1, 3], [1, 3]]", "[[1.]]"),
        _DDOF,
        references='T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance", '
        "The American Statistician 37, 1983.",
    ),
    Reduction(
        "std",
        lambda samples, ddof: math.sqrt(_var(samples, ddof)),
        as_float,
        "Standard deviation of each window, without cancellation.",
        "sqrt(sum (x - mean W)**2 / (n - ddof))",
        ("[[1, 3], [1, 3]]", "[[1.]]"),
        _DDOF,
    ),
    Reduction(
        "range",
        _range,
        as_range,
        "Largest less smallest sample of each window.",
        "max W - min W",
        ("[[1, 7], [7, 1]]", "[[6]], dtype=uint64"),
        exact=True,
    ),
    Reduction(
        "count",
        operator.attrgetter("size"),
        as_count,
        "Number of counted samples of each window.",
        "n",
        ("[[1, 7], [7, 1]]", "[[4]]"),
        counts_nan=True,
        exact=True,
    ),
    Reduction(
        "median",
        _median,
        as_float,
        "Median of each window (between two middle samples, their mean).",
        "median W",
        ("[[1, 2], [3, 9]]", "[[2.5]]"),
        exact=True,
        references="J. W. Tukey, Exploratory Data Analysis, Addison-Wesley, 1977.",
    ),
    Reduction(
        "percentile",
        _percentile,
        as_quantile,
        "Percentile of each window, by any of the methods of `numpy.percentile`.",
        "percentile(W, q)",
        ("[[1, 2], [3, 9]]", "[[3]]", "q=75, method='lower'"),
        {
            "q": Parameter(REQUIRED, "from 0 to 100", lambda value: 0 <= value <= 100, "Percent."),
            "method": _one_of(tuple(VIRTUAL_INDEX), "How a percentile between two samples is found.", "linear"),
        },
        references='R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American '
        "Statistician 50, 1996.",
    ),
    Reduction(
        "trimmed_mean",
        _trimmed_mean,
        as_float,
        "Mean of each window less its smallest and largest samples.",
        "mean of sorted W less int(proportion n) samples at either end, as scipy.stats.trim_mean",
        ("[[1, 2], [4, 90]]", "[[3.]]", "proportion=0.25"),
        {
            "proportion": Parameter(
                0.1, "from 0 to below 0.5", lambda value: 0 <= value < 0.5, "What is cut off at either end."
            )
        },
    ),
    Reduction(
        "rank",
        _rank,
        as_float,
        "Mean of the highest samples of each window, plain or by rank.",
        "mean of the `top` highest, or sum of decay (1 - decay)**(r - 1) x_r",
        ("[[1, 2], [4, 8]]", "[[6.]]"),
        {
            "rule": _one_of(
                ("average", "weighted"), "A plain mean, or weights, which add up to 1 - (1 - decay)**n.", "average"
            ),
            "top": Parameter(
                None,
                ">= 1",
                lambda value: value >= 1,
                "How many samples; by default the upper half, or all that are weighted.",
                "int",
            ),
            "decay": Parameter(
                0.5, "above 0 and at most 1", lambda value: 0 < value <= 1, "Weight of the highest sample."
            ),
        },
        references='Z. Shi, Y. Ye and Y. Wu, "Rank-based pooling for deep convolutional neural networks", Neural '
        "Networks 83, 2016.",
    ),
    Reduction(
        "mode",
        _mode,
        as_image,
        "Most frequent value of each window: what label images are pooled by.",
        "argmax of the count of v in W",
        ("[[1, 7], [7, 2]]", "[[7]]"),
        {
            "ties": _one_of(
                ("smallest", "largest", "first", "center"),
                "Which of equally frequent values it is: that of the first of their samples in row-major order, or "
                "of the one nearest to the window's centre.",
                "smallest",
            ),
            "background": Parameter(
                None,
                "a value that pixels can have",
                lambda value: True,
                "A value that any other outvotes, however rare.",
                "pixel",
            ),
        },
        exact=True,
    ),
    Reduction(
        "nunique",
        lambda samples: np.unique(samples).size,
        as_count,
        "Number of distinct values of each window; NaN is one value.",
        "number of distinct values of W",
        ("[[1, 7], [7, 2]]", "[[3]]"),
        counts_nan=True,
        exact=True,
    ),
    Reduction(
        "entropy",
        _entropy,
        as_float,
        "Shannon entropy of each window in bits; NaN is one value.",
        "-sum p log2 p, p the frequency of each distinct value of W",
        ("[[1, 7], [7, 1]]", "[[1.]]"),
        counts_nan=True,
        references='C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal 27, 1948.',
    ),
)

#: The average of `skpool.weighted_avg_pool`, whose weights belong to the windows.
WEIGHTED_AVG = Reduction(
    "weighted_avg",
    _weighted_avg,
    as_float,
    "Weighted mean of the counted samples of each window.",
    "sum w x / sum w",
    ("[[1, 2], [3, 6]]", "[[3.5]]", "weights=[[1, 0], [0, 1]]"),
    references='H. Knutsson and C.-F. Westin, "Normalized and differential convolution", CVPR 1993.',
)

#: Every reduction, by name.
REDUCTIONS = {row.name: row for row in _ROWS}


def _row(name):
    return WEIGHTED_AVG if name == WEIGHTED_AVG.name else REDUCTIONS[name]


def reduction_named(name):
    """The row of a name, or an error that lists the names."""
    if not isinstance(name, str):
        raise TypeError(f"`reduction` must be a name, got {name!r}")
    if name not in REDUCTIONS:
        raise ValueError(f"`reduction` must be one of {', '.join(map(repr, REDUCTIONS))}, got {name!r}")
    return REDUCTIONS[name]
