#include "columns.h"

#include "scratch.h"

enum {
    DEPTH_BLOCK = 320,         /* a packed panel of the filter stays in the first-level cache */
    COLUMN_BLOCK = 16 * LANES, /* gathered columns stay in the second-level cache */
    LONG_BLOCK = 128 * LANES,  /* of few rows */
    PANEL_BYTES = 256 * 1024,
    REGION_BYTES = 512 * 1024, /* so does a region */
    GATHER_COST = 14,          /* multiplications of a vector that take as long as gathering one */
    BUFFER_COST = 12,          /* or as writing a vector of results through the buffer, not straight to the target */
    IN_PLACE_PANELS = 1,       /* so few read planes where they are; the first of more copies them */
};

/* A tile of one vector takes this many times half the time of one of two. */
static const double NARROW_COST = 1.5;

/* Where window (z, y, x) of an image is written. */
static ptrdiff_t target_of(const implicit *product, ptrdiff_t image, ptrdiff_t z, ptrdiff_t y, ptrdiff_t x)
{
    const ptrdiff_t *plane = product->target_plane, *step = product->target_step, *start = product->target_start;
    return image * product->groups * product->rows / product->shared * volume(plane) +
           ((z * step[0] + start[0]) * plane[1] + y * step[1] + start[1]) * plane[2] + x * step[2] + start[2];
}

/* Appends a tile, the products of which go to the runs that were appended since run `first_run`. */
static void add_tile(column_block *block, const implicit *product, ptrdiff_t offset, ptrdiff_t step, ptrdiff_t vectors,
                     ptrdiff_t first_run)
{
    const run *only = block->runs + first_run;
    tile *next = &block->tiles[block->tile_count++];
    *next = (tile){.target = -1, .offset = (int32_t)offset, .step = (int32_t)step, .vectors = (int32_t)vectors,
                   .buffer = (int32_t)block->buffer, .copy = offset};
    if (block->run_count - first_run == 1 && only->count == vectors * LANES && product->target_step[2] == 1) {
        next->target = only->target;
        block->run_count--;
    } else {
        block->buffer += vectors * LANES;
    }
}

/* Appends a run, from column `column` of the next tile on. */
static void add_run(column_block *block, ptrdiff_t target, ptrdiff_t column, ptrdiff_t count)
{
    block->runs[block->run_count++] = (run){target, (int32_t)(block->buffer + column), (int32_t)count};
}

/* Appends the runs of `count` columns from window `first` of all images on, from column `column` of the next tile on. */
static void add_windows(column_block *block, const column_plan *cut, ptrdiff_t first, ptrdiff_t count, ptrdiff_t column)
{
    const ptrdiff_t *grid = cut->product->from.grid, area = volume(grid);
    for (ptrdiff_t done = 0, taken; done < count; done += taken) {
        const ptrdiff_t image = (first + done) / area, place = (first + done) % area;
        const ptrdiff_t x = place % grid[2], y = place / grid[2] % grid[1], z = place / grid[2] / grid[1];
        taken = smaller(count - done, cut->dense ? area - place : grid[2] - x);
        add_run(block, target_of(cut->product, image, z, y, x), column + done, taken);
    }
}

