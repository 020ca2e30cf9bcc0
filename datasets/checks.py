"""What images and labels must be before a run uses them, wherever they come from; each raises ValueError."""

import numpy as np

from datasets.on_demand import OnDemand


def require_integers(name: str, array: np.ndarray) -> None:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{name} has {array.ndim} dimensions of {array.dtype}, not one of integers")


def require_labels(name: str, labels: np.ndarray, num_classes: int) -> None:
    """At least one integer, all from 0 to num_classes - 1."""
    require_integers(name, labels)
    if not len(labels) or labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"{name} is no list of labels below {num_classes}")


def require_images(name: str, images: np.ndarray | OnDemand, count: int, size: int) -> None:
    """count×size×size×3 of uint8."""
    expected = (count, size, size, 3)
    if images.shape != expected or images.dtype != np.uint8:
        shape, wanted = ("×".join(map(str, found)) for found in (images.shape, expected))
        raise ValueError(f"{name} is {shape} of {images.dtype}, not {wanted} of uint8")
