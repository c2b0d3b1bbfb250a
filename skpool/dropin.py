"""scikit-image's two pooling functions on skpool's kernels, and how to put them in its place.

Design: scikit-image's own code decides what a call means. A table says which NumPy functions the kernels
compute, and for which images with NumPy's result, result type and warnings. Every other call (another
callable, a keyword of it, a complex or empty image, a wrong argument) is handed over as it came, so that what
it gives or raises is the original's by construction. Where a float result is not finite and a NaN in its block
is not the only possible reason, NumPy may have warned, so the original decides that too.
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import containers
from .backends import chunked, cpu
from .backends.gpu import on_cpu_only
from .plan import PLANS_KEPT, checked_image_dtype, make_plan
from .reductions import REDUCTIONS, representable
from .windows import Sliding, sliding

__all__ = ["block_reduce", "downscale_local_mean", "patch_skimage", "patched", "unpatch_skimage"]

# --- which NumPy functions the kernels compute

_BOOLEAN = ("b1",)
_INTEGER = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
_ALL = (*_BOOLEAN, *_INTEGER, "f2", "f4", "f8")
# NumPy keeps some intermediate results in float16, where they overflow; the kernels keep none.
_ALL_BUT_HALF = tuple(name for name in _ALL if name != "f2")
# NumPy's two passes in float64 are better than the kernels' one wherever the mean is large beside the deviation.
_SINGLE = ("f4",)


@dataclass(frozen=True, eq=False)
class Known:
    """A function of NumPy and the reduction that gives the same.

    Attributes
    ----------
    func : callable
        The function.
    reduction : str
        A name in the registry.
    images : tuple of str
        The types of images for which both agree.
    omit : bool
        Whether NaN is left out.
    fill : float or None
        The value of a block without samples, if that is not the reduction's own.
    """

    func: Callable
    reduction: str
    images: tuple[str, ...] = _ALL
    omit: bool = False
    fill: float | None = None

    @property
    def takes_ddof(self):
        """Whether the reduction has the parameter ``ddof``, as the function does."""
        return "ddof" in REDUCTIONS[self.reduction].parameters

    @property
    def is_arithmetic(self):
        """Whether a result can overflow; otherwise it is one of the samples."""
        return self.reduction not in ("max", "min")

    def result_dtype(self, dtype):
        """Type of the function's results for images of a native type."""
        return self.func(np.ones(1, dtype), axis=(0,)).dtype


_KNOWN = (
    Known(np.sum, "sum"),
    Known(np.mean, "avg"),
    Known(np.average, "avg", _ALL_BUT_HALF),
    Known(np.max, "max"),
    Known(np.amax, "max"),
    Known(np.min, "min"),
    Known(np.amin, "min"),
    Known(np.ptp, "range", (*_INTEGER, "f2", "f4", "f8")),
    Known(np.var, "var", _SINGLE),
    Known(np.std, "std", _SINGLE),
    Known(np.any, "max", _BOOLEAN),
    Known(np.all, "min", _BOOLEAN),
    Known(np.count_nonzero, "sum", _BOOLEAN),
    Known(np.nansum, "sum", omit=True, fill=0),
    Known(np.nanmean, "avg", _ALL_BUT_HALF, omit=True),
    Known(np.nanmax, "max", omit=True),
    Known(np.nanmin, "min", omit=True),
    Known(np.nanvar, "var", _SINGLE, omit=True),
    Known(np.nanstd, "std", _SINGLE, omit=True),
)

# By identity: a callable may be unhashable, or equal to a function that it is not.
_KNOWN_BY_ID = {id(known.func): known for known in _KNOWN}

#: The most samples of a block that every kernel can count.
_MOST_SAMPLES = 2**31 - 1


def _is_plain(image):
    """Whether scikit-image takes `image` for a plain array; it drops masks."""
    return type(image) is np.ndarray or type(image) in (np.memmap, np.ma.MaskedArray)


def _block(block_size, ndim):
    """`block_size` as a tuple of ints, or None unless it is a valid int or tuple of ints."""
    if type(block_size) in (int, np.intp):
        block_size = (block_size,) * ndim
    if type(block_size) is not tuple or len(block_size) != ndim:
        return None
    if any(type(size) not in (int, np.intp) or size < 1 for size in block_size):
        return None
    return tuple(map(int, block_size))


