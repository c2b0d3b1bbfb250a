"""Bins of exact areas on a GPU: sums along one axis after the other (cuda/area.cu)."""

from __future__ import annotations

import math

import numpy as np

from ..plan import make_plan
from ..windows import Tables, between, whole
from .cpu import recipe_of
from .gpu import (
    AXIS,
    NOTHING,
    PLAN,
    STRUCTS,
    Words,
    empty,
    heed,
    kept_bytes,
    launch_kernel,
    parameters_of,
    qualified,
    type_of,
    word_of,
    workspace,
)

_FILE = "area.cu"

#: Words of a sum in the workspace.
_SUM = 3


def run(shares, plan, image, *, mask=None, mask_strides=None, out=None, places=None, raises=False):
    """Average bins on the device of the image, on the current stream; the rest is as `gpu.run` takes it.

    Parameters
    ----------
    shares : dict of int to tuple of ndarray of int64
        For each axis that is pooled, the first and the last sample of each bin, and the share of each.
    plan : skpool.plan.Plan
    """
    raises &= image.dtype.kind == "f"
    if out is None:
        out = empty(plan.shape, plan.dtype, image)
    if not (out.size and image.size):
        out.fill(plan.fill_value)
        return out
    with image.device:
        device = image.device.id
        masks = () if mask is None else (mask.strides if mask_strides is None else mask_strides)
        names, values = kernels_of(plan, shares)
        words = _words(plan, shares, values | {"raises": int(raises)}, image.strides, masks, out.strides)
        table = kept_bytes(words.tobytes(), device).ready()
        lines = 0
        if len(names) == 2:
            lines = math.prod(image.shape[a] if a == max(shares) else n for a, n in enumerate(plan.shape))
        space, alarm = workspace(_SUM * lines, raises, image)
        inputs = image, NOTHING if mask is None else mask, alarm
        if lines:
            launch_kernel(_FILE, names, device, 0, lines, (*inputs, space, table, np.int64(lines)))
            launch_kernel(_FILE, names, device, 1, out.size, (space, out, table))
        else:
            launch_kernel(_FILE, names, device, 0, out.size, (*inputs, out, table))
        if raises:
            heed(alarm)
    return out


def kernels_of(plan, shares):
    """The kernels of bins along some axes, and the fields of the plan that their sums read."""
    pooled = sorted(shares)
    tables = [whole(axis.length) for axis in plan.axes]
    if pooled:
        first, last, *_ = shares[pooled[0]]
        tables[pooled[0]] = between(tables[pooled[0]].length, first + 1, np.maximum(last, first + 1))
    shape = tuple(axis.length for axis in plan.axes)
    sums = make_plan(shape, plan.image_dtype, "sum", Tables(tuple(tables)), dtype=np.float64)
    recipe = recipe_of(sums, False)
    fold = qualified(STRUCTS["sum"](recipe, type_of(plan.image_dtype), type_of(recipe.natural)))
    out = f"skpool::{type_of(plan.dtype)}"
    values = parameters_of(sums, recipe)
    if len(pooled) > 1:
        return (f"skpool::area_of_lines<{fold}, {len(pooled) - 1}>", f"skpool::area_across<{out}>"), values
    return (f"skpool::area_at_once<{fold}, {out}, {len(pooled)}>",), values


def _words(plan, shares, values, *strides):
    words = Words(len(PLAN) + len(AXIS) * len(plan.axes))
    for a, axis in enumerate(plan.axes):
        fields = {name: array[a] for name, array in zip(("image", "mask", "out"), strides, strict=True) if array}
        fields |= {"length": axis.length, "outputs": axis.outputs}
        if a in shares:
            fields["start"] = words.table(np.concatenate(shares[a]))
        words.write(AXIS, len(PLAN) + len(AXIS) * a, fields)
    values = values | {"outputs": math.prod(plan.shape), "minimum": plan.min_count, "omits": int(plan.omit_nan)}
    values |= {"fill": word_of(plan.fill_value, plan.dtype)}
    words.write(PLAN, 0, values | {"channels": len(plan.axes) - 1, "part": max(shares, default=0)})
    return words.array()
