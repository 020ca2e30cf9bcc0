"""`--track`: numbers go to a tracker as they come, the run is the same, and no tracker's fault is the run's."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from click.testing import CliRunner

from benchmark import track
from benchmark.checkout import code_state
from benchmark.cli import cli
from benchmark.execute import execute
from benchmark.job import Options
from benchmark.track import FOLDER
from datasets.registry import BadInput
from results.files import LOG
from results.records import read_record
from slurm.work import Order, work_here

pytestmark = pytest.mark.usefixtures("one_thread")


class Told:
    """A stand-in for the package wandb that notes what it is told, or raises."""

    def __init__(self, fails: str = ""):
        self.fails, self.finished = fails, 0
        self.began: list[dict] = []
        self.lines: list[tuple[int, dict]] = []

    def install(self, monkeypatch):
        module = ModuleType("wandb")
        module.init = self.init
        monkeypatch.setitem(sys.modules, "wandb", module)
        return self

    def _fail(self, where):
        if self.fails == where:
            raise SystemExit("nobody is there")

    def init(self, **said):
        self._fail("init")
        self.began.append(said)
        return SimpleNamespace(log=self.log, finish=self.finish)

    def log(self, values, step):
        self._fail("log")
        self.lines.append((step, values))

    def finish(self):
        self._fail("finish")
        self.finished += 1


@pytest.fixture
def run(make_run):
    return make_run(size=1, batch_size=10)


@pytest.fixture
def done(tmp_path, run):
    """Does the run in a store of its own; gives its record and what it logged."""

    def do(name, track=None):
        outcome = execute(run, tmp_path / name, Options(track=track))
        assert outcome.state == "done", outcome.message
        folder = tmp_path / name / run.path
        return read_record(folder / "record.json"), (folder / LOG).read_text()

    return do


def test_what_is_lost_and_what_comes_out_is_sent_and_the_run_is_the_same(done, run, monkeypatch):
    told = Told().install(monkeypatch)
    plain, _ = done("plain")
    assert not told.began
    record, _ = done("tracked", "wandb")
    assert (record.weights_sha256, record.key, record.metrics) == (plain.weights_sha256, plain.key, plain.metrics)
    assert record.warnings == code_state().warnings()
    (began,) = told.began
    assert (began["id"], began["config"], began["resume"]) == (run.key, run.identity, "allow")
    assert [step for step, _ in told.lines] == [1, 2, 2] and "loss" in told.lines[0][1]
    assert told.lines[-1][1]["test/top1"] == record.metrics.top1
    assert told.finished == 1


def test_a_job_of_a_cluster_sends_them_too(run, tmp_path, monkeypatch):
    told = Told().install(monkeypatch)
    work_here(Order((run,), tmp_path, tmp_path / "submission", 1, code_state(), track="wandb"))
    assert [began["id"] for began in told.began] == [run.key] and told.lines[-1][1].keys() >= {"test/top1"}


@pytest.mark.parametrize("fails", ["init", "log", "finish"])
def test_a_tracker_that_fails_ends_no_run(done, monkeypatch, fails):
    told = Told(fails).install(monkeypatch)
    _, log = done("store", "wandb")
    assert log.count("tracking ended: SystemExit: nobody is there") == 1
    assert len(told.lines) == (3 if fails == "finish" else 0)


def test_tensorboard_gets_files_that_it_reads(done, run, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record, log = done("store", "tensorboard")
    assert "tracking ended" not in log
    found = EventAccumulator(str(tmp_path / "store" / FOLDER / "tensorboard" / run.path)).Reload()
    assert [event.step for event in found.Scalars("loss")] == [1, 2]
    assert found.Scalars("test/top1")[0].value == pytest.approx(record.metrics.top1)


@pytest.mark.parametrize("verb", [("run",), ("submit", "--profile", "debug")])
def test_a_package_that_is_not_here_is_told_before_anything_starts(verb, store, monkeypatch):
    monkeypatch.setattr(track, "find_spec", lambda name: None)
    verb, *words = verb
    answer = CliRunner().invoke(cli, [verb, "demo", *words, "--track", "wandb", "--yes", "--results", str(store)])
    assert isinstance(answer.exception, BadInput)
    assert str(answer.exception).startswith("--track wandb needs a package: pip install 'hydrabench[wandb]'")
    assert not list(store.rglob("*.json"))


@pytest.mark.parametrize("broken", ["raise RuntimeError('boom')", "raise SystemExit(3)", ""])
def test_a_package_that_fails_is_told_before_anything_starts(broken, store, tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "__init__.py").write_text(broken)
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = CliRunner().invoke(cli, ["run", "demo", "--track", "wandb", "--yes", "--results", str(store)])
    sys.modules.pop("wandb", None)
    assert isinstance(answer.exception, BadInput) and "--track wandb: its package fails" in str(answer.exception)
