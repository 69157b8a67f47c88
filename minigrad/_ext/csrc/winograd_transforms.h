/* The transforms of Winograd's F(m, 3): m results of a filter with 3 taps from m + 2 inputs by m + 2 multiplications,
 * y = A' ((G g) * (B' d)). In two dimensions each is applied to columns and then to rows.
 *
 * The interpolation points are 0, 1, -1 and infinity for m = 2, and 2 and -2 as well for m = 4; the matrices are those
 * of Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308. The phases of strides have
 * F(2, 2) with the points 0, 1 and infinity, without fractions:
 * y0 = (d0 - d1) g0 + d1 (g0 + g1), y1 = d1 (g0 + g1) + (d2 - d1) g1, or one tap and no transform. */
#ifndef MINIGRAD_WINOGRAD_TRANSFORMS_H
#define MINIGRAD_WINOGRAD_TRANSFORMS_H

#include "winograd_tiles.h"

/* B': inputs d. */
INLINE void transform_input_line(const tile_form form, const vec d[], vec v[])
{
    if (form == SQUARE_2) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    } else if (form == STRIDED_3 || form == STRIDED_4) {
        v[0] = d[0] - d[2];
        v[1] = d[2];
        v[2] = d[4] - d[2];
        if (form == STRIDED_3) {
            v[3] = d[1];
            v[4] = d[3];
        } else {
            v[3] = d[1] - d[3];
            v[4] = d[3];
            v[5] = d[5] - d[3];
        }
    } else if (form == SPREAD_3) {
        v[0] = d[0];
        v[1] = d[0] - d[1];
        v[2] = d[1];
        v[3] = d[2] - d[1];
    } else if (form == SPREAD_4) {
        v[0] = d[0] - d[1];
        v[1] = d[1];
        v[2] = d[2] - d[1];
        v[3] = d[2];
        v[4] = d[3] - d[2];
    } else {
        const vec even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
        const vec even_2 = d[4] - d[2], odd_2 = 2 * (d[3] - d[1]);
        v[0] = 4 * d[0] + (d[4] - 5 * d[2]);
        v[1] = even + odd;
        v[2] = even - odd;
        v[3] = even_2 + odd_2;
        v[4] = even_2 - odd_2;
        v[5] = 4 * d[1] + (d[5] - 5 * d[3]);
    }
}

/* G: filters g. */
INLINE void transform_filter_line(const tile_form form, const vec g[], vec u[])
{
    if (form == SQUARE_2) {
        const vec even = (g[0] + g[2]) / 2, odd = g[1] / 2;
        u[0] = g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
    } else if (form == STRIDED_3 || form == STRIDED_4) {
        u[0] = g[0];
        u[1] = g[0] + g[2];
        u[2] = g[2];
        u[3] = g[1];
        if (form == STRIDED_3) {
            u[4] = g[1];
        } else {
            u[4] = g[1] + g[3];
            u[5] = g[3];
        }
    } else if (form == SPREAD_3) {
        u[0] = g[1];
        u[1] = g[1];
        u[2] = g[2];
        u[3] = g[0] + g[2];
        u[4] = g[0];
    } else if (form == SPREAD_4) {
        u[0] = g[3];
        u[1] = g[1] + g[3];
        u[2] = g[1];
        u[3] = -g[2]; /* for v[2], which is that of the other phase */
        u[4] = g[0] + g[2];
        u[5] = g[0];
    } else {
        const real sixth = (real)1 / 6, twelfth = (real)1 / 12, twenty_fourth = (real)1 / 24;
        const vec even = sixth * (g[0] + g[2]), odd = sixth * g[1];
        const vec even_2 = twenty_fourth * g[0] + sixth * g[2], odd_2 = twelfth * g[1];
        u[0] = g[0] / 4;
        u[1] = -(even + odd);
        u[2] = odd - even;
        u[3] = even_2 + odd_2;
        u[4] = even_2 - odd_2;
        u[5] = g[2];
    }
}

