"""The stub says what `inspect.signature` says: the functions are made at import, where no type checker looks."""

import ast
import inspect
from pathlib import Path

import pytest
import stubs

import skpool

TEXT = Path(skpool.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
STUB = ast.parse(TEXT)

#: Every function's definitions: one, or one for each overload.
DEFINITIONS = {}
for statement in STUB.body:
    if isinstance(statement, ast.FunctionDef):
        DEFINITIONS.setdefault(statement.name, []).append(statement)


def test_the_stub_is_up_to_date():
    assert stubs.stub() == TEXT, "run `python tests/stubs.py > skpool/__init__.pyi`"


def test_names():
    assert list(DEFINITIONS) == skpool.__all__
    assert ast.get_docstring(STUB)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_parameters(name):
    expected = inspect.signature(getattr(skpool, name)).parameters
    for definition in DEFINITIONS[name]:
        arguments = definition.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.kwarg]
        assert all(argument.annotation for argument in named if argument)
        assert {argument.arg for argument in named if argument} | {"return_indices"} == {*expected, "return_indices"}
        assert definition.returns


@pytest.mark.parametrize("name", DEFINITIONS)
def test_overloads(name):
    """Exactly those functions have them that give indices, and just the first can be called without asking."""
    if name not in stubs.GENERAL and "return_indices" not in inspect.signature(getattr(skpool, name)).parameters:
        assert len(DEFINITIONS[name]) == 1
        return
    found = []
    for definition in DEFINITIONS[name]:
        assert [ast.unparse(decorator) for decorator in definition.decorator_list] == ["overload"]
        arguments = definition.args
        defaults = dict(zip([argument.arg for argument in arguments.kwonlyargs], arguments.kw_defaults, strict=True))
        [asked] = [argument for argument in arguments.kwonlyargs if argument.arg == "return_indices"]
        found.append((ast.unparse(asked.annotation), defaults["return_indices"] is not None))
    assert found == [("Literal[False]", True), ("Literal[True]", False), ("bool", False)]
