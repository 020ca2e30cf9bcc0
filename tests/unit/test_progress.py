"""What a person sees of running jobs where standard error is no terminal."""

import time
from types import SimpleNamespace

import pytest

from benchmark.cli.progress import Lines
from results.states import Progress

JOB = SimpleNamespace(row="hydramix generator", seed=0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def at(step: int) -> dict:
    return {"k": (JOB, Progress(step, 100, {"loss": 1.5}))}


def test_a_line_has_each_job_s_time_left_at_its_speed_since_it_was_seen(clock, capsys):
    lines = Lines(2)
    lines(at(10), [])  # taken up at a checkpoint
    clock[0] += 30
    lines(at(25), [])
    assert capsys.readouterr().err == "[0/2] running: hydramix generator seed 0 25/100 (about 2 min) loss 1.500\n"


def test_a_job_that_has_not_moved_has_no_time_left(clock, capsys):
    lines = Lines(1)
    lines(at(0), [])
    clock[0] += 30
    lines(at(0), [])
    assert capsys.readouterr().err == "[0/1] running: hydramix generator seed 0 0/100 loss 1.500\n"


def test_an_ended_job_has_a_line_and_the_rest_its_time(clock, capsys):
    lines = Lines(3)
    clock[0] += 60
    lines({}, [(JOB, "done", "top-1 30%")])
    assert capsys.readouterr().err.endswith(
        "done: namespace(row='hydramix generator', seed=0): top-1 30% (about 2 min left)\n"
    )
