"""Killed, stopped, raced and failing runs: the same bits or a clear failure, never a wrong record."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.execute import Options, execute
from results.files import FAILURE
from results.reader import read_json
from results.records import read_record
from trainings import stop_after

CHILD = """
import sys
from pathlib import Path
from benchmark.execute import Options, execute
from benchmark.selection import Selection
from benchmark.study import load_grid
settings = ("protocol.epochs=20", "protocol.images_per_class=8", "protocol.dropout=0.3")
(run,) = load_grid("demo", Selection("demo", ("digits",), (sys.argv[2],), (4,), (0,), settings)).runs()
outcome = execute(run, Path(sys.argv[1]), Options(checkpoint_seconds=0.0))
print(outcome.state, run.path)
"""
METHODS = ["random-erasing+autoaugment", "mixupn"]


def start(store: Path, method: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(store), method], stdout=subprocess.PIPE, text=True)


def finish(store: Path, method: str):
    process = start(store, method)
    state, path = process.communicate(timeout=240)[0].split()
    assert state == "done"
    return read_record(store / path / "record.json"), store / path


def wait_for_step(store: Path, step: int, process: subprocess.Popen) -> None:
    """Waits until the run's log names a checkpoint at or after `step`."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        steps = [
            int(n) for log in store.rglob("run.log") for n in re.findall(r"checkpoint at step (\d+)", log.read_text())
        ]
        if steps and steps[-1] >= step:
            return
        time.sleep(0.02)
    raise AssertionError("no checkpoint in two minutes")


