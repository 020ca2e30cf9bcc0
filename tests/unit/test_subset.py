"""The papers' subsets, to the index; errors that say which subset could not be had."""

from itertools import pairwise

import numpy as np
import pytest

from datasets.base import DataMissing
from datasets.cifar import Cifar10
from datasets.digits import Digits
from datasets.registry import BadInput
from datasets.subset import find_subset, pick_subset, subset_hash

# FIDELITY section 1, CIFAR-10: (seed, per class) -> first 12 digits of the hash, sum of the indices
GOLDEN = {
    (0, 5): ("1c871f42a4f0", 1400878),
    (1, 5): ("a50e35ea7dde", 1244847),
    (2, 5): ("6ffe41d1a106", 1163843),
    (3, 5): ("df9de70e8489", 1359334),
    (4, 5): ("9f822bfe05de", 1352522),
    (0, 50): ("f13ae46a0213", 12605110),
    (1, 50): ("7b90153ef014", 11987404),
    (2, 50): ("0322e51be5af", 12811939),
    (3, 50): ("6171a3435dde", 12426786),
    (4, 50): ("b1b3603c018d", 12270709),
}
SEED_0_OF_5 = {0: {22308, 12073, 2322, 46740, 30487}, 1: {35914, 42116, 36868, 18526, 997}}


@pytest.fixture
def labels() -> np.ndarray:
    """120 images of each of 7 classes, in a mixed order."""
    return np.random.default_rng(99).permutation(np.repeat(np.arange(7), 120))


@pytest.mark.parametrize(("seed", "size"), GOLDEN)
def test_golden_subsets_of_cifar10(seed, size, real_sheets):
    indices = pick_subset(Cifar10().train_labels(), size, seed)
    assert (subset_hash(indices)[:12], int(indices.sum())) == GOLDEN[seed, size]


@pytest.mark.parametrize("label", SEED_0_OF_5)
def test_listed_indices_of_seed_0(label, real_sheets):
    labels = Cifar10().train_labels()
    indices = pick_subset(labels, 5, 0)
    assert set(indices[labels[indices] == label].tolist()) == SEED_0_OF_5[label]


@pytest.mark.parametrize("seed", range(5))
def test_subsets_of_one_seed_are_nested(seed, labels):
    subsets = [set(pick_subset(labels, size, seed).tolist()) for size in (1, 5, 10, 20, 30, 50, 100, 120)]
    assert all(small < large for small, large in pairwise(subsets))


@pytest.mark.parametrize("size", [1, 30, 120])
def test_every_class_has_its_images_once(size, labels):
    indices = pick_subset(labels, size, 3)
    assert len(set(indices.tolist())) == len(indices)
    assert np.bincount(labels[indices]).tolist() == [size] * 7


def test_a_seed_repeats_its_subset_and_another_seed_picks_another(labels):
    first, again, other = (pick_subset(labels, 10, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert set(first.tolist()) != set(other.tolist())


def test_classes_are_mixed_in_the_order(labels):
    found = labels[pick_subset(labels, 10, 0)]
    assert found.tolist() != np.sort(found).tolist()


def test_picking_leaves_the_labels_alone(labels):
    before = labels.copy()
    pick_subset(labels, 10, 0)
    assert np.array_equal(labels, before)


def test_hash_ignores_the_order_and_sees_every_index():
    # printf 1,2,30 | sha256sum
    expected = "c8d59cbf72ec63152179a148ca623e12c5889ced0553819952e04168e45c9aa4"
    assert subset_hash(np.array([30, 1, 2])) == subset_hash(np.array([1, 2, 30])) == expected
    assert subset_hash(np.array([1, 2, 31])) != expected


def test_too_few_images_are_refused(labels):
    with pytest.raises(BadInput, match="class 0 has 120 training images, 121 were asked for"):
        pick_subset(labels, 121, 0)


def test_a_class_without_images_is_refused():
    with pytest.raises(BadInput, match="class 1 has 0 training images, 1 were asked for"):
        pick_subset(np.array([0, 0, 2, 2]), 1, 0)


def test_too_few_images_of_a_dataset_name_dataset_size_and_seed():
    with pytest.raises(BadInput, match=r"digits, 200 per class, seed 3: class \d has \d+ training images"):
        find_subset(Digits(), 200, 3)


def test_images_not_on_disk_name_dataset_size_and_seed(real_sheets):
    dataset = Cifar10()
    absent = np.setdiff1d(
        pick_subset(dataset.train_labels(), 200, 2), np.load(real_sheets / "cifar10/labels.npz")["train_index"]
    )
    with pytest.raises(DataMissing, match=r"cifar10, 200 per class, seed 2: .* not on disk") as caught:
        find_subset(dataset, 200, 2)
    assert f"{len(absent)} training images are not on disk, the first is {absent[0]}" in str(caught.value)


@pytest.mark.parametrize("seed", range(10))
def test_subsets_that_the_real_images_promise_are_there(seed, real_sheets):
    assert len(find_subset(Cifar10(), 100, seed)) == 1000
