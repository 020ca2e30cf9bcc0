"""The verb `run` from outside: interruption, failures, time limits, missing data."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from benchmark.execute import execute
from benchmark.job import Options
from results.index import load_records

CHECKOUT = Path(__file__).resolve().parents[2]
SHORT = ["--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2", "--samples-per-class", "2"]


def test_a_sweep_finishes_and_a_second_one_repeats_nothing(hydrabench, store):
    arguments = ["run", "demo", "--seeds", "0", "--method", "baseline,mixup", "--workers", "2", *SHORT]
    first = hydrabench(*arguments)
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert "summary: 2 done" in first.stderr
    stamps = {path: path.stat().st_mtime_ns for path in store.rglob("record.json")}
    second = hydrabench(*arguments)
    assert (second.returncode, "2 done" in second.stderr) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("record.json")} == stamps


def test_an_unknown_commit_is_said_once_and_in_every_record(hydrabench, store, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\necho 'fatal: no idea' >&2\nexit 128\n")
    (tmp_path / "bin/git").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    arguments = ["run", "demo", "--seeds", "0-1", "--method", "baseline", "--workers", "2", *SHORT]
    answer = hydrabench(*arguments, env=environment)
    assert answer.returncode == 0, answer.stderr
    warning = "the commit of the code is not known: git says: no idea"
    assert answer.stderr.count("not known") == answer.stderr.count(f"warning: {warning}") == 1
    records = [entry.record() for entry in load_records([store])]
    assert [record.warnings for record in records] == [[warning]] * 2
    assert {(record.environment.commit, record.environment.dirty) for record in records} == {(None, None)}


def test_what_of_a_folder_is_not_read_or_partly_transparent_is_said_once_and_in_every_record(
    hydrabench, store, draw_tree, tmp_path
):
    tree = draw_tree(tmp_path / "tree", 0)
    (tree / "train" / "a" / "4.heic").write_bytes(b"")
    with Image.open(tree / "train" / "b" / "1.png") as image:
        image.putalpha(7)
        image.save(tree / "train" / "b" / "1.png")
    told = (
        f"folder:{tree}: 1 images are partly transparent: the colours stored under it are what is learned "
        f"({tree}/train/b/1.png); not read: 1 .heic ({tree}/train/a/4.heic)"
    )
    chosen = ["demo", "--dataset", f"folder:{tree}", "--seeds", "0-1", "--method", "baseline", *SHORT]
    planned = hydrabench("plan", *chosen)
    assert [line for line in planned.stdout.splitlines() if line.startswith("warning: ")] == [f"warning: {told}"]
    answer = hydrabench("run", *chosen, "--workers", "2")
    assert (answer.returncode, answer.stderr.count("not read")) == (0, 1), answer.stderr
    assert f"warning: {told}\n" in answer.stderr
    assert [told in entry.record().warnings for entry in load_records([store])] == [True, True]


def test_one_failing_run_neither_sinks_nor_hides(hydrabench, store):
    arguments = ["run", "demo", "--seeds", "0", "--method", "baseline,cutout(length=4)", *SHORT]
    broken = hydrabench(*arguments, "--set", "protocol.learning_rate=1e30")
    assert broken.returncode == 1
    assert "summary: 2 failed" in broken.stderr
    assert re.search(r"failed: digits 2/class baseline seed 0 .*diverged at step", broken.stderr)
    assert "failure.json" in broken.stderr
    again = hydrabench(*arguments, "--set", "protocol.learning_rate=1e30")
    assert again.returncode == 1
    assert "--retry runs them again" in again.stderr
    retried = hydrabench(*arguments, "--set", "protocol.learning_rate=1e30", "--retry")
    assert "2 to run" in retried.stderr
    assert not list(store.rglob("record.json"))


def test_a_killed_worker_fails_its_run_alone_and_retry_goes_on(store):
    arguments = [
        "run",
        "demo",
        "--method",
        "baseline,mixup",
        "--seeds",
        "0",
        "--samples-per-class",
        "2",
        "--workers",
        "2",
    ]
    arguments += ["--results", str(store), "--ignore-measured", "--set", "protocol.epochs=2"]
    process = _start(*arguments)
    victim = _wait_for(lambda: _worker_on(store, process.pid))
    os.kill(victim, signal.SIGKILL)
    _, shown = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "its process died" in shown
    assert "summary: 1 failed, 1 done" in shown or "summary: 1 done, 1 failed" in shown
    retried = _start(*arguments, "--retry")
    _, shown = retried.communicate(timeout=240)
    assert (retried.returncode, "summary: 1 done" in shown) == (0, True), shown


def test_a_measure_that_was_killed_goes_on_to_the_same_numbers(store, tmp_path):
    arguments = ["run", "chimeramix-figure4", "--preset", "demo", "--dataset", "digits", "--method", "baseline"]
    arguments += ["--seeds", "0", "--ignore-measured", "--set", "protocol.total=20", "--set", "protocol.reference=20"]
    process = _start(*arguments, "--results", str(store))
    _wait_for(lambda: _worker_on(store, process.pid))
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(workers, timeout=60)
    assert not list(store.rglob("record.json"))
    for place in (store, tmp_path / "undisturbed"):
        process = _start(*arguments, "--results", str(place))
        _, shown = process.communicate(timeout=240)
        assert process.returncode == 0, shown
    (found,), (expected,) = ([entry.record() for entry in load_records([s])] for s in (store, tmp_path / "undisturbed"))
    assert found.values == expected.values and len(found.values) == 4


@pytest.mark.parametrize("stop", ["interrupt", "kill"])
def test_an_interrupted_sweep_goes_on_where_it_was(store, stop):
    arguments = ["run", "demo", "--method", "baseline", "--seeds", "0-1", "--samples-per-class", "2"]
    arguments += ["--results", str(store), "--ignore-measured", "--set", "protocol.epochs=2"]
    process = _start(*arguments)
    _wait_for(lambda: _worker_on(store, process.pid))
    workers = psutil.Process(process.pid).children(recursive=True)
    if stop == "interrupt":
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    else:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    psutil.wait_procs(workers, timeout=60)
    assert list(store.rglob("checkpoint.pt"))
    assert not list(store.rglob("record.json"))
    again = _start(*arguments)
    _, shown = again.communicate(timeout=240)
    assert "summary: 2 done" in shown
    assert sorted(entry.record().resumed for entry in load_records([store])) == [0, 1]


def test_a_time_limit_stops_at_a_checkpoint_says_what_is_left_and_exits_0(hydrabench, store):
    arguments = ["run", "demo", "--method", "baseline", "--seeds", "0-1", "--samples-per-class", "2"]
    stopped = hydrabench(*arguments, "--set", "protocol.epochs=400", "--time-limit", "8s")
    assert stopped.returncode == 0, stopped.stderr
    assert "summary: 1 unfinished, 1 not started" in stopped.stderr
    assert "goes on from their checkpoints" in stopped.stderr
    assert len(list(store.rglob("checkpoint.pt"))) == 1
    assert not list(store.rglob("progress.json"))


def test_a_missing_dataset_is_said_once_before_anything_starts(hydrabench, store, tmp_path):
    environment = {**os.environ, "DATA_ROOT": str(tmp_path / "nothing")}
    answer = hydrabench(
        "run", "table1", "--preset", "demo", "--seeds", "0-2", "--method", "mixup", "--yes", env=environment
    )
    assert answer.returncode == 2
    assert answer.stderr.count("error:") == 1
    assert "data prepare --dataset cifair10" in answer.stderr
    assert not store.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "4096"], "this machine has"),
        (["--time-limit", "10:30"], "90s, 9m or 2h"),
    ],
)
def test_bad_requests_start_nothing(hydrabench, store, arguments, message):
    answer = hydrabench("run", "demo", *arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert not store.exists()


def test_a_long_sweep_without_gpu_asks_first(hydrabench, store, monkeypatch):
    answer = hydrabench("run", "demo", "--set", "protocol.epochs=1000000", stdin=subprocess.DEVNULL)
    assert answer.returncode == 2
    assert "add --yes" in answer.stderr
    assert not store.exists()


def test_dry_run_names_the_runs_and_starts_nothing(hydrabench, store):
    answer = hydrabench("run", "demo", "--seeds", "0", "--dry-run")
    assert answer.returncode == 0
    assert answer.stdout.count("would run: digits") == 11
    assert "warning" not in answer.stderr
    assert not store.exists()


def test_dry_run_warns_of_images_that_a_run_would_refuse(hydrabench, store, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", "/nowhere")
    chosen = ("--dataset", "cifair10", "--method", "baseline", "--samples-per-class", "5", "--seeds", "0")
    dry = hydrabench("run", "table1", *chosen, "--dry-run")
    assert (dry.returncode, dry.stdout.count("would run: cifair10")) == (0, 1)
    assert hydrabench("run", "table1", *chosen, "--yes").returncode == 2
    (warning,) = re.findall("warning: (cifair10: .*)", dry.stderr)
    assert "data prepare" in warning
    assert not store.exists()


def _start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _worker_on(store: Path, parent: int) -> int | None:
    """The worker process that holds a run's lock and has reported progress."""
    import json

    for progress in store.rglob("progress.json"):
        try:
            return json.loads((progress.parent / "lock").read_text())["pid"]
        except (OSError, ValueError):
            continue
    return None


