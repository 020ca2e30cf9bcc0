"""Pictures of what a generator composes, in the style of HydraMix figure 2."""

import colorsys
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datasets.batches import normalise, to_bytes, to_unit
from methods.artifacts import Tile
from methods.mixing.composer import mix_images
from methods.mixing.masks import nearest
from methods.mixing.networks import Generator
from methods.mixing.segments import segment_batch
from methods.mixing.sources import resize
from methods.task import Task

if TYPE_CHECKING:
    from methods.mixing.recipe import GeneratorRecipe

_FRAME = 3  # pixels


class Layout(NamedTuple):
    """classes: how many have a row; compositions: of each; segments, masks: whether they are shown; caption: below
    what is composed."""

    classes: int = 6
    compositions: int = 3
    segments: bool = True
    masks: bool = True
    caption: str = "mixed"


PLAIN = Layout()


def compositions(
    recipe: "GeneratorRecipe", generator: Generator, task: Task, layout: Layout = PLAIN
) -> list[list[Tile]]:
    """A row per class: source images in frames of their colours, their segmentations, masks and their compositions.

    The images are not augmented and have the generator's size; the same seed gives the same rows.
    """
    rng = task.stream("generator picture")
    classes = torch.randperm(task.num_classes, generator=rng)[: layout.classes].sort().values
    return [_row(recipe, generator, task, int(label), rng, layout) for label in classes]


def _row(
    recipe: "GeneratorRecipe", generator: Generator, task: Task, label: int, rng: torch.Generator, layout: Layout
) -> list[Tile]:
    count = layout.compositions
    at = _pick(task, label, recipe.mask.sources, rng)
    images = resize(task.images[at], recipe.size)
    maps = _segment(recipe, task, at) if recipe.segments else None
    segmented = list(recipe.mask.segmented)
    repeated = None if maps is None else maps[None, segmented].expand(count, -1, -1, -1)
    masks = recipe.mask.draw(count, recipe.size // 4, repeated, rng)
    there = masks.to(task.device)
    with torch.no_grad(), task.autocast():
        mixed = mix_images(generator, normalise(to_unit(images))[:, None].expand(-1, count, -1, -1, -1), there)
    colours = palette(len(images))
    name = task.class_names[label] if task.class_names else f"class {label}"
    sources = [
        Tile(frame(image, colour), f"{name} {number}")
        for number, (image, colour) in enumerate(zip(images.cpu().numpy(), colours, strict=True), start=1)
    ]
    segments = (
        [] if maps is None or not layout.segments else [Tile(_paint(maps[i]), f"segments {i + 1}") for i in segmented]
    )
    winners = colours[nearest(masks, recipe.size).cpu().numpy()]
    pairs = zip(winners, to_bytes(mixed).cpu().numpy(), strict=True)
    composed = [(Tile(mask, "mask"), Tile(image, layout.caption)) for mask, image in pairs]
    return [*sources, *segments, *(tile for pair in composed for tile in pair[not layout.masks :])]


def _pick(task: Task, label: int, count: int, rng: torch.Generator) -> Tensor:
    """Positions of images of a class, different ones as long as there are any."""
    members = (task.labels.cpu() == label).nonzero().flatten()
    order = members[torch.randperm(len(members), generator=rng)]
    return order[torch.arange(count) % len(order)].to(task.device)


def _segment(recipe: "GeneratorRecipe", task: Task, at: Tensor) -> Tensor:
    """The regions of images at positions, at the generator's size, where their masks are made of any."""
    how = recipe.segments
    assert how is not None
    if how.timing == "boxes":
        assert task.regions is not None
        return nearest(task.regions[at.cpu()], recipe.size)
    images = task.images[at]
    return nearest(segment_batch(images if how.native else resize(images, recipe.size), how.scale), recipe.size)


def palette(count: int) -> np.ndarray:
    """`count` colours far from each other, uint8 count×3."""
    golden = 0.618034  # steps of the golden ratio keep hues apart
    colours = [colorsys.hsv_to_rgb((0.6 + i * golden) % 1, 0.75, 0.95 - 0.35 * (i % 2)) for i in range(count)]
    return (np.array(colours) * 255).astype(np.uint8)


def _paint(ids: Tensor) -> np.ndarray:
    return palette(int(ids.max()) + 1)[ids.cpu().numpy()]


def frame(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    framed = np.broadcast_to(colour, image.shape).copy()
    inside = slice(_FRAME, -_FRAME)
    framed[inside, inside] = image[inside, inside]
    return framed
