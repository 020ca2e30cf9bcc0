"""How a generator is made from a training subset, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from methods.artifacts import Recipe, Tile
from methods.epochs import Epochs
from methods.flops import Work, count
from methods.identity import hashed_fields
from methods.mixing.composer import mix_images
from methods.mixing.masks import mix_features
from methods.mixing.networks import Discriminator, Generator
from methods.mixing.rules import Rule
from methods.mixing.segments import Segmentation
from methods.mixing.training import GeneratorTraining
from methods.task import Task

Stride = Literal[1, 2]
Strides = tuple[Stride, Stride, Stride, Stride]


@dataclass(frozen=True)
class GeneratorRecipe(Epochs, Recipe):
    """What alone determines a generator, besides the subset and the seed: nothing of the classifier is in it.

    size: pixels of the images in training; encoder_blocks, decoder_blocks, active: see networks.Generator;
    segments: None where the mask needs no segmentations. The other fields are explained in family.Generated.
    title: by what people know it, in no key.
    """

    name = "generator"

    size: int
    width: int
    encoder_blocks: int
    decoder_blocks: int
    active: bool
    strides: Strides
    epochs: int
    batch_size: int
    images_per_class: int
    learning_rate: float
    weight_decay: float
    d_fakes: Literal["reuse", "fresh"]
    reconstruction: Literal["sum", "mean"]
    mask: Rule
    segments: Segmentation | None
    title: str = field(default=name, compare=False)

    def network(self) -> Generator:
        """A fresh generator, with weights from torch's global stream."""
        blocks = self.encoder_blocks + self.decoder_blocks
        return Generator(active=self.active, blocks=blocks, mix_after=self.encoder_blocks, width=self.width)

    def start(self, task: Task, made: tuple[object, ...]) -> GeneratorTraining:
        return GeneratorTraining(self, task)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> Generator:
        with torch.device("meta"):  # so that no random weights are drawn
            generator = self.network()
        generator.load_state_dict(tensors, assign=True)
        generator.eval().requires_grad_(False)
        return generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def picture(self, made: object, task: Task) -> list[list[Tile]]:
        from methods.mixing.pictures import compositions

        assert isinstance(made, Generator)
        return compositions(self, made, task)

    def images(self, samples_per_class: int, num_classes: int) -> int:
        """Source images: of each sample as many as are mixed."""
        return super().images(samples_per_class, num_classes) * self.mask.sources

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        each = Work() if self.segments is None else self.segments.work(len(self.mask.segmented), self.size)
        step = _step(replace(self, epochs=1)) + each * self.batch_size
        return step * self.steps(samples_per_class, num_classes)

    def mixing_work(self, size: int, images: int) -> Work:
        """What mixing so many images of size×size pixels asks of a machine once the generator is trained."""
        return _mixing(replace(self, epochs=1, size=size, batch_size=images))

    @property
    def identity(self) -> dict[str, object]:
        identity = super().identity
        segments = self.segments and hashed_fields(Segmentation, vars(self.segments))
        plain = {"strides": list(self.strides), "mask": self.mask.identity, "segments": segments}
        return {**identity, "parameters": {**identity["parameters"], **plain}}  # type: ignore[dict-item]


@lru_cache(maxsize=64)
def _step(recipe: GeneratorRecipe) -> Work:
    """The networks of one step, forward and backward."""

    def step(generator: Generator, discriminator: Discriminator) -> None:
        images, mask = _batch(recipe)
        features = generator.encode(images.flatten(0, 1))
        mixed = mix_features(features.unflatten(0, images.shape[:2]).unbind(0), mask)
        generated = generator.decode(torch.cat([features, mixed]))
        fakes = generated[-len(mask) :]
        (generated.sum() + discriminator.requires_grad_(False)(fakes).sum()).backward()
        if recipe.d_fakes == "fresh":
            _mix(generator, images, mask)
        discriminator.requires_grad_(True)(torch.cat([images[0], fakes.detach()])).sum().backward()

    return count(
        step,
        lambda: recipe.network().bfloat16(),
        lambda: Discriminator(recipe.width, strides=recipe.strides).bfloat16(),
    )


@lru_cache(maxsize=64)
def _mixing(recipe: GeneratorRecipe) -> Work:
    """A batch mixed by the generator."""
    return count(lambda generator: _mix(generator, *_batch(recipe)), lambda: recipe.network().bfloat16())


def _mix(generator: Generator, images: Tensor, mask: Tensor) -> Tensor:
    with torch.no_grad():
        return mix_images(generator, images, mask)


def _batch(recipe: GeneratorRecipe) -> tuple[Tensor, Tensor]:
    """Images and mask of a step, empty."""
    side, samples = recipe.size, recipe.batch_size
    images = torch.empty(recipe.mask.sources, samples, 3, side, side, dtype=torch.bfloat16)
    return images, torch.empty(samples, side // 4, side // 4, dtype=torch.long)
