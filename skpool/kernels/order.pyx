"""Row functions of order statistics and labels: windows by their samples one by one, sorted.

Design: the samples of each tap are a row, so sorting means minima and maxima of rows, step by step of a program that
`skpool.backends.networks` makes, and every step is a loop over whole rows that vectorises. Such a program sorts 9
samples in 25 steps, 225 in about 3300; from there on each element's samples are sorted by themselves, digit by digit.
What has been sorted serves every reduction alike: a rank, a mean between two ranks, runs of equal values. Windows that
lie one column apart share their columns, which are sorted first.

Samples are integers. Floats come as keys, integers in the same order, NaN the largest; samples that do not count
become the largest integer too, and a count tells how many are left.
"""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from skpool.kernels.pixels cimport highest_of, integer, signed_integer
from skpool.kernels.ranks cimport bits_of, mix, mix_each, to_even, value_of
from skpool.kernels.shelf cimport ALIGNMENT, divided_up, padded
from skpool.kernels.table cimport MOST_IN_NETWORK, Order, Parameters, Steps, program_t, sorted_t

cdef extern from *:
    """
    struct skpool_compiled {
        const char *name;
        void *run;
    };
    #include "programs.h"
    static const Py_ssize_t skpool_programs_count = sizeof(skpool_programs) / sizeof(skpool_programs[0]);
    """
    # Programs that were compiled, see `skpool.kernels.programs`.
    struct Compiled "skpool_compiled":
        const char* name
        void* run
    const Compiled skpool_programs[]
    const Py_ssize_t skpool_programs_count

cdef enum:
    ROOM = 49152            # bytes of rows that are sorted together
    FEW = 64                # samples that are compared pair by pair, ranks that are picked row by row
    LANES = 64              # elements that stay in the first-level cache (steps of `range` must be written out)
    PICKED = 128            # elements for which ranks are picked together (likewise)
    MOST_BESIDE = 64        # registers and rows of a compiled program for windows side by side
    SHORT = 127             # samples from which lengths of runs outgrow the type of a byte

# --- floats as keys, where they lie

cdef void keys_of_floats(int32_t* row, Py_ssize_t n) noexcept nogil:
    """-0.0 is 0.0, and all NaN are one."""
    cdef Py_ssize_t i
    cdef int32_t bits, magnitude, mask = 0x7fffffff, infinite = 0x7f800000
    cdef float value
    for i in range(n):
        memcpy(&value, row + i, 4)
        value = value + <float> 0.0
        memcpy(&bits, &value, 4)
        magnitude = bits & mask
        bits = bits ^ ((bits >> 31) & mask)
        row[i] = mask if magnitude > infinite else bits


