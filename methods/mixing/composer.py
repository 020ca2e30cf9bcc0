"""A mixing method ready for training: composes new images from several of one class."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from datasets.base import Dataset
from datasets.batches import send
from methods.base import NO_BUDGETS, Budgets, Method
from methods.compose import Prepared, spared
from methods.flops import Work
from methods.helpers import LOOKAHEAD
from methods.mixing.masks import mix_features
from methods.mixing.networks import Generator
from methods.mixing.rules import Rule
from methods.mixing.segments import Segmentation, Segmenter
from methods.mixing.sources import begin_segmentations
from methods.precision import frozen
from methods.ranges import Share
from methods.task import Batch, Task, Views


class Composed(NamedTuple):
    """images: B×C×H×W in [-1, 1]; masks: which source wins where, B×T×T; segmentations: of those sources that
    the mask is made of, B×k×H×W, or None."""

    images: Tensor
    masks: Tensor
    segmentations: Tensor | None


Size = Annotated[int, Field(ge=32, multiple_of=8)]  # the discriminator halves 32 pixels four times, the pyramid thrice


def default_size(dataset: Dataset) -> int:
    """ChimeraMix's 64 pixels, or the images' own size where that is larger, up to a multiple of 8."""
    return -(-max(64, dataset.image_size) // 8) * 8


@dataclass(frozen=True)
class Mixing(Method):
    """Replaces whole batches by compositions of images of one class, whose label they keep.

    p_gen: probability of a batch being replaced. generator_size: pixels at which images are mixed, up and down
    bilinearly; by default 64, or the images' own size where that is larger.
    """

    p_gen: Share = 0.5
    generator_size: Size | None = None

    @property
    def rule(self) -> Rule:
        """How masks are drawn."""
        raise NotImplementedError

    @property
    def segments(self) -> Segmentation | None:
        """How images are segmented, of a resolved method."""
        return None

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        return self.fill({"generator_size": default_size(dataset)})

    def work(self, dataset: Dataset, images: int) -> Work:
        segments, rule = self.segments, self.rule
        each = segments.work(len(rule.segmented), dataset.image_size) if segments else Work()
        return (each * images + self._mixing(dataset, images)) * self.p_gen

    def _mixing(self, dataset: Dataset, images: int) -> Work:
        """What a batch that is mixed asks, besides its segmentations."""
        return Work()

    def prepare(self, task: Task, made: tuple[object, ...]) -> "Composer":
        segments = self.segments
        ahead = segments is not None and segments.timing == "augmented"
        segmenter = Segmenter(segments.scale, task.workers) if segments and ahead else None
        generator = self._generator(made)
        return Composer(self, task, generator and frozen(generator, task.precision), segmenter)

    def _generator(self, made: tuple[object, ...]) -> Generator | None:
        return None


@dataclass(frozen=True)
class Composer(Prepared):
    """A prepared method. generator: None mixes pixels."""

    method: Mixing
    task: Task
    generator: Generator | None
    segmenter: Segmenter | None = field(compare=False)

    @property
    def lookahead(self) -> int:  # type: ignore[override]
        ahead = self.segmenter is not None and self.segmenter.workers and self.method.p_gen > 0
        return LOOKAHEAD if ahead else 0

    @property
    def sources(self) -> int:
        """Images of which one is composed."""
        return self.method.rule.sources

    def maps(self, task: Task) -> Tensor | None:
        """Precomputed segmentations, N×H×W int16 on the CPU.

        They follow crop and flip, not what a +augmentation does before.
        """
        segments = self.method.segments
        if segments is None or segments.timing != "precomputed" or self.method.p_gen == 0:
            return None
        return segments.precompute(task.images, task.stream("segmentation noise"))

    def begin(self, batch: Batch, rng: torch.Generator) -> Callable[[], Batch]:
        """With probability p_gen, for the whole batch, compositions in the place of its images."""
        if kept := spared(batch, self.method.p_gen, rng):
            return lambda: kept
        assert batch.partners is not None
        views = _join(batch, batch.partners(self.sources - 1))
        segmentations = self._segment(views)
        seed = int(torch.randint(2**62, (), generator=rng))

        def finish() -> Batch:
            masks = self._draw(views, segmentations(), torch.Generator().manual_seed(seed))
            images, masks, targets = send(self.task.device, views.images, masks, batch.targets)
            return Batch(self._mix(images, masks), targets)

        return finish

    def compose(self, views: Views, rng: torch.Generator) -> Composed:
        """Compositions of views N×B×3×H×W at the dataset's size, with the maps of them where `maps` gives some.

        A composition belongs to the class of its views; image 0 is the one that a classifier's batch holds.
        """
        segmentations = self._segment(views)()
        masks = self._draw(views, segmentations, rng)
        return Composed(self._mix(*send(self.task.device, views.images, masks)), masks, segmentations)

    def _segment(self, views: Views) -> Callable[[], Tensor | None]:
        return begin_segmentations(self.method.rule, views.images.movedim(2, -1), views.maps, self.segmenter)

    @property
    def _size(self) -> int:
        assert self.method.generator_size is not None, "resolve() comes first"
        return self.method.generator_size

    def _draw(self, views: Views, segmentations: Tensor | None, rng: torch.Generator) -> Tensor:
        side = self._size // 4 if self.generator else self._size
        return self.method.rule.draw(views.images.shape[1], side, segmentations, rng)

    def _mix(self, images: Tensor, masks: Tensor) -> Tensor:
        with torch.no_grad(), self.task.autocast():
            large = rescale(images.flatten(0, 1), self._size).unflatten(0, images.shape[:2])
            mixed = mix_images(self.generator, large, masks)
        return rescale(mixed.float(), images.shape[-1])


def mix_images(generator: Generator | None, images: Tensor, masks: Tensor) -> Tensor:
    """N×B×3×H×W images mixed to B×3×H×W, as features (masks at H/4) or, without generator, as pixels."""
    if generator is None:
        return mix_features(images.unbind(0), masks)
    features = generator.encode(images.flatten(0, 1)).unflatten(0, images.shape[:2])
    return generator.decode(mix_features(features.unbind(0), masks))


def rescale(images: Tensor, size: int) -> Tensor:
    """B×C×H×W images at another size, bilinear with corners aligned (ChimeraMix's code; HydraMix section 3.5)."""
    if images.shape[-1] == size:
        return images
    scaled = functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=True)
    return scaled.contiguous(memory_format=torch.channels_last)


def _join(batch: Batch, partners: Views) -> Views:
    images = torch.cat([batch.images[None], partners.images])
    if batch.maps is None or partners.maps is None:
        return Views(images, None)
    return Views(images, torch.cat([batch.maps[None], partners.maps]))
