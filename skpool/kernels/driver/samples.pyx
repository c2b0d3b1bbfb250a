"""Windows by their samples one by one: what is sorted, counted, or has a footprint."""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcpy, memset
from skpool.kernels.driver.across cimport Ladder, across, begin_tile
from skpool.kernels.driver.axes cimport Axis, columns_under, find_whole, start_of
from skpool.kernels.driver.call cimport BLOCK, Call, Recipe, Scratch, Segment, picked_pitch
from skpool.kernels.driver.results cimport write_run
from skpool.kernels.driver.rows cimport (
    advance, completed, fill_row, find_rows, find_segments, prepare, row_of, seek, slide_rows, slot_of, slot_row,
    slot_valid,
)
from skpool.kernels.driver.tree cimport Tree, copy_state, finish_tree, grow
from skpool.kernels.memory cimport (
    LONG_ROW, skpool_prefetch, skpool_prefetch_near, skpool_streamed, whole_columns,
)
from skpool.kernels.shelf cimport divided_up
from skpool.kernels.table cimport Kernel, Tile

cdef enum:
    FETCHED = 1024          # bytes of a row's beginning that are asked for


cdef void lay_row(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t r,
    Py_ssize_t place,
) noexcept nogil:
    """Listed row `r`, at `place` in the window, over all segments: as it lies or was kept, or put together."""
    cdef const Recipe* recipe = call.recipe
    cdef const Segment* segment = segments
    cdef Py_ssize_t s, slot, offset, n
    cdef int64_t name = scratch.name[r]
    cdef const void* row
    cdef const uint8_t* valid = NULL
    cdef char* target
    cdef uint8_t* valid_target
    cdef bint found = False, counts = recipe.masked
    cdef bint alone = segments_found == 1 and segment.sources == NULL and segment.first >= 0
    if alone and scratch.sources[r] != NULL and call.rows_in_place and not recipe.masked:
        scratch.lane_rows[place] = <char*> scratch.sources[r] + segment.first * call.image.column
        scratch.lane_valid[place] = NULL
        return
    for s in range(segments_found):
        counts = counts or (segments[s].first < 0 and segments[s].sources == NULL)
    if scratch.sources[r] == NULL:
        name = -2 - place                                  # not to be found again
    slot = slot_of(scratch, call, name, &found)
    target = slot_row(scratch, call, slot)
    valid_target = slot_valid(scratch, call, slot)
    scratch.lane_rows[place] = target
    scratch.lane_valid[place] = valid_target if counts else NULL
    if found and name >= 0:
        return
    for s in range(segments_found):
        segment = &segments[s]
        offset = segment.offset * recipe.inner
        if segment.first < 0 and segment.sources == NULL:
            n = segment.columns * recipe.inner
            fill_row(target + offset * recipe.row_width, recipe.neutral, recipe.row_width, n)
            memset(valid_target + offset, 0, n)
            continue
        prepare(
            scratch, call, segment, r, target + offset * recipe.row_width, valid_target + offset, &row, &valid,
        )
        if row != target + offset * recipe.row_width:
            memcpy(target + offset * recipe.row_width, row, segment.columns * recipe.inner * recipe.row_width)
            if recipe.leading and call.rows_in_place and segment.sources == NULL:
                skpool_prefetch(
                    <const char*> row + call.image.leading[recipe.leading - 1],
                    segment.columns * recipe.inner * recipe.row_width,
                )
        if counts and valid == NULL:
            memset(valid_target + offset, 1, segment.columns * recipe.inner)


