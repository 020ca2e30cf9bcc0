"""How a mixed set is made from a training subset and a teacher, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from datasets.base import Dataset
from methods.artifacts import Artifact, Recipe, Tile
from methods.flops import Work
from methods.mixtures.building import MixedSet, MixedSetBuilding
from methods.task import Task

_LOOKS = 50  # at samples for each that is kept: about as many as at the quick preset; for estimates


@dataclass(frozen=True)
class MixedSetRecipe(Recipe):
    """What alone determines a mixed set, besides the subset and the seed.

    teacher: the recipe of a classifier; sources: images per mixed image; per_image: mixed images for each of the
    subset. The other fields are explained in supermix.SuperMix.
    """

    name = "mixed-set"

    teacher: Recipe
    sources: int
    alpha: float
    cells: int
    sigma: float
    sparsity: float
    max_updates: int
    tolerance: float
    batch_size: int
    per_image: int

    @property
    def title(self) -> str:
        return "supermix mixed set"

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> tuple[Artifact, ...]:
        return (Artifact(self.teacher, dataset, samples_per_class, seed),)

    def start(self, task: Task, made: tuple[object, ...]) -> MixedSetBuilding:
        (teacher,) = made
        assert isinstance(teacher, nn.Module)
        return MixedSetBuilding(self, task, teacher)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> MixedSet:
        return MixedSet(*(tensors[name].to(device) for name in MixedSet._fields))

    def picture(self, made: object, task: Task) -> list[list[Tile]]:
        from methods.mixtures.pictures import mixtures

        assert isinstance(made, MixedSet)
        return mixtures(made, task)

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.per_image * samples_per_class * num_classes

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        """A look is two thirds of the teacher's own training step, without gradients of weights."""
        size = (samples_per_class, num_classes)
        return self.teacher.work(*size) * (2 / 3 * _LOOKS * self.images(*size) / self.teacher.images(*size))

    @property
    def identity(self) -> dict[str, object]:
        identity = super().identity
        parameters = {**identity["parameters"], "teacher": self.teacher.identity}  # type: ignore[dict-item]
        return {**identity, "parameters": parameters}
