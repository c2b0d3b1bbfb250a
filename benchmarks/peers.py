"""Who else can do it: the table of peers.

A peer is a function from a `Task` to a `Contender`, or to None where the package has no such operation.
What can be done once (wrapping or laying out the image, building a session, allocating an output that the
package can reuse, compiling) happens in that function or in a first call and is not timed: the peer is given the best
case. A package with several ways has several rows, and the fastest counts. Answers may be views: slicing the rows
that a stride keeps out of a dense result costs the peer nothing.
"""

from functools import partial

import numpy as np

from benchmarks import compiled
from benchmarks.tasks import ADAPTIVE, GLOBAL, SLIDING, Contender, Peer

#: NumPy's functions of the reductions.
NUMPY = {"max": np.max, "min": np.min, "avg": np.mean, "sum": np.sum, "var": np.var, "range": np.ptp}


def _skimage(task):
    from skimage.measure import block_reduce

    function = NUMPY.get(task.reduction)
    if function is None or not task.tiles:
        return None
    return Contender(partial(block_reduce, task.image, task.window, function))


def _full_windows(task):
    """Slices that keep, of a dense filter's result, the full windows at the stride.

    A filter of even size looks one sample further back than forward, in SciPy and OpenCV alike.
    """
    sizes = zip(task.window, task.stride, task.shape, strict=True)
    return tuple(
        slice(window // 2, window // 2 + (length - 1) * stride + 1, stride) for window, stride, length in sizes
    )


def _scipy(task):
    from scipy import ndimage

    functions = {"max": ndimage.maximum_filter, "min": ndimage.minimum_filter, "avg": ndimage.uniform_filter}
    function = functions.get(task.reduction)
    if function is None:
        return None
    output = np.empty(task.image.shape, task.result)
    kept = _full_windows(task)

    def call():
        function(task.image, size=task.window, output=output, mode="nearest")
        return output[kept]

    return Contender(call)


def _opencv_filter(task):
    import cv2

    cv2.setNumThreads(task.workers)
    depths = {
        "uint8": cv2.CV_8U,
        "uint16": cv2.CV_16U,
        "int16": cv2.CV_16S,
        "float32": cv2.CV_32F,
        "float64": cv2.CV_64F,
    }
    depth = depths.get(task.result.name)
    if depth is None or not task.is_picture:
        return None
    rows, columns = task.window[:2]
    element = np.ones((rows, columns), np.uint8)
    output = np.empty(task.image.shape, task.result)
    filters = {
        "max": lambda: cv2.dilate(task.image, element, dst=output),
        "min": lambda: cv2.erode(task.image, element, dst=output),
        "avg": lambda: cv2.boxFilter(task.image, depth, (columns, rows), dst=output),
        "sum": lambda: cv2.boxFilter(task.image, depth, (columns, rows), dst=output, normalize=False),
    }
    if task.reduction not in filters:
        return None
    dense, kept = filters[task.reduction], _full_windows(task)

    def call():
        dense()
        return output[kept]

    return Contender(call)


def opencv_area(task):
    """OpenCV's `resize` with INTER_AREA: the mean of blocks that tile the image."""
    import cv2

    cv2.setNumThreads(task.workers)
    if task.reduction != "avg" or not task.is_picture or not task.tiles:
        return None
    output = np.empty(task.shape, task.image.dtype)
    size = task.shape[1::-1]
    return Contender(lambda: cv2.resize(task.image, size, dst=output, interpolation=cv2.INTER_AREA))


def _opencv_whole(task):
    """OpenCV's functions of a whole grey image."""
    import cv2

    cv2.setNumThreads(task.workers)
    functions = {
        "max": lambda: cv2.minMaxLoc(task.image)[1],
        "min": lambda: cv2.minMaxLoc(task.image)[0],
        "avg": lambda: cv2.mean(task.image)[0],
        "sum": lambda: cv2.sumElems(task.image)[0],
    }
    if task.reduction not in functions or task.image.ndim != 2:
        return None
    return Contender(functions[task.reduction], lambda value: np.full(task.shape, value, task.result))


def _torch(task, layout):
    """PyTorch's function for one to three pooled axes, the axes left alone as its batch and channels."""
    import torch

    torch.set_num_threads(task.workers)
    call, order = compiled.torch_pooling(task)
    if call is None:
        return None
    tensor = layout(compiled.torch_tensor(task, order))
    return tensor if tensor is None else Contender(partial(call, tensor), compiled.torch_reader(task, order))


def _torch_whole(task):
    """PyTorch's reductions over axes."""
    import torch

    torch.set_num_threads(task.workers)
    names = {"max": "amax", "min": "amin", "avg": "mean", "sum": "sum"}
    if task.reduction not in names:
        return None
    function = getattr(torch, names[task.reduction])
    tensor = torch.from_numpy(task.image)
    return Contender(lambda: function(tensor, task.pooled, keepdim=True), lambda result: result.numpy())


def _as_it_lies(tensor):
    return tensor


def _planar(tensor):
    """A planar copy of an image with its channels last."""
    return None if tensor.is_contiguous() else tensor.contiguous()


def _channels_last(tensor):
    """A copy of an image with its channels first whose channels lie together, as PyTorch's fastest code wants them."""
    import torch

    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if not tensor.is_contiguous() or tensor.shape[1] == 1 or tensor.ndim not in formats:
        return None
    return tensor.contiguous(memory_format=formats[tensor.ndim])


def _onednn(tensor):
    """A copy in oneDNN's own layout, which only exists for float32."""
    import torch

    return tensor.contiguous().to_mkldnn() if tensor.dtype == torch.float32 else None


def _onnx_session(task, node, before, after, constants=()):
    """A session of one node, bound to image and output with `before` and `after` axes of length 1 added."""
    import onnxruntime
    from onnx import helper

    source = task.image.reshape((1,) * before + task.image.shape + (1,) * after)
    target = np.empty((1,) * before + task.shape + (1,) * after, task.result)
    graph = helper.make_graph(
        [node],
        "pooling",
        [helper.make_tensor_value_info("image", helper.np_dtype_to_tensor_dtype(source.dtype), source.shape)],
        [helper.make_tensor_value_info("result", helper.np_dtype_to_tensor_dtype(target.dtype), target.shape)],
        list(constants),
    )
    # 17: the average of opset 19 and later runs on slower code.
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.workers
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or idle ones take a processor
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_input("image", "cpu", 0, source.dtype, source.shape, source.ctypes.data)
    binding.bind_output("result", "cpu", 0, target.dtype, target.shape, target.ctypes.data)

    def call():
        session.run_with_iobinding(binding)
        return source, target  # the binding knows addresses only: this keeps both arrays alive

    return Contender(call, lambda arrays: arrays[1].reshape(task.shape))


def _onnx_attributes(task):
    """Attributes that all of its pooling nodes share."""
    return {
        "kernel_shape": [task.window[axis] for axis in task.pooled],
        "strides": [task.stride[axis] for axis in task.pooled],
    }


def _onnxruntime(task):
    """The standard's own operators, which are planar."""
    from onnx import helper

    operator = {"max": "MaxPool", "avg": "AveragePool"}.get(task.reduction)
    if operator is None or task.kept not in ((), (0,), (0, 1)):
        return None
    node = helper.make_node(operator, ["image"], ["result"], **_onnx_attributes(task))
    return _onnx_session(task, node, 2 - len(task.kept), 0)


def _onnxruntime_quantized(task):
    """ONNX Runtime's additions for uint8 with the channels last."""
    from onnx import TensorProto, helper

    if not task.image.dtype == task.result == np.uint8 or not task.is_picture:
        return None
    quantization = (
        helper.make_tensor("scale", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [0]),
    )
    # operator: its inputs, its attributes, its constants
    operators = {
        "max": ("NhwcMaxPool", ["image"], {}, ()),
        "avg": (
            "QLinearAveragePool",
            ["image", "scale", "zero", "scale", "zero"],
            {"channels_last": int(task.image.ndim == 3)},
            quantization,
        ),
    }
    if task.reduction not in operators:
        return None
    operator, inputs, attributes, constants = operators[task.reduction]
    attributes = attributes | _onnx_attributes(task)
    node = helper.make_node(operator, inputs, ["result"], domain="com.microsoft", **attributes)
    planar = task.image.ndim == 2 and operator == "QLinearAveragePool"
    before, after = (2, 0) if planar else (1, 3 - task.image.ndim)
    return _onnx_session(task, node, before, after, constants)


def _openvino(task):
    """OpenVINO's own operators on its CPU plug-in, in the image's type."""
    import openvino
    from openvino import opset14 as operators

    if task.kept not in ((), (0,), (0, 1)) or len(task.pooled) > 3:
        return None
    source = task.image.reshape((1,) * (2 - len(task.kept)) + task.image.shape)
    parameter = operators.parameter(source.shape, openvino.Type(source.dtype))
    axes = operators.constant(np.arange(2, source.ndim))
    nothing = [0] * len(task.pooled)
    if task.places == {GLOBAL}:
        makers = {
            "max": lambda: operators.reduce_max(parameter, axes, True),
            "avg": lambda: operators.reduce_mean(parameter, axes, True),
        }
    elif task.places == {ADAPTIVE}:
        outputs = operators.constant(np.array(task.sizes(task.shape)))
        makers = {
            "max": lambda: operators.adaptive_max_pool(parameter, outputs),
            "avg": lambda: operators.adaptive_avg_pool(parameter, outputs),
        }
    else:
        window, stride, ones = task.sizes(task.window), task.sizes(task.stride), [1] * len(task.pooled)
        makers = {
            "max": lambda: operators.max_pool(parameter, stride, ones, nothing, nothing, window),
            "avg": lambda: operators.avg_pool(parameter, stride, nothing, nothing, window, False),
        }
    if task.reduction not in makers:
        return None
    model = openvino.Model([makers[task.reduction]().output(0)], [parameter])
    settings = {
        "INFERENCE_NUM_THREADS": task.workers,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # not bfloat16
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(source, shared_memory=True))

    def call():
        request.infer()
        return source  # the request knows its address only

    return Contender(call, lambda _: request.get_output_tensor().data.reshape(task.shape))


def _numpy_reshape(task):
    """Give every window axes of its own and reduce over them."""
    if not task.tiles or (task.reduction == "avg" and task.result.kind != "f"):
        return None
    pairs = zip(task.shape, task.window, strict=True)
    blocks = task.image.reshape([length for pair in pairs for length in pair])
    axes = tuple(range(1, blocks.ndim, 2))
    output = np.empty(task.shape, task.result)
    function = NUMPY.get(task.reduction)
    if function is None:
        return None
    options = {} if task.reduction in ("max", "min", "range") else {"dtype": task.result}
    return Contender(partial(function, blocks, axis=axes, out=output, **options))


#: Offsets along an axis up to which slices are tried: each is a pass over the image.
MOST_SLICES = 16


def _numpy_slices(task):
    """Combine the image's samples at each offset of the window, one axis after the other."""
    combine = {"max": np.maximum, "min": np.minimum, "avg": np.add, "sum": np.add}.get(task.reduction)
    if combine is None or max(task.window) > MOST_SLICES or (task.reduction == "avg" and task.result.kind != "f"):
        return None
    steps = []
    shape = list(task.image.shape)
    for axis in task.pooled:
        shape[axis] = task.shape[axis]
        steps.append((axis, np.empty(shape, task.result)))
    samples = float(np.prod(task.window))

    def offset(values, axis, start):
        stop = start + (task.shape[axis] - 1) * task.stride[axis] + 1
        return values[(slice(None),) * axis + (slice(start, stop, task.stride[axis]),)]

    def call():
        values = task.image
        for axis, output in steps:
            if task.window[axis] == 1:
                np.copyto(output, offset(values, axis, 0))
            else:
                combine(offset(values, axis, 0), offset(values, axis, 1), out=output, dtype=task.result)
            for start in range(2, task.window[axis]):
                combine(output, offset(values, axis, start), out=output, dtype=task.result)
            values = output
        if task.reduction == "avg":
            np.divide(values, samples, out=values)
        return values

    return Contender(call)


def _numpy_reduceat(task):
    """One axis after the other: `reduceat` between starts and stops of windows, every second of what it gives."""
    combine = {"max": np.maximum, "avg": np.add}.get(task.reduction)
    if combine is None or task.tiles or (task.reduction == "avg" and task.result.kind != "f"):
        return None
    counts = np.ones((1,) * task.image.ndim, task.result)
    edges = {}
    for axis in task.pooled:
        length, outputs = task.image.shape[axis], task.shape[axis]
        starts = np.arange(outputs) * length // outputs
        stops = -(-(np.arange(outputs) + 1) * length // outputs)
        edges[axis] = np.stack([starts, stops], axis=-1).ravel()[:-1]  # the last stop is the end
        counts = counts * np.expand_dims(
            (stops - starts).astype(task.result), tuple(set(range(task.image.ndim)) - {axis})
        )

    def call():
        values = task.image
        for axis, indices in edges.items():
            values = combine.reduceat(values, indices, axis, task.result)[
                (slice(None),) * axis + (slice(None, None, 2),)
            ]
        return values / counts if task.reduction == "avg" else values

    return Contender(call)


def _tinybrain(task):
    """tinybrain: images lie in Fortran's order, here the transposed image."""
    import tinybrain

    functions = {"avg": tinybrain.downsample_with_averaging, "max": tinybrain.downsample_with_max_pooling}
    if task.reduction not in functions or not task.tiles or task.pooled != tuple(range(task.image.ndim)):
        return None
    function, image, factor = functions[task.reduction], task.image.T, task.window[::-1]
    return Contender(lambda: function(image, factor)[0], lambda answer: answer.reshape(task.shape[::-1]).T)


def _pillow(task):
    """Pillow's `reduce`: the mean of blocks, for 8-bit images and float32 planes."""
    from PIL import Image

    if task.reduction != "avg" or not task.tiles or not task.is_picture or task.image.dtype not in ("u1", "f4"):
        return None
    picture = Image.fromarray(task.image)
    return Contender(partial(picture.reduce, task.window[1::-1]))


EVERY = (SLIDING, GLOBAL, ADAPTIVE)

PEERS = (
    Peer("scikit-image block_reduce", ("skimage",), _skimage, places=(SLIDING, GLOBAL)),
    Peer("SciPy filter", ("scipy",), _scipy, reuses_output=True),
    Peer("OpenCV filter", ("cv2",), _opencv_filter, reuses_output=True),
    Peer("OpenCV area resize", ("cv2",), opencv_area, reuses_output=True),
    Peer("OpenCV mean, minMaxLoc", ("cv2",), _opencv_whole, places=(GLOBAL,)),
    Peer("PyTorch", ("torch",), partial(_torch, layout=_as_it_lies), places=EVERY),
    Peer("PyTorch planar", ("torch",), partial(_torch, layout=_planar), places=EVERY),
    Peer("PyTorch channels last", ("torch",), partial(_torch, layout=_channels_last), places=EVERY),
    Peer("PyTorch oneDNN", ("torch",), partial(_torch, layout=_onednn)),
    Peer("PyTorch reduction", ("torch",), _torch_whole, places=(GLOBAL,)),
    Peer("ONNX Runtime", ("onnx", "onnxruntime"), _onnxruntime, reuses_output=True, places=(SLIDING, GLOBAL)),
    Peer("ONNX Runtime quantized", ("onnx", "onnxruntime"), _onnxruntime_quantized, reuses_output=True),
    Peer("OpenVINO", ("openvino",), _openvino, reuses_output=True, places=EVERY),
    Peer("Pillow reduce", ("PIL",), _pillow),
    Peer("tinybrain", ("tinybrain",), _tinybrain),
    Peer("NumPy reshape", ("numpy",), _numpy_reshape, reuses_output=True, places=(SLIDING, GLOBAL)),
    Peer("NumPy slices", ("numpy",), _numpy_slices, reuses_output=True),
    Peer("NumPy reduceat", ("numpy",), _numpy_reduceat, places=(ADAPTIVE,)),
    *compiled.PEERS,
)
