"""A job that is no longer what was planned (its images, its code) fails with one line and leaves no record."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.build import build
from benchmark.checkout import code_state
from benchmark.execute import execute
from benchmark.plan import make_plan
from benchmark.pool import Ended, Pool
from benchmark.protocol import changed_since, forget_presets, load_preset
from benchmark.run import Build, Run
from benchmark.selection import PRESETS, Selection
from benchmark.study import load_grid
from benchmark.sweep import RunRequest, Screen, require_data, run_plan
from datasets.base import DataChanged, _make_dataset
from datasets.files import write_atomically
from methods.baseline import Baseline
from results.index import load_records
from results.records import read_record
from results.states import read_failure
from results.stores import Stores
from slurm.work import Order

CHECKOUT = Path(__file__).resolve().parents[2]
TINY = ("protocol.epochs=1", "protocol.images_per_class=2", "protocol.network=wrn-10-1")
SAID = "the images of folder:{} changed after this was planned"


@pytest.fixture
def own(tmp_path: Path, draw_tree) -> Path:
    return draw_tree(tmp_path / "own", seed=1)


def planned(own: Path, *seeds: int) -> list[Run]:
    return list(load_grid("demo", Selection("demo", (f"folder:{own}",), ("baseline",), (2,), seeds, TINY)).runs())


def as_in_another_process(job: Run | Build) -> Run | Build:
    """The job as another process gets it, with no dataset opened before."""
    content = pickle.dumps(job)
    _make_dataset.cache_clear()
    return pickle.loads(content)


def sweep(jobs: list[Run], store: Path, after_the_first: Callable[[], object]) -> list[Ended]:
    """The jobs one after the other in one worker process; something happens between the first and the second."""
    pool = Pool(store, 1, {})

    def watch(running: object, ended: list[Ended]) -> None:
        if ended and len(pool.ended) == 1:
            after_the_first()

    pool.work(jobs, watch)
    return pool.ended


def test_images_replaced_during_a_sweep_fail_the_runs_that_are_left(own, store, draw_tree):
    jobs = planned(own, 0, 1, 2)
    first, *others = sweep(jobs, store, lambda: draw_tree(own, seed=2))
    assert first.state == "done"
    assert [end.state for end in others] == ["failed", "failed"]
    assert all(SAID.format(own) in end.message and "\n" not in end.message for end in others)
    assert [entry.key for entry in load_records([store])] == [jobs[0].key]
    assert all(read_failure(store / job.path).error == end.message for job, end in zip(jobs[1:], others, strict=True))
    _make_dataset.cache_clear()
    assert {run.key for run in planned(own, 0, 1, 2)}.isdisjoint(run.key for run in jobs)


def test_images_that_come_back_are_those_that_were_planned(own, store, draw_tree):
    jobs = planned(own, 0, 1)
    draw_tree(own, seed=2)
    draw_tree(own, seed=1)
    assert [end.state for end in sweep(jobs, store, lambda: draw_tree(own, seed=1))] == ["done", "done"]


def test_a_folder_that_goes_away_fails_its_runs_and_no_others(own, store, make_run):
    jobs = [*planned(own, 0, 1), make_run()]
    ended = sweep(jobs, store, lambda: shutil.rmtree(own))
    assert [end.state for end in ended] == ["done", "failed", "done"]
    assert f"folder:{own} needs {own}/train" in ended[1].message


def test_a_folder_that_a_new_process_cannot_open_fails_its_runs_and_no_others(own, store, make_run):
    jobs = [*planned(own, 0, 1), make_run()]
    _ = [job.key for job in jobs]
    shutil.rmtree(own)
    ended = sweep(jobs, store, lambda: None)
    assert [end.state for end in ended] == ["failed", "failed", "done"]
    assert all(read_failure(store / job.path).key == job.key for job in jobs[:2])


def add_an_image(own: Path) -> None:
    shutil.copy(own / "train/a/0.png", own / "train/a/9.png")


def drop_a_test_image(own: Path) -> None:
    (own / "test/b/2.png").unlink()


@pytest.mark.parametrize("change", [add_an_image, drop_a_test_image])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_any_change_of_the_folder_fails_a_run(change, elsewhere, own, store):
    (run,) = planned(own, 0)
    _ = run.key
    change(own)
    outcome = execute(as_in_another_process(run) if elsewhere else run, store)
    assert (outcome.state, SAID.format(own) in outcome.message) == ("failed", True)
    assert not list(store.rglob("record.json"))


def test_test_images_replaced_while_a_run_trains_fail_it(own, store, monkeypatch, draw_tree):
    (run,) = planned(own, 0)
    train = run.method.__class__.prepare

    def replace_first(self, task, made):
        draw_tree(own, seed=2)
        return train(self, task, made)

    monkeypatch.setattr(run.method.__class__, "prepare", replace_first)
    outcome = execute(run, store)
    assert outcome.state == "failed"
    assert f"{own}/test/a/0.png was replaced after its hash was taken" in outcome.message


@pytest.mark.parametrize("elsewhere", [False, True])
def test_artifacts_are_not_built_of_other_images(elsewhere, own, store, draw_tree, make_run):
    job = make_run("hydramix", dataset=f"folder:{own}").artifacts[0]
    _ = job.key
    draw_tree(own, seed=2)
    outcome = build(as_in_another_process(job) if elsewhere else job, store)
    assert (outcome.state, SAID.format(own) in outcome.message) == ("failed", True)
    assert not list(store.rglob("artifact.json"))
    assert read_failure(store / job.path).dataset == job.identity["source"]


def test_a_run_does_not_use_another_images_artifact(own, store, draw_tree, make_run):
    run = make_run("hydramix", dataset=f"folder:{own}")
    _ = run.key
    assert build(run.artifacts[0], store).state == "done"
    draw_tree(own, seed=2)
    assert SAID.format(own) in execute(run, store).message


SHIFT = """
import pickle, sys
from slurm.work import Shift
print(Shift(pickle.load(open(sys.argv[1], "rb"))).work())
"""


@pytest.mark.parametrize("how", ["replaced", "gone"])
def test_a_queued_job_fails_where_the_images_changed_since_it_was_sent(how, own, store, draw_tree, tmp_path):
    jobs = tuple(planned(own, 0, 1))
    order = Order(jobs, store, store / ".slurm" / "x", 1, code_state())
    (tmp_path / "order").write_bytes(pickle.dumps(order))
    draw_tree(own, seed=2) if how == "replaced" else shutil.rmtree(own)
    command = [sys.executable, "-c", SHIFT, str(tmp_path / "order")]
    said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=240)
    assert "{'failed': 2}" in said.stdout, said.stderr
    assert not list(store.rglob("record.json"))
    expected = SAID.format(own) if how == "replaced" else f"folder:{own} needs"
    assert all(expected in read_failure(store / job.path).error for job in jobs)


def test_code_that_gives_the_job_another_key_fails_it(store, make_run, monkeypatch):
    run = make_run()
    content = pickle.dumps(run)
    monkeypatch.setattr(Baseline, "version", Baseline.version + 1)
    outcome = execute(pickle.loads(content), store)
    assert outcome.state == "failed"
    assert "what the code makes of it changed after this was planned" in outcome.message
    assert execute(replace(run), store).state == "done"


def test_a_sweep_says_so_in_a_line_and_its_exit_status_is_1(own, store, draw_tree):
    grid = load_grid("demo", Selection("demo", (f"folder:{own}",), ("baseline",), (2,), (0, 1), TINY))
    notes: list[str] = []

    @contextmanager
    def progress(_):
        yield lambda running, ended: draw_tree(own, seed=2) if ended else None

    plan = make_plan(grid, Stores(store, alone=True))
    assert run_plan(plan, store, RunRequest(), Screen(notes.append, notes.append, progress, pytest.fail)) == 1
    assert "summary: 1 done, 1 failed" in notes
    assert [note.count(SAID.format(own)) for note in notes if note.startswith("failed: ")] == [1]


def test_images_replaced_before_a_sweep_starts_are_named_and_nothing_runs(own, store, draw_tree):
    jobs = planned(own, 0)
    _ = [job.key for job in jobs]
    draw_tree(own, seed=2)
    with pytest.raises(DataChanged, match="was replaced after its hash was taken: the same command"):
        require_data(jobs)


@pytest.mark.usefixtures("one_thread")
def test_a_job_is_done_with_the_preset_that_it_was_planned_with_and_says_that_the_file_changed(tmp_path, store):
    preset = tmp_path / "My_Preset.yaml"
    preset.write_bytes((PRESETS / "demo.yaml").read_bytes())
    (run,) = load_grid("demo", Selection(str(preset), ("digits",), ("baseline",), (2,), (0,), TINY)).runs()
    travels = pickle.dumps(run)
    changed = preset.read_text().replace("threads: ", "threads: 3 # ")
    write_atomically(preset, changed.encode())
    forget_presets()  # as another process begins
    arrived = pickle.loads(travels)
    assert arrived == run and arrived.key == run.key and load_preset(run.preset).threads != 3
    preset.unlink()
    assert execute(arrived, store).state == "done"
    record = read_record(store / run.path / "record.json")
    assert record.preset == str(preset)
    assert [line for line in record.warnings if "changed after this was planned" in line] == [
        f"{preset} changed after this was planned; it is done as it was planned"
    ]
    write_atomically(preset, (PRESETS / "demo.yaml").read_bytes())
    assert changed_since(run.preset) == ""
    forget_presets()
