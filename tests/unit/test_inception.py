"""Inception's features: the resize of clean-fid, and the known network where it is installed."""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.measures.frechet import frechet_distance, moments
from benchmark.measures.inception import Inception, _load, features_of, resize
from benchmark.weights import INCEPTION, get_weights
from datasets.base import get_dataset

needs_weights = pytest.mark.skipif(not get_weights(INCEPTION).available(), reason=get_weights(INCEPTION).missing())


def some(count: int, dataset: str = "digits") -> torch.Tensor:
    return torch.from_numpy(get_dataset(dataset).train_images(np.arange(count)))


@pytest.mark.parametrize("size", [32, 96, 400])
def test_the_resize_is_clean_fids(size):
    resizing = pytest.importorskip("cleanfid.resize", reason="clean-fid is not installed (extra dev)")
    images = torch.randint(256, (2, size, size, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    expected = np.stack([resizing.build_resizer("clean")(image.numpy()) for image in images])
    assert np.abs(resize(images).permute(0, 2, 3, 1).numpy() - expected).max() < 0.01  # of 255


def test_a_resized_image_stays_within_the_range_of_bytes():
    edges = (torch.arange(32) % 2 * 255).byte().expand(1, 32, 32)[..., None].repeat(1, 1, 1, 3)
    assert float(resize(edges).min()) == 0 and float(resize(edges).max()) == 255


@needs_weights
@pytest.mark.usefixtures("one_thread")
def test_features_depend_on_the_image_alone():
    extract = Inception(torch.device("cpu"))
    images = some(2)
    together = extract(images)
    assert together.shape == (2, 2048) and together.dtype == torch.float32
    assert torch.equal(together, features_of(images.split(1), extract))


@needs_weights
@pytest.mark.usefixtures("one_thread")
def test_features_and_distances_are_clean_fids_of_the_same_images(tmp_path, monkeypatch):
    """Through clean-fid's files, resize and wrapper with the same weights; its distance is held in test_frechet.py."""
    fid = pytest.importorskip("cleanfid.fid", reason="clean-fid is not installed (extra dev)")
    wrapper = importlib.import_module("cleanfid.inception_torchscript")
    network = _load(get_weights(INCEPTION).read(), torch.device("cpu")).net
    monkeypatch.setattr("torch.jit.load", lambda path: network)
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file, image in zip(files, some(4), strict=True):
        Image.fromarray(image.numpy()).save(file)
    model = wrapper.InceptionV3W("", download=False)
    with torch.jit.optimized_execution(False):
        theirs = torch.from_numpy(fid.get_files_features([*map(str, files)], model, 0, 4, "cpu", verbose=False))
    monkeypatch.undo()
    ours = Inception(torch.device("cpu"))(some(4))
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-4
    distances = [frechet_distance(*(moments(part[:, :128]) for part in one.split(2))) for one in (ours, theirs)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-3)
