"""Prepared arrays that are readable and no images or labels of their dataset are named before anything runs."""

import os

import numpy as np
import pytest

from datasets.base import DataCorrupt
from datasets.cifar import Cifar10
from datasets.sheets import write_arrays

LABELS = np.arange(20) % 10
IMAGES = np.zeros((20, 32, 32, 3), np.uint8)
GOOD = {"train": IMAGES, "train_labels": LABELS, "test": IMAGES, "test_labels": LABELS}
NO_LABELS = (LABELS - 1, LABELS + 1, LABELS + 0.5, LABELS[:, None], LABELS[:0], LABELS.astype(str))


@pytest.fixture
def prepare(empty_root):
    def write(**changed):
        write_arrays(empty_root / "prepared" / "cifar10", list("abcdefghij"), **GOOD | changed)
        return Cifar10()

    return write


def test_good_ones_are_ready(prepare):
    prepare().check()


def test_too_few_training_images(prepare):
    with pytest.raises(DataCorrupt, match="cifar10 holds 10 training images, not 20"):
        prepare(train=IMAGES[:10]).check()


def test_too_few_test_images(prepare):
    with pytest.raises(DataCorrupt, match="10×32×32×3 of uint8, not 20×32×32×3"):
        prepare(test=IMAGES[:10]).check()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("images", "why"),
    [
        (IMAGES.astype(float), "of float64"),
        (IMAGES[..., 0], "20×32×32 of uint8"),
        (IMAGES[:, :28, :28], "20×28×28×3"),
    ],
)
def test_images_that_are_none(prepare, split, images, why):
    with pytest.raises(DataCorrupt, match=why):
        prepare(**{split: images}).check()


@pytest.mark.parametrize("split", ["train_labels", "test_labels"])
@pytest.mark.parametrize(
    "labels", [LABELS - 1, LABELS + 1, LABELS + 0.5, LABELS[:, None], LABELS[:0], LABELS.astype(str)]
)
def test_labels_that_are_none(prepare, split, labels):
    with pytest.raises(DataCorrupt):
        prepare(**{split: labels}).check()


def test_an_archive_that_is_a_pipe_or_a_folder_is_named(empty_root):
    place = empty_root / Cifar10.archive.filename
    os.mkfifo(place)
    with pytest.raises(DataCorrupt, match=f"{place} is not a regular file"):
        Cifar10().prepare()
    place.unlink()
    place.mkdir()
    with pytest.raises(DataCorrupt, match=f"{place} is not a regular file"):
        Cifar10().prepare()
