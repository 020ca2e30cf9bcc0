"""torchvision's automatic augmentations of arrays. Imports nothing of ours: helper processes run it."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

TRIVIAL = "trivial"


def augment_all(images: np.ndarray, policy: str, seed: int) -> np.ndarray:
    """Each of uint8 images B×H×W×C as a PIL image, like the papers' code, under AutoAugment's or the trivial policy."""
    import torch
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

    change = _load(policy)
    # torchvision draws from torch's global stream: lend it one that the seed begins
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        changed = [change(to_pil_image(image.permute(2, 0, 1))) for image in torch.from_numpy(images)]
    return torch.stack([pil_to_tensor(image).permute(1, 2, 0) for image in changed]).numpy()


@lru_cache(maxsize=4)
def _load(policy: str) -> "nn.Module":
    from torchvision.transforms import v2

    return v2.TrivialAugmentWide() if policy == TRIVIAL else v2.AutoAugment(v2.AutoAugmentPolicy(policy))
