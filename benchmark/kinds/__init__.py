"""Kinds of protocol: what a run does with its subset. `classify` trains a classifier (benchmark/protocol.py); the
others measure something else, each by a module of benchmark/measures of the kind's name."""

from benchmark.kinds import detection, sets  # noqa: F401  # each registers its kinds
from benchmark.kinds.base import KINDS, Measure
from benchmark.protocol import Protocol, layered, load_preset, make_protocol
from datasets.base import Dataset
from datasets.registry import unknown
from results.records import CLASSIFY


def kinds() -> list[str]:
    """The names of all kinds, `classify` first."""
    return [CLASSIFY, *sorted(KINDS)]


def protocol_of(kind: str) -> type[Protocol] | type[Measure]:
    """The protocol class of a kind; raises BadInput for an unknown one."""
    if kind == CLASSIFY:
        return Protocol
    if kind not in KINDS:
        raise unknown("measure", kind, kinds())
    return KINDS[kind]


def metrics_of(kind: str) -> tuple[str, ...]:
    """The metrics that records of a kind have."""
    known = protocol_of(kind)
    return known.metrics if issubclass(known, Measure) else ("top1", "top5", "loss")


def measure_protocol(kind: str, preset: str, dataset: Dataset, changes: dict[str, object]) -> Measure:
    """The protocol of a measure: what the preset spends on it, by size of images and dataset, and over it `changes`."""
    own = {"padding": dataset.image_size // 8} if "padding" in KINDS[kind].model_fields else {}
    values = own | layered(load_preset(preset).measures.get(kind, {}), dataset) | changes
    return make_protocol(values, f"preset {preset}", KINDS[kind])
