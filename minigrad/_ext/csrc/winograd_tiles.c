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

int square_taps(const gather *from, ptrdiff_t tap_at[FILTER_TAPS])
{
    if (from->taps != FILTER_TAPS || from->plane[0] != 1 || from->grid[0] != 1)
        return 0;
    for (int axis = 0; axis < AXES; axis++)
        if (from->step[axis] != 1)
            return 0;
    int found = 0;
    for (ptrdiff_t tap = 0; tap < FILTER_TAPS; tap++) {
        const ptrdiff_t y = from->tap[tap][1] - lowest_tap(from, 1), x = from->tap[tap][2] - lowest_tap(from, 2);
        if (from->tap[tap][0] != 0 || y >= FILTER_SIDE || x >= FILTER_SIDE)
            return 0;
        tap_at[y * FILTER_SIDE + x] = tap;
        found |= 1 << (y * FILTER_SIDE + x);
    }
    return found == (1 << FILTER_TAPS) - 1;
}

tile_grid tile_grid_of(const gather *from, int outputs, ptrdiff_t batch, ptrdiff_t channels)
{
    tile_grid grid = {.from = from, .outputs = outputs, .corner = {lowest_tap(from, 1), lowest_tap(from, 2)}};
    grid.lines = ceil_div(from->grid[1], outputs);
    const ptrdiff_t busy = ceil_div(from->grid[2], outputs), whole = round_up(busy, larger(1, LANES / outputs));
    grid.chunked = (whole - busy) * LEAST_TILES_PER_IDLE <= busy;
    grid.line_tiles = grid.chunked ? whole : busy;
    grid.tiles = batch * grid.lines * grid.line_tiles;
    grid.image_pitch = channels * volume(from->grid);
    return grid;
}

typedef struct {
    ptrdiff_t image, y, x; /* of its first result */
} tile_position;

static tile_position position_of(const tile_grid *grid, ptrdiff_t tile)
{
    const ptrdiff_t line = tile / grid->line_tiles;
    return (tile_position){line / grid->lines, line % grid->lines * grid->outputs,
                           tile % grid->line_tiles * grid->outputs};
}

static ptrdiff_t clamp(ptrdiff_t value, ptrdiff_t low, ptrdiff_t high) { return larger(low, smaller(value, high)); }

static void place_patch_chunk(const tile_grid *grid, ptrdiff_t tile, int chunk, ptrdiff_t channels, patches *where)
{
    const gather *from = grid->from;
    const int outputs = grid->outputs, side = tile_side(outputs);
    const ptrdiff_t height = from->plane[1], width = from->plane[2], last_channel = (channels - 1) * height * width;
    const ptrdiff_t pitch = LANES + outputs, needed = LANES + FILTER_SIDE - 1;
    const tile_position at = position_of(grid, tile);
    for (int row = 0; row < side; row++) {
        const ptrdiff_t y = at.y + grid->corner[0] + row, x = at.x + grid->corner[1];
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
    const int side = tile_side(grid->outputs);
    const ptrdiff_t height = from->plane[1], width = from->plane[2];
    const tile_position at = position_of(grid, tile);
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            const ptrdiff_t y = at.y + grid->corner[0] + row, x = at.x + grid->corner[1] + column;
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
        for (int chunk = 0; chunk < grid->outputs; chunk++)
            place_patch_chunk(grid, first_tile + chunk * LANES / grid->outputs, chunk, channels, where);
    else
        for (int lane = 0; lane < LANES && first_tile + lane < grid->tiles; lane++)
            place_patch(grid, first_tile + lane, lane, where);
}

void place_squares(const tile_grid *grid, ptrdiff_t first_tile, squares *where)
{
    const ptrdiff_t height = grid->from->grid[1], width = grid->from->grid[2];
    const int outputs = grid->outputs, pieces = grid->chunked ? outputs : LANES;
    where->copies = 0;
    for (int number = 0; number < pieces; number++) {
        const ptrdiff_t tile = first_tile + number * LANES / pieces;
        const tile_position at = position_of(grid, tile);
        const ptrdiff_t columns = tile < grid->tiles ? clamp(width - at.x, 0, grid->chunked ? LANES : outputs) : 0;
        for (int row = 0; row < outputs; row++) {
            const ptrdiff_t count = at.y + row < height ? columns : 0;
            const ptrdiff_t source = count ? at.image * grid->image_pitch + (at.y + row) * width + at.x : 0;
            if (grid->chunked)
                where->rows[number][row] = (piece){source, 0, (int32_t)count};
            else
                for (ptrdiff_t column = 0; column < count; column++)
                    where->copy[where->copies++] =
                        (piece){source + column, (int32_t)((row * outputs + column) * LANES + number), 1};
        }
    }
}
