"""
What downsampling makes of fine stripes
=======================================

Five ways to half the size, measured on rings that become ever finer and on bricks: every second sample, maxima,
averages, ``blur_pool``, which smooths with binomial weights before it leaves samples out, and maxima that are smoothed
so. Draws ``antialias.png``.
"""

import numpy as np
from matplotlib.figure import Figure
from skimage import data

import skpool

# %%
# The rings reach half a cycle per sample at their rim. Half the size can show them out to half of that; what it shows
# further out is invented.

size = 320
y, x = np.mgrid[:size, :size] - (size - 1) / 2
rings = 0.5 + 0.5 * np.cos(np.pi * (x**2 + y**2) / size)
bricks = skpool.avg_pool(data.brick(), 2)[:160, :160] / 255

WAYS = {
    "image[::2, ::2]": lambda image: image[::2, ::2],
    "max_pool(image)": skpool.max_pool,
    "avg_pool(image)": skpool.avg_pool,
    "blur_pool(image, 5)": lambda image: skpool.blur_pool(image, 5),
    "blur_pool(image, 5, max_window=2)": lambda image: skpool.blur_pool(image, 5, max_window=2),
}

# %%
# Where nothing can be shown, a map without structure is right: how much does each vary there? And by how much does the
# small image change when the large one moves by one sample?

beyond = skpool.min_pool(np.hypot(x, y) > 0.65 * size / 2)


def invented(way):
    """Standard deviation of what half the size cannot show, as a share of the rings' own."""
    return way(rings)[beyond].std() / rings.std()


def change(way):
    """Relative change of small bricks when the large ones move by one sample."""
    still, moved = way(bricks[:, :-2]), way(bricks[:, 1:-1])
    return np.linalg.norm(moved - still) / np.linalg.norm(still - still.mean())


print(f"{'':36}{'invented':>10}{'changes':>10}")
for name, way in WAYS.items():
    print(f"{name:36}{invented(way):10.0%}{change(way):10.0%}")

# %%
# Slices keep every stripe and show it where it is not: rings that nobody drew. Averages weaken them, binomial weights
# all but remove them. A maximum is no smoothing: it needs the weights after it.

figure = Figure(figsize=(11, 8), layout="constrained")
panels = {f"image, {size}×{size}": rings}
for name, way in WAYS.items():
    panels[f"{name}\ninvented {invented(way):.0%}; moved bricks change by {change(way):.0%}"] = way(rings)
for ax, (title, panel) in zip(figure.subplots(2, 3).flat, panels.items(), strict=True):
    ax.imshow(panel, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
figure.savefig("antialias.png", dpi=150)
