"""Row functions of order statistics: tiles of large windows that are sorted together.

Design: windows at stride 1 share nearly all their samples with their neighbours. A tile of 4 x 4 or 8 x 8 of them is
one program of `skpool.backends.tiles`: what all its windows hold is sorted once, then what each half of them adds, and
so on down to each window, and whatever can no longer be a wanted rank is dropped on the way. A median of 15 x 15 takes
330 exchanges that way, not 3300 operations.

The lanes of a program are tiles side by side. So image rows are split into planes first: plane x holds columns x,
x + across, x + 2 across, ..., and a sample of every tile is a run of one plane, wherever in the tile it lies.
"""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from skpool.kernels.pixels cimport highest_of, integer, word
from skpool.kernels.shelf cimport ALIGNMENT, divided_up, padded
from skpool.kernels.table cimport Parameters, Tile, sorted_t, steps_t

cdef extern from * nogil:
    """
    #include <stddef.h>
    #include <stdint.h>
    #if defined(__clang__)
    #define SKPOOL_UNROLLED _Pragma("clang loop vectorize(assume_safety)")
    #elif defined(__GNUC__)
    #define SKPOOL_UNROLLED _Pragma("GCC ivdep")
    #else
    #define SKPOOL_UNROLLED
    #endif
    enum { SKPOOL_RUN = 256 };  /* bytes of a register: many, for steps cost time, too, but all are to stay near */
    /* Every step writes two registers: some need one only, but a choice costs more than a store. */
    #define SKPOOL_STEPS(type) \\
        static inline void skpool_exchange_##type(type *low, type *high, const type *a, const type *b) { \\
            SKPOOL_UNROLLED \\
            for (int i = 0; i < (int) (SKPOOL_RUN / sizeof(type)); i++) { \\
                const type x = a[i], y = b[i]; \\
                low[i] = x < y ? x : y; \\
                high[i] = x < y ? y : x; \\
            } \\
        } \\
        static void skpool_steps_##type(const int16_t *steps, ptrdiff_t count, char *registers) { \\
            for (const int16_t *step = steps; step < steps + 4 * count; step += 4) \\
                skpool_exchange_##type( \\
                    (type *) (registers + (ptrdiff_t) step[0] * SKPOOL_RUN), \\
                    (type *) (registers + (ptrdiff_t) step[1] * SKPOOL_RUN), \\
                    (const type *) (registers + (ptrdiff_t) step[2] * SKPOOL_RUN), \\
                    (const type *) (registers + (ptrdiff_t) step[3] * SKPOOL_RUN)); \\
        }
    SKPOOL_STEPS(uint8_t)
    SKPOOL_STEPS(int8_t)
    SKPOOL_STEPS(uint16_t)
    SKPOOL_STEPS(int16_t)
    SKPOOL_STEPS(uint32_t)
    SKPOOL_STEPS(int32_t)
    SKPOOL_STEPS(uint64_t)
    SKPOOL_STEPS(int64_t)
    """
    enum:
        SKPOOL_RUN
    steps_t skpool_steps_uint8_t
    steps_t skpool_steps_int8_t
    steps_t skpool_steps_uint16_t
    steps_t skpool_steps_int16_t
    steps_t skpool_steps_uint32_t
    steps_t skpool_steps_int32_t
    steps_t skpool_steps_uint64_t
    steps_t skpool_steps_int64_t


cdef struct Bench:
    # Where in the scratch things are.
    Py_ssize_t pitch                # elements of a plane
    char* planes
    char* registers
    char* results                   # planes again, for each row of a tile
    const void** ranked


