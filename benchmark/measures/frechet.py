"""How far two sets of features are apart: Fréchet distance (FID) and kernel distance (KID), in float64."""

from typing import NamedTuple

import torch
from torch import Tensor

_ROWS = 1024  # features at a time, so that 50,000 images need no float64 copy


class Moments(NamedTuple):
    """Mean D and covariance D×D of features, float64."""

    mean: Tensor
    covariance: Tensor


def moments(features: Tensor) -> Moments:
    """Of features N×D, N at least 2; the covariance divides by N - 1."""
    mean = features.double().mean(0)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=features.device)
    for rows in features.split(_ROWS):
        centred = rows.double() - mean
        covariance += centred.T @ centred
    return Moments(mean, covariance / (len(features) - 1))


def frechet_distance(first: Moments, second: Moments) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), at least 0 but for rounding (Heusel et al., 2017).

    The trace of the root is the sum of the roots of C1^½ C2 C1^½'s eigenvalues, all of which are real: of fewer
    images than features, where most of them are 0, it needs no offset and has no imaginary part.
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp(min=0).sqrt().sum()
    distance = (first.mean - second.mean).square().sum() - 2 * shared
    return float(distance + first.covariance.trace() + second.covariance.trace())


def kernel_distance(first: Tensor, second: Tensor, most: int = 10_000) -> float:
    """Unbiased squared MMD of features N×D and M×D under the kernel (x·y / D + 1)³ (Bińkowski et al., 2018).

    All pairs enter it, where the authors average over random subsets of 1,000; of more than `most` rows of a set,
    `most` at even distances. Sets of one distribution have mean 0, so it can be negative; often given times 1000.
    """
    first, second = _thinned(first, most), _thinned(second, most)
    across = _kernel_sum(first, second) / (len(first) * len(second))
    return _mean_of_pairs(first) + _mean_of_pairs(second) - 2 * across


def _thinned(features: Tensor, most: int) -> Tensor:
    if len(features) <= most:
        return features
    return features[torch.arange(most, device=features.device) * len(features) // most]


def _mean_of_pairs(features: Tensor) -> float:
    """Mean kernel of all pairs of two different rows."""
    same = float((features.double().square().mean(1) + 1).pow(3).sum())
    return (_kernel_sum(features, features) - same) / (len(features) * (len(features) - 1))


def _kernel_sum(first: Tensor, second: Tensor) -> float:
    transposed = second.double().T / second.shape[1]
    return float(torch.stack([(rows.double() @ transposed + 1).pow_(3).sum() for rows in first.split(_ROWS)]).sum())
