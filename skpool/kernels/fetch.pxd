"""What a thread will read soon is asked for: memory answers while it computes. Any address may be named.

It comes into the second cache. Into the first, boxes take twice the time: few lines may be on their way there.
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
