"""The one driver of the CPU backend: work items -> rows -> row functions.

It knows bytes, tables of windows and tables of functions (table.pxd), but no number type and no reduction::

    program   what Python hands over; items are handed to the threads
    windows   an item: a block of output rows x a tile of output columns, and for each row of windows
    down      their rows, through any number of leading axes, folded into one state row
    across    their columns, by doubling: 1, 2, 4, ... columns; then every stride-th is kept
    results   state and count -> result, converted, written

    axes      where the windows of an axis begin, and which of their taps count
    rows      where the rows of a window lie, and how they are made ready
    scratch   the memory that a thread works in
    shared    as `down`, where windows are tall and overlap
    samples   an item, where windows are sorted or have a footprint: by their samples one by one
    weights   an item, where windows have weights that are an outer product
    parts     an item, where a window is cut: a part of its rows x a piece of its columns; a state row is left behind

Windows are cut where outputs are too few to keep the threads busy, or too wide for their scratch: global pooling is
both.

Design: the order of a fold depends on the window alone, never on items, tiles or threads, so float results are the
same for any of them. It is the tree T(k) = T(h) + T(k - h), h the largest power of two below k, over the rows that
the window has, then over its columns; parts of 2**j rows are nodes of that same tree. Rows are folded where they lie;
only what is not a contiguous native row, or is masked, or is mapped first (powers, exponentials), passes through a row
of scratch, and where windows overlap such a row is kept until the window has passed it. Padding is never a copy of the
image: a padded row is a pointer that repeats or is left out, padded columns are a short row of their own, left and
right of the image's.
"""

from .program import Program, has_openmp, instruction_sets, layout_of_parts, max_threads

__all__ = ["Program", "has_openmp", "instruction_sets", "layout_of_parts", "max_threads"]
