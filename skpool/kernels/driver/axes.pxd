"""Windows along one axis: where each begins, which of its taps count, and what they hold."""
from libc.stdint cimport int64_t
from skpool.kernels.shelf cimport divided_up

cdef enum:                          # what a position outside the image may hold
    ABSENT = -1
    CONSTANT = -2


cdef struct Axis:
    Py_ssize_t length
    Py_ssize_t outputs
    Py_ssize_t taps                 # the most of any window
    int64_t* start                  # of each window, and its taps; NULL where windows are even
    int64_t* sizes
    Py_ssize_t stride
    Py_ssize_t step
    Py_ssize_t before
    Py_ssize_t after
    bint ignores                    # padding holds nothing
    int64_t* outside_before         # what padded positions hold; NULL where all hold the same:
    int64_t* outside_after
    Py_ssize_t outside


cdef inline Py_ssize_t source_of(const Axis* axis, Py_ssize_t position) noexcept nogil:
    """What a position holds: an index into the image, ABSENT or CONSTANT."""
    if 0 <= position < axis.length:
        return position
    if position >= axis.length + axis.after:
        return ABSENT
    if axis.outside_before == NULL:
        return axis.outside
    return axis.outside_before[-1 - position] if position < 0 else axis.outside_after[position - axis.length]


cdef inline Py_ssize_t below(Py_ssize_t limit, Py_ssize_t start, const Axis* axis) noexcept nogil:
    """Taps of the window at `start` that lie below `limit`."""
    if limit <= start:
        return 0
    return min(divided_up(limit - start, axis.step), axis.taps)


cdef inline Py_ssize_t start_of(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Position of a window's first tap."""
    return output * axis.stride - axis.before if axis.start == NULL else axis.start[output]


cdef inline void find_taps(const Axis* axis, Py_ssize_t output, Py_ssize_t* first, Py_ssize_t* stop) noexcept nogil:
    """The taps of a window that count; they are neighbours."""
    cdef Py_ssize_t start
    first[0] = 0
    if axis.start != NULL:
        stop[0] = axis.sizes[output]
        return
    start = output * axis.stride - axis.before
    if axis.ignores:
        first[0] = below(0, start, axis)
        stop[0] = below(axis.length, start, axis)
    else:
        stop[0] = below(axis.length + axis.after, start, axis)


cdef inline Py_ssize_t count_of(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Counted taps of a window."""
    cdef Py_ssize_t first, stop
    find_taps(axis, output, &first, &stop)
    return stop - first


cdef inline bint is_whole(const Axis* axis, Py_ssize_t output) noexcept nogil:
    """Whether a window counts all its taps. Those that do are neighbours; counts of others may go up and down."""
    cdef Py_ssize_t start = output * axis.stride - axis.before
    cdef Py_ssize_t last = start + (axis.taps - 1) * axis.step
    if axis.start != NULL:
        return False
    if axis.ignores:
        return start >= 0 and last < axis.length
    return last < axis.length + axis.after


cdef inline void find_whole(
    const Axis* axis, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t* low, Py_ssize_t* high,
) noexcept nogil:
    """Those of windows [first, stop) that are whole are [low, high)."""
    low[0], high[0] = first, stop
    while low[0] < stop and not is_whole(axis, low[0]):
        low[0] = low[0] + 1
    while high[0] > low[0] and not is_whole(axis, high[0] - 1):
        high[0] = high[0] - 1


cdef inline Py_ssize_t columns_under(const Axis* axis, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    """Positions from the first tap of window `first` to the last tap of the last of `outputs` windows."""
    cdef Py_ssize_t last = first + outputs - 1
    if axis.start == NULL:
        return (outputs - 1) * axis.stride + (axis.taps - 1) * axis.step + 1
    return axis.start[last] + axis.sizes[last] - axis.start[first]
