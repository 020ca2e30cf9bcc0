"""What a job does with its pack, without Slurm: signals, other processes' runs, and submitit's own executors."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.checkout import code_state
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.files import FAILURE, write_json
from results.index import load_records
from results.locks import Lock

CHECKOUT = Path(__file__).resolve().parents[2]
JOB = """
import sys
from pathlib import Path
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.checkout import CodeState
from slurm.work import Order, Shift
settings = (f"protocol.epochs={sys.argv[2]}", "protocol.images_per_class=2", "protocol.network=wrn-10-1")
runs = tuple(load_grid("demo", Selection("demo", ("digits",), ("baseline",), (2,), (0, 1), settings)).runs())
store = Path(sys.argv[1])
print(Shift(Order(runs, store, store / ".slurm" / "x", 1, CodeState("another commit", False, ""))).work())
"""


def start(store: Path, epochs: int = 1, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-c", JOB, str(store), str(epochs)]
    more: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": CHECKOUT}
    return subprocess.Popen(command, env=os.environ | environment, **more)


def wait_for(found, seconds: float = 120):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


@pytest.fixture
def slurm(tmp_path) -> Path:
    """Programs that stand in for scontrol, which keeps what it is told, and squeue; the folder they are in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "state").write_text("RUNNING")
    (folder / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {folder}/told\n')
    (folder / "squeue").write_text(f"#!/bin/sh\ncat {folder}/state\n")
    for name in ("scontrol", "squeue"):
        (folder / name).chmod(0o755)
    return folder


def start_in_slurm(store: Path, slurm: Path) -> subprocess.Popen:
    ids = {"SLURM_JOB_ID": "14", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}
    job = start(store, 400, PATH=f"{slurm}:{os.environ['PATH']}", **ids)
    wait_for(lambda: list(store.rglob("progress.json")))
    return job


def require_stopped(job: subprocess.Popen, store: Path, name: str) -> None:
    said = job.communicate(timeout=60)[0]
    assert job.returncode == 1, said
    assert f"stopped by {name} with 2 of its runs to do" in said
    assert len(list(store.rglob("checkpoint.pt"))) == 1
    assert not list(store.rglob(FAILURE))
    assert not list(store.rglob("lock"))


def test_usr2_stops_at_a_checkpoint_and_requeues(store, slurm):
    job = start_in_slurm(store, slurm)
    job.send_signal(signal.SIGUSR2)
    require_stopped(job, store, "USR2")
    assert (slurm / "told").read_text() == "requeue 12_3\n"


def test_term_of_a_cancelled_job_only_stops(store, slurm):
    job = start_in_slurm(store, slurm)
    (slurm / "state").write_text("COMPLETING")
    job.send_signal(signal.SIGTERM)
    require_stopped(job, store, "TERM")
    assert not (slurm / "told").exists()


def test_term_of_a_running_job_is_the_first_word_of_a_preemption(store, slurm):
    """Slurm queues the job again when its grace time is over, but not a job that has exited before."""
    job = start_in_slurm(store, slurm)
    job.send_signal(signal.SIGTERM)
    wait_for(lambda: list(store.rglob("checkpoint.pt")) and not list(store.rglob("lock")))
    time.sleep(3)
    assert job.poll() is None
    job.send_signal(signal.SIGUSR2)
    require_stopped(job, store, "USR2")
    assert (slurm / "told").exists()


def test_an_orphan_stops_at_a_checkpoint(store):
    """Slurm's own process of the step was killed: the job is queued again while this one still runs."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {JOB!r}, {str(store)!r}, '400'])"
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=CHECKOUT)
    wait_for(lambda: list(store.rglob("progress.json")))
    process.kill()
    process.wait()
    wait_for(lambda: list(store.rglob("checkpoint.pt")) and not list(store.rglob("lock")), 30)
    assert not list(store.rglob(FAILURE))


def test_records_say_that_the_code_moved_on(store):
    assert "{'done': 2}" in start(store).communicate(timeout=120)[0]
    for entry in load_records([store]):
        record = entry.record()
        (warning,) = set(record.warnings) - set(code_state().warnings())
        assert warning.startswith("submitted at commit another commit, run at ")
        assert str(record.environment.commit or "unknown") in warning


def test_a_run_in_other_hands_is_waited_for_and_cancelled_ones_are_left_out(store):
    settings = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")
    grid = load_grid("demo", Selection("demo", ("digits",), ("baseline",), (2,), (0, 1), settings))
    mine, theirs = grid.runs()
    (store / ".slurm" / "x" / "cancelled").mkdir(parents=True)
    with Lock(store / theirs.path):
        job = start(store)
        wait_for(lambda: (store / mine.path / "record.json").exists())
        time.sleep(1)
        assert job.poll() is None
    assert "{'done': 2}" in job.communicate(timeout=120)[0]
    other = store.with_name("cancelled")
    (other / ".slurm" / "x" / "cancelled").mkdir(parents=True)
    (other / ".slurm" / "x" / "cancelled" / theirs.key).touch()
    assert "{'done': 1}" in start(other).communicate(timeout=120)[0]


def test_a_failure_of_an_earlier_start_is_not_tried_again(store):
    settings = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")
    grid = load_grid("demo", Selection("demo", ("digits",), ("baseline",), (2,), (0, 1), settings))
    write_json(store / next(grid.runs()).path / FAILURE, {"failed": "before this start"})
    assert "{'done': 1}" in start(store).communicate(timeout=120)[0]


def submit(store: Path, profile: str, config: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmark", "submit", "demo", "--profile", profile, "--yes"]
    command += ["--method", "baseline,mixup", "--samples-per-class", "2", "--seeds", "0", "--results", str(store)]
    command += ["--ignore-measured", "--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2"]
    environment = os.environ | {"XDG_CONFIG_HOME": str(config)}
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, env=environment)


def test_the_local_profile_works_in_the_background_with_so_many_processes(store, tmp_path):
    first = submit(store, "local", tmp_path)
    assert "2 runs in 2 jobs" in first.stderr, first.stderr
    assert "nothing to submit" in submit(store, "local", tmp_path).stderr
    wait_for(lambda: len(list(store.rglob("record.json"))) == 2)
    assert len(list(store.rglob("run.log"))) == 2
    assert json.loads(next(store.glob(".slurm/*/submission.json")).read_text())["executor"] == "local"


def test_the_debug_profile_works_in_this_process(store, tmp_path):
    assert submit(store, "debug", tmp_path).returncode == 0
    assert len(list(store.rglob("record.json"))) == 2
