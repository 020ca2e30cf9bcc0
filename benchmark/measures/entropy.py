"""CLIP Synset Entropy: over how many kinds of its class a set of images spreads (HydraMix, section 4.5)."""

import torch
from torch import Tensor
from torch.nn import functional

TAU = 1 / 100
"""The papers' temperature (HydraMix, section 4.10)."""


def synset_probabilities(images: Tensor, synsets: Tensor, tau: float = TAU) -> Tensor:
    """How much each image of a class looks like each of its synsets: N×M, rows sum to 1, float64.

    images: features N×D; synsets: features M×D of their texts, of any lengths: cosines count (equations 7 and 8).
    """
    cosines = functional.normalize(images.double(), dim=1) @ functional.normalize(synsets.double(), dim=1).T
    return (cosines / tau).softmax(dim=1)


def synset_entropy(probabilities: Tensor) -> float:
    """CSE_i of a class in nats, from 0 to ln M, given N×M of `synset_probabilities` (equation 9)."""
    return float(torch.special.entr(probabilities.mean(dim=0)).sum())
