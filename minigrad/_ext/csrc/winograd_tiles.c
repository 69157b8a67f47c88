#include "winograd_tiles.h"

#include <string.h>

/* Idle tiles are multiplied too: one in so many is the most that chunks may cost. */
enum { LEAST_TILES_PER_IDLE = 6 };

static ptrdiff_t lowest_tap(const gather *from, int axis)
{
    ptrdiff_t lowest = from->tap[0][axis];
    for (ptrdiff_t tap = 1; tap < from->taps; tap++)
        lowest = smaller(lowest, from->tap[tap][axis]);
    return lowest;
}

void find_tile_products(tile_form form, tile_products *found)
{
    static const int8_t own[MOST_SIDE] = {0, 1, 2, 3, 4, 5};
    static const int8_t spread_3_inputs[MOST_SIDE] = {0, 2, 1, 2, 3}, spread_4_inputs[MOST_SIDE] = {0, 1, 2, 2, 3, 4};
    static const int8_t strided_3_sums[MOST_SIDE] = {0, 1, 2, 0, 2}, strided_4_sums[MOST_SIDE] = {0, 1, 2, 0, 1, 2};
    const int8_t *input = form == SPREAD_3 ? spread_3_inputs : form == SPREAD_4 ? spread_4_inputs : own;
    const int8_t *sum = form == STRIDED_3 ? strided_3_sums : form == STRIDED_4 ? strided_4_sums : own;
    const int factors = tile_factors(form);
    int8_t begun[MOST_POINTS] = {0};
    found->count = 0;
    for (int y = 0; y < factors; y++)
        for (int x = 0; x < factors; x++, found->count++) {
            const int8_t to = (int8_t)(sum[y] * tile_sums(form) + sum[x]);
            found->of[found->count].input = (int8_t)(input[y] * tile_inputs(form) + input[x]);
            found->of[found->count].sum = to;
            found->of[found->count].first = !begun[to];
            begun[to] = 1;
        }
}

int square_taps(const gather *from, int side, int step, ptrdiff_t tap_at[MOST_FILTER_TAPS])
{
    if (from->taps != side * side || from->plane[0] != 1 || from->grid[0] != 1)
        return 0;
    for (int axis = 1; axis < AXES; axis++)
        if (from->step[axis] != step)
            return 0;
    int found = 0;
    for (ptrdiff_t tap = 0; tap < from->taps; tap++) {
        const ptrdiff_t y = from->tap[tap][1] - lowest_tap(from, 1), x = from->tap[tap][2] - lowest_tap(from, 2);
        if (from->tap[tap][0] != 0 || y >= side || x >= side)
            return 0;
        tap_at[y * side + x] = tap;
        found |= 1 << (y * side + x);
    }
    return found == (1 << side * side) - 1;
}

tile_grid tile_grid_of(const gather *from, tile_form form, const ptrdiff_t result[AXES], ptrdiff_t batch,
                       ptrdiff_t channels)
{
    tile_grid grid = {.from = from, .form = form, .corner = {lowest_tap(from, 1), lowest_tap(from, 2)}};
    grid.result[0] = result[1];
    grid.result[1] = result[2];
    const int outputs = tile_outputs(form);
    const ptrdiff_t chunk = larger(1, LANES / tile_advance(form)), result_chunk = larger(1, LANES / outputs);
    const ptrdiff_t busy = ceil_div(result[2], outputs), chunks[] = {chunk, result_chunk, larger(chunk, result_chunk)};
    grid.lines = ceil_div(result[1], outputs);
    grid.line_tiles = busy;
    for (int i = 0; i < 3; i++) {
        const ptrdiff_t whole = round_up(busy, chunks[i]);
        if (whole > grid.line_tiles && (whole - busy) * LEAST_TILES_PER_IDLE <= busy)
            grid.line_tiles = whole;
    }
    grid.chunked = grid.line_tiles % chunk == 0;
    grid.chunked_results = grid.line_tiles % result_chunk == 0;
    grid.tiles = batch * grid.lines * grid.line_tiles;
    grid.image_pitch = channels * volume(result);
    return grid;
}

typedef struct {
    ptrdiff_t image, y, x; /* in tiles */
} tile_position;

