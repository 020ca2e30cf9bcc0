"""Whether a detector learns: its AP on the 16 images that it was trained on, drawn ones or COCO's of coco128-part.

    .venv/bin/python tests/speed/overfit_detector.py
    DATA_ROOT=... .venv/bin/python tests/speed/overfit_detector.py --dataset coco128-part

Prints the losses on the way, and exits with status 1 below the least AP.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmark.kinds.detection import Detection
from benchmark.measures.detection.batches import BoxSubset
from benchmark.measures.detection.evaluate import evaluate_detector
from benchmark.measures.detection.training import DetectionTraining
from benchmark.training.device import resolve_precision, take_device
from benchmark.training.loop import Hooks, train
from datasets.base import get_dataset
from datasets.boxes import BoxDataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from boxed import Drawn

CASES = {  # steps, short side in pixels, least AP; measured on a CPU in bf16: 83.0 and 60.1
    "drawn": (150, 96, 70.0),
    "coco128-part": (700, 224, 50.0),
}


def main() -> None:
    options = _options()
    device = take_device(options.threads)
    dataset = Drawn(16) if options.dataset == "drawn" else get_dataset(options.dataset)
    assert isinstance(dataset, BoxDataset)
    precision = resolve_precision("auto", device)
    subset = BoxSubset.of(dataset, np.arange(16), device, 0, precision)
    training = DetectionTraining(subset, None, _protocol(options))
    started = time.monotonic()
    train(training, Hooks(report=_report))
    seconds = time.monotonic() - started
    found = evaluate_detector(training.network, dataset, "train", subset.images, precision)
    print(f"{options.network} {precision}, {training.steps} steps in {seconds:.0f} s, on the training images: {found}")  # noqa: T201
    sys.exit(found.ap < CASES[options.dataset][2])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="drawn", choices=CASES)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def _protocol(options: argparse.Namespace) -> Detection:
    steps, short_side, _ = CASES[options.dataset]
    return Detection(
        body=options.network,
        backbone="scratch",
        training_steps=steps,
        batch_size=2,
        learning_rate=0.01,
        momentum=0.9,
        weight_decay=1e-4,
        warmup=50,
        short_side=short_side,
        long_side=2 * short_side,
        smallest_scale=1.0,
        proposals=64,
        box_score_thresh=0.05,
        precision="auto",
    )


def _report(step: int, steps: int, losses: dict[str, float]) -> None:
    told = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    print(f"step {step} of {steps}: {told}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
