"""The papers' rule for picking a few images per class (FIDELITY section 1)."""

import hashlib
from collections.abc import Sequence

import numpy as np

from datasets.base import Dataset
from datasets.registry import BadInput


def pick_subset(labels: np.ndarray, samples_per_class: int, seed: int, class_names: Sequence[str] = ()) -> np.ndarray:
    """Indices of `samples_per_class` training images of each class, shuffled.

    labels: the label of every image of the official training set, in the official order (N integers).
    One generator shuffles the indices of each class in turn, takes the first ones, and shuffles the
    concatenation; so the subsets of one seed are nested in samples_per_class.
    Raises BadInput where a class has too few images, by its name where `class_names` has one.
    """
    rng = np.random.default_rng(seed)
    picked = []
    for label in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == label)
        if len(members) < samples_per_class:
            name = class_names[label] if label < len(class_names) else label
            raise BadInput(f"class {name} has {len(members)} training images, {samples_per_class} were asked for")
        rng.shuffle(members)
        picked.append(members[:samples_per_class])
    indices = np.concatenate(picked)
    rng.shuffle(indices)
    return indices


def find_subset(dataset: Dataset, samples_per_class: int, seed: int) -> np.ndarray:
    """The indices of a subset whose images are all on disk; DataMissing names dataset, size and seed otherwise."""
    try:
        indices = pick_subset(dataset.train_labels(), samples_per_class, seed, dataset.class_names())
        dataset.require(indices)
    except BadInput as error:
        raise type(error)(f"{dataset.text}, {samples_per_class} per class, seed {seed}: {error}") from error
    return indices


def subset_hash(indices: np.ndarray) -> str:
    """sha256 of the sorted indices joined by commas: the fingerprint of a subset, whatever its order."""
    return hashlib.sha256(",".join(map(str, sorted(indices.tolist()))).encode()).hexdigest()
