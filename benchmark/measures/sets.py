"""Sets of images: those that a method makes from a few, class by class, without a hook of its own, and real ones
(ChimeraMix Figure 4)."""

from dataclasses import replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from benchmark.kinds.sets import SetMeasure
from benchmark.run import Run
from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from datasets.base import Dataset
from datasets.batches import epoch_order, send, to_bytes
from datasets.registry import BadInput
from methods.base import Method
from methods.compose import Forwarding
from methods.task import Task

Split = Literal["train", "test"]


class Shown(Protocol):
    """What of a protocol says how images are shown: a classifier's, a measure's."""

    @property
    def batch_size(self) -> int: ...
    @property
    def padding(self) -> int: ...


class ImageSet:
    """`images` images of a method, classes one after the other, as a classifier's training would be shown them.

    method: prepared for `task`, from what `always_mixing` gives. label: of the only class to make images of, all of
    them, where it is not every class. Every batch is of one class, so that methods which
    mix the images of a batch stay within it, and goes through all of training's stages; the baseline thus makes
    cropped and flipped copies. Each image of the subset begins equally many, to one. On the CPU, `restore(state())`
    in a new process gives the same images; they depend on the task's seed alone.
    """

    def __init__(self, task: Task, method: Method, protocol: Shown, images: int, label: int | None = None):
        self._streams = Streams(task.seed)
        self._batches = Batches(task, method, protocol, self._streams)  # type: ignore[arg-type]  # asked no epoch
        classes = task.num_classes
        counts = balanced(images, classes) if label is None else [images * (one == label) for one in range(classes)]
        self.labels = torch.arange(task.num_classes).repeat_interleave(torch.tensor(counts))
        places = [self._order(task, label, count) for label, count in enumerate(counts)]
        self._picked = [batch for place in places if len(place) for batch in place.split(protocol.batch_size)]
        self.step, self.steps = 0, len(self._picked)

    def next(self) -> Tensor:
        """The next batch, uint8 B×H×W×3 on the task's device; `labels` has its classes in the same order."""
        batch = self._batches.make(self._picked[self.step])
        self.step += 1
        made = self._batches.method.begin(batch, self._streams.mixing)().images
        return send(self._batches.task.device, to_bytes(made))[0]

    def state(self) -> dict[str, object]:
        return {"step": self.step, "streams": self._streams.state()}

    def restore(self, state: dict) -> None:
        self.step = state["step"]
        self._streams.restore(state["streams"])

    def _order(self, task: Task, label: int, count: int) -> Tensor:
        """The positions in the subset of the images from which those of a class are made."""
        n = task.samples_per_class
        order = epoch_order(n, -(-count // n), self._streams.order)[:count]
        return task.by_class[label * n + order]


def set_of(run: Run, task: Task, made: tuple[object, ...], images: int, label: int | None = None) -> ImageSet:
    """The images of a run's method; made: its artifacts; label: as in `ImageSet`."""
    assert isinstance(run.protocol, SetMeasure)
    return ImageSet(task, always_mixing(run.method).prepare(task, made), run.protocol, images, label)


def always_mixing(method: Method) -> Method:
    """The method with what it makes in the place of every batch, not of the share p_gen; call it before `prepare`.

    Where p_gen is 0 it makes nothing, and stays so.
    """
    if isinstance(method, Forwarding):
        return replace(method, method=always_mixing(method.method))
    return replace(method, p_gen=1.0) if method.parameters().get("p_gen") else method  # type: ignore[call-arg]


def balanced(images: int, classes: int) -> list[int]:
    """How many images of each class make a set of `images`: equally many, the first classes one more."""
    return [images // classes + (label < images % classes) for label in range(classes)]


class RealImages:
    """Images of a dataset at official positions, as `ImageSet` gives a method's.

    split: train or test. Raises DataMissing where an image is not on disk.
    """

    def __init__(self, dataset: Dataset, split: Split, positions: Tensor, batch_size: int = 50):
        self._dataset, self._split = dataset, split
        labels = dataset.train_labels() if split == "train" else dataset.test().labels
        self.labels = torch.from_numpy(np.asarray(labels))[positions]
        self._batches = positions.split(batch_size)
        self.step, self.steps = 0, len(self._batches)

    def next(self) -> Tensor:
        """The next batch, uint8 B×H×W×3 on the CPU."""
        at = self._batches[self.step].numpy()
        self.step += 1
        found = self._dataset.train_images(at) if self._split == "train" else self._dataset.test().images[at]
        return torch.from_numpy(np.array(found))

    def state(self) -> dict[str, object]:
        return {"step": self.step}

    def restore(self, state: dict) -> None:
        self.step = state["step"]


def draw_real(labels: Tensor, images: int, classes: int, seed: int) -> Tensor:
    """Positions of a balanced set of real images, drawn without replacement by a seed, classes one after the other.

    Raises BadInput where a class has too few.
    """
    rng = Streams(seed).order
    drawn = []
    for label, count in enumerate(balanced(images, classes)):
        positions = (labels == label).nonzero().flatten()
        if len(positions) < count:
            most = classes * int(labels.bincount(minlength=classes).min())
            there = f"{count} of class {label}, of which there are {len(positions)}"
            raise BadInput(f"{images:,} images need {there}; ask for at most {most}")
        drawn.append(positions[torch.randperm(len(positions), generator=rng)[:count]])
    return torch.cat(drawn)
