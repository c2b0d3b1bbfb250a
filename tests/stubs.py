"""What skpool/__init__.pyi says, made from the signatures: `python tests/stubs.py > skpool/__init__.pyi`.

The public functions are made from a registry when skpool is imported, where no type checker looks. Types are told here,
by the names of parameters and functions; everything else is the functions' own.
"""

import inspect
import textwrap

import skpool
from skpool import boxes, strips
from skpool.adaptive import PYRAMID_RULES
from skpool.plan import NAN_POLICIES
from skpool.reductions import REDUCTIONS
from skpool.windows import BIN_ENDS, NAMED_PADDING, PADDING_MODES

HEAD = '''\
"""Types of the public functions, which are made from a registry when skpool is imported.

Made by tests/stubs.py. Without `dtype` and `out` the type of a result follows from the image's: see each function's
documentation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, SupportsIndex, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_Real: TypeAlias = float | np.integer[Any] | np.floating[Any]
_Sizes: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
_Outputs: TypeAlias = SupportsIndex | Sequence[SupportsIndex | None] | None
_Indexed: TypeAlias = tuple[NDArray[Any], NDArray[np.int64]]  # values, indices
'''

#: Words that a type allows, and the tables that they come from.
WORDS = {
    "_Bins": (*BIN_ENDS, "area"),
    "_Corner": strips._CORNERS,
    "_Mode": PADDING_MODES,
    "_NamedPadding": NAMED_PADDING,
    "_NanPolicy": NAN_POLICIES,
    "_PyramidRule": PYRAMID_RULES,
    "_Reduction": REDUCTIONS,
    "_IndexedReduction": [name for name, row in REDUCTIONS.items() if row.indices],
    "_GlobalReduction": (*REDUCTIONS, "top_k_avg"),
}


def _words(names):
    inside = ", ".join(f'"{name}"' for name in names)
    return f"Literal[{inside}]"


#: Types of parameters, by name, or by function and name. What is None by default may be None.
PARAMETERS = {
    "aligned": "bool",
    "axis": "SupportsIndex",
    "bins": "_Bins",
    "block_reduce block_size": "int | tuple[int, ...]",
    "block_reduce cval": "complex | np.generic",
    "block_reduce func": "Callable[..., Any]",
    "block_reduce func_kwargs": "Mapping[str, Any]",
    "boxes": "ArrayLike",
    "ceil_mode": "bool",
    "channel_axis": "SupportsIndex",
    "corner": "_Corner",
    "cval": "_Real | np.bool",
    "dilation": "_Sizes",
    "downscale": "_Sizes",
    "downscale_local_mean clip": "bool",
    "downscale_local_mean cval": "complex | np.generic",
    "downscale_local_mean factors": "int | tuple[int, ...]",
    "downscale_local_mean image": "NDArray[Any]",
    "block_reduce image": "NDArray[Any]",
    "dtype": "DTypeLike",
    "fill_value": "_Real | np.bool",
    "footprint": "ArrayLike",
    "image": "ArrayLike",
    "image_weights": "ArrayLike",
    "inclusive": "bool",
    "indices": "ArrayLike",
    "keepdims": "bool",
    "levels": "Sequence[_Sizes]",
    "mask": "NDArray[np.bool]",
    "max_layer": "SupportsIndex",
    "max_window": "_Sizes",
    "min_count": "SupportsIndex",
    "min_size": "SupportsIndex",
    "mode": "_Mode",
    "nan_policy": "_NanPolicy",
    "onnx_max": "bool",
    "out": "NDArray[Any]",
    "output_shape": "_Outputs",
    "overlapping": "bool",
    "padding": "_Sizes | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding",
    "preserve_labels": "bool",
    "pseudo_random": "bool",
    "ratio": "_Real | Sequence[_Real]",
    "recursive": "bool",
    "reduction": "_Reduction",
    "global_pool reduction": "_GlobalReduction",
    "roi_align reduction": _words(boxes.ALIGN_REDUCTIONS),
    "roi_pool reduction": _words(boxes.POOL_REDUCTIONS),
    "reduction_parameters": "Any",
    "return_indices": "bool",
    "label_image": "ArrayLike",
    "labels": "ArrayLike",
    "background": "SupportsIndex | None",
    "return_labels": "bool",
    "rmac_regions levels": "SupportsIndex",
    "rng": "np.random.Generator | SupportsIndex",
    "rule": "_PyramidRule",
    "sampling_ratio": "SupportsIndex",
    "shape": "Sequence[SupportsIndex]",
    "size": "SupportsIndex",
    "stride": "_Sizes",
    "values": "ArrayLike",
    "weights": "ArrayLike",
    "spatial_pyramid_pool weights": 'Sequence[_Real] | Literal["matching"]',
    "window_shape": "_Sizes",
    "workers": "SupportsIndex",
    **{f"{name} output_shape": "_Sizes" for name in boxes.__all__},
    **{f"{name} output_shape": "Sequence[SupportsIndex]" for name in ("max_unpool", "avg_unpool")},
}

