"""The record of an artifact: what was trained, at what cost, and the checksum of its tensors."""

import hashlib
from collections.abc import Iterable
from glob import escape
from pathlib import Path
from typing import Any

from results.files import Verify, write_json
from results.reader import RecordError, read_content
from results.records import Count, Environment, Finite, Keyed, read_checked

ARTIFACT, TENSORS, SAMPLES = "artifact.json", "artifact.safetensors", "samples.png"
LARGEST_TENSORS = 2**34  # bytes; a generator at the papers' width has 2**26


class ArtifactRecord(Keyed):
    """Everything that made an artifact. `artifact` is the hashed identity: recipe, training source, size, seed.

    losses: means over the last line of history.csv; tensors_sha256: of the safetensors file beside the record;
    prepare_seconds: what setting up the training took, which is mostly the segmentation of precomputed images.
    """

    artifact: dict[str, Any]
    preset: str
    losses: dict[str, Finite]
    subset_sha256: str
    tensors_sha256: str
    steps: Count
    train_seconds: Finite
    images_per_second: Finite
    resumed: Count
    finished: str
    environment: Environment
    warnings: list[str]
    prepare_seconds: Finite = 0.0

    @property
    def identity(self) -> dict[str, Any]:
        return self.artifact


def write_artifact(folder: Path, record: ArtifactRecord, verify: Verify | None = None) -> None:
    """Writes the record of an artifact's folder, after its tensors: its presence is what "built" means."""
    write_json(folder / ARTIFACT, record.model_dump(by_alias=True), verify)


def read_artifact(path: Path) -> ArtifactRecord:
    """The artifact's record in a file; raises RecordError for anything but a whole one under its key."""
    return read_checked(path, ArtifactRecord)


def read_tensors(folder: Path) -> bytes:
    """The safetensors file of a built artifact; raises RecordError unless it is the one that was recorded,
    Unreadable where it may be."""
    record = read_artifact(folder / ARTIFACT)
    content = read_content(folder / TENSORS, LARGEST_TENSORS)
    check_tensors(content, record, folder / TENSORS)
    return content


def check_tensors(content: bytes, record: ArtifactRecord, path: Path) -> None:
    """Raises RecordError, with the path, unless a file's content is what the record was written of."""
    if hashlib.sha256(content).hexdigest() != record.tensors_sha256:
        raise RecordError(f"{path} is not the file that its record describes")


def artifact_files(stores: Iterable[Path], key: str = "") -> list[Path]:
    """The artifact records of several stores whose keys begin with `key`."""
    pattern = f"artifacts/*/*/*/*-{escape(key)}*/{ARTIFACT}"
    return [path for store in stores for path in sorted(store.glob(pattern))]


def load_artifacts(stores: Iterable[Path], problems: list[str]) -> list[ArtifactRecord]:
    """The artifact records of several stores; those that cannot be trusted are left out and named in `problems`."""
    found = []
    for path in artifact_files(stores):
        try:
            found.append(read_artifact(path))
        except RecordError as error:
            problems.append(f"{path}: {error}")
    return found