cdef bint lay_rows(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found,
) noexcept nogil:
    """All rows of the window, absent ones too; whether all samples of all of them count."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t r, columns = recipe.axes[recipe.leading].taps
    cdef bint whole = scratch.listed == recipe.most_rows
    if not whole:
        for r in range(recipe.most_rows):
            scratch.lane_rows[r] = scratch.absent
            scratch.lane_valid[r] = scratch.nowhere
    for r in range(scratch.listed):
        lay_row(scratch, call, segments, segments_found, r, scratch.order[r] // columns)
        whole = whole and scratch.lane_valid[scratch.order[r] // columns] == NULL
    return whole


cdef void gather_samples(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs, bint whole,
) noexcept nogil:
    """Where the samples of each tap are, for each of the outputs in a row."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t inner = recipe.inner, pitch = picked_pitch(call), t, j, c, column, offset
    cdef const char* row
    cdef const uint8_t* valid
    cdef char* picked
    cdef uint8_t* picked_valid
    for t in range(recipe.taps):
        column = recipe.tap_columns[t]
        offset = column * axis.step * inner
        row = scratch.lane_rows[recipe.tap_rows[t]]
        valid = scratch.lane_valid[recipe.tap_rows[t]]
        picked = scratch.picked + t * pitch * recipe.row_width
        picked_valid = scratch.picked_valid + t * pitch
        if axis.start == NULL and axis.stride == 1:
            scratch.samples[t] = row + offset * recipe.row_width
            scratch.valid_samples[t] = valid
            if valid != NULL:
                scratch.valid_samples[t] = valid + offset
            continue
        scratch.samples[t] = picked
        scratch.valid_samples[t] = picked_valid
        if valid == NULL and axis.start == NULL:
            scratch.valid_samples[t] = NULL
        if axis.start == NULL:
            recipe.compact_rows(picked, row + offset * recipe.row_width, outputs, axis.stride, inner)
            if valid != NULL:
                recipe.compact_mask(picked_valid, valid + offset, outputs, axis.stride, inner)
            continue
        for j in range(outputs):
            scratch.picks[j] = (axis.start[first + j] - axis.start[first]) * inner
            if column < axis.sizes[first + j]:
                scratch.picks[j] = scratch.picks[j] + column * inner
        recipe.pick_rows(picked, row, scratch.picks, outputs, inner)
        if valid == NULL:
            memset(picked_valid, 1, outputs * inner)
        else:
            recipe.pick_mask(picked_valid, valid, scratch.picks, outputs, inner)
        for j in range(outputs):
            if column >= axis.sizes[first + j]:
                for c in range(inner):
                    picked_valid[j * inner + c] = 0
                    memcpy(picked + (j * inner + c) * recipe.row_width, recipe.neutral, recipe.row_width)
    if whole:
        return
    for t in range(recipe.taps):
        if scratch.valid_samples[t] == NULL:
            scratch.valid_samples[t] = scratch.everywhere


