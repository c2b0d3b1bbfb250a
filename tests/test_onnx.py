"""Peers as oracles: ONNX's own test cases, ONNX Runtime, SciPy, scikit-image, PyTorch. None reads our tables."""

import itertools
import warnings

import numpy as np
import pytest

import skpool

REDUCTION_OF = {"MaxPool": "max", "AveragePool": "avg", "LpPool": "lp"}
PADDING_OF = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}

#: Cases of ONNX that skpool means otherwise: name -> reason. There are none.
EXCLUDED = {}


def pool_as_onnx(op, image, *, return_indices=False, **attributes):
    """What an ONNX operator with these attributes gives for ``(N, C, spatial...)``."""
    spatial = image.ndim - 2

    def for_all_axes(name, default):
        return (default, default, *attributes.get(name, (default,) * spatial))

    pads = attributes.get("pads", (0,) * 2 * spatial)
    padding = [(0, 0), (0, 0), *zip(pads[:spatial], pads[spatial:], strict=True)]
    keywords = {
        "stride": for_all_axes("strides", 1),
        "dilation": for_all_axes("dilations", 1),
        "padding": PADDING_OF.get(attributes.get("auto_pad"), padding),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
        "mode": "constant" if attributes.get("count_include_pad") else "ignore",
    }
    if op == "LpPool":
        keywords["p"] = attributes.get("p", 2)
    if return_indices:
        keywords["return_indices"] = True
    pooled = skpool.pool(image, (1, 1, *attributes["kernel_shape"]), REDUCTION_OF[op], **keywords)
    if return_indices and attributes.get("storage_order"):
        pooled = pooled[0], column_major(pooled[1], image.shape)
    return pooled


def column_major(indices, shape):
    """ONNX's ``storage_order=1``: the spatial axes of an index count from the first on."""
    places = np.unravel_index(indices, shape)
    return np.ravel_multi_index(places[:2] + places[:1:-1], shape[:2] + shape[:1:-1])


# ---------------------------------------------------------------- ONNX's own cases


@pytest.fixture(scope="module")
def onnx_cases():
    """Cases of windowed pooling, as ``(name, operator, attributes, inputs, outputs, tolerances)``."""
    onnx = pytest.importorskip("onnx")
    loader = pytest.importorskip("onnx.backend.test.loader")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other operators' cases
        cases = loader.load_model_tests(kind="node")
    found = []
    for case in cases:
        node = case.model.graph.node[0]
        if node.op_type in REDUCTION_OF:
            attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            attributes["auto_pad"] = attributes.get("auto_pad", b"NOTSET").decode()
            found += [(case.name, node.op_type, attributes, *data, case) for data in case.data_sets]
    return found


@pytest.mark.parametrize("op", REDUCTION_OF)
def test_onnx_cases(onnx_cases, op):
    cases = [case for case in onnx_cases if case[1] == op and case[0] not in EXCLUDED]
    assert len(cases) >= 8
    for name, _, attributes, (image,), (expected, *indices), case in cases:
        pooled = pool_as_onnx(op, image, return_indices=bool(indices), **attributes)
        if indices:
            pooled, places = pooled
            np.testing.assert_array_equal(places, indices[0], err_msg=name)
        assert pooled.dtype == expected.dtype, name
        np.testing.assert_allclose(pooled, expected, rtol=case.rtol, atol=case.atol, err_msg=name)


def test_excluded_cases_exist(onnx_cases):
    assert EXCLUDED.keys() <= {case[0] for case in onnx_cases}


# ---------------------------------------------------------------- ONNX Runtime


def random_attributes(rng, op, spatial):
    """Attributes that ONNX Runtime takes: padding below the window's size, one window at least."""
    kernel = rng.integers(1, 5, spatial)
    attributes = {"kernel_shape": kernel, "strides": rng.integers(1, 4, spatial), "ceil_mode": rng.integers(0, 2)}
    if rng.random() < 0.2:
        attributes["auto_pad"] = rng.choice(["SAME_UPPER", "SAME_LOWER"])
        attributes["ceil_mode"] = 0
        # Where windows leave gaps the runtime pads by less than nothing, and starts inside the image.
        attributes["strides"] = np.minimum(attributes["strides"], kernel)
    else:
        attributes["pads"] = rng.integers(0, np.tile(kernel, 2))
    if rng.random() < 0.5 and "auto_pad" not in attributes:
        attributes["dilations"] = rng.integers(1, 3, spatial)
    if op == "MaxPool":
        attributes["storage_order"] = rng.integers(0, 2)
    if op == "AveragePool":
        attributes["count_include_pad"] = rng.integers(0, 2)
    if op == "LpPool":
        attributes["p"] = rng.integers(1, 5)
    return {
        name: value.tolist() if isinstance(value, np.generic | np.ndarray) else value
        for name, value in attributes.items()
    }


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("op", REDUCTION_OF)
def test_onnx_runtime(op, spatial):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    rng = np.random.default_rng([spatial, *op.encode()])
    outputs = ["pooled", "indices"] if op == "MaxPool" else ["pooled"]
    kinds = {"pooled": onnx.TensorProto.FLOAT, "indices": onnx.TensorProto.INT64}
    for _ in range(40):
        attributes = random_attributes(rng, op, spatial)
        image = rng.integers(-4, 5, (2, 3, *rng.integers(9, 14, spatial))).astype(np.float32)
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node(op, ["image"], outputs, **attributes)],
            "pooling",
            [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, image.shape)],
            [onnx.helper.make_tensor_value_info(name, kinds[name], None) for name in outputs],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)], ir_version=10)
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        expected = session.run(None, {"image": image})
        pooled = pool_as_onnx(op, image, return_indices=op == "MaxPool", **attributes)
        for ours, theirs in zip(pooled if op == "MaxPool" else [pooled], expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=str((attributes, image.shape)))


