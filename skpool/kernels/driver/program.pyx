"""A plan as the driver runs it: what Python hands over, and items handed out to threads."""
cimport cython
from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport prange
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from skpool.kernels.driver.axes cimport ABSENT, CONSTANT, Axis, columns_under, find_taps
from skpool.kernels.driver.call cimport (
    BLOCK, LEAST_PIECE, LONG_COLUMN, MOST_WIDTHS, Call, Lane, Layout, Parts, Recipe, Scratch, View, bits_of,
)
from skpool.kernels.driver.parts cimport part_bytes, work_on_joined, work_on_part, work_on_whole
from skpool.kernels.driver.samples cimport work_on_samples
from skpool.kernels.driver.scratch cimport SCRATCH, begin, lay_out
from skpool.kernels.driver.weights cimport work_on_weights
from skpool.kernels.driver.windows cimport work
from skpool.kernels.shelf cimport ALIGNMENT, divided_up, first_row
from skpool.kernels.table cimport (
    Kernel, Order, Steps, beside_t, blank_t, compact_t, convert_t, finish_places_t, finish_t, keys_t, lanes_t, load_t,
    normalise_t, pick_t, quad_places_t, quad_t, select_t, slide_t, store_t, tile_t, weigh_t,
)
from skpool.kernels.turns cimport deal, next_item

