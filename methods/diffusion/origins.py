"""Where generated images come from on this machine: a folder of ready ones, or a diffusion model's weights.

Neither is named in a method's text, as a dataset's folder is not: the environment says where they are, and what they
hold enters the key.
"""

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from datasets.contents import Contents, read_regular
from datasets.paths import DIFFUSEMIX_IMAGES, WEIGHTS_ROOT, given_path
from datasets.registry import BadInput

MANIFEST, COLUMNS = "manifest.csv", ("file", "class", "source", "prompt")
CHECKSUMS, MODEL = "SHA256SUMS", "instruct-pix2pix"
PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")  # the folders of the model that are read
_READ = (".json", ".txt", ".safetensors")  # never .bin or .ckpt: they are pickles
_NEEDED = ("text_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model")

_contents = Contents()  # a process asks for the same files often


class ReadyImage(NamedTuple):
    """A line of a manifest: an image, and the training image (as `Dataset.describe` names it) it was made from."""

    file: Path
    label: str
    source: str
    prompt: str
    where: str  # for messages

    def read(self) -> bytes:
        """The file's bytes; raises DataChanged where they are not those that the manifest was read with."""
        return _contents.read(self.file)


@dataclass(frozen=True)
class ReadyImages:
    """A folder of generated images with its manifest, in the manifest's order."""

    images: tuple[ReadyImage, ...]
    content: str

    @property
    def text(self) -> str:
        return f"images@{self.content}"

    @classmethod
    def at(cls, folder: Path) -> "ReadyImages":
        """Reads a manifest and hashes every image of it; raises BadInput that names the line which is wrong."""
        manifest, seen, digest = folder / MANIFEST, dict[bytes, str](), hashlib.sha256()
        images = tuple(_lines(manifest))
        for image in images:
            content = _contents.sha256(image.file)
            if other := seen.get(content):
                raise BadInput(f"{image.where}: {image.file.name} is the same image as that of {other}")
            seen[content] = image.where.removeprefix(f"{manifest} ")
            named = "\n".join((image.label, image.source, image.prompt, ""))
            digest.update(named.encode(errors="surrogateescape") + content)
        if not images:
            raise BadInput(f"{manifest} names no image")
        return cls(images, digest.hexdigest()[:16])


@dataclass(frozen=True)
class Weights:
    """InstructPix2Pix as diffusers keeps it: a folder for each of PARTS, and the checksums of their files."""

    folder: Path
    sums: tuple[tuple[str, str], ...]  # file and sha256, by name

    @property
    def text(self) -> str:
        listed = "".join(f"{checksum}  {name}\n" for name, checksum in self.sums)
        return f"weights@{hashlib.sha256(listed.encode()).hexdigest()[:16]}"

    @classmethod
    def at(cls, folder: Path) -> "Weights":
        """Reads the checksums, not yet the files; raises BadInput that says what is missing."""
        if not folder.is_dir():
            raise BadInput(f"{folder} is not there: put InstructPix2Pix's weights there (docs/generators.md)")
        if not (folder / CHECKSUMS).exists():
            raise BadInput(f"{folder} has no {CHECKSUMS}: docs/generators.md has the command that writes it")
        lines = read_regular(folder / CHECKSUMS).decode(errors="surrogateescape").splitlines()
        sums = {name: checksum for name, checksum in sorted(map(_checksum, lines)) if _is_read(name)}
        if absent := [name for name in _NEEDED if f"{name}.safetensors" not in sums]:
            raise BadInput(f"{folder / CHECKSUMS} lists no {absent[0]}.safetensors; other formats are not read")
        return cls(folder, tuple(sums.items()))

    def verify(self) -> None:
        """Raises BadInput unless every file that is read has the sha256 that is listed."""
        listed = dict(self.sums)
        found = sorted(path for part in PARTS for path in (self.folder / part).rglob("*") if path.suffix in _READ)
        names = [path.relative_to(self.folder).as_posix() for path in found]
        if strange := sorted(set(names) ^ set(listed)):
            raise BadInput(f"{self.folder / strange[0]} is not both there and in {CHECKSUMS}")
        for path, name in zip(found, names, strict=True):
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != listed[name]:
                    raise BadInput(f"{path} has not the sha256 that {CHECKSUMS} lists")


Origin = ReadyImages | Weights


def find_origin() -> Origin:
    """The folder of ready images where one is named, else the weights; raises BadInput that says how to get either."""
    if folder := os.environ.get(DIFFUSEMIX_IMAGES):
        return ReadyImages.at(given_path(folder))
    if not (root := os.environ.get(WEIGHTS_ROOT)):
        raise BadInput(
            f"needs InstructPix2Pix's weights in ${WEIGHTS_ROOT}/{MODEL}, or ${DIFFUSEMIX_IMAGES}, a folder of"
            " generated images (docs/generators.md)"
        )
    weights = Weights.at(given_path(root) / MODEL)
    if absent := [name for name in ("diffusers", "transformers") if find_spec(name) is None]:
        raise BadInput(f"{absent[0]} is not installed: pip install -e '.[diffusion]'")
    return weights


def require_origin(text: str) -> Origin:
    """The origin of this machine, if it is the one that a key stands for; raises BadInput otherwise."""
    if (found := find_origin()).text != text:
        raise BadInput(f"generated images here are of {found.text}, not of {text}, which was planned")
    return found


def _lines(manifest: Path) -> Iterator[ReadyImage]:
    """The images of a manifest, line by line."""
    for number, row in _table(manifest):
        where = f"{manifest} line {number}"
        if empty := [name for name in COLUMNS if not row[name].strip()]:
            raise BadInput(f"{where}: no {empty[0]}")
        yield ReadyImage(
            _inside(manifest.parent, row["file"], where), row["class"], row["source"], row["prompt"], where
        )


def _table(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a manifest with their lines' numbers; raises BadInput for what is no such table."""
    text = read_regular(manifest).decode("utf-8-sig", errors="surrogateescape")
    table = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        if absent := [name for name in COLUMNS if name not in (table.fieldnames or ())]:
            raise BadInput(f"{manifest} has no column '{absent[0]}'; it needs {', '.join(COLUMNS)}")
        yield from ((table.line_num, row) for row in table)
    except csv.Error as error:
        raise BadInput(f"{manifest} line {table.line_num} cannot be read ({error})") from error


def _inside(folder: Path, name: str, where: str) -> Path:
    """The path of a file that a manifest names; raises BadInput unless it is there and below the manifest's folder."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BadInput(f"{where}: {name} is not below {folder}")
    if not (folder / name).exists():
        raise BadInput(f"{where}: {folder / name} is not there")
    return folder / name


def _is_read(name: str) -> bool:
    return name.partition("/")[0] in PARTS and name.endswith(_READ)


def _checksum(line: str) -> tuple[str, str]:
    """File and sha256 of a line of sha256sum's."""
    checksum, _, name = line.partition(" ")
    return name.strip().removeprefix("*").removeprefix("./"), checksum
