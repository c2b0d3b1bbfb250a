"""
Pooling for scikit-image users
==============================

Real photographs, printed figures and one picture, ``quickstart.png``.

Everything below is made of calls such as these::

    import skpool

    skpool.max_pool(image)  # largest sample of each 2 × 2 window; any NumPy image, any rank
    skpool.max_pool(image, 3, stride=2)  # 3 × 3 windows, one at every second sample: they overlap
    skpool.avg_pool(photo, 2, channel_axis=-1)  # colour stays colour
    skpool.pooled_shape(image.shape, 3, stride=2)  # the size of it, without pooling

The photographs come with scikit-image itself: nothing is downloaded.
"""

from itertools import product
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
    """A box of the twice pooled map, as `regionprops` gives it, in coordinates of the photograph."""
    corners = []
    for axis, edge in zip((0, 1, 0, 1), box, strict=True):
        position = edge - 0.5  # boxes are counted from the edge of the first sample, coordinates from its centre
        for centers in (outer[axis], inner[axis]):
            position = centers[0] + position * (centers[1] - centers[0])
        corners.append(position)
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
    print("* of one filter on one channel")


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
    seconds = alternate([lambda array=array: ndimage.convolve(array, kernel) for array in (image, pooled)], rounds=3)
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
    """Milliseconds of `block_reduce`, skpool on one thread and on all; how many times faster the last two are."""

    label: str
    milliseconds: list
    ratios: list


REDUCERS = {"max": np.max, "mean": np.mean, "min": np.min, "sum": np.sum}
POOLINGS = {"max": skpool.max_pool, "mean": skpool.avg_pool, "min": skpool.min_pool, "sum": skpool.sum_pool}


def large_photo():
    """A photograph of the size that cameras take: a real one, repeated."""
    return np.tile(data.camera(), (4, 4))


def compare_with_block_reduce(rounds=5):
    """Time both on a large photograph, after seeing that the results agree."""
    photo = large_photo()
    heading(f"Beside skimage.measure.block_reduce, {size(photo)} image: milliseconds, and times faster")
    print(f"{'':18}{'block_reduce':>14}{'one thread':>20}{'all threads':>20}")
    cells = product((photo, util.img_as_float32(photo)), REDUCERS, (2, 8))
    timings = [time_and_report(*cell, rounds) for cell in cells]
    print("(all threads need as many free processors: while other programs work, that column suffers most)")
    return timings


def time_and_report(image, name, block, rounds):
    """Time one reduction of one image, and print the row."""
    reducer, pooling = REDUCERS[name], POOLINGS[name]
    rounding = block**2 if name in ("mean", "sum") else 0  # one error for each sample added, at the most
    check_agreement(pooling(image, block), measure.block_reduce(image, block, reducer), rounding)
    calls = (
        lambda: measure.block_reduce(image, block, reducer),
        lambda: pooling(image, block, workers=1),
        lambda: pooling(image, block),
    )
    seconds = alternate(calls, rounds)
    milliseconds = [1e3 * median(values) for values in seconds]
    ratios = [median(np.divide(seconds[0], ours)) for ours in seconds[1:]]
    columns = "".join(f"{m:12.2f}{f'×{r:.0f}':>8}" for m, r in zip(milliseconds[1:], ratios, strict=True))
    label = f"{image.dtype} {name} {block}×{block}"
    print(f"{label:18}{milliseconds[0]:14.2f}{columns}")
    return Timing(label, milliseconds, ratios)


def check_agreement(ours, theirs, rounding):
    """Integers, maxima and minima are equal; sums and means of floats differ by rounding only."""
    assert ours.dtype == theirs.dtype
    tolerance = rounding * np.finfo(ours.dtype).eps if ours.dtype.kind == "f" else 0
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=0)


def alternate(calls, rounds):
    """Seconds of each call in each round: side by side, in an order that turns round."""
    seconds = [[] for _ in calls]
    for turn in range(rounds):
        order = range(len(calls))
        for index in order if turn % 2 == 0 else reversed(order):
            seconds[index].append(seconds_of(calls[index]))
    return seconds


def seconds_of(call, enough=0.02):
    """Seconds of a call: the median of as many as fit into `enough` seconds, and at least one."""
    laps = [perf_counter()]
    while laps[-1] - laps[0] < enough:
        call()
        laps.append(perf_counter())
    return median(np.diff(laps))


# --- 5. the picture

GREY, BLUE, ORANGE, DARK = "#b3b8bf", "#4a90c2", "#e08a3c", "#2b2f36"


def draw(coins, maxima, averages, changes, timings):
    """Compose the picture and write it."""
    figure = Figure(figsize=(15, 16), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08, wspace=0.02, hspace=0.02)
    top, middle, bottom = figure.subfigures(3, height_ratios=(2.5, 5.7, 7))
    draw_pipeline(top, coins)
    draw_pyramids(middle, {"max_pool 2/2": maxima, "avg_pool 2/2": averages})
    left, right = bottom.subfigures(1, 2, width_ratios=(1, 1.15))
    draw_changes(left, changes)
    draw_timings(right, timings)
    figure.savefig(PICTURE, dpi=110)


