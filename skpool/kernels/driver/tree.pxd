"""The tree T by which states are folded: T(k) = T(h) + T(k - h), h the largest power of two below k."""
from libc.string cimport memcpy
from skpool.kernels.driver.call cimport MOST_LEVELS, Call, Fold, Lane
from skpool.kernels.table cimport Kernel


cdef struct Tree:
    # Nodes of T that wait for a later neighbour, the first of them the largest.
    char* node[MOST_LEVELS]
    Py_ssize_t depth
    Py_ssize_t whole                # nodes of full size so far


cdef inline void copy_state(
    char* target, const char* source, Py_ssize_t n, const Call* call, const Kernel* kernel,
) noexcept nogil:
    cdef Py_ssize_t plane, pitch = call.layout.pitch * kernel.width
    for plane in range(kernel.planes):
        memcpy(target + plane * pitch, source + plane * pitch, n * kernel.width)


cdef inline void join(
    Tree* tree, Fold* fold, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane,
) noexcept nogil:
    """Fold the last node into the one before it."""
    cdef Py_ssize_t before = tree.depth - 2
    cdef char* target = fold.levels[before] + offset
    if tree.node[before] == target:
        lane.kernel.fold(target, tree.node[before + 1], n, call.layout.pitch, lane.parameters)
    else:
        lane.kernel.merge(
            target, tree.node[before], tree.node[before + 1], n, call.layout.pitch, 0, lane.parameters,
        )
        tree.node[before] = target
    tree.depth = tree.depth - 1


cdef inline void grow(
    Tree* tree, Fold* fold, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane, bint is_full,
    bint joined,
) noexcept nogil:
    """Count in the node at `tree.depth`; join it, if it is of full size, with all neighbours that are complete.

    With the first of them it may be `joined` already.
    """
    cdef Py_ssize_t whole
    tree.depth = tree.depth + (not joined)
    if is_full:
        tree.whole = tree.whole + 1
        whole = tree.whole >> joined
        while whole & 1 == 0:
            join(tree, fold, offset, n, call, lane)
            whole = whole >> 1


cdef inline void finish_tree(
    Tree* tree, Fold* fold, Py_ssize_t offset, Py_ssize_t n, const Call* call, const Lane* lane,
) noexcept nogil:
    """Join what is left, from the end; the state is that of the accumulator."""
    while tree.depth > 1:
        join(tree, fold, offset, n, call, lane)
    if tree.depth and tree.node[0] != fold.levels[0] + offset:
        copy_state(fold.levels[0] + offset, tree.node[0], n, call, &lane.kernel)
