"""DINO's changes of colour, for whole batches on the device: jitter, grey, blur, solarisation."""

from dataclasses import dataclass

import torch
from torch import Tensor

_JITTERED, _GREY, _SOLARISED = 0.8, 0.2, 0.2  # probabilities
_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = 0.4, 0.4, 0.2, 0.1
_LEAST_BLUR, _MOST_BLUR = 0.1, 2.0  # standard deviations in pixels
_NO_BLUR = 0.01
_GREY_WEIGHTS = (0.2989, 0.587, 0.114)  # torchvision's


@dataclass(frozen=True)
class Colours:
    """The changes of N images. numbers: factors of brightness, contrast and saturation, shift of hue in turns, what is
    left of colour (0 or 1), blur in pixels and whether solarised (0 or 1), 7×N; order: of the first four."""

    numbers: Tensor
    order: tuple[int, ...]

    @classmethod
    def draw(cls, blurred: Tensor, solarised: Tensor, rng: torch.Generator) -> "Colours":
        """blurred, solarised: which images may be, as probabilities, N each on the CPU.

        As torchvision's ColorJitter draws them, but for one order of all images.
        """
        count = len(blurred)
        spans = torch.tensor([_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE])[:, None]
        jitter = (2 * torch.rand(4, count, generator=rng) - 1) * spans
        jitter *= torch.rand(count, generator=rng) < _JITTERED
        jitter[:3] += 1
        coins = torch.rand(3, count, generator=rng)
        blur = _LEAST_BLUR + (_MOST_BLUR - _LEAST_BLUR) * torch.rand(count, generator=rng)
        blur = torch.where(coins[0] < blurred, blur, _NO_BLUR)
        rest = torch.stack([(coins[1] >= _GREY).float(), blur, (coins[2] < solarised).float()])
        return cls(torch.cat([jitter, rest]), tuple(torch.randperm(4, generator=rng).tolist()))

    def of(self, images: Tensor) -> Tensor:
        """N×3×S×S images in [0, 1], on the device of the numbers, so changed."""
        numbers = self.numbers[:, :, None, None, None]
        for number in self.order:
            images = _JITTERS[number](images, numbers[number])
        images = saturate(images, numbers[4])
        images = blur(images, numbers[5])
        return torch.where((numbers[6] > 0) & (images >= 0.5), 1 - images, images)


def brighten(images: Tensor, factors: Tensor) -> Tensor:
    return (images * factors).clamp(0, 1)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Away from the mean of all pixels' greys."""
    return torch.lerp(_greys(images).mean((2, 3), keepdim=True), images, factors).clamp(0, 1)


def saturate(images: Tensor, factors: Tensor) -> Tensor:
    """Away from each pixel's grey."""
    return torch.lerp(_greys(images), images, factors).clamp(0, 1)


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Round the circle of colours, at each pixel's own value and saturation."""
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    span = value - least
    safe = torch.where(span > 0, span, 1.0)
    hue = torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    hue = torch.where(value == red, (green - blue) / safe, hue) + 6 * turns[:, 0]
    places = [(hue + start).remainder(6) for start in (5, 3, 1)]
    return torch.stack([value - span * torch.minimum(place, 4 - place).clamp(0, 1) for place in places], 1)


def blur(images: Tensor, deviations: Tensor) -> Tensor:
    """By Gaussians of standard deviations N×1×1×1 in pixels, which end at the border."""
    line = torch.arange(images.shape[-1], device=images.device)
    weights = (-((line - line[:, None]) ** 2) / (2 * deviations**2)).exp()
    weights = weights / weights.sum(3, keepdim=True)
    return weights @ images @ weights.transpose(2, 3)


def _greys(images: Tensor) -> Tensor:
    red, green, blue = (weight * channel for weight, channel in zip(_GREY_WEIGHTS, images.split(1, 1), strict=True))
    return red + green + blue


_JITTERS = (brighten, contrast, saturate, turn_hue)
