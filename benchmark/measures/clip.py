"""CLIP by open_clip: images and texts as features of one space (HydraMix, section 4.5). Needs the extra `analyses`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.nn import functional

from benchmark.weights import CLIP, Weights, get_weights
from datasets.base import DataCorrupt
from datasets.registry import BadInput
from methods.precision import autocast

ARCHITECTURE = "ViT-B-16"  # in open_clip's words
_IMAGES, _TEXTS = 64, 256  # at a time
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Clip:
    """An image and a text encoder; `tokenize` gives B×77 integers of texts; weights_sha256: of their file."""

    model: Any  # open_clip.CLIP, which comes without types
    tokenize: Callable[[list[str]], Tensor]
    device: torch.device
    precision: str = "fp32"
    weights_sha256: str = ""

    @torch.inference_mode()
    def encode_images(self, images: Tensor) -> Tensor:
        """Features N×D, float32 on the CPU, of uint8 images N×H×H×3."""
        size = self.model.visual.image_size[0]
        with autocast(self.precision, self.device):
            parts = [self.model.encode_image(prepare(part.to(self.device), size)) for part in images.split(_IMAGES)]
        return torch.cat(parts).float().cpu()

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Features M×D, float32 on the CPU, of M texts; what is longer than the model's 77 tokens is cut."""
        tokens = self.tokenize(list(texts)).split(_TEXTS)
        with autocast(self.precision, self.device):
            return torch.cat([self.model.encode_text(part.to(self.device)) for part in tokens]).float().cpu()


def load_clip(
    device: torch.device, precision: str = "fp32", weights: Weights | None = None, architecture: str = ARCHITECTURE
) -> Clip:
    """CLIP ready on a device, with the paper's weights unless others are given.

    Raises DataMissing where they are not there, DataCorrupt where their checksum is not the known one or they do not
    fit, BadInput without open_clip. There is no CLIP without weights: random ones give entropies that look right.
    """
    weights = weights or get_weights(CLIP)
    content = weights.read()
    open_clip = _open_clip()
    with torch.random.fork_rng(devices=[]):  # weights to be replaced are drawn from the global stream
        model = open_clip.CLIP(**open_clip.get_model_config(architecture))
    try:
        model.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        line = str(error).splitlines()[0]
        raise DataCorrupt(
            f"weights '{weights.name}' are none of {architecture} ({line}): {weights.how_to_get}"
        ) from error
    return Clip(model.eval().to(device), open_clip.get_tokenizer(architecture), device, precision, weights.checksum())


def prepare(images: Tensor, size: int) -> Tensor:
    """uint8 N×H×H×3 -> N×3×size×size as CLIP takes them: bicubic, then normalised.

    Rows, then columns, each rounded to bytes: as Pillow does it, which open_clip resizes with.
    """
    resized = images.permute(0, 3, 1, 2).float()
    for shape in ((resized.shape[2], size), (size, size)):
        resized = functional.interpolate(resized, shape, mode="bicubic", antialias=True).round_().clamp_(0, 255)
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (_MEAN, _STD))
    return (resized / 255 - mean) / std


def _open_clip() -> ModuleType:
    try:
        import open_clip
    except ImportError as error:
        raise BadInput("CLIP needs the package open_clip_torch: pip install 'hydrabench[analyses]'") from error
    return open_clip
