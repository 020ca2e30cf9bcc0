"""Automatic augmentation of uint8 images by torchvision, before the crop (FIDELITY section 7)."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from datasets.base import Dataset
from datasets.batches import send
from methods.base import NO_BUDGETS, Budgets, Method
from methods.policies import TRIVIAL, augment_all
from methods.registry import register


@dataclass(frozen=True)
class _Automatic(Method):
    """Applies a torchvision transform to each image of a batch."""

    automatic: ClassVar[bool] = True
    helped = staticmethod(augment_all)

    @property
    def _policy(self) -> str:
        raise NotImplementedError

    def ask(self, images: Tensor, rng: torch.Generator) -> tuple[Any, ...]:
        return images.cpu().numpy(), self._policy, int(torch.randint(2**62, (), generator=rng))

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return send(images.device, torch.from_numpy(augment_all(*self.ask(images, rng))))[0]


@register("autoaugment", label="AutoAugment", source="Cubuk et al., 2019")
@dataclass(frozen=True)
class AutoAugment(_Automatic):
    """AutoAugment with torchvision's policies, which were learned on the whole datasets.

    policy: cifar10 for images up to 64 pixels (both ciFAIR sets), imagenet for larger ones (STL-10).
    """

    policy: Literal["cifar10", "imagenet", "svhn"] | None = None

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        return replace(self, policy=self.policy or ("cifar10" if dataset.image_size <= 64 else "imagenet"))

    @property
    def _policy(self) -> str:
        assert self.policy is not None, "resolve() comes first"
        return self.policy


@register("trivialaugment", label="TrivialAugment", source="Müller & Hutter, 2021")
@dataclass(frozen=True)
class TrivialAugment(_Automatic):
    """TrivialAugmentWide: one operation of random strength (31 bins) per image, black fill."""

    @property
    def _policy(self) -> str:
        return TRIVIAL
