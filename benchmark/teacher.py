"""A teacher: the baseline's classifier as an artifact. What trains it is imported where it is used: a run's identity
needs none of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.kinds.base import Measure
from benchmark.protocol import Protocol
from datasets.base import Dataset
from methods.artifacts import Artifact, Recipe
from methods.base import Method
from methods.baseline import Baseline
from methods.flops import Work
from methods.task import Task

if TYPE_CHECKING:
    from benchmark.training.loop import Teaching


@dataclass(frozen=True)
class TeacherRecipe(Recipe):
    """The baseline under a run's protocol. num_classes and image_size are the dataset's."""

    name = "teacher"

    protocol: Protocol
    num_classes: int
    image_size: int

    @property
    def title(self) -> str:
        return f"teacher {self.protocol.network}"

    def start(self, task: Task, made: tuple[object, ...]) -> "Teaching":
        from benchmark.training.device import resolve_precision
        from benchmark.training.loop import Teaching

        task = replace(task, precision=resolve_precision(self.protocol.precision, task.device))
        return Teaching(task, Baseline(), self.protocol)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> nn.Module:
        """A frozen classifier: normalised images -> logits."""
        from benchmark.training.nets import build_network

        with torch.device("meta"):  # so that no random weights are drawn
            network = build_network(self.protocol.network, self.num_classes, self.protocol.dropout)
        network.load_state_dict(tensors, assign=True)
        network.eval().requires_grad_(False)
        return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def images(self, samples_per_class: int, num_classes: int) -> int:
        return self.protocol.images(samples_per_class, num_classes)

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        from benchmark.training.nets import step_work

        step = step_work(self.protocol.network, num_classes, self.image_size, self.protocol.batch_size)
        return step * self.protocol.steps(samples_per_class, num_classes)

    @property
    def identity(self) -> dict[str, object]:
        """Without the dataset's numbers, which follow from the artifact's training source."""
        parameters = {"method": Baseline().identity, "protocol": self.protocol.identity}
        return {"name": self.name, "version": self.version, "parameters": parameters}


def artifacts_of(
    method: Method, dataset: Dataset, samples_per_class: int, seed: int, protocol: Protocol | Measure
) -> tuple[Artifact, ...]:
    """What a run of a resolved method uses: the artifacts that it needs and those made with the run's teacher.

    A measure has no teacher, but needs of its own; who lays one out refuses the methods that need a teacher.
    """
    if isinstance(protocol, Measure):
        return (*method.needs(dataset, samples_per_class, seed), *protocol.needs(dataset, seed))
    recipe = TeacherRecipe(protocol, dataset.num_classes, dataset.image_size)
    teacher = Artifact(recipe, dataset, samples_per_class, seed)
    return (*method.needs(dataset, samples_per_class, seed), *method.learns_from(teacher))