static status prepare_panels(const column_plan *cut, ptrdiff_t number, column_block *block)
{
    const implicit *product = cut->product;
    const gather *from = &product->from;
    const ptrdiff_t first = number * cut->column_block, count = smaller(cut->column_block, cut->columns - first);
    const ptrdiff_t tiles = ceil_div(count, TILE_COLUMNS);
    block->most_pieces = round_up(count, LANES);
    block->panel_pitch = cut->depth_block * TILE_COLUMNS + LANES; /* gather_row may write beyond the last row */

    const size_t taps = (size_t)from->taps;
    block->runs = scratch(SCRATCH_PIECES, (size_t)count * sizeof(run) + (size_t)tiles * sizeof(tile) +
                                              taps * ((size_t)block->most_pieces * sizeof(piece) + sizeof(int32_t)));
    block->copied = scratch(SCRATCH_COLUMNS, (size_t)(tiles * block->panel_pitch) * sizeof(real));
    if (!block->runs || !block->copied)
        return NO_MEMORY;
    block->tiles = (tile *)(block->runs + count);
    block->pieces = (piece *)(block->tiles + tiles);
    block->piece_count = (int32_t *)(block->pieces + from->taps * block->most_pieces);
    for (ptrdiff_t tap = 0; tap < from->taps; tap++)
        block->piece_count[tap] = (int32_t)tabulate_pieces(from, tap, first, count, TILE_COLUMNS, block->panel_pitch,
                                                           block->pieces + tap * block->most_pieces);
    for (ptrdiff_t column = 0; column < count; column += TILE_COLUMNS) {
        const ptrdiff_t width = smaller(TILE_COLUMNS, count - column), first_run = block->run_count;
        add_windows(block, cut, first + column, width, 0);
        add_tile(block, product, column / TILE_COLUMNS * block->panel_pitch, LANES, ceil_div(width, LANES), first_run);
    }
    return OK;
}

/* The last tile of a plane begins earlier if it would read beyond the plane; what it computes again is not written. */
static status prepare_planes(const column_plan *cut, ptrdiff_t number, ptrdiff_t panels, column_block *block)
{
    const implicit *product = cut->product;
    const ptrdiff_t plane = volume(product->from.plane), cuts = ceil_div(plane, cut->column_block);
    const ptrdiff_t first = number % cuts * cut->column_block, end = smaller(plane, first + cut->column_block);
    const ptrdiff_t tiles = ceil_div(end - first, TILE_COLUMNS);
    block->image = number / cuts;

    const size_t rows = (size_t)(cut->depth_block + PREFETCH_STEPS);
    block->runs = scratch(SCRATCH_PIECES, (size_t)(end - first) * sizeof(run) + (size_t)tiles * sizeof(tile) +
                                              rows * sizeof(int32_t));
    const ptrdiff_t copy_pitch = cut->depth_block * TILE_COLUMNS;
    block->copied =
        panels > IN_PLACE_PANELS ? scratch(SCRATCH_COLUMNS, (size_t)(tiles * copy_pitch) * sizeof(real)) : NULL;
    if (!block->runs || (panels > IN_PLACE_PANELS && !block->copied))
        return NO_MEMORY;
    block->tiles = (tile *)(block->runs + (end - first));
    block->row_offset = (int32_t *)(block->tiles + tiles);
    for (ptrdiff_t k = 0; k < cut->depth_block + PREFETCH_STEPS; k++)
        block->row_offset[k] = (int32_t)(k * plane);
    const ptrdiff_t tile_columns = cut->tile_vectors * LANES;
    for (ptrdiff_t column = first; column < end; column += tile_columns) {
        const ptrdiff_t width = smaller(tile_columns, end - column), vectors = ceil_div(width, LANES);
        const ptrdiff_t back = larger(0, column + vectors * LANES - plane), first_run = block->run_count;
        add_windows(block, cut, block->image * plane + column, width, back);
        add_tile(block, product, column - back, LANES, vectors, first_run);
        block->tiles[block->tile_count - 1].copy = (block->tile_count - 1) * copy_pitch;
    }
    return OK;
}

/* Tiles for the windows of one slice of a region, from window `at` on, which reads from element `line` on: all lines
 * end to end, with their padding. */
static void add_padded_lines(column_block *block, const column_plan *cut, ptrdiff_t image, const ptrdiff_t at[AXES],
                             const ptrdiff_t size[AXES], ptrdiff_t line)
{
    const implicit *product = cut->product;
    const ptrdiff_t tile_columns = cut->tile_vectors * LANES;
    const ptrdiff_t pitch = block->copy.extent[2], count = (size[1] - 1) * pitch + size[2],
                    first_run = block->run_count;
    for (ptrdiff_t y = 0; y < size[1]; y++)
        add_run(block, target_of(product, image, at[0], at[1] + y, at[2]), y * pitch, size[2]);
    for (ptrdiff_t column = 0; column < count; column += tile_columns)
        add_tile(block, product, line + column, LANES, smaller(cut->tile_vectors, ceil_div(count - column, LANES)),
                 count <= tile_columns ? first_run : block->run_count);
}

