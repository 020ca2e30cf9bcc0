"""Augmenters: a method at work on the batches of anybody's training loop."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.training.batches import Batches
from benchmark.training.seeding import Streams
from datasets.batches import normalise, to_bytes, to_unit
from datasets.given import Given, require_known
from datasets.paths import given_path
from datasets.registry import BadInput, as_text
from hydrabench.checks import (
    as_device,
    require_augmentation,
    require_fit,
    require_images,
    require_labels,
    require_number,
    require_share,
    require_tensor,
)
from hydrabench.fitting import Fit, fit_to, read_fit, write_fit
from methods.base import Method
from methods.compose import Forwarding
from methods.registry import make_method, parse_method, registry
from methods.task import Batch, Task, Views


@dataclass(frozen=True)
class _Ready:
    """A fit at work: its task, and the batches of the fitted images that compositions are made of."""

    fit: Fit
    task: Task
    batches: Batches


class Augmenter:
    """A method on batches: `images, targets = augmenter(images, labels)`.

    The same seed and the same calls give the same images, on a CPU and, but for rounding, on a GPU: all draws come from
    streams of its own, none from torch's. What is called `hydrabench.MixUp` and so on is such a class, one for each
    registered method; its keyword arguments are the method's parameters (`hydrabench list methods`).
    """

    of: ClassVar[type[Method]]  # the method of a class for one

    def __init__(self, *, num_classes: int | None = None, seed: int = 0, **parameters: object):
        """A method that needs no training images; raises BadInput for one that does, and says to `fit` it.

        num_classes: the width of the targets, where labels are integers.
        """
        method = require_augmentation(make_method(self.of, parameters))
        if type(method).prepare is not Method.prepare:
            raise BadInput(f"{type(self).__name__} learns from images: {type(self).__name__}.fit(images, labels)")
        if num_classes is not None:
            num_classes = require_number("num_classes", num_classes, 1)
        self._set(method, None, num_classes, seed)

    @classmethod
    def fit(
        cls,
        images: Any,
        labels: Any = None,
        /,
        *,
        preset: str = "quick",
        store: str | Path | None = None,
        device: str | torch.device | None = None,
        progress: bool = True,
        seed: int = 0,
        **parameters: object,
    ) -> Self:
        """The method ready for images like these, after it has trained what it trains, if anything.

        images: N×3×H×H, uint8 or floats from 0 to 1, not normalised, with N integer labels; or a sequence of
        (image, label), like torchvision's ImageFolder. Of larger classes it takes as many images as the smallest has,
        drawn by `seed`. preset: what is spent on training. store: where what is trained is kept, so that the same call
        finds it; by default that of the command line. device: where the augmenter works; training takes the GPU where
        there is one, and so does this by default. parameters: the method's. progress: on standard error.

        Raises BadInput for other shapes and ranges and for a class with fewer than two images; ArtifactFailed where a
        training fails. Stopped, it goes on from its last checkpoint when it is called again.
        """
        method = make_method(cls.of, parameters)
        return cls._fit(method, device, images, labels, preset, store, seed, progress)

    @classmethod
    def _fit(cls, method: Method, device: str | torch.device | None, *what: Any) -> Self:
        """what: the other arguments of `fit_to`; a device that is not here is refused before anything is trained."""
        require_augmentation(method)
        where = as_device(device)
        return cls._of(fit_to(method, *what), where)

    @classmethod
    def _of(cls, fit: Fit, device: torch.device) -> Self:
        """An augmenter of what was fitted; parts of it that never change are made here, once."""
        self = cls.__new__(cls)
        task = fit.task(device)
        method = fit.prepare(task)
        batches = Batches(task, method, fit.protocol, Streams(fit.seed))
        self._set(method, _Ready(fit, task, batches), task.num_classes, fit.seed)
        return self

    def _set(self, method: Method, ready: _Ready | None, num_classes: int | None, seed: int) -> None:
        self._method, self._ready, self.num_classes = method, ready, num_classes
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Self:
        """Begins all draws anew; returns the augmenter. Raises BadInput unless the seed is a whole number from 0 on."""
        self.seed, self._streams = require_number("seed", seed, 0), Streams(seed)
        if self._ready:
            self._ready.batches.streams = self._streams
        return self

    @property
    def device(self) -> torch.device | None:
        """Where a fitted augmenter works; None is wherever its images are."""
        return self._ready.task.device if self._ready else None

    def spares(self, share: float) -> bool:
        """Whether a coin that falls on `share` says to leave a batch as it is."""
        return float(torch.rand((), generator=self._streams.order)) >= share

    @property
    def p_gen(self) -> float | None:
        """The share of batches (DiffuseMix: of images) that are replaced, of methods that have it."""
        return getattr(_innermost(self._method), "p_gen", None)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images like those given, B×C×H×W, and targets, B×classes, whose rows sum to 1.

        images: uint8 or floats from 0 to 1, not normalised; a fitted augmenter wants them on its device and in the size
        that it was fitted to. labels: B integers, or B×classes weights, which a fitted augmenter does not take.
        HydraMix and others that segment images know the segments of the fitted ones alone: what they put in the place
        of a batch is made of those, cropped and flipped. Raises BadInput for anything else.
        """
        with torch.no_grad():
            targets = self.targets(images, labels)
            method = self._method if self._ready else self._method.resolve(_sized(images))
            staged = _stages(method, images, self._streams.augmentation)
            batch = self._batch(staged, targets, labels)
            mixed = method.begin(batch, self._streams.mixing)()
            changed = _like(images, staged if mixed.images is batch.images else mixed.images)
            return changed.to(images.device), mixed.targets.to(images.device)

    def targets(self, images: Tensor, labels: Tensor) -> Tensor:
        """The class weights that labels stand for, B×classes; raises BadInput where images or labels do not fit."""
        require_tensor("images", images)
        require_tensor("labels", labels)
        require_images(images)
        if self._ready:
            require_fit(images, labels, self._ready.task)
        require_labels(labels, len(images))
        if labels.is_floating_point():
            if self.num_classes not in (None, labels.shape[1]):
                raise BadInput(f"labels are weights of {labels.shape[1]} classes, not of {self.num_classes}")
            return labels
        if self.num_classes is None:
            raise BadInput(f"say how many classes there are: {type(self).__name__}(num_classes=10)")
        require_known(int(labels.min()), int(labels.max()), self.num_classes)
        return functional.one_hot(labels.long(), self.num_classes).float()

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The method's own mean loss (cross-entropy of most) of logits B×classes under targets."""
        return self._method.criterion(logits, targets)

    def _batch(self, images: Tensor, targets: Tensor, labels: Tensor) -> Batch:
        """What the method mixes: the images, or, where it must know their maps, fitted ones of the same classes."""
        if not self._ready:
            return Batch(images, targets, partners=_refuse, view=_refuse)  # type: ignore[arg-type]
        task = self._ready.task
        places = torch.randint(task.samples_per_class, (len(labels),), generator=self._streams.order)
        batch = self._ready.batches.make(task.by_class[labels.cpu().long() * task.samples_per_class + places])
        return batch if batch.maps is not None else batch._replace(images=images.cpu(), targets=targets.cpu())

    def with_p_gen(self, p_gen: float) -> Self:
        """The same augmenter, with the same streams, at another share of replaced batches.

        Raises BadInput for what is no share, for a method without one and for a fit at p_gen=0, which trained nothing.
        """
        p_gen = require_share(p_gen)
        if not self.p_gen:
            raise BadInput(f"{type(self).__name__} was fitted with p_gen=0, or has none")
        changed = copy.copy(self)
        changed._method = _at(self._method, p_gen)
        return changed

    def save(self, path: str | Path) -> None:
        """Writes a folder that `load` reads: augmenter.json and, of a fitted one, augmenter.safetensors.

        It holds the fitted images and what was trained, not how far the draws are: one that is loaded begins anew.
        """
        fit = self._ready.fit if self._ready else Fit(self._method, None, "quick", self.seed)
        write_fit(given_path(path), fit, self.num_classes)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device | None = None) -> "Augmenter":
        """The augmenter that was saved under `path`; raises BadInput for anything else, and for another method's."""
        fit, num_classes = read_fit(given_path(path))
        made = class_of(fit.method)
        if not issubclass(made, cls):
            raise BadInput(f"{path} holds {made.__name__}, not {cls.__name__}")
        if fit.dataset is not None:
            return made._of(fit, as_device(device))
        self = made.__new__(made)
        self._set(fit.method, None, num_classes, fit.seed)
        return self


