"""Methods and a dataset for the tests of slurm/, registered as an outside package's are: by an entry point."""

import os
import time
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from datasets.base import register_dataset
from methods.artifacts import Artifact, Recipe
from methods.base import Method
from methods.flops import Work
from methods.history import LossHistory
from methods.registry import register
from methods.streams import derive
from methods.task import Task
from tests.boxed import Drawn


def dawdle() -> None:
    """Sleeps half a second while the file $HYDRATEST_SLOW is there: a slow step, which enters no key."""
    if os.path.exists(os.environ.get("HYDRATEST_SLOW", "")):
        time.sleep(0.5)


class Building:
    """Learns to reconstruct pixels through one matrix."""

    def __init__(self, recipe: "Matrix", task: Task):
        torch.random.manual_seed(derive(task.seed, "matrix"))
        self.recipe, self.pixels = recipe, task.images.flatten(1).float() / 255
        self.matrix = nn.Linear(self.pixels.shape[1], 8)
        self.step, self.steps = 0, recipe.steps
        self.history = LossHistory(self.steps)

    @property
    def images_seen(self) -> int:
        return self.steps * len(self.pixels)

    def advance(self) -> None:
        dawdle()
        if self.recipe.broken:
            raise RuntimeError("this generator cannot be trained")
        loss = functional.mse_loss(self.matrix(self.pixels) @ self.matrix.weight, self.pixels)
        self.matrix.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weight in self.matrix.parameters():
                weight -= 0.1 * weight.grad  # type: ignore[misc]
        self.step += 1
        self.history.add(self.step, 0.1, {"reconstruction": loss})

    def state(self) -> dict:
        return {"matrix": self.matrix.state_dict(), "step": self.step, "history": self.history.state()}

    def restore(self, state: dict) -> None:
        self.matrix.load_state_dict(state["matrix"])
        self.step = state["step"]
        self.history.restore(state["history"])

    def tensors(self) -> dict:
        return self.matrix.state_dict()


@dataclass(frozen=True)
class Matrix(Recipe):
    name: ClassVar[str] = "test-matrix"
    steps: int = 1
    broken: bool = False

    def start(self, task, made):
        return Building(self, task)

    def load(self, tensors, device):
        return tensors["weight"].to(device)

    def images(self, samples_per_class, num_classes):
        return self.steps * samples_per_class * num_classes

    def work(self, samples_per_class, num_classes):
        return Work(1e6 * self.images(samples_per_class, num_classes))


register_dataset("test-boxes", label="Test boxes", source="the tests")(Drawn)


@register("test-generator", label="Test generator", source="the tests")
@dataclass(frozen=True)
class Generator(Method):
    """Adds a little of an artifact, which takes `steps` steps to train, to every image."""

    strength: float = 0.1
    steps: int = 1
    broken: bool = False

    def needs(self, dataset, samples_per_class, seed):
        return (Artifact(Matrix(self.steps, self.broken), dataset, samples_per_class, seed),)

    def prepare(self, task, made):
        return Prepared(self.strength, self.steps, self.broken, made[0])


@dataclass(frozen=True)
class Prepared(Generator):
    weight: torch.Tensor | None = None

    def augment(self, images, rng):
        return images + self.strength * self.weight[0].view(1, 3, 32, 32)


@register("test-slow", label="Test slow", source="the tests")
@dataclass(frozen=True)
class Slow(Method):
    """Dawdles in every batch, and draws noise, so that a resumed run shows whether its streams went on."""

    def augment(self, images, rng):
        dawdle()
        return images + 0.1 * torch.randn(images.shape, generator=rng)


@register("test-broken", label="Test broken", source="the tests")
@dataclass(frozen=True)
class Broken(Method):
    """Fails in its first batch."""

    def augment(self, images, rng):
        raise RuntimeError("this method cannot work")
