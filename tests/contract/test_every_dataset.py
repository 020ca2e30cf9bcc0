"""Every registered dataset gives what the contract says; those whose images are here also train two steps."""

import numpy as np
import pytest
from PIL import Image

from benchmark.execute import execute
from datasets.base import DataMissing, _make_dataset, get_dataset, registry
from datasets.boxes import BoxDataset
from datasets.subset import find_subset
from imagenets import draw_imagenet
from results.records import read_record


@pytest.fixture(params=sorted(registry.entries()))
def dataset(request, tmp_path, monkeypatch):
    """Each dataset in turn; generated ones for folder:PATH and ImageNet. Skipped where its images are not here."""
    if request.param == "imagenet":
        monkeypatch.setenv("DATA_ROOT", str(tmp_path))
        _make_dataset.cache_clear()
        yield draw_imagenet(tmp_path, monkeypatch)
        _make_dataset.cache_clear()
        return
    found = get_dataset(f"folder:{make_folder(tmp_path)}" if request.param == "folder" else request.param)
    try:
        found.check()
    except DataMissing as error:
        pytest.skip(str(error))
    yield found


@pytest.fixture
def labelled(dataset):
    if isinstance(dataset, BoxDataset):
        pytest.skip(f"{dataset.text} has boxes")
    return dataset


def make_folder(path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2)):
        for name in ("cat", "dog"):
            (path / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(path / split / name / f"{number}.png")
    return path


def test_boxes_and_images_are_what_the_contract_says(dataset):
    if not isinstance(dataset, BoxDataset):
        pytest.skip(f"{dataset.text} has no boxes")
    indices, size = find_subset(dataset, 1, 0), dataset.image_size
    assert len(dataset.class_names()) == dataset.num_classes
    assert dataset.train_images(indices).shape == (len(indices), size, size, 3)
    assert (dataset.regions(indices).max((1, 2)) > 0).all()
    test = dataset.instances("test").images
    assert dataset.read("test", test[0]).shape == (test[0].height, test[0].width, 3)
    assert dataset.sizes() == (len(dataset.instances("train").images), len(test))


def test_labels_and_images_are_what_the_contract_says(labelled):
    dataset = labelled
    labels, test = dataset.train_labels(), dataset.test()
    assert sorted(set(labels.tolist())) == list(range(dataset.num_classes))
    assert len(dataset.class_names()) == dataset.num_classes
    images = dataset.train_images(find_subset(dataset, 2, 0))
    size = dataset.image_size
    assert images.shape == (2 * dataset.num_classes, size, size, 3)
    assert images.dtype == test.images.dtype == np.uint8
    assert test.images.shape[1:] == (size, size, 3)
    assert len(test.images) == len(test.labels)
    assert set(test.labels.tolist()) <= set(range(dataset.num_classes))


def test_two_steps(labelled, store, make_run):
    dataset = labelled
    batch = 2 * dataset.num_classes // 2
    run = make_run(dataset=dataset.text, size=1, images_per_class=2, batch_size=max(batch, 2))
    assert run.steps == 2
    outcome = execute(run, store)
    assert outcome.state == "done", outcome.message
    assert read_record(store / run.path / "record.json").metrics.test_images == len(dataset.test().labels)


def test_every_stand_in_has_the_shape_of_what_it_stands_for_or_says_its_own():
    for cls in registry.entries().values():
        if cls.stands_for:
            ours, theirs = get_dataset(cls.name), get_dataset(cls.stands_for)
            same = (ours.num_classes, ours.image_size) == (theirs.num_classes, theirs.image_size)
            assert same or cls.label.endswith(f"({ours.num_classes} classes, {ours.image_size} px)")
