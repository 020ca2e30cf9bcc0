"""The batches of a generator's training: several images of one class per sample, with what a mask is made of."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from datasets.batches import Crops, draw_partners, epoch_order, normalise, send, to_unit
from methods.helpers import LOOKAHEAD
from methods.mixing.masks import nearest
from methods.mixing.rules import Rule
from methods.mixing.segments import Segmenter
from methods.task import Task

if TYPE_CHECKING:
    from methods.mixing.recipe import GeneratorRecipe

_STREAMS = ("order", "views", "partners", "masks")
_PERCEPTUAL_IMAGES = 2  # per sample (HydraMix section 3.5)


@dataclass
class Sources:
    """A batch for one step. images: N×B×3×H×W in [-1, 1]; image i of a sample has the class of image 0.

    masks: of the generator's fakes and, where those of the discriminator are fresh, of these: B×H/4×H/4 with values
    0..N-1; real: the image that the discriminator sees; compared: the two images of the perceptual loss.
    """

    images: Tensor
    masks: list[Tensor]
    real: int
    compared: list[int]


class _Begun(NamedTuple):
    before: dict | None  # the state from which the batch was drawn
    finish: Callable[[], Sources]


class SourceBatches:
    """The batches of a training one after the other; some are begun ahead where processes segment their images."""

    def __init__(self, recipe: "GeneratorRecipe", task: Task):
        self.recipe, self.rule, self.task = recipe, recipe.mask, task
        self._resized = resize(task.images.cpu(), recipe.size)
        self.images = self._resized.to(task.device)
        self._labels, self._by_class = task.labels.cpu(), task.by_class
        self._repeats = recipe.repeats(task.samples_per_class)
        self._streams = {name: task.stream(f"generator {name}") for name in _STREAMS}
        self._order = torch.empty(0, dtype=torch.long)
        self._begun: deque[_Begun] = deque()
        self._maps, self._segmenter = self._segment()
        self._lookahead = LOOKAHEAD if self._segmenter and self._segmenter.workers else 0

    def next(self, remaining: int) -> Sources:
        """The next batch; remaining: batches still to come."""
        while len(self._begun) < min(self._lookahead + 1, remaining):
            before = self._here() if self._lookahead else None
            self._begun.append(_Begun(before, self._begin()))
        return self._begun.popleft().finish()

    def state(self) -> dict[str, object]:
        return self._begun[0].before if self._begun else self._here()  # type: ignore[return-value]

    def restore(self, state: dict) -> None:
        self._order = state["order"]
        for name, stream in self._streams.items():
            stream.set_state(state["streams"][name])
        self._begun.clear()

    def _here(self) -> dict[str, object]:
        streams = {name: stream.get_state() for name, stream in self._streams.items()}
        return {"order": self._order.clone(), "streams": streams}

    def _segment(self) -> tuple[Tensor | None, Segmenter | None]:
        how = self.recipe.segments
        if how is None:
            return None, None
        if how.timing == "augmented":
            return None, Segmenter(how.scale, self.task.workers)
        if how.timing == "boxes":
            assert self.task.regions is not None
            return nearest(self.task.regions, self.recipe.size), None
        maps = how.precompute(self.task.images if how.native else self._resized, self.task.stream("segmentation noise"))
        return nearest(maps, self.recipe.size), None

    def _begin(self) -> Callable[[], Sources]:
        """Draws all of a batch; what it returns waits for the segmentations, makes the masks and sends all at once."""
        picked = self._pick()
        crops = Crops.draw(picked.numel(), self.recipe.size, self.recipe.size // 8, self._streams["views"])
        at = picked.flatten()
        maps = None if self._maps is None else crops.of(self._maps[at]).unflatten(0, picked.shape)
        views = None if self._segmenter is None else crops.of(self._resized[at]).unflatten(0, picked.shape)
        segmentations = begin_segmentations(self.rule, views, maps, self._segmenter)
        seed = int(torch.randint(2**62, (), generator=self._streams["masks"]))
        return lambda: self._finish(picked, crops, segmentations(), torch.Generator().manual_seed(seed))

    def _finish(self, picked: Tensor, crops: Crops, segmentations: Tensor | None, rng: torch.Generator) -> Sources:
        number, count = picked.shape
        real = int(torch.randint(number, (), generator=rng))
        compared = sorted(torch.randperm(number, generator=rng)[:_PERCEPTUAL_IMAGES].tolist())
        fakes = 2 if self.recipe.d_fakes == "fresh" else 1
        masks = [self.rule.draw(count, self.recipe.size // 4, segmentations, rng) for _ in range(fakes)]
        at, rows, columns, *masks = send(self.task.device, picked.flatten(), crops.rows, crops.columns, *masks)
        images = normalise(to_unit(Crops(rows, columns).of(self.images[at])))
        return Sources(images.unflatten(0, picked.shape), masks, real, compared)

    def _pick(self) -> Tensor:
        """Positions N×B: the next of the epoch, and partners of their classes, themselves included."""
        if not len(self._order):
            self._order = epoch_order(len(self.images), self._repeats, self._streams["order"])
        first, self._order = self._order[: self.recipe.batch_size], self._order[self.recipe.batch_size :]
        n = self.task.samples_per_class
        places = draw_partners(self.rule.sources - 1, len(first), n, self._streams["partners"])
        drawn = self._labels[first] * n + places
        return torch.cat([first[None], self._by_class[drawn]])


def begin_segmentations(
    rule: Rule, images: Tensor | None, maps: Tensor | None, segmenter: Segmenter | None
) -> Callable[[], Tensor | None]:
    """Of N×B×H×W×3 images the segmentations that the rule needs, B×k×H×W, when the result is called; on the CPU.

    They come from maps N×B×H×W where there are any, else from the segmenter.
    """
    needed = list(rule.segmented)
    if not needed:
        return lambda: None
    if maps is not None:
        return lambda: maps[needed].transpose(0, 1)
    assert segmenter is not None and images is not None
    wait = segmenter.submit(images[needed].flatten(0, 1))
    return lambda: wait().unflatten(0, (len(needed), -1)).transpose(0, 1)


def resize(images: Tensor, size: int) -> Tensor:
    """uint8 images N×H×W×3 as N×size×size×3 on their device, bilinear as PIL does (ChimeraMix's code)."""
    if images.shape[1] == images.shape[2] == size:
        return images
    # only the CPU resizes bytes with antialiasing
    channels_first = images.cpu().permute(0, 3, 1, 2)
    resized = functional.interpolate(channels_first, size=(size, size), mode="bilinear", antialias=True)
    return resized.permute(0, 2, 3, 1).contiguous().to(images.device)
