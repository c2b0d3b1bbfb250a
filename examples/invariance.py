"""
How far an image may move before its features do
================================================

A map of edges is another one when the photograph moves by a pixel. What is pooled from it changes less, the less the
larger the window. At what price? A feature that never changes tells nothing, so the same distance is taken between
photographs of different things. Draws ``invariance.png``.
"""

from itertools import combinations

import numpy as np
from matplotlib.figure import Figure
from skimage import color, data, filters, util

import skpool

# %%
# Four photographs, cut from inside so that they can move by 16 pixels without a border coming in.

SIDE, FARTHEST = 256, 16
PHOTOGRAPHS = {
    "astronaut": color.rgb2gray(data.astronaut()),
    "camera": util.img_as_float(data.camera()),
    "coffee": color.rgb2gray(data.coffee()),
    "coins": util.img_as_float(data.coins()),
}
EDGES = {name: filters.sobel(photo) for name, photo in PHOTOGRAPHS.items()}


def moved(image, shift):
    """The middle of an image, so many pixels further down and to the right."""
    row, column = ((length - SIDE - FARTHEST) // 2 + shift for length in image.shape)
    return image[row : row + SIDE, column : column + SIDE]


def distance(one, other):
    """Of two maps: 0 for the same, 1 for maps that have nothing in common but their mean."""
    one, other = one - one.mean(), other - other.mean()
    return np.linalg.norm(one - other) / np.hypot(np.linalg.norm(one), np.linalg.norm(other))


POOLINGS = {
    "edges": lambda image: image,
    "every 8th sample": lambda image: image[::8, ::8],
    "max_pool(edges, 8)": lambda image: skpool.max_pool(image, 8),
    "avg_pool(edges, 8)": lambda image: skpool.avg_pool(image, 8),
    "max_pool(edges, 32)": lambda image: skpool.max_pool(image, 32),
    "avg_pool(edges, 32)": lambda image: skpool.avg_pool(image, 32),
}
SHIFTS = (0, 1, 2, 4, 8, 16)

print(f"{'moved by':22}" + "".join(f"{shift:8}" for shift in SHIFTS[1:]) + f"{'another photograph':>22}")
changes, others = {}, {}
for name, pooling in POOLINGS.items():
    maps = [[pooling(moved(edges, shift)) for shift in SHIFTS] for edges in EDGES.values()]
    changes[name] = np.mean([[distance(still, one) for one in (still, *rest)] for still, *rest in maps], axis=0)
    others[name] = np.mean([distance(one[0], other[0]) for one, other in combinations(maps, 2)])
    print(f"{name:22}" + "".join(f"{change:8.2f}" for change in changes[name][1:]) + f"{others[name]:22.2f}")

# %%
# Samples left out help nothing: what remains changes as much as before. Windows of 8 forgive a pixel or two, averages
# of 32 pixels eight of them; photographs of different things stay about as far apart as they were.

figure = Figure(figsize=(14, 5.6), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
for axes, (name, pooling) in zip(left.subplots(2, 4).T, list(POOLINGS.items())[:4], strict=True):
    for ax, shift in zip(axes, (0, 4), strict=True):
        ax.imshow(pooling(moved(EDGES["coins"], shift)), cmap="magma", interpolation="nearest")
        how = f"moved by {shift}: {changes[name][SHIFTS.index(shift)]:.2f}" if shift else name
        ax.set_title(how, fontsize=10)
        ax.set(xticks=[], yticks=[])
ax = right.subplots()
for name, values in changes.items():
    (line,) = ax.plot(SHIFTS, values, "o-", label=name)
    ax.plot([20], others[name], "s", color=line.get_color())
ax.set_xticks([*SHIFTS, 20], [*map(str, SHIFTS), "another\nphotograph"])
ax.set(xlabel="pixels that the photograph moves by", ylabel="change of the map", ylim=(0, 1.05))
ax.legend(frameon=False, loc="lower right")
figure.savefig("invariance.png", dpi=100)
