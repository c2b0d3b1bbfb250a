"""The columns of windows, folded into one state each."""
from skpool.kernels.driver.axes cimport Axis, columns_under
from skpool.kernels.driver.call cimport Call, Fold, Lane, Recipe, Scratch
from skpool.kernels.driver.tree cimport copy_state


cdef struct Ladder:
    # How far the columns of a row are folded: a node holds `taps` columns, and T(k) still needs `nodes` of them.
    char* row
    Py_ssize_t nodes
    Py_ssize_t taps
    Py_ssize_t stride               # nodes from one output to the next
    Py_ssize_t step                 # nodes from one node of an output to its next


cdef void begin_tile(Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil

cdef char* across(
    const Call* call, const Lane* lane, Fold* fold, Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil

cdef char* across_uneven(
    const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil

cdef char* chain_states(
    const Call* call, const Lane* lane, Fold* fold, char** nodes, Py_ssize_t found, Py_ssize_t n, char* target,
) noexcept nogil


cdef inline char* fold_columns(
    const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t outputs, char* target,
) noexcept nogil:
    cdef const Axis* axis = &call.recipe.axes[call.recipe.leading]
    cdef Ladder ladder
    if axis.start != NULL:
        return across_uneven(call, lane, fold, first, outputs)
    ladder.row = fold.folded
    if axis.taps == 1 and ladder.row != fold.levels[0]:    # a finish may work where its states lie
        ladder.row = fold.levels[0]
        copy_state(
            ladder.row, fold.folded, columns_under(axis, first, outputs) * call.recipe.inner, call, &lane.kernel,
        )
    ladder.nodes, ladder.taps = axis.taps, 1
    ladder.stride, ladder.step = axis.stride if outputs > 1 else 0, axis.step
    return across(call, lane, fold, &ladder, outputs, target)


cdef inline char* fold_tile(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """The states of outputs, and where pixels are masked their counts, from the accumulators."""
    cdef const Recipe* recipe = call.recipe
    if recipe.masked:
        recipe.to_counts(
            scratch.counts, fold_columns(call, &recipe.count, &scratch.count, first, outputs, NULL),
            outputs * recipe.inner, NULL,
        )
    if recipe.value.kernel.planes:
        return fold_columns(call, &recipe.value, &scratch.value, first, outputs, target)
    return NULL
