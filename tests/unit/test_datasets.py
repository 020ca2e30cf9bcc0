"""Datasets on disk: the real images where they are, small tile sheets and arrays where a file must break."""

import importlib.util
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from datasets.base import DataCorrupt, DataMissing, Images, get_dataset, registry
from datasets.cifar import Cifair10, Cifair100, Cifar10, Cifar10Dedup, Cifar100, Cifar100Dedup
from datasets.digits import Digits
from datasets.registry import BadInput
from datasets.sheets import write_arrays
from datasets.stl10 import Stl10, Stl10Part

ROWS, COLUMNS = 2, 3
CLASSES = [f"class {i}" for i in range(10)]


@pytest.fixture
def reference(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The reader that came with the real images."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # it lifts the limit for the process
    spec = importlib.util.spec_from_file_location("reference_reader", real_data / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(dataset, split: str, index: np.ndarray) -> Images:
    return dataset.test() if split == "test" else Images(dataset.train_images(index), dataset.train_labels()[index])


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("cls", [Cifar10, Cifar100, Stl10Part])
def test_real_sheets_are_read_as_the_reference_reader_does(cls, split, real_sheets, reference):
    images, labels, index, classes = reference.load(cls.folder, split, real_sheets)
    dataset = cls()
    found = read(dataset, split, index)
    assert found.images.dtype == np.uint8
    assert found.images.shape == (len(labels), cls.image_size, cls.image_size, 3)
    assert np.array_equal(found.images, images)
    assert np.array_equal(found.labels, labels)
    assert dataset.class_names() == classes and len(classes) == cls.num_classes


@pytest.mark.parametrize(("cls", "total"), [(Cifar10, 50_000), (Cifar100, 50_000), (Stl10Part, 5_000)])
def test_labels_of_the_whole_official_training_set(cls, total, real_sheets):
    labels = cls().train_labels()
    assert np.bincount(labels).tolist() == [total // cls.num_classes] * cls.num_classes
    assert labels.dtype == np.int64


def test_training_images_come_in_the_asked_order(real_sheets, reference):
    images, _, index, _ = reference.load("cifar10", "train", real_sheets)
    places = np.array([9000, 3, 17, 3])
    assert np.array_equal(Cifar10().train_images(index[places]), images[places])


def test_a_training_image_that_is_not_on_disk_is_named(real_sheets, reference):
    _, _, index, _ = reference.load("cifar10", "train", real_sheets)
    absent = int(np.setdiff1d(np.arange(50_000), index)[5])
    with pytest.raises(DataMissing, match=f"cifar10: 1 training images are not on disk, the first is {absent};"):
        Cifar10().train_images(np.array([index[0], absent]))


@pytest.mark.parametrize(("cls", "count"), [(Cifar10Dedup, 9_671), (Cifar100Dedup, 9_041)])
def test_no_listed_duplicate_is_left_in_a_dedup_set(cls, count, real_sheets, reference):
    """Judged by pixels: no image of the lists remains, and every other one with its own label."""
    images, labels, _, _ = reference.load(cls.cifar.folder, "test", real_sheets)
    lists = np.load(real_sheets / cls.cifar.folder / "labels.npz")
    listed = {int(row[0]) for row in lists["cifair_dup_test_train"]}
    listed |= {int(number) for row in lists["cifair_dup_test_test"] for number in row[:2]}
    found = cls().test()
    kept = {image.tobytes() for image in found.images}
    assert len(found.images) == len(found.labels) == count == 10_000 - len(listed)
    assert kept.isdisjoint(images[number].tobytes() for number in listed)
    assert [(i.tobytes(), y) for i, y in zip(found.images, found.labels, strict=True)] == [
        (images[k].tobytes(), labels[k]) for k in range(10_000) if k not in listed
    ]


def test_dedup_trains_on_cifar_and_stands_for_cifair(real_sheets):
    dataset, plain = Cifar10Dedup(), Cifar10()
    index = np.load(real_sheets / "cifar10" / "labels.npz")["train_index"][:9]
    assert np.array_equal(dataset.train_images(index), plain.train_images(index))
    assert np.array_equal(dataset.train_labels(), plain.train_labels())
    assert (dataset.family, plain.family, dataset.identity["name"]) == ("cifair10", "cifar10", "cifar10-dedup")


def test_dedup_without_the_lists_says_where_they_belong(empty_root):
    with pytest.raises(DataMissing, match=f"cifar10-dedup: .*{empty_root}/cifar10/labels.npz; take cifair10"):
        Cifar10Dedup().test()


@pytest.mark.parametrize("cls", [Cifair10, Cifair100])
def test_cifair_never_falls_back_to_another_test_set(cls, real_sheets):
    dataset = cls()
    assert len(dataset.train_labels()) == 50_000
    for use in (dataset.test, dataset.check):
        with pytest.raises(DataMissing, match=rf"data prepare --dataset {cls.name}\b.*{cls.cifar.name}-dedup"):
            use()


@pytest.mark.parametrize("name", [name for name in registry.entries() if name not in ("digits", "folder")])
def test_without_any_files_the_root_is_named(name, empty_root):
    with pytest.raises(DataMissing, match=str(empty_root)):
        get_dataset(name).check()


@pytest.mark.parametrize("cls", [Cifar10, Cifar100, Stl10])
def test_without_files_the_command_that_gets_them_is_named(cls, empty_root):
    with pytest.raises(DataMissing, match=f"hydrabench data prepare --dataset {cls.name}'"):
        cls().train_labels()


def test_stl10_refuses_the_sheets_with_derived_labels(real_sheets):
    for use in (Stl10().test, Stl10().train_labels, Stl10().check, Stl10().class_names):
        with pytest.raises(DataMissing, match=r"official files are not under .* data prepare --dataset stl10'"):
            use()


def test_stl10_part_is_a_dataset_of_its_own(real_sheets):
    dataset = Stl10Part()
    assert np.bincount(dataset.test().labels).tolist() == [200] * 10
    assert (dataset.name, dataset.family) == ("stl10-part", "stl10")


def test_stl10_part_never_reads_the_prepared_official_set(empty_root):
    image = np.zeros((10, 96, 96, 3), np.uint8)
    labels = np.arange(10)
    write_arrays(
        empty_root / "prepared/stl10", CLASSES, train=image, train_labels=labels, test=image, test_labels=labels
    )
    assert len(Stl10().test().labels) == 10
    with pytest.raises(DataMissing, match=r"no tile sheets at .*; 'stl10' is the official set"):
        Stl10Part().test()


def test_digits_are_a_thousand_and_the_rest():
    dataset = Digits()
    train, test = dataset.train_images(np.arange(1000)), dataset.test()
    assert train.shape == (1000, 32, 32, 3) and test.images.shape == (797, 32, 32, 3)
    assert train.dtype == test.images.dtype == np.uint8
    assert len(dataset.train_labels()) == 1000 and len(test.labels) == 797
    for images in (train, test.images):
        assert (images == images[..., :1]).all()
        assert (images.min(), images.max()) == (0, 255)


def test_digits_are_scikit_learns_in_order():
    from sklearn.datasets import load_digits

    digits, dataset = load_digits(), Digits()
    assert [*dataset.train_labels(), *dataset.test().labels] == digits.target.tolist()
    shown = np.concatenate([dataset.train_images(np.arange(1000)), dataset.test().images])[..., 0]
    cells = shown.reshape(-1, 8, 4, 8, 4)[:, :, 1:3, :, 1:3].mean(
        axis=(2, 4)
    )  # where bilinear weights favour one pixel
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(cells, digits.images, strict=True)]
    assert min(likeness) > 0.9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ciffair10", "unknown dataset 'ciffair10'; did you mean cifair10"),
        ("cifar-10", "unknown dataset 'cifar-10'; did you mean .*cifar10"),
        ("stl", "unknown dataset 'stl'; did you mean .*stl10"),
        ("qqqq", "unknown dataset 'qqqq'; known: .*cifair10, .*digits, .*stl10"),
        ("", "unknown dataset ''; known: .*cifair10"),
        ("cifar10:5", "'cifar10' takes no ':5'; only folder:PATH does"),
    ],
)
def test_a_wrong_name_gets_a_hint(text, message):
    with pytest.raises(BadInput, match=message):
        get_dataset(text)


