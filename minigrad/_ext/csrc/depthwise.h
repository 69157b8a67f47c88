/* Depthwise convolution: so few filters a group that there is no matrix to multiply. */
#ifndef MINIGRAD_DEPTHWISE_H
#define MINIGRAD_DEPTHWISE_H

#include "implicit.h"

#define depthwise_takes NAME(depthwise_takes)
#define depthwise_product NAME(depthwise_product)

/* Are the groups small enough? Depends on the shape and the instruction set only. */
int depthwise_takes(const implicit *product);

status depthwise_product(const implicit *product);

#endif
