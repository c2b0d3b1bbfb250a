"""Items of a parallel loop: each worker has a run of them, and helps the others when that is done.

Runs are the same in each call with as many workers. What a thread wrote or read in one call of a chain it asks for in
the next, and finds in the caches and the memory next to it; a dynamic schedule hands items to whoever comes first.
Where two cores have a last cache each, 2 x 2 maxima of 4096 x 4096 take 0.9 of the time, whole images 0.83 to 0.89.
"""
from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    #define SKPOOL_NEXT(place) (*(volatile int64_t *) (place))
    #define SKPOOL_TAKE(place) _InterlockedExchangeAdd64((volatile __int64 *) (place), 1)
    #else
    #define SKPOOL_NEXT(place) __atomic_load_n(place, __ATOMIC_RELAXED)
    #define SKPOOL_TAKE(place) __atomic_fetch_add(place, 1, __ATOMIC_RELAXED)
    #endif
    """
    int64_t SKPOOL_NEXT(int64_t* place)
    int64_t SKPOOL_TAKE(int64_t* place)


cdef struct Turns:
    # The items of a worker that are left.
    int64_t next
    int64_t stop


cdef inline void deal(Turns* turns, Py_ssize_t items, Py_ssize_t workers, Py_ssize_t worker) noexcept nogil:
    """Give a worker its run."""
    turns.next, turns.stop = items * worker // workers, items * (worker + 1) // workers


cdef inline Py_ssize_t next_item(char* turns, Py_ssize_t hop, Py_ssize_t workers, Py_ssize_t worker) noexcept nogil:
    """The next item for a worker, its own or another's; -1: none is left. Their `Turns` lie `hop` bytes apart."""
    cdef Py_ssize_t i
    cdef int64_t item
    cdef Turns* whose
    for i in range(workers):
        whose = <Turns*> (turns + (worker + i) % workers * hop)
        if SKPOOL_NEXT(&whose.next) < whose.stop:
            item = SKPOOL_TAKE(&whose.next)
            if item < whose.stop:
                return item
    return -1