/* The same, each line by itself; lines of one vector share a tile. */
static void add_window_lines(column_block *block, const column_plan *cut, ptrdiff_t image, const ptrdiff_t at[AXES],
                             const ptrdiff_t size[AXES], ptrdiff_t line)
{
    const implicit *product = cut->product;
    const ptrdiff_t pitch = block->copy.extent[2], tile_columns = cut->tile_vectors * LANES;
    const int contiguous = cut->dense && size[2] == LANES && size[2] == product->target_plane[2];
    for (ptrdiff_t y = 0, lines; y < size[1]; y += lines) {
        lines = size[2] <= LANES ? smaller(cut->tile_vectors, size[1] - y) : 1;
        for (ptrdiff_t x = 0; x < size[2]; x += tile_columns) {
            const ptrdiff_t first_run = block->run_count, width = smaller(tile_columns, size[2] - x);
            if (contiguous)
                add_run(block, target_of(product, image, at[0], at[1] + y, at[2]), 0, lines * LANES);
            else
                for (ptrdiff_t i = 0; i < lines; i++)
                    add_run(block, target_of(product, image, at[0], at[1] + y + i, at[2] + x), i * LANES, width);
            add_tile(block, product, line + y * pitch + x, lines > 1 ? pitch : LANES,
                     lines > 1 ? lines : ceil_div(width, LANES), first_run);
        }
    }
}

static status prepare_region(const column_plan *cut, ptrdiff_t number, column_block *block)
{
    const implicit *product = cut->product;
    const gather *from = &product->from;
    const ptrdiff_t *cuts = cut->cuts;
    const ptrdiff_t image = number / volume(cuts);
    ptrdiff_t *first = block->first, size[AXES];
    block->image = image;
    first[0] = number / cuts[2] / cuts[1] % cuts[0];
    first[1] = number / cuts[2] % cuts[1];
    first[2] = number % cuts[2];
    for (int axis = 0; axis < AXES; axis++) {
        first[axis] *= cut->size[axis];
        size[axis] = smaller(cut->size[axis], from->grid[axis] - first[axis]);
    }
    block->copy = region_of(&cut->taps, size);
    const ptrdiff_t *extent = block->copy.extent, lines = size[0] * size[1];
    const ptrdiff_t most_tiles = ceil_div(volume(extent), TILE_COLUMNS) + lines * ceil_div(size[2], TILE_COLUMNS);
    const ptrdiff_t channels = cut->depth_block / from->taps;

    const size_t rows = (size_t)(cut->depth_block + PREFETCH_STEPS);
    block->runs = scratch(SCRATCH_PIECES, (size_t)(lines + most_tiles) * sizeof(run) +
                                              (size_t)most_tiles * sizeof(tile) + rows * sizeof(int32_t));
    /* The last tile may read beyond the last channel, and fill_region may write there. */
    block->elements = block->copied =
        scratch(SCRATCH_COLUMNS, (size_t)(channels * block->copy.channel_pitch + TILE_COLUMNS + LANES) * sizeof(real));
    if (!block->runs || !block->elements)
        return NO_MEMORY;
    block->tiles = (tile *)(block->runs + lines + most_tiles);
    block->row_offset = (int32_t *)(block->tiles + most_tiles);

    int32_t *offset = block->row_offset;
    for (ptrdiff_t channel = 0; channel < channels; channel++)
        for (ptrdiff_t tap = 0; tap < from->taps; tap++)
            *offset++ = (int32_t)(channel * block->copy.channel_pitch + tap_in_region(&cut->taps, &block->copy, tap));
    for (int k = 0; k < PREFETCH_STEPS; k++)
        *offset++ = 0;

    for (ptrdiff_t z = 0; z < size[0]; z++) {
        const ptrdiff_t line = z * extent[1] * extent[2];
        const ptrdiff_t at[AXES] = {first[0] + z, first[1], first[2]};
        if (cut->form == PADDED_LINES)
            add_padded_lines(block, cut, image, at, size, line);
        else
            add_window_lines(block, cut, image, at, size, line);
    }
    return OK;
}

