"""Records: one JSON file per finished run, its schema, and a reader that trusts nothing."""

import hashlib
import json
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from datasets.registry import LARGEST_INTEGER
from results.files import FAILURE, RECORD, Verify, write_json
from results.reader import RecordError as RecordError
from results.reader import Unreadable as Unreadable
from results.reader import first_fault, json_object, read_content

SCHEMA = 1
CLASSIFY = "classify"  # the kind of protocol that says no kind
KEY_LENGTH = 12
LARGEST = 2**20  # bytes of a record file; a whole one has about 2,000

Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Percent = Annotated[float, Field(ge=0, le=100)]


def _identified(run: dict[str, Any]) -> dict[str, Any]:
    """A run's identity, if it has what every reader of records relies on."""
    for *path, kind in _RELIED_ON:
        value: Any = run
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if type(value) is not kind:
            raise ValueError(f"{'.'.join(path)} must be of type {kind.__name__}")
    for name, least in (("seed", 0), ("samples_per_class", 1)):
        if not least <= run[name] <= LARGEST_INTEGER:
            raise ValueError(f"{name} must be from {least} to {LARGEST_INTEGER}")
    named = "network" if "kind" not in run["protocol"] else "kind"
    if type(run["protocol"].get(named)) is not str:
        raise ValueError(f"protocol.{named} must be of type str")
    return run


_RELIED_ON: tuple[tuple, ...] = (
    ("dataset", "name", str),
    ("samples_per_class", int),
    ("seed", int),
    ("method", "name", str),
    ("protocol", dict),
)


def kind_of(run: dict[str, Any]) -> str:
    """The kind of protocol of a run's identity."""
    return run["protocol"].get("kind", CLASSIFY)


def dataset_id(dataset: dict[str, Any]) -> str:
    """What tells a dataset from all others, given its identity: its name, and of one's own images their hash too."""
    content = dataset.get("content")
    return f"{dataset['name']}@{content}" if content else str(dataset["name"])


class RecordPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Keyed(RecordPart):
    """A record of any kind: `key` is the hash of its identity."""

    schema_version: Literal[1] = Field(alias="schema")
    key: str

    @property
    def identity(self) -> dict[str, Any]:
        raise NotImplementedError

    @cached_property
    def canonical(self) -> str:
        """The text that is hashed; raises ValueError for an identity that holds an infinite number."""
        return canonical(self.identity)


R = TypeVar("R", bound=Keyed)


class Metrics(RecordPart):
    """Of a classifier. top1 and top5 in percent, loss: mean cross-entropy over the test set."""

    top1: Percent
    top5: Percent
    loss: Finite
    test_images: Annotated[Count, Field(ge=1)]


class Environment(RecordPart):
    """Where and with what a run was made; peak_memory in MiB.

    nice: the process's priority as the system counts it; above 0 it gave way to other work, so that its wall times
    say nothing about speed and no estimate is made from them. deterministic: whether a GPU was told to repeat its
    bits, from the first step on (what cannot is in the record's `warnings`). tf32: whether a GPU may have rounded fp32
    to TF32; None on a CPU, and in records older than the field.
    """

    host: str
    device: str
    device_type: Literal["cpu", "cuda"]
    threads: Count
    precision: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    peak_memory: Finite
    nice: Annotated[int, Field(ge=-20, le=20)] = 0
    deterministic: bool = False
    tf32: bool | None = None


_OfClassifier = Annotated[Metrics, Tag("classifier")]
_Named = Annotated[dict[str, Finite], Field(min_length=1), Tag("named")]


def _which(metrics: object) -> str:
    """Which of the two forms of metrics a value is meant to be; `_of_its_kind` says which it must be."""
    named = isinstance(metrics, dict) and not metrics.keys() & Metrics.model_fields.keys()
    return "named" if named else "classifier"