def title(figure, text):
    """Head a part of the picture."""
    figure.suptitle(text, x=0.008, ha="left", fontsize=15, fontweight="bold", color=DARK)


def draw_pipeline(figure, coins):
    """From the photograph to the coins found."""
    title(figure, f"A scikit-image pipeline, pooled on the way: {len(coins.boxes)} regions of a coin's size")
    brightest = coins.maxima.max()
    panels = {
        "photograph": (coins.photo, "gray", 1),
        "filters.sobel": (coins.edges, "magma", brightest),
        "max_pool 3/2": (coins.maxima, "magma", brightest),
        "avg_pool 2/2": (coins.averages, "magma", brightest),
        "> threshold_otsu": (coins.foreground, "gray", 1),
        "regionprops": (coins.photo, "gray", 1),
    }
    axes = figure.subplots(1, len(panels))
    for ax, (name, (image, colors, vmax)) in zip(axes, panels.items(), strict=True):
        show(ax, image, f"{name}\n{size(image)}", cmap=colors, vmin=0, vmax=vmax)
    for min_row, min_column, max_row, max_column in coins.boxes:
        corner, width, height = (min_column, min_row), max_column - min_column, max_row - min_row
        axes[-1].add_patch(Rectangle(corner, width, height, fill=False, edgecolor="#ffb000", linewidth=1.4))


def draw_pyramids(figure, pyramids):
    """Every map of VGG-16's poolings, sample by sample."""
    title(figure, "The poolings of VGG-16 on a photograph: every map, sample by sample")
    columns = max(map(len, pyramids.values()))
    grid = figure.subplots(len(pyramids), columns)
    for axes, (name, maps) in zip(grid, pyramids.items(), strict=True):
        axes[0].set_ylabel(name, fontsize=12, color=DARK)
        for ax, image in zip(axes, maps, strict=True):
            show(ax, image, size(image))


def show(ax, image, label, **options):
    """One image without axes, its samples as they are."""
    ax.imshow(image, interpolation="nearest", **options)
    ax.set_title(label, fontsize=11, color=DARK)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_changes(figure, changes):
    """Bars: the mean over photographs; dots: each photograph."""
    title(figure, "Pooled edge maps change less when the image moves")
    ax = bars_axes(figure, changes, "change of the map under a shift by one pixel (dots: single photographs)")
    for row, (name, values) in enumerate(changes.items()):
        shade = BLUE if "average" in name else ORANGE if "max" in name else GREY
        ax.barh(row, np.mean(values), color=shade, height=0.7)
        ax.plot(values, [row] * len(values), "o", color=DARK, markersize=4, alpha=0.7, linestyle="none")
        write_beside(ax, row, max(values), f"{np.mean(values):.0%}")
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.set_xlim(0, 1.12 * max(map(max, changes.values())))


def draw_timings(figure, timings):
    """Bars: milliseconds; at their ends how many times faster skpool is."""
    title(figure, f"The results of block_reduce, sooner ({size(large_photo())} samples)")
    ax = bars_axes(figure, [timing.label for timing in timings], "milliseconds (× faster: one thread | all threads)")
    kinds = {"block_reduce": GREY, "skpool, one thread": BLUE, "skpool, all threads": ORANGE}
    for row, timing in enumerate(timings):
        for place, (time, shade) in enumerate(zip(timing.milliseconds, kinds.values(), strict=True)):
            ax.barh(row + 0.27 * (place - 1), time, color=shade, height=0.27)
        write_beside(ax, row, max(timing.milliseconds), " | ".join(f"×{ratio:.0f}" for ratio in timing.ratios))
    ax.set_xlim(0, 1.2 * max(max(timing.milliseconds) for timing in timings))
    handles = [Rectangle((0, 0), 1, 1, color=shade) for shade in kinds.values()]
    ax.legend(handles, kinds, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(kinds), frameon=False)


def bars_axes(figure, names, quantity):
    """Axes for horizontal bars, one for each name, from the top down."""
    ax = figure.subplots()
    ax.set_yticks(range(len(names)), names, fontsize=11, color=DARK)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(quantity, color=DARK)
    ax.tick_params(length=0)
    ax.grid(axis="x", color="#e6e8eb")
    ax.set_axisbelow(True)
    ax.spines[:].set_visible(False)
    return ax


def write_beside(ax, row, end, text):
    """Write beside the end of a bar."""
    ax.annotate(text, (end, row), (6, 0), textcoords="offset points", va="center", fontsize=10, color=DARK)


# --- helpers


def size(image):
    """Rows × columns, as text."""
    return f"{image.shape[0]}×{image.shape[1]}"


def heading(text):
    """Print an underlined heading."""
    print(f"\n{text}\n{'-' * len(text)}")


if __name__ == "__main__":
    main()
