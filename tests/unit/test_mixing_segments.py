"""Segmentations: known regions, the papers' scale, and agreement of the two forms of an image."""

import numpy as np
import pytest
import torch
from skimage.segmentation import felzenszwalb

from methods.mixing import segments
from methods.mixing.memo import Memo
from methods.mixing.segments import Segmenter, segment, segment_all, segment_batch


def smooth_image(seed: int, size: int = 32) -> np.ndarray:
    """A uint8 image of random coloured blobs."""
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    image = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    return (image[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()


def normalised(image: np.ndarray) -> np.ndarray:
    return (image.astype(np.float32) / 255 - 0.5) / 0.5


def test_two_colours_are_two_segments() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    ids = segment(image, 60)
    assert ids.shape == (32, 32) and ids.dtype == np.int16
    # the blur before the algorithm may move the edge by a pixel or split it off
    assert len(set(ids[:, :12].ravel())) == len(set(ids[:, 20:].ravel())) == 1
    assert ids[0, 0] != ids[0, 31]


def test_one_colour_is_one_segment() -> None:
    assert not segment(np.full((32, 32, 3), 77, np.uint8), 60).any()


@pytest.mark.parametrize("scale", [60, 400])
def test_ids_are_dense_and_no_segment_is_smaller_than_the_scale(scale: int) -> None:
    ids, sizes = np.unique(segment(smooth_image(0, 64), scale), return_counts=True)
    assert ids.tolist() == list(range(len(ids))) and len(ids) > 1
    assert sizes.min() >= scale


def test_bytes_are_segmented_as_their_normalised_floats() -> None:
    for seed in range(5):
        image = smooth_image(seed)
        assert np.array_equal(segment(image, 60), segment(normalised(image), 60))


def test_scale_refers_to_the_normalised_image() -> None:
    differs = False
    for seed in range(5):
        image = smooth_image(seed).astype(np.float64) / 255
        ids = segment(image * 2 - 1, 60)
        assert np.array_equal(ids, felzenszwalb(image, scale=30, sigma=0.8, min_size=60))
        differs |= not np.array_equal(ids, felzenszwalb(image, scale=60, sigma=0.8, min_size=60))
    assert differs


def test_a_batch_is_its_images_one_by_one() -> None:
    images = np.stack([smooth_image(seed) for seed in range(3)])
    maps = segment_batch(torch.from_numpy(images), 60)
    assert maps.shape == (3, 32, 32) and maps.dtype == torch.int16
    for image, found in zip(images, maps, strict=True):
        assert np.array_equal(found.numpy(), segment(image, 60))
    assert not torch.equal(maps[0], maps[1])


def test_an_image_is_segmented_once_and_alike_ever_after(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(segments, "segment_all", lambda *of: asked.append(len(of[0])) or segment_all(*of))
    images = torch.from_numpy(np.stack([smooth_image(seed) for seed in range(4)]))
    segmenter, expected = Segmenter(60, 0), segment_batch(images, 60)
    asked.clear()
    for picked, new in (([0, 1], 2), ([1, 2, 0], 1), ([3, 2], 1), ([0, 3, 1, 2], 0)):
        assert torch.equal(segmenter.submit(images[picked])(), expected[picked])
        assert sum(asked) == new
        asked.clear()


def test_a_memo_forgets_what_was_not_asked_for_longest_and_stays_small() -> None:
    images = [smooth_image(seed) for seed in range(40)]
    ids = [segment(image, 60) for image in images]
    memo = Memo(10_000)
    for image, made in zip(images, ids, strict=True):
        memo.remember(image, made)
        memo.remember(image, made)  # a batch may hold an image twice
        assert memo.size <= 10_000
        first = memo.recall(images[0])
        assert first is not None and np.array_equal(first, ids[0])
    known = [place for place, image in enumerate(images) if memo.recall(image) is not None]
    assert 5 < len(known) < 40 and known[1:] == list(range(41 - len(known), 40))
    assert all(np.array_equal(memo.recall(images[place]), ids[place]) for place in known)
