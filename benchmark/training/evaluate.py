"""The test set, once, after the last step."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from datasets.base import Images
from datasets.batches import normalise, to_unit
from methods.precision import autocast
from results.predictions import Predictions
from results.records import Metrics

_BATCH = 250


@torch.inference_mode()
def evaluate(network: nn.Module, test: Images, precision: str, device: torch.device) -> tuple[Metrics, Predictions]:
    """Classifies every test image without augmentation; top-5 is top-C where there are C < 5 classes."""
    network.eval()
    correct = np.zeros(2)
    loss = 0.0
    predicted, probabilities = [], []
    for part in test.parts(_BATCH):
        images, labels = (torch.from_numpy(array).to(device) for array in part)
        with autocast(precision, device):
            logits = network(normalise(to_unit(images)))
        logits = logits.float()
        best = logits.topk(min(5, logits.shape[1])).indices
        hits = best == labels[:, None]
        predicted.append(best[:, 0].int().cpu().numpy())
        probabilities.append(logits.softmax(1).half().cpu().numpy())
        correct += [float(hits[:, 0].sum()), float(hits.sum())]
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
    count = len(test.labels)
    top1, top5 = (100 * correct / count).tolist()
    said = Predictions(np.array(test.labels, np.int32), np.concatenate(predicted), np.concatenate(probabilities))
    return Metrics(top1=top1, top5=top5, loss=loss / count, test_images=count), said
