"""Every registered method, plain and behind every automatic augmentation, trains two steps and is recorded.

It draws from its own streams, and what it trains first is taken up where it stopped.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.build import build
from benchmark.checkout import code_state
from benchmark.execute import execute
from benchmark.reference import RealFeatures
from benchmark.run import with_needs
from methods.artifacts import Recipe
from methods.base import Method
from methods.compose import Composition, Prepared
from methods.registry import parse_method, registry
from methods.task import Batch, Task
from results.artifacts import ARTIFACT, read_artifact, read_tensors
from results.records import read_record
from trainings import stop_after

AVAILABLE = [name for name, cls in registry.entries().items() if cls().available or cls.by_files]
AUTOMATIC = [name for name, cls in registry.entries().items() if cls.automatic]
COMPOSED = [f"{name}+{auto}" for name in AVAILABLE for auto in AUTOMATIC if name not in AUTOMATIC]


@pytest.mark.usefixtures("draws_are_its_own")
@pytest.mark.parametrize("method", AVAILABLE + COMPOSED)
def test_two_steps_on_the_embedded_dataset(method, store, make_run):
    run = make_run(method, size=1, batch_size=10)
    assert run.steps == 2
    outcome = execute(run, store)
    assert outcome.state == "done", outcome.message
    record = read_record(store / run.path / "record.json")
    assert record.metrics.test_images == 797
    assert record.warnings == code_state().warnings()  # nothing but, perhaps, that git knows no commit here


@pytest.mark.parametrize("method", AVAILABLE)
def test_the_same_run_gives_the_same_bits(method, tmp_path, make_run):
    run = make_run(method, size=1, batch_size=10, dropout=0.3)
    for store in ("a", "b"):
        execute(run, tmp_path / store)
    first, second = (read_record(tmp_path / store / run.path / "record.json") for store in ("a", "b"))
    assert first.weights_sha256 == second.weights_sha256
    assert first.metrics == second.metrics


DRAWS: dict[str, Callable[[], object]] = {
    "torch": lambda: torch.rand(1),
    "numpy": np.random.rand,
    "random": random.random,
}


@dataclass(frozen=True)
class Foreign(Method):
    """Draws from a stream that is not its own."""

    name = "foreign"
    label = "Foreign"
    source = "a test"
    stream: str = "torch"

    def augment(self, images, rng):
        DRAWS[self.stream]()
        return images


@pytest.mark.usefixtures("draws_are_its_own")
@pytest.mark.parametrize("stream", DRAWS)
def test_a_draw_from_a_stream_of_everybodys_is_found(stream, store, make_run):
    outcome = execute(replace(make_run(size=1, batch_size=10), method=Foreign(stream)), store)
    assert outcome.state == "failed" and f"Batches.next draws from the stream of {stream}" in outcome.message


TRAIN_FIRST = [
    name
    for name in AVAILABLE
    if registry.get(name).needs is not Method.needs or registry.get(name).learns_from is not Method.learns_from
]


@pytest.mark.usefixtures("draws_are_its_own")
@pytest.mark.parametrize("method", TRAIN_FIRST)
def test_an_artifact_that_was_stopped_is_taken_up_with_the_same_bits(method, tmp_path, make_run):
    for job in with_needs(make_run(method, size=1, batch_size=10).artifacts):
        assert build(job, tmp_path / "whole").state == "done"
        stopped = build(job, tmp_path / "stopped", stop=stop_after(1))
        assert stopped.state == "unfinished", f"{job} needs two steps here, see tests/shortened.py: {stopped.message}"
        assert build(job, tmp_path / "stopped").state == "done"
        assert read_artifact(tmp_path / "stopped" / job.path / ARTIFACT).resumed == 1
        first, second = (read_tensors(tmp_path / store / job.path) for store in ("whole", "stopped"))
        assert first == second


def test_every_recipe_is_taken_up(make_run):
    """Those of methods here; features of real images, which a measure has, in tests/contract/test_fid.py."""
    here = {type(job.artifact.recipe) for name in TRAIN_FIRST for job in with_needs(make_run(name).artifacts)}
    assert {cls for cls in Recipe.__subclasses__() if cls.__module__.startswith(("benchmark.", "methods."))} == {
        *here,
        RealFeatures,
    }


def test_an_unavailable_method_is_known_but_has_no_run(monkeypatch):
    monkeypatch.setattr(registry.get("cutout"), "available", False)
    assert parse_method("cutout").available is False
    assert parse_method("cutout+autoaugment").available is False


@dataclass(frozen=True)
class EveryHook(Method):
    """Overrides every hook and notes the order in which training calls them."""

    name = "every-hook"
    label = "Every hook"
    source = "a test"
    calls: tuple = ()

    def _note(self, name: str) -> None:
        self.calls.append(name)

    def prepare(self, task: Task, made: tuple) -> Self:
        assert task.images.dtype == torch.uint8
        assert len(task.images) == len(task.labels) == 10
        return replace(self, calls=[])

    def network(self, classifier: nn.Module) -> nn.Module:
        self._note("network")
        return nn.Sequential(classifier, nn.Identity())

    def transform(self, images, rng):
        assert images.dtype == torch.uint8
        self._note("transform")
        return images

    def erase(self, images, rng):
        assert images.min() >= 0
        assert images.max() <= 1
        self._note("erase")
        return images

    def augment(self, images, rng):
        assert images.min() < 0
        self._note("augment")
        return images

    def mix(self, batch, rng):
        assert torch.allclose(batch.targets.sum(1), torch.ones(len(batch.targets)))
        self._note("mix")
        return Batch(batch.images, batch.targets)

    def criterion(self, logits, targets):
        self._note("criterion")
        return super().criterion(logits, targets)


def test_training_calls_every_hook_in_the_documented_order(store, make_run, monkeypatch):
    noted = []
    monkeypatch.setattr(EveryHook, "_note", lambda self, name: noted.append(name))
    run = replace(make_run(size=1, batch_size=10), method=EveryHook())
    assert execute(run, store).state == "done"
    assert noted == ["network", *["transform", "erase", "augment", "mix", "criterion"] * 2]


def test_a_composition_passes_every_hook_on(store, make_run, monkeypatch):
    noted = []
    monkeypatch.setattr(EveryHook, "_note", lambda self, name: noted.append(name))
    composed = Composition(EveryHook(), parse_method("trivialaugment"))
    assert execute(replace(make_run(size=1, batch_size=10), method=composed), store).state == "done"
    assert noted == ["network", *["erase", "augment", "mix", "criterion"] * 2]


def test_a_prepared_method_passes_every_hook_on(store, make_run, monkeypatch):
    noted = []
    monkeypatch.setattr(EveryHook, "_note", lambda self, name: noted.append(name))
    monkeypatch.setattr(EveryHook, "prepare", lambda self, task, made: Prepared(self))
    assert execute(replace(make_run(size=1, batch_size=10), method=EveryHook()), store).state == "done"
    assert noted == ["network", *["transform", "erase", "augment", "mix", "criterion"] * 2]
