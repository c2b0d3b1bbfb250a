"""Programs of minima and maxima: they sort, and those that are compiled do what their steps say."""

import itertools

import numpy as np
import pytest

import skpool
from skpool.backends import cpu, networks
from skpool.backends.networks import Task, program
from skpool.kernels import programs

COMPILED = cpu._COMPILED
SHAPES = ((1, 1), (1, 4), (4, 1), (2, 2), (3, 3), (4, 2), (2, 5), (3, 5), (4, 4), (5, 5), (9, 3), (7, 7), (15, 15))


def ran(steps, inputs):
    """Take the steps of a program on arrays; the row of each rank that it finds."""
    rows = [None] * steps.registers + list(inputs)
    for low, high, a, b in steps.steps:
        assert {low, high}.isdisjoint({a, b}), "a step writes what it reads"
        assert max(low, high) < steps.registers, "a step writes an input"
        x, y = rows[a], rows[b]
        if low >= 0:
            rows[low] = np.minimum(x, y)
        if high >= 0:
            rows[high] = np.maximum(x, y)
    return {rank: rows[row] for rank, row in enumerate(steps.ranks) if row >= 0}


def wanted_of(samples):
    """Sets of ranks: the middle, all, the ends, a pair beside the middle."""
    middle = {(samples - 1) // 2, samples // 2}
    sets = [middle, {*range(samples)}, {0}, {samples - 1}, {samples // 4, min(samples // 4 + 1, samples - 1)}]
    return sorted({tuple(sorted(ranks)) for ranks in sets})


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
@pytest.mark.parametrize("columns_sorted", [False, True])
@pytest.mark.parametrize("with_largest", [False, True])
def test_programs_find_ranks(rows, columns, columns_sorted, with_largest):
    rng = np.random.default_rng(rows * columns)
    for wanted, highest in itertools.product(wanted_of(rows * columns), (2, 4, 1000)):
        samples = rng.integers(0, highest, (rows, columns, 400))
        if columns_sorted:
            samples.sort(axis=0)
        samples = samples.reshape(rows * columns, -1)
        found = ran(program(Task(rows, columns, wanted, columns_sorted, with_largest)), samples)
        expected = np.sort(samples, axis=0)
        assert {*wanted} <= {*found}
        assert not with_largest or len(samples) - 1 in found
        for rank in {*wanted, *({len(samples) - 1} if with_largest else ())}:
            np.testing.assert_array_equal(found[rank], expected[rank])


@pytest.mark.parametrize(
    ("task", "operations"),
    [
        (Task(3, 1, (0, 1, 2)), 6),
        (Task(3, 3, (4,), True), 14),
        (Task(5, 1, (0, 1, 2, 3, 4)), 18),
        (Task(5, 5, (12,), True), 108),
        (Task(9, 3, (13,), True), 70),
    ],
)
def test_programs_are_as_short_as_their_documentation_says(task, operations):
    assert sum((low >= 0) + (high >= 0) for low, high, _, _ in program(task).steps) == operations


def test_every_compiled_program_has_a_task():
    tasks = programs.tasks(networks)
    names = {
        programs.name_beside(task, dtype, finds_mode)
        for task, finds_mode, keys_only in programs.tasks_beside(networks)
        for dtype in (programs.KEYS if keys_only else programs.TYPES)
    } | {
        programs.name_of(task, dtype)
        for task, keys_only in tasks
        for dtype in (programs.KEYS if keys_only else programs.TYPES)
    }
    assert names == {*cpu._COMPILED}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("window", [(2, 2), (3, 3), (5, 5), (2, 2, 2), (3, 3, 3)])
@pytest.mark.parametrize("stride", [1, None])
@pytest.mark.parametrize("reduction", ["median", "mode", "nunique"])
def test_compiled_programs_do_what_steps_do(dtype, window, stride, reduction, monkeypatch):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 9, (20,) * len(window)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        image[rng.random(image.shape) < 0.02] = np.nan
    for nan_policy in ("propagate", "omit"):
        results = []
        for compiled in (COMPILED, {}):
            monkeypatch.setattr(cpu, "_COMPILED", compiled)
            cpu._program.cache_clear()
            results.append(skpool.pool(image, window, reduction, stride=stride, nan_policy=nan_policy))
        np.testing.assert_array_equal(*results)
    monkeypatch.undo()
    cpu._program.cache_clear()
