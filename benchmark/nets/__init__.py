"""Classifiers by name: wide residual networks of our own, anything else from timm or torchvision."""

import difflib
import re

import torch
from torch import nn

from benchmark.nets.wide_resnet import WideResNet
from datasets.registry import BadInput

_WRN = re.compile(r"wrn-(\d+)-(\d+)")


def build_network(name: str, num_classes: int, dropout: float) -> nn.Module:
    """A randomly initialised classifier: N×3×H×W normalised floats -> N×num_classes logits.

    name: wrn-<depth>-<width> (with `dropout`), timm/<name> or torchvision/<name> (their own defaults).
    Raises BadInput for a name that none of the three has.
    """
    if match := _WRN.fullmatch(name):
        depth, width = map(int, match.groups())
        if depth < 10 or (depth - 4) % 6:
            raise BadInput(f"network '{name}': depth must be 10, 16, 22, 28, ... (6 n + 4)")
        return WideResNet(depth, width, num_classes, dropout)
    library, _, model = name.partition("/")
    if library == "torchvision":
        return _torchvision(model, num_classes)
    if library == "timm":
        return _timm(model, num_classes)
    raise BadInput(f"unknown network '{name}'; known: wrn-<depth>-<width>, timm/<name>, torchvision/<name>")


def _torchvision(model: str, num_classes: int) -> nn.Module:
    from torchvision import models

    _require(model, models.list_models(module=models), "torchvision")
    return models.get_model(model, weights=None, num_classes=num_classes)


def _timm(model: str, num_classes: int) -> nn.Module:
    import timm

    _require(model, timm.list_models(), "timm")
    return timm.create_model(model, pretrained=False, num_classes=num_classes)


def _require(model: str, known: list[str], library: str) -> None:
    if model not in known:
        near = difflib.get_close_matches(model, known, n=3)
        raise BadInput(
            f"unknown network '{library}/{model}'" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )


def forward_flops(name: str, num_classes: int, image_size: int) -> int:
    """Floating-point operations of one image's forward pass, counted without computing anything."""
    from torch.utils.flop_counter import FlopCounterMode

    try:
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            network = build_network(name, num_classes, 0.0).eval()
            network(torch.empty(1, 3, image_size, image_size))
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"network '{name}' cannot take images of {image_size}×{image_size}: {error}") from error
    return counter.get_total_flops()
