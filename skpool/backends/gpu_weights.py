"""Averages with weights of pixels on a GPU (cuda/weights.cu)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .. import windows
from .cpu import columns_and_channels
from .gpu import (
    MOST_BLOCKS,
    NOTHING,
    THREADS,
    empty,
    heed,
    kept_bytes,
    launch_kernel,
    type_of,
    words_of,
    workspace,
)

_FILE = "weights.cu"

#: Words of the sums of a block of pixels, or of one of its columns.
_SUMS = 3


def windowed(weights, name, cval, plan, image, *, mask=None, mask_strides=None, out=None, places=None, raises=False):
    """Windows with weights, of pixels with weights; the rest is as `gpu.run` takes it, and this waits for the device.

    Parameters
    ----------
    weights : cupy.ndarray
        Of any type, and with the strides of the image: see `skpool.averages.device_weights`.
    name : str
        What an error calls the weights.
    cval : number
        The constant of the padding, which has the weight 1.
    """

    def launch(device, inputs, space, out, table):
        launch_kernel(_FILE, names_of_windowed(plan, weights.dtype), device, 0, out.size, (*inputs, out, table))

    return _run(weights, name, plan, plan, image, (mask, mask_strides), out, raises, 0, launch, {"first": float(cval)})


def names_of_windowed(plan, weights):
    """The kernel for pixels, weights and results of some types."""
    types = ", ".join(f"skpool::{type_of(dtype)}" for dtype in (plan.image_dtype, weights, plan.dtype))
    return (f"skpool::average_of_weighted<{types}, {columns_and_channels(plan)[0]}>",)


def whole(weights, name, slices, plan, image, *, mask=None, mask_strides=None, out=None, places=None, raises=False):
    """Whole images of pixels with weights: sums of blocks, and the sum of these; else as `windowed`.

    Parameters
    ----------
    slices : int
        Along the first spatial axis, of a block.
    """
    along = int(plan.channel_axis == 0)
    length = image.shape[along]
    begins = np.arange(0, length, slices)
    axes = list(plan.axes)
    axes[along] = windows.between(length, begins, np.append(begins[1:], length))
    blocks = replace(plan, axes=tuple(axes))
    columns = columns_and_channels(blocks)[0]
    names = names_of_whole(blocks, weights.dtype)
    sums, count = math.prod(blocks.shape), math.prod(plan.shape)
    working = min(sums, MOST_BLOCKS)

    def launch(device, inputs, space, out, table):
        launch_kernel(_FILE, names, device, 0, working * THREADS, (*inputs, space, table))
        hops = (1, len(begins)) if plan.channel_axis == 0 else (count, 1)
        hops = *hops, 0 if plan.channel_axis is None else out.strides[plan.channel_axis]
        sizes = map(np.int64, (count, len(begins), *hops))
        launch_kernel(_FILE, names, device, 1, count, (space, out, table, *sizes))

    room = _SUMS * (sums + working * blocks.axes[columns].most_taps)
    return _run(weights, name, plan, blocks, image, (mask, mask_strides), out, raises, room, launch)


def names_of_whole(blocks, weights):
    """The kernels for a plan of blocks and weights of some type."""
    pixel, weight, out = (f"skpool::{type_of(dtype)}" for dtype in (blocks.image_dtype, weights, blocks.dtype))
    columns = columns_and_channels(blocks)[0]
    return f"skpool::sum_blocks<{pixel}, {weight}, {columns}>", f"skpool::join_blocks<{pixel}, {out}>"


def _run(weights, name, plan, read, image, masks, out, raises, room, launch, more=()):
    """Launch kernels that read the windows of one plan, and whose result has the shape of another."""
    if out is None:
        out = empty(plan.shape, plan.dtype, image)
    if not (out.size and image.size):
        out.fill(plan.fill_value)
        return out
    mask, mask_strides = masks
    with image.device:
        device = image.device.id
        strides = (
            image.strides,
            () if mask is None else mask_strides or mask.strides,
            out.strides,
            (),
            weights.strides,
        )
        words = words_of(read, False, strides, raises and image.dtype.kind == "f", more)
        space, alarm = workspace(room, True, image)
        inputs = image, NOTHING if mask is None else mask, alarm, weights
        launch(device, inputs, space, out, kept_bytes(words.tobytes(), device).ready())
        if heed(alarm):
            raise ValueError(f"`{name}` must be finite and >= 0, got others")
    return out
