from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from datasets.batches import send
from methods.base import Method
from methods.registry import register

_TRIES = 100


@register("random-erasing", label="Random Erasing", source="Zhong et al., 2020")
@dataclass(frozen=True)
class RandomErasing(Method):
    """Fills one rectangle with uniform noise, in [0, 1] before normalisation (FIDELITY section 4).

    probability: share of images that are erased; smallest, largest: area of the rectangle as a share of
    the image; aspect: its height over width is uniform in [aspect, 1 / aspect]. The first of 100 draws that
    fits inside the image is taken; where none does, the image stays whole.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    smallest: Annotated[float, Field(gt=0, lt=1)] = 0.02
    largest: Annotated[float, Field(gt=0, lt=1)] = 0.4
    aspect: Annotated[float, Field(gt=0, le=1)] = 0.3

    def erase(self, images: Tensor, rng: torch.Generator) -> Tensor:
        count, channels, height, width = images.shape
        erased = torch.rand(count, generator=rng) < self.probability
        h, w = self._sizes(count, height, width, rng)
        top = (torch.rand(count, generator=rng) * (height - h + 1)).long()
        left = (torch.rand(count, generator=rng) * (width - w + 1)).long()
        noise = torch.rand(count, height, width, channels, generator=rng).permute(0, 3, 1, 2)
        rows, columns = _within(top, h, height), _within(left, w, width)
        hole = (rows[:, :, None] & columns[:, None, :] & erased[:, None, None])[:, None]
        hole, noise = send(images.device, hole, noise)
        return torch.where(hole, noise, images)

    def _sizes(self, count: int, height: int, width: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Height and width of a rectangle per image (count integers each); 0 where no draw fits."""
        draws = torch.rand(2, count, _TRIES, generator=rng)
        area = (self.smallest + draws[0] * (self.largest - self.smallest)) * height * width
        ratio = self.aspect + draws[1] * (1 / self.aspect - self.aspect)
        h, w = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
        fits = (h < height) & (w < width)
        first = fits.int().argmax(dim=1, keepdim=True)
        any_fits = fits.any(dim=1)
        return h.gather(1, first)[:, 0] * any_fits, w.gather(1, first)[:, 0] * any_fits


def _within(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Which of `size` positions lie in [start, start + length): B×size booleans."""
    position = torch.arange(size)
    return (position >= start[:, None]) & (position < (start + length)[:, None])
