import warnings
from dataclasses import dataclass
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from datasets.base import Dataset
from methods.artifacts import Artifact
from methods.base import NO_BUDGETS, Budgets, Method
from methods.compose import Prepared, spared
from methods.mixtures.building import MixedSet
from methods.mixtures.recipe import MixedSetRecipe
from methods.ranges import Amount, Positive, Share
from methods.registry import register
from methods.task import Batch, Task


@register("supermix", label="SuperMix", source="Dabouei et al., 2021")
@dataclass(frozen=True)
class SuperMix(Method):
    """Takes whole batches from a set of images blended by masks that a teacher's opinion shapes (FIDELITY section 12).

    The teacher is the baseline of the run's own protocol, subset and seed, trained first; SuperMix's own was trained
    on all of CIFAR-100. It looks at the subset's images as they are. The masks of `images` images are sought until
    the classes that it sees in them (one, where it sees the same in all) come first in its view of the mixture. Then
    a batch is, with probability p_gen, drawn uniformly from the mixed set and goes through the run's augmentation,
    with the teacher's first class for its label. The cross-entropy variant, without distillation.

    The order is mix, label, augment. The published code flips images at random before it mixes them, has its teacher
    label each mixture anew in every step, after crop and flip, and each of its steps adds the losses of a batch of
    either kind, where half of ours have mixed images only.

    After twenty times the batches that the set takes at best, it stays smaller, with a warning; where it would be
    smaller than the subset, building it fails.
    """

    p_gen: Share = 0.5
    images: Annotated[int, Field(ge=2)] = 2
    alpha: Amount = 3.0  # of the Dirichlet weights of the classes
    mask_size: Positive = 8  # cells along a side
    blur: Amount = 1.0  # of the gradient, in cells
    sparsity: Annotated[float, Field(ge=0)] = 25.0  # weight of the masks' indecision
    # updates of a batch's masks (50 in the paper); None is the preset's to spend. They end sooner when no more than
    # the share `tolerance` of the batch is undone; what is undone then is dropped
    max_iter: Positive | None = None
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.7
    batch_size: Annotated[int, Field(ge=2)] = 100
    per_image: Positive | None = None  # mixed images for each of the subset (10 in the paper); None as above

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        return self.fill(budgets.get("mixed-set", {}))

    def learns_from(self, teacher: Artifact) -> tuple[Artifact, ...]:
        if self.p_gen == 0:
            return ()
        assert self.max_iter and self.per_image, "resolve() comes first"
        recipe = MixedSetRecipe(
            teacher=teacher.recipe,
            sources=self.images,
            alpha=self.alpha,
            cells=self.mask_size,
            sigma=self.blur,
            sparsity=self.sparsity,
            max_updates=self.max_iter,
            tolerance=self.tolerance,
            batch_size=self.batch_size,
            per_image=self.per_image,
        )
        return (Artifact(recipe, teacher.dataset, teacher.samples_per_class, teacher.seed),)

    def prepare(self, task: Task, made: tuple[object, ...]) -> Method:
        if not made:  # p_gen is 0
            return self
        (mixed,) = made
        assert isinstance(mixed, MixedSet)
        if self.per_image and len(mixed.images) < self.per_image * len(task.images):
            warnings.warn(f"the mixed set has only {len(mixed.images)} images", stacklevel=1)
        return Mixed(self, mixed.images.cpu(), mixed.labels.cpu(), task.num_classes)


@dataclass(frozen=True)
class Mixed(Prepared):
    """SuperMix ready for training; images and labels of its mixed set, on the CPU."""

    method: SuperMix
    images: Tensor
    labels: Tensor
    num_classes: int

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        """With probability p_gen, for the whole batch, images of the mixed set in the place of its own."""
        if kept := spared(batch, self.method.p_gen, rng):
            return kept
        assert batch.view is not None
        picked = torch.randint(len(self.images), (len(batch.images),), generator=rng)
        targets = functional.one_hot(self.labels[picked], self.num_classes).float()
        return Batch(batch.view(self.images[picked]), targets)
