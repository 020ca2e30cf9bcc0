"""Deaths that Slurm takes minutes to notice, while the job's process lives on: still one record, the same bits."""

import os
import signal
import subprocess

import psutil
import pytest
from clusterbench import CHECKOUT, job_ids, require_same_bits, slurm, starts, wait_for, wait_for_progress

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]
LONG = 60  # epochs of 6 steps of half a second, until the test lets it hurry


def slurm_processes(name: str, text: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == name and text in " ".join(process.info["cmdline"] or [])
    ]


def test_a_dead_slurmstepd(bench, tmp_path):
    """Slurm says NODE_FAIL and queues the job again; the orphan stops at a checkpoint, and the new start goes on.

    The srun of the first start lives on as well. Slurm gives both starts one id, so that at an unlucky moment it
    takes the new step for its own and cancels it: then the job ends FAILED, and the next submit goes on.
    """
    sweep = bench("test-slow", epochs=LONG)
    sweep.submit("slow")
    (job,) = job_ids(sweep)
    wait_for_progress(sweep, 5)
    for process in slurm_processes("slurmstepd", f"[{job}."):
        process.send_signal(signal.SIGKILL)
    status = sweep.wait(lambda s: s["missing"] or starts(sweep) == 2, 500)
    if status["missing"]:
        assert any("FAILED: submit again" in note for note in status["notes"]), status
        sweep.submit("slow")
    sweep.hurry()
    assert sweep.settled(100)["done"] == 1
    assert starts(sweep) == 2
    require_same_bits(sweep, tmp_path / "other")


def test_a_dead_node(bench, cluster, tmp_path):
    """Slurm queues the job again elsewhere; the old step works on, and the new start waits for it."""
    sweep = bench("test-slow", epochs=2 * LONG)
    sweep.submit("slow")
    (job,) = job_ids(sweep)
    wait_for_progress(sweep, 5)
    node = slurm("squeue", "-h", "-o", "%N", "-j", job).strip()
    os.kill(int((cluster / "pid" / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)
    wait_for(
        lambda: True if "NODE_FAIL" in slurm("sacct", "-X", "-D", "-n", "-P", "-o", "State", "-j", job) else None, 200
    )
    sweep.hurry()
    sweep.wait(lambda s: s["done"] == 1, 300)
    subprocess.run([CHECKOUT / "slurm" / "dev-cluster", "up"], check=True, capture_output=True)
    sweep.settled(300)
    assert starts(sweep) == 1
    require_same_bits(sweep, tmp_path / "other")
