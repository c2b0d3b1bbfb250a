"""The public functions of windowed pooling: thin faces of `pool`, one for each row of the registry.

`pooled_by` is what they share with windows that are placed otherwise: containers, masks, results and indices.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from . import containers, documents, windows
from .backends import chunked, cpu, gpu
from .plan import axes_of, checked_channel_axis, checked_dtype, make_plan, plan_for, refuse_nan
from .reductions import REDUCTIONS, reduction_named
from .threads import check_workers
from .windows import Sliding


def unwrapped(image, mask, channel_axis, lazy=False):
    """A plain array, and the mask that it or its container gives; a dask array as it is, where `lazy` allows it."""
    if containers.is_labelled(image):
        image, mask = image.data, containers.aligned(mask, image)
    if gpu.is_array(image):
        gpu.refuse("... with image.get() in place of the image")
    if lazy and containers.is_lazy(image):
        return containers.checked_lazy(image), mask
    containers.refuse_lazy(image)
    if isinstance(image, np.ma.MaskedArray):
        own = ~np.ma.getmaskarray(image)
        array = np.asarray(image.data)
        return array, own if mask is None else own & checked_mask(mask, array, channel_axis)
    return np.asarray(image), mask


def checked_mask(mask, image, channel_axis):
    """`mask`, boolean and with the shape of the image."""
    mask = np.asarray(mask)
    _check_boolean(mask)
    return shaped_as(mask, image, channel_axis, "mask")


def checked_lazy_mask(mask, image, channel_axis):
    """`mask` for a dask array: boolean, and of its shape or that of its spatial axes; NumPy's or dask's, as it is."""
    mask = containers.checked_lazy(mask, "mask") if containers.is_lazy(mask) else np.asarray(mask)
    _check_boolean(mask)
    shaped_as(np.broadcast_to(True, mask.shape), image, channel_axis, "mask")
    return mask


def _check_boolean(mask):
    if mask.dtype != np.bool_:
        raise TypeError(f"`mask` must be boolean, True where a pixel counts, got dtype {mask.dtype}")


def shaped_as(array, image, channel_axis, name):
    """What belongs to each pixel, or to each of the spatial axes, with the shape of the image by its strides."""
    if array.shape == image.shape:
        return array
    channel_axis = checked_channel_axis(channel_axis, image.ndim)
    if channel_axis is not None:
        spatial = image.shape[:channel_axis] + image.shape[channel_axis + 1 :]
        if array.shape == spatial:
            return np.broadcast_to(np.expand_dims(array, channel_axis), image.shape)
    rule = "" if channel_axis is None else f" or of its spatial axes {spatial}"
    raise ValueError(f"`{name}` must have the shape of the image {image.shape}{rule}, got {array.shape}")


def _checked_pair(out, kind=np.ndarray):
    """`out` of a call that gives values and indices."""
    if not isinstance(out, tuple | list) or len(out) != 2:
        raise TypeError(f"`out` must be a pair (values, indices) with `return_indices`, got {type(out).__name__}")
    for i, array in enumerate(out):
        if type(array) is not kind:
            raise TypeError(f"`out[{i}]` must be a {_named(kind)} array, got {type(array).__name__}")
    return out


def _named(kind):
    """What an error calls a type of arrays."""
    return "NumPy" if kind is np.ndarray else "CuPy"


def dtype_of(out, dtype, kind=np.ndarray):
    """The result type that `out` stands for."""
    if type(out) is not kind:
        raise TypeError(f"`out` must be a {_named(kind)} array, got {type(out).__name__}")
    checked_dtype(out.dtype, "out")
    if dtype is not None and checked_dtype(dtype) != out.dtype.newbyteorder("="):
        raise ValueError(f"`dtype` must be that of `out` if both are given, got {dtype} and {out.dtype}")
    return out.dtype


def check_out(out, name, shape, dtype, inputs):
    """Refuse `out` if a result of that shape and type cannot be written to it."""
    if type(out) is not type(inputs[0]):
        raise TypeError(f"`{name}` must be a {_named(type(inputs[0]))} array, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}, got {out.shape}")
    if out.dtype != dtype and out.dtype.newbyteorder("=") != dtype:
        raise ValueError(f"`{name}` must have dtype {dtype}, got {out.dtype}")
    if type(out) is np.ndarray and not out.flags.writeable:
        raise ValueError(f"`{name}` must be writable, got a read-only array")
    if 0 in out.strides and out.size and (np.array(out.shape)[np.array(out.strides) == 0] > 1).any():
        raise ValueError(f"`{name}` must have an element of its own for each value, got strides {out.strides}")
    for array in inputs:
        if array is not None and _overlap(out, array):
            raise ValueError(f"`{name}` must not share memory with the image, its mask or the other output")


def _overlap(a, b):
    if type(a) is not np.ndarray:
        return gpu.arrays().may_share_memory(a, b)  # by their bounds: more would wait for the device
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=100_000)
    except np.exceptions.TooHardError:
        return True


class Rules(NamedTuple):
    """What `pooled_by` takes by keyword, for functions that pool in a way of their own."""

    cval: object = 0
    mask: object = None
    nan_policy: str = "propagate"
    min_count: int = 1
    fill_value: object = None
    channel_axis: int | None = None
    dtype: object = None
    out: object = None
    workers: int | None = None

    @property
    def of_plan(self):
        """What `make_plan` takes of them."""
        names = ("cval", "nan_policy", "min_count", "fill_value", "channel_axis", "dtype")
        return {name: getattr(self, name) for name in names}

    @property
    def of_average(self):
        """What `skpool.averages.averaged` takes of them, in its order."""
        return self.min_count, self.fill_value, self.dtype, self.out, self.workers


def pooled_by(
    kind,
    layout,
    image,
    reduction,
    reduction_parameters=None,
    *,
    cval=0,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    channel_axis=None,
    dtype=None,
    out=None,
    workers=None,
):
    """Pool the windows of a layout, of that kind and with these arguments (`skpool.windows`).

    The rest is as `pool` takes it, and so is the result.
    """
    reduction_parameters = reduction_parameters or {}
    masked_array = lazy = False
    if type(image) is not np.ndarray:
        given = {"channel_axis": channel_axis, "dtype": dtype, "out": out, "workers": workers}
        given |= {"cval": cval, "nan_policy": nan_policy, "min_count": min_count, "fill_value": fill_value}
        if containers.is_labelled(image):
            return with_labels(pooled_by, kind, layout, image, reduction, reduction_parameters, mask=mask, **given)
        if gpu.is_array(image):
            return pooled_on_gpu(kind, layout, image, reduction, reduction_parameters, mask, **given)
        masked_array, lazy = isinstance(image, np.ma.MaskedArray), containers.is_lazy(image)
        image, mask = unwrapped(image, mask, channel_axis, lazy=True)
    return_indices = bool(reduction_parameters) and taken_return_indices(reduction, reduction_parameters)
    if workers is not None:
        workers = check_workers(workers)
    places = None
    if out is not None:
        if lazy:
            containers.refuse_out(out)
        if return_indices:
            out, places = _checked_pair(out)
        dtype = dtype_of(out, dtype)
    plan = plan_for(
        kind,
        layout,
        image.shape,
        image.dtype,
        reduction,
        cval,
        nan_policy,
        min_count,
        fill_value,
        channel_axis,
        dtype,
        **reduction_parameters,
    )
    if lazy:
        return _lazily(plan, image, mask, nan_policy, return_indices)
    if mask is not None:
        mask = checked_mask(mask, image, channel_axis)
    if out is not None:
        check_out(out, "out", plan.shape, plan.dtype, (image, mask, places))
    if places is not None:
        check_out(places, "out[1]", plan.shape, np.dtype(np.int64), (image, mask))
    elif return_indices:
        places = np.empty(plan.shape, np.int64)
    if nan_policy == "raise":
        _refuse_nan(plan, image, mask, workers)
    result = cpu.run(plan, image, mask=mask, out=out, places=places, workers=workers)
    if masked_array:
        result = _masked(result, plan, image, mask, workers)
    return (result, places) if return_indices else result


def _lazily(plan, image, mask, nan_policy, return_indices):
    """`pooled_by` for a dask array."""
    if mask is not None:
        mask = checked_lazy_mask(mask, image, plan.channel_axis)
    raises = nan_policy == "raise"
    compute = functools.partial(_chunk, raises=raises, return_indices=return_indices)
    return chunked.run(compute, plan, image, mask, token=raises, results=1 + return_indices)


def _chunk(part, image, mask=None, *, raises, return_indices):
    """What a task of dask computes."""
    plan, masked_array = part.plan, isinstance(image, np.ma.MaskedArray)
    image, mask = unwrapped(image, mask, plan.channel_axis)
    if mask is not None:
        mask = checked_mask(mask, image, plan.channel_axis)
    places = np.empty(plan.shape, np.int64) if return_indices else None
    if raises:
        _refuse_nan(plan, image, mask, 1)
    result = cpu.run(plan, image, mask=mask, places=places, workers=1)
    if masked_array:
        result = _masked(result, plan, image, mask, 1)
    return (result, part.of_image(places)) if return_indices else result


def with_labels(place, kind, layout, image, reduction, parameters, mask, **given):
    """What `place`, which pools as `pooled_by` does, makes of a labelled array."""
    mask = containers.aligned(mask, image)
    pooled = place(kind, layout, image.data, reduction, parameters, mask=mask, **given)
    axes = axes_of(image.shape, given["channel_axis"], kind(*layout))
    return containers.labelled(pooled, image, axes)


def pool(
    image,
    window_shape=None,
    reduction="max",
    *,
    stride=None,
    padding=0,
    dilation=1,
    ceil_mode=True,
    mode="ignore",
    cval=0,
    footprint=None,
    mask=None,
    nan_policy="propagate",
    min_count=1,
    fill_value=None,
    channel_axis=None,
    dtype=None,
    out=None,
    workers=None,
    **reduction_parameters,
):
    return pooled_by(
        Sliding,
        (window_shape, stride, padding, dilation, ceil_mode, mode, footprint),
        image,
        reduction,
        reduction_parameters,
        cval=cval,
        mask=mask,
        nan_policy=nan_policy,
        min_count=min_count,
        fill_value=fill_value,
        channel_axis=channel_axis,
        dtype=dtype,
        out=out,
        workers=workers,
    )


def _refuse_nan(plan, image, mask, workers):
    if _counts_nan(plan, image, mask, workers):
        refuse_nan()


def _masked(result, plan, image, mask, workers):
    """Results as a masked array has them: masked where windows count too few samples."""
    few = _counts(plan, image, mask, workers, plan.omit_nan) < plan.min_count
    return np.ma.MaskedArray(result, few, fill_value=plan.fill_value)


def _counts(plan, image, mask, workers, omit_nan):
    """How many samples each window of a plan counts."""
    return cpu.run(plan.counting(omit_nan), image, mask=mask, workers=workers)


def _counts_nan(plan, image, mask, workers):
    """Whether some window counts a NaN; one that is masked, or that no window looks at, is none."""
    if image.dtype.kind != "f" or not image.size:
        return False
    if not np.isnan(image.min()) and not (plan.is_constant_padded and np.isnan(plan.cval)):
        return False
    return bool((_counts(plan, image, mask, workers, True) != _counts(plan, image, mask, workers, False)).any())


def pooled_on_gpu(
    kind, layout, image, reduction, parameters, mask, *, channel_axis, dtype, out, workers, run=gpu.run, **rules
):
    """`pooled_by` for an array on a GPU; the result is there, too.

    `run` is called as `gpu.run`, with the plan and checked arrays. It raises an error where NaN counts that must not,
    after it has written to `out`: to look first would take as long again.
    """
    image = gpu.as_array(image)
    return_indices = taken_return_indices(reduction, parameters)
    check_workers(workers)
    places = None
    if out is not None:
        if return_indices:
            out, places = _checked_pair(out, type(image))
        dtype = dtype_of(out, dtype, type(image))
    order = ("cval", "nan_policy", "min_count", "fill_value")
    ruled = (rules[name] for name in order)
    plan = plan_for(kind, layout, image.shape, image.dtype, reduction, *ruled, channel_axis, dtype, **parameters)
    mask, mask_strides = checked_device_mask(mask, image, plan.channel_axis)
    if out is not None:
        check_out(out, "out", plan.shape, plan.dtype, (image, mask, places))
    if places is not None:
        check_out(places, "out[1]", plan.shape, np.dtype(np.int64), (image, mask))
    elif return_indices:
        places = gpu.empty(plan.shape, np.int64, image)
    if any(array is not None and array.device != image.device for array in (out, places)):
        raise ValueError("`out` must be on the device of the image, got another")
    arrays = {"mask": mask, "mask_strides": mask_strides, "out": out, "places": places}
    result = run(plan, image, **arrays, raises=rules["nan_policy"] == "raise")
    return (result, places) if return_indices else result


def checked_device_mask(mask, image, channel_axis):
    """`mask` on the device of the image, boolean, and its strides with the shape of the image; or None and None."""
    if mask is None:
        return None, None
    _, mask = gpu.together(image=image, mask=mask)
    _check_boolean(mask)
    # Nothing but shape and strides is looked at.
    standing = np.lib.stride_tricks.as_strided(np.empty(1, mask.dtype), mask.shape, mask.strides)
    return mask, shaped_as(standing, image, channel_axis, "mask").strides


def taken_return_indices(reduction, parameters):
    """Take `return_indices` out of a reduction's keywords; true if it was asked for."""
    if "return_indices" not in parameters:
        return False
    if not reduction_named(reduction).indices:
        having = ", ".join(repr(row.name) for row in REDUCTIONS.values() if row.indices)
        raise TypeError(f"`return_indices` is a parameter of reductions {having}, not of {reduction!r}")
    return windows.flag(parameters.pop("return_indices"), "return_indices")