def fit(
    method: str,
    images: Any,
    labels: Any = None,
    /,
    *,
    preset: str = "quick",
    store: str | Path | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
    seed: int = 0,
) -> Augmenter:
    """An augmenter by a method's text, like "hydramix(images=2)+autoaugment"; otherwise as `Augmenter.fit`."""
    parsed = parse_method(as_text("method", method))
    return class_of(parsed)._fit(parsed, device, images, labels, preset, store, seed, progress)


def class_of(method: Method) -> type[Augmenter]:
    """The class for a method; a composition of two has none of its own."""
    return Augmenter if isinstance(method, Forwarding) else classes()[python_name(method.label)]


_classes: dict[str, type[Augmenter]] = {}


def classes() -> dict[str, type[Augmenter]]:
    """A class for each registered method, by its label as a Python name."""
    for method in registry.entries().values():
        name = python_name(method.label)
        if name not in _classes or _classes[name].of is not method:
            values = {"of": method, "__doc__": method.__doc__, "__module__": "hydrabench"}
            _classes[name] = type(name, (Augmenter,), values)
    return _classes


def python_name(label: str) -> str:
    """`ChimeraMix+Grid` -> `ChimeraMixGrid`, `Original images` -> `OriginalImages`."""
    words = "".join(character if character.isalnum() else " " for character in label).split()
    return "".join(word[0].upper() + word[1:] for word in words)


def _innermost(method: Method) -> Method:
    return _innermost(method.method) if isinstance(method, Forwarding) else method


def _at(method: Method, p_gen: float) -> Method:
    """A method with another p_gen, whatever is around it."""
    inside = "method" if isinstance(method, Forwarding) else "p_gen"
    value: object = _at(method.method, p_gen) if isinstance(method, Forwarding) else p_gen
    return replace(method, **{inside: value})


def _stages(method: Method, images: Tensor, rng: torch.Generator) -> Tensor:
    """Images as a training loop would have them, through a method's stages before mixing, normalised."""
    as_bytes = images.movedim(1, -1) if images.dtype == torch.uint8 else to_bytes(normalise(images))
    changed = method.transform(as_bytes, rng)
    unit = images.float() if changed is as_bytes and images.is_floating_point() else to_unit(changed)
    return method.augment(normalise(method.erase(unit, rng)), rng)


def _like(images: Tensor, changed: Tensor) -> Tensor:
    """Normalised images in the range and type of those given."""
    if images.dtype == torch.uint8:
        return to_bytes(changed).movedim(-1, 1)
    return changed.float().add(1).div(2).clamp(0, 1).to(images.dtype)


def _sized(images: Tensor) -> Given:
    """What stands for a dataset where a method asks for the size of images alone."""
    size = min(images.shape[-2:])
    return Given(np.empty((0, size, size, 3), np.uint8), np.empty(0, np.int64), ())


def _refuse(*_: object) -> Views:
    raise BadInput("this method takes images from a training set: fit(images, labels)")
