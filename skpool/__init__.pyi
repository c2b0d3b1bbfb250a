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
_Bins: TypeAlias = Literal["overlap", "disjoint", "area"]
_Corner: TypeAlias = Literal["top", "bottom", "left", "right", "top_left", "top_right", "bottom_left", "bottom_right"]
_Mode: TypeAlias = Literal["ignore", "constant", "edge", "reflect", "symmetric", "wrap"]
_NamedPadding: TypeAlias = Literal["same", "same_lower", "valid"]
_NanPolicy: TypeAlias = Literal["propagate", "omit", "raise"]
_PyramidRule: TypeAlias = Literal["adaptive", "he2014"]
_Reduction: TypeAlias = Literal[
    "max", "min", "avg", "sum", "lp", "power_mean", "gem", "logsumexp", "soft", "var", "std", "range", "count",
    "median", "percentile", "trimmed_mean", "rank", "mode", "nunique", "entropy",
]
_IndexedReduction: TypeAlias = Literal["max", "min"]
_GlobalReduction: TypeAlias = Literal[
    "max", "min", "avg", "sum", "lp", "power_mean", "gem", "logsumexp", "soft", "var", "std", "range", "count",
    "median", "percentile", "trimmed_mean", "rank", "mode", "nunique", "entropy", "top_k_avg",
]

__version__: str

