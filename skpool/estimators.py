"""Pooling as scikit-learn transformers, for pipelines and searches. Needs scikit-learn; imported on demand only.

Each of them takes a batch of images or signals and gives a table with one row for each::

    (N, n)                              signals or, with `image_shape`, images that were raveled
    (N, rows, columns)                  images
    (N, rows, columns, channels)        images with channels; with planes before the rows likewise
              |
              v
    (N, features)                       the values of an image, raveled: what other estimators take

Fitting learns no more than the shape of an image, so that images may come raveled where they were not before.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping

import numpy as np

from . import documents, windows
from .adaptive import global_pool, pyramid_cells
from .backends import gpu
from .pooling import pooled_by
from .reductions import REDUCTIONS

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("`skpool.estimators` needs scikit-learn 1.6 or later: pip install 'skpool[sklearn]'") from error

__all__ = ["GlobalPooling", "PoolTransformer", "SpatialPyramidPooling"]


class _BatchPooling(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What the transformers share; each has a method ``_pooled``: images -> list of arrays, an image an entry."""

    def fit(self, X, y=None):
        """Learn the shape of an image, and check all parameters.

        Parameters
        ----------
        X : (N, n), (N, rows, columns) or (N, ..., rows, columns, channels) array_like
            Signals, raveled images, or images.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError, ValueError
            If a parameter is of the wrong kind or has a wrong value, for any image or for those of `X`.
        """
        images = self._images(X, reset=True)
        one = np.zeros((1, *self.image_shape_), images.dtype)
        self.output_shapes_ = [pooled.shape[1:] for pooled in self._pooled(one)]
        self._n_features_out = sum(map(math.prod, self.output_shapes_))
        return self

    def transform(self, X):
        """Pool every image.

        Parameters
        ----------
        X : array_like
            As `fit` takes it, with images of the same shape, raveled or not.

        Returns
        -------
        features : (N, n_features_out) ndarray
            Or what `set_output` asks for.
        """
        check_is_fitted(self)
        images = self._images(X, reset=False)
        features = [pooled.reshape(len(images), -1) for pooled in self._pooled(images)]
        return features[0] if len(features) == 1 else np.concatenate(features, axis=1)

    def get_feature_names_out(self, input_features=None):
        """Names of the features: the name of the class and the place of the value, as ``pooltransformer_0_1``.

        Parameters
        ----------
        input_features : array_like of str, optional
            Only checked against the names seen in `fit`.

        Returns
        -------
        names : (n_features_out,) ndarray of str objects
        """
        super().get_feature_names_out(input_features)  # it checks, and its names are mere numbers
        places = [place for i, shape in enumerate(self.output_shapes_) for place in self._places(i, shape)]
        name = type(self).__name__.lower()
        return np.array(["_".join([name, *map(str, place)]) for place in places], dtype=object)

    def _places(self, number, shape):
        """What tells the values of one array of an image from each other and from those of other arrays."""
        return np.ndindex(shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.nan_policy != "raise"
        tags.transformer_tags.preserves_dtype = [
            dtype for dtype in ("float64", "float32") if self._result_type(np.dtype(dtype)) == dtype
        ]
        return tags

    def _result_type(self, dtype):
        """Type of the features of images of a type; None where a parameter is wrong, which `fit` tells."""
        if self.dtype is not None or not isinstance(self.reduction, str):
            return None
        row = REDUCTIONS.get("avg" if self.reduction == "top_k_avg" else self.reduction)
        try:
            return row and row.result(dtype, **(self.reduction_parameters or {}))
        except TypeError:
            return None

    def _images(self, X, reset):
        """The batch, checked, as an array of images; with `reset` their shape becomes that of the fit."""
        if gpu.is_array(X):
            gpu.refuse(f"estimators.{type(self).__name__}(...), with X.get() in place of X")
        finite = self.nan_policy == "raise"
        images = check_array(X, allow_nd=True, ensure_all_finite=finite, estimator=self, input_name="X")
        # It compares the number of features, which is that of samples in raveled images only.
        validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=images.ndim == 2)
        own_shape = images.shape[1:]
        if reset:
            self.image_shape_ = self._fitted_shape(own_shape)
            self.n_features_in_ = math.prod(own_shape)
        elif images.ndim > 2 and own_shape != self.image_shape_:
            fitted = f"{self.image_shape_}, to which {type(self).__name__} was fitted"
            raise ValueError(f"`X` must have images of shape {fitted}, got {own_shape}")
        return images.reshape(len(images), *self.image_shape_)

    def _fitted_shape(self, own_shape):
        """The shape of one image: that of the batch or, if it is raveled, the parameter's."""
        if self.image_shape is None:
            return own_shape
        entries = self.image_shape if np.iterable(self.image_shape) else (self.image_shape,)
        shape = tuple(windows.integer(length, "image_shape", 1) for length in entries)
        if own_shape not in (shape, (math.prod(shape),)):
            what = f"{own_shape[0]} features" if len(own_shape) == 1 else f"images of shape {own_shape}"
            raise ValueError(f"`image_shape` must be that of the images in `X`, got {shape} and {what}")
        return shape

    def _spatial(self):
        """How many axes of an image are spatial: all up to two, and all but the last of more."""
        return len(self.image_shape_) - self._has_channels()

    def _has_channels(self):
        return len(self.image_shape_) > 2

    def _common(self):
        """Keywords that all poolings take."""
        return {
            "nan_policy": self.nan_policy,
            "dtype": self.dtype,
            "workers": self.workers,
            "channel_axis": -1 if self._has_channels() else None,
        }

    def _parameters(self):
        """Parameters of the reduction, as a new dict."""
        parameters = {} if self.reduction_parameters is None else self.reduction_parameters
        if not isinstance(parameters, Mapping):
            raise TypeError(f"`reduction_parameters` must be None or a mapping of names to values, got {parameters!r}")
        if "return_indices" in parameters:
            raise TypeError("`reduction_parameters` must not have 'return_indices': estimators give values only")
        return dict(parameters)


