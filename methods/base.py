"""The contract of a method: hooks with defaults, called by the training loop in the order written here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self, get_type_hints

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.base import Dataset
from methods.precision import autocast
from methods.streams import stream

if TYPE_CHECKING:
    from methods.artifacts import Artifact

Budgets = Mapping[str, Mapping[str, int | float]]
"""What a preset spends on artifacts: by kind, values for the parameters that a method leaves None."""
NO_BUDGETS: Budgets = MappingProxyType({})


@dataclass(frozen=True)
class AsBefore:
    """Marks a field that was added later: at this value it means "as before" and is left out of keys.

    Written `field: Annotated[int, AsBefore(0)] = 0`, in methods and protocols alike, so that older records
    keep their key.
    """

    value: object


def hashed_fields(cls: type, values: dict[str, object]) -> dict[str, object]:
    """The fields of a method or protocol class that enter a key, given their values."""
    marks = _marks(cls)
    return {name: value for name, value in values.items() if name not in marks or AsBefore(value) not in marks[name]}


@lru_cache(maxsize=256)
def _marks(cls: type) -> dict[str, tuple]:
    """What the fields of a class are annotated with; looking it up for each of 100,000 keys would take a minute."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hint.__metadata__ for name, hint in hints.items() if hasattr(hint, "__metadata__")}


@dataclass(frozen=True)
class Task:
    """What a method may use to prepare itself: the training subset, never a test image.

    images: uint8 N×H×W×C and labels: N, both on `device`, N = samples_per_class × num_classes; seed: the run's;
    precision: fp32, bf16 or fp16; workers: processes that may work ahead on the CPU, 0 for none.
    """

    images: Tensor
    labels: Tensor
    num_classes: int
    device: torch.device
    seed: int
    samples_per_class: int
    precision: str = "fp32"
    workers: int = 0
    class_names: tuple[str, ...] = ()

    @cached_property
    def by_class(self) -> Tensor:
        """Positions of the images, N, on the CPU: `samples_per_class` of each class in turn."""
        return self.labels.cpu().argsort(stable=True)

    def stream(self, purpose: str) -> torch.Generator:
        """A CPU generator of the run's seed for one purpose."""
        return stream(self.seed, purpose)

    def autocast(self) -> torch.autocast:
        return autocast(self.precision, self.device)


class Views(NamedTuple):
    """Several views of a batch's classes: images k×B×C×H×W, normalised; maps k×B×H×W where the method has maps."""

    images: Tensor
    maps: Tensor | None


class Batch(NamedTuple):
    """images: normalised floats B×C×H×W; targets: class weights B×num_classes whose rows sum to 1.

    maps: what `Method.maps` gave, cropped and flipped along, B×H×W. partners(k): k images per image of the batch,
    drawn from its class (datasets.batches.draw_partners), through the same stages with draws from the mixing stream.
    picked: the positions of the images in `Task.images`, B, on the CPU. view(images): other uint8 images k×H×W×C
    through the same stages, with draws from the mixing stream.
    """

    images: Tensor
    targets: Tensor
    maps: Tensor | None = None
    partners: Callable[[int], Views] | None = None
    picked: Tensor | None = None
    view: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Method:
    """A row of a table; the fields of a subclass are its parameters and enter a run's key.

    Hooks draw from `rng` (a CPU generator) alone, so that a seed gives the same numbers on every device.
    Raise `version` when the same parameters give other numbers.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str]
    version: ClassVar[int] = 1
    available: ClassVar[bool] = True
    automatic: ClassVar[bool] = False  # may stand behind a '+' in a method's text
    remark: ClassVar[str] = ""  # a sentence that stands with its numbers, below every table and figure

    lookahead: ClassVar[int] = 0  # batches that may be begun before they are needed

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
        """A map per training image (like its segmentation), N×H×W, to be cropped and flipped along with it."""
        return None

    def classifier_input(self, image_size: int) -> tuple[int, int]:
        """Channels, and pixels along a side, of what the protocol's classifier gets from the method's `network`."""
        return 3, image_size

    def network(self, classifier: nn.Module) -> nn.Module:
        """The network to train (images -> logits), given the protocol's classifier."""
        return classifier

    def undecayed(self, network: nn.Module) -> Iterable[nn.Parameter]:
        """Which parameters of the network are trained without weight decay."""
        return ()

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Automatic augmentation of whole uint8 images, B×H×W×C, before the crop."""
        return images

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

    def identity(self) -> dict[str, object]:
        """What of the method enters a run's key."""
        return {
            "name": self.name,
            "version": self.version,
            "parameters": hashed_fields(type(self), self.parameters()),
        }


@dataclass(frozen=True)
class Prepared(Method):
    """What `prepare` gives where a method needs more than its parameters; it goes by that method's name."""

    method: Method

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.method.name

    @property
    def label(self) -> str:  # type: ignore[override]
        return self.method.label


@dataclass(frozen=True)
class Composition(Method):
    """A method behind an automatic augmentation: `mixup+autoaugment`."""

    base: Method
    augmentation: Method

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.base.name}+{self.augmentation.name}"

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.base.label} + {self.augmentation.label}"

    @property
    def source(self) -> str:  # type: ignore[override]
        return f"{self.base.source}; {self.augmentation.source}"

    @property
    def available(self) -> bool:  # type: ignore[override]
        return self.base.available and self.augmentation.available

    @property
    def lookahead(self) -> int:  # type: ignore[override]
        return self.base.lookahead

    @property
    def remark(self) -> str:  # type: ignore[override]
        return self.base.remark

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> "Composition":
        return Composition(self.base.resolve(dataset, budgets), self.augmentation.resolve(dataset, budgets))

    def protocol(self, images: int, budgets: Budgets = NO_BUDGETS) -> dict[str, object]:
        return self.base.protocol(images, budgets)

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> "tuple[Artifact, ...]":
        return self.base.needs(dataset, samples_per_class, seed)

    def learns_from(self, teacher: "Artifact") -> "tuple[Artifact, ...]":
        return self.base.learns_from(teacher)

    def prepare(self, task: Task, made: tuple[object, ...]) -> "Composition":
        return replace(self, base=self.base.prepare(task, made))

    def maps(self, task: Task) -> Tensor | None:
        return self.base.maps(task)

    def classifier_input(self, image_size: int) -> tuple[int, int]:
        return self.base.classifier_input(image_size)

    def network(self, classifier: nn.Module) -> nn.Module:
        return self.base.network(classifier)

    def undecayed(self, network: nn.Module) -> Iterable[nn.Parameter]:
        return self.base.undecayed(network)

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.augmentation.transform(images, rng)

    def erase(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.base.erase(images, rng)

    def augment(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return self.base.augment(images, rng)

    def mix(self, batch: Batch, rng: torch.Generator) -> Batch:
        return self.base.mix(batch, rng)

    def begin(self, batch: Batch, rng: torch.Generator) -> Callable[[], Batch]:
        return self.base.begin(batch, rng)

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.base.criterion(logits, targets)

    def identity(self) -> dict[str, object]:
        return {**self.base.identity(), "automatic": self.augmentation.identity()}
