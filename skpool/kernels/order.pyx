"""Row functions of order statistics and labels: windows by their samples one by one, sorted.

Design: the samples of each tap are a row, so sorting means to exchange rows, comparator by comparator of a sorting
network, and every step is a loop over whole rows that vectorises. Such a network sorts 9 samples in 25 steps, 225 in
about 3900; from there on each element's samples are sorted by themselves, digit by digit. What has been sorted serves
every reduction alike: a rank, a mean between two ranks, runs of equal values.

Samples are integers. Floats come as keys, integers in the same order, NaN the largest; samples that do not count
become the largest integer too, and a count tells how many are left.
"""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from skpool.kernels.pixels cimport real
from skpool.kernels.table cimport Order, Parameters, sorted_t

cdef enum:
    ROOM = 32768            # bytes of rows that are sorted together
    ALIGNMENT = 64
    FEW = 64                # samples that are compared pair by pair

ctypedef fused ordered:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    uint64_t
    int64_t


cdef inline ordered largest(ordered example) noexcept nogil:
    if ordered is int8_t or ordered is int16_t or ordered is int32_t or ordered is int64_t:
        return <ordered> ((<uint64_t> 1 << (8 * sizeof(ordered) - 1)) - 1)
    else:
        return <ordered> -1


cdef inline double value_of(ordered sample, bint keyed) noexcept nogil:
    """The number that a sample or key stands for."""
    cdef float single
    cdef double number
    cdef int32_t bits
    cdef int64_t long_bits
    if ordered is int32_t:
        if keyed:
            bits = sample ^ ((sample >> 31) & <int32_t> 0x7fffffff)
            memcpy(&single, &bits, 4)
            return single
    elif ordered is int64_t:
        if keyed:
            long_bits = sample ^ ((sample >> 63) & <int64_t> 0x7fffffffffffffff)
            memcpy(&number, &long_bits, 8)
            return number
    return <double> sample


cdef inline ordered bits_of(ordered sample, bint keyed) noexcept nogil:
    """A sample, or the bits of the float that a key stands for."""
    if ordered is int32_t:
        if keyed:
            return sample ^ ((sample >> 31) & <int32_t> 0x7fffffff)
    elif ordered is int64_t:
        if keyed:
            return sample ^ ((sample >> 63) & <int64_t> 0x7fffffffffffffff)
    return sample


cdef inline double half_of_sum(ordered a, ordered b, bint keyed) noexcept nogil:
    """The mean of two samples, rounded once."""
    cdef ordered whole, half
    if ordered is int64_t or ordered is uint64_t:
        if not keyed:
            whole = (a & b) + ((a ^ b) >> 1)
            half = (a ^ b) & 1
            if ordered is int64_t:
                if -(<int64_t> 1 << 61) <= whole and whole < (<int64_t> 1 << 61):
                    return <double> (2 * whole + half) * 0.5
            elif whole < <uint64_t> 1 << 62:
                return <double> (2 * whole + half) * 0.5
            return <double> (whole | half)                 # rounds to multiples of 512: a half tells on which side
    return (value_of(a, keyed) + value_of(b, keyed)) * 0.5


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

