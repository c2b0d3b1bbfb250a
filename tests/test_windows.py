"""Windows: tables against `numpy.pad`, sizes against known networks, invariants as properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skpool import pooled_coords, pooled_shape, windows
from skpool.windows import ABSENT, CONSTANT, NAMED_PADDING, PADDING_MODES, sliding

COPYING_MODES = sorted(set(PADDING_MODES) - {"ignore", "constant"})

relaxed = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def outputs_by_definition(length, window, stride, step, before, after, ceil_mode):
    """Number of windows, by trying one start after the other."""
    extent = (window - 1) * step + 1
    total = length + before + after
    whole = [start for start in range(0, total, stride) if start + extent <= total]
    if not whole:  # the first window is the one that hangs over, if it would if it started one stride earlier
        return int(ceil_mode and -stride < total - extent < 0)
    following = whole[-1] + stride
    # The next window hangs over the far end; where the last one ends on it there is nothing left to pool.
    hangs_over = whole[-1] + extent < total
    return len(whole) + int(ceil_mode and hangs_over and following < length + before)


def sources_by_definition(axis, output):
    """What each tap of a window holds, one after the other."""
    ramp = np.arange(axis.length)
    pads = (axis.before, axis.after)
    if axis.mode in ("ignore", "constant"):
        holds = ABSENT if axis.mode == "ignore" else CONSTANT
        padded = np.pad(ramp, pads, constant_values=holds)
    else:
        padded = np.pad(ramp, pads, mode=axis.mode)
    places = [output * axis.stride + tap * axis.step for tap in range(axis.window)]
    return [padded[place] for place in places if place < padded.size]


LENGTHS, SMALL, STEPS, PADS = st.integers(1, 30), st.integers(1, 7), st.integers(1, 3), st.integers(0, 9)
ANY = {
    "length": LENGTHS,
    "window": SMALL,
    "stride": SMALL,
    "step": STEPS,
    "padding": st.tuples(PADS, PADS) | st.sampled_from(sorted(NAMED_PADDING)),
    "ceil_mode": st.booleans(),
    "mode": st.sampled_from(sorted(PADDING_MODES)),
}


def axes(**strategies):
    """Axes that have at least one window."""

    def axis_or_none(arguments):
        try:
            return sliding(**arguments)
        except ValueError:
            return None

    return st.fixed_dictionaries(ANY | strategies).map(axis_or_none).filter(lambda axis: axis is not None)


# ---------------------------------------------------------------- padding


@pytest.mark.parametrize("mode", COPYING_MODES)
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
def test_padding_is_that_of_numpy(mode, length):
    for before, after in itertools.product(range(3 * length + 2), repeat=2):
        axis = sliding(length, 1, 1, padding=(before, after), mode=mode)
        expected = np.pad(np.arange(length), (before, after), mode=mode)
        np.testing.assert_array_equal(axis.source(np.arange(-before, length + after)), expected)
        np.testing.assert_array_equal(axis.outside_before[::-1], expected[:before])
        np.testing.assert_array_equal(axis.outside_after, expected[before + length :])


@pytest.mark.parametrize(("mode", "holds"), [("ignore", ABSENT), ("constant", CONSTANT)])
def test_padding_without_source(mode, holds):
    axis = sliding(3, 2, 1, padding=(2, 1), mode=mode)
    np.testing.assert_array_equal(axis.source(np.arange(-2, 4)), [holds, holds, 0, 1, 2, holds])


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_what_lies_beyond_the_padding_is_absent(mode):
    axis = sliding(5, 4, 4, padding=(0, 1), mode=mode)
    assert axis.outputs == 2
    assert axis.taps[1] == 2  # positions 4 and 5; 6 and 7 are beyond
    np.testing.assert_array_equal(axis.source([6, 7, 100]), ABSENT)


@given(axes())
@relaxed
def test_every_window_holds_what_its_definition_says(axis):
    for output in range(axis.outputs):
        np.testing.assert_array_equal(axis.positions(output), sources_by_definition(axis, output))


# ---------------------------------------------------------------- sizes

NETWORKS = [
    # name, lengths from layer to layer, arguments
    ("AlexNet", (55, 27, 13, 6), {"window_shape": 3, "stride": 2, "ceil_mode": False}),
    ("VGG", (224, 112, 56, 28, 14, 7), {"window_shape": 2, "stride": 2, "ceil_mode": False}),
    ("VGG, default", (224, 112, 56, 28, 14, 7), {}),
    ("ResNet", (112, 56), {"window_shape": 3, "stride": 2, "padding": 1, "ceil_mode": False}),
    ("ResNet, partial window kept", (112, 57), {"window_shape": 3, "stride": 2, "padding": 1}),
    ("GoogLeNet, ceil", (112, 56, 28, 14, 7), {"window_shape": 3, "stride": 2, "ceil_mode": True}),
    ("SPPF", (20, 20, 20), {"window_shape": 5, "stride": 1, "padding": 2}),
    ("global", (7, 1), {"window_shape": 7}),
    ("block_reduce", (7, 4, 2, 1), {"window_shape": 2}),
    ("window larger than the image", (3, 1), {"window_shape": 10}),
    ("valid drops the partial window", (7, 3), {"window_shape": 2, "padding": "valid", "ceil_mode": True}),
    ("empty", (0, 0), {"window_shape": 5}),
    ("one pixel", (1, 1), {"window_shape": 1}),
    ("strided gaps", (10, 4), {"window_shape": 1, "stride": 3}),
    ("dilated", (10, 6), {"window_shape": 3, "stride": 1, "dilation": 2}),
    # a window of 2 at 4 starts in the trailing padding: dropped
    ("drop rule", (4, 2), {"window_shape": 2, "stride": 2, "padding": ((0, 1),)}),
    # a window of 2 at 3 starts on the last pixel: kept
    ("no drop rule", (4, 3), {"window_shape": 2, "stride": 2, "padding": ((1, 1),)}),
    # all of it in leading padding: complete windows always stay
    ("padding beyond the window", (2, 7), {"window_shape": 2, "stride": 1, "padding": ((5, 1),)}),
]


@pytest.mark.parametrize(("lengths", "arguments"), [row[1:] for row in NETWORKS], ids=[row[0] for row in NETWORKS])
def test_known_sizes(lengths, arguments):
    for length, expected in itertools.pairwise(lengths):
        assert pooled_shape((length,), **arguments) == (expected,)


def test_sizes_of_several_axes():
    assert pooled_shape((55, 224, 3), (3, 2), stride=2, ceil_mode=False, channel_axis=-1) == (27, 112, 3)
    assert pooled_shape((5, 112, 112), (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), ceil_mode=False) == (
        5,
        56,
        56,
    )
    assert pooled_shape((4, 0, 6), 3) == (2, 0, 2)


@given(LENGTHS, SMALL, SMALL, STEPS, PADS, PADS, st.booleans())
@relaxed
def test_number_of_windows(length, window, stride, step, before, after, ceil_mode):
    expected = outputs_by_definition(length, window, stride, step, before, after, ceil_mode)
    arguments = (length, window, stride, step, (before, after), ceil_mode)
    if expected:
        assert sliding(*arguments).outputs == expected
    else:
        with pytest.raises(ValueError, match="`window_shape` must fit"):
            sliding(*arguments)


@given(LENGTHS, SMALL, SMALL, STEPS, st.booleans())
@relaxed
def test_same_padding(length, window, stride, step, ceil_mode):
    upper, lower = (sliding(length, window, stride, step, name, ceil_mode) for name in ("same", "same_lower"))
    assert upper.outputs == lower.outputs == -(-length // stride)
    assert (upper.before, upper.after) == (lower.after, lower.before)
    assert upper.after - upper.before in (0, 1)
    assert upper.before + upper.after == max((upper.outputs - 1) * stride + upper.extent - length, 0)


@given(LENGTHS, SMALL, SMALL, STEPS)
@relaxed
def test_valid_windows_lie_within_the_image(length, window, stride, step):
    extent = (window - 1) * step + 1
    if extent > length:
        with pytest.raises(ValueError, match="`window_shape`"):
            sliding(length, window, stride, step, "valid")
        return
    axis = sliding(length, window, stride, step, "valid")
    assert axis.outputs == (length - extent) // stride + 1
    assert (axis.before, axis.after) == (0, 0)
    assert (axis.counts == window).all()


# ---------------------------------------------------------------- invariants


@given(axes())
@relaxed
def test_starts_never_decrease_and_windows_are_clipped(axis):
    assert axis.outputs >= 1
    assert axis.start.size == axis.taps.size == axis.counts.size == axis.outputs
    assert axis.start[0] == -axis.before
    assert (np.diff(axis.start) >= 0).all()
    assert (axis.taps >= 1).all()
    assert (axis.taps <= axis.window).all()
    assert axis.most_taps == axis.taps.max()
    assert (axis.start + (axis.taps - 1) * axis.step < axis.length + axis.after).all()


@given(axes())
@relaxed
def test_a_partial_last_window_starts_inside_the_image_or_the_leading_padding(axis):
    if axis.start[-1] + axis.extent > axis.length + axis.after:
        assert axis.start[-1] < axis.length


@given(axes(step=st.just(1), ceil_mode=st.just(True), padding=st.tuples(PADS, PADS) | st.just("same")))
@relaxed
def test_windows_cover_the_image(axis):
    if axis.stride <= axis.window:
        seen = np.unique(np.concatenate([axis.positions(output) for output in range(axis.outputs)]))
        np.testing.assert_array_equal(seen[seen >= 0], np.arange(axis.length))


@given(axes())
@relaxed
def test_counts(axis):
    for output in range(axis.outputs):
        counted = [source for source in sources_by_definition(axis, output) if source != ABSENT]
        assert axis.counts[output] == len(counted)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_an_empty_axis_has_no_windows(mode):
    axis = sliding(0, 3, 2, padding=(2, 2), mode=mode)
    assert axis.outputs == axis.start.size == axis.taps.size == axis.counts.size == 0


def test_identity():
    assert windows.whole(5).identity
    assert sliding(5, 1, 1).identity
    assert not sliding(5, 1, 2).identity
    assert not sliding(5, 2, 1, padding="same").identity


# ---------------------------------------------------------------- coordinates


@given(axes())
@relaxed
def test_centers_are_the_means_of_whole_windows(axis):
    taps = axis.start[:, None] + np.arange(axis.window) * axis.step
    np.testing.assert_allclose(axis.centers, taps.mean(axis=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"shape": (6,), "window_shape": 2}, [[0.5, 2.5, 4.5]]),
        ({"shape": (7,), "window_shape": 3}, [[1, 4, 7]]),
        ({"shape": (5,), "window_shape": 3, "stride": 2, "padding": 1}, [[0, 2, 4]]),
        ({"shape": (5,), "window_shape": 3, "stride": 1, "dilation": 2}, [[2]]),
        ({"shape": (3, 2, 4), "window_shape": 2, "channel_axis": 0}, [[0.5], [0.5, 2.5]]),
        ({"shape": (0, 2)}, [[], [0.5]]),
    ],
)
def test_pooled_coords(arguments, expected):
    coords = pooled_coords(**arguments)
    assert [list(along) for along in coords] == expected
    assert all(along.dtype == np.float64 for along in coords)


@given(LENGTHS, SMALL, SMALL, st.booleans())
@relaxed
def test_pooled_shape_and_coords_agree(length, window, stride, ceil_mode):
    arguments = {"stride": stride, "padding": "same", "ceil_mode": ceil_mode, "channel_axis": 1}
    rows, _, columns = pooled_shape((length, 3, 9), window, **arguments)
    assert [along.size for along in pooled_coords((length, 3, 9), window, **arguments)] == [rows, columns]


# ---------------------------------------------------------------- runs of outputs


def uneven_axes():
    """Axes of windows of any sizes, empty ones too, in order."""
    bins = st.tuples(st.integers(1, 30), st.integers(1, 40), st.sampled_from(sorted(windows.BIN_ENDS)))
    edges = st.lists(st.integers(0, 20), min_size=3, max_size=12).map(sorted)
    return bins.map(lambda given: windows.adaptive(*given)) | edges.map(
        lambda edge: windows.between(20, edge[:-2], edge[2:])
    )


@given(axes() | uneven_axes(), st.data())
@relaxed
def test_a_run_of_outputs_looks_at_the_same_samples(axis, data):
    start = data.draw(st.integers(0, axis.outputs - 1))
    stop = data.draw(st.integers(start + 1, axis.outputs))
    run = axis.take(slice(start, stop))
    assert run.axis.outputs == stop - start
    assert run.axis.length == len(run.sources)
    assert (run.axis.most_taps, run.axis.identity) == (axis.most_taps, axis.identity)
    assert run.axis.whole_length == axis.length
    assert run.axis.is_even == axis.is_even
    looked_at = set()
    for output in range(start, stop):
        held = run.axis.positions(output - start)
        found = np.where(held >= 0, run.sources[np.maximum(held, 0)], held)
        np.testing.assert_array_equal(found, axis.positions(output))
        np.testing.assert_array_equal(run.axis.offsets(output - start), axis.offsets(output))
        assert run.axis.counts[output - start] == axis.counts[output]
        looked_at |= set(found[found >= 0].tolist())
    # The intervals are in order, apart from each other and inside the image, and hold nothing that is not looked at.
    ends = [end for interval in run.intervals for end in interval]
    assert len(run.intervals) <= 2
    assert ends == sorted(set(ends))
    assert ends[0] >= 0
    assert ends[-1] <= axis.length
    if looked_at and axis.is_even and axis.step == 1 and axis.stride <= axis.window:
        assert set(run.sources.tolist()) == looked_at


@given(axes() | uneven_axes(), st.data())
@relaxed
def test_a_run_of_a_run_is_a_run(axis, data):
    start = data.draw(st.integers(0, axis.outputs - 1))
    stop = data.draw(st.integers(start + 1, axis.outputs))
    middle = data.draw(st.integers(start, stop - 1))
    outer = axis.take(slice(start, stop))
    inner, expected = outer.axis.take(slice(middle - start, stop - start)), axis.take(slice(middle, stop))
    assert inner.axis.whole == expected.axis.whole
    for output in range(stop - middle):
        held, wanted = inner.axis.positions(output), expected.axis.positions(output)
        found = np.where(held >= 0, outer.sources[inner.sources[np.maximum(held, 0)]], held)
        np.testing.assert_array_equal(found, np.where(wanted >= 0, expected.sources[np.maximum(wanted, 0)], wanted))
