"""The columns of windows, folded into one state each: by doubling, 1, 2, 4, ... columns."""
from libc.stdint cimport int64_t
from libc.string cimport memset
from skpool.kernels.driver.axes cimport Axis, columns_under
from skpool.kernels.driver.call cimport (
    BLOCK, LONG_COLUMN, MOST_LEVELS, Call, Fold, Lane, Recipe, Scratch, doubles_first,
)
from skpool.kernels.driver.tree cimport copy_state
from skpool.kernels.shelf cimport ALIGNMENT
from skpool.kernels.table cimport MOST_IN_CHAIN, Kernel

cdef enum:
    MOST_LATE_STRIDE = 3    # at which all columns are folded, and then some are picked


cdef inline char* another(Fold* fold, const char* used, const char* kept_row) noexcept nogil:
    """A row of scratch for doubling, neither of the two named."""
    cdef int i
    for i in range(2):
        if used != fold.turns[i] and kept_row != fold.turns[i]:
            return fold.turns[i]
    return fold.turns[2]


cdef inline bint fills(const Ladder* ladder, Py_ssize_t outputs) noexcept nogil:
    """Whether the row holds one node for each output, and nothing else."""
    return ladder.nodes == 1 and (ladder.stride == 1 or outputs == 1)


cdef inline bint pairs_alone(const Ladder* ladder, const Kernel* kernel, Py_ssize_t inner) noexcept nogil:
    """Whether every second pair of neighbours is enough, and can be had."""
    return ladder.stride & 1 == 0 and ladder.step == 1 and (
        inner >= LONG_COLUMN or (inner == 1 and kernel.pair != NULL)
    )


cdef inline void pair_columns(
    const Call* call, const Lane* lane, char* state, const char* source, Py_ssize_t pairs, Py_ssize_t taps,
) noexcept nogil:
    """Join columns 2 i and 2 i + 1, of `taps` columns each."""
    cdef Py_ssize_t i, inner = call.recipe.inner, size = inner * lane.kernel.width
    if inner == 1:
        lane.kernel.pair(state, source, pairs, call.layout.pitch, taps, lane.parameters)
        return
    for i in range(pairs):
        lane.kernel.merge(
            state + i * size, source + 2 * i * size, source + (2 * i + 1) * size, inner, call.layout.pitch, taps,
            lane.parameters,
        )


cdef inline void climb(Ladder* ladder, bint halves) noexcept nogil:
    """One level up: pairs of nodes, either only those needed (the row halves) or from every node."""
    ladder.nodes = ladder.nodes >> 1
    ladder.taps = 2 * ladder.taps
    if halves:
        ladder.stride = ladder.stride >> 1
    else:
        ladder.step = 2 * ladder.step


cdef inline Py_ssize_t columns_of(const Ladder* ladder, Py_ssize_t outputs) noexcept nogil:
    return (outputs - 1) * ladder.stride + (ladder.nodes - 1) * ladder.step + 1


cdef inline bint ends_at_once(
    const Call* call, const Lane* lane, const Ladder* ladder, Py_ssize_t outputs, bint goes_on,
) noexcept nogil:
    """Whether the nodes left, and what is joined so far, are joined in one pass: up to four, or more that are aligned.

    A vector that begins amid a cache line is read as two: eight such nodes in a pass take up to 1.2 times as long as
    doubling.
    """
    cdef Py_ssize_t count = ladder.nodes + goes_on
    if lane.kernel.join == NULL or not (ladder.stride == 1 or outputs == 1):
        return False
    if 2 < count <= 4:
        return True
    return 4 < count <= BLOCK and ladder.step * call.recipe.inner * lane.kernel.width % ALIGNMENT == 0


cdef inline char* join_states(
    const Call* call, const Lane* lane, const Fold* fold, char* target, const char** nodes, Py_ssize_t count,
    Py_ssize_t outputs,
) noexcept nogil:
    """Join 2 to 8 nodes of each output, in one pass; those that lack are of no samples."""
    while 4 < count < BLOCK:
        nodes[count] = fold.nothing
        count = count + 1
    lane.kernel.join(
        target, <const void**> nodes, NULL, NULL, count, outputs * call.recipe.inner, call.layout.pitch,
        lane.parameters,
    )
    return target


cdef char* chain_states(
    const Call* call, const Lane* lane, Fold* fold, char** nodes, Py_ssize_t found, Py_ssize_t n, char* target,
) noexcept nogil:
    """Join nodes without places, the last of which comes first, in as few passes as may be."""
    cdef const void* states[MOST_IN_CHAIN]
    cdef char* state = nodes[0]
    cdef char* fresh
    cdef Py_ssize_t done = 1, count, j
    while done < found:
        count = 1 if lane.kernel.chain == NULL else min(found - done, MOST_IN_CHAIN - 1)
        fresh = target if done + count == found else fold.part[1] if state == fold.part[0] else fold.part[0]
        if count == 1:
            lane.kernel.merge(fresh, nodes[done], state, n, call.layout.pitch, 0, lane.parameters)
        else:
            for j in range(count):
                states[j] = nodes[done + count - 1 - j]
            states[count] = state
            lane.kernel.chain(fresh, states, count + 1, n, call.layout.pitch, lane.parameters)
        state = fresh
        done = done + count
    return state


