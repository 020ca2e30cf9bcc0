"""Random crops at another size, for whole batches on the device: each a product with two matrices of weights."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_TRIES = 10
_LONGEST = 4 / 3  # side against the other


@dataclass(frozen=True)
class Boxes:
    """A part of each of N square images. sides: top, left, height and width in pixels, 4×N; flipped: left to right,
    N booleans."""

    sides: Tensor
    flipped: Tensor

    @classmethod
    def draw(cls, count: int, size: int, scale: tuple[float, float], rng: torch.Generator) -> "Boxes":
        """As torchvision's RandomResizedCrop draws them, and a coin for the flip.

        scale: least and largest share of the image's area. After ten boxes that do not fit, the whole image.
        """
        low, high = scale
        area = size**2 * (low + (high - low) * torch.rand(count, _TRIES, generator=rng))
        ratio = ((2 * torch.rand(count, _TRIES, generator=rng) - 1) * math.log(_LONGEST)).exp()
        heights, widths = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
        fits = (heights.clamp(min=1) <= size) & (widths.clamp(min=1) <= size)
        first = fits.int().argmax(1, keepdim=True)
        sides = torch.stack([heights, widths]).gather(2, first.expand(2, -1, -1)).squeeze(2).clamp(min=1)
        sides = torch.where(fits.any(1), sides, float(size))
        starts = (torch.rand(2, count, generator=rng) * (size - sides + 1)).floor()
        return cls(torch.cat([starts, sides]), torch.rand(count, generator=rng) < 0.5)

    def of(self, images: Tensor, size: int) -> Tensor:
        """The boxes of N×C×H×H images on their device at size×size: bicubic with antialiasing, clamped to [0, 1]."""
        top, left, height, width = self.sides[:, :, None, None]
        rows = _weights(top, height, images.shape[2], size)
        columns = _weights(left, width, images.shape[3], size)
        columns = torch.where(self.flipped[:, None, None], columns.flip(1), columns)
        return (rows[:, None] @ images @ columns.transpose(1, 2)[:, None]).clamp(0, 1)


def _weights(start: Tensor, length: Tensor, source: int, size: int) -> Tensor:
    """What each of `source` pixels gives to each of `size`, N×size×source, when [start, start + length) is resized.

    start, length: N×1×1. Like torch's and PIL's, no weight reaches over the edge of the box.
    """
    scale = length / size
    centres = (torch.arange(size, device=start.device)[:, None] + 0.5) * scale
    places = torch.arange(source, device=start.device) - start
    weights = _bicubic((places + 0.5 - centres) / scale.clamp(min=1))
    weights = torch.where((places >= 0) & (places < length), weights, 0.0)
    return weights / weights.sum(2, keepdim=True)


def _bicubic(distance: Tensor) -> Tensor:
    """Keys' kernel with a = -0.5, zero from a distance of 2 on."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
