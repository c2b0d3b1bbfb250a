"""What calls there are on a GPU, and what each costs: launches, allocations, uploads and waits.

Behind the stand-in only, where kernels are not run but counted: nothing is compiled.
"""

import re

import numpy as np
import pytest
import standin
from devices import on_device
from grid import FOLDED, SORTED
from plans import required

import skpool
from skpool.backends import gpu, gpu_labels
from skpool.boxes import POOL_REDUCTIONS
from skpool.reductions import REDUCTIONS


@pytest.fixture(autouse=True)
def log(monkeypatch):
    """What is done on a device whose kernels do nothing."""

    def kernel(file, names, number, device):
        return lambda grid, block, arguments: standin.log.launches.append((names[number], grid))

    monkeypatch.setattr(gpu, "_kernel", kernel)
    with standin.installed():
        yield standin.log


#: Memory of images: contiguous, and backwards with gaps along all axes.
LAYOUTS = (np.ascontiguousarray, lambda array: np.repeat(np.repeat(array, 2, 0), 2, 1)[::-2, ::-2])

SHAPE = 40, 60


def ones(layout=LAYOUTS[0], dtype=np.float32, shape=SHAPE):
    return on_device(layout(np.ones(shape, dtype)))


def again(log, function, *arguments, **keywords):
    """The results of the second of two like calls; `log` has what it does."""
    function(*arguments, **keywords)
    log.clear()
    results = function(*arguments, **keywords)
    return results if isinstance(results, list | tuple) else (results,)


# ---------------------------------------------------------------- what each call costs

RAMP = np.arange(1, 22)
BOXES = [[0, 0, 9.5, 20], [4, 3, 30, 50]]

#: Arguments beside the image, by the function, of windows of every kind. Those of the registry are added below.
WINDOWS = {
    "pool": [
        {"window_shape": 2},  # in vectors
        {"window_shape": 15, "reduction": "std", "stride": 1, "padding": 7},  # in tiles
        {"window_shape": 40, "reduction": "lp", "stride": 20},  # in parts
        {"footprint": [[0, 1], [1, 1]], "reduction": "avg", "fill_value": float("nan")},
    ],
    "adaptive_pool": [{"output_shape": (3, 7), "bins": "disjoint"}, {"output_shape": (40, 50), "reduction": "median"}],
    "adaptive_avg_pool": [{"output_shape": (3, 7), "bins": "area"}, {"output_shape": (3, 60), "bins": "area"}],
    "global_pool": [{"reduction": "min", "return_indices": True, "keepdims": True, "channel_axis": 0}],
    "fractional_max_pool": [{"ratio": 1.5, "rng": 0, "return_indices": True}],
    "strip_pool": [{"axis": 0, "reduction": "avg"}, {"axis": -1, "reduction": "var", "keepdims": True}],
    "corner_pool": [{"corner": "top"}, {"corner": "bottom_right"}],
    "weighted_avg_pool": [{"weights": [[1, 2], [3, 5]]}, {"weights": np.outer(RAMP, RAMP)}],
    "blur_pool": [{"size": 7}, {"size": 5, "max_window": 3}],
    "roi_pool": [{"boxes": BOXES, "output_shape": 3, "reduction": name} for name in POOL_REDUCTIONS],
    "roi_align": [{"boxes": BOXES, "output_shape": 3}, {"boxes": BOXES, "output_shape": 3, "reduction": "max"}],
    "precise_roi_pool": [{"boxes": BOXES, "output_shape": 3}],
}

#: Functions whose calls have no mask and no policy of NaN.
BARE = ("roi_pool", "roi_align", "precise_roi_pool")

for name in REDUCTIONS:
    indices = {"return_indices": True} if REDUCTIONS[name].indices else {}
    WINDOWS[f"{name}_pool"] = [{"window_shape": 3, "stride": 2, "padding": 1, **indices, **required(name)}]
    WINDOWS.setdefault(f"adaptive_{name}_pool", []).append({"output_shape": (20, 30), **required(name)})
    if name in FOLDED:
        WINDOWS[f"{name}_pool"].append({"window_shape": 9, "stride": 1, **required(name)})
        WINDOWS[f"global_{name}_pool"] = [required(name)]

