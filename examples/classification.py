"""
Pooling before a linear classifier
==================================

Digits and faces by their edges, cross-validated; draws ``classification.png``.

Edges of an image are eight maps, one for each direction. A linear support vector machine gets them as they are, or
pooled by a transformer of scikit-learn's kind in the same pipeline::

    from skpool.estimators import PoolTransformer

    model = make_pipeline(PoolTransformer(2, "max"), StandardScaler(), LinearSVC())
    cross_val_score(model, edges, classes)  # edges: (images, rows, columns, directions)

Printed is the share of images that it tells rightly: those of the folds that it was not trained on, and the same moved
by one pixel. The images come with scikit-learn and scikit-image: nothing is downloaded.
"""

from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import ndimage
from skimage import data
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from skpool.estimators import GlobalPooling, PoolTransformer, SpatialPyramidPooling

PICTURE = Path("classification.png")
DIRECTIONS = 8
SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def main():
    """Classify both sets of images with every pooling, then draw."""
    tasks = [digits(), faces()]
    results = [classify(task) for task in tasks]
    draw(tasks, results)
    print(f"\nPicture: {PICTURE.resolve()}")


# --- images and their edges


class Task(NamedTuple):
    """Images of shape (N, rows, columns) from 0 to 1, and their classes."""

    name: str
    images: np.ndarray
    classes: np.ndarray


def digits():
    """1797 handwritten digits, 8 × 8."""
    images, classes = load_digits(return_X_y=True)
    return Task("digits", images.reshape(-1, 8, 8) / 16, classes)


def faces():
    """100 faces and 100 other pictures, 25 × 25."""
    images = data.lfw_subset()
    return Task("faces", images, np.arange(len(images)) < 100)


def edges(images):
    """Strength of the edges in each of eight directions: (N, rows, columns, directions)."""
    down, right = np.gradient(images, axis=(1, 2))
    towards = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    along = down[..., None] * np.sin(towards) + right[..., None] * np.cos(towards)
    strength = np.hypot(down, right)[..., None]
    # The cosine to a power: a direction answers to its own edges, and hardly to its neighbours'.
    return np.maximum(along, 0) ** 3 / np.maximum(strength, 1e-9) ** 2


def moved(images, shift):
    """The images, one pixel further; what comes in is the border again."""
    return ndimage.shift(images, (0, *shift), order=0, mode="nearest")


# --- the poolings, and how well a linear classifier does with them


def raveled(maps):
    """Every value of each image."""
    return maps.reshape(len(maps), -1)


def subsampled(maps):
    """Every second value of every second row."""
    return raveled(maps[:, ::2, ::2])


POOLINGS = {
    "no pooling": FunctionTransformer(raveled),
    "every 2nd sample": FunctionTransformer(subsampled),
    "max 2/2": PoolTransformer(2, "max"),
    "average 2/2": PoolTransformer(2, "avg"),
    "max 3/2": PoolTransformer(3, "max", stride=2),
    "average 3/2": PoolTransformer(3, "avg", stride=2),
    "max 4/4": PoolTransformer(4, "max"),
    "average 4/4": PoolTransformer(4, "avg"),
    "pyramid 1, 2, 4, max": SpatialPyramidPooling((1, 2, 4), "max"),
    "pyramid 1, 2, 4, average": SpatialPyramidPooling((1, 2, 4), "avg"),
    "global average": GlobalPooling("avg"),
}


class Result(NamedTuple):
    """Features of an image, and the shares told rightly: of each fold, and of each fold moved by a pixel."""

    features: int
    plain: list
    shifted: list


def classify(task):
    """Cross-validate every pooling; print a line for each."""
    count, *size = task.images.shape
    heading(
        f"{task.name}: {count} images of {size[0]}×{size[1]}, {len(np.unique(task.classes))} classes, told by edges"
    )
    print(f"{'':26}{'features':>9}{'right':>9}{'±':>7}{'moved by a pixel':>19}{'seconds':>10}")
    pixels = task.images, [moved(task.images, shift) for shift in SHIFTS]
    responses = edges(task.images), [edges(images) for images in pixels[1]]
    results = {}
    for name, pooling in {"pixels, no edges": POOLINGS["no pooling"], **POOLINGS}.items():
        maps, shifted = pixels if name == "pixels, no edges" else responses
        begin = perf_counter()
        results[name] = cross_validate(pooling, maps, shifted, task.classes)
        report(name, results[name], perf_counter() - begin)
    return results


def cross_validate(pooling, maps, shifted, classes, folds=5):
    """Accuracy in each fold, on the maps themselves and on shifted ones."""
    plain, moved_too = [], []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(maps, classes):
        # `dual=False`: the primal problem converges in a few steps whatever the features.
        model = make_pipeline(clone(pooling), StandardScaler(), LinearSVC(C=0.01, dual=False))
        model.fit(maps[train], classes[train])
        plain.append(model.score(maps[test], classes[test]))
        moved_too.append(np.mean([model.score(other[test], classes[test]) for other in shifted]))
    return Result(model[-1].n_features_in_, plain, moved_too)


