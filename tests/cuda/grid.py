"""The grid of the tests of the GPU path: geometries, images and types."""

from images import LAYOUTS, generator, image_of

import skpool
from skpool.backends import gpu
from skpool.reductions import REDUCTIONS

DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)
RESULTS = ("uint8", "int16", "int64", "uint64", "float16", "float32", "float64", "bool")

#: What is computed on a GPU.
COVERED = tuple(name for name in REDUCTIONS if name in gpu.COVERED)
FOLDED = tuple(name for name in COVERED if name in gpu.STRUCTS)
SORTED = tuple(name for name in COVERED if name not in gpu.STRUCTS)


def geometry(rng, ndim, most):
    """Arguments of windows along so many axes."""
    window = tuple(rng.integers(1, most + 1, ndim).tolist())
    keywords = {"window_shape": window, "stride": tuple(rng.integers(1, most + 2, ndim).tolist())}
    if rng.random() < 0.7:
        keywords["padding"] = tuple(tuple(rng.integers(0, size, 2).tolist()) for size in window)
        keywords["mode"] = rng.choice(["ignore", "constant", "edge", "reflect", "symmetric", "wrap"]).item()
        keywords["cval"] = int(rng.integers(0, 2))
    if rng.random() < 0.3:
        keywords["dilation"] = tuple(rng.integers(1, 3, ndim).tolist())
    keywords["ceil_mode"] = bool(rng.random() < 0.5)
    return keywords


def cases(name, dtype, count, most=4):
    """Calls of one reduction for images of one type: (image, keywords). All have the same rank."""
    rng = generator(name, dtype)
    ndim = 1 + int(rng.integers(0, 3))
    for number in range(count):
        channels = number % 2 == 1 and ndim > 1
        shape = tuple(rng.integers(5, 12, ndim).tolist())
        image = image_of(rng, shape, dtype)
        keywords = geometry(rng, ndim - channels, most)
        if channels:
            keywords["channel_axis"] = int(rng.integers(-ndim, ndim))
        if number % 3 == 1:
            keywords["mask"] = rng.random(shape) < 0.7
        if number % 4 == 2:
            keywords |= {"footprint": rng.random(keywords.pop("window_shape")) < 0.6}
            keywords["footprint"].flat[0] = True
        keywords["nan_policy"] = "omit" if number % 2 else "propagate"
        keywords["min_count"] = int(rng.integers(1, 4))
        if number % 3 == 2:
            keywords["fill_value"] = 1
        layout = list(LAYOUTS)[number % len(LAYOUTS)]
        yield LAYOUTS[layout](image), keywords


def fits(image, keywords):
    try:
        skpool.pool(image, **keywords)
    except ValueError:
        return False
    return True


#: Calls that wait for nothing, and may be captured in a graph once their kernels and tables are on the device.
CAPTURED = {
    "windows": lambda image: skpool.max_pool(image, 3, stride=2, return_indices=True),
    "quads": skpool.max_pool,
    "tiles": lambda image: skpool.avg_pool(image, 9, stride=1, nan_policy="omit"),
    "averages": lambda image: skpool.avg_pool(image, 3, padding=1, nan_policy="omit"),
    "parts": lambda image: skpool.global_pool(image, "std"),
    "order": lambda image: skpool.median_pool(image, 3),
    "footprints": lambda image: skpool.pool(image, reduction="percentile", q=30, footprint=[[0, 1], [1, 1]]),
    "adaptive": lambda image: skpool.adaptive_avg_pool(image, (3, 4)),
    "weights": lambda image: skpool.weighted_avg_pool(image, [[1, 3], [2, 2]]),
    "areas": lambda image: skpool.adaptive_avg_pool(image, (7, 9), bins="area"),
    "outer product": lambda image: skpool.blur_pool(image, max_window=2),
    "spread": lambda image: skpool.avg_unpool(image, (80, 120), 2),
    "boxes": lambda image: skpool.roi_align(image, [[0, 0, 9.5, 20], [4, 3, 30, 50]], 4),
    "corners": lambda image: skpool.corner_pool(image, "top_left"),
    "strips": lambda image: skpool.strip_pool(image, 0),
}