def _ddof(known, func_kwargs):
    """``ddof`` of a call, or None if its keywords are not understood."""
    if func_kwargs is None:
        return 0
    if type(func_kwargs) is not dict:
        return None
    ddof = func_kwargs.get("ddof", 0)
    if len(func_kwargs) > ("ddof" in func_kwargs and known.takes_ddof) or type(ddof) is not int:
        return None
    return ddof


@functools.lru_cache(maxsize=PLANS_KEPT, typed=True)
def _plan_and_dtype(known, shape, image_dtype, block, cval, ddof):
    """What to compute and the type of the result, or None if the original must.

    `cval` is None where nothing is padded.
    """
    try:
        native = checked_image_dtype(image_dtype).newbyteorder("=")
        constant = representable(0 if cval is None else cval, native, "cval")
    except (TypeError, ValueError):
        return None
    samples = math.prod(block)
    if native.str[1:] not in known.images:
        return None
    if samples > _MOST_SAMPLES or not 0 <= ddof < samples:
        return None
    dtype = known.result_dtype(native)
    plan = make_plan(
        shape,
        image_dtype,
        known.reduction,
        Sliding(
            block,
            padding=tuple((0, -length % size) for length, size in zip(shape, block, strict=True)),
            mode="constant",
        ),
        cval=constant,
        nan_policy="omit" if known.omit else "propagate",
        fill_value=known.fill,
        dtype=dtype if dtype.kind == "f" else None,
        **({"ddof": ddof} if known.takes_ddof else {}),
    )
    # Integers of another type must have the same bits: NumPy's range of signed ones wraps.
    return (plan, dtype) if plan.dtype.itemsize == dtype.itemsize else None


def _empty_result(image, plan, dtype, block, cval):
    """An array for the result in the memory order that `numpy.pad` and NumPy's reductions give it."""
    flags = image.flags
    if flags.c_contiguous or (cval is not None and not flags.fnc):
        return np.empty(plan.shape, dtype)
    corners = image[tuple(slice(None, None, size) for size in block)]
    return np.empty_like(corners, dtype, order="K")


def _repeats(image):
    """Whether an axis has a stride of 0, as `numpy.broadcast_to` makes it: NumPy has no one order for it."""
    return 0 in image.strides and any(
        stride == 0 and length > 1 for stride, length in zip(image.strides, image.shape, strict=True)
    )


def _can_overflow(known, image, cval, samples, dtype):
    """Whether an infinity, or a sum too large for the type, can be why a result is not finite; else it is a NaN."""
    peaks = np.fmax.reduce(image, axis=None), np.fmin.reduce(image, axis=None), cval or 0
    peak = 2 * max((abs(float(value)) for value in peaks if value == value), default=0.0)
    return samples * peak * (peak if known.takes_ddof else 1) > float(np.finfo(dtype).max)


def _reduced(image, block_size, func, cval, func_kwargs):
    """What the original gives, or None if the original must be called."""
    known = _KNOWN_BY_ID.get(id(func))
    if known is None or not _is_plain(image) or not image.size or not image.ndim:
        return None
    block = _block(block_size, image.ndim)
    ddof = _ddof(known, func_kwargs)
    if block is None or ddof is None:
        return None
    if not any(map(int.__mod__, image.shape, block)):
        cval = None  # nothing is padded, so the original never looks at it
    elif not isinstance(cval, int | float | np.generic) or str(cval) == "-0.0" or np.asarray(cval).dtype == object:
        return None  # -0.0 would find the plan of 0.0
    found = _plan_and_dtype(known, image.shape, image.dtype, block, cval, ddof)
    image = np.asarray(image)
    if found is None or _repeats(image):
        return None
    plan, dtype = found
    result = _empty_result(image, plan, dtype, block, cval)
    cpu.run(plan, image, out=result if dtype == plan.dtype else result.view(plan.dtype))
    if dtype.kind != "f" or image.dtype.kind != "f" or not (known.is_arithmetic or known.omit):
        return result
    if np.isfinite(result).all():
        return result
    if known.is_arithmetic and _can_overflow(known, image, cval, math.prod(block), dtype):
        return None
    if known.omit and np.isnan(result).any():
        # NumPy itself issues its warning, from where it would.
        nothing = np.full((1,) * image.ndim, np.nan, image.dtype)
        _originals()["block_reduce"](nothing, 1, func, 0, func_kwargs)
    return result


