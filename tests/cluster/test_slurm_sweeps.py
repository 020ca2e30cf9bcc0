"""Sweeps on a real Slurm: whatever happens to them, every run ends with the record that `run` makes."""

import os
import signal
import subprocess

import pytest
from clusterbench import (
    CHECKOUT,
    Bench,
    job_ids,
    processes,
    require_same_bits,
    slurm,
    starts,
    wait_for,
    wait_for_log,
    wait_for_progress,
)

from results.artifacts import ARTIFACT
from results.files import FAILURE
from results.index import load_records
from results.reader import read_json

pytestmark = pytest.mark.usefixtures("cluster")
LONG = 30  # epochs of 6 steps: a minute and a half in a slow profile, until the test lets it hurry
STEPS = "checkpoint at step"


def test_a_sweep_with_artifacts_finishes_is_not_sent_twice_and_equals_run(bench, tmp_path):
    methods = "baseline,mixup,cosine,test-generator,test-generator(strength=0.5)"
    sweep = bench(methods, sizes="2,3", seeds="0-3")
    said = sweep.submit("test")
    assert "8 generators or other artifacts and 40 runs" in said
    scripts = [path.read_text() for path in sweep.store.rglob("*_submission.sh")]
    assert any("--dependency=afterany:" in script for script in scripts)
    assert any("#SBATCH --array=" in script for script in scripts)
    assert "nothing to submit" in sweep.submit("test")
    assert sweep.status()["queued"] > 30
    end = sweep.settled(300)
    assert (end["done"], end["failed"], end["missing"]) == (40, 0, 0), end
    assert "nothing to submit" in sweep.submit("test")
    assert len(list(sweep.store.rglob(ARTIFACT))) == 8
    assert starts(sweep) == 48  # each once
    require_same_bits(sweep, tmp_path / "other", workers=2)


MEASURES = {
    "detection": ("table8 --dataset test-boxes --method baseline --samples-per-class 1", ["ap", "ap50", "ap75"]),
    "fid": (
        "chimeramix-figure4 --dataset digits --method baseline --set=protocol.total=20 --set=protocol.reference=20",
        ["fid", "kid", "fid_real", "kid_real"],
    ),
}


@pytest.mark.parametrize("kind", MEASURES)
def test_runs_that_train_no_classifier_go_the_same_way(cluster, tmp_path, kind):
    pytest.importorskip("pycocotools")
    words, metrics = MEASURES[kind]
    sweep = Bench(tmp_path / "store", cluster / "slow", *words.split(), "--preset=demo", "--seeds=0-1")
    assert "2 runs" in sweep.submit("test")
    end = sweep.settled()
    assert (end["done"], end["failed"], end["missing"]) == (2, 0, 0), end
    records = [entry.record() for entry in load_records([sweep.store])]
    assert [list(record.values) for record in records] == [metrics] * 2
    require_same_bits(sweep, tmp_path / "other")


