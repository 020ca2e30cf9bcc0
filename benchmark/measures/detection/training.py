"""A detector's training, which can stop and go on."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark.kinds.detection import Detection
from benchmark.measures import Measuring
from benchmark.measures.detection.batches import BoxBatch, BoxBatches, BoxSubset
from benchmark.measures.detection.evaluate import evaluate_detector
from benchmark.measures.detection.network import build_detector
from benchmark.training.loop import Resumable
from benchmark.training.nets import weights_hash
from benchmark.training.seeding import Streams
from benchmark.training.step import Descent
from methods.mixing.composer import Composer
from methods.precision import autocast

if TYPE_CHECKING:
    from torchvision.models.detection import FasterRCNN

_LARGEST_GRADIENT = 10.0  # of all weights together; from scratch some early batches have a hundred times that


class DetectionTraining(Resumable, Measuring):
    """A detector's training in progress: everything that a checkpoint must hold, and the step that advances it.

    composer: HydraMix prepared for the subset, or None for the baseline; weights: an ImageNet backbone's, or None. SGD
    with a warm-up and a cosine. torchvision draws the proposals that it learns from from torch's global stream, which
    is seeded and kept.
    """

    network: "FasterRCNN"
    batches: BoxBatches

    def __init__(
        self,
        subset: BoxSubset,
        composer: Composer | None,
        protocol: Detection,
        weights: Mapping[str, Tensor] | None = None,
    ):
        super().__init__(protocol.training_steps, protocol.training_steps * protocol.batch_size)
        self.subset, self.protocol = subset, protocol
        streams = Streams(subset.seed)
        streams.start_network()
        self.network = build_detector(protocol, subset.dataset.num_classes, weights).to(subset.device)
        streams.start_training()
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimiser = torch.optim.SGD(
            learning, protocol.learning_rate, protocol.momentum, weight_decay=protocol.weight_decay, fused=True
        )
        self.update = Descent(optimiser, subset.precision, subset.device, _LARGEST_GRADIENT)
        self.batches = BoxBatches(subset, composer, protocol, streams)

    def learning_rate(self) -> float:
        """Of the next step."""
        rise = min((self.step + 1) / max(self.protocol.warmup, 1), 1)
        return self.protocol.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))

    def advance(self) -> None:
        """One step of training; raises Diverged when the losses since the last line are not all finite."""
        rate = self.learning_rate()
        losses = self._losses(self.batches.next())
        self.update.descend(torch.stack(list(losses.values())).sum(), lr=rate)
        self.step += 1
        self.history.add(self.step, rate, losses)

    def _losses(self, batch: BoxBatch) -> dict[str, Tensor]:
        self.network.train()
        self.network.transform.min_size = (batch.short_side,)
        with autocast(self.subset.precision, self.subset.device):
            losses = self.network(batch.images, batch.targets)
        self.network.transform.min_size = (self.protocol.short_side,)
        return {name.removeprefix("loss_"): loss.float() for name, loss in losses.items()}

    def metrics(self) -> dict[str, float]:
        self.weights_sha256 = weights_hash(self.network)
        dataset = self.subset.dataset
        images = dataset.instances("test").images
        return evaluate_detector(self.network, dataset, "test", images, self.subset.precision)._asdict()
