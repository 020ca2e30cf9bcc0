"""STL-10: 5,000 training and 8,000 test images of 96×96 pixels; the 100,000 unlabelled ones are not used."""

import numpy as np

from datasets.base import DataMissing, data_root, register_dataset
from datasets.download import Archive, read_members, stl10_images
from datasets.sheets import Arrays, Sheets, Source, write_arrays
from datasets.stored import StoredDataset

_MEMBERS = ["train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt"]


@register_dataset("stl10", label="STL-10", source="Coates et al., 2011")
class Stl10(StoredDataset):
    num_classes = 10
    image_size = 96
    folder = "stl10"
    archive = Archive("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb")

    def find(self) -> Source:
        # the tile sheets hold derived test labels: they are stl10-part, never the official test set
        prepared = data_root() / "prepared" / self.folder
        if Arrays.at(prepared):
            return Arrays(prepared)
        raise DataMissing(f"{self.name}: the official files are not under {data_root()}; {self.how_to_get()}")

    def prepare(self) -> None:
        folder = data_root() / "prepared" / self.folder
        if not Arrays.at(folder):
            train, train_y, test, test_y, names = read_members(self.archive.fetch(data_root()), _MEMBERS)
            write_arrays(
                folder,
                names.decode().split(),
                train=stl10_images(train),
                train_labels=_labels(train_y),
                test=stl10_images(test),
                test_labels=_labels(test_y),
            )


@register_dataset("stl10-part", label="STL-10 (part)", source="Coates et al., 2011")
class Stl10Part(StoredDataset):
    """2,000 of STL-10's test images with derived labels (about 1% wrong); training labels are official."""

    num_classes = 10
    image_size = 96
    folder = "stl10"
    stands_for = "stl10"
    training_source = "stl10"

    def find(self) -> Source:
        folder = data_root() / self.folder
        if Sheets.at(folder):
            return Sheets(folder)
        raise DataMissing(f"{self.name}: no tile sheets at {folder}; 'stl10' is the official set")


def _labels(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8).astype(np.int64) - 1  # the files count from 1
