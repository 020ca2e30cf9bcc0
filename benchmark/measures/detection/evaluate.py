"""A detector on every image of a split, once, after the last step."""

from typing import TYPE_CHECKING

import torch

from benchmark.measures.detection.ap import Found, Precision, average_precision
from benchmark.measures.detection.batches import unit_image
from datasets.batches import send
from datasets.boxes import BoxDataset, Split
from datasets.instances import BoxedImage
from methods.precision import autocast

if TYPE_CHECKING:
    from torchvision.models.detection import FasterRCNN


@torch.inference_mode()
def evaluate_detector(
    network: "FasterRCNN", dataset: BoxDataset, split: Split, images: list[BoxedImage], precision: str
) -> Precision:
    """The detector's average precision on images of a split, which are decoded one after the other."""
    network.eval()
    device = next(network.parameters()).device
    found = []
    for image in images:
        (pixels,) = send(device, unit_image(dataset.read(split, image)))
        with autocast(precision, device):
            (output,) = network([pixels])
        boxes, labels, scores = (output[name].float().cpu().numpy() for name in ("boxes", "labels", "scores"))
        found.append(Found(boxes, labels.astype(int) - 1, scores))
    return average_precision(images, found, dataset.num_classes)
