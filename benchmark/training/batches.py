"""Batches of a training subset: order, augmentation, partners of the same class, and work begun ahead."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.protocol import Protocol
from benchmark.training.seeding import Streams
from datasets.batches import Crops, draw_partners, epoch_order, normalise, send, to_unit
from methods.base import Method
from methods.task import Batch, Task, Views


class _Begun(NamedTuple):
    """A batch whose draws are done; `before` is the state of streams and order from which it was drawn."""

    before: dict | None
    finish: Callable[[], Batch]


class Batches:
    """The batches of a training, one after the other, on the task's device.

    They are made on the CPU, from the first draw to the last hook, and sent as a whole: a step copies once and waits
    for nothing, and its images are those of the CPU. Only what mixes by a network sends what that needs itself. With a
    method that looks ahead, some are begun before they are needed; their bits do not depend on how many.
    """

    def __init__(self, task: Task, method: Method, protocol: Protocol, streams: Streams):
        self.task, self.method, self.protocol, self.streams = task, method, protocol, streams
        self.maps = method.maps(task)
        self._images, self._labels = task.images.cpu(), task.labels.cpu()
        self._order = torch.empty(0, dtype=torch.long)  # what is left of the epoch
        self._begun: deque[_Begun] = deque()

    def next(self, remaining: int) -> Batch:
        """The next batch of the epoch; the last one of an epoch may be smaller. remaining: batches still to come."""
        while len(self._begun) < min(self.method.lookahead + 1, remaining):
            before = self._here() if self.method.lookahead else None
            self._begun.append(_Begun(before, self._begin()))
        batch = self._begun.popleft().finish()
        images, targets = send(self.task.device, batch.images, batch.targets)
        return batch._replace(images=images, targets=targets)

    def state(self) -> dict[str, object]:
        """From where the next batch is drawn; batches that are begun are drawn again."""
        return self._begun[0].before if self._begun else self._here()  # type: ignore[return-value]

    def restore(self, state: dict) -> None:
        self.streams.restore(state["streams"])
        self._order = state["order"]
        self._begun.clear()

    def _here(self) -> dict[str, object]:
        return {"streams": self.streams.state(), "order": self._order.clone()}

    def _begin(self) -> Callable[[], Batch]:
        if not len(self._order):
            repeats = self.protocol.repeats(self.task.samples_per_class)
            self._order = epoch_order(len(self.task.images), repeats, self.streams.order)
        picked, self._order = self._order.split(
            [n := min(self.protocol.batch_size, len(self._order)), len(self._order) - n]
        )
        return self.method.begin(self.make(picked), self.streams.mixing)

    def make(self, picked: Tensor) -> Batch:
        """The images at `picked` through every stage up to mixing, in the order of the papers' code; on the CPU."""
        images, maps = self._view(picked, self.streams.augmentation, self.streams.views)
        targets = functional.one_hot(self._labels[picked], self.task.num_classes).float()
        return Batch(images, targets, maps, lambda count: self._partners(picked, count), picked, self._show)

    def _partners(self, picked: Tensor, count: int) -> Views:
        n, rng = self.task.samples_per_class, self.streams.mixing
        places = self._labels[picked] * n + draw_partners(count, len(picked), n, rng)
        partners = self.task.by_class[places].flatten()
        images, maps = self._view(partners, rng, rng)
        shape = (count, len(picked))
        return Views(images.unflatten(0, shape), None if maps is None else maps.unflatten(0, shape))

    def _view(
        self, picked: Tensor, augmentation: torch.Generator, views: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        images, crops = self._stages(self._images[picked], augmentation, views)
        return images, None if self.maps is None else crops.of(self.maps[picked])

    def _show(self, images: Tensor) -> Tensor:
        return self._stages(images, self.streams.mixing, self.streams.mixing)[0]

    def _stages(self, images: Tensor, augmentation: torch.Generator, views: torch.Generator) -> tuple[Tensor, Crops]:
        images = self.method.transform(images, augmentation)
        count, size = images.shape[:2]
        crops = Crops.draw(count, size, self.protocol.padding, views) if self.method.crops else Crops.none(count, size)
        floats = self.method.erase(to_unit(crops.of(images)), augmentation)
        return self.method.augment(normalise(floats), augmentation), crops
