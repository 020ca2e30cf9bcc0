"""Classifiers by name: wide residual networks of our own, anything else from timm or torchvision."""

import difflib
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import nn

from benchmark.training.nets.scattering_wrn import ScatteringWideResNet
from benchmark.training.nets.wide_resnet import WideResNet
from datasets.registry import BadInput
from methods.flops import Work, count

_WRN = re.compile(r"wrn-(\d+)-(\d+)")
_SCATTERING_WRN = re.compile(r"scattering-wrn-([1-9]\d*)")


def build_network(name: str, num_classes: int, dropout: float, channels: int = 3) -> nn.Module:
    """A randomly initialised classifier: N×channels×H×W normalised floats -> N×num_classes logits.

    name: wrn-<depth>-<width> (with `dropout`), scattering-wrn-<width>, timm/<name> or torchvision/<name> (their own
    defaults; torchvision's take 3 channels alone). Raises BadInput for a name that none of them has.
    """
    if match := _WRN.fullmatch(name):
        depth, width = map(int, match.groups())
        if depth < 10 or (depth - 4) % 6:
            raise BadInput(f"network '{name}': depth must be 10, 16, 22, 28, ... (6 n + 4)")
        return WideResNet(depth, width, num_classes, dropout, channels)
    if match := _SCATTERING_WRN.fullmatch(name):
        return ScatteringWideResNet(int(match[1]), num_classes, channels)
    library, _, model = name.partition("/")
    if library == "torchvision":
        return _torchvision(model, num_classes, channels)
    if library == "timm":
        return _timm(model, num_classes, channels)
    raise BadInput(
        f"unknown network '{name}'; known: wrn-<depth>-<width>, scattering-wrn-<width>, timm/<name>, torchvision/<name>"
    )


def _torchvision(model: str, num_classes: int, channels: int) -> nn.Module:
    from torchvision import models

    _require(model, models.list_models(module=models), "torchvision")
    if channels != 3:
        raise BadInput(f"network 'torchvision/{model}' takes 3 channels, not {channels}")
    return models.get_model(model, weights=None, num_classes=num_classes)


def _timm(model: str, num_classes: int, channels: int) -> nn.Module:
    import timm

    _require(model, timm.list_models(), "timm")
    return timm.create_model(model, pretrained=False, num_classes=num_classes, in_chans=channels)


def _require(model: str, known: list[str], library: str) -> None:
    if model not in known:
        near = difflib.get_close_matches(model, known, n=3)
        raise BadInput(
            f"unknown network '{library}/{model}'" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )


@lru_cache(maxsize=64)
def step_work(name: str, num_classes: int, image_size: int, batch: int, channels: int = 3) -> Work:
    """What a network's training step of a batch asks of a machine, forward and backward, in half precision."""

    def network() -> nn.Module:
        return build_network(name, num_classes, 0.0, channels).bfloat16()

    def images() -> torch.Tensor:
        return torch.empty(batch, channels, image_size, image_size, dtype=torch.bfloat16)

    try:
        return count(lambda network, images: network(images).sum().backward(), network, images)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"network '{name}' cannot take images of {image_size}×{image_size}: {error}") from error


def weights_hash(network: nn.Module) -> str:
    """sha256 over names and values of all weights and buffers, whatever their layout in memory."""
    return state_hash(network.state_dict())


def state_hash(state: Mapping[str, torch.Tensor]) -> str:
    """The hash of the network that has this state."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
