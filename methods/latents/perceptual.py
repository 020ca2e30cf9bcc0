"""How far a drawn image is from the one it should be (FIDELITY section 11)."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.files import open_regular
from datasets.registry import BadInput
from methods.mixing.losses import laplacian_loss

Perceptual = Literal["lap", "vgg"]
Distance = Callable[[Tensor, Tensor], Tensor]

_TAPS = (3, 8, 13, 22, 30)  # the layers of VGG16 that are compared: relu 1_2, 2_2, 3_2, 4_3 and the last pooling
_LARGEST_SMALL = 64  # pixels


def make_distance(perceptual: Perceptual, device: torch.device) -> Distance:
    """The perceptual part of the reconstruction loss: two batches B×3×H×W in [-1, 1] -> a scalar.

    Raises BadInput where VGG's weights are needed and not there.
    """
    return laplacian_loss if perceptual == "lap" else VggDistance(load_features(device))


class VggDistance:
    """The L1 distances of VGG16's features, each a mean: three levels up to 64 pixels.

    Beyond, as published: five levels, and four of the images averaged to a quarter, with the pixels of those. All
    levels are compared behind their ReLU. The published code takes the convolutions before (its layers 2, 7, 12 and
    21), which the ReLUs behind them change in place, except the deepest of three or four, where it stops: that one
    is compared with its negative values.
    """

    def __init__(self, features: nn.Sequential):
        self.features = features

    def __call__(self, generated: Tensor, images: Tensor) -> Tensor:
        if images.shape[-1] <= _LARGEST_SMALL:
            return self._compare(generated, images, 3)
        small, expected = functional.avg_pool2d(generated, 4), functional.avg_pool2d(images, 4)
        return (
            self._compare(generated, images, 5)
            + self._compare(small, expected, 4)
            + functional.l1_loss(small.float(), expected)
        )

    def _compare(self, generated: Tensor, images: Tensor, levels: int) -> Tensor:
        both, total, done = torch.cat([generated, images]), torch.zeros((), device=images.device), 0
        for tap in _TAPS[:levels]:
            both, done = self.features[done : tap + 1](both), tap + 1
            total = total + functional.l1_loss(*both.float().chunk(2))
        return total


def load_features(device: torch.device) -> nn.Sequential:
    """The convolutions of torchvision's VGG16 with ImageNet weights, frozen; raises BadInput where there are none."""
    from torchvision.models import VGG16_Weights, vgg16

    path = Path(torch.hub.get_dir(), "checkpoints", Path(VGG16_Weights.IMAGENET1K_V1.url).name)
    try:
        with io.BufferedReader(open_regular(path)) as file:
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        why = "" if isinstance(error, FileNotFoundError) else f" ({error} there)".replace("\n", " ")
        raise BadInput(
            f"glico(perceptual=vgg) needs {path}{why}; where there is a network, get it with: python -c "
            "'from torchvision.models import vgg16; vgg16(weights=\"IMAGENET1K_V1\")'"
        ) from error
    with torch.device("meta"):  # so that no random weights are drawn
        features = vgg16().features
    kept = {name.removeprefix("features."): value for name, value in weights.items() if name.startswith("features.")}
    features.load_state_dict(kept, assign=True)
    for layer in features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # what was compared must stay
    return features.eval().requires_grad_(False).to(device)