cdef void fold_samples(Scratch* scratch, const Call* call, Py_ssize_t n, bint whole) noexcept nogil:
    """Fold the samples of each window into the accumulator by the tree T over its taps, and count them."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const Kernel* counter = &recipe.count.kernel
    cdef int64_t order[BLOCK]
    cdef Tree tree
    cdef Py_ssize_t t = 0, i, left, taken_now
    tree.depth = tree.whole = 0
    while t < recipe.taps:
        left = recipe.taps - t
        taken_now = 8 if left >= 8 else 4 if left >= 4 else left
        for i in range(taken_now):
            order[i] = (
                recipe.tap_rows[t + i] * recipe.axes[recipe.leading].taps + recipe.tap_columns[t + i]
            )
        if not whole:
            counter.gather(
                scratch.count.levels[0 if t == 0 else 1], <const void**> scratch.valid_samples + t,
                scratch.valid_samples + t, order, taken_now, n, call.layout.pitch, recipe.count.parameters,
            )
            if t > 0:
                counter.fold(
                    scratch.count.levels[0], scratch.count.levels[1], n, call.layout.pitch, recipe.count.parameters,
                )
        if kernel.planes and kernel.block == BLOCK:
            tree.node[tree.depth] = scratch.value.levels[tree.depth]
            kernel.gather(
                tree.node[tree.depth], scratch.samples + t, scratch.valid_samples + t, order, taken_now, n,
                call.layout.pitch, recipe.value.parameters,
            )
            grow(&tree, &scratch.value, 0, n, call, &recipe.value, taken_now == BLOCK, False)
        elif kernel.planes:
            for i in range(taken_now):
                tree.node[tree.depth] = scratch.value.levels[tree.depth]
                kernel.gather(
                    tree.node[tree.depth], scratch.samples + t + i, scratch.valid_samples + t + i, order + i, 1, n,
                    call.layout.pitch, recipe.value.parameters,
                )
                grow(&tree, &scratch.value, 0, n, call, &recipe.value, True, False)
        t = t + taken_now
    finish_tree(&tree, &scratch.value, 0, n, call, &recipe.value)


cdef char* fold_run(
    Scratch* scratch, const Call* call, Py_ssize_t number, Py_ssize_t outputs, char* target,
) noexcept nogil:
    """Fold the rows of a run, then its columns, for each of the outputs; `target` as in `across`."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t r = recipe.run_stops[number - 1] if number else 0, i, count
    cdef Py_ssize_t hop = recipe.run_columns[number] * axis.step * recipe.inner * recipe.row_width
    cdef Py_ssize_t columns = (outputs - 1) * axis.stride + (recipe.run_lengths[number] - 1) * axis.step + 1
    cdef char* node = scratch.value.levels[1]
    cdef const void* rows[BLOCK]
    cdef const uint8_t* valid[BLOCK]
    cdef Ladder ladder
    memset(valid, 0, sizeof(valid))
    while r < recipe.run_stops[number]:
        count = min(recipe.run_stops[number] - r, <Py_ssize_t> BLOCK)
        for i in range(count):
            rows[i] = scratch.lane_rows[recipe.run_rows[r + i]] + hop
        r = r + count
        if not kernel.repeats:
            count = completed(scratch, count, rows, valid)
        while 4 < count < BLOCK:                           # a row twice is as good as once
            rows[count] = rows[0]
            count = count + 1
        kernel.gather(
            node, rows, valid, scratch.order, count, columns * recipe.inner, call.layout.pitch,
            recipe.value.parameters,
        )
        if node != scratch.value.levels[1]:
            kernel.fold(
                scratch.value.levels[1], node, columns * recipe.inner, call.layout.pitch, recipe.value.parameters,
            )
        node = scratch.value.levels[2]
    ladder.row, ladder.nodes, ladder.taps = scratch.value.levels[1], recipe.run_lengths[number], 1
    ladder.stride, ladder.step = axis.stride if outputs > 1 else 0, axis.step
    return across(call, &recipe.value, &scratch.value, &ladder, outputs, target)


cdef char* fold_runs(Scratch* scratch, const Call* call, Py_ssize_t outputs) noexcept nogil:
    """Fold the samples of whole windows run by run; returns the row of their states.

    Extrema and integer averages of a disk of 11 x 11, which has 81 taps, take 0.5 to 0.6 of the time of these one by
    one at stride 1, 0.4 to 0.5 at 2.
    """
    cdef const Recipe* recipe = call.recipe
    cdef char* states = scratch.value.levels[3]
    cdef char* more = fold_run(scratch, call, 0, outputs, states)
    cdef Py_ssize_t number
    if more != states:
        copy_state(states, more, outputs * recipe.inner, call, &recipe.value.kernel)
    for number in range(1, recipe.runs_found):
        more = fold_run(scratch, call, number, outputs, NULL)
        recipe.value.kernel.fold(
            states, more, outputs * recipe.inner, call.layout.pitch, recipe.value.parameters,
        )
    return states


cdef void write_beside(
    const Scratch* scratch, const Call* call, char* target, Py_ssize_t outputs,
) noexcept nogil:
    """Results of windows side by side, while the rows of the next are asked for.

    Of these the beginning at once, or all, in pieces of whole vectors, if they are long and no cache holds the image:
    modes of uint32 at 2 x 2 take 0.85 to 0.95 and 0.8 of the time without. Of short rows 2 x 2 x 2 would take 1.14.
    """
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t last = recipe.leading - 1, column = recipe.axes[recipe.leading].stride * recipe.row_width
    cdef Py_ssize_t hop = 0 if last < 0 else recipe.axes[last].stride * call.image.leading[last]
    cdef bint asks = hop and call.asks and outputs * column >= LONG_ROW
    cdef Py_ssize_t piece = whole_columns(call.asked, column) if asks else outputs
    cdef Py_ssize_t done = 0, now, r
    if hop and call.fetches and not asks:
        for r in range(scratch.listed):
            skpool_prefetch(scratch.lane_rows[r] + hop, min(outputs * column, <Py_ssize_t> FETCHED))
    while done < outputs:
        now = min(piece, outputs - done)
        if asks:
            for r in range(scratch.listed):
                skpool_prefetch_near(scratch.lane_rows[r] + hop, now * column)
        recipe.beside(
            target + done * recipe.natural_width, <const void**> scratch.lane_rows, now, scratch.room,
            &recipe.parameters,
        )
        for r in range(scratch.listed):
            scratch.lane_rows[r] = scratch.lane_rows[r] + now * column
        done = done + now


