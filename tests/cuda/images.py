"""Images for the tests of the GPU path: values with ties, wide ranges and special ones, and their layouts."""

import math
import zlib

import numpy as np


def generator(*seed):
    """A generator that depends on the text of its arguments, and on nothing else."""
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def image_of(rng, shape, dtype):
    """An image of a type, with values that are hard to pool."""
    dtype = np.dtype(dtype)
    kind = rng.integers(0, 3)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        if kind == 0:
            return rng.integers(-3, 4, shape).astype(dtype)
        with np.errstate(all="ignore"):
            image = (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(dtype)
        specials = [math.nan, math.inf, -math.inf, 0.0, -0.0, float(np.finfo(dtype).smallest_subnormal)]
        return np.where(rng.random(shape) < 0.1 * kind, rng.choice(specials, shape), image).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = ((0, 4), (0, 100), (limits.min, limits.max))[kind]
    return rng.integers(low, high, shape, dtype, endpoint=True)


def in_larger(image):
    """Every second sample along every axis."""
    larger = np.zeros([2 * length for length in image.shape], image.dtype)
    view = larger[(slice(None, None, 2),) * image.ndim]
    view[...] = image
    return view


#: The same image, lying otherwise in memory.
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": lambda image: np.asfortranarray(image.copy()),
    "strided": in_larger,
    "backwards": lambda image: np.flip(np.flip(image).copy()),
    "one of three channels": lambda image: np.stack([image, image[::-1], image], axis=-1)[..., 0],
}