#: Parameters that are not those of functions, or that a batch makes other ones.
_OWN_PARAMETERS = {
    "nan_policy": (
        '{"propagate", "omit", "raise"}',
        "A NaN makes the values of its windows NaN, counts nowhere, or is refused, and infinity with it.",
    ),
    "image_shape": (
        "sequence of int, optional",
        "``(rows, columns)`` or ``(rows, columns, channels)`` of the images that the rows of a 2-D `X` hold. Default: "
        "these are signals.",
    ),
    "reduction_parameters": (
        "mapping of str to value, optional",
        'Parameters of the reduction, such as ``{"p": 3}`` for ``"lp"``.',
    ),
}

_ATTRIBUTES = """\
    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    output_shapes_ : list of tuple of int
        %s
    n_features_in_ : int
        Samples of one image, channels included.
    feature_names_in_ : ndarray of str
        Names of the features seen in `fit`, where `X` has such names.
"""


def _documented(output_shapes, **own):
    """Put parameters and attributes into the docstring of a transformer, after its summary."""

    def put(transformer):
        summary, rest = transformer.__doc__.split("\n\n", 1)
        parameters = documents.described(inspect.signature(transformer), **_OWN_PARAMETERS | own)
        transformer.__doc__ = f"{summary}\n\n{parameters}\n{_ATTRIBUTES % output_shapes}\n{rest}"
        return transformer

    return put


@_documented(
    "One entry: the shape of one pooled image. ``features.reshape(-1, *output_shapes_[0])`` are the images again.",
    window_shape=(
        "int or sequence of int",
        "Samples of a window: one number for all spatial axes of an image, or one for each.",
    ),
)
class PoolTransformer(_BatchPooling):
    """Pool every image of a batch by sliding windows, as `skpool.pool` does.

    See Also
    --------
    skpool.pool, SpatialPyramidPooling, GlobalPooling

    Notes
    -----
    `X` is not converted: a batch of uint8 is pooled as uint8.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool.estimators import PoolTransformer
    >>> images = np.arange(32.0).reshape(2, 4, 4)
    >>> pool = PoolTransformer(2, "avg").fit(images)
    >>> pool.transform(images)
    array([[ 2.5,  4.5, 10.5, 12.5],
           [18.5, 20.5, 26.5, 28.5]])
    >>> pool.get_feature_names_out()[:2]
    array(['pooltransformer_0_0', 'pooltransformer_0_1'], dtype=object)

    In a pipeline that gets raveled images:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(PoolTransformer(3, "avg", stride=2, image_shape=(8, 8)), SVC())
    >>> bool(model.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9)
    True
    """

    def __init__(
        self,
        window_shape=2,
        reduction="max",
        *,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=True,
        mode="ignore",
        cval=0,
        nan_policy="propagate",
        dtype=None,
        image_shape=None,
        reduction_parameters=None,
        workers=None,
    ):
        self.window_shape = window_shape
        self.reduction = reduction
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode
        self.mode = mode
        self.cval = cval
        self.nan_policy = nan_policy
        self.dtype = dtype
        self.image_shape = image_shape
        self.reduction_parameters = reduction_parameters
        self.workers = workers

    def _pooled(self, images):
        count = self._spatial()
        window = windows.per_axis(self.window_shape, count, "window_shape")
        stride = window if self.stride is None else windows.per_axis(self.stride, count, "stride")
        dilation = windows.per_axis(self.dilation, count, "dilation")
        padding = self.padding
        if not isinstance(padding, str):
            padding = ((0, 0), *windows.per_axis_padding(padding, count))
        # The axis of the batch comes first, and is left alone.
        layout = (1, *window), (1, *stride), padding, (1, *dilation), self.ceil_mode, self.mode
        keywords = {"cval": self.cval, **self._common()}
        return [pooled_by(windows.Sliding, layout, images, self.reduction, self._parameters(), **keywords)]


