from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from datasets.batches import send
from methods.base import Method
from methods.registry import register
from methods.task import Batch


def blend(batch: Batch, weights: list[float], rng: torch.Generator) -> Batch:
    """The weighted sum of the batch and random permutations of it, images and targets alike.

    With targets as class weights, cross-entropy of the blend is the weighted sum of cross-entropies.
    """
    images, targets = batch.images * weights[0], batch.targets * weights[0]
    for weight in weights[1:]:
        (partner,) = send(images.device, torch.randperm(len(images), generator=rng))
        images = images.add(batch.images[partner], alpha=weight)
        targets = targets.add(batch.targets[partner], alpha=weight)
    return Batch(images, targets)


def draw_dirichlet(count: int, alpha: float, rng: torch.Generator) -> list[float]:
    """`count` weights that sum to 1, from the symmetric Dirichlet distribution; count 2 is Beta(alpha, alpha)."""
    # torch cannot sample gamma variates from a generator of one's own
    seed = int(torch.randint(2**62, (), generator=rng))
    return np.random.default_rng(seed).dirichlet([alpha] * count).tolist()


@register("mixup", label="MixUp", source="Zhang et al., 2018")
@dataclass(frozen=True)
class MixUp(Method):
    """Blends every batch with a permutation of itself, one weight ~ Beta(alpha, alpha) each (FIDELITY section 5)."""

    alpha: Annotated[float, Field(gt=0)] = 1.0

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        return blend(batch, draw_dirichlet(2, self.alpha, rng), rng)


@register("mixupn", label="MixUpN", source="HydraMix, 2025; Zhang et al., 2018")
@dataclass(frozen=True)
class MixUpN(Method):
    """MixUp of several images with weights ~ Dirichlet(alpha, ..., alpha), one draw per batch (FIDELITY section 5).

    The paper states neither the number of images nor alpha: HydraMix's 4 and MixUp's 1 are taken.
    """

    images: Annotated[int, Field(ge=2)] = 4
    alpha: Annotated[float, Field(gt=0)] = 1.0

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        return blend(batch, draw_dirichlet(self.images, self.alpha, rng), rng)
