"""The commands of ``napari.yaml``: what napari calls with a layer, and puts beside it.

napari makes a form of each function's annotations, of which only its own types may be strings. Both work on rows and
columns, the last two axes of a layer, and leave all others (planes, time) as they are.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np

from .pooling import pool, pooled_coords
from .pyramids import pool_pyramid
from .reductions import REDUCTIONS, REQUIRED

if TYPE_CHECKING:
    import napari.layers
    import napari.types

__all__ = ["make_multiscale", "pool_layer"]

#: Reductions that need nothing beside an image.
Reduction = Literal[
    tuple(
        name
        for name, row in REDUCTIONS.items()
        if not any(parameter.default is REQUIRED for parameter in row.parameters.values())
    )
]

#: What a new layer has in common with that which it was made of.
KEPT = ("affine", "axis_labels", "blending", "colormap", "gamma", "opacity", "rgb", "rotate", "scale", "shear", "units")


def pool_layer(
    image: "napari.layers.Image", reduction: Reduction = "max", window: int = 2, stride: int = 0
) -> "napari.types.LayerDataTuple":
    """Reduce each square window of an image layer to one value.

    Parameters
    ----------
    image : napari.layers.Image
        Of a multiscale one, the first level is taken.
    reduction : str
        Name of the reduction, as `skpool.pool` takes it.
    window : int
        Rows and columns of a window.
    stride : int
        Samples from one window to the next; 0: as many as the window has.

    Returns
    -------
    layer : (ndarray, dict, str)
        The new layer's data, arguments and type. Its samples lie where the centres of the windows do.
    """
    data, options, sizes = _parts(image)
    shapes = {"window_shape": sizes(window), "stride": sizes(stride or window)}
    channel_axis = -1 if image.rgb else None
    values = pool(data, reduction=reduction, channel_axis=channel_axis, **shapes)
    first = [centers[0] for centers in pooled_coords(data.shape, channel_axis=channel_axis, **shapes)]
    moved = np.subtract(image.data_to_world(first), image.data_to_world(np.zeros(len(first))))
    options["name"] = f"{image.name}, {reduction} {window}/{stride or window}"
    # A layer's samples are scaled, sheared, turned and moved, in this order, before its affine transform.
    options["translate"] = image.translate + np.linalg.solve(image.affine.linear_matrix, moved)
    options["scale"] = image.scale * shapes["stride"]
    return values, options, "image"


def make_multiscale(image: "napari.layers.Image", min_size: int = 64) -> "napari.types.LayerDataTuple":
    """Give an image layer levels of averages, each half as large as the one before.

    Parameters
    ----------
    image : napari.layers.Image
        Of a multiscale one, the first level is taken.
    min_size : int
        Rows and columns that the smallest level has at least.

    Returns
    -------
    layer : (list of ndarray, dict, str)
        The new layer's levels, arguments and type.
    """
    data, options, sizes = _parts(image)
    levels = pool_pyramid(data, downscale=sizes(2), min_size=min_size, channel_axis=-1 if image.rgb else None)
    options |= {"name": f"{image.name}, multiscale", "multiscale": True, "translate": image.translate}
    return levels, options, "image"


def _parts(layer):
    """A layer's array, the arguments to keep, and what turns a number into one for each spatial axis."""
    data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    options = {key: value for key, value in layer.as_layer_data_tuple()[1].items() if key in KEPT}
    spatial = data.ndim - layer.rgb
    return data, options, lambda size: (1,) * (spatial - 2) + (size, size)
