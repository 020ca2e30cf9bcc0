"""Methods around a method: ready for training, or behind an automatic augmentation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from datasets.base import Dataset
from methods.base import NO_BUDGETS, Budgets, Method
from methods.task import Batch, Task


@dataclass(frozen=True)
class Forwarding(Method):
    """A method around another one: every hook and every other public name of it, but for what a subclass defines.

    What gives a method gives one around the inner method's answer.
    """

    method: Method

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        return replace(self, method=self.method.resolve(dataset, budgets))

    def fill(self, values: Mapping[str, object]) -> Self:
        return replace(self, method=self.method.fill(values))

    def prepare(self, task: Task, made: tuple[object, ...]) -> Method:
        return replace(self, method=self.method.prepare(task, made))


for _name in {*vars(Method), *Method.__annotations__} - {*vars(Forwarding)}:
    if not _name.startswith("_"):
        setattr(Forwarding, _name, property(attrgetter(f"method.{_name}")))


@dataclass(frozen=True)
class Prepared(Forwarding):
    """What `prepare` gives where a method needs more than its parameters; it overrides the hooks that need it."""

    def begin(self, batch: Batch, rng: torch.Generator) -> Callable[[], Batch]:
        """By its own `mix` where it has one: the method's `begin` would call the method's."""
        mixes = type(self).mix is not Forwarding.mix
        return Method.begin(self, batch, rng) if mixes else self.method.begin(batch, rng)


def spared(batch: Batch, p_gen: float, rng: torch.Generator) -> Batch | None:
    """A batch without what mixing it would need, with probability 1 - p_gen; else None, and all of it is replaced.

    One draw of `rng` decides for the whole batch (FIDELITY section 8; p_gen is varied in HydraMix Figure 5).
    """
    return Batch(batch.images, batch.targets) if float(torch.rand((), generator=rng)) >= p_gen else None


@dataclass(frozen=True)
class Composition(Forwarding):
    """A method behind an automatic augmentation: `mixup+autoaugment`."""

    augmentation: Method

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.method.name}+{self.augmentation.name}"

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.method.label} + {self.augmentation.label}"

    @property
    def source(self) -> str:  # type: ignore[override]
        return f"{self.method.source}; {self.augmentation.source}"

    @property
    def missing(self) -> str:
        return self.method.missing or self.augmentation.missing

    @property
    def available(self) -> bool:
        return self.method.available and self.augmentation.available

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        return replace(super().resolve(dataset, budgets), augmentation=self.augmentation.resolve(dataset, budgets))

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.augmentation.transform(images, rng)

    @property
    def helped(self) -> Callable[..., np.ndarray] | None:  # type: ignore[override]
        return self.augmentation.helped

    def ask(self, images: Tensor, rng: torch.Generator) -> tuple[Any, ...]:
        return self.augmentation.ask(images, rng)

    @property
    def identity(self) -> dict[str, object]:
        return {**self.method.identity, "automatic": self.augmentation.identity}
