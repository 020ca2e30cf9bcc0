"""What is left when a process is killed, stopped or cut off at a bad moment: no result replaced or called failed."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.build import build
from benchmark.execute import execute
from benchmark.job import Options
from results.artifacts import ARTIFACT, SAMPLES, TENSORS
from results.files import CHECKPOINT, FAILURE, HISTORY, LOG, PREDICTIONS, PROGRESS, RECORD
from results.locks import Lock
from results.records import read_record

WEIGHTS = "weights.safetensors"
ONE = ["demo", "--method", "baseline", "--seeds", "0", "--samples-per-class", "2", "--set", "protocol.network=wrn-10-1"]
ONE += ["--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2"]


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def take_over(folder: Path) -> None:
    """What another process does with a lock that it judges dead."""
    os.rename(folder / "lock", folder / "away")


@pytest.fixture
def while_drafting(monkeypatch) -> Callable[[str, Callable[[Path], None]], None]:
    """Something happens once to a folder, when the draft of a file of that name is synced and not yet in place."""

    def plan(name: str, happens: Callable[[Path], None]) -> None:
        fsync, to_come = os.fsync, [happens]

        def late(descriptor: int) -> None:
            fsync(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path.name.startswith(f".{name}.") and to_come:
                to_come.pop()(path.parent)

        monkeypatch.setattr(os, "fsync", late)

    return plan


@pytest.mark.parametrize("name", [RECORD, HISTORY, WEIGHTS, CHECKPOINT, PROGRESS, FAILURE])
def test_a_run_that_lost_its_lock_while_it_drafts_a_file_writes_no_more(
    store, make_run, monkeypatch, while_drafting, name
):
    """It was stopped for so long that another process took over, and wrote the same file (FAULTS R10)."""
    monkeypatch.setattr("benchmark.training.loop._REPORT_SECONDS", -1.0)
    run = make_run(learning_rate=1e30) if name == FAILURE else make_run()

    def other(folder: Path) -> None:
        take_over(folder)
        (folder / name).write_bytes(b"of another process")
        (folder / PROGRESS).write_bytes(b"of another process")

    while_drafting(name, other)
    outcome = execute(run, store, Options(keep_weights=True, checkpoint_seconds=0.0))
    assert outcome.state == "elsewhere", outcome
    assert (store / run.path / name).read_bytes() == b"of another process"
    assert (store / run.path / PROGRESS).read_bytes() == b"of another process"
    assert name == FAILURE or not (store / run.path / FAILURE).exists()


@pytest.mark.parametrize("name", [TENSORS, ARTIFACT, SAMPLES])
def test_a_building_that_lost_its_lock_writes_no_more(store, make_run, while_drafting, name):
    (job,) = make_run("hydramix").artifacts

    def other(folder: Path) -> None:
        take_over(folder)
        (folder / name).write_bytes(b"of another process")

    while_drafting(name, other)
    assert build(job, store).state == "elsewhere"
    assert (store / job.path / name).read_bytes() == b"of another process"


def test_who_is_stopped_right_before_the_rename_replaces_nothing(store, make_run, monkeypatch):
    """Its last look at the lock was good; the one that took over has swept its draft up since."""
    run, replace = make_run(), os.replace
    second: list[object] = []

    def late(draft: Path, path: Path) -> None:
        if path.name == RECORD and not second:
            take_over(path.parent)
            second.append("begins")
            second.append(execute(run, store).state)
            second.append(path.read_bytes())
        replace(draft, path)

    monkeypatch.setattr(os, "replace", late)
    assert execute(run, store).state == "elsewhere"
    assert second[1:] == ["done", (store / run.path / RECORD).read_bytes()]
    assert not (store / run.path / FAILURE).exists()


DIES = """
import os, signal
replace = os.replace
def die_after(source, target, **more):
    replace(source, target, **more)
    if str(target).endswith({name!r}):
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = die_after
"""


def dying_after(folder: Path, name: str) -> dict[str, str]:
    """An environment in which every Python process is killed when it has put a file of that name in place."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(DIES.format(name=name))
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_a_worker_killed_after_its_record_is_done(hydrabench, store, tmp_path):
    """FAULTS R9."""
    answer = hydrabench("run", *ONE, env=dying_after(tmp_path / "site", "/record.json"))
    assert answer.returncode == 0, answer.stderr
    assert "summary: 1 done" in answer.stderr
    (record,) = store.rglob(RECORD)
    assert files(record.parent) == [HISTORY, PREDICTIONS, RECORD, LOG]


