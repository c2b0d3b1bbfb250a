"""Signatures and docstrings of the public functions that exist once for each row of the registry.

A function that takes any reduction (`pool`, `adaptive_pool`, `global_pool`) is written once. `named` makes its form for
one reduction: the same arguments less `reduction`, those of the row added. Docstrings are put together from the tables
here, in the order of the signature.
"""

from __future__ import annotations

import inspect
import textwrap

from .reductions import REDUCTIONS

#: Type and meaning of each parameter, by name.
PARAMETERS = {
    "image": (
        "(..., rows, columns) array_like",
        "Boolean, integer or floating point of at most 64 bits, in any memory layout; never modified, rescaled or "
        "clipped. A masked array's mask is honoured, and gives a masked array. A dask array gives one that is computed "
        "later, with the same bits for any chunks. An `xarray.DataArray` gives one with its dimensions, its attributes "
        "and the mean coordinates of each window. Anything else goes through `numpy.asarray`.",
    ),
    "window_shape": (
        "int or sequence of int, optional",
        "Samples of a window along each spatial axis (all but `channel_axis`). Default: the footprint's shape, else 2.",
    ),
    "output_shape": (
        "int, None or sequence of them",
        "Outputs along each spatial axis (all but `channel_axis`); None keeps an axis as it is. More outputs than "
        "samples are allowed: samples are then in several bins.",
    ),
    "reduction": ("str", "Name of the reduction: " + ", ".join(f"``{name!r}``" for name in REDUCTIONS) + "."),
    "bins": (
        '{"overlap", "disjoint", "area"}',
        "Which of an axis' n samples bin i of m takes: from floor(i n / m) to before ceil((i + 1) n / m), so that "
        "neighbours may share a sample; to before floor((i + 1) n / m), so that none is shared (and a bin may be "
        "empty); or each as far as it lies between i n / m and (i + 1) n / m (averages only).",
    ),
    "stride": (
        "int or sequence of int, optional",
        "Samples from one window to the next. Default: `window_shape`.",
    ),
    "padding": (
        'int, sequence of int, sequence of (int, int), or {"same", "same_lower", "valid"}',
        "Samples added on both sides: one number, one for each axis, or one pair ``(before, after)`` for each. "
        '``"same"`` gives ``ceil(length / stride)`` outputs, the odd sample at the end (``"same_lower"``: at the '
        'beginning); ``"valid"`` pads nothing and drops partial windows, whatever `ceil_mode` says.',
    ),
    "dilation": ("int or sequence of int", "Samples from one tap of a window to the next."),
    "ceil_mode": (
        "bool",
        "Keep one more window that hangs over the far end, clipped, if it starts inside the image or its leading "
        "padding. Deep-learning sizes (ResNet's 112 to 56) need False.",
    ),
    "mode": (
        '{"ignore", "constant", "edge", "reflect", "symmetric", "wrap"}',
        "What padding holds: nothing (it never counts), `cval`, or samples as `numpy.pad` defines them, which count "
        "with their source's mask and index.",
    ),
    "cval": ("number", "The constant, representable in the image's dtype."),
    "footprint": (
        "array_like of bool, optional",
        "The samples of a window that are looked at, in its shape, as `skimage.morphology` makes them (disks, rings, "
        "crosses): truth values, or 0 and 1. It has no channel axis. Default: all.",
    ),
    "mask": (
        "ndarray of bool, optional",
        "True where a pixel counts; of the image's shape, or of its spatial axes. For a dask array it may be one too.",
    ),
    "weights": (
        "ndarray, optional",
        "Averages only: how much each pixel counts, finite and >= 0, of the image's shape or of its spatial axes. "
        "What has the weight 0 does not count.",
    ),
    "nan_policy": (
        '{"propagate", "omit", "raise"}',
        "A counted NaN makes the result NaN, is as if masked, or is a `ValueError`.",
    ),
    "min_count": ("int", "Samples that a window must count; with fewer it gets `fill_value`."),
    "fill_value": ("number, optional", "Default: NaN for floating-point results, else 0."),
    "channel_axis": ("int, optional", "The axis that is not pooled. Default: every axis is spatial."),
    "keepdims": ("bool", "Keep the pooled axes, with length 1."),
    "dtype": (
        "data-type, optional",
        "Type of the result. Default: {default_dtype}. An integer type is rounded once, half to even, and saturates.",
    ),
    "out": (
        "ndarray{out_pair}, optional",
        "Where the result goes; of its exact shape, without memory in common with the image. Its dtype acts as "
        "`dtype`. Not for dask arrays.",
    ),
    "workers": (
        "int, optional",
        "Threads. Default: as many as are available to the process, one for small images and in tasks of dask. Results "
        "do not depend on it.",
    ),
    "return_indices": ("bool", "Return also where each value was found."),
    "reduction_parameters": ("", "What the reduction takes beside these: see `pool` and its named forms."),
}

RAISES = """
    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a complex image, a size that is a float, a keyword that the reduction does
        not take.
    ValueError
        If an argument has a wrong value or shape, or no window fits.
"""

