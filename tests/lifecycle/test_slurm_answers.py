"""What squeue and sacct say, read from programs that stand in for them."""

import subprocess
import sys

from slurm import queues
from slurm.submissions import SentArray, Submission


def submission(executor: str = "slurm", **arrays: list[str]) -> Submission:
    """Arrays by their base id, each of some packs of one key."""
    sent = [
        SentArray("runs", [[key] for key in keys], [], queues.array_ids(base.removeprefix("j"), len(keys)))
        for base, keys in arrays.items()
    ]
    return Submission("20260101-000000-abcd", "demo", "test", executor, 1, "cpu", "c0ffee", False, sent)


def test_squeue_and_sacct_are_joined_task_by_task(programs, tmp_path):
    asked = programs("squeue", "7_1|hydrabench-20260101-000000-abcd|PENDING|Dependency\n")
    counted = programs(
        "sacct",
        "7_0|COMPLETED|100|billing=1,cpu=1,gres/gpu=2,mem=1G,node=1\n"
        "7_1|PREEMPTED|30|cpu=1,gres/gpu=1\n7_1|RUNNING|10|cpu=1,gres/gpu=1\n7_2|CANCELLED by 0|0|\n"
        "8|NODE_FAIL|5|cpu=1\n",
    )
    queue = queues.ask([submission(j7=["a", "b", "c"], j8=["d"])], tmp_path)
    assert queue.problem == ""
    states = {id_: (task.state, task.live, task.running, task.gpu_seconds) for id_, task in queue.jobs.items()}
    assert states == {
        "7_0": ("COMPLETED", False, False, 200),
        "7_1": ("PENDING", True, False, 40),  # preempted once: both starts count, and squeue knows best what it is now
        "7_2": ("CANCELLED", False, False, 0),
        "8": ("NODE_FAIL", False, False, 0),
    }
    assert queue.jobs["7_1"].reason == "Dependency"
    assert "--name=hydrabench-20260101-000000-abcd" in asked.read_text()
    assert "-j 7,8" in counted.read_text()


def test_ids_that_a_killed_submit_could_not_note_are_found_by_name(programs, tmp_path):
    """Killed after the second of three sbatch calls, before its note: two arrays without ids, one of them sent."""
    lost = submission(j7=["a", "b"])
    lost.arrays += [SentArray("runs", [["c"], ["d"]]), SentArray("runs", [["e"]])]
    programs(
        "squeue",
        "9_0|hydrabench-20260101-000000-abcd|PENDING|Priority\n9_1|hydrabench-20260101-000000-abcd|RUNNING|None\n",
    )
    programs("sacct", "")
    live = queues.ask([lost], tmp_path).live()
    held = {key for job, _, keys in lost.sent_packs() if job in live for key in keys}
    assert held == {"c", "d"}


def test_a_slurm_that_does_not_answer_is_a_problem_and_no_error(programs, tmp_path):
    programs("squeue", "slurm_load_jobs error: Unable to contact slurm controller\n", 1)
    queue = queues.ask([submission(j7=["a"])], tmp_path)
    assert queue.problem == "Slurm does not answer (slurm_load_jobs error: Unable to contact slurm controller)"
    assert queue.jobs == {}


def test_without_accounting_the_queue_is_known_all_the_same(programs, tmp_path):
    programs("squeue", "7|hydrabench-20260101-000000-abcd|RUNNING|None\n")
    programs("sacct", "Slurm accounting storage is disabled\n", 1)
    queue = queues.ask([submission(j7=["a"])], tmp_path)
    assert list(queue.live()) == ["7"]
    assert (queue.problem, "storage is disabled" in queue.hint) == ("", True)


def test_without_slurm_there_are_records_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "records alone" in queues.ask([submission(j7=["a"])], tmp_path).problem
    assert queues.max_array_size() == 1001
    assert queues.ask([], tmp_path).problem == ""


def test_the_sites_largest_array_is_asked_for(programs):
    programs("scontrol", "Configuration data\nMaxArraySize            = 4001\nMaxJobCount = 10000\n")
    assert queues.max_array_size() == 4001


def test_local_jobs_are_processes_of_this_store(tmp_path):
    code = "import time; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, "submitit.local._local", str(tmp_path)])
    stranger = subprocess.Popen([sys.executable, "-c", code])
    ids = {str(child.pid): ["a"], str(stranger.pid): ["b"], "4194303": ["c"]}
    sent = [SentArray("jobs", [keys], [], [pid]) for pid, keys in ids.items()]
    one = Submission("x", "demo", "local", "local", 1, "cpu", None, None, sent)
    assert list(queues.ask([one], tmp_path).live()) == [str(child.pid)]
    queues.cancel("local", [str(child.pid)])
    assert child.wait(10) != 0
    assert not queues.ask([one], tmp_path).live()
    stranger.kill()
    stranger.wait()
