"""Workers that die before they begin, workers that outlive their parent, and signals that the caller ignores."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from results.files import CHECKPOINT, FAILURE, RECORD

CHECKOUT = Path(__file__).resolve().parents[2]
RUNS = ["run", "demo", "--method", "baseline", "--samples-per-class", "2", "--set", "protocol.network=wrn-10-1"]
SHORT = ["--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2"]

# Every Python process imports this first; only what multiprocessing spawns as a worker, or submitit as a job, goes on.
IN_WORKERS = """
import os, signal, sys, time
if "multiprocessing.spawn import spawn_main" in " ".join(sys.orig_argv) or "submitit.core._submit" in sys.orig_argv:
{body}
"""
DIE_FIRST = """
    try:
        os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), signal.SIGKILL)
    except FileExistsError:
        pass
"""
DIE_ALWAYS = """
    os.kill(os.getpid(), signal.SIGKILL)
"""
WAIT_FOR_A_LOCK = """
import multiprocessing, os, sys
from benchmark.pool import _start_worker

def work(parent, lock):
    _start_worker(parent, None, None)
    print(os.getpid(), flush=True)
    lock.acquire()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    lock = context.RLock()
    lock.acquire()
    worker = context.Process(target=work, args=(os.getpid(), lock))
    worker.start()
    worker.join()
"""
WAIT_FOR_THE_PARENTS_DEATH = """
    parent = os.getppid()
    open({marker!r} + str(os.getpid()), "w").close()
    while os.getppid() == parent:
        time.sleep(0.01)
"""


@pytest.fixture
def in_workers(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """An environment in which workers do something before they import anything of ours; `marker` is a path to use."""

    def make(body: str) -> dict[str, str]:
        folder = tmp_path / "site"
        folder.mkdir()
        body = body.format(marker=str(tmp_path / "marker"))
        (folder / "sitecustomize.py").write_text(IN_WORKERS.format(body=body))
        return {**os.environ, "PYTHONPATH": str(folder)}

    return make


def wait_for(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    while not found():
        assert time.monotonic() < deadline, "nothing happened in four minutes"
        time.sleep(0.05)


def test_a_worker_that_dies_before_it_begins_costs_one_run(hydrabench, store, in_workers):
    """FAULTS R4."""
    answer = hydrabench(*RUNS, *SHORT, "--seeds", "0-2", env=in_workers(DIE_FIRST))
    assert answer.returncode == 1
    assert "summary: 1 failed, 2 done" in answer.stderr
    assert "seed 0" in answer.stderr.split("summary")[1]
    assert "a process died before it began" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert (len(list(store.rglob(RECORD))), len(list(store.rglob(FAILURE)))) == (2, 1)
    again = hydrabench(*RUNS, *SHORT, "--seeds", "0-2", "--retry")
    assert (again.returncode, "summary: 1 done" in again.stderr) == (0, True), again.stderr


def test_where_no_worker_can_live_every_run_is_named(hydrabench, store, in_workers):
    answer = hydrabench(*RUNS, *SHORT, "--seeds", "0-2", env=in_workers(DIE_ALWAYS))
    assert answer.returncode == 1
    assert "summary: 3 failed" in answer.stderr
    assert all(f"seed {seed}" in answer.stderr.split("summary")[1] for seed in range(3))
    assert "Traceback" not in answer.stderr


def start(store: Path, *more: str, **how: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmark", *RUNS, "--results", str(store), "--ignore-measured", *more]
    return subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.DEVNULL, start_new_session=True, **how)  # type: ignore[call-overload]


def test_workers_whose_parent_was_killed_while_they_import_end_and_do_nothing(store, tmp_path, in_workers):
    """One of them finds a run in the pipe, one does not (FAULTS R6)."""
    environment = in_workers(WAIT_FOR_THE_PARENTS_DEATH)
    sweep = start(store, *SHORT, "--seeds", "0-1", "--workers", "2", env=environment)
    wait_for(lambda: len(list(tmp_path.glob("marker*"))) == 2)
    workers = [psutil.Process(int(path.name.removeprefix("marker"))) for path in tmp_path.glob("marker*")]
    sweep.kill()
    sweep.wait()
    _, alive = psutil.wait_procs(workers, timeout=240)
    assert not alive
    assert not [path for path in store.rglob("*") if path.is_file()]


def test_a_worker_that_waits_for_a_lock_ends_with_its_parent(tmp_path):
    """The lock of a pool is never released when another worker is killed while it holds it."""
    (tmp_path / "script.py").write_text(WAIT_FOR_A_LOCK)
    command = [sys.executable, str(tmp_path / "script.py")]
    parent = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([worker], timeout=240)
    assert not alive


def test_a_job_whose_parent_was_killed_while_it_imports_ends_and_does_nothing(store, tmp_path, in_workers):
    """What Slurm's own process of a step is to a job, submitit's controller is to one of the local profile."""
    environment = in_workers(WAIT_FOR_THE_PARENTS_DEATH) | {"XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "benchmark", "submit", *RUNS[1:], *SHORT, "--seeds", "0", "--profile", "local"]
    command += ["--yes", "--results", str(store), "--ignore-measured"]
    subprocess.run(command, cwd=CHECKOUT, env=environment, check=True)
    wait_for(lambda: list(tmp_path.glob("marker*")))
    (marker,) = tmp_path.glob("marker*")
    job = psutil.Process(int(marker.name.removeprefix("marker")))
    controller = job.parent()
    assert controller and "submitit.local._local" in controller.cmdline()
    controller.kill()
    _, alive = psutil.wait_procs([job], timeout=240)
    assert not alive
    assert not [*store.rglob(RECORD), *store.rglob(FAILURE)]
    assert any("stopped by the death of its parent" in path.read_text() for path in store.rglob("*_log.*"))


@pytest.mark.parametrize("to_all", [True, False])
def test_where_sigint_is_ignored_term_still_stops_at_a_checkpoint(store, to_all, tmp_path):
    """As under nohup, or in the background of a shell script. Nothing is said of what Python tidies up behind it."""
    ignore = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    )
    command = [sys.executable, "-c", ignore, sys.executable, "-m", "benchmark", *RUNS, "--seeds", "0"]
    command += ["--results", str(store), "--ignore-measured", "--set", "protocol.epochs=4000"]
    with (tmp_path / "said").open("w") as said:
        sweep = subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True, stderr=said)
    wait_for(lambda: list(store.rglob("progress.json")))
    workers = psutil.Process(sweep.pid).children(recursive=True)
    os.killpg(sweep.pid, signal.SIGINT)
    (os.killpg if to_all else os.kill)(sweep.pid, signal.SIGTERM)
    assert sweep.wait(240) == -signal.SIGTERM
    _, alive = psutil.wait_procs(workers, timeout=240)
    assert not alive
    assert len(list(store.rglob(CHECKPOINT))) == 1
    assert not [*store.rglob(RECORD), *store.rglob(FAILURE), *store.rglob("lock")]
    assert "leaked" not in (tmp_path / "said").read_text()