cdef Py_ssize_t lay_out(
    Bench* bench, char* room, const Tile* tile, Py_ssize_t lanes, Py_ssize_t inner, Py_ssize_t width,
    Py_ssize_t natural_width,
) noexcept nogil:
    """Lay out the scratch for so many lanes; returns its bytes."""
    cdef Py_ssize_t lines = (tile.down + tile.tall - 1) * tile.deep
    # The last run goes on past the last lane, and the last column's plane begins some lanes on.
    bench.pitch = padded(lanes + SKPOOL_RUN // width + (tile.across + tile.wide - 2) // tile.across * inner)
    bench.planes = room
    bench.registers = bench.planes + lines * tile.across * bench.pitch * width
    bench.results = bench.registers + tile.steps.registers * SKPOOL_RUN
    bench.ranked = <const void**> (bench.results + tile.down * tile.across * bench.pitch * natural_width)
    return <char*> (bench.ranked + tile.deep * tile.tall * tile.wide) - room


cdef bint holds_largest(const integer* row, Py_ssize_t n) noexcept nogil:
    """Whether there is a NaN among keys."""
    cdef Py_ssize_t i
    cdef integer absent = highest_of(<integer> 0)
    cdef integer found = 0
    for i in range(n):
        found = found | <integer> (row[i] == absent)
    return found != 0


cdef inline void split_by(
    integer* planes, Py_ssize_t pitch, const integer* row, Py_ssize_t n, const Py_ssize_t across,
) noexcept nogil:
    """`n` elements of each plane, all planes at once."""
    cdef Py_ssize_t i, x
    for i in range(n):
        for x in range(across):
            planes[x * pitch + i] = row[i * across + x]


cdef void split(
    integer* planes, Py_ssize_t pitch, const integer* row, Py_ssize_t columns, Py_ssize_t across, Py_ssize_t inner,
) noexcept nogil:
    """The planes of a row; past its end they hold zeros."""
    cdef Py_ssize_t j, c, x, whole = 0
    if inner == 1:
        whole = columns // across
        if across == 4:
            split_by(planes, pitch, row, whole, 4)
        else:
            split_by(planes, pitch, row, whole, 8)
    for x in range(across):
        memset(planes + x * pitch + whole * inner, 0, (pitch - whole * inner) * sizeof(integer))
    for j in range(whole * across, columns):
        for c in range(inner):
            planes[j % across * pitch + j // across * inner + c] = row[j * inner + c]


cdef inline void weave_by(
    word* row, const word* planes, Py_ssize_t pitch, Py_ssize_t n, const Py_ssize_t across,
) noexcept nogil:
    """`n` elements of each plane, all planes at once."""
    cdef Py_ssize_t i, x
    for i in range(n):
        for x in range(across):
            row[i * across + x] = planes[x * pitch + i]


cdef void weave(
    word* row, const word* planes, Py_ssize_t pitch, Py_ssize_t columns, Py_ssize_t across, Py_ssize_t inner,
) noexcept nogil:
    """The row of some planes."""
    cdef Py_ssize_t j, c, whole = 0
    if inner == 1:
        whole = columns // across
        if across == 4:
            weave_by(row, planes, pitch, whole, 4)
        else:
            weave_by(row, planes, pitch, whole, 8)
    for j in range(whole * across, columns):
        for c in range(inner):
            row[j * inner + c] = planes[j % across * pitch + j // across * inner + c]


cdef void weave_any(
    char* row, const char* planes, Py_ssize_t pitch, Py_ssize_t columns, Py_ssize_t across, Py_ssize_t inner,
    Py_ssize_t width,
) noexcept nogil:
    if width == 1:
        weave(<uint8_t*> row, <const uint8_t*> planes, pitch, columns, across, inner)
    elif width == 2:
        weave(<uint16_t*> row, <const uint16_t*> planes, pitch, columns, across, inner)
    elif width == 4:
        weave(<uint32_t*> row, <const uint32_t*> planes, pitch, columns, across, inner)
    else:
        weave(<uint64_t*> row, <const uint64_t*> planes, pitch, columns, across, inner)


cdef bint sort_tiles(
    char* out, Py_ssize_t out_pitch, const integer** lines, const Tile* tile, Py_ssize_t outputs, Py_ssize_t inner,
    char* room, const Parameters* parameters,
) noexcept nogil:
    """Results of `tile.down` rows of windows."""
    cdef sorted_t finish = <sorted_t> parameters.order.finish
    cdef Py_ssize_t taps = tile.deep * tile.tall * tile.wide
    cdef Py_ssize_t lines_count = (tile.down + tile.tall - 1) * tile.deep
    cdef Py_ssize_t columns = outputs + tile.wide - 1, natural_width = parameters.order.width
    cdef Py_ssize_t lanes = divided_up(outputs, tile.across) * inner
    cdef Py_ssize_t first = 0, n, r, x, k
    cdef int32_t low = parameters.order.low[taps], high = parameters.order.high[taps]
    cdef const int16_t* result
    cdef integer* plane
    cdef char* target
    cdef Bench bench
    for r in range(lines_count):
        if parameters.order.keyed and holds_largest(lines[r], columns * inner):
            return False
    lay_out(&bench, room, tile, lanes, inner, sizeof(integer), natural_width)
    for r in range(lines_count):
        plane = <integer*> bench.planes + r * tile.across * bench.pitch
        split(plane, bench.pitch, lines[r], columns, tile.across, inner)
    while first < lanes:
        target = bench.registers
        for r in range(lines_count):
            plane = <integer*> bench.planes + r * tile.across * bench.pitch + first
            for x in range(tile.across + tile.wide - 1):
                memcpy(target, plane + x % tile.across * bench.pitch + x // tile.across * inner, SKPOOL_RUN)
                target = target + SKPOOL_RUN
        (<steps_t> tile.run)(tile.steps.steps, tile.steps.count, bench.registers)
        n = min(tile.lanes, lanes - first)
        result = tile.steps.ranks
        for k in range(tile.down * tile.across):
            bench.ranked[taps - 1] = bench.registers + result[0] * SKPOOL_RUN      # no NaN
            bench.ranked[high] = bench.registers + result[1] * SKPOOL_RUN
            bench.ranked[low] = bench.registers + result[0] * SKPOOL_RUN
            finish(
                bench.results + (k * bench.pitch + first) * natural_width, bench.ranked, taps, NULL, n, parameters,
            )
            result = result + 2
        first = first + tile.lanes
    for r in range(tile.down):
        weave_any(
            out + r * out_pitch, bench.results + r * tile.across * bench.pitch * natural_width, bench.pitch, outputs,
            tile.across, inner, natural_width,
        )
    return True


# --- the tables

cdef void add(dict finishes, str dtype, const integer* example, size_t steps):
    finishes["tiles", dtype] = <size_t> sort_tiles[integer]
    finishes["tile steps", dtype] = steps


def tables():
    """No kernels, and addresses of functions by their names and types."""
    finishes = {}
    add(finishes, "uint8", <const uint8_t*> NULL, <size_t> skpool_steps_uint8_t)
    add(finishes, "int8", <const int8_t*> NULL, <size_t> skpool_steps_int8_t)
    add(finishes, "uint16", <const uint16_t*> NULL, <size_t> skpool_steps_uint16_t)
    add(finishes, "int16", <const int16_t*> NULL, <size_t> skpool_steps_int16_t)
    add(finishes, "uint32", <const uint32_t*> NULL, <size_t> skpool_steps_uint32_t)
    add(finishes, "int32", <const int32_t*> NULL, <size_t> skpool_steps_int32_t)
    add(finishes, "uint64", <const uint64_t*> NULL, <size_t> skpool_steps_uint64_t)
    add(finishes, "int64", <const int64_t*> NULL, <size_t> skpool_steps_int64_t)
    return {}, finishes


def room(tile, Py_ssize_t registers, Py_ssize_t inner, Py_ssize_t width, Py_ssize_t natural_width):
    """Bytes of scratch for samples of `width` bytes, bytes more for each element of a row, and lanes."""
    cdef Bench bench
    cdef Tile shape
    memset(&shape, 0, sizeof(Tile))
    shape.deep, shape.tall, shape.wide, shape.down, shape.across = tile
    shape.steps.registers = registers
    return (
        lay_out(&bench, NULL, &shape, inner + ALIGNMENT, inner, width, natural_width),
        (shape.down + shape.tall - 1) * shape.deep * width + shape.down * natural_width,
        SKPOOL_RUN // width,
    )
