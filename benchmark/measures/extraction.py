"""A set's features, batch after batch: what can be stopped, taken up and kept."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from benchmark.measures import Measuring
from methods.history import LossHistory


class Source(Protocol):
    """Images one batch after the other, like sets.ImageSet; labels: of all of them."""

    labels: Tensor
    step: int
    steps: int

    def next(self) -> Tensor: ...
    def state(self) -> dict[str, object]: ...
    def restore(self, state: dict) -> None: ...


class Extraction:
    """Features of a source in progress (methods.artifacts.Building); a step is a batch, and there are no losses.

    extract: uint8 images B×H×W×3 -> features B×D, on the CPU.
    """

    def __init__(self, source: Source, extract: Callable[[Tensor], Tensor]):
        self._source, self._extract = source, extract
        self._found: list[Tensor] = []
        self.steps = source.steps
        self.history = LossHistory(source.steps)

    @property
    def step(self) -> int:
        return self._source.step

    @property
    def labels(self) -> Tensor:
        return self._source.labels

    @property
    def images_seen(self) -> int:
        return len(self._source.labels)

    @property
    def features(self) -> Tensor:
        """N×D of the batches so far."""
        return torch.cat(self._found)

    def advance(self) -> None:
        self._found.append(self._extract(self._source.next()))

    def state(self) -> dict[str, object]:
        return {"step": self.step, "source": self._source.state(), "found": list(self._found)}

    def restore(self, state: dict) -> None:
        self._source.restore(state["source"])
        self._found = list(state["found"])

    def tensors(self) -> dict[str, Tensor]:
        return {"features": self.features, "labels": self.labels}


class OfOneSet(Measuring):
    """The measuring of one set's features, once all are there; a step is a batch."""

    def __init__(self, extraction: Extraction, weights_sha256: str):
        super().__init__(extraction.steps, extraction.images_seen)
        self.extraction, self.weights_sha256 = extraction, weights_sha256

    def advance(self) -> None:
        self.extraction.advance()
        self.step += 1

    def state(self) -> dict[str, object]:
        return self.extraction.state()

    def restore(self, state: dict) -> None:
        self.extraction.restore(state)
        self.step = self.extraction.step
