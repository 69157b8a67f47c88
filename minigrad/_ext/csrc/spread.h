/* The adjoint of an unpadded convolution, spread from the source: for small planes and large filters. */
#ifndef MINIGRAD_SPREAD_H
#define MINIGRAD_SPREAD_H

#include "implicit.h"

#define spread_takes NAME(spread_takes)
#define spread_product NAME(spread_product)

/* An implicit product gathers, for each place of the target, what all taps read there. Where windows reach beyond the
 * source on all sides, much of that is padding: a 5x5 filter, back from 10x10 to 14x14, would multiply as many zeros as
 * numbers. The same sums tap by tap: the source times that tap's filters, added to the target where the tap
 * shifts it, all of which lies inside. Is this such a product, and does it take less time so? */
int spread_takes(const implicit *product);

/* Without `finish`. */
status spread_product(const implicit *product);

#endif