# ---------------------------------------------------------------- SciPy: a filter, and every stride-th of its pixels

SCIPY_MODE = {"symmetric": "reflect", "reflect": "mirror", "edge": "nearest", "wrap": "wrap", "constant": "constant"}
SCIPY_FILTER = {"max": "maximum_filter", "min": "minimum_filter", "avg": "uniform_filter"}


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("mode", SCIPY_MODE)
@pytest.mark.parametrize("reduction", SCIPY_FILTER)
def test_scipy(reduction, mode, dtype):
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(7)
    for size, stride in itertools.product([(1, 3), (2, 2), (3, 3), (5, 4), (7, 1)], [(1, 1), (2, 3)]):
        image = rng.integers(0, 100, (17, 23)).astype(dtype)
        padding = [(window // 2, window - 1 - window // 2) for window in size]
        pooled = skpool.pool(image, size, reduction, stride=stride, padding=padding, mode=mode, ceil_mode=False)
        wide = image if reduction != "avg" else image.astype(np.float64)
        filtered = getattr(ndimage, SCIPY_FILTER[reduction])(wide, size, mode=SCIPY_MODE[mode])
        np.testing.assert_allclose(pooled, filtered[:: stride[0], :: stride[1]], rtol=1e-6, atol=1e-5)


def test_scipy_indices():
    """A maximum's index is that of the first in the window, as `argmax` of its samples says."""
    ndimage = pytest.importorskip("scipy.ndimage")
    image = np.random.default_rng(8).integers(0, 4, (12, 15))
    values, indices = skpool.max_pool(image, 3, stride=1, ceil_mode=False, return_indices=True)
    first = ndimage.generic_filter(image, np.argmax, 3, output=np.int64)[1:-1, 1:-1]
    rows, columns = np.indices(values.shape)
    np.testing.assert_array_equal(indices, (rows + first // 3) * image.shape[1] + columns + first % 3)


# ---------------------------------------------------------------- scikit-image: whole blocks


@pytest.mark.parametrize(
    ("reduction", "function"),
    [("max", np.max), ("min", np.min), ("avg", np.mean), ("sum", np.sum), ("var", np.var), ("std", np.std)],
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_scikit_image(reduction, function, dtype):
    measure = pytest.importorskip("skimage.measure")
    image = np.random.default_rng(9).integers(0, 100, (12, 20, 6)).astype(dtype)
    for block in ((2, 2, 1), (3, 5, 2), (12, 20, 6), (1, 1, 1)):
        expected = measure.block_reduce(image, block, function)
        np.testing.assert_allclose(skpool.pool(image, block, reduction), expected, rtol=1e-5)


# ---------------------------------------------------------------- PyTorch


@pytest.fixture(scope="module")
def torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch")


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (3, 1), (3, 3), (4, 3), (2, 4)])
def test_torch(torch, window, stride, padding, ceil_mode):
    image = np.random.default_rng(10).integers(-9, 10, (2, 3, 11, 14)).astype(np.float32)
    tensor = torch.from_numpy(image)
    geometry = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    ours = {
        "stride": (1, 1, stride, stride),
        "padding": [(0, 0), (0, 0), (padding, padding), (padding, padding)],
        "ceil_mode": ceil_mode,
    }
    functional, windows = torch.nn.functional, (1, 1, window, window)

    values, places = functional.max_pool2d(tensor, window, return_indices=True, **geometry)
    pooled, indices = skpool.max_pool(image, windows, return_indices=True, **ours)
    np.testing.assert_array_equal(pooled, values)
    np.testing.assert_array_equal(indices % (11 * 14), places)  # theirs count within a plane

    for mode, include in (("ignore", False), ("constant", True)):
        average = functional.avg_pool2d(tensor, window, count_include_pad=include, **geometry)
        np.testing.assert_allclose(skpool.avg_pool(image, windows, mode=mode, **ours), average, rtol=1e-5, atol=1e-6)
    average = functional.avg_pool2d(tensor, window, divisor_override=-3, **geometry)
    np.testing.assert_allclose(skpool.avg_pool(image, windows, divisor=-3, **ours), average, rtol=1e-5, atol=1e-6)

    if not padding and not ceil_mode:  # theirs multiplies the mean of a partial window by the whole one's size
        norm = functional.lp_pool2d(tensor.abs(), 3.0, window, stride)
        np.testing.assert_allclose(skpool.lp_pool(image, windows, p=3, **ours), norm, rtol=1e-4)
