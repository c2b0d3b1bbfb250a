"""The public functions of windowed pooling: thin faces of `pool`, one for each row of the registry."""

from __future__ import annotations

import inspect

import numpy as np

from . import windows
from .backends import cpu
from .plan import checked_channel_axis, checked_dtype, make_plan, plan_for
from .reductions import REDUCTIONS, reduction_named
from .threads import check_workers


def _unwrapped(image, mask, channel_axis):
    """A plain array, and the mask that it or its container gives."""
    if isinstance(image, np.ma.MaskedArray):
        own = ~np.ma.getmaskarray(image)
        array = np.asarray(image.data)
        return array, own if mask is None else own & _checked_mask(mask, array, channel_axis)
    return np.asarray(image), mask


def _checked_mask(mask, image, channel_axis):
    """`mask` with the shape of the image, by its strides."""
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"`mask` must be boolean, True where a pixel counts, got dtype {mask.dtype}")
    if mask.shape == image.shape:
        return mask
    channel_axis = checked_channel_axis(channel_axis, image.ndim)
    if channel_axis is not None:
        spatial = image.shape[:channel_axis] + image.shape[channel_axis + 1 :]
        if mask.shape == spatial:
            return np.broadcast_to(np.expand_dims(mask, channel_axis), image.shape)
    rule = "" if channel_axis is None else f" or of its spatial axes {spatial}"
    raise ValueError(f"`mask` must have the shape of the image {image.shape}{rule}, got {mask.shape}")


def _checked_pair(out):
    """`out` of a call that gives values and indices."""
    if not isinstance(out, tuple | list) or len(out) != 2:
        raise TypeError(f"`out` must be a pair (values, indices) with `return_indices`, got {type(out).__name__}")
    for i, array in enumerate(out):
        if type(array) is not np.ndarray:
            raise TypeError(f"`out[{i}]` must be a NumPy array, got {type(array).__name__}")
    return out


def _dtype_of(out, dtype):
    """The result type that `out` stands for."""
    if type(out) is not np.ndarray:
        raise TypeError(f"`out` must be a NumPy array, got {type(out).__name__}")
    checked_dtype(out.dtype, "out")
    if dtype is not None and checked_dtype(dtype) != out.dtype.newbyteorder("="):
        raise ValueError(f"`dtype` must be that of `out` if both are given, got {dtype} and {out.dtype}")
    return out.dtype


def _check_out(out, name, shape, dtype, inputs):
    """Refuse `out` if a result of that shape and type cannot be written to it."""
    if type(out) is not np.ndarray:
        raise TypeError(f"`{name}` must be a NumPy array, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}, got {out.shape}")
    if out.dtype.newbyteorder("=") != dtype:
        raise ValueError(f"`{name}` must have dtype {dtype}, got {out.dtype}")
    if not out.flags.writeable:
        raise ValueError(f"`{name}` must be writable, got a read-only array")
    if out.size and any(stride == 0 and length > 1 for stride, length in zip(out.strides, out.shape, strict=True)):
        raise ValueError(f"`{name}` must have an element of its own for each value, got strides {out.strides}")
    if any(array is not None and _overlap(out, array) for array in inputs):
        raise ValueError(f"`{name}` must not share memory with the image, its mask or the other output")


def _overlap(a, b):
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=100_000)
    except np.exceptions.TooHardError:
        return True


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
    masked_array = False
    if type(image) is not np.ndarray:
        masked_array = isinstance(image, np.ma.MaskedArray)
        image, mask = _unwrapped(image, mask, channel_axis)
    return_indices = bool(reduction_parameters) and _taken_return_indices(reduction, reduction_parameters)
    if workers is not None:
        workers = check_workers(workers)
    places = None
    if out is not None:
        if return_indices:
            out, places = _checked_pair(out)
        dtype = _dtype_of(out, dtype)
    plan = plan_for(
        image.shape,
        image.dtype,
        reduction,
        window_shape,
        stride,
        padding,
        dilation,
        ceil_mode,
        mode,
        cval,
        nan_policy,
        min_count,
        fill_value,
        channel_axis,
        dtype,
        **reduction_parameters,
    )
    if mask is not None:
        mask = _checked_mask(mask, image, channel_axis)
    if out is not None:
        _check_out(out, "out", plan.shape, plan.dtype, (image, mask, places))
    if places is not None:
        _check_out(places, "out[1]", plan.shape, np.dtype(np.int64), (image, mask))
    elif return_indices:
        places = np.empty(plan.shape, np.int64)
    if nan_policy == "raise" and _counts_nan(plan, image, mask, workers):
        raise ValueError("`image` must not have NaN where it counts under `nan_policy` 'raise', got at least one")
    result = cpu.run(plan, image, mask=mask, out=out, places=places, workers=workers)
    if masked_array:
        few = _counts(plan, image, mask, workers, plan.omit_nan) < plan.min_count
        result = np.ma.MaskedArray(result, few, fill_value=plan.fill_value)
    return (result, places) if return_indices else result


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