@pytest.mark.parametrize("text", ["cifar10-dedup", " CIFAR10_Dedup "])
def test_names_are_read_leniently(text):
    assert isinstance(get_dataset(text), Cifar10Dedup)


@pytest.mark.parametrize("name", [name for name in registry.entries() if name != "folder"])
def test_a_pickle_holds_the_name_alone(name):
    content = pickle.dumps(get_dataset(name))
    assert len(content) < 100
    assert pickle.loads(content) is get_dataset(name)


def save_sheets(folder: Path, split: str, images: np.ndarray) -> None:
    """Writes images as lossless tile sheets of ROWS x COLUMNS, the last one filled up with black."""
    side, per_sheet = images.shape[1], ROWS * COLUMNS
    padded = np.concatenate([images, np.zeros((-len(images) % per_sheet, *images.shape[1:]), np.uint8)])
    for number, tiles in enumerate(padded.reshape(-1, ROWS, COLUMNS, side, side, 3)):
        sheet = tiles.transpose(0, 2, 1, 3, 4).reshape(ROWS * side, COLUMNS * side, 3)
        Image.fromarray(sheet).save(folder / f"{split}_{number}.webp", lossless=True)


@pytest.fixture
def small(empty_root: Path) -> Path:
    """Tile sheets of CIFAR's shape: 64 training images (11 sheets) at every third of 192 positions, 8 for the test."""
    folder = empty_root / "cifar10"
    folder.mkdir()
    train, test = small_images()
    save_sheets(folder, "train", train)
    save_sheets(folder, "test", test)
    labels = {"train": np.arange(192, dtype=np.uint8) % 10, "test": np.arange(8, dtype=np.uint8)}
    np.savez_compressed(folder / "labels.npz", train_index=np.arange(0, 192, 3), **labels)
    meta = {"height": 32, "width": 32, "class_names": CLASSES, "train_present": 64, "test_present": 8}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def small_images() -> tuple[np.ndarray, np.ndarray]:
    pixels = np.random.default_rng(1).integers(0, 256, (72, 32, 32, 3), dtype=np.uint8)
    return pixels[:64], pixels[64:]