# --- what is not pooling but belongs to it


def pooled_shape(shape, window_shape=None, *, stride=None, padding=0, dilation=1, ceil_mode=True, channel_axis=None):
    """Shape of what pooling gives, without pooling.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image.
    window_shape, stride, padding, dilation, ceil_mode, channel_axis
        As `pool` takes them.

    Returns
    -------
    tuple of int

    Raises
    ------
    TypeError, ValueError
        As `pool` does.

    Examples
    --------
    ResNet's first pooling, and what the default of keeping partial windows makes of it:

    >>> from skpool import pooled_shape
    >>> pooled_shape((112, 112), 3, stride=2, padding=1, ceil_mode=False)
    (56, 56)
    >>> pooled_shape((112, 112), 3, stride=2, padding=1)
    (57, 57)
    """
    return _geometry(shape, window_shape, stride, padding, dilation, ceil_mode, channel_axis).shape


def pooled_coords(shape, window_shape=None, *, stride=None, padding=0, dilation=1, ceil_mode=True, channel_axis=None):
    """Centre of each window in image coordinates, without pooling.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image.
    window_shape, stride, padding, dilation, ceil_mode, channel_axis
        As `pool` takes them.

    Returns
    -------
    tuple of ndarray
        One 1-D float64 array for each spatial axis. Sample ``i`` of the image is centred at coordinate ``i``. A
        partial window has the centre of a whole one.

    Raises
    ------
    TypeError, ValueError
        As `pool` does.

    Examples
    --------
    >>> from skpool import pooled_coords
    >>> rows, columns = pooled_coords((4, 6), (2, 3))
    >>> rows
    array([0.5, 2.5])
    >>> columns
    array([1., 4.])
    """
    plan = _geometry(shape, window_shape, stride, padding, dilation, ceil_mode, channel_axis)
    return tuple(axis.centers for i, axis in enumerate(plan.axes) if i != plan.channel_axis)


