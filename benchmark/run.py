"""A run is a value, and so is the building of an artifact: what it is, its key, its path."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.kinds.base import Measure
from benchmark.places import artifact_folder, method_folder, run_folder
from benchmark.protocol import Protocol, planned_preset, use_planned
from benchmark.teacher import artifacts_of
from datasets.base import Dataset
from methods.artifacts import Artifact
from methods.base import Method
from results.records import key_of, slot_of

_OF_FILE = "_preset_of_file"


class Planned:
    """A job under the key of its identity, which it keeps where it is taken to be done.

    What it is made of is read there anew: a job that no longer has its key there is not the one that was planned.
    """

    @property
    def identity(self) -> dict[str, object]:
        """Everything that can change what comes of it, as plain JSON values."""
        raise NotImplementedError

    @property
    def path(self) -> Path:
        """Its folder inside a store: readable, ending in the key."""
        raise NotImplementedError

    @property
    def artifacts(self) -> "tuple[Build, ...]":
        """What must be built before it can start."""
        raise NotImplementedError

    if TYPE_CHECKING:

        @property
        def preset(self) -> str:
            """The name of the preset whose threads do it."""

    @cached_property
    def key(self) -> str:
        return key_of(self.identity)

    def __getstate__(self) -> dict[str, object]:
        planned = ("identity", "key", "path", "artifacts")
        return vars(self) | {name: getattr(self, name) for name in planned} | {_OF_FILE: planned_preset(self.preset)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if preset := state.pop(_OF_FILE, None):
            use_planned(state["preset"], preset)
        vars(self).update(state)


@dataclass(frozen=True)
class Run(Planned):
    """One training of one method on one subset, or another measure of what it makes of it.

    `method` has its parameters resolved for the dataset; `row` is the method as the study names it, and
    `preset` is where the protocol came from: both are for people and do not enter the key.
    """

    dataset: Dataset
    samples_per_class: int
    method: Method
    seed: int
    protocol: Protocol | Measure
    row: str
    preset: str

    @cached_property
    def identity(self) -> dict[str, object]:
        """Everything that can change the run's number, as plain JSON values."""
        return {
            "dataset": self.dataset.identity,
            "samples_per_class": self.samples_per_class,
            "seed": self.seed,
            "method": self.method.identity,
            "protocol": self.protocol.identity,
        }

    @cached_property
    def slot(self) -> str:
        """The key without versions, by which an older version's record is found."""
        return slot_of(self.identity)

    @property
    def cell(self) -> tuple[str, str, int]:
        return self.dataset.text, self.row, self.samples_per_class

    @property
    def steps(self) -> int:
        return self.protocol.steps(self.samples_per_class, self.dataset.num_classes)

    @property
    def kind(self) -> str:
        """What it does with its subset (benchmark/kinds/)."""
        return self.protocol.kind

    @property
    def missing(self) -> str:
        """What keeps it from running here and how to get it; "" where nothing does."""
        return self.protocol.missing

    @cached_property
    def artifacts(self) -> "tuple[Build, ...]":
        """What must be built before the run can start."""
        used = artifacts_of(self.method, self.dataset, self.samples_per_class, self.seed, self.protocol)
        return tuple(Build(artifact, self.preset) for artifact in used)

    @cached_property
    def path(self) -> Path:
        """The run's folder inside a store: readable, ending in the key."""
        method = method_folder(self.method)
        return run_folder(self.kind, self.dataset.name, self.samples_per_class, method, self.seed, self.key)

    def __str__(self) -> str:
        return f"{self.dataset.text} {size_text(self.samples_per_class)} {self.row} seed {self.seed} [{self.key}]"


@dataclass(frozen=True)
class Build(Planned):
    """The building of an artifact, which all runs that need it share; `preset` (its threads) is not in the key."""

    artifact: Artifact
    preset: str

    @cached_property
    def identity(self) -> dict[str, object]:
        return self.artifact.identity

    @property
    def dataset(self) -> Dataset:
        return self.artifact.dataset

    @property
    def samples_per_class(self) -> int:
        return self.artifact.samples_per_class

    @property
    def seed(self) -> int:
        return self.artifact.seed

    @property
    def row(self) -> str:
        return self.artifact.recipe.title

    @cached_property
    def artifacts(self) -> "tuple[Build, ...]":
        """What must be built before this can start."""
        return tuple(Build(need, self.preset) for need in self.artifact.needs())

    @cached_property
    def path(self) -> Path:
        """The artifact's folder inside a store: readable, ending in the key."""
        source, size = self.dataset.training_source, self.samples_per_class
        return artifact_folder(self.artifact.recipe.name, source, size, self.seed, self.key)

    def __str__(self) -> str:
        source = self.dataset.training_source
        return f"{self.row} of {source} {size_text(self.samples_per_class)} seed {self.seed} [{self.key}]"


def size_text(samples_per_class: int) -> str:
    """What people are told of the size of a subset; 0 where something is made from no subset."""
    return f"{samples_per_class}/class" if samples_per_class else "whole set"


def with_needs(jobs: Iterable[Build]) -> Iterator[Build]:
    """Builds, each after those it needs; one can come more than once."""
    for job in jobs:
        yield from with_needs(job.artifacts)
        yield job