def test_sheets_are_read_in_the_order_of_their_numbers(small):
    train, test = small_images()
    dataset = Cifar10()
    assert np.array_equal(dataset.train_images(np.arange(0, 192, 3)), train)
    assert np.array_equal(dataset.test().images, test)
    assert dataset.train_labels().tolist() == [i % 10 for i in range(192)]
    dataset.check()


def test_a_pickle_leaves_images_that_were_read_behind(small):
    dataset = get_dataset("cifar10")
    dataset.test()
    dataset.train_images(np.array([0]))
    assert len(pickle.dumps(dataset)) < 100


def test_prepared_arrays_come_before_sheets(small):
    image = np.full((2, 32, 32, 3), 7, np.uint8)
    prepared = small.parent / "prepared" / "cifar10"
    write_arrays(prepared, CLASSES, train=image, train_labels=np.arange(2), test=image, test_labels=np.array([5, 6]))
    assert Cifar10().test().labels.tolist() == [5, 6]
    assert np.array_equal(Cifar10().train_images(np.array([1])), image[:1])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def use_test(dataset: Cifar10) -> object:
    return dataset.test()


def use_train(dataset: Cifar10) -> object:
    return dataset.train_images(np.array([0]))


@pytest.mark.parametrize("harm", [truncate, empty])
@pytest.mark.parametrize(("file", "use"), [("test_1.webp", use_test), ("train_10.webp", use_train)])
def test_a_broken_sheet_is_named(file: str, use: Callable, harm: Callable, small: Path):
    harm(small / file)
    with pytest.raises(DataCorrupt, match=f"{small / file} is not a readable image .*; copy it again"):
        use(Cifar10())


@pytest.mark.parametrize(("file", "use"), [("test_1.webp", use_test), ("train_3.webp", use_train)])
def test_a_missing_sheet_is_noticed(file, use, small):
    (small / file).unlink()
    split = file.split("_")[0]
    with pytest.raises(DataMissing, match=rf"{small} (holds \d+ {split} images, its meta.json says|lacks {file};)"):
        use(Cifar10())


