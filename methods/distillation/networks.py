"""DINO's backbone and head."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from torchvision.models import ResNet

Depth = Literal[18, 34, 50, 101, 152]

_HIDDEN, _BOTTLENECK = 2048, 256  # of the published head


def resnet(depth: Depth) -> "ResNet":
    """torchvision's residual network without its last layer, with weights from torch's global stream.

    N×3×H×W floats -> N×512 features, N×2048 from 50 layers on.
    """
    from torchvision.models import get_model

    network = get_model(f"resnet{depth}", weights=None)
    network.fc = nn.Identity()
    return network


class Head(nn.Module):
    """N×features -> N×outputs cosines with as many prototypes, from three layers and a bottleneck.

    The prototypes are the rows of `last`, used at length 1: the published weight norm with its lengths fixed.
    """

    def __init__(self, features: int, outputs: int):
        super().__init__()
        widths = (features, _HIDDEN, _HIDDEN, _BOTTLENECK)
        layers = [nn.Linear(*pair) for pair in pairwise(widths)]
        self.layers = nn.ModuleList(layers)
        for layer in layers:
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.last = nn.Linear(_BOTTLENECK, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.layers
        x = third(functional.gelu(second(functional.gelu(first(x)))))
        return functional.linear(functional.normalize(x), functional.normalize(self.last.weight))


class Distilled(nn.Module):
    """A backbone with a head: views of some sizes, each k×3×S×S -> their outputs one after the other."""

    def __init__(self, depth: Depth, outputs: int):
        super().__init__()
        self.backbone = resnet(depth)
        self.head = Head(512 if depth < 50 else 2048, outputs)

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        return self.head(torch.cat([self.backbone(view) for view in views]))
