"""
Which pixel did a coarse detection come from
============================================

A filter answers to every letter "e" of a printed page; pooling keeps one answer for each block of 8 × 8 pixels and, by
``return_indices``, the pixel that it came from. The letters are framed where they stand, not where the blocks lie.
Draws ``detections.png``.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from skimage import data, feature

import skpool

# %%
# The answers of the filter: how well each place agrees with one "e", cut out of the page itself.

page = data.page()
letter = page[52:63, 98:107]
score = feature.match_template(page, letter, pad_input=True)

# %%
# A map of a 64th of the size, and where each of its values was found. A letter may have answers in two blocks: the
# indices tell which of them are the largest of their surroundings, for a window around every pixel has an index too.

values, where = skpool.max_pool(score, 8, return_indices=True)
rows, columns = np.unravel_index(where[values > 0.8], page.shape)
largest = skpool.max_pool(score, 7, stride=1, padding=3, return_indices=True)[1]
is_peak = largest[rows, columns] == where[values > 0.8]
rows, columns = rows[is_peak], columns[is_peak]

# %%
# Without indices, a detection would be known to lie in a block; its centre is the best guess.

centres = skpool.pooled_coords(page.shape, 8)
guesses = np.stack([centre[place // 8] for centre, place in zip(centres, (rows, columns), strict=True)])
off = np.hypot(*(guesses - (rows, columns)))
print(f"{score.size:,} answers of the filter, {values.size:,} after pooling, {len(rows)} letters found")
print(f"the centres of their blocks are off by {off.mean():.1f} pixels on average, by {off.max():.1f} at the most")

# %%

figure = Figure(figsize=(13, 10.4), layout="constrained")
(top, bottom) = figure.subfigures(2, height_ratios=(1, 2.1))
left, right = top.subplots(1, 2)
left.imshow(score, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
left.set_title(f"agreement with one letter, {page.shape[0]}×{page.shape[1]}")
right.imshow(values, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
right.set_title(f"max_pool(..., 8, return_indices=True), {values.shape[0]}×{values.shape[1]}")
ax = bottom.subplots()
ax.imshow(page, cmap="gray")
ax.set_title("orange: from indices; blue: around the centres of blocks")
height, width = letter.shape
for (row, column), shade in ((place, "#4a90c2") for place in guesses.T):
    ax.add_patch(Rectangle((column - width / 2, row - height / 2), width, height, fill=False, edgecolor=shade))
for row, column in zip(rows, columns, strict=True):
    corner = column - width / 2, row - height / 2
    ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="#ff8c1a", linewidth=2))
for panel in (left, right, ax):
    panel.set_axis_off()
figure.savefig("detections.png", dpi=100)
