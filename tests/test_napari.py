"""The napari manifest and its commands, through npe2 and without a display."""

import typing
import warnings
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import skpool
from skpool import napari_commands

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # npe2 and napari warn of what they import themselves
    npe2 = pytest.importorskip("npe2")
    try:
        from napari.layers import Image
    except ImportError:
        Image = None

MANIFEST = Path(skpool.__file__).with_name("napari.yaml")


class StandIn:
    """What the commands look at in a layer of napari, whose samples are scaled, turned and moved."""

    def __init__(self, data, name="image", rgb=False, multiscale=False, scale=None, rotate=None, translate=None):
        ndim = (data[0] if multiscale else data).ndim - rgb
        self.data, self.name, self.rgb, self.multiscale = data, name, rgb, multiscale
        self.scale = np.ones(ndim) if scale is None else np.asarray(scale)
        self.rotate = np.eye(ndim) if rotate is None else np.asarray(rotate)
        self.translate = np.zeros(ndim) if translate is None else np.asarray(translate)
        self.affine = SimpleNamespace(linear_matrix=np.eye(ndim))

    def data_to_world(self, position):
        return self.rotate @ (self.scale * position) + self.translate

    def as_layer_data_tuple(self):
        names = ("name", "rgb", "multiscale", "scale", "rotate", "translate")
        return self.data, {name: getattr(self, name) for name in names}, "image"


#: A layer of napari itself, too, where that is to be had.
REAL = (pytest.mark.skipif(Image is None, reason="napari is not installed"), pytest.mark.filterwarnings("ignore"))
LAYERS = [StandIn, pytest.param(Image, marks=REAL)]
TURNED = [[0.0, -1.0], [1.0, 0.0]]


@pytest.fixture
def execute():
    """Run a command of the manifest by its name."""
    manager = npe2.PluginManager.instance()  # commands are looked up in no other
    manager.register(npe2.PluginManifest.from_file(MANIFEST))
    yield manager.commands.execute
    manager.unregister("skpool")


def test_manifest():
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert manifest.name == "skpool"
    assert [command.id for command in manifest.contributions.commands] == ["skpool.pool", "skpool.make_multiscale"]
    assert {widget.command for widget in manifest.contributions.widgets} == {"skpool.pool", "skpool.make_multiscale"}


def test_manifest_of_the_installed_package():
    try:
        installed = distribution("skpool")
    except PackageNotFoundError:
        pytest.skip("skpool is not installed")
    [entry] = installed.entry_points.select(group="napari.manifest")
    assert (entry.name, entry.value) == ("skpool", f"skpool:{MANIFEST.name}")
    assert npe2.PluginManifest.from_distribution("skpool").name == "skpool"


def test_reductions_are_those_that_need_no_parameter():
    names = typing.get_args(napari_commands.Reduction)
    assert napari_commands.pool_layer.__annotations__["reduction"] is napari_commands.Reduction  # no string
    assert "percentile" not in names
    assert {"max", "avg", "median", "mode"} <= set(names)
    for name in names:
        skpool.pool(np.ones((2, 2)), reduction=name)


@pytest.mark.parametrize("layer", LAYERS)
def test_pool(execute, layer):
    data = np.random.default_rng(0).integers(0, 255, (3, 20, 31), dtype=np.uint8)
    values, options, kind = execute("skpool.pool", args=(layer(data, name="stack"), "avg", 3, 2))
    np.testing.assert_array_equal(values, skpool.avg_pool(data, (1, 3, 3), stride=(1, 2, 2)))
    assert kind == "image"
    assert options["name"] == "stack, avg 3/2"
    np.testing.assert_array_equal(options["scale"], [1, 2, 2])
    np.testing.assert_array_equal(options["translate"], [0, 1, 1])


@pytest.mark.parametrize("layer", LAYERS)
def test_samples_lie_where_their_windows_do(execute, layer):
    source = layer(np.zeros((12, 9)), scale=(0.5, 0.25), rotate=TURNED, translate=(100, 7))
    values, options, _ = execute("skpool.pool", args=(source, "max", 4))
    made = layer(values, **options)
    rows, columns = skpool.pooled_coords((12, 9), 4)
    for place in np.ndindex(values.shape):
        expected = source.data_to_world((rows[place[0]], columns[place[1]]))
        np.testing.assert_allclose(made.data_to_world(place), expected)


@pytest.mark.parametrize("layer", LAYERS)
def test_make_multiscale(execute, layer):
    data = np.random.default_rng(0).integers(0, 255, (80, 100, 3), dtype=np.uint8)
    source = layer(data, name="photo", rgb=True, scale=(2, 3))
    levels, options, kind = execute("skpool.make_multiscale", args=(source, 20))
    assert [level.shape for level in levels] == [(80, 100, 3), (40, 50, 3), (20, 25, 3)]
    np.testing.assert_array_equal(levels[1], skpool.avg_pool(data, 2, channel_axis=-1, dtype="uint8"))
    assert (kind, options["name"], options["multiscale"]) == ("image", "photo, multiscale", True)
    made = layer(levels, **options)
    assert made.rgb
    np.testing.assert_array_equal(made.scale, [2, 3])
    values, _, _ = execute("skpool.pool", args=(made,))
    np.testing.assert_array_equal(values, skpool.max_pool(data, channel_axis=-1))
