"""Spherical interpolation of latents."""

from typing import Literal

import torch
from torch import Tensor

Axis = Literal["per_sample", "published"]

_PARALLEL = 1e-4  # the sine of an angle below which float32 leaves nothing of the arc


def slerp(first: Tensor, second: Tensor, share: float, axis: Axis = "per_sample") -> Tensor:
    """The points at `share` (0 to 1) of the arcs from the rows of `first` to those of `second`, both B×D.

    Equal, parallel and opposite vectors, between which there is no one arc, are interpolated linearly. axis: the
    published code takes its angles over the batch, one for each of the D coordinates (FIDELITY fact 11).
    """
    if axis == "published":
        return slerp(first.T, second.T, share).T
    cosine = torch.cosine_similarity(first, second, dim=1).clamp(-1, 1)[:, None]
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    arc = (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / sine.clamp_min(_PARALLEL)
    return torch.where(sine > _PARALLEL, arc, torch.lerp(first, second, share))
