"""Row functions of maximum, minimum, their indices, and the range.

Design: a comparison keeps NaN by two selects; written as one condition, ``a >= b or a != a``, GCC threads the tests of
nested comparisons into branches and vectorises none of them. Ordered integer keys are as fast, but cost a pass over
each row. Which extremum is meant is a
type (`Largest`, `Smallest`), so that each function is written once and compiled without a flag in its loop.
"""
from libc.string cimport memcpy
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.bytes cimport SKPOOL_HAS_RGB, SKPOOL_LARGEST, SKPOOL_SMALLEST, skpool_quads_grey, skpool_quads_rgb
from skpool.kernels.columns cimport (
    COLUMNS_WIDTH, parts_columns, skpool_even_columns, skpool_odd_columns, skpool_order, skpool_take_columns,
)
from skpool.kernels.pixels cimport highest_of, lowest_of, pixel, real, two_bytes
from skpool.kernels.table cimport (
    Kernel, Parameters, empty_kernel, fold_t, gather_t, identity_t, kept, merge_t, pair_t,
)

cdef extern from "<math.h>" nogil:
    const float NAN
    bint isunordered(double a, double b)                   # a macro: its arguments keep their type

cdef struct Largest:
    char unused

cdef struct Smallest:
    char unused

# Stands where other reductions have their `Parameters`; never read.
ctypedef fused extremum:
    Largest
    Smallest


cdef inline pixel pick(const extremum* which, pixel a, pixel b) noexcept nogil:
    cdef pixel best
    if extremum is Largest:
        best = a if a > b else b
    else:
        best = a if a < b else b
    if pixel in real:
        return a if a != a else best
    else:
        return best


cdef inline pixel better(const extremum* which, pixel a, pixel b) noexcept nogil:
    """As `pick` where neither is NaN."""
    if extremum is Largest:
        return a if a > b else b
    else:
        return a if a < b else b


cdef inline pixel pick_of_three(const extremum* which, pixel a, pixel b, pixel c) noexcept nogil:
    """As twice `pick`; NaN is looked for by pairs, and selected once."""
    cdef pixel best = better(which, better(which, a, b), c)
    cdef bint lost
    if pixel in real:
        lost = isunordered(a, b) | isunordered(c, c)
        return NAN if lost else best
    else:
        return best


cdef inline pixel pick_of_four(const extremum* which, pixel a, pixel b, pixel c, pixel d) noexcept nogil:
    cdef pixel best = better(which, better(which, a, b), better(which, c, d))
    cdef bint lost
    if pixel in real:
        lost = isunordered(a, b) | isunordered(c, d)
        return NAN if lost else best
    else:
        return best


cdef inline pixel pick_of_eight(
    const extremum* which, pixel a, pixel b, pixel c, pixel d, pixel e, pixel f, pixel g, pixel h,
) noexcept nogil:
    cdef pixel best = better(
        which,
        better(which, better(which, a, b), better(which, c, d)),
        better(which, better(which, e, f), better(which, g, h)),
    )
    cdef bint lost
    if pixel in real:
        lost = (isunordered(a, b) | isunordered(c, d)) | (isunordered(e, f) | isunordered(g, h))
        return NAN if lost else best
    else:
        return best


cdef inline pixel neutral(const extremum* which, pixel example) noexcept nogil:
    """The value that never wins."""
    return lowest_of(example) if extremum is Largest else highest_of(example)


cdef void gather(
    pixel* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const extremum* which,
) noexcept nogil:
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[1] if count > 1 else a
    cdef const pixel* c = rows[2] if count > 2 else a
    cdef const pixel* d = rows[3] if count > 3 else a
    cdef const pixel* e
    cdef const pixel* f
    cdef const pixel* g
    cdef const pixel* h
    cdef Py_ssize_t i
    if count == 1:
        memcpy(state, a, n * sizeof(pixel))
    elif count == 2:
        for i in range(n):
            state[i] = pick(which, a[i], b[i])
    elif count == 3:
        for i in range(n):
            state[i] = pick_of_three(which, a[i], b[i], c[i])
    elif count == 4:
        for i in range(n):
            state[i] = pick_of_four(which, a[i], b[i], c[i], d[i])
    else:
        e = rows[4]
        f = rows[5]
        g = rows[6]
        h = rows[7]
        for i in range(n):
            state[i] = pick_of_eight(which, a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i])


