"""Row functions that know number types but no reduction: reading, writing, converting, masking, compacting."""
from libc.string cimport memcpy
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from skpool.kernels.bytes cimport skpool_second_columns_rgb
from skpool.kernels.columns cimport parts_columns, skpool_every_second
from skpool.kernels.pixels cimport highest_of, lowest_of, pixel, real, short_integer, word

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__GNUC__) && !defined(__clang__)
    typedef uint8_t skpool_bytes __attribute__((vector_size(16)));
    /* three of each six columns of three bytes: 18 source bytes become 9 (one byte shuffle from SSSE3 on) */
    static inline void skpool_every_second_rgb(uint8_t *out, const uint8_t *source) {
        const skpool_bytes taken = {0, 1, 2, 6, 7, 8, 12, 13, 14, 0, 0, 0, 0, 0, 0, 0};
        skpool_bytes columns;
        memcpy(&columns, source, 16);
        columns = __builtin_shuffle(columns, taken);
        memcpy(out, &columns, 16);
    }
    #else
    static inline void skpool_every_second_rgb(uint8_t *out, const uint8_t *source) {
        memcpy(out, source, 3); memcpy(out + 3, source + 6, 3); memcpy(out + 6, source + 12, 3);
    }
    #endif
    """
    void skpool_every_second_rgb(uint8_t* out, const uint8_t* source)


cdef inline word swapped(word value) noexcept nogil:
    cdef word result = 0
    cdef int i
    for i in range(<int> sizeof(word)):
        result = <word> ((result << 8) | ((value >> (8 * i)) & 0xff))
    return result


cdef inline float half_to_single(uint16_t half) noexcept nogil:
    """By exponent arithmetic: the product with 2**112 rebuilds the exponent and is exact, subnormals included."""
    cdef uint32_t magnitude = <uint32_t> (half & 0x7fff) << 13
    cdef uint32_t sign = <uint32_t> (half & 0x8000) << 16
    cdef uint32_t special = 0x7f800000 if (half & 0x7c00) == 0x7c00 else 0
    cdef float value
    cdef uint32_t bits
    memcpy(&value, &magnitude, 4)
    value = value * <float> 5.192296858534828e33
    memcpy(&bits, &value, 4)
    bits = bits | special | sign
    memcpy(&value, &bits, 4)
    return value


cdef inline uint16_t double_to_half(double value) noexcept nogil:
    """Rounded once, half to even."""
    cdef uint64_t bits, magnitude, sign, rest, kept_bits
    cdef int64_t exponent
    cdef int drop
    memcpy(&bits, &value, 8)
    sign = (bits >> 48) & 0x8000
    magnitude = bits & <uint64_t> 0x7fffffffffffffff
    if magnitude > <uint64_t> 0x7ff0000000000000:
        return <uint16_t> (sign | 0x7e00)
    exponent = <int64_t> (magnitude >> 52) - 1023
    if exponent > 15:
        return <uint16_t> (sign | 0x7c00)
    if exponent < -25:
        return <uint16_t> sign
    rest = (magnitude & <uint64_t> 0xfffffffffffff) | (<uint64_t> 1 << 52)
    drop = 42 if exponent >= -14 else <int> (42 + (-14 - exponent))
    kept_bits = rest >> drop
    rest = rest & ((<uint64_t> 1 << drop) - 1)
    if rest > (<uint64_t> 1 << (drop - 1)) or (rest == (<uint64_t> 1 << (drop - 1)) and kept_bits & 1):
        kept_bits = kept_bits + 1
    if exponent >= -14:                                    # a carry runs into the exponent, as it should
        kept_bits = kept_bits + (<uint64_t> (exponent + 14) << 10)
    return <uint16_t> (sign | kept_bits)


# --- reading rows

cdef inline bint lies_in_row(
    Py_ssize_t column_stride, Py_ssize_t inner, Py_ssize_t inner_stride, Py_ssize_t width,
) noexcept nogil:
    return column_stride == inner * width and (inner == 1 or inner_stride == width)


cdef void load(
    word* row, const char* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    cdef Py_ssize_t i, c
    if lies_in_row(column_stride, inner, inner_stride, sizeof(word)):
        memcpy(row, source, max(columns * inner, <Py_ssize_t> 0) * sizeof(word))
    elif inner == 1:
        for i in range(columns):
            memcpy(row + i, source + i * column_stride, sizeof(word))
    elif inner_stride == <Py_ssize_t> sizeof(word):
        for i in range(columns):
            memcpy(row + i * inner, source + i * column_stride, inner * sizeof(word))
    else:
        for i in range(columns):
            for c in range(inner):
                memcpy(row + i * inner + c, source + i * column_stride + c * inner_stride, sizeof(word))


cdef void load_swapped(
    word* row, const char* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    cdef Py_ssize_t i
    load(row, source, columns, column_stride, inner, inner_stride)
    for i in range(columns * inner):
        row[i] = swapped(row[i])


cdef inline void load_halves(
    float* row, const char* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride, bint swap,
) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef uint16_t half
    if lies_in_row(column_stride, inner, inner_stride, 2) and not swap:
        for i in range(columns * inner):
            memcpy(&half, source + 2 * i, 2)
            row[i] = half_to_single(half)
        return
    for i in range(columns):
        for c in range(inner):
            memcpy(&half, source + i * column_stride + c * inner_stride, 2)
            row[i * inner + c] = half_to_single(swapped(half) if swap else half)


cdef void load_half(
    float* row, const char* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    load_halves(row, source, columns, column_stride, inner, inner_stride, False)


cdef void load_half_swapped(
    float* row, const char* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    load_halves(row, source, columns, column_stride, inner, inner_stride, True)


cdef void load_widened(
    int32_t* row, const short_integer* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    cdef const char* begin = <const char*> source
    cdef Py_ssize_t i, c
    cdef short_integer value
    if lies_in_row(column_stride, inner, inner_stride, sizeof(short_integer)):
        for i in range(columns * inner):
            memcpy(&value, begin + i * sizeof(short_integer), sizeof(short_integer))
            row[i] = value
        return
    for i in range(columns):
        for c in range(inner):
            memcpy(&value, begin + i * column_stride + c * inner_stride, sizeof(short_integer))
            row[i * inner + c] = value


cdef void load_widened_swapped(
    int32_t* row, const short_integer* source, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    cdef Py_ssize_t i
    load_widened(row, source, columns, column_stride, inner, inner_stride)
    for i in range(columns * inner):
        row[i] = <short_integer> swapped(<uint16_t> row[i])


# --- writing rows

cdef void store(
    char* target, const word* row, Py_ssize_t columns, Py_ssize_t column_stride, Py_ssize_t inner,
    Py_ssize_t inner_stride,
) noexcept nogil:
    cdef Py_ssize_t i, c
    for i in range(columns):
        for c in range(inner):
            memcpy(target + i * column_stride + c * inner_stride, row + i * inner + c, sizeof(word))


# --- compacting

cdef inline Py_ssize_t compact_in_moves(
    char* row, const char* source, Py_ssize_t columns, Py_ssize_t stride, Py_ssize_t size, Py_ssize_t move,
) noexcept nogil:
    """Columns of `size` bytes by moves of `move` bytes, each overwritten by the next; the number it can do."""
    cdef Py_ssize_t j = 0, ahead = move // size            # columns that a move runs ahead
    cdef Py_ssize_t hop = stride * size
    while j + 3 + ahead < columns:                         # by fours: the loop costs more than a move
        memcpy(row + j * size, source + j * hop, move)
        memcpy(row + (j + 1) * size, source + (j + 1) * hop, move)
        memcpy(row + (j + 2) * size, source + (j + 2) * hop, move)
        memcpy(row + (j + 3) * size, source + (j + 3) * hop, move)
        j = j + 4
    while j + ahead < columns:
        memcpy(row + j * size, source + j * hop, move)
        j = j + 1
    return j


cdef void compact(
    word* row, const word* source, Py_ssize_t columns, Py_ssize_t stride, Py_ssize_t inner,
) noexcept nogil:
    cdef Py_ssize_t j = 0, size = inner * sizeof(word)
    cdef char* out = <char*> row
    cdef const char* begin = <const char*> source
    if inner == 1:
        if stride == 2:
            for j in range(columns):
                row[j] = source[2 * j]
        elif stride == 3:
            for j in range(columns):
                row[j] = source[3 * j]
        elif stride == 4:
            for j in range(columns):
                row[j] = source[4 * j]
        else:
            for j in range(columns):
                row[j] = source[j * stride]
        return
    if stride == 2 and parts_columns(size):
        j = skpool_every_second(out, begin, columns, size)
        out, begin, columns, j = out + j * size, begin + 2 * j * size, columns - j, 0
    # The usual columns by constants, which the compiler unrolls.
    if size == 3 and stride == 2:
        j = skpool_second_columns_rgb(<uint8_t*> out, <const uint8_t*> begin, columns)
        while j + 15 <= columns:
            skpool_every_second_rgb(<uint8_t*> out + 3 * j, <const uint8_t*> begin + 6 * j)
            skpool_every_second_rgb(<uint8_t*> out + 3 * j + 9, <const uint8_t*> begin + 6 * j + 18)
            skpool_every_second_rgb(<uint8_t*> out + 3 * j + 18, <const uint8_t*> begin + 6 * j + 36)
            skpool_every_second_rgb(<uint8_t*> out + 3 * j + 27, <const uint8_t*> begin + 6 * j + 54)
            j = j + 12
        while j + 6 <= columns:                            # writes 16 bytes, 9 of them for good
            skpool_every_second_rgb(<uint8_t*> out + 3 * j, <const uint8_t*> begin + 6 * j)
            j = j + 3
    elif size == 3:
        j = compact_in_moves(out, begin, columns, stride, 3, 4)
    elif size == 4:
        j = compact_in_moves(out, begin, columns, stride, 4, 4)
    elif size == 6:
        j = compact_in_moves(out, begin, columns, stride, 6, 8)
    elif size == 8:
        j = compact_in_moves(out, begin, columns, stride, 8, 8)
    elif size == 12:
        j = compact_in_moves(out, begin, columns, stride, 12, 16)
    elif size == 16:
        j = compact_in_moves(out, begin, columns, stride, 16, 16)
    elif size == 24:
        j = compact_in_moves(out, begin, columns, stride, 24, 32)
    while j < columns:
        memcpy(out + j * size, begin + j * stride * size, size)
        j = j + 1


cdef void pick(
    word* row, const word* source, const int64_t* places, Py_ssize_t columns, Py_ssize_t inner,
) noexcept nogil:
    cdef Py_ssize_t j, c
    if inner == 1:
        for j in range(columns):
            row[j] = source[places[j]]
        return
    for j in range(columns):
        for c in range(inner):
            row[j * inner + c] = source[places[j] + c]


# --- masks and empty windows

cdef void select(
    pixel* chosen, uint8_t* valid, const pixel* row, const uint8_t* mask, bint omit, Py_ssize_t n,
    const pixel* replacement,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef pixel sample, other = replacement[0]
    if mask == NULL:
        for i in range(n):
            valid[i] = 1
    else:
        for i in range(n):
            valid[i] = mask[i] != 0
    if pixel in real:
        if omit:
            for i in range(n):
                valid[i] = valid[i] & (row[i] == row[i])
    for i in range(n):
        sample = row[i]                                    # read in any case, or gcc branches
        chosen[i] = sample if valid[i] else other


cdef void blank(word* out, const double* counts, double minimum, Py_ssize_t n, const word* fill) noexcept nogil:
    cdef Py_ssize_t i
    cdef word value = fill[0]
    for i in range(n):
        out[i] = value if counts[i] < minimum else out[i]


ctypedef fused whole:
    int32_t
    int64_t


cdef void doubles(double* counts, const whole* state, Py_ssize_t n, const void* fill) noexcept nogil:
    """A row of counts, as the finishes take them."""
    cdef Py_ssize_t i
    for i in range(n):
        counts[i] = <double> state[i]


cdef void finish_count(
    int64_t* out, const void* state, const double* counts, double count, Py_ssize_t n, Py_ssize_t pitch,
    const void* parameters,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = <int64_t> (counts[i] if counts != NULL else count)


# --- from a reduction's own type to the one asked for: first to the widest of its kind, then to the target

ctypedef fused widest:
    int64_t
    uint64_t
    double


cdef void widen(widest* out, const pixel* source, Py_ssize_t n, const void* fill) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = <widest> source[i]


cdef inline double half_even(double value) noexcept nogil:
    """Rounded to a whole number; from 2**52 on every double is one."""
    cdef double magic = 6755399441055744.0
    cdef double rounded = (value + magic) - magic
    return rounded if -4503599627370496.0 < value < 4503599627370496.0 else value


cdef void narrow(pixel* out, const widest* source, Py_ssize_t n, const pixel* fill) noexcept nogil:
    """Saturating; a float becomes the nearest integer, half to even, and NaN the fill value."""
    cdef Py_ssize_t i
    cdef pixel highest, lowest
    cdef double rounded, top, bottom
    cdef widest value
    if pixel in real:
        for i in range(n):
            out[i] = <pixel> source[i]
    else:
        highest = highest_of(<pixel> 0)
        lowest = lowest_of(<pixel> 0)
        if widest is double:
            bottom = <double> lowest
            # Up to 32 bits both bounds are exact. The bounds of 64 bits round to powers of two: the highest
            # double below them is what fits.
            top = <double> highest
            for i in range(n):
                rounded = half_even(source[i])
                if rounded != rounded:
                    out[i] = fill[0]
                elif rounded >= top:
                    out[i] = highest
                elif rounded <= bottom:
                    out[i] = lowest
                else:
                    out[i] = <pixel> rounded
        elif widest is uint64_t:
            for i in range(n):
                value = source[i]
                out[i] = highest if value > <uint64_t> highest else <pixel> value
        else:
            for i in range(n):
                value = source[i]
                if value > 0:
                    out[i] = highest if <uint64_t> value > <uint64_t> highest else <pixel> value
                else:
                    out[i] = lowest if value < <int64_t> lowest else <pixel> value


cdef void narrow_half(uint16_t* out, const widest* source, Py_ssize_t n, const void* fill) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = double_to_half(<double> source[i])


cdef void narrow_bool(uint8_t* out, const widest* source, Py_ssize_t n, const uint8_t* fill) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if widest is double:
            out[i] = fill[0] if source[i] != source[i] else half_even(source[i]) > 0
        else:
            out[i] = source[i] > 0


# --- the tables

cdef void add_word(dict table, int width, const word* example):
    table["load", width] = <size_t> load[word]
    if sizeof(word) > 1:
        table["load swapped", width] = <size_t> load_swapped[word]
    table["store", width] = <size_t> store[word]
    table["compact", width] = <size_t> compact[word]
    table["pick", width] = <size_t> pick[word]
    table["blank", width] = <size_t> blank[word]


cdef void add_pixel(dict table, str dtype, const pixel* example):
    table["select", dtype] = <size_t> select[pixel]
    table["narrow", "int64", dtype] = <size_t> narrow[pixel, int64_t]
    table["narrow", "uint64", dtype] = <size_t> narrow[pixel, uint64_t]
    table["narrow", "float64", dtype] = <size_t> narrow[pixel, double]
    if pixel in real:
        table["widen", dtype, "float64"] = <size_t> widen[double, pixel]
    elif pixel is uint64_t:
        table["widen", dtype, "uint64"] = <size_t> widen[uint64_t, pixel]
    else:
        table["widen", dtype, "int64"] = <size_t> widen[int64_t, pixel]


def table():
    """Addresses by (name, width or dtypes)."""
    table = {}
    add_word(table, 1, <const uint8_t*> NULL)
    add_word(table, 2, <const uint16_t*> NULL)
    add_word(table, 4, <const uint32_t*> NULL)
    add_word(table, 8, <const uint64_t*> NULL)
    add_pixel(table, "uint8", <const uint8_t*> NULL)
    add_pixel(table, "int8", <const int8_t*> NULL)
    add_pixel(table, "uint16", <const uint16_t*> NULL)
    add_pixel(table, "int16", <const int16_t*> NULL)
    add_pixel(table, "uint32", <const uint32_t*> NULL)
    add_pixel(table, "int32", <const int32_t*> NULL)
    add_pixel(table, "uint64", <const uint64_t*> NULL)
    add_pixel(table, "int64", <const int64_t*> NULL)
    add_pixel(table, "float32", <const float*> NULL)
    add_pixel(table, "float64", <const double*> NULL)
    table["load", "float16"] = <size_t> load_half
    table["load swapped", "float16"] = <size_t> load_half_swapped
    table["load", "uint8", "int32"] = <size_t> load_widened[uint8_t]
    table["load", "int8", "int32"] = <size_t> load_widened[int8_t]
    table["load", "uint16", "int32"] = <size_t> load_widened[uint16_t]
    table["load", "int16", "int32"] = <size_t> load_widened[int16_t]
    table["load swapped", "uint16", "int32"] = <size_t> load_widened_swapped[uint16_t]
    table["load swapped", "int16", "int32"] = <size_t> load_widened_swapped[int16_t]
    table["narrow", "int64", "float16"] = <size_t> narrow_half[int64_t]
    table["narrow", "uint64", "float16"] = <size_t> narrow_half[uint64_t]
    table["narrow", "float64", "float16"] = <size_t> narrow_half[double]
    table["narrow", "int64", "bool"] = <size_t> narrow_bool[int64_t]
    table["narrow", "uint64", "bool"] = <size_t> narrow_bool[uint64_t]
    table["narrow", "float64", "bool"] = <size_t> narrow_bool[double]
    table["counts", 4] = <size_t> doubles[int32_t]
    table["counts", 8] = <size_t> doubles[int64_t]
    table["finish", "count"] = <size_t> finish_count
    return table
