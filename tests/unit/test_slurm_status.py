"""Plan, records and queue joined: every run is in exactly one state, and old news is called old."""

import json
import os
import time

import pytest
from click.testing import CliRunner

from benchmark.cli import cli
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.files import FAILURE, write_json
from results.locks import Lock
from results.records import write_record
from results.stores import Stores
from slurm import queues
from slurm.queues import ClusterJob, Queue
from slurm.status import as_json, find_status, render, watch_status
from slurm.submissions import SentArray, Submission, cancel_run, save


@pytest.fixture
def grid():
    return load_grid("demo", Selection(methods=("baseline", "mixup"), samples_per_class=(5,)))


@pytest.fixture
def runs(grid):
    return list(grid.runs())


@pytest.fixture
def sent(store, runs, monkeypatch):
    """Says that each run went out in a job of its own, and what the executor says of these jobs."""

    def send(*states: str, problem: str = "", failures=None, ago: str = "20260101-000000-abcd") -> Submission:
        ids = [f"9_{n}" for n in range(len(states))]
        array = SentArray("runs", [[run.key] for run in runs[: len(states)]], [], ids)
        one = Submission(ago, "demo", "test", "slurm", 2, "cpu", "c0ffee", False, [array], failures or {})
        save(store, one)
        tasks = {id_: ClusterJob(id_, state) for id_, state in zip(ids, states, strict=True)}
        answer = Queue({}, problem) if problem else Queue(tasks)
        monkeypatch.setattr(queues, "ask", lambda submissions, at: answer)
        return one

    return send


def states(store, grid) -> list[str]:
    return list(find_status(grid, Stores(store, alone=True)).runs.values())


def test_records_come_before_what_the_queue_says(store, grid, runs, sent, make_record):
    write_record(store / runs[0].path, make_record(runs[0], 50))
    write_json(store / runs[1].path / FAILURE, {"failed": "now"})
    sent("RUNNING", "RUNNING", "RUNNING", "PENDING", "NODE_FAIL")
    with Lock(store / runs[2].path):
        found = find_status(grid, Stores(store, alone=True))
    by_key = [found.runs[run.key] for run in runs]
    assert by_key == ["done", "failed", "running", "queued", "missing", "missing"]
    assert found.notes() == ["1 runs are missing whose job ended NODE_FAIL: submit again"]


def test_a_run_that_is_tried_again_is_queued_and_not_failed_until_it_fails_anew(store, grid, runs, sent):
    write_json(store / runs[0].path / FAILURE, {"failed": "yesterday"})
    sent("PENDING", failures={runs[0].key: "yesterday"})
    assert states(store, grid)[-1] == "queued" or "queued" in states(store, grid)
    write_json(store / runs[0].path / FAILURE, {"failed": "today"})
    assert "queued" not in states(store, grid)
    assert "failed" in states(store, grid)


def test_a_cancelled_run_is_not_queued(store, grid, runs, sent):
    one = sent("PENDING", "PENDING")
    cancel_run(store, one.id, runs[0].key)
    assert sorted(states(store, grid)) == ["missing"] * 5 + ["queued"]


def test_a_silent_run_is_named_with_its_age(store, grid, runs, sent):
    sent("RUNNING")
    folder = store / runs[0].path
    folder.mkdir(parents=True)
    holder = {"host": "node3", "pid": 1, "started": 0.0, "token": "t"}
    (folder / "lock").write_text(json.dumps(holder))
    os.utime(folder / "lock", (time.time() - 120,) * 2)
    (note,) = find_status(grid, Stores(store, alone=True)).notes()
    assert "no sign of life" in note
    assert " on node3 for 1" in note  # 120 s, or more where the machine is slow


def test_old_answers_of_the_queue_are_kept_and_called_stale(store, grid, sent):
    sent("PENDING")
    first = find_status(grid, Stores(store, alone=True))
    sent("PENDING", problem="Slurm does not answer (timeout)")
    second = find_status(grid, Stores(store, alone=True), first.standing.queue)
    third = find_status(grid, Stores(store, alone=True), second.standing.queue)
    assert third.counts()["queued"] == 1
    when = f"{first.standing.queue.asked:%H:%M:%S}"
    assert third.notes() == [f"Slurm does not answer (timeout); stale: the queue's states are from {when}"]
    assert find_status(grid, Stores(store, alone=True)).counts()["queued"] == 0


def test_the_time_left_is_the_open_work_divided_among_those_at_work(store, grid, runs, sent):
    sent("RUNNING", "PENDING", "PENDING")
    found = find_status(grid, Stores(store, alone=True))
    plan = make_plan(grid, Stores(store, alone=True))
    assert found.seconds_left == pytest.approx(3 * plan.costs.seconds(runs[0])[0] / 2)  # two runs side by side
    sent("PENDING", "PENDING", "PENDING")
    assert find_status(grid, Stores(store, alone=True)).seconds_left is None


def test_table_and_json_hold_the_same(store, grid, runs, sent, make_record):
    from rich.console import Console

    write_record(store / runs[0].path, make_record(runs[0], 50))
    sent("COMPLETED", "RUNNING")
    found = find_status(grid, Stores(store, alone=True))
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(render(found))
    text = console.export_text()
    assert [line.split() for line in text.splitlines() if "baseline" in line] == [
        ["digits", "baseline", "1/3", "1q", "1-"]
    ]
    value = as_json(found)
    assert (value["done"], value["queued"], value["missing"]) == (1, 1, 4)
    assert "1 done, 0 running (r), 1 queued (q)" in text


def test_watching_ends_with_the_queue(store, grid, sent, monkeypatch, capsys):
    answers = iter(["RUNNING", "RUNNING", "COMPLETED"])
    monkeypatch.setattr(queues, "ask", lambda submissions, at: Queue({"9_0": ClusterJob("9_0", next(answers))}))
    monkeypatch.setattr("slurm.status._EVERY_SECONDS", 0)
    watch_status(grid, Stores(store, alone=True))
    assert capsys.readouterr().out.count("runs: 0 done") == 3


def test_status_logs_and_cancel_need_no_slurm(store, monkeypatch, make_run):
    monkeypatch.setenv("PATH", "/nowhere")
    where = ["--results", str(store)]
    shown = CliRunner().invoke(cli, ["status", "demo", *where, "--ignore-measured"])
    assert (shown.exit_code, "33 missing" in shown.output) == (0, True)
    run = make_run()
    (store / run.path).mkdir(parents=True)
    (store / run.path / "run.log").write_text("this run has begun\n")
    assert "has begun" in CliRunner().invoke(cli, ["logs", run.key[:6], *where]).output
    for words in (["logs", "ffff"], ["cancel", "dmo"]):
        answer = CliRunner().invoke(cli, [*words, *where])
        assert answer.exit_code == 1
        assert type(answer.exception).__name__ == "BadInput"
