"""Between which images of a class new ones are drawn, and how far along."""

import torch
from torch import Tensor

from methods.task import Task

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
