"""What methods and artifacts learn from, and what a method is given at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from methods.precision import autocast
from methods.streams import stream


@dataclass(frozen=True)
class Task:
    """What a method may use to prepare itself: the training subset, never a test image.

    images: uint8 N×H×W×C and labels: N, both on `device`, N = samples_per_class × num_classes; seed: the run's;
    precision: fp32, bf16 or fp16; workers: processes that may work ahead on the CPU, 0 for none; image_names: of the
    images, as `Dataset.describe` has them. regions: where the dataset has boxes, those of each image
    (datasets.boxes.region_map), N×H×W int16 on the CPU; all images are then of one class, of which samples_per_class
    is N.
    """

    images: Tensor
    labels: Tensor
    num_classes: int
    device: torch.device
    seed: int
    samples_per_class: int
    precision: str = "fp32"
    workers: int = 0
    class_names: tuple[str, ...] = ()
    image_names: tuple[str, ...] = ()
    regions: Tensor | None = None

    @cached_property
    def by_class(self) -> Tensor:
        """Positions of the images, N, on the CPU: `samples_per_class` of each class in turn."""
        return self.labels.cpu().argsort(stable=True)

    def stream(self, purpose: str) -> torch.Generator:
        """A CPU generator of the run's seed for one purpose."""
        return stream(self.seed, purpose)

    def autocast(self) -> torch.autocast:
        return autocast(self.precision, self.device)


class Views(NamedTuple):
    """Several views of a batch's classes: images k×B×C×H×W, normalised; maps k×B×H×W where the method has maps."""

    images: Tensor
    maps: Tensor | None


class Batch(NamedTuple):
    """Made on the CPU; what `mix` or `begin` returns may be on the task's device.

    images: normalised floats B×C×H×W; targets: class weights B×num_classes whose rows sum to 1.

    maps: what `Method.maps` gave, cropped and flipped along, B×H×W. partners(k): k images per image of the batch,
    drawn from its class (datasets.batches.draw_partners), through the same stages with draws from the mixing stream.
    picked: the positions of the images in `Task.images`, B. view(images): other uint8 images k×H×W×C
    through the same stages, with draws from the mixing stream.
    """

    images: Tensor
    targets: Tensor
    maps: Tensor | None = None
    partners: Callable[[int], Views] | None = None
    picked: Tensor | None = None
    view: Callable[[Tensor], Tensor] | None = None
