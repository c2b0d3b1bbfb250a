"""Memory, asked for ahead and written past the caches.

What a thread will read soon is asked for: memory answers while it computes. Any address may be named. It comes into
the second cache; into the first, boxes take twice the time, for few lines may be on their way there.
"""
cdef extern from * nogil:
    """
    #if defined(__GNUC__)
    static inline void skpool_prefetch(const char *source, Py_ssize_t n) {
        for (Py_ssize_t i = 0; i < n; i += 64) __builtin_prefetch(source + i, 0, 2);
        __asm__ volatile("");  /* or gcc, which sees no effect, drops the calls */
    }
    #else
    static inline void skpool_prefetch(const char *source, Py_ssize_t n) { (void) source; (void) n; }
    #endif
    """
    void skpool_prefetch(const char* source, Py_ssize_t n)

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
