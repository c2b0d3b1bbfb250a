"""Calls captured in graphs: on a GPU only."""

import pytest
from devices import same_bits
from grid import CAPTURED
from images import generator, image_of

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", CAPTURED)
def test_graphs(name):
    """A captured call computes again, with what its arrays hold then."""
    cupy = pytest.importorskip("cupy")
    first, second = (image_of(generator("graphs", number), (40, 60), "float32") for number in range(2))
    image, stream = cupy.asarray(first), cupy.cuda.Stream(non_blocking=True)
    with stream:
        CAPTURED[name](image)
        stream.begin_capture()
        found = CAPTURED[name](image)
        graph = stream.end_capture()
        image.set(second)
        graph.launch()
        stream.synchronize()
    expected = CAPTURED[name](second)
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    for one, other in zip(found, expected, strict=True):
        same_bits(one, other)
