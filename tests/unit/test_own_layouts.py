"""Layouts and sizes of people's own images: what is read, what is made of it, and what is said."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.base import DataCorrupt, DataMissing, get_dataset
from datasets.bundle import export, read_bundle
from datasets.folder import Folder
from datasets.images import open_rgb
from datasets.options import parse_options
from datasets.registry import BadInput

GRADIENT = np.stack(np.broadcast_arrays(*np.ogrid[0:40, 0:120], 7), axis=-1).astype(np.uint8)  # 120 wide, 40 high


def folder(path: Path, **options: object) -> Folder:
    return Folder(str(path), parse_options(",".join(f"{name}={value}" for name, value in options.items())))


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Ten images of each of two classes without a split."""
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "all" / label).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "all" / label / f"{number}.png")
    return tmp_path / "all"


@pytest.fixture
def wide(tmp_path: Path, draw_tree) -> Path:
    """A tree whose images are all 120 wide and 40 high."""
    root = draw_tree(tmp_path / "wide", 0, per_class=1)
    for file in root.glob("*/*/*"):
        Image.fromarray(GRADIENT).save(file)
    return root


def test_the_central_square_is_taken_and_nothing_is_squeezed(wide):
    assert folder(wide).image_size == 40
    assert np.array_equal(folder(wide).test().images[0], GRADIENT[:, 40:80])
    shrunk = np.asarray(Image.fromarray(GRADIENT[:, 40:80]).resize((16, 16), Image.Resampling.BILINEAR))
    difference = folder(wide, size=16).test().images[0].astype(int) - shrunk
    assert abs(difference).max() <= 1  # pixels beside the square count at its border


def test_the_size_is_said_and_enters_the_identity(wide):
    default, asked, small = folder(wide), folder(wide, size=40), folder(wide, size=32)
    assert default.identity == asked.identity and default.identity["size"] == 40
    assert small.identity["size"] == 32 and small.identity["content"] != default.identity["content"]
    assert small.training_source != default.training_source
    (said,) = default.notes()
    expected = "the central square of each image is brought to 40×40 pixels, as the shorter sides have a median of 40; "
    assert said == f"{expected}folder(size=N):PATH takes another"
    assert folder(wide, size=32).notes() == [
        "the central square of each image is brought to 32×32 pixels, as asked for"
    ]


def test_images_that_come_out_as_before_keep_their_identity(tmp_path, draw_tree):
    tree = draw_tree(tmp_path / "mine", 0)
    before = folder(tree)
    assert set(before.identity) == {"name", "version", "content"} and before.notes() == []
    assert folder(tree, size=32).identity == before.identity
    for file in tree.glob("*/*/*"):
        Image.fromarray(GRADIENT[:40, :40]).resize((100, 100)).save(file)
    assert "size" not in folder(tree).identity  # 96 pixels of squares, as ever
    assert folder(tree, size=64).identity["size"] == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("size=33", "size=33: Input should be a multiple of 8"),
        ("size=8", "size=8: Input should be greater than or equal to 16"),
        ("size=big", "size=big: Input should be a valid integer"),
        ("split=1", "split=1: Input should be less than 1"),
        ("sice=32", "unknown option of folder 'sice'; did you mean size"),
        ("size", "'size' is not name=value"),
        ("size=32, size=40", "'size=40' is given twice"),
        ("seed=1", "seed is that of a split"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message, tmp_path):
    with pytest.raises(BadInput) as refused:
        get_dataset(f"folder({options}):{tmp_path}")
    assert message in str(refused.value)


def test_options_belong_to_folders():
    for text in ("digits(size=32)", "digits()"):
        with pytest.raises(BadInput, match="dataset 'digits' takes no"):
            get_dataset(text)


def test_options_are_part_of_the_name_written_in_one_way(classes):
    dataset = get_dataset(f"folder( seed=3,split=0.50 ):{classes}")
    assert dataset.text == f"folder(split=0.5, seed=3):{classes}"
    assert get_dataset(dataset.text) is dataset and pickle.loads(pickle.dumps(dataset)) is dataset


def test_a_bundle_holds_a_folder_under_its_options(wide, tmp_path, monkeypatch):
    dataset = get_dataset(f"folder(size=32):{wide}")
    assert export([dataset], (1,), (0,), True, tmp_path / "b.npz") == ["folder(size=32):wide"]
    (bundled,) = read_bundle(tmp_path / "b.npz").values()
    assert bundled.identity == dataset.identity
    monkeypatch.setenv("HYDRABENCH_BUNDLE", str(tmp_path / "b.npz"))
    assert get_dataset("folder(size=32):wide") is bundled


def test_a_split_is_drawn_of_each_class_by_the_seed(classes):
    dataset = folder(classes, split=0.8)
    assert np.bincount(dataset.train_labels()).tolist() == [8, 8]
    assert np.bincount(dataset.test().labels).tolist() == [2, 2]
    learned = {dataset.describe(index) for index in range(16)}
    assert len(learned) == 16 and all((classes / name).is_file() for name in learned)
    assert folder(classes, split=0.8).identity == dataset.identity != folder(classes, split=0.8, seed=1).identity
    assert dataset.notes() == ["16 train and 4 test images, of a split drawn by seed 0"]
    dataset.check()


def test_a_split_leaves_an_image_of_each_class_on_both_sides(classes):
    for share, counts in ((0.01, [1, 1]), (0.99, [9, 9])):
        assert np.bincount(folder(classes, split=share).train_labels()).tolist() == counts


