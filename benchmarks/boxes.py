"""Boxes beside ONNX Runtime, paired: `python -m benchmarks.boxes [THREADS]`."""

import itertools
from functools import partial

import numpy as np

from benchmarks import library
from benchmarks.pairs import Table

BOXES = 1000
BINS = 7

#: Images (channels, rows, columns), and the least and largest sides of their boxes.
IMAGES = {"256 x 56 x 56": ((256, 56, 56), 7, 28), "4096 x 4096": ((1, 4096, 4096), 50, 600)}

SIZE = {"output_height": BINS, "output_width": BINS}

#: Name, the library's function and its arguments, the operator that does the same and its attributes.
CASES = (
    ("roi_align, 2 samples", "roi_align", {"sampling_ratio": 2}, "RoiAlign", SIZE | {"sampling_ratio": 2}),
    ("roi_align", "roi_align", {}, "RoiAlign", SIZE | {"sampling_ratio": 0}),
    ("roi_pool", "roi_pool", {"inclusive": True}, "MaxRoiPool", {"pooled_shape": [BINS, BINS]}),
)


def made_boxes(rng, shape, least, largest):
    """Boxes of random sizes at random places inside the image."""
    size = rng.uniform(least, largest, (BOXES, 2))
    low = rng.random((BOXES, 2)) * (np.array(shape) - size)
    return np.concatenate([low, low + size], axis=1)


def onnx_call(op, attributes, image, boxes, threads):
    """ONNX Runtime's operator on one image."""
    import onnx
    import onnxruntime

    flipped = boxes[:, [1, 0, 3, 2]].astype(np.float32)
    first = np.zeros(len(boxes), np.int64)
    inputs = {"image": image[np.newaxis], "boxes": flipped, "batch": first}
    if op == "MaxRoiPool":
        inputs = {"image": image[np.newaxis], "boxes": np.column_stack([first, flipped]).astype(np.float32)}
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in inputs.items()}
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, list(inputs), ["pooled"], **attributes)],
        "boxes",
        [onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()],
        [onnx.helper.make_tensor_value_info("pooled", onnx.TensorProto.FLOAT, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or idle ones take a processor
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)[0]


def main():
    """Print a line for each image, layout and case."""
    table = Table("boxes", f"{BOXES} boxes, {BINS} x {BINS} bins, float32, beside ONNX Runtime.")
    skpool = library.load()
    rng = np.random.default_rng(0)
    for image_name, (shape, *sides) in IMAGES.items():
        image = rng.random(shape, dtype=np.float32)
        boxes = made_boxes(rng, shape[1:], *sides)
        layouts = {"channels first": (image, 0), "channels last": (np.ascontiguousarray(np.moveaxis(image, 0, -1)), -1)}
        for (case, function, arguments, op, attributes), layout in itertools.product(CASES, layouts):
            name = f"{case}, {image_name}, {layout}"
            if not table.wants(name):
                continue
            pixels, axis = layouts[layout]
            function = getattr(skpool, function)
            ours = partial(function, pixels, boxes, BINS, channel_axis=axis, workers=table.threads, **arguments)
            theirs = onnx_call(op, attributes, image, boxes, table.threads)
            if op == "RoiAlign":  # theirs divides boxes in float32: bins of whole pixels may differ
                np.testing.assert_allclose(np.moveaxis(ours(), -1, 1), theirs(), atol=1e-3)
            table.line(name, ours, f"onnxruntime {op}", theirs)


if __name__ == "__main__":
    main()