cdef extern from * nogil:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static int skpool_max_threads(void) { return omp_get_max_threads(); }
    #define SKPOOL_OPENMP 1
    #else
    static int skpool_max_threads(void) { return 1; }
    #define SKPOOL_OPENMP 0
    #endif
    """
    int skpool_max_threads()
    const bint SKPOOL_OPENMP

cdef extern from * nogil:
    """
    #if defined(__GNUC__) && defined(__x86_64__)
    #define SKPOOL_HAS(feature) (__builtin_cpu_supports(feature) != 0)
    static int skpool_level(void) {
        __builtin_cpu_init();
        if (!(SKPOOL_HAS("avx2") && SKPOOL_HAS("fma") && SKPOOL_HAS("bmi") && SKPOOL_HAS("bmi2"))) return 1;
        if (!(SKPOOL_HAS("avx512f") && SKPOOL_HAS("avx512bw") && SKPOOL_HAS("avx512cd") && SKPOOL_HAS("avx512dq")
              && SKPOOL_HAS("avx512vl"))) return 3;
        return 4;
    }
    #else
    static int skpool_level(void) { return 1; }
    #endif
    """
    int skpool_level()          # of x86-64, as its ABI counts them

cdef enum:
    ITEMS_PER_WORKER = 16
    PARTED_FROM = 8         # items per worker: with fewer, windows are cut into parts; twice as many take 1.02 to 1.12
    LEAST_PART = 32         # rows of a part: a power of two times BLOCK,
    PART_WIDTH = 16384      # and bytes of such a row: with 8192, two threads take 1.03 to 1.1, with 2048 to 1.4
    WIDE = 256              # elements from which an uneven window is folded by itself
    TALL = 9                # rows of windows that share nodes
    STREAMED_FROM = 24 * 1024 * 1024    # bytes of results that are written past the caches,
    FETCHED_FROM = 8 * 1024 * 1024  # of images whose rows are asked for ahead: with 4 MiB, 2 x 2 takes up to 1.4,
    ASKED_NEAR = 1024       # bytes that windows of few rows ask for at a time: with 256, uint8 takes 1.1 to 1.3;
    ASKED_FAR = 256         # in images that no cache holds: with 1024, 3/2 takes 1.1 to 1.3, 3/1 1 to 1.2
    ASKED_FROM = 32 * 1024 * 1024   # bytes of such images, blocks of whose rows are asked for, too;
    ASKED_WIDTH = 4         # and the most of their pixels: two threads that read float64 take up to 1.3, one 0.7 to 1

ctypedef void (*step_t)(const Call* call, Py_ssize_t item, Scratch* scratch) noexcept nogil


cdef void work_on_items(
    step_t step, const Call* call, char* memory, Py_ssize_t hop, Py_ssize_t workers, Py_ssize_t worker, int loop,
) noexcept nogil:
    """What one worker does of a loop."""
    cdef Scratch* scratch = <Scratch*> (memory + worker * hop)
    cdef char* turns = <char*> &(<Scratch*> memory).turns[loop]
    cdef Py_ssize_t item
    begin(call, <char*> scratch)
    item = next_item(turns, hop, workers, worker)
    while item >= 0:
        step(call, item, scratch)
        item = next_item(turns, hop, workers, worker)


def max_threads():
    """Threads that OpenMP would use now: OMP_NUM_THREADS and threadpoolctl are heard; 1 without OpenMP."""
    return skpool_max_threads()


def has_openmp():
    """Whether the kernels were built with OpenMP."""
    return SKPOOL_OPENMP


def layout_of_parts():
    """Bytes of whose multiples state rows begin at, and rows of the smallest part of a window."""
    return ALIGNMENT, LEAST_PART


def instruction_sets():
    """Names of the instruction sets that this machine runs, the best first."""
    return tuple(name for name, level in (("v4", 4), ("v3", 3), ("base", 1)) if level <= skpool_level())


cdef int64_t* copied(const int64_t[::1] table) except NULL:
    """A copy that `free` frees."""
    cdef Py_ssize_t i, n = table.shape[0]
    cdef int64_t* copy = <int64_t*> malloc(max(n, 1) * sizeof(int64_t))
    if copy == NULL:
        raise MemoryError
    for i in range(n):
        copy[i] = table[i]
    return copy


cdef size_t address(array) except? 0:
    """Where the numbers of a contiguous array lie; they stay there while the array lives."""
    cdef const uint8_t[::1] memory
    if not len(array):
        return 0
    memory = memoryview(array).cast("B")
    return <size_t> &memory[0]


cdef int take_steps(Steps* steps, program) except -1:
    table, steps.registers, ranks, compiled = program
    steps.steps = <const int16_t*> address(table)
    steps.count = len(table)
    steps.ranks = <const int16_t*> address(ranks)
    steps.compiled = <void*> <size_t> compiled
    return 0


cdef void release(Py_buffer* buffers, int count) noexcept:
    """Give back what was asked for; the others, still zeros, hold nothing."""
    cdef int i
    for i in range(count):
        PyBuffer_Release(&buffers[i])


@cython.final
cdef class Program:
    """A plan as the driver runs it.

    Parameters
    ----------
    axes : sequence of skpool.windows.Axis
        The leading axes, then that of the columns.
    inner : int or None
        Channels of a column, the image's last axis; None if its last axis is the columns.
    settings : dict
        Numbers of `Recipe`, by name.
    functions : dict
        Addresses of row functions, by their name in `Recipe`.
    parameters : tuple
        ``(first, second, divisor, minimum, weights)``, as `Parameters` has them.
    constants : tuple of bytes
        ``(neutral, constant, fill)``, each in its own type.
    samples : dict or None
        Windows by their samples: ``rows`` and ``columns`` of the taps, ``room``, and where samples are sorted what
        `Order` has.
    weights : dict or None
        Windows with weights that are an outer product: those of ``rows`` and ``columns``, the ``width`` of totals, and
        the addresses of functions by their name in `Recipe`.
    """
    cdef Recipe recipe
    cdef object tables              # of `parameters`, `samples` and `weights`: the recipe points into them
    cdef bint has_channels
    cdef Py_ssize_t pixels          # of the image
    cdef Py_ssize_t outputs         # of the result
    cdef Layout layouts[2]          # by whether rows are used where they lie

    def __cinit__(self, axes, inner, settings, functions, parameters, constants, samples=None, weights=None):
        cdef Recipe* recipe = &self.recipe
        cdef Py_ssize_t a
        memset(recipe, 0, sizeof(Recipe))
        recipe.leading = len(axes) - 1
        self.has_channels = inner is not None
        recipe.inner = inner if self.has_channels else 1
        recipe.rows = 1
        recipe.most_rows = 1
        for a, table in enumerate(axes):
            self.take_axis(&recipe.axes[a], table)
            if a < recipe.leading:
                recipe.rows *= recipe.axes[a].outputs
                recipe.most_rows *= recipe.axes[a].taps
                recipe.overlapping |= table.overlaps
                continue
            recipe.least_columns = table.counts.min(initial=recipe.axes[a].taps)
        if samples is None:
            self.find_widths()
        self.pixels = self.outputs = recipe.inner
        for a in range(recipe.leading + 1):
            self.pixels *= recipe.axes[a].length
            self.outputs *= recipe.axes[a].outputs
        recipe.omit = settings["omit"]
        recipe.masked = settings["masked"]
        recipe.converts_rows = settings["converts_rows"]
        recipe.pixel_width = settings["pixel_width"]
        recipe.row_width = settings["row_width"]
        recipe.natural_width = settings["natural_width"]
        recipe.out_width = settings["out_width"]
        recipe.quad_picks = settings["quad_picks"]
        recipe.load = <load_t> <size_t> functions["load"]
        recipe.load_mask = <load_t> <size_t> functions["load_mask"]
        recipe.select = <select_t> <size_t> functions["select"]
        self.take_lane(&recipe.value, functions["value"], functions["compact"], functions["pick"])
        self.take_lane(&recipe.count, functions["count"], functions["compact"], functions["pick"])
        recipe.to_counts = <convert_t> <size_t> functions["to_counts"]
        recipe.quad = <quad_t> <size_t> functions["quad"]
        recipe.compact_out = <compact_t> <size_t> functions["compact"][settings["out_width"]]
        recipe.compact_places = <compact_t> <size_t> functions["compact"][8]
        recipe.finish = <finish_t> <size_t> functions["finish"]
        recipe.finish_places = <finish_places_t> <size_t> functions["finish_places"]
        recipe.quad_places = <quad_places_t> <size_t> functions["quad"] if recipe.finish_places != NULL else NULL
        recipe.widen = <convert_t> <size_t> functions["widen"]
        recipe.narrow = <convert_t> <size_t> functions["narrow"]
        recipe.blank = <blank_t> <size_t> functions["blank"]
        recipe.blank_places = <blank_t> <size_t> functions["blank_places"]
        recipe.store = <store_t> <size_t> functions["store"]
        recipe.store_places = <store_t> <size_t> functions["store_places"]
        recipe.parameters.first, recipe.parameters.second = parameters[0], parameters[1]
        recipe.parameters.divisor, recipe.parameters.minimum = parameters[2], parameters[3]
        recipe.parameters.weights = <const double*> address(parameters[4])
        self.tables = parameters, samples, weights
        neutral, constant, fill = constants
        memcpy(recipe.neutral, <const char*> neutral, len(neutral))
        memcpy(recipe.constant, <const char*> constant, len(constant))
        memcpy(recipe.fill, <const char*> fill, len(fill))
        if samples is not None:
            self.take_samples(samples, functions)
        if weights is not None:
            self.take_weights(weights, functions["compact"])
        self.find_shared_levels()
        # A pass over rows of scratch costs less than two more: 5/1 to 7/7 take 0.6 to 0.95 of the time.
        recipe.completes = (
            recipe.value.kernel.block == BLOCK and not recipe.value.kernel.weighs_validity and not recipe.masked
            and recipe.taps == 0 and recipe.shared_levels == 0 and recipe.most_rows % BLOCK > 4
        )
        cdef Py_ssize_t listed = 1 if recipe.shared_levels else recipe.most_rows
        cdef Py_ssize_t nodes = recipe.taps if recipe.taps else listed
        lay_out(&self.recipe, &self.layouts[0], False, listed, nodes, 0)
        lay_out(&self.recipe, &self.layouts[1], True, listed, nodes, 0)

    cdef int take_lane(self, Lane* lane, kernel, compact, pick) except -1:
        lane.parameters = &self.recipe.parameters
        if kernel is None:                                 # the count alone decides
            lane.kernel.block = BLOCK
            return 0
        lane.kernel = (<Kernel*> <size_t> kernel)[0]
        lane.compact = <compact_t> <size_t> compact[lane.kernel.width]
        lane.pick = <pick_t> <size_t> pick[lane.kernel.width]
        return 0

    cdef int take_samples(self, samples, functions) except -1:
        cdef Recipe* recipe = &self.recipe
        cdef Order* order = &recipe.parameters.order
        recipe.taps = len(samples["rows"])
        recipe.tap_rows = copied(samples["rows"])
        recipe.tap_columns = copied(samples["columns"])
        if recipe.value.kernel.repeats or recipe.value.kernel.unfold != NULL:      # any order is as good
            recipe.runs_found = len(samples["run_stops"])
        recipe.run_columns = <const int64_t*> address(samples["run_columns"])
        recipe.run_lengths = <const int64_t*> address(samples["run_lengths"])
        recipe.run_stops = <const int64_t*> address(samples["run_stops"])
        recipe.run_rows = <const int64_t*> address(samples["run_rows"])
        recipe.room = samples["room"]
        recipe.lanes = <lanes_t> <size_t> functions["lanes"]
        recipe.slides = <slide_t> <size_t> functions["slides"]
        recipe.beside = <beside_t> <size_t> functions["beside"]
        recipe.laid = recipe.most_rows
        recipe.tiles = <tile_t> <size_t> functions["tiles"]
        if recipe.tiles != NULL:
            recipe.tile.deep, recipe.tile.tall, recipe.tile.wide, recipe.tile.down, recipe.tile.across = samples["tile"]
            take_steps(&recipe.tile.steps, samples["tile_steps"])
            recipe.tile.lanes = samples["tile_lanes"]
            recipe.tile.run = <void*> <size_t> functions["tile_steps"]
            recipe.laid = (recipe.tile.tall + recipe.tile.down - 1) * recipe.tile.deep
        recipe.room_each = samples["room_each"]
        recipe.slide.rows, recipe.slide.columns = samples["window"]
        recipe.slide.tall = recipe.axes[recipe.leading - 1].taps if recipe.leading else 1
        recipe.slide.stride = recipe.axes[recipe.leading].stride
        recipe.slide.inner = recipe.inner
        recipe.keys = <keys_t> <size_t> functions["keys"]
        recipe.compact_rows = <compact_t> <size_t> functions["compact"][recipe.row_width]
        recipe.compact_mask = <compact_t> <size_t> functions["compact"][1]
        recipe.pick_rows = <pick_t> <size_t> functions["pick"][recipe.row_width]
        recipe.pick_mask = <pick_t> <size_t> functions["pick"][1]
        order.finish = <void*> <size_t> functions["sorted"]
        order.width = recipe.natural_width
        order.keyed, order.omits = samples["keyed"], samples["omits"]
        order.chooses, order.halves = samples["chooses"], samples["halves"]
        order.shares, order.shift = samples["shares"], samples["shift"]
        order.rows, order.columns = samples["window"]
        take_steps(&order.down, samples["down"])
        take_steps(&order.any_count, samples["any_count"])
        take_steps(&order.whole, samples["whole"])
        take_steps(&order.beside, samples["beside"])
        order.beside_decides = samples["beside_decides"]
        order.low = <const int32_t*> address(samples["low"])
        order.high = <const int32_t*> address(samples["high"])
        order.last = <const int32_t*> address(samples["last"])
        order.weight = <const double*> address(samples["weight"])
        order.has_value = samples["value"] is not None
        if order.has_value:
            memcpy(order.value, <const char*> samples["value"], len(samples["value"]))
        return 0

    cdef int take_weights(self, weights, compact) except -1:
        cdef Recipe* recipe = &self.recipe
        cdef const Axis* axis = &recipe.axes[recipe.leading]
        cdef Py_ssize_t j, t, first, stop, used
        recipe.row_weights = <const double*> address(weights["rows"])
        recipe.column_weights = <const double*> address(weights["columns"])
        recipe.total_width = weights["width"]
        recipe.weigh_rows = <weigh_t> <size_t> weights["weigh_rows"]
        recipe.weigh_totals = <weigh_t> <size_t> weights["weigh_totals"]
        recipe.normalise = <normalise_t> <size_t> weights["normalise"]
        recipe.compact_totals = <compact_t> <size_t> compact[recipe.total_width]
        recipe.least_columns = axis.taps
        for j in range(axis.outputs):
            find_taps(axis, j, &first, &stop)
            used = 0
            for t in range(first, stop):
                used = used + (recipe.column_weights[t] != 0)
            recipe.least_columns = min(recipe.least_columns, used)
            recipe.most_columns = max(recipe.most_columns, used)
        return 0

    cdef int take_axis(self, Axis* axis, table) except -1:
        axis.length, axis.outputs, axis.taps = table.length, table.outputs, table.most_taps
        axis.stride, axis.step = table.stride, table.step
        axis.before, axis.after = table.before, table.after
        axis.ignores = table.mode == "ignore"
        axis.outside = CONSTANT if table.mode == "constant" else ABSENT
        if not table.is_even:
            axis.start = copied(table.start)
            axis.sizes = copied(table.taps)
        if table.mode not in ("ignore", "constant"):
            axis.outside_before = copied(table.outside_before)
            axis.outside_after = copied(table.outside_after)
        return 0

    cdef void find_shared_levels(self) noexcept:
        """Whether windows are tall, overlap along one axis, and share more than it costs to share."""
        cdef Recipe* recipe = &self.recipe
        cdef const Axis* axis
        cdef Py_ssize_t levels, made
        if recipe.leading == 0 or recipe.taps:
            return
        axis = &recipe.axes[recipe.leading - 1]
        if axis.taps < TALL or axis.taps != recipe.most_rows or axis.start != NULL or axis.step != 1:
            return
        # What an output row shares costs as much as so many rows that are gathered, eight in a pass.
        if recipe.value.kernel.planes and recipe.value.kernel.unfold != NULL and 7 * axis.stride + 2 < axis.taps:
            recipe.runs = True
            recipe.shared_levels = 1
            return
        if recipe.value.kernel.planes and recipe.value.kernel.repeats and 4 * axis.stride + 4 < axis.taps:
            recipe.meets = True
            recipe.shared_levels = 1
            return
        levels = bits_of(axis.taps)
        made = 2 * axis.stride if recipe.value.kernel.block == BLOCK else axis.stride
        if recipe.value.kernel.planes + recipe.masked and levels * (made + 1) < axis.taps:
            recipe.shared_levels = levels

    cdef void find_widths(self) noexcept:
        """Note the widths of uneven windows, if it pays to fold all windows of a width at once."""
        cdef Recipe* recipe = &self.recipe
        cdef const Axis* axis = &recipe.axes[recipe.leading]
        cdef Py_ssize_t j, i
        recipe.widths_found = 0
        if axis.start == NULL or recipe.inner >= LONG_COLUMN or axis.taps * recipe.inner > WIDE:
            return
        for j in range(axis.outputs):
            i = 0
            while i < recipe.widths_found and recipe.widths[i] != axis.sizes[j]:
                i = i + 1
            if i == MOST_WIDTHS:
                recipe.widths_found = 0
                return
            recipe.widths[i] = axis.sizes[j]
            recipe.widths_found = max(recipe.widths_found, i + 1)

    def __dealloc__(self):
        cdef Py_ssize_t a
        for a in range(self.recipe.leading + 1):
            free(self.recipe.axes[a].start)
            free(self.recipe.axes[a].sizes)
            free(self.recipe.axes[a].outside_before)
            free(self.recipe.axes[a].outside_after)
        free(self.recipe.tap_rows)
        free(self.recipe.tap_columns)

    def __call__(self, image, out, mask, places, int workers):
        """Pool `image` into `out`, and the indices into `places` unless it is None; `mask` may be None.

        Returns whether a float32 total may have overflowed.
        """
        cdef Call call
        cdef Py_buffer buffers[4]
        memset(buffers, 0, sizeof(buffers))
        call.recipe = &self.recipe
        try:
            self.view(&call.image, image, &buffers[0], False)
            self.view(&call.out, out, &buffers[1], True)
            self.view(&call.mask, mask, &buffers[2], False)
            self.view(&call.places, places, &buffers[3], True)
            return bool(self.run(&call, workers))
        finally:
            release(buffers, 4)

    cdef int view(self, View* view, array, Py_buffer* buffer, bint writable) except -1:
        cdef Py_ssize_t a, leading = self.recipe.leading
        memset(view, 0, sizeof(View))
        if array is None:
            return 0
        PyObject_GetBuffer(array, buffer, PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0))
        view.data = <char*> buffer.buf
        for a in range(leading):
            view.leading[a] = buffer.strides[a]
        view.column = buffer.strides[leading]
        view.inner = buffer.strides[leading + 1] if self.has_channels else buffer.itemsize
        return 0

    cdef bint lies_in_rows(self, const View* view, Py_ssize_t width) noexcept:
        """Whether columns and channels are contiguous, and all of it aligned."""
        cdef Py_ssize_t a, bits = <Py_ssize_t> <uintptr_t> view.data
        for a in range(self.recipe.leading):
            bits |= view.leading[a]
        return (
            bits % width == 0
            and view.column == self.recipe.inner * width
            and (self.recipe.inner == 1 or view.inner == width)
        )

    cdef void find_access(self, Call* call) noexcept:
        """How the image and the mask are read."""
        cdef const Recipe* recipe = &self.recipe
        cdef Py_ssize_t size = recipe.pixel_width * self.pixels
        call.rows_in_place = not recipe.converts_rows and self.lies_in_rows(&call.image, recipe.row_width)
        call.mask_in_place = self.lies_in_rows(&call.mask, 1)
        call.fetches = call.rows_in_place and size >= FETCHED_FROM
        call.asked = ASKED_FAR if size >= ASKED_FROM else ASKED_NEAR
        call.asks = (
            call.rows_in_place and not recipe.masked and recipe.row_width <= ASKED_WIDTH and size >= ASKED_FROM
        )

    cdef int run(self, Call* call, int workers) except -1:
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* columns = &recipe.axes[recipe.leading]
        cdef Memory memory = Memory()
        cdef Py_ssize_t tiles, items, tall
        cdef step_t step = work
        if recipe.taps:
            step = work_on_samples
        elif recipe.weigh_rows != NULL:
            step = work_on_weights
        self.find_access(call)
        call.out_in_place = self.lies_in_rows(&call.out, recipe.out_width)
        # Worth it where the result is too large for the caches and about as large as the image: by two threads, maxima
        # and averages 3/1 and 5/1 of 4096 x 4096 take 0.75 to 0.95 of the time.
        call.streams = call.out_in_place and recipe.out_width * self.outputs >= max(
            STREAMED_FROM, 9 * recipe.pixel_width * self.pixels // 10
        )
        call.places_in_place = self.lies_in_rows(&call.places, sizeof(int64_t))
        call.layout = self.layouts[call.rows_in_place]
        call.parts.rows = call.parts.width = 0
        tiles = divided_up(columns.outputs, call.layout.tile)
        # A call of few items keeps few threads busy; one output that is too wide for the scratch is slow.
        if recipe.taps == 0 and recipe.most_rows >= 2 * LEAST_PART and recipe.value.kernel.planes + recipe.masked and (
            (workers > 1 and tiles * recipe.rows < PARTED_FROM * workers)
            or (call.layout.bytes > 2 * SCRATCH and recipe.rows <= PARTED_FROM)
        ):
            return self.run_in_parts(call, workers)
        call.block = recipe.rows
        if workers > 1:
            call.block = divided_up(recipe.rows, divided_up(ITEMS_PER_WORKER * workers, tiles))
            # What a block shares with the next is made twice; still every thread is to have something to do.
            if recipe.leading and (recipe.shared_levels or recipe.slides != NULL):
                tall = 4 * recipe.most_rows // recipe.axes[recipe.leading - 1].stride
                call.block = max(call.block, min(tall, divided_up(recipe.rows, divided_up(2 * workers, tiles))))
            if recipe.tiles != NULL:
                call.block = divided_up(call.block, recipe.tile.down) * recipe.tile.down
        items = tiles * divided_up(recipe.rows, call.block)
        workers = min(workers, items)
        memory.allot_scratch(workers, call.layout.bytes, items)
        self.share(step, call, memory, 0)
        return memory.overflowed()

    cdef void share(self, step_t step, const Call* call, Memory memory, int loop):
        """Work on the items of a call, of its first or second loop, by as many workers as there is scratch for."""
        cdef Py_ssize_t worker, workers = memory.threads, hop = memory.per_thread
        cdef char* scratch = memory.start
        with nogil:
            if workers == 1:
                work_on_items(step, call, scratch, hop, 1, 0, loop)
            else:
                for worker in prange(workers, num_threads=workers, schedule="static", chunksize=1):
                    work_on_items(step, call, scratch, hop, workers, worker, loop)

    cdef int run_in_parts(self, Call* call, int workers) except -1:
        """As `run`; `down` is shared between the threads, then the rest."""
        cdef const Recipe* recipe = &self.recipe
        cdef const Axis* columns = &recipe.axes[recipe.leading]
        cdef Parts* parts = &call.parts
        cdef Call second
        cdef Memory memory = Memory(), values = Memory(), counts = Memory()
        cdef Py_ssize_t wanted = PARTED_FROM * workers, pieces, parts_wanted, items, second_items
        parts.columns = columns_under(columns, 0, columns.outputs)
        pieces = min(max(parts.columns * recipe.inner * recipe.row_width // PART_WIDTH, 1), wanted)
        parts.piece = divided_up(parts.columns, pieces)
        pieces = divided_up(parts.columns, parts.piece)
        parts_wanted = divided_up(wanted, recipe.rows * pieces)
        parts.rows = LEAST_PART
        while parts.rows * parts_wanted < recipe.most_rows:
            parts.rows = 2 * parts.rows
        parts.count = divided_up(recipe.most_rows, parts.rows)
        values.allot(recipe.rows * parts.count, part_bytes(parts, recipe, &recipe.value.kernel))
        parts.values = values.start
        if recipe.masked:
            counts.allot(recipe.rows * parts.count, part_bytes(parts, recipe, &recipe.count.kernel))
            parts.counts = counts.start
        second = call[0]
        lay_out(&self.recipe, &call.layout, call.rows_in_place, parts.rows, parts.rows, parts.piece)
        lay_out(&self.recipe, &second.layout, call.rows_in_place, 0, parts.count * BLOCK, 0)
        items = recipe.rows * parts.count * pieces
        second_items = recipe.rows * divided_up(columns.outputs, second.layout.tile)
        workers = min(workers, items)
        memory.allot_scratch(workers, max(call.layout.bytes, second.layout.bytes), items, second_items)
        self.share(work_on_part, call, memory, 0)
        self.share(work_on_whole, &second, memory, 1)
        return memory.overflowed()

    # Windows whose parts are images of their own. A program for such an image folds it, one for as many rows as there
    # are states joins these, and that of the window finishes. Each has one output column.

    def states(self):
        """Planes of a state row, and bytes of their numbers: of values, and of counts. No planes: there are none."""
        cdef const Kernel* count = &self.recipe.count.kernel
        return (
            (self.recipe.value.kernel.planes, self.recipe.value.kernel.width),
            (count.planes if self.recipe.masked else 0, count.width),
        )

    def fold_part(self, image, mask, Py_ssize_t first, Py_ssize_t width, values, counts):
        """Fold all rows of an image, and leave the state rows of each output row behind.

        It is the part of a window of `width` columns that begins with its row `first`.
        """
        cdef Call call
        cdef Py_buffer buffers[2]
        self.begin_parts(&call, self.recipe.most_rows, 1, values, counts)
        memset(buffers, 0, sizeof(buffers))
        call.parts.first, call.parts.width = first, width
        try:
            self.view(&call.image, image, &buffers[0], False)
            self.view(&call.mask, mask, &buffers[1], False)
            self.find_access(&call)
            lay_out(&self.recipe, &call.layout, call.rows_in_place, call.parts.rows, call.parts.rows, call.parts.piece)
            self.each(work_on_part, &call, self.recipe.rows * divided_up(call.parts.columns, call.parts.piece))
        finally:
            release(buffers, 2)

    def join_parts(self, values, counts, joined, joined_counts):
        """Join the states of parts of a size, of which the last may be smaller."""
        cdef Call call
        self.begin_parts(&call, 1, self.recipe.most_rows, values, counts)
        call.joined.values = <char*> address(joined)
        call.joined.counts = <char*> address(joined_counts)
        lay_out(&self.recipe, &call.layout, False, 0, call.parts.count * BLOCK, call.parts.piece)
        self.each(work_on_joined, &call, self.recipe.rows * divided_up(call.parts.columns, call.parts.piece))

    def finish_part(self, values, counts, out, places):
        """Pool from the states of one part that is the whole window; as a call."""
        cdef Call call
        cdef Py_buffer buffers[2]
        self.begin_parts(&call, self.recipe.most_rows, 1, values, counts)
        memset(buffers, 0, sizeof(buffers))
        try:
            self.view(&call.out, out, &buffers[0], True)
            self.view(&call.places, places, &buffers[1], True)
            call.out_in_place = self.lies_in_rows(&call.out, self.recipe.out_width)
            call.places_in_place = self.lies_in_rows(&call.places, sizeof(int64_t))
            lay_out(&self.recipe, &call.layout, False, 0, BLOCK, 0)
            return bool(self.each(work_on_whole, &call, self.recipe.rows))
        finally:
            release(buffers, 2)

    cdef int begin_parts(self, Call* call, Py_ssize_t rows, Py_ssize_t count, values, counts) except -1:
        """A call about so many parts of so many rows, whose states are in these arrays or go there."""
        cdef Parts* parts = &call.parts
        memset(call, 0, sizeof(Call))
        call.recipe = &self.recipe
        parts.rows, parts.count = rows, count
        parts.columns = columns_under(&self.recipe.axes[self.recipe.leading], 0, 1)
        parts.piece = min(max(LEAST_PIECE // self.recipe.inner, 1), parts.columns)
        parts.values = <char*> address(values)
        parts.counts = <char*> address(counts)
        return 0

    cdef int each(self, step_t step, Call* call, Py_ssize_t items) except -1:
        """Work on items, one by one; returns as a call does."""
        cdef Memory memory = Memory()
        memory.allot_scratch(1, call.layout.bytes, items)
        self.share(step, call, memory, 0)
        return memory.overflowed()


@cython.final
cdef class Memory:
    """Aligned bytes, equally many for each of some threads; freed with the object."""
    cdef char* base
    cdef char* start
    cdef Py_ssize_t threads
    cdef Py_ssize_t per_thread

    cdef int allot(self, Py_ssize_t threads, Py_ssize_t per_thread) except -1:
        self.base = <char*> malloc(threads * per_thread + ALIGNMENT)
        if self.base == NULL:
            raise MemoryError(f"no memory for {threads} x {per_thread} bytes of scratch")
        self.start = first_row(self.base)
        self.threads, self.per_thread = threads, per_thread
        return 0

    cdef int allot_scratch(
        self, Py_ssize_t threads, Py_ssize_t per_thread, Py_ssize_t items, Py_ssize_t second_items=0,
    ) except -1:
        """As `allot`; nothing has overflowed yet, nor will it for threads that OpenMP does not give."""
        cdef Py_ssize_t thread
        cdef Scratch* scratch
        self.allot(threads, per_thread)
        for thread in range(threads):
            scratch = <Scratch*> (self.start + thread * per_thread)
            scratch.parameters.overflowed = False
            deal(&scratch.turns[0], items, threads, thread)
            deal(&scratch.turns[1], second_items, threads, thread)
        return 0

    cdef bint overflowed(self) noexcept:
        """Whether some thread's scratch says that a float32 total may have overflowed."""
        cdef Py_ssize_t thread
        for thread in range(self.threads):
            if (<Scratch*> (self.start + thread * self.per_thread)).parameters.overflowed:
                return True
        return False

    def __dealloc__(self):
        free(self.base)
