"""The kind `fid`: how far a method's images are from real ones, by FID and KID (ChimeraMix, Figure 4), and how far as
many real ones are that no method has seen."""

from typing import Any

from torch import Tensor

from benchmark.kinds.sets import InceptionDistance
from benchmark.measures import inception
from benchmark.measures.extraction import Extraction, OfOneSet
from benchmark.measures.frechet import Moments, frechet_distance, kernel_distance, moments
from benchmark.measures.sets import set_of
from benchmark.run import Run
from benchmark.weights import INCEPTION, get_weights
from methods.task import Task

_KID_UNIT = 1000  # per 1 of the kernel distance


class Distances(OfOneSet):
    """Encodes a set, batch after batch; then its distances from the reference, and those of real images.

    reference, real: features N×D of training and of test images.
    """

    def __init__(self, extraction: Extraction, weights_sha256: str, reference: Tensor, real: Tensor):
        super().__init__(extraction, weights_sha256)
        self._reference, self._real = reference, real

    def metrics(self) -> dict[str, float]:
        around = moments(self._reference)
        own, real = (self._from(features, around) for features in (self.extraction.features, self._real))
        return dict(zip(InceptionDistance.metrics, (*own, *real), strict=True))

    def _from(self, features: Tensor, around: Moments) -> tuple[float, float]:
        """FID and KID of features from the reference, of which `around` are the moments."""
        kernel = kernel_distance(features, self._reference)
        return frechet_distance(moments(features), around), _KID_UNIT * kernel


def start(run: Run, task: Task, made: tuple[Any, ...]) -> Distances:
    """made: what the method needs, then the reference and real images as `Seen`."""
    assert isinstance(run.protocol, InceptionDistance)
    *own, reference, real = made
    extract = inception.Inception(task.device, task.precision)
    extraction = Extraction(set_of(run, task, tuple(own), run.protocol.total), extract)
    return Distances(extraction, get_weights(INCEPTION).checksum(), reference.features, real.features)
