from dataclasses import dataclass, replace
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from datasets.base import Dataset
from datasets.batches import send
from methods.base import NO_BUDGETS, Budgets, Method
from methods.registry import register

_LENGTHS = {"cifair10": 16, "cifar10": 16, "cifair100": 8, "cifar100": 8, "stl10": 24}


@register("cutout", label="Cutout", source="DeVries & Taylor, 2017")
@dataclass(frozen=True)
class Cutout(Method):
    """Zeroes one square per normalised image, which makes it mid-grey (FIDELITY section 3).

    The centre is uniform over all pixels, so the square may lie partly outside the image.
    length: side of the square in pixels; by default 16 on ciFAIR-10, 8 on ciFAIR-100, 24 on STL-10, and a
    quarter of the image's side elsewhere.
    """

    length: Annotated[int, Field(ge=1)] | None = None

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        default = _LENGTHS.get(dataset.family, dataset.image_size // 4)
        return replace(self, length=self.length or default)

    def augment(self, images: Tensor, rng: torch.Generator) -> Tensor:
        assert self.length is not None, "resolve() comes first"
        count, _, height, width = images.shape
        y = torch.randint(height, (count, 1), generator=rng)
        x = torch.randint(width, (count, 1), generator=rng)
        rows, columns = _span(y, height, self.length), _span(x, width, self.length)
        (hole,) = send(images.device, rows[:, :, None] & columns[:, None, :])
        return images.masked_fill(hole[:, None], 0)


def _span(centre: Tensor, size: int, length: int) -> Tensor:
    """Which of `size` positions lie in the `length` ones around each centre: B×size booleans."""
    start, position = centre - length // 2, torch.arange(size)
    return (position >= start) & (position < start + length)
