"""Which image wins where: mixing masks as integer maps B×T×T, value i for image i of N (FIDELITY sections 8 and 9).

Segmentations are integer maps B×N×H×W with ids 0..S-1, S of each image's own. The CPU makes them and draws
masks alone: a mask is small, and a GPU would be waited for to count segments.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def mix_features(features: Tensor | Sequence[Tensor], mask: Tensor) -> Tensor:
    """At every place the features of the image that wins there (ChimeraMix equation 1; HydraMix equation 1).

    features: B×N×C×T×T or N tensors B×C×T×T; mask: B×T×T with values 0..N-1, on their device.
    Returns B×C×T×T. Images in place of features give GridMix, SegMix and NMix.
    """
    images = features.unbind(1) if isinstance(features, Tensor) else features
    mixed = images[0]
    winner = mask[:, None]
    for index, image in enumerate(images[1:], start=1):
        mixed = torch.where(winner == index, image, mixed)
    return mixed


def grid_mask(count: int, size: int, rng: torch.Generator, *, mask_size: int = 4, shifted: bool = True) -> Tensor:
    """Masks of two images, count×size×size on the CPU: a fair coin for each of mask_size² cells (FIDELITY section 8).

    mask_size: at most `size`. shifted: ChimeraMix's code (True) stretches the cells to size + size // mask_size
    and crops them at one random offset for the whole batch; its paper (False) stretches them to `size`.
    """
    cells = torch.randint(2, (count, mask_size, mask_size), generator=rng)
    margin = size // mask_size if shifted else 0
    top, left = torch.randint(max(margin, 1), (2,), generator=rng).tolist()
    return nearest(cells, size + margin)[:, top : top + size, left : left + size]


def range_mask(segmentations: Tensor, size: int, rng: torch.Generator, *, of: int = 1) -> Tensor:
    """Masks of two images, B×size×size: 0 inside a contiguous range of segment ids, 1 outside (FIDELITY fact 2).

    Of S segments the ids l..u-1 are inside: l uniform in 0..S-2, then u uniform in l+1..S-1, so never the last;
    a single segment is inside. This is ChimeraMix's code; its paper says one region (section 3.2) or a coin
    per region (figure 3). of: whose segmentation; the second image's (1) in the code, the first's (0) in the paper.
    """
    ids, segments = _read(segmentations[:, of], size)
    draws = torch.rand(2, len(ids), 1, 1, generator=rng)
    lowest = _pick(draws[0], segments - 1)
    end = lowest + 1 + _pick(draws[1], segments - 1 - lowest)
    return 1 - ((lowest <= ids) & (ids < end)).long()


def one_region_mask(segmentations: Tensor, size: int, rng: torch.Generator, *, of: int = 1) -> Tensor:
    """Masks of two images, B×size×size: 0 inside one segment, uniform over ids, 1 outside (ChimeraMix section 3.2).

    The segment can lie between the places of a small mask, which then holds 1 alone. of: as in range_mask.
    """
    ids, segments = _read(segmentations[:, of], size)
    draws = torch.rand(len(ids), 1, 1, generator=rng)
    return 1 - (ids == _pick(draws, segments)).long()


def bernoulli_mask(segmentations: Tensor, size: int, rng: torch.Generator, *, of: int = 1) -> Tensor:
    """Masks of two images, B×size×size: 0 or 1, a fair coin per segment (ChimeraMix figure 3).

    of: as in range_mask.
    """
    ids, _ = _read(segmentations[:, of], size)
    return 1 - _toss(ids, 0.5, rng).long()


MASK_RULES: dict[str, Callable[..., Tensor]] = {
    "range": range_mask,
    "one_region": one_region_mask,
    "bernoulli": bernoulli_mask,
}


def hydra_mask(segmentations: Tensor, size: int, rng: torch.Generator, *, probability: float = 0.5) -> Tensor:
    """Masks of N images, B×size×size (HydraMix section 3.2): image after image overwrites some of its segments.

    Image 0 is everywhere first; then every segment of each image in turn takes its places with `probability`.
    At 0.5 the last image has half of the area in expectation, the one before a quarter (FIDELITY section 9).
    """
    ids = nearest(segmentations, size).long()
    chosen = _toss(ids, probability, rng)
    # the last image to write at a place is the largest index chosen there
    order = torch.arange(ids.shape[1])[:, None, None]
    return (chosen * order).amax(1)


def box_mask(regions: Tensor, size: int, rng: torch.Generator, *, probability: float = 0.5) -> Tensor:
    """Masks of N images, B×size×size: as `hydra_mask`, of regions 1.. alone, which are boxes (HydraMix section 4.7).

    regions: B×N×H×W, 0 outside of all boxes. Image 0 is the ground: the others give boxes, never what is around them.
    """
    ids = nearest(regions, size).long()
    chosen = _toss(ids, probability, rng) & (ids > 0)
    return (chosen * torch.arange(ids.shape[1])[:, None, None]).amax(1)


def nearest(maps: Tensor, size: int) -> Tensor:
    """Maps ...×H×W brought to ...×size×size by nearest neighbour, as torch's interpolate does."""
    rows, columns = (torch.arange(size) * side // size for side in maps.shape[-2:])
    return maps[..., rows[:, None], columns]


def _read(segmentation: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Ids B×size×size, and how many segments each whole map has, B×1×1."""
    # small segments may vanish at the smaller size, but the code counts them
    segments = segmentation.long().amax((1, 2), keepdim=True) + 1
    return nearest(segmentation, size).long(), segments


def _pick(draws: Tensor, options: Tensor) -> Tensor:
    """Draws uniform in [0, 1) as integers uniform in 0..options-1, and 0 where there is no option."""
    return (draws * options.clamp(min=1)).long()


def _toss(ids: Tensor, probability: float, rng: torch.Generator) -> Tensor:
    """Whether the segment at a place is chosen, one coin per segment: ids ...×T×T -> booleans ...×T×T."""
    coins = torch.rand(*ids.shape[:-2], int(ids.max()) + 1, generator=rng) < probability
    return coins.gather(-1, ids.flatten(-2)).view_as(ids)
