#include "conv.h"
#include "formula.h"
#include "kernels.h"
#include "matmul.h"
#include "pool.h"

extern const kernel_table NAME(kernels);
const kernel_table NAME(kernels) = {
    .conv = NAME(conv),
    .conv_input = NAME(conv_input),
    .conv_weight = NAME(conv_weight),
    .matmul = NAME(matmul),
    .max_pool = NAME(max_pool),
    .sum_pool = NAME(sum_pool),
    .sum_pool_input = NAME(sum_pool_input),
    .pool_scatter = NAME(pool_scatter),
    .max_unpool = NAME(max_unpool),
    .pool_gather = NAME(pool_gather),
    .evaluate = NAME(evaluate),
    .sum_of_squares = NAME(sum_of_squares),
};
