"""Pictures of what lies between two images of a class."""

from typing import TYPE_CHECKING

import torch

from datasets.batches import to_bytes
from methods.artifacts import Tile
from methods.latents.neighbours import SHARES, Neighbours
from methods.latents.networks import draw_noise
from methods.latents.slerp import slerp
from methods.task import Task

if TYPE_CHECKING:
    from methods.latents.recipe import Fitted

_ROWS = 6


def interpolations(fitted: "Fitted", task: Task) -> list[list[Tile]]:
    """A row per class: an image, what is drawn of its latent and on the way to another's, and that other image."""
    rng = task.stream("latents picture")
    classes = torch.randperm(task.num_classes, generator=rng)[:_ROWS].sort().values
    return [_row(fitted, task, int(label), rng) for label in classes]


def _row(fitted: "Fitted", task: Task, label: int, rng: torch.Generator) -> list[Tile]:
    one = (task.labels.cpu() == label).nonzero()[:1, 0]
    other = Neighbours(task).draw(one, rng)
    first, second = (fitted.latents[at.to(task.device)] for at in (one, other))
    between = torch.cat([slerp(first, second, share) for share in (0.0, *SHARES)])
    with torch.no_grad(), task.autocast():
        drawn = fitted.generator(between, draw_noise(len(between), rng).to(task.device))
    name = task.class_names[label] if task.class_names else f"class {label}"
    captions = ["drawn", *(f"at {share:.1f}" for share in SHARES)]
    middle = [Tile(image, caption) for image, caption in zip(to_bytes(drawn).cpu().numpy(), captions, strict=True)]
    ends = [Tile(task.images[int(at)].cpu().numpy(), name) for at in (one, other)]
    return [ends[0], *middle, ends[1]]
