/* The transform of the source, which the product and the filter gradient have in common. */
#ifndef MINIGRAD_WINOGRAD_PATCHES_H
#define MINIGRAD_WINOGRAD_PATCHES_H

#include "winograd_tiles.h"

#define patches_to_points NAME(patches_to_points)

/* Transforms a vector of tiles of channels begin .. end - 1: to[point * point_pitch + channel * channel_pitch]. */
void patches_to_points(const tile_grid *grid, const real *source, ptrdiff_t first_tile, ptrdiff_t begin, ptrdiff_t end,
                       real *to, ptrdiff_t channel_pitch, ptrdiff_t point_pitch);

#endif
