"""Pooling for scikit-image users: real photographs, printed figures and one picture, ``quickstart.png``.

Everything below is made of calls such as these::

    import skpool

    skpool.max_pool(image)                       # largest sample of each 2 × 2 window; any NumPy image, any rank
    skpool.max_pool(image, 3, stride=2)          # 3 × 3 windows, one at every second sample: they overlap
    skpool.avg_pool(photo, 2, channel_axis=-1)   # colour stays colour
    skpool.pooled_shape(image.shape, 3, stride=2)  # the size of it, without pooling

The photographs come with scikit-image itself: nothing is downloaded.
"""

from itertools import pairwise, product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import ndimage
from skimage import color, data, filters, measure, transform, util

import skpool

PICTURE = Path("quickstart.png")


def main():
    """Run the five parts; each prints its figures and hands on what is to be drawn."""
    coins = count_coins()
    alexnet_maps()
    maxima, averages = vgg_maps(skpool.max_pool), vgg_maps(skpool.avg_pool, report=False)
    resnet_maps()
    changes = shift_sensitivity()
    timings = compare_with_block_reduce()
    draw(coins, maxima, averages, changes, timings)
    print(f"\nPicture: {PICTURE.resolve()}")


# --- 1. a scikit-image pipeline with pooling in the middle


class Coins(NamedTuple):
    """The images of the pipeline, and the coins as (top, left, bottom, right) in the photograph."""

    photo: np.ndarray
    edges: np.ndarray
    maxima: np.ndarray
    averages: np.ndarray
    foreground: np.ndarray
    boxes: list


def count_coins(smallest=1000):
    """Find the coins on a sixteenth of the samples: Sobel, two poolings, Otsu's threshold, regions."""
    photo = util.img_as_float(data.coins())
    edges = filters.sobel(photo)
    maxima = skpool.max_pool(edges, 3, stride=2)
    averages = skpool.avg_pool(maxima, 2)
    foreground = averages > filters.threshold_otsu(averages)
    regions = measure.regionprops(measure.label(foreground))

    inner = skpool.pooled_coords(photo.shape, 3, stride=2)  # where each window lies in what was pooled
    outer = skpool.pooled_coords(edges.shape, 2)
    boxes = [box_in_photo(region.bbox, inner, outer) for region in regions]
    boxes = [box for box in boxes if area(box) >= smallest]

    unpooled = measure.regionprops(measure.label(edges > filters.threshold_otsu(edges)))
    large = [region for region in unpooled if region.area_bbox >= smallest]
    heading("A scikit-image pipeline: edges of the coins, pooled, thresholded, labelled")
    for step, image in {"photograph": photo, "max_pool 3/2": maxima, "avg_pool 2/2": averages}.items():
        print(f"{step:14}{size(image):>10}{image.size:9,} samples")
    print(f"coin-sized regions: {len(boxes)} of {len(regions)} (without pooling {len(large)} of {len(unpooled)})")
    return Coins(photo, edges, maxima, averages, foreground, boxes)


def box_in_photo(box, inner, outer):
    """A box of the twice pooled map, as `regionprops` gives it, in the photograph."""
    corners = []
    for axis, edge in zip((0, 1, 0, 1), box, strict=True):
        position = edge - 0.5  # boxes are counted from the edge of the first sample, coordinates from its centre
        for centers in (outer[axis], inner[axis]):
            position = centers[0] + position * (centers[1] - centers[0])
        corners.append(position + 0.5)
    return corners


def area(box):
    """Samples in a box (top, left, bottom, right)."""
    return (box[2] - box[0]) * (box[3] - box[1])


# --- 2. the poolings of well-known networks, on a photograph


def alexnet_maps():
    """AlexNet: 3 × 3 windows at every second sample, three times."""
    network_heading("AlexNet")
    photo = transform.resize(data.astronaut(), (227, 227))
    features = skpool.avg_pool(photo, 11, stride=4, channel_axis=-1)  # windows of the first convolution
    for _ in range(3):
        features = pool_and_report(skpool.max_pool, features, 3, stride=2)


