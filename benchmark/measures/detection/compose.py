"""Boxes of a composed image: those of which enough is seen, as far as they are seen (HydraMix section 4.7)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from datasets.instances import BoxedImage
from methods.mixing.masks import nearest

_SEEN = 0.5  # the share of a box from which on it counts; ours, the paper says nothing


class Targets(NamedTuple):
    """Boxes to learn. corners: n×4 in [0, 1] of the image's width and height; labels: n from 0."""

    corners: np.ndarray
    labels: np.ndarray

    def flipped(self) -> "Targets":
        """Those of the image turned left to right."""
        left, top, right, bottom = self.corners.T
        return Targets(np.stack([1 - right, top, 1 - left, bottom], 1), self.labels)


def composed_targets(sources: list[Targets], mask: Tensor, size: int) -> Targets:
    """The boxes of an image that is composed of several: of image i where the mask T×T has the value i.

    size: pixels of the side at which that is looked at. A box of which less than half is seen is left out.
    """
    winner = nearest(mask, size).numpy()
    seen = [_seen(targets, winner == number) for number, targets in enumerate(sources)]
    return Targets(*(np.concatenate(values) for values in zip(*seen, strict=True)))


def _seen(targets: Targets, own: np.ndarray) -> Targets:
    trimmed = [_trim(corners, own) for corners in targets.corners]
    kept = np.array([corners is not None for corners in trimmed], bool)
    corners = [corners for corners in trimmed if corners is not None]
    return Targets(np.array(corners, np.float32).reshape(-1, 4), targets.labels[kept])


def _trim(corners: np.ndarray, own: np.ndarray) -> np.ndarray | None:
    """A box brought down to what is seen of it, in places that are its image's own; None where that is too little."""
    size = len(own)
    (left, top), (right, bottom) = np.floor(corners[:2] * size).astype(int), np.ceil(corners[2:] * size).astype(int)
    part = own[top:bottom, left:right]
    if not part.size or part.mean() < _SEEN:
        return None
    rows, columns = (np.flatnonzero(part.any(axis)) for axis in (1, 0))
    first = np.array([left + columns[0], top + rows[0]]) / size
    last = np.array([left + columns[-1] + 1, top + rows[-1] + 1]) / size
    return np.concatenate([np.maximum(corners[:2], first), np.minimum(corners[2:], last)])


def as_tensors(targets: Targets, image: BoxedImage) -> tuple[Tensor, Tensor]:
    """Boxes and labels of an image as torchvision takes them: corners in pixels, labels from 1."""
    corners = targets.corners * np.array([image.width, image.height] * 2, np.float32)
    return torch.from_numpy(corners.astype(np.float32)), torch.from_numpy(targets.labels + 1)
