"""Mask rules against brute force: every mask is possible, and comes as often as the rule says."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from methods.mixing.masks import (
    MASK_RULES,
    bernoulli_mask,
    grid_mask,
    hydra_mask,
    mix_features,
    nearest,
    one_region_mask,
    range_mask,
)

DRAWS = 20_000
Law = dict[tuple[int, ...], float]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def patchwork(count: int = 3, images: int = 4, size: int = 16, seed: int = 0) -> Tensor:
    """Segmentations B×N×H×W of 4×4-pixel blocks with random ids 0..4."""
    blocks = torch.randint(5, (count, images, size // 4, size // 4), generator=rng(seed))
    return blocks.repeat_interleave(4, -1).repeat_interleave(4, -2).to(torch.int16)


def line(ids: list[int]) -> Tensor:
    """A segmentation H×W whose ids form a square, read row by row."""
    side = round(len(ids) ** 0.5)
    return torch.tensor(ids, dtype=torch.int16).view(side, side)


def frequencies(masks: Tensor) -> Law:
    counts = Counter(tuple(row) for row in masks.flatten(1).tolist())
    return {mask: count / len(masks) for mask, count in counts.items()}


def assert_follows(masks: Tensor, law: Law) -> None:
    found = frequencies(masks)
    assert found.keys() == law.keys()
    for mask, probability in law.items():
        spread = (probability * (1 - probability) / len(masks)) ** 0.5
        assert abs(found[mask] - probability) <= 5 * spread + 1e-12


def law_of(outcomes: Iterator[tuple[tuple[int, ...], float]]) -> Law:
    law: Law = Counter()  # type: ignore[assignment]
    for mask, probability in outcomes:
        law[mask] += probability
    return law


def ranges(ids: list[int]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every range of FIDELITY section 8 with its probability."""
    segments = max(ids) + 1
    lowest = range(max(0, segments - 2) + 1)
    for low in lowest:
        ends = range(low + 1, max(low + 1, segments - 1) + 1)
        for end in ends:
            yield tuple(0 if low <= i < end else 1 for i in ids), 1 / len(lowest) / len(ends)


def single_regions(ids: list[int]) -> Iterator[tuple[tuple[int, ...], float]]:
    segments = max(ids) + 1
    for chosen in range(segments):
        yield tuple(0 if i == chosen else 1 for i in ids), 1 / segments


def coin_per_region(ids: list[int]) -> Iterator[tuple[tuple[int, ...], float]]:
    segments = max(ids) + 1
    for coins in product([0, 1], repeat=segments):
        yield tuple(coins[i] for i in ids), 0.5**segments


def overwritten(images: list[list[int]], probability: float) -> Iterator[tuple[tuple[int, ...], float]]:
    """HydraMix section 3.2 word by word, for every choice of segments."""
    segments = [(i, s) for i, ids in enumerate(images) for s in sorted(set(ids))]
    for coins in product([False, True], repeat=len(segments)):
        mask = [0] * len(images[0])
        for (i, s), chosen in zip(segments, coins, strict=True):
            if chosen:
                mask = [i if images[i][place] == s else value for place, value in enumerate(mask)]
        heads = sum(coins)
        yield tuple(mask), probability**heads * (1 - probability) ** (len(coins) - heads)


# --- grid


