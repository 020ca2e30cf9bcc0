"""Pictures of a diffused set: originals, what was generated from them by which prompt, and the mixed images."""

import torch

from methods.artifacts import Tile
from methods.diffusion.building import DiffusedSet, unpack
from methods.task import Task

_ROWS, _SHOWN = 6, 3  # originals, and images of each


def mixtures(made: DiffusedSet, task: Task) -> list[list[Tile]]:
    """A row for an image of the subset: itself, and pairs of a generated image and what was mixed from it."""
    rng = task.stream("diffused set picture")
    return [_row(made, task, int(at)) for at in torch.randperm(len(task.images), generator=rng)[:_ROWS].sort().values]


def _row(made: DiffusedSet, task: Task, position: int) -> list[Tile]:
    label = int(task.labels[position])
    name = task.class_names[label] if task.class_names else f"class {label}"
    row = [Tile(task.images[position].cpu().numpy(), name)]
    for number in (made.sources.cpu() == position).nonzero().flatten()[:_SHOWN].tolist():
        row.append(Tile(made.generated[number].cpu().numpy(), unpack(made.prompts[number])))
        row.append(Tile(made.images[number].cpu().numpy(), "mixed"))
    return row
