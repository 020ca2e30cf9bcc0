"""ImageNet in small: the official layout with other classes and fewer images, for tests."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import imagenet
from datasets.base import Dataset, get_dataset
from datasets.imagenet import Imagenet, synsets

WNIDS = ["n01440764", "n01443537", "n02102040"]
TRAIN, VAL = 3, 2  # images of each class that are drawn


def pretend(monkeypatch: pytest.MonkeyPatch, classes: dict[str, str], train: int, val: int) -> Dataset:
    """ImageNet of these classes, by wnid, and numbers of images, from the data root of the test."""
    monkeypatch.setattr(imagenet, "synsets", lambda: classes)
    monkeypatch.setattr(Imagenet, "num_classes", len(classes))
    monkeypatch.setattr(Imagenet, "counts", {"train": train, "val": val})
    return get_dataset("imagenet")


def draw_imagenet(root: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Noise of three classes under a data root, the validation images in class folders too."""
    rng = np.random.default_rng(0)
    for label, wnid in enumerate(WNIDS):
        names = [f"train/{wnid}/{wnid}_{number}" for number in range(TRAIN)]
        names += [f"val/{wnid}/ILSVRC2012_val_{3 * number + label + 1:08d}" for number in range(VAL)]
        for name in names:
            path = root / "imagenet" / f"{name}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path, format="JPEG")
    return pretend(monkeypatch, {wnid: synsets()[wnid] for wnid in WNIDS}, 3 * TRAIN, 3 * VAL)
