"""Transformers: scikit-learn's own checks, and results equal to those of the plain functions."""

import doctest
import inspect
import os
import pickle
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import skpool

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import estimator_checks_generator

from skpool import estimators
from skpool.estimators import GlobalPooling, PoolTransformer, SpatialPyramidPooling

CLASSES = [getattr(estimators, name) for name in estimators.__all__]
CHECKED = [
    *[transformer() for transformer in CLASSES],
    PoolTransformer(3, "avg", stride=1, padding="same"),
    PoolTransformer(2, "count", mode="edge", padding=1),
    PoolTransformer(nan_policy="raise"),
    SpatialPyramidPooling((1, 3), "avg", weights="matching"),
    SpatialPyramidPooling((1,), "lp", rule="he2014", reduction_parameters={"p": 3}),
    GlobalPooling("top_k_avg", reduction_parameters={"k": 2}),
    GlobalPooling("std", nan_policy="omit", workers=2),
    GlobalPooling(dtype="float32"),
]


def name_of(value):
    """A check by its name, a transformer by its parameters."""
    return value.func.__name__ if hasattr(value, "func") else re.sub(r"\s+", " ", str(value))


# What `parametrize_with_checks` does; that of scikit-learn 1.6 makes pytest 9.1 warn.
@pytest.mark.parametrize(
    ("estimator", "check"), [pair for pool in CHECKED for pair in estimator_checks_generator(pool)], ids=name_of
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def batch(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


# ---------------------------------------------------------------- equality with the functions

SHAPES = {"signals": (17,), "images": (9, 11), "colour": (9, 11, 3), "planes": (4, 6, 5, 2)}
POOLS = [
    {"window_shape": 3},
    {"window_shape": 3, "reduction": "avg", "stride": 2, "padding": 1, "ceil_mode": False},
    {"window_shape": 3, "reduction": "std", "stride": 1, "padding": "same", "mode": "reflect"},
    {"window_shape": 2, "reduction": "sum", "dilation": 2, "padding": 2, "mode": "constant", "cval": 3},
    {"window_shape": 2, "reduction": "avg", "dtype": "uint8"},
    {"window_shape": 2, "reduction": "lp", "reduction_parameters": {"p": 3}},
    {"window_shape": 3, "reduction": "median", "padding": "valid", "workers": 2},
]
DTYPES = [np.uint8, np.int16, np.float32, np.float64, np.bool_]


def plain(function, images, channels, reduction_parameters=None, **keywords):
    """What the function gives image by image, raveled."""
    axis = -1 if channels else None
    parameters = reduction_parameters or {}
    return np.stack([np.ravel(function(image, channel_axis=axis, **keywords, **parameters)) for image in images])


def check_equal(transformer, images, expected):
    """As images and raveled, and fitted to either."""
    raveled = images.reshape(len(images), -1)
    for fitted in (
        clone(transformer).fit(images),
        clone(transformer).set_params(image_shape=images.shape[1:]).fit(raveled),
    ):
        assert fitted.n_features_in_ == raveled.shape[1]
        assert fitted.image_shape_ == images.shape[1:]
        for given in (images, raveled, np.asfortranarray(raveled)):
            features = fitted.transform(given)
            assert features.dtype == expected.dtype
            np.testing.assert_array_equal(features, expected)
        names = fitted.get_feature_names_out()
        assert len(names) == len(set(names)) == expected.shape[1]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("keywords", POOLS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sliding_windows(kind, keywords, dtype):
    images = batch(5, *SHAPES[kind], dtype=dtype)
    if dtype is np.bool_:
        keywords = {**keywords, "cval": 0}
    expected = plain(skpool.pool, images, len(SHAPES[kind]) > 2, **keywords)
    check_equal(PoolTransformer(**keywords), images, expected)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"levels": (1, 2), "reduction": "avg", "weights": "matching"},
        {"levels": (1, 3), "reduction": "avg", "weights": (0.5, 2), "rule": "he2014"},
        {"levels": (2, 3), "reduction": "gem", "reduction_parameters": {"p": 2}, "dtype": "float32"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_spatial_pyramids(kind, keywords, dtype):
    images = batch(5, *SHAPES[kind], dtype=dtype)
    expected = plain(skpool.spatial_pyramid_pool, images, len(SHAPES[kind]) > 2, **keywords)
    check_equal(SpatialPyramidPooling(**keywords), images, expected)


def test_levels_by_axis():
    images = batch(3, 8, 9)
    features = SpatialPyramidPooling([(1, 2), 3], "sum").fit_transform(images)
    np.testing.assert_array_equal(
        features, plain(skpool.spatial_pyramid_pool, images, False, levels=[(1, 2), 3], reduction="sum")
    )


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "keywords",
    [{}, {"reduction": "max"}, {"reduction": "top_k_avg", "reduction_parameters": {"k": 3}}, {"reduction": "var"}],
    ids=str,
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_global_pooling(kind, keywords, dtype):
    images = batch(5, *SHAPES[kind], dtype=dtype)
    expected = plain(skpool.global_pool, images, len(SHAPES[kind]) > 2, **keywords)
    assert expected.shape == (5, SHAPES[kind][-1] if len(SHAPES[kind]) > 2 else 1)
    check_equal(GlobalPooling(**keywords), images, expected)


@pytest.mark.parametrize("policy", ["propagate", "omit"])
@pytest.mark.parametrize("transformer", CLASSES)
def test_nan_and_infinity(transformer, policy):
    images = batch(4, 6, 6, dtype=np.float64)
    images[1, 2, 2], images[2, 3, 3] = np.nan, np.inf
    features = transformer(reduction="max", nan_policy=policy).fit(images[:1]).transform(images)
    assert np.isnan(features[1]).any() == (policy == "propagate")
    assert not np.isnan(features[[0, 2, 3]]).any()
    assert np.isinf(features[2]).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("transformer", CLASSES)
def test_nan_refused(transformer, value):
    images = batch(4, 6, 6, dtype=np.float64)
    pool = transformer(nan_policy="raise").fit(images)
    images[1, 2, 2] = value
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        pool.transform(images)


# ---------------------------------------------------------------- names and containers


def test_feature_names():
    images = batch(3, 4, 4, 2)
    names = {type(pool): list(pool.fit(images).get_feature_names_out()) for pool in (cls() for cls in CLASSES)}
    assert names[PoolTransformer][:3] == ["pooltransformer_0_0_0", "pooltransformer_0_0_1", "pooltransformer_0_1_0"]
    assert names[SpatialPyramidPooling][1:3] == ["spatialpyramidpooling_0_0_0_1", "spatialpyramidpooling_1_0_0_0"]
    assert names[GlobalPooling] == ["globalpooling_0", "globalpooling_1"]
    assert list(PoolTransformer().fit(images[:, :, 0, 0]).get_feature_names_out()) == [
        "pooltransformer_0",
        "pooltransformer_1",
    ]


def test_names_tell_the_place():
    images = batch(2, 6, 9, 3)
    pool = PoolTransformer(3).fit(images)
    features = dict(zip(pool.get_feature_names_out(), pool.transform(images)[1], strict=True))
    assert features["pooltransformer_1_2_0"] == images[1, 3:, 6:, 0].max()
    np.testing.assert_array_equal(
        pool.transform(images).reshape(-1, *pool.output_shapes_[0]), skpool.max_pool(images, (1, 3, 3), channel_axis=-1)
    )
    pyramid = SpatialPyramidPooling((1, 3)).fit(images)
    assert pyramid.output_shapes_ == [(1, 1, 3), (3, 3, 3)]
    features = dict(zip(pyramid.get_feature_names_out(), pyramid.transform(images)[0], strict=True))
    assert features["spatialpyramidpooling_1_2_0_1"] == images[0, 4:, :3, 1].max()


@pytest.mark.parametrize("transformer", CLASSES)
def test_set_output(transformer):
    pandas = pytest.importorskip("pandas")
    images = batch(4, 6, 6, dtype=np.float32)
    index = [f"image{i}" for i in range(4)]
    frame = pandas.DataFrame(images.reshape(4, -1), columns=[f"pixel{i}" for i in range(36)], index=index)
    pool = transformer(image_shape=(6, 6)).set_output(transform="pandas").fit(frame)
    table = pool.transform(frame)
    assert list(table.columns) == list(pool.get_feature_names_out())
    assert list(table.index) == index
    assert set(table.dtypes) == {np.dtype(np.float32)}
    assert list(pool.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(table, transformer().fit_transform(images))


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("raveled", [False, True])
@pytest.mark.parametrize(
    "pool", [PoolTransformer(), SpatialPyramidPooling(), GlobalPooling()], ids=lambda pool: type(pool).__name__
)
def test_bytes_are_not_converted(pool, raveled):
    images = batch(16, 256, 256)
    given = images.reshape(16, -1) if raveled else images
    pool = clone(pool).set_params(image_shape=(256, 256)).fit(given)
    pool.transform(given)
    tracemalloc.start()
    features = pool.transform(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < features.nbytes + 2**17 < images.nbytes


# ---------------------------------------------------------------- objects


@pytest.mark.parametrize("transformer", CLASSES)
def test_pickle_and_clone(transformer):
    images = batch(4, 6, 6)
    pool = transformer(reduction="range").fit(images)
    again = pickle.loads(pickle.dumps(pool))
    np.testing.assert_array_equal(again.transform(images), pool.transform(images))
    assert list(again.get_feature_names_out()) == list(pool.get_feature_names_out())
    fresh = clone(pool)
    assert fresh.get_params() == pool.get_params()
    with pytest.raises(NotFittedError):
        fresh.transform(images)


def search(n_jobs):
    """A grid search over poolings of images of two classes, and the data."""
    images = batch(40, 8, 8, dtype=np.float64)
    classes = np.arange(40) % 2
    images[classes == 1, :4] += 60
    model = make_pipeline(PoolTransformer(image_shape=(8, 8)), SVC(kernel="linear"))
    grid = {"pooltransformer__window_shape": [2, 4], "pooltransformer__reduction": ["max", "avg"]}
    found = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise")
    return found.fit(images.reshape(40, -1), classes), len(ParameterGrid(grid))


def test_grid_search_by_processes():
    serial, size = search(None)
    loky, _ = search(2)
    assert len(serial.cv_results_["mean_test_score"]) == size
    np.testing.assert_array_equal(loky.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])
    assert serial.best_score_ > 0.9


FORKED = """
import numpy as np
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from skpool.estimators import PoolTransformer

images = np.random.default_rng(0).random((40, 64, 64))
PoolTransformer(workers=2).fit_transform(images)  # the threads of OpenMP, which a forked child lacks
model = make_pipeline(PoolTransformer(workers=2), DecisionTreeClassifier(random_state=0))
search = GridSearchCV(model, {"pooltransformer__reduction": ["max", "avg"]}, cv=2, n_jobs=2, error_score="raise")
scores = [clone(search).set_params(n_jobs=1).fit(images, np.arange(40) % 2).cv_results_["mean_test_score"]]
for backend in ("multiprocessing", "threading"):
    with parallel_config(backend):
        scores.append(clone(search).fit(images, np.arange(40) % 2).cv_results_["mean_test_score"])
assert np.array_equal(scores[0], scores[1]) and np.array_equal(scores[0], scores[2]), scores
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_grid_search_by_forks_and_threads():
    environment = os.environ | {
        "JOBLIB_START_METHOD": "fork",
        "PYTHONPATH": str(Path(skpool.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", FORKED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


# ---------------------------------------------------------------- errors

#: Wrong parameters, and what the error says: the parameter's name, the rule, the value.
WRONG = [
    (PoolTransformer(0), ValueError, "`window_shape` must be >= 1.*got 0"),
    (PoolTransformer(None), TypeError, "`window_shape` must be an integer, got None"),
    (PoolTransformer((2, 2, 2)), ValueError, "`window_shape` must have one entry for each of the 2.*got 3"),
    (PoolTransformer(9, padding="valid"), ValueError, "`window_shape` must fit"),
    (PoolTransformer(stride=-1), ValueError, "`stride` must be >= 1.*got -1"),
    (PoolTransformer(dilation=1.5), TypeError, "`dilation` must be an integer, got 1.5"),
    (PoolTransformer(padding="some"), ValueError, "`padding` must be.*got 'some'"),
    (PoolTransformer(padding=(1, 2, 3)), ValueError, "`padding` must have one entry for each of the 2.*got 3"),
    (PoolTransformer(ceil_mode=1), TypeError, "`ceil_mode` must be True or False, got 1"),
    (PoolTransformer(mode="mirror"), ValueError, "`mode` must be one of.*got 'mirror'"),
    (PoolTransformer(mode="constant", cval=300), ValueError, "`cval` must be representable as uint8, got 300"),
    (SpatialPyramidPooling(2), TypeError, "`levels` must be a sequence"),
    (SpatialPyramidPooling("12"), TypeError, "`levels` must be a sequence"),
    (SpatialPyramidPooling(()), ValueError, "`levels` must have at least one level"),
    (SpatialPyramidPooling((1, 0)), ValueError, "`levels` must be >= 1.*got 0"),
    (SpatialPyramidPooling([(1, 2, 3)]), ValueError, "`levels` must have one entry for each of the 2.*got 3"),
    (SpatialPyramidPooling(weights=(1, 2)), ValueError, "`weights` must have one number for each of the 3 levels"),
    (SpatialPyramidPooling(rule="other"), ValueError, "`rule` must be one of.*got 'other'"),
    *[
        (transformer(**keywords), error, message)
        for transformer in CLASSES
        for keywords, error, message in [
            ({"reduction": "mean"}, ValueError, "'mean'"),
            ({"reduction": 3}, TypeError, "3"),
            ({"reduction_parameters": {"p": 2}}, TypeError, "`p` is not a parameter"),
            ({"reduction_parameters": 2}, TypeError, "`reduction_parameters` must be None or a mapping.*got 2"),
            ({"reduction_parameters": {"return_indices": True}}, TypeError, "return_indices"),
            ({"nan_policy": "ignore"}, ValueError, "`nan_policy` must be one of.*got 'ignore'"),
            ({"dtype": "complex"}, TypeError, "`dtype` must be boolean, integer or floating.*got complex"),
            ({"workers": 0}, ValueError, "`workers` must be None or an integer >= 1, got 0"),
            ({"image_shape": (5, 5)}, ValueError, r"`image_shape` must be that of.*got \(5, 5\)"),
            ({"image_shape": (6, -6)}, ValueError, "`image_shape` must be >= 1.*got -6"),
            ({"image_shape": "66"}, TypeError, "`image_shape` must be an integer"),
        ]
    ],
]


@pytest.mark.parametrize(("transformer", "error", "message"), WRONG, ids=str)
def test_wrong_parameters(transformer, error, message):
    """At `fit`, and no sooner."""
    with pytest.raises(error, match=message):
        transformer.fit(batch(4, 6, 6))


@pytest.mark.parametrize("transformer", CLASSES)
def test_images_of_another_shape(transformer):
    pool = transformer().fit(batch(4, 6, 4))
    with pytest.raises(ValueError, match=r"images of shape \(6, 4\), to which .* was fitted, got \(4, 6\)"):
        pool.transform(batch(4, 4, 6))
    with pytest.raises(ValueError, match=r"X has 25 features.* expecting 24 features"):
        pool.transform(batch(4, 25))
    with pytest.raises(ValueError, match="Reshape your data"):
        pool.transform(batch(4))
    with pytest.raises(ValueError, match="0 sample"):
        pool.transform(batch(0, 6, 4))
    with pytest.raises(ValueError, match=r"`image_shape` must be that of the images.*24 features"):
        transformer(image_shape=(6, 5)).fit(batch(4, 24))


# ---------------------------------------------------------------- documentation


@pytest.mark.parametrize("transformer", CLASSES)
def test_documentation(transformer):
    text = inspect.getdoc(transformer)
    parameters = text.split("Parameters\n----------\n")[1].split("Attributes\n----------\n")[0]
    documented = re.findall(r"^(\w+) : ", parameters, re.MULTILINE)
    assert documented == list(inspect.signature(transformer).parameters)
    fitted = transformer().fit(batch(4, 6, 6))
    attributes = re.findall(r"^(\w+_) : ", text.split("Attributes\n----------\n")[1], re.MULTILINE)
    assert {name for name in vars(fitted) if re.fullmatch(r"[a-z]\w*_", name)} == {*attributes} - {"feature_names_in_"}
    for function in (transformer.fit, transformer.transform, transformer.get_feature_names_out):
        assert {"Parameters", "Returns"} <= set(inspect.getdoc(function).splitlines())


@pytest.mark.parametrize("transformer", CLASSES)
def test_examples_run(transformer):
    [test] = [test for test in doctest.DocTestFinder(recurse=False).find(transformer, globs={}) if test.examples]
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_defaults_are_those_of_the_functions():
    for transformer, function in zip(
        (GlobalPooling, PoolTransformer, SpatialPyramidPooling),
        (skpool.global_pool, skpool.pool, skpool.spatial_pyramid_pool),
        strict=True,
    ):
        ours, theirs = inspect.signature(transformer).parameters, inspect.signature(function).parameters
        for name in (set(ours) & set(theirs)) - {"window_shape", "reduction_parameters"}:
            assert ours[name].default == theirs[name].default


def test_without_scikit_learn():
    code = "import sys; sys.modules['sklearn'] = None; import skpool; import skpool.estimators"
    environment = os.environ | {"PYTHONPATH": str(Path(skpool.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: `skpool.estimators` needs scikit-learn 1.6 or later")
