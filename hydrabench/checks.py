"""What augmenters refuse, each in a line that says what was expected."""

import torch
from torch import Tensor

from datasets.given import require_unit
from datasets.registry import BadInput
from methods.base import Method
from methods.task import Task


def require_augmentation(method: Method) -> Method:
    """The method; raises BadInput for one that is another network, with a protocol of its own, and changes no batch."""
    if method.protocol(1):
        raise BadInput(f"method '{method.name}' is a network with a training of its own, no augmentation of batches")
    return method


def require_share(p_gen: float) -> float:
    if not 0 <= p_gen <= 1:
        raise BadInput(f"p_gen={p_gen} is no share: 0 to 1")
    return p_gen


def require_images(images: Tensor) -> None:
    if images.ndim != 4 or not len(images):
        raise BadInput(f"images are {'×'.join(map(str, images.shape)) or 'a number'}, not B×C×H×W")
    if images.dtype != torch.uint8:
        require_unit("f" if images.is_floating_point() else "i", *map(float, images.detach().aminmax()))


def require_fit(images: Tensor, labels: Tensor, task: Task) -> None:
    side, device = task.images.shape[1], task.device
    if images.shape[1:] != (3, side, side):
        shape = "×".join(map(str, images.shape[1:]))
        raise BadInput(f"images are {shape}, the augmenter was fitted to 3×{side}×{side}")
    if images.device.type != device.type:
        raise BadInput(f"images are on {images.device}, the augmenter on {device}: fit or load it with device=...")
    if labels.is_floating_point():
        raise BadInput("a fitted augmenter takes integer labels, not weights of classes: let it come first")
