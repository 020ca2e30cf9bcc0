"""What a bundle's file must hold, checked before any of it is used: it may come from anywhere, by any way."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from datasets.checks import require_images, require_integers, require_labels
from datasets.contents import read_regular
from datasets.options import divide_text

FORMAT = 1
_LARGEST = 2**34  # bytes of all arrays; CIFAR's 60,000 images have 2**28
_HEADER = 10_000  # characters of an array's header, as numpy limits it
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class BundleMeta(BaseModel):
    """What a bundle says of one dataset besides its arrays; the fields are those of datasets.base.Dataset."""

    model_config = ConfigDict(strict=True)

    name: str
    num_classes: PositiveInt
    image_size: PositiveInt
    family: str
    training_source: str
    identity: dict[str, Any]
    class_names: list[str]
    text: str

    def require(self, arrays: dict[str, np.ndarray]) -> None:
        """Raises ValueError, or KeyError for a missing array, unless they are the images of this one dataset."""
        self._require_one_name()
        labels, index = arrays["train_labels"], arrays["train_index"]
        require_integers("train_labels", labels)
        require_integers("train_index", index)
        if not np.array_equal(np.unique(labels), np.arange(self.num_classes)):
            raise ValueError(f"train_labels are not those of {self.num_classes} classes")
        if (np.diff(index.astype(np.int64), prepend=-1, append=len(labels)) < 1).any():
            raise ValueError(f"train_index is no ascending list of positions below {len(labels)}")
        require_images("train", arrays["train"], len(index), self.image_size)
        if "test" in arrays or "test_labels" in arrays:
            self._require_test(arrays["test"], arrays["test_labels"])

    def _require_one_name(self) -> None:
        known = divide_text(self.text)[0], self.identity.get("name")
        if known != (self.name, self.name) or type(self.identity.get("version")) is not int:
            raise ValueError(f"{self.text} has the name {self.name} and the identity {self.identity}")
        if self.text != self.name and self.training_source != f"{self.name}@{self.identity.get('content')}":
            raise ValueError(f"{self.text} has the training source {self.training_source}, not that of its identity")
        if len(self.class_names) != self.num_classes:
            raise ValueError(f"{len(self.class_names)} names for {self.num_classes} classes")

    def _require_test(self, images: np.ndarray, labels: np.ndarray) -> None:
        require_labels("test_labels", labels, self.num_classes)
        require_images("test", images, len(labels), self.image_size)


def read_metas(content: np.ndarray) -> list[BundleMeta]:
    """What the array `meta` says of the datasets, in the order of their numbers; raises ValueError."""
    value = json.loads(content.tobytes())
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']}, this program reads {FORMAT}")
    metas = [BundleMeta.model_validate(meta) for meta in value["datasets"]]
    if len({meta.text for meta in metas}) < len(metas):
        raise ValueError("two of its datasets have one name")
    return metas


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, none of them larger than the bytes that are there for it.

    Raises DataCorrupt where the file cannot be read just now (it may be whole), ValueError for another content, and
    what zipfile and its decompressors raise for a damaged or encrypted one.
    """
    if not path.is_file():
        raise ValueError("not a regular file")
    with zipfile.ZipFile(io.BytesIO(read_regular(path))) as file:
        members = file.infolist()
        if sum(member.file_size for member in members) > _LARGEST:
            raise ValueError(f"it says that it holds more than {_LARGEST} bytes")
        return {member.filename.removesuffix(".npy"): _array(file.read(member)) for member in members}


def _array(content: bytes) -> np.ndarray:
    """The array in an .npy file; the size that its header tells is looked at before memory is taken for it."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"an array of format {version}")
    shape, by_columns, dtype = _HEADERS[version](file, max_header_size=_HEADER)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    array = np.frombuffer(content, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if by_columns else "C")


def first_line(error: Exception) -> str:
    """What an error says, in one line that a terminal can show."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error).partition("\n")[0])
    return f"it lacks {text}" if isinstance(error, KeyError) else text or type(error).__name__
