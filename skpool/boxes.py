"""Pooling of boxes, as `skimage.measure.regionprops` or a detector gives them: thin faces of one backend."""

from __future__ import annotations

import functools
import math
import sys
from fractions import Fraction

import numpy as np

from . import containers, windows
from .backends import boxes as on_cpu
from .backends import chunked, gpu
from .backends import gpu_boxes as on_gpu
from .plan import checked_channel_axis, checked_image_dtype
from .reductions import REDUCTIONS, representable
from .threads import check_workers

__all__ = ["position_sensitive_roi_pool", "precise_roi_pool", "rmac_regions", "roi_align", "roi_pool"]

#: Reductions of `roi_pool` and of `roi_align`.
POOL_REDUCTIONS = ("max", "min", "avg", "sum", "range", "var", "std")
ALIGN_REDUCTIONS = ("avg", "max")

#: Coordinates are at most this large, so that edges of bins fit 64 bits.
LARGEST_COORDINATE = 2**30

#: The most samples of a bin along each axis.
MOST_SAMPLES = 2**16


# --- arguments


def _checked_image(image, channel_axis):
    """The image as (rows, columns, channels), of any strides, and whether it had channels."""
    if containers.is_labelled(image):
        image = image.data
    if containers.is_masked(image):
        raise TypeError(
            "`image` must not be a masked array, whose mask would be lost: fill it, or give its `data`; got one of "
            f"shape {image.shape}"
        )
    image = gpu.as_array(image) if gpu.is_array(image) else containers.as_array(image)
    checked_image_dtype(image.dtype)
    channel_axis = checked_channel_axis(channel_axis, image.ndim)
    if image.ndim != 2 + (channel_axis is not None):
        raise ValueError(
            f"`image` must have two spatial axes, got shape {image.shape} and `channel_axis` {channel_axis}"
        )
    if channel_axis is None:
        return image[..., np.newaxis], False
    return np.moveaxis(image, channel_axis, -1), True


