/* Winograd's minimal filtering: convolutions with 3x3 filters, and at stride 2 with 3x3 and 4x4 filters, by fewer
 * multiplications, for float32.
 *
 * A tile of 4x4 results takes 36 multiplications instead of 144, one of 2x2 16 instead of 36, at stride 2 25 instead of
 * 36 or 36 instead of 64, at the price of rounding:
 * the relative error (in the 2-norm, against exact arithmetic, on random data of up to 512 channels) reaches 5e-6 for
 * tiles of 4x4, against 1e-6 for tiles of 2x2 and for direct summation. An infinity or NaN in the input reaches all
 * results of its tiles. */
#ifndef MINIGRAD_WINOGRAD_H
#define MINIGRAD_WINOGRAD_H

#include "implicit.h"
#include "weight.h"
#include "winograd_tiles.h"

#define winograd_form NAME(winograd_form)
#define winograd_spread_form NAME(winograd_spread_form)
#define winograd_product NAME(winograd_product)
#define winograd_weight_form NAME(winograd_weight_form)
#define weight_by_winograd NAME(weight_by_winograd)

/* Multiplications of a vector that take as long as copying an element of a tile by itself. */
static const double ELEMENT_COST = 3.3, PHASE_ELEMENT_COST = 2.2; /* the latter at stride 2, in longer runs */

/* The algorithm that was asked for, or the cheapest. */
INLINE tile_form cheapest_square(conv_algorithm algorithm, conv_choice *choice)
{
    tile_form form = algorithm == WINOGRAD_2 ? SQUARE_2 : SQUARE_4;
    if (algorithm != WINOGRAD_2 && algorithm != WINOGRAD_4) {
        const double winograd = choice->winograd_2 < choice->winograd_4 ? choice->winograd_2 : choice->winograd_4;
        form = choice->direct <= winograd ? NO_TILES : choice->winograd_2 < choice->winograd_4 ? SQUARE_2 : SQUARE_4;
    }
    if (form)
        choice->method = form == SQUARE_2 ? BY_WINOGRAD_2 : BY_WINOGRAD_4;
    return form;
}

/* The same at stride 2, where tiles have two results of a phase: they are WINOGRAD_2. */
INLINE tile_form cheaper_phases(tile_form form, conv_algorithm algorithm, conv_choice *choice)
{
    if (algorithm == WINOGRAD_4 || (algorithm == AUTOMATIC && choice->direct <= choice->winograd_2))
        return NO_TILES;
    choice->method = BY_WINOGRAD_PHASES;
    return form;
}

/* The form of the tiles by which to compute a product; NO_TILES if it cannot be computed so, or AUTOMATIC is asked for
 * and it does not pay. Depends on the shape and the instruction set only. Notes the costs in `choice`, and the method if
 * it is Winograd's. */
tile_form winograd_form(const implicit *product, conv_algorithm algorithm, conv_choice *choice);

/* The same for the adjoint in the source of a convolution of planes at stride 2, with 3x3 or 4x4 taps and an odd padding
 * before: all of its phases are one product, whose filter has its own order. Tap t is where the first window lies that
 * touches a result through it. */
tile_form winograd_spread_form(const implicit *product, conv_algorithm algorithm, conv_choice *choice);

status winograd_product(const implicit *product, tile_form form);

/* The same for the filter gradient, of gradients and windows that are not empty. */
tile_form winograd_weight_form(const weight_gradient *gradient, conv_algorithm algorithm, conv_choice *choice);
status weight_by_winograd(const weight_gradient *gradient, tile_form form);

#endif
