"""How latents and their generator are made from a training subset, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from methods.artifacts import Recipe, Tile
from methods.epochs import Epochs
from methods.flops import Work, count
from methods.identity import AsBefore
from methods.latents.fitting import Fitting
from methods.latents.networks import LATENT, NOISE, LatentGenerator, LoopForm, loop_classifier
from methods.latents.perceptual import Perceptual
from methods.task import Task


class Fitted(NamedTuple):
    """latents: one row of 512 per image of the subset, of length 1, in the subset's order."""

    latents: Tensor
    generator: LatentGenerator


@dataclass(frozen=True)
class LatentRecipe(Epochs, Recipe):
    """What alone determines latents and generator, besides the subset and the seed.

    size: pixels; an epoch shows every image max(images_per_class // samples_per_class, 1) times. The other fields
    are explained in glico.Glico.
    """

    name = "latents"
    version = 2

    size: int
    hidden: int
    epochs: int
    batch_size: int
    images_per_class: int
    learning_rate: float
    latent_rate: float
    gamma: float
    perceptual: Perceptual
    reset_optimisers: bool
    loop_classifier: Annotated[LoopForm, AsBefore("published")] = "published"

    @property
    def title(self) -> str:
        return "glico generator"

    def network(self) -> LatentGenerator:
        """A fresh generator, with weights from torch's global stream."""
        return LatentGenerator(self.size, self.hidden)

    def start(self, task: Task, made: tuple[object, ...]) -> Fitting:
        return Fitting(self, task)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> Fitted:
        weights = dict(tensors)
        latents = weights.pop("latents").to(device)
        with torch.device("meta"):  # so that no random weights are drawn
            generator = self.network()
        generator.load_state_dict(weights, assign=True)
        generator.eval().requires_grad_(False)
        return Fitted(latents, generator.to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]

    def picture(self, made: object, task: Task) -> list[list[Tile]]:
        from methods.latents.pictures import interpolations

        assert isinstance(made, Fitted)
        return interpolations(made, task)

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        step = _step(self.size, self.hidden, self.perceptual, self.batch_size)
        return step * self.steps(samples_per_class, num_classes)


@lru_cache(maxsize=64)
def _step(size: int, hidden: int, perceptual: Perceptual, batch: int) -> Work:
    """Drawing, classifying and, with VGG, comparing a batch, forward and backward."""

    def step(generator: nn.Module, classifier: nn.Module, features: nn.Module | None) -> None:
        images = generator(torch.empty(batch, LATENT, requires_grad=True), torch.empty(batch, NOISE))
        losses = classifier(images).sum()
        if features is not None:
            losses = losses + features(torch.cat([images, images.detach()])).sum()
        losses.backward()

    def features() -> nn.Module | None:
        if perceptual == "lap":
            return None
        from torchvision.models import vgg16

        return vgg16().features.requires_grad_(False)

    return count(
        step, partial(LatentGenerator, size, hidden), partial(loop_classifier, size, 10, "published"), features
    )