cdef char* across_doubled(
    const Call* call, const Lane* lane, Fold* fold, const Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """As `across`, at stride 1: rows of nodes of all sizes first, then a chain of those that windows consist of."""
    cdef Py_ssize_t inner = call.recipe.inner, size = ladder.step * inner * lane.kernel.width
    cdef Py_ssize_t left = ladder.nodes, taps = 1, level = 0, found = 0
    cdef char* nodes[MOST_LEVELS]
    cdef char* row = ladder.row
    cdef char* fresh
    while True:
        if left & taps:
            left = left - taps
            nodes[found] = row + left * size
            found = found + 1
        if left == 0:
            break
        fresh = fold.doubled[level]
        lane.kernel.merge(
            fresh, row, row + taps * size, (outputs + (ladder.nodes - 2 * taps) * ladder.step) * inner,
            call.layout.pitch, taps, lane.parameters,
        )
        row = fresh
        taps = 2 * taps
        level = level + 1
    return chain_states(call, lane, fold, nodes, found, outputs * inner, target if target != NULL else fold.states)


cdef char* across_twice(
    const Call* call, const Lane* lane, Fold* fold, const Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """As `across`, at stride 1, where the last two nodes may overlap; a column that counts twice is taken out again.

    The last two steps are one where a kernel joins up to four nodes.
    """
    cdef const Kernel* kernel = &lane.kernel
    cdef Py_ssize_t inner = call.recipe.inner, size = ladder.step * inner * kernel.width, taps = 1, last, left, found
    cdef Py_ssize_t n = outputs * inner
    cdef const char* row = ladder.row
    cdef const char* nodes[BLOCK]
    cdef char* fresh = NULL
    while taps < ladder.nodes:
        last = min(taps, ladder.nodes - taps)              # where the next node's second half begins
        left = ladder.nodes - taps - last
        if left > 0 and left <= 2 * taps and kernel.join != NULL:
            last = ladder.nodes - taps
            found = 0
            while found * taps < last:
                nodes[found] = row + found * taps * size
                found = found + 1
            nodes[found] = row + last * size
            fresh = target if target != NULL else another(fold, row, ladder.row)
            join_states(call, lane, fold, fresh, nodes, found + 1, outputs)
            break
        fresh = target if left == 0 and target != NULL else another(fold, row, ladder.row)
        kernel.merge(
            fresh, row, row + last * size, (outputs + left * ladder.step) * inner, call.layout.pitch, last,
            lane.parameters,
        )
        row = fresh
        taps = taps + last
    if not kernel.repeats:
        kernel.unfold(fresh, ladder.row + last * size, n, call.layout.pitch, lane.parameters)
    return fresh


cdef char* across(
    const Call* call, const Lane* lane, Fold* fold, Ladder* ladder, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """Fold the columns of each of `outputs` windows; returns the row of their states.

    Doubling: a node holds `taps` columns; T(k) is the last node of each odd level, joined from the right. Where
    the stride is even, only every second pair is needed, and the row halves with each level. The last few levels may
    take one pass. `target`, if not NULL, is where the last step may write.
    """
    cdef const Kernel* kernel = &lane.kernel
    cdef Py_ssize_t inner = call.recipe.inner, width = kernel.width, plane, shift
    cdef Py_ssize_t n = outputs * inner
    cdef char* result = NULL         # what is joined so far, and the row of scratch that holds it
    cdef char* result_row = NULL
    cdef char* part
    cdef char* fresh
    cdef char* below
    cdef bint last, halves
    cdef const char* joined[BLOCK + 1]
    cdef Py_ssize_t i
    if ladder.stride == 1 and ladder.nodes > 1 and (
        # Nodes of 2**j columns overlap by one, or there are several to be joined.
        kernel.repeats or (kernel.unfold != NULL and ladder.nodes > 7 and ladder.nodes & (ladder.nodes + 1) == 0)
    ):
        return across_twice(call, lane, fold, ladder, outputs, target)
    if ladder.stride == 1 and ladder.nodes > 3 and doubles_first(kernel):
        return across_doubled(call, lane, fold, ladder, outputs, target)
    if 1 < ladder.stride <= MOST_LATE_STRIDE and inner > 1 and outputs > 1 and not pairs_alone(ladder, kernel, inner):
        # Whole rows of channels are joined faster than columns are picked from them: pick once, at the end.
        shift = ladder.stride
        ladder.stride = 1
        result = across(call, lane, fold, ladder, (outputs - 1) * shift + 1, NULL)
        fresh = target if target != NULL else fold.spare[0]
        for plane in range(kernel.planes):
            lane.compact(
                fresh + plane * call.layout.pitch * width, result + plane * call.layout.pitch * width, outputs,
                shift, inner,
            )
        return fresh
    while True:
        if ends_at_once(call, lane, ladder, outputs, result != NULL):
            for i in range(ladder.nodes):
                joined[i] = ladder.row + i * ladder.step * inner * width
            joined[ladder.nodes] = result
            return join_states(
                call, lane, fold, target if target != NULL else another(fold, ladder.row, result_row), joined,
                ladder.nodes + (result != NULL), outputs,
            )
        if ladder.nodes & 1:
            last = ladder.nodes == 1
            if ladder.nodes == 3 and ladder.stride == 2 and pairs_alone(ladder, kernel, inner) and inner == 1:
                if result == NULL and kernel.triple != NULL:
                    fresh = target if target != NULL else fold.spare[1]
                    kernel.triple(fresh, ladder.row, outputs, call.layout.pitch, ladder.taps, lane.parameters)
                    return fresh
            part = ladder.row + (ladder.nodes - 1) * ladder.step * inner * width
            fresh = NULL
            if ladder.stride != 1 and outputs > 1:
                fresh = fold.spare[0]
                if result == NULL:
                    fresh = target if last and target != NULL else fold.spare[1]
                for plane in range(kernel.planes):
                    lane.compact(
                        fresh + plane * call.layout.pitch * width, part + plane * call.layout.pitch * width, outputs,
                        ladder.stride, inner,
                    )
                part = fresh
            if result == NULL:
                result = part
                result_row = ladder.row if fresh == NULL else fresh
            else:
                fresh = fold.spare[2] if result_row == fold.spare[1] else fold.spare[1]
                if last and target != NULL:
                    fresh = target
                kernel.merge(fresh, part, result, n, call.layout.pitch, ladder.taps, lane.parameters)
                result = result_row = fresh
            if last:
                return result
        below = ladder.row
        shift = ladder.step * inner * width
        halves = pairs_alone(ladder, kernel, inner)
        climb(ladder, halves)
        fresh = another(fold, below, result_row)
        if result == NULL and target != NULL and fills(ladder, outputs):
            fresh = target
        ladder.row = fresh
        if halves:
            pair_columns(call, lane, fresh, below, columns_of(ladder, outputs), ladder.taps >> 1)
        else:
            kernel.merge(
                fresh, below, below + shift, columns_of(ladder, outputs) * inner, call.layout.pitch, ladder.taps >> 1,
                lane.parameters,
            )


cdef char* across_uneven(
    const Call* call, const Lane* lane, Fold* fold, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil:
    """Fold the columns of windows of any width: all of one width at once, then picked, or each by itself."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &lane.kernel
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t columns = columns_under(axis, first, outputs)
    cdef Py_ssize_t size = recipe.inner * kernel.width, plane_size = call.layout.pitch * kernel.width
    cdef Py_ssize_t i, places
    cdef char* target
    cdef char* state
    cdef Ladder ladder
    for i in range(recipe.widths_found if recipe.widths_found else outputs):
        ladder.row, ladder.taps, ladder.step = fold.folded, 1, 1
        if recipe.widths_found:
            target = fold.by_width + i * kernel.planes * plane_size
            ladder.nodes, ladder.stride = recipe.widths[i], 1
            places = columns - recipe.widths[i] + 1
        else:
            target = fold.uneven + i * size
            ladder.nodes, ladder.stride = axis.sizes[first + i], 0
            ladder.row = ladder.row + (axis.start[first + i] - axis.start[first]) * size
            places = 1
        if places < 1:
            continue
        if ladder.nodes == 0:
            kernel.identity(target, recipe.inner, call.layout.pitch, lane.parameters)
            continue
        state = across(call, lane, fold, &ladder, places, target)
        if state != target:
            copy_state(target, state, places * recipe.inner, call, kernel)
    if recipe.widths_found:
        for i in range(kernel.planes):
            lane.pick(
                fold.uneven + i * plane_size, fold.by_width + i * plane_size, fold.table, outputs, recipe.inner,
            )
    return fold.uneven


cdef void find_states(
    Fold* fold, const Call* call, const Kernel* kernel, Py_ssize_t first, Py_ssize_t outputs,
) noexcept nogil:
    """Where among the rows by width the state of each output of a tile begins, in numbers."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t j, i = 0, size
    for j in range(first, first + outputs):
        size = axis.sizes[j]
        while recipe.widths[i] != size:
            i = i + 1 if i + 1 < recipe.widths_found else 0
        fold.table[j - first] = i * kernel.planes * call.layout.pitch
        if size:
            fold.table[j - first] += (axis.start[j] - axis.start[first]) * recipe.inner


cdef void begin_tile(Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    cdef const Recipe* recipe = call.recipe
    scratch.counted = -1
    memset(scratch.kept, 0xff, call.layout.slots * sizeof(int64_t))
    memset(scratch.stamps, 0, call.layout.slots * sizeof(Py_ssize_t))
    if recipe.widths_found:
        find_states(&scratch.value, call, &recipe.value.kernel, first, outputs)
        if recipe.masked:
            find_states(&scratch.count, call, &recipe.count.kernel, first, outputs)
