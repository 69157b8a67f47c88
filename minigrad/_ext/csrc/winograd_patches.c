#include "winograd_patches.h"

#include "winograd_transforms.h"

#if REAL_BYTES == 4

enum { CHANNELS_AHEAD = 2 };

INLINE void transform_patches(const tile_form form, const tile_grid *grid, const int chunked, const real *source,
                              ptrdiff_t first_tile, ptrdiff_t begin, ptrdiff_t end, real *to, ptrdiff_t channel_pitch,
                              ptrdiff_t point_pitch)
{
    const ptrdiff_t plane = volume(grid->from->plane);
    patches where;
    place_patches(grid, first_tile, end, &where);
    for (ptrdiff_t channel = begin; channel < end; channel++) {
        vec patch[MOST_SIDE][MOST_SIDE], points[MOST_POINTS];
        read_patches(form, chunked, &where, source + channel * plane, CHANNELS_AHEAD * plane, patch);
        transform_square(transform_input_line, form, patch_side(form), tile_inputs(form), patch[0], MOST_SIDE, points);
        UNROLL
        for (int point = 0; point < tile_inputs(form) * tile_inputs(form); point++)
            store(to + point * point_pitch + channel * channel_pitch, points[point]);
    }
}

void patches_to_points(const tile_grid *grid, const real *source, ptrdiff_t first_tile, ptrdiff_t begin, ptrdiff_t end,
                       real *to, ptrdiff_t channel_pitch, ptrdiff_t point_pitch)
{
#define TRANSFORM(form)                                                                                                \
    case form:                                                                                                         \
        if (grid->chunked)                                                                                             \
            transform_patches(form, grid, 1, source, first_tile, begin, end, to, channel_pitch, point_pitch);          \
        else                                                                                                           \
            transform_patches(form, grid, 0, source, first_tile, begin, end, to, channel_pitch, point_pitch);          \
        break;
    switch (grid->form) {
        FOR_EACH_FORM(TRANSFORM)
    case NO_TILES:
        break;
    }
}

#endif
