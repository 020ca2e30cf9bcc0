"""Batches of images with boxes: order, flips, sizes, and compositions in the place of whole batches."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.kinds.detection import Detection
from benchmark.measures.detection.compose import Targets, as_tensors, composed_targets
from benchmark.training.seeding import Streams
from datasets.batches import draw_partners, epoch_order, normalise, send, to_unit
from datasets.boxes import BoxDataset, region_map
from datasets.instances import BoxedImage
from methods.mixing.composer import Composer
from methods.task import Views


class BoxSubset(NamedTuple):
    """The training images that a detector learns from, decoded when they are used."""

    dataset: BoxDataset
    images: list[BoxedImage]
    device: torch.device
    seed: int
    precision: str

    @classmethod
    def of(
        cls, dataset: BoxDataset, indices: np.ndarray, device: torch.device, seed: int, precision: str
    ) -> "BoxSubset":
        """indices: as `find_subset` gives them."""
        images = dataset.instances("train").images
        return cls(dataset, [images[index] for index in indices], device, seed, precision)


class BoxBatch(NamedTuple):
    """images: 3×H×W in [0, 1], each of its own size; targets: as torchvision takes them; short_side: pixels to which
    the detector brings the images."""

    images: list[Tensor]
    targets: list[dict[str, Tensor]]
    short_side: int


class BoxBatches:
    """The batches of a training, one after the other, on the subset's device.

    composer: HydraMix ready for training, or None. An image is turned left to right in half of all cases, and a batch
    is brought to a size between smallest_scale and 1 of short_side.
    """

    def __init__(self, subset: BoxSubset, composer: Composer | None, protocol: Detection, streams: Streams):
        self.subset, self.composer, self.protocol, self.streams = subset, composer, protocol, streams
        self._order = torch.empty(0, dtype=torch.long)  # what is left of the epoch

    def next(self) -> BoxBatch:
        """The next batch of the epoch; the last one of an epoch may be smaller."""
        if not len(self._order):
            self._order = epoch_order(len(self.subset.images), 1, self.streams.order)
        count = min(self.protocol.batch_size, len(self._order))
        picked, self._order = self._order.split([count, len(self._order) - count])
        images = [self.subset.images[index] for index in picked]
        flips = torch.rand(count, generator=self.streams.views) < 0.5
        side = self._side()
        if self.composer and float(torch.rand((), generator=self.streams.mixing)) < self.composer.method.p_gen:
            shown, found = self._compose(self.composer, images, flips)
        else:
            shown, found = self._plain(images, flips)
        targets = [as_tensors(*each) for each in zip(found, images, strict=True)]
        return BoxBatch(*_sent(self.subset.device, shown, targets), side)

    def state(self) -> dict[str, object]:
        return {"streams": self.streams.state(), "order": self._order.clone()}

    def restore(self, state: dict) -> None:
        self.streams.restore(state["streams"])
        self._order = state["order"]

    def _side(self) -> int:
        smallest = round(self.protocol.smallest_scale * self.protocol.short_side)
        return int(torch.randint(smallest, self.protocol.short_side + 1, (), generator=self.streams.views))

    def _plain(self, images: list[BoxedImage], flips: Tensor) -> tuple[list[Tensor], list[Targets]]:
        """The images themselves and their boxes, on the CPU."""
        shown, targets = [], []
        for image, flip in zip(images, flips.tolist(), strict=True):
            pixels = self.subset.dataset.read("train", image)
            shown.append(unit_image(pixels[:, ::-1] if flip else pixels))
            targets.append(_targets(image, flip))
        return shown, targets

    def _compose(
        self, composer: Composer, images: list[BoxedImage], flips: Tensor
    ) -> tuple[list[Tensor], list[Targets]]:
        """Compositions on the batch's images, with boxes of images of the whole subset, in the batch's sizes."""
        rng, size = self.streams.mixing, self.subset.dataset.image_size
        partners = draw_partners(composer.sources - 1, len(images), len(self.subset.images), rng)
        turned = torch.rand(partners.shape, generator=rng) < 0.5
        sources = [images, *([self.subset.images[index] for index in row] for row in partners)]
        turns = torch.cat([flips[None], turned])
        composed = composer.compose(self._views(sources, turns), rng)
        shown, targets = [], []
        for number, image in enumerate(images):
            own = [_targets(row[number], flip) for row, flip in zip(sources, turns[:, number].tolist(), strict=True)]
            square = composed.images[number][None].clamp(-1, 1).add(1).div(2)
            shown.append(functional.interpolate(square, (image.height, image.width), mode="bilinear")[0])
            targets.append(composed_targets(own, composed.masks[number], size))
        return shown, targets

    def _views(self, sources: list[list[BoxedImage]], turns: Tensor) -> Views:
        """Images N×B as squares, with the regions that their boxes are."""
        dataset, shape = self.subset.dataset, (len(sources), len(sources[0]))
        squares, regions = [], []
        for image, turn in zip((image for row in sources for image in row), turns.flatten().tolist(), strict=True):
            step = -1 if turn else 1
            squares.append(dataset.square(dataset.read("train", image))[:, ::step])
            regions.append(region_map(image, dataset.image_size)[:, ::step])
        pixels = torch.from_numpy(np.stack(squares))
        maps = torch.from_numpy(np.stack(regions))
        return Views(normalise(to_unit(pixels)).unflatten(0, shape), maps.unflatten(0, shape))


def _sent(
    device: torch.device, images: list[Tensor], targets: list[tuple[Tensor, Tensor]]
) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Images, and their boxes and labels by name, on a device, in one copy."""
    sent = list(send(device, *images, *(part for pair in targets for part in pair)))
    shown, parts = sent[: len(images)], sent[len(images) :]
    return shown, [{"boxes": boxes, "labels": labels} for boxes, labels in zip(parts[::2], parts[1::2], strict=True)]


def unit_image(pixels: np.ndarray) -> Tensor:
    """An image uint8 H×W×3 as a detector takes it: 3×H×W in [0, 1]."""
    return to_unit(torch.from_numpy(pixels.copy())[None])[0]


def _targets(image: BoxedImage, flip: bool) -> Targets:
    boxes = image.boxes.learnable()
    scale = np.array([image.width, image.height] * 2, np.float32)
    targets = Targets(boxes.corners / scale, boxes.labels)
    return targets.flipped() if flip else targets
