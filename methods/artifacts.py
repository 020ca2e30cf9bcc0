"""Artifacts: what several runs share and is expensive, like a trained generator. Built once, under a lock."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from datasets.base import Dataset
from methods.flops import Work
from methods.history import LossHistory
from methods.identity import hashed_fields
from methods.task import Task


class Building(Protocol):
    """An artifact's training in progress. On the CPU, `restore(state())` in a new process gives the same bits.

    step: steps done out of `steps`; history: its losses; images_seen: images shown in the whole training.
    """

    step: int
    steps: int
    history: LossHistory

    @property
    def images_seen(self) -> int: ...
    def advance(self) -> None:
        """One step; raises Diverged when a loss is not finite."""

    def state(self) -> dict[str, object]:
        """Everything needed to go on, of tensors and plain values (it is read back with weights_only)."""

    def restore(self, state: dict) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """What is kept of the finished training, by name."""


class Tile(NamedTuple):
    """One picture of a sample grid: uint8 H×W×3, with a short caption below it."""

    image: np.ndarray
    caption: str


@dataclass(frozen=True)
class Recipe:
    """How an artifact is made from a training subset; the fields of a subclass that compare enter its key.

    Raise `version` when the same fields give other tensors. It never sees a test image.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1

    @property
    def made_in(self) -> str:
        """The precision of the networks that make it."""
        return "auto"

    def require(self) -> None:
        """Raises BadInput where the dataset cannot give what it is made from; asked before anything starts."""

    @property
    def title(self) -> str:
        """What a person calls the artifact, e.g. `hydramix generator`."""
        return self.name

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> "tuple[Artifact, ...]":
        """The artifacts that this one is made from."""
        return ()

    def start(self, task: Task, made: tuple[object, ...]) -> Building:
        """A fresh training; made: what `needs` names, loaded, in that order."""
        raise NotImplementedError

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> object:
        """What methods use, ready on `device`; raises KeyError or RuntimeError where tensors do not fit."""
        raise NotImplementedError

    def picture(self, made: object, task: Task) -> list[list[Tile]]:
        """Rows of tiles that show a person what was made; none by default."""
        return []

    def images(self, samples_per_class: int, num_classes: int) -> int:
        """How many images the training shows, for estimates from recorded times."""
        raise NotImplementedError

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        """What the whole training asks of a machine, for guesses; roughly."""
        raise NotImplementedError

    @property
    def identity(self) -> dict[str, object]:
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.compare}
        return {"name": self.name, "version": self.version, "parameters": hashed_fields(type(self), values)}


@dataclass(frozen=True)
class Artifact:
    """A recipe applied to a training subset. Datasets of one training source share it."""

    recipe: Recipe
    dataset: Dataset
    samples_per_class: int
    seed: int

    @property
    def identity(self) -> dict[str, object]:
        """Everything that can change the artifact's tensors, as plain JSON values."""
        return {
            "recipe": self.recipe.identity,
            "source": self.dataset.training_source,
            "samples_per_class": self.samples_per_class,
            "seed": self.seed,
        }

    def needs(self) -> "tuple[Artifact, ...]":
        return self.recipe.needs(self.dataset, self.samples_per_class, self.seed)