def test_preemption_stops_at_a_checkpoint_and_goes_on(bench, tmp_path):
    sweep = bench("test-slow", epochs=LONG)
    sweep.submit("low")
    wait_for_progress(sweep, 5)
    slurm("sbatch", "--partition=main", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")
    wait_for_log(sweep, STEPS)
    sweep.hurry()
    assert sweep.settled()["done"] == 1
    assert [entry.record().resumed for entry in load_records([sweep.store])] == [1]
    states = slurm("sacct", "-X", "-D", "-n", "-P", "-o", "State", "-j", job_ids(sweep)[0]).split("\n")
    assert len(states) > 2  # it started twice
    require_same_bits(sweep, tmp_path / "other")


def test_a_time_limit_is_no_end(bench, tmp_path):
    """More than a minute of work, in jobs of one minute: told to stop 20 s before its end or up to 30 s later."""
    sweep = bench("test-slow", epochs=LONG)
    sweep.submit("minute")
    wait_for_log(sweep, STEPS)
    sweep.hurry()
    assert sweep.settled(300)["done"] == 1
    (entry,) = load_records([sweep.store])
    assert entry.record().resumed >= 1
    require_same_bits(sweep, tmp_path / "other")


def test_requeued_by_hand_then_killed_then_submitted_again(bench, tmp_path):
    sweep = bench("test-slow", epochs=LONG)
    sweep.submit("slow")
    wait_for_progress(sweep, 5)
    slurm("scontrol", "requeue", job_ids(sweep)[0])
    wait_for_log(sweep, STEPS)
    wait_for_log(sweep, "starts", 2)
    (job,) = processes(sweep, "job")
    job.kill()
    status = sweep.wait(lambda s: s["missing"] == 1)
    assert any("FAILED: submit again" in note for note in status["notes"]), status
    assert "1 runs in 1 jobs" in sweep.submit("slow")
    sweep.hurry()
    assert sweep.settled()["done"] == 1
    assert [entry.record().resumed >= 1 for entry in load_records([sweep.store])] == [True]
    require_same_bits(sweep, tmp_path / "other")


def test_a_killed_worker_fails_its_run_alone_and_retry_mends_it(bench, tmp_path):
    sweep = bench("test-slow,baseline", epochs=LONG)
    sweep.submit("slow")
    wait_for_progress(sweep, 5)
    (worker,) = processes(sweep, "worker")
    os.kill(worker.pid, signal.SIGKILL)
    sweep.hurry()
    status = sweep.settled()
    assert (status["done"], status["failed"]) == (1, 1)
    assert "nothing to submit" in sweep.submit("slow")
    (failure,) = sweep.store.rglob(FAILURE)
    assert "its process died" in read_json(failure)["error"]
    assert "1 runs in 1 jobs" in sweep.submit("test", "--retry")
    assert sweep.status()["failed"] == 0  # queued again, not failed
    assert sweep.settled()["done"] == 2
    require_same_bits(sweep, tmp_path / "other")


def test_failures_stay_where_they_are_and_name_what_failed(bench):
    sweep = bench("baseline,test-broken,test-generator(broken=true),test-generator", seeds="0-1")
    sweep.submit("test")
    status = sweep.settled()
    assert (status["done"], status["failed"], status["artifacts"]) == (4, 4, {"failed": 2}), status
    errors = [read_json(path)["error"] for path in sweep.store.rglob(FAILURE)]
    assert sum("this method cannot work" in error for error in errors) == 2
    named = [error for error in errors if "ArtifactFailed" in error]
    assert len(named) == 2
    assert all("test-matrix of digits" in error and "cannot be trained" in error for error in named)
    broken = next(key for key, state in status["runs"].items() if state == "failed")
    shown = sweep.plain("logs", broken).output
    assert "Traceback" in shown and "_0_log.out" in shown
    wait_for(lambda: slurm("squeue", "-h", "-o", "%i") == "" or None, 60)  # nothing pends for ever
    assert "6 runs" not in sweep.submit("test")


def test_gpus_are_asked_for_counted_and_shared(bench):
    sweep = bench("test-slow,baseline", seeds="0-1", epochs=4)
    sweep.submit("gpu")
    (job,) = job_ids(sweep)
    assert sweep.settled()["done"] == 4
    assert "gres/gpu=1" in slurm("sacct", "-X", "-n", "-P", "-o", "AllocTRES", "-j", job)
    assert sweep.status()["hours_used"] > 0
    refused = sweep("submit", "--profile", "too-much", "--yes", "--seeds", "7")
    assert refused.exit_code != 0
    assert "submitting failed" in str(refused.exception)
    assert "feature" in str(refused.exception).lower()


def test_cancel_ends_a_study_or_one_run_of_a_job(bench):
    sweep = bench("test-slow", seeds="0-2", epochs=LONG)
    sweep.submit("slow")
    wait_for_progress(sweep, 5)
    (running,) = (path.parent.name.rsplit("-")[-1] for path in sweep.store.rglob("progress.json"))
    assert "cancelled" in sweep.plain("cancel", running[:8]).output
    status = sweep.wait(lambda s: s["runs"][running] == "missing" and s["running"] == 1)
    assert status["queued"] == 1
    assert "cancelled 1 jobs" in sweep.plain("cancel", "demo").output
    status = sweep.wait(lambda s: s["missing"] == 3)
    assert not processes(sweep, "job")


def test_dead_daemons_that_come_back_disturb_nothing(bench, cluster, tmp_path):
    sweep = bench("test-slow", epochs=LONG)
    sweep.submit("slow")
    wait_for_progress(sweep, 5)
    (job,) = job_ids(sweep)
    node = slurm("squeue", "-h", "-o", "%N", "-j", job).strip()
    for daemon in ("slurmctld", f"slurmd-{node}"):
        os.kill(int((cluster / "pid" / f"{daemon}.pid").read_text()), signal.SIGKILL)
    status = sweep.status()
    assert status["running"] == 1
    assert any("does not answer" in note for note in status["notes"])
    subprocess.run([CHECKOUT / "slurm" / "dev-cluster", "up"], check=True, capture_output=True)
    sweep.hurry()
    assert sweep.settled()["done"] == 1
    assert starts(sweep) == 1
    require_same_bits(sweep, tmp_path / "other")
