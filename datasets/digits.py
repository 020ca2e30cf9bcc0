"""scikit-learn's handwritten digits: the embedded dataset, for demos and tests without any download."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from datasets.base import Dataset, Images, register_dataset

_TRAIN = 1000


@lru_cache(maxsize=1)
def _digits() -> Images:
    """All 1,797 digits, resized from 8×8 (values 0-16) to 32×32, three equal channels."""
    from PIL import Image

    values = _read()
    small = (values[:, :64].reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    large = [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) for image in small]
    return Images(np.stack(large)[..., None].repeat(3, axis=3), values[:, 64].astype(np.int64))


def _read() -> np.ndarray:
    """64 values and the label of each digit, as load_digits reads them; its import alone takes a second."""
    package = find_spec("sklearn")
    assert package and package.origin
    return np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")


@register_dataset("digits", label="Digits", source="scikit-learn; Alpaydin & Kaynak, 1998")
class Digits(Dataset):
    """1,797 handwritten digits: the first 1,000 train, the last 797 test."""

    num_classes = 10
    image_size = 32

    def class_names(self) -> list[str]:
        return [str(digit) for digit in range(10)]

    def train_labels(self) -> np.ndarray:
        return _digits().labels[:_TRAIN]

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        return _digits().images[:_TRAIN][indices]

    def test(self) -> Images:
        images, labels = _digits()
        return Images(images[_TRAIN:], labels[_TRAIN:])
