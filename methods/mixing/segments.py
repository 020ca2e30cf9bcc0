"""Segmentations of tensors: once for a whole subset, or batch by batch in processes that work ahead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from datasets.base import Dataset
from methods.flops import Work
from methods.helpers import Helpers
from methods.identity import AsBefore
from methods.mixing.felzenszwalb import segment, segment_all
from methods.mixing.memo import Memo

__all__ = ["Segmentation", "Segmenter", "default_scale", "segment", "segment_batch"]

_REMEMBERED = 2**28  # bytes; all views of 50 images per class at 64 pixels
_PIXEL_SECONDS = 5e-7  # of one core (`make bench`)

Timing = Literal["augmented", "precomputed", "boxes"]


def default_scale(dataset: Dataset) -> int:
    """The papers' scale: 60 on ciFAIR, 400 on STL-10, 1000 on ImageNet (ChimeraMix supplement C.1)."""
    if dataset.image_size <= 64:
        return 60
    return 1000 if dataset.family == "imagenet" else 400


def segment_batch(images: Tensor, scale: int) -> Tensor:
    """Segment ids of each image, B×H×W int16 on the CPU; images B×H×W×3 on any device, else as for `segment`."""
    return torch.from_numpy(segment_all(images.cpu().numpy(), scale))


@dataclass(frozen=True)
class Segmentation:
    """How images are segmented.

    timing: of every augmented image, or once of each image, `precomputed`; or not at all, as their `boxes` are the
    regions, which a task has. native: precomputed at the dataset's size
    for a generator's training too, instead of at the generator's. noise: the share of images whose precomputed
    segmentation is replaced by another image's (HydraMix figure 8).
    """

    timing: Timing
    scale: int
    noise: float = 0.0
    native: Annotated[bool, AsBefore(False)] = False

    def work(self, images: int, size: int) -> Work:
        """What segmenting augmented images of a step asks of a machine."""
        return Work(seconds=images * size**2 * _PIXEL_SECONDS if self.timing == "augmented" else 0.0)

    def precompute(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Segment ids of a subset's images, uint8 N×H×W×3 -> N×H×W int16 on the CPU.

        With noise, the images that get the segmentation of another one (uniform over the others) are drawn once.
        """
        maps = segment_batch(images, self.scale)
        count = len(maps)
        other = (torch.arange(count) + 1 + torch.randint(max(count - 1, 1), (count,), generator=rng)) % count
        replaced = torch.rand(count, generator=rng) < self.noise
        return torch.where(replaced[:, None, None], maps[other], maps)


class Segmenter:
    """Segments batches of images, in `workers` processes ahead of their use where that is not 0.

    What was segmented before is remembered. The segmentations are the same for any number of workers.
    """

    def __init__(self, scale: int, workers: int):
        self.scale, self.workers, self._memo = scale, workers, Memo(_REMEMBERED)
        self._helpers = Helpers(segment_all, workers)

    def submit(self, images: Tensor) -> Callable[[], Tensor]:
        """Begins to segment B×H×W×3 images of the CPU, else as for `segment`; what it returns waits for ids B×H×W."""
        arrays = images.contiguous().numpy()
        known = {place: ids for place, image in enumerate(arrays) if (ids := self._memo.recall(image)) is not None}
        unknown = [place for place in range(len(arrays)) if place not in known]
        answer = self._helpers.submit(arrays[unknown], self.scale) if unknown else list

        def wait() -> Tensor:
            found = dict(zip(unknown, answer(), strict=True))
            for place, ids in found.items():
                self._memo.remember(arrays[place], ids)
            return torch.from_numpy(np.stack([ids for _, ids in sorted((known | found).items())]))

        return wait
