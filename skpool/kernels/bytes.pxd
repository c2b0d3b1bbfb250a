"""Windows of 2 x 2 bytes at stride 2, a register at a time: of one channel, and of three; and columns of three picked.

A step loads two registers of both rows, parts even from odd columns, folds the four samples of each window and stores
one register: four bytes are read for each that is written, and nothing passes through memory in between. Plain loops
store half registers; and where a column has three bytes they load every byte twice (a row, and itself three bytes
further on, which crosses the lines of the cache), and pick the columns in a second pass.

A function does as much of a row as it can, from its start, and returns how much; without the instructions, nothing.
It neither reads nor writes outside the row.
"""
from libc.stdint cimport uint8_t

cdef extern from * nogil:
    r"""
    #include <stdint.h>
    enum { SKPOOL_LARGEST, SKPOOL_SMALLEST, SKPOOL_MEAN };

    #if defined(__GNUC__) && defined(__SSE2__)
    #include <immintrin.h>
    #define SKPOOL_INLINE static inline __attribute__((always_inline))
    #if defined(__SSSE3__)
    #define SKPOOL_PAIRS(op, bits, v) op##_maddubs_epi16(v, op##_set1_epi8(1))
    #else
    #define SKPOOL_PAIRS(op, bits, v) \
        op##_add_epi16(op##_and_si##bits(v, op##_set1_epi16(255)), op##_srli_epi16(v, 8))
    #endif

    /* Registers of `width` bytes. Even and odd bytes of two registers, and the means of four: in blocks of 16. Means
       are rounded half to even: by 16-bit totals of neighbours in two rows (`shifted_down` of sums.pyx), or without
       leaving 8 bits (`mean_of_four`), which is for columns already parted. */
    #define SKPOOL_REGISTER(width, bits, type, op) \
        typedef type skpool_bytes_##width; \
        SKPOOL_INLINE type skpool_read_##width(const uint8_t *p) { return op##_loadu_si##bits((const void *) p); } \
        SKPOOL_INLINE type skpool_evens_##width(type a, type b) { \
            const type low = op##_set1_epi16(255); \
            return op##_packus_epi16(op##_and_si##bits(a, low), op##_and_si##bits(b, low)); \
        } \
        SKPOOL_INLINE type skpool_odds_##width(type a, type b) { \
            return op##_packus_epi16(op##_srli_epi16(a, 8), op##_srli_epi16(b, 8)); \
        } \
        SKPOOL_INLINE type skpool_pick_##width(int kind, type a, type b) { \
            return kind == SKPOOL_LARGEST ? op##_max_epu8(a, b) : op##_min_epu8(a, b); \
        } \
        SKPOOL_INLINE type skpool_mean_##width(type a, type b, type c, type d) { \
            const type x = op##_avg_epu8(a, b), y = op##_avg_epu8(c, d), z = op##_avg_epu8(x, y); \
            const type first = op##_xor_si##bits(a, b), second = op##_xor_si##bits(c, d); \
            const type any = op##_or_si##bits(op##_or_si##bits(first, second), z); \
            const type all = op##_and_si##bits(op##_and_si##bits(first, second), z); \
            const type over = op##_or_si##bits(op##_and_si##bits(op##_xor_si##bits(x, y), any), all); \
            return op##_sub_epi8(z, op##_and_si##bits(over, op##_set1_epi8(1))); \
        } \
        SKPOOL_INLINE type skpool_quarter_##width(type upper, type lower) { \
            const type one = op##_set1_epi16(1); \
            const type sum = op##_add_epi16(SKPOOL_PAIRS(op, bits, upper), SKPOOL_PAIRS(op, bits, lower)); \
            const type odd = op##_and_si##bits(op##_srli_epi16(sum, 2), one); \
            return op##_srli_epi16(op##_avg_epu16(sum, odd), 1);    /* (sum + odd + 1) >> 2 */ \
        } \
        SKPOOL_INLINE type skpool_means_##width(type a, type b, type c, type d) { \
            return op##_packus_epi16(skpool_quarter_##width(a, c), skpool_quarter_##width(b, d)); \
        }

    /* The quads of a layout: its `first` and `second` register from a place in a row, the `even` and `odd` columns of
       the two, the `means` of two of each row, and `put`, which writes them. A step gives `gives` bytes; shorter rows
       than `least` are left alone. The last step lies `least` bytes before the row's end, and may repeat some. */
    #define SKPOOL_QUADS(layout, width, target, gives, least) \
        target SKPOOL_INLINE void skpool_step_##layout( \
            int kind, uint8_t *out, const uint8_t *upper, const uint8_t *lower) \
        { \
            skpool_bytes_##width a = skpool_first_##layout(upper), b = skpool_second_##layout(upper); \
            skpool_bytes_##width c = skpool_first_##layout(lower), d = skpool_second_##layout(lower); \
            if (kind == SKPOOL_MEAN) { \
                skpool_put_##layout(out, skpool_means_##layout(a, b, c, d)); \
            } else {                        /* rows first: one of them is left to part */ \
                a = skpool_pick_##width(kind, a, c); \
                b = skpool_pick_##width(kind, b, d); \
                skpool_put_##layout(out, skpool_pick_##width( \
                    kind, skpool_even_##layout(a, b), skpool_odd_##layout(a, b))); \
            } \
        } \
        target static inline Py_ssize_t skpool_quads_##layout( \
            int kind, uint8_t *out, const uint8_t *upper, const uint8_t *lower, Py_ssize_t n) \
        { \
            Py_ssize_t i; \
            if (n < least) return 0; \
            for (i = 0; i < n - least; i += gives) \
                skpool_step_##layout(kind, out + i, upper + 2 * i, lower + 2 * i); \
            i = n - least; \
            skpool_step_##layout(kind, out + i, upper + 2 * i, lower + 2 * i); \
            return i + gives; \
        }

    #if defined(__AVX512BW__)
    SKPOOL_REGISTER(64, 512, __m512i, _mm512)
    #endif
    #if defined(__AVX2__)
    SKPOOL_REGISTER(32, 256, __m256i, _mm256)
    #endif
    SKPOOL_REGISTER(16, 128, __m128i, _mm)

    /* One channel: two registers side by side, the widest there are; blocks are put in order at the end. */
    #define SKPOOL_GREY(width) \
        SKPOOL_INLINE skpool_bytes_##width skpool_first_grey(const uint8_t *p) { return skpool_read_##width(p); } \
        SKPOOL_INLINE skpool_bytes_##width skpool_second_grey(const uint8_t *p) { \
            return skpool_read_##width(p + width); \
        } \
        SKPOOL_INLINE skpool_bytes_##width skpool_even_grey(skpool_bytes_##width a, skpool_bytes_##width b) { \
            return skpool_evens_##width(a, b); \
        } \
        SKPOOL_INLINE skpool_bytes_##width skpool_odd_grey(skpool_bytes_##width a, skpool_bytes_##width b) { \
            return skpool_odds_##width(a, b); \
        } \
        SKPOOL_INLINE skpool_bytes_##width skpool_means_grey( \
            skpool_bytes_##width a, skpool_bytes_##width b, skpool_bytes_##width c, skpool_bytes_##width d) \
        { \
            return skpool_means_##width(a, b, c, d); \
        } \
        SKPOOL_QUADS(grey, width, , width, width)
    #if defined(__AVX512BW__)
    SKPOOL_INLINE void skpool_put_grey(uint8_t *out, __m512i v) {
        const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        _mm512_storeu_si512((void *) out, _mm512_permutexvar_epi64(order, v));
    }
    SKPOOL_GREY(64)
    #elif defined(__AVX2__)
    SKPOOL_INLINE void skpool_put_grey(uint8_t *out, __m256i v) {
        _mm256_storeu_si256((void *) out, _mm256_permute4x64_epi64(v, 0xd8));
    }
    SKPOOL_GREY(32)
    #else
    SKPOOL_INLINE void skpool_put_grey(uint8_t *out, __m128i v) { _mm_storeu_si128((void *) out, v); }
    SKPOOL_GREY(16)
    #endif
    #endif

    /* Three channels, by shuffles within blocks: the first register has the first two windows of each four, the second
       the others, 12 bytes of a block of 16. A step reads 52 bytes of 60, and writes 28 of 30. */
    #if defined(__GNUC__) && defined(__AVX2__)
    #define SKPOOL_HAS_RGB 1
    SKPOOL_INLINE __m256i skpool_first_rgb32(const uint8_t *p) {
        const __m128i low = _mm_loadu_si128((const void *) p), high = _mm_loadu_si128((const void *) (p + 24));
        return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    }
    SKPOOL_INLINE __m256i skpool_second_rgb32(const uint8_t *p) { return skpool_first_rgb32(p + 12); }
    /* Six bytes of each block of both, and nothing where an index is negative. */
    SKPOOL_INLINE __m256i skpool_taken_rgb32(__m256i a, __m256i b, __m128i taken) {
        const __m256i front = _mm256_broadcastsi128_si256(taken);
        const __m256i back = _mm256_broadcastsi128_si256(_mm_alignr_epi8(taken, _mm_set1_epi8(-1), 10));
        return _mm256_or_si256(_mm256_shuffle_epi8(a, front), _mm256_shuffle_epi8(b, back));
    }
    SKPOOL_INLINE __m256i skpool_even_rgb32(__m256i a, __m256i b) {
        return skpool_taken_rgb32(a, b, _mm_setr_epi8(0, 1, 2, 6, 7, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    }
    SKPOOL_INLINE __m256i skpool_odd_rgb32(__m256i a, __m256i b) {
        return skpool_taken_rgb32(a, b, _mm_setr_epi8(3, 4, 5, 9, 10, 11, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    }
    SKPOOL_INLINE __m256i skpool_means_rgb32(__m256i a, __m256i b, __m256i c, __m256i d) {
        return skpool_mean_32(
            skpool_even_rgb32(a, b), skpool_even_rgb32(c, d), skpool_odd_rgb32(a, b), skpool_odd_rgb32(c, d));
    }
    SKPOOL_INLINE void skpool_put_rgb32(uint8_t *out, __m256i v) {
        _mm_storeu_si128((void *) out, _mm256_castsi256_si128(v));
        _mm_storeu_si128((void *) (out + 12), _mm256_extracti128_si256(v, 1));
    }
    SKPOOL_QUADS(rgb32, 32, , 24, 30)
    #else
    #define SKPOOL_HAS_RGB 0
    #endif

    /* Three channels, by shuffles of bytes across registers, which not every processor with AVX-512 has: 21 windows.
       A step reads 128 bytes of 132, and writes 64 of 66. Rows in cache take 0.6 (means: 0.7) of the time. */
    #if defined(__GNUC__) && defined(__AVX512BW__)
    #define SKPOOL_VBMI __attribute__((target("avx512vbmi")))
    #define SKPOOL_1(i) (i) / 3 * 6 + (i) % 3
    #define SKPOOL_4(i) SKPOOL_1(i), SKPOOL_1(i + 1), SKPOOL_1(i + 2), SKPOOL_1(i + 3)
    #define SKPOOL_16(i) SKPOOL_4(i), SKPOOL_4(i + 4), SKPOOL_4(i + 8), SKPOOL_4(i + 12)
    static const uint8_t skpool_columns[64] = {SKPOOL_16(0), SKPOOL_16(16), SKPOOL_16(32), SKPOOL_16(48)};
    SKPOOL_VBMI SKPOOL_INLINE __m512i skpool_first_rgb64(const uint8_t *p) { return skpool_read_64(p); }
    SKPOOL_VBMI SKPOOL_INLINE __m512i skpool_second_rgb64(const uint8_t *p) { return skpool_read_64(p + 64); }
    SKPOOL_VBMI SKPOOL_INLINE __m512i skpool_even_rgb64(__m512i a, __m512i b) {
        return _mm512_permutex2var_epi8(a, skpool_read_64(skpool_columns), b);
    }
    SKPOOL_VBMI SKPOOL_INLINE __m512i skpool_odd_rgb64(__m512i a, __m512i b) {
        const __m512i next = _mm512_add_epi8(skpool_read_64(skpool_columns), _mm512_set1_epi8(3));
        return _mm512_permutex2var_epi8(a, next, b);
    }
    SKPOOL_VBMI SKPOOL_INLINE __m512i skpool_means_rgb64(__m512i a, __m512i b, __m512i c, __m512i d) {
        return skpool_mean_64(
            skpool_even_rgb64(a, b), skpool_even_rgb64(c, d), skpool_odd_rgb64(a, b), skpool_odd_rgb64(c, d));
    }
    SKPOOL_VBMI SKPOOL_INLINE void skpool_put_rgb64(uint8_t *out, __m512i v) { _mm512_storeu_si512((void *) out, v); }
    SKPOOL_QUADS(rgb64, 64, SKPOOL_VBMI, 63, 66)
    SKPOOL_VBMI static inline Py_ssize_t skpool_second_columns_rgb64(
        uint8_t *out, const uint8_t *source, Py_ssize_t columns)
    {
        Py_ssize_t j = 0;
        for (; j + 22 <= columns; j += 21)
            skpool_put_rgb64(out + 3 * j, skpool_even_rgb64(
                skpool_first_rgb64(source + 6 * j), skpool_second_rgb64(source + 6 * j)));
        return j;
    }
    #define SKPOOL_HAS_VBMI (__builtin_cpu_supports("avx512vbmi") != 0)
    #else
    #define SKPOOL_HAS_VBMI 0
    #define skpool_quads_rgb64 skpool_quads_none
    #define skpool_second_columns_rgb64(out, source, columns) ((void) (out), (void) (source), (void) (columns), 0)
    #endif

    #if !defined(SKPOOL_REGISTER)
    #define skpool_quads_grey skpool_quads_none
    #endif
    #if !SKPOOL_HAS_RGB
    #define skpool_quads_rgb32 skpool_quads_none
    #endif
    static inline Py_ssize_t skpool_quads_none(
        int kind, uint8_t *out, const uint8_t *upper, const uint8_t *lower, Py_ssize_t n)
    {
        (void) kind, (void) out, (void) upper, (void) lower, (void) n;
        return 0;
    }
    static inline Py_ssize_t skpool_quads_rgb(
        int kind, uint8_t *out, const uint8_t *upper, const uint8_t *lower, Py_ssize_t n)
    {
        return (SKPOOL_HAS_VBMI ? skpool_quads_rgb64 : skpool_quads_rgb32)(kind, out, upper, lower, n);
    }
    /* Every second column of three bytes. */
    static inline Py_ssize_t skpool_second_columns_rgb(uint8_t *out, const uint8_t *source, Py_ssize_t columns) {
        return SKPOOL_HAS_VBMI ? skpool_second_columns_rgb64(out, source, columns) : 0;
    }
    """
    cdef enum:
        SKPOOL_LARGEST
        SKPOOL_SMALLEST
        SKPOOL_MEAN
    const bint SKPOOL_HAS_RGB       # without it, plain loops that pick the columns in a second pass are faster
    Py_ssize_t skpool_quads_grey(int kind, uint8_t* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n)
    Py_ssize_t skpool_quads_rgb(int kind, uint8_t* out, const uint8_t* upper, const uint8_t* lower, Py_ssize_t n)
    Py_ssize_t skpool_second_columns_rgb(uint8_t* out, const uint8_t* source, Py_ssize_t columns)