static tile_position position_of(const tile_grid *grid, ptrdiff_t tile)
{
    const ptrdiff_t line = tile / grid->line_tiles;
    return (tile_position){line / grid->lines, line % grid->lines, tile % grid->line_tiles};
}

static ptrdiff_t clamp(ptrdiff_t value, ptrdiff_t low, ptrdiff_t high) { return larger(low, smaller(value, high)); }

static void place_patch_chunk(const tile_grid *grid, ptrdiff_t tile, int chunk, ptrdiff_t channels, patches *where)
{
    const gather *from = grid->from;
    const int advance = tile_advance(grid->form), side = patch_side(grid->form);
    const ptrdiff_t height = from->plane[1], width = from->plane[2], last_channel = (channels - 1) * height * width;
    const ptrdiff_t pitch = LANES + advance, needed = LANES + side - advance;
    const tile_position at = position_of(grid, tile);
    for (int row = 0; row < side; row++) {
        const ptrdiff_t y = at.y * advance + grid->corner[0] + row, x = at.x * advance + grid->corner[1];
        const ptrdiff_t offset = at.image * from->image_pitch + y * width + x;
        const int exists = tile < grid->tiles && y >= 0 && y < height;
        if (exists && x >= 0 && x + needed <= width && offset + last_channel + pitch <= from->total) {
            where->rows[chunk][row] = (chunk_row){offset, 1};
            continue;
        }
        const ptrdiff_t copy = (chunk * side + row) * pitch;
        where->rows[chunk][row] = (chunk_row){copy, 0};
        const ptrdiff_t begin = clamp(-x, 0, needed), end = exists ? clamp(width - x, begin, needed) : begin;
        if (begin < end)
            where->copy[where->copies++] = (piece){offset + begin, (int32_t)(copy + begin), (int32_t)(end - begin)};
    }
}

static void place_patch(const tile_grid *grid, ptrdiff_t tile, int lane, patches *where)
{
    const gather *from = grid->from;
    const int side = patch_side(grid->form), advance = tile_advance(grid->form);
    const ptrdiff_t height = from->plane[1], width = from->plane[2];
    const tile_position at = position_of(grid, tile);
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            const ptrdiff_t y = at.y * advance + grid->corner[0] + row, x = at.x * advance + grid->corner[1] + column;
            if (y >= 0 && y < height && x >= 0 && x < width)
                where->copy[where->copies++] = (piece){at.image * from->image_pitch + y * width + x,
                                                       (int32_t)((row * side + column) * LANES + lane), 1};
        }
}

void place_patches(const tile_grid *grid, ptrdiff_t first_tile, ptrdiff_t channels, patches *where)
{
    where->copies = 0;
    memset(where->copied, 0, sizeof where->copied);
    if (grid->chunked)
        for (int chunk = 0, chunks = tile_advance(grid->form); chunk < chunks; chunk++)
            place_patch_chunk(grid, first_tile + chunk * LANES / chunks, chunk, channels, where);
    else
        for (int lane = 0; lane < LANES && first_tile + lane < grid->tiles; lane++)
            place_patch(grid, first_tile + lane, lane, where);
}

void place_squares(const tile_grid *grid, ptrdiff_t first_tile, squares *where)
{
    const ptrdiff_t height = grid->result[0], width = grid->result[1];
    const int outputs = tile_outputs(grid->form), pieces = grid->chunked_results ? outputs : LANES;
    where->copies = 0;
    for (int number = 0; number < pieces; number++) {
        const ptrdiff_t tile = first_tile + number * LANES / pieces;
        const tile_position at = position_of(grid, tile);
        const ptrdiff_t first_x = at.x * outputs, first_y = at.y * outputs;
        const ptrdiff_t most = grid->chunked_results ? LANES : outputs;
        const ptrdiff_t columns = tile < grid->tiles ? clamp(width - first_x, 0, most) : 0;
        for (int row = 0; row < outputs; row++) {
            const ptrdiff_t count = first_y + row < height ? columns : 0;
            const ptrdiff_t source = count ? at.image * grid->image_pitch + (first_y + row) * width + first_x : 0;
            if (grid->chunked_results)
                where->rows[number][row] = (piece){source, 0, (int32_t)count};
            else
                for (ptrdiff_t column = 0; column < count; column++)
                    where->copy[where->copies++] =
                        (piece){source + column, (int32_t)((row * outputs + column) * LANES + number), 1};
        }
    }
}