def avg_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, divisor: _Real | None = None
) -> NDArray[Any]: ...
def count_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def entropy_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def gem_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, p: _Real = 3, eps: _Real = 1e-06
) -> NDArray[Any]: ...
def logsumexp_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, sharpness: _Real = 1
) -> NDArray[Any]: ...
def lp_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, p: _Real = 2
) -> NDArray[Any]: ...
@overload
def max_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, return_indices: Literal[False] = False
) -> NDArray[Any]: ...
@overload
def max_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: _Indexed | None = None,
    workers: SupportsIndex | None = None, return_indices: Literal[True]
) -> _Indexed: ...
@overload
def max_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | _Indexed | None
    = None, workers: SupportsIndex | None = None, return_indices: bool
) -> NDArray[Any] | _Indexed: ...
def median_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
@overload
def min_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, return_indices: Literal[False] = False
) -> NDArray[Any]: ...
@overload
def min_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: _Indexed | None = None,
    workers: SupportsIndex | None = None, return_indices: Literal[True]
) -> _Indexed: ...
@overload
def min_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | _Indexed | None
    = None, workers: SupportsIndex | None = None, return_indices: bool
) -> NDArray[Any] | _Indexed: ...
def mode_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, ties: Literal["smallest", "largest", "first", "center"] = "smallest",
    background: _Real | np.bool | None = None
) -> NDArray[Any]: ...
def nunique_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def percentile_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, q: _Real, method: Literal["inverted_cdf", "averaged_inverted_cdf",
    "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear", "median_unbiased",
    "normal_unbiased", "lower", "higher", "midpoint", "nearest"] = "linear"
) -> NDArray[Any]: ...
@overload
def pool(
    image: ArrayLike, window_shape: _Sizes | None = None, reduction: _Reduction = "max", *, stride: _Sizes | None =
    None, padding: _Sizes | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1,
    ceil_mode: bool = True, mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out:
    NDArray[Any] | None = None, workers: SupportsIndex | None = None, return_indices: Literal[False] = False,
    **reduction_parameters: Any
) -> NDArray[Any]: ...
@overload
def pool(
    image: ArrayLike, window_shape: _Sizes | None = None, reduction: _IndexedReduction = "max", *, stride: _Sizes | None
    = None, padding: _Sizes | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1,
    ceil_mode: bool = True, mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out:
    _Indexed | None = None, workers: SupportsIndex | None = None, return_indices: Literal[True], **reduction_parameters:
    Any
) -> _Indexed: ...
@overload
def pool(
    image: ArrayLike, window_shape: _Sizes | None = None, reduction: _IndexedReduction = "max", *, stride: _Sizes | None
    = None, padding: _Sizes | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1,
    ceil_mode: bool = True, mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out:
    NDArray[Any] | _Indexed | None = None, workers: SupportsIndex | None = None, return_indices: bool,
    **reduction_parameters: Any
) -> NDArray[Any] | _Indexed: ...
def pooled_coords(
    shape: Sequence[SupportsIndex], window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes
    | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    channel_axis: SupportsIndex | None = None
) -> tuple[NDArray[np.float64], ...]: ...
def pooled_shape(
    shape: Sequence[SupportsIndex], window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes
    | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    channel_axis: SupportsIndex | None = None
) -> tuple[int, ...]: ...
def power_mean_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, p: _Real = 2
) -> NDArray[Any]: ...
def range_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def rank_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, rule: Literal["average", "weighted"] = "average", top: SupportsIndex | None =
    None, decay: _Real = 0.5
) -> NDArray[Any]: ...
def soft_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, temperature: _Real = 1
) -> NDArray[Any]: ...
def std_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, ddof: _Real = 0
) -> NDArray[Any]: ...
def sum_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def trimmed_mean_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, proportion: _Real = 0.1
) -> NDArray[Any]: ...
def var_pool(
    image: ArrayLike, window_shape: _Sizes | None = None, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, footprint: ArrayLike | None = None, mask: NDArray[np.bool] | None
    = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None =
    None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None, ddof: _Real = 0
) -> NDArray[Any]: ...
def blur_pool(
    image: ArrayLike, size: SupportsIndex = 3, *, stride: _Sizes = 2, mode: _Mode = "reflect", cval: _Real | np.bool =
    0, max_window: _Sizes | None = None, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def weighted_avg_pool(
    image: ArrayLike, weights: ArrayLike, *, stride: _Sizes | None = None, padding: _Sizes |
    Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1, ceil_mode: bool = True,
    mode: _Mode = "ignore", cval: _Real | np.bool = 0, image_weights: ArrayLike | None = None, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def adaptive_avg_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, divisor: _Real | None = None
) -> NDArray[Any]: ...
def adaptive_count_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
def adaptive_entropy_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
def adaptive_gem_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, p: _Real = 3, eps: _Real = 1e-06
) -> NDArray[Any]: ...
def adaptive_logsumexp_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, sharpness: _Real = 1
) -> NDArray[Any]: ...
def adaptive_lp_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, p: _Real = 2
) -> NDArray[Any]: ...
@overload
def adaptive_max_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, return_indices: Literal[False] = False
) -> NDArray[Any]: ...
@overload
def adaptive_max_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: _Indexed | None = None, workers:
    SupportsIndex | None = None, return_indices: Literal[True]
) -> _Indexed: ...
@overload
def adaptive_max_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | _Indexed | None =
    None, workers: SupportsIndex | None = None, return_indices: bool
) -> NDArray[Any] | _Indexed: ...
def adaptive_median_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
@overload
def adaptive_min_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, return_indices: Literal[False] = False
) -> NDArray[Any]: ...
@overload
def adaptive_min_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: _Indexed | None = None, workers:
    SupportsIndex | None = None, return_indices: Literal[True]
) -> _Indexed: ...
@overload
def adaptive_min_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | _Indexed | None =
    None, workers: SupportsIndex | None = None, return_indices: bool
) -> NDArray[Any] | _Indexed: ...
def adaptive_mode_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, ties: Literal["smallest", "largest", "first", "center"] = "smallest", background: _Real
    | np.bool | None = None
) -> NDArray[Any]: ...
def adaptive_nunique_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
def adaptive_percentile_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, q: _Real, method: Literal["inverted_cdf", "averaged_inverted_cdf",
    "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear", "median_unbiased",
    "normal_unbiased", "lower", "higher", "midpoint", "nearest"] = "linear"
) -> NDArray[Any]: ...
@overload
def adaptive_pool(
    image: ArrayLike, output_shape: _Outputs, reduction: _Reduction = "avg", *, bins: _Bins = "overlap", mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out:
    NDArray[Any] | None = None, workers: SupportsIndex | None = None, return_indices: Literal[False] = False,
    **reduction_parameters: Any
) -> NDArray[Any]: ...
@overload
def adaptive_pool(
    image: ArrayLike, output_shape: _Outputs, reduction: _IndexedReduction = "avg", *, bins: _Bins = "overlap", mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out:
    _Indexed | None = None, workers: SupportsIndex | None = None, return_indices: Literal[True], **reduction_parameters:
    Any
) -> _Indexed: ...
@overload
def adaptive_pool(
    image: ArrayLike, output_shape: _Outputs, reduction: _IndexedReduction = "avg", *, bins: _Bins = "overlap", mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out:
    NDArray[Any] | _Indexed | None = None, workers: SupportsIndex | None = None, return_indices: bool,
    **reduction_parameters: Any
) -> NDArray[Any] | _Indexed: ...
def adaptive_power_mean_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, p: _Real = 2
) -> NDArray[Any]: ...
def adaptive_range_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
def adaptive_rank_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, rule: Literal["average", "weighted"] = "average", top: SupportsIndex | None = None,
    decay: _Real = 0.5
) -> NDArray[Any]: ...
def adaptive_soft_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, temperature: _Real = 1
) -> NDArray[Any]: ...
def adaptive_std_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, ddof: _Real = 0
) -> NDArray[Any]: ...
def adaptive_sum_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
def adaptive_trimmed_mean_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, proportion: _Real = 0.1
) -> NDArray[Any]: ...
def adaptive_var_pool(
    image: ArrayLike, output_shape: _Outputs, *, bins: _Bins = "overlap", mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, ddof: _Real = 0
) -> NDArray[Any]: ...
def global_avg_pool(
    image: ArrayLike, *, weights: ArrayLike | None = None, channel_axis: SupportsIndex | None = None, keepdims: bool =
    False, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers:
    SupportsIndex | None = None, divisor: _Real | None = None
) -> Any: ...
def global_count_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> Any: ...
def global_entropy_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> Any: ...
def global_gem_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, p:
    _Real = 3, eps: _Real = 1e-06
) -> Any: ...
def global_logsumexp_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None,
    sharpness: _Real = 1
) -> Any: ...
def global_lp_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, p:
    _Real = 2
) -> Any: ...
@overload
def global_max_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None,
    return_indices: Literal[False] = False
) -> Any: ...
@overload
def global_max_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: _Indexed | None = None, workers: SupportsIndex | None = None,
    return_indices: Literal[True]
) -> _Indexed: ...
@overload
def global_max_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | _Indexed | None = None, workers: SupportsIndex | None =
    None, return_indices: bool
) -> Any | _Indexed: ...
def global_median_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> Any: ...
@overload
def global_min_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None,
    return_indices: Literal[False] = False
) -> Any: ...
@overload
def global_min_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: _Indexed | None = None, workers: SupportsIndex | None = None,
    return_indices: Literal[True]
) -> _Indexed: ...
@overload
def global_min_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | _Indexed | None = None, workers: SupportsIndex | None =
    None, return_indices: bool
) -> Any | _Indexed: ...
def global_mode_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, ties:
    Literal["smallest", "largest", "first", "center"] = "smallest", background: _Real | np.bool | None = None
) -> Any: ...
def global_nunique_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> Any: ...
def global_percentile_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, q:
    _Real, method: Literal["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"] =
    "linear"
) -> Any: ...
@overload
def global_pool(
    image: ArrayLike, reduction: _GlobalReduction = "avg", *, weights: ArrayLike | None = None, channel_axis:
    SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy =
    "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None, dtype: DTypeLike | None =
    None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, return_indices: Literal[False] = False,
    **reduction_parameters: Any
) -> Any: ...
@overload
def global_pool(
    image: ArrayLike, reduction: _IndexedReduction = "avg", *, weights: ArrayLike | None = None, channel_axis:
    SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy =
    "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None, dtype: DTypeLike | None =
    None, out: _Indexed | None = None, workers: SupportsIndex | None = None, return_indices: Literal[True],
    **reduction_parameters: Any
) -> _Indexed: ...
@overload
def global_pool(
    image: ArrayLike, reduction: _IndexedReduction = "avg", *, weights: ArrayLike | None = None, channel_axis:
    SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy =
    "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None, dtype: DTypeLike | None =
    None, out: NDArray[Any] | _Indexed | None = None, workers: SupportsIndex | None = None, return_indices: bool,
    **reduction_parameters: Any
) -> Any | _Indexed: ...
def global_power_mean_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, p:
    _Real = 2
) -> Any: ...
def global_range_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> Any: ...
def global_rank_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, rule:
    Literal["average", "weighted"] = "average", top: SupportsIndex | None = None, decay: _Real = 0.5
) -> Any: ...
def global_soft_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None,
    temperature: _Real = 1
) -> Any: ...
def global_std_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, ddof:
    _Real = 0
) -> Any: ...
def global_sum_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> Any: ...
def global_trimmed_mean_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None,
    proportion: _Real = 0.1
) -> Any: ...
def global_var_pool(
    image: ArrayLike, *, channel_axis: SupportsIndex | None = None, keepdims: bool = False, mask: NDArray[np.bool] |
    None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None
    = None, dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None, ddof:
    _Real = 0
) -> Any: ...
def spatial_pyramid_pool(
    image: ArrayLike, levels: Sequence[_Sizes] = (1, 2, 4), reduction: _Reduction = "max", *, weights: Sequence[_Real] |
    Literal["matching"] | None = None, rule: _PyramidRule = "adaptive", channel_axis: SupportsIndex | None = None, mask:
    NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value:
    _Real | np.bool | None = None, dtype: DTypeLike | None = None, workers: SupportsIndex | None = None,
    **reduction_parameters: Any
) -> NDArray[Any]: ...
def pool_pyramid(
    image: ArrayLike, max_layer: SupportsIndex = -1, downscale: _Sizes = 2, *, reduction: _Reduction = "avg", recursive:
    bool | None = None, min_size: SupportsIndex = 1, preserve_labels: bool = False, channel_axis: SupportsIndex | None =
    None, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None, workers: SupportsIndex | None = None, **reduction_parameters: Any
) -> list[NDArray[Any]]: ...
def pyramid_transforms(
    shape: Sequence[SupportsIndex], max_layer: SupportsIndex = -1, downscale: _Sizes = 2, *, min_size: SupportsIndex =
    1, channel_axis: SupportsIndex | None = None
) -> list[tuple[tuple[float, ...], tuple[float, ...]]]: ...
def avg_unpool(
    values: ArrayLike, output_shape: Sequence[SupportsIndex], window_shape: _Sizes, *, stride: _Sizes | None = None,
    padding: _Sizes | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding = 0, dilation: _Sizes = 1,
    ceil_mode: bool = True, channel_axis: SupportsIndex | None = None, dtype: DTypeLike | None = None
) -> NDArray[Any]: ...
@overload
def fractional_max_pool(
    image: ArrayLike, output_shape: _Outputs | None = None, ratio: _Real | Sequence[_Real] | None = None, *, rng:
    np.random.Generator | SupportsIndex | None = None, pseudo_random: bool = True, overlapping: bool = False,
    return_indices: Literal[False] = False, channel_axis: SupportsIndex | None = None, mask: NDArray[np.bool] | None =
    None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    dtype: DTypeLike | None = None, out: NDArray[Any] | None = None, workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
@overload
def fractional_max_pool(
    image: ArrayLike, output_shape: _Outputs | None = None, ratio: _Real | Sequence[_Real] | None = None, *, rng:
    np.random.Generator | SupportsIndex | None = None, pseudo_random: bool = True, overlapping: bool = False,
    return_indices: Literal[True], channel_axis: SupportsIndex | None = None, mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    dtype: DTypeLike | None = None, out: _Indexed | None = None, workers: SupportsIndex | None = None
) -> _Indexed: ...
@overload
def fractional_max_pool(
    image: ArrayLike, output_shape: _Outputs | None = None, ratio: _Real | Sequence[_Real] | None = None, *, rng:
    np.random.Generator | SupportsIndex | None = None, pseudo_random: bool = True, overlapping: bool = False,
    return_indices: bool, channel_axis: SupportsIndex | None = None, mask: NDArray[np.bool] | None = None, nan_policy:
    _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None, dtype: DTypeLike
    | None = None, out: NDArray[Any] | _Indexed | None = None, workers: SupportsIndex | None = None
) -> NDArray[Any] | _Indexed: ...
def max_unpool(
    values: ArrayLike, indices: ArrayLike, output_shape: Sequence[SupportsIndex], *, fill_value: _Real | np.bool = 0
) -> NDArray[Any]: ...
def corner_pool(
    image: ArrayLike, corner: _Corner, *, channel_axis: SupportsIndex | None = None, mask: NDArray[np.bool] | None =
    None, nan_policy: _NanPolicy = "propagate", fill_value: _Real | np.bool | None = None
) -> NDArray[Any]: ...
def strip_pool(
    image: ArrayLike, axis: SupportsIndex, reduction: _Reduction = "avg", *, channel_axis: SupportsIndex | None = None,
    keepdims: bool = False, mask: NDArray[np.bool] | None = None, nan_policy: _NanPolicy = "propagate", min_count:
    SupportsIndex = 1, fill_value: _Real | np.bool | None = None, dtype: DTypeLike | None = None, out: NDArray[Any] |
    None = None, workers: SupportsIndex | None = None, **reduction_parameters: Any
) -> NDArray[Any]: ...
def position_sensitive_roi_pool(
    image: ArrayLike, boxes: ArrayLike, output_shape: _Sizes, *, channel_axis: SupportsIndex = -1, workers:
    SupportsIndex | None = None
) -> NDArray[Any]: ...
def precise_roi_pool(
    image: ArrayLike, boxes: ArrayLike, output_shape: _Sizes, *, aligned: bool = True, channel_axis: SupportsIndex |
    None = None, workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def rmac_regions(shape: Sequence[SupportsIndex], levels: SupportsIndex = 3) -> NDArray[np.int64]: ...
def roi_align(
    image: ArrayLike, boxes: ArrayLike, output_shape: _Sizes, *, sampling_ratio: SupportsIndex = 0, aligned: bool =
    True, reduction: Literal["avg", "max"] = "avg", onnx_max: bool = False, channel_axis: SupportsIndex | None = None,
    workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def roi_pool(
    image: ArrayLike, boxes: ArrayLike, output_shape: _Sizes, *, reduction: Literal["max", "min", "avg", "sum", "range",
    "var", "std"] = "max", inclusive: bool = False, fill_value: _Real | np.bool | None = None, channel_axis:
    SupportsIndex | None = None, workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def region_pool(
    image: ArrayLike, label_image: ArrayLike, reduction: _Reduction = "avg", *, labels: ArrayLike | None = None,
    background: SupportsIndex | None = 0, channel_axis: SupportsIndex | None = None, mask: NDArray[np.bool] | None =
    None, nan_policy: _NanPolicy = "propagate", min_count: SupportsIndex = 1, fill_value: _Real | np.bool | None = None,
    dtype: DTypeLike | None = None, return_labels: bool = False, workers: SupportsIndex | None = None,
    **reduction_parameters: Any
) -> NDArray[Any] | tuple[NDArray[Any], ...]: ...
def region_unpool(
    values: ArrayLike, label_image: ArrayLike, *, labels: ArrayLike | None = None, background: SupportsIndex | None = 0,
    fill_value: _Real | np.bool = 0, workers: SupportsIndex | None = None
) -> NDArray[Any]: ...
def block_reduce(
    image: NDArray[Any], block_size: int | tuple[int, ...] = 2, func: Callable[..., Any] = np.sum, cval: complex |
    np.generic = 0, func_kwargs: Mapping[str, Any] | None = None
) -> NDArray[Any]: ...
def downscale_local_mean(
    image: NDArray[Any], factors: int | tuple[int, ...], cval: complex | np.generic = 0, clip: bool = True
) -> NDArray[Any]: ...
def patch_skimage() -> None: ...
@contextmanager
def patched() -> Iterator[None]: ...
def unpatch_skimage() -> None: ...
def show_config() -> None: ...