status prepare_columns(const column_plan *cut, ptrdiff_t number, ptrdiff_t panels, column_block *block)
{
    block->tile_count = block->run_count = block->buffer = 0;
    if (cut->form == PANELS)
        return prepare_panels(cut, number, block);
    return cut->form == PLANES ? prepare_planes(cut, number, panels, block) : prepare_region(cut, number, block);
}

void fill_columns(const column_plan *cut, column_block *block, ptrdiff_t group, ptrdiff_t begin, ptrdiff_t depth)
{
    const implicit *product = cut->product;
    const gather *from = &product->from;
    if (depth == 0)
        return;
    const ptrdiff_t plane = volume(from->plane);
    ptrdiff_t channel = group * product->channels + begin / from->taps, tap = begin % from->taps;
    if (cut->form == PLANES) {
        block->elements = product->source + block->image * from->image_pitch + channel * plane;
        return;
    }
    if (cut->form != PANELS) {
        fill_region(from, &cut->taps, &block->copy, block->first, product->source,
                    block->image * from->image_pitch + channel * plane, depth / from->taps, block->copied);
        return;
    }
    for (ptrdiff_t k = 0; k < depth; k++) {
        gather_row(from, product->source, channel * plane, block->pieces + tap * block->most_pieces,
                   block->piece_count[tap], block->copied + k * TILE_COLUMNS);
        if (++tap == from->taps) {
            tap = 0;
            channel++;
        }
    }
}

/* Long stretches of each row are read faster, as long as the block stays in the second-level cache. */
static ptrdiff_t longest_block(const column_plan *cut)
{
    const ptrdiff_t fits = PANEL_BYTES / (ptrdiff_t)sizeof(real) / larger(1, cut->depth_block);
    return larger(COLUMN_BLOCK, smaller(LONG_BLOCK, fits / TILE_COLUMNS * TILE_COLUMNS));
}

static void cut_panels(column_plan *cut, int shared_out, ptrdiff_t threads)
{
    cut->blocks = ceil_div(cut->columns, longest_block(cut));
    if (cut->blocks < 4 * threads && !(cut->blocks == 1 && shared_out)) /* few blocks: a multiple of the threads */
        cut->blocks = smaller(round_up(cut->blocks, threads), ceil_div(cut->columns, 2 * TILE_COLUMNS));
    cut->column_block = round_up(ceil_div(cut->columns, cut->blocks), TILE_COLUMNS);
    cut->blocks = ceil_div(cut->columns, cut->column_block);
}

/* Are the columns the planes themselves, and long enough for a tile? */
static int are_planes(const implicit *product)
{
    const gather *from = &product->from;
    if (from->taps != 1)
        return 0;
    for (int axis = 0; axis < AXES; axis++)
        if (from->tap[0][axis] != 0 || from->step[axis] != 1 || from->grid[axis] != from->plane[axis])
            return 0;
    const ptrdiff_t plane = volume(from->plane);
    return plane >= TILE_COLUMNS && plane < INT32_MAX / (DEPTH_BLOCK + PREFETCH_STEPS);
}

static void cut_planes(column_plan *cut)
{
    cut->columns = volume(cut->product->from.plane);
    const ptrdiff_t cuts = ceil_div(cut->columns, longest_block(cut));
    cut->column_block = round_up(ceil_div(cut->columns, cuts), TILE_COLUMNS);
    cut->blocks = cut->product->batch * ceil_div(cut->columns, cut->column_block);
}

