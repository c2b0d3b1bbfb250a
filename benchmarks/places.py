"""Windows placed otherwise beside their peers, paired: `python -m benchmarks.places [THREADS]`."""

import numpy as np

from benchmarks import copies, library
from benchmarks.pairs import EFFORT, Table

SIDE = 4096


def plain(skpool, threads):
    """One 4096 x 4096 float32 image: adaptive and global pooling, tall windows."""
    import torch

    image = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    tensor = torch.from_numpy(image)[None]
    functional = torch.nn.functional
    small, out = np.empty((7, 7), np.float32), np.empty((SIDE, SIDE), np.float32)
    yield (
        "adaptive average 7 x 7",
        lambda: skpool.adaptive_avg_pool(image, 7, out=small, workers=threads),
        {"PyTorch": lambda: functional.adaptive_avg_pool2d(tensor, 7), "copy": copy_of(image.nbytes, threads)},
    )
    yield (
        "global average",
        lambda: skpool.global_avg_pool(image, workers=threads),
        {"PyTorch sum (a read)": tensor.sum, "copy": copy_of(image.nbytes, threads)},
    )
    yield (
        "global maximum",
        lambda: skpool.global_max_pool(image, workers=threads),
        {"PyTorch": tensor.max, "PyTorch sum (a read)": tensor.sum},
    )
    for name in ("max", "avg"):
        function = getattr(skpool, f"{name}_pool")
        yield (
            f"{name} 63/1",
            lambda function=function: function(image, 63, stride=1, padding="same", out=out, workers=threads),
            {
                "3/1": lambda function=function: function(image, 3, stride=1, padding="same", out=out, workers=threads),
            },
        )


def copy_of(moved, threads):
    """The fastest copy of as many bytes."""
    return copies.fastest(moved, threads, EFFORT.first_pass)[1]


def batches(skpool, threads):
    """64 images of 56 x 56 pixels and 64 channels, both layouts, against PyTorch's best."""
    import torch

    planes = np.random.default_rng(1).random((64, 64, 56, 56), np.float32)
    columns = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    tensor = torch.from_numpy(planes).contiguous(memory_format=torch.channels_last)
    functional = torch.nn.functional
    cases = {
        "max 3/2/1": (skpool.max_pool, 3, 2, 1, lambda: functional.max_pool2d(tensor, 3, 2, 1)),
        "avg 2/2": (skpool.avg_pool, 2, 2, 0, lambda: functional.avg_pool2d(tensor, 2)),
    }
    for name, (function, window, stride, padding, peer) in cases.items():
        for layout, image, ahead, channel_axis in (("NCHW", planes, 2, None), ("NHWC", columns, 1, -1)):
            arguments = {
                "window_shape": (*(1,) * ahead, window, window),
                "stride": (*(1,) * ahead, stride, stride),
                "padding": (*(0,) * ahead, padding, padding),
                "ceil_mode": False,
                "channel_axis": channel_axis,
                "workers": threads,
            }
            arguments["out"] = function(image, **arguments)
            call = lambda function=function, image=image, arguments=arguments: function(image, **arguments)  # noqa: E731
            yield f"{name} {layout}", call, {"PyTorch channels last": peer}


def regions(skpool, threads):
    """1024 labels of a 4096 x 4096 float32 image: blocks as of superpixels, and one drawn for each pixel."""
    from scipy import ndimage

    rng = np.random.default_rng(2)
    image = rng.random((SIDE, SIDE), np.float32)
    side = np.arange(SIDE, dtype=np.int32) // (SIDE // 32)
    labels = {"blocks": side[:, None] * 32 + side + 1, "drawn": rng.integers(1, 1025, (SIDE, SIDE), np.int32)}
    index = np.arange(1, 1025)
    for kind, label_image in labels.items():
        for name, peer in (("avg", ndimage.mean), ("max", ndimage.maximum)):
            peers = {"SciPy": lambda peer=peer, label_image=label_image: peer(image, label_image, index)}
            if name == "avg":
                peers["np.bincount"] = lambda label_image=label_image: np.bincount(
                    label_image.ravel(), weights=image.ravel()
                )
            call = lambda name=name, label_image=label_image: skpool.region_pool(  # noqa: E731
                image, label_image, name, workers=threads
            )
            yield f"region {name}, {kind}", call, peers


def main():
    """Time every case."""
    table = Table("places", "Windows placed otherwise beside their peers.")
    skpool = library.load()
    import torch

    torch.set_num_threads(table.threads)
    for cases in (plain, batches, regions):
        for name, call, peers in cases(skpool, table.threads):
            if table.wants(name):
                for peer, other in peers.items():
                    table.line(name, call, peer, other)


if __name__ == "__main__":
    main()
