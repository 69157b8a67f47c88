#include "random.h"

#include <string.h>

#include "ranges.h"
#include "simd.h"

enum { COUNTERS = 16, WORDS = 4 * COUNTERS, HELD = VECTOR_BYTES / 4 /* counters at a time */ };

typedef struct {
    ptrdiff_t count;
    uint64_t key;
    uint32_t threshold;
    real scale;
    const real *x;
    real *y;
} dropout_job;

typedef uint32_t word_vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef uint64_t wide_vec __attribute__((vector_size(VECTOR_BYTES), may_alias));

/* The products of the lower halves of wide lanes with a constant. */
INLINE wide_vec multiply(wide_vec words, uint64_t factor)
{
#if defined(__AVX512F__)
    return (wide_vec)_mm512_mul_epu32((__m512i)words, _mm512_set1_epi64((long long)factor));
#elif defined(__AVX2__)
    return (wide_vec)_mm256_mul_epu32((__m256i)words, _mm256_set1_epi64x((long long)factor));
#else
    return (words & 0xFFFFFFFFu) * factor;
#endif
}

/* The 64 words of the counters first .. first + 15; `first` is a multiple of 16. Each counter has a wide lane, whose upper
 * half is whatever comes up: products read the lower one only. Even and odd counters go side by side, and make pairs of
 * words in the end. */
static void philox(uint64_t key, uint64_t first, uint32_t words[WORDS])
{
    static const uint64_t evens[] = {0, 2, 4, 6, 8, 10, 12, 14};
    wide_vec even;
    memcpy(&even, evens, sizeof even);
    for (int start = 0; start < COUNTERS; start += HELD) {
        const wide_vec zero = {0}, lower = even + ((uint32_t)first + (uint32_t)start), upper = zero + (first >> 32);
        wide_vec state[2][4] = {{lower, upper, zero, zero}, {lower + 1, upper, zero, zero}};
        uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
        UNROLL
        for (int round = 0; round < 10; round++) {
            UNROLL
            for (int odd = 0; odd < 2; odd++) {
                wide_vec *s = state[odd];
                const wide_vec p = multiply(s[0], 0xD2511F53u), q = multiply(s[2], 0xCD9E8D57u);
                s[0] = q >> 32 ^ s[1] ^ low;
                s[1] = q;
                s[2] = p >> 32 ^ s[3] ^ high;
                s[3] = p;
            }
            low += 0x9E3779B9u;
            high += 0xBB67AE85u;
        }
        UNROLL
        for (int word = 0; word < 4; word++) {
            const wide_vec pairs = (state[0][word] & 0xFFFFFFFFu) | state[1][word] << 32;
            memcpy(words + word * COUNTERS + start, &pairs, sizeof pairs);
        }
    }
}

/* Which of the next LANES words are not below the threshold. */
INLINE int_vec at_least(const uint32_t *words, uint32_t threshold)
{
#if REAL_BYTES == 4
    word_vec some;
    memcpy(&some, words, sizeof some);
    return (int_vec)(some >= threshold);
#else
    int_vec kept;
    for (int lane = 0; lane < LANES; lane++)
        kept[lane] = words[lane] >= threshold ? -1 : 0;
    return kept;
#endif
}
INLINE vec masked(vec value, int_vec mask) { return (vec)((int_vec)value & mask); }

static status drop(void *context, ptrdiff_t task)
{
    const dropout_job *work = context;
    const ptrdiff_t last = smaller(work->count, (task + 1) * TASK_WORK);
    uint32_t words[WORDS];
    for (ptrdiff_t start = task * TASK_WORK; start < last; start += WORDS) {
        const ptrdiff_t count = smaller(WORDS, last - start);
        philox(work->key, (uint64_t)start / WORDS * COUNTERS, words);
        for (int i = 0; i < WORDS; i += LANES) {
            const int_vec kept = at_least(words + i, work->threshold);
            if (i + LANES <= count)
                store(work->y + start + i, masked(load(work->x + start + i) * work->scale, kept));
            else if (i < count)
                store_first(work->y + start + i, masked(load_first(work->x + start + i, count - i) * work->scale, kept),
                            count - i);
        }
    }
    return OK;
}

status NAME(dropout)(ptrdiff_t count, uint64_t key, uint32_t threshold, double scale, const void *x, void *y)
{
    dropout_job work = {count, key, threshold, (real)scale, x, y};
    return for_items(count, 1, drop, &work);
}