/* A': sums of products p. */
INLINE void transform_output_line(const tile_form form, const vec p[], vec y[])
{
    if (form == SQUARE_2) {
        y[0] = p[0] + p[1] + p[2];
        y[1] = p[1] - p[2] - p[3];
    } else if (form == STRIDED_3 || form == STRIDED_4) {
        y[0] = p[0] + p[1];
        y[1] = p[1] + p[2];
    } else if (form == SPREAD_3) {
        y[0] = p[0];
        y[1] = p[2] + p[3];
        y[2] = p[1];
        y[3] = p[3] + p[4];
    } else if (form == SPREAD_4) {
        y[0] = p[0] + p[1];
        y[1] = p[3] + p[4];
        y[2] = p[1] + p[2];
        y[3] = p[4] + p[5];
    } else {
        const vec even = p[1] + p[2], odd = p[1] - p[2], even_2 = p[3] + p[4], odd_2 = p[3] - p[4];
        y[0] = p[0] + even + even_2;
        y[1] = odd + 2 * odd_2;
        y[2] = even + 4 * even_2;
        y[3] = odd + 8 * odd_2 + p[5];
    }
}

/* A: cotangents g of the results. */
INLINE void transform_cotangent_line(const tile_form form, const vec g[], vec d[])
{
    if (form == SQUARE_2) {
        d[0] = g[0];
        d[1] = g[0] + g[1];
        d[2] = g[0] - g[1];
        d[3] = -g[1];
    } else if (form == STRIDED_3 || form == STRIDED_4) {
        d[0] = g[0];
        d[1] = g[0] + g[1];
        d[2] = g[1];
    } else {
        const vec even = g[0] + g[2], odd = g[1] + g[3], even_2 = g[0] + 4 * g[2], odd_2 = 2 * (g[1] + 4 * g[3]);
        d[0] = g[0];
        d[1] = even + odd;
        d[2] = even - odd;
        d[3] = even_2 + odd_2;
        d[4] = even_2 - odd_2;
        d[5] = g[3];
    }
}

/* G': cotangents p of the factors. */
INLINE void transform_gradient_line(const tile_form form, const vec p[], vec g[])
{
    if (form == SQUARE_2) {
        const vec even = (p[1] + p[2]) / 2, odd = (p[1] - p[2]) / 2;
        g[0] = p[0] + even;
        g[1] = odd;
        g[2] = even + p[3];
    } else if (form == STRIDED_3) {
        g[0] = p[0] + p[1];
        g[1] = p[3] + p[4];
        g[2] = p[1] + p[2];
    } else if (form == STRIDED_4) {
        g[0] = p[0] + p[1];
        g[1] = p[3] + p[4];
        g[2] = p[1] + p[2];
        g[3] = p[4] + p[5];
    } else {
        const real sixth = (real)1 / 6, twelfth = (real)1 / 12, twenty_fourth = (real)1 / 24;
        const vec even = p[1] + p[2], odd = p[2] - p[1], even_2 = p[3] + p[4], odd_2 = p[3] - p[4];
        g[0] = p[0] / 4 - sixth * even + twenty_fourth * even_2;
        g[1] = sixth * odd + twelfth * odd_2;
        g[2] = sixth * (even_2 - even) + p[5];
    }
}

typedef void (*line_transform)(const tile_form form, const vec from[], vec to[]);

/* Applies a transform of `in` to `out` elements to the columns of a square and then to its rows. */
INLINE void transform_square(line_transform line, const tile_form form, const int in, const int out, vec from[],
                             ptrdiff_t pitch, vec to[])
{
    vec half[MOST_SIDE][MOST_SIDE];
    UNROLL
    for (int column = 0; column < in; column++) {
        vec column_in[MOST_SIDE], column_out[MOST_SIDE];
        UNROLL
        for (int row = 0; row < in; row++)
            column_in[row] = from[row * pitch + column];
        line(form, column_in, column_out);
        UNROLL
        for (int row = 0; row < out; row++)
            half[row][column] = column_out[row];
    }
    UNROLL
    for (int row = 0; row < out; row++)
        line(form, half[row], to + row * out);
}

#endif
