"""Memory, asked for ahead and written past the caches.

What a thread will read soon is asked for: memory answers while it computes. Any address may be named. It comes into
the second cache or, near, into the first. For that few lines may be on their way at once: boxes take twice the time so,
but rows take less, if no more is asked for at a time than is read meanwhile.
"""
from libc.stdint cimport uintptr_t

cdef enum:
    LINE = 64               # bytes of a cache line
    LONG_ROW = 4096         # bytes of rows whose lines are read one by one

cdef inline Py_ssize_t lead_of(const void* row, Py_ssize_t size, Py_ssize_t n) noexcept nogil:
    """Of a long row of `n` pieces of `size` bytes, how many lie ahead of its first whole cache line.

    Loads as wide as a line that begin within lines read two each: NumPy's large arrays begin 16 bytes past one, and
    2 x 2 pixels of 4096 x 4096 take 1.1 to 1.2 times as long as where a short piece is done first. 0 for short rows,
    and where no piece ends with a line.
    """
    cdef Py_ssize_t ahead = (LINE - <Py_ssize_t> (<uintptr_t> row % LINE)) % LINE
    return ahead // size if n * size >= LONG_ROW and LINE % size == 0 and ahead % size == 0 else 0


cdef inline Py_ssize_t whole_columns(Py_ssize_t size, Py_ssize_t column) noexcept nogil:
    """How many columns of `column` bytes about `size` bytes have: a multiple of 32, so that no vector is cut short."""
    return max(size // (32 * column), <Py_ssize_t> 1) * 32


cdef extern from * nogil:
    """
    #if defined(__GNUC__)
    #define SKPOOL_PREFETCH(name, locality) \\
        static inline void name(const char *source, Py_ssize_t n) { \\
            for (Py_ssize_t i = 0; i < n; i += 64) __builtin_prefetch(source + i, 0, locality); \\
            __asm__ volatile("");  /* or gcc, which sees no effect, drops the calls */ \\
        }
    #else
    #define SKPOOL_PREFETCH(name, locality) \\
        static inline void name(const char *source, Py_ssize_t n) { (void) source; (void) n; }
    #endif
    SKPOOL_PREFETCH(skpool_prefetch, 2)
    SKPOOL_PREFETCH(skpool_prefetch_near, 3)
    """
    void skpool_prefetch(const char* source, Py_ssize_t n)
    void skpool_prefetch_near(const char* source, Py_ssize_t n)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    /* A copy past the caches: what is written is not read first, and pushes nothing out. */
    static void skpool_stream(char *target, const char *source, Py_ssize_t n) {
        Py_ssize_t i = (Py_ssize_t) (-(uintptr_t) target & 15);
        if (i > n) i = n;
        memcpy(target, source, i);
        for (; i + 16 <= n; i += 16)
            _mm_stream_si128((__m128i *) (target + i), _mm_loadu_si128((const __m128i *) (source + i)));
        memcpy(target + i, source + i, n - i);
    }
    static void skpool_streamed(void) { _mm_sfence(); }
    #else
    static void skpool_streamed(void) {}
    static void skpool_stream(char *target, const char *source, Py_ssize_t n) { memcpy(target, source, n); }
    #endif
    """
    void skpool_stream(char* target, const char* source, Py_ssize_t n)
    void skpool_streamed()      # other threads may read it now
