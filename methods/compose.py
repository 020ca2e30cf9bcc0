"""Methods around a method: ready for training, or behind an automatic augmentation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from datasets.base import Dataset
from methods.base import NO_BUDGETS, Budgets, Method
from methods.task import Batch, Task

if TYPE_CHECKING:
    from methods.artifacts import Artifact


@dataclass(frozen=True)
class Prepared(Method):
    """What `prepare` gives where a method needs more than its parameters; it goes by that method's name."""

    method: Method

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.method.name

    @property
    def label(self) -> str:  # type: ignore[override]
        return self.method.label


@dataclass(frozen=True)
class Composition(Method):
    """A method behind an automatic augmentation: `mixup+autoaugment`."""

    base: Method
    augmentation: Method

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.base.name}+{self.augmentation.name}"

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.base.label} + {self.augmentation.label}"

    @property
    def source(self) -> str:  # type: ignore[override]
        return f"{self.base.source}; {self.augmentation.source}"

    @property
    def available(self) -> bool:  # type: ignore[override]
        return self.base.available and self.augmentation.available

    @property
    def lookahead(self) -> int:  # type: ignore[override]
        return self.base.lookahead

    @property
    def remark(self) -> str:  # type: ignore[override]
        return self.base.remark

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> "Composition":
        return Composition(self.base.resolve(dataset, budgets), self.augmentation.resolve(dataset, budgets))

    def protocol(self, images: int, budgets: Budgets = NO_BUDGETS) -> dict[str, object]:
        return self.base.protocol(images, budgets)

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> "tuple[Artifact, ...]":
        return self.base.needs(dataset, samples_per_class, seed)

    def learns_from(self, teacher: "Artifact") -> "tuple[Artifact, ...]":
        return self.base.learns_from(teacher)

    def prepare(self, task: Task, made: tuple[object, ...]) -> "Composition":
        return replace(self, base=self.base.prepare(task, made))

    def maps(self, task: Task) -> Tensor | None:
        return self.base.maps(task)

    def classifier_input(self, image_size: int) -> tuple[int, int]:
        return self.base.classifier_input(image_size)

    def network(self, classifier: nn.Module) -> nn.Module:
        return self.base.network(classifier)

    def undecayed(self, network: nn.Module) -> Iterable[nn.Parameter]:
        return self.base.undecayed(network)

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.augmentation.transform(images, rng)

    def erase(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.base.erase(images, rng)

    def augment(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.base.augment(images, rng)

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        return self.base.mix(batch, rng)

    def begin(self, batch: Batch, rng: torch.Generator) -> Callable[[], Batch]:
        return self.base.begin(batch, rng)

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.base.criterion(logits, targets)

    def identity(self) -> dict[str, object]:
        return {**self.base.identity(), "automatic": self.augmentation.identity()}