def _taken_return_indices(reduction, parameters):
    """Take `return_indices` out of a reduction's keywords; true if it was asked for."""
    if "return_indices" not in parameters:
        return False
    if not reduction_named(reduction).indices:
        having = ", ".join(repr(row.name) for row in REDUCTIONS.values() if row.indices)
        raise TypeError(f"`return_indices` is a parameter of reductions {having}, not of {reduction!r}")
    value = parameters.pop("return_indices")
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`return_indices` must be True or False, got {value!r}")
    return bool(value)


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
    if isinstance(shape, str) or not np.iterable(shape):
        raise TypeError(f"`shape` must be a sequence of integers, got {shape!r}")
    shape = tuple(windows.integer(length, "shape", 0) for length in shape)
    return make_plan(
        shape, np.dtype(np.uint8), "max", window_shape, stride, padding, dilation, ceil_mode, channel_axis=channel_axis
    )


# --- one function for each row of the registry

_PARAMETERS = """
    Parameters
    ----------
    image : (..., rows, columns) array_like
        Boolean, integer or floating point of at most 64 bits, in any memory layout; never modified, rescaled or
        clipped. A masked array's mask is honoured, and gives a masked array. Anything else goes through
        `numpy.asarray`.
    window_shape : int or sequence of int, optional
        Samples of a window along each spatial axis (all but `channel_axis`). Default: 2.{reduction}
    stride : int or sequence of int, optional
        Samples from one window to the next. Default: `window_shape`.
    padding : int, sequence of int, sequence of (int, int), or {{"same", "same_lower", "valid"}}
        Samples added on both sides: one number, one for each axis, or one pair ``(before, after)`` for each.
        ``"same"`` gives ``ceil(length / stride)`` outputs, the odd sample at the end (``"same_lower"``: at the
        beginning); ``"valid"`` pads nothing and drops partial windows, whatever `ceil_mode` says.
    dilation : int or sequence of int
        Samples from one tap of a window to the next.
    ceil_mode : bool
        Keep one more window that hangs over the far end, clipped, if it starts inside the image or its leading
        padding. Deep-learning sizes (ResNet's 112 to 56) need False.
    mode : {{"ignore", "constant", "edge", "reflect", "symmetric", "wrap"}}
        What padding holds: nothing (it never counts), `cval`, or samples as `numpy.pad` defines them, which count
        with their source's mask and index.
    cval : number
        The constant, representable in the image's dtype.
    mask : ndarray of bool, optional
        True where a pixel counts; of the image's shape, or of its spatial axes.
    nan_policy : {{"propagate", "omit", "raise"}}
        A counted NaN makes the result NaN, is as if masked, or is a `ValueError`.
    min_count : int
        Samples that a window must count; with fewer it gets `fill_value`.
    fill_value : number, optional
        Default: NaN for floating-point results, else 0.
    channel_axis : int, optional
        The axis that is not pooled. Default: every axis is spatial.
    dtype : data-type, optional
        Type of the result. Default: {default_dtype}. An integer type is rounded once, half to even, and saturates.
    out : ndarray{out_pair}, optional
        Where the result goes; of its exact shape, without memory in common with the image. Its dtype acts as `dtype`.
    workers : int, optional
        Threads. Default: as many as are available to the process, one for small images. Results do not depend
        on it.{parameters}

    Returns
    -------
    {returns}

    Raises
    ------
    TypeError
        If an argument is of the wrong kind: a complex image, a window of floats, a keyword that the reduction does
        not take.
    ValueError
        If an argument has a wrong value or shape, or no window fits.
{references}
    Examples
    --------
{example}
    """


