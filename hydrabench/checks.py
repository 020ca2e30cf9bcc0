"""What augmenters refuse, each in a line that says what was expected."""

from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from datasets.given import require_unit
from datasets.registry import LARGEST_INTEGER, BadInput
from methods.base import Method
from methods.task import Task

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_ROUNDING = 0.01  # of rows of weights in half precision


def require_augmentation(method: Method) -> Method:
    """The method; raises BadInput for one that is another network, with a protocol of its own, and changes no batch."""
    if method.protocol(1):
        raise BadInput(f"method '{method.name}' is a network with a training of its own, no augmentation of batches")
    return method


def require_share(p_gen: float) -> float:
    if not isinstance(p_gen, Real) or not 0 <= float(p_gen) <= 1:
        raise BadInput(f"p_gen={p_gen!r} is no share: 0 to 1")
    return float(p_gen)


def require_number(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= LARGEST_INTEGER:
        raise BadInput(f"{name}={value!r} is no whole number from {least} on")
    return int(value)


def as_device(device: Any) -> torch.device:
    """A device by its name; None is the GPU where there is one. Raises BadInput for what is none here."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
        raise BadInput(f"device={str(device)!r} is none of this machine's ({str(error).splitlines()[0]})") from error


def require_tensor(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise BadInput(f"{name} are {type(value).__name__}, not a tensor: torch.as_tensor makes one of an array")


def require_labels(labels: Tensor, count: int) -> None:
    """So many integers, or rows of weights that sum to 1."""
    weights = labels.is_floating_point()
    if labels.shape[:1] != (count,) or labels.ndim != 1 + weights or not (weights or labels.dtype in _INTEGERS):
        shape = "×".join(map(str, labels.shape))
        raise BadInput(f"labels are {shape} of {labels.dtype}, not {count} integers or rows of weights")
    if weights and not _are_shares(labels):
        raise BadInput("labels are rows of weights that do not sum to 1, or that are negative")


def _are_shares(weights: Tensor) -> bool:
    sums = weights.detach().double().sum(1)
    return bool((weights >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=_ROUNDING))


def require_images(images: Tensor) -> None:
    if images.layout != torch.strided or images.is_complex() or images.is_meta:
        raise BadInput(f"images are {images.layout} of {images.dtype} on {images.device}, not pixels")
    if images.ndim != 4 or not images.numel():
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