def test_a_forced_repetition_killed_before_its_record_is_failed(hydrabench, store, tmp_path):
    assert hydrabench("run", *ONE).returncode == 0
    (record,) = store.rglob(RECORD)
    before = record.read_bytes()
    answer = hydrabench("run", *ONE, "--force", env=dying_after(tmp_path / "site", "/history.csv"))
    assert (answer.returncode, "summary: 1 failed" in answer.stderr) == (1, True), answer.stderr
    assert record.read_bytes() == before
    again = hydrabench("run", *ONE, "--force", env=dying_after(tmp_path / "other", "/record.json"))
    assert (again.returncode, "summary: 1 done" in again.stderr) == (0, True), again.stderr
    assert record.read_bytes() != before


def leave_behind(folder: Path, *names: str, age: float) -> None:
    for name in names:
        (folder / name).write_text("{}")
        then = time.time() - age
        os.utime(folder / name, (then, then))


def test_what_a_kill_left_beside_finished_work_is_swept_up_by_the_next_run(hydrabench, store, make_run):
    methods = ["--method", "hydramix", "--set", "hydramix.width=4", "--set", "hydramix.images_per_class=4"]
    command = ["demo", *methods, *ONE[3:], "--set", "hydramix.generator_size=32", "--set", "hydramix.batch_size=8"]
    assert hydrabench("run", *command).returncode == 0
    folders = [path.parent for name in (RECORD, ARTIFACT) for path in store.rglob(name)]
    assert len(folders) == 2
    clean = [files(folder) for folder in folders]
    for folder in folders:
        leave_behind(folder, "lock", CHECKPOINT, PROGRESS, FAILURE, f".{RECORD}.{'0a' * 16}", age=3600)
    answer = hydrabench("run", *command)
    assert (answer.returncode, "1 done" in answer.stderr) == (0, True), answer.stderr
    assert [files(folder) for folder in folders] == clean


def test_a_repetition_under_way_keeps_its_checkpoint_and_its_lock(hydrabench, store):
    assert hydrabench("run", *ONE).returncode == 0
    (record,) = store.rglob(RECORD)
    leave_behind(record.parent, CHECKPOINT, age=-1)
    assert hydrabench("run", *ONE).returncode == 0
    assert files(record.parent) == [CHECKPOINT, HISTORY, PREDICTIONS, RECORD, LOG]
    with Lock(record.parent) as lock:
        leave_behind(record.parent, PROGRESS, age=3600)
        assert hydrabench("run", *ONE).returncode == 0
        lock.verify()
        assert (record.parent / PROGRESS).exists()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_no_samples_are_no_failure(store, make_run, monkeypatch, code):
    run, replace = make_run("hydramix"), os.replace

    def broken(draft: Path, path: Path) -> None:
        if path.name == SAMPLES:
            raise OSError(code, os.strerror(code))
        replace(draft, path)

    monkeypatch.setattr(os, "replace", broken)
    assert execute(run, store).state == "done"
    folder = store / run.artifacts[0].path
    assert files(folder) == [ARTIFACT, TENSORS, HISTORY, LOG]
    assert os.strerror(code) in (folder / LOG).read_text()


@pytest.mark.parametrize("name", [CHECKPOINT, FAILURE, PROGRESS])
def test_an_error_after_the_record_is_in_place_fails_nothing(store, make_run, monkeypatch, name):
    run, unlink = make_run(), Path.unlink

    def broken(path: Path, missing_ok: bool = False) -> None:
        if path.name == name and path.with_name(RECORD).exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", broken)
        assert execute(run, store, Options(checkpoint_seconds=0.0)).state == "done"
    assert read_record(store / run.path / RECORD).key == run.key
    assert not (store / run.path / FAILURE).exists()
    assert execute(run, store).message == "already done"
    assert files(store / run.path) == [HISTORY, PREDICTIONS, RECORD, LOG]
