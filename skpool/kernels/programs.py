"""Popular programs of `skpool.backends.networks` as C: `setup.py` writes it when the kernels are built.

A program that is run step by step reads and writes each row once a step; compiled, it reads its inputs and writes its
results, and all that lies between stays in registers: a median of 3 x 3 takes a third of the time. Both are made from
the same steps.

Windows that lie side by side are read where they lie: a lane is a window, and its samples are neighbours.
"""

from __future__ import annotations

import itertools


def tasks(networks):
    """What is compiled, as pairs (task, whether only keys of floats need it), none twice."""
    Task = networks.Task
    found = {}
    for rows, columns in ((2, 2), (3, 3), (4, 2), (5, 5), (9, 3)):
        samples = rows * columns
        middle = tuple(sorted({(samples - 1) // 2, samples // 2}))
        found[Task(rows, 1, tuple(range(rows)))] = False
        for columns_sorted in (True, False):
            found[Task(rows, columns, middle, columns_sorted)] = False
            found[Task(rows, columns, middle, columns_sorted, True)] = True
            if samples < 10:  # modes, then medians without NaN
                found[Task(rows, columns, tuple(range(samples)), columns_sorted)] = False
            if samples < 26:
                found[Task(rows, columns, tuple(range(middle[-1] + 1)), columns_sorted)] = True
    return found.items()


def tasks_beside(networks):
    """What is compiled for windows side by side, as (task, whether it finds the mode, whether only keys need it)."""
    for rows, columns in ((2, 2), (3, 3), (4, 2)):
        samples = rows * columns
        every, middle = tuple(range(samples)), tuple(sorted({(samples - 1) // 2, samples // 2}))
        yield networks.Task(rows, columns, every), True, False
        yield networks.Task(rows, columns, every), False, True
        yield networks.Task(rows, columns, middle), False, False
        yield networks.Task(rows, columns, middle, with_largest=True), False, True


# No row that is written is read, which the compiler cannot know of more than a few.
_HEAD = """\
#include <stddef.h>
#include <stdint.h>
#if defined(__clang__)
#define SKPOOL_APART _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SKPOOL_APART _Pragma("GCC ivdep")
#else
#define SKPOOL_APART
#endif"""

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
KEYS = ("int32", "int64")


def source(networks):
    """The C code: a macro for each task, and a table of its functions for each type."""
    lines = [_HEAD]
    rows = []
    for number, (task, keys_only) in enumerate(tasks(networks)):
        lines += [f"#define SKPOOL_PROGRAM_{number}(type, name) \\", *_function(networks.program(task), task)]
        for dtype in KEYS if keys_only else TYPES:
            function = f"skpool_program_{number}_{dtype}"
            lines.append(f"SKPOOL_PROGRAM_{number}({dtype}_t, {function})")
            rows.append(f'    {{"{name_of(task, dtype)}", (void *) {function}}},')
    for number, (task, finds_mode, keys_only) in enumerate(tasks_beside(networks)):
        code = _function(networks.program(task), task, beside=True, finds_mode=finds_mode)
        lines += [f"#define SKPOOL_BESIDE_{number}(type, name) \\", *code]
        for dtype in KEYS if keys_only else TYPES:
            function = f"skpool_beside_{number}_{dtype}"
            lines.append(f"SKPOOL_BESIDE_{number}({dtype}_t, {function})")
            rows.append(f'    {{"{name_beside(task, dtype, finds_mode)}", (void *) {function}}},')
    return "\n".join([*lines, "static const struct skpool_compiled skpool_programs[] = {", *rows, "};", ""])


def name_of(task, dtype):
    """A key of the table."""
    return f"{dtype} {task.rows}x{task.columns} {task.wanted} {task.columns_sorted:d}{task.with_largest:d}"


def name_beside(task, dtype, finds_mode):
    """A key of the table, for windows side by side."""
    return f"{name_of(task, dtype)} beside{' mode' if finds_mode else ''}"


def _function(program, task, beside=False, finds_mode=False):
    """A function of the rows: registers and inputs; side by side, inputs are rows of windows."""
    inputs = range(program.registers, program.registers + task.rows * task.columns)
    results = [] if finds_mode else sorted({row for row in program.ranks if 0 <= row < program.registers})
    columns = task.columns if beside else 1
    first = 1 if finds_mode else program.registers
    yield "static void name(type **rows, ptrdiff_t n) { \\"
    for row in range(len(inputs) // columns):
        yield f"    const type *x{row} = rows[{first + row}]; \\"
    for row in [0] if finds_mode else results:
        yield f"    type *y{row} = rows[{row}]; \\"
    yield "    SKPOOL_APART \\"
    yield "    for (ptrdiff_t i = 0; i < n; i++) { \\"
    for number, row in enumerate(inputs):
        yield f"        const type v{row} = x{number // columns}[{columns} * i + {number % columns}]; \\"
    held = {row: f"v{row}" for row in inputs}
    for number, (low, high, a, b) in enumerate(program.steps):
        a, b = held[a], held[b]
        for row, name, sign in ((low, f"l{number}", "<"), (high, f"h{number}", ">")):
            if row >= 0:
                yield f"        const type {name} = {a} {sign} {b} ? {a} : {b}; \\"
                held[row] = name
    for row in results:
        yield f"        y{row}[i] = {held[row]}; \\"
    if finds_mode:
        yield from _mode([held[row] for row in program.ranks])
    yield "    } \\"
    yield "}"


def _mode(ranked):
    """The longest run of equal values among sorted ones, of several the first."""
    if len(ranked) == 4:  # it is the first run of two or more
        pairs = [*itertools.pairwise(ranked)]
        best = ranked[0]
        for a, b in reversed(pairs[1:]):
            best = f"({a} == {b} ? {a} : {best})"
        yield f"        y0[i] = {ranked[0]} == {ranked[1]} ? {ranked[0]} : {best}; \\"
        return
    yield f"        type best = {ranked[0]}, run = 1, longest = 1; \\"
    for before, value in itertools.pairwise(ranked):
        yield f"        run = {value} == {before} ? run + 1 : 1; \\"
        yield f"        best = run > longest ? {value} : best; \\"
        yield "        longest = run > longest ? run : longest; \\"
    yield "        y0[i] = best; \\"