def offsets_that_explain(masks: Tensor, width: int, offsets: range) -> set[tuple[int, int]]:
    """Offsets at which every mask consists of whole cells of `width` places, cut by the border."""
    found = set()
    for top, left in product(offsets, offsets):
        cells: dict[tuple[int, int, int], set[int]] = {}
        for (sample, y, x), value in zip(product(*map(range, masks.shape)), masks.flatten().tolist(), strict=True):
            cells.setdefault((sample, (y + top) // width, (x + left) // width), set()).add(value)
        if all(len(values) == 1 for values in cells.values()):
            found.add((top, left))
    return found


def test_grid_has_cells_of_five_places_at_one_offset_per_batch() -> None:
    seen = set()
    for seed in range(30):
        masks = grid_mask(6, 16, rng(seed))
        assert masks.shape == (6, 16, 16)
        (offset,) = offsets_that_explain(masks, 5, range(5))
        seen.add(offset)
    assert {top for top, _ in seen} == {left for _, left in seen} == {0, 1, 2, 3}
    assert any(top != left for top, left in seen)


def test_grid_that_is_not_shifted_has_cells_of_four_places() -> None:
    for seed in range(5):
        assert offsets_that_explain(grid_mask(6, 16, rng(seed), shifted=False), 4, range(4)) == {(0, 0)}


def test_grid_cells_are_larger_where_there_are_fewer() -> None:
    masks = grid_mask(4, 16, rng(), mask_size=2)
    assert len(offsets_that_explain(masks, 12, range(8))) >= 1
    assert len(offsets_that_explain(grid_mask(4, 64, rng(1)), 20, range(16))) == 1


def test_grid_cells_are_fair_and_independent() -> None:
    corners = grid_mask(DRAWS, 16, rng())[:, [0, 0, 15, 15], [0, 15, 0, 15]]
    assert_follows(corners, {corner: 1 / 16 for corner in product([0, 1], repeat=4)})


# --- one segmentation


@pytest.mark.parametrize(
    ("rule", "law"), [(range_mask, ranges), (one_region_mask, single_regions), (bernoulli_mask, coin_per_region)]
)
@pytest.mark.parametrize("ids", [[0, 1, 2, 3, 4, 4, 1, 0, 3], [0, 0, 1, 2], [1, 0, 0, 1], [0, 0, 0, 0]])
def test_region_rules_follow_their_law(rule: Callable[..., Tensor], law: Callable, ids: list[int]) -> None:
    other = torch.zeros_like(line(ids))
    segmentations = torch.stack([other, line(ids)]).expand(DRAWS, -1, -1, -1)
    side = segmentations.shape[-1]
    assert_follows(rule(segmentations, side, rng()), law_of(law(ids)))


@pytest.mark.parametrize("rule", MASK_RULES.values(), ids=MASK_RULES)
def test_regions_are_of_the_image_named(rule: Callable[..., Tensor]) -> None:
    segmentations = torch.stack([line([0, 0, 1, 1]), line([0, 1, 0, 1])]).expand(400, -1, -1, -1)
    of_first, of_second = rule(segmentations, 2, rng(), of=0), rule(segmentations, 2, rng())
    assert (of_first[:, :, 0] == of_first[:, :, 1]).all() and (of_first[:, 0] != of_first[:, 1]).any()
    assert (of_second[:, 0] == of_second[:, 1]).all() and (of_second[:, :, 0] != of_second[:, :, 1]).any()


def test_last_id_is_never_in_a_range() -> None:
    segmentations = patchwork(2000, 2)
    ids = segmentations[:, 1]
    last = ids == ids.amax((1, 2), keepdim=True)
    inside = range_mask(segmentations, 16, rng()) == 0
    several = ids.amax((1, 2)) > 0
    assert not (inside & last)[several].any()
    assert inside[several].any()


def test_a_single_segment_goes_to_the_first_image_in_a_range() -> None:
    assert not range_mask(torch.zeros(5, 2, 8, 8, dtype=torch.int16), 4, rng()).any()


def test_segments_lost_at_the_small_size_still_count() -> None:
    segmentation = torch.zeros(8, 8, dtype=torch.int16)
    segmentation[4:] = 1
    segmentation[7, 7] = 2  # nearest takes even places alone
    masks = range_mask(segmentation.expand(DRAWS, 2, -1, -1), 4, rng())
    top, bottom = (0,) * 8 + (1,) * 8, (1,) * 8 + (0,) * 8
    # of ids 0, 1, 2: l in {0, 1}; l = 0 gives u in {1, 2}, l = 1 gives u = 2
    assert_follows(masks, {top: 0.25, (0,) * 16: 0.25, bottom: 0.5})


def test_ranges_differ_within_a_batch_of_different_segmentations() -> None:
    few, many = line([0, 1, 0, 1]), line([0, 1, 2, 3])
    masks = range_mask(torch.stack([few, many])[:, None].expand(-1, 2, -1, -1).repeat(1000, 1, 1, 1), 2, rng())
    assert_follows(masks[::2], law_of(ranges([0, 1, 0, 1])))
    assert frequencies(masks[1::2]).keys() == law_of(ranges([0, 1, 2, 3])).keys()


# --- HydraMix


@pytest.mark.parametrize("probability", [0.5, 0.2])
@pytest.mark.parametrize(
    "images",
    [
        [[0, 0, 0, 0], [0, 1, 1, 0]],
        [[0, 1, 0, 1], [0, 0, 1, 2], [0, 1, 1, 1]],
        [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1]],
    ],
)
def test_hydra_mask_follows_the_overwriting_of_the_paper(images: list[list[int]], probability: float) -> None:
    segmentations = torch.stack([line(ids) for ids in images]).expand(DRAWS, -1, -1, -1)
    law = law_of(overwritten(images, probability))
    assert sum(law.values()) == pytest.approx(1)
    masks = hydra_mask(segmentations, 2, rng(), probability=probability)
    assert_follows(masks, law)


def test_hydra_mask_gives_the_last_image_half_of_the_area() -> None:
    masks = hydra_mask(patchwork(4000), 8, rng())
    shares = [(masks == image).float().mean().item() for image in range(4)]
    assert shares == pytest.approx([0.125, 0.125, 0.25, 0.5], abs=0.01)


def test_hydra_mask_gives_every_place_to_one_of_the_images() -> None:
    for images in range(2, 9):
        masks = hydra_mask(patchwork(200, images), 4, rng())
        assert masks.shape == (200, 4, 4) and not masks.is_floating_point()
        assert set(masks.unique().tolist()) == set(range(images))


def test_hydra_mask_of_no_and_of_all_segments() -> None:
    segmentations = patchwork()
    assert not hydra_mask(segmentations, 4, rng(), probability=0).any()
    assert (hydra_mask(segmentations, 4, rng(), probability=1) == 3).all()


# --- all rules


ALL_RULES: dict[str, Callable[[torch.Generator], Tensor]] = {
    "grid": lambda r: grid_mask(3, 8, r),
    **{name: lambda r, rule=rule: rule(patchwork(), 8, r) for name, rule in MASK_RULES.items()},  # type: ignore[misc]
    "hydra": lambda r: hydra_mask(patchwork(), 8, r),
}


@pytest.mark.parametrize("rule", ALL_RULES.values(), ids=ALL_RULES)
def test_masks_depend_on_the_generator_alone(rule: Callable[[torch.Generator], Tensor]) -> None:
    before = torch.get_rng_state()
    assert torch.equal(rule(rng(3)), rule(rng(3)))
    assert len({tuple(rule(rng(seed)).flatten().tolist()) for seed in range(20)}) > 10
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("source", "size"), [(64, 16), (32, 16), (96, 24), (4, 20), (4, 80), (4, 30), (32, 64), (3, 7)]
)
def test_nearest_is_that_of_interpolate(source: int, size: int) -> None:
    maps = torch.arange(2 * source * source, dtype=torch.float64).view(2, 1, source, source)
    assert torch.equal(nearest(maps, size), functional.interpolate(maps, size=(size, size)))