def _indented(text, spaces=4):
    return "".join(f"\n{' ' * spaces}{line}" for line in text.splitlines())


def _described(row):
    """The parameters of a reduction, as numpydoc lists them."""
    text = "".join(
        f"\n{name} : float{', optional' if parameter.default is None else ''}\n"
        f"    {parameter.meaning} {parameter.rule[0].upper()}{parameter.rule[1:]}."
        for name, parameter in row.parameters.items()
    )
    if row.indices:
        text += "\nreturn_indices : bool\n    Return also where each value was found."
    return _indented(text.strip("\n")) if text else ""


def _document(row):
    """The docstring of a reduction's function, from its row."""
    returns = f"pooled : ndarray\n    One value for each window: ``{row.formula}``."
    if row.indices:
        returns += (
            "\nindices : ndarray of int64\n    Only with `return_indices`: flat indices into ``image.ravel()``, that of"
            " the first in row-major order of\n    the window (under ``propagate`` that of the first NaN), -1 where"
            " nothing or padding of `cval` was found."
        )
    references = f"\n    References\n    ----------\n    .. [1] {row.references}\n" if row.references else ""
    result = row.result.__doc__.strip().rstrip(".")
    return f"{row.summary}\n" + _PARAMETERS.format(
        reduction="",
        default_dtype=result[0].lower() + result[1:],
        out_pair=" or (ndarray, ndarray)" if row.indices else "",
        parameters=_described(row),
        returns=_indented(returns).lstrip("\n "),
        references=references,
        example=_indented(_example(row)).lstrip("\n"),
    )


def _example(row):
    image, result = row.example
    call = f"{row.name}_pool({image}"
    text = f">>> from skpool import {row.name}_pool\n>>> {call})\narray({result})"
    if row.indices:
        text += f"\n>>> {call}, return_indices=True)[1]\narray([[{1 if row.name == 'max' else 0}]])"
    return text


def _function(row):
    """The public function of one row of the registry."""

    def function(image, window_shape=None, **keywords):
        return pool(image, window_shape, row.name, **keywords)

    named = inspect.signature(pool)
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=parameter.default)
        for name, parameter in row.parameters.items()
    ]
    if row.indices:
        own.append(inspect.Parameter("return_indices", inspect.Parameter.KEYWORD_ONLY, default=False))
    shared = [p for p in named.parameters.values() if p.name not in ("reduction", "reduction_parameters")]
    function.__name__ = function.__qualname__ = f"{row.name}_pool"
    function.__module__ = "skpool"
    function.__signature__ = named.replace(parameters=[*shared, *own])
    function.__doc__ = _document(row)
    return function


pool.__doc__ = "Reduce each window of an image to one value.\n" + _PARAMETERS.format(
    reduction="\n    reduction : str\n        Name of the reduction: "
    + ", ".join(f"``{name!r}``" for name in REDUCTIONS)
    + ".",
    default_dtype="as the reduction's own function says",
    out_pair=" or (ndarray, ndarray)",
    parameters="\n    **reduction_parameters\n        What the reduction takes beside these: see its own function.",
    returns="pooled : ndarray\n        One value for each window; with ``return_indices`` a pair, as `max_pool` gives.",
    references="",
    example="    >>> import numpy as np\n    >>> from skpool import pool\n"
    "    >>> image = np.arange(16.0).reshape(4, 4)\n"
    '    >>> pool(image, 2, "avg")\n    array([[ 2.5,  4.5],\n           [10.5, 12.5]])\n'
    '    >>> pool(image, 3, "max", stride=1)\n    array([[10., 11.],\n           [14., 15.]])',
)

#: Named function of each reduction: ``max_pool`` and its kin.
FUNCTIONS = {f"{name}_pool": _function(row) for name, row in REDUCTIONS.items()}
globals().update(FUNCTIONS)

__all__ = ["pool", "pooled_coords", "pooled_shape", *FUNCTIONS]
