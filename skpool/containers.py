"""Images in containers: dask arrays and `xarray.DataArray`, known without importing either.

Masked arrays, which NumPy has itself, are taken apart where they are pooled.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np

from .backends import cpu, gpu
from .plan import make_plan
from .windows import Tables


def _is(value, module, name):
    """Whether a value is of a class of another package, which nobody can have made without importing it."""
    found = sys.modules.get(module)
    return found is not None and isinstance(value, getattr(found, name, ()))


def is_lazy(value):
    """Whether a value is a dask array."""
    return _is(value, "dask.array", "Array")


def is_labelled(value):
    """Whether a value is an `xarray.DataArray`."""
    return _is(value, "xarray", "DataArray")


def is_masked(value):
    """Whether a value, or what its container holds, is a masked array."""
    if is_labelled(value):
        return is_masked(value.data)
    return isinstance(value._meta if is_lazy(value) else value, np.ma.MaskedArray)


def as_array(image):
    """An image as it is, if it is in a container, masked or on a GPU; else as an array."""
    if is_lazy(image):
        return checked_lazy(image)
    is_kept = is_labelled(image) or isinstance(image, np.ma.MaskedArray) or gpu.is_array(image)
    return image if is_kept else np.asarray(image)


def refuse_lazy(array, name="image"):
    """Refuse a dask array, where only arrays in memory will do; `name` is what an error calls it."""
    if is_lazy(array):
        raise NotImplementedError(
            f"`{name}` must be in memory with these arguments, got a dask array: give it `{name}.compute()`"
        )


def refuse_masked_chunks(image):
    """Refuse masked arrays where the result is computed later, by tasks that need masks as arrays of their own."""
    if is_masked(image):
        raise NotImplementedError("`image` must not be a dask array of masked arrays: give the mask as `mask`")


def refuse_out(out):
    """Refuse `out`, where the result is a dask array."""
    if out is not None:
        raise TypeError(f"`out` must be left out for a dask array, which is computed later, got {type(out).__name__}")


def squeezed(array, axes):
    """An array without these axes, which have one sample each."""
    if is_labelled(array):
        return array.isel({array.dims[axis]: 0 for axis in axes}, drop=True)
    return array.squeeze(axes)


def checked_lazy(array, name="image"):
    """A dask array, if its shape is known and its chunks are NumPy's; `name` is what an error calls it."""
    if any(math.isnan(length) for length in array.shape):
        raise ValueError(
            f"`{name}` must have chunks of known sizes, got shape {array.shape}: call its `compute_chunk_sizes()` first"
        )
    if not isinstance(array._meta, np.ndarray):
        raise TypeError(f"`{name}` must be a dask array of NumPy arrays, got one of {type(array._meta).__name__}")
    return array


# --- labelled arrays


def aligned(mask, image):
    """The values of a mask that belongs to a labelled image, its dimensions in the image's order if it has names."""
    if not is_labelled(mask):
        return mask
    strange = [name for name in mask.dims if name not in image.dims]
    if strange:
        raise ValueError(f"`mask` must have dimensions of the image {image.dims}, got {strange}")
    return mask.transpose(*[name for name in image.dims if name in mask.dims]).data


def labelled(pooled, image, axes):
    """Pooled values with the dimensions, coordinates, attributes and name of the labelled image that they are of.

    Coordinates that depend on pooled dimensions become the mean of those of each window's samples: of numbers and
    times. Others that do are left out; all else is kept.

    Parameters
    ----------
    pooled : array, or a pair of them
        Of the image's number of axes. Of a pair, the second gets neither attributes nor name.
    image : xarray.DataArray
    axes : sequence of Axis
        The windows along each of its axes.

    Returns
    -------
    xarray.DataArray, or a pair of them
    """
    if isinstance(pooled, tuple):
        values, places = (labelled(array, image, axes) for array in pooled)
        places.name, places.attrs = None, {}
        return values, places
    windows = dict(zip(image.dims, axes, strict=True))
    changed = {dim for dim, axis in windows.items() if not axis.identity}
    moved = [key for key, coordinate in image.coords.items() if changed & set(coordinate.dims)]
    kept = image.coords.to_dataset().drop_vars(moved).coords
    result = type(image)(pooled, dims=image.dims, coords=kept, name=image.name, attrs=image.attrs)
    for key in moved:
        coordinate = image.coords[key].variable
        if coordinate.dtype.kind in "iufmM" and coordinate.dtype.itemsize <= 8:
            mean = _mean(np.asarray(coordinate.values), [windows[dim] for dim in coordinate.dims])
            result = result.assign_coords({key: (coordinate.dims, mean, coordinate.attrs)})
    return result


def relabelled(image, values):
    """An image with the dimensions, attributes and name of the labelled values that were spread over it.

    Coordinates are left out that depend on dimensions of another length. An image of another number of axes is given
    as it is.
    """
    if image.ndim != values.ndim:
        return image
    changed = {
        dim for dim, *lengths in zip(values.dims, values.shape, image.shape, strict=True) if len(set(lengths)) > 1
    }
    moved = [key for key, coordinate in values.coords.items() if changed & set(coordinate.dims)]
    kept = values.coords.to_dataset().drop_vars(moved).coords
    return type(values)(image, dims=values.dims, coords=kept, name=values.name, attrs=values.attrs)


def _mean(coordinate, axes):
    """The mean coordinate of the samples of each window; padding has none."""
    tables = tuple(replace(axis, mode="ignore") for axis in axes)
    if coordinate.dtype.kind in "mM":
        counts = coordinate.astype(coordinate.dtype.newbyteorder("=")).view(np.int64)
        missing = np.iinfo(np.int64).min  # not a time
        plan = make_plan(counts.shape, counts.dtype, "avg", Tables(tables), dtype=np.int64, fill_value=missing)
        return cpu.run(plan, counts, mask=~np.isnat(coordinate)).view(coordinate.dtype.newbyteorder("="))
    return cpu.run(make_plan(coordinate.shape, coordinate.dtype, "avg", Tables(tables)), coordinate)
