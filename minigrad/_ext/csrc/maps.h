/* Functions of each element of one array, or of the elements of two at the same place. */
#ifndef MINIGRAD_MAPS_H
#define MINIGRAD_MAPS_H

#include <stddef.h>

#include "status.h"

/* Their names, by which kernels.pyx numbers them; maps.c has each as a function of vectors. */
#define UNARY_MAPS(_)                                                                                                  \
    _(relu) _(leaky_relu) _(elu) _(hardtanh) _(hardsigmoid) _(hardswish) _(exp) _(log) _(tanh) _(sigmoid) _(erf)       \
    _(softplus) _(gelu) _(gelu_tanh) _(silu)
#define BINARY_MAPS(_)                                                                                                 \
    _(add) _(sub) _(mul) _(div) _(relu_input) _(leaky_relu_input) _(elu_input) _(hardtanh_input)                       \
    _(hardsigmoid_input) _(hardswish_input) _(tanh_input) _(sigmoid_input) _(softplus_input) _(gelu_input)             \
    _(gelu_tanh_input) _(silu_input) _(logistic_loss) _(logistic_slope) _(squared_difference) _(scaled_product)

#define MAP_NUMBER(name) MAP_##name,
enum { UNARY_MAPS(MAP_NUMBER) UNARY_COUNT };
enum { BINARY_MAPS(MAP_NUMBER) BINARY_COUNT };

extern const char *const unary_names[], *const binary_names[];
extern const int unary_count, binary_count;

#endif
