"""The papers' rule for picking a few images per class (FIDELITY section 1)."""

import hashlib
from collections.abc import Sequence

import numpy as np

from datasets.base import Dataset
from datasets.boxes import BoxDataset
from datasets.registry import BadInput


def pick_subset(labels: np.ndarray, samples_per_class: int, seed: int, class_names: Sequence[str] = ()) -> np.ndarray:
    """Indices of `samples_per_class` training images of each class, shuffled.

    labels: the label of every image of the official training set, in the official order (N integers).
    One generator shuffles the indices of each class in turn, takes the first ones, and shuffles the
    concatenation; so the subsets of one seed are nested in samples_per_class.
    Raises BadInput where a class has too few images, by its name where `class_names` has one.
    """
    members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    rng = np.random.default_rng(seed)
    return _shuffled(np.concatenate(_pick(members, samples_per_class, rng, class_names)), rng)


def pick_boxed(
    members: Sequence[np.ndarray], samples_per_class: int, seed: int, class_names: Sequence[str]
) -> np.ndarray:
    """As `pick_subset`, of images that can belong to several classes; members: the images of each class.

    One that is picked for two classes is there once, so there can be fewer than samples_per_class for each; a class
    without any image is left out.
    """
    present = [label for label, of_class in enumerate(members) if len(of_class)]
    rng = np.random.default_rng(seed)
    names = [class_names[label] for label in present]
    picked = _pick([members[label] for label in present], samples_per_class, rng, names)
    return _shuffled(np.unique(np.concatenate(picked)), rng)


def _pick(
    members: Sequence[np.ndarray], count: int, rng: np.random.Generator, class_names: Sequence[str]
) -> list[np.ndarray]:
    picked = []
    for label, of_class in enumerate(members):
        if len(of_class) < count:
            name = class_names[label] if label < len(class_names) else label
            raise BadInput(f"class {name} has {len(of_class)} training images, {count} were asked for")
        picked.append(_shuffled(of_class, rng)[:count])
    return picked


def _shuffled(indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = indices.copy()
    rng.shuffle(shuffled)
    return shuffled


def pick(dataset: Dataset, samples_per_class: int, seed: int) -> np.ndarray:
    """The indices of a subset by the rule for its dataset, whether the images are on disk or not."""
    if isinstance(dataset, BoxDataset):
        return pick_boxed(dataset.members(), samples_per_class, seed, dataset.class_names())
    return pick_subset(dataset.train_labels(), samples_per_class, seed, dataset.class_names())


def find_subset(dataset: Dataset, samples_per_class: int, seed: int) -> np.ndarray:
    """The indices of a subset whose images are all on disk; DataMissing names dataset, size and seed otherwise."""
    try:
        indices = pick(dataset, samples_per_class, seed)
        dataset.require(indices)
    except BadInput as error:
        raise type(error)(f"{dataset.text}, {samples_per_class} per class, seed {seed}: {error}") from error
    return indices


def subset_hash(indices: np.ndarray) -> str:
    """sha256 of the sorted indices joined by commas: the fingerprint of a subset, whatever its order."""
    return hashlib.sha256(",".join(map(str, sorted(indices.tolist()))).encode()).hexdigest()