cdef void keys_of_doubles(int64_t* row, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef int64_t bits, magnitude, mask = 0x7fffffffffffffff, infinite = 0x7ff0000000000000
    cdef double value
    for i in range(n):
        memcpy(&value, row + i, 8)
        value = value + 0.0
        memcpy(&bits, &value, 8)
        magnitude = bits & mask
        bits = bits ^ ((bits >> 63) & mask)
        row[i] = mask if magnitude > infinite else bits


# --- sorting

cdef void exchange(integer* low, integer* high, const integer* a, const integer* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef integer x, y
    for i in range(n):
        x = a[i]
        y = b[i]
        low[i] = x if x < y else y
        high[i] = y if x < y else x


cdef void lower(integer* low, const integer* a, const integer* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef integer x, y
    for i in range(n):
        x = a[i]
        y = b[i]
        low[i] = x if x < y else y


cdef void higher(integer* high, const integer* a, const integer* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef integer x, y
    for i in range(n):
        x = a[i]
        y = b[i]
        high[i] = x if x > y else y


cdef inline void take_steps(const Steps* steps, integer** rows, Py_ssize_t n) noexcept nogil:
    """Run a program on rows: registers, then inputs."""
    if steps.compiled != NULL:
        (<program_t> steps.compiled)(<void**> rows, n)
        return
    cdef const int16_t* step = steps.steps
    cdef const int16_t* end = step + 4 * steps.count
    while step < end:
        if step[0] < 0:
            higher(rows[step[1]], rows[step[2]], rows[step[3]], n)
        elif step[1] < 0:
            lower(rows[step[0]], rows[step[2]], rows[step[3]], n)
        else:
            exchange(rows[step[0]], rows[step[1]], rows[step[2]], rows[step[3]], n)
        step = step + 4


cdef inline uint64_t digit_of(integer sample, int place) noexcept nogil:
    cdef uint64_t digit = (<uint64_t> sample >> (8 * place)) & 255
    if integer in signed_integer:
        if place == <int> sizeof(integer) - 1:
            digit = digit ^ 128
    return digit


cdef void sort_by_digits(integer* samples, integer* other, Py_ssize_t n) noexcept nogil:
    """From the lowest digit on; places that all samples have in common are passed over."""
    cdef Py_ssize_t starts[256]
    cdef Py_ssize_t i, d, start, size
    cdef int place
    cdef uint64_t digit
    cdef integer* source = samples
    cdef integer* target = other
    cdef integer* swap
    for place in range(<int> sizeof(integer)):
        memset(starts, 0, 256 * sizeof(Py_ssize_t))
        for i in range(n):
            starts[digit_of(source[i], place)] += 1
        if n and starts[digit_of(source[0], place)] == n:
            continue
        start = 0
        for d in range(256):
            size = starts[d]
            starts[d] = start
            start = start + size
        for i in range(n):
            digit = digit_of(source[i], place)
            target[starts[digit]] = source[i]
            starts[digit] += 1
        swap = source
        source = target
        target = swap
    if source != samples:
        memcpy(samples, source, n * sizeof(integer))


# --- which samples count

cdef void take(integer* row, const integer* source, const uint8_t* valid, Py_ssize_t n) noexcept nogil:
    """A row of samples, the largest integer where they do not count."""
    cdef Py_ssize_t i
    cdef integer absent = highest_of(<integer> 0)
    cdef integer sample
    for i in range(n):
        sample = source[i]
        row[i] = sample if valid[i] else absent


cdef void count_valid(int32_t* counts, const uint8_t* valid, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if valid == NULL:
        for i in range(n):
            counts[i] = counts[i] + 1
    else:
        for i in range(n):
            counts[i] = counts[i] + valid[i]


cdef void count_present(int32_t* counts, const integer* row, Py_ssize_t n) noexcept nogil:
    """Those that are not the largest integer: NaN among keys."""
    cdef Py_ssize_t i
    cdef integer absent = highest_of(<integer> 0)
    for i in range(n):
        counts[i] = counts[i] + (row[i] != absent)


cdef void add_counts(int32_t* counts, const int32_t* more, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        counts[i] = counts[i] + more[i]


cdef bint all_are(const int32_t* counts, int32_t count, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t differing = 0
    for i in range(n):
        differing = differing | (counts[i] ^ count)
    return differing == 0


# --- a piece of a row: as many elements as are sorted together

cdef struct Desk:
    # Where in the scratch things are. Rows of whole columns are longer than registers, by what windows share.
    Py_ssize_t pitch
    Py_ssize_t wide
    int32_t* counts
    int32_t* column_counts
    char* registers
    char* column_registers
    char* filled                    # samples of which some do not count


cdef inline Py_ssize_t longest_piece(const Order* order, Py_ssize_t width) noexcept nogil:
    """Elements of the longest piece: as many as have room for all rows that are sorted together."""
    cdef Py_ssize_t registers = max(order.any_count.registers, order.whole.registers)
    # Compiled programs leave most registers alone.
    cdef Py_ssize_t used = 2 if order.whole.compiled != NULL else registers + 1
    cdef Py_ssize_t halo = padded((order.columns - 1) * order.shift)
    return max((ROOM // width - order.down.registers * halo) // (used + order.down.registers), <Py_ssize_t> ALIGNMENT)


cdef Py_ssize_t lay_out(
    Desk* desk, char* room, const Order* order, Py_ssize_t taps, Py_ssize_t n, Py_ssize_t width,
) noexcept nogil:
    """Lay out the scratch for pieces of up to `n` elements; returns its bytes."""
    cdef Py_ssize_t halo = padded((order.columns - 1) * order.shift)
    cdef Py_ssize_t registers = max(order.any_count.registers, order.whole.registers)
    cdef Py_ssize_t inputs = order.rows if order.shares else taps
    cdef Py_ssize_t most = longest_piece(order, width)
    cdef Py_ssize_t pieces = divided_up(n, most)
    desk.pitch = padded(divided_up(n, max(pieces, <Py_ssize_t> 1)))
    desk.wide = desk.pitch + halo
    desk.counts = <int32_t*> room
    desk.column_counts = desk.counts + desk.pitch
    desk.registers = <char*> (desk.column_counts + desk.wide)
    desk.column_registers = desk.registers + registers * desk.pitch * width
    desk.filled = desk.column_registers + order.down.registers * desk.wide * width
    return desk.filled + inputs * desk.wide * width - room


cdef inline void fill(
    const integer** inputs, const Desk* desk, const integer** samples, const uint8_t** valid, Py_ssize_t taps,
    Py_ssize_t first, Py_ssize_t n, const Order* order, bint counted,
) noexcept nogil:
    """The rows to be sorted, each as it lies if all of it counts, and how many samples of each element count."""
    cdef Py_ssize_t rows = order.rows if order.shares else taps, r, t, c
    cdef Py_ssize_t columns = order.columns if order.shares else 1
    cdef Py_ssize_t reach = n + (columns - 1) * order.shift
    cdef int32_t* counts = desk.column_counts if columns > 1 else desk.counts
    cdef const uint8_t* own
    if counted:
        memset(counts, 0, reach * sizeof(int32_t))
    for r in range(rows):
        t = r * columns
        inputs[r] = samples[t] + first
        own = NULL
        if valid != NULL and valid[t] != NULL:
            own = valid[t] + first
            take(<integer*> desk.filled + r * desk.wide, inputs[r], own, reach)
            inputs[r] = <const integer*> desk.filled + r * desk.wide
        if order.omits:
            count_present(counts, inputs[r], reach)
        elif counted:
            count_valid(counts, own, reach)
    if counted and columns > 1:
        memset(desk.counts, 0, n * sizeof(int32_t))
        for c in range(columns):
            add_counts(desk.counts, counts + c * order.shift, n)


cdef inline void report(double* reported, const int32_t* counts, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        reported[i] = <double> counts[i]


cdef inline void sort_piece(
    const integer** ranked, const Desk* desk, const integer** inputs, Py_ssize_t taps, Py_ssize_t n,
    const Order* order, const Steps* steps, integer* result,
) noexcept nogil:
    """Sort the samples of each element: where the row of each rank is; at `result`, if given, the only one wanted."""
    cdef int16_t rank
    cdef integer* rows[2 * MOST_IN_NETWORK + 64]
    cdef Py_ssize_t r, c
    if order.shares:
        for r in range(order.down.registers):
            rows[r] = <integer*> desk.column_registers + r * desk.wide
        for r in range(order.rows):
            rows[order.down.registers + r] = <integer*> inputs[r]
        take_steps(&order.down, rows, n + (order.columns - 1) * order.shift)
        for r in range(order.rows):
            ranked[r] = rows[order.down.ranks[r]]
        for r in range(order.rows):
            for c in range(order.columns):
                rows[steps.registers + r * order.columns + c] = <integer*> ranked[r] + c * order.shift
    else:
        for r in range(taps):
            rows[steps.registers + r] = <integer*> inputs[r]
    for r in range(steps.registers):
        rows[r] = <integer*> desk.registers + r * desk.pitch
    rank = steps.ranks[order.low[taps]] if result != NULL else 0
    if result != NULL and rank < steps.registers:
        rows[rank] = result
    take_steps(steps, rows, n)
    for r in range(taps):
        ranked[r] = rows[max(steps.ranks[r], <int16_t> 0)]


cdef void sort(
    char* out, double* counts, const integer** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """Sort the samples of each window, many windows at once, and finish them."""
    cdef const Order* order = &parameters.order
    cdef sorted_t finish = <sorted_t> order.finish
    cdef const integer* inputs[MOST_IN_NETWORK]
    cdef const integer* ranked[MOST_IN_NETWORK]
    cdef Desk desk
    cdef Py_ssize_t first = 0, m
    cdef bint whole = True
    lay_out(&desk, <char*> room, order, taps, n, sizeof(integer))
    while first < n:
        m = min(desk.pitch, n - first)
        fill(inputs, &desk, samples, valid, taps, first, m, order, counts != NULL)
        if counts != NULL:
            whole = all_are(desk.counts, <int32_t> taps, m)
            report(counts + first, desk.counts, m)
        sort_piece(
            ranked, &desk, inputs, taps, m, order, &order.whole if whole else &order.any_count,
            <integer*> out + first if whole and order.chooses else NULL,
        )
        finish(out + first * order.width, <const void**> ranked, taps, NULL if whole else desk.counts, m, parameters)
        first = first + m


cdef void sort_beside(
    char* out, const integer** lines, Py_ssize_t n, void* room, const Parameters* parameters,
) noexcept nogil:
    """As `sort`, windows side by side."""
    cdef const Order* order = &parameters.order
    cdef const Steps* steps = &order.beside
    cdef sorted_t finish = <sorted_t> order.finish
    cdef Py_ssize_t taps = order.rows * order.columns, first = 0, m, r
    cdef Py_ssize_t registers = 1 if order.beside_decides else steps.registers
    cdef Py_ssize_t piece = n
    cdef integer* rows[MOST_BESIDE]
    cdef const integer* ranked[MOST_BESIDE]
    if not order.beside_decides:                           # whole vectors, or all that follow lie across cache lines
        piece = ROOM // (registers + 1) // ALIGNMENT * ALIGNMENT // sizeof(integer)
    while first < n:
        m = min(piece, n - first)
        for r in range(order.rows):
            rows[registers + r] = <integer*> lines[r] + first * order.columns
        for r in range(registers):
            rows[r] = <integer*> room + r * piece
        if order.beside_decides or order.chooses:          # a sample is the result
            rows[steps.ranks[order.low[taps]] if order.chooses else 0] = <integer*> out + first
        (<program_t> steps.compiled)(<void**> rows, m)
        if not order.beside_decides:
            for r in range(taps):
                ranked[r] = rows[max(steps.ranks[r], <int16_t> 0)]
            finish(out + first * order.width, <const void**> ranked, taps, NULL, m, parameters)
        first = first + m


cdef void sort_each(
    char* out, double* counts, const integer** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """As `sort`, each window by itself: for those of many samples."""
    cdef const Order* order = &parameters.order
    cdef sorted_t finish = <sorted_t> order.finish
    cdef const integer** ranked = <const integer**> room
    cdef integer* own = <integer*> (ranked + taps)
    cdef integer absent = highest_of(<integer> 0)
    cdef Py_ssize_t i, t
    cdef int32_t count
    for t in range(taps):
        ranked[t] = own + t
    for i in range(n):
        count = 0
        for t in range(taps):
            if valid != NULL and valid[t] != NULL and not valid[t][i]:
                continue
            if order.omits and samples[t][i] == absent:
                continue
            own[count] = samples[t][i]
            count = count + 1
        for t in range(count, taps):
            own[t] = absent
        sort_by_digits(own, own + taps, count)
        finish(out + i * order.width, <const void**> ranked, taps, NULL if count == taps else &count, 1, parameters)
        if counts != NULL:
            counts[i] = <double> count


# --- what is made of sorted samples

cdef void pick(
    integer* chosen, const integer** ranked, const int32_t* ranks, Py_ssize_t taps, const int32_t* counts,
    Py_ssize_t first, Py_ssize_t n, int32_t least, int32_t most,
) noexcept nogil:
    """The samples of a run of elements, each at the rank that a table gives for its count, from `least` to `most`."""
    cdef const integer* row
    cdef integer sample
    cdef Py_ssize_t i
    cdef int32_t count
    if taps > FEW:
        for i in range(n):
            chosen[i] = ranked[ranks[max(counts[i], <int32_t> 1)]][first + i]
        return
    memcpy(chosen, ranked[ranks[least]] + first, n * sizeof(integer))
    for count in range(least + 1, most + 1):
        row = ranked[ranks[count]] + first
        if ranks[count] != ranks[count - 1]:
            for i in range(n):
                sample = row[i]                            # read in any case, or gcc branches
                chosen[i] = sample if counts[i] >= count else chosen[i]


cdef inline void find_range(const int32_t* counts, Py_ssize_t n, int32_t* least, int32_t* most) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t low = counts[0], high = counts[0]
    for i in range(n):
        low = counts[i] if counts[i] < low else low
        high = counts[i] if counts[i] > high else high
    least[0] = max(low, <int32_t> 1)
    most[0] = high


cdef inline void spoil(double* out, const integer* last, Py_ssize_t n) noexcept nogil:
    """NaN where the largest of the keys is."""
    cdef Py_ssize_t i
    cdef integer absent = highest_of(<integer> 0)
    cdef double nan = value_of(absent, True)
    for i in range(n):
        out[i] = nan if last[i] == absent else out[i]


cdef void quantile(
    double* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    cdef const Order* order = &parameters.order
    cdef integer low[PICKED]
    cdef integer high[PICKED]
    cdef integer last[PICKED]
    cdef int32_t least, most
    cdef Py_ssize_t first, m
    if counts == NULL:
        if order.keyed:
            mix(out, ranked[order.low[taps]], ranked[order.high[taps]], order.weight[taps], n, True)
            spoil(out, ranked[taps - 1], n)
        else:
            mix(out, ranked[order.low[taps]], ranked[order.high[taps]], order.weight[taps], n, False)
        return
    for first in range(0, n, 128):
        m = min(<Py_ssize_t> PICKED, n - first)
        find_range(counts + first, m, &least, &most)
        pick(low, ranked, order.low, taps, counts + first, first, m, least, most)
        pick(high, ranked, order.high, taps, counts + first, first, m, least, most)
        if order.halves and order.keyed:
            mix(out + first, <const integer*> low, <const integer*> high, 0.5, m, True)
        elif order.halves:
            mix(out + first, <const integer*> low, <const integer*> high, 0.5, m, False)
        elif order.keyed:
            mix_each(out + first, <const integer*> low, <const integer*> high, order.weight, counts + first, m, True)
        else:
            mix_each(out + first, <const integer*> low, <const integer*> high, order.weight, counts + first, m, False)
        if order.keyed and not order.omits:
            pick(last, ranked, order.last, taps, counts + first, first, m, least, most)
            spoil(out + first, <const integer*> last, m)


cdef inline void to_floats(integer* out, const integer* keys, const integer* last, Py_ssize_t n) noexcept nogil:
    """The bits of the floats that keys stand for; NaN where the largest key is."""
    cdef Py_ssize_t i
    cdef integer absent = highest_of(<integer> 0)
    cdef integer bits
    for i in range(n):
        bits = bits_of(keys[i], True)
        out[i] = absent if last[i] == absent else bits


cdef void whole_quantile(
    integer* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """A quantile that is one of the samples, or halfway between two integers."""
    cdef const Order* order = &parameters.order
    cdef integer low[PICKED]
    cdef integer high[PICKED]
    cdef integer last[PICKED]
    cdef const integer* lower_row
    cdef const integer* higher_row
    cdef int32_t least, most
    cdef Py_ssize_t first, m
    if counts == NULL:
        lower_row = ranked[order.low[taps]]
        higher_row = ranked[order.high[taps]]
        if order.keyed:
            to_floats(out, lower_row, ranked[taps - 1], n)
        elif lower_row == out:
            return
        elif lower_row == higher_row:
            memcpy(out, lower_row, n * sizeof(integer))
        else:
            to_even(out, lower_row, higher_row, n)
        return
    for first in range(0, n, 128):
        m = min(<Py_ssize_t> PICKED, n - first)
        find_range(counts + first, m, &least, &most)
        pick(low, ranked, order.low, taps, counts + first, first, m, least, most)
        if order.keyed:
            pick(last, ranked, order.low if order.omits else order.last, taps, counts + first, first, m, least, most)
            to_floats(out + first, <const integer*> low, <const integer*> last, m)
        else:
            pick(high, ranked, order.high, taps, counts + first, first, m, least, most)
            to_even(out + first, <const integer*> low, <const integer*> high, m)


cdef inline void add_weighted(
    double* total, const integer* row, double weight, Py_ssize_t n, const bint keyed,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        total[i] = total[i] + weight * value_of(row[i], keyed)


cdef void mean_between(
    double* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The mean of the samples from one rank to before another."""
    cdef const Order* order = &parameters.order
    cdef integer absent = highest_of(<integer> 0)
    cdef double total
    cdef Py_ssize_t i, rank
    cdef int32_t count
    if counts == NULL:
        for i in range(n):
            out[i] = 0
        for rank in range(order.low[taps], order.high[taps]):
            if order.keyed:
                add_weighted(out, ranked[rank], 1.0, n, True)
            else:
                add_weighted(out, ranked[rank], 1.0, n, False)
        total = <double> (order.high[taps] - order.low[taps])
        for i in range(n):
            out[i] = out[i] / total
        if order.keyed:
            spoil(out, ranked[taps - 1], n)
        return
    for i in range(n):
        count = max(counts[i], <int32_t> 1)
        total = 0
        for rank in range(order.low[count], order.high[count]):
            total = total + value_of(ranked[rank][i], order.keyed)
        out[i] = total / <double> (order.high[count] - order.low[count])
        if order.keyed and not order.omits and ranked[count - 1][i] == absent:
            out[i] = value_of(absent, True)


cdef void weighted_ranks(
    double* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The sum of the highest samples by the weights of their ranks, from the highest down."""
    cdef const Order* order = &parameters.order
    cdef integer absent = highest_of(<integer> 0)
    cdef double total
    cdef Py_ssize_t i, rank
    cdef int32_t count
    if counts == NULL:
        for i in range(n):
            out[i] = 0
        for rank in range(order.high[taps]):
            if order.keyed:
                add_weighted(out, ranked[taps - 1 - rank], order.weight[rank + 1], n, True)
            else:
                add_weighted(out, ranked[taps - 1 - rank], order.weight[rank + 1], n, False)
        if order.keyed:
            spoil(out, ranked[taps - 1], n)
        return
    for i in range(n):
        count = max(counts[i], <int32_t> 1)
        total = 0
        for rank in range(order.high[count]):
            total = total + order.weight[rank + 1] * value_of(ranked[count - 1 - rank][i], order.keyed)
        out[i] = total
        if order.keyed and not order.omits and ranked[count - 1][i] == absent:
            out[i] = value_of(absent, True)


cdef inline void longest_run(
    integer* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Order* order, const bint partial, const bint apart, const bint last_of_ties,
) noexcept nogil:
    """The value that most samples have: the longest run of equal ones.

    Lengths have the type of the samples, since loops of one width vectorise best. The last three arguments are
    constants of every call. A run of the background counts no samples if it is set `apart`.
    """
    cdef integer background = 0
    cdef integer best[LANES]
    cdef integer run[LANES]
    cdef integer longest[LANES]
    cdef integer present[LANES]
    cdef integer sample, length
    cdef const integer* row
    cdef const integer* before
    cdef Py_ssize_t i, first, m
    cdef integer t
    if apart:
        memcpy(&background, order.value, sizeof(integer))
    for first in range(0, n, 64):
        m = min(<Py_ssize_t> LANES, n - first)
        row = ranked[0] + first
        for i in range(m):
            best[i] = row[i]
            run[i] = 1
            longest[i] = 1
            if apart:
                longest[i] = 0 if row[i] == background else 1
            if partial:
                present[i] = <integer> counts[first + i]
        for t in range(1, <integer> taps):
            before = row
            row = ranked[t] + first
            for i in range(m):
                sample = row[i]
                length = <integer> (run[i] + 1)
                length = length if sample == before[i] else 1
                run[i] = length
                if partial:
                    length = length if t < present[i] else 0
                if apart:
                    length = 0 if sample == background else length
                if last_of_ties:
                    best[i] = sample if length >= longest[i] and length > 0 else best[i]
                else:
                    best[i] = sample if length > longest[i] else best[i]
                longest[i] = length if length > longest[i] else longest[i]
        memcpy(out + first, best, m * sizeof(integer))


cdef inline void mode_of_many(
    integer* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Order* order, const bint last_of_ties,
) noexcept nogil:
    """As `longest_run`, element by element."""
    cdef integer background = 0
    cdef integer best, sample
    cdef Py_ssize_t i, t, count, run, longest
    if order.has_value:
        memcpy(&background, order.value, sizeof(integer))
    for i in range(n):
        count = counts[i] if counts != NULL else taps
        best = ranked[0][i]
        longest = run = 0
        for t in range(count):
            sample = ranked[t][i]
            run = run + 1 if t and sample == ranked[t - 1][i] else 1
            if order.has_value and sample == background:
                continue
            if run > longest or (last_of_ties and run == longest):
                longest = run
                best = sample
        out[i] = best


cdef inline void mode_by(
    integer* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters, const bint last_of_ties,
) noexcept nogil:
    cdef const Order* order = &parameters.order
    cdef integer absent = highest_of(<integer> 0)
    cdef Py_ssize_t i, t
    if taps >= SHORT:
        mode_of_many(out, ranked, taps, counts, n, order, last_of_ties)
    elif counts != NULL and order.has_value:
        longest_run(out, ranked, taps, counts, n, order, True, True, last_of_ties)
    elif counts != NULL:
        longest_run(out, ranked, taps, counts, n, order, True, False, last_of_ties)
    elif order.has_value:
        longest_run(out, ranked, taps, counts, n, order, False, True, last_of_ties)
    else:
        longest_run(out, ranked, taps, counts, n, order, False, False, last_of_ties)
    if not order.keyed:
        return
    if counts == NULL:
        to_floats(out, <const integer*> out, ranked[taps - 1], n)
        return
    for i in range(n):
        t = max(counts[i], <int32_t> 1) - 1
        out[i] = absent if ranked[t][i] == absent else bits_of(out[i], True)


cdef void mode(
    integer* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The most frequent value, of several the smallest."""
    mode_by(out, ranked, taps, counts, n, parameters, False)


cdef void last_mode(
    integer* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The most frequent value, of several the largest."""
    mode_by(out, ranked, taps, counts, n, parameters, True)


cdef void distinct(
    int64_t* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    cdef int32_t found[LANES]
    cdef const integer* row
    cdef const integer* before
    cdef Py_ssize_t i, first, m
    cdef int32_t t
    for first in range(0, n, 64):
        m = min(<Py_ssize_t> LANES, n - first)
        row = ranked[0] + first
        for i in range(m):
            found[i] = 1
        for t in range(1, <int32_t> taps):
            before = row
            row = ranked[t] + first
            if counts == NULL:
                for i in range(m):
                    found[i] = found[i] + (row[i] != before[i])
            else:
                for i in range(m):
                    found[i] = found[i] + ((row[i] != before[i]) & (t < counts[first + i]))
        for i in range(m):
            out[first + i] = found[i]


cdef void entropy(
    double* out, const integer** ranked, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """log n - sum c log c / n over runs of c equal samples, by a table of c log c."""
    cdef const double* table = parameters.order.weight
    cdef double total
    cdef Py_ssize_t i, t, count, run
    for i in range(n):
        count = max(counts[i], <int32_t> 1) if counts != NULL else taps
        total = 0
        run = 1
        for t in range(1, count):
            if ranked[t][i] == ranked[t - 1][i]:
                run = run + 1
            else:
                total = total + table[run]
                run = 1
        total = total + table[run]
        total = (table[count] - total) / <double> count
        out[i] = total if total > 0 else 0


# --- the most frequent value, of several the one that comes first: nothing is sorted

cdef void first_by_pairs(
    integer* out, const integer** samples, Py_ssize_t taps, Py_ssize_t n, const Order* order,
) noexcept nogil:
    """Count the samples that each equals."""
    cdef integer equal[LANES]
    cdef integer most[LANES]
    cdef integer best[LANES]
    cdef integer background = 0
    cdef integer sample
    cdef const integer* row
    cdef const integer* other
    cdef Py_ssize_t first, i, t, u, m
    if order.has_value:
        memcpy(&background, order.value, sizeof(integer))
    for first in range(0, n, 64):
        m = min(<Py_ssize_t> LANES, n - first)
        for i in range(m):
            most[i] = 0
            best[i] = background
        for t in range(taps):
            row = samples[t] + first
            for i in range(m):
                equal[i] = 0
            for u in range(taps):
                other = samples[u] + first
                for i in range(m):
                    equal[i] = <integer> (equal[i] + (other[i] == row[i]))
            if order.has_value:
                for i in range(m):
                    equal[i] = 0 if row[i] == background else equal[i]
            for i in range(m):
                sample = row[i]
                best[i] = sample if equal[i] > most[i] else best[i]
                most[i] = equal[i] if equal[i] > most[i] else most[i]
        memcpy(out + first, best, m * sizeof(integer))


cdef inline integer first_of(
    const integer** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t i, integer* ranked, integer* other,
    Py_ssize_t* count, const Order* order,
) noexcept nogil:
    """The first of the samples of one element whose value is as frequent as any."""
    cdef Py_ssize_t t, n = 0, run = 0, longest = 0, start, stop, middle
    cdef integer background = 0
    cdef integer absent = highest_of(<integer> 0)
    cdef integer sample
    if order.has_value:
        memcpy(&background, order.value, sizeof(integer))
    for t in range(taps):
        if valid != NULL and valid[t] != NULL and not valid[t][i]:
            continue
        if order.omits and samples[t][i] == absent:
            continue
        ranked[n] = samples[t][i]
        n = n + 1
    count[0] = n
    if n == 0:
        return 0
    sort_by_digits(ranked, other, n)
    if order.keyed and ranked[n - 1] == absent:
        return absent
    for t in range(n):
        run = run + 1 if t and ranked[t] == ranked[t - 1] else 1
        if not (order.has_value and ranked[t] == background):
            longest = max(longest, run)
    if longest == 0:
        return background
    for t in range(taps):
        sample = samples[t][i]
        if (valid != NULL and valid[t] != NULL and not valid[t][i]) or (order.omits and sample == absent):
            continue
        if order.has_value and sample == background:
            continue
        start = 0                                          # the first place of the sample among the sorted
        stop = n
        while start < stop:
            middle = (start + stop) // 2
            if ranked[middle] < sample:
                start = middle + 1
            else:
                stop = middle
        if start + longest <= n and ranked[start + longest - 1] == sample:
            return sample
    return background


cdef void first_mode(
    integer* out, double* counts, const integer** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """The most frequent value, of several the one whose sample comes first."""
    cdef const Order* order = &parameters.order
    cdef integer* ranked = <integer*> room
    cdef Py_ssize_t i, count
    if counts == NULL and taps <= FEW and not order.keyed:
        first_by_pairs(out, samples, taps, n, order)
        return
    for i in range(n):
        out[i] = bits_of(
            first_of(samples, valid, taps, i, ranked, ranked + taps, &count, order), order.keyed,
        )
        if counts != NULL:
            counts[i] = <double> count


# --- the tables

cdef void add(dict finishes, str dtype, const integer* example):
    finishes["lanes", "sort", dtype] = <size_t> sort[integer]
    finishes["beside", dtype] = <size_t> sort_beside[integer]
    finishes["lanes", "sort each", dtype] = <size_t> sort_each[integer]
    finishes["lanes", "first mode", dtype] = <size_t> first_mode[integer]
    finishes["sorted", "quantile", dtype, "same"] = <size_t> whole_quantile[integer]
    finishes["sorted", "quantile", dtype, "float64"] = <size_t> quantile[integer]
    finishes["sorted", "mean", dtype, "float64"] = <size_t> mean_between[integer]
    finishes["sorted", "weights", dtype, "float64"] = <size_t> weighted_ranks[integer]
    finishes["sorted", "mode", dtype, "same"] = <size_t> mode[integer]
    finishes["sorted", "last mode", dtype, "same"] = <size_t> last_mode[integer]
    finishes["sorted", "nunique", dtype, "int64"] = <size_t> distinct[integer]
    finishes["sorted", "entropy", dtype, "float64"] = <size_t> entropy[integer]


def tables():
    """No kernels, and addresses of functions by their names and types."""
    finishes = {}
    add(finishes, "uint8", <const uint8_t*> NULL)
    add(finishes, "int8", <const int8_t*> NULL)
    add(finishes, "uint16", <const uint16_t*> NULL)
    add(finishes, "int16", <const int16_t*> NULL)
    add(finishes, "uint32", <const uint32_t*> NULL)
    add(finishes, "int32", <const int32_t*> NULL)
    add(finishes, "uint64", <const uint64_t*> NULL)
    add(finishes, "int64", <const int64_t*> NULL)
    finishes["keys", "float32"] = <size_t> keys_of_floats
    finishes["keys", "float64"] = <size_t> keys_of_doubles
    return {}, finishes


def room(Py_ssize_t taps, Py_ssize_t width, samples):
    """Bytes of scratch for windows of so many samples of `width` bytes, as `driver.Program` takes them."""
    cdef Order order
    cdef Desk desk
    order.shares, order.shift = samples["shares"], samples["shift"]
    order.rows, order.columns = samples["window"]
    order.down.registers, order.any_count.registers, order.whole.registers = (
        samples[name][1] for name in ("down", "any_count", "whole")
    )
    order.whole.compiled = <void*> <size_t> samples["whole"][3]
    return max(
        ROOM,
        lay_out(&desk, NULL, &order, taps, longest_piece(&order, width), width),
        taps * (2 * width + <Py_ssize_t> sizeof(void*)),
    )


def programs():
    """Addresses of compiled programs, by name."""
    return {
        skpool_programs[i].name.decode(): <size_t> skpool_programs[i].run for i in range(skpool_programs_count)
    }


def most_together():
    """The most samples that are sorted many windows at once."""
    return MOST_IN_NETWORK
