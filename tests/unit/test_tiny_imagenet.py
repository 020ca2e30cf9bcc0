"""Tiny ImageNet at 32 pixels, where its archive is."""

import tarfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from datasets.base import DataCorrupt, DataMissing, data_root, get_dataset
from datasets.imagenet import synsets
from datasets.tiny_imagenet import TinyImagenet32

FOLDER = "tinyimagenet32"
ARCHIVE = f"{FOLDER}/tinyimagenet32_subset.tar.xz"


@pytest.fixture
def archive():
    path = data_root() / ARCHIVE
    if not path.exists():
        pytest.skip(f"needs {path} (set DATA_ROOT)")
    return path


def test_its_images_are_those_of_the_archive(archive):
    dataset = TinyImagenet32()
    dataset.check()
    labels, test = dataset.train_labels(), dataset.test()
    assert np.bincount(labels).tolist() == np.bincount(test.labels).tolist() == [50] * 200
    assert dataset.class_names()[:2] == ["goldfish", "European fire salamander"]
    wnid = "n01629819"
    names = [f"train/{wnid}/images/{wnid}_0.JPEG", f"train/{wnid}/images/{wnid}_1.JPEG", "val/images/val_0.JPEG"]
    wanted = (*names, "val/val_annotations.txt")
    with tarfile.open(archive, "r|xz") as members:
        found = {m.name: members.extractfile(m).read() for m in members if m.name in wanted}
    pixels = [np.asarray(Image.open(BytesIO(found[name])).convert("RGB")) for name in names]
    assert np.array_equal(dataset.train_images(np.array([50, 51])), pixels[:2])
    assert np.array_equal(test.images[0], pixels[2])
    lines = found[wanted[-1]].decode().splitlines()
    of_val_0 = next(line.split("\t")[1] for line in lines if line.startswith("val_0.JPEG"))
    assert of_val_0 == wnids_of(dataset)[test.labels[0]]


def wnids_of(dataset):
    wnids = {name: wnid for wnid, name in synsets().items()}
    return [wnids[name] for name in dataset.class_names()]


def test_another_archive_is_refused(empty_root):
    with pytest.raises(DataMissing, match=f"tiny-imagenet32: there is no {empty_root}/{ARCHIVE}; .*'imagenet' is the"):
        get_dataset("tiny-imagenet32").check()
    (empty_root / FOLDER).mkdir()
    (empty_root / ARCHIVE).write_bytes(b"another")
    with pytest.raises(DataCorrupt, match="another archive than that of tiny-imagenet32"):
        get_dataset("tiny-imagenet32").check()
