"""How a generator is made from a training subset, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from methods.artifacts import Recipe, Tile
from methods.epochs import Epochs
from methods.flops import flops_counted
from methods.identity import hashed_fields
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

    def flops(self) -> float:
        """Per source image, by the operations that a step does."""
        encode, decode, judge = _forward_flops(replace(self, epochs=1))
        n = self.mask.sources
        # three times forward where weights learn, twice where gradients only pass through
        sample = 3 * (n * encode + (n + 1) * decode) + 2 * judge + 3 * 2 * judge
        if self.d_fakes == "fresh":
            sample += n * encode + decode
        return sample / n

    @property
    def identity(self) -> dict[str, object]:
        identity = super().identity
        segments = self.segments and hashed_fields(Segmentation, vars(self.segments))
        plain = {"strides": list(self.strides), "mask": self.mask.identity, "segments": segments}
        return {**identity, "parameters": {**identity["parameters"], **plain}}  # type: ignore[dict-item]


@lru_cache(maxsize=64)
def _forward_flops(recipe: GeneratorRecipe) -> tuple[int, int, int]:
    """Operations of encoding, decoding and judging one image."""
    with torch.device("meta"):
        generator, discriminator = recipe.network(), Discriminator(recipe.width, strides=recipe.strides)
        images = torch.empty(1, 3, recipe.size, recipe.size)
    counts = []
    value = images
    for work in (generator.encode, generator.decode, discriminator):
        with torch.no_grad(), flops_counted() as counter:
            value = work(value)
        counts.append(counter.get_total_flops())
    return counts[0], counts[1], counts[2]
