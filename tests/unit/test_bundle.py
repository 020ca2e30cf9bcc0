"""Bundles: the same runs, the same bits, without the data they came from."""

import numpy as np
import pytest
from PIL import Image

from datasets.base import DataCorrupt, DataMissing, get_dataset
from datasets.bundle import export, read_bundle
from datasets.registry import BadInput
from datasets.subset import find_subset


def test_a_bundle_has_the_subsets_it_was_asked_for_under_the_same_identity(bundle):
    digits, bundled = get_dataset("digits"), read_bundle(bundle)["digits"]
    assert bundled.identity == digits.identity
    assert (bundled.num_classes, bundled.image_size, bundled.family) == (10, 32, "digits")
    for size in (2, 3, 4):
        for seed in (0, 1):
            indices = find_subset(bundled, size, seed)
            assert indices.tolist() == find_subset(digits, size, seed).tolist()
            assert np.array_equal(bundled.train_images(indices), digits.train_images(indices))
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(bundled.test(), digits.test(), strict=True))
    assert len(bundled.present()) < 100
    bundled.check()


def test_what_a_bundle_lacks_is_named(bundle, tmp_path):
    with pytest.raises(DataMissing, match=r"digits, 9 per class, seed 7: .* was exported without them"):
        find_subset(read_bundle(bundle)["digits"], 9, 7)
    untested = tmp_path / "untested.npz"
    export([get_dataset("digits")], (2,), (0,), False, untested)
    with pytest.raises(DataMissing, match="export it with --test"):
        read_bundle(untested)["digits"].check()


def test_damaged_absent_and_outdated_bundles(bundle, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(bundle.read_bytes()[:-200])
    with pytest.raises(DataCorrupt, match="not a readable bundle"):
        read_bundle(damaged)
    with pytest.raises(DataMissing, match="there is no bundle"):
        read_bundle(tmp_path / "absent.npz")
    monkeypatch.setattr(type(get_dataset("digits")), "version", 2)
    with pytest.raises(BadInput, match="holds version 1 of digits; export it again"):
        read_bundle.__wrapped__(bundle)


def test_a_folder_travels_under_its_last_part(tmp_path, monkeypatch):
    chance = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cats", "dogs"):
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            for n in range(3):
                pixels = chance.integers(0, 255, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pets" / split / name / f"{n}.png")
    pets = get_dataset(f"folder:{tmp_path / 'pets'}")
    export([pets, get_dataset("digits")], (2,), (0,), True, tmp_path / "both.npz")
    monkeypatch.setenv("HYDRABENCH_BUNDLE", str(tmp_path / "both.npz"))
    bundled = get_dataset("folder:pets")
    assert bundled.identity == pets.identity
    assert (bundled.text, bundled.class_names(), bundled.num_classes) == ("folder:pets", ["cats", "dogs"], 2)
    assert get_dataset("digits").text == "digits"
    assert len(get_dataset("digits").present()) == 20
