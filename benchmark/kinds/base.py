"""What every kind of protocol but `classify` is, and their names."""

from typing import ClassVar, Literal, TypeVar

from benchmark.config import Config
from benchmark.protocol import require_labels
from datasets.base import Dataset
from methods.artifacts import Artifact
from methods.base import Method
from methods.flops import Work
from methods.identity import hashed_fields

M = TypeVar("M", bound="Measure")


class Measure(Config):
    """The protocol of a run that measures something other than a classifier's accuracy; all of it enters its key.

    A kind derives from it and says its metrics, of which the first is what figures and comparisons show.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"

    @property
    def identity(self) -> dict[str, object]:
        """What enters a run's key."""
        return {"kind": self.kind, **hashed_fields(type(self), self.model_dump())}

    @property
    def network(self) -> str:
        """What runs of like cost have in common."""
        return self.kind

    @property
    def missing(self) -> str:
        """What keeps it from running here and how to get it; "" where nothing does. Asked without torch."""
        return ""

    @property
    def conditions(self) -> str:
        """What a caption must say of the numbers, the count of images first of all."""
        raise NotImplementedError

    @classmethod
    def require(cls, method: Method, dataset: Dataset) -> None:
        """Raises BadInput for a resolved method or a dataset that it cannot be of."""
        require_labels(dataset)

    def needs(self, dataset: Dataset, seed: int) -> tuple[Artifact, ...]:
        """The artifacts that it uses besides the method's, behind which they are loaded."""
        return ()

    def images(self, samples_per_class: int, num_classes: int) -> int:
        """Images that it looks at."""
        raise NotImplementedError

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        """Steps between which it can be stopped."""
        raise NotImplementedError

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        """What the whole asks of a machine."""
        raise NotImplementedError


KINDS: dict[str, type[Measure]] = {}


def register_kind(cls: type[M]) -> type[M]:
    """Adds a kind under its name."""
    KINDS[cls.kind] = cls
    return cls
