"""Popular programs of `skpool.backends.networks` as C: `setup.py` writes it when the kernels are built.

A program that is run step by step reads and writes each row once a step; compiled, it reads its inputs and writes its
results, and all that lies between stays in registers: a median of 3 x 3 takes a third of the time. Both are made from
the same steps.
"""

from __future__ import annotations


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
    return "\n".join([*lines, "static const struct skpool_compiled skpool_programs[] = {", *rows, "};", ""])


def name_of(task, dtype):
    """A key of the table."""
    return f"{dtype} {task.rows}x{task.columns} {task.wanted} {task.columns_sorted:d}{task.with_largest:d}"


def _function(program, task):
    inputs = range(program.registers, program.registers + task.rows * task.columns)
    results = sorted({row for row in program.ranks if 0 <= row < program.registers})
    yield "static void name(type **rows, ptrdiff_t n) { \\"
    for row in inputs:
        yield f"    const type *x{row} = rows[{row}]; \\"
    for row in results:
        yield f"    type *y{row} = rows[{row}]; \\"
    yield "    SKPOOL_APART \\"
    yield "    for (ptrdiff_t i = 0; i < n; i++) { \\"
    for row in inputs:
        yield f"        const type v{row} = x{row}[i]; \\"
    held = {row: f"v{row}" for row in inputs}
    for number, (low, high, a, b) in enumerate(program.steps):
        a, b = held[a], held[b]
        for row, name, sign in ((low, f"l{number}", "<"), (high, f"h{number}", ">")):
            if row >= 0:
                yield f"        const type {name} = {a} {sign} {b} ? {a} : {b}; \\"
                held[row] = name
    for row in results:
        yield f"        y{row}[i] = {held[row]}; \\"
    yield "    } \\"
    yield "}"
