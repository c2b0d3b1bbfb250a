"""Types of the public functions, which are made from a registry when skpool is imported.

Without `dtype` and `out` the type of a result follows from the image's: see each function's documentation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, SupportsIndex, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_Real: TypeAlias = float | np.integer[Any] | np.floating[Any]
_Sizes: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
_NamedPadding: TypeAlias = Literal["same", "same_lower", "valid"]
_Padding: TypeAlias = _Sizes | Sequence[tuple[SupportsIndex, SupportsIndex]] | _NamedPadding
_Mode: TypeAlias = Literal["ignore", "constant", "edge", "reflect", "symmetric", "wrap"]
_NanPolicy: TypeAlias = Literal["propagate", "omit", "raise"]
_Reduction: TypeAlias = Literal[
    "max",
    "min",
    "avg",
    "sum",
    "lp",
    "power_mean",
    "gem",
    "logsumexp",
    "soft",
    "var",
    "std",
    "range",
    "count",
]
_Corner: TypeAlias = Literal[
    "top",
    "bottom",
    "left",
    "right",
    "top_left",
    "top_right",
    "bottom_left",
    "bottom_right",
]
_IndexedReduction: TypeAlias = Literal["max", "min"]  # those that take `return_indices`
_Indexed: TypeAlias = tuple[NDArray[Any], NDArray[np.int64]]  # values, indices

__version__: str

# --- pooling

@overload
def pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    reduction: _Reduction = "max",
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    return_indices: Literal[False] = False,
    **reduction_parameters: _Real | None,
) -> NDArray[Any]: ...
@overload
def pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    reduction: _IndexedReduction = "max",
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: _Indexed | None = None,
    workers: SupportsIndex | None = None,
    return_indices: Literal[True],
    **reduction_parameters: _Real | None,
) -> _Indexed: ...
@overload
def pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    reduction: _IndexedReduction = "max",
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | _Indexed | None = None,
    workers: SupportsIndex | None = None,
    return_indices: bool,
    **reduction_parameters: _Real | None,
) -> NDArray[Any] | _Indexed: ...
@overload
def max_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    return_indices: Literal[False] = False,
) -> NDArray[Any]: ...
@overload
def max_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: _Indexed | None = None,
    workers: SupportsIndex | None = None,
    return_indices: Literal[True],
) -> _Indexed: ...
@overload
def max_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | _Indexed | None = None,
    workers: SupportsIndex | None = None,
    return_indices: bool,
) -> NDArray[Any] | _Indexed: ...
@overload
def min_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    return_indices: Literal[False] = False,
) -> NDArray[Any]: ...
@overload
def min_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: _Indexed | None = None,
    workers: SupportsIndex | None = None,
    return_indices: Literal[True],
) -> _Indexed: ...
@overload
def min_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | _Indexed | None = None,
    workers: SupportsIndex | None = None,
    return_indices: bool,
) -> NDArray[Any] | _Indexed: ...
def avg_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    divisor: _Real | None = None,
) -> NDArray[Any]: ...
def sum_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...
def lp_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    p: _Real = 2,
) -> NDArray[Any]: ...
def power_mean_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    p: _Real = 2,
) -> NDArray[Any]: ...
def gem_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    p: _Real = 3,
    eps: _Real = 1e-6,
) -> NDArray[Any]: ...
def logsumexp_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    sharpness: _Real = 1,
) -> NDArray[Any]: ...
def soft_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    temperature: _Real = 1,
) -> NDArray[Any]: ...
def var_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    ddof: _Real = 0,
) -> NDArray[Any]: ...
def std_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    ddof: _Real = 0,
) -> NDArray[Any]: ...
def range_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...
def count_pool(
    image: ArrayLike,
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    mode: _Mode = "ignore",
    cval: _Real | np.bool = 0,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...

# --- windows without pooling

def pooled_shape(
    shape: Sequence[SupportsIndex],
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    channel_axis: SupportsIndex | None = None,
) -> tuple[int, ...]: ...
def pooled_coords(
    shape: Sequence[SupportsIndex],
    window_shape: _Sizes | None = None,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    channel_axis: SupportsIndex | None = None,
) -> tuple[NDArray[np.float64], ...]: ...

# --- boxes

def roi_pool(
    image: ArrayLike,
    boxes: ArrayLike,
    output_shape: _Sizes,
    *,
    reduction: Literal["max", "min", "avg", "sum", "range", "var", "std"] = "max",
    inclusive: bool = False,
    fill_value: _Real | np.bool | None = None,
    channel_axis: SupportsIndex | None = None,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...
def roi_align(
    image: ArrayLike,
    boxes: ArrayLike,
    output_shape: _Sizes,
    *,
    sampling_ratio: SupportsIndex = 0,
    aligned: bool = True,
    reduction: Literal["avg", "max"] = "avg",
    onnx_max: bool = False,
    channel_axis: SupportsIndex | None = None,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...
def precise_roi_pool(
    image: ArrayLike,
    boxes: ArrayLike,
    output_shape: _Sizes,
    *,
    aligned: bool = True,
    channel_axis: SupportsIndex | None = None,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...
def position_sensitive_roi_pool(
    image: ArrayLike,
    boxes: ArrayLike,
    output_shape: _Sizes,
    *,
    channel_axis: SupportsIndex = -1,
    workers: SupportsIndex | None = None,
) -> NDArray[Any]: ...
def rmac_regions(shape: Sequence[SupportsIndex], levels: SupportsIndex = 3) -> NDArray[np.int64]: ...
# --- levels

def pool_pyramid(
    image: ArrayLike,
    max_layer: SupportsIndex = -1,
    downscale: _Sizes = 2,
    *,
    reduction: _Reduction = "avg",
    recursive: bool | None = None,
    min_size: SupportsIndex = 1,
    channel_axis: SupportsIndex | None = None,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    workers: SupportsIndex | None = None,
    **reduction_parameters: _Real | None,
) -> list[NDArray[Any]]: ...
def pyramid_transforms(
    shape: Sequence[SupportsIndex],
    max_layer: SupportsIndex = -1,
    downscale: _Sizes = 2,
    *,
    min_size: SupportsIndex = 1,
    channel_axis: SupportsIndex | None = None,
) -> list[tuple[tuple[float, ...], tuple[float, ...]]]: ...

# --- whole lines

def corner_pool(
    image: ArrayLike,
    corner: _Corner,
    *,
    channel_axis: SupportsIndex | None = None,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    fill_value: _Real | np.bool | None = None,
) -> NDArray[Any]: ...
def strip_pool(
    image: ArrayLike,
    axis: SupportsIndex,
    reduction: _Reduction = "avg",
    *,
    channel_axis: SupportsIndex | None = None,
    keepdims: bool = False,
    mask: NDArray[np.bool] | None = None,
    nan_policy: _NanPolicy = "propagate",
    min_count: SupportsIndex = 1,
    fill_value: _Real | np.bool | None = None,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    workers: SupportsIndex | None = None,
    **reduction_parameters: _Real | None,
) -> NDArray[Any]: ...

# --- the way back

def max_unpool(
    values: ArrayLike,
    indices: ArrayLike,
    output_shape: Sequence[SupportsIndex],
    *,
    fill_value: _Real | np.bool = 0,
) -> NDArray[Any]: ...
def avg_unpool(
    values: ArrayLike,
    output_shape: Sequence[SupportsIndex],
    window_shape: _Sizes,
    *,
    stride: _Sizes | None = None,
    padding: _Padding = 0,
    dilation: _Sizes = 1,
    ceil_mode: bool = True,
    channel_axis: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
) -> NDArray[Any]: ...

# --- scikit-image's own names

def block_reduce(
    image: NDArray[Any],
    block_size: int | tuple[int, ...] = 2,
    func: Callable[..., Any] = np.sum,
    cval: complex | np.generic = 0,
    func_kwargs: Mapping[str, Any] | None = None,
) -> NDArray[Any]: ...
def downscale_local_mean(
    image: NDArray[Any],
    factors: int | tuple[int, ...],
    cval: complex | np.generic = 0,
    clip: bool = True,
) -> NDArray[Any]: ...
def patch_skimage() -> None: ...
def unpatch_skimage() -> None: ...
@contextmanager
def patched() -> Iterator[None]: ...

# --- this installation

def show_config() -> None: ...
