"""How latents and their generator are made from a training subset, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from methods.artifacts import Recipe, Tile
from methods.epochs import Epochs
from methods.flops import TRAINED, flops_counted
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

    def flops(self) -> float:
        return TRAINED * _forward_flops(self.size, self.hidden, self.perceptual)


@lru_cache(maxsize=64)
def _forward_flops(size: int, hidden: int, perceptual: Perceptual) -> int:
    """Operations of drawing, classifying and, with VGG, comparing one image."""
    with torch.device("meta"), torch.no_grad(), flops_counted() as counter:
        image = LatentGenerator(size, hidden)(torch.empty(1, LATENT), torch.empty(1, NOISE))
        loop_classifier(size, 10, "published").eval()(image)
        if perceptual == "vgg":
            from torchvision.models import vgg16

            vgg16().features(torch.cat([image, image]))
    return counter.get_total_flops()
