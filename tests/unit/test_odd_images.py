"""Images that a person may have: deep, transparent, huge, oddly named or laid out: read right, or named in one line."""

import hashlib
import os
import re
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from benchmark.outlines import load_outline
from benchmark.selection import Selection
from datasets.base import DataCorrupt, DataMissing
from datasets.folder import Folder
from datasets.images import open_rgb
from datasets.registry import BadInput
from datasets.subset import find_subset

NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
FEW = "fewer than 5 training images of a 3, b 3: no run has more per class"
DEEP = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40) * 40


@pytest.fixture
def tree(tmp_path: Path, draw_tree) -> Path:
    return draw_tree(tmp_path / "mine", 0)


def read(file: Path) -> np.ndarray:
    return np.asarray(open_rgb(file.read_bytes(), file).rgb)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_keeps_its_high_bits(name, tmp_path):
    Image.fromarray(DEEP).save(tmp_path / name)
    expected = (DEEP // 256).astype(np.uint8)
    assert 0 < expected.mean() < 255
    assert np.array_equal(read(tmp_path / name), np.dstack([expected] * 3))


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.gif", "a.bmp", "a.webp"])
def test_8_bit_grey_is_as_it_was_in_every_format(name, tmp_path):
    options = {"lossless": True} if name.endswith("webp") else {}
    Image.fromarray(NOISE[..., 0]).save(tmp_path / name, **options)
    assert np.array_equal(read(tmp_path / name), np.dstack([NOISE[..., 0]] * 3))


@pytest.mark.parametrize(
    ("pixels", "what"), [(DEEP.astype(np.int32), "32-bit pixels"), (DEEP.astype(np.float32), "floating-point pixels")]
)
def test_pixels_of_no_known_range_are_refused_by_name(pixels, what, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(DataCorrupt, match=rf"^{tmp_path}/a.tif has {what}: convert it to 8-bit RGB$"):
        read(tmp_path / "a.tif")


def test_16_bits_of_which_0_is_white_are_refused_by_name(tmp_path):
    Image.fromarray(DEEP).save(tmp_path / "a.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "a.tif") as image:
        assert image.tag_v2[262] == 0
    with pytest.raises(DataCorrupt, match="16-bit pixels of which 0 is white"):
        read(tmp_path / "a.tif")


def test_cmyk_is_read_without_a_profile_and_refused_with_one(tmp_path):
    cmyk = Image.fromarray(NOISE).convert("CMYK")
    cmyk.save(tmp_path / "plain.tif")
    assert np.array_equal(read(tmp_path / "plain.tif"), NOISE)
    cmyk.save(tmp_path / "a.jpg", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    with pytest.raises(DataCorrupt, match=r"a\.jpg has CMYK colours with a profile of their own: convert it"):
        read(tmp_path / "a.jpg")


def test_16_bit_grey_has_another_identity_than_when_it_was_white(tree):
    def identity_of_bytes() -> str:
        digest = hashlib.sha256()
        for split in ("train", "test"):
            for file in sorted((tree / split).glob("*/*")):
                digest.update(f"{split}/{file.parent.name}/{file.name}\n".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]

    assert Folder(str(tree)).identity["content"] == identity_of_bytes()
    Image.fromarray(DEEP).save(next((tree / "train" / "a").iterdir()))
    deep = Folder(str(tree))
    assert deep.identity["content"] != identity_of_bytes()
    deep.check()


def test_colours_under_transparency_are_read_and_told_of(tree):
    alpha = np.full((40, 40, 1), 255, np.uint8)
    file = sorted((tree / "train" / "a").iterdir())[0]
    Image.fromarray(np.dstack([NOISE, alpha])).save(file)
    dataset = Folder(str(tree))
    dataset.check()
    assert dataset.remarks() == [FEW]
    alpha[3, 3] = 0
    Image.fromarray(np.dstack([NOISE, alpha])).save(file)
    assert np.array_equal(read(file), NOISE)
    dataset.refresh()
    dataset.check()
    assert dataset.remarks() == [
        f"1 images are partly transparent: the colours stored under it are what is learned ({file})",
        FEW,
    ]


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, without the pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_a_huge_image_is_named(tmp_path):
    (tmp_path / "huge.png").write_bytes(png_of(20_000, 10_000))
    with pytest.raises(DataCorrupt, match=rf"^{tmp_path}/huge\.png is too large an image .*: make it smaller$"):
        read(tmp_path / "huge.png")


def test_a_large_image_is_read_without_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read(tmp_path / "a.png"), NOISE)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"])
def test_whatever_a_broken_file_does_to_its_decoder_it_is_named(form, tmp_path):
    file, rng = tmp_path / "image", np.random.default_rng(1)
    Image.fromarray(NOISE).save(file, form)
    good = file.read_bytes()
    for _ in range(100):
        broken = bytearray(good)
        for at in rng.integers(0, min(len(good), 400), 3):
            broken[at] = rng.integers(256)
        with suppress(DataCorrupt):  # and nothing else
            assert open_rgb(bytes(broken), file).rgb.mode == "RGB"


def test_names_that_are_not_utf8_are_read_hashed_and_described(tree):
    for split in ("train", "test"):
        os.rename(os.fsencode(tree / split / "b"), os.fsencode(tree / split) + b"/caf\xe9")
        Image.fromarray(NOISE).save(Path(os.fsdecode(os.fsencode(tree / split / "a") + b"/\xff.png")))
    dataset = Folder(str(tree))
    dataset.check()
    assert dataset.describe(int(np.argmax(dataset.train_labels())) - 1) == "train/a/\udcff.png"
    assert dataset.class_names() == ["a", "caf\udce9"]
    same = f"1 images are in test and, with the same bytes, in train: 1 of a ({tree}/test/a/\udcff.png)"
    assert dataset.remarks()[0] == same


@pytest.mark.parametrize("name", ["1.TIF", "1.gif", "1.Tiff"])
def test_tif_and_gif_in_any_case_are_read(name, tree):
    before = len(Folder(str(tree)).train_labels())
    Image.fromarray(NOISE).save(tree / "train" / "a" / name)
    dataset = Folder(str(tree))
    dataset.check()
    assert len(dataset.train_labels()) == before + 1


def test_what_is_not_read_is_counted(tree):
    for name in ("1.heic", "2.heic", "notes.txt"):
        (tree / "train" / "a" / name).write_bytes(b"")
    dataset = Folder(str(tree))
    dataset.check()
    assert dataset.remarks() == [f"not read: 2 .heic, 1 .txt ({tree}/train/a/1.heic)", FEW]


def test_a_class_of_other_files_alone_is_told_what_is_read(tree):
    (tree / "train" / "c").mkdir()
    (tree / "train" / "c" / "1.heic").write_bytes(b"")
    with pytest.raises(DataMissing, match=r"classes without images: c \(1 .heic there; read are .bmp, .gif, .jpeg"):
        Folder(str(tree))


def test_images_one_folder_deeper_are_told_where_they_belong(tree):
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tree / split / name).rename(tree / split / "x")
            (tree / split / name).mkdir()
            (tree / split / "x").rename(tree / split / name / "pictures")
    with pytest.raises(DataMissing, match=rf"without images: a, b \({tree}/train/a/pictures is a folder: images lie"):
        Folder(str(tree))


def test_val_is_taken_for_test_and_said(tree):
    before = Folder(str(tree))
    was = before.identity, before.test().images, before.notes()
    (tree / "test").rename(tree / "val")
    dataset = Folder(str(tree))
    assert dataset.identity == was[0] and np.array_equal(dataset.test().images, was[1])
    assert (was[2], dataset.notes()) == ([], [f"{tree}/val is taken for test"])


def test_classes_without_a_split_are_told_what_was_expected(tree):
    expected = (
        rf"needs {tree}/train/train/<class>/\*.png and .*; it holds a, b: .* folder\(split=0.8\):PATH draws a split$"
    )
    with pytest.raises(DataMissing, match=expected):
        Folder(str(tree / "train"))


def test_a_class_without_test_images_is_named_where_accuracy_is_asked_for(tree):
    for file in (tree / "test" / "b").iterdir():
        file.unlink()
    dataset = Folder(str(tree))
    assert len(dataset.train_images(np.arange(1))) == 1
    with pytest.raises(DataMissing, match=f"^{tree}/test has no images of b: every class of train needs some$"):
        dataset.test()


def test_too_few_images_are_named_by_class(tree):
    count = len(list((tree / "train" / "b").iterdir()))
    next((tree / "train" / "b").iterdir()).unlink()
    expected = f"class b has {count - 1} training images, {count} were asked for"
    with pytest.raises(BadInput, match=re.escape(expected)):
        find_subset(Folder(str(tree)), count, 0)


def test_a_folder_is_listed_once_however_many_images_are_described(tree, monkeypatch):
    dataset = Folder(str(tree))
    monkeypatch.setattr("os.scandir", lambda path: pytest.fail(f"{path} was listed again"))
    assert len({dataset.describe(index) for index in range(len(dataset.train_labels()))}) == len(dataset.train_labels())


def test_a_folder_whose_name_is_not_utf8_has_a_title_that_can_be_written_and_drawn(tree, tmp_path):
    odd = tree.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \x1b[31m"))
    outline = load_outline(
        "demo", Selection(datasets=(f"folder:{odd}",), methods=("baseline",), samples_per_class=(2,))
    )
    assert {cell.dataset_label for cell in outline.cells} == {r"Folder caf\udce9 \x1b[31m"}
