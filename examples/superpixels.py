"""
Textures told by what is pooled over superpixels
================================================

Bricks, grass and gravel, of equal brightness and contrast, in one image. A linear classifier learns from its upper half
and sorts the lower: pixel by pixel, or by superpixels, of which ``region_pool`` makes one row of features each. Draws
``superpixels.png``.
"""

from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from skimage import color, data, filters, segmentation
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import skpool

# %%
# The image, and its pieces: superpixels that know nothing of what they show.

textures = [texture() - texture().mean() for texture in (data.brick, data.grass, data.gravel)]
rows, columns = np.mgrid[:512, :512]
truth = ((columns + 60 * np.sin(rows / 60)) // 100).astype(int) % 3
image = np.clip(0.5 + 0.17 * np.choose(truth, [texture / texture.std() for texture in textures]), 0, 1)
pieces = segmentation.slic(filters.gaussian(image, 3), 400, compactness=0.3, start_label=1, channel_axis=None)

# %%
# Features of a pixel: how light it is, and what is left of that at finer and coarser scales, without its sign.

blurred = [filters.gaussian(image, sigma) for sigma in (0, 1, 2, 4, 8)]
scales = [np.abs(fine - coarse) for fine, coarse in pairwise(blurred)]
pixels = np.stack([image, *scales], axis=-1)

# %%
# Features of a piece: statistics of those of its pixels. All channels are pooled together, and no piece is looked at
# one by one.


def pooled(reduction, **parameters):
    """One row for each piece, one column for each feature of a pixel."""
    return skpool.region_pool(pixels, pieces, reduction, channel_axis=-1, **parameters)


features = np.hstack([pooled("avg"), pooled("std")])

# %%
# The classifier learns from pieces whose middle lies in the upper half; what most pixels of a piece are is its class.
# ``region_unpool`` paints what it says over the pixels, the lower half of which are counted.


def sorted_by(rows_of_features, classes, known):
    """Classes of all rows, learnt from those that are known."""
    return LinearDiscriminantAnalysis().fit(rows_of_features[known], classes[known]).predict(rows_of_features)


most = skpool.region_pool(truth, pieces, "mode")
upper = skpool.region_pool(rows, pieces, "avg") < 256
results = {
    "pixel by pixel": sorted_by(pixels.reshape(-1, 5), truth.ravel(), rows.ravel() < 256).reshape(truth.shape),
    "by pieces": skpool.region_unpool(sorted_by(features, most, upper), pieces),
}
right = {name: np.mean((classes == truth)[256:]) for name, classes in results.items()}
for name, share in right.items():
    print(f"{name:16}{share:6.1%} of the lower half told rightly")

# %%
# A pixel says little about its texture, the pixels of a piece together much.

figure = Figure(figsize=(10.5, 11), layout="constrained")
shades = [(0.85, 0.45, 0.2), (0.3, 0.65, 0.35), (0.3, 0.5, 0.8)]
panels = {f"{pieces.max()} pieces": segmentation.mark_boundaries(image, pieces, color=(1, 0.7, 0)), "truth": truth}
panels |= {f"{name}: {right[name]:.1%} of the lower half": classes for name, classes in results.items()}
for ax, (name, panel) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
    if panel.ndim == 2:
        ax.axhline(256, color="white")
        panel = color.label2rgb(panel, image, colors=shades, alpha=0.55, bg_label=-1)
    ax.imshow(panel, interpolation="nearest")
    ax.set_title(name, fontsize=11)
    ax.set_axis_off()
figure.savefig("superpixels.png", dpi=110)
