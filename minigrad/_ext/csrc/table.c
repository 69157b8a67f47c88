#include "conv.h"
#include "formula.h"
#include "kernels.h"
#include "matmul.h"
#include "map_kernels.h"
#include "norm.h"
#include "pool.h"
#include "random.h"
#include "reduce.h"
#include "resample.h"
#include "rows.h"
#include "separable.h"
#include "softmax.h"

extern const kernel_table NAME(kernels);
const kernel_table NAME(kernels) = {
    .conv = NAME(conv),
    .conv_input = NAME(conv_input),
    .conv_weight = NAME(conv_weight),
    .separable = NAME(separable),
    .matmul = NAME(matmul),
    .max_pool = NAME(max_pool),
    .sum_pool = NAME(sum_pool),
    .sum_pool_input = NAME(sum_pool_input),
    .pool_scatter = NAME(pool_scatter),
    .max_unpool = NAME(max_unpool),
    .pool_gather = NAME(pool_gather),
    .evaluate = NAME(evaluate),
    .sum_of_squares = NAME(sum_of_squares),
    .norm = NAME(norm),
    .norm_input = NAME(norm_input),
    .scale_channels = NAME(scale_channels),
    .softmax = NAME(softmax),
    .softmax_input = NAME(softmax_input),
    .cross_entropy = NAME(cross_entropy),
    .cross_entropy_input = NAME(cross_entropy_input),
    .map_unary = NAME(map_unary),
    .map_binary = NAME(map_binary),
    .sum_outer_inner = NAME(sum_outer_inner),
    .add_rows = NAME(add_rows),
    .resample = NAME(resample),
    .dropout = NAME(dropout),
};
