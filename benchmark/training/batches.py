"""Batches of a training subset: order, augmentation, partners of the same class, and work begun ahead."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.protocol import Protocol
from benchmark.training.seeding import Streams
from datasets.batches import Crops, draw_partners, epoch_order, normalise, send, to_unit
from methods.base import Method
from methods.helpers import LOOKAHEAD, Helpers
from methods.task import Batch, Task, Views

Transform = Callable[[Tensor, torch.Generator], Tensor]


class _Begun(NamedTuple):
    """A batch whose draws are done; `before` is the state of streams and order from which it was drawn."""

    before: dict | None
    finish: Callable[[], Batch]


class Batches:
    """The batches of a training, one after the other, on the task's device.

    They are made on the CPU, from the first draw to the last hook, and sent as a whole: a step copies once and waits
    for nothing, and its images are those of the CPU. Only what mixes by a network sends what that needs itself. With a
    method that looks ahead, and with helper processes for an automatic augmentation, some are begun before they are
    needed; their bits do not depend on how many.
    """

    def __init__(self, task: Task, method: Method, protocol: Protocol, streams: Streams):
        self.task, self.method, self.protocol, self.streams = task, method, protocol, streams
        self.maps = method.maps(task)
        self._images, self._labels = task.images.cpu(), task.labels.cpu()
        self._order = torch.empty(0, dtype=torch.long)  # what is left of the epoch
        self._begun: deque[_Begun] = deque()
        self._transform: Transform = method.transform
        self._helpers = Helpers(method.helped, task.workers) if method.helped and _helpers_pay(task, method) else None
        self._lookahead = LOOKAHEAD if self._helpers else method.lookahead

    def next(self, remaining: int) -> Batch:
        """The next batch of the epoch; the last one of an epoch may be smaller. remaining: batches still to come."""
        while len(self._begun) < min(self._lookahead + 1, remaining):
            before = self._here() if self._lookahead else None
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
        if self._helpers:
            return self._begin_twice(self._helpers, picked)
        return self._begin_at(picked, self.method.transform)

    def _begin_at(self, picked: Tensor, transform: Transform) -> Callable[[], Batch]:
        self._transform = transform
        begun = self.method.begin(self.make(picked), self.streams.mixing)
        self._transform = self.method.transform
        return begun

    def _begin_twice(self, helpers: Helpers, picked: Tensor) -> Callable[[], Batch]:
        """Begins a batch with images as they are, for what helpers are to do and for where the next one's draws begin;
        what it returns begins it again, with the same draws, when the helpers' images are needed."""
        before, answers = self.streams.state(), deque[Callable[[], np.ndarray]]()

        def ask(images: Tensor, rng: torch.Generator) -> Tensor:
            answers.append(helpers.submit(*self.method.ask(images, rng)))
            return images

        def take(images: Tensor, rng: torch.Generator) -> Tensor:
            self.method.ask(images, rng)
            return torch.from_numpy(answers.popleft()())

        def finish() -> Batch:
            now = self.streams.state()
            self.streams.restore(before)
            begun = self._begin_at(picked, take)
            self.streams.restore(now)
            return begun()

        self._begin_at(picked, ask)
        return finish

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
        images = self._transform(images, augmentation)
        count, size = images.shape[:2]
        crops = Crops.draw(count, size, self.protocol.padding, views) if self.method.crops else Crops.none(count, size)
        floats = self.method.erase(to_unit(crops.of(images)), augmentation)
        return self.method.augment(normalise(floats), augmentation), crops


def _helpers_pay(task: Task, method: Method) -> bool:
    """On a GPU, whose step takes less time than an augmentation does; the CPU's own takes a hundred times that.

    A method that has work of its own begun ahead would have it begun for the plain images, too.
    """
    return task.workers > 0 and task.device.type != "cpu" and not method.lookahead
