"""A thread's scratch: how large its tiles are, and what lies where in its memory."""
from libc.stdint cimport int64_t, uint8_t
from skpool.kernels.driver.axes cimport Axis, columns_under
from skpool.kernels.driver.call cimport (
    BLOCK, LEAST_PIECE, PIECE, Call, Fold, Lane, Layout, Recipe, Scratch, bits_of, doubles_first, find_lanes,
    picked_pitch, places_listed, ring,
)
from skpool.kernels.driver.rows cimport fill_row, gathers_once
from skpool.kernels.shelf cimport ALIGNMENT, Shelf, divided_up, taken
from skpool.kernels.table cimport Kernel


cdef inline Py_ssize_t levels_of(Py_ssize_t nodes) noexcept nogil:
    """Levels of a tree over so many nodes, with those of the unfinished block."""
    return 4 + bits_of(nodes)


cdef void place_fold(
    Fold* fold, const Call* call, const Kernel* kernel, Py_ssize_t levels, Shelf* shelf,
) noexcept nogil:
    cdef const Recipe* recipe = call.recipe
    cdef Py_ssize_t size = kernel.width * kernel.planes * call.layout.pitch
    cdef Py_ssize_t i
    for i in range(levels):
        fold.levels[i] = <char*> taken(shelf, size)
    fold.folded = fold.levels[0]
    for i in range(recipe.shared_levels):
        fold.shared[i] = <char*> taken(shelf, size * ring(recipe, i))
    if recipe.shared_levels or doubles_first(kernel):
        fold.part[0] = <char*> taken(shelf, size)
        fold.part[1] = <char*> taken(shelf, size)
    if doubles_first(kernel):
        fold.states = <char*> taken(shelf, size)
        for i in range(bits_of(recipe.axes[recipe.leading].taps) - 1):
            fold.doubled[i] = <char*> taken(shelf, size)
    fold.spare[0] = <char*> taken(shelf, size)
    fold.spare[1] = <char*> taken(shelf, size)
    fold.spare[2] = <char*> taken(shelf, size)
    fold.turns[0] = fold.levels[0]
    fold.turns[1] = <char*> taken(shelf, size)
    fold.turns[2] = <char*> taken(shelf, size)
    if recipe.axes[recipe.leading].start != NULL:
        fold.turns[0] = <char*> taken(shelf, size)         # the accumulator stays: windows share columns
        fold.by_width = <char*> taken(shelf, recipe.widths_found * size)
        fold.table = <int64_t*> taken(shelf, call.layout.tile * sizeof(int64_t))
        fold.uneven = <char*> taken(shelf, size)
    if kernel.join != NULL:
        fold.nothing = <char*> taken(shelf, size)


