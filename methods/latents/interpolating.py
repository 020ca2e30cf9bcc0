"""GLICO ready for training: draws new images between two of one class."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from methods.compose import Prepared
from methods.latents.networks import draw_noise
from methods.latents.slerp import slerp
from methods.task import Batch, Task

if TYPE_CHECKING:
    from methods.glico import Glico
    from methods.latents.recipe import Fitted

SHARES = (0.1, 0.2, 0.3, 0.4)  # of the way to the neighbour


class Neighbours:
    """Draws for images of a subset others of their class, uniformly; an image alone in its class gets itself."""

    def __init__(self, task: Task):
        self.each, self.labels = task.samples_per_class, task.labels.cpu()
        self.by_class = task.by_class
        self.place = torch.empty_like(self.by_class)  # of an image among those of its class
        self.place[self.by_class] = torch.arange(len(self.labels)) % self.each

    def draw(self, picked: Tensor, rng: torch.Generator) -> Tensor:
        """Positions B -> positions B, both on the CPU."""
        away = torch.randint(1, max(self.each, 2), picked.shape, generator=rng)
        return self.by_class[self.labels[picked] * self.each + (self.place[picked] + away) % self.each]


@dataclass(frozen=True)
class Interpolating(Prepared):
    """A prepared method."""

    method: "Glico"
    task: Task
    fitted: "Fitted"
    neighbours: Neighbours

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        """With probability p_gen, for the whole batch, drawn images in the place of its images."""
        if float(torch.rand((), generator=rng)) >= self.method.p_gen:
            return Batch(batch.images, batch.targets)
        assert batch.picked is not None
        return Batch(self.draw(batch.picked, rng), batch.targets)

    def draw(self, picked: Tensor, rng: torch.Generator) -> Tensor:
        """New images B×3×H×W in [-1, 1], each between one at `picked` and a neighbour, for all at the same share."""
        neighbours = self.neighbours.draw(picked, rng)
        share = SHARES[int(torch.randint(len(SHARES), (), generator=rng))]
        noise = draw_noise(len(picked), rng, self.task.device)
        first, second = (self.fitted.latents[at.to(self.task.device)] for at in (picked, neighbours))
        with torch.no_grad(), self.task.autocast():
            drawn = self.fitted.generator(slerp(first, second, share, self.method.slerp), noise)
        return drawn.float().contiguous(memory_format=torch.channels_last)
