"""Benchmarks: the library beside the pooling of other packages, on the same images, in one process.

    cells.py     WHAT is measured: tables of images, geometries and reductions, and products of them
    tasks.py     what a peer is given and gives back
    peers.py     WHO else can do it: one row per way that another package pools
    compiled.py  peers that are written and compiled for each case: torch.compile, JAX, Numba (loops.py)
    yardsticks.py  other calls that a cell is held against, with a limit where there is one
    answers.py   whether a peer's answer is the library's
    copies.py    how fast this machine copies the same number of bytes
    timing.py    paired rounds: blocks of each side alternate, and idle threads are waited out
    memory.py    peak extra memory, in a fresh process per cell
    measure.py   one cell from start to finish
    report.py    table and JSON
    pictures.py  roofline and bars
    boxes.py     boxes beside ONNX Runtime; a program of its own: ``python -m benchmarks.boxes``
    places.py    adaptive, global, batches and regions beside their peers: ``python -m benchmarks.places``
    order.py     order statistics, labels and weights beside their peers: ``python -m benchmarks.order``
    tables.py    a page of the documentation from the JSON: ``python -m benchmarks.tables``
    scaling.py   curves of workers, and what allocating costs: ``python -m benchmarks.scaling``
    instructions.py  instructions that the kernels run, held against a baseline: ``python -m benchmarks.instructions``
    pairs.py     the command line and the table of these programs
    library.py   which build of the library is measured, and how it is called

Run ``python -m benchmarks --help`` in the root of the repository. A new reduction, image or dtype is
a word in ``cells.py``; a new package is a row in ``peers.py`` and a function of about ten lines.
"""
