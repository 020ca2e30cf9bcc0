"""--deterministic: what a record says of it, whoever runs it; it enters no key."""

import pytest
from gpu_check import StopAfter

from benchmark.checkout import code_state
from benchmark.execute import execute
from benchmark.job import Options
from results.artifacts import read_artifact
from results.records import Environment, read_record
from slurm.work import Order, work_here


def told(run, store) -> bool:
    return read_record(store / run.path / "record.json").environment.deterministic


@pytest.mark.parametrize("asked", [True, False])
def test_a_record_says_whether_it_was_asked_for(asked, store, make_run):
    run = make_run(size=1, batch_size=10)
    assert execute(run, store, Options(deterministic=asked)).state == "done"
    assert told(run, store) is asked


@pytest.mark.parametrize(("first", "then"), [(True, True), (True, False), (False, True)])
def test_a_run_that_was_not_asked_from_its_first_step_on_promises_nothing(first, then, store, make_run):
    run = make_run(size=1, batch_size=10)
    assert execute(run, store, Options(deterministic=first), StopAfter(1)).state == "unfinished"
    assert execute(run, store, Options(deterministic=then)).state == "done"
    assert told(run, store) is (first and then)


def test_records_older_than_the_field_were_not_asked():
    fields = Environment.model_fields
    assert (fields["deterministic"].default, fields["tf32"].default) == (False, None)


def test_a_job_of_a_cluster_and_the_generator_that_it_builds_are_told(store, make_run):
    run = make_run("hydramix(generator_size=32)", size=1, batch_size=10)
    work_here(Order((run,), store, store / "x", 1, code_state(), deterministic=True))
    assert told(run, store) is True
    (artifact,) = run.artifacts
    assert read_artifact(store / artifact.path / "artifact.json").environment.deterministic is True


def test_the_command_line_passes_it_on(hydrabench, store):
    words = ("--method", "baseline", "--samples-per-class", "5", "--seeds", "0", "--set", "protocol.epochs=1")
    answer = hydrabench("run", "demo", *words, "--deterministic")
    assert answer.returncode == 0, answer.stderr
    (record,) = store.rglob("record.json")
    assert read_record(record).environment.deterministic is True
