"""Faster R-CNN on a feature pyramid (Ren et al., 2015; Lin et al., 2017), as torchvision has it."""

import io
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.kinds.detection import SCRATCH, Detection
from benchmark.weights import get_weights

if TYPE_CHECKING:
    from torchvision.models.detection import FasterRCNN

_STAGES = ("layer1", "layer2", "layer3", "layer4")
_FROZEN = ("conv1", "bn1", "layer1")  # of an ImageNet backbone, as torchvision trains its last three stages alone
_GROUPS = 32
_PYRAMID = 256  # channels


def build_detector(protocol: Detection, classes: int, weights: Mapping[str, Tensor] | None) -> "FasterRCNN":
    """A detector of `classes` kinds of objects, labels 1..classes, with weights of torch's global stream.

    weights: an ImageNet classifier's, by torchvision's names. Its batch norms are frozen, as is usual, and so are its
    first stages. Without, all of the backbone is trained, with group norm (He et al., 2019): a batch norm has too few
    images to learn from, and frozen at its start it normalises nothing.
    """
    from torchvision.models import resnet
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.ops.misc import FrozenBatchNorm2d

    norm = FrozenBatchNorm2d if weights else partial(nn.GroupNorm, _GROUPS)
    body = getattr(resnet, protocol.body)(norm_layer=norm)
    if weights:
        body.load_state_dict(weights)
        for name in _FROZEN:
            getattr(body, name).requires_grad_(False)
    narrowest = body.inplanes // 2 ** (len(_STAGES) - 1)
    widths = [narrowest * 2**stage for stage in range(len(_STAGES))]
    pyramid = BackboneWithFPN(body, {name: str(stage) for stage, name in enumerate(_STAGES)}, widths, _PYRAMID)
    return FasterRCNN(
        pyramid,
        classes + 1,  # and the background
        min_size=protocol.short_side,
        max_size=protocol.long_side,
        box_batch_size_per_image=protocol.proposals,
        box_score_thresh=protocol.box_score_thresh,
    )


def load_backbone(name: str) -> dict[str, Tensor] | None:
    """The tensors of an ImageNet classifier by torchvision's names; None for `scratch`.

    Raises BadInput for an unknown name, DataMissing where the file is not there, DataCorrupt where it is another one.
    """
    if name == SCRATCH:
        return None
    # its checksum is right by then, and weights_only makes tensors alone of it
    return torch.load(io.BytesIO(get_weights(name).read()), map_location="cpu", weights_only=True)
