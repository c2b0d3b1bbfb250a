"""What was measured, drawn."""

from collections import Counter

import numpy as np

COLORS = {"uint8": "#1b6ca8", "uint16": "#2f9c95", "int32": "#8a6fb3", "float32": "#d1662b", "float64": "#a02c3e"}


def roofline(path, library_name, results):
    """Bytes of image and result per second against operations per byte: the library, its fastest peer, and copies."""
    from matplotlib.figure import Figure

    shown = [result for result in results if result.share]
    if not shown:
        raise SystemExit("--plot draws rates beside those of copies, and no cell that was run is large enough for one.")
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for result, intensity in zip(
        shown, _apart([result.operations / result.moved_bytes for result in shown]), strict=True
    ):
        color = COLORS[result.cell.dtype]
        rate, copied = result.rate / 1e9, result.moved_bytes / result.copy_seconds.middle / 1e9
        axes.plot(intensity, rate, "o", color=color, markersize=5, markeredgewidth=0, zorder=3)
        axes.plot(intensity, copied, "_", color="#444444", markersize=9, zorder=2)
        if fastest := result.peer(result.fastest):
            peer_rate = result.moved_bytes / fastest.seconds.middle / 1e9
            axes.plot([intensity] * 2, [peer_rate, rate], "-", color=color, linewidth=0.6, alpha=0.4, zorder=1)
            axes.plot(intensity, peer_rate, "o", color=color, markersize=4, markerfacecolor="white", zorder=2)
    for dtype, color in COLORS.items():
        if any(result.cell.dtype == dtype for result in shown):
            axes.plot([], [], "o", color=color, markersize=5, markeredgewidth=0, label=f"{library_name}, {dtype}")
    axes.plot(
        [], [], "o", color="#777777", markersize=4, markerfacecolor="white", label="fastest function of a library"
    )
    axes.plot([], [], "_", color="#444444", markersize=9, label="copy of as many bytes")
    axes.set(xscale="log", yscale="log", xlabel="samples of all windows per byte of image and result")
    axes.set_ylabel("GB/s of image and result")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def _apart(values, step=1.05):
    """Values for a logarithmic axis of which no two are equal: those that are lie side by side."""
    seen = Counter()
    for value in values:
        rank = seen[value]
        seen[value] += 1
        yield value * step ** ((rank + 1) // 2 * (-1 if rank % 2 else 1))


def bars(path, library_name, results):
    """Bars: the share of the copy rate that the library and its fastest peer reach in every cell."""
    from matplotlib.figure import Figure

    shown = [result for result in results if result.share]
    if not shown:
        raise SystemExit("--bars draws shares of the copy rate, and no cell that was run has one.")
    positions = np.arange(len(shown))[::-1]
    figure = Figure(figsize=(8, 1.2 + 0.34 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    sides = (
        (library_name, "#1b6ca8", 0.2, [result.share.middle for result in shown]),
        ("fastest peer", "#c9c9c9", -0.2, [_peer_share(result) for result in shown]),
    )
    for label, color, shift, shares in sides:
        axes.barh(positions + shift, shares, height=0.38, color=color, label=label)
    for position, result in zip(positions, shown, strict=True):
        note = result.fastest or "no peer"
        axes.text(_peer_share(result) + 0.01, position - 0.2, note, va="center", fontsize=6, color="#666666")
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set_yticks(positions, [result.name for result in shown], fontsize=8)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel("image and result bytes per second, as a share of the rate of a plain copy")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)
    figure.savefig(path, dpi=150)


def _peer_share(result):
    """The share of the copy rate that the fastest peer reaches."""
    return result.copy_seconds.middle / result.peer(result.fastest).seconds.middle if result.fastest else 0.0