def _wait_for(found):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    raise AssertionError("nothing started in two minutes")


NARROW = ("width=4", "images_per_class=4", "generator_size=32", "batch_size=8")
HYDRAMIX, CHIMERAMIX = ([f"--set={name}.{short}" for short in NARROW] for name in ("hydramix", "chimeramix-seg"))
QUICKLY = ("--set=protocol.epochs=1", "--set=protocol.images_per_class=2", "--samples-per-class=2", "--seeds=0")


def test_a_sweep_builds_each_generator_once_and_before_its_runs(hydrabench, store):
    methods = "--method=hydramix,hydramix(p_gen=1.0),hydramix+autoaugment,hydramix(p_gen=0.0),chimeramix-seg"
    command = ("demo", methods, *QUICKLY, *HYDRAMIX, *CHIMERAMIX)
    plan = json.loads(hydrabench("plan", *command, "--format", "json").stdout)
    assert [artifact["state"] for artifact in plan["artifacts"]] == ["missing", "missing"]
    assert plan["missing"] == 5
    answer = hydrabench("run", *command, "--workers", "2")
    assert answer.returncode == 0, answer.stderr
    assert "5 to run after 2 " in answer.stderr
    folders = sorted(path.parent for path in store.glob("artifacts/generator/digits/n2/*/artifact.json"))
    assert sorted(folder.name.split("-")[1] for folder in folders) == sorted(a["key"] for a in plan["artifacts"])
    for folder in folders:
        assert {file.name for file in folder.iterdir()} == {
            "artifact.json", "artifact.safetensors", "history.csv", "run.log", "samples.png",
        }  # fmt: skip
    again = json.loads(hydrabench("plan", *command, "--format", "json").stdout)
    assert (again["done"], again["artifacts"]) == (5, [])


