"""Masks that keep of several images what a teacher knows them by (FIDELITY section 12).

All functions treat the samples of a batch each by itself.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

_SHORTEST, _LONGEST = 1e-4, 2000.0  # steps
_REACH = 2  # the blur has 5 taps
_LEAST = 1e-30


def raise_masks(logits: Tensor, size: int) -> Tensor:
    """Masks B×K×H×W that sum to 1 over the K images, of logits B×K×w×w; size: H and W."""
    raised = functional.interpolate(logits, size=(size, size), mode="bilinear", align_corners=False)
    masks = raised.sigmoid()
    return masks / masks.sum(1, keepdim=True)


def blend(images: Tensor, masks: Tensor) -> Tensor:
    """Images B×K×C×H×W and masks B×K×H×W -> mixed images B×C×H×W."""
    return (images * masks[:, :, None]).sum(1)


def divergence(targets: Tensor, scores: Tensor) -> Tensor:
    """KL(target || softmax of a teacher's scores), both B×C -> B."""
    return functional.kl_div(scores.log_softmax(1), targets, reduction="none").sum(1)


def indecision(masks: Tensor) -> Tensor:
    """How far masks B×K×H×W are from 0 and 1 -> B: the mean of |m (m - 1)|, at most 1/4."""
    return (masks * (masks - 1)).abs().mean((1, 2, 3))


def blur(gradients: Tensor, sigma: float) -> Tensor:
    """Gradients B×K×w×w blurred by a Gaussian of 5×5 taps, sigma in cells; zeros lie around them."""
    kernel = _gaussian(sigma, gradients.dtype, gradients.device).expand(gradients.shape[1], 1, -1, -1)
    return functional.conv2d(gradients, kernel, padding=_REACH, groups=gradients.shape[1])


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a training may be the next to ask
def _gaussian(sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    taps = torch.tensor([math.exp(-((i / sigma) ** 2) / 2) for i in range(-_REACH, _REACH + 1)])
    kernel = torch.outer(taps, taps).to(dtype)
    return (kernel / kernel.sum()).to(device)


def descend(logits: Tensor, gradients: Tensor, losses: Tensor, sigma: float) -> Tensor:
    """Logits B×K×w×w one step further: along the blurred gradient, as far as would bring a linear loss (B) to 0."""
    blurred = blur(gradients, sigma)
    slopes = (gradients * blurred).sum((1, 2, 3))
    lengths = losses / slopes.where(slopes != 0, _LEAST)
    return logits - lengths.clamp(_SHORTEST, _LONGEST)[:, None, None, None] * blurred


def reached(scores: Tensor, wanted: Tensor) -> Tensor:
    """Whether the classes of highest score (scores: B×C) are those wanted (bool B×C), as many as those are -> B."""
    least = scores.masked_fill(~wanted, math.inf).amin(1)
    return least > scores.masked_fill(wanted, -math.inf).amax(1)