# --- dask arrays: each chunk of blocks is reduced by itself


def _lazily(function, image, block_size, *rest):
    """A drop-in for a dask array, which scikit-image does not take: chunks of whole blocks."""
    import dask.array as da

    image = containers.checked_lazy(image)
    result = function(np.ones((1,) * image.ndim, image.dtype), block_size, *rest)  # raises what is wrong
    if 0 in image.shape:
        return da.from_array(function(np.empty(image.shape, image.dtype), block_size, *rest))
    block = (block_size,) * image.ndim if np.isscalar(block_size) else tuple(map(int, block_size))
    axes = [sliding(length, size, size) for length, size in zip(image.shape, block, strict=True)]
    chunks = tuple(map(chunked.output_chunks, axes, image.chunks))
    parts = [
        [((taken.start * size, min(taken.stop * size, length)), None) for taken in chunked.slices(sizes)]
        for sizes, size, length in zip(chunks, block, image.shape, strict=True)
    ]
    compute = functools.partial(_of_blocks, function, block_size, rest)
    token = (block_size, *rest)
    return chunked.gathered(compute, image, parts, chunks, result.dtype, name=function.__name__, token=token)


def _of_blocks(function, block_size, rest, parts, image):
    return function(image, block_size, *rest)


# --- the drop-ins


@on_cpu_only
def block_reduce(image, block_size=2, func=np.sum, cval=0, func_kwargs=None):
    """Downsample an image by applying a function to blocks: `skimage.measure.block_reduce`, faster.

    Parameters
    ----------
    image : (M[, ...]) ndarray
        Image of any number of axes. Masks are dropped, as scikit-image does. A dask array gives one that is computed
        later, chunk by chunk; of a function that is scikit-image's, sums may differ from the whole's by rounding.
    block_size : int or tuple of int
        Samples of a block along each axis. The image is padded at its ends up to whole blocks.
    func : callable
        Function of a block that takes ``axis``. Run on skpool's kernels: `numpy.sum`, `numpy.mean`,
        `numpy.average`, `numpy.max`, `numpy.min`, `numpy.ptp`; for float32 images also `numpy.var` and
        `numpy.std`, for boolean ones `numpy.any`, `numpy.all` and `numpy.count_nonzero`; and the ``nan`` forms
        of these. Any other is scikit-image's.
    cval : scalar
        What the image is padded with.
    func_kwargs : dict, optional
        Keyword arguments of `func`. With another than ``ddof``, scikit-image's own code is called.

    Returns
    -------
    ndarray
        As scikit-image gives it: its type, its memory order, and for max, min and integers its bits. Floats
        differ by rounding alone; where an intermediate sum of NumPy overflows, they may be finite instead.

    Raises
    ------
    TypeError, ValueError
        As scikit-image does.

    See Also
    --------
    skpool.pool : Any window, stride and padding.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import block_reduce
    >>> image = np.arange(15).reshape(3, 5)
    >>> block_reduce(image, 2, np.max)
    array([[ 6,  8,  9],
           [11, 13, 14]])
    >>> block_reduce(image, (3, 1), np.mean)
    array([[5., 6., 7., 8., 9.]])
    """
    if containers.is_lazy(image):
        return _lazily(block_reduce, image, block_size, func, cval, func_kwargs)
    result = _reduced(image, block_size, func, cval, func_kwargs)
    if result is None:
        return _originals()["block_reduce"](image, block_size, func, cval, func_kwargs)
    return result


@on_cpu_only
def downscale_local_mean(image, factors, cval=0, clip=True):
    """Downsample an image by averaging blocks: `skimage.transform.downscale_local_mean`, faster.

    Parameters
    ----------
    image : (M[, ...]) ndarray
        Image of any number of axes.
    factors : int or tuple of int
        Samples of a block along each axis. The image is padded at its ends up to whole blocks.
    cval : scalar
        What the image is padded with.
    clip : bool
        Unused, as in scikit-image.

    Returns
    -------
    ndarray
        The means: float64 for integers, else of the image's type.

    Raises
    ------
    TypeError, ValueError
        As scikit-image does.

    See Also
    --------
    skpool.avg_pool : Averages of the samples alone, without the padding.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool import downscale_local_mean
    >>> downscale_local_mean(np.arange(15).reshape(3, 5), (2, 3))
    array([[3.5, 4. ],
           [5.5, 4.5]])
    """
    if containers.is_lazy(image):
        return _lazily(downscale_local_mean, image, factors, cval, clip)
    result = _reduced(image, factors, np.mean, cval, None)
    if result is None:
        return _originals()["downscale_local_mean"](image, factors, cval, clip)
    return result