@pytest.mark.parametrize(("split", "use"), [("test", use_test), ("train", use_train)])
def test_no_sheets_at_all_are_noticed(split, use, small):
    for file in small.glob(f"{split}_*.webp"):
        file.unlink()
    with pytest.raises(DataMissing, match=rf"{small} has no {split}_\*.webp"):
        use(Cifar10())


@pytest.mark.parametrize("content", ["", "{", "not JSON"])
def test_a_meta_file_that_is_not_json_is_named(content, small):
    (small / "meta.json").write_text(content)
    for use in (Cifar10().class_names, Cifar10().check):
        with pytest.raises(DataCorrupt, match=f"{small / 'meta.json'} cannot be used"):
            use()


@pytest.mark.parametrize("content", ["{}", "[]"])
def test_a_meta_file_without_its_keys_is_named(content, small):
    (small / "meta.json").write_text(content)
    with pytest.raises(DataCorrupt, match=f"{small / 'meta.json'}"):
        Cifar10().check()


def test_a_list_that_the_labels_lack_is_named(small):
    np.savez_compressed(small / "labels.npz", train_index=np.arange(3))
    with pytest.raises(DataCorrupt, match=f"{small / 'labels.npz'} has no readable 'train'"):
        Cifar10().train_labels()


def test_pickled_labels_are_never_loaded(small):
    np.savez(small / "labels.npz", train=np.array([{}], dtype=object))
    with pytest.raises(DataCorrupt, match=f"{small / 'labels.npz'} has no readable 'train'"):
        Cifar10().train_labels()


@pytest.mark.parametrize("harm", [truncate, empty])
def test_broken_labels_are_named(harm, small):
    harm(small / "labels.npz")
    with pytest.raises(DataCorrupt, match=f"{small / 'labels.npz'}"):
        Cifar10().check()


def test_check_notices_missing_training_sheets(small):
    for file in small.glob("train_*.webp"):
        file.unlink()
    with pytest.raises(DataMissing, match=str(small)):
        Cifar10().check()


@pytest.fixture
def arrays(empty_root: Path) -> Path:
    """Prepared arrays of CIFAR's shape: 20 training images, 8 for the test."""
    folder = empty_root / "prepared" / "cifar10"
    train, test = small_images()
    labels = {"train_labels": np.arange(20) % 10, "test_labels": np.arange(8)}
    write_arrays(folder, CLASSES, train=train[:20], test=test, **labels)
    return folder


def test_arrays_are_read_as_written(arrays):
    train, test = small_images()
    dataset = Cifar10()
    assert np.array_equal(dataset.train_images(np.array([19, 2])), train[[19, 2]])
    assert np.array_equal(dataset.test().images, test) and dataset.test().labels.tolist() == list(range(8))
    assert dataset.class_names() == CLASSES
    assert sorted(file.suffix for file in arrays.iterdir()) == [".json", *[".npy"] * 4]


def test_arrays_without_the_last_file_do_not_count(arrays):
    (arrays / "classes.json").unlink()
    with pytest.raises(DataMissing, match="no images under"):
        Cifar10().test()


@pytest.mark.parametrize(
    ("file", "use"), [("test.npy", use_test), ("test_labels.npy", use_test), ("train.npy", use_train)]
)
def test_a_missing_array_is_named(file, use, arrays):
    (arrays / file).unlink()
    with pytest.raises(DataMissing, match=f"{arrays / file} is missing; prepare"):
        use(Cifar10())


@pytest.mark.parametrize(
    ("file", "use"), [("test.npy", use_test), ("test_labels.npy", use_test), ("train.npy", use_train)]
)
def test_a_truncated_array_is_named(file, use, arrays):
    truncate(arrays / file)
    with pytest.raises(DataCorrupt, match=f"{arrays / file} cannot be read"):
        use(Cifar10())


def test_an_empty_array_is_named(arrays):
    empty(arrays / "test.npy")
    with pytest.raises(DataCorrupt, match=f"{arrays / 'test.npy'}"):
        Cifar10().test()


def test_a_broken_list_of_classes_is_named(arrays):
    truncate(arrays / "classes.json")
    with pytest.raises(DataCorrupt, match=f"{arrays / 'classes.json'}"):
        Cifar10().class_names()
