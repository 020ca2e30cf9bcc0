"""Datasets that lie under the data root in one of the layouts of sheets.py."""

from functools import cached_property
from typing import ClassVar

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, data_root
from datasets.sheets import Arrays, Sheets, Source


class StoredDataset(Dataset):
    """A dataset that lies under the data root in one of the two layouts, read once per process."""

    folder: ClassVar[str]

    def find(self) -> Source:
        """Where this dataset lies on disk; raises DataMissing with the way to get it."""
        prepared, shared = data_root() / "prepared" / self.folder, data_root() / self.folder
        if Arrays.at(prepared):
            return Arrays(prepared)
        if Sheets.at(shared):
            return Sheets(shared)
        raise DataMissing(f"{self.name}: no images under {data_root()}; {self.how_to_get()}")

    @cached_property
    def _source(self) -> Source:
        return self.find()

    def class_names(self) -> list[str]:
        names = self._source.class_names()
        if len(names) != self.num_classes:
            folder = self._source.folder
            raise DataCorrupt(f"{folder} names {len(names)} classes, {self.name} has {self.num_classes}; make it anew")
        return names

    @cached_property
    def _train_labels(self) -> np.ndarray:
        return self._source.train_labels()

    def train_labels(self) -> np.ndarray:
        return self._train_labels

    @cached_property
    def _train_pixels(self) -> np.ndarray:
        pixels = self._source.train_pixels()
        if len(pixels) != len(self._train_index):
            folder, count = self._source.folder, len(self._train_index)
            raise DataCorrupt(f"{folder} holds {len(pixels)} training images, not {count}; make it anew")
        return pixels

    @cached_property
    def _train_index(self) -> np.ndarray:
        return self._source.train_index()

    def present(self) -> np.ndarray:
        return self._train_index

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        self.require(indices)
        return np.asarray(self._train_pixels[np.searchsorted(self._train_index, indices)])

    @cached_property
    def _test(self) -> Images:
        return self._source.test()

    def test(self) -> Images:
        return self._test

    def remarks(self) -> list[str]:
        return self._source.remarks()