class Record(Keyed):
    """Everything that made a number. `run` is the hashed identity: dataset, size, method, seed, protocol.

    metrics: a classifier's, or those of another kind of protocol by name (results/metrics.py).
    weights_sha256: of what was trained, or of what a measure looks at images with.
    artifacts: keys of the artifacts it used; prepare_seconds: what loading them and segmenting images took.
    images: where one's own were, as a command names them; "" of named datasets, and in records older than the field.
    predictions_sha256: of the file of predictions beside it; "" where there is none, and in older records.
    """

    run: Annotated[dict[str, Any], AfterValidator(_identified)]
    row: str
    preset: str
    metrics: Annotated[_OfClassifier | _Named, Discriminator(_which)]
    subset_sha256: str
    weights_sha256: str
    steps: Count
    train_seconds: Finite
    eval_seconds: Finite
    images_per_second: Finite
    resumed: Count
    finished: str
    environment: Environment
    warnings: list[str]
    artifacts: Annotated[list[str], Field(default_factory=list)]
    prepare_seconds: Finite = 0.0
    images: str = ""
    predictions_sha256: str = ""

    @model_validator(mode="after")
    def _of_its_kind(self) -> "Record":
        if isinstance(self.metrics, Metrics) != (self.kind == CLASSIFY):
            raise ValueError(f"metrics are not those of a run of kind {self.kind:.20}")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        return self.run

    @property
    def kind(self) -> str:
        return kind_of(self.run)

    @property
    def values(self) -> dict[str, float]:
        """The metrics by name, as far as tables know them."""
        return self.metrics.model_dump(exclude={"test_images"}) if isinstance(self.metrics, Metrics) else self.metrics

    @property
    def seed(self) -> int:
        return self.run["seed"]


canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_VERSION = re.compile(r',"version":[^,{}\[\]]*')  # never the first of its object, where a name stands


def key_of(identity: dict[str, Any]) -> str:
    """The first 12 hex digits of sha256 over a run's identity as canonical JSON."""
    return _digest(canonical(identity))


def slot_of(identity: dict[str, Any]) -> str:
    """The key without versions: two identities in one slot differ at most in the version of dataset or method."""
    return slot_of_text(canonical(identity))


def slot_of_text(text: str) -> str:
    """The slot of an identity given as canonical JSON."""
    return _digest(_VERSION.sub("", text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def write_record(folder: Path, record: Record, verify: Verify | None = None) -> None:
    """Writes the record of a run folder, last and atomically: its presence is what "done" means."""
    write_json(folder / RECORD, record.model_dump(by_alias=True), verify)
    (folder / FAILURE).unlink(missing_ok=True)


def read_record(path: Path | str) -> Record:
    """The record in a file; raises RecordError for anything but a whole record of this version, under its key."""
    return read_checked(path, Record)


def read_checked(path: Path | str, model: type[R]) -> R:
    """A record of some kind; raises RecordError for anything but a whole one of this version, under its key."""
    return check(read_content(path, LARGEST), os.path.basename(os.path.dirname(path)), model)


def check(content: bytes, folder: str, model: type[R]) -> R:
    """The record that a file's content is, in a folder of that name; raises as `read_checked` does."""
    value = json_object(content)
    if type(value.get("schema")) is not int or value["schema"] != SCHEMA:
        raise RecordError(f"schema version {value.get('schema')!r:.20}, this program reads {SCHEMA}")
    return _validated(value, folder, model)


def _validated(value: dict[str, Any], folder: str, model: type[R]) -> R:
    try:
        record = model.model_validate(value)
        key = _digest(record.canonical)
    except ValidationError as error:
        raise RecordError(first_fault(error)) from error
    except ValueError as error:  # 1e999 is infinite, and what is hashed may hold no such number
        raise RecordError(f"its content has no key: {error}") from error
    if key != record.key:
        raise RecordError(f"its content has key {key}, it says {record.key}")
    if not folder.endswith(record.key):
        raise RecordError(f"its folder must end in its key {record.key}")
    return record
