"""Datasets with boxes: who is picked, regions, squares, and faults of files."""

import json

import numpy as np
import pytest

from boxed import HEIGHT, WIDTH, Drawn, annotation, instances_file, png
from datasets.base import DataCorrupt, DataMissing, get_dataset
from datasets.boxes import region_map
from datasets.coco import Coco
from datasets.instances import BoxedImage, Boxes
from datasets.registry import BadInput
from datasets.subset import find_subset, pick_boxed

NAMES = [f"class {c}" for c in range(4)]


def members(*of_classes):
    return [np.array(sorted(of_class), dtype=int) for of_class in of_classes]


def test_an_image_that_is_picked_for_two_classes_is_there_once():
    assert sorted(pick_boxed(members({5}, {5}, {1}), 1, 0, NAMES)) == [1, 5]


def test_subsets_of_a_seed_are_nested_and_depend_on_the_seed():
    of_classes = members(range(50), range(30, 90), range(80, 200))
    small, large = (set(pick_boxed(of_classes, size, 3, NAMES).tolist()) for size in (2, 10))
    assert small < large
    assert small != set(pick_boxed(of_classes, 2, 4, NAMES).tolist())
    for of_class in of_classes:
        assert len(small & set(of_class.tolist())) >= 2


def test_a_class_without_images_is_left_out_and_one_with_too_few_is_named():
    of_classes = members({1, 2}, (), {3})
    assert sorted(pick_boxed(of_classes, 1, 0, NAMES))[-1] == 3
    with pytest.raises(BadInput, match="class class 2 has 1 training images, 2 were asked for"):
        pick_boxed(of_classes, 2, 0, NAMES)


def test_members_are_images_with_a_box_to_learn_from():
    found = [of_class.tolist() for of_class in Drawn().members()]
    assert found == [[0, 3], [1, 2, 4, 5], [1, 2, 4, 5]]
    assert len(find_subset(Drawn(), 2, 0)) >= 4


def test_smaller_boxes_lie_on_larger_ones_in_a_region_map():
    corners = np.array([[10, 10, 20, 20], [0, 0, 40, 50]], np.float32)
    boxes = Boxes(corners, np.array([0, 1]), np.zeros(2, bool), np.zeros(2))
    regions = region_map(BoxedImage(1, "a", 100, 50, boxes), 100)
    assert regions[30, 15] == 2 and regions[5, 5] == 1 and regions[30, 5] == 1 and regions[50, 50] == 0
    assert (regions == 2).sum() == 10 * 20  # stretched to a square


def test_squares_and_regions_fit_each_other():
    dataset, indices = Drawn(), np.arange(6)
    squares, regions = dataset.train_images(indices), dataset.regions(indices)
    assert squares.shape == (6, 96, 96, 3) and regions.shape == (6, 96, 96)
    for square, region in zip(squares, regions, strict=True):
        assert (square.max(-1)[region > 0] > 150).mean() > 0.9
        assert (square.max(-1)[region == 0] > 150).mean() < 0.1


def test_a_dataset_with_boxes_gives_no_labels_of_whole_images():
    for ask in (Drawn().train_labels, Drawn().test):
        with pytest.raises(BadInput, match="it is for detection"):
            ask()


class Tiny(Coco):
    expected = {"train": 2, "test": 1}
    num_classes = 3


@pytest.fixture
def tiny(empty_root):
    """COCO's layout under a data root, of three classes and three images."""
    root = empty_root / "coco"
    for folder, numbers in (("train2017", (1, 2)), ("val2017", (3,))):
        value = instances_file([(number, f"{number}.png") for number in numbers])
        value["annotations"] = [annotation(number, 0, [1, 2, 30, 40], id=number) for number in numbers]
        write(root / "annotations" / f"instances_{folder}.json", json.dumps(value).encode())
        for number in numbers:
            write(root / folder / f"{number}.png", png(np.zeros((HEIGHT, WIDTH, 3), np.uint8)))
    return root


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_the_official_layout_is_read(tiny):
    dataset = Tiny()
    dataset.check()
    assert dataset.sizes() == (2, 1)
    assert dataset.train_images(find_subset(dataset, 2, 0)).shape == (2, 256, 256, 3)
    assert dataset.remarks() == ["2 of 3 classes have no training image (green, blue, ...)"]


def test_an_absent_image_is_named_before_anything_starts(tiny):
    (tiny / "train2017" / "2.png").unlink()
    with pytest.raises(DataMissing, match=r"1 train images are not on disk, the first is 2\.png; run 'hydrabench data"):
        find_subset(Tiny(), 2, 0)


def test_an_image_of_another_size_than_its_boxes_are_for_is_named(tiny):
    write(tiny / "train2017" / "2.png", png(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(DataCorrupt, match=r"2\.png has 9×9 pixels, its boxes are for 80×64"):
        Tiny().train_images(np.arange(2))


def test_an_empty_image_file_is_named(tiny):
    write(tiny / "train2017" / "2.png", b"")
    with pytest.raises(DataCorrupt, match=r"2\.png is not a readable image"):
        Tiny().train_images(np.arange(2))


def test_a_file_of_another_number_of_images_or_classes_is_not_the_official_one(tiny):
    with pytest.raises(DataCorrupt, match="lists 2 images, not 118287"):
        Coco().check()

    class Wider(Tiny):
        num_classes = 80

    with pytest.raises(DataCorrupt, match="train has 3 classes"):
        Wider().check()


def test_a_test_set_without_any_box_is_refused(tiny):
    write(tiny / "annotations" / "instances_val2017.json", json.dumps(instances_file([(3, "3.png")])).encode())
    with pytest.raises(DataCorrupt, match="no test image has a box"):
        Tiny().check()


def test_what_is_not_there_says_how_to_get_it(empty_root):
    with pytest.raises(DataMissing, match=r"data prepare --dataset coco.*annotations_trainval2017\.zip"):
        get_dataset("coco").check()
    with pytest.raises(DataMissing, match="'coco' is the official set"):
        get_dataset("coco128-part").check()


def test_another_archive_is_not_taken_for_the_forty_images(empty_root):
    write(empty_root / "coco128" / "coco128_subset.zip", b"PK")
    with pytest.raises(DataCorrupt, match="sha256 is not 57be768c"):
        get_dataset("coco128-part").check()
