"""Kinds of protocol: what a run does with its subset. `classify` trains a classifier (benchmark/protocol.py); the
others measure something else, each by a module of benchmark/measures of the kind's name."""

from typing import ClassVar, Literal

from benchmark.config import Config
from benchmark.protocol import Protocol, layered, load_preset, make_protocol
from datasets.base import Dataset
from datasets.registry import unknown
from methods.identity import hashed_fields
from results.records import CLASSIFY


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

    def images(self, samples_per_class: int, num_classes: int) -> int:
        """Images that it looks at."""
        raise NotImplementedError

    def steps(self, samples_per_class: int, num_classes: int) -> int:
        """Steps between which it can be stopped."""
        raise NotImplementedError

    def flops(self) -> float:
        """Floating-point operations per image."""
        raise NotImplementedError


_KINDS: dict[str, type[Measure]] = {}


def register_kind(cls: type[Measure]) -> type[Measure]:
    """Adds a kind under its name."""
    _KINDS[cls.kind] = cls
    return cls


def kinds() -> list[str]:
    """The names of all kinds, `classify` first."""
    return [CLASSIFY, *sorted(_KINDS)]


def protocol_of(kind: str) -> type[Protocol] | type[Measure]:
    """The protocol class of a kind; raises BadInput for an unknown one."""
    if kind == CLASSIFY:
        return Protocol
    if kind not in _KINDS:
        raise unknown("measure", kind, kinds())
    return _KINDS[kind]


def metrics_of(kind: str) -> tuple[str, ...]:
    """The metrics that records of a kind have."""
    known = protocol_of(kind)
    return known.metrics if issubclass(known, Measure) else ("top1", "top5", "loss")


def measure_protocol(kind: str, preset: str, dataset: Dataset, changes: dict[str, object]) -> Measure:
    """The protocol of a measure: what the preset spends on it, by size of images and dataset, and over it `changes`."""
    values = layered(load_preset(preset).measures.get(kind, {}), dataset) | changes
    return make_protocol(values, f"preset {preset}", _KINDS[kind])