cdef void merge(
    pixel* state, const pixel* earlier, const pixel* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const extremum* which,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = pick(which, earlier[i], later[i])


cdef void fold(pixel* state, const pixel* later, Py_ssize_t n, Py_ssize_t pitch, const extremum* which) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = pick(which, state[i], later[i])


cdef void pair(
    pixel* state, const pixel* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const extremum* which,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = pick(which, source[2 * i], source[2 * i + 1])


cdef void triple(
    pixel* state, const pixel* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const extremum* which,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        state[i] = pick_of_three(which, source[2 * i], source[2 * i + 1], source[2 * i + 2])


cdef inline int kind_of(const extremum* which) noexcept nogil:
    return SKPOOL_LARGEST if extremum is Largest else SKPOOL_SMALLEST


cdef void quad(
    pixel* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, const extremum* which,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint16_t above, under
    if pixel is uint8_t:
        if shift == 1:
            # The rest: two neighbours in a lane of both: the extremum of lanes has that of their high bytes on top, so
            # no shuffle is needed to part even from odd columns.
            for i in range(skpool_quads_grey(kind_of(which), out, upper, lower, n), n):
                above = two_bytes(upper + 2 * i)
                under = two_bytes(lower + 2 * i)
                out[i] = <uint8_t> pick(
                    which, <uint16_t> (pick(which, above, under) >> 8),
                    pick(which, <uint16_t> (above & 0xff), <uint16_t> (under & 0xff)),
                )
            return
    if shift == 1:
        for i in range(n):
            out[i] = pick_of_four(which, upper[2 * i], lower[2 * i], upper[2 * i + 1], lower[2 * i + 1])
    else:
        for i in range(n):
            out[i] = pick_of_four(which, upper[i], lower[i], upper[i + shift], lower[i + shift])


cdef void quad_rgb(
    uint8_t* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n, Py_ssize_t shift, const extremum* which,
) noexcept nogil:
    """Of columns of three bytes, picked in the same pass."""
    cdef Py_ssize_t i, c
    for i in range(skpool_quads_rgb(kind_of(which), out, upper, lower, n), n, 3):
        for c in range(i, i + 3):
            out[c] = pick(
                which, pick(which, upper[i + c], lower[i + c]), pick(which, upper[i + c + 3], lower[i + c + 3]),
            )


cdef void quad_columns(
    pixel* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, const extremum* which,
) noexcept nogil:
    """Of columns of `shift` elements, picked in the same pass."""
    cdef Py_ssize_t size = shift * sizeof(pixel), lanes = COLUMNS_WIDTH // sizeof(pixel), i = 0, e
    cdef skpool_order even = skpool_even_columns(size), odd = skpool_odd_columns(size)
    cdef pixel a[COLUMNS_WIDTH]
    cdef pixel b[COLUMNS_WIDTH]
    cdef pixel c[COLUMNS_WIDTH]
    cdef pixel d[COLUMNS_WIDTH]
    while i + lanes + shift <= n:
        skpool_take_columns(a, upper + 2 * i, even)
        skpool_take_columns(b, lower + 2 * i, even)
        skpool_take_columns(c, upper + 2 * i, odd)
        skpool_take_columns(d, lower + 2 * i, odd)
        for e in range(lanes):
            out[i + e] = pick_of_four(which, a[e], b[e], c[e], d[e])
        i = i + lanes - lanes % shift
    while i < n:
        for e in range(i, i + shift):
            out[e] = pick_of_four(which, upper[i + e], lower[i + e], upper[i + e + shift], lower[i + e + shift])
        i = i + shift


cdef void identity(pixel* state, Py_ssize_t n, Py_ssize_t pitch, const extremum* which) noexcept nogil:
    cdef Py_ssize_t i
    cdef pixel value = neutral(which, <pixel> 0)
    for i in range(n):
        state[i] = value


cdef Kernel extremum_kernel(const extremum* which, const pixel* example) noexcept:
    cdef Kernel kernel = empty_kernel(sizeof(pixel), 1, 8)
    kernel.repeats = True
    kernel.gather = kernel.join = <gather_t> gather[pixel, extremum]
    kernel.merge = <merge_t> merge[pixel, extremum]
    kernel.fold = <fold_t> fold[pixel, extremum]
    kernel.pair = <pair_t> pair[pixel, extremum]
    kernel.triple = <pair_t> triple[pixel, extremum]
    kernel.identity = <identity_t> identity[pixel, extremum]
    return kernel


# --- with indices: plane 0 is the value, plane 1 the place in the window (row-major, in as many bits); no sample yet
# is the value that never wins at the place `nowhere`, so that any sample comes before it.

ctypedef fused place:
    int8_t
    int16_t
    int32_t
    int64_t


cdef inline place nowhere(place example) noexcept nogil:
    # Half of the largest number: shifts may still be added.
    return (<place> 1) << (8 * sizeof(place) - 2)


cdef inline bint beats(const extremum* which, pixel b, pixel a) noexcept nogil:
    """Whether `b` replaces `a` wherever it lies: larger (or smaller), or the first NaN."""
    if extremum is Largest:
        if pixel in real:
            return (b > a) | ((b != b) & (a == a))
        else:
            return b > a
    else:
        if pixel in real:
            return (b < a) | ((b != b) & (a == a))
        else:
            return b < a


cdef inline bint ties(pixel b, pixel a) noexcept nogil:
    if pixel in real:
        return (b == a) | ((b != b) & (a != a))
    else:
        return b == a


cdef inline pixel first_best(const extremum* which, pixel a, pixel b) noexcept nogil:
    """As `pick`, and `a` where both are equal: of zeros, either may be negative."""
    cdef pixel best
    if extremum is Largest:
        best = a if a >= b else b
    else:
        best = a if a <= b else b
    if pixel in real:
        return a if a != a else best
    else:
        return best


# Of floats, who won is told from the value: from the comparison itself, gcc makes branches.
cdef inline void challenge(
    const extremum* which, pixel* best, place* where, pixel sample, place here,
) noexcept nogil:
    """What comes later in the window replaces what it beats."""
    cdef pixel winner = first_best(which, best[0], sample)
    if pixel in real:
        where[0] = where[0] if (best[0] == winner) | (best[0] != best[0]) else here
    else:
        where[0] = where[0] if best[0] == winner else here
    best[0] = winner


cdef void gather_all_indexed(
    pixel* state, const pixel** rows, const int64_t* order, Py_ssize_t count, Py_ssize_t n, Py_ssize_t pitch,
    const extremum* which, place example,
) noexcept nogil:
    """Of 1 to 4 rows, or 8, in their order; a row that comes twice changes nothing."""
    cdef place* places = <place*> (state + pitch)
    cdef Py_ssize_t second = 1 if count > 1 else 0, third = 2 if count > 2 else 0, fourth = 3 if count > 3 else 0
    cdef Py_ssize_t i, more = 4 if count > 4 else 0
    cdef const pixel* a = rows[0]
    cdef const pixel* b = rows[second]
    cdef const pixel* c = rows[third]
    cdef const pixel* d = rows[fourth]
    cdef const pixel* e = rows[more]
    cdef const pixel* f
    cdef const pixel* g
    cdef const pixel* h
    cdef place at_a = <place> order[0], at_b = <place> order[second], at_c = <place> order[third]
    cdef place at_d = <place> order[fourth], at_e = <place> order[more], at_f, at_g, at_h, where
    cdef pixel best
    if count <= 3:                                         # loops of their own, or gcc makes branches of floats
        for i in range(n):
            best, where = a[i], at_a
            challenge(which, &best, &where, b[i], at_b)
            challenge(which, &best, &where, c[i], at_c)
            state[i], places[i] = best, where
        return
    if count == 4:
        for i in range(n):
            best, where = a[i], at_a
            challenge(which, &best, &where, b[i], at_b)
            challenge(which, &best, &where, c[i], at_c)
            challenge(which, &best, &where, d[i], at_d)
            state[i], places[i] = best, where
        return
    f, g, h = rows[5], rows[6], rows[7]
    at_f, at_g, at_h = <place> order[5], <place> order[6], <place> order[7]
    for i in range(n):
        best, where = a[i], at_a
        challenge(which, &best, &where, b[i], at_b)
        challenge(which, &best, &where, c[i], at_c)
        challenge(which, &best, &where, d[i], at_d)
        challenge(which, &best, &where, e[i], at_e)
        challenge(which, &best, &where, f[i], at_f)
        challenge(which, &best, &where, g[i], at_g)
        challenge(which, &best, &where, h[i], at_h)
        state[i], places[i] = best, where


cdef void gather_indexed(
    pixel* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const extremum* which, place example,
) noexcept nogil:
    cdef place* places = <place*> (state + pitch)
    cdef const pixel* row
    cdef const uint8_t* counts
    cdef place here, at, where, first, none = nowhere(<place> 0)
    cdef pixel sample, best, worst = neutral(which, <pixel> 0)
    cdef Py_ssize_t i, r
    if count > 0 and valid[0] == NULL:                     # all samples of all rows count
        gather_all_indexed(state, rows, order, count, n, pitch, which, example)
        return
    for i in range(n):
        state[i] = worst
        places[i] = none
    for r in range(count):
        row = rows[r]
        counts = valid[r]
        here = <place> order[r]
        for i in range(n):
            sample, best, where = row[i], state[i], places[i]      # read in any case, or gcc branches
            sample = sample if counts[i] else worst
            at = here if counts[i] else none
            first = at if at < where else where
            challenge(which, &best, &where, sample, at)
            places[i] = first if sample == state[i] else where     # the value that never wins may have counted
            state[i] = best


cdef void gather_places(
    pixel* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const extremum* which,
) noexcept nogil:
    if sizeof(pixel) == 1:
        gather_indexed(state, rows, valid, order, count, n, pitch, which, <int8_t> 0)
    elif sizeof(pixel) == 2:
        gather_indexed(state, rows, valid, order, count, n, pitch, which, <int16_t> 0)
    elif sizeof(pixel) == 4:
        gather_indexed(state, rows, valid, order, count, n, pitch, which, <int32_t> 0)
    else:
        gather_indexed(state, rows, valid, order, count, n, pitch, which, <int64_t> 0)


cdef void merge_indexed(
    pixel* state, const pixel* earlier, const pixel* later, Py_ssize_t n, Py_ssize_t pitch,
    Py_ssize_t shift, const extremum* which, place example,
) noexcept nogil:
    cdef place* places = <place*> (state + pitch)
    cdef const place* before = <const place*> (earlier + pitch)
    cdef const place* after = <const place*> (later + pitch)
    cdef place moved, columns = <place> shift
    cdef bint better
    cdef Py_ssize_t i
    for i in range(n):
        moved = after[i] + columns
        better = beats(which, later[i], earlier[i]) | (ties(later[i], earlier[i]) & (moved < before[i]))
        state[i] = later[i] if better else earlier[i]
        places[i] = moved if better else before[i]


cdef void merge_places(
    pixel* state, const pixel* earlier, const pixel* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const extremum* which,
) noexcept nogil:
    if sizeof(pixel) == 1:
        merge_indexed(state, earlier, later, n, pitch, shift, which, <int8_t> 0)
    elif sizeof(pixel) == 2:
        merge_indexed(state, earlier, later, n, pitch, shift, which, <int16_t> 0)
    elif sizeof(pixel) == 4:
        merge_indexed(state, earlier, later, n, pitch, shift, which, <int32_t> 0)
    else:
        merge_indexed(state, earlier, later, n, pitch, shift, which, <int64_t> 0)


cdef void pair_indexed(
    pixel* state, const pixel* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const extremum* which,
    place example,
) noexcept nogil:
    cdef place* places = <place*> (state + pitch)
    cdef const place* sources = <const place*> (source + pitch)
    cdef place moved, columns = <place> shift
    cdef bint better
    cdef Py_ssize_t i
    for i in range(n):
        moved = sources[2 * i + 1] + columns
        better = beats(which, source[2 * i + 1], source[2 * i]) | (
            ties(source[2 * i + 1], source[2 * i]) & (moved < sources[2 * i])
        )
        state[i] = source[2 * i + 1] if better else source[2 * i]
        places[i] = moved if better else sources[2 * i]


cdef void pair_places(
    pixel* state, const pixel* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const extremum* which,
) noexcept nogil:
    if sizeof(pixel) == 1:
        pair_indexed(state, source, n, pitch, shift, which, <int8_t> 0)
    elif sizeof(pixel) == 2:
        pair_indexed(state, source, n, pitch, shift, which, <int16_t> 0)
    elif sizeof(pixel) == 4:
        pair_indexed(state, source, n, pitch, shift, which, <int32_t> 0)
    else:
        pair_indexed(state, source, n, pitch, shift, which, <int64_t> 0)


cdef void fold_places(
    pixel* state, const pixel* later, Py_ssize_t n, Py_ssize_t pitch, const extremum* which,
) noexcept nogil:
    merge_places(state, state, later, n, pitch, 0, which)


cdef void identity_places(pixel* state, Py_ssize_t n, Py_ssize_t pitch, const extremum* which) noexcept nogil:
    gather_places(state, NULL, NULL, NULL, 0, n, pitch, which)


cdef inline bint evenly_spaced(const int64_t* indices, Py_ssize_t columns, Py_ssize_t rows) noexcept nogil:
    """Whether all rows of a window are there, as far apart as the first two, and few enough for `finish_indexed`."""
    cdef int64_t down = indices[columns] - indices[0] if rows > 1 else 0
    cdef Py_ssize_t row
    if rows * columns * columns > 0xffff:
        return False
    for row in range(rows):
        if indices[row * columns] < 0 or indices[row * columns] != indices[0] + row * down:
            return False
    return True


cdef inline void finish_indexed(
    int64_t* out, const place* places, const int64_t* indices, Py_ssize_t columns, Py_ssize_t rows, int64_t first,
    int64_t hop, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int64_t index, right, turn
    cdef uint32_t where, row, inverse
    cdef bint exists
    if indices == NULL:
        for i in range(n):
            out[i] = places[i] if places[i] < nowhere(<place> 0) else -1
    elif evenly_spaced(indices, columns, rows):
        # The row is the place over the columns: by their inverse in 16 bits, as exact as places are few. Lookups would
        # be one by one.
        inverse = <uint32_t> (0xffff // columns + 1)
        right = indices[1] - indices[0] if columns > 1 else 0
        turn = indices[columns] - indices[0] - columns * right if rows > 1 else 0
        first = first + indices[0]
        for i in range(n):
            where = <uint32_t> places[i]
            row = (where * inverse) >> 16
            index = first + hop * i + where * right + row * turn
            out[i] = index if places[i] < nowhere(<place> 0) else -1
    else:
        for i in range(n):
            exists = places[i] < nowhere(<place> 0)
            index = indices[places[i] if exists else 0] + first + hop * i
            out[i] = index if exists and index >= 0 else -1


cdef void finish_places(
    int64_t* out, const pixel* state, const int64_t* indices, Py_ssize_t columns, Py_ssize_t rows, int64_t first,
    int64_t hop, Py_ssize_t n, Py_ssize_t pitch,
) noexcept nogil:
    if sizeof(pixel) == 1:
        finish_indexed(out, <const int8_t*> (state + pitch), indices, columns, rows, first, hop, n)
    elif sizeof(pixel) == 2:
        finish_indexed(out, <const int16_t*> (state + pitch), indices, columns, rows, first, hop, n)
    elif sizeof(pixel) == 4:
        finish_indexed(out, <const int32_t*> (state + pitch), indices, columns, rows, first, hop, n)
    else:
        finish_indexed(out, <const int64_t*> (state + pitch), indices, columns, rows, first, hop, n)


cdef inline void pick_indexed(
    pixel* out, int64_t* places, pixel a, pixel b, pixel c, pixel d, int64_t first, int64_t right, int64_t down,
    const extremum* which, place example,
) noexcept nogil:
    """Of four samples in row-major order; `first` is the index of `a`, the next is `right`, the row below `down` on."""
    cdef pixel best = a
    cdef place number = 0
    challenge(which, &best, &number, b, 1)
    challenge(which, &best, &number, c, 2)
    challenge(which, &best, &number, d, 3)
    out[0] = best
    # All bits or none: of conditions, gcc makes branches where types are of several widths.
    places[0] = first + (-<int64_t> (number >> 1) & down) + (-<int64_t> (number & 1) & right)


cdef inline void quad_indexed(
    pixel* out, int64_t* places, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, int64_t first,
    int64_t down, const extremum* which, place example,
) noexcept nogil:
    cdef Py_ssize_t i
    if shift == 1:
        for i in range(n):
            pick_indexed(
                out + i, places + i, upper[2 * i], upper[2 * i + 1], lower[2 * i], lower[2 * i + 1], first + 2 * i, 1,
                down, which, example,
            )
    else:
        for i in range(n):
            pick_indexed(
                out + i, places + i, upper[i], upper[i + shift], lower[i], lower[i + shift], first + i, shift, down,
                which, example,
            )


cdef void quad_places(
    pixel* out, int64_t* places, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, int64_t first,
    int64_t down, const extremum* which,
) noexcept nogil:
    if sizeof(pixel) == 1:
        quad_indexed(out, places, upper, lower, n, shift, first, down, which, <int8_t> 0)
    elif sizeof(pixel) == 2:
        quad_indexed(out, places, upper, lower, n, shift, first, down, which, <int16_t> 0)
    elif sizeof(pixel) == 4:
        quad_indexed(out, places, upper, lower, n, shift, first, down, which, <int32_t> 0)
    else:
        quad_indexed(out, places, upper, lower, n, shift, first, down, which, <int64_t> 0)


cdef Kernel places_kernel(const extremum* which, const pixel* example) noexcept:
    cdef Kernel kernel = empty_kernel(sizeof(pixel), 2, 8)
    kernel.weighs_validity = True
    kernel.repeats = True
    kernel.gather = <gather_t> gather_places[pixel, extremum]
    kernel.merge = <merge_t> merge_places[pixel, extremum]
    kernel.fold = <fold_t> fold_places[pixel, extremum]
    kernel.pair = <pair_t> pair_places[pixel, extremum]
    kernel.identity = <identity_t> identity_places[pixel, extremum]
    return kernel


# --- range: plane 0 is the maximum, plane 1 the minimum

cdef void gather_range(
    pixel* state, const pixel** rows, const uint8_t** valid, const int64_t* order, Py_ssize_t count,
    Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t r, i
    cdef pixel* low = state + pitch
    cdef pixel worst_high = neutral(<const Largest*> NULL, <pixel> 0)
    cdef pixel worst_low = neutral(<const Smallest*> NULL, <pixel> 0)
    cdef pixel sample
    cdef const pixel* row
    cdef const uint8_t* counts
    if count > 0 and valid[0] == NULL:                     # all rows are valid, or none is known to be
        gather(state, rows, valid, order, count, n, pitch, <const Largest*> NULL)
        gather(low, rows, valid, order, count, n, pitch, <const Smallest*> NULL)
        return
    for i in range(n):
        state[i] = worst_high
        low[i] = worst_low
    for r in range(count):
        row = rows[r]
        counts = valid[r]
        for i in range(n):
            sample = row[i]                                # read in any case, or gcc branches
            state[i] = pick(<const Largest*> NULL, state[i], sample if counts[i] else worst_high)
            low[i] = pick(<const Smallest*> NULL, low[i], sample if counts[i] else worst_low)


cdef void merge_range(
    pixel* state, const pixel* earlier, const pixel* later, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift,
    const Parameters* parameters,
) noexcept nogil:
    merge(state, earlier, later, n, pitch, shift, <const Largest*> NULL)
    merge(state + pitch, earlier + pitch, later + pitch, n, pitch, shift, <const Smallest*> NULL)


cdef void fold_range(
    pixel* state, const pixel* later, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters,
) noexcept nogil:
    fold(state, later, n, pitch, <const Largest*> NULL)
    fold(state + pitch, later + pitch, n, pitch, <const Smallest*> NULL)


cdef void pair_range(
    pixel* state, const pixel* source, Py_ssize_t n, Py_ssize_t pitch, Py_ssize_t shift, const Parameters* parameters,
) noexcept nogil:
    pair(state, source, n, pitch, shift, <const Largest*> NULL)
    pair(state + pitch, source + pitch, n, pitch, shift, <const Smallest*> NULL)


cdef void identity_range(pixel* state, Py_ssize_t n, Py_ssize_t pitch, const Parameters* parameters) noexcept nogil:
    identity(state, n, pitch, <const Largest*> NULL)
    identity(state + pitch, n, pitch, <const Smallest*> NULL)


cdef void finish_range(
    pixel* out, const pixel* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    """The difference in as many bits: of signed numbers it is right as an unsigned one."""
    cdef const pixel* low = state + pitch
    cdef Py_ssize_t i
    for i in range(n):
        if pixel in real:
            out[i] = state[i] - low[i]
        else:
            out[i] = <pixel> (<uint64_t> state[i] - <uint64_t> low[i])


cdef inline pixel range_of_four(pixel a, pixel b, pixel c, pixel d) noexcept nogil:
    cdef pixel high = pick_of_four(<const Largest*> NULL, a, b, c, d)
    cdef pixel low = pick_of_four(<const Smallest*> NULL, a, b, c, d)
    if pixel in real:
        return high - low
    else:
        return <pixel> (<uint64_t> high - <uint64_t> low)


cdef void quad_range(
    pixel* out, const pixel* upper, const pixel* lower, Py_ssize_t n, Py_ssize_t shift, Parameters* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    if shift == 1:
        for i in range(n):
            out[i] = range_of_four(upper[2 * i], lower[2 * i], upper[2 * i + 1], lower[2 * i + 1])
    else:
        for i in range(n):
            out[i] = range_of_four(upper[i], lower[i], upper[i + shift], lower[i + shift])


cdef void finish_range_wide(
    double* out, const real* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    Parameters* parameters,
) noexcept nogil:
    """The difference of floats before it is rounded to their type."""
    cdef const real* low = state + pitch
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = <double> state[i] - <double> low[i]


cdef Kernel range_kernel(const pixel* example) noexcept:
    cdef Kernel kernel = empty_kernel(sizeof(pixel), 2, 8)
    kernel.weighs_validity = True
    kernel.repeats = True
    kernel.gather = <gather_t> gather_range[pixel]
    kernel.merge = <merge_t> merge_range[pixel]
    kernel.fold = <fold_t> fold_range[pixel]
    kernel.pair = <pair_t> pair_range[pixel]
    kernel.identity = <identity_t> identity_range[pixel]
    return kernel


# --- the tables

cdef void add_pixel(dict kernels, dict finishes, str dtype, const pixel* example):
    kernels["max", dtype] = kept(extremum_kernel(<const Largest*> NULL, example))
    kernels["min", dtype] = kept(extremum_kernel(<const Smallest*> NULL, example))
    kernels["range", dtype] = kept(range_kernel(example))
    if pixel is not double:
        finishes["range", dtype, dtype] = <size_t> finish_range[pixel]
    if pixel in real:
        finishes["range", dtype, "float64"] = <size_t> finish_range_wide[pixel]
    finishes["quad", "range", dtype, dtype if pixel in real else f"u{dtype.lstrip('u')}"] = <size_t> quad_range[pixel]
    kernels["argmax", dtype] = kept(places_kernel(<const Largest*> NULL, example))
    kernels["argmin", dtype] = kept(places_kernel(<const Smallest*> NULL, example))
    finishes["places", dtype] = <size_t> finish_places[pixel]
    finishes["quad", "argmax", dtype, dtype] = <size_t> quad_places[pixel, Largest]
    finishes["quad", "argmin", dtype, dtype] = <size_t> quad_places[pixel, Smallest]
    finishes["quad", "max", dtype, dtype] = <size_t> quad[pixel, Largest]
    finishes["quad", "min", dtype, dtype] = <size_t> quad[pixel, Smallest]
    for channels in (3, 4):
        if parts_columns(channels * sizeof(pixel)):
            finishes["quad", "max", dtype, dtype, channels] = <size_t> quad_columns[pixel, Largest]
            finishes["quad", "min", dtype, dtype, channels] = <size_t> quad_columns[pixel, Smallest]


def tables():
    """Addresses of kernels and finishes, by (name, dtype of the rows)."""
    kernels, finishes = {}, {}
    add_pixel(kernels, finishes, "uint8", <const uint8_t*> NULL)
    add_pixel(kernels, finishes, "int8", <const int8_t*> NULL)
    add_pixel(kernels, finishes, "uint16", <const uint16_t*> NULL)
    add_pixel(kernels, finishes, "int16", <const int16_t*> NULL)
    add_pixel(kernels, finishes, "uint32", <const uint32_t*> NULL)
    add_pixel(kernels, finishes, "int32", <const int32_t*> NULL)
    add_pixel(kernels, finishes, "uint64", <const uint64_t*> NULL)
    add_pixel(kernels, finishes, "int64", <const int64_t*> NULL)
    add_pixel(kernels, finishes, "float32", <const float*> NULL)
    add_pixel(kernels, finishes, "float64", <const double*> NULL)
    if SKPOOL_HAS_RGB:
        finishes["quad", "max", "uint8", "uint8", 3] = <size_t> quad_rgb[Largest]
        finishes["quad", "min", "uint8", "uint8", 3] = <size_t> quad_rgb[Smallest]
    return kernels, finishes
