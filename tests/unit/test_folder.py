"""folder:PATH: identity by content, sizes, order, and errors that name the file."""

import errno
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.base import DataChanged, DataCorrupt, DataMissing, get_dataset
from datasets.folder import Folder
from datasets.registry import BadInput
from datasets.subset import find_subset


def picture(number: int, side: tuple[int, int] = (32, 32)) -> np.ndarray:
    """Noise that tells one number from another."""
    return np.random.default_rng(number).integers(0, 256, (*side, 3), dtype=np.uint8)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes with three training images and one test image each, numbered 0 to 7 in the order of their names."""
    root = tmp_path / "mine"
    names = [f"train/{label}/{i}.png" for label in ("bird", "cat") for i in range(3)] + [
        "test/bird/0.png",
        "test/cat/0.png",
    ]
    for number, name in reversed(list(enumerate(names))):
        save(root / name, picture(number))
    return root


def identity(root: Path) -> dict[str, object]:
    return Folder(str(root)).identity


def test_images_and_labels_follow_the_names(tree):
    dataset = Folder(str(tree))
    assert (dataset.class_names(), dataset.num_classes, dataset.image_size) == (["bird", "cat"], 2, 32)
    assert dataset.train_labels().tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(dataset.train_images(np.arange(6)), np.stack([picture(i) for i in range(6)]))
    assert np.array_equal(dataset.test().images, np.stack([picture(6), picture(7)]))
    assert dataset.test().labels.tolist() == [0, 1]


def test_training_images_come_in_the_asked_order(tree):
    found = Folder(str(tree)).train_images(np.array([4, 0, 4]))
    assert np.array_equal(found, np.stack([picture(4), picture(0), picture(4)]))


def test_other_files_are_not_images(tree):
    before = identity(tree)
    (tree / "train" / "cat" / "notes.txt").write_text("a cat")
    (tree / "train" / "README.md").write_text("mine")
    assert identity(tree) == before
    assert len(Folder(str(tree)).train_labels()) == 6


def test_moving_the_folder_keeps_the_identity(tree, tmp_path):
    before = identity(tree)
    moved = tree.rename(tmp_path / "elsewhere")
    assert identity(moved) == before
    assert before["name"] == "folder"


def one_pixel(tree: Path) -> None:
    image = picture(4)
    image[0, 0, 0] ^= 1
    save(tree / "train/cat/1.png", image)


def one_test_pixel(tree: Path) -> None:
    image = picture(7)
    image[31, 31, 2] ^= 1
    save(tree / "test/cat/0.png", image)


def class_name(tree: Path) -> None:
    for split in ("train", "test"):
        (tree / split / "cat").rename(tree / split / "dog")


def swapped_names(tree: Path) -> None:
    save(tree / "train/cat/0.png", picture(4))
    save(tree / "train/cat/1.png", picture(3))


def one_image_more(tree: Path) -> None:
    save(tree / "train/cat/9.png", picture(9))


def other_class(tree: Path) -> None:
    (tree / "train/bird/2.png").rename(tree / "train/cat/3.png")


@pytest.mark.parametrize("change", [one_pixel, one_test_pixel, class_name, swapped_names, one_image_more, other_class])
def test_a_change_makes_another_dataset(change, tree):
    before = identity(tree)
    change(tree)
    assert identity(tree) != before


def test_an_empty_class_makes_another_dataset_or_an_error(tree):
    before = identity(tree)
    (tree / "train" / "dog").mkdir()
    try:
        after = identity(tree)
    except BadInput:
        return
    assert after != before


def test_an_empty_last_class_is_refused(tree):
    (tree / "train" / "dog").mkdir()
    with pytest.raises(BadInput):
        find_subset(Folder(str(tree)), 2, 0)


def test_an_empty_first_class_is_refused(tree):
    (tree / "train" / "ant").mkdir()
    with pytest.raises(BadInput):
        find_subset(Folder(str(tree)), 2, 0)


@pytest.mark.parametrize(
    ("side", "size"),
    [((20, 20), 32), ((32, 32), 32), ((63, 63), 56), ((64, 64), 64), ((200, 70), 64), ((96, 96), 96), ((300, 400), 96)],
)
def test_size_is_the_median_of_the_shorter_sides_in_steps_of_8_from_32_to_96(side, size, tmp_path):
    save(tmp_path / "train/a/0.png", picture(0, (500, 500)))
    save(tmp_path / "train/a/1.png", picture(1, side))
    save(tmp_path / "test/a/0.png", picture(2, (10, 17)))
    dataset = Folder(str(tmp_path))
    assert dataset.image_size == size
    assert dataset.train_images(np.arange(2)).shape == (2, size, size, 3)
    assert dataset.test().images.shape == (1, size, size, 3)


def test_every_kind_of_image_has_three_channels(tree):
    grey = picture(0)[..., 0]
    save(tree / "train/cat/3.bmp", grey)
    save(tree / "train/cat/4.PNG", np.dstack([picture(1), grey]))
    save(tree / "train/cat/5.jpg", picture(2))
    images = Folder(str(tree)).train_images(np.arange(9))
    assert images.shape == (9, 32, 32, 3) and images.dtype == np.uint8
    assert np.array_equal(images[6], np.dstack([grey] * 3))


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_tree_without_a_split_is_refused(split, tree):
    (tree / split).rename(tree / "other")
    with pytest.raises(DataMissing, match=f"{tree}/{split}/<class>"):
        Folder(str(tree)).check()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataMissing, match=f"{tmp_path}/nowhere/train/<class>"):
        Folder(str(tmp_path / "nowhere"))


def test_a_tree_without_classes_is_refused(tmp_path):
    save(tmp_path / "train/0.png", picture(0))
    save(tmp_path / "test/a/0.png", picture(0))
    with pytest.raises(DataMissing, match=f"{tmp_path}/train has no class folders with images"):
        Folder(str(tmp_path))


def test_classes_without_images_are_refused(tmp_path):
    for name in ("train/a", "test/a"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DataMissing, match=f"{tmp_path}/train has classes without images: a$"):
        Folder(str(tmp_path))


def test_a_test_class_that_train_lacks_is_refused(tree):
    save(tree / "test/emu/0.png", picture(0))
    with pytest.raises(DataCorrupt, match=f"{tree}/test has classes that train has not: emu"):
        Folder(str(tree))


@pytest.mark.parametrize("change", [one_pixel, one_test_pixel, class_name, swapped_names, one_image_more, other_class])
def test_a_change_is_seen_when_it_looks_again_and_not_before(change, tree):
    dataset = Folder(str(tree))
    before, labels = dataset.identity, dataset.train_labels()
    change(tree)
    assert dataset.identity == before
    assert np.array_equal(dataset.train_labels(), labels)
    dataset.refresh()
    assert dataset.identity == identity(tree) != before
    dataset.check()
    assert np.array_equal(dataset.test().images, Folder(str(tree)).test().images)


def test_without_a_change_a_second_look_reads_nothing_again(tree, monkeypatch):
    dataset = Folder(str(tree))
    before, test = dataset.identity, dataset.test()
    monkeypatch.setattr("datasets.contents.read_regular", lambda file: pytest.fail(f"{file} was read"))
    dataset.refresh()
    assert dataset.identity == before
    assert dataset.test() is test


def test_the_identity_of_a_fixed_tree(tmp_path):
    """Records of folders keep their keys: the hash is over split, class, name and the bytes of each file."""
    for name in ("train/a/1.png", "train/b/2.PNG", "test/a/0.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert identity(tmp_path) == {"name": "folder", "version": 1, "content": "8f258c807e820d33"}


def test_images_replaced_after_the_identity_was_told_are_not_used(tree):
    dataset = Folder(str(tree))
    assert dataset.identity
    one_pixel(tree)
    one_test_pixel(tree)
    assert len(dataset.train_images(np.array([0, 1, 2]))) == 3
    with pytest.raises(DataChanged, match=f"^{tree}/train/cat/1.png was replaced"):
        dataset.train_images(np.array([0, 4]))
    with pytest.raises(DataChanged, match=f"^{tree}/test/cat/0.png was replaced"):
        dataset.test()


def test_what_may_not_be_looked_into_is_not_left_out(tree, monkeypatch):
    closed, scandir = str(tree / "test" / "bird"), os.scandir

    def refuse(path):
        if str(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(DataMissing, match=f"^{closed} cannot be searched .Permission denied"):
        Folder(str(tree))


def test_links_are_followed_and_those_that_lead_nowhere_are_named(tree):
    before = len(Folder(str(tree)).test().labels)
    (tree / "test" / "bird").rename(tree / "birds")
    (tree / "test" / "bird").symlink_to("../birds")
    assert len(Folder(str(tree)).test().labels) == before
    (tree / "train" / "cat" / "9.png").symlink_to("nowhere.png")
    with pytest.raises(DataCorrupt, match=f"^{tree}/train/cat/9.png cannot be read .No such file"):
        identity(tree)
    (tree / "train" / "loop").symlink_to("loop")
    with pytest.raises(DataMissing, match=f"^{tree}/train/loop cannot be followed"):
        Folder(str(tree))


def test_an_empty_test_set_is_refused(tree):
    for file in (tree / "test").glob("*/*"):
        file.unlink()
    for use in (Folder(str(tree)).test, Folder(str(tree)).check):
        with pytest.raises(DataMissing, match=f"{tree}/test has no images"):
            use()


def test_a_file_that_is_no_image_is_named(tree):
    (tree / "train/cat/1.png").write_text("not a picture")
    (tree / "test/cat/0.png").write_bytes((tree / "test/cat/0.png").read_bytes()[:100])
    with pytest.raises(DataCorrupt, match=f"^{tree}/train/cat/1.png is not a readable image"):
        Folder(str(tree)).train_images(np.arange(6))
    with pytest.raises(DataCorrupt, match=f"^{tree}/test/cat/0.png is not a readable image"):
        Folder(str(tree)).check()


def test_a_file_that_is_no_image_does_not_decide_on_the_size(tree):
    first = tree / "train/bird/0.png"
    first.write_text("not a picture")
    dataset = Folder(str(tree))
    assert dataset.image_size == 32
    with pytest.raises(DataCorrupt, match=f"{first} is not a readable image"):
        dataset.check()


def test_only_the_broken_file_is_blamed(tree):
    (tree / "train/bird/0.png").write_text("not a picture")
    with pytest.raises(DataCorrupt, match=f"^{tree}/train/bird/0.png is not a readable image"):
        Folder(str(tree)).check()


def test_a_broken_png_chunk_is_named(tree):
    file = tree / "train/cat/1.png"
    content = bytearray(file.read_bytes())
    content[33:37] = struct.pack(">I", 1000)  # the length of the pixels' chunk: noise follows where a name belongs
    file.write_bytes(content)
    with pytest.raises(DataCorrupt, match=f"^{file} is not a readable image"):
        Folder(str(tree)).train_images(np.arange(6))


def test_check_reads_the_training_images(tree):
    (tree / "train/cat/1.png").write_text("not a picture")
    with pytest.raises(DataCorrupt, match=f"{tree}/train/cat/1.png"):
        Folder(str(tree)).check()


def test_by_name_and_through_a_pickle(tree, monkeypatch):
    dataset = get_dataset(f"folder:{tree}")
    dataset.test()
    content = pickle.dumps(dataset)
    assert len(content) < 200 + len(str(tree))
    assert pickle.loads(content) is dataset
    monkeypatch.chdir(tree.parent)
    assert get_dataset("folder:mine").text == f"folder:{tree}"


def test_a_folder_needs_a_path():
    for text in ("folder", "folder:"):
        with pytest.raises(BadInput, match="folder:PATH with train/<class>"):
            get_dataset(text)


def test_a_folder_in_capitals_needs_a_path():
    with pytest.raises(BadInput, match="folder:PATH"):
        get_dataset("Folder")