#: What else is given with windows, and how often the device is waited for.
RULES = {"plain": 0, "masked": 0, "raises": 1}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_take_two_launches_at_most(name, rules, log):
    function = getattr(skpool, name)
    for layout in LAYOUTS:
        image, given = ones(layout), {}
        if rules != "plain" and name in BARE:
            continue
        if rules == "masked":
            given = {"mask": ones(layout, bool), "nan_policy": "omit"}
        elif rules == "raises":
            given = {"nan_policy": "raise"}
        for keywords in WINDOWS[name]:
            twice = "max_window" in keywords  # maxima first, with NaN to be looked for, and again
            results = again(log, function, image, **keywords, **given)
            assert 1 <= len(log.launches) <= 2
            assert log.allocations <= len(results) + 1 + (twice and rules == "raises") * 2
            assert (log.uploads, log.waits) == (0, RULES[rules] * (1 + twice))


#: Other calls, by the function: (image, truths) -> results; and how often they wait for the device to look at values.
OTHERS = {
    "weighted_avg_pool": (lambda image, mask: skpool.weighted_avg_pool(image, RAMP[None, :3], image_weights=image), 1),
    "global_avg_pool": (lambda image, mask: skpool.global_avg_pool(image, weights=image, mask=mask), 1),
    "adaptive_avg_pool": (lambda image, mask: skpool.adaptive_avg_pool(image[None], (3, 3, 7), bins="area"), 0),
    "blur_pool": (lambda image, mask: skpool.blur_pool(image, 3, max_window=2, mask=mask), 0),
    "max_unpool": (lambda image, mask: skpool.max_unpool(image, mask.view(np.uint8), (80, 120)), 1),
    "avg_unpool": (lambda image, mask: skpool.avg_unpool(image, (80, 120), 2), 0),
    "position_sensitive_roi_pool": (
        lambda image, mask: skpool.position_sensitive_roi_pool(image[..., None], [[0, 0, 9, 9]], 1, channel_axis=-1),
        0,
    ),
    "region_unpool": (lambda image, mask: skpool.region_unpool(image[0], mask, labels=range(1, 61)), 1),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_calls_take_two_launches_at_most(name, log):
    call, waits = OTHERS[name]
    for layout in LAYOUTS:
        image, mask = ones(layout), ones(layout, bool)
        again(log, call, image, mask)
        assert 1 <= len(log.launches) <= 2
        assert (log.allocations <= 2, log.uploads, log.waits) == (True, 0, waits)


def test_volumes_with_weights_take_two_launches(log):
    for shape in ((3, 5, 9), (9, 10, 11)):
        again(log, skpool.weighted_avg_pool, ones(shape=(12, 13, 14)), np.full(shape, 2))
        launches = 1 if np.prod(shape) <= gpu.MOST_AT_ONCE else 2
        assert (len(log.launches), log.allocations) == (launches, launches)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("name", FOLDED)
def test_regions_take_two_launches_beside_the_sort_of_their_labels(name, few, log, monkeypatch):
    """CuPy sorts; the device is waited for, as labels decide the shape of the result, and where regions lie is sent."""
    monkeypatch.setattr(gpu_labels, "LEAST_REGIONS", 2**14 if few else 0)
    for layout in LAYOUTS:
        image, labels, mask = ones(layout), ones(layout, bool), ones(layout, bool)
        again(log, gpu_labels.LabelImage, labels)
        sorting = [name for name, grid in log.launches]
        again(log, skpool.region_pool, image, labels, name, mask=mask, nan_policy="raise")
        own = [name for name, grid in log.launches if grid is not None]
        assert 1 <= len(own) <= 2
        assert [name for name, grid in log.launches if grid is None] == sorting


LEVELS = 3


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_level_of_a_pyramid_is_a_call_or_two(name, log):
    """A call for each state that a level is made of, its counts and what joins them; of a cell, one to weigh it."""
    windows = {"downscale": 2, "max_layer": LEVELS if name in FOLDED else 2}
    for layout in LAYOUTS:
        again(log, skpool.pool_pyramid, ones(layout), reduction=name, **windows, **required(name))
        assert len(log.launches) <= 2 * windows["max_layer"] + 1
        mask = ones(layout, bool)
        again(log, skpool.pool_pyramid, ones(layout), reduction=name, mask=mask, **windows, **required(name))
        assert len(log.launches) <= 4 * windows["max_layer"]
        assert (log.uploads, log.waits) == (0, 0)
        levels = (1, 2, 4) if name in FOLDED else (10, 20, 40)
        again(log, skpool.spatial_pyramid_pool, ones(layout), levels, name, **required(name))
        assert len(log.launches) <= 2 * len(levels) + 1
        again(log, skpool.spatial_pyramid_pool, ones(layout), levels, name, weights="matching", **required(name))
        assert len(log.launches) <= 3 * len(levels) + 1
        assert (log.uploads, log.waits) == (0, 0)


# ---------------------------------------------------------------- what is not there

LARGE = {"window_shape": (4, 7)}

#: Calls that are not computed, by what is missing: image -> results.
REFUSED = {
    "block_reduce": lambda image: skpool.block_reduce(image),
    "block_reduce by keyword": lambda image: skpool.block_reduce(image=image, block_size=2),
    "downscale_local_mean": lambda image: skpool.downscale_local_mean(image, 2),
    "global_pool of top_k_avg": lambda image: skpool.global_pool(image, "top_k_avg", k=2),
    "pool_pyramid of labels": lambda image: skpool.pool_pyramid(image, reduction="mode", preserve_labels=True),
}
for name in SORTED:
    given = required(name)
    calls = {
        "pool": lambda image, **given: skpool.pool(image, (4, 7), **given),
        "strip_pool": lambda image, **given: skpool.strip_pool(image, 0, **given),
        "adaptive_pool": lambda image, **given: skpool.adaptive_pool(image, (3, 7), **given),
        "global_pool": lambda image, **given: skpool.global_pool(image, **given),
        "fractional": lambda image, **given: skpool.pool(image, footprint=np.ones((4, 7)), **given),
        "spatial_pyramid_pool": lambda image, **given: skpool.spatial_pyramid_pool(image, (1, 2), **given),
        "pool_pyramid": lambda image, **given: skpool.pool_pyramid(image, 4, recursive=False, **given),
        "region_pool": lambda image, **given: skpool.region_pool(image, image, **given),
    }
    for family, call in calls.items():
        REFUSED[f"{family} of {name}"] = lambda image, call=call, given=given, name=name: call(
            image, reduction=name, **given
        )


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_there_names_the_call_on_the_cpu(name, log):
    """And nothing is fetched, or done in vain."""
    image = ones(dtype=np.int64)
    log.clear()
    with pytest.raises(NotImplementedError, match=r"on the CPU: skpool\.\w+\(.*\.get\(\)") as error:
        REFUSED[name](image)
    assert hasattr(skpool, re.search(r"skpool\.(\w+)\(", str(error.value))[1])
    assert not log.waits
    if not name.startswith("pool_pyramid"):  # its first levels have windows that are small enough
        assert (len(log.launches), log.uploads) == (0, 0)


@pytest.mark.parametrize("name", ["PoolTransformer", "GlobalPooling", "SpatialPyramidPooling"])
def test_estimators_name_the_call_on_the_cpu(name, log):
    estimators = pytest.importorskip("skpool.estimators", exc_type=ImportError)
    with pytest.raises(NotImplementedError, match=rf"on the CPU: skpool\.estimators\.{name}\(.*X\.get\(\)"):
        getattr(estimators, name)().fit_transform(ones())
    assert not log.waits


def test_every_public_function_works_or_refuses():
    """No function is forgotten: its cost is counted above, or it is refused, or it takes no image."""
    counted = {*WINDOWS, *OTHERS, "region_pool", "pool_pyramid", "spatial_pyramid_pool"}
    refused = {name.split()[0] for name in REFUSED}
    no_image = {
        *("pooled_shape", "pooled_coords", "pyramid_transforms", "rmac_regions", "show_config"),
        *("patch_skimage", "unpatch_skimage", "patched"),
    }
    assert set(skpool.__all__) <= counted | refused | no_image | {f"global_{name}_pool" for name in SORTED}