def vgg_maps(pooling, report=True):
    """VGG-16: halved five times; the photograph and every map."""
    maps = [transform.resize(data.astronaut(), (224, 224))]
    if report:
        network_heading("VGG-16")
    for _ in range(5):
        step = pool_and_report if report else pool_checked
        maps.append(step(pooling, maps[-1], 2))
    return maps


def resnet_maps():
    """ResNet: one overlapping maximum early on, and the average of the whole map at the end."""
    network_heading("ResNet")
    photo = transform.resize(data.astronaut(), (224, 224))
    # Of a convolution, only the places of its windows matter here: 7 × 7, every second sample, padded by 3.
    features = skpool.avg_pool(photo, 7, stride=2, padding=3, ceil_mode=False, channel_axis=-1)
    kept = skpool.max_pool(features, 3, stride=2, padding=1, channel_axis=-1)
    features = pool_and_report(skpool.max_pool, features, 3, stride=2, padding=1, ceil_mode=False)
    print(f"{'':12}(by default a partial window at the far end is kept: {size(kept)})")
    for _ in range(3):
        features = features[::2, ::2]  # what a convolution with stride 2 leaves
    pool_and_report(skpool.avg_pool, features, features.shape[:2])


def pool_checked(pooling, image, window_shape, **options):
    """Pool a colour image, and see that `pooled_shape` foretold the size of the result."""
    pooled = pooling(image, window_shape, channel_axis=-1, **options)
    assert pooled.shape == skpool.pooled_shape(image.shape, window_shape, channel_axis=-1, **options)
    return pooled


def pool_and_report(pooling, image, window_shape, **options):
    """Pool a colour image; print its sizes and what a 3 × 3 convolution costs before and after."""
    pooled = pool_checked(pooling, image, window_shape, **options)
    before, after = (9 * array[..., 0].size for array in (image, pooled))
    kernel = np.ones((3, 3, 1))
    seconds = alternate([lambda array=array: ndimage.convolve(array, kernel) for array in (image, pooled)], 5)
    print(
        f"{pooling.__name__:12}{size(image):>9} → {size(pooled):9}{before:>9,} → {after:<9,}{1 - after / before:7.1%}"
        f"{1e3 * median(seconds[0]):11.2f} → {1e3 * median(seconds[1]):.2f} ms"
    )
    return pooled


def network_heading(network):
    """Print the heading of the table that `pool_and_report` fills."""
    heading(f"The poolings of {network}, and what a 3 × 3 convolution then costs")
    print(f"{'':12}{'size':^21}{'multiply-adds*':^21}{'saved':>7}{'measured, 3 channels':>23}")


# --- 3. translation invariance, measured


def every(step):
    """Plain subsampling, to compare with: every `step`-th sample of every `step`-th row."""
    return lambda image: image[::step, ::step]


SHIFTED = {
    "no pooling": lambda image: image,
    "every 2nd sample": every(2),
    "average 2/2": lambda image: skpool.avg_pool(image, 2),
    "max 2/2": lambda image: skpool.max_pool(image, 2),
    "max 3/2": lambda image: skpool.max_pool(image, 3, stride=2),
    "every 4th sample": every(4),
    "average 4/4": lambda image: skpool.avg_pool(image, 4),
    "max 4/4": lambda image: skpool.max_pool(image, 4),
    "every 8th sample": every(8),
    "average 8/8": lambda image: skpool.avg_pool(image, 8),
    "max 8/8": lambda image: skpool.max_pool(image, 8),
}
PHOTOGRAPHS = (data.astronaut, data.camera, data.coffee, data.coins)


