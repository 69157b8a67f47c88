#include "random.h"

#include <string.h>

#include "ranges.h"
#include "simd.h"

enum { COUNTERS = 16, WORDS = 4 * COUNTERS };

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

/* Lower and upper halves of the products with a constant: those of even lanes and those of odd lanes are computed as wide ones.
 */
INLINE word_vec multiply(word_vec words, uint64_t factor, word_vec *upper)
{
    const wide_vec low = (wide_vec){0} + 0xFFFFFFFFu;
    const wide_vec even = ((wide_vec)words & low) * factor, odd = ((wide_vec)words >> 32) * factor;
    *upper = (word_vec)((even >> 32) | (odd & ~low));
    return (word_vec)((even & low) | (odd << 32));
}

/* The 64 words of the counters first .. first + 15. */
static void philox(uint64_t key, uint64_t first, uint32_t words[WORDS])
{
    enum { HELD = VECTOR_BYTES / 4 };
    for (int start = 0; start < COUNTERS; start += HELD) {
        word_vec a, b, c = {0}, d = {0};
        for (int i = 0; i < HELD; i++) {
            a[i] = (uint32_t)first + (uint32_t)(start + i); /* first is a multiple of 16: no carry */
            b[i] = (uint32_t)(first >> 32);
        }
        uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
        UNROLL
        for (int round = 0; round < 10; round++) {
            word_vec upper_a, upper_c;
            const word_vec lower_a = multiply(a, 0xD2511F53u, &upper_a), lower_c = multiply(c, 0xCD9E8D57u, &upper_c);
            a = upper_c ^ b ^ low;
            b = lower_c;
            c = upper_a ^ d ^ high;
            d = lower_a;
            low += 0x9E3779B9u;
            high += 0xBB67AE85u;
        }
        memcpy(words + start, &a, sizeof a);
        memcpy(words + COUNTERS + start, &b, sizeof b);
        memcpy(words + 2 * COUNTERS + start, &c, sizeof c);
        memcpy(words + 3 * COUNTERS + start, &d, sizeof d);
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
