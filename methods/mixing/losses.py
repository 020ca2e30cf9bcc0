"""The terms of the generator's and the discriminator's loss (FIDELITY sections 8 and 9).

All are computed in float32 also under autocast, where ChimeraMix's code runs in half precision.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

_TAPS = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a training may be the next to ask
def _binomial(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The blur's kernel, 5×5, exact in every floating type."""
    return (torch.outer(_TAPS, _TAPS) / 256).to(device, dtype)


def reconstruction_loss(generated: Tensor, images: Tensor) -> Tensor:
    """Mean squared error (a scalar) of two batches B×3×H×W (HydraMix equation 3; ChimeraMix equation 2).

    ChimeraMix adds this up over its two images, HydraMix takes the mean over its N.
    """
    return functional.mse_loss(generated.float(), images.float())


def laplacian_loss(generated: Tensor, images: Tensor, levels: int = 3) -> Tensor:
    """Sum over levels of the mean absolute difference of two batches' Laplacian pyramids (HydraMix equation 5).

    Two batches B×C×H×W -> a scalar; what the pyramid leaves over, the smallest blurred image, is not
    compared, as in ChimeraMix's code. levels: 3 in that code, not stated in the papers.
    """
    with torch.autocast(generated.device.type, enabled=False):
        # the pyramid is linear: one of the difference serves for the difference of two
        pyramid = laplacian_pyramid(generated.float() - images.float(), levels)
        return torch.stack([level.abs().mean() for level in pyramid]).sum()


def laplacian_pyramid(images: Tensor, levels: int = 3) -> list[Tensor]:
    """At each level the image less its blurred, halved and doubled self (HydraMix equation 4).

    Images B×C×H×W -> `levels` tensors B×C×(H/2^l)×(W/2^l), l = 0, 1, ...; H and W are multiples of 2^levels
    and at least 2^(levels + 1). Halving blurs and takes every second pixel, doubling sets zeros between
    pixels and blurs with four times the kernel; both reflect at the border (FIDELITY section 8).
    """
    kernel = _binomial(images.dtype, images.device).expand(images.shape[1], 1, -1, -1)
    pyramid = []
    for _ in range(levels):
        halved = _blur(images, kernel, stride=2)
        pyramid.append(images - _blur(_spread(halved), 4 * kernel))
        images = halved
    return pyramid


def adversarial_loss(generated: Tensor) -> Tensor:
    """The generator's least-squares term (a scalar), given the discriminator's output B×1×h×w for generated images."""
    return (generated.float() - 1).square().mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """The discriminator's least-squares loss (a scalar), given its outputs B×1×h×w for real and generated images.

    The sum of the two means, not half of it (FIDELITY section 8).
    """
    return (real.float() - 1).square().mean() + generated.float().square().mean()


def _blur(images: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    padded = functional.pad(images, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, kernel, stride=stride, groups=images.shape[1])


def _spread(images: Tensor) -> Tensor:
    """Twice the size, B×C×2H×2W: the pixels at even places, zeros elsewhere."""
    count, channels, height, width = images.shape
    spread = images.new_zeros(count, channels, 2 * height, 2 * width)
    spread[..., ::2, ::2] = images
    return spread
