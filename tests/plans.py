"""Plans by the arguments of `skpool.pool`, for the tests that need one without pooling."""

from skpool.plan import make_plan
from skpool.windows import Sliding


def sliding_plan(shape, image_dtype, reduction, **arguments):
    """The plan that `skpool.pool` makes for these arguments."""
    layout = {name: arguments.pop(name) for name in Sliding._fields if name in arguments}
    return make_plan(shape, image_dtype, reduction, Sliding(**layout), **arguments)