def _geometry(shape, window_shape, stride, padding, dilation, ceil_mode, channel_axis):
    """A plan that is made for its windows only."""
    shape = windows.checked_shape(shape)
    layout = Sliding(window_shape, stride, padding, dilation, ceil_mode)
    return make_plan(shape, np.dtype(np.uint8), "max", layout, channel_axis=channel_axis)


# --- one function for each row of the registry


def _example(row):
    text = documents.example_of(row, f"{row.name}_pool")
    if row.indices:
        index = 1 if row.name == "max" else 0
        text += f"\n>>> {row.name}_pool({row.example[0]}, return_indices=True)[1]\narray([[{index}]])"
    return text


def _function(row):
    """The public function of one row."""

    def function(image, window_shape=None, **keywords):
        return pool(image, window_shape, row.name, **keywords)

    return documents.named(function, pool, row, "", row.summary, "One value for each window", _example(row))


documents.general(
    pool,
    "Reduce each window of an image to one value.",
    "pooled : ndarray\n    One value for each window; with ``return_indices`` a pair, as `max_pool` gives.",
    """\
>>> import numpy as np
>>> from skpool import pool
>>> image = np.arange(16.0).reshape(4, 4)
>>> pool(image, 2, "avg")
array([[ 2.5,  4.5],
       [10.5, 12.5]])
>>> pool(image, 3, "max", stride=1)
array([[10., 11.],
       [14., 15.]])""",
)

#: Named function of each reduction: ``max_pool`` and its kin.
FUNCTIONS = {f"{name}_pool": _function(row) for name, row in REDUCTIONS.items()}
globals().update(FUNCTIONS)

__all__ = ["pool", "pooled_coords", "pooled_shape", *FUNCTIONS]
