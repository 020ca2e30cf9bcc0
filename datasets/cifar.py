"""CIFAR-10 and CIFAR-100, their cleaned test sets (ciFAIR), and the nearest thing to ciFAIR without its files."""

import hashlib
import pickle
from functools import cached_property
from typing import ClassVar

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, data_root, register_dataset
from datasets.download import Archive, cifar_batch, read_members
from datasets.sheets import Arrays, Sheets, write_arrays
from datasets.stored import StoredDataset


class Cifar(StoredDataset):
    """CIFAR of `num_classes` classes: 50,000 training and 10,000 test images of 32×32 pixels."""

    image_size = 32
    archive: ClassVar[Archive]
    train_files: ClassVar[list[str]]
    test_file: ClassVar[str]
    meta_file: ClassVar[str]
    names_key: ClassVar[str]

    def prepare(self) -> None:
        prepared = data_root() / "prepared" / self.folder
        if not Arrays.at(prepared):
            members = [*self.train_files, self.test_file, self.meta_file]
            *batches, meta = read_members(self.archive.fetch(data_root()), members)
            *train, (test, test_labels) = map(cifar_batch, batches)
            images, labels = (np.concatenate(part) for part in zip(*train, strict=True))
            classes = pickle.loads(meta, encoding="latin1")[self.names_key]  # noqa: S301 - md5 was checked
            write_arrays(prepared, classes, train=images, train_labels=labels, test=test, test_labels=test_labels)


@register_dataset("cifar10", label="CIFAR-10", source="Krizhevsky, 2009")
class Cifar10(Cifar):
    num_classes = 10
    folder = "cifar10"
    archive = Archive("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")
    train_files = [f"data_batch_{i}" for i in range(1, 6)]
    test_file, meta_file, names_key = "test_batch", "batches.meta", "label_names"


@register_dataset("cifar100", label="CIFAR-100", source="Krizhevsky, 2009")
class Cifar100(Cifar):
    num_classes = 100
    folder = "cifar100"
    archive = Archive("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85")
    train_files, test_file, meta_file, names_key = ["train"], "test", "meta", "fine_label_names"


class TrainedOnCifar(Dataset):
    """CIFAR's training set with a test set of its own."""

    image_size = 32
    cifar: ClassVar[type[Cifar]]

    def __init__(self) -> None:
        self._cifar = self.cifar()
        self.num_classes = self._cifar.num_classes

    @property
    def training_source(self) -> str:
        return self._cifar.name

    def class_names(self) -> list[str]:
        return self._cifar.class_names()

    def train_labels(self) -> np.ndarray:
        return self._cifar.train_labels()

    def present(self) -> np.ndarray:
        return self._cifar.present()

    def how_to_get(self) -> str:
        return self._cifar.how_to_get()

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        return self._cifar.train_images(indices)

    def remarks(self) -> list[str]:
        return self._cifar.remarks()

    def test(self) -> Images:
        return self._test

    @cached_property
    def _test(self) -> Images:
        raise NotImplementedError

    def prepare(self) -> None:
        """Downloads CIFAR unless some layout of it is there already."""
        try:
            self._cifar.check()
        except DataMissing:
            self._cifar.prepare()


class Cifair(TrainedOnCifar):
    """ciFAIR: duplicates of training images in CIFAR's test set are replaced by new images (10,000 test images)."""

    archive: ClassVar[Archive]
    test_md5: ClassVar[str]

    @cached_property
    def _test(self) -> Images:
        folder = data_root() / "prepared" / self.name
        if not Arrays.at(folder):
            raise DataMissing(
                f"{self.name}: ciFAIR's test images are not under {data_root()}; run 'hydrabench data prepare "
                f"--dataset {self.name}' where there is a network, or take {self._cifar.name}-dedup in its place"
            )
        return Arrays(folder).test()

    def check(self) -> None:
        """Its own images first: `data prepare` of it brings CIFAR's along."""
        self.test()
        super().check()

    def prepare(self) -> None:
        super().prepare()
        folder = data_root() / "prepared" / self.name
        if not Arrays.at(folder):
            (content,) = read_members(self.archive.fetch(data_root()), [self._cifar.test_file])
            if hashlib.md5(content).hexdigest() != self.test_md5:
                raise DataCorrupt(f"{self.archive.filename} holds another test batch than the official one")
            test, test_labels = cifar_batch(content)
            write_arrays(folder, self.class_names(), test=test, test_labels=test_labels)


@register_dataset("cifair10", label="ciFAIR-10", source="Barz & Denzler, 2020")
class Cifair10(Cifair):
    cifar = Cifar10
    archive = Archive(
        "https://github.com/cvjena/cifair/releases/download/v1.0/ciFAIR-10.zip", "ca08fd390f0839693d3fc45c4e49585f"
    )
    test_md5 = "01290e6b622a1977a000eff13650aca2"


@register_dataset("cifair100", label="ciFAIR-100", source="Barz & Denzler, 2020")
class Cifair100(Cifair):
    cifar = Cifar100
    archive = Archive(
        "https://github.com/cvjena/cifair/releases/download/v1.0/ciFAIR-100.zip", "ddc236ab4b12eeb8b20b952614861a33"
    )
    test_md5 = "8130dae8d6fc6a436437f0ebdb801df1"


class Dedup(TrainedOnCifar):
    """CIFAR without every test image that ciFAIR's lists name: duplicates of a training image or of each other.

    The test set is smaller than ciFAIR's (whose authors replaced those images), so this is a dataset of
    its own that may stand for ciFAIR in a study.
    """

    @cached_property
    def _test(self) -> Images:
        keep = np.setdiff1d(np.arange(10_000), self._duplicates())
        images, labels = self._cifar.test()
        return Images(images[keep], labels[keep])

    def _duplicates(self) -> np.ndarray:
        """Test images in ciFAIR's lists: the first column of test-train pairs, both columns of test-test pairs."""
        folder = data_root() / self._cifar.folder
        if not Sheets.at(folder):
            raise DataMissing(
                f"{self.name}: ciFAIR's lists of duplicates (cifair_dup_test_train, cifair_dup_test_test) are expected "
                f"in {folder / 'labels.npz'}; take {self.stands_for} where it can be downloaded"
            )
        lists = Sheets(folder)
        of_training, of_test = (lists.array(f"cifair_dup_test_{of}", dimensions=2) for of in ("train", "test"))
        return np.concatenate([of_training[:, 0], of_test[:, :2].ravel()])


@register_dataset("cifar10-dedup", label="CIFAR-10 (dedup)", source="Krizhevsky, 2009; Barz & Denzler, 2020")
class Cifar10Dedup(Dedup):
    cifar = Cifar10
    stands_for = "cifair10"


@register_dataset("cifar100-dedup", label="CIFAR-100 (dedup)", source="Krizhevsky, 2009; Barz & Denzler, 2020")
class Cifar100Dedup(Dedup):
    cifar = Cifar100
    stands_for = "cifair100"
