// CUDA C on the CPU, for tests: every CUDA thread is a fiber of one thread of the machine, blocks run one after the other, both in a shuffled order.
//
// Compiled as it is, a kernel computes what a GPU would compute. Compiled with -fsanitize=thread, every read and write calls a function at the end
// of this file (the sanitizer's own library is not linked), which looks for accesses beyond an array, misaligned ones, reads of shared memory that
// nothing was written to, and pairs of accesses between which no barrier stands. What is not modelled: warps in lockstep, the order in which
// writes become visible without a barrier, and time.
#pragma once
#include <math.h>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <sys/mman.h>
#include <tuple>
#include <type_traits>
#include <utility>

#define CUSIM 1
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define UNCHECKED __attribute__((no_sanitize("thread"), noinline))

struct uint3 { unsigned x, y, z; };
typedef uint3 dim3;
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
static inline float4 make_float4(float a, float b, float c, float d) { return {a, b, c, d}; }

namespace cusim {

enum State : unsigned char { READY, AT_BARRIER, IN_WARP, DONE };
constexpr size_t STACK = 128 * 1024, SHARED = 1 << 20, GAP = 256;
constexpr unsigned MOST_THREADS = 1024, MOST_SLOTS = 64, MOST_BUFFERS = 1024, MANY = 0xffffffffu;

struct Fiber { void* top; char* stack; State state; uint3 index; };
struct Warp { uint64_t given[32], found[32]; uint32_t arrived, mask; };
struct Slot { char* start; size_t size; unsigned grain; };  // an array in shared memory
struct Touch { uint32_t writer, writing_epoch, reader, reading_epoch; uint8_t written, atomic; };  // threads count from 1
struct Buffer { uintptr_t start, end; unsigned grain; Touch* touched; };  // an array in global memory

static Fiber fibers[MOST_THREADS];
static Warp warps[MOST_THREADS / 32];
static unsigned order[MOST_THREADS], count, current;
static void* host_top;
static uint3 thread_index, block_index, block_size, grid_size;
static unsigned block_number;
static uint32_t epoch;  // rises at every barrier and every block
static uint64_t random_state, accesses;
static char message[512];
static bool failed, inside;
static sigjmp_buf way_out;
static void (*body)(void*);
static void* arguments;

static Slot slots[MOST_SLOTS];
static unsigned n_slots;
static char* shared_memory;
static size_t shared_used, dynamic_size;
static char* dynamic_memory;
static Touch* shared_touched;
static Buffer buffers[MOST_BUFFERS];
static unsigned n_buffers;

UNCHECKED static void say(const char* text, ...) {
    if (failed) return;
    failed = true;
    int n = snprintf(message, sizeof message, "block (%u, %u, %u) thread (%u, %u, %u): ", block_index.x, block_index.y, block_index.z,
                     thread_index.x, thread_index.y, thread_index.z);
    va_list rest;
    va_start(rest, text);
    vsnprintf(message + n, sizeof message - n, text, rest);
    va_end(rest);
}
[[noreturn]] UNCHECKED static void leave() { inside = false; siglongjmp(way_out, 1); }

#ifdef __x86_64__
extern "C" void cusim_switch(void** from, void* to);
asm(".text\n.globl cusim_switch\n.hidden cusim_switch\ncusim_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\nmov %rsp, (%rdi)\nmov %rsi, %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
UNCHECKED static void enter(unsigned i) { cusim_switch(&host_top, fibers[i].top); }
UNCHECKED static void pause_fiber() { cusim_switch(&fibers[current].top, host_top); }
UNCHECKED static void run_fiber();
UNCHECKED static void prepare_fiber(unsigned i) {
    void** top = (void**)(fibers[i].stack + STACK - 64);
    *--top = nullptr;
    *--top = (void*)run_fiber;
    for (int k = 0; k < 6; k++) *--top = nullptr;
    fibers[i].top = top;
}
#else
}
#include <ucontext.h>
namespace cusim {
static ucontext_t contexts[MOST_THREADS], host_context;
UNCHECKED static void enter(unsigned i) { swapcontext(&host_context, &contexts[i]); }
UNCHECKED static void pause_fiber() { swapcontext(&contexts[current], &host_context); }
UNCHECKED static void run_fiber();
UNCHECKED static void prepare_fiber(unsigned i) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = fibers[i].stack;
    contexts[i].uc_stack.ss_size = STACK;
    contexts[i].uc_link = nullptr;
    makecontext(&contexts[i], (void (*)())run_fiber, 0);
}
#endif
UNCHECKED static void run_fiber() {
    body(arguments);
    fibers[current].state = DONE;
    pause_fiber();
    abort();
}
UNCHECKED static void wait_as(State state) {
    inside = false;
    fibers[current].state = state;
    pause_fiber();
    thread_index = fibers[current].index;
    inside = true;
}
UNCHECKED static unsigned random_below(unsigned n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}
UNCHECKED static void shuffle(unsigned* numbers, unsigned n) {
    if (random_state)
        for (unsigned i = n; i > 1; i--) std::swap(numbers[i - 1], numbers[random_below(i)]);
}

// --- shared memory: each array lies in its own slot between gaps, filled with 0xff (NaNs) at the start of a block --------------------------

UNCHECKED static char* new_slot(size_t size, unsigned grain) {
    if (!shared_memory) {
        shared_memory = (char*)mmap(0, SHARED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        shared_touched = (Touch*)calloc(SHARED, sizeof(Touch));
    }
    char* start = shared_memory + shared_used + GAP;
    shared_used = (shared_used + GAP + size + 127) & ~size_t(127);
    if (shared_used + GAP > SHARED || n_slots == MOST_SLOTS) abort();
    slots[n_slots++] = {start, size, grain};
    memset(start, 0xff, size);
    return start;
}
template <class T> constexpr unsigned grain_of() {
    using E = std::remove_all_extents_t<T>;
    return sizeof(E) < 4 ? sizeof(E) : 4;
}
template <class T, int number> UNCHECKED T& shared() {
    static char* start = nullptr;
    if (!start) start = new_slot(sizeof(T), grain_of<T>());
    return *reinterpret_cast<T*>(start);
}
template <class T> UNCHECKED T* dynamic() { return reinterpret_cast<T*>(dynamic_memory); }

// --- checks ------------------------------------------------------------------------------------------------------------------------------

UNCHECKED static void touch(Touch& t, bool write, bool atomic, bool shared, const char* where, long offset) {
    uint32_t me = shared ? current + 1 : block_number * count + current + 1;
    // In global memory whatever other blocks do is unordered; what threads of this block did is ordered by barriers.
    auto other = [&](uint32_t who, uint32_t when) {
        if (!who || who == me) return false;
        if (who == MANY) return when == epoch;
        return (!shared && (who - 1) / count != block_number) || when == epoch;
    };
    if (write) {
        if (other(t.writer, t.writing_epoch) && !(atomic && t.atomic)) say("race: two threads write %s memory at byte %ld", where, offset);
        else if (other(t.reader, t.reading_epoch) && !atomic) say("race: one thread reads and another then writes %s memory at byte %ld", where, offset);
        t.writer = me;
        t.writing_epoch = epoch;
        t.written = 1;
        t.atomic = atomic;
    } else {
        if (other(t.writer, t.writing_epoch)) say("race: one thread writes and another then reads %s memory at byte %ld", where, offset);
        t.reader = t.reader && t.reader != me && t.reading_epoch == epoch ? MANY : me;
        t.reading_epoch = epoch;
    }
}
UNCHECKED static void access(const void* pointer, size_t size, bool write, bool atomic = false) {
    if (!inside || failed) return;
    uintptr_t a = (uintptr_t)pointer;
    if (a - (uintptr_t)fibers[current].stack < STACK) return;
    accesses++;
    const char* verb = write ? "write" : "read";
    if (shared_memory && a - (uintptr_t)shared_memory < SHARED) {
        for (unsigned i = 0; i < n_slots; i++) {
            Slot& s = slots[i];
            long offset = (long)(a - (uintptr_t)s.start);
            if (offset < -(long)GAP / 2 || offset >= (long)(s.size + GAP / 2)) continue;
            if (offset < 0 || offset + size > s.size) say("out of bounds: %s of %zu bytes at byte %ld of a shared array of %zu", verb, size, offset, s.size);
            else if (size > 1 && size <= 16 && a % size) say("misaligned: %s of %zu bytes at byte %ld of a shared array", verb, size, offset);
            else for (size_t k = 0; k < size && !failed; k += s.grain) {
                Touch& t = shared_touched[a + k - (uintptr_t)shared_memory];
                if (!write && !t.written) say("uninitialised: read of byte %ld of a shared array", offset + (long)k);
                touch(t, write, atomic, true, "shared", offset + (long)k);
            }
            break;
        }
    } else {
        Buffer* nearest = nullptr;
        long distance = 1 << 16;
        for (unsigned i = 0; i < n_buffers; i++) {
            Buffer& b = buffers[i];
            if (a >= b.start && a + size <= b.end) {
                if (size > 1 && size <= 16 && a % size) say("misaligned: %s of %zu bytes at byte %ld of an array", verb, size, (long)(a - b.start));
                for (size_t k = 0; k < size && !failed; k += b.grain) touch(b.touched[(a - b.start + k) / b.grain], write, atomic, false, "global", (long)(a - b.start + k));
                if (failed) leave();
                return;
            }
            long away = a < b.start ? (long)(b.start - a) : (long)(a + size - b.end);
            if (away < distance) { distance = away; nearest = &b; }
        }
        if (nearest) say("out of bounds: %s of %zu bytes at byte %ld of an array of %zu", verb, size, (long)(a - nearest->start), (size_t)(nearest->end - nearest->start));
        else if (a < 1 << 16) say("out of bounds: %s of %zu bytes at address %zu, a null pointer", verb, size, (size_t)a);
    }
    if (failed) leave();
}
UNCHECKED static void on_signal(int number, siginfo_t* info, void*) {
    if (!inside) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    if (number == SIGFPE) say("division by zero");
    else say("out of bounds: address %p", info->si_addr);
    leave();
}

// --- launches ----------------------------------------------------------------------------------------------------------------------------

UNCHECKED static void run_block() {
    epoch++;
    for (unsigned i = 0; i < n_slots; i++) {
        memset(slots[i].start, 0xff, slots[i].size);
        memset((void*)&shared_touched[slots[i].start - shared_memory], 0, slots[i].size * sizeof(Touch));
    }
    memset((void*)warps, 0, sizeof warps);
    for (unsigned i = 0; i < count; i++) {
        fibers[i].state = READY;
        prepare_fiber(i);
    }
    for (;;) {
        bool progress = false;
        unsigned done = 0, waiting = 0;
        shuffle(order, count);
        for (unsigned k = 0; k < count; k++) {
            unsigned i = order[k];
            if (fibers[i].state != READY) continue;
            current = i;
            thread_index = fibers[i].index;
            inside = true;
            enter(i);
            inside = false;
            progress = true;
        }
        for (unsigned i = 0; i < count; i++) {
            done += fibers[i].state == DONE;
            waiting += fibers[i].state == AT_BARRIER;
        }
        if (done == count) return;
        if (waiting + done == count) {
            if (done) { say("barrier: %u threads are at __syncthreads and %u have ended", waiting, done); leave(); }
            epoch++;
            for (unsigned i = 0; i < count; i++) fibers[i].state = READY;
        } else if (!progress) {
            say("barrier: %u threads are at __syncthreads, %u in an exchange within a warp, %u have ended", waiting, count - waiting - done, done);
            leave();
        }
    }
}
UNCHECKED static int launch(void (*kernel)(void*), void* given, const unsigned* grid, const unsigned* block, size_t dynamic, uint64_t seed) {
    static char* signal_stack = (char*)mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    body = kernel;
    arguments = given;
    grid_size = {grid[0], grid[1], grid[2]};
    block_size = {block[0], block[1], block[2]};
    count = block[0] * block[1] * block[2];
    random_state = seed;
    failed = false;
    message[0] = 0;
    for (unsigned i = 0; i < count; i++) {
        order[i] = i;
        if (!fibers[i].stack) fibers[i].stack = (char*)mmap(0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fibers[i].index = {i % block[0], i / block[0] % block[1], i / (block[0] * block[1])};
    }
    if (dynamic > dynamic_size) {
        dynamic_memory = new_slot(dynamic, 4);
        dynamic_size = dynamic;
    }
    stack_t stack = {}, old_stack;
    stack.ss_sp = signal_stack;
    stack.ss_size = 1 << 16;
    sigaltstack(&stack, &old_stack);
    struct sigaction action = {}, old[3];
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    const int signals[3] = {SIGSEGV, SIGBUS, SIGFPE};
    for (int i = 0; i < 3; i++) sigaction(signals[i], &action, &old[i]);
    unsigned blocks = grid[0] * grid[1] * grid[2];
    unsigned* turns = (unsigned*)malloc(blocks * sizeof(unsigned));
    for (unsigned i = 0; i < blocks; i++) turns[i] = i;
    shuffle(turns, blocks);
    if (!sigsetjmp(way_out, 1))
        for (unsigned i = 0; i < blocks; i++) {
            block_number = turns[i];
            block_index = {block_number % grid[0], block_number / grid[0] % grid[1], block_number / (grid[0] * grid[1])};
            run_block();
        }
    free(turns);
    for (int i = 0; i < 3; i++) sigaction(signals[i], &old[i], nullptr);
    sigaltstack(&old_stack, nullptr);
    return failed;
}

struct Parameter { int size, kind, pointed_size, pointed_kind, read_only; };  // kinds: 0 integer, 1 float, 2 pointer, 3 struct
template <class T> constexpr int kind_of() {
    return std::is_floating_point_v<T> ? 1 : std::is_pointer_v<T> ? 2 : std::is_integral_v<T> ? 0 : 3;
}
template <class T> constexpr Parameter parameter() {
    if constexpr (std::is_pointer_v<T>) {
        using P = std::remove_pointer_t<T>;
        return {8, 2, sizeof(P), kind_of<std::remove_cv_t<P>>(), std::is_const_v<P>};
    } else
        return {sizeof(T), kind_of<T>(), 0, 0, 0};
}
template <auto F> struct Kernel;
template <class... A, void (*F)(A...)> struct Kernel<F> {
    using Values = std::tuple<std::remove_cv_t<A>...>;
    static int parameters(Parameter* out) { int n = 0; ((out[n++] = parameter<A>()), ...); return n; }
    template <size_t... I> UNCHECKED static void load(Values& values, void** from, std::index_sequence<I...>) {
        ((memcpy((void*)&std::get<I>(values), from[I], sizeof(std::get<I>(values)))), ...);
    }
    template <size_t... I> UNCHECKED static void call(Values* values, std::index_sequence<I...>) { F(std::get<I>(*values)...); }
    UNCHECKED static void run(void* values) { call((Values*)values, std::index_sequence_for<A...>{}); }
    UNCHECKED static int start(const unsigned* grid, const unsigned* block, size_t dynamic, void** from, uint64_t seed) {
        Values values;
        load(values, from, std::index_sequence_for<A...>{});
        return launch(run, &values, grid, block, dynamic, seed);
    }
};

// All lanes of the mask meet: each gives a value and sees what the others gave.
UNCHECKED static Warp& meet(uint32_t mask, uint64_t value) {
    unsigned lane = current % 32, first = current - lane, alive = count - first < 32 ? count - first : 32;
    Warp& warp = warps[current / 32];
    if (alive < 32) mask &= (1u << alive) - 1;
    if (!(mask >> lane & 1)) { say("barrier: lane %u calls an exchange whose mask %08x is without it", lane, mask); leave(); }
    if (warp.arrived && warp.mask != mask) { say("barrier: lanes of a warp meet with the masks %08x and %08x", warp.mask, mask); leave(); }
    warp.mask = mask;
    warp.given[lane] = value;
    warp.arrived |= 1u << lane;
    if (warp.arrived == mask) {
        memcpy(warp.found, warp.given, sizeof warp.found);
        warp.arrived = 0;
        for (unsigned i = first; i < first + alive; i++)
            if (fibers[i].state == IN_WARP) fibers[i].state = READY;
    } else
        wait_as(IN_WARP);
    return warp;
}
template <class T> UNCHECKED T exchange(uint32_t mask, T value, int source) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    Warp& warp = meet(mask, bits);
    if (source < 0 || source > 31 || !(warp.mask >> source & 1)) source = current % 32;
    memcpy(&value, &warp.found[source], sizeof value);
    return value;
}
UNCHECKED static int lane() { return current % 32; }
}  // namespace cusim

#define threadIdx (cusim::thread_index)
#define blockIdx (cusim::block_index)
#define blockDim (cusim::block_size)
#define gridDim (cusim::grid_size)
UNCHECKED static void __syncthreads() { cusim::wait_as(cusim::AT_BARRIER); }
template <class T> T __shfl_sync(unsigned mask, T value, int source) { return cusim::exchange(mask, value, source & 31); }
template <class T> T __shfl_xor_sync(unsigned mask, T value, int other) { return cusim::exchange(mask, value, cusim::lane() ^ other); }
template <class T> T __shfl_down_sync(unsigned mask, T value, int by) { return cusim::exchange(mask, value, cusim::lane() + by); }
template <class T> UNCHECKED T atomicAdd(T* target, T value) {
    cusim::access(target, sizeof(T), true, true);
    T before = *target;
    *target = before + value;
    return before;
}
template <class T> T __ldg(const T* pointer) { return *pointer; }
template <class T> T min(T a, T b) { return b < a ? b : a; }
template <class T> T max(T a, T b) { return a < b ? b : a; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline float cospif(float x) { return (float)cos(M_PI * x); }
static inline float sinpif(float x) { return (float)sin(M_PI * x); }
static inline double cospi(double x) { return cos(M_PI * x); }
static inline double sinpi(double x) { return sin(M_PI * x); }
static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }

#ifdef CUSIM_CHECK
#define HOOKS(n) \
    extern "C" UNCHECKED void __tsan_read##n(void* p) { cusim::access(p, n, false); } \
    extern "C" UNCHECKED void __tsan_write##n(void* p) { cusim::access(p, n, true); } \
    extern "C" UNCHECKED void __tsan_unaligned_read##n(void* p) { cusim::access(p, n, false); } \
    extern "C" UNCHECKED void __tsan_unaligned_write##n(void* p) { cusim::access(p, n, true); }
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
extern "C" UNCHECKED void __tsan_read_range(void* p, size_t n) { cusim::access(p, n, false); }
extern "C" UNCHECKED void __tsan_write_range(void* p, size_t n) { cusim::access(p, n, true); }
extern "C" UNCHECKED void __ubsan_handle_type_mismatch_v1(void*, uintptr_t address) {
    if (!cusim::inside) return;
    cusim::say("misaligned: a vector of several elements at address %#zx", (size_t)address);
    cusim::leave();
}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_init() {}
#endif

#define EXPORTED extern "C" __attribute__((visibility("default"))) UNCHECKED
EXPORTED const char* cusim_message() { return cusim::message; }
EXPORTED uint64_t cusim_accesses() { return cusim::accesses; }
EXPORTED void cusim_buffers(int n, const uintptr_t* starts, const uintptr_t* ends, const unsigned* grains) {
    for (unsigned i = 0; i < cusim::n_buffers; i++) free(cusim::buffers[i].touched);
    if (n > (int)cusim::MOST_BUFFERS) abort();
    cusim::n_buffers = n;
    for (int i = 0; i < n; i++) {
        size_t grains_in_it = (ends[i] - starts[i]) / grains[i] + 1;
        cusim::buffers[i] = {starts[i], ends[i], grains[i], nullptr};
#ifdef CUSIM_CHECK
        cusim::buffers[i].touched = (cusim::Touch*)calloc(grains_in_it, sizeof(cusim::Touch));
#else
        (void)grains_in_it;
#endif
    }
}
#define CUSIM_KERNEL(name) \
    EXPORTED int name##_start(const unsigned* grid, const unsigned* block, size_t dynamic, void** from, uint64_t seed) { return cusim::Kernel<&name>::start(grid, block, dynamic, from, seed); } \
    EXPORTED int name##_parameters(cusim::Parameter* out) { return cusim::Kernel<&name>::parameters(out); }
