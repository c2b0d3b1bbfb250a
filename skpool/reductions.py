"""WHAT: the registry of reductions, one frozen row each, with its definition in NumPy.

A row says what a reduction means; how it is computed is the business of a backend. `Reduction.define` is the
specification: it takes the counted samples of one window (a 1-D array, never empty, without NaN unless NaN is what it
is asked about) and the parameters, and returns a Python number, exactly where that is possible.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

# --- result types: dtype of the image -> dtype of the result


def as_image(dtype):
    """The image's own type."""
    return dtype


def as_float(dtype):
    """float32 and float64 kept, float16 -> float32, others float64."""
    return np.dtype(np.float32 if dtype in (np.float16, np.float32) else np.float64)


def as_sum(dtype):
    """As `np.sum`, but float16 -> float32."""
    return np.dtype({"f": as_float(dtype), "u": np.uint64}.get(dtype.kind, np.int64))


def as_range(dtype):
    """The image's type; unsigned of the same width for signed integers."""
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind == "i" else dtype


def as_count(dtype):
    """int64."""
    return np.dtype(np.int64)


# --- parameters


@dataclass(frozen=True)
class Parameter:
    """A number that a reduction takes: its default, the rule it must obey, and what it means."""

    default: float | None
    rule: str
    obeys: Callable[[float], bool]
    meaning: str

    def checked(self, name, value):
        """`value` as a float (or None, where that is the default), or an error that says what is wrong."""
        if value is None and self.default is None:
            return None
        if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
            raise TypeError(f"`{name}` must be a real number, got {value!r}")
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(f"`{name}` must be {self.rule} and fit a float, got {value!r}") from None
        if not self.obeys(number):
            raise ValueError(f"`{name}` must be {self.rule}, got {number!r}")
        return number


def _positive(meaning, default):
    return Parameter(default, "> 0", lambda value: value > 0, meaning)


def _finite(rule, obeys, meaning, default):
    return Parameter(default, f"finite and {rule}", lambda value: math.isfinite(value) and obeys(value), meaning)


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
    exact : bool
        Whether results equal the definition bit for bit for every image; integer images' sums and averages do anyway.
    summary, formula, references : str
        For the documentation.
    example : (str, str)
        An image and what it gives, for the documentation.
    """

    name: str
    define: Callable
    result: Callable
    summary: str
    formula: str
    example: tuple[str, str]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    indices: bool = False
    exact: bool = False
    references: str = ""

    def checked_parameters(self, given):
        """All parameters with their values, defaults filled in, in the order of the row."""
        for name in given:
            if name not in self.parameters:
                takes = ", ".join(f"`{known}`" for known in self.parameters) or "none"
                raise TypeError(f"`{name}` is not a parameter of reduction {self.name!r}, which takes: {takes}")
        return {
            name: parameter.checked(name, given.get(name, parameter.default))
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
        exact=True,
    ),
)

#: Every reduction, by name.
REDUCTIONS = {row.name: row for row in _ROWS}


def reduction_named(name):
    """The row of a name, or an error that lists the names."""
    if not isinstance(name, str):
        raise TypeError(f"`reduction` must be a name, got {name!r}")
    if name not in REDUCTIONS:
        raise ValueError(f"`reduction` must be one of {', '.join(map(repr, REDUCTIONS))}, got {name!r}")
    return REDUCTIONS[name]
