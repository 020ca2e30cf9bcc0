"""What runs measure besides a classifier's accuracy: one module per kind of protocol (benchmark/kinds/), of its name.

Such a module has `start(run, task, made)`, which gives a `Measuring`: a training's twin, whose steps can be stopped and
taken up, and whose numbers are the run's.
"""

from abc import ABC, abstractmethod
from importlib import import_module

from benchmark.run import Run
from methods.history import LossHistory
from methods.task import Task


class Measuring(ABC):
    """A measurement in progress: everything that a checkpoint must hold, and the step that advances it.

    weights_sha256: of the network that looks at images, or of the one that was trained. history stays without lines
    where there are no losses.
    """

    weights_sha256: str

    def __init__(self, steps: int, images_seen: int):
        self.step, self.steps, self.images_seen = 0, steps, images_seen
        self.history = LossHistory(steps)

    @abstractmethod
    def advance(self) -> None:
        """One step; counts `step` up."""

    @abstractmethod
    def state(self) -> dict[str, object]:
        """Everything needed to go on with the same bits: `step`, plain values and tensors."""

    @abstractmethod
    def restore(self, state: dict) -> None:
        """Takes up what `state` gave."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """The numbers by name (results/metrics.py), asked for once, after the last step."""

    def files(self) -> dict[str, bytes]:
        """What is kept beside the record, like results.files.VALUES."""
        return {}


def start_measuring(run: Run, task: Task, made: tuple[object, ...]) -> Measuring:
    """A fresh measurement of a run; made: its artifacts, loaded, in their order."""
    return import_module(f"benchmark.measures.{run.kind}").start(run, task, made)
