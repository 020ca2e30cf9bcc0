"""Pictures of a mixed set: what was mixed, by which masks, and what the teacher sees in it."""

import torch
from torch import Tensor

from methods.artifacts import Tile
from methods.mixing.pictures import frame, palette
from methods.mixtures.building import MixedSet
from methods.mixtures.masks import raise_masks
from methods.task import Task

_ROWS = 6


def mixtures(made: MixedSet, task: Task) -> list[list[Tile]]:
    """Rows of sources in frames of their colours, the masks in these colours, and the mixed image with its label."""
    rng = task.stream("mixed set picture")
    return [_row(made, task, int(row)) for row in torch.randperm(len(made.images), generator=rng)[:_ROWS].sort().values]


def _row(made: MixedSet, task: Task, row: int) -> list[Tile]:
    positions = made.sources[row]
    colours = palette(len(positions))
    sources = [
        Tile(frame(task.images[at].cpu().numpy(), colour), _name(task, task.labels[at]))
        for at, colour in zip(positions, colours, strict=True)
    ]
    masks = raise_masks(made.logits[row : row + 1].float(), task.images.shape[1])[0]
    painted = torch.einsum("khw,kc->hwc", masks.cpu(), torch.from_numpy(colours).float()).round().byte()
    mixed = Tile(made.images[row].cpu().numpy(), f"label: {_name(task, made.labels[row])}")
    return [*sources, Tile(painted.numpy(), "masks"), mixed]


def _name(task: Task, label: Tensor) -> str:
    return task.class_names[int(label)] if task.class_names else f"class {int(label)}"
