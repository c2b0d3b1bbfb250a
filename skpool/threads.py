"""How many threads a call may use: the only place that decides.

Design: kernels take an explicit thread count and never ask OpenMP for its default, which knows
nothing of containers. A pooling call is over in milliseconds, so a thread beyond the cores that the
process really has costs more than it gives, and every source of "really has" counts: the affinity
mask, the CPU quota of the control groups, and OpenMP's own limit at the time of the call, which is
how ``OMP_NUM_THREADS`` and threadpoolctl reach us. The smallest wins.

A forked child always runs on one thread. GNU's libgomp keeps its pool of threads across ``fork``,
although the threads themselves stay behind in the parent, and a child that enters a parallel region
waits for them for ever.
"""

import functools
import math
import operator
import os
from pathlib import Path

import numpy as np

from .kernels import driver

#: Calls that touch fewer bytes than this run on one thread unless told otherwise: waking and joining
#: threads takes as long as pooling an image that fits in one core's cache. Benchmarks decide the value.
SERIAL_BELOW = 2**20

#: The most threads that an explicit `workers` can have: one per core of the machine, yet never fewer
#: than 64, so that results with several threads can be had on any machine. More would be slower still,
#: and OpenMP ends the process where the system refuses it a thread.
MOST_WORKERS = max(64, os.cpu_count() or 1)

# Where Linux mounts the two kinds of control groups, and the files that hold "quota period" there.
_GROUPS_V1 = "sys/fs/cgroup/cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us")
_GROUPS_V2 = "sys/fs/cgroup", ("cpu.max",)

_in_forked_child = False


def _after_fork_in_child():
    """Remember, for good, that this process and its descendants were forked."""
    global _in_forked_child
    _in_forked_child = True


if hasattr(os, "register_at_fork"):  # Windows cannot fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


def check_workers(workers):
    """Return `workers` as None or a plain integer, or raise before any work is done.

    Parameters
    ----------
    workers : int or None
        The argument as the user gave it. NumPy integers are integers; booleans are not.

    Returns
    -------
    int or None
        The same value, not yet limited in any way.

    Raises
    ------
    TypeError
        If `workers` is neither None nor an integer.
    ValueError
        If `workers` is below 1.

    Examples
    --------
    >>> check_workers(2)
    2
    >>> check_workers(0)
    Traceback (most recent call last):
    ...
    ValueError: `workers` must be None or an integer >= 1, got 0
    """
    if workers is None:
        return None
    try:
        count = None if isinstance(workers, bool | np.bool_) else operator.index(workers)
    except TypeError:
        count = None
    if count is None:
        raise TypeError(f"`workers` must be None or an integer >= 1, got {workers!r}")
    if count < 1:
        raise ValueError(f"`workers` must be None or an integer >= 1, got {count}")
    return count


def worker_count(workers, cost):
    """Return the number of threads to use for one call.

    Parameters
    ----------
    workers : int or None
        A value that `check_workers` has passed. None means as many threads as are available, and
        one where the call is too small to share. A number is taken at its word, up to `MOST_WORKERS`.
    cost : int
        Estimate of the bytes that the call reads and writes. Calls below `SERIAL_BELOW` are small.

    Returns
    -------
    int
        At least 1; exactly 1 in a forked child, whatever `workers` says.
    """
    if _in_forked_child:
        return 1
    if workers is not None:
        return min(operator.index(workers), MOST_WORKERS)
    if cost < SERIAL_BELOW:
        return 1
    return min(available_cpus(), driver.max_threads(), MOST_WORKERS)


def available_cpus():
    """Return the number of CPUs that this process may keep busy: its affinity within its quota."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13; also honours PYTHON_CPU_COUNT
        cpus = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count()
    return math.ceil(min(cpus or 1, cpu_quota()))


@functools.cache
def cpu_quota(root="/"):
    """Return the CPU time that the process's control groups allow, in CPUs.

    A group is bound by its ancestors too, so the smallest quota on the way up counts. The files are
    read once per process: a quota changed later goes unnoticed.

    Parameters
    ----------
    root : str or path-like
        The folder that holds ``proc`` and ``sys``; other than ``/`` only in tests.

    Returns
    -------
    float
        Above 0, and infinite where there is no quota or no control groups (elsewhere than on Linux).
    """
    try:
        memberships = Path(root, "proc/self/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return math.inf
    quota = math.inf
    for membership in memberships:  # "4:cpu,cpuacct:/a/b" in version 1, "0::/a/b" in version 2
        _, controllers, path = membership.split(":", 2)
        if not controllers:
            mount, files = _GROUPS_V2
        elif "cpu" in controllers.split(","):
            mount, files = _GROUPS_V1
        else:
            continue
        # Inside a container the path may be the host's, which is not there: the walk up still ends at
        # the mount, and that is then the container's own group.
        top = Path(root, mount)
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            quota = min(quota, _group_quota(folder, files))
            if folder == top:
                break
    return quota


def _group_quota(folder, files):
    """Return the quota of one control group in CPUs, infinite where it sets none."""
    try:
        quota, period = " ".join((folder / name).read_text() for name in files).split()
        # "max" (version 2) is no integer and -1 (version 1) is below zero: both mean no quota.
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
