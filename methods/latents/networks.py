"""GLICO's networks: the generators for small and large images, and the classifier in the loop (FIDELITY section 11)."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

LoopForm = Literal["published", "plain"]

LATENT, NOISE = 512, 100  # values of a latent and of the noise beside it
NOISE_DEVIATION = 0.15
_LARGEST_SMALL = 64  # pixels
_FILTERS = 64


class LatentGenerator(nn.Module):
    """Latents B×512 (their length does not matter) and noise B×100 -> images B×3×H×W in [-1, 1].

    Up to 64 pixels the published generator for 32, beyond it the one for 96; both fit any multiple of 8.
    size: H and W; hidden: the width of the first layer.
    """

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.noise = nn.Sequential(nn.Linear(NOISE, NOISE, bias=False), nn.LeakyReLU(0.2))
        channels, side, upwards = _small(size) if size <= _LARGEST_SMALL else _large(size)
        self.code = nn.Sequential(
            nn.Linear(LATENT + NOISE, hidden, bias=False),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, channels * side**2, bias=False),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (channels, side, side)),
        )
        self.upwards = upwards
        self.apply(_initialise)

    def forward(self, latents: Tensor, noise: Tensor) -> Tensor:
        directions = latents / latents.norm(dim=1, keepdim=True).detach()
        return self.upwards(self.code(torch.cat([directions, self.noise(noise)], 1)))


def draw_noise(count: int, rng: torch.Generator) -> Tensor:
    """Noise for `count` images, count×100, on the CPU."""
    return NOISE_DEVIATION * torch.randn(count, NOISE, generator=rng)


def loop_classifier(size: int, num_classes: int, form: LoopForm) -> nn.Sequential:
    """Four blocks of 64 filters, then a linear layer: images B×3×H×W, H at least 16 -> what cross-entropy gets.

    published: as the code of GLICO runs it, LeakyReLU(0.1) after pooling and a softmax before the cross-entropy, which
    takes another; plain: ReLU before pooling, and logits.
    """
    channels = [3, *[_FILTERS] * 4]
    blocks = [layer for i in range(4) for layer in _block(channels[i], channels[i + 1], form)]
    head = [nn.Flatten(), nn.Linear(_FILTERS * (size // 16) ** 2, num_classes)]
    network = nn.Sequential(*blocks, *head, *([nn.Softmax(dim=1)] if form == "published" else []))
    return network.apply(_initialise)


class _ToSymmetric(nn.Module):
    """[0, 1] -> [-1, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        return 2 * images - 1


def _small(size: int) -> tuple[int, int, nn.Sequential]:
    """Channels and side of the first map, and what makes an image of it."""
    layers = [_double(128, 64), nn.LeakyReLU(0.2), _double(64, 3), nn.Sigmoid(), _ToSymmetric()]
    return 128, size // 4, nn.Sequential(*layers)


def _large(size: int) -> tuple[int, int, nn.Sequential]:
    layers: list[nn.Module] = []
    for before, after in ((512, 256), (256, 128), (128, 64)):
        layers += [_double(before, after), nn.BatchNorm2d(after), nn.ReLU()]
    return 512, size // 8, nn.Sequential(*layers, nn.Conv2d(64, 3, 3, padding=1), nn.Tanh())


def _double(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)


def _block(before: int, after: int, form: LoopForm) -> list[nn.Module]:
    filters = [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)]
    if form == "published":  # its LeakyReLU(True) before the pooling has a slope of 1: it does nothing
        return [*filters, nn.MaxPool2d(2), nn.LeakyReLU(0.1)]
    return [*filters, nn.ReLU(), nn.MaxPool2d(2)]


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_normal_(layer.weight, gain=math.sqrt(2))
