"""Every second column of a row, where a column is a few elements: a register at a time, by shuffles of words.

Compilers copy such columns one by one, in moves of less than half a register. Parted in registers, even and odd columns
of three channels are folded as fast as those of one: maxima of 2 x 2 float32 take 0.72 of the time (float64: 0.61) that
it takes to fold all neighbours and pick from them. Without the instructions nothing is done.
"""
cdef extern from * nogil:
    r"""
    #include <stdint.h>
    #include <string.h>

    #if defined(__GNUC__) && defined(__AVX512BW__)
    #include <immintrin.h>
    #define SKPOOL_PARTS_COLUMNS 1
    #define SKPOOL_ALWAYS static inline __attribute__((always_inline))

    /* Where the words of a register of columns lie in two registers of a row: the number of a word's column is that of
       the word over the words of a column, by their inverse in 16 bits. */
    typedef __m512i skpool_order;
    SKPOOL_ALWAYS skpool_order skpool_even_columns(Py_ssize_t size) {
        static const uint16_t counted[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                             16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
        const uint16_t words = (uint16_t) (size / 2);
        const __m512i word = _mm512_loadu_si512(counted);
        const __m512i column = _mm512_mulhi_epu16(word, _mm512_set1_epi16((short) (65535 / words + 1)));
        return _mm512_add_epi16(word, _mm512_mullo_epi16(column, _mm512_set1_epi16((short) words)));
    }
    SKPOOL_ALWAYS skpool_order skpool_odd_columns(Py_ssize_t size) {
        return _mm512_add_epi16(skpool_even_columns(size), _mm512_set1_epi16((short) (size / 2)));
    }
    SKPOOL_ALWAYS void skpool_take_columns(void *out, const void *source, skpool_order order) {
        const __m512i a = _mm512_loadu_si512(source), b = _mm512_loadu_si512((const char *) source + 64);
        _mm512_storeu_si512(out, _mm512_permutex2var_epi16(a, order, b));
    }
    static inline Py_ssize_t skpool_every_second(char *out, const char *source, Py_ssize_t columns, Py_ssize_t size) {
        const skpool_order order = skpool_even_columns(size);
        Py_ssize_t i = 0, whole = 64 - 64 % size;
        for (; i + 64 + size <= columns * size; i += whole)
            skpool_take_columns(out + i, source + 2 * i, order);
        return i / size;
    }
    #else
    #define SKPOOL_PARTS_COLUMNS 0
    typedef char skpool_order;
    static inline skpool_order skpool_even_columns(Py_ssize_t size) { return (skpool_order) size; }
    static inline skpool_order skpool_odd_columns(Py_ssize_t size) { return (skpool_order) size; }
    static inline void skpool_take_columns(void *out, const void *source, skpool_order order) {
        (void) out, (void) source, (void) order;
    }
    static inline Py_ssize_t skpool_every_second(char *out, const char *source, Py_ssize_t columns, Py_ssize_t size) {
        (void) out, (void) source, (void) columns, (void) size;
        return 0;
    }
    #endif
    """
    cdef enum:
        COLUMNS_WIDTH "64"
    const bint SKPOOL_PARTS_COLUMNS
    ctypedef struct skpool_order:
        pass
    # Of columns of `size` bytes, if `parts_columns`.
    skpool_order skpool_even_columns(Py_ssize_t size)
    skpool_order skpool_odd_columns(Py_ssize_t size)
    # COLUMNS_WIDTH bytes of these columns, from twice as many of a row; the last column may be cut short.
    void skpool_take_columns(void* out, const void* source, skpool_order order)
    # Even columns of a row, from its start; how many it did. It neither reads nor writes outside the row.
    Py_ssize_t skpool_every_second(char* out, const char* source, Py_ssize_t columns, Py_ssize_t size)


cdef inline bint parts_columns(Py_ssize_t size) noexcept nogil:
    """Whether there are shuffles for columns of so many bytes."""
    return SKPOOL_PARTS_COLUMNS and 4 <= size <= 32 and size % 2 == 0
