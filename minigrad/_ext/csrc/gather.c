#include "gather.h"

typedef struct {
    piece *pieces;
    ptrdiff_t count, column, width, pitch, step;
} piece_list;

static int continues(const piece *last, ptrdiff_t step, ptrdiff_t source)
{
    return source < 0 ? last->source < 0 : last->source >= 0 && last->source + last->count * step == source;
}

/* Appends the next `count` columns: split where a panel ends, joined to the piece before where they continue it. */
static void append(piece_list *list, ptrdiff_t source, ptrdiff_t count)
{
    while (count > 0) {
        ptrdiff_t lane = list->column % list->width;
        ptrdiff_t fits = smaller(count, list->width - lane);
        if (lane > 0 && continues(&list->pieces[list->count - 1], list->step, source))
            list->pieces[list->count - 1].count += (int32_t)fits;
        else
            list->pieces[list->count++] =
                (piece){source, (int32_t)(list->column / list->width * list->pitch + lane), (int32_t)fits};
        list->column += fits;
        count -= fits;
        if (source >= 0)
            source += fits * list->step;
    }
}

ptrdiff_t tabulate_pieces(const gather *from, ptrdiff_t tap, ptrdiff_t first, ptrdiff_t count, ptrdiff_t width,
                          ptrdiff_t pitch, piece *pieces)
{
    const ptrdiff_t *grid = from->grid, *plane = from->plane, *step = from->step, *offset = from->tap[tap];
    piece_list list = {pieces, 0, 0, width, pitch, step[2]};

    /* Along the last axis, positions valid_begin .. valid_end - 1 of the grid read inside of the plane. */
    ptrdiff_t valid_begin = offset[2] < 0 ? ceil_div(-offset[2], step[2]) : 0;
    ptrdiff_t valid_end = offset[2] < plane[2] ? ceil_div(plane[2] - offset[2], step[2]) : 0;
    valid_begin = smaller(valid_begin, grid[2]);
    valid_end = larger(smaller(valid_end, grid[2]), valid_begin);

    ptrdiff_t image = first / volume(grid), rest = first % volume(grid);
    ptrdiff_t x = rest % grid[2], y = rest / grid[2] % grid[1], z = rest / grid[2] / grid[1];
    while (list.column < count) {
        ptrdiff_t end = smaller(grid[2], x + count - list.column);
        ptrdiff_t source_z = z * step[0] + offset[0], source_y = y * step[1] + offset[1];
        if (source_z < 0 || source_z >= plane[0] || source_y < 0 || source_y >= plane[1]) {
            append(&list, -1, end - x);
        } else {
            ptrdiff_t begin_read = smaller(larger(x, valid_begin), end),
                      end_read = larger(smaller(end, valid_end), begin_read);
            ptrdiff_t row = image * from->image_pitch + (source_z * plane[1] + source_y) * plane[2];
            append(&list, -1, begin_read - x);
            append(&list, row + begin_read * step[2] + offset[2], end_read - begin_read);
            append(&list, -1, end - end_read);
        }
        x = 0;
        if (++y == grid[1]) {
            y = 0;
            if (++z == grid[0]) {
                z = 0;
                image++;
            }
        }
    }
    append(&list, -1, round_up(count, LANES) - count);
    return list.count;
}

void gather_row(const gather *from, const real *source, ptrdiff_t channel, const piece *pieces, ptrdiff_t count,
                real *target)
{
    const ptrdiff_t step = from->step[2];
    for (const piece *p = pieces; p < pieces + count; p++) {
        real *to = target + p->target;
        const real *read = source + channel + p->source;
        const ptrdiff_t whole_vectors = round_up(p->count, LANES);
        if (p->source < 0) {
            for (ptrdiff_t i = 0; i < p->count; i += LANES)
                store(to + i, zero_vector());
        } else if (step <= 2 && channel + p->source + whole_vectors * step <= from->total) {
            if (step == 1)
                for (ptrdiff_t i = 0; i < p->count; i += LANES)
                    store(to + i, load(read + i));
            else
                for (ptrdiff_t i = 0; i < p->count; i += LANES)
                    store(to + i, load_even(read + 2 * i));
        } else {
            for (ptrdiff_t i = 0; i < p->count; i++)
                to[i] = read[i * step];
        }
    }
}
