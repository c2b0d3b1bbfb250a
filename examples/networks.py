"""
What poolings do in AlexNet, VGG-16 and ResNet-18
=================================================

Windows of convolutions and of poolings lie by the same rule, so that ``pooled_shape`` and ``pooled_coords`` follow a
photograph through a network without its weights. How large is each map, and which part of the photograph does one
sample of it look at? The same networks without their poolings tell what these are there for. Draws ``networks.png``.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from skimage import data, transform

import skpool

# %%
# A network is its layers, as far as samples are looked at: windows, strides and paddings, as published. Only ResNet's
# first pooling has a padding; frameworks drop partial windows.


class Layer(NamedTuple):
    """A convolution, unless `pools`."""

    window: int
    stride: int = 1
    padding: int = 0
    pools: bool = False


def vgg(convolutions):
    """A stage of VGG: so many convolutions, then a pooling."""
    return [Layer(3, 1, 1)] * convolutions + [Layer(2, 2, pools=True)]


NETWORKS = {
    "AlexNet": (
        227,
        [Layer(11, 4), Layer(3, 2, pools=True), Layer(5, 1, 2), Layer(3, 2, pools=True)]
        + [Layer(3, 1, 1)] * 3
        + [Layer(3, 2, pools=True)],
    ),
    "VGG-16": (224, vgg(2) + vgg(2) + vgg(3) * 3),
    "ResNet-18": (
        224,
        [Layer(7, 2, 3), Layer(3, 2, 1, pools=True)]
        + [Layer(3, 1, 1)] * 4
        + ([Layer(3, 2, 1)] + [Layer(3, 1, 1)] * 3) * 3,
    ),
}


def followed(side, layers):
    """For every layer, the side of its map and how many samples of the photograph one of its samples looks at."""
    sides, fields, reach, step = [side], [1], 1, 1
    for layer in layers:
        geometry = {"stride": layer.stride, "padding": layer.padding, "ceil_mode": False}
        (centers,) = skpool.pooled_coords((sides[-1],), layer.window, **geometry)
        reach += (layer.window - 1) * step
        step *= layer.stride
        sides.append(len(centers))
        fields.append(reach)
    return sides, fields


def without_poolings(layers):
    """The convolutions alone."""
    return [layer for layer in layers if not layer.pools]


print(f"{'':12}{'last map':>16}{'it sees':>10}{'multiply-adds':>16}")
for name, (side, layers) in NETWORKS.items():
    for title, chosen in ((name, layers), ("  not pooled", without_poolings(layers))):
        sides, fields = followed(side, chosen)
        cost = sum((layer.window * n) ** 2 for layer, n in zip(chosen, sides[1:], strict=True) if not layer.pools)
        size = f"{sides[-1]}×{sides[-1]}"
        print(f"{title:12}{size:>16}{fields[-1]:>8}px{cost:>15,}*")
print("* of one filter on one channel in each layer")

# %%
# Squares: what the middle sample of the last map looks at, with and without poolings; in ResNet-18 that is more than
# the photograph, and the rest of it padding. Beneath them the side of every map, layer by layer; dots are poolings.

figure = Figure(figsize=(13, 8.4), layout="constrained")
grid = figure.subplots(2, 3, height_ratios=(1.4, 1))
for (name, (side, layers)), ax, sizes in zip(NETWORKS.items(), *grid, strict=True):
    ax.imshow(transform.resize(data.astronaut(), (side, side)), extent=(0, side, side, 0))
    for color, title, chosen in (("C1", "with poolings", layers), ("C0", "without", without_poolings(layers))):
        sides, fields = followed(side, chosen)
        corner = (side - fields[-1]) / 2
        label = f"{title}: {fields[-1]}×{fields[-1]}"
        ax.add_patch(Rectangle((corner, corner), fields[-1], fields[-1], fill=False, ec=color, lw=2.5, label=label))
        numbers = np.flatnonzero([layer in chosen for layer in layers]) + 1  # places in the network that pools
        sizes.plot([0, *numbers], sides, color=color, drawstyle="steps-mid", label=f"{title}: {sides[-1]}×{sides[-1]}")
        pooled = [number for number in numbers if layers[number - 1].pools]
        sizes.plot(pooled, [sides[number] for number in pooled], "o", color=color)
    margin = max((max(followed(side, layers)[1]) - side) / 2, 0) + 8
    ax.set(xlim=(-margin, side + margin), ylim=(side + margin, -margin), title=f"{name}: what one sample looks at")
    ax.set_axis_off()
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), frameon=False, ncols=2)
    sizes.set_yscale("log", base=2)
    sizes.set(xlabel="layer", ylabel="side of the map" if name == "AlexNet" else None, ylim=(4, 300))
    sizes.xaxis.get_major_locator().set_params(integer=True)
    sizes.yaxis.set_major_formatter("{x:.0f}")
    sizes.legend(frameon=False)
figure.savefig("networks.png", dpi=100)
