"""Part of `make bench`: how fast measures look at images, and how fast DINO and detectors learn.

CLIP has random weights here, which are as fast as any; Inception has those of FID, and is skipped where they are not.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench import matmul_rate, paper_artifacts, paper_task, real_dataset, say, seconds
from torch import Tensor

from benchmark.kinds import measure_protocol
from benchmark.kinds.detection import Detection
from benchmark.measures.clip import ARCHITECTURE, Clip
from benchmark.measures.detection.batches import BoxSubset
from benchmark.measures.detection.training import DetectionTraining
from benchmark.measures.inception import Inception
from benchmark.training.device import resolve_precision, take_device
from benchmark.weights import INCEPTION, get_weights
from methods.artifacts import Building
from methods.flops import flops_counted

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from boxed import Drawn

_IMAGES = 32  # that an extractor is given at a time
_STEPS = 3


def bench_extractors(device: torch.device) -> None:
    """Prints images/s of each network that measures look with, in float32 and in half precision."""
    weights = get_weights(INCEPTION)
    if weights.available():
        _compare_precisions("Inception (FID), 299 pixels", device, lambda precision: Inception(device, precision))
    else:
        say("Inception (FID)", f"skipped: {weights.missing()}")
    try:
        import open_clip
    except ImportError as error:
        say("CLIP", f"skipped: {error}")
        return
    model = open_clip.CLIP(**open_clip.get_model_config(ARCHITECTURE)).eval().to(device)
    _compare_precisions(
        f"CLIP {ARCHITECTURE}, 224 pixels", device, lambda precision: Clip(model, list, device, precision).encode_images
    )


def _compare_precisions(
    what: str, device: torch.device, extractor: Callable[[str], Callable[[Tensor], Tensor]]
) -> None:
    images = torch.from_numpy(real_dataset().test().images[:_IMAGES])
    precisions = list(dict.fromkeys(("fp32", resolve_precision("auto", device))))
    rates = [_IMAGES / _best(extractor(precision), images, device) for precision in precisions]
    for precision, rate in zip(precisions, rates, strict=True):
        say(f"{what}, {precision}", f"{rate:.1f} images/s")
    if len(rates) > 1:
        say("  ratio", f"{rates[1] / rates[0]:.2f}")


def _best(extract: Callable[[Tensor], Tensor], images: Tensor, device: torch.device) -> float:
    return min(seconds(lambda: extract(images), device) for _ in range(2))


def bench_dino(device: torch.device) -> None:
    """Prints steps/s of DINO at the paper preset and its share of the matmul rate."""
    (artifact,) = paper_artifacts(real_dataset(), "dino")
    recipe = artifact.recipe
    building = recipe.start(paper_task(real_dataset(), device), ())
    _bench_steps(f"DINO, ResNet-{recipe.depth}, batch {recipe.batch_size}", building, device)


def bench_detection(device: torch.device) -> None:
    """Prints steps/s of a detector's training at the quick preset, on drawn images, and its share of matmul."""
    training = detector_training(device)
    body, batch, side = training.protocol.body, training.protocol.batch_size, training.protocol.short_side
    _bench_steps(f"detector on {body}, {batch} images of {side} pixels", training, device)


def detector_training(device: torch.device) -> DetectionTraining:
    """A detector's training at the quick preset on drawn images, ready for its first step."""
    dataset = Drawn(16)
    protocol = measure_protocol("detection", "quick", dataset, {})
    assert isinstance(protocol, Detection)
    subset = BoxSubset.of(dataset, np.arange(16), device, 0, resolve_precision("auto", device))
    return DetectionTraining(subset, None, protocol)


def _bench_steps(what: str, training: "Building | DetectionTraining", device: torch.device) -> None:
    with flops_counted() as counter:
        training.advance()
    before = matmul_rate(device)
    step = statistics.median(seconds(training.advance, device) for _ in range(_STEPS))
    rate = (before + matmul_rate(device)) / 2
    say(what, f"{1 / step:.2f} steps/s")
    say("  share of the matmul rate", f"{counter.get_total_flops() / step / rate:.0%}")


def main() -> None:
    device = take_device(torch.get_num_threads())
    bench_extractors(device)
    bench_dino(device)
    bench_detection(device)


if __name__ == "__main__":
    main()