@_documented(
    "The grid of each level, with the channels last if there are any.",
    levels=(
        "sequence of int or of (int, ...)",
        "Bins along each spatial axis of an image, level by level: one number for all axes, or one for each.",
    ),
    weights=(
        'sequence of float or "matching", optional',
        'What the values of each level are multiplied by; the features are then floating point. ``"matching"`` stands '
        "for those of spatial pyramid matching [2]_.",
    ),
    rule=('{"adaptive", "he2014"}', "How bins are placed, as `skpool.spatial_pyramid_pool` tells."),
)
class SpatialPyramidPooling(_BatchPooling):
    """Pool every image of a batch over grids of bins, coarse to fine, as `skpool.spatial_pyramid_pool` does.

    See Also
    --------
    skpool.spatial_pyramid_pool, PoolTransformer, GlobalPooling

    Notes
    -----
    The number of features does not depend on the size of the images if all levels have the same bins, but all images of
    a batch have one size. A feature's name has its level, counted from 0, before its place in the grid.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Spatial pyramid pooling in deep convolutional networks for visual
       recognition", ECCV 2014.
    .. [2] S. Lazebnik, C. Schmid and J. Ponce, "Beyond bags of features: spatial pyramid matching for recognizing
       natural scene categories", CVPR 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skpool.estimators import SpatialPyramidPooling
    >>> images = np.arange(32).reshape(2, 4, 4)
    >>> pyramid = SpatialPyramidPooling(levels=(1, 2)).fit(images)
    >>> pyramid.transform(images)
    array([[15,  5,  7, 13, 15],
           [31, 21, 23, 29, 31]])
    >>> pyramid.get_feature_names_out()[:2]
    array(['spatialpyramidpooling_0_0_0', 'spatialpyramidpooling_1_0_0'],
          dtype=object)
    """

    def __init__(
        self,
        levels=(1, 2, 4),
        reduction="max",
        *,
        weights=None,
        rule="adaptive",
        nan_policy="propagate",
        dtype=None,
        image_shape=None,
        reduction_parameters=None,
        workers=None,
    ):
        self.levels = levels
        self.reduction = reduction
        self.weights = weights
        self.rule = rule
        self.nan_policy = nan_policy
        self.dtype = dtype
        self.image_shape = image_shape
        self.reduction_parameters = reduction_parameters
        self.workers = workers

    def _pooled(self, images):
        levels = self.levels
        if np.iterable(levels) and not isinstance(levels, str):
            # As many bins along the axis of the batch as it has images, which leaves it alone.
            levels = [(len(images), *windows.per_axis(level, self._spatial(), "levels")) for level in levels]
        return pyramid_cells(
            images, levels, self.reduction, self._parameters(), weights=self.weights, rule=self.rule, **self._common()
        )

    def _places(self, number, shape):
        return [(number, *place) for place in np.ndindex(shape)]


@_documented(
    "One entry: ``(channels,)``, or ``(1,)`` for images without channels.",
    reduction=(
        "str",
        'Name of the reduction, as `skpool.pool` takes it, or ``"top_k_avg"``, the mean of the k largest samples.',
    ),
    reduction_parameters=(
        "mapping of str to value, optional",
        'Parameters of the reduction, such as ``{"k": 10}`` for ``"top_k_avg"``.',
    ),
)
class GlobalPooling(_BatchPooling):
    """Reduce every image of a batch to one value for each channel, as `skpool.global_pool` does.

    See Also
    --------
    skpool.global_pool, PoolTransformer, SpatialPyramidPooling

    Examples
    --------
    >>> import numpy as np
    >>> from skpool.estimators import GlobalPooling
    >>> images = np.arange(24.0).reshape(2, 2, 2, 3)
    >>> GlobalPooling().fit_transform(images)
    array([[ 4.5,  5.5,  6.5],
           [16.5, 17.5, 18.5]])
    >>> GlobalPooling("top_k_avg", reduction_parameters={"k": 2}).fit_transform(images)
    array([[ 7.5,  8.5,  9.5],
           [19.5, 20.5, 21.5]])
    """

    def __init__(
        self,
        reduction="avg",
        *,
        nan_policy="propagate",
        dtype=None,
        image_shape=None,
        reduction_parameters=None,
        workers=None,
    ):
        self.reduction = reduction
        self.nan_policy = nan_policy
        self.dtype = dtype
        self.image_shape = image_shape
        self.reduction_parameters = reduction_parameters
        self.workers = workers

    def _pooled(self, images):
        parameters, common = self._parameters(), self._common()
        if isinstance(self.reduction, str) and self.reduction == "top_k_avg":
            pooled = np.stack([global_pool(image, self.reduction, **common, **parameters) for image in images])
        else:
            bins = (None, *(1,) * self._spatial())
            pooled = pooled_by(windows.Bins, (bins,), images, self.reduction, parameters, **common)
        return [pooled.reshape(len(images), -1)]
