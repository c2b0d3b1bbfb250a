"""Who else can do it: the table of peers.

A peer is a function from a `Task` to a `Contender`, or to None where the package has no such operation.
What can be done once (wrapping or laying out the image, building a session, allocating an output that the
package can reuse) happens in that function and is not timed: the peer is given the best case. A package
with several ways has several rows, and the fastest counts. Answers may be views: slicing the rows that a
stride keeps out of a dense result costs the peer nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Task:
    """What a peer is asked to do.

    `result` is the dtype of the wanted answer; `window` and `stride` have one entry per axis of the image, 1
    along axes that are left alone. Only full windows count.
    """

    image: np.ndarray
    window: tuple[int, ...]
    stride: tuple[int, ...]
    reduction: str
    result: np.dtype
    workers: int

    @property
    def pooled(self):
        """The axes that are pooled."""
        return tuple(axis for axis, sizes in enumerate(zip(self.window, self.stride, strict=True)) if sizes != (1, 1))

    @property
    def kept(self):
        """The axes that are left alone."""
        return tuple(axis for axis in range(self.image.ndim) if axis not in self.pooled)

    @property
    def shape(self):
        """Shape of the answer."""
        sizes = zip(self.image.shape, self.window, self.stride, strict=True)
        return tuple((length - window) // stride + 1 for length, window, stride in sizes)

    @property
    def tiles(self):
        """Whether windows cover the image exactly, side by side."""
        sizes = zip(self.image.shape, self.window, strict=True)
        return self.window == self.stride and all(length % window == 0 for length, window in sizes)

    @property
    def is_picture(self):
        """Whether this is a grey image, or one with its channels last, pooled along rows and columns."""
        return self.pooled == (0, 1) and (self.image.ndim == 2 or (self.image.ndim == 3 and self.image.shape[2] <= 4))


class Contender(NamedTuple):
    """A call without arguments, and how to read what it returns as an array of the answer's shape."""

    call: Callable
    read: Callable = np.asarray


@dataclass(frozen=True)
class Peer:
    """One way to pool with a package. `reuses_output`: the call writes into memory that it was given."""

    name: str
    modules: tuple[str, ...]
    prepare: Callable[[Task], Contender | None]
    reuses_output: bool

    @property
    def missing(self):
        """The packages that it needs and that are not installed."""
        return [module for module in self.modules if find_spec(module) is None]


def _skimage(task):
    from skimage.measure import block_reduce

    function = {"max": np.max, "avg": np.mean}.get(task.reduction)
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

    function = {"max": ndimage.maximum_filter, "avg": ndimage.uniform_filter}.get(task.reduction)
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
    if depth is None or not task.is_picture or task.reduction not in ("max", "avg"):
        return None
    rows, columns = task.window[:2]
    element = np.ones((rows, columns), np.uint8)
    output = np.empty(task.image.shape, task.result)
    filters = {
        "max": lambda: cv2.dilate(task.image, element, dst=output),
        "avg": lambda: cv2.boxFilter(task.image, depth, (columns, rows), dst=output),
    }
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


def _torch(task, layout):
    """PyTorch's function for one to three pooled axes, the axes left alone as its batch and channels."""
    import torch

    torch.set_num_threads(task.workers)
    names = {"max": "max_pool", "avg": "avg_pool"}
    if task.reduction not in names or not 1 <= len(task.pooled) <= 3 or len(task.kept) > 2:
        return None
    function = getattr(torch.nn.functional, f"{names[task.reduction]}{len(task.pooled)}d")
    order = (*task.kept, *task.pooled)
    tensor = torch.from_numpy(task.image).permute(order)
    while tensor.ndim < len(task.pooled) + 2:
        tensor = tensor.unsqueeze(0)
    tensor = layout(tensor)
    if tensor is None:
        return None
    window = tuple(task.window[axis] for axis in task.pooled)
    stride = tuple(task.stride[axis] for axis in task.pooled)

    def read(result):
        result = result.to_dense() if result.is_mkldnn else result
        planes = result.reshape(tuple(task.shape[axis] for axis in order))
        return planes.permute(tuple(int(axis) for axis in np.argsort(order))).numpy()

    return Contender(lambda: function(tensor, window, stride), read)


def _as_it_lies(tensor):
    return tensor


def _planar(tensor):
    """A planar copy of an image with its channels last."""
    return None if tensor.is_contiguous() else tensor.contiguous()


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


def _numpy_reshape(task):
    """Give every window axes of its own and reduce over them."""
    if not task.tiles or (task.reduction == "avg" and task.result.kind != "f"):
        return None
    pairs = zip(task.shape, task.window, strict=True)
    blocks = task.image.reshape([length for pair in pairs for length in pair])
    axes = tuple(range(1, blocks.ndim, 2))
    output = np.empty(task.shape, task.result)
    method = {"max": blocks.max, "avg": partial(blocks.mean, dtype=task.result)}.get(task.reduction)
    return None if method is None else Contender(partial(method, axis=axes, out=output))


def _numpy_slices(task):
    """Combine the image's samples at each offset of the window, one axis after the other."""
    combine = {"max": np.maximum, "avg": np.add}.get(task.reduction)
    if combine is None or (task.reduction == "avg" and task.result.kind != "f"):
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


def _pillow(task):
    """Pillow's `reduce`: the mean of blocks, for 8-bit images and float32 planes."""
    from PIL import Image

    if task.reduction != "avg" or not task.tiles or not task.is_picture or task.image.dtype not in ("u1", "f4"):
        return None
    picture = Image.fromarray(task.image)
    return Contender(partial(picture.reduce, task.window[1::-1]))


PEERS = (
    Peer("scikit-image block_reduce", ("skimage",), _skimage, reuses_output=False),
    Peer("SciPy filter", ("scipy",), _scipy, reuses_output=True),
    Peer("OpenCV filter", ("cv2",), _opencv_filter, reuses_output=True),
    Peer("OpenCV area resize", ("cv2",), opencv_area, reuses_output=True),
    Peer("PyTorch", ("torch",), partial(_torch, layout=_as_it_lies), reuses_output=False),
    Peer("PyTorch planar", ("torch",), partial(_torch, layout=_planar), reuses_output=False),
    Peer("PyTorch oneDNN", ("torch",), partial(_torch, layout=_onednn), reuses_output=False),
    Peer("ONNX Runtime", ("onnx", "onnxruntime"), _onnxruntime, reuses_output=True),
    Peer("ONNX Runtime quantized", ("onnx", "onnxruntime"), _onnxruntime_quantized, reuses_output=True),
    Peer("NumPy reshape", ("numpy",), _numpy_reshape, reuses_output=True),
    Peer("NumPy slices", ("numpy",), _numpy_slices, reuses_output=True),
    Peer("Pillow reduce", ("PIL",), _pillow, reuses_output=False),
)
