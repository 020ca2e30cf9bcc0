"""Ready images: of a folder with a manifest, each for one image of the subset."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datasets.images import open_rgb
from datasets.registry import BadInput
from methods.diffusion.origins import MANIFEST, ReadyImage, ReadyImages
from methods.task import Task

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


class Generated(NamedTuple):
    """An image made from one of the subset, uint8 H×W×3 of the subset's size on the CPU, and by what prompt."""

    image: Tensor
    prompt: str


class Ready:
    """A folder's images for a subset; raises BadInput where one is missing or of another class."""

    def __init__(self, origin: ReadyImages, task: Task):
        self.size = task.images.shape[1]
        by_source: dict[str, list[ReadyImage]] = {}
        for image in origin.images:
            by_source.setdefault(image.source, []).append(image)
        if absent := [name for name in task.image_names if name not in by_source]:
            raise BadInput(f"{MANIFEST} has no image whose source is '{absent[0]}', nor of {len(absent) - 1} more")
        self.images = [by_source[name] for name in task.image_names]
        for label, images in zip(task.labels.cpu().tolist(), self.images, strict=True):
            _require_class(task.class_names[label], images)

    def generate(self, position: int) -> list[Generated]:
        """What there is for the subset's image at a position."""
        return [Generated(self._read(image), image.prompt) for image in self.images[position]]

    def _read(self, image: ReadyImage) -> Tensor:
        picture = open_rgb(image.read(), image.file).rgb
        if picture.width != picture.height or picture.width < self.size:
            shape = f"{picture.width}×{picture.height}"
            raise BadInput(f"{image.where}: {image.file.name} is {shape}, not square and of {self.size} pixels or more")
        return shrink(picture, self.size)


def shrink(picture: "PilImage", size: int) -> Tensor:
    """uint8 size×size×3 of a square RGB picture, as `folder:` brings its images to one size."""
    from PIL.Image import Resampling

    return torch.from_numpy(np.array(picture.resize((size, size), Resampling.BILINEAR)))


def _require_class(name: str, images: list[ReadyImage]) -> None:
    for image in images:
        if image.label != name:
            raise BadInput(f"{image.where}: its class is '{image.label}', and '{name}' that of {image.source}")
