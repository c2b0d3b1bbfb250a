"""Plans by the arguments of `skpool.pool`, and parameters of reductions, for the tests that go through the registry."""

import ast
import math

from skpool.plan import make_plan
from skpool.reductions import REDUCTIONS, REQUIRED
from skpool.windows import Sliding

#: Values that a parameter may have, if they obey its rule, by its kind.
VALUES = {
    "float": (0.5, 1, 2, 2.5, 3, 4, 10, -1, 0, 0.25, math.inf),
    "int": (1, 2, 3, 10),
    "pixel": (0, 1),
}


def sliding_plan(shape, image_dtype, reduction, **arguments):
    """The plan that `skpool.pool` makes for these arguments."""
    layout = {name: arguments.pop(name) for name in Sliding._fields if name in arguments}
    return make_plan(shape, image_dtype, reduction, Sliding(**layout), **arguments)


def words_of(parameter):
    """The words that a parameter may be."""
    return ast.literal_eval(f"({parameter.rule.removeprefix('one of ')},)")


def values_of(parameter):
    """Values that obey a parameter's rule."""
    values = words_of(parameter) if parameter.kind == "str" else VALUES[parameter.kind]
    return [value for value in values if parameter.obeys(value)]


def required(name):
    """What a reduction must be given."""
    return {
        key: values_of(parameter)[0]
        for key, parameter in REDUCTIONS[name].parameters.items()
        if parameter.default is REQUIRED
    }


#: The reductions that need no parameter.
PLAIN_REDUCTIONS = {name: row for name, row in REDUCTIONS.items() if not required(name)}
