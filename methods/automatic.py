"""Automatic augmentation of uint8 images by torchvision, before the crop (FIDELITY section 7)."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from datasets.base import Dataset
from datasets.batches import send
from methods.base import NO_BUDGETS, Budgets, Method
from methods.registry import register


@dataclass(frozen=True)
class _Automatic(Method):
    """Applies a torchvision transform to each image of a batch, as a PIL image like the papers' code does."""

    automatic: ClassVar[bool] = True

    def _policy(self) -> torch.nn.Module:
        raise NotImplementedError

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

        policy = self._policy()
        # torchvision draws from torch's global stream: lend it one that our stream seeds
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=rng)))
            changed = [policy(to_pil_image(image.permute(2, 0, 1))) for image in images.cpu()]
        return send(images.device, torch.stack([pil_to_tensor(image).permute(1, 2, 0) for image in changed]))[0]


@lru_cache(maxsize=4)
def _auto_augment(policy: str) -> torch.nn.Module:
    from torchvision.transforms import v2

    return v2.AutoAugment(v2.AutoAugmentPolicy(policy))


@lru_cache(maxsize=1)
def _trivial_augment() -> torch.nn.Module:
    from torchvision.transforms import v2

    return v2.TrivialAugmentWide()


@register("autoaugment", label="AutoAugment", source="Cubuk et al., 2019")
@dataclass(frozen=True)
class AutoAugment(_Automatic):
    """AutoAugment with torchvision's policies, which were learned on the whole datasets.

    policy: cifar10 for images up to 64 pixels (both ciFAIR sets), imagenet for larger ones (STL-10).
    """

    policy: Literal["cifar10", "imagenet", "svhn"] | None = None

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        return replace(self, policy=self.policy or ("cifar10" if dataset.image_size <= 64 else "imagenet"))

    def _policy(self) -> torch.nn.Module:
        assert self.policy is not None, "resolve() comes first"
        return _auto_augment(self.policy)


@register("trivialaugment", label="TrivialAugment", source="Müller & Hutter, 2021")
@dataclass(frozen=True)
class TrivialAugment(_Automatic):
    """TrivialAugmentWide: one operation of random strength (31 bins) per image, black fill."""

    def _policy(self) -> torch.nn.Module:
        return _trivial_augment()
