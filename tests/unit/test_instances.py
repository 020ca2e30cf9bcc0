"""COCO's instances files: what is read, and that a fault is told with its image."""

import json

import numpy as np
import pytest

from boxed import HEIGHT, WIDTH, annotation, instances_file
from datasets.base import DataCorrupt
from datasets.instances import read_instances


def read(value):
    return read_instances(json.dumps(value).encode(), "some.json")


def file_of(*annotations, images=((4, "four.jpg"), (3, "three.jpg"))):
    return instances_file(list(images)) | {"annotations": list(annotations)}


def test_images_come_by_their_ids_and_labels_count_the_categories_of_the_file():
    found = read(file_of(annotation(4, 2, [1, 2, 3, 4]), annotation(3, 0, [0, 0, 80, 64], area=50.5, id=8)))
    assert found.class_names == ["red", "green", "blue"]
    assert [image.number for image in found.images] == [3, 4]
    three, four = found.images
    assert four.boxes.corners.tolist() == [[1, 2, 4, 6]] and four.boxes.labels.tolist() == [2]
    assert three.boxes.areas.tolist() == [50.5] and four.boxes.areas.tolist() == [12]


def test_crowds_images_without_boxes_and_flat_boxes_are_read_and_not_learned_from():
    """COCO's official files have all three."""
    found = read(file_of(annotation(4, 0, [1, 1, 9, 9], iscrowd=1), annotation(4, 1, [5, 5, 9, 0], id=8)))
    three, four = found.images
    assert len(three.boxes.labels) == len(three.boxes.learnable().labels) == 0
    assert four.boxes.crowd.tolist() == [True, False]
    assert len(four.boxes.labels) == 2 and len(four.boxes.learnable().labels) == 0


def test_what_rounding_puts_outside_is_brought_inside():
    found = read(file_of(annotation(4, 0, [-0.5, 60, 81, 4.7])))
    assert found.images[1].boxes.corners.tolist() == [[0, 60, WIDTH, HEIGHT]]


def test_outlines_are_not_kept():
    found = read(file_of(annotation(4, 0, [1, 1, 9, 9], segmentation=[[1, 1, 2, 2]])))
    assert np.isfinite(found.images[1].boxes.corners).all()


WRONG = {
    "a box outside": (annotation(4, 0, [70, 1, 20, 9]), ["image 4 (four.jpg)", "leaves the image of 80×64", "10"]),
    "a box above": (annotation(4, 0, [7, -3, 20, 9]), ["image 4 (four.jpg)", "leaves the image", "3"]),
    "a negative size": (annotation(4, 0, [7, 3, -2, 9]), ["image 4 (four.jpg)", "-2×9"]),
    "three numbers": (annotation(4, 0, [7, 3, 2]), ["image 4 (four.jpg)", "not four numbers"]),
    "no number": (annotation(4, 0, [7, 3, 2, None]), ["image 4 (four.jpg)", "not four numbers"]),
    "infinite": (annotation(4, 0, [7, 3, 2, float("inf")]), ["image 4 (four.jpg)", "not four numbers"]),
    "another category": (
        annotation(4, 80, [1, 1, 9, 9]),
        ["image 4 (four.jpg)", "category 90", "none of the file's 3"],
    ),
    "another image": (annotation(5, 0, [1, 1, 9, 9]), ["annotation 7", "image 5", "does not list"]),
    "an id as text": (annotation("4", 0, [1, 1, 9, 9]), ["annotation 7", "image_id is '4'"]),
    "half a crowd": (annotation(4, 0, [1, 1, 9, 9], iscrowd=0.5), ["image 4 (four.jpg)", "iscrowd is 0.5"]),
    "a negative area": (annotation(4, 0, [1, 1, 9, 9], area=-1), ["image 4 (four.jpg)", "area is -1"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_annotation_is_told_with_its_image(what):
    wrong, told = WRONG[what]
    with pytest.raises(DataCorrupt) as error:
        read(file_of(wrong))
    assert all(part in str(error.value) for part in ("some.json", *told)), error.value
    assert len(str(error.value).splitlines()) == 1


def test_an_annotation_that_is_listed_twice_is_told_with_its_image():
    with pytest.raises(DataCorrupt, match=r"image 3 \(three\.jpg\): annotation 7 is listed twice"):
        read(file_of(annotation(4, 0, [1, 1, 9, 9]), annotation(3, 0, [1, 1, 9, 9])))


def test_an_image_that_is_listed_twice_or_has_no_pixels_is_named():
    with pytest.raises(DataCorrupt, match=r"image 3 \(b\.jpg\) is listed twice"):
        read(file_of(images=((3, "a.jpg"), (3, "b.jpg"))))
    value = file_of()
    value["images"][0]["width"] = 0
    with pytest.raises(DataCorrupt, match=r"image 4 \(four\.jpg\) has 0×64 pixels"):
        read(value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"images": [], "annotations": [], "categories": [1]}'])
def test_what_is_no_instances_file_is_refused_in_one_line(content):
    with pytest.raises(DataCorrupt, match=r"some\.json") as error:
        read_instances(content, "some.json")
    assert len(str(error.value).splitlines()) == 1


def test_two_categories_of_one_id_are_refused():
    value = file_of()
    value["categories"][1]["id"] = 10
    with pytest.raises(DataCorrupt, match="two categories"):
        read(value)