@pytest.mark.parametrize("method", METHODS)
def test_killed_twice_and_resumed_gives_the_same_bits(tmp_path, method):
    undisturbed, _ = finish(tmp_path / "undisturbed", method)
    for step in (13, 61):  # inside the first epochs: 32 images of 4 per class, batches of 10, the last one partial
        process = start(tmp_path / "killed", method)
        wait_for_step(tmp_path / "killed", step, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not list((tmp_path / "killed").rglob("record.json"))
    resumed, folder = finish(tmp_path / "killed", method)
    assert resumed.resumed == 2
    assert resumed.weights_sha256 == undisturbed.weights_sha256
    assert resumed.metrics == undisturbed.metrics
    assert sorted(file.name for file in folder.iterdir()) == [
        "history.csv",
        "predictions.safetensors",
        "record.json",
        "run.log",
    ]


def test_a_method_with_its_own_network_and_schedule_resumes_with_the_same_bits(store, make_run, tmp_path):
    run = make_run("scattering", size=1, epochs=6, batch_size=8, network="scattering-wrn-1")
    assert execute(run, store, stop=stop_after(7)).state == "unfinished"
    assert execute(run, store).state == "done"
    execute(run, tmp_path / "undisturbed")
    resumed, undisturbed = (read_record(at / run.path / "record.json") for at in (store, tmp_path / "undisturbed"))
    assert (resumed.resumed, undisturbed.resumed) == (1, 0)
    assert resumed.weights_sha256 == undisturbed.weights_sha256
    assert resumed.metrics == undisturbed.metrics
    assert resumed.identity["protocol"]["schedule"] == "onecycle"


def test_history_has_at_most_200_lines_and_survives_a_stop(store, make_run, tmp_path):
    run = make_run(epochs=70, images_per_class=10, size=4)
    assert execute(run, store, stop=stop_after(150)).state == "unfinished"
    assert execute(run, store).state == "done"
    execute(run, tmp_path / "undisturbed")
    lines = (store / run.path / "history.csv").read_text()
    assert lines == (tmp_path / "undisturbed" / run.path / "history.csv").read_text()
    assert 100 < len(lines.splitlines()) <= 201


def test_a_finished_run_is_not_repeated(store, make_run):
    run = make_run()
    execute(run, store)
    before = (store / run.path / "record.json").stat()
    assert execute(run, store).message == "already done"
    assert (store / run.path / "record.json").stat() == before
    assert execute(run, store, Options(force=True)).message != "already done"


def test_a_damaged_checkpoint_is_set_aside_and_said(store, make_run):
    run = make_run()
    folder = store / run.path
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    assert execute(run, store).state == "done"
    assert "checkpoint.pt.damaged" in read_record(folder / "record.json").warnings[0]
    assert (folder / "checkpoint.pt.damaged").exists()


def test_a_checkpoint_of_another_network_is_set_aside(store, make_run):
    run, other = make_run(), make_run(network="wrn-10-2")
    execute(other, store, stop=stop_after(1))
    (store / run.path).mkdir(parents=True)
    os.rename(store / other.path / "checkpoint.pt", store / run.path / "checkpoint.pt")
    assert execute(run, store).state == "done"
    assert "started again" in read_record(store / run.path / "record.json").warnings[0]


def test_a_corrupt_record_is_set_aside_and_the_run_done_again(store, make_run):
    run = make_run()
    execute(run, store)
    path = store / run.path / "record.json"
    whole = read_record(path)
    path.write_bytes(path.read_bytes()[:60])
    assert execute(run, store).state == "done"
    assert read_record(path).weights_sha256 == whole.weights_sha256
    assert path.with_name("record.json.damaged").exists()


def test_force_begins_anew_and_keeps_the_record_until_the_new_one(store, make_run):
    run = make_run()
    execute(run, store)
    folder = store / run.path
    before = (folder / "record.json").read_bytes()
    (folder / "checkpoint.pt").write_bytes(b"left over by a kill after the record")
    then = (folder / "record.json").stat().st_mtime - 10
    os.utime(folder / "checkpoint.pt", (then, then))
    assert execute(run, store, Options(force=True), stop_after(1)).state == "unfinished"
    assert (folder / "record.json").read_bytes() == before
    assert execute(run, store, Options(force=True)).state == "done"
    assert read_record(folder / "record.json").resumed == 1


def test_half_written_files_of_a_killed_process_are_removed(store, make_run):
    run = make_run()
    (store / run.path).mkdir(parents=True)
    (store / run.path / f".checkpoint.pt.{'0a' * 16}").write_bytes(b"half")
    execute(run, store)
    assert sorted(file.name for file in (store / run.path).iterdir()) == [
        "history.csv",
        "predictions.safetensors",
        "record.json",
        "run.log",
    ]


def test_a_progress_bar_never_ends_a_run(store, make_run, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchmark.training.loop._REPORT_SECONDS", -1.0)
    monkeypatch.setattr("results.states.write_json", full)
    assert execute(make_run(), store).state == "done"


def test_divergence_ends_the_run_as_failed_at_its_step(store, make_run):
    run = make_run(learning_rate=1e30)
    outcome = execute(run, store)
    assert outcome.state == "failed"
    failure = read_json(store / run.path / FAILURE)
    assert re.search(r"diverged at step [1-4]: the loss is (nan|inf)", failure["error"])
    assert "Diverged" in failure["traceback"]
    assert Path(failure["log"]).read_text()
    assert not (store / run.path / "record.json").exists()


def test_a_full_disk_fails_the_run_and_keeps_its_checkpoint(store, make_run, monkeypatch):
    run = make_run()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchmark.execute.write_record", full)
    assert "No space left" in execute(run, store).message
    monkeypatch.undo()
    assert execute(run, store).state == "done"
    assert not (store / run.path / FAILURE).exists()


def test_kept_weights_are_the_recorded_ones(store, make_run):
    import hashlib

    from safetensors.torch import load_file

    run = make_run()
    execute(run, store, Options(keep_weights=True))
    weights = load_file(store / run.path / "weights.safetensors")
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].numpy().tobytes())
    assert digest.hexdigest() == read_record(store / run.path / "record.json").weights_sha256
