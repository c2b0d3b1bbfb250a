"""Thread counts: quotas, limits, bad values, and forked children that must not hang."""

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import pytest

import skpool
from skpool import threads

LARGE = 2**30  # bytes: well above any threshold
TIMEOUT = 60  # seconds: a child that takes longer hangs

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
# Python 3.12 warns of every fork of a process with threads. Here that is what is tested.
forks_with_threads = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def eight_cpus(monkeypatch):
    """Eight CPUs and no OpenMP limit, whatever the machine has."""
    monkeypatch.setattr(threads, "available_cpus", lambda: 8)
    monkeypatch.setattr(threads.driver, "max_threads", lambda: 8)


def run_python(code, **environment):
    """Return what `code` prints in a fresh interpreter: eight CPUs, and only the limits in `environment`."""
    limits = ("OMP_", "GOMP_", "KMP_", "PYTHON_CPU_COUNT")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(limits)}
    prelude = "from skpool import threads; threads.available_cpus = lambda: 8\n"
    result = subprocess.run(
        [sys.executable, "-P", "-c", prelude + code],
        env=inherited | {"PYTHONPATH": str(Path(skpool.__file__).parents[1])} | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.fixture(scope="module")
def openmp():
    """Skip where the kernels were built without OpenMP."""
    if run_python("print(threads.driver.max_threads())", OMP_NUM_THREADS="7") != ["7"]:
        pytest.skip("built without OpenMP")


# ---------------------------------------------------------------- the argument


@pytest.mark.parametrize("workers", [None, 1, 2, 5, 10**9, np.int64(3), np.uint8(3)])
def test_check_workers_passes_integers(workers):
    checked = threads.check_workers(workers)
    assert checked == workers
    assert checked is None or type(checked) is int


@pytest.mark.parametrize("workers", [True, False, np.True_, 2.0, np.float64(2), "2", [2], (1, 2), np.array([2, 3])])
def test_check_workers_refuses_other_types(workers):
    with pytest.raises(TypeError, match=r"^`workers` must be None or an integer >= 1, got ") as error:
        threads.check_workers(workers)
    assert repr(workers) in str(error.value)


@pytest.mark.parametrize("workers", [0, -1, -(10**30), np.int8(-128)])
def test_check_workers_refuses_less_than_one(workers):
    with pytest.raises(ValueError, match=rf"^`workers` must be None or an integer >= 1, got {int(workers)}$"):
        threads.check_workers(workers)


@pytest.mark.parametrize(("workers", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_pooling_refuses_bad_workers(workers, error):
    with pytest.raises(error, match="`workers`"):
        skpool.max_pool(np.ones((4, 4), np.float32), 2, workers=workers)


# ---------------------------------------------------------------- the count


def test_default_takes_the_smaller_of_cpus_and_openmp(eight_cpus, monkeypatch):
    assert threads.worker_count(None, LARGE) == 8
    monkeypatch.setattr(threads.driver, "max_threads", lambda: 3)
    assert threads.worker_count(None, LARGE) == 3
    monkeypatch.setattr(threads, "available_cpus", lambda: 2)
    assert threads.worker_count(None, LARGE) == 2


def test_default_keeps_small_calls_on_one_thread(eight_cpus):
    assert threads.worker_count(None, 0) == 1
    assert threads.worker_count(None, threads.SERIAL_BELOW - 1) == 1
    assert threads.worker_count(None, threads.SERIAL_BELOW) == 8


def test_small_calls_ask_the_system_nothing(monkeypatch):
    def fail():
        raise AssertionError("a small call needs no system call")

    monkeypatch.setattr(threads, "available_cpus", fail)
    monkeypatch.setattr(threads.driver, "max_threads", fail)
    assert threads.worker_count(None, 100) == 1


@pytest.mark.parametrize("cost", [0, LARGE])
@pytest.mark.parametrize("workers", [1, 2, 5, 64, np.int64(5)])
def test_explicit_workers_are_taken_at_their_word(workers, cost):
    count = threads.worker_count(workers, cost)
    assert count == workers
    assert type(count) is int


def test_explicit_workers_are_clamped():
    assert threads.MOST_WORKERS >= 64
    assert threads.worker_count(threads.MOST_WORKERS + 1, LARGE) == threads.MOST_WORKERS
    assert threads.worker_count(10**30, 0) == threads.MOST_WORKERS


def test_default_is_clamped(monkeypatch):
    monkeypatch.setattr(threads, "available_cpus", lambda: 5000)
    monkeypatch.setattr(threads.driver, "max_threads", lambda: 5000)
    assert threads.worker_count(None, LARGE) == threads.MOST_WORKERS


def test_absurd_workers_do_not_end_the_process():
    code = """
import numpy as np, skpool
image = np.arange(2**20, dtype=np.float32).reshape(1024, 1024)
print(np.array_equal(skpool.max_pool(image, 2, workers=5000), image[1::2, 1::2]))
"""
    assert run_python(code) == ["True"]


# ---------------------------------------------------------------- limits from outside


@pytest.mark.parametrize("limit", [1, 3])
def test_omp_num_threads_is_honoured(openmp, limit):
    code = f"print(threads.worker_count(None, {LARGE}), threads.worker_count(5, {LARGE}))"
    assert run_python(code, OMP_NUM_THREADS=str(limit)) == [str(limit), "5"]


def test_threadpoolctl_is_honoured_at_call_time(openmp):
    pytest.importorskip("threadpoolctl")
    code = f"""
from threadpoolctl import threadpool_limits
print(threads.worker_count(None, {LARGE}))
for limit in (1, 2):
    with threadpool_limits(limits=limit, user_api="openmp"):
        print(threads.worker_count(None, {LARGE}))
print(threads.worker_count(None, {LARGE}))
"""
    assert run_python(code, OMP_NUM_THREADS="6") == ["6", "1", "2", "6"]


def test_fewer_threads_than_asked_for(openmp):
    # What is read of a thread that OpenMP does not give must not be what lay in its memory before.
    code = """
import numpy as np, skpool
image = np.arange(1000, dtype=np.int16).reshape(25, 40)
for _ in range(20):
    assert (skpool.range_pool(image, 5, stride=1, workers=2) == 4 * 41).all()
print("done")
"""
    assert run_python(code, OMP_THREAD_LIMIT="1", MALLOC_PERTURB_="165") == ["done"]


# ---------------------------------------------------------------- CPUs and quotas


def test_available_cpus_of_this_machine():
    assert 1 <= threads.available_cpus() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_available_cpus_follow_the_affinity_mask():
    code = """
import importlib, os
importlib.reload(threads)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(threads.available_cpus())
"""
    assert run_python(code) == ["1"]


@pytest.mark.parametrize(
    ("quota", "expected"), [(math.inf, 4), (8.0, 4), (4.0, 4), (2.0, 2), (1.5, 2), (1.0, 1), (0.01, 1)]
)
def test_available_cpus_round_the_quota_up(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 4, raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert threads.available_cpus() == expected


@pytest.mark.parametrize("source", ["process_cpu_count", "sched_getaffinity", "cpu_count"])
def test_available_cpus_take_the_best_source_there_is(monkeypatch, source):
    sources = {
        "process_cpu_count": lambda: 3,
        "sched_getaffinity": lambda pid: {0, 5, 9},
        "cpu_count": lambda: 3,
    }
    for name in sources:
        if name == source:
            break
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, source, sources[source], raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: math.inf)
    assert threads.available_cpus() == 3


def test_available_cpus_where_nobody_knows(monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: None, raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: math.inf)
    assert threads.available_cpus() == 1


V1 = "4:memory:/\n3:cpu,cpuacct:{}\n1:name=systemd:/\n"
V2 = "0::{}\n"


def v1(quota, period=100_000):
    return {"cpu.cfs_quota_us": f"{quota}\n", "cpu.cfs_period_us": f"{period}\n"}


def v2(quota, period=100_000):
    return {"cpu.max": f"{quota} {period}\n"}


@pytest.mark.parametrize(
    ("membership", "groups", "expected"),
    [
        # one group, with and without a quota
        (V2.format("/"), {"": v2(150_000)}, 1.5),
        (V2.format("/a"), {"a": v2(50_000, 25_000)}, 2.0),
        (V2.format("/a"), {"a": v2("max")}, math.inf),
        (V1.format("/"), {"cpu": v1(50_000)}, 0.5),
        (V1.format("/a"), {"cpu/a": v1(250_000)}, 2.5),
        (V1.format("/a"), {"cpu/a": v1(-1)}, math.inf),
        ("2:cpuacct:/a\n1:cpu:/a\n", {"cpu/a": v1(300_000)}, 3.0),
        # nested groups: the smallest counts, wherever it stands
        (V2.format("/a/b"), {"a": v2(150_000), "a/b": v2("max")}, 1.5),
        (V2.format("/a/b/c"), {"a": v2(400_000), "a/b": v2(300_000), "a/b/c": v2(350_000)}, 3.0),
        (V1.format("/a/b"), {"cpu": v1(-1), "cpu/a": v1(200_000), "cpu/a/b": v1(400_000)}, 2.0),
        (V1.format("/a/b"), {"cpu/a": v1(400_000), "cpu/a/b": v1(100_000)}, 1.0),
        # both versions at once: a process is bound by either
        (V1.format("/a") + V2.format("/b"), {"cpu/a": v1(300_000), "b": v2(200_000)}, 2.0),
        # the host's path, seen from inside a container: only the mount's own files are there
        (V1.format("/docker/0123"), {"cpu": v1(200_000)}, 2.0),
        (V2.format("/../../host"), {"": v2(200_000)}, 2.0),
        # somebody else's groups and controllers
        (V2.format("/a"), {"b": v2(100_000)}, math.inf),
        ("3:cpuset:/a\n", {"cpu/a": v1(100_000), "a": v2(100_000)}, math.inf),
        # unreadable files
        (V2.format("/a"), {"a": {"cpu.max": ""}}, math.inf),
        (V2.format("/a"), {"a": {"cpu.max": "100000 0"}}, math.inf),
        (V1.format("/a"), {"cpu/a": {"cpu.cfs_quota_us": "100000"}}, math.inf),
        ("", {"": v2(100_000)}, math.inf),
    ],
)
def test_cpu_quota(tmp_path, membership, groups, expected):
    process = tmp_path / "proc/self"
    process.mkdir(parents=True)
    (process / "cgroup").write_text(membership)
    for group, files in groups.items():
        folder = tmp_path / "sys/fs/cgroup" / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    assert threads.cpu_quota(tmp_path) == expected


def test_cpu_quota_without_control_groups(tmp_path):
    assert threads.cpu_quota(tmp_path) == math.inf


def test_cpu_quota_of_this_process_is_read_once():
    assert threads.cpu_quota() > 0
    before = threads.cpu_quota.cache_info()
    threads.cpu_quota()
    after = threads.cpu_quota.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


# ---------------------------------------------------------------- forked children


def large_image():
    return np.random.default_rng(0).random((2048, 2048), dtype=np.float32)


def pools_rightly(workers):
    """Whether a large call gives what NumPy gives."""
    image = large_image()
    expected = image.reshape(1024, 2, 1024, 2).max(axis=(1, 3))
    return np.array_equal(skpool.max_pool(image, 2, workers=workers), expected)


def succeeds_in_fork(task):
    """Return whether `task` returns true in a forked child, and fail the test if the child hangs."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if task() else 1
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the forked child hangs")


@needs_fork
@forks_with_threads
def test_forked_child_uses_one_thread():
    assert succeeds_in_fork(lambda: threads.worker_count(5, LARGE) == threads.worker_count(None, LARGE) == 1)
    assert threads.worker_count(5, LARGE) == 5  # the parent keeps its threads


@needs_fork
@forks_with_threads
def test_forked_grandchild_uses_one_thread():
    assert succeeds_in_fork(lambda: succeeds_in_fork(lambda: threads.worker_count(5, LARGE) == 1))


@needs_fork
@forks_with_threads
@pytest.mark.parametrize("workers", [None, 2, 5])
def test_forked_child_pools_after_its_parent_did(workers):
    assert pools_rightly(2)
    assert succeeds_in_fork(lambda: pools_rightly(workers))
    assert pools_rightly(2)


@needs_fork
@forks_with_threads
def test_forked_process_pool_after_its_parent_pooled():
    assert pools_rightly(2)
    with multiprocessing.get_context("fork").Pool(2) as processes:
        assert processes.map_async(pools_rightly, [None, 2, 5, 2]).get(TIMEOUT) == [True] * 4
        processes.close()
        processes.join()


def test_every_step_of_a_call_takes_its_workers(monkeypatch):
    """Averages that are not plain finish by a call of their own."""
    asked = []
    count = threads.worker_count
    monkeypatch.setattr(threads, "worker_count", lambda workers, cost: asked.append(workers) or count(workers, cost))
    image = np.random.default_rng(0).random((40, 30))
    skpool.weighted_avg_pool(image, np.ones((3, 3)), image_weights=image, workers=2)
    skpool.global_pool(image, weights=image, workers=2)
    skpool.global_pool(image, "top_k_avg", k=5, workers=2)
    skpool.adaptive_pool(image, 7, bins="area", workers=2)
    assert {*asked} == {2}