def _checked_boxes(boxes):
    """The boxes as (K, 4) float64, in the memory of the processor."""
    if containers.is_lazy(boxes):
        raise NotImplementedError(
            "`boxes` must be in memory, for they say which chunks of the image are needed, got a dask array: give "
            "`boxes.compute()`"
        )
    array = gpu.as_array(boxes).get() if gpu.is_array(boxes) else np.asarray(boxes)
    if array.shape == (0,):  # an empty list
        array = array.reshape(0, 4)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(f"`boxes` must be integers or floats of at most 64 bits, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"`boxes` must have shape (K, 4), one row for each box, got shape {array.shape}")
    array = array.astype(np.float64)
    rules = {
        "be finite": np.isfinite(array),
        f"be at most {LARGEST_COORDINATE} in magnitude": np.abs(array) <= LARGEST_COORDINATE,
        "have min <= max along both axes": array[:, :2] <= array[:, 2:],
    }
    for rule, obeyed in rules.items():
        if not obeyed.all():
            row = int(np.argmin(obeyed.all(axis=1)))
            raise ValueError(f"`boxes` must {rule}, got {tuple(array[row].tolist())} in row {row}")
    return array


def _checked_arguments(image, boxes, output_shape, channel_axis, workers):
    """What all functions take: image, whether it has channels, boxes, output shape and workers."""
    image, has_channels = _checked_image(image, channel_axis)
    boxes = _checked_boxes(boxes)
    output_shape = windows.per_axis(output_shape, 2, "output_shape")
    workers = check_workers(workers)
    shape = (len(boxes), *output_shape, image.shape[2])
    if math.prod(shape) * 8 > sys.maxsize:
        raise ValueError(f"the result would have shape {shape}, which is more than memory can address")
    return image, has_channels, boxes, output_shape, workers


# --- edges of boxes: row start, row stop, column start, column stop


def _edges(boxes):
    """(min_row, min_col, max_row, max_col) -> starts and stops axis by axis."""
    return np.ascontiguousarray(boxes[:, [0, 2, 1, 3]])


def _touched(boxes):
    """Whole edges of the pixels that half-open boxes touch."""
    edges = _edges(boxes)
    edges[:, ::2] = np.floor(edges[:, ::2])
    edges[:, 1::2] = np.ceil(edges[:, 1::2])
    return edges


def _rounded(boxes):
    """Edges rounded half away from zero, as C's `round` does."""
    edges = _edges(boxes)
    whole = np.trunc(edges)
    return whole + np.copysign(np.abs(edges - whole) >= 0.5, edges)


def _inclusive(boxes):
    """Whole edges of boxes whose last row and column belong to them."""
    edges = _rounded(boxes)
    edges[:, 1::2] += 1
    return edges


def _at_least_one(edges):
    """Edges at least 1 apart."""
    edges[:, 1::2] = np.maximum(edges[:, 1::2], edges[:, ::2] + 1)
    return edges


def _in_pixels(boxes, aligned):
    """Edges in coordinates in which pixel i lies at i."""
    return _edges(boxes) - 0.5 if aligned else _edges(boxes)


def _backend(image):
    """Where an image is pooled."""
    return on_gpu if gpu.is_array(image) else on_cpu


def _run(rule, dtype, image, has_channels, edges, output_shape, fill, workers):
    """Pool by a rule of the backend, and give the result its type and shape."""
    if containers.is_lazy(image):
        return _lazily(rule, dtype, image, has_channels, edges, output_shape, fill)
    result = _backend(image).run(rule, image, edges, output_shape, fill, workers)
    with np.errstate(over="ignore"):
        result = result.astype(dtype, copy=False)
    return result if has_channels else result[..., 0]


# --- dask arrays: each task has the chunks that its boxes look at

#: Pixels ahead of a box and behind it that samples between pixels may look at.
_MARGINS = (2, 3)


def _lazily(rule, dtype, image, has_channels, edges, output_shape, fill):
    """`_run` for a dask array."""
    shape = image.shape[:2]
    if not image.size:
        import dask.array as da

        return da.from_array(
            _run(rule, dtype, np.empty(image.shape, image.dtype), has_channels, edges, output_shape, fill, 1)
        )
    if rule.own_channels:
        image = image.rechunk({2: -1})
    ahead, behind = (0, 0) if rule.name == "pixels" else _MARGINS
    first = np.clip(np.floor(edges[:, ::2]) - ahead, 0, np.array(shape) - 1)
    stop = np.clip(np.ceil(edges[:, 1::2]) + behind, first + 1, shape)  # of a box outside, one pixel is at hand
    spans = np.stack([first, stop], axis=-1).astype(np.int64)
    compute = functools.partial(_part, rule, dtype, has_channels, output_shape, fill, shape)
    token = (rule, dtype, has_channels, output_shape, fill)
    channels = [image.shape[2] // math.prod(output_shape)] if rule.own_channels else image.chunks[2]
    inner = (*((length,) for length in output_shape), *[tuple(channels)] * has_channels)
    meta = np.empty((0,) * (3 + has_channels), dtype)
    return chunked.boxes(compute, image, edges, spans, inner, meta, name=rule.name, token=token)


def _part(rule, dtype, has_channels, output_shape, fill, shape, image, origin, edges):
    """Boxes of a part of an image of this shape, which begins at `origin`."""
    result = on_cpu.run(rule, image, edges, output_shape, fill, 1, (shape, origin))
    with np.errstate(over="ignore"):
        result = result.astype(dtype, copy=False)
    return result if has_channels else result[..., 0]


# --- the functions


def roi_pool(
    image,
    boxes,
    output_shape,
    *,
    reduction="max",
    inclusive=False,
    fill_value=None,
    channel_axis=None,
    workers=None,
):
    """Reduce each box of an image to a grid of bins of whole pixels.

    A box of h rows is divided into ``output_shape[0]`` bins; bin i looks at its rows from ``floor(i h / bins)`` to
    ``ceil((i + 1) h / bins)``, so that bins overlap where they do not divide the box; columns likewise. What lies
    outside the image does not count.

    Parameters
    ----------
    image : (H, W) or, with `channel_axis`, (H, W, C) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; C may be anywhere.
    boxes : (K, 4) array_like
        Rows ``(min_row, min_col, max_row, max_col)``, half-open: the ``bbox`` of `skimage.measure.regionprops`. Of
        floats, each box is all pixels that it touches: starts are rounded down, ends up.
    output_shape : int or (int, int)
        Rows and columns of bins.
    reduction : {"max", "min", "avg", "sum", "range", "var", "std"}
        What each bin is reduced to, as `pool` defines it.
    inclusive : bool
        Boxes as Caffe and ONNX (``MaxRoiPool``) have them: coordinates are rounded half away from zero, and the last
        row and column belong to the box, which has one pixel at least.
    fill_value : number, optional
        The value of a bin without pixels: of a box that is empty, or leaves the image. Default: NaN for
        floating-point results, else 0; with `inclusive` 0, as Caffe and ONNX have it.
    channel_axis : int, optional
        The axis of channels. Default: none.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for little work. Results do not depend on it.

    Returns
    -------
    pooled : (K, rows, columns) or (K, rows, columns, C) ndarray
        On a GPU if `image` is; boxes that are there are fetched, which waits for the device. Computed later if `image`
        is a dask array, in chunks of consecutive boxes.
        Channels always last. Of the image's dtype (max, min; range: unsigned), of `numpy.sum`'s (sum; float16 gives
        float32), else floating point: float32 of float16 and float32, float64 of others. NaN pixels give NaN.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a complex or masked image, boxes of booleans.
    ValueError
        If an argument has a wrong value or shape: an image without two spatial axes, a box with max < min, a
        coordinate that is not finite or beyond 2**30.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import roi_pool
    >>> image = np.arange(36).reshape(6, 6)
    >>> roi_pool(image, [(0, 0, 4, 4), (2, 1, 5, 4)], 2)
    array([[[ 7,  9],
            [19, 21]],
    <BLANKLINE>
           [[20, 21],
            [26, 27]]])
    >>> roi_pool(image, [(2, 1, 5, 4)], 1, reduction="avg")  # image[2:5, 1:4].mean()
    array([[[20.]]])
    """
    image, has_channels, boxes, output_shape, workers = _checked_arguments(
        image, boxes, output_shape, channel_axis, workers
    )
    dtype = REDUCTIONS[windows.one_of(reduction, POOL_REDUCTIONS, "reduction")].result(image.dtype.newbyteorder("="))
    inclusive = windows.flag(inclusive, "inclusive")
    if fill_value is None:
        fill_value = math.nan if dtype.kind == "f" and not inclusive else 0
    fill = representable(fill_value, dtype, "fill_value")
    edges = _inclusive(boxes) if inclusive else _touched(boxes)
    rule = _backend(image).pixels(reduction, image, edges, output_shape)
    return _run(rule, dtype, image, has_channels, edges, output_shape, fill, workers)


def roi_align(
    image,
    boxes,
    output_shape,
    *,
    sampling_ratio=0,
    aligned=True,
    reduction="avg",
    onnx_max=False,
    channel_axis=None,
    workers=None,
):
    """Reduce each box of an image to a grid of bins, each the mean or maximum of bilinear samples.

    Nothing is rounded: the box is divided exactly, and each bin looks at evenly spaced samples between the pixels. A
    sample more than one pixel outside the image (before -1 or after its length) is zero; nearer ones have the value of
    the border.

    Parameters
    ----------
    image : (H, W) or, with `channel_axis`, (H, W, C) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; C may be anywhere.
    boxes : (K, 4) array_like
        Rows ``(min_row, min_col, max_row, max_col)``; fractions of a pixel count.
    output_shape : int or (int, int)
        Rows and columns of bins.
    sampling_ratio : int
        Samples of a bin along each axis, at most 65536; 0: one for each pixel begun of the bin's height or width.
    aligned : bool
        Pixel i reaches from i to i + 1, so that boxes are half-open as those of `skimage.measure.regionprops`
        (torchvision's ``aligned=True``, ONNX's ``half_pixel``). If False, pixel i lies at i, as in the first
        implementations, and boxes are at least 1 high and wide.
    reduction : {"avg", "max"}
        The mean or the maximum of the samples. A bin without samples, of an empty box, is 0.
    onnx_max : bool
        The maximum as ONNX defines it: not of the samples, but of each pixel of each sample times its weight.
    channel_axis : int, optional
        The axis of channels. Default: none.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for little work. Results do not depend on it.

    Returns
    -------
    pooled : (K, rows, columns) or (K, rows, columns, C) ndarray
        On a GPU if `image` is; boxes that are there are fetched, which waits for the device. Computed later if `image`
        is a dask array, in chunks of consecutive boxes.
        Channels always last; float32 of float16 and float32 images, float64 of others. A NaN pixel with a weight
        above 0 gives NaN.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a complex or masked image, boxes of booleans.
    ValueError
        If an argument has a wrong value or shape: an image without two spatial axes, a box with max < min, a
        coordinate that is not finite or beyond 2**30.

    References
    ----------
    .. [1] K. He, G. Gkioxari, P. Dollar and R. Girshick, "Mask R-CNN", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import roi_align
    >>> image = np.arange(36.0).reshape(6, 6)
    >>> roi_align(image, [(1, 1, 4, 4)], 1)  # image[1:4, 1:4].mean()
    array([[[14.]]])
    >>> roi_align(image, [(0, 0, 3, 3)], 2, sampling_ratio=2, aligned=False)
    array([[[ 5.25,  6.75],
            [14.25, 15.75]]])
    >>> roi_align(image, [(0, 0, 3, 3)], 2, sampling_ratio=2, aligned=False, reduction="max")
    array([[[ 7.875,  9.375],
            [16.875, 18.375]]])
    """
    image, has_channels, boxes, output_shape, workers = _checked_arguments(
        image, boxes, output_shape, channel_axis, workers
    )
    count = windows.integer(sampling_ratio, "sampling_ratio", 0)
    if count > MOST_SAMPLES:
        raise ValueError(f"`sampling_ratio` must be <= {MOST_SAMPLES}, got {sampling_ratio!r}")
    aligned = windows.flag(aligned, "aligned")
    onnx_max = windows.flag(onnx_max, "onnx_max")
    if windows.one_of(reduction, ALIGN_REDUCTIONS, "reduction") != "max" and onnx_max:
        raise ValueError(f"`onnx_max` must be False unless `reduction` is 'max', got True with {reduction!r}")
    edges = _in_pixels(boxes, aligned)
    if not aligned:
        edges = _at_least_one(edges)
    backend = _backend(image)
    rule = backend.peaks(image.dtype, count, onnx_max) if reduction == "max" else backend.samples(image.dtype, count)
    return _run(rule, rule.natural, image, has_channels, edges, output_shape, 0, workers)


def precise_roi_pool(image, boxes, output_shape, *, aligned=True, channel_axis=None, workers=None):
    """Reduce each box of an image to a grid of bins, each the mean of the interpolated image over its exact area.

    The image is interpolated bilinearly between its pixels and fades to zero within one pixel of its border; its
    integral over each bin is computed in closed form, and divided by the bin's area.

    Parameters
    ----------
    image : (H, W) or, with `channel_axis`, (H, W, C) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; C may be anywhere.
    boxes : (K, 4) array_like
        Rows ``(min_row, min_col, max_row, max_col)``; fractions of a pixel count.
    output_shape : int or (int, int)
        Rows and columns of bins.
    aligned : bool
        Pixel i reaches from i to i + 1 and lies in the middle, so that boxes are half-open as those of
        `skimage.measure.regionprops`. If False, pixel i lies at i, as the authors' implementation has it.
    channel_axis : int, optional
        The axis of channels. Default: none.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for little work. Results do not depend on it.

    Returns
    -------
    pooled : (K, rows, columns) or (K, rows, columns, C) ndarray
        On a GPU if `image` is; boxes that are there are fetched, which waits for the device. Computed later if `image`
        is a dask array, in chunks of consecutive boxes.
        Channels always last; float32 of float16 and float32 images, float64 of others. Boxes without area give 0. A
        NaN pixel with a weight above 0 gives NaN.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a complex or masked image, boxes of booleans.
    ValueError
        If an argument has a wrong value or shape: an image without two spatial axes, a box with max < min, a
        coordinate that is not finite or beyond 2**30.

    References
    ----------
    .. [1] B. Jiang, R. Luo, J. Mao, T. Xiao and Y. Jiang, "Acquisition of localization confidence for accurate object
       detection", ECCV 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import precise_roi_pool
    >>> image = np.tile(np.arange(6.0), (6, 1))  # each pixel is its column
    >>> precise_roi_pool(image, [(1, 1, 4, 4)], (1, 3))
    array([[[1., 2., 3.]]])
    >>> precise_roi_pool(image, [(1, 1.5, 4, 4.25)], 1)  # the middle of the box: 2.875 - 0.5
    array([[[2.375]]])
    """
    image, has_channels, boxes, output_shape, workers = _checked_arguments(
        image, boxes, output_shape, channel_axis, workers
    )
    edges = _in_pixels(boxes, windows.flag(aligned, "aligned"))
    rule = _backend(image).integral(image.dtype)
    return _run(rule, rule.natural, image, has_channels, edges, output_shape, 0, workers)


def position_sensitive_roi_pool(image, boxes, output_shape, *, channel_axis=-1, workers=None):
    """Reduce each box of an image to a grid of bins, each the mean of pixels in channels of its own.

    Channel ``c * rows * columns + i * columns + j`` belongs to bin (i, j) and gives channel c of the result. Bins lie
    as those of `roi_pool`.

    Parameters
    ----------
    image : (H, W, C) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; C may be anywhere, and is a
        multiple of the number of bins.
    boxes : (K, 4) array_like
        Rows ``(min_row, min_col, max_row, max_col)``, half-open: the ``bbox`` of `skimage.measure.regionprops`. Floats
        are rounded half away from zero, and a box has one pixel at least.
    output_shape : int or (int, int)
        Rows and columns of bins.
    channel_axis : int
        The axis of channels.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for little work. Results do not depend on it.

    Returns
    -------
    pooled : (K, rows, columns, C / number of bins) ndarray
        On a GPU if `image` is; boxes that are there are fetched, which waits for the device. Computed later if `image`
        is a dask array, in chunks of consecutive boxes.
        Channels always last; float32 of float16 and float32 images, float64 of others. A bin without pixels, of a box
        that leaves the image, is 0. NaN pixels give NaN.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a complex or masked image, boxes of booleans, no channel axis.
    ValueError
        If an argument has a wrong value or shape: an image without two spatial axes, channels that are no multiple of
        the bins, a box with max < min, a coordinate that is not finite or beyond 2**30.

    Notes
    -----
    torchvision's ``ps_roi_pool`` leaves out the last row and column of the image; here they count, as in its gradient.

    References
    ----------
    .. [1] J. Dai, Y. Li, K. He and J. Sun, "R-FCN: object detection via region-based fully convolutional networks",
       NIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import position_sensitive_roi_pool
    >>> image = np.zeros((6, 6, 4)) + [1, 2, 3, 4]  # channel k is k + 1
    >>> position_sensitive_roi_pool(image, [(0, 0, 4, 4)], 2)[..., 0]
    array([[[1., 2.],
            [3., 4.]]])
    """
    if channel_axis is None:
        raise TypeError("`channel_axis` must be an integer, got None")
    image, _, boxes, output_shape, workers = _checked_arguments(image, boxes, output_shape, channel_axis, workers)
    bins = math.prod(output_shape)
    if image.shape[2] % bins:
        raise ValueError(
            f"`image` must have a multiple of {bins} channels, one of each multiple for each bin of `output_shape` "
            f"{output_shape}, got {image.shape[2]}"
        )
    edges = _at_least_one(_rounded(boxes))
    rule = _backend(image).pixels("avg", image, edges, output_shape, own_channels=True)
    dtype = REDUCTIONS["avg"].result(image.dtype.newbyteorder("="))
    return _run(rule, dtype, image, True, edges, output_shape, 0, workers)


# --- regions of maximum activations of convolutions

#: How far neighbouring regions of the first level should overlap.
RMAC_OVERLAP = Fraction(2, 5)


def rmac_regions(shape, levels=3):
    """Boxes of R-MAC: squares on several scales that cover an image evenly.

    At level l the squares have a side of ``2 min(shape) / (l + 1)``, rounded down. Along the shorter axis there are l
    of them, along the longer one more, so many that neighbours at level 1 overlap by 40 % as nearly as can be; they
    are evenly spaced.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    levels : int
        Number of scales.

    Returns
    -------
    boxes : (K, 4) ndarray of int64
        Half-open ``(min_row, min_col, max_row, max_col)``, level by level, in row-major order within a level.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If `shape` is not two lengths, or the squares of the last level would have no pixel.

    References
    ----------
    .. [1] G. Tolias, R. Sicre and H. Jegou, "Particular object retrieval with integral max-pooling of CNN activations",
       ICLR 2016.

    Examples
    --------
    >>> from skpool import rmac_regions
    >>> rmac_regions((4, 6), levels=1)
    array([[0, 0, 4, 4],
           [0, 2, 4, 6]])

    The R-MAC descriptor of a feature map: the largest value of each channel in each region, normalised and summed.

    >>> import numpy as np
    >>> from skpool import roi_pool
    >>> features = np.random.default_rng(0).random((24, 32, 8))
    >>> regions = rmac_regions(features.shape[:2])
    >>> peaks = roi_pool(features, regions, 1, channel_axis=-1)[:, 0, 0]
    >>> peaks /= np.linalg.norm(peaks, axis=1, keepdims=True)
    >>> descriptor = peaks.sum(axis=0)
    >>> descriptor /= np.linalg.norm(descriptor)
    >>> regions.shape, descriptor.shape
    ((20, 4), (8,))
    """
    if isinstance(shape, str) or not np.iterable(shape):
        raise TypeError(f"`shape` must be a pair of integers, got {shape!r}")
    shape = windows.per_axis(shape, 2, "shape")
    levels = windows.integer(levels, "levels", 1)
    shorter = min(shape)
    if 2 * shorter // (levels + 1) < 1:
        raise ValueError(f"`levels` must be < {2 * shorter} for squares of at least one pixel, got {levels}")
    boxes = []
    for level in range(1, levels + 1):
        side = 2 * shorter // (level + 1)
        starts = [_spread(length - side, level + _more_regions(length, shorter)) for length in shape]
        boxes += [(row, column, row + side, column + side) for row in starts[0] for column in starts[1]]
    return np.array(boxes, dtype=np.int64)


def _more_regions(length, side):
    """How many more squares than one a length takes, overlapping by `RMAC_OVERLAP` as nearly as can be."""
    if length == side:
        return 0
    fewest = max(int((length - side) / (side * (1 - RMAC_OVERLAP))), 1)
    return min((fewest, fewest + 1), key=lambda more: abs(1 - Fraction(length - side, side * more) - RMAC_OVERLAP))


def _spread(room, count):
    """`count` starts, evenly spaced from 0 to `room`; one alone is at 0."""
    return [room * i // max(count - 1, 1) for i in range(count)]