def test_a_split_needs_two_images_of_each_class_and_no_other_split(classes, draw_tree):
    for file in sorted((classes / "b").iterdir())[1:]:
        file.unlink()
    with pytest.raises(DataMissing, match="has a single image of b: a split needs two"):
        folder(classes, split=0.8)
    with pytest.raises(DataCorrupt, match="is divided into train and test: leave split out"):
        folder(draw_tree(classes.parent / "tree", 0), split=0.8)


def test_images_in_a_folder_of_the_class_are_read(tmp_path, draw_tree):
    flat = folder(draw_tree(tmp_path / "flat", 0))
    tree = draw_tree(tmp_path / "deep", 0)
    for label in "ab":
        (tree / "train" / label).rename(tree / "x")
        (tree / "train" / label).mkdir()
        (tree / "x").rename(tree / "train" / label / "images")
        (tree / "train" / label / "boxes.txt").write_text("")
    deep = folder(tree)
    assert deep.identity == flat.identity
    assert np.array_equal(deep.train_images(np.arange(6)), flat.train_images(np.arange(6)))
    assert deep.remarks()[0].startswith("not read: 2 .txt")


def write_list(classes: Path, header: str, *more: str) -> Path:
    lines = [f"{label}/{number}.png,{label}" for label in "ba" for number in range(10)]
    path = classes / "list.csv"
    path.write_text("\n".join([header, *lines, *more, ""]))
    return path


def test_a_list_without_a_split_is_divided_as_the_folder_is(classes):
    path = write_list(classes, "path,label")
    listed, plain = folder(path, split=0.5), folder(classes, split=0.5)
    assert listed.identity == plain.identity and listed.describe(0) == plain.describe(0)
    with pytest.raises(DataMissing, match=r"list.csv has no column 'split' .* folder\(split=0.8\)"):
        folder(path)


def test_a_list_divides_its_images(classes):
    lines = [
        f"{label}/{number}.png,{label},{'val' if number > 7 else 'train'}" for label in "ab" for number in range(10)
    ]
    (classes / "list.csv").write_text("\ufeffPath,Label,Split\r\n" + "\r\n".join(lines))
    dataset = get_dataset(f"folder:{classes}/list.csv")
    assert np.bincount(dataset.train_labels()).tolist() == [8, 8] and len(dataset.test().labels) == 4
    assert dataset.describe(8) == "b/0.png"
    with pytest.raises(DataCorrupt, match="has a column of splits"):
        folder(classes / "list.csv", split=0.5)


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("file,class", "", "needs a first line that names its columns: path,label"),
        ("path,label", "a/0.png,a", "line 22: 0.png is already in line 12"),
        ("path,label", "a/x.heic,a", "line 22: x.heic is no image that is read"),
        ("path,label", "a/x.png", "line 22: its label is"),
        ("path,label", "a/x.png,../b", "line 22: the label '../b' cannot be the name of a folder"),
        ("path,label", "a/\0.png,b", "line 22: its path is"),
    ],
)
def test_a_line_that_cannot_be_is_named(header, line, message, classes):
    with pytest.raises(DataCorrupt, match=message):
        folder(write_list(classes, header, line), split=0.5)


def test_a_list_of_a_file_that_is_not_there_names_it(classes):
    with pytest.raises(DataCorrupt, match=f"^{classes}/a/x.png cannot be read"):
        folder(write_list(classes, "path,label", "a/x.png,a"), split=0.5).check()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    Image.fromarray(GRADIENT).save(content, form, exif=exif, **({"quality": 100} if form != "PNG" else {}))
    upright = {
        1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1), 6: lambda x: x.swapaxes(0, 1)[:, ::-1],
        7: lambda x: x.swapaxes(0, 1)[::-1, ::-1], 8: lambda x: x.swapaxes(0, 1)[::-1],
    }[orientation](GRADIENT)  # fmt: skip
    found = np.asarray(open_rgb(content.getvalue(), Path("x")).rgb)
    assert found.shape == upright.shape and abs(found.astype(int) - upright).mean() < 3


def test_an_image_that_is_turned_is_another_than_when_it_lay(tmp_path, draw_tree):
    tree = draw_tree(tmp_path / "mine", 0)
    file = tree / "train/a/0.png"
    exif, known = Image.Exif(), []
    for orientation in (1, 6):
        exif[0x0112] = orientation
        Image.open(file).copy().save(file, exif=exif)
        dataset = folder(tree)
        known.append((dataset.identity["content"], dataset.train_images(np.array([0]))[0]))
    (_, lying), (_, upright) = known
    assert np.array_equal(upright, lying.swapaxes(0, 1)[:, ::-1]) and known[0][0] != known[1][0]


def test_duplicates_and_small_classes_are_told_by_class(classes):
    (classes.parent / "own" / "train").parent.mkdir()
    classes.rename(classes.parent / "own" / "train")
    root = classes.parent / "own"
    for label, numbers in (("a", (0, 1)), ("b", (3,))):
        (root / "test" / label).mkdir(parents=True)
        for number in numbers:
            (root / "test" / label / f"{number}.png").write_bytes((root / f"train/{label}/{number}.png").read_bytes())
    for file in sorted((root / "train" / "b").iterdir())[4:]:
        file.unlink()
    assert folder(root).remarks() == [
        f"3 images are in test and, with the same bytes, in train: 2 of a, 1 of b ({root}/test/a/0.png)",
        "fewer than 5 training images of b 4: no run has more per class",
    ]
