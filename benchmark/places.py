"""Where runs and artifacts lie in a store: readable folders that end in the key. A key has one place."""

import re
from pathlib import Path
from typing import Any

from datasets.registry import BadInput
from methods.base import Method
from methods.compose import Composition
from methods.registry import format_method, make_method, registry
from results.artifacts import ArtifactRecord
from results.records import CLASSIFY, Record, RecordError, canonical

_LONGEST_NAME = 80  # characters of a folder; the key tells apart what is cut


def run_folder(kind: str, dataset: str, samples_per_class: int, method: str, seed: int, key: str) -> Path:
    """A run's folder inside a store; kind: of its protocol; method: as `method_folder` has it."""
    above = () if kind == CLASSIFY else ("measures", kind)
    return Path(*above, dataset, f"n{samples_per_class}", method, f"seed{seed}-{key}")


def artifact_folder(recipe: str, source: str, samples_per_class: int, seed: int, key: str) -> Path:
    """An artifact's folder inside a store; source: the training source."""
    shown = _folder(source)[:_LONGEST_NAME]
    return Path("artifacts", recipe, shown, f"n{samples_per_class}", f"seed{seed}-{key}")


def method_folder(method: Method) -> str:
    """A method's text as a folder's name; where parameters are cut off, an augmentation behind it is not."""
    text = _folder(format_method(method))
    if len(text) <= _LONGEST_NAME:
        return text
    first = method.name.partition("+")[0]
    return (method.name + text.removeprefix(first))[:_LONGEST_NAME]


def _folder(text: str) -> str:
    return re.sub(r"[^a-z0-9.=+-]+", "_", text.lower()).strip("_")


def place_of_run(record: Record, found: Path) -> Path:
    """Where the run of a record would write its own, inside a store; raises RecordError where no run could be so.

    found: the folder that the record lies in. The method's part of it is kept where this program has no such method.
    """
    run = record.run
    try:
        method = method_of(run["method"])
        known = canonical(method.identity) == canonical(run["method"])  # as JSON, where a tuple is a list
    except (BadInput, KeyError, TypeError, AttributeError):
        known = False
    name = method_folder(method) if known else found.parent.name
    numbers = run["samples_per_class"], name, run["seed"], record.key
    return _safe(run_folder(record.kind, run["dataset"]["name"], *numbers), 4 if record.kind == CLASSIFY else 6)


def method_of(identity: dict[str, Any]) -> Method:
    """The method of a record's identity; raises BadInput, among others, where this program has no such method."""
    method = make_method(registry.get(identity["name"]), identity["parameters"])
    return Composition(method, method_of(identity["automatic"])) if "automatic" in identity else method


def place_of_artifact(record: ArtifactRecord) -> Path:
    """Where the building of an artifact would write its record, inside a store; raises RecordError for no artifact."""
    try:
        recipe, source = record.artifact["recipe"]["name"], record.artifact["source"]
        numbers = record.artifact["samples_per_class"], record.artifact["seed"]
    except (KeyError, TypeError) as error:
        raise RecordError(f"it does not say what artifact it is of ({error})") from error
    if [type(value) for value in (recipe, source, *numbers)] != [str, str, int, int]:
        raise RecordError("it does not say what artifact it is of")
    return _safe(artifact_folder(recipe, source, *numbers, record.key), 5)


def _safe(place: Path, depth: int) -> Path:
    """The place, if it is one of that many plain names: what a record from elsewhere says leads out of no store."""
    plain = all(part.isprintable() and not part.startswith(".") for part in place.parts)
    if place.is_absolute() or len(place.parts) != depth or not plain:
        raise RecordError(f"{str(place)!r} is no folder of a store")
    return place
