"""
How a whole slide becomes a pyramid in one pass
===============================================

A slide of 100 million pixels is no array in memory: it is chunks that are made when they are asked for. Its pyramid is
lazy, too, and is written as OME-Zarr while each chunk of the slide is looked at once. How many tasks is that, and what
does a viewer then find at each level? Draws ``whole_slide.png``.
"""

import tempfile
from collections import Counter

import dask.array as da
import numpy as np
import zarr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import ndimage
from skimage import data

import skpool

# %%
# The slide: sections of tissue on glass. Stained tissue comes with scikit-image, mirrored here so that it can be
# repeated; where there is how much of it, a smooth map tells.

SHAPE, CHUNK, LEVELS = (3, 8192, 12288), 1024, 5  # the channels first, as OME-Zarr wants them
stained = np.moveaxis(data.immunohistochemistry(), -1, 0)
stained = np.concatenate([stained, stained[:, ::-1]], axis=1)
stained = np.concatenate([stained, stained[:, :, ::-1]], axis=2)  # as large as a chunk, and seamless when repeated
noise = np.random.default_rng(6).normal(size=(129, 193))  # one sample for each 64 × 64 pixels
rough = sum(sigma * ndimage.gaussian_filter(noise, sigma) for sigma in (3, 8, 20))
density = np.clip(6 * (rough / rough.std() - 0.25), 0, 1)
made = Counter()


def chunk(block_info):
    """The pixels of one chunk of the slide."""
    _, (top, bottom), (left, right) = block_info[None]["array-location"]
    made[top, left] += 1
    places = np.meshgrid(np.arange(top, bottom) / 64, np.arange(left, right) / 64, indexing="ij")
    share = ndimage.map_coordinates(density, places, order=1)
    return (245 * (1 - share) + share * stained).astype(np.uint8)


slide = da.map_blocks(chunk, chunks=da.core.normalize_chunks((3, CHUNK, CHUNK), SHAPE), meta=np.empty((0,) * 3, "u1"))

# %%
# Its pyramid: nothing is computed yet. skpool adds one task for each chunk of a level. From the third level on sums are
# handed down beside the averages, so that these are rounded once; that takes another task.

levels = skpool.pool_pyramid(slide, LEVELS, channel_axis=0)
transforms = skpool.pyramid_transforms(slide.shape, LEVELS, channel_axis=0)

print(f"{'level':13}{'chunks':>8}{'tasks of skpool':>17}{'for each chunk':>16}")
known = set()
for level in levels:
    tasks = {key for key in level.dask if "skpool" in str(key)} - known
    known |= tasks
    size = f"{level.shape[1]}×{level.shape[2]}"
    print(f"{size:13}{level.npartitions:8}{len(tasks):17}{len(tasks) / level.npartitions:16.1f}")

# %%
# All levels are stored by one call, in squares of 512 pixels: dask makes each chunk of the slide, hands it to the
# levels that look at it, and forgets it. The group has what OME-Zarr 0.5 wants, so that viewers know the levels for
# one image.

with tempfile.TemporaryDirectory() as folder:
    group = zarr.open_group(f"{folder}/slide.zarr", mode="w", zarr_format=3)
    sources = [level.rechunk((3, 512, 512)) for level in levels]
    targets = [
        group.create_array(str(number), shape=source.shape, chunks=(3, 512, 512), dtype="uint8")
        for number, source in enumerate(sources)
    ]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": "c", "type": "channel"}, *({"name": name, "type": "space"} for name in "yx")],
                "datasets": [
                    {
                        "path": str(number),
                        "coordinateTransformations": [
                            {"type": "scale", "scale": scale},
                            {"type": "translation", "translation": translation},
                        ],
                    }
                    for number, (scale, translation) in enumerate(transforms)
                ],
            }
        ],
    }
    da.store(sources, targets, lock=False)
    print(f"{len(made)} chunks of the slide, made {made.total()} times in all")

    # What a viewer loads: the smallest level as a map of the slide, then at every level what its screen of 256 × 256
    # pixels holds around one place.

    center, screen = np.array([0.49, 0.56]), 256
    overview = np.moveaxis(group[str(LEVELS)][...], 0, -1)
    views = []
    for number in range(LEVELS + 1):
        level = group[str(number)]
        size = level.shape[1:]
        row, column = (center * size - screen // 2).astype(int).clip(0, np.subtract(size, screen))
        view = level[:, row : row + screen, column : column + screen]
        views.append((row, column, np.moveaxis(view, 0, -1)))

figure = Figure(figsize=(14, 5.2), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.05))
ax = left.subplots()
ax.imshow(overview)
ax.set_title(f"level {LEVELS}: all of {SHAPE[1]}×{SHAPE[2]} pixels in {overview.shape[0]}×{overview.shape[1]}")
ax.set_axis_off()
for number, panel in zip(range(LEVELS, -1, -1), right.subplots(2, 3).flat, strict=True):
    row, column, view = views[number]
    panel.imshow(view, interpolation="nearest")
    panel.set_title(f"level {number}, 1/{2**number}", fontsize=11)
    panel.set(xticks=[], yticks=[])
    scale = 2.0 ** (number - LEVELS)
    corner, side = (column * scale - 0.5, row * scale - 0.5), screen * scale
    ax.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="#d62728"))
figure.savefig("whole_slide.png", dpi=110)