def shift_sensitivity():
    """How much the map changes when the photograph moves by one pixel: pooling -> one number per photograph."""
    edges = [edge_map(photograph()) for photograph in PHOTOGRAPHS]
    changes = {name: [change_by_shift(pooling, image) for image in edges] for name, pooling in SHIFTED.items()}
    heading("Change of an edge map when the image moves by one pixel (mean of the 8 directions)")
    print(f"{'':18}" + "".join(f"{photograph.__name__:>11}" for photograph in PHOTOGRAPHS) + f"{'mean':>11}")
    for name, values in changes.items():
        print(f"{name:18}" + "".join(f"{value:11.1%}" for value in (*values, np.mean(values))))
    return changes


def edge_map(photo):
    """Sobel magnitude of a photograph, colour or not."""
    return filters.sobel(color.rgb2gray(photo) if photo.ndim == 3 else util.img_as_float(photo))


def change_by_shift(pooling, image):
    """Mean over the eight one-pixel shifts of ||f(shifted) - f(image)|| / ||f(image)||.

    Each shift is another crop of the same size, one pixel inside the border, so that nothing wraps around.
    """
    rows, columns = image.shape
    crops = {
        (row, column): pooling(image[1 + row : rows - 1 + row, 1 + column : columns - 1 + column])
        for row, column in product((-1, 0, 1), repeat=2)
    }
    still = crops.pop((0, 0))
    return np.mean([np.linalg.norm(moved - still) for moved in crops.values()]) / np.linalg.norm(still)


# --- 4. beside skimage.measure.block_reduce


class Timing(NamedTuple):
    """Milliseconds of `block_reduce`, of skpool on one thread and on all, and how many times faster these are."""

    name: str
    milliseconds: tuple
    ratios: tuple


REDUCERS = {"max": np.max, "mean": np.mean, "min": np.min, "sum": np.sum}
POOLINGS = {"max": skpool.max_pool, "mean": skpool.avg_pool, "min": skpool.min_pool, "sum": skpool.sum_pool}


def compare_with_block_reduce(rounds=5):
    """Time both on a large photograph, after seeing that the results agree."""
    photo = np.tile(data.camera(), (4, 4))
    heading(f"Beside skimage.measure.block_reduce, {size(photo)} image: milliseconds, and times faster")
    print(f"{'':18}{'block_reduce':>14}{'one thread':>20}{'all threads':>20}")
    timings = []
    for image, name, block in product((photo, util.img_as_float32(photo)), REDUCERS, (2, 8)):
        reducer, pooling = REDUCERS[name], POOLINGS[name]
        check_agreement(pooling(image, block), measure.block_reduce(image, block, reducer), block)
        calls = [
            lambda: measure.block_reduce(image, block, reducer),  # noqa: B023
            lambda: pooling(image, block, workers=1),  # noqa: B023
            lambda: pooling(image, block),  # noqa: B023
        ]
        seconds = alternate(calls, rounds)
        ratios = [median(np.divide(seconds[0], ours)) for ours in seconds[1:]]
        timings.append(Timing(f"{image.dtype} {name} {block}×{block}", [1e3 * median(s) for s in seconds], ratios))
        theirs, *ours = timings[-1].milliseconds
        columns = "".join(f"{time:12.2f}{f'×{ratio:.0f}':>8}" for time, ratio in zip(ours, ratios, strict=True))
        print(f"{timings[-1].name:18}{theirs:14.2f}{columns}")
    return timings


def check_agreement(ours, theirs, block):
    """Integers, maxima and minima are equal; other floats differ by rounding only."""
    assert ours.dtype == theirs.dtype
    rounding = block**2 * np.finfo(ours.dtype).eps if ours.dtype.kind == "f" else 0
    np.testing.assert_allclose(ours, theirs, rtol=rounding, atol=0)


def alternate(calls, rounds):
    """Seconds of each call in each round: side by side, the order turning round, each after an untimed call."""
    seconds = [[] for _ in calls]
    for turn in range(rounds):
        order = range(len(calls))
        for index in order if turn % 2 == 0 else reversed(order):
            calls[index]()
            start = perf_counter()
            calls[index]()
            seconds[index].append(perf_counter() - start)
    return seconds
