"""How a diffused set is made from a training subset, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.artifacts import Recipe, Tile
from methods.diffusion.building import DiffusedSet, DiffusedSetBuilding
from methods.diffusion.origins import ReadyImages, require_origin
from methods.flops import Work
from methods.task import Task

_GUIDED = 3  # passes of the network in each step: with text and image, with the image alone, with neither
_PASS = 1.8e11  # FLOPs of one at 256 pixels, counted by torch


@dataclass(frozen=True)
class DiffusedSetRecipe(Recipe):
    """What alone determines a diffused set, besides the subset and the seed.

    origin: what generates the images, by content (methods/diffusion/origins.py). The other fields are explained in
    diffusemix.DiffuseMix; of ready images all but `fractal` say nothing.
    """

    name = "diffused-set"

    origin: str
    fractal: float
    per_image: int
    steps: int
    resolution: int
    guidance: float
    image_guidance: float

    @property
    def title(self) -> str:
        return "diffusemix set"

    def start(self, task: Task, made: tuple[object, ...]) -> DiffusedSetBuilding:
        from methods.diffusion.pipeline import Diffusion
        from methods.diffusion.ready import Ready

        origin = require_origin(self.origin)
        images = Ready(origin, task) if isinstance(origin, ReadyImages) else Diffusion(self, origin, task)
        return DiffusedSetBuilding(self, task, images)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> DiffusedSet:
        return DiffusedSet(*(tensors[name].to(device) for name in DiffusedSet._fields))

    def picture(self, made: object, task: Task) -> list[list[Tile]]:
        from methods.diffusion.pictures import mixtures

        assert isinstance(made, DiffusedSet)
        return mixtures(made, task)

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.per_image * samples_per_class * num_classes

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        """Reading a generated image is taken to cost as much as nothing."""
        each = 0.0 if self.origin.startswith("images@") else _GUIDED * _PASS * self.steps * (self.resolution / 256) ** 2
        return Work(flops=each * self.images(samples_per_class, num_classes))
