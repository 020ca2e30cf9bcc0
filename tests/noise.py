"""Folders of images of noise, in the classes that a test needs."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image


def draw_noise(root: Path, classes: Iterable[str], per_class: int) -> str:
    """Fills `train` and `test` with so many images of 8×8 grains each; returns the folder as a dataset's text."""
    rng = np.random.default_rng(0)
    for split, name in product(("train", "test"), classes):
        (root / split / name).mkdir(parents=True)
        for number in range(per_class):
            grains = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            Image.fromarray(grains).save(root / split / name / f"{number}.png")
    return f"folder:{root}"
