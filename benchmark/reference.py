"""Features of real images as artifacts: what a method's images are compared with. What extracts them is imported where
it is used: a run's identity needs none of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmark.weights import INCEPTION, get_weights
from datasets.base import DataMissing, Dataset
from datasets.subset import subset_hash
from methods.artifacts import Artifact, Building, Recipe
from methods.flops import Work
from methods.task import Task

INCEPTION_FLOPS = 1.14e10  # of an image through Inception-v3 at 299 pixels


class Seen(NamedTuple):
    """Features of images, float32 N×D, and their labels, both on the CPU."""

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class RealFeatures(Recipe):
    """Inception's features of a dataset's real images (ChimeraMix Figure 4), N×2048.

    split: train or test. count: of images, drawn by the artifact's seed, equally many of each class; None for all that
    are here. precision: of the network.
    """

    name = "features"

    dataset: Dataset = field(compare=False)
    split: Literal["train", "test"]
    count: int | None
    precision: str

    @property
    def title(self) -> str:
        return f"features of {f'{self.count:,}' if self.count else 'all'} {self.split} images"

    @property
    def made_in(self) -> str:
        return self.precision

    def require(self) -> None:
        """Raises BadInput where a class has too few images."""
        import_module("benchmark.measures.real").positions(self, seed=0)

    def of(self, seed: int) -> Artifact:
        """The artifact, which is made from no subset."""
        return Artifact(self, self.dataset, 0, seed)

    def start(self, task: Task, made: tuple[object, ...]) -> Building:
        return import_module("benchmark.measures.real").start(self, task)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> Seen:
        return Seen(tensors["features"], tensors["labels"])

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.count or len(self._present())

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        return Work(flops=INCEPTION_FLOPS * self.images(samples_per_class, num_classes))

    @property
    def identity(self) -> dict[str, object]:
        """Of training images the artifact's source says which they are; of test images only the dataset does."""
        parameters = {
            "weights": get_weights(INCEPTION).identity,
            "split": self.split,
            "count": self.count,
            "precision": self.precision,
            **({"dataset": self.dataset.identity} if self.split == "test" else self._lacking()),
        }
        return {"name": self.name, "version": self.version, "parameters": parameters}

    def _lacking(self) -> dict[str, object]:
        """The hash of the positions that are on disk, where these are not all."""
        present = self._present()
        return {"present": subset_hash(present)} if len(present) and self._is_partial(present) else {}

    def _is_partial(self, present: np.ndarray) -> bool:
        return len(present) < len(self.dataset.train_labels())

    def _present(self) -> np.ndarray:
        """Positions of the training images; none where the dataset is not here, which a plan says in its own way."""
        try:
            return self.dataset.present()
        except DataMissing:
            return np.arange(0)
