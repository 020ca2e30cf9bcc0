"""Bundles: one small file with just the training subsets and test sets that some runs need, to run elsewhere."""

import io
import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, registry, tell_apart
from datasets.registry import BadInput
from datasets.subset import find_subset

_FORMAT = 1
_META = ("name", "num_classes", "image_size", "family", "training_source")
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)  # what reading a bad file raises


class Bundled(Dataset):
    """A dataset as a bundle holds it: the same name and identity, so the same keys, and some of its images."""

    def __init__(self, meta: dict, arrays: dict[str, np.ndarray], file: Path):
        self._meta, self._arrays, self._file = meta, arrays, file
        self.name = meta["name"]  # type: ignore[misc]
        self.num_classes, self.image_size = meta["num_classes"], meta["image_size"]
        registered = registry.get(self.name)
        self.label, self.source, self.stands_for = registered.label, registered.source, registered.stands_for  # type: ignore[misc]
        if meta["identity"]["version"] != registered.version:
            raise BadInput(f"{file} holds version {meta['identity']['version']} of {self.name}; export it again")

    @property
    def family(self) -> str:
        return self._meta["family"]

    @property
    def training_source(self) -> str:
        return self._meta["training_source"]

    @property
    def text(self) -> str:
        return self._meta["text"]

    @property
    def identity(self) -> dict[str, object]:
        return self._meta["identity"]

    def class_names(self) -> list[str]:
        return self._meta["class_names"]

    def train_labels(self) -> np.ndarray:
        return self._arrays["train_labels"].astype(np.int64)

    def present(self) -> np.ndarray:
        return self._arrays["train_index"]

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        self.require(indices)
        return self._arrays["train"][np.searchsorted(self.present(), indices)]

    def test(self) -> Images:
        if "test" not in self._arrays:
            raise DataMissing(f"{self.name}: {self._file} holds no test images; export it with --test")
        return Images(self._arrays["test"], self._arrays["test_labels"].astype(np.int64))

    def how_to_get(self) -> str:
        return f"{self._file} was exported without them: 'data export' with these sizes and seeds where the data are"


def export(
    datasets: Iterable[Dataset], sizes: Sequence[int], seeds: Sequence[int], test: bool, path: Path
) -> list[str]:
    """Writes the subsets of all sizes and seeds, and with `test` the test sets, into one .npz file.

    Returns what the datasets are called in it: a folder by its last part, or by as many as tell it from the others.
    """
    content: dict[str, np.ndarray] = {}
    metas = []
    by_text = {dataset.text: dataset for dataset in datasets}
    tails = tell_apart(text.partition(":")[2] for text in by_text)
    for number, dataset in enumerate(by_text.values()):
        metas.append(_describe(dataset, tails))
        index = np.unique(np.concatenate([find_subset(dataset, size, seed) for size in sizes for seed in seeds]))
        arrays = {"train_labels": dataset.train_labels(), "train_index": index, "train": dataset.train_images(index)}
        if test:
            arrays["test"], arrays["test_labels"] = dataset.test()
        content |= {f"{number}/{name}": np.asarray(array) for name, array in arrays.items()}
    text = json.dumps({"format": _FORMAT, "datasets": metas})
    content["meta"] = np.frombuffer(text.encode(), dtype=np.uint8)
    _write(path, content)
    return [str(meta["text"]) for meta in metas]


def _describe(dataset: Dataset, tails: dict[str, str]) -> dict[str, object]:
    name, colon, argument = dataset.text.partition(":")
    meta = {field: getattr(dataset, field) for field in _META}
    meta |= {"identity": dataset.identity, "class_names": dataset.class_names()}
    return meta | {"text": name + colon + (tails[argument] if argument else "")}


def _write(path: Path, content: dict[str, np.ndarray]) -> None:
    memory = io.BytesIO()
    np.savez_compressed(memory, allow_pickle=False, **content)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(memory.getvalue())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@lru_cache(maxsize=4)
def read_bundle(path: Path) -> dict[str, Bundled]:
    """A bundle's datasets by the text that names them; raises DataMissing or DataCorrupt with what to do."""
    if not path.exists():
        raise DataMissing(f"there is no bundle {path}; 'data export' writes one where the data are")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        value = json.loads(arrays.pop("meta").tobytes())
        metas = value["datasets"] if value["format"] == _FORMAT else _refuse(value["format"])
        return {meta["text"]: Bundled(meta, _part(arrays, number), path) for number, meta in enumerate(metas)}
    except BadInput:
        raise
    except _DAMAGE as error:
        raise DataCorrupt(f"{path} is not a readable bundle ({error}); export it again") from error


def _part(arrays: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    prefix = f"{number}/"
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _refuse(found: object) -> list:
    raise ValueError(f"format {found}, this program reads {_FORMAT}")
