"""The verbs samples and augment: pictures of a generator, and new images from a person's own."""

import csv

import numpy as np
import pytest
from PIL import Image

METHOD = "hydramix(width=4, epochs=1, images_per_class=4, batch_size=8, generator_size=32)"


@pytest.fixture
def own_images(tmp_path):
    """A folder of two classes with 3 and 4 photographs of 40×36 pixels, without test images."""
    rng = np.random.default_rng(0)
    for name, count in (("cat", 3), ("dog", 4)):
        for number in range(count):
            path = tmp_path / "own" / "train" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (6, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 36), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "own"


def test_samples_trains_once_and_draws(hydrabench, store, tmp_path):
    command = ("samples", "--method", METHOD, "--dataset", "digits", "--samples-per-class", "2", "--preset", "demo")
    first = hydrabench(*command, "-o", str(tmp_path / "a.png"), "--results", str(store))
    assert first.returncode == 0, first.stderr
    assert "training hydramix generator (generator_size=32) of digits 2/class seed 0" in first.stderr
    second = hydrabench(*command, "-o", str(tmp_path / "b.png"), "--results", str(store))
    assert "training" not in second.stderr
    (written,) = store.rglob("samples.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes() == written.read_bytes()
    with Image.open(written) as image:
        assert min(image.size) > 400
        assert np.asarray(image).std() > 20


def test_augment_composes_new_images_with_a_manifest(hydrabench, store, tmp_path, own_images):
    command = ("augment", "--dataset", f"folder:{own_images}", "--method", METHOD, "--results", str(store))
    for output in ("first", "second"):
        answer = hydrabench(*command, "--per-class", "5", "-o", str(tmp_path / output))
        assert answer.returncode == 0, answer.stderr
    images = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.png"))
    assert [str(path) for path in images] == [f"{name}/{i:05d}.png" for name in ("cat", "dog") for i in range(1, 6)]
    lines = list(csv.DictReader((tmp_path / "first" / "manifest.csv").read_text().splitlines()))
    assert [line["file"] for line in lines] == [str(path) for path in images]
    for line in lines:
        sources = line["sources"].split(" | ")
        assert len(sources) == 4
        assert all(
            source.startswith(f"train/{line['class']}/") and (own_images / source).exists() for source in sources
        )
    assert len({line["mask_seed"] for line in lines}) == 10
    pixels = [np.asarray(Image.open(tmp_path / "first" / path)) for path in images]
    assert {image.shape for image in pixels} == {(32, 32, 3)}
    again = [np.asarray(Image.open(tmp_path / "second" / path)) for path in images]
    assert all(np.array_equal(a, b) for a, b in zip(pixels, again, strict=True))


def test_augment_overwrites_nothing_and_says_what_trains_no_generator(hydrabench, store, tmp_path, own_images):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    command = ("augment", "--dataset", f"folder:{own_images}", "--per-class", "1", "--results", str(store))
    answer = hydrabench(*command, "-o", str(tmp_path / "out"))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "out exists" in answer.stderr
    answer = hydrabench(*command, "--method", "mixup", "-o", str(tmp_path / "new"))
    assert answer.returncode == 2
    assert "method 'mixup' trains no generator" in answer.stderr
    answer = hydrabench(*command, "--method", "glico", "-o", str(tmp_path / "new"))
    assert answer.returncode == 2
    assert "images are composed by one method alone" in answer.stderr
    assert not (tmp_path / "new").exists()
    assert not store.exists()