_INDICES = (
    "indices : ndarray of int64\n"
    "    Only with `return_indices`: flat indices into ``image.ravel()``, that of the first in row-major order of\n"
    "    the window (under ``propagate`` that of the first NaN), -1 where nothing or padding of `cval` was found."
)


def _entry(name, kind, meaning):
    """A parameter as numpydoc has it, indented as a docstring is."""
    stars = "" if kind else "**"
    head = f"    {stars}{name} : {kind}" if kind else f"    {stars}{name}"
    body = textwrap.fill(meaning, 119, initial_indent=" " * 8, subsequent_indent=" " * 8, break_on_hyphens=False)
    return f"{head}\n{body}"


def _of_parameter(parameter):
    """Type and meaning of what a reduction takes."""
    optional = ", optional" if parameter.default is None else ""
    rule = f" {parameter.rule[0].upper()}{parameter.rule[1:]}."
    if parameter.kind == "str":
        return "{" + parameter.rule.removeprefix("one of ").replace("'", '"') + "}", parameter.meaning
    return {"pixel": "number"}.get(parameter.kind, parameter.kind) + optional, parameter.meaning + rule


def described(signature, row=None, **own):
    """The section of parameters for a signature, those of a reduction's row included; `own` replaces entries."""
    words = {"default_dtype": "as the reduction's own function says", "out_pair": " or (ndarray, ndarray)"}
    if row is not None:
        result = row.result.__doc__.strip().rstrip(".")
        words = {
            "default_dtype": result[0].lower() + result[1:],
            "out_pair": " or (ndarray, ndarray)" if row.indices else "",
        }
    entries = []
    for name in signature.parameters:
        if row is not None and name in row.parameters:
            parameter = row.parameters[name]
            kind, meaning = _of_parameter(parameter)
        else:
            kind, meaning = own.get(name) or PARAMETERS[name]
            for word, text in words.items():
                kind, meaning = kind.replace(f"{{{word}}}", text), meaning.replace(f"{{{word}}}", text)
        entries.append(_entry(name, kind, meaning))
    return "    Parameters\n    ----------\n" + "\n".join(entries) + "\n"


def indented(text):
    """Text as it stands in a docstring."""
    return textwrap.indent(text, "    ")


def named(function, general, row, prefix, summary, value, example):
    """Turn `function` into the form of `general` for one reduction.

    Parameters
    ----------
    function : function
        Calls `general` with the row's name.
    general : function
        Takes the image and what else is positional, `reduction`, then keywords.
    row : Reduction
        The row of the registry.
    prefix : str
        What the name begins with: it ends in the reduction's name and ``_pool``.
    summary, value : str
        The docstring's first line; what one value of the result is.
    example : str
        A doctest.
    """
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=parameter.default)
        for name, parameter in row.parameters.items()
    ]
    if row.indices:
        own.append(inspect.Parameter("return_indices", inspect.Parameter.KEYWORD_ONLY, default=False))
    left_out = {"reduction", "reduction_parameters"} | (set() if row.name == "avg" else {"weights"})
    shared = [p for p in inspect.signature(general).parameters.values() if p.name not in left_out]
    signature = inspect.Signature([*shared, *own])
    returns = f"pooled : ndarray\n    {value}: ``{row.formula}``."
    if row.indices:
        returns += f"\n{_INDICES}"
    references = f"\n    References\n    ----------\n    .. [1] {row.references}\n" if row.references else ""
    function.__name__ = function.__qualname__ = f"{prefix}{row.name}_pool"
    function.__module__ = "skpool"
    function.__signature__ = signature
    function.__doc__ = (
        f"{summary}\n\n{described(signature, row)}\n    Returns\n    -------\n{indented(returns)}\n{RAISES}{references}"
        f"\n    Examples\n    --------\n{indented(example)}\n    "
    )
    return function


def example_of(row, name, *arguments):
    """A doctest of a function: the call of the row's example, and what it gives."""
    image, result, *parameters = row.example
    call = ", ".join([image, *arguments, *parameters])
    return f">>> from skpool import {name}\n>>> {name}({call})\narray({result})"


def described_by_row(function, row, value, example, **own):
    """Give a function of its own signature the docstring of a row; `own` has its own parameters."""
    returns = f"pooled : ndarray\n    {value}."
    function.__doc__ = (
        f"{row.summary}\n\n{described(inspect.signature(function), row, **own)}\n    Returns\n    -------\n"
        f"{indented(returns)}\n{RAISES}"
        f"\n    References\n    ----------\n    .. [1] {row.references}\n"
        f"\n    Examples\n    --------\n{indented(example)}\n    "
    )


def general(function, summary, returns, example):
    """Give a function of any reduction its docstring."""
    signature = inspect.signature(function)
    function.__doc__ = (
        f"{summary}\n\n{described(signature)}\n    Returns\n    -------\n{indented(returns)}\n{RAISES}"
        f"\n    Examples\n    --------\n{indented(example)}\n    "
    )
    return function