cdef void place_lanes(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """What windows by their samples need; samples of windows that are a stride apart are gathered."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t gathered = picked_pitch(call)
    scratch.lane_rows = <char**> taken(shelf, recipe.laid * sizeof(char*))
    scratch.lane_valid = <uint8_t**> taken(shelf, recipe.laid * sizeof(char*))
    scratch.samples = <const void**> taken(shelf, recipe.taps * sizeof(char*))
    scratch.valid_samples = <const uint8_t**> taken(shelf, recipe.taps * sizeof(char*))
    scratch.nowhere = <uint8_t*> taken(shelf, call.layout.pitch)
    scratch.everywhere = <uint8_t*> taken(shelf, call.layout.pitch)
    scratch.room = <char*> taken(shelf, recipe.room + recipe.room_each * call.layout.pitch)
    if recipe.tiles != NULL:
        scratch.tiled = <char*> taken(shelf, recipe.tile.down * call.layout.pitch * recipe.natural_width)
    if recipe.slides == NULL and (axis.start != NULL or axis.stride > 1):
        scratch.picked = <char*> taken(shelf, recipe.taps * gathered * recipe.row_width)
        scratch.picked_valid = <uint8_t*> taken(shelf, recipe.taps * gathered)
        scratch.picks = <int64_t*> taken(shelf, gathered * sizeof(int64_t))


cdef void place_sums(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """What windows with weights need; columns that lie a stride apart are brought together."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t parts = min(axis.stride, (axis.taps - 1) * axis.step + 1)
    scratch.totals = <char*> taken(shelf, call.layout.pitch * recipe.total_width)
    scratch.sums = <char*> taken(shelf, call.layout.pitch * recipe.total_width)
    if axis.start == NULL and axis.stride > 1:
        scratch.parted = <char*> taken(shelf, parts * picked_pitch(call) * recipe.total_width)


cdef void place_scratch(Scratch* scratch, const Call* call, Shelf* shelf) noexcept nogil:
    """Lay out a thread's scratch."""
    cdef const Recipe* recipe = call.recipe
    cdef const Kernel* kernel = &recipe.value.kernel
    cdef Py_ssize_t rows = BLOCK + call.layout.slots, levels
    place_fold(&scratch.value, call, kernel, levels_of(call.layout.nodes // kernel.block), shelf)
    if kernel.block == 1:
        scratch.lifted = <char*> taken(shelf, rows * kernel.width * kernel.planes * call.layout.pitch)
    if recipe.masked or recipe.taps:
        # Counts are exact in any order: rows need two levels, parts of windows the tree.
        levels = 2 if call.layout.listed else levels_of(call.layout.nodes // BLOCK)
        place_fold(&scratch.count, call, &recipe.count.kernel, levels, shelf)
        scratch.loaded = <char*> taken(shelf, call.layout.pitch * recipe.row_width)
        scratch.mask = <uint8_t*> taken(shelf, call.layout.pitch)
        scratch.valid = <uint8_t*> taken(shelf, rows * call.layout.pitch)
    if not (recipe.masked or recipe.taps or not call.rows_in_place):
        rows = BLOCK                                       # for padded columns only
    scratch.rows = <char*> taken(shelf, rows * call.layout.pitch * recipe.row_width)
    scratch.constant = <char*> taken(shelf, call.layout.pitch * recipe.row_width)
    if recipe.taps or recipe.completes:
        scratch.absent = <char*> taken(shelf, call.layout.pitch * recipe.row_width)
    if recipe.taps:
        place_lanes(scratch, call, shelf)
    if recipe.weigh_rows != NULL:
        place_sums(scratch, call, shelf)
    scratch.counts = <double*> taken(shelf, call.layout.pitch * sizeof(double))
    scratch.natural = <char*> taken(shelf, call.layout.pitch * recipe.natural_width)
    scratch.wide = <char*> taken(shelf, call.layout.pitch * 8)
    scratch.result = <char*> taken(shelf, call.layout.pitch * recipe.out_width)
    scratch.places = <int64_t*> taken(shelf, call.layout.pitch * sizeof(int64_t))
    scratch.flat = <int64_t*> taken(shelf, places_listed(recipe) * sizeof(int64_t))
    scratch.column_sources = <int64_t*> taken(shelf, call.layout.pitch * sizeof(int64_t))
    scratch.kept = <int64_t*> taken(shelf, call.layout.slots * sizeof(int64_t))
    scratch.stamps = <Py_ssize_t*> taken(shelf, call.layout.slots * sizeof(Py_ssize_t))
    scratch.sources = <const char**> taken(shelf, call.layout.listed * sizeof(char*))
    scratch.masks = <const uint8_t**> taken(shelf, call.layout.listed * sizeof(char*))
    scratch.order = <int64_t*> taken(shelf, call.layout.listed * sizeof(int64_t))
    scratch.name = <int64_t*> taken(shelf, call.layout.listed * sizeof(int64_t))


cdef void begin(const Call* call, char* memory) noexcept nogil:
    """Make a thread's scratch, where the thread itself touches it first."""
    cdef const Lane* lanes[2]
    cdef Fold* folds[2]
    cdef Py_ssize_t i
    cdef Shelf shelf
    shelf.base = memory
    shelf.used = 0
    taken(&shelf, sizeof(Scratch))
    place_scratch(<Scratch*> memory, call, &shelf)
    (<Scratch*> memory).parameters = call.recipe.parameters
    for i in range(find_lanes(lanes, folds, <Scratch*> memory, call.recipe)):
        if lanes[i].kernel.join != NULL:
            lanes[i].kernel.identity(folds[i].nothing, call.layout.pitch, call.layout.pitch, lanes[i].parameters)
    if call.layout.together > 1:                           # between two rows nothing is gathered
        call.recipe.value.kernel.identity(
            (<Scratch*> memory).value.levels[0], call.layout.pitch, call.layout.pitch, call.recipe.value.parameters,
        )
    fill_row((<Scratch*> memory).constant, call.recipe.constant, call.recipe.row_width, call.layout.pitch)
    if call.recipe.taps or call.recipe.completes:
        fill_row((<Scratch*> memory).absent, call.recipe.neutral, call.recipe.row_width, call.layout.pitch)


cdef Py_ssize_t scratch_bytes(const Call* call) noexcept nogil:
    cdef Scratch scratch
    cdef Shelf shelf
    shelf.base = NULL
    shelf.used = 0
    taken(&shelf, sizeof(Scratch))
    place_scratch(&scratch, call, &shelf)
    return shelf.used


cdef Py_ssize_t widest(const Recipe* recipe, Py_ssize_t tile) noexcept nogil:
    """Columns under the widest tile of so many outputs, or the outputs if they are more."""
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t first = 0, columns = tile
    if axis.start == NULL:
        return columns_under(axis, 0, tile)
    while first < axis.outputs:
        columns = max(columns, columns_under(axis, first, min(tile, axis.outputs - first)))
        first = first + tile
    return columns


cdef void put_together(Call* call, Py_ssize_t tile) noexcept nogil:
    """Find how many output rows have their columns folded in one pass: short ones, all in the first cache."""
    cdef const Recipe* recipe = call.recipe
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t columns, size = recipe.inner * recipe.value.kernel.width * recipe.value.kernel.planes
    if (
        not gathers_once(recipe, call.rows_in_place) or recipe.shared_levels or recipe.taps
        or recipe.weigh_rows != NULL or recipe.quad != NULL or tile < axis.outputs or axis.outputs == 0
        or axis.start != NULL or recipe.axes[recipe.leading - 1].start != NULL
    ):
        return
    columns = columns_under(axis, 0, axis.outputs)
    call.layout.apart = divided_up(columns, axis.stride)
    if call.layout.apart * axis.stride <= 2 * columns:
        call.layout.together = max(
            min(PIECE // (call.layout.apart * axis.stride * size), recipe.axes[recipe.leading - 1].outputs),
            <Py_ssize_t> 1,
        )


cdef void lay_out(
    const Recipe* recipe, Layout* layout, bint rows_in_place, Py_ssize_t listed, Py_ssize_t nodes, Py_ssize_t piece,
) noexcept nogil:
    """For pieces of `piece` columns, or, if that is 0, for the widest tile that stays within SCRATCH bytes."""
    cdef Call call
    cdef const Axis* axis = &recipe.axes[recipe.leading]
    cdef Py_ssize_t fixed, columns, shared, tile = max(axis.outputs, 1)
    call.recipe = recipe
    call.rows_in_place = rows_in_place
    call.layout.listed, call.layout.nodes = listed, nodes
    call.layout.tile = call.layout.slots = 0
    call.layout.together, call.layout.apart = 1, 0
    if recipe.taps:                                    # all rows of a window are needed at once
        call.layout.slots = recipe.laid
    elif (
        piece == 0 and recipe.shared_levels == 0 and recipe.overlapping
        and listed == recipe.most_rows <= MOST_SLOTS
        and (recipe.masked or not call.rows_in_place or recipe.value.kernel.block == 1)
    ):
        call.layout.slots = recipe.most_rows
    if piece == 0:
        call.layout.pitch = 0
        fixed = scratch_bytes(&call)
        call.layout.pitch = LEAST_PIECE
        columns = (
            max(SCRATCH - fixed, SCRATCH // 4) * LEAST_PIECE // (scratch_bytes(&call) - fixed) // recipe.inner
        )
        if axis.start == NULL:
            if recipe.taps == 0:                       # each tile folds all its columns
                shared = (axis.taps - 1) * axis.step + 1 - axis.stride
                columns = max(columns, min(LEAST_TILE * shared, MOST_SCRATCH * columns))
            tile = min(max((columns - (axis.taps - 1) * axis.step - 1) // axis.stride + 1, 1), tile)
        while tile > 1 and widest(recipe, tile) > columns:
            tile = divided_up(tile, 2)
        if recipe.tiles != NULL and tile < axis.outputs:        # or some lanes are idle
            columns = max(recipe.tile.across * recipe.tile.lanes // recipe.inner, <Py_ssize_t> 1)
            tile = min(max(tile // columns, <Py_ssize_t> 1) * columns, axis.outputs)
        elif recipe.taps == 0 and axis.outputs:        # tiles of about one size
            tile = divided_up(axis.outputs, divided_up(axis.outputs, tile))
        call.layout.tile = tile
        piece = widest(recipe, tile)
        put_together(&call, tile)
        if call.layout.together > 1:
            piece = call.layout.together * call.layout.apart * axis.stride
    call.layout.pitch = divided_up(piece * recipe.inner, ALIGNMENT)
    if recipe.value.kernel.planes > 2:                 # or planes may push each other out of the cache
        call.layout.pitch |= 1
    call.layout.pitch *= ALIGNMENT
    layout[0] = call.layout
    layout.bytes = scratch_bytes(&call)