cdef void write_samples(
    Scratch* scratch, const Call* call, Py_ssize_t first, Py_ssize_t outputs, bint whole, Py_ssize_t moved,
    bint beside,
) noexcept nogil:
    """Results of a run of outputs, from their samples or rows; `moved` rows further down than those before."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t n = outputs * recipe.inner
    cdef char* target = row_of(&call.out, scratch, recipe.leading) + first * call.out.column
    cdef char* places = row_of(&call.places, scratch, recipe.leading) + first * call.places.column
    cdef char* natural = scratch.natural
    cdef double* counts = NULL if whole else scratch.counts
    cdef double count = <double> recipe.taps
    if recipe.lanes == NULL and recipe.slides == NULL:
        fold_samples(scratch, call, n, whole)
        if not whole:
            recipe.to_counts(counts, scratch.count.levels[0], n, NULL)
        write_run(scratch, call, scratch.value.levels[0], first, outputs, counts, count, target, places)
        return
    if recipe.parameters.order.omits:
        counts = scratch.counts
    if recipe.widen == NULL and call.out_in_place and not call.streams:
        natural = target
    if beside:
        write_beside(scratch, call, natural, outputs)
    elif recipe.slides != NULL:
        recipe.slides(
            natural, counts, <const void**> scratch.lane_rows, <const uint8_t**> scratch.lane_valid, &recipe.slide,
            moved, outputs, scratch.room, &recipe.parameters,
        )
    else:
        recipe.lanes(
            natural, counts, scratch.samples, NULL if whole else scratch.valid_samples, recipe.taps, n, scratch.room,
            &recipe.parameters,
        )
    write_run(scratch, call, natural, first, outputs, counts, count, target, places)


cdef bint lay_tile(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t columns,
) noexcept nogil:
    """All rows of a tile of windows, if all their samples count."""
    cdef const Recipe* recipe = call.recipe
    cdef const Tile* tile = &recipe.tile
    cdef Py_ssize_t last = recipe.leading - 1, taps = recipe.axes[recipe.leading].taps, y, r, place, row
    cdef const uint8_t* valid
    for y in range(tile.down):
        find_rows(scratch, call, 0, recipe.most_rows)
        if scratch.listed < recipe.most_rows:
            return False
        for r in range(recipe.most_rows):
            place = scratch.order[r] // taps
            row = place % tile.tall
            if y and row < tile.tall - 1:                  # laid with the window before
                continue
            place = place // tile.tall * (tile.tall + tile.down - 1) + row + y
            lay_row(scratch, call, segments, segments_found, r, place)
            valid = scratch.lane_valid[place]
            if valid != NULL and memchr(valid, 0, columns * recipe.inner) != NULL:
                return False
        scratch.output[last] = scratch.output[last] + 1
    return True


cdef bint write_tiles(
    Scratch* scratch, const Call* call, const Segment* segments, Py_ssize_t segments_found, Py_ssize_t first,
    Py_ssize_t outputs, Py_ssize_t row,
) noexcept nogil:
    """Results of as many output rows, from `row` on, as a tile has; False if they must be found one by one."""
    cdef const Recipe* recipe = call.recipe
    cdef const Tile* tile = &recipe.tile
    cdef Py_ssize_t pitch = call.layout.pitch * recipe.natural_width, y
    cdef Py_ssize_t columns = columns_under(&recipe.axes[recipe.leading], first, outputs)
    seek(scratch, recipe, row)
    scratch.stamp = -1 - row                               # not that of a window, which may need the slots after all
    if not (
        lay_tile(scratch, call, segments, segments_found, columns)
        and recipe.tiles(
            scratch.tiled, pitch, <const void**> scratch.lane_rows, tile, outputs, recipe.inner, scratch.room,
            &recipe.parameters,
        )
    ):
        return False
    for y in range(tile.down):
        seek(scratch, recipe, row + y)
        write_run(
            scratch, call, scratch.tiled + y * pitch, first, outputs, NULL, <double> recipe.taps,
            row_of(&call.out, scratch, recipe.leading) + first * call.out.column, NULL,
        )
    return True


cdef inline Py_ssize_t tile_at(
    const Scratch* scratch, const Call* call, Py_ssize_t begin, Py_ssize_t row, Py_ssize_t end,
) noexcept nogil:
    """The first row of a tile in which `row` is; a block's last tile has rows before it, too. -1 if none fits."""
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t output = scratch.output[recipe.leading - 1]
    cdef Py_ssize_t left = min(end - row, recipe.axes[recipe.leading - 1].outputs - output)
    cdef Py_ssize_t back = max(recipe.tile.down - left, <Py_ssize_t> 0)
    return row - back if back <= min(output, row - begin) else -1


