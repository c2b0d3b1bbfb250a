"""
Windows that are no sliding squares
===================================

Boxes, superpixels, pyramids, adaptive grids, and the way back. Takes scikit-image's coins, astronaut and camera;
prints what it measures, and draws ``geometries.png``.
"""

import argparse
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from skimage import color, data, filters, measure, morphology, segmentation

import skpool


def coins():
    """Every coin, whatever its size, as a thumbnail of 32 x 32: what a classifier wants."""
    image = data.coins()
    mask = morphology.closing(image > filters.threshold_otsu(image), morphology.footprint_rectangle((5, 5)))
    regions = measure.regionprops(measure.label(segmentation.clear_border(mask)))
    boxes = [region.bbox for region in regions if 1000 < region.area < 5000]
    thumbnails = skpool.roi_align(image, boxes, 32)
    sizes = np.array([(box[2] - box[0], box[3] - box[1]) for box in boxes])
    print(f"coins: {len(boxes)} boxes of {sizes.min()} to {sizes.max()} pixels -> {thumbnails.shape}")
    columns = 6
    rows = -(-len(thumbnails) // columns)
    padded = np.pad(thumbnails, ((0, rows * columns - len(thumbnails)), (0, 0), (0, 0)))
    return padded.reshape(rows, columns, 32, 32).swapaxes(1, 2).reshape(rows * 32, columns * 32)


def superpixels():
    """A photograph described by the mean colour of each superpixel, painted back."""
    photo = data.astronaut()
    labels = segmentation.slic(photo, n_segments=400, start_label=1, channel_axis=-1)
    means = skpool.region_pool(photo, labels, channel_axis=-1)
    spread = skpool.region_pool(photo, labels, "std", channel_axis=-1)
    painted = skpool.region_unpool(means, labels)
    lightness = [color.rgb2lab(picture / 255)[..., 0] for picture in (photo, painted)]
    error = np.abs(lightness[0] - lightness[1]).mean()
    print(f"superpixels: {len(means)} mean colours, median deviation within them {np.median(spread):.1f} of 255;")
    print(f"    painted back, lightness is off by {error:.1f} of 100 on average")
    return painted / 255


def pyramid():
    """Levels of averages, none of which drifts: each is rounded once from the pixels beneath it."""
    image = data.camera()
    levels = skpool.pool_pyramid(image, 6)
    drift = max(abs(level.mean() - image.mean()) for level in levels)
    print(f"pyramid: {len(levels)} levels of uint8, whose means differ from the image's by {drift:.3f} at most")
    mosaic = np.zeros((512, 768), np.uint8)
    mosaic[:, :512] = image
    row = 0
    for level in levels[1:]:
        mosaic[row : row + level.shape[0], 512 : 512 + level.shape[1]] = level
        row += level.shape[0]
    return mosaic


def adaptive():
    """A grid of 50 x 75 cells on an image that it does not divide: exact areas against whole pixels."""
    image = data.camera()[:487, :461]
    areas = skpool.adaptive_pool(image, (50, 75), bins="area")
    whole = skpool.adaptive_avg_pool(image, (50, 75))
    print(f"adaptive: {image.shape} -> {areas.shape}; means {image.mean():.3f}, by areas {areas.mean():.3f}, ", end="")
    print(f"by whole pixels, some of them shared, {whole.mean():.3f}")
    return areas


def places():
    """Where the maxima of a gradient were: pooled by 8, and put back."""
    edges = filters.sobel(data.camera())
    values, where = skpool.max_pool(edges, 8, return_indices=True)
    back = skpool.max_unpool(values, where, edges.shape)
    print(f"unpooling: the largest of 64 gradients each hold {back.sum() / edges.sum():.0%} of their sum")
    return skpool.max_pool(back, 3, stride=1, padding=1)  # wider, for the eye


def matching():
    """A spatial pyramid tells where things are: a mirrored image has another vector, and the same global mean."""
    edges = filters.sobel(data.camera())
    mirrored = edges[:, ::-1]
    print("spatial pyramids: similarity (cosine) of an image's edges to those of its mirror image")
    for levels in ((1,), (1, 2), (1, 2, 4), (1, 2, 4, 8)):
        first, second = (skpool.spatial_pyramid_pool(part, levels, "avg") for part in (edges, mirrored))
        cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        print(f"    levels {levels!s:12} {first.size:3} features: {cosine:.4f}")


def main():
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description="Windows that are no sliding squares.")
    parser.add_argument("--picture", default="geometries.png", help="where the picture goes")
    options = parser.parse_args()
    panels = {
        "roi_align: every coin as 32 x 32 pixels": coins(),
        "region_pool and region_unpool: mean colours of superpixels": superpixels(),
        "pool_pyramid: averages without drift": pyramid(),
        'adaptive_pool(bins="area"): 487 x 461 pixels in 50 x 75 cells': adaptive(),
        "max_unpool: the strongest edge of each 8 x 8 block, in its place": places(),
    }
    matching()
    figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
    for axis, (title, picture) in zip(axes.flat, panels.items(), strict=False):
        axis.imshow(picture, cmap="gray")
        axis.set_title("\n".join(textwrap.wrap(title, 42)), fontsize=10)
    draw_fractional(axes.flat[-1])
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(options.picture, dpi=110)
    print(f"drawn: {options.picture}")


def draw_fractional(axis):
    """A part of the coins, shrunk by 1.4 at a time: more steps than halving has."""
    image = data.coins()[8:296, 20:308]
    sizes, steps = [image.shape[0]], [image]
    while steps[-1].shape[0] > 60:
        steps.append(skpool.fractional_max_pool(steps[-1], ratio=1.4, rng=len(steps)))
        sizes.append(steps[-1].shape[0])
    strip = np.full((image.shape[0], sum(sizes)), 255, np.uint8)
    column = 0
    for step in steps:
        strip[: step.shape[0], column : column + step.shape[1]] = step
        column += step.shape[1]
    axis.imshow(strip, cmap="gray")
    axis.set_title(f"fractional_max_pool: {', '.join(map(str, sizes))} pixels", fontsize=10)


if __name__ == "__main__":
    main()