def test_a_failing_generator_fails_its_runs_alone_and_is_retried(hydrabench, store):
    command = ("demo", "--method=hydramix,baseline", *QUICKLY, *HYDRAMIX)
    diverging = (*command, "--set=hydramix.learning_rate=1e30")
    answer = hydrabench("run", *diverging)
    assert answer.returncode == 1
    assert "1 done, 2 failed" in answer.stderr.replace("2 failed, 1 done", "1 done, 2 failed")
    (failure,) = store.glob("digits/n2/hydramix*/*/failure.json")
    assert "hydramix generator (generator_size=32) of digits 2/class seed 0" in json.loads(failure.read_text())["error"]
    plan = json.loads(hydrabench("plan", *diverging, "--format", "json").stdout)
    assert [artifact["state"] for artifact in plan["artifacts"]] == ["failed"]
    assert "would build" not in hydrabench("run", *diverging, "--dry-run").stdout
    assert "would build: hydramix generator" in hydrabench("run", *diverging, "--dry-run", "--retry").stdout


ONE = ["demo", "--method", "baseline", "--seeds", "0", "--set", "protocol.network=wrn-10-1", *SHORT]


def test_a_store_that_cannot_be_written_fails_the_sweep_with_the_cause(tmp_path):
    """Nothing can be left there, so the exit status comes from what the sweep saw (FAULTS F1)."""
    command = [sys.executable, "-m", "benchmark", "run", *ONE, "--results", "/proc/hydrabench", "--ignore-measured"]
    answer = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert answer.returncode == 1
    assert "No such file or directory: '/proc/hydrabench" in answer.stderr
    assert "summary: 1 failed" in answer.stderr
    assert "details:" not in answer.stderr


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE, errno.EMFILE])
@pytest.mark.parametrize("force", [False, True])
def test_a_finished_record_that_cannot_be_read_is_left_as_it_is(store, make_run, monkeypatch, code, force):
    """It is no damaged one: it may be whole, and what is finished is never repeated or renamed (FAULTS R1)."""
    run = make_run()
    assert execute(run, store).state == "done"
    before = sorted((path.name, path.read_bytes()) for path in (store / run.path).iterdir() if path.name != "run.log")
    open_ = os.open

    def broken(path, *arguments, **more):
        if str(path).endswith("record.json"):
            raise OSError(code, os.strerror(code), str(path))
        return open_(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", broken)
        outcome = execute(run, store, Options(force=force))
    assert outcome.state == "failed"
    assert os.strerror(code) in outcome.message
    after = sorted((path.name, path.read_bytes()) for path in (store / run.path).iterdir() if path.name != "run.log")
    assert after == before
    assert execute(run, store).message == "already done"


def test_an_artifact_that_cannot_be_read_is_not_built_again(store, make_run, monkeypatch):
    run = make_run("hydramix")
    assert execute(run, store).state == "done"
    (job,) = run.artifacts
    stamp = (store / job.path / "artifact.safetensors").stat()
    (store / run.path / "record.json").unlink()
    open_ = os.open

    def broken(path, *arguments, **more):
        if str(path).endswith(".safetensors"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return open_(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", broken)
        outcome = execute(run, store)
    assert (outcome.state, "cannot be read" in outcome.message) == ("failed", True)
    assert (store / job.path / "artifact.safetensors").stat() == stamp