/* Cuts the grid into blocks of about COLUMN_BLOCK columns: whole rows if they are not longer than that. */
static void cut_regions(column_plan *cut)
{
    const gather *from = &cut->product->from;
    const ptrdiff_t target = cut->product->rows <= 2 * TILE_ROWS ? 4 * COLUMN_BLOCK : COLUMN_BLOCK;
    cut->size[0] = 1;
    cut->size[2] = ceil_div(from->grid[2], ceil_div(from->grid[2], target));
    cut->size[1] = larger(1, target / (cut->size[2] + cut->taps.reach[2]));
    cut->size[1] = ceil_div(from->grid[1], ceil_div(from->grid[1], cut->size[1]));
    for (int axis = 0; axis < AXES; axis++)
        cut->cuts[axis] = ceil_div(from->grid[axis], cut->size[axis]);
    cut->blocks = cut->product->batch * volume(cut->cuts);

    const region copy = region_of(&cut->taps, cut->size);
    ptrdiff_t channels = smaller(DEPTH_BLOCK / from->taps, REGION_BYTES / (ptrdiff_t)sizeof(real) / copy.channel_pitch);
    channels = larger(1, smaller(channels, cut->product->channels));
    channels = ceil_div(cut->product->channels, ceil_div(cut->product->channels, channels));
    cut->depth_block = channels * from->taps;
}

/* Gathering costs the same for every row of the matrix, multiplying meaningless columns the more the more filters there
 * are. */
static column_form choose_form(const column_plan *cut)
{
    const implicit *product = cut->product;
    const gather *from = &product->from;
    const ptrdiff_t width = from->grid[2], rest = width % TILE_COLUMNS;
    const double buffered = BUFFER_COST / (double)(product->channels * from->taps);
    const double in_padded_lines = (double)(width + cut->taps.reach[2]) / (double)width + buffered;
    double rest_cost = TILE_COLUMNS;
    if (rest <= LANES)
        rest_cost = width <= LANES ? LANES : NARROW_COST * LANES;
    if (rest == 0)
        rest_cost = 0;
    const double in_window_lines = ((double)(width - rest) + rest_cost) / (double)width + (width % LANES ? buffered : 0);

    const column_form lines = in_padded_lines <= in_window_lines ? PADDED_LINES : WINDOW_LINES;
    const double wasted = (lines == PADDED_LINES ? in_padded_lines : in_window_lines) - 1;
    const double copied = (double)region_of(&cut->taps, cut->size).channel_pitch / (double)volume(cut->size);
    const double gathered = (double)from->taps;
    return (double)product->rows * wasted * gathered + GATHER_COST * copied < GATHER_COST * gathered ? lines : PANELS;
}

void cut_columns(const implicit *product, row_panels panels, ptrdiff_t threads, void *shift_memory, column_plan *cut)
{
    const gather *from = &product->from;
    *cut = (column_plan){.product = product, .form = PANELS, .dense = 1, .tile_vectors = TILE_VECTORS};
    for (int axis = 0; axis < AXES; axis++)
        cut->dense &= product->target_step[axis] == 1 && from->grid[axis] == product->target_plane[axis];
    if (from->taps > 1 && from->taps <= DEPTH_BLOCK && product->channels > 0) {
        find_shifts(from, shift_memory, &cut->taps);
        cut_regions(cut);
        cut->form = choose_form(cut);
    }
    const ptrdiff_t widest = widest_tile(tallest_panel(panels));
    if (cut->form != PANELS) {
        cut->tile_vectors = widest;
        return;
    }
    cut->columns = product->batch * volume(from->grid);
    const int shared_out = panels.count >= 4 * threads; /* threads share the panels of a single block of columns */
    cut->streamed = rows_in_order(product) && cut->columns <= COLUMN_BLOCK && shared_out;
    const ptrdiff_t depth = product->channels * from->taps, most = cut->streamed ? STRIDED_STEPS : DEPTH_BLOCK;
    cut->depth_block = ceil_div(depth, larger(1, ceil_div(depth, most)));
    if (are_planes(product) && !cut->streamed) {
        cut->form = PLANES;
        cut_planes(cut);
        if (panels.count <= IN_PLACE_PANELS && cut->columns >= widest * LANES)
            cut->tile_vectors = widest;
    } else {
        cut_panels(cut, shared_out, threads);
    }
}
