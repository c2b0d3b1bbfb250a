// CUDA kernels as C++: blocks one after another, and the threads of a block, too, unless they meet at a barrier. Then
// each is a context of its own, which waits there for the others.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __noinline__ inline
#define __shared__ static  // blocks run one at a time, so one copy will do
#define __launch_bounds__(...)

struct Three {
    unsigned x, y, z;
};
static Three threadIdx, blockIdx, blockDim, gridDim;

static inline long long __double_as_longlong(double value) {
    long long bits;
    memcpy(&bits, &value, 8);
    return bits;
}
static inline double __longlong_as_double(long long bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}
static inline unsigned __float_as_uint(float value) {
    unsigned bits;
    memcpy(&bits, &value, 4);
    return bits;
}
static inline float __uint_as_float(unsigned bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline double __dsqrt_rn(double a) { return sqrt(a); }

// Threads run one at a time.
static inline void __threadfence() {}
static inline unsigned long long atomicAdd(unsigned long long* place, unsigned long long value) {
    unsigned long long before = *place;
    *place += value;
    return before;
}
static inline long long atomicMax(long long* place, long long value) {
    long long before = *place;
    if (value > before) *place = value;
    return before;
}
static inline long long atomicMin(long long* place, long long value) {
    long long before = *place;
    if (value < before) *place = value;
    return before;
}

namespace emulator {

enum Failure { NONE, GRID, BLOCK, DIVERGENT, ARGUMENTS, WIDTH };

struct Thread {
    ucontext_t context;
    std::vector<char> stack;
    bool done;
    int barrier;
};

static ucontext_t scheduler;
static std::vector<Thread> threads;
static unsigned current;
static bool concurrent, stray;
static void (*body)(void*);
static void* argument;

static void wait(int barrier) {
    if (!concurrent) {
        stray = true;  // the first thread met no barrier, this one does
        return;
    }
    threads[current].barrier = barrier;
    swapcontext(&threads[current].context, &scheduler);
}

static void begin() {
    body(argument);
    threads[current].done = true;
    swapcontext(&threads[current].context, &scheduler);
}

static void stand_at(unsigned thread) {
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
}

static void start(unsigned thread) {
    Thread& one = threads[thread];
    one.stack.resize(256 << 10);
    one.done = false;
    getcontext(&one.context);
    one.context.uc_stack.ss_sp = one.stack.data();
    one.context.uc_stack.ss_size = one.stack.size();
    one.context.uc_link = &scheduler;
    makecontext(&one.context, begin, 0);
}

static Failure run_block(bool backwards) {
    unsigned count = blockDim.x * blockDim.y * blockDim.z;
    auto turn = [&](unsigned t) { return backwards ? count - 1 - t : t; };
    threads.resize(count);
    concurrent = true;
    stray = false;
    start(turn(0));
    stand_at(turn(0));
    swapcontext(&scheduler, &threads[turn(0)].context);
    if (threads[turn(0)].done) {
        concurrent = false;
        for (unsigned t = 1; t < count; t++) {
            stand_at(turn(t));
            body(argument);
        }
        return stray ? DIVERGENT : NONE;
    }
    for (unsigned t = 1; t < count; t++) start(turn(t));
    for (bool first = true;; first = false) {
        unsigned waiting = 0;
        int barrier = threads[turn(0)].barrier;
        for (unsigned t = 0; t < count; t++) {
            if (!(first && t == 0)) {
                if (threads[turn(t)].done) return DIVERGENT;
                stand_at(turn(t));
                swapcontext(&scheduler, &threads[turn(t)].context);
            }
            if (t == 0) barrier = threads[turn(0)].barrier;
            waiting += !threads[turn(t)].done;
            if (!threads[turn(t)].done && threads[turn(t)].barrier != barrier) return DIVERGENT;
        }
        if (waiting == 0) return NONE;
        if (waiting != count) return DIVERGENT;
    }
}

template <class... A> struct Call {
    void (*kernel)(A...);
    void** values;
    template <size_t... I> void run(std::index_sequence<I...>) { kernel(*(A*) values[I]...); }
    static void go(void* call) { ((Call*) call)->run(std::index_sequence_for<A...>{}); }
};

template <class... A>
int launch(
    void (*kernel)(A...), const unsigned* grid, const unsigned* block, void** values, const size_t* widths, int count,
    bool backwards
) {
    const size_t wanted[] = {sizeof(A)...};
    if (count != (int) sizeof...(A)) return ARGUMENTS;
    for (int i = 0; i < count; i++) if (widths[i] != wanted[i]) return WIDTH;
    if (!grid[0] || grid[0] > 2147483647u || !grid[1] || grid[1] > 65535u || !grid[2] || grid[2] > 65535u) return GRID;
    if (!block[0] || !block[1] || !block[2] || block[0] * block[1] * block[2] > 1024 || block[2] > 64) return BLOCK;
    Call<A...> call{kernel, values};
    body = &Call<A...>::go;
    argument = &call;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    unsigned blocks = grid[0] * grid[1] * grid[2];
    for (unsigned n = 0; n < blocks; n++) {
        unsigned b = backwards ? blocks - 1 - n : n;
        blockIdx = {b % grid[0], b / grid[0] % grid[1], b / (grid[0] * grid[1])};
        Failure failure = run_block(backwards);
        if (failure) return failure;
    }
    return NONE;
}

}  // namespace emulator

#define __syncthreads() emulator::wait(__COUNTER__ + 1)
