"""Bundles: one small file with just the training subsets and test sets that some runs need, to run elsewhere."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, registry, tell_apart
from datasets.bundle_file import FORMAT, BundleMeta, first_line, read_arrays, read_metas
from datasets.files import draft_of
from datasets.registry import BadInput
from datasets.subset import find_subset

_META = ("name", "num_classes", "image_size", "family", "training_source")


class Bundled(Dataset):
    """A dataset as a bundle holds it: the same name and identity, so the same keys, and some of its images."""

    def __init__(self, meta: BundleMeta, arrays: dict[str, np.ndarray], file: Path):
        self._meta, self._arrays, self._file = meta, arrays, file
        self.name = meta.name  # type: ignore[misc]
        self.num_classes, self.image_size = meta.num_classes, meta.image_size
        registered = registry.get(self.name)
        self.label, self.source, self.stands_for = registered.label, registered.source, registered.stands_for  # type: ignore[misc]
        if meta.identity["version"] != registered.version:
            raise BadInput(f"{file} holds version {meta.identity['version']} of {self.name}; export it again")
        self._require_official()

    @property
    def family(self) -> str:
        return self._meta.family

    @property
    def training_source(self) -> str:
        return self._meta.training_source

    @property
    def text(self) -> str:
        return self._meta.text

    @property
    def identity(self) -> dict[str, object]:
        return self._meta.identity

    def class_names(self) -> list[str]:
        return self._meta.class_names

    def _require_official(self) -> None:
        """Raises ValueError where a dataset that its name tells is described otherwise than this program knows it."""
        if self.name != self.text:
            return
        with suppress(DataMissing):  # some classes cannot describe themselves where their data are not
            official = registry.get(self.name)()
            for field in ("identity", "family", "training_source", "num_classes", "image_size"):
                if getattr(self, field) != getattr(official, field):
                    raise ValueError(f"{field} {getattr(self, field)!r} is not that of {self.name}")

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
    metas: list[dict[str, object]] = []
    by_text = {dataset.text: dataset for dataset in datasets}
    tails = tell_apart(text.partition(":")[2] for text in by_text)
    for number, dataset in enumerate(by_text.values()):
        metas.append(_describe(dataset, tails))
        index = np.unique(np.concatenate([find_subset(dataset, size, seed) for size in sizes for seed in seeds]))
        arrays = {"train_labels": dataset.train_labels(), "train_index": index, "train": dataset.train_images(index)}
        if test:
            images, labels = dataset.test()
            arrays |= {"test": np.asarray(images), "test_labels": labels}  # refused where they are decoded on demand
        content |= {f"{number}/{name}": np.asarray(array) for name, array in arrays.items()}
    text = json.dumps({"format": FORMAT, "datasets": metas})
    content["meta"] = np.frombuffer(text.encode(), dtype=np.uint8)
    _write(path, content)
    return [str(meta["text"]) for meta in metas]


def _describe(dataset: Dataset, tails: dict[str, str]) -> dict[str, object]:
    name, colon, argument = dataset.text.partition(":")
    meta = {field: getattr(dataset, field) for field in _META}
    meta |= {"identity": dataset.identity, "class_names": dataset.class_names()}
    return meta | {"text": name + colon + (tails[argument] if argument else "")}


def _write(path: Path, content: dict[str, np.ndarray]) -> None:
    with draft_of(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **content)


@lru_cache(maxsize=4)
def read_bundle(path: Path) -> dict[str, Bundled]:
    """A bundle's datasets by the text that names them; raises DataMissing or DataCorrupt with what to do."""
    if not path.exists():
        raise DataMissing(f"there is no bundle {path}; 'data export' writes one where the data are")
    try:
        return {dataset.text: dataset for dataset in _read(path)}
    except BadInput:
        raise
    except Exception as error:  # zipfile, what it decompresses with, and numpy raise many kinds
        raise DataCorrupt(f"{path} is not a readable bundle ({first_line(error)}); export it again") from error


def _read(path: Path) -> list[Bundled]:
    arrays = read_arrays(path)
    metas = read_metas(arrays.pop("meta"))
    parts = [_part(arrays, number) for number in range(len(metas))]
    for meta, part in zip(metas, parts, strict=True):
        meta.require(part)
    return [Bundled(meta, part, path) for meta, part in zip(metas, parts, strict=True)]


def _part(arrays: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    prefix = f"{number}/"
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
