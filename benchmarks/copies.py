"""How fast this machine copies: the bound for anything that reads an image once and writes a result once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks.timing import block

# Copies smaller than this measure calls, not memory.
SMALLEST = 1 << 20


def _numpy(source, target, workers):
    return partial(np.copyto, target, source)


def _numpy_threads(source, target, workers):
    """Equal parts in threads, the caller's own among them; `copyto` lets go of the interpreter lock."""
    if workers == 1:
        return None
    pool = ThreadPoolExecutor(workers - 1)
    first, *others = zip(np.array_split(target, workers), np.array_split(source, workers), strict=True)

    def call():
        waiting = [pool.submit(np.copyto, *part) for part in others]
        np.copyto(*first)
        for part in waiting:
            part.result()

    return call


def _torch(source, target, workers):
    if find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(workers)
    return partial(torch.from_numpy(target).copy_, torch.from_numpy(source))


WAYS = (("numpy.copyto", _numpy), ("numpy.copyto in threads", _numpy_threads), ("torch copy_", _torch))


def fastest(moved, workers, samples):
    """``(way, call)`` of the fastest copy that reads and writes `moved` bytes in all, or None if too few."""
    if moved < SMALLEST:
        return None
    source, target = np.ones(moved // 2, np.uint8), np.zeros(moved // 2, np.uint8)
    calls = {name: prepare(source, target, workers) for name, prepare in WAYS}
    seconds = {name: min(block(call, samples)) for name, call in calls.items() if call is not None}
    way = min(seconds, key=seconds.get)
    return way, calls[way]
