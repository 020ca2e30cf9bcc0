"""What Slurm may say that nobody hopes for: nothing is sent twice for it, and nothing dies of it."""

import pytest

from benchmark.selection import Selection
from benchmark.study import load_grid
from datasets.registry import BadInput
from results.stores import Stores
from slurm import launch, queues
from slurm.launch import SubmitRequest
from slurm.profiles import Profile
from slurm.queues import find_standing
from slurm.status import find_status
from slurm.submissions import SentArray, Submission, save

NAME = "hydrabench-20260101-000000-abcd"


@pytest.fixture
def grid():
    return load_grid("demo", Selection(methods=("baseline",), samples_per_class=(5,)))


@pytest.fixture
def sent(store, grid):
    """A submission of the grid's three runs as jobs 7_0 to 7_2, in the store."""
    packs = [[run.key] for run in grid.runs()]
    array = SentArray("runs", packs, [], queues.array_ids("7", len(packs)))
    one = Submission(NAME.removeprefix("hydrabench-"), "demo", "test", "slurm", 1, "cpu", "c0ffee", False, [array])
    save(store, one)
    return one


def test_a_controller_that_is_down_says_nothing_of_how_jobs_ended(programs, store, grid, sent):
    programs("squeue", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n", 1)
    notes = find_status(grid, Stores(store, alone=True)).notes()
    assert notes == [
        "Slurm does not answer (slurm_load_jobs error: Unable to contact slurm controller (connect failure))"
    ]


def test_jobs_that_nobody_knows_any_more_are_over(programs, store, grid, sent):
    programs("squeue", "")
    programs("sacct", "")
    (note,) = find_status(grid, Stores(store, alone=True)).notes()
    assert note == "3 runs are missing whose job is over, nobody knows how: submit again"


def test_what_jobs_wait_for_is_said(programs, store, grid, sent):
    reasons = ["JobHeldUser", "JobHeldUser", "QOSMaxJobsPerUserLimit|odd"]
    programs("squeue", "".join(f"7_{n}|{NAME}|PENDING|{reason}\n" for n, reason in enumerate(reasons)))
    programs("sacct", "")
    assert find_status(grid, Stores(store, alone=True)).notes() == [
        "2 jobs wait, Slurm says: JobHeldUser",
        "1 jobs wait, Slurm says: QOSMaxJobsPerUserLimit|odd",
    ]


@pytest.mark.parametrize(
    "line", ["slurm_load_jobs: odd", "7_0|x", "7_[1-3]|x|PENDING|None", "|||", "x|y|z|w", "\x1b[31m", "caf\udce9|||"]
)
def test_a_queue_that_cannot_be_read_is_a_problem_lest_a_job_be_sent_twice(programs, store, grid, sent, line):
    programs("squeue", "").with_name("squeue.txt").write_bytes(f"{line}\n".encode(errors="surrogateescape"))
    problem = find_standing(store, {run.key for run in grid.runs()}).queue.problem
    assert problem.startswith("Slurm does not answer (a line that is no job: ")
    assert problem.isprintable()


def test_empty_lines_and_odd_accounts_are_passed_over(programs, store, grid, sent):
    programs("squeue", f"\n  7_0|{NAME}|RUNNING|\n\n7_1|{NAME}|A_STATE_OF_TOMORROW|None\n")
    odd = [
        "",
        "odd",
        "7_0||5|",
        "7_2|FAILED|5",
        "|||",
        "7_2|CANCELLED by 0|x|",
        "7_2|FAILED||gres/gpu=x",
        "7_2.batch|A|1|",
    ]
    programs("sacct", "\n".join([*odd, "7_2|FAILED|10|cpu=1,gres/gpu=2,node=1", "8|RUNNING|1|gres/gpu:a=1"]))
    jobs = find_standing(store, {run.key for run in grid.runs()}).queue.jobs
    assert {id_: (job.state, job.live, job.gpu_seconds) for id_, job in jobs.items() if id_ != "8"} == {
        "7_0": ("RUNNING", True, 0),
        "7_1": ("A_STATE_OF_TOMORROW", True, 0),
        "7_2": ("FAILED", False, 20),
    }


@pytest.mark.parametrize("said", ["MaxArraySize = (null)", "MaxArraySize", "MaxArraySize = 0", "MaxArraySizes = 7"])
def test_an_array_size_that_is_none_is_slurms_default(programs, said):
    programs("scontrol", f"{said}\n")
    assert queues.max_array_size() == queues.DEFAULT_MAX_ARRAY


def test_a_refused_scancel_is_one_line_after_all_jobs_were_tried(programs):
    asked = programs("scancel", "scancel: error: Kill job error on job id 7: Invalid job id specified\n", 1)
    with pytest.raises(BadInput, match=r"scancel did not take all of 1200 jobs \(scancel: error: Kill job error"):
        queues.cancel("slurm", [str(n) for n in range(1200)])
    assert len(asked.read_text().split()) == 1200


def test_a_local_job_that_has_ended_meanwhile_is_cancelled():
    queues.cancel("local", ["4194303"])


def test_thousands_of_submissions_of_one_run_fit_a_command_line(programs, tmp_path):
    """In one argument their names would be longer than the 128 KiB that Linux takes."""
    many = []
    for number in range(4500):
        array = SentArray("runs", [["a"]], [], [str(number)])
        many.append(Submission(f"20260101-000000-{number:04d}", "demo", "p", "slurm", 1, "cpu", None, None, [array]))
    programs("squeue", f"4499|{many[-1].job_name}|PENDING|Priority\n")
    programs("sacct", "")
    queue = queues.ask(many, tmp_path)
    assert (queue.problem, queue.hint, list(queue.live())) == ("", "", ["4499"])


@pytest.mark.parametrize("name", ["%j%a", "back\\slash", "new\nline", "caf\udce9", "\x1b[31m"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_store_whose_path_slurm_reads_otherwise_is_refused_before_anything_is_sent(
    grid, tmp_path, monkeypatch, name, dry_run
):
    monkeypatch.setattr(launch, "send_all", lambda *arguments: pytest.fail("sent"))
    stores = Stores(tmp_path / name, alone=True)
    with pytest.raises(BadInput, match="jobs cannot write into a path with"):
        launch.submit(grid, stores, Profile(executor="slurm"), SubmitRequest("p", dry_run, yes=True), print)
    assert not stores.own.exists()


def test_an_environment_that_is_not_text_is_refused(tmp_path, monkeypatch):
    from slurm.executors import script

    monkeypatch.setenv("DATA_ROOT", "/data/caf\udce9")
    with pytest.raises(BadInput, match=r"DATA_ROOT=.* cannot hold what is not UTF-8"):
        script(Profile(executor="slurm"), tmp_path, "name", 1, [])
