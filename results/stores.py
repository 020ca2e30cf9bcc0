"""The stores that a command reads: known without importing any method."""

from dataclasses import dataclass
from pathlib import Path

from results.artifacts import ArtifactRecord, load_artifacts
from results.files import MEASURED
from results.index import Records, load_records


@dataclass(frozen=True)
class Stores:
    """The store that a command writes, and the committed one that is read beside it unless `alone`."""

    own: Path
    alone: bool = False

    def records(self) -> Records:
        return load_records(self.folders())

    def artifacts(self) -> list[ArtifactRecord]:
        """The records of built artifacts, for estimates."""
        return load_artifacts(self.folders())

    def folders(self) -> list[Path]:
        """The stores to read, the one that is written first."""
        return [self.own] if self.alone else [self.own, MEASURED]
