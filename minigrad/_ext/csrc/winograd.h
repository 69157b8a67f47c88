/* Winograd's minimal filtering: convolutions with 3x3 filters by fewer multiplications, for float32.
 *
 * A tile of 4x4 results takes 36 multiplications instead of 144, one of 2x2 16 instead of 36, at the price of rounding:
 * the relative error (in the 2-norm, against exact arithmetic, on random data of up to 512 channels) reaches 5e-6 for
 * tiles of 4x4, against 1e-6 for tiles of 2x2 and for direct summation. An infinity or NaN in the input reaches all
 * results of its tiles. */
#ifndef MINIGRAD_WINOGRAD_H
#define MINIGRAD_WINOGRAD_H

#include "implicit.h"
#include "weight.h"

#define winograd_outputs NAME(winograd_outputs)
#define winograd_product NAME(winograd_product)
#define winograd_weight_outputs NAME(winograd_weight_outputs)
#define weight_by_winograd NAME(weight_by_winograd)

/* Multiplications of a vector that take as long as copying an element of a tile by itself. */
static const double ELEMENT_COST = 3.3;

/* The algorithm that was asked for, or the cheapest. */
INLINE int cheapest_outputs(conv_algorithm algorithm, conv_choice *choice)
{
    int outputs = algorithm == WINOGRAD_2 ? 2 : 4;
    if (algorithm != WINOGRAD_2 && algorithm != WINOGRAD_4) {
        const double winograd = choice->winograd_2 < choice->winograd_4 ? choice->winograd_2 : choice->winograd_4;
        outputs = choice->direct <= winograd ? 0 : choice->winograd_2 < choice->winograd_4 ? 2 : 4;
    }
    if (outputs)
        choice->method = outputs == 2 ? BY_WINOGRAD_2 : BY_WINOGRAD_4;
    return outputs;
}

/* The side of the tiles by which to compute a product: 2 or 4; 0 if it cannot be computed so, or AUTOMATIC is asked for
 * and it does not pay. Depends on the shape and the instruction set only. Notes the costs in `choice`, and the method if
 * it is Winograd's. */
int winograd_outputs(const implicit *product, conv_algorithm algorithm, conv_choice *choice);

status winograd_product(const implicit *product, int outputs);

/* The same for the filter gradient, of gradients and windows that are not empty. */
int winograd_weight_outputs(const weight_gradient *gradient, conv_algorithm algorithm, conv_choice *choice);
status weight_by_winograd(const weight_gradient *gradient, int outputs);

#endif
