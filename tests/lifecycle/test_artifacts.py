"""Artifacts: built once, shared, resumed with the same bits, and never half there."""

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmark.attempt import Options
from benchmark.build import build, load_artifact
from benchmark.cli.listing import find_record
from benchmark.execute import execute
from benchmark.plan import make_plan
from benchmark.run import Build
from benchmark.study import Grid, load_study
from benchmark.training.nets import weights_hash
from datasets.base import get_dataset
from methods.artifacts import Artifact, Recipe, Tile
from methods.base import Method
from methods.flops import Work
from methods.history import LossHistory
from methods.streams import derive
from methods.task import Task
from results.artifacts import ARTIFACT, SAMPLES, TENSORS, read_artifact
from results.files import FAILURE
from results.locks import Lock
from results.reader import read_json
from results.records import read_record
from results.stores import Stores
from trainings import stop_after


class TinyBuilding:
    """Learns to reconstruct pixels through one matrix, with noise from a stream of its own."""

    def __init__(self, recipe, task: Task):
        torch.random.manual_seed(derive(task.seed, "tiny"))
        self.recipe, self.pixels = recipe, task.images.flatten(1).float() / 255
        self.matrix = nn.Linear(self.pixels.shape[1], 8)
        self.optimiser = torch.optim.Adam(self.matrix.parameters())
        self.noise = task.stream("tiny noise")
        self.step, self.steps = 0, recipe.steps
        self.history = LossHistory(self.steps)

    @property
    def images_seen(self) -> int:
        return self.steps * len(self.pixels)

    def advance(self) -> None:
        noise = torch.randn(self.pixels.shape, generator=self.noise)
        code = self.matrix(self.pixels + 0.1 * noise)
        loss = functional.mse_loss(code @ self.matrix.weight, self.pixels)
        if self.step == self.recipe.fails_at:
            loss = loss * float("nan")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.step += 1
        self.history.add(self.step, 1e-3, {"reconstruction": loss})

    def state(self) -> dict:
        parts = {"matrix": self.matrix.state_dict(), "optimiser": self.optimiser.state_dict()}
        return parts | {"step": self.step, "noise": self.noise.get_state(), "history": self.history.state()}

    def restore(self, state: dict) -> None:
        self.matrix.load_state_dict(state["matrix"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.noise.set_state(state["noise"])
        self.step = state["step"]
        self.history.restore(state["history"])

    def tensors(self) -> dict:
        return self.matrix.state_dict()


@dataclass(frozen=True)
class Tiny(Recipe):
    name: ClassVar[str] = "tiny"
    steps: int = 30
    fails_at: int = -1

    def start(self, task, made):
        return TinyBuilding(self, task)

    def load(self, tensors, device):
        return tensors["weight"].to(device)

    def picture(self, made, task):
        return [[Tile(task.images[0].numpy(), task.class_names[int(task.labels[0])])]]

    def images(self, samples_per_class, num_classes):
        return self.steps * samples_per_class * num_classes

    def work(self, samples_per_class, num_classes):
        return Work(1e6 * self.images(samples_per_class, num_classes))


@dataclass(frozen=True)
class Shaky(Method):
    """A method that adds a little of an artifact to every image; `strength` is not the artifact's."""

    name: ClassVar[str] = "shaky"
    label: ClassVar[str] = "Shaky"
    source: ClassVar[str] = "this test"
    steps: int = 30
    strength: float = 0.1
    fails_at: int = -1

    def needs(self, dataset, samples_per_class, seed):
        return (Artifact(Tiny(self.steps, self.fails_at), dataset, samples_per_class, seed),)

    def prepare(self, task, made):
        return Prepared(self.steps, self.strength, self.fails_at, made[0])


@dataclass(frozen=True)
class Prepared(Shaky):
    weight: torch.Tensor | None = None

    def augment(self, images, rng):
        return images + self.strength * self.weight[0].view(1, 32, 32, 3).permute(0, 3, 1, 2)


@pytest.fixture
def shaky(make_run):
    def make(size=2, **parameters):
        return replace(make_run(size=size), method=Shaky(**parameters), row="shaky")

    return make


def files(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_run_builds_what_it_needs_and_the_next_one_shares_it(store, shaky):
    first, second = shaky(), shaky(strength=0.5)
    assert execute(first, store).state == "done"
    (job,) = first.artifacts
    folder = store / job.path
    assert files(folder) == [ARTIFACT, TENSORS, "history.csv", "run.log", SAMPLES]
    record, made = read_artifact(folder / ARTIFACT), (folder / TENSORS).stat().st_mtime_ns
    assert record.tensors_sha256 == hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()
    assert record.steps == 30
    assert record.losses["reconstruction"] > 0
    assert record.prepare_seconds > 0
    assert find_record(record.key[:6], Stores(store, alone=True)) == folder / ARTIFACT
    assert execute(second, store).state == "done"
    assert second.artifacts[0].key == job.key
    assert second.key != first.key
    assert (folder / TENSORS).stat().st_mtime_ns == made
    assert read_record(store / second.path / "record.json").artifacts == [job.key]


def test_datasets_of_one_training_source_share_a_key_and_others_do_not():
    def key(name, **parameters):
        return Build(Artifact(Tiny(**parameters), get_dataset(name), 5, 0), "quick").key

    assert key("cifair10") == key("cifar10") == key("cifar10-dedup")
    assert len({key("cifair10"), key("cifair100"), key("stl10"), key("cifair10", steps=31)}) == 4
    assert key("stl10") == key("stl10-part")


def test_an_interrupted_building_goes_on_with_the_same_bits(store, tmp_path, shaky):
    (job,) = shaky().artifacts
    assert build(job, tmp_path / "whole").state == "done"
    for steps in (7, 11):
        assert build(job, store, stop=stop_after(steps)).state == "unfinished"
        assert not (store / job.path / ARTIFACT).exists()
    assert build(job, store).state == "done"
    assert read_artifact(store / job.path / ARTIFACT).resumed == 2
    assert (store / job.path / TENSORS).read_bytes() == (tmp_path / "whole" / job.path / TENSORS).read_bytes()
    history = (store / job.path / "history.csv").read_text()
    assert history == (tmp_path / "whole" / job.path / "history.csv").read_text()
    assert "checkpoint.pt" not in files(store / job.path)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        *(("hydramix", "generator"), ("chimeramix-seg", "generator"), ("glico", "latents")),
        *(("supermix", "mixed-set"), ("supermix", "teacher")),
    ],
)
def test_what_methods_train_first_goes_on_with_the_same_bits(store, tmp_path, make_run, method, kind):
    (job,) = make_run(method).artifacts
    if kind == "teacher":
        (job,) = job.artifacts
    assert job.artifact.recipe.name == kind
    for need in job.artifacts:
        assert build(need, store).state == "done"
    assert build(job, tmp_path / "whole").state == "done"
    assert build(job, store, stop=stop_after(1)).state == "unfinished"
    assert build(job, store).state == "done"
    assert read_artifact(store / job.path / ARTIFACT).resumed == 1
    for name in (TENSORS, "history.csv", *[SAMPLES] * (kind != "teacher")):  # a teacher draws nothing
        assert (store / job.path / name).read_bytes() == (tmp_path / "whole" / job.path / name).read_bytes()


def test_a_teacher_is_the_baseline_of_the_run(store, make_run):
    run, baseline = make_run("supermix", dropout=0.3), make_run("baseline", dropout=0.3)
    (mixed,) = run.artifacts
    (teacher,) = mixed.artifacts
    assert execute(baseline, store).state == execute(run, store).state == "done"
    recorded = read_record(store / baseline.path / "record.json").weights_sha256
    assert weights_hash(load_artifact(teacher, store, torch.device("cpu"))) == recorded
    assert read_record(store / run.path / "record.json").artifacts == [mixed.key]


def test_a_mixed_set_belongs_to_its_run_s_protocol(make_run):
    def keys(method="supermix", **protocol):
        (mixed,) = make_run(method, **protocol).artifacts
        (teacher,) = mixed.artifacts
        return mixed.key, teacher.key

    mixed, teacher = keys()
    assert keys("supermix(p_gen=0.3)+autoaugment") == (mixed, teacher)
    assert keys("supermix(alpha=1)")[0] != mixed and keys("supermix(alpha=1)")[1] == teacher
    assert not {mixed, teacher} & set(keys(epochs=2))
    assert make_run("supermix(p_gen=0)").artifacts == ()


def test_a_run_stopped_while_it_builds_is_unfinished_and_goes_on(store, shaky):
    run = shaky()
    assert execute(run, store, stop=stop_after(5)).state == "unfinished"
    assert not (store / run.path / FAILURE).exists()
    assert execute(run, store).state == "done"
    assert read_artifact(store / run.artifacts[0].path / ARTIFACT).resumed == 1


def test_a_failed_building_fails_its_runs_which_name_it_until_it_is_retried(store, shaky):
    run = shaky(fails_at=3)
    (job,) = run.artifacts
    outcome = execute(run, store)
    assert outcome.state == "failed"
    assert str(job) in outcome.message
    assert "reconstruction loss is nan" in outcome.message
    first = (store / job.path / FAILURE).stat().st_mtime_ns
    assert execute(run, store).state == "failed"
    assert (store / job.path / FAILURE).stat().st_mtime_ns == first  # not tried again by every run that needs it
    assert str(job) in read_json(store / run.path / FAILURE)["error"]


def test_while_another_process_builds_a_run_waits_elsewhere(store, shaky):
    run = shaky()
    with Lock(store / run.artifacts[0].path):
        outcome = execute(run, store)
    assert outcome.state == "elsewhere"
    assert str(run.artifacts[0]) in outcome.message
    assert not (store / run.path / FAILURE).exists()


@pytest.mark.parametrize("damage", [lambda tensors: tensors[:-4], lambda tensors: tensors[:-1] + b"x", lambda _: None])
def test_damaged_tensors_are_built_again(store, shaky, damage):
    run = shaky()
    (job,) = run.artifacts
    assert build(job, store).state == "done"
    path = store / job.path / TENSORS
    whole = path.read_bytes()
    path.unlink() if damage(whole) is None else path.write_bytes(damage(whole))
    assert execute(run, store).state == "done"
    assert path.read_bytes() == whole
    assert (store / job.path / f"{ARTIFACT}.damaged").exists()


def test_forcing_a_run_does_not_build_again(store, shaky):
    run = shaky()
    execute(run, store)
    path = store / run.artifacts[0].path / TENSORS
    made = path.stat().st_mtime_ns
    assert execute(run, store, Options(force=True)).state == "done"
    assert path.stat().st_mtime_ns == made


def grid_of(*runs) -> Grid:
    from benchmark.study import Cell

    cells = tuple(Cell(run.dataset, run.method, run.samples_per_class, None, (run,)) for run in runs)
    return Grid("demo", load_study("demo"), "demo", (0,), cells)


def test_plan_puts_each_artifact_before_the_first_run_that_needs_it(store, shaky, monkeypatch):
    monkeypatch.setattr("benchmark.provenance.os.nice", lambda by: 0)  # however the tests are run
    runs = [shaky(), shaky(strength=0.5), shaky(size=3)]
    plan = make_plan(grid_of(*runs), Stores(store, alone=True))
    one, other = runs[0].artifacts[0], runs[2].artifacts[0]
    assert [job.key for job in plan.jobs()] == [job.key for job in (one, runs[0], runs[1], other, runs[2])]
    assert len(plan.builds["missing"]) == 2
    build(one, store)
    plan = make_plan(grid_of(*runs), Stores(store, alone=True))
    assert [job.key for job in plan.builds["done"]] == [one.key]
    assert one.key not in [job.key for job in plan.jobs()]
    assert plan.estimate([one]) == (pytest.approx(plan.costs.seconds(one)[0] / 3600), False)  # type: ignore[comparison-overlap]


def test_plan_leaves_a_failed_artifact_to_retry(store, shaky):
    run = shaky(fails_at=3)
    build(run.artifacts[0], store)
    plan = make_plan(grid_of(run), Stores(store, alone=True))
    assert [job.key for job in plan.builds["failed"]] == [run.artifacts[0].key]
    assert plan.jobs() == [run]
    assert [job.key for job in plan.jobs(retry=True)] == [run.artifacts[0].key, run.key]


def test_done_runs_need_no_artifacts(store, shaky):
    run = shaky()
    execute(run, store)
    (store / run.artifacts[0].path / ARTIFACT).unlink()
    plan = make_plan(grid_of(run), Stores(store, alone=True))
    assert not any(plan.builds.values())
    assert plan.jobs() == []


def test_a_generator_is_built_without_the_test_set(store, make_run, monkeypatch):
    run = make_run("hydramix", size=1)
    monkeypatch.setattr(type(run.dataset), "test", lambda self: pytest.fail("the test set was read"))
    assert build(run.artifacts[0], store).state == "done"


def test_what_is_loaded_is_what_was_trained(store, shaky):
    (job,) = shaky().artifacts
    build(job, store)
    weight = load_artifact(job, store, torch.device("cpu"))
    assert weight.shape == (8, 32 * 32 * 3)
    assert np.isfinite(weight.numpy()).all()
