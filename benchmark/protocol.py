"""Presets to protocols: the resolved hyperparameters of one run."""

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from benchmark.config import Config, load_named, load_yaml
from benchmark.selection import PRESETS
from datasets.base import Dataset, named_datasets, registry
from datasets.boxes import BoxDataset
from datasets.paths import is_file_name
from datasets.registry import BadInput, unknown, with_plugged
from methods.base import Method
from methods.epochs import Epochs
from methods.identity import AsBefore, hashed_fields

C = TypeVar("C", bound=Config)

_LARGE = 64  # pixels; wider images get the preset's `large` protocol

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Protocol(Config, Epochs):
    """The hyperparameters of one run, all of which enter its key (FIDELITY section 1 in docs/fidelity.md).

    network: wrn-<depth>-<width>, timm/<name> or torchvision/<name>; dropout: of wrn alone.
    images_per_class: an epoch shows every image max(images_per_class // samples_per_class, 1) times.
    padding: pixels by which a crop may leave the image. precision: `auto` is bf16 where the hardware has it, else
    fp32, on CPUs and GPUs alike; ChimeraMix's code has fp16 on its GPUs, which auto never takes.
    schedule: of learning_rate, which is the highest; `onecycle` also lets momentum dip
    (benchmark/training/schedule.py).
    """

    network: str
    dropout: Share
    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]  # batch norm needs two
    images_per_class: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Share
    weight_decay: Annotated[float, Field(ge=0)]
    padding: Annotated[int, Field(ge=0)]
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    nesterov: Annotated[bool, AsBefore(True)] = True
    schedule: Annotated[Literal["cosine", "onecycle"], AsBefore("cosine")] = "cosine"

    kind: ClassVar[str] = "classify"  # benchmark/kinds/ has the others
    missing: ClassVar[str] = ""  # what keeps it from running here: nothing
    conditions: ClassVar[str] = "after the last epoch"

    @classmethod
    def require(cls, method: Method, dataset: Dataset) -> None:
        """Raises BadInput for a dataset that a classifier cannot learn from."""
        require_labels(dataset)

    @property
    def identity(self) -> dict[str, object]:
        """What enters a run's key."""
        return hashed_fields(type(self), self.model_dump())


def require_labels(dataset: Dataset) -> None:
    """Raises BadInput for a dataset whose images have boxes and no labels of their own."""
    if isinstance(dataset, BoxDataset):
        dataset.refuse()


def usable_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _known_field(name: str) -> str:
    return name if name in Protocol.model_fields else _refuse("protocol field", name, Protocol.model_fields)


def _known_layer(name: str) -> str:
    known = ["small", "large", *registry.entries()]
    return name if name in known else _refuse("dataset in protocols", name, known)


def _refuse(kind: str, name: str, known: Iterable[str]) -> NoReturn:
    raise unknown(kind, name, known)


Layer = Annotated[str, AfterValidator(_known_layer)]
FieldName = Annotated[str, AfterValidator(_known_field)]


class Preset(Config):
    """How much is spent: protocols for small (up to 64 pixels) and large images, then changes by dataset.

    budgets: by kind of artifact, values for the method parameters that are None, in the same layers; `scattering`
    is what that method's own protocol becomes. measures: by kind of protocol (benchmark/kinds/), its fields, in the
    same layers.
    """

    description: str
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["all"]
    protocols: dict[Layer, dict[FieldName, int | float | str]]
    budgets: dict[str, dict[Layer, dict[str, int | float]]] = {}
    measures: dict[str, dict[Layer, dict[str, int | float | str]]] = {}

    def cpu_threads(self) -> int:
        """CPU threads of one run."""
        return usable_cores() if self.threads == "all" else self.threads


_planned: dict[str, Preset] = {}  # files of people's own, by path, as they were when this process's jobs were planned


@lru_cache(maxsize=16)
def load_preset(name: str) -> Preset:
    """The preset `name`, or of a file; raises BadInput for an unknown name or a malformed file."""
    return _planned.get(name) or load_named("preset", name, Preset, *with_plugged("presets", PRESETS))


def planned_preset(name: str) -> Preset | None:
    """What travels with a job: the preset of a person's own file, which may change before the job starts."""
    return load_preset(name) if is_file_name(name) else None


def use_planned(name: str, preset: Preset) -> None:
    """From now on this process takes a file's preset to be what it was when its jobs were planned."""
    if _planned.get(name) != preset:
        forget_presets()
        _planned[name] = preset


def forget_presets() -> None:
    """Files are read anew."""
    _planned.clear()
    load_preset.cache_clear()
    resolve_budgets.cache_clear()


def changed_since(name: str) -> str:
    """A line where a preset's file is no longer what this process's jobs were planned with; else nothing."""
    if (planned := _planned.get(name)) is None:
        return ""
    try:
        same = load_yaml(Path(name), Preset) == planned
    except BadInput:
        same = False
    return "" if same else f"{name} changed after this was planned; it is done as it was planned"


def resolve_protocol(preset: str, dataset: Dataset, changes: dict[str, object]) -> Protocol:
    """The protocol of `preset` on `dataset`, with `changes` (a method's, then --set protocol.field=value) on top."""
    values = {"padding": dataset.image_size // 8} | layered(load_preset(preset).protocols, dataset)
    return make_protocol(values | changes, f"preset {preset}")


@lru_cache(maxsize=256)
def resolve_budgets(preset: str, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What `preset` spends on each kind of artifact that methods train on `dataset`, as `kind`.

    And on every other named dataset, as `kind@name`, for runs that use an artifact of that one.
    """
    budgets = load_preset(preset).budgets
    others = {f"{kind}@{other.text}": layered(budgets[kind], other) for kind in budgets for other in named_datasets()}
    return others | {kind: layered(layers, dataset) for kind, layers in budgets.items()}


def layered(values: Mapping[str, Mapping[str, Any]], dataset: Dataset) -> dict[str, Any]:
    """The values for the size of images, then for the dataset's family, then for the dataset itself."""
    layers = ["large" if dataset.image_size > _LARGE else "small", dataset.family, dataset.name]
    return {name: value for layer in dict.fromkeys(layers) for name, value in values.get(layer, {}).items()}


def run_protocol(
    method: Method, preset: str, dataset: Dataset, samples_per_class: int, changes: Mapping[str, object] | None = None
) -> Protocol:
    """The protocol of a resolved method's run: the preset's, over it the method's own, over both `changes`."""
    own = method.protocol(samples_per_class * dataset.num_classes, resolve_budgets(preset, dataset))
    return resolve_protocol(preset, dataset, own | dict(changes or {}))


def make_protocol(values: dict[str, Any], origin: str, model: type[C] = Protocol) -> C:  # type: ignore[assignment]
    """A checked protocol of some kind; raises BadInput that names `origin` and the field."""
    for name in values:
        if name not in model.model_fields:
            _refuse("protocol field", name, model.model_fields)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{origin}: protocol.{first['loc'][0]}: {first['msg']}") from error
