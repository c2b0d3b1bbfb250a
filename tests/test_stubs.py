"""The stub says what `inspect.signature` says: the functions are made at import, where no type checker looks."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import skpool
from skpool import strips
from skpool.plan import NAN_POLICIES
from skpool.reductions import REDUCTIONS
from skpool.windows import NAMED_PADDING, PADDING_MODES

STUB = ast.parse(Path(skpool.__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))

#: Every function's definitions: one, or one for each overload.
DEFINITIONS = {}
for statement in STUB.body:
    if isinstance(statement, ast.FunctionDef):
        DEFINITIONS.setdefault(statement.name, []).append(statement)
VARIABLES = {node.target.id: node for node in STUB.body if isinstance(node, ast.AnnAssign)}

#: What overloads differ in. `pool` takes it among its `**reduction_parameters`.
OVERLOADED = "return_indices"

#: Words that a type allows, and the table that they come from.
WORDS = {
    "_Corner": strips._CORNERS,
    "_IndexedReduction": [name for name, row in REDUCTIONS.items() if row.indices],
    "_Mode": PADDING_MODES,
    "_NamedPadding": NAMED_PADDING,
    "_NanPolicy": NAN_POLICIES,
    "_Reduction": REDUCTIONS,
}


def decorators(definition):
    return [ast.unparse(decorator) for decorator in definition.decorator_list]


def default_of(node):
    """The value of a default: a literal, or a function of NumPy."""
    if isinstance(node, ast.Attribute):
        assert ast.unparse(node.value) == "np"
        return getattr(np, node.attr)
    return ast.literal_eval(node)


def parameters_of(definition):
    """The parameters of a definition, as `inspect` has them, without annotations."""
    arguments = definition.args
    positional = [
        *((argument, inspect.Parameter.POSITIONAL_ONLY) for argument in arguments.posonlyargs),
        *((argument, inspect.Parameter.POSITIONAL_OR_KEYWORD) for argument in arguments.args),
    ]
    without = len(positional) - len(arguments.defaults)
    defaults = [*[None] * without, *arguments.defaults, *arguments.kw_defaults]
    named = [*positional, *((argument, inspect.Parameter.KEYWORD_ONLY) for argument in arguments.kwonlyargs)]
    found = [
        inspect.Parameter(argument.arg, kind, default=inspect.Parameter.empty if node is None else default_of(node))
        for (argument, kind), node in zip(named, defaults, strict=True)
    ]
    if arguments.vararg:
        found.insert(len(positional), inspect.Parameter(arguments.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
    if arguments.kwarg:
        found.append(inspect.Parameter(arguments.kwarg.arg, inspect.Parameter.VAR_KEYWORD))
    return found


def described(parameters):
    """What must agree; the type keeps True from being 1, and 1 from being 1.0."""
    return [(p.name, p.kind.name, p.default, type(p.default)) for p in parameters]


def test_names():
    public = [name for name in [*DEFINITIONS, *VARIABLES] if not name.startswith("_") or name == "__version__"]
    assert sorted(public) == sorted([*skpool.__all__, "__version__"])
    assert ast.unparse(VARIABLES["__version__"].annotation) == type(skpool.__version__).__name__
    others = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AnnAssign)
    assert ast.get_docstring(STUB)
    assert all(isinstance(node, others) for node in STUB.body[1:])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_signatures(name):
    actual = list(inspect.signature(getattr(skpool, name)).parameters.values())
    is_own = any(parameter.name == OVERLOADED for parameter in actual)
    for definition in DEFINITIONS[name]:
        parameters = parameters_of(definition)
        expected = actual
        if "overload" in decorators(definition):
            if not is_own:
                assert actual[-1].kind is inspect.Parameter.VAR_KEYWORD
                assert parameters[-2].name == OVERLOADED
                del parameters[-2]
            elif parameters[-1].default is inspect.Parameter.empty:
                expected = [p.replace(default=p.empty) if p.name == OVERLOADED else p for p in actual]
        assert described(parameters) == described(expected)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_overloads(name):
    """Exactly those functions have them that give indices, and just the first can be called without asking."""
    definitions = DEFINITIONS[name]
    if name != "pool" and OVERLOADED not in inspect.signature(getattr(skpool, name)).parameters:
        assert len(definitions) == 1
        assert "overload" not in decorators(definitions[0])
        return
    found = []
    for definition in definitions:
        assert decorators(definition) == ["overload"]
        [parameter] = [p for p in parameters_of(definition) if p.name == OVERLOADED]
        [argument] = [a for a in definition.args.kwonlyargs if a.arg == OVERLOADED]
        found.append((ast.unparse(argument.annotation), parameter.default))
    nothing = inspect.Parameter.empty
    assert found == [("Literal[False]", False), ("Literal[True]", nothing), ("bool", nothing)]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_everything_has_a_type(name):
    for definition in DEFINITIONS[name]:
        arguments = definition.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        assert all(argument.annotation for argument in named if argument)
        assert definition.returns


@pytest.mark.parametrize("name", WORDS)
def test_words(name):
    literal = VARIABLES[name].value
    assert ast.unparse(literal.value) == "Literal"
    words = ast.literal_eval(literal.slice)
    assert list(words) == list(WORDS[name])