cdef void exchange(ordered* a, ordered* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef ordered x, y
    for i in range(n):
        x = a[i]
        y = b[i]
        a[i] = x if x < y else y
        b[i] = y if x < y else x


cdef void keep_lower(ordered* a, const ordered* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef ordered x, y
    for i in range(n):
        x = a[i]
        y = b[i]
        a[i] = x if x < y else y


cdef void keep_higher(const ordered* a, ordered* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef ordered x, y
    for i in range(n):
        x = a[i]
        y = b[i]
        b[i] = x if x > y else y


cdef inline void run_network(
    ordered* rows, Py_ssize_t pitch, const int16_t* network, Py_ssize_t comparators, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t k
    cdef ordered* a
    cdef ordered* b
    for k in range(comparators):
        a = rows + network[3 * k] * pitch
        b = rows + network[3 * k + 1] * pitch
        if network[3 * k + 2] == 0:
            exchange(a, b, n)
        elif network[3 * k + 2] == 1:
            keep_lower(a, b, n)
        else:
            keep_higher(a, b, n)


cdef inline uint64_t digit_of(ordered sample, int place) noexcept nogil:
    cdef uint64_t digit = (<uint64_t> sample >> (8 * place)) & 255
    if ordered is int8_t or ordered is int16_t or ordered is int32_t or ordered is int64_t:
        if place == <int> sizeof(ordered) - 1:
            digit = digit ^ 128
    return digit


cdef void sort_by_digits(ordered* samples, ordered* other, Py_ssize_t n) noexcept nogil:
    """From the lowest digit on; places that all samples have in common are passed over."""
    cdef Py_ssize_t starts[256]
    cdef Py_ssize_t i, d, start, size
    cdef int place
    cdef uint64_t digit
    cdef ordered* source = samples
    cdef ordered* target = other
    cdef ordered* swap
    for place in range(<int> sizeof(ordered)):
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
        memcpy(samples, source, n * sizeof(ordered))


# --- samples of a piece of a row

cdef void take(ordered* row, const ordered* source, const uint8_t* valid, Py_ssize_t n) noexcept nogil:
    """A row of samples, the largest integer where they do not count."""
    cdef Py_ssize_t i
    cdef ordered absent = largest(<ordered> 0)
    cdef ordered sample
    if valid == NULL:
        memcpy(row, source, n * sizeof(ordered))
        return
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


cdef void count_present(int32_t* counts, const ordered* row, Py_ssize_t n) noexcept nogil:
    """Those that are not the largest integer: NaN among keys."""
    cdef Py_ssize_t i
    cdef ordered absent = largest(<ordered> 0)
    for i in range(n):
        counts[i] = counts[i] + (row[i] != absent)


cdef struct Piece:
    # Where in the scratch the samples of a piece are, and how many of each element count.
    char* rows
    char* other
    int32_t* counts
    Py_ssize_t pitch
    Py_ssize_t first
    Py_ssize_t n


cdef inline Piece laid_out(void* room, Py_ssize_t taps, Py_ssize_t n, Py_ssize_t width, bint by_itself) noexcept nogil:
    """Rows of as many elements as ROOM holds; of one element, where each is sorted by itself."""
    cdef Piece piece
    cdef Py_ssize_t most = ROOM // (taps * width) // ALIGNMENT * ALIGNMENT
    piece.pitch = 1 if by_itself else min(max(most, ALIGNMENT), (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT)
    piece.counts = <int32_t*> room
    piece.rows = <char*> room + (piece.pitch * 4 + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    piece.other = piece.rows + (piece.pitch * taps * width + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    piece.first = 0
    piece.n = min(piece.pitch, n)
    return piece


cdef inline void fill(
    Piece* piece, const ordered** samples, const uint8_t** valid, Py_ssize_t taps, bint omits, bint counted,
) noexcept nogil:
    """Copy the samples of a piece, and count them."""
    cdef ordered* row = <ordered*> piece.rows
    cdef const uint8_t* own
    cdef Py_ssize_t t
    if counted:
        memset(piece.counts, 0, piece.n * sizeof(int32_t))
    for t in range(taps):
        own = NULL
        if valid != NULL and valid[t] != NULL:
            own = valid[t] + piece.first
        take(row + t * piece.pitch, samples[t] + piece.first, own, piece.n)
        if omits:
            count_present(piece.counts, row + t * piece.pitch, piece.n)
        elif counted:
            count_valid(piece.counts, own, piece.n)


cdef inline void report(double* counts, const Piece* piece) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(piece.n):
        counts[piece.first + i] = <double> piece.counts[i]


cdef void sort(
    char* out, double* counts, const ordered** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """Sort the samples of each window, and finish them."""
    cdef const Order* order = &parameters.order
    cdef sorted_t finish = <sorted_t> order.finish
    cdef bint counted = counts != NULL
    cdef Piece piece = laid_out(room, taps, n, sizeof(ordered), order.comparators == 0)
    while piece.first < n:
        piece.n = min(piece.pitch, n - piece.first)
        fill(&piece, samples, valid, taps, order.omits, counted)
        if order.comparators == 0:
            sort_by_digits(<ordered*> piece.rows, <ordered*> piece.other, taps)
        elif counted:
            run_network(<ordered*> piece.rows, piece.pitch, order.network, order.comparators, piece.n)
        else:
            run_network(<ordered*> piece.rows, piece.pitch, order.whole_network, order.whole_comparators, piece.n)
        finish(
            out + piece.first * order.width, piece.rows, piece.pitch, taps, piece.counts if counted else NULL, piece.n,
            parameters,
        )
        if counted:
            report(counts, &piece)
        piece.first = piece.first + piece.n


# --- what is made of sorted samples

cdef inline double between(double low, double high, double weight) noexcept nogil:
    """As `np.percentile` interpolates; two infinities of one sign are one."""
    if low == high:
        return low
    if weight < 0.5:
        return low + (high - low) * weight
    return high - (high - low) * (1 - weight)


cdef void quantile(
    real* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    cdef const Order* order = &parameters.order
    cdef bint keyed = order.keyed
    cdef ordered absent = largest(<ordered> 0)
    cdef const ordered* low
    cdef const ordered* high
    cdef const ordered* last
    cdef double weight
    cdef Py_ssize_t i
    cdef int32_t count
    if counts == NULL:
        low = ranked + order.low[taps] * pitch
        high = ranked + order.high[taps] * pitch
        last = ranked + (taps - 1) * pitch if keyed else low
        weight = order.weight[taps]
        if weight == 0.5:
            for i in range(n):
                out[i] = <real> half_of_sum(low[i], high[i], keyed)
        elif low == high:
            for i in range(n):
                out[i] = <real> value_of(low[i], keyed)
        else:
            for i in range(n):
                out[i] = <real> between(value_of(low[i], keyed), value_of(high[i], keyed), weight)
        if keyed:
            for i in range(n):
                out[i] = <real> value_of(absent, keyed) if last[i] == absent else out[i]
        return
    for i in range(n):
        count = max(counts[i], 1)
        low = ranked + order.low[count] * pitch
        high = ranked + order.high[count] * pitch
        weight = order.weight[count]
        last = ranked + (count - 1) * pitch
        if keyed and last[i] == absent:
            low = high = last
        if weight == 0.5:
            out[i] = <real> half_of_sum(low[i], high[i], keyed)
        else:
            out[i] = <real> between(value_of(low[i], keyed), value_of(high[i], keyed), weight)


cdef void whole_quantile(
    ordered* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """A quantile that is one of the samples, or halfway between two integers, to the even one."""
    cdef const Order* order = &parameters.order
    cdef bint keyed = order.keyed
    cdef ordered absent = largest(<ordered> 0)
    cdef ordered whole, half
    cdef const ordered* low
    cdef const ordered* high
    cdef const ordered* last
    cdef Py_ssize_t i
    cdef int32_t count = <int32_t> taps
    for i in range(n):
        if counts != NULL:
            count = max(counts[i], 1)
        low = ranked + order.low[count] * pitch
        high = ranked + order.high[count] * pitch
        last = ranked + (count - 1) * pitch
        if keyed and last[i] == absent:
            low = high = last
        whole = <ordered> ((low[i] & high[i]) + ((low[i] ^ high[i]) >> 1))
        half = (low[i] ^ high[i]) & 1
        out[i] = bits_of(<ordered> (whole + (half & whole & 1)), keyed)


cdef void mean_between(
    double* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The mean of the samples from one rank to before another."""
    cdef const Order* order = &parameters.order
    cdef bint keyed = order.keyed
    cdef ordered absent = largest(<ordered> 0)
    cdef const ordered* row
    cdef double total
    cdef Py_ssize_t i, rank
    cdef int32_t count
    if counts == NULL:
        for i in range(n):
            out[i] = 0
        for rank in range(order.low[taps], order.high[taps]):
            row = ranked + rank * pitch
            for i in range(n):
                out[i] = out[i] + value_of(row[i], keyed)
        total = <double> (order.high[taps] - order.low[taps])
        row = ranked + (taps - 1) * pitch
        for i in range(n):
            out[i] = out[i] / total
        if keyed:
            for i in range(n):
                out[i] = value_of(absent, keyed) if row[i] == absent else out[i]
        return
    for i in range(n):
        count = max(counts[i], 1)
        total = 0
        for rank in range(order.low[count], order.high[count]):
            total = total + value_of(ranked[rank * pitch + i], keyed)
        out[i] = total / <double> (order.high[count] - order.low[count])
        if keyed and ranked[(count - 1) * pitch + i] == absent:
            out[i] = value_of(absent, keyed)


cdef void weighted_ranks(
    double* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The sum of the highest samples by the weights of their ranks, from the highest down."""
    cdef const Order* order = &parameters.order
    cdef bint keyed = order.keyed
    cdef ordered absent = largest(<ordered> 0)
    cdef const ordered* row
    cdef double total
    cdef Py_ssize_t i, rank
    cdef int32_t count
    if counts == NULL:
        for i in range(n):
            out[i] = 0
        for rank in range(order.high[taps]):
            row = ranked + (taps - 1 - rank) * pitch
            for i in range(n):
                out[i] = out[i] + order.weight[rank + 1] * value_of(row[i], keyed)
        row = ranked + (taps - 1) * pitch
        if keyed:
            for i in range(n):
                out[i] = value_of(absent, keyed) if row[i] == absent else out[i]
        return
    for i in range(n):
        count = max(counts[i], 1)
        total = 0
        for rank in range(order.high[count]):
            total = total + order.weight[rank + 1] * value_of(ranked[(count - 1 - rank) * pitch + i], keyed)
        out[i] = total
        if keyed and ranked[(count - 1) * pitch + i] == absent:
            out[i] = value_of(absent, keyed)


cdef void longest_run(
    ordered* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters, const bint last_of_ties,
) noexcept nogil:
    """The value that most samples have; a run of equal ones counts its samples, a run of the background none."""
    cdef const Order* order = &parameters.order
    cdef bint keyed = order.keyed
    cdef bint apart = order.has_value
    cdef ordered absent = largest(<ordered> 0)
    cdef ordered background = 0
    cdef ordered best[64]
    cdef ordered run[64]             # lengths, in the type of the samples: loops of one width vectorise best
    cdef ordered longest[64]
    cdef ordered sample, length
    cdef const ordered* row
    cdef const ordered* before
    cdef Py_ssize_t i, first, m, t
    if apart:
        memcpy(&background, order.value, sizeof(ordered))
    for first in range(0, n, 64):
        m = min(<Py_ssize_t> 64, n - first)
        row = ranked + first
        for i in range(m):
            best[i] = row[i]
            run[i] = 1
            longest[i] = 0 if apart and row[i] == background else 1
        for t in range(1, taps):
            before = row
            row = row + pitch
            for i in range(m):
                sample = row[i]
                length = <ordered> (run[i] + 1)
                length = length if sample == before[i] else 1
                run[i] = length
                if counts != NULL:
                    length = length if t < counts[first + i] else 0
                if apart:
                    length = 0 if sample == background else length
                if last_of_ties:
                    best[i] = sample if length >= longest[i] and length > 0 else best[i]
                else:
                    best[i] = sample if length > longest[i] else best[i]
                longest[i] = length if length > longest[i] else longest[i]
        for i in range(m):
            sample = best[i]
            if keyed:
                t = (counts[first + i] if counts != NULL else taps) - 1
                if ranked[max(t, <Py_ssize_t> 0) * pitch + first + i] == absent:
                    sample = absent
            out[first + i] = bits_of(sample, keyed)


cdef void mode_of_many(
    ordered* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters, const bint last_of_ties,
) noexcept nogil:
    """As `longest_run`, element by element: for runs whose lengths outgrow the type of the samples."""
    cdef const Order* order = &parameters.order
    cdef ordered background = 0
    cdef ordered best, sample
    cdef Py_ssize_t i, t, count, run, longest
    if order.has_value:
        memcpy(&background, order.value, sizeof(ordered))
    for i in range(n):
        count = counts[i] if counts != NULL else taps
        best = ranked[i]
        longest = run = 0
        for t in range(count):
            sample = ranked[t * pitch + i]
            run = run + 1 if t and sample == ranked[(t - 1) * pitch + i] else 1
            if order.has_value and sample == background:
                continue
            if run > longest or (last_of_ties and run == longest):
                longest = run
                best = sample
        if order.keyed and count and ranked[(count - 1) * pitch + i] == largest(<ordered> 0):
            best = largest(<ordered> 0)
        out[i] = bits_of(best, order.keyed)


cdef void mode(
    ordered* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The most frequent value, of several the smallest."""
    if taps < 127:
        longest_run(out, ranked, pitch, taps, counts, n, parameters, False)
    else:
        mode_of_many(out, ranked, pitch, taps, counts, n, parameters, False)


cdef void last_mode(
    ordered* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    """The most frequent value, of several the largest."""
    if taps < 127:
        longest_run(out, ranked, pitch, taps, counts, n, parameters, True)
    else:
        mode_of_many(out, ranked, pitch, taps, counts, n, parameters, True)


cdef void distinct(
    int64_t* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
    const Parameters* parameters,
) noexcept nogil:
    cdef int32_t found[64]
    cdef const ordered* row
    cdef const ordered* before
    cdef Py_ssize_t i, first, m
    cdef int32_t t
    for first in range(0, n, 64):
        m = min(<Py_ssize_t> 64, n - first)
        row = ranked + first
        for i in range(m):
            found[i] = 1
        for t in range(1, <int32_t> taps):
            before = row
            row = row + pitch
            if counts == NULL:
                for i in range(m):
                    found[i] = found[i] + (row[i] != before[i])
            else:
                for i in range(m):
                    found[i] = found[i] + ((row[i] != before[i]) & (t < counts[first + i]))
        for i in range(m):
            out[first + i] = found[i]


cdef void entropy(
    double* out, const ordered* ranked, Py_ssize_t pitch, Py_ssize_t taps, const int32_t* counts, Py_ssize_t n,
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
            if ranked[t * pitch + i] == ranked[(t - 1) * pitch + i]:
                run = run + 1
            else:
                total = total + table[run]
                run = 1
        total = total + table[run]
        total = (table[count] - total) / <double> count
        out[i] = total if total > 0 else 0


# --- the most frequent value, of several the one that comes first: nothing is sorted

cdef inline void compare_pairs(ordered* out, const Piece* piece, Py_ssize_t taps, const Order* order) noexcept nogil:
    """Count the samples that each equals."""
    cdef const ordered* rows = <const ordered*> piece.rows
    cdef ordered equal[64]
    cdef ordered most[64]
    cdef ordered best[64]
    cdef ordered background = 0
    cdef ordered sample
    cdef const ordered* row
    cdef const ordered* other
    cdef Py_ssize_t first, i, t, u, m
    if order.has_value:
        memcpy(&background, order.value, sizeof(ordered))
    for first in range(0, piece.n, 64):
        m = min(<Py_ssize_t> 64, piece.n - first)
        for i in range(m):
            most[i] = 0
            best[i] = background
        for t in range(taps):
            row = rows + t * piece.pitch + first
            for i in range(m):
                equal[i] = 0
            for u in range(taps):
                other = rows + u * piece.pitch + first
                for i in range(m):
                    equal[i] = <ordered> (equal[i] + (other[i] == row[i]))
            if order.has_value:
                for i in range(m):
                    equal[i] = 0 if row[i] == background else equal[i]
            for i in range(m):
                sample = row[i]
                best[i] = sample if equal[i] > most[i] else best[i]
                most[i] = equal[i] if equal[i] > most[i] else most[i]
        memcpy(out + first, best, m * sizeof(ordered))


cdef void first_by_pairs(
    ordered* out, double* counts, const ordered** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """By comparing each sample with every other."""
    cdef Piece piece = laid_out(room, taps, n, sizeof(ordered), False)
    while piece.first < n:
        piece.n = min(piece.pitch, n - piece.first)
        fill(&piece, samples, valid, taps, False, False)
        compare_pairs(out + piece.first, &piece, taps, &parameters.order)
        piece.first = piece.first + piece.n


cdef inline ordered first_of(
    const ordered** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t i, ordered* ranked, ordered* other,
    Py_ssize_t* count, const Order* order,
) noexcept nogil:
    """The first of the samples of one element whose value is as frequent as any."""
    cdef Py_ssize_t t, n = 0, run = 0, longest = 0, start, stop, middle
    cdef ordered background = 0
    cdef ordered absent = largest(<ordered> 0)
    cdef ordered sample
    if order.has_value:
        memcpy(&background, order.value, sizeof(ordered))
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
    ordered* out, double* counts, const ordered** samples, const uint8_t** valid, Py_ssize_t taps, Py_ssize_t n,
    void* room, const Parameters* parameters,
) noexcept nogil:
    """The most frequent value, of several the one whose sample comes first."""
    cdef const Order* order = &parameters.order
    cdef ordered* ranked = <ordered*> room
    cdef Py_ssize_t i, count
    if counts == NULL and taps <= FEW and not order.keyed:
        first_by_pairs(out, counts, samples, valid, taps, n, room, parameters)
        return
    for i in range(n):
        out[i] = bits_of(
            first_of(samples, valid, taps, i, ranked, ranked + taps, &count, order), order.keyed,
        )
        if counts != NULL:
            counts[i] = <double> count


# --- the tables

cdef void add_floats(dict finishes, str dtype, str result, const ordered* example, const real* number):
    finishes["sorted", "quantile", dtype, result] = <size_t> quantile[real, ordered]


cdef void add(dict finishes, str dtype, const ordered* example):
    finishes["lanes", "sort", dtype] = <size_t> sort[ordered]
    finishes["lanes", "first mode", dtype] = <size_t> first_mode[ordered]
    finishes["sorted", "quantile", dtype, "same"] = <size_t> whole_quantile[ordered]
    finishes["sorted", "mean", dtype, "float64"] = <size_t> mean_between[ordered]
    finishes["sorted", "weights", dtype, "float64"] = <size_t> weighted_ranks[ordered]
    finishes["sorted", "mode", dtype, "same"] = <size_t> mode[ordered]
    finishes["sorted", "last mode", dtype, "same"] = <size_t> last_mode[ordered]
    finishes["sorted", "nunique", dtype, "int64"] = <size_t> distinct[ordered]
    finishes["sorted", "entropy", dtype, "float64"] = <size_t> entropy[ordered]
    add_floats(finishes, dtype, "float64", example, <const double*> NULL)


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
    add_floats(finishes, "int32", "float32", <const int32_t*> NULL, <const float*> NULL)
    finishes["keys", "float32"] = <size_t> keys_of_floats
    finishes["keys", "float64"] = <size_t> keys_of_doubles
    return {}, finishes


def room(Py_ssize_t taps, Py_ssize_t width, bint by_itself):
    """Bytes of scratch for windows of so many samples of `width` bytes, sorted together or each by itself."""
    cdef Py_ssize_t together = 0 if by_itself else max(ROOM, taps * width * ALIGNMENT) + 4 * ROOM
    return together + 2 * taps * width + 4 * ALIGNMENT