cdef void work_on_samples(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil:
    """As `work`, for windows by their samples: those that count all their columns, and those beside them."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t tiles = divided_up(axis.outputs, call.layout.tile)
    cdef Py_ssize_t first = item % tiles * call.layout.tile
    cdef Py_ssize_t begin = item // tiles * call.block
    cdef Py_ssize_t row, end = min(begin + call.block, recipe.rows)
    cdef Py_ssize_t bounds[4]
    cdef Py_ssize_t i, run, found, moved, tile, one_by_one, slid
    cdef Segment segments[4]
    cdef bint whole, beside, by_runs, found_rows
    memset(scratch.nowhere, 0, call.layout.pitch)
    memset(scratch.everywhere, 1, call.layout.pitch)
    bounds[0] = first
    bounds[3] = first + min(call.layout.tile, axis.outputs - first)
    find_whole(axis, bounds[0], bounds[3], &bounds[1], &bounds[2])
    for i in range(3):
        run = bounds[i + 1] - bounds[i]
        if run == 0:
            continue
        found = find_segments(
            segments, scratch, recipe, start_of(axis, bounds[i]), columns_under(axis, bounds[i], run),
        )
        begin_tile(scratch, call, bounds[i], run)
        seek(scratch, recipe, begin)
        found_rows = False
        row = one_by_one = begin
        slid = -1
        while row < end:
            if recipe.tiles != NULL and i == 1 and row >= one_by_one:
                tile = tile_at(scratch, call, begin, row, end)
                if tile >= 0 and write_tiles(scratch, call, segments, found, bounds[i], run, tile):
                    row = tile + recipe.tile.down
                    one_by_one = row
                    seek(scratch, recipe, row)
                    found_rows = False
                    continue
                seek(scratch, recipe, row)
                found_rows = False
                one_by_one = row + recipe.tile.down
            scratch.stamp = row + 1
            if not found_rows:
                find_rows(scratch, call, 0, recipe.most_rows)
            whole = lay_rows(scratch, call, segments, found) and axis.start == NULL
            beside = whole and i == 1 and recipe.beside != NULL
            by_runs = whole and i == 1 and recipe.runs_found > 0
            moved = 0
            if not beside and recipe.slides == NULL and not by_runs:
                gather_samples(scratch, call, bounds[i], run, whole)
            elif not beside:
                if row == slid + 1 and recipe.leading and scratch.output[recipe.leading - 1] > 0:
                    moved = recipe.axes[recipe.leading - 1].stride
                slid = row
            if by_runs:
                write_run(
                    scratch, call, fold_runs(scratch, call, run), bounds[i], run, NULL, <double> recipe.taps,
                    row_of(&call.out, scratch, recipe.leading) + bounds[i] * call.out.column, NULL,
                )
            else:
                write_samples(scratch, call, bounds[i], run, whole, moved, beside)
            advance(scratch, recipe)
            found_rows = slide_rows(scratch, call)
            row = row + 1
    if call.streams:
        skpool_streamed()