def report(name, result, seconds):
    """Print one line of the table."""
    print(
        f"{name:26}{result.features:9,}{np.mean(result.plain):9.1%}{np.std(result.plain):7.1%}"
        f"{np.mean(result.shifted):19.1%}{seconds:10.1f}"
    )


# --- the picture

GREY, BLUE, ORANGE, GREEN, DARK = "#b3b8bf", "#4a90c2", "#e08a3c", "#5aa37a", "#2b2f36"
SHADES = {"max": ORANGE, "average": BLUE}


def draw(tasks, results):
    """Compose the picture and write it."""
    figure = Figure(figsize=(15, 13), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08, wspace=0.02, hspace=0.02)
    top, bottom = figure.subfigures(2, height_ratios=(5.4, 7))
    title(top, "Edges coloured by their direction, and what poolings keep of them")
    for axes, task in zip(top.subplots(len(tasks), 6), tasks, strict=True):
        draw_maps(axes, task.images[12])
    for part, task, result in zip(bottom.subfigures(1, len(tasks)), tasks, results, strict=True):
        draw_accuracy(part, task, result)
    figure.savefig(PICTURE, dpi=110)


def draw_maps(axes, image):
    """An image, its edges, and its edges pooled."""
    maps = edges(image[None])
    show(axes[0], image, f"image, {size(image)}", cmap="gray")
    show(axes[1], coloured(maps[0]), f"edges, {maps.size:,} values")
    for ax, name in zip(axes[2:], ("max 2/2", "average 3/2", "max 4/4"), strict=False):
        panel = pooled(POOLINGS[name], maps)
        show(ax, coloured(panel), f"{name}, {panel.size:,} values")
    draw_pyramid(axes[-1], SpatialPyramidPooling((1, 2, 4), "max").fit(maps), maps)


def pooled(pooling, maps):
    """The first image of the batch, pooled, with its axes again."""
    return pooling.fit_transform(maps).reshape(-1, *pooling.output_shapes_[0])[0]


def draw_pyramid(ax, pyramid, maps):
    """The grids of a pyramid side by side, their bins of one size."""
    values = pyramid.transform(maps)[0]
    begin, left = 0, 0
    for shape in pyramid.output_shapes_:
        level = values[begin : begin + np.prod(shape)].reshape(shape)
        show(ax, coloured(level), "", extent=(left, left + shape[1], shape[0], 0))
        begin, left = begin + level.size, left + shape[1] + 0.4
    ax.set(xlim=(0, left - 0.4), ylim=(4, 0), title=f"pyramid of maxima: {values.size} values")
    ax.title.set(fontsize=11, color=DARK)


def coloured(maps):
    """Directions as hues, strength as brightness, on black."""
    hues = hsv_to_rgb(np.stack([np.arange(DIRECTIONS) / DIRECTIONS, *np.ones((2, DIRECTIONS))], axis=-1))
    colours = maps @ hues
    return (colours / colours.max()) ** 0.7


def draw_accuracy(figure, task, results):
    """Full dots: images told rightly; hollow ones: the same images moved by one pixel."""
    title(figure, f"{task.name.capitalize()} told rightly by a linear SVM")
    ax = figure.subplots()
    lowest = min(min(np.mean(result.plain), np.mean(result.shifted)) for result in results.values())
    start = np.floor(10 * lowest) / 10
    for row, (name, result) in enumerate(results.items()):
        shade = next((shade for word, shade in SHADES.items() if word in name), GREY)
        right, after = np.mean(result.plain), np.mean(result.shifted)
        ax.plot([after, right], [row, row], color=shade, linewidth=4, alpha=0.5)
        ax.plot(right, row, "o", color=shade, markersize=12)
        ax.plot(after, row, "o", color="white", markersize=10, markeredgecolor=shade, markeredgewidth=2)
        text = f"{right:.1%}, moved {after:.1%}; {result.features:,} features"
        ax.annotate(
            text,
            (1.005, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=DARK,
            annotation_clip=False,
        )
    ax.set_yticks(range(len(results)), results, fontsize=11, color=DARK)
    ax.set_ylim(len(results) - 0.4, -0.6)
    ax.set_xlim(start, 1.005)
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.set_xlabel("told rightly in five folds (hollow: the same images, moved by one pixel)", color=DARK)
    ax.tick_params(length=0)
    ax.grid(axis="x", color="#e6e8eb")
    ax.set_axisbelow(True)
    ax.spines[:].set_visible(False)
    handles = [Rectangle((0, 0), 1, 1, color=shade) for shade in (*SHADES.values(), GREY)]
    ax.legend(handles, (*SHADES, "not pooled"), loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)


def title(figure, text):
    """Head a part of the picture."""
    figure.suptitle(text, x=0.008, ha="left", fontsize=15, fontweight="bold", color=DARK)


def show(ax, image, label, **options):
    """One image without axes, its samples as they are."""
    ax.imshow(image, interpolation="nearest", **options)
    ax.set_title(label, fontsize=11, color=DARK)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


# --- helpers


def size(image):
    """Rows × columns, as text."""
    return f"{image.shape[0]}×{image.shape[1]}"


def heading(text):
    """Print an underlined heading."""
    print(f"\n{text}\n{'-' * len(text)}")


if __name__ == "__main__":
    main()
