"""The stores that a command reads: known without importing what reads them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.paths import real_path
from datasets.registry import BadInput
from results.files import MEASURED

if TYPE_CHECKING:
    from results.artifacts import ArtifactRecord
    from results.index import Records


def store_folder(path: Path) -> Path:
    """The absolute path of a store that a person named; raises BadInput for what is there and is no folder."""
    real = real_path(path)
    if os.path.lexists(real) and not real.is_dir():
        raise BadInput(f"{path} is no folder: a store is one")
    return real


@dataclass(frozen=True)
class Stores:
    """The store that a command writes, and the committed one that is read beside it unless `alone`."""

    own: Path
    alone: bool = False

    def records(self) -> "Records":
        """The records of runs."""
        from results.index import load_records

        return load_records(self.folders())

    def artifacts(self, problems: list[str]) -> "list[ArtifactRecord]":
        """The records of built artifacts, for estimates; what is left out is named in `problems`."""
        from results.artifacts import load_artifacts

        return load_artifacts(self.folders(), problems)

    def folders(self) -> list[Path]:
        """The stores to read, the one that is written first."""
        return [self.own] if self.alone else [self.own, MEASURED]