#: Types of results other than an array.
RETURNS = {
    "patch_skimage": "None",
    "patched": "Iterator[None]",
    "pool_pyramid": "list[NDArray[Any]]",
    "pooled_coords": "tuple[NDArray[np.float64], ...]",
    "pooled_shape": "tuple[int, ...]",
    "pyramid_transforms": "list[tuple[tuple[float, ...], tuple[float, ...]]]",
    "region_pool": "NDArray[Any] | tuple[NDArray[Any], ...]",
    "rmac_regions": "NDArray[np.int64]",
    "show_config": "None",
    "unpatch_skimage": "None",
}

#: Functions that take ``return_indices`` among their other keywords.
GENERAL = ("pool", "adaptive_pool", "global_pool")

#: What overloads differ in: the type and default of ``return_indices``, the type of `out`, and that of the result.
OVERLOADS = (
    ("Literal[False] = False", "NDArray[Any] | None", "{plain}"),
    ("Literal[True]", "_Indexed | None", "_Indexed"),
    ("bool", "NDArray[Any] | _Indexed | None", "{plain} | _Indexed"),
)


#: Types of what reductions take, by kind; of words, the words themselves.
KINDS = {"float": "_Real", "int": "SupportsIndex", "pixel": "_Real | np.bool"}


def owned(function):
    """The parameters of the reduction that a function is named for."""
    rows = [row for row in REDUCTIONS.values() if function.split("_pool")[0].endswith(row.name)]
    return max(rows, key=lambda row: len(row.name)).parameters if rows else {}


def type_of(function, name, parameter):
    """The type of a parameter."""
    kind = PARAMETERS.get(f"{function} {name}") or PARAMETERS.get(name)
    if name in owned(function):
        own = owned(function)[name]
        kind = (
            f"Literal[{own.rule.removeprefix('one of ')}]".replace("'", '"') if own.kind == "str" else KINDS[own.kind]
        )
    if kind is None:
        raise SystemExit(f"tests/stubs.py does not know the type of `{name}` of `{function}`")
    return f"{kind} | None" if parameter.default is None and not kind.endswith("| None") else kind


def default_text(value):
    """A default as a stub has it."""
    if isinstance(value, str):
        return f'"{value}"'
    return f"np.{value.__name__}" if callable(value) and value.__module__ == "numpy" else repr(value)


def definition(name, signature, returns, **types):
    """One definition; `types` replaces types of parameters, defaults and all."""
    words, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words.append("*")
            starred = True
        text = types.pop(parameter.name, None) or type_of(name, parameter.name, parameter)
        if parameter.kind is parameter.VAR_KEYWORD:
            words += [f"{key}: {kind}" for key, kind in types.items()]
            words.append(f"**{parameter.name}: {text}")
            continue
        if parameter.default is not parameter.empty and " = " not in text and parameter.name != "return_indices":
            text += f" = {default_text(parameter.default)}"
        words.append(f"{parameter.name}: {text}")
    head, tail = f"def {name}(", f") -> {returns}: ..."
    if len(head) + len(", ".join(words)) + len(tail) <= 120:
        return head + ", ".join(words) + tail
    body = textwrap.fill(", ".join(words), 120, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    return f"{head}\n{body}\n{tail}"


def definitions(name):
    """The definitions of a function: one, or one for each overload."""
    function = getattr(skpool, name)
    signature = inspect.signature(function)
    plain = RETURNS.get(name, "NDArray[Any]")
    if name.startswith("global_"):
        plain = "Any"  # a number, or an array
    if "return_indices" not in signature.parameters and name not in GENERAL:
        made = definition(name, signature, plain)
        is_context = isinstance(getattr(function, "__wrapped__", None), type(definitions)) and name == "patched"
        return [f"@contextmanager\n{made}" if is_context else made]
    found = []
    for asked, out, returns in OVERLOADS:
        types = {"return_indices": asked, "out": f"{out} = None"}
        if name in GENERAL and asked != OVERLOADS[0][0]:
            default = signature.parameters["reduction"].default
            has_indices = default in WORDS["_IndexedReduction"]
            types["reduction"] = f'_IndexedReduction = "{default}"' if has_indices else "_IndexedReduction"
        found.append(f"@overload\n{definition(name, signature, returns.format(plain=plain), **types)}")
    return found


def literal(name, words):
    text = textwrap.fill(", ".join(f'"{word}"' for word in words), 116, initial_indent="    ", subsequent_indent="    ")
    line = f"{name}: TypeAlias = Literal[{text.strip()}]"
    return line if len(line) <= 120 else f"{name}: TypeAlias = Literal[\n{text},\n]"


def stub():
    """The whole file."""
    lines = [HEAD.rstrip(), *(literal(name, words) for name, words in WORDS.items()), "", "__version__: str", ""]
    for name in skpool.__all__:
        lines += definitions(name)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(stub(), end="")
