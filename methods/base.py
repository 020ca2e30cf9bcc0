"""The contract of a method: hooks with defaults, called by the training loop in the order written here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.base import Dataset
from methods.flops import Work
from methods.identity import hashed_fields
from methods.task import Batch, Task

if TYPE_CHECKING:
    from methods.artifacts import Artifact

Budgets = Mapping[str, Mapping[str, int | float]]
"""What a preset spends on artifacts: by kind, values for the parameters that a method leaves None."""
NO_BUDGETS: Budgets = MappingProxyType({})


@dataclass(frozen=True)
class Method:
    """A row of a table; the fields of a subclass are its parameters and enter a run's key.

    Hooks draw from `rng` (a CPU generator) alone, so that a seed gives the same numbers on every device, and draw alike
    for all images of a shape: where helpers do `transform`, a batch first goes through the hooks as it is, for the
    draws. A training makes its batches on the CPU; elsewhere (hydrabench/augmenter.py) images may be on another device,
    and stay there. Raise `version` when the same parameters give other numbers.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str]
    version: ClassVar[int] = 1
    by_files: ClassVar[bool] = False  # whether `missing` and `resolve` look at datasets.paths.METHODS_FOLDERS
    automatic: ClassVar[bool] = False  # may stand behind a '+' in a method's text
    crops: ClassVar[bool] = True  # whether images are cropped and flipped, as in all of the papers' rows
    remark: ClassVar[str] = ""  # a sentence that stands with its numbers, below every table and figure

    lookahead: ClassVar[int] = 0  # batches that may be begun before they are needed
    helped: ClassVar[Callable[..., np.ndarray] | None] = (
        None  # what of `transform` helper processes may compute (`ask`)
    )

    @property
    def missing(self) -> str:
        """What no run of it can start without on this machine, and how to get it, in one line; "" where it can."""
        return ""

    @property
    def available(self) -> bool:
        return not self.missing

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        """The method with every parameter that depends on the dataset or the preset's budgets filled in."""
        return self

    def protocol(self, images: int, budgets: Budgets = NO_BUDGETS) -> dict[str, object]:
        """What a resolved method puts in the place of the preset's protocol, by field; --set still wins.

        images: of the training subset; budgets: the preset's.
        """
        return {}

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> "tuple[Artifact, ...]":
        """The artifacts that a resolved method's run uses; runs whose artifacts are equal share them."""
        return ()

    def learns_from(self, teacher: "Artifact") -> "tuple[Artifact, ...]":
        """Further artifacts of a run, made with a teacher: the baseline of its protocol, subset and seed."""
        return ()

    def prepare(self, task: Task, made: tuple[object, ...]) -> "Method":
        """The method ready for training: called once, after the subset is on the device.

        made: what `needs` and `learns_from` name, loaded on the device, in that order.
        """
        return self

    def maps(self, task: Task) -> Tensor | None:
        """A map per training image (like its segmentation), N×H×W on the CPU, to be cropped and flipped with it."""
        return None

    def classifier_input(self, image_size: int) -> tuple[int, int]:
        """Channels, and pixels along a side, of what the protocol's classifier gets from the method's `network`."""
        return 3, image_size

    def network(self, classifier: nn.Module) -> nn.Module:
        """The network to train (images -> logits), given the protocol's classifier.

        Parameters that its `no_weight_decay` names, where it has one (timm's convention), are trained without.
        """
        return classifier

    def work(self, dataset: Dataset, images: int) -> Work:
        """What the hooks of a resolved method ask of a machine in a step of so many images, for guesses; roughly.

        Not what the protocol's classifier asks, nor what is small beside that.
        """
        return Work()

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Automatic augmentation of whole uint8 images, B×H×W×C, before the crop."""
        return images

    def ask(self, images: Tensor, rng: torch.Generator) -> tuple[Any, ...]:
        """Draws what `transform` draws; the arguments at which `helped`, where there is one, gives what it would."""
        raise NotImplementedError

    def erase(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Acts on cropped images in [0, 1], B×C×H×W, before they are normalised."""
        return images

    def augment(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Acts on normalised images, B×C×H×W."""
        return images

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        """Mixes images of a batch and their targets."""
        return batch

    def begin(self, batch: Batch, rng: torch.Generator) -> Callable[[], Batch]:
        """Draws all that `mix` would draw; what it returns mixes, and draws nothing.

        For methods that have work done in other processes before the batch is needed: up to `lookahead` later
        batches are begun before it is called.
        """
        mixed = self.mix(batch, rng)
        return lambda: mixed

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss (a scalar) of logits B×C under class weights B×C; cross-entropy unless overridden."""
        return functional.cross_entropy(logits, targets)

    def fill(self, values: Mapping[str, object]) -> Self:
        """The method with `values` in the place of parameters that are None."""
        return replace(self, **{name: value for name, value in values.items() if getattr(self, name) is None})

    def parameters(self) -> dict[str, object]:
        """Parameter names and values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def identity(self) -> dict[str, object]:
        """What of the method enters a run's key."""
        return {
            "name": self.name,
            "version": self.version,
            "parameters": hashed_fields(type(self), self.parameters()),
        }