# --- mixing


@pytest.mark.parametrize("images", range(2, 9))
def test_mixing_takes_each_place_from_its_winner(images: int) -> None:
    features = torch.randn(2, images, 5, 4, 4, generator=rng())
    mask = torch.randint(images, (2, 4, 4), generator=rng(1))
    mixed = mix_features(features, mask)
    for sample, y, x in product(range(2), range(4), range(4)):
        assert torch.equal(mixed[sample, :, y, x], features[sample, mask[sample, y, x], :, y, x])
    assert torch.equal(mixed, mix_features(list(features.unbind(1)), mask))


def test_a_constant_mask_gives_that_image_exactly() -> None:
    features = torch.randn(2, 4, 5, 4, 4, generator=rng()).bfloat16()
    for image in range(4):
        mixed = mix_features(features, torch.full((2, 4, 4), image))
        assert mixed.dtype == torch.bfloat16 and torch.equal(mixed, features[:, image])


def test_values_that_lose_do_not_matter_even_where_infinite() -> None:
    winner, loser = torch.ones(1, 2, 2, 2), torch.full((1, 2, 2, 2), float("inf"))
    assert torch.equal(mix_features([loser, winner], torch.ones(1, 2, 2, dtype=torch.long)), winner)


def test_the_gradient_goes_to_the_winner_alone() -> None:
    features = [torch.randn(2, 5, 4, 4, generator=rng(i)).requires_grad_() for i in range(3)]
    mask = torch.randint(3, (2, 4, 4), generator=rng())
    mix_features(features, mask).sum().backward()
    for image, feature in enumerate(features):
        assert torch.equal(feature.grad, (mask == image)[:, None].float().expand(-1, 5, -1, -1))
