"""
Which galaxies survive in a pyramid of labels
=============================================

Every galaxy of a photograph has a label; the image of labels is made smaller by 2, 4, ... 32. Which labels are left
depends on what is taken of each block: one pixel, the most frequent label, the most frequent one that is not the
background, or the most frequent one as long as no label is lost by it. Draws ``labels.png``.
"""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from skimage import color, data, filters, measure

import skpool

# %%
# The galaxies: what is brighter than its surroundings, 12 pixels or more.

photo = data.hubble_deep_field()[150:662, 250:762]
bright = filters.gaussian(color.rgb2gray(photo), 1)
found = measure.label(bright > filters.threshold_local(bright, 101, offset=-0.045))
sizes = np.bincount(found.ravel())
sizes[0] = 0
galaxies = np.zeros_like(found)
for label, old in enumerate(np.flatnonzero(sizes >= 12), 1):
    galaxies[found == old] = label

# %%
# Pyramids of labels: every level holds labels of the image, never something between two of them.

pyramids = {
    "every n-th pixel": [galaxies[:: 2**level, :: 2**level] for level in range(6)],
    'reduction="mode"': skpool.pool_pyramid(galaxies, 5, reduction="mode"),
    "background=0": skpool.pool_pyramid(galaxies, 5, reduction="mode", background=0),
    "preserve_labels=True": skpool.pool_pyramid(galaxies, 5, reduction="mode", preserve_labels=True),
}
alive = {name: [np.unique(level[level > 0]).size for level in levels] for name, levels in pyramids.items()}
area = {name: [np.mean(level > 0) for level in levels] for name, levels in pyramids.items()}
print(f"{'labels alive':24}" + "".join(f"{f'1/{2**level}':>8}" for level in range(6)))
for name, counts in alive.items():
    print(f"{name:24}" + "".join(f"{count:8}" for count in counts))
print("share of pixels that belong to a galaxy")
for name, shares in area.items():
    print(f"{name:24}" + "".join(f"{share:8.1%}" for share in shares))

# %%
# The mode loses what is small. If any label outvotes the background, hardly one is lost, but galaxies come to fill the
# sky. ``preserve_labels`` gives those that would die one pixel where there is room, and leaves
# the rest to the mode.

rng = np.random.default_rng(2)
hues = rng.permutation(galaxies.max()) / galaxies.max()
colours = color.hsv2rgb(np.column_stack([hues, *np.full((2, galaxies.max()), 0.9)]))
palette = ListedColormap([(0.08, 0.09, 0.11), *colours])


def show(ax, labels, title):
    """Labels in colours of their own."""
    ax.imshow(labels, cmap=palette, vmin=0, vmax=galaxies.max(), interpolation="nearest")
    ax.set_title(title, fontsize=11)


figure = Figure(figsize=(14, 14.6), layout="constrained")
grid = figure.subplots(4, len(pyramids))
grid[0, 0].imshow(photo)
grid[0, 0].set_title("photograph, 512×512", fontsize=11)
show(grid[0, 1], galaxies, f"{galaxies.max()} galaxies")
for ax, values, title in ((grid[0, 2], alive, "galaxies alive"), (grid[0, 3], area, "share of the sky they cover")):
    for name, numbers in values.items():
        ax.plot(numbers, "o-", label=name)
    ax.set_xticks(range(6), [f"1/{2**level}" for level in range(6)])
    ax.set_title(title, fontsize=11)
grid[0, 2].legend(frameon=False)
for row, level in zip(grid[1:], (2, 3, 4), strict=True):
    for ax, (name, levels) in zip(row, pyramids.items(), strict=True):
        show(ax, levels[level], f"{name}\n1/{2**level}: {alive[name][level]} galaxies")
for ax in (*grid[0, :2], *grid[1:].flat):
    ax.set(xticks=[], yticks=[])
figure.savefig("labels.png", dpi=100)