# --- in scikit-image's place

_DROP_INS = {"block_reduce": block_reduce, "downscale_local_mean": downscale_local_mean}

#: Packages of scikit-image; from 0.27 on, the second holds the code of both interfaces.
_PACKAGES = frozenset({"skimage", "_skimage2", "skimage2"})


class _Patch:
    """Who wants the drop-ins in scikit-image's place; `lock` guards this and the modules of scikit-image."""

    lock = threading.RLock()
    originals: dict[str, Callable] | None = None
    kept = False
    blocks = 0


def _originals():
    """scikit-image's own functions, by name; imported when first needed."""
    if _Patch.originals is None:
        with _Patch.lock:
            import skimage.measure
            import skimage.transform

            originals = {
                "block_reduce": skimage.measure.block_reduce,
                "downscale_local_mean": skimage.transform.downscale_local_mean,
            }
            if _Patch.originals is None:
                for name, original in originals.items():
                    if original is _DROP_INS[name]:
                        raise RuntimeError(
                            f"scikit-image's own `{name}` must be in its place when skpool first needs it, "
                            "but skpool's is there; call `skpool.patch_skimage()` to put it there"
                        )
                _Patch.originals = originals
    return _Patch.originals


def _update():
    """Have scikit-image's modules refer to the drop-ins if anyone wants them, else to the originals."""
    is_wanted = _Patch.kept or _Patch.blocks
    if not is_wanted and _Patch.originals is None:
        return  # they have never been there
    wanted, unwanted = (_DROP_INS, _originals()) if is_wanted else (_originals(), _DROP_INS)
    replacement = {id(unwanted[name]): wanted[name] for name in wanted}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _PACKAGES:
            for attribute, value in list(getattr(module, "__dict__", {}).items()):
                if id(value) in replacement:
                    setattr(module, attribute, replacement[id(value)])


def patch_skimage():
    """Put the drop-ins in scikit-image's place, for the whole process.

    Every module of scikit-image that refers to `block_reduce` or `downscale_local_mean` then refers to
    skpool's. Calling it again changes nothing. What other modules imported before, for instance by
    ``from skimage.measure import block_reduce``, stays what it is.

    See Also
    --------
    unpatch_skimage, patched

    Examples
    --------
    >>> import skimage.measure
    >>> import skpool
    >>> skpool.patch_skimage()
    >>> skimage.measure.block_reduce is skpool.block_reduce
    True
    >>> skpool.unpatch_skimage()
    >>> skimage.measure.block_reduce is skpool.block_reduce
    False
    """
    with _Patch.lock:
        _Patch.kept = True
        _update()


def unpatch_skimage():
    """Undo `patch_skimage`; within ``with patched():`` that happens at its end.

    See Also
    --------
    patch_skimage, patched

    Examples
    --------
    >>> import skpool
    >>> skpool.unpatch_skimage()  # without patch_skimage, this changes nothing
    """
    with _Patch.lock:
        _Patch.kept = False
        _update()


@contextlib.contextmanager
def patched():
    """Have the drop-ins in scikit-image's place within a ``with`` block, or a function that this decorates.

    Blocks may be nested and may overlap in several threads: the originals return at the end of the last one,
    unless `patch_skimage` was called.

    See Also
    --------
    patch_skimage, unpatch_skimage

    Examples
    --------
    >>> import skimage.transform
    >>> import skpool
    >>> with skpool.patched():
    ...     skimage.transform.downscale_local_mean is skpool.downscale_local_mean
    True
    >>> skimage.transform.downscale_local_mean is skpool.downscale_local_mean
    False
    """
    with _Patch.lock:
        _Patch.blocks += 1
        _update()
    try:
        yield
    finally:
        with _Patch.lock:
            _Patch.blocks -= 1
            _update()
