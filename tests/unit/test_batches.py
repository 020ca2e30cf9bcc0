"""Crops and flips against numpy, the scale of pixels, the order of an epoch, partners of a class."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch

from datasets.batches import Crops, draw_partners, epoch_order, look_up, normalise, to_unit

PAPER = [(32, 4), (96, 12)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, size: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator(7))


def possible_views(image: np.ndarray, padding: int) -> dict[bytes, tuple[int, int, bool]]:
    """Every crop of the image padded by reflection, plain and flipped: pixels -> (down, right, flipped)."""
    size, margin = len(image), (padding, padding)
    padded = np.pad(image, (margin, margin, (0, 0)), mode="reflect")
    views = {}
    for down in range(-padding, padding + 1):
        for right in range(-padding, padding + 1):
            crop = padded[padding + down :, padding + right :][:size, :size]
            views[crop.tobytes()] = (down, right, False)
            views[crop[:, ::-1].tobytes()] = (down, right, True)
    return views


@pytest.mark.parametrize(("size", "padding"), [(8, 2), (5, 4), (6, 0), *PAPER])
def test_each_view_is_a_crop_of_its_own_padded_image(size, padding):
    images = noise(12, size)
    views = Crops.draw(12, size, padding, generator()).of(images)
    for image, view in zip(images.numpy(), views.numpy(), strict=True):
        assert view.tobytes() in possible_views(image, padding)


@pytest.fixture(scope="module")
def draws() -> list[tuple[int, int, bool]]:
    """Which crop and flip 5,000 views of one image took (8 pixels, padded by 2)."""
    image = noise(1, 8)
    possible = possible_views(image[0].numpy(), 2)
    assert len(possible) == 50
    views = Crops.draw(5000, 8, 2, generator()).of(image.expand(5000, -1, -1, -1))
    return [possible[view.tobytes()] for view in views.numpy()]


def test_offsets_are_uniform_over_the_whole_range(draws):
    counts = Counter((down, right) for down, right, _ in draws)
    assert len(counts) == 25
    assert min(counts.values()) > 140 and max(counts.values()) < 260  # 200 +- 4.3 standard deviations


def test_half_of_the_views_are_flipped_whatever_the_offset(draws):
    flipped = Counter((down, right) for down, right, flip in draws if flip)
    assert 2350 < flipped.total() < 2650
    assert len(flipped) == 25 and min(flipped.values()) > 60  # 100 +- 4 standard deviations


def test_a_seed_gives_the_same_views_and_the_next_draw_others():
    images, rng = noise(20, 32), generator(3)
    first, second = (Crops.draw(20, 32, 4, rng).of(images) for _ in range(2))
    assert torch.equal(first, Crops.draw(20, 32, 4, generator(3)).of(images))
    assert not torch.equal(first, second)


def test_maps_move_with_their_images():
    images, views = noise(9, 32), Crops.draw(9, 32, 4, generator())
    assert torch.equal(views.of(images[..., 0]), views.of(images)[..., 0])


def test_views_leave_the_images_alone():
    images = noise(4, 8)
    views = Crops.draw(4, 8, 2, generator()).of(images)
    views.zero_()
    assert torch.equal(images, noise(4, 8))


def test_to_unit_divides_by_255_and_moves_the_channels():
    images = torch.tensor([[[[0, 51, 255], [102, 204, 153]]]], dtype=torch.uint8)  # one image of 1x2 pixels
    expected = torch.tensor([[[[0.0, 0.4]], [[0.2, 0.8]], [[1.0, 0.6]]]])
    found = to_unit(images)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, rtol=0, atol=1e-7)
    assert images.flatten().tolist() == [0, 51, 255, 102, 204, 153]


def test_the_table_of_other_devices_has_the_bits_of_the_cpus_division():
    every = torch.arange(256, dtype=torch.uint8).view(4, 8, 8, 1)
    assert torch.equal(look_up(every).permute(0, 3, 1, 2), to_unit(every))
    reciprocal = every.float() * torch.tensor(1 / 255)
    assert (reciprocal != look_up(every)).sum() == 126  # what CUDA makes of a division by 255


def test_to_unit_is_channels_last_in_memory():
    found = to_unit(noise(4, 32))
    assert found.shape == (4, 3, 32, 32)
    assert found.is_contiguous(memory_format=torch.channels_last) and not found.is_contiguous()
    assert normalise(found).is_contiguous(memory_format=torch.channels_last)


def test_normalise_has_mean_and_deviation_one_half():
    images = torch.tensor([0.0, 0.25, 0.5, 1.0])
    assert normalise(images).tolist() == [-1.0, -0.5, 0.0, 1.0]
    assert images.tolist() == [0.0, 0.25, 0.5, 1.0]


@pytest.mark.parametrize(("count", "repeats"), [(50, 10), (7, 3), (12, 1), (1, 5)])
def test_an_epoch_shows_each_image_exactly_repeats_times(count, repeats):
    assert torch.bincount(epoch_order(count, repeats, generator())).tolist() == [repeats] * count


def test_epochs_are_shuffled_over_all_repeats_and_differ():
    rng = generator()
    first, second = epoch_order(50, 10, rng), epoch_order(50, 10, rng)
    assert not torch.equal(first, second)
    assert torch.equal(first, epoch_order(50, 10, generator()))
    assert len(first[:50].unique()) < 50  # one whole pass after the other would have all 50


def test_partners_are_drawn_without_replacement_as_random_sample_draws_them():
    """Four images at 5 per class: the image and 3 partners of its class, itself allowed among them."""
    partners = draw_partners(3, 40_000, 5, torch.Generator().manual_seed(0))
    assert partners.shape == (3, 40_000)
    assert all(len(set(column)) == 3 for column in partners.T[:200].tolist())
    images = torch.cat([torch.arange(40_000)[None] % 5, partners]).T.tolist()
    distinct = torch.tensor([len(set(places)) for places in images]).float()
    assert distinct.mean() == pytest.approx(3.40, abs=0.03)
    assert (distinct == 4).float().mean() == pytest.approx(0.402, abs=0.01)
    assert torch.bincount(partners.flatten(), minlength=5).float() / 120_000 == pytest.approx([0.2] * 5, abs=0.005)


def test_partners_come_in_any_order_alike():
    orders = Counter(map(tuple, draw_partners(3, 60_000, 5, generator()).T.tolist()))
    assert set(orders) == set(permutations(range(5), 3))
    assert min(orders.values()) > 860 and max(orders.values()) < 1140  # 1000 +- 4.5 standard deviations


def test_equal_draws_keep_their_order_on_every_cpu():
    draws = torch.rand(100_000, 50, generator=generator()).numpy()
    assert (np.diff(np.sort(draws)) == 0).any()
    expected = draws.argsort(axis=1, kind="stable")
    assert np.array_equal(draw_partners(50, 100_000, 50, generator()).T.numpy(), expected)


def test_a_class_with_fewer_images_than_partners_gives_some_of_them_twice():
    partners = draw_partners(3, 3000, 2, torch.Generator().manual_seed(0))
    assert partners.shape == (3, 3000)
    assert torch.bincount(partners.flatten(), minlength=2).float() / 9000 == pytest.approx([0.5] * 2, abs=0.03)
    assert torch.equal(draw_partners(3, 4, 1, torch.Generator()), torch.zeros(3, 4, dtype=torch.long))


def test_one_partner_is_drawn_as_ever():
    """Records of methods that mix two images keep their bits."""
    expected = torch.randint(5, (1, 100), generator=torch.Generator().manual_seed(3))
    assert torch.equal(draw_partners(1, 100, 5, torch.Generator().manual_seed(3)), expected)


def test_no_crop_is_the_image_itself():
    images = noise(3, 8)
    assert torch.equal(Crops.none(3, 8).of(images), images)
